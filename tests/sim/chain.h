/* chain: authors who write two continuations of one segment, and what nodes took of them;
 * and the chains in the logs of nodes, looked at from outside. */
#ifndef SIM_CHAIN_H
#define SIM_CHAIN_H

#include "core/batch.h"
#include "tests/sim/world.h"

/* A segment beside another with the same `previous`, both signed by their author: a liar's
 * other word. Nothing follows it. */
typedef struct equivocation {
  qm_id space;
  qm_author author;
  uint64_t next;
  uint8_t head[QM_HEAD_SIZE];
  uint16_t holders; /* bits of nodes */
} equivocation;

/* The full hash that an author's segment from `start` on stands on. */
int chain_previous(qm_space *s, uint32_t author, uint64_t start, qm_hash *out);

void forks_add(world *w, const qm_id *space, const qm_author *author, uint64_t next,
               const uint8_t head[QM_HEAD_SIZE]);
/* Notes which other words the node holds; after whatever may have brought one. */
void forks_note(node *n);
/* The node went back in time: what it holds is looked at anew. */
void forks_forget(node *n);
/* In this space one of the two holds one word of a liar, the other another. */
int forks_between(const world *w, const node *a, const node *b, unsigned space);
/* forks_in, of any space of this device. */
int forks_any(const world *w, const node *n);
/* Bits of the spaces in which they stand at one counter with two words: to be told. */
unsigned forks_open(const node *a, const node *b);
/* Somebody who does not lie holds a liar's other word. */
int forks_in(const world *w, unsigned space);

/* Every segment in the log of the node stands on the one before, has the hash that it says,
 * and is signed by its author. */
void check_chains(node *n);

#endif
