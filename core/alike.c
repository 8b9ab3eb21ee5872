#include "core/alike.h"

#include <string.h>

#include "core/batch_columns.h"
#include "core/similar.h"

#define FORM_MAX ((size_t)QM_VALUE_MAX * 18) /* what NFKC makes of one value */
#define TEXT_MAX 1024u /* bytes of a form that is kept */
#define METRES_PER_DEGREE 111195.0 /* of a sphere of 6,371 km */
#define UNITS_PER_DEGREE 10000000.0
#define HOUR_MS INT64_C(3600000)
#define MS_MAX (INT64_C(1) << 53)

static uint32_t conditions_of(const qm_collection_def *c) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < c->n_rules; i++) n += c->rules[i].n_conditions;
  return n;
}

static int is_text(uint8_t match) { return match <= QM_MATCH_SIMILAR; }

static uint32_t least_similar(const qm_condition_def *x) {
  return x->limit ? x->limit : QM_SIMILAR_LEAST;
}

/* --- features --- */

typedef struct reader {
  const qm_condition_def *x;
  qm_alike_list *to;
  qm_arena *arena;
} reader;

static int add_text(reader *r, qm_slice form) {
  qm_alike_list *to = r->to;
  if (!form.n || form.n > TEXT_MAX || to->n == QM_ALIKE_VALUES) return QM_OK;
  for (uint32_t i = 0; i < to->n; i++)
    if (qm_slice_cmp(to->v[i].text, form) == 0) return QM_OK;
  uint8_t *copy = qm_arena_copy(r->arena, form.p, form.n);
  if (!copy) return QM_ENOMEM;
  to->v[to->n++] = (qm_alike_value){.text = qm_slice_of(copy, form.n)};
  return QM_OK;
}

static int add_phones(reader *r, qm_slice text) {
  char phones[QM_PHONES_MAX][QM_PHONE_MAX];
  uint32_t n = qm_similar_phones(text, phones);
  for (uint32_t i = 0; i < n; i++) QM_TRY(add_text(r, qm_slice_of(phones[i], strlen(phones[i]))));
  return QM_OK;
}

static int add_form(reader *r, qm_slice text) {
  qm_buf form;
  int rc;
  if (r->x->match == QM_MATCH_PHONE) return add_phones(r, text);
  qm_buf_init(&form, r->arena->env, FORM_MAX);
  switch (r->x->match) {
    case QM_MATCH_SAME: (void)qm_norm_key(&form, text, QM_NORM_CASEFOLD); break;
    case QM_MATCH_ADDRESS: qm_similar_address(&form, text); break;
    default: qm_similar_text(&form, text); break;
  }
  rc = qm_buf_status(&form);
  if (rc == QM_OK) rc = add_text(r, qm_buf_slice(&form));
  qm_buf_free(&form);
  return rc == QM_ENOMEM ? rc : QM_OK; /* too long: it has no form */
}

static int64_t be32(const uint8_t *p) {
  return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static void add_numbers(reader *r, int64_t a, int64_t b, int64_t c) {
  if (r->to->n == QM_ALIKE_VALUES) return;
  r->to->v[r->to->n++] = (qm_alike_value){.n = {a, b, c}};
}

/* A point whose datum nobody noted counts as of WGS-84. */
static void add_point(reader *r, const qm_mp_token *t) {
  if (t->type != QM_MP_EXT || t->ext != QM_EXT_POINT || t->span.n != 13) return;
  int64_t datum = t->span.p[12] ? t->span.p[12] : 1;
  add_numbers(r, be32(t->span.p), be32(t->span.p + 4), datum);
}

/* Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t digits(const uint8_t *p, size_t n) {
  int64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v * 10 + (p[i] - '0');
  return v;
}

/* A date is its midnight, in no time zone: two days apart are 48 hours. */
static void add_time(reader *r, const qm_mp_token *t) {
  int64_t ms;
  if (t->type == QM_MP_STR) {
    const uint8_t *p = t->span.p;
    if (t->span.n != 10 || p[4] != '-' || p[7] != '-') return;
    for (size_t i = 0; i < 10; i++)
      if (i != 4 && i != 7 && (p[i] < '0' || p[i] > '9')) return;
    ms = days_from_civil(digits(p, 4), digits(p + 5, 2), digits(p + 8, 2)) * 24 * HOUR_MS;
  } else if (t->type == QM_MP_UINT && t->u <= (uint64_t)MS_MAX) {
    ms = (int64_t)t->u;
  } else if (t->type == QM_MP_NINT && t->i >= -MS_MAX) {
    ms = t->i;
  } else {
    return;
  }
  add_numbers(r, ms, 0, 0);
}

static int add_value(reader *r, qm_slice value) {
  qm_cur c;
  qm_mp_token t;
  if (!value.n) return QM_OK;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_token(&c, &t));
  if (t.type == QM_MP_NIL || (t.type == QM_MP_EXT && t.ext != QM_EXT_POINT)) return QM_OK;
  if (r->x->match == QM_MATCH_NEAR) {
    add_point(r, &t);
  } else if (r->x->match == QM_MATCH_WITHIN) {
    add_time(r, &t);
  } else if (t.type == QM_MP_STR) {
    return add_form(r, t.span);
  } else if (r->x->match == QM_MATCH_SAME) {
    return add_text(r, value);
  }
  return QM_OK;
}

/* A place and a time are the ones that show: several would multiply the keys. */
static int add_siblings(reader *r, const qm_space *s, const qm_field_def *f, const qm_cell *cell) {
  qm_contest contest;
  QM_TRY(qm_read_contest(s, f, cell, r->arena, &contest));
  if (!contest.shown) return QM_OK;
  QM_TRY(add_value(r, contest.shown->value));
  if (!is_text(r->x->match)) return QM_OK;
  for (uint32_t i = 0; i < contest.n_others; i++)
    QM_TRY(add_value(r, contest.others[i].sibling->value));
  return QM_OK;
}

static int read_condition(const qm_space *s, const qm_collection_def *c, const qm_record *view,
                          reader *r) {
  const qm_field_def *f = qm_collection_field(c, r->x->field);
  const qm_cell *cell = f ? qm_record_cell(view, f->number, qm_field_shape(f)) : NULL;
  if (!cell) return QM_OK;
  if (cell->shape == QM_SIBLINGS) return add_siblings(r, s, f, cell);
  if (cell->shape != QM_KEYED) return QM_OK;
  const qm_keyed *k = qm_keyed_of(cell);
  for (uint32_t i = 0; i < k->n && r->to->n < QM_ALIKE_VALUES; i++)
    QM_TRY(add_value(r, k->p[i].value));
  return QM_OK;
}

int qm_alike_read(const qm_space *s, const qm_collection_def *c, const qm_record *view,
                  qm_arena *arena, qm_alike *out) {
  uint32_t at = 0;
  out->n = conditions_of(c);
  out->lists = qm_arena_zero(arena, (size_t)out->n * sizeof *out->lists + 1);
  if (!out->lists) return QM_ENOMEM;
  for (uint32_t i = 0; i < c->n_rules; i++) {
    for (uint32_t k = 0; k < c->rules[i].n_conditions; k++) {
      reader r = {&c->rules[i].conditions[k], &out->lists[at++], arena};
      QM_TRY(read_condition(s, c, view, &r));
    }
  }
  return QM_OK;
}

static int rule_empty(const qm_rule_def *r, const qm_alike_list *lists) {
  for (uint32_t k = 0; k < r->n_conditions; k++)
    if (!lists[k].n) return 1;
  return 0;
}

int qm_alike_empty(const qm_collection_def *c, const qm_alike *a) {
  const qm_alike_list *lists = a->lists;
  for (uint32_t i = 0; i < c->n_rules; lists += c->rules[i++].n_conditions)
    if (!rule_empty(&c->rules[i], lists)) return 0;
  return 1;
}

/* --- as bytes --- */

void qm_alike_encode(const qm_collection_def *c, const qm_alike *a, qm_buf *out) {
  const qm_alike_list *list = a->lists;
  qm_mp_array(out, a->n);
  for (uint32_t i = 0; i < c->n_rules; i++) {
    for (uint32_t k = 0; k < c->rules[i].n_conditions; k++, list++) {
      qm_mp_array(out, list->n);
      for (uint32_t j = 0; j < list->n; j++) {
        const qm_alike_value *v = &list->v[j];
        if (is_text(c->rules[i].conditions[k].match)) {
          qm_mp_bin(out, v->text.p, v->text.n);
          continue;
        }
        qm_mp_array(out, 3);
        for (int x = 0; x < 3; x++) qm_mp_int(out, v->n[x]);
      }
    }
  }
}

static int decode_list(qm_cur *c, uint8_t match, qm_alike_list *to) {
  (void)qm_cur_array(c, &to->n);
  if (to->n > QM_ALIKE_VALUES) return QM_ECORRUPT;
  for (uint32_t j = 0; j < to->n; j++) {
    if (is_text(match)) {
      (void)qm_cur_bin(c, &to->v[j].text);
      continue;
    }
    (void)qm_cur_array_n(c, 3);
    for (int x = 0; x < 3; x++) (void)qm_cur_int(c, &to->v[j].n[x]);
  }
  return c->status == QM_OK ? QM_OK : QM_ECORRUPT;
}

int qm_alike_decode(const qm_collection_def *c, qm_slice in, qm_arena *arena, qm_alike *out) {
  qm_cur cur;
  uint32_t at = 0;
  out->n = conditions_of(c);
  out->lists = qm_arena_zero(arena, (size_t)out->n * sizeof *out->lists + 1);
  if (!out->lists) return QM_ENOMEM;
  qm_cur_init(&cur, in);
  if (qm_cur_array_n(&cur, out->n) != QM_OK) return QM_ECORRUPT;
  for (uint32_t i = 0; i < c->n_rules; i++)
    for (uint32_t k = 0; k < c->rules[i].n_conditions; k++)
      QM_TRY(decode_list(&cur, c->rules[i].conditions[k].match, &out->lists[at++]));
  return qm_cur_end(&cur) == QM_OK ? QM_OK : QM_ECORRUPT;
}

/* --- places and times --- */

/* Cosine of an angle in degrees, |a| <= 90: its series; off by less than 1e-6. */
static double cosine(double degrees) {
  double x = degrees * 0.017453292519943295, x2 = x * x, sum = 1, term = 1;
  for (int k = 1; k <= 7; k++) {
    term *= -x2 / ((2.0 * k - 1) * (2.0 * k));
    sum += term;
  }
  return sum < 0.001 ? 0.001 : sum; /* at the poles a cell would have no end */
}

double qm__alike_metres2(const int64_t a[3], const int64_t b[3]) {
  double middle = (double)(a[0] + b[0]) / 2 / UNITS_PER_DEGREE;
  double y = (double)(a[0] - b[0]) / UNITS_PER_DEGREE * METRES_PER_DEGREE;
  double x = (double)(a[1] - b[1]) / UNITS_PER_DEGREE * METRES_PER_DEGREE * cosine(middle);
  return x * x + y * y;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Bands of latitude as high as the limit; in each, cells that are nowhere narrower than it. A
 * point is in its own band and in the one north of it, and there in two cells: points within
 * the limit share one. cells: [band, cell] four times. */
static void cells_of(const int64_t at[3], uint32_t metres, int64_t cells[4][2]) {
  int64_t height = (int64_t)(metres / METRES_PER_DEGREE * UNITS_PER_DEGREE) + 1;
  int64_t band = floor_div(at[0], height);
  for (int k = 0; k < 4; k++) {
    int64_t in = band + k / 2;
    /* Who shares band `in` lies in it or in the one below. */
    double south = (double)((in - 1) * height) / UNITS_PER_DEGREE;
    double north = (double)((in + 1) * height) / UNITS_PER_DEGREE;
    double far = north > -south ? north : -south;
    double narrow = cosine(far > 90 ? 90 : far);
    int64_t width =
        (int64_t)(metres / (METRES_PER_DEGREE * narrow) * UNITS_PER_DEGREE) + 1;
    cells[k][0] = in;
    cells[k][1] = floor_div(at[1], width) + k % 2;
  }
}

/* --- keys --- */

/* FNV-1a, 64 bits. Two values with one hash cost a comparison, nothing more. */
static uint64_t hash_bytes(uint64_t h, const void *p, size_t n) {
  const uint8_t *b = p;
  for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * UINT64_C(0x100000001b3);
  return h;
}

static uint64_t hash_int(uint64_t h, int64_t v) {
  uint8_t b[8];
  for (int i = 0; i < 8; i++) b[i] = (uint8_t)((uint64_t)v >> (8 * i));
  return hash_bytes(h, b, sizeof b);
}

/* The finalizer of splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

typedef struct keying {
  uint64_t *keys;
  uint32_t n;
} keying;

/* The parts that one condition may add to a key, each hashed onto h. */
static uint32_t parts_of(const qm_condition_def *x, const qm_alike_list *list, uint64_t h,
                         uint64_t out[QM_ALIKE_VALUES]) {
  int64_t cells[4][2];
  switch (x->match) {
    case QM_MATCH_SIMILAR: out[0] = h; return 1; /* told when the two are compared */
    case QM_MATCH_NEAR:
      cells_of(list->v[0].n, x->limit, cells);
      for (uint32_t k = 0; k < 4; k++)
        out[k] = hash_int(hash_int(hash_int(h, cells[k][0]), cells[k][1]), list->v[0].n[2]);
      return 4;
    case QM_MATCH_WITHIN:
      for (uint32_t k = 0; k < 2; k++)
        out[k] = hash_int(h, floor_div(list->v[0].n[0], x->limit * HOUR_MS) + k);
      return 2;
    default:
      for (uint32_t k = 0; k < list->n; k++)
        out[k] = hash_bytes(hash_int(h, (int64_t)list->v[k].text.n), list->v[k].text.p,
                            list->v[k].text.n);
      return list->n;
  }
}

/* Every choice of one part a condition; breadth first, as there are four conditions at most. */
static void rule_keys(keying *to, uint32_t rule, const qm_rule_def *r, const qm_alike_list *lists) {
  uint64_t now[256], next[256];
  uint32_t n = 1;
  now[0] = hash_int(UINT64_C(0xcbf29ce484222325), rule);
  for (uint32_t k = 0; k < r->n_conditions; k++) {
    uint32_t more = 0;
    for (uint32_t i = 0; i < n; i++)
      more += parts_of(&r->conditions[k], &lists[k], now[i], next + more);
    memcpy(now, next, more * sizeof *now);
    n = more;
  }
  for (uint32_t i = 0; i < n; i++)
    to->keys[to->n++] = (uint64_t)rule << 58 | mix(now[i]) >> 6;
}

static int key_less(const void *ctx, uint32_t a, uint32_t b) {
  const uint64_t *keys = ctx;
  return keys[a] < keys[b];
}

int qm_alike_keys(const qm_collection_def *c, const qm_alike *a, qm_arena *arena, uint64_t **out,
                  uint32_t *n) {
  const qm_alike_list *lists = a->lists;
  keying k = {qm_arena_array(arena, (size_t)c->n_rules * 256 + 1, sizeof(uint64_t)), 0};
  *n = 0;
  if (!k.keys) return QM_ENOMEM;
  for (uint32_t i = 0; i < c->n_rules; lists += c->rules[i++].n_conditions)
    if (!rule_empty(&c->rules[i], lists)) rule_keys(&k, i, &c->rules[i], lists);
  uint32_t *order = qm_arena_array(arena, (size_t)k.n + 1, sizeof *order);
  *out = qm_arena_array(arena, (size_t)k.n + 1, sizeof **out);
  if (!order || !*out) return QM_ENOMEM;
  for (uint32_t i = 0; i < k.n; i++) order[i] = i;
  qm__heap_sort(order, k.n, key_less, k.keys);
  for (uint32_t i = 0; i < k.n; i++)
    if (!*n || (*out)[*n - 1] != k.keys[order[i]]) (*out)[(*n)++] = k.keys[order[i]];
  return QM_OK;
}

/* --- comparing --- */

static uint32_t root(double square) { /* the nearest whole number */
  uint32_t low = 0, high = 1u << 20;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (((double)middle + 0.5) * ((double)middle + 0.5) <= square) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int compare_texts(const qm_condition_def *x, const qm_alike_list *a, const qm_alike_list *b,
                         uint32_t *percent) {
  *percent = 0;
  for (uint32_t i = 0; i < a->n; i++) {
    for (uint32_t j = 0; j < b->n; j++) {
      uint32_t p = x->match == QM_MATCH_SIMILAR ? qm_similar(a->v[i].text, b->v[j].text)
                                                : qm_slice_cmp(a->v[i].text, b->v[j].text) == 0
                                                      ? 100u
                                                      : 0u;
      if (p > *percent) *percent = p;
    }
  }
  return *percent >= (x->match == QM_MATCH_SIMILAR ? least_similar(x) : 100);
}

/* *measure as in qm_alike_reason; *percent: what it takes away from the score. */
static int compare_condition(const qm_condition_def *x, const qm_alike_list *a,
                             const qm_alike_list *b, uint32_t *measure, uint32_t *percent) {
  *percent = 100;
  *measure = 0;
  if (!a->n || !b->n) return 0;
  if (is_text(x->match)) {
    int holds = compare_texts(x, a, b, percent);
    *measure = *percent;
    return holds;
  }
  if (x->match == QM_MATCH_NEAR) {
    double square = qm__alike_metres2(a->v[0].n, b->v[0].n);
    *measure = root(square);
    return a->v[0].n[2] == b->v[0].n[2] && square <= (double)x->limit * x->limit;
  }
  int64_t apart = a->v[0].n[0] - b->v[0].n[0];
  if (apart < 0) apart = -apart;
  *measure = (uint32_t)((uint64_t)apart / (uint64_t)HOUR_MS % UINT32_MAX);
  return apart <= x->limit * HOUR_MS;
}

static int compare_rule(const qm_rule_def *r, const qm_alike_list *a, const qm_alike_list *b,
                        qm_alike_reason *out) {
  out->score = r->weight;
  for (uint32_t k = 0; k < r->n_conditions; k++) {
    uint32_t percent;
    if (!compare_condition(&r->conditions[k], &a[k], &b[k], &out->measure[k], &percent)) return 0;
    out->score = out->score * percent / 100;
  }
  if (!out->score) out->score = 1;
  return 1;
}

void qm_alike_compare(const qm_collection_def *c, const qm_alike *a, const qm_alike *b,
                      uint32_t rules, qm_alike_match *out) {
  const qm_alike_list *x = a->lists, *y = b->lists;
  double rest = 1;
  memset(out, 0, sizeof *out);
  for (uint32_t i = 0; i < c->n_rules; x += c->rules[i].n_conditions,
                y += c->rules[i].n_conditions, i++) {
    qm_alike_reason *reason = &out->reasons[out->n];
    if (!(rules >> i & 1u) || !compare_rule(&c->rules[i], x, y, reason)) continue;
    reason->rule = i;
    rest *= (double)(100 - reason->score) / 100;
    out->n++;
  }
  if (out->n) out->score = (uint32_t)((1 - rest) * 100 + 0.5);
}
