/* WGS-84 and GCJ-02 (S22.5). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/datum.h"
#include "core/qianmo.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RADIANS 0.017453292519943295

/* Metres between two places that are close together. */
static double metres(double lat, double lon, double to_lat, double to_lon) {
  double y = (to_lat - lat) * 111320.0, x = (to_lon - lon) * 111320.0 * cos(lat * RADIANS);
  return sqrt(x * x + y * y);
}

/* The places that eviltransform's own tests have, in both datums. */
static const double known[][4] = {
    {31.1774276, 121.5272106, 31.17530398364597, 121.531541859215},
    {22.543847, 113.912316, 22.540796131694766, 113.9171764808363},
    {39.911954, 116.377817, 39.91334545536069, 116.38404722455657},
};

static void known_places(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(known); i++) {
    double lat = known[i][0], lon = known[i][1];
    qm_datum_to_gcj02(&lat, &lon);
    assert_true(metres(lat, lon, known[i][2], known[i][3]) < 0.01);
    double shift = metres(known[i][0], known[i][1], lat, lon);
    assert_true(shift > 100 && shift < 900);
    qm_datum_to_wgs84(&lat, &lon);
    assert_true(metres(lat, lon, known[i][0], known[i][1]) < 0.001);
  }
}

/* Over the whole country, there and back: under a centimetre, and far less. */
static void there_and_back(void **state) {
  double worst = 0;
  (void)state;
  for (double lat = 3.5; lat < 54; lat += 0.37)
    for (double lon = 73.5; lon < 136; lon += 0.41) {
      double to_lat = lat, to_lon = lon;
      qm_datum_to_gcj02(&to_lat, &to_lon);
      qm_datum_to_wgs84(&to_lat, &to_lon);
      double off = metres(lat, lon, to_lat, to_lon);
      if (off > worst) worst = off;
      to_lat = lat, to_lon = lon; /* the other way round */
      qm_datum_to_wgs84(&to_lat, &to_lon);
      qm_datum_to_gcj02(&to_lat, &to_lon);
      off = metres(lat, lon, to_lat, to_lon);
      if (off > worst) worst = off;
    }
  if (worst >= 1e-5) fail_msg("%g m", worst);
}

static void outside_both_are_the_same(void **state) {
  static const double places[][2] = {{48.8566, 2.3522}, {-33.86, 151.2}, {0, 100}, {60, 110}};
  (void)state;
  for (size_t i = 0; i < COUNT(places); i++) {
    double lat = places[i][0], lon = places[i][1];
    assert_false(qm_datum_shifts(lat, lon));
    qm_datum_to_gcj02(&lat, &lon);
    qm_datum_to_wgs84(&lat, &lon);
    assert_true(lat == places[i][0] && lon == places[i][1]);
  }
  assert_true(qm_datum_shifts(30.6, 104.06));
  assert_false(qm_datum_shifts(104.06, 30.6)); /* swapped */
}

/* The same for programs, which name the datums. */
static void points_for_display(void **state) {
  (void)state;
  double lat = known[0][0], lon = known[0][1];
  assert_int_equal(qm_point_shown(&lat, &lon, QM_WGS84, QM_GCJ02), QM_OK);
  assert_true(metres(lat, lon, known[0][2], known[0][3]) < 0.01);
  assert_int_equal(qm_point_shown(&lat, &lon, QM_GCJ02, QM_GCJ02), QM_OK);
  assert_int_equal(qm_point_shown(&lat, &lon, QM_GCJ02, QM_WGS84), QM_OK);
  assert_true(metres(lat, lon, known[0][0], known[0][1]) < 0.001);
  static const double bad[][2] = {{91, 0}, {-91, 0}, {0, 181}, {0, -181}, {NAN, 0}, {0, NAN}};
  for (size_t i = 0; i < COUNT(bad); i++) {
    lat = bad[i][0], lon = bad[i][1];
    assert_int_equal(qm_point_shown(&lat, &lon, QM_WGS84, QM_GCJ02), QM_EINVAL);
  }
  lat = 30, lon = 104;
  assert_int_equal(qm_point_shown(&lat, &lon, 0, QM_GCJ02), QM_EINVAL); /* not known */
  assert_int_equal(qm_point_shown(&lat, &lon, QM_WGS84, 3), QM_EINVAL);
  assert_int_equal(qm_point_shown(NULL, &lon, QM_WGS84, QM_GCJ02), QM_EINVAL);
  assert_true(lat == 30 && lon == 104);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_places),
                                     cmocka_unit_test(there_and_back),
                                     cmocka_unit_test(outside_both_are_the_same),
                                     cmocka_unit_test(points_for_display)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
