/* handle_status.c: how this replica stands: what is unsent, what is safe, what is wrong. */
#include <string.h>

#include "adapters/handle/handle_review.h"
#include "sync/ca.h"

#define DAY_MS UINT64_C(86400000)
#define SMALL_MAX 8192u

typedef struct status {
  qm_db *db;
  uint32_t flags;
  qm_buf *out;
  qm_buf spaces; /* the list, made first: the totals stand before it */
  uint64_t unsent, oldest_ms, refused, set_aside;
  uint64_t conflicts[QM_SEVERITY_HIGH + 1]; /* by severity */
  uint64_t inbox;
} status;

static void put_number(qm_buf *b, const char *name, uint64_t v) {
  qm__handle_put(b, name);
  qm__handle_put_u64(b, v);
}

static void put_known(qm_buf *b, const char *name, uint64_t v, int known) {
  qm__handle_put(b, name);
  if (known)
    qm__handle_put_u64(b, v);
  else
    qm__handle_put(b, "null");
}

/* "conflicts":N,"conflicts_by":{"high":N,"normal":N,"low":N}; null where nobody counted. */
static void put_conflicts(qm_buf *b, const uint64_t *counts, int known) {
  uint64_t sum = 0;
  for (int s = QM_SEVERITY_LOW; s <= QM_SEVERITY_HIGH; s++) sum += counts[s];
  put_known(b, ",\"conflicts\":", sum, known);
  qm__handle_put(b, ",\"conflicts_by\":");
  for (int s = QM_SEVERITY_HIGH; s >= QM_SEVERITY_LOW && known; s--) {
    qm__handle_put(b, s == QM_SEVERITY_HIGH ? "{\"" : ",\"");
    qm__handle_put(b, qm__review_severity((qm_severity)s));
    put_number(b, "\":", counts[s]);
  }
  qm__handle_put(b, known ? "}" : "null");
}

/* ---- a space ---- */

typedef struct held {
  uint64_t written, acknowledged, safe;
} held;

/* Sums over all authors of this device: epochs change, what they wrote stays its own. */
static held count_held(const qm_db *db, const qm_space *s) {
  const qm_authors *authors = qm_space_authors(s);
  held h = {0, 0, 0};
  for (uint32_t a = 0; a < authors->n; a++) {
    qm_id device;
    qm_author_device(&authors->ids[a], &device);
    if (qm_id_cmp(&device, qm_key_device(db->key)) != 0) continue;
    h.written += qm_vv_get(qm_space_vv(s), a);
    h.acknowledged += qm_vv_get(qm_space_acknowledged(s), a);
    h.safe += qm_vv_get(qm_space_safe(s), a);
  }
  return h;
}

typedef struct refused_count {
  const qm_space *s;
  uint64_t n;
} refused_count;

static int count_refused(void *payload, qm_space *s, const qm_refused_row *row) {
  refused_count *r = payload;
  (void)row;
  if (s == r->s) r->n++;
  return QM_OK;
}

static void put_identity(qm_buf *b, const qm_space *s) {
  const qm_schema *schema = qm_space_schema(s);
  qm_space_info info;
  qm_space_info_get(s, &info);
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, &info.id);
  qm__handle_put(b, ",\"name\":");
  qm_json_str(b, info.name);
  qm__handle_put(b, ",\"role\":");
  qm_json_str(b, info.role);
  put_number(b, ",\"version\":", schema ? schema->version : 0);
}

static void put_digest(qm_buf *b, const qm_space *s) {
  uint8_t bytes[16];
  char hex[33];
  qm_digest digest;
  qm_space_digest(s, &digest);
  qm_digest_bytes(&digest, bytes);
  qm_hex(hex, bytes, sizeof bytes);
  qm__handle_put(b, ",\"digest\":\"");
  qm__handle_put(b, hex);
  qm__handle_put(b, "\"}");
}

static int put_space(status *st, qm_space *s) {
  qm_db *db = st->db;
  qm_buf *b = &st->spaces;
  refused_count refused = {s, 0};
  uint64_t records = 0, unsent = 0, oldest = 0, set_aside = 0;
  uint64_t conflicts[QM_SEVERITY_HIGH + 1] = {0}, inbox = 0;
  held h = count_held(db, s);
  QM_TRY(db->store->ops->record_count(db->store, qm__handle_number(s), 0, &records));
  QM_TRY(qm_engine_unsent(db->engine, s, &unsent, &oldest));
  QM_TRY(qm__handle_refused_each(db, count_refused, &refused));
  QM_TRY(qm__handle_aside_count(db, s, &set_aside));
  if (!(st->flags & QM_FAST)) QM_TRY(qm__review_count(db->engine, s, conflicts));
  QM_TRY(qm__inbox_unread(db->engine, s, &inbox));
  if (b->n) qm_buf_byte(b, ',');
  put_identity(b, s);
  put_number(b, ",\"records\":", records);
  put_number(b, ",\"unsent\":", unsent);
  put_known(b, ",\"oldest_unsent\":", oldest, unsent != 0);
  put_number(b, ",\"written\":", h.written);
  put_number(b, ",\"acknowledged\":", h.acknowledged);
  put_number(b, ",\"safe\":", h.safe);
  put_number(b, ",\"refused\":", refused.n);
  put_number(b, ",\"set_aside\":", set_aside);
  put_conflicts(b, conflicts, !(st->flags & QM_FAST));
  put_number(b, ",\"inbox\":", inbox);
  qm__handle_put_mending(b, s);
  QM_TRY(qm__handle_put_repaired(db, b, s));
  put_digest(b, s);
  st->unsent += unsent;
  if (unsent && (!st->oldest_ms || oldest < st->oldest_ms)) st->oldest_ms = oldest;
  st->refused += refused.n;
  st->set_aside += set_aside;
  st->inbox += inbox;
  for (int i = QM_SEVERITY_LOW; i <= QM_SEVERITY_HIGH; i++) st->conflicts[i] += conflicts[i];
  return qm_buf_status(b);
}

/* ---- the device ---- */

/* A text of meta; null where there is none. */
static int put_meta(status *st, const char *name, const char *key, int *found) {
  qm_buf value;
  qm_buf_init(&value, &st->db->env, SMALL_MAX);
  int rc = qm__handle_meta_get(st->db, key, &value);
  qm__handle_put(st->out, name);
  if (rc == QM_OK)
    qm_json_str(st->out, qm_buf_slice(&value));
  else
    qm__handle_put(st->out, "null");
  if (found) *found = rc == QM_OK;
  qm_buf_free(&value);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* As PEM, for a program that has TLS of its own. */
static int put_pem(status *st, const char *name, qm_slice der) {
  qm_buf pem;
  qm_buf_init(&pem, &st->db->env, SMALL_MAX + 2 * QM_CERT_SIZE_MAX);
  int rc = qm_cert_to_pem(der, &pem);
  qm__handle_put(st->out, name);
  if (rc == QM_OK) qm_json_str(st->out, qm_buf_slice(&pem));
  qm_buf_free(&pem);
  return rc;
}

static int put_certificates(status *st, qm_slice cert) {
  qm_buf b;
  char hex[2 * QM_SPKI_SIZE + 1];
  QM_TRY(put_pem(st, ",\"pem\":", cert));
  qm_buf_init(&b, &st->db->env, QM_CERT_SIZE_MAX);
  int rc = qm__handle_meta_get(st->db, QM_META_CA, &b);
  if (rc == QM_OK) rc = put_pem(st, ",\"ca\":", qm_buf_slice(&b));
  if (rc == QM_OK) {
    qm_buf_clear(&b);
    rc = qm__handle_meta_get(st->db, QM_META_HUB_KEY, &b);
    qm__handle_put(st->out, ",\"hub_key\":");
    if (rc == QM_OK && b.n == QM_SPKI_SIZE) {
      qm_hex(hex, b.p, QM_SPKI_SIZE);
      qm_json_str(st->out, qm_str(hex));
    } else {
      qm__handle_put(st->out, "null");
    }
    if (rc == QM_ENOTFOUND) rc = QM_OK;
  }
  qm_buf_free(&b);
  return rc;
}

static int put_certificate(status *st) {
  qm_buf der;
  qm_cert cert;
  qm_buf_init(&der, &st->db->env, QM_CERT_SIZE_MAX);
  int rc = qm__handle_meta_get(st->db, QM_META_CERT, &der);
  qm__handle_put(st->out, ",\"certificate\":");
  if (rc == QM_OK) {
    rc = qm_cert_read(qm_buf_slice(&der), &cert) == QM_OK ? QM_OK : QM_ECORRUPT;
    if (rc == QM_OK) {
      uint64_t now = qm_engine_now(st->db->engine);
      put_number(st->out, "{\"not_after\":", cert.not_after_ms);
      qm__handle_put(st->out, ",\"days_left\":");
      int64_t left = cert.not_after_ms >= now ? (int64_t)((cert.not_after_ms - now) / DAY_MS)
                                              : -(int64_t)((now - cert.not_after_ms) / DAY_MS) - 1;
      qm__handle_put_i64(st->out, left);
      if (st->flags & QM_CERTIFICATES) rc = put_certificates(st, qm_buf_slice(&der));
      qm_buf_byte(st->out, '}');
    }
  } else if (rc == QM_ENOTFOUND) {
    qm__handle_put(st->out, "null");
    rc = QM_OK;
  }
  qm_buf_free(&der);
  return rc;
}

static int put_last_sync(status *st) {
  uint64_t success = 0, last_try = 0;
  int64_t code = 0;
  qm_buf value;
  qm_cur c;
  qm_buf_init(&value, &st->db->env, 64);
  int rc = qm__handle_meta_get(st->db, QM_META_SYNC, &value);
  if (rc == QM_OK) {
    qm_cur_init(&c, qm_buf_slice(&value));
    qm_cur_array_n(&c, 3);
    qm_cur_uint(&c, &success);
    qm_cur_uint(&c, &last_try);
    qm_cur_int(&c, &code);
    if (qm_cur_end(&c) != QM_OK) rc = QM_ECORRUPT;
  }
  qm_buf_free(&value);
  put_known(st->out, ",\"last_sync\":", success, success != 0);
  put_known(st->out, ",\"last_try\":", last_try, last_try != 0);
  qm__handle_put(st->out, ",\"last_code\":");
  qm__handle_put(st->out, code ? "\"" : "null");
  if (code) {
    qm__handle_put(st->out, qm_err_name((int)code));
    qm_buf_byte(st->out, '"');
  }
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int put_device(status *st) {
  qm_db *db = st->db;
  qm_buf *b = st->out;
  uint64_t free_bytes = 0;
  int enrolled;
  qm__handle_put(b, "{\"device\":");
  qm__handle_put_id(b, qm_key_device(db->key));
  QM_TRY(put_meta(st, ",\"member\":", QM_META_MEMBER, NULL));
  QM_TRY(put_meta(st, ",\"name\":", QM_META_NAME, NULL));
  QM_TRY(put_meta(st, ",\"hub\":", QM_META_HUB, &enrolled));
  qm__handle_put(b, enrolled ? ",\"enrolled\":true" : ",\"enrolled\":false");
  QM_TRY(put_certificate(st));
  put_number(b, ",\"clock\":", qm_engine_now(db->engine));
  qm__handle_put(b, ",\"clock_offset_ms\":");
  qm__handle_put_i64(b, qm_engine_offset_get(db->engine));
  QM_TRY(put_last_sync(st));
  put_number(b, ",\"unsent\":", st->unsent);
  put_known(b, ",\"oldest_unsent\":", st->oldest_ms, st->unsent != 0);
  put_number(b, ",\"refused\":", st->refused);
  put_number(b, ",\"set_aside\":", st->set_aside);
  put_conflicts(b, st->conflicts, !(st->flags & QM_FAST));
  put_number(b, ",\"inbox\":", st->inbox);
  int known = qm__handle_free_bytes(db, &free_bytes) == QM_OK;
  put_known(b, ",\"free_bytes\":", free_bytes, known);
  qm__handle_put(b, db->test_data ? ",\"test_data\":true" : ",\"test_data\":false");
  return qm__handle_keep_status(db, b);
}

static int put_status(qm_db *db, uint32_t flags, qm_buf *b) {
  status st = {.db = db, .flags = flags, .out = b};
  char hex[2 * QM_AUTHOR_SIZE + 1];
  int rc = QM_OK;
  qm_buf_init(&st.spaces, &db->env, QM_HANDLE_TEXT_MAX);
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine) && rc == QM_OK; i++)
    rc = put_space(&st, qm_engine_space_at(db->engine, i));
  if (rc == QM_OK) rc = put_device(&st);
  if (rc == QM_OK) {
    qm_hex(hex, qm_engine_author(db->engine)->b, QM_AUTHOR_SIZE);
    qm__handle_put(b, ",\"author\":\"");
    qm__handle_put(b, hex);
    qm__handle_put(b, "\",\"spaces\":[");
    qm_buf_add(b, st.spaces.p, st.spaces.n);
    qm__handle_put(b, "]}");
    rc = qm_buf_status(b);
  }
  qm_buf_free(&st.spaces);
  return rc;
}

int32_t qm_status(qm_db *db, uint32_t flags, qm_text *out, qm_error *e) {
  qm_buf b;
  int tried = 0, rc;
  if (!out) return qm_fail(e, QM_EINVAL, "status: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = put_status(db, flags, &b);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "status: %s", qm_err_text(rc));
}
