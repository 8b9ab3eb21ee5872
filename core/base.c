#include "core/base.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/mp.h"

#define KEY_SIZE (1 + QM_AUTHOR_SIZE)
#define BASE_MAX ((size_t)4 << 20)
#define ROW_ARENA ((size_t)128 << 20)

/* [at, head, time, [author, next, …]] under "b" and the author, in table aside. */
static void key_of(const qm_space *s, uint32_t author, uint8_t key[KEY_SIZE]) {
  key[0] = 'b';
  memcpy(key + 1, s->authors.ids[author].b, QM_AUTHOR_SIZE);
}

typedef struct reading {
  qm_space *s;
  qm__base *base;
  qm_vv *clock;
  int found;
} reading;

static int read_clock(reading *r, qm_cur *c) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(c, &n));
  for (uint32_t i = 0; i < n / 2; i++) {
    qm_author id;
    uint64_t next = 0;
    uint32_t number;
    qm_cur_bin_n(c, id.b, QM_AUTHOR_SIZE);
    QM_TRY(qm_cur_uint(c, &next));
    if (!r->clock) continue;
    QM_TRY(qm_authors_find(&r->s->authors, &id, &number));
    QM_TRY(qm_vv_set(r->s->engine->env, r->clock, number, next));
  }
  return qm_cur_end(c);
}

static int read_base(void *payload, qm_slice key, qm_slice value) {
  reading *r = payload;
  qm__base base;
  qm_cur c;
  (void)key;
  qm_cur_init(&c, value);
  qm_cur_array_n(&c, 4);
  qm_cur_uint(&c, &base.at);
  qm_cur_bin_n(&c, base.head.b, QM_HASH_SIZE);
  QM_TRY(qm_cur_uint(&c, &base.time));
  int rc = read_clock(r, &c);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  if (r->base) *r->base = base;
  r->found = 1;
  return QM_OK;
}

static int scan(reading *r, uint32_t author) {
  qm_store *store = r->s->engine->store;
  uint8_t key[KEY_SIZE];
  key_of(r->s, author, key);
  return store->ops->aside_scan(store, r->s->number, qm_slice_of(key, KEY_SIZE), read_base, r);
}

int qm__base_get(qm_space *s, uint32_t author, qm__base *out) {
  reading r = {.s = s, .base = out};
  memset(out, 0, sizeof *out);
  if (!qm_vv_get(&s->floor, author)) return QM_OK;
  QM_TRY(scan(&r, author));
  return r.found && out->at == qm_vv_get(&s->floor, author) ? QM_OK : QM_ECUT;
}

int qm__base_clock(qm_space *s, uint32_t author, qm_vv *clock) {
  reading r = {.s = s, .clock = clock};
  return qm_vv_get(&s->floor, author) ? scan(&r, author) : QM_OK;
}

int qm__base_put(qm_space *s, uint32_t author, const qm__base *base, const qm_vv *clock) {
  qm_store *store = s->engine->store;
  uint8_t key[KEY_SIZE];
  uint32_t n = 0;
  qm_buf b;
  key_of(s, author, key);
  qm_buf_init(&b, s->engine->env, BASE_MAX);
  if (clock) {
    for (uint32_t i = 0; i < clock->n; i++) n += i != author && clock->next[i];
    qm_mp_array(&b, 4);
    qm_mp_uint(&b, base->at);
    qm_mp_bin(&b, base->head.b, QM_HASH_SIZE);
    qm_mp_uint(&b, base->time);
    qm_mp_array(&b, 2 * (size_t)n);
    for (uint32_t i = 0; i < clock->n; i++) {
      if (i == author || !clock->next[i]) continue;
      qm_mp_bin(&b, s->authors.ids[i].b, QM_AUTHOR_SIZE);
      qm_mp_uint(&b, clock->next[i]);
    }
  }
  int rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = store->ops->aside_put(store, s->number, qm_slice_of(key, KEY_SIZE), qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

/* --- moving with the floor --- */

/* An author on the way through the rows that go. `start`: what its last segment stood on, for
 * a twin that begins there too. */
typedef struct moving {
  uint8_t state; /* 0 not met, 1 followed, 2 not known */
  uint8_t moved;
  qm__base now, start, at_cut;
  qm_vv clock, clock_at_cut;
} moving;

typedef struct mover {
  qm_space *s;
  const qm_vv *vv;
  moving *p;
  uint64_t seq, last; /* last: the last row that goes */
  qm_arena arena;
} mover;

static int goes(const mover *m, const qm_log_row *row) {
  for (uint32_t i = 0; i < row->n_segments; i++)
    if (row->segments[i].next > qm_vv_get(m->vv, row->segments[i].author)) return 0;
  return 1;
}

static int note_last(void *payload, const qm_log_row *row) {
  mover *m = payload;
  m->seq = row->seq;
  if (goes(m, row)) m->last = row->seq;
  return QM_OK;
}

static int open_author(mover *m, uint32_t author) {
  moving *a = &m->p[author];
  if (a->state) return QM_OK;
  int rc = qm__base_get(m->s, author, &a->now);
  if (rc == QM_OK) rc = qm__base_clock(m->s, author, &a->clock);
  a->state = rc == QM_OK ? 1 : 2;
  a->start = a->now;
  return rc == QM_ECUT ? QM_OK : rc;
}

static int follow(mover *m, const qm_segment *g) {
  moving *a = &m->p[g->author];
  QM_TRY(open_author(m, g->author));
  if (a->state == 2 || g->next <= a->now.at) return QM_OK;
  const qm__base *on = g->start == a->now.at ? &a->now : &a->start;
  if (g->start != on->at) {
    a->state = 2;
    return QM_OK;
  }
  qm__base stood = *on;
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (c->next <= a->now.at) continue;
    for (uint32_t d = 0; d < c->n_deps; d++)
      QM_TRY(qm_vv_set(m->s->engine->env, &a->clock, c->deps[d].author, c->deps[d].counter));
    a->now.time = c->time;
  }
  QM_TRY(qm_segment_hash(g, &m->s->id, &stood.head, &m->s->authors, &m->arena, &a->now.head));
  a->now.at = g->next;
  a->start = stood;
  return QM_OK;
}

static int follow_row(void *payload, const qm_log_row *row) {
  mover *m = payload;
  qm_batch batch;
  m->seq = row->seq;
  qm_arena_reset(&m->arena);
  QM_TRY(qm__log_decode(m->s, row->batch, &m->arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    const qm_segment *g = &batch.segments[i];
    QM_TRY(follow(m, g));
    moving *a = &m->p[g->author];
    if (!goes(m, row)) continue;
    a->moved = 1;
    a->at_cut = a->now;
    QM_TRY(qm_vv_copy(m->s->engine->env, &a->clock_at_cut, &a->clock));
  }
  return QM_OK;
}

static int rows(mover *m, qm_visit_log visit, uint64_t last) {
  qm_store *store = m->s->engine->store;
  qm_vv none = {NULL, 0, 0};
  int rc = QM_OK;
  m->seq = 0;
  while (rc == QM_OK && m->seq < last)
    rc = store->ops->log_after(store, m->s->number, &none, m->seq, visit, m);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int move_all(mover *m) {
  QM_TRY(rows(m, note_last, UINT64_MAX));
  QM_TRY(rows(m, follow_row, m->last));
  for (uint32_t i = 0; i < m->s->authors.n; i++) {
    moving *a = &m->p[i];
    if (!a->moved) continue;
    QM_TRY(qm__base_put(m->s, i, &a->at_cut, a->state == 1 ? &a->clock_at_cut : NULL));
  }
  return QM_OK;
}

int qm__base_move(qm_space *s, const qm_vv *vv) {
  const qm_env *env = s->engine->env;
  mover m = {.s = s, .vv = vv};
  m.p = qm_alloc_zero(env, ((size_t)s->authors.n + 1) * sizeof *m.p);
  if (!m.p) return QM_ENOMEM;
  qm_arena_init(&m.arena, env, ROW_ARENA);
  int rc = move_all(&m);
  for (uint32_t i = 0; i < s->authors.n; i++) {
    qm_vv_free(env, &m.p[i].clock);
    qm_vv_free(env, &m.p[i].clock_at_cut);
  }
  qm_free(env, m.p);
  qm_arena_free(&m.arena);
  return rc;
}
