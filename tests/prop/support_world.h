/* A few replicas in memory with a virtual clock and repeatable randomness, and verbs
 * short enough that a test reads as the program it plays. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "core/aside.h"
#include "core/class.h"
#include "core/write.h"

#define WORLD_MAX 8

enum {
  F_KEY = 16,
  F_TEL = 17,
  F_LAST = 18,
  F_TAGS = 19,
  F_VISITS = 20,
  F_STEPS = 21,
  F_NOTES = 22,
  F_STATE = 23,
  F_HEAD = 24,
  F_FIRST = 25,
  F_PLAN = 26
};

typedef struct device {
  struct world *world;
  qm_env env;
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
  qm_id id;
  uint8_t instance[16];
  int64_t skew_ms; /* of this device's clock */
  uint32_t flags;  /* of its engine, from the next reopen on */
} device;

/* What a test puts in place of memory, and beside the engines. Each may be NULL. */
typedef struct world_hooks {
  int (*open_store)(device *d);
  void (*opened)(device *d);  /* the engine was opened */
  void (*closing)(device *d); /* it is about to be closed */
} world_hooks;

typedef struct world {
  device d[WORLD_MAX];
  world_hooks hooks;
  unsigned n;
  uint64_t now_ms, random;
  qm_buf schema;
  qm_arena arena; /* of texts returned; reset by world_close */
} world;

void world_open(world *w, unsigned devices, uint64_t seed);
void world_open_on(world *w, unsigned devices, uint64_t seed, const world_hooks *hooks);
void world_close(world *w);
uint64_t world_random(world *w);
unsigned world_below(world *w, unsigned n); /* 0 … n-1 */

/* Sends what `to` lacks of `from`'s log, all of it; returns segments taken. Where the log
 * does not reach back that far, the state. */
unsigned pull(device *to, device *from);
/* The first `batches` batches only (an interruption). */
unsigned pull_some(device *to, device *from, unsigned batches);
/* Both ways. */
void meet(device *a, device *b);
/* `to` takes `from`'s state and joins it. 1 where it did. */
int join(device *to, device *from);
/* Every pair until nothing moves. */
void world_settle(world *w);
/* Equal VV, equal digest, digest equal to what is stored. */
void world_check_equal(world *w);
/* Closes and opens the engine on its store, as a restart does. */
void reopen(device *d);
/* `to` becomes a copy of `from`'s database on another phone: the same device key, another
 * instance id. */
void copy_store(device *to, device *from);
/* The same with the instance id: a copy, or a backup brought back, that nobody notices. */
void copy_unnoticed(device *to, device *from);
/* A session's worth of exchange, both ways, as a session has it: VVs are stated first, entries
 * travel next, then changes; who stands otherwise than stated is put right by the next one.
 * What is refused for a fork is refused. Returns what moved. */
unsigned talk(device *a, device *b);
/* Every pair until nothing moves. */
void world_talk(world *w);
/* The hub says it holds everything that `d` has. */
void acknowledge(device *d);

/* Verbs: one change each. Records are told by short names (the id is the name,
 * zero-padded). The code of the failing verb or QM_OK. */
qm_id rec(const char *name);
int put_new(device *d, const char *r);
int put_erase(device *d, const char *r);
int put_restore(device *d, const char *r);
int put(device *d, const char *r, uint32_t field, const char *text);
int put_with(device *d, const char *r, uint32_t field, const char *text, qm_slice token,
             unsigned flags);
int put_erase_with(device *d, const char *r, qm_slice token);
/* A correction of a number: may go back. */
int put_number(device *d, const char *r, uint32_t field, int64_t v);
int put_raise(device *d, const char *r, uint32_t field, int64_t v);
int put_raise_with(device *d, const char *r, uint32_t field, int64_t v, qm_slice token);
int put_add(device *d, const char *r, const char *element);
int put_remove(device *d, const char *r, const char *element);
int put_inc(device *d, const char *r, int64_t delta);
int put_step(device *d, const char *r, const char *text);
int put_text(device *d, const char *r, uint64_t at, uint64_t cut, const char *text);
/* `values`, of one character each, in place of `cut` elements. */
int put_list(device *d, const char *r, uint64_t at, uint64_t cut, const char *values);
int put_state(device *d, const char *r, const char *item);
int put_merge(device *d, const char *a, const char *b);
int put_unmerge(device *d, const char *r);
/* What no schema allows: a number for a text. */
int put_bad(device *d, const char *r, uint32_t field, int64_t v);
/* `to` takes the set-aside entries that it lacks; how many. */
unsigned asides(device *to, device *from);

/* What is shown, as the record's class shows it, as text in the world's arena: a register's
 * value ("-" for none), a set "a,b", a counter "3", a log "a|b", a text, a list "[a b]". */
const char *shown(device *d, const char *r, uint32_t field);
/* The review list of a field: "value/class" by (time, author) descending, with class s
 * sibling, u unread, c contradiction, m another member's. "" for none. */
const char *listed(device *d, const char *r, uint32_t field);
/* The same of the record's own state alone. */
const char *shown_alone(device *d, const char *r, uint32_t field);
const char *listed_alone(device *d, const char *r, uint32_t field);
/* The class: its members "A,B"; those of them that somebody took out beside a merge. */
const char *members(device *d, const char *r);
const char *unmerged(device *d, const char *r);
int visible(device *d, const char *r);
int collides(device *d, const char *r);
unsigned marks(device *d, const char *r);
/* A token in the world's arena. kind as in read.h. */
qm_slice form(device *d, const char *r, unsigned kind);

#endif
