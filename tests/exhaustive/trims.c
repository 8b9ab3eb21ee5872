#include "tests/exhaustive/trims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crdt/sequence.h"
#include "core/crdt/sequence_tree.h"
#include "core/mp.h"

/* Two phones, the hub, and the hub under a new epoch after a restore. */
enum { PHONE_A, PHONE_B, HUB, HUB_RESTORED, AUTHORS };
enum { ITEMS_MAX = 4, BASE_MAX = 8, EDITS_MAX = 16 };

/* Who had seen what, and what every live device holds when a trim is made. Bits: items. */
typedef struct plan {
  const char *name;
  unsigned b_after;                  /* what B's edit had seen; A's had seen the base */
  unsigned trim_after, trim_held;    /* the hub's first trim, item 2 */
  int second;                        /* who makes item 3 */
  unsigned second_after, second_held;
  int all;  /* after it nothing stays that could go */
  int cuts; /* what an edit inserts takes the place of what it deletes */
} plan;

static const plan plans[] = {
    {"the hub knows neither edit", 0, 0, 0, HUB, 7, 7, 1, 0},
    {"the hub knows A's, others do not", 0, 1, 0, HUB, 7, 1, 0, 0},
    {"the hub knows B's, others do not", 0, 2, 0, HUB, 7, 2, 0, 0},
    {"all know A's", 1, 1, 1, HUB, 7, 7, 1, 0},
    {"restored: the first trim is lost", 1, 1, 1, HUB_RESTORED, 0, 0, 0, 0},
    {"restored, and has heard of A's again", 1, 1, 1, HUB_RESTORED, 1, 1, 0, 0},
    {"restored, the lost trim knew B's", 1, 3, 3, HUB_RESTORED, 1, 1, 0, 0},
    {"two hubs, each of which knows one", 0, 1, 1, HUB_RESTORED, 2, 2, 0, 1},
};

typedef struct item {
  qm_op op, then; /* then: of the same change; span 0: there is none */
  qm_change change;
  qm_vv seen;
  unsigned after; /* closed */
} item;

typedef struct state {
  int known;
  qm_names names;
  uint8_t *bytes;
  size_t n;
  uint64_t version; /* of what is visible where nothing is ever trimmed */
} state;

typedef struct play {
  qm_env env;
  qm_arena arena;
  qm_authors authors;
  const plan *plan;
  item base[BASE_MAX], items[ITEMS_MAX];
  unsigned n_base, n_items;
  qm_vv base_vv;
  state at[1 << ITEMS_MAX];
  unsigned k, tree, dead, edit_a, edit_b; /* the program */
  unsigned long programs, joins, trimmed;
  unsigned failures;
} play;

static void must(int ok, const char *what) {
  if (ok) return;
  printf("# %s\n", what);
  abort();
}

static void fail(play *p, const char *what, unsigned mask) {
  if (p->failures++ > 4) return;
  printf("# %s: %s, with %x; tree %u of %u, dead %x, edits %u %u\n", p->plan->name, what, mask,
         p->tree, p->k, p->dead, p->edit_a, p->edit_b);
}

/* --- replicas --- */

static void vv_of(play *p, unsigned mask, qm_vv *out) {
  memset(out, 0, sizeof *out);
  must(qm_vv_copy(&p->env, out, &p->base_vv) == QM_OK, "memory");
  for (unsigned i = 0; i < p->n_items; i++)
    if (mask >> i & 1)
      must(qm_vv_set(&p->env, out, p->items[i].change.author, p->items[i].change.next) == QM_OK,
           "memory");
}

static void apply(play *p, qm_cell *cell, const item *x) {
  qm_vv seen = {NULL, 0, 0};
  qm_apply a = {&p->authors, &x->seen, &x->change, &p->arena};
  must(qm_shape_sequence.apply(cell, &a, &x->op) == QM_OK, "apply");
  if (!x->then.span) return;
  must(qm_vv_copy(&p->env, &seen, &x->seen) == QM_OK, "memory");
  must(qm_vv_set(&p->env, &seen, x->change.author, x->then.counter) == QM_OK, "memory");
  a.seen = &seen;
  must(qm_shape_sequence.apply(cell, &a, &x->then) == QM_OK, "apply");
  qm_vv_free(&p->env, &seen);
}

/* With exactly these items, in the order of their numbers; without the trims, if so asked. */
static qm_cell replica(play *p, unsigned mask, int plain) {
  qm_cell cell = {0};
  for (unsigned i = 0; i < p->n_base; i++) apply(p, &cell, &p->base[i]);
  for (unsigned i = 0; i < p->n_items; i++)
    if (mask >> i & 1 && !(plain && p->items[i].op.kind == QM_KIND_TRIM))
      apply(p, &cell, &p->items[i]);
  return cell;
}

static void encode(play *p, const qm_cell *cell, state *out) {
  qm_buf b;
  memset(out, 0, sizeof *out);
  out->known = 1;
  if (qm_shape_sequence.empty(cell)) return;
  must(qm_shape_sequence.names(cell, &out->names, &p->arena) == QM_OK, "names");
  qm_names_seal(&out->names, &p->authors);
  qm_buf_init(&b, &p->env, 1u << 16);
  qm_shape_sequence.encode(cell, &out->names, &p->authors, &b);
  must(qm_buf_status(&b) == QM_OK, "encode");
  out->n = b.n;
  out->bytes = qm_arena_copy(&p->arena, b.p, b.n);
  must(out->bytes != NULL, "memory");
  qm_buf_free(&b);
}

static qm_cell decode(play *p, const state *s) {
  qm_cell cell = {0};
  qm_cur in;
  if (!s->n) return cell;
  qm_cur_init(&in, qm_slice_of(s->bytes, s->n));
  must(qm_shape_sequence.decode(&cell, &in, &s->names, &p->authors, &p->arena) == QM_OK, "decode");
  return cell;
}

static int same(const state *a, const state *b) {
  return a->n == b->n && (!a->n || memcmp(a->bytes, b->bytes, a->n) == 0) &&
         a->names.n == b->names.n &&
         (!a->names.n || memcmp(a->names.numbers, b->names.numbers,
                                a->names.n * sizeof *a->names.numbers) == 0);
}

/* --- writing --- */

static item *add(play *p, item *list, unsigned *n, unsigned author, qm_op op, unsigned after) {
  item *x = &list[(*n)++];
  memset(x, 0, sizeof *x);
  vv_of(p, after, &x->seen);
  op.shape = QM_SEQUENCE;
  op.counter = qm_vv_get(&x->seen, author);
  if (!op.span) op.span = 1;
  x->op = op;
  x->after = after;
  x->change.author = author;
  x->change.counter = op.counter;
  x->change.next = op.counter + op.span;
  return x;
}

static void add_base(play *p, unsigned author, qm_op op) {
  item *x = add(p, p->base, &p->n_base, author, op, 0);
  must(qm_vv_set(&p->env, &p->base_vv, author, x->change.next) == QM_OK, "memory");
}

static qm_op insert_at(play *p, const qm_cell *cell, uint64_t at) {
  qm_op op = {.kind = QM_KIND_INSERT, .span = 1, .value = qm_slice_of("\xa1x", 2)};
  must(qm_sequence_place(cell, &p->authors, at, &op) == QM_OK, "place");
  return op;
}

static qm_op cut_at(play *p, const qm_cell *cell, uint64_t at, uint64_t n) {
  qm_op op = {.kind = QM_KIND_CUT};
  must(qm_sequence_cut(cell, &p->arena, at, n, &op.cuts) == QM_OK, "cut");
  return op;
}

/* Edit number e of this cell: an insert at each place, or a cut of each element; or, by the
 * plan, a cut or a replacement of each. 0: no more. */
static int edit(play *p, const qm_cell *cell, unsigned e, unsigned author, unsigned after) {
  uint64_t len = qm_sequence_len(cell);
  if (e >= 2 * len + !p->plan->cuts) return 0;
  if (!p->plan->cuts) {
    qm_op op = e <= len ? insert_at(p, cell, e) : cut_at(p, cell, e - len - 1, 1);
    (void)add(p, p->items, &p->n_items, author, op, after);
    return 1;
  }
  qm_op gone = cut_at(p, cell, e % len, 1);
  qm_op op = e < len ? gone : insert_at(p, cell, e % len + 1);
  item *x = add(p, p->items, &p->n_items, author, op, after);
  if (e < len) return 1;
  x->then = gone;
  x->then.shape = QM_SEQUENCE;
  x->then.span = 1;
  x->then.counter = x->change.next++;
  return 1;
}

static void add_trim(play *p, unsigned author, unsigned after, unsigned held) {
  qm_op op = {.kind = QM_KIND_TRIM};
  qm_vv seen;
  qm_range spared[BASE_MAX];
  qm_ranges fresh = {spared, 0};
  qm_cell cell = replica(p, after, 0);
  for (unsigned i = 0; i < p->n_items; i++) {
    const item *x = &p->items[i];
    if (!(after & ~held & 1u << i) || x->op.kind == QM_KIND_TRIM) continue;
    const qm_ranges *cuts = x->then.span ? &x->then.cuts : &x->op.cuts;
    for (uint32_t k = 0; k < cuts->n; k++) spared[fresh.n++] = cuts->p[k];
  }
  vv_of(p, held, &seen);
  must(qm_sequence_trimmable(&cell, &p->authors, &seen, fresh, 64, &p->arena, &op.cuts) == QM_OK,
       "trimmable");
  qm_vv_free(&p->env, &seen);
  p->trimmed += op.cuts.n;
  (void)add(p, p->items, &p->n_items, author, op, after);
}

/* --- checking --- */

/* The same elements in the same order, and an insert anywhere hangs where it would. */
static void check_shown(play *p, const qm_cell *cell, const qm_cell *plain, unsigned mask) {
  if (qm_sequence_version(cell, &p->authors) != qm_sequence_version(plain, &p->authors)) {
    fail(p, "shown otherwise than without trims", mask);
    return;
  }
  for (uint64_t at = 0; at <= qm_sequence_len(plain); at++) {
    qm_op x = insert_at(p, cell, at), y = insert_at(p, plain, at);
    if (x.flags != y.flags || !qm_dot_eq(x.parent, y.parent))
      fail(p, "an insert hangs otherwise than without trims", mask);
  }
}

static int closed(const play *p, unsigned mask) {
  for (unsigned i = 0; i < p->n_items; i++)
    if (mask >> i & 1 && p->items[i].after & ~mask) return 0;
  return 1;
}

/* All that can come last comes last: so, set by set, all orders. */
static void check_orders(play *p) {
  for (unsigned mask = 0; mask < 1u << p->n_items; mask++) {
    state *s = &p->at[mask];
    memset(s, 0, sizeof *s);
    if (!closed(p, mask)) continue;
    qm_cell cell = replica(p, mask, 0), plain = replica(p, mask, 1);
    check_shown(p, &cell, &plain, mask);
    encode(p, &cell, s);
    for (unsigned i = 0; i < p->n_items; i++) {
      unsigned before = mask & ~(1u << i);
      state other;
      if (before == mask || !p->at[before].known) continue;
      cell = decode(p, &p->at[before]);
      apply(p, &cell, &p->items[i]);
      encode(p, &cell, &other);
      if (!same(s, &other)) fail(p, "two orders, two states", mask);
    }
  }
}

static void check_joins(play *p) {
  for (unsigned a = 0; a < 1u << p->n_items; a++)
    for (unsigned b = 0; b < a; b++) {
      qm_vv va, vb;
      qm_cell out = {0};
      state got;
      if (!p->at[a].known || !p->at[b].known || (a & b) == b) continue;
      qm_cell x = decode(p, &p->at[a]), y = decode(p, &p->at[b]);
      vv_of(p, a, &va);
      vv_of(p, b, &vb);
      qm_side l = {&x, &va}, r = {&y, &vb};
      must(qm_shape_sequence.join(&out, l, r, &p->authors, &p->arena) == QM_OK, "join");
      encode(p, &out, &got);
      if (!same(&got, &p->at[a | b])) fail(p, "joined states are not the log", a << 8 | b);
      must(qm_shape_sequence.join(&out, r, l, &p->authors, &p->arena) == QM_OK, "join");
      encode(p, &out, &got);
      if (!same(&got, &p->at[a | b])) fail(p, "joined the other way round", a << 8 | b);
      qm_vv_free(&p->env, &va);
      qm_vv_free(&p->env, &vb);
      p->joins++;
    }
}

/* Each tombstone that stays holds two or more: there are fewer than visible elements. */
static void check_bound(play *p) {
  uint64_t dead = 0;
  qm_cell cell = replica(p, (1u << p->n_items) - 1, 0);
  if (!cell.content) return;
  for (qm__run *r = qm__sequence_head(cell.content); r; r = qm__run_next(r))
    if (r->state == QM_RUN_DEAD) dead += r->len;
  if (dead && dead >= qm_sequence_len(&cell)) fail(p, "more tombstones than elements", 0);
}

/* One hangs on what the other deletes: a hub that has not heard of it must not trim that. */
static int torn(const item *a, const item *b) {
  const qm_ranges *cuts = b->then.span ? &b->then.cuts : &b->op.cuts;
  if (a->op.kind != QM_KIND_INSERT || a->op.flags & QM_OP_ROOT) return 0;
  return cuts->p[0].author == a->op.parent.author && cuts->p[0].counter == a->op.parent.counter;
}

static void forget(play *p, item *list, unsigned *n) {
  for (unsigned i = 0; i < *n; i++) qm_vv_free(&p->env, &list[i].seen);
  *n = 0;
}

/* 0: there is no such edit. */
static int play_one(play *p, int joins) {
  const plan *l = p->plan;
  qm_cell cell = replica(p, 0, 0);
  if (!edit(p, &cell, p->edit_a, PHONE_A, 0)) return 0;
  cell = replica(p, l->b_after, 0);
  if (!edit(p, &cell, p->edit_b, PHONE_B, l->b_after)) return -1;
  if (l->cuts && (torn(&p->items[0], &p->items[1]) || torn(&p->items[1], &p->items[0]))) return 1;
  add_trim(p, HUB, l->trim_after, l->trim_held);
  add_trim(p, (unsigned)l->second, l->second_after, l->second_held);
  check_orders(p);
  if (joins) check_joins(p);
  if (l->all) check_bound(p);
  p->programs++;
  return 1;
}

static void play_edits(play *p, int full) {
  for (p->edit_a = 0;; p->edit_a++) {
    int there = 1;
    for (p->edit_b = 0; there == 1; p->edit_b++) {
      there = play_one(p, full || (p->programs % 7 == 0));
      forget(p, p->items, &p->n_items);
    }
    if (!there) return;
  }
}

/* --- bases --- */

/* Tree number `tree` of k elements: where each comes to stand and who types it. All of it, and
 * that `dead` of it is deleted, everybody knows. Sentences are typed as one in every second. */
static int make_base(play *p) {
  unsigned t = p->tree;
  memset(&p->base_vv, 0, sizeof p->base_vv);
  for (unsigned i = 0; i < AUTHORS; i++)
    must(qm_vv_set(&p->env, &p->base_vv, i, 1) == QM_OK, "memory");
  for (unsigned i = 0; i < p->k; i++) {
    qm_cell cell = replica(p, 0, 0);
    uint64_t at = t % (i + 1);
    t /= i + 1;
    unsigned author = t % 2;
    t /= 2;
    add_base(p, author, insert_at(p, &cell, at));
  }
  for (unsigned i = p->k; i-- > 0;)
    if (p->dead >> i & 1) {
      qm_cell cell = replica(p, 0, 0);
      add_base(p, PHONE_A, cut_at(p, &cell, i, 1));
    }
  return t == 0;
}

static void play_base(play *p, int full) {
  qm_arena_reset(&p->arena);
  if (make_base(p)) play_edits(p, full);
  forget(p, p->base, &p->n_base);
  qm_vv_free(&p->env, &p->base_vv);
}

static void open_authors(play *p, const uint8_t *order) {
  qm_authors_init(&p->authors, &p->env);
  for (unsigned i = 0; i < AUTHORS; i++) {
    qm_author id;
    uint32_t number;
    memset(&id, order[i], sizeof id);
    must(qm_authors_add(&p->authors, &id, &number) == QM_OK, "memory");
  }
}

unsigned trims_run(int full, unsigned number) {
  static const uint8_t orders[][AUTHORS] = {{1, 2, 3, 4}, {2, 1, 4, 3}};
  static play p;
  memset(&p, 0, sizeof p);
  p.env = qm_env_default();
  qm_arena_init(&p.arena, &p.env, SIZE_MAX);
  for (unsigned o = 0; o < 2; o++) {
    open_authors(&p, orders[o]);
    for (p.k = 1; p.k <= (full ? 4u : 3u); p.k++) {
      unsigned trees = 1;
      for (unsigned i = 1; i <= p.k; i++) trees *= 2 * i;
      for (p.tree = 0; p.tree < trees; p.tree++)
        for (p.dead = 0; p.dead < 1u << p.k; p.dead++) {
          if (p.k == 4 && full < 2 && (p.tree + p.dead) % 16) continue; /* a part of these */
          for (unsigned i = 0; i < sizeof plans / sizeof plans[0]; i++) {
            p.plan = &plans[i];
            play_base(&p, full);
          }
        }
    }
    qm_authors_free(&p.authors);
  }
  qm_arena_free(&p.arena);
  printf("%s %u - trims: %lu programs, %lu ranges trimmed, %lu joins\n",
         p.failures ? "not ok" : "ok", number, p.programs, p.trimmed, p.joins);
  return p.failures;
}
