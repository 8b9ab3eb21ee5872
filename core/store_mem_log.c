/* store_mem_log.c: log, open run and stage of the memory store. */
#include "core/repack.h"
#include "core/store_mem_impl.h"

#define SEGMENT_SIZE 20 /* author ‖ start ‖ next, in a LOG value */

/* ---- log ---- */

/* The row's segment of the same author before this one, or NULL. */
static const qm_segment_row *same_before(const qm_log_row *row, uint32_t i) {
  for (uint32_t j = i; j-- > 0;)
    if (row->segments[j].author == row->segments[i].author) return &row->segments[j];
  return NULL;
}

/* QM_EINVAL unless next rises within each author, also past what the log holds. */
static int log_check(mem_store *m, uint32_t space, const qm_log_row *row) {
  if (row->n_segments == 0) return QM_EINVAL;
  for (uint32_t i = 0; i < row->n_segments; i++) {
    const qm_segment_row *g = &row->segments[i];
    if (g->start >= g->next || g->next > INT64_MAX) return QM_EINVAL;
    const qm_segment_row *before = same_before(row, i);
    if (before && before->next >= g->next) return QM_EINVAL;
    if (before) continue;
    key end = key_author(SEGMENT, space, g->author, UINT64_MAX);
    qm_slice rest, prefix = qm_slice_of(end.b, end.n - 8);
    const qm__map_node *last = qm__map_before(&m->map, key_slice(&end));
    if (within(last, prefix, &rest) && get_be(rest.p, 8) >= g->next) return QM_EINVAL;
  }
  return QM_OK;
}

static uint64_t log_last(mem_store *m, uint32_t space) {
  key k = key_of(LOG_LAST, space);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  return n ? get_be(qm__map_value(n).p, 8) : 0;
}

static key key_log_of(uint32_t space, const qm_id *record) {
  key k = key_of(LOG_OF, space);
  key_id(&k, record);
  return k;
}

static key key_log_any(uint32_t space, uint64_t seq) {
  key k = key_of(LOG_ANY, space);
  key_u64(&k, seq);
  return k;
}

static int log_index(mem_store *m, uint32_t space, uint64_t seq, const qm_log_row *row) {
  uint8_t number[8];
  put_be(number, seq, 8);
  for (size_t from = 0, count; from < row->n_records; from += count) {
    key_list list;
    count = keys_together(row->n_records - from);
    for (size_t i = 0; i < count; i++)
      list.keys[i] = key_log_of(space, &row->records[from + i]);
    find_keys(m, &list, count); /* so that each is at hand below */
    for (size_t i = 0; i < count; i++)
      QM_TRY(qm__map_append(&m->map, key_slice(&list.keys[i]), qm_slice_of(number, 8)));
  }
  if (row->n_records) return QM_OK;
  key k = key_log_any(space, seq);
  return put(m, key_slice(&k), qm_slice_of(NULL, 0));
}

static int log_rows(mem_store *m, uint32_t space, uint64_t seq, const qm_log_row *row) {
  key k = key_of(LOG, space);
  key_u64(&k, seq);
  uint8_t number[8];
  put_be(number, seq, 8);
  qm_buf_clear(&m->value);
  qm_buf_be32(&m->value, row->n_segments);
  for (uint32_t i = 0; i < row->n_segments; i++) {
    const qm_segment_row *g = &row->segments[i];
    qm_buf_be32(&m->value, g->author);
    qm_buf_be64(&m->value, g->start);
    qm_buf_be64(&m->value, g->next);
    if (!same_before(row, i)) {
      key by_seq = key_author(SEGMENT_SEQ, space, g->author, seq);
      QM_TRY(put(m, key_slice(&by_seq), qm_slice_of(NULL, 0)));
    }
    if (!qm__log_run_ends(row, i)) continue;
    key by_next = key_author(SEGMENT, space, g->author, g->next);
    QM_TRY(put(m, key_slice(&by_next), qm_slice_of(number, 8)));
  }
  qm_buf_add(&m->value, row->batch.p, row->batch.n);
  return put_value(m, key_slice(&k));
}

static int log_put(mem_store *m, uint32_t space, uint64_t seq, const qm_log_row *row) {
  key last = key_of(LOG_LAST, space);
  uint8_t number[8];
  QM_TRY(log_index(m, space, seq, row));
  put_be(number, seq, 8);
  QM_TRY(put(m, key_slice(&last), qm_slice_of(number, 8)));
  return log_rows(m, space, seq, row);
}

int qm__mem_log_append(qm_store *s, uint32_t space, const qm_log_row *row, uint64_t *seq) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  QM_TRY(log_check(m, space, row));
  uint64_t next = log_last(m, space) + 1;
  QM_TRY(wrote(m, log_put(m, space, next, row)));
  *seq = next;
  return QM_OK;
}

static void log_segment(const uint8_t *p, qm_segment_row *out) {
  out->author = (uint32_t)get_be(p, 4);
  out->start = get_be(p + 4, 8);
  out->next = get_be(p + 12, 8);
}

/* 1 where no segment of a LOG value reaches beyond vv. */
static int log_covered(qm_slice v, const qm_vv *vv) {
  uint32_t n = (uint32_t)get_be(v.p, 4);
  for (uint32_t i = 0; i < n; i++) {
    qm_segment_row g;
    log_segment(v.p + 4 + (size_t)i * SEGMENT_SIZE, &g);
    if (g.next > qm_vv_get(vv, g.author)) return 0;
  }
  return 1;
}

/* The first row after after_seq with a segment of this author beyond its vv. As next and
 * seq rise together, it is the later of the first beyond vv and the first after
 * after_seq; `beyond` is the seq of the former. */
static uint64_t author_after(mem_store *m, uint32_t space, uint32_t author, uint64_t beyond,
                             uint64_t after_seq) {
  if (beyond > after_seq) return beyond;
  key k = key_author(SEGMENT_SEQ, space, author, after_seq + 1);
  qm_slice rest, prefix = qm_slice_of(k.b, k.n - 8);
  return within(qm__map_seek(&m->map, key_slice(&k)), prefix, &rest) ? get_be(rest.p, 8)
                                                                     : UINT64_MAX;
}

/* UINT64_MAX where there is none. Hops from author to author of the log. */
static uint64_t log_seek(mem_store *m, uint32_t space, const qm_vv *vv, uint64_t after_seq) {
  uint64_t best = UINT64_MAX;
  key all = key_of(SEGMENT, space);
  qm_slice rest, prefix = key_slice(&all);
  for (uint32_t author = 0;;) {
    uint64_t known = qm_vv_get(vv, author);
    key k = key_author(SEGMENT, space, author, known == UINT64_MAX ? known : known + 1);
    const qm__map_node *n = qm__map_seek(&m->map, key_slice(&k));
    if (!within(n, prefix, &rest)) return best;
    uint32_t at = (uint32_t)get_be(rest.p, 4);
    if (at != author) {
      author = at;
      continue;
    }
    uint64_t seq = author_after(m, space, author, get_be(qm__map_value(n).p, 8), after_seq);
    if (seq < best) best = seq;
    if (author == UINT32_MAX) return best;
    author++;
  }
}

static int log_visit(mem_store *m, const qm__map_node *n, uint64_t seq, int whole,
                     qm_visit_log visit, void *payload) {
  qm_slice v = qm__map_value(n);
  uint32_t count = (uint32_t)get_be(v.p, 4);
  size_t head = 4 + (size_t)count * SEGMENT_SIZE;
  qm_segment_row *segments = qm_alloc_array(m->base.env, count, sizeof *segments);
  if (!segments) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++)
    log_segment(v.p + 4 + (size_t)i * SEGMENT_SIZE, &segments[i]);
  qm_log_row row = {.seq = seq,
                    .batch = qm_slice_of(whole ? v.p + head : NULL, v.n - head),
                    .segments = segments,
                    .n_segments = count};
  int rc = visit(payload, &row);
  qm_free(m->base.env, segments);
  return rc;
}

int qm__mem_log_after(qm_store *s, uint32_t space, const qm_vv *vv, uint64_t after_seq,
                      qm_visit_log visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  if (after_seq >= log_last(m, space)) return QM_ENOTFOUND;
  uint64_t seq = log_seek(m, space, vv, after_seq);
  if (seq == UINT64_MAX) return QM_ENOTFOUND;
  key k = key_of(LOG, space);
  key_u64(&k, seq);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  return n ? visited(log_visit(m, n, seq, 1, visit, payload)) : QM_EINTERNAL;
}

/* The first seq from `seq` on that is said of any record; UINT64_MAX: none. */
static uint64_t any_from(mem_store *m, uint32_t space, uint64_t seq) {
  key k = key_log_any(space, seq);
  qm_slice rest, prefix = qm_slice_of(k.b, k.n - 8);
  return within(qm__map_seek(&m->map, key_slice(&k)), prefix, &rest) ? get_be(rest.p, 8)
                                                                     : UINT64_MAX;
}

/* The same of the record: its seqs ascend. */
static uint64_t told_from(mem_store *m, uint32_t space, const qm_id *record, uint64_t seq) {
  key k = key_log_of(space, record);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  qm_slice v = n ? qm__map_value(n) : qm_slice_of(NULL, 0);
  size_t lo = 0, hi = v.n / 8;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (get_be(v.p + 8 * mid, 8) < seq)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < v.n / 8 ? get_be(v.p + 8 * lo, 8) : UINT64_MAX;
}

int qm__mem_log_of(qm_store *s, uint32_t space, const qm_id *record, uint64_t after_seq,
                   qm_visit_log visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  if (after_seq >= log_last(m, space)) return QM_ENOTFOUND;
  uint64_t seq = told_from(m, space, record, after_seq + 1);
  uint64_t other = any_from(m, space, after_seq + 1);
  if (other < seq) seq = other;
  if (seq == UINT64_MAX) return QM_ENOTFOUND;
  key k = key_of(LOG, space);
  key_u64(&k, seq);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  return n ? visited(log_visit(m, n, seq, 1, visit, payload)) : QM_EINTERNAL;
}

static int log_there(mem_store *m, uint32_t space, uint64_t seq) {
  key k = key_of(LOG, space);
  key_u64(&k, seq);
  return qm__map_find(&m->map, key_slice(&k)) != NULL;
}

/* What the index says of rows that are gone. */
static int sweep_record(mem_store *m, uint32_t space, const qm__map_node *n) {
  qm_slice v = qm__map_value(n);
  qm_buf_clear(&m->value);
  for (size_t i = 0; i < v.n; i += 8)
    if (log_there(m, space, get_be(v.p + i, 8))) qm_buf_add(&m->value, v.p + i, 8);
  QM_TRY(qm_buf_status(&m->value));
  if (m->value.n == v.n) return QM_OK;
  return m->value.n ? put_value(m, qm__map_key(n)) : qm__map_delete(&m->map, qm__map_key(n));
}

static int log_sweep(mem_store *m, uint32_t space) {
  key all = key_of(LOG_OF, space), any = key_of(LOG_ANY, space);
  qm_slice rest, prefix = key_slice(&all);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n))
    QM_TRY(sweep_record(m, space, n));
  prefix = key_slice(&any);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n))
    if (!log_there(m, space, get_be(rest.p, 8)))
      QM_TRY(qm__map_delete(&m->map, qm__map_key(n)));
  return QM_OK;
}

static int log_delete(mem_store *m, uint32_t space, const qm__map_node *n, uint64_t seq,
                      qm_vv *gone) {
  qm_slice v = qm__map_value(n);
  uint32_t count = (uint32_t)get_be(v.p, 4);
  for (uint32_t i = 0; i < count; i++) {
    qm_segment_row g;
    log_segment(v.p + 4 + (size_t)i * SEGMENT_SIZE, &g);
    key by_next = key_author(SEGMENT, space, g.author, g.next);
    key by_seq = key_author(SEGMENT_SEQ, space, g.author, seq);
    QM_TRY(qm__map_delete(&m->map, key_slice(&by_next)));
    QM_TRY(qm__map_delete(&m->map, key_slice(&by_seq)));
    if (gone && g.next > qm_vv_get(gone, g.author))
      QM_TRY(qm_vv_set(m->base.env, gone, g.author, g.next));
  }
  return qm__map_delete(&m->map, qm__map_key(n));
}

int qm__mem_log_cut(qm_store *s, uint32_t space, const qm_vv *vv, qm_vv *gone) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  key k = key_of(LOG, space);
  qm_slice rest, prefix = key_slice(&k);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    if (log_covered(qm__map_value(n), vv))
      QM_TRY(wrote(m, log_delete(m, space, n, get_be(rest.p, 8), gone)));
  }
  return wrote(m, log_sweep(m, space));
}

int qm__mem_log_sizes(qm_store *s, uint32_t space, qm_visit_log visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_of(LOG, space);
  qm_slice rest, prefix = key_slice(&k);
  int rc = QM_OK;
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix);
       rc == QM_OK && within(n, prefix, &rest); n = qm__map_next(n))
    rc = log_visit(m, n, get_be(rest.p, 8), 0, visit, payload);
  return visited(rc);
}

int qm__mem_log_replace(qm_store *s, uint32_t space, uint64_t seq, qm_slice batch) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  key k = key_of(LOG, space);
  key_u64(&k, seq);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  if (!n) return QM_ENOTFOUND;
  qm_slice v = qm__map_value(n);
  qm_buf_clear(&m->value);
  qm_buf_add(&m->value, v.p, 4 + (size_t)get_be(v.p, 4) * SEGMENT_SIZE);
  qm_buf_add(&m->value, batch.p, batch.n);
  return wrote(m, put_value(m, key_slice(&k)));
}

static int log_rewrite(mem_store *m, uint32_t space, const qm__map_node *n,
                       const qm_log_row *row) {
  QM_TRY(log_delete(m, space, n, row->seq, NULL));
  if (row->n_segments) return log_rows(m, space, row->seq, row);
  return log_sweep(m, space);
}

int qm__mem_log_rewrite(qm_store *s, uint32_t space, const qm_log_row *row) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  key k = key_of(LOG, space);
  key_u64(&k, row->seq);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  return n ? wrote(m, log_rewrite(m, space, n, row)) : QM_ENOTFOUND;
}

/* ---- repack ---- */

static int same_as_stored(qm__repacking *x, qm_slice v) {
  uint32_t n = (uint32_t)get_be(v.p, 4);
  for (uint32_t i = 0; i < n; i++) {
    qm_segment_row g;
    log_segment(v.p + 4 + (size_t)i * SEGMENT_SIZE, &g);
    if (!qm__repack_meets(x, &g)) return 0;
  }
  return 1;
}

static int repack_check(mem_store *m, uint32_t space, uint64_t first, const qm_log_row *rows,
                        uint32_t n) {
  qm__repacking x;
  key all = key_of(LOG, space), k = all;
  qm_slice rest;
  QM_TRY(qm__repack_begin(&x, rows, n, first));
  uint64_t last = rows[n - 1].seq;
  if (!log_there(m, space, last)) return QM_ENOTFOUND;
  key_u64(&k, first);
  for (const qm__map_node *at = qm__map_seek(&m->map, key_slice(&k));
       within(at, key_slice(&all), &rest) && get_be(rest.p, 8) <= last; at = qm__map_next(at))
    if (!same_as_stored(&x, qm__map_value(at))) return QM_EINVAL;
  return qm__repack_end(&x);
}

/* A record's seqs ascend. */
static int index_insert(mem_store *m, uint32_t space, const qm_id *record, uint64_t seq) {
  key k = key_log_of(space, record);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  qm_slice v = n ? qm__map_value(n) : qm_slice_of(NULL, 0);
  uint8_t number[8];
  size_t at = 0;
  put_be(number, seq, 8);
  while (at < v.n && get_be(v.p + at, 8) < seq) at += 8;
  if (at < v.n && get_be(v.p + at, 8) == seq) return QM_OK;
  qm_buf_clear(&m->value);
  qm_buf_add(&m->value, v.p, at);
  qm_buf_add(&m->value, number, 8);
  qm_buf_add(&m->value, v.p + at, v.n - at);
  return put_value(m, key_slice(&k));
}

static int repack(mem_store *m, uint32_t space, uint64_t first, const qm_log_row *rows,
                  uint32_t n) {
  key all = key_of(LOG, space), k = all;
  qm_slice rest;
  key_u64(&k, first);
  for (const qm__map_node *at = qm__map_seek(&m->map, key_slice(&k));
       within(at, key_slice(&all), &rest) && get_be(rest.p, 8) <= rows[n - 1].seq;
       at = qm__map_next(at))
    QM_TRY(log_delete(m, space, at, get_be(rest.p, 8), NULL));
  QM_TRY(log_sweep(m, space));
  for (uint32_t i = 0; i < n; i++) {
    QM_TRY(log_rows(m, space, rows[i].seq, &rows[i]));
    for (uint32_t r = 0; r < rows[i].n_records; r++)
      QM_TRY(index_insert(m, space, &rows[i].records[r], rows[i].seq));
    key any = key_log_any(space, rows[i].seq);
    if (!rows[i].n_records) QM_TRY(put(m, key_slice(&any), qm_slice_of(NULL, 0)));
  }
  return QM_OK;
}

int qm__mem_log_repack(qm_store *s, uint32_t space, uint64_t first, const qm_log_row *rows,
                       uint32_t n) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  QM_TRY(repack_check(m, space, first, rows, n));
  return wrote(m, repack(m, space, first, rows, n));
}

/* ---- open run ---- */

int qm__mem_open_append(qm_store *s, uint32_t space, const qm_open_row *row) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  if (row->counter > INT64_MAX) return QM_EINVAL;
  key k = key_of(OPEN, space);
  key_u64(&k, row->counter);
  return wrote(m, put(m, key_slice(&k), row->change));
}

int qm__mem_open_from(qm_store *s, uint32_t space, uint64_t from, qm_visit_open visit,
                      void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key all = key_of(OPEN, space), k = all;
  key_u64(&k, from);
  qm_slice rest, prefix = key_slice(&all);
  for (const qm__map_node *n = qm__map_seek(&m->map, key_slice(&k)); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    qm_open_row row = {get_be(rest.p, 8), qm__map_value(n)};
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

int qm__mem_open_list(qm_store *s, uint32_t space, qm_visit_open visit, void *payload) {
  return qm__mem_open_from(s, space, 0, visit, payload);
}

int qm__mem_open_clear(qm_store *s, uint32_t space) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  return wrote(m, delete_kind(m, OPEN, space));
}

/* ---- set aside ---- */

static int named_key(mem_store *m, kind what, uint32_t space, qm_slice name, qm_buf *k) {
  key head = key_of(what, space);
  qm_buf_init(k, m->base.env, SIZE_MAX);
  qm_buf_add(k, head.b, head.n);
  qm_buf_add(k, name.p, name.n);
  return qm_buf_status(k);
}

static int named_put(qm_store *s, kind what, uint32_t space, qm_slice name, qm_slice value) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  qm_buf k;
  int rc = named_key(m, what, space, name, &k);
  if (rc == QM_OK)
    rc = value.n ? put(m, qm_buf_slice(&k), value) : qm__map_delete(&m->map, qm_buf_slice(&k));
  qm_buf_free(&k);
  return wrote(m, rc);
}

/* The names that begin so, from `from` on (`skip`: without it). */
static int named_scan(qm_store *s, kind what, uint32_t space, qm_slice prefix, qm_slice from,
                      int skip, qm_visit_meta visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  qm_buf k, at;
  qm_slice rest;
  int rc = named_key(m, what, space, prefix, &k);
  int rc_at = named_key(m, what, space, from, &at);
  if (rc == QM_OK) rc = rc_at;
  const qm__map_node *n = rc == QM_OK ? qm__map_seek(&m->map, qm_buf_slice(&at)) : NULL;
  if (skip && n && qm_slice_cmp(qm__map_key(n), qm_buf_slice(&at)) == 0) n = qm__map_next(n);
  for (; rc == QM_OK && within(n, qm_buf_slice(&k), &rest); n = qm__map_next(n)) {
    qm_slice whole = qm__map_key(n);
    rc = visit(payload, qm_slice_of(whole.p + 5, whole.n - 5), qm__map_value(n));
  }
  qm_buf_free(&k);
  qm_buf_free(&at);
  return visited(rc);
}

int qm__mem_aside_put(qm_store *s, uint32_t space, qm_slice name, qm_slice value) {
  return named_put(s, ASIDE, space, name, value);
}

int qm__mem_aside_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_visit_meta visit,
                       void *payload) {
  return named_scan(s, ASIDE, space, prefix, prefix, 0, visit, payload);
}

/* ---- what a replica notes for itself ---- */

int qm__mem_local_put(qm_store *s, uint32_t space, qm_slice name, qm_slice value) {
  return named_put(s, LOCAL, space, name, value);
}

int qm__mem_local_scan(qm_store *s, uint32_t space, qm_slice prefix, qm_slice after,
                       qm_visit_meta visit, void *payload) {
  int behind = after.n && qm_slice_cmp(after, prefix) > 0;
  return named_scan(s, LOCAL, space, prefix, behind ? after : prefix, behind, visit, payload);
}

/* ---- stage ---- */

static const qm__map_node *stage_find(mem_store *m, uint32_t space) {
  key k = key_of(STAGE, space);
  return qm__map_find(&m->map, key_slice(&k));
}

static int stage_delete(mem_store *m, uint32_t space) {
  QM_TRY(delete_kind(m, STAGE, space));
  return delete_kind(m, PART, space);
}

int qm__mem_stage_begin(qm_store *s, uint32_t space, qm_slice manifest) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  const qm__map_node *n = stage_find(m, space);
  if (n && qm_slice_cmp(qm__map_value(n), manifest) == 0) return QM_OK;
  QM_TRY(wrote(m, stage_delete(m, space)));
  key k = key_of(STAGE, space);
  return wrote(m, put(m, key_slice(&k), manifest));
}

int qm__mem_stage_part(qm_store *s, uint32_t space, uint32_t part, qm_slice content) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  if (!stage_find(m, space)) return QM_ENOTFOUND;
  key k = key_of(PART, space);
  key_u32(&k, part);
  if (qm__map_find(&m->map, key_slice(&k))) return QM_OK;
  return wrote(m, put(m, key_slice(&k), content));
}

int qm__mem_stage_parts(qm_store *s, uint32_t space, uint32_t *next_part, qm_buf *manifest) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  const qm__map_node *stage = stage_find(m, space);
  if (!stage) return QM_ENOTFOUND;
  key k = key_of(PART, space);
  qm_slice rest, prefix = key_slice(&k);
  uint32_t next = 0;
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    if (get_be(rest.p, 4) != next) break;
    next++;
  }
  *next_part = next;
  qm_buf_add(manifest, qm__map_value(stage).p, qm__map_value(stage).n);
  return qm_buf_status(manifest);
}

int qm__mem_stage_read(qm_store *s, uint32_t space, uint32_t part, qm_buf *content) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_of(PART, space);
  key_u32(&k, part);
  const qm__map_node *n = qm__map_find(&m->map, key_slice(&k));
  if (!n) return QM_ENOTFOUND;
  qm_buf_add(content, qm__map_value(n).p, qm__map_value(n).n);
  return qm_buf_status(content);
}

static int stage_take(mem_store *m, uint32_t space,
                      int (*visit)(void *payload, uint32_t part, qm_slice content), void *payload) {
  static const kind replaced[] = {AUTHOR, RECORD, MEMBER, CREATION, KEY, KEY_OF};
  for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++)
    QM_TRY(delete_kind(m, replaced[i], space));
  key k = key_of(PART, space);
  qm_slice rest, prefix = key_slice(&k);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    int rc = visit(payload, (uint32_t)get_be(rest.p, 4), qm__map_value(n));
    if (rc == QM_STORE_STOP) break;
    QM_TRY(rc);
  }
  return stage_delete(m, space);
}

int qm__mem_stage_swap(qm_store *s, uint32_t space,
                       int (*visit)(void *payload, uint32_t part, qm_slice content),
                       void *payload) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  if (!stage_find(m, space)) return QM_ENOTFOUND;
  return wrote(m, stage_take(m, space, visit, payload));
}

int qm__mem_stage_drop(qm_store *s, uint32_t space) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  return wrote(m, stage_delete(m, space));
}
