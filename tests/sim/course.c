#include "tests/sim/course.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/net.h"
#include "tests/sim/people.h"
#include "tests/sim/steps.h"

#define EVENTS_MAX 512
#define ACTS_A_DAY 27
#define RUSH_MS UINT64_C(61200000) /* five in the afternoon: everybody is back */

enum { AT_ACT, AT_SYNC, AT_MEET, AT_MORNING };

typedef struct event {
  uint64_t at, salt;
  int what;
  unsigned device;
} event;

/* Steps drawn at one moment. Drawing looks at nothing that a fault could change: a script
 * of what was drawn then has the same course. */
typedef struct drawing {
  world *w;
  sim_prng random;
  node *n;
} drawing;

static int chance(drawing *d, uint32_t num, uint32_t den) {
  return prng_chance(&d->random, num, den);
}
static uint32_t below(drawing *d, uint32_t n) { return prng_below(&d->random, n); }
static int drawn(drawing *d, fault f, uint32_t num, uint32_t den) {
  return d->w->on[f] && chance(d, num, den);
}

static step step_of(drawing *d, step_kind kind) {
  step x = {.at = d->w->now - d->w->first,
            .salt = prng_next(&d->random) >> 24,
            .kind = (uint8_t)kind,
            .device = (uint8_t)d->n->index};
  return x;
}

static void simple(drawing *d, step_kind kind) {
  step x = step_of(d, kind);
  step_do(d->w, &x);
}

static void with(drawing *d, step_kind kind, step_arg arg, int64_t value) {
  step x = step_of(d, kind);
  x.arg[arg] = value;
  step_do(d->w, &x);
}

/* --- mornings: what befalls a node --- */

static void draw_clocks(drawing *d) {
  if (drawn(d, F_CLOCK_OFF, 1, 10))
    with(d, S_CLOCK_OFF, A_MS, ((int64_t)below(d, 7300) - 3650) * (int64_t)DAY_MS);
  if (drawn(d, F_CLOCK_JUMP, 1, 6))
    with(d, S_CLOCK_JUMP, A_MS, (int64_t)below(d, 7200000) - 3600000);
  if (d->n->frozen_ms) {
    if (chance(d, 1, 2)) simple(d, S_THAW);
  } else if (drawn(d, F_CLOCK_FROZEN, 1, 10)) {
    simple(d, S_FREEZE);
  }
}

static void draw_disk(drawing *d) {
  const disk_faults *f = disk_faults_of(d->n->disk);
  step x = step_of(d, S_DISK);
  x.arg[A_READ_EIO] = drawn(d, F_READ_EIO, 1, 10) ? 30 : 0;
  x.arg[A_WRITE_EIO] = drawn(d, F_WRITE_EIO, 1, 10) ? 60 : 0;
  x.arg[A_SYNC_EIO] = drawn(d, F_SYNC_EIO, 1, 8) ? 500 : 0;
  x.arg[A_FULL] = drawn(d, F_FULL, 1, 25);
  int had = f->read_eio || f->write_eio || f->sync_eio || f->full;
  int has = x.arg[A_READ_EIO] || x.arg[A_WRITE_EIO] || x.arg[A_SYNC_EIO] || x.arg[A_FULL];
  if (had || has) step_do(d->w, &x);
}

static void draw_backup(drawing *d, fault f, uint32_t again) {
  if (!drawn(d, f, 1, 2)) return;
  if (!d->n->backup || chance(d, 1, again))
    simple(d, S_BACKUP);
  else if (chance(d, 1, 2))
    simple(d, S_BACK);
}

/* One space after the other comes to the next schema, on different days. */
static void draw_upgrade(drawing *d) {
  unsigned s = below(d, SPACES);
  if (d->w->schema_at[s] + 1 >= SCHEMAS || !drawn(d, F_UPGRADE, 1, 2)) return;
  step x = step_of(d, S_UPGRADE);
  x.arg[A_SPACE] = s;
  x.arg[A_VERSION] = d->w->schema_at[s] + 1;
  step_do(d->w, &x);
}

static void draw_morning(drawing *d) {
  node *n = d->n;
  draw_disk(d);
  if (n->index == HUB) {
    draw_backup(d, F_HUB_RESTORE, 2);
    draw_upgrade(d);
    /* A hub that goes back needs every log there is: what only states hold it does not take. */
    if (!d->w->on[F_HUB_RESTORE] && drawn(d, F_CUT_LOG, 2, 3)) simple(d, S_CUT_LOG);
    return;
  }
  draw_clocks(d);
  if (n->revoked) return;
  draw_backup(d, F_RESTORE, 3);
  if (drawn(d, F_COPY, 1, 9)) with(d, S_COPY, A_OTHER, below(d, DEVICES));
  if (!n->liar && drawn(d, F_REVOKE, 1, 64)) simple(d, S_REVOKE);
  if (!n->liar && !n->revoked && d->w->member[n->index][2] && drawn(d, F_GONE, 1, 64))
    with(d, S_LEAVE, A_SPACE, 2);
}

static void draw_crash(drawing *d) {
  disk_faults *f = disk_faults_of(d->n->disk);
  int hub = d->n->index == HUB;
  if (disk_dead(d->n->disk) || f->crash_in) return;
  if (drawn(d, hub ? F_HUB_CRASH : F_CRASH, 1, hub ? 8 : 40))
    with(d, S_CRASH, A_WRITES, 1 + below(d, 8u << below(d, 5)));
}

/* --- sessions --- */

/* Most sessions are short: the place of the cut is drawn on a logarithmic scale. */
static void draw_session(drawing *d, step *x) {
  if (drawn(d, F_CUT, 1, 4)) x->arg[A_CUT] = 1 + below(d, 40u << below(d, 10));
  if (x->arg[A_CUT] && drawn(d, F_HALF_OPEN, 1, 3)) x->arg[A_DEAF] = 1 + below(d, 2);
  x->arg[A_STALLS] = d->w->on[F_DELAY];
  if (x->kind == S_SYNC && drawn(d, F_LIVE, 1, 4))
    x->arg[A_STAY] = 1 + below(d, 4000u << below(d, 12));
}

static void draw_sync(drawing *d) {
  drawing hub = *d;
  hub.n = &d->w->nodes[HUB];
  draw_crash(&hub);
  d->random = hub.random;
  step x = step_of(d, S_SYNC);
  draw_session(d, &x);
  x.arg[A_TWICE] = drawn(d, F_REPEAT, 1, 8);
  step_do(d->w, &x);
}

static void draw_join(drawing *d) {
  step x = step_of(d, S_JOIN);
  draw_session(d, &x);
  step_do(d->w, &x);
}

/* Who may only read cannot hand on what nobody else has. */
static int may_meet(const world *w, const node *n) {
  for (unsigned s = 0; s < SPACES; s++)
    if (w->member[n->index][s] && !w->writable[n->index][s]) return 0;
  return 1;
}

static void draw_meeting(drawing *d) {
  const node *other = &d->w->nodes[below(d, DEVICES)];
  if (other == d->n || !may_meet(d->w, d->n) || !may_meet(d->w, other)) return;
  step x = step_of(d, S_MEET);
  x.arg[A_OTHER] = other->index;
  draw_session(d, &x);
  step_do(d->w, &x);
}

/* --- a day --- */

static int by_time(const void *a, const void *b) {
  const event *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return x->what != y->what ? x->what - y->what : (int)x->device - (int)y->device;
}

static unsigned plan(world *w, event *e) {
  sim_prng *r = &w->course;
  unsigned n = 0;
  for (unsigned d = 0; d < NODES; d++)
    e[n++] = (event){w->now + prng_below(r, 3600000), 0, AT_MORNING, d};
  for (unsigned d = 0; d < DEVICES; d++) {
    unsigned acts = ACTS_A_DAY - 6 + prng_below(r, 20);
    for (unsigned i = 0; i < acts; i++)
      e[n++] = (event){w->now + prng_below(r, (uint32_t)DAY_MS), 0, AT_ACT, d};
    for (unsigned i = prng_below(r, 3) + (d % 3 == 0); i-- > 0;)
      e[n++] = (event){w->now + (prng_chance(r, 1, 2) ? RUSH_MS + prng_below(r, 1500)
                                                      : prng_below(r, (uint32_t)DAY_MS)),
                       0, AT_SYNC, d};
    if (prng_chance(r, 1, 2))
      e[n++] = (event){w->now + prng_below(r, (uint32_t)DAY_MS), 0, AT_MEET, d};
  }
  qsort(e, n, sizeof *e, by_time);
  for (unsigned i = 0; i < n; i++) e[i].salt = prng_next(r);
  return n;
}

static void draw_event(world *w, const event *e) {
  drawing d = {w, {e->salt}, &w->nodes[e->device]};
  drawing hub = d;
  hub.n = &w->nodes[HUB];
  hub.random.state++;
  if (d.n->absent) {
    if (w->now >= w->first + DAY_MS && e->what == AT_MORNING && chance(&d, 1, 2))
      draw_join(&d);
    return;
  }
  if (!d.n->up && chance(&d, 1, 4)) simple(&d, S_WAKE);
  if (d.n != hub.n && !hub.n->up && chance(&hub, 1, 4)) simple(&hub, S_WAKE);
  if (!d.n->up || (e->what != AT_ACT && !hub.n->up)) return;
  draw_crash(&d);
  switch (e->what) {
    case AT_MORNING: draw_morning(&d); break;
    case AT_ACT: {
      step x = step_of(&d, S_EDIT);
      if (d.n->liar && drawn(&d, F_LIAR_RAW, 1, 30)) simple(&d, S_LIE);
      if (people_draw(w, d.n, &d.random, &x)) step_do(w, &x);
      break;
    }
    case AT_SYNC: draw_sync(&d); break;
    default: draw_meeting(&d);
  }
}

/* Steps the connections until `until`, and no later. */
static void pass_time(world *w, uint64_t until) {
  for (uint64_t due; (due = net_due(w)) <= until;) {
    if (due > w->now) w->now = due;
    net_step(w);
  }
  w->now = until > w->now ? until : w->now;
}

void course_day(world *w) {
  event events[EVENTS_MAX];
  uint64_t end = w->now + DAY_MS;
  unsigned n = plan(w, events);
  for (unsigned i = 0; i < n && !w->violations; i++) {
    pass_time(w, events[i].at);
    draw_event(w, &events[i]);
  }
  pass_time(w, end);
}

void course_play(world *w, const script *s) {
  for (uint32_t i = 0; i < s->n && !w->violations; i++) {
    pass_time(w, w->first + s->p[i].at);
    step_do(w, &s->p[i]);
  }
  pass_time(w, w->first + s->days * DAY_MS);
}
