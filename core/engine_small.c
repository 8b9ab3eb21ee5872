/* What a session that stays says of one change: the segment that the hub lacks, in its compact
 * form (S5.19). What the hub has is what it acknowledged; nothing else is asked. */
#include <string.h>

#include "core/batch_small.h"
#include "core/fork.h"
#include "core/ingest_log.h"
#include "core/logged.h"
#include "core/space.h"

static uint64_t acknowledged(const qm_space *s, uint32_t author) {
  return qm_vv_get(&s->acknowledged, author);
}

/* Of all other authors the hub has what is here. */
static int only_own(const qm_space *s) {
  for (uint32_t a = 0; a < s->authors.n; a++)
    if (a != s->own && qm_vv_get(&s->vv, a) > acknowledged(s, a)) return 0;
  return 1;
}

/* Neither state nor authors are in doubt. */
static int is_mended(const qm_space *s) {
  return !s->dirty && !s->n_forks && !s->n_peer_forks && !s->n_suspects;
}

/* The row that the push just wrote holds the one segment. */
static int encode(qm_space *s, qm_slice row, qm_buf *out, qm_vv_entry *end) {
  qm_batch batch;
  qm_arena arena;
  qm_arena_init(&arena, s->engine->env, (size_t)64 << 20);
  int rc = qm__logged_batch(s, row, 0, &arena, &batch);
  if (rc == QM_OK && batch.n_segments != 1) rc = QM_ELIMIT;
  const qm_segment *g = batch.segments;
  if (rc == QM_OK && (g->author != s->own || g->start != acknowledged(s, s->own) ||
                      g->next != s->states[s->own].closed))
    rc = QM_ELIMIT;
  if (rc == QM_OK) rc = qm_small_encode(out, g, &s->authors);
  if (rc == QM_OK) {
    end->author = s->authors.ids[g->author];
    end->next = g->next;
    memcpy(end->head, g->head, QM_HEAD_SIZE);
  }
  qm_arena_free(&arena);
  return rc;
}

int qm_engine_small(qm_engine *e, qm_space *s, qm_buf *out, qm_vv_entry *end) {
  qm_buf row;
  uint64_t cursor = 0;
  if (e->poisoned) return QM_EIO;
  if (e->flags & QM_ENGINE_HUB) return QM_ELIMIT;
  QM_TRY(qm_engine_push(e, s));
  if (!is_mended(s) || s->suspect || !only_own(s)) return QM_ELIMIT;
  if (s->own == QM_NO_AUTHOR || s->states[s->own].closed <= acknowledged(s, s->own))
    return QM_ENOTFOUND;
  qm_buf_init(&row, e->env, QM_BATCH_MAX);
  int rc = qm__space_log_next(s, &s->acknowledged, &cursor, &row);
  if (rc == QM_OK) rc = encode(s, qm_buf_slice(&row), out, end);
  else if (rc == QM_ENOTFOUND) rc = QM_ELIMIT; /* cut since */
  qm_buf_free(&row);
  return rc;
}

/* --- taking one --- */

static int author_of(qm_space *s, const qm_small_in *in, uint32_t *author) {
  uint32_t old = s->authors.n;
  *author = in->author;
  if (*author != UINT32_MAX) return QM_OK;
  QM_TRY(qm_authors_add_all(&s->authors, &in->id, 1, author));
  return qm__space_authors_added(s, old);
}

static int read_small(qm_space *s, qm_slice blob, qm_segment *g) {
  qm_small_in in;
  uint32_t author;
  QM_TRY(qm_small_open(&in, blob, &s->authors));
  QM_TRY(author_of(s, &in, &author));
  if (author == s->own) return QM_EGAP;
  const qm_author_state *st = &s->states[author];
  return qm_small_read(&in, author, qm_vv_get(&s->vv, author), st->time, st->head.b,
                       qm__log_waiting(s), g);
}

int qm__small_segment(qm_space *s, qm_slice blob, qm_segment *g) {
  if (!is_mended(s)) return QM_EGAP;
  int rc = read_small(s, blob, g);
  return rc == QM_OK || rc == QM_ENOMEM || qm_err_class(rc) == QM_CLASS_STORAGE ? rc : QM_EGAP;
}

void qm__small_taken(const qm_space *s, const qm_segment *g, int as_it_came, qm_ingest *in) {
  in->as_it_came = as_it_came;
  in->author = s->authors.ids[g->author];
  in->next = g->next;
}
