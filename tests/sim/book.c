#include "tests/sim/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *book_need(void *p) {
  if (!p) abort();
  return p;
}

void people_open(world *w) { w->people = book_need(calloc(1, sizeof *w->people)); }

void people_close(world *w) {
  people *p = w->people;
  for (uint32_t i = 1; i <= p->n; i++) {
    free(p->saves[i]->seen);
    free(p->saves[i]->form_seen);
    free(p->saves[i]->more);
    free(p->saves[i]->heard);
    free(p->saves[i]->mates);
    for (int q = 0; q < SEQUENCES; q++) free(p->saves[i]->edits[q].cut);
    free(p->saves[i]);
  }
  for (uint32_t i = 0; i < p->n_records; i++) free(p->records[i].saves);
  for (int d = 0; d < DEVICES; d++)
    for (int i = 0; i < FORMS; i++) book_form_free(&p->forms[d][i]);
  free(p->saves);
  free(p->records);
  free(p->labels);
  free(p);
  w->people = NULL;
}

save *book_save(world *w, const node *n, unsigned space, int kind, uint32_t record) {
  people *p = w->people;
  if (p->n + 2 > p->cap) {
    p->cap = p->cap ? p->cap * 2 : 256;
    p->saves = book_need(realloc(p->saves, p->cap * sizeof *p->saves));
  }
  save *s = book_need(calloc(1, sizeof *s));
  s->id = ++p->n;
  p->saves[s->id] = s;
  s->device = (uint8_t)n->index;
  s->space = (uint8_t)space;
  s->kind = (uint8_t)kind;
  s->status = STATUS_NOT;
  s->true_ms = w->now;
  s->ahead_ms = (int64_t)(qm_engine_now(n->engine) - w->now);
  s->liar = (uint8_t)n->liar;
  s->record = BOOK_NO_RECORD;
  if (record != BOOK_NO_RECORD) book_enter(w, s, record);
  trace_u64(&w->trace, (uint64_t)s->id << 8 | s->device);
  return s;
}

void book_enter(world *w, save *s, uint32_t record_number) {
  page *r = &w->people->records[record_number];
  if (r->n == r->cap) {
    r->cap = r->cap ? r->cap * 2 : 8;
    r->saves = book_need(realloc(r->saves, r->cap * sizeof *r->saves));
  }
  s->record = record_number;
  s->rank = r->n;
  r->saves[r->n++] = s;
}

static void put_label(people *p, uint32_t label, uint32_t record) {
  if (label >= p->n_labels) {
    p->labels = book_need(realloc(p->labels, (label + 1) * sizeof *p->labels));
    memset(p->labels + p->n_labels, 0, (label + 1 - p->n_labels) * sizeof *p->labels);
    p->n_labels = label + 1;
  }
  p->labels[label] = record + 1;
}

uint32_t book_labelled(const people *p, uint32_t label) {
  return label < p->n_labels ? p->labels[label] - 1 : BOOK_NO_RECORD;
}

uint32_t book_record(world *w, unsigned space, const qm_id *id, uint32_t label) {
  people *p = w->people;
  for (uint32_t i = p->n_records; i-- > 0;)
    if (p->records[i].space == space && qm_id_cmp(&p->records[i].id, id) == 0) {
      put_label(p, label, i);
      return i;
    }
  if (p->n_records == p->cap_records) {
    p->cap_records = p->cap_records ? p->cap_records * 2 : 64;
    p->records = book_need(realloc(p->records, p->cap_records * sizeof *p->records));
  }
  page *r = &p->records[p->n_records];
  memset(r, 0, sizeof *r);
  r->space = space;
  r->id = *id;
  r->label = label;
  put_label(p, label, p->n_records);
  return p->n_records++;
}

/* The bits of the saves whose steps a view shows. */
static uint64_t *bits_of(world *w, uint32_t record_number, const view *v, uint32_t *n_words) {
  const page *r = &w->people->records[record_number];
  *n_words = r->n / 64 + 1;
  uint64_t *bits = book_need(calloc(*n_words, sizeof *bits));
  for (uint32_t i = 0; i < v->n_steps; i++) {
    uint32_t id = v->steps[i];
    if (r->merged && id && id <= w->people->n && w->people->saves[id]->record != record_number)
      continue; /* of another of its class */
    if (id == 0 || id > w->people->n || w->people->saves[id]->record != record_number) {
      violation(w, "record %u shows a step of save %u, which was made elsewhere", record_number,
                id);
      continue;
    }
    uint32_t rank = w->people->saves[id]->rank;
    bits[rank / 64] |= UINT64_C(1) << (rank % 64);
  }
  return bits;
}

void book_seen(world *w, save *s, const view *now, const form *f) {
  s->seen = bits_of(w, s->record, now, &s->n_words);
  s->form_seen = book_need(calloc(s->n_words, sizeof *s->form_seen));
  if (f)
    memcpy(s->form_seen, f->seen, (f->n_words < s->n_words ? f->n_words : s->n_words) * 8);
  else
    memcpy(s->form_seen, s->seen, s->n_words * 8);
}

void book_more(world *w, save *s, const view *v) {
  s->more = book_need(realloc(s->more, (s->n_more + v->n_steps + 1) * sizeof *s->more));
  for (uint32_t i = 0; i < v->n_steps; i++) {
    uint32_t id = v->steps[i];
    if (id && id <= w->people->n && w->people->saves[id]->record != s->record)
      s->more[s->n_more++] = id;
  }
}

void book_form(world *w, form *f, uint32_t record_number, const view *v, qm_slice token) {
  book_form_free(f);
  f->open = 1;
  f->record = (int)record_number;
  f->seen = bits_of(w, record_number, v, &f->n_words);
  memcpy(f->shown, v->shown, sizeof f->shown);
  memcpy(f->others, v->others, sizeof f->others);
  memcpy(f->n_others, v->n_others, sizeof f->n_others);
  memcpy(f->tags, v->tags, sizeof f->tags);
  f->n_tags = v->n_tags;
  for (int q = 0; q < SEQUENCES; q++) {
    f->rows[q] = book_need(malloc(strlen(v->rows[q]) + 1));
    memcpy(f->rows[q], v->rows[q], strlen(v->rows[q]) + 1);
  }
  f->token = book_need(malloc(token.n + 1));
  memcpy(f->token, token.p, token.n);
  f->token_n = token.n;
}

void book_form_free(form *f) {
  free(f->seen);
  for (int q = 0; q < SEQUENCES; q++) free(f->rows[q]);
  free(f->token);
  memset(f, 0, sizeof *f);
}

void book_recent(people *p, const save *s) {
  unsigned d = s->device;
  if (p->n_recent[d] == RECENT) {
    memmove(p->recent[d], p->recent[d] + 1, (RECENT - 1) * sizeof p->recent[d][0]);
    p->n_recent[d]--;
  }
  p->recent[d][p->n_recent[d]++] = s->id;
}

/* --- tokens: "<12庄>" --- */

void book_token_text(uint32_t id, char out[BOOK_TOKEN_SIZE]) {
  (void)snprintf(out, BOOK_TOKEN_SIZE, "<%u\xe5\xba\x84>", id);
}

int book_tokens(const char *text, book_token *out, int max) {
  int n = 0;
  uint64_t at = 0;
  while (*text) {
    unsigned id;
    int used = 0;
    if (n == max || sscanf(text, "<%u\xe5\xba\x84>%n", &id, &used) != 1 || !used) return -1;
    out[n].id = id;
    out[n].at = at;
    out[n].len = (uint64_t)used - 2; /* the character takes three bytes */
    at += out[n++].len;
    text += used;
  }
  return n;
}

/* --- read your writes --- */

void book_read_back(node *n, qm_space *space, const save *s) {
  world *w = n->w;
  view v;
  int own = 0;
  if (s->kind == SAVE_UNMERGE) return; /* its step may stand on another than this one */
  if (view_class(n, space, &w->people->records[s->record].id, &v) != QM_OK) return;
  for (uint32_t i = 0; i < v.n_steps; i++) own |= v.steps[i] == s->id;
  if (!own) violation(w, "device %u: save %u is not there once saved", n->index, s->id);
  if (v.visible != (s->kind != SAVE_DELETE))
    violation(w, "device %u: after save %u (kind %d) the record is %s", n->index, s->id, s->kind,
              v.visible ? "visible" : "gone");
  for (int i = 0; i < SIBLING_FIELDS; i++)
    if (s->value[i][0] && strcmp(s->value[i], v.shown[i]) != 0)
      violation(w, "device %u: saved %s, is shown %s", n->index, s->value[i], v.shown[i]);
  if (s->has_last && (!v.has_last || v.last < s->last))
    violation(w, "device %u: raised to %lld, is shown %lld", n->index, (long long)s->last,
              (long long)v.last);
  if (s->has_first && (!v.has_first || v.first > s->first))
    violation(w, "device %u: lowered to %lld, is shown %lld", n->index, (long long)s->first,
              (long long)v.first);
  if (v.n_steps && v.steps[v.n_steps - 1] != s->id)
    violation(w, "device %u: save %u does not stand last in the steps", n->index, s->id);
}
