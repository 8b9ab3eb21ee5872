/* Every program of up to five changes on three replicas, for every field type: played on
 * real engines, delivered to a fourth replica in every causal order, segment by segment,
 * and held against the reference model: what is shown, the conflicts with their class,
 * visibility, collision, creations, and what the writer was answered. All orders must give
 * one digest for what was delivered so far, the writers' own replicas included; and a state
 * joined must be what the log would have given, also for what comes after (SPEC S3.1, S3.2,
 * S3.8, S3.14, S9.1).
 *
 * exhaustive [full | deep] [type]: "full" takes a minute, "deep" some minutes a type; without
 * either the part that belongs to every check. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/exhaustive/replica.h"
#include "tests/exhaustive/trims.h"

/* Whose clock shows what, and whose author id comes first. */
typedef enum clocks { RISING, FALLING, FROZEN } clocks;
typedef struct mode {
  clocks clocks;
  unsigned char rank[REPLICAS];
  int acknowledged;
} mode;

typedef struct totals {
  unsigned long histories, programs, orders, deliveries, readings, joins;
} totals;

typedef struct run {
  type t;
  unsigned n, moves;
  uint32_t records; /* programs side by side */
  setting s;
  const mode *mode;
  const history *h;
  bytes schema;
  int joins, any_order;
  replica writer[REPLICAS];
  mask has[REPLICAS];
  model *models;
  qm_slice *tokens;
  bytes segment[CHANGES_MAX];
  snapshot state[CHANGES_MAX];
  qm_digest written[CHANGES_MAX];     /* of the writer's replica after its change */
  qm_digest digest[1 << CHANGES_MAX]; /* of a replica with exactly these changes */
  uint8_t known[1 << CHANGES_MAX];
  totals sum;
  unsigned failures;
} run;

static const uint64_t start_ms = UINT64_C(1700000000000);

/* --- telling --- */

static void tell_program(const run *u, uint32_t record) {
  const history *h = u->h;
  uint32_t m = record;
  printf("# %s, clocks %d, ranks %d%d%d%s:", type_name(u->t), u->mode->clocks, u->mode->rank[0],
         u->mode->rank[1], u->mode->rank[2], u->mode->acknowledged ? ", acknowledged" : "");
  for (unsigned i = 1; i <= h->n; i++, m /= u->moves) {
    printf(" %u:%c.%u(", i, 'A' + h->replica[i], m % u->moves);
    for (unsigned j = 0; j < i; j++)
      if (h->seen[i] >> j & 1) printf("%u", j);
    printf(")");
  }
  printf("\n");
}

static void fail(run *u, uint32_t record, const char *format, ...) {
  va_list ap;
  if (u->failures++ >= 3) return;
  tell_program(u, record);
  printf("#   ");
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  printf("\n");
}

/* --- playing --- */

static void moves_of(const run *u, uint32_t record, unsigned char moves[CHANGES_MAX]) {
  for (unsigned i = 1; i <= u->n; i++, record /= u->moves)
    moves[i] = (unsigned char)(record % u->moves);
}

static uint64_t clock_at(const run *u, unsigned change) {
  if (u->mode->clocks == FROZEN) return start_ms;
  return u->mode->clocks == RISING ? start_ms + 1000 * change : start_ms - 1000 * change;
}

/* (S2.2) */
static void set_times(run *u) {
  uint64_t last[REPLICAS] = {0};
  for (unsigned i = 0; i <= u->n; i++) {
    uint64_t *l = &last[u->h->replica[i]], clock = clock_at(u, i) << 16;
    *l = *l + 1 > clock ? *l + 1 : clock;
    u->s.time[i] = *l;
  }
}

static void deliver(run *u, unsigned r, mask want) {
  for (unsigned i = 0; i <= u->n; i++) {
    if (!(want & ~u->has[r] & 1u << i)) continue;
    replica_take(&u->writer[r], u->segment[i]);
    u->has[r] |= 1u << i;
  }
}

static void write_base(run *u, replica *r) {
  replica_tick_new(r);
  if (u->t == CREATION) return;
  for (uint32_t m = 0; m < u->records; m++) replica_new(r, u->t, m);
}

static void write_moves(run *u, replica *r, unsigned i) {
  replica_tick(r);
  for (uint32_t m = 0; m < u->records; m++) {
    unsigned char moves[CHANGES_MAX];
    verb v[VERBS_MAX];
    moves_of(u, m, moves);
    unsigned n = move_verbs(u->t, moves[i], i, v);
    for (unsigned k = 0; k < n; k++) {
      unsigned wrote;
      qm_slice token = v[k].form == FORM_NONE ? qm_slice_of(NULL, 0) : u->tokens[m];
      answer a = replica_verb(r, u->t, m, &v[k], token, &wrote);
      if (a != u->models[m].answers[i][k] || wrote != u->models[m].wrote[i][k])
        fail(u, m, "change %u, verb %u: answer %d with %u ops; the model: %d with %u", i, k, a,
             wrote, u->models[m].answers[i][k], u->models[m].wrote[i][k]);
    }
  }
}

static void open_forms(run *u, replica *r, unsigned i) {
  qm_arena_reset(&r->arena);
  for (uint32_t m = 0; m < u->records; m++) {
    unsigned char moves[CHANGES_MAX];
    moves_of(u, m, moves);
    form f = move_form(u->t, moves[i]);
    if (f != FORM_NONE) u->tokens[m] = replica_token(r, m, f);
  }
}

static void write_change(run *u, unsigned i) {
  unsigned w = u->h->replica[i];
  replica *r = &u->writer[w];
  open_forms(u, r, i);
  deliver(u, w, u->h->seen[i]);
  if (u->mode->acknowledged) replica_acknowledge(r);
  qm_vv_list before = replica_heads(r, &r->arena);
  replica_begin(r, clock_at(u, i));
  if (i == 0)
    write_base(u, r);
  else
    write_moves(u, r, i);
  replica_end(r);
  u->segment[i] = replica_segment(r, &before);
  u->has[w] |= 1u << i;
  qm_space_digest(r->space, &u->written[i]);
  if (u->joins) u->state[i] = replica_snapshot(r);
}

/* --- comparing --- */

static void compare(run *u, replica *r, mask have) {
  qm_digest d;
  qm_space_digest(r->space, &d);
  if (u->known[have]) {
    if (!qm_digest_eq(&d, &u->digest[have])) fail(u, 0, "two orders, two digests at %x", have);
    return;
  }
  u->known[have] = 1;
  u->digest[have] = d;
  for (uint32_t m = 0; m < u->records; m++) {
    char real[READING_MAX], want[READING_MAX];
    qm_arena_reset(&r->arena);
    replica_read(r, u->t, m, real);
    model_read(&u->models[m], have, want);
    u->sum.readings++;
    if (strcmp(real, want) != 0)
      fail(u, m, "with changes %x: shows \"%s\"; the model: \"%s\"", have, real, want);
  }
}

static void play_order(void *payload, const history *h, const unsigned *order) {
  run *u = payload;
  replica r;
  mask have = 0;
  replica_open(&r, u->schema, REPLICAS, 77);
  for (unsigned k = 0; k <= h->n; k++) {
    replica_take(&r, u->segment[order[k]]);
    have |= 1u << order[k];
    compare(u, &r, have);
    u->sum.deliveries++;
  }
  if (u->sum.orders++ % 16 == 0) replica_check(&r);
  replica_close(&r);
}

/* An author's changes come in their order (a gap is refused), all else in any: what comes
 * too early is parked, and in the end nothing is missing. */
static void take_parked(run *u, const unsigned *order) {
  replica r;
  qm_digest d;
  uint32_t parked = 0;
  replica_open(&r, u->schema, REPLICAS, 78);
  for (unsigned j = 0; j <= u->n; j++) replica_take_any(&r, u->segment[order[j]], &parked);
  qm_space_digest(r.space, &d);
  if (!qm_digest_eq(&d, &u->digest[history_all(u->h)]))
    fail(u, 0, "delivered out of order: another digest");
  u->sum.orders++;
  u->sum.deliveries += u->n + 1;
  replica_close(&r);
}

static void play_any(run *u, unsigned *order, unsigned k, mask had) {
  if (k > u->n) {
    take_parked(u, order);
    return;
  }
  for (unsigned i = 0; i <= u->n; i++) {
    unsigned before = history_before(u->h, i);
    int first = before == 0 && (i == 0 || u->h->replica[i] != u->h->replica[0]);
    if (had >> i & 1 || (!first && !(had >> before & 1))) continue;
    order[k] = i;
    play_any(u, order, k + 1, had | 1u << i);
  }
}

/* A replica that joins state i, then state j, then has the rest of the log. */
static void join_two(run *u, unsigned i, unsigned j) {
  mask a = u->h->seen[i] | 1u << i, b = u->h->seen[j] | 1u << j, have = a | b;
  replica r;
  qm_digest d;
  replica_open(&r, u->schema, REPLICAS, 79);
  (void)replica_join(&r, &u->state[i]);
  qm_space_digest(r.space, &d);
  if (!qm_digest_eq(&d, &u->digest[a])) fail(u, 0, "state %u is not the log", i);
  if (replica_join(&r, &u->state[j]) != ((b & ~a) != 0))
    fail(u, 0, "join of %u and %u: taken, or not, against what is in it", i, j);
  qm_space_digest(r.space, &d);
  if (!qm_digest_eq(&d, &u->digest[have]))
    fail(u, 0, "states %u and %u joined are not the log", i, j);
  for (unsigned k = 0; k <= u->n; k++) {
    if (have >> k & 1) continue;
    replica_take(&r, u->segment[k]);
    have |= 1u << k;
    qm_space_digest(r.space, &d);
    if (!qm_digest_eq(&d, &u->digest[have]))
      fail(u, 0, "states %u and %u joined, then the log: another digest at %x", i, j, have);
  }
  u->sum.joins++;
  replica_close(&r);
}

static void play_history(run *u, const history *h) {
  u->h = u->s.h = h;
  memset(u->known, 0, sizeof u->known);
  memset(u->has, 0, sizeof u->has);
  set_times(u);
  for (uint32_t m = 0; m < u->records; m++) {
    unsigned char moves[CHANGES_MAX];
    moves_of(u, m, moves);
    model_play(&u->models[m], &u->s, u->t, moves);
  }
  for (unsigned w = 0; w < REPLICAS; w++)
    replica_open(&u->writer[w], u->schema, u->mode->rank[w], w + 1);
  write_change(u, 0);
  for (unsigned w = 0; w < REPLICAS; w++) deliver(u, w, 1); /* before any form is opened */
  for (unsigned i = 1; i <= u->n; i++) write_change(u, i);
  (void)history_orders(h, play_order, u);
  for (unsigned i = 0; i <= u->n; i++)
    if (!qm_digest_eq(&u->written[i], &u->digest[h->seen[i] | 1u << i]))
      fail(u, 0, "the writer of change %u has another digest than who received it", i);
  if (u->any_order) {
    unsigned order[CHANGES_MAX];
    play_any(u, order, 0, 0);
  }
  for (unsigned i = 0; u->joins && i <= u->n; i++)
    for (unsigned j = 0; j <= u->n; j++)
      if (i != j) join_two(u, i, j);
  for (unsigned i = 0; i <= u->n; i++) {
    free(u->segment[i].p);
    snapshot_free(&u->state[i]);
  }
  for (unsigned w = 0; w < REPLICAS; w++) replica_close(&u->writer[w]);
  u->sum.histories++;
  u->sum.programs += u->records;
}

/* --- what is run --- */

static const mode modes[] = {
    {RISING, {0, 1, 2}, 0},  {FROZEN, {2, 1, 0}, 0}, {FALLING, {1, 2, 0}, 1},
    {FALLING, {0, 1, 2}, 0}, {FROZEN, {0, 1, 2}, 1}, {FROZEN, {1, 0, 2}, 0},
    {FROZEN, {0, 2, 1}, 0},  {FROZEN, {2, 0, 1}, 0}, {FROZEN, {1, 2, 0}, 0}};

enum { MODES = sizeof modes / sizeof modes[0] };

/* Presence, sets and sums ask neither clocks nor ids. */
static int timeless(type t) { return t == PRESENCE || t == CREATION || t == COUNTER || t == SET; }

/* What a run of one type and length covers. Where not every mode is played for each
 * history, the modes take turns. */
typedef struct extent {
  uint32_t programs_max;
  unsigned modes;
  int joins, any_order;
} extent;

static extent extent_of(type t, unsigned n, int full) {
  static const extent check[6] = {
      {0}, {256, 2, 1, 1}, {256, 2, 1, 1}, {128, 1, 1, 1}, {16, 1, 1, 1}, {0}};
  static const extent all[6] = {
      {0}, {256, MODES, 1, 1}, {256, MODES, 1, 1}, {256, 1, 1, 1}, {100, 1, 1, 0}, {32, 1, 0, 0}};
  static const extent deep[6] = {
      {0},           {256, MODES, 1, 1}, {256, MODES, 1, 1}, {256, MODES, 1, 1}, {256, 3, 1, 1},
      {250, 3, 1, 0}};
  extent x = full > 1 ? deep[n] : full ? all[n] : check[n];
  if (timeless(t)) x.modes = x.modes != 0;
  return x;
}

static uint32_t power(uint32_t base, unsigned n) { return n ? base * power(base, n - 1) : 1; }

/* How many moves the alphabet of a run has: as many as keep the number of programs in bounds. */
static unsigned alphabet(type t, unsigned n, uint32_t programs_max) {
  unsigned k = type_moves(t);
  while (k > 1 && power(k, n) > programs_max) k--;
  return k;
}

static void add(totals *to, const totals *x) {
  to->histories += x->histories;
  to->programs += x->programs;
  to->orders += x->orders;
  to->deliveries += x->deliveries;
  to->readings += x->readings;
  to->joins += x->joins;
}

static void run_type(type t, unsigned n, bytes schema, const extent *x, run *u) {
  history *list;
  size_t count = histories(n, &list);
  u->t = t;
  u->n = n;
  u->moves = alphabet(t, n, x->programs_max);
  u->records = power(u->moves, n);
  u->schema = schema;
  u->models = calloc(u->records, sizeof *u->models);
  u->tokens = calloc(u->records, sizeof *u->tokens);
  if (!u->models || !u->tokens) abort();
  for (size_t i = 0; i < count; i++)
    for (unsigned k = 0; k < x->modes; k++) {
      u->mode = timeless(t) ? modes : &modes[(i * x->modes + k) % MODES];
      u->s.acknowledged = u->mode->acknowledged;
      memcpy(u->s.rank, u->mode->rank, REPLICAS);
      u->joins = x->joins && k == 0;
      u->any_order = x->any_order && k == 0;
      play_history(u, &list[i]);
    }
  free(u->models);
  free(u->tokens);
  free(list);
}

int main(int argc, char **argv) {
  int full = argc < 2 ? 0 : strcmp(argv[1], "full") == 0 ? 1 : strcmp(argv[1], "deep") == 0 ? 2 : 0;
  int first = full ? 2 : 1;
  const char *only = argc > first ? argv[first] : NULL;
  bytes schema = make_schema();
  totals sum = {0};
  unsigned failures = 0, number = 0;
  clock_t before = clock();
  for (int t = 0; t < TYPES; t++)
    for (unsigned n = 1; n <= 5; n++) {
      extent x = extent_of((type)t, n, full);
      if ((only && strcmp(only, type_name((type)t)) != 0) || !x.modes) continue;
      run *u = calloc(1, sizeof *u);
      if (!u) abort();
      run_type((type)t, n, schema, &x, u);
      printf(
          "%s %u - %s, %u changes, %u moves: %lu histories, %lu programs, %lu orders, %lu joins\n",
          u->failures ? "not ok" : "ok", ++number, type_name((type)t), n, u->moves,
          u->sum.histories, u->sum.programs, u->sum.orders, u->sum.joins);
      (void)fflush(stdout);
      failures += u->failures;
      add(&sum, &u->sum);
      free(u);
    }
  if (!only || strcmp(only, "trims") == 0) failures += trims_run(full, ++number);
  printf("1..%u\n", number);
  printf(
      "# %lu programs in %lu histories, %lu orders with %lu deliveries, %lu readings compared, "
      "%lu joins, %.1f s of CPU\n",
      sum.programs, sum.histories, sum.orders, sum.deliveries, sum.readings, sum.joins,
      (double)(clock() - before) / CLOCKS_PER_SEC);
  free(schema.p);
  return failures != 0;
}
