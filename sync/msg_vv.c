/* VV, DIGEST, DIGEST_ANSWER, SAFE: what a side holds (SPEC S8.2.6, S8.2.11 to S8.2.13).
 * VV entries stand flat, author, next, head, so that an entry costs no header. */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

#define VV_LEAST 37u /* bytes of the smallest entry */
#define SAFE_LEAST 28u

/* The flat list's count in elements; *entries is a third of it. */
static int get_flat(qm_cur *c, size_t least, uint32_t *entries) {
  uint32_t n;
  *entries = 0;
  QM_TRY(qm_cur_array(c, &n));
  if (n % 3 != 0) return qm_cur_fail(c, QM_EFORMAT);
  if (n / 3 > QM_SYNC_VV_MAX || n / 3 > qm_cur_left(c) / least) return qm_cur_fail(c, QM_EOVERSIZE);
  *entries = n / 3;
  return QM_OK;
}

static int ascends(const qm_author *before, const qm_author *author) {
  int order = qm_author_cmp(before, author);
  return order < 0 ? QM_OK : order == 0 ? QM_EDUPKEY : QM_ECANON;
}

static void put_asides(qm_buf *out, qm_aside_counts v) {
  qm_mp_array(out, 2 * (size_t)v.n);
  for (uint32_t i = 0; i < v.n; i++) {
    qm_mp_bin(out, v.p[i].by.b, QM_AUTHOR_SIZE);
    qm_mp_uint(out, v.p[i].count);
  }
}

static int get_asides(qm_cur *c, qm_arena *arena, qm_aside_counts *out) {
  uint32_t n;
  QM_TRY(qm__msg_count(c, 2 * QM_ASIDE_HUBS_MAX, 1, &n));
  if (n % 2 != 0) return qm_cur_fail(c, QM_EFORMAT);
  qm_aside_count *p = qm_arena_array(arena, n / 2, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n / 2; i++) {
    QM_TRY(qm_cur_bin_n(c, p[i].by.b, QM_AUTHOR_SIZE));
    QM_TRY(qm_cur_uint(c, &p[i].count));
    if (p[i].count == 0 || p[i].count > UINT64_MAX >> 1) return QM_ERANGE;
    if (i) QM_TRY(ascends(&p[i - 1].by, &p[i].by));
  }
  *out = (qm_aside_counts){p, n / 2};
  return QM_OK;
}

int qm_msg_vv_put(qm_buf *out, const qm_msg_vv *m) {
  if (m->vv.n > QM_SYNC_VV_MAX || m->asides.n > QM_ASIDE_HUBS_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_VV, 3);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_array(out, 3 * (size_t)m->vv.n);
  for (uint32_t i = 0; i < m->vv.n; i++) {
    const qm_vv_entry *e = &m->vv.p[i];
    qm_mp_bin(out, e->author.b, QM_AUTHOR_SIZE);
    qm_mp_uint(out, e->next);
    qm_mp_bin(out, e->head, QM_HEAD_SIZE);
  }
  put_asides(out, m->asides);
  return qm_wire_end(out, at);
}

int qm_msg_vv_get(qm_msg_vv *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  uint32_t n;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_VV, 3));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(get_flat(&c, VV_LEAST, &n));
  qm_vv_entry *p = qm_arena_array(arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_bin_n(&c, p[i].author.b, QM_AUTHOR_SIZE));
    QM_TRY(qm_cur_uint(&c, &p[i].next));
    QM_TRY(qm_cur_bin_n(&c, p[i].head, QM_HEAD_SIZE));
    /* An author at 0 is one that is not known: it has no entry. */
    if (p[i].next == 0) return QM_ERANGE;
    if (i) QM_TRY(ascends(&p[i - 1].author, &p[i].author));
  }
  m->vv.p = p;
  m->vv.n = n;
  QM_TRY(get_asides(&c, arena, &m->asides));
  return qm_cur_end(&c);
}

/* Walks two ascending lists as one. `a` and `s` are the acknowledged and safe counters. */
typedef struct pair_walk {
  qm_vv_list a, s;
  uint32_t i, j;
} pair_walk;

static int next_pair(pair_walk *w, const qm_author **author, uint64_t *a, uint64_t *s) {
  const qm_vv_entry *x = w->i < w->a.n ? &w->a.p[w->i] : NULL;
  const qm_vv_entry *y = w->j < w->s.n ? &w->s.p[w->j] : NULL;
  if (!x && !y) return 0;
  int order = !x ? 1 : !y ? -1 : qm_author_cmp(&x->author, &y->author);
  *author = order <= 0 ? &x->author : &y->author;
  *a = order <= 0 ? x->next : 0;
  *s = order >= 0 ? y->next : 0;
  if (*a < *s) *a = *s;
  w->i += order <= 0;
  w->j += order >= 0;
  return 1;
}

int qm_msg_safe_put(qm_buf *out, const qm_msg_safe *m) {
  const qm_author *author;
  uint64_t a, s;
  size_t n = 0;
  pair_walk count = {.a = m->acknowledged, .s = m->safe}, walk = count;
  while (next_pair(&count, &author, &a, &s)) n += a != 0;
  if (n > QM_SYNC_VV_MAX) return QM_ELIMIT;
  size_t at = qm__msg_begin(out, QM_FRAME_SAFE, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_array(out, 3 * n);
  while (next_pair(&walk, &author, &a, &s)) {
    if (a == 0) continue;
    qm_mp_bin(out, author->b, QM_AUTHOR_SIZE);
    qm_mp_uint(out, a);
    qm_mp_uint(out, s);
  }
  return qm_wire_end(out, at);
}

int qm_msg_safe_get(qm_msg_safe *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  uint32_t n, n_safe = 0;
  uint64_t a, s;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_SAFE, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(get_flat(&c, SAFE_LEAST, &n));
  qm_vv_entry *p = qm_arena_zero(arena, (size_t)n * sizeof *p);
  qm_vv_entry *q = qm_arena_zero(arena, (size_t)n * sizeof *q);
  if (!p || !q) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_bin_n(&c, p[i].author.b, QM_AUTHOR_SIZE));
    QM_TRY(qm_cur_uint(&c, &a));
    QM_TRY(qm_cur_uint(&c, &s));
    if (a == 0 || s > a) return QM_ERANGE;
    if (i) QM_TRY(ascends(&p[i - 1].author, &p[i].author));
    p[i].next = a;
    if (s == 0) continue;
    q[n_safe].author = p[i].author;
    q[n_safe++].next = s;
  }
  m->acknowledged.p = p;
  m->acknowledged.n = n;
  m->safe.p = q;
  m->safe.n = n_safe;
  return qm_cur_end(&c);
}

int qm_msg_digest_put(qm_buf *out, const qm_msg_digest *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_DIGEST, 3);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_bin(out, m->vv, QM_SYNC_DIGEST_SIZE);
  qm_mp_bin(out, m->digest, QM_SYNC_DIGEST_SIZE);
  return qm_wire_end(out, at);
}

int qm_msg_digest_get(qm_msg_digest *m, qm_slice body) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_DIGEST, 3));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_bin_n(&c, m->vv, QM_SYNC_DIGEST_SIZE));
  QM_TRY(qm_cur_bin_n(&c, m->digest, QM_SYNC_DIGEST_SIZE));
  return qm_cur_end(&c);
}

int qm_msg_digest_answer_put(qm_buf *out, const qm_msg_digest_answer *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_DIGEST_ANSWER, 2);
  qm_mp_bin(out, m->space.b, QM_ID_SIZE);
  qm_mp_uint(out, (uint64_t)m->result);
  return qm_wire_end(out, at);
}

int qm_msg_digest_answer_get(qm_msg_digest_answer *m, qm_slice body) {
  qm_cur c;
  uint32_t result;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_DIGEST_ANSWER, 2));
  QM_TRY(qm_cur_bin_n(&c, m->space.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint32(&c, &result));
  if (result > QM_COMPARE_DIFFER) return QM_ERANGE;
  m->result = (qm_compare)result;
  return qm_cur_end(&c);
}
