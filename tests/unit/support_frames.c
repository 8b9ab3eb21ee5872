#include "tests/unit/support_frames.h"

#include <string.h>

qm_id example_id(uint8_t first) {
  qm_id id;
  memset(id.b, first, sizeof id.b);
  return id;
}

static qm_author author(uint8_t first) {
  qm_author a;
  memset(a.b, first, sizeof a.b);
  return a;
}

static void lines(qm_msg_line out[2]) {
  memset(out, 0, 2 * sizeof *out);
  for (uint8_t i = 0; i < 2; i++) {
    out[i].id = example_id((uint8_t)(0x5a + i));
    memset(out[i].digest, 0xd0, sizeof out[i].digest);
    memset(out[i].tag, 0x7a, sizeof out[i].tag);
    out[i].schema = 3u + i;
  }
}

static int put_hello(qm_buf *out) {
  qm_msg_line l[2];
  lines(l);
  qm_msg_hello m = {.proto_min = 1,
                    .proto_max = 1,
                    .device = example_id(0x11),
                    .clock_ms = UINT64_C(1800000000000),
                    .flags = QM_HELLO_STAY,
                    .spaces = 2,
                    .lines = l,
                    .n_lines = 2};
  memset(m.digest, 0xdd, sizeof m.digest);
  memset(m.grants, 0x99, sizeof m.grants);
  return qm_msg_hello_put(out, &m);
}

static const qm_msg_agreed *agreed(void) {
  static qm_msg_agreed list[3];
  for (uint8_t i = 0; i < 3; i++) list[i].id = example_id((uint8_t)(0x5a + i));
  list[0].flags = QM_AGREED_SYNC;
  list[1].flags = QM_AGREED_GONE;
  list[2].flags = QM_AGREED_GRANT | QM_AGREED_SYNC;
  return list;
}

static int put_welcome(qm_buf *out) {
  qm_msg_welcome m = {.proto = 1,
                      .device = example_id(0x22),
                      .clock_ms = UINT64_C(1800000000250),
                      .echo_ms = UINT64_C(1800000000000),
                      .flags = QM_WELCOME_HUB,
                      .result = QM_RESULT_DIFFER,
                      .agreed = {agreed(), 3}};
  return qm_msg_welcome_put(out, &m);
}

static int put_same(qm_buf *out) {
  qm_msg_welcome m = {.proto = 1,
                      .device = example_id(0x22),
                      .clock_ms = UINT64_C(1800000000250),
                      .echo_ms = UINT64_C(1800000000000),
                      .flags = QM_WELCOME_HUB | QM_WELCOME_SAFE,
                      .result = QM_RESULT_SAME};
  return qm_msg_welcome_put(out, &m);
}

static int put_space_list(qm_buf *out) {
  qm_msg_line l[2];
  lines(l);
  qm_msg_lines m = {l, 2};
  return qm_msg_space_list_put(out, &m);
}

static int put_space(qm_buf *out) {
  qm_space_info m = {.id = example_id(0x5c),
                     .name = qm_slice_of("grid 7", 6),
                     .role = qm_slice_of("member", 6),
                     .schema = qm_slice_of("\x80", 1),
                     .readable = 1};
  memset(m.secret, 0x5e, sizeof m.secret);
  return qm_msg_space_put(out, &m);
}

static int put_agreed(qm_buf *out) {
  qm_agreed_list m = {agreed(), 3};
  return qm_msg_agreed_put(out, &m);
}

static int put_vv(qm_buf *out) {
  qm_vv_entry e[2] = {{author(0xaa), 300, {1, 2, 3, 4, 5, 6, 7, 8}}, {author(0xab), 7, {9}}};
  qm_msg_vv m = {example_id(0x5a), {e, 2}, {NULL, 0}};
  return qm_msg_vv_put(out, &m);
}

static int put_batch(qm_buf *out) {
  qm_msg_batch m = {example_id(0x5a), 1, qm_slice_of("batch", 5)};
  return qm_msg_batch_put(out, &m);
}

static int put_ack(qm_buf *out) {
  qm_msg_ack m = {example_id(0x5a), 1, 2, 0, 1};
  return qm_msg_ack_put(out, &m);
}

static int put_refused(qm_buf *out) {
  qm_msg_refused m = {.space = example_id(0x5a),
                      .author = author(0xaa),
                      .counter = 300,
                      .code = QM_ESCHEMA,
                      .message = qm_slice_of("too long", 8)};
  return qm_msg_refused_put(out, &m);
}

static int put_end(qm_buf *out) {
  qm_msg_end m = {example_id(0x5a)};
  return qm_msg_end_put(out, &m);
}

static int put_digest(qm_buf *out) {
  qm_msg_digest m = {.space = example_id(0x5a)};
  memset(m.vv, 0x1d, sizeof m.vv);
  memset(m.digest, 0x2d, sizeof m.digest);
  return qm_msg_digest_put(out, &m);
}

static int put_digest_answer(qm_buf *out) {
  qm_msg_digest_answer m = {example_id(0x5a), QM_COMPARE_EQUAL};
  return qm_msg_digest_answer_put(out, &m);
}

static int put_safe(qm_buf *out) {
  qm_vv_entry a[2] = {{author(0xaa), 300, {0}}, {author(0xab), 7, {0}}};
  qm_vv_entry s[1] = {{author(0xaa), 200, {0}}};
  qm_msg_safe m = {example_id(0x5a), {a, 2}, {s, 1}};
  return qm_msg_safe_put(out, &m);
}

static int put_credit(qm_buf *out) {
  qm_msg_credit m = {262144};
  return qm_msg_credit_put(out, &m);
}

static int put_error(qm_buf *out) {
  qm_msg_error m = {QM_EPROTO, qm_slice_of("frame VV (6)", 12)};
  return qm_msg_error_put(out, &m);
}

static int put_aside(qm_buf *out) {
  qm_msg_aside m = {example_id(0x5a), qm_slice_of("entries", 7)};
  return qm_msg_aside_put(out, &m);
}

static int put_bye(qm_buf *out) { return qm_msg_bye_put(out); }

static int put_cert_renew(qm_buf *out) {
  qm_msg_cert_renew m = {qm_slice_of("spki", 4), qm_slice_of("proof", 5)};
  return qm_msg_cert_renew_put(out, &m);
}

static int put_cert(qm_buf *out) {
  qm_msg_cert m = {QM_OK, qm_slice_of("der", 3)};
  return qm_msg_cert_put(out, &m);
}

static int put_live(qm_buf *out) {
  qm_msg_live m = {example_id(0x5a), QM_LIVE_NEWS};
  return qm_msg_live_put(out, &m);
}

#define WITH_ARENA(name, type)                                           \
  static int again_##name(qm_slice body, qm_arena *arena, qm_buf *out) { \
    type m;                                                              \
    QM_TRY(qm_msg_##name##_get(&m, body, arena));                        \
    return qm_msg_##name##_put(out, &m);                                 \
  }
#define WITHOUT(name, type)                                              \
  static int again_##name(qm_slice body, qm_arena *arena, qm_buf *out) { \
    type m;                                                              \
    (void)arena;                                                         \
    QM_TRY(qm_msg_##name##_get(&m, body));                               \
    return qm_msg_##name##_put(out, &m);                                 \
  }
WITH_ARENA(hello, qm_msg_hello)
WITH_ARENA(welcome, qm_msg_welcome)
WITH_ARENA(space_list, qm_msg_lines)
WITHOUT(space, qm_space_info)
WITH_ARENA(agreed, qm_agreed_list)
WITH_ARENA(vv, qm_msg_vv)
WITHOUT(batch, qm_msg_batch)
WITHOUT(ack, qm_msg_ack)
WITHOUT(refused, qm_msg_refused)
WITHOUT(end, qm_msg_end)
WITHOUT(digest, qm_msg_digest)
WITHOUT(digest_answer, qm_msg_digest_answer)
WITH_ARENA(safe, qm_msg_safe)
WITHOUT(credit, qm_msg_credit)
WITHOUT(error, qm_msg_error)
WITHOUT(cert_renew, qm_msg_cert_renew)
WITHOUT(cert, qm_msg_cert)
WITHOUT(aside, qm_msg_aside)
WITHOUT(live, qm_msg_live)

static int again_bye(qm_slice body, qm_arena *arena, qm_buf *out) {
  (void)arena;
  QM_TRY(qm_msg_bye_get(body));
  return qm_msg_bye_put(out);
}

static int put_state_want(qm_buf *out) {
  qm_msg_state_want m = {example_id(0x5a), 300};
  return qm_msg_state_want_put(out, &m);
}

static int again_state_want(qm_slice body, qm_arena *arena, qm_buf *out) {
  qm_msg_state_want m;
  (void)arena;
  QM_TRY(qm_msg_state_want_get(&m, body));
  return qm_msg_state_want_put(out, &m);
}

static int put_state_begin(qm_buf *out) {
  qm_msg_state_begin m = {example_id(0x5a), qm_slice_of("manifest", 8)};
  return qm_msg_state_begin_put(out, &m);
}

static int again_state_begin(qm_slice body, qm_arena *arena, qm_buf *out) {
  qm_msg_state_begin m;
  (void)arena;
  QM_TRY(qm_msg_state_begin_get(&m, body));
  return qm_msg_state_begin_put(out, &m);
}

static int put_state_part(qm_buf *out) {
  qm_msg_state_part m = {example_id(0x5a), 2, qm_slice_of("part", 4)};
  return qm_msg_state_part_put(out, &m);
}

static int again_state_part(qm_slice body, qm_arena *arena, qm_buf *out) {
  qm_msg_state_part m;
  (void)arena;
  QM_TRY(qm_msg_state_part_get(&m, body));
  return qm_msg_state_part_put(out, &m);
}

static int put_state_end(qm_buf *out) {
  qm_msg_state_end m = {example_id(0x5a), 1};
  return qm_msg_state_end_put(out, &m);
}

static int again_state_end(qm_slice body, qm_arena *arena, qm_buf *out) {
  qm_msg_state_end m;
  (void)arena;
  QM_TRY(qm_msg_state_end_get(&m, body));
  return qm_msg_state_end_put(out, &m);
}

static int put_range(qm_buf *out) {
  qm_msg_range m = {example_id(0x5a), qm_slice_of("question", 8)};
  return qm_msg_range_put(out, &m);
}

static int put_state_ask(qm_buf *out) {
  qm_vv_entry e[2] = {{author(0xaa), 300, {0}}, {author(0xab), 7, {0}}};
  qm_msg_state_ask m = {example_id(0x5a), {e, 2}};
  return qm_msg_state_ask_put(out, &m);
}

WITHOUT(range, qm_msg_range)
WITH_ARENA(state_ask, qm_msg_state_ask)

/* The bodies of SPEC §8.11. */
#define HEX_0                                                                        \
  "9a010101c41011111111111111111111111111111111cf000001a3185c50000102c410dddddddddd" \
  "ddddddddddddddddddddddc40899999999999999999294c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a" \
  "5ac410d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0c4087a7a7a7a7a7a7a7a0394c4105b5b5b5b5b5b5b" \
  "5b5b5b5b5b5b5b5b5bc410d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0c4087a7a7a7a7a7a7a7a04"
#define HEX_1                                                                        \
  "980201c41022222222222222222222222222222222cf000001a3185c50facf000001a3185c500003" \
  "0090"
#define HEX_2                                                                        \
  "980201c41022222222222222222222222222222222cf000001a3185c50facf000001a3185c500001" \
  "019392c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a0292c4105b5b5b5b5b5b5b5b5b5b5b5b5b5b5b" \
  "5b0492c4105c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c03"
#define HEX_3                                                                        \
  "92039294c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac410d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0" \
  "c4087a7a7a7a7a7a7a7a0394c4105b5b5b5b5b5b5b5b5b5b5b5b5b5b5b5bc410d0d0d0d0d0d0d0d0" \
  "d0d0d0d0d0d0d0d0c4087a7a7a7a7a7a7a7a04"
#define HEX_4                                                                        \
  "9804c4105c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5ca6677269642037a66d656d626572c4205e5e5e5e" \
  "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5ec40180c3c2"
#define HEX_5                                                                        \
  "92059392c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a0292c4105b5b5b5b5b5b5b5b5b5b5b5b5b5b" \
  "5b5b0492c4105c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c03"
#define HEX_6                                                                        \
  "9406c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a96c418aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaacd012cc4080102030405060708c418abababababababababababababababababab" \
  "abababababab07c408090000000000000090"
#define HEX_7 "9407c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a01c4056261746368"
#define HEX_8 "9608c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a01020001"
#define HEX_ASIDE "9315c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac407656e7472696573"
#define HEX_9                                                                        \
  "9609c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac418aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaacd012cd0d3a8746f6f206c6f6e67"
#define HEX_10 "920ac4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
#define HEX_11                                                                       \
  "940bc4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac4101d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1dc410" \
  "2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d"
#define HEX_12 "930cc4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a01"
#define HEX_13                                                                       \
  "930dc4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a96c418aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaacd012cccc8c418abababababababababababababababababababababababab0700"
#define HEX_14 "920ece00040000"
#define HEX_15 "930fd09fac6672616d6520565620283629"
#define HEX_16 "9110"
#define HEX_17 "9311c40473706b69c40570726f6f66"
#define HEX_18 "931200c403646572"
#define HEX_30 "931ec4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a01"
#define HEX_19 "9313c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5acd012c"
#define HEX_20 "9318c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac4086d616e6966657374"
#define HEX_21 "9419c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a02c40470617274"
#define HEX_22 "931ac4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac3"

#define HEX_RANGE "931bc4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ac4087175657374696f6e"
#define HEX_ASK                                                                      \
  "9320c4105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a94c418aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
  "aaaaaaaaaaaaaacd012cc418abababababababababababababababababababababababab07"

const frame_example frame_examples[] = {
    {"HELLO", 1, HEX_0, put_hello, again_hello},
    {"WELCOME same", 2, HEX_1, put_same, again_welcome},
    {"WELCOME differ", 2, HEX_2, put_welcome, again_welcome},
    {"SPACE_LIST", 3, HEX_3, put_space_list, again_space_list},
    {"SPACE", 4, HEX_4, put_space, again_space},
    {"AGREED", 5, HEX_5, put_agreed, again_agreed},
    {"VV", 6, HEX_6, put_vv, again_vv},
    {"BATCH", 7, HEX_7, put_batch, again_batch},
    {"ACK", 8, HEX_8, put_ack, again_ack},
    {"REFUSED", 9, HEX_9, put_refused, again_refused},
    {"END", 10, HEX_10, put_end, again_end},
    {"DIGEST", 11, HEX_11, put_digest, again_digest},
    {"DIGEST_ANSWER", 12, HEX_12, put_digest_answer, again_digest_answer},
    {"SAFE", 13, HEX_13, put_safe, again_safe},
    {"CREDIT", 14, HEX_14, put_credit, again_credit},
    {"ERROR", 15, HEX_15, put_error, again_error},
    {"BYE", 16, HEX_16, put_bye, again_bye},
    {"CERT_RENEW", 17, HEX_17, put_cert_renew, again_cert_renew},
    {"CERT", 18, HEX_18, put_cert, again_cert},
    {"ASIDE", 21, HEX_ASIDE, put_aside, again_aside},
    {"LIVE", 30, HEX_30, put_live, again_live},
    {"STATE_WANT", 19, HEX_19, put_state_want, again_state_want},
    {"STATE_BEGIN", 24, HEX_20, put_state_begin, again_state_begin},
    {"STATE_PART", 25, HEX_21, put_state_part, again_state_part},
    {"STATE_END", 26, HEX_22, put_state_end, again_state_end},
    {"RANGE", 27, HEX_RANGE, put_range, again_range},
    {"STATE_ASK", 32, HEX_ASK, put_state_ask, again_state_ask},
};
const size_t frame_examples_n = sizeof frame_examples / sizeof frame_examples[0];
