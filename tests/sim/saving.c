#include "tests/sim/saving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/schema_sim.h"

static int chance(saving *g, uint32_t num, uint32_t den) {
  return prng_chance(&g->w->random, num, den);
}

static int has(const saving *g, int part) { return (int)(g->x->arg[A_PARTS] >> part & 1); }

static const char *form_shown(const saving *g, int field) {
  return g->form ? g->form->shown[field] : g->now->shown[field];
}

/* A failed verb is a part of the form that was not saved; some failures end it all. */
static int goes_on(int rc) {
  return rc == QM_OK || rc == QM_ESCHEMA || rc == QM_ESTALE || rc == QM_ERANGE;
}

/* --- values --- */

void saving_key(const saving *g, char out[VALUE_MAX]) {
  (void)snprintf(out, VALUE_MAX, "%sk%u", g->w->canary[g->s->space], (unsigned)g->x->arg[A_KEY]);
}

/* One of each kind of value that a register may hold. */
static void any_value(saving *g, char out[VALUE_MAX]) {
  static const uint8_t datum = 1;
  uint32_t roll = prng_below(&g->w->random, 8), id = g->s->id;
  uint8_t point[13] = {(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
  qm_buf b;
  qm_buf_init(&b, g->w->arena.env, 256);
  point[12] = datum;
  switch (roll) {
    case 0: qm_mp_nil(&b); break;
    case 1: qm_mp_bool(&b, (int)(id & 1)); break;
    case 2: qm_mp_int(&b, -(int64_t)id); break;
    case 3: qm_mp_f64(&b, id + 0.5); break;
    case 4: qm_mp_bin(&b, point, 5); break;
    case 5: qm_mp_ext(&b, QM_EXT_POINT, point, sizeof point); break;
    case 6:
      qm_mp_map(&b, 1);
      qm_mp_str(&b, "id", 2);
      qm_mp_uint(&b, id);
      break;
    default: qm_mp_str(&b, g->w->canary[g->s->space], CANARY_SIZE); break;
  }
  value_text(qm_buf_slice(&b), out);
  qm_buf_free(&b);
}

static void ref_value(saving *g, char out[VALUE_MAX]) {
  const people *p = g->w->people;
  qm_buf b;
  qm_buf_init(&b, g->w->arena.env, 64);
  qm_mp_bin(&b, p->n_records ? p->records[prng_below(&g->w->random, p->n_records)].id.b : g->id.b,
            16);
  value_text(qm_buf_slice(&b), out);
  qm_buf_free(&b);
}

static void fresh_value(saving *g, int i, char out[VALUE_MAX]) {
  switch (sibling_fields[i]) {
    case F_STATE:
      (void)snprintf(out, VALUE_MAX, "%s", state_names[prng_below(&g->w->random, STATES)]);
      break;
    case F_KEY: saving_key(g, out); break;
    case F_REF: ref_value(g, out); break;
    case F_PLACE: any_value(g, out); break;
    default: (void)snprintf(out, VALUE_MAX, "%sv%u", g->w->canary[g->s->space], g->s->id);
  }
}

static int known_field(const saving *g, int i) {
  const qm_collection_def *c = qm_schema_collection(qm_space_schema(g->space), g->collection);
  return c && qm_collection_field(c, sibling_fields[i]);
}

/* A reference to a record that was ever merged with another: where the other one is shown, it
 * says the same already (S3.21). */
static int may_stand(const saving *g, int i, const char *value) {
  const people *p = g->w->people;
  if (sibling_fields[i] != F_REF) return 0;
  for (uint32_t r = 0; r < p->n_records; r++) {
    char text[VALUE_MAX];
    qm_buf b;
    if (!p->records[r].merged) continue;
    qm_buf_init(&b, g->w->arena.env, 64);
    qm_mp_bin(&b, p->records[r].id.b, sizeof p->records[r].id.b);
    value_text(qm_buf_slice(&b), text);
    qm_buf_free(&b);
    if (strcmp(text, value) == 0) return 1;
  }
  return 0;
}

static int set_value(saving *g, int i, const char *value, unsigned flags) {
  uint32_t before = qm_write_count(g->q);
  int rc = qm_write_set(g->q, &g->id, sibling_fields[i], value_pack(g->w, value), g->token, flags);
  if (rc != QM_OK) return rc;
  int wrote = qm_write_count(g->q) != before;
  int news = flags || strcmp(value, g->now->shown[i]) != 0;
  if (wrote != news && (wrote || !may_stand(g, i, value)))
    violation(g->w, "device %u: setting a field (%u) wrote %d although %s was shown",
              g->n->index, flags, wrote, g->now->shown[i]);
  if (!wrote) return QM_OK;
  (void)snprintf(g->s->value[i], VALUE_MAX, "%s", value);
  (void)snprintf(g->s->form_shown[i], VALUE_MAX, "%s", form_shown(g, i));
  return QM_OK;
}

static int set_field(saving *g, int i) {
  char value[VALUE_MAX];
  if (!known_field(g, i)) return QM_OK; /* not on this form yet */
  if (i == V_TEL && chance(g, 1, 6)) {  /* thinks better of it, in the same change */
    (void)snprintf(value, sizeof value, "%sx%u", g->w->canary[g->s->space], g->s->id);
    int rc = qm_write_set(g->q, &g->id, F_TEL, value_pack(g->w, value), g->token, 0);
    if (rc != QM_OK) return rc;
  }
  fresh_value(g, i, value);
  return set_value(g, i, value, 0);
}

/* Whoever looks at the review list takes what is shown, one of the others, or writes a third. */
static int settle_field(saving *g, int i, int always) {
  char value[VALUE_MAX];
  const char *chosen = form_shown(g, i);
  unsigned n = g->form ? g->form->n_others[i] : g->now->n_others[i];
  uint32_t roll = prng_below(&g->w->random, 3);
  if ((!n && !always) || !known_field(g, i)) return QM_OK;
  if (roll == 1 && n) {
    uint32_t k = prng_below(&g->w->random, n);
    chosen = g->form ? g->form->others[i][k] : g->now->others[i][k];
  } else if ((roll == 2 || !*chosen) && sibling_fields[i] != F_KEY) {
    fresh_value(g, i, value);
    chosen = value;
  }
  int rc = set_value(g, i, chosen, QM_WRITE_SETTLE);
  if (rc == QM_OK) g->w->people->settled++;
  return rc;
}

static qm_slice packed_int(world *w, int64_t v) {
  qm_buf b;
  qm_buf_init(&b, w->arena.env, 16);
  qm_mp_int(&b, v);
  qm_slice out = {qm_arena_copy(&w->arena, b.p, b.n), b.n};
  qm_buf_free(&b);
  return out;
}

static int raise_last(saving *g) {
  int64_t v = (int64_t)prng_below(&g->w->random, 100000);
  int rc = qm_write_raise(g->q, &g->id, F_LAST, packed_int(g->w, v), g->token);
  if (rc != QM_OK) return rc;
  g->s->has_last = 1;
  g->s->last = v;
  return QM_OK;
}

static int lower_first(saving *g) {
  int64_t v = (int64_t)prng_below(&g->w->random, 100000);
  int rc = qm_write_raise(g->q, &g->id, F_FIRST, packed_int(g->w, v), g->token);
  if (rc != QM_OK) return rc;
  g->s->has_first = 1;
  g->s->first = v;
  return QM_OK;
}

/* --- tags --- */

static int shows_tag(const view *v, const char *tag) {
  for (unsigned i = 0; i < v->n_tags; i++)
    if (strcmp(v->tags[i], tag) == 0) return 1;
  return 0;
}

static int add_tag(saving *g) {
  char tag[VALUE_MAX];
  world *w = g->w;
  unsigned again = has(g, PART_TAG_AGAIN) ? QM_WRITE_AGAIN : 0;
  (void)snprintf(tag, sizeof tag, "%st%u", w->canary[g->s->space], prng_below(&w->random, 6));
  uint32_t before = qm_write_count(g->q);
  int rc = qm_write_add(g->q, &g->id, F_TAGS, value_pack(w, tag), again);
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
  int rc = qm_write_remove(g->q, &g->id, F_TAGS, value_pack(g->w, tag), g->token);
  if (rc == QM_OK) (void)snprintf(g->s->remove, VALUE_MAX, "%s", tag);
  return rc;
}

/* --- texts and lists --- */

static const struct {
  int put, cut; /* parts of a form */
} sequence_parts[SEQUENCES] = {{PART_TYPE, PART_CUT_TEXT}, {PART_PLAN, PART_CUT_PLAN}};

static int splice_text(saving *g, const book_token *t, unsigned n, unsigned at, const edit *e) {
  char fresh[BOOK_TOKEN_SIZE];
  uint64_t from = at < n ? t[at].at : n ? t[n - 1].at + t[n - 1].len : 0, len = 0;
  for (unsigned i = 0; i < e->n_cut; i++) len += t[at + i].len;
  book_token_text(e->first, fresh);
  return qm_write_splice(g->q, &g->id, F_NOTES, from, len,
                         qm_slice_of(fresh, e->n ? strlen(fresh) : 0), g->token);
}

static int splice_list(saving *g, unsigned at, const edit *e) {
  qm_slice values[BOOK_EDIT_MAX];
  for (uint32_t i = 0; i < e->n; i++) {
    char fresh[BOOK_TOKEN_SIZE];
    book_token_text(e->first + i, fresh);
    values[i] = value_pack(g->w, fresh);
  }
  return qm_write_list(g->q, &g->id, F_PLAN, at, e->n_cut, values, e->n, g->token);
}

/* Takes up to four tokens out, or puts one in (into a list, a few), or both. */
static int edit_row(saving *g, int q) {
  const char *row = g->form ? g->form->rows[q] : g->now->rows[q];
  world *w = g->w;
  book_token tokens[BOOK_TOKENS_MAX];
  int found = book_tokens(row, tokens, BOOK_TOKENS_MAX);
  if (found < 0) {
    violation(w, "device %u: row %d of record %u is torn: %s", g->n->index, q, g->s->record, row);
    return QM_OK;
  }
  unsigned n = (unsigned)found, at = prng_below(&w->random, n + 1), cut = 0;
  if (n && has(g, sequence_parts[q].cut)) cut = prng_below(&w->random, n - at + 1);
  if (cut > 4) cut = 4;
  edit e = {.first = g->s->id * BOOK_EDIT_MAX, .n_cut = cut};
  if (!cut || has(g, sequence_parts[q].put))
    e.n = q == SEQ_LIST ? 1 + prng_below(&w->random, BOOK_EDIT_MAX) : 1;
  int rc = q == SEQ_LIST ? splice_list(g, at, &e) : splice_text(g, tokens, n, at, &e);
  if (rc == QM_ESTALE) w->people->stale++;
  if (rc != QM_OK) return rc;
  e.before = at ? tokens[at - 1].id : 0;
  e.after = at + cut < n ? tokens[at + cut].id : 0;
  e.cut = book_need(calloc(cut ? cut : 1, sizeof *e.cut));
  for (unsigned i = 0; i < cut; i++) e.cut[i] = tokens[at + i].id;
  g->s->edits[q] = e;
  return QM_OK;
}

static int increase(saving *g) {
  int64_t by = (int64_t)prng_below(&g->w->random, 20) - 5;
  int rc = qm_write_inc(g->q, &g->id, F_VISITS, by);
  if (rc == QM_OK) g->s->delta = by;
  return rc;
}

static int append_step(saving *g) {
  char text[VALUE_MAX];
  (void)snprintf(text, sizeof text, "%ss%u", g->w->canary[g->s->space], g->s->id);
  return qm_write_append(g->q, &g->id, F_STEPS, value_pack(g->w, text));
}

/* --- all of it --- */

/* The part of a form that fills in each of the sibling fields. */
static const int part_of[SIBLING_FIELDS] = {
#define X(name) PART_##name,
    SIBLINGS(X)
#undef X
};

int saving_names(saving *g) {
  char key[VALUE_MAX];
  int rc = QM_OK;
  saving_key(g, key);
  if (g->x->arg[A_KEY]) rc = set_value(g, V_KEY, key, 0);
  return rc == QM_OK && chance(g, 3, 4) && !has(g, PART_HEAD) ? set_field(g, V_HEAD) : rc;
}

static int edit_fields(saving *g) {
  static int (*const verbs[PART_COUNT])(saving *) = {
      [PART_LAST] = raise_last,   [PART_FIRST] = lower_first, [PART_TAG] = add_tag,
      [PART_TAG_OUT] = remove_tag, [PART_COUNT_UP] = increase};
  int rc = QM_OK;
  for (int i = 0; i < SIBLING_FIELDS && goes_on(rc); i++) {
    /* Where only a delete stands against edits, a field without a conflict takes the token. */
    if (g->s->review)
      rc = settle_field(g, i, i == V_TEL);
    else if (has(g, part_of[i]))
      rc = set_field(g, i);
  }
  for (int part = 0; part < PART_COUNT && goes_on(rc); part++)
    if (verbs[part] && has(g, part)) rc = verbs[part](g);
  for (int q = 0; q < SEQUENCES && goes_on(rc); q++)
    if (has(g, sequence_parts[q].put) || has(g, sequence_parts[q].cut)) rc = edit_row(g, q);
  return goes_on(rc) ? QM_OK : rc;
}

int saving_write(saving *g) {
  int rc = QM_OK;
  if (g->s->kind == SAVE_MERGE || g->s->kind == SAVE_UNMERGE) return append_step(g);
  if (g->s->kind == SAVE_RESTORE) rc = qm_write_restore(g->q, &g->id);
  int first = has(g, PART_EARLY);
  if (rc == QM_OK && (first || g->s->kind != SAVE_EDIT)) rc = append_step(g);
  if (rc == QM_OK && g->s->kind == SAVE_DELETE) return qm_write_delete(g->q, &g->id, g->token);
  if (rc == QM_OK && g->s->kind == SAVE_NEW) rc = saving_names(g);
  if (rc == QM_OK) rc = edit_fields(g);
  if (rc == QM_OK && !first && g->s->kind == SAVE_EDIT) rc = append_step(g);
  return rc;
}
