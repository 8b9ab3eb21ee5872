/* project_layout.c: see project_layout.h. Names and tables; the views are in
 * project_views.c. */
#include "adapters/sqlite/project_layout.h"

#include <stdio.h>
#include <string.h>

#include "core/ledger.h"

#define TEXT_MAX ((size_t)4 << 20) /* of one statement */

/* ---- texts ---- */

const char *qm__layout_text(qm__layout *l, qm_buf *b) {
  char *p = qm_buf_status(b) == QM_OK ? qm_arena_alloc(&l->arena, b->n + 1) : NULL;
  if (p) {
    if (b->n) memcpy(p, b->p, b->n);
    p[b->n] = '\0';
  }
  qm_buf_clear(b);
  return p;
}

void qm__layout_put(qm_buf *b, const char *text) { qm_buf_add(b, text, strlen(text)); }

void qm__layout_name(qm_buf *b, const char *name) {
  qm_buf_byte(b, '"');
  for (const char *p = name; *p; p++) {
    if (*p == '"') qm_buf_byte(b, '"'); /* no name has one, see core/schema_check.c */
    qm_buf_byte(b, (uint8_t)*p);
  }
  qm_buf_byte(b, '"');
}

void qm__layout_literal(qm_buf *b, qm_slice text) {
  qm_buf_byte(b, '\'');
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '\'') qm_buf_byte(b, '\'');
    qm_buf_byte(b, text.p[i]);
  }
  qm_buf_byte(b, '\'');
}

static void put_number(qm_buf *b, uint64_t v) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)v);
  qm__layout_put(b, text);
}

static const char *copy(qm__layout *l, qm_slice s) {
  char *p = qm_arena_alloc(&l->arena, s.n + 1);
  if (!p) return NULL;
  if (s.n) memcpy(p, s.p, s.n);
  p[s.n] = '\0';
  return p;
}

/* ---- names ---- */

/* SQLite tells names apart as this does: only ASCII letters have two cases. */
static int same_name(const char *a, const char *b) { return sqlite3_stricmp(a, b) == 0; }

static int is_taken(const qm__layout *l, const char *name, int *taken) {
  *taken = 0;
  for (uint32_t i = 0; i < l->n_objects && !*taken; i++)
    *taken = same_name(l->objects[i]->name, name);
  for (uint32_t i = 0; i < l->n_known && !*taken; i++) *taken = same_name(l->known[i].name, name);
  if (*taken) return QM_OK;
  int64_t found = 0;
  QM_TRY(qm__db_get_int(l->db, QM__SQL_OBJECT_NAMED, QM__ARGS(qm__text(name)), &found));
  *taken = found > 0;
  return QM_OK;
}

/* What begins with _ is ours, what begins with sqlite_ is SQLite's. */
static int is_reserved(const char *name) {
  return name[0] == '_' || sqlite3_strnicmp(name, "sqlite_", 7) == 0;
}

/* S16.3: the wanted name; where it is taken, with the least _2, _3 … that is free. */
static int free_name(qm__layout *l, const char *wanted, const char **out) {
  qm_buf b;
  int taken = 1, rc = QM_OK;
  qm_buf_init(&b, l->arena.env, 1024);
  for (uint32_t k = 1; taken && rc == QM_OK; k++) {
    if (is_reserved(wanted)) qm__layout_put(&b, "t");
    qm__layout_put(&b, wanted);
    if (k > 1) {
      qm__layout_put(&b, "_");
      put_number(&b, k);
    }
    *out = qm__layout_text(l, &b);
    rc = *out ? is_taken(l, *out, &taken) : QM_ENOMEM;
  }
  qm_buf_free(&b);
  return rc;
}

static const qm__known *find_known(const qm__layout *l, const qm__object *o) {
  for (uint32_t i = 0; i < l->n_known; i++) {
    const qm__known *k = &l->known[i];
    if (k->collection == o->collection && k->field == o->field && !strcmp(k->kind, o->kind) &&
        !strcmp(k->lineage, o->lineage))
      return k;
  }
  return NULL;
}

static int add_object(qm__layout *l, qm__object *o) {
  if (l->n_objects == l->cap_objects) {
    uint32_t cap = l->cap_objects ? l->cap_objects * 2 : 32;
    qm__object **p = qm_arena_grow(&l->arena, l->objects, l->cap_objects, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->objects = p;
    l->cap_objects = cap;
  }
  l->objects[l->n_objects++] = o;
  return QM_OK;
}

int qm__layout_object(qm__layout *l, const char *kind, const qm__lineage *g,
                      const qm_collection_def *c, const qm_field_def *f, const char *wanted,
                      qm__object **out) {
  qm__object *o = qm_arena_zero(&l->arena, sizeof *o);
  if (!o) return QM_ENOMEM;
  o->kind = kind;
  o->lineage = g->name;
  o->collection = c->number;
  o->field = f ? f->number : 0;
  o->collection_name = copy(l, c->name);
  o->field_name = f ? copy(l, f->name) : NULL;
  if (!o->collection_name || (f && !o->field_name)) return QM_ENOMEM;
  const qm__known *known = find_known(l, o);
  if (known) {
    o->name = known->name;
    o->ordinal = known->ordinal;
  } else {
    QM_TRY(free_name(l, wanted, &o->name));
    o->ordinal = ++l->last_ordinal;
    if (o->ordinal >= QM__PROJECT_TABLES) return QM_ELIMIT;
  }
  *out = o;
  return add_object(l, o);
}

/* ---- columns ---- */

static const char *sql_type(const qm_field_def *f) {
  if (f->type == QM_FIELD_COUNTER) return "INTEGER";
  switch (f->value) {
    case QM_VALUE_INT: return "INTEGER";
    case QM_VALUE_NUMBER: return "REAL";
    case QM_VALUE_BOOL: return "INTEGER";
    case QM_VALUE_BYTES: return "BLOB";
    case QM_VALUE_ANY: return f->type == QM_FIELD_TEXT ? "TEXT" : "";
    default: return "TEXT";
  }
}

static int is_rows(const qm_field_def *f) {
  return f->type == QM_FIELD_SET || f->type == QM_FIELD_LIST || f->type == QM_FIELD_LOG;
}

/* Of what people look up and put in order. */
static int is_indexed(const qm_collection_def *c, const qm_field_def *f) {
  return f->number == c->key_field || f->type == QM_FIELD_STATE || f->type == QM_FIELD_REF ||
         f->value == QM_VALUE_REF || f->value == QM_VALUE_SPACE_REF || f->value == QM_VALUE_DATE;
}

static uint8_t search_of(const qm_collection_def *c, const qm_field_def *f) {
  int text = f->type == QM_FIELD_TEXT || f->value == QM_VALUE_TEXT || f->value == QM_VALUE_ANY;
  if (!text || f->cls == QM_CLASS_SENSITIVE || (f->flags & QM_FIELD_SEALED)) return QM__SEARCH_NOT;
  if (f->type == QM_FIELD_STATE || f->type == QM_FIELD_COUNTER) return QM__SEARCH_NOT;
  return f->number == c->key_field || (f->flags & QM_FIELD_NAMING) ? QM__SEARCH_TITLE
                                                                    : QM__SEARCH_BODY;
}

/* Names of the columns so far, to find one that is free. */
typedef struct columns { /* 1,900 of each */
  const char *names[QM__PROJECT_COLUMNS];
  const char *types[QM__PROJECT_COLUMNS];
  uint8_t indexed[QM__PROJECT_COLUMNS];
  uint8_t conflicts_indexed;
  uint32_t n;
} columns;

static int column_taken(const columns *cs, const char *name) {
  for (uint32_t i = 0; i < cs->n; i++)
    if (same_name(cs->names[i], name)) return 1;
  return 0;
}

/* S16.4: the field's name; where it is taken, name_NUMBER of the field. */
static int add_column(qm__layout *l, columns *cs, const qm_field_def *f, const char *suffix,
                      const char *type, int indexed) {
  qm_buf b;
  const char *name = NULL;
  qm_buf_init(&b, l->arena.env, 1024);
  for (int tries = 0; tries < 3 && (!name || column_taken(cs, name)); tries++) {
    if (f->name.p[0] == '_') qm__layout_put(&b, "t");
    qm_buf_add(&b, f->name.p, f->name.n);
    qm__layout_put(&b, suffix);
    for (int k = 0; k < tries; k++) {
      qm__layout_put(&b, "_");
      put_number(&b, f->number);
    }
    name = qm__layout_text(l, &b);
    if (!name) break;
  }
  qm_buf_free(&b);
  if (!name) return QM_ENOMEM;
  cs->names[cs->n] = name;
  cs->types[cs->n] = type;
  cs->indexed[cs->n++] = (uint8_t)indexed;
  return QM_OK;
}

static int add_columns(qm__layout *l, columns *cs, const qm_collection_def *c,
                       const qm_field_def *f, qm__pfield *p) {
  uint32_t need = f->value == QM_VALUE_POINT ? 3 : qm_field_proposes(f) ? 2 : 1;
  p->column = QM__NO_COLUMN;
  if (is_rows(f) || cs->n + need > QM__PROJECT_COLUMNS) return QM_OK;
  p->column = cs->n;
  QM_TRY(add_column(l, cs, f, "", sql_type(f), is_indexed(c, f)));
  if (need == 1) return QM_OK;
  p->proposes = need == 2;
  if (need == 2) return add_column(l, cs, f, "_proposed", "INTEGER", 0);
  QM_TRY(add_column(l, cs, f, "_lat", "REAL", 0));
  return add_column(l, cs, f, "_lon", "REAL", 0);
}

/* ---- statements of a main table ---- */

void qm__layout_index(qm_buf *b, const qm__object *o, uint32_t n, const char *column) {
  qm__layout_put(b, ";CREATE INDEX _i");
  put_number(b, o->ordinal);
  qm__layout_put(b, "_");
  put_number(b, n);
  qm__layout_put(b, " ON ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, "(");
  qm__layout_name(b, column);
  qm__layout_put(b, ")");
}

static void put_create(qm_buf *b, const qm__object *o, const columns *cs) {
  qm__layout_put(b, "CREATE TABLE ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, "(_row INTEGER PRIMARY KEY, _space INTEGER NOT NULL, _id TEXT NOT NULL,"
                    " _conflicts INTEGER NOT NULL");
  for (uint32_t i = 0; i < cs->n; i++) {
    qm__layout_put(b, ", ");
    qm__layout_name(b, cs->names[i]);
    if (cs->types[i][0]) qm__layout_put(b, " ");
    qm__layout_put(b, cs->types[i]);
  }
  qm__layout_put(b, ", UNIQUE (_id, _space))");
  for (uint32_t i = 0; i < cs->n; i++)
    if (cs->indexed[i]) qm__layout_index(b, o, i, cs->names[i]);
}

enum { ALL_COLUMNS, PLAIN_COLUMNS, INDEXED_COLUMNS };

/* i = n: _conflicts. */
static int is_of(const columns *cs, uint32_t i, int which) {
  int indexed = (i < cs->n ? cs->indexed[i] : cs->conflicts_indexed) != 0;
  return which == ALL_COLUMNS || (which == INDEXED_COLUMNS) == indexed;
}

static uint32_t count_of(const columns *cs, int which) {
  uint32_t n = 0;
  for (uint32_t i = 0; i <= cs->n; i++) n += is_of(cs, i, which) != 0;
  return n;
}

/* Columns, or their parameters, in brackets: ?5 and on, and ?4 for _conflicts. */
static void put_row(qm_buf *b, const columns *cs, int which, int parameters) {
  const char *before = "(";
  for (uint32_t i = 0; i <= cs->n; i++) {
    if (!is_of(cs, i, which)) continue;
    qm__layout_put(b, before);
    before = ", ";
    if (!parameters) {
      qm__layout_name(b, i < cs->n ? cs->names[i] : "_conflicts");
    } else {
      qm__layout_put(b, "?");
      put_number(b, i < cs->n ? i + 5 : 4);
    }
  }
  qm__layout_put(b, ")");
}

/* Of values: what inserts a query's rows keeps a journal of its own of each page, and of a query
 * on its own table also a table of the rows. */
static void put_insert(qm_buf *b, const qm__object *o, const columns *cs) {
  qm__layout_put(b, "INSERT INTO ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " VALUES ((SELECT coalesce(max(_row) + 1, ?1) FROM ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " WHERE _row BETWEEN ?1 AND ?1 + 4294967295), ?2, ?3, ?4");
  for (uint32_t i = 0; i < cs->n; i++) {
    qm__layout_put(b, ", ?");
    put_number(b, i + 5);
  }
  qm__layout_put(b, ")");
}

/* Writes nothing where everything is as it should be; of PLAIN_COLUMNS also nothing where another
 * column differs. SQLite takes out and puts in again what stands in an index of any column that a
 * statement names. */
static void put_update(qm_buf *b, const qm__object *o, const columns *cs, int which) {
  qm__layout_put(b, "UPDATE ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, " SET ");
  put_row(b, cs, which, 0);
  qm__layout_put(b, " = ");
  put_row(b, cs, which, 1);
  qm__layout_put(b, " WHERE _row = ?1 AND ");
  put_row(b, cs, which, 0);
  qm__layout_put(b, " IS NOT ");
  put_row(b, cs, which, 1);
  if (which == ALL_COLUMNS) return;
  qm__layout_put(b, " AND ");
  put_row(b, cs, INDEXED_COLUMNS, 0);
  qm__layout_put(b, " IS ");
  put_row(b, cs, INDEXED_COLUMNS, 1);
}

/* `text` with the object's name in place of %. */
static const char *named(qm__layout *l, qm_buf *b, const char *text, const char *name) {
  for (; *text; text++) {
    if (*text == '%') qm__layout_name(b, name);
    else qm_buf_byte(b, (uint8_t)*text);
  }
  return qm__layout_text(l, b);
}

/* Values that lost a contest stand in no column: of tables with references the rows that have
 * some are found by this. */
static void put_conflict_index(qm_buf *b, const qm__ptable *t, columns *cs) {
  int any = 0;
  for (uint32_t i = 0; i < t->n_fields; i++)
    any |= t->fields[i].value == QM_VALUE_REF && t->fields[i].column != QM__NO_COLUMN;
  cs->conflicts_indexed = any != 0;
  if (!any) return;
  qm__layout_index(b, t->object, cs->n, "_space");
  qm__layout_put(b, " WHERE _conflicts > 0");
}

static int make_statements(qm__layout *l, qm_buf *b, qm__ptable *t, columns *cs) {
  put_create(b, t->object, cs);
  put_conflict_index(b, t, cs);
  t->object->sql = qm__layout_text(l, b);
  put_insert(b, t->object, cs);
  t->insert.text = qm__layout_text(l, b);
  put_update(b, t->object, cs, ALL_COLUMNS);
  t->update.text = qm__layout_text(l, b);
  if (count_of(cs, PLAIN_COLUMNS) && count_of(cs, INDEXED_COLUMNS)) {
    put_update(b, t->object, cs, PLAIN_COLUMNS);
    t->touch.text = qm__layout_text(l, b);
    if (!t->touch.text) return qm_buf_status(b) == QM_OK ? QM_ENOMEM : qm_buf_status(b);
  }
  t->find.text =
      named(l, b, "SELECT _row FROM % WHERE _id = ?1 AND _space = ?2", t->object->name);
  t->drop.text = named(l, b, "DELETE FROM % WHERE _row = ?1", t->object->name);
  return t->object->sql && t->insert.text && t->update.text && t->find.text && t->drop.text
             ? QM_OK
             : QM_ENOMEM;
}

/* ---- children ---- */

static void put_child(qm_buf *b, const qm__object *o, const qm_field_def *f) {
  qm__layout_put(b, "CREATE TABLE ");
  qm__layout_name(b, o->name);
  qm__layout_put(b, "(_row INTEGER NOT NULL, _n INTEGER NOT NULL, value");
  if (sql_type(f)[0]) qm__layout_put(b, " ");
  qm__layout_put(b, sql_type(f));
  if (f->type == QM_FIELD_LOG)
    qm__layout_put(b, ", _time INTEGER, _device TEXT, _author INTEGER, _counter INTEGER, amount");
  if (qm_is_ledger(f)) qm__layout_put(b, ", _entry TEXT, _reverses TEXT");
  qm__layout_put(b, ", PRIMARY KEY (_row, _n)) WITHOUT ROWID");
  if (f->type == QM_FIELD_SET || f->value == QM_VALUE_REF) qm__layout_index(b, o, 0, "value");
  if (qm_is_ledger(f)) qm__layout_index(b, o, 0, "_reverses");
}

static int make_child(qm__layout *l, qm_buf *b, const qm__lineage *g, const qm_collection_def *c,
                      const qm_field_def *f, const qm__ptable *t, qm__pfield *p) {
  qm__layout_put(b, t->object->name);
  qm__layout_put(b, "_");
  qm_buf_add(b, f->name.p, f->name.n);
  const char *wanted = qm__layout_text(l, b);
  if (!wanted) return QM_ENOMEM;
  const char *kind = f->type == QM_FIELD_SET ? "set" : f->type == QM_FIELD_LOG ? "log" : "list";
  QM_TRY(qm__layout_object(l, kind, g, c, f, wanted, &p->child));
  put_child(b, p->child, f);
  p->child->sql = qm__layout_text(l, b);
  p->ledger = (uint8_t)qm_is_ledger(f);
  p->put.text = named(l, b,
                      p->ledger ? "INSERT OR REPLACE INTO % VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                                  " ?8, ?9, ?10)"
                      : f->type == QM_FIELD_LOG
                          ? "INSERT OR REPLACE INTO % VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                          : "INSERT OR REPLACE INTO % VALUES (?1, ?2, ?3)",
                      p->child->name);
  p->read.text = named(l, b, "SELECT value FROM % WHERE _row = ?1 ORDER BY _n", p->child->name);
  p->cut.text = named(l, b, "DELETE FROM % WHERE _row = ?1 AND _n >= ?2", p->child->name);
  if (f->type == QM_FIELD_LOG)
    p->last.text = named(l, b,
                         "SELECT _n, _author, _counter FROM % WHERE _row = ?1"
                         " ORDER BY _n DESC LIMIT 1",
                         p->child->name);
  return p->child->sql && p->put.text && p->read.text && p->cut.text &&
                 (p->last.text || f->type != QM_FIELD_LOG)
             ? QM_OK
             : QM_ENOMEM;
}

/* ---- references ---- */

static int make_refs(qm__layout *l, qm_buf *b, const qm__ptable *t, qm__pfield *p) {
  if (p->value != QM_VALUE_REF || (!p->child && p->column == QM__NO_COLUMN)) return QM_OK;
  if (p->child) {
    qm__layout_put(b, "SELECT DISTINCT m._id FROM ");
    qm__layout_name(b, p->child->name);
    qm__layout_put(b, " c JOIN ");
    qm__layout_name(b, t->object->name);
    qm__layout_put(b, " m ON m._row = c._row WHERE c.value = ?1 AND m._space = ?2");
  } else {
    qm__layout_put(b, "SELECT _id FROM ");
    qm__layout_name(b, t->object->name);
    qm__layout_put(b, " WHERE ");
    qm__layout_name(b, t->columns[p->column]);
    qm__layout_put(b, " = ?1 AND _space = ?2 UNION SELECT _id FROM ");
    qm__layout_name(b, t->object->name);
    qm__layout_put(b, " WHERE _conflicts > 0 AND _space = ?2");
  }
  p->refs.text = qm__layout_text(l, b);
  return p->refs.text ? QM_OK : QM_ENOMEM;
}

/* ---- tables ---- */

static int make_table(qm__layout *l, qm_buf *b, columns *cs, const qm__lineage *g,
                      const qm_collection_def *c, qm__ptable *t) {
  const char *wanted = copy(l, c->name);
  if (!wanted) return QM_ENOMEM;
  t->collection = c->number;
  QM_TRY(qm__layout_object(l, "table", g, c, NULL, wanted, &t->object));
  t->n_fields = c->n_fields;
  t->fields = qm_arena_zero(&l->arena, (size_t)c->n_fields * sizeof *t->fields + 1);
  if (!t->fields) return QM_ENOMEM;
  cs->n = 0;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    qm__pfield *p = &t->fields[i];
    p->number = f->number;
    p->type = f->type;
    p->value = f->value;
    p->search = search_of(c, f);
    QM_TRY(add_columns(l, cs, c, f, p));
    if (is_rows(f)) QM_TRY(make_child(l, b, g, c, f, t, p));
  }
  t->n_columns = cs->n;
  t->columns = qm_arena_copy(&l->arena, cs->names, (size_t)cs->n * sizeof *cs->names);
  if (!t->columns) return QM_ENOMEM;
  QM_TRY(make_statements(l, b, t, cs));
  for (uint32_t i = 0; i < t->n_fields; i++) QM_TRY(make_refs(l, b, t, &t->fields[i]));
  QM_TRY(qm__layout_views(l, g, c, t));
  QM_TRY(qm__layout_clashes(l, g, c, t));
  return qm__layout_limits(l, g, c, t);
}

static int make_lineage(qm__layout *l, qm_buf *b, columns *cs, qm__lineage *g) {
  g->n_tables = g->schema->n_collections;
  g->tables = qm_arena_zero(&l->arena, (size_t)g->n_tables * sizeof *g->tables + 1);
  if (!g->tables) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_tables; i++)
    QM_TRY(make_table(l, b, cs, g, &g->schema->collections[i], &g->tables[i]));
  return QM_OK;
}

/* ---- lineages ---- */

/* Does one of them continue the other, or are they the same? */
static int continues(const qm_schema *a, const qm_schema *b, const qm__pspace *x,
                     const qm__pspace *y) {
  if (a->version == b->version) return qm_slice_cmp(x->bytes, y->bytes) == 0;
  return qm_schema_grows(a->version < b->version ? a : b, a->version < b->version ? b : a, NULL) ==
         QM_OK;
}

/* The newest schema leads its lineage. */
static int join_lineage(qm__layout *l, uint32_t at, qm_buf *b) {
  qm__pspace *s = &l->spaces[at];
  for (uint32_t i = 0; i < at; i++) {
    const qm__pspace *o = &l->spaces[i];
    if (!o->lineage || qm_slice_cmp(o->schema->name, s->schema->name) != 0) continue;
    if (!continues(o->schema, s->schema, o, s)) continue;
    s->lineage = o->lineage;
    if (s->schema->version > s->lineage->schema->version) s->lineage->schema = s->schema;
    return QM_OK;
  }
  s->lineage = &l->lineages[l->n_lineages++];
  qm_buf_add(b, s->schema->name.p, s->schema->name.n);
  for (uint32_t i = 0; i + 1 < l->n_lineages; i++) {
    const qm_schema *held = l->lineages[i].schema;
    if (qm_slice_cmp(held->name, s->schema->name) != 0) continue;
    qm__layout_put(b, "#");
    put_number(b, s->number);
    break;
  }
  s->lineage->name = qm__layout_text(l, b);
  s->lineage->schema = s->schema;
  return s->lineage->name ? QM_OK : QM_ENOMEM;
}

/* ---- what is there ---- */

static int take_known(qm__layout *l, sqlite3_stmt *st) {
  if (l->n_known == l->cap_known) {
    uint32_t cap = l->cap_known ? l->cap_known * 2 : 32;
    qm__known *p = qm_arena_grow(&l->arena, l->known, l->cap_known, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    l->known = p;
    l->cap_known = cap;
  }
  qm__known *k = &l->known[l->n_known++];
  k->name = copy(l, qm__db_blob(st, 0));
  k->kind = copy(l, qm__db_blob(st, 1));
  k->lineage = copy(l, qm__db_blob(st, 2));
  k->collection = qm__db_u32(st, 3);
  k->field = qm__db_u32(st, 4);
  k->ordinal = qm__db_u32(st, 5);
  k->sql = copy(l, qm__db_blob(st, 6));
  if (k->ordinal > l->last_ordinal) l->last_ordinal = k->ordinal;
  return k->name && k->kind && k->lineage && k->sql ? QM_OK : QM_ENOMEM;
}

static int load_known(qm__layout *l) {
  sqlite3_stmt *st;
  QM_TRY(qm__db_start(l->db, QM__SQL_TABLES_LIST, NULL, 0, &st));
  int row = 0, rc = qm__db_step(l->db, st, &row);
  while (rc == QM_OK && row) {
    rc = take_known(l, st);
    if (rc == QM_OK) rc = qm__db_step(l->db, st, &row);
  }
  qm__db_end(l->db, QM__SQL_TABLES_LIST, st);
  return rc;
}

int qm__layout_make(qm__layout *l) {
  qm_buf b;
  QM_TRY(load_known(l));
  l->lineages = qm_arena_zero(&l->arena, (size_t)l->n_spaces * sizeof *l->lineages + 1);
  columns *cs = qm_arena_alloc(&l->arena, sizeof *cs);
  if (!l->lineages || !cs) return QM_ENOMEM;
  qm_buf_init(&b, l->arena.env, TEXT_MAX);
  int rc = QM_OK;
  for (uint32_t i = 0; i < l->n_spaces && rc == QM_OK; i++) {
    if (l->spaces[i].number >= QM__PROJECT_SPACES) rc = QM_ELIMIT;
    else if (l->spaces[i].schema) rc = join_lineage(l, i, &b);
  }
  for (uint32_t i = 0; i < l->n_lineages && rc == QM_OK; i++)
    rc = make_lineage(l, &b, cs, &l->lineages[i]);
  qm_buf_free(&b);
  return rc;
}

/* ---- making them ---- */

static int exec(qm__db *db, const char *text) {
  return qm__db_error(db, sqlite3_exec(db->h, text, NULL, NULL, NULL));
}

static int is_view(const char *kind) { return strcmp(kind, "view") == 0; }

static int drop_known(qm__layout *l, const qm__known *k) {
  qm_buf b;
  qm_buf_init(&b, l->arena.env, TEXT_MAX);
  qm__layout_put(&b, is_view(k->kind) ? "DROP VIEW IF EXISTS " : "DROP TABLE IF EXISTS ");
  qm__layout_name(&b, k->name);
  qm_buf_byte(&b, 0);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = exec(l->db, (const char *)b.p);
  if (rc == QM_OK)
    rc = qm__db_run(l->db, QM__SQL_TABLES_DROP, QM__ARGS(qm__text(k->name)));
  qm_buf_free(&b);
  return rc;
}

static int create(qm__layout *l, const qm__object *o) {
  QM_TRY(exec(l->db, o->sql));
  return qm__db_run(l->db, QM__SQL_TABLES_PUT,
                    QM__ARGS(qm__text(o->name), qm__text(o->kind), qm__text(o->lineage),
                             qm__int(o->collection), qm__int(o->field), qm__int(o->ordinal),
                             qm__text(o->sql), qm__text(o->collection_name),
                             qm__text(o->field_name)));
}

static qm__object *wanted(const qm__layout *l, const qm__known *k) {
  for (uint32_t i = 0; i < l->n_objects; i++)
    if (strcmp(l->objects[i]->name, k->name) == 0) return l->objects[i];
  return NULL;
}

/* Views go first and come last: they name the tables. */
int qm__layout_apply(qm__layout *l) {
  for (uint32_t i = 0; i < l->n_objects; i++) l->objects[i]->fresh = 1;
  for (int tables = 0; tables < 2; tables++) {
    for (uint32_t i = 0; i < l->n_known; i++) {
      const qm__known *k = &l->known[i];
      qm__object *o = wanted(l, k);
      if (is_view(k->kind) == tables) continue;
      if (o && strcmp(o->sql, k->sql) == 0) o->fresh = 0;
      else QM_TRY(drop_known(l, k));
    }
  }
  for (int views = 0; views < 2; views++)
    for (uint32_t i = 0; i < l->n_objects; i++)
      if (l->objects[i]->fresh && is_view(l->objects[i]->kind) == views)
        QM_TRY(create(l, l->objects[i]));
  return QM_OK;
}

/* ---- looking up ---- */

qm__pspace *qm__layout_space(const qm__layout *l, uint32_t number) {
  uint32_t lo = 0, hi = l->n_spaces;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (l->spaces[mid].number == number) return &l->spaces[mid];
    if (l->spaces[mid].number < number) lo = mid + 1;
    else hi = mid;
  }
  return NULL;
}

qm__ptable *qm__layout_table(const qm__lineage *g, uint32_t collection) {
  uint32_t lo = 0, hi = g->n_tables;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (g->tables[mid].collection == collection) return &g->tables[mid];
    if (g->tables[mid].collection < collection) lo = mid + 1;
    else hi = mid;
  }
  return NULL;
}

int qm__made_start(qm__db *db, qm__made *m, sqlite3_stmt **out) {
  *out = NULL;
  if (!m->st) {
    int rc = sqlite3_prepare_v3(db->h, m->text, -1, SQLITE_PREPARE_PERSISTENT, &m->st, NULL);
    if (rc != SQLITE_OK) return qm__db_error(db, rc);
  }
  *out = m->st;
  return QM_OK;
}

static void finalize(qm__made *m) {
  sqlite3_finalize(m->st);
  m->st = NULL;
}

void qm__layout_free(qm__layout *l) {
  for (uint32_t i = 0; i < l->n_lineages; i++) {
    for (uint32_t k = 0; k < l->lineages[i].n_tables && l->lineages[i].tables; k++) {
      qm__ptable *t = &l->lineages[i].tables[k];
      finalize(&t->find), finalize(&t->insert), finalize(&t->update), finalize(&t->drop);
      finalize(&t->touch);
      for (uint32_t n = 0; n < t->n_fields && t->fields; n++) {
        qm__pfield *f = &t->fields[n];
        finalize(&f->put), finalize(&f->read), finalize(&f->cut), finalize(&f->last);
        finalize(&f->refs);
      }
      for (uint32_t n = 0; n < t->n_limits && t->limits; n++)
        finalize(&t->limits[n].put), finalize(&t->limits[n].drop);
    }
  }
  if (l->arena.env) qm_arena_free(&l->arena);
  memset(l, 0, sizeof *l);
}
