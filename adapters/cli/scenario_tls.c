/* scenario_tls.c: a scenario's hub as a process of its own, over TLS on loopback. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/replay_process.h"
#include "adapters/cli/scenario.h"

#define OUT_SIZE 4096

typedef struct tls_world {
  qm_world base;
  char program[QM_SCENARIO_PATH], hub_dir[QM_SCENARIO_PATH + 8], log[QM_SCENARIO_PATH + 16];
  char address[128];
  pid_t hub;
  struct ticket {
    const qm_scenario_device *device;
    char code[128];
  } *tickets;
  uint32_t n_tickets;
} tls_world;

static tls_world *of(qm_world *w) { return (tls_world *)(void *)w; }

static int world_space(qm_world *w, const char *name, const char *schema, qm_error *e) {
  char out[OUT_SIZE];
  const tls_world *x = of(w);
  const char *const add[] = {x->program, "space", "add",         x->hub_dir, name,
                             "--schema", schema,  "--test-data", NULL};
  return qm_process_run(add, out, sizeof out, e);
}

/* `qianmod enroll --json` prints {"code":"XXXX-…",…}. */
static int code_in(const char *out, char *code, size_t cap) {
  const char *at = strstr(out, "\"code\":\"");
  size_t n = at ? strcspn(at + 8, "\"") : 0;
  if (!n || n >= cap) return QM_EFORMAT;
  memcpy(code, at + 8, n);
  code[n] = 0;
  return QM_OK;
}

static int world_device(qm_world *w, qm_scenario_device *d, qm_error *e) {
  tls_world *x = of(w);
  char out[OUT_SIZE];
  const char *args[160];
  uint32_t n = 0;
  const char *const head[] = {x->program, "--json",  "enroll", x->hub_dir,
                              "--member", d->member, "--role", d->role};
  if (d->n_spaces > 64) return qm_fail(e, QM_EUSAGE, "%.60s: more than 64 spaces", d->name);
  for (; n < sizeof head / sizeof *head; n++) args[n] = head[n];
  for (uint32_t i = 0; i < d->n_spaces; i++) {
    args[n++] = "--space";
    args[n++] = d->spaces[i];
  }
  args[n] = NULL;
  void *more = realloc(x->tickets, (x->n_tickets + 1) * sizeof *x->tickets);
  if (!more) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  x->tickets = more;
  struct ticket *t = &x->tickets[x->n_tickets++];
  t->device = d;
  int rc = qm_process_run(args, out, sizeof out, e);
  if (rc == QM_OK && code_in(out, t->code, sizeof t->code) != QM_OK)
    rc = qm_fail(e, QM_EFORMAT, "scenario: qianmod enroll gave no code");
  return rc;
}

static int world_start(qm_world *w, qm_error *e) {
  tls_world *x = of(w);
  const char *const run[] = {x->program, "run", x->hub_dir, NULL};
  return qm_process_start(run, x->log, "listening on ", &x->hub, x->address, sizeof x->address, e);
}

static int world_join(qm_world *w, qm_scenario_device *d, qm_error *e) {
  tls_world *x = of(w);
  for (uint32_t i = 0; i < x->n_tickets; i++)
    if (x->tickets[i].device == d)
      return qm_enroll(d->db, qm_str(x->address), qm_str(x->tickets[i].code), qm_str(d->name), e);
  return qm_fail(e, QM_EINTERNAL, "scenario: a device without a code");
}

static int world_sync(qm_world *w, qm_scenario_device *d, qm_error *e) {
  (void)w;
  return qm_sync(d->db, NULL, e);
}

static void world_close(qm_world *w) {
  tls_world *x = of(w);
  if (x->hub > 0) (void)qm_process_stop(x->hub, NULL, NULL);
  free(x->tickets);
  free(x);
}

static const qm_world_ops ops = {world_space, world_device, world_start,
                                 world_join,  world_sync,   world_close};

int qm_world_tls(qm_world **out, const char *dir, qm_error *e) {
  char said[OUT_SIZE];
  tls_world *x = calloc(1, sizeof *x);
  if (!x) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  x->base.ops = &ops;
  (void)snprintf(x->hub_dir, sizeof x->hub_dir, "%s/hub", dir);
  (void)snprintf(x->log, sizeof x->log, "%s/hub.log", dir);
  const char *const init[] = {x->program, "init", x->hub_dir, "--listen", "127.0.0.1:0", NULL};
  int rc = qm_process_sibling("qianmod", x->program, sizeof x->program, e);
  if (rc == QM_OK) rc = qm_process_run(init, said, sizeof said, e);
  if (rc != QM_OK) {
    free(x);
    return rc;
  }
  *out = &x->base;
  return QM_OK;
}
