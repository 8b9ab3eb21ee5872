/* Which shard has a space, for the loops of a running hub: spaces do not move, and none goes. */
#include <stdlib.h>

#include "adapters/cli/qianmod.h"

typedef struct reading {
  const qm_env *env;
  hub_place *p;
  uint32_t n, cap;
} reading;

int hub_places_init(hub_places *x) {
  *x = (hub_places){.n = 0};
  return pthread_mutex_init(&x->lock, NULL) == 0 ? QM_OK : QM_ENOMEM;
}

void hub_places_free(hub_places *x, const qm_env *env) {
  qm_free(env, x->p);
  pthread_mutex_destroy(&x->lock);
}

static int add(void *payload, const qm_hub_space *row) {
  reading *r = payload;
  if (r->n == r->cap) {
    uint32_t cap = r->cap ? r->cap * 2 : 64;
    hub_place *p = qm_realloc_array(r->env, r->p, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    r->p = p;
    r->cap = cap;
  }
  r->p[r->n++] = (hub_place){row->id, row->shard};
  return QM_OK;
}

static int compare(const void *a, const void *b) {
  return qm_id_cmp(&((const hub_place *)a)->space, &((const hub_place *)b)->space);
}

int hub_places_read(hub_places *x, qm_hubdb *db, const qm_env *env) {
  reading r = {.env = env};
  int rc = qm_hubdb_space_list(db, add, &r);
  if (rc != QM_OK) {
    qm_free(env, r.p);
    return rc;
  }
  if (r.n) qsort(r.p, r.n, sizeof *r.p, compare);
  pthread_mutex_lock(&x->lock);
  hub_place *before = x->p;
  x->p = r.p;
  x->n = r.n;
  pthread_mutex_unlock(&x->lock);
  qm_free(env, before);
  return QM_OK;
}

uint32_t hub_places_find(hub_places *x, const qm_id *space) {
  hub_place wanted = {.space = *space};
  pthread_mutex_lock(&x->lock);
  const hub_place *found = x->n ? bsearch(&wanted, x->p, x->n, sizeof wanted, compare) : NULL;
  uint32_t shard = found ? found->shard : 0;
  pthread_mutex_unlock(&x->lock);
  return shard;
}
