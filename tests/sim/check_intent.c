/* check_intent: the intent oracle. From the book alone (people.h) it says what every record
 * must show: which values stand side by side, which tags, sums, texts, lists, and whether it is
 * there at all. It shares nothing with core/, not even the words: a save *saw* what its
 * device had, and *answers* what its form had shown. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/schema_sim.h"

/* The keys that visible records show. */
typedef struct known_key {
  const page *record;
  char key[VALUE_MAX];
  int of_class; /* of a page that was merged: its class may show it, or another key */
} known_key;

typedef struct known_keys {
  known_key *p;
  uint32_t n;
} known_keys;

typedef struct oracle {
  world *w;
  const page *r;
  uint32_t number; /* in the script */
  const view *v;
  uint8_t *present; /* by rank */
} oracle;

static const save *at(const oracle *o, uint32_t rank) { return o->r->saves[rank]; }
static int saw(const save *j, const save *i) { return has_bit(j->seen, j->n_words, i->rank); }
static int form_saw(const save *j, const save *i) {
  return has_bit(j->form_seen, j->n_words, i->rank);
}

/* --- what was lost, what is there --- */

static int steps_hold(const view *v, uint32_t id) {
  for (uint32_t i = 0; i < v->n_steps; i++)
    if (v->steps[i] == id) return 1;
  return 0;
}

static void find_present(oracle *o) {
  if (o->v->foreign && !forks_in(o->w, o->r->space))
    violation(o->w, "record %u has %u steps that nobody wrote", o->number, o->v->foreign);
  for (uint32_t i = 0; i < o->r->n; i++) {
    const save *s = at(o, i);
    int here = steps_hold(o->v, s->id);
    o->present[i] = (uint8_t)here;
    if (s->liar || forks_in(o->w, o->r->space)) continue;
    if (s->status == STATUS_SAVED && !here)
      violation(o->w, "save %u of device %u (record %u, space %u) is lost", s->id, s->device,
                o->number, s->space);
    if (s->status == STATUS_NOT && here)
      violation(o->w, "save %u of device %u failed and is there", s->id, s->device);
  }
  for (uint32_t i = 1; i < o->v->n_steps; i++)
    for (uint32_t k = 0; k < i; k++)
      if (o->v->steps[i] == o->v->steps[k])
        violation(o->w, "save %u is there twice", o->v->steps[i]);
}

/* Who saw something stands behind it, and it is there. */
static void check_order(const oracle *o) {
  for (uint32_t k = 0; k < o->v->n_steps; k++) {
    const save *j = o->w->people->saves[o->v->steps[k]];
    for (uint32_t i = 0; i < o->r->n; i++) {
      if (!saw(j, at(o, i))) continue;
      uint32_t place = 0;
      while (place < o->v->n_steps && o->v->steps[place] != at(o, i)->id) place++;
      if (place == o->v->n_steps)
        violation(o->w, "save %u is there without save %u, which it had seen", j->id,
                  at(o, i)->id);
      else if (place > k)
        violation(o->w, "step %u stands before step %u, which its writer had read", j->id,
                  at(o, i)->id);
    }
  }
}

/* --- values --- */

/* A save from a form answers the value that it had shown; one from the review list, all that
 * was listed; neither what came later. */
static int answered(const oracle *o, const save *i, int field) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *j = at(o, k);
    if (!o->present[k] || !j->value[field][0] || !form_saw(j, i)) continue;
    if (j->review || strcmp(j->form_shown[field], i->value[field]) == 0) return 1;
  }
  return 0;
}

/* Another save of the field that stands had this one before it. */
static int seen_by_other(const oracle *o, const save *i, int field) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *j = at(o, k);
    if (o->present[k] && j->value[field][0] && saw(j, i) && !answered(o, j, field)) return 1;
  }
  return 0;
}

static int shows(const view *v, int field, const char *value) {
  if (strcmp(v->shown[field], value) == 0) return 1;
  for (unsigned i = 0; i < v->n_others[field]; i++)
    if (strcmp(v->others[field][i], value) == 0) return 1;
  return 0;
}

/* Somebody wrote that value and nobody answered it. */
static int stands(const oracle *o, int field, const char *value) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *i = at(o, k);
    if (o->present[k] && strcmp(i->value[field], value) == 0 && !answered(o, i, field)) return 1;
  }
  return 0;
}

static void check_value(const oracle *o, int field) {
  unsigned good = 0, number = sibling_fields[field];
  int shown_ok = !o->v->shown[field][0];
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *i = at(o, k);
    if (!o->present[k] || !i->value[field][0] || answered(o, i, field)) continue;
    good++;
    if (!shows(o->v, field, i->value[field]) && o->v->n_others[field] < OTHERS_MAX)
      violation(o->w, "record %u field %u: %s (save %u, device %u) is neither shown nor listed",
                o->number, number, i->value[field], i->id, i->device);
    if (strcmp(i->value[field], o->v->shown[field]) == 0 && !seen_by_other(o, i, field))
      shown_ok = 1;
  }
  if (!shown_ok && sibling_fields[field] != F_STATE)
    violation(o->w, "record %u field %u shows %s over values whose writers had seen it",
              o->number, number, o->v->shown[field]);
  for (unsigned x = 0; x < o->v->n_others[field]; x++)
    if (!stands(o, field, o->v->others[field][x]))
      violation(o->w, "record %u field %u lists %s, which was answered", o->number, number,
                o->v->others[field][x]);
  if (!good && o->v->shown[field][0])
    violation(o->w, "record %u field %u shows %s, which nobody wrote", o->number, number,
              o->v->shown[field]);
  if (good != o->v->n_siblings[field])
    violation(o->w, "record %u field %u holds %u values, people left %u", o->number, number,
              o->v->n_siblings[field], good);
  o->w->people->conflicts += o->v->n_others[field];
}

static void check_numbers(const oracle *o) {
  int64_t last = -1, first = INT64_MAX, sum = 0;
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *s = at(o, k);
    if (!o->present[k]) continue;
    sum += s->delta;
    if (s->has_last && s->last > last) last = s->last;
    if (s->has_first && s->first < first) first = s->first;
  }
  if (sum != o->v->visits)
    violation(o->w, "record %u: the counter shows %lld, people counted %lld", o->number,
              (long long)o->v->visits, (long long)sum);
  if (o->v->has_last != (last >= 0) || (last >= 0 && o->v->last != last))
    violation(o->w, "record %u: last shows %lld, people raised it to %lld", o->number,
              (long long)o->v->last, (long long)last);
  if (o->v->has_first != (first < INT64_MAX) || (first < INT64_MAX && o->v->first != first))
    violation(o->w, "record %u: first shows %lld, people lowered it to %lld", o->number,
              (long long)o->v->first, (long long)first);
}

/* --- tags --- */

static int tag_stands(const oracle *o, const save *a) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *r = at(o, k);
    if (o->present[k] && strcmp(r->remove, a->add) == 0 && form_saw(r, a)) return 0;
  }
  return 1;
}

static void check_tags(const oracle *o) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const save *a = at(o, k);
    if (!o->present[k] || !a->add[0] || !tag_stands(o, a)) continue;
    int here = 0;
    for (unsigned t = 0; t < o->v->n_tags; t++) here |= strcmp(o->v->tags[t], a->add) == 0;
    if (!here)
      violation(o->w, "record %u: tag %s of save %u is gone, nobody who saw it removed it",
                o->number, a->add, a->id);
  }
  for (unsigned t = 0; t < o->v->n_tags; t++) {
    int stands = 0;
    for (uint32_t k = 0; k < o->r->n; k++)
      stands |= o->present[k] && strcmp(at(o, k)->add, o->v->tags[t]) == 0 &&
                tag_stands(o, at(o, k));
    if (!stands)
      violation(o->w, "record %u: tag %s was removed and is there", o->number, o->v->tags[t]);
  }
}

/* --- texts and lists --- */

static const char *const row_names[SEQUENCES] = {"text", "list"};

static int is_cut(const oracle *o, int q, uint32_t id) {
  for (uint32_t k = 0; k < o->r->n; k++) {
    const edit *e = &at(o, k)->edits[q];
    for (uint32_t c = 0; o->present[k] && c < e->n_cut; c++)
      if (e->cut[c] == id) return 1;
  }
  return 0;
}

static int place_of(const book_token *t, int n, uint32_t id) {
  for (int i = 0; i < n; i++)
    if (t[i].id == id) return i;
  return -1;
}

/* What one save put in stands where it was put, in its order. Returns how much must stand. */
static int check_edit(const oracle *o, int q, const save *s, const book_token *t, int n) {
  const edit *e = &s->edits[q];
  int expected = 0, last = e->before ? place_of(t, n, e->before) : -1;
  int after = e->after ? place_of(t, n, e->after) : n;
  for (uint32_t i = 0; i < e->n; i++) {
    if (is_cut(o, q, e->first + i)) continue;
    int here = place_of(t, n, e->first + i);
    expected++;
    if (here < 0) {
      violation(o->w, "record %u: what save %u put into the %s is gone", o->number, s->id,
                row_names[q]);
      continue;
    }
    if (last > here || (after >= 0 && after < here))
      violation(o->w, "record %u: what save %u put into the %s stands elsewhere: %s", o->number,
                s->id, row_names[q], o->v->rows[q]);
    last = here;
  }
  return expected;
}

static void check_row(const oracle *o, int q) {
  book_token t[BOOK_TOKENS_MAX];
  int n = book_tokens(o->v->rows[q], t, BOOK_TOKENS_MAX), expected = 0;
  if (n < 0) {
    violation(o->w, "record %u: the %s is torn: %s", o->number, row_names[q], o->v->rows[q]);
    return;
  }
  for (uint32_t k = 0; k < o->r->n; k++)
    if (o->present[k]) expected += check_edit(o, q, at(o, k), t, n);
  if (expected != n)
    violation(o->w, "record %u: the %s has %d pieces, people left %d: %s", o->number,
              row_names[q], n, expected, o->v->rows[q]);
}

/* --- there or not --- */

/* What save j makes of the mark of i, which it had seen: 1 answers it, 0 lets it stand. */
static int answers_mark(const oracle *o, const save *j, const save *i) {
  if (j->kind == SAVE_RESTORE) return 1;
  if (j->kind != SAVE_DELETE) return i->kind != SAVE_DELETE || (j->review && form_saw(j, i));
  if (i->kind == SAVE_DELETE) return 1;
  if (!form_saw(j, i)) return 0;
  if (j->review) return 1; /* the list shows what was passed over, too */
  for (uint32_t k = 0; k < j->rank; k++) { /* passed over before the form was opened */
    const save *d = at(o, k);
    if (o->present[k] && d->kind == SAVE_DELETE && form_saw(j, d) && saw(d, i) &&
        !answers_mark(o, d, i))
      return 0;
  }
  return 1;
}

static void check_presence(oracle *o) {
  unsigned edited = 0, deleted = 0;
  int visible = 0, any = 0;
  for (uint32_t k = 0; k < o->r->n; k++) {
    if (!o->present[k]) continue;
    const save *i = at(o, k);
    int open = 1, covered = 0;
    any = 1;
    for (uint32_t x = 0; x < o->r->n; x++) {
      const save *j = at(o, x);
      if (!o->present[x] || !saw(j, i)) continue;
      covered = 1;
      if (answers_mark(o, j, i)) open = 0;
    }
    if (!open) continue;
    if (i->kind == SAVE_DELETE)
      deleted++;
    else
      edited++;
    if (i->kind != SAVE_DELETE && !covered) visible = 1;
  }
  if (any && o->v->visible != visible)
    violation(o->w, "record %u is %s, people meant it to be %s", o->number,
              o->v->visible ? "there" : "gone", visible ? "there" : "gone");
  if (any && o->v->collides != (edited && deleted))
    violation(o->w, "record %u: the collision of a delete is %s", o->number,
              o->v->collides ? "listed without one" : "not listed");
  o->w->people->collisions += (uint64_t)o->v->collides;
}

/* Made twice under one key with another name, or another record that is there shows it. */
static int same_key(const oracle *o, const known_keys *keys) {
  unsigned made = 0;
  for (uint32_t k = 0; k < o->r->n; k++) made += o->present[k] && at(o, k)->kind == SAVE_NEW;
  if (made > 1 && o->v->n_others[V_HEAD]) return 1;
  if (!o->v->shown[V_KEY][0]) return 0;
  for (uint32_t i = 0; i < keys->n; i++) {
    const known_key *x = &keys->p[i];
    if (x->record != o->r && x->record->space == o->r->space &&
        x->record->collection == o->r->collection && strcmp(x->key, o->v->shown[V_KEY]) == 0)
      return 1;
  }
  return 0;
}

static int may_be_of_class(const oracle *o, const known_keys *keys) {
  for (uint32_t i = 0; i < keys->n; i++)
    if (keys->p[i].of_class && strcmp(keys->p[i].key, o->v->shown[V_KEY]) == 0) return 1;
  return 0;
}

static void check_same_key(const oracle *o, const known_keys *keys) {
  int expected = same_key(o, keys);
  unsigned made = 0;
  for (uint32_t k = 0; k < o->r->n; k++) made += o->present[k] && at(o, k)->kind == SAVE_NEW;
  if (made != o->v->n_creations)
    violation(o->w, "record %u has %u creations, people made it %u times", o->number,
              o->v->n_creations, made);
  if (!o->v->visible || may_be_of_class(o, keys)) return;
  if (o->v->same_key != expected)
    violation(o->w, "record %u, key %s: a conflict of class same-key is %s", o->number,
              o->v->shown[V_KEY], expected ? "not listed" : "listed without one");
  o->w->people->same_keys += (uint64_t)expected;
}

static int read_at_hub(world *w, const page *r, view *v) {
  node *hub = &w->nodes[HUB];
  qm_arena_reset(&w->arena);
  if (view_read(hub, node_space(hub, r->space), &r->id, v) == QM_OK) return 1;
  violation(w, "record %u cannot be read at the hub", r->label);
  return 0;
}

static void check_record(world *w, const page *r, const known_keys *keys) {
  view v;
  oracle o = {.w = w, .r = r, .number = r->label, .v = &v};
  if (!read_at_hub(w, r, &v)) return;
  o.present = book_need(calloc(r->n + 1, 1));
  find_present(&o);
  if (forks_in(w, r->space)) { /* what its writers had seen depends on the word they were given */
    free(o.present);
    return;
  }
  check_order(&o);
  for (int f = 0; f < SIBLING_FIELDS; f++) check_value(&o, f);
  check_numbers(&o);
  check_tags(&o);
  for (int q = 0; q < SEQUENCES; q++) check_row(&o, q);
  check_presence(&o);
  check_same_key(&o, keys);
  free(o.present);
}

static void add_key(known_keys *keys, const page *r, const char *key) {
  if (!*key) return;
  keys->p = book_need(realloc(keys->p, (keys->n + 1) * sizeof *keys->p));
  keys->p[keys->n].record = r;
  keys->p[keys->n].of_class = r->merged;
  memcpy(keys->p[keys->n++].key, key, VALUE_MAX);
}

void check_intent(world *w) {
  const people *p = w->people;
  known_keys keys = {NULL, 0};
  for (uint32_t i = 0; i < p->n_records; i++) {
    const page *r = &p->records[i];
    view v;
    if (!read_at_hub(w, r, &v)) continue;
    if (v.visible || r->merged) add_key(&keys, r, v.shown[V_KEY]);
    for (unsigned x = 0; r->merged && x < v.n_others[V_KEY]; x++)
      add_key(&keys, r, v.others[V_KEY][x]);
  }
  for (uint32_t r = 0; r < p->n_records; r++)
    if (!p->records[r].merged) check_record(w, &p->records[r], &keys);
  free(keys.p);
  check_classes(w);
  qm_arena_reset(&w->arena);
}
