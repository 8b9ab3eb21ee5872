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

static int take_effect(void *payload, const qm_change *change, const qm_op *op, qm_arena *arena) {
  refused_export *x = payload;
  qm_space_info info;
  const qm_collection_def *c;
  qm_buf *b = x->out;
  if (change->author != x->author || op->counter < x->row->counter) return QM_OK;
  QM_TRY(collection_of(x, op, arena, &c));
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
  qm__handle_put_effect(b, c, op);
  qm__handle_put(b, ",\"time\":");
  qm__handle_put_u64(b, qm_time_ms(change->time));
  qm__handle_put(b, ",\"code\":\"");
  qm__handle_put(b, qm_err_name(x->row->code));
  qm__handle_put(b, "\",\"message\":");
  int clean = qm_utf8_check(x->row->message, NULL);
  qm_json_str(b, clean ? x->row->message : qm_str(qm_err_text(x->row->code)));
  qm__handle_put(b, "}\n");
  return qm_buf_status(b) == QM_OK ? QM_OK : QM_ENOMEM;
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
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "export-refused: %s", qm_err_text(rc));
}
