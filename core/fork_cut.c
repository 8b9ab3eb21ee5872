/* What the home hub's entries say does not stand is taken back, with all that was written upon
 * it; by the hub too, where it was put back to before it said so. The log is then as if none of
 * it had come (SPEC S21.6, S21.10). */
#include <string.h>

#include "core/fork.h"

#define ROW_ARENA ((size_t)128 << 20)

/* --- met in a session --- */

static int note_met(qm_space *s, const qm_author *author, int clear) {
  qm_engine *e = s->engine;
  if (clear ? !qm__fork_is_suspect(s, author) : qm__fork_is_suspect(s, author)) return QM_OK;
  QM_TRY(qm_engine_begin(e));
  int rc = clear ? qm__fork_clear(s, author) : qm__fork_suspect(s, author);
  if (rc == QM_OK) return qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}

typedef struct naming {
  const qm_space *s;
  int met;
} naming;

/* A hub's own word needs no suspicion: it only has to know what this peer's changes rest on. */
static int met_fork(qm_space *s, const qm_id *peer, const qm_author *author) {
  QM_TRY(qm__fork_peer_note(s, peer, author, NULL));
  return s->engine->flags & QM_ENGINE_HUB ? QM_OK : note_met(s, author, 0);
}

static int look_for_named(void *payload, const qm_segment *g, qm_arena *arena) {
  naming *x = payload;
  (void)arena;
  x->met = qm__fork_first(x->s, &x->s->authors.ids[g->author], g->head) != NULL;
  return x->met ? QM_STORE_STOP : QM_OK;
}

/* The hub holds what is held here: so the doubt ends, unless entries name some of it, which the
 * hub has taken back, or not learnt yet. */
static int met_same(qm_space *s, uint32_t author) {
  naming x = {s, 0};
  const qm_author *id = &s->authors.ids[author];
  if (!qm__fork_is_suspect(s, id)) return QM_OK;
  if (s->n_forks) QM_TRY(qm__chain_each(s, author, 0, look_for_named, &x));
  return x.met ? QM_OK : note_met(s, id, 1);
}

/* What the hub's VV says that it holds may end a doubt here: *forked is then an author that was
 * taken back just now, of whom both held something else so far. */
static int meet_hub(qm_space *s, const qm_id *key, qm_vv_list vv, qm_author *forked, int *any) {
  uint32_t n = s->n_suspects;
  if (!n || !s->n_forks) return QM_OK;
  qm_author author = s->suspects[0];
  QM_TRY(qm__fork_hub_holds(s, key, vv));
  QM_TRY(qm_engine_fork_settle(s->engine, s));
  if (s->n_suspects == n) return QM_OK;
  *any = 1;
  *forked = author;
  return QM_OK;
}

int qm_engine_meet(qm_engine *e, qm_space *s, const qm_id *peer, uint64_t session,
                   int peer_is_hub, qm_vv_list vv, qm_author *forked) {
  qm_id key = qm__fork_peer_key(peer, session);
  int own_ahead = 0, own = 0, any = 0;
  if (peer_is_hub) QM_TRY(meet_hub(s, &key, vv, forked, &any));
  int rc = qm_engine_compare(e, s, vv, &own_ahead, forked);
  if (rc != QM_OK && rc != QM_EFORK) return rc;
  for (uint32_t i = 0; i < vv.n; i++) {
    const qm_vv_entry *p = &vv.p[i];
    uint32_t a;
    int on = 1;
    if (qm_authors_find(&s->authors, &p->author, &a) != QM_OK) continue;
    if (p->next > s->states[a].closed || !s->states[a].closed) continue;
    QM_TRY(qm__chain_on(s, a, p->next, p->head, &on));
    if (on && peer_is_hub) QM_TRY(met_same(s, a));
    if (on) continue;
    *forked = p->author;
    any = 1;
    own |= qm_author_cmp(&p->author, &e->author) == 0;
    QM_TRY(met_fork(s, &key, &p->author));
  }
  /* Whoever knows more of this author, or another head of it: this store is a copy or was
     restored, and writes under a new epoch from here on. */
  if (own_ahead || own) QM_TRY(qm_engine_new_epoch(e));
  return any ? QM_EFORK : QM_OK;
}

int qm_engine_fork_none(qm_engine *e, qm_space *s) {
  while (s->n_suspects && !e->open) {
    qm_author author = s->suspects[0];
    QM_TRY(note_met(s, &author, 1));
  }
  return QM_OK;
}

int qm_space_forked_at(const qm_space *s, const qm_id *peer, uint64_t session) {
  qm_id key = qm__fork_peer_key(peer, session);
  for (uint32_t i = 0; i < s->n_peer_forks; i++)
    if (qm_id_cmp(&s->peer_forks[i].peer, &key) == 0) return 1;
  return 0;
}

int qm_engine_fork_news(qm_engine *e) {
  int news = e->fork_news;
  e->fork_news = 0;
  return news;
}

uint32_t qm_space_forks(const qm_space *s, const qm_author **authors) {
  *authors = s->suspects;
  return s->n_suspects;
}

/* --- told by the hub --- */

typedef struct finding {
  const uint8_t *head;
  int found;
} finding;

static int find(void *payload, const qm_segment *g, qm_arena *arena) {
  finding *f = payload;
  (void)arena;
  f->found = memcmp(g->head, f->head, QM_HEAD_SIZE) == 0;
  return f->found ? QM_STORE_STOP : QM_OK;
}

int qm__fork_told(qm_space *s, const qm_aside *a) {
  finding f = {a->segment.b, 0};
  uint32_t number;
  if (qm_authors_find(&s->authors, &a->author, &number) != QM_OK) return QM_OK;
  if (s->states[number].closed <= a->first) return QM_OK;
  QM_TRY(qm__chain_each(s, number, a->first, find, &f));
  return f.found ? qm__fork_suspect(s, &a->author) : QM_OK;
}

/* --- what goes --- */

typedef struct author_cut {
  uint64_t from; /* what it wrote from here on goes; UINT64_MAX: nothing */
  int ends;      /* a segment that stays ends there */
  qm_hash head;  /* what stands below */
  qm_vv clock;
  qm_time time;
} author_cut;

typedef struct cutting {
  qm_space *s;
  author_cut *p; /* by local number */
  uint64_t seq;   /* the row at hand */
  qm_slice batch; /* and its batch, in scratch */
  int touched;    /* something of it goes */
  int is_hub;
  int any;
  int unnamed; /* all stays for now */
  int again;   /* more goes than was known when all was looked at */
  qm_segment_row *named;
  uint32_t n_named;
  qm__gone gone; /* what goes, at the hub */
  qm_arena scratch;
  qm_id *ids; /* records that it had an effect on */
  size_t n_ids, cap_ids;
} cutting;

static int rests_on(const cutting *x, const qm_segment *g) {
  for (uint32_t i = 0; i < g->n_changes; i++)
    for (uint32_t d = 0; d < g->changes[i].n_deps; d++)
      if (g->changes[i].deps[d].counter > x->p[g->changes[i].deps[d].author].from) return 1;
  return 0;
}

/* Where the author stands once g has gone from `from` on. */
static int stand(cutting *x, const qm_segment *g, uint64_t from) {
  qm_space *s = x->s;
  author_cut *a = &x->p[g->author];
  qm_segment part;
  uint32_t n = 0;
  a->from = from;
  x->any = 1;
  QM_TRY(qm__chain_hash(s, g->author, g->start, g->previous, &a->head));
  QM_TRY(qm__chain_clock(s, g->author, from, &a->clock, &a->time));
  if (from == g->start) return QM_OK;
  while (n < g->n_changes && g->changes[n].next <= from) n++;
  int rc = qm__chain_prefix(g, n, &x->scratch, &part);
  if (rc == QM_ENOTFOUND) return QM_ECUT; /* set aside in part: its seed is gone */
  QM_TRY(rc);
  qm_hash previous = a->head;
  return qm_segment_hash(&part, &s->id, &previous, &s->authors, &x->scratch, &a->head);
}

/* What entries name of the author goes from the least change on that they name; not before what
 * it was moved to is there. */
static int look_for_part(cutting *x, const qm_segment *g) {
  const qm_space *s = x->s;
  const qm_author *author = &s->authors.ids[g->author];
  const qm__aside_range *r = qm__fork_first(s, author, g->head);
  if (!r) return QM_OK;
  qm_segment_row *p = qm_realloc_array(s->engine->env, x->named, x->n_named + 1u, sizeof *p);
  if (!p) return QM_ENOMEM;
  x->named = p;
  p[x->n_named++] = (qm_segment_row){g->author, g->start, g->next};
  if (!qm__fork_stands(s, author, g->head)) x->unnamed = 1;
  return r->first < x->p[g->author].from ? stand(x, g, r->first) : QM_OK;
}

/* A run closed twice (S18.8) goes with its longer form. */
static int is_named(const cutting *x, const qm_segment *g) {
  for (uint32_t i = 0; i < x->n_named; i++) {
    const qm_segment_row *r = &x->named[i];
    if (r->author == g->author && r->start <= g->start && g->next <= r->next) return 1;
  }
  return 0;
}

/* What was written upon that. Nobody but the home hub itself names it where it lies in its own
 * log. Not in order of what rests on what: a longer form of a run may have come later. */
static int look_at(cutting *x, const qm_segment *g) {
  author_cut *a = &x->p[g->author];
  if (g->next <= a->from && !rests_on(x, g)) return QM_OK;
  int named = is_named(x, g);
  if (!x->is_hub) {
    x->unnamed |= !named;
    return QM_OK;
  }
  x->again |= !named && g->start < a->from;
  if (!named && g->start < a->from) QM_TRY(stand(x, g, g->start));
  if (named && !qm__fork_first(x->s, &x->s->authors.ids[g->author], g->head)) return QM_OK;
  return qm__gone_add(&x->gone, x->s, g);
}

/* A row, read outside the store's visit: what is asked of it asks the store. */
static int copy_row(void *payload, const qm_log_row *row) {
  cutting *x = payload;
  x->seq = row->seq;
  x->touched = 0;
  for (uint32_t i = 0; i < row->n_segments; i++) {
    author_cut *a = &x->p[row->segments[i].author];
    x->touched |= row->segments[i].next > a->from;
    a->ends |= row->segments[i].next == a->from;
  }
  uint8_t *p = qm_arena_copy(&x->scratch, row->batch.p, row->batch.n);
  x->batch = qm_slice_of(p, row->batch.n);
  return p ? QM_OK : QM_ENOMEM;
}

static int next_row(cutting *x) {
  qm_store *store = x->s->engine->store;
  qm_vv none = {NULL, 0, 0};
  qm_arena_reset(&x->scratch);
  return store->ops->log_after(store, x->s->number, &none, x->seq, copy_row, x);
}

static int each(cutting *x, int (*look)(cutting *x, const qm_segment *g)) {
  for (x->seq = 0;;) {
    qm_batch batch;
    int rc = next_row(x);
    if (rc != QM_OK || x->unnamed) return rc == QM_ENOTFOUND ? QM_OK : rc;
    QM_TRY(qm__log_decode(x->s, x->batch, &x->scratch, &batch));
    for (uint32_t i = 0; i < batch.n_segments; i++) QM_TRY(look(x, &batch.segments[i]));
  }
}

static int look_at_all(cutting *x) {
  QM_TRY(each(x, look_for_part));
  do {
    x->again = 0;
    x->gone.n = 0;
    if (x->any) QM_TRY(each(x, look_at));
  } while (x->again);
  return QM_OK;
}

/* --- taking it back --- */

static int note_record(cutting *x, const qm_id *id) {
  if (x->n_ids && qm_id_cmp(&x->ids[x->n_ids - 1], id) == 0) return QM_OK;
  if (x->n_ids == x->cap_ids) {
    size_t cap = x->cap_ids ? x->cap_ids * 2 : 64;
    qm_id *p = qm_realloc_array(x->s->engine->env, x->ids, cap, sizeof *p);
    if (!p) return QM_ENOMEM;
    x->ids = p;
    x->cap_ids = cap;
  }
  x->ids[x->n_ids++] = *id;
  return QM_OK;
}

/* What its author reads of it, and where it stands now. */
static int keep_copies(cutting *x, const qm_segment *g) {
  qm_space *s = x->s;
  const qm_author *author = &s->authors.ids[g->author];
  const qm__aside_range *first = qm__fork_first(s, author, g->head);
  qm_id device;
  int rc = QM_OK;
  qm_author_device(author, &device);
  if (!first || qm_id_cmp(&device, &s->engine->device) != 0) return QM_OK; /* a twin has it */
  for (uint32_t i = 0; i < s->n_asides && rc == QM_OK; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->code != QM_EFORK || memcmp(&r->segment, &first->segment, sizeof r->segment) != 0)
      continue;
    qm_aside a = {.author = *author,
                  .first = r->first,
                  .next = r->next,
                  .segment = r->segment,
                  .code = QM_EFORK};
    qm_buf b;
    qm_buf_init(&b, s->engine->env, (size_t)64 << 20);
    rc = qm__copy_write_moved(s, &a, g, &r->moved, r->moved_first, &b);
    if (rc == QM_OK) rc = qm__copy_put(s, &a, qm_buf_slice(&b));
    qm_buf_free(&b);
  }
  return rc;
}

/* 1 where it stays, shorter perhaps. */
static int keep_segment(cutting *x, qm_segment *g, int *stays) {
  author_cut *a = &x->p[g->author];
  qm_segment part;
  uint32_t n = 0;
  *stays = 1;
  if (g->next <= a->from) return QM_OK;
  QM_TRY(keep_copies(x, g));
  for (uint32_t i = 0; i < g->n_changes; i++) {
    const qm_change *c = &g->changes[i];
    n += c->next <= a->from;
    for (uint32_t o = 0; c->next > a->from && o < c->n_ops; o++)
      QM_TRY(note_record(x, &c->ops[o].record));
  }
  *stays = n != 0 && !a->ends;
  if (!*stays) return QM_OK;
  a->ends = 1;
  QM_TRY(qm__chain_prefix(g, n, &x->scratch, &part));
  memcpy(part.head, a->head.b, QM_HEAD_SIZE);
  *g = part;
  return QM_OK;
}

static int rewrite(cutting *x, uint64_t seq, qm_segment *p, uint32_t n) {
  qm_space *s = x->s;
  qm_store *store = s->engine->store;
  qm_batch batch = {p, n};
  qm_segment_row *rows = qm_arena_array(&x->scratch, n, sizeof *rows);
  qm_log_row row = {.seq = seq, .segments = rows, .n_segments = n};
  qm_buf b;
  int rc = QM_OK;
  if (!rows) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) rows[i] = (qm_segment_row){p[i].author, p[i].start, p[i].next};
  qm_buf_init(&b, s->engine->env, QM_BATCH_MAX);
  if (n) rc = qm_batch_encode(&b, &batch, &s->authors, s->engine->zip_level);
  row.batch = qm_buf_slice(&b);
  if (rc == QM_OK) rc = store->ops->log_rewrite(store, s->number, &row);
  qm_buf_free(&b);
  return rc;
}

static int take_back_row(cutting *x) {
  qm_batch batch;
  uint32_t n = 0;
  QM_TRY(qm__log_decode(x->s, x->batch, &x->scratch, &batch));
  for (uint32_t i = 0; i < batch.n_segments; i++) {
    int stays;
    QM_TRY(keep_segment(x, &batch.segments[i], &stays));
    if (stays) batch.segments[n++] = batch.segments[i];
  }
  return rewrite(x, x->seq, batch.segments, n);
}

static int take_back_log(cutting *x) {
  for (x->seq = 0;;) {
    int rc = next_row(x);
    if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
    if (x->touched) QM_TRY(take_back_row(x));
  }
}

static int take_back_author(cutting *x, uint32_t author) {
  qm_space *s = x->s;
  const qm_env *env = s->engine->env;
  author_cut *a = &x->p[author];
  qm_author_state *st = &s->states[author];
  if (a->from == UINT64_MAX) return QM_OK;
  if (!a->from) { /* it has no share any more */
    qm_digest_sub(&s->digest, st->share);
    memset(st->share, 0, sizeof st->share);
  }
  st->closed = a->from;
  st->head = a->head;
  st->time = a->time;
  st->dirty = 1;
  QM_TRY(qm_vv_copy(env, &st->clock, &a->clock));
  QM_TRY(qm_vv_set(env, &st->clock, author, a->from));
  QM_TRY(qm_vv_set(env, &s->vv, author, a->from));
  if (author == s->own) s->engine->epoch_stale = 1;
  return qm__fork_clear(s, &s->authors.ids[author]);
}

static int take_back(cutting *x) {
  qm_space *s = x->s;
  s->touched = s->ingested = 1; /* first: a failure reads all of it anew */
  s->engine->fork_news = s->engine->whole = 1;
  QM_TRY(take_back_log(x));
  for (uint32_t i = 0; i < s->authors.n; i++) QM_TRY(take_back_author(x, i));
  QM_TRY(qm__state_forget(s));
  int rc = s->dirty ? QM_ECUT : qm__rebuild(s, x->ids, x->n_ids);
  return rc == QM_ECUT ? qm__space_dirty_set(s, 2) : rc;
}

/* --- when --- */

static int settle(cutting *x, int *done) {
  *done = 0;
  int rc = look_at_all(x);
  /* The log does not say where an author would stand: all of it waits for a state. */
  if (rc == QM_ECUT) return QM_OK;
  QM_TRY(rc);
  if (!x->any || x->unnamed) return QM_OK;
  QM_TRY(take_back(x));
  if (x->is_hub) return qm__gone_again(&x->gone, x->s, done);
  *done = 1;
  return QM_OK;
}

static int run(qm_engine *e, cutting *x) {
  int done = 0;
  QM_TRY(qm_engine_begin(e));
  int rc = settle(x, &done);
  if (rc == QM_OK && done) return qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  qm_engine_rollback(e);
  return rc;
}

int qm_engine_fork_settle(qm_engine *e, qm_space *s) {
  const qm_env *env = e->env;
  cutting x = {.s = s, .is_hub = (e->flags & QM_ENGINE_HUB) != 0};
  uint32_t n = s->authors.n;
  if (!s->n_suspects || !s->n_forks) return QM_OK;
  QM_TRY(qm_engine_push(e, s)); /* what it takes back lies in segments */
  n = s->authors.n;
  x.p = qm_alloc_zero(env, ((size_t)n + 1) * sizeof *x.p);
  if (!x.p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) x.p[i].from = UINT64_MAX;
  qm_arena_init(&x.scratch, env, ROW_ARENA);
  qm__gone_init(&x.gone, env);
  int rc = run(e, &x);
  qm__gone_free(&x.gone);
  qm_engine_unpark(e, &e->device, 0);
  for (uint32_t i = 0; i < n; i++) qm_vv_free(env, &x.p[i].clock);
  qm_free(env, x.p);
  qm_free(env, x.ids);
  qm_free(env, x.named);
  qm_arena_free(&x.scratch);
  return rc;
}
