/* Giving a state and staging one; joining stands in state_join.c. */
#include "core/state.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/fold.h"
#include "core/mp.h"
#include "core/state_feed.h"

/* A space that is worked in has a few records and long lives; below this many ops the log
 * is a few batches. */
#define CHEAPER_OPS 16384u
#define CHEAPER_TIMES 32u
/* A kept snapshot is good while this many ops, or an eighth of all, came after it. */
#define OUTDATED_OPS 65536u

static uint32_t stage_out(const qm_space *s) { return s->number | QM_STAGE_OUT; }

static int ready(const qm_engine *e) {
  if (e->poisoned) return QM_EIO;
  return e->open ? QM_ESTATE : QM_OK;
}

/* One predicate for every way out. */
static int may_give(const qm_space *s) {
  return !s->dirty && !s->suspect; /* S18.6, S19.1 */
}

static uint64_t ops_of(const qm_vv *vv) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < vv->n; i++) sum += vv->next[i];
  return sum;
}

int qm_state_cheaper(qm_engine *e, qm_space *s, qm_vv_list peer) {
  uint64_t records = 0, ops = ops_of(&s->vv);
  if (peer.n || e->poisoned || !may_give(s) || ops < CHEAPER_OPS) return 0;
  if (qm__fold_count(s, &records) != QM_OK) return 0;
  return ops / CHEAPER_TIMES > records;
}

/* --- writing --- */

typedef struct qm_writer {
  qm_pour pour;
  qm_buf item;
  qm_id last;
  uint32_t seen;
} qm_writer;

static int put_item(qm_writer *w, int record) {
  QM_TRY(qm_buf_status(&w->item));
  return qm__pour_item(&w->pour, qm_buf_slice(&w->item), record);
}

/* First who they are, then their clock rows, which name any of them. */
static int write_authors(qm_writer *w, const qm_space *s) {
  for (uint32_t a = 0; a < s->authors.n; a++) {
    const qm_author_state *st = &s->states[a];
    qm_buf_clear(&w->item);
    qm_mp_array(&w->item, 4);
    qm_mp_bin(&w->item, s->authors.ids[a].b, QM_AUTHOR_SIZE);
    qm_mp_uint(&w->item, qm_vv_get(&s->vv, a));
    qm_mp_bin(&w->item, st->head.b, QM_HASH_SIZE);
    qm_mp_uint(&w->item, st->time);
    QM_TRY(put_item(w, 0));
  }
  return QM_OK;
}

static int write_clocks(qm_writer *w, const qm_space *s) {
  for (uint32_t a = 0; a < s->authors.n; a++) {
    const qm_vv *clock = &s->states[a].clock;
    uint32_t n = 0;
    for (uint32_t i = 0; i < clock->n; i++) n += i != a && clock->next[i];
    qm_buf_clear(&w->item);
    qm_mp_array(&w->item, (size_t)n * 2);
    for (uint32_t i = 0; i < clock->n; i++) {
      if (i == a || !clock->next[i]) continue;
      qm_mp_uint(&w->item, i);
      qm_mp_uint(&w->item, clock->next[i]);
    }
    QM_TRY(put_item(w, 0));
  }
  return QM_OK;
}

static int write_record(void *payload, const qm_record_row *row) {
  qm_writer *w = payload;
  w->last = row->id;
  w->seen++;
  w->pour.m.records++;
  qm_buf_clear(&w->item);
  qm_mp_array(&w->item, 2);
  qm_mp_bin(&w->item, row->id.b, sizeof row->id.b);
  qm_mp_bin(&w->item, row->state.p, row->state.n);
  return put_item(w, 1);
}

static int write_records(qm_writer *w, qm_space *s) {
  for (int first = 1; first || w->seen; first = 0) {
    qm_id after = w->last;
    w->seen = 0;
    QM_TRY(
        qm__fold_scan(s, first ? NULL : &after, 256, write_record, w));
  }
  return QM_OK;
}

/* --- names: records that what is set aside created --- */

#define NAMES_AT_ONCE 256u
#define NAMES_MAX (UINT64_C(1) << 20) /* counters of one segment, at most */

static int write_names_of(qm_writer *w, const qm_space *s, qm_dot first, uint32_t n) {
  qm_store *store = s->engine->store;
  qm_dot dots[NAMES_AT_ONCE] = {{0, 0}};
  qm_id ids[NAMES_AT_ONCE];
  uint8_t found[NAMES_AT_ONCE] = {0};
  for (uint32_t i = 0; i < n; i++) dots[i] = (qm_dot){first.counter + i, first.author};
  QM_TRY(store->ops->creation_find(store, s->number, dots, n, ids, found));
  for (uint32_t i = 0; i < n; i++) {
    if (!found[i]) continue;
    w->pour.m.names++;
    qm_buf_clear(&w->item);
    qm_mp_array(&w->item, 3);
    qm_mp_uint(&w->item, dots[i].author);
    qm_mp_uint(&w->item, dots[i].counter);
    qm_mp_bin(&w->item, ids[i].b, QM_ID_SIZE);
    QM_TRY(put_item(w, 0));
  }
  return QM_OK;
}

/* They are in no record's state, and others name their records by these dots (S18.1). */
static int write_names(qm_writer *w, const qm_space *s) {
  for (uint32_t i = 0; i < s->n_asides; i++) {
    const qm__aside_range *r = &s->asides[i];
    uint32_t author;
    if (qm_authors_find(&s->authors, &r->author, &author) != QM_OK) continue;
    uint64_t end = r->next, at = r->first;
    if (end > s->states[author].closed) end = s->states[author].closed;
    if (end > at && end - at > NAMES_MAX) end = at + NAMES_MAX;
    for (uint32_t n; at < end; at += n) {
      n = end - at < NAMES_AT_ONCE ? (uint32_t)(end - at) : NAMES_AT_ONCE;
      QM_TRY(write_names_of(w, s, (qm_dot){at, author}, n));
    }
  }
  return QM_OK;
}

/* The changes that no hub is known to hold: whoever joins must be able to bring them to
 * one, though its VV covers them. What a hub gives it holds itself. */
static int write_batches(qm_writer *w, qm_space *s) {
  qm_vv from = {NULL, 0, 0};
  uint64_t cursor = 0;
  int rc = QM_OK;
  if (s->engine->flags & QM_ENGINE_HUB) return QM_OK;
  rc = qm_vv_copy(s->engine->env, &from, &s->floor);
  if (rc == QM_OK) rc = qm_vv_merge(s->engine->env, &from, &s->acknowledged);
  while (rc == QM_OK) {
    qm_buf_clear(&w->item);
    rc = qm__space_log_next(s, &from, &cursor, &w->item);
    if (rc == QM_OK) rc = qm_batch_make_old(&w->item); /* S9.6 */
    if (rc != QM_OK) break;
    w->pour.m.batches++;
    rc = put_item(w, 0);
  }
  qm_vv_free(s->engine->env, &from);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int write_all(qm_writer *w, qm_space *s) {
  qm_buf manifest;
  char key[32];
  int n = qm__meta_key(key, "snapshot", s->number);
  qm_store *store = s->engine->store;
  QM_TRY(store->ops->stage_drop(store, w->pour.stage));
  QM_TRY(store->ops->stage_begin(store, w->pour.stage, qm_slice_of(NULL, 0)));
  w->pour.m.authors = s->authors.n;
  QM_TRY(write_authors(w, s));
  QM_TRY(write_clocks(w, s));
  QM_TRY(write_records(w, s));
  QM_TRY(write_names(w, s));
  QM_TRY(write_batches(w, s));
  QM_TRY(qm__pour_end(&w->pour));
  qm_buf_init(&manifest, s->engine->env, QM_STATE_MANIFEST_MAX);
  int rc = qm__manifest_write(&w->pour.m, &s->id, &manifest);
  if (rc == QM_OK)
    rc = store->ops->meta_put(store, qm_slice_of(key, (size_t)n), qm_buf_slice(&manifest));
  qm_buf_free(&manifest);
  return rc;
}

/* In one transaction: a manifest always has its parts. */
static int make(qm_space *s) {
  qm_writer w = {.seen = 0};
  qm_store *store = s->engine->store;
  QM_TRY(qm__fold(s->engine));
  QM_TRY(store->ops->begin(store));
  qm__pour_init(&w.pour, s, stage_out(s));
  qm_buf_init(&w.item, s->engine->env, QM_ITEM_MAX);
  int rc = write_all(&w, s);
  qm__pour_free(&w.pour);
  qm_buf_free(&w.item);
  if (rc == QM_OK) return store->ops->commit(store, QM_RELAXED, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

/* --- the kept snapshot --- */

static int kept_manifest(qm_space *s, qm_buf *out) {
  char key[32];
  int n = qm__meta_key(key, "snapshot", s->number);
  qm_store *store = s->engine->store;
  qm_buf_init(out, s->engine->env, QM_STATE_MANIFEST_MAX);
  return store->ops->meta_get(store, qm_slice_of(key, (size_t)n), out);
}

/* Where it stands, read from its own authors: places are local numbers here. */
static int kept_vv(qm_space *s, const qm_manifest *m, qm_vv *out) {
  qm_feed f;
  int rc = m->authors <= s->authors.n ? QM_OK : QM_ECORRUPT;
  qm__feed_init(&f, s, stage_out(s), m);
  for (uint32_t a = 0; rc == QM_OK && a < m->authors; a++) {
    qm_slice item, id;
    qm_cur c;
    uint64_t next = 0;
    rc = qm__feed_item(&f, &item);
    if (rc != QM_OK) break;
    qm_cur_init(&c, item);
    qm_cur_array_n(&c, 4);
    qm_cur_bin(&c, &id);
    rc = qm_cur_uint(&c, &next);
    if (rc == QM_OK) rc = qm_vv_set(s->engine->env, out, a, next);
  }
  qm__feed_free(&f);
  return rc;
}

static int reaches(const qm_space *s, const qm_vv *vv, qm_vv_list least) {
  for (uint32_t i = 0; i < least.n; i++) {
    uint32_t a;
    if (!least.p[i].next) continue;
    if (qm_authors_find(&s->authors, &least.p[i].author, &a) != QM_OK) return 0;
    if (qm_vv_get(vv, a) < least.p[i].next) return 0;
  }
  return 1;
}

/* The log goes on from it, and not for too long. */
static int still_good(const qm_space *s, const qm_vv *vv, qm_vv_list least) {
  uint64_t beyond = 0, all = 0;
  if (!reaches(s, vv, least)) return 0;
  for (uint32_t a = 0; a < s->authors.n; a++) {
    uint64_t at = qm_vv_get(vv, a), closed = s->states[a].closed;
    if (at > closed || (at < closed && at < qm_vv_get(&s->floor, a))) return 0;
    beyond += closed - at;
    all += closed;
  }
  return beyond <= OUTDATED_OPS || beyond <= all / 8;
}

/* 1: *manifest and *vv are of a snapshot that serves. */
static int find_kept(qm_space *s, qm_vv_list least, qm_buf *manifest, qm_vv *vv, int *found) {
  qm_manifest m;
  *found = 0;
  vv->n = 0;
  int rc = kept_manifest(s, manifest);
  if (rc == QM_ENOTFOUND) return QM_OK;
  if (rc == QM_OK) rc = qm__manifest_read(&m, &s->id, qm_buf_slice(manifest));
  if (rc == QM_OK) rc = kept_vv(s, &m, vv);
  if (rc == QM_OK) *found = still_good(s, vv, least);
  /* One that does not read any more is only a copy. */
  return rc == QM_ENOMEM || qm_err_class(rc) == QM_CLASS_STORAGE ? rc : QM_OK;
}

static int offer_of(qm_space *s, qm_slice manifest, const qm_vv *vv, qm_vv_list peer,
                    qm_arena *arena, qm_state_offer *out) {
  qm_manifest m;
  qm_vv_entry *p = qm_arena_zero(arena, s->authors.n * sizeof *p);
  uint8_t *copy = qm_arena_copy(arena, manifest.p, manifest.n);
  uint32_t n = 0, at = 0;
  if (!p || !copy) return QM_ENOMEM;
  QM_TRY(qm__manifest_read(&m, &s->id, manifest));
  for (uint32_t place = 0; place < s->authors.n; place++) {
    uint32_t a = s->authors.sorted[place];
    uint64_t next = qm_vv_get(vv, a);
    while (at < peer.n && qm_author_cmp(&peer.p[at].author, &s->authors.ids[a]) < 0) at++;
    int both = at < peer.n && !qm_author_cmp(&peer.p[at].author, &s->authors.ids[a]);
    if (both && peer.p[at].next > next) next = peer.p[at].next;
    if (!next) continue;
    p[n].author = s->authors.ids[a];
    p[n++].next = next; /* heads are compared once, with the VV that the peer said itself */
  }
  *out = (qm_state_offer){qm_slice_of(copy, manifest.n), m.parts, {p, n}};
  return QM_OK;
}

int qm_state_offered(qm_engine *e, qm_space *s, qm_vv_list peer, qm_arena *arena,
                     qm_state_offer *out) {
  return qm_state_offered_from(e, s, peer, (qm_vv_list){NULL, 0}, arena, out);
}

int qm_state_offered_from(qm_engine *e, qm_space *s, qm_vv_list peer, qm_vv_list least,
                          qm_arena *arena, qm_state_offer *out) {
  qm_buf manifest;
  qm_vv vv = {NULL, 0, 0};
  int found = 0;
  QM_TRY(ready(e));
  if (!may_give(s)) return QM_EACCESS;
  QM_TRY(qm_engine_push(e, s));
  if (!reaches(s, &s->vv, least)) return QM_ENOTFOUND;
  int rc = find_kept(s, least, &manifest, &vv, &found);
  if (rc == QM_OK && !found) {
    qm_buf_free(&manifest);
    rc = make(s);
    if (rc == QM_OK) rc = find_kept(s, least, &manifest, &vv, &found);
    if (rc == QM_OK && !found) rc = QM_ECORRUPT;
  }
  if (rc == QM_OK) rc = offer_of(s, qm_buf_slice(&manifest), &vv, peer, arena, out);
  qm_buf_free(&manifest);
  qm_vv_free(e->env, &vv);
  return rc;
}

int qm_state_part(qm_engine *e, qm_space *s, const uint8_t manifest_hash[16], uint32_t part,
                  qm_buf *out) {
  qm_buf manifest;
  if (e->poisoned) return QM_EIO;
  if (!may_give(s)) return QM_EACCESS;
  int rc = kept_manifest(s, &manifest);
  if (rc == QM_OK && !qm__manifest_is(qm_buf_slice(&manifest), manifest_hash)) rc = QM_ENOTFOUND;
  qm_buf_free(&manifest);
  QM_TRY(rc);
  return e->store->ops->stage_read(e->store, stage_out(s), part, out);
}

static int forget(qm_space *s) {
  char key[32];
  int n = qm__meta_key(key, "snapshot", s->number);
  qm_store *store = s->engine->store;
  QM_TRY(store->ops->stage_drop(store, stage_out(s)));
  return store->ops->meta_put(store, qm_slice_of(key, (size_t)n), qm_slice_of(NULL, 0));
}

int qm__state_forget(qm_space *s) { return forget(s); }

typedef int (*step)(qm_space *s);

static int alone(qm_engine *e, qm_space *s, step what) {
  QM_TRY(ready(e));
  QM_TRY(e->store->ops->begin(e->store));
  int rc = what(s);
  if (rc == QM_OK) return e->store->ops->commit(e->store, QM_RELAXED, NULL, NULL);
  e->store->ops->rollback(e->store);
  return rc;
}

int qm_state_forget(qm_engine *e, qm_space *s) { return alone(e, s, forget); }

/* --- staging --- */

static int drop(qm_space *s) {
  return s->engine->store->ops->stage_drop(s->engine->store, s->number);
}

int qm_state_drop(qm_engine *e, qm_space *s) { return alone(e, s, drop); }

int qm_state_stage(qm_engine *e, qm_space *s, qm_slice manifest, uint32_t *next, uint32_t *parts) {
  qm_manifest m;
  qm_buf held;
  qm_store *store = e->store;
  QM_TRY(ready(e));
  QM_TRY(qm__manifest_read(&m, &s->id, manifest));
  QM_TRY(store->ops->begin(store));
  qm_buf_init(&held, e->env, QM_STATE_MANIFEST_MAX);
  int rc = store->ops->stage_begin(store, s->number, manifest);
  if (rc == QM_OK) rc = store->ops->stage_parts(store, s->number, next, &held);
  qm_buf_free(&held);
  *parts = m.parts;
  if (rc == QM_OK) return store->ops->commit(store, QM_DURABLE, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

int qm_state_stage_part(qm_engine *e, qm_space *s, const uint8_t *manifest_hash, uint32_t part,
                        qm_slice content) {
  qm_manifest m;
  qm_buf held;
  uint32_t next;
  qm_store *store = e->store;
  QM_TRY(ready(e));
  qm_buf_init(&held, e->env, QM_STATE_MANIFEST_MAX);
  int rc = content.n <= QM_STATE_PART_MAX ? QM_OK : QM_EOVERSIZE;
  if (rc == QM_OK) rc = store->ops->stage_parts(store, s->number, &next, &held);
  if (rc == QM_OK && !qm__manifest_is(qm_buf_slice(&held), manifest_hash)) rc = QM_ENOTFOUND;
  if (rc == QM_OK) rc = qm__manifest_read(&m, &s->id, qm_buf_slice(&held));
  if (rc == QM_OK) rc = qm__manifest_check(&m, part, content);
  qm_buf_free(&held);
  QM_TRY(rc);
  QM_TRY(store->ops->begin(store));
  rc = store->ops->stage_part(store, s->number, part, content);
  if (rc == QM_OK) return store->ops->commit(store, QM_DURABLE, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

/* --- whole snapshots --- */

int qm_state_write(qm_engine *e, qm_space *s, qm_state_emit emit, void *payload) {
  qm_buf piece;
  qm_manifest m;
  QM_TRY(ready(e));
  if (!may_give(s)) return QM_EACCESS;
  QM_TRY(qm_engine_push(e, s));
  QM_TRY(make(s));
  int rc = kept_manifest(s, &piece);
  if (rc == QM_OK) rc = qm__manifest_read(&m, &s->id, qm_buf_slice(&piece));
  if (rc == QM_OK) rc = emit(payload, 0, qm_buf_slice(&piece));
  for (uint32_t part = 0; rc == QM_OK && part < m.parts; part++) {
    qm_buf_clear(&piece);
    rc = e->store->ops->stage_read(e->store, stage_out(s), part, &piece);
    if (rc == QM_OK) rc = emit(payload, part + 1, qm_buf_slice(&piece));
  }
  qm_buf_free(&piece);
  return rc;
}

int qm_state_join(qm_engine *e, qm_space *s, const qm_slice *pieces, uint32_t n, int *joined,
                  qm_error *err) {
  uint32_t next = 0, parts = 0;
  *joined = 0;
  if (!n) return qm_fail(err, QM_EINVAL, "state: nothing of it is here");
  int rc = qm_state_stage(e, s, pieces[0], &next, &parts);
  if (rc == QM_OK && n - 1 > parts) rc = QM_ETRAILING;
  for (uint32_t part = next; rc == QM_OK && part < parts && part < n - 1; part++)
    rc = qm_state_stage_part(e, s, NULL, part, pieces[part + 1]);
  if (rc == QM_OK) return qm_state_take(e, s, NULL, 0, joined, err);
  if (!e->open) (void)qm_state_drop(e, s);
  return qm_fail(err, rc, "state: %s", qm_err_text(rc));
}
