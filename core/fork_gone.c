/* The home hub that was put back is told by devices what it had decided before. What it holds
 * meanwhile of such a branch it takes back as everybody does (fork_cut.c), and shows to itself, as
 * a peer would that holds that branch: what was written upon it here is reissued (SPEC S21.10). */
#include <string.h>

#include "core/fork.h"

void qm__gone_init(qm__gone *gone, const qm_env *env) {
  memset(gone, 0, sizeof *gone);
  qm_arena_init(&gone->arena, env, (size_t)1 << 30);
}

void qm__gone_free(qm__gone *gone) { qm_arena_free(&gone->arena); }

struct qm__gone_segment {
  qm_slice batch;
  uint8_t head[QM_HEAD_SIZE];
  uint32_t author;
  uint64_t start, next;
  qm_dot *deps; /* of all its changes */
  uint32_t n_deps;
};

static struct qm__gone_segment *add(qm__gone *gone, qm_slice batch) {
  uint8_t *copy = qm_arena_copy(&gone->arena, batch.p, batch.n);
  struct qm__gone_segment *p =
      qm_arena_grow(&gone->arena, gone->p, gone->n, gone->n + 1u, sizeof *p);
  if (!copy || !p) return NULL;
  gone->p = p;
  p += gone->n++;
  *p = (struct qm__gone_segment){.batch = {copy, batch.n}};
  return p;
}

static int add_deps(qm__gone *gone, struct qm__gone_segment *p, const qm_segment *g) {
  size_t n = 0;
  memcpy(p->head, g->head, QM_HEAD_SIZE);
  p->author = g->author;
  p->start = g->start;
  p->next = g->next;
  for (uint32_t i = 0; i < g->n_changes; i++) n += g->changes[i].n_deps;
  p->deps = qm_arena_array(&gone->arena, n, sizeof *p->deps);
  if (!p->deps) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t d = 0; d < g->changes[i].n_deps; d++)
      p->deps[p->n_deps++] = g->changes[i].deps[d];
  return QM_OK;
}

int qm__gone_add(qm__gone *gone, const qm_space *s, const qm_segment *g) {
  qm_segment copy = *g;
  qm_batch batch = {&copy, 1};
  qm_buf b;
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  int rc = qm_batch_encode(&b, &batch, &s->authors, s->engine->zip_level);
  struct qm__gone_segment *p = rc == QM_OK ? add(gone, qm_buf_slice(&b)) : NULL;
  qm_buf_free(&b);
  if (rc == QM_OK) rc = p ? add_deps(gone, p, g) : QM_ENOMEM;
  return rc;
}

static int rests_on(const struct qm__gone_segment *p, const struct qm__gone_segment *on) {
  if (p->author == on->author) return p->start >= on->next;
  for (uint32_t i = 0; i < p->n_deps; i++)
    if (p->deps[i].author == on->author && p->deps[i].counter > on->start) return 1;
  return 0;
}

/* One from `done` on that rests on none of the others there. */
static uint32_t first_of(const qm__gone *gone, uint32_t done) {
  uint32_t at = done;
  for (uint32_t steps = done; steps < gone->n; steps++) { /* of forms of one run there are rings */
    uint32_t k = done;
    while (k < gone->n && (k == at || !rests_on(&gone->p[at], &gone->p[k]))) k++;
    if (k == gone->n) return at;
    at = k;
  }
  return done;
}

/* What one rests on comes before it. In order of arrival it may not, where a run was closed
 * twice (S18.8): the longer form of it came later. */
static void order(qm__gone *gone) {
  for (uint32_t done = 0; done < gone->n; done++) {
    uint32_t at = first_of(gone, done);
    struct qm__gone_segment next = gone->p[at];
    memmove(gone->p + done + 1, gone->p + done, (at - done) * sizeof next);
    gone->p[done] = next;
  }
}

int qm__gone_again(qm__gone *gone, qm_space *s, int *all) {
  qm_id key = qm__fork_peer_key(&s->engine->device, 0);
  int rc = QM_OK;
  order(gone);
  for (uint32_t i = 0; i < gone->n && rc == QM_OK; i++) {
    qm_ingest in = {.peer = s->engine->device}; /* judged when it was taken */
    rc = qm_engine_ingest(s->engine, s, gone->p[i].batch, &in, &gone->arena, NULL);
  }
  qm__fork_peer_drop(s, &key);
  *all = 1;
  for (uint32_t i = 0; i < gone->n; i++)
    *all &= qm__fork_stands(s, &s->authors.ids[gone->p[i].author], gone->p[i].head);
  return rc;
}
