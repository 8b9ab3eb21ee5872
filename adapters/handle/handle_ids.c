/* handle_ids.c: records by the names people give them. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/norm.h"

#define PREFIX_MIN 4u

void qm__handle_id_text(const qm_id *id, char to[QM_HANDLE_ID_SIZE]) {
  qm_base32(to, id->b, sizeof id->b);
}

int qm__handle_id_parse(qm_slice text, qm_id *out) {
  const char *p = (const char *)text.p;
  if (text.n == 2 * QM_ID_SIZE && qm_unhex(out->b, QM_ID_SIZE, p, text.n) == QM_OK) return QM_OK;
  return qm_unbase32(out->b, QM_ID_SIZE, p, text.n);
}

/* ---- prefixes ---- */

/* The ids that begin with the text: first to last, both within. A prefix of n symbols fixes
 * 5n bits; the rest is filled up with the least and the greatest symbols. */
static int prefix_range(qm_slice text, qm_id *first, qm_id *last) {
  char symbols[QM_HANDLE_ID_SIZE];
  size_t n = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '-' || text.p[i] == ' ') continue;
    if (n == QM_HANDLE_ID_SIZE - 2) return QM_EFORMAT; /* a whole id, and not a good one */
    symbols[n++] = (char)text.p[i];
  }
  if (n < PREFIX_MIN) return QM_EFORMAT;
  memset(symbols + n, '0', QM_HANDLE_ID_SIZE - 1 - n);
  QM_TRY(qm_unbase32(first->b, QM_ID_SIZE, symbols, QM_HANDLE_ID_SIZE - 1));
  memset(symbols + n, 'Z', QM_HANDLE_ID_SIZE - 1 - n);
  symbols[QM_HANDLE_ID_SIZE - 2] = 'W'; /* 11100: of the last symbol two bits are not the id's */
  return qm_unbase32(last->b, QM_ID_SIZE, symbols, QM_HANDLE_ID_SIZE - 1);
}

typedef struct prefix_scan {
  qm_id last, found;
  uint32_t n;
} prefix_scan;

static int take_id(void *payload, const qm_record_row *row) {
  prefix_scan *p = payload;
  if (qm_id_cmp(&row->id, &p->last) > 0) return QM_STORE_STOP;
  p->found = row->id;
  p->n++;
  return QM_OK;
}

/* The id before this one; 0 where it is the least. */
static int before(qm_id *id) {
  for (int i = QM_ID_SIZE - 1; i >= 0; i--)
    if (id->b[i]-- != 0) return 1;
  return 0;
}

static int by_prefix(qm_db *db, qm_space *s, const qm_collection_def *c, qm_slice text, qm_id *out,
                     qm_error *e) {
  prefix_scan scan = {.n = 0};
  qm_id after;
  if (prefix_range(text, &after, &scan.last) != QM_OK)
    return qm_fail(e, QM_ENOTFOUND,
                   "no such record: give 26 characters of an id, at least its "
                   "first 4, or key:VALUE");
  int rest = before(&after);
  int rc = db->store->ops->record_scan(db->store, qm__handle_number(s), c->number,
                                       rest ? &after : NULL, 2, take_id, &scan);
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  if (scan.n > 1) return qm_fail(e, QM_EAMBIGUOUS, "%s", qm_err_text(QM_EAMBIGUOUS));
  if (!scan.n) return qm_fail(e, QM_ENOTFOUND, "no record whose id begins so");
  *out = scan.found;
  return QM_OK;
}

/* ---- natural keys ---- */

static int by_key(qm_db *db, qm_space *s, const qm_collection_def *c, qm_slice key, qm_id *out,
                  qm_error *e) {
  qm_buf norm;
  if (!c->key_field)
    return qm_fail(e, QM_ENOTFOUND, "%.*s: the collection has no natural key", (int)c->name.n,
                   (const char *)c->name.p);
  qm_buf_init(&norm, &db->env, QM_VALUE_MAX * 4);
  int rc = qm_norm_key(&norm, key, (qm_norm_form)c->key_form);
  if (rc == QM_OK) rc = qm_engine_find_key(db->engine, s, c, qm_buf_slice(&norm), out);
  qm_buf_free(&norm);
  return rc == QM_OK ? rc : qm_fail(e, rc, "no visible record with this key: %s", qm_err_text(rc));
}

int qm__handle_record(qm_db *db, qm_space *s, const qm_collection_def *c, qm_slice text, qm_id *out,
                      qm_error *e) {
  static const char key[] = "key:";
  const size_t n = sizeof key - 1;
  if (text.n >= n && memcmp(text.p, key, n) == 0)
    return by_key(db, s, c, qm_slice_of(text.p + n, text.n - n), out, e);
  if (qm__handle_id_parse(text, out) != QM_OK) return by_prefix(db, s, c, text, out, e);
  if (qm_id_is_zero(out)) return qm_fail(e, QM_ENOTFOUND, "the zero id is no record");
  return QM_OK;
}
