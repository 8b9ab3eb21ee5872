#include "core/datum.h"

#include <math.h>

#define PI 3.14159265358979323846
#define RADIUS 6378245.0 /* metres; this and the next: Krasovsky 1940, as the formula has it */
#define ECCENTRICITY2 0.00669342162296594323
#define STEPS_MAX 10
#define CLOSE 1e-12 /* degrees */

int qm_datum_shifts(double lat, double lon) {
  return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;
}

/* The shift in metres north and east; x, y: degrees east of 105 and north of 35. */
static void shift_metres(double x, double y, double *north, double *east) {
  double root = sqrt(fabs(x)), both = 20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI);
  double n = both + 20.0 * sin(y * PI) + 40.0 * sin(y / 3.0 * PI) + 160.0 * sin(y / 12.0 * PI) +
             320.0 * sin(y / 30.0 * PI);
  double e = both + 20.0 * sin(x * PI) + 40.0 * sin(x / 3.0 * PI) + 150.0 * sin(x / 12.0 * PI) +
             300.0 * sin(x / 30.0 * PI);
  *north = n * 2.0 / 3.0 - 100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
  *east = e * 2.0 / 3.0 + 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
}

/* The same in degrees at a place given in WGS-84. */
static void shift(double lat, double lon, double *d_lat, double *d_lon) {
  double north, east, sine = sin(lat / 180.0 * PI), w = 1.0 - ECCENTRICITY2 * sine * sine;
  shift_metres(lon - 105.0, lat - 35.0, &north, &east);
  *d_lat = north * 180.0 / (RADIUS * (1.0 - ECCENTRICITY2) / (w * sqrt(w)) * PI);
  *d_lon = east * 180.0 / (RADIUS / sqrt(w) * cos(lat / 180.0 * PI) * PI);
}

void qm_datum_to_gcj02(double *lat, double *lon) {
  double d_lat, d_lon;
  if (!qm_datum_shifts(*lat, *lon)) return;
  shift(*lat, *lon, &d_lat, &d_lon);
  *lat += d_lat;
  *lon += d_lon;
}

void qm_datum_to_wgs84(double *lat, double *lon) {
  double at_lat = *lat, at_lon = *lon, d_lat, d_lon;
  if (!qm_datum_shifts(*lat, *lon)) return;
  for (int i = 0; i < STEPS_MAX; i++) {
    shift(at_lat, at_lon, &d_lat, &d_lon);
    double to_lat = *lat - d_lat, to_lon = *lon - d_lon;
    int close = fabs(to_lat - at_lat) < CLOSE && fabs(to_lon - at_lon) < CLOSE;
    at_lat = to_lat;
    at_lon = to_lon;
    if (close) break;
  }
  *lat = at_lat;
  *lon = at_lon;
}
