/* project_views.c: the views that a schema's own data gives: counts by state, what is
 * open, what is due, balances. No name of a collection stands here. */
#include "adapters/sqlite/project_layout.h"

static const char *wanted_name(qm__layout *l, qm_buf *b, const char *table, const qm_field_def *f,
                               const char *suffix) {
  qm__layout_put(b, table);
  if (f) {
    qm__layout_put(b, "_");
    qm_buf_add(b, f->name.p, f->name.n);
  }
  qm__layout_put(b, suffix);
  return qm__layout_text(l, b);
}

static const qm__pfield *field_at(const qm__ptable *t, uint32_t number) {
  for (uint32_t i = 0; i < t->n_fields; i++)
    if (t->fields[i].number == number) return &t->fields[i];
  return NULL;
}

static void put_column(qm_buf *b, const qm__ptable *t, const qm__pfield *p) {
  qm__layout_name(b, t->columns[p->column]);
}

/* ---- counts by state: space, value, labels, rank, n ---- */

static void put_items(qm_buf *b, const qm_field_def *f) {
  char rank[16];
  for (uint32_t i = 0; i < f->n_items; i++) {
    const qm_enum_item *x = &f->items[i];
    qm__layout_put(b, i ? "),(" : "(");
    qm__layout_literal(b, x->name);
    qm_buf_byte(b, ',');
    qm__layout_literal(b, x->label_zh);
    qm_buf_byte(b, ',');
    qm__layout_literal(b, x->label_en);
    sqlite3_snprintf(sizeof rank, rank, ",%d", (int)x->rank);
    qm__layout_put(b, rank);
  }
  qm__layout_put(b, ")");
}

static int counts_view(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                       const qm_field_def *f, const qm__ptable *t) {
  qm__object *o;
  const qm__pfield *p = field_at(t, f->number);
  const char *wanted = wanted_name(l, b, t->object->name, f, "_counts");
  if (!wanted) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "view", g, c, f, wanted, &o));
  qm__layout_put(b, "CREATE VIEW ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " AS WITH item(value, label_zh, label_en, rank) AS (VALUES ");
  put_items(b, f);
  qm__layout_put(b, ") SELECT t._space, t.");
  put_column(b, t, p);
  qm__layout_put(b, " AS value, item.label_zh, item.label_en, item.rank, count(*) AS n FROM ");
  qm__layout_name(b, t->object->name);
  qm__layout_put(b, " AS t LEFT JOIN item ON item.value = t.");
  put_column(b, t, p);
  qm__layout_put(b, " GROUP BY 1, 2");
  o->sql = qm__layout_text(l, b);
  return o->sql ? QM_OK : QM_ENOMEM;
}

/* ---- open: in no final state ---- */

static void put_open(qm_buf *b, const qm_field_def *f, const qm__ptable *t) {
  const qm__pfield *p = field_at(t, f->number);
  int first = 1;
  qm__layout_put(b, "(");
  put_column(b, t, p);
  qm__layout_put(b, " IS NULL OR ");
  put_column(b, t, p);
  qm__layout_put(b, " NOT IN (");
  for (uint32_t i = 0; i < f->n_items; i++) {
    if (!qm_field_final(f, i)) continue;
    if (!first) qm_buf_byte(b, ',');
    qm__layout_literal(b, f->items[i].name);
    first = 0;
  }
  qm__layout_put(b, "))");
}

/* Today where the schema's first calendar is, else at UTC+8: never in the device's zone. */
static void put_today(qm_buf *b, const qm__lineage *g) {
  char text[96];
  int offset = g->schema->n_calendars ? (int)g->schema->calendars[0].offset : QM_OFFSET_DEFAULT;
  sqlite3_snprintf(sizeof text, text, "date('now', '%+d minutes', (SELECT offset_ms / 1000"
                                      " FROM _clock) || ' seconds')", offset);
  qm__layout_put(b, text);
}

/* `due`: a date of it has come. NULL: all that are open. */
static int open_view(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                     const qm_field_def *state, const qm_field_def *due, const qm__ptable *t) {
  qm__object *o;
  const qm__pfield *p = due ? field_at(t, due->number) : NULL;
  const char *wanted = wanted_name(l, b, t->object->name, due, due ? "_due" : "_open");
  if (!wanted) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "view", g, c, due, wanted, &o));
  qm__layout_put(b, "CREATE VIEW ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, due ? " AS SELECT CAST(julianday(" : " AS SELECT *");
  if (due) put_today(b, g);
  if (due) qm__layout_put(b, ") - julianday(");
  if (due) put_column(b, t, p);
  qm__layout_put(b, due ? ") AS INTEGER) AS _days, * FROM " : " FROM ");
  qm__layout_name(b, t->object->name);
  qm__layout_put(b, " WHERE ");
  put_open(b, state, t);
  if (due) {
    qm__layout_put(b, " AND ");
    put_column(b, t, p);
    qm__layout_put(b, " <= ");
    put_today(b, g);
  }
  o->sql = qm__layout_text(l, b);
  return o->sql ? QM_OK : QM_ENOMEM;
}

/* ---- balances of a log: of its numbers, or of "amount" in its maps ---- */

/* Two who were apart may reverse one entry each: the first one counts. */
static void put_once(qm_buf *b, const qm__object *log) {
  qm__layout_put(b, " AND NOT EXISTS (SELECT 1 FROM ");
  qm__layout_name(b, log->name);
  qm__layout_put(b, " AS f WHERE f._row = e._row AND f._reverses = e._reverses AND f._n < e._n)");
}

static int balance_view(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                        const qm_field_def *f, const qm__ptable *t) {
  qm__object *o;
  const qm__pfield *p = field_at(t, f->number);
  const char *wanted = wanted_name(l, b, t->object->name, f, "_balance");
  /* A view may not call JSON functions where the schema of a file is not trusted. */
  const char *amount = "e.amount";
  if (!wanted) return QM_ENOMEM;
  QM_TRY(qm__layout_object(l, "view", g, c, f, wanted, &o));
  qm__layout_put(b, "CREATE VIEW ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " AS SELECT t._row, t._space, t._id, count(");
  qm__layout_put(b, amount);
  qm__layout_put(b, ") AS entries, coalesce(sum(");
  qm__layout_put(b, amount);
  qm__layout_put(b, "), 0) AS balance FROM ");
  qm__layout_name(b, t->object->name);
  qm__layout_put(b, " AS t LEFT JOIN ");
  qm__layout_name(b, p->child->name);
  qm__layout_put(b, " AS e ON e._row = t._row");
  if (p->ledger) put_once(b, p->child);
  qm__layout_put(b, " GROUP BY t._row");
  o->sql = qm__layout_text(l, b);
  return o->sql ? QM_OK : QM_ENOMEM;
}

static int has_column(const qm__ptable *t, const qm_field_def *f) {
  return field_at(t, f->number)->column != QM__NO_COLUMN;
}

static int make_views(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                      const qm__ptable *t) {
  const qm_field_def *state = NULL;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    int amounts = f->value == QM_VALUE_MAP || f->value == QM_VALUE_INT ||
                  f->value == QM_VALUE_NUMBER;
    if (f->type == QM_FIELD_STATE && f->n_items && has_column(t, f)) {
      if (!state) state = f;
      QM_TRY(counts_view(l, b, g, c, f, t));
    }
    if (f->type == QM_FIELD_LOG && amounts) QM_TRY(balance_view(l, b, g, c, f, t));
  }
  if (!state) return QM_OK;
  QM_TRY(open_view(l, b, g, c, state, NULL, t));
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    if (f->type == QM_FIELD_REGISTER && f->value == QM_VALUE_DATE && has_column(t, f))
      QM_TRY(open_view(l, b, g, c, state, f, t));
  }
  return QM_OK;
}

int qm__layout_views(qm__layout *l, const qm__lineage *g, const qm_collection_def *c,
                     const qm__ptable *t) {
  qm_buf b;
  qm_buf_init(&b, l->arena.env, (size_t)4 << 20);
  int rc = make_views(l, &b, g, c, t);
  qm_buf_free(&b);
  return rc;
}
