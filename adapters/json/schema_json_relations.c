/* Relations of the collections of a JSON schema (SPEC S7.11). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/json/json_value.h"
#include "adapters/json/schema_json_int.h"

/* Where the reader stands: a collection, and an object below it. */
typedef struct place {
  qm_arena *arena;
  qm_error *e;
  const qm_schema *s;
  const qm_collection_def *c;
  char at[64];
} place;

static int bad(const place *p, const char *key, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

static int bad(const place *p, const char *key, const char *format, ...) {
  char why[96];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return qm_fail(p->e, QM_ESCHEMA, "%s%s%s: %s", p->at, key ? "." : "", key ? key : "", why);
}

static int no_memory(const place *p) {
  return qm_fail(p->e, QM_ENOMEM, "schema: %s", qm_err_text(QM_ENOMEM));
}

static int check_keys(const place *p, json_t *o, const char *const *known) {
  const char *key;
  json_t *member;
  if (!json_is_object(o)) return bad(p, NULL, "must be an object");
  json_object_foreach(o, key, member) {
    size_t i = 0;
    while (known[i] && strcmp(known[i], key) != 0) i++;
    if (!known[i]) return bad(p, NULL, "unknown key \"%.40s\"", key);
  }
  return QM_OK;
}

static int copy_text(const place *p, const char *key, const json_t *v, qm_slice *out) {
  if (!json_is_string(v)) return bad(p, key, "must be text");
  const void *copy = qm_arena_copy(p->arena, json_string_value(v), json_string_length(v));
  if (!copy) return no_memory(p);
  *out = qm_slice_of(copy, json_string_length(v));
  return QM_OK;
}

static int get_text(const place *p, const json_t *o, const char *key, int needed, qm_slice *out) {
  const json_t *v = json_object_get(o, key);
  if (v) return copy_text(p, key, v, out);
  return needed ? bad(p, key, "is missing") : QM_OK;
}

static int get_label(const place *p, const json_t *o, qm_slice *zh, qm_slice *en) {
  const json_t *label = json_object_get(o, "label");
  if (!label) return QM_OK;
  if (!json_is_object(label)) return bad(p, "label", "must be an object");
  QM_TRY(get_text(p, label, "zh", 0, zh));
  return get_text(p, label, "en", 0, en);
}

/* A list under a key, absent or bounded, and zeroed memory for it. */
static int get_list(const place *p, const json_t *o, const char *key, size_t most, size_t size,
                    json_t **list, void **out, uint32_t *n) {
  *list = json_object_get(o, key);
  *out = NULL;
  *n = 0;
  if (!*list) return QM_OK;
  if (!json_is_array(*list)) return bad(p, key, "must be a list");
  size_t count = json_array_size(*list);
  if (count > most) return bad(p, key, "has more than %u entries", (unsigned)most);
  if (!count) return QM_OK;
  *out = qm_arena_zero(p->arena, count * size);
  if (!*out) return no_memory(p);
  *n = (uint32_t)count;
  return QM_OK;
}

/* ---- fields and items by name ---- */

static int field_of(const place *p, const char *key, const json_t *v, const qm_collection_def *c,
                    uint32_t *number) {
  const qm_field_def *f = NULL;
  if (json_is_string(v) && c)
    f = qm_collection_field_named(
        c, qm_slice_of(json_string_value(v), json_string_length(v)));
  if (!f) return bad(p, key, "names no field of the collection");
  *number = f->number;
  return QM_OK;
}

static int get_field_in(const place *p, const json_t *o, const char *key, int needed,
                        const qm_collection_def *c, uint32_t *number) {
  const json_t *v = json_object_get(o, key);
  if (v) return field_of(p, key, v, c, number);
  return needed ? bad(p, key, "is missing") : QM_OK;
}

static int get_field(const place *p, const json_t *o, const char *key, int needed,
                     uint32_t *number) {
  return get_field_in(p, o, key, needed, p->c, number);
}

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static int get_fields(const place *p, const json_t *o, const char *key, uint32_t most, int sorted,
                      const uint32_t **out, uint32_t *n) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(p, o, key, most, sizeof(uint32_t), &list, &memory, n));
  uint32_t *numbers = memory;
  for (uint32_t i = 0; i < *n; i++)
    QM_TRY(field_of(p, key, json_array_get(list, i), p->c, &numbers[i]));
  if (numbers && sorted) qsort(numbers, *n, sizeof *numbers, by_number);
  *out = numbers;
  return QM_OK;
}

static int item_of(const place *p, const char *key, const json_t *v, const qm_field_def *f,
                   uint32_t *index) {
  for (uint32_t i = 0; json_is_string(v) && f && i < f->n_items; i++) {
    qm_slice name = qm_slice_of(json_string_value(v), json_string_length(v));
    if (qm_slice_cmp(f->items[i].name, name) != 0) continue;
    *index = i;
    return QM_OK;
  }
  return bad(p, key, "names no item of its field");
}

static int get_items(const place *p, const json_t *o, const char *key, uint32_t field,
                     const uint32_t **out, uint32_t *n) {
  json_t *list;
  void *memory;
  const qm_field_def *f = qm_collection_field(p->c, field);
  QM_TRY(get_list(p, o, key, QM_SCHEMA_ITEMS_MAX, sizeof(uint32_t), &list, &memory, n));
  uint32_t *items = memory;
  for (uint32_t i = 0; i < *n; i++)
    QM_TRY(item_of(p, key, json_array_get(list, i), f, &items[i]));
  if (items) qsort(items, *n, sizeof *items, by_number);
  *out = items;
  return QM_OK;
}

static int get_roles(const place *p, const json_t *o, const char *key, const qm_slice **out,
                     uint32_t *n) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(p, o, key, QM_SCHEMA_WRITERS_MAX, sizeof(qm_slice), &list, &memory, n));
  qm_slice *names = memory;
  for (uint32_t i = 0; i < *n; i++)
    QM_TRY(copy_text(p, key, json_array_get(list, i), &names[i]));
  *out = names;
  return QM_OK;
}

static int value_of(const place *p, const char *key, const json_t *v, qm_slice *out) {
  qm_buf b;
  char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
  if (!text) return no_memory(p);
  qm_buf_init(&b, p->arena->env, QM_SCHEMA_MAX);
  int rc = qm_json_value(&b, qm_slice_of(text, strlen(text)), NULL);
  if (rc == QM_OK) rc = qm_buf_status(&b);
  const void *copy = rc == QM_OK ? qm_arena_copy(p->arena, b.p, b.n) : NULL;
  *out = qm_slice_of(copy, copy ? b.n : 0);
  free(text);
  qm_buf_free(&b);
  if (rc == QM_OK && !copy) return no_memory(p);
  return rc == QM_OK ? QM_OK : bad(p, key, "holds no value (%s)", qm_err_text(rc));
}

/* The collection that a ref field of this one points into; NULL where it does not. The list is
 * not checked yet, and need not ascend. */
static const qm_collection_def *target_of(const place *p, uint32_t field) {
  const qm_field_def *f = qm_collection_field(p->c, field);
  for (uint32_t i = 0; f && f->target && i < p->s->n_collections; i++)
    if (p->s->collections[i].number == f->target) return &p->s->collections[i];
  return NULL;
}

/* ---- the kinds of relations ---- */

static int read_kind(const place *p, json_t *o, const qm_basis_def *b, qm_basis_kind *to) {
  static const char *const known[] = {"is", "filled", "guardian", NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(item_of(p, "is", json_object_get(o, "is"), qm_collection_field(p->c, b->kind),
                 &to->item));
  QM_TRY(get_fields(p, o, "filled", QM_RELATION_FIELDS_MAX, 1, &to->filled, &to->n_filled));
  return get_field(p, o, "guardian", 0, &to->guardian);
}

static int read_basis(const place *p, json_t *o, qm_relations *r) {
  static const char *const known[] = {"kind", "purpose", "given", "ends", "ended", "kinds", NULL};
  json_t *list;
  void *memory;
  qm_basis_def *b = qm_arena_zero(p->arena, sizeof *b);
  if (!b) return no_memory(p);
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_field(p, o, "kind", 1, &b->kind));
  QM_TRY(get_field(p, o, "purpose", 0, &b->purpose));
  QM_TRY(get_field(p, o, "given", 0, &b->given));
  QM_TRY(get_field(p, o, "ends", 0, &b->ends));
  QM_TRY(get_items(p, o, "ended", b->ends, &b->ended, &b->n_ended));
  QM_TRY(get_list(p, o, "kinds", QM_RELATIONS_MAX, sizeof(qm_basis_kind), &list, &memory,
                  &b->n_kinds));
  qm_basis_kind *kinds = memory;
  for (uint32_t i = 0; i < b->n_kinds; i++)
    QM_TRY(read_kind(p, json_array_get(list, i), b, &kinds[i]));
  b->kinds = kinds;
  r->basis = b;
  return QM_OK;
}

static int read_based(const place *p, json_t *o, qm_based_def *to) {
  static const char *const known[] = {"fields", "record", "purpose", "birth", "of", NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_fields(p, o, "fields", QM_RELATION_FIELDS_MAX, 1, &to->fields, &to->n_fields));
  QM_TRY(get_field(p, o, "record", 1, &to->record));
  QM_TRY(get_text(p, o, "purpose", 0, &to->purpose));
  QM_TRY(get_field(p, o, "of", 0, &to->of));
  return get_field_in(p, o, "birth", 0, to->of ? target_of(p, to->of) : p->c, &to->birth);
}

static int read_when(const place *p, json_t *o, qm_when_def *to) {
  static const char *const known[] = {"field", "is", "empty", "filled", NULL};
  json_t *list;
  void *memory;
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_field(p, o, "field", 1, &to->field));
  QM_TRY(get_list(p, o, "is", QM_RELATION_FIELDS_MAX, sizeof(qm_slice), &list, &memory,
                  &to->n_is));
  qm_slice *is = memory;
  for (uint32_t i = 0; i < to->n_is; i++)
    QM_TRY(value_of(p, "is", json_array_get(list, i), &is[i]));
  to->is = is;
  QM_TRY(get_fields(p, o, "empty", QM_RELATION_FIELDS_MAX, 1, &to->empty, &to->n_empty));
  return get_fields(p, o, "filled", QM_RELATION_FIELDS_MAX, 1, &to->filled, &to->n_filled);
}

static int read_referral(const place *p, json_t *o, qm_relations *r) {
  static const char *const known[] = {"from", "to", "answer", NULL};
  qm_referral_def *to = qm_arena_zero(p->arena, sizeof *to);
  if (!to) return no_memory(p);
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_field(p, o, "from", 1, &to->from));
  QM_TRY(get_field(p, o, "to", 1, &to->to));
  QM_TRY(get_field(p, o, "answer", 1, &to->answer));
  r->referral = to;
  return QM_OK;
}

static int read_cover(const place *p, json_t *o, qm_cover_def *to) {
  static const char *const known[] = {"name",  "amount", "account", "balance", "by",
                                      "state", "holds",  "settled", NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_text(p, o, "name", 1, &to->name));
  QM_TRY(get_field(p, o, "amount", 1, &to->amount));
  QM_TRY(get_field(p, o, "account", 1, &to->account));
  QM_TRY(get_field_in(p, o, "balance", 1, target_of(p, to->account), &to->balance));
  QM_TRY(get_roles(p, o, "by", &to->by, &to->n_by));
  QM_TRY(get_field(p, o, "state", 1, &to->state));
  QM_TRY(get_items(p, o, "holds", to->state, &to->holds, &to->n_holds));
  return get_items(p, o, "settled", to->state, &to->settled, &to->n_settled);
}

static int read_level(const place *p, const json_t *o, uint8_t *to) {
  static const char *const words[] = {"", "low", "normal", "high"};
  const json_t *v = json_object_get(o, "review");
  if (!v) return QM_OK;
  for (uint8_t i = 1; i <= QM_REVIEW_LEVELS; i++)
    if (json_is_string(v) && strcmp(json_string_value(v), words[i]) == 0) *to = i;
  return *to ? QM_OK : bad(p, "review", "must be low, normal or high");
}

static int read_clash(const place *p, json_t *o, qm_clash_def *to) {
  static const char *const known[] = {"name",  "label", "same",   "from", "to",
                                      "state", "while", "review", NULL};
  QM_TRY(check_keys(p, o, known));
  QM_TRY(get_text(p, o, "name", 1, &to->name));
  QM_TRY(get_label(p, o, &to->label_zh, &to->label_en));
  QM_TRY(get_fields(p, o, "same", QM_CLASH_FIELDS_MAX, 0, &to->same, &to->n_same));
  QM_TRY(get_field(p, o, "from", 0, &to->from));
  QM_TRY(get_field(p, o, "to", 0, &to->to));
  QM_TRY(get_field(p, o, "state", 0, &to->state));
  QM_TRY(get_items(p, o, "while", to->state, &to->items, &to->n_items));
  return read_level(p, o, &to->review);
}

static place below(const place *p, const char *key) {
  place to = *p;
  size_t n = strlen(to.at);
  (void)snprintf(to.at + n, sizeof to.at - n, ".%s", key);
  return to;
}

static place under(const place *p, const char *key, uint32_t i) {
  place to = *p;
  size_t n = strlen(to.at);
  (void)snprintf(to.at + n, sizeof to.at - n, ".%s[%u]", key, (unsigned)i);
  return to;
}

static int read_lists(const place *p, const json_t *o, qm_relations *r) {
  json_t *list;
  void *memory;
  QM_TRY(get_list(p, o, "based", QM_RELATIONS_MAX, sizeof *r->based, &list, &memory, &r->n_based));
  qm_based_def *based = memory;
  r->based = based;
  for (uint32_t i = 0; i < r->n_based; i++) {
    place at = under(p, "based", i);
    QM_TRY(read_based(&at, json_array_get(list, i), &based[i]));
  }
  QM_TRY(get_list(p, o, "when", QM_RELATIONS_MAX, sizeof *r->whens, &list, &memory, &r->n_whens));
  qm_when_def *whens = memory;
  r->whens = whens;
  for (uint32_t i = 0; i < r->n_whens; i++) {
    place at = under(p, "when", i);
    QM_TRY(read_when(&at, json_array_get(list, i), &whens[i]));
  }
  QM_TRY(get_list(p, o, "covers", QM_RELATIONS_MAX, sizeof *r->covers, &list, &memory,
                  &r->n_covers));
  qm_cover_def *covers = memory;
  r->covers = covers;
  for (uint32_t i = 0; i < r->n_covers; i++) {
    place at = under(p, "covers", i);
    QM_TRY(read_cover(&at, json_array_get(list, i), &covers[i]));
  }
  QM_TRY(get_list(p, o, "clashes", QM_RELATIONS_MAX, sizeof *r->clashes, &list, &memory,
                  &r->n_clashes));
  qm_clash_def *clashes = memory;
  r->clashes = clashes;
  for (uint32_t i = 0; i < r->n_clashes; i++) {
    place at = under(p, "clashes", i);
    QM_TRY(read_clash(&at, json_array_get(list, i), &clashes[i]));
  }
  return QM_OK;
}

static int read_relations(const place *p, const json_t *o, qm_relations *r) {
  json_t *basis = json_object_get(o, "basis"), *referral = json_object_get(o, "referral");
  const place at_basis = below(p, "basis"), at_referral = below(p, "referral");
  if (basis) QM_TRY(read_basis(&at_basis, basis, r));
  if (referral) QM_TRY(read_referral(&at_referral, referral, r));
  return read_lists(p, o, r);
}

int qm__schema_json_relations(const json_t *collection, uint32_t at, const qm_schema *s,
                              qm_collection_def *c, qm_arena *arena, qm_error *e) {
  static const char *const keys[] = {"basis", "based", "when", "referral", "covers", "clashes"};
  place p = {.arena = arena, .e = e, .s = s, .c = c};
  int any = 0;
  (void)snprintf(p.at, sizeof p.at, "collections[%u]", (unsigned)at);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const json_t *v = json_object_get(collection, keys[i]);
    any |= v && !(json_is_array(v) && !json_array_size(v));
  }
  if (!any) return QM_OK;
  qm_relations *r = qm_arena_zero(arena, sizeof *r);
  if (!r) return no_memory(&p);
  QM_TRY(read_relations(&p, collection, r));
  c->relations = r;
  return QM_OK;
}
