#include "core/home.h"

#include <string.h>

#include "core/crdt/keyed.h"
#include "core/mp.h"
#include "core/norm.h"
#include "core/row.h"

#define DRIFT_MS 600000u
#define OPS_MAX 1024u     /* of one change: far below QM_CHANGE_MAX */
#define SEEN_MAX 4096u    /* authors asked what their last time is; the answer is a lower bound */

uint64_t qm__home_drift(const qm_space *s) {
  return s->schema && s->schema->drift_ms ? s->schema->drift_ms : DRIFT_MS;
}

static int is_home(const qm_space *s) {
  return (s->engine->flags & (QM_ENGINE_HUB | QM_ENGINE_REPLAY)) == QM_ENGINE_HUB;
}

static int is_ahead(const qm_space *s, qm_time time) {
  return qm_time_ms(time) > qm_engine_now(s->engine) + qm__home_drift(s);
}

/* --- one change of the hub's own --- */

typedef struct draft {
  qm_space *s;
  qm_arena *arena;
  qm_op *ops;
  uint32_t n, cap;
} draft;

static int draft_op(draft *d, const qm_op *op) {
  if (d->n == d->cap) {
    uint32_t cap = d->cap ? d->cap * 2 : 16;
    d->ops = qm_arena_grow(d->arena, d->ops, d->cap, cap, sizeof *d->ops);
    if (!d->ops) return QM_ENOMEM;
    d->cap = cap;
  }
  d->ops[d->n++] = *op;
  return QM_OK;
}

/* Takes the buffer's bytes as the element. */
static int draft_add(draft *d, uint32_t field, const qm_buf *element) {
  QM_TRY(qm_buf_status(element));
  uint8_t *p = qm_arena_copy(d->arena, element->p, element->n);
  if (!p) return QM_ENOMEM;
  return draft_op(d, &(qm_op){.field = field,
                              .shape = QM_KEYED,
                              .kind = QM_KIND_ADD,
                              .span = 1,
                              .value = qm_slice_of(p, element->n)});
}

static int draft_remove(draft *d, uint32_t field, const qm_element *element) {
  qm_dot *dots = qm_arena_array(d->arena, element->n, sizeof *dots);
  if (!dots) return QM_ENOMEM;
  for (uint32_t i = 0; i < element->n; i++) dots[i] = element->dots[i].dot;
  return draft_op(d, &(qm_op){.field = field,
                              .shape = QM_KEYED,
                              .kind = QM_KIND_REMOVE,
                              .span = 1,
                              .dots = {dots, element->n}});
}

static int moved(qm_space *s, qm_arena *arena, qm_change *c) {
  const qm_vv *clock = &s->states[s->own].clock;
  qm_dot *deps = qm_arena_array(arena, s->vv.n, sizeof *deps);
  if (!deps) return QM_ENOMEM;
  for (uint32_t a = 0; a < s->vv.n; a++)
    if (a != s->own && s->vv.next[a] > qm_vv_get(clock, a))
      deps[c->n_deps++] = (qm_dot){s->vv.next[a], a};
  c->deps = deps;
  return QM_OK;
}

/* Inside a transaction; the change joins the open run. */
static int draft_write(draft *d) {
  qm_space *s = d->s;
  qm_engine *e = s->engine;
  qm_buf row;
  if (!d->n) return QM_OK;
  e->whole = 1;
  if (s->own == QM_NO_AUTHOR) QM_TRY(qm__space_author(s, &e->author, &s->own));
  qm_change c = {.author = s->own,
                 .counter = qm_vv_get(&s->vv, s->own),
                 .time = qm_time_next(s->states[s->own].time, qm_engine_now(e)),
                 .ops = d->ops,
                 .n_ops = d->n};
  for (uint32_t i = 0; i < d->n; i++) d->ops[i].counter = c.counter + i;
  c.next = c.counter + d->n;
  /* A hub whose own clock went back: its next change has a new author (S2.4). */
  if (is_ahead(s, c.time)) e->epoch_stale = 1;
  QM_TRY(moved(s, d->arena, &c));
  qm_buf_init(&row, e->env, QM_CHANGE_MAX);
  qm_change_row(&c, &s->authors, &row);
  int rc = qm_buf_status(&row);
  if (rc == QM_OK) {
    qm_open_row open = {c.counter, qm_buf_slice(&row)};
    rc = e->store->ops->open_append(e->store, s->number, &open);
  }
  qm_buf_free(&row);
  e->own_writes++;
  return rc == QM_OK ? qm__space_apply(s, &c) : rc;
}

/* --- which changes are ahead --- */

/* Effective time of the author's last change, 0 where it has none. */
static qm_time last_time(const qm_space *s, uint32_t author) {
  const qm_author_state *st = &s->states[author];
  uint64_t next = qm_vv_get(&s->vv, author);
  if (!next) return 0;
  if (st->ahead) return st->ahead->stamp.time; /* not in the index yet */
  return qm_space_effective(s, (qm_dot){next - 1, author}, st->time);
}

/* The greatest effective time that the author had surely seen: of authors of whom it had seen
 * the last change that is here. */
static qm_time seen_time(const qm_space *s, uint32_t author) {
  const qm_vv *clock = &s->states[author].clock;
  qm_time most = 0;
  for (uint32_t a = 0; a < clock->n && a < SEEN_MAX; a++) {
    if (a == author || !clock->next[a] || clock->next[a] != qm_vv_get(&s->vv, a)) continue;
    qm_time t = last_time(s, a);
    if (t > most) most = t;
  }
  return most;
}

static qm_time since(const qm_space *s, uint32_t author) {
  qm_id device;
  qm_author_device(&s->authors.ids[author], &device);
  const qm_member *m = qm_space_member(s, &device, 0);
  return m ? qm_time_make(m->from_ms) : 0;
}

int qm__home_check(const qm_space *s, const qm_segment *g) {
  qm_id device, other;
  uint32_t n = 0, last = QM_NO_AUTHOR;
  if (!is_home(s) || !is_ahead(s, g->changes[g->n_changes - 1].time)) return QM_OK;
  qm_author_device(&s->authors.ids[g->author], &device);
  for (uint32_t i = 0; i < s->stamps.n; i++) {
    uint32_t author = s->stamps.p[i].author;
    if (author == g->author) return QM_OK;
    if (author == last) continue;
    last = author;
    qm_author_device(&s->authors.ids[author], &other);
    n += qm_id_cmp(&device, &other) == 0;
  }
  if (s->states[g->author].ahead) return QM_OK;
  for (const qm_ahead *a = s->ahead; a; a = a->next) {
    qm_author_device(&s->authors.ids[a->stamp.author], &other);
    n += qm_id_cmp(&device, &other) == 0;
  }
  return n < QM_HOME_AUTHORS ? QM_OK : QM_ECLOCK;
}

/* `before`: what last_time was. The change's context has moved. */
static int note(qm_space *s, const qm_segment *g, const qm_change *c, qm_time before) {
  qm_author_state *st = &s->states[c->author];
  qm_time now = qm_time_make(qm_engine_now(s->engine)), time = before;
  if (st->ahead) {
    st->ahead->stamp.next = g->next; /* times rise within an author: the rest is ahead too */
    return QM_OK;
  }
  qm_time seen = seen_time(s, c->author), enrolled = since(s, c->author);
  if (seen > time) time = seen;
  if (enrolled > time) time = enrolled;
  st->ahead = qm_arena_zero(&s->engine->arena, sizeof *st->ahead);
  if (!st->ahead) return QM_ENOMEM;
  st->ahead->stamp = (qm_stamp){c->author, c->counter, g->next, time < now ? time : now};
  st->ahead->next = s->ahead;
  s->ahead = st->ahead;
  return QM_OK;
}

int qm__home_apply(qm_space *s, const qm_segment *g, const qm_change *c) {
  int owed = is_home(s) && c->author != s->own && is_ahead(s, c->time);
  qm_time before = owed ? last_time(s, c->author) : 0;
  QM_TRY(qm__space_apply(s, c));
  return owed ? note(s, g, c, before) : QM_OK;
}

/* --- writing stamps --- */

typedef struct runs {
  const qm_element *last; /* the element that reaches furthest */
  qm_stamp stamp;         /* it */
  uint32_t n;
} runs;

/* Elements ascend bytewise, so those of one author, which begin alike, stand together. */
static uint32_t runs_begin(const qm_keyed *k, qm_slice head) {
  uint32_t lo = 0, hi = k->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (qm_slice_cmp(k->p[mid].value, head) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int runs_of(const qm_space *s, const qm_keyed *k, uint32_t author, runs *out) {
  int unknown = 0;
  qm_buf head;
  memset(out, 0, sizeof *out);
  qm_buf_init(&head, s->engine->env, 64);
  qm_mp_array(&head, 4);
  qm_mp_bin(&head, s->authors.ids[author].b, QM_AUTHOR_SIZE);
  int rc = qm_buf_status(&head);
  for (uint32_t i = rc == QM_OK && k ? runs_begin(k, qm_buf_slice(&head)) : 0;
       rc == QM_OK && k && i < k->n; i++) {
    qm_stamp t;
    qm_slice v = k->p[i].value;
    if (v.n < head.n || memcmp(v.p, head.p, head.n) != 0) break;
    if (!qm__stamp_read(&s->authors, v, &t, &unknown)) continue;
    out->n++;
    if (out->last && t.next <= out->stamp.next) continue;
    out->last = &k->p[i];
    out->stamp = t;
  }
  qm_buf_free(&head);
  return rc;
}

/* A stamp takes the place of the one before it where it only goes on, or where there are too
 * many: it covers at least as much, with a time that is no greater. */
static int stamp_one(draft *d, const qm_keyed *k, qm_stamp stamp) {
  runs r;
  qm_buf b;
  QM_TRY(runs_of(d->s, k, stamp.author, &r));
  int goes_on = r.last && r.stamp.next >= stamp.first && r.stamp.time == stamp.time;
  if (goes_on || r.n >= QM_HOME_RUNS) {
    if (r.stamp.time < stamp.time) stamp.time = r.stamp.time;
    if (r.stamp.first < stamp.first) stamp.first = r.stamp.first;
    if (r.stamp.next > stamp.next) stamp.next = r.stamp.next;
    QM_TRY(draft_remove(d, QM_SPACE_STAMPS, r.last));
  }
  qm_buf_init(&b, d->s->engine->env, 128);
  qm__stamp_write(&d->s->authors, &stamp, &b);
  int rc = draft_add(d, QM_SPACE_STAMPS, &b);
  qm_buf_free(&b);
  return rc;
}

int qm__home_flush(qm_space *s) {
  qm_id zero = {{0}};
  while (s->ahead) {
    qm_loaded *l;
    draft d = {.s = s, .arena = &s->engine->arena};
    QM_TRY(qm__space_record(s, &zero, &l));
    const qm_cell *cell = qm_record_cell(&l->record, QM_SPACE_STAMPS, QM_KEYED);
    while (s->ahead && d.n < OPS_MAX) {
      const qm_ahead *a = s->ahead;
      QM_TRY(stamp_one(&d, cell ? qm_keyed_of(cell) : NULL, a->stamp));
      s->states[a->stamp.author].ahead = NULL;
      s->ahead = a->next;
    }
    QM_TRY(draft_write(&d));
  }
  return QM_OK;
}

/* --- membership entries --- */

static int differs(const qm_space *s, const qm_member *m) {
  const qm_member *held = qm_space_member(s, &m->device, UINT64_MAX);
  if (!held) return m->role.n > 0;
  return qm_slice_cmp(held->name, m->name) != 0 || qm_slice_cmp(held->role, m->role) != 0;
}

static int member_draft(draft *d, const qm_member *m) {
  qm_member next = *m;
  qm_buf b;
  const qm_member *held = qm_space_member(d->s, &m->device, UINT64_MAX);
  if (!differs(d->s, m)) return QM_OK;
  if (!next.from_ms) next.from_ms = qm_engine_now(d->s->engine);
  /* The hub's clock may have gone back; the newest entry is the one that counts. */
  if (held && next.from_ms <= held->from_ms) next.from_ms = held->from_ms + 1;
  qm_buf_init(&b, d->s->engine->env, 2 * QM_MEMBER_TEXT_MAX + 64);
  qm__member_write(&next, &b);
  int rc = draft_add(d, QM_SPACE_MEMBERS, &b);
  qm_buf_free(&b);
  return rc;
}

/* *from: where to go on. */
static int members_write(qm_space *s, const qm_member *members, size_t n, size_t *from) {
  draft d = {.s = s, .arena = &s->engine->arena};
  while (*from < n && d.n < OPS_MAX) QM_TRY(member_draft(&d, &members[(*from)++]));
  return draft_write(&d);
}

static int members_commit(qm_engine *e, qm_space *s, const qm_member *members, size_t n) {
  if (e->epoch_stale) QM_TRY(qm_engine_new_epoch(e));
  QM_TRY(qm_engine_begin(e));
  int rc = QM_OK;
  for (size_t at = 0; at < n && rc == QM_OK;) rc = members_write(s, members, n, &at);
  if (rc == QM_OK) return qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}

int qm_home_members(qm_engine *e, qm_space *s, const qm_member *members, size_t n) {
  int any = 0;
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  for (size_t i = 0; i < n; i++) {
    const qm_member *m = &members[i];
    if (m->name.n > QM_MEMBER_TEXT_MAX || m->role.n > QM_MEMBER_TEXT_MAX) return QM_EINVAL;
    if (!qm_utf8_check(m->name, NULL) || !qm_utf8_check(m->role, NULL)) return QM_EINVAL;
    any |= differs(s, m);
  }
  return any && is_home(s) ? members_commit(e, s, members, n) : QM_OK;
}
