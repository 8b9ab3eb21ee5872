/* Set-aside entries from a peer (SPEC S18.2). Input: how many entries to build of the
 * replica's own segments, what of each, and then bytes taken as they are. */
#include <string.h>

#include "core/aside.h"
#include "core/mp.h"
#include "tests/fuzz/support_fuzz.h"

static int verify(void *payload, const qm_id *device, const uint8_t digest[32],
                  const uint8_t signature[64]) {
  (void)device;
  (void)digest;
  return signature[0] == *(const uint8_t *)payload ? QM_OK : QM_EHASH;
}

/* An array of entries, near to right: of an author that is here, in counters that are. */
static void build(const fuzz_replica *r, qm_space *s, qm_slice *in, qm_buf *out) {
  uint32_t n = fuzz_below(in, 4);
  const qm_authors *authors = qm_space_authors(s);
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n; i++) {
    qm_aside a;
    memset(&a, 0, sizeof a);
    a.by.b[0] = (uint8_t)fuzz_below(in, 2);
    a.seq = fuzz_below(in, 8) ? i : fuzz_number(in);
    a.kind = fuzz_below(in, 6) ? 0 : fuzz_below(in, 3);
    a.author = authors->n ? authors->ids[fuzz_below(in, authors->n)] : *qm_engine_author(r->engine);
    a.first = fuzz_below(in, 12);
    a.next = a.first + 1 + fuzz_below(in, 9);
    memset(a.segment.b, 7, sizeof a.segment.b);
    a.code = a.kind ? 0 : QM_ESCHEMA;
    a.text = qm_slice_of("why", fuzz_below(in, 4));
    a.has_signature = (uint8_t)(fuzz_below(in, 3) != 0);
    a.signature[0] = (uint8_t)fuzz_below(in, 2);
    qm_aside_put(&a, out);
  }
}

/* The head of the author's last segment, in place of the one that build wrote. */
static void name_segments(qm_engine *e, qm_space *s, qm_buf *b) {
  qm_arena arena;
  qm_vv_list heads;
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  FUZZ_OK(qm_engine_heads(e, s, &arena, &heads));
  for (size_t i = 0; heads.n && i + QM_HASH_SIZE <= b->n; i++)
    if (memcmp(b->p + i, "\7\7\7\7\7\7\7\7", 8) == 0 && b->p[i + 31] == 7)
      memcpy(b->p + i, heads.p[0].head, QM_HEAD_SIZE);
  qm_arena_free(&arena);
}

static void take(fuzz_replica *r, qm_space *s, qm_slice entries, uint8_t *key) {
  uint32_t fresh = 0;
  int rc = qm_engine_aside_take(r->engine, s, entries, key ? verify : NULL, key, &fresh, NULL);
  FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ECORRUPT);
  FUZZ_CHECK(rc == QM_OK || fresh == 0);
  fuzz_check_replica(r, s);
  if (qm_space_dirty(s)) return;
  qm_digest before, after;
  qm_space_digest(s, &before);
  FUZZ_OK(qm_engine_rebuild(r->engine, s, NULL));
  qm_space_digest(s, &after);
  FUZZ_CHECK(qm_digest_eq(&before, &after));
}

static void read_back(fuzz_replica *r, qm_space *s) {
  qm_arena arena;
  qm_buf out;
  qm_aside_counts none = {NULL, 0}, after;
  qm_cur c;
  uint32_t n = 0;
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_buf_init(&out, fuzz_env(), FUZZ_LIVE_MAX);
  if (qm_engine_aside_read(r->engine, s, none, &arena, &out, &after) == QM_OK) {
    qm_cur_init(&c, qm_buf_slice(&out));
    FUZZ_OK(qm_cur_array(&c, &n));
    for (uint32_t i = 0; i < n; i++) {
      qm_aside a;
      FUZZ_OK(qm_aside_get(&a, &c));
    }
    FUZZ_OK(qm_cur_end(&c));
    FUZZ_CHECK(qm_aside_includes(after, qm_space_asides(s)));
  }
  qm_buf_free(&out);
  qm_arena_free(&arena);
}

void fuzz_aside(qm_slice in) {
  fuzz_replica r;
  qm_buf b;
  uint8_t key = 1;
  unsigned how = fuzz_byte(&in);
  fuzz_replica_open(&r, 3, how & 1 ? QM_ENGINE_HUB : 0);
  fuzz_fill(&r, r.space);
  FUZZ_OK(qm_engine_push(r.engine, r.space));
  qm_buf_init(&b, fuzz_env(), 1u << 20);
  build(&r, r.space, &in, &b);
  if (how & 2) name_segments(r.engine, r.space, &b);
  FUZZ_OK(qm_buf_status(&b));
  take(&r, r.space, qm_buf_slice(&b), how & 4 ? &key : NULL);
  take(&r, r.space, in, how & 4 ? &key : NULL);
  read_back(&r, r.space);
  if (how & 8) fuzz_replica_reopen(&r);
  read_back(&r, r.space);
  qm_buf_free(&b);
  fuzz_replica_close(&r);
}
