#include "tests/sim/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/check.h"
#include "tests/sim/liar.h"
#include "tests/sim/schema_sim.h"

#define TRIES 8

static const qm_slice none = {NULL, 0};

/* --- encoding what a person types --- */

static qm_slice packed(world *w, const char *text) {
  qm_buf b;
  qm_buf_init(&b, w->arena.env, 256);
  qm_mp_str(&b, text, strlen(text));
  qm_slice out = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return out;
}

static qm_slice packed_int(world *w, int64_t v) {
  qm_buf b;
  qm_buf_init(&b, w->arena.env, 16);
  qm_mp_int(&b, v);
  qm_slice out = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return out;
}

static qm_slice packed_ref(world *w, const char *hex) {
  uint8_t id[16] = {1};
  qm_buf b;
  if (qm_unhex(id, 16, hex, 32) != QM_OK) abort();
  qm_buf_init(&b, w->arena.env, 32);
  qm_mp_bin(&b, id, 16);
  qm_slice out = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return out;
}

/* --- one save --- */

typedef struct saving {
  world *w;
  node *n;
  qm_space *space;
  qm_write *q;
  save *s;
  const view *now;  /* as its writer's device has it when it is saved */
  const form *form; /* what was on the screen; NULL: the same */
  qm_slice token;
  qm_id id;
} saving;

static int chance(saving *g, uint32_t num, uint32_t den) {
  return prng_chance(&g->w->random, num, den);
}

static const char *form_shown(const saving *g, int field) {
  return g->form ? g->form->shown[field] : g->now->shown[field];
}

/* A failed verb is a part of the form that was not saved; some failures end it all. */
static int goes_on(int rc) {
  return rc == QM_OK || rc == QM_ESCHEMA || rc == QM_ESTALE || rc == QM_ERANGE;
}

static int set_field(saving *g, int i) {
  char value[VALUE_MAX];
  world *w = g->w;
  qm_slice v;
  if (sibling_fields[i] == F_STATE) {
    (void)snprintf(value, sizeof value, "%s", state_names[prng_below(&w->random, STATES)]);
    v = packed(w, value);
  } else if (sibling_fields[i] == F_REF) {
    const people *p = w->people;
    qm_hex(value, p->records[prng_below(&w->random, p->n_records)].id.b, 16);
    v = packed_ref(w, value);
  } else {
    (void)snprintf(value, sizeof value, "%sv%u", w->canary[g->s->space], g->s->id);
    v = packed(w, value);
  }
  uint32_t before = qm_write_count(g->q);
  int rc = qm_write_set(g->q, &g->id, sibling_fields[i], v, g->token, 0);
  if (rc != QM_OK) return rc;
  int wrote = qm_write_count(g->q) != before;
  if (wrote != (strcmp(value, g->now->shown[i]) != 0))
    violation(w, "device %u: setting a field wrote %d although %s was shown", g->n->index, wrote,
              g->now->shown[i]);
  if (!wrote) return QM_OK;
  memcpy(g->s->value[i], value, sizeof value);
  (void)snprintf(g->s->form_shown[i], VALUE_MAX, "%s", form_shown(g, i));
  return QM_OK;
}

static int raise_fields(saving *g) {
  world *w = g->w;
  int64_t v = (int64_t)prng_below(&w->random, 100000);
  if (chance(g, 1, 2)) {
    int rc = qm_write_raise(g->q, &g->id, F_LAST, packed_int(w, v), g->token);
    if (rc != QM_OK) return rc;
    g->s->has_last = 1;
    g->s->last = v;
    return QM_OK;
  }
  int rc = qm_write_raise(g->q, &g->id, F_FIRST, packed_int(w, v), g->token);
  if (rc != QM_OK) return rc;
  g->s->has_first = 1;
  g->s->first = v;
  return QM_OK;
}

static int shows_tag(const view *v, const char *tag) {
  for (unsigned i = 0; i < v->n_tags; i++)
    if (strcmp(v->tags[i], tag) == 0) return 1;
  return 0;
}

static int add_tag(saving *g) {
  char tag[VALUE_MAX];
  world *w = g->w;
  unsigned again = chance(g, 1, 4) ? QM_WRITE_AGAIN : 0;
  (void)snprintf(tag, sizeof tag, "%st%u", w->canary[g->s->space], prng_below(&w->random, 6));
  uint32_t before = qm_write_count(g->q);
  int rc = qm_write_add(g->q, &g->id, F_TAGS, packed(w, tag), again);
  if (rc != QM_OK) return rc;
  int wrote = qm_write_count(g->q) != before;
  if (wrote != (again || !shows_tag(g->now, tag)))
    violation(w, "device %u: adding %s wrote %d", g->n->index, tag, wrote);
  if (wrote) memcpy(g->s->add, tag, sizeof tag);
  return QM_OK;
}

static int remove_tag(saving *g) {
  unsigned n = g->form ? g->form->n_tags : g->now->n_tags;
  if (!n) return QM_OK;
  unsigned k = prng_below(&g->w->random, n);
  const char *tag = g->form ? g->form->tags[k] : g->now->tags[k];
  if (strcmp(tag, g->s->add) == 0) return QM_OK;
  int rc = qm_write_remove(g->q, &g->id, F_TAGS, packed(g->w, tag), g->token);
  if (rc == QM_OK) (void)snprintf(g->s->remove, VALUE_MAX, "%s", tag);
  return rc;
}

static int edit_text(saving *g) {
  const char *text = g->form ? g->form->text : g->now->text;
  world *w = g->w;
  save *s = g->s;
  book_token tokens[512];
  char fresh[32];
  int n = book_tokens(text, tokens, 512);
  if (n < 0) {
    violation(w, "device %u: the text of record %u is torn: %s", g->n->index, s->record, text);
    return QM_OK;
  }
  unsigned at = prng_below(&w->random, (uint32_t)n + 1), cut = 0;
  if (n && chance(g, 1, 3)) cut = prng_below(&w->random, (uint32_t)n - at + 1);
  if (cut > 4) cut = 4;
  int inserts = !cut || chance(g, 1, 2);
  uint64_t from = at < (unsigned)n ? tokens[at].at : n ? tokens[n - 1].at + tokens[n - 1].len : 0;
  uint64_t len = 0;
  for (unsigned i = 0; i < cut; i++) len += tokens[at + i].len;
  (void)snprintf(fresh, sizeof fresh, "<%u\xe5\xba\x84>", s->id);
  int rc = qm_write_splice(g->q, &g->id, F_NOTES, from, len,
                           qm_slice_of(fresh, inserts ? strlen(fresh) : 0), g->token);
  if (rc != QM_OK) {
    if (rc == QM_ESTALE) w->people->stale++;
    return rc;
  }
  s->inserts = inserts;
  s->before = at ? tokens[at - 1].id : 0;
  s->after = at + cut < (unsigned)n ? tokens[at + cut].id : 0;
  s->cut = book_need(calloc(cut ? cut : 1, sizeof *s->cut));
  for (unsigned i = 0; i < cut; i++) s->cut[s->n_cut++] = tokens[at + i].id;
  return QM_OK;
}

static int increase(saving *g) {
  int64_t by = (int64_t)prng_below(&g->w->random, 20) - 5;
  int rc = qm_write_inc(g->q, &g->id, F_VISITS, by);
  if (rc == QM_OK) g->s->delta = by;
  return rc;
}

static int step_of(saving *g) {
  char text[VALUE_MAX];
  (void)snprintf(text, sizeof text, "%ss%u", g->w->canary[g->s->space], g->s->id);
  return qm_write_append(g->q, &g->id, F_STEPS, packed(g->w, text));
}

static int edit_fields(saving *g) {
  int rc = QM_OK;
  for (int i = 0; i < SIBLING_FIELDS && goes_on(rc); i++)
    if (chance(g, 2, 5)) rc = set_field(g, i);
  if (goes_on(rc) && chance(g, 1, 4)) rc = raise_fields(g);
  if (goes_on(rc) && chance(g, 1, 4)) rc = add_tag(g);
  if (goes_on(rc) && chance(g, 1, 5)) rc = remove_tag(g);
  if (goes_on(rc) && chance(g, 1, 4)) rc = increase(g);
  if (goes_on(rc) && chance(g, g->form ? 2 : 1, 4)) rc = edit_text(g);
  return goes_on(rc) ? QM_OK : rc;
}

static int write_fields(saving *g) {
  int rc = QM_OK;
  if (g->s->kind == SAVE_RESTORE) rc = qm_write_restore(g->q, &g->id);
  int first = chance(g, 1, 2);
  if (rc == QM_OK && (first || g->s->kind != SAVE_EDIT)) rc = step_of(g);
  if (rc == QM_OK && g->s->kind == SAVE_DELETE) return qm_write_delete(g->q, &g->id, g->token);
  if (rc == QM_OK) rc = edit_fields(g);
  if (rc == QM_OK && !first && g->s->kind == SAVE_EDIT) rc = step_of(g);
  return rc;
}

/* --- how it ended --- */

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
    n->sick = chance(g, 1, 2); /* or tried again first, as people do */
  }
  if (!disk_dead(n->disk) && (rc == QM_ECORRUPT || rc == QM_EINTERNAL))
    check_storage_error(n, "save", rc);
}

static void commit(saving *g, int rc) {
  if (rc != QM_OK) {
    qm_write_cancel(g->q);
  } else {
    int relaxed = g->w->store_flags && chance(g, 1, 3);
    g->s->relaxed_at = relaxed;
    rc = qm_write_commit(g->q, relaxed ? QM_RELAXED : QM_DURABLE);
  }
  ended(g, rc);
}

static void do_save(node *n, unsigned space, int kind, uint32_t record, form *f) {
  world *w = n->w;
  people *p = w->people;
  view now;
  saving g = {.w = w, .n = n, .space = node_space(n, space), .form = f, .now = &now};
  g.id = p->records[record].id;
  int rc = view_read(n, g.space, &g.id, &now);
  if (rc == QM_OK && !now.visible && kind != SAVE_RESTORE) return;
  if (rc == QM_OK) {
    g.s = book_save(w, n, space, kind, record);
    book_seen(w, g.s, &now, f);
    if (f) g.token = qm_slice_of(f->token, f->token_n);
    rc = qm_write_begin(&g.q, n->engine, g.space, 0);
    if (rc == QM_OK)
      commit(&g, write_fields(&g));
    else
      ended(&g, rc);
  } else if (is_storage(rc)) {
    n->sick = 1;
  }
}

/* --- new records --- */

static int create(saving *g, view *now, const char *key) {
  int existing = 0;
  world *w = g->w;
  int rc = qm_write_new(g->q, 1, NULL, *key ? qm_slice_of(key, strlen(key)) : none, &g->id,
                        &existing);
  if (rc != QM_OK) return rc;
  rc = view_read(g->n, g->space, &g->id, now);
  if (rc != QM_OK) return rc;
  uint32_t record = book_record(w, g->s->space, &g->id, key);
  if (existing && !now->n_steps)
    violation(w, "device %u: new opened a record without a history", g->n->index);
  if (!existing && now->n_steps)
    violation(w, "device %u: a new record begins with an old one's history", g->n->index);
  g->s->kind = existing ? SAVE_EDIT : SAVE_NEW;
  book_enter(w, g->s, record);
  book_seen(w, g->s, now, NULL);
  if (*key && !existing) rc = qm_write_set(g->q, &g->id, F_KEY, packed(w, key), none, 0);
  return rc == QM_OK ? write_fields(g) : rc;
}

static void do_new(node *n, unsigned space) {
  world *w = n->w;
  people *p = w->people;
  view now;
  char key[VALUE_MAX] = "";
  saving g = {.w = w, .n = n, .space = node_space(n, space), .now = &now};
  if (prng_chance(&w->random, 3, 4)) {
    uint32_t back = prng_below(&w->random, 8);
    uint32_t number = back < 4 ? ++p->keys : p->keys > back ? p->keys - back : 1;
    (void)snprintf(key, sizeof key, "%sk%u", w->canary[space], number);
  }
  int rc = qm_write_begin(&g.q, n->engine, g.space, 0);
  if (rc != QM_OK) {
    if (is_storage(rc)) n->sick = 1;
    return;
  }
  g.s = book_save(w, n, space, SAVE_NEW, BOOK_NO_RECORD);
  memset(&now, 0, sizeof now);
  commit(&g, create(&g, &now, key));
}

/* --- forms --- */

static void do_open(node *n, unsigned space, uint32_t record, form *f) {
  world *w = n->w;
  view v;
  qm_slice token;
  qm_space *s = node_space(n, space);
  int rc = view_read(n, s, &w->people->records[record].id, &v);
  if (rc == QM_OK && v.visible) rc = view_token(n, s, &w->people->records[record].id, &token);
  if (is_storage(rc)) n->sick = 1;
  if (rc == QM_OK && v.visible) book_form(w, f, record, &v, token);
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

/* A record that is known here; the later ones more often. -1: none found. */
static int pick(node *n, unsigned space, int visible) {
  world *w = n->w;
  people *p = w->people;
  for (int i = 0; i < TRIES && p->n_records; i++) {
    uint32_t back = prng_below(&w->random, prng_chance(&w->random, 1, 2) ? 40 : p->n_records);
    if (back >= p->n_records) continue;
    uint32_t r = p->n_records - 1 - back;
    view v;
    if (p->records[r].space != space) continue;
    int rc = view_read(n, node_space(n, space), &p->records[r].id, &v);
    if (is_storage(rc)) n->sick = 1;
    if (rc == QM_OK && v.found && v.n_steps && v.visible == visible) return (int)r;
  }
  return -1;
}

static void save_form(node *n, unsigned space, form *f) {
  int kind = prng_chance(&n->w->random, 1, 15) ? SAVE_DELETE : SAVE_EDIT;
  if (n->w->people->records[f->record].space == space)
    do_save(n, space, kind, (uint32_t)f->record, f);
  book_form_free(f);
}

static void act(node *n, unsigned space) {
  world *w = n->w;
  uint32_t roll = prng_below(&w->random, 100);
  form *f = &w->people->forms[n->index][prng_below(&w->random, FORMS)];
  if (f->open && roll < 40) {
    save_form(n, space, f);
    return;
  }
  if (roll < 12 || !w->people->n_records) {
    do_new(n, space);
    return;
  }
  int r = pick(n, space, roll >= 16);
  if (r < 0) {
    if (roll >= 60) do_new(n, space);
    return;
  }
  if (roll < 16)
    do_save(n, space, SAVE_RESTORE, (uint32_t)r, NULL);
  else if (roll < 20)
    do_save(n, space, SAVE_DELETE, (uint32_t)r, NULL);
  else if (roll < 40 && !f->open)
    do_open(n, space, (uint32_t)r, f);
  else
    do_save(n, space, SAVE_EDIT, (uint32_t)r, NULL);
}

void people_act(world *w, node *n) {
  if (!n->up) (void)node_open(n);
  if (!n->up) return;
  if (n->liar && fires(w, F_LIAR_RAW, 1, 30)) liar_write(n);
  unsigned space = prng_below(&w->random, SPACES);
  for (unsigned i = 0; i < SPACES && !may_write_now(n, space); i++) space = (space + 1) % SPACES;
  qm_arena_reset(&w->arena);
  if (may_write_now(n, space)) act(n, space);
  qm_arena_reset(&w->arena);
  node_after(n);
}
