#include "core/salt.h"

#include <string.h>

#define DOMAIN_SALT 0x02

uint32_t qm__salt_half(uint32_t count) {
  uint32_t half = 1;
  while (half < count - half) half *= 2;
  return half;
}

void qm__salt_split(const uint8_t parent[QM_SALT_SIZE], uint8_t children[2 * QM_SALT_SIZE]) {
  uint8_t in[1 + QM_SALT_SIZE + QM_SHA_PAD];
  in[0] = DOMAIN_SALT;
  memcpy(in + 1, parent, QM_SALT_SIZE);
  qm__sha256_in(in, 1 + QM_SALT_SIZE, children);
}

const qm_op *qm__leaves_next(qm__leaves *l) {
  while (l->change < l->s->n_changes) {
    const qm_change *c = &l->s->changes[l->change];
    if (l->op < c->n_ops) return &c->ops[l->op++];
    l->change++;
    l->op = 0;
  }
  return NULL;
}

qm__erased qm__erased_of(const qm_segment *s) {
  qm__erased e = {.leaves = {s, 0, 0}};
  return e;
}

/* Each leaf is looked at once over all questions, because `at` only moves forward. */
int qm__erased_under(qm__erased *e, uint32_t first, uint32_t count) {
  while (!e->done && (!e->found || e->at < first)) {
    const qm_op *op = qm__leaves_next(&e->leaves);
    e->found = op && (op->flags & QM_OP_ERASED);
    e->done = op == NULL;
    e->at = e->walked++;
  }
  return e->found && e->at - first < count;
}

typedef struct cover {
  qm__erased erased;
  qm_salt *to;
  uint32_t cap, n;
} cover;

/* Depth is at most log2 of the leaves (17). */
static void cover_node(cover *c, uint32_t first, uint32_t count) {
  if (!qm__erased_under(&c->erased, first, count)) {
    if (c->n < c->cap) {
      c->to[c->n].first = first;
      c->to[c->n].count = count;
    }
    c->n++;
    return;
  }
  if (count == 1) return;
  uint32_t half = qm__salt_half(count);
  cover_node(c, first, half);
  cover_node(c, first + half, count - half);
}

uint32_t qm__salt_cover(const qm_segment *s, qm_salt *to, uint32_t cap) {
  cover c = {qm__erased_of(s), to, cap, 0};
  if (s->n_ops) cover_node(&c, 0, s->n_ops);
  return c.n;
}
