/* handle.c: opening and closing a database, taking turns, and what every call needs. */
#include "adapters/handle/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/hash.h"
#include "core/norm.h"
#include "core/space.h"

#define VERSION "0.1.0"

uint32_t qm_abi(void) { return QM_ABI; }
const char *qm_version(void) { return VERSION; }
qm_slice qm_str(const char *text) { return qm_slice_of(text, text ? strlen(text) : 0); }

/* Results are libc's memory: they outlive the handle that made them. */
void qm_text_free(qm_text *text) {
  if (!text) return;
  free(text->p);
  text->p = NULL;
  text->n = 0;
}

size_t qm_columns(qm_slice text) {
  return qm_utf8_check(text, NULL) ? qm_text_columns(text) : text.n;
}

int qm__handle_result(qm_buf *b, qm_text *out, qm_error *e) {
  qm_buf_byte(b, 0);
  int rc = qm_buf_status(b);
  if (rc != QM_OK) {
    qm_buf_free(b);
    return qm_fail(e, rc, "the result: %s", qm_err_text(rc));
  }
  const qm_db *db = b->env->payload; /* NULL: what needs no handle */
  out->n = b->n - 1;
  if (!db || !db->options.allocate) {
    out->p = (char *)b->p; /* libc's already */
    b->p = NULL;
    b->n = b->cap = 0;
    return QM_OK;
  }
  out->p = malloc(b->n);
  if (out->p) memcpy(out->p, b->p, b->n);
  qm_buf_free(b);
  return out->p ? QM_OK : qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
}

/* ---- meta ---- */

int qm__handle_meta_get(qm_db *db, const char *key, qm_buf *out) {
  return db->store->ops->meta_get(db->store, qm_str(key), out);
}

int qm__handle_meta_put(qm_db *db, const qm_meta_pair *pairs, size_t n) {
  qm_store *s = db->store;
  QM_TRY(s->ops->begin(s));
  int rc = QM_OK;
  for (size_t i = 0; i < n && rc == QM_OK; i++)
    rc = s->ops->meta_put(s, pairs[i].key, pairs[i].value);
  if (rc == QM_OK) return s->ops->commit(s, QM_DURABLE, NULL, NULL);
  s->ops->rollback(s);
  return rc;
}

/* ---- store, key, engine ---- */

static int open_store(qm_db *db, qm_error *e) {
  unsigned flags = 0;
  if (db->options.flags & QM_OPEN_CREATE) flags |= QM_SQLITE_CREATE;
  if (db->options.flags & QM_OPEN_READONLY) flags = QM_SQLITE_READONLY;
  if (db->options.flags & QM_OPEN_CHECK) flags |= QM_SQLITE_CHECK;
  return qm_store_sqlite_open(&db->env, db->options.path, flags, &db->store, e);
}

/* The device is made with its database: what is written before it is enrolled is its own. */
static int open_key(qm_db *db, qm_error *e) {
  qm_key *key = NULL;
  int rc = qm__handle_key(db, &key, e);
  if (rc != QM_OK) return rc;
  qm_key_free(db->key);
  db->key = key;
  return QM_OK;
}

/* The mark stays: whoever opens the file later must know that its data is invented. */
static int open_test_data(qm_db *db) {
  qm_buf b;
  qm_buf_init(&b, &db->env, 64);
  int rc = qm__handle_meta_get(db, QM_META_TEST_DATA, &b);
  qm_buf_free(&b);
  db->test_data = rc == QM_OK;
  if (rc != QM_ENOTFOUND || !(db->options.flags & QM_OPEN_TEST_DATA))
    return rc == QM_ENOTFOUND ? QM_OK : rc;
  qm_meta_pair pair = {qm_str(QM_META_TEST_DATA), qm_str("1")};
  QM_TRY(qm__handle_meta_put(db, &pair, 1));
  db->test_data = 1;
  return QM_OK;
}

void qm__handle_close_all(qm_db *db) {
  qm_projection_close(db->projection);
  db->projection = NULL;
  qm_engine_close(db->engine);
  if (db->store) db->store->ops->close(db->store);
  db->engine = NULL;
  db->store = NULL;
}

int qm__handle_home(qm_db *db) {
  qm_buf b;
  qm_id home;
  qm_buf_init(&b, &db->env, 64);
  int rc = qm__handle_meta_get(db, QM_META_HUB_ID, &b);
  if (rc == QM_OK && b.n != sizeof home.b) rc = QM_ECORRUPT;
  if (rc == QM_OK) {
    memcpy(home.b, b.p, sizeof home.b);
    qm_engine_home(db->engine, &home);
  }
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

int qm__handle_open_all(qm_db *db, qm_error *e) {
  qm_engine_options options = {.size = sizeof options, .flags = QM_ENGINE_FEED | QM_ENGINE_INBOX};
  int rc = open_store(db, e);
  if (rc == QM_OK) rc = open_key(db, e);
  if (rc == QM_OK && (rc = open_test_data(db)) != QM_OK) qm_fail(e, rc, "%s", qm_err_text(rc));
  if (rc == QM_OK) {
    options.device = *qm_key_device(db->key);
    rc = qm_engine_open(&db->engine, &db->env, db->store, &options, e);
    if (rc == QM_OK) qm_engine_files(db->engine, qm__handle_file_here, db);
  }
  if (rc == QM_OK && (rc = qm__handle_home(db)) != QM_OK)
    qm_fail(e, rc, "the enrolment: %s", qm_err_text(rc));
  if (rc == QM_OK && !(db->options.flags & QM_OPEN_READONLY) &&
      (rc = qm_projection_open(db->engine, db->store, &db->projection)) != QM_OK)
    qm_fail(e, rc, "the tables for reports: %s", qm_err_text(rc));
  if (rc != QM_OK) qm__handle_close_all(db);
  return rc;
}

int qm__handle_reopen(qm_db *db, qm_error *e) {
  if (db->tx || db->syncing) return qm_fail(e, QM_EBUSY, "%s", qm_err_text(QM_EBUSY));
  qm__handle_close_all(db);
  return qm__handle_open_all(db, e);
}

/* What another process wrote may name authors that are not known here yet, which looks like
 * damage: read anew, once, before saying so. */
int qm__handle_again(qm_db *db, int rc, int *tried) {
  if (rc != QM_ECORRUPT || *tried || db->tx || db->syncing) return 0;
  *tried = 1;
  return qm__handle_reopen(db, NULL) == QM_OK;
}

static void free_handle(qm_db *db) {
  const qm_options options = db->options;
  qm__handle_realloc(&options, (char *)(uintptr_t)options.path, 0);
  qm__handle_realloc(&options, db, 0);
}

static void destroy(qm_db *db) {
  qm_query_close(db->query);
  qm__handle_close_all(db);
  qm__handle_tx_drop_ended(db);
  qm_key_free(db->key);
  if (db->ticket.p) qm_wipe(db->ticket.p, db->ticket.n);
  if (db->ticket.env) qm_buf_free(&db->ticket);
  qm__events_free(db);
  pthread_cond_destroy(&db->ended);
  pthread_cond_destroy(&db->changed);
  pthread_mutex_destroy(&db->mutex);
  pthread_mutex_destroy(&db->query_mutex);
  free_handle(db);
}

static int init_locks(qm_db *db) {
  if (pthread_mutex_init(&db->query_mutex, NULL) != 0) return QM_ENOMEM;
  if (pthread_mutex_init(&db->mutex, NULL) != 0) {
    pthread_mutex_destroy(&db->query_mutex);
    return QM_ENOMEM;
  }
  if (qm__wait_init(&db->ended) == QM_OK) {
    if (qm__wait_init(&db->changed) == QM_OK) {
      if (qm__events_init(&db->events) == QM_OK) return QM_OK;
      pthread_cond_destroy(&db->changed);
    }
    pthread_cond_destroy(&db->ended);
  }
  pthread_mutex_destroy(&db->mutex);
  pthread_mutex_destroy(&db->query_mutex);
  return QM_ENOMEM;
}

static int check_new(const qm_options *o, qm_error *e) {
  if (!(o->flags & QM_OPEN_NEW)) return QM_OK;
  if (access(o->path, F_OK) == 0)
    return qm_fail(e, QM_EEXIST, "there is a database at this path already");
  return QM_OK;
}

int32_t qm_open(const qm_options *options, qm_db **out, qm_error *e) {
  if (!out || !options) return qm_fail(e, QM_EINVAL, "open: an argument is missing");
  qm_options own;
  QM_TRY(qm__handle_options_copy(options, &own, e));
  qm_db *db = qm__handle_realloc(&own, NULL, sizeof *db);
  if (!db) {
    qm__handle_realloc(&own, (char *)(uintptr_t)own.path, 0);
    return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  }
  memset(db, 0, sizeof *db);
  db->options = own;
  int rc = init_locks(db);
  if (rc != QM_OK) {
    free_handle(db);
    return qm_fail(e, rc, "%s", qm_err_text(rc));
  }
  qm__handle_env(db);
  qm_buf_init(&db->ticket, &db->env, 8192);
  rc = check_new(&db->options, e);
  if (rc == QM_OK) rc = qm__handle_open_all(db, e);
  if (rc != QM_OK) {
    destroy(db);
    return rc;
  }
  db->options.flags &= ~(uint32_t)(QM_OPEN_CREATE | QM_OPEN_NEW); /* opening again makes nothing */
  *out = db;
  return QM_OK;
}

void qm_close(qm_db *db) {
  if (!db) return;
  qm_unlisten(db);
  qm_cancel(db->tx);
  destroy(db);
}

/* ---- taking turns ---- */

int qm__handle_failed(const qm_db *db) {
  return db->engine && qm_engine_status(db->engine) != QM_OK;
}

static int engine_there(qm_db *db, qm_error *e) {
  if (qm__handle_failed(db) && !db->tx && !db->syncing) qm__handle_close_all(db);
  if (db->engine && !atomic_load(&db->suspended)) return QM_OK;
  int rc = atomic_load(&db->suspended)
               ? qm_fail(e, QM_ESUSPENDED, "%s", qm_err_text(QM_ESUSPENDED))
               : qm__handle_open_all(db, e);
  if (rc != QM_OK) pthread_mutex_unlock(&db->mutex);
  return rc;
}

int qm__handle_enter(qm_db *db, qm_error *e) {
  if (!db) return qm_fail(e, QM_EINVAL, "there is no database handle");
  pthread_mutex_lock(&db->mutex);
  return engine_there(db, e);
}

void qm__handle_leave(qm_db *db) { pthread_mutex_unlock(&db->mutex); }

int qm__handle_view(qm_db *db) { return db->store->ops->view_begin(db->store); }
void qm__handle_view_end(qm_db *db) { db->store->ops->view_end(db->store); }

struct timespec qm__handle_deadline(uint32_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_sec += (time_t)(ms / 1000);
  t.tv_nsec += (long)(ms % 1000) * 1000000L;
  if (t.tv_nsec >= 1000000000L) {
    t.tv_nsec -= 1000000000L;
    t.tv_sec++;
  }
  return t;
}

int qm__handle_enter_alone(qm_db *db, qm_error *e) {
  if (!db) return qm_fail(e, QM_EINVAL, "there is no database handle");
  struct timespec until = qm__handle_deadline(db->options.busy_ms);
  int waited = 0;
  pthread_mutex_lock(&db->mutex);
  while (db->tx && waited != ETIMEDOUT && db->options.busy_ms && !atomic_load(&db->suspended))
    waited = qm__wait_until(&db->ended, &db->mutex, &until);
  if (db->tx && !atomic_load(&db->suspended)) {
    pthread_mutex_unlock(&db->mutex);
    return qm_fail(e, QM_EBUSY, "another transaction of this handle is open");
  }
  return engine_there(db, e);
}

/* ---- names ---- */

uint32_t qm__handle_number(const qm_space *s) { return s->number; }

int qm__handle_space(qm_db *db, qm_slice name, qm_space **out, qm_error *e) {
  qm_id id;
  uint32_t n = qm_engine_space_count(db->engine);
  *out = NULL;
  if (!name.n) {
    if (n == 1) *out = qm_engine_space_at(db->engine, 0);
    if (n > 1) return qm_fail(e, QM_EAMBIGUOUS, "there are %u spaces; say which", n);
    return *out ? QM_OK : qm_fail(e, QM_ENOTFOUND, "there is no space yet; enrol first");
  }
  for (uint32_t i = 0; i < n; i++) {
    qm_space *s = qm_engine_space_at(db->engine, i);
    if (qm_slice_cmp(s->name, name) != 0) continue;
    if (*out) return qm_fail(e, QM_EAMBIGUOUS, "two spaces have this name; give the id");
    *out = s;
  }
  if (!*out && qm__handle_id_parse(name, &id) == QM_OK) *out = qm_engine_space(db->engine, &id);
  return *out ? QM_OK : qm_fail(e, QM_ENOTFOUND, "no such space");
}

static int same(qm_slice a, qm_slice b) { return a.n == b.n && qm_slice_cmp(a, b) == 0; }

/* How long a name may be in a message. */
static int width(qm_slice s) { return s.n > QM_NAME_MAX ? (int)QM_NAME_MAX : (int)s.n; }

int qm__handle_collection(const qm_space *s, qm_slice name, const qm_collection_def **out,
                          qm_error *e) {
  const qm_schema *schema = qm_space_schema(s);
  uint32_t n = 0;
  if (!schema) return qm_fail(e, QM_ENOTFOUND, "the space has no schema yet; sync first");
  *out = qm_schema_collection_named(schema, name);
  for (uint32_t i = 0; !*out && i < schema->n_collections; i++) {
    const qm_collection_def *c = &schema->collections[i];
    if (name.n && (same(c->label_zh, name) || same(c->label_en, name))) n++;
  }
  for (uint32_t i = 0; n == 1 && !*out && i < schema->n_collections; i++) {
    const qm_collection_def *c = &schema->collections[i];
    if (same(c->label_zh, name) || same(c->label_en, name)) *out = c;
  }
  if (*out) return QM_OK;
  return qm_fail(e, n ? QM_EAMBIGUOUS : QM_ENOTFOUND, "%s collection %.*s",
                 n ? "more than one" : "no such", width(name), (const char *)name.p);
}

int qm__handle_field(const qm_collection_def *c, qm_slice name, const qm_field_def **out,
                     qm_error *e) {
  uint32_t n = 0;
  *out = qm_collection_field_named(c, name);
  if (*out) return QM_OK;
  for (uint32_t i = 0; i < c->n_fields; i++) {
    const qm_field_def *f = &c->fields[i];
    if (!name.n || !(same(f->label_zh, name) || same(f->label_en, name))) continue;
    n++;
    *out = f;
  }
  if (n == 1) return QM_OK;
  *out = NULL;
  return qm_fail(e, n ? QM_EAMBIGUOUS : QM_ESCHEMA, "%.*s: %s field %.*s", (int)c->name.n,
                 (const char *)c->name.p, n ? "more than one" : "no such", width(name),
                 (const char *)name.p);
}

int qm__handle_check_sensitive(const qm_db *db, const qm_schema *schema, qm_error *e) {
  if (db->test_data || !schema || !qm_schema_sensitive(schema)) return QM_OK;
  for (uint32_t i = 0; i < schema->n_collections; i++) {
    const qm_collection_def *c = &schema->collections[i];
    for (uint32_t k = 0; k < c->n_fields; k++) {
      const qm_slice name = c->fields[k].name;
      if (c->fields[k].cls != QM_CLASS_SENSITIVE) continue;
      return qm_fail(e, QM_ESCHEMA,
                     "%.*s.%.*s is of class sensitive: not before data is encrypted at rest; for "
                     "invented data open the database as test data",
                     (int)c->name.n, (const char *)c->name.p, (int)name.n, (const char *)name.p);
    }
  }
  return QM_OK;
}
