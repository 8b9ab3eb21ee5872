#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/op.h"
#include "core/value.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT(s) \
  { (const uint8_t *)(s), sizeof(s) - 1 }
#define NONE \
  { NULL, 0 }

static const qm_dot dots[] = {{3, 1}, {9, 2}};
static const qm_range ranges[] = {{3, 4, 1}, {UINT64_MAX - 1, 1, 2}};
static const qm_dots two = {dots, 2};
static const qm_ranges cut = {ranges, 2};

/* A well-formed op of each kind, without flags. */
static qm_op op_of(qm_shape_id shape, unsigned kind) {
  static const qm_slice values[QM_SHAPES] = {TEXT("\x01"), TEXT("\xa1x"), TEXT("\xa1x"),
                                             TEXT("\xff"), TEXT("\xa1x"), TEXT("\xa1x")};
  qm_op op = {.counter = 7, .span = 1, .shape = (uint8_t)shape, .kind = (uint8_t)kind};
  memset(op.record.b, 0xaa, sizeof op.record.b);
  op.field = shape == QM_PRESENCE ? 0 : 16;
  if (kind == 0 || shape == QM_SIBLINGS) op.value = values[shape];
  return op;
}

static int check(const qm_op *op) {
  qm_error e = {0, ""};
  int rc = qm_op_check(op, &e);
  assert_int_equal(rc, qm_op_check(op, NULL));
  assert_int_equal(e.code, rc);
  if (rc) assert_memory_equal(e.message, "op at counter ", 14);
  return rc;
}

static const struct {
  uint8_t shape, kind, flags; /* the flags it may have on a record's field */
} kinds[] = {
    {QM_PRESENCE, QM_KIND_NEW, QM_OP_MARKS | QM_OP_ERASED},
    {QM_PRESENCE, QM_KIND_DELETE, QM_OP_MARKS},
    {QM_PRESENCE, QM_KIND_RESTORE, QM_OP_MARKS},
    {QM_SIBLINGS, QM_KIND_WRITE, QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED | QM_OP_NAMES},
    {QM_SIBLINGS, QM_KIND_BESIDE, QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED | QM_OP_NAMES},
    {QM_KEYED, QM_KIND_ADD, QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED},
    {QM_KEYED, QM_KIND_REMOVE, QM_OP_MARKS},
    {QM_TOTALS, QM_KIND_INC, QM_OP_MARKS | QM_OP_ERASED},
    {QM_ENTRIES, QM_KIND_APPEND, QM_OP_MARKS | QM_OP_ERASED | QM_OP_ORDER},
    {QM_SEQUENCE, QM_KIND_INSERT, QM_OP_MARKS | QM_OP_ERASED | QM_OP_LEFT | QM_OP_ROOT},
    {QM_SEQUENCE, QM_KIND_CUT, QM_OP_MARKS},
    {QM_SEQUENCE, QM_KIND_TRIM, 0},
};

static void each_kind_has_its_flags(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    for (unsigned flags = 0; flags < 256; flags++) {
      qm_op op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
      op.flags = (uint8_t)flags;
      if (flags & QM_OP_ERASED) op.value = qm_slice_of(NULL, 0);
      int good = (flags & ~(unsigned)kinds[i].flags) == 0;
      if ((flags & QM_OP_LEFT) && (flags & QM_OP_ROOT)) good = 0;
      assert_int_equal(check(&op), good ? QM_OK : QM_EMALFORMED);
    }
  }
}

static void unknown_kinds_and_shapes_are_refused(void **state) {
  (void)state;
  for (unsigned shape = 0; shape < 256; shape++) {
    for (unsigned kind = 0; kind < 256; kind++) {
      int known = 0;
      for (size_t i = 0; i < COUNT(kinds); i++)
        known |= kinds[i].shape == shape && kinds[i].kind == kind;
      if (known) continue;
      qm_op op = op_of(QM_SIBLINGS, QM_KIND_WRITE);
      op.shape = (uint8_t)shape;
      op.kind = (uint8_t)kind;
      assert_int_equal(check(&op), QM_EMALFORMED);
    }
  }
}

static void fields_fit_the_shape(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    qm_shape_id shape = (qm_shape_id)kinds[i].shape;
    qm_op op = op_of(shape, kinds[i].kind);
    op.field = 0;
    int good = shape == QM_PRESENCE || shape == QM_KEYED;
    assert_int_equal(check(&op), good ? QM_OK : QM_EMALFORMED);
    op.field = 1;
    assert_int_equal(check(&op), shape == QM_PRESENCE ? QM_EMALFORMED : QM_OK);
    op.field = UINT32_MAX;
    assert_int_equal(check(&op), shape == QM_PRESENCE ? QM_EMALFORMED : QM_OK);
  }
}

static void the_space_record_has_keyed_cells(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    qm_op op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
    memset(op.record.b, 0, sizeof op.record.b);
    int good = op.shape == QM_KEYED;
    assert_int_equal(check(&op), good ? QM_OK : QM_EMALFORMED);
    assert_int_equal(qm_op_marks(&op), 0);
    op.flags = QM_OP_MARKS;
    assert_int_equal(check(&op), QM_EMALFORMED);
    /* Named by creation dot, the id is not there yet. */
    op.flags = 0;
    op.named = QM_BY_CREATION;
    good = !(op.shape == QM_PRESENCE && op.kind == QM_KIND_NEW);
    assert_int_equal(check(&op), good ? QM_OK : QM_EMALFORMED);
    op.named = QM_BY_CREATION + 1;
    assert_int_equal(check(&op), QM_EMALFORMED);
  }
}

static void edits_mark_presence(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    qm_op op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
    int trims = op.shape == QM_SEQUENCE && op.kind == QM_KIND_TRIM;
    assert_int_equal(qm_op_marks(&op), !trims);
    op.flags = QM_OP_MARKS;
    op.marks = two;
    assert_int_equal(check(&op), trims ? QM_EMALFORMED : QM_OK);
    op.flags = 0;
    assert_int_equal(check(&op), QM_EMALFORMED);
    if (op.shape != QM_KEYED) continue;
    op.field = 0; /* an edge */
    op.marks.n = 0;
    assert_int_equal(qm_op_marks(&op), 0);
    assert_int_equal(check(&op), QM_OK);
    op.flags = QM_OP_MARKS;
    assert_int_equal(check(&op), QM_EMALFORMED);
  }
}

static void lists_stand_where_they_belong(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    qm_op op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
    int removes = op.shape == QM_KEYED && op.kind == QM_KIND_REMOVE;
    int cuts = op.shape == QM_SEQUENCE && op.kind != QM_KIND_INSERT;
    op.dots = two;
    assert_int_equal(check(&op), removes ? QM_OK : QM_EMALFORMED);
    if (kinds[i].flags & QM_OP_LISTED) {
      op.flags = QM_OP_LISTED;
      assert_int_equal(check(&op), QM_OK);
    }
    op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
    op.cuts = cut;
    assert_int_equal(check(&op), cuts ? QM_OK : QM_EMALFORMED);
    op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
    op.hides = two;
    assert_int_equal(check(&op), QM_EMALFORMED);
    op.hides.n = 0;
    op.keeps = two;
    assert_int_equal(check(&op), QM_EMALFORMED);
    if (!(kinds[i].flags & QM_OP_NAMES)) continue;
    op.hides = two;
    op.flags = QM_OP_NAMES;
    assert_int_equal(check(&op), QM_OK);
  }
}

static void lists_have_a_limit(void **state) {
  static qm_dot many[65537];
  static qm_range wide[65537];
  (void)state;
  for (size_t i = 0; i < COUNT(wide); i++) wide[i].len = 1;
  qm_dots most = {many, 65536}, more = {many, 65537};
  qm_op op = op_of(QM_SIBLINGS, QM_KIND_WRITE);
  op.flags = QM_OP_LISTED | QM_OP_MARKS | QM_OP_NAMES;
  op.dots = op.marks = op.hides = op.keeps = most;
  assert_int_equal(check(&op), QM_OK);
  qm_dots *lists[] = {&op.dots, &op.marks, &op.hides, &op.keeps};
  for (size_t i = 0; i < COUNT(lists); i++) {
    *lists[i] = more;
    assert_int_equal(check(&op), QM_EMALFORMED);
    *lists[i] = most;
  }
  op = op_of(QM_SEQUENCE, QM_KIND_CUT);
  op.cuts.p = wide;
  op.cuts.n = 65536;
  assert_int_equal(check(&op), QM_OK);
  op.cuts.n++;
  assert_int_equal(check(&op), QM_EMALFORMED);
}

static void ranges_are_not_empty_and_end(void **state) {
  static const struct {
    qm_range range;
    int code;
  } rows[] = {
      {{0, 1, 0}, QM_OK},
      {{0, UINT64_MAX, 0}, QM_OK},
      {{UINT64_MAX, 1, 0}, QM_EMALFORMED},
      {{UINT64_MAX - 1, 2, 0}, QM_EMALFORMED},
      {{1, UINT64_MAX, 0}, QM_EMALFORMED},
      {{5, 0, 0}, QM_EMALFORMED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (unsigned kind = QM_KIND_CUT; kind <= QM_KIND_TRIM; kind++) {
      qm_range list[2] = {{1, 1, 1}, rows[i].range};
      qm_op op = op_of(QM_SEQUENCE, kind);
      op.cuts.p = list;
      op.cuts.n = 2;
      assert_int_equal(check(&op), rows[i].code);
    }
  }
}

static void generations_and_orders(void **state) {
  (void)state;
  qm_op op = op_of(QM_ENTRIES, QM_KIND_APPEND);
  op.flags = QM_OP_ORDER;
  op.order = UINT64_MAX;
  op.generation = UINT32_MAX;
  assert_int_equal(check(&op), QM_OK);
  op.generation++;
  assert_int_equal(check(&op), QM_EMALFORMED);
}

static void spans_fit(void **state) {
  static const struct {
    uint64_t counter, span;
    int code;
  } rows[] = {
      {0, 1, QM_OK},         {UINT64_MAX - 1, 1, QM_OK}, {UINT64_MAX, 1, QM_EMALFORMED},
      {0, 0, QM_EMALFORMED}, {0, 2, QM_EMALFORMED},      {0, UINT64_MAX, QM_EMALFORMED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(kinds); i++) {
    for (size_t j = 0; j < COUNT(rows); j++) {
      qm_op op = op_of((qm_shape_id)kinds[i].shape, kinds[i].kind);
      op.counter = rows[j].counter;
      op.span = rows[j].span;
      assert_int_equal(check(&op), rows[j].code);
    }
  }
}

static void inserts_count_their_elements(void **state) {
  static const struct {
    qm_slice value;
    uint64_t span;
    int code;
  } rows[] = {
      {TEXT("\xa3"
            "abc"),
       3, QM_OK},
      {TEXT("\xa3\xe6\x88\xb7"), 1, QM_OK},
      {TEXT("\xa4\xf0\x9f\x98\x80"), 1, QM_OK},
      {TEXT("\xa1\x00"), 1, QM_OK},
      {TEXT("\x92\x01\xc0"), 2, QM_OK},
      {TEXT("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x07"), 1, QM_OK},
      {TEXT("\xa3"
            "abc"),
       2, QM_EMALFORMED},
      {TEXT("\xa3\xe6\x88\xb7"), 3, QM_EMALFORMED},
      {TEXT("\xa0"), 1, QM_EMALFORMED},
      {TEXT("\xa0"), 0, QM_EMALFORMED},
      {TEXT("\x90"), 0, QM_EMALFORMED},
      {TEXT("\x92\x01\xc0"), 1, QM_EMALFORMED},
      {NONE, 1, QM_ETRUNCATED},
      {TEXT("\x05"), 1, QM_ETYPE},
      {TEXT("\xc4\x01x"), 1, QM_ETYPE},
      {TEXT("\x81\xa1"
            "a\x01"),
       1, QM_ETYPE},
      {TEXT("\xa1\xff"), 1, QM_EUTF8},
      {TEXT("\xa1xx"), 1, QM_ETRAILING},
      {TEXT("\x91\x01\x01"), 1, QM_ETRAILING},
      {TEXT("\x91\xcc\x01"), 1, QM_ECANON},
      {TEXT("\x91\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), 1, QM_ERANGE},
      {TEXT("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x90"), 1, QM_EDEPTH},
      {TEXT("\x91\x82\xa1"
            "a\x01\xa1"
            "a\x01"),
       1, QM_EDUPKEY},
      {TEXT("\x92\x01"), 2, QM_EOVERSIZE},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_op op = op_of(QM_SEQUENCE, QM_KIND_INSERT);
    op.value = rows[i].value;
    op.span = rows[i].span;
    assert_int_equal(check(&op), rows[i].code);
  }
}

static void inserts_have_a_limit(void **state) {
  static uint8_t text[QM_VALUE_MAX + 1];
  (void)state;
  memset(text, 'x', sizeof text);
  text[0] = 0xda; /* str 16 */
  text[1] = (QM_VALUE_MAX - 3) >> 8;
  text[2] = (QM_VALUE_MAX - 3) & 0xff;
  qm_op op = op_of(QM_SEQUENCE, QM_KIND_INSERT);
  op.value = qm_slice_of(text, QM_VALUE_MAX);
  op.span = QM_VALUE_MAX - 3;
  assert_int_equal(check(&op), QM_OK);
  text[2]++;
  op.value.n++;
  op.span++;
  assert_int_equal(check(&op), QM_EOVERSIZE);
}

static void erased_inserts_keep_their_span(void **state) {
  (void)state;
  qm_op op = op_of(QM_SEQUENCE, QM_KIND_INSERT);
  op.flags = QM_OP_ERASED;
  op.span = 65536;
  assert_int_equal(check(&op), QM_EMALFORMED); /* the value is still there */
  op.value.n = 0;
  assert_int_equal(check(&op), QM_OK);
  op.span++;
  assert_int_equal(check(&op), QM_EMALFORMED);
  op.span = 0;
  assert_int_equal(check(&op), QM_EMALFORMED);
  op.span = 65536;
  op.counter = UINT64_MAX - 65535;
  assert_int_equal(check(&op), QM_EMALFORMED);
}

static void values_fit_the_kind(void **state) {
  static const struct {
    uint8_t shape, kind;
    qm_slice value;
    int code;
  } rows[] = {
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\xce\x80\x00\x00\x00"), QM_OK},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\xce\x80\x00\x00\x01"), QM_ERANGE},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\x00"), QM_ERANGE},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\xff"), QM_ERANGE},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\xcc\x01"), QM_ECANON},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\xa1x"), QM_ETYPE},
      {QM_PRESENCE, QM_KIND_NEW, TEXT("\x01\x01"), QM_ETRAILING},
      {QM_PRESENCE, QM_KIND_NEW, NONE, QM_ETRUNCATED},
      {QM_PRESENCE, QM_KIND_DELETE, TEXT("\x01"), QM_EMALFORMED},
      {QM_PRESENCE, QM_KIND_RESTORE, TEXT("\xc0"), QM_EMALFORMED},
      {QM_SIBLINGS, QM_KIND_WRITE, TEXT("\xc0"), QM_OK},
      {QM_SIBLINGS, QM_KIND_WRITE, NONE, QM_ETRUNCATED},
      {QM_SIBLINGS, QM_KIND_WRITE, TEXT("\xa1\xff"), QM_EUTF8},
      {QM_SIBLINGS, QM_KIND_BESIDE, TEXT("\x90"), QM_OK},
      {QM_SIBLINGS, QM_KIND_BESIDE, TEXT("\xd4\x09\x00"), QM_ETYPE},
      {QM_KEYED, QM_KIND_ADD, TEXT("\x07"), QM_OK},
      {QM_KEYED, QM_KIND_ADD, TEXT("\x07\x07"), QM_ETRAILING},
      {QM_KEYED, QM_KIND_REMOVE, TEXT("\x07"), QM_EMALFORMED},
      {QM_TOTALS, QM_KIND_INC, TEXT("\x00"), QM_OK},
      {QM_TOTALS, QM_KIND_INC, TEXT("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), QM_OK},
      {QM_TOTALS, QM_KIND_INC, TEXT("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), QM_OK},
      {QM_TOTALS, QM_KIND_INC, TEXT("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), QM_ERANGE},
      {QM_TOTALS, QM_KIND_INC, TEXT("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), QM_ETYPE},
      {QM_TOTALS, QM_KIND_INC, TEXT("\xc0"), QM_ETYPE},
      {QM_TOTALS, QM_KIND_INC, NONE, QM_ETRUNCATED},
      {QM_ENTRIES, QM_KIND_APPEND, TEXT("\x81\xa1k\x01"), QM_OK},
      {QM_ENTRIES, QM_KIND_APPEND, TEXT("\x81\x01\x01"), QM_ETYPE},
      {QM_SEQUENCE, QM_KIND_CUT, TEXT("\xa1x"), QM_EMALFORMED},
      {QM_SEQUENCE, QM_KIND_TRIM, TEXT("\xa1x"), QM_EMALFORMED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(rows); i++) {
    qm_op op = op_of((qm_shape_id)rows[i].shape, rows[i].kind);
    op.value = rows[i].value;
    assert_int_equal(check(&op), rows[i].code);
  }
}

static void messages_say_which_op(void **state) {
  qm_error e = {0, ""};
  (void)state;
  qm_op op = op_of(QM_TOTALS, QM_KIND_INC);
  op.field = 0;
  assert_int_equal(qm_op_check(&op, &e), QM_EMALFORMED);
  assert_string_equal(e.message,
                      "op at counter 7, field 0: only presence and edges stand on field 0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_has_its_flags),
      cmocka_unit_test(unknown_kinds_and_shapes_are_refused),
      cmocka_unit_test(fields_fit_the_shape),
      cmocka_unit_test(the_space_record_has_keyed_cells),
      cmocka_unit_test(edits_mark_presence),
      cmocka_unit_test(lists_stand_where_they_belong),
      cmocka_unit_test(lists_have_a_limit),
      cmocka_unit_test(ranges_are_not_empty_and_end),
      cmocka_unit_test(generations_and_orders),
      cmocka_unit_test(spans_fit),
      cmocka_unit_test(inserts_count_their_elements),
      cmocka_unit_test(inserts_have_a_limit),
      cmocka_unit_test(erased_inserts_keep_their_span),
      cmocka_unit_test(values_fit_the_kind),
      cmocka_unit_test(messages_say_which_op),
  };
  return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
