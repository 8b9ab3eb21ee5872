/* world: devices and a hub, each the real engine on the real SQLite store over a simulated
 * disk, with virtual clocks; who may read what; and the faults that a seed draws. One
 * thread, one seed, no time but world.now. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/write.h"
#include "sync/answer.h"
#include "tests/sim/disk.h"
#include "tests/sim/schema_sim.h"

#define DEVICES 8
#define HUB DEVICES
#define NODES (DEVICES + 1)
#define SPACES 3
#define DAY_MS UINT64_C(86400000)
#define START_MS UINT64_C(1700000000000)
#define LINKS_MAX 48
#define RECORDS_MAX 65536
#define CANARY_SIZE 8
#define VIOLATION_MAX 160

/* The kinds of fault, in the order in which they are counted and printed. Which are on in a
 * world is drawn; a new one is drawn in course.c and done in steps.c, or asks fires(). */
#define FAULTS(X)                                                                            \
  X(CUT, "connections cut")                                                                  \
  X(HALF_OPEN, "half-open connections")                                                      \
  X(REPEAT, "sessions repeated at once")                                                     \
  X(DELAY, "stalls")                                                                         \
  X(CRASH, "device crashes")                                                                 \
  X(HUB_CRASH, "hub crashes")                                                                \
  X(RECOVERY, "crashes in recovery")                                                         \
  X(FULL, "writes on a full disk")                                                           \
  X(READ_EIO, "failed reads")                                                                \
  X(WRITE_EIO, "failed writes")                                                              \
  X(SYNC_EIO, "failed syncs")                                                                \
  X(CLOCK_OFF, "clocks far off")                                                             \
  X(CLOCK_JUMP, "clocks that jump")                                                          \
  X(CLOCK_FROZEN, "frozen clocks")                                                           \
  X(RESTORE, "devices restored")                                                             \
  X(COPY, "databases copied")                                                                \
  X(HUB_RESTORE, "hub restored")                                                             \
  X(REVOKE, "devices revoked")                                                               \
  X(GONE, "spaces taken away")                                                               \
  X(UPGRADE, "newer schemas")                                                                \
  X(SHUFFLE, "batches in another order")                                                     \
  X(MERGE, "records merged")                                                                 \
  X(UNMERGE, "records taken out again")                                                      \
  X(LATE, "phones that join late")                                                           \
  X(LIVE, "sessions that stay")                                                              \
  X(LIAR_BYTES, "mutated bytes")                                                             \
  X(LIAR_FORGE, "forged segments")                                                           \
  X(LIAR_CHAIN, "wrong links under a good signature")                                        \
  X(LIAR_FORK, "devices that fork themselves")                                               \
  X(LIAR_RAW, "writes against the schema")                                                   \
  X(CUT_LOG, "logs cut below what devices have")                                             \
  X(HARM, "records that went bad")

typedef enum fault {
#define X(name, text) F_##name,
  FAULTS(X)
#undef X
      F_COUNT
} fault;

extern const char *const fault_names[F_COUNT];

typedef struct world world;

typedef struct node {
  world *w;
  unsigned index;
  qm_env env;
  qm_id id;
  uint8_t instance[16];
  sim_prng random; /* env's */
  sim_disk *disk;
  qm_store *store;
  qm_engine *engine;
  qm_answer_policy policy, peer_policy;
  qm_answer answer, peer_answer;
  int up;   /* the engine is open */
  int sick; /* its store failed: to be opened again */
  int absent; /* not enrolled yet */
  int late;   /* was enrolled later than the others */
  int64_t skew_ms;
  uint64_t frozen_ms;  /* 0: the clock runs */
  uint64_t moved_ms;   /* when its clock last did something odd */
  uint64_t full_until; /* the disk is full */
  int revoked, liar;
  uint8_t harmed;    /* spaces whose damage no check has found yet, by bit */
  uint8_t found;     /* those where one has, which a storage error may take back */
  int fresh;         /* no complete session with the hub since it was made or restored */
  unsigned hub_life; /* the hub's restores seen by its last complete session */
  disk_image *backup;
} node;

typedef struct refused_row {
  qm_id space;
  qm_author author;
  uint64_t counter;
} refused_row;

struct links;
struct equivocation;
struct people;

struct world {
  uint64_t seed, now;
  uint64_t first;    /* when the first day began */
  sim_prng random;   /* of the step or the connection at hand */
  sim_prng course;   /* of what is drawn */
  FILE *record;      /* every step goes there; may be NULL */
  sim_trace trace;
  node nodes[NODES];
  qm_id spaces[SPACES];
  uint8_t member[DEVICES][SPACES], writable[DEVICES][SPACES];
  uint8_t ever[DEVICES][SPACES]; /* was a member once */
  char canary[SPACES][CANARY_SIZE + 1]; /* stands in every value of the space */
  qm_buf schemas[SCHEMAS];
  uint8_t schema_at[SPACES]; /* of the hub */
  qm_arena arena; /* scratch of readings */
  uint8_t on[F_COUNT];
  uint64_t fired[F_COUNT];
  int calm; /* no new faults */
  uint64_t differed_ms[NODES][SPACES]; /* when a difference of one in doubt was found */
  unsigned hub_lives;
  refused_row *refused;
  unsigned n_refused;
  struct equivocation *forks; /* chain.h */
  unsigned n_forks;
  struct links *links;
  struct people *people;
  int store_flags, zip_level;
  uint64_t sessions, saves, violations;
  /* First syncs by a state; rounds of sessions that stay, and compact segments in them. */
  uint64_t first_states, rounds, compact;
  /* Of the first violation: what it says, without and with the names. */
  char kind[VIOLATION_MAX], message[VIOLATION_MAX];
  int verbose;
};

/* on NULL: the faults are drawn, too. */
void world_open(world *w, uint64_t seed, const uint8_t *on);
void world_close(world *w);

/* A checker's finding: printed with the time; counted. */
void violation(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void note(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Within a step or on a connection: is on, and its turn; counts it. */
int fires(world *w, fault f, uint32_t num, uint32_t den);

/* Opens store and engine; 0 where it cannot now (a fault), to be tried again later. */
int node_open(node *n);
/* What every caller into a node does afterwards: sees to a power cut or a sick store. */
void node_after(node *n);
void node_close(node *n);
void node_restart(node *n);
/* The hub's spaces, as its operator keeps them. */
int node_spaces(node *n);
/* The store goes back to an image. Same or another instance; the engine is closed. */
void node_restore(node *n, const disk_image *image, int same_instance);
qm_space *node_space(node *n, unsigned space);
int device_may(const world *w, unsigned device, unsigned space);
/* Stands for ECDSA: only the device itself calls it. */
void world_sign(const qm_id *device, const uint8_t digest[32], uint8_t out[64]);
int world_signed(const qm_id *device, const uint8_t digest[32], const uint8_t signature[64]);
/* What only a reader still holds of the hub's earlier life it cannot give back. */
int device_keeps(const world *w, unsigned device, unsigned space);
/* NULL where it is nobody's. */
node *node_of_id(world *w, const qm_id *id);
unsigned space_of_id(const world *w, const qm_id *id); /* SPACES where unknown */

#endif
