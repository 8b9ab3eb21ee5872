/* view: what a person at a device is shown of one record, as plain C values. */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include "tests/sim/world.h"

#define SIBLING_FIELDS 4 /* tel, head, state, ref */
#define VALUE_MAX 48
#define OTHERS_MAX 32
#define TAGS_MAX 48

extern const uint32_t sibling_fields[SIBLING_FIELDS];

typedef struct view {
  int found, visible, collides, same_key;
  /* Saves that wrote here, by their steps, in the order shown; foreign: not to be read. */
  uint32_t *steps;
  uint32_t n_steps, foreign;
  char key[VALUE_MAX];
  char shown[SIBLING_FIELDS][VALUE_MAX]; /* "": nothing */
  char others[SIBLING_FIELDS][OTHERS_MAX][VALUE_MAX];
  unsigned n_others[SIBLING_FIELDS];
  char tags[TAGS_MAX][VALUE_MAX];
  unsigned n_tags;
  int has_last, has_first;
  int64_t last, first, visits;
  char *text; /* NUL-terminated */
  uint64_t hash; /* of all of it */
} view;

/* Everything lives in w->arena until it is reset. QM_OK also where nothing is known of the
 * record (found 0). */
int view_read(node *n, qm_space *s, const qm_id *record, view *out);
/* The token of a reading now, in w->arena. */
int view_token(node *n, qm_space *s, const qm_id *record, qm_slice *out);

#endif
