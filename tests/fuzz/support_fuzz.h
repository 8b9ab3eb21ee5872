/* support_fuzz: the made-up replica that several targets start from. */
#ifndef QM_SUPPORT_FUZZ_H
#define QM_SUPPORT_FUZZ_H

#include "core/space.h"
#include "core/write.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_AUTHORS 6u

/* Ids are 24 times one byte; local numbers are not in order of ids. */
void fuzz_authors(qm_authors *t);

/* Fields of collection 1. */
enum {
  FUZZ_NAME = 16, FUZZ_LAST = 17, FUZZ_FIRST = 18, FUZZ_STATE = 19, FUZZ_TAGS = 20,
  FUZZ_COUNT = 21, FUZZ_STEPS = 22, FUZZ_NOTES = 23, FUZZ_LIST = 24, FUZZ_REF = 25
};
/* Appends the schema: one field of each type; collection 2 with one register. */
void fuzz_schema_put(qm_buf *out);

typedef struct fuzz_replica {
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
  qm_id device;
  uint32_t flags;
} fuzz_replica;

/* Space "s" (15 zero bytes follow) on a store in memory; the device id is `number` and zeroes. */
void fuzz_replica_open(fuzz_replica *r, uint8_t number, uint32_t flags);
void fuzz_replica_close(fuzz_replica *r);
/* The engine anew on its store, with the same digest; `space` changes. */
void fuzz_replica_reopen(fuzz_replica *r);
/* Adds a space: id `first` and zeroes. */
qm_space *fuzz_space(fuzz_replica *r, uint8_t first);
/* Form saves that touch every type of field; records `number` 0 and 1. */
void fuzz_fill(fuzz_replica *r, qm_space *s);
qm_id fuzz_record_id(uint32_t number);
/* One change that the input chooses; what it may not do it does not. */
void fuzz_write(fuzz_replica *r, qm_space *s, qm_slice *in);
/* The replica stands: digest and records agree, every record reads, has a token that is read
 * again, and shows every field. */
void fuzz_check_replica(fuzz_replica *r, qm_space *s);
/* 1 where both have the same VV, digest included. */
int fuzz_equal(fuzz_replica *a, qm_space *sa, fuzz_replica *b, qm_space *sb);
/* A replica that took the log of `from`, and one that joined its state after `before`
 * batches of the log (FUZZ_BESIDE: on top of changes of its own), are equal to it. */
#define FUZZ_BESIDE 7u
void fuzz_check_copies(fuzz_replica *from, qm_space *s, uint32_t before);

typedef struct fuzz_parts {
  qm_arena arena;
  qm_slice parts[64];
  uint32_t n;
} fuzz_parts;
/* The state of a space; free the arena. */
void fuzz_state(fuzz_replica *from, qm_space *s, fuzz_parts *out);

#endif
