/* A state, joined into a replica that has something of its own. Input: how; then (how & 4)
 * the pieces as they travel, each with its length before it, or what the manifest counts
 * (authors, records, names, batches) and the items of the stream, under a manifest that is true
 * to them. Refused ones leave no trace. */
#include <string.h>

#include "core/state_feed.h"
#include "tests/fuzz/support_fuzz.h"

/* One plain part and its manifest. */
static void pack(qm_slice in, const qm_id *space, qm_slice out[2], qm_buf *stream,
                 qm_buf *manifest) {
  qm_manifest m = {.authors = fuzz_byte(&in)};
  qm_hash hash;
  m.records = fuzz_byte(&in);
  m.names = fuzz_byte(&in);
  m.batches = fuzz_byte(&in);
  while (in.n) {
    qm_slice item = fuzz_piece(&in);
    qm_buf_byte(stream, QM__BLOCK_PLAIN);
    qm_buf_be32(stream, (uint32_t)item.n + 4);
    qm_buf_be32(stream, (uint32_t)item.n);
    qm_buf_add(stream, item.p, item.n);
  }
  FUZZ_OK(qm_buf_status(stream));
  m.bytes = stream->n;
  qm_sha256(stream->p, stream->n, &hash);
  m.hashes = qm_slice_of(hash.b, m.bytes ? sizeof hash.b : 0);
  FUZZ_OK(qm__manifest_write(&m, space, manifest));
  out[0] = qm_buf_slice(manifest);
  out[1] = qm_buf_slice(stream);
}

static uint32_t pieces_of(unsigned how, qm_slice in, const qm_id *space, qm_slice parts[16],
                          qm_buf *stream, qm_buf *manifest) {
  uint32_t n = 0;
  if (how & 4) {
    while (in.n && n < 16) parts[n++] = fuzz_piece(&in);
    return n;
  }
  if (in.n > QM_STATE_PART / 6) in.n = QM_STATE_PART / 6;
  pack(in, space, parts, stream, manifest);
  return parts[1].n ? 2 : 1;
}

void fuzz_snapshot(qm_slice in) {
  fuzz_replica r;
  qm_slice parts[16];
  qm_buf stream, manifest;
  qm_space_info info;
  int joined = 0;
  uint8_t vv[2][16];
  qm_digest before, after;
  qm_error e = {0, ""};
  unsigned how = fuzz_byte(&in);
  qm_buf_init(&stream, fuzz_env(), QM_STATE_PART * 2);
  qm_buf_init(&manifest, fuzz_env(), 4096);
  fuzz_replica_open(&r, 3, 0);
  if (how & 1) fuzz_fill(&r, r.space);
  FUZZ_OK(qm_engine_push(r.engine, r.space));
  qm_space_info_get(r.space, &info);
  uint32_t n = pieces_of(how, in, &info.id, parts, &stream, &manifest);
  qm_space_digest(r.space, &before);
  FUZZ_OK(qm_engine_vv_digest(r.engine, r.space, vv[0]));
  int rc = qm_state_join(r.engine, r.space, parts, n, &joined, &e);
  FUZZ_CHECK(rc == QM_OK || e.message[0]);
  FUZZ_CHECK(rc != QM_EINTERNAL);
  fuzz_check_replica(&r, r.space);
  if (rc != QM_OK || !joined) {
    qm_space_digest(r.space, &after);
    FUZZ_OK(qm_engine_vv_digest(r.engine, r.space, vv[1]));
    FUZZ_CHECK(qm_digest_eq(&before, &after) && memcmp(vv[0], vv[1], 16) == 0);
  }
  if (rc == QM_OK && how & 2) {
    in = qm_slice_of("\x03\x01\x02\x05\x07\x00\x01\x02\x09\x01\x04\x02", 12);
    fuzz_write(&r, r.space, &in);
    fuzz_check_replica(&r, r.space);
  }
  fuzz_replica_close(&r);
  qm_buf_free(&stream);
  qm_buf_free(&manifest);
}
