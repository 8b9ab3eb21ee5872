#include "core/tie.h"

#include <string.h>

#include "core/class_ref.h"
#include "core/fold.h"
#include "core/space.h"

#define KEY_SIZE 16u

static void put_be32(uint8_t out[4], uint32_t v) {
  for (int i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void key_of(uint32_t collection, uint32_t field, qm_slice value, uint8_t out[KEY_SIZE]) {
  uint8_t head[8];
  qm_sha sha;
  qm_hash hash;
  put_be32(head, collection);
  put_be32(head + 4, field);
  qm_sha_init(&sha);
  qm_sha_add(&sha, head, sizeof head);
  qm_sha_add(&sha, value.p, value.n);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, KEY_SIZE);
}

/* The fields of a collection that tie its records, each once. */
static uint32_t tying(const qm_collection_def *c, uint32_t out[2 * QM_RELATIONS_MAX]) {
  const qm_relations *r = c ? c->relations : NULL;
  uint32_t n = 0;
  for (uint32_t i = 0; r && i < r->n_covers; i++)
    if (!qm__numbers_have(out, n, r->covers[i].account)) out[n++] = r->covers[i].account;
  for (uint32_t i = 0; r && i < r->n_clashes; i++)
    if (!qm__numbers_have(out, n, r->clashes[i].same[0])) out[n++] = r->clashes[i].same[0];
  return n;
}

/* Every value that a field lists has a key: which of them shows is asked of the record. */
int qm__ties_save(qm_space *s, const qm_record *r, qm_arena *arena) {
  uint32_t fields[2 * QM_RELATIONS_MAX], n = 0, count = 0;
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  uint32_t n_fields = tying(c, fields);
  if (!n_fields) return QM_OK;
  for (uint32_t i = 0; i < n_fields; i++) {
    const qm_cell *cell = qm_record_cell(r, fields[i], QM_SIBLINGS);
    count += cell ? qm_siblings_of(cell)->n : 0;
  }
  qm_slice *keys = qm_arena_array(arena, count, sizeof *keys);
  uint8_t *bytes = qm_arena_alloc(arena, (size_t)count * KEY_SIZE + 1);
  if (!keys || !bytes) return QM_ENOMEM;
  for (uint32_t i = 0; i < n_fields; i++) {
    const qm_cell *cell = qm_record_cell(r, fields[i], QM_SIBLINGS);
    const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
    for (uint32_t k = 0; v && k < v->n; k++) {
      if (qm__value_blank(v->p[k].value)) continue;
      key_of(c->number, fields[i], v->p[k].value, bytes + (size_t)n * KEY_SIZE);
      keys[n] = qm_slice_of(bytes + (size_t)n * KEY_SIZE, KEY_SIZE);
      n++;
    }
  }
  qm_store *store = s->engine->store;
  return store->ops->key_put(store, s->number, QM_INDEX_TIES, &r->id, keys, n);
}

uint32_t qm__ties_version(const qm_schema *s) {
  for (uint32_t i = 0; s && i < s->n_collections; i++) {
    const qm_relations *r = s->collections[i].relations;
    if (r && (r->n_whens || r->n_covers || r->n_clashes)) return s->version;
  }
  return 0;
}

/* ---- what is worth a look (S20.3) ---- */

static int lists_item(const qm_collection_def *c, const qm_record *r, uint32_t state,
                      const uint32_t *items, uint32_t n) {
  const qm_field_def *f = qm_collection_field(c, state);
  const qm_cell *cell = f ? qm_record_cell(r, state, QM_SIBLINGS) : NULL;
  const qm_siblings *v = cell ? qm_siblings_of(cell) : NULL;
  for (uint32_t i = 0; v && i < v->n; i++) {
    uint32_t item;
    if (qm_field_item(f, v->p[i].value, &item) == QM_OK && qm__numbers_have(items, n, item))
      return 1;
  }
  return 0;
}

static int is_broken(qm_space *s, const qm_collection_def *c, const qm_record *r,
                     const qm_when_def *w, qm_arena *arena, int *out) {
  *out = 0;
  if (!qm_when_holds(c, r, w)) return QM_OK;
  for (uint32_t i = 0; i < w->n_empty + w->n_filled && !*out; i++) {
    int filled, wanted = i >= w->n_empty;
    uint32_t field = wanted ? w->filled[i - w->n_empty] : w->empty[i];
    QM_TRY(qm_field_filled(s, qm_collection_field(c, field), r, arena, &filled));
    *out = filled != wanted;
  }
  return QM_OK;
}

int qm__ties_noted(qm_space *s, const qm_record *r, qm_arena *arena, int *out) {
  const qm_collection_def *c =
      s->schema ? qm_schema_collection(s->schema, qm_record_collection(r)) : NULL;
  const qm_relations *x = c ? c->relations : NULL;
  *out = 0;
  for (uint32_t i = 0; x && i < x->n_whens && !*out; i++)
    QM_TRY(is_broken(s, c, r, &x->whens[i], arena, out));
  for (uint32_t i = 0; x && i < x->n_covers && !*out; i++)
    *out = lists_item(c, r, x->covers[i].state, x->covers[i].holds, x->covers[i].n_holds) ||
           lists_item(c, r, x->covers[i].state, x->covers[i].settled, x->covers[i].n_settled);
  for (uint32_t i = 0; x && i < x->n_clashes && !*out; i++)
    *out = !x->clashes[i].state ||
           lists_item(c, r, x->clashes[i].state, x->clashes[i].items, x->clashes[i].n_items);
  return QM_OK;
}

/* ---- who is tied ---- */

typedef struct gathering {
  qm_space *s;
  qm_arena *arena;
  uint32_t collection;
  qm_id *p;
  uint32_t n, cap;
} gathering;

static int add_id(gathering *g, const qm_id *id) {
  for (uint32_t i = 0; i < g->n; i++)
    if (qm_id_cmp(&g->p[i], id) == 0) return QM_OK;
  if (g->n == g->cap) {
    uint32_t cap = g->cap ? g->cap * 2 : 16;
    g->p = qm_arena_grow(g->arena, g->p, g->cap, cap, sizeof *g->p);
    if (!g->p) return QM_ENOMEM;
    g->cap = cap;
  }
  g->p[g->n++] = *id;
  return QM_OK;
}

static int take_id(void *payload, const qm_id *id) { return add_id(payload, id); }

static int take_row(void *payload, const qm_record_row *row) {
  gathering *g = payload;
  return row->collection == g->collection ? add_id(g, &row->id) : QM_OK;
}

static int by_value(gathering *g, uint32_t field, qm_slice value) {
  uint8_t key[KEY_SIZE];
  key_of(g->collection, field, value, key);
  return qm__fold_keys(g->s, QM_INDEX_TIES, qm_slice_of(key, KEY_SIZE), take_id, g);
}

/* Whoever refers to any of the merged records refers to this one. */
static int by_class(gathering *g, qm_engine *e, uint32_t field, qm_slice value, unsigned flags) {
  qm_cur c;
  qm_id id;
  qm_record_class of;
  qm_cur_init(&c, value);
  if (qm_cur_bin_n(&c, id.b, sizeof id.b) != QM_OK) return by_value(g, field, value);
  int rc = qm_class_read(e, g->s, &id, flags, g->arena, &of);
  if (rc == QM_ENOTFOUND) return by_value(g, field, value);
  QM_TRY(rc);
  for (uint32_t i = 0; i < of.n; i++) {
    uint8_t ref[2 + QM_ID_SIZE] = {0xc4, QM_ID_SIZE};
    memcpy(ref + 2, of.members[i]->id.b, QM_ID_SIZE);
    QM_TRY(by_value(g, field, qm_slice_of(ref, sizeof ref)));
  }
  return qm_class_has(&of, &id) ? QM_OK : by_value(g, field, value);
}

int qm__tied(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_field_def *f,
             qm_slice value, unsigned flags, qm_arena *arena, qm_id **out, uint32_t *n) {
  gathering g = {.s = s, .arena = arena, .collection = c->number};
  int rc = !s->review_whole ? qm__fold_scan(s, NULL, SIZE_MAX >> 1, take_row, &g)
           : f->value == QM_VALUE_REF ? by_class(&g, e, f->number, value, flags)
                                      : by_value(&g, f->number, value);
  *out = g.p;
  *n = g.n;
  return rc;
}
