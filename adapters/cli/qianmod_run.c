/* qianmod run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/cli/qianmod.h"
#include "sync/uv/hub.h"

typedef struct serving {
  const hub_args *a;
  hub_dir dir;
  hub_stores stores;
  hub_backend backend;
  qm_hub *hub;
} serving;

static qm_tls_server identity(const serving *s) {
  return (qm_tls_server){
      .ca = qm_ca_cert(s->dir.ca), .cert = qm_buf_slice(&s->dir.cert), .key = s->dir.key};
}

static int reload(void *payload, qm_hub *hub) {
  serving *s = payload;
  int rc = qm_logger_reopen(&s->dir.logger, NULL);
  if (rc == QM_OK) rc = hub_load_cert(&s->dir, NULL);
  qm_tls_server tls = identity(s);
  return rc == QM_OK ? qm_hub_tls_set(hub, &tls) : rc;
}

/* Written beside and renamed: who waits for the file reads a whole port. */
static int write_port(const char *path, uint16_t port, qm_error *e) {
  char part[QM_FILE_PATH_MAX];
  int n = snprintf(part, sizeof part, "%s.part", path);
  if (n < 0 || (size_t)n >= sizeof part) return qm_fail(e, QM_EUSAGE, "--port-file: too long");
  FILE *f = fopen(part, "w");
  int ok = f && fprintf(f, "%u\n", (unsigned)port) > 0;
  if (f && fclose(f) != 0) ok = 0;
  if (ok && rename(part, path) == 0) return QM_OK;
  return qm_fail(e, QM_EIO, "%s: %s", path, strerror(errno));
}

static int announce(serving *s, qm_error *e) {
  const hub_args *a = s->a;
  const char *host = s->dir.config.host;
  unsigned port = qm_hub_port(s->hub);
  int v6 = strchr(host, ':') != NULL;
  if (a->port_file) QM_TRY(write_port(a->port_file, (uint16_t)port, e));
  /* One line that programs wait for; the same in every language. */
  printf("listening on %s%s%s:%u\n", v6 ? "[" : "", host, v6 ? "]" : "", port);
  return fflush(stdout) == 0 ? QM_OK : qm_fail(e, QM_EIO, "standard output is closed");
}

static int crash_option(const char *text, uint64_t *out) {
  static const char head[] = "commit-before-ack:";
  int64_t n;
  if (strncmp(text, head, sizeof head - 1) != 0) return QM_EUSAGE;
  if (qm_cli_number(text + sizeof head - 1, 1, INT64_MAX, &n) != 0) return QM_EUSAGE;
  *out = (uint64_t)n;
  return QM_OK;
}

/* A connection is a descriptor, and most systems give a process 1,024 unless it asks. */
static void raise_descriptors(const hub_dir *d) {
  struct rlimit r;
  rlim_t wanted = (rlim_t)d->config.connections + 128;
  if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= wanted)
    return;
  r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > wanted ? wanted : r.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur == wanted) return;
  qm_log(&d->env, QM_LOG_WARN, "%lu descriptors at most: fewer than %u connections need",
         (unsigned long)r.rlim_cur, (unsigned)d->config.connections);
}

/* Now, so that what is wrong with them is said here; later by each session's work. */
static int take_spaces(serving *s, uint32_t *n, qm_error *e) {
  for (uint32_t i = 0; i < s->stores.n; i++) {
    qm_engine *engine = s->stores.p[i].engine;
    int rc = hub_refresh(s->dir.db, &s->dir.env, i, engine);
    if (rc != QM_OK) return qm_fail(e, rc, "spaces of hub.db: %s", qm_err_text(rc));
    *n += qm_engine_space_count(engine);
  }
  int rc = hub_places_read(&s->backend.places, s->dir.db, &s->dir.env);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "spaces of hub.db: %s", qm_err_text(rc));
}

static int serve(serving *s, qm_error *e) {
  hub_dir *d = &s->dir;
  qm_hub_shard shards[QM_HUB_SHARDS_MAX];
  uint32_t n_spaces = 0;
  d->has_logger = qm_logger_open(&d->logger, d->config.log, d->config.log_json,
                                 d->config.log_level, e) == QM_OK;
  if (!d->has_logger) return e->code;
  raise_descriptors(d);
  QM_TRY(hub_stores_grow_to(d, d->config.shards, e));
  QM_TRY(hub_stores_open(d, 0, &s->stores, e));
  QM_TRY(hub_backend_open(&s->backend, d, &s->stores, e));
  QM_TRY(take_spaces(s, &n_spaces, e));
  if (s->a->crash && crash_option(s->a->crash, &s->backend.crash_at) != QM_OK)
    return qm_fail(e, QM_EUSAGE, "--test-crash commit-before-ack:N");
  for (uint32_t i = 0; i < s->stores.n; i++)
    shards[i] = (qm_hub_shard){s->stores.p[i].engine, &s->backend.shards[i].calls};
  uint32_t judged = QM_ANSWER_CHECK_AUTHOR | QM_ANSWER_CHECK_SCHEMA;
  qm_hub_options o = {.size = sizeof o,
                      .answer_flags = d->is_replay ? 0 : judged,
                      .env = &d->env,
                      .config = &d->config,
                      .tls = identity(s),
                      .shards = shards,
                      .n_shards = s->stores.n,
                      .signals = 1,
                      .reload = reload,
                      .payload = s};
  QM_TRY(qm_hub_open(&s->hub, &o, e));
  /* Before it is announced: whoever waits for that finds it in the log. */
  qm_log(&d->env, QM_LOG_INFO, "hub %s: %u spaces in %u stores",
         qm_short(qm_key_device(d->key)).text, (unsigned)n_spaces, (unsigned)s->stores.n);
  QM_TRY(announce(s, e));
  int rc = qm_hub_run(s->hub);
  qm_log(&d->env, QM_LOG_INFO, "stopped");
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "a store: %s", qm_err_text(rc));
}

int hub_verb_run(const hub_args *a) {
  serving s;
  qm_error e = {0, ""};
  struct sigaction ignore;
  memset(&s, 0, sizeof s);
  s.a = a;
  memset(&ignore, 0, sizeof ignore);
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, NULL);
  umask(0077);
  int rc = hub_open(&s.dir, a->positional[0], QM_DIR_KEYS | QM_DIR_LOCK, &e);
  if (rc == QM_EBUSY && s.dir.lock < 0) return hub_refuse(a, rc, QM_HUB_RUNNING, a->positional[0]);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (a->replay && !s.dir.is_replay) {
    hub_close(&s.dir);
    return hub_refuse(a, QM_EREFUSED, QM_HUB_REPLAY_ONLY);
  }
  if (!a->replay && s.dir.is_replay) {
    hub_close(&s.dir);
    return hub_refuse(a, QM_EREFUSED, QM_HUB_REPLAY_NEEDED);
  }
  if (a->listen && qm_address_parse(a->listen, strlen(a->listen), s.dir.config.host,
                                    &s.dir.config.port) != QM_OK)
    rc = qm_fail(&e, QM_EUSAGE, "--listen: HOST:PORT");
  if (rc == QM_OK) rc = serve(&s, &e);
  qm_hub_close(s.hub);
  hub_backend_close(&s.backend);
  hub_stores_close(&s.stores);
  hub_close(&s.dir);
  return rc == QM_OK ? QM_EXIT_DONE : hub_error(a, rc, &e);
}
