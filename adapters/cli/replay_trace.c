#include <string.h>
#include <zlib.h>

#include "adapters/cli/replay.h"
#include "adapters/json/json_value.h"
#include "core/hash.h"

#define LINE_MAX_BYTES 1000000

static int op_of(qm_slice name, qm_line_op *out) {
  static const char *const names[] = {"new",    "erase", "set",  "add",  "remove", "inc",
                                      "append", "chop",  "sync", "rush", "meta"};
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strlen(names[i]) == name.n && memcmp(names[i], name.p, name.n) == 0) {
      *out = (qm_line_op)i;
      return QM_OK;
    }
  return QM_EFORMAT;
}

static const uint8_t type_of_op[] = {
    [QM_LINE_SET] = QM_FIELD_REGISTER, [QM_LINE_ADD] = QM_FIELD_SET,
    [QM_LINE_REMOVE] = QM_FIELD_SET,   [QM_LINE_INC] = QM_FIELD_COUNTER,
    [QM_LINE_APPEND] = QM_FIELD_TEXT,  [QM_LINE_CHOP] = QM_FIELD_TEXT};

static void *room(qm_trace *t, void *p, uint32_t n, uint32_t *cap, size_t size) {
  if (n < *cap) return p;
  uint32_t wider = *cap ? *cap * 2 : 64;
  void *q = qm_realloc_array(t->env, p, wider, size);
  if (q) *cap = wider;
  return q;
}

static int same(qm_slice a, qm_slice b) {
  return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static int copy(qm_trace *t, qm_slice *s) {
  s->p = qm_arena_copy(&t->arena, s->p, s->n);
  return s->p ? QM_OK : QM_ENOMEM;
}

static int collection_of(qm_trace *t, qm_slice name, uint32_t *out) {
  for (uint32_t i = 0; i < t->n_collections; i++)
    if (same(t->collections[i].name, name)) {
      *out = i;
      return QM_OK;
    }
  qm_trace_collection *p =
      room(t, t->collections, t->n_collections, &t->cap_collections, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->collections = p;
  QM_TRY(copy(t, &name));
  *out = t->n_collections++;
  p[*out] = (qm_trace_collection){name, *out + 1};
  return QM_OK;
}

static int field_of(qm_trace *t, uint32_t collection, qm_slice name, uint8_t type, uint32_t *out) {
  uint32_t number = 16;
  for (uint32_t i = 0; i < t->n_fields; i++) {
    if (t->fields[i].collection != collection) continue;
    number++;
    if (!same(t->fields[i].name, name)) continue;
    *out = i;
    return t->fields[i].type == type ? QM_OK : QM_ESCHEMA;
  }
  qm_trace_field *p = room(t, t->fields, t->n_fields, &t->cap_fields, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->fields = p;
  QM_TRY(copy(t, &name));
  *out = t->n_fields++;
  p[*out] = (qm_trace_field){collection, name, number, type};
  return QM_OK;
}

static uint32_t bucket_of(const qm_trace *t, const qm_id *id) {
  uint32_t h;
  memcpy(&h, id->b, sizeof h);
  return h % t->n_buckets;
}

static int rehash(qm_trace *t) {
  uint32_t n = t->n_buckets ? t->n_buckets * 4 + 1 : 4099;
  uint32_t *b = qm_realloc_array(t->env, t->buckets, n, sizeof *b);
  if (!b) return QM_ENOMEM;
  t->buckets = b;
  t->n_buckets = n;
  memset(b, 0xff, n * sizeof *b);
  for (uint32_t i = 0; i < t->n_records; i++) {
    uint32_t at = bucket_of(t, &t->records[i].id);
    t->records[i].next = b[at];
    b[at] = i;
  }
  return QM_OK;
}

/* Record id = first 16 bytes of SHA-256(c ‖ 0x00 ‖ r). */
static int record_of(qm_trace *t, uint32_t collection, qm_slice name, uint32_t *out) {
  qm_sha sha;
  qm_hash hash;
  qm_id id;
  qm_sha_init(&sha);
  qm_sha_add(&sha, t->collections[collection].name.p, t->collections[collection].name.n);
  qm_sha_add(&sha, "", 1);
  qm_sha_add(&sha, name.p, name.n);
  qm_sha_end(&sha, &hash);
  memcpy(id.b, hash.b, sizeof id.b);
  if (t->n_records >= t->n_buckets) QM_TRY(rehash(t));
  uint32_t at = bucket_of(t, &id);
  for (uint32_t i = t->buckets[at]; i != UINT32_MAX; i = t->records[i].next)
    if (qm_id_cmp(&t->records[i].id, &id) == 0) {
      *out = i;
      return QM_OK;
    }
  qm_trace_record *p = room(t, t->records, t->n_records, &t->cap_records, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->records = p;
  QM_TRY(copy(t, &name));
  *out = t->n_records++;
  p[*out] = (qm_trace_record){collection, name, id, t->buckets[at]};
  t->buckets[at] = *out;
  return QM_OK;
}

/* --- one line --- */

typedef struct qm_raw_line {
  qm_trace *t;
  qm_slice op, c, r, f, v;
  uint64_t d, time, n, devices;
  int has_op, has_d;
} qm_raw_line;

static int text_of(qm_raw_line *l, qm_slice value, qm_slice *out) {
  qm_cur c;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_str(&c, out));
  return copy(l->t, out);
}

static int number_of(qm_slice value, uint64_t *out) {
  qm_cur c;
  qm_cur_init(&c, value);
  return qm_cur_uint(&c, out);
}

static int grids_of(qm_raw_line *l, qm_slice value) {
  qm_cur c;
  uint32_t n = 0;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_array(&c, &n));
  /* Lines read so far were held against the first one. */
  if (l->t->grid_of_device) return QM_EFORMAT;
  l->t->grid_of_device = qm_arena_array(&l->t->arena, n + 1, sizeof *l->t->grid_of_device);
  if (!l->t->grid_of_device) return QM_ENOMEM;
  l->t->devices = n;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_uint32(&c, &l->t->grid_of_device[i]));
    if (l->t->grid_of_device[i] >= 65535) return QM_ERANGE;
    if (l->t->grid_of_device[i] >= l->t->grids) l->t->grids = l->t->grid_of_device[i] + 1;
  }
  return n > 255 * 256 ? QM_ERANGE : QM_OK;
}

static int member(void *payload, qm_slice key, qm_slice value) {
  qm_raw_line *l = payload;
  if (key.n == 1) {
    switch (key.p[0]) {
      case 'd': l->has_d = 1; return number_of(value, &l->d);
      case 't': return number_of(value, &l->time);
      case 'n': return number_of(value, &l->n);
      case 'c': return text_of(l, value, &l->c);
      case 'r': return text_of(l, value, &l->r);
      case 'f': return text_of(l, value, &l->f);
      case 'v': l->v = value; return copy(l->t, &l->v);
      default: return QM_OK;
    }
  }
  if (same(key, qm_slice_of("op", 2))) {
    l->has_op = 1;
    return text_of(l, value, &l->op);
  }
  if (same(key, qm_slice_of("grid_of_device", 14))) return grids_of(l, value);
  return QM_OK;
}

static int add_line(qm_trace *t, const qm_raw_line *raw, qm_error *e) {
  qm_line line = {.t = raw->time, .n = raw->n, .value = raw->v};
  uint32_t collection = 0;
  if (!raw->has_op || op_of(raw->op, &line.op) != QM_OK)
    return qm_fail(e, QM_EFORMAT, "unknown op");
  if (line.op == QM_LINE_META) return QM_OK;
  if (line.op != QM_LINE_RUSH && (!raw->has_d || raw->d >= t->devices))
    return qm_fail(e, QM_EFORMAT, "device number missing or not in meta");
  line.device = (uint32_t)raw->d;
  if (line.op < QM_LINE_SYNC) {
    if (!raw->c.n || !raw->r.n) return qm_fail(e, QM_EFORMAT, "collection or record missing");
    QM_TRY(collection_of(t, raw->c, &collection));
    QM_TRY(record_of(t, collection, raw->r, &line.record));
  }
  if (line.op >= QM_LINE_SET && line.op < QM_LINE_SYNC) {
    if (!raw->f.n || (line.op != QM_LINE_CHOP && !raw->v.n))
      return qm_fail(e, QM_EFORMAT, "field or value missing");
    QM_TRY(field_of(t, collection, raw->f, type_of_op[line.op], &line.field));
  }
  qm_line *p = room(t, t->lines, t->n_lines, &t->cap_lines, sizeof *p);
  if (!p) return QM_ENOMEM;
  t->lines = p;
  p[t->n_lines++] = line;
  return QM_OK;
}

static int read_lines(qm_trace *t, gzFile in, char *line, qm_error *e) {
  for (unsigned number = 1; gzgets(in, line, LINE_MAX_BYTES); number++) {
    qm_raw_line raw = {.t = t};
    qm_error why = {0, ""};
    size_t n = strlen(line);
    if (!n || line[0] == '\n') continue;
    if (line[n - 1] != '\n' && !gzeof(in))
      return qm_fail(e, QM_ELIMIT, "trace line %u is too long", number);
    int rc = qm_json_object(t->env, qm_slice_of(line, n), member, &raw, &why);
    if (rc == QM_OK) rc = add_line(t, &raw, &why);
    if (rc != QM_OK)
      return qm_fail(e, rc, "trace line %u: %s", number, why.code ? why.message : qm_err_text(rc));
  }
  int zrc = Z_OK;
  gzerror(in, &zrc);
  return zrc == Z_OK || zrc == Z_STREAM_END ? QM_OK
                                            : qm_fail(e, QM_EFORMAT, "trace: damaged gzip file");
}

int qm_trace_read(qm_trace *t, const qm_env *env, const char *path, qm_error *e) {
  memset(t, 0, sizeof *t);
  t->env = env;
  qm_arena_init(&t->arena, env, (size_t)8 << 30);
  char *line = qm_alloc(env, LINE_MAX_BYTES);
  gzFile in = gzopen(path, "rb");
  int rc = !line ? QM_ENOMEM
           : !in ? qm_fail(e, QM_ENOTFOUND, "trace %s cannot be opened", path)
                 : QM_OK;
  if (rc == QM_OK) rc = read_lines(t, in, line, e);
  if (rc == QM_OK && (!t->devices || !t->n_lines))
    rc = qm_fail(e, QM_EFORMAT, "trace %s has no meta line or no ops", path);
  if (in) gzclose(in);
  qm_free(env, line);
  if (rc != QM_OK) qm_trace_free(t);
  return rc;
}

void qm_trace_free(qm_trace *t) {
  if (!t->env) return;
  qm_free(t->env, t->lines);
  qm_free(t->env, t->collections);
  qm_free(t->env, t->fields);
  qm_free(t->env, t->records);
  qm_free(t->env, t->buckets);
  qm_arena_free(&t->arena);
  memset(t, 0, sizeof *t);
}

void qm_trace_space(uint32_t grid, qm_id *out) {
  memset(out->b, 0, sizeof out->b);
  out->b[0] = 'g';
  out->b[14] = (uint8_t)(grid >> 8);
  out->b[15] = (uint8_t)grid;
}

void qm_trace_device(uint32_t device, qm_id *out) {
  memset(out->b, 0, sizeof out->b);
  out->b[14] = (uint8_t)(device >> 8); /* 0 up to 255 devices: 15 zero bytes and the number */
  out->b[15] = (uint8_t)device;
}

uint32_t qm_trace_change_end(const qm_trace *t, uint32_t first) {
  const qm_line *a = &t->lines[first];
  uint32_t end = first + 1;
  if (a->op >= QM_LINE_SYNC) return end;
  while (end < t->n_lines && t->lines[end].op < QM_LINE_SYNC && t->lines[end].device == a->device &&
         t->lines[end].t == a->t && t->lines[end].record == a->record)
    end++;
  return end;
}

/* --- the schema the ops imply --- */

static uint8_t value_of_type(uint8_t type) {
  return type == QM_FIELD_COUNTER ? QM_VALUE_INT
         : type == QM_FIELD_TEXT  ? QM_VALUE_TEXT
                                  : QM_VALUE_ANY;
}

int qm_trace_schema(const qm_trace *t, qm_buf *out, qm_error *e) {
  qm_arena a;
  qm_arena_init(&a, t->env, 16u << 20);
  qm_collection_def *c = qm_arena_array(&a, t->n_collections, sizeof *c);
  qm_field_def *f = qm_arena_array(&a, (size_t)t->n_fields + t->n_collections, sizeof *f);
  int rc = c && f ? QM_OK : QM_ENOMEM;
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->n_collections && rc == QM_OK; i++) {
    c[i] = (qm_collection_def){.number = t->collections[i].number,
                               .name = t->collections[i].name,
                               .purpose = qm_slice_of("replay", 6),
                               .retention = qm_slice_of("P1D", 3),
                               .fields = f + n};
    for (uint32_t j = 0; j < t->n_fields; j++) {
      if (t->fields[j].collection != i) continue;
      f[n++] = (qm_field_def){.number = t->fields[j].number,
                              .name = t->fields[j].name,
                              .type = t->fields[j].type,
                              .value = value_of_type(t->fields[j].type),
                              .cls = QM_CLASS_WORK};
      c[i].n_fields++;
    }
    if (!c[i].n_fields) { /* only created and deleted: a schema wants a field all the same */
      f[n++] = (qm_field_def){.number = 16,
                              .name = qm_slice_of("none", 4),
                              .type = QM_FIELD_REGISTER,
                              .cls = QM_CLASS_WORK};
      c[i].n_fields = 1;
    }
  }
  qm_schema s = {.version = 1,
                 .name = qm_slice_of("replay", 6),
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = c,
                 .n_collections = t->n_collections};
  if (rc == QM_OK) rc = qm_schema_check(&s, e);
  if (rc == QM_OK) qm_schema_encode(&s, out);
  if (rc == QM_OK) rc = qm_buf_status(out);
  qm_arena_free(&a);
  return rc;
}
