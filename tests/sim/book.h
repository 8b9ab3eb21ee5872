/* book: keeps the book of people.h. */
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

#include "tests/sim/people.h"

#define BOOK_NO_RECORD UINT32_MAX

typedef struct book_token {
  uint32_t id;
  uint64_t at, len; /* code points */
} book_token;

void *book_need(void *p);
/* A new entry; record BOOK_NO_RECORD: to be entered later. */
save *book_save(world *w, const node *n, unsigned space, int kind, uint32_t record);
void book_enter(world *w, save *s, uint32_t record);
/* The record of that id, entered where it is new; the script calls it `label`. */
uint32_t book_record(world *w, unsigned space, const qm_id *id, uint32_t label);
/* BOOK_NO_RECORD where the script's `new` did not come about. */
uint32_t book_labelled(const people *p, uint32_t label);
/* What its writer's device had, and what the form (NULL: the same) had shown. */
void book_seen(world *w, save *s, const view *now, const form *f);
void book_form(world *w, form *f, uint32_t record, const view *v, qm_slice token);
void book_form_free(form *f);
void book_recent(people *p, const save *s);
/* What of other records than its own a class shows. */
void book_more(world *w, save *s, const view *class_view);
/* 1 where a node shows the step of a save; -1: cannot be read now; -2: taken back with a fork,
 * to come again. */
int book_holds(node *n, const save *s);
/* Who has saved sees it. */
void book_read_back(node *n, qm_space *space, const save *s);
/* A save puts at most so many tokens into a row; their numbers begin at this many times its. */
#define BOOK_EDIT_MAX 4
#define BOOK_TOKENS_MAX 2048
#define BOOK_TOKEN_SIZE 32
void book_token_text(uint32_t id, char out[BOOK_TOKEN_SIZE]);
/* The tokens of a row; -1 where it is not a row of whole ones. */
int book_tokens(const char *text, book_token *out, int max);

#endif
