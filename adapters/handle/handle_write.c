/* handle_write.c: the verbs of a transaction (handle_tx.c). */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/norm.h"

/* The last token given for a record counts. */
typedef struct qm_shown_token {
  struct qm_shown_token *next;
  qm_id record;
  qm_slice bytes;
} qm_shown_token;

/* ---- tokens ---- */

/* Errors of reading data mean damage where a file or a peer is read; here it is what the
 * caller gave. */
static int of_caller(int rc) { return rc <= QM_ETRUNCATED && rc >= QM_EOVERSIZE ? QM_EINVAL : rc; }

/* The record stands third in a token (core/token.h). */
static int token_record(qm_slice token, qm_id *out) {
  qm_cur c;
  uint64_t version, kind;
  uint32_t items;
  qm_cur_init(&c, token);
  if (qm_cur_array(&c, &items) || qm_cur_uint(&c, &version) || qm_cur_uint(&c, &kind))
    return QM_EFORMAT;
  return qm_cur_bin_n(&c, out->b, sizeof out->b) ? QM_EFORMAT : QM_OK;
}

static int shown(qm_tx *tx, qm_slice hex) {
  qm_shown_token *t = qm_arena_zero(&tx->arena, sizeof *t);
  uint8_t *bytes = qm_arena_alloc(&tx->arena, hex.n / 2 + 1);
  if (!t || !bytes) return QM_ENOMEM;
  if (!hex.n || qm_unhex(bytes, hex.n / 2, (const char *)hex.p, hex.n) != QM_OK) return QM_EFORMAT;
  t->bytes = qm_slice_of(bytes, hex.n / 2);
  QM_TRY(token_record(t->bytes, &t->record));
  t->next = tx->shown;
  tx->shown = t;
  return QM_OK;
}

int32_t qm_shown(qm_tx *tx, qm_slice token, qm_error *e) {
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = shown(tx, token);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc == QM_OK ? rc : qm_fail(e, of_caller(rc), "the token: %s", qm_err_text(rc));
}

/* A token of a class is one of each of its members. */
static int token_fits(const qm_tx *tx, const qm_shown_token *t, const qm_record_class *cls) {
  for (uint32_t i = 0; i < cls->n; i++)
    if (qm_id_cmp(&t->record, &cls->members[i]->id) == 0 ||
        (cls->n > 1 && qm_token_about(tx->space, t->bytes, &cls->members[i]->id)))
      return 1;
  return 0;
}

static qm_slice token_of(const qm_tx *tx, const qm_id *record, const qm_record_class *cls) {
  for (const qm_shown_token *t = tx->shown; t; t = t->next)
    if (qm_id_cmp(&t->record, record) == 0 || qm_token_about(tx->space, t->bytes, record) ||
        token_fits(tx, t, cls))
      return t->bytes;
  return qm_slice_of(NULL, 0);
}

/* ---- what every verb does ---- */

typedef struct verb_target {
  const qm_collection_def *collection;
  const qm_field_def *field;
  qm_id record;
  qm_slice token;
} verb_target;

/* core's detail, or at least the code's text. */
static int failed(const qm_tx *tx, int rc, qm_error *e) {
  const qm_error *detail = qm_write_error(tx->write);
  if (rc == QM_OK) return rc;
  int known = detail->code == rc && detail->message[0];
  return qm_fail(e, of_caller(rc), "%s", known ? detail->message : qm_err_text(rc));
}

/* The record belongs to the collection that the caller named. In memory the transaction's own
 * records count. */
static int check_collection(qm_tx *tx, verb_target *t, qm_error *e) {
  qm_record_class cls;
  qm_arena arena;
  qm_arena_init(&arena, &tx->db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm_class_read(tx->db->engine, tx->space, &t->record, 0, &arena, &cls);
  if (rc == QM_OK && qm_record_collection(cls.members[0]) != t->collection->number)
    rc = QM_ENOTFOUND;
  if (rc == QM_OK) t->token = token_of(tx, &t->record, &cls);
  qm_arena_free(&arena);
  if (rc == QM_OK) return rc;
  return qm_fail(e, rc, "%.*s: %s", (int)t->collection->name.n, (const char *)t->collection->name.p,
                 qm_err_text(rc));
}

static int find(qm_tx *tx, qm_slice collection, qm_slice record, verb_target *out, qm_error *e) {
  memset(out, 0, sizeof *out);
  QM_TRY(qm__handle_collection(tx->space, collection, &out->collection, e));
  QM_TRY(qm__handle_record(tx->db, tx->space, out->collection, record, &out->record, e));
  return check_collection(tx, out, e);
}

typedef int (*verb)(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e);

/* Runs a verb that takes a field and a value. */
static int32_t run(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
                   uint32_t flags, verb act, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = qm__handle_field(t.collection, field, &t.field, e);
  if (rc == QM_OK) rc = act(tx, &t, value, flags, e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

/* The value in core's form, in *b that the caller frees. */
static int value_of(qm_tx *tx, const verb_target *t, qm_slice text, uint32_t flags, qm_buf *b,
                    qm_error *e) {
  qm_buf_init(b, &tx->db->env, QM_VALUE_MAX);
  return qm__handle_value(tx->db, tx->space, t->field, text, flags, b, e);
}

static int wrong_type(const verb_target *t, const char *verb_name, qm_error *e) {
  return qm_fail(e, QM_ESCHEMA, "%.*s.%.*s: %s does not fit this type of field",
                 (int)t->collection->name.n, (const char *)t->collection->name.p,
                 (int)t->field->name.n, (const char *)t->field->name.p, verb_name);
}

/* ---- records ---- */

static int set_key(qm_tx *tx, const qm_collection_def *c, const qm_id *id, qm_slice key) {
  qm_buf b;
  qm_buf_init(&b, &tx->db->env, QM_VALUE_MAX);
  qm_mp_str(&b, key.p, key.n);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = qm_write_set(tx->write, id, c->key_field, qm_buf_slice(&b), qm_slice_of(NULL, 0), 0);
  qm_buf_free(&b);
  return rc;
}

/* The key is judged as the field's value before a record is made for it. */
static int check_key(qm_tx *tx, const qm_collection_def *c, qm_slice key, qm_error *e) {
  qm_buf b;
  qm_buf_init(&b, &tx->db->env, QM_VALUE_MAX);
  qm_mp_str(&b, key.p, key.n);
  int rc = qm_buf_status(&b) == QM_ELIMIT ? qm_fail(e, QM_ELIMIT, "the key is too long")
                                          : qm_buf_status(&b);
  if (rc == QM_OK)
    rc = qm_field_value_check(qm_collection_field(c, c->key_field), qm_buf_slice(&b), e);
  qm_buf_free(&b);
  return rc;
}

static int new_record(qm_tx *tx, qm_slice collection, qm_slice key, qm_id *id, int *existing,
                      qm_error *e) {
  const qm_collection_def *c;
  QM_TRY(qm__handle_collection(tx->space, collection, &c, e));
  if (key.n && !c->key_field)
    return qm_fail(e, QM_ESCHEMA, "%.*s: the collection has no natural key", (int)c->name.n,
                   (const char *)c->name.p);
  if (key.n) QM_TRY(check_key(tx, c, key, e));
  int rc = qm_write_new(tx->write, c->number, NULL, key, id, existing);
  if (rc == QM_OK && key.n && !*existing) rc = set_key(tx, c, id, key);
  return failed(tx, rc, e);
}

int32_t qm_new(qm_tx *tx, qm_slice collection, qm_slice key, qm_text *id, int32_t *existing,
               qm_error *e) {
  qm_id record;
  int opened = 0;
  qm_buf text;
  if (!tx || !id) return qm_fail(e, QM_EINVAL, "new: an argument is missing");
  QM_TRY(qm__handle_tx_enter(tx, e));
  qm_buf_init(&text, &tx->db->env, 64);
  uint8_t *to = qm_buf_reserve(&text, QM_HANDLE_ID_SIZE); /* before anything is written */
  int rc = to ? new_record(tx, collection, key, &record, &opened, e)
              : qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  if (rc == QM_OK) {
    qm__handle_id_text(&record, (char *)to);
    text.n = QM_HANDLE_ID_SIZE - 1;
    rc = qm__handle_result(&text, id, e);
  }
  qm_buf_free(&text);
  pthread_mutex_unlock(&tx->db->mutex);
  if (rc == QM_OK && existing) *existing = opened;
  return rc;
}

int32_t qm_delete(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = failed(tx, qm_write_delete(tx->write, &t.record, t.token), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_restore(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = failed(tx, qm_write_restore(tx->write, &t.record), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

/* ---- merged records ---- */

static int32_t of_two(qm_tx *tx, const qm_slice named[3],
                      int (*act)(qm_write *, const qm_id *, const qm_id *), qm_error *e) {
  verb_target one, other;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, named[0], named[1], &one, e);
  if (rc == QM_OK) rc = find(tx, named[0], named[2], &other, e);
  if (rc == QM_OK) rc = failed(tx, act(tx->write, &one.record, &other.record), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_merge(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b, qm_error *e) {
  return of_two(tx, (qm_slice[]){collection, a, b}, qm_write_merge, e);
}

int32_t qm_distinct(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b, qm_error *e) {
  return of_two(tx, (qm_slice[]){collection, a, b}, qm_write_distinct, e);
}

int32_t qm_not_distinct(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b, qm_error *e) {
  return of_two(tx, (qm_slice[]){collection, a, b}, qm_write_not_distinct, e);
}

int32_t qm_unmerge(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = failed(tx, qm_write_unmerge(tx->write, &t.record), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

/* The device that also created the record: the one that `text` begins the id of, or the only
 * one besides the first. */
static int other_creator(qm_tx *tx, const verb_target *t, qm_slice text, qm_id *out, qm_error *e) {
  const qm_record *r;
  qm_arena arena;
  qm_id first;
  uint32_t n = 0;
  char shown_id[QM_HANDLE_ID_SIZE];
  qm_arena_init(&arena, &tx->db->env, QM_HANDLE_ARENA_MAX);
  int rc = qm_engine_read(tx->db->engine, tx->space, &t->record, &arena, &r);
  for (uint32_t i = 0; rc == QM_OK && i < r->n_creations; i++) {
    qm_id device;
    qm_author_device(&qm_space_authors(tx->space)->ids[r->creations[i].dot.author], &device);
    if (!i) first = device;
    qm__handle_id_text(&device, shown_id);
    int hit = text.n ? text.n < sizeof shown_id && memcmp(shown_id, text.p, text.n) == 0
                     : qm_id_cmp(&device, &first) != 0;
    if (!hit || (n && qm_id_cmp(&device, out) == 0)) continue;
    *out = device;
    n++;
  }
  qm_arena_free(&arena);
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  if (n > 1) return qm_fail(e, QM_EAMBIGUOUS, "more than one such device created the record");
  return n ? QM_OK : qm_fail(e, QM_EINVAL, "no such device created the record beside another");
}

static void put_split(qm_buf *b, const qm_collection_def *c, const qm_id *id,
                      const qm_split_field *fields, uint32_t n) {
  static const char *const how[] = {[QM_SPLIT_MOVED] = "moved", [QM_SPLIT_COPIED] = "copied"};
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, id);
  qm__handle_put(b, ",\"fields\":{");
  int first = 1;
  for (uint32_t i = 0; i < n; i++) {
    const qm_field_def *f = qm_collection_field(c, fields[i].field);
    if (!f) continue; /* of a newer schema */
    qm__handle_put_name(b, f->name, &first);
    qm_buf_byte(b, '"');
    qm__handle_put(b, how[fields[i].how]);
    qm_buf_byte(b, '"');
  }
  qm__handle_put(b, "}}");
}

int32_t qm_split(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice device, qm_text *out,
                 qm_error *e) {
  verb_target t;
  qm_id from, id;
  qm_buf b;
  const qm_split_field *fields = NULL;
  uint32_t n = 0;
  if (!tx || !out) return qm_fail(e, QM_EINVAL, "split: an argument is missing");
  QM_TRY(qm__handle_tx_enter(tx, e));
  qm_buf_init(&b, &tx->db->env, QM_HANDLE_TEXT_MAX);
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = other_creator(tx, &t, device, &from, e);
  if (rc == QM_OK)
    rc = failed(tx, qm_write_split(tx->write, &t.record, &from, &id, &fields, &n), e);
  if (rc == QM_OK) {
    put_split(&b, t.collection, &id, fields, n);
    rc = qm__handle_result(&b, out, e);
  }
  qm_buf_free(&b);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

/* ---- siblings ---- */

static int set_siblings(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags,
                        unsigned how, qm_error *e) {
  qm_buf b;
  int rc = value_of(tx, t, value, flags, &b, e);
  if (rc == QM_OK)
    rc = failed(
        tx, qm_write_set(tx->write, &t->record, t->field->number, qm_buf_slice(&b), t->token, how),
        e);
  qm_buf_free(&b);
  return rc;
}

/* Bytes that both begin with, in whole code points; both are checked UTF-8. */
static size_t common_head(qm_slice a, qm_slice b) {
  size_t n = 0;
  while (n < a.n && n < b.n && a.p[n] == b.p[n]) n++;
  while (n && ((n < a.n && (a.p[n] & 0xC0) == 0x80) || (n < b.n && (b.p[n] & 0xC0) == 0x80))) n--;
  return n;
}

static size_t common_tail(qm_slice a, qm_slice b) {
  size_t n = 0;
  while (n < a.n && n < b.n && a.p[a.n - 1 - n] == b.p[b.n - 1 - n]) n++;
  while (n && (a.p[a.n - n] & 0xC0) == 0x80) n--;
  return n;
}

/* Writes what lies between what old and new text have in common at both ends. */
static int splice_difference(qm_tx *tx, const verb_target *t, qm_slice old, qm_slice text) {
  size_t head = common_head(old, text), at, cut;
  qm_slice old_rest = qm_slice_of(old.p + head, old.n - head);
  qm_slice new_rest = qm_slice_of(text.p + head, text.n - head);
  size_t tail = common_tail(old_rest, new_rest);
  qm_slice middle = qm_slice_of(new_rest.p, new_rest.n - tail);
  (void)qm_utf8_check(qm_slice_of(old.p, head), &at);
  (void)qm_utf8_check(qm_slice_of(old_rest.p, old_rest.n - tail), &cut);
  if (!cut && !middle.n) return QM_OK;
  return qm_write_splice(tx->write, &t->record, t->field->number, at, cut, middle, t->token);
}

/* What this transaction shows of the field: of merged records, of all of them. */
static int current(qm_tx *tx, const verb_target *t, qm_arena *arena, const qm_record **out) {
  qm_record_class cls;
  QM_TRY(qm_class_read(tx->db->engine, tx->space, &t->record, 0, arena, &cls));
  return qm_class_view(&cls, qm_space_authors(tx->space), t->field->number, arena, out);
}

/* Appends the text as this transaction shows it. */
static int current_text(qm_tx *tx, const verb_target *t, qm_buf *out) {
  const qm_record *r;
  qm_arena arena;
  qm_arena_init(&arena, &tx->db->env, QM_HANDLE_ARENA_MAX);
  int rc = current(tx, t, &arena, &r);
  const qm_cell *cell = rc == QM_OK ? qm_record_cell(r, t->field->number, QM_SEQUENCE) : NULL;
  for (; cell; cell = qm_record_cell_next(r, cell)) qm_sequence_text(cell, out);
  qm_arena_free(&arena);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

/* The text in `value`: as it is, or a JSON string. Borrows value or *b. */
static int text_of(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_buf *b,
                   qm_slice *out, qm_error *e) {
  qm_cur c;
  *out = value;
  qm_buf_init(b, &tx->db->env, QM_VALUE_MAX);
  if (!(flags & QM_JSON)) {
    if (qm_utf8_check(value, NULL)) return QM_OK;
    return qm_fail(e, QM_EINVAL, "%.*s: %s", (int)t->field->name.n, (const char *)t->field->name.p,
                   qm_err_text(QM_EUTF8));
  }
  QM_TRY(qm__handle_value(tx->db, tx->space, t->field, value, flags, b, e));
  qm_cur_init(&c, qm_buf_slice(b));
  if (qm_cur_str(&c, out) == QM_OK) return QM_OK;
  return wrong_type(t, "this value", e);
}

static int set_text(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  qm_buf json, old;
  qm_slice text;
  int rc = text_of(tx, t, value, flags, &json, &text, e);
  qm_buf_init(&old, &tx->db->env, QM_RECORD_MAX);
  if (rc == QM_OK) {
    rc = current_text(tx, t, &old);
    if (rc == QM_OK) rc = splice_difference(tx, t, qm_buf_slice(&old), text);
    rc = failed(tx, rc, e);
  }
  qm_buf_free(&old);
  qm_buf_free(&json);
  return rc;
}

/* ---- lists ---- */

/* One element in place of `cut` at `at`. */
static int put_element(qm_tx *tx, const verb_target *t, uint64_t at, uint64_t cut, qm_slice value,
                       uint32_t flags, qm_slice token, qm_error *e) {
  qm_buf b;
  int rc = value_of(tx, t, value, flags, &b, e);
  qm_slice one = qm_buf_slice(&b);
  if (rc == QM_OK)
    rc = failed(
        tx, qm_write_list(tx->write, &t->record, t->field->number, at, cut, &one, 1, token), e);
  qm_buf_free(&b);
  return rc;
}

static int same_value(qm_slice a, qm_slice b) { return qm_slice_cmp(a, b) == 0; }

/* Writes what lies between what old and new list have in common at both ends. */
static int list_difference(qm_tx *tx, const verb_target *t, const qm_slice *old, uint32_t n_old,
                           const qm_slice *new, uint32_t n) {
  uint32_t head = 0, tail = 0;
  while (head < n && head < n_old && same_value(old[head], new[head])) head++;
  while (tail < n - head && tail < n_old - head &&
         same_value(old[n_old - 1 - tail], new[n - 1 - tail]))
    tail++;
  if (head + tail == n && n == n_old) return QM_OK;
  return qm_write_list(tx->write, &t->record, t->field->number, head, n_old - head - tail,
                       new + head, n - head - tail, t->token);
}

/* The elements of a JSON array, each in core's form; *b holds them. */
static int elements_of(qm_tx *tx, const verb_target *t, qm_slice json, qm_arena *arena, qm_buf *b,
                       qm_slice **out, uint32_t *n, qm_error *e) {
  qm_cur c;
  uint32_t count = 0;
  *n = 0;
  QM_TRY(qm__handle_array(tx->db, tx->space, t->field, json, b, &count, e));
  *out = qm_arena_array(arena, count, sizeof **out);
  if (!*out) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  qm_cur_init(&c, qm_buf_slice(b));
  while (*n < count) QM_TRY(qm_cur_value(&c, QM_VALUE_DEPTH, &(*out)[(*n)++]));
  return QM_OK;
}

/* The list as this transaction shows it. */
static int current_list(qm_tx *tx, const verb_target *t, qm_arena *arena, qm_slice **out,
                        uint32_t *n) {
  const qm_record *r;
  *n = 0;
  *out = NULL;
  QM_TRY(current(tx, t, arena, &r));
  const qm_cell *cell = qm_record_cell(r, t->field->number, QM_SEQUENCE);
  for (; cell; cell = qm_record_cell_next(r, cell)) {
    qm_slice *more;
    uint32_t count;
    QM_TRY(qm_sequence_values(cell, arena, &more, &count));
    *out = qm_arena_grow(arena, *out, *n, *n + count, sizeof **out);
    if (!*out) return QM_ENOMEM;
    if (count) memcpy(*out + *n, more, count * sizeof *more);
    *n += count;
  }
  return QM_OK;
}

static int set_list(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  qm_slice *old = NULL, *new = NULL;
  uint32_t n_old = 0, n = 0;
  qm_arena arena;
  qm_buf b;
  if (value.n && !(flags & QM_JSON))
    return qm_fail(e, QM_ESCHEMA, "field %.*s: the whole list is set as a JSON array",
                   (int)t->field->name.n, (const char *)t->field->name.p);
  qm_buf_init(&b, &tx->db->env, QM_RECORD_MAX);
  qm_arena_init(&arena, &tx->db->env, QM_HANDLE_ARENA_MAX);
  int clears = !value.n || same_value(value, qm_str("null"));
  int rc = clears ? QM_OK : elements_of(tx, t, value, &arena, &b, &new, &n, e);
  if (rc == QM_OK) {
    rc = current_list(tx, t, &arena, &old, &n_old);
    if (rc == QM_OK) rc = list_difference(tx, t, old, n_old, new, n);
    rc = failed(tx, rc, e);
  }
  qm_arena_free(&arena);
  qm_buf_free(&b);
  return rc;
}

static int set(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  if (t->field->type == QM_FIELD_TEXT) return set_text(tx, t, value, flags, e);
  if (t->field->type == QM_FIELD_LIST) return set_list(tx, t, value, flags, e);
  if (qm_field_shape(t->field) != QM_SIBLINGS) return wrong_type(t, "set", e);
  return set_siblings(tx, t, value, flags, 0, e);
}

static int settle(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  if (qm_field_shape(t->field) != QM_SIBLINGS) return wrong_type(t, "settle", e);
  return set_siblings(tx, t, value, flags, QM_WRITE_SETTLE, e);
}

static int beyond(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  qm_buf b;
  int rc = value_of(tx, t, value, flags, &b, e);
  if (rc == QM_OK)
    rc = failed(
        tx, qm_write_raise(tx->write, &t->record, t->field->number, qm_buf_slice(&b), t->token), e);
  qm_buf_free(&b);
  return rc;
}

static int raise_max(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  if (t->field->type != QM_FIELD_MAX) return wrong_type(t, "raise", e);
  return beyond(tx, t, value, flags, e);
}

static int lower_min(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  if (t->field->type != QM_FIELD_MIN) return wrong_type(t, "lower", e);
  return beyond(tx, t, value, flags, e);
}

/* ---- sets, counters, logs, texts ---- */

static int add(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  qm_buf b;
  if (t->field->type != QM_FIELD_SET) return wrong_type(t, "add", e);
  int rc = value_of(tx, t, value, flags, &b, e);
  if (rc == QM_OK)
    rc = failed(tx,
                qm_write_add(tx->write, &t->record, t->field->number, qm_buf_slice(&b),
                             flags & QM_AGAIN ? QM_WRITE_AGAIN : 0u),
                e);
  qm_buf_free(&b);
  return rc;
}

static int remove_element(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags,
                          qm_error *e) {
  qm_buf b;
  if (t->field->type != QM_FIELD_SET) return wrong_type(t, "remove", e);
  int rc = value_of(tx, t, value, flags, &b, e);
  if (rc == QM_OK)
    rc = failed(
        tx, qm_write_remove(tx->write, &t->record, t->field->number, qm_buf_slice(&b), t->token),
        e);
  qm_buf_free(&b);
  return rc;
}

static int inc_by(qm_tx *tx, const verb_target *t, int64_t delta, qm_error *e) {
  if (t->field->type != QM_FIELD_COUNTER) return wrong_type(t, "inc", e);
  return failed(tx, qm_write_inc(tx->write, &t->record, t->field->number, delta), e);
}

static int inc(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  int64_t delta = 0;
  (void)flags;
  if (qm__handle_delta(value, &delta) != QM_OK)
    return qm_fail(e, QM_ESCHEMA, "field %.*s: the value must be a whole number",
                   (int)t->field->name.n, (const char *)t->field->name.p);
  return inc_by(tx, t, delta, e);
}

static int append_text(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags,
                       qm_error *e) {
  qm_buf json;
  qm_slice text;
  int rc = text_of(tx, t, value, flags, &json, &text, e);
  /* The end is the end whatever the form showed: no token, so that it is never stale. */
  if (rc == QM_OK && text.n)
    rc = failed(tx,
                qm_write_splice(tx->write, &t->record, t->field->number, UINT64_MAX, 0, text,
                                qm_slice_of(NULL, 0)),
                e);
  qm_buf_free(&json);
  return rc;
}

static int append(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  qm_buf b;
  if (t->field->type == QM_FIELD_TEXT) return append_text(tx, t, value, flags, e);
  if (t->field->type == QM_FIELD_LIST)
    return put_element(tx, t, UINT64_MAX, 0, value, flags, qm_slice_of(NULL, 0), e);
  if (t->field->type != QM_FIELD_LOG) return wrong_type(t, "append", e);
  int rc = value_of(tx, t, value, flags, &b, e);
  if (rc == QM_OK)
    rc = failed(tx, qm_write_append(tx->write, &t->record, t->field->number, qm_buf_slice(&b)), e);
  qm_buf_free(&b);
  return rc;
}

static int put(qm_tx *tx, const verb_target *t, qm_slice value, uint32_t flags, qm_error *e) {
  switch (t->field->type) {
    case QM_FIELD_MAX: return raise_max(tx, t, value, flags, e);
    case QM_FIELD_MIN: return lower_min(tx, t, value, flags, e);
    case QM_FIELD_SET: return add(tx, t, value, flags, e);
    case QM_FIELD_COUNTER: return inc(tx, t, value, flags, e);
    case QM_FIELD_LOG:
    case QM_FIELD_LIST:
    case QM_FIELD_TEXT: return append(tx, t, value, flags, e);
    default: return set(tx, t, value, flags, e);
  }
}

/* ---- the public verbs ---- */

int32_t qm_set(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
               uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, set, e);
}

int32_t qm_settle(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
                  uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, settle, e);
}

int32_t qm_raise(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
                 uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, raise_max, e);
}

int32_t qm_lower(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
                 uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, lower_min, e);
}

int32_t qm_add(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice element,
               uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, element, flags, add, e);
}

int32_t qm_remove(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice element,
                  uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, element, flags, remove_element, e);
}

int32_t qm_append(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
                  uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, append, e);
}

int32_t qm_reverse(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice entry,
                   qm_slice reason, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = qm__handle_field(t.collection, field, &t.field, e);
  if (rc == QM_OK && !qm_utf8_check(reason, NULL)) rc = qm_fail(e, QM_EINVAL, "no UTF-8");
  else if (rc == QM_OK)
    rc = failed(tx, qm_write_reverse(tx->write, &t.record, t.field->number, entry, reason), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_put(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, qm_slice value,
               uint32_t flags, qm_error *e) {
  return run(tx, collection, record, field, value, flags, put, e);
}

int32_t qm_inc(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, int64_t delta,
               qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = qm__handle_field(t.collection, field, &t.field, e);
  if (rc == QM_OK) rc = inc_by(tx, &t, delta, e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_splice(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, uint64_t at,
                  uint64_t cut, qm_slice text, qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, collection, record, &t, e);
  if (rc == QM_OK) rc = qm__handle_field(t.collection, field, &t.field, e);
  if (rc == QM_OK && t.field->type != QM_FIELD_TEXT) rc = wrong_type(&t, "splice", e);
  if (rc == QM_OK)
    rc = failed(tx, qm_write_splice(tx->write, &t.record, t.field->number, at, cut, text, t.token),
                e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

/* Finds the list and takes `cut` elements at `at` out; where `value` is not NULL, puts it in. */
static int32_t edit_list(qm_tx *tx, const qm_slice named[3], uint64_t at, uint64_t cut,
                         const qm_slice *value, uint32_t flags, const char *verb_name,
                         qm_error *e) {
  verb_target t;
  if (!tx) return qm_fail(e, QM_EINVAL, "there is no transaction");
  QM_TRY(qm__handle_tx_enter(tx, e));
  int rc = find(tx, named[0], named[1], &t, e);
  if (rc == QM_OK) rc = qm__handle_field(t.collection, named[2], &t.field, e);
  if (rc == QM_OK && t.field->type != QM_FIELD_LIST) rc = wrong_type(&t, verb_name, e);
  if (rc == QM_OK && value) rc = put_element(tx, &t, at, cut, *value, flags, t.token, e);
  else if (rc == QM_OK)
    rc = failed(tx,
                qm_write_list(tx->write, &t.record, t.field->number, at, cut, NULL, 0, t.token), e);
  pthread_mutex_unlock(&tx->db->mutex);
  return rc;
}

int32_t qm_insert(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, uint64_t at,
                  qm_slice value, uint32_t flags, qm_error *e) {
  return edit_list(tx, (qm_slice[]){collection, record, field}, at, 0, &value, flags, "insert", e);
}

int32_t qm_replace(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, uint64_t at,
                   qm_slice value, uint32_t flags, qm_error *e) {
  return edit_list(tx, (qm_slice[]){collection, record, field}, at, 1, &value, flags, "replace",
                   e);
}

int32_t qm_remove_at(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field, uint64_t at,
                     uint64_t count, qm_error *e) {
  return edit_list(tx, (qm_slice[]){collection, record, field}, at, count, NULL, 0, "remove_at",
                   e);
}
