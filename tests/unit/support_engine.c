#include "support_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"

#define ok(call) assert_int_equal(call, QM_OK)

/* --- env --- */

static uint64_t clock_of(void *payload) {
  dev *d = payload;
  return d->rig->now_ms + (uint64_t)d->skew_ms;
}

uint64_t rig_random(rig *w) { /* splitmix64 */
  uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

unsigned rig_below(rig *w, unsigned n) { return (unsigned)(rig_random(w) % n); }

static int random_of(void *payload, uint8_t *to, size_t n) {
  dev *d = payload;
  if (d->random_fails) return QM_EIO;
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)rig_random(d->rig);
  return QM_OK;
}

static int instance_of(void *payload, uint8_t out[16]) {
  dev *d = payload;
  memcpy(out, d->instance, 16);
  return QM_OK;
}

/* --- the schema --- */

static qm_field_def field(uint32_t number, const char *name, uint8_t type, uint8_t value) {
  return (qm_field_def){.number = number,
                        .name = {(const uint8_t *)name, strlen(name)},
                        .type = type,
                        .value = value,
                        .cls = QM_CLASS_WORK};
}

static void make_schema(rig *w) {
  static const qm_enum_item items[] = {{.name = {(const uint8_t *)"open", 4}, .rank = 1},
                                       {.name = {(const uint8_t *)"assigned", 8}, .rank = 2},
                                       {.name = {(const uint8_t *)"closed", 6}, .rank = 3},
                                       {.name = {(const uint8_t *)"escalated", 9}, .rank = 4}};
  static const qm_transition ways[] = {{0, 1}, {1, 2}, {1, 3}};
  qm_field_def f[] = {field(F_KEY, "key", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_TEL, "tel", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_LAST, "last", QM_FIELD_MAX, QM_VALUE_INT),
                      field(F_TAGS, "tags", QM_FIELD_SET, QM_VALUE_TEXT),
                      field(F_VISITS, "visits", QM_FIELD_COUNTER, QM_VALUE_INT),
                      field(F_STEPS, "steps", QM_FIELD_LOG, QM_VALUE_TEXT),
                      field(F_NOTES, "notes", QM_FIELD_TEXT, QM_VALUE_TEXT),
                      field(F_STATE, "state", QM_FIELD_STATE, QM_VALUE_ENUM),
                      field(F_HEAD, "head", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_FIRST, "first", QM_FIELD_MIN, QM_VALUE_INT),
                      field(F_PLAN, "plan", QM_FIELD_LIST, QM_VALUE_TEXT)};
  f[7].items = items;
  f[7].n_items = 4;
  f[7].transitions = ways;
  f[7].n_transitions = 3;
  f[8].flags = QM_FIELD_NAMING;
  qm_collection_def c = {.number = 1,
                         .name = {(const uint8_t *)"household", 9},
                         .purpose = {(const uint8_t *)"test", 4},
                         .retention = {(const uint8_t *)"P1Y", 3},
                         .key_field = F_KEY,
                         .fields = f,
                         .n_fields = sizeof f / sizeof f[0]};
  qm_schema s = {.version = 1,
                 .name = {(const uint8_t *)"rig", 3},
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = &c,
                 .n_collections = 1};
  qm_error e = {0, ""};
  if (qm_schema_check(&s, &e) != QM_OK) fail_msg("%s", e.message);
  qm_schema_encode(&s, &w->schema);
  ok(qm_buf_status(&w->schema));
}

/* --- opening --- */

static void open_engine(dev *d) {
  qm_engine_options o = {.size = sizeof o, .device = d->id, .flags = d->flags};
  qm_error e = {0, ""};
  if (qm_engine_open(&d->engine, &d->env, d->store, &o, &e) != QM_OK) fail_msg("%s", e.message);
}

static void find_space(dev *d) {
  qm_id id = {{'s'}};
  d->space = qm_engine_space(d->engine, &id);
  assert_non_null(d->space);
}

void rig_open(rig *w, unsigned devices, uint64_t seed) {
  static const qm_env *env;
  static qm_env base;
  base = qm_env_default();
  env = &base;
  memset(w, 0, sizeof *w);
  w->n = devices;
  w->random = seed * 7919 + 1;
  w->now_ms = UINT64_C(1700000000000);
  qm_arena_init(&w->arena, env, (size_t)1 << 30);
  qm_buf_init(&w->schema, env, 1u << 20);
  make_schema(w);
  for (unsigned i = 0; i < devices; i++) {
    dev *d = &w->d[i];
    d->rig = w;
    d->env = qm_env_default();
    d->env.payload = d;
    d->env.now_ms = clock_of;
    d->env.random = random_of;
    d->env.instance = instance_of;
    d->id.b[0] = (uint8_t)('A' + i);
    d->instance[0] = (uint8_t)(i + 1);
    ok(qm_store_mem_open(&d->env, &d->store));
    open_engine(d);
    qm_space_info info = {.id = {{'s'}},
                          .name = qm_slice_of("s", 1),
                          .role = qm_slice_of("grid", 4),
                          .secret = {1, 2, 3},
                          .schema = qm_buf_slice(&w->schema),
                          .readable = 1,
                          .writable = 1};
    ok(qm_engine_space_put(d->engine, &info, NULL));
    find_space(d);
  }
}

void rig_close(rig *w) {
  for (unsigned i = 0; i < w->n; i++) {
    qm_engine_close(w->d[i].engine);
    w->d[i].store->ops->close(w->d[i].store);
  }
  qm_buf_free(&w->schema);
  qm_arena_free(&w->arena);
}

void reopen(dev *d) {
  (void)check_kept(d);
  qm_engine_close(d->engine);
  open_engine(d);
  find_space(d);
}

/* --- syncing --- */

unsigned pull_some(dev *to, dev *from, unsigned batches) {
  qm_arena arena;
  qm_vv_list have;
  qm_buf batch;
  uint64_t cursor = 0;
  unsigned taken = 0;
  qm_arena_init(&arena, &to->env, (size_t)1 << 30);
  qm_buf_init(&batch, &to->env, QM_BATCH_MAX);
  ok(qm_engine_push(from->engine, from->space));
  ok(qm_engine_push(to->engine, to->space));
  ok(qm_engine_heads(to->engine, to->space, &arena, &have));
  while (batches--) {
    qm_ingest in = {.peer = from->id};
    qm_error e = {0, ""};
    qm_buf_clear(&batch);
    int rc = qm_engine_next_batch(from->engine, from->space, have, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    if (rc == QM_ECUT) {
      taken += (unsigned)join(to, from);
      break;
    }
    ok(rc);
    ok(qm_engine_begin(to->engine));
    if (qm_engine_ingest(to->engine, to->space, qm_buf_slice(&batch), &in, &arena, &e) != QM_OK)
      fail_msg("%s", e.message);
    ok(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
    if (in.n_refusals) fail_msg("refused: %s", in.refusals[0].message);
    taken += in.taken;
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  return taken;
}

unsigned pull(dev *to, dev *from) { return pull_some(to, from, UINT32_MAX); }

typedef struct snapshot {
  qm_slice parts[64];
  uint32_t n;
  rig *w;
} snapshot;

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  snapshot *s = payload;
  assert_true(part == s->n && part < 64);
  s->parts[s->n++] = qm_slice_of(qm_arena_copy(&s->w->arena, content.p, content.n), content.n);
  return QM_OK;
}

int join(dev *to, dev *from) {
  snapshot s = {.n = 0, .w = to->rig};
  int joined;
  qm_error e = {0, ""};
  ok(qm_state_write(from->engine, from->space, keep_part, &s));
  if (qm_state_join(to->engine, to->space, s.parts, s.n, &joined, &e) != QM_OK)
    fail_msg("%s", e.message);
  return joined;
}

void meet(dev *a, dev *b) {
  pull(a, b);
  pull(b, a);
}

void rig_settle(rig *w) {
  for (unsigned moved = 1; moved;) {
    moved = 0;
    for (unsigned i = 0; i < w->n; i++)
      for (unsigned j = 0; j < w->n; j++)
        if (i != j) moved += pull(&w->d[i], &w->d[j]);
  }
}

void rig_check_equal(rig *w) {
  uint8_t vv[16], vv0[16];
  qm_digest digest, digest0;
  for (unsigned i = 0; i < w->n; i++) {
    dev *d = &w->d[i];
    qm_error e = {0, ""};
    (void)check_kept(d);
    ok(qm_engine_vv_digest(d->engine, d->space, i ? vv : vv0));
    qm_space_digest(d->space, i ? &digest : &digest0);
    if (qm_engine_check(d->engine, d->space, &e) != QM_OK) fail_msg("dev %u: %s", i, e.message);
    if (!i) continue;
    assert_memory_equal(vv, vv0, 16);
    assert_true(qm_digest_eq(&digest, &digest0));
  }
}

void acknowledge(dev *d) {
  qm_arena arena;
  qm_vv_list vv;
  qm_arena_init(&arena, &d->env, 1u << 20);
  ok(qm_engine_push(d->engine, d->space));
  ok(qm_engine_heads(d->engine, d->space, &arena, &vv));
  ok(qm_engine_acknowledged(d->engine, d->space, vv, 0));
  qm_arena_free(&arena);
}

/* --- verbs --- */

qm_id rec(const char *name) {
  qm_id id = {{0}};
  memcpy(id.b, name, strlen(name) < 16 ? strlen(name) : 16);
  return id;
}

static qm_slice packed(rig *w, const char *text, int64_t v);

qm_slice text_value(rig *w, const char *text) { return packed(w, text, 0); }
qm_slice int_value(rig *w, int64_t v) { return packed(w, NULL, v); }

static qm_slice packed(rig *w, const char *text, int64_t v) {
  qm_buf b;
  qm_buf_init(&b, &w->d[0].env, 1u << 20);
  if (text)
    qm_mp_str(&b, text, strlen(text));
  else
    qm_mp_int(&b, v);
  ok(qm_buf_status(&b));
  qm_slice s = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

static qm_write *begin(dev *d) {
  qm_write *w;
  d->rig->now_ms += 1000;
  ok(qm_write_begin(&w, d->engine, d->space, 0));
  return w;
}

static int end(qm_write *w, int rc) {
  if (rc != QM_OK) {
    qm_write_cancel(w);
    return rc;
  }
  return qm_write_commit(w, QM_DURABLE);
}

static const qm_slice none = {NULL, 0};

int put_new(dev *d, const char *r) {
  qm_id id = rec(r), out;
  int existing;
  qm_write *w = begin(d);
  return end(w, qm_write_new(w, 1, &id, none, &out, &existing));
}

int put_erase_with(dev *d, const char *r, qm_slice token) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_delete(w, &id, token));
}

int put_erase(dev *d, const char *r) { return put_erase_with(d, r, none); }

int put_restore(dev *d, const char *r) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_restore(w, &id));
}

int put_with(dev *d, const char *r, uint32_t f, const char *text, qm_slice token, unsigned flags) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_set(w, &id, f, packed(d->rig, text, 0), token, flags));
}

int put(dev *d, const char *r, uint32_t f, const char *text) {
  return put_with(d, r, f, text, none, 0);
}
int put_state(dev *d, const char *r, const char *item) { return put(d, r, F_STATE, item); }

int put_raise_with(dev *d, const char *r, uint32_t f, int64_t v, qm_slice token) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_raise(w, &id, f, packed(d->rig, NULL, v), token));
}

int put_raise(dev *d, const char *r, uint32_t f, int64_t v) {
  return put_raise_with(d, r, f, v, none);
}

int put_add(dev *d, const char *r, const char *element) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_add(w, &id, F_TAGS, packed(d->rig, element, 0), 0));
}

int put_remove(dev *d, const char *r, const char *element) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_remove(w, &id, F_TAGS, packed(d->rig, element, 0), none));
}

int put_inc(dev *d, const char *r, int64_t delta) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_inc(w, &id, F_VISITS, delta));
}

int put_step(dev *d, const char *r, const char *text) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_append(w, &id, F_STEPS, packed(d->rig, text, 0)));
}

int put_text(dev *d, const char *r, uint64_t at, uint64_t cut, const char *text) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_splice(w, &id, F_NOTES, at, cut, qm_slice_of(text, strlen(text)), none));
}

int put_list(dev *d, const char *r, uint64_t at, uint64_t cut, const char *values) {
  qm_id id = rec(r);
  qm_slice v[16];
  uint32_t n = 0;
  for (; values[n]; n++) v[n] = text_value(d->rig, (char[]){values[n], 0});
  qm_write *w = begin(d);
  return end(w, qm_write_list(w, &id, F_PLAN, at, cut, v, n, none));
}

/* --- what is shown --- */

const qm_record *record_of(dev *d, const char *r) {
  qm_id id = rec(r);
  const qm_record *out;
  return qm_engine_read(d->engine, d->space, &id, &d->rig->arena, &out) == QM_OK ? out : NULL;
}

static void put_value(qm_buf *b, qm_slice v) {
  qm_cur c;
  qm_slice text;
  qm_cur_init(&c, v);
  if (qm_cur_str(&c, &text) == QM_OK)
    qm_buf_add(b, text.p, text.n);
  else
    ok(qm_value_json(b, v));
}

static const char *done(dev *d, qm_buf *b) {
  qm_buf_byte(b, 0);
  ok(qm_buf_status(b));
  const char *s = qm_arena_copy(&d->rig->arena, b->p, b->n);
  assert_non_null(s);
  qm_buf_free(b);
  return s;
}

static const qm_field_def *def_of(dev *d, uint32_t f) {
  return qm_collection_field(qm_schema_collection(qm_space_schema(d->space), 1), f);
}

static void show_log(qm_buf *b, const qm_cell *cell) {
  const qm_entries *e = qm_entries_of(cell);
  for (uint32_t i = 0; i < e->n; i++) {
    if (i) qm_buf_byte(b, '|');
    put_value(b, e->p[i].value);
  }
}

static void show_set(qm_buf *b, const qm_cell *cell) {
  const qm_keyed *k = qm_keyed_of(cell);
  for (uint32_t i = 0; i < k->n; i++) {
    if (i) qm_buf_byte(b, ',');
    put_value(b, k->p[i].value);
  }
}

static void show_sequence(dev *d, qm_buf *b, const qm_cell *cell) {
  qm_slice *v;
  uint32_t n;
  if (cell->field != F_PLAN) {
    qm_sequence_text(cell, b);
    return;
  }
  ok(qm_sequence_values(cell, &d->rig->arena, &v, &n));
  for (uint32_t i = 0; i < n; i++) {
    qm_buf_byte(b, i ? ' ' : '[');
    put_value(b, v[i]);
  }
  qm_buf_add(b, n ? "]" : "[]", n ? 1 : 2);
}

static void show_sum(qm_buf *b, const qm_cell *cell) {
  int64_t sum;
  char text[32];
  ok(qm_totals_sum(qm_totals_of(cell), &sum));
  qm_buf_add(b, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)sum));
}

const char *shown(dev *d, const char *r, uint32_t f) {
  const qm_record *record = record_of(d, r);
  const qm_field_def *def = def_of(d, f);
  const qm_cell *cell = record ? qm_record_cell(record, f, qm_field_shape(def)) : NULL;
  qm_contest c;
  qm_buf b;
  if (!cell) return "-";
  qm_buf_init(&b, &d->env, 1u << 24);
  switch (cell->shape) {
    case QM_KEYED: show_set(&b, cell); break;
    case QM_TOTALS: show_sum(&b, cell); break;
    case QM_ENTRIES: show_log(&b, cell); break;
    case QM_SEQUENCE: show_sequence(d, &b, cell); break;
    default:
      ok(qm_read_contest(d->space, def, cell, &d->rig->arena, &c));
      put_value(&b, c.shown->value);
  }
  return done(d, &b);
}

const char *listed(dev *d, const char *r, uint32_t f) {
  const qm_record *record = record_of(d, r);
  const qm_cell *cell = record ? qm_record_cell(record, f, QM_SIBLINGS) : NULL;
  qm_contest c;
  qm_buf b;
  if (!cell) return "";
  ok(qm_read_contest(d->space, def_of(d, f), cell, &d->rig->arena, &c));
  qm_buf_init(&b, &d->env, 1u << 20);
  for (uint32_t i = 0; i < c.n_others; i++) {
    if (i) qm_buf_byte(&b, ',');
    put_value(&b, c.others[i].sibling->value);
    qm_buf_byte(&b, '/');
    qm_buf_byte(&b, (uint8_t) "?suc"[c.others[i].cls]);
  }
  return done(d, &b);
}

int visible(dev *d, const char *r) {
  const qm_record *record = record_of(d, r);
  return record && qm_record_visible(record);
}

int collides(dev *d, const char *r) {
  const qm_record *record = record_of(d, r);
  return record && qm_marks_collide(&record->marks);
}

unsigned marks(dev *d, const char *r) {
  const qm_record *record = record_of(d, r);
  return record ? record->marks.n : 0;
}

qm_slice form(dev *d, const char *r, unsigned kind) {
  const qm_record *record = record_of(d, r);
  qm_buf b;
  assert_non_null(record);
  qm_buf_init(&b, &d->env, 1u << 24);
  ok(qm_token_make(d->space, record, kind, &d->rig->arena, &b));
  qm_slice s = {qm_arena_copy(&d->rig->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

const qm_cell *cell_of(dev *d, const char *r, uint32_t field_number, unsigned shape) {
  const qm_record *record = record_of(d, r);
  return record ? qm_record_cell(record, field_number, shape) : NULL;
}

/* --- batches --- */

unsigned log_of(dev *from, qm_vv_list have, qm_slice *out, unsigned max) {
  unsigned n = 0;
  uint64_t cursor = 0;
  qm_buf b;
  ok(qm_engine_push(from->engine, from->space));
  for (;;) {
    qm_buf_init(&b, &from->env, QM_BATCH_MAX);
    int rc = qm_engine_next_batch(from->engine, from->space, have, &cursor, &b);
    if (rc == QM_OK) {
      assert_true(n < max);
      out[n++] = qm_slice_of(qm_arena_copy(&from->rig->arena, b.p, b.n), b.n);
    }
    qm_buf_free(&b);
    if (rc == QM_ENOTFOUND) return n;
    ok(rc);
  }
}

int take(dev *d, qm_slice batch, qm_ingest *in) {
  ok(qm_engine_begin(d->engine));
  int rc = qm_engine_ingest(d->engine, d->space, batch, in, &d->rig->arena, NULL);
  if (rc == QM_OK) return qm_engine_commit(d->engine, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(d->engine);
  return rc;
}

void check_memory(dev *d) {
  qm_engine *other;
  qm_engine_options o = {.size = sizeof o, .device = d->id, .flags = d->flags};
  qm_error e = {0, ""};
  uint8_t a[16], b[16];
  qm_digest da, db;
  uint64_t random = d->rig->random;
  (void)check_kept(d);
  if (qm_engine_check(d->engine, d->space, &e) != QM_OK) fail_msg("%s", e.message);
  ok(qm_engine_open(&other, &d->env, d->store, &o, NULL));
  qm_space *s = qm_engine_space(other, &d->space->id);
  assert_int_equal(s->authors.n, d->space->authors.n);
  assert_memory_equal(s->authors.ids, d->space->authors.ids, s->authors.n * sizeof *s->authors.ids);
  assert_true(qm_vv_equal(&s->vv, &d->space->vv));
  for (uint32_t i = 0; i < s->authors.n; i++) {
    const qm_author_state *x = &s->states[i], *y = &d->space->states[i];
    assert_int_equal(x->closed, y->closed);
    assert_int_equal(x->time, y->time);
    assert_memory_equal(&x->head, &y->head, sizeof x->head);
    assert_true(qm_vv_equal(&x->clock, &y->clock));
    assert_memory_equal(x->share, y->share, 16);
  }
  assert_int_equal(s->own, d->space->own);
  assert_int_equal(s->stamps.n, d->space->stamps.n);
  for (uint32_t i = 0; i < s->stamps.n; i++) {
    const qm_stamp *x = &s->stamps.p[i], *y = &d->space->stamps.p[i];
    assert_true(x->author == y->author && x->first == y->first && x->next == y->next);
    assert_int_equal(x->time, y->time);
  }
  assert_int_equal(s->members.n, d->space->members.n);
  assert_int_equal(s->n_notes, d->space->n_notes);
  assert_memory_equal(s->notes, d->space->notes, s->n_notes * sizeof s->notes[0]);
  ok(qm_engine_vv_digest(other, s, a));
  ok(qm_engine_vv_digest(d->engine, d->space, b));
  assert_memory_equal(a, b, 16);
  qm_space_digest(s, &da);
  qm_space_digest(d->space, &db);
  assert_true(qm_digest_eq(&da, &db));
  qm_engine_close(other);
  d->rig->random = random;
}

standing standing_of(dev *d) {
  standing s;
  ok(qm_engine_vv_digest(d->engine, d->space, s.vv));
  qm_space_digest(d->space, &s.digest);
  s.authors = d->space->authors.n;
  return s;
}

void stands_as(dev *d, const standing *before) {
  standing now = standing_of(d);
  assert_memory_equal(now.vv, before->vv, 16);
  assert_true(qm_digest_eq(&now.digest, &before->digest));
  assert_int_equal(now.authors, before->authors);
  check_memory(d);
}

/* --- changes made by hand --- */

void forge_open(forge *f, rig *w) {
  memset(f, 0, sizeof *f);
  f->w = w;
  f->space = w->d[0].space->id;
  qm_arena_init(&f->arena, &w->d[0].env, (size_t)1 << 30);
  qm_authors_init(&f->authors, &w->d[0].env);
}

void forge_close(forge *f) {
  qm_authors_free(&f->authors);
  qm_arena_free(&f->arena);
}

uint32_t forge_author(forge *f, uint8_t device, uint32_t epoch) {
  qm_author a = {{0}};
  uint32_t n;
  a.b[0] = device;
  for (int i = 0; i < 4; i++) a.b[16 + i] = (uint8_t)(epoch >> (24 - 8 * i));
  ok(qm_authors_add(&f->authors, &a, &n));
  assert_true(n < FORGE_AUTHORS);
  if (!f->chains[n].time) f->chains[n].time = qm_time_make(f->w->now_ms);
  return n;
}

uint32_t forge_follow(forge *f, dev *d, const qm_author *author) {
  uint32_t n, held;
  ok(qm_authors_add(&f->authors, author, &n));
  ok(qm_authors_find(&d->space->authors, author, &held));
  f->chains[n].next = d->space->states[held].closed;
  f->chains[n].head = d->space->states[held].head;
  f->chains[n].time = d->space->states[held].time;
  return n;
}

void forge_begin(forge *f, uint32_t author) {
  memset(&f->seg, 0, sizeof f->seg);
  f->seg.author = author;
  f->seg.start = f->seg.next = f->chains[author].next;
  f->seg.algorithm = 1;
  f->cap_changes = f->cap_ops = 0;
}

qm_change *forge_change(forge *f, const qm_dot *deps, uint32_t n_deps) {
  qm_segment *g = &f->seg;
  if (g->n_changes == f->cap_changes) {
    uint32_t cap = f->cap_changes ? f->cap_changes * 2 : 4;
    g->changes = qm_arena_grow(&f->arena, g->changes, f->cap_changes, cap, sizeof *g->changes);
    assert_non_null(g->changes);
    f->cap_changes = cap;
  }
  qm_change *c = &g->changes[g->n_changes++];
  memset(c, 0, sizeof *c);
  c->author = g->author;
  c->counter = c->next = g->next;
  c->time = f->chains[g->author].time = f->chains[g->author].time + 65536;
  if (n_deps) c->deps = qm_arena_copy(&f->arena, deps, n_deps * sizeof *deps);
  c->n_deps = n_deps;
  f->cap_ops = 0;
  return c;
}

qm_op *forge_op(forge *f, qm_op op) {
  qm_segment *g = &f->seg;
  qm_change *c = &g->changes[g->n_changes - 1];
  if (c->n_ops == f->cap_ops) {
    uint32_t cap = f->cap_ops ? f->cap_ops * 2 : 4;
    c->ops = qm_arena_grow(&f->arena, c->ops, f->cap_ops, cap, sizeof *c->ops);
    assert_non_null(c->ops);
    f->cap_ops = cap;
  }
  op.counter = c->next;
  if (!op.span) op.span = 1;
  c->ops[c->n_ops++] = op;
  c->next += op.span;
  g->next = c->next;
  g->n_ops++;
  return &c->ops[c->n_ops - 1];
}

qm_segment forge_hash(forge *f, qm_segment g, const qm_hash *previous) {
  qm_hash hash;
  qm_salt *seed = qm_arena_zero(&f->arena, sizeof *seed);
  seed->count = g.n_ops;
  seed->b[0] = (uint8_t)rig_random(f->w);
  g.salts = seed;
  g.n_salts = 1;
  memcpy(g.previous, previous->b, QM_HEAD_SIZE);
  ok(qm_segment_hash(&g, &f->space, previous, &f->authors, &f->arena, &hash));
  memcpy(g.head, hash.b, QM_HEAD_SIZE);
  f->chains[g.author].next = g.next;
  f->chains[g.author].head = hash;
  return g;
}

qm_segment forge_seal(forge *f) { return forge_hash(f, f->seg, &f->chains[f->seg.author].head); }

qm_slice forge_batch(forge *f, const qm_segment *segs, uint32_t n) {
  qm_buf b;
  qm_batch batch = {qm_arena_copy(&f->arena, segs, n * sizeof *segs), n};
  qm_buf_init(&b, &f->w->d[0].env, QM_BATCH_MAX);
  ok(qm_batch_encode(&b, &batch, &f->authors, 0));
  qm_slice s = {qm_arena_copy(&f->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

qm_segment forge_new(forge *f, uint32_t author, const char *r) {
  forge_begin(f, author);
  forge_change(f, NULL, 0);
  forge_op(f, (qm_op){.record = rec(r), .value = int_value(f->w, 1)});
  return forge_seal(f);
}

qm_segment forge_write(forge *f, uint32_t author, const char *r, uint32_t field_number,
                       const char *text) {
  forge_begin(f, author);
  forge_change(f, NULL, 0);
  forge_op(f, (qm_op){.record = rec(r),
                      .field = field_number,
                      .shape = QM_SIBLINGS,
                      .value = text_value(f->w, text)});
  return forge_seal(f);
}
