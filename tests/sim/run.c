#include "tests/sim/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/course.h"
#include "tests/sim/net.h"
#include "tests/sim/people.h"

#define ROUNDS 3
#define IDLE_BYTES_MAX 300

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
    n->absent = 0; /* at the latest */
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
    gone |= forks_any(w, n);                                   /* and what it cannot take */
    for (unsigned s = 0; s < SPACES; s++) gone |= device_keeps(w, d, s);
    if (!ended || (!gone && (!r.same || r.up > IDLE_BYTES_MAX || r.down > IDLE_BYTES_MAX)))
      violation(w, "device %u: nothing is new, and a session takes %llu + %llu bytes", d,
                (unsigned long long)r.up, (unsigned long long)r.down);
  }
}

static void enrol(world *w) {
  net_result r;
  for (unsigned d = 0; d < DEVICES; d++)
    if (!w->nodes[d].absent &&
        (!net_session(w, &w->nodes[d], &w->nodes[HUB], &r) || r.code != QM_OK))
      violation(w, "device %u cannot be enrolled: %s", d, qm_err_name(r.code));
  w->calm = 0;
  w->first = w->now;
}

/* --- one world --- */

static void count_shared(const people *p, result *out) {
  for (uint32_t r = 0; r < p->n_records; r++) {
    unsigned devices = 0, n = 0;
    for (uint32_t i = 0; i < p->records[r].n; i++)
      if (p->records[r].saves[i]->status == STATUS_SAVED)
        devices |= 1u << p->records[r].saves[i]->device;
    for (; devices; devices &= devices - 1) n++;
    out->records += n > 0;
    out->shared += n > 1;
  }
}

static void sum_up(const world *w, result *t) {
  for (int f = 0; f < F_COUNT; f++) t->fired[f] = w->fired[f];
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
  t->saves = w->saves;
  t->sessions = w->sessions;
  t->in_classes = w->people->in_classes;
  t->stamped = w->people->stamped;
  t->first_states = w->first_states;
  t->rounds = w->rounds;
  t->compact = w->compact;
  t->violations = w->violations;
  t->conflicts = w->people->conflicts;
  t->collisions = w->people->collisions;
  t->stale = w->people->stale;
  t->settled = w->people->settled;
  t->same_keys = w->people->same_keys;
  count_shared(w->people, t);
  memcpy(t->on, w->on, sizeof t->on);
  memcpy(t->kind, w->kind, sizeof t->kind);
  memcpy(t->message, w->message, sizeof t->message);
  t->trace = w->trace.hash;
}

static void live(const script *s, int drawn, const run_options *o, result *out) {
  static world w;
  memset(&w, 0, sizeof w);
  w.verbose = o->verbose;
  w.record = o->record;
  world_open(&w, s->seed, drawn ? NULL : s->on);
  enrol(&w);
  if (drawn)
    for (unsigned d = 0; d < s->days && !w.violations; d++) course_day(&w);
  else if (!w.violations)
    course_play(&w, s);
  if (!w.violations) heal(&w);
  if (!w.violations) converge(&w);
  if (!w.violations) check_converged(&w);
  if (!w.violations) check_times(&w);
  if (!w.violations || w.nodes[HUB].up) check_intent(&w);
  check_disks(&w);
  sum_up(&w, out);
  out->device_days = (uint64_t)s->days * DEVICES;
  if (o->verbose)
    printf("# seed %llu trace %016llx, %llu saves, %llu sessions\n", (unsigned long long)s->seed,
           (unsigned long long)w.trace.hash, (unsigned long long)w.saves,
           (unsigned long long)w.sessions);
  world_close(&w);
}

/* --- in a process of its own --- */

static void child(const script *s, int drawn, const run_options *o, int to) {
  result r;
  memset(&r, 0, sizeof r);
  if (o->silent && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
    exit(2);
  if (o->seconds_max) alarm(o->seconds_max);
  live(s, drawn, o, &r);
  if (write(to, &r, sizeof r) != (ssize_t)sizeof r) exit(2);
  exit(0);
}

void run_world(const script *s, int drawn, const run_options *o, result *out) {
  int ends[2], status = 0;
  memset(out, 0, sizeof *out);
  (void)fflush(stdout);
  if (pipe(ends) != 0) abort();
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) {
    (void)close(ends[0]);
    child(s, drawn, o, ends[1]);
  }
  (void)close(ends[1]);
  ssize_t n = read(ends[0], out, sizeof *out);
  (void)close(ends[0]);
  (void)waitpid(pid, &status, 0);
  if (n == (ssize_t)sizeof *out && status == 0) return;
  if (n != (ssize_t)sizeof *out) memset(out, 0, sizeof *out);
  (void)snprintf(out->kind, sizeof out->kind, "the simulator ended with %s %d",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  memcpy(out->message, out->kind, sizeof out->message);
  out->violations++;
  if (!o->silent)
    printf("# seed %llu VIOLATION: %s\n", (unsigned long long)s->seed, out->kind);
}

double run_seconds(void) {
  struct rusage u;
  double sum = 0;
  for (int who = 0; who < 2; who++) {
    if (getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &u) != 0) continue;
    sum += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
  }
  return sum;
}
