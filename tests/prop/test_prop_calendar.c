/* Deadlines of random calendars equal a model that goes minute by minute, and grow with start
 * and amount (S23.2). The model knows of no ranges, no search and no arithmetic of spans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/calendar.h"

#define MINUTE_MS INT64_C(60000)
#define FIRST_DAY 20000 /* 2024-10-04 */
#define MODEL_DAYS 500

static uint64_t seed = 7;

static uint32_t below(uint32_t n) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 33) % n;
}

typedef struct model {
  qm_calendar c;
  qm_span hours[3];
  qm_days off[40], work[40];
  uint8_t works[MODEL_DAYS]; /* from FIRST_DAY on */
  uint8_t minute[1440];
} model;

static void add_days(model *m, qm_days *list, uint32_t *n, uint32_t gap, uint8_t works) {
  int32_t at = FIRST_DAY;
  while (*n < 40) {
    qm_days d;
    d.first = at + 1 + (int32_t)below(gap);
    d.last = d.first + (int32_t)below(6);
    if (d.last >= FIRST_DAY + MODEL_DAYS) return;
    list[(*n)++] = d;
    for (int32_t k = d.first; k <= d.last; k++) m->works[k - FIRST_DAY] = works;
    at = d.last;
  }
}

static void make(model *m) {
  memset(m, 0, sizeof *m);
  m->c = (qm_calendar){.offset = (int32_t)below(1561) - 720,
                       .week = 1 + below(127),
                       .first_year = 2024,
                       .last_year = 2027,
                       .hours = m->hours,
                       .off = m->off,
                       .work = m->work};
  for (int i = 0; i < MODEL_DAYS; i++)
    m->works[i] = (uint8_t)(m->c.week >> ((FIRST_DAY + i + 3) % 7) & 1);
  add_days(m, m->off, &m->c.n_off, 30, 0);
  add_days(m, m->work, &m->c.n_work, 60, 1); /* beats off */
  uint32_t spans = below(4), from = 0;
  for (uint32_t i = 0; i < spans; i++) {
    m->hours[i].from = from + below(200);
    m->hours[i].to = m->hours[i].from + 60 + below(200);
    from = m->hours[i].to + below(2);
  }
  m->c.n_hours = spans;
  for (uint32_t t = 0; t < 1440; t++) m->minute[t] = spans == 0;
  for (uint32_t i = 0; i < spans; i++)
    for (uint32_t t = m->hours[i].from; t < m->hours[i].to; t++) m->minute[t] = 1;
  assert_null(qm_calendar_check(&m->c));
}

/* The calendar's local minute since day 0. */
static int works_at(const model *m, int64_t minute) {
  int64_t d = minute / 1440 - FIRST_DAY;
  return d >= 0 && d < MODEL_DAYS && m->works[d] && m->minute[minute % 1440];
}

static int64_t naive_hours(const model *m, int64_t minute, uint32_t amount) {
  for (uint32_t left = amount * 60; left; minute++) left -= (uint32_t)works_at(m, minute);
  return minute;
}

/* The minute behind the last one that is worked on the last day. */
static int64_t naive_days(const model *m, int64_t minute, uint32_t amount, int working) {
  int64_t d = minute / 1440 - FIRST_DAY;
  if (working)
    while (amount) amount -= m->works[++d];
  else
    for (d += amount; !m->works[d];) d++;
  int64_t end = (FIRST_DAY + d + 1) * 1440;
  while (!m->minute[(end - 1) % 1440]) end--;
  return end;
}

static int64_t naive(const model *m, int64_t minute, uint32_t amount, qm_unit unit) {
  if (unit == QM_UNIT_HOURS) return minute + amount * 60;
  if (unit == QM_UNIT_WORKING_HOURS) return naive_hours(m, minute, amount);
  return naive_days(m, minute, amount, unit == QM_UNIT_WORKING_DAYS);
}

static int64_t deadline(const model *m, int64_t ms, uint32_t amount, qm_unit unit) {
  qm_deadline d;
  assert_int_equal(qm_calendar_deadline(&m->c, ms, amount, unit, &d), QM_OK);
  return d.ms;
}

static void equals_the_model(void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) {
    model m;
    make(&m);
    for (int k = 0; k < 12; k++) {
      qm_unit unit = (qm_unit)(1 + below(4));
      uint32_t amount = 1 + below(unit == QM_UNIT_WORKING_HOURS ? 40 : 12);
      int64_t minute = (FIRST_DAY + (int64_t)below(200)) * 1440 + below(1440);
      int64_t ms = (minute - m.c.offset) * MINUTE_MS;
      int64_t want = (naive(&m, minute, amount, unit) - m.c.offset) * MINUTE_MS;
      int64_t is = deadline(&m, ms, amount, unit);
      if (is != want)
        fail_msg("round %d: unit %d, amount %u: %lld minutes off", i, (int)unit, (unsigned)amount,
                 (long long)((is - want) / MINUTE_MS));
    }
  }
}

static void grows_with_start_and_amount(void **state) {
  (void)state;
  for (int i = 0; i < 300; i++) {
    model m;
    make(&m);
    for (int unit = 1; unit <= 4; unit++) {
      int64_t ms = FIRST_DAY * QM_DAY_MS, last = 0;
      uint32_t amount = 1 + below(20);
      for (int k = 0; k < 40; k++) {
        int64_t is = deadline(&m, ms, amount, (qm_unit)unit);
        assert_true(is >= ms && is >= last);
        assert_true(deadline(&m, ms, amount + 1, (qm_unit)unit) >= is);
        last = is;
        ms += below(86400000);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_model),
                                     cmocka_unit_test(grows_with_start_and_amount)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
