/* node: a replica for fault tests, on any store: deterministic clock and randomness, a
 * schema with every field type, changes that touch them all, and a session between two
 * nodes that can be cut at any byte. What should never fail ends the program. */
#ifndef FAULTS_NODE_H
#define FAULTS_NODE_H

#include "core/engine.h"
#include "sync/answer.h"

typedef struct node {
  qm_env env;
  uint64_t now_ms, random;
  uint8_t instance[16];
  qm_id device;
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
} node;

/* Prints a failed case and ends. */
_Noreturn void broken(const char *format, ...);
void must(int rc, const char *what);

/* The schema, in MessagePack, into a buffer that it makes. */
void node_schema(const qm_env *env, qm_buf *out);
/* Fills env and ids; the store and the engine come after. */
void node_init(node *n, char name);
void node_memory(node *n); /* a store in memory */
void node_engine(node *n); /* opens the engine on n->store, with the space */
void node_close(node *n);

/* Change number i of this node: every type comes, each change adds i + 1 to a counter. */
void node_write(node *n, unsigned i);
/* So many records with a long value each. */
void node_write_large(node *n, unsigned records);
void node_push(node *n);
/* The sum of that counter; 0 before the first change. */
int64_t node_sum(node *n);
/* Fails unless VV and digest are equal and both replicas check. */
void nodes_equal(node *a, node *b);
void node_check(node *n);
/* 1 where the hub holds all that the phone takes for acknowledged. */
int node_acknowledged_holds(node *phone, node *hub);
void node_digest(node *n, uint8_t out[32]); /* VV and state */

/* --- sessions --- */
typedef enum cut { CUT_NEVER, CUT_UP, CUT_DOWN } cut;

typedef struct flow { /* what came through in one direction */
  size_t bytes;
  unsigned batches;      /* whole BATCH frames */
  unsigned commits;      /* durable at the receiver */
  unsigned taken, known; /* segments */
  unsigned parts, joins; /* of states */
} flow;

typedef struct outcome {
  flow up, down;
  int whole; /* both sides closed, all done */
} outcome;

/* phone is the client. Cut: after `at` bytes in that direction nothing moves any more. */
outcome node_session(node *phone, node *hub, cut where, size_t at);

#endif
