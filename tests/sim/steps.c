#include "tests/sim/steps.h"

#include <stdlib.h>
#include <string.h>

#include "core/fold.h"
#include "core/join.h"
#include "core/repair.h"
#include "core/space.h"
#include "tests/sim/net.h"
#include "tests/sim/people.h"
#include "tests/sim/liar.h"

/* --- power and disks --- */

static void step_wake(world *w, node *n, const step *x) {
  (void)w;
  (void)x;
  if (!n->up && !n->absent) (void)node_open(n);
}

/* A phone that is enrolled when the others have long been at work. */
static void step_join(world *w, node *n, const step *x) {
  if (!n->absent) return;
  n->absent = 0;
  n->late = 1;
  w->fired[F_LATE]++;
  if (node_open(n)) (void)net_start(w, n, &w->nodes[HUB], x, 0);
}

static void step_crash(world *w, node *n, const step *x) {
  (void)w;
  disk_reseed(n->disk, x->salt);
  disk_faults_of(n->disk)->crash_in = (uint32_t)x->arg[A_WRITES];
}

static void step_disk(world *w, node *n, const step *x) {
  disk_faults *f = disk_faults_of(n->disk);
  (void)w;
  disk_reseed(n->disk, x->salt);
  f->read_eio = (uint32_t)x->arg[A_READ_EIO];
  f->write_eio = (uint32_t)x->arg[A_WRITE_EIO];
  f->sync_eio = (uint32_t)x->arg[A_SYNC_EIO];
  f->full = x->arg[A_FULL] != 0;
}

/* --- clocks --- */

static void step_clock_off(world *w, node *n, const step *x) {
  w->fired[F_CLOCK_OFF]++;
  n->skew_ms = x->arg[A_MS];
  n->moved_ms = w->now;
}

static void step_clock_jump(world *w, node *n, const step *x) {
  w->fired[F_CLOCK_JUMP]++;
  n->skew_ms += x->arg[A_MS];
  n->moved_ms = w->now;
}

static void step_freeze(world *w, node *n, const step *x) {
  (void)x;
  w->fired[F_CLOCK_FROZEN]++;
  n->frozen_ms = n->moved_ms = w->now;
}

static void step_thaw(world *w, node *n, const step *x) {
  (void)x;
  n->frozen_ms = 0;
  n->moved_ms = w->now;
}

/* --- backups and copies --- */

static int all_up(const world *w) {
  for (unsigned i = 0; i < NODES; i++)
    if (!w->nodes[i].up && !w->nodes[i].absent) return 0; /* who holds what cannot be told now */
  return 1;
}

/* A backup is taken as the disk is. For a copy to another device the open runs are closed
 * first: it has not the key to sign them. */
static disk_image *image_of(node *n, int closed) {
  int rc = QM_OK;
  for (unsigned s = 0; s < SPACES && closed; s++)
    if (node_space(n, s) && rc == QM_OK) rc = qm_engine_push(n->engine, node_space(n, s));
  /* A copy of what a power cut could still take from the device would be a fork of it. */
  if (rc == QM_OK && n->up) rc = n->store->ops->barrier(n->store);
  if (rc == QM_EIO) n->sick = 1;
  if (rc == QM_OK) return disk_backup(n->disk);
  node_after(n);
  return NULL;
}

/* What a node holds is looked at before it loses that: not through a store that has failed. */
static int readable(node *n) {
  if (n->up) node_restart(n);
  return n->up;
}

static void step_backup(world *w, node *n, const step *x) {
  (void)x;
  if (!all_up(w)) return;
  /* Where logs are cut, a run that was closed twice is a fork (S18.8): its chain is gone. */
  int cuts = w->fired[F_CUT_LOG] || (w->on[F_CUT_LOG] && !w->on[F_HUB_RESTORE]);
  disk_image_free(n->backup);
  n->backup = image_of(n, cuts);
}

static void go_back(node *n, const disk_image *image) {
  people_before_restore(n);
  node_restore(n, image, 0);
  people_after_restore(n);
}

static void step_back(world *w, node *n, const step *x) {
  (void)x;
  if (!n->backup || !all_up(w) || n->revoked || !readable(n)) return;
  w->fired[n->index == HUB ? F_HUB_RESTORE : F_RESTORE]++;
  note(w, "node %u goes back to its backup", n->index);
  if (n->index == HUB) w->hub_lives++;
  go_back(n, n->backup);
}

static int same_members(const world *w, unsigned a, unsigned b) {
  return memcmp(w->ever[a], w->ever[b], SPACES) == 0 &&
         memcmp(w->member[a], w->member[b], SPACES) == 0 &&
         memcmp(w->writable[a], w->writable[b], SPACES) == 0;
}

static void step_copy(world *w, node *n, const step *x) {
  node *from = &w->nodes[x->arg[A_OTHER]];
  if (from == n || from->index == HUB || n->index == HUB || !all_up(w)) return;
  if (from->liar || from->revoked || n->revoked) return;
  if (!same_members(w, n->index, from->index)) return;
  disk_image *image = readable(n) && from->up ? image_of(from, 1) : NULL;
  if (!image) return;
  w->fired[F_COPY]++;
  note(w, "device %u gets a copy of the database of device %u", n->index, from->index);
  go_back(n, image);
  disk_image_free(image);
}

/* --- rights and schemas --- */

static void leave(world *w, node *n, unsigned space, int all) {
  note(w, "device %u: %s", n->index, all ? "revoked" : "a space is taken away");
  net_cut_node(w, n); /* the driver throws it out */
  people_before_restore(n);
  if (all)
    n->revoked = 1;
  else
    w->member[n->index][space] = 0;
  int up = n->up;
  n->up = 0;
  people_after_restore(n);
  n->up = up;
}

static void step_revoke(world *w, node *n, const step *x) {
  (void)x;
  if (n->index == HUB || n->revoked || n->liar || (n->up && !readable(n))) return;
  w->fired[F_REVOKE]++;
  leave(w, n, 0, 1);
}

static void step_leave(world *w, node *n, const step *x) {
  unsigned s = (unsigned)x->arg[A_SPACE];
  if (n->index == HUB || n->revoked || n->liar || !w->member[n->index][s]) return;
  if (n->up && !readable(n)) return;
  w->fired[F_GONE]++;
  leave(w, n, s, 0);
}

/* The operator gives a space of the hub a newer schema; devices have it with their next
 * session, each on its day. */
static void step_upgrade(world *w, node *n, const step *x) {
  unsigned s = (unsigned)x->arg[A_SPACE];
  int64_t version = x->arg[A_VERSION];
  if (n->index != HUB || version <= w->schema_at[s] || version >= SCHEMAS) return;
  note(w, "space %u has schema %d", s, (int)version);
  w->fired[F_UPGRADE]++;
  w->schema_at[s] = (uint8_t)version;
  if (node_spaces(n) != QM_OK) n->sick = 1; /* tried again once it is open */
  net_leave(w);
  node_after(n);
}

static void step_lie(world *w, node *n, const step *x) {
  (void)x;
  if (!n->up || !n->liar) return;
  w->fired[F_LIAR_RAW]++;
  liar_write(n);
  node_after(n);
}

/* Whatever somebody still lacks of a row. */
static int join_log(node *n, qm_space *sp) {
  qm_joining how = {.bytes_min = 400, .ops_max = 200};
  qm_joined out = {.more = 1};
  for (int i = 0; i < 4 && out.more; i++) {
    QM_TRY(qm_engine_join(n->engine, sp, &how, &out));
    how.after = out.last;
  }
  return QM_OK;
}

/* The hub keeps no more of its log than it likes, in fewer rows: whoever lies below it takes a
 * state. */
static void step_cut_log(world *w, node *n, const step *x) {
  (void)x;
  if (n->index != HUB || !n->up) return;
  for (unsigned s = 0; s < SPACES; s++) {
    qm_space *sp = node_space(n, s);
    qm_vv below = {NULL, 0, 0};
    int rc = join_log(n, sp);
    for (uint32_t a = 0; rc == QM_OK && a < qm_space_authors(sp)->n; a++) {
      uint32_t next = (uint32_t)qm_vv_get(qm_space_vv(sp), a);
      rc = qm_vv_set(&n->env, &below, a, prng_chance(&w->random, 1, 2) ? next
                                         : next ? prng_below(&w->random, next) : 0);
    }
    if (rc == QM_OK) rc = qm_engine_cut(n->engine, sp, &below);
    qm_vv_free(&n->env, &below);
    if (rc == QM_OK) w->fired[F_CUT_LOG]++;
    else if (rc == QM_EIO || rc == QM_EINTERNAL || rc == QM_ECORRUPT) n->sick = 1;
  }
  node_after(n);
}

/* --- damage --- */

typedef struct harming {
  qm_record_row row;
  int found;
} harming;

static int note_row(void *payload, const qm_record_row *row) {
  harming *h = payload;
  uint8_t *copy = malloc(row->state.n + 1);
  if (!copy) abort();
  memcpy(copy, row->state.p, row->state.n);
  h->row = *row;
  h->row.state.p = copy;
  h->row.hash[0] ^= 0x80;
  h->found = 1;
  return QM_OK;
}

/* From `first` on; *found = 0: there is none. Not of a record that waits to be folded: folding
 * would write it anew, and a power cut could undo that but not the damage. */
static int harm_one(node *n, uint32_t space, const qm_id *first, int *found) {
  harming h = {.found = 0};
  qm_store *store = n->store;
  *found = 0;
  int rc = qm__fold(n->engine);
  if (rc == QM_OK) rc = store->ops->record_scan(store, space, 0, first, 1, note_row, &h);
  *found = h.found;
  if (rc == QM_OK && h.found) rc = store->ops->begin(store);
  if (rc == QM_OK && h.found) {
    rc = store->ops->record_save(store, space, &h.row, 1);
    if (rc == QM_OK) rc = store->ops->commit(store, QM_DURABLE, NULL, NULL);
    else store->ops->rollback(store);
  }
  free((void *)(uintptr_t)h.row.state.p);
  return rc;
}

void node_check_harm(node *n) {
  for (unsigned i = 0; i < SPACES; i++) {
    qm_space *sp = n->harmed >> i & 1 ? node_space(n, i) : NULL;
    if (!sp) continue;
    int rc = qm_engine_check(n->engine, sp, NULL);
    if (disk_dead(n->disk)) return;
    uint8_t bit = (uint8_t)(1u << i);
    if (rc == QM_OK || qm_space_suspect(sp)) {
      n->harmed &= (uint8_t)~bit;
      n->found = rc == QM_OK ? n->found & (uint8_t)~bit : n->found | bit;
    } else if (rc == QM_EIO || rc == QM_EINTERNAL || rc == QM_ECORRUPT) {
      n->sick = 1;
    }
  }
}

/* A record of a space no longer has the bytes that its hash says. A check finds that, and the
 * next session that goes so far replaces it. */
static void step_harm(world *w, node *n, const step *x) {
  qm_id first = {{0}};
  int found = 0;
  (void)x;
  if (!n->up || n->liar || n->index == HUB) return;
  unsigned space = prng_below(&w->random, SPACES);
  qm_space *sp = node_space(n, space);
  prng_fill(&w->random, first.b, sizeof first.b);
  if (!sp || qm_space_dirty(sp) || qm_space_suspect(sp)) return;
  int rc = harm_one(n, sp->number, &first, &found);
  if (found) n->harmed |= (uint8_t)(1u << space);
  if (rc == QM_OK && found) {
    w->fired[F_HARM]++;
    node_check_harm(n);
  }
  if (rc == QM_EIO || rc == QM_EINTERNAL || rc == QM_ECORRUPT) n->sick = 1;
  node_after(n);
}

/* --- sessions --- */

static void step_sync(world *w, node *n, const step *x) {
  node *hub = &w->nodes[HUB];
  if (n == hub || (net_stays(w, n) && prng_chance(&w->random, 3, 4))) return;
  if (!net_start(w, n, hub, x, 0)) return;
  if (x->arg[A_TWICE] && net_start(w, n, hub, x, 1)) w->fired[F_REPEAT]++;
}

static void step_meet(world *w, node *n, const step *x) {
  node *other = &w->nodes[x->arg[A_OTHER]];
  if (other != n && other->index != HUB && n->index != HUB) (void)net_start(w, n, other, x, 0);
}

/* --- all of them --- */

static const struct {
  void (*run)(world *w, node *n, const step *x);
} kinds[S_COUNT] = {
#define X(name, word, run) {run},
    STEPS(X)
#undef X
};

void step_do(world *w, const step *x) {
  node *n = &w->nodes[x->device];
  if (w->record) {
    script_print_step(w->record, x);
    (void)fflush(w->record); /* whatever comes of it */
  }
  if (w->verbose) {
    printf("# ");
    script_print_step(stdout, x);
  }
  w->random.state = x->salt;
  kinds[x->kind].run(w, n, x);
}
