#include "tests/sim/liar.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/batch.h"
#include "core/mp.h"
#include "core/segment.h"
#include "core/space.h"
#include "tests/sim/chain.h"
#include "tests/sim/people.h"
#include "tests/sim/schema_sim.h"

void liar_bytes(world *w, const node *from, uint8_t *p, size_t n) {
  if (!from->liar || !n || !fires(w, F_LIAR_BYTES, 1, 12)) return;
  for (uint32_t k = 1 + prng_below(&w->random, 3); k-- > 0;) {
    size_t at = prng_next(&w->random) % n;
    switch (prng_below(&w->random, 3)) {
      case 0: p[at] ^= (uint8_t)(1u << prng_below(&w->random, 8)); break;
      case 1: p[at] = (uint8_t)prng_next(&w->random); break;
      default: p[at] = (uint8_t)(p[at] + 1); break;
    }
  }
}

/* --- its own segments, changed under the hash they had; and new ones of others --- */

static int is_of(const node *n, const qm_space *s, uint32_t author) {
  qm_id device;
  qm_author_device(&s->authors.ids[author], &device);
  return qm_id_cmp(&device, &n->id) == 0;
}

static int change_values(qm_segment *g, qm_arena *arena) {
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) {
      qm_op *op = &g->changes[i].ops[o];
      if (op->shape != QM_ENTRIES || op->value.n < 12) continue;
      uint8_t *copy = qm_arena_copy(arena, op->value.p, op->value.n);
      if (!copy) return QM_ENOMEM;
      copy[op->value.n - 1] = (uint8_t)(copy[op->value.n - 1] ^ 1);
      op->value.p = copy;
    }
  return QM_OK;
}

static int open_batch(qm_space *s, qm_slice in, qm_arena *arena, qm_batch *out) {
  qm_batch_in b;
  memset(&b, 0, sizeof b);
  QM_TRY(qm_batch_open(&b, in, arena));
  for (uint32_t i = 0; i < b.n_authors; i++)
    QM_TRY(qm_authors_find(&s->authors, &b.authors[i], &b.map[i]));
  return qm_batch_read(&b, out);
}

static int change_own(node *n, qm_space *s, qm_slice in, qm_arena *arena, qm_buf *out) {
  qm_batch batch;
  QM_TRY(open_batch(s, in, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++)
    if (is_of(n, s, batch.segments[i].author)) QM_TRY(change_values(&batch.segments[i], arena));
  return qm_batch_encode(out, &batch, &s->authors, n->w->zip_level);
}

/* Goes on in another author's name, with a chain that fits. */
static int make_up(node *n, qm_space *s, qm_slice in, qm_arena *arena, qm_buf *out) {
  (void)in;
  world *w = n->w;
  const people *p = w->people;
  uint32_t a = prng_below(&w->random, s->authors.n ? s->authors.n : 1);
  const page *r = NULL;
  for (int i = 0; i < 10 && p->n_records && !r; i++) {
    r = &p->records[prng_below(&w->random, p->n_records)];
    if (qm_id_cmp(&w->spaces[r->space], &s->id) != 0) r = NULL;
  }
  if (!r || a >= s->n_states || is_of(n, s, a) || s->states[a].closed != qm_vv_get(&s->vv, a))
    return QM_ENOTFOUND;
  const qm_author_state *st = &s->states[a];
  uint8_t value[] = {0xa6, 'f', 'o', 'r', 'g', 'e', 'd'};
  qm_op op = {.counter = st->closed, .span = 1, .record = r->id, .field = F_STEPS,
              .shape = QM_ENTRIES, .kind = QM_KIND_APPEND, .value = {value, sizeof value}};
  qm_change c = {.author = a, .counter = st->closed, .next = st->closed + 1,
                 .time = st->time + 1, .ops = &op, .n_ops = 1};
  qm_salt seed = {.count = 1};
  qm_segment g = {.author = a, .start = c.counter, .next = c.next, .changes = &c,
                  .n_changes = 1, .n_ops = 1, .salts = &seed, .n_salts = 1, .algorithm = 1};
  qm_batch batch = {&g, 1};
  qm_hash hash;
  memcpy(g.previous, st->head.b, QM_HEAD_SIZE);
  QM_TRY(qm_segment_hash(&g, &s->id, &st->head, &s->authors, arena, &hash));
  memcpy(g.head, hash.b, QM_HEAD_SIZE);
  return qm_batch_encode(out, &batch, &s->authors, w->zip_level);
}

/* --- its own again, signed by itself --- */

/* The signature is over the true hash; what is said beside it is not true. */
static int mislink(node *n, qm_space *s, qm_slice in, qm_arena *arena, qm_buf *out) {
  qm_batch batch;
  int any = 0;
  QM_TRY(open_batch(s, in, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    qm_segment *g = &batch.segments[i];
    uint32_t what = prng_below(&n->w->random, 6);
    if (!is_of(n, s, g->author)) continue;
    any = 1;
    if (what == 0) g->has_signature = 0;
    if (what != 0 && what != 4) g->head[prng_below(&n->w->random, QM_HEAD_SIZE)] ^= 1;
    if (what >= 4 && g->start) g->previous[prng_below(&n->w->random, QM_HEAD_SIZE)] ^= 1;
  }
  return any ? qm_batch_encode(out, &batch, &s->authors, n->w->zip_level) : QM_ENOTFOUND;
}

static int change_log(qm_segment *g, qm_arena *arena, int *any) {
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) {
      qm_op *op = &g->changes[i].ops[o];
      if (op->shape != QM_ENTRIES || op->value.n < CANARY_SIZE + 2) continue;
      uint8_t *copy = qm_arena_copy(arena, op->value.p, op->value.n);
      if (!copy) return QM_ENOMEM;
      copy[CANARY_SIZE + 1] = 'f'; /* is read as nobody's step */
      op->value.p = copy;
      *any = 1;
    }
  return QM_OK;
}

/* Its last segment with other words in it, hashed and signed as they are: whoever has not the
 * other one has no reason to refuse it. */
static int fork_self(node *n, qm_space *s, qm_slice in, qm_arena *arena, qm_buf *out) {
  qm_batch batch;
  int any = 0;
  QM_TRY(open_batch(s, in, arena, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    qm_segment *g = &batch.segments[i];
    qm_hash hash;
    if (!is_of(n, s, g->author) || g->next != s->states[g->author].closed) continue;
    QM_TRY(chain_previous(s, g->author, g->start, &hash));
    QM_TRY(qm__log_resolve(s, g, arena));
    QM_TRY(change_log(g, arena, &any));
    QM_TRY(qm_segment_hash(g, &s->id, &hash, &s->authors, arena, &hash));
    memcpy(g->head, hash.b, QM_HEAD_SIZE);
    world_sign(&n->id, hash.b, g->signature);
    g->has_signature = 1;
    if (any) forks_add(n->w, &s->id, &s->authors.ids[g->author], g->next, g->head);
  }
  return any ? qm_batch_encode(out, &batch, &s->authors, n->w->zip_level) : QM_ENOTFOUND;
}

/* --- which of them --- */

typedef int (*lie)(node *n, qm_space *s, qm_slice in, qm_arena *arena, qm_buf *out);

static lie draw_lie(node *n, fault *f) {
  static const struct {
    fault f;
    uint32_t den;
    lie lies[2];
  } all[] = {{F_LIAR_FORK, 8, {fork_self, fork_self}},
             {F_LIAR_CHAIN, 4, {mislink, mislink}},
             {F_LIAR_FORGE, 4, {change_own, make_up}}};
  const world *w = n->w;
  for (size_t i = 0; i < sizeof all / sizeof all[0] && n->liar && !w->calm; i++)
    if (w->on[all[i].f] && prng_chance(&n->w->random, 1, all[i].den)) {
      *f = all[i].f;
      return all[i].lies[prng_below(&n->w->random, 2)];
    }
  return NULL;
}

int liar_answer_next(node *n, qm_answer *a, qm_session *s, const qm_event *ev) {
  qm_arena arena;
  qm_buf out;
  fault f;
  lie told = draw_lie(n, &f);
  if (!told) return 0;
  int rc = qm_answer_run(a, ev, &a->own);
  qm_space *sp = qm_engine_space(n->engine, &ev->space);
  qm_arena_init(&arena, &n->env, (size_t)1 << 26);
  qm_buf_init(&out, &n->env, QM_BATCH_MAX);
  if (rc == QM_OK && sp && told(n, sp, a->own.reply.blob, &arena, &out) == QM_OK) {
    a->own.reply.blob = qm_buf_slice(&out);
    n->w->fired[f]++;
  }
  (void)qm_session_done(s, ev->ticket, rc, &a->own.reply);
  qm_buf_free(&out);
  qm_arena_free(&arena);
  return 1;
}

int shuffles(world *w) {
  return !w->calm && w->on[F_SHUFFLE] && prng_chance(&w->random, 1, 4);
}

static int disjoint(const qm_batch *a, const qm_batch *b) {
  for (uint32_t i = 0; i < a->n_segments; i++)
    for (uint32_t k = 0; k < b->n_segments; k++)
      if (a->segments[i].author == b->segments[k].author) return 0;
  return 1;
}

/* The batch after the one that a->own holds; QM_ENOTFOUND where no other may go first. */
static int next_but_one(node *n, qm_answer *a, const qm_event *ev, qm_arena *arena,
                        uint64_t *past) {
  qm_event after = *ev;
  qm_batch one, two;
  qm_space *s = qm_engine_space(n->engine, &ev->space);
  qm_slice first = {qm_arena_copy(arena, a->own.reply.blob.p, a->own.reply.blob.n),
                    a->own.reply.blob.n};
  after.cursor = a->own.reply.cursor;
  QM_TRY(first.p && s ? qm_answer_run(a, &after, &a->own) : QM_ENOMEM);
  QM_TRY(open_batch(s, first, arena, &one));
  QM_TRY(open_batch(s, a->own.reply.blob, arena, &two));
  *past = a->own.reply.cursor;
  a->own.reply.cursor = ev->cursor;
  return disjoint(&one, &two) ? QM_OK : QM_ENOTFOUND;
}

uint64_t shuffled_answer_next(node *n, qm_answer *a, qm_session *s, const qm_event *ev,
                              uint64_t past) {
  qm_arena arena;
  uint64_t both = 0;
  int rc = qm_answer_run(a, ev, &a->own);
  qm_arena_init(&arena, &n->env, (size_t)1 << 26);
  if (rc == QM_OK && past) {
    a->own.reply.cursor = past;
  } else if (rc == QM_OK && next_but_one(n, a, ev, &arena, &both) == QM_OK) {
    n->w->fired[F_SHUFFLE]++;
  } else if (rc == QM_OK) {
    both = 0;
    rc = qm_answer_run(a, ev, &a->own);
  }
  (void)qm_session_done(s, ev->ticket, rc, &a->own.reply);
  qm_arena_free(&arena);
  return both;
}

/* --- against the schema --- */

void liar_write(node *n) {
  world *w = n->w;
  qm_write *q;
  qm_id id;
  int existing;
  qm_buf b;
  for (unsigned s = 0; s < SPACES; s++) {
    qm_space *sp = node_space(n, s);
    if (!sp || !device_may(w, n->index, s) || !prng_chance(&w->random, 1, 2)) continue;
    if (qm_write_begin(&q, n->engine, sp, QM_WRITE_RAW) != QM_OK) continue;
    qm_buf_init(&b, &n->env, 64);
    qm_mp_str(&b, w->canary[s], CANARY_SIZE);
    int rc = qm_write_new(q, 1, NULL, qm_slice_of(NULL, 0), &id, &existing);
    if (rc == QM_OK) rc = qm_write_set(q, &id, F_TEL, qm_buf_slice(&b), qm_slice_of(NULL, 0), 0);
    if (rc == QM_OK) rc = qm_write_inc(q, &id, F_TEL, 1); /* a counter where a text stands */
    if (rc == QM_OK)
      rc = qm_write_commit(q, QM_DURABLE);
    else
      qm_write_cancel(q);
    if (rc == QM_EIO) n->sick = 1;
    qm_buf_free(&b);
  }
}
