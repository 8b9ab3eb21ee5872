#include "core/retain.h"

#include <string.h>

#include "core/fold.h"

#define HOUR_MS UINT64_C(3600000)
#define MARKS_BYTES ((size_t)64 << 20)

typedef struct mark {
  uint64_t ms;
  qm_vv vv;
} mark;

/* Ascending by time. */
typedef struct marks {
  qm_space *s;
  const char *name; /* in meta */
  mark p[QM_MARKS_MAX];
  uint32_t n;
} marks;

static void marks_free(marks *m) {
  for (uint32_t i = 0; i < m->n; i++) qm_vv_free(m->s->engine->env, &m->p[i].vv);
  m->n = 0;
}

static void drop_mark(marks *m, uint32_t at) {
  qm_vv_free(m->s->engine->env, &m->p[at].vv);
  memmove(&m->p[at], &m->p[at + 1], (size_t)(--m->n - at) * sizeof *m->p);
}

/* --- kept as: ms, entries, (local number, next)…, all varints --- */

static int read_mark(marks *m, qm_cur *c) {
  mark *k = &m->p[m->n];
  uint64_t n = 0;
  memset(k, 0, sizeof *k);
  qm_cur_varint(c, &k->ms);
  QM_TRY(qm_cur_varint(c, &n));
  m->n++;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t number = 0, next = 0;
    qm_cur_varint(c, &number);
    QM_TRY(qm_cur_varint(c, &next));
    if (number >= m->s->authors.n) return QM_ECORRUPT;
    QM_TRY(qm_vv_set(m->s->engine->env, &k->vv, (uint32_t)number, next));
  }
  return QM_OK;
}

static int marks_read(marks *m) {
  char key[32];
  qm_buf b;
  qm_cur c;
  qm_store *store = m->s->engine->store;
  int n = qm__meta_key(key, m->name, m->s->number);
  qm_buf_init(&b, m->s->engine->env, MARKS_BYTES);
  int rc = store->ops->meta_get(store, qm_slice_of(key, (size_t)n), &b);
  qm_cur_init(&c, qm_buf_slice(&b));
  while (rc == QM_OK && qm_cur_left(&c)) rc = m->n < QM_MARKS_MAX ? read_mark(m, &c) : QM_ECORRUPT;
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static void encode(const marks *m, qm_buf *b) {
  for (uint32_t i = 0; i < m->n; i++) {
    const mark *k = &m->p[i];
    uint32_t count = 0;
    for (uint32_t a = 0; a < k->vv.n; a++) count += k->vv.next[a] != 0;
    qm_buf_varint(b, k->ms);
    qm_buf_varint(b, count);
    for (uint32_t a = 0; a < k->vv.n; a++) {
      if (!k->vv.next[a]) continue;
      qm_buf_varint(b, a);
      qm_buf_varint(b, k->vv.next[a]);
    }
  }
}

static int marks_write(const marks *m) {
  char key[32];
  qm_buf b;
  qm_store *store = m->s->engine->store;
  int n = qm__meta_key(key, m->name, m->s->number);
  qm_buf_init(&b, m->s->engine->env, MARKS_BYTES);
  encode(m, &b);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = store->ops->begin(store);
  if (rc == QM_OK) {
    rc = store->ops->meta_put(store, qm_slice_of(key, (size_t)n), qm_buf_slice(&b));
    if (rc == QM_OK)
      rc = store->ops->commit(store, QM_RELAXED, NULL, NULL);
    else
      store->ops->rollback(store);
  }
  qm_buf_free(&b);
  return rc;
}

/* --- marking --- */

/* Of the marks older than keep_ms only the newest says anything. A clock that went back makes
 * marks of the future: they are no use. */
static int sift_marks(marks *m, uint64_t now, uint64_t keep_ms) {
  uint32_t before = m->n;
  while (m->n && m->p[m->n - 1].ms > now) drop_mark(m, m->n - 1);
  while (m->n > 1 && now - m->p[1].ms >= keep_ms) drop_mark(m, 0);
  return m->n != before;
}

static int set_mark(marks *m, uint64_t now, uint64_t keep_ms, int *moved) {
  uint64_t every = keep_ms / 16 > HOUR_MS ? keep_ms / 16 : HOUR_MS;
  if (m->n && now - m->p[m->n - 1].ms < every) return QM_OK;
  if (m->n == QM_MARKS_MAX) drop_mark(m, 1); /* the oldest is the one that is nearest to due */
  mark *k = &m->p[m->n];
  memset(k, 0, sizeof *k);
  m->n++;
  k->ms = now;
  *moved = 1;
  return qm_vv_copy(m->s->engine->env, &k->vv, &m->s->vv);
}

static int cut_at(qm_engine *e, qm_space *s, const qm_retention *r, const qm_vv *old, int *moved) {
  qm_vv vv = {NULL, 0, 0}, was = {NULL, 0, 0};
  int rc = QM_OK;
  for (uint32_t a = 0; a < s->authors.n && rc == QM_OK; a++) {
    uint64_t most = old ? qm_vv_get(old, a) : s->states[a].closed;
    if (r->below && qm_vv_get(r->below, a) < most) most = qm_vv_get(r->below, a);
    rc = qm_vv_set(e->env, &vv, a, most);
  }
  if (rc == QM_OK) rc = qm_vv_copy(e->env, &was, qm_space_floor(s));
  if (rc == QM_OK && !qm_vv_includes(&was, &vv)) rc = qm_engine_cut(e, s, &vv);
  if (moved) *moved = rc == QM_OK && !qm_vv_equal(&was, qm_space_floor(s));
  qm_vv_free(e->env, &vv);
  qm_vv_free(e->env, &was);
  return rc;
}

/* Reads the marks, sifts them and sets one. */
static int marks_turn(marks *m, uint64_t now, uint64_t keep_ms) {
  int moved = 0;
  QM_TRY(marks_read(m));
  moved = sift_marks(m, now, keep_ms);
  QM_TRY(set_mark(m, now, keep_ms, &moved));
  return moved ? marks_write(m) : QM_OK;
}

int qm_engine_aged(qm_engine *e, qm_space *s, const char *name, uint64_t age_ms, qm_vv *out) {
  marks m = {.s = s, .name = name};
  uint64_t now = qm_engine_now(e);
  memset(out, 0, sizeof *out);
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  int rc = qm__fold(e);
  if (rc == QM_OK) rc = marks_turn(&m, now, age_ms);
  if (rc == QM_OK && m.n && now - m.p[0].ms >= age_ms) rc = qm_vv_copy(e->env, out, &m.p[0].vv);
  marks_free(&m);
  if (rc != QM_OK) qm_vv_free(e->env, out);
  return rc;
}

int qm_engine_retain(qm_engine *e, qm_space *s, const qm_retention *r, int *floor_moved) {
  marks m = {.s = s, .name = "marks"};
  uint64_t now = qm_engine_now(e);
  if (floor_moved) *floor_moved = 0;
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  if (!r->keep_ms) return cut_at(e, s, r, NULL, floor_moved);
  int rc = marks_turn(&m, now, r->keep_ms);
  int due = rc == QM_OK && now - m.p[0].ms >= r->keep_ms;
  if (due) rc = cut_at(e, s, r, &m.p[0].vv, floor_moved);
  marks_free(&m);
  return rc;
}

int qm_engine_least(qm_engine *e, qm_space *s, const qm_vv_list *lists, uint32_t n, qm_vv *out) {
  int rc = QM_OK;
  memset(out, 0, sizeof *out);
  if (!n) return qm_vv_copy(e->env, out, &s->vv);
  for (uint32_t a = 0; a < s->authors.n && rc == QM_OK; a++) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < n && least; i++) { /* entries ascend by author */
      uint32_t lo = 0, hi = lists[i].n;
      while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (qm_author_cmp(&lists[i].p[mid].author, &s->authors.ids[a]) < 0)
          lo = mid + 1;
        else
          hi = mid;
      }
      int found = lo < lists[i].n &&
                  qm_author_cmp(&lists[i].p[lo].author, &s->authors.ids[a]) == 0;
      uint64_t next = found ? lists[i].p[lo].next : 0;
      if (next < least) least = next;
    }
    rc = qm_vv_set(e->env, out, a, least);
  }
  if (rc != QM_OK) qm_vv_free(e->env, out);
  return rc;
}
