/* Two states of one record under a fixed author table: what decodes encodes to the same
 * bytes, and their join, whatever they say, decodes again. Input: VVs, a state, a state. */
#include <string.h>

#include "core/record.h"
#include "tests/fuzz/support_fuzz.h"

typedef struct sides {
  qm_authors authors;
  qm_arena arena;
  qm_vv vv[2];
} sides;

static const qm_id some_id = {{7}};

static void encode_again(sides *s, qm_record *r, qm_slice blob) {
  uint8_t hash[16];
  qm_buf out;
  qm_buf_init(&out, fuzz_env(), QM_RECORD_MAX);
  FUZZ_OK(qm_record_encode(r, &s->authors, &s->arena, &out));
  FUZZ_SAME(qm_buf_slice(&out), blob);
  FUZZ_OK(qm_record_hash(&r->id, blob, &s->authors, hash));
  (void)qm_record_visible(r);
  (void)qm_record_collection(r);
  qm_buf_free(&out);
}

/* Joined with what a liar sent, a record may come out too large, never unreadable. */
static void join(sides *s, qm_record *a, qm_record *b) {
  qm_record out, again;
  qm_buf blob;
  qm_buf_init(&blob, fuzz_env(), SIZE_MAX / 2);
  FUZZ_OK(qm_record_join(&out, a, &s->vv[0], b, &s->vv[1], &s->authors, &s->arena));
  int rc = qm_record_encode(&out, &s->authors, &s->arena, &blob);
  FUZZ_CHECK(rc == QM_OK || rc == QM_ELIMIT);
  if (rc == QM_OK)
    FUZZ_OK(qm_record_decode(&again, &some_id, qm_buf_slice(&blob), &s->authors, &s->arena));
  if (rc == QM_OK) encode_again(s, &again, qm_buf_slice(&blob));
  qm_buf_free(&blob);
}

void fuzz_record(qm_slice in) {
  sides s;
  qm_record r[2];
  int rc[2];
  memset(&s, 0, sizeof s);
  fuzz_authors(&s.authors);
  qm_arena_init(&s.arena, fuzz_env(), FUZZ_LIVE_MAX);
  unsigned how = fuzz_byte(&in);
  for (uint32_t i = 0; i < 2 * FUZZ_AUTHORS && how & 1; i++)
    FUZZ_OK(qm_vv_set(fuzz_env(), &s.vv[i & 1], i / 2, fuzz_number(&in)));
  qm_slice first = how & 2 ? fuzz_piece(&in) : in, blobs[2] = {first, in};
  for (int i = 0; i < 2; i++) {
    rc[i] = qm_record_decode(&r[i], &some_id, blobs[i], &s.authors, &s.arena);
    if (rc[i] == QM_OK) encode_again(&s, &r[i], blobs[i]);
  }
  if (rc[0] == QM_OK && rc[1] == QM_OK) join(&s, &r[0], &r[1]);
  if (rc[0] == QM_OK) join(&s, &r[0], NULL);
  for (int i = 0; i < 2; i++) qm_vv_free(fuzz_env(), &s.vv[i]);
  qm_arena_free(&s.arena);
  qm_authors_free(&s.authors);
}
