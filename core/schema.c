/* The MessagePack form of a schema, and lookups in one.
 *
 * Every object is an array with fixed positions. Positions after "|" are optional:
 * they are left out from the end while they hold their default, and only so (the
 * form is canonical: load refuses what encode would not write).
 *
 *   schema     = [1 form, name, version, drift_ms, lease_days, review_days,
 *                 [collection…]                           ascending by number
 *                 | [table…] (none), [calendar…] (none)]   schema_tables.c
 *                up to 16 further positions, of a newer form, are kept as they are
 *   collection = [number, name, label_zh, label_en, purpose, retention, [field…]
 *                 | key_field (0: none), key_form (0), [writer…] (none), [rule…] (none),
 *                   [level…] (none), [check…] (none),    schema_checks.c
 *                   [limit…] (none),                     schema_limits.c
 *                   relations (none)]                    schema_relations.c
 *                fields ascending by number; up to 16 further positions, of a newer form,
 *                are kept as they are
 *   rule       = [name, weight, [condition…] | most (32), label_zh (""), label_en ("")]
 *   condition  = [field number, match | limit (0)]
 *   field      = [number, name, type, class
 *                 | value (0: any), flags (0), label_zh (""), label_en (""),
 *                   length_max (0: none), [item…] (none), [transition…] (none),
 *                   target (0: any), level (0: by what it is)]
 *   item       = [name | rank (0), label_zh (""), label_en (""), by [role…] (none),
 *                 confirm [role…] (none), [need…] (none)]
 *   need       = [kind, field number | least (1), by [role…] (none), part field number (0),
 *                 [part…] (none)]
 *   transition = [from, to]                               places in the items
 *
 * Names, labels, purpose, retention and writers are str, rank is int, all else is
 * uint; the numbers of types, classes, value kinds, flags and key forms are those of
 * schema.h. At most QM_SCHEMA_MAX bytes. */
#include "core/schema.h"

#include <string.h>

#include "core/schema_internal.h"

#define COLLECTION_FIXED 7u
#define SCHEMA_FIXED 7u
#define SCHEMA_ALL 9u
#define COLLECTION_ALL 15u
#define FIELD_FIXED 4u
#define FIELD_ALL 13u
#define ITEM_FIXED 1u
#define ITEM_LABELS 4u /* and the positions of its steps */
#define ITEM_ALL 7u

static void read_u8(qm_cur *c, uint8_t *out) {
  uint32_t v;
  (void)qm_cur_uint32(c, &v);
  if (v > UINT8_MAX) {
    (void)qm_cur_fail(c, QM_ERANGE);
    v = 0;
  }
  *out = (uint8_t)v;
}

static void read_i32(qm_cur *c, int32_t *out) {
  int64_t v;
  (void)qm_cur_int(c, &v);
  if (v < INT32_MIN || v > INT32_MAX) {
    (void)qm_cur_fail(c, QM_ERANGE);
    v = 0;
  }
  *out = (int32_t)v;
}

uint32_t qm__schema_object(qm_cur *c, uint32_t least, uint32_t most) {
  uint32_t n;
  (void)qm_cur_array(c, &n);
  if (c->status == QM_OK && (n < least || n > most)) (void)qm_cur_fail(c, QM_EFORMAT);
  return c->status == QM_OK ? n : 0;
}

void *qm__schema_list(qm_cur *c, uint32_t most, size_t size, uint32_t *n, qm_arena *arena) {
  (void)qm_cur_array(c, n);
  if (c->status == QM_OK && *n > most) (void)qm_cur_fail(c, QM_EOVERSIZE);
  void *list = NULL;
  if (c->status == QM_OK && *n) {
    list = qm_arena_zero(arena, *n * size);
    if (!list) (void)qm_cur_fail(c, QM_ENOMEM);
  }
  if (!list) *n = 0;
  return list;
}

static void read_items(qm_cur *c, qm_field_def *f, qm_arena *arena) {
  qm_enum_item *items =
      qm__schema_list(c, QM_SCHEMA_ITEMS_MAX, sizeof *items, &f->n_items, arena);
  for (uint32_t i = 0; i < f->n_items && c->status == QM_OK; i++) {
    uint32_t n = qm__schema_object(c, ITEM_FIXED, ITEM_ALL);
    (void)qm_cur_str(c, &items[i].name);
    if (n > 1) read_i32(c, &items[i].rank);
    if (n > 2) (void)qm_cur_str(c, &items[i].label_zh);
    if (n > 3) (void)qm_cur_str(c, &items[i].label_en);
    if (n > ITEM_LABELS) qm__steps_read(c, n - ITEM_LABELS, &items[i], arena);
  }
  f->items = items;
}

static void read_transitions(qm_cur *c, qm_field_def *f, qm_arena *arena) {
  qm_transition *list =
      qm__schema_list(c, QM_SCHEMA_TRANSITIONS_MAX, sizeof *list, &f->n_transitions, arena);
  for (uint32_t i = 0; i < f->n_transitions && c->status == QM_OK; i++) {
    (void)qm_cur_array_n(c, 2);
    (void)qm_cur_uint32(c, &list[i].from);
    (void)qm_cur_uint32(c, &list[i].to);
  }
  f->transitions = list;
}

static void read_field(qm_cur *c, qm_field_def *f, qm_arena *arena) {
  uint32_t n = qm__schema_object(c, FIELD_FIXED, FIELD_ALL);
  (void)qm_cur_uint32(c, &f->number);
  (void)qm_cur_str(c, &f->name);
  read_u8(c, &f->type);
  read_u8(c, &f->cls);
  if (n > 4) read_u8(c, &f->value);
  if (n > 5) read_u8(c, &f->flags);
  if (n > 6) (void)qm_cur_str(c, &f->label_zh);
  if (n > 7) (void)qm_cur_str(c, &f->label_en);
  if (n > 8) (void)qm_cur_uint32(c, &f->length_max);
  if (n > 9) read_items(c, f, arena);
  if (n > 10) read_transitions(c, f, arena);
  if (n > 11) (void)qm_cur_uint32(c, &f->target);
  if (n > 12) read_u8(c, &f->review);
}

static void read_writers(qm_cur *c, qm_collection_def *d, qm_arena *arena) {
  qm_slice *writers =
      qm__schema_list(c, QM_SCHEMA_WRITERS_MAX, sizeof *writers, &d->n_writers, arena);
  for (uint32_t i = 0; i < d->n_writers; i++) (void)qm_cur_str(c, &writers[i]);
  d->writers = writers;
}

/* What a newer form has more is kept, so that the schema stays whole where it is known. */
static void read_more(qm_cur *c, uint32_t n, qm_slice *out) {
  qm_slice value;
  *out = qm_slice_of(c->at, 0);
  for (uint32_t i = 0; i < n; i++) (void)qm_cur_value(c, QM_VALUE_DEPTH, &value);
  out->n = (size_t)(c->at - out->p);
}

/* As many as there are classes; which level there is, is for the check. */
static void read_levels(qm_cur *c, qm_collection_def *d) {
  (void)qm_cur_array_n(c, QM_CONFLICT_CLASSES);
  for (uint32_t i = 0; i < QM_CONFLICT_CLASSES && c->status == QM_OK; i++)
    read_u8(c, &d->review[i]);
}

static void read_collection(qm_cur *c, qm_collection_def *d, qm_arena *arena) {
  uint32_t n = qm__schema_object(c, COLLECTION_FIXED, COLLECTION_ALL + QM__MORE_MAX);
  (void)qm_cur_uint32(c, &d->number);
  (void)qm_cur_str(c, &d->name);
  (void)qm_cur_str(c, &d->label_zh);
  (void)qm_cur_str(c, &d->label_en);
  (void)qm_cur_str(c, &d->purpose);
  (void)qm_cur_str(c, &d->retention);
  qm_field_def *fields =
      qm__schema_list(c, QM_SCHEMA_FIELDS_MAX, sizeof *fields, &d->n_fields, arena);
  for (uint32_t i = 0; i < d->n_fields && c->status == QM_OK; i++) read_field(c, &fields[i], arena);
  d->fields = fields;
  if (n > 7) (void)qm_cur_uint32(c, &d->key_field);
  if (n > 8) read_u8(c, &d->key_form);
  if (n > 9) read_writers(c, d, arena);
  if (n > 10) qm__rules_read(c, d, arena);
  if (n > 11) read_levels(c, d);
  if (n > 12) qm__checks_read(c, fields, d->n_fields);
  if (n > 13) qm__limits_read(c, d, arena);
  if (n > 14) qm__relations_read(c, d, arena);
  if (n > COLLECTION_ALL) d->n_more = n - COLLECTION_ALL;
  read_more(c, d->n_more, &d->more);
}

static void read_schema(qm_cur *c, uint32_t n, qm_schema *s, qm_arena *arena) {
  (void)qm_cur_str(c, &s->name);
  (void)qm_cur_uint32(c, &s->version);
  (void)qm_cur_uint32(c, &s->drift_ms);
  (void)qm_cur_uint32(c, &s->lease_days);
  (void)qm_cur_uint32(c, &s->review_days);
  qm_collection_def *list =
      qm__schema_list(c, QM_SCHEMA_COLLECTIONS_MAX, sizeof *list, &s->n_collections, arena);
  for (uint32_t i = 0; i < s->n_collections && c->status == QM_OK; i++) {
    read_collection(c, &list[i], arena);
  }
  s->collections = list;
  if (n > 7) qm__tables_read(c, s, arena);
  if (n > 8) qm__calendars_read(c, s, arena);
  if (n > SCHEMA_ALL) s->n_more = n - SCHEMA_ALL;
  read_more(c, s->n_more, &s->more);
}

/* One form for one schema: what load takes, encode writes. */
static int check_canonical(const qm_schema *s, qm_slice in, const qm_env *env) {
  qm_buf again;
  qm_buf_init(&again, env, QM_SCHEMA_MAX);
  qm_schema_encode(s, &again);
  int rc = qm_buf_status(&again);
  if (rc == QM_ELIMIT) rc = QM_ECANON;
  if (rc == QM_OK && !qm__same(qm_buf_slice(&again), in)) rc = QM_ECANON;
  qm_buf_free(&again);
  return rc;
}

int qm_schema_load(const qm_schema **out, qm_slice in, qm_arena *arena, qm_error *e) {
  uint32_t form;
  qm_cur c;
  *out = NULL;
  if (in.n > QM_SCHEMA_MAX) {
    return qm_fail(e, QM_EOVERSIZE, "schema: larger than %u bytes", QM_SCHEMA_MAX);
  }
  qm_schema *s = qm_arena_zero(arena, sizeof *s);
  if (!s) return qm_fail(e, QM_ENOMEM, "schema: %s", qm_err_text(QM_ENOMEM));
  qm_cur_init(&c, in);
  uint32_t n = qm__schema_object(&c, 1, UINT32_MAX);
  (void)qm_cur_uint32(&c, &form);
  if (c.status == QM_OK && form != QM__SCHEMA_FORM) {
    return qm_fail(e, QM_ESCHEMA, "schema: form %u is not known here; update qianmo",
                   (unsigned)form);
  }
  if (c.status == QM_OK && (n < SCHEMA_FIXED || n > SCHEMA_ALL + QM__MORE_MAX))
    (void)qm_cur_fail(&c, QM_EFORMAT);
  read_schema(&c, n, s, arena);
  int rc = qm_cur_end(&c);
  if (rc) {
    return qm_fail(e, rc, "schema, byte %u: %s", (unsigned)(c.at - c.start), qm_err_text(rc));
  }
  QM_TRY(qm_schema_check(s, e));
  rc = check_canonical(s, in, arena->env);
  if (rc) return qm_fail(e, rc, "schema: %s", qm_err_text(rc));
  *out = s;
  return QM_OK;
}

static void put_str(qm_buf *out, qm_slice s) { qm_mp_str(out, s.p, s.n); }

static void put_item(qm_buf *out, const qm_enum_item *item) {
  uint32_t steps = qm__steps_positions(item);
  size_t n = steps ? ITEM_LABELS + steps
             : item->label_en.n ? 4
             : item->label_zh.n ? 3
             : item->rank       ? 2
                                : ITEM_FIXED;
  qm_mp_array(out, n);
  put_str(out, item->name);
  if (n > 1) qm_mp_int(out, item->rank);
  if (n > 2) put_str(out, item->label_zh);
  if (n > 3) put_str(out, item->label_en);
  qm__steps_put(out, item);
}

static size_t field_positions(const qm_field_def *f) {
  if (f->review) return 13;
  if (f->target) return 12;
  if (f->n_transitions) return 11;
  if (f->n_items) return 10;
  if (f->length_max) return 9;
  if (f->label_en.n) return 8;
  if (f->label_zh.n) return 7;
  if (f->flags) return 6;
  return f->value ? 5 : FIELD_FIXED;
}

static void put_field(qm_buf *out, const qm_field_def *f) {
  size_t n = field_positions(f);
  qm_mp_array(out, n);
  qm_mp_uint(out, f->number);
  put_str(out, f->name);
  qm_mp_uint(out, f->type);
  qm_mp_uint(out, f->cls);
  if (n > 4) qm_mp_uint(out, f->value);
  if (n > 5) qm_mp_uint(out, f->flags);
  if (n > 6) put_str(out, f->label_zh);
  if (n > 7) put_str(out, f->label_en);
  if (n > 8) qm_mp_uint(out, f->length_max);
  if (n > 9) {
    qm_mp_array(out, f->n_items);
    for (uint32_t i = 0; i < f->n_items; i++) put_item(out, &f->items[i]);
  }
  if (n > 10) {
    qm_mp_array(out, f->n_transitions);
    for (uint32_t i = 0; i < f->n_transitions; i++) {
      qm_mp_array(out, 2);
      qm_mp_uint(out, f->transitions[i].from);
      qm_mp_uint(out, f->transitions[i].to);
    }
  }
  if (n > 11) qm_mp_uint(out, f->target);
  if (n > 12) qm_mp_uint(out, f->review);
}

static int has_levels(const qm_collection_def *d) {
  for (uint32_t i = 0; i < QM_CONFLICT_CLASSES; i++)
    if (d->review[i]) return 1;
  return 0;
}

static void put_collection(qm_buf *out, const qm_collection_def *d) {
  uint32_t checks = qm__checks_count(d);
  size_t n = d->n_more       ? COLLECTION_ALL + d->n_more
             : d->relations  ? COLLECTION_ALL
             : d->n_limits   ? 14
             : checks        ? 13
             : has_levels(d) ? 12
             : d->n_rules    ? 11
             : d->n_writers  ? 10
             : d->key_form   ? 9
             : d->key_field  ? 8
                             : COLLECTION_FIXED;
  qm_mp_array(out, n);
  qm_mp_uint(out, d->number);
  put_str(out, d->name);
  put_str(out, d->label_zh);
  put_str(out, d->label_en);
  put_str(out, d->purpose);
  put_str(out, d->retention);
  qm_mp_array(out, d->n_fields);
  for (uint32_t i = 0; i < d->n_fields; i++) put_field(out, &d->fields[i]);
  if (n > 7) qm_mp_uint(out, d->key_field);
  if (n > 8) qm_mp_uint(out, d->key_form);
  if (n > 9) {
    qm_mp_array(out, d->n_writers);
    for (uint32_t i = 0; i < d->n_writers; i++) put_str(out, d->writers[i]);
  }
  if (n > 10) qm__rules_put(out, d);
  if (n > 11) {
    qm_mp_array(out, QM_CONFLICT_CLASSES);
    for (uint32_t i = 0; i < QM_CONFLICT_CLASSES; i++) qm_mp_uint(out, d->review[i]);
  }
  if (n > 12) qm__checks_put(out, d);
  if (n > 13) qm__limits_put(out, d);
  if (n > 14) qm__relations_put(out, d);
  if (n > COLLECTION_ALL) qm_mp_raw(out, d->more);
}

void qm_schema_encode(const qm_schema *s, qm_buf *out) {
  size_t n = s->n_more        ? SCHEMA_ALL + s->n_more
             : s->n_calendars ? SCHEMA_ALL
             : s->n_tables    ? 8
                              : SCHEMA_FIXED;
  qm_mp_array(out, n);
  qm_mp_uint(out, QM__SCHEMA_FORM);
  put_str(out, s->name);
  qm_mp_uint(out, s->version);
  qm_mp_uint(out, s->drift_ms);
  qm_mp_uint(out, s->lease_days);
  qm_mp_uint(out, s->review_days);
  qm_mp_array(out, s->n_collections);
  for (uint32_t i = 0; i < s->n_collections; i++) put_collection(out, &s->collections[i]);
  if (n > 7) qm__tables_put(out, s);
  if (n > 8) qm__calendars_put(out, s);
  if (n > SCHEMA_ALL) qm_mp_raw(out, s->more);
}

const qm_collection_def *qm_schema_collection(const qm_schema *s, uint32_t number) {
  uint32_t low = 0, high = s->n_collections;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (s->collections[middle].number == number) return &s->collections[middle];
    if (s->collections[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

const qm_field_def *qm_collection_field(const qm_collection_def *c, uint32_t number) {
  uint32_t low = 0, high = c->n_fields;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (c->fields[middle].number == number) return &c->fields[middle];
    if (c->fields[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

const qm_collection_def *qm_schema_collection_named(const qm_schema *s, qm_slice name) {
  for (uint32_t i = 0; i < s->n_collections; i++) {
    if (qm__same(s->collections[i].name, name)) return &s->collections[i];
  }
  return NULL;
}

const qm_field_def *qm_collection_field_named(const qm_collection_def *c, qm_slice name) {
  for (uint32_t i = 0; i < c->n_fields; i++) {
    if (qm__same(c->fields[i].name, name)) return &c->fields[i];
  }
  return NULL;
}

int qm_schema_sensitive(const qm_schema *s) {
  for (uint32_t i = 0; i < s->n_collections; i++) {
    const qm_collection_def *c = &s->collections[i];
    for (uint32_t j = 0; j < c->n_fields; j++) {
      if (c->fields[j].cls == QM_CLASS_SENSITIVE) return 1;
    }
  }
  return 0;
}

int qm_collection_writable(const qm_collection_def *c, qm_slice role) {
  for (uint32_t i = 0; i < c->n_writers; i++) {
    if (qm__same(c->writers[i], role)) return 1;
  }
  return c->n_writers == 0;
}
