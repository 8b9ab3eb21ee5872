/* saving: what one save writes, part by part (script.h PARTS). A new part has its function
 * in saving.c, its place in the book (people.h, save) and its check (check_intent.c). */
#ifndef SIM_SAVING_H
#define SIM_SAVING_H

#include "tests/sim/people.h"

typedef struct saving {
  world *w;
  node *n;
  qm_space *space;
  qm_write *q;
  save *s;
  const step *x;
  const view *now;  /* as its writer's device has it when it is saved */
  const form *form; /* what was on the screen; NULL: the same */
  qm_slice token;
  qm_id id;
  uint32_t collection;
} saving;

/* Writes what the step says into the change that is open. Fails only where the change
 * cannot go on. */
int saving_write(saving *g);
/* Sets the natural key's field of a record just made, and its naming field. */
int saving_names(saving *g);
void saving_key(const saving *g, char out[VALUE_MAX]);

#endif
