/* replay_device: one device of a replay over TLS: key, certificate, SQLite store, engine
 * (internal to replay). Each may be driven by a thread of its own. */
#ifndef QM_REPLAY_DEVICE_H
#define QM_REPLAY_DEVICE_H

#include "adapters/cli/replay.h"
#include "sync/uv/client.h"

typedef struct qm_replay_device_state {
  qm_env env;
  qm_key *key;
  qm_buf cert, ca;
  qm_store *store;
  qm_engine *engine;
  qm_space *space;
  qm_id hub;
  char host[128];
  uint16_t port;
  uint64_t bytes_up, bytes_down, taken_up, taken_down;
  double apply_seconds; /* CPU of commits on this side */
} qm_replay_device_state;

/* env with the system's clock and generator. */
qm_env qm_replay_env(void);
/* Makes a key, enrols it, makes the store at `path`, takes the spaces given. `as` is the
 * device id it writes as. */
int qm_replay_device_open(qm_replay_device_state *d, const char *path, const char *hub_address,
                          const char *code, const qm_id *as, qm_error *e);
/* One whole session; replicas that differ, refusals and stopped spaces are errors. */
int qm_replay_device_sync(qm_replay_device_state *d, qm_error *e);
void qm_replay_device_close(qm_replay_device_state *d);
/* "HOST:PORT" */
int qm_replay_address(const char *text, char host[128], uint16_t *port, qm_error *e);

#endif
