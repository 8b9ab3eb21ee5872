/* A segment in its compact form (S5.19): read as it goes on from a made-up place, checked,
 * hashed, said again and read again. The first byte says which place. */
#include <string.h>

#include "core/batch_small.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/support_batch.h"

typedef struct place {
  uint64_t start;
  qm_time last;
  uint8_t previous[QM_HEAD_SIZE];
} place;

static const place places[] = {{0, 0, {0}},
                               {700, UINT64_C(1759999999999) << 16, {1, 2, 3}},
                               {UINT64_MAX - 2, UINT64_MAX - 9, {4}}};

static void table(qm_authors *t) {
  uint32_t n;
  qm_authors_init(t, fuzz_env());
  for (uint8_t i = 0; i < 4; i++) { /* tags 0x1100, 0x1211, 0x1322 and once more 0x1100 */
    qm_author a = {{0}};
    a.b[0] = (uint8_t)(0x11 + i % 3);
    a.b[1] = (uint8_t)(0x11 * (i % 3));
    if (i == 3) a.b[2] = a.b[4] = 7;
    FUZZ_OK(qm_authors_add(t, &a, &n));
  }
}

static int read_small(qm_slice in, const place *p, const qm_authors *t, qm_arena *arena,
                      qm_segment *out) {
  qm_small_in small;
  QM_TRY(qm_small_open(&small, in, t));
  if (small.author == UINT32_MAX) return QM_ENOTFOUND;
  return qm_small_read(&small, small.author, p->start, p->last, p->previous, arena, out);
}

static void say_again(const qm_segment *g, const place *p, const qm_authors *t, qm_arena *arena) {
  qm_buf first, second;
  qm_segment again, one = *g;
  qm_buf_init(&first, fuzz_env(), QM_BATCH_MAX);
  qm_buf_init(&second, fuzz_env(), QM_BATCH_MAX);
  int rc = qm_small_encode(&first, g, t);
  FUZZ_CHECK(rc == QM_OK || rc == QM_ELIMIT); /* tags for ids may make it too long */
  if (rc == QM_OK) {
    qm_batch x = {&one, 1}, y = {&again, 1};
    FUZZ_OK(read_small(qm_buf_slice(&first), p, t, arena, &again));
    const char *why = batch_differs((side){&x, t}, (side){&y, t});
    if (why) fuzz_fail(__FILE__, __LINE__, "encode, read", why);
    FUZZ_OK(qm_small_encode(&second, &again, t));
    FUZZ_SAME(qm_buf_slice(&first), qm_buf_slice(&second));
  }
  qm_buf_free(&first);
  qm_buf_free(&second);
}

void fuzz_small(qm_slice in) {
  static const qm_id space = {{0x5a}};
  static const qm_hash before;
  const place *p = &places[fuzz_below(&in, 3)];
  qm_authors authors;
  qm_arena arena;
  qm_segment g;
  table(&authors);
  qm_arena_init(&arena, fuzz_env(), (size_t)16 << 20);
  if (read_small(in, p, &authors, &arena, &g) == QM_OK) {
    qm_hash hash;
    qm_error e = {0, ""};
    FUZZ_CHECK(g.n_ops && g.n_ops <= QM_SMALL_OPS_MAX && g.n_changes <= QM_SMALL_CHANGES_MAX);
    FUZZ_CHECK(g.start == p->start && g.next > g.start);
    if (qm_segment_check(&g, &e) == QM_OK) {
      FUZZ_OK(qm_segment_hash(&g, &space, &before, &authors, &arena, &hash));
      say_again(&g, p, &authors, &arena);
    }
  }
  qm_arena_free(&arena);
  qm_authors_free(&authors);
}
