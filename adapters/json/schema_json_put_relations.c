/* Relations of a collection as JSON: what schema_json_relations.c reads. */
#include <string.h>

#include "adapters/json/schema_json_int.h"

/* What is being written: an object of a collection; `first`: it has no member yet. */
typedef struct object {
  qm_buf *out;
  const qm_collection_def *c;
  int first;
} object;

static void put(qm_buf *out, const char *text) { qm_buf_add(out, text, strlen(text)); }

static void key(object *o, const char *name) {
  put(o->out, o->first ? "\"" : ", \"");
  put(o->out, name);
  put(o->out, "\": ");
  o->first = 0;
}

static void text(object *o, const char *name, qm_slice s) {
  if (!s.n) return;
  key(o, name);
  qm_json_str(o->out, s);
}

static void label(object *o, qm_slice zh, qm_slice en) {
  if (!zh.n && !en.n) return;
  key(o, "label");
  put(o->out, "{");
  object inner = {o->out, o->c, 1};
  text(&inner, "zh", zh);
  text(&inner, "en", en);
  put(o->out, "}");
}

static void name_of(qm_buf *out, const qm_collection_def *c, uint32_t number) {
  const qm_field_def *f = c ? qm_collection_field(c, number) : NULL;
  qm_json_str(out, f ? f->name : qm_slice_of("?", 1));
}

static void field_in(object *o, const char *name, const qm_collection_def *c, uint32_t number) {
  if (!number) return;
  key(o, name);
  name_of(o->out, c, number);
}

static void field(object *o, const char *name, uint32_t number) {
  field_in(o, name, o->c, number);
}

static void fields(object *o, const char *name, const uint32_t *list, uint32_t n) {
  if (!n) return;
  key(o, name);
  for (uint32_t i = 0; i < n; i++) {
    put(o->out, i ? ", " : "[");
    name_of(o->out, o->c, list[i]);
  }
  put(o->out, "]");
}

static void item(qm_buf *out, const qm_field_def *f, uint32_t i) {
  qm_json_str(out, f && i < f->n_items ? f->items[i].name : qm_slice_of("?", 1));
}

static void items(object *o, const char *name, uint32_t state, const uint32_t *list, uint32_t n) {
  const qm_field_def *f = qm_collection_field(o->c, state);
  if (!n) return;
  key(o, name);
  for (uint32_t i = 0; i < n; i++) {
    put(o->out, i ? ", " : "[");
    item(o->out, f, list[i]);
  }
  put(o->out, "]");
}

static void put_basis(object *o, const qm_basis_def *b) {
  field(o, "kind", b->kind);
  field(o, "purpose", b->purpose);
  field(o, "given", b->given);
  field(o, "ends", b->ends);
  items(o, "ended", b->ends, b->ended, b->n_ended);
  key(o, "kinds");
  for (uint32_t i = 0; i < b->n_kinds; i++) {
    object inner = {o->out, o->c, 1};
    put(o->out, i ? ", {" : "[{");
    key(&inner, "is");
    item(o->out, qm_collection_field(o->c, b->kind), b->kinds[i].item);
    fields(&inner, "filled", b->kinds[i].filled, b->kinds[i].n_filled);
    field(&inner, "guardian", b->kinds[i].guardian);
    put(o->out, "}");
  }
  put(o->out, "]");
}

static const qm_collection_def *target_of(const qm_schema *s, const qm_collection_def *c,
                                          uint32_t number) {
  const qm_field_def *f = qm_collection_field(c, number);
  return f ? qm_schema_collection(s, f->target) : NULL;
}

static void put_based(object *o, const qm_schema *s, const qm_based_def *b) {
  fields(o, "fields", b->fields, b->n_fields);
  field(o, "record", b->record);
  text(o, "purpose", b->purpose);
  field_in(o, "birth", b->of ? target_of(s, o->c, b->of) : o->c, b->birth);
  field(o, "of", b->of);
}

static void put_when(object *o, const qm_when_def *w) {
  field(o, "field", w->field);
  key(o, "is");
  for (uint32_t i = 0; i < w->n_is; i++) {
    put(o->out, i ? ", " : "[");
    int rc = qm_value_json(o->out, w->is[i]);
    if (rc != QM_OK && o->out->status == QM_OK) o->out->status = rc;
  }
  put(o->out, "]");
  fields(o, "empty", w->empty, w->n_empty);
  fields(o, "filled", w->filled, w->n_filled);
}

static void put_cover(object *o, const qm_schema *s, const qm_cover_def *x) {
  text(o, "name", x->name);
  field(o, "amount", x->amount);
  field(o, "account", x->account);
  field_in(o, "balance", target_of(s, o->c, x->account), x->balance);
  if (x->n_by) key(o, "by");
  for (uint32_t i = 0; i < x->n_by; i++) {
    put(o->out, i ? ", " : "[");
    qm_json_str(o->out, x->by[i]);
  }
  if (x->n_by) put(o->out, "]");
  field(o, "state", x->state);
  items(o, "holds", x->state, x->holds, x->n_holds);
  items(o, "settled", x->state, x->settled, x->n_settled);
}

static void put_clash(object *o, const qm_clash_def *x) {
  static const char *const words[] = {"", "low", "normal", "high"};
  text(o, "name", x->name);
  label(o, x->label_zh, x->label_en);
  fields(o, "same", x->same, x->n_same);
  field(o, "from", x->from);
  field(o, "to", x->to);
  field(o, "state", x->state);
  items(o, "while", x->state, x->items, x->n_items);
  if (x->review && x->review <= QM_REVIEW_LEVELS)
    text(o, "review", qm_slice_of(words[x->review], strlen(words[x->review])));
}

/* "name": [ … ], an object a line. */
static object next(qm_buf *out, const qm_collection_def *c, const char *name, uint32_t i) {
  if (!i) {
    put(out, ",\n      \"");
    put(out, name);
    put(out, "\": [");
  }
  put(out, i ? ",\n        {" : "\n        {");
  return (object){out, c, 1};
}

static void end(qm_buf *out, uint32_t i, uint32_t n) { put(out, i + 1 == n ? "}\n      ]" : "}"); }

void qm__schema_json_put_relations(qm_buf *out, const qm_schema *s, const qm_collection_def *c) {
  const qm_relations *r = c->relations;
  if (!r) return;
  if (r->basis) {
    object o = {out, c, 1};
    put(out, ",\n      \"basis\": {");
    put_basis(&o, r->basis);
    put(out, "}");
  }
  for (uint32_t i = 0; i < r->n_based; i++) {
    object o = next(out, c, "based", i);
    put_based(&o, s, &r->based[i]);
    end(out, i, r->n_based);
  }
  for (uint32_t i = 0; i < r->n_whens; i++) {
    object o = next(out, c, "when", i);
    put_when(&o, &r->whens[i]);
    end(out, i, r->n_whens);
  }
  if (r->referral) {
    object o = {out, c, 1};
    put(out, ",\n      \"referral\": {");
    field(&o, "from", r->referral->from);
    field(&o, "to", r->referral->to);
    field(&o, "answer", r->referral->answer);
    put(out, "}");
  }
  for (uint32_t i = 0; i < r->n_covers; i++) {
    object o = next(out, c, "covers", i);
    put_cover(&o, s, &r->covers[i]);
    end(out, i, r->n_covers);
  }
  for (uint32_t i = 0; i < r->n_clashes; i++) {
    object o = next(out, c, "clashes", i);
    put_clash(&o, &r->clashes[i]);
    end(out, i, r->n_clashes);
  }
}
