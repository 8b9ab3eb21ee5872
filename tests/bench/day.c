/* The sync day's figures. Nothing is counted before every device of a grid holds the same as
 * the others and the hub says that it does too. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/space.h"
#include "tests/bench/day.h"

#define GRIDS_MAX 64
#define BOOT_BASE 3000u
#define STORES QM_HUB_SHARDS_DEFAULT

/* --- the process of a grid --- */

static uint64_t own_counters(const day_device *d) {
  uint32_t number;
  qm_space *s = day_device_space(d);
  if (qm_authors_find(qm_space_authors(s), qm_engine_author(d->engine), &number) != QM_OK) return 0;
  return qm_vv_get(qm_space_vv(s), number);
}

/* `a` holds all that `b` has written. */
static int holds(const day_device *a, const day_device *b) {
  uint32_t number;
  qm_space *s = day_device_space(a);
  uint64_t wanted = own_counters(b);
  if (!wanted) return 1;
  if (qm_authors_find(qm_space_authors(s), qm_engine_author(b->engine), &number) != QM_OK) return 0;
  return qm_vv_get(qm_space_vv(s), number) == wanted;
}

static int converged(const day_grid *g) {
  for (uint32_t a = 0; a < g->n; a++)
    for (uint32_t b = 0; b < g->n; b++)
      if (a != b && !holds(&g->devices[a], &g->devices[b])) return 0;
  return 1;
}

/* Until all hold all, the sessions rest, and the hub has said that it holds the same. */
static void rush(day_grid *g) {
  struct pollfd p[DAY_PER_GRID];
  int resting = 0;
  for (uint32_t i = 0; i < g->n; i++) day_device_begin(&g->devices[i], 1);
  while (!resting) {
    resting = 1;
    for (uint32_t i = 0; i < g->n; i++) {
      day_device *d = &g->devices[i];
      day_device_turn(d);
      BENCH_CHECK(!d->over);
      resting &= d->live && d->equal;
      p[i] = (struct pollfd){.fd = d->fd, .events = POLLIN};
    }
    resting = resting && converged(g);
    if (!resting && poll(p, g->n, 60000) < 1) bench_fail("the grid does not converge", 0);
  }
}

static void digest_of(day_device *d, uint8_t out[16]) {
  qm_digest digest;
  uint8_t vv[16];
  qm_space_digest(day_device_space(d), &digest);
  qm_digest_bytes(&digest, out);
  BENCH_OK(qm_engine_vv_digest(d->engine, day_device_space(d), vv));
}

static void check_equal(const day_grid *g, uint8_t digest[16]) {
  digest_of(&g->devices[0], digest);
  for (uint32_t i = 1; i < g->n; i++) {
    uint8_t its[16];
    digest_of(&g->devices[i], its);
    BENCH_CHECK(memcmp(its, digest, 16) == 0);
  }
}

/* Each device alone: a session, and what it took. */
static void each_sync(day_grid *g, uint16_t port, day_report *r, uint32_t from) {
  for (uint32_t i = from; i < g->n; i++) {
    day_device *d = &g->devices[i];
    d->up = d->down = 0;
    day_device_connect(d, port);
    double wall = bench_wall();
    day_device_begin(d, 0);
    d->flights = 0;
    while (!d->over) {
      struct pollfd p = {.fd = d->fd, .events = POLLIN};
      day_device_turn(d);
      if (!d->over && poll(&p, 1, 60000) < 1) bench_fail("the hub is silent", 0);
    }
    r->wall += bench_wall() - wall;
    qm_session_bytes(d->session, &d->down, &d->up);
    r->up += d->up;
    r->down += d->down;
    r->flights = d->flights > r->flights ? d->flights : r->flights;
    r->devices++;
    day_device_drop(d);
  }
}

static void run_one(day_grid *g, uint16_t port, char what, day_report *r) {
  double wall = bench_wall(), cpu = bench_cpu();
  memset(r, 0, sizeof *r);
  switch (what) {
    case 'S': /* the base: written by the first, taken by the others */
      day_device_sync(&g->devices[0], port); /* the grant */
      day_write_base(g->devices[0].engine, day_device_space(&g->devices[0]), g->number, g->base);
      for (uint32_t i = 0; i < g->n && g->base == DAY_BASE; i++)
        day_device_sync(&g->devices[i], port);
      if (g->base != DAY_BASE) day_device_sync(&g->devices[0], port);
      break;
    case 'E':
      for (uint32_t i = 0; i < g->n; i++)
        day_write_edits(g->devices[i].engine, day_device_space(&g->devices[i]),
                        g->devices[i].number);
      break;
    case 'C':
      for (uint32_t i = 0; i < g->n; i++) day_device_connect(&g->devices[i], port);
      break;
    case 'G': rush(g); break;
    case 'B': /* what it all took; the last words do not count */
      for (uint32_t i = 0; i < g->n; i++) {
        uint64_t up, down;
        qm_session_bytes(g->devices[i].session, &down, &up);
        r->up += up;
        r->down += down;
        r->devices++;
        day_device_leave(&g->devices[i]);
      }
      check_equal(g, r->digest);
      break;
    case 'N': each_sync(g, port, r, 0); break;
    case 'F': each_sync(g, port, r, 1); break;
    default: _exit(0);
  }
  if (what != 'N' && what != 'F') r->wall = bench_wall() - wall;
  if (what == 'F') check_equal(g, r->digest);
  r->cpu = bench_cpu() - cpu;
}

void day_grid_start(day_grid *g, uint16_t port) {
  int ends[2];
  char what;
  day_report r;
  fflush(NULL);
  BENCH_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  g->pid = fork();
  BENCH_CHECK(g->pid >= 0);
  g->to = ends[g->pid ? 0 : 1];
  close(ends[g->pid ? 1 : 0]);
  if (g->pid) return;
  for (uint32_t i = 0; i < g->n; i++) day_device_open(&g->devices[i]);
  while (read(g->to, &what, 1) == 1) {
    run_one(g, port, what, &r);
    if (write(g->to, &r, sizeof r) != (ssize_t)sizeof r) _exit(1);
  }
  _exit(0);
}

void day_grid_say(const day_grid *g, char what) { BENCH_CHECK(write(g->to, &what, 1) == 1); }

void day_grid_hear(const day_grid *g, day_report *out) {
  size_t n = 0;
  while (n < sizeof *out) {
    ssize_t got = read(g->to, (uint8_t *)out + n, sizeof *out - n);
    if (got <= 0) bench_fail("a grid's process ended", 0);
    n += (size_t)got;
  }
}

void day_grid_end(day_grid *g) {
  int status;
  day_grid_say(g, 'Q');
  close(g->to);
  BENCH_CHECK(waitpid(g->pid, &status, 0) == g->pid);
  BENCH_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  for (uint32_t i = 0; i < g->n; i++) day_device_close(&g->devices[i]);
  free(g->devices);
}

/* --- all grids --- */

typedef struct world {
  day_hub hub;
  day_grid grids[GRIDS_MAX];
  uint32_t n;
} world;

static void all(world *w, char what, day_report *sum) {
  day_report one;
  memset(sum, 0, sizeof *sum);
  for (uint32_t g = 0; g < w->n; g++) day_grid_say(&w->grids[g], what);
  for (uint32_t g = 0; g < w->n; g++) {
    day_grid_hear(&w->grids[g], &one);
    sum->up += one.up;
    sum->down += one.down;
    sum->cpu += one.cpu;
    sum->wall = one.wall > sum->wall ? one.wall : sum->wall;
    sum->flights = one.flights > sum->flights ? one.flights : sum->flights;
    sum->devices += one.devices;
    if (what == 'B' || what == 'F') memcpy(w->grids[g].digest, one.digest, 16);
  }
}

/* Few at a time: so that a session ends in its time where the machine has much else to do. */
static void some(world *w, char what) {
  day_report one;
  for (uint32_t from = 0, to; from < w->n; from = to) {
    to = from + 5 < w->n ? from + 5 : w->n;
    for (uint32_t g = from; g < to; g++) day_grid_say(&w->grids[g], what);
    for (uint32_t g = from; g < to; g++) day_grid_hear(&w->grids[g], &one);
  }
}

static void open_world(world *w, uint32_t grids, uint32_t stores, uint32_t devices,
                       uint32_t base) {
  memset(w, 0, sizeof *w);
  w->n = grids;
  signal(SIGPIPE, SIG_IGN);
  day_hub_make(&w->hub, "day", grids, stores, "");
  for (uint32_t g = 0; g < grids; g++) {
    day_grid *x = &w->grids[g];
    *x = (day_grid){.number = g, .n = devices, .base = base};
    x->devices = calloc(devices, sizeof *x->devices);
    BENCH_CHECK(x->devices);
    for (uint32_t i = 0; i < devices; i++)
      day_device_make(&x->devices[i], g * DAY_PER_GRID + i, &w->hub, g);
  }
  day_hub_start(&w->hub);
  for (uint32_t g = 0; g < grids; g++) day_grid_start(&w->grids[g], w->hub.port);
}

/* How many of the grids are in a store of the hub, each as its devices have it. */
static uint32_t check_store(world *w, uint32_t number) {
  char path[600];
  qm_store *store;
  qm_engine *engine;
  qm_error e = {0, ""};
  uint32_t found = 0;
  qm_engine_options o = {.size = sizeof o, .flags = QM_ENGINE_HUB, .device = {{0xff}}};
  if (number) snprintf(path, sizeof path, "%s/spaces-%u.db", w->hub.dir, (unsigned)number + 1);
  else snprintf(path, sizeof path, "%s/spaces.db", w->hub.dir);
  BENCH_OK(qm_store_sqlite_open(&w->hub.env, path, 0, &store, &e));
  BENCH_OK(qm_engine_open(&engine, &w->hub.env, store, &o, &e));
  for (uint32_t g = 0; g < w->n; g++) {
    char name[16];
    uint8_t digest[16];
    qm_digest d;
    int n = snprintf(name, sizeof name, "g%05u", g);
    qm_space *s = qm_engine_space_named(engine, qm_slice_of(name, (size_t)n));
    if (!s) continue;
    qm_space_digest(s, &d);
    qm_digest_bytes(&d, digest);
    BENCH_CHECK(memcmp(digest, w->grids[g].digest, 16) == 0);
    found++;
  }
  qm_engine_close(engine);
  store->ops->close(store);
  return found;
}

/* Stops the hub and reads its stores: they hold what its devices do. */
static void close_world(world *w) {
  uint32_t found = 0;
  day_hub_stop(&w->hub);
  for (uint32_t i = 0; i < w->hub.stores; i++) found += check_store(w, i);
  BENCH_CHECK(found == w->n);
  for (uint32_t g = 0; g < w->n; g++) day_grid_end(&w->grids[g]);
  day_hub_free(&w->hub);
}

/* --- figures --- */

static void day(bench *b, uint32_t grids, uint32_t stores) {
  world w;
  day_report r, bytes;
  double n = grids * DAY_PER_GRID;
  open_world(&w, grids, stores, DAY_PER_GRID, DAY_BASE);
  some(&w, 'S');
  all(&w, 'E', &r);
  day_hub_settle(&w.hub, 50);
  double at[3], wall = bench_wall();
  at[0] = day_hub_cpu(&w.hub);
  all(&w, 'C', &r);
  double connected = bench_wall() - wall;
  day_hub_settle(&w.hub, 5);
  at[1] = day_hub_cpu(&w.hub);
  wall = bench_wall();
  all(&w, 'G', &r);
  wall = bench_wall() - wall;
  double clients = r.cpu;
  day_hub_settle(&w.hub, 50);
  at[2] = day_hub_cpu(&w.hub);
  all(&w, 'B', &bytes);
  BENCH_CHECK(bytes.devices == n);
  if (grids == 10) {
    day_report none;
    bench_add(b, "day.cpu", (at[2] - at[1]) / n / DAY_EDITS * 1e6);
    bench_add(b, "day.wall", wall);
    bench_add(b, "day.wall_with_handshakes", wall + connected);
    bench_add(b, "day.devices_cpu", clients / n / DAY_EDITS * 1e6);
    bench_add(b, "day.handshake_cpu", (at[1] - at[0]) / n * 1e6);
    bench_add(b, "day.up", (double)bytes.up / n / 1e3);
    bench_add(b, "day.down", (double)bytes.down / n / 1e3);
    all(&w, 'N', &none);
    bench_add(b, "day.nothing_up", (double)none.up / n);
    bench_add(b, "day.nothing_down", (double)none.down / n);
    bench_add(b, "day.nothing_trips", (double)none.flights);
  } else if (stores == 1) {
    bench_add(b, "day.200.one_store.cpu", (at[2] - at[1]) / n / DAY_EDITS * 1e6);
    bench_add(b, "day.200.one_store.wall", wall);
  } else {
    bench_add(b, "day.200.cpu", (at[2] - at[1]) / n / DAY_EDITS * 1e6);
    bench_add(b, "day.200.wall", wall);
    bench_add(b, "day.200.wall_with_handshakes", wall + connected);
  }
  close_world(&w);
}

static void bootstrap(bench *b) {
  world w;
  day_report r;
  open_world(&w, 1, STORES, 2, BOOT_BASE);
  some(&w, 'S');
  day_hub_settle(&w.hub, 50);
  double cpu = day_hub_cpu(&w.hub);
  all(&w, 'F', &r);
  day_hub_settle(&w.hub, 50);
  bench_add(b, "day.bootstrap.wall", r.wall);
  bench_add(b, "day.bootstrap.device_cpu", r.cpu);
  bench_add(b, "day.bootstrap.cpu", day_hub_cpu(&w.hub) - cpu);
  bench_add(b, "day.bootstrap.bytes", (double)r.down / 1e6);
  close_world(&w);
}

void bench_day(bench *b, int runs) {
  const char *only = getenv("DAY"); /* DAY=rush, rush200, one_store, bootstrap, handshakes, idle */
#define WANTED(name) (!only || strcmp(only, name) == 0)
  bench_figure(b, "day.cpu", "us/edit", 20, 0, NULL);
  bench_figure(b, "day.wall", "s", 1, 0, NULL);
  bench_figure(b, "day.wall_with_handshakes", "s", 0, 0, NULL);
  bench_figure(b, "day.devices_cpu", "us/edit", 0, 0, NULL);
  bench_figure(b, "day.handshake_cpu", "us", 0, 0, NULL);
  bench_figure(b, "day.up", "kB", 16, 0, NULL);
  bench_figure(b, "day.down", "kB", 64, 0, NULL);
  bench_figure(b, "day.nothing_up", "B", 300, 0, NULL);
  bench_figure(b, "day.nothing_down", "B", 300, 0, NULL);
  bench_figure(b, "day.nothing_trips", "n", 1, 0, NULL);
  bench_figure(b, "day.200.cpu", "us/edit", 20, 0, NULL);
  bench_figure(b, "day.200.wall", "s", 3, 0, NULL);
  bench_figure(b, "day.200.wall_with_handshakes", "s", 0, 0, NULL);
  bench_figure(b, "day.200.one_store.cpu", "us/edit", 0, 0, NULL);
  bench_figure(b, "day.200.one_store.wall", "s", 0, 0, NULL);
  bench_figure(b, "day.bootstrap.wall", "s", 0.15, 0, NULL);
  bench_figure(b, "day.bootstrap.device_cpu", "s", 0, 0, NULL);
  bench_figure(b, "day.bootstrap.cpu", "s", 0, 0, NULL);
  bench_figure(b, "day.bootstrap.bytes", "MB", 0.25, 0, NULL);
  for (int i = 0; i < runs; i++) {
    if (WANTED("rush")) day(b, 10, STORES);
    if (WANTED("rush200") && i % 2 == 0) day(b, 40, STORES); /* it is four such days already */
    if (WANTED("one_store") && i % 2 == 0) day(b, 40, 1);
    if (WANTED("bootstrap")) bootstrap(b);
  }
  if (WANTED("handshakes")) day_handshakes(b, runs);
  if (WANTED("idle")) day_idle(b, runs);
}
