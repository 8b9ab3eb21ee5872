/* village: the replicas of a trace of form saves, a hub among them, in memory or in files. What
 * bench-smoke and the measurements of growth play. Anything that goes wrong ends the program
 * (bench_fail). */
#ifndef QM_BENCH_VILLAGE_H
#define QM_BENCH_VILLAGE_H

#include "adapters/cli/replay.h"
#include "sync/answer.h"
#include "tests/bench/bench.h"

typedef struct village_replica {
  qm_store *store;
  qm_engine *engine;
} village_replica;

/* One batch that a device brought its hub. */
typedef struct village_upload {
  uint32_t device;
  qm_slice batch;
} village_upload;

typedef struct village {
  qm_trace trace;
  bench_env env;
  qm_buf schema;
  village_replica *devices, hub;
  qm_arena arena; /* uploads */
  village_upload *uploads;
  uint32_t n_uploads, cap_uploads;
  const char *dir; /* NULL: in memory */
  unsigned sqlite; /* QM_SQLITE_… of what is opened next */
  uint64_t ops, changes, bytes;
  double local; /* seconds of CPU */
  int sessions; /* 1: syncs are sessions (village_talk), their CPU seconds in `synced` */
  double synced;
  /* Called after every save, after every fold of what saves left, and after every sync. */
  int saved; /* 1: it was one of the first two */
  void (*each)(struct village *v, void *payload);
  void *payload;
} village;

/* trace: a path. devices 0: the hub alone, for village_merge. */
void village_open(village *v, const char *trace, const char *dir, unsigned sqlite);
void village_close(village *v);
/* All lines; every sync of a device moves batches both ways, without a session. */
void village_play(village *v);
/* A hub as open_village makes one, empty. */
void village_open_hub(village *v, village_replica *hub);
void village_close_replica(village_replica *r);
/* Closes device and hub and opens their files again; seconds of CPU that the device took. */
double village_reopen(village *v, uint32_t device);
/* Uploads [from, to) into a hub; then state and digest stand at its VV. */
void village_merge(village *v, village_replica *hub, uint32_t from, uint32_t to);
/* The same in one transaction. */
void village_merge_bulk(village *v, village_replica *hub);
/* The bytes of all uploads as they would be without words (SPEC S5.25). */
uint64_t village_plain_bytes(const village *v);
/* The hub's log in few large rows, as its upkeep makes them. */
void village_join(qm_engine *hub);
/* Gives all that the log of `from` holds to `to`, which has nothing; its bytes. */
uint64_t village_history(village *v, qm_engine *from, qm_engine *to);
qm_space *village_space(const village *v, qm_engine *e, uint32_t device);
/* VV and digest of a device's space are equal on both. */
void village_same(const village *v, qm_engine *a, qm_engine *b, uint32_t device);
/* Every device's space here and on v's own hub; and where fixtures/traces/digests knows the
 * trace, the dump. */
void village_check(village *v, qm_engine *hub, int known);

/* The figures grid.limit.…, of the trace played: what its uploads and rows cost without a CRDT. */
void village_limits(bench *b, village *v);

/* What one session took. */
typedef struct village_session {
  uint64_t up, down;   /* bytes before TLS, frames included */
  uint32_t trips;      /* how often the client spoke and was answered, HELLO included */
  int code;            /* 0: both sides ended well */
} village_session;
/* A session of a device (client) with the hub, in memory. */
village_session village_talk(village *v, uint32_t device);
/* The same with a session that stays: what `change` costs that it makes on the device then,
 * twice: the first since the device took what is others', and one more. */
void village_live(village *v, uint32_t device, void (*change)(village *v), village_session t[2]);

#endif
