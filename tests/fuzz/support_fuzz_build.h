/* support_fuzz_build: segments and batches that an input chooses. They are valid: causally
 * closed, counted and chained, with right hashes, unless the input asks for a fault, which is
 * put in before the hashes are made where it can be. */
#ifndef QM_SUPPORT_FUZZ_BUILD_H
#define QM_SUPPORT_FUZZ_BUILD_H

#include "core/batch.h"
#include "tests/fuzz/support_fuzz.h"

#define FUZZ_WRITERS 4u
#define FUZZ_RECORDS 3u

typedef struct fuzz_chain {
  uint64_t next;
  qm_time time;
  qm_hash head;
  qm_vv seen; /* the author's VV, own entry next */
} fuzz_chain;

typedef struct fuzz_builder {
  qm_arena arena;
  qm_authors authors;
  qm_id space;
  fuzz_chain chains[FUZZ_WRITERS];
  qm_dot created[FUZZ_RECORDS + 1];
  uint8_t has_created[FUZZ_RECORDS + 1];
  uint8_t faulty; /* some fault was put in, ever */
} fuzz_builder;

/* Authors: device `device` in FUZZ_WRITERS epochs, or each its own device (device 0); the
 * first is `first`, where there is one. */
void fuzz_builder_init(fuzz_builder *b, uint8_t space, uint8_t device, const qm_author *first);
void fuzz_builder_free(fuzz_builder *b);
/* Appends a batch of 1 to 3 segments. 0 where it cannot be written. */
int fuzz_build(fuzz_builder *b, qm_slice *in, qm_buf *out);

#endif
