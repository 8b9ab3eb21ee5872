/* datum: WGS-84 and GCJ-02, for display only: what is stored is what was captured, with its
 * datum, and is never written back converted.
 *
 * GCJ-02 is a secret shift of some hundred metres inside China; the formula is the one that
 * leaked and that all free converters use (coordinates of the project eviltransform by
 * googollee, 2013: https://github.com/googollee/eviltransform). The way back has no closed
 * form: a fixed point is iterated, which gains two digits a step, as the shift changes by a few
 * parts in a thousand a degree (bewantbe, eviltransform commit 86ae326). There and back again
 * differ by far less than a centimetre; the formula itself agrees with map services within
 * about a metre. Outside the rectangle around China both are the same. */
#ifndef QM_DATUM_H
#define QM_DATUM_H

enum { QM_DATUM_UNKNOWN = 0, QM_DATUM_WGS84 = 1, QM_DATUM_GCJ02 = 2 };

/* 1 inside the rectangle in which GCJ-02 shifts. Degrees. */
int qm_datum_shifts(double lat, double lon);
/* Degrees, in place. */
void qm_datum_to_gcj02(double *lat, double *lon);
void qm_datum_to_wgs84(double *lat, double *lon);

#endif
