/* The search for records that differ at an equal VV, and what is done about them. */
#include "core/repair.h"

#include <string.h>

#include "core/aside_int.h"
#include "core/fold.h"
#include "core/mp.h"
#include "core/state_feed.h"

#define STEP_BITS 5u /* QM_RANGE_FAN children */
#define BITS_MAX 125u
#define ENTRY (QM_ID_SIZE + 16u + 1u) /* of a list: id, stored hash, whether its bytes have it */
#define AUTHORS_SENT_MAX 8192u
#define LIST_HERE_MAX (4u * QM_RANGE_LIST_MAX) /* looked at where the peer lists */

enum { RANGES = 0, WANT = 1, GIVE = 2 };

/* --- ranges of ids: those that begin with the first `bits` bits of `prefix` --- */

typedef struct range {
  uint32_t bits;
  qm_id prefix; /* zero beyond the bits */
} range;

static uint32_t bit_at(const qm_id *id, uint32_t bit) {
  return (uint32_t)(id->b[bit / 8] >> (7 - bit % 8)) & 1u;
}

static uint32_t child_of(const qm_id *id, uint32_t bits) {
  uint32_t child = 0;
  for (uint32_t i = 0; i < STEP_BITS; i++) child = child << 1 | bit_at(id, bits + i);
  return child;
}

static range child_at(const range *r, uint32_t child) {
  range c = {r->bits + STEP_BITS, r->prefix};
  for (uint32_t i = 0; i < STEP_BITS; i++) {
    uint32_t bit = r->bits + i;
    if (child >> (STEP_BITS - 1 - i) & 1u) c.prefix.b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
  }
  return c;
}

static int holds(const range *r, const qm_id *id) {
  for (uint32_t i = 0; i < r->bits; i++)
    if (bit_at(&r->prefix, i) != bit_at(id, i)) return 0;
  return 1;
}

static int is_range(const range *r) {
  if (r->bits % STEP_BITS || r->bits > BITS_MAX) return 0;
  for (uint32_t i = r->bits; i < 8 * QM_ID_SIZE; i++)
    if (bit_at(&r->prefix, i)) return 0;
  return 1;
}

/* The greatest id before it; 0: there is none. */
static int before(const qm_id *id, qm_id *out) {
  *out = *id;
  for (uint32_t i = QM_ID_SIZE; i-- > 0;)
    if (out->b[i]--) return 1;
  return 0;
}

static int get_range(qm_cur *c, range *r) {
  QM_TRY(qm_cur_uint32(c, &r->bits));
  QM_TRY(qm_cur_bin_n(c, r->prefix.b, QM_ID_SIZE));
  return is_range(r) ? QM_OK : qm_cur_fail(c, QM_EFORMAT);
}

static void put_range(qm_buf *out, const range *r) {
  qm_mp_uint(out, r->bits);
  qm_mp_bin(out, r->prefix.b, QM_ID_SIZE);
}

/* --- what is stored in one --- */

typedef struct view {
  qm_space *s;
  range r;
  qm_digest sums[QM_RANGE_FAN];
  uint8_t list[LIST_HERE_MAX * ENTRY];
  uint32_t n; /* records; the list has the first of them */
  qm_id last;
  uint32_t seen;
  int end;
} view;

/* By its bytes: what no record has, where they do not even read as one. */
static void hash_of(const qm_space *s, const qm_record_row *row, uint8_t out[16]) {
  if (qm_record_hash(&row->id, row->state, &s->authors, out) != QM_OK) memset(out, 0xff, 16);
}

static int look_record(void *payload, const qm_record_row *row) {
  view *v = payload;
  uint8_t hash[16];
  if (!holds(&v->r, &row->id)) {
    v->end = 1;
    return QM_STORE_STOP;
  }
  v->last = row->id;
  v->seen++;
  int good = qm__repair_seen(v->s, row, hash);
  if (v->r.bits < BITS_MAX) qm_digest_add(&v->sums[child_of(&row->id, v->r.bits)], hash);
  if (v->n < LIST_HERE_MAX) {
    uint8_t *p = v->list + v->n * ENTRY;
    memcpy(p, row->id.b, QM_ID_SIZE);
    memcpy(p + QM_ID_SIZE, row->hash, 16);
    p[QM_ID_SIZE + 16] = (uint8_t)good;
  }
  v->n++;
  return QM_OK;
}

static int look(qm_space *s, const range *r, view *v) {
  memset(v, 0, sizeof *v);
  v->s = s;
  v->r = *r;
  int any = before(&r->prefix, &v->last);
  do {
    qm_id after = v->last;
    v->seen = 0;
    QM_TRY(qm__fold_scan(s, any ? &after : NULL, 256, look_record, v));
    any = 1;
  } while (v->seen && !v->end);
  return QM_OK;
}

/* --- records that travel --- */

/* What a search is about holds only where both stand at one VV and one set of entries. */
static int stands_at(qm_space *s, const uint8_t vv[16], int *same) {
  uint8_t mine[16];
  QM_TRY(qm_engine_vv_digest(s->engine, s, mine));
  *same = !s->dirty && memcmp(mine, vv, 16) == 0;
  return QM_OK;
}

static int put_head(qm_space *s, uint32_t kind, uint32_t items, qm_buf *out) {
  uint8_t vv[16];
  QM_TRY(qm_engine_vv_digest(s->engine, s, vv));
  qm_mp_array(out, items);
  qm_mp_uint(out, kind);
  qm_mp_bin(out, vv, sizeof vv);
  return qm_buf_status(out);
}

static int put_authors(const qm_space *s, qm_buf *out) {
  if (s->authors.n > AUTHORS_SENT_MAX) return QM_ELIMIT;
  qm_mp_array(out, s->authors.n);
  for (uint32_t a = 0; a < s->authors.n; a++)
    qm_mp_bin(out, s->authors.ids[a].b, QM_AUTHOR_SIZE);
  return qm_buf_status(out);
}

typedef struct sending {
  qm_space *s;
  qm_buf *out;
  uint32_t n;
  int good;
} sending;

/* One whose bytes are not what its hash says goes nowhere, nor does one that does not fit. */
static int send_record(void *payload, const qm_record_row *row) {
  sending *w = payload;
  uint8_t hash[16];
  w->good = qm__repair_seen(w->s, row, hash) &&
            row->state.n + 64 < QM_RANGE_BYTES - QM_RANGE_BYTES / 4 - w->out->n;
  if (!w->good) return QM_OK;
  qm_mp_bin(w->out, row->id.b, QM_ID_SIZE);
  qm_mp_bin(w->out, row->state.p, row->state.n);
  w->n++;
  return QM_OK;
}

/* [authors, [id, blob, …]]; an id without a record here has an empty blob. Places are local
 * numbers. */
static int put_records(qm_space *s, const qm_id *ids, uint32_t n, qm_buf *out) {
  qm_buf body;
  int rc = QM_OK;
  qm_buf_init(&body, s->engine->env, QM_RANGE_BYTES);
  sending w = {.s = s, .out = &body};
  for (uint32_t i = 0; i < n && rc == QM_OK; i++) {
    w.good = -1;
    rc = qm__fold_load(s, &ids[i], 1, send_record, &w);
    if (rc != QM_OK || w.good >= 0) continue;
    qm_mp_bin(&body, ids[i].b, QM_ID_SIZE);
    qm_mp_bin(&body, NULL, 0);
    w.n++;
  }
  if (rc == QM_OK) rc = put_authors(s, out);
  qm_mp_array(out, 2 * (size_t)w.n);
  qm_mp_raw(out, qm_buf_slice(&body));
  if (rc == QM_OK) rc = qm_buf_status(&body);
  qm_buf_free(&body);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

/* --- taking them --- */

typedef struct taking {
  qm_engine *e;
  qm_space *s;
  int home;   /* the peer's word counts where nothing else tells */
  int keeps;  /* the peer lost records: what it has not may be one of them */
  int gives;  /* the peer brings what it was not asked for: only what was here is taken */
  uint32_t *map, n_map, replaced;
  qm_digest fit, lost; /* gives: shares of the rows that are gone here: of what came; in all */
} taking;

typedef struct stored {
  const qm_space *s;
  int is, good;
  uint8_t hash[16], bytes[16]; /* as stored, and of the bytes */
} stored;

static int meet_row(void *payload, const qm_record_row *row) {
  stored *m = payload;
  m->is = 1;
  memcpy(m->hash, row->hash, 16);
  hash_of(m->s, row, m->bytes);
  m->good = memcmp(m->bytes, row->hash, 16) == 0;
  return QM_OK;
}

static int find_stored(qm_space *s, const qm_id *id, stored *out) {
  *out = (stored){.s = s};
  return qm__fold_load(s, id, 1, meet_row, out);
}

static int is_lost(const qm_space *s, const uint8_t hash[16]) {
  qm_digest d = {0, 0};
  qm_digest_add(&d, hash);
  return s->suspect && qm_digest_eq(&d, &s->lost);
}

/* Whose word counts of one record (S19.4). hash: the peer's, of bytes that have it. */
static int peer_is_right(const taking *t, const stored *mine, const uint8_t hash[16]) {
  /* It is what this side's hash names, or what its bytes are: then the hash went bad. */
  if (mine->is && !mine->good &&
      (!memcmp(mine->hash, hash, 16) || !memcmp(mine->bytes, hash, 16)))
    return 1;
  if (t->gives) return 0;
  if (t->home) return 1;
  return !mine->is && is_lost(t->s, hash);
}

static int put(taking *t, const qm_id *id, const qm_record *r, const uint8_t hash[16],
               const stored *mine) {
  qm_space *s = t->s;
  qm_loaded *l;
  QM_TRY(qm__space_record(s, id, &l));
  qm__repair_put(l, r);
  qm__space_dirty(s, l);
  s->touched = s->ingested = 1;
  if (qm_id_is_zero(id)) s->stamps_stale = 1;
  if (s->suspect && !mine->good) { /* so much of what the digest lacked is here again */
    qm_digest_sub(&s->lost, hash);
    if (mine->is) qm_digest_add(&s->lost, mine->hash);
  }
  t->replaced++;
  return r ? qm__state_creations(s, &l->record) : QM_OK;
}

/* The record as it would stand here, and its hash. */
static int read_record(taking *t, const qm_id *id, qm_slice blob, qm_record *r,
                       uint8_t hash[16]) {
  qm_space *s = t->s;
  QM_TRY(qm__state_renumber(t->e, t->map, t->n_map, blob, &blob));
  int rc = qm_record_decode(r, id, blob, &s->authors, &t->e->arena);
  if (rc == QM_ECORRUPT) rc = QM_EFORMAT; /* it names an author that nobody here knows */
  QM_TRY(rc);
  if (qm_record_empty(r) || !qm__state_covered(&s->vv, r)) return QM_EFORMAT;
  return qm_record_hash(id, blob, &s->authors, hash);
}

static int take_one(taking *t, const qm_id *id, qm_slice blob, int pass) {
  stored mine;
  qm_record r;
  uint8_t hash[16];
  QM_TRY(find_stored(t->s, id, &mine));
  if (!blob.n) {
    if (t->keeps || !t->home || t->gives || !mine.is) return QM_OK;
    return put(t, id, NULL, hash, &mine);
  }
  QM_TRY(read_record(t, id, blob, &r, hash));
  if (t->gives && !mine.is && !pass) qm_digest_add(&t->fit, hash);
  if (t->gives && pass != !mine.is) return QM_OK;
  int fits = pass && t->s->suspect && qm_digest_eq(&t->fit, &t->lost);
  if (!fits && !peer_is_right(t, &mine, hash)) return QM_OK;
  if (mine.is && mine.good && memcmp(mine.hash, hash, 16) == 0) return QM_OK;
  return put(t, id, &r, hash, &mine);
}

static int read_authors(taking *t, qm_cur *c) {
  qm_author id;
  QM_TRY(qm_cur_array(c, &t->n_map));
  if (t->n_map > AUTHORS_SENT_MAX) return QM_EOVERSIZE;
  t->map = qm_arena_array(&t->e->arena, t->n_map, sizeof *t->map);
  if (!t->map) return QM_ENOMEM;
  for (uint32_t i = 0; i < t->n_map; i++) {
    QM_TRY(qm_cur_bin_n(c, id.b, sizeof id.b));
    /* Equal VVs: whoever wrote anything is known. One that only has a row names nothing. */
    if (qm_authors_find(&t->s->authors, &id, &t->map[i]) != QM_OK) t->map[i] = UINT32_MAX;
  }
  return QM_OK;
}

/* pass 0 takes what is told by itself; gives need a second one: rows that are gone here come
 * back where together they are what the digest lacks. */
static int take_pass(taking *t, qm_cur c, uint32_t n, int pass) {
  qm_id last;
  memset(&last, 0, sizeof last);
  for (uint32_t i = 0; i < n; i++) {
    qm_id id;
    qm_slice blob;
    QM_TRY(qm_cur_bin_n(&c, id.b, sizeof id.b));
    QM_TRY(qm_cur_bin(&c, &blob));
    if (i && qm_id_cmp(&last, &id) >= 0) return QM_ECANON;
    last = id;
    QM_TRY(take_one(t, &id, blob, pass));
  }
  return qm_cur_end(&c);
}

static int take_all(taking *t, qm_cur *c) {
  uint32_t n = 0;
  QM_TRY(read_authors(t, c));
  QM_TRY(qm_cur_array(c, &n));
  if (n % 2 || n / 2 > QM_RANGE_WANT_MAX) return QM_EFORMAT;
  t->s->replacing = 1;
  QM_TRY(take_pass(t, *c, n / 2, 0));
  t->lost = t->s->lost;
  if (t->gives) QM_TRY(take_pass(t, *c, n / 2, 1));
  return t->replaced ? qm__repair_count(t->s, t->replaced, 0) : QM_OK;
}

static int take_records(taking *t, qm_cur *c) {
  QM_TRY(qm_engine_begin(t->e));
  t->e->whole = 1;
  int rc = take_all(t, c);
  if (rc == QM_OK && t->replaced) return qm_engine_commit(t->e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(t->e);
  return rc;
}

/* --- the side that is asked --- */

/* From here on the store and the digest say all that was committed. */
static int ready(qm_engine *e) {
  if (e->poisoned) return QM_EIO;
  return e->open ? QM_ESTATE : qm__fold(e);
}

/* Rows that are gone are not in the digest either from here on. */
static int note_if_torn(qm_space *s) {
  qm_digest now;
  QM_TRY(qm__repair_sum(s, &now));
  return qm_digest_eq(&now, &s->digest) ? QM_OK : qm__repair_note_now(s);
}

static int is_complete(const qm_space *s) {
  static const qm_digest none = {0, 0};
  return !s->suspect || qm_digest_eq(&s->lost, &none);
}

static void put_view(const view *v, qm_buf *out) {
  uint8_t sums[QM_RANGE_FAN * 16];
  int listed = v->n <= QM_RANGE_LIST_MAX;
  qm_mp_array(out, 4);
  put_range(out, &v->r);
  qm_mp_bool(out, listed);
  if (listed) {
    qm_mp_bin(out, v->list, (size_t)v->n * ENTRY);
    return;
  }
  for (uint32_t i = 0; i < QM_RANGE_FAN; i++) qm_digest_bytes(&v->sums[i], sums + 16 * i);
  qm_mp_bin(out, sums, sizeof sums);
}

/* Disjoint and ascending: so a question reads each record once at most. */
static int read_ranges(qm_cur *c, range *r, uint32_t *n) {
  uint32_t count = 0;
  QM_TRY(qm_cur_array(c, &count));
  if (!count || count % 2 || count / 2 > QM_RANGES_MAX) return QM_EFORMAT;
  *n = count / 2;
  for (uint32_t i = 0; i < *n; i++) {
    QM_TRY(get_range(c, &r[i]));
    if (i && (qm_id_cmp(&r[i - 1].prefix, &r[i].prefix) >= 0 || holds(&r[i - 1], &r[i].prefix)))
      return QM_ECANON;
  }
  return qm_cur_end(c);
}

static int answer_ranges(qm_space *s, qm_cur *c, qm_buf *out) {
  range r[QM_RANGES_MAX];
  uint32_t n = 0;
  QM_TRY(read_ranges(c, r, &n));
  if (!r[0].bits) QM_TRY(note_if_torn(s));
  view *v = qm_alloc(s->engine->env, sizeof *v);
  if (!v) return QM_ENOMEM;
  int rc = put_head(s, RANGES, 4, out);
  qm_mp_bool(out, is_complete(s));
  qm_mp_array(out, n);
  for (uint32_t i = 0; i < n && rc == QM_OK; i++) {
    rc = look(s, &r[i], v);
    if (rc == QM_OK) put_view(v, out);
  }
  qm_free(s->engine->env, v);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

static int answer_want(qm_space *s, qm_cur *c, qm_buf *out) {
  qm_id ids[QM_RANGE_WANT_MAX];
  uint32_t n = 0;
  QM_TRY(qm_cur_array(c, &n));
  if (!n || n > QM_RANGE_WANT_MAX) return QM_EFORMAT;
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(qm_cur_bin_n(c, ids[i].b, QM_ID_SIZE));
    if (i && qm_id_cmp(&ids[i - 1], &ids[i]) >= 0) return QM_ECANON;
  }
  QM_TRY(qm_cur_end(c));
  QM_TRY(put_head(s, WANT, 4, out));
  qm_mp_array(out, 2);
  QM_TRY(put_records(s, ids, n, out));
  qm_mp_bool(out, is_complete(s));
  return qm_buf_status(out);
}

static int has_bad(qm_space *s, int *bad) {
  qm_digest now;
  QM_TRY(qm_engine_digest_now(s->engine, s, &now));
  *bad = !qm_digest_eq(&now, &s->digest);
  return QM_OK;
}

static int answer_give(qm_space *s, qm_cur *c, int takes, qm_buf *out, uint32_t *replaced) {
  taking t = {.e = s->engine, .s = s, .gives = 1};
  int bad = 1;
  QM_TRY(qm_cur_array_n(c, 2));
  if (takes) QM_TRY(take_records(&t, c));
  *replaced = t.replaced;
  if (t.replaced && s->suspect && is_complete(s)) {
    QM_TRY(has_bad(s, &bad));
    if (!bad) QM_TRY(qm_engine_unsuspect(s->engine, s));
  }
  QM_TRY(put_head(s, GIVE, 3, out));
  qm_mp_uint(out, t.replaced);
  return qm_buf_status(out);
}

static int answer(qm_space *s, qm_slice question, int takes, qm_buf *out, uint32_t *replaced) {
  qm_cur c;
  uint32_t kind = 0;
  uint8_t vv[16];
  int same = 0;
  qm_cur_init(&c, question);
  QM_TRY(qm_cur_array_n(&c, 3));
  QM_TRY(qm_cur_uint32(&c, &kind));
  QM_TRY(qm_cur_bin_n(&c, vv, sizeof vv));
  if (kind > GIVE) return QM_EFORMAT;
  QM_TRY(stands_at(s, vv, &same));
  if (!same) return QM_ENOTFOUND;
  if (kind == RANGES) return answer_ranges(s, &c, out);
  return kind == WANT ? answer_want(s, &c, out) : answer_give(s, &c, takes, out, replaced);
}

int qm_repair_answer(qm_engine *e, qm_space *s, qm_slice question, int takes, qm_buf *out,
                     uint32_t *replaced, qm_error *err) {
  uint32_t n = 0;
  int rc = ready(e);
  if (rc == QM_OK) rc = answer(s, question, takes, out, &n);
  if (replaced) *replaced = n;
  return rc == QM_OK ? rc : qm_fail(err, rc, "search: %s", qm_err_text(rc));
}

/* --- the side that asks --- */

typedef struct asking {
  qm_engine *e;
  qm_space *s;
  int home;
  int complete; /* the peer lacks nothing that it once had */
  int too_much;
  range deeper[QM_RANGES_MAX]; /* to ask for next; lists are asked for again with them */
  uint32_t n_deeper, n_sums;
  qm_id want[QM_RANGE_WANT_MAX], give[QM_RANGE_WANT_MAX];
  uint32_t n_want, n_give;
  view mine;
} asking;

static void go_deeper(asking *a, const range *r) {
  if (a->n_deeper == QM_RANGES_MAX)
    a->too_much = 1;
  else
    a->deeper[a->n_deeper++] = *r;
}

static void add_id(asking *a, qm_id *ids, uint32_t *n, const uint8_t *id) {
  if (*n == QM_RANGE_WANT_MAX)
    a->too_much = 1;
  else
    memcpy(ids[(*n)++].b, id, QM_ID_SIZE);
}

/* One id of which the two entries differ; NULL: not there. Who takes it looks at it itself. */
static void judge(asking *a, const uint8_t *mine, const uint8_t *theirs) {
  const uint8_t *id = mine ? mine : theirs;
  int mine_good = mine && mine[QM_ID_SIZE + 16], theirs_good = theirs && theirs[QM_ID_SIZE + 16];
  int wanted = theirs_good && (a->home || (mine ? !mine_good : is_lost(a->s, theirs + QM_ID_SIZE)));
  if (wanted || (!theirs && a->complete && a->home))
    add_id(a, a->want, &a->n_want, id);
  else if (mine_good && (theirs ? !theirs_good : !a->complete))
    add_id(a, a->give, &a->n_give, id);
}

static void compare_lists(asking *a, qm_slice theirs) {
  const uint8_t *x = a->mine.list, *y = theirs.p;
  const uint8_t *x_end = x + a->mine.n * ENTRY, *y_end = y + theirs.n;
  while (x < x_end || y < y_end) {
    int order = x == x_end ? 1 : y == y_end ? -1 : memcmp(x, y, QM_ID_SIZE);
    int same = order == 0 && memcmp(x, y, ENTRY) == 0 && x[ENTRY - 1];
    if (!same) judge(a, order <= 0 ? x : NULL, order >= 0 ? y : NULL);
    if (order <= 0) x += ENTRY;
    if (order >= 0) y += ENTRY;
  }
}

static int take_list(asking *a, const range *r, qm_slice theirs) {
  if (theirs.n % ENTRY || theirs.n > QM_RANGE_LIST_MAX * ENTRY) return QM_EFORMAT;
  for (size_t at = 0; at < theirs.n; at += ENTRY) {
    qm_id id;
    memcpy(id.b, theirs.p + at, QM_ID_SIZE);
    if (!holds(r, &id) || theirs.p[at + ENTRY - 1] > 1) return QM_EFORMAT;
    if (at && memcmp(theirs.p + at - ENTRY, id.b, QM_ID_SIZE) >= 0) return QM_ECANON;
  }
  if (a->mine.n > LIST_HERE_MAX)
    a->too_much = 1;
  else
    compare_lists(a, theirs);
  return QM_OK;
}

static int take_sums(asking *a, const range *r, qm_slice theirs) {
  if (theirs.n != QM_RANGE_FAN * 16 || r->bits >= BITS_MAX) return QM_EFORMAT;
  for (uint32_t i = 0; i < QM_RANGE_FAN; i++) {
    uint8_t sum[16];
    qm_digest_bytes(&a->mine.sums[i], sum);
    if (memcmp(sum, theirs.p + 16 * i, 16) == 0) continue;
    range child = child_at(r, i);
    a->n_sums++;
    go_deeper(a, &child);
  }
  return QM_OK;
}

static int take_view(asking *a, qm_cur *c) {
  range r;
  qm_slice body;
  int listed = 0;
  qm_cur_array_n(c, 4);
  QM_TRY(get_range(c, &r));
  QM_TRY(qm_cur_bool(c, &listed));
  QM_TRY(qm_cur_bin(c, &body));
  QM_TRY(look(a->s, &r, &a->mine));
  if (!listed) return take_sums(a, &r, body);
  uint32_t before_n = a->n_want + a->n_give;
  QM_TRY(take_list(a, &r, body));
  if (a->n_want + a->n_give > before_n) go_deeper(a, &r);
  return QM_OK;
}

static int ask_ranges(asking *a, const range *r, uint32_t n, qm_buf *out) {
  QM_TRY(put_head(a->s, RANGES, 3, out));
  qm_mp_array(out, 2 * (size_t)n);
  for (uint32_t i = 0; i < n; i++) put_range(out, &r[i]);
  return qm_buf_status(out);
}

static int ask_records(asking *a, qm_buf *out) {
  if (a->n_want) {
    QM_TRY(put_head(a->s, WANT, 3, out));
    qm_mp_array(out, a->n_want);
    for (uint32_t i = 0; i < a->n_want; i++) qm_mp_bin(out, a->want[i].b, QM_ID_SIZE);
    return qm_buf_status(out);
  }
  if (!a->n_give) return QM_OK;
  QM_TRY(put_head(a->s, GIVE, 3, out));
  qm_mp_array(out, 2);
  return put_records(a->s, a->give, a->n_give, out);
}

/* Too much to be found record by record: the whole state is to be replaced. */
static int give_up(asking *a) {
  if (!a->home || (a->e->flags & QM_ENGINE_HUB)) return QM_OK;
  QM_TRY(qm__repair_distrust(a->s));
  return QM_ECUT;
}

static int after_ranges(asking *a, qm_cur *c, qm_buf *out) {
  uint32_t n = 0;
  QM_TRY(qm_cur_bool(c, &a->complete));
  QM_TRY(qm_cur_array(c, &n));
  if (n > QM_RANGES_MAX) return QM_EOVERSIZE;
  for (uint32_t i = 0; i < n; i++) QM_TRY(take_view(a, c));
  QM_TRY(qm_cur_end(c));
  if (a->too_much) return give_up(a);
  return a->n_sums ? ask_ranges(a, a->deeper, a->n_deeper, out) : ask_records(a, out);
}

static int begin(asking *a, qm_buf *out) {
  range all;
  memset(&all, 0, sizeof all);
  return ask_ranges(a, &all, 1, out);
}

/* What was replaced may show what else differs: the search begins anew. */
static int after_want(asking *a, qm_cur *c, qm_buf *out, uint32_t *replaced) {
  taking t = {.e = a->e, .s = a->s, .home = a->home};
  qm_slice records;
  qm_cur body;
  int complete = 0;
  QM_TRY(qm_cur_value(c, 3, &records));
  QM_TRY(qm_cur_bool(c, &complete));
  QM_TRY(qm_cur_end(c));
  qm_cur_init(&body, records);
  QM_TRY(qm_cur_array_n(&body, 2));
  t.keeps = !complete;
  QM_TRY(take_records(&t, &body));
  *replaced = t.replaced;
  return t.replaced ? begin(a, out) : give_up(a);
}

static int after_give(asking *a, qm_cur *c, qm_buf *out, uint32_t *replaced) {
  QM_TRY(qm_cur_uint32(c, replaced));
  QM_TRY(qm_cur_end(c));
  if (*replaced > QM_RANGE_WANT_MAX) return QM_ERANGE;
  return *replaced ? begin(a, out) : QM_OK;
}

static int next(asking *a, qm_slice in, qm_buf *out, uint32_t *replaced) {
  qm_cur c;
  uint32_t kind = 0, items = 0;
  uint8_t vv[16];
  int same = 0;
  qm_cur_init(&c, in);
  QM_TRY(qm_cur_array(&c, &items));
  QM_TRY(qm_cur_uint32(&c, &kind));
  QM_TRY(qm_cur_bin_n(&c, vv, sizeof vv));
  if (kind > GIVE || items != (kind == GIVE ? 3u : 4u)) return QM_EFORMAT;
  QM_TRY(stands_at(a->s, vv, &same));
  if (!same) return QM_OK; /* something was written meanwhile: another time */
  if (kind == RANGES) return after_ranges(a, &c, out);
  return kind == WANT ? after_want(a, &c, out, replaced) : after_give(a, &c, out, replaced);
}

int qm_repair_next(qm_engine *e, qm_space *s, qm_slice answer_in, int peer_is_home, qm_buf *out,
                   uint32_t *replaced, qm_error *err) {
  uint32_t n = 0;
  int rc = ready(e);
  asking *a = rc == QM_OK ? qm_alloc_zero(e->env, sizeof *a) : NULL;
  if (rc == QM_OK && !a) rc = QM_ENOMEM;
  if (rc == QM_OK) {
    a->e = e;
    a->s = s;
    a->home = peer_is_home && !(e->flags & QM_ENGINE_HUB);
    if (!answer_in.n) rc = s->dirty ? QM_OK : note_if_torn(s);
    if (rc == QM_OK && answer_in.n) rc = next(a, answer_in, out, &n);
    if (rc == QM_OK && !answer_in.n && !s->dirty) rc = begin(a, out);
    qm_free(e->env, a);
  }
  if (replaced) *replaced = n;
  return rc == QM_OK ? rc : qm_fail(err, rc, "search: %s", qm_err_text(rc));
}
