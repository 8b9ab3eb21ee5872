/* handle_values.c: values from the text that a person types, and as JSON for results. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/json/json_value.h"

/* ---- out ---- */

void qm__handle_put(qm_buf *b, const char *text) { qm_buf_add(b, text, strlen(text)); }

void qm__handle_put_u64(qm_buf *b, uint64_t v) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, v);
  qm__handle_put(b, text);
}

void qm__handle_put_i64(qm_buf *b, int64_t v) {
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, v);
  qm__handle_put(b, text);
}

void qm__handle_put_id(qm_buf *b, const qm_id *id) {
  char text[QM_HANDLE_ID_SIZE];
  qm__handle_id_text(id, text);
  qm_buf_byte(b, '"');
  qm__handle_put(b, text);
  qm_buf_byte(b, '"');
}

void qm__handle_put_name(qm_buf *b, qm_slice name, int *first) {
  if (!*first) qm_buf_byte(b, ',');
  *first = 0;
  qm_json_str(b, name);
  qm_buf_byte(b, ':');
}

/* Refs show as people name records; everything else as core writes it. */
static int put_ref(qm_buf *b, qm_slice value) {
  qm_cur c;
  qm_id id;
  qm_cur_init(&c, value);
  if (qm_cur_bin_n(&c, id.b, sizeof id.b) || qm_cur_end(&c)) return 0;
  qm__handle_put_id(b, &id);
  return 1;
}

static int put_space_ref(qm_buf *b, qm_slice value) {
  char space[QM_HANDLE_ID_SIZE], record[QM_HANDLE_ID_SIZE], text[2 * QM_HANDLE_ID_SIZE + 2];
  qm_cur c;
  qm_id at[2];
  qm_cur_init(&c, value);
  if (qm_cur_array_n(&c, 2) || qm_cur_bin_n(&c, at[0].b, QM_ID_SIZE) ||
      qm_cur_bin_n(&c, at[1].b, QM_ID_SIZE) || qm_cur_end(&c))
    return 0;
  qm__handle_id_text(&at[0], space);
  qm__handle_id_text(&at[1], record);
  snprintf(text, sizeof text, "\"%s/%s\"", space, record);
  qm__handle_put(b, text);
  return 1;
}

void qm__handle_put_value(qm_buf *b, const qm_field_def *f, qm_slice value) {
  if (f && f->value == QM_VALUE_REF && put_ref(b, value)) return;
  if (f && f->value == QM_VALUE_SPACE_REF && put_space_ref(b, value)) return;
  if (qm_field_proposed(f, value)) value = qm_slice_of(value.p + 1, value.n - 1); /* its item */
  if (qm_value_json(b, value) != QM_OK) qm__handle_put(b, "null");
}

/* ---- in ---- */

static int put_bool(qm_buf *out, qm_slice text) {
  int yes = qm_slice_cmp(text, qm_str("true")) == 0;
  if (!yes && qm_slice_cmp(text, qm_str("false")) != 0) return QM_EFORMAT;
  qm_mp_bool(out, yes);
  return QM_OK;
}

static int put_hex(qm_buf *out, qm_slice text) {
  uint8_t some[256];
  qm_buf b;
  int rc = text.n % 2 ? QM_EFORMAT : QM_OK;
  qm_buf_init(&b, out->env, QM_VALUE_MAX);
  for (size_t i = 0; i < text.n && rc == QM_OK; i += 2 * sizeof some) {
    size_t n = (text.n - i) / 2 < sizeof some ? (text.n - i) / 2 : sizeof some;
    rc = qm_unhex(some, n, (const char *)text.p + i, 2 * n);
    if (rc == QM_OK) qm_buf_add(&b, some, n);
  }
  if (rc == QM_OK) rc = qm_buf_status(&b);
  if (rc == QM_OK) qm_mp_bin(out, b.p, b.n);
  qm_buf_free(&b);
  return rc;
}

/* The part up to the next comma; *text goes behind it. */
static qm_slice next_part(qm_slice *text) {
  qm_slice part = {text->p, 0};
  while (part.n < text->n && text->p[part.n] != ',') part.n++;
  size_t gone = part.n < text->n ? part.n + 1 : part.n;
  *text = qm_slice_of(text->p + gone, text->n - gone);
  while (part.n && part.p[0] == ' ') part = qm_slice_of(part.p + 1, part.n - 1);
  return part;
}

/* A number of `text`, scaled and rounded. QM_ERANGE beyond most. */
static int scaled(qm_slice text, double scale, double least, double most, double *out) {
  QM_TRY(qm__handle_double(text, out));
  *out = qm__handle_round(*out * scale);
  return *out >= least && *out <= most ? QM_OK : QM_ERANGE;
}

static int put_point(qm_buf *out, qm_slice text) {
  double lat, lon, accuracy = 0;
  uint8_t datum = 0;
  qm_buf b;
  QM_TRY(scaled(next_part(&text), 1e7, -9e8, 9e8, &lat));
  QM_TRY(scaled(next_part(&text), 1e7, -18e8, 18e8, &lon));
  if (text.n) QM_TRY(scaled(next_part(&text), 10, 0, 4294967295.0, &accuracy));
  if (text.n) {
    qm_slice word = next_part(&text);
    if (qm_slice_cmp(word, qm_str("wgs84")) == 0)
      datum = 1;
    else if (qm_slice_cmp(word, qm_str("gcj02")) == 0)
      datum = 2;
    else if (qm_slice_cmp(word, qm_str("unknown")) != 0)
      return QM_EFORMAT;
  }
  if (text.n) return QM_EFORMAT;
  qm_buf_init(&b, out->env, 16);
  qm_buf_be32(&b, (uint32_t)(int32_t)lat);
  qm_buf_be32(&b, (uint32_t)(int32_t)lon);
  qm_buf_be32(&b, (uint32_t)accuracy);
  qm_buf_byte(&b, datum);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) qm_mp_ext(out, QM_EXT_POINT, b.p, b.n);
  qm_buf_free(&b);
  return rc;
}

/* A record of the target collection by any of its names; else a whole id. */
static int put_record(qm_db *db, qm_space *s, const qm_field_def *f, qm_buf *out, qm_slice text,
                      qm_error *e) {
  const qm_schema *schema = qm_space_schema(s);
  const qm_collection_def *c = f->target ? qm_schema_collection(schema, f->target) : NULL;
  qm_id id;
  if (c) {
    QM_TRY(qm__handle_record(db, s, c, text, &id, e));
  } else if (qm__handle_id_parse(text, &id) != QM_OK) {
    return QM_EFORMAT;
  }
  qm_mp_bin(out, id.b, sizeof id.b);
  return QM_OK;
}

static int put_space_record(qm_buf *out, qm_slice text) {
  qm_id at[2];
  const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
  if (!slash) return QM_EFORMAT;
  size_t n = (size_t)(slash - text.p);
  QM_TRY(qm__handle_id_parse(qm_slice_of(text.p, n), &at[0]));
  QM_TRY(qm__handle_id_parse(qm_slice_of(slash + 1, text.n - n - 1), &at[1]));
  qm_mp_array(out, 2);
  for (int i = 0; i < 2; i++) qm_mp_bin(out, at[i].b, QM_ID_SIZE);
  return QM_OK;
}

static int put_text_form(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice text, qm_buf *out,
                         qm_error *e) {
  if (!text.n && f->value != QM_VALUE_TEXT) {
    qm_mp_nil(out);
    return QM_OK;
  }
  switch (f->value) {
    case QM_VALUE_INT:
    case QM_VALUE_NUMBER: return qm__handle_number_value(out, text);
    case QM_VALUE_BOOL: return put_bool(out, text);
    case QM_VALUE_BYTES: return put_hex(out, text);
    case QM_VALUE_POINT: return put_point(out, text);
    case QM_VALUE_REF: return put_record(db, s, f, out, text, e);
    case QM_VALUE_SPACE_REF: return put_space_record(out, text);
    case QM_VALUE_ANY:
    case QM_VALUE_MAP: return qm__handle_json_value(out, text);
    default: qm_mp_str(out, text.p, text.n); return QM_OK;
  }
}

static const char *form_of(const qm_field_def *f) {
  switch (f->value) {
    case QM_VALUE_INT: return "the value must be a whole number";
    case QM_VALUE_NUMBER: return "the value must be a number";
    case QM_VALUE_BOOL: return "the value must be true or false";
    case QM_VALUE_BYTES: return "the value must be bytes in hex";
    case QM_VALUE_POINT:
      return "the value must be a point: LATITUDE,LONGITUDE[,METRES[,wgs84|gcj02]]";
    case QM_VALUE_REF: return "the value must be a record id";
    case QM_VALUE_SPACE_REF: return "the value must be SPACE/RECORD, both ids";
    default: return "the value must be JSON";
  }
}

/* A ref as JSON is the text of a record's name, as results show it. */
static int name_to_ref(qm_db *db, qm_space *s, const qm_field_def *f, qm_buf *out, qm_error *e) {
  qm_cur c;
  qm_slice name;
  if (f->value != QM_VALUE_REF && f->value != QM_VALUE_SPACE_REF) return QM_OK;
  qm_cur_init(&c, qm_buf_slice(out));
  if (qm_cur_str(&c, &name) != QM_OK) return QM_OK;
  qm_buf text_form = *out; /* name borrows it */
  qm_buf_init(out, text_form.env, text_form.max);
  int rc = put_text_form(db, s, f, name, out, e);
  qm_buf_free(&text_form);
  return rc;
}

static int put_json_form(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice text, qm_buf *out,
                         qm_error *e) {
  QM_TRY(qm__handle_json_value(out, text));
  return name_to_ref(db, s, f, out, e);
}

/* Whoever typed it made a mistake: not damaged data, whatever the reader's code. */
static int mistyped(const qm_field_def *f, int rc, unsigned most, const char *why, qm_error *e) {
  if (rc == QM_EOVERSIZE || rc == QM_ELIMIT)
    return qm_fail(e, QM_ELIMIT, "field %.*s: the value is larger than %u bytes", (int)f->name.n,
                   (const char *)f->name.p, most);
  return qm_fail(e, QM_ESCHEMA, "field %.*s: %s (%s)", (int)f->name.n, (const char *)f->name.p, why,
                 qm_err_text(rc));
}

int qm__handle_value(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice text, uint32_t flags,
                     qm_buf *out, qm_error *e) {
  qm_error none = {0, ""}, *detail = e ? e : &none;
  detail->code = QM_OK;
  int rc = flags & QM_JSON ? put_json_form(db, s, f, text, out, detail)
                           : put_text_form(db, s, f, text, out, detail);
  if (rc == QM_OK) rc = qm_buf_status(out);
  if (rc == QM_OK || rc == QM_ENOMEM || detail->code == rc) return rc;
  return mistyped(f, rc, QM_VALUE_MAX, flags & QM_JSON ? "the value must be JSON" : form_of(f), e);
}

typedef struct items {
  qm_db *db;
  qm_space *s;
  const qm_field_def *f;
  qm_buf *out;
  uint32_t n;
  qm_error *e;
} items;

static int take_item(void *payload, qm_slice value) {
  items *a = payload;
  qm_buf one;
  qm_buf_init(&one, a->out->env, (size_t)1 << 20);
  qm_buf_add(&one, value.p, value.n);
  int rc = qm_buf_status(&one);
  if (rc == QM_OK) rc = qm_value_check(value);
  if (rc == QM_OK) rc = name_to_ref(a->db, a->s, a->f, &one, a->e);
  qm_buf_add(a->out, one.p, one.n);
  qm_buf_free(&one);
  a->n++;
  return rc == QM_OK ? qm_buf_status(a->out) : rc;
}

int qm__handle_array(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice json, qm_buf *out,
                     uint32_t *n, qm_error *e) {
  qm_error none = {0, ""}, *detail = e ? e : &none;
  items a = {db, s, f, out, 0, detail};
  detail->code = QM_OK;
  int rc = json.n > QM_RECORD_MAX ? QM_EOVERSIZE
                                  : qm_json_array(out->env, json, take_item, &a, NULL);
  *n = a.n;
  if (rc == QM_OK || rc == QM_ENOMEM || detail->code == rc) return rc;
  return mistyped(f, rc, QM_RECORD_MAX, "the value must be a JSON array", e);
}
