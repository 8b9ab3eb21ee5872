#include "tests/exhaustive/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/state.h"

enum { FIELD = 20 }; /* of the type's number 0 */

static const char *const item_name[ITEMS] = {"open", "assigned", "closed", "escalated"};

void broken(const char *what, int code, const char *detail) {
  printf("not ok - %s: %s%s%s\n", what, qm_err_text(code), detail && *detail ? ": " : "",
         detail ? detail : "");
  exit(1);
}

static void must(int rc, const char *what) {
  if (rc != QM_OK) broken(what, rc, NULL);
}

/* --- env --- */

static uint64_t clock_of(void *payload) { return ((replica *)payload)->now_ms; }

static int random_of(void *payload, uint8_t *to, size_t n) {
  replica *r = payload;
  for (size_t i = 0; i < n; i++) { /* xorshift64 */
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    to[i] = (uint8_t)(r->random >> 24);
  }
  return QM_OK;
}

static int instance_of(void *payload, uint8_t out[16]) {
  memcpy(out, ((replica *)payload)->instance, 16);
  return QM_OK;
}

/* --- schema --- */

static qm_slice words(const char *s) { return qm_slice_of(s, strlen(s)); }

static qm_field_type field_type(type t) {
  static const qm_field_type of[TYPES] = {QM_FIELD_REGISTER, QM_FIELD_REF,     QM_FIELD_MAX,
                                          QM_FIELD_MIN,      QM_FIELD_STATE,   QM_FIELD_SET,
                                          QM_FIELD_COUNTER,  QM_FIELD_LOG,     QM_FIELD_TEXT,
                                          QM_FIELD_LIST,     QM_FIELD_REGISTER, QM_FIELD_REGISTER};
  return of[t];
}

bytes make_schema(void) {
  qm_env env = qm_env_default();
  qm_enum_item items[ITEMS] = {{.rank = 0}};
  qm_transition ways[ITEMS * ITEMS];
  qm_field_def f[TYPES] = {{0}};
  uint32_t n_ways = 0;
  qm_error e = {0, ""};
  qm_buf b;
  for (uint32_t i = 0; i < ITEMS; i++) {
    items[i].name = words(item_name[i]);
    items[i].rank = item_rank[i];
    for (uint32_t k = 0; k < ITEMS; k++)
      if (item_step[i][k]) ways[n_ways++] = (qm_transition){i, k};
  }
  for (int t = 0; t < TYPES; t++)
    f[t] = (qm_field_def){.number = FIELD + (uint32_t)t,
                          .name = words(type_name((type)t)),
                          .type = (uint8_t)field_type((type)t),
                          .value = t == TEXT || t == LIST ? QM_VALUE_TEXT
                                   : t == REF             ? QM_VALUE_REF
                                   : t == STATE           ? QM_VALUE_ENUM
                                                          : QM_VALUE_INT,
                          .cls = QM_CLASS_WORK};
  f[STATE].items = items;
  f[STATE].n_items = ITEMS;
  f[STATE].transitions = ways;
  f[STATE].n_transitions = n_ways;
  qm_collection_def c = {.number = 1,
                         .name = words("household"),
                         .purpose = words("test"),
                         .retention = words("P1Y"),
                         .fields = f,
                         .n_fields = TYPES};
  qm_schema s = {.version = 1,
                 .name = words("small"),
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = &c,
                 .n_collections = 1};
  int rc = qm_schema_check(&s, &e);
  if (rc != QM_OK) broken("schema", rc, e.message);
  qm_buf_init(&b, &env, 1u << 20);
  qm_schema_encode(&s, &b);
  must(qm_buf_status(&b), "schema");
  return (bytes){b.p, b.n};
}

/* --- opening --- */

static const qm_id space_id = {{'s'}};

void replica_open(replica *r, bytes schema, unsigned place, uint64_t seed) {
  memset(r, 0, sizeof *r);
  r->now_ms = 1;
  r->random = seed * 2654435761u + place + 1;
  r->instance[0] = 1;
  r->device.b[0] = (uint8_t)(1 + place);
  r->env = qm_env_default();
  r->env.payload = r;
  r->env.now_ms = clock_of;
  r->env.random = random_of;
  r->env.instance = instance_of;
  qm_arena_init(&r->arena, &r->env, (size_t)1 << 30);
  qm_engine_options o = {.size = sizeof o, .device = r->device, .zip_level = 1};
  qm_error e = {0, ""};
  must(qm_store_mem_open(&r->env, &r->store), "store");
  must(qm_engine_open(&r->engine, &r->env, r->store, &o, &e), "open");
  qm_space_info info = {.id = space_id,
                        .name = words("s"),
                        .role = words("grid"),
                        .schema = qm_slice_of(schema.p, schema.n),
                        .readable = 1,
                        .writable = 1};
  must(qm_engine_space_put(r->engine, &info, &e), "space");
  r->space = qm_engine_space(r->engine, &space_id);
}

void replica_close(replica *r) {
  qm_engine_close(r->engine);
  r->store->ops->close(r->store);
  qm_arena_free(&r->arena);
}

/* --- delivering --- */

qm_vv_list replica_heads(replica *r, qm_arena *arena) {
  qm_vv_list vv;
  must(qm_engine_heads(r->engine, r->space, arena, &vv), "heads");
  return vv;
}

bytes replica_segment(replica *r, const qm_vv_list *before) {
  uint64_t cursor = 0;
  qm_buf b;
  qm_buf_init(&b, &r->env, QM_BATCH_MAX);
  must(qm_engine_push(r->engine, r->space), "push");
  must(qm_engine_next_batch(r->engine, r->space, *before, &cursor, &b), "next batch");
  return (bytes){b.p, b.n};
}

void replica_take_any(replica *r, bytes batch, uint32_t *parked) {
  qm_ingest in = {.peer = {{9}}};
  qm_arena arena;
  qm_error e = {0, ""};
  qm_arena_init(&arena, &r->env, (size_t)1 << 30);
  must(qm_engine_begin(r->engine), "begin");
  int rc = qm_engine_ingest(r->engine, r->space, qm_slice_of(batch.p, batch.n), &in, &arena, &e);
  if (rc != QM_OK) broken("ingest", rc, e.message);
  if (in.n_refusals) broken("refused", in.refusals[0].code, in.refusals[0].message);
  must(qm_engine_commit(r->engine, QM_DURABLE, NULL, NULL), "commit");
  *parked = in.parked;
  qm_arena_free(&arena);
}

void replica_take(replica *r, bytes batch) {
  uint32_t parked;
  replica_take_any(r, batch, &parked);
  if (parked) broken("parked in causal order", QM_EPARKED, NULL);
}

void replica_acknowledge(replica *r) {
  must(qm_engine_acknowledged(r->engine, r->space, replica_heads(r, &r->arena), 0), "acknowledge");
}

void replica_check(replica *r) {
  qm_error e = {0, ""};
  int rc = qm_engine_check(r->engine, r->space, &e);
  if (rc != QM_OK) broken("check", rc, e.message);
}

/* --- states --- */

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  snapshot *s = payload;
  if (part != s->n || part >= sizeof s->parts / sizeof s->parts[0]) return QM_ELIMIT;
  bytes *b = &s->parts[s->n++];
  *b = (bytes){malloc(content.n ? content.n : 1), content.n};
  if (!b->p) return QM_ENOMEM;
  memcpy(b->p, content.p, content.n);
  return QM_OK;
}

snapshot replica_snapshot(replica *r) {
  snapshot s = {.n = 0};
  must(qm_state_write(r->engine, r->space, keep_part, &s), "state");
  return s;
}

void snapshot_free(snapshot *s) {
  for (uint32_t i = 0; i < s->n; i++) free(s->parts[i].p);
  s->n = 0;
}

int replica_join(replica *r, const snapshot *s) {
  qm_slice parts[16];
  int joined = 0;
  qm_error e = {0, ""};
  for (uint32_t i = 0; i < s->n; i++) parts[i] = qm_slice_of(s->parts[i].p, s->parts[i].n);
  int rc = qm_state_join(r->engine, r->space, parts, s->n, &joined, &e);
  if (rc != QM_OK) broken("join", rc, e.message);
  return joined;
}

/* --- one change --- */

static qm_id id_of(uint32_t record) {
  qm_id id = {{'R', (uint8_t)(record >> 16), (uint8_t)(record >> 8), (uint8_t)record}};
  return id;
}

static const qm_id tick_id = {{'T'}};
static const qm_slice none = {NULL, 0};

void replica_begin(replica *r, uint64_t now_ms) {
  r->now_ms = now_ms;
  must(qm_write_begin(&r->write, r->engine, r->space, 0), "begin a change");
}

void replica_tick(replica *r) {
  must(qm_write_inc(r->write, &tick_id, FIELD + COUNTER, 1), "tick");
}

void replica_tick_new(replica *r) {
  qm_id out;
  int existing;
  must(qm_write_new(r->write, 1, &tick_id, none, &out, &existing), "new");
}

static int do_splice(qm_write *w, const qm_id *id, type t, const verb *v, qm_slice token) {
  const uint64_t at = v->at == AT_END ? UINT64_MAX : v->at;
  char packed[LETTERS_MAX][2];
  qm_slice values[LETTERS_MAX];
  uint32_t n = 0;
  if (t == TEXT) return qm_write_splice(w, id, FIELD + TEXT, at, v->cut, words(v->text), token);
  for (; v->text[n]; n++) {
    packed[n][0] = (char)0xa1;
    packed[n][1] = v->text[n];
    values[n] = qm_slice_of(packed[n], 2);
  }
  return qm_write_list(w, id, FIELD + LIST, at, v->cut, values, n, token);
}

void replica_new(replica *r, type t, uint32_t record) {
  qm_id id = id_of(record), out;
  int existing;
  must(qm_write_new(r->write, 1, &id, none, &out, &existing), "new");
  const verb base = {.act = DO_SPLICE, .text = base_text};
  if (t == TEXT || t == LIST) must(do_splice(r->write, &id, t, &base, none), "base text");
}

void replica_end(replica *r) {
  must(qm_write_commit(r->write, QM_DURABLE), "commit a change");
  r->write = NULL;
}

static answer answer_of(int rc) {
  switch (rc) {
    case QM_OK: return DONE;
    case QM_ENOTFOUND: return ABSENT;
    case QM_EINVISIBLE: return INVISIBLE;
    case QM_ESCHEMA: return REFUSED;
    case QM_ESTALE: return STALE;
    case QM_ERANGE: return BEYOND;
    case QM_EEXIST: return KNOWN;
    default: broken("verb", rc, NULL);
  }
}

static void put_value(qm_buf *b, type t, int64_t v) {
  uint8_t ref[16] = {(uint8_t)v, 1};
  if (t == REF)
    qm_mp_bin(b, ref, sizeof ref);
  else if (t == STATE)
    qm_mp_str(b, item_name[v], strlen(item_name[v]));
  else
    qm_mp_int(b, v);
}

static int do_verb(qm_write *w, const qm_id *id, type t, const verb *v, qm_slice value,
                   qm_slice token) {
  const uint32_t field = FIELD + (uint32_t)t;
  qm_id out;
  int existing;
  switch (v->act) {
    case DO_SET: return qm_write_set(w, id, field, value, token, v->settle ? QM_WRITE_SETTLE : 0u);
    case DO_RAISE: return qm_write_raise(w, id, field, value, token);
    case DO_ADD: return qm_write_add(w, id, field, value, v->again ? QM_WRITE_AGAIN : 0u);
    case DO_REMOVE: return qm_write_remove(w, id, field, value, token);
    case DO_INC: return qm_write_inc(w, id, field, v->value);
    case DO_APPEND: return qm_write_append(w, id, field, value);
    case DO_SPLICE: return do_splice(w, id, t, v, token);
    case DO_NEW: return qm_write_new(w, 1, id, none, &out, &existing);
    case DO_DELETE: return qm_write_delete(w, id, token);
    default: return qm_write_restore(w, id);
  }
}

answer replica_verb(replica *r, type t, uint32_t record, const verb *v, qm_slice token,
                    unsigned *wrote) {
  qm_id id = id_of(record);
  uint32_t before = qm_write_count(r->write);
  qm_buf b;
  qm_buf_init(&b, &r->env, 100);
  put_value(&b, t, v->value);
  must(qm_buf_status(&b), "value");
  int rc = do_verb(r->write, &id, t, v, qm_buf_slice(&b), token);
  qm_buf_free(&b);
  *wrote = qm_write_count(r->write) - before;
  return answer_of(rc);
}

/* --- reading --- */

static const qm_record *record_of(replica *r, uint32_t record) {
  qm_id id = id_of(record);
  const qm_record *out;
  int rc = qm_engine_read(r->engine, r->space, &id, &r->arena, &out);
  if (rc == QM_ENOTFOUND) return NULL;
  must(rc, "read");
  return out;
}

qm_slice replica_token(replica *r, uint32_t record, form f) {
  const qm_record *at = record_of(r, record);
  qm_buf b;
  if (!at) return none;
  qm_buf_init(&b, &r->env, 1u << 20);
  must(qm_token_make(r->space, at, f == FORM_REVIEW ? QM_READ_REVIEW : QM_READ_VALUES, &r->arena,
                     &b),
       "token");
  qm_slice s = {qm_arena_copy(&r->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return s;
}

static char *show_value(char *p, type t, qm_slice value) {
  qm_cur c;
  qm_slice s = {NULL, 0};
  int64_t v = 0;
  qm_cur_init(&c, value);
  if (t == REF) {
    must(qm_cur_bin(&c, &s), "a ref");
    v = s.p[0];
  } else if (t == STATE) {
    must(qm_cur_str(&c, &s), "an item");
    while (v < ITEMS - 1 && qm_slice_cmp(s, words(item_name[v])) != 0) v++;
  } else {
    must(qm_cur_int(&c, &v), "a number");
  }
  return p + snprintf(p, NUMBER_MAX, "%lld", (long long)v);
}

static void show_siblings(replica *r, type t, const qm_cell *cell, char *p) {
  const qm_field_def *def =
      qm_collection_field(qm_schema_collection(qm_space_schema(r->space), 1), FIELD + (uint32_t)t);
  qm_contest c;
  must(qm_read_contest(r->space, def, cell, &r->arena, &c), "contest");
  if (!c.shown) return;
  p = show_value(p, t, c.shown->value);
  for (uint32_t i = 0; i < c.n_others; i++) {
    *p++ = ' ';
    *p++ = "?suc"[c.others[i].cls];
    p = show_value(p, t, c.others[i].sibling->value);
  }
}

static void show_list(replica *r, const qm_cell *cell, char *p) {
  qm_slice *v;
  uint32_t n;
  must(qm_sequence_values(cell, &r->arena, &v, &n), "list");
  for (uint32_t i = 0; i < n; i++) *p++ = (char)v[i].p[1];
  *p = 0;
}

static void show_cell(replica *r, type t, const qm_cell *cell, char *p) {
  int64_t sum;
  qm_buf b;
  switch (cell->shape) {
    case QM_KEYED:
      for (uint32_t i = 0; i < qm_keyed_of(cell)->n; i++)
        *p++ = ',', p = show_value(p, t, qm_keyed_of(cell)->p[i].value);
      break;
    case QM_ENTRIES:
      for (uint32_t i = 0; i < qm_entries_of(cell)->n; i++)
        *p++ = '|', p = show_value(p, t, qm_entries_of(cell)->p[i].value);
      break;
    case QM_TOTALS:
      if (qm_totals_sum(qm_totals_of(cell), &sum) == QM_OK)
        (void)snprintf(p, NUMBER_MAX, "%lld", (long long)sum);
      else
        memcpy(p, "range", 6);
      break;
    case QM_SEQUENCE:
      if (t == LIST) {
        show_list(r, cell, p);
        break;
      }
      qm_buf_init(&b, &r->env, 100);
      qm_sequence_text(cell, &b);
      must(qm_buf_status(&b), "text");
      if (b.n) memcpy(p, b.p, b.n);
      p[b.n] = 0;
      qm_buf_free(&b);
      break;
    default: show_siblings(r, t, cell, p);
  }
}

void replica_read(replica *r, type t, uint32_t record, char out[READING_MAX]) {
  const qm_record *at = record_of(r, record);
  memset(out, 0, READING_MAX);
  if (!at) return;
  char *p = out;
  *p++ = qm_record_visible(at) ? 'v' : 'h';
  if (qm_marks_collide(&at->marks)) *p++ = '!';
  *p++ = (char)('0' + at->n_creations);
  *p++ = ' ';
  qm_field_def def = {.type = (uint8_t)field_type(t)};
  const qm_cell *cell = qm_record_cell(at, FIELD + (uint32_t)t, qm_field_shape(&def));
  if (cell)
    show_cell(r, t, cell, p);
  else if (t == COUNTER)
    *p = '0';
}
