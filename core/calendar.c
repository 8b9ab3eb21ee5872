#include "core/calendar.h"

#include <stdio.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MINUTES 1440u

/* ---- days ---- */

static int is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int qm_month_days(int year, int month) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12) return 0;
  return days[month - 1] + (month == 2 && is_leap(year));
}

/* Years begin in March, so that a leap day is the last of its year. */
int32_t qm_day_of(int year, int month, int day) {
  int y = month <= 2 ? year - 1 : year;
  int era = (y >= 0 ? y : y - 399) / 400;
  int of_era = y - era * 400;
  int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void qm_day_civil(int32_t day, int *year, int *month, int *day_of_month) {
  int32_t z = day + 719468;
  int32_t era = (z >= 0 ? z : z - 146096) / 146097;
  int32_t of_era = z - era * 146097;
  int32_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int32_t of_year = of_era - (365 * y + y / 4 - y / 100);
  int32_t m = (5 * of_year + 2) / 153;
  *day_of_month = of_year - (153 * m + 2) / 5 + 1;
  *month = m < 10 ? m + 3 : m - 9;
  *year = y + era * 400 + (*month <= 2);
}

/* Day 0 was a Thursday. */
int qm_day_weekday(int32_t day) { return ((day % 7) + 10) % 7; }

static int digits(const uint8_t *p, int count) {
  int v = 0;
  for (int i = 0; i < count; i++) {
    if (p[i] < '0' || p[i] > '9') return -1;
    v = v * 10 + (p[i] - '0');
  }
  return v;
}

int qm_date_parse(qm_slice s, int32_t *day) {
  if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-') return 0;
  int y = digits(s.p, 4), m = digits(s.p + 5, 2), d = digits(s.p + 8, 2);
  if (y < 1 || m < 1 || d < 1 || d > qm_month_days(y, m)) return 0;
  *day = qm_day_of(y, m, d);
  return 1;
}

void qm_date_text(int32_t day, char out[11]) {
  char text[40];
  int y, m, d;
  qm_day_civil(day, &y, &m, &d);
  (void)snprintf(text, sizeof text, "%04d-%02d-%02d", y, m, d);
  memcpy(out, text, 10);
  out[10] = '\0';
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

int32_t qm_day_at(int64_t ms, int32_t offset) {
  return (int32_t)floor_div(ms + offset * MINUTE_MS, QM_DAY_MS);
}

/* ---- what a calendar says ---- */

static const char *check_spans(const qm_calendar *c) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < c->n_hours; i++) {
    const qm_span *h = &c->hours[i];
    if (h->from >= h->to || h->to > DAY_MINUTES) return "hours are no span of a day";
    if (i && h->from < c->hours[i - 1].to) return "hours must rise and not overlap";
    sum += h->to - h->from;
  }
  return c->n_hours && sum < QM_WORK_LEAST ? "a working day needs an hour of work" : NULL;
}

static const char *check_days(const qm_calendar *c, const qm_days *list, uint32_t n) {
  int32_t first = qm_day_of(c->first_year, 1, 1), last = qm_day_of(c->last_year, 12, 31);
  for (uint32_t i = 0; i < n; i++) {
    if (list[i].first > list[i].last) return "a range of days ends before it begins";
    if (i && list[i].first <= list[i - 1].last) return "days must rise and stand once";
    if (!c->first_year || list[i].first < first || list[i].last > last)
      return "a day is outside the years of the calendar";
  }
  return NULL;
}

const char *qm_calendar_check(const qm_calendar *c) {
  if (c->offset < -720 || c->offset > QM_OFFSET_MAX) return "the offset must be -12:00 to +14:00";
  if (!c->week || c->week > 0x7Fu) return "a week needs a working day";
  if (c->n_hours > QM_CALENDAR_HOURS_MAX) return "more than 8 spans of hours";
  if (c->n_off > QM_CALENDAR_DAYS_MAX || c->n_work > QM_CALENDAR_DAYS_MAX)
    return "more than 4096 ranges of days";
  if (c->first_year || c->last_year) {
    if (c->first_year < 1900 || c->last_year > 9999 || c->last_year < c->first_year)
      return "the years are no years from 1900 on";
    if (c->last_year - c->first_year >= QM_CALENDAR_YEARS_MAX) return "more than 100 years";
  }
  const char *why = check_spans(c);
  if (!why) why = check_days(c, c->off, c->n_off);
  return why ? why : check_days(c, c->work, c->n_work);
}

static int listed(const qm_days *list, uint32_t n, int32_t day) {
  uint32_t lo = 0, hi = n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (list[mid].last < day) lo = mid + 1;
    else hi = mid;
  }
  return lo < n && list[lo].first <= day;
}

int qm_calendar_works(const qm_calendar *c, int32_t day) {
  if (listed(c->work, c->n_work, day)) return 1;
  if (listed(c->off, c->n_off, day)) return 0;
  return (int)(c->week >> qm_day_weekday(day) & 1u);
}

int qm_calendar_covers(const qm_calendar *c, int32_t day) {
  int y, m, d;
  qm_day_civil(day, &y, &m, &d);
  return c->first_year && y >= c->first_year && y <= c->last_year;
}

/* ---- deadlines ---- */

static const qm_span whole_day[] = {{0, DAY_MINUTES}};

static const qm_span *spans_of(const qm_calendar *c, uint32_t *n) {
  *n = c->n_hours ? c->n_hours : 1;
  return c->n_hours ? c->hours : whole_day;
}

static int64_t instant(const qm_calendar *c, int32_t day, int64_t minute) {
  return day * QM_DAY_MS + (minute - c->offset) * MINUTE_MS;
}

/* Walks the spans of work from the start on until `left` milliseconds were worked. */
static int64_t after_work(const qm_calendar *c, int64_t start, int64_t left, int32_t *last) {
  uint32_t n;
  const qm_span *h = spans_of(c, &n);
  for (int32_t day = qm_day_at(start, c->offset);; day++) {
    if (!qm_calendar_works(c, day)) continue;
    *last = day;
    for (uint32_t i = 0; i < n; i++) {
      int64_t from = instant(c, day, h[i].from), to = instant(c, day, h[i].to);
      if (to <= start) continue;
      if (from < start) from = start;
      if (to - from >= left) return from + left;
      left -= to - from;
    }
  }
}

/* The last of `amount` days, the first not counted. */
static int32_t last_day(const qm_calendar *c, int32_t day, uint32_t amount, int working) {
  if (!working) {
    day += (int32_t)amount;
    while (!qm_calendar_works(c, day)) day++;
    return day;
  }
  while (amount) amount -= (uint32_t)qm_calendar_works(c, ++day);
  return day;
}

int qm_calendar_deadline(const qm_calendar *c, int64_t start_ms, uint32_t amount, qm_unit unit,
                         qm_deadline *out) {
  uint32_t n;
  memset(out, 0, sizeof *out);
  if (start_ms < QM_MS_LEAST || start_ms > QM_MS_MOST || !amount || amount > QM_LIMIT_AMOUNT_MAX)
    return QM_ERANGE;
  if (unit == QM_UNIT_HOURS) {
    out->ms = start_ms + amount * HOUR_MS;
    return QM_OK;
  }
  if (!c || unit < QM_UNIT_HOURS || unit > QM_UNIT_WORKING_DAYS) return QM_EINVAL;
  int32_t first = qm_day_at(start_ms, c->offset), last = first;
  if (unit == QM_UNIT_WORKING_HOURS) {
    out->ms = after_work(c, start_ms, amount * HOUR_MS, &last);
  } else {
    last = last_day(c, first, amount, unit == QM_UNIT_WORKING_DAYS);
    const qm_span *h = spans_of(c, &n);
    out->ms = instant(c, last, h[n - 1].to);
  }
  if (!qm_calendar_covers(c, last) && (!c->last_year || last > qm_day_of(c->last_year, 12, 31)))
    out->ends = c->last_year ? c->last_year : -1;
  if (c->first_year && first < qm_day_of(c->first_year, 1, 1)) out->begins = c->first_year;
  return QM_OK;
}
