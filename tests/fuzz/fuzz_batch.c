/* A batch: opened, read, checked, hashed, written again and read again. Most inputs that get
 * far have the back stored, not compressed (S5.1). */
#include <string.h>

#include "core/zip.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/support_batch.h"

typedef struct reading {
  qm_arena arena;
  qm_authors authors;
  qm_batch_in in;
  qm_batch batch;
} reading;

static int read_batch(reading *r, qm_slice blob) {
  QM_TRY(qm_batch_open(&r->in, blob, &r->arena));
  for (uint32_t i = 0; i < r->in.n_authors; i++) FUZZ_CHECK(r->in.map[i] == UINT32_MAX);
  FUZZ_OK(qm_authors_add_all(&r->authors, r->in.authors, r->in.n_authors, r->in.map));
  QM_TRY(qm_batch_read(&r->in, &r->batch));
  FUZZ_CHECK(r->batch.n_segments == r->in.n_segments);
  return QM_OK;
}

static int read_anew(reading *r, qm_slice blob) {
  memset(r, 0, sizeof *r);
  qm_arena_init(&r->arena, fuzz_env(), (size_t)128 << 20);
  qm_authors_init(&r->authors, fuzz_env());
  return read_batch(r, blob);
}

static void reading_free(reading *r) {
  qm_authors_free(&r->authors);
  qm_arena_free(&r->arena);
}

static void same_heads(const reading *r, qm_slice blob) {
  qm_arena arena;
  qm_batch_in heads;
  qm_arena_init(&arena, fuzz_env(), (size_t)16 << 20);
  FUZZ_OK(qm_batch_heads(blob, &arena, &heads));
  FUZZ_CHECK(heads.n_segments == r->in.n_segments && heads.n_authors == r->in.n_authors);
  for (uint32_t i = 0; i < heads.n_segments; i++) {
    const qm_batch_head *h = &heads.segments[i];
    const qm_segment *g = &r->batch.segments[i];
    FUZZ_CHECK(r->in.map[h->author] == g->author && h->start == g->start && h->next == g->next);
    FUZZ_CHECK(h->n_changes == g->n_changes && memcmp(h->head, g->head, QM_HEAD_SIZE) == 0);
  }
  qm_arena_free(&arena);
}

static void put_again(reading *r) {
  reading again;
  qm_buf first, second;
  qm_buf_init(&first, fuzz_env(), QM_BATCH_MAX);
  qm_buf_init(&second, fuzz_env(), QM_BATCH_MAX);
  FUZZ_OK(qm_batch_encode(&first, &r->batch, &r->authors, 1));
  FUZZ_OK(read_anew(&again, qm_buf_slice(&first)));
  const char *why = batch_differs((side){&r->batch, &r->authors},
                                  (side){&again.batch, &again.authors});
  if (why) fuzz_fail(__FILE__, __LINE__, "encode, decode", why);
  FUZZ_OK(qm_batch_encode(&second, &again.batch, &again.authors, 1));
  FUZZ_SAME(qm_buf_slice(&first), qm_buf_slice(&second));
  reading_free(&again);
  /* For an older peer. */
  FUZZ_OK(qm_batch_make_old(&first));
  FUZZ_CHECK(first.p[0] == 1);
  FUZZ_OK(read_anew(&again, qm_buf_slice(&first)));
  why = batch_differs((side){&r->batch, &r->authors}, (side){&again.batch, &again.authors});
  if (why) fuzz_fail(__FILE__, __LINE__, "make old", why);
  reading_free(&again);
  qm_buf_free(&first);
  qm_buf_free(&second);
}

static void erase_one(reading *r, qm_segment *g, const qm_hash *hash) {
  static const qm_id space = {{0x5a}};
  static const qm_hash before;
  qm_hash after;
  const qm_change *c = &g->changes[g->n_changes - 1];
  if (!c->ops[c->n_ops - 1].value.n) return;
  if (qm_segment_erase(g, c->ops[c->n_ops - 1].counter, &r->authors, &r->arena) != QM_OK) return;
  FUZZ_OK(qm_segment_hash(g, &space, &before, &r->authors, &r->arena, &after));
  FUZZ_CHECK(memcmp(hash->b, after.b, QM_HASH_SIZE) == 0);
}

void fuzz_batch(qm_slice in) {
  static const qm_id space = {{0x5a}};
  static const qm_hash before;
  reading r;
  qm_error e = {0, ""};
  if (read_anew(&r, in) == QM_OK) {
    int good = 1;
    same_heads(&r, in);
    for (uint32_t i = 0; i < r.batch.n_segments; i++) {
      qm_segment *g = &r.batch.segments[i];
      qm_hash hash;
      int sound = qm_segment_check(g, &e) == QM_OK;
      int rc = qm_segment_hash(g, &space, &before, &r.authors, &r.arena, &hash);
      good = good && sound && rc == QM_OK;
      if (sound && rc == QM_OK && g->n_ops % 3 == 0) erase_one(&r, g, &hash);
    }
    if (good) put_again(&r);
  }
  reading_free(&r);
}
