/* project.c: see project.h. When tables are made and filled; project_row.c fills one
 * record's rows. */
#include "adapters/sqlite/project.h"

#include <string.h>

#include "adapters/sqlite/fts_token.h"
#include "adapters/sqlite/project_impl.h"
#include "adapters/sqlite/store_sqlite_impl.h"

#define LAYOUT_MAX ((size_t)256 << 20)
#define SEARCH_TEXT_MAX (QM_RECORD_MAX * 2) /* of one record */

/* ---- the layout ---- */

/* Of the schema, of how this program lays it out, and of the name in _spaces. */
static void hash_schema(const qm_space *s, uint8_t out[16]) {
  uint8_t version = QM__PROJECT_VERSION;
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, &version, 1);
  qm_sha_add(&sha, s->schema_bytes.p, s->schema_bytes.n);
  qm_sha_add(&sha, s->name.p, s->name.n);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 16);
}

static int list_spaces(qm_projection *p) {
  qm__layout *l = &p->layout;
  uint32_t n = qm_engine_space_count(p->engine);
  l->spaces = qm_arena_zero(&l->arena, (size_t)n * sizeof *l->spaces + 1);
  if (!l->spaces) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    const qm_space *s = qm_engine_space_at(p->engine, i);
    uint32_t at = l->n_spaces++; /* into its place by number */
    for (; at && l->spaces[at - 1].number > s->number; at--) l->spaces[at] = l->spaces[at - 1];
    qm__pspace *x = &l->spaces[at];
    memset(x, 0, sizeof *x);
    x->number = s->number;
    x->id = s->id;
    x->name = s->name;
    x->bytes = s->schema_bytes;
    x->schema = s->schema;
    hash_schema(s, x->hash);
  }
  return QM_OK;
}

static int make_layout(qm_projection *p) {
  qm__layout_free(&p->layout);
  qm_arena_init(&p->layout.arena, p->env, LAYOUT_MAX);
  p->layout.db = p->db;
  QM_TRY(list_spaces(p));
  return qm__layout_make(&p->layout);
}

/* What borrows from the engine must not be looked at later. */
static void forget_borrowed(qm__layout *l) {
  for (uint32_t i = 0; i < l->n_spaces; i++) {
    l->spaces[i].schema = NULL;
    l->spaces[i].name = l->spaces[i].bytes = qm_slice_of(NULL, 0);
  }
  for (uint32_t i = 0; i < l->n_lineages; i++) l->lineages[i].schema = NULL;
}

/* ---- what stands for what ---- */

typedef struct standing {
  uint32_t space;
  uint8_t hash[16], digest[16];
} standing;

/* What _spaces says, in the layout's arena. */
static int load_standings(qm_projection *p, standing **out, uint32_t *n) {
  qm_arena *a = &p->layout.arena;
  uint32_t cap = 0;
  sqlite3_stmt *st;
  int row = 0;
  *out = NULL;
  *n = 0;
  QM_TRY(qm__db_start(p->db, QM__SQL_SPACES_LIST, NULL, 0, &st));
  int rc = qm__db_step(p->db, st, &row);
  while (rc == QM_OK && row) {
    if (*n == cap) {
      *out = qm_arena_grow(a, *out, cap, cap ? cap * 2 : 16, sizeof **out);
      cap = cap ? cap * 2 : 16;
      if (!*out) rc = QM_ENOMEM;
    }
    if (rc == QM_OK) {
      standing *x = &(*out)[(*n)++];
      x->space = qm__db_u32(st, 0);
      rc = qm__db_fixed(st, 1, x->hash, 16);
      if (rc == QM_OK) rc = qm__db_fixed(st, 2, x->digest, 16);
    }
    if (rc == QM_OK) rc = qm__db_step(p->db, st, &row);
  }
  qm__db_end(p->db, QM__SQL_SPACES_LIST, st);
  return rc;
}

static void digest_of(const qm_space *s, uint8_t out[16]) {
  qm_digest d;
  qm_space_digest(s, &d);
  qm_digest_bytes(&d, out);
}

static qm_space *space_numbered(qm_projection *p, uint32_t number) {
  const qm__pspace *x = qm__layout_space(&p->layout, number);
  return x ? qm_engine_space(p->engine, &x->id) : NULL;
}

/* ---- filling ---- */

static int exec_range(qm_projection *p, const char *table, int64_t first, int64_t last) {
  char *text = sqlite3_mprintf("DELETE FROM \"%w\" WHERE _row BETWEEN %lld AND %lld", table,
                               (long long)first, (long long)last);
  if (!text) return QM_ENOMEM;
  int rc = qm__db_error(p->db, sqlite3_exec(p->db->h, text, NULL, NULL, NULL));
  sqlite3_free(text);
  return rc;
}

/* Takes all rows of a space out, whatever lineage it was in. */
static int clear_space(qm_projection *p, uint32_t number) {
  const qm__layout *l = &p->layout;
  int64_t first = qm__row_first(number, 0), last = qm__row_first(number + 1, 0) - 1;
  for (uint32_t i = 0; i < l->n_objects; i++)
    if (strcmp(l->objects[i]->kind, "view") != 0)
      QM_TRY(exec_range(p, l->objects[i]->name, first, last));
  QM_TRY(qm__db_run(p->db, QM__SQL_MERGED_CLEAR, QM__ARGS(qm__int(number))));
  QM_TRY(qm__project_alike_clear(p, number));
  return qm__project_search_clear(p, first, last);
}

typedef struct filling {
  qm_projection *p;
  qm_space *s;
  qm_arena arena;
} filling;

static int fill_row(void *payload, const qm_record_row *row) {
  filling *f = payload;
  qm_record r;
  qm_arena_reset(&f->arena);
  int rc = qm_record_decode(&r, &row->id, row->state, &f->s->authors, &f->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  return qm__project_fill(f->p, f->s, &r);
}

static int fill_space(qm_projection *p, qm_space *s) {
  filling f = {.p = p, .s = s};
  qm_arena_init(&f.arena, p->env, QM_RECORD_ARENA);
  p->all = 1;
  int rc = p->store->ops->record_scan(p->store, s->number, 0, NULL, SIZE_MAX, fill_row, &f);
  p->all = 0;
  qm_arena_free(&f.arena);
  return rc;
}

static int note_space(qm_projection *p, const qm__pspace *x, const qm_space *s) {
  char id[32];
  uint8_t digest[16];
  qm_base32(id, x->id.b, sizeof x->id.b);
  digest_of(s, digest);
  return qm__db_run(
      p->db, QM__SQL_SPACES_PUT,
      QM__ARGS(qm__int(x->number), qm__text(id), qm__string(s->name),
               qm__text(x->lineage ? x->lineage->name : NULL),
               qm__int(s->schema ? s->schema->version : 0), qm__blob(x->hash, sizeof x->hash),
               qm__blob(digest, sizeof digest)));
}

/* Is a table of the space's lineage empty because it was just made? */
static int has_fresh(const qm__pspace *x) {
  for (uint32_t i = 0; x->lineage && i < x->lineage->n_tables; i++) {
    const qm__ptable *t = &x->lineage->tables[i];
    if (t->object->fresh) return 1;
    for (uint32_t k = 0; k < t->n_fields; k++)
      if (t->fields[k].child && t->fields[k].child->fresh) return 1;
    for (uint32_t k = 0; k < t->n_limits; k++)
      if (t->limits[k].object->fresh) return 1;
  }
  return 0;
}

static int stands(const standing *list, uint32_t n, const qm__pspace *x, const qm_space *s) {
  uint8_t digest[16];
  digest_of(s, digest);
  for (uint32_t i = 0; i < n; i++)
    if (list[i].space == x->number)
      return !memcmp(list[i].hash, x->hash, 16) && !memcmp(list[i].digest, digest, 16);
  return 0;
}

static int fill_behind(qm_projection *p) {
  standing *list;
  uint32_t n;
  QM_TRY(load_standings(p, &list, &n));
  for (uint32_t i = 0; i < n; i++) {
    if (qm__layout_space(&p->layout, list[i].space)) continue; /* still there */
    QM_TRY(clear_space(p, list[i].space));
    QM_TRY(qm__db_run(p->db, QM__SQL_SPACES_DROP, QM__ARGS(qm__int(list[i].space))));
  }
  for (uint32_t i = 0; i < p->layout.n_spaces; i++) {
    const qm__pspace *x = &p->layout.spaces[i];
    qm_space *s = space_numbered(p, x->number);
    if (!s || (stands(list, n, x, s) && !has_fresh(x))) continue;
    QM_TRY(clear_space(p, x->number));
    QM_TRY(fill_space(p, s));
    QM_TRY(note_space(p, x, s));
  }
  return QM_OK;
}

static int make_search(qm_projection *p) {
  int64_t there = 0;
  QM_TRY(qm__db_get_int(p->db, QM__SQL_SEARCH_THERE, NULL, 0, &there));
  if (there) return QM_OK;
  return qm__db_error(p->db, sqlite3_exec(p->db->h, qm__sql_search_make, NULL, NULL, NULL));
}

/* Inside a transaction: tables are as the schemas ask, and stand for what the store held
 * when the transaction began. */
static int catch_up(qm_projection *p) {
  QM_TRY(make_layout(p));
  QM_TRY(make_search(p));
  QM_TRY(qm__layout_apply(&p->layout));
  QM_TRY(fill_behind(p));
  forget_borrowed(&p->layout);
  p->stale = 0;
  return QM_OK;
}

/* The same in a transaction of its own, where anything is to be done. */
static int catch_up_alone(qm_projection *p) {
  const qm_store_ops *ops = p->store->ops;
  QM_TRY(ops->begin(p->store));
  int rc = catch_up(p);
  if (rc == QM_OK) {
    rc = ops->commit(p->store, QM_RELAXED, NULL, NULL);
  } else {
    ops->rollback(p->store);
  }
  if (rc != QM_OK) p->stale = 1;
  if (rc != QM_OK) p->noted_known = 0;
  return rc;
}

/* Without writing: is everything as it should be? */
static int look(qm_projection *p, int *current) {
  standing *list;
  uint32_t n;
  int64_t index = 0;
  *current = 0;
  QM_TRY(make_layout(p));
  QM_TRY(load_standings(p, &list, &n));
  QM_TRY(qm__db_get_int(p->db, QM__SQL_SEARCH_THERE, NULL, 0, &index));
  /* Without a space there are no tables yet, and queries find them all the same. */
  int same = index && n == p->layout.n_spaces && p->layout.n_known == p->layout.n_objects;
  for (uint32_t i = 0; i < p->layout.n_objects && same; i++) {
    const qm__object *o = p->layout.objects[i];
    int found = 0;
    for (uint32_t k = 0; k < p->layout.n_known && !found; k++)
      found = !strcmp(p->layout.known[k].name, o->name) && !strcmp(p->layout.known[k].sql, o->sql);
    same = found;
  }
  for (uint32_t i = 0; i < p->layout.n_spaces && same; i++) {
    const qm_space *s = space_numbered(p, p->layout.spaces[i].number);
    same = s && stands(list, n, &p->layout.spaces[i], s);
  }
  forget_borrowed(&p->layout);
  *current = same;
  return QM_OK;
}

/* ---- what the engine says ---- */

static int ready(qm_projection *p) {
  if (!p->stale) return QM_OK;
  p->made = 1;
  return catch_up(p);
}

static int on_record(void *payload, qm_space *s, const qm_record *r) {
  qm_projection *p = payload;
  QM_TRY(ready(p));
  return qm__project_saved(p, s, r);
}

static int on_space(void *payload, qm_space *s) {
  qm_projection *p = payload;
  QM_TRY(ready(p));
  return fill_space(p, s);
}

static int on_saved(void *payload, qm_space *s) {
  qm_projection *p = payload;
  uint8_t digest[16];
  QM_TRY(ready(p));
  if (p->engine->took) QM_TRY(qm__project_took(p));
  digest_of(s, digest);
  return qm__db_run(p->db, QM__SQL_SPACES_DIGEST,
                    QM__ARGS(qm__int(s->number), qm__blob(digest, sizeof digest)));
}

/* A rollback takes rows back with the state they stand for, but tables that were made in it
 * are gone. */
static void on_ended(void *payload, int committed) {
  qm_projection *p = payload;
  if (p->made && !committed) p->stale = 1;
  if (!committed) p->noted_known = 0;
  p->made = 0;
}

static void on_spaces(void *payload) {
  qm_projection *p = payload;
  p->stale = 1;
  if (catch_up_alone(p) != QM_OK)
    qm_log(p->env, QM_LOG_WARN, "projections: behind; tried again before the next save");
}

/* ---- opening ---- */

int qm_projection_open(qm_engine *engine, qm_store *store, qm_projection **out) {
  const qm_env *env = store->env;
  qm_projection *p = qm_alloc_zero(env, sizeof *p);
  int current = 0;
  if (!p) return QM_ENOMEM;
  p->engine = engine;
  p->store = store;
  p->db = &self(store)->db;
  p->env = env;
  qm_arena_init(&p->arena, env, QM_RECORD_ARENA);
  qm_arena_init(&p->classes, env, QM_RECORD_ARENA);
  qm_buf_init(&p->title, env, SEARCH_TEXT_MAX);
  qm_buf_init(&p->body, env, SEARCH_TEXT_MAX);
  qm_buf_init(&p->scratch, env, SEARCH_TEXT_MAX);
  if (qm__fts_register(p->db->h, NULL) != SQLITE_OK) {
    qm_log(env, QM_LOG_ERROR, "projections: this SQLite has no FTS5");
    qm_projection_close(p);
    return QM_EINTERNAL;
  }
  p->stale = look(p, &current) != QM_OK || !current;
  if (p->stale && catch_up_alone(p) != QM_OK)
    qm_log(env, QM_LOG_WARN, "projections: behind; tried again before the next save");
  qm_projector hooks = {p, on_record, on_space, on_saved, on_ended, on_spaces};
  qm_engine_project(engine, &hooks);
  *out = p;
  return QM_OK;
}

void qm_projection_close(qm_projection *p) {
  if (!p) return;
  if (p->store->ops->status(p->store) == QM_OK) (void)qm_projection_index(p);
  qm_engine_project(p->engine, NULL);
  qm__layout_free(&p->layout);
  qm_arena_free(&p->arena);
  qm_arena_free(&p->classes);
  qm_buf_free(&p->title);
  qm_buf_free(&p->body);
  qm_buf_free(&p->scratch);
  qm_free(p->env, p);
}

static int drop_all(qm_projection *p) {
  qm__layout *l = &p->layout;
  QM_TRY(make_layout(p));
  l->n_objects = 0; /* nothing is wanted */
  QM_TRY(qm__layout_apply(l));
  p->noted_known = 0;
  QM_TRY(qm__db_run(p->db, QM__SQL_SEARCH_NEW_END, NULL, 0));
  return qm__db_error(p->db, sqlite3_exec(p->db->h, qm__sql_search_drop, NULL, NULL, NULL));
}

int qm_projection_rebuild(qm_projection *p) {
  const qm_store_ops *ops = p->store->ops;
  QM_TRY(ops->begin(p->store));
  int rc = drop_all(p);
  if (rc == QM_OK) rc = catch_up(p);
  if (rc == QM_OK) rc = qm__project_index(p);
  if (rc == QM_OK) {
    rc = ops->commit(p->store, QM_RELAXED, NULL, NULL);
  } else {
    ops->rollback(p->store);
  }
  p->stale = rc != QM_OK;
  if (rc != QM_OK) p->noted_known = 0;
  return rc;
}

int qm_projection_scrub(qm_projection *p) {
  QM_TRY(qm__project_index(p));
  return qm__db_run(p->db, QM__SQL_SEARCH_OPTIMIZE, NULL, 0);
}

int qm_projection_clock(qm_projection *p, int64_t offset_ms) {
  return qm__db_run(p->db, QM__SQL_CLOCK_PUT, QM__ARGS(qm__int(offset_ms)));
}

int qm_projection_current(qm_projection *p) {
  int current = 0;
  return !p->stale && look(p, &current) == QM_OK && current;
}
