/* program: what a change of a small program does: for each field type a short list of
 * *moves*, each one or two verbs. This list and nothing else is shared by the reference
 * model and the driver of the real engine.
 *
 * All programs of one type and length run side by side: record m plays the program whose
 * i-th move is the i-th digit of m. */
#ifndef EXHAUSTIVE_PROGRAM_H
#define EXHAUSTIVE_PROGRAM_H

#include <stdint.h>

typedef enum type {
  REGISTER,
  REF,
  MAX,
  MIN,
  STATE,
  SET,
  COUNTER,
  LOG,
  TEXT,
  LIST,
  PRESENCE, /* edits, deletes and restores of a record with one register */
  CREATION, /* no base: the record is created in the program, perhaps twice */
  TYPES
} type;

typedef enum act {
  DO_SET,
  DO_RAISE, /* and lower */
  DO_ADD,
  DO_REMOVE,
  DO_INC,
  DO_APPEND,
  DO_SPLICE, /* of a list: a letter an element */
  DO_NEW,
  DO_DELETE,
  DO_RESTORE
} act;

/* The form the writer had open: none, or a reading taken before it last heard of others. */
typedef enum form { FORM_NONE, FORM_VALUES, FORM_REVIEW } form;

typedef struct verb {
  act act;
  form form;
  int settle, again;
  int64_t value;
  unsigned at, cut; /* splice; at AT_END */
  const char *text;
} verb;

enum { AT_END = 1000, VERBS_MAX = 2, MOVES_MAX = 7 };
enum { OPEN, ASSIGNED, CLOSED, ESCALATED, ITEMS }; /* values of STATE */

extern const int item_rank[ITEMS];
extern const int item_step[ITEMS][ITEMS]; /* 1: allowed */

const char *type_name(type t);
unsigned type_moves(type t);
/* Move number `move` as change i (1…) makes it. Returns how many verbs. */
unsigned move_verbs(type t, unsigned move, unsigned i, verb out[VERBS_MAX]);
/* What of the move the writer's open form was: the first form among its verbs. */
form move_form(type t, unsigned move);
/* The text that the base puts in. */
extern const char base_text[];

#endif
