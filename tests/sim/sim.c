/* sim: the deterministic simulator. Days of grid members' work in many small worlds, each
 * drawn whole, its faults included, from one seed; then calm, and a look at what is left.
 *
 *   sim [-v] [-t]      environment: SEED (1), SEEDS (10), DAYS (10); -t: as TAP
 *
 * REFUSALS=1 lets the hub hold every refusal against the author, whoever sent the segment;
 * the product does not survive that.
 *
 * Equal seeds give equal traces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/check.h"
#include "tests/sim/net.h"
#include "tests/sim/people.h"

#define EVENTS_MAX 512
#define ROUNDS 3
#define SAVES_A_DAY 27
#define IDLE_BYTES_MAX 300
#define RUSH_MS UINT64_C(61200000) /* five in the afternoon: everybody is back */

enum { DO_ACT, DO_SYNC, DO_MEET, DO_MORNING };

typedef struct event {
  uint64_t at;
  int what;
  unsigned device;
} event;

/* --- faults that come over a device --- */

/* A backup is taken as the disk is. For a copy to another device the open runs are closed
 * first: it has not the key to sign them. */
static disk_image *image_of(node *n, int closed) {
  int rc = QM_OK;
  for (unsigned s = 0; s < SPACES && closed; s++)
    if (node_space(n, s) && rc == QM_OK) rc = qm_engine_push(n->engine, node_space(n, s));
  if (rc == QM_EIO) n->sick = 1;
  if (rc == QM_OK) return disk_backup(n->disk);
  node_after(n);
  return NULL;
}

static void restore_or_copy(world *w, node *n) {
  for (unsigned i = 0; i < NODES; i++)
    if (!w->nodes[i].up) return; /* who holds what cannot be told now */
  if (!n->backup || (w->on[F_RESTORE] && prng_chance(&w->random, 1, 3))) {
    disk_image_free(n->backup);
    n->backup = image_of(n, 0);
    return;
  }
  if (!fires(w, F_RESTORE, 1, 2)) return;
  note(w, "device %u goes back to its backup", n->index);
  people_before_restore(n);
  node_restore(n, n->backup, 0);
  people_after_restore(n);
}

static int same_members(const world *w, unsigned a, unsigned b) {
  return memcmp(w->ever[a], w->ever[b], SPACES) == 0 &&
         memcmp(w->member[a], w->member[b], SPACES) == 0 &&
         memcmp(w->writable[a], w->writable[b], SPACES) == 0;
}

static void copy_from_other(world *w, node *n) {
  node *from = &w->nodes[prng_below(&w->random, DEVICES)];
  for (unsigned i = 0; i < NODES; i++)
    if (!w->nodes[i].up) return;
  if (from == n || from->liar || from->revoked || !same_members(w, n->index, from->index)) return;
  if (!fires(w, F_COPY, 1, 3)) return;
  note(w, "device %u gets a copy of the database of device %u", n->index, from->index);
  disk_image *image = image_of(from, 1);
  if (!image) return;
  people_before_restore(n);
  node_restore(n, image, 0);
  people_after_restore(n);
  disk_image_free(image);
}

static void hub_back(world *w) {
  node *hub = &w->nodes[HUB];
  for (unsigned i = 0; i < NODES; i++)
    if (!w->nodes[i].up) return;
  if (!hub->backup || prng_chance(&w->random, 1, 2)) {
    disk_image_free(hub->backup);
    hub->backup = image_of(hub, 0);
    return;
  }
  if (!fires(w, F_HUB_RESTORE, 1, 2)) return;
  note(w, "the hub goes back to its backup");
  w->hub_lives++;
  people_before_restore(hub);
  node_restore(hub, hub->backup, 0);
  people_after_restore(hub);
}

static void leave(world *w, node *n, unsigned space, int all) {
  note(w, "device %u: %s", n->index, all ? "revoked" : "a space is taken away");
  net_cut_node(w, n); /* the driver throws it out */
  people_before_restore(n);
  if (all)
    n->revoked = 1;
  else
    w->member[n->index][space] = 0;
  int up = n->up;
  n->up = 0;
  people_after_restore(n);
  n->up = up;
}

static void clocks(world *w, node *n) {
  int64_t skew = n->skew_ms;
  uint64_t frozen = n->frozen_ms;
  if (fires(w, F_CLOCK_OFF, 1, 10))
    n->skew_ms = ((int64_t)prng_below(&w->random, 7300) - 3650) * (int64_t)DAY_MS;
  if (fires(w, F_CLOCK_JUMP, 1, 6))
    n->skew_ms += (int64_t)prng_below(&w->random, 7200000) - 3600000;
  if (n->frozen_ms) {
    if (prng_chance(&w->random, 1, 2)) n->frozen_ms = 0;
  } else if (fires(w, F_CLOCK_FROZEN, 1, 10)) {
    n->frozen_ms = w->now;
  }
  if (skew != n->skew_ms || frozen != n->frozen_ms) n->moved_ms = w->now;
}

static void disk_moods(world *w, node *n) {
  disk_faults *f = disk_faults_of(n->disk);
  f->read_eio = w->on[F_READ_EIO] && prng_chance(&w->random, 1, 10) ? 30 : 0;
  f->write_eio = w->on[F_WRITE_EIO] && prng_chance(&w->random, 1, 10) ? 60 : 0;
  f->sync_eio = w->on[F_SYNC_EIO] && prng_chance(&w->random, 1, 10) ? 300 : 0;
  f->full = w->on[F_FULL] && prng_chance(&w->random, 1, 25);
}

static void morning(world *w, node *n) {
  if (n->index == HUB) {
    if (w->on[F_HUB_RESTORE] && prng_chance(&w->random, 1, 2)) hub_back(w);
    disk_moods(w, n);
    return;
  }
  clocks(w, n);
  disk_moods(w, n);
  if (n->revoked) return;
  if (w->on[F_RESTORE] && prng_chance(&w->random, 1, 3)) restore_or_copy(w, n);
  if (w->on[F_COPY] && prng_chance(&w->random, 1, 3)) copy_from_other(w, n);
  if (!n->liar && prng_chance(&w->random, 1, 8) && fires(w, F_REVOKE, 1, 8)) leave(w, n, 0, 1);
  if (!n->liar && !n->revoked && w->member[n->index][2] && prng_chance(&w->random, 1, 8) &&
      fires(w, F_GONE, 1, 8))
    leave(w, n, 2, 0);
}

static void arm_crash(world *w, node *n) {
  if (w->calm || disk_dead(n->disk)) return;
  disk_faults *f = disk_faults_of(n->disk);
  if (f->crash_in || !w->on[n->index == HUB ? F_HUB_CRASH : F_CRASH]) return;
  if (prng_chance(&w->random, 1, n->index == HUB ? 8 : 40))
    f->crash_in = 1 + prng_below(&w->random, 8u << prng_below(&w->random, 5));
}

/* --- a day --- */

static int by_time(const void *a, const void *b) {
  const event *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return x->what != y->what ? x->what - y->what : (int)x->device - (int)y->device;
}

static unsigned plan(world *w, event *e) {
  unsigned n = 0;
  for (unsigned d = 0; d < NODES; d++)
    e[n++] = (event){w->now + prng_below(&w->random, 3600000), DO_MORNING, d};
  for (unsigned d = 0; d < DEVICES; d++) {
    unsigned saves = SAVES_A_DAY - 6 + prng_below(&w->random, 20);
    for (unsigned i = 0; i < saves; i++)
      e[n++] = (event){w->now + prng_below(&w->random, (uint32_t)DAY_MS), DO_ACT, d};
    for (unsigned i = prng_below(&w->random, 3) + (d % 3 == 0); i-- > 0;)
      e[n++] = (event){w->now + (prng_chance(&w->random, 1, 2)
                                     ? RUSH_MS + prng_below(&w->random, 1500)
                                     : prng_below(&w->random, (uint32_t)DAY_MS)),
                       DO_SYNC, d};
    if (prng_chance(&w->random, 1, 2))
      e[n++] = (event){w->now + prng_below(&w->random, (uint32_t)DAY_MS), DO_MEET, d};
  }
  qsort(e, n, sizeof *e, by_time);
  return n;
}

/* Who may only read cannot hand on what nobody else has. */
static int may_meet(const world *w, const node *n) {
  for (unsigned s = 0; s < SPACES; s++)
    if (w->member[n->index][s] && !w->writable[n->index][s]) return 0;
  return 1;
}

static void run_event(world *w, const event *e) {
  node *n = &w->nodes[e->device], *hub = &w->nodes[HUB];
  if (!n->up) (void)node_open(n);
  if (!hub->up) (void)node_open(hub);
  if (!n->up || (e->what != DO_ACT && !hub->up)) return;
  arm_crash(w, n);
  switch (e->what) {
    case DO_MORNING: morning(w, n); break;
    case DO_ACT: people_act(w, n); break;
    case DO_SYNC:
      arm_crash(w, hub);
      net_start(w, n, hub);
      if (fires(w, F_REPEAT, 1, 8)) net_start(w, n, hub);
      break;
    default: {
      node *other = &w->nodes[prng_below(&w->random, DEVICES)];
      if (other != n && may_meet(w, n) && may_meet(w, other)) net_start(w, n, other);
    }
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

static void day(world *w) {
  event events[EVENTS_MAX];
  uint64_t end = w->now + DAY_MS;
  unsigned n = plan(w, events);
  for (unsigned i = 0; i < n && !w->violations; i++) {
    pass_time(w, events[i].at);
    run_event(w, &events[i]);
  }
  pass_time(w, end);
}

/* --- the calm --- */

static void heal(world *w) {
  w->calm = 1;
  for (unsigned i = 0; i < NODES; i++) {
    node *n = &w->nodes[i];
    disk_faults *f = disk_faults_of(n->disk);
    memset(f, 0, sizeof *f);
    if (n->frozen_ms) n->moved_ms = w->now;
    n->frozen_ms = 0;
    int failed = n->sick || (i != HUB && w->people->pending[i]); /* not opened again since */
    if (n->up && failed) node_restart(n);
    if (!n->up && !node_open(n)) violation(w, "node %u cannot be opened in the calm", i);
  }
  net_cut_all(w);
}

static int quiet(const node *n) { return n->revoked || n->liar; }

static void converge(world *w) {
  net_result r;
  node *hub = &w->nodes[HUB];
  for (int round = 0; round < ROUNDS && !w->violations; round++)
    for (unsigned d = 0; d < DEVICES; d++) {
      node *n = &w->nodes[d];
      if (quiet(n)) continue;
      if (!net_session(w, n, hub, &r) || r.code != QM_OK)
        violation(w, "device %u: in the calm its session ends with %s", d, qm_err_name(r.code));
    }
  for (unsigned d = 0; d < DEVICES && !w->violations; d++) {
    node *n = &w->nodes[d];
    if (quiet(n)) continue;
    int ended = net_session(w, n, hub, &r);
    int gone = memcmp(w->ever[d], w->member[d], SPACES) != 0; /* it lists what it has lost */
    if (!ended || (!gone && (!r.same || r.up > IDLE_BYTES_MAX || r.down > IDLE_BYTES_MAX)))
      violation(w, "device %u: nothing is new, and a session takes %llu + %llu bytes", d,
                (unsigned long long)r.up, (unsigned long long)r.down);
  }
}

static void enrol(world *w) {
  net_result r;
  for (unsigned d = 0; d < DEVICES; d++)
    if (!net_session(w, &w->nodes[d], &w->nodes[HUB], &r) || r.code != QM_OK)
      violation(w, "device %u cannot be enrolled: %s", d, qm_err_name(r.code));
  w->calm = 0;
}

/* --- one seed --- */

typedef struct totals {
  uint64_t fired[F_COUNT], saves, sessions, violations, trace;
  uint64_t writes, syncs, torn, conflicts, collisions, stale;
} totals;

static void add_up(const world *w, totals *t) {
  for (int f = 0; f < F_COUNT; f++) t->fired[f] += w->fired[f];
  for (unsigned i = 0; i < NODES; i++) {
    const disk_counts *c = disk_counts_of(w->nodes[i].disk);
    t->fired[F_FULL] += c->full;
    t->fired[F_READ_EIO] += c->read_eio;
    t->fired[F_WRITE_EIO] += c->write_eio;
    t->fired[F_SYNC_EIO] += c->sync_eio;
    t->writes += c->writes;
    t->syncs += c->syncs;
    t->torn += c->crash_torn;
  }
  t->saves += w->saves;
  t->sessions += w->sessions;
  t->violations += w->violations;
  t->conflicts += w->people->conflicts;
  t->collisions += w->people->collisions;
  t->stale += w->people->stale;
  t->trace = (t->trace ^ w->trace.hash) * UINT64_C(0x9e3779b97f4a7c15);
}

static void run_seed(uint64_t seed, unsigned days, int verbose, totals *t) {
  static world w;
  memset(&w, 0, sizeof w);
  w.verbose = verbose;
  world_open(&w, seed);
  enrol(&w);
  for (unsigned d = 0; d < days && !w.violations; d++) day(&w);
  if (!w.violations) heal(&w);
  if (!w.violations) converge(&w);
  if (!w.violations) check_converged(&w);
  if (!w.violations || w.nodes[HUB].up) check_intent(&w);
  check_disks(&w);
  add_up(&w, t);
  if (w.violations)
    printf("# replay: make sim SEED=%llu SEEDS=1 DAYS=%u\n", (unsigned long long)seed, days);
  if (verbose)
    printf("# seed %llu trace %016llx, %llu saves, %llu sessions\n", (unsigned long long)seed,
           (unsigned long long)w.trace.hash, (unsigned long long)w.saves,
           (unsigned long long)w.sessions);
  world_close(&w);
}

/* --- the run --- */

static uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell_faults(const totals *t, int tap) {
  for (int f = 0; f < F_COUNT; f++) {
    const char *zero = t->fired[f] ? "" : " never fired";
    if (tap)
      printf("%s %d - %s: %llu%s\n", t->fired[f] ? "ok" : "not ok", f + 1, fault_names[f],
             (unsigned long long)t->fired[f], zero);
    else
      printf("  %-28s %10llu%s\n", fault_names[f], (unsigned long long)t->fired[f], zero);
  }
}

int main(int argc, char **argv) {
  int verbose = 0, tap = 0;
  totals t;
  memset(&t, 0, sizeof t);
  for (int i = 1; i < argc; i++) {
    verbose += strcmp(argv[i], "-v") == 0;
    tap |= strcmp(argv[i], "-t") == 0;
  }
  uint64_t seed = setting("SEED", 1), seeds = setting("SEEDS", 10);
  unsigned days = (unsigned)setting("DAYS", 10);
  if (disk_install() != 0) return 2;
  if (tap) printf("1..%d\n", F_COUNT + 1);
  double start = seconds();
  uint64_t done = 0;
  for (; done < seeds && !t.violations; done++) run_seed(seed + done, days, verbose, &t);
  double took = seconds() - start;
  unsigned long long device_days = done * days * DEVICES;
  tell_faults(&t, tap);
  printf("# %llu saves, %llu sessions, %llu conflicts, %llu collisions, %llu stale texts\n",
         (unsigned long long)t.saves, (unsigned long long)t.sessions,
         (unsigned long long)t.conflicts, (unsigned long long)t.collisions,
         (unsigned long long)t.stale);
  printf("# %llu disk writes, %llu syncs, %llu torn; %.1f device-days a second\n",
         (unsigned long long)t.writes, (unsigned long long)t.syncs, (unsigned long long)t.torn,
         (double)device_days / (took > 0 ? took : 1));
  if (tap) printf("%s %d - nothing violated\n", t.violations ? "not ok" : "ok", F_COUNT + 1);
  printf("# seeds %llu, device-days %llu, violations %llu, trace %016llx\n",
         (unsigned long long)done, device_days, (unsigned long long)t.violations,
         (unsigned long long)t.trace);
  return t.violations != 0;
}
