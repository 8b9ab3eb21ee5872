/* Every frame, both directions (SPEC S8.2): the worked examples, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "tests/unit/support_alloc.h"
#include "tests/unit/support_frames.h"

typedef struct fix {
  qm_env env;
  qm_buf a, b;
  qm_arena arena;
} fix;

static void fix_init(fix *f) {
  f->env = qm_env_default();
  qm_buf_init(&f->a, &f->env, 4u << 20);
  qm_buf_init(&f->b, &f->env, 4u << 20);
  qm_arena_init(&f->arena, &f->env, QM_SYNC_SCRATCH_MAX);
}

static void fix_free(fix *f) {
  qm_buf_free(&f->a);
  qm_buf_free(&f->b);
  qm_arena_free(&f->arena);
}

static qm_slice body_of(const qm_buf *b) {
  return qm_slice_of(b->p + QM_SYNC_HEAD_SIZE, b->n - QM_SYNC_HEAD_SIZE);
}

static void examples_have_these_bytes(void **state) {
  fix f;
  (void)state;
  fix_init(&f);
  for (size_t i = 0; i < frame_examples_n; i++) {
    const frame_example *x = &frame_examples[i];
    uint8_t want[512];
    size_t n = strlen(x->hex) / 2;
    uint32_t number;
    assert_int_equal(qm_unhex(want, n, x->hex, 2 * n), QM_OK);
    qm_buf_clear(&f.a);
    qm_buf_clear(&f.b);
    qm_arena_reset(&f.arena);
    assert_int_equal(x->put(&f.a), QM_OK);
    qm_slice body = body_of(&f.a);
    assert_int_equal(f.a.p[2] << 8 | f.a.p[3], body.n);
    if (body.n != n || memcmp(body.p, want, n) != 0) fail_msg("%s has other bytes", x->name);
    assert_int_equal(qm_msg_frame(body, &number), QM_OK);
    assert_int_equal(number, x->frame);
    assert_int_equal(strncmp(x->name, qm_frame_name(number), strlen(qm_frame_name(number))), 0);
    assert_int_equal(x->again(body, &f.arena, &f.b), QM_OK);
    assert_int_equal(f.b.n, f.a.n);
    assert_memory_equal(f.b.p, f.a.p, f.a.n);
  }
  fix_free(&f);
}

static void every_truncation_and_trailing_byte_is_refused(void **state) {
  fix f;
  uint8_t bytes[512];
  (void)state;
  fix_init(&f);
  for (size_t i = 0; i < frame_examples_n; i++) {
    const frame_example *x = &frame_examples[i];
    qm_buf_clear(&f.a);
    assert_int_equal(x->put(&f.a), QM_OK);
    qm_slice body = body_of(&f.a);
    for (size_t n = 0; n < body.n; n++) {
      qm_arena_reset(&f.arena);
      int rc = x->again(qm_slice_of(body.p, n), &f.arena, &f.b);
      if (rc >= 0) fail_msg("%s cut to %zu bytes", x->name, n);
    }
    memcpy(bytes, body.p, body.n);
    bytes[body.n] = 0xc0;
    assert_int_equal(x->again(qm_slice_of(bytes, body.n + 1), &f.arena, &f.b), QM_ETRAILING);
  }
  fix_free(&f);
}

/* What is accepted is in the one form: putting it again gives the same bytes. */
static void every_changed_byte_is_refused_or_another_message(void **state) {
  fix f;
  uint8_t bytes[512];
  size_t accepted = 0, refused = 0;
  (void)state;
  fix_init(&f);
  for (size_t i = 0; i < frame_examples_n; i++) {
    const frame_example *x = &frame_examples[i];
    qm_buf_clear(&f.a);
    assert_int_equal(x->put(&f.a), QM_OK);
    qm_slice body = body_of(&f.a);
    for (size_t at = 0; at < body.n; at++)
      for (unsigned v = 0; v < 256; v++) {
        memcpy(bytes, body.p, body.n);
        bytes[at] = (uint8_t)v;
        qm_arena_reset(&f.arena);
        qm_buf_clear(&f.b);
        int rc = x->again(qm_slice_of(bytes, body.n), &f.arena, &f.b);
        accepted += rc == QM_OK;
        refused += rc != QM_OK;
        if (rc == QM_OK && (f.b.n - 4 != body.n || memcmp(f.b.p + 4, bytes, body.n) != 0))
          fail_msg("%s: byte %zu = %u has two forms", x->name, at, v);
      }
  }
  assert_true(accepted > 10000 && refused > 10000);
  fix_free(&f);
}

static void numbers_and_names(void **state) {
  uint32_t n;
  (void)state;
  assert_string_equal(qm_frame_name(6), "VV");
  assert_string_equal(qm_frame_name(20), "PURGE");
  assert_string_equal(qm_frame_name(31), "PRESENCE");
  assert_string_equal(qm_frame_name(0), "?");
  assert_string_equal(qm_frame_name(19), "STATE_WANT");
  assert_string_equal(qm_frame_name(32), "STATE_ASK");
  assert_string_equal(qm_frame_name(33), "?");
  assert_string_equal(qm_frame_name(UINT32_MAX), "?");
  static const struct {
    const char *bytes;
    size_t n;
    int rc;
  } rows[] = {{"", 0, QM_ETRUNCATED},
              {"\x90", 1, QM_EFORMAT},
              {"\x91", 1, QM_EOVERSIZE},
              {"\x91\x10", 2, QM_OK},
              {"\x91\xa1x", 3, QM_ETYPE},
              {"\x80", 1, QM_ETYPE},
              {"\xdc\x00\x01\x10", 4, QM_ECANON},
              {"\x91\xcc\x10", 3, QM_ECANON},
              {"\x91\xff", 2, QM_ERANGE},
              {"\xdd\xff\xff\xff\xff", 5, QM_EOVERSIZE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(qm_msg_frame(qm_slice_of(rows[i].bytes, rows[i].n), &n), rows[i].rc);
}

/* --- refusals by meaning, built from the struct and put by hand where put would not --- */

static void state_ask_is_checked(void **state) {
  static const struct {
    uint8_t first, second;
    uint64_t next;
    int rc;
  } rows[] = {{1, 2, 1, QM_OK}, {2, 1, 1, QM_ECANON}, {1, 1, 1, QM_EDUPKEY}, {1, 2, 0, QM_ERANGE}};
  qm_env env = qm_env_default();
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    qm_vv_entry e[2] = {{{{rows[i].first}}, 5, {0}}, {{{rows[i].second}}, rows[i].next, {0}}};
    qm_msg_state_ask m = {{{9}}, {e, 2}}, got;
    qm_arena arena;
    qm_buf b;
    qm_arena_init(&arena, &env, 1u << 20);
    qm_buf_init(&b, &env, 1u << 20);
    assert_int_equal(qm_msg_state_ask_put(&b, &m), QM_OK);
    assert_int_equal(qm_msg_state_ask_get(&got, qm_slice_of(b.p + 4, b.n - 4), &arena),
                     rows[i].rc);
    for (size_t n = 4; n < b.n; n++)
      assert_int_not_equal(qm_msg_state_ask_get(&got, qm_slice_of(b.p + 4, n - 4), &arena), QM_OK);
    qm_buf_free(&b);
    qm_arena_free(&arena);
  }
}

static int hello_with(fix *f, const qm_msg_hello *m) {
  qm_msg_hello got;
  qm_buf_clear(&f->a);
  qm_arena_reset(&f->arena);
  assert_int_equal(qm_msg_hello_put(&f->a, m), QM_OK);
  return qm_msg_hello_get(&got, body_of(&f->a), &f->arena);
}

static void hello_is_checked(void **state) {
  fix f;
  qm_msg_line l[QM_SYNC_HELLO_LINES_MAX + 1];
  (void)state;
  fix_init(&f);
  memset(l, 0, sizeof l);
  for (uint8_t i = 0; i <= QM_SYNC_HELLO_LINES_MAX; i++) l[i].id.b[0] = i;
  const qm_msg_hello good = {.proto_min = 1, .proto_max = 1, .spaces = 2, .lines = l, .n_lines = 2};
  static const struct {
    uint32_t min, max;
    int rc;
  } versions[] = {{1, 1, QM_OK},       {0, 1, QM_OK},       {1, 9, QM_OK},      {2, 2, QM_OK},
                  {3, 3, QM_OK},       {0, 0, QM_EVERSION}, {4, 4, QM_EVERSION},
                  {4, UINT32_MAX, QM_EVERSION}, {2, 1, QM_ERANGE}};
  for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
    qm_msg_hello m = good;
    m.proto_min = versions[i].min;
    m.proto_max = versions[i].max;
    assert_int_equal(hello_with(&f, &m), versions[i].rc);
  }
  qm_msg_hello m = good;
  m.flags = 4;
  assert_int_equal(hello_with(&f, &m), QM_ERANGE);
  m = good;
  m.clock_ms = QM_TIME_MS_MAX + 1;
  assert_int_equal(hello_with(&f, &m), QM_ERANGE);
  m = good;
  m.spaces = 3; /* lines for all or none */
  assert_int_equal(hello_with(&f, &m), QM_EFORMAT);
  m.spaces = QM_SYNC_HELLO_LINES_MAX + 1;
  assert_int_equal(hello_with(&f, &m), QM_EFORMAT);
  m.n_lines = 0;
  assert_int_equal(hello_with(&f, &m), QM_OK);
  m.spaces = QM_SYNC_SPACES_MAX + 1;
  assert_int_equal(hello_with(&f, &m), QM_EOVERSIZE);
  m.spaces = m.n_lines = QM_SYNC_HELLO_LINES_MAX + 1;
  assert_int_equal(hello_with(&f, &m), QM_EOVERSIZE);
  m = good;
  l[1].id = l[0].id;
  assert_int_equal(hello_with(&f, &m), QM_EDUPKEY);
  l[0].id.b[0] = 9;
  assert_int_equal(hello_with(&f, &m), QM_ECANON);
  fix_free(&f);
}

/* S8.3: a later version may have changed everything but the range. */
static void hello_of_a_later_version_is_a_version_error(void **state) {
  static const uint8_t later[] = {0x94, 0x01, 0x04, 0x05, 0xa4, 'n', 'e', 'w', 's'};
  fix f;
  qm_msg_hello m;
  (void)state;
  fix_init(&f);
  assert_int_equal(qm_msg_hello_get(&m, qm_slice_of(later, sizeof later), &f.arena), QM_EVERSION);
  fix_free(&f);
}

static int agreed_with(fix *f, uint32_t flags, uint8_t second) {
  qm_msg_agreed p[2] = {{example_id(5), QM_AGREED_SYNC}, {example_id(second), flags}};
  qm_agreed_list m = {p, 2}, got;
  qm_buf_clear(&f->a);
  assert_int_equal(qm_msg_agreed_put(&f->a, &m), QM_OK);
  return qm_msg_agreed_get(&got, body_of(&f->a), &f->arena);
}

static void lists_are_checked(void **state) {
  static const int rc[9] = {QM_ERANGE, QM_OK,     QM_OK,     QM_OK,    QM_OK,
                            QM_ERANGE, QM_ERANGE, QM_ERANGE, QM_ERANGE};
  fix f;
  qm_msg_welcome w = {.proto = 1, .result = QM_RESULT_LIST}, got;
  qm_msg_agreed one = {example_id(5), QM_AGREED_SYNC};
  (void)state;
  fix_init(&f);
  for (uint32_t flags = 0; flags < 9; flags++)
    assert_int_equal(agreed_with(&f, flags, 6), rc[flags]);
  assert_int_equal(agreed_with(&f, 1, 5), QM_EDUPKEY);
  assert_int_equal(agreed_with(&f, 1, 4), QM_ECANON);
  static const struct {
    uint32_t result, flags, n;
    int rc;
  } rows[] = {{0, 0, 0, QM_OK},      {1, 0, 0, QM_OK},      {2, 0, 0, QM_OK},
              {3, 0, 0, QM_ERANGE},  {0, 0, 1, QM_EFORMAT}, {1, 0, 1, QM_OK},
              {2, 0, 1, QM_EFORMAT}, {0, 2, 0, QM_OK},      {1, 2, 0, QM_EFORMAT},
              {2, 3, 0, QM_EFORMAT}, {0, 4, 0, QM_EFORMAT}, {1, 5, 1, QM_OK},
              {0, 8, 0, QM_ERANGE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    w.result = rows[i].result;
    w.flags = rows[i].flags;
    w.agreed.p = &one;
    w.agreed.n = rows[i].n;
    qm_buf_clear(&f.a);
    assert_int_equal(qm_msg_welcome_put(&f.a, &w), QM_OK);
    assert_int_equal(qm_msg_welcome_get(&got, body_of(&f.a), &f.arena), rows[i].rc);
  }
  fix_free(&f);
}

static int vv_with(fix *f, const qm_vv_entry *e, uint32_t n) {
  qm_msg_vv m = {example_id(5), {e, n}, {NULL, 0}}, got;
  qm_buf_clear(&f->a);
  qm_arena_reset(&f->arena);
  assert_int_equal(qm_msg_vv_put(&f->a, &m), QM_OK);
  return qm_msg_vv_get(&got, body_of(&f->a), &f->arena);
}

static void vv_is_checked(void **state) {
  fix f;
  qm_vv_entry e[2] = {{{{1}}, 5, {0}}, {{{2}}, UINT64_MAX, {0}}};
  (void)state;
  fix_init(&f);
  assert_int_equal(vv_with(&f, e, 0), QM_OK);
  assert_int_equal(vv_with(&f, e, 2), QM_OK);
  e[0].next = 0;
  assert_int_equal(vv_with(&f, e, 2), QM_ERANGE);
  e[0].next = 1;
  e[1].author = e[0].author;
  assert_int_equal(vv_with(&f, e, 2), QM_EDUPKEY);
  e[0].author.b[23] = 1;
  assert_int_equal(vv_with(&f, e, 2), QM_ECANON);
  /* Not in threes. */
  qm_msg_vv got;
  qm_buf_clear(&f.a);
  size_t at = qm__msg_begin(&f.a, QM_FRAME_VV, 3);
  qm_mp_bin(&f.a, e[0].author.b, 16);
  qm_mp_array(&f.a, 1);
  qm_mp_uint(&f.a, 1);
  assert_int_equal(qm_wire_end(&f.a, at), QM_OK);
  assert_int_equal(qm_msg_vv_get(&got, body_of(&f.a), &f.arena), QM_EFORMAT);
  fix_free(&f);
}

static void the_longest_vv_fits_a_frame(void **state) {
  fix f;
  qm_vv_entry *e;
  qm_msg_vv m = {example_id(5), {NULL, QM_SYNC_VV_MAX}, {NULL, 0}}, got;
  (void)state;
  fix_init(&f);
  e = qm_alloc_array(&f.env, QM_SYNC_VV_MAX + 1, sizeof *e);
  assert_non_null(e);
  memset(e, 0xff, (QM_SYNC_VV_MAX + 1) * sizeof *e);
  for (uint32_t i = 0; i <= QM_SYNC_VV_MAX; i++) {
    e[i].author.b[0] = (uint8_t)(i >> 8);
    e[i].author.b[1] = (uint8_t)i;
  }
  m.vv.p = e;
  assert_int_equal(qm_msg_vv_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_vv_get(&got, body_of(&f.a), &f.arena), QM_OK);
  assert_int_equal(got.vv.n, QM_SYNC_VV_MAX);
  qm_msg_safe safe = {example_id(5), m.vv, m.vv}, safe_got;
  qm_buf_clear(&f.a);
  qm_arena_reset(&f.arena);
  assert_int_equal(qm_msg_safe_put(&f.a, &safe), QM_OK);
  assert_int_equal(qm_msg_safe_get(&safe_got, body_of(&f.a), &f.arena), QM_OK);
  assert_int_equal(safe_got.safe.n, QM_SYNC_VV_MAX);
  m.vv.n++;
  safe.acknowledged.n++;
  assert_int_equal(qm_msg_vv_put(&f.a, &m), QM_ELIMIT);
  assert_int_equal(qm_msg_safe_put(&f.a, &safe), QM_ELIMIT);
  qm_free(&f.env, e);
  fix_free(&f);
}

static void the_largest_batch_fits_a_frame(void **state) {
  fix f;
  qm_msg_batch m = {example_id(5), UINT32_MAX, {NULL, QM_BATCH_MAX}}, got;
  (void)state;
  fix_init(&f);
  uint8_t *blob = qm_alloc_zero(&f.env, QM_BATCH_MAX + 1);
  assert_non_null(blob);
  m.blob.p = blob;
  assert_int_equal(qm_msg_batch_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_batch_get(&got, body_of(&f.a)), QM_OK);
  assert_int_equal(got.blob.n, QM_BATCH_MAX);
  m.blob.n++;
  assert_int_equal(qm_msg_batch_put(&f.a, &m), QM_ELIMIT);
  m.blob.n = 0; /* nothing, and no number */
  qm_buf_clear(&f.a);
  assert_int_equal(qm_msg_batch_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_batch_get(&got, body_of(&f.a)), QM_ERANGE);
  m.blob.n = m.seq = 0;
  m.blob.n = 1;
  qm_buf_clear(&f.a);
  assert_int_equal(qm_msg_batch_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_batch_get(&got, body_of(&f.a)), QM_ERANGE);
  qm_free(&f.env, blob);
  fix_free(&f);
}

static void safe_never_exceeds_acknowledged(void **state) {
  fix f;
  qm_vv_entry a[2] = {{{{1}}, 5, {0}}, {{{3}}, 0, {0}}}, s[2] = {{{{1}}, 9, {0}}, {{{2}}, 4, {0}}};
  qm_msg_safe m = {example_id(5), {a, 2}, {s, 2}}, got;
  (void)state;
  fix_init(&f);
  assert_int_equal(qm_msg_safe_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_safe_get(&got, body_of(&f.a), &f.arena), QM_OK);
  assert_int_equal(got.acknowledged.n, 2);
  assert_int_equal(got.acknowledged.p[0].next, 9);
  assert_int_equal(got.acknowledged.p[1].next, 4);
  assert_int_equal(got.safe.n, 2);
  /* By hand: safe 6 of acknowledged 5. */
  qm_buf_clear(&f.a);
  size_t at = qm__msg_begin(&f.a, QM_FRAME_SAFE, 2);
  qm_mp_bin(&f.a, m.space.b, 16);
  qm_mp_array(&f.a, 3);
  qm_mp_bin(&f.a, a[0].author.b, QM_AUTHOR_SIZE);
  qm_mp_uint(&f.a, 5);
  qm_mp_uint(&f.a, 6);
  assert_int_equal(qm_wire_end(&f.a, at), QM_OK);
  assert_int_equal(qm_msg_safe_get(&got, body_of(&f.a), &f.arena), QM_ERANGE);
  fix_free(&f);
}

static void texts_and_codes_are_bounded(void **state) {
  fix f;
  char text[QM_SYNC_MESSAGE_MAX + 3];
  qm_msg_error m = {QM_EPROTO, {NULL, 0}}, got;
  (void)state;
  fix_init(&f);
  /* A text that is too long is cut before a code point that would not fit whole. */
  memset(text, 'a', sizeof text);
  memcpy(text + QM_SYNC_MESSAGE_MAX - 1, "\xe7\xbd\x91", 3);
  m.message = qm_slice_of(text, QM_SYNC_MESSAGE_MAX + 2);
  assert_int_equal(qm_msg_error_put(&f.a, &m), QM_OK);
  assert_int_equal(qm_msg_error_get(&got, body_of(&f.a)), QM_OK);
  assert_int_equal(got.message.n, QM_SYNC_MESSAGE_MAX - 1);
  static const struct {
    int64_t code;
    int rc;
  } codes[] = {{-1, QM_OK}, {-32768, QM_OK}, {-32769, QM_ERANGE}, {0, QM_ERANGE}, {1, QM_ERANGE}};
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    qm_buf_clear(&f.a);
    size_t at = qm__msg_begin(&f.a, QM_FRAME_ERROR, 2);
    qm_mp_int(&f.a, codes[i].code);
    qm_mp_str(&f.a, "x", 1);
    assert_int_equal(qm_wire_end(&f.a, at), QM_OK);
    assert_int_equal(qm_msg_error_get(&got, body_of(&f.a)), codes[i].rc);
  }
  qm_buf_clear(&f.a);
  size_t at = qm__msg_begin(&f.a, QM_FRAME_ERROR, 2);
  qm_mp_int(&f.a, -1);
  memset(text, 'a', sizeof text);
  qm_mp_str(&f.a, text, QM_SYNC_MESSAGE_MAX + 1);
  assert_int_equal(qm_wire_end(&f.a, at), QM_OK);
  assert_int_equal(qm_msg_error_get(&got, body_of(&f.a)), QM_EOVERSIZE);
  fix_free(&f);
}

static void small_frames_are_checked(void **state) {
  fix f;
  (void)state;
  fix_init(&f);
  static const struct {
    uint32_t bytes;
    int rc;
  } credits[] = {
      {0, QM_ERANGE}, {1, QM_OK}, {QM_SYNC_WINDOW, QM_OK}, {QM_SYNC_WINDOW + 1, QM_ERANGE}};
  for (size_t i = 0; i < 4; i++) {
    qm_msg_credit m = {credits[i].bytes};
    qm_buf_clear(&f.a);
    assert_int_equal(qm_msg_credit_put(&f.a, &m), QM_OK);
    assert_int_equal(qm_msg_credit_get(&m, body_of(&f.a)), credits[i].rc);
  }
  static const struct {
    int32_t code;
    size_t n;
    int rc;
  } certs[] = {
      {0, 3, QM_OK}, {0, 0, QM_ERANGE}, {QM_EREVOKED, 0, QM_OK}, {QM_EREVOKED, 3, QM_ERANGE}};
  for (size_t i = 0; i < 4; i++) {
    qm_msg_cert m = {certs[i].code, qm_slice_of("der", certs[i].n)};
    qm_buf_clear(&f.a);
    assert_int_equal(qm_msg_cert_put(&f.a, &m), QM_OK);
    assert_int_equal(qm_msg_cert_get(&m, body_of(&f.a)), certs[i].rc);
  }
  qm_msg_ack ack = {.seq = 0};
  qm_buf_clear(&f.a);
  assert_int_equal(qm_msg_ack_put(&f.a, &ack), QM_OK);
  assert_int_equal(qm_msg_ack_get(&ack, body_of(&f.a)), QM_ERANGE);
  qm_msg_refused r = {.code = QM_EACCESS, .counter = 1}; /* of a space, and yet of a counter */
  qm_buf_clear(&f.a);
  assert_int_equal(qm_msg_refused_put(&f.a, &r), QM_OK);
  assert_int_equal(qm_msg_refused_get(&r, body_of(&f.a)), QM_ERANGE);
  qm_msg_digest_answer d = {.result = (qm_compare)3};
  qm_buf_clear(&f.a);
  assert_int_equal(qm_msg_digest_answer_put(&f.a, &d), QM_OK);
  assert_int_equal(qm_msg_digest_answer_get(&d, body_of(&f.a)), QM_ERANGE);
  fix_free(&f);
}

/* A count in a header is a claim: nothing is allocated for it. */
static void claims_allocate_nothing(void **state) {
  static const uint8_t vv[] = {0x93, 6, 0xc4, 16, 0, 0, 0, 0,    0, 0, 0,    0, 0,
                               0,    0, 0,    0,  0, 0, 0, 0xdd, 0, 1, 0x20, 0};
  test_alloc alloc = {0};
  qm_env env = test_alloc_env(&alloc);
  qm_arena arena;
  qm_msg_vv m;
  (void)state;
  qm_arena_init(&arena, &env, QM_SYNC_SCRATCH_MAX);
  assert_true(qm_msg_vv_get(&m, qm_slice_of(vv, sizeof vv), &arena) < 0);
  assert_int_equal(alloc.count, 0);
  qm_arena_free(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples_have_these_bytes),
      cmocka_unit_test(every_truncation_and_trailing_byte_is_refused),
      cmocka_unit_test(every_changed_byte_is_refused_or_another_message),
      cmocka_unit_test(numbers_and_names),
      cmocka_unit_test(state_ask_is_checked),
      cmocka_unit_test(hello_is_checked),
      cmocka_unit_test(hello_of_a_later_version_is_a_version_error),
      cmocka_unit_test(lists_are_checked),
      cmocka_unit_test(vv_is_checked),
      cmocka_unit_test(the_longest_vv_fits_a_frame),
      cmocka_unit_test(the_largest_batch_fits_a_frame),
      cmocka_unit_test(safe_never_exceeds_acknowledged),
      cmocka_unit_test(texts_and_codes_are_bounded),
      cmocka_unit_test(small_frames_are_checked),
      cmocka_unit_test(claims_allocate_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
