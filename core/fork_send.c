/* What a peer is given that holds another branch of some author: of that author everything, so
 * that it can tell how far both go together, and with that what of the rest it may take
 * (SPEC S21.2). */
#include "core/fork.h"

/* All of these authors; nothing of whom something that the peer lacks was cut. */
static int wanted(qm_space *s, const qm_id *peer, qm_vv_list theirs, qm_vv *out) {
  const qm_env *env = s->engine->env;
  uint32_t a;
  for (uint32_t i = 0; i < theirs.n; i++)
    if (qm_authors_find(&s->authors, &theirs.p[i].author, &a) == QM_OK)
      QM_TRY(qm_vv_set(env, out, a, theirs.p[i].next));
  for (a = 0; a < s->floor.n; a++)
    if (qm_vv_get(out, a) < s->floor.next[a]) QM_TRY(qm_vv_set(env, out, a, UINT64_MAX));
  for (uint32_t i = 0; i < s->n_peer_forks; i++) {
    const qm__peer_fork *f = &s->peer_forks[i];
    if (qm_id_cmp(&f->peer, peer) != 0) continue;
    if (qm_authors_find(&s->authors, &f->author, &a) == QM_OK)
      QM_TRY(qm_vv_set(env, out, a, qm_vv_get(&s->floor, a)));
  }
  return QM_OK;
}

int qm_engine_next_apart(qm_engine *e, qm_space *s, const qm_id *peer, uint64_t session,
                         qm_vv_list theirs, uint64_t *cursor, qm_buf *out) {
  qm_id key = qm__fork_peer_key(peer, session);
  qm_vv vv = {NULL, 0, 0};
  if (e->poisoned) return QM_EIO;
  int rc = wanted(s, &key, theirs, &vv);
  if (rc == QM_OK) rc = qm__space_log_next(s, &vv, cursor, out);
  qm_vv_free(e->env, &vv);
  return rc;
}
