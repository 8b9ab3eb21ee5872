/* support_live: a hub, and devices that stay connected to it, each on a thread of its own.
 * Nothing here sleeps: every wait is for a device's engine to be left, and fails after
 * HUB_WAIT_MS. All names are invented. */
#ifndef QM_TEST_SUPPORT_LIVE_H
#define QM_TEST_SUPPORT_LIVE_H

#include <pthread.h>

#include "sync/uv/hub.h"
#include "tests/unit/support_hub.h"

typedef struct live_hub {
  hub_device own; /* key, store, engine: of a store thread while the hub runs */
  hub_device empty; /* the first shard, which has no space: what is asked of one passes it by */
  qm_ca *ca;
  qm_buf cert;
  qm_hub_config config;
  qm_hub_backend backend;
  qm_answer_policy policy;
  qm_hub *hub;
  pthread_t thread;
  int rc;
  pthread_mutex_t lock; /* of what follows */
  int approve;          /* 1: approve whatever is set aside, at the next round of work */
  int members;          /* so many membership entries to write at the next round of work */
} live_hub;

void live_hub_open(live_hub *h); /* the space "grid": household for all, notice for "office" */
void live_hub_close(live_hub *h); /* stops it where it runs */
void live_hub_start(live_hub *h);
void live_hub_stop(live_hub *h);

typedef struct live_device {
  hub_device d;
  pthread_mutex_t lock; /* of d, and of what follows */
  pthread_cond_t moved;
  qm_client_wake *wake;
  pthread_t thread;
  uint16_t port;
  int stop, is_live, runs, rc;
} live_device;

/* Opened, certified, synced once. */
void live_device_open(live_device *l, live_hub *h);
void live_device_close(live_device *l); /* leaves first */
void live_device_stay(live_device *l);  /* returns once it is live */
void live_device_leave(live_device *l);
/* With the lock held the engine is the caller's. live_let_go says that something may be new. */
void live_take(live_device *l);
void live_let_go(live_device *l);
/* Until pred says yes; it is called with the lock held. */
void live_wait(live_device *l, int (*pred)(live_device *l, const void *arg), const void *arg);

/* A new record of the collection with this name; takes the lock itself. */
void live_write(live_device *l, uint32_t collection, const char *name);
/* arg: const uint64_t *: so many records are visible. */
int live_has_records(live_device *l, const void *arg);

#endif
