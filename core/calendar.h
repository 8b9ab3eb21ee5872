/* calendar: days, and time limits in hours, days, working hours and working days.
 *
 * Everything here is a pure function of its arguments: no clock and no zone of the device.
 * A calendar has one fixed offset from UTC and says which days are worked: by weekday, but
 * for the days it lists as off, and for those it lists as worked (swapped ones, 调休). It is
 * complete for the years it covers; beyond them only weekdays count, and who asks is told.
 *
 * Days are counted from 1970-01-01 (day 0, a Thursday) in the Gregorian calendar. Minutes of a
 * day are 0 to 1440. Single-threaded use of shared calendars is fine: they are constant. */
#ifndef QM_CALENDAR_H
#define QM_CALENDAR_H

#include "core/mem.h"

#define QM_DAY_MS INT64_C(86400000)
#define QM_OFFSET_DEFAULT 480    /* minutes: UTC+8 */
#define QM_OFFSET_MAX 840        /* UTC+14; UTC-12 is the least */
#define QM_CALENDAR_HOURS_MAX 8u /* spans of work a day */
#define QM_CALENDAR_DAYS_MAX 4096u /* ranges of days off, or worked */
#define QM_CALENDAR_YEARS_MAX 100
#define QM_WEEK_DEFAULT 0x1Fu      /* Monday to Friday */
#define QM_WORK_LEAST 60u          /* minutes of work a day must have */
#define QM_LIMIT_AMOUNT_MAX 10000u /* of any unit */
/* Instants that have a day of four digits of year here, in milliseconds. */
#define QM_MS_LEAST (-INT64_C(62135596800000) + QM_DAY_MS)
#define QM_MS_MOST (INT64_C(253402300799999) - QM_DAY_MS)

/* Minutes of a day: from ≤ t < to. */
typedef struct qm_span {
  uint32_t from, to;
} qm_span;

/* Days, both ends included. */
typedef struct qm_days {
  int32_t first, last;
} qm_days;

typedef struct qm_calendar {
  qm_slice name, label_zh, label_en;
  int32_t offset;         /* minutes east of UTC */
  uint32_t week;          /* bit 0: Mondays are worked, … bit 6: Sundays */
  int32_t first_year, last_year; /* whose days off are all listed; 0, 0: none */
  const qm_span *hours;   /* ascending, apart; none: a working day is worked from 0 to 24 h */
  uint32_t n_hours;
  const qm_days *off;     /* ascending, apart */
  uint32_t n_off;
  const qm_days *work;    /* the same; worked whatever their weekday. Beats off */
  uint32_t n_work;
} qm_calendar;

typedef enum qm_unit {
  QM_UNIT_HOURS = 1,         /* 60 minutes each, from the start on */
  QM_UNIT_WORKING_HOURS = 2, /* time worked, from the start on */
  QM_UNIT_DAYS = 3,          /* not counting the first; ends on a working day */
  QM_UNIT_WORKING_DAYS = 4   /* the same, of working days */
} qm_unit;

typedef struct qm_deadline {
  int64_t ms;       /* since 1970 UTC */
  int32_t ends;     /* the last year of the calendar, where days beyond it count; -1: it lists
                       no year at all; 0: all is covered */
  int32_t begins;   /* its first year, where the start lies before it; else 0 */
} qm_deadline;

/* The day of a date of the Gregorian calendar, years 1 to 9999 (algorithm: H. Hinnant,
 * chrono-compatible low-level date algorithms, days_from_civil). */
int32_t qm_day_of(int year, int month, int day);
void qm_day_civil(int32_t day, int *year, int *month, int *day_of_month);
/* 0 Monday to 6 Sunday. */
int qm_day_weekday(int32_t day);
/* Days of a month: 28 to 31; 0 where there is no such month. */
int qm_month_days(int year, int month);
/* YYYY-MM-DD, years 0001 to 9999: 1 and *day where the text is such a date. */
int qm_date_parse(qm_slice text, int32_t *day);
void qm_date_text(int32_t day, char out[11]);
/* The day on which an instant falls, at an offset. */
int32_t qm_day_at(int64_t ms, int32_t offset);

/* NULL, or why it is no calendar (static text). */
const char *qm_calendar_check(const qm_calendar *c);
int qm_calendar_works(const qm_calendar *c, int32_t day);
/* 1 where the years of the calendar have the day. */
int qm_calendar_covers(const qm_calendar *c, int32_t day);
/* When a limit that starts at start_ms ends. Hours: the first instant at which that much time
 * (working hours: time worked) has passed. Days and working days: the first day does not count,
 * and the last ends with its work, or at 24:00 (Civil Code of the PRC, arts. 201 and 203); of
 * days the last is a working day or moves to the next one. c may be NULL for hours. Grows with
 * start and with amount. QM_ERANGE: the start is no instant between the years 1 and 9999, or
 * amount beyond QM_LIMIT_AMOUNT_MAX; QM_EINVAL: no such unit, or no calendar. */
int qm_calendar_deadline(const qm_calendar *c, int64_t start_ms, uint32_t amount, qm_unit unit,
                         qm_deadline *out);

#endif
