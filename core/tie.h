/* tie: records that stand in each other's way (SPEC S25.12 to S25.16): requests on one account
 * that ask for more than it has, and records that clash. Found by an index of what ties them:
 * the account, the first field that must be the same. Computed when asked; nothing is stored
 * but the index. */
#ifndef QM_TIE_H
#define QM_TIE_H

#include "relation.h"

/* Index of the store (qm_key_row): 16 bytes of SHA-256 over collection, field and value. */
#define QM_INDEX_TIES (QM_NUMBER_MAX + 2u)

/* How a request stands among those on its account. */
typedef struct qm_cover {
  const qm_cover_def *def;
  qm_id account;
  int64_t amount, balance;
  int64_t left; /* what those before it leave; the request is covered where that is no less */
  int covered;
} qm_cover;

/* Does the class ask for something of its account, or was it granted? *counts. `also`: records
 * that the open transaction wrote, which no index has yet. In the arena. `writing`: as
 * its writer is judged (S25.13). */
int qm_cover_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_cover_def *def,
                const qm_id *also, uint32_t n_also, int writing, unsigned flags, qm_arena *arena,
                qm_cover *out, int *counts);
/* A request that is not covered. */
typedef struct qm_overdrawn {
  qm_id id; /* that its class is shown under */
  int64_t left;
} qm_overdrawn;
/* All of them on the account of this class, as a look at each would find; *counts as above, with
 * *account. In the arena. */
int qm_overdrawn_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_cover_def *def,
                    unsigned flags, qm_arena *arena, qm_id *account, qm_overdrawn **out,
                    uint32_t *n, int *counts);
/* The account that the class's request is on, as its field shows it; *counts. */
int qm_cover_account(qm_engine *e, qm_space *s, const qm_record_class *of,
                     const qm_cover_def *def, unsigned flags, qm_arena *arena, qm_id *account,
                     int64_t *amount, int *counts);
/* The records that the class clashes with, by the ids that their classes are shown under:
 * ascending, each once. */
int qm_clashes_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_clash_def *def,
                  unsigned flags, qm_arena *arena, const qm_id **out, uint32_t *n);

/* --- for the engine's own files --- */

/* Writes what the index says of a record; inside a transaction of the store. */
int qm__ties_save(qm_space *s, const qm_record *r, qm_arena *arena);
/* May relations make the record a conflict, whatever others show? */
int qm__ties_noted(qm_space *s, const qm_record *r, qm_arena *arena, int *out);
/* 0 where the schema has nothing that S20.3's index and this one depend on; else its version. */
uint32_t qm__ties_version(const qm_schema *s);
/* Ids of records that may show this value in the field, each once. */
int qm__tied(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_field_def *f,
             qm_slice value, unsigned flags, qm_arena *arena, qm_id **out, uint32_t *n);

#endif
