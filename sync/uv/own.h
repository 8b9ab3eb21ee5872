/* own: what a hub has written itself, space by space, since it was last asked: stamps,
 * membership entries, trims, set-aside entries and what the office approved. Nobody's push
 * brings these, so nobody's commit tells of them (SPEC S8.13).
 *
 * Store thread only. One entry a space; forgets nothing, since spaces are never dropped. */
#ifndef QM_SYNC_UV_OWN_H
#define QM_SYNC_UV_OWN_H

#include "core/aside.h"

typedef struct qm__own_mark {
  qm_id space;
  uint64_t next;   /* of the hub's own author: stamps, members, trims */
  uint64_t asides; /* set-aside entries, decisions included */
} qm__own_mark;

typedef struct qm__own {
  const qm_env *env;
  qm__own_mark *p;
  uint32_t n;
  uint64_t writes; /* the engine's count at the last look: where it stands, nothing is new */
} qm__own;

void qm__own_init(qm__own *o, const qm_env *env);
void qm__own_free(qm__own *o);
/* Tells each space where something was written since the last look; a space seen for the
 * first time has nothing new. by_commit: entries made in the group that was just committed
 * do not count; the device whose batch was set aside gets them before it is done, and the
 * others are told of that batch. What cannot be remembered (no memory) is told. */
void qm__own_look(qm__own *o, qm_engine *engine, int by_commit,
                  void (*tell)(void *payload, const qm_id *space), void *payload);

#endif
