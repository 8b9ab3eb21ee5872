/* ingest: what arrives from a peer, judged segment by segment. A segment is checked
 * whole before any of it takes effect, so a refused one leaves no trace. */
#include <string.h>

#include "core/aside_int.h"
#include "core/batch_small.h"
#include "core/class.h"
#include "core/fold.h"
#include "core/fork.h"
#include "core/home.h"
#include "core/ingest_log.h"
#include "core/norm.h"

#define ROW_KEPT 65536u /* bytes of the buffer of hashed rows that stay for the next segment */

typedef struct qm_judge {
  qm_engine *e;
  qm_space *s;
  qm_ingest *in;
  qm_arena *arena; /* results; outlives the transaction */
  qm_error why;
  uint64_t work;  /* asked for so far by the batch at hand */
  qm_wait wait;   /* of the segment at hand, where it is parked */
  qm_wait *waits; /* of the parked segments of the batch at hand; in the arena of batches */
  uint32_t n_waits;
  uint64_t ops;      /* of the batch at hand */
  uint32_t held;     /* so many of the segment's first changes took effect already (S18.8) */
  qm_hash previous;  /* what the segment stands on */
  int took, recode;  /* the segment took effect; a segment of the batch is not as it came */
  qm__branch branch; /* of the segment at hand, where it is reissued */
  qm_id from;        /* the peer in this session (fork.h) */
  int32_t *codes;    /* of the changes at hand: why the hub sets it aside, or 0 */
  qm_slice *reasons; /* the same as text */
} qm_judge;

/* --- refusals --- */

static int refuse(qm_judge *j, const qm_segment *g, int code) {
  qm_ingest *in = j->in;
  qm_refusal *p =
      qm_arena_grow(j->arena, in->refusals, in->n_refusals, in->n_refusals + 1, sizeof *p);
  if (!p) return QM_ENOMEM;
  in->refusals = p;
  p += in->n_refusals++;
  memset(p, 0, sizeof *p);
  p->author = j->s->authors.ids[g->author];
  p->counter = g->start;
  p->code = code;
  p->peer = in->peer;
  p->session = in->session;
  const char *text = j->why.code == code && j->why.message[0] ? j->why.message : qm_err_text(code);
  size_t n = strlen(text);
  if (n >= sizeof p->message) n = sizeof p->message - 1;
  memcpy(p->message, text, n);
  return QM_OK;
}

/* An author once refused stops in this space: what follows would have a gap. What another
 * session brought of it does not: it may be that device's doing. */
static int is_refused(qm_judge *j, const qm_author *author) {
  for (uint32_t i = 0; i < j->in->n_refusals; i++) {
    const qm_refusal *r = &j->in->refusals[i];
    int same = r->session == j->in->session && qm_id_cmp(&r->peer, &j->in->peer) == 0;
    if (same && qm_author_cmp(&r->author, author) == 0) return 1;
  }
  return j->in->refused && j->in->refused(j->in->payload, author);
}

/* --- checks --- */

static int dots_covered(const qm_vv *seen, qm_dots dots) {
  for (uint32_t i = 0; i < dots.n; i++)
    if (!qm_vv_covers(seen, dots.p[i])) return 0;
  return 1;
}

/* S3.12: everything an op names is covered by its author's context. */
static int op_covered(const qm_vv *seen, const qm_op *op) {
  if (!dots_covered(seen, op->dots) || !dots_covered(seen, op->marks)) return 0;
  if (!dots_covered(seen, op->hides) || !dots_covered(seen, op->keeps)) return 0;
  for (uint32_t i = 0; i < op->cuts.n; i++) {
    const qm_range *r = &op->cuts.p[i];
    if (r->len > UINT64_MAX - r->counter || r->counter + r->len > qm_vv_get(seen, r->author))
      return 0;
  }
  if (op->shape == QM_SEQUENCE && op->kind == QM_KIND_INSERT && !(op->flags & QM_OP_ROOT) &&
      !qm_vv_covers(seen, op->parent))
    return 0;
  return op->named != QM_BY_CREATION || qm_vv_covers(seen, op->created);
}

/* What others can have seen of an author: of our own the closed segments only. A segment
 * that names more was not written by who saw it; taken, it would stand in a ring with our
 * open run, and neither could ever be taken elsewhere. */
static uint64_t seen_by_others(const qm_space *s, uint32_t author) {
  return author == s->own ? s->states[author].closed : qm_vv_get(&s->vv, author);
}

/* Walks the author's context through the segment, on a scratch copy of its clock
 * row. QM_EPARKED where a dependency is not here yet. */
static int check_context(qm_judge *j, const qm_segment *g, qm_vv *seen) {
  qm_space *s = j->s;
  const qm_env *env = j->e->env;
  qm_time last = s->states[g->author].time;
  int parked = 0;
  QM_TRY(qm_vv_copy(env, seen, &s->states[g->author].clock));
  for (uint32_t i = j->held; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    if (c->time <= last) return qm_fail(&j->why, QM_EMALFORMED, "time stamp does not rise");
    last = c->time;
    for (uint32_t d = 0; d < c->n_deps; d++) {
      qm_dot dep = c->deps[d];
      if (dep.author == c->author || dep.counter <= qm_vv_get(seen, dep.author))
        return qm_fail(&j->why, QM_EMALFORMED, "a dependency does not move");
      if (!parked && dep.counter > seen_by_others(s, dep.author)) {
        parked = 1;
        j->wait = (qm_wait){s->authors.ids[dep.author], dep.counter};
      }
      QM_TRY(qm_vv_set(env, seen, dep.author, dep.counter));
    }
    QM_TRY(qm_vv_set(env, seen, c->author, c->counter));
    for (uint32_t o = 0; o < c->n_ops; o++) {
      seen->next[c->author] = c->ops[o].counter;
      if (!op_covered(seen, &c->ops[o]))
        return qm_fail(&j->why, QM_EMALFORMED, "an op names what its author had not seen");
    }
  }
  return parked ? QM_EPARKED : QM_OK;
}

static int resolve(qm_judge *j, qm_segment *g) {
  int rc = qm__log_resolve(j->s, g, &j->e->scratch);
  if (rc != QM_ENOTFOUND) return rc;
  return qm_fail(&j->why, QM_EMALFORMED, "an op names a record by a dot that created none");
}

static int check_hash(qm_judge *j, const qm_segment *g, qm_hash *hash) {
  qm_buf *row = &j->e->row;
  int rc = qm__segment_hash_in(g, &j->s->id, &j->previous, &j->s->authors, row, hash);
  if (row->cap > ROW_KEPT) qm_buf_free(row);
  QM_TRY(rc);
  if (memcmp(hash->b, g->head, QM_HEAD_SIZE) != 0)
    return qm_fail(&j->why, QM_EHASH, "segment hash does not match its content");
  return QM_OK;
}

/* Whoever brings a segment: its author's signature must be good, where signatures can be
 * judged at all. Another who gets it from here would refuse it without one, and with it what
 * others then wrote upon it. */
static int check_author(qm_judge *j, const qm_segment *g, const qm_hash *hash) {
  const qm_ingest *in = j->in;
  qm_id device;
  if (!in->check_author || j->branch.moved) return QM_OK; /* its original was checked */
  qm_author_device(&j->s->authors.ids[g->author], &device);
  if (qm_id_cmp(&device, &in->peer) == 0 && !in->verify) return QM_OK;
  if (!g->has_signature || !in->verify ||
      in->verify(in->payload, &device, hash->b, g->signature) != QM_OK)
    return qm_fail(&j->why, QM_EFORGED, "without a valid signature of its author");
  return QM_OK;
}

/* A `new` is judged by its own collection too: of two creations the least dot decides. */
static int check_new(qm_judge *j, const qm_op *op) {
  uint32_t number = 0;
  qm_cur c;
  qm_cur_init(&c, op->value);
  if (qm_cur_uint32(&c, &number) != QM_OK) return QM_OK;
  const qm_collection_def *def = qm_schema_collection(j->s->schema, number);
  if (def && !qm_collection_writable(def, j->in->role))
    return qm_fail(&j->why, QM_EACCESS, "this role may not write collection %u", number);
  return QM_OK;
}

/* An edge joins records of one collection: whoever may write the one may write the other.
 * Its writer had seen the `new` of both. */
static int check_edge(qm_judge *j, const qm_op *op, uint32_t collection) {
  qm_id other;
  qm_loaded *l;
  if (op->kind != QM_KIND_ADD || !qm__edge_read(&op->record, op->value, &other)) return QM_OK;
  QM_TRY(qm__space_record(j->s, &other, &l));
  uint32_t of_other = qm_record_collection(&l->record);
  if (!of_other) of_other = l->collection; /* created in this very segment */
  if (of_other == collection) return QM_OK;
  return qm_fail(&j->why, QM_ESCHEMA, "merges records of two collections");
}

/* S6.7: trims rest on what all live devices have seen, which the home hub alone knows. (Its
 * own come back to it from devices where it was restored from a backup.) */
static int by_home(const qm_judge *j, const qm_segment *g) {
  const qm_id *home = qm_id_is_zero(&j->in->home) ? &j->e->home : &j->in->home;
  qm_id device;
  if (j->branch.moved) return 0; /* whoever wrote it is judged */
  if (qm_id_is_zero(home)) home = &j->e->device;
  qm_author_device(&j->s->authors.ids[g->author], &device);
  return qm_id_cmp(&device, home) == 0;
}

static int is_trim(const qm_op *op) {
  return op->shape == QM_SEQUENCE && op->kind == QM_KIND_TRIM;
}

/* A device that meets another one without the hub: nobody has judged what that one hands on,
 * and what only the home hub may write is not taken from anybody else. Once the hub has set
 * such a change aside it comes without effect, and the rest of its segment with it. */
static int check_home(qm_judge *j, const qm_segment *g) {
  const qm_space *s = j->s;
  int is_hub = (j->e->flags & QM_ENGINE_HUB) != 0;
  int known = !qm_id_is_zero(&j->in->home) || !qm_id_is_zero(&j->e->home);
  if (is_hub || !known || by_home(j, g)) return QM_OK;
  for (uint32_t i = j->held; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    int its = 0;
    for (uint32_t o = 0; o < c->n_ops; o++)
      its |= qm_id_is_zero(&c->ops[o].record) || is_trim(&c->ops[o]);
    if (its && !qm__aside_covers(s, &s->authors.ids[g->author], c))
      return qm_fail(&j->why, QM_EACCESS, "writes what only the home hub writes");
  }
  return QM_OK;
}

/* What the sender's role may write, and what the schema allows. Its writer had seen the
 * `new` of every record, so the collection is known here by now. */
static int check_op(qm_judge *j, const qm_segment *g, const qm_op *op) {
  qm_loaded *l;
  const qm_schema *schema = j->s->schema;
  if (is_trim(op) && !by_home(j, g))
    return qm_fail(&j->why, QM_EACCESS, "only the home hub trims");
  if (qm_id_is_zero(&op->record))
    return by_home(j, g) ? QM_OK
                         : qm_fail(&j->why, QM_EACCESS, "only the hub writes the space record");
  if (!schema) return QM_OK;
  QM_TRY(qm__space_outline(j->s, &op->record, &l));
  if (!l->collection && !l->record.n_creations)
    return qm_fail(&j->why, QM_ESCHEMA, "writes to a record that nobody created");
  const qm_collection_def *c = qm_schema_collection(schema, l->collection);
  if (c && !qm_collection_writable(c, j->in->role))
    return qm_fail(&j->why, QM_EACCESS, "this role may not write collection %u", l->collection);
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) QM_TRY(check_new(j, op));
  if (op->shape == QM_KEYED && !op->field) QM_TRY(check_edge(j, op, l->collection));
  if (j->in->check_schema == QM_CHECK_NEWER) /* who may set what is another in that one */
    return qm_schema_op_check_newer(schema, l->collection, op, &j->why);
  QM_TRY(qm_schema_op_check(schema, l->collection, op, &j->why));
  const qm_field_def *f = c ? qm_collection_field(c, op->field) : NULL;
  if (!f || op->shape != QM_SIBLINGS || !op->value.n || by_home(j, g)) return QM_OK;
  return qm_field_step_check(f, op->value, j->in->role, &j->why);
}

/* Failures of this replica, not of the segment. */
static int is_ours(int rc) {
  qm_class c = qm_err_class(rc);
  return rc == QM_ENOMEM || rc == QM_EINTERNAL || c == QM_CLASS_STORAGE || rc == QM_ECORRUPT ||
         rc == QM_EBUSY;
}

static int check_schema(qm_judge *j, const qm_segment *g) {
  if (!j->in->check_schema || (j->e->flags & QM_ENGINE_HUB)) return QM_OK;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++)
      QM_TRY(check_op(j, g, &g->changes[i].ops[o]));
  return QM_OK;
}

/* --- what the home hub does not accept (S18.1) --- */

/* A record that only this segment creates has a collection once that change is accepted. */
static int enter_change(qm_judge *j, const qm_change *c, int enter) {
  for (uint32_t o = 0; o < c->n_ops; o++) {
    const qm_op *op = &c->ops[o];
    qm_loaded *l;
    qm_cur cur;
    if (op->shape != QM_PRESENCE || op->kind != QM_KIND_NEW) continue;
    QM_TRY(qm__space_outline(j->s, &op->record, &l));
    if (l->record.n_creations) continue;
    if (!enter) {
      l->collection = 0;
    } else if (!l->collection) {
      qm_cur_init(&cur, op->value);
      if (qm_cur_uint32(&cur, &l->collection) != QM_OK) l->collection = 0;
    }
  }
  return QM_OK;
}

static int judge_change(qm_judge *j, const qm_segment *g, const qm_change *c) {
  QM_TRY(enter_change(j, c, 1));
  for (uint32_t o = 0; o < c->n_ops; o++) QM_TRY(check_op(j, g, &c->ops[o]));
  return QM_OK;
}

static int copy_why(qm_judge *j, int code, qm_slice *out) {
  const char *text = j->why.code == code && j->why.message[0] ? j->why.message : qm_err_text(code);
  size_t n = strlen(text);
  if (n > QM_ASIDE_TEXT_MAX) n = QM_ASIDE_TEXT_MAX;
  while (n && !qm_utf8_check(qm_slice_of(text, n), NULL)) n--;
  uint8_t *p = qm_arena_copy(&j->e->batch, text, n);
  if (!p) return QM_ENOMEM;
  *out = qm_slice_of(p, n);
  return QM_OK;
}

/* Change by change: what is not accepted has no effect, so what comes after it is judged as
 * if it were not there. */
static int judge_changes(qm_judge *j, const qm_segment *g) {
  j->codes = qm_arena_zero(&j->e->scratch, g->n_changes * sizeof *j->codes);
  j->reasons = qm_arena_zero(&j->e->scratch, g->n_changes * sizeof *j->reasons);
  if (!j->codes || !j->reasons) return QM_ENOMEM;
  if (!j->in->check_schema || !(j->e->flags & QM_ENGINE_HUB)) return QM_OK;
  if (by_home(j, g)) return QM_OK; /* what the office approved; a restored hub gets it back */
  for (uint32_t i = 0; i < g->n_changes; i++) QM_TRY(enter_change(j, &g->changes[i], 0));
  for (uint32_t i = j->held; i < g->n_changes; i++) {
    memset(&j->why, 0, sizeof j->why);
    int rc = judge_change(j, g, &g->changes[i]);
    if (rc == QM_OK) continue;
    if (is_ours(rc)) return rc;
    j->codes[i] = rc;
    QM_TRY(copy_why(j, rc, &j->reasons[i]));
    QM_TRY(enter_change(j, &g->changes[i], 0));
  }
  memset(&j->why, 0, sizeof j->why);
  return QM_OK;
}

/* --- one segment --- */

static int place(qm_judge *j, qm_segment *g) {
  const qm_author_state *st = &j->s->states[g->author];
  uint64_t next = qm_vv_get(&j->s->vv, g->author);
  j->held = 0;
  j->previous = st->head;
  if (g->next <= next) {
    int on;
    QM_TRY(qm__chain_on(j->s, g->author, g->next, g->head, &on));
    return on ? QM_EEXIST : QM_EFORK;
  }
  if (g->start < next) return qm__fork_continues(j->s, g, &j->previous, &j->held);
  if (g->start > next) return QM_EGAP;
  return memcmp(g->previous, st->head.b, QM_HEAD_SIZE) == 0 ? QM_OK : QM_EFORK;
}

static int preload(qm_judge *j, const qm_segment *g) {
  qm_id *ids = qm_arena_array(&j->e->scratch, g->n_ops, sizeof *ids);
  uint32_t n = 0;
  if (!ids) return QM_ENOMEM;
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t o = 0; o < g->changes[i].n_ops; o++) {
      const qm_id *id = &g->changes[i].ops[o].record;
      if (!n || qm_id_cmp(&ids[n - 1], id) != 0) ids[n++] = *id;
    }
  return qm__space_preload(j->s, ids, n);
}

static int judge(qm_judge *j, qm_segment *g, qm_hash *hash) {
  qm_arena_recycle(&j->e->scratch);
  QM_TRY(qm_segment_check(g, &j->why));
  qm_error why = {0, ""};
  int rc = check_context(j, g, &j->e->seen);
  if (rc == QM_EPARKED || is_ours(rc)) return rc;
  why = j->why;
  QM_TRY(resolve(j, g));
  QM_TRY(check_hash(j, g, hash)); /* first: what was changed on the way is not its author's fault */
  j->why = why;
  QM_TRY(rc);
  QM_TRY(check_author(j, g, hash));
  QM_TRY(check_home(j, g));
  QM_TRY(preload(j, g));
  QM_TRY(qm__space_work(j->s, g, &j->work, &j->why));
  QM_TRY(qm__home_check(j->s, g));
  QM_TRY(check_schema(j, g));
  return judge_changes(j, g);
}

/* Where something of it is set aside it is erased, and the batch is no longer as it came. */
static int take(qm_judge *j, qm_segment *g, const qm_hash *hash) {
  qm_space *s = j->s;
  uint8_t *flags = qm_arena_zero(&j->e->scratch, g->n_changes);
  int any = 0;
  if (!flags) return QM_ENOMEM;
  int rc = qm__aside_segment(s, g, hash, j->codes, j->reasons, flags, &any);
  if (rc == QM_ELIMIT) return refuse(j, g, rc);
  QM_TRY(rc);
  j->recode |= any;
  j->e->took = 1;
  if (any || j->held) j->e->whole = 1;
  /* An open run of which this is the longer form is closed by it. */
  if (j->held && s->states[g->author].closed == g->start)
    QM_TRY(j->e->store->ops->open_clear(j->e->store, s->number));
  for (uint32_t i = j->held; i < g->n_changes; i++) {
    int passes = flags[i] || s->dirty > 1;
    QM_TRY(passes ? qm__space_pass(s, &g->changes[i]) : qm__home_apply(s, g, &g->changes[i]));
  }
  j->took = 1;
  qm_author_state *st = &s->states[g->author];
  st->closed = g->next;
  st->head = *hash;
  st->dirty = 1;
  s->ingested = 1;
  j->in->taken++;
  j->in->ops += g->n_ops;
  if (qm_author_cmp(&s->authors.ids[g->author], &j->e->author) == 0) j->e->epoch_stale = 1;
  return QM_OK;
}

static void note_wait(qm_judge *j) {
  j->waits[j->n_waits++] = j->wait;
  j->in->parked++;
}

/* --- forks --- */

static int verify_branch(void *payload, const qm_segment *g, const qm_hash *hash) {
  return check_author(payload, g, hash);
}

/* What g waits for where it waits: nothing that this session brings under that name. */
static qm__fork_seen see_fork(qm_judge *j, const qm_segment *g) {
  qm_dot wait = {0, 0};
  qm__fork_seen seen = qm__fork_depends(j->s, &j->from, g, &wait);
  if (seen != QM__FORK_NOT_SEEN)
    j->wait = (qm_wait){j->s->authors.ids[wait.author], UINT64_MAX};
  return seen;
}

/* What an entry names is here as what it was reissued as, or comes as that. Where it leaves
 * what stands at the hub says nothing of where it leaves what a device holds. */
static int known_branch(qm_judge *j, const qm_segment *g) {
  const qm_author *author = &j->s->authors.ids[g->author];
  const qm__aside_range *r = qm__fork_first(j->s, author, g->head);
  if (!r) return QM_ENOTFOUND;
  if (!(j->e->flags & QM_ENGINE_HUB)) return qm__fork_peer_note(j->s, &j->from, author, NULL);
  for (uint32_t i = 0; i < j->s->n_asides; i++) {
    const qm__aside_range *part = &j->s->asides[i];
    if (part->code != QM_EFORK || memcmp(&part->segment, &r->segment, sizeof r->segment) != 0)
      continue;
    QM_TRY(qm__fork_peer_note(j->s, &j->from, author, part));
  }
  return QM_OK;
}

/* The hub reissues a segment of another branch; where something else stands at what it would
 * be, what differs once more, and so on. */
static int place_moved(qm_judge *j, qm_segment *g, int upon) {
  int rc = upon ? QM_EFORK : place(j, g), was = rc;
  if (rc != QM_EFORK && !(rc == QM_EGAP && j->s->n_forks)) return rc;
  if (see_fork(j, g) == QM__FORK_UNKNOWN) {
    const qm_author *author = &j->s->authors.ids[g->author];
    if (was == QM_EFORK) QM_TRY(qm__fork_peer_note(j->s, &j->from, author, NULL));
    return QM_EPARKED;
  }
  for (int steps = 0; rc == QM_EFORK || (!steps && rc == QM_EGAP); steps++) {
    if (steps == 64) return QM_EFORK;
    rc = qm__branch_move(j->s, &j->branch, g, upon && !steps, verify_branch, j);
    if (rc != QM_OK) return rc == QM_EFORK && !steps ? was : rc;
    rc = place(j, g);
  }
  return rc;
}

/* What was written by who had seen another branch than the one here goes its way: at the hub it
 * is reissued too; elsewhere, and where the hub has not been shown all of that branch, it
 * waits. */
static int place_fork(qm_judge *j, qm_segment *g) {
  int is_hub = (j->e->flags & QM_ENGINE_HUB) != 0;
  int rc = is_hub ? place_moved(j, g, 0) : place(j, g);
  if (rc != QM_OK || j->branch.moved || !j->s->n_peer_forks) return rc;
  qm__fork_seen seen = see_fork(j, g);
  if (seen == QM__FORK_NOT_SEEN) return QM_OK;
  return seen == QM__FORK_SEEN && is_hub ? place_moved(j, g, 1) : QM_EPARKED;
}

/* The author stops here until the hub is met. */
static int refuse_fork(qm_judge *j, const qm_segment *g, int code) {
  const qm_author *author = &j->s->authors.ids[g->author];
  if (code == QM_EFORK) QM_TRY(qm__fork_peer_note(j->s, &j->from, author, NULL));
  if (code == QM_EFORK && !(j->e->flags & QM_ENGINE_HUB)) {
    QM_TRY(qm__fork_suspect(j->s, author));
    if (qm_author_cmp(author, &j->e->author) == 0) j->e->epoch_stale = 1;
  }
  return refuse(j, g, code);
}

static int is_known(qm_judge *j, qm_segment *g) {
  j->in->known++;
  if (!j->branch.moved)
    qm__fork_peer_common(j->s, &j->from, &j->s->authors.ids[g->author], g->next);
  return j->branch.moved ? qm__branch_done(j->s, &j->branch, g) : QM_OK;
}

static int has_parked(const qm_space *s) {
  const qm_parked *p = s->parked;
  while (p && p->spent) p = p->next;
  return p != NULL;
}

/* *taken = 1 where it took effect. */
static int one(qm_judge *j, qm_segment *g, int *taken) {
  qm_hash hash;
  qm_segment came = *g;
  memset(&j->why, 0, sizeof j->why);
  memset(&j->branch, 0, sizeof j->branch);
  j->from = qm__fork_peer_key(&j->in->peer, j->in->session);
  j->branch.peer = &j->from;
  int rc = known_branch(j, g);
  if (rc != QM_ENOTFOUND) {
    j->in->known++;
    return rc;
  }
  if (is_refused(j, &j->s->authors.ids[g->author])) {
    j->in->known += place(j, g) == QM_EEXIST;
    return QM_OK;
  }
  rc = place_fork(j, g);
  if (rc == QM_EEXIST) return is_known(j, g);
  if (rc == QM_OK) rc = judge(j, g, &hash);
  /* A gap behind something that waits is filled once that is taken. */
  int in_doubt = j->s->n_peer_forks != 0;
  if (rc == QM_EGAP && (j->n_waits || in_doubt || has_parked(j->s))) {
    j->wait = (qm_wait){j->s->authors.ids[g->author], g->start};
    rc = QM_EPARKED;
  }
  if (rc == QM_EPARKED) {
    note_wait(j);
    return QM_OK;
  }
  if (rc == QM_OK) {
    j->took = 0;
    rc = take(j, g, &hash);
    *taken = j->took;
    j->recode |= j->took && j->branch.moved;
    return rc == QM_OK && j->took && j->branch.moved ? qm__branch_done(j->s, &j->branch, g) : rc;
  }
  *g = came;
  return is_ours(rc) ? rc : refuse_fork(j, g, rc);
}

/* --- the batch --- */

/* Those of the segments first: what is named only by segments that are not taken can
 * then be forgotten again. */
static int map_authors(qm_judge *j, qm_batch_in *in) {
  qm_space *s = j->s;
  uint32_t n = 0, old = s->authors.n;
  qm_author *ids = qm_arena_array(&j->e->batch, in->n_authors, sizeof *ids);
  uint32_t *places = qm_arena_array(&j->e->batch, in->n_authors, sizeof *places);
  uint32_t *numbers = qm_arena_array(&j->e->batch, in->n_authors, sizeof *numbers);
  uint8_t *done = qm_arena_zero(&j->e->batch, in->n_authors);
  if (!ids || !places || !numbers || !done) return QM_ENOMEM;
  for (uint32_t i = 0; i < in->n_segments; i++) {
    uint32_t place = in->segments[i].author;
    if (!done[place]) places[n++] = place;
    done[place] = 1;
  }
  for (uint32_t place = 0; place < in->n_authors; place++)
    if (!done[place]) places[n++] = place;
  for (uint32_t i = 0; i < n; i++) ids[i] = in->authors[places[i]];
  QM_TRY(qm_authors_add_all(&s->authors, ids, n, numbers));
  for (uint32_t i = 0; i < n; i++) in->map[places[i]] = numbers[i];
  return qm__space_authors_added(s, old);
}

/* The log keeps a batch as it came where all of it was taken, else re-encoded. */
static int log_taken(qm_judge *j, qm_slice blob, const qm_batch *batch, const uint8_t *took) {
  qm_segment *p = qm_arena_array(&j->e->batch, batch->n_segments, sizeof *p);
  uint32_t n = 0;
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < batch->n_segments; i++)
    if (took[i]) p[n++] = batch->segments[i];
  if (!n) return QM_OK;
  if (n < batch->n_segments || j->recode) return qm__log_recoded(j->s, p, n);
  return qm__log_segments(j->s, p, n, blob);
}

/* The author table is not filled by what was not taken. An author of whom nothing is
 * held is named by nothing that is held (S3.12). */
static void forget_authors(qm_space *s, uint32_t old) {
  uint32_t n = s->authors.n;
  while (n > old && !qm_vv_get(&s->vv, n - 1)) n--;
  for (uint32_t i = n; i < s->n_states; i++) qm_vv_free(s->engine->env, &s->states[i].clock);
  if (s->n_states > n) s->n_states = n;
  qm_authors_truncate(&s->authors, n);
}

static int judge_all(qm_judge *j, qm_slice blob, const qm_batch *batch, int *any_taken) {
  uint8_t *took = qm_arena_zero(&j->e->batch, batch->n_segments);
  j->waits = qm_arena_array(&j->e->batch, batch->n_segments, sizeof *j->waits);
  if (!took || !j->waits) return QM_ENOMEM;
  for (uint32_t i = 0; i < batch->n_segments; i++) {
    int taken = 0;
    QM_TRY(one(j, &batch->segments[i], &taken));
    took[i] = (uint8_t)taken;
    *any_taken |= taken;
    j->ops += batch->segments[i].n_ops;
  }
  return *any_taken ? log_taken(j, blob, batch, took) : QM_OK;
}

/* Once something has taken effect no error may look like one of reading the batch: the
 * caller would go on with the transaction. */
static int ingest_one(qm_judge *j, qm_slice blob, int *any_taken) {
  qm_batch_in in = {0};
  qm_batch batch;
  uint32_t old = j->s->authors.n;
  j->n_waits = 0;
  j->ops = j->work = 0;
  j->recode = 0;
  QM_TRY(qm_batch_open(&in, blob, &j->e->batch));
  int rc = map_authors(j, &in);
  if (rc == QM_OK) rc = qm_batch_read(&in, &batch);
  if (rc == QM_OK) rc = judge_all(j, blob, &batch, any_taken);
  forget_authors(j->s, old);
  return rc != QM_OK && *any_taken && !is_ours(rc) ? QM_EINTERNAL : rc;
}

/* One segment in its compact form: what it does not say stands here, or it is not taken. */
static int ingest_small(qm_judge *j, qm_slice blob, int *any_taken) {
  qm_segment g;
  qm_hash hash;
  uint32_t old = j->s->authors.n;
  int rc = qm__small_segment(j->s, blob, &g);
  if (rc == QM_OK && is_refused(j, &j->s->authors.ids[g.author])) rc = QM_EGAP;
  if (rc == QM_OK) rc = place(j, &g);
  if (rc == QM_OK) rc = judge(j, &g, &hash);
  if (rc != QM_OK && !is_ours(rc)) rc = QM_EGAP;
  *any_taken = rc == QM_OK;
  if (rc == QM_OK) rc = take(j, &g, &hash);
  if (rc == QM_OK && !j->took) rc = QM_EGAP;
  if (rc == QM_OK) rc = qm__log_wait(j->s, &g);
  if (rc == QM_OK) qm__small_taken(j->s, &g, !j->recode, j->in);
  *any_taken &= j->took || rc != QM_EGAP;
  j->in->n_refusals = 0;
  forget_authors(j->s, old);
  return rc != QM_OK && *any_taken && !is_ours(rc) ? QM_EINTERNAL : rc;
}

/* --- parking --- */

static qm_parked *parked_new(const qm_judge *j, qm_slice blob, size_t held) {
  size_t waits = j->n_waits * sizeof(qm_wait);
  const qm_ingest *in = j->in;
  qm_parked *p = qm_alloc(j->e->env, sizeof *p + waits + in->role.n + blob.n);
  if (!p) return NULL;
  uint8_t *at = (uint8_t *)(p->waits + j->n_waits);
  *p = (qm_parked){.peer = in->peer,
                   .session = in->session,
                   .check_author = in->check_author,
                   .check_schema = in->check_schema,
                   .role = {at, in->role.n},
                   .batch = {at + in->role.n, blob.n},
                   .held = held,
                   .n_waits = j->n_waits,
                   .cap_waits = j->n_waits};
  if (waits) memcpy(p->waits, j->waits, waits);
  if (in->role.n) memcpy(at, in->role.p, in->role.n);
  if (blob.n) memcpy(at + in->role.n, blob.p, blob.n);
  return p;
}

/* The bound is the peer's, over all its sessions; that something was let go is the session's,
 * like what is parked. A batch comes twice where its transaction was rolled back. */
static int park(qm_judge *j, qm_slice blob) {
  uint64_t held = blob.n + j->n_waits * sizeof(qm_wait) + QM_PARKED_OP * j->ops, before = 0;
  for (const qm_parked *p = j->s->parked; p; p = p->next) {
    if (p->spent || qm_id_cmp(&p->peer, &j->in->peer) != 0) continue;
    before += p->held;
    if (p->session != j->in->session) continue;
    if (!p->batch.n || qm_slice_cmp(p->batch, blob) == 0) return QM_OK;
  }
  /* Let go: it was not acknowledged, so it comes again. That it was here is remembered, so
     that what follows it is no gap. */
  if (before && held > QM_PARKED_BYTES_MAX - before) {
    blob.n = 0;
    held = 0;
    j->n_waits = 0;
  }
  if (held > QM_PARKED_BYTES_MAX) held = QM_PARKED_BYTES_MAX;
  qm_parked *p = parked_new(j, blob, (size_t)held);
  if (!p) return QM_ENOMEM;
  p->next = j->s->parked;
  j->s->parked = p;
  return QM_OK;
}

/* Something that it waited for has come. */
static int is_due(const qm_space *s, const qm_parked *p) {
  if (p->spent || p->again) return !p->spent;
  for (uint32_t i = 0; i < p->n_waits; i++) {
    uint32_t number;
    if (qm_authors_find(&s->authors, &p->waits[i].author, &number) == QM_OK &&
        seen_by_others(s, number) >= p->waits[i].next)
      return 1;
  }
  return 0;
}

/* Judges a parked batch by the terms under which it came. */
static int retry(qm_judge *j, const qm_parked *p, int *taken) {
  qm_ingest *in = j->in, kept = *in;
  in->peer = p->peer;
  in->session = p->session;
  in->check_author = p->check_author;
  in->check_schema = p->check_schema;
  in->role = p->role;
  int rc = ingest_one(j, p->batch, taken);
  in->peer = kept.peer;
  in->session = kept.session;
  in->check_author = kept.check_author;
  in->check_schema = kept.check_schema;
  in->role = kept.role;
  in->known = kept.known;
  in->parked = kept.parked;
  return rc;
}

/* What of it still waits, waits on with what it now waits for. */
static void tried(const qm_judge *j, qm_parked *p) {
  p->tried = 1;
  p->again = 0;
  p->spent = !j->n_waits;
  if (p->spent) return;
  /* A segment refused before may count as waiting now; there is no room for it. */
  p->n_waits = j->n_waits < p->cap_waits ? j->n_waits : p->cap_waits;
  memcpy(p->waits, j->waits, p->n_waits * sizeof *j->waits);
}

/* Tries what is due until nothing more is taken. */
static int unpark(qm_judge *j) {
  int progress = 1;
  while (progress) {
    progress = 0;
    for (qm_parked *p = j->s->parked; p; p = p->next) {
      int taken = 0;
      if (!is_due(j->s, p)) continue;
      QM_TRY(retry(j, p, &taken));
      tried(j, p);
      progress |= taken;
    }
  }
  return QM_OK;
}

void qm__parked_end(qm_space *s, int is_committed) {
  for (qm_parked **at = &s->parked, *p; (p = *at) != NULL;) {
    if (p->spent && is_committed) {
      *at = p->next;
      qm_free(s->engine->env, p);
      continue;
    }
    if (p->tried && !is_committed) p->again = 1;
    p->spent = p->tried = 0;
    at = &p->next;
  }
}

void qm_engine_unpark(qm_engine *e, const qm_id *peer, uint64_t session) {
  qm_id key = qm__fork_peer_key(peer, session);
  for (uint32_t i = 0; i < e->n_spaces; i++) {
    qm__fork_peer_drop(e->spaces[i], &key);
    for (qm_parked **at = &e->spaces[i]->parked, *p; (p = *at) != NULL;) {
      if (p->session != session || qm_id_cmp(&p->peer, peer) != 0) {
        at = &p->next;
        continue;
      }
      *at = p->next;
      qm_free(e->env, p);
    }
  }
}

int qm_engine_ingest(qm_engine *e, qm_space *s, qm_slice batch, qm_ingest *in, qm_arena *arena,
                     qm_error *err) {
  qm_judge j = {.e = e, .s = s, .in = in, .arena = arena};
  int taken = 0;
  in->taken = in->known = in->parked = 0;
  in->ops = 0;
  in->refusals = NULL;
  in->n_refusals = 0;
  in->as_it_came = 0;
  if (!e->open) return qm_fail(err, QM_ESTATE, "ingest: no transaction is open");
  if (e->poisoned) return qm_fail(err, QM_EIO, "ingest: the engine must be opened again");
  /* What of the batches before it is still asked for, records have as their own. */
  if (!e->whole && !qm__fold_is_followed(e)) qm_arena_recycle(&e->batch);
  /* What it puts out of sight is told against what is stored (inbox.h). */
  int rc = e->flags & QM_ENGINE_INBOX && e->behind ? qm__fold(e) : QM_OK;
  int small = qm_is_small(batch);
  if (rc == QM_OK && !small) rc = qm__log_settled(s);
  if (rc == QM_OK) rc = small ? ingest_small(&j, batch, &taken) : ingest_one(&j, batch, &taken);
  if (rc == QM_OK && j.n_waits) rc = park(&j, batch);
  if (rc == QM_OK && taken && s->parked) rc = qm__log_settled(s);
  if (rc == QM_OK && taken && s->parked) rc = unpark(&j);
  return rc == QM_OK ? QM_OK : qm_fail(err, rc, "batch: %s", qm_err_text(rc));
}
