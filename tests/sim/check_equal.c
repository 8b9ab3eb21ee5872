/* check_equal: replicas against each other. Equal VV means equal digest and equal views;
 * what a hub has acknowledged, it holds; honest sessions end well; nothing waits for ever. */
#include <stdlib.h>
#include <string.h>

#include "core/repair.h"
#include "core/space.h"
#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/people.h"

#define CLOCK_BOUND_MS 60000
#define SESSION_BOUND_MS 3600000 /* what moves meanwhile is not measured */

static int in_doubt(const qm_space *s) { return qm_space_dirty(s) || qm_space_suspect(s); }

static int doubts(const node *n, unsigned space) {
  const qm_space *s = n->up ? node_space((node *)(uintptr_t)n, space) : NULL;
  return s && (in_doubt(s) || (n->harmed >> space & 1));
}

/* Two sessions of one pair may find the same difference: the second tells of it when the first
 * has mended it. */
static int known_to_differ(world *w, unsigned a, unsigned b, unsigned space) {
  uint64_t *since = &w->differed_ms[a < b ? a : b][space];
  if (doubts(&w->nodes[a], space) || doubts(&w->nodes[b], space)) *since = w->now;
  return *since && w->now - *since < SESSION_BOUND_MS;
}

/* A liar's word of a fork puts an author in doubt until the hub is met (S21.1); until then no
 * phone's state moves that author (S21.7). */
static int waits_for_hub(const node *n, const node *peer, unsigned space) {
  if (n->index == HUB || peer->index == HUB) return 0;
  const qm_space *a = node_space((node *)(uintptr_t)n, space);
  const qm_space *b = node_space((node *)(uintptr_t)peer, space);
  return (a && a->n_suspects) || (b && b->n_suspects);
}

void check_event(world *w, const node *n, const node *peer, const qm_event *ev) {
  if (n->liar || peer->liar) return;
  unsigned s = space_of_id(w, &ev->space);
  if (forks_in(w, s) && ev->kind != QM_EV_CLOSED) return;
  switch (ev->kind) {
    case QM_EV_DIFFER:
      if (forks_in(w, s)) break; /* a state brings a second word without its chain */
      if (known_to_differ(w, n->index, peer->index, s)) break; /* it is about to be mended */
      violation(w, "nodes %u and %u: equal VV, different digest in space %u", n->index,
                peer->index, s);
      break;
    case QM_EV_FORK: {
      qm_id device;
      qm_author_device(&ev->author, &device);
      const node *a = node_of_id(w, &device);
      violation(w, "nodes %u and %u: fork in space %u, of device %u", n->index, peer->index, s,
                a ? a->index : 99);
      break;
    }
    case QM_EV_STOPPED:
      if (ev->code == QM_EFORK && waits_for_hub(n, peer, s)) break;
      if (ev->code != QM_EACCESS)
        violation(w, "nodes %u and %u: space %u stopped: %s", n->index, peer->index, s,
                  qm_err_name(ev->code));
      break;
    case QM_EV_CLOSED:
      if (ev->code == QM_EPROTO || ev->code == QM_ELIMIT)
        violation(w, "nodes %u and %u: session ended: %s %.*s", n->index, peer->index,
                  qm_err_name(ev->code), (int)ev->message.n, (const char *)ev->message.p);
      break;
    default: break;
  }
}

void check_storage_error(node *n, const char *where, int rc) {
  /* A disk that fails may look damaged; without such faults it must not. */
  const disk_counts *c = disk_counts_of(n->disk);
  if (c->read_eio || c->write_eio || c->sync_eio) return;
  violation(n->w, "node %u: %s gives %s", n->index, where, qm_err_name(rc));
}

/* The check is no fault of the phone's day: its disk takes part in it without any. */
static int folded(world *w, node *n) {
  int calm = w->calm;
  w->calm = 1;
  int rc = qm_engine_fold(n->engine);
  w->calm = calm;
  return rc == QM_OK;
}

static void compare_pair(world *w, node *a, node *b, unsigned space, int must) {
  uint8_t va[16], vb[16];
  qm_digest da, db;
  qm_space *x = node_space(a, space), *y = node_space(b, space);
  if (!x || !y || forks_in(w, space)) return;
  if (qm_engine_vv_digest(a->engine, x, va) != QM_OK ||
      qm_engine_vv_digest(b->engine, y, vb) != QM_OK)
    return;
  if (memcmp(va, vb, 16) != 0) {
    if (must) violation(w, "nodes %u and %u: space %u not converged", a->index, b->index, space);
    return;
  }
  if (!must && (in_doubt(x) || in_doubt(y))) return; /* S18.6, S19.1 */
  if (!folded(w, a) || !folded(w, b)) return;
  qm_space_digest(x, &da);
  qm_space_digest(y, &db);
  if (!qm_digest_eq(&da, &db))
    violation(w, "nodes %u and %u: space %u: equal VV, different digest", a->index, b->index,
              space);
}

static void check_clock(world *w, const node *n) {
  const disk_faults *f = disk_faults_of(n->disk);
  if (f->full || f->read_eio || f->write_eio || f->sync_eio) return; /* it may not be noted */
  uint64_t now = qm_engine_now(n->engine);
  uint64_t off = now > w->now ? now - w->now : w->now - now;
  int steady = !n->frozen_ms && w->now > n->moved_ms + SESSION_BOUND_MS;
  if (off > CLOCK_BOUND_MS && steady)
    violation(w, "device %u: after a session with the hub its clock is %llu ms off", n->index,
              (unsigned long long)off);
}

/* --- a session that ended well has brought everything over --- */

static void add_held(node *n, unsigned space, int by_server, held_list *out) {
  qm_space *s = node_space(n, space);
  for (uint32_t a = 0; s && a < s->n_states; a++) {
    if (!s->states[a].closed) continue;
    if (out->n == out->cap) {
      out->cap = out->cap ? out->cap * 2 : 64;
      out->p = realloc(out->p, out->cap * sizeof *out->p);
      if (!out->p) abort();
    }
    out->p[out->n++] = (held_row){s->authors.ids[a], s->states[a].closed, (uint8_t)space,
                                  (uint8_t)by_server};
  }
}

void check_held(world *w, node *client, node *server, held_list *out) {
  out->n = 0;
  if (client->liar || server->liar) return;
  for (unsigned s = 0; s < SPACES; s++) {
    if (!device_may(w, client->index, s) || !device_may(w, server->index, s)) continue;
    if (w->writable[client->index][s]) add_held(client, s, 0, out);
    if (server->index == HUB || w->writable[server->index][s]) add_held(server, s, 1, out);
  }
}

/* Storage failed under it, in a save beside the session: what is in memory says nothing until
 * it is opened again, and the session ends when it next asks it. */
static int is_blind(const node *n) { return !n->up || qm_engine_status(n->engine) != QM_OK; }

static void check_brought(world *w, node *client, node *server, const held_list *held) {
  for (uint32_t i = 0; held && i < held->n; i++) {
    const held_row *x = &held->p[i];
    node *to = x->by_server ? client : server;
    qm_space *s = node_space(to, x->space);
    qm_id device;
    uint32_t a;
    qm_author_device(&x->author, &device);
    const node *author = node_of_id(w, &device);
    if (!s || !author || author->liar || !device_may(w, to->index, x->space)) continue;
    if (is_blind(to) || forks_in(w, x->space)) continue; /* what depends on the other word waits */
    uint64_t has = qm_authors_find(&s->authors, &x->author, &a) == QM_OK ? qm_vv_get(&s->vv, a) : 0;
    if (has < x->next)
      violation(w, "nodes %u and %u: their session ended well, %u has %llu of %llu in space %u",
                client->index, server->index, to->index, (unsigned long long)has,
                (unsigned long long)x->next, x->space);
  }
}

static int is_judged(const world *w, unsigned space) {
  for (unsigned i = 0; i < w->n_refused; i++)
    if (space_of_id(w, &w->refused[i].space) == space) return 1;
  return 0;
}

/* An author of whom `to` has less than `from`. What the hub writes of itself while it takes a
 * batch (stamps) goes to the session that brought it in a later round. */
static const qm_author *lacks(const node *from, const qm_space *x, const qm_space *y) {
  for (uint32_t a = 0; a < x->authors.n; a++) {
    uint32_t there;
    uint64_t has = 0;
    qm_id device;
    qm_author_device(&x->authors.ids[a], &device);
    if (qm_id_cmp(&device, &from->w->nodes[HUB].id) == 0) continue;
    if (qm_authors_find(&y->authors, &x->authors.ids[a], &there) == QM_OK)
      has = qm_vv_get(&y->vv, there);
    if (has < qm_vv_get(&x->vv, a)) return &x->authors.ids[a];
  }
  return NULL;
}

void check_rest(world *w, node *client, node *server) {
  if (!client->up || !server->up || client->liar || client->sick || server->sick) return;
  if (disk_dead(client->disk) || disk_dead(server->disk)) return;
  if (is_blind(client) || is_blind(server)) return;
  for (unsigned s = 0; s < SPACES; s++) {
    const qm_space *x = node_space(client, s), *y = node_space(server, s);
    if (!x || !y || !device_may(w, client->index, s) || !w->writable[client->index][s]) continue;
    if (x->parked || y->parked || is_judged(w, s) || forks_in(w, s)) continue;
    if (lacks(client, x, y) || lacks(server, y, x))
      violation(w, "device %u: its session stays and rests, and space %u is not the same",
                client->index, s);
  }
}

void check_session(world *w, node *client, node *server, int code, const held_list *held,
                   int stayed) {
  note(w, "session %u-%u: %s", client->index, server->index,
       code == QM_OK ? "ok" : qm_err_name(code));
  if (code != QM_OK || !client->up || !server->up) return;
  people_met(w, client, server);
  if (client->liar || server->liar) return;
  /* A peer may have to refuse what a liar signed badly, and with it all that follows. */
  if (server->index == HUB) {
    check_brought(w, client, server, held);
    client->fresh = 0;
    client->hub_life = w->hub_lives;
    if (!stayed) check_clock(w, client); /* its clock was read long ago */
  }
  for (unsigned s = 0; s < SPACES; s++)
    if (device_may(w, client->index, s) && device_may(w, server->index, s))
      compare_pair(w, client, server, s, 0);
}

/* --- acknowledged --- */

static void acknowledged_of(world *w, node *d, node *hub, unsigned s) {
  qm_space *x = node_space(d, s), *y = node_space(hub, s);
  if (!x || !y) return;
  const qm_authors *authors = qm_space_authors(x);
  for (uint32_t a = 0; a < authors->n; a++) {
    uint32_t at_hub;
    uint64_t said = qm_vv_get(qm_space_acknowledged(x), a), held = 0;
    if (!said) continue;
    if (qm_authors_find(qm_space_authors(y), &authors->ids[a], &at_hub) == QM_OK)
      held = qm_vv_get(qm_space_vv(y), at_hub);
    if (held < said)
      violation(w, "device %u was told that the hub holds %llu of space %u; it holds %llu",
                d->index, (unsigned long long)said, s, (unsigned long long)held);
  }
}

void check_acknowledged(world *w) {
  node *hub = &w->nodes[HUB];
  for (unsigned d = 0; d < DEVICES && hub->up; d++) {
    node *n = &w->nodes[d];
    if (!n->up || n->fresh || n->liar || n->hub_life != w->hub_lives) continue;
    for (unsigned s = 0; s < SPACES; s++)
      if (device_may(w, d, s)) acknowledged_of(w, n, hub, s);
  }
}

/* --- at rest --- */

static uint64_t shown_hash(world *w, node *n, const page *r) {
  view v;
  qm_arena_reset(&w->arena);
  if (view_class(n, node_space(n, r->space), &r->id, &v) == QM_OK) return v.hash;
  violation(w, "record %u cannot be read at %u", r->label, n->index);
  return 0;
}

static void compare_views(world *w, const uint64_t *at_hub, node *n, unsigned s) {
  const people *p = w->people;
  for (uint32_t r = 0; r < p->n_records; r++)
    if (p->records[r].space == s && shown_hash(w, n, &p->records[r]) != at_hub[r])
      violation(w, "record %u is shown otherwise at device %u than at the hub",
                p->records[r].label, n->index);
  qm_arena_reset(&w->arena);
}

static void at_rest(world *w, node *n, unsigned s) {
  uint64_t unsent = 0, oldest = 0;
  qm_error e = {0, ""};
  qm_space *sp = node_space(n, s);
  if (!sp) {
    violation(w, "device %u does not have space %u", n->index, s);
    return;
  }
  if (qm_space_schema(sp)->version != w->schema_at[s] + 1u)
    violation(w, "node %u: space %u has schema %u, its hub %u", n->index, s,
              qm_space_schema(sp)->version, w->schema_at[s] + 1u);
  if (sp->parked) violation(w, "node %u: changes of space %u are still parked", n->index, s);
  if (qm_engine_check(n->engine, sp, &e) != QM_OK)
    violation(w, "node %u: space %u: %s", n->index, s, e.message);
  if (n->index == HUB || !w->writable[n->index][s]) return;
  if (qm_engine_unsent(n->engine, sp, &unsent, &oldest) != QM_OK || unsent)
    violation(w, "device %u: %llu changes of space %u stay unsent", n->index,
              (unsigned long long)unsent, s);
}

void check_converged(world *w) {
  node *hub = &w->nodes[HUB];
  const people *p = w->people;
  uint64_t *at_hub = calloc(p->n_records + 1, sizeof *at_hub);
  if (!at_hub) abort();
  for (uint32_t r = 0; r < p->n_records; r++) at_hub[r] = shown_hash(w, hub, &p->records[r]);
  for (unsigned s = 0; s < SPACES; s++) {
    at_rest(w, hub, s);
    for (unsigned d = 0; d < DEVICES; d++) {
      node *n = &w->nodes[d];
      if (n->liar || !device_may(w, d, s) || forks_in(w, s)) continue;
      if (device_keeps(w, d, s)) continue;
      at_rest(w, n, s);
      compare_pair(w, hub, n, s, 1);
      if (!node_space(n, s)) continue;
      if (qm_space_dirty(node_space(n, s)))
        violation(w, "device %u: space %u stays dirty", d, s);
      else
        compare_views(w, at_hub, n, s);
    }
  }
  free(at_hub);
  for (unsigned i = 0; i < NODES; i++)
    if (w->nodes[i].up && !w->nodes[i].liar) check_chains(&w->nodes[i]);
  check_acknowledged(w);
}
