/* people: what grid members do at their devices, and the book in which every save is
 * written down as it was meant: the values, what the form had shown, and which saves its
 * writer's device had heard of. The intent oracle (check_intent.c) reads nothing else. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "tests/sim/view.h"

enum { SAVE_EDIT, SAVE_NEW, SAVE_DELETE, SAVE_RESTORE };
/* SAVED: the person was told so. MAYBE: no replica is bound to have it (power cut while
 * saving, or its device was restored before anybody else heard of it). NOT: it failed. */
enum { STATUS_SAVED, STATUS_MAYBE, STATUS_NOT };

typedef struct save {
  uint32_t id, record;
  uint8_t device, space, kind, status, liar;
  uint32_t rank; /* among the saves of its record */
  uint64_t *seen, *form_seen; /* bits by rank */
  uint32_t n_words;
  char value[SIBLING_FIELDS][VALUE_MAX], form_shown[SIBLING_FIELDS][VALUE_MAX];
  int has_last, has_first;
  int64_t last, first, delta;
  char add[VALUE_MAX], remove[VALUE_MAX];
  uint32_t before, after; /* text: inserted between these tokens (0: the ends) */
  int inserts;
  uint32_t *cut; /* tokens taken out */
  uint32_t n_cut;
  int64_t relaxed_at; /* 0, or the device's count of barriers when it was saved relaxed */
} save;

typedef struct page {
  uint32_t space;
  qm_id id;
  char key[VALUE_MAX]; /* "": none */
  save **saves;
  uint32_t n, cap;
} page; /* of one record */

typedef struct form {
  int open, record;
  uint64_t *seen;
  uint32_t n_words;
  char shown[SIBLING_FIELDS][VALUE_MAX];
  char tags[TAGS_MAX][VALUE_MAX];
  unsigned n_tags;
  char *text;
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
  form forms[DEVICES][FORMS];
  uint32_t recent[DEVICES][RECENT]; /* ids of saves that a power cut must not lose */
  unsigned n_recent[DEVICES];
  uint32_t pending[DEVICES]; /* the save under way, or one whose end is not known */
  uint32_t keys;
  uint64_t refused_saves, stale, collisions, conflicts;
} people;

void people_open(world *w);
void people_close(world *w);
/* One thing that the member of this device does now: open a form, save one, delete… */
void people_act(world *w, node *n);
void people_forget_forms(node *n);
/* Before and after a node goes back in time: what nobody holds any more becomes MAYBE. */
void people_before_restore(node *n);
void people_after_restore(node *n);
static inline int has_bit(const uint64_t *words, uint32_t n_words, uint32_t bit) {
  return bit / 64 < n_words && (words[bit / 64] >> (bit % 64) & 1);
}

#endif
