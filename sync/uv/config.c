#include "sync/uv/config.h"

#include <stdio.h>
#include <string.h>

#include "sync/limits.h"
#include "sync/uv/hub_limits.h"

void qm_hub_config_default(qm_hub_config *c) {
  memset(c, 0, sizeof *c);
  memcpy(c->host, "0.0.0.0", 8);
  c->port = 7440;
  memcpy(c->log, "stderr", 7);
  c->log_level = QM_LOG_INFO;
  c->connections = QM_HUB_CONNECTIONS_DEFAULT;
  c->per_address = QM_HUB_PER_ADDRESS_DEFAULT;
  c->shards = 1;
  c->handshake_ms = QM_HUB_HANDSHAKE_MS_DEFAULT;
  c->hello_ms = QM_HUB_HELLO_MS_DEFAULT;
  c->idle_ms = QM_HUB_IDLE_MS_DEFAULT;
  c->enrol_ms = QM_HUB_ENROL_MS_DEFAULT;
  c->drain_ms = QM_HUB_DRAIN_MS_DEFAULT;
}

static int is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static qm_slice trim(const char *p, size_t n) {
  while (n && is_space(*p)) p++, n--;
  while (n && is_space(p[n - 1])) n--;
  return qm_slice_of(p, n);
}

static int is(qm_slice s, const char *text) {
  return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static int number(qm_slice s, uint32_t min, uint32_t max, uint32_t *out) {
  uint64_t v = 0;
  if (!s.n || s.n > 9) return QM_EUSAGE;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') return QM_EUSAGE;
    v = v * 10 + (uint64_t)(s.p[i] - '0');
  }
  if (v < min || v > max) return QM_EUSAGE;
  *out = (uint32_t)v;
  return QM_OK;
}

static int text(qm_slice s, char *to, size_t size) {
  if (!s.n || s.n >= size) return QM_EUSAGE;
  memcpy(to, s.p, s.n);
  to[s.n] = '\0';
  return QM_OK;
}

static int one_of(qm_slice s, const char *const *words, size_t n, int *out) {
  for (size_t i = 0; i < n; i++)
    if (is(s, words[i])) {
      *out = (int)i;
      return QM_OK;
    }
  return QM_EUSAGE;
}

int qm_address_parse(const char *p, size_t len, char host[64], uint16_t *port) {
  size_t colon = len;
  uint32_t v;
  while (colon && p[colon - 1] != ':') colon--;
  if (!colon) return QM_EUSAGE;
  QM_TRY(number(qm_slice_of(p + colon, len - colon), 0, 65535, &v));
  size_t n = colon - 1;
  if (n >= 2 && p[0] == '[' && p[n - 1] == ']') p++, n -= 2;
  else if (memchr(p, ':', n)) return QM_EUSAGE;
  for (size_t i = 0; i < n; i++)
    if (is_space(p[i])) return QM_EUSAGE;
  QM_TRY(text(qm_slice_of(p, n), host, 64));
  *port = (uint16_t)v;
  return QM_OK;
}

static const char *const formats[] = {"text", "json"};
static const char *const levels[] = {"error", "warn", "info", "debug"}; /* as qm_log_level */

static int apply(qm_hub_config *c, qm_slice key, qm_slice value) {
  const struct {
    const char *name;
    uint32_t *to, min, max;
  } numbers[] = {{"connections", &c->connections, 1, 1000000},
                 {"per-address", &c->per_address, 1, 1000000},
                 {"loops", &c->loops, 0, QM_HUB_LOOPS_MAX},
                 {"shards", &c->shards, 1, QM_HUB_SHARDS_MAX},
                 {"log-days", &c->log_days, 0, 36500},
                 {"handshake-ms", &c->handshake_ms, 50, 600000},
                 {"hello-ms", &c->hello_ms, 50, QM_SYNC_HELLO_MS},
                 {"idle-ms", &c->idle_ms, 50, QM_SYNC_IDLE_MS},
                 {"enrol-ms", &c->enrol_ms, 50, 600000},
                 {"drain-ms", &c->drain_ms, 0, 600000}};
  int word;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (is(key, numbers[i].name))
      return number(value, numbers[i].min, numbers[i].max, numbers[i].to);
  if (is(key, "listen")) return qm_address_parse((const char *)value.p, value.n, c->host, &c->port);
  if (is(key, "name")) return text(value, c->name, sizeof c->name);
  if (is(key, "log")) return text(value, c->log, sizeof c->log);
  if (is(key, "log-format")) return one_of(value, formats, 2, &c->log_json);
  if (!is(key, "log-level")) return QM_EUSAGE;
  QM_TRY(one_of(value, levels, 4, &word));
  c->log_level = (qm_log_level)word;
  return QM_OK;
}

static int line(qm_hub_config *c, const char *p, size_t n, unsigned at, qm_error *e) {
  qm_slice all = trim(p, n);
  if (!all.n || all.p[0] == '#') return QM_OK;
  const uint8_t *eq = memchr(all.p, '=', all.n);
  if (!eq) return qm_fail(e, QM_EUSAGE, "qianmod.conf, line %u: no '='", at);
  size_t left = (size_t)(eq - all.p);
  qm_slice key = trim((const char *)all.p, left);
  qm_slice value = trim((const char *)eq + 1, all.n - left - 1);
  if (apply(c, key, value) == QM_OK) return QM_OK;
  return qm_fail(e, QM_EUSAGE, "qianmod.conf, line %u: unknown key or wrong value: %.*s", at,
                 key.n < 32 ? (int)key.n : 32, (const char *)key.p);
}

int qm_hub_config_parse(qm_hub_config *c, qm_slice in, qm_error *e) {
  const char *p = (const char *)in.p, *end = p + in.n;
  if (in.n > QM_CONFIG_SIZE_MAX || (in.n && memchr(in.p, 0, in.n)))
    return qm_fail(e, QM_EUSAGE, "qianmod.conf is no text file");
  for (unsigned at = 1; p < end; at++) {
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    if (!stop) stop = end;
    QM_TRY(line(c, p, (size_t)(stop - p), at, e));
    p = stop + 1;
  }
  return QM_OK;
}

int qm_hub_config_print(const qm_hub_config *c, char *to, size_t cap) {
  int v6 = strchr(c->host, ':') != NULL;
  return snprintf(
      to, cap,
      "# Settings of this hub; read at the start. One `key = value` a line.\n"
      "listen = %s%s%s:%u\n"
      "%s%s%s"
      "# A file or stderr; SIGHUP opens it anew.\n"
      "log = %s\n"
      "# text or json\n"
      "log-format = %s\n"
      "# error, warn, info or debug\n"
      "log-level = %s\n"
      "# Connections at once, and of one address.\n"
      "connections = %u\n"
      "per-address = %u\n"
      "# Threads that serve connections; 0: as many as there are cores.\n"
      "loops = %u\n"
      "# Stores that spaces are spread over, each with a thread of its own: a space goes into\n"
      "# the one with the fewest, and stays there. Their number may be raised (at the next start,\n"
      "# for spaces added from then on), and never falls.\n"
      "shards = %u\n"
      "# For so many days at least the log says who changed what; 0: for ever. Older parts go\n"
      "# once every device that still syncs has them.\n"
      "log-days = %u\n"
      "# Patience with a peer: until TLS is open, until it says what it wants, without\n"
      "# progress, for an enrolment; for all of them after SIGTERM.\n"
      "handshake-ms = %u\nhello-ms = %u\nidle-ms = %u\nenrol-ms = %u\ndrain-ms = %u\n",
      v6 ? "[" : "", c->host, v6 ? "]" : "", (unsigned)c->port,
      c->name[0] ? "name = " : "", c->name, c->name[0] ? "\n" : "", c->log,
      formats[c->log_json != 0], levels[c->log_level], (unsigned)c->connections,
      (unsigned)c->per_address, (unsigned)c->loops, (unsigned)c->shards, (unsigned)c->log_days,
      (unsigned)c->handshake_ms, (unsigned)c->hello_ms, (unsigned)c->idle_ms,
      (unsigned)c->enrol_ms, (unsigned)c->drain_ms);
}
