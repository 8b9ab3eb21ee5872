#include "core/value.h"

#define POINT_SIZE 13u
#define LATITUDE_MAX 900000000
#define LONGITUDE_MAX 1800000000
#define DATUM_MAX 2

/* One open container while a value is walked. */
typedef struct frame {
  uint64_t left; /* values still to read; a pair of a map is two */
  int is_map;
  qm_slice key; /* the key read last; p is NULL before the first */
} frame;

static int32_t be_i32(const uint8_t *p) {
  uint32_t u = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  return u < 0x80000000u ? (int32_t)u : -(int32_t)(0xFFFFFFFFu - u) - 1;
}

static int check_ext(const qm_mp_token *t) {
  if (t->ext == QM_EXT_SEALED) return QM_OK;
  if (t->ext == QM_EXT_ERASED) return t->span.n == 0 ? QM_OK : QM_EFORMAT;
  if (t->ext != QM_EXT_POINT) return QM_ETYPE;
  if (t->span.n != POINT_SIZE) return QM_EFORMAT;
  int32_t latitude = be_i32(t->span.p), longitude = be_i32(t->span.p + 4);
  if (latitude < -LATITUDE_MAX || latitude > LATITUDE_MAX) return QM_ERANGE;
  if (longitude < -LONGITUDE_MAX || longitude > LONGITUDE_MAX) return QM_ERANGE;
  return t->span.p[12] <= DATUM_MAX ? QM_OK : QM_ERANGE;
}

/* cur has refused what no value may hold in its form; the rest is here. */
static int check_scalar(const qm_mp_token *t) {
  switch (t->type) {
    case QM_MP_UINT: return t->u <= INT64_MAX ? QM_OK : QM_ERANGE;
    /* An infinity would stand for ever in a max or min field, and JSON has none. */
    case QM_MP_F64: return t->f - t->f == 0.0 ? QM_OK : QM_ERANGE;
    case QM_MP_EXT: return check_ext(t);
    default: return QM_OK;
  }
}

static int is_key_next(const frame *f) { return f->is_map && (f->left & 1) == 0; }

static int check_key(frame *f, const qm_mp_token *t) {
  if (t->type != QM_MP_STR) return QM_ETYPE;
  if (f->key.p && qm_slice_cmp(f->key, t->span) >= 0) return QM_EDUPKEY;
  f->key = t->span;
  return QM_OK;
}

int qm_value_check(qm_slice v) {
  frame open[QM_VALUE_DEPTH];
  unsigned depth = 0;
  qm_cur c;
  if (v.n > QM_VALUE_MAX) return QM_EOVERSIZE;
  qm_cur_init(&c, v);
  do {
    qm_mp_token t;
    QM_TRY(qm_cur_token(&c, &t));
    if (depth) {
      frame *f = &open[depth - 1];
      if (is_key_next(f)) QM_TRY(check_key(f, &t));
      f->left--;
    }
    if (t.type == QM_MP_ARRAY || t.type == QM_MP_MAP) {
      if (depth == QM_VALUE_DEPTH) return QM_EDEPTH;
      frame *f = &open[depth++];
      f->is_map = t.type == QM_MP_MAP;
      f->left = f->is_map ? 2 * t.u : t.u;
      f->key = qm_slice_of(NULL, 0);
    } else {
      QM_TRY(check_scalar(&t));
    }
    while (depth && open[depth - 1].left == 0) depth--;
  } while (depth);
  return qm_cur_end(&c);
}

/* Places of the kinds of values among each other. */
static int kind_place(qm_mp_type type) {
  switch (type) {
    case QM_MP_NIL: return 0;
    case QM_MP_BOOL: return 1;
    case QM_MP_UINT:
    case QM_MP_NINT:
    case QM_MP_F64: return 2;
    case QM_MP_STR: return 3;
    case QM_MP_BIN: return 4;
    default: return 5;
  }
}

static int order_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }
static int order_i64(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int order_f64(double a, double b) { return (a > b) - (a < b); }

/* An integer against a float without rounding either: where the whole parts are
 * equal and a fraction is left, both are below 2^53 and the difference is exact. */
static int order_int_f64(const qm_mp_token *a, double b) {
  if (a->type == QM_MP_UINT) {
    if (b < 0) return 1;
    if (b >= 18446744073709551616.0) return -1;
    uint64_t whole = (uint64_t)b;
    int order = order_u64(a->u, whole);
    return order ? order : -(b > (double)whole);
  }
  if (b >= 0) return -1;
  if (b < -9223372036854775808.0) return 1;
  int64_t whole = (int64_t)b;
  int order = order_i64(a->i, whole);
  return order ? order : b < (double)whole;
}

static int order_numbers(const qm_mp_token *a, const qm_mp_token *b) {
  if (a->type == QM_MP_F64) {
    return b->type == QM_MP_F64 ? order_f64(a->f, b->f) : -order_int_f64(b, a->f);
  }
  if (b->type == QM_MP_F64) return order_int_f64(a, b->f);
  if (a->type != b->type) return a->type == QM_MP_UINT ? 1 : -1;
  return a->type == QM_MP_UINT ? order_u64(a->u, b->u) : order_i64(a->i, b->i);
}

int qm_value_cmp(qm_slice a, qm_slice b) {
  qm_mp_token ta, tb;
  qm_cur ca, cb;
  qm_cur_init(&ca, a);
  qm_cur_init(&cb, b);
  if (qm_cur_token(&ca, &ta) || qm_cur_token(&cb, &tb)) return qm_slice_cmp(a, b);
  int pa = kind_place(ta.type), pb = kind_place(tb.type);
  if (pa != pb) return pa < pb ? -1 : 1;
  int order = 0;
  if (pa == 1) order = order_u64(ta.u, tb.u);
  if (pa == 2) order = order_numbers(&ta, &tb);
  if (pa == 3 || pa == 4) order = qm_slice_cmp(ta.span, tb.span);
  return order ? order : qm_slice_cmp(a, b);
}
