/* HELLO, WELCOME, SPACE_LIST, AGREED: who meets, and in which spaces they differ
 * (SPEC S8.2.1 to S8.2.5). */
#include <string.h>

#include "core/cur.h"
#include "core/mp.h"
#include "sync/msg.h"

#define LINE_LEAST 48u   /* bytes of the smallest line */
#define AGREED_LEAST 20u /* bytes of an agreed entry */

static void put_lines(qm_buf *out, const qm_msg_line *lines, uint32_t n) {
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n; i++) {
    qm_mp_array(out, 4);
    qm_mp_bin(out, lines[i].id.b, QM_ID_SIZE);
    qm_mp_bin(out, lines[i].digest, QM_SYNC_DIGEST_SIZE);
    qm_mp_bin(out, lines[i].tag, QM_TAG_SIZE);
    qm_mp_uint(out, lines[i].schema);
  }
}

/* Ids rise strictly: one form for one set, and a binary search later. */
static int ascends(const qm_id *before, const qm_id *id) {
  int order = qm_id_cmp(before, id);
  return order < 0 ? QM_OK : order == 0 ? QM_EDUPKEY : QM_ECANON;
}

static int get_line(qm_cur *c, qm_msg_line *line) {
  QM_TRY(qm_cur_array_n(c, 4));
  QM_TRY(qm_cur_bin_n(c, line->id.b, QM_ID_SIZE));
  QM_TRY(qm_cur_bin_n(c, line->digest, QM_SYNC_DIGEST_SIZE));
  QM_TRY(qm_cur_bin_n(c, line->tag, QM_TAG_SIZE));
  return qm_cur_uint32(c, &line->schema);
}

static int get_lines(qm_cur *c, uint32_t max, qm_arena *arena, const qm_msg_line **lines,
                     uint32_t *n) {
  QM_TRY(qm__msg_count(c, max, LINE_LEAST, n));
  qm_msg_line *p = qm_arena_array(arena, *n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < *n; i++) {
    QM_TRY(get_line(c, &p[i]));
    if (i) QM_TRY(ascends(&p[i - 1].id, &p[i].id));
  }
  *lines = p;
  return QM_OK;
}

int qm_msg_hello_put(qm_buf *out, const qm_msg_hello *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_HELLO, 9);
  qm_mp_uint(out, m->proto_min);
  qm_mp_uint(out, m->proto_max);
  qm_mp_bin(out, m->device.b, QM_ID_SIZE);
  qm_mp_uint(out, m->clock_ms);
  qm_mp_uint(out, m->flags);
  qm_mp_uint(out, m->spaces);
  qm_mp_bin(out, m->digest, QM_SYNC_DIGEST_SIZE);
  qm_mp_bin(out, m->grants, QM_TAG_SIZE);
  put_lines(out, m->lines, m->n_lines);
  return qm_wire_end(out, at);
}

/* S8.3: number and range stand first in every version, whatever follows. */
static int check_versions(qm_slice body) {
  qm_cur c;
  uint32_t count, number, min, max;
  qm_cur_init(&c, body);
  QM_TRY(qm_cur_array(&c, &count));
  QM_TRY(qm_cur_uint32(&c, &number));
  if (count < 3 || number != QM_FRAME_HELLO) return QM_EFORMAT;
  QM_TRY(qm_cur_uint32(&c, &min));
  QM_TRY(qm_cur_uint32(&c, &max));
  if (min > max) return QM_ERANGE;
  return min > QM_SYNC_PROTO_MAX || max < QM_SYNC_PROTO_MIN ? QM_EVERSION : QM_OK;
}

int qm_msg_hello_get(qm_msg_hello *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(check_versions(body));
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_HELLO, 9));
  QM_TRY(qm_cur_uint32(&c, &m->proto_min));
  QM_TRY(qm_cur_uint32(&c, &m->proto_max));
  QM_TRY(qm_cur_bin_n(&c, m->device.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint(&c, &m->clock_ms));
  QM_TRY(qm_cur_uint32(&c, &m->flags));
  QM_TRY(qm_cur_uint32(&c, &m->spaces));
  QM_TRY(qm_cur_bin_n(&c, m->digest, QM_SYNC_DIGEST_SIZE));
  QM_TRY(qm_cur_bin_n(&c, m->grants, QM_TAG_SIZE));
  QM_TRY(get_lines(&c, QM_SYNC_HELLO_LINES_MAX, arena, &m->lines, &m->n_lines));
  QM_TRY(qm_cur_end(&c));
  if ((m->flags & ~(uint32_t)QM_HELLO_FLAGS) || m->clock_ms > QM_TIME_MS_MAX) return QM_ERANGE;
  if (m->spaces > QM_SYNC_SPACES_MAX) return QM_EOVERSIZE;
  uint32_t want = m->spaces <= QM_SYNC_HELLO_LINES_MAX ? m->spaces : 0;
  return m->n_lines == want ? QM_OK : QM_EFORMAT;
}

static void put_agreed(qm_buf *out, qm_agreed_list list) {
  qm_mp_array(out, list.n);
  for (uint32_t i = 0; i < list.n; i++) {
    qm_mp_array(out, 2);
    qm_mp_bin(out, list.p[i].id.b, QM_ID_SIZE);
    qm_mp_uint(out, list.p[i].flags);
  }
}

/* GONE stands alone; every other entry says what there is to do. */
static int check_agreed(uint32_t flags) {
  if (flags == QM_AGREED_GONE) return QM_OK;
  return flags != 0 && flags < QM_AGREED_GONE ? QM_OK : QM_ERANGE;
}

static int get_agreed(qm_cur *c, qm_arena *arena, qm_agreed_list *list) {
  uint32_t n;
  QM_TRY(qm__msg_count(c, 2 * QM_SYNC_SPACES_MAX, AGREED_LEAST, &n));
  qm_msg_agreed *p = qm_arena_array(arena, n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_array_n(c, 2));
    QM_TRY(qm_cur_bin_n(c, p[i].id.b, QM_ID_SIZE));
    QM_TRY(qm_cur_uint32(c, &p[i].flags));
    QM_TRY(check_agreed(p[i].flags));
    if (i) QM_TRY(ascends(&p[i - 1].id, &p[i].id));
  }
  list->p = p;
  list->n = n;
  return QM_OK;
}

int qm_msg_welcome_put(qm_buf *out, const qm_msg_welcome *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_WELCOME, 7);
  qm_mp_uint(out, m->proto);
  qm_mp_bin(out, m->device.b, QM_ID_SIZE);
  qm_mp_uint(out, m->clock_ms);
  qm_mp_uint(out, m->echo_ms);
  qm_mp_uint(out, m->flags);
  qm_mp_uint(out, m->result);
  put_agreed(out, m->agreed);
  return qm_wire_end(out, at);
}

int qm_msg_welcome_get(qm_msg_welcome *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_WELCOME, 7));
  QM_TRY(qm_cur_uint32(&c, &m->proto));
  QM_TRY(qm_cur_bin_n(&c, m->device.b, QM_ID_SIZE));
  QM_TRY(qm_cur_uint(&c, &m->clock_ms));
  QM_TRY(qm_cur_uint(&c, &m->echo_ms));
  QM_TRY(qm_cur_uint32(&c, &m->flags));
  QM_TRY(qm_cur_uint32(&c, &m->result));
  QM_TRY(get_agreed(&c, arena, &m->agreed));
  QM_TRY(qm_cur_end(&c));
  if (m->flags & ~(uint32_t)QM_WELCOME_FLAGS || m->result >= QM_RESULTS) return QM_ERANGE;
  if (m->clock_ms > QM_TIME_MS_MAX) return QM_ERANGE;
  if ((m->flags & QM_WELCOME_RECOVER) && !(m->flags & QM_WELCOME_HUB)) return QM_EFORMAT;
  if ((m->flags & QM_WELCOME_SAFE) && m->result != QM_RESULT_SAME) return QM_EFORMAT;
  return m->agreed.n == 0 || m->result == QM_RESULT_DIFFER ? QM_OK : QM_EFORMAT;
}

int qm_msg_space_list_put(qm_buf *out, const qm_msg_lines *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_SPACE_LIST, 1);
  put_lines(out, m->p, m->n);
  return qm_wire_end(out, at);
}

int qm_msg_space_list_get(qm_msg_lines *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_SPACE_LIST, 1));
  QM_TRY(get_lines(&c, QM_SYNC_SPACES_MAX, arena, &m->p, &m->n));
  return qm_cur_end(&c);
}

int qm_msg_agreed_put(qm_buf *out, const qm_agreed_list *m) {
  size_t at = qm__msg_begin(out, QM_FRAME_AGREED, 1);
  put_agreed(out, *m);
  return qm_wire_end(out, at);
}

int qm_msg_agreed_get(qm_agreed_list *m, qm_slice body, qm_arena *arena) {
  qm_cur c;
  memset(m, 0, sizeof *m);
  QM_TRY(qm__msg_open(&c, body, QM_FRAME_AGREED, 1));
  QM_TRY(get_agreed(&c, arena, m));
  return qm_cur_end(&c);
}
