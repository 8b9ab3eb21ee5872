/* support_hub: devices with memory stores that sync over real sockets, and sockets that
 * misbehave. Nothing here sleeps: every wait is for bytes, an end, or a process. */
#ifndef QM_TEST_SUPPORT_HUB_H
#define QM_TEST_SUPPORT_HUB_H

#include "core/write.h"
#include "sync/tls.h"
#include "sync/uv/client.h"
#include "sync/uv/hub.h"

#define HUB_NOW_MS UINT64_C(1935904150000) /* 2031-05-07 */
#define HUB_WAIT_MS 20000                  /* a wait that takes this long has failed */

/* A device: key, certificate, store, engine. Its clock is real where now_ms is 0. */
typedef struct hub_device {
  qm_env env;
  uint64_t now_ms;
  uint8_t instance[16];
  qm_key *key;
  qm_buf cert, ca;
  qm_store *store;
  qm_engine *engine;
  qm_client_result result; /* of the last sync */
  qm_error error;
} hub_device;

void hub_device_open(hub_device *d, uint64_t now_ms);
void hub_device_close(hub_device *d);
/* A certificate of `ca`, made at `at_ms`. */
void hub_device_certify(hub_device *d, const qm_ca *ca, uint64_t at_ms);
/* An authority, and its certificate for the device's key as a hub's. */
void hub_device_authority(hub_device *d, qm_ca **ca, qm_buf *cert);
/* A hub of this device's key, certified so, over shards that the caller keeps; no flags. */
qm_hub_options hub_options_of(const hub_device *d, const qm_ca *ca, const qm_buf *cert,
                              const qm_hub_config *config, const qm_hub_shard *shards,
                              uint32_t n_shards);
int hub_device_sync(hub_device *d, uint16_t port);
/* Enrols by the code and takes the spaces of the answer. */
int hub_device_enrol(hub_device *d, uint16_t port, const char *code);
/* A space of households, which it may read and write; its id begins with this letter. */
void hub_device_add_space(hub_device *d, char letter, const char *name);
/* A new household with this name; in the space of this name, or the first (NULL). */
void hub_device_write(hub_device *d, const char *space, const char *name);
/* The first space with another role, as if a grant had said so. */
void hub_device_role(hub_device *d, const char *role);
/* Visible households of the first space. */
uint64_t hub_device_count(hub_device *d);
/* Digest of the first space, in hex. */
void hub_device_digest(hub_device *d, char to[33]);
qm_space *hub_device_space(hub_device *d);
/* A record of its first space goes as with a bad page, and a check finds that. */
void hub_device_lose(hub_device *d);
/* The one batch of `from` that `vv` lacks goes to `to`, as if that session had brought it. */
void hub_device_hand_on(hub_device *from, hub_device *to, qm_vv_list vv, uint64_t session);

/* The schema that hub_device_write writes in, as JSON and compiled. */
extern const char hub_schema_json[];
void hub_schema(qm_buf *out);

/* --- raw peers --- */
int hub_connect(uint16_t port); /* a socket */
void hub_send(int fd, const void *p, size_t n);
/* Everything until the peer closes; the number of bytes, at most cap. Fails after
 * HUB_WAIT_MS. */
size_t hub_read_all(int fd, uint8_t *to, size_t cap);

/* A TLS client of the device's over a raw socket, with plain bytes by hand. */
typedef struct hub_raw {
  int fd;
  qm_tls *tls;
} hub_raw;
void hub_raw_open(hub_raw *r, hub_device *d, uint16_t port); /* handshake is over */
void hub_raw_send(hub_raw *r, const uint8_t *p, size_t n);
/* Reads until the peer closes; the plain bytes that came. */
size_t hub_raw_read_all(hub_raw *r);
void hub_raw_close(hub_raw *r);

#endif
