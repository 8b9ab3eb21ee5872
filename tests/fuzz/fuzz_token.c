/* Reading tokens come back from an app: read, and written with. Input: which verb, the token. */
#include <string.h>

#include "core/token.h"
#include "tests/fuzz/support_fuzz.h"

static void read_token(fuzz_replica *r, const qm_id *id, qm_slice token) {
  qm_arena arena;
  qm_token t;
  uint64_t version;
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  if (qm__token_parse(r->space, token, id, &arena, &t) == QM_OK)
    for (uint32_t f = FUZZ_NAME; f <= FUZZ_REF; f++) {
      (void)qm__token_dots(&t, f);
      (void)qm__token_version(&t, f, &version);
    }
  qm_arena_free(&arena);
}

static int verb(qm_write *w, unsigned which, const qm_id *id, qm_slice token) {
  qm_slice text = qm_slice_of("\xa2hi", 3), number = qm_slice_of("\x07", 1);
  switch (which % 7) {
    case 0: return qm_write_set(w, id, FUZZ_NAME, text, token, 0);
    case 1: return qm_write_set(w, id, FUZZ_NAME, text, token, QM_WRITE_SETTLE);
    case 2: return qm_write_remove(w, id, FUZZ_TAGS, text, token);
    case 3: return qm_write_delete(w, id, token);
    case 4: return qm_write_raise(w, id, FUZZ_LAST, number, token);
    case 5: return qm_write_splice(w, id, FUZZ_NOTES, 1, 1, qm_slice_of("ab", 2), token);
    default: return qm_write_set(w, id, FUZZ_STATE, qm_slice_of("\xa4open", 5), token, 0);
  }
}

void fuzz_token(qm_slice in) {
  fuzz_replica r;
  qm_write *w = NULL;
  qm_id id = fuzz_record_id(0);
  unsigned which = fuzz_byte(&in);
  fuzz_replica_open(&r, 3, 0);
  fuzz_fill(&r, r.space);
  read_token(&r, &id, in);
  FUZZ_OK(qm_write_begin(&w, r.engine, r.space, 0));
  int rc = verb(w, which, &id, in);
  FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ENOMEM && rc != QM_ECORRUPT);
  FUZZ_OK(qm_write_commit(w, QM_RELAXED));
  fuzz_check_copies(&r, r.space, which & 1);
  fuzz_replica_close(&r);
}
