#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "tests/sim/chain.h"
#include "tests/sim/check.h"
#include "tests/sim/net.h"
#include "tests/sim/people.h"
#include "tests/sim/schema_sim.h"
#include "tests/sim/steps.h"

const char *const fault_names[F_COUNT] = {
#define X(name, text) text,
    FAULTS(X)
#undef X
};

/* --- telling --- */

static void tell(const world *w, const char *kind, const char *format, va_list args) {
  printf("# seed %llu day %.4f %s: ", (unsigned long long)w->seed,
         (double)(w->now - START_MS) / (double)DAY_MS, kind);
  (void)vprintf(format, args);
  putchar('\n');
}

void violation(world *w, const char *format, ...) {
  va_list args;
  if (!w->violations) {
    (void)snprintf(w->kind, sizeof w->kind, "%s", format);
    va_start(args, format);
    (void)vsnprintf(w->message, sizeof w->message, format, args);
    va_end(args);
  }
  if (w->violations++ >= 8) return;
  va_start(args, format);
  tell(w, "VIOLATION", format, args);
  va_end(args);
}

void note(world *w, const char *format, ...) {
  va_list args;
  if (!w->verbose) return;
  va_start(args, format);
  tell(w, "note", format, args);
  va_end(args);
}

int fires(world *w, fault f, uint32_t num, uint32_t den) {
  if (w->calm || !w->on[f] || !prng_chance(&w->random, num, den)) return 0;
  w->fired[f]++;
  return 1;
}

/* --- env --- */

static uint64_t env_now(void *payload) {
  const node *n = payload;
  uint64_t now = n->frozen_ms ? n->frozen_ms : n->w->now;
  return now + (uint64_t)n->skew_ms;
}

static int env_random(void *payload, uint8_t *to, size_t n) {
  prng_fill(&((node *)payload)->random, to, n);
  return QM_OK;
}

static int env_instance(void *payload, uint8_t out[16]) {
  memcpy(out, ((node *)payload)->instance, 16);
  return QM_OK;
}

static void env_log(void *payload, qm_log_level level, const char *message) {
  const node *n = payload;
  if (n->w->verbose > 1) printf("#   [%u/%d] %s\n", n->index, (int)level, message);
}

/* A keyed hash that only the holder of the device id can make. */
void world_sign(const qm_id *device, const uint8_t digest[32], uint8_t out[64]) {
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  qm_sha_add(&sha, "simulated key", 13);
  qm_sha_add(&sha, device->b, sizeof device->b);
  qm_sha_add(&sha, digest, 32);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 32);
  memcpy(out + 32, hash.b, 32);
}

int world_signed(const qm_id *device, const uint8_t digest[32], const uint8_t signature[64]) {
  uint8_t mine[64];
  world_sign(device, digest, mine);
  return memcmp(mine, signature, 64) == 0;
}

static int env_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  world_sign(&((node *)payload)->id, digest, out);
  return QM_OK;
}

/* --- policies: the simulator's table of members stands for the hub's database --- */

static int verify(void *payload, const qm_id *device, const uint8_t digest[32],
                  const uint8_t signature[64]) {
  const node *n = payload;
  if (!node_of_id(n->w, device)) return QM_ENOTFOUND;
  return world_signed(device, digest, signature) ? QM_OK : QM_EHASH;
}

/* In every list all spaces stand; what may not be read says so. */
static int verify_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                        const uint8_t signature[64]) {
  const node *n = payload;
  if (qm_id_cmp(device, &n->w->nodes[HUB].id) != 0) return QM_EFORGED;
  return verify(payload, device, digest, signature);
}

static void grant_one(const node *n, const node *peer, unsigned space, qm_grant *out) {
  const world *w = n->w;
  int hub = n->index == HUB;
  const node *device = hub ? peer : n;
  int may = device_may(w, device->index, space);
  if (!hub) may = may && device_may(w, peer->index, space);
  *out = (qm_grant){.space = w->spaces[space], .role = qm_slice_of("grid", 4)};
  out->readable = (uint8_t)may;
  out->writable = (uint8_t)(may && (peer->index == HUB || w->writable[peer->index][space]));
}

static int grants(void *payload, const qm_id *peer_id, qm_arena *arena, const qm_grant **out,
                  uint32_t *count) {
  node *n = payload, *peer = node_of_id(n->w, peer_id);
  qm_grant *g = qm_arena_zero(arena, SPACES * sizeof *g);
  if (!g) return QM_ENOMEM;
  *out = g;
  *count = 0;
  if (!peer || peer->revoked) return QM_OK;
  for (unsigned s = 0; s < SPACES; s++) grant_one(n, peer, s, &g[s]);
  *count = SPACES;
  return QM_OK;
}

static int grant(void *payload, const qm_id *peer_id, const qm_id *space, qm_arena *arena,
                 qm_grant *out) {
  node *n = payload, *peer = node_of_id(n->w, peer_id);
  unsigned s = space_of_id(n->w, space);
  (void)arena;
  if (!peer || peer->revoked || s == SPACES) return QM_EACCESS;
  grant_one(n, peer, s, out);
  return out->readable ? QM_OK : QM_EACCESS;
}

static int is_refused(void *payload, const qm_id *space, const qm_author *author) {
  const node *n = payload;
  const world *w = n->w;
  qm_space *sp = qm_engine_space(n->engine, space);
  uint32_t a;
  for (unsigned i = 0; i < w->n_refused; i++) {
    const refused_row *r = &w->refused[i];
    if (qm_id_cmp(&r->space, space) != 0 || qm_author_cmp(&r->author, author) != 0) continue;
    if (!sp || qm_authors_find(qm_space_authors(sp), author, &a) != QM_OK) return r->counter == 0;
    return qm_vv_get(qm_space_vv(sp), a) >= r->counter;
  }
  return 0;
}

/* What was judged with its hash and its author known is held against the author; what may
 * be a relay's or the wire's doing is not. */
static int refusal(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *r,
                   int by_peer) {
  node *n = payload;
  world *w = n->w;
  qm_id device;
  qm_author_device(&r->author, &device);
  node *author = node_of_id(w, &device), *sender = node_of_id(w, peer);
  note(w, "node %u: refused of %u by %s: %s (%s)", n->index, author ? author->index : 99,
       by_peer ? "peer" : "itself", qm_err_name(r->code), r->message);
  if (author && !author->liar && sender && !sender->liar && !n->liar &&
      !forks_in(w, space_of_id(w, space)))
    violation(w, "an honest change was refused: author %u, from %u, at %u: %s (%s)",
              author->index, sender->index, n->index, qm_err_name(r->code), r->message);
  int sure = r->code == QM_ESCHEMA || r->code == QM_EACCESS || getenv("REFUSALS");
  if (by_peer || n->index != HUB || !sure) return QM_OK;
  for (unsigned i = 0; i < w->n_refused; i++)
    if (!qm_id_cmp(&w->refused[i].space, space) &&
        !qm_author_cmp(&w->refused[i].author, &r->author))
      return QM_OK;
  w->refused = realloc(w->refused, (w->n_refused + 1) * sizeof *w->refused);
  if (!w->refused) abort();
  w->refused[w->n_refused++] = (refused_row){*space, r->author, r->counter};
  return QM_OK;
}

/* --- lookups --- */

node *node_of_id(world *w, const qm_id *id) {
  for (unsigned i = 0; i < NODES; i++)
    if (qm_id_cmp(&w->nodes[i].id, id) == 0) return &w->nodes[i];
  return NULL;
}

unsigned space_of_id(const world *w, const qm_id *id) {
  unsigned s = 0;
  while (s < SPACES && qm_id_cmp(&w->spaces[s], id) != 0) s++;
  return s;
}

qm_space *node_space(node *n, unsigned space) {
  return n->up ? qm_engine_space(n->engine, &n->w->spaces[space]) : NULL;
}

int device_may(const world *w, unsigned device, unsigned space) {
  return device == HUB || (w->member[device][space] && !w->nodes[device].revoked);
}

int device_keeps(const world *w, unsigned device, unsigned space) {
  return w->hub_lives && w->member[device][space] && !w->writable[device][space];
}

/* --- life of a node --- */

static int open_engine(node *n, qm_error *e) {
  qm_engine_options o = {.size = sizeof o, .device = n->id, .zip_level = n->w->zip_level};
  if (n->index == HUB) o.flags = QM_ENGINE_HUB | QM_ENGINE_BEHIND;
  else if (n->index % 4) o.flags = QM_ENGINE_BEHIND; /* what it writes waits */
  int rc = qm_store_sqlite_open(&n->env, disk_path(n->disk),
                                QM_SQLITE_CREATE | (unsigned)n->w->store_flags, &n->store, e);
  if (rc == QM_OK) rc = qm_engine_open(&n->engine, &n->env, n->store, &o, e);
  return rc;
}

static void close_both(node *n) {
  if (n->engine) qm_engine_close(n->engine);
  if (n->store) n->store->ops->close(n->store);
  n->engine = NULL;
  n->store = NULL;
}

int node_spaces(node *n) {
  const world *w = n->w;
  if (n->index != HUB || !n->up) return QM_OK;
  for (unsigned s = 0; s < SPACES; s++) {
    char name[8];
    size_t len = (size_t)snprintf(name, sizeof name, "space%u", s);
    qm_space_info info = {.id = w->spaces[s],
                          .name = qm_slice_of(name, len),
                          .role = qm_slice_of("hub", 3),
                          .secret = {(uint8_t)(s + 1), 7},
                          .schema = qm_buf_slice(&w->schemas[w->schema_at[s]]),
                          .readable = 1,
                          .writable = 1};
    int rc = qm_engine_space_put(n->engine, &info, NULL);
    if (rc != QM_OK) return rc;
  }
  return QM_OK;
}

int node_open(node *n) {
  world *w = n->w;
  qm_error e = {0, ""};
  for (int attempt = 0; attempt < 6; attempt++) {
    disk_faults *f = disk_faults_of(n->disk);
    if (attempt < 4 && fires(w, F_RECOVERY, 1, 5)) f->crash_in = 1 + prng_below(&w->random, 12);
    memset(&e, 0, sizeof e);
    int rc = open_engine(n, &e);
    n->up = rc == QM_OK;
    if (rc == QM_OK) rc = node_spaces(n);
    if (rc == QM_OK && !disk_dead(n->disk)) {
      f->crash_in = 0;
      qm_answer_init(&n->answer, &n->env, n->engine,
                     n->index == HUB ? QM_ANSWER_HUB | QM_ANSWER_CHECK_AUTHOR |
                                           QM_ANSWER_CHECK_SCHEMA
                                     : QM_ANSWER_CLOCK,
                     &n->policy);
      qm_answer_init(&n->peer_answer, &n->env, n->engine, QM_ANSWER_CHECK_AUTHOR,
                     &n->peer_policy);
      forks_note(n);
      check_reopened(n);
      node_check_harm(n);
      return 1;
    }
    n->up = 0;
    close_both(n);
    if (disk_dead(n->disk)) disk_crash(n->disk);
    if (rc == QM_ECORRUPT || rc == QM_EFORMAT || rc == QM_EINTERNAL) {
      violation(w, "node %u cannot be opened: %s (%s)", n->index, qm_err_name(rc), e.message);
      return 0;
    }
  }
  note(w, "node %u stays closed: %s", n->index, e.message);
  return 0;
}

void node_close(node *n) {
  if (!n->up) return;
  n->up = 0;
  net_cut_node(n->w, n);
  qm_answer_free(&n->answer);
  qm_answer_free(&n->peer_answer);
  close_both(n);
}

void node_restart(node *n) {
  node_close(n);
  n->sick = 0;
  n->harmed |= n->found; /* what a check noted need not have reached the disk; the damage did */
  if (disk_dead(n->disk)) disk_crash(n->disk);
  (void)node_open(n);
}

void node_after(node *n) {
  if (!n->up) return;
  if (disk_dead(n->disk)) {
    note(n->w, "node %u: power cut", n->index);
    n->w->fired[n->index == HUB ? F_HUB_CRASH : F_CRASH]++;
    node_restart(n);
  } else if (n->sick) {
    note(n->w, "node %u: opened again after a storage error", n->index);
    node_restart(n);
  }
}

void node_restore(node *n, const disk_image *image, int same_instance) {
  node_close(n);
  disk_restore(n->disk, image);
  forks_forget(n);
  if (!same_instance) prng_fill(&n->w->random, n->instance, sizeof n->instance);
  n->fresh = 1;
  n->sick = 0;
  people_forget_forms(n);
  (void)node_open(n);
}

/* --- life of a world --- */

static void make_node(world *w, unsigned i) {
  node *n = &w->nodes[i];
  n->w = w;
  n->index = i;
  n->random = prng_fork(&w->random, 100 + i);
  prng_fill(&w->random, n->id.b, sizeof n->id.b);
  prng_fill(&w->random, n->instance, sizeof n->instance);
  n->env = qm_env_default();
  n->env.payload = n;
  n->env.now_ms = env_now;
  n->env.random = env_random;
  n->env.instance = env_instance;
  n->env.log = env_log;
  n->env.sign = env_sign;
  n->fresh = 1;
  n->policy = (qm_answer_policy){
      .payload = n, .verify = verify, .verify_aside = verify_aside, .refusal = refusal};
  n->peer_policy = n->policy;
  n->peer_policy.grants = grants;
  n->peer_policy.grant = grant;
  if (i == HUB) {
    n->policy = n->peer_policy;
    n->policy.is_refused = is_refused;
  }
  n->disk = disk_new(i, prng_next(&w->random), &w->trace);
}

static void draw_members(world *w) {
  unsigned half = DEVICES / 2;
  for (unsigned d = 0; d < DEVICES; d++) {
    w->member[d][0] = d < half;
    w->member[d][1] = d >= half;
    w->member[d][2] = (uint8_t)prng_chance(&w->random, 3, 4);
    for (unsigned s = 0; s < SPACES; s++) w->writable[d][s] = 1;
    memcpy(w->ever[d], w->member[d], sizeof w->ever[d]);
  }
  if (prng_chance(&w->random, 1, 2)) w->writable[prng_below(&w->random, DEVICES)][2] = 0;
}

static void draw_faults(world *w) {
  for (int f = 0; f < F_COUNT; f++) w->on[f] = (uint8_t)prng_chance(&w->random, 1, 2);
  if (w->on[F_LIAR_BYTES] || w->on[F_LIAR_FORGE] || w->on[F_LIAR_CHAIN] || w->on[F_LIAR_FORK] ||
      w->on[F_LIAR_RAW])
    w->nodes[prng_below(&w->random, DEVICES)].liar = (int)prng_chance(&w->random, 3, 4);
}

void world_open(world *w, uint64_t seed, const uint8_t *on) {
  static const char letters[] = "bcdfghjkmnpqrstvwxz";
  static qm_env plain;
  int verbose = w->verbose;
  FILE *record = w->record;
  memset(w, 0, sizeof *w);
  w->verbose = verbose;
  w->record = record;
  plain = qm_env_default();
  w->seed = seed;
  w->random.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
  w->trace.hash = UINT64_C(0xcbf29ce484222325);
  w->now = START_MS;
  disk_reset(prng_next(&w->random));
  for (unsigned v = 0; v < SCHEMAS; v++) {
    qm_buf_init(&w->schemas[v], &plain, 1u << 20);
    if (sim_schema(v, &w->schemas[v]) != 0) abort();
  }
  qm_arena_init(&w->arena, &plain, (size_t)1 << 28);
  for (unsigned s = 0; s < SPACES; s++) {
    prng_fill(&w->random, w->spaces[s].b, sizeof w->spaces[s].b);
    w->spaces[s].b[0] = (uint8_t)(s + 1); /* grants ascend by space */
    (void)snprintf(w->canary[s], sizeof w->canary[s], "%s", "~Zq");
    for (int i = 3; i < CANARY_SIZE; i++)
      w->canary[s][i] = letters[prng_below(&w->random, sizeof letters - 1)];
  }
  w->zip_level = prng_chance(&w->random, 1, 4) ? 0 : -1; /* below 0 text stands as it is */
  w->store_flags = prng_chance(&w->random, 1, 2) ? QM_SQLITE_RELAXED : 0;
  for (unsigned i = 0; i < NODES; i++) make_node(w, i);
  draw_members(w);
  draw_faults(w);
  if (on) memcpy(w->on, on, sizeof w->on);
  for (uint32_t k = prng_below(&w->random, 2), d = prng_below(&w->random, DEVICES); k < 2; k++)
    w->nodes[(d + 3 * k) % DEVICES].absent = w->on[F_LATE];
  w->course.state = prng_next(&w->random);
  net_open(w);
  people_open(w);
  w->calm = 1; /* the first morning: everybody is enrolled */
  for (unsigned i = 0; i < NODES; i++)
    if (!w->nodes[i].absent && !node_open(&w->nodes[i])) abort();
}

void world_close(world *w) {
  for (unsigned i = 0; i < NODES; i++) {
    node_close(&w->nodes[i]);
    disk_image_free(w->nodes[i].backup);
  }
  net_close(w);
  people_close(w);
  for (unsigned i = 0; i < NODES; i++) disk_free(w->nodes[i].disk);
  free(w->refused);
  free(w->forks);
  for (unsigned v = 0; v < SCHEMAS; v++) qm_buf_free(&w->schemas[v]);
  qm_arena_free(&w->arena);
}
