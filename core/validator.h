/* validator: checks that a field of a schema names. They judge what is written, where it is
 * written, and nothing that comes from elsewhere: a merge never refuses by them (SPEC S22).
 * A name that is not known here has no effect: a newer schema may have it.
 *
 * Pure functions: no clock, no locale, no allocation. Texts are as stored, nothing is changed
 * in them. */
#ifndef QM_VALIDATOR_H
#define QM_VALIDATOR_H

#include "core/reason.h"
#include "core/schema.h"

/* X(id, word) */
#define QM_CHECKS(X)                                                                          \
  X(CITIZEN_ID, "citizen-id") X(CREDIT_CODE, "credit-code") X(CODE, "code")                   \
  X(AREA_CODE, "area-code") X(PHONE, "phone") X(DATE, "date") X(RANGE, "range")               \
  X(MONEY, "money") X(POINT, "point") X(ENTRY, "entry")

#define QM_CHECK_ENUM(id, word) QM_CHECK_##id,
typedef enum qm_check_kind {
  QM_CHECK_UNKNOWN = 0,
  QM_CHECKS(QM_CHECK_ENUM) QM_CHECK_COUNT
} qm_check_kind;
#undef QM_CHECK_ENUM

#define QM_MONEY_MOST INT64_C(1000000000000000) /* minor units either way: sums stay in 64 bits */

/* Levels of area codes: bits of 6, 9, 12 and 15 digits. */
enum { QM_AREA_6 = 1, QM_AREA_9 = 2, QM_AREA_12 = 4, QM_AREA_15 = 8, QM_AREA_ALL = 15 };

qm_check_kind qm_check_kind_of(qm_slice name);
/* "citizen-id"; NULL beyond the last. */
const char *qm_check_name(unsigned kind);

/* NULL where the field's check, which may have any name, can stand as it does: known options, a
 * value it is for, a table there is. Else why not (static text). */
const char *qm_check_refused(const qm_schema *s, const qm_field_def *f);
/* QM_ESCHEMA with *e (core/reason.h) where the field's check speaks against a value; it fits
 * the field's kind already. Nil, sealed and erased values pass; of a log, set or list the value
 * is one element. s: the schema of the field. */
int qm_check_value(const qm_schema *s, const qm_field_def *f, qm_slice value, qm_error *e);

/* --- each by itself; QM_REASON_NONE where the text is one --- */

/* Citizen number of GB 11643-1999: 18 characters, the last an ISO 7064 MOD 11-2 check (0 to 9,
 * X or x). old: 15 digits of GB 11643-1989 too, which have no century and no check. */
qm_reason qm_check_citizen_id(qm_slice text, int old);
/* Unified social credit code of GB 32100-2015: 18 characters of 31, the last a MOD 31 check.
 * Small letters count as capital ones. */
qm_reason qm_check_credit_code(qm_slice text);
/* Digits as many as the levels (QM_AREA_…) say or, behind those of the greatest level, `suffix`
 * more for a grid. */
qm_reason qm_check_area_code(qm_slice text, unsigned levels, unsigned suffix);
/* A number as people write it: a mobile one, a landline with or without area code and
 * extension, 400 and 800 numbers, short ones of services, others with + and country. Blanks,
 * hyphens and brackets between digits. */
qm_reason qm_check_phone(qm_slice text, int mobile);
/* YYYY-MM-DD; partial: YYYY and YYYY-MM too. Days: see core/calendar.h; of a part its first. */
qm_reason qm_check_date(qm_slice text, int partial, int32_t least, int32_t most);

#endif
