#include "sync/uv/shard.h"

#include <string.h>
#include <uv.h>

#include "core/hash.h"
#include "sync/uv/hub_limits.h"
#include "sync/uv/log.h"
#include "sync/uv/own.h"

typedef struct queue {
  qm__job *first, **end;
} queue;

struct qm__shard {
  qm__shard_options options;
  const qm_env *env;
  qm_answer answer;
  uv_thread_t thread;
  uv_mutex_t lock; /* of what follows, up to `status` */
  uv_cond_t wake;
  queue in;
  int stopping;
  uint64_t groups, batches; /* committed */
  int status;
  uint64_t standing; /* store thread: of the round, 0: not known */
  qm__own own;       /* store thread */
};

/* --- jobs --- */

qm__job *qm__job_new(const qm_env *env, qm__job_kind kind, void *owner) {
  qm__job *job = qm_alloc_zero(env, sizeof *job);
  if (!job) return NULL;
  job->kind = kind;
  job->owner = owner;
  qm_answered_init(&job->out, env);
  qm_buf_init(&job->request, env, QM_ENROL_REQUEST_MAX);
  qm_buf_init(&job->response, env, QM_ENROL_RESPONSE_MAX + 4u);
  return job;
}

int qm__job_event(qm__job *job, const qm_env *env, const qm_event *ev) {
  size_t vv = ev->vv.n * sizeof *ev->vv.p;
  size_t asides = ev->asides.n * sizeof *ev->asides.p;
  size_t least = ev->safe_vv.n * sizeof *ev->safe_vv.p;
  size_t total = vv + least + asides + ev->blob.n + ev->proof.n;
  job->ev = *ev;
  if (!total) return QM_OK;
  job->copy = qm_alloc(env, total);
  if (!job->copy) return QM_ENOMEM;
  uint8_t *at = job->copy;
  if (vv) memcpy(at, ev->vv.p, vv);
  job->ev.vv.p = (const qm_vv_entry *)(const void *)at;
  at += vv;
  if (least) memcpy(at, ev->safe_vv.p, least);
  job->ev.safe_vv.p = (const qm_vv_entry *)(const void *)at;
  at += least;
  if (asides) memcpy(at, ev->asides.p, asides);
  job->ev.asides.p = (const qm_aside_count *)(const void *)at;
  at += asides;
  if (ev->blob.n) memcpy(at, ev->blob.p, ev->blob.n);
  job->ev.blob.p = at;
  at += ev->blob.n;
  if (ev->proof.n) memcpy(at, ev->proof.p, ev->proof.n);
  job->ev.proof.p = at;
  return QM_OK;
}

void qm__job_free(const qm_env *env, qm__job *job) {
  if (!job) return;
  if (job->request.n) qm_wipe(job->request.p, job->request.n);
  if (job->response.n) qm_wipe(job->response.p, job->response.n);
  qm_buf_free(&job->request);
  qm_buf_free(&job->response);
  qm_answered_free(&job->out);
  qm_free(env, job->copy);
  qm_free(env, job);
}

static void queue_init(queue *q) {
  q->first = NULL;
  q->end = &q->first;
}

static void queue_add(queue *q, qm__job *job) {
  job->next = NULL;
  *q->end = job;
  q->end = &job->next;
}

static qm__job *queue_take(queue *q) {
  qm__job *job = q->first;
  if (!job) return NULL;
  q->first = job->next;
  if (!q->first) q->end = &q->first;
  return job;
}

/* --- store thread: answers --- */

static void hand_back(qm__shard *s, queue *q) {
  qm__job *job;
  while ((job = queue_take(q))) s->options.deliver(s->options.payload, job);
}

typedef struct news {
  const qm_env *env;
  queue jobs;
} news;

/* No memory: the devices learn it with their next round. */
static void tell_own(void *payload, const qm_id *space) {
  news *n = payload;
  qm__job *job = qm__job_new(n->env, QM_JOB_NEWS, NULL);
  if (!job) return;
  job->ev.space = *space;
  queue_add(&n->jobs, job);
}

/* What the hub wrote itself since the last call goes to the sessions that stay; the device
 * whose push caused it is one of them. */
static void hand_own(qm__shard *s, int by_commit) {
  news n = {.env = s->env};
  queue_init(&n.jobs);
  qm__own_look(&s->own, s->options.engine, by_commit, tell_own, &n);
  hand_back(s, &n.jobs);
}

/* After these the store or the engine gives the same for ever: it must be opened again. */
static void note_failure(qm__shard *s, int rc) {
  if (rc != QM_EIO && rc != QM_EBUSY && rc != QM_EINTERNAL) return;
  uv_mutex_lock(&s->lock);
  if (s->status == QM_OK) s->status = rc;
  uv_mutex_unlock(&s->lock);
  qm_log(s->env, QM_LOG_ERROR, "store %u: %s: %s", (unsigned)s->options.number, qm_err_name(rc),
         qm_err_text(rc));
}

/* The device of a running session may have been revoked since. */
static int admitted(qm__shard *s, qm__job *job) {
  const qm_hub_backend *b = s->options.backend;
  if (job->standing && job->standing == s->standing && job->kind != QM_JOB_CHECK) return 1;
  job->standing = s->standing;
  job->rc = b->check ? b->check(b->payload, &job->device) : QM_OK;
  job->drop = job->rc != QM_OK;
  job->out.rc = job->rc;
  return !job->drop;
}

static qm_slice keep(qm_arena *arena, qm_slice s, int *rc) {
  uint8_t *p = qm_arena_copy(arena, s.p, s.n);
  if (!p) *rc = QM_ENOMEM;
  return qm_slice_of(p, s.n);
}

/* The reply leaves this thread: what it has in the engine is copied. */
static int detach(qm__job *job) {
  qm_answered *out = &job->out;
  int rc = QM_OK;
  if (out->rc != QM_OK || out->reply.info != &out->info) return QM_OK;
  out->info.name = keep(&out->arena, out->info.name, &rc);
  out->info.role = keep(&out->arena, out->info.role, &rc);
  out->info.schema = keep(&out->arena, out->info.schema, &rc);
  return rc;
}

static uint64_t lacking(qm__shard *s, const qm_event *ev) {
  const qm_space *sp = qm_engine_space(s->options.engine, &ev->space);
  uint64_t sum = 0;
  if (!sp) return 0;
  const qm_authors *authors = qm_space_authors(sp);
  const qm_vv *held = qm_space_vv(sp);
  for (uint32_t i = 0; i < authors->n; i++) sum += qm_vv_get(held, i);
  for (uint32_t i = 0; i < ev->vv.n; i++) {
    uint32_t a;
    if (qm_authors_find(authors, &ev->vv.p[i].author, &a) != QM_OK) continue;
    uint64_t both = qm_vv_get(held, a);
    sum -= both < ev->vv.p[i].next ? both : ev->vv.p[i].next;
  }
  return sum;
}

/* The device names its VV at the end by its digest: where it is ours, it holds what we do. */
static void note_equal(qm__shard *s, const qm__job *job) {
  const qm_hub_backend *b = s->options.backend;
  qm_engine *e = s->options.engine;
  qm_space *sp = qm_engine_space(e, &job->ev.space);
  uint8_t mine[16];
  qm_vv_list heads;
  qm_arena arena;
  if (!sp || qm_engine_vv_digest(e, sp, mine) != QM_OK || memcmp(mine, job->ev.vv_digest, 16) != 0)
    return;
  qm_arena_init(&arena, s->env, (size_t)16 << 20);
  if (qm_engine_heads(e, sp, &arena, &heads) == QM_OK)
    b->held(b->payload, &job->device, &job->ev.space, heads);
  qm_arena_free(&arena);
}

static void run_check(qm__shard *s, qm__job *job) {
  qm_answered *out = &job->out;
  if (!admitted(s, job)) return;
  job->rc = qm_answer_lines(&s->answer, &job->peer, &out->arena, &out->reply.lines,
                            &out->reply.n_lines);
  note_failure(s, job->rc);
}

static void run_request(qm__shard *s, qm__job *job) {
  const qm_hub_backend *b = s->options.backend;
  if (!admitted(s, job)) return;
  if (job->ev.kind == QM_EV_COMPARE) job->lacks = lacking(s, &job->ev);
  job->rc = qm_answer_run(&s->answer, &job->ev, &job->out);
  if (b->held && job->rc == QM_OK && job->ev.kind == QM_EV_COMPARE)
    b->held(b->payload, &job->device, &job->ev.space, job->ev.vv);
  if (b->held && job->rc == QM_OK && job->ev.kind == QM_EV_DIGEST_CHECK) note_equal(s, job);
  if (job->rc == QM_OK) job->rc = job->out.rc = detach(job);
  note_failure(s, job->rc);
}

static void run_enrol(qm__shard *s, qm__job *job) {
  const qm_hub_backend *b = s->options.backend;
  qm_enrol_response r;
  qm_arena *arena = &job->out.arena;
  memset(&r, 0, sizeof r);
  int rc = b->enrol(b->payload, qm_buf_slice(&job->request), job->address, arena, &r);
  if (rc != QM_OK) {
    memset(&r, 0, sizeof r);
    r.code = rc;
    r.now_ms = s->env->now_ms(s->env->payload);
  }
  qm_buf_be32(&job->response, 0);
  rc = qm_enrol_response_encode(&r, &job->response);
  job->rc = rc;
  job->is_enrolled = r.code == QM_OK && rc == QM_OK;
  if (rc != QM_OK) {
    qm_log(s->env, QM_LOG_ERROR, "enrolment: the answer: %s", qm_err_text(rc));
    return;
  }
  uint32_t n = (uint32_t)job->response.n - 4;
  for (int i = 0; i < 4; i++) job->response.p[i] = (uint8_t)(n >> (24 - 8 * i));
  qm_log(s->env, r.code ? QM_LOG_WARN : QM_LOG_INFO, "enrolment: %s",
         r.code ? qm_err_name(r.code) : "a device was enrolled");
}

static int touch_all(qm__shard *s, const queue *ends) {
  const qm_hub_backend *b = s->options.backend;
  int rc = QM_OK;
  for (qm__job *job = ends->first; job && rc == QM_OK; job = job->next)
    if (job->has_seen) rc = b->touch(b->payload, &job->device, &job->seen);
  return rc;
}

/* Sessions that ended: their notes in one transaction, or where that fails one by one. */
static void run_ends(qm__shard *s, const queue *ends) {
  const qm_hub_backend *b = s->options.backend;
  uint32_t n = 0;
  for (const qm__job *job = ends->first; job; job = job->next) {
    qm_event ev = {.kind = QM_EV_CLOSED, .peer = job->peer, .serial = job->serial};
    (void)qm_answer_note(&s->answer, &ev);
    n += job->has_seen != 0;
  }
  if (!b->touch || !n) return;
  if (n > 1 && b->touch_begin && b->touch_begin(b->payload) == QM_OK) {
    int rc = touch_all(s, ends);
    int kept = b->touch_end(b->payload, rc == QM_OK);
    if (rc == QM_OK && kept == QM_OK) return;
  }
  for (qm__job *job = ends->first; job; job = job->next) {
    if (!job->has_seen) continue;
    job->rc = b->touch(b->payload, &job->device, &job->seen);
    if (job->rc != QM_OK)
      qm_log(s->env, QM_LOG_WARN, "note of a session: %s", qm_err_text(job->rc));
  }
}

static void run_one(qm__shard *s, qm__job *job) {
  switch (job->kind) {
    case QM_JOB_REQUEST: run_request(s, job); break;
    case QM_JOB_ENROL: run_enrol(s, job); break;
    case QM_JOB_END: break; /* with the others: run_ends */
    case QM_JOB_CHECK: run_check(s, job); break;
    case QM_JOB_LOOK: job->standing = s->standing; break;
    case QM_JOB_NEWS: break;
  }
}

/* Whoever waits for it need not wait for the rest of the round. */
static void run_at_once(qm__shard *s, qm__job *job) {
  queue done;
  queue_init(&done);
  run_one(s, job);
  queue_add(&done, job);
  hand_back(s, &done);
}

/* --- store thread: groups --- */

static void tell_committed(qm__shard *s, const qm__job *last, uint32_t n) {
  const qm_hub_backend *b = s->options.backend;
  uv_mutex_lock(&s->lock);
  uint64_t number = ++s->groups;
  s->batches += n;
  uv_mutex_unlock(&s->lock);
  if (b->committed) b->committed(b->payload, number, &last->ev.space, last->out.reply.taken);
}

/* All of it in one transaction. Not QM_OK: none of it is in the store. */
static int try_group(qm__shard *s, const queue *group) {
  qm_engine *e = s->options.engine;
  const qm__job *last = NULL;
  uint32_t n = 0;
  QM_TRY(qm_engine_begin(e));
  for (qm__job *job = group->first; job; job = job->next) {
    if (job->drop) continue;
    int rc = qm_answer_ingest(&s->answer, &job->ev, &job->out);
    job->rc = job->out.rc;
    if (rc != QM_OK) {
      job->rc = job->out.rc = rc;
      qm_engine_rollback(e);
      return rc;
    }
    if (!job->out.reply.taken) continue;
    last = job;
    n++;
  }
  if (!last) { /* known, parked or refused: nothing to write */
    qm_engine_rollback(e);
    return QM_OK;
  }
  QM_TRY(qm_engine_commit(e, QM_DURABLE, NULL, NULL));
  tell_committed(s, last, n);
  return QM_OK;
}

static void alone(qm__shard *s, qm__job *job) {
  qm__job *next = job->next;
  queue one = {job, &job->next};
  if (job->drop) return;
  job->next = NULL;
  int rc = try_group(s, &one);
  job->next = next;
  if (rc == QM_OK) return;
  job->rc = job->out.rc = rc;
  note_failure(s, rc);
}

static void run_group(qm__shard *s, queue *group) {
  if (!group->first) return;
  for (qm__job *job = group->first; job; job = job->next) (void)admitted(s, job);
  int rc = try_group(s, group);
  if (rc == QM_OK) return;
  if (group->first->next) {
    for (qm__job *job = group->first; job; job = job->next) alone(s, job);
  } else {
    group->first->rc = group->first->out.rc = rc;
    note_failure(s, rc);
  }
}

/* --- store thread: rounds --- */

static int is_hello(const qm__job *job) {
  return job->kind == QM_JOB_REQUEST && job->ev.kind == QM_EV_SPACES;
}

/* Commits of a round that fit one group; the rest of them waits for the next round. Who says
 * hello has little time to be answered, and goes first: it has nothing else under way. */
static void sort_round(queue *in, queue *hellos, queue *group, queue *others, queue *later) {
  uint32_t n = 0;
  size_t bytes = 0;
  qm__job *job;
  while ((job = queue_take(in))) {
    int commit = job->kind == QM_JOB_REQUEST && job->ev.kind == QM_EV_COMMIT;
    if (!commit) {
      queue_add(is_hello(job) ? hellos : others, job);
    } else if (n == QM_HUB_GROUP_MAX || bytes > QM_HUB_GROUP_BYTES_MAX || later->first) {
      queue_add(later, job);
    } else {
      queue_add(group, job);
      n++;
      bytes += job->ev.blob.n;
    }
  }
}

static void run_round(qm__shard *s, queue *in, queue *later) {
  const qm_hub_backend *b = s->options.backend;
  queue hellos, group, others, ends;
  qm__job *job;
  queue_init(&hellos);
  queue_init(&group);
  queue_init(&others);
  queue_init(&ends);
  int rc = b->refresh ? b->refresh(b->payload, s->options.engine) : QM_OK;
  if (rc != QM_OK) qm_log(s->env, QM_LOG_ERROR, "hub.db: %s", qm_err_text(rc));
  s->standing = b->standing ? b->standing(b->payload) : 0;
  hand_own(s, 0);
  sort_round(in, &hellos, &group, &others, later);
  while ((job = queue_take(&hellos))) run_at_once(s, job);
  run_group(s, &group);
  hand_back(s, &group);
  hand_own(s, 1);
  while ((job = queue_take(&others))) {
    if (job->kind == QM_JOB_END) queue_add(&ends, job);
    else run_at_once(s, job);
  }
  run_ends(s, &ends);
  hand_back(s, &ends);
  hand_own(s, 0);
}

static void hand_failure(qm__shard *s) {
  qm__job *job = qm__job_new(s->env, QM_JOB_NEWS, NULL);
  if (job) s->options.deliver(s->options.payload, job);
}

/* With the lock held and nothing to do. Upkeep comes a piece at a time, and only when a tick
 * has passed without work, or the piece before said that there is more. */
static void rest(qm__shard *s, int *more) {
  const qm_hub_backend *b = s->options.backend;
  if (!b->idle) {
    uv_cond_wait(&s->wake, &s->lock);
    return;
  }
  if (!*more && uv_cond_timedwait(&s->wake, &s->lock, QM_HUB_IDLE_TICK_MS * UINT64_C(1000000)) == 0)
    return;
  uv_mutex_unlock(&s->lock);
  int rc = b->idle(b->payload, s->options.engine, more);
  if (rc != QM_OK) {
    *more = 0;
    note_failure(s, rc);
    qm_log(s->env, QM_LOG_ERROR, "store %u: upkeep: %s", (unsigned)s->options.number,
           qm_err_text(rc));
  }
  hand_own(s, 0);
  if (rc != QM_OK && qm__shard_status(s) != QM_OK) hand_failure(s);
  uv_mutex_lock(&s->lock);
}

static void work(void *payload) {
  qm__shard *s = payload;
  queue in, later;
  int more = 0;
  queue_init(&later);
  hand_own(s, 0); /* what was there before is not new */
  for (;;) {
    queue_init(&in);
    uv_mutex_lock(&s->lock);
    while (!s->in.first && !later.first && !s->stopping) rest(s, &more);
    if (!s->in.first && !later.first) break;
    /* What had to wait goes first. */
    in = later.first ? later : in;
    if (!in.first) queue_init(&in);
    if (s->in.first) {
      *in.end = s->in.first;
      in.end = s->in.end;
    }
    queue_init(&s->in);
    uv_mutex_unlock(&s->lock);
    queue_init(&later);
    run_round(s, &in, &later);
  }
  uv_mutex_unlock(&s->lock);
}

/* --- the others' threads --- */

int qm__shard_start(qm__shard **out, const qm__shard_options *options) {
  *out = NULL;
  qm__shard *s = qm_alloc_zero(options->env, sizeof *s);
  if (!s) return QM_ENOMEM;
  s->options = *options;
  s->env = options->env;
  queue_init(&s->in);
  qm__own_init(&s->own, s->env);
  qm_answer_init(&s->answer, s->env, options->engine, options->flags, options->backend->policy);
  int has_lock = uv_mutex_init(&s->lock) == 0;
  int has_wake = uv_cond_init(&s->wake) == 0;
  if (has_lock && has_wake && uv_thread_create(&s->thread, work, s) == 0) {
    *out = s;
    return QM_OK;
  }
  if (has_wake) uv_cond_destroy(&s->wake);
  if (has_lock) uv_mutex_destroy(&s->lock);
  qm_answer_free(&s->answer);
  qm_free(s->env, s);
  return QM_ENOMEM;
}

void qm__shard_stop(qm__shard *s) {
  if (!s) return;
  uv_mutex_lock(&s->lock);
  s->stopping = 1;
  uv_cond_signal(&s->wake);
  uv_mutex_unlock(&s->lock);
  uv_thread_join(&s->thread);
  qm_answer_free(&s->answer);
  qm__own_free(&s->own);
  uv_cond_destroy(&s->wake);
  uv_mutex_destroy(&s->lock);
  qm_free(s->env, s);
}

void qm__shard_push(qm__shard *s, qm__job *job) {
  uv_mutex_lock(&s->lock);
  queue_add(&s->in, job);
  uv_cond_signal(&s->wake);
  uv_mutex_unlock(&s->lock);
}

void qm__shard_groups(qm__shard *s, uint64_t *groups, uint64_t *batches) {
  uv_mutex_lock(&s->lock);
  *groups = s->groups;
  *batches = s->batches;
  uv_mutex_unlock(&s->lock);
}

int qm__shard_status(qm__shard *s) {
  uv_mutex_lock(&s->lock);
  int rc = s->status;
  uv_mutex_unlock(&s->lock);
  return rc;
}
