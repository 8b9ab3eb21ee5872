/* The whole check of one space: every blob reads as a record and hashes to what is
 * stored, and the digest kept incrementally is the sum of it all. The index of edges, which
 * is only a way to them, is made anew where it lacks one. */
#include <string.h>

#include "core/aside_int.h"
#include "core/class.h"
#include "core/fold.h"

typedef struct qm_checker {
  qm_space *s;
  qm_digest sum;
  qm_arena arena;
  qm_error *err;
  qm_id last;
  uint32_t seen;
  int unindexed, bad; /* bad: the code of the first record that is not what it was */
} qm_checker;

/* The first is told; the others are counted all the same. */
static int fail_at(qm_checker *c, const qm_id *id, int code, const char *what) {
  char hex[2 * QM_ID_SIZE + 1];
  qm_hex(hex, id->b, sizeof id->b);
  if (!c->bad) (void)qm_fail(c->err, code, "record %s: %s", hex, what);
  c->bad = code;
  return QM_OK;
}

static int check_record(void *payload, const qm_record_row *row) {
  qm_checker *c = payload;
  qm_record r;
  qm_buf again;
  uint8_t hash[16];
  c->last = row->id;
  c->seen++;
  qm_arena_reset(&c->arena);
  qm_digest_add(&c->sum, row->hash);
  int rc = qm_record_decode(&r, &row->id, row->state, &c->s->authors, &c->arena);
  if (rc == QM_ENOMEM) return rc;
  if (rc != QM_OK) return fail_at(c, &row->id, QM_ECORRUPT, qm_err_text(rc));
  qm_buf_init(&again, c->s->engine->env, QM_RECORD_MAX);
  rc = qm_record_encode(&r, &c->s->authors, &c->arena, &again);
  int same = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&again), row->state) == 0;
  qm_buf_free(&again);
  if (rc != QM_OK) return rc;
  if (!same) return fail_at(c, &row->id, QM_ECORRUPT, "state is not in canonical form");
  QM_TRY(qm_record_hash(&row->id, row->state, &c->s->authors, hash));
  if (memcmp(hash, row->hash, 16) != 0)
    return fail_at(c, &row->id, QM_ECORRUPT, "hash does not match its state");
  if (qm_record_collection(&r) != row->collection)
    return fail_at(c, &row->id, QM_ECORRUPT, "listed under another collection");
  int complete;
  QM_TRY(qm__edges_indexed(c->s, &r, &complete));
  c->unindexed |= !complete;
  return QM_OK;
}

static int index_record(void *payload, const qm_record_row *row) {
  qm_checker *c = payload;
  qm_record r;
  c->last = row->id;
  c->seen++;
  qm_arena_reset(&c->arena);
  QM_TRY(qm_record_decode(&r, &row->id, row->state, &c->s->authors, &c->arena));
  return qm_record_cell(&r, 0, QM_KEYED) ? qm__edges_index(c->s, &r, &c->arena) : QM_OK;
}

static int scan(qm_checker *c, qm_visit_record visit) {
  int rc = QM_OK;
  for (int first = 1; rc == QM_OK && (first || c->seen); first = 0) {
    qm_id after = c->last;
    c->seen = 0;
    rc = qm__fold_scan(c->s, first ? NULL : &after, 256, visit, c);
  }
  return rc;
}

static int index_anew(qm_checker *c) {
  qm_store *store = c->s->engine->store;
  QM_TRY(store->ops->begin(store));
  int rc = scan(c, index_record);
  c->s->edges = QM_EDGES_UNKNOWN;
  if (rc == QM_OK) return store->ops->commit(store, QM_DURABLE, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

int qm_engine_check(qm_engine *e, qm_space *s, qm_error *err) {
  qm_checker c = {.s = s, .err = err};
  if (e->poisoned) return qm_fail(err, QM_EIO, "check: the engine must be opened again");
  if (e->open) return qm_fail(err, QM_ESTATE, "check: a transaction is open");
  qm_arena_init(&c.arena, e->env, QM_RECORD_ARENA);
  int rc = scan(&c, check_record);
  if (rc == QM_OK && c.unindexed && !c.bad) rc = index_anew(&c);
  qm_arena_free(&c.arena);
  if (rc != QM_OK)
    return err && err->code == rc ? rc : qm_fail(err, rc, "check: %s", qm_err_text(rc));
  /* A store that is only read keeps no mark; that it is wrong is told all the same. */
  if (c.bad && !s->suspect) (void)qm__repair_note_now(s);
  if (c.bad) return c.bad;
  for (uint32_t a = 0; a < s->authors.n; a++) {
    uint8_t share[16];
    if (!qm_vv_get(&s->vv, a)) continue;
    QM_TRY(qm__space_share(s, a, share));
    qm_digest_add(&c.sum, share);
  }
  uint8_t asides[16];
  qm_digest_bytes(&s->aside_sum, asides);
  qm_digest_add(&c.sum, asides);
  /* What was lost is here again, and all of it good. */
  if (s->suspect && qm__repair_whole(s, &c.sum) == QM_OK) return QM_OK;
  if (!qm_digest_eq(&c.sum, &s->digest)) {
    (void)qm__repair_note_now(s);
    return qm_fail(err, QM_EDIFFER, "digest is not the sum of what is stored");
  }
  if (s->suspect)
    return qm_fail(err, QM_EDIFFER, "records were lost; a sync is to bring them back");
  return QM_OK;
}
