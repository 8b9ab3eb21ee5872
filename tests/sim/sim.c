/* sim: the deterministic simulator. Days of grid members' work in many small worlds, each
 * drawn whole, its faults included, from one seed; then calm, and a look at what is left.
 *
 *   sim [-v] [-t] [SCRIPT…]     -t: as TAP; scripts (script.h) instead of seeds
 *
 * Environment: SEED (1), SEEDS (10), DAYS (10); SHRINK (60): so many seconds are spent on
 * making the script of a failure short; KEEP (.): the directory that it goes to.
 *
 * REFUSALS=1 lets the hub hold every refusal against the author, whoever sent the segment;
 * the product does not survive that.
 *
 * Equal seeds give equal traces. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/shrink.h"

/* What a device-day is worth is said only of so many of them. */
#define MEANS_FROM 500
#define SAVES_MIN 20.0
#define SESSIONS_MIN 1.0
#define SHARED_MIN 0.10

typedef unsigned long long ull;

static int verbose, tap, n_cases;

static uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void add_up(result *sum, const result *r) {
  uint64_t *to = &sum->trace, trace = (sum->trace ^ r->trace) * UINT64_C(0x9e3779b97f4a7c15);
  const uint64_t *from = &r->trace;
  for (size_t i = 0; i < (sizeof *r - offsetof(result, trace)) / sizeof *to; i++) to[i] += from[i];
  sum->trace = trace;
}

/* --- failures --- */

static void file_name(char *to, size_t size, uint64_t seed, const char *kind) {
  const char *dir = getenv("KEEP");
  size_t n = (size_t)snprintf(to, size, "%s/sim-", dir && *dir ? dir : ".");
  for (size_t used = 0; *kind && used < 40 && n + 24 < size; kind++) {
    if (*kind == '%') {
      while (kind[1] && !isspace((unsigned char)kind[1])) kind++;
    } else if (isalpha((unsigned char)*kind)) {
      to[n++] = (char)tolower((unsigned char)*kind);
      used++;
    } else if (to[n - 1] != '-') {
      to[n++] = '-';
    }
  }
  if (to[n - 1] != '-') to[n++] = '-';
  (void)snprintf(to + n, size - n, "%llu", (ull)seed);
}

static int write_script(const char *name, const script *s, const char *message) {
  FILE *out = fopen(name, "w");
  if (!out) return -1;
  fprintf(out, "# %s\n", message);
  script_print_head(out, s);
  for (uint32_t i = 0; i < s->n; i++) script_print_step(out, &s->p[i]);
  return fclose(out);
}

/* The steps of a run, by running it again. 0, or -1 where it does not fail that way again. */
static int record(const script *head, script *out, result *r) {
  FILE *file = tmpfile();
  if (!file) abort();
  run_options o = {.record = file, .silent = 1};
  run_world(head, 1, &o, r);
  rewind(file);
  int rc = script_read(file, "record", out);
  (void)fclose(file);
  out->seed = head->seed;
  out->days = head->days;
  memcpy(out->on, r->on, sizeof out->on);
  return rc;
}

static void tell_failure(const script *head, const result *failed) {
  static const run_options silent = {.silent = 1};
  unsigned seconds = (unsigned)setting("SHRINK", 60);
  char name[256];
  script s;
  result r;
  printf("# replay: make sim SEED=%llu SEEDS=1 DAYS=%u\n", (ull)head->seed, head->days);
  if (!seconds) return;
  memset(&s, 0, sizeof s);
  int rc = record(head, &s, &r);
  if (rc == 0) run_world(&s, 0, &silent, &r);
  if (rc == 0 && strcmp(r.kind, failed->kind) == 0) {
    uint32_t n = s.n;
    printf("# shrinking %u steps for at most %u seconds\n", n, seconds);
    (void)fflush(stdout);
    unsigned runs = shrink(&s, failed->kind, seconds);
    run_world(&s, 0, &silent, &r);
    printf("# %u steps of %u are left after %u runs: %s\n", s.n, n, runs, r.message);
    file_name(name, sizeof name, s.seed, failed->kind);
    if (write_script(name, &s, r.message) == 0)
      printf("# replay: make sim SCRIPT=%s\n", name);
    else
      printf("# %s cannot be written\n", name);
  }
  script_free(&s);
}

/* --- reports --- */

static void report(int good, const char *what, uint64_t value) {
  n_cases++;
  if (tap)
    printf("%s %d - %s: %llu\n", good ? "ok" : "not ok", n_cases, what, (ull)value);
  else
    printf("  %-28s %10llu%s\n", what, (ull)value, good ? "" : "  NOT GOOD");
}

static int tell_faults(const result *t) {
  int bad = 0;
  for (int f = 0; f < F_COUNT; f++) {
    int judged = t->device_days >= MEANS_FROM;
    report(t->fired[f] || !judged, fault_names[f], t->fired[f]);
    bad |= !t->fired[f] && judged;
  }
  return bad;
}

static int tell_means(const result *t, double took) {
  double days = t->device_days ? (double)t->device_days : 1;
  double saves = (double)t->saves / days, sessions = (double)t->sessions / days;
  double shared = t->records ? (double)t->shared / (double)t->records : 0;
  int good = saves >= SAVES_MIN && sessions >= SESSIONS_MIN && shared >= SHARED_MIN;
  printf("# a device-day: %.1f saves, %.1f sessions; %.0f %% of %llu records by two or more\n",
         saves, sessions, shared * 100, (ull)t->records);
  printf("# %llu saves, %llu sessions, %llu conflicts, %llu settled, %llu collisions, "
         "%llu same keys, %llu stale edits\n",
         (ull)t->saves, (ull)t->sessions, (ull)t->conflicts, (ull)t->settled, (ull)t->collisions,
         (ull)t->same_keys, (ull)t->stale);
  printf("# %llu first syncs by a state, %llu rounds of sessions that stayed, "
         "%llu compact pushes, %llu times stamped, %llu records in classes\n",
         (ull)t->first_states, (ull)t->rounds, (ull)t->compact, (ull)t->stamped,
         (ull)t->in_classes);
  printf("# %llu disk writes, %llu syncs, %llu torn; %.1f device-days a second\n",
         (ull)t->writes, (ull)t->syncs, (ull)t->torn, days / (took > 0 ? took : 1));
  if (t->device_days < MEANS_FROM) return 0;
  report(good, "device-days are full ones", t->device_days);
  return !good;
}

/* --- seeds --- */

/* The same seed again, and its script, have the same course. */
static int check_repeats(const script *head, uint64_t trace) {
  static const run_options silent = {.silent = 1};
  script s;
  result again, played;
  memset(&s, 0, sizeof s);
  int rc = record(head, &s, &again);
  run_world(&s, 0, &silent, &played);
  script_free(&s);
  int good = rc == 0 && again.trace == trace && played.trace == trace;
  report(good, "a seed and its script repeat", head->seed);
  if (!good)
    printf("# traces of seed %llu: %016llx, again %016llx, as a script %016llx\n",
           (ull)head->seed, (ull)trace, (ull)again.trace, (ull)played.trace);
  return !good;
}

static int run_seeds(void) {
  uint64_t seed = setting("SEED", 1), seeds = setting("SEEDS", 10), done = 0;
  script head = {.days = (unsigned)setting("DAYS", 10)};
  run_options o = {.verbose = verbose};
  result sum, r;
  int bad = 0;
  memset(&sum, 0, sizeof sum);
  double start = run_seconds();
  for (; done < seeds && !sum.violations; done++) {
    head.seed = seed + done;
    run_world(&head, 1, &o, &r);
    add_up(&sum, &r);
    if (!done && seeds > 1 && !r.violations) bad |= check_repeats(&head, r.trace);
  }
  double took = run_seconds() - start;
  bad |= !sum.violations && tell_faults(&sum);
  bad |= tell_means(&sum, took) && !sum.violations;
  report(!sum.violations, "violations", sum.violations);
  printf("# seeds %llu, device-days %llu, violations %llu, trace %016llx\n", (ull)done,
         (ull)sum.device_days, (ull)sum.violations, (ull)sum.trace);
  if (sum.violations) tell_failure(&head, &r);
  return bad || sum.violations;
}

/* --- scripts --- */

static int run_script(const char *name) {
  run_options o = {.verbose = verbose};
  script s;
  result r;
  FILE *in = fopen(name, "r");
  if (!in) perror(name);
  int bad = !in || script_read(in, name, &s) != 0;
  if (in) (void)fclose(in);
  if (!bad) {
    run_world(&s, 0, &o, &r);
    printf("# %s: %u steps, violations %llu, trace %016llx\n", name, s.n, (ull)r.violations,
           (ull)r.trace);
    bad = r.violations != 0;
    script_free(&s);
  }
  if (tap) printf("%s %d - %s\n", bad ? "not ok" : "ok", ++n_cases, name);
  return bad;
}

int main(int argc, char **argv) {
  int bad = 0, scripts = 0;
  for (int i = 1; i < argc; i++) {
    verbose += strcmp(argv[i], "-v") == 0;
    tap |= strcmp(argv[i], "-t") == 0;
  }
  if (disk_install() != 0) return 2;
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-') continue;
    scripts++;
    bad |= run_script(argv[i]);
  }
  if (!scripts) bad = run_seeds();
  if (tap) printf("1..%d\n", n_cases);
  return bad;
}
