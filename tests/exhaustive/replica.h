/* replica: a real engine on a store in memory, driven by the verbs of program.h. What
 * should never fail ends the program with a message. */
#ifndef EXHAUSTIVE_REPLICA_H
#define EXHAUSTIVE_REPLICA_H

#include "core/engine.h"
#include "core/write.h"
#include "tests/exhaustive/model.h"

typedef struct replica {
  qm_env env;
  uint64_t now_ms, random;
  uint8_t instance[16];
  qm_id device;
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
  qm_write *write;
  qm_arena arena; /* of readings; the caller resets it */
} replica;

typedef struct bytes {
  uint8_t *p;
  size_t n;
} bytes;

typedef struct snapshot {
  bytes parts[16];
  uint32_t n;
} snapshot;

_Noreturn void broken(const char *what, int code, const char *detail);

/* The schema with a field of every type, in MessagePack. The caller frees it. */
bytes make_schema(void);
/* `place` orders the author ids of replicas. */
void replica_open(replica *r, bytes schema, unsigned place, uint64_t seed);
void replica_close(replica *r);

/* Closes what was written into a segment and gives it as a batch of its own. */
bytes replica_segment(replica *r, const qm_vv_list *before);
/* The VV now, in an arena. */
qm_vv_list replica_heads(replica *r, qm_arena *arena);
void replica_take(replica *r, bytes batch);
/* The same, with what it parks told. */
void replica_take_any(replica *r, bytes batch, uint32_t *parked);
void replica_acknowledge(replica *r);
snapshot replica_snapshot(replica *r);
void snapshot_free(snapshot *s);
int replica_join(replica *r, const snapshot *s);
void replica_check(replica *r);

/* One change. */
void replica_begin(replica *r, uint64_t now_ms);
void replica_tick(replica *r); /* an op on a record of its own, so that every change writes */
/* The record that ticks are on; before the first tick. */
void replica_tick_new(replica *r);
void replica_new(replica *r, type t, uint32_t record);
/* Returns what came of it; *wrote: how many ops. */
answer replica_verb(replica *r, type t, uint32_t record, const verb *v, qm_slice token,
                    unsigned *wrote);
void replica_end(replica *r);

/* In r->arena. */
qm_slice replica_token(replica *r, uint32_t record, form f);
void replica_read(replica *r, type t, uint32_t record, char out[READING_MAX]);

#endif
