/* A few replicas in memory with a virtual clock and repeatable randomness, and verbs
 * short enough that a test reads as the program it plays. */
#ifndef SUPPORT_ENGINE_H
#define SUPPORT_ENGINE_H

#include "core/space.h"
#include "core/state.h"
#include "core/write.h"

#define RIG_MAX 8

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

typedef struct dev {
  struct rig *rig;
  qm_env env;
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
  qm_id id;
  uint8_t instance[16];
  int64_t skew_ms; /* of this device's clock */
  uint32_t flags;  /* of its engine */
  int random_fails;
} dev;

typedef struct rig {
  dev d[RIG_MAX];
  unsigned n;
  uint64_t now_ms, random;
  qm_buf schema;
  qm_arena arena; /* of texts returned; reset by rig_close */
} rig;

void rig_open(rig *w, unsigned devices, uint64_t seed);
void rig_close(rig *w);
uint64_t rig_random(rig *w);
unsigned rig_below(rig *w, unsigned n); /* 0 … n-1 */

/* Sends what `to` lacks of `from`'s log, all of it; returns segments taken. Where the log
 * does not reach back that far, the state. */
unsigned pull(dev *to, dev *from);
/* The first `batches` batches only (an interruption). */
unsigned pull_some(dev *to, dev *from, unsigned batches);
/* Both ways. */
void meet(dev *a, dev *b);
/* `to` takes `from`'s state and joins it. 1 where it did. */
int join(dev *to, dev *from);
/* Every pair until nothing moves. */
void rig_settle(rig *w);
/* Equal VV, equal digest, digest equal to what is stored. */
void rig_check_equal(rig *w);
/* Closes and opens the engine on its store, as a restart does. */
void reopen(dev *d);
/* The hub says it holds everything that `d` has. */
void acknowledge(dev *d);

/* Verbs: one change each. Records are told by short names (the id is the name,
 * zero-padded). The code of the failing verb or QM_OK. */
qm_id rec(const char *name);
int put_new(dev *d, const char *r);
int put_erase(dev *d, const char *r);
int put_restore(dev *d, const char *r);
int put(dev *d, const char *r, uint32_t field, const char *text);
int put_with(dev *d, const char *r, uint32_t field, const char *text, qm_slice token,
             unsigned flags);
int put_erase_with(dev *d, const char *r, qm_slice token);
int put_raise(dev *d, const char *r, uint32_t field, int64_t v);
int put_raise_with(dev *d, const char *r, uint32_t field, int64_t v, qm_slice token);
int put_add(dev *d, const char *r, const char *element);
int put_remove(dev *d, const char *r, const char *element);
int put_inc(dev *d, const char *r, int64_t delta);
int put_step(dev *d, const char *r, const char *text);
int put_text(dev *d, const char *r, uint64_t at, uint64_t cut, const char *text);
/* `values`, of one character each, in place of `cut` elements. */
int put_list(dev *d, const char *r, uint64_t at, uint64_t cut, const char *values);
int put_state(dev *d, const char *r, const char *item);

/* What is shown, as text in the rig's arena: a register's value ("-" for none), a
 * set "a,b", a counter "3", a log "a|b", a text,
 * a list "[a b]". */
const char *shown(dev *d, const char *r, uint32_t field);
/* The review list of a field: "value/class" by (time, author) descending, with class s
 * sibling, u unread, c contradiction. "" for none. */
const char *listed(dev *d, const char *r, uint32_t field);
int visible(dev *d, const char *r);
int collides(dev *d, const char *r);
unsigned marks(dev *d, const char *r);
/* A token in the rig's arena. kind as in read.h. */
qm_slice form(dev *d, const char *r, unsigned kind);
qm_slice text_value(rig *w, const char *text);
qm_slice int_value(rig *w, int64_t v);
/* The cell, NULL where it is empty; the record in the rig's arena. */
const qm_cell *cell_of(dev *d, const char *r, uint32_t field, unsigned shape);
const qm_record *record_of(dev *d, const char *r);

/* All of `from`'s log that `have` lacks, batch by batch, in the rig's arena; returns how
 * many. */
unsigned log_of(dev *from, qm_vv_list have, qm_slice *out, unsigned max);
/* One batch in a transaction of its own; *in is filled by the caller, results are in the
 * rig's arena. */
int take(dev *d, qm_slice batch, qm_ingest *in);
/* What is in memory equals what the store holds, and the digest is the sum of it. */
void check_memory(dev *d);
/* Records that stayed loaded say what their rows say, and nothing of a transaction that is over.
 * How many there are; 0 where state is behind. */
unsigned check_kept(dev *d);

/* Where a replica stands; and that it stands there still, in memory and in its store. */
typedef struct standing {
  uint8_t vv[16];
  qm_digest digest;
  uint32_t authors;
} standing;
standing standing_of(dev *d);
void stands_as(dev *d, const standing *before);

/* --- changes made by hand --- */

#define FORGE_AUTHORS 1100
typedef struct forge {
  rig *w;
  qm_id space;
  qm_arena arena;
  qm_authors authors;
  struct forge_chain {
    uint64_t next;
    qm_hash head;
    qm_time time;
  } chains[FORGE_AUTHORS];
  /* the segment being made */
  qm_segment seg;
  uint32_t cap_changes, cap_ops;
} forge;

void forge_open(forge *f, rig *w);
void forge_close(forge *f);
/* An author of a device whose id is `device` and zeroes. */
uint32_t forge_author(forge *f, uint8_t device, uint32_t epoch);
/* An author that d holds, to be continued where d stands. */
uint32_t forge_follow(forge *f, dev *d, const qm_author *author);
/* Starts a segment, then a change in it (deps may be NULL), then ops: record, field,
 * shape, kind, value and lists are the caller's, counter and span (0: 1) are set. */
void forge_begin(forge *f, uint32_t author);
qm_change *forge_change(forge *f, const qm_dot *deps, uint32_t n_deps);
qm_op *forge_op(forge *f, qm_op op);
/* Hashes and chains it. The same again after a change by hand of what came out. */
qm_segment forge_seal(forge *f);
qm_segment forge_hash(forge *f, qm_segment seg, const qm_hash *previous);
qm_slice forge_batch(forge *f, const qm_segment *segs, uint32_t n);
/* A change with one `new` of collection 1. */
qm_segment forge_new(forge *f, uint32_t author, const char *r);
/* A change with one write of a text. */
qm_segment forge_write(forge *f, uint32_t author, const char *r, uint32_t field, const char *text);

#endif
