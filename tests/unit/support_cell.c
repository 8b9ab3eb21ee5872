#include "support_cell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"

#define ok(call) assert_int_equal(call, QM_OK)

void bench_open(bench *b) {
  static const uint8_t first[] = {9, 1, 5};
  b->env = qm_env_default();
  qm_arena_init(&b->arena, &b->env, (size_t)1 << 30);
  qm_authors_init(&b->authors, &b->env);
  for (uint32_t i = 0; i < 3; i++) {
    qm_author a = {{first[i]}};
    uint32_t n;
    ok(qm_authors_add(&b->authors, &a, &n));
  }
}

void bench_close(bench *b) {
  qm_authors_free(&b->authors);
  qm_arena_free(&b->arena);
}

qm_vv bench_vv(bench *b, uint64_t a, uint64_t c, uint64_t d) {
  qm_vv v = {qm_arena_array(&b->arena, 3, sizeof(uint64_t)), 3, 3};
  v.next[0] = a;
  v.next[1] = c;
  v.next[2] = d;
  return v;
}

void bench_apply(bench *b, qm_record *r, qm_vv seen, uint32_t author, uint64_t time, qm_op op) {
  qm_change change = {.author = author, .counter = op.counter, .time = time};
  qm_apply a = {&b->authors, &seen, &change, &b->arena};
  if (!op.span) op.span = 1;
  op.record = r->id;
  seen.next[author] = op.counter;
  ok(qm_op_check(&op, NULL));
  ok(qm_record_apply(r, &a, &op));
}

static qm_slice copy(bench *b, qm_buf *buf) {
  ok(qm_buf_status(buf));
  qm_slice s = {qm_arena_copy(&b->arena, buf->p, buf->n), buf->n};
  qm_buf_free(buf);
  return s;
}

qm_slice bench_text(bench *b, const char *text) {
  qm_buf buf;
  qm_buf_init(&buf, &b->env, 1u << 20);
  qm_mp_str(&buf, text, strlen(text));
  return copy(b, &buf);
}

qm_slice bench_int(bench *b, int64_t v) {
  qm_buf buf;
  qm_buf_init(&buf, &b->env, 1u << 20);
  qm_mp_int(&buf, v);
  return copy(b, &buf);
}

qm_dots bench_dots(bench *b, uint32_t n, ...) {
  qm_dot *p = qm_arena_array(&b->arena, n, sizeof *p);
  va_list args;
  va_start(args, n);
  for (uint32_t i = 0; i < n; i++) {
    p[i].author = va_arg(args, unsigned);
    p[i].counter = va_arg(args, unsigned);
  }
  va_end(args);
  return (qm_dots){p, n};
}

qm_record bench_join(bench *b, const qm_record *x, qm_vv vx, const qm_record *y, qm_vv vy) {
  qm_record out;
  ok(qm_record_join(&out, x, &vx, y, &vy, &b->authors, &b->arena));
  return out;
}

static qm_slice encoded(bench *b, qm_record *r) {
  qm_buf buf;
  qm_buf_init(&buf, &b->env, SIZE_MAX / 2);
  ok(qm_record_encode(r, &b->authors, &b->arena, &buf));
  return copy(b, &buf);
}

int bench_reads(bench *b, qm_slice blob) {
  qm_record r;
  qm_id id = {{1}};
  qm_arena arena;
  qm_buf again;
  qm_arena_init(&arena, &b->env, (size_t)1 << 28);
  int reads = qm_record_decode(&r, &id, blob, &b->authors, &arena) == QM_OK;
  if (reads) {
    qm_buf_init(&again, &b->env, SIZE_MAX / 2);
    ok(qm_record_encode(&r, &b->authors, &arena, &again));
    assert_int_equal(again.n, blob.n);
    assert_memory_equal(again.p, blob.p, blob.n);
    qm_buf_free(&again);
  }
  qm_arena_free(&arena);
  return reads;
}

qm_slice bench_bytes(bench *b, qm_record *r) {
  qm_slice blob = encoded(b, r);
  assert_true(bench_reads(b, blob));
  return blob;
}
