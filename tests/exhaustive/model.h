/* model: what one record of one field must show, worked out from the causal histories of
 * its ops by brute force: bit sets of ops, no state, no versions, no codec. It shares no
 * code with core/ and is written from the rules of SPEC §3 alone. */
#ifndef EXHAUSTIVE_MODEL_H
#define EXHAUSTIVE_MODEL_H

#include "tests/exhaustive/history.h"
#include "tests/exhaustive/program.h"

enum { ENTRIES_MAX = 24, LETTERS_MAX = 32, NUMBER_MAX = 24, READING_MAX = 600 };

/* What all records of a run have in common. */
typedef struct setting {
  const history *h;
  uint64_t time[CHANGES_MAX];   /* time stamps of the changes */
  unsigned char rank[REPLICAS]; /* order of the replicas' author ids */
  int acknowledged;             /* a writer's hub holds all that the writer has */
} setting;

typedef enum answer { DONE, ABSENT, INVISIBLE, REFUSED, STALE, BEYOND, KNOWN } answer;

typedef struct entry { /* one op */
  unsigned change;
  act act;
  int stands; /* it leaves a value: a sibling, a dot of an element, a log entry */
  int64_t value;
  uint64_t order;
  unsigned removes, keeps; /* bits of entries */
} entry;

typedef struct letter {
  unsigned change;
  char c;
  int parent; /* -1: the root */
  int left;
  mask cut;
} letter;

typedef struct mark {
  int there, deleted;
  mask removes, keeps; /* bits of changes */
} mark;

typedef struct model {
  const setting *s;
  type type;
  entry e[ENTRIES_MAX];
  unsigned n;
  letter l[LETTERS_MAX];
  unsigned letters;
  mark m[CHANGES_MAX];
  mask created;
  answer answers[CHANGES_MAX][VERBS_MAX];
  unsigned wrote[CHANGES_MAX][VERBS_MAX]; /* ops */
} model;

/* Plays a program: moves[i] for change i = 1…n. */
void model_play(model *m, const setting *s, type t, const unsigned char *moves);
/* What a replica shows that has exactly these changes. */
void model_read(const model *m, mask have, char out[READING_MAX]);

#endif
