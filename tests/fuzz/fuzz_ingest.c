/* Batches that a peer with a right certificate may send, in any order, between local writes
 * and restarts. Whatever comes, the replica stands, and a copy made of its log equals a copy
 * made of its state. Input: terms, then actions. */
#include <string.h>

#include "tests/fuzz/support_fuzz_build.h"

#define ACTIONS_MAX 24
#define HELD_MAX 4

typedef struct play {
  fuzz_replica r;
  fuzz_builder b;
  qm_arena arena;
  unsigned terms; /* 1 schema, 2 author, 4 a hub, 8 one device, 16 own author; the rest: copies */
  uint8_t garbled, late;
  qm_buf held[HELD_MAX];
  qm_buf last;
} play;

static void deliver(play *p, qm_slice batch, unsigned how) {
  qm_ingest in = {.peer = {{(uint8_t)(how & 1 ? 40 : 3)}}, .role = {(const uint8_t *)"grid", 4}};
  qm_error e = {0, ""};
  in.check_schema = p->terms & 1;
  in.check_author = (p->terms & 2) != 0;
  FUZZ_OK(qm_engine_begin(p->r.engine));
  int rc = qm_engine_ingest(p->r.engine, p->r.space, batch, &in, &p->arena, &e);
  qm_class c = qm_err_class(rc);
  int excused = (p->garbled || p->b.faulty) && c != QM_CLASS_STORAGE && rc != QM_EINTERNAL &&
                rc != QM_ENOMEM;
  if (rc != QM_OK && !(excused && e.message[0])) fuzz_fail(__FILE__, __LINE__, "batch", e.message);
  if (rc == QM_OK && !p->b.faulty && !p->garbled && !p->late && !(p->terms & 3)) {
    if (in.n_refusals) fuzz_fail(__FILE__, __LINE__, "refused", in.refusals[0].message);
    FUZZ_CHECK(in.parked == 0);
  }
  if (how & 2) qm_engine_rollback(p->r.engine);
  else FUZZ_OK(qm_engine_commit(p->r.engine, QM_RELAXED, NULL, NULL));
  if (how & 2) p->late = 1;
  qm_arena_reset(&p->arena);
}

static void build(play *p, qm_slice *in, qm_buf *out) {
  qm_buf_clear(out);
  if (!fuzz_build(&p->b, in, out)) qm_buf_clear(out);
}

static void garble(play *p, qm_slice *in) {
  qm_buf *l = &p->last;
  uint32_t flips = 1 + fuzz_below(in, 3);
  while (l->n && flips--) l->p[fuzz_below(in, (uint32_t)l->n)] = (uint8_t)fuzz_byte(in);
  p->garbled = 1;
  if (l->n) deliver(p, qm_buf_slice(l), 0);
}

static void act(play *p, qm_slice *in) {
  unsigned what = fuzz_byte(in);
  qm_buf *h = &p->held[what / 16 % HELD_MAX];
  qm_id peer = {{3}};
  switch (what & 15) {
    case 8:
      if (h->n) qm_buf_clear(h);
      build(p, in, h);
      p->late = 1;
      break;
    case 9:
    case 10:
      if (h->n) deliver(p, qm_buf_slice(h), what >> 6);
      break;
    case 11:
      fuzz_now += 1000;
      fuzz_write(&p->r, p->r.space, in);
      break;
    case 12: garble(p, in); break;
    case 13:
      fuzz_replica_reopen(&p->r);
      p->late = 1; /* what was parked is gone */
      break;
    case 14:
      qm_engine_unpark(p->r.engine, &peer, 0);
      p->late = 1;
      break;
    case 15: FUZZ_OK(qm_engine_push(p->r.engine, p->r.space)); break;
    default:
      build(p, in, &p->last);
      if (p->last.n) deliver(p, qm_buf_slice(&p->last), what >> 6 == 3 ? 2 : what >> 6 & 1);
  }
}

void fuzz_ingest(qm_slice in) {
  play p;
  memset(&p, 0, sizeof p);
  p.terms = fuzz_byte(&in);
  qm_arena_init(&p.arena, fuzz_env(), FUZZ_LIVE_MAX);
  for (int i = 0; i < HELD_MAX; i++) qm_buf_init(&p.held[i], fuzz_env(), QM_BATCH_MAX);
  qm_buf_init(&p.last, fuzz_env(), QM_BATCH_MAX);
  fuzz_replica_open(&p.r, 3, p.terms & 4 ? QM_ENGINE_HUB : 0);
  /* With 16 the first author is the replica's own: somebody goes on in its name. */
  fuzz_builder_init(&p.b, 's', p.terms & 8 ? 40 : 0,
                    p.terms & 16 ? qm_engine_author(p.r.engine) : NULL);
  if (p.terms & 16) p.b.faulty = 1;
  for (int i = 0; i < ACTIONS_MAX && in.n; i++) act(&p, &in);
  fuzz_check_copies(&p.r, p.r.space, p.terms >> 5);
  fuzz_builder_free(&p.b);
  fuzz_replica_close(&p.r);
  for (int i = 0; i < HELD_MAX; i++) qm_buf_free(&p.held[i]);
  qm_buf_free(&p.last);
  qm_arena_free(&p.arena);
}
