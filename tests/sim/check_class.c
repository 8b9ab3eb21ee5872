/* check_class: what people meant by merging records. Pages that were ever merged are looked at
 * together: every save is there once, on one of them; nothing is cleared by being merged,
 * so taking a record out brings its own back; who was merged and not taken out again since stands
 * in one class, whichever of its records is asked for; who was taken out last stands alone. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/book.h"
#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/merging.h"

typedef struct member {
  const page *r;
  uint32_t number; /* of the page */
  view v;          /* of the record alone */
  qm_record_class cls;
} member;

typedef struct group {
  world *w;
  node *hub;
  unsigned space;
  member *p;
  uint32_t n;
  uint32_t *place; /* by save: member + 1; 0: not there */
  int is_deleted;  /* somebody deleted one of them */
} group;

static const save *save_of(const group *g, uint32_t id) { return g->w->people->saves[id]; }
static int is_there(const group *g, const save *s) { return g->place[s->id] != 0; }

static int heard(const save *by, const save *of) {
  return of->id < by->id && (by->heard[of->id / 64] >> (of->id % 64) & 1);
}

static int saw(const save *j, const save *i) {
  if (j->record == i->record) return has_bit(j->seen, j->n_words, i->rank);
  for (uint32_t k = 0; k < j->n_more; k++)
    if (j->more[k] == i->id) return 1;
  return 0;
}

/* Calls see(g, s) for each save of the group. */
static void each_save(group *g, void (*see)(group *g, const save *s)) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].r->n; i++) see(g, g->p[k].r->saves[i]);
}

/* --- lost, failed, twice --- */

static void find_places(group *g) {
  const people *p = g->w->people;
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].v.n_steps; i++) {
      uint32_t id = g->p[k].v.steps[i];
      if (!id || id > p->n || p->saves[id]->record == BOOK_NO_RECORD ||
          merging_root(p, p->saves[id]->record) != merging_root(p, g->p[k].number))
        violation(g->w, "record %u shows a step of save %u, which was made elsewhere",
                  g->p[k].r->label, id);
      else if (g->place[id])
        violation(g->w, "save %u is there twice", id);
      else
        g->place[id] = k + 1;
    }
}

static void note_delete(group *g, const save *s) {
  g->is_deleted |= is_there(g, s) && s->kind == SAVE_DELETE;
}

static void check_there(group *g, const save *s) {
  if (s->liar || forks_in(g->w, g->space)) return;
  if (s->status == STATUS_SAVED && !is_there(g, s))
    violation(g->w, "save %u of device %u (record %u of a class) is lost", s->id, s->device,
              g->w->people->records[s->record].label);
  if (s->status == STATUS_NOT && is_there(g, s))
    violation(g->w, "save %u of device %u failed and is there", s->id, s->device);
}

static void check_seen(group *g, const save *j) {
  const page *r = &g->w->people->records[j->record];
  if (!is_there(g, j)) return;
  for (uint32_t i = 0; i < r->n; i++)
    if (has_bit(j->seen, j->n_words, i) && !is_there(g, r->saves[i]))
      violation(g->w, "save %u is there without save %u, which it had seen", j->id,
                r->saves[i]->id);
  for (uint32_t i = 0; i < j->n_more; i++)
    if (!g->place[j->more[i]])
      violation(g->w, "save %u is there without save %u, which its class had shown", j->id,
                j->more[i]);
}

/* --- nothing is cleared --- */

static int stands(const view *v, int field, const char *value) {
  if (v->n_others[field] == OTHERS_MAX || strcmp(v->shown[field], value) == 0) return 1;
  for (unsigned i = 0; i < v->n_others[field]; i++)
    if (strcmp(v->others[field][i], value) == 0) return 1;
  return 0;
}

/* Removing an element brings back the member that held it, as does an insert beside what a
 * deleted one holds, and a review settles a field on the member where the values stood: what else
 * that save wrote may stand on two records. */
static int is_apart(const group *g, const save *s) {
  const edit *text = &s->edits[SEQ_TEXT], *list = &s->edits[SEQ_LIST];
  return s->remove[0] || s->review || text->n_cut || list->n_cut ||
         (g->is_deleted && (text->n || list->n));
}

/* What a save wrote on another record than its step stands on, later forms of that one showed
 * without showing the step. */
static int showed(const group *g, const save *j, const save *i) {
  return saw(j, i) || (is_apart(g, i) && i->id < j->id && g->place[i->id] != g->place[j->id]);
}

static int answered(const group *g, const save *i, int field) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t x = 0; x < g->p[k].r->n; x++) {
      const save *j = g->p[k].r->saves[x];
      int one = g->place[j->id] == g->place[i->id] || is_apart(g, i) || is_apart(g, j);
      if (is_there(g, j) && j->value[field][0] && one && showed(g, j, i)) return 1;
    }
  return 0;
}

static void check_values(group *g, const save *s) {
  if (!is_there(g, s)) return;
  const member *m = &g->p[g->place[s->id] - 1];
  for (int f = 0; f < SIBLING_FIELDS; f++) {
    int here = !s->value[f][0] || stands(&m->v, f, s->value[f]);
    for (uint32_t k = 0; k < g->n && is_apart(g, s); k++)
      here |= stands(&g->p[k].v, f, s->value[f]);
    if (!here && !answered(g, s, f))
      violation(g->w, "record %u of a class: %s (save %u, device %u) is cleared", m->r->label,
                s->value[f], s->id, s->device);
  }
}

static void check_sums(group *g) {
  int64_t shown = 0, counted = 0;
  for (uint32_t k = 0; k < g->n; k++) {
    const member *m = &g->p[k];
    unsigned made = 0;
    shown += m->v.visits;
    for (uint32_t i = 0; i < m->r->n; i++) {
      const save *s = m->r->saves[i];
      if (!is_there(g, s)) continue;
      counted += s->delta;
      made += s->kind == SAVE_NEW;
    }
    if (made != m->v.n_creations)
      violation(g->w, "record %u of a class has %u creations, people made it %u times",
                m->r->label, m->v.n_creations, made);
  }
  if (shown != counted)
    violation(g->w, "record %u and its class count %lld, people counted %lld", g->p[0].r->label,
              (long long)shown, (long long)counted);
  for (uint32_t k = 0; k < g->n && !g->is_deleted; k++)
    if (g->p[k].v.n_creations && !g->p[k].v.visible)
      violation(g->w, "record %u of a class is gone, and nobody deleted one of it",
                g->p[k].r->label);
}

/* --- texts and lists: every piece once --- */

static int is_cut(const group *g, int q, uint32_t token) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].r->n; i++) {
      const edit *e = &g->p[k].r->saves[i]->edits[q];
      for (uint32_t c = 0; is_there(g, g->p[k].r->saves[i]) && c < e->n_cut; c++)
        if (e->cut[c] == token) return 1;
    }
  return 0;
}

static void check_row(const group *g, int q) {
  unsigned expected = 0, here = 0;
  for (uint32_t k = 0; k < g->n; k++) {
    static book_token t[BOOK_TOKENS_MAX];
    int n = book_tokens(g->p[k].v.rows[q], t, BOOK_TOKENS_MAX);
    if (n < 0) violation(g->w, "record %u of a class: a row is torn", g->p[k].r->label);
    here += n > 0 ? (unsigned)n : 0;
    for (uint32_t i = 0; i < g->p[k].r->n; i++) {
      const save *s = g->p[k].r->saves[i];
      for (uint32_t c = 0; is_there(g, s) && c < s->edits[q].n; c++)
        expected += !is_cut(g, q, s->edits[q].first + c);
    }
  }
  if (here != expected)
    violation(g->w, "record %u and its class: row %d has %u pieces, people left %u",
              g->p[0].r->label, q, here, expected);
}

/* --- who stands with whom --- */

static int in_class(const group *g, uint32_t a, uint32_t b) {
  for (uint32_t k = 0; k < g->n; k++)
    if (g->p[k].number == a) return qm_class_has(&g->p[k].cls, &g->w->people->records[b].id);
  return 0;
}

/* Somebody who had heard of the merge took one of the two out. */
static int is_undone(const group *g, const save *m) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].r->n; i++) {
      const save *u = g->p[k].r->saves[i];
      if (u->kind != SAVE_UNMERGE || !is_there(g, u) || !heard(u, m)) continue;
      if (u->record == m->record || u->record == m->with) return 1;
    }
  return 0;
}

static int is_last(const group *g, const save *u) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].r->n; i++) {
      const save *e = g->p[k].r->saves[i];
      int is_event = e->kind == SAVE_MERGE || e->kind == SAVE_UNMERGE;
      if (is_event && e != u && is_there(g, e) && !heard(u, e)) return 0;
    }
  return 1;
}

/* Nobody else took one out of it who is not known to have done so before. */
static int is_only(const group *g, const save *u) {
  for (uint32_t k = 0; k < g->n; k++)
    for (uint32_t i = 0; i < g->p[k].r->n; i++) {
      const save *e = g->p[k].r->saves[i];
      if (e->kind == SAVE_UNMERGE && e != u && is_there(g, e) && !heard(u, e)) return 0;
    }
  return 1;
}

static void check_mates(const group *g, const save *u) {
  const people *p = g->w->people;
  for (uint32_t i = 1; i < u->n_mates; i++)
    if (!in_class(g, u->mates[0], u->mates[i]))
      violation(g->w, "records %u and %u are two since another was taken out (save %u)",
                p->records[u->mates[0]].label, p->records[u->mates[i]].label, u->id);
}

static void check_event_of(group *g, const save *s) {
  const people *p = g->w->people;
  if (!is_there(g, s)) return;
  if (s->kind == SAVE_MERGE && s->links && !is_undone(g, s) && !in_class(g, s->record, s->with))
    violation(g->w, "records %u and %u were merged (save %u) and are not one",
              p->records[s->record].label, p->records[s->with].label, s->id);
  if (s->kind == SAVE_UNMERGE && is_only(g, s)) check_mates(g, s);
  for (uint32_t k = 0; k < g->n && s->kind == SAVE_UNMERGE && is_last(g, s); k++)
    if (g->p[k].number == s->record && g->p[k].cls.n != 1)
      violation(g->w, "record %u was taken out last (save %u) and is one of %u",
                g->p[k].r->label, s->id, g->p[k].cls.n);
}

/* --- where each had heard of all before it, the classes are known: who is taken out leaves the
 * others together --- */

static uint32_t list_events(const group *g, const save **out) {
  const people *p = g->w->people;
  uint32_t n = 0;
  for (uint32_t id = 1; id <= p->n; id++) {
    const save *s = p->saves[id];
    if ((s->kind == SAVE_MERGE || s->kind == SAVE_UNMERGE) && g->place[id]) out[n++] = s;
  }
  for (uint32_t j = 0; j < n; j++)
    for (uint32_t i = 0; i < j; i++)
      if (!heard(out[j], out[i])) return 0;
  return n;
}

static uint32_t label_at(const group *g, const uint32_t *labels, uint32_t number) {
  for (uint32_t k = 0; k < g->n; k++)
    if (g->p[k].number == number) return labels[k];
  return UINT32_MAX;
}

static void apply_event(const group *g, const save *s, uint32_t *labels, uint32_t fresh) {
  uint32_t a = label_at(g, labels, s->record), b = label_at(g, labels, s->with);
  for (uint32_t k = 0; k < g->n; k++) {
    if (s->kind == SAVE_MERGE && labels[k] == b) labels[k] = a;
    if (s->kind == SAVE_UNMERGE && g->p[k].number == s->record) labels[k] = fresh;
  }
}

static void check_partition(group *g) {
  const save **events = book_need(calloc(g->w->people->n + 1, sizeof *events));
  uint32_t *labels = book_need(calloc(g->n + 1, sizeof *labels)), n = list_events(g, events);
  for (uint32_t k = 0; k < g->n; k++) labels[k] = k;
  for (uint32_t i = 0; i < n; i++) apply_event(g, events[i], labels, g->n + i);
  for (uint32_t a = 0; a < g->n && n; a++)
    for (uint32_t b = 0; b < a; b++) {
      if (!g->p[a].v.n_creations || !g->p[b].v.n_creations) continue;
      if ((labels[a] == labels[b]) != in_class(g, g->p[a].number, g->p[b].number))
        violation(g->w, "records %u and %u are %s, people left them %s", g->p[a].r->label,
                  g->p[b].r->label, labels[a] == labels[b] ? "two" : "one",
                  labels[a] == labels[b] ? "one" : "two");
    }
  g->w->people->partitions += n > 1;
  free(events);
  free(labels);
}

/* Whoever asks for a member is shown the class, under the least id and in one order. */
static void check_asked(group *g, const member *m) {
  view v;
  qm_space *s = node_space(g->hub, g->space);
  for (uint32_t i = 0; i < m->cls.n; i++) {
    qm_record_class other;
    int rc = qm_class_read(g->hub->engine, s, &m->cls.members[i]->id, 0, &g->w->arena, &other);
    if (rc != QM_OK || other.n != m->cls.n || qm_id_cmp(&other.id, &m->cls.id) != 0)
      violation(g->w, "record %u: another of its class stands in another one", m->r->label);
  }
  if (m->cls.n < 2 || qm_id_cmp(&m->cls.id, &m->r->id) != 0) return;
  if (view_class(g->hub, s, &m->r->id, &v) != QM_OK) return;
  for (uint32_t j = 0; j < v.n_steps; j++)
    for (uint32_t i = j + 1; i < v.n_steps; i++)
      if (saw(save_of(g, v.steps[j]), save_of(g, v.steps[i])))
        violation(g->w, "step %u stands before step %u, which its writer had read", v.steps[j],
                  v.steps[i]);
}

/* --- all of it --- */

static int read_group(group *g) {
  qm_space *s = node_space(g->hub, g->space);
  for (uint32_t k = 0; k < g->n; k++) {
    member *m = &g->p[k];
    int rc = view_read(g->hub, s, &m->r->id, &m->v);
    if (rc == QM_OK)
      rc = qm_class_read(g->hub->engine, s, &m->r->id, 0, &g->w->arena, &m->cls);
    if (rc == QM_OK) continue;
    if (rc != QM_ENOTFOUND) violation(g->w, "record %u cannot be read at the hub", m->r->label);
    if (rc != QM_ENOTFOUND) return 0;
    memset(&m->cls, 0, sizeof m->cls);
  }
  return 1;
}

static void check_group(world *w, uint32_t root) {
  const people *p = w->people;
  group g = {.w = w, .hub = &w->nodes[HUB], .space = p->records[root].space};
  g.p = book_need(calloc(p->n_records, sizeof *g.p));
  g.place = book_need(calloc(p->n + 1, sizeof *g.place));
  for (uint32_t r = 0; r < p->n_records; r++) {
    if (!p->records[r].merged || merging_root(p, r) != root) continue;
    g.p[g.n].r = &p->records[r];
    g.p[g.n++].number = r;
  }
  qm_arena_reset(&w->arena);
  if (g.n && read_group(&g)) {
    find_places(&g);
    each_save(&g, note_delete);
    each_save(&g, check_there);
  }
  if (g.n && !forks_in(w, g.space) && !w->violations) {
    each_save(&g, check_seen);
    each_save(&g, check_values);
    each_save(&g, check_event_of);
    check_partition(&g);
    check_sums(&g);
    for (int q = 0; q < SEQUENCES; q++) check_row(&g, q);
    for (uint32_t k = 0; k < g.n; k++) check_asked(&g, &g.p[k]);
  }
  for (uint32_t k = 0; k < g.n; k++) w->people->in_classes += g.p[k].cls.n > 1;
  free(g.p);
  free(g.place);
}

void check_classes(world *w) {
  const people *p = w->people;
  for (uint32_t r = 0; r < p->n_records; r++)
    if (p->records[r].merged && merging_root(p, r) == r) check_group(w, r);
  qm_arena_reset(&w->arena);
}
