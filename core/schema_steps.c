/* Steps of a workflow, as a state field's items say them: who may set an item, who confirms
 * it, and what must be there first (S7.10). */
#include <stdio.h>

#include "core/schema_internal.h"

#define NEED_FIXED 2u
#define NEED_ALL 6u

/* --- the form --- */

static const qm_slice *read_names(qm_cur *c, uint32_t most, uint32_t *n, qm_arena *arena) {
  qm_slice *list = qm__schema_list(c, most, sizeof *list, n, arena);
  for (uint32_t i = 0; i < *n; i++) (void)qm_cur_str(c, &list[i]);
  return list;
}

static void put_names(qm_buf *out, const qm_slice *list, uint32_t n) {
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n; i++) qm_mp_str(out, list[i].p, list[i].n);
}

static void read_need(qm_cur *c, qm_need_def *d, qm_arena *arena) {
  uint32_t kind = 0, n = qm__schema_object(c, NEED_FIXED, NEED_ALL);
  d->least = 1;
  (void)qm_cur_uint32(c, &kind);
  if (kind > UINT8_MAX) (void)qm_cur_fail(c, QM_ERANGE);
  d->kind = (uint8_t)kind;
  (void)qm_cur_uint32(c, &d->field);
  if (n > 2) (void)qm_cur_uint32(c, &d->least);
  if (n > 3) d->by = read_names(c, QM_SCHEMA_WRITERS_MAX, &d->n_by, arena);
  if (n > 4) (void)qm_cur_uint32(c, &d->part);
  if (n > 5) d->parts = read_names(c, QM_SCHEMA_PARTS_MAX, &d->n_parts, arena);
}

static void put_need(qm_buf *out, const qm_need_def *d) {
  size_t n = d->n_parts ? 6 : d->part ? 5 : d->n_by ? 4 : d->least != 1 ? 3 : NEED_FIXED;
  qm_mp_array(out, n);
  qm_mp_uint(out, d->kind);
  qm_mp_uint(out, d->field);
  if (n > 2) qm_mp_uint(out, d->least);
  if (n > 3) put_names(out, d->by, d->n_by);
  if (n > 4) qm_mp_uint(out, d->part);
  if (n > 5) put_names(out, d->parts, d->n_parts);
}

void qm__steps_read(qm_cur *c, uint32_t positions, qm_enum_item *item, qm_arena *arena) {
  if (positions > 0) item->by = read_names(c, QM_SCHEMA_WRITERS_MAX, &item->n_by, arena);
  if (positions > 1) item->confirm = read_names(c, QM_SCHEMA_WRITERS_MAX, &item->n_confirm, arena);
  if (positions < 3) return;
  qm_need_def *list =
      qm__schema_list(c, QM_SCHEMA_NEEDS_MAX, sizeof *list, &item->n_needs, arena);
  for (uint32_t i = 0; i < item->n_needs && c->status == QM_OK; i++) read_need(c, &list[i], arena);
  item->needs = list;
}

uint32_t qm__steps_positions(const qm_enum_item *item) {
  return item->n_needs ? 3 : item->n_confirm ? 2 : item->n_by ? 1 : 0;
}

void qm__steps_put(qm_buf *out, const qm_enum_item *item) {
  uint32_t n = qm__steps_positions(item);
  if (n > 0) put_names(out, item->by, item->n_by);
  if (n > 1) put_names(out, item->confirm, item->n_confirm);
  if (n > 2) {
    qm_mp_array(out, item->n_needs);
    for (uint32_t i = 0; i < item->n_needs; i++) put_need(out, &item->needs[i]);
  }
}

/* --- what is refused --- */

static int names_ok(const qm_slice *list, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (!qm__schema_name_ok(list[i])) return 0;
    for (uint32_t j = 0; j < i; j++)
      if (qm__same(list[i], list[j])) return 0;
  }
  return 1;
}

static int holds_refs(const qm_field_def *f) {
  return f->value == QM_VALUE_REF && f->type != QM_FIELD_LOG && f->target;
}

/* Attachments rest as maps, or where any value may. */
static int holds_files(const qm_field_def *f) {
  return (f->value == QM_VALUE_MAP || f->value == QM_VALUE_ANY) && f->type != QM_FIELD_COUNTER &&
         f->type != QM_FIELD_TEXT;
}

static const char *check_parts(const qm_schema *s, const qm_need_def *d, const qm_field_def *f) {
  if (!holds_refs(f)) return "parts are looked for in refs to one collection";
  const qm_collection_def *target = qm_schema_collection(s, f->target);
  const qm_field_def *part = target ? qm_collection_field(target, d->part) : NULL;
  if (!part) return "part is no field of the collection that the refs point into";
  if (qm_field_shape(part) != QM_SIBLINGS || !(part->value == QM_VALUE_ENUM ||
                                               part->value == QM_VALUE_TEXT))
    return "part must hold one text or item";
  if (!d->n_parts) return "parts are missing";
  return d->least == 1 ? NULL : "parts take no least";
}

static const char *check_need(const qm_schema *s, const qm_collection_def *c,
                              const qm_need_def *d) {
  const qm_field_def *f = qm_collection_field(c, d->field);
  if (!f) return "a need names no field of this collection";
  if (!d->least) return "least must be 1 or more";
  if (!names_ok(d->by, d->n_by) || !names_ok(d->parts, d->n_parts))
    return "a name in a need is not well-formed, or repeated";
  switch (d->kind) {
    case QM_NEED_FILLED: break;
    case QM_NEED_PRESENT:
      if (!holds_files(f)) return "only files can be asked to be present";
      break;
    case QM_NEED_PARTS: return check_parts(s, d, f);
    default: return "unknown kind of need";
  }
  return d->part || d->n_parts ? "only a need of parts names them" : NULL;
}

const char *qm__steps_check(const qm_schema *s, const qm_collection_def *c, const qm_field_def *f,
                            const qm_enum_item *item) {
  if (!qm__steps_positions(item)) return NULL;
  if (f->type != QM_FIELD_STATE) return "only items of a state have by, confirm and needs";
  if (item->n_by > QM_SCHEMA_WRITERS_MAX || item->n_confirm > QM_SCHEMA_WRITERS_MAX)
    return "too many roles";
  if (item->n_needs > QM_SCHEMA_NEEDS_MAX) return "too many needs";
  if (!names_ok(item->by, item->n_by) || !names_ok(item->confirm, item->n_confirm))
    return "a role is not well-formed, or repeated";
  for (uint32_t i = 0; i < item->n_needs; i++) {
    const char *why = check_need(s, c, &item->needs[i]);
    if (why) return why;
  }
  return NULL;
}

static int names_differ(const qm_slice *a, uint32_t n_a, const qm_slice *b, uint32_t n_b) {
  if (n_a != n_b) return 1;
  for (uint32_t i = 0; i < n_a; i++)
    if (!qm__same(a[i], b[i])) return 1;
  return 0;
}

int qm__steps_differ(const qm_enum_item *a, const qm_enum_item *b) {
  if (names_differ(a->by, a->n_by, b->by, b->n_by) ||
      names_differ(a->confirm, a->n_confirm, b->confirm, b->n_confirm) ||
      a->n_needs != b->n_needs)
    return 1;
  for (uint32_t i = 0; i < a->n_needs; i++) {
    const qm_need_def *x = &a->needs[i], *y = &b->needs[i];
    if (x->kind != y->kind || x->field != y->field || x->least != y->least ||
        x->part != y->part || names_differ(x->by, x->n_by, y->by, y->n_by) ||
        names_differ(x->parts, x->n_parts, y->parts, y->n_parts))
      return 1;
  }
  return 0;
}

/* --- what they mean --- */

static int names(const qm_slice *list, uint32_t n, qm_slice role) {
  for (uint32_t i = 0; i < n; i++)
    if (qm__same(list[i], role)) return 1;
  return 0;
}

int qm_item_confirms(const qm_enum_item *item, qm_slice role) {
  return !item->n_confirm || names(item->confirm, item->n_confirm, role);
}

int qm_item_settable(const qm_enum_item *item, qm_slice role) {
  if (!item->n_by || names(item->by, item->n_by, role)) return 1;
  return item->n_confirm && names(item->confirm, item->n_confirm, role);
}

int qm_need_holds_for(const qm_need_def *d, qm_slice role) {
  return !d->n_by || names(d->by, d->n_by, role);
}

int qm_field_proposes(const qm_field_def *f) {
  for (uint32_t i = 0; i < f->n_items; i++)
    if (f->items[i].n_confirm) return 1;
  return 0;
}

int qm_field_proposed(const qm_field_def *f, qm_slice value) {
  qm_cur c;
  qm_slice name;
  qm_cur_init(&c, value);
  return f && f->type == QM_FIELD_STATE && qm_cur_array_n(&c, 1) == QM_OK &&
         qm_cur_str(&c, &name) == QM_OK && qm_cur_end(&c) == QM_OK;
}

int qm_field_step_check(const qm_field_def *f, qm_slice value, qm_slice role, qm_error *e) {
  uint32_t i;
  if (f->type != QM_FIELD_STATE || qm_field_item(f, value, &i) != QM_OK) return QM_OK;
  const qm_enum_item *item = &f->items[i];
  if (!qm_item_settable(item, role))
    return qm_fail(e, QM_EACCESS, "%.*s: role %.*s may not set %.*s", qm__width(f->name),
                   qm__chars(f->name), qm__width(role), qm__chars(role), qm__width(item->name),
                   qm__chars(item->name));
  if (qm_field_proposed(f, value) || qm_item_confirms(item, role)) return QM_OK;
  return qm_fail(e, QM_EACCESS, "%.*s: role %.*s may only propose %.*s", qm__width(f->name),
                 qm__chars(f->name), qm__width(role), qm__chars(role), qm__width(item->name),
                 qm__chars(item->name));
}
