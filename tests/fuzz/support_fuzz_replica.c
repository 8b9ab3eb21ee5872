#include <string.h>

#include "core/mp.h"
#include "core/aside.h"
#include "core/state.h"
#include "core/token.h"
#include "tests/fuzz/support_fuzz.h"

void fuzz_authors(qm_authors *t) {
  static const uint8_t ids[FUZZ_AUTHORS] = {0xa1, 0xc3, 0xb2, 0xd4, 0x05, 0xc0};
  qm_authors_init(t, fuzz_env());
  for (uint32_t i = 0; i < FUZZ_AUTHORS; i++) {
    qm_author a;
    uint32_t number;
    memset(a.b, ids[i], sizeof a.b);
    FUZZ_OK(qm_authors_add(t, &a, &number));
  }
}

/* --- the schema --- */

static qm_slice words(const char *text) { return qm_slice_of(text, strlen(text)); }

static qm_field_def field(uint32_t number, const char *name, uint8_t type, uint8_t value) {
  return (qm_field_def){
      .number = number, .name = words(name), .type = type, .value = value, .cls = QM_CLASS_WORK};
}

void fuzz_schema_put(qm_buf *out) {
  const qm_enum_item items[] = {{.name = words("open"), .rank = 1},
                                {.name = words("shut"), .rank = 2}};
  const qm_transition ways[] = {{0, 1}};
  qm_field_def f[] = {field(FUZZ_NAME, "name", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(FUZZ_LAST, "last", QM_FIELD_MAX, QM_VALUE_INT),
                      field(FUZZ_FIRST, "first", QM_FIELD_MIN, QM_VALUE_NUMBER),
                      field(FUZZ_STATE, "state", QM_FIELD_STATE, QM_VALUE_ENUM),
                      field(FUZZ_TAGS, "tags", QM_FIELD_SET, QM_VALUE_ANY),
                      field(FUZZ_COUNT, "count", QM_FIELD_COUNTER, QM_VALUE_INT),
                      field(FUZZ_STEPS, "steps", QM_FIELD_LOG, QM_VALUE_ANY),
                      field(FUZZ_NOTES, "notes", QM_FIELD_TEXT, QM_VALUE_TEXT),
                      field(FUZZ_LIST, "list", QM_FIELD_LIST, QM_VALUE_ANY),
                      field(FUZZ_REF, "ref", QM_FIELD_REF, QM_VALUE_REF)};
  f[3].items = items;
  f[3].n_items = 2;
  f[3].transitions = ways;
  f[3].n_transitions = 1;
  qm_collection_def c[] = {{.number = 1, .key_field = FUZZ_NAME, .fields = f, .n_fields = 10},
                           {.number = 2, .fields = f, .n_fields = 1}};
  c[0].name = words("household");
  c[1].name = words("note");
  for (int i = 0; i < 2; i++) {
    c[i].purpose = words("test");
    c[i].retention = words("P1Y");
  }
  qm_schema s = {.version = 1, .name = words("fuzz"), .drift_ms = 600000};
  s.lease_days = s.review_days = 90;
  s.collections = c;
  s.n_collections = 2;
  qm_schema_encode(&s, out);
  FUZZ_OK(qm_buf_status(out));
}

/* --- replicas --- */

static void open_engine(fuzz_replica *r) {
  qm_engine_options o = {.size = sizeof o, .flags = r->flags, .device = r->device};
  qm_error e = {0, ""};
  int rc = qm_engine_open(&r->engine, fuzz_env(), r->store, &o, &e);
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "open", e.message);
}

qm_space *fuzz_space(fuzz_replica *r, uint8_t first) {
  qm_buf schema;
  qm_error e = {0, ""};
  qm_buf_init(&schema, fuzz_env(), QM_SCHEMA_MAX);
  fuzz_schema_put(&schema);
  qm_space_info info = {.id = {{first}}, .name = words("s"), .role = words("grid")};
  info.schema = qm_buf_slice(&schema);
  info.readable = info.writable = 1;
  int rc = qm_engine_space_put(r->engine, &info, &e);
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "space", e.message);
  qm_buf_free(&schema);
  qm_space *s = qm_engine_space(r->engine, &info.id);
  FUZZ_CHECK(s != NULL);
  return s;
}

void fuzz_replica_open(fuzz_replica *r, uint8_t number, uint32_t flags) {
  memset(r, 0, sizeof *r);
  r->device.b[0] = number;
  r->flags = flags;
  FUZZ_OK(qm_store_mem_open(fuzz_env(), &r->store));
  open_engine(r);
  r->space = fuzz_space(r, 's');
}

void fuzz_replica_close(fuzz_replica *r) {
  qm_engine_close(r->engine);
  r->store->ops->close(r->store);
}

void fuzz_replica_reopen(fuzz_replica *r) {
  qm_digest before, after;
  qm_id id = {{'s'}};
  qm_space_digest(r->space, &before);
  qm_engine_close(r->engine);
  open_engine(r);
  r->space = qm_engine_space(r->engine, &id);
  FUZZ_CHECK(r->space != NULL);
  qm_space_digest(r->space, &after);
  FUZZ_CHECK(qm_digest_eq(&before, &after));
}

qm_id fuzz_record_id(uint32_t number) {
  qm_id id = {{'r', (uint8_t)number, 1}};
  return id;
}

/* --- writing --- */

/* What a verb may say to a wrong argument; never a failure of the replica itself. */
static void may_refuse(int rc) {
  qm_class c = qm_err_class(rc);
  FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ENOMEM && rc != QM_ECORRUPT && c != QM_CLASS_STORAGE);
}

static qm_slice some_value(qm_slice *in) {
  static const char *const texts[] = {
      "\xa2hi", "\x07", "\xff", "\xc0", "\xa4open", "\xa4shut", "\xa0",
      "\xcb\x3f\xf8\0\0\0\0\0", "\xa3\xe9\x98\xa1", "\x92\x01\x02", "\xc3"};
  static const uint8_t sizes[] = {3, 1, 1, 1, 5, 5, 1, 9, 4, 3, 1};
  uint32_t i = fuzz_below(in, 12);
  return i < 11 ? qm_slice_of(texts[i], sizes[i]) : fuzz_piece(in);
}

static void one_verb(qm_write *w, qm_slice *in) {
  qm_id id = fuzz_record_id(fuzz_below(in, 3)), out;
  qm_slice none = {NULL, 0};
  int existing;
  uint32_t f = FUZZ_NAME + fuzz_below(in, 10);
  switch (fuzz_below(in, 11)) {
    case 0: may_refuse(qm_write_new(w, 1, &id, none, &out, &existing)); break;
    case 1: may_refuse(qm_write_new(w, 1, NULL, fuzz_take(in, 3), &out, &existing)); break;
    case 2: may_refuse(qm_write_delete(w, &id, none)); break;
    case 3: may_refuse(qm_write_restore(w, &id)); break;
    case 4: may_refuse(qm_write_set(w, &id, f, some_value(in), none, 0)); break;
    case 5: may_refuse(qm_write_raise(w, &id, f, some_value(in), none)); break;
    case 6: may_refuse(qm_write_add(w, &id, f, some_value(in), 0)); break;
    case 7: may_refuse(qm_write_remove(w, &id, f, some_value(in), none)); break;
    case 8: may_refuse(qm_write_inc(w, &id, f, (int64_t)fuzz_number(in))); break;
    case 9: may_refuse(qm_write_append(w, &id, f, some_value(in))); break;
    default:
      may_refuse(qm_write_splice(w, &id, f, fuzz_byte(in), fuzz_below(in, 4), fuzz_take(in, 5),
                                 none));
  }
}

void fuzz_write(fuzz_replica *r, qm_space *s, qm_slice *in) {
  qm_write *w = NULL;
  uint32_t verbs = 1 + fuzz_below(in, 4);
  FUZZ_OK(qm_write_begin(&w, r->engine, s, 0));
  while (verbs--) one_verb(w, in);
  if (fuzz_below(in, 8) == 7) qm_write_cancel(w);
  else FUZZ_OK(qm_write_commit(w, QM_RELAXED));
}

void fuzz_fill(fuzz_replica *r, qm_space *s) {
  qm_slice none = {NULL, 0};
  qm_write *w = NULL;
  qm_id out;
  int existing;
  for (uint32_t i = 0; i < 2; i++) {
    qm_id id = fuzz_record_id(i);
    fuzz_now += 1000;
    FUZZ_OK(qm_write_begin(&w, r->engine, s, 0));
    FUZZ_OK(qm_write_new(w, 1, &id, none, &out, &existing));
    FUZZ_OK(qm_write_set(w, &id, FUZZ_NAME, words("\xa3one"), none, 0));
    FUZZ_OK(qm_write_add(w, &id, FUZZ_TAGS, words("\xa1t"), 0));
    FUZZ_OK(qm_write_splice(w, &id, FUZZ_NOTES, 0, 0, words("hello"), none));
    FUZZ_OK(qm_write_commit(w, QM_RELAXED));
    FUZZ_OK(qm_write_begin(&w, r->engine, s, 0));
    FUZZ_OK(qm_write_raise(w, &id, FUZZ_LAST, words("\x07"), none));
    FUZZ_OK(qm_write_set(w, &id, FUZZ_STATE, words("\xa4open"), none, 0));
    FUZZ_OK(qm_write_inc(w, &id, FUZZ_COUNT, -3));
    FUZZ_OK(qm_write_append(w, &id, FUZZ_STEPS, words("\xa1x")));
    FUZZ_OK(qm_write_splice(w, &id, FUZZ_NOTES, 2, 1, words("yy"), none));
    FUZZ_OK(qm_write_commit(w, QM_RELAXED));
  }
}

/* --- checking --- */

static void read_cell(qm_space *s, const qm_field_def *f, const qm_cell *cell, qm_arena *arena) {
  qm_contest contest;
  qm_buf text;
  qm_slice *values;
  uint32_t n;
  int64_t sum;
  if (cell->shape == QM_SIBLINGS) {
    FUZZ_OK(qm_read_contest(s, f, cell, arena, &contest));
    FUZZ_CHECK(contest.shown != NULL);
  }
  if (cell->shape == QM_TOTALS) (void)qm_totals_sum(qm_totals_of(cell), &sum);
  if (cell->shape != QM_SEQUENCE) return;
  qm_buf_init(&text, fuzz_env(), SIZE_MAX / 2);
  qm_sequence_text(cell, &text);
  FUZZ_OK(qm_buf_status(&text));
  FUZZ_OK(qm_sequence_values(cell, arena, &values, &n));
  FUZZ_CHECK(qm_sequence_len(cell) == n && text.n >= n);
  qm_buf_free(&text);
}

static void read_token(qm_space *s, const qm_record *r, unsigned kind, qm_arena *arena) {
  qm_buf out;
  qm_token t;
  qm_buf_init(&out, fuzz_env(), SIZE_MAX / 2);
  FUZZ_OK(qm_token_make(s, r, kind, arena, &out));
  FUZZ_OK(qm__token_parse(s, qm_buf_slice(&out), &r->id, arena, &t));
  qm_buf_free(&out);
}

typedef struct walk {
  qm_id ids[64];
  uint32_t n;
} walk;

static int note_id(void *payload, const qm_record_row *row) {
  walk *w = payload;
  if (w->n < 64) w->ids[w->n++] = row->id;
  return QM_OK;
}

void fuzz_check_replica(fuzz_replica *r, qm_space *s) {
  walk w = {.n = 0};
  qm_error e = {0, ""};
  qm_arena arena;
  int rc = qm_engine_check(r->engine, s, &e), same;
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "check", e.message);
  FUZZ_OK(r->store->ops->record_scan(r->store, s->number, 0, NULL, 64, note_id, &w));
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  for (uint32_t i = 0; i < w.n; i++) {
    const qm_record *rec = NULL;
    FUZZ_OK(qm_engine_read(r->engine, s, &w.ids[i], &arena, &rec));
    const qm_collection_def *c = qm_schema_collection(s->schema, qm_record_collection(rec));
    for (uint32_t k = 0; k < rec->n_cells; k++)
      read_cell(s, c ? qm_collection_field(c, rec->cells[k].field) : NULL, &rec->cells[k], &arena);
    read_token(s, rec, QM_READ_VALUES, &arena);
    read_token(s, rec, QM_READ_REVIEW, &arena);
    FUZZ_OK(qm_read_same_key(r->engine, s, rec, &same));
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
}

int fuzz_equal(fuzz_replica *a, qm_space *sa, fuzz_replica *b, qm_space *sb) {
  uint8_t va[16], vb[16];
  qm_digest da, db;
  FUZZ_OK(qm_engine_vv_digest(a->engine, sa, va));
  FUZZ_OK(qm_engine_vv_digest(b->engine, sb, vb));
  qm_space_digest(sa, &da);
  qm_space_digest(sb, &db);
  return memcmp(va, vb, 16) == 0 && qm_digest_eq(&da, &db);
}

static int keep_part(void *payload, uint32_t part, qm_slice content) {
  fuzz_parts *p = payload;
  FUZZ_CHECK(part == p->n && part < 64);
  p->parts[p->n++] = qm_slice_of(qm_arena_copy(&p->arena, content.p, content.n), content.n);
  return QM_OK;
}

void fuzz_state(fuzz_replica *from, qm_space *s, fuzz_parts *out) {
  out->n = 0;
  qm_arena_init(&out->arena, fuzz_env(), FUZZ_LIVE_MAX);
  FUZZ_OK(qm_state_write(from->engine, s, keep_part, out));
}

/* What is set aside comes before all else. */
static void take_asides(fuzz_replica *to, fuzz_replica *from, qm_space *s) {
  qm_arena arena;
  qm_buf b;
  qm_aside_counts after = qm_space_asides(to->space);
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_buf_init(&b, fuzz_env(), FUZZ_LIVE_MAX);
  while (qm_engine_aside_read(from->engine, s, after, &arena, &b, &after) == QM_OK) {
    FUZZ_OK(qm_engine_aside_take(to->engine, to->space, qm_buf_slice(&b), NULL, NULL, NULL, NULL));
    qm_buf_clear(&b);
  }
  qm_buf_free(&b);
  qm_arena_free(&arena);
}

/* The first `batches` of what `s` of `from` has in its log. */
static void take_log(fuzz_replica *to, fuzz_replica *from, qm_space *s, uint32_t batches) {
  qm_arena arena;
  qm_buf batch;
  uint64_t cursor = 0;
  int rc = QM_OK;
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_buf_init(&batch, fuzz_env(), QM_BATCH_MAX);
  take_asides(to, from, s);
  FUZZ_OK(qm_engine_push(from->engine, s));
  while (batches-- && rc == QM_OK) {
    qm_ingest in = {.peer = from->device};
    qm_error e = {0, ""};
    rc = qm_engine_next_batch(from->engine, s, (qm_vv_list){NULL, 0}, &cursor, &batch);
    if (rc == QM_ENOTFOUND) break;
    FUZZ_OK(rc);
    FUZZ_OK(qm_engine_begin(to->engine));
    FUZZ_OK(qm_engine_ingest(to->engine, to->space, qm_buf_slice(&batch), &in, &arena, &e));
    FUZZ_OK(qm_engine_commit(to->engine, QM_DURABLE, NULL, NULL));
    if (in.n_refusals) fuzz_fail(__FILE__, __LINE__, "own log refused", in.refusals[0].message);
    FUZZ_CHECK(in.known == 0);
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
}

static void join_state(fuzz_replica *to, fuzz_replica *from, qm_space *s) {
  fuzz_parts parts;
  qm_error e = {0, ""};
  int joined = 0;
  fuzz_state(from, s, &parts);
  int rc = qm_state_join(to->engine, to->space, parts.parts, parts.n, &joined, &e);
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "own state refused", e.message);
  fuzz_check_replica(to, to->space);
  qm_arena_free(&parts.arena);
}

/* S3.8 with something of one's own on the same records: the state joined into it, and its
 * log after the other's, give the same. */
static void check_beside(fuzz_replica *from, qm_space *s, const fuzz_replica *by_log) {
  fuzz_replica own, both = *by_log;
  fuzz_replica_open(&own, 103, 0);
  fuzz_fill(&own, own.space);
  take_log(&both, &own, own.space, UINT32_MAX);
  take_asides(&own, from, s);
  join_state(&own, from, s);
  FUZZ_CHECK(fuzz_equal(&own, own.space, &both, both.space));
  fuzz_replica_close(&own);
}

void fuzz_check_copies(fuzz_replica *from, qm_space *s, uint32_t before) {
  fuzz_replica by_log, by_state;
  fuzz_check_replica(from, s);
  fuzz_replica_open(&by_log, 101, 0);
  take_log(&by_log, from, s, UINT32_MAX);
  FUZZ_CHECK(fuzz_equal(&by_log, by_log.space, from, s));
  if (before < FUZZ_BESIDE) {
    fuzz_replica_open(&by_state, 102, 0);
    take_log(&by_state, from, s, before);
    join_state(&by_state, from, s);
    FUZZ_CHECK(fuzz_equal(&by_state, by_state.space, from, s));
    fuzz_replica_close(&by_state);
  } else {
    check_beside(from, s, &by_log);
  }
  fuzz_replica_close(&by_log);
}
