/* A hub's stores: spaces.db, spaces-2.db, … in its directory, each with an engine of its own. How
 * many there are, and which of them has a space, stands in hub.db; a space stays where it is. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/cli/qianmod.h"
#include "adapters/sqlite/store_sqlite.h"

#define NOTE "shards" /* their number, one byte; without it there is one */

void hub_store_file(const hub_dir *d, uint32_t shard, char to[QM_FILE_PATH_MAX]) {
  char name[32];
  if (shard) snprintf(name, sizeof name, "spaces-%u.db", (unsigned)shard + 1);
  else memcpy(name, "spaces.db", 10);
  hub_file(d, name, to);
}

int hub_store_fail(const char *path, int rc, qm_error *e) {
  char why[sizeof e->message];
  memcpy(why, e->message, sizeof why);
  return qm_fail(e, rc, "%s: %s", path, why[0] ? why : qm_err_text(rc));
}

/* --- how many --- */

int hub_stores_count(hub_dir *d, uint32_t *out, qm_error *e) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 64);
  int rc = qm_hubdb_note_get(d->db, NULL, NOTE, &b);
  *out = 1;
  if (rc == QM_OK) {
    if (b.n == 1 && b.p[0] && b.p[0] <= QM_HUB_SHARDS_MAX) *out = b.p[0];
    else rc = QM_ECORRUPT;
  }
  qm_buf_free(&b);
  if (rc == QM_OK || rc == QM_ENOTFOUND) return QM_OK;
  return qm_fail(e, rc, "hub.db: the number of stores: %s", qm_err_text(rc));
}

static int note(hub_dir *d, uint32_t n, qm_error *e) {
  uint8_t byte = (uint8_t)n;
  int rc = qm_hubdb_note_put(d->db, NULL, NOTE, qm_slice_of(&byte, 1));
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "hub.db: %s", qm_err_text(rc));
}

int hub_store_is_missing(const hub_dir *d, uint32_t shard) {
  char path[QM_FILE_PATH_MAX];
  struct stat st;
  hub_store_file(d, shard, path);
  return stat(path, &st) != 0 || st.st_size == 0;
}

static int has_space(void *payload, const qm_space_row *row) {
  (void)row;
  *(int *)payload = 1;
  return QM_STORE_STOP;
}

/* has_spaces: may be NULL. */
static int make(hub_dir *d, uint32_t shard, int *has_spaces, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  qm_store *store;
  hub_store_file(d, shard, path);
  int rc = qm_store_sqlite_open(&d->env, path, QM_SQLITE_CREATE, &store, e);
  if (rc != QM_OK) return hub_store_fail(path, rc, e);
  if (has_spaces) rc = store->ops->space_list(store, has_space, has_spaces);
  store->ops->close(store);
  return rc == QM_OK ? QM_OK : hub_store_fail(path, rc, e);
}

int hub_store_make(hub_dir *d, uint32_t shard, qm_error *e) { return make(d, shard, NULL, e); }

int hub_stores_make_missing(hub_dir *d, qm_error *e) {
  uint32_t n;
  QM_TRY(hub_stores_count(d, &n, e));
  for (uint32_t i = 0; i < n; i++)
    if (hub_store_is_missing(d, i)) QM_TRY(make(d, i, NULL, e));
  return QM_OK;
}

/* The file first: what hub.db counts is there. One that a stop left uncounted is empty. */
int hub_stores_grow_to(hub_dir *d, uint32_t to, qm_error *e) {
  uint32_t n;
  QM_TRY(hub_stores_count(d, &n, e));
  for (; n < to; n++) {
    char path[QM_FILE_PATH_MAX];
    int has_spaces = 0;
    QM_TRY(make(d, n, &has_spaces, e));
    hub_store_file(d, n, path);
    if (has_spaces)
      return qm_fail(e, QM_EEXIST, "%s has spaces unknown to hub.db; move it away", path);
    QM_TRY(note(d, n + 1, e));
  }
  return QM_OK;
}

int hub_stores_count_files(hub_dir *d, qm_error *e) {
  uint32_t n = d->config.shards;
  for (uint32_t i = n; i < QM_HUB_SHARDS_MAX; i++)
    if (!hub_store_is_missing(d, i)) n = i + 1;
  return note(d, n, e);
}

/* --- opening --- */

static int note_instance(hub_dir *d, qm_store *store) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 64);
  int rc = store->ops->meta_get(store, qm_slice_of("instance", 8), &b);
  if (rc == QM_OK && b.n != sizeof d->noted) rc = QM_ECORRUPT;
  if (rc == QM_OK) memcpy(d->noted, b.p, sizeof d->noted);
  d->has_noted = rc == QM_OK;
  qm_buf_free(&b);
  return rc;
}

/* A copy of an older version is raised first; who only reads takes it as it is. */
static int open_copy(hub_dir *d, const char *path, qm_store **out, qm_error *e) {
  unsigned flags = QM_SQLITE_READONLY | QM_SQLITE_CHECK;
  int rc = qm_store_sqlite_open(&d->env, path, flags, out, e);
  if (rc != QM_EREADONLY) return rc;
  QM_TRY(qm_store_sqlite_open(&d->env, path, 0, out, e));
  (*out)->ops->close(*out);
  return qm_store_sqlite_open(&d->env, path, flags, out, e);
}

int hub_engine_open(hub_dir *d, uint32_t shard, const char *copy, hub_engine *out, qm_error *e) {
  char own[QM_FILE_PATH_MAX];
  memset(out, 0, sizeof *out);
  hub_store_file(d, shard, own);
  /* What only follows from the log may be lost by a power cut: the next opening makes it anew. */
  int rc = copy ? open_copy(d, copy, &out->store, e)
                : qm_store_sqlite_open(&d->env, own, QM_SQLITE_RELAXED, &out->store, e);
  if (rc == QM_OK && copy) rc = note_instance(d, out->store);
  qm_engine_options o = {.size = sizeof o,
                         .flags = QM_ENGINE_HUB | (copy ? QM_ENGINE_FOLDED : QM_ENGINE_BEHIND) |
                                  (d->is_replay ? QM_ENGINE_REPLAY : 0u),
                         .device = *qm_key_device(d->key)};
  d->opening = shard;
  if (rc == QM_OK) rc = qm_engine_open(&out->engine, &d->env, out->store, &o, e);
  d->has_noted = 0;
  if (rc == QM_OK) return QM_OK;
  hub_engine_close(out);
  return hub_store_fail(copy ? copy : own, rc, e);
}

void hub_engine_close(hub_engine *h) {
  qm_engine_close(h->engine);
  if (h->store) h->store->ops->close(h->store);
  memset(h, 0, sizeof *h);
}

int hub_stores_open(hub_dir *d, int reads, hub_stores *out, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint32_t n;
  memset(out, 0, sizeof *out);
  QM_TRY(hub_stores_count(d, &n, e));
  for (; out->n < n; out->n++) {
    hub_store_file(d, out->n, path);
    int rc = hub_engine_open(d, out->n, reads ? path : NULL, &out->p[out->n], e);
    if (rc == QM_OK) continue;
    hub_stores_close(out);
    return rc;
  }
  return QM_OK;
}

void hub_stores_close(hub_stores *s) {
  for (uint32_t i = 0; i < s->n; i++) hub_engine_close(&s->p[i]);
  s->n = 0;
}

qm_engine *hub_stores_engine(const hub_stores *s, const qm_hub_space *row) {
  return row->shard < s->n ? s->p[row->shard].engine : NULL;
}

qm_space *hub_stores_space(const hub_stores *s, const qm_id *space) {
  qm_space *out = NULL;
  for (uint32_t i = 0; i < s->n && !out; i++) out = qm_engine_space(s->p[i].engine, space);
  return out;
}

/* --- placing --- */

static int count_one(void *payload, const qm_hub_space *row) {
  uint32_t *spaces = payload;
  if (row->shard < QM_HUB_SHARDS_MAX) spaces[row->shard]++;
  return QM_OK;
}

int hub_stores_place(hub_dir *d, uint32_t *out, qm_error *e) {
  uint32_t spaces[QM_HUB_SHARDS_MAX] = {0}, n;
  QM_TRY(hub_stores_count(d, &n, e));
  int rc = qm_hubdb_space_list(d->db, count_one, spaces);
  if (rc != QM_OK) return qm_fail(e, rc, "hub.db: %s", qm_err_text(rc));
  *out = 0;
  for (uint32_t i = 1; i < n; i++)
    if (spaces[i] < spaces[*out]) *out = i;
  return QM_OK;
}
