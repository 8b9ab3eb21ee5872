/* Copies of what is set aside: readable, beside the log.
 *
 * [next, segment, code, ms, status, text, moved author or empty, moved counter,
 *  [author, next, …] context, [change, …]], a change in the form of S4.12. */
#include <string.h>

#include "core/aside_int.h"
#include "core/mp.h"

#define KEY_SIZE (1 + QM_AUTHOR_SIZE + 8 + QM_HEAD_SIZE)
#define COPY_ARENA ((size_t)256 << 20)
#define COPY_MAX ((size_t)64 << 20)

static void make_key(const qm_author *author, uint64_t first, const qm_hash *segment,
                     uint8_t key[KEY_SIZE]) {
  key[0] = 'c';
  memcpy(key + 1, author->b, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++) key[1 + QM_AUTHOR_SIZE + i] = (uint8_t)(first >> (56 - 8 * i));
  memcpy(key + KEY_SIZE - QM_HEAD_SIZE, segment->b, QM_HEAD_SIZE);
}

static void put_head(qm_buf *out, uint64_t next, const qm_hash *segment, int32_t code,
                     uint64_t at_ms, uint32_t status, qm_slice text) {
  qm_mp_array(out, 10);
  qm_mp_uint(out, next);
  qm_mp_bin(out, segment->b, QM_HASH_SIZE);
  qm_mp_int(out, code);
  qm_mp_uint(out, at_ms);
  qm_mp_uint(out, status);
  qm_mp_str(out, text.p, text.n);
}

static int put_changes(const qm_space *s, const qm_change *p, uint32_t n, qm_buf *out) {
  qm_buf row;
  qm_mp_array(out, n);
  qm_buf_init(&row, s->engine->env, COPY_MAX);
  for (uint32_t i = 0; i < n && qm_buf_status(&row) == QM_OK; i++) {
    qm_buf_clear(&row);
    qm_change_row(&p[i], &s->authors, &row);
    qm_mp_bin(out, row.p, row.n);
  }
  int rc = qm_buf_status(&row);
  qm_buf_free(&row);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}

int qm__copy_write(qm_space *s, const qm_aside *a, const qm_segment *g, const qm_vv *context,
                   qm_buf *out) {
  uint32_t first = 0, n = 0, entries = 0;
  while (first < g->n_changes && g->changes[first].counter < a->first) first++;
  while (first + n < g->n_changes && g->changes[first + n].next <= a->next) n++;
  put_head(out, a->next, &a->segment, a->code, qm_engine_now(s->engine), QM_ASIDE_CHANGE, a->text);
  qm_mp_bin(out, NULL, 0);
  qm_mp_uint(out, 0);
  for (uint32_t i = 0; i < context->n; i++) entries += context->next[i] != 0;
  qm_mp_array(out, 2 * (size_t)entries);
  for (uint32_t place = 0; place < s->authors.n; place++) {
    uint32_t i = s->authors.sorted[place];
    if (!qm_vv_get(context, i)) continue;
    qm_mp_bin(out, s->authors.ids[i].b, QM_AUTHOR_SIZE);
    qm_mp_uint(out, qm_vv_get(context, i));
  }
  return put_changes(s, g->changes + first, n, out);
}

int qm__copy_put(qm_space *s, const qm_aside *a, qm_slice copy) {
  uint8_t key[KEY_SIZE];
  make_key(&a->author, a->first, &a->segment, key);
  return s->engine->store->ops->aside_put(s->engine->store, s->number,
                                          qm_slice_of(key, sizeof key), copy);
}

int qm__copy_update(qm_space *s, const qm_aside_copy *copy) {
  uint8_t key[KEY_SIZE];
  qm_buf b;
  static const qm_author zero;
  make_key(&copy->author, copy->first, &copy->segment, key);
  qm_buf_init(&b, s->engine->env, COPY_MAX);
  put_head(&b, copy->next, &copy->segment, copy->code, copy->at_ms, copy->status, copy->text);
  qm_mp_bin(&b, copy->moved.b, qm_author_cmp(&copy->moved, &zero) ? QM_AUTHOR_SIZE : 0);
  qm_mp_uint(&b, copy->moved_first);
  qm_mp_array(&b, 2 * (size_t)copy->context.n);
  for (uint32_t i = 0; i < copy->context.n; i++) {
    qm_mp_bin(&b, copy->context.p[i].author.b, QM_AUTHOR_SIZE);
    qm_mp_uint(&b, copy->context.p[i].next);
  }
  int rc = put_changes(s, copy->changes, copy->n_changes, &b);
  if (rc == QM_OK)
    rc = s->engine->store->ops->aside_put(s->engine->store, s->number,
                                          qm_slice_of(key, sizeof key), qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

/* --- reading --- */

static int read_context(qm_cur *c, qm_arena *arena, qm_vv_list *out) {
  uint32_t n = 0;
  QM_TRY(qm_cur_array(c, &n));
  if (n % 2) return QM_EFORMAT;
  qm_vv_entry *p = qm_arena_zero(arena, (size_t)n / 2 * sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n / 2; i++) {
    QM_TRY(qm_cur_bin_n(c, p[i].author.b, QM_AUTHOR_SIZE));
    QM_TRY(qm_cur_uint(c, &p[i].next));
  }
  *out = (qm_vv_list){p, n / 2};
  return QM_OK;
}

static int read_changes(const qm_space *s, qm_cur *c, qm_arena *arena, qm_aside_copy *out) {
  QM_TRY(qm_cur_array(c, &out->n_changes));
  out->changes = qm_arena_zero(arena, (size_t)out->n_changes * sizeof *out->changes);
  if (!out->changes) return QM_ENOMEM;
  for (uint32_t i = 0; i < out->n_changes; i++) {
    qm_slice row;
    QM_TRY(qm_cur_bin(c, &row));
    QM_TRY(qm_change_unrow(&out->changes[i], row, &s->authors, arena));
  }
  return QM_OK;
}

int qm__copy_write_moved(qm_space *s, const qm_aside *a, const qm_segment *g, const qm_author *to,
                         uint64_t to_first, qm_buf *out) {
  uint32_t first = 0, n = 0;
  while (first < g->n_changes && g->changes[first].counter < a->first) first++;
  while (first + n < g->n_changes && g->changes[first + n].next <= a->next) n++;
  put_head(out, a->next, &a->segment, a->code, qm_engine_now(s->engine), QM_ASIDE_APPROVED,
           qm_slice_of(NULL, 0));
  qm_mp_bin(out, to->b, QM_AUTHOR_SIZE);
  qm_mp_uint(out, to_first);
  qm_mp_array(out, 0);
  return put_changes(s, g->changes + first, n, out);
}

static int read_copy(const qm_space *s, qm_slice key, qm_slice value, qm_arena *arena,
                     qm_aside_copy *out) {
  qm_cur c;
  qm_slice moved = {NULL, 0};
  int64_t code = 0;
  uint32_t status = 0;
  memset(out, 0, sizeof *out);
  if (key.n != KEY_SIZE) return QM_EFORMAT;
  memcpy(out->author.b, key.p + 1, QM_AUTHOR_SIZE);
  for (int i = 0; i < 8; i++) out->first = out->first << 8 | key.p[1 + QM_AUTHOR_SIZE + i];
  uint8_t *own = qm_arena_copy(arena, value.p, value.n);
  if (!own) return QM_ENOMEM;
  qm_cur_init(&c, qm_slice_of(own, value.n));
  qm_cur_array_n(&c, 10);
  qm_cur_uint(&c, &out->next);
  qm_cur_bin_n(&c, out->segment.b, QM_HASH_SIZE);
  qm_cur_int(&c, &code);
  qm_cur_uint(&c, &out->at_ms);
  qm_cur_uint32(&c, &status);
  qm_cur_str(&c, &out->text);
  qm_cur_bin(&c, &moved);
  QM_TRY(qm_cur_uint(&c, &out->moved_first));
  if (status > QM_ASIDE_DECLINED || (moved.n && moved.n != QM_AUTHOR_SIZE)) return QM_EFORMAT;
  if (moved.n) memcpy(out->moved.b, moved.p, moved.n);
  out->code = (int32_t)code;
  out->status = (qm_aside_kind)status;
  QM_TRY(read_context(&c, arena, &out->context));
  QM_TRY(read_changes(s, &c, arena, out));
  return qm_cur_end(&c);
}

typedef struct scan {
  qm_space *s;
  qm_visit_copy visit;
  void *payload;
  qm_arena *arena;
  qm_aside_copy *out; /* the first one */
  int found;
} scan;

static int take_copy(void *payload, qm_slice key, qm_slice value) {
  scan *x = payload;
  qm_aside_copy copy;
  x->found = 1;
  if (!x->visit && !x->out) return QM_STORE_STOP;
  if (x->visit) qm_arena_reset(x->arena);
  int rc = read_copy(x->s, key, value, x->arena, &copy);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  if (x->out && copy.code == QM_EFORK) { /* decided by itself; another may stand behind it */
    x->found = 0;
    return QM_OK;
  }
  if (x->out) *x->out = copy;
  return x->visit ? x->visit(x->payload, &copy) : QM_STORE_STOP;
}

static int scan_from(scan *x, const uint8_t *prefix, size_t n) {
  qm_store *store = x->s->engine->store;
  return store->ops->aside_scan(store, x->s->number, qm_slice_of(prefix, n), take_copy, x);
}

int qm_engine_aside_copies(qm_engine *e, qm_space *s, qm_visit_copy visit, void *payload) {
  qm_arena arena;
  if (e->poisoned) return QM_EIO;
  qm_arena_init(&arena, e->env, COPY_ARENA);
  scan x = {.s = s, .visit = visit, .payload = payload, .arena = &arena};
  int rc = scan_from(&x, (const uint8_t *)"c", 1);
  qm_arena_free(&arena);
  return rc;
}

int qm__copy_exists(qm_space *s, const qm_author *author, uint64_t first, const qm_hash *segment,
                    int *out) {
  uint8_t key[KEY_SIZE];
  scan x = {.s = s};
  make_key(author, first, segment, key);
  int rc = scan_from(&x, key, sizeof key);
  *out = x.found;
  return rc;
}

int qm__copy_find(qm_space *s, const qm_author *author, uint64_t first, qm_arena *arena,
                  qm_aside_copy *out) {
  static const qm_hash any;
  uint8_t key[KEY_SIZE];
  scan x = {.s = s, .arena = arena, .out = out};
  make_key(author, first, &any, key);
  QM_TRY(scan_from(&x, key, KEY_SIZE - QM_HEAD_SIZE));
  return x.found ? QM_OK : QM_ENOTFOUND;
}
