/* Tickets: the requests that the driver owes an answer to, and the way of each answer. */
#include <string.h>

#include "sync/session_int.h"

static qm__slot *slot_new(qm_session *s, qm_event_kind kind, const qm__space *sp) {
  for (size_t i = 0; i < QM_SYNC_TICKETS_MAX; i++) {
    qm__slot *slot = &s->slots[i];
    if (slot->ticket) continue;
    memset(slot, 0, sizeof *slot);
    slot->ticket = ++s->ticket_last;
    slot->kind = (uint8_t)kind;
    slot->space = sp ? (uint32_t)(sp - s->spaces) : UINT32_MAX;
    s->asked[kind]++;
    return slot;
  }
  (void)qm__fail(s, QM_EINTERNAL, "more requests than tickets");
  return NULL;
}

qm__slot *qm__ask(qm_session *s, qm_event *ev, qm_event_kind kind, qm__space *sp) {
  qm__slot *slot = slot_new(s, kind, sp);
  if (!slot) return NULL;
  ev->kind = kind;
  ev->ticket = slot->ticket;
  if (sp) ev->space = sp->id;
  return slot;
}

void qm__slot_free(qm_session *s, qm__slot *slot) {
  s->asked[slot->kind]--;
  slot->ticket = 0;
}

qm_event *qm__hold(qm_session *s, qm_event_kind kind, const qm_id *space) {
  memset(&s->held, 0, sizeof s->held);
  s->held.kind = kind;
  if (space) s->held.space = *space;
  s->held_is = 1;
  return &s->held;
}

static qm__slot *find(qm_session *s, qm_ticket ticket) {
  for (size_t i = 0; ticket && i < QM_SYNC_TICKETS_MAX; i++)
    if (s->slots[i].ticket == ticket && !s->slots[i].answered) return &s->slots[i];
  return NULL;
}

static int lines_ascend(const qm_reply *r) {
  if (r->n_lines > QM_SYNC_SPACES_MAX) return 0;
  for (uint32_t i = 1; i < r->n_lines; i++)
    if (qm_id_cmp(&r->lines[i - 1].line.id, &r->lines[i].line.id) >= 0) return 0;
  return 1;
}

static int vv_ascends(qm_vv_list vv) {
  if (vv.n > QM_SYNC_VV_MAX) return 0;
  for (uint32_t i = 1; i < vv.n; i++)
    if (qm_author_cmp(&vv.p[i - 1].author, &vv.p[i].author) >= 0) return 0;
  return 1;
}

static int asides_ascend(qm_aside_counts v) {
  if (v.n > QM_ASIDE_HUBS_MAX) return 0;
  for (uint32_t i = 1; i < v.n; i++)
    if (qm_author_cmp(&v.p[i - 1].by, &v.p[i].by) >= 0) return 0;
  return 1;
}

static int info_fits(const qm_space_info *info) {
  return info && info->name.n <= QM_SYNC_NAME_MAX && info->role.n <= QM_SYNC_NAME_MAX &&
         info->schema.n != 0 && info->schema.n <= QM_SCHEMA_MAX;
}

static int cert_fits(const qm_reply *r, uint8_t kind) {
  size_t max = kind == QM_EV_CERT_ASK ? QM_SYNC_SPKI_MAX : QM_SYNC_CERT_MAX;
  return r->blob.n != 0 && r->blob.n <= max && r->proof.n <= QM_SYNC_PROOF_MAX;
}

static int state_fits(const qm_reply *r) {
  return r->blob.n != 0 && r->blob.n <= QM_STATE_MANIFEST_MAX && r->parts <= QM_STATE_PARTS_MAX &&
         vv_ascends(r->vv);
}

/* Whether the reply to a request that succeeded is what session.h says. */
static int fits(uint8_t kind, const qm_reply *r) {
  switch (kind) {
    case QM_EV_SPACE_PUT:
    case QM_EV_COMPARE:
    case QM_EV_STATE_TAKE:
    case QM_EV_STATE_JOIN: return 1;
    case QM_EV_STATE: return r && state_fits(r);
    case QM_EV_STATE_READ: return r && r->blob.n != 0 && r->blob.n <= QM_STATE_PART_MAX;
    case QM_EV_STATE_STAGE: return r && r->part <= r->parts && r->parts <= QM_STATE_PARTS_MAX;
    case QM_EV_SPACES: return r && lines_ascend(r);
    case QM_EV_SPACE_INFO: return r && info_fits(r->info);
    case QM_EV_PUSH:
      return r && vv_ascends(r->vv) && vv_ascends(r->safe_vv) && asides_ascend(r->asides);
    case QM_EV_ASIDE: return r && asides_ascend(r->asides) && asides_ascend(r->peer_asides);
    case QM_EV_ASIDE_READ:
      return r && r->blob.n != 0 && r->blob.n <= QM_SYNC_ASIDE_MAX &&
             asides_ascend(r->asides) && asides_ascend(r->peer_asides);
    case QM_EV_RANGE: return r && r->blob.n <= QM_RANGE_BYTES;
    case QM_EV_RANGE_ANSWER: return r && r->blob.n != 0 && r->blob.n <= QM_RANGE_BYTES;
    case QM_EV_NEXT: return r && r->blob.n != 0 && r->blob.n <= QM_BATCH_MAX;
    case QM_EV_SMALL: return r && r->vv.n == 1 && r->blob.n && r->blob.n <= QM_SMALL_MAX;
    case QM_EV_SAFE_READ: return r && vv_ascends(r->vv) && vv_ascends(r->safe_vv);
    case QM_EV_CERT_ASK:
    case QM_EV_CERT_RENEW: return r && cert_fits(r, kind);
    default: return r != NULL;
  }
}

static int answer(qm_session *s, qm__slot *slot, int rc, const qm_reply *r) {
  qm__space *sp = slot->space < s->n_spaces ? &s->spaces[slot->space] : NULL;
  uint8_t kind = slot->kind;
  uint32_t bytes = slot->bytes;
  if (kind == QM_EV_COMMIT) return qm__done_commit(s, slot, rc, r);
  qm__slot_free(s, slot);
  switch (kind) {
    case QM_EV_SPACES: return qm__done_spaces(s, rc, r);
    case QM_EV_SPACE_INFO: return qm__done_space_info(s, sp, rc, r);
    case QM_EV_SPACE_PUT: return qm__done_space_put(s, sp, rc);
    case QM_EV_PUSH: return qm__done_push(s, sp, rc, r);
    case QM_EV_COMPARE: return qm__done_compare(s, sp, rc, r);
    case QM_EV_NEXT: return qm__done_next(s, sp, rc, r);
    case QM_EV_ASIDE: return qm__done_aside(s, sp, rc, r);
    case QM_EV_ASIDE_READ: return qm__done_aside_read(s, sp, rc, r);
    case QM_EV_STATE: return qm__done_state(s, sp, rc, r);
    case QM_EV_STATE_READ: return qm__done_state_read(s, sp, rc, r);
    case QM_EV_STATE_STAGE: return qm__done_state_stage(s, sp, rc, r);
    case QM_EV_STATE_TAKE: return qm__done_state_take(s, sp, bytes, rc);
    case QM_EV_STATE_JOIN: return qm__done_state_join(s, sp, rc);
    case QM_EV_DIGEST: return qm__done_digest(s, sp, rc, r);
    case QM_EV_DIGEST_CHECK: return qm__done_digest_check(s, sp, rc, r);
    case QM_EV_SAFE_READ: return qm__done_safe_read(s, sp, rc, r);
    case QM_EV_RANGE: return qm__done_range(s, sp, rc, r);
    case QM_EV_RANGE_ANSWER: return qm__done_range_answer(s, sp, rc, r);
    case QM_EV_SMALL: return qm__done_small(s, sp, rc, r);
    case QM_EV_CERT_ASK: return qm__done_cert_ask(s, rc, r);
    default: return qm__done_cert_renew(s, rc, r);
  }
}

int qm_session_done(qm_session *s, qm_ticket ticket, int rc, const qm_reply *reply) {
  qm__slot *slot = find(s, ticket);
  if (!slot) return QM_ENOTFOUND;
  if (rc == QM_OK && !fits(slot->kind, reply)) return QM_EINVAL;
  s->mark_stale = 1;
  if (s->state > QM_S_OPEN) { /* what was agreed no longer runs */
    qm__slot_free(s, slot);
    return QM_OK;
  }
  (void)answer(s, slot, rc, reply); /* a failure has closed the session */
  return QM_OK;
}
