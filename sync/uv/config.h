/* config: qianmod.conf, one `key = value` a line, `#` begins a comment line.
 *
 *   listen          HOST:PORT, an IP address; [::]:PORT for IPv6; port 0: any free one
 *   name            what people call this hub
 *   log             a file, or stderr
 *   log-format      text or json
 *   log-level       error, warn, info or debug
 *   connections, per-address                  how many at once
 *   loops           threads that serve connections; 0, the default: as many as cores
 *   shards          stores that spaces are spread over, each with a thread of its own; without
 *                   it one, as in directories of before there were several
 *   log-days        for how long the log is kept at least; 0, the default: for ever
 *   handshake-ms, hello-ms, idle-ms, enrol-ms, drain-ms   patience with a peer
 *
 * No I/O; thread-safe. */
#ifndef QM_SYNC_UV_CONFIG_H
#define QM_SYNC_UV_CONFIG_H

#include "core/env.h"
#include "core/slice.h"

#define QM_CONFIG_SIZE_MAX 65536u

typedef struct qm_hub_config {
  char host[64];
  uint16_t port;
  char name[65];
  char log[1024];
  int log_json;
  qm_log_level log_level;
  uint32_t connections, per_address;
  uint32_t loops;
  uint32_t shards;
  uint32_t log_days;
  uint32_t handshake_ms, hello_ms, idle_ms, enrol_ms, drain_ms;
} qm_hub_config;

void qm_hub_config_default(qm_hub_config *c);
/* Reads text over what *c holds. QM_EUSAGE with the line and the key at fault: unknown
 * key, value out of range, line without '='. */
int qm_hub_config_parse(qm_hub_config *c, qm_slice text, qm_error *e);
/* "HOST:PORT" or "[HOST]:PORT". QM_EUSAGE. */
int qm_address_parse(const char *text, size_t len, char host[64], uint16_t *port);
/* A whole file with comments, for `init`. Returns its length; cap 4096 is enough. */
int qm_hub_config_print(const qm_hub_config *c, char *to, size_t cap);

#endif
