/* creation_cache: which records the creation dots used lately name. Almost every op names its
 * record so, and a row of the creation table never changes while its space is there: a look-up
 * here stands for a statement. Bounded; what has no room is asked of the table.
 *
 * The store forgets all of it where rows may go or were taken back: a dropped or replaced space,
 * a transaction that wrote some and was not committed. */
#ifndef QM_CREATION_CACHE_H
#define QM_CREATION_CACHE_H

#include "core/store.h"

/* Entries at most, of 32 bytes each: those of a few thousand records written lately. */
#define QM__CREATIONS_MAX 16384u

typedef struct qm__creations {
  const qm_env *env;
  struct qm__creation *p; /* two places for each dot; NULL: nothing is known */
  uint32_t cap, n;
} qm__creations;

void qm__creations_init(qm__creations *c, const qm_env *env);
void qm__creations_forget(qm__creations *c);
/* 1 with *record, or 0. */
int qm__creations_find(const qm__creations *c, uint32_t space, qm_dot dot, qm_id *record);
/* Takes what the table says; without memory it does not. */
void qm__creations_note(qm__creations *c, uint32_t space, qm_dot dot, const qm_id *record);

#endif
