#include "tests/unit/support_batch.h"

#include <string.h>

#include "core/value.h"

void world_init(world *w, const qm_env *env, uint64_t seed) {
  memset(w, 0, sizeof *w);
  w->seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  w->env = *env;
  qm_arena_init(&w->arena, &w->env, SIZE_MAX);
  qm_authors_init(&w->authors, &w->env);
  for (uint32_t i = 0; i < WORLD_AUTHORS; i++) {
    qm_author a;
    uint32_t number;
    world_bytes(w, a.b, sizeof a.b);
    if (qm_authors_add(&w->authors, &a, &number)) return;
    w->chains[i].time = (world_random(w) >> 16) & 0x03ffffffffffffff;
    if (world_below(w, 3)) continue;
    w->chains[i].next = world_random(w) >> (8 + world_below(w, 50));
    if (w->chains[i].next) world_bytes(w, w->chains[i].head, QM_HEAD_SIZE);
  }
  for (uint32_t i = 0; i < WORLD_RECORDS; i++) world_bytes(w, w->records[i].b, QM_ID_SIZE);
}

void world_free(world *w) {
  qm_authors_free(&w->authors);
  qm_arena_free(&w->arena);
}

uint64_t world_random(world *w) { /* splitmix64 */
  uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint32_t world_below(world *w, uint32_t n) { return (uint32_t)(world_random(w) % n); }

void world_bytes(world *w, void *to, size_t n) {
  for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = (uint8_t)world_random(w);
}

static uint64_t some_counter(world *w) {
  return world_below(w, 8) ? world_below(w, 300) : world_random(w) >> world_below(w, 60);
}

static qm_dot some_dot(world *w) {
  qm_dot d = {some_counter(w), world_below(w, WORLD_AUTHORS)};
  return d;
}

static qm_dots some_dots(world *w) {
  qm_dots d = {NULL, world_below(w, 4)};
  qm_dot *p = qm_arena_array(&w->arena, d.n, sizeof *p);
  for (uint32_t i = 0; i < d.n; i++) p[i] = some_dot(w);
  d.p = p;
  return d;
}

static qm_ranges some_cuts(world *w) {
  qm_ranges r = {NULL, world_below(w, 4)};
  qm_range *p = qm_arena_array(&w->arena, r.n, sizeof *p);
  for (uint32_t i = 0; i < r.n; i++) {
    qm_dot d = some_dot(w);
    qm_range one = {d.counter >> 1, 1 + world_below(w, 40), d.author};
    p[i] = one;
  }
  r.p = p;
  return r;
}

/* Text of n code points, one to four bytes each. */
static size_t some_text(world *w, char *to, uint32_t n) {
  static const char *const points[] = {"a", "7", " ", "é", "户", "阡", "陌", "𠀀"};
  size_t at = 0;
  for (uint32_t i = 0; i < n; i++) {
    const char *p = points[world_below(w, 8)];
    memcpy(to + at, p, strlen(p));
    at += strlen(p);
  }
  return at;
}

static void put_text(world *w, qm_buf *to, uint32_t n) {
  char text[4 * 320];
  qm_mp_str(to, text, some_text(w, text, n));
}

static void put_some_value(world *w, qm_buf *to) {
  uint8_t bytes[40];
  char digits[65];
  world_bytes(w, bytes, sizeof bytes);
  switch (world_below(w, 12)) {
    case 0: qm_mp_nil(to); break;
    case 1: qm_mp_bool(to, world_below(w, 2)); break;
    case 2: qm_mp_int(to, (int64_t)(world_random(w) >> world_below(w, 64))); break;
    case 3: qm_mp_int(to, -(int64_t)(world_random(w) >> 1 >> world_below(w, 63))); break;
    case 4: qm_mp_f64(to, (double)world_random(w) / 1000.0); break;
    case 5: qm_mp_bin(to, bytes, world_below(w, sizeof bytes)); break;
    case 6: qm_mp_bin(to, bytes, 32); break;
    case 7:
      qm_hex(digits, bytes, 32);
      qm_mp_str(to, digits, 64);
      break;
    case 8:
      qm_mp_array(to, 2);
      qm_mp_uint(to, 7);
      qm_mp_nil(to);
      break;
    case 9:
      qm_mp_map(to, 1);
      qm_mp_str(to, "k", 1);
      put_text(w, to, 3);
      break;
    default: put_text(w, to, world_below(w, world_below(w, 10) ? 12 : 300)); break;
  }
}

static void put_value_of(world *w, qm_op *op, qm_buf *to) {
  if (op->shape == QM_PRESENCE) {
    qm_mp_uint(to, 1 + world_below(w, 300));
  } else if (op->shape == QM_TOTALS) {
    qm_mp_int(to, (int64_t)world_below(w, 9) - 4);
  } else if (op->shape != QM_SEQUENCE) {
    put_some_value(w, to);
  } else if (world_below(w, 4)) {
    op->span = 1 + world_below(w, world_below(w, 6) ? 3 : 60);
    put_text(w, to, (uint32_t)op->span);
  } else {
    op->span = 1 + world_below(w, 3);
    qm_mp_array(to, (size_t)op->span);
    for (uint64_t i = 0; i < op->span; i++) put_some_value(w, to);
  }
}

static void fill_value(world *w, qm_op *op) {
  qm_buf b;
  qm_buf_init(&b, &w->env, QM_VALUE_MAX);
  put_value_of(w, op, &b);
  op->value = qm_slice_of(qm_arena_copy(&w->arena, b.p, b.n), b.n);
  qm_buf_free(&b);
}

static void fill_lists(world *w, qm_op *op) {
  int write = op->shape == QM_SIBLINGS && op->kind == QM_KIND_WRITE;
  int add = op->shape == QM_KEYED && op->kind == QM_KIND_ADD;
  if (qm_op_marks(op) && world_below(w, 6) == 0) {
    op->flags |= QM_OP_MARKS;
    op->marks = some_dots(w);
  }
  if ((write || add) && world_below(w, 4) == 0) {
    op->flags |= QM_OP_LISTED;
    op->dots = some_dots(w);
  }
  if (write && world_below(w, 6) == 0) {
    op->flags |= QM_OP_NAMES;
    op->hides = some_dots(w);
    op->keeps = some_dots(w);
  }
  if (op->shape == QM_KEYED && op->kind == QM_KIND_REMOVE) op->dots = some_dots(w);
  if (op->shape == QM_SEQUENCE && op->kind != QM_KIND_INSERT) op->cuts = some_cuts(w);
  if (op->shape == QM_ENTRIES && world_below(w, 3) == 0) {
    op->flags |= QM_OP_ORDER;
    op->order = world_random(w);
  }
}

static void fill_parent(world *w, qm_op *op, qm_dot last) {
  if (op->shape != QM_SEQUENCE || op->kind != QM_KIND_INSERT) return;
  if (world_below(w, 5) == 0) {
    op->flags |= QM_OP_ROOT;
    return;
  }
  if (world_below(w, 3) == 0) op->flags |= QM_OP_LEFT;
  op->parent = world_below(w, 2) ? last : some_dot(w);
}

static void fill_record(world *w, qm_op *op, const qm_op *before, uint32_t author) {
  uint32_t i = world_below(w, WORLD_RECORDS);
  if (before && before->named == QM_BY_ID && qm_id_is_zero(&before->record)) before = NULL;
  if (before && op->shape != QM_PRESENCE && world_below(w, 8)) {
    op->record = before->record;
    op->named = before->named;
    op->created = before->created;
    return;
  }
  if (op->shape == QM_KEYED && world_below(w, 10) == 0) return; /* the space record */
  op->record = w->records[i];
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) {
    qm_dot d = {op->counter, author};
    if (w->n_created[i] < 2) w->created[i][w->n_created[i]++] = d;
  } else if (w->n_created[i] && world_below(w, 4)) {
    op->named = QM_BY_CREATION;
    op->created = w->created[i][world_below(w, w->n_created[i])];
  }
}

static void some_op(world *w, qm_op *op, const qm_op *before, qm_dot last, uint64_t at) {
  static const uint8_t kinds[QM_SHAPES] = {3, 2, 2, 1, 1, 3};
  memset(op, 0, sizeof *op);
  op->counter = at;
  op->span = 1;
  op->shape = (uint8_t)world_below(w, QM_SHAPES);
  op->kind = (uint8_t)world_below(w, kinds[op->shape]);
  op->field = op->shape == QM_PRESENCE ? 0 : 1 + world_below(w, world_below(w, 9) ? 5 : 70000);
  if (world_below(w, 12) == 0) op->generation = 1 + world_below(w, 400);
  fill_record(w, op, before, last.author);
  if (op->shape == QM_SIBLINGS || op->shape == QM_TOTALS || op->shape == QM_ENTRIES ||
      op->kind == 0) {
    fill_value(w, op);
  }
  fill_lists(w, op);
  fill_parent(w, op, last);
}

static void some_deps(world *w, qm_change *c) {
  qm_dot *deps = qm_arena_array(&w->arena, WORLD_AUTHORS, sizeof *deps);
  if (world_below(w, 4)) return;
  for (uint32_t a = 0; a < WORLD_AUTHORS; a++) {
    if (a == c->author || world_below(w, 2)) continue;
    qm_dot d = {1 + some_counter(w) / 2, a};
    deps[c->n_deps++] = d;
  }
  c->deps = deps;
}

qm_segment world_segment(world *w, uint32_t author, uint32_t changes) {
  struct chain *chain = &w->chains[author];
  qm_segment s = {.author = author, .start = chain->next, .algorithm = 1};
  qm_dot last = {chain->next - 1, author};
  uint64_t at = chain->next;
  s.n_changes = 1 + world_below(w, changes);
  s.changes = qm_arena_zero(&w->arena, s.n_changes * sizeof *s.changes);
  for (uint32_t i = 0; i < s.n_changes; i++) {
    qm_change *c = &s.changes[i];
    uint64_t step = world_below(w, 3) ? (uint64_t)world_below(w, 400000) << 16 : world_below(w, 3);
    c->author = author;
    c->counter = at;
    c->time = chain->time = chain->time + 1 + step;
    c->n_ops = 1 + world_below(w, 6);
    c->ops = qm_arena_array(&w->arena, c->n_ops, sizeof *c->ops);
    some_deps(w, c);
    for (uint32_t k = 0; k < c->n_ops; k++) {
      some_op(w, &c->ops[k], k ? &c->ops[k - 1] : NULL, last, at);
      at += c->ops[k].span;
      if (c->ops[k].shape == QM_SEQUENCE && c->ops[k].kind == QM_KIND_INSERT) last.counter = at - 1;
    }
    c->next = at;
    s.n_ops += c->n_ops;
  }
  qm_salt *seed = qm_arena_zero(&w->arena, sizeof *seed);
  seed->count = s.n_ops;
  world_bytes(w, seed->b, QM_SALT_SIZE);
  s.salts = seed;
  s.n_salts = 1;
  s.next = chain->next = at;
  memcpy(s.previous, chain->head, QM_HEAD_SIZE);
  world_bytes(w, chain->head, QM_HEAD_SIZE);
  memcpy(s.head, chain->head, QM_HEAD_SIZE);
  s.has_signature = world_below(w, 2) != 0;
  if (s.has_signature) world_bytes(w, s.signature, sizeof s.signature);
  return s;
}

void world_erase(world *w, qm_segment *s) {
  uint32_t one_in = 1 + world_below(w, 5);
  for (uint32_t i = 0; i < s->n_changes; i++) {
    for (uint32_t k = 0; k < s->changes[i].n_ops; k++) {
      const qm_op *op = &s->changes[i].ops[k];
      if (op->value.n == 0 || world_below(w, one_in)) continue;
      (void)qm_segment_erase(s, op->counter, &w->authors, &w->arena);
    }
  }
}

qm_batch world_batch(world *w, uint32_t segments, uint32_t changes) {
  qm_batch b = {NULL, 1 + world_below(w, segments)};
  b.segments = qm_arena_array(&w->arena, b.n_segments, sizeof *b.segments);
  for (uint32_t i = 0; i < b.n_segments; i++) {
    b.segments[i] = world_segment(w, world_below(w, WORLD_AUTHORS), changes);
    if (world_below(w, 4) == 0) world_erase(w, &b.segments[i]);
  }
  return b;
}

typedef struct pair { const qm_authors *a, *b; } pair;

static int same_author(pair t, uint32_t a, uint32_t b) {
  return a < t.a->n && b < t.b->n && qm_author_cmp(&t.a->ids[a], &t.b->ids[b]) == 0;
}

static int same_dot(pair t, qm_dot a, qm_dot b) {
  return a.counter == b.counter && same_author(t, a.author, b.author);
}

static int same_dots(pair t, qm_dots a, qm_dots b) {
  if (a.n != b.n) return 0;
  for (uint32_t i = 0; i < a.n; i++)
    if (!same_dot(t, a.p[i], b.p[i])) return 0;
  return 1;
}

static int same_cuts(pair t, qm_ranges a, qm_ranges b) {
  if (a.n != b.n) return 0;
  for (uint32_t i = 0; i < a.n; i++) {
    qm_dot da = {a.p[i].counter, a.p[i].author}, db = {b.p[i].counter, b.p[i].author};
    if (!same_dot(t, da, db) || a.p[i].len != b.p[i].len) return 0;
  }
  return 1;
}

static const char *record_differs(pair t, const qm_op *a, const qm_op *b, int resolved) {
  if (b->named == QM_BY_CREATION) {
    if (a->named != QM_BY_CREATION || !same_dot(t, a->created, b->created)) return "created";
    if (!resolved) return qm_id_is_zero(&b->record) ? NULL : "record not zero";
  }
  return qm_id_cmp(&a->record, &b->record) ? "record" : NULL;
}

static const char *op_differs(pair t, const qm_op *a, const qm_op *b, int resolved) {
  int inserts = a->shape == QM_SEQUENCE && a->kind == QM_KIND_INSERT;
  if (a->counter != b->counter || a->span != b->span) return "counter or span";
  if (a->field != b->field || a->shape != b->shape || a->kind != b->kind) return "field or kind";
  if (a->flags != b->flags || a->generation != b->generation) return "flags or generation";
  if (qm_slice_cmp(a->value, b->value)) return "value";
  if (!same_dots(t, a->dots, b->dots) || !same_dots(t, a->marks, b->marks)) return "dots or marks";
  if (!same_dots(t, a->hides, b->hides) || !same_dots(t, a->keeps, b->keeps)) return "names";
  if (!same_cuts(t, a->cuts, b->cuts)) return "cuts";
  if (inserts && !(a->flags & QM_OP_ROOT) && !same_dot(t, a->parent, b->parent)) return "parent";
  if (a->order != b->order) return "order";
  if ((a->flags & QM_OP_ERASED) && memcmp(a->leaf, b->leaf, sizeof a->leaf)) return "leaf";
  return record_differs(t, a, b, resolved);
}

static const char *change_differs_in(pair t, const qm_change *a, const qm_change *b, int resolved) {
  qm_dots da = {a->deps, a->n_deps}, db = {b->deps, b->n_deps};
  if (!same_author(t, a->author, b->author)) return "author of a change";
  if (a->counter != b->counter || a->next != b->next || a->time != b->time) return "change";
  if (!same_dots(t, da, db)) return "deps";
  if (a->n_ops != b->n_ops) return "ops of a change";
  for (uint32_t i = 0; i < a->n_ops; i++) {
    const char *why = op_differs(t, &a->ops[i], &b->ops[i], resolved);
    if (why) return why;
  }
  return NULL;
}

const char *change_differs(const qm_change *a, const qm_authors *ta, const qm_change *b,
                           const qm_authors *tb, int resolved) {
  pair t = {ta, tb};
  return change_differs_in(t, a, b, resolved);
}

static const char *segment_differs(pair t, const qm_segment *a, const qm_segment *b) {
  if (!same_author(t, a->author, b->author)) return "author";
  if (a->start != b->start || a->next != b->next) return "start or next";
  if (memcmp(a->previous, b->previous, QM_HEAD_SIZE)) return "previous";
  if (memcmp(a->head, b->head, QM_HEAD_SIZE)) return "head";
  if (a->algorithm != b->algorithm || a->has_signature != b->has_signature) return "algorithm";
  if (a->has_signature && memcmp(a->signature, b->signature, 64)) return "signature";
  if (a->n_changes != b->n_changes || a->n_ops != b->n_ops) return "counts";
  if (a->n_salts != b->n_salts) return "number of salts";
  for (uint32_t i = 0; i < a->n_salts; i++) {
    const qm_salt *x = &a->salts[i], *y = &b->salts[i];
    if (x->first != y->first || x->count != y->count || memcmp(x->b, y->b, QM_SALT_SIZE)) {
      return "salt";
    }
  }
  for (uint32_t i = 0; i < a->n_changes; i++) {
    const char *why = change_differs_in(t, &a->changes[i], &b->changes[i], 0);
    if (why) return why;
  }
  return NULL;
}

const char *batch_differs(side sent, side got) {
  pair t = {sent.authors, got.authors};
  if (sent.b->n_segments != got.b->n_segments) return "number of segments";
  for (uint32_t i = 0; i < sent.b->n_segments; i++) {
    const char *why = segment_differs(t, &sent.b->segments[i], &got.b->segments[i]);
    if (why) return why;
  }
  return NULL;
}
