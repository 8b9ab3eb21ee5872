#include "core/cur.h"

#include <math.h>
#include <string.h>

#include "core/norm.h"

#define DEPTH_MAX 32u

void qm_cur_init(qm_cur *c, qm_slice in) {
  static const uint8_t nothing[1] = {0};
  const uint8_t *p = in.p && in.n ? in.p : nothing;
  c->start = c->at = p;
  c->end = p + (p == nothing ? 0 : in.n);
  c->status = QM_OK;
}

int qm_cur_valid(const qm_cur *c) {
  return c->start && c->start <= c->at && c->at <= c->end && c->status <= QM_OK;
}

int qm_cur_fail(qm_cur *c, int code) {
  if (c->status == QM_OK) c->status = code;
  return c->status;
}

int qm_cur_end(qm_cur *c) {
  if (c->status == QM_OK && c->at != c->end) c->status = QM_ETRAILING;
  return c->status;
}

int qm_cur_copy(qm_cur *c, void *to, size_t n) {
  qm_slice s;
  int rc = qm_cur_span(c, n, &s);
  if (n == 0) return rc;
  if (rc)
    memset(to, 0, n);
  else
    memcpy(to, s.p, n);
  return rc;
}

/* n <= 8 bytes, most significant first. */
static int read_be(qm_cur *c, size_t n, uint64_t *out) {
  qm_slice s;
  *out = 0;
  QM_TRY(qm_cur_span(c, n, &s));
  for (size_t i = 0; i < n; i++) *out = *out << 8 | s.p[i];
  return QM_OK;
}

int qm_cur_byte_slow(qm_cur *c, uint8_t *out) {
  uint64_t v;
  int rc = read_be(c, 1, &v);
  *out = (uint8_t)v;
  return rc;
}

int qm_cur_be16(qm_cur *c, uint16_t *out) {
  uint64_t v;
  int rc = read_be(c, 2, &v);
  *out = (uint16_t)v;
  return rc;
}

int qm_cur_be32(qm_cur *c, uint32_t *out) {
  uint64_t v;
  int rc = read_be(c, 4, &v);
  *out = (uint32_t)v;
  return rc;
}

int qm_cur_be64(qm_cur *c, uint64_t *out) { return read_be(c, 8, out); }

int qm_cur_varint_long(qm_cur *c, uint64_t *out) {
  uint64_t v = 0;
  uint8_t byte;
  unsigned shift = 0;
  *out = 0;
  for (;; shift += 7) {
    QM_TRY(qm_cur_byte(c, &byte));
    /* The tenth byte has room for one bit, and nothing follows it. */
    if (shift == 63 && byte > 1) return qm_cur_fail(c, QM_ERANGE);
    v |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (byte == 0 && shift > 0) return qm_cur_fail(c, QM_ECANON);
  *out = v;
  return QM_OK;
}

int qm_cur_svarint(qm_cur *c, int64_t *out) {
  uint64_t u;
  int rc = qm_cur_varint(c, &u);
  /* Zigzag: even numbers are 0, 1, 2, …, odd ones -1, -2, …; no shift of a negative. */
  *out = u & 1 ? -(int64_t)(u >> 1) - 1 : (int64_t)(u >> 1);
  return rc;
}

int qm_cur_count(qm_cur *c, size_t size, uint32_t max, uint32_t *out) {
  uint64_t n;
  *out = 0;
  QM_TRY(qm_cur_varint(c, &n));
  if (n > max || n > qm_cur_left(c) / size) return qm_cur_fail(c, QM_EOVERSIZE);
  *out = (uint32_t)n;
  return QM_OK;
}

static int take_uint(qm_cur *c, size_t size, uint64_t least, qm_mp_token *out) {
  out->type = QM_MP_UINT;
  QM_TRY(read_be(c, size, &out->u));
  return out->u < least ? QM_ECANON : QM_OK;
}

/* `most`: the greatest value that needs this size. */
static int take_nint(qm_cur *c, size_t size, int64_t most, qm_mp_token *out) {
  uint64_t u;
  out->type = QM_MP_NINT;
  QM_TRY(read_be(c, size, &u));
  uint64_t sign = UINT64_C(1) << (8 * size - 1);
  if (!(u & sign)) return QM_ECANON;
  /* -1 - (distance from -1), which never leaves int64. */
  out->i = -1 - (int64_t)((sign - 1) - (u & (sign - 1)));
  return out->i > most ? QM_ECANON : QM_OK;
}

static int take_f64(qm_cur *c, qm_mp_token *out) {
  uint64_t bits;
  out->type = QM_MP_F64;
  QM_TRY(read_be(c, 8, &bits));
  memcpy(&out->f, &bits, sizeof out->f);
  if (isnan(out->f)) return QM_ERANGE;
  return bits == UINT64_C(1) << 63 ? QM_ECANON : QM_OK;
}

/* size: of the length field, 0 where n is the length already. */
static int take_len(qm_cur *c, size_t size, uint64_t least, uint64_t *n) {
  if (size == 0) return QM_OK;
  QM_TRY(read_be(c, size, n));
  return *n < least ? QM_ECANON : QM_OK;
}

static int take_str(qm_cur *c, size_t size, uint64_t n, uint64_t least, qm_mp_token *out) {
  out->type = QM_MP_STR;
  QM_TRY(take_len(c, size, least, &n));
  QM_TRY(qm_cur_span(c, (size_t)n, &out->span));
  return qm_utf8_check(out->span, NULL) ? QM_OK : QM_EUTF8;
}

static int take_bin(qm_cur *c, size_t size, uint64_t least, qm_mp_token *out) {
  uint64_t n = 0;
  out->type = QM_MP_BIN;
  QM_TRY(take_len(c, size, least, &n));
  return qm_cur_span(c, (size_t)n, &out->span);
}

static int take_ext(qm_cur *c, size_t size, uint64_t n, uint64_t least, qm_mp_token *out) {
  uint8_t type;
  out->type = QM_MP_EXT;
  QM_TRY(take_len(c, size, least, &n));
  if (size == 1 && (n == 1 || n == 2 || n == 4 || n == 8 || n == 16)) return QM_ECANON;
  QM_TRY(qm_cur_byte(c, &type));
  out->ext = (int8_t)(type < 128 ? type : type - 256);
  return qm_cur_span(c, (size_t)n, &out->span);
}

static int take_count(qm_cur *c, qm_mp_type type, size_t size, uint64_t n, uint64_t least,
                      qm_mp_token *out) {
  out->type = type;
  QM_TRY(take_len(c, size, least, &n));
  /* An element is at least one byte, a pair two. */
  if (n > qm_cur_left(c) / (type == QM_MP_MAP ? 2 : 1)) return QM_EOVERSIZE;
  out->u = n;
  return QM_OK;
}

/* Lead bytes 0xc0 to 0xdf: each says its type and the size of what follows. */
static int take_long(qm_cur *c, uint8_t lead, qm_mp_token *out) {
  switch (lead) {
    case 0xc0: out->type = QM_MP_NIL; return QM_OK;
    case 0xc2:
    case 0xc3:
      out->type = QM_MP_BOOL;
      out->u = lead & 1;
      return QM_OK;
    case 0xc4: return take_bin(c, 1, 0, out);
    case 0xc5: return take_bin(c, 2, 0x100, out);
    case 0xc6: return take_bin(c, 4, 0x10000, out);
    case 0xc7: return take_ext(c, 1, 0, 0, out);
    case 0xc8: return take_ext(c, 2, 0, 0x100, out);
    case 0xc9: return take_ext(c, 4, 0, 0x10000, out);
    case 0xca: return QM_ECANON; /* float 32 */
    case 0xcb: return take_f64(c, out);
    case 0xcc: return take_uint(c, 1, 0x80, out);
    case 0xcd: return take_uint(c, 2, 0x100, out);
    case 0xce: return take_uint(c, 4, 0x10000, out);
    case 0xcf: return take_uint(c, 8, UINT64_C(0x100000000), out);
    case 0xd0: return take_nint(c, 1, -33, out);
    case 0xd1: return take_nint(c, 2, -129, out);
    case 0xd2: return take_nint(c, 4, -32769, out);
    case 0xd3: return take_nint(c, 8, -INT64_C(2147483649), out);
    case 0xd4: return take_ext(c, 0, 1, 0, out);
    case 0xd5: return take_ext(c, 0, 2, 0, out);
    case 0xd6: return take_ext(c, 0, 4, 0, out);
    case 0xd7: return take_ext(c, 0, 8, 0, out);
    case 0xd8: return take_ext(c, 0, 16, 0, out);
    case 0xd9: return take_str(c, 1, 0, 32, out);
    case 0xda: return take_str(c, 2, 0, 0x100, out);
    case 0xdb: return take_str(c, 4, 0, 0x10000, out);
    case 0xdc: return take_count(c, QM_MP_ARRAY, 2, 0, 16, out);
    case 0xdd: return take_count(c, QM_MP_ARRAY, 4, 0, 0x10000, out);
    case 0xde: return take_count(c, QM_MP_MAP, 2, 0, 16, out);
    case 0xdf: return take_count(c, QM_MP_MAP, 4, 0, 0x10000, out);
    default: return QM_EFORMAT; /* 0xc1, which MessagePack leaves unused */
  }
}

static int take(qm_cur *c, qm_mp_token *out) {
  uint8_t lead;
  QM_TRY(qm_cur_byte(c, &lead));
  if (lead < 0x80) {
    out->type = QM_MP_UINT;
    out->u = lead;
    return QM_OK;
  }
  if (lead < 0x90) return take_count(c, QM_MP_MAP, 0, lead & 15, 0, out);
  if (lead < 0xa0) return take_count(c, QM_MP_ARRAY, 0, lead & 15, 0, out);
  if (lead < 0xc0) return take_str(c, 0, lead & 31, 0, out);
  if (lead < 0xe0) return take_long(c, lead, out);
  out->type = QM_MP_NINT;
  out->i = (int64_t)lead - 256;
  return QM_OK;
}

int qm_cur_token(qm_cur *c, qm_mp_token *out) {
  static const qm_mp_token none;
  *out = none;
  int rc = take(c, out);
  if (rc == QM_OK) return QM_OK;
  *out = none;
  return qm_cur_fail(c, rc);
}

int qm_cur_peek(const qm_cur *c, qm_mp_type *out) {
  static const uint8_t types[32] = {
      QM_MP_NIL,   QM_MP_NIL,   QM_MP_BOOL, QM_MP_BOOL, QM_MP_BIN,  QM_MP_BIN,  QM_MP_BIN,
      QM_MP_EXT,   QM_MP_EXT,   QM_MP_EXT,  QM_MP_F64,  QM_MP_F64,  QM_MP_UINT, QM_MP_UINT,
      QM_MP_UINT,  QM_MP_UINT,  QM_MP_NINT, QM_MP_NINT, QM_MP_NINT, QM_MP_NINT, QM_MP_EXT,
      QM_MP_EXT,   QM_MP_EXT,   QM_MP_EXT,  QM_MP_EXT,  QM_MP_STR,  QM_MP_STR,  QM_MP_STR,
      QM_MP_ARRAY, QM_MP_ARRAY, QM_MP_MAP,  QM_MP_MAP};
  *out = QM_MP_NIL;
  QM_TRY(c->status);
  if (c->at == c->end) return QM_ETRUNCATED;
  uint8_t lead = *c->at;
  if (lead == 0xc1) return QM_EFORMAT;
  if (lead == 0xca) return QM_ECANON;
  if (lead < 0x80)
    *out = QM_MP_UINT;
  else if (lead < 0x90)
    *out = QM_MP_MAP;
  else if (lead < 0xa0)
    *out = QM_MP_ARRAY;
  else if (lead < 0xc0)
    *out = QM_MP_STR;
  else
    *out = lead < 0xe0 ? (qm_mp_type)types[lead - 0xc0] : QM_MP_NINT;
  return QM_OK;
}

/* Reads a token that must have this type. */
static int expect(qm_cur *c, qm_mp_type type, qm_mp_token *t) {
  static const qm_mp_token none;
  QM_TRY(qm_cur_token(c, t));
  if (t->type == type) return QM_OK;
  *t = none;
  return qm_cur_fail(c, QM_ETYPE);
}

static inline uint32_t be32_of(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Spelt out, so that a compiler makes one load of it. */
static inline uint64_t be_of(const uint8_t *p, unsigned size) {
  switch (size) {
    case 1: return *p;
    case 2: return (uint32_t)p[0] << 8 | p[1];
    case 4: return be32_of(p);
    default: return (uint64_t)be32_of(p) << 32 | be32_of(p + 4);
  }
}

/* Without a token between: 1 where it was an integer from 0 on and is read. */
static int quick_uint(qm_cur *c, uint64_t *out) {
  if (c->status != QM_OK || c->at == c->end) return 0;
  unsigned lead = *c->at;
  if (lead < 0x80) {
    *out = lead;
    c->at++;
    return 1;
  }
  if (lead < 0xcc || lead > 0xcf || qm_cur_left(c) <= (size_t)1 << (lead - 0xcc)) return 0;
  unsigned size = 1u << (lead - 0xcc);
  uint64_t v = be_of(c->at + 1, size);
  if (size == 1 ? v < 0x80 : v >> 4 * size == 0) return 0; /* longer than it need be */
  *out = v;
  c->at += 1 + size;
  return 1;
}

int qm_cur_uint_long(qm_cur *c, uint64_t *out) {
  if (quick_uint(c, out)) return QM_OK;
  qm_mp_token t;
  *out = 0;
  QM_TRY(qm_cur_token(c, &t));
  if (t.type == QM_MP_NINT) return qm_cur_fail(c, QM_ERANGE);
  if (t.type != QM_MP_UINT) return qm_cur_fail(c, QM_ETYPE);
  *out = t.u;
  return QM_OK;
}

int qm_cur_uint32(qm_cur *c, uint32_t *out) {
  uint64_t u;
  *out = 0;
  QM_TRY(qm_cur_uint(c, &u));
  if (u > UINT32_MAX) return qm_cur_fail(c, QM_ERANGE);
  *out = (uint32_t)u;
  return QM_OK;
}

int qm_cur_int(qm_cur *c, int64_t *out) {
  qm_mp_token t;
  *out = 0;
  QM_TRY(qm_cur_token(c, &t));
  if (t.type == QM_MP_UINT) {
    if (t.u > INT64_MAX) return qm_cur_fail(c, QM_ERANGE);
    *out = (int64_t)t.u;
    return QM_OK;
  }
  if (t.type != QM_MP_NINT) return qm_cur_fail(c, QM_ETYPE);
  *out = t.i;
  return QM_OK;
}

int qm_cur_bool(qm_cur *c, int *out) {
  qm_mp_token t;
  int rc = expect(c, QM_MP_BOOL, &t);
  *out = (int)t.u;
  return rc;
}

int qm_cur_str(qm_cur *c, qm_slice *out) {
  qm_mp_token t;
  int rc = expect(c, QM_MP_STR, &t);
  *out = t.span;
  return rc;
}

int qm_cur_bin(qm_cur *c, qm_slice *out) {
  qm_mp_token t;
  int rc = expect(c, QM_MP_BIN, &t);
  *out = t.span;
  return rc;
}

int qm_cur_bin_n(qm_cur *c, void *to, size_t n) {
  qm_slice s;
  int rc = qm_cur_bin(c, &s);
  if (rc == QM_OK && s.n != n) rc = qm_cur_fail(c, QM_ERANGE);
  if (n == 0) return rc;
  if (rc)
    memset(to, 0, n);
  else
    memcpy(to, s.p, n);
  return rc;
}

int qm_cur_array(qm_cur *c, uint32_t *count) {
  qm_mp_token t;
  int rc = expect(c, QM_MP_ARRAY, &t);
  *count = (uint32_t)t.u;
  return rc;
}

int qm_cur_array_n(qm_cur *c, uint32_t count) {
  uint32_t got;
  QM_TRY(qm_cur_array(c, &got));
  return got == count ? QM_OK : qm_cur_fail(c, QM_EFORMAT);
}

int qm_cur_map(qm_cur *c, uint32_t *pairs) {
  qm_mp_token t;
  int rc = expect(c, QM_MP_MAP, &t);
  *pairs = (uint32_t)t.u;
  return rc;
}

int qm_cur_nil(qm_cur *c) {
  qm_mp_token t;
  return expect(c, QM_MP_NIL, &t);
}

/* Most values are texts shorter than 32 bytes. 0: it is none, or not to be read as one. */
static size_t short_text(const qm_cur *c) {
  if (c->status != QM_OK || c->at == c->end || (*c->at & 0xe0) != 0xa0) return 0;
  size_t n = *c->at & 31u;
  return n < qm_cur_left(c) && qm_utf8_check(qm_slice_of(c->at + 1, n), NULL) ? n + 1 : 0;
}

int qm_cur_value(qm_cur *c, unsigned depth_max, qm_slice *out) {
  uint64_t left[DEPTH_MAX]; /* values still to read in each open container */
  unsigned depth = 0;
  const uint8_t *from = c->at;
  size_t n = short_text(c);
  if (n) return qm_cur_span(c, n, out);
  *out = qm_slice_of(NULL, 0);
  if (depth_max > DEPTH_MAX) depth_max = DEPTH_MAX;
  do {
    qm_mp_token t;
    QM_TRY(qm_cur_token(c, &t));
    if (depth) left[depth - 1]--;
    if (t.type == QM_MP_ARRAY || t.type == QM_MP_MAP) {
      if (depth == depth_max) return qm_cur_fail(c, QM_EDEPTH);
      left[depth++] = t.type == QM_MP_MAP ? 2 * t.u : t.u;
    }
    while (depth && left[depth - 1] == 0) depth--;
  } while (depth);
  *out = qm_slice_of(from, (size_t)(c->at - from));
  return QM_OK;
}
