/* The sequence against a reference that keeps every element by itself and walks the
 * tree anew each time. Three replicas write runs forwards and backwards, in the
 * middle, at random (also forged) parents, cut, and trim; any causal order, and any
 * join of states, must give the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/crdt/sequence.h"
#include "core/mp.h"

#define REPLICAS 3
#define CHANGES_MAX 400
#define ELEMENTS_MAX 4000
#define SEEDS 240

/* ---- the reference ---- */

typedef struct element {
  unsigned char author[QM_AUTHOR_SIZE];
  uint64_t counter;
  int parent; /* index; ROOT; or GONE */
  int left, dead, present;
  int key; /* index of the element whose place it stands in; as a rule its own */
  uint8_t shown[4];
  size_t n;
} element;

enum { ROOT = -1, GONE = -2 };

typedef struct reference {
  element e[ELEMENTS_MAX];
  int n;
  char text[ELEMENTS_MAX * 4];
  size_t size;
  int order[ELEMENTS_MAX]; /* what is visible, in order */
  int n_order;
} reference;

static int before_dot(const element *a, const element *b) {
  int c = memcmp(a->author, b->author, sizeof a->author);
  return c ? c < 0 : a->counter < b->counter;
}

static int before(const reference *r, const element *a, const element *b) {
  return before_dot(&r->e[b->key], &r->e[a->key]);
}

static int find(const reference *r, const unsigned char *author, uint64_t counter) {
  for (int i = 0; i < r->n; i++)
    if (r->e[i].present && r->e[i].counter == counter &&
        !memcmp(r->e[i].author, author, QM_AUTHOR_SIZE))
      return i;
  return GONE;
}

static int absent(const reference *r, int parent) {
  return parent == GONE || (parent >= 0 && !r->e[parent].present);
}

/* The child of `parent` on a side (of nothing, where it is GONE) after `last`. */
static int next_child(const reference *r, int parent, int left, int last) {
  int best = -1;
  for (int i = 0; i < r->n; i++) {
    const element *x = &r->e[i];
    int hangs = parent == GONE ? absent(r, x->parent)
                               : x->parent == parent && (parent < 0 || x->left == left);
    if (!x->present || !hangs || (last >= 0 && !before(r, &r->e[last], x))) continue;
    if (best < 0 || before(r, x, &r->e[best])) best = i;
  }
  return best;
}

static void walk(reference *r, int at);
static void walk_children(reference *r, int parent, int left) {
  for (int c = next_child(r, parent, left, -1); c >= 0; c = next_child(r, parent, left, c))
    walk(r, c);
}

static void walk(reference *r, int at) {
  walk_children(r, at, 1);
  if (!r->e[at].dead) {
    memcpy(r->text + r->size, r->e[at].shown, r->e[at].n);
    r->size += r->e[at].n;
    r->order[r->n_order++] = at;
  }
  walk_children(r, at, 0);
}

static void show(reference *r) {
  r->size = 0;
  r->n_order = 0;
  walk_children(r, ROOT, 0);
  walk_children(r, GONE, 0);
}

static int listed(const qm_op *op, const qm_authors *authors, const element *x) {
  for (uint32_t i = 0; i < op->cuts.n; i++) {
    const qm_range *c = &op->cuts.p[i];
    if (!memcmp(authors->ids[c->author].b, x->author, QM_AUTHOR_SIZE) && x->counter >= c->counter &&
        x->counter - c->counter < c->len)
      return 1;
  }
  return 0;
}

static int saw(const qm_vv *seen, const qm_authors *authors, const element *x) {
  for (uint32_t a = 0; a < authors->n; a++)
    if (!memcmp(authors->ids[a].b, x->author, QM_AUTHOR_SIZE))
      return x->counter < qm_vv_get(seen, a);
  return 0;
}

/* At most one known child: that takes its place. */
static int take_out(reference *r, const qm_vv *seen, const qm_authors *authors, int at) {
  int heir = -1;
  for (int i = 0; i < r->n; i++) {
    const element *x = &r->e[i];
    if (!x->present || x->parent != at || !saw(seen, authors, &r->e[x->key])) continue;
    if (heir >= 0) return 0;
    heir = i;
  }
  r->e[at].present = 0;
  if (heir < 0) return 1;
  r->e[heir].parent = r->e[at].parent;
  r->e[heir].left = r->e[at].left;
  r->e[heir].key = r->e[at].key;
  return 1;
}

static size_t take_shown(const uint8_t *p, int list) {
  return list ? 1 : *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
}

static void refer(reference *r, const qm_authors *authors, uint32_t author, const qm_vv *seen,
                  const qm_op *op, const uint8_t *shown, int list) {
  if (op->kind == QM_KIND_INSERT) {
    for (uint64_t i = 0; i < op->span; i++) {
      element *x = &r->e[r->n];
      assert_true(r->n < ELEMENTS_MAX);
      memcpy(x->author, authors->ids[author].b, QM_AUTHOR_SIZE);
      x->counter = op->counter + i;
      x->present = 1;
      x->key = r->n;
      x->dead = (op->flags & QM_OP_ERASED) != 0;
      x->left = !i && (op->flags & QM_OP_LEFT);
      x->parent = i ? r->n - 1
                  : op->flags & QM_OP_ROOT
                      ? ROOT
                      : find(r, authors->ids[op->parent.author].b, op->parent.counter);
      if (!x->dead) {
        x->n = take_shown(shown, list);
        memcpy(x->shown, shown, x->n);
        shown += x->n;
      }
      r->n++;
    }
    return;
  }
  for (int again = 1; again;) {
    again = 0;
    for (int i = 0; i < r->n; i++) {
      element *x = &r->e[i];
      if (!x->present || !listed(op, authors, x) || !saw(seen, authors, x)) continue;
      if (op->kind == QM_KIND_CUT)
        x->dead = 1;
      else if (x->dead && take_out(r, seen, authors, i))
        again = 1;
    }
  }
}

/* Whether `at` lies in the right subtree of `of` (or of the root). */
static int right_of(const reference *r, int at, int of) {
  while (!absent(r, r->e[at].parent)) {
    if (r->e[at].parent == of) return of == ROOT || !r->e[at].left;
    at = r->e[at].parent;
    if (at == ROOT) return 0;
  }
  return 0;
}

/* ---- the world ---- */

typedef struct change {
  qm_change change;
  qm_op op;
  qm_vv seen;
  const uint8_t *shown; /* bytes of the elements, without header */
} change;

typedef struct replica {
  qm_cell cell;
  int puts_off; /* ops, until it settles */
  qm_vv vv;
} replica;

typedef struct world {
  qm_env env;
  qm_arena arena;
  qm_authors authors;
  replica r[REPLICAS];
  change c[CHANGES_MAX];
  int n, list;
  uint64_t state;
} world;

static uint32_t dice(world *w, uint32_t sides) {
  w->state ^= w->state << 13;
  w->state ^= w->state >> 7;
  w->state ^= w->state << 17;
  return (uint32_t)((w->state >> 11) % sides);
}

static world *world_new(uint64_t seed) {
  static world w;
  memset(&w, 0, sizeof w);
  w.env = qm_env_default();
  qm_arena_init(&w.arena, &w.env, SIZE_MAX);
  qm_authors_init(&w.authors, &w.env);
  w.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  w.list = seed % 4 == 3;
  for (uint32_t i = 0; i < REPLICAS; i++) {
    qm_author id;
    uint32_t number;
    memset(&id, 0, sizeof id);
    id.b[0] = (uint8_t)((i * 7 + seed * 5) % 11 + 1); /* bytewise order is not order of sight */
    id.b[1] = (uint8_t)i;
    assert_int_equal(qm_authors_add(&w.authors, &id, &number), QM_OK);
  }
  return &w;
}

static void world_free(world *w) {
  for (int i = 0; i < w->n; i++) qm_vv_free(&w->env, &w->c[i].seen);
  for (int i = 0; i < REPLICAS; i++) qm_vv_free(&w->env, &w->r[i].vv);
  qm_authors_free(&w->authors);
  qm_arena_free(&w->arena);
}

static void apply_to(world *w, replica *r, const change *c) {
  qm_apply a = {&w->authors, &c->seen, &c->change, &w->arena};
  assert_true(qm_vv_includes(&r->vv, &c->seen));
  if (r->puts_off)
    assert_int_equal(qm_sequence_apply_later(&r->cell, &a, &c->op), QM_OK);
  else
    assert_int_equal(qm_shape_sequence.apply(&r->cell, &a, &c->op), QM_OK);
  assert_int_equal(qm_vv_set(&w->env, &r->vv, c->change.author, c->change.next), QM_OK);
}

/* Before anybody looks. */
static void settle(replica *r) {
  assert_int_equal(qm_sequence_settle(&r->cell), QM_OK);
  r->puts_off = 0;
}

/* Replica `who` writes the op (counter and span are filled in here). */
static void commit(world *w, uint32_t who, qm_op op, const uint8_t *shown) {
  if (w->n == CHANGES_MAX) return;
  change *c = &w->c[w->n];
  replica *r = &w->r[who];
  op.counter = qm_vv_get(&r->vv, who);
  op.shape = QM_SEQUENCE;
  if (!op.span) op.span = 1;
  memset(c, 0, sizeof *c);
  assert_int_equal(qm_vv_copy(&w->env, &c->seen, &r->vv), QM_OK);
  assert_int_equal(qm_vv_set(&w->env, &c->seen, who, op.counter), QM_OK);
  c->op = op;
  c->change.author = who;
  c->change.counter = op.counter;
  c->change.next = op.counter + op.span;
  c->shown = shown;
  w->n++;
  apply_to(w, r, c);
}

/* n elements' bytes, as MessagePack value and plain. */
static qm_slice material(world *w, uint32_t n, const uint8_t **shown) {
  static const char *const signs[] = {
      "a", "b", "c", "d", "e", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x8c\xbe"};
  uint8_t plain[64];
  size_t size = 0;
  qm_buf b;
  for (uint32_t i = 0; i < n; i++) {
    const char *s = signs[dice(w, 8)];
    if (w->list)
      plain[size++] = (uint8_t)dice(w, 100);
    else
      memcpy(plain + size, s, strlen(s)), size += strlen(s);
  }
  qm_buf_init(&b, &w->env, 200);
  if (w->list) {
    qm_mp_array(&b, n);
    qm_buf_add(&b, plain, size);
  } else {
    qm_mp_str(&b, plain, size);
  }
  uint8_t *p = qm_arena_copy(&w->arena, b.p, b.n);
  size_t n_all = b.n;
  assert_non_null(p);
  qm_buf_free(&b);
  *shown = p + (n_all - size);
  return qm_slice_of(p, n_all);
}

static void insert_at(world *w, uint32_t who, uint64_t at, uint32_t n) {
  qm_op op = {.kind = QM_KIND_INSERT, .span = n};
  const uint8_t *shown;
  op.value = material(w, n, &shown);
  assert_int_equal(qm_sequence_place(&w->r[who].cell, &w->authors, at, &op), QM_OK);
  commit(w, who, op, shown);
}

static void insert_forged(world *w, uint32_t who) {
  qm_op op = {.kind = QM_KIND_INSERT, .span = 1 + dice(w, 4)};
  const uint8_t *shown = NULL;
  uint32_t author = dice(w, REPLICAS);
  uint64_t next = qm_vv_get(&w->r[who].vv, author);
  if (!next) return;
  op.parent = (qm_dot){dice(w, (uint32_t)next), author};
  if (dice(w, 2)) op.flags |= QM_OP_LEFT;
  if (dice(w, 3))
    op.value = material(w, (uint32_t)op.span, &shown);
  else
    op.flags |= QM_OP_ERASED;
  commit(w, who, op, shown);
}

/* Ranges at random, beyond what is there and beyond the last counter. */
static void cut_forged(world *w, uint32_t who) {
  qm_op op = {.kind = QM_KIND_CUT};
  qm_range *p = qm_arena_array(&w->arena, 2, sizeof *p);
  assert_non_null(p);
  for (uint32_t i = 0; i < 2; i++) {
    uint32_t author = dice(w, REPLICAS), next = (uint32_t)qm_vv_get(&w->r[who].vv, author);
    uint64_t counter = next > 6 ? next - dice(w, 6) : next + 2;
    p[i] = (qm_range){counter, dice(w, 2) ? UINT64_MAX - dice(w, 9) : 1 + dice(w, 9), author};
  }
  op.cuts.p = p;
  op.cuts.n = 2;
  commit(w, who, op, NULL);
}

static void trim(world *w, uint32_t who, reference *ref);

static void act(world *w, uint32_t who, reference *ref) {
  settle(&w->r[who]);
  settle(&w->r[0]);
  uint64_t len = qm_sequence_len(&w->r[who].cell), at = dice(w, (uint32_t)len + 1);
  uint32_t n = 1 + dice(w, 6);
  switch (dice(w, 9)) {
    case 0: insert_at(w, who, at, n); break;
    case 1:
      for (uint32_t i = 0; i < n; i++) insert_at(w, who, at + i, 1);
      break;
    case 2:
      for (uint32_t i = 0; i < n; i++) insert_at(w, who, at, 1);
      break;
    case 3: insert_forged(w, who); break;
    case 4: insert_at(w, who, len, n); break;
    case 8:
      if (dice(w, 3) == 0) cut_forged(w, who);
      break;
    case 5:
      if (dice(w, 3) == 0) trim(w, 0, ref);
      break;
    default: {
      qm_op op = {.kind = QM_KIND_CUT};
      if (n > len - at) n = (uint32_t)(len - at);
      if (!n) return;
      assert_int_equal(qm_sequence_cut(&w->r[who].cell, &w->arena, at, n, &op.cuts), QM_OK);
      commit(w, who, op, NULL);
    }
  }
}

static void refer_all(world *w, reference *ref, const qm_vv *upto) {
  ref->n = 0;
  memset(ref->e, 0, sizeof ref->e);
  for (int i = 0; i < w->n; i++) {
    const change *c = &w->c[i];
    if (upto && c->change.next > qm_vv_get(upto, c->change.author)) continue;
    refer(ref, &w->authors, c->change.author, &c->seen, &c->op, c->shown, w->list);
  }
}

/* The hub lists about half of the tombstones it sees. */
static void trim(world *w, uint32_t who, reference *ref) {
  qm_op op = {.kind = QM_KIND_TRIM};
  qm_range *p = qm_arena_array(&w->arena, ELEMENTS_MAX, sizeof *p);
  assert_non_null(p);
  refer_all(w, ref, &w->r[who].vv);
  for (int i = 0; i < ref->n; i++) {
    const element *x = &ref->e[i];
    if (!x->present || !x->dead || dice(w, 5) < 2) continue;
    for (uint32_t a = 0; a < REPLICAS; a++)
      if (!memcmp(x->author, w->authors.ids[a].b, QM_AUTHOR_SIZE))
        p[op.cuts.n++] = (qm_range){x->counter, 1, a};
  }
  op.cuts.p = p;
  if (op.cuts.n) commit(w, who, op, NULL);
}

/* Delivers one change that is due at `r`; 0 where nothing is missing. */
static int deliver(world *w, replica *r) {
  uint32_t first = dice(w, REPLICAS);
  for (uint32_t k = 0; k < REPLICAS; k++) {
    uint32_t author = (first + k) % REPLICAS;
    for (int i = 0; i < w->n; i++) {
      const change *c = &w->c[i];
      if (c->change.author != author || c->change.counter != qm_vv_get(&r->vv, author)) continue;
      if (!qm_vv_includes(&r->vv, &c->seen)) break;
      r->puts_off |= dice(w, 2) == 0;
      apply_to(w, r, c);
      return 1;
    }
  }
  return 0;
}

static void encode(world *w, const qm_cell *cell, qm_names *names, qm_buf *out) {
  memset(names, 0, sizeof *names);
  qm_buf_init(out, &w->env, 1u << 20);
  if (qm_shape_sequence.empty(cell)) return;
  assert_int_equal(qm_shape_sequence.names(cell, names, &w->arena), QM_OK);
  qm_names_seal(names, &w->authors);
  qm_shape_sequence.encode(cell, names, &w->authors, out);
  assert_int_equal(qm_buf_status(out), QM_OK);
}

static void same(world *w, const qm_cell *a, const qm_cell *b) {
  qm_buf x, y;
  qm_names m, n;
  encode(w, a, &m, &x);
  encode(w, b, &n, &y);
  assert_int_equal(m.n, n.n);
  assert_int_equal(x.n, y.n);
  if (x.n) assert_memory_equal(x.p, y.p, x.n);
  assert_true(qm_sequence_version(a, &w->authors) == qm_sequence_version(b, &w->authors));
  qm_buf_free(&x);
  qm_buf_free(&y);
}

static void shows(world *w, const qm_cell *cell, const reference *ref) {
  qm_buf b;
  qm_slice *values;
  uint32_t n;
  qm_buf_init(&b, &w->env, 1u << 20);
  if (!w->list) qm_sequence_text(cell, &b);
  assert_int_equal(qm_sequence_values(cell, &w->arena, &values, &n), QM_OK);
  assert_int_equal(n, ref->n_order);
  for (uint32_t i = 0; w->list && i < n; i++) qm_buf_add(&b, values[i].p, values[i].n);
  assert_int_equal(b.n, ref->size);
  if (b.n) assert_memory_equal(b.p, ref->text, b.n);
  qm_buf_free(&b);
}

/* Every place is what the rule says, found by climbing. */
static void places(world *w, const qm_cell *cell, const reference *ref) {
  for (int at = 0; at <= ref->n_order; at++) {
    qm_op op = {0};
    int l = at ? ref->order[at - 1] : ROOT, r = at < ref->n_order ? ref->order[at] : ROOT;
    int left = r != ROOT && right_of(ref, r, l), parent = left ? r : l;
    assert_int_equal(qm_sequence_place(cell, &w->authors, (uint64_t)at, &op), QM_OK);
    assert_int_equal(op.flags, left ? QM_OP_LEFT : parent == ROOT ? QM_OP_ROOT : 0);
    if (parent == ROOT) continue;
    assert_true(op.parent.counter == ref->e[parent].counter);
    assert_memory_equal(w->authors.ids[op.parent.author].b, ref->e[parent].author, QM_AUTHOR_SIZE);
  }
}

static void log_applied(world *w, const qm_vv *upto, replica *out) {
  memset(out, 0, sizeof *out);
  out->puts_off = 1;
  for (int i = 0; i < w->n; i++)
    if (w->c[i].change.next <= qm_vv_get(upto, w->c[i].change.author)) apply_to(w, out, &w->c[i]);
  settle(out);
}

/* The join of two replicas in the middle of the work is what their logs give. */
static void joined(world *w, const replica *a, const replica *b) {
  qm_vv both = {0};
  replica log;
  qm_cell ab = {0}, ba = {0};
  qm_side x = {&a->cell, &a->vv}, y = {&b->cell, &b->vv};
  assert_int_equal(qm_vv_copy(&w->env, &both, &a->vv), QM_OK);
  assert_int_equal(qm_vv_merge(&w->env, &both, &b->vv), QM_OK);
  log_applied(w, &both, &log);
  assert_int_equal(qm_shape_sequence.join(&ab, x, y, &w->authors, &w->arena), QM_OK);
  assert_int_equal(qm_shape_sequence.join(&ba, y, x, &w->authors, &w->arena), QM_OK);
  same(w, &ab, &log.cell);
  same(w, &ba, &log.cell);
  qm_vv_free(&w->env, &both);
  qm_vv_free(&w->env, &log.vv);
}

/* What is read back is the same, goes on the same way, and nothing else is read. */
static void round_trip(world *w, const qm_cell *cell) {
  qm_buf b, again;
  qm_names names, m;
  qm_cur in;
  encode(w, cell, &names, &b);
  for (uint32_t k = 0; b.n && k < 60; k++) {
    qm_cell read = {0};
    size_t n = b.n, at = dice(w, (uint32_t)b.n);
    uint8_t *bytes = qm_arena_copy(&w->arena, b.p, b.n);
    assert_non_null(bytes);
    if (k % 3 == 1) n = at;
    if (k % 3 == 2)
      bytes[at] = (uint8_t)(dice(w, 2) ? dice(w, 256) : bytes[at] ^ (1u << dice(w, 8)));
    qm_cur_init(&in, qm_slice_of(bytes, n));
    int rc = qm_shape_sequence.decode(&read, &in, &names, &w->authors, &w->arena);
    if (k % 3 == 0) assert_int_equal(rc, QM_OK);
    if (k % 3 == 1) assert_int_not_equal(rc, QM_OK);
    if (rc) continue;
    qm_buf_init(&again, &w->env, 1u << 20);
    m = names;
    qm_shape_sequence.encode(&read, &m, &w->authors, &again);
    assert_int_equal(again.n, in.at - in.start);
    assert_memory_equal(again.p, bytes, again.n);
    qm_buf_free(&again);
    if (k % 3 == 0) same(w, cell, &read);
  }
  qm_buf_free(&b);
}

static void one_world(uint64_t seed) {
  static reference ref;
  world *w = world_new(seed);
  for (int step = 0; step < 60; step++) {
    uint32_t who = dice(w, REPLICAS);
    act(w, who, &ref);
    for (uint32_t k = dice(w, 8); k; k--) deliver(w, &w->r[dice(w, REPLICAS)]);
    if (dice(w, 3) == 0) settle(&w->r[dice(w, REPLICAS)]);
    if (step % 20 == 19) {
      for (int i = 0; i < REPLICAS; i++) settle(&w->r[i]);
      joined(w, &w->r[step % 3], &w->r[(step + 1) % 3]);
      refer_all(w, &ref, &w->r[who].vv);
      show(&ref);
      shows(w, &w->r[who].cell, &ref);
      places(w, &w->r[who].cell, &ref);
      round_trip(w, &w->r[who].cell);
    }
  }
  for (int i = 0; i < REPLICAS; i++) {
    while (deliver(w, &w->r[i])) continue;
    settle(&w->r[i]);
  }
  replica fresh = {.puts_off = 1};
  while (deliver(w, &fresh)) continue;
  settle(&fresh);
  refer_all(w, &ref, NULL);
  show(&ref);
  for (int i = 0; i < REPLICAS; i++) {
    same(w, &w->r[i].cell, &fresh.cell);
    shows(w, &w->r[i].cell, &ref);
    places(w, &w->r[i].cell, &ref);
  }
  qm_vv_free(&w->env, &fresh.vv);
  world_free(w);
}

static void replicas_agree_with_the_reference(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) one_world(seed);
}

/* A state read back is worked on like any other. */
static void read_state_goes_on(void **state) {
  static reference ref;
  (void)state;
  for (uint64_t seed = 500; seed < 540; seed++) {
    world *w = world_new(seed);
    for (int step = 0; step < 40; step++) {
      act(w, dice(w, REPLICAS), &ref);
      uint32_t i = dice(w, REPLICAS);
      while (dice(w, 5) && deliver(w, &w->r[i])) continue;
      settle(&w->r[i]);
      qm_names names;
      qm_buf b;
      encode(w, &w->r[i].cell, &names, &b);
      if (b.n) {
        qm_cur in;
        qm_cur_init(&in, qm_slice_of(qm_arena_copy(&w->arena, b.p, b.n), b.n));
        qm_cell read = {0};
        assert_int_equal(qm_shape_sequence.decode(&read, &in, &names, &w->authors, &w->arena),
                         QM_OK);
        assert_int_equal(qm_cur_end(&in), QM_OK);
        w->r[i].cell = read;
      }
      qm_buf_free(&b);
    }
    for (int i = 0; i < REPLICAS; i++) {
      while (deliver(w, &w->r[i])) continue;
      settle(&w->r[i]);
    }
    refer_all(w, &ref, NULL);
    show(&ref);
    for (int i = 0; i < REPLICAS; i++)
      shows(w, &w->r[i].cell, &ref), same(w, &w->r[i].cell, &w->r[0].cell);
    world_free(w);
  }
}

/* Each replica types its own run at one place of a shared text; none is torn. */
static void concurrent_runs_do_not_interleave(void **state) {
  (void)state;
  for (uint64_t seed = 4; seed < 200; seed += 4) { /* texts, not lists */
    world *w = world_new(seed);
    insert_at(w, 0, 0, 6);
    for (int i = 0; i < REPLICAS; i++)
      while (deliver(w, &w->r[i])) continue;
    for (int i = 0; i < REPLICAS; i++) settle(&w->r[i]);
    uint64_t at = dice(w, 7);
    uint64_t from[REPLICAS];
    for (uint32_t who = 0; who < REPLICAS; who++) {
      uint32_t way = dice(w, 3);
      from[who] = qm_vv_get(&w->r[who].vv, who);
      for (uint32_t i = 0; i < 5; i++)
        if (way != 2 || !i) insert_at(w, who, way == 0 ? at + i : at, way == 2 ? 5 : 1);
    }
    for (int i = 0; i < REPLICAS; i++)
      while (deliver(w, &w->r[i])) continue;
    settle(&w->r[0]);
    for (uint64_t k = 0; k < 15; k += 5) {
      uint32_t author = 0;
      for (uint64_t i = 0; i < 5; i++) {
        qm_ranges one;
        assert_int_equal(qm_sequence_cut(&w->r[0].cell, &w->arena, at + k + i, 1, &one), QM_OK);
        if (!i) author = one.p[0].author;
        assert_int_equal(one.p[0].author, author);
        assert_true(one.p[0].counter >= from[author]);
      }
    }
    world_free(w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(replicas_agree_with_the_reference),
      cmocka_unit_test(read_state_goes_on),
      cmocka_unit_test(concurrent_runs_do_not_interleave),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
