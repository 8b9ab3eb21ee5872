#include "tests/fuzz/support_fuzz_build.h"

#include <string.h>

#include "core/mp.h"

void fuzz_builder_init(fuzz_builder *b, uint8_t space, uint8_t device, const qm_author *first) {
  memset(b, 0, sizeof *b);
  qm_arena_init(&b->arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_authors_init(&b->authors, fuzz_env());
  b->space.b[0] = space;
  for (uint32_t i = 0; i < FUZZ_WRITERS; i++) {
    /* Not in the order of ids. */
    static const uint8_t firsts[FUZZ_WRITERS] = {40, 60, 50, 30};
    qm_author a = {{device ? device : firsts[i]}};
    uint32_t number;
    a.b[23] = firsts[i];
    if (i == 0 && first) a = *first;
    FUZZ_OK(qm_authors_add(&b->authors, &a, &number));
    b->chains[i].time = UINT64_C(1700000000000) << 16;
  }
}

void fuzz_builder_free(fuzz_builder *b) {
  for (uint32_t i = 0; i < FUZZ_WRITERS; i++) qm_vv_free(fuzz_env(), &b->chains[i].seen);
  qm_authors_free(&b->authors);
  qm_arena_free(&b->arena);
}

static void *array(fuzz_builder *b, size_t n, size_t size) {
  void *p = qm_arena_zero(&b->arena, n * size);
  FUZZ_CHECK(p != NULL);
  return p;
}

/* --- values --- */

static void text(qm_slice *in, qm_buf *out, uint32_t points) {
  static const char *const some[] = {"a", "b", "é", "阡", "𠀀"};
  char all[4 * 64];
  size_t n = 0;
  for (uint32_t i = 0; i < points; i++) {
    const char *p = some[fuzz_below(in, 5)];
    memcpy(all + n, p, strlen(p));
    n += strlen(p);
  }
  qm_mp_str(out, all, n);
}

static void value(qm_slice *in, qm_buf *out) {
  static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  switch (fuzz_below(in, 11)) {
    case 0: text(in, out, 1 + fuzz_below(in, 3)); break;
    case 1: qm_mp_uint(out, fuzz_number(in) >> 1); break;
    case 2: qm_mp_int(out, -(int64_t)(fuzz_number(in) >> 1)); break;
    case 3: qm_mp_nil(out); break;
    case 4: qm_mp_bin(out, hex, 32); break;
    case 5: qm_mp_str(out, hex, 64); break;
    case 6: qm_mp_f64(out, (double)fuzz_byte(in) / 4); break;
    case 7: qm_mp_ext(out, QM_EXT_POINT, "\0\0\0\1\0\0\0\2\0\0\0\3\1", 13); break;
    case 8:
      qm_mp_array(out, 4); /* a stamp, as the space record has them */
      qm_mp_bin(out, hex, 24);
      qm_mp_uint(out, 0);
      qm_mp_uint(out, fuzz_number(in) >> 1);
      qm_mp_uint(out, fuzz_number(in) >> 1);
      break;
    case 9:
      qm_mp_map(out, 1);
      qm_mp_str(out, "k", 1);
      qm_mp_bool(out, 1);
      break;
    default: qm_mp_ext(out, QM_EXT_SEALED, "sealed", 6); break;
  }
}

static void value_of(fuzz_builder *b, qm_op *op, qm_slice *in) {
  qm_buf v;
  uint32_t n;
  qm_buf_init(&v, fuzz_env(), QM_VALUE_MAX);
  if (op->shape == QM_PRESENCE) {
    qm_mp_uint(&v, 1 + fuzz_below(in, 3));
  } else if (op->shape == QM_TOTALS) {
    uint64_t d = fuzz_number(in);
    qm_mp_int(&v, d & 1 ? -(int64_t)(d >> 1) : (int64_t)(d >> 1));
  } else if (op->shape == QM_SEQUENCE && fuzz_below(in, 4)) {
    op->span = 1 + fuzz_below(in, 40);
    text(in, &v, (uint32_t)op->span);
  } else if (op->shape == QM_SEQUENCE) {
    op->span = n = 1 + fuzz_below(in, 3);
    qm_mp_array(&v, n);
    while (n--) value(in, &v);
  } else {
    value(in, &v);
  }
  FUZZ_OK(qm_buf_status(&v));
  op->value = qm_slice_of(qm_arena_copy(&b->arena, v.p, v.n), v.n);
  qm_buf_free(&v);
}

/* --- ops --- */

/* A dot that the author has seen; 0 where it has seen nothing of the one chosen. */
static int seen_dot(const fuzz_chain *c, uint64_t counter, uint32_t self, qm_slice *in,
                    qm_dot *out) {
  uint32_t a = fuzz_below(in, FUZZ_WRITERS);
  uint64_t next = a == self ? counter : qm_vv_get(&c->seen, a);
  uint64_t back = 1 + fuzz_byte(in);
  if (!next) return 0;
  *out = (qm_dot){next - (back < next ? back : next), a};
  return 1;
}

typedef struct writing {
  fuzz_builder *b;
  const fuzz_chain *c;
  qm_slice *in;
  uint32_t self;
} writing;

static qm_dots some_dots(writing *w, const qm_op *op) {
  uint32_t most = fuzz_below(w->in, 5);
  qm_dot *p = array(w->b, most + 1, sizeof *p);
  qm_dots d = {p, 0};
  while (most--) d.n += (uint32_t)seen_dot(w->c, op->counter, w->self, w->in, &p[d.n]);
  return d;
}

static void some_cuts(writing *w, qm_op *op) {
  uint32_t most = fuzz_below(w->in, 4);
  qm_range *p = array(w->b, most + 1, sizeof *p);
  op->cuts = (qm_ranges){p, 0};
  while (most--) {
    qm_dot d;
    if (!seen_dot(w->c, op->counter, w->self, w->in, &d)) continue;
    uint64_t next = d.author == w->self ? op->counter : qm_vv_get(&w->c->seen, d.author);
    uint64_t len = 1 + fuzz_byte(w->in);
    p[op->cuts.n++] = (qm_range){d.counter, len < next - d.counter ? len : next - d.counter,
                                 d.author};
  }
}

static void place(writing *w, qm_op *op) {
  uint32_t r = fuzz_below(w->in, FUZZ_RECORDS + 1);
  const fuzz_builder *b = w->b;
  if (r == FUZZ_RECORDS) {
    if (op->shape == QM_KEYED) return; /* the space record */
    r = 0;
  }
  op->record = fuzz_record_id(r);
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) return;
  qm_dot d = b->created[r];
  int seen = d.author == w->self ? d.counter < op->counter : qm_vv_covers(&w->c->seen, d);
  if (!b->has_created[r] || !seen || fuzz_below(w->in, 2)) return;
  op->named = QM_BY_CREATION;
  op->created = d;
}

static void lists(writing *w, qm_op *op) {
  unsigned what = fuzz_byte(w->in);
  int write = op->shape == QM_SIBLINGS && op->kind == QM_KIND_WRITE;
  if (write || (op->shape == QM_SIBLINGS) || (op->shape == QM_KEYED && op->kind == QM_KIND_ADD))
    if (what & 1) {
      op->flags |= QM_OP_LISTED;
      op->dots = some_dots(w, op);
    }
  if (op->shape == QM_KEYED && op->kind == QM_KIND_REMOVE) op->dots = some_dots(w, op);
  if ((what & 2) && qm_op_marks(op)) {
    op->flags |= QM_OP_MARKS;
    op->marks = some_dots(w, op);
  }
  if (write && (what & 12) == 12) {
    op->flags |= QM_OP_NAMES;
    op->hides = some_dots(w, op);
    op->keeps = some_dots(w, op);
  }
  if (op->shape == QM_ENTRIES && (what & 16)) {
    op->flags |= QM_OP_ORDER;
    op->order = fuzz_number(w->in) << 16;
  }
  if (op->shape != QM_SEQUENCE) return;
  if (op->kind != QM_KIND_INSERT) {
    some_cuts(w, op);
    return;
  }
  if (!(what & 4) || !seen_dot(w->c, op->counter, w->self, w->in, &op->parent)) {
    op->flags |= QM_OP_ROOT;
    op->parent = (qm_dot){0, 0};
  } else if (what & 8) {
    op->flags |= QM_OP_LEFT;
  }
}

static void one_op(writing *w, qm_op *op, uint64_t counter) {
  static const uint8_t kinds[QM_SHAPES] = {3, 2, 2, 1, 1, 3};
  unsigned what = fuzz_byte(w->in);
  op->counter = counter;
  op->span = 1;
  op->shape = (uint8_t)(what % QM_SHAPES);
  op->kind = (uint8_t)(what / QM_SHAPES % kinds[op->shape]);
  op->field = op->shape == QM_PRESENCE ? 0 : FUZZ_NAME + fuzz_below(w->in, 11);
  if (op->shape == QM_KEYED && what >= 200) op->field = fuzz_below(w->in, 3);
  if (what >= 250) op->generation = 1;
  place(w, op);
  if (op->shape == QM_SIBLINGS || op->shape == QM_TOTALS || op->shape == QM_ENTRIES ||
      op->kind == 0)
    value_of(w->b, op, w->in);
  lists(w, op);
}

/* --- changes and segments --- */

/* What the author reads before it writes. */
static void read_others(fuzz_builder *b, uint32_t self, qm_change *c, qm_slice *in) {
  fuzz_chain *chain = &b->chains[self];
  unsigned skip = fuzz_byte(in);
  qm_dot *deps = array(b, FUZZ_WRITERS, sizeof *deps);
  c->deps = deps;
  for (uint32_t a = 0; a < FUZZ_WRITERS; a++) {
    uint64_t next = b->chains[a].next;
    if (a == self || (skip >> a & 1) || next <= qm_vv_get(&chain->seen, a)) continue;
    FUZZ_OK(qm_vv_set(fuzz_env(), &chain->seen, a, next));
    deps[c->n_deps++] = (qm_dot){next, a};
  }
}

static void note_created(fuzz_builder *b, const qm_op *op, uint32_t self) {
  if (op->shape != QM_PRESENCE || op->kind != QM_KIND_NEW) return;
  uint32_t r = op->record.b[1];
  b->created[r] = (qm_dot){op->counter, self};
  b->has_created[r] = 1;
}

static void one_change(fuzz_builder *b, uint32_t self, qm_change *c, qm_slice *in) {
  fuzz_chain *chain = &b->chains[self];
  writing w = {b, chain, in, self};
  c->author = self;
  c->counter = chain->next;
  c->time = chain->time = chain->time + 1 + fuzz_number(in) % 100000;
  read_others(b, self, c, in);
  c->n_ops = 1 + fuzz_below(in, 5);
  c->ops = array(b, c->n_ops, sizeof *c->ops);
  for (uint32_t i = 0; i < c->n_ops; i++) {
    one_op(&w, &c->ops[i], chain->next);
    note_created(b, &c->ops[i], self);
    chain->next += c->ops[i].span;
  }
  c->next = chain->next;
}

/* One thing that does not hold. The lists lie in the builder's arena: their const goes. */
static void fault(qm_segment *g, qm_slice *in) {
  qm_change *c = &g->changes[fuzz_below(in, g->n_changes)];
  qm_op *op = &c->ops[fuzz_below(in, c->n_ops)];
  unsigned which = fuzz_below(in, 18);
  uint64_t n = fuzz_number(in);
  qm_dot any = {n, fuzz_below(in, FUZZ_WRITERS)};
  switch (which) {
    case 0: c->time = n << 16; break;
    case 1: op->counter = n; break;
    case 2: op->span = n; break;
    case 3: op->field = (uint32_t)n; break;
    case 4: op->record.b[0] = (uint8_t)n; break;
    case 5: op->generation = n; break;
    case 6: op->flags ^= (uint8_t)n; break;
    case 7: op->shape = n % QM_SHAPES; break;
    case 8: op->kind = n % 3; break;
    case 9: op->value = fuzz_piece(in); break;
    case 10: op->parent = any; break;
    case 11: op->created = any; break;
    case 12: g->previous[n & 7] ^= 1; break;
    case 13: g->start = n; break;
    case 14: g->next = n; break;
    case 15: g->has_signature = 1; break;
    case 16:
      if (c->n_deps) *(qm_dot *)(uintptr_t)c->deps = any;
      break;
    default:
      if (op->dots.n) *(qm_dot *)(uintptr_t)op->dots.p = any;
      if (op->marks.n) *(qm_dot *)(uintptr_t)op->marks.p = any;
      if (op->cuts.n) *(qm_range *)(uintptr_t)op->cuts.p = (qm_range){n, n, any.author};
  }
}

static void one_segment(fuzz_builder *b, qm_segment *g, qm_slice *in) {
  uint32_t self = fuzz_below(in, FUZZ_WRITERS);
  fuzz_chain *chain = &b->chains[self], before = *chain;
  unsigned what = fuzz_byte(in);
  qm_salt *seed = array(b, 1, sizeof *seed);
  qm_hash hash;
  memset(g, 0, sizeof *g);
  memset(&before.seen, 0, sizeof before.seen);
  FUZZ_OK(qm_vv_copy(fuzz_env(), &before.seen, &chain->seen));
  g->author = self;
  g->algorithm = 1;
  g->start = chain->next;
  g->n_changes = 1 + fuzz_below(in, 3);
  g->changes = array(b, g->n_changes, sizeof *g->changes);
  for (uint32_t i = 0; i < g->n_changes; i++) {
    one_change(b, self, &g->changes[i], in);
    g->n_ops += g->changes[i].n_ops;
  }
  g->next = chain->next;
  memcpy(g->previous, chain->head.b, QM_HEAD_SIZE);
  *seed = (qm_salt){0, g->n_ops, {1, 2, (uint8_t)what}};
  g->salts = seed;
  g->n_salts = 1;
  if (what >= 240) fault(g, in);
  int rc = qm_segment_hash(g, &b->space, &chain->head, &b->authors, &b->arena, &hash);
  if (rc == QM_OK) memcpy(g->head, hash.b, QM_HEAD_SIZE);
  if (rc == QM_OK && (what & 7) == 7 && g->changes[0].ops[0].value.n)
    (void)qm_segment_erase(g, g->changes[0].ops[0].counter, &b->authors, &b->arena);
  if (what >= 236) b->faulty = 1;
  /* 236 to 247: as if this had not been written; what comes next is a fork. */
  if (rc != QM_OK || (what >= 236 && what < 248)) {
    qm_vv_free(fuzz_env(), &chain->seen);
    *chain = before;
  } else {
    qm_vv_free(fuzz_env(), &before.seen);
    chain->head = hash;
    FUZZ_OK(qm_vv_set(fuzz_env(), &chain->seen, self, chain->next));
  }
}

int fuzz_build(fuzz_builder *b, qm_slice *in, qm_buf *out) {
  qm_segment segments[3];
  qm_batch batch = {segments, 1 + fuzz_below(in, 3)};
  for (uint32_t i = 0; i < batch.n_segments; i++) one_segment(b, &segments[i], in);
  int rc = qm_batch_encode(out, &batch, &b->authors, 1);
  FUZZ_CHECK(rc == QM_OK || b->faulty);
  return rc == QM_OK;
}
