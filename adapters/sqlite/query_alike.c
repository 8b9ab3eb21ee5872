/* query_alike.c: likely duplicates, from the index that project_alike.c keeps. Who shares a
 * key is compared, nobody else; of a key that too many share nobody is. */
#include <stdlib.h>
#include <string.h>

#include "adapters/sqlite/project_layout.h"
#include "adapters/sqlite/query_impl.h"
#include "core/alike.h"
#include "core/id.h"

#define CANDIDATES_MAX (1u << 20) /* pairs that one call compares */
#define COMMON_MAX 20u            /* keys that too many share, told: those shared by most */
#define FEATURES_MAX ((size_t)4 << 20)

typedef struct candidate {
  int64_t a, b; /* rows, a < b */
  uint32_t rules;
} candidate;

typedef struct found {
  int64_t a, b;
  qm_id id_a, id_b; /* id_a < id_b */
  uint32_t rules, score, at; /* at: the collection's place */
  int dismissed;
} found;

typedef struct common {
  int64_t row;
  uint32_t rule, at;
  uint64_t records;
} common;

typedef struct id_pair {
  qm_id a, b;
} id_pair;

typedef struct looking {
  qm_query *q;
  const qm_query_alike *r;
  const qm_collection_def *c; /* the one being looked at */
  uint32_t at;
  int64_t first; /* row before its rows */
  candidate *pairs;
  uint32_t n_pairs, cap_pairs;
  found *found;
  uint32_t n_found, cap_found;
  common common[COMMON_MAX];
  uint32_t n_common;
  id_pair *distinct; /* ascending */
  uint32_t n_distinct, cap_distinct;
  int incomplete;
  qm_arena left, right; /* what is compared */
} looking;

/* Room for one more; 0: no memory. */
static int room(const qm_env *env, void **p, uint32_t n, uint32_t *cap, size_t size) {
  if (n < *cap) return 1;
  uint32_t more = *cap ? *cap * 2 : 256;
  uint8_t *to = qm_alloc_array(env, more, size);
  if (!to) return 0;
  if (n) memcpy(to, *p, n * size);
  qm_free(env, *p);
  *p = to;
  *cap = more;
  return 1;
}

/* ---- who shares a key ---- */

static int add_candidate(looking *l, int64_t a, int64_t b, uint32_t rule) {
  void *p = l->pairs;
  if (l->n_pairs == CANDIDATES_MAX) {
    l->incomplete = 1;
    return QM_OK;
  }
  if (!room(l->q->db.env, &p, l->n_pairs, &l->cap_pairs, sizeof *l->pairs)) return QM_ENOMEM;
  l->pairs = p;
  l->pairs[l->n_pairs++] = (candidate){a < b ? a : b, a < b ? b : a, 1u << rule};
  return QM_OK;
}

/* The least goes where there are too many. */
static void add_common(looking *l, uint32_t rule, int64_t row, uint64_t records) {
  uint32_t at = l->n_common < COMMON_MAX ? l->n_common++ : COMMON_MAX - 1;
  if (at == COMMON_MAX - 1 && l->common[at].records >= records && l->common[at].row) return;
  for (; at && l->common[at - 1].records < records; at--) l->common[at] = l->common[at - 1];
  l->common[at] = (common){row, rule, l->at, records};
}

typedef struct block {
  uint64_t key, n; /* n: rows that share it */
  int64_t rows[QM_RULE_MOST_MAX];
} block;

static uint32_t most_of(const looking *l, uint64_t key) {
  uint32_t rule = qm_alike_key_rule(key);
  return rule < l->c->n_rules ? l->c->rules[rule].most : 0;
}

static int end_block(looking *l, const block *b) {
  uint32_t rule = qm_alike_key_rule(b->key), most = most_of(l, b->key);
  if (b->n > most) {
    if (most) add_common(l, rule, b->rows[0], b->n);
    return QM_OK;
  }
  for (uint64_t i = 0; i < b->n; i++)
    for (uint64_t k = i + 1; k < b->n; k++)
      QM_TRY(add_candidate(l, b->rows[i], b->rows[k], rule));
  return QM_OK;
}

static int scan(looking *l) {
  block b = {.n = 0};
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_ALIKE_SCAN, QM__ARGS(qm__int(qm__row_scope(l->first))),
                      &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  while (rc == QM_OK && row) {
    uint64_t key = qm__db_u64(st, 0);
    if (key != b.key || !b.n) {
      rc = end_block(l, &b);
      b.key = key;
      b.n = 0;
    }
    if (b.n < QM_RULE_MOST_MAX) b.rows[b.n] = sqlite3_column_int64(st, 1);
    b.n++;
    if (rc == QM_OK) rc = qm__db_step(&l->q->db, st, &row);
  }
  qm__db_end(&l->q->db, QM__SQL_ALIKE_SCAN, st);
  return rc == QM_OK ? end_block(l, &b) : rc;
}

/* Those that share this key with the record at `of`. */
static int probe(looking *l, int64_t of, uint64_t key) {
  uint32_t most = most_of(l, key);
  block b = {.key = key};
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_ALIKE_BLOCK,
                      QM__ARGS(qm__int(qm__row_scope(l->first)), qm__int((int64_t)key),
                               qm__int((int64_t)most + 1)),
                      &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  while (rc == QM_OK && row) {
    if (b.n < QM_RULE_MOST_MAX) b.rows[b.n] = sqlite3_column_int64(st, 0);
    b.n++;
    rc = qm__db_step(&l->q->db, st, &row);
  }
  qm__db_end(&l->q->db, QM__SQL_ALIKE_BLOCK, st);
  for (uint64_t i = 0; rc == QM_OK && b.n <= most && i < b.n; i++)
    if (b.rows[i] != of) rc = add_candidate(l, of, b.rows[i], qm_alike_key_rule(key));
  return rc;
}

/* *row: of the record's class; 0 where it has none. */
static int place_of(looking *l, int64_t *row) {
  *row = 0;
  int64_t last = (int64_t)((uint64_t)l->first | UINT32_MAX);
  int rc = qm__db_get_int(&l->q->db, QM__SQL_ALIKE_PLACE,
                          QM__ARGS(qm__int(l->r->space), qm__blob(l->r->record->b, QM_ID_SIZE),
                                   qm__int(l->first), qm__int(last)),
                          row);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int probe_record(looking *l) {
  sqlite3_stmt *st;
  int64_t of;
  int there = 0;
  qm_slice keys = {NULL, 0};
  QM_TRY(place_of(l, &of));
  if (!of) return QM_OK;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_ALIKE_GET, QM__ARGS(qm__int(of)), &st));
  int rc = qm__db_step(&l->q->db, st, &there);
  if (rc == QM_OK && there) keys = qm__db_blob(st, 1);
  for (size_t i = 0; rc == QM_OK && i + 8 <= keys.n; i += 8) {
    uint64_t key = 0;
    for (int k = 0; k < 8; k++) key = key << 8 | keys.p[i + (size_t)k];
    rc = probe(l, of, key);
  }
  qm__db_end(&l->q->db, QM__SQL_ALIKE_GET, st);
  return rc;
}

static int by_rows(const void *x, const void *y) {
  const candidate *a = x, *b = y;
  if (a->a != b->a) return a->a < b->a ? -1 : 1;
  return a->b < b->b ? -1 : a->b > b->b;
}

/* Each pair once, with all rules by which it came. */
static void unite(looking *l) {
  uint32_t n = 0;
  if (l->n_pairs) qsort(l->pairs, l->n_pairs, sizeof *l->pairs, by_rows);
  for (uint32_t i = 0; i < l->n_pairs; i++) {
    if (n && by_rows(&l->pairs[n - 1], &l->pairs[i]) == 0)
      l->pairs[n - 1].rules |= l->pairs[i].rules;
    else l->pairs[n++] = l->pairs[i];
  }
  l->n_pairs = n;
}

/* ---- who was said to be distinct ---- */

static int by_ids(const void *x, const void *y) {
  const id_pair *a = x, *b = y;
  int c = qm_id_cmp(&a->a, &b->a);
  return c ? c : qm_id_cmp(&a->b, &b->b);
}

static id_pair in_order(const qm_id *a, const qm_id *b) {
  return qm_id_cmp(a, b) < 0 ? (id_pair){*a, *b} : (id_pair){*b, *a};
}

static int load_distinct(looking *l) {
  sqlite3_stmt *st;
  int row = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_DISTINCT_LIST, QM__ARGS(qm__int(l->r->space)), &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  while (rc == QM_OK && row) {
    qm_id a, b;
    void *p = l->distinct;
    if (!room(l->q->db.env, &p, l->n_distinct, &l->cap_distinct, sizeof *l->distinct))
      rc = QM_ENOMEM;
    l->distinct = p;
    if (rc == QM_OK) rc = qm__db_fixed(st, 0, a.b, sizeof a.b);
    if (rc == QM_OK) rc = qm__db_fixed(st, 1, b.b, sizeof b.b);
    if (rc != QM_OK) break;
    l->distinct[l->n_distinct++] = in_order(&a, &b);
    rc = qm__db_step(&l->q->db, st, &row);
  }
  qm__db_end(&l->q->db, QM__SQL_DISTINCT_LIST, st);
  if (l->n_distinct) qsort(l->distinct, l->n_distinct, sizeof *l->distinct, by_ids);
  return rc;
}

static int is_distinct(const looking *l, const qm_id *a, const qm_id *b) {
  id_pair asked = in_order(a, b);
  return l->n_distinct &&
         bsearch(&asked, l->distinct, l->n_distinct, sizeof asked, by_ids) != NULL;
}

/* ---- comparing ---- */

/* QM_ENOTFOUND; QM_ESTATE: of other rules. */
static int load_row(looking *l, int64_t row, qm_arena *arena, qm_id *id, qm_alike *out) {
  sqlite3_stmt *st;
  int there = 0;
  qm_arena_reset(arena);
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_ALIKE_GET, QM__ARGS(qm__int(row)), &st));
  int rc = qm__db_step(&l->q->db, st, &there);
  if (rc == QM_OK && !there) rc = QM_ENOTFOUND;
  if (rc == QM_OK) rc = qm__db_fixed(st, 0, id->b, sizeof id->b);
  if (rc == QM_OK) {
    qm_slice features = qm__db_blob(st, 2);
    const uint8_t *copy = qm_arena_copy(arena, features.p, features.n);
    rc = copy ? qm_alike_decode(l->c, qm_slice_of(copy, features.n), arena, out) : QM_ENOMEM;
    if (rc == QM_ECORRUPT) rc = QM_ESTATE;
  }
  qm__db_end(&l->q->db, QM__SQL_ALIKE_GET, st);
  return rc;
}

static int add_found(looking *l, const candidate *p, const qm_id *a, const qm_id *b,
                     uint32_t score) {
  void *list = l->found;
  int dismissed = is_distinct(l, a, b);
  if (dismissed && !l->r->dismissed) return QM_OK;
  if (!room(l->q->db.env, &list, l->n_found, &l->cap_found, sizeof *l->found)) return QM_ENOMEM;
  l->found = list;
  int swap = qm_id_cmp(a, b) > 0;
  l->found[l->n_found++] = (found){.a = swap ? p->b : p->a,
                                   .b = swap ? p->a : p->b,
                                   .id_a = swap ? *b : *a,
                                   .id_b = swap ? *a : *b,
                                   .rules = p->rules,
                                   .score = score,
                                   .at = l->at,
                                   .dismissed = dismissed};
  return QM_OK;
}

static int compare_all(looking *l) {
  qm_alike a, b;
  qm_id id_a, id_b;
  qm_alike_match match;
  for (uint32_t i = 0; i < l->n_pairs; i++) {
    const candidate *p = &l->pairs[i];
    if (!i || l->pairs[i - 1].a != p->a) QM_TRY(load_row(l, p->a, &l->left, &id_a, &a));
    QM_TRY(load_row(l, p->b, &l->right, &id_b, &b));
    qm_alike_compare(l->c, &a, &b, p->rules, &match);
    if (match.n) QM_TRY(add_found(l, p, &id_a, &id_b, match.score));
  }
  return QM_OK;
}

/* ---- the answer ---- */

static int best_first(const void *x, const void *y) {
  const found *a = x, *b = y;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  int c = qm_id_cmp(&a->id_a, &b->id_a);
  return c ? c : qm_id_cmp(&a->id_b, &b->id_b);
}

static void put(qm_buf *b, const char *text) { qm_buf_add(b, text, strlen(text)); }

static void put_number(qm_buf *b, const char *name, uint64_t v) {
  char text[24];
  sqlite3_snprintf(sizeof text, text, "%llu", (unsigned long long)v);
  put(b, ",\"");
  put(b, name);
  put(b, "\":");
  put(b, text);
}

static void put_id(qm_buf *b, const char *name, const qm_id *id) {
  char text[32];
  qm_base32(text, id->b, sizeof id->b);
  put(b, ",\"");
  put(b, name);
  put(b, "\":\"");
  put(b, text);
  qm_buf_byte(b, '"');
}

static void put_fields(qm_buf *b, const qm_collection_def *c, const qm_rule_def *r,
                       const qm_alike_reason *reason) {
  put(b, ",\"fields\":[");
  for (uint32_t k = 0; k < r->n_conditions; k++) {
    const qm_field_def *f = qm_collection_field(c, r->conditions[k].field);
    const char *measure = qm_match_limit(r->conditions[k].match);
    put(b, k ? ",{\"field\":" : "{\"field\":");
    qm_json_str(b, f ? f->name : qm_slice_of("?", 1));
    put(b, ",\"match\":\"");
    put(b, qm_match_word(r->conditions[k].match));
    qm_buf_byte(b, '"');
    if (measure) put_number(b, measure, reason->measure[k]);
    qm_buf_byte(b, '}');
  }
  qm_buf_byte(b, ']');
}

static int put_found(looking *l, const found *x, qm_buf *out) {
  qm_alike a, b;
  qm_id unused;
  qm_alike_match match;
  l->c = &l->r->schema->collections[x->at];
  QM_TRY(load_row(l, x->a, &l->left, &unused, &a));
  QM_TRY(load_row(l, x->b, &l->right, &unused, &b));
  qm_alike_compare(l->c, &a, &b, x->rules, &match);
  put(out, "{\"collection\":");
  qm_json_str(out, l->c->name);
  put_id(out, "a", &x->id_a);
  put_id(out, "b", &x->id_b);
  put_number(out, "score", match.score);
  put(out, ",\"reasons\":[");
  for (uint32_t i = 0; i < match.n; i++) {
    const qm_rule_def *rule = &l->c->rules[match.reasons[i].rule];
    put(out, i ? ",{\"rule\":" : "{\"rule\":");
    qm_json_str(out, rule->name);
    put_number(out, "score", match.reasons[i].score);
    put_fields(out, l->c, rule, &match.reasons[i]);
    qm_buf_byte(out, '}');
  }
  put(out, x->dismissed ? "],\"dismissed\":true}\n" : "]}\n");
  return QM_OK;
}

static int put_common(looking *l, const common *x, qm_buf *out) {
  qm_alike unused;
  qm_id id;
  l->c = &l->r->schema->collections[x->at];
  QM_TRY(load_row(l, x->row, &l->left, &id, &unused));
  put(out, "{\"collection\":");
  qm_json_str(out, l->c->name);
  put(out, ",\"rule\":");
  qm_json_str(out, l->c->rules[x->rule].name);
  put_number(out, "records", x->records);
  put_id(out, "id", &id);
  put(out, "}\n");
  return QM_OK;
}

static int answer(looking *l, qm_buf *out) {
  uint32_t from = l->r->offset, n = l->n_found, to = n;
  char text[24];
  if (n) qsort(l->found, n, sizeof *l->found, best_first);
  if (from > n) from = n;
  if (n - from > l->r->limit) to = from + l->r->limit;
  for (uint32_t i = from; i < to; i++) QM_TRY(put_found(l, &l->found[i], out));
  for (uint32_t i = 0; !l->r->offset && i < l->n_common; i++)
    QM_TRY(put_common(l, &l->common[i], out));
  sqlite3_snprintf(sizeof text, text, "{\"pairs\":%u", n);
  put(out, text);
  put(out, to < n ? ",\"more\":true" : ",\"more\":false");
  put(out, l->incomplete ? ",\"complete\":false}\n" : ",\"complete\":true}\n");
  return qm_buf_status(out);
}

/* ---- one call ---- */

/* The rows of the collection: *there 0 where it has no table. */
static int find_scope(looking *l, int *there) {
  sqlite3_stmt *st;
  int row = 0;
  *there = 0;
  QM_TRY(qm__db_start(&l->q->db, QM__SQL_ALIKE_SCOPE,
                      QM__ARGS(qm__int(l->r->space), qm__int(l->c->number)), &st));
  int rc = qm__db_step(&l->q->db, st, &row);
  if (rc == QM_OK && (!row || qm__db_u32(st, 1) != l->r->schema->version)) rc = QM_ESTATE;
  if (rc == QM_OK && sqlite3_column_type(st, 0) != SQLITE_NULL) {
    l->first = qm__row_first(l->r->space, qm__db_u32(st, 0));
    *there = 1;
  }
  qm__db_end(&l->q->db, QM__SQL_ALIKE_SCOPE, st);
  return rc;
}

static int look(looking *l) {
  int there;
  QM_TRY(find_scope(l, &there));
  l->n_pairs = 0;
  if (!there) return QM_OK;
  QM_TRY(l->r->record ? probe_record(l) : scan(l));
  unite(l);
  return compare_all(l);
}

static int look_at_all(looking *l, qm_buf *out) {
  QM_TRY(load_distinct(l));
  for (uint32_t i = 0; i < l->r->schema->n_collections; i++) {
    l->c = &l->r->schema->collections[i];
    l->at = i;
    if (!l->c->n_rules || (l->r->collection && l->r->collection != l->c)) continue;
    QM_TRY(look(l));
  }
  return answer(l, out);
}

int qm_query_duplicates(qm_query *q, const qm_query_alike *r, qm_buf *out, qm_error *e) {
  looking *l = qm_alloc_zero(q->db.env, sizeof *l);
  if (!l) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  l->q = q;
  l->r = r;
  qm_arena_init(&l->left, q->db.env, FEATURES_MAX);
  qm_arena_init(&l->right, q->db.env, FEATURES_MAX);
  int rc = r->space < QM__PROJECT_SPACES ? qm__db_run(&q->db, QM__SQL_BEGIN_READ, NULL, 0)
                                         : QM_ELIMIT;
  if (rc == QM_OK) {
    rc = look_at_all(l, out);
    int ended = qm__db_run(&q->db, QM__SQL_COMMIT, NULL, 0);
    if (rc == QM_OK) rc = ended;
  }
  qm_arena_free(&l->left);
  qm_arena_free(&l->right);
  qm_free(q->db.env, l->pairs);
  qm_free(q->db.env, l->found);
  qm_free(q->db.env, l->distinct);
  qm_free(q->db.env, l);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}
