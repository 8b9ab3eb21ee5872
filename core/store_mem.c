/* store_mem.c: the reference store, in memory: transactions, meta, spaces, authors and the
 * table of functions. How rows are keyed: store_mem_impl.h. */
#include "core/store_mem_impl.h"

/* ---- transactions ---- */

static int mem_begin(qm_store *s) {
  mem_store *m = self(s);
  if (m->open) return QM_ESTATE;
  qm__map_begin(&m->map);
  m->open = 1;
  return QM_OK;
}

static void mem_rollback(qm_store *s) {
  mem_store *m = self(s);
  if (!m->open) return;
  qm__map_rollback(&m->map);
  m->open = 0;
  m->failed = 0;
}

static int mem_commit(qm_store *s, qm_durability durability, qm_store_done done, void *payload) {
  mem_store *m = self(s);
  (void)durability;
  int rc = writing(m);
  if (rc != QM_OK) {
    mem_rollback(s);
  } else {
    qm__map_commit(&m->map);
    m->open = 0;
  }
  if (!done) return rc;
  done(payload, rc);
  return QM_OK;
}

static int mem_view_begin(qm_store *s) {
  (void)s;
  return QM_OK;
}

static void mem_view_end(qm_store *s) { (void)s; }

static int mem_barrier(qm_store *s) {
  (void)s;
  return QM_OK;
}

static void mem_hook(qm_store *s, qm_project project, void *payload) {
  self(s)->project = project;
  self(s)->project_payload = payload;
}

static void mem_close(qm_store *s) {
  if (!s) return;
  mem_store *m = self(s);
  qm__map_free(&m->map);
  qm_buf_free(&m->value);
  qm_free(m->base.env, m);
}

/* ---- meta ---- */

static int meta_key(mem_store *m, qm_slice name, qm_buf *k) {
  qm_buf_init(k, m->base.env, SIZE_MAX);
  qm_buf_byte(k, META);
  qm_buf_add(k, name.p, name.n);
  return qm_buf_status(k);
}

static int mem_meta_get(qm_store *s, qm_slice name, qm_buf *out) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  qm_buf k;
  int rc = meta_key(m, name, &k);
  if (rc == QM_OK) {
    const qm__map_node *n = qm__map_find(&m->map, qm_buf_slice(&k));
    if (n) {
      qm_buf_add(out, qm__map_value(n).p, qm__map_value(n).n);
      rc = qm_buf_status(out);
    } else {
      rc = QM_ENOTFOUND;
    }
  }
  qm_buf_free(&k);
  return rc;
}

static int mem_meta_put(qm_store *s, qm_slice name, qm_slice value) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  qm_buf k;
  int rc = meta_key(m, name, &k);
  if (rc == QM_OK)
    rc = value.n ? put(m, qm_buf_slice(&k), value) : qm__map_delete(&m->map, qm_buf_slice(&k));
  qm_buf_free(&k);
  return wrote(m, rc);
}

static int mem_meta_scan(qm_store *s, qm_slice prefix, qm_visit_meta visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  qm_buf k;
  int rc = meta_key(m, prefix, &k);
  qm_slice rest;
  for (const qm__map_node *n = qm__map_seek(&m->map, qm_buf_slice(&k));
       rc == QM_OK && within(n, qm_buf_slice(&k), &rest); n = qm__map_next(n)) {
    qm_slice whole = qm__map_key(n);
    rc = visit(payload, qm_slice_of(whole.p + 1, whole.n - 1), qm__map_value(n));
  }
  qm_buf_free(&k);
  return visited(rc);
}

/* ---- spaces ---- */

static int mem_space_list(qm_store *s, qm_visit_space visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  uint8_t what = SPACE;
  qm_slice rest, prefix = qm_slice_of(&what, 1);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    qm_slice v = qm__map_value(n);
    qm_space_row row = {.space = (uint32_t)get_be(rest.p, 4)};
    memcpy(row.id.b, v.p, sizeof row.id.b);
    row.blob = qm_slice_of(v.p + sizeof row.id.b, v.n - sizeof row.id.b);
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

static int mem_space_put(qm_store *s, const qm_space_row *row) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  if (row->space == 0) return QM_EINVAL;
  key k = key_of(SPACE, row->space);
  qm_buf_clear(&m->value);
  qm_buf_add(&m->value, row->id.b, sizeof row->id.b);
  qm_buf_add(&m->value, row->blob.p, row->blob.n);
  return wrote(m, put_value(m, key_slice(&k)));
}

static int mem_space_drop(qm_store *s, uint32_t space) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  QM_TRY(wrote(m, delete_kind(m, ASIDE, space)));
  QM_TRY(wrote(m, delete_kind(m, LOCAL, space)));
  for (int what = SPACE; what <= PART; what++) QM_TRY(wrote(m, delete_kind(m, (kind)what, space)));
  return wrote(m, qm__mem_feed_drop(m, space));
}

/* ---- authors ---- */

#define AUTHOR_FIXED (QM_AUTHOR_SIZE + 8 + 8 + QM_HASH_SIZE + 8)

static int mem_author_list(qm_store *s, uint32_t space, qm_visit_author visit, void *payload) {
  mem_store *m = self(s);
  QM_TRY(reading(m));
  key k = key_of(AUTHOR, space);
  qm_slice rest, prefix = key_slice(&k);
  for (const qm__map_node *n = qm__map_seek(&m->map, prefix); within(n, prefix, &rest);
       n = qm__map_next(n)) {
    qm_slice v = qm__map_value(n);
    qm_author_row row = {.number = (uint32_t)get_be(rest.p, 4)};
    const uint8_t *p = v.p;
    memcpy(row.id.b, p, QM_AUTHOR_SIZE);
    row.next = get_be(p + QM_AUTHOR_SIZE, 8);
    row.closed = get_be(p + QM_AUTHOR_SIZE + 8, 8);
    memcpy(row.head.b, p + QM_AUTHOR_SIZE + 16, QM_HASH_SIZE);
    row.time = get_be(p + QM_AUTHOR_SIZE + 16 + QM_HASH_SIZE, 8);
    row.clock = qm_slice_of(p + AUTHOR_FIXED, v.n - AUTHOR_FIXED);
    int rc = visit(payload, &row);
    if (rc != QM_OK) return visited(rc);
  }
  return QM_OK;
}

static int mem_author_put(qm_store *s, uint32_t space, const qm_author_row *row) {
  mem_store *m = self(s);
  QM_TRY(writing(m));
  key k = key_of(AUTHOR, space);
  key_u32(&k, row->number);
  qm_buf_clear(&m->value);
  qm_buf_add(&m->value, row->id.b, QM_AUTHOR_SIZE);
  qm_buf_be64(&m->value, row->next);
  qm_buf_be64(&m->value, row->closed);
  qm_buf_add(&m->value, row->head.b, QM_HASH_SIZE);
  qm_buf_be64(&m->value, row->time);
  qm_buf_add(&m->value, row->clock.p, row->clock.n);
  return wrote(m, put_value(m, key_slice(&k)));
}

static int mem_check(qm_store *s, qm_error *e) {
  (void)s;
  (void)e;
  return QM_OK;
}

static int mem_status(const qm_store *s) {
  (void)s;
  return QM_OK;
}

static const qm_store_ops mem_ops = {
    .version = QM_STORE_VERSION,
    .begin = mem_begin,
    .commit = mem_commit,
    .rollback = mem_rollback,
    .view_begin = mem_view_begin,
    .view_end = mem_view_end,
    .barrier = mem_barrier,
    .hook = mem_hook,
    .close = mem_close,
    .meta_get = mem_meta_get,
    .meta_put = mem_meta_put,
    .meta_scan = mem_meta_scan,
    .space_list = mem_space_list,
    .space_put = mem_space_put,
    .space_drop = mem_space_drop,
    .author_list = mem_author_list,
    .author_put = mem_author_put,
    .record_load = qm__mem_record_load,
    .record_save = qm__mem_record_save,
    .record_scan = qm__mem_record_scan,
    .record_count = qm__mem_record_count,
    .creation_put = qm__mem_creation_put,
    .creation_find = qm__mem_creation_find,
    .key_put = qm__mem_key_put,
    .key_find = qm__mem_key_find,
    .log_append = qm__mem_log_append,
    .log_after = qm__mem_log_after,
    .log_of = qm__mem_log_of,
    .log_cut = qm__mem_log_cut,
    .log_sizes = qm__mem_log_sizes,
    .log_replace = qm__mem_log_replace,
    .log_rewrite = qm__mem_log_rewrite,
    .log_repack = qm__mem_log_repack,
    .open_append = qm__mem_open_append,
    .open_list = qm__mem_open_list,
    .open_from = qm__mem_open_from,
    .open_clear = qm__mem_open_clear,
    .aside_put = qm__mem_aside_put,
    .aside_scan = qm__mem_aside_scan,
    .local_put = qm__mem_local_put,
    .local_scan = qm__mem_local_scan,
    .feed_put = qm__mem_feed_put,
    .feed_load = qm__mem_feed_load,
    .feed_after = qm__mem_feed_after,
    .feed_last = qm__mem_feed_last,
    .stage_begin = qm__mem_stage_begin,
    .stage_part = qm__mem_stage_part,
    .stage_parts = qm__mem_stage_parts,
    .stage_read = qm__mem_stage_read,
    .stage_swap = qm__mem_stage_swap,
    .stage_drop = qm__mem_stage_drop,
    .check = mem_check,
    .status = mem_status,
};

int qm_store_mem_open(const qm_env *env, qm_store **out) {
  mem_store *m = qm_alloc_zero(env, sizeof *m);
  if (!m) return QM_ENOMEM;
  m->base.ops = &mem_ops;
  m->base.env = env;
  qm__map_init(&m->map, env);
  qm_buf_init(&m->value, env, SIZE_MAX);
  *out = &m->base;
  return QM_OK;
}
