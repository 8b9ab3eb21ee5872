/* The search for records that differ, from both sides (SPEC S19.3), and the file with which a
 * hub begins again (S10.9). Input: what is asked of whom, where an honest step is changed, and
 * then bytes taken as they are. 16 bytes of 7 stand for the VV that both are at. */
#include <string.h>

#include "core/repair.h"
#include "core/state.h"
#include "sync/recovery.h"
#include "tests/fuzz/support_fuzz.h"

enum { STEPS = 12, BYTES = 1u << 20 };

typedef struct pair {
  fuzz_replica a, b;
} pair;

static void copy_state(pair *p) {
  fuzz_parts parts;
  int joined;
  fuzz_state(&p->a, p->a.space, &parts);
  FUZZ_OK(qm_state_join(p->b.engine, p->b.space, parts.parts, parts.n, &joined, NULL));
  qm_arena_free(&parts.arena);
}

/* A row whose bytes are not what its hash says. */
static int harm_row(void *payload, const qm_record_row *row) {
  fuzz_replica *r = payload;
  qm_record_row bad = *row;
  bad.hash[3] ^= 1;
  return r->store->ops->record_save(r->store, r->space->number, &bad, 1);
}

static void harm(fuzz_replica *r, uint32_t number) {
  qm_id id = fuzz_record_id(number);
  FUZZ_OK(r->store->ops->begin(r->store));
  FUZZ_OK(r->store->ops->record_load(r->store, r->space->number, &id, 1, harm_row, r));
  FUZZ_OK(r->store->ops->commit(r->store, QM_DURABLE, NULL, NULL));
  (void)qm_engine_check(r->engine, r->space, NULL);
}

static void name_vv(fuzz_replica *r, qm_buf *b) {
  uint8_t vv[16], sevens[16];
  memset(sevens, 7, sizeof sevens);
  FUZZ_OK(qm_engine_vv_digest(r->engine, r->space, vv));
  for (size_t i = 0; i + 16 <= b->n; i++)
    if (memcmp(b->p + i, sevens, 16) == 0) memcpy(b->p + i, vv, 16);
}

static void change(qm_slice *in, qm_buf *b) {
  for (uint32_t n = fuzz_below(in, 4); n && b->n; n--)
    b->p[fuzz_number(in) % b->n] = (uint8_t)fuzz_byte(in);
  if (b->n && fuzz_below(in, 8) == 1) b->n = fuzz_number(in) % b->n;
}

static void stands(fuzz_replica *r, int rc) {
  FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ECORRUPT && rc != QM_EINVAL && rc != QM_ESTATE);
  if (!qm_space_dirty(r->space) && !qm_space_suspect(r->space)) fuzz_check_replica(r, r->space);
}

/* Questions and answers until one side has enough, each changed by the input. */
static void search(pair *p, qm_slice *in, int home) {
  qm_buf q, a;
  uint32_t n;
  qm_buf_init(&q, fuzz_env(), BYTES);
  qm_buf_init(&a, fuzz_env(), BYTES);
  for (int i = 0; i < STEPS; i++) {
    qm_buf_clear(&q);
    int rc = qm_repair_next(p->a.engine, p->a.space, qm_buf_slice(&a), home, &q, &n, NULL);
    stands(&p->a, rc);
    if (rc != QM_OK || !q.n) break;
    change(in, &q);
    qm_buf_clear(&a);
    rc = qm_repair_answer(p->b.engine, p->b.space, qm_buf_slice(&q), 1, &a, &n, NULL);
    stands(&p->b, rc);
    if (rc != QM_OK) break;
    change(in, &a);
    if (!a.n) break;
  }
  qm_buf_free(&q);
  qm_buf_free(&a);
}

/* Bytes as they are: neither side that is whole changes by them, unless its home hub says. */
static void raw(fuzz_replica *r, qm_slice in, int as_answer) {
  qm_buf b, out;
  qm_digest before, after;
  uint32_t n = 0;
  qm_buf_init(&b, fuzz_env(), BYTES);
  qm_buf_init(&out, fuzz_env(), BYTES);
  qm_buf_add(&b, in.p, in.n);
  name_vv(r, &b);
  qm_space_digest(r->space, &before);
  if (as_answer)
    stands(r, qm_repair_next(r->engine, r->space, qm_buf_slice(&b), 0, &out, &n, NULL));
  else
    stands(r, qm_repair_answer(r->engine, r->space, qm_buf_slice(&b), 1, &out, &n, NULL));
  qm_space_digest(r->space, &after);
  FUZZ_CHECK(qm_space_suspect(r->space) || qm_digest_eq(&before, &after));
  qm_buf_free(&b);
  qm_buf_free(&out);
}

static void recovery(qm_slice in) {
  qm_recovery r;
  qm_arena arena;
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  (void)qm_recovery_get(&r, in, &arena);
  qm_arena_free(&arena);
}

void fuzz_repair(qm_slice in) {
  pair p;
  unsigned how = fuzz_byte(&in);
  fuzz_replica_open(&p.a, 3, how & 1 ? QM_ENGINE_HUB : 0);
  fuzz_replica_open(&p.b, 4, how & 2 ? QM_ENGINE_HUB : 0);
  fuzz_fill(&p.a, p.a.space);
  copy_state(&p);
  if (how & 4) harm(&p.a, 0);
  if (how & 8) harm(&p.b, 1);
  search(&p, &in, (how & 16) != 0);
  while (in.n && !in.p[0]) in = qm_slice_of(in.p + 1, in.n - 1); /* choices that were not needed */
  raw(&p.b, in, 0);
  raw(&p.a, in, 1);
  recovery(in);
  fuzz_replica_close(&p.a);
  fuzz_replica_close(&p.b);
}
