/* Cutting the log: what may go, and the floor that says what is gone. */
#include "core/base.h"
#include "core/fold.h"
#include "core/space.h"

const qm_vv *qm_space_floor(const qm_space *s) { return &s->floor; }

/* A device's log is, until a hub holds it, the only place where a change lies; its own changes
 * until a backup has them too. A hub's caller knows what its devices hold. */
uint64_t qm__space_cut_limit(const qm_space *s, uint32_t author) {
  uint64_t most = s->states[author].closed, safe;
  qm_id device;
  if (s->engine->flags & QM_ENGINE_HUB) return most;
  if (qm_vv_get(&s->acknowledged, author) < most) most = qm_vv_get(&s->acknowledged, author);
  qm_author_device(&s->authors.ids[author], &device);
  if (qm_id_cmp(&device, &s->engine->device) != 0) return most;
  safe = qm_vv_get(&s->safe, author);
  return safe < most ? safe : most;
}

static int limited(const qm_space *s, const qm_vv *vv, qm_vv *out) {
  for (uint32_t a = 0; a < s->authors.n; a++) {
    uint64_t most = qm__space_cut_limit(s, a), wanted = qm_vv_get(vv, a);
    QM_TRY(qm_vv_set(s->engine->env, out, a, wanted < most ? wanted : most));
  }
  return QM_OK;
}

/* `floor` comes in as it stands and goes out with what was cut. */
static int cut_log(qm_space *s, const qm_vv *vv, qm_vv *floor) {
  qm_store *store = s->engine->store;
  QM_TRY(store->ops->begin(store));
  int rc = qm__base_move(s, vv);
  if (rc == QM_OK) rc = store->ops->log_cut(store, s->number, vv, floor);
  if (rc == QM_OK) rc = qm__space_vv_write(s, "floor", floor);
  if (rc == QM_OK) return store->ops->commit(store, QM_RELAXED, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

int qm_engine_cut(qm_engine *e, qm_space *s, const qm_vv *vv) {
  qm_vv below = {NULL, 0, 0}, floor = {NULL, 0, 0};
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  int rc = qm__fold(e); /* what waits is in the log alone */
  if (rc == QM_OK) rc = limited(s, vv, &below);
  if (rc == QM_OK) rc = qm_vv_copy(e->env, &floor, &s->floor);
  if (rc == QM_OK) rc = cut_log(s, &below, &floor);
  if (rc == QM_OK) {
    qm_vv old = s->floor;
    s->floor = floor;
    floor = old;
  }
  qm_vv_free(e->env, &below);
  qm_vv_free(e->env, &floor);
  return rc;
}
