/* Days, working calendars and deadlines (S23.1, S23.2). The calendar of 2025 and 2026 is the
 * one that the State Council gave out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/calendar.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int32_t day(const char *text) {
  int32_t d = 0;
  if (!qm_date_parse(qm_slice_of(text, strlen(text)), &d)) fail_msg("no date: %s", text);
  return d;
}

/* "2026-02-14 09:30" at an offset of minutes. */
static int64_t at(const char *text, int32_t offset) {
  int h = 0, m = 0;
  char date[11];
  memcpy(date, text, 10);
  date[10] = '\0';
  assert_int_equal(sscanf(text + 11, "%d:%d", &h, &m), 2);
  return day(date) * QM_DAY_MS + (h * 60 + m - offset) * INT64_C(60000);
}

static const char *text_of(int64_t ms, int32_t offset) {
  static char out[40];
  int32_t d = qm_day_at(ms, offset);
  int64_t minute = (ms + offset * INT64_C(60000) - d * QM_DAY_MS) / 60000;
  char date[11];
  qm_date_text(d, date);
  (void)snprintf(out, sizeof out, "%s %02d:%02d", date, (int)(minute / 60), (int)(minute % 60));
  return out;
}

#define D(y, m, d) (y), (m), (d)
static const struct {
  int y, m, d;
} off_list[][2] = {
    {{D(2025, 1, 1)}, {D(2025, 1, 1)}},   {{D(2025, 1, 28)}, {D(2025, 2, 4)}},
    {{D(2025, 4, 4)}, {D(2025, 4, 6)}},   {{D(2025, 5, 1)}, {D(2025, 5, 5)}},
    {{D(2025, 5, 31)}, {D(2025, 6, 2)}},  {{D(2025, 10, 1)}, {D(2025, 10, 8)}},
    {{D(2026, 1, 1)}, {D(2026, 1, 3)}},   {{D(2026, 2, 15)}, {D(2026, 2, 23)}},
    {{D(2026, 4, 4)}, {D(2026, 4, 6)}},   {{D(2026, 5, 1)}, {D(2026, 5, 5)}},
    {{D(2026, 6, 19)}, {D(2026, 6, 21)}}, {{D(2026, 9, 25)}, {D(2026, 9, 27)}},
    {{D(2026, 10, 1)}, {D(2026, 10, 7)}}};
static const char *const work_list[] = {"2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28",
                                        "2025-10-11", "2026-01-04", "2026-02-14", "2026-02-28",
                                        "2026-05-09", "2026-09-20", "2026-10-10"};
static const qm_span hours[] = {{510, 720}, {840, 1050}}; /* 8:30-12:00, 14:00-17:30 */

typedef struct office {
  qm_calendar c;
  qm_days off[COUNT(off_list)], work[COUNT(work_list)];
} office;

static void make(office *o) {
  memset(o, 0, sizeof *o);
  for (size_t i = 0; i < COUNT(off_list); i++) {
    o->off[i].first = qm_day_of(off_list[i][0].y, off_list[i][0].m, off_list[i][0].d);
    o->off[i].last = qm_day_of(off_list[i][1].y, off_list[i][1].m, off_list[i][1].d);
  }
  for (size_t i = 0; i < COUNT(work_list); i++)
    o->work[i].first = o->work[i].last = day(work_list[i]);
  o->c = (qm_calendar){.offset = QM_OFFSET_DEFAULT,
                       .week = QM_WEEK_DEFAULT,
                       .first_year = 2025,
                       .last_year = 2026,
                       .hours = hours,
                       .n_hours = 2,
                       .off = o->off,
                       .n_off = COUNT(off_list),
                       .work = o->work,
                       .n_work = COUNT(work_list)};
  assert_null(qm_calendar_check(&o->c));
}

static void days_of_the_calendar(void **state) {
  (void)state;
  assert_int_equal(qm_day_of(1970, 1, 1), 0);
  assert_int_equal(qm_day_of(2000, 3, 1), 11017);
  assert_int_equal(qm_day_of(1, 1, 1), -719162);
  assert_int_equal(qm_day_weekday(0), 3);
  assert_int_equal(qm_day_weekday(-1), 2);
  assert_int_equal(qm_day_weekday(-719162), 0);
  assert_int_equal(qm_day_weekday(day("2026-02-14")), 5); /* a Saturday */
  int32_t expected = qm_day_of(1, 1, 1);
  for (int y = 1; y <= 2400; y++)
    for (int m = 1; m <= 12; m++)
      for (int d = 1; d <= qm_month_days(y, m); d++, expected++) {
        int yy, mm, dd;
        if (qm_day_of(y, m, d) != expected) fail_msg("%d-%d-%d", y, m, d);
        qm_day_civil(expected, &yy, &mm, &dd);
        if (yy != y || mm != m || dd != d) fail_msg("back: %d-%d-%d", y, m, d);
      }
}

static void dates(void **state) {
  static const char *const good[] = {"2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"};
  static const char *const bad[] = {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10",
                                    "2024-01-32", "2024-1-01",  "2024/01/01", "0000-01-01",
                                    "2024-01-0x", "",           "2024-01-011"};
  int32_t d;
  (void)state;
  for (size_t i = 0; i < COUNT(good); i++) {
    char back[11];
    assert_true(qm_date_parse(qm_slice_of(good[i], strlen(good[i])), &d));
    qm_date_text(d, back);
    assert_string_equal(back, good[i]);
  }
  for (size_t i = 0; i < COUNT(bad); i++)
    if (qm_date_parse(qm_slice_of(bad[i], strlen(bad[i])), &d)) fail_msg("%s", bad[i]);
}

static void holidays_and_swapped_days(void **state) {
  static const struct {
    const char *day;
    int works;
  } rows[] = {{"2026-02-13", 1}, {"2026-02-14", 1}, {"2026-02-15", 0}, {"2026-02-18", 0},
              {"2026-02-23", 0}, {"2026-02-24", 1}, {"2026-02-28", 1}, {"2026-03-01", 0},
              {"2026-03-07", 0}, {"2026-09-20", 1}, {"2026-09-25", 0}, {"2026-10-07", 0},
              {"2026-10-10", 1}, {"2026-10-11", 0}, {"2025-01-26", 1}, {"2025-04-27", 1}};
  office o;
  (void)state;
  make(&o);
  for (size_t i = 0; i < COUNT(rows); i++)
    if (qm_calendar_works(&o.c, day(rows[i].day)) != rows[i].works) fail_msg("%s", rows[i].day);
  assert_true(qm_calendar_covers(&o.c, day("2026-12-31")));
  assert_false(qm_calendar_covers(&o.c, day("2027-01-01")));
  assert_false(qm_calendar_covers(&o.c, day("2024-12-31")));
}

static const struct {
  const char *start;
  uint32_t amount;
  qm_unit unit;
  const char *due;
} rows[] = {
    {"2026-03-03 09:00", 24, QM_UNIT_HOURS, "2026-03-04 09:00"},
    {"2026-02-14 20:00", 48, QM_UNIT_HOURS, "2026-02-16 20:00"},
    /* Across the lunch break, the evening, a weekend. */
    {"2026-03-03 09:00", 2, QM_UNIT_WORKING_HOURS, "2026-03-03 11:00"},
    {"2026-03-03 11:00", 2, QM_UNIT_WORKING_HOURS, "2026-03-03 15:00"},
    {"2026-03-03 11:00", 1, QM_UNIT_WORKING_HOURS, "2026-03-03 12:00"},
    {"2026-03-03 12:30", 5, QM_UNIT_WORKING_HOURS, "2026-03-04 10:00"},
    {"2026-03-03 17:30", 1, QM_UNIT_WORKING_HOURS, "2026-03-04 09:30"},
    {"2026-03-06 17:00", 5, QM_UNIT_WORKING_HOURS, "2026-03-09 15:00"},
    {"2026-03-07 03:00", 7, QM_UNIT_WORKING_HOURS, "2026-03-09 17:30"},
    /* Into the Spring Festival: 14 is worked, 15 to 23 are not. */
    {"2026-02-13 16:30", 3, QM_UNIT_WORKING_HOURS, "2026-02-14 10:30"},
    {"2026-02-14 16:30", 3, QM_UNIT_WORKING_HOURS, "2026-02-24 10:30"},
    /* Working days: the day of the report does not count. */
    {"2026-03-03 09:00", 1, QM_UNIT_WORKING_DAYS, "2026-03-04 17:30"},
    {"2026-03-03 23:59", 1, QM_UNIT_WORKING_DAYS, "2026-03-04 17:30"},
    {"2026-03-06 10:00", 1, QM_UNIT_WORKING_DAYS, "2026-03-09 17:30"},
    {"2026-03-07 10:00", 1, QM_UNIT_WORKING_DAYS, "2026-03-09 17:30"},
    {"2026-02-13 10:00", 1, QM_UNIT_WORKING_DAYS, "2026-02-14 17:30"},
    {"2026-02-14 10:00", 1, QM_UNIT_WORKING_DAYS, "2026-02-24 17:30"},
    {"2026-02-14 10:00", 4, QM_UNIT_WORKING_DAYS, "2026-02-27 17:30"},
    {"2026-02-14 10:00", 5, QM_UNIT_WORKING_DAYS, "2026-02-28 17:30"},
    {"2026-02-14 10:00", 6, QM_UNIT_WORKING_DAYS, "2026-03-02 17:30"},
    {"2026-09-18 10:00", 15, QM_UNIT_WORKING_DAYS, "2026-10-15 17:30"},
    {"2025-12-31 10:00", 1, QM_UNIT_WORKING_DAYS, "2026-01-04 17:30"},
    /* Days: one that is off moves the end. */
    {"2026-03-03 10:00", 3, QM_UNIT_DAYS, "2026-03-06 17:30"},
    {"2026-03-03 10:00", 4, QM_UNIT_DAYS, "2026-03-09 17:30"},
    {"2026-02-10 10:00", 6, QM_UNIT_DAYS, "2026-02-24 17:30"},
    {"2026-02-10 10:00", 4, QM_UNIT_DAYS, "2026-02-14 17:30"},
};

static void deadlines(void **state) {
  office o;
  (void)state;
  make(&o);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_deadline d;
    int64_t start = at(rows[i].start, 480);
    assert_int_equal(qm_calendar_deadline(&o.c, start, rows[i].amount, rows[i].unit, &d), QM_OK);
    if (strcmp(text_of(d.ms, 480), rows[i].due) != 0)
      fail_msg("%s + %u of %d: %s, not %s", rows[i].start, (unsigned)rows[i].amount,
               (int)rows[i].unit, text_of(d.ms, 480), rows[i].due);
    assert_int_equal(d.ends, 0);
    assert_int_equal(d.begins, 0);
  }
}

/* The zone is the calendar's: the same instants elsewhere give the same local times there. */
static void the_zone_is_the_calendars(void **state) {
  static const int32_t offsets[] = {0, -720, 840, 345, 480};
  office o;
  (void)state;
  make(&o);
  for (size_t k = 0; k < COUNT(offsets); k++) {
    o.c.offset = offsets[k];
    for (size_t i = 0; i < COUNT(rows); i++) {
      qm_deadline d;
      int64_t start = at(rows[i].start, offsets[k]);
      assert_int_equal(qm_calendar_deadline(&o.c, start, rows[i].amount, rows[i].unit, &d), QM_OK);
      assert_string_equal(text_of(d.ms, offsets[k]), rows[i].due);
    }
  }
}

static void without_hours_a_day_ends_at_midnight(void **state) {
  office o;
  qm_deadline d;
  (void)state;
  make(&o);
  o.c.n_hours = 0;
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2026-03-03 09:00", 480), 1, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_string_equal(text_of(d.ms, 480), "2026-03-05 00:00");
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2026-03-06 23:00", 480), 2, QM_UNIT_WORKING_HOURS, &d), QM_OK);
  assert_string_equal(text_of(d.ms, 480), "2026-03-09 01:00");
}

static void beyond_its_years_it_says_so(void **state) {
  office o;
  qm_deadline d;
  (void)state;
  make(&o);
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2026-12-30 09:00", 480), 1, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_int_equal(d.ends, 0);
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2026-12-31 09:00", 480), 1, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_string_equal(text_of(d.ms, 480), "2027-01-01 17:30"); /* Saturdays and Sundays only */
  assert_int_equal(d.ends, 2026);
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2024-12-31 09:00", 480), 1, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_int_equal(d.begins, 2025);
  assert_int_equal(d.ends, 0);
  assert_int_equal(qm_calendar_deadline(&o.c, at("2027-03-01 09:00", 480), 5, QM_UNIT_HOURS, &d),
                   QM_OK);
  assert_int_equal(d.ends, 0); /* needs no calendar */
  o.c.first_year = o.c.last_year = 0;
  o.c.n_off = o.c.n_work = 0;
  assert_int_equal(
      qm_calendar_deadline(&o.c, at("2026-02-13 09:00", 480), 1, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_int_equal(d.ends, -1);
  assert_string_equal(text_of(d.ms, 480), "2026-02-16 17:30");
}

static void what_is_refused(void **state) {
  office o;
  qm_deadline d;
  (void)state;
  make(&o);
  assert_int_equal(qm_calendar_deadline(&o.c, 0, 0, QM_UNIT_HOURS, &d), QM_ERANGE);
  assert_int_equal(qm_calendar_deadline(&o.c, 0, 10001, QM_UNIT_HOURS, &d), QM_ERANGE);
  assert_int_equal(qm_calendar_deadline(&o.c, INT64_MAX, 1, QM_UNIT_HOURS, &d), QM_ERANGE);
  assert_int_equal(qm_calendar_deadline(&o.c, INT64_MIN, 1, QM_UNIT_WORKING_DAYS, &d), QM_ERANGE);
  assert_int_equal(qm_calendar_deadline(NULL, 0, 1, QM_UNIT_WORKING_DAYS, &d), QM_EINVAL);
  assert_int_equal(qm_calendar_deadline(NULL, 0, 1, QM_UNIT_HOURS, &d), QM_OK);
  assert_int_equal(qm_calendar_deadline(&o.c, 0, 1, (qm_unit)5, &d), QM_EINVAL);
  assert_int_equal(qm_calendar_deadline(&o.c, QM_MS_MOST, 10000, QM_UNIT_WORKING_DAYS, &d), QM_OK);
  assert_int_equal(qm_calendar_deadline(&o.c, QM_MS_LEAST, 10000, QM_UNIT_WORKING_HOURS, &d),
                   QM_OK);
}

static void spoil(const office *good, int how, office *o) {
  static const qm_span overlap[] = {{510, 720}, {700, 1050}}, reversed[] = {{720, 510}},
                       beyond[] = {{1400, 1441}}, little[] = {{510, 569}};
  *o = *good;
  o->c.off = o->off;
  o->c.work = o->work;
  switch (how) {
    case 0: o->c.offset = 841; break;
    case 1: o->c.offset = -721; break;
    case 2: o->c.week = 0; break;
    case 3: o->c.week = 0x80; break;
    case 4: o->c.hours = overlap; break;
    case 5: o->c.hours = reversed, o->c.n_hours = 1; break;
    case 6: o->c.hours = beyond, o->c.n_hours = 1; break;
    case 7: o->c.hours = little, o->c.n_hours = 1; break;
    case 8: o->off[3].last = o->off[3].first - 1; break;
    case 9: o->off[3] = o->off[2]; break;
    case 10: o->c.last_year = 2025; break;
    case 11: o->c.first_year = 2026; break;
    case 12: o->c.first_year = o->c.last_year = 0; break;
    case 13: o->c.first_year = 1899; break;
    case 14: o->c.last_year = 2126; break;
    case 15: o->work[0].first = o->work[0].last = day("2024-12-31"); break;
    default: o->c.last_year = 10000; break;
  }
}

static void bad_calendars(void **state) {
  office good, o;
  (void)state;
  make(&good);
  for (int how = 0; how <= 16; how++) {
    spoil(&good, how, &o);
    if (!qm_calendar_check(&o.c)) fail_msg("spoiled %d", how);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(days_of_the_calendar),
      cmocka_unit_test(dates),
      cmocka_unit_test(holidays_and_swapped_days),
      cmocka_unit_test(deadlines),
      cmocka_unit_test(the_zone_is_the_calendars),
      cmocka_unit_test(without_hours_a_day_ends_at_midnight),
      cmocka_unit_test(beyond_its_years_it_says_so),
      cmocka_unit_test(what_is_refused),
      cmocka_unit_test(bad_calendars),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
