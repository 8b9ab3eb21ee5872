#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/schema.h"
#include "tests/unit/support_schema.h"

static void shapes(void **state) {
  static const qm_shape_id want[] = {QM_SIBLINGS, QM_SIBLINGS, QM_SIBLINGS, QM_SIBLINGS,
                                     QM_KEYED,    QM_TOTALS,   QM_ENTRIES,  QM_SEQUENCE,
                                     QM_SEQUENCE, QM_SIBLINGS};
  (void)state;
  for (int type = QM_FIELD_REGISTER; type <= QM_FIELD_REF; type++) {
    qm_field_def f = field_of(16, "f", type, 0);
    assert_int_equal(qm_field_shape(&f), want[type - 1]);
  }
}

static void states_and_items(void **state) {
  static const int allowed[3][3] = {{1, 1, 0}, {0, 1, 1}, {0, 0, 1}};
  uint32_t index = 9;
  fixture x;
  (void)state;
  fill(&x);
  const qm_field_def *f = &x.f[2];
  for (uint32_t from = 0; from < 3; from++) {
    for (uint32_t to = 0; to < 3; to++)
      assert_int_equal(qm_field_transition(f, from, to), allowed[from][to]);
  }
  assert_int_equal(qm_field_transition(f, 0, 3), 0);
  assert_int_equal(qm_field_transition(f, 3, 3), 0);
  x.f[2].n_transitions = 0;
  assert_int_equal(qm_field_transition(f, 2, 0), 1);
  assert_int_equal(qm_field_transition(f, 3, 0), 0);
  assert_int_equal(qm_field_item(f,
                                 qm_slice_of(BYTES("\xa6"
                                                   "closed")),
                                 &index),
                   QM_OK);
  assert_int_equal(index, 2);
  assert_int_equal(qm_field_item(f,
                                 qm_slice_of(BYTES("\xa6"
                                                   "Closed")),
                                 &index),
                   QM_ENOTFOUND);
  assert_int_equal(qm_field_item(f,
                                 qm_slice_of(BYTES("\xc4\x06"
                                                   "closed")),
                                 &index),
                   QM_ENOTFOUND);
  assert_int_equal(qm_field_item(f,
                                 qm_slice_of(BYTES("\xa6"
                                                   "closedx")),
                                 &index),
                   QM_ENOTFOUND);
  assert_int_equal(qm_field_item(f, qm_slice_of(NULL, 0), &index), QM_ENOTFOUND);
  assert_int_equal(index, 2);
}

#define ID16 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
#define ZERO16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define POINT "\xc7\x0d\x01\0\0\0\0\0\0\0\0\0\0\0\0\x01"

/* Values of all kinds, and for each kind of field those that fit it. */
enum {
  V_NIL,
  V_BOOL,
  V_INT,
  V_NEGATIVE,
  V_FLOAT,
  V_TEXT,
  V_ITEM,
  V_DATE,
  V_BYTES,
  V_ID,
  V_POINT,
  V_PAIR,
  V_MAP,
  V_ARRAY
};
static const struct {
  const char *in;
  size_t n;
} values[] = {
    [V_NIL] = {BYTES("\xc0")},
    [V_BOOL] = {BYTES("\xc2")},
    [V_INT] = {BYTES("\x05")},
    [V_NEGATIVE] = {BYTES("\xff")},
    [V_FLOAT] = {BYTES("\xcb\x3f\xf8\0\0\0\0\0\0")},
    [V_TEXT] = {BYTES("\xa3"
                      "abc")},
    [V_ITEM] = {BYTES("\xa6"
                      "closed")},
    [V_DATE] = {BYTES("\xaa"
                      "2024-02-29")},
    [V_BYTES] = {BYTES("\xc4\x01x")},
    [V_ID] = {BYTES("\xc4\x10" ID16)},
    [V_POINT] = {BYTES(POINT)},
    [V_PAIR] = {BYTES("\x92\xc4\x10" ZERO16 "\xc4\x10" ID16)},
    [V_MAP] = {BYTES("\x81\xa1k\x01")},
    [V_ARRAY] = {BYTES("\x91\x01")},
};
#define BIT(v) (1u << (v))
#define TEXTS (BIT(V_TEXT) | BIT(V_ITEM) | BIT(V_DATE))
static const unsigned fitting[] = {
    [QM_VALUE_ANY] = BIT(V_ARRAY + 1) - 1,
    [QM_VALUE_TEXT] = BIT(V_NIL) | TEXTS,
    [QM_VALUE_INT] = BIT(V_NIL) | BIT(V_INT) | BIT(V_NEGATIVE),
    [QM_VALUE_NUMBER] = BIT(V_NIL) | BIT(V_INT) | BIT(V_NEGATIVE) | BIT(V_FLOAT),
    [QM_VALUE_BOOL] = BIT(V_NIL) | BIT(V_BOOL),
    [QM_VALUE_BYTES] = BIT(V_NIL) | BIT(V_BYTES) | BIT(V_ID),
    [QM_VALUE_POINT] = BIT(V_NIL) | BIT(V_POINT),
    [QM_VALUE_ENUM] = BIT(V_NIL) | BIT(V_ITEM),
    [QM_VALUE_DATE] = BIT(V_NIL) | BIT(V_DATE),
    [QM_VALUE_REF] = BIT(V_NIL) | BIT(V_ID),
    [QM_VALUE_SPACE_REF] = BIT(V_NIL) | BIT(V_PAIR),
    [QM_VALUE_MAP] = BIT(V_NIL) | BIT(V_MAP),
};

static void values_fit_their_kind(void **state) {
  fixture x;
  (void)state;
  fill(&x);
  for (unsigned kind = 0; kind < COUNT(fitting); kind++) {
    qm_field_def f = field_of(16, "f", QM_FIELD_REGISTER, (int)kind);
    f.items = x.items;
    f.n_items = 3;
    for (unsigned v = 0; v < COUNT(values); v++) {
      qm_error e = {0, ""};
      int good = (fitting[kind] & BIT(v)) != 0;
      qm_slice value = qm_slice_of(values[v].in, values[v].n);
      assert_int_equal(qm_field_value_check(&f, value, &e), good ? QM_OK : QM_ESCHEMA);
      if (!good) assert_memory_equal(e.message, "field f: the value ", 19);
    }
  }
}

static void nil_clears_what_may_be_cleared(void **state) {
  (void)state;
  for (int type = QM_FIELD_REGISTER; type <= QM_FIELD_REF; type++) {
    qm_error e = {0, ""};
    qm_field_def f = field_of(16, "f", type, QM_VALUE_ANY);
    int good = type == QM_FIELD_REGISTER || type == QM_FIELD_MAX || type == QM_FIELD_MIN ||
               type == QM_FIELD_REF;
    qm_slice nil = qm_slice_of("\xc0", 1);
    assert_int_equal(qm_field_value_check(&f, nil, &e), good ? QM_OK : QM_ESCHEMA);
    if (!good) assert_string_equal(e.message, "field f: the value must not be nil");
    f.flags = QM_FIELD_REQUIRED;
    assert_int_equal(qm_field_value_check(&f, nil, &e), QM_ESCHEMA);
    if (good) assert_string_equal(e.message, "field f: the field is required");
  }
}

static void special_values(void **state) {
  static const struct {
    int kind;
    uint8_t flags;
    uint32_t length_max;
    const char *in;
    size_t n;
    int code;
    const char *message;
  } rows[] = {
      {QM_VALUE_TEXT, 0, 2, BYTES("\xa6\xe6\x88\xb7\xe5\x8f\xb7"), QM_OK, ""},
      {QM_VALUE_TEXT, 0, 1, BYTES("\xa6\xe6\x88\xb7\xe5\x8f\xb7"), QM_ESCHEMA,
       "field f: the text is too long"},
      {QM_VALUE_TEXT, 0, 0, BYTES("\xc7\x00\x03"), QM_ESCHEMA, "field f: the field is not sealed"},
      {QM_VALUE_ANY, 0, 0, BYTES("\xd4\x02\x01"), QM_ESCHEMA, "field f: the field is not sealed"},
      {QM_VALUE_TEXT, QM_FIELD_SEALED, 0, BYTES("\xd4\x02\x01"), QM_OK, ""},
      {QM_VALUE_INT, QM_FIELD_SEALED, 0, BYTES("\xc7\x00\x03"), QM_OK, ""},
      {QM_VALUE_INT, QM_FIELD_SEALED, 0, BYTES("\xa1x"), QM_ESCHEMA,
       "field f: the value must be a whole number"},
      {QM_VALUE_REF, 0, 0, BYTES("\xc4\x10" ZERO16), QM_ESCHEMA,
       "field f: the value must be a record id"},
      {QM_VALUE_REF, 0, 0, BYTES("\xc4\x11" ID16 "x"), QM_ESCHEMA,
       "field f: the value must be a record id"},
      {QM_VALUE_SPACE_REF, 0, 0, BYTES("\x92\xc4\x10" ID16 "\xc4\x10" ZERO16), QM_ESCHEMA,
       "field f: the value must be a space and a record id"},
      {QM_VALUE_SPACE_REF, 0, 0, BYTES("\x93\xc4\x10" ID16 "\xc4\x10" ID16 "\x01"), QM_ESCHEMA,
       "field f: the value must be a space and a record id"},
      {QM_VALUE_ENUM, 0, 0,
       BYTES("\xa4"
             "open"),
       QM_ESCHEMA, "field f: the value is none of the field's items"},
      {QM_VALUE_ENUM, 0, 0, BYTES("\x05"), QM_ESCHEMA,
       "field f: the value must be one of the field's items"},
      {QM_VALUE_MAP + 1, 0, 0, BYTES("\x05"), QM_ESCHEMA,
       "field f: the field's values are of a kind not known here"},
      {QM_VALUE_ANY, 0, 0, BYTES(""), QM_ETRUNCATED, "field f: truncated data"},
      {QM_VALUE_TEXT, 0, 0, BYTES("\xa1\xff"), QM_EUTF8, "field f: text is not valid UTF-8"},
      {QM_VALUE_INT, 0, 0, BYTES("\x05\x05"), QM_ETRAILING, "field f: bytes after the end"},
      {QM_VALUE_MAP, 0, 0, BYTES("\x82\xa1k\x01\xa1k\x01"), QM_EDUPKEY, "field f: duplicate key"},
  };
  fixture x;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_error e = {0, ""};
    qm_field_def f = field_of(16, "f", QM_FIELD_REGISTER, rows[i].kind);
    f.flags = rows[i].flags;
    f.length_max = rows[i].length_max;
    f.items = x.items;
    f.n_items = 3;
    qm_slice value = qm_slice_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_field_value_check(&f, value, &e), rows[i].code);
    assert_string_equal(e.message, rows[i].message);
    assert_int_equal(qm_field_value_check(&f, value, NULL), rows[i].code);
  }
}

static void dates(void **state) {
  static const char *const good[] = {"2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31",
                                     "2023-04-30"};
  static const char *const bad[] = {"2023-02-29", "1900-02-29", "2024-02-30", "2023-04-31",
                                    "2023-13-01", "2023-00-10", "2023-01-00", "0000-01-01",
                                    "2023/01/01", "2023-1-001", "20230-1-01", "abcd-01-01",
                                    "2023-01-0x"};
  qm_field_def f = field_of(16, "f", QM_FIELD_MAX, QM_VALUE_DATE);
  uint8_t value[12] = {0xaa};
  (void)state;
  for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
    const char *text = i < COUNT(good) ? good[i] : bad[i - COUNT(good)];
    assert_int_equal(strlen(text), 10);
    memcpy(value + 1, text, 10);
    assert_int_equal(qm_field_value_check(&f, qm_slice_of(value, 11), NULL),
                     i < COUNT(good) ? QM_OK : QM_ESCHEMA);
  }
  memcpy(value,
         "\xab"
         "2024-02-291",
         12);
  assert_int_equal(qm_field_value_check(&f, qm_slice_of(value, 12), NULL), QM_ESCHEMA);
  memcpy(value,
         "\xa9"
         "2024-02-2",
         10);
  assert_int_equal(qm_field_value_check(&f, qm_slice_of(value, 10), NULL), QM_ESCHEMA);
}

static void ops_fit_their_field(void **state) {
  static const struct {
    uint32_t collection, field;
    uint8_t shape, kind;
    const char *in;
    size_t n;
    int code;
  } rows[] = {
      {1, 0, QM_PRESENCE, QM_KIND_NEW, BYTES("\x01"), QM_OK},
      {1, 0, QM_KEYED, QM_KIND_ADD, BYTES("\xc4\x10" ID16), QM_OK},
      {9, 16, QM_TOTALS, QM_KIND_INC, BYTES("\x01"), QM_OK}, /* unknown collection */
      {0, 16, QM_KEYED, QM_KIND_ADD, BYTES("\x01"), QM_OK},
      {1, 99, QM_TOTALS, QM_KIND_INC, BYTES("\x01"), QM_OK}, /* unknown field */
      {1, 3, QM_ENTRIES, QM_KIND_APPEND, BYTES("\x01"), QM_OK},
      {1, 17, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\xa1x"), QM_OK},
      {1, 17, QM_SIBLINGS, QM_KIND_BESIDE, BYTES("\xa1x"), QM_OK},
      {1, 17, QM_SIBLINGS, QM_KIND_WRITE, BYTES(""), QM_OK}, /* erased */
      {1, 18, QM_SIBLINGS, QM_KIND_WRITE,
       BYTES("\xa6"
             "closed"),
       QM_OK},
      {1, 19, QM_KEYED, QM_KIND_ADD, BYTES("\xa1x"), QM_OK},
      {1, 19, QM_KEYED, QM_KIND_REMOVE, BYTES(""), QM_OK},
      {1, 20, QM_TOTALS, QM_KIND_INC, BYTES("\x01"), QM_OK},
      {1, 21, QM_SEQUENCE, QM_KIND_INSERT, BYTES("\xa1x"), QM_OK},
      {1, 21, QM_SEQUENCE, QM_KIND_CUT, BYTES(""), QM_OK},
      {1, 21, QM_SEQUENCE, QM_KIND_TRIM, BYTES(""), QM_OK},
      {1, 40, QM_ENTRIES, QM_KIND_APPEND, BYTES("\x81\xa1k\x01"), QM_OK},
      {7, QM_NUMBER_MAX, QM_SEQUENCE, QM_KIND_INSERT,
       BYTES("\x91\xa8"
             "reported"),
       QM_OK},
      {1, 17, QM_KEYED, QM_KIND_ADD, BYTES("\xa1x"), QM_ESCHEMA},
      {1, 17, QM_KEYED, QM_KIND_REMOVE, BYTES(""), QM_ESCHEMA},
      {1, 19, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\xa1x"), QM_ESCHEMA},
      {1, 20, QM_ENTRIES, QM_KIND_APPEND, BYTES("\x01"), QM_ESCHEMA},
      {1, 21, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\xa1x"), QM_ESCHEMA},
      {1, 17, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\x05"), QM_ESCHEMA},
      {1, 17, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\xc0"), QM_ESCHEMA}, /* required */
      {1, 18, QM_SIBLINGS, QM_KIND_WRITE,
       BYTES("\xa4"
             "open"),
       QM_ESCHEMA},
      {1, 18, QM_SIBLINGS, QM_KIND_WRITE, BYTES("\xc0"), QM_ESCHEMA},
      {1, 19, QM_KEYED, QM_KIND_ADD, BYTES("\x05"), QM_ESCHEMA},
      {1, 21, QM_SEQUENCE, QM_KIND_INSERT, BYTES("\x91\xa1x"), QM_ESCHEMA},
      {7, QM_NUMBER_MAX, QM_SEQUENCE, QM_KIND_INSERT, BYTES("\xa1x"), QM_ESCHEMA},
      {7, QM_NUMBER_MAX, QM_SEQUENCE, QM_KIND_INSERT,
       BYTES("\x92\xa8"
             "reported\xa1x"),
       QM_ESCHEMA},
      {7, QM_NUMBER_MAX, QM_SEQUENCE, QM_KIND_INSERT, BYTES("\x91\xc0"), QM_ESCHEMA},
  };
  fixture x;
  (void)state;
  fill(&x);
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_error e = {0, ""};
    qm_op op = {.span = 1, .field = rows[i].field, .shape = rows[i].shape, .kind = rows[i].kind};
    op.value = qm_slice_of(rows[i].in, rows[i].n);
    assert_int_equal(qm_schema_op_check(&x.s, rows[i].collection, &op, &e), rows[i].code);
    if (rows[i].code) assert_memory_equal(e.message, "field ", 6);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shapes),
      cmocka_unit_test(states_and_items),
      cmocka_unit_test(values_fit_their_kind),
      cmocka_unit_test(nil_clears_what_may_be_cleared),
      cmocka_unit_test(special_values),
      cmocka_unit_test(dates),
      cmocka_unit_test(ops_fit_their_field),
  };
  return cmocka_run_group_tests_name("schema_value", tests, NULL, NULL);
}
