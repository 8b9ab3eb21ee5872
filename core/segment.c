#include "core/segment.h"

#include <inttypes.h>
#include <string.h>

#include "core/row.h"
#include "core/salt.h"

enum { DOMAIN_LEAF = 0x00, DOMAIN_INNER = 0x01, DOMAIN_SEGMENT = 0x03 };

/* Bytes of the longest row or header that is hashed (S4.4): lists in row form are
 * some 15 times longer than in a batch, and hashing them is work for a stranger. */
#define ROW_MAX (4u * QM_CHANGE_MAX)
/* Salts split once a level. */
#define DEPTH_MAX 32u

/* SHA-256(0x00 ‖ salt ‖ op), built in `row` to be hashed in one go (S4.8). */
static int leaf_hash(const qm_op *op, const uint8_t salt[QM_SALT_SIZE], const qm_authors *authors,
                     qm_buf *row, uint8_t out[QM_HASH_SIZE]) {
  qm_buf_clear(row);
  uint8_t *to = qm_buf_reserve(row, 1 + QM_SALT_SIZE);
  if (!to) return qm_buf_status(row);
  to[0] = DOMAIN_LEAF;
  memcpy(to + 1, salt, QM_SALT_SIZE);
  row->n = 1 + QM_SALT_SIZE;
  qm_op_row(op, authors, row);
  if (row->n > ROW_MAX) return QM_ELIMIT;
  if (!qm_buf_reserve(row, QM_SHA_PAD)) return qm_buf_status(row);
  qm__sha256_in(row->p, row->n, out);
  return QM_OK;
}

/* SHA-256(0x01 ‖ left ‖ right); `pair` has room for the domain before both. */
#define PAIR_SIZE (1 + 2 * QM_HASH_SIZE)
static void inner_hash(uint8_t pair[PAIR_SIZE + QM_SHA_PAD], uint8_t out[QM_HASH_SIZE]) {
  pair[0] = DOMAIN_INNER;
  qm__sha256_in(pair, PAIR_SIZE, out);
}

typedef struct walker {
  const qm_segment *s;
  const qm_authors *authors;
  qm__leaves leaves;
  qm__erased erased;
  uint32_t salts_used;
  qm_buf row;
} walker;

static int walk_leaf(walker *w, const uint8_t *salt, uint8_t out[QM_HASH_SIZE]) {
  const qm_op *op = qm__leaves_next(&w->leaves);
  if (!op) return QM_EMALFORMED;
  if (salt) return leaf_hash(op, salt, w->authors, &w->row, out);
  memcpy(out, op->leaf, QM_HASH_SIZE);
  return QM_OK;
}

/* The node over leaves [first, first + count). `salt` is NULL where none above is
 * known; then either this node has one, or an erased leaf lies under it (S4.10).
 * Depth is at most log2 of QM_SEGMENT_OPS_MAX. */
static int walk(walker *w, uint32_t first, uint32_t count, const uint8_t *salt,
                uint8_t out[QM_HASH_SIZE]) {
  uint8_t salts[2 * QM_SALT_SIZE], pair[PAIR_SIZE + QM_SHA_PAD];
  if (!salt && !qm__erased_under(&w->erased, first, count)) {
    if (w->salts_used == w->s->n_salts) return QM_EMALFORMED;
    const qm_salt *next = &w->s->salts[w->salts_used++];
    if (next->first != first || next->count != count) return QM_EMALFORMED;
    salt = next->b;
  }
  if (count == 1) return walk_leaf(w, salt, out);
  uint32_t half = qm__salt_half(count);
  if (salt) qm__salt_split(salt, salts);
  QM_TRY(walk(w, first, half, salt ? salts : NULL, pair + 1));
  QM_TRY(walk(w, first + half, count - half, salt ? salts + QM_SALT_SIZE : NULL,
              pair + 1 + QM_HASH_SIZE));
  inner_hash(pair, out);
  return QM_OK;
}

static int count_ops(const qm_segment *s) {
  uint64_t n = 0;
  for (uint32_t i = 0; i < s->n_changes; i++) n += s->changes[i].n_ops;
  return n == s->n_ops && n >= 1 && n <= QM_SEGMENT_OPS_MAX ? QM_OK : QM_EMALFORMED;
}

/* Hashes 0x03 ‖ previous ‖ header ‖ root (S4.7), the header in the walker's buffer. */
static int chain_hash(walker *w, const qm_id *space, const qm_hash *previous,
                      const uint8_t root[QM_HASH_SIZE], qm_hash *out) {
  qm_buf_clear(&w->row);
  uint8_t *to = qm_buf_reserve(&w->row, 1 + QM_HASH_SIZE);
  if (!to) return qm_buf_status(&w->row);
  to[0] = DOMAIN_SEGMENT;
  memcpy(to + 1, previous->b, QM_HASH_SIZE);
  w->row.n = 1 + QM_HASH_SIZE;
  qm__segment_header(w->s, space, w->authors, &w->row);
  to = qm_buf_reserve(&w->row, QM_HASH_SIZE + QM_SHA_PAD);
  if (!to) return qm_buf_status(&w->row);
  memcpy(to, root, QM_HASH_SIZE);
  w->row.n += QM_HASH_SIZE;
  if (w->row.n > ROW_MAX) return QM_ELIMIT;
  qm__sha256_in(w->row.p, w->row.n, out->b);
  return QM_OK;
}

int qm__segment_hash_in(const qm_segment *s, const qm_id *space, const qm_hash *previous,
                        const qm_authors *authors, qm_buf *row, qm_hash *out) {
  walker w = {.s = s, .authors = authors, .leaves = {s, 0, 0}, .erased = qm__erased_of(s)};
  uint8_t root[QM_HASH_SIZE];
  QM_TRY(count_ops(s));
  qm_buf_clear(row);
  w.row = *row;
  w.row.max = ROW_MAX + QM_SHA_PAD;
  int rc = walk(&w, 0, s->n_ops, NULL, root);
  if (rc == QM_OK && w.salts_used != s->n_salts) rc = QM_EMALFORMED;
  if (rc == QM_OK) rc = chain_hash(&w, space, previous, root, out);
  *row = w.row;
  return rc == QM_ELIMIT ? QM_EMALFORMED : rc;
}

int qm_segment_hash(const qm_segment *s, const qm_id *space, const qm_hash *previous,
                    const qm_authors *authors, qm_arena *arena, qm_hash *out) {
  qm_buf row; /* for all rows: an arena would keep every size it grew through */
  qm_buf_init(&row, arena->env, ROW_MAX);
  int rc = qm__segment_hash_in(s, space, previous, authors, &row, out);
  qm_buf_free(&row);
  return rc;
}

static int check_head(const qm_segment *s, qm_error *e) {
  static const uint8_t zero[QM_HEAD_SIZE];
  if (s->algorithm != 1) return qm_fail(e, QM_EMALFORMED, "segment with an unknown algorithm");
  if (s->n_changes == 0 || s->n_changes > QM_SEGMENT_CHANGES_MAX || count_ops(s)) {
    return qm_fail(e, QM_EMALFORMED, "segment at counter %" PRIu64 ": a count is wrong", s->start);
  }
  if (s->start == 0 && memcmp(s->previous, zero, QM_HEAD_SIZE) != 0) {
    return qm_fail(e, QM_EMALFORMED, "an author's first segment has no previous one");
  }
  return QM_OK;
}

/* `seen` is a set of local numbers, empty between calls. */
static int check_deps(const qm_segment *s, const qm_change *c, uint8_t *seen, qm_error *e) {
  int rc = QM_OK;
  uint32_t i = 0;
  for (; i < c->n_deps && rc == QM_OK; i++) {
    qm_dot d = c->deps[i];
    if (d.author == s->author || d.author >= QM_AUTHORS_MAX || d.counter == 0 ||
        (seen[d.author / 8] >> d.author % 8 & 1)) {
      rc = qm_fail(e, QM_EMALFORMED,
                   "change at counter %" PRIu64 " depends on itself, on nothing, or twice on one",
                   c->counter);
      break;
    }
    seen[d.author / 8] = (uint8_t)(seen[d.author / 8] | 1u << d.author % 8);
  }
  while (i-- > 0) seen[c->deps[i].author / 8] = 0;
  return rc;
}

static int check_ops(const qm_segment *s, const qm_change *c, qm_error *e) {
  uint64_t at = c->counter;
  if (c->n_ops == 0) {
    return qm_fail(e, QM_EMALFORMED, "change at counter %" PRIu64 " has no ops", c->counter);
  }
  for (uint32_t i = 0; i < c->n_ops; i++) {
    const qm_op *op = &c->ops[i];
    if (op->counter != at) {
      return qm_fail(e, QM_EGAP, "an op stands at counter %" PRIu64 " instead of %" PRIu64,
                     op->counter, at);
    }
    QM_TRY(s->read ? qm__op_check_read(op, e) : qm_op_check(op, e));
    if (op->span > UINT64_MAX - at) return qm_fail(e, QM_EMALFORMED, "beyond all counters");
    at += op->span;
  }
  if (c->next != at) {
    return qm_fail(e, QM_EGAP, "change at counter %" PRIu64 " does not end at %" PRIu64, c->counter,
                   at);
  }
  return QM_OK;
}

int qm_segment_check(const qm_segment *s, qm_error *e) { /* S4.5 */
  uint8_t seen[QM_AUTHORS_MAX / 8]; /* empty once somebody depends on anything */
  int cleared = 0;
  uint64_t at = s->start;
  QM_TRY(check_head(s, e));
  for (uint32_t i = 0; i < s->n_changes; i++) {
    const qm_change *c = &s->changes[i];
    if (c->author != s->author) return qm_fail(e, QM_EMALFORMED, "a change of another author");
    if (c->counter != at) {
      return qm_fail(e, QM_EGAP, "a change starts at counter %" PRIu64 " instead of %" PRIu64,
                     c->counter, at);
    }
    if (i && c->time <= s->changes[i - 1].time) {
      return qm_fail(e, QM_EMALFORMED,
                     "change at counter %" PRIu64 " is not later than the one before", c->counter);
    }
    if (c->n_deps && !cleared) memset(seen, 0, sizeof seen);
    cleared |= c->n_deps != 0;
    QM_TRY(check_deps(s, c, seen, e));
    QM_TRY(check_ops(s, c, e));
    at = c->next;
  }
  if (at != s->next) {
    return qm_fail(e, QM_EGAP, "segment at counter %" PRIu64 " does not end at %" PRIu64, s->start,
                   s->next);
  }
  return QM_OK;
}

/* The op that starts at `counter`, and its leaf. */
static qm_op *find_op(const qm_segment *s, uint64_t counter, uint32_t *leaf) {
  *leaf = 0;
  for (uint32_t i = 0; i < s->n_changes; i++) {
    const qm_change *c = &s->changes[i];
    for (uint32_t k = 0; k < c->n_ops; k++, ++*leaf)
      if (c->ops[k].counter == counter) return &c->ops[k];
  }
  return NULL;
}

/* The place of the salt node that covers `leaf`; n_salts where none does. */
static uint32_t covering(const qm_segment *s, uint32_t leaf) {
  uint32_t i = 0;
  for (; i < s->n_salts; i++) {
    if (leaf >= s->salts[i].first && leaf - s->salts[i].first < s->salts[i].count) break;
  }
  return i;
}

/* Writes the nodes beside the way from *node down to `leaf`, ascending, and leaves
 * the leaf's own salt in *node. Returns how many there are, at most DEPTH_MAX. */
static uint32_t split_around(qm_salt *node, uint32_t leaf, qm_salt *to) {
  qm_salt right[DEPTH_MAX];
  uint32_t n = 0, n_right = 0;
  while (node->count > 1) {
    uint8_t salts[2 * QM_SALT_SIZE];
    uint32_t half = qm__salt_half(node->count);
    qm_salt left_child = {node->first, half, {0}};
    qm_salt right_child = {node->first + half, node->count - half, {0}};
    qm__salt_split(node->b, salts);
    memcpy(left_child.b, salts, QM_SALT_SIZE);
    memcpy(right_child.b, salts + QM_SALT_SIZE, QM_SALT_SIZE);
    qm_wipe(salts, sizeof salts);
    if (leaf - node->first < half) {
      right[n_right++] = right_child;
      *node = left_child;
    } else {
      to[n++] = left_child;
      *node = right_child;
    }
  }
  while (n_right) to[n++] = right[--n_right];
  return n;
}

int qm_segment_erase(qm_segment *s, uint64_t counter, const qm_authors *authors,
                     qm_arena *arena) { /* S4.11 */
  uint32_t leaf;
  uint8_t hash[QM_HASH_SIZE];
  qm_buf row;
  qm_op *op = find_op(s, counter, &leaf);
  if (!op) return QM_ENOTFOUND;
  if (op->flags & QM_OP_ERASED) return QM_OK;
  uint32_t place = covering(s, leaf);
  if (place == s->n_salts || s->salts[place].count > s->n_ops) return QM_EMALFORMED;
  qm_salt *salts = qm_arena_array(arena, (size_t)s->n_salts + DEPTH_MAX, sizeof *salts);
  if (!salts) return QM_ENOMEM;
  if (place) memcpy(salts, s->salts, place * sizeof *salts);
  qm_salt node = s->salts[place];
  uint32_t n = place + split_around(&node, leaf, salts + place);
  qm_buf_init(&row, arena->env, ROW_MAX + QM_SHA_PAD);
  int rc = leaf_hash(op, node.b, authors, &row, hash);
  if (row.p) qm_wipe(row.p, row.n);
  qm_buf_free(&row);
  qm_wipe(&node, sizeof node);
  QM_TRY(rc);
  uint32_t after = s->n_salts - place - 1;
  if (after) memcpy(salts + n, s->salts + place + 1, after * sizeof *salts);
  s->salts = salts;
  s->n_salts = n + after;
  memcpy(op->leaf, hash, QM_HASH_SIZE);
  op->value = qm_slice_of(NULL, 0);
  op->flags |= QM_OP_ERASED;
  return QM_OK;
}

/* --- many at once --- */

typedef struct eraser {
  const qm_segment *s;
  const qm_authors *authors;
  qm_op **ops;    /* by leaf */
  uint32_t *upto; /* how many to erase stand below a leaf */
  uint8_t (*hashes)[QM_HASH_SIZE];
  qm_salt *salts;
  uint32_t n_salts;
  qm_buf row;
} eraser;

/* Depth is at most log2 of QM_SEGMENT_OPS_MAX. */
static int erase_under(eraser *x, const qm_salt *node) {
  uint32_t end = node->first + node->count;
  if (x->upto[end] == x->upto[node->first]) {
    x->salts[x->n_salts++] = *node;
    return QM_OK;
  }
  if (node->count == 1)
    return leaf_hash(x->ops[node->first], node->b, x->authors, &x->row, x->hashes[node->first]);
  uint8_t salts[2 * QM_SALT_SIZE];
  uint32_t half = qm__salt_half(node->count);
  qm_salt left = {node->first, half, {0}}, right = {node->first + half, node->count - half, {0}};
  qm__salt_split(node->b, salts);
  memcpy(left.b, salts, QM_SALT_SIZE);
  memcpy(right.b, salts + QM_SALT_SIZE, QM_SALT_SIZE);
  qm_wipe(salts, sizeof salts);
  int rc = erase_under(x, &left);
  if (rc == QM_OK) rc = erase_under(x, &right);
  qm_wipe(&left, sizeof left);
  qm_wipe(&right, sizeof right);
  return rc;
}

static int eraser_open(eraser *x, const uint8_t *chosen, qm_arena *arena) {
  const qm_segment *s = x->s;
  uint32_t n = s->n_ops, at = 0;
  x->ops = qm_arena_array(arena, n, sizeof *x->ops);
  x->upto = qm_arena_array(arena, (size_t)n + 1, sizeof *x->upto);
  x->hashes = qm_arena_array(arena, n, sizeof *x->hashes);
  /* At least half of the leaves under a node that is given up lie under others. */
  x->salts = qm_arena_array(arena, (size_t)n + s->n_salts, sizeof *x->salts);
  if (!x->ops || !x->upto || !x->hashes || !x->salts) return QM_ENOMEM;
  x->upto[0] = 0;
  for (uint32_t i = 0; i < s->n_changes; i++)
    for (uint32_t k = 0; k < s->changes[i].n_ops; k++, at++) {
      x->ops[at] = &s->changes[i].ops[k];
      x->upto[at + 1] = x->upto[at] + (chosen[at] && qm__op_has_value(x->ops[at]));
    }
  qm_buf_init(&x->row, arena->env, ROW_MAX + QM_SHA_PAD);
  return QM_OK;
}

int qm_segment_erase_all(qm_segment *s, const uint8_t *chosen, const qm_authors *authors,
                         qm_arena *arena) { /* S4.11 */
  eraser x = {.s = s, .authors = authors};
  QM_TRY(count_ops(s));
  QM_TRY(eraser_open(&x, chosen, arena));
  int rc = QM_OK;
  for (uint32_t i = 0; i < s->n_salts && rc == QM_OK; i++) {
    const qm_salt *node = &s->salts[i];
    int fits = node->count && node->count <= s->n_ops && node->first <= s->n_ops - node->count;
    rc = fits ? erase_under(&x, node) : QM_EMALFORMED;
  }
  if (x.row.p) qm_wipe(x.row.p, x.row.n);
  qm_buf_free(&x.row);
  QM_TRY(rc);
  for (uint32_t i = 0; i < s->n_ops; i++) {
    if (x.upto[i + 1] == x.upto[i]) continue;
    memcpy(x.ops[i]->leaf, x.hashes[i], QM_HASH_SIZE);
    x.ops[i]->value = qm_slice_of(NULL, 0);
    x.ops[i]->flags |= QM_OP_ERASED;
  }
  s->salts = x.salts;
  s->n_salts = x.n_salts;
  return QM_OK;
}
