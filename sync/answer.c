#include "sync/answer.h"

#include <string.h>

static const qm_answer_policy no_policy;

void qm_answered_init(qm_answered *out, const qm_env *env) {
  memset(out, 0, sizeof *out);
  qm_arena_init(&out->arena, env, QM_SYNC_DECODE_MAX);
  qm_buf_init(&out->blob, env, QM_BATCH_MAX);
}

void qm_answered_free(qm_answered *out) {
  qm_arena_free(&out->arena);
  qm_buf_free(&out->blob);
}

static void reset(qm_answered *out) {
  qm_arena_reset(&out->arena);
  qm_buf_clear(&out->blob);
  memset(&out->reply, 0, sizeof out->reply);
  memset(&out->error, 0, sizeof out->error);
  memset(&out->end, 0, sizeof out->end);
  out->as_it_came = 0;
  out->rc = QM_OK;
}

void qm_answer_init(qm_answer *a, const qm_env *env, qm_engine *engine, uint32_t flags,
                    const qm_answer_policy *policy) {
  a->engine = engine;
  a->flags = flags;
  a->policy = policy ? policy : &no_policy;
  qm_answered_init(&a->own, env);
}

void qm_answer_free(qm_answer *a) { qm_answered_free(&a->own); }

/* --- grants --- */

static void own_grant(const qm_space *sp, qm_grant *out) {
  qm_space_info info;
  qm_space_info_get(sp, &info);
  memset(out, 0, sizeof *out);
  out->space = info.id;
  out->role = info.role;
  out->readable = 1;
  out->writable = 1;
}

static int all_grants(qm_answer *a, qm_arena *arena, const qm_grant **out, uint32_t *n) {
  *n = qm_engine_space_count(a->engine);
  qm_grant *p = qm_arena_array(arena, *n, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < *n; i++) own_grant(qm_engine_space_at(a->engine, i), &p[i]);
  *out = p;
  return QM_OK;
}

static int grants_of(qm_answer *a, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                     uint32_t *n) {
  if (!a->policy->grants) return all_grants(a, arena, out, n);
  return a->policy->grants(a->policy->payload, peer, arena, out, n);
}

static int grant_of(qm_answer *a, const qm_event *ev, const qm_space *sp, qm_arena *arena,
                    qm_grant *out) {
  own_grant(sp, out);
  if (!a->policy->grant) return QM_OK;
  return a->policy->grant(a->policy->payload, &ev->peer, &ev->space, arena, out);
}

/* What the peer is told of the space. A hub speaks of the peer's role and rights; a device
 * states its own, as the hub gave them. */
static void info_for(qm_answer *a, const qm_space *sp, const qm_grant *g, qm_space_info *out) {
  qm_space_info_get(sp, out);
  if (!(a->flags & QM_ANSWER_HUB)) return;
  out->role = g->role;
  out->readable = g->readable;
  out->writable = g->writable;
}

/* --- requests --- */

static int line_of(qm_answer *a, qm_space *sp, const qm_grant *g, qm_space_line *out) {
  qm_space_info info;
  memset(out, 0, sizeof *out);
  info_for(a, sp, g, &info);
  out->line.id = info.id;
  out->line.schema = qm_space_schema(sp)->version;
  qm_grant_tag(&info, out->line.schema, out->line.tag);
  out->writable = g->writable;
  out->safe = (uint8_t)qm_vv_includes(qm_space_safe(sp), qm_space_vv(sp));
  /* The digest is of segment ends: without the push, what was just written would look as if
     it had been sent. */
  QM_TRY(qm_engine_push(a->engine, sp));
  return qm_engine_sync_digest(a->engine, sp, out->line.digest);
}

int qm_answer_lines(qm_answer *a, const qm_id *peer, qm_arena *arena, const qm_space_line **out,
                    uint32_t *n) {
  const qm_grant *grants = NULL;
  uint32_t n_grants = 0;
  *n = 0;
  QM_TRY(grants_of(a, peer, arena, &grants, &n_grants));
  qm_space_line *p = qm_arena_array(arena, n_grants, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n_grants; i++) {
    qm_space *sp = qm_engine_space(a->engine, &grants[i].space);
    if (!sp || !grants[i].readable) continue;
    QM_TRY(line_of(a, sp, &grants[i], &p[*n]));
    ++*n;
  }
  *out = p;
  return QM_OK;
}

static int run_space_info(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  qm_grant g;
  QM_TRY(grant_of(a, ev, sp, &out->arena, &g));
  if (!g.readable) return QM_EACCESS;
  info_for(a, sp, &g, &out->info);
  out->reply.info = &out->info;
  return QM_OK;
}

/* Copied: the engine's own list grows. */
static int asides_of(const qm_space *sp, qm_answered *out) {
  qm_aside_counts v = qm_space_asides(sp);
  qm_aside_count *p = qm_arena_copy(&out->arena, v.p, v.n * sizeof *p);
  if (!p) return QM_ENOMEM;
  out->reply.asides = (qm_aside_counts){p, v.n};
  return QM_OK;
}

static int peer_is_hub(const qm_answer *a, const qm_event *ev) {
  return ev->hub && !(a->flags & QM_ANSWER_HUB);
}

/* S18.3: who cannot look at a signature believes the hub itself, and nobody who hands on. */
static int run_aside(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  int was_dirty = qm_space_dirty(sp);
  if (!a->policy->verify_aside && !peer_is_hub(a, ev))
    return qm_fail(&out->error, QM_EFORGED, "entries: no key to verify them by");
  QM_TRY(qm_engine_aside_take(a->engine, sp, ev->blob, a->policy->verify_aside,
                              a->policy->payload, NULL, &out->error));
  QM_TRY(qm_aside_after(ev->blob, ev->asides, &out->arena, &out->reply.peer_asides));
  out->reply.ask = (uint8_t)(!was_dirty && qm_space_dirty(sp));
  return asides_of(sp, out);
}

static int run_aside_read(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  QM_TRY(qm_engine_aside_read(a->engine, sp, ev->asides, &out->arena, &out->blob,
                              &out->reply.peer_asides));
  out->reply.blob = qm_buf_slice(&out->blob);
  return asides_of(sp, out);
}

/* A list of what a vv covers, ascending by author. Heads stay zero: what is made so carries
 * none. */
static int list_of(const qm_space *sp, const qm_vv *vv, qm_arena *arena, qm_vv_list *out) {
  const qm_authors *authors = qm_space_authors(sp);
  qm_vv_entry *p = qm_arena_zero(arena, (size_t)authors->n * sizeof *p);
  if (!p) return QM_ENOMEM;
  out->n = 0;
  for (uint32_t i = 0; i < authors->n; i++) {
    uint32_t author = authors->sorted[i];
    uint64_t next = qm_vv_get(vv, author);
    if (next == 0) continue;
    p[out->n].author = authors->ids[author];
    p[out->n++].next = next;
  }
  out->p = p;
  return QM_OK;
}

/* A session that stays may outlast a right: each round asks for it. */
static int run_push(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  qm_grant g;
  QM_TRY(grant_of(a, ev, sp, &out->arena, &g));
  if (!g.readable) return QM_EACCESS;
  QM_TRY(qm_engine_fork_settle(a->engine, sp));
  QM_TRY(qm_engine_push(a->engine, sp));
  QM_TRY(asides_of(sp, out));
  if (qm_space_dirty(sp)) { /* it replays from its log's floor on */
    out->reply.ask = 1;
    QM_TRY(list_of(sp, qm_space_floor(sp), &out->arena, &out->reply.safe_vv));
  }
  return qm_engine_heads(a->engine, sp, &out->arena, &out->reply.vv);
}

/* A fork stops its author, not the space. */
static int run_compare(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  int rc = qm_engine_meet(a->engine, sp, &ev->peer, ev->serial, peer_is_hub(a, ev), ev->vv,
                          &out->reply.author);
  if (rc != QM_OK && rc != QM_EFORK) return rc;
  /* A hub's VV is of its log, after fsync. */
  if (peer_is_hub(a, ev)) QM_TRY(qm_engine_acknowledged(a->engine, sp, ev->vv, 0));
  return rc;
}

/* A hub takes changes only (unless it is being recovered): it gets those that are here. */
static int run_next(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  uint64_t cursor = ev->cursor;
  if (peer_is_hub(a, ev) && !ev->recover) {
    QM_TRY(qm_engine_next_held(a->engine, sp, ev->vv, &cursor, &out->blob));
  } else if (qm_space_forked_at(sp, &ev->peer, ev->serial)) {
    QM_TRY(qm_engine_next_apart(a->engine, sp, &ev->peer, ev->serial, ev->vv, &cursor,
                                &out->blob));
  } else {
    if (!cursor && qm_state_cheaper(a->engine, sp, ev->vv)) return QM_ECUT;
    QM_TRY(qm_engine_next_batch(a->engine, sp, ev->vv, &cursor, &out->blob));
    if (!ev->cursor && ev->recover) return QM_ECUT; /* all of it: state and log */
  }
  QM_TRY(qm_buf_status(&out->blob));
  if (ev->old) QM_TRY(qm_batch_make_old(&out->blob)); /* S8.3 */
  out->reply.blob = qm_buf_slice(&out->blob);
  out->reply.cursor = cursor;
  return QM_OK;
}

/* --- states --- */

static int run_state(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  qm_state_offer offer;
  if (qm_space_forked_at(sp, &ev->peer, ev->serial)) return QM_ENOTFOUND;
  /* A hub that lost its records wants every change that is still here, and a snapshot kept
     from before has only those that were not acknowledged then. */
  if (ev->recover) QM_TRY(qm_state_forget(a->engine, sp));
  qm_vv_list least = ev->ask ? ev->safe_vv : (qm_vv_list){NULL, 0};
  int rc = qm_state_offered_from(a->engine, sp, ev->vv, least, &out->arena, &offer);
  if (rc == QM_EACCESS) return QM_ENOTFOUND; /* it may give none now */
  QM_TRY(rc);
  out->reply.blob = offer.manifest;
  out->reply.parts = offer.parts;
  out->reply.vv = offer.vv;
  return QM_OK;
}

static int run_state_read(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  int rc = qm_state_part(a->engine, sp, ev->digest, ev->seq, &out->blob);
  if (rc == QM_EACCESS) return QM_ENOTFOUND;
  QM_TRY(rc);
  out->reply.blob = qm_buf_slice(&out->blob);
  return QM_OK;
}

/* A hub asks its operator's word for each space. */
static int may_take(qm_answer *a, const qm_event *ev) {
  if (!(a->flags & QM_ANSWER_HUB)) return QM_OK;
  if (!a->policy->recover) return QM_EACCESS;
  return a->policy->recover(a->policy->payload, &ev->peer, &ev->space, 0);
}

static int run_state_stage(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  QM_TRY(may_take(a, ev));
  return qm_state_stage(a->engine, sp, ev->blob, &out->reply.part, &out->reply.parts);
}

static int run_state_join(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  int joined;
  QM_TRY(may_take(a, ev));
  QM_TRY(qm_state_take(a->engine, sp, ev->digest, peer_is_hub(a, ev), &joined, &out->error));
  if (!(a->flags & QM_ANSWER_HUB)) return QM_OK;
  return a->policy->recover(a->policy->payload, &ev->peer, &ev->space, 1);
}

static int run_digest(qm_answer *a, qm_space *sp, qm_answered *out) {
  qm_digest digest;
  if (qm_space_dirty(sp)) return QM_ENOTFOUND; /* S18.6 */
  QM_TRY(qm_engine_vv_digest(a->engine, sp, out->reply.vv_digest));
  QM_TRY(qm_engine_fold(a->engine));
  if (qm_space_suspect(sp)) /* of what is there, not of what should be */
    QM_TRY(qm_engine_digest_now(a->engine, sp, &digest));
  else
    qm_space_digest(sp, &digest);
  qm_digest_bytes(&digest, out->reply.digest);
  return QM_OK;
}

/* --- records that differ --- */

static int run_range(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  QM_TRY(qm_repair_next(a->engine, sp, ev->blob, peer_is_hub(a, ev), &out->blob,
                        &out->reply.part, &out->error));
  out->reply.blob = qm_buf_slice(&out->blob);
  return qm_buf_status(&out->blob);
}

static int run_range_answer(qm_answer *a, const qm_event *ev, qm_space *sp, qm_answered *out) {
  qm_grant g;
  QM_TRY(grant_of(a, ev, sp, &out->arena, &g));
  if (!g.readable) return QM_EACCESS;
  QM_TRY(qm_repair_answer(a->engine, sp, ev->blob, g.writable, &out->blob, &out->reply.part,
                          &out->error));
  out->reply.blob = qm_buf_slice(&out->blob);
  return qm_buf_status(&out->blob);
}

static int run_safe_read(qm_answer *a, qm_space *sp, qm_answered *out) {
  QM_TRY(qm_engine_heads(a->engine, sp, &out->arena, &out->reply.vv));
  return list_of(sp, qm_space_safe(sp), &out->arena, &out->reply.safe_vv);
}

static int run_cert_ask(qm_answer *a, qm_answered *out) {
  if (!a->policy->cert_ask) return QM_ENOTFOUND;
  return a->policy->cert_ask(a->policy->payload, &out->arena, &out->reply.blob, &out->reply.proof);
}

static int run_cert_renew(qm_answer *a, const qm_event *ev, qm_answered *out) {
  if (!a->policy->cert_renew) return QM_ENOTFOUND;
  return a->policy->cert_renew(a->policy->payload, &ev->peer, ev->blob, ev->proof, &out->arena,
                               &out->reply.blob);
}

/* What a hub hands on lies in its log: it is acknowledged with it. */
static int handed_on(qm_answer *a, const qm_event *ev, const qm_answered *out) {
  if (!qm_is_small(ev->blob) || !out->reply.taken || !peer_is_hub(a, ev)) return QM_OK;
  qm_space *sp = qm_engine_space(a->engine, &ev->space);
  return qm_engine_acknowledged_to(a->engine, sp, &out->end.author, out->end.next);
}

static int run_small(qm_answer *a, qm_space *sp, qm_answered *out) {
  QM_TRY(qm_engine_small(a->engine, sp, &out->blob, &out->end));
  out->reply.blob = qm_buf_slice(&out->blob);
  out->reply.vv = (qm_vv_list){&out->end, 1};
  return qm_buf_status(&out->blob);
}

static int run_commit(qm_answer *a, const qm_event *ev, qm_answered *out) {
  QM_TRY(qm_engine_begin(a->engine));
  int rc = qm_answer_ingest(a, ev, out);
  if (rc != QM_OK || out->rc != QM_OK) {
    qm_engine_rollback(a->engine);
    return rc != QM_OK ? rc : out->rc;
  }
  QM_TRY(qm_engine_commit(a->engine, QM_DURABLE, NULL, NULL));
  return handed_on(a, ev, out);
}

static int run_in_space(qm_answer *a, const qm_event *ev, qm_answered *out) {
  qm_space *sp = qm_engine_space(a->engine, &ev->space);
  if (!sp) return QM_ENOTFOUND;
  switch (ev->kind) {
    case QM_EV_SPACE_INFO: return run_space_info(a, ev, sp, out);
    case QM_EV_PUSH: return run_push(a, ev, sp, out);
    case QM_EV_COMPARE: return run_compare(a, ev, sp, out);
    case QM_EV_NEXT: return run_next(a, ev, sp, out);
    case QM_EV_COMMIT: return run_commit(a, ev, out);
    case QM_EV_ASIDE: return run_aside(a, ev, sp, out);
    case QM_EV_ASIDE_READ: return run_aside_read(a, ev, sp, out);
    case QM_EV_SMALL: return run_small(a, sp, out);
    case QM_EV_DIGEST: return run_digest(a, sp, out);
    case QM_EV_DIGEST_CHECK:
      return qm_engine_digest_check(a->engine, sp, ev->vv_digest, ev->digest, &out->reply.compare);
    case QM_EV_SAFE_READ: return run_safe_read(a, sp, out);
    case QM_EV_RANGE: return run_range(a, ev, sp, out);
    case QM_EV_RANGE_ANSWER: return run_range_answer(a, ev, sp, out);
    case QM_EV_STATE: return run_state(a, ev, sp, out);
    case QM_EV_STATE_READ: return run_state_read(a, ev, sp, out);
    case QM_EV_STATE_STAGE: return run_state_stage(a, ev, sp, out);
    case QM_EV_STATE_TAKE: return qm_state_stage_part(a->engine, sp, ev->digest, ev->seq, ev->blob);
    case QM_EV_STATE_JOIN: return run_state_join(a, ev, sp, out);
    default: return QM_EINVAL;
  }
}

static int run(qm_answer *a, const qm_event *ev, qm_answered *out) {
  switch (ev->kind) {
    case QM_EV_SPACES:
      return qm_answer_lines(a, &ev->peer, &out->arena, &out->reply.lines, &out->reply.n_lines);
    case QM_EV_SPACE_PUT: return qm_engine_space_put(a->engine, ev->info, &out->error);
    case QM_EV_CERT_ASK: return run_cert_ask(a, out);
    case QM_EV_CERT_RENEW: return run_cert_renew(a, ev, out);
    default: return run_in_space(a, ev, out);
  }
}

int qm_answer_run(qm_answer *a, const qm_event *ev, qm_answered *out) {
  reset(out);
  out->rc = run(a, ev, out);
  int takes = ev->kind == QM_EV_COMMIT || ev->kind == QM_EV_ASIDE;
  qm_space *sp = takes && out->rc == QM_ECORRUPT ? qm_engine_space(a->engine, &ev->space) : NULL;
  if (sp) (void)qm_engine_damaged(a->engine, sp); /* best effort: it told of itself already */
  return out->rc;
}

/* --- ingest --- */

/* qm_ingest's callbacks do not say which space. */
typedef struct judge {
  const qm_answer_policy *policy;
  const qm_id *space;
} judge;

static int judge_verify(void *payload, const qm_id *device, const uint8_t digest[32],
                        const uint8_t signature[64]) {
  const judge *j = payload;
  return j->policy->verify(j->policy->payload, device, digest, signature);
}

static int judge_refused(void *payload, const qm_author *author) {
  const judge *j = payload;
  return j->policy->is_refused(j->policy->payload, j->space, author);
}

/* The batch itself could not be read; the transaction is as before. */
static int is_unreadable(int rc) {
  return (rc <= QM_ETRUNCATED && rc >= QM_EOVERSIZE) || rc == QM_EVERSION;
}

static int tell_refusals(qm_answer *a, const qm_event *ev, const qm_ingest *in) {
  if (!a->policy->refusal) return QM_OK;
  for (uint32_t i = 0; i < in->n_refusals; i++)
    QM_TRY(a->policy->refusal(a->policy->payload, &in->refusals[i].peer, &ev->space,
                              &in->refusals[i], 0));
  return QM_OK;
}

/* What another session had parked is not this peer's affair: whoever brought it is not there
 * to be told, or hears it when it comes again. */
static void reply_of(const qm_event *ev, const qm_ingest *in, qm_reply *r) {
  uint32_t n = 0;
  r->taken = in->taken;
  r->known = in->known;
  r->parked = in->parked;
  for (uint32_t i = 0; i < in->n_refusals; i++) {
    const qm_refusal *x = &in->refusals[i];
    if (x->session == ev->serial && qm_id_cmp(&x->peer, &ev->peer) == 0) in->refusals[n++] = *x;
  }
  r->refusals = in->refusals;
  r->n_refusals = n;
}

/* S7.6: a peer with a newer schema is judged by what no newer schema allows. */
static int judged_as(const qm_answer *a, const qm_event *ev, const qm_space *sp) {
  const qm_schema *own = qm_space_schema(sp);
  if (!(a->flags & QM_ANSWER_CHECK_SCHEMA)) return 0;
  return own && ev->schema > own->version ? QM_CHECK_NEWER : QM_CHECK_SCHEMA;
}

int qm_answer_ingest(qm_answer *a, const qm_event *ev, qm_answered *out) {
  judge j = {a->policy, &ev->space};
  qm_grant g;
  reset(out);
  qm_space *sp = qm_engine_space(a->engine, &ev->space);
  out->rc = sp ? grant_of(a, ev, sp, &out->arena, &g) : QM_ENOTFOUND;
  if (out->rc == QM_EACCESS || out->rc == QM_ENOTFOUND) return QM_OK;
  QM_TRY(out->rc);
  qm_ingest in = {.peer = ev->peer,
                  .session = ev->serial,
                  .check_author = (a->flags & QM_ANSWER_CHECK_AUTHOR) != 0,
                  .check_schema = judged_as(a, ev, sp),
                  .role = g.role,
                  .verify = a->policy->verify ? judge_verify : NULL,
                  .refused = a->policy->is_refused ? judge_refused : NULL,
                  .payload = &j};
  out->rc = qm_engine_ingest(a->engine, sp, ev->blob, &in, &out->arena, &out->error);
  if (is_unreadable(out->rc) || (out->rc == QM_EGAP && qm_is_small(ev->blob))) return QM_OK;
  QM_TRY(out->rc);
  out->end.author = in.author;
  out->end.next = in.next;
  out->as_it_came = in.as_it_came;
  QM_TRY(out->rc = asides_of(sp, out));
  out->rc = tell_refusals(a, ev, &in);
  reply_of(ev, &in, &out->reply);
  out->reply.is_other = in.taken && qm_is_small(ev->blob) && !in.as_it_came;
  return out->rc;
}

/* --- notices --- */

/* The hub's digest of this space equalled the one stated at the start. It acknowledges what
 * is here now only if nothing was closed since. */
static int note_same_line(qm_answer *a, const qm_msg_line *line, int safe, qm_arena *arena) {
  uint8_t digest[QM_SYNC_DIGEST_SIZE];
  qm_vv_list heads;
  qm_space *sp = qm_engine_space(a->engine, &line->id);
  if (!sp) return QM_OK;
  int known = qm_vv_includes(qm_space_acknowledged(sp), qm_space_vv(sp));
  if (known && (!safe || qm_vv_includes(qm_space_safe(sp), qm_space_vv(sp)))) return QM_OK;
  QM_TRY(qm_engine_sync_digest(a->engine, sp, digest));
  if (memcmp(digest, line->digest, sizeof digest) != 0) return QM_OK;
  QM_TRY(qm_engine_fork_none(a->engine, sp));
  QM_TRY(qm_engine_heads(a->engine, sp, arena, &heads));
  QM_TRY(qm_engine_acknowledged(a->engine, sp, heads, 0));
  return safe ? qm_engine_acknowledged(a->engine, sp, heads, 1) : QM_OK;
}

static int note_same(qm_answer *a, const qm_event *ev) {
  for (uint32_t i = 0; i < ev->n_lines; i++) {
    qm_arena_reset(&a->own.arena);
    QM_TRY(note_same_line(a, &ev->lines[i].line, ev->safe, &a->own.arena));
  }
  return QM_OK;
}

static int note_safe(qm_answer *a, const qm_event *ev) {
  qm_space *sp = qm_engine_space(a->engine, &ev->space);
  if (!sp || !peer_is_hub(a, ev)) return QM_OK;
  if (ev->count) return qm_engine_acknowledged_to(a->engine, sp, &ev->vv.p->author, ev->vv.p->next);
  QM_TRY(qm_engine_acknowledged(a->engine, sp, ev->vv, 0));
  return qm_engine_acknowledged(a->engine, sp, ev->safe_vv, 1);
}

static int note_refused(qm_answer *a, const qm_event *ev) {
  qm_refusal r = {.author = ev->author, .counter = ev->counter, .code = ev->code};
  if (!a->policy->refusal) return QM_OK;
  qm_slice text = qm__msg_cut(ev->message, sizeof r.message - 1);
  if (text.n) memcpy(r.message, text.p, text.n);
  return a->policy->refusal(a->policy->payload, &ev->peer, &ev->space, &r, 1);
}

/* All that is here is what the home hub has. */
static int note_done(qm_answer *a, const qm_event *ev) {
  qm_space *sp = qm_engine_space(a->engine, &ev->space);
  if (!sp || !peer_is_hub(a, ev) || ev->compare != QM_COMPARE_EQUAL) return QM_OK;
  return qm_engine_unsuspect(a->engine, sp);
}

/* What a branch of a fork became may have come: it need not stand beside it until the next one. */
static int note_closed(qm_answer *a, const qm_event *ev) {
  qm_engine_unpark(a->engine, &ev->peer, ev->serial);
  for (uint32_t i = 0; i < qm_engine_space_count(a->engine); i++)
    QM_TRY(qm_engine_fork_settle(a->engine, qm_engine_space_at(a->engine, i)));
  return QM_OK;
}

int qm_answer_note(qm_answer *a, const qm_event *ev) {
  switch (ev->kind) {
    case QM_EV_HELLO:
      if (!(a->flags & QM_ANSWER_CLOCK) || !peer_is_hub(a, ev) || !ev->has_offset) return QM_OK;
      return qm_engine_offset(a->engine, ev->offset_ms);
    case QM_EV_SAME: return peer_is_hub(a, ev) ? note_same(a, ev) : QM_OK;
    case QM_EV_SAFE: return note_safe(a, ev);
    case QM_EV_REFUSED: return note_refused(a, ev);
    case QM_EV_DONE: return note_done(a, ev);
    case QM_EV_CERT:
      return a->policy->cert ? a->policy->cert(a->policy->payload, ev->code, ev->blob) : QM_OK;
    case QM_EV_CLOSED: return note_closed(a, ev);
    default: return QM_OK;
  }
}

int qm_answer_event(qm_answer *a, qm_session *s, const qm_event *ev) {
  if (ev->ticket == 0) return qm_answer_note(a, ev);
  int rc = qm_answer_run(a, ev, &a->own);
  rc = qm_session_done(s, ev->ticket, rc, &a->own.reply);
  /* More authors than a VV may list: this space cannot be synced, the others can. */
  if (rc == QM_EINVAL) rc = qm_session_done(s, ev->ticket, QM_ELIMIT, NULL);
  return rc;
}
