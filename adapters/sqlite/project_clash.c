/* project_clash.c: for each clash of a collection (SPEC S25.16) a view of the pairs. */
#include "adapters/sqlite/project_layout.h"

/* Views are known by field: clashes have places among the numbers that no field has, by their
 * name. */
#define CLASH_NUMBERS 0xc0000000u

static uint32_t hash_of(const qm_clash_def *x) {
  uint32_t h = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < x->name.n; i++) h = (h ^ x->name.p[i]) * 16777619u;
  return CLASH_NUMBERS | (h & 0x3fffffffu);
}

/* Two names may share a hash: the later one takes the next number that is free. */
static uint32_t number_of(const qm_collection_def *c, uint32_t at) {
  uint32_t number = hash_of(&c->relations->clashes[at]);
  for (uint32_t i = 0; i < at; i++)
    if (number_of(c, i) == number) return CLASH_NUMBERS | ((number + at) & 0x3fffffffu);
  return number;
}

static const qm__pfield *field_at(const qm__ptable *t, uint32_t number) {
  for (uint32_t i = 0; i < t->n_fields; i++)
    if (t->fields[i].number == number && t->fields[i].column != QM__NO_COLUMN)
      return &t->fields[i];
  return NULL;
}

static int has_columns(const qm__ptable *t, const qm_clash_def *x) {
  for (uint32_t i = 0; i < x->n_same; i++)
    if (!field_at(t, x->same[i])) return 0;
  return (!x->from || (field_at(t, x->from) && field_at(t, x->to))) &&
         (!x->state || field_at(t, x->state));
}

/* "a"."venue" */
static void put_column(qm_buf *b, const qm__ptable *t, const char *alias, uint32_t field) {
  qm__layout_put(b, alias);
  qm__layout_put(b, ".");
  qm__layout_name(b, t->columns[field_at(t, field)->column]);
}

/* One side counts: its state, and a time that is one. */
static void put_side(qm_buf *b, const qm__ptable *t, const qm_collection_def *c,
                     const qm_clash_def *x, const char *alias, const char *before) {
  const qm_field_def *state = x->state ? qm_collection_field(c, x->state) : NULL;
  for (uint32_t i = 0; state && i < x->n_items; i++) {
    if (!i) {
      qm__layout_put(b, " AND ");
      put_column(b, t, alias, x->state);
    }
    qm__layout_put(b, i ? "," : " IN (");
    qm__layout_literal(b, state->items[x->items[i]].name);
  }
  if (state) qm__layout_put(b, ")");
  if (!x->from) return;
  qm__layout_put(b, " AND ");
  put_column(b, t, alias, x->from);
  qm__layout_put(b, before);
  put_column(b, t, alias, x->to);
}

static void put_view(qm_buf *b, const qm__object *o, const qm__ptable *t,
                     const qm_collection_def *c, const qm_clash_def *x) {
  const qm_field_def *from = x->from ? qm_collection_field(c, x->from) : NULL;
  const char *before = from && from->value == QM_VALUE_DATE ? " <= " : " < ";
  qm__layout_put(b, "CREATE VIEW ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " AS SELECT b._id AS _other, a.* FROM ");
  qm__layout_name(b, t->object->name);
  qm__layout_put(b, " AS a JOIN ");
  qm__layout_name(b, t->object->name);
  qm__layout_put(b, " AS b ON b._space = a._space AND b._row <> a._row");
  for (uint32_t i = 0; i < x->n_same; i++) {
    qm__layout_put(b, " AND ");
    put_column(b, t, "b", x->same[i]);
    qm__layout_put(b, " = ");
    put_column(b, t, "a", x->same[i]);
    qm__layout_put(b, " AND ");
    put_column(b, t, "a", x->same[i]);
    qm__layout_put(b, " <> ''");
  }
  if (x->from) {
    qm__layout_put(b, " AND ");
    put_column(b, t, "a", x->from);
    qm__layout_put(b, before);
    put_column(b, t, "b", x->to);
    qm__layout_put(b, " AND ");
    put_column(b, t, "b", x->from);
    qm__layout_put(b, before);
    put_column(b, t, "a", x->to);
  }
  put_side(b, t, c, x, "a", before);
  put_side(b, t, c, x, "b", before);
}

static int make_view(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                     const qm__ptable *t, uint32_t at) {
  const qm_clash_def *x = &c->relations->clashes[at];
  const qm_field_def id = {.number = number_of(c, at), .name = x->name};
  qm__object *o;
  if (!has_columns(t, x)) return QM_OK;
  qm__layout_put(b, t->object->name);
  qm__layout_put(b, "_");
  qm_buf_add(b, x->name.p, x->name.n);
  qm__layout_put(b, "_clash");
  const char *name = qm__layout_text(l, b);
  if (!name) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "view", g, c, &id, name, &o));
  put_view(b, o, t, c, x);
  o->sql = qm__layout_text(l, b);
  return o->sql ? QM_OK : QM_ENOMEM;
}

int qm__layout_clashes(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                       const qm__ptable *t) {
  qm_buf b;
  int rc = QM_OK;
  if (!c->relations) return QM_OK;
  qm_buf_init(&b, l->arena.env, (size_t)1 << 18);
  for (uint32_t i = 0; i < c->relations->n_clashes && rc == QM_OK; i++)
    rc = make_view(l, &b, g, c, t, i);
  qm_buf_free(&b);
  return rc;
}
