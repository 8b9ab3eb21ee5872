/* no_net_carrier.c: what stands under the names of sync/tls.h in a library built without the
 * network (QM_NO_NET): a link's bytes are those of the session itself, and the program has
 * carried them over TLS of its own. So nothing is encrypted here and nobody's certificate is
 * seen: qm_tls_peer finds none, and the handle takes the hub that the enrolment has noted.
 *
 * The bounds are those of the TLS engine, so that a driver works with either. */
#include <string.h>

#include "core/mem.h"
#include "sync/tls.h"

struct qm_tls_config {
  const qm_env *env;
};

typedef struct queue {
  uint8_t *p;
  size_t n, room;
} queue;

struct qm_tls {
  const qm_env *env;
  queue in, out;
  int is_shut;
};

int qm_tls_config_client(const qm_env *env, qm_slice ca, qm_slice cert, const qm_key *key,
                         qm_tls_config **out) {
  (void)ca, (void)cert, (void)key;
  qm_tls_config *c = qm_alloc_zero(env, sizeof *c);
  if (!c) return QM_ENOMEM;
  c->env = env;
  *out = c;
  return QM_OK;
}

/* The program's own TLS has asked whom it liked. */
void qm_tls_config_judge(qm_tls_config *c, qm_tls_judge judge, void *payload) {
  (void)c, (void)judge, (void)payload;
}

void qm_tls_config_free(qm_tls_config *c) {
  if (c) qm_free(c->env, c);
}

static int queue_open(queue *q, const qm_env *env, size_t room) {
  q->p = qm_alloc_zero(env, room);
  q->room = room;
  return q->p ? QM_OK : QM_ENOMEM;
}

/* As much as there is room for. */
static size_t queue_put(queue *q, const uint8_t *p, size_t n) {
  if (n > q->room - q->n) n = q->room - q->n;
  if (n) memcpy(q->p + q->n, p, n);
  q->n += n;
  return n;
}

static size_t queue_get(queue *q, uint8_t *to, size_t cap) {
  size_t n = q->n < cap ? q->n : cap;
  if (!n) return 0;
  memcpy(to, q->p, n);
  q->n -= n;
  memmove(q->p, q->p + n, q->n);
  return n;
}

int qm_tls_new(qm_tls_config *c, qm_tls **out) {
  qm_tls *t = qm_alloc_zero(c->env, sizeof *t);
  if (!t) return QM_ENOMEM;
  t->env = c->env;
  int rc = queue_open(&t->in, c->env, QM_TLS_IN_MAX);
  if (rc == QM_OK) rc = queue_open(&t->out, c->env, QM_TLS_OUT_MAX);
  if (rc != QM_OK) {
    qm_tls_free(t);
    return rc;
  }
  *out = t;
  return QM_OK;
}

void qm_tls_free(qm_tls *t) {
  if (!t) return;
  qm_free(t->env, t->in.p);
  qm_free(t->env, t->out.p);
  qm_free(t->env, t);
}

int qm_tls_feed(qm_tls *t, const uint8_t *in, size_t len, size_t *used) {
  *used = queue_put(&t->in, in, len);
  return QM_OK;
}

int qm_tls_take(qm_tls *t, uint8_t *to, size_t cap, size_t *len) {
  *len = queue_get(&t->out, to, cap);
  return QM_OK;
}

size_t qm_tls_pending(const qm_tls *t) { return t->out.n; }

int qm_tls_read(qm_tls *t, uint8_t *to, size_t cap, size_t *len) {
  *len = queue_get(&t->in, to, cap);
  return QM_OK;
}

int qm_tls_write(qm_tls *t, const uint8_t *p, size_t len, size_t *used) {
  *used = 0;
  if (t->is_shut) return QM_ESTATE;
  *used = queue_put(&t->out, p, len);
  return QM_OK;
}

/* That nothing more comes the program sees by qm_link_over. */
int qm_tls_shutdown(qm_tls *t) {
  t->is_shut = 1;
  return QM_OK;
}

qm_tls_state qm_tls_state_of(const qm_tls *t) {
  (void)t;
  return QM_TLS_OPEN;
}

int qm_tls_peer(const qm_tls *t, qm_cert *out) {
  (void)t;
  memset(out, 0, sizeof *out);
  return QM_ENOTFOUND;
}

int qm_tls_error(const qm_tls *t, qm_error *e) {
  (void)t, (void)e;
  return QM_OK;
}
