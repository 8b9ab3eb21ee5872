/* Relations of a collection (S7.11): their MessagePack form and what is refused of them.
 *
 *   relations = [basis or nil, [based…], [when…], referral or nil, [cover…], [clash…]]
 *   basis     = [kind, purpose, given, ends, [ended…], [[item, [filled…], guardian]…]]
 *   based     = [[field…], record, purpose, birth, of]
 *   when      = [field, [value…], [empty…], [filled…]]
 *   referral  = [from, to, answer]
 *   cover     = [name, amount, account, balance, [role…], state, [holds…], [settled…]]
 *   clash     = [name, label_zh, label_en, [same…], from, to, state, [item…], level]
 *
 * Fields are numbers, items their places; 0 stands for no field. Every position is written. */
#include <stdio.h>
#include <string.h>

#include "core/ledger.h"
#include "core/schema_internal.h"

/* ---- the form ---- */

static const uint32_t *read_numbers(qm_cur *c, uint32_t most, uint32_t *n, qm_arena *arena) {
  uint32_t *list = qm__schema_list(c, most, sizeof *list, n, arena);
  for (uint32_t i = 0; i < *n && c->status == QM_OK; i++) (void)qm_cur_uint32(c, &list[i]);
  return list;
}

static int is_nil(qm_cur *c) {
  qm_mp_type type;
  return qm_cur_peek(c, &type) == QM_OK && type == QM_MP_NIL && qm_cur_nil(c) == QM_OK;
}

static void read_kinds(qm_cur *c, qm_basis_def *b, qm_arena *arena) {
  qm_basis_kind *list =
      qm__schema_list(c, QM_RELATIONS_MAX, sizeof *list, &b->n_kinds, arena);
  for (uint32_t i = 0; i < b->n_kinds && c->status == QM_OK; i++) {
    (void)qm_cur_array_n(c, 3);
    (void)qm_cur_uint32(c, &list[i].item);
    list[i].filled = read_numbers(c, QM_RELATION_FIELDS_MAX, &list[i].n_filled, arena);
    (void)qm_cur_uint32(c, &list[i].guardian);
  }
  b->kinds = list;
}

static void read_basis(qm_cur *c, qm_relations *r, qm_arena *arena) {
  if (is_nil(c)) return;
  qm_basis_def *b = qm_arena_zero(arena, sizeof *b);
  if (!b) {
    (void)qm_cur_fail(c, QM_ENOMEM);
    return;
  }
  (void)qm_cur_array_n(c, 6);
  (void)qm_cur_uint32(c, &b->kind);
  (void)qm_cur_uint32(c, &b->purpose);
  (void)qm_cur_uint32(c, &b->given);
  (void)qm_cur_uint32(c, &b->ends);
  b->ended = read_numbers(c, QM_SCHEMA_ITEMS_MAX, &b->n_ended, arena);
  read_kinds(c, b, arena);
  r->basis = b;
}

static void read_based(qm_cur *c, qm_relations *r, qm_arena *arena) {
  qm_based_def *list = qm__schema_list(c, QM_RELATIONS_MAX, sizeof *list, &r->n_based, arena);
  for (uint32_t i = 0; i < r->n_based && c->status == QM_OK; i++) {
    (void)qm_cur_array_n(c, 5);
    list[i].fields = read_numbers(c, QM_RELATION_FIELDS_MAX, &list[i].n_fields, arena);
    (void)qm_cur_uint32(c, &list[i].record);
    (void)qm_cur_str(c, &list[i].purpose);
    (void)qm_cur_uint32(c, &list[i].birth);
    (void)qm_cur_uint32(c, &list[i].of);
  }
  r->based = list;
}

static void read_whens(qm_cur *c, qm_relations *r, qm_arena *arena) {
  qm_when_def *list = qm__schema_list(c, QM_RELATIONS_MAX, sizeof *list, &r->n_whens, arena);
  for (uint32_t i = 0; i < r->n_whens && c->status == QM_OK; i++) {
    (void)qm_cur_array_n(c, 4);
    (void)qm_cur_uint32(c, &list[i].field);
    qm_slice *is =
        qm__schema_list(c, QM_RELATION_FIELDS_MAX, sizeof *is, &list[i].n_is, arena);
    for (uint32_t k = 0; k < list[i].n_is && c->status == QM_OK; k++)
      (void)qm_cur_value(c, QM_VALUE_DEPTH, &is[k]);
    list[i].is = is;
    list[i].empty = read_numbers(c, QM_RELATION_FIELDS_MAX, &list[i].n_empty, arena);
    list[i].filled = read_numbers(c, QM_RELATION_FIELDS_MAX, &list[i].n_filled, arena);
  }
  r->whens = list;
}

static void read_referral(qm_cur *c, qm_relations *r, qm_arena *arena) {
  if (is_nil(c)) return;
  qm_referral_def *x = qm_arena_zero(arena, sizeof *x);
  if (!x) {
    (void)qm_cur_fail(c, QM_ENOMEM);
    return;
  }
  (void)qm_cur_array_n(c, 3);
  (void)qm_cur_uint32(c, &x->from);
  (void)qm_cur_uint32(c, &x->to);
  (void)qm_cur_uint32(c, &x->answer);
  r->referral = x;
}

static const qm_slice *read_names(qm_cur *c, uint32_t *n, qm_arena *arena) {
  qm_slice *list = qm__schema_list(c, QM_SCHEMA_WRITERS_MAX, sizeof *list, n, arena);
  for (uint32_t i = 0; i < *n && c->status == QM_OK; i++) (void)qm_cur_str(c, &list[i]);
  return list;
}

static void read_covers(qm_cur *c, qm_relations *r, qm_arena *arena) {
  qm_cover_def *list = qm__schema_list(c, QM_RELATIONS_MAX, sizeof *list, &r->n_covers, arena);
  for (uint32_t i = 0; i < r->n_covers && c->status == QM_OK; i++) {
    (void)qm_cur_array_n(c, 8);
    (void)qm_cur_str(c, &list[i].name);
    (void)qm_cur_uint32(c, &list[i].amount);
    (void)qm_cur_uint32(c, &list[i].account);
    (void)qm_cur_uint32(c, &list[i].balance);
    list[i].by = read_names(c, &list[i].n_by, arena);
    (void)qm_cur_uint32(c, &list[i].state);
    list[i].holds = read_numbers(c, QM_SCHEMA_ITEMS_MAX, &list[i].n_holds, arena);
    list[i].settled = read_numbers(c, QM_SCHEMA_ITEMS_MAX, &list[i].n_settled, arena);
  }
  r->covers = list;
}

static void read_clashes(qm_cur *c, qm_relations *r, qm_arena *arena) {
  qm_clash_def *list = qm__schema_list(c, QM_RELATIONS_MAX, sizeof *list, &r->n_clashes, arena);
  for (uint32_t i = 0; i < r->n_clashes && c->status == QM_OK; i++) {
    uint32_t level;
    (void)qm_cur_array_n(c, 9);
    (void)qm_cur_str(c, &list[i].name);
    (void)qm_cur_str(c, &list[i].label_zh);
    (void)qm_cur_str(c, &list[i].label_en);
    list[i].same = read_numbers(c, QM_CLASH_FIELDS_MAX, &list[i].n_same, arena);
    (void)qm_cur_uint32(c, &list[i].from);
    (void)qm_cur_uint32(c, &list[i].to);
    (void)qm_cur_uint32(c, &list[i].state);
    list[i].items = read_numbers(c, QM_SCHEMA_ITEMS_MAX, &list[i].n_items, arena);
    (void)qm_cur_uint32(c, &level);
    if (level > QM_REVIEW_LEVELS) (void)qm_cur_fail(c, QM_ERANGE);
    list[i].review = (uint8_t)level;
  }
  r->clashes = list;
}

void qm__relations_read(qm_cur *c, qm_collection_def *d, qm_arena *arena) {
  if (is_nil(c)) return;
  qm_relations *r = qm_arena_zero(arena, sizeof *r);
  if (!r) {
    (void)qm_cur_fail(c, QM_ENOMEM);
    return;
  }
  (void)qm_cur_array_n(c, 6);
  read_basis(c, r, arena);
  read_based(c, r, arena);
  read_whens(c, r, arena);
  read_referral(c, r, arena);
  read_covers(c, r, arena);
  read_clashes(c, r, arena);
  d->relations = r;
}

static void put_numbers(qm_buf *out, const uint32_t *list, uint32_t n) {
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n; i++) qm_mp_uint(out, list[i]);
}

static void put_basis(qm_buf *out, const qm_basis_def *b) {
  if (!b) {
    qm_mp_nil(out);
    return;
  }
  qm_mp_array(out, 6);
  qm_mp_uint(out, b->kind);
  qm_mp_uint(out, b->purpose);
  qm_mp_uint(out, b->given);
  qm_mp_uint(out, b->ends);
  put_numbers(out, b->ended, b->n_ended);
  qm_mp_array(out, b->n_kinds);
  for (uint32_t i = 0; i < b->n_kinds; i++) {
    qm_mp_array(out, 3);
    qm_mp_uint(out, b->kinds[i].item);
    put_numbers(out, b->kinds[i].filled, b->kinds[i].n_filled);
    qm_mp_uint(out, b->kinds[i].guardian);
  }
}

static void put_based(qm_buf *out, const qm_based_def *b) {
  qm_mp_array(out, 5);
  put_numbers(out, b->fields, b->n_fields);
  qm_mp_uint(out, b->record);
  qm_mp_str(out, b->purpose.p, b->purpose.n);
  qm_mp_uint(out, b->birth);
  qm_mp_uint(out, b->of);
}

static void put_when(qm_buf *out, const qm_when_def *w) {
  qm_mp_array(out, 4);
  qm_mp_uint(out, w->field);
  qm_mp_array(out, w->n_is);
  for (uint32_t i = 0; i < w->n_is; i++) qm_mp_raw(out, w->is[i]);
  put_numbers(out, w->empty, w->n_empty);
  put_numbers(out, w->filled, w->n_filled);
}

static void put_referral(qm_buf *out, const qm_referral_def *r) {
  if (!r) {
    qm_mp_nil(out);
    return;
  }
  qm_mp_array(out, 3);
  qm_mp_uint(out, r->from);
  qm_mp_uint(out, r->to);
  qm_mp_uint(out, r->answer);
}

static void put_cover(qm_buf *out, const qm_cover_def *x) {
  qm_mp_array(out, 8);
  qm_mp_str(out, x->name.p, x->name.n);
  qm_mp_uint(out, x->amount);
  qm_mp_uint(out, x->account);
  qm_mp_uint(out, x->balance);
  qm_mp_array(out, x->n_by);
  for (uint32_t i = 0; i < x->n_by; i++) qm_mp_str(out, x->by[i].p, x->by[i].n);
  qm_mp_uint(out, x->state);
  put_numbers(out, x->holds, x->n_holds);
  put_numbers(out, x->settled, x->n_settled);
}

static void put_clash(qm_buf *out, const qm_clash_def *x) {
  qm_mp_array(out, 9);
  qm_mp_str(out, x->name.p, x->name.n);
  qm_mp_str(out, x->label_zh.p, x->label_zh.n);
  qm_mp_str(out, x->label_en.p, x->label_en.n);
  put_numbers(out, x->same, x->n_same);
  qm_mp_uint(out, x->from);
  qm_mp_uint(out, x->to);
  qm_mp_uint(out, x->state);
  put_numbers(out, x->items, x->n_items);
  qm_mp_uint(out, x->review);
}

static void put_all(qm_buf *out, const qm_relations *r) {
  qm_mp_array(out, 6);
  put_basis(out, r->basis);
  qm_mp_array(out, r->n_based);
  for (uint32_t i = 0; i < r->n_based; i++) put_based(out, &r->based[i]);
  qm_mp_array(out, r->n_whens);
  for (uint32_t i = 0; i < r->n_whens; i++) put_when(out, &r->whens[i]);
  put_referral(out, r->referral);
  qm_mp_array(out, r->n_covers);
  for (uint32_t i = 0; i < r->n_covers; i++) put_cover(out, &r->covers[i]);
  qm_mp_array(out, r->n_clashes);
  for (uint32_t i = 0; i < r->n_clashes; i++) put_clash(out, &r->clashes[i]);
}

void qm__relations_put(qm_buf *out, const qm_collection_def *d) {
  if (d->relations) put_all(out, d->relations);
  else qm_mp_nil(out);
}

/* ---- what is refused ---- */

/* Every replica must be able to read what decides. */
static const qm_field_def *open_field(const qm_collection_def *d, uint32_t number) {
  const qm_field_def *f = qm_collection_field(d, number);
  return f && !(f->flags & QM_FIELD_SEALED) ? f : NULL;
}

static int is_siblings(const qm_field_def *f) { return qm_field_shape(f) == QM_SIBLINGS; }

static int is_number(const qm_field_def *f) {
  return f && is_siblings(f) && f->value == QM_VALUE_INT;
}

static const char *check_items(const qm_field_def *state, const uint32_t *items, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (items[i] >= state->n_items) return "names no item of its state";
    if (i && items[i] <= items[i - 1]) return "items must rise and stand once";
  }
  return NULL;
}

/* Fields of the collection, ascending. */
static const char *check_list(const qm_collection_def *d, const uint32_t *list, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (!qm_collection_field(d, list[i])) return "names no field of this collection";
    if (i && list[i] <= list[i - 1]) return "fields must rise and stand once";
  }
  return NULL;
}

static const char *check_ends(const qm_collection_def *d, const qm_basis_def *b) {
  const qm_field_def *ends = open_field(d, b->ends);
  if (!b->ends) return b->n_ended ? "ended goes with a state" : NULL;
  if (!ends || !is_siblings(ends)) return "ends must be one value, not sealed";
  if (ends->type != QM_FIELD_STATE) return b->n_ended ? "ended goes with a state" : NULL;
  if (!b->n_ended) return "of a state ended is needed";
  return check_items(ends, b->ended, b->n_ended);
}

static const char *check_basis_kind(const qm_collection_def *d, const qm_basis_def *b,
                                    uint32_t at) {
  const qm_field_def *kind = open_field(d, b->kind);
  const qm_basis_kind *k = &b->kinds[at];
  if (k->item >= kind->n_items) return "a kind is no item of its field";
  for (uint32_t i = 0; i < at; i++)
    if (b->kinds[i].item == k->item) return "a kind stands twice";
  if (k->guardian && !open_field(d, k->guardian)) return "guardian is no field, or a sealed one";
  if (k->guardian && !b->given) return "a guardian needs the day on which the basis was given";
  for (uint32_t i = 0; i < k->n_filled; i++)
    if (!open_field(d, k->filled[i])) return "filled names no field, or a sealed one";
  return check_list(d, k->filled, k->n_filled);
}

static int is_words(const qm_field_def *f) {
  return (is_siblings(f) || f->type == QM_FIELD_SET) &&
         (f->value == QM_VALUE_TEXT || f->value == QM_VALUE_ENUM);
}

static const char *check_basis(const qm_collection_def *d, const qm_basis_def *b) {
  const qm_field_def *kind = open_field(d, b->kind), *given = open_field(d, b->given);
  if (!kind || !is_siblings(kind) || kind->value != QM_VALUE_ENUM)
    return "kind must be one item, not sealed";
  if (b->purpose && (!open_field(d, b->purpose) || !is_words(open_field(d, b->purpose))))
    return "purpose must be text or items, not sealed";
  if (b->given && (!given || !is_siblings(given) || given->value != QM_VALUE_DATE))
    return "given must be a date, not sealed";
  if (!b->n_kinds || b->n_kinds > QM_RELATIONS_MAX) return "needs 1 to 16 kinds";
  for (uint32_t i = 0; i < b->n_kinds; i++) {
    const char *why = check_basis_kind(d, b, i);
    if (why) return why;
  }
  return check_ends(d, b);
}

static const char *check_birth(const qm_schema *s, const qm_collection_def *d,
                               const qm_based_def *b) {
  const qm_field_def *of = b->of ? open_field(d, b->of) : NULL;
  if (b->of && (!of || !is_siblings(of) || of->value != QM_VALUE_REF || !of->target))
    return "of must be a ref to one collection";
  if (b->of && !b->birth) return "of goes with birth";
  if (!b->birth) return NULL;
  const qm_collection_def *owner = of ? qm_schema_collection(s, of->target) : d;
  const qm_field_def *f = owner ? open_field(owner, b->birth) : NULL;
  if (!f || !is_siblings(f) ||
      !(f->value == QM_VALUE_DATE || f->value == QM_VALUE_TEXT || f->value == QM_VALUE_INT))
    return "birth must be a date, a text or an int, not sealed";
  return NULL;
}

static const char *check_based(const qm_schema *s, const qm_collection_def *d, uint32_t at) {
  const qm_based_def *b = &d->relations->based[at];
  const qm_field_def *ref = open_field(d, b->record);
  if (!b->n_fields) return "fields are missing";
  const char *why = check_list(d, b->fields, b->n_fields);
  if (why) return why;
  for (uint32_t i = 0; i < b->n_fields; i++) {
    const qm_field_def *f = qm_collection_field(d, b->fields[i]);
    if (f->cls < QM_CLASS_PERSONAL) return "only personal and sensitive fields need a basis";
    if (f->number == b->record || f->number == b->birth || f->number == b->of)
      return "what a basis is found by cannot need it";
    for (uint32_t k = 0; k < at; k++)
      for (uint32_t m = 0; m < d->relations->based[k].n_fields; m++)
        if (d->relations->based[k].fields[m] == f->number) return "a field needs two bases";
  }
  if (!ref || ref->value != QM_VALUE_REF || !(is_siblings(ref) || ref->type == QM_FIELD_SET))
    return "record must be a ref, or a set of refs";
  const qm_collection_def *target = qm_schema_collection(s, ref->target);
  if (!target || !target->relations || !target->relations->basis)
    return "record must point into a collection of bases";
  if (b->purpose.n > QM_NAME_MAX || !qm_utf8_check(b->purpose, NULL))
    return "the purpose is not well-formed";
  if (b->purpose.n && !target->relations->basis->purpose) return "bases there name no purpose";
  return check_birth(s, d, b);
}

static int can_be_emptied(const qm_field_def *f) {
  return (is_siblings(f) && !(f->flags & QM_FIELD_REQUIRED)) || f->type == QM_FIELD_SET ||
         f->type == QM_FIELD_TEXT || f->type == QM_FIELD_LIST;
}

static const char *check_when(const qm_collection_def *d, const qm_when_def *w) {
  const qm_field_def *f = open_field(d, w->field);
  if (!f || !(is_siblings(f) || f->type == QM_FIELD_SET)) return "field must be a value or a set";
  if (!w->n_is) return "is must list values";
  for (uint32_t i = 0; i < w->n_is; i++)
    if (qm_field_value_check(f, w->is[i], NULL) != QM_OK) return "a value does not fit its field";
  if (!w->n_empty && !w->n_filled) return "says nothing";
  const char *why = check_list(d, w->empty, w->n_empty);
  if (!why) why = check_list(d, w->filled, w->n_filled);
  if (why) return why;
  for (uint32_t i = 0; i < w->n_empty; i++) {
    const qm_field_def *x = qm_collection_field(d, w->empty[i]);
    if (x == f || x->number == d->key_field || !can_be_emptied(x))
      return "a field of empty can never be emptied";
  }
  for (uint32_t i = 0; i < w->n_filled; i++) {
    if (w->filled[i] == w->field) return "a field cannot ask for itself";
    for (uint32_t k = 0; k < w->n_empty; k++)
      if (w->filled[i] == w->empty[k]) return "a field is both empty and filled";
  }
  return NULL;
}

static const char *check_referral(const qm_collection_def *d, const qm_referral_def *r) {
  const qm_field_def *from = open_field(d, r->from), *to = open_field(d, r->to);
  const qm_field_def *answer = open_field(d, r->answer);
  if (!from || !is_siblings(from) || from->value != QM_VALUE_SPACE_REF)
    return "from must be a space-ref";
  if (!to || to == from || to->value != QM_VALUE_SPACE_REF ||
      !(is_siblings(to) || to->type == QM_FIELD_SET))
    return "to must be a space-ref, or a set of them";
  if (!answer || answer->type != QM_FIELD_LOG ||
      !(answer->value == QM_VALUE_MAP || answer->value == QM_VALUE_ANY))
    return "answer must be a log of maps";
  return NULL;
}

static const char *check_balance(const qm_field_def *f, const qm_cover_def *x) {
  if (f && f->type == QM_FIELD_LOG && qm_is_ledger(f)) return NULL;
  if (!is_number(f) && !(f && f->type == QM_FIELD_COUNTER))
    return "balance must be an int, a counter or a ledger";
  return x->n_by ? "by goes with a ledger" : NULL;
}

static const char *check_cover(const qm_schema *s, const qm_collection_def *d,
                               const qm_cover_def *x) {
  const qm_field_def *account = open_field(d, x->account), *state = open_field(d, x->state);
  if (!qm__schema_name_ok(x->name)) return "the name is not well-formed";
  if (!is_number(open_field(d, x->amount))) return "amount must be an int";
  if (!account || !is_siblings(account) || account->value != QM_VALUE_REF)
    return "account must be a ref";
  const qm_collection_def *target = qm_schema_collection(s, account->target);
  if (!target) return "account must point into one collection";
  if (!state || state->type != QM_FIELD_STATE) return "state must be a state";
  if (!x->n_holds && !x->n_settled) return "holds and settled are missing";
  const char *why = check_items(state, x->holds, x->n_holds);
  if (!why) why = check_items(state, x->settled, x->n_settled);
  if (why) return why;
  for (uint32_t i = 0; i < x->n_holds; i++)
    for (uint32_t k = 0; k < x->n_settled; k++)
      if (x->holds[i] == x->settled[k]) return "an item both holds and is settled";
  for (uint32_t i = 0; i < x->n_by; i++)
    if (!qm__schema_name_ok(x->by[i])) return "a role is not well-formed";
  return check_balance(open_field(target, x->balance), x);
}

static const char *check_clash(const qm_collection_def *d, const qm_clash_def *x) {
  const qm_field_def *from = open_field(d, x->from), *to = open_field(d, x->to);
  const qm_field_def *state = open_field(d, x->state);
  if (!qm__schema_name_ok(x->name)) return "the name is not well-formed";
  if (!qm__schema_labels_ok(x->label_zh, x->label_en)) return "a label is not well-formed";
  if (!x->n_same || x->n_same > QM_CLASH_FIELDS_MAX) return "same takes 1 to 4 fields";
  for (uint32_t i = 0; i < x->n_same; i++) {
    const qm_field_def *f = open_field(d, x->same[i]);
    if (!f || !is_siblings(f) || f->cls == QM_CLASS_SENSITIVE)
      return "same takes single values, neither sensitive nor sealed";
    for (uint32_t k = 0; k < i; k++)
      if (x->same[k] == x->same[i]) return "same names a field twice";
  }
  if (!x->from != !x->to) return "from and to go together";
  if (x->from && (!from || !to || !is_siblings(from) || !is_siblings(to) ||
                  from->value != to->value ||
                  !(from->value == QM_VALUE_DATE || from->value == QM_VALUE_INT)))
    return "from and to must be two dates or two ints";
  if (x->review > QM_REVIEW_LEVELS) return "unknown level of review";
  if (!x->state) return x->n_items ? "while goes with a state" : NULL;
  if (!state || state->type != QM_FIELD_STATE || !x->n_items)
    return "state must be a state, with items";
  return check_items(state, x->items, x->n_items);
}

static const char *check_names(const qm_relations *r) {
  for (uint32_t i = 0; i < r->n_clashes; i++)
    for (uint32_t k = 0; k < i; k++)
      if (qm__same(r->clashes[i].name, r->clashes[k].name)) return "two clashes share a name";
  for (uint32_t i = 0; i < r->n_covers; i++)
    for (uint32_t k = 0; k < i; k++)
      if (qm__same(r->covers[i].name, r->covers[k].name)) return "two covers share a name";
  return NULL;
}

int qm__relations_check(const qm_schema *s, const qm_collection_def *d,
                        char place[QM__RULE_PLACE], const char **why) {
  const qm_relations *r = d->relations;
  place[0] = '\0';
  *why = NULL;
  if (!r) return QM_OK;
  *why = "the relations are empty";
  if (!r->basis && !r->n_based && !r->n_whens && !r->referral && !r->n_covers && !r->n_clashes)
    return QM_ESCHEMA;
  *why = check_names(r);
  (void)snprintf(place, QM__RULE_PLACE, ".basis");
  if (!*why && r->basis) *why = check_basis(d, r->basis);
  for (uint32_t i = 0; i < r->n_based && !*why; i++) {
    (void)snprintf(place, QM__RULE_PLACE, ".based[%u]", (unsigned)i);
    *why = check_based(s, d, i);
  }
  for (uint32_t i = 0; i < r->n_whens && !*why; i++) {
    (void)snprintf(place, QM__RULE_PLACE, ".when[%u]", (unsigned)i);
    *why = check_when(d, &r->whens[i]);
  }
  if (!*why && r->referral) {
    (void)snprintf(place, QM__RULE_PLACE, ".referral");
    *why = check_referral(d, r->referral);
  }
  for (uint32_t i = 0; i < r->n_covers && !*why; i++) {
    (void)snprintf(place, QM__RULE_PLACE, ".covers[%u]", (unsigned)i);
    *why = check_cover(s, d, &r->covers[i]);
  }
  for (uint32_t i = 0; i < r->n_clashes && !*why; i++) {
    (void)snprintf(place, QM__RULE_PLACE, ".clashes[%u]", (unsigned)i);
    *why = check_clash(d, &r->clashes[i]);
  }
  return *why ? QM_ESCHEMA : QM_OK;
}

/* ---- comparing ---- */

/* One form for one content: two are the same where they are written the same. */
int qm__relations_differ(const qm_collection_def *a, const qm_collection_def *b) {
  const qm_env env = qm_env_default();
  qm_buf x, y;
  qm_buf_init(&x, &env, QM_SCHEMA_MAX);
  qm_buf_init(&y, &env, QM_SCHEMA_MAX);
  qm__relations_put(&x, a);
  qm__relations_put(&y, b);
  int differ = qm_buf_status(&x) != QM_OK || qm_buf_status(&y) != QM_OK ||
               qm_slice_cmp(qm_buf_slice(&x), qm_buf_slice(&y)) != 0;
  qm_buf_free(&x);
  qm_buf_free(&y);
  return differ;
}
