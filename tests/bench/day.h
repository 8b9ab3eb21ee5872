/* day: the sync day: grids of five devices that hold a base of records, edit offline, and all
 * come back at the same moment. The hub is a process of its own, and so are the devices of
 * each grid; they meet over TLS on loopback. */
#ifndef QM_BENCH_DAY_H
#define QM_BENCH_DAY_H

#include <sys/types.h>

#include "core/write.h"
#include "sync/answer.h"
#include "sync/ca.h"
#include "sync/tls.h"
#include "sync/uv/hub_limits.h"
#include "tests/bench/bench.h"

#define DAY_PER_GRID 5u
#define DAY_EDITS 200u
#define DAY_BASE 1000u
#define DAY_SHARED 20u
#define DAY_FIELDS 4u /* of one edit */

/* --- what is written: the same as the generator of the trace writes --- */

/* The schema as JSON; fields are numbered in the order of the generator. */
extern const char day_schema[];
/* Creates `base` records of a grid, one change each. */
void day_write_base(qm_engine *e, qm_space *s, uint32_t grid, uint32_t base);
/* The offline edits of a device, one change each: DAY_EDITS of DAY_FIELDS ops. */
void day_write_edits(qm_engine *e, qm_space *s, uint32_t device);

/* --- a hub's directory and process --- */

typedef struct day_hub {
  char dir[256], program[1024], log[300], address[128];
  pid_t pid;
  uint16_t port;
  uint32_t stores;
  qm_env env;
  qm_ca *ca;
  qm_buf ca_cert;
} day_hub;

/* An empty hub with `grids` spaces (g00000…) in so many stores, below build/bench/`name`.
 * `settings`: lines to add to its settings file. */
void day_hub_make(day_hub *h, const char *name, uint32_t grids, uint32_t stores,
                  const char *settings);
/* A certificate for the key, and its place in hub.db, with the space of its grid. */
void day_hub_admit(day_hub *h, const qm_key *key, uint32_t grid, qm_buf *cert);
void day_hub_start(day_hub *h);
double day_hub_cpu(const day_hub *h); /* seconds */
/* Waits until it does nothing, for as long as `ms`. */
void day_hub_settle(const day_hub *h, unsigned ms);
void day_hub_stop(day_hub *h); /* and checks that it ended orderly */
void day_hub_free(day_hub *h);

/* --- a device: engine on a store in memory, TLS over a blocking socket --- */

typedef struct day_device {
  qm_env env;
  uint8_t instance[16];
  uint32_t number;
  qm_key *key;
  qm_buf cert, ca;
  qm_store *store;
  qm_engine *engine;
  qm_answer answer;
  qm_answer_policy policy;
  qm_tls_config *config;
  qm_buf ticket; /* of the last connection; resumed where `resumes` */
  int resumes;
  /* of one connection */
  int fd, over, live, equal, waits, leaving;
  qm_tls *tls;
  qm_session *session;
  uint8_t rest[QM_TLS_IN_MAX];
  size_t rest_n;
  uint64_t flights; /* times that it said something and waited for an answer */
  uint64_t up, down;
} day_device;

/* Only key and certificate: before the fork of the device's process. */
void day_device_make(day_device *d, uint32_t number, day_hub *h, uint32_t grid);
void day_device_open(day_device *d);
void day_device_close(day_device *d);
qm_space *day_device_space(const day_device *d);
/* TCP and TLS. */
void day_device_connect(day_device *d, uint16_t port);
/* Begins a session; `live`: it stays. */
void day_device_begin(day_device *d, int live);
/* What came, and what is to be said, without waiting. */
void day_device_turn(day_device *d);
/* A whole session, until it is closed with QM_OK. */
void day_device_sync(day_device *d, uint16_t port);
/* Says BYE and waits for the end. */
void day_device_leave(day_device *d);
void day_device_drop(day_device *d); /* the connection */

/* --- a process per grid, told what to do by one byte --- */

typedef struct day_report {
  double wall, cpu;
  uint64_t up, down, flights, counters;
  uint32_t devices;
  uint8_t digest[16];
} day_report;

typedef struct day_grid {
  pid_t pid;
  int to;
  uint32_t number, n, base;
  day_device *devices;
  uint8_t digest[16]; /* of its replicas at the end */
} day_grid;

void day_grid_start(day_grid *g, uint16_t port);
void day_grid_say(const day_grid *g, char what);
void day_grid_hear(const day_grid *g, day_report *out);
void day_grid_end(day_grid *g);

/* --- suites --- */
void day_handshakes(bench *b, int runs);
void day_idle(bench *b, int runs);

#endif
