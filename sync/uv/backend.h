/* backend: what a hub needs of the program around it: who its devices are, what they may
 * read and write, enrolment, certificates, notes. Filled in by adapters/cli over hub.db.
 *
 * Each shard has one, for its own store thread. Those of any loop's thread are asked of the
 * first shard's; so is, on its store thread, what belongs to no space: enrol, touch and
 * policy->cert_renew. */
#ifndef QM_SYNC_UV_BACKEND_H
#define QM_SYNC_UV_BACKEND_H

#include "sync/answer.h"
#include "sync/enrol.h"

/* What one session told of a device. */
typedef struct qm_hub_seen {
  uint64_t behind;      /* counters it lacked at the end of what the hub held */
  uint32_t refused;     /* changes refused in this session */
  int32_t refused_code; /* of the last of them */
  int64_t clock_offset_ms; /* its clock less the hub's */
  uint8_t complete;     /* both sides had given all they had */
} qm_hub_seen;

typedef struct qm_hub_backend {
  void *payload;

  /* --- any loop's thread, several at once --- */

  /* As qm_tls_admit, inside the handshake. *writes_as: the device id it writes as, its
     own but in a replay. Must be quick: a look-up. */
  int (*admit)(void *payload, const qm_id *device, const qm_cert *cert, qm_id *writes_as);

  /* 1 where the operator admits a state of this device (qm_answer_policy.recover). A look-up.
     May be NULL. */
  int (*recovers)(void *payload, const qm_id *device);

  /* The shard that has the space: its place in qm_hub_options.shards. Of a space that none has,
     any. A look-up, for each request. NULL: the first. */
  uint32_t (*shard_of)(void *payload, const qm_id *space);

  /* --- the shard's store thread; none of them inside an engine transaction but policy's
     refusal --- */

  /* Before each round of work: takes into the engine what other processes changed (spaces,
     schemas, safe notes). Cheap where nothing did. A failure is logged; work goes on. */
  int (*refresh)(void *payload, qm_engine *engine);
  /* Another number, not 0, whenever what check and policy->grants say may have changed since it
     was asked last; the same of all shards where nothing has. Asked after refresh, once a round.
     Where it stands, a session's device is not checked again. NULL: it may always have
     changed. */
  uint64_t (*standing)(void *payload);
  /* Before a request: is the device of this running session still one? QM_OK;
     QM_EREVOKED, QM_ECERT: the connection is dropped. */
  int (*check)(void *payload, const qm_id *device);
  /* Grants, refusals, signatures, renewal. `peer` is the id the device writes as. */
  const qm_answer_policy *policy;
  /* One enrolment: `request` as it came, `address` the peer's without port. Fills in a
     response in the arena, a refusal too. Errors: only where not even that is possible. */
  int (*enrol)(void *payload, qm_slice request, const char *address, qm_arena *arena,
               qm_enrol_response *out);
  /* A session ended, and all that it asked for has been answered. */
  int (*touch)(void *payload, const qm_id *device, const qm_hub_seen *seen);
  /* Around the touches of a round, which go to the disk at once: `end` with keep 0 takes them
     back, and each is then made by itself. Both or neither (NULL: each by itself). */
  int (*touch_begin)(void *payload);
  int (*touch_end)(void *payload, int keep);
  /* Of a running session: the VV that the device says it holds of a space, first at the start,
     then, where it ends equal to the hub, the hub's own. Before the session's touch, and maybe
     on another thread. May be NULL. */
  void (*held)(void *payload, const qm_id *device, const qm_id *space, qm_vv_list vv);
  /* Nothing to do for QM_HUB_IDLE_TICK_MS: a bounded piece of upkeep. *more = 1: there is more
     that should not wait a whole tick. May be NULL. */
  int (*idle)(void *payload, qm_engine *engine, int *more);
  /* A group is durable and none of it is answered yet: its number, and the last batch of
     it. For tests of crash positions. May be NULL. */
  void (*committed)(void *payload, uint64_t number, const qm_id *space, uint32_t taken);
} qm_hub_backend;

#endif
