#include <stdio.h>
#include <string.h>

#include "core/fold.h"
#include "core/home.h"
#include "core/ingest_log.h"
#include "core/review.h"

#define QM_ARENA_MAX ((size_t)1 << 30)

/* --- small things kept in the store --- */

static int meta_put(qm_engine *e, const char *key, const void *p, size_t n) {
  QM_TRY(e->store->ops->begin(e->store));
  int rc = e->store->ops->meta_put(e->store, qm_slice_of(key, strlen(key)), qm_slice_of(p, n));
  if (rc == QM_OK) return e->store->ops->commit(e->store, QM_DURABLE, NULL, NULL);
  e->store->ops->rollback(e->store);
  return rc;
}

/* Reads exactly n bytes; *found = 0 where the key is not there. */
static int meta_get(qm_engine *e, const char *key, void *to, size_t n, int *found) {
  qm_buf b;
  qm_buf_init(&b, e->env, 4096);
  int rc = e->store->ops->meta_get(e->store, qm_slice_of(key, strlen(key)), &b);
  *found = rc == QM_OK;
  if (rc == QM_OK && b.n != n) rc = QM_ECORRUPT;
  if (rc == QM_OK) memcpy(to, b.p, n);
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

int qm__meta_key(char *to, const char *name, uint32_t number) {
  return snprintf(to, 32, "%s/%08x", name, number);
}

/* --- epoch --- */

int qm__engine_epoch(qm_engine *e) {
  uint8_t epoch[8] = {0};
  qm_author author;
  if (!(e->flags & QM_ENGINE_REPLAY)) QM_TRY(e->env->random(e->env->payload, epoch, sizeof epoch));
  qm_author_make(&author, &e->device, epoch);
  QM_TRY(meta_put(e, "author", author.b, sizeof author.b));
  e->author = author;
  e->epoch_stale = 0;
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    qm_space *s = e->spaces[i];
    if (qm_authors_find(&s->authors, &author, &s->own) != QM_OK) s->own = QM_NO_AUTHOR;
  }
  return QM_OK;
}

int qm_engine_new_epoch(qm_engine *e) {
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  /* What the old author wrote stays its own: it is closed first, so that it travels. */
  for (uint32_t i = 0; i < e->n_spaces; i++) QM_TRY(qm_engine_push(e, e->spaces[i]));
  return qm__engine_epoch(e);
}

/* The same author goes on only where the instance id says that this is the same
 * installation as before; a copy or a restored backup becomes a new author. */
static int open_author(qm_engine *e, int has_author, const uint8_t *mine) {
  uint8_t kept[16];
  int has_kept;
  QM_TRY(meta_get(e, "instance", kept, sizeof kept, &has_kept));
  int same = has_author && memcmp(e->author.b, e->device.b, QM_ID_SIZE) == 0;
  int unmoved = mine && has_kept && memcmp(mine, kept, 16) == 0;
  if (same && (unmoved || (e->flags & QM_ENGINE_REPLAY))) return QM_OK;
  QM_TRY(qm_engine_new_epoch(e));
  /* Last: were it kept before the new author, a failure between the two would let a copy
     go on as the old one. */
  return mine && !unmoved ? meta_put(e, "instance", mine, 16) : QM_OK;
}

/* --- open and close --- */

int qm__engine_space_room(qm_engine *e) {
  if (e->n_spaces < e->cap_spaces) return QM_OK;
  uint32_t cap = e->cap_spaces ? e->cap_spaces * 2 : 8;
  qm_space **p = qm_realloc_array(e->env, e->spaces, cap, sizeof *p);
  if (!p) return QM_ENOMEM;
  e->spaces = p;
  e->cap_spaces = cap;
  return QM_OK;
}

void qm__engine_space_add(qm_engine *e, qm_space *s) {
  uint32_t at = e->n_spaces++;
  while (at && qm_id_cmp(&e->spaces[at - 1]->id, &s->id) > 0) {
    e->spaces[at] = e->spaces[at - 1];
    at--;
  }
  e->spaces[at] = s;
  if (s->number > e->last_number) e->last_number = s->number;
}

static int take_space(void *payload, const qm_space_row *row) {
  qm_engine *e = payload;
  qm_space *s;
  QM_TRY(qm__engine_space_room(e));
  QM_TRY(qm__space_new(e, row, &s));
  qm__engine_space_add(e, s);
  return QM_OK;
}

static int open_all(qm_engine *e) {
  int found;
  uint8_t b[8] = {0}, mine[16] = {0};
  int known = e->env->instance && e->env->instance(e->env->payload, mine) == QM_OK;
  QM_TRY(e->store->ops->space_list(e->store, take_space, e));
  QM_TRY(meta_get(e, "offset", b, 8, &found));
  memcpy(&e->offset_ms, b, 8);
  QM_TRY(meta_get(e, "author", e->author.b, sizeof e->author.b, &found));
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    QM_TRY(qm__space_load(e->spaces[i]));
    QM_TRY(qm__space_notes_load(e->spaces[i]));
  }
  if (!(e->flags & QM_ENGINE_BEHIND)) QM_TRY(qm__fold(e));
  for (uint32_t i = 0; i < e->n_spaces; i++) QM_TRY(qm__review_open(e->spaces[i]));
  return open_author(e, found, known ? mine : NULL);
}

int qm_engine_open(qm_engine **out, const qm_env *env, qm_store *store,
                   const qm_engine_options *options, qm_error *err) {
  *out = NULL;
  if (store->ops->version != QM_STORE_VERSION || options->size < sizeof *options)
    return qm_fail(err, QM_EINVAL, "engine: store or options of another version");
  qm_engine *e = qm_alloc_zero(env, sizeof *e);
  if (!e) return qm_fail(err, QM_ENOMEM, "engine: out of memory");
  e->env = env;
  e->store = store;
  e->flags = options->flags;
  e->device = options->device;
  e->zip_level = options->zip_level;
  qm_arena_init(&e->arena, env, QM_ARENA_MAX);
  qm_arena_init(&e->batch, env, QM_ARENA_MAX);
  qm_arena_init(&e->records, env, QM_ARENA_MAX);
  qm_arena_init(&e->waiting, env, QM_ARENA_MAX);
  qm_arena_init(&e->scratch, env, QM_ARENA_MAX);
  qm_buf_init(&e->row, env, 0);
  int rc = env->random(env->payload, (uint8_t *)e->key, sizeof e->key);
  if (rc == QM_OK) rc = open_all(e);
  if (rc != QM_OK) {
    e->behind = 0;
    qm_engine_close(e);
    return qm_fail(err, rc, "engine: opening the store: %s", qm_err_text(rc));
  }
  *out = e;
  return QM_OK;
}

void qm_engine_close(qm_engine *e) {
  if (!e) return;
  if (e->open) qm_engine_rollback(e);
  (void)qm__fold(e); /* else it is applied again at the next opening */
  for (uint32_t i = 0; i < e->n_spaces; i++) qm__space_free(e->spaces[i]);
  qm_free(e->env, e->spaces);
  qm_arena_free(&e->arena);
  qm_arena_free(&e->batch);
  qm_arena_free(&e->records);
  qm_arena_free(&e->waiting);
  qm_arena_free(&e->scratch);
  qm_vv_free(e->env, &e->seen);
  qm_buf_free(&e->row);
  qm_free(e->env, e);
}

void qm_engine_files(qm_engine *e, qm_file_here here, void *payload) {
  e->file_here = here;
  e->file_payload = payload;
}

void qm_engine_home(qm_engine *e, const qm_id *hub) { e->home = *hub; }

uint64_t qm_engine_own_writes(const qm_engine *e) { return e->own_writes; }

const qm_author *qm_engine_author(const qm_engine *e) { return &e->author; }

uint64_t qm_engine_now(const qm_engine *e) {
  if (e->flags & QM_ENGINE_REPLAY) return e->fixed_ms;
  uint64_t now = e->env->now_ms(e->env->payload);
  if (e->offset_ms < 0 && (uint64_t)-e->offset_ms > now) return 0;
  return now + (uint64_t)e->offset_ms;
}

int qm_engine_offset(qm_engine *e, int64_t offset_ms) {
  if (e->open) return QM_ESTATE;
  if (offset_ms == INT64_MIN) return QM_EINVAL;
  if (offset_ms == e->offset_ms) return QM_OK;
  e->offset_ms = offset_ms; /* a disk that is full must not leave the clock wrong */
  return meta_put(e, "offset", &offset_ms, sizeof offset_ms);
}

int64_t qm_engine_offset_get(const qm_engine *e) { return e->offset_ms; }

void qm_engine_clock_fix(qm_engine *e, uint64_t now_ms) { e->fixed_ms = now_ms; }

/* --- spaces --- */

qm_space *qm_engine_space(qm_engine *e, const qm_id *id) {
  uint32_t lo = 0, hi = e->n_spaces;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    int c = qm_id_cmp(&e->spaces[mid]->id, id);
    if (c == 0) return e->spaces[mid];
    if (c < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

qm_space *qm_engine_space_named(qm_engine *e, qm_slice name) {
  for (uint32_t i = 0; i < e->n_spaces; i++)
    if (qm_slice_cmp(e->spaces[i]->name, name) == 0) return e->spaces[i];
  return NULL;
}

uint32_t qm_engine_space_count(const qm_engine *e) { return e->n_spaces; }
qm_space *qm_engine_space_at(qm_engine *e, uint32_t index) {
  return index < e->n_spaces ? e->spaces[index] : NULL;
}
const qm_schema *qm_space_schema(const qm_space *s) { return s->schema; }
const qm_authors *qm_space_authors(const qm_space *s) { return &s->authors; }
const qm_vv *qm_space_vv(const qm_space *s) { return &s->vv; }
void qm_space_digest(const qm_space *s, qm_digest *out) { *out = s->digest; }

void qm_engine_project(qm_engine *e, const qm_projector *p) {
  e->projector = p ? *p : (qm_projector){0};
}

/* --- transactions --- */

int qm_engine_status(const qm_engine *e) {
  return e->poisoned ? QM_EIO : e->store->ops->status(e->store);
}

int qm_engine_begin(qm_engine *e) {
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  QM_TRY(e->store->ops->begin(e->store));
  e->open = 1;
  e->took = e->wrote = e->whole = e->keeps = 0;
  return QM_OK;
}

/* After a failed save what is in memory may be ahead of the store: read it anew. */
static void reload(qm_engine *e) {
  if (e->projector.ended) e->projector.ended(e->projector.payload, 0);
  qm__space_forget(e);
  qm_arena_reset(&e->arena);
  qm_arena_recycle(&e->batch);
  qm__log_end(e);
  e->behind = 0;
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    qm_space *s = e->spaces[i];
    int touched = s->touched || s->behind, noted = s->ingested || s->floor_moved || s->behind;
    qm__parked_end(s, 0);
    qm__space_end(s);
    if (touched && qm__space_load(s) != QM_OK) e->poisoned = 1;
    if (noted && qm__space_notes_load(s) != QM_OK) e->poisoned = 1;
  }
}

static int is_touched(const qm_engine *e) {
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    const qm_space *s = e->spaces[i];
    if (s->touched || (s->n_changed && !s->behind)) return 1;
  }
  return 0;
}

void qm_engine_rollback(qm_engine *e) {
  if (!e->open) return;
  e->open = 0;
  qm__log_end(e);
  e->store->ops->rollback(e->store);
  /* What a peer sends that cannot be read must not cost what others' batches left here. */
  if (is_touched(e)) {
    reload(e);
  } else if (e->projector.ended) {
    e->projector.ended(e->projector.payload, 0);
  }
  for (uint32_t i = 0; i < e->n_spaces; i++) qm__parked_end(e->spaces[i], 0);
  qm_arena_reset(&e->arena);
  qm_arena_recycle(&e->batch);
}

/* Do the records say what their rows say, and borrow nothing of the transaction? */
static int may_keep(const qm_engine *e) {
  return (e->took || e->wrote || e->keeps) && !e->whole && e->records.used <= qm__fold_room(e);
}

int qm_engine_commit(qm_engine *e, qm_durability durability, qm_store_done done, void *payload) {
  int rc = e->open ? qm__log_settle(e) : QM_ESTATE;
  for (uint32_t i = 0; i < e->n_spaces && rc == QM_OK; i++) rc = qm__home_flush(e->spaces[i]);
  int waits = rc == QM_OK && qm__fold_may_wait(e);
  for (uint32_t i = 0; i < e->n_spaces && rc == QM_OK; i++)
    rc = waits ? qm__fold_wait(e->spaces[i]) : qm__space_save(e->spaces[i]);
  if (rc != QM_OK) {
    qm_engine_rollback(e);
    if (done) done(payload, rc);
    return rc;
  }
  e->open = 0;
  rc = e->store->ops->commit(e->store, durability, done, payload);
  if (rc != QM_OK) {
    reload(e);
    return rc;
  }
  if (e->projector.ended) e->projector.ended(e->projector.payload, 1);
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    qm__parked_end(e->spaces[i], 1);
    qm__space_end(e->spaces[i]);
  }
  if (!waits && !may_keep(e)) qm__space_forget(e);
  qm_arena_reset(&e->arena);
  qm_arena_recycle(&e->batch);
  qm__log_end(e);
  if (!waits) e->behind = 0;
  if (!waits) e->kept = e->records.used;
  /* The commit stands whatever comes of this; a write asks for the new epoch again. */
  if (e->epoch_stale) (void)qm_engine_new_epoch(e);
  return QM_OK;
}
