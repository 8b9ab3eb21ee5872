#define _DEFAULT_SOURCE /* mkdtemp, MAP_ANONYMOUS */
#include "tests/faults/crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/sqlite/store_sqlite.h"
#include "core/state.h"

enum { ROUNDS = 4, COMMITS_MAX = 200, PATH = 300, PARTS_MAX = 64 };
enum { PHONE, HUB, JOINER };

/* What rests in a store after its first, second… commit, as a hash over all of it. */
typedef struct rest {
  qm_hash after[COMMITS_MAX];
  unsigned n;
} rest;

static crash_count *count;
static rest rests[CRASH_STORES];
static int recording;
static qm_store *open_stores[CRASH_STORES];

/* --- the content of a store --- */

typedef struct reading {
  qm_sha sha;
  qm_store *s;
  uint64_t seq;
  uint32_t spaces[4], n_spaces;
} reading;

static void add(reading *r, const void *p, size_t n) {
  uint8_t len[8];
  for (int i = 0; i < 8; i++) len[i] = (uint8_t)((uint64_t)n >> (8 * i));
  qm_sha_add(&r->sha, len, sizeof len);
  qm_sha_add(&r->sha, p, n);
}
static void add_number(reading *r, uint64_t v) { add(r, &v, sizeof v); }
static void add_slice(reading *r, qm_slice s) { add(r, s.p, s.n); }

static int on_meta(void *payload, qm_slice key, qm_slice value) {
  add_slice(payload, key);
  add_slice(payload, value);
  return QM_OK;
}
static int on_space(void *payload, const qm_space_row *row) {
  reading *r = payload;
  add_number(r, row->space);
  add_slice(r, row->blob);
  if (r->n_spaces < 4) r->spaces[r->n_spaces++] = row->space;
  return QM_OK;
}
static int on_author(void *payload, const qm_author_row *row) {
  add(payload, row->id.b, sizeof row->id.b);
  add_number(payload, row->next);
  add_number(payload, row->closed);
  add(payload, row->head.b, sizeof row->head.b);
  add_number(payload, row->time);
  add_slice(payload, row->clock);
  return QM_OK;
}
static int on_record(void *payload, const qm_record_row *row) {
  add(payload, row->id.b, sizeof row->id.b);
  add_slice(payload, row->state);
  add(payload, row->hash, sizeof row->hash);
  return QM_OK;
}
static int on_open(void *payload, const qm_open_row *row) {
  add_number(payload, row->counter);
  add_slice(payload, row->change);
  return QM_OK;
}
static int on_log(void *payload, const qm_log_row *row) {
  reading *r = payload;
  r->seq = row->seq;
  add_number(r, row->seq);
  add_slice(r, row->batch);
  return QM_OK;
}

static qm_hash content(qm_store *s) {
  static const qm_vv nothing = {NULL, 0, 0};
  reading r = {.s = s};
  qm_hash h;
  qm_sha_init(&r.sha);
  must(s->ops->meta_scan(s, qm_slice_of("", 0), on_meta, &r), "meta");
  must(s->ops->space_list(s, on_space, &r), "spaces");
  for (uint32_t i = 0; i < r.n_spaces; i++) {
    int rc = QM_OK;
    must(s->ops->author_list(s, r.spaces[i], on_author, &r), "authors");
    must(s->ops->record_scan(s, r.spaces[i], 0, NULL, 100000, on_record, &r), "records");
    must(s->ops->open_list(s, r.spaces[i], on_open, &r), "open run");
    for (r.seq = 0; rc == QM_OK;)
      rc = s->ops->log_after(s, r.spaces[i], &nothing, r.seq, on_log, &r);
    if (rc != QM_ENOTFOUND) must(rc, "log");
  }
  qm_sha_end(&r.sha, &h);
  return h;
}

/* --- commits, counted --- */

static int (*real_commit)(qm_store *s, qm_durability d, qm_store_done done, void *payload);

static void note(unsigned which) {
  rest *r = &rests[which];
  if (r->n == COMMITS_MAX) broken("too many commits");
  r->after[r->n++] = content(open_stores[which]);
}

static int commit(qm_store *s, qm_durability d, qm_store_done done, void *payload) {
  int rc = real_commit(s, d, done, payload);
  for (unsigned i = 0; i < CRASH_STORES && rc == QM_OK; i++) {
    if (open_stores[i] != s) continue;
    count->commits[i]++;
    if (recording) note(i);
  }
  return rc;
}

static void path_of(char path[PATH], const char *dir, unsigned which) {
  static const char *const names[] = {"phone", "hub", "joiner"};
  (void)snprintf(path, PATH, "%s/%s.db", dir, names[which]);
}

static void open_store(node *n, const char *dir, unsigned which) {
  char path[PATH];
  qm_error e = {0, ""};
  path_of(path, dir, which);
  int rc = qm_store_sqlite_open(&n->env, path, QM_SQLITE_CREATE, &n->store, &e);
  if (rc != QM_OK) broken("%s: %s: %s", path, qm_err_text(rc), e.message);
}

static void open_counted(node *n, const char *dir, unsigned which) {
  static qm_store_ops ops;
  node_init(n, "PHN"[which]);
  open_store(n, dir, which);
  if (n->store->ops != &ops) {
    ops = *n->store->ops;
    if (ops.commit != commit) real_commit = ops.commit;
    ops.commit = commit;
    n->store->ops = &ops;
  }
  open_stores[which] = n->store;
  if (recording) note(which); /* as it is before the first commit */
  node_engine(n);
}

/* --- what is played --- */

typedef struct state_parts {
  qm_slice p[PARTS_MAX];
  uint32_t n;
  qm_arena arena;
} state_parts;

static int keep_part(void *payload, uint32_t part, qm_slice content_of) {
  state_parts *s = payload;
  if (part != s->n || part >= PARTS_MAX) return QM_ELIMIT;
  s->p[s->n++] = qm_slice_of(qm_arena_copy(&s->arena, content_of.p, content_of.n), content_of.n);
  return QM_OK;
}

static void join_state(node *to, node *from) {
  state_parts s = {.n = 0};
  int joined;
  qm_error e = {0, ""};
  qm_arena_init(&s.arena, &from->env, 1u << 24);
  must(qm_state_write(from->engine, from->space, keep_part, &s), "state");
  must(qm_state_join(to->engine, to->space, s.p, s.n, &joined, &e), "join");
  qm_arena_free(&s.arena);
}

static void play(const char *dir) {
  node n[CRASH_STORES];
  for (unsigned i = 0; i < CRASH_STORES; i++) open_counted(&n[i], dir, i);
  for (unsigned round = 0; round < ROUNDS; round++) {
    for (unsigned i = 0; i < 3; i++) {
      node_write(&n[PHONE], round * 3 + i);
      if (i == 1) node_push(&n[PHONE]);
    }
    node_write(&n[HUB], round + 20);
    if (!node_session(&n[PHONE], &n[HUB], CUT_NEVER, 0).whole) broken("a session fails");
    if (round == 1) {
      node_write(&n[JOINER], 7);
      join_state(&n[JOINER], &n[HUB]);
    }
  }
  join_state(&n[JOINER], &n[HUB]);
  nodes_equal(&n[PHONE], &n[HUB]);
  for (unsigned i = 0; i < CRASH_STORES; i++) {
    node_close(&n[i]);
    open_stores[i] = NULL;
  }
}

/* --- one crash --- */

static void remove_all(const char *dir) {
  static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
  for (unsigned i = 0; i < CRASH_STORES; i++)
    for (unsigned k = 0; k < 4; k++) {
      char path[PATH], file[PATH + 10];
      path_of(path, dir, i);
      (void)snprintf(file, sizeof file, "%s%s", path, tails[k]);
      (void)unlink(file);
    }
}

/* Returns 1 where the child was killed, 0 where it came to its end. */
static int run_child(const char *dir, unsigned long kill_at) {
  int status;
  memset(count, 0, sizeof *count);
  count->kill_at = kill_at;
  (void)fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) broken("no child process");
  if (pid == 0) {
    crash_vfs(count);
    play(dir);
    (void)fflush(stdout);
    _exit(0);
  }
  if (waitpid(pid, &status, 0) != pid) broken("the child is lost");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return 1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    broken("the child failed, kill at %lu", kill_at);
  return 0;
}

/* Each store holds what it held after a commit that was told, or after the one under way. */
static void check_rest(const char *dir, unsigned which, unsigned long at) {
  node n;
  qm_error e = {0, ""};
  unsigned told = count->commits[which];
  node_init(&n, "PHN"[which]);
  open_store(&n, dir, which);
  qm_hash h = content(n.store);
  int before = memcmp(h.b, rests[which].after[told].b, sizeof h.b) == 0;
  int after =
      told + 1 < rests[which].n && memcmp(h.b, rests[which].after[told + 1].b, sizeof h.b) == 0;
  if (!before && !after)
    broken("killed at %lu: store %u is neither as after commit %u nor after the next", at, which,
           told);
  must(n.store->ops->check(n.store, &e), "check of the store");
  n.store->ops->close(n.store);
}

static void crash_once(const char *dir, unsigned long at) {
  node n[CRASH_STORES];
  remove_all(dir);
  if (!run_child(dir, at)) broken("the child was not killed at %lu", at);
  for (unsigned i = 0; i < CRASH_STORES; i++) check_rest(dir, i, at);
  for (unsigned i = 0; i < CRASH_STORES; i++) {
    node_init(&n[i], "PHN"[i]);
    open_store(&n[i], dir, i);
    node_engine(&n[i]);
    node_check(&n[i]);
  }
  if (!node_acknowledged_holds(&n[PHONE], &n[HUB]))
    broken("killed at %lu: acknowledged is what the hub does not hold", at);
  node_write(&n[PHONE], 40);
  for (unsigned i = 0; i < 2; i++)
    if (!node_session(&n[i ? JOINER : PHONE], &n[HUB], CUT_NEVER, 0).whole)
      broken("killed at %lu: the next session fails", at);
  if (!node_session(&n[PHONE], &n[HUB], CUT_NEVER, 0).whole)
    broken("killed at %lu: no session", at);
  nodes_equal(&n[PHONE], &n[HUB]);
  nodes_equal(&n[JOINER], &n[HUB]);
  for (unsigned i = 0; i < CRASH_STORES; i++) node_close(&n[i]);
}

void crash_stores(unsigned step, unsigned *number) {
  const char *base = getenv("TMPDIR");
  char dir[PATH / 2];
  unsigned long crashes = 0, writes;
  (void)snprintf(dir, sizeof dir, "%s/qianmo-faults-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(dir)) broken("no directory %s", dir);
  count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (count == MAP_FAILED) broken("no shared memory");
  recording = 1;
  crash_vfs(count);
  play(dir);
  writes = count->writes;
  recording = 0;
  crash_vfs(NULL);
  for (unsigned long at = 1; at <= writes; at += step, crashes++) crash_once(dir, at);
  printf("ok %u - killed at %lu of %lu file writes; %u, %u and %u commits\n", ++*number, crashes,
         writes, rests[PHONE].n - 1, rests[HUB].n - 1, rests[JOINER].n - 1);
  (void)fflush(stdout);
  remove_all(dir);
  (void)rmdir(dir);
  (void)munmap(count, sizeof *count);
}
