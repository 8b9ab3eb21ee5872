/* handle_refused.c: what the hub does not accept of this device stays here, readable. An
 * author that was refused stops there in that space, so all that it wrote from the refused
 * segment on is held back; what the hub takes later after all is no longer refused. */
#include <string.h>

#include "adapters/handle/handle.h"

#define PREFIX_SIZE (sizeof QM_META_REFUSED - 1)
#define KEY_SIZE (PREFIX_SIZE + QM_ID_SIZE + QM_AUTHOR_SIZE)
#define MESSAGE_MAX 200u

int qm__handle_refused_put(qm_db *db, const qm_refused_row *row) {
  uint8_t key[KEY_SIZE];
  qm_buf b;
  size_t n = row->message.n < MESSAGE_MAX ? row->message.n : MESSAGE_MAX;
  memcpy(key, QM_META_REFUSED, PREFIX_SIZE);
  memcpy(key + PREFIX_SIZE, row->space.b, QM_ID_SIZE);
  memcpy(key + PREFIX_SIZE + QM_ID_SIZE, row->author.b, QM_AUTHOR_SIZE);
  qm_buf_init(&b, &db->env, 1024);
  qm_mp_array(&b, 4);
  qm_mp_uint(&b, row->counter);
  qm_mp_int(&b, row->code);
  qm_mp_bin(&b, row->message.p, n); /* from the peer: not trusted to be UTF-8 */
  qm_mp_uint(&b, row->at_ms);
  qm_meta_pair pair = {qm_slice_of(key, sizeof key), qm_buf_slice(&b)};
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = qm__handle_meta_put(db, &pair, 1);
  qm_buf_free(&b);
  return rc;
}

typedef struct refused_scan {
  qm_db *db;
  qm_visit_refused visit;
  void *payload;
} refused_scan;

static int take_meta(void *payload, qm_slice key, qm_slice value) {
  refused_scan *scan = payload;
  qm_refused_row row;
  qm_cur c;
  int64_t code;
  uint32_t author;
  if (key.n != KEY_SIZE) return QM_ECORRUPT;
  memcpy(row.space.b, key.p + PREFIX_SIZE, QM_ID_SIZE);
  memcpy(row.author.b, key.p + PREFIX_SIZE + QM_ID_SIZE, QM_AUTHOR_SIZE);
  qm_cur_init(&c, value);
  qm_cur_array_n(&c, 4);
  qm_cur_uint(&c, &row.counter);
  qm_cur_int(&c, &code);
  qm_cur_bin(&c, &row.message);
  qm_cur_uint(&c, &row.at_ms);
  if (qm_cur_end(&c) != QM_OK || code >= 0 || code < INT16_MIN) return QM_ECORRUPT;
  row.code = (int32_t)code;
  qm_space *s = qm_engine_space(scan->db->engine, &row.space);
  if (!s || qm_authors_find(qm_space_authors(s), &row.author, &author) != QM_OK) return QM_OK;
  if (qm_vv_get(qm_space_acknowledged(s), author) > row.counter) return QM_OK; /* taken since */
  return scan->visit(scan->payload, s, &row);
}

int qm__handle_refused_each(qm_db *db, qm_visit_refused visit, void *payload) {
  refused_scan scan = {db, visit, payload};
  return db->store->ops->meta_scan(db->store, qm_str(QM_META_REFUSED), take_meta, &scan);
}

/* ---- set aside ---- */

typedef struct aside_count {
  qm_db *db;
  uint64_t n;
} aside_count;

static int is_own(const qm_db *db, const qm_author *author) {
  qm_id device;
  qm_author_device(author, &device);
  return qm_id_cmp(&device, qm_key_device(db->key)) == 0;
}

static int count_copy(void *payload, const qm_aside_copy *copy) {
  aside_count *x = payload;
  x->n += is_own(x->db, &copy->author) && copy->status != QM_ASIDE_APPROVED;
  return QM_OK;
}

int qm__handle_aside_count(qm_db *db, qm_space *s, uint64_t *out) {
  aside_count x = {db, 0};
  int rc = QM_OK;
  if (s) {
    rc = qm_engine_aside_copies(db->engine, s, count_copy, &x);
  } else {
    for (uint32_t i = 0; i < qm_engine_space_count(db->engine) && rc == QM_OK; i++)
      rc = qm_engine_aside_copies(db->engine, qm_engine_space_at(db->engine, i), count_copy, &x);
  }
  *out = x.n;
  return rc;
}

/* ---- export ---- */

typedef struct refused_export {
  qm_db *db;
  qm_space *s;
  const qm_refused_row *row;
  uint32_t author;
  qm_buf *out;
} refused_export;

/* The collection of a record as committed; NULL where it is not known. */
static int collection_of(refused_export *x, const qm_op *op, qm_arena *arena,
                         const qm_collection_def **out) {
  const qm_record *r;
  const qm_schema *schema = qm_space_schema(x->s);
  qm_reading reading = {.db = x->db, .s = x->s};
  *out = NULL;
  reading.arena = *arena;
  int rc = qm__read_stored(reading.db->engine, reading.s, &op->record, &reading.arena, &r);
  *arena = reading.arena;
  if (rc == QM_OK && schema) *out = qm_schema_collection(schema, qm_record_collection(r));
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* A record that was never accepted is not here: its creation says what it is. */
static const qm_collection_def *created_as(const refused_export *x, const qm_op *op) {
  uint32_t number = 0;
  qm_cur c;
  if (op->shape != QM_PRESENCE || op->kind != QM_KIND_NEW || !qm_space_schema(x->s)) return NULL;
  qm_cur_init(&c, op->value);
  if (qm_cur_uint32(&c, &number) != QM_OK) return NULL;
  return qm_schema_collection(qm_space_schema(x->s), number);
}

static int put_refused(refused_export *x, const qm_change *change, const qm_op *op,
                       qm_arena *arena, const char *status) {
  qm_space_info info;
  const qm_collection_def *c;
  qm_buf *b = x->out;
  int hidden = 0;
  QM_TRY(collection_of(x, op, arena, &c));
  QM_TRY(qm_field_hidden(x->db->engine, x->s, &op->record, op->field, QM_CLASS_COMMITTED, arena,
                         &hidden));
  if (!c) c = created_as(x, op);
  qm_space_info_get(x->s, &info);
  qm__handle_put(b, "{\"space\":");
  qm_json_str(b, info.name);
  qm__handle_put(b, ",\"collection\":");
  if (c)
    qm_json_str(b, c->name);
  else
    qm__handle_put(b, "null");
  qm__handle_put(b, ",\"id\":");
  qm__handle_put_id(b, &op->record);
  qm_buf_byte(b, ',');
  qm__handle_put_effect(b, c, op, hidden);
  qm__handle_put(b, ",\"time\":");
  qm__handle_put_u64(b, qm_time_ms(change->time));
  qm__handle_put(b, ",\"code\":\"");
  qm__handle_put(b, qm_err_name(x->row->code));
  qm__handle_put(b, "\",\"message\":");
  int clean = qm_utf8_check(x->row->message, NULL);
  qm_json_str(b, clean && x->row->message.n ? x->row->message : qm_str(qm_err_text(x->row->code)));
  qm__handle_put(b, ",\"status\":\"");
  qm__handle_put(b, status);
  qm__handle_put(b, "\"}\n");
  return qm_buf_status(b) == QM_OK ? QM_OK : QM_ENOMEM;
}

static int take_effect(void *payload, const qm_change *change, const qm_op *op, qm_arena *arena) {
  refused_export *x = payload;
  if (change->author != x->author || op->counter < x->row->counter) return QM_OK;
  return put_refused(x, change, op, arena, "refused");
}

static int export_copy(void *payload, const qm_aside_copy *copy) {
  refused_export *x = payload;
  qm_refused_row row = {.author = copy->author,
                        .counter = copy->first,
                        .at_ms = copy->at_ms,
                        .code = copy->code,
                        .message = copy->text};
  qm_arena arena;
  int rc = QM_OK;
  if (!is_own(x->db, &copy->author) || copy->status == QM_ASIDE_APPROVED) return QM_OK;
  const char *status = copy->status == QM_ASIDE_DECLINED ? "declined" : "set-aside";
  x->row = &row;
  for (uint32_t i = 0; i < copy->n_changes && rc == QM_OK; i++)
    for (uint32_t o = 0; o < copy->changes[i].n_ops && rc == QM_OK; o++) {
      qm_arena_init(&arena, &x->db->env, QM_HANDLE_ARENA_MAX);
      rc = put_refused(x, &copy->changes[i], &copy->changes[i].ops[o], &arena, status);
      qm_arena_free(&arena);
    }
  x->row = NULL;
  return rc;
}

static int export_copies(refused_export *x) {
  int rc = QM_OK;
  for (uint32_t i = 0; i < qm_engine_space_count(x->db->engine) && rc == QM_OK; i++) {
    x->s = qm_engine_space_at(x->db->engine, i);
    rc = qm_engine_aside_copies(x->db->engine, x->s, export_copy, x);
  }
  return rc;
}

static int export_one(void *payload, qm_space *s, const qm_refused_row *row) {
  refused_export *x = payload;
  qm_id device;
  qm_author_device(&row->author, &device);
  if (qm_id_cmp(&device, qm_key_device(x->db->key)) != 0) return QM_OK;
  x->s = s;
  x->row = row;
  QM_TRY(qm_authors_find(qm_space_authors(s), &row->author, &x->author));
  return qm__handle_effects(x->db, s, take_effect, x);
}

int32_t qm_export_refused(qm_db *db, qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "export-refused: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    refused_export x = {.db = db, .out = &b};
    qm_buf_clear(&b);
    rc = qm__handle_refused_each(db, export_one, &x);
    if (rc == QM_OK) rc = export_copies(&x);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "export-refused: %s", qm_err_text(rc));
}
