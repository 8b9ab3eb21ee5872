/* handle_key.c: where the device's key lies: in the database, in the app's key store as bytes,
 * or where only signatures come out. */
#include <string.h>

#include "adapters/handle/handle.h"

static int save(qm_db *db, qm_slice der) {
  const qm_options *o = &db->options;
  if (o->key_save) return o->key_save(o->payload, der.p, der.n);
  qm_meta_pair pair = {qm_str(QM_META_KEY), der};
  return qm__handle_meta_put(db, &pair, 1);
}

static int save_key(qm_db *db, const qm_key *key) {
  qm_buf der;
  qm_buf_init(&der, &db->env, QM_PEM_SIZE_MAX);
  int rc = qm_key_to_der(key, &der);
  if (rc == QM_OK) rc = save(db, qm_buf_slice(&der));
  if (der.p) qm_wipe(der.p, der.n);
  qm_buf_free(&der);
  return rc;
}

/* Into a key store that has none yet, and out of the database. */
static int move_key(qm_db *db, qm_buf *der) {
  qm_meta_pair none = {qm_str(QM_META_KEY), qm_slice_of(NULL, 0)};
  QM_TRY(qm__handle_meta_get(db, QM_META_KEY, der));
  QM_TRY(save(db, qm_buf_slice(der)));
  return qm__handle_meta_put(db, &none, 1);
}

/* QM_ENOTFOUND: there is no key. */
static int load(qm_db *db, qm_buf *der) {
  const qm_options *o = &db->options;
  uint8_t bytes[QM_PEM_SIZE_MAX / 16];
  size_t n = sizeof bytes;
  if (!o->key_load) return qm__handle_meta_get(db, QM_META_KEY, der);
  int rc = o->key_load(o->payload, bytes, &n);
  if (rc == QM_OK && n > sizeof bytes) rc = QM_ELIMIT;
  if (rc == QM_OK) {
    qm_buf_add(der, bytes, n);
    rc = qm_buf_status(der);
  }
  qm_wipe(bytes, sizeof bytes);
  return rc == QM_ENOTFOUND && !(o->flags & QM_OPEN_READONLY) ? move_key(db, der) : rc;
}

/* What was written here was signed by the device that the author's id begins with. */
static int check_device(qm_db *db, const qm_key *key) {
  qm_buf author;
  qm_buf_init(&author, &db->env, QM_AUTHOR_SIZE);
  int rc = qm__handle_meta_get(db, "author", &author);
  if (rc == QM_OK && author.n == QM_AUTHOR_SIZE &&
      memcmp(author.p, qm_key_device(key)->b, QM_ID_SIZE) != 0)
    rc = QM_EACCESS;
  qm_buf_free(&author);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int external(qm_db *db, qm_key **out) {
  const qm_options *o = &db->options;
  uint8_t point[QM_POINT_SIZE] = {0};
  int rc = o->key_point(o->payload, point);
  if (rc == QM_OK) rc = qm_key_external(&db->env, point, o->key_sign, o->payload, out);
  return rc > 0 ? QM_EACCESS : rc;
}

static int inner(qm_db *db, qm_key **out) {
  qm_buf der;
  qm_buf_init(&der, &db->env, QM_PEM_SIZE_MAX);
  int rc = load(db, &der);
  if (rc == QM_OK) {
    rc = qm_key_from_der(&db->env, qm_buf_slice(&der), out);
    if (rc != QM_OK && rc != QM_ENOMEM) rc = QM_ECORRUPT;
  } else if (rc == QM_ENOTFOUND) {
    rc = qm_key_generate(&db->env, out);
    if (rc == QM_OK) rc = save_key(db, *out);
  }
  if (der.p) qm_wipe(der.p, der.n);
  qm_buf_free(&der);
  return rc > 0 ? QM_EACCESS : rc;
}

int qm__handle_key(qm_db *db, qm_key **out, qm_error *e) {
  *out = NULL;
  int rc = db->options.key_point ? external(db, out) : inner(db, out);
  if (rc == QM_OK) rc = check_device(db, *out);
  if (rc == QM_OK) return rc;
  qm_key_free(*out);
  *out = NULL;
  if (rc == QM_EACCESS)
    return qm_fail(e, rc, "the key of this device is not the one this database was made with, or "
                          "was not given");
  return qm_fail(e, rc, "the key of this device: %s", qm_err_text(rc));
}
