/* Checks, tables of codes and calendars on any text and any numbers. */
#include <string.h>

#include "core/calendar.h"
#include "core/datum.h"
#include "core/ledger.h"
#include "core/validator.h"
#include "tests/fuzz/fuzz.h"

static int is_reason(qm_reason r) { return r >= QM_REASON_NONE && r < QM_REASON_COUNT; }

static void check_texts(qm_slice text) {
  FUZZ_CHECK(is_reason(qm_check_citizen_id(text, 1)));
  if (qm_check_citizen_id(text, 0) == QM_REASON_NONE) FUZZ_CHECK(text.n == 18);
  if (qm_check_credit_code(text) == QM_REASON_NONE) FUZZ_CHECK(text.n == 18);
  FUZZ_CHECK(is_reason(qm_check_area_code(text, QM_AREA_ALL, 3)));
  FUZZ_CHECK(is_reason(qm_check_phone(text, 0)));
  if (qm_check_phone(text, 1) == QM_REASON_NONE)
    FUZZ_CHECK(qm_check_phone(text, 0) == QM_REASON_NONE);
  FUZZ_CHECK(is_reason(qm_check_date(text, 1, INT32_MIN, INT32_MAX)));
  int32_t day;
  if (qm_date_parse(text, &day)) {
    char back[11];
    qm_date_text(day, back);
    FUZZ_SAME(qm_slice_of(back, 10), text);
  }
}

/* Rising codes of six to fifteen digits, some moved to the one before. */
static void check_table(qm_slice *in, qm_slice text) {
  char digits[32][16];
  qm_table_code codes[32];
  char to[QM_CODE_MAX + 1];
  qm_table_def t = {.codes = codes};
  int longer;
  for (uint32_t i = 0, n = 1 + fuzz_below(in, 31); i < n; i++) {
    size_t length = 6 + 3 * fuzz_below(in, 4);
    memset(digits[i], '0', sizeof digits[i]);
    digits[i][0] = (char)('1' + i / 8);
    digits[i][1] = (char)('0' + i % 8);
    codes[i] = (qm_table_code){.code = qm_slice_of(digits[i], length)};
    if (i && fuzz_below(in, 3) == 0) codes[i].moved = codes[i - 1].code;
    t.n_codes = i + 1;
  }
  for (uint32_t i = 0; i < t.n_codes; i++) {
    FUZZ_CHECK(qm_table_find(&t, codes[i].code) == &codes[i]);
    (void)qm_table_current(&t, codes[i].code);
    (void)qm_table_area_moved(&t, codes[i].code, to);
  }
  (void)qm_table_area(&t, text, &longer);
  (void)qm_table_area_moved(&t, text, to);
  FUZZ_CHECK(memchr(to, 0, sizeof to) != NULL || text.n > QM_CODE_MAX);
}

static void check_calendar(qm_slice *in) {
  qm_span hours[3];
  qm_days off[8];
  qm_deadline d, later;
  qm_calendar c = {.offset = (int32_t)fuzz_below(in, 1700) - 850,
                   .week = fuzz_below(in, 140),
                   .first_year = 1899 + (int32_t)fuzz_below(in, 4),
                   .last_year = 1899 + (int32_t)fuzz_below(in, 120),
                   .hours = hours,
                   .n_hours = fuzz_below(in, 4),
                   .off = off,
                   .n_off = fuzz_below(in, 9)};
  for (uint32_t i = 0; i < c.n_hours; i++)
    hours[i] = (qm_span){fuzz_below(in, 1500), fuzz_below(in, 1500)};
  for (uint32_t i = 0; i < c.n_off; i++) {
    off[i].first = qm_day_of(1900, 1, 1) + (int32_t)fuzz_below(in, 40000);
    off[i].last = off[i].first + (int32_t)fuzz_below(in, 400);
  }
  if (qm_calendar_check(&c)) return;
  int64_t start = (int64_t)(fuzz_number(in) - fuzz_number(in)); /* of any size */
  uint32_t amount = 1 + fuzz_below(in, QM_LIMIT_AMOUNT_MAX);
  qm_unit unit = (qm_unit)(1 + fuzz_below(in, 4));
  if (qm_calendar_deadline(&c, start, amount, unit, &d) != QM_OK) return;
  FUZZ_CHECK(d.ms >= start);
  if (start > INT64_MAX - 1000) return;
  if (qm_calendar_deadline(&c, start + 1000, amount, unit, &later) == QM_OK)
    FUZZ_CHECK(later.ms >= d.ms);
}

static void check_ledger(qm_slice text) {
  qm_author author = {{0}};
  qm_authors authors;
  uint32_t number;
  qm_dot dot;
  qm_authors_init(&authors, fuzz_env());
  FUZZ_OK(qm_authors_add(&authors, &author, &number));
  if (qm_entry_find(&authors, text, &dot) == QM_OK) {
    char name[QM_ENTRY_NAME_SIZE];
    qm_entry_name(&authors, dot, name);
    FUZZ_SAME(qm_slice_of(name, strlen(name)), text);
  }
  qm_authors_free(&authors);
  if (qm_value_check(text) != QM_OK) return;
  (void)qm_entry_amount(text);
  FUZZ_CHECK(qm_entry_reverses(text).n <= text.n);
}

void fuzz_validator(qm_slice in) {
  double lat, lon;
  qm_slice text = fuzz_piece(&in), field, detail;
  char message[252];
  check_texts(text);
  check_ledger(text);
  check_table(&in, text);
  check_calendar(&in);
  lat = (double)(int32_t)fuzz_number(&in) / 1e7;
  lon = (double)(int32_t)fuzz_number(&in) / 1e7;
  qm_datum_to_gcj02(&lat, &lon);
  qm_datum_to_wgs84(&lat, &lon);
  FUZZ_CHECK(lat - lat == 0 && lon - lon == 0);
  size_t n = text.n < sizeof message ? text.n : sizeof message - 1;
  if (n) memcpy(message, text.p, n);
  message[n] = '\0';
  FUZZ_CHECK(is_reason(qm_reason_find(message, &field, &detail)));
}
