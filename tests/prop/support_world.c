#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mp.h"
#include "core/space.h"
#include "core/state.h"

#define ok(call) assert_int_equal(call, QM_OK)

/* --- env --- */

static uint64_t clock_of(void *payload) {
  device *d = payload;
  return d->world->now_ms + (uint64_t)d->skew_ms;
}

uint64_t world_random(world *w) { /* splitmix64 */
  uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

unsigned world_below(world *w, unsigned n) { return (unsigned)(world_random(w) % n); }

static int random_of(void *payload, uint8_t *to, size_t n) {
  device *d = payload;
  for (size_t i = 0; i < n; i++) to[i] = (uint8_t)world_random(d->world);
  return QM_OK;
}

static int instance_of(void *payload, uint8_t out[16]) {
  device *d = payload;
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

static void make_schema(world *w) {
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
                 .name = {(const uint8_t *)"world", 5},
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

static void open_engine(device *d) {
  qm_engine_options o = {.size = sizeof o, .flags = d->flags, .device = d->id};
  qm_error e = {0, ""};
  if (qm_engine_open(&d->engine, &d->env, d->store, &o, &e) != QM_OK) fail_msg("%s", e.message);
  if (d->world->hooks.opened) d->world->hooks.opened(d);
}

static void close_engine(device *d) {
  if (d->world->hooks.closing) d->world->hooks.closing(d);
  qm_engine_close(d->engine);
}

static void find_space(device *d) {
  qm_id id = {{'s'}};
  d->space = qm_engine_space(d->engine, &id);
  assert_non_null(d->space);
}

void world_open(world *w, unsigned devices, uint64_t seed) {
  static const world_hooks none_set = {NULL, NULL, NULL};
  world_open_on(w, devices, seed, &none_set);
}

void world_open_on(world *w, unsigned devices, uint64_t seed, const world_hooks *hooks) {
  static const qm_env *env;
  static qm_env base;
  base = qm_env_default();
  env = &base;
  memset(w, 0, sizeof *w);
  w->hooks = *hooks;
  w->n = devices;
  w->random = seed * 7919 + 1;
  w->now_ms = UINT64_C(1700000000000);
  qm_arena_init(&w->arena, env, (size_t)1 << 30);
  qm_buf_init(&w->schema, env, 1u << 20);
  make_schema(w);
  for (unsigned i = 0; i < devices; i++) {
    device *d = &w->d[i];
    d->world = w;
    d->env = qm_env_default();
    d->env.payload = d;
    d->env.now_ms = clock_of;
    d->env.random = random_of;
    d->env.instance = instance_of;
    d->id.b[0] = (uint8_t)('A' + i);
    d->instance[0] = (uint8_t)(i + 1);
    ok(hooks->open_store ? hooks->open_store(d) : qm_store_mem_open(&d->env, &d->store));
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

void world_close(world *w) {
  for (unsigned i = 0; i < w->n; i++) {
    close_engine(&w->d[i]);
    w->d[i].store->ops->close(w->d[i].store);
  }
  qm_buf_free(&w->schema);
  qm_arena_free(&w->arena);
}

void reopen(device *d) {
  close_engine(d);
  open_engine(d);
  find_space(d);
}

/* --- copies --- */

typedef struct copying {
  device *from;
  qm_store *to;
  uint32_t space;
  uint64_t seq;
} copying;

static int copy_meta(void *payload, qm_slice key, qm_slice value) {
  qm_store *to = ((copying *)payload)->to;
  return to->ops->meta_put(to, key, value);
}

static int copy_space(void *payload, const qm_space_row *row) {
  copying *c = payload;
  c->space = row->space;
  return c->to->ops->space_put(c->to, row);
}

static int copy_author(void *payload, const qm_author_row *row) {
  copying *c = payload;
  return c->to->ops->author_put(c->to, c->space, row);
}

static int copy_record(void *payload, const qm_record_row *row) {
  copying *c = payload;
  world *w = c->from->world;
  qm_record r;
  ok(qm_record_decode(&r, &row->id, row->state, qm_space_authors(c->from->space), &w->arena));
  for (uint32_t i = 0; i < r.n_creations; i++) {
    qm_creation_row creation = {r.creations[i].dot, row->id};
    ok(c->to->ops->creation_put(c->to, c->space, &creation, 1));
  }
  return c->to->ops->record_save(c->to, c->space, row, 1);
}

static int copy_log(void *payload, const qm_log_row *row) {
  copying *c = payload;
  uint64_t seq;
  c->seq = row->seq;
  return c->to->ops->log_append(c->to, c->space, row, &seq);
}

static int copy_open(void *payload, const qm_open_row *row) {
  copying *c = payload;
  return c->to->ops->open_append(c->to, c->space, row);
}

static int copy_aside(void *payload, qm_slice key, qm_slice value) {
  copying *c = payload;
  return c->to->ops->aside_put(c->to, c->space, key, value);
}

static int copy_local(void *payload, qm_slice key, qm_slice value) {
  copying *c = payload;
  return c->to->ops->local_put(c->to, c->space, key, value);
}

void copy_unnoticed(device *to, device *from) {
  memcpy(to->instance, from->instance, sizeof to->instance);
  copy_store(to, from);
}

void copy_store(device *to, device *from) {
  qm_store *s = from->store;
  copying c = {.from = from};
  qm_vv nothing = {NULL, 0, 0};
  int rc;
  qm_engine_close(to->engine);
  to->store->ops->close(to->store);
  ok(qm_store_mem_open(&to->env, &to->store));
  c.to = to->store;
  ok(c.to->ops->begin(c.to));
  ok(s->ops->meta_scan(s, (qm_slice){NULL, 0}, copy_meta, &c));
  ok(s->ops->space_list(s, copy_space, &c));
  ok(s->ops->author_list(s, c.space, copy_author, &c));
  ok(s->ops->record_scan(s, c.space, 0, NULL, 1000, copy_record, &c));
  do rc = s->ops->log_after(s, c.space, &nothing, c.seq, copy_log, &c);
  while (rc == QM_OK);
  assert_int_equal(rc, QM_ENOTFOUND);
  ok(s->ops->open_list(s, c.space, copy_open, &c));
  ok(s->ops->aside_scan(s, c.space, (qm_slice){NULL, 0}, copy_aside, &c));
  ok(s->ops->local_scan(s, c.space, (qm_slice){NULL, 0}, (qm_slice){NULL, 0}, copy_local, &c));
  ok(c.to->ops->commit(c.to, QM_DURABLE, NULL, NULL));
  to->id = from->id;
  open_engine(to);
  find_space(to);
}

/* --- syncing --- */

unsigned asides(device *to, device *from) {
  qm_arena arena;
  qm_buf b;
  qm_aside_counts after = qm_space_asides(to->space);
  unsigned all = 0;
  qm_arena_init(&arena, &to->env, (size_t)1 << 28);
  qm_buf_init(&b, &to->env, (size_t)1 << 24);
  for (;;) {
    uint32_t fresh = 0;
    qm_error e = {0, ""};
    qm_buf_clear(&b);
    int rc = qm_engine_aside_read(from->engine, from->space, after, &arena, &b, &after);
    if (rc == QM_ENOTFOUND) break;
    ok(rc);
    if (qm_engine_aside_take(to->engine, to->space, qm_buf_slice(&b), NULL, NULL, &fresh, &e))
      fail_msg("%s", e.message);
    all += fresh;
  }
  qm_buf_free(&b);
  qm_arena_free(&arena);
  return all;
}

unsigned pull_some(device *to, device *from, unsigned batches) {
  qm_arena arena;
  qm_vv_list have;
  qm_buf batch;
  uint64_t cursor = 0;
  unsigned taken = 0;
  qm_arena_init(&arena, &to->env, (size_t)1 << 30);
  qm_buf_init(&batch, &to->env, QM_BATCH_MAX);
  taken += asides(to, from);
  ok(qm_engine_push(from->engine, from->space));
  ok(qm_engine_push(to->engine, to->space));
  ok(qm_engine_heads(to->engine, to->space, &arena, &have));
  while (batches--) {
    qm_ingest in = {.peer = from->id,
                    .check_schema = (to->flags & QM_ENGINE_HUB) != 0,
                    .role = qm_slice_of("grid", 4)};
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

unsigned pull(device *to, device *from) { return pull_some(to, from, UINT32_MAX); }

typedef struct snapshot {
  qm_slice parts[64];
  uint32_t n;
  world *w;
} snapshot;

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  snapshot *s = payload;
  assert_true(part == s->n && part < 64);
  s->parts[s->n++] = qm_slice_of(qm_arena_copy(&s->w->arena, content.p, content.n), content.n);
  return QM_OK;
}

int join(device *to, device *from) {
  snapshot s = {.n = 0, .w = to->world};
  int joined, of_home = (from->flags & QM_ENGINE_HUB) != 0;
  uint32_t next, parts;
  qm_error e = {0, ""};
  ok(qm_state_write(from->engine, from->space, keep_part, &s));
  ok(qm_state_stage(to->engine, to->space, s.parts[0], &next, &parts));
  for (; next < parts; next++)
    ok(qm_state_stage_part(to->engine, to->space, NULL, next, s.parts[next + 1]));
  if (qm_state_take(to->engine, to->space, NULL, of_home, &joined, &e) != QM_OK)
    fail_msg("%s", e.message);
  return joined;
}

void meet(device *a, device *b) {
  pull(a, b);
  pull(b, a);
}

void world_settle(world *w) {
  for (unsigned moved = 1; moved;) {
    moved = 0;
    for (unsigned i = 0; i < w->n; i++)
      for (unsigned j = 0; j < w->n; j++)
        if (i != j) moved += pull(&w->d[i], &w->d[j]);
  }
}

void world_check_equal(world *w) {
  uint8_t vv[16], vv0[16];
  qm_digest digest, digest0;
  for (unsigned i = 0; i < w->n; i++) {
    device *d = &w->d[i];
    qm_error e = {0, ""};
    ok(qm_engine_vv_digest(d->engine, d->space, i ? vv : vv0));
    qm_space_digest(d->space, i ? &digest : &digest0);
    if (qm_engine_check(d->engine, d->space, &e) != QM_OK) fail_msg("device %u: %s", i, e.message);
    if (!i) continue;
    assert_memory_equal(vv, vv0, 16);
    assert_true(qm_digest_eq(&digest, &digest0));
  }
}

void acknowledge(device *d) {
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

static qm_slice packed(world *w, const char *text, int64_t v) {
  qm_buf b;
  qm_buf_init(&b, w->d[0].engine ? &w->d[0].env : &w->d[0].env, 1u << 20);
  if (text)
    qm_mp_str(&b, text, strlen(text));
  else
    qm_mp_int(&b, v);
  ok(qm_buf_status(&b));
  qm_slice s = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

static qm_write *begin(device *d) {
  qm_write *w;
  d->world->now_ms += 1000;
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

int put_new(device *d, const char *r) {
  qm_id id = rec(r), out;
  int existing;
  qm_write *w = begin(d);
  return end(w, qm_write_new(w, 1, &id, none, &out, &existing));
}

int put_erase_with(device *d, const char *r, qm_slice token) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_delete(w, &id, token));
}

int put_erase(device *d, const char *r) { return put_erase_with(d, r, none); }

int put_restore(device *d, const char *r) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_restore(w, &id));
}

int put_with(device *d, const char *r, uint32_t f, const char *text, qm_slice token,
             unsigned flags) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_set(w, &id, f, packed(d->world, text, 0), token, flags));
}

int put(device *d, const char *r, uint32_t f, const char *text) {
  return put_with(d, r, f, text, none, 0);
}
int put_state(device *d, const char *r, const char *item) { return put(d, r, F_STATE, item); }

int put_number(device *d, const char *r, uint32_t f, int64_t v) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_set(w, &id, f, packed(d->world, NULL, v), none, 0));
}

int put_raise_with(device *d, const char *r, uint32_t f, int64_t v, qm_slice token) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_raise(w, &id, f, packed(d->world, NULL, v), token));
}

int put_raise(device *d, const char *r, uint32_t f, int64_t v) {
  return put_raise_with(d, r, f, v, none);
}

int put_add(device *d, const char *r, const char *element) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_add(w, &id, F_TAGS, packed(d->world, element, 0), 0));
}

int put_remove(device *d, const char *r, const char *element) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_remove(w, &id, F_TAGS, packed(d->world, element, 0), none));
}

int put_inc(device *d, const char *r, int64_t delta) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_inc(w, &id, F_VISITS, delta));
}

int put_step(device *d, const char *r, const char *text) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_append(w, &id, F_STEPS, packed(d->world, text, 0)));
}

int put_text(device *d, const char *r, uint64_t at, uint64_t cut, const char *text) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_splice(w, &id, F_NOTES, at, cut, qm_slice_of(text, strlen(text)), none));
}

int put_list(device *d, const char *r, uint64_t at, uint64_t cut, const char *values) {
  qm_id id = rec(r);
  qm_slice v[16];
  uint32_t n = 0;
  for (; values[n]; n++) v[n] = packed(d->world, (char[]){values[n], 0}, 0);
  qm_write *w = begin(d);
  return end(w, qm_write_list(w, &id, F_PLAN, at, cut, v, n, none));
}

int put_merge(device *d, const char *a, const char *b) {
  qm_id x = rec(a), y = rec(b);
  qm_write *w = begin(d);
  return end(w, qm_write_merge(w, &x, &y));
}

int put_unmerge(device *d, const char *r) {
  qm_id id = rec(r);
  qm_write *w = begin(d);
  return end(w, qm_write_unmerge(w, &id));
}

/* --- what is shown --- */

static const qm_record *read_record(device *d, const char *r) {
  qm_id id = rec(r);
  const qm_record *out;
  return qm_engine_read(d->engine, d->space, &id, &d->world->arena, &out) == QM_OK ? out : NULL;
}

static int read_class(device *d, const char *r, qm_record_class *out) {
  qm_id id = rec(r);
  return qm_class_read(d->engine, d->space, &id, 0, &d->world->arena, out);
}

/* As its class shows it. */
static const qm_record *read_view(device *d, const char *r) {
  qm_record_class c;
  const qm_record *out;
  if (read_class(d, r, &c) != QM_OK) return NULL;
  ok(qm_class_view(&c, qm_space_authors(d->space), QM_CLASS_ALL, &d->world->arena, &out));
  return out;
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

static const char *done(device *d, qm_buf *b) {
  qm_buf_byte(b, 0);
  ok(qm_buf_status(b));
  const char *s = qm_arena_copy(&d->world->arena, b->p, b->n);
  assert_non_null(s);
  qm_buf_free(b);
  return s;
}

static const qm_field_def *def_of(device *d, uint32_t f) {
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

static void show_sequence(device *d, qm_buf *b, const qm_record *record, const qm_cell *cell) {
  qm_slice *v;
  uint32_t n, all = 0;
  int list = cell->field == F_PLAN;
  for (; cell; cell = qm_record_cell_next(record, cell)) {
    if (!list) qm_sequence_text(cell, b);
    if (!list) continue;
    ok(qm_sequence_values(cell, &d->world->arena, &v, &n));
    for (uint32_t i = 0; i < n; i++) {
      qm_buf_byte(b, all++ ? ' ' : '[');
      put_value(b, v[i]);
    }
  }
  if (list) qm_buf_add(b, all ? "]" : "[]", all ? 1 : 2);
}

static void show_sum(qm_buf *b, const qm_cell *cell) {
  int64_t sum;
  char text[32];
  ok(qm_totals_sum(qm_totals_of(cell), &sum));
  qm_buf_add(b, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)sum));
}

static const char *show(device *d, const qm_record *record, uint32_t f) {
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
    case QM_SEQUENCE: show_sequence(d, &b, record, cell); break;
    default:
      ok(qm_read_contest(d->space, def, cell, &d->world->arena, &c));
      put_value(&b, c.shown->value);
  }
  return done(d, &b);
}

const char *shown(device *d, const char *r, uint32_t f) { return show(d, read_view(d, r), f); }
const char *shown_alone(device *d, const char *r, uint32_t f) {
  return show(d, read_record(d, r), f);
}

static const char *list(device *d, const qm_record *record, uint32_t f) {
  const qm_cell *cell = record ? qm_record_cell(record, f, QM_SIBLINGS) : NULL;
  qm_contest c;
  qm_buf b;
  if (!cell) return "";
  ok(qm_read_contest(d->space, def_of(d, f), cell, &d->world->arena, &c));
  qm_buf_init(&b, &d->env, 1u << 20);
  for (uint32_t i = 0; i < c.n_others; i++) {
    if (i) qm_buf_byte(&b, ',');
    put_value(&b, c.others[i].sibling->value);
    qm_buf_byte(&b, '/');
    qm_buf_byte(&b, (uint8_t) "?sucdkmn"[c.others[i].cls]);
  }
  return done(d, &b);
}

const char *listed(device *d, const char *r, uint32_t f) { return list(d, read_view(d, r), f); }
const char *listed_alone(device *d, const char *r, uint32_t f) {
  return list(d, read_record(d, r), f);
}

static const char *names(device *d, const qm_id *ids, uint32_t n) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 1u << 20);
  for (uint32_t i = 0; i < n; i++) {
    if (i) qm_buf_byte(&b, ',');
    for (size_t k = 0; k < QM_ID_SIZE && ids[i].b[k]; k++) qm_buf_byte(&b, ids[i].b[k]);
  }
  return done(d, &b);
}

const char *members(device *d, const char *r) {
  qm_record_class c;
  if (read_class(d, r, &c) != QM_OK) return "-";
  qm_id *ids = qm_arena_array(&d->world->arena, c.n, sizeof *ids);
  for (uint32_t i = 0; i < c.n; i++) ids[i] = c.members[i]->id;
  return names(d, ids, c.n);
}

const char *unmerged(device *d, const char *r) {
  qm_record_class c;
  const qm_id *ids;
  uint32_t n;
  if (read_class(d, r, &c) != QM_OK) return "-";
  ok(qm_class_unmerged(&c, &d->world->arena, &ids, &n));
  return names(d, ids, n);
}

int visible(device *d, const char *r) {
  const qm_record *record = read_view(d, r);
  return record && qm_record_visible(record);
}

int collides(device *d, const char *r) {
  const qm_record *record = read_record(d, r);
  return record && qm_marks_collide(&record->marks);
}

unsigned marks(device *d, const char *r) {
  const qm_record *record = read_record(d, r);
  return record ? record->marks.n : 0;
}

qm_slice form(device *d, const char *r, unsigned kind) {
  qm_record_class c;
  qm_buf b;
  ok(read_class(d, r, &c));
  qm_buf_init(&b, &d->env, 1u << 24);
  ok(qm_class_token(d->space, &c, kind, &d->world->arena, &b));
  qm_slice s = {qm_arena_copy(&d->world->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

int put_bad(device *d, const char *r, uint32_t field, int64_t v) {
  qm_write *w;
  qm_id id = rec(r);
  qm_buf b;
  const qm_schema *schema = d->space->schema; /* whoever writes it knows none */
  int rc = qm_write_begin(&w, d->engine, d->space, QM_WRITE_RAW);
  if (rc != QM_OK) return rc;
  d->space->schema = NULL;
  qm_buf_init(&b, &d->env, 32);
  qm_mp_int(&b, v);
  rc = qm_write_set(w, &id, field, qm_buf_slice(&b), qm_slice_of(NULL, 0), 0);
  qm_buf_free(&b);
  d->space->schema = schema;
  if (rc == QM_OK) return qm_write_commit(w, QM_DURABLE);
  qm_write_cancel(w);
  return rc;
}
