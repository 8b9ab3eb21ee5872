/* Idle connections: mutual TLS, a session that stays, nothing to say. The devices are a few
 * processes with thousands of connections each. QM_IDLE sets how many there are. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/day.h"

#define PROCESSES 4u
#define LOOK_MS 5000 /* a session asks for life after 20 s */
#define SPARE 200u /* descriptors for everything else */

static uint64_t resident(pid_t pid) {
  char path[64], line[256];
  unsigned long kb = 0;
  snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
  FILE *f = fopen(path, "r");
  if (!f) bench_fail(path, QM_EIO);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "VmRSS: %lu kB", &kb) == 1) break;
  fclose(f);
  return (uint64_t)kb * 1024;
}

/* As many as the hub may have descriptors for. */
static uint32_t wanted(void) {
  const char *text = getenv("QM_IDLE");
  uint32_t n = text ? (uint32_t)atoi(text) : 10000;
  struct rlimit r;
  BENCH_CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
  r.rlim_cur = r.rlim_max;
  BENCH_CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
  if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < n + SPARE) {
    n = (uint32_t)r.rlim_cur - SPARE;
    printf("idle: %u connections, since a process may have %lu descriptors\n", n,
           (unsigned long)r.rlim_cur);
  }
  return n;
}

typedef struct line {
  int fd;
  qm_tls *tls;
  qm_session *session;
} line;

/* The device at the end of one of its lines: what came is taken, the session asks whether the
 * hub is still there when it is time to. */
static void turn(day_device *d, const line *l) {
  d->fd = l->fd;
  d->tls = l->tls;
  d->session = l->session;
  day_device_turn(d);
  if (d->over) _exit(1);
  d->fd = -1;
  d->tls = NULL;
  d->session = NULL;
}

static line open_one(day_device *d, uint16_t port) {
  day_device_connect(d, port);
  day_device_begin(d, 1);
  while (!d->live) {
    struct pollfd p = {.fd = d->fd, .events = POLLIN};
    day_device_turn(d);
    if (d->over || (!d->live && poll(&p, 1, 60000) < 1)) _exit(1);
  }
  return (line){d->fd, d->tls, d->session};
}

/* Connections of one device, one after the other, each until it stays; one engine serves
 * them all. Then keeps them until it is told to end, and looks whether all are still there. */
static void child(day_device *d, uint16_t port, uint32_t n, int ready, int end) {
  char byte = 1;
  struct pollfd p = {.fd = end, .events = POLLIN};
  line *lines = calloc(n, sizeof *lines);
  double looked = bench_wall();
  if (!lines) _exit(1);
  day_device_open(d);
  day_device_sync(d, port); /* the grant */
  d->resumes = 1;           /* what waits is the same, and it is there sooner */
  for (uint32_t i = 0; i < n; i++) {
    lines[i] = open_one(d, port);
    if (bench_wall() - looked < LOOK_MS / 1e3) continue;
    looked = bench_wall();
    for (uint32_t k = 0; k <= i; k++) turn(d, &lines[k]);
  }
  if (write(ready, &byte, 1) != 1) _exit(1);
  do
    for (uint32_t i = 0; i < n; i++) turn(d, &lines[i]);
  while (poll(&p, 1, LOOK_MS) == 0);
  for (uint32_t i = 0; i < n; i++) turn(d, &lines[i]);
  _exit(0);
}

static void idle(bench *b, uint32_t n) {
  static day_device devices[PROCESSES];
  pid_t pids[PROCESSES];
  int ready[2], end[2], status;
  char byte;
  day_hub hub;
  day_hub_make(&hub, "idle", 1, QM_HUB_SHARDS_DEFAULT,
               "connections = 20000\nper-address = 20000\n");
  for (uint32_t i = 0; i < PROCESSES; i++) day_device_make(&devices[i], i, &hub, 0);
  day_hub_start(&hub);
  day_hub_settle(&hub, 50);
  BENCH_CHECK(pipe(ready) == 0 && pipe(end) == 0);
  fflush(NULL);
  for (uint32_t i = 0; i < PROCESSES; i++) {
    pids[i] = fork();
    BENCH_CHECK(pids[i] >= 0);
    if (pids[i]) continue;
    close(end[1]);
    child(&devices[i], hub.port, n / PROCESSES, ready[1], end[0]);
  }
  close(end[0]);
  close(ready[1]);
  uint64_t before = resident(hub.pid);
  double cpu = day_hub_cpu(&hub), wall = bench_wall();
  for (uint32_t i = 0; i < PROCESSES; i++)
    if (read(ready[0], &byte, 1) != 1) bench_fail("a process of idle devices ended", 0);
  double all = n / PROCESSES * PROCESSES;
  bench_add(b, "day.idle.connect_cpu", (day_hub_cpu(&hub) - cpu) / all * 1e6);
  bench_add(b, "day.idle.connect_wall", bench_wall() - wall);
  cpu = day_hub_cpu(&hub);
  wall = bench_wall();
  (void)poll(NULL, 0, 5000);
  bench_add(b, "day.idle.cpu", (day_hub_cpu(&hub) - cpu) / (bench_wall() - wall) * 100);
  bench_add(b, "day.idle.connections", all);
  bench_add(b, "day.idle", (double)(resident(hub.pid) - before) / 1e6 / (all / 1000));
  close(end[1]);
  for (uint32_t i = 0; i < PROCESSES; i++) {
    BENCH_CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    day_device_close(&devices[i]);
  }
  close(ready[0]);
  day_hub_stop(&hub);
  day_hub_free(&hub);
}

void day_idle(bench *b, int runs) {
  uint32_t n = wanted();
  (void)runs; /* once: ten thousand handshakes take their time */
  bench_figure(b, "day.idle.connections", "n", 10000, 1, NULL);
  bench_figure(b, "day.idle", "MB/1000", 30, 0, "day.limit.idle_tls");
  bench_figure(b, "day.idle.cpu", "%", 0, 0, NULL);
  bench_figure(b, "day.idle.connect_cpu", "us", 0, 0, NULL);
  bench_figure(b, "day.idle.connect_wall", "s", 0, 0, NULL);
  idle(b, n);
}
