/* replay --device N: one device's lines on an enrolled store, with its real id and epoch.
 * The trace's clock feeds the time stamps; a session sees the real one. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "adapters/cli/replay.h"
#include "adapters/handle/handle.h"

typedef struct clock_source {
  uint64_t fixed_ms;
} clock_source;

static uint64_t now_ms(void *payload) {
  const clock_source *c = payload;
  struct timespec t;
  if (c->fixed_ms) return c->fixed_ms;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) return 0;
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The trace's own numbers become those of the space's schema, by name. */
static int renumber(qm_trace *t, const qm_schema *s, qm_error *e) {
  for (uint32_t i = 0; i < t->n_fields; i++) {
    qm_trace_field *f = &t->fields[i];
    qm_slice name = t->collections[f->collection].name;
    const qm_collection_def *c = s ? qm_schema_collection_named(s, name) : NULL;
    const qm_field_def *def = c ? qm_collection_field_named(c, f->name) : NULL;
    if (!def || def->type != f->type)
      return qm_fail(e, QM_ESCHEMA, "replay: the space's schema has no such field %.*s.%.*s",
                     (int)name.n, (const char *)name.p, (int)f->name.n, (const char *)f->name.p);
    f->number = def->number;
  }
  for (uint32_t i = 0; i < t->n_collections; i++) {
    const qm_collection_def *c = s ? qm_schema_collection_named(s, t->collections[i].name) : NULL;
    if (!c) return qm_fail(e, QM_ESCHEMA, "replay: the space's schema lacks a collection");
    t->collections[i].number = c->number;
  }
  return QM_OK;
}

static int play(const qm_trace *t, uint32_t first, uint32_t end, qm_db *db, clock_source *clock,
                qm_error *e) {
  qm_space *s = NULL;
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = qm__handle_space(db, qm_slice_of(NULL, 0), &s, e);
  clock->fixed_ms = t->lines[first].t;
  if (rc == QM_OK) rc = qm_trace_play(t, first, end, db->engine, s, e);
  clock->fixed_ms = 0;
  qm__handle_leave(db);
  return rc;
}

/* --- resuming: the next line to play, kept beside the records --- */

#define META_LINE "replay/line"

static int read_line(qm_db *db, uint32_t *line) {
  qm_buf b;
  *line = 0;
  qm_buf_init(&b, &db->env, 64);
  int rc = qm__handle_meta_get(db, META_LINE, &b);
  if (rc == QM_OK && b.n == sizeof *line) memcpy(line, b.p, sizeof *line);
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int write_line(qm_db *db, uint32_t line, qm_error *e) {
  qm_meta_pair pair = {qm_slice_of(META_LINE, sizeof META_LINE - 1),
                       qm_slice_of(&line, sizeof line)};
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = qm__handle_meta_put(db, &pair, 1);
  qm__handle_leave(db);
  return rc;
}

/* --- syncing --- */

static void pause_ms(unsigned ms) {
  struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  (void)nanosleep(&t, NULL);
}

/* Closes the open run now, as an attempt to sync without a signal does. */
static int push(qm_db *db, qm_error *e) {
  qm_space *s = NULL;
  QM_TRY(qm__handle_enter_alone(db, e));
  int rc = qm__handle_space(db, qm_slice_of(NULL, 0), &s, e);
  if (rc == QM_OK) rc = qm_engine_push(db->engine, s);
  qm__handle_leave(db);
  return rc;
}

/* Says what waits to go up, for whoever watches, before each session. */
static int announce(qm_db *db, qm_error *e) {
  qm_space *s = NULL;
  qm_arena arena;
  qm_buf batch;
  uint64_t cursor = 0, bytes = 0, batches = 0;
  QM_TRY(push(db, e));
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_arena_init(&arena, &db->env, 1u << 24);
  qm_buf_init(&batch, &db->env, QM_BATCH_MAX);
  int rc = qm__handle_space(db, qm_slice_of(NULL, 0), &s, e);
  qm_vv_entry *known =
      rc == QM_OK ? qm_arena_zero(&arena, (qm_space_authors(s)->n + 1) * sizeof *known) : NULL;
  qm_vv_list hub = {known, 0};
  if (rc == QM_OK && !known) rc = QM_ENOMEM;
  for (uint32_t a = 0; rc == QM_OK && a < qm_space_authors(s)->n; a++) {
    known[hub.n].author = qm_space_authors(s)->ids[qm_space_authors(s)->sorted[a]];
    known[hub.n++].next = qm_vv_get(qm_space_acknowledged(s), qm_space_authors(s)->sorted[a]);
  }
  while (rc == QM_OK && (rc = qm_engine_next_batch(db->engine, s, hub, &cursor, &batch)) == QM_OK) {
    bytes += batch.n;
    batches++;
    qm_buf_clear(&batch);
  }
  qm_buf_free(&batch);
  qm_arena_free(&arena);
  qm__handle_leave(db);
  printf("uploading %llu bytes in %llu batches\n", (unsigned long long)bytes,
         (unsigned long long)batches);
  fflush(stdout);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* What the others have written here, in counters. */
static int others(qm_db *db, uint64_t *sum, qm_error *e) {
  qm_space *s = NULL;
  *sum = 0;
  QM_TRY(qm__handle_enter(db, e));
  int rc = qm__handle_space(db, qm_slice_of(NULL, 0), &s, e);
  for (uint32_t a = 0; rc == QM_OK && a < qm_space_authors(s)->n; a++) {
    qm_id device, own;
    qm_author_device(&qm_space_authors(s)->ids[a], &device);
    qm_author_device(qm_engine_author(db->engine), &own);
    if (qm_id_cmp(&device, &own) != 0) *sum += qm_vv_get(qm_space_vv(s), a);
  }
  qm__handle_leave(db);
  return rc;
}

/* Syncs until what the others had brought to the hub by this line of the trace is here
 * too, as it was when the trace was made. A hub that is away for a while is waited for. */
static int sync_until(qm_db *db, uint64_t wanted, qm_replay_result *r, qm_error *e) {
  r->syncs++;
  for (unsigned tries = 0; tries < 1200; tries++) {
    qm_sync_result got = {.size = sizeof got};
    uint64_t here = 0;
    QM_TRY(announce(db, e));
    int rc = qm_sync(db, &got, e);
    r->bytes_up += got.bytes_up;
    r->bytes_down += got.bytes_down;
    if (rc == QM_OK) QM_TRY(others(db, &here, e));
    if (rc == QM_OK && here >= wanted) return QM_OK;
    if (rc != QM_OK && qm_err_class(rc) != QM_CLASS_RETRY) return rc;
    pause_ms(50);
  }
  return qm_fail(e, QM_ETIMEOUT, "replay: the others' changes did not come");
}

/* --- the lines --- */

/* Counters that an op of this line takes. */
static uint64_t span_of(const qm_line *l) {
  qm_cur c;
  qm_slice text;
  size_t points = 0;
  if (l->op != QM_LINE_APPEND) return 1;
  qm_cur_init(&c, l->value);
  if (qm_cur_str(&c, &text) != QM_OK || !qm_utf8_check(text, &points) || !points) return 1;
  return points;
}

/* What the other devices of the grid had brought to the hub before line `end`. */
static uint64_t brought(const qm_trace *t, uint32_t end, uint32_t device) {
  uint64_t sum = 0;
  for (uint32_t d = 0; d < t->devices; d++) {
    uint64_t written = 0, synced = 0;
    if (d == device || t->grid_of_device[d] != t->grid_of_device[device]) continue;
    for (uint32_t i = 0; i < end; i++) {
      const qm_line *l = &t->lines[i];
      if (l->op < QM_LINE_SYNC && l->device == d) written += span_of(l);
      if (l->op == QM_LINE_RUSH || (l->op == QM_LINE_SYNC && l->device == d)) synced = written;
    }
    sum += synced;
  }
  return sum;
}

static int play_all(qm_trace *t, const qm_replay_options *o, qm_db *db, clock_source *clock,
                    qm_replay_result *r, qm_error *e) {
  uint32_t line = 0;
  int rc = read_line(db, &line);
  for (uint32_t i = line; rc == QM_OK && i < t->n_lines;) {
    uint32_t next = qm_trace_change_end(t, i);
    const qm_line *l = &t->lines[i];
    int mine = l->op != QM_LINE_RUSH && l->device == (uint32_t)o->device;
    if (l->op == QM_LINE_RUSH || (mine && l->op == QM_LINE_SYNC)) {
      rc = sync_until(db, brought(t, i, (uint32_t)o->device), r, e);
      if (rc == QM_OK) rc = write_line(db, next, e);
    } else if (mine) {
      rc = play(t, i, next, db, clock, e);
      r->changes++;
      r->ops += next - i;
      if (rc == QM_OK) rc = write_line(db, next, e);
      if (rc == QM_OK && o->push_every && r->changes % o->push_every == 0) rc = push(db, e);
    }
    i = next;
  }
  return rc;
}

static int check_hub(const char *hub, qm_db *db, qm_error *e) {
  qm_buf kept;
  qm_buf_init(&kept, &db->env, 256);
  int rc = qm__handle_meta_get(db, QM_META_HUB, &kept);
  if (rc == QM_ENOTFOUND)
    rc = qm_fail(e, QM_ENOTENROLLED, "%s", qm_err_text(QM_ENOTENROLLED));
  else if (rc == QM_OK && (kept.n != strlen(hub) || memcmp(kept.p, hub, kept.n) != 0))
    rc = qm_fail(e, QM_EINVAL, "replay: the store is enrolled at %.*s", (int)kept.n,
                 (const char *)kept.p);
  qm_buf_free(&kept);
  return rc;
}

static int renumber_space(qm_trace *t, const char *hub, qm_db *db, qm_error *e) {
  qm_space *s = NULL;
  QM_TRY(qm__handle_enter(db, e));
  int rc = check_hub(hub, db, e);
  if (rc == QM_OK) rc = qm__handle_space(db, qm_slice_of(NULL, 0), &s, e);
  if (rc == QM_OK) rc = renumber(t, qm_space_schema(s), e);
  qm__handle_leave(db);
  return rc;
}

int qm_replay_device(qm_trace *t, const qm_replay_options *o, qm_replay_result *r, qm_error *e) {
  clock_source clock = {0};
  qm_options options = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  options.path = o->db;
  options.payload = &clock;
  options.now_ms = now_ms;
  signal(SIGPIPE, SIG_IGN);
  if (o->device >= (long)t->devices)
    return qm_fail(e, QM_EUSAGE, "replay: the trace has devices 0 to %u", t->devices - 1);
  QM_TRY(qm_open(&options, &db, e));
  int rc = renumber_space(t, o->hub, db, e);
  if (rc == QM_OK) rc = play_all(t, o, db, &clock, r, e);
  r->converged = rc == QM_OK;
  qm_close(db);
  return rc;
}
