/* view: what a person at a device is shown of one record, as plain C values. */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include "tests/sim/world.h"

/* The fields of which the values stand side by side, with the part of a form that fills
 * each in. */
#define SIBLINGS(X)                                                                          \
  X(TEL) X(HEAD) X(STATE) X(REF) X(KEY) X(PLACE) X(MORE)
enum {
#define X(name) V_##name,
  SIBLINGS(X)
#undef X
      SIBLING_FIELDS
};
/* The fields that are rows of tokens (book.h): in a text they stand as they are, in a list
 * each is an element. */
enum { SEQ_TEXT, SEQ_LIST, SEQUENCES };
#define VALUE_MAX 48
#define OTHERS_MAX 32
#define TAGS_MAX 48

extern const uint32_t sibling_fields[SIBLING_FIELDS];

typedef struct view {
  int found, visible, collides;
  uint32_t members; /* of the class that was read; 1: a record alone */
  int same_key; /* looked for in the calm only */
  /* Saves that wrote here, by their steps, in the order shown; foreign: not to be read. */
  uint32_t *steps;
  uint32_t n_steps, foreign;
  char shown[SIBLING_FIELDS][VALUE_MAX]; /* "": nothing */
  char others[SIBLING_FIELDS][OTHERS_MAX][VALUE_MAX];
  unsigned n_others[SIBLING_FIELDS], n_siblings[SIBLING_FIELDS], n_marks;
  uint32_t n_creations, collection;
  char tags[TAGS_MAX][VALUE_MAX];
  unsigned n_tags;
  int has_last, has_first;
  int64_t last, first, visits;
  char *rows[SEQUENCES]; /* NUL-terminated; a list as its elements one after the other */
  uint64_t hash; /* of all of it */
} view;

/* Everything lives in w->arena until it is reset. QM_OK also where nothing is known of the
 * record (found 0). */
int view_read(node *n, qm_space *s, const qm_id *record, view *out);
/* The same of the class that it is in. */
int view_class(node *n, qm_space *s, const qm_id *record, view *out);
/* The token of a reading of the class now, of values or of the review list (QM_READ_…), in
 * w->arena. */
int view_token(node *n, qm_space *s, const qm_id *record, unsigned kind, qm_slice *out);
/* Something stands on the review list. */
int view_contested(const view *v);
/* A value as text and back: strings as they are, others as # and hexadecimal digits. */
void value_text(qm_slice v, char to[VALUE_MAX]);
qm_slice value_pack(world *w, const char *text);

#endif
