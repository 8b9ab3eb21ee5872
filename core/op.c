#include "core/op.h"

#include <inttypes.h>

#include "core/norm.h"
#include "core/value.h"

#define SPAN_MAX 65536u /* counters of one insert */
#define LIST_MAX 65536u /* dots or ranges of one list */
#define COLLECTION_MAX (UINT64_C(1) << 31)
#define GENERATION_MAX UINT32_MAX
#define KINDS 3

/* What the value of a kind of op is. */
typedef enum carries { NOTHING, COLLECTION, VALUE, INTEGER, ELEMENTS } carries;

typedef struct kind_rule {
  uint8_t known;
  uint8_t flags; /* flags it may have; QM_OP_MARKS only where the op marks presence */
  uint8_t carries;
} kind_rule;

#define RULE(flags, carries) \
  { 1, (flags), (carries) }

static const kind_rule rules[QM_SHAPES][KINDS] = {
    [QM_PRESENCE] = {[QM_KIND_NEW] = RULE(QM_OP_MARKS | QM_OP_ERASED, COLLECTION),
                     [QM_KIND_DELETE] = RULE(QM_OP_MARKS, NOTHING),
                     [QM_KIND_RESTORE] = RULE(QM_OP_MARKS, NOTHING)},
    [QM_SIBLINGS] = {[QM_KIND_WRITE] =
                         RULE(QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED | QM_OP_NAMES, VALUE),
                     [QM_KIND_BESIDE] =
                         RULE(QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED | QM_OP_NAMES, VALUE)},
    [QM_KEYED] = {[QM_KIND_ADD] = RULE(QM_OP_MARKS | QM_OP_ERASED | QM_OP_LISTED, VALUE),
                  [QM_KIND_REMOVE] = RULE(QM_OP_MARKS, NOTHING)},
    [QM_TOTALS] = {[QM_KIND_INC] = RULE(QM_OP_MARKS | QM_OP_ERASED, INTEGER)},
    [QM_ENTRIES] = {[QM_KIND_APPEND] = RULE(QM_OP_MARKS | QM_OP_ERASED | QM_OP_ORDER, VALUE)},
    [QM_SEQUENCE] = {[QM_KIND_INSERT] =
                         RULE(QM_OP_MARKS | QM_OP_ERASED | QM_OP_LEFT | QM_OP_ROOT, ELEMENTS),
                     [QM_KIND_CUT] = RULE(QM_OP_MARKS, NOTHING),
                     [QM_KIND_TRIM] = RULE(0, NOTHING)},
};

/* A record that a batch names by creation dot has a zero id until it is resolved,
 * and the space record has no creation dot. */
static int on_space_record(const qm_op *op) {
  return op->named == QM_BY_ID && qm_id_is_zero(&op->record);
}

int qm_op_marks(const qm_op *op) {
  if (on_space_record(op)) return 0;
  if (op->shape == QM_KEYED) return op->field != 0;
  return !(op->shape == QM_SEQUENCE && op->kind == QM_KIND_TRIM);
}

static int bad(const qm_op *op, qm_error *e, int code, const char *why) {
  return qm_fail(e, code, "op at counter %" PRIu64 ", field %" PRIu32 ": %s", op->counter,
                 op->field, why);
}

static int malformed(const qm_op *op, qm_error *e, const char *why) {
  return bad(op, e, QM_EMALFORMED, why);
}

static int check_place(const qm_op *op, qm_error *e) {
  if (op->named > QM_BY_CREATION) return malformed(op, e, "unknown way to name the record");
  if (op->shape == QM_PRESENCE) {
    if (op->field != 0) return malformed(op, e, "presence stands on field 0");
    if (op->kind == QM_KIND_NEW && op->named != QM_BY_ID) {
      return malformed(op, e, "new names its record by id");
    }
  } else if (op->field == 0 && op->shape != QM_KEYED) {
    return malformed(op, e, "only presence and edges stand on field 0");
  }
  if (on_space_record(op) && op->shape != QM_KEYED) {
    return malformed(op, e, "the space record has keyed cells only");
  }
  if (op->generation > GENERATION_MAX) return malformed(op, e, "generation out of range");
  return QM_OK;
}

static int check_flags(const qm_op *op, const kind_rule *rule, qm_error *e) {
  if (op->flags & ~rule->flags) return malformed(op, e, "a flag that this kind of op has not");
  if ((op->flags & QM_OP_MARKS) && !qm_op_marks(op)) {
    return malformed(op, e, "marks on an op that marks no presence");
  }
  if ((op->flags & QM_OP_LEFT) && (op->flags & QM_OP_ROOT)) {
    return malformed(op, e, "the root has no left side");
  }
  return QM_OK;
}

static int check_cuts(const qm_op *op, qm_error *e) {
  if (op->cuts.n == 0) return QM_OK;
  if (op->shape != QM_SEQUENCE || op->kind == QM_KIND_INSERT) {
    return malformed(op, e, "ranges on an op that cuts nothing");
  }
  if (op->cuts.n > LIST_MAX) return malformed(op, e, "a list is too long");
  for (uint32_t i = 0; i < op->cuts.n; i++) {
    const qm_range *r = &op->cuts.p[i];
    if (r->len == 0) return malformed(op, e, "an empty range");
    if (r->len > UINT64_MAX - r->counter) return malformed(op, e, "a range beyond all counters");
  }
  return QM_OK;
}

static int check_lists(const qm_op *op, qm_error *e) {
  int removes = op->shape == QM_KEYED && op->kind == QM_KIND_REMOVE;
  if (op->dots.n && !removes && !(op->flags & QM_OP_LISTED)) {
    return malformed(op, e, "dots on an op that lists none");
  }
  if (op->marks.n && !(op->flags & QM_OP_MARKS)) {
    return malformed(op, e, "marks without their flag");
  }
  if ((op->hides.n || op->keeps.n) && !(op->flags & QM_OP_NAMES)) {
    return malformed(op, e, "named siblings without their flag");
  }
  if (op->dots.n > LIST_MAX || op->marks.n > LIST_MAX || op->hides.n > LIST_MAX ||
      op->keeps.n > LIST_MAX) {
    return malformed(op, e, "a list is too long");
  }
  return check_cuts(op, e);
}

/* Elements of an insert, each as deep as a value may be; *count of them. */
static int count_elements(const qm_op *op, uint64_t *count) {
  qm_cur c;
  qm_mp_token t;
  qm_slice element;
  if (op->value.n > QM_VALUE_MAX) return QM_EOVERSIZE;
  qm_cur_init(&c, op->value);
  QM_TRY(qm_cur_token(&c, &t));
  if (t.type == QM_MP_STR) {
    size_t codepoints;
    if (!qm_utf8_check(t.span, &codepoints)) return QM_EUTF8;
    *count = codepoints;
    return qm_cur_end(&c);
  }
  if (t.type != QM_MP_ARRAY) return QM_ETYPE;
  for (uint64_t i = 0; i < t.u; i++) {
    QM_TRY(qm_cur_value(&c, QM_VALUE_DEPTH, &element));
    QM_TRY(qm_value_check(element));
  }
  *count = t.u;
  return qm_cur_end(&c);
}

static int check_collection(qm_slice value) {
  qm_cur c;
  uint64_t number;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_uint(&c, &number));
  QM_TRY(qm_cur_end(&c));
  return number >= 1 && number <= COLLECTION_MAX ? QM_OK : QM_ERANGE;
}

static int check_integer(qm_slice value) {
  qm_cur c;
  int64_t delta;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_int(&c, &delta));
  return qm_cur_end(&c);
}

/* The first byte of a text. */
static int is_str(uint8_t head) { return (head & 0xe0) == 0xa0 || (head >= 0xd9 && head <= 0xdb); }

static int check_value(const qm_op *op, const kind_rule *rule, int read, uint64_t *elements,
                       qm_error *e) {
  int rc = QM_OK;
  *elements = op->span;
  if (rule->carries == NOTHING || (op->flags & QM_OP_ERASED)) {
    return op->value.n == 0 ? QM_OK : malformed(op, e, "a value where none belongs");
  }
  /* A text that was read is one; all else that a value may be is looked at once more. */
  int text = read && op->value.n && op->value.n <= QM_VALUE_MAX && is_str(op->value.p[0]);
  if (text && (rule->carries == VALUE || rule->carries == ELEMENTS)) return QM_OK;
  if (rule->carries == COLLECTION) rc = check_collection(op->value);
  if (rule->carries == VALUE) rc = qm_value_check(op->value);
  if (rule->carries == INTEGER) rc = check_integer(op->value);
  if (rule->carries == ELEMENTS) rc = count_elements(op, elements);
  return rc == QM_OK ? QM_OK : bad(op, e, rc, qm_err_text(rc));
}

static int check_span(const qm_op *op, const kind_rule *rule, uint64_t elements, qm_error *e) {
  if (op->span == 0) return malformed(op, e, "the span is 0");
  if (rule->carries != ELEMENTS && op->span != 1) return malformed(op, e, "the span is not 1");
  if (op->span > SPAN_MAX) return malformed(op, e, "the span is too long");
  if (op->span != elements) return malformed(op, e, "the span is not the number of elements");
  if (op->span > UINT64_MAX - op->counter) return malformed(op, e, "beyond all counters");
  return QM_OK;
}

static int check(const qm_op *op, int read, qm_error *e) {
  uint64_t elements;
  if (op->shape >= QM_SHAPES) return malformed(op, e, "unknown shape");
  if (op->kind >= KINDS || !rules[op->shape][op->kind].known) {
    return malformed(op, e, "unknown kind for this shape");
  }
  const kind_rule *rule = &rules[op->shape][op->kind];
  QM_TRY(check_place(op, e));
  QM_TRY(check_flags(op, rule, e));
  QM_TRY(check_lists(op, e));
  QM_TRY(check_value(op, rule, read, &elements, e));
  return check_span(op, rule, elements, e);
}

int qm_op_check(const qm_op *op, qm_error *e) { return check(op, 0, e); }

/* What most ops are: a text written to a field, which replaces all that was seen. */
static int is_plain(const qm_op *op) {
  uint32_t lists = op->dots.n | op->marks.n | op->hides.n | op->keeps.n | op->cuts.n;
  return op->shape == QM_SIBLINGS && op->kind == QM_KIND_WRITE && !op->flags && op->field &&
         op->named == QM_BY_CREATION && !lists && op->span == 1 && op->counter < UINT64_MAX &&
         op->generation <= GENERATION_MAX && op->value.n && op->value.n <= QM_VALUE_MAX &&
         is_str(op->value.p[0]);
}

int qm__op_check_read(const qm_op *op, qm_error *e) {
  return is_plain(op) ? QM_OK : check(op, 1, e);
}
