#include "tests/unit/support_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/state_feed.h"

typedef struct keeper {
  pieces s;
  qm_arena *arena;
} keeper;

static const qm_env *plain(void) {
  static qm_env env;
  env = qm_env_default();
  return &env;
}

static void ok(int rc) {
  if (rc) fail_msg("%s", qm_err_name(rc));
}

static qm_slice keep(qm_arena *arena, const uint8_t *p, size_t n) {
  uint8_t *copy = qm_arena_copy(arena, p, n);
  assert_non_null(copy);
  return qm_slice_of(copy, n);
}

static int keep_piece(void *payload, uint32_t part, qm_slice content) {
  keeper *k = payload;
  assert_true(part == k->s.n && part < STATE_PIECES);
  k->s.p[k->s.n++] = keep(k->arena, content.p, content.n);
  return QM_OK;
}

pieces state_pieces(qm_engine *e, qm_space *s, qm_arena *arena) {
  keeper k = {.arena = arena};
  ok(qm_state_write(e, s, keep_piece, &k));
  return k.s;
}

static qm_manifest manifest_of(const pieces *s) {
  qm_cur c;
  qm_slice id;
  qm_id space;
  uint64_t version;
  qm_manifest m;
  qm_cur_init(&c, s->p[0]);
  qm_cur_array_n(&c, 8);
  qm_cur_uint(&c, &version);
  ok(qm_cur_bin(&c, &id));
  memcpy(space.b, id.p, sizeof space.b);
  ok(qm__manifest_read(&m, &space, s->p[0]));
  return m;
}

static void stream_of(const pieces *s, qm_buf *out) {
  qm_buf_init(out, plain(), 64u << 20);
  for (uint32_t i = 1; i < s->n; i++) qm_buf_add(out, s->p[i].p, s->p[i].n);
}

items state_items(const pieces *s, qm_arena *arena) {
  qm_manifest m = manifest_of(s);
  items out = {.authors = m.authors, .records = (uint32_t)m.records, .batches = m.batches};
  qm_buf stream;
  qm_block block;
  qm_cur c;
  stream_of(s, &stream);
  qm__block_init(&block, plain());
  qm_cur_init(&c, qm_buf_slice(&stream));
  while (qm_cur_left(&c)) {
    uint8_t kind;
    uint32_t n;
    int rc;
    qm_slice bytes, item;
    ok(qm_cur_byte(&c, &kind));
    ok(qm_cur_be32(&c, &n));
    ok(qm_cur_span(&c, n, &bytes));
    ok(qm__block_open(&block, kind, bytes));
    while ((rc = qm__block_next(&block, &item)) == QM_OK) {
      assert_true(out.n < STATE_ITEMS);
      out.p[out.n++] = keep(arena, item.p, item.n);
    }
    assert_int_equal(rc, QM_ENOTFOUND);
  }
  qm__block_free(&block);
  qm_buf_free(&stream);
  return out;
}

static pieces pack(const uint8_t *stream, size_t n, qm_manifest m, const qm_id *space,
                   qm_arena *arena) {
  pieces out = {.n = 1};
  qm_buf hashes, manifest;
  qm_buf_init(&hashes, plain(), 1u << 20);
  qm_buf_init(&manifest, plain(), 1u << 20);
  m.bytes = n;
  for (size_t at = 0; at < n; at += QM_STATE_PART) {
    size_t some = n - at < QM_STATE_PART ? n - at : QM_STATE_PART;
    qm_hash hash;
    assert_true(out.n < STATE_PIECES);
    out.p[out.n] = keep(arena, stream + at, some);
    qm_sha256(stream + at, some, &hash);
    qm_buf_add(&hashes, hash.b, sizeof hash.b);
    out.n++;
  }
  m.hashes = qm_buf_slice(&hashes);
  ok(qm__manifest_write(&m, space, &manifest));
  out.p[0] = keep(arena, manifest.p, manifest.n);
  qm_buf_free(&hashes);
  qm_buf_free(&manifest);
  return out;
}

pieces state_packed(const items *in, const qm_id *space, qm_arena *arena) {
  qm_manifest m = {.authors = in->authors, .records = in->records, .batches = in->batches};
  qm_buf stream;
  qm_buf_init(&stream, plain(), 64u << 20);
  for (uint32_t i = 0; i < in->n; i++) {
    qm_buf_byte(&stream, QM__BLOCK_PLAIN);
    qm_buf_be32(&stream, (uint32_t)in->p[i].n + 4);
    qm_buf_be32(&stream, (uint32_t)in->p[i].n);
    qm_buf_add(&stream, in->p[i].p, in->p[i].n);
  }
  pieces out = pack(stream.p, stream.n, m, space, arena);
  qm_buf_free(&stream);
  return out;
}

pieces state_cut(const pieces *s, size_t stream_bytes, const qm_id *space, qm_arena *arena) {
  qm_buf stream;
  stream_of(s, &stream);
  assert_true(stream_bytes <= stream.n);
  pieces out = pack(stream.p, stream_bytes, manifest_of(s), space, arena);
  qm_buf_free(&stream);
  return out;
}
