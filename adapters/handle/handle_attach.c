/* handle_attach.c: attachments as values of records, and which of them are here. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_blob.h"

/* ---- attaching ---- */

static void put_value(qm_buf *b, const qm_blob *blob) {
  qm__handle_put(b, "{\"mime\":");
  qm_json_str(b, qm_str(blob->mime));
  qm__handle_put(b, ",\"sha256\":");
  qm_json_str(b, qm_str(blob->sha256));
  qm__handle_put(b, ",\"size\":");
  qm__handle_put_u64(b, blob->size);
  if (blob->taken[0]) {
    qm__handle_put(b, ",\"taken_at\":");
    qm_json_str(b, qm_str(blob->taken));
  }
  qm__handle_put(b, "}");
}

/* A field that can hold one: before the file is copied. */
static int check_field(qm_tx *tx, qm_slice collection, qm_slice field, qm_error *e) {
  const qm_collection_def *c;
  const qm_field_def *f;
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = qm__handle_collection(tx->space, collection, &c, e);
  if (rc == QM_OK) rc = qm__handle_field(c, field, &f, e);
  int fits = rc == QM_OK && (f->value == QM_VALUE_MAP || f->value == QM_VALUE_ANY) &&
             (f->type == QM_FIELD_REGISTER || f->type == QM_FIELD_SET || f->type == QM_FIELD_LOG);
  if (rc == QM_OK && !fits)
    rc = qm_fail(e, QM_ESCHEMA, "%.*s.%.*s: attachments need a register, set or log of maps",
                 (int)c->name.n, (const char *)c->name.p, (int)f->name.n,
                 (const char *)f->name.p);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_attach(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                  const char *path, qm_text *out, qm_error *e) {
  qm_blob blob;
  qm_buf b;
  if (!tx || !path) return qm_fail(e, QM_EINVAL, "attach: an argument is missing");
  QM_TRY(check_field(tx, collection, field, e));
  QM_TRY(qm__blob_take(tx->db, path, &blob, e));
  qm_buf_init(&b, &tx->db->env, 4096);
  put_value(&b, &blob);
  int rc = qm_buf_status(&b);
  if (rc != QM_OK) qm_fail(e, rc, "%s", qm_err_text(rc));
  if (rc == QM_OK)
    rc = qm_put(tx, collection, record, field, qm_buf_slice(&b), QM_JSON, e);
  if (rc == QM_OK && out) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

/* ---- listing ---- */

typedef struct attachment {
  qm_slice sha256, mime, taken;
  uint64_t size;
} attachment;

static int is_hash(qm_slice s) {
  if (s.n != 64) return 0;
  for (size_t i = 0; i < s.n; i++)
    if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return 0;
  return 1;
}

static void take_member(attachment *a, qm_slice key, qm_slice value) {
  static const struct {
    const char *name;
    size_t at;
  } texts[] = {{"sha256", offsetof(attachment, sha256)},
               {"mime", offsetof(attachment, mime)},
               {"taken_at", offsetof(attachment, taken)}};
  qm_cur c;
  qm_cur_init(&c, value);
  if (key.n == 4 && memcmp(key.p, "size", 4) == 0) {
    if (qm_cur_uint(&c, &a->size) != QM_OK) a->size = 0;
    return;
  }
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (key.n == strlen(texts[i].name) && memcmp(key.p, texts[i].name, key.n) == 0)
      (void)qm_cur_str(&c, (qm_slice *)(void *)((char *)a + texts[i].at));
}

/* A value is an attachment where it is a map with a hash in it. */
static int read_attachment(qm_slice value, attachment *a) {
  qm_cur c;
  uint32_t pairs;
  memset(a, 0, sizeof *a);
  qm_cur_init(&c, value);
  if (!value.n || qm_cur_map(&c, &pairs) != QM_OK) return 0;
  for (uint32_t i = 0; i < pairs; i++) {
    qm_slice key, member;
    if (qm_cur_str(&c, &key) != QM_OK || qm_cur_value(&c, QM_VALUE_DEPTH + 1, &member) != QM_OK)
      return 0;
    take_member(a, key, member);
  }
  return is_hash(a->sha256);
}

typedef struct attachments {
  qm_reading r;
  const qm_collection_def *c;
  qm_buf *out;
  const qm_id *only; /* NULL: all */
} attachments;

static int put_attachment(attachments *x, const qm_record *record, const qm_field_def *f,
                          qm_slice value) {
  attachment a;
  char path[QM_BLOB_PATH_MAX], hex[65] = {0};
  uint64_t size = 0;
  if (!read_attachment(value, &a)) return QM_OK;
  memcpy(hex, a.sha256.p, 64);
  int here = qm__blob_path(x->r.db, hex, path, &size) == QM_OK && size == a.size;
  qm__handle_put(x->out, "{\"collection\":");
  qm_json_str(x->out, x->c->name);
  qm__handle_put(x->out, ",\"id\":");
  qm__handle_put_id(x->out, &record->id);
  qm__handle_put(x->out, ",\"field\":");
  qm_json_str(x->out, f->name);
  qm__handle_put(x->out, ",\"sha256\":");
  qm_json_str(x->out, a.sha256);
  qm__handle_put(x->out, ",\"size\":");
  qm__handle_put_u64(x->out, a.size);
  qm__handle_put(x->out, ",\"mime\":");
  qm_json_str(x->out, a.mime);
  qm__handle_put(x->out, ",\"taken_at\":");
  if (a.taken.n) qm_json_str(x->out, a.taken);
  else qm__handle_put(x->out, "null");
  qm__handle_put(x->out, ",\"status\":");
  qm__handle_put(x->out, here ? "\"here-only\",\"path\":" : "\"announced\"");
  if (here) qm_json_str(x->out, qm_str(path));
  qm__handle_put(x->out, "}\n");
  return qm_buf_status(x->out);
}

static int put_cell(attachments *x, const qm_record *record, const qm_field_def *f,
                    const qm_cell *cell) {
  if (cell->shape == QM_SIBLINGS) {
    qm_contest contest;
    QM_TRY(qm_read_contest(x->r.s, f, cell, &x->r.arena, &contest));
    return contest.shown ? put_attachment(x, record, f, contest.shown->value) : QM_OK;
  }
  if (cell->shape == QM_KEYED) {
    const qm_keyed *k = qm_keyed_of(cell);
    for (uint32_t i = 0; i < k->n; i++) QM_TRY(put_attachment(x, record, f, k->p[i].value));
  }
  if (cell->shape == QM_ENTRIES) {
    const qm_entries *v = qm_entries_of(cell);
    for (uint32_t i = 0; i < v->n; i++)
      if (!v->p[i].erased) QM_TRY(put_attachment(x, record, f, v->p[i].value));
  }
  return QM_OK;
}

static int take_record(void *payload, const qm_record_row *row) {
  attachments *x = payload;
  const qm_record *record;
  qm_arena_reset(&x->r.arena);
  qm_record_class cls;
  QM_TRY(qm__handle_decode(&x->r, row, &record));
  QM_TRY(qm__handle_class_of(&x->r, record, &cls, &record));
  if (!x->only && qm_id_cmp(&cls.id, &row->id) != 0) return QM_OK; /* with the first of them */
  if (!qm_record_visible(record)) return QM_OK;
  for (uint32_t i = 0; i < x->c->n_fields; i++) {
    const qm_field_def *f = &x->c->fields[i];
    if (f->value != QM_VALUE_MAP && f->value != QM_VALUE_ANY) continue;
    const qm_cell *cell = qm_record_cell(record, f->number, qm_field_shape(f));
    if (cell) QM_TRY(put_cell(x, record, f, cell));
  }
  return QM_OK;
}

static int has_maps(const qm_collection_def *c) {
  for (uint32_t i = 0; i < c->n_fields; i++)
    if (c->fields[i].value == QM_VALUE_MAP || c->fields[i].value == QM_VALUE_ANY) return 1;
  return 0;
}

static int list_collection(qm_db *db, qm_space *s, const qm_collection_def *c, const qm_id *only,
                           qm_buf *out) {
  attachments x = {.c = c, .out = out, .only = only};
  const qm_store_ops *ops = db->store->ops;
  if (!has_maps(c)) return QM_OK;
  int rc = qm__handle_reading(db, s, 0, &x.r);
  if (rc == QM_OK && only)
    rc = ops->record_load(db->store, qm__handle_number(s), only, 1, take_record, &x);
  else if (rc == QM_OK)
    rc = ops->record_scan(db->store, qm__handle_number(s), c->number, NULL, SIZE_MAX, take_record,
                          &x);
  qm__handle_reading_free(&x.r);
  return rc;
}

static int list_all(qm_db *db, qm_slice space, qm_slice collection, qm_slice record, qm_buf *out,
                    qm_error *e) {
  qm_space *s;
  const qm_collection_def *c = NULL;
  qm_id id;
  QM_TRY(qm__handle_space(db, space, &s, e));
  const qm_schema *schema = qm_space_schema(s);
  if (collection.n) QM_TRY(qm__handle_collection(s, collection, &c, e));
  if (record.n && !c)
    return qm_fail(e, QM_EINVAL, "attachments: a record needs its collection");
  if (record.n) QM_TRY(qm__handle_record(db, s, c, record, &id, e));
  int rc = QM_OK;
  for (uint32_t i = 0; schema && i < schema->n_collections && rc == QM_OK; i++)
    if (!c || c == &schema->collections[i])
      rc = list_collection(db, s, &schema->collections[i], record.n ? &id : NULL, out);
  return rc == QM_OK ? rc : qm_fail(e, rc, "attachments: %s", qm_err_text(rc));
}

int32_t qm_attachments(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                       qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "attachments: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = list_all(db, space, collection, record, &b, e);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}
