#include "tests/sim/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/check.h"
#include "tests/sim/merging.h"
#include "tests/sim/net.h"
#include "tests/sim/saving.h"
#include "tests/sim/schema_sim.h"

static const qm_slice none = {NULL, 0};

/* --- how a save ends --- */

static int is_storage(int rc) {
  return rc == QM_EIO || rc == QM_ECORRUPT || rc == QM_EINTERNAL;
}

static void ended(saving *g, int rc) {
  world *w = g->w;
  node *n = g->n;
  save *s = g->s;
  if (rc == QM_OK && !disk_dead(n->disk)) {
    s->status = STATUS_SAVED;
    book_recent(w->people, s);
    w->saves++;
    net_news(w, n, &w->spaces[s->space]);
    if (!n->liar) book_read_back(n, g->space, s);
    if (device_may(w, n->index, s->space) == 0) s->status = STATUS_MAYBE;
    return;
  }
  w->people->refused_saves++;
  note(w, "device %u: save %u not made: %s", n->index, s->id, qm_err_name(rc));
  s->status = STATUS_NOT;
  if (disk_dead(n->disk) || is_storage(rc)) {
    uint32_t *pending = &w->people->pending[n->index]; /* known once the store is open again */
    if (!*pending) *pending = s->id;
    n->sick = prng_chance(&w->random, 1, 2); /* or tried again first, as people do */
  }
  if (!disk_dead(n->disk) && (rc == QM_ECORRUPT || rc == QM_EINTERNAL))
    check_storage_error(n, "save", rc);
}

static void commit(saving *g, int rc) {
  if (rc != QM_OK) {
    qm_write_cancel(g->q);
  } else {
    int relaxed = g->w->store_flags && prng_chance(&g->w->random, 1, 3);
    g->s->relaxed_at = relaxed;
    rc = qm_write_commit(g->q, relaxed ? QM_RELAXED : QM_DURABLE);
  }
  ended(g, rc);
}

/* --- saves --- */

static void hint(page *r, const node *n, const view *v) {
  if (v->n_steps) r->known |= (uint16_t)(1u << n->index);
  r->contested = (uint8_t)view_contested(v);
}

static void do_save(node *n, const step *x, int kind, uint32_t record, form *f, int review) {
  world *w = n->w;
  people *p = w->people;
  page *r = &p->records[record];
  view now;
  saving g = {.w = w, .n = n, .x = x, .form = f, .now = &now, .id = r->id};
  g.space = node_space(n, r->space);
  g.collection = r->collection;
  int rc = view_class(n, g.space, &g.id, &now);
  if (rc == QM_OK) hint(r, n, &now);
  if (rc == QM_OK && (!now.n_steps || (kind == SAVE_RESTORE ? now.visible && !now.collides
                                                            : !now.visible)))
    return;
  if (rc == QM_OK && !f && review) {
    if (!view_contested(&now)) return;
    rc = view_token(n, g.space, &g.id, QM_READ_REVIEW, &g.token);
  }
  if (rc != QM_OK) {
    if (is_storage(rc)) n->sick = 1;
    return;
  }
  g.s = book_save(w, n, r->space, kind, record);
  g.s->review = (uint8_t)review;
  book_seen(w, g.s, &now, f);
  if (r->merged) book_more(w, g.s, &now);
  if (f) g.token = qm_slice_of(f->token, f->token_n);
  r->gone = kind == SAVE_DELETE;
  r->contested &= (uint8_t)!review;
  rc = qm_write_begin(&g.q, n->engine, g.space, 0);
  if (rc == QM_OK)
    commit(&g, saving_write(&g));
  else
    ended(&g, rc);
}

/* --- new records --- */

static void check_opened(const saving *g, const view *now, int existing, const char *key) {
  int stands = strcmp(now->shown[V_KEY], key) == 0;
  for (unsigned i = 0; i < now->n_others[V_KEY]; i++)
    stands |= strcmp(now->others[V_KEY][i], key) == 0;
  if (existing && !now->n_steps && !now->foreign)
    violation(g->w, "device %u: new opened a record without a history", g->n->index);
  if (existing && (!now->visible || !stands))
    violation(g->w, "device %u: new opened a record that does not show the key %s", g->n->index,
              key);
  if (!existing && now->n_steps + now->foreign)
    violation(g->w, "device %u: a new record begins with an old one's history", g->n->index);
}

static int create(saving *g, view *now) {
  int existing = 0;
  world *w = g->w;
  char key[VALUE_MAX] = "";
  if (g->x->arg[A_KEY]) saving_key(g, key);
  int rc = qm_write_new(g->q, g->collection, NULL, *key ? qm_slice_of(key, strlen(key)) : none,
                        &g->id, &existing);
  if (rc != QM_OK) return rc;
  rc = view_class(g->n, g->space, &g->id, now);
  if (rc != QM_OK) return rc;
  uint32_t record = book_record(w, g->s->space, &g->id, (uint32_t)g->x->arg[A_RECORD]);
  w->people->records[record].collection = g->collection;
  w->people->records[record].known |= (uint16_t)(1u << g->n->index);
  if (!w->people->records[record].merged) check_opened(g, now, existing, key);
  g->s->kind = existing ? SAVE_EDIT : SAVE_NEW;
  book_enter(w, g->s, record);
  book_seen(w, g->s, now, NULL);
  if (w->people->records[record].merged) book_more(w, g->s, now);
  return saving_write(g);
}

static void do_new(node *n, const step *x) {
  world *w = n->w;
  view now;
  unsigned space = (unsigned)x->arg[A_SPACE];
  saving g = {.w = w, .n = n, .x = x, .space = node_space(n, space), .now = &now};
  g.collection = x->arg[A_COLLECTION] == 2 ? 2 : 1;
  if (!qm_schema_collection(qm_space_schema(g.space), g.collection)) return; /* not here yet */
  int rc = qm_write_begin(&g.q, n->engine, g.space, 0);
  if (rc != QM_OK) {
    if (is_storage(rc)) n->sick = 1;
    return;
  }
  g.s = book_save(w, n, space, SAVE_NEW, BOOK_NO_RECORD);
  memset(&now, 0, sizeof now);
  commit(&g, create(&g, &now));
}

/* --- merges --- */

static void do_merging(node *n, const step *x, uint32_t a) {
  world *w = n->w;
  people *p = w->people;
  int kind = x->kind == S_MERGE ? SAVE_MERGE : SAVE_UNMERGE;
  uint32_t b = kind == SAVE_MERGE ? book_labelled(p, (uint32_t)x->arg[A_WITH]) : a;
  view now, other;
  saving g = {.w = w, .n = n, .x = x, .now = &now};
  if (b == BOOK_NO_RECORD || p->records[b].space != p->records[a].space) return;
  g.space = node_space(n, p->records[a].space);
  g.id = p->records[a].id;
  int rc = view_class(n, g.space, &g.id, &now);
  if (rc == QM_OK) rc = view_class(n, g.space, &p->records[b].id, &other);
  if (is_storage(rc)) n->sick = 1;
  if (rc != QM_OK || !now.visible || !now.n_steps || !other.visible || !other.n_steps) return;
  if (kind == SAVE_MERGE ? a == b || now.collection != other.collection : now.members == 1) return;
  g.s = book_save(w, n, p->records[a].space, kind, a);
  book_seen(w, g.s, &now, NULL);
  merging_note(n, g.space, g.s, b);
  book_more(w, g.s, &now);
  book_more(w, g.s, &other);
  rc = qm_write_begin(&g.q, n->engine, g.space, 0);
  if (rc != QM_OK) {
    ended(&g, rc);
    return;
  }
  /* The step stands in what was one class before, or is one from here on. */
  if (kind == SAVE_MERGE) rc = merging_write(n, g.q, g.s);
  if (rc == QM_OK) rc = saving_write(&g);
  if (rc == QM_OK && kind == SAVE_UNMERGE) rc = merging_write(n, g.q, g.s);
  if (rc == QM_OK) w->fired[kind == SAVE_MERGE ? F_MERGE : F_UNMERGE]++;
  commit(&g, rc);
}

/* --- forms --- */

static void do_open(node *n, uint32_t record, form *f, int review) {
  world *w = n->w;
  page *r = &w->people->records[record];
  view v;
  qm_slice token;
  qm_space *s = node_space(n, r->space);
  int rc = view_class(n, s, &r->id, &v);
  if (rc == QM_OK) hint(r, n, &v);
  if (rc == QM_OK && (!v.visible || !v.n_steps || (review && !view_contested(&v)))) return;
  if (rc == QM_OK)
    rc = view_token(n, s, &r->id, review ? QM_READ_REVIEW : QM_READ_VALUES, &token);
  if (is_storage(rc)) n->sick = 1;
  if (rc != QM_OK) return;
  book_form(w, f, record, &v, token);
  f->review = review;
}

void people_forget_forms(node *n) {
  if (n->index == HUB || !n->w->people) return;
  for (int i = 0; i < FORMS; i++) book_form_free(&n->w->people->forms[n->index][i]);
}

/* --- what they do --- */

static int may_write_now(node *n, unsigned space) {
  const qm_space *s = node_space(n, space);
  qm_space_info info;
  if (!s || !n->w->member[n->index][space]) return 0;
  qm_space_info_get(s, &info);
  return info.writable;
}

static void save_form(node *n, const step *x, form *f, int kind) {
  if (!f->open) return;
  if (may_write_now(n, n->w->people->records[f->record].space))
    do_save(n, x, kind, (uint32_t)f->record, f, f->review);
  book_form_free(f);
}

static void do_with_record(node *n, const step *x, uint32_t record, form *f) {
  switch (x->kind) {
    case S_OPEN: do_open(n, record, f, 0); break;
    case S_REVIEW: do_open(n, record, f, 1); break;
    case S_SETTLE: do_save(n, x, SAVE_EDIT, record, NULL, 1); break;
    case S_DELETE: do_save(n, x, SAVE_DELETE, record, NULL, 0); break;
    case S_MERGE:
    case S_UNMERGE: do_merging(n, x, record); break;
    case S_RESTORE: do_save(n, x, SAVE_RESTORE, record, NULL, 0); break;
    default: do_save(n, x, SAVE_EDIT, record, NULL, 0); break;
  }
}

void people_do(world *w, node *n, const step *x) {
  people *p = w->people;
  if (!n->up || n->index == HUB) return;
  form *f = &p->forms[n->index][x->arg[A_FORM]];
  uint32_t record = book_labelled(p, (uint32_t)x->arg[A_RECORD]);
  qm_arena_reset(&w->arena);
  if (x->kind == S_SAVE || x->kind == S_DELETE_FORM)
    save_form(n, x, f, x->kind == S_SAVE ? SAVE_EDIT : SAVE_DELETE);
  else if (x->kind == S_NEW && may_write_now(n, (unsigned)x->arg[A_SPACE]))
    do_new(n, x);
  else if (x->kind != S_NEW && record != BOOK_NO_RECORD &&
           may_write_now(n, p->records[record].space))
    do_with_record(n, x, record, f);
  qm_arena_reset(&w->arena);
  node_after(n);
}

/* --- what they choose to do: by the book's hints alone --- */

void people_met(world *w, const node *a, const node *b) {
  people *p = w->people;
  uint16_t both = (uint16_t)(1u << a->index | 1u << b->index);
  for (uint32_t r = 0; r < p->n_records; r++)
    if (p->records[r].known & both) p->records[r].known |= both;
}

enum { WANT_THERE, WANT_GONE, WANT_CONTESTED };

static int fits(const page *r, const node *n, unsigned space, int want) {
  if (r->space != space || !(r->known >> n->index & 1)) return 0;
  return want == WANT_CONTESTED ? r->contested : r->gone == (want == WANT_GONE);
}

/* Puts a record's number into the step; the later ones more often. 0: none found. */
static int pick(world *w, const node *n, sim_prng *random, unsigned space, int want, step *out) {
  const people *p = w->people;
  for (int i = 0; i < 30 && p->n_records; i++) {
    uint32_t back = prng_below(random, prng_chance(random, 1, 2) ? 40 : p->n_records);
    if (back >= p->n_records) continue;
    const page *r = &p->records[p->n_records - 1 - back];
    if (!fits(r, n, space, want)) continue;
    out->arg[A_RECORD] = r->label;
    return 1;
  }
  return 0;
}

static int draw_key(people *p, sim_prng *random) {
  uint32_t back = prng_below(random, prng_chance(random, 1, 3) ? 24 : 8);
  return (int)(back < 3 ? ++p->keys : p->keys > back ? p->keys - back : 1);
}

/* Of a text or a list: who has a form open edits it more often; some take something out. */
static int64_t draw_row(sim_prng *random, int typing, int put, int cut, int64_t parts) {
  if (typing && prng_chance(random, 1, 3)) parts |= INT64_C(1) << put;
  if ((parts >> put & 1) && prng_chance(random, 1, 3)) {
    parts |= INT64_C(1) << cut;
    if (prng_chance(random, 1, 2)) parts &= ~(INT64_C(1) << put);
  }
  return parts;
}

static int64_t draw_parts(people *p, sim_prng *random, int typing, step *out) {
  static const struct {
    uint8_t part, num, den;
  } odds[] = {{PART_EARLY, 1, 2}, {PART_TEL, 2, 5},   {PART_HEAD, 2, 5},  {PART_STATE, 2, 5},
              {PART_REF, 1, 4},   {PART_PLACE, 1, 4}, {PART_MORE, 1, 4},  {PART_LAST, 1, 8},
              {PART_FIRST, 1, 8}, {PART_TAG, 1, 4},   {PART_TAG_AGAIN, 1, 4},
              {PART_TAG_OUT, 1, 5}, {PART_COUNT_UP, 1, 4}, {PART_TYPE, 1, 4}, {PART_KEY, 1, 10},
              {PART_PLAN, 1, 4}};
  int64_t parts = 0;
  for (size_t i = 0; i < sizeof odds / sizeof odds[0]; i++)
    if (prng_chance(random, odds[i].num, odds[i].den)) parts |= INT64_C(1) << odds[i].part;
  parts = draw_row(random, typing, PART_TYPE, PART_CUT_TEXT, parts);
  parts = draw_row(random, typing, PART_PLAN, PART_CUT_PLAN, parts);
  if (parts >> PART_KEY & 1) out->arg[A_KEY] = draw_key(p, random);
  return parts;
}

static void draw_new(world *w, sim_prng *random, unsigned space, step *out) {
  people *p = w->people;
  out->kind = S_NEW;
  out->arg[A_SPACE] = space;
  out->arg[A_RECORD] = ++p->last_label;
  out->arg[A_PARTS] &= ~(INT64_C(1) << PART_KEY);
  out->arg[A_KEY] = prng_chance(random, 3, 4) ? draw_key(p, random) : 0;
  if (w->schema_at[space] >= 3 && prng_chance(random, 1, 3)) out->arg[A_COLLECTION] = 2;
}

/* Of a hundred: what people do with a record, and which they want for it. */
static const struct {
  uint8_t below, kind, want;
} deeds[] = {{16, S_RESTORE, WANT_GONE},    {17, S_RESTORE, WANT_CONTESTED},
             {21, S_DELETE, WANT_THERE},    {25, S_SETTLE, WANT_CONTESTED},
             {30, S_REVIEW, WANT_CONTESTED}, {44, S_OPEN, WANT_THERE},
             {100, S_EDIT, WANT_THERE}};

static int draw_deed(world *w, node *n, sim_prng *random, unsigned space, step *out) {
  people *p = w->people;
  uint32_t roll = prng_below(random, 100), i = 0;
  uint32_t which = prng_below(random, FORMS);
  const form *f = &p->forms[n->index][which];
  out->arg[A_PARTS] = draw_parts(p, random, f->open, out);
  if (f->open && roll < 40) {
    out->kind = prng_chance(random, 1, 15) ? S_DELETE_FORM : S_SAVE;
    out->arg[A_FORM] = which;
    return 1;
  }
  if (merging_draw(w, n, random, space, out)) {
    out->arg[A_PARTS] = out->arg[A_KEY] = 0;
    return 1;
  }
  if (roll < 12 || !p->n_records) {
    draw_new(w, random, space, out);
    return 1;
  }
  while (roll >= deeds[i].below) i++;
  out->kind = deeds[i].kind;
  if ((out->kind == S_OPEN || out->kind == S_REVIEW) && f->open) out->kind = S_EDIT;
  out->arg[A_FORM] = out->kind == S_OPEN || out->kind == S_REVIEW ? which : 0;
  if (out->kind == S_OPEN || out->kind == S_REVIEW) out->arg[A_PARTS] = out->arg[A_KEY] = 0;
  int there = pick(w, n, random, space, deeds[i].want, out);
  if (there || deeds[i].want == WANT_GONE) return there;
  if (deeds[i].want == WANT_CONTESTED) {
    out->kind = S_EDIT;
    return pick(w, n, random, space, WANT_THERE, out);
  }
  draw_new(w, random, space, out);
  return 1;
}

int people_draw(world *w, node *n, sim_prng *random, step *out) {
  unsigned space = prng_below(random, SPACES);
  for (unsigned i = 0; i < SPACES && !may_write_now(n, space); i++) space = (space + 1) % SPACES;
  return may_write_now(n, space) && draw_deed(w, n, random, space, out);
}
