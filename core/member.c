#include "core/member.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/crdt/keyed.h"
#include "core/mp.h"
#include "core/space.h"

void qm__members_init(qm_members *m, const qm_env *env) {
  memset(m, 0, sizeof *m);
  qm_arena_init(&m->arena, env, QM_RECORD_ARENA);
}

void qm__members_free(qm_members *m) {
  qm_arena_free(&m->arena);
  m->p = NULL;
  m->n = 0;
}

void qm__member_write(const qm_member *member, qm_buf *out) {
  qm_mp_array(out, 4);
  qm_mp_bin(out, member->device.b, QM_ID_SIZE);
  qm_mp_str(out, member->name.p, member->name.n);
  qm_mp_str(out, member->role.p, member->role.n);
  qm_mp_uint(out, member->from_ms);
}

/* 1 where the element is an entry. */
static int read_one(qm_slice element, qm_member *out) {
  qm_cur c;
  qm_cur_init(&c, element);
  qm_cur_array_n(&c, 4);
  qm_cur_bin_n(&c, out->device.b, QM_ID_SIZE);
  qm_cur_str(&c, &out->name);
  qm_cur_str(&c, &out->role);
  qm_cur_uint(&c, &out->from_ms);
  return qm_cur_end(&c) == QM_OK && out->name.n <= QM_MEMBER_TEXT_MAX &&
         out->role.n <= QM_MEMBER_TEXT_MAX;
}

static int member_cmp(const qm_member *a, const qm_member *b) {
  int c = qm_id_cmp(&a->device, &b->device);
  if (c == 0 && a->from_ms != b->from_ms) c = a->from_ms < b->from_ms ? -1 : 1;
  if (c == 0) c = qm_slice_cmp(a->name, b->name);
  return c ? c : qm_slice_cmp(a->role, b->role);
}

static int less(const void *ctx, uint32_t a, uint32_t b) {
  const qm_member *p = ctx;
  return member_cmp(&p[a], &p[b]) < 0;
}

static int keep_text(qm_members *m, qm_slice *text) {
  uint8_t *p = qm_arena_copy(&m->arena, text->p, text->n);
  text->p = p;
  return p ? QM_OK : QM_ENOMEM;
}

int qm__members_build(qm_members *m, const qm_record *space_record) {
  const qm_cell *cell = qm_record_cell(space_record, QM_SPACE_MEMBERS, QM_KEYED);
  const qm_keyed *k = cell ? qm_keyed_of(cell) : NULL;
  uint32_t n = 0, count = k ? k->n : 0;
  qm_arena_reset(&m->arena);
  m->n = 0;
  qm_member *read = qm_arena_array(&m->arena, count, sizeof *read);
  uint32_t *order = qm_arena_array(&m->arena, count, sizeof *order);
  m->p = qm_arena_array(&m->arena, count, sizeof *m->p);
  if (!read || !order || !m->p) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) n += (uint32_t)read_one(k->p[i].value, &read[n]);
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  qm__heap_sort(order, n, less, read);
  for (uint32_t i = 0; i < n; i++) {
    m->p[i] = read[order[i]];
    QM_TRY(keep_text(m, &m->p[i].name));
    QM_TRY(keep_text(m, &m->p[i].role));
  }
  m->n = n;
  return QM_OK;
}

const qm_member *qm_space_member(const qm_space *s, const qm_id *device, uint64_t at_ms) {
  const qm_members *m = &s->members;
  uint32_t lo = 0, hi = m->n;
  while (lo < hi) { /* the first that is of a greater device, or later */
    uint32_t mid = lo + (hi - lo) / 2;
    int c = qm_id_cmp(&m->p[mid].device, device);
    if (c < 0 || (c == 0 && m->p[mid].from_ms <= at_ms))
      lo = mid + 1;
    else
      hi = mid;
  }
  if (lo && qm_id_cmp(&m->p[lo - 1].device, device) == 0) return &m->p[lo - 1];
  return lo < m->n && qm_id_cmp(&m->p[lo].device, device) == 0 ? &m->p[lo] : NULL;
}

uint32_t qm_space_members(const qm_space *s, const qm_member **out) {
  *out = s->members.p;
  return s->members.n;
}
