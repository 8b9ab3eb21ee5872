/* people: what grid members do at their devices, and the book in which every save is
 * written down as it was meant: the values, what the form had shown, and which saves its
 * writer's device had heard of. The intent oracle (check_intent.c) reads nothing else. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "tests/sim/script.h"
#include "tests/sim/view.h"

enum { SAVE_EDIT, SAVE_NEW, SAVE_DELETE, SAVE_RESTORE, SAVE_MERGE, SAVE_UNMERGE };
/* SAVED: the person was told so. MAYBE: no replica is bound to have it (power cut while
 * saving, or its device was restored before anybody else heard of it). NOT: it failed. */
enum { STATUS_SAVED, STATUS_MAYBE, STATUS_NOT };

/* Of a text or a list: n tokens, numbered from `first` on, put in between two others (0: the
 * ends), and tokens taken out. */
typedef struct edit {
  uint32_t first, n, before, after;
  uint32_t *cut;
  uint32_t n_cut;
} edit;

typedef struct save {
  uint32_t id, record;
  uint8_t device, space, kind, status, liar;
  uint8_t review;                /* made from the review list: answers all that it listed */
  uint32_t rank;                 /* among the saves of its record */
  uint64_t *seen, *form_seen;    /* bits by rank */
  uint32_t n_words;
  char value[SIBLING_FIELDS][VALUE_MAX], form_shown[SIBLING_FIELDS][VALUE_MAX];
  int has_last, has_first;
  int64_t last, first, delta;
  char add[VALUE_MAX], remove[VALUE_MAX];
  edit edits[SEQUENCES];
  uint32_t *more; /* saves of other records of the class that its writer's device had */
  uint32_t n_more;
  uint32_t with;   /* SAVE_MERGE: the other record */
  uint8_t links;   /* SAVE_MERGE: they were not in one class before */
  uint32_t *mates; /* SAVE_UNMERGE: the others that stood in its class */
  uint32_t n_mates;
  uint64_t *heard; /* SAVE_MERGE, SAVE_UNMERGE: bits by id: which of these its device had */
  uint64_t true_ms;   /* when it was written, by no clock of theirs */
  int64_t ahead_ms;   /* of that, its writer's clock */
  int64_t relaxed_at; /* 0, or the device's count of barriers when it was saved relaxed */
} save;

typedef struct page {
  uint32_t space, collection;
  uint32_t label; /* its number in the script */
  qm_id id;
  save **saves;
  uint32_t n, cap;
  /* Hints by which people choose what to do; no checker looks at them. */
  uint16_t known; /* bits of devices */
  uint8_t gone, contested;
  uint8_t merged;  /* was merged with another once, or that was tried */
  uint32_t joined; /* merging.h: 0, or another page + 1 */
} page; /* of one record */

typedef struct form {
  int open, record, review;
  uint64_t *seen;
  uint32_t n_words;
  char shown[SIBLING_FIELDS][VALUE_MAX];
  char others[SIBLING_FIELDS][OTHERS_MAX][VALUE_MAX];
  unsigned n_others[SIBLING_FIELDS];
  char tags[TAGS_MAX][VALUE_MAX];
  unsigned n_tags;
  char *rows[SEQUENCES];
  uint8_t *token;
  size_t token_n;
} form;

#define FORMS 2
#define RECENT 24

typedef struct people {
  save **saves; /* by id, from 1 */
  uint32_t n, cap;
  page *records;
  uint32_t n_records, cap_records;
  uint32_t *labels; /* of the script: record + 1; 0: none of that number */
  uint32_t n_labels;
  form forms[DEVICES][FORMS];
  uint32_t recent[DEVICES][RECENT]; /* ids of saves that a power cut must not lose */
  unsigned n_recent[DEVICES];
  uint32_t pending[DEVICES]; /* the save under way, or one whose end is not known */
  uint32_t keys, last_label; /* drawn */
  uint64_t refused_saves, stale, collisions, conflicts, settled, same_keys;
  uint64_t stamped, in_classes, partitions; /* that the checkers have looked at */
} people;

void people_open(world *w);
void people_close(world *w);
/* Draws one thing that the member of this device does now; 0: nothing. */
int people_draw(world *w, node *n, sim_prng *random, step *out);
/* Opens a form, saves one, deletes, settles… as the step says. */
void people_do(world *w, node *n, const step *x);
void people_forget_forms(node *n);
/* They told each other what they had: a hint. */
void people_met(world *w, const node *a, const node *b);
/* Before and after a node goes back in time: what nobody holds any more becomes MAYBE. */
void people_before_restore(node *n);
void people_after_restore(node *n);
static inline int has_bit(const uint64_t *words, uint32_t n_words, uint32_t bit) {
  return bit / 64 < n_words && (words[bit / 64] >> (bit % 64) & 1);
}

#endif
