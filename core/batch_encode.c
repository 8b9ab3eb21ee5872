/* Writes a batch (SPEC §5) in two passes over its ops: the first finds the record
 * each op names and its form, the second writes the columns. */
#include <string.h>

#include "core/batch_columns.h"
#include "core/salt.h"
#include "core/words.h"
#include "core/zip.h"

/* A look-up in a table that strangers fill gives up after this many probes and takes
 * "not found": a dictionary may hold an entry twice, so nothing becomes quadratic. */
#define PROBES_MAX 32u
/* Below this many bytes zstd's own headers cost more than it saves. */
#define ZIP_MIN 64u
#define LEVEL_DEFAULT 5
/* In a large batch columns of so many bytes get codes of their own; in a small one the codes
 * would take more than they save. */
#define PART_MIN 2048u
#define PARTED_MIN 131072u
/* What is larger has words enough of its own; for what is smaller, and for the higher levels on
 * what is not much larger, going through the text takes too long. */
#define WORDS_MAX 131072u
#define WORDS_MIN 256u
#define WORDS_LOW_MAX 1024u
#define WORDS_LOW_LEVEL 10

typedef struct table {
  uint32_t *slots; /* place + 1, 0 free */
  uint32_t mask;
} table;

/* A record of the batch: by id, or by a creation dot. */
typedef struct entry {
  const qm_op *first; /* the op that brought it */
  uint8_t named;
} entry;

typedef struct form {
  uint64_t key;
  uint64_t value_bytes;
  uint32_t place; /* in ascending order of keys */
  uint32_t group; /* value column */
} form;

typedef struct author_place {
  uint32_t number;
  qm__base base;
  const qm_segment *last; /* its last segment so far */
} author_place;

typedef struct encoder {
  const qm_authors *authors;
  qm_batch_form form;
  unsigned version;
  qm_arena *arena;
  uint32_t *place_of; /* local number -> place + 1 */
  author_place *places;
  uint32_t n_places, cap_places;

  uint32_t n_ops;
  uint32_t *op_entry, *op_form; /* by place of the op in the batch */
  entry *entries;
  uint32_t n_entries;
  form *forms;
  uint32_t n_forms;
  uint32_t *sorted; /* forms by ascending key */
  table by_id, by_creation, by_key;
  uint32_t n_groups;
  size_t *group_at; /* where the next value of a group goes in `values` */
  size_t *group_size;
  uint8_t *values;

  /* The second pass. */
  uint32_t at;       /* ops written */
  uint32_t n_known;  /* entries written */
  uint32_t own;      /* place of the segment's author */
  uint64_t inserted; /* last counter of the last insert of this segment */
  qm_time time;      /* of the change before */
  uint64_t undependent; /* changes without dependencies since the last that has some */
  uint32_t n_raw, n_digests, n_salts, n_leaves;
  qm_buf heads, raws, digests, salts, leaves, times;
  qm_buf columns[QM__COLUMNS];
  size_t *ends; /* in the back, of its parts */
  size_t n_ends;
} encoder;

static uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static int table_init(encoder *e, table *t) {
  uint32_t size = 16;
  while (size < 2 * e->n_ops) size *= 2;
  t->slots = qm_arena_zero(e->arena, size * sizeof *t->slots);
  t->mask = size - 1;
  return t->slots ? QM_OK : QM_ENOMEM;
}

static uint32_t author_place_of(encoder *e, uint32_t number, int *rc) {
  if (number >= e->authors->n) {
    *rc = QM_EINVAL;
    return 0;
  }
  if (e->place_of[number]) return e->place_of[number] - 1;
  if (e->n_places == e->cap_places) {
    uint32_t cap = e->cap_places ? e->cap_places * 2 : 8;
    author_place *p = qm_arena_grow(e->arena, e->places, e->n_places, cap, sizeof *p);
    if (!p) {
      *rc = QM_ENOMEM;
      return 0;
    }
    e->places = p;
    e->cap_places = cap;
  }
  author_place fresh = {.number = number};
  e->places[e->n_places++] = fresh;
  e->place_of[number] = e->n_places;
  return e->n_places - 1;
}

/* ---- first pass: entries and forms ---- */

static int same_creation(const entry *x, const qm_op *op) {
  return x->named == QM_BY_CREATION && qm_dot_eq(x->first->created, op->created);
}

static int same_id(const entry *x, const qm_op *op) {
  return x->named == QM_BY_ID && memcmp(x->first->record.b, op->record.b, QM_ID_SIZE) == 0;
}

/* Finds the entry that `same` accepts; else *free_slot is where it may be noted
 * (UINT32_MAX: nowhere). */
static uint32_t find_entry(const encoder *e, const table *t, uint64_t hash, const qm_op *op,
                           int (*same)(const entry *, const qm_op *), uint32_t *free_slot) {
  *free_slot = UINT32_MAX;
  for (uint32_t i = 0; i < PROBES_MAX; i++) {
    uint32_t slot = ((uint32_t)hash + i) & t->mask;
    if (t->slots[slot] == 0) {
      *free_slot = slot;
      break;
    }
    uint32_t place = t->slots[slot] - 1;
    if (same(&e->entries[place], op)) return place;
  }
  return UINT32_MAX;
}

/* The entry an op's record has or gets (S5.10): the one by id where the batch holds
 * it, whatever the op says, for that resolves everywhere; else that of exactly the
 * op's own dot. An entry of another dot is not used: the receiver may know that one
 * later than this op's. */
static uint32_t entry_of(encoder *e, const qm_op *op) {
  uint32_t id_slot = UINT32_MAX, dot_slot = UINT32_MAX, found;
  int created = op->named == QM_BY_CREATION;
  if (!created || !qm_id_is_zero(&op->record)) {
    uint64_t hash = mix(load64(op->record.b) ^ mix(load64(op->record.b + 8)));
    found = find_entry(e, &e->by_id, hash, op, same_id, &id_slot);
    if (found != UINT32_MAX) return found;
  }
  if (created) {
    uint64_t hash = mix(op->created.counter ^ mix(op->created.author));
    found = find_entry(e, &e->by_creation, hash, op, same_creation, &dot_slot);
    if (found != UINT32_MAX) return found;
  }
  entry fresh = {op, created ? QM_BY_CREATION : QM_BY_ID};
  table *t = created ? &e->by_creation : &e->by_id;
  uint32_t slot = created ? dot_slot : id_slot;
  e->entries[e->n_entries++] = fresh;
  if (slot != UINT32_MAX) t->slots[slot] = e->n_entries;
  return e->n_entries - 1;
}

static uint32_t form_of(encoder *e, uint64_t key) {
  uint64_t hash = mix(key);
  uint32_t free_slot = UINT32_MAX;
  for (uint32_t i = 0; i < PROBES_MAX; i++) {
    uint32_t slot = ((uint32_t)hash + i) & e->by_key.mask;
    uint32_t place = e->by_key.slots[slot];
    if (place == 0) {
      free_slot = slot;
      break;
    }
    if (e->forms[place - 1].key == key) return place - 1;
  }
  form fresh = {.key = key};
  e->forms[e->n_forms++] = fresh;
  if (free_slot != UINT32_MAX) e->by_key.slots[free_slot] = e->n_forms;
  return e->n_forms - 1;
}

/* QM__DIGEST_BIN or QM__DIGEST_HEX where the value is a digest, else -1. */
static int digest_type(const qm_op *op) {
  const uint8_t *p = op->value.p;
  if (qm__op_inserts(op)) return -1;
  if (op->value.n == 2 + QM__DIGEST_SIZE && p[0] == 0xc4 && p[1] == QM__DIGEST_SIZE) {
    return QM__DIGEST_BIN;
  }
  if (op->value.n != 2 + 2 * QM__DIGEST_SIZE || p[0] != 0xd9 || p[1] != 2 * QM__DIGEST_SIZE) {
    return -1;
  }
  return qm__is_lower_hex(p + 2, 2 * QM__DIGEST_SIZE) ? QM__DIGEST_HEX : -1;
}

static size_t put_varint(uint8_t *to, uint64_t v) {
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) to[n++] = (uint8_t)(v | 0x80);
  to[n++] = (uint8_t)v;
  return n;
}

/* The short form of times and decimals, where it is one: how many bytes. */
static size_t short_value(const qm_op *op, qm_time time, uint8_t to[QM__VALUE_SHORT_MAX]) {
  const uint8_t *p = op->value.p;
  uint64_t u = 0;
  double v;
  int64_t m;
  unsigned exponent;
  if (op->value.n != 9 || (p[0] != 0xcf && p[0] != 0xcb) || qm__op_inserts(op)) return 0;
  for (unsigned i = 1; i < 9; i++) u = u << 8 | p[i];
  to[0] = QM__VALUE_DIGEST;
  if (p[0] == 0xcf) {
    if (u > INT64_MAX) return 0;
    to[1] = QM__VALUE_TIME;
    return 2 + put_varint(to + 2, qm__zigzag(u - qm_time_ms(time)));
  }
  memcpy(&v, &u, sizeof v);
  if (!qm__decimal_of(v, &m, &exponent)) return 0;
  to[1] = (uint8_t)(QM__VALUE_DECIMAL + exponent);
  return 2 + put_varint(to + 2, qm__zigzag((uint64_t)m));
}

static size_t value_size(const qm_op *op, qm_time time) {
  uint8_t scratch[QM__VALUE_SHORT_MAX];
  size_t n = short_value(op, time, scratch);
  if (n) return n;
  return digest_type(op) < 0 ? op->value.n : 2;
}

static void survey_op(encoder *e, const qm_op *op, const qm_change *c) {
  int first_of_change = op == c->ops;
  uint32_t at = e->at++;
  unsigned flags = op->flags & QM__FORM_OP_FLAGS, head = op->shape | (unsigned)op->kind << 3;
  e->op_entry[at] = entry_of(e, op);
  if (!first_of_change && e->op_entry[at] != e->op_entry[at - 1]) head |= QM__FORM_DIFFERS;
  if (op->generation) flags |= QM__FORM_GENERATION;
  e->op_form[at] = form_of(e, qm__form_key(op->field, head, flags));
  e->forms[e->op_form[at]].value_bytes += value_size(op, c->time);
}

static int form_less(const void *ctx, uint32_t a, uint32_t b) {
  const form *forms = ctx;
  return forms[a].key < forms[b].key;
}

static int key_has_value(uint64_t key) {
  unsigned shape = key >> 9 & 7, kind = key >> 7 & 3;
  return !(key & QM_OP_ERASED) && qm__op_carries(shape, kind);
}

/* Gives each form its place and each value column its room (S5.7, S5.15). */
static int order_forms(encoder *e) {
  uint64_t total = 0, cell = 0;
  e->sorted = qm_arena_array(e->arena, e->n_forms, sizeof *e->sorted);
  e->group_at = qm_arena_array(e->arena, e->n_forms, sizeof *e->group_at);
  e->group_size = qm_arena_zero(e->arena, e->n_forms * sizeof *e->group_size);
  if (!e->sorted || !e->group_at || !e->group_size) return QM_ENOMEM;
  for (uint32_t i = 0; i < e->n_forms; i++) e->sorted[i] = i;
  qm__heap_sort(e->sorted, e->n_forms, form_less, e->forms);
  for (uint32_t i = 0; i < e->n_forms; i++) {
    form *f = &e->forms[e->sorted[i]];
    f->place = i;
    if (!key_has_value(f->key)) continue;
    if (e->n_groups == 0 || qm__form_cell(f->key) != cell) {
      cell = qm__form_cell(f->key);
      e->group_at[e->n_groups++] = (size_t)total;
    }
    f->group = e->n_groups - 1;
    total += f->value_bytes;
    if (total > QM_BATCH_RAW_MAX) return QM_ELIMIT;
    e->group_size[f->group] += (size_t)f->value_bytes;
  }
  e->values = qm_arena_alloc(e->arena, (size_t)total);
  return e->values ? QM_OK : QM_ENOMEM;
}

static int survey(encoder *e, const qm_batch *b) {
  uint64_t n = 0;
  for (uint32_t i = 0; i < b->n_segments; i++) {
    const qm_segment *s = &b->segments[i];
    if (s->n_changes == 0) return QM_EMALFORMED;
    for (uint32_t k = 0; k < s->n_changes; k++) n += s->changes[k].n_ops;
  }
  if (n > QM_BATCH_OPS_MAX) return QM_ELIMIT;
  e->n_ops = (uint32_t)n;
  e->op_entry = qm_arena_array(e->arena, e->n_ops, sizeof *e->op_entry);
  e->op_form = qm_arena_array(e->arena, e->n_ops, sizeof *e->op_form);
  e->entries = qm_arena_array(e->arena, e->n_ops, sizeof *e->entries);
  e->forms = qm_arena_array(e->arena, e->n_ops, sizeof *e->forms);
  e->place_of = qm_arena_zero(e->arena, e->authors->n * sizeof *e->place_of);
  if (!e->op_entry || !e->op_form || !e->entries || !e->forms || !e->place_of) return QM_ENOMEM;
  QM_TRY(table_init(e, &e->by_id));
  QM_TRY(table_init(e, &e->by_creation));
  QM_TRY(table_init(e, &e->by_key));
  for (uint32_t i = 0; i < b->n_segments; i++) {
    for (uint32_t k = 0; k < b->segments[i].n_changes; k++) {
      const qm_change *c = &b->segments[i].changes[k];
      if (c->n_ops == 0) return QM_EMALFORMED;
      for (uint32_t o = 0; o < c->n_ops; o++) {
        if (!qm__op_fits(&c->ops[o])) return QM_EMALFORMED;
        survey_op(e, &c->ops[o], c);
      }
    }
  }
  e->at = 0;
  return order_forms(e);
}

/* ---- second pass: columns ---- */

static qm_buf *column(encoder *e, qm__column c) { return &e->columns[c]; }

/* 0: the segment's own author, else place + 1 (S5.9). */
static int put_author(encoder *e, qm_buf *to, uint32_t number, author_place **out) {
  int rc = QM_OK;
  uint32_t place = author_place_of(e, number, &rc);
  QM_TRY(rc);
  *out = &e->places[place];
  qm_buf_varint(to, place == e->own ? 0 : (uint64_t)place + 1);
  return QM_OK;
}

/* The counter of a dot whose author was just written: an own one by its distance
 * back from the op, another's by its distance from the last one written (S5.12). */
static void put_counter(encoder *e, qm_buf *to, author_place *a, uint64_t counter,
                        const qm_op *op) {
  if (a == &e->places[e->own]) {
    qm_buf_varint(to, op->counter - counter);
    return;
  }
  qm_buf_varint(to, qm__zigzag(counter - a->base.dot));
  a->base.dot = counter;
}

static int put_dots(encoder *e, qm_dots d, const qm_op *op) {
  qm_buf *to = column(e, QM__LISTS);
  author_place *a;
  qm_buf_varint(to, d.n);
  for (uint32_t i = 0; i < d.n; i++) {
    QM_TRY(put_author(e, to, d.p[i].author, &a));
    put_counter(e, to, a, d.p[i].counter, op);
  }
  return QM_OK;
}

static int put_cuts(encoder *e, qm_ranges r, const qm_op *op) {
  qm_buf *to = column(e, QM__LISTS);
  author_place *a;
  qm_buf_varint(to, r.n);
  for (uint32_t i = 0; i < r.n; i++) {
    QM_TRY(put_author(e, to, r.p[i].author, &a));
    put_counter(e, to, a, r.p[i].counter, op);
    qm_buf_varint(to, r.p[i].len);
  }
  return QM_OK;
}

static int put_lists(encoder *e, const qm_op *op) { /* S5.14 */
  if (qm__op_has_dots(op)) QM_TRY(put_dots(e, op->dots, op));
  if (op->flags & QM_OP_MARKS) QM_TRY(put_dots(e, op->marks, op));
  if (op->flags & QM_OP_NAMES) {
    QM_TRY(put_dots(e, op->hides, op));
    QM_TRY(put_dots(e, op->keeps, op));
  }
  if (qm__op_has_cuts(op)) QM_TRY(put_cuts(e, op->cuts, op));
  return QM_OK;
}

static int put_parent(encoder *e, const qm_op *op) { /* S5.13 */
  qm_buf *to = column(e, QM__PARENTS);
  int rc = QM_OK;
  unsigned left = op->flags & QM_OP_LEFT ? 1 : 0;
  if (op->flags & QM_OP_ROOT) {
    qm_buf_varint(to, left ? QM__PARENT_ROOT_LEFT : QM__PARENT_ROOT);
    return QM_OK;
  }
  uint32_t place = author_place_of(e, op->parent.author, &rc);
  QM_TRY(rc);
  if (place == e->own && !left && op->parent.counter == e->inserted) {
    qm_buf_varint(to, QM__PARENT_LAST);
    return QM_OK;
  }
  uint64_t author = place == e->own ? 0 : (uint64_t)place + 1;
  qm_buf_varint(to, QM__PARENT_OTHER + (author << 1 | left));
  put_counter(e, to, &e->places[place], op->parent.counter, op);
  return QM_OK;
}

/* S5.10, S5.11. */
static int put_record(encoder *e, const qm_op *op, uint32_t place) {
  qm_buf *to = column(e, QM__RECORDS);
  author_place *a;
  if (place < e->n_known) {
    qm_buf_varint(to, (uint64_t)(e->n_known - place) + 1);
    return QM_OK;
  }
  e->n_known++;
  if (e->entries[place].named == QM_BY_ID) {
    qm_buf_varint(to, QM__REF_ID);
    qm_buf_add(&e->raws, op->record.b, QM_ID_SIZE);
    e->n_raw++;
    return QM_OK;
  }
  qm_buf_varint(to, QM__REF_CREATION);
  to = column(e, QM__CREATIONS);
  QM_TRY(put_author(e, to, op->created.author, &a));
  qm_buf_varint(to, qm__zigzag(op->created.counter - a->base.created));
  a->base.created = op->created.counter;
  return QM_OK;
}

static void put_value(encoder *e, const form *f, const qm_op *op, qm_time time) { /* S5.15 */
  uint8_t digest[QM__DIGEST_SIZE], some[QM__VALUE_SHORT_MAX];
  uint8_t *to = e->values + e->group_at[f->group];
  size_t n = short_value(op, time, some);
  int type = digest_type(op);
  if (n) {
    memcpy(to, some, n);
    e->group_at[f->group] += n;
    return;
  }
  if (type < 0) {
    memcpy(to, op->value.p, op->value.n);
    e->group_at[f->group] += op->value.n;
    return;
  }
  to[0] = QM__VALUE_DIGEST;
  to[1] = (uint8_t)type;
  e->group_at[f->group] += 2;
  e->n_digests++;
  if (type == QM__DIGEST_HEX) {
    (void)qm_unhex(digest, sizeof digest, (const char *)op->value.p + 2, 2 * sizeof digest);
    qm_buf_add(&e->digests, digest, sizeof digest);
  } else {
    qm_buf_add(&e->digests, op->value.p + 2, sizeof digest);
  }
}

static int put_op(encoder *e, const qm_change *c, const qm_op *op) {
  qm_buf *extras = column(e, QM__EXTRAS);
  uint32_t at = e->at++;
  form *f = &e->forms[e->op_form[at]];
  if (e->version == QM__BATCH_OLD) qm_buf_varint(column(e, QM__OPS), f->place);
  else qm_buf_varint(column(e, QM__OPS), (uint64_t)f->place << 1 | (op == c->ops + c->n_ops - 1));
  if (op == c->ops || (f->key >> 6 & 1)) QM_TRY(put_record(e, op, e->op_entry[at]));
  if (op->value.n) put_value(e, f, op, c->time);
  if (op->generation) qm_buf_varint(extras, op->generation);
  if (op->flags & QM_OP_ORDER) qm_buf_varint(extras, qm__zigzag(op->order - c->time));
  if (op->flags & QM_OP_ERASED) {
    if (qm__op_inserts(op)) qm_buf_varint(extras, op->span);
    qm_buf_add(&e->leaves, op->leaf, QM_HASH_SIZE);
    e->n_leaves++;
  }
  QM_TRY(put_lists(e, op));
  if (qm__op_inserts(op)) {
    QM_TRY(put_parent(e, op));
    e->inserted = op->counter + op->span - 1;
  }
  return QM_OK;
}

/* S5.8. The tick is left out where it is the one that follows by itself. */
static int put_time(encoder *e, const qm_change *c, int first) {
  qm_buf *to = column(e, QM__TIMES);
  uint64_t delta = qm_time_ms(c->time) - qm_time_ms(e->time);
  uint32_t tick = qm_time_tick(c->time), expected = 0;
  if (first) {
    delta = qm__zigzag(delta);
  } else {
    if (c->time <= e->time) return QM_EMALFORMED;
    if (delta == 0) expected = (uint32_t)qm_time_tick(e->time) + 1;
  }
  e->time = c->time;
  if (e->version != QM__BATCH_OLD) {
    qm_buf_byte(&e->times, (uint8_t)(delta >> 8));
    qm_buf_byte(&e->times, (uint8_t)delta);
    delta >>= 8 * QM__TIME_LOW;
  }
  qm_buf_varint(to, delta << 1 | (tick != expected));
  if (tick != expected) qm_buf_varint(to, tick);
  return QM_OK;
}

static int put_deps(encoder *e, const qm_change *c) { /* S5.17 */
  qm_buf *to = column(e, QM__DEPS);
  author_place *a;
  if (c->n_deps == 0) {
    e->undependent++;
    return QM_OK;
  }
  if (e->version != QM__BATCH_OLD) qm_buf_varint(to, e->undependent);
  e->undependent = 0;
  qm_buf_varint(to, c->n_deps);
  for (uint32_t i = 0; i < c->n_deps; i++) {
    QM_TRY(put_author(e, to, c->deps[i].author, &a));
    qm_buf_varint(to, qm__zigzag(c->deps[i].counter - a->base.dep));
    a->base.dep = c->deps[i].counter;
  }
  return QM_OK;
}

static int put_change(encoder *e, const qm_segment *s, const qm_change *c) {
  uint64_t at = c->counter;
  if (e->version == QM__BATCH_OLD)
    qm_buf_varint(column(e, QM__CHANGES), (uint64_t)c->n_ops << 1 | (c->n_deps != 0));
  QM_TRY(put_time(e, c, c == s->changes));
  QM_TRY(put_deps(e, c));
  for (uint32_t i = 0; i < c->n_ops; i++) {
    const qm_op *op = &c->ops[i];
    /* Counters are not written: they must be those that the reader will count. */
    if (op->counter != at || op->span > UINT64_MAX - at) return QM_EMALFORMED;
    at += op->span;
    QM_TRY(put_op(e, c, op));
  }
  return at == c->next ? QM_OK : QM_EMALFORMED;
}

/* Only the greatest nodes without an erased leaf, so that none needs its place
 * written and none covers an erased one (S5.5). */
static int put_salts(encoder *e, const qm_segment *s) {
  const qm_op *only = s->n_ops == 1 ? s->changes[0].ops : NULL;
  if (only && !(only->flags & QM_OP_ERASED)) {
    if (s->n_salts != 1 || s->salts[0].first || s->salts[0].count != 1) return QM_EMALFORMED;
    qm_buf_add(&e->salts, s->salts[0].b, QM_SALT_SIZE);
    e->n_salts++;
    return QM_OK;
  }
  uint32_t n = qm__salt_cover(s, NULL, 0);
  if (n != s->n_salts) return QM_EMALFORMED;
  qm_salt *expected = qm_arena_array(e->arena, n, sizeof *expected);
  if (!expected) return QM_ENOMEM;
  (void)qm__salt_cover(s, expected, n);
  for (uint32_t i = 0; i < n; i++) {
    if (s->salts[i].first != expected[i].first || s->salts[i].count != expected[i].count) {
      return QM_EMALFORMED;
    }
    qm_buf_add(&e->salts, s->salts[i].b, QM_SALT_SIZE);
  }
  e->n_salts += n;
  return QM_OK;
}

static int put_head(encoder *e, const qm_segment *s) { /* S5.4 */
  static const uint8_t zero[QM_HEAD_SIZE];
  qm_buf *to = &e->heads;
  int rc = QM_OK;
  e->own = author_place_of(e, s->author, &rc);
  QM_TRY(rc);
  author_place *a = &e->places[e->own];
  int follows = a->last && a->last->next == s->start &&
                memcmp(a->last->head, s->previous, QM_HEAD_SIZE) == 0;
  if (s->algorithm == 0 || s->algorithm > 15 || s->next <= s->start) return QM_EMALFORMED;
  if (s->start == 0 && memcmp(s->previous, zero, QM_HEAD_SIZE) != 0) return QM_EMALFORMED;
  qm_buf_byte(to, (uint8_t)(s->algorithm << 4 | (follows ? QM__HEAD_FOLLOWS : 0) |
                            (s->has_signature ? QM__HEAD_SIGNED : 0)));
  qm_buf_varint(to, e->own);
  if (!follows) qm_buf_varint(to, s->start);
  qm_buf_varint(to, s->next - s->start);
  qm_buf_varint(to, s->n_changes);
  if (!follows && s->start) qm_buf_add(to, s->previous, QM_HEAD_SIZE);
  qm_buf_add(to, s->head, QM_HEAD_SIZE);
  if (s->has_signature) qm_buf_add(to, s->signature, sizeof s->signature);
  return QM_OK;
}

static int put_segment(encoder *e, const qm_segment *s) {
  uint64_t at = s->start;
  uint32_t ops = e->at;
  if (s->n_changes > QM_SEGMENT_CHANGES_MAX) return QM_EMALFORMED;
  QM_TRY(put_head(e, s));
  e->inserted = s->start - 1;
  for (uint32_t i = 0; i < s->n_changes; i++) {
    const qm_change *c = &s->changes[i];
    if (c->author != s->author || c->counter != at) return QM_EMALFORMED;
    QM_TRY(put_change(e, s, c));
    at = c->next;
  }
  if (at != s->next || e->at - ops != s->n_ops) return QM_EMALFORMED;
  e->places[e->own].last = s;
  e->places[e->own].base.dep = s->next;
  return put_salts(e, s);
}

/* ---- assembly ---- */

static void put_front(encoder *e, qm_buf *to, uint32_t n_segments) { /* S5.3 */
  qm_buf_varint(to, e->n_places);
  for (uint32_t i = 0; i < e->n_places; i++) {
    qm_buf_add(to, e->authors->ids[e->places[i].number].b, QM_AUTHOR_SIZE);
  }
  qm_buf_varint(to, n_segments);
  qm_buf_add(to, e->heads.p, e->heads.n);
  qm_buf_varint(to, e->n_raw);
  qm_buf_add(to, e->raws.p, e->raws.n);
  qm_buf_varint(to, e->n_digests);
  qm_buf_add(to, e->digests.p, e->digests.n);
  qm_buf_varint(to, e->n_salts);
  qm_buf_add(to, e->salts.p, e->salts.n);
  qm_buf_varint(to, e->n_leaves);
  qm_buf_add(to, e->leaves.p, e->leaves.n);
  qm_buf_add(to, e->times.p, e->times.n);
}

static void put_forms(encoder *e) { /* S5.7 */
  qm_buf *to = column(e, QM__FORMS);
  uint32_t field = 0;
  for (uint32_t i = 0; i < e->n_forms; i++) {
    uint64_t key = e->forms[e->sorted[i]].key;
    uint32_t flags = key & QM__FORM_FLAGS, this_field = (uint32_t)(key >> 12);
    uint32_t shape = key >> 9 & 7, kind = key >> 7 & 3, differs = key >> 6 & 1;
    qm_buf_byte(to, (uint8_t)(shape | kind << 3 | differs << 5 | (flags ? QM__FORM_FLAGGED : 0)));
    if (flags) qm_buf_byte(to, (uint8_t)flags);
    qm_buf_varint(to, this_field - field);
    field = this_field;
  }
}

static void put_column(encoder *e, qm_buf *to, const uint8_t *p, size_t n) {
  size_t from = e->n_ends ? e->ends[e->n_ends - 1] : 0;
  if (n >= PART_MIN && to->n - from >= PART_MIN) e->ends[e->n_ends++] = to->n;
  qm_buf_varint(to, n);
  qm_buf_add(to, p, n);
}

static void put_back(encoder *e, qm_buf *to) { /* S5.6 */
  size_t from = 0;
  for (unsigned i = 0; i < QM__COLUMNS; i++)
    if (qm__column_here(i, e->version)) put_column(e, to, e->columns[i].p, e->columns[i].n);
  for (uint32_t i = 0; i < e->n_groups; i++) {
    put_column(e, to, e->values + from, e->group_size[i]);
    from += e->group_size[i];
  }
  if (to->n < PARTED_MIN) e->n_ends = 0;
  e->ends[e->n_ends++] = to->n;
}

static int status_of(encoder *e) {
  const qm_buf *rest[] = {&e->heads, &e->raws, &e->digests, &e->salts, &e->leaves, &e->times};
  for (unsigned i = 0; i < QM__COLUMNS; i++) QM_TRY(qm_buf_status(&e->columns[i]));
  for (unsigned i = 0; i < 6; i++) QM_TRY(qm_buf_status(rest[i]));
  return QM_OK;
}

static int zip_back(const encoder *e, const qm_buf *back, qm_slice words, qm_buf *zipped,
                    int level) {
  if (!level) level = LEVEL_DEFAULT;
  if (words.n && back->n < WORDS_LOW_MAX && level > WORDS_LOW_LEVEL) level = WORDS_LOW_LEVEL;
  if (e->version == QM__BATCH_OLD)
    return qm_zip_parts(zipped, qm_buf_slice(back), level, e->ends, e->n_ends);
  return qm_zip_words(zipped, qm_buf_slice(back), level, words, e->ends, e->n_ends);
}

/* Appends the container; `zipped` is scratch. */
static int put_container(const encoder *e, qm_buf *out, const qm_buf *front, const qm_buf *back,
                         qm_buf *zipped, int level) {
  const qm_buf *body = back;
  qm_slice words = {NULL, 0};
  if (e->form == QM_BATCH_WORDS && back->n >= WORDS_MIN && back->n <= WORDS_MAX)
    words = qm__words(QM__WORDS);
  if (back->n >= ZIP_MIN) {
    int rc = zip_back(e, back, words, zipped, level);
    /* It is born with one byte less than what it has to beat. */
    if (rc == QM_OK) body = zipped;
    else if (rc != QM_ELIMIT) return rc;
  }
  size_t before = out->n;
  qm_buf_byte(out, (uint8_t)e->version);
  if (body == back) words.n = 0;
  qm_buf_byte(out, (uint8_t)((body == zipped ? QM__BATCH_ZSTD : 0) |
                             (words.n ? QM__BATCH_WORDS : 0)));
  if (words.n) qm_buf_byte(out, QM__WORDS);
  qm_buf_varint(out, front->n);
  qm_buf_add(out, front->p, front->n);
  qm_buf_add(out, body->p, body->n);
  if (qm_buf_status(out) != QM_OK) out->n = before;
  return qm_buf_status(out);
}

static int assemble(encoder *e, qm_buf *out, uint32_t n_segments, int level) {
  const qm_env *env = out->env;
  qm_buf front, back, zipped;
  put_forms(e);
  QM_TRY(status_of(e));
  e->ends = qm_arena_array(e->arena, QM__COLUMNS + e->n_groups + 1u, sizeof *e->ends);
  if (!e->ends) return QM_ENOMEM;
  qm_buf_init(&front, env, QM_BATCH_RAW_MAX);
  qm_buf_init(&back, env, QM_BATCH_RAW_MAX);
  put_front(e, &front, n_segments);
  put_back(e, &back);
  qm_buf_init(&zipped, env, back.n ? back.n - 1 : 0);
  int rc = qm_buf_status(&front);
  if (rc == QM_OK) rc = qm_buf_status(&back);
  size_t more = e->times.n / QM__TIME_LOW * QM__OLD_MORE;
  if (rc == QM_OK && front.n + back.n + more > QM_BATCH_RAW_MAX) rc = QM_ELIMIT;
  if (rc == QM_OK) rc = put_container(e, out, &front, &back, &zipped, level);
  qm_buf_free(&front);
  qm_buf_free(&back);
  qm_buf_free(&zipped);
  return rc;
}

static int encode(encoder *e, qm_buf *out, const qm_batch *b, int level) {
  QM_TRY(survey(e, b));
  for (uint32_t i = 0; i < b->n_segments; i++) QM_TRY(put_segment(e, &b->segments[i]));
  return assemble(e, out, b->n_segments, level);
}

int qm_batch_encode(qm_buf *out, const qm_batch *b, const qm_authors *authors, int level) {
  return qm_batch_encode_as(out, b, authors, level, QM_BATCH_WORDS);
}

int qm_batch_encode_as(qm_buf *out, const qm_batch *b, const qm_authors *authors, int level,
                       qm_batch_form how) {
  qm_arena arena;
  encoder e = {.authors = authors, .arena = &arena, .form = how};
  qm_buf *rest[] = {&e.heads, &e.raws, &e.digests, &e.salts, &e.leaves, &e.times};
  e.version = how == QM_BATCH_OLD ? QM__BATCH_OLD : QM__BATCH_VERSION;
  QM_TRY(qm_buf_status(out));
  if (b->n_segments == 0) return QM_EINVAL;
  if (b->n_segments > QM_BATCH_SEGMENTS_MAX) return QM_ELIMIT;
  qm_arena_init(&arena, out->env, SIZE_MAX);
  for (unsigned i = 0; i < QM__COLUMNS; i++) qm_buf_init(&e.columns[i], out->env, QM_BATCH_RAW_MAX);
  for (unsigned i = 0; i < 6; i++) qm_buf_init(rest[i], out->env, QM_BATCH_RAW_MAX);
  int rc = encode(&e, out, b, level);
  for (unsigned i = 0; i < QM__COLUMNS; i++) qm_buf_free(&e.columns[i]);
  for (unsigned i = 0; i < 6; i++) qm_buf_free(rest[i]);
  qm_arena_free(&arena);
  return rc;
}
