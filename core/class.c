#include "core/class.h"

#include <string.h>

#include "core/fold.h"
#include "core/mp.h"
#include "core/space.h"

/* --- edges --- */

static const uint8_t any_edge[1] = {0}; /* a key of every record that holds edges */

static const qm_keyed *edges_of(const qm_record *r) {
  const qm_cell *cell = r ? qm_record_cell(r, 0, QM_KEYED) : NULL;
  return cell ? qm_keyed_of(cell) : NULL;
}

/* An element that does not read as an edge has no effect: it is only data. */
int qm__edge_read(const qm_id *holder, qm_slice element, qm_id *other) {
  qm_cur c;
  qm_cur_init(&c, element);
  if (qm_cur_bin_n(&c, other->b, sizeof other->b) != QM_OK || qm_cur_end(&c) != QM_OK) return 0;
  return !qm_id_is_zero(holder) && qm_id_cmp(holder, other) < 0;
}

/* --- what is not one --- */

#define DISTINCT 1u

int qm_distinct_read(const qm_id *holder, qm_slice element, qm_id *other) {
  qm_cur c;
  uint32_t kind = 0;
  qm_cur_init(&c, element);
  (void)qm_cur_array_n(&c, 2);
  (void)qm_cur_uint32(&c, &kind);
  (void)qm_cur_bin_n(&c, other->b, sizeof other->b);
  if (qm_cur_end(&c) != QM_OK || kind != DISTINCT) return 0;
  return !qm_id_is_zero(holder) && qm_id_cmp(holder, other) < 0;
}

static int distinct_from(const qm_record *r, const qm_record_class *others, qm_slice *element) {
  const qm_keyed *k = edges_of(r);
  qm_id other;
  for (uint32_t i = 0; k && i < k->n; i++) {
    if (!qm_distinct_read(&r->id, k->p[i].value, &other) || !qm_class_has(others, &other)) continue;
    *element = k->p[i].value;
    return 1;
  }
  return 0;
}

int qm_class_distinct(const qm_record_class *a, const qm_record_class *b, qm_id *holder,
                      qm_slice *element) {
  for (uint32_t i = 0; i < a->n + b->n; i++) {
    const qm_record *r = i < a->n ? a->members[i] : b->members[i - a->n];
    if (!distinct_from(r, i < a->n ? b : a, element)) continue;
    *holder = r->id;
    return 1;
  }
  return 0;
}

/* --- the index --- */

int qm__edge_held(const qm_record *r, const qm_id *other) {
  const qm_keyed *k = edges_of(r);
  uint8_t element[2 + QM_ID_SIZE] = {0xc4, QM_ID_SIZE};
  memcpy(element + 2, other->b, QM_ID_SIZE);
  return k && qm_id_cmp(&r->id, other) < 0 && !qm_id_is_zero(&r->id) &&
         qm_keyed_find(k, qm_slice_of(element, sizeof element)) != NULL;
}

int qm__edges_index(qm_space *s, const qm_record *r, qm_arena *arena) {
  const qm_keyed *k = edges_of(r);
  uint32_t n = 0, count = k ? k->n : 0;
  qm_slice *keys = qm_arena_array(arena, count + 1, sizeof *keys);
  qm_id *ids = qm_arena_array(arena, count, sizeof *ids);
  if (!keys || !ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    if (!qm__edge_read(&r->id, k->p[i].value, &ids[n])) continue;
    keys[n] = qm_slice_of(ids[n].b, QM_ID_SIZE);
    n++;
  }
  if (n) keys[n++] = qm_slice_of(any_edge, sizeof any_edge);
  return s->engine->store->ops->key_put(s->engine->store, s->number, QM_INDEX_EDGES, &r->id, keys,
                                        n);
}

typedef struct qm_probe {
  const qm_id *id;
  int found;
} qm_probe;

static int probe_id(void *payload, const qm_id *id) {
  qm_probe *p = payload;
  if (p->id && qm_id_cmp(p->id, id) != 0) return QM_OK;
  p->found = 1;
  return QM_STORE_STOP;
}

static int probe(qm_space *s, qm_slice key, const qm_id *id, int *found) {
  qm_probe p = {id, 0};
  int rc = qm__fold_keys(s, QM_INDEX_EDGES, key, probe_id, &p);
  *found = p.found;
  return rc;
}

int qm__edges_indexed(qm_space *s, const qm_record *r, int *complete) {
  const qm_keyed *k = edges_of(r);
  int edges = 0;
  *complete = 1;
  for (uint32_t i = 0; k && i < k->n && *complete; i++) {
    qm_id other;
    if (!qm__edge_read(&r->id, k->p[i].value, &other)) continue;
    edges = 1;
    QM_TRY(probe(s, qm_slice_of(other.b, QM_ID_SIZE), &r->id, complete));
  }
  if (edges && *complete)
    QM_TRY(probe(s, qm_slice_of(any_edge, sizeof any_edge), &r->id, complete));
  return QM_OK;
}

void qm_class_refresh(qm_space *s) {
  if (s->edges == QM_EDGES_NONE) s->edges = QM_EDGES_UNKNOWN;
}

static int has_edges(qm_space *s, unsigned flags, int *out) {
  if (s->edges == QM_EDGES_UNKNOWN) {
    /* Of what is stored: edges that wait to be are among those touched. */
    qm_probe p = {NULL, 0};
    QM_TRY(qm__fold_keys_stored(s, QM_INDEX_EDGES, qm_slice_of(any_edge, sizeof any_edge),
                                probe_id, &p));
    s->edges = p.found ? QM_EDGES_SOME : QM_EDGES_NONE;
  }
  int touched = s->n_edges_touched && (s->behind || !(flags & QM_CLASS_COMMITTED));
  *out = s->edges == QM_EDGES_SOME || touched;
  return QM_OK;
}

/* --- finding what is connected --- */

typedef struct qm_node {
  qm_id id;
  const qm_record *record; /* NULL: not here */
} qm_node;

typedef struct qm_finder {
  qm_engine *e;
  qm_space *s;
  qm_arena *arena;
  unsigned flags;
  qm_node *nodes; /* in the order found */
  uint32_t n, cap;
  qm_id *hints; /* of the probe under way */
  uint32_t n_hints, cap_hints;
} qm_finder;

static int load(qm_finder *f, const qm_id *id, const qm_record **out) {
  int rc = f->flags & QM_CLASS_COMMITTED ? qm__read_stored(f->e, f->s, id, f->arena, out)
                                         : qm_engine_read(f->e, f->s, id, f->arena, out);
  if (rc == QM_ENOTFOUND) *out = NULL;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static qm_node *node_of(const qm_finder *f, const qm_id *id) {
  for (uint32_t i = 0; i < f->n; i++)
    if (qm_id_cmp(&f->nodes[i].id, id) == 0) return &f->nodes[i];
  return NULL;
}

static int add_node(qm_finder *f, const qm_id *id, const qm_record *record) {
  if (f->n == f->cap) {
    uint32_t cap = f->cap ? f->cap * 2 : 8;
    qm_node *p = qm_arena_grow(f->arena, f->nodes, f->cap, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    f->nodes = p;
    f->cap = cap;
  }
  f->nodes[f->n++] = (qm_node){*id, record};
  return QM_OK;
}

static int take_hint(void *payload, const qm_id *id) {
  qm_finder *f = payload;
  if (f->n_hints == f->cap_hints) {
    uint32_t cap = f->cap_hints ? f->cap_hints * 2 : 8;
    qm_id *p = qm_arena_grow(f->arena, f->hints, f->cap_hints, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    f->hints = p;
    f->cap_hints = cap;
  }
  f->hints[f->n_hints++] = *id;
  return QM_OK;
}

/* The ids below this one that may hold an edge to it: the index, and what the open
 * transaction wrote. */
static int hints_of(qm_finder *f, const qm_id *id) {
  f->n_hints = 0;
  QM_TRY(qm__fold_keys(f->s, QM_INDEX_EDGES, qm_slice_of(id->b, QM_ID_SIZE),
                              take_hint, f));
  if (f->flags & QM_CLASS_COMMITTED) return QM_OK;
  for (uint32_t i = 0; i < f->s->n_edges_touched; i++) {
    const qm_record *r = &f->s->edges_touched[i]->record;
    if (qm__edge_held(r, id)) QM_TRY(take_hint(f, &r->id));
  }
  return QM_OK;
}

/* The index may lag behind the open transaction: the holder's record decides. */
static int add_holders(qm_finder *f, const qm_id *id) {
  QM_TRY(hints_of(f, id));
  for (uint32_t i = 0; i < f->n_hints; i++) {
    const qm_record *r;
    if (node_of(f, &f->hints[i])) continue;
    QM_TRY(load(f, &f->hints[i], &r));
    if (r && qm__edge_held(r, id)) QM_TRY(add_node(f, &r->id, r));
  }
  return QM_OK;
}

static int add_held(qm_finder *f, const qm_record *r) {
  const qm_keyed *k = edges_of(r);
  for (uint32_t i = 0; k && i < k->n; i++) {
    qm_id other;
    const qm_record *end;
    if (!qm__edge_read(&r->id, k->p[i].value, &other) || node_of(f, &other)) continue;
    QM_TRY(load(f, &other, &end));
    QM_TRY(add_node(f, &other, end));
  }
  return QM_OK;
}

static int expand(qm_finder *f, uint32_t at) {
  qm_node node = f->nodes[at]; /* the array may move */
  QM_TRY(add_held(f, node.record));
  return add_holders(f, &node.id);
}

static void sort_nodes(qm_node *p, uint32_t n) {
  for (uint32_t i = 1; i < n; i++) {
    qm_node x = p[i];
    uint32_t at = i;
    for (; at && qm_id_cmp(&p[at - 1].id, &x.id) > 0; at--) p[at] = p[at - 1];
    p[at] = x;
  }
}

int qm__edge_ends(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                  qm_id **out, uint32_t *n) {
  qm_finder f = {.e = e, .s = s, .arena = arena, .flags = flags};
  const qm_record *r;
  QM_TRY(load(&f, id, &r));
  QM_TRY(add_node(&f, id, r));
  QM_TRY(expand(&f, 0));
  *n = f.n - 1;
  *out = qm_arena_array(arena, f.n, sizeof **out);
  if (!*out) return QM_ENOMEM;
  sort_nodes(f.nodes + 1, f.n - 1);
  for (uint32_t i = 0; i + 1 < f.n; i++) (*out)[i] = f.nodes[i + 1].id;
  return QM_OK;
}

int qm__edge_connected(qm_engine *e, qm_space *s, const qm_id *a, const qm_id *b, qm_arena *arena,
                       int *out) {
  qm_finder f = {.e = e, .s = s, .arena = arena};
  const qm_record *r;
  QM_TRY(load(&f, a, &r));
  QM_TRY(add_node(&f, a, r));
  for (uint32_t i = 0; i < f.n && !node_of(&f, b); i++) QM_TRY(expand(&f, i));
  *out = node_of(&f, b) != NULL;
  return QM_OK;
}

/* --- the class --- */

/* Edges outlive the record that holds them. */
static int is_here(const qm_record *r) { return r && (r->n_creations || r->marks.n); }

static int single(const qm_record *r, qm_arena *arena, qm_record_class *out) {
  out->members = qm_arena_array(arena, 1, sizeof *out->members);
  if (!out->members) return QM_ENOMEM;
  out->members[0] = r;
  out->id = r->id;
  out->n = 1;
  out->asked = 0;
  return QM_OK;
}

/* Those that are here and of the collection of the record asked for (where that is not
 * here: of the least that is). */
static int collect(qm_finder *f, qm_record_class *out) {
  const qm_id asked = f->nodes[0].id;
  const qm_record *first = is_here(f->nodes[0].record) ? f->nodes[0].record : NULL;
  sort_nodes(f->nodes, f->n);
  for (uint32_t i = 0; i < f->n && !first; i++)
    if (is_here(f->nodes[i].record)) first = f->nodes[i].record;
  if (!first) return QM_ENOTFOUND;
  out->members = qm_arena_array(f->arena, f->n, sizeof *out->members);
  if (!out->members) return QM_ENOMEM;
  int found = 0;
  for (uint32_t i = 0; i < f->n; i++) {
    const qm_record *r = f->nodes[i].record;
    if (!is_here(r) || qm_record_collection(r) != qm_record_collection(first)) continue;
    if (qm_id_cmp(&r->id, &asked) == 0) out->asked = out->n, found = 1;
    out->members[out->n++] = r;
  }
  if (!found) out->asked = out->n;
  out->id = out->members[0]->id;
  return QM_OK;
}

static int find(qm_finder *f, const qm_id *id, const qm_record *r, qm_record_class *out) {
  int edges = 0;
  memset(out, 0, sizeof *out);
  QM_TRY(has_edges(f->s, f->flags, &edges));
  if (!edges) return r ? single(r, f->arena, out) : QM_ENOTFOUND;
  QM_TRY(add_node(f, id, r));
  for (uint32_t i = 0; i < f->n; i++) QM_TRY(expand(f, i));
  /* A record that nobody created and nothing joins is itself all the same. */
  if (f->n == 1) return r ? single(r, f->arena, out) : QM_ENOTFOUND;
  return collect(f, out);
}

int qm_class_read(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                  qm_record_class *out) {
  qm_finder f = {.e = e, .s = s, .arena = arena, .flags = flags};
  const qm_record *r;
  QM_TRY(load(&f, id, &r));
  return find(&f, id, r, out);
}

int qm_class_of(qm_engine *e, qm_space *s, const qm_record *r, unsigned flags, qm_arena *arena,
                qm_record_class *out) {
  qm_finder f = {.e = e, .s = s, .arena = arena, .flags = flags};
  return find(&f, &r->id, r, out);
}

int qm_class_visible(const qm_record_class *c) {
  for (uint32_t i = 0; i < c->n; i++)
    if (qm_record_visible(c->members[i])) return 1;
  return 0;
}

int qm_class_collides(const qm_record_class *c) {
  for (uint32_t i = 0; i < c->n; i++)
    if (qm_marks_collide(&c->members[i]->marks)) return 1;
  return 0;
}

int qm_class_has(const qm_record_class *c, const qm_id *id) {
  for (uint32_t i = 0; i < c->n; i++)
    if (qm_id_cmp(&c->members[i]->id, id) == 0) return 1;
  return 0;
}

/* A member stands in the class by an edge, so its note of being taken out was written by
 * somebody who had not seen that edge, nor its writer the note (S3.18). */
int qm_class_unmerged(const qm_record_class *c, qm_arena *arena, const qm_id **out, uint32_t *n) {
  static const uint8_t nil[1] = {0xc0};
  qm_id *ids = qm_arena_array(arena, c->n, sizeof *ids);
  if (!ids) return QM_ENOMEM;
  *n = 0;
  for (uint32_t i = 0; i < c->n && c->n > 1; i++)
    if (qm_keyed_find(edges_of(c->members[i]), qm_slice_of(nil, 1)))
      ids[(*n)++] = c->members[i]->id;
  *out = ids;
  return QM_OK;
}
