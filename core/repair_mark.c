/* What of a space is in doubt, and what was put right. */
#include <string.h>

#include "core/aside_int.h"
#include "core/fold.h"
#include "core/repair.h"

static const char suspect_key[] = "suspect", repaired_key[] = "repaired";

static qm_slice key_of(const char *text) { return qm_slice_of(text, strlen(text)); }

/* --- sums --- */

typedef struct summing {
  qm_space *s;
  qm_digest *sum;
  qm_id last;
  uint32_t seen;
  int anew; /* by the bytes */
} summing;

int qm__repair_seen(const qm_space *s, const qm_record_row *row, uint8_t out[16]) {
  int good = qm_record_hash(&row->id, row->state, &s->authors, out) == QM_OK &&
             memcmp(out, row->hash, 16) == 0;
  if (!good) memset(out, 0xff, 16); /* no record has it */
  return good;
}

static int sum_record(void *payload, const qm_record_row *row) {
  summing *w = payload;
  uint8_t hash[16];
  w->last = row->id;
  w->seen++;
  memcpy(hash, row->hash, 16);
  if (w->anew) qm__repair_seen(w->s, row, hash);
  qm_digest_add(w->sum, hash);
  return QM_OK;
}

static int sum(qm_space *s, int anew, qm_digest *out) {
  summing w = {.s = s, .sum = out, .anew = anew};
  uint8_t asides[16];
  *out = (qm_digest){0, 0};
  for (int first = 1; first || w.seen; first = 0) {
    qm_id after = w.last;
    w.seen = 0;
    QM_TRY(qm__fold_scan(s, first ? NULL : &after, 256, sum_record, &w));
  }
  for (uint32_t a = 0; a < s->n_states; a++) qm_digest_add(out, s->states[a].share);
  qm_digest_bytes(&s->aside_sum, asides);
  qm_digest_add(out, asides);
  return QM_OK;
}

int qm__repair_sum(qm_space *s, qm_digest *out) { return sum(s, 0, out); }

int qm_engine_digest_now(qm_engine *e, qm_space *s, qm_digest *out) {
  if (e->poisoned) return QM_EIO;
  return e->open ? QM_ESTATE : sum(s, 1, out);
}

/* --- marks --- */

int qm_space_suspect(const qm_space *s) { return s->suspect; }

static int load_suspect(void *payload, qm_slice key, qm_slice value) {
  qm_space *s = payload;
  (void)key;
  if (value.n != 16) return QM_ECORRUPT;
  s->suspect = 1;
  qm_digest_read(&s->lost, value.p);
  return QM_OK;
}

int qm__repair_load(qm_space *s) {
  qm_store *store = s->engine->store;
  s->suspect = 0;
  s->lost = (qm_digest){0, 0};
  return store->ops->aside_scan(store, s->number, key_of(suspect_key), load_suspect, s);
}

int qm__repair_suspect(qm_space *s, int suspect) {
  qm_store *store = s->engine->store;
  uint8_t lost[16];
  s->touched = 1;
  s->suspect = suspect;
  if (!suspect) s->lost = (qm_digest){0, 0};
  qm_digest_bytes(&s->lost, lost);
  return store->ops->aside_put(store, s->number, key_of(suspect_key),
                               qm_slice_of(lost, suspect ? sizeof lost : 0));
}

/* The digest is that of what is there; what it had beyond is remembered, so that a record that
 * comes back can be told from one that was never here. */
int qm__repair_note(qm_space *s) {
  qm_digest now;
  uint8_t b[16];
  QM_TRY(qm__repair_sum(s, &now));
  qm_digest_bytes(&now, b);
  qm_digest lost = s->digest;
  qm_digest_sub(&lost, b);
  qm_digest_bytes(&lost, b);
  qm_digest_add(&s->lost, b);
  s->touched = 1;
  s->digest = now;
  return qm__repair_suspect(s, 1);
}

void qm__repair_put(qm_loaded *l, const qm_record *r) {
  qm_id id = l->record.id;
  if (r)
    l->record = *r;
  else
    memset(&l->record, 0, sizeof l->record);
  l->record.id = id;
}

/* --- what was put right --- */

static int read_repaired(void *payload, qm_slice key, qm_slice value) {
  qm_repaired *r = payload;
  qm_cur c;
  (void)key;
  qm_cur_init(&c, value);
  QM_TRY(qm_cur_varint(&c, &r->records));
  QM_TRY(qm_cur_varint(&c, &r->states));
  return qm_cur_varint(&c, &r->at_ms);
}

int qm_engine_repaired(qm_engine *e, qm_space *s, qm_repaired *out) {
  memset(out, 0, sizeof *out);
  return e->store->ops->aside_scan(e->store, s->number, key_of(repaired_key), read_repaired, out);
}

int qm__repair_count(qm_space *s, uint64_t records, uint64_t states) {
  qm_store *store = s->engine->store;
  qm_repaired r;
  qm_buf b;
  QM_TRY(qm_engine_repaired(s->engine, s, &r));
  qm_buf_init(&b, s->engine->env, 64);
  qm_buf_varint(&b, r.records + records);
  qm_buf_varint(&b, r.states + states);
  qm_buf_varint(&b, qm_engine_now(s->engine));
  int rc = qm_buf_status(&b);
  if (rc == QM_OK)
    rc = store->ops->aside_put(store, s->number, key_of(repaired_key), qm_buf_slice(&b));
  qm_buf_free(&b);
  if (rc == QM_OK)
    qm_log(s->engine->env, QM_LOG_WARN, "space %.*s: %llu records, %llu states replaced",
           (int)s->name.n, (const char *)s->name.p, (unsigned long long)records,
           (unsigned long long)states);
  return rc;
}

int qm__repair_clean(qm_space *s) {
  QM_TRY(qm__space_dirty_set(s, 0));
  if (s->suspect) QM_TRY(qm__repair_suspect(s, 0));
  return qm__repair_count(s, 0, 1);
}

/* --- transactions of their own --- */

typedef int (*step)(qm_space *s);

static int alone(qm_engine *e, qm_space *s, step what) {
  QM_TRY(qm__fold(e));
  QM_TRY(qm_engine_begin(e));
  e->whole = 1;
  int rc = what(s);
  if (rc == QM_OK) return qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}

int qm__repair_note_now(qm_space *s) { return alone(s->engine, s, qm__repair_note); }

static int unsuspect(qm_space *s) { return qm__repair_suspect(s, 0); }

int qm_engine_unsuspect(qm_engine *e, qm_space *s) {
  qm_digest now;
  if (!s->suspect) return QM_OK;
  QM_TRY(qm_engine_digest_now(e, s, &now));
  return qm_digest_eq(&now, &s->digest) ? alone(e, s, unsuspect) : QM_OK; /* both may be wrong */
}

static int whole(qm_space *s) {
  uint8_t lost[16];
  qm_digest_bytes(&s->lost, lost);
  s->touched = 1;
  qm_digest_add(&s->digest, lost);
  return qm__repair_suspect(s, 0);
}

int qm__repair_whole(qm_space *s, const qm_digest *stored) {
  qm_digest all = s->digest;
  uint8_t lost[16];
  qm_digest_bytes(&s->lost, lost);
  qm_digest_add(&all, lost);
  return qm_digest_eq(&all, stored) ? alone(s->engine, s, whole) : QM_EDIFFER;
}

static int distrust(qm_space *s) {
  QM_TRY(qm__space_dirty_set(s, 1));
  return qm__state_forget(s);
}

int qm__repair_distrust(qm_space *s) { return s->dirty ? QM_OK : alone(s->engine, s, distrust); }

int qm_engine_damaged(qm_engine *e, qm_space *s) {
  if (e->open || e->poisoned) return QM_ESTATE;
  if (e->flags & QM_ENGINE_HUB) return s->suspect ? QM_OK : alone(e, s, qm__repair_note);
  return qm__repair_distrust(s);
}
