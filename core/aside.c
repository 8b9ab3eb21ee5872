#include "core/aside.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/cur.h"
#include "core/fork.h"
#include "core/mp.h"

#define KEY_SIZE (1 + QM_AUTHOR_SIZE + 8)
#define SEQ_MAX (UINT64_MAX >> 1)

/* --- one entry: [by, seq, kind, author, first, next, segment, code, text, signature] --- */

static void put_signed(const qm_aside *a, qm_buf *out) {
  qm_mp_bin(out, a->by.b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, a->seq);
  qm_mp_uint(out, a->kind);
  qm_mp_bin(out, a->author.b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, a->first);
  qm_mp_uint(out, a->next);
  qm_mp_bin(out, a->segment.b, QM_HASH_SIZE);
  qm_mp_int(out, a->code);
  qm_mp_str(out, a->text.p, a->text.n);
}

void qm_aside_put(const qm_aside *a, qm_buf *out) {
  qm_mp_array(out, 10);
  put_signed(a, out);
  qm_mp_bin(out, a->signature, a->has_signature ? sizeof a->signature : 0);
}

static int check(const qm_aside *a, int64_t code) {
  if (a->seq > SEQ_MAX || a->next > SEQ_MAX) return QM_ERANGE;
  if (a->kind > QM_ASIDE_DECLINED || a->next <= a->first) return QM_EMALFORMED;
  if (code > 0 || code < INT16_MIN || (a->kind == QM_ASIDE_CHANGE) != (code != 0))
    return QM_EMALFORMED;
  if (a->text.n > QM_ASIDE_TEXT_MAX) return QM_EOVERSIZE;
  qm_author to;
  uint64_t first;
  return code == QM_EFORK ? qm__fork_text_read(a->text, &to, &first) : QM_OK;
}

int qm_aside_get(qm_aside *a, qm_cur *c) {
  qm_slice signature = {NULL, 0};
  int64_t code = 0;
  memset(a, 0, sizeof *a);
  qm_cur_array_n(c, 10);
  qm_cur_bin_n(c, a->by.b, QM_AUTHOR_SIZE);
  qm_cur_uint(c, &a->seq);
  qm_cur_uint32(c, &a->kind);
  qm_cur_bin_n(c, a->author.b, QM_AUTHOR_SIZE);
  qm_cur_uint(c, &a->first);
  qm_cur_uint(c, &a->next);
  qm_cur_bin_n(c, a->segment.b, QM_HASH_SIZE);
  qm_cur_int(c, &code);
  qm_cur_str(c, &a->text);
  QM_TRY(qm_cur_bin(c, &signature));
  a->code = (int32_t)code;
  QM_TRY(check(a, code));
  if (signature.n && signature.n != sizeof a->signature) return QM_EMALFORMED;
  a->has_signature = signature.n != 0;
  if (signature.n) memcpy(a->signature, signature.p, signature.n);
  return QM_OK;
}

int qm_aside_digest(const qm_aside *a, const qm_id *space, const qm_env *env, uint8_t out[32]) {
  static const char label[] = "qianmo/1 aside"; /* with its NUL */
  qm_hash hash;
  qm_buf b;
  qm_buf_init(&b, env, 4096);
  qm_buf_add(&b, label, sizeof label);
  qm_buf_add(&b, space->b, QM_ID_SIZE);
  put_signed(a, &b);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) {
    qm_sha256(b.p, b.n, &hash);
    memcpy(out, hash.b, 32);
  }
  qm_buf_free(&b);
  return rc;
}

/* --- how many of whom --- */

static const qm_aside_count *find_count(qm_aside_counts v, const qm_author *by) {
  for (uint32_t i = 0; i < v.n; i++)
    if (qm_author_cmp(&v.p[i].by, by) == 0) return &v.p[i];
  return NULL;
}

static uint64_t count_of(qm_aside_counts v, const qm_author *by) {
  const qm_aside_count *p = find_count(v, by);
  return p ? p->count : 0;
}

qm_aside_counts qm_space_asides(const qm_space *s) {
  return (qm_aside_counts){s->aside_counts, s->n_aside_counts};
}

int qm_aside_includes(qm_aside_counts mine, qm_aside_counts theirs) {
  for (uint32_t i = 0; i < theirs.n; i++)
    if (count_of(mine, &theirs.p[i].by) < theirs.p[i].count) return 0;
  return 1;
}

void qm__aside_sha(const qm_space *s, qm_sha *sha) {
  for (uint32_t i = 0; i < s->n_aside_counts; i++) {
    uint8_t b[8];
    for (int k = 0; k < 8; k++) b[k] = (uint8_t)(s->aside_counts[i].count >> (56 - 8 * k));
    qm_sha_add(sha, s->aside_counts[i].by.b, QM_AUTHOR_SIZE);
    qm_sha_add(sha, b, 8);
  }
}

static int count_up(qm_space *s, const qm_author *by) {
  uint32_t at = 0;
  s->engine->own_writes++;
  while (at < s->n_aside_counts && qm_author_cmp(&s->aside_counts[at].by, by) < 0) at++;
  if (at < s->n_aside_counts && qm_author_cmp(&s->aside_counts[at].by, by) == 0) {
    s->aside_counts[at].count++;
    return QM_OK;
  }
  if (s->n_aside_counts == QM_ASIDE_HUBS_MAX) return QM_ELIMIT;
  qm_aside_count *p =
      qm_realloc_array(s->engine->env, s->aside_counts, s->n_aside_counts + 1u, sizeof *p);
  if (!p) return QM_ENOMEM;
  s->aside_counts = p;
  memmove(p + at + 1, p + at, (s->n_aside_counts - at) * sizeof *p);
  p[at] = (qm_aside_count){*by, 1};
  s->n_aside_counts++;
  return QM_OK;
}

/* --- which changes --- */

static int range_cmp(const qm__aside_range *r, const qm_author *author, uint64_t first) {
  int order = qm_author_cmp(&r->author, author);
  return order ? order : (r->first > first) - (r->first < first);
}

/* The place of the first range at or after (author, first). */
static uint32_t range_at(const qm_space *s, const qm_author *author, uint64_t first) {
  uint32_t low = 0, high = s->n_asides;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (range_cmp(&s->asides[mid], author, first) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static int range_add(qm_space *s, const qm_aside *a) {
  if (s->n_asides == s->cap_asides) {
    uint32_t cap = s->cap_asides ? s->cap_asides * 2 : 16;
    qm__aside_range *p = qm_realloc_array(s->engine->env, s->asides, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->asides = p;
    s->cap_asides = cap;
  }
  uint32_t at = range_at(s, &a->author, a->first);
  memmove(s->asides + at + 1, s->asides + at, (s->n_asides - at) * sizeof *s->asides);
  qm__aside_range *r = &s->asides[at];
  *r = (qm__aside_range){.author = a->author,
                         .first = a->first,
                         .next = a->next,
                         .code = a->code,
                         .segment = a->segment};
  if (a->code == QM_EFORK) {
    (void)qm__fork_text_read(a->text, &r->moved, &r->moved_first); /* checked when it was read */
    s->n_forks++;
  }
  s->n_asides++;
  return QM_OK;
}

const qm__aside_range *qm__aside_covers(const qm_space *s, const qm_author *author,
                                        const qm_change *c) {
  for (uint32_t i = range_at(s, author, 0);
       i < s->n_asides && qm_author_cmp(&s->asides[i].author, author) == 0; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->first > c->counter) break;
    if (r->next >= c->next && r->code != QM_EFORK) return r;
  }
  return NULL;
}

/* --- rest and load --- */

static size_t key_of(const qm_aside *a, uint8_t key[KEY_SIZE]) {
  key[0] = 'e';
  memcpy(key + 1, a->by.b, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++) key[1 + QM_AUTHOR_SIZE + i] = (uint8_t)(a->seq >> (56 - 8 * i));
  return KEY_SIZE;
}

static int into_memory(qm_space *s, const qm_aside *a, qm_slice row) {
  qm_hash hash;
  QM_TRY(count_up(s, &a->by));
  if (a->kind == QM_ASIDE_CHANGE) QM_TRY(range_add(s, a));
  qm_sha256(row.p, row.n, &hash);
  qm_digest_add(&s->aside_sum, hash.b);
  return QM_OK;
}

int qm__aside_add(qm_space *s, const qm_aside *a) {
  qm_store *store = s->engine->store;
  uint8_t key[KEY_SIZE];
  qm_buf b;
  if (a->seq != count_of(qm_space_asides(s), &a->by)) return QM_EGAP;
  s->engine->whole = 1;
  s->touched = 1; /* first: a failure reads all of it anew */
  qm_buf_init(&b, s->engine->env, 4096);
  qm_aside_put(a, &b);
  qm_digest before = s->aside_sum;
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = into_memory(s, a, qm_buf_slice(&b));
  if (rc == QM_OK)
    rc = store->ops->aside_put(store, s->number, qm_slice_of(key, key_of(a, key)),
                               qm_buf_slice(&b));
  if (rc == QM_OK) {
    uint8_t was[16], is[16];
    qm_digest_bytes(&before, was);
    qm_digest_bytes(&s->aside_sum, is);
    qm_digest_sub(&s->digest, was);
    qm_digest_add(&s->digest, is);
    s->ingested = 1;
  }
  qm_buf_free(&b);
  return rc;
}

int qm__aside_make(qm_space *s, qm_aside *a) {
  const qm_env *env = s->engine->env;
  uint8_t digest[32];
  a->by = s->engine->author;
  a->seq = count_of(qm_space_asides(s), &a->by);
  a->has_signature = 0;
  if (env->sign) {
    QM_TRY(qm_aside_digest(a, &s->id, env, digest));
    QM_TRY(env->sign(env->payload, digest, a->signature));
    a->has_signature = 1;
  }
  return qm__aside_add(s, a);
}

static int load_entry(void *payload, qm_slice key, qm_slice value) {
  qm_space *s = payload;
  qm_aside a;
  qm_cur c;
  (void)key;
  qm_cur_init(&c, value);
  if (qm_aside_get(&a, &c) != QM_OK || qm_cur_end(&c) != QM_OK) return QM_ECORRUPT;
  if (a.seq != count_of(qm_space_asides(s), &a.by)) return QM_ECORRUPT;
  return into_memory(s, &a, value);
}

static int load_dirty(void *payload, qm_slice key, qm_slice value) {
  (void)key;
  ((qm_space *)payload)->dirty = value.n && value.p[0] == '2' ? 2 : 1;
  return QM_OK;
}

int qm__aside_load(qm_space *s) {
  qm_store *store = s->engine->store;
  s->n_asides = s->n_aside_counts = s->n_forks = 0;
  s->aside_sum = (qm_digest){0, 0};
  s->dirty = 0;
  QM_TRY(store->ops->aside_scan(store, s->number, qm_slice_of("e", 1), load_entry, s));
  QM_TRY(store->ops->aside_scan(store, s->number, qm_slice_of("dirty", 5), load_dirty, s));
  QM_TRY(qm__fork_load(s));
  return qm__repair_load(s);
}

void qm__aside_free(qm_space *s) {
  qm_free(s->engine->env, s->asides);
  qm_free(s->engine->env, s->aside_counts);
  qm__fork_free(s);
}

/* --- from one replica to another --- */

typedef struct reading {
  qm_aside_counts peer;
  qm_aside_count *after;
  uint32_t n_after, n;
  qm_buf *out;
} reading;

static int read_entry(void *payload, qm_slice key, qm_slice value) {
  reading *r = payload;
  qm_author by;
  uint64_t seq = 0;
  if (key.n != KEY_SIZE) return QM_ECORRUPT;
  memcpy(by.b, key.p + 1, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++) seq = seq << 8 | key.p[1 + QM_AUTHOR_SIZE + i];
  if (seq < count_of(r->peer, &by)) return QM_OK;
  if (r->n && r->out->n + value.n > QM_ASIDE_BLOB_MAX) return QM_STORE_STOP;
  uint32_t at = 0;
  while (at < r->n_after && qm_author_cmp(&r->after[at].by, &by) < 0) at++;
  if (at == r->n_after || qm_author_cmp(&r->after[at].by, &by) != 0) {
    memmove(r->after + at + 1, r->after + at, (r->n_after - at) * sizeof *r->after);
    r->after[at].by = by;
    r->n_after++;
  }
  r->after[at].count = seq + 1;
  r->n++;
  qm_mp_raw(r->out, value);
  return qm_buf_status(r->out);
}

int qm_engine_aside_read(qm_engine *e, qm_space *s, qm_aside_counts peer, qm_arena *arena,
                         qm_buf *out, qm_aside_counts *after) {
  qm_buf body;
  if (e->poisoned) return QM_EIO;
  qm_buf_init(&body, e->env, QM_ASIDE_BLOB_MAX + 4096);
  reading r = {.peer = peer, .n_after = peer.n, .out = &body};
  r.after = qm_arena_zero(arena, ((size_t)peer.n + s->n_aside_counts) * sizeof *r.after);
  if (!r.after) return QM_ENOMEM;
  if (peer.n) memcpy(r.after, peer.p, peer.n * sizeof *r.after);
  int rc = e->store->ops->aside_scan(e->store, s->number, qm_slice_of("e", 1), read_entry, &r);
  if (rc == QM_OK && !r.n) rc = QM_ENOTFOUND;
  if (rc == QM_OK) {
    qm_mp_array(out, r.n);
    qm_mp_raw(out, qm_buf_slice(&body));
    rc = qm_buf_status(out);
    *after = (qm_aside_counts){r.after, r.n_after};
  }
  qm_buf_free(&body);
  return rc;
}

int qm_aside_after(qm_slice entries, qm_aside_counts had, qm_arena *arena, qm_aside_counts *out) {
  qm_cur c;
  uint32_t n = 0, n_out = had.n;
  qm_aside_count *p = qm_arena_array(arena, (size_t)had.n + QM_ASIDE_HUBS_MAX, sizeof *p);
  if (!p) return QM_ENOMEM;
  if (had.n) memcpy(p, had.p, had.n * sizeof *p);
  qm_cur_init(&c, entries);
  QM_TRY(qm_cur_array(&c, &n));
  for (uint32_t i = 0; i < n; i++) {
    qm_aside a;
    uint32_t at = 0;
    QM_TRY(qm_aside_get(&a, &c));
    while (at < n_out && qm_author_cmp(&p[at].by, &a.by) < 0) at++;
    if (at == n_out || qm_author_cmp(&p[at].by, &a.by) != 0) {
      if (n_out == QM_ASIDE_HUBS_MAX) return QM_ELIMIT;
      memmove(p + at + 1, p + at, (n_out - at) * sizeof *p);
      p[at] = (qm_aside_count){a.by, 0};
      n_out++;
    }
    if (p[at].count <= a.seq) p[at].count = a.seq + 1;
  }
  *out = (qm_aside_counts){p, n_out};
  return QM_OK;
}

typedef struct taking {
  qm_engine *e;
  qm_space *s;
  qm_aside_verify verify;
  void *payload;
  qm_id *ids; /* records that an entry's changes had an effect on */
  uint32_t n_ids, fresh;
} taking;

static int add_ids(taking *t, const qm_id *ids, uint32_t n) {
  t->ids = qm_arena_grow(&t->e->arena, t->ids, t->n_ids, t->n_ids + n, sizeof *t->ids);
  if (!t->ids) return QM_ENOMEM;
  if (n) memcpy(t->ids + t->n_ids, ids, n * sizeof *ids);
  t->n_ids += n;
  return QM_OK;
}

/* What its author reads beside its own copy: decided how, and why. */
static int take_verdict(taking *t, const qm_aside *a) {
  qm_aside_copy copy;
  int rc = qm__copy_find(t->s, &a->author, a->first, &t->e->arena, &copy);
  if (rc == QM_ENOTFOUND) return QM_OK;
  QM_TRY(rc);
  if (copy.status != QM_ASIDE_CHANGE) return QM_OK;
  copy.status = (qm_aside_kind)a->kind;
  if (a->kind == QM_ASIDE_DECLINED) copy.text = a->text;
  for (uint32_t i = 0; i < copy.n_changes; i++)
    QM_TRY(qm__feed_aside(t->s, &copy.changes[i]));
  return qm__copy_update(t->s, &copy);
}

static int take_entry(taking *t, const qm_aside *a) {
  uint8_t digest[32];
  qm_id *ids = NULL;
  uint32_t n = 0;
  if (a->seq < count_of(qm_space_asides(t->s), &a->by)) return QM_OK;
  if (t->verify) {
    qm_id device;
    qm_author_device(&a->by, &device);
    QM_TRY(qm_aside_digest(a, &t->s->id, t->e->env, digest));
    if (!a->has_signature || t->verify(t->payload, &device, digest, a->signature) != QM_OK)
      return QM_EFORGED;
  }
  QM_TRY(qm__aside_add(t->s, a));
  t->fresh++;
  if (a->kind != QM_ASIDE_CHANGE) return take_verdict(t, a);
  if (a->code == QM_EFORK) return qm__fork_told(t->s, a);
  QM_TRY(qm__aside_hold(t->s, a, &ids, &n));
  return add_ids(t, ids, n);
}

static int take_all(taking *t, qm_slice entries) {
  qm_cur c;
  uint32_t n = 0;
  qm_cur_init(&c, entries);
  QM_TRY(qm_cur_array(&c, &n));
  for (uint32_t i = 0; i < n; i++) {
    qm_aside a;
    QM_TRY(qm_aside_get(&a, &c));
    QM_TRY(take_entry(t, &a));
  }
  QM_TRY(qm_cur_end(&c));
  if (t->s->dirty || t->n_ids) QM_TRY(qm__state_forget(t->s));
  if (!t->n_ids || t->s->dirty) return QM_OK;
  int rc = qm__rebuild(t->s, t->ids, t->n_ids);
  return rc == QM_ECUT ? qm__space_dirty_set(t->s, 1) : rc;
}

int qm_engine_aside_take(qm_engine *e, qm_space *s, qm_slice entries, qm_aside_verify verify,
                         void *payload, uint32_t *fresh, qm_error *err) {
  taking t = {.e = e, .s = s, .verify = verify, .payload = payload};
  if (fresh) *fresh = 0;
  if (entries.n > QM_ASIDE_BLOB_MAX + 16) return qm_fail(err, QM_EOVERSIZE, "entries: too many");
  int rc = qm_engine_begin(e);
  if (rc != QM_OK) return qm_fail(err, rc, "entries: %s", qm_err_text(rc));
  rc = take_all(&t, entries);
  if (rc == QM_OK && t.fresh)
    rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  else
    qm_engine_rollback(e);
  if (rc == QM_OK) rc = qm_engine_fork_settle(e, s);
  if (rc != QM_OK) return qm_fail(err, rc, "entries: %s", qm_err_text(rc));
  if (fresh) *fresh = t.fresh;
  return QM_OK;
}
