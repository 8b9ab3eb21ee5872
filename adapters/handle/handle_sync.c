/* handle_sync.c: enrolment and sync: what the network brings into the handle. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_sync.h"
#include "core/space.h"
#include "sync/uv/client.h"

#define HOST_SIZE QM_HANDLE_HOST_SIZE
#define CODE_SIZE 128u
#define STAY_PAUSE_MS 500u /* before the first attempt after a cut; doubles */
#define STAY_PAUSE_MAX_MS 60000u

/* ---- arguments ---- */

/* HOST:PORT, or [ADDRESS]:PORT. */
static int split_host(qm_slice in, char host[HOST_SIZE], uint16_t *port, qm_error *e) {
  size_t at = in.n, from = 0;
  uint32_t number = 0;
  while (at && in.p[at - 1] != ':') at--;
  size_t n = at ? at - 1 : 0;
  int good = at && at < in.n && in.n - at <= 5;
  for (size_t i = at; good && i < in.n; i++) {
    good = in.p[i] >= '0' && in.p[i] <= '9';
    number = number * 10 + (uint32_t)(in.p[i] - '0');
  }
  if (n >= 2 && in.p[0] == '[' && in.p[n - 1] == ']') {
    from = 1;
    n -= 2;
  }
  if (!good || !number || number > 65535 || !n || n >= HOST_SIZE || memchr(in.p, 0, in.n))
    return qm_fail(e, QM_EINVAL, "the hub must be given as HOST:PORT");
  memcpy(host, in.p + from, n);
  host[n] = 0;
  *port = (uint16_t)number;
  return QM_OK;
}

int qm__sync_check_clock(qm_db *db, qm_error *e) {
  if (db->env.now_ms(db->env.payload) >= QM_HANDLE_SANE_MS) return QM_OK;
  return qm_fail(e, QM_ECLOCK, "the clock of this device shows a year before 2020; check the date");
}

/* ---- broken pipes ---- */

/* A library does not set the signal handling of the program it lives in: SIGPIPE is held back
 * on this thread, and one that came meanwhile is taken away. */
typedef struct pipe_guard {
  sigset_t old;
  int held, was_pending;
} pipe_guard;

static void pipe_hold(pipe_guard *g) {
  sigset_t pipe_set, pending;
  sigemptyset(&pipe_set);
  sigaddset(&pipe_set, SIGPIPE);
  g->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  g->held = pthread_sigmask(SIG_BLOCK, &pipe_set, &g->old) == 0;
}

static void pipe_release(pipe_guard *g) {
  const struct timespec now = {0, 0};
  sigset_t pipe_set;
  if (!g->held) return;
  sigemptyset(&pipe_set);
  sigaddset(&pipe_set, SIGPIPE);
  while (!g->was_pending && sigtimedwait(&pipe_set, NULL, &now) == SIGPIPE) continue;
  pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

/* ---- what the caller wants ---- */

int qm__sync_stopped(qm__sync *run) {
  if (atomic_load(&run->db->cancels) != run->cancels)
    return atomic_load(&run->db->suspended) ? QM_ESUSPENDED : QM_ECANCELED;
  if (!run->has_budget) return QM_OK;
  struct timespec now = qm__handle_deadline(0);
  int is_over = now.tv_sec > run->until.tv_sec ||
                (now.tv_sec == run->until.tv_sec && now.tv_nsec >= run->until.tv_nsec);
  if (is_over) run->out_of_time = 1;
  return is_over ? QM_ETIMEOUT : QM_OK;
}

static int on_stop(void *payload) { return qm__sync_stopped(payload); }

int qm__sync_judge(void *payload, const qm_slice *chain, uint32_t n) {
  const qm__sync *run = payload;
  const qm_options *o = &run->db->options;
  return o->check_hub ? o->check_hub(o->payload, run->host, chain, n) : QM_OK;
}

/* ---- enrolment ---- */

static int is_enrolled(qm_db *db, int *out) {
  qm_buf b;
  qm_buf_init(&b, &db->env, QM_CERT_SIZE_MAX);
  int rc = qm__handle_meta_get(db, QM_META_CERT, &b);
  qm_buf_free(&b);
  *out = rc == QM_OK;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* The spaces first: with the certificate the device counts as enrolled, and then nothing of
 * what came with it may be missing. A crash between leaves spaces that a new code finds. */
static int save_spaces(qm_db *db, const qm_enrol_response *r, qm_error *e) {
  for (uint32_t i = 0; i < r->space_count; i++) {
    const qm_enrol_space *s = &r->spaces[i];
    qm_space_info info = {.id = s->id,
                          .name = s->name,
                          .role = s->role,
                          .schema = s->schema,
                          .readable = 1,
                          .writable = 1};
    memcpy(info.secret, s->secret, sizeof info.secret);
    int rc = qm_engine_space_put(db->engine, &info, e);
    qm_wipe(info.secret, sizeof info.secret);
    QM_TRY(rc);
  }
  return QM_OK;
}

static int save_enrolment(qm_db *db, const qm_client_enrolment *got, qm_slice host_port,
                          qm_slice name, qm_error *e) {
  const qm_enrol_response *r = &got->response;
  qm_meta_pair pairs[] = {{qm_str(QM_META_CERT), r->cert},
                          {qm_str(QM_META_CA), r->ca},
                          {qm_str(QM_META_HUB), host_port},
                          {qm_str(QM_META_HUB_ID), qm_slice_of(r->hub.b, sizeof r->hub.b)},
                          {qm_str(QM_META_HUB_KEY),
                           qm_slice_of(got->hub_spki, sizeof got->hub_spki)},
                          {qm_str(QM_META_MEMBER), r->member},
                          {qm_str(QM_META_NAME), name}};
  QM_TRY(save_spaces(db, r, e));
  int rc = qm__handle_meta_put(db, pairs, sizeof pairs / sizeof pairs[0]);
  if (rc == QM_OK) rc = qm__handle_home(db);
  return rc == QM_OK ? rc : qm_fail(e, rc, "the enrolment was not saved: %s", qm_err_text(rc));
}

/* Fails early where the enrolment could not be kept: the code would be used up for nothing. */
static int check_writable(qm_db *db, qm_error *e) {
  int rc = qm_engine_begin(db->engine);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK) rc = qm_engine_begin(db->engine);
  if (rc == QM_OK) qm_engine_rollback(db->engine);
  return rc == QM_OK ? rc : qm_fail(e, rc, "enroll: %s", qm_err_text(rc));
}

static int enroll(qm_db *db, qm_slice host_port, const char *code, qm_slice name, qm_error *e) {
  qm__sync run = {.db = db, .cancels = atomic_load(&db->cancels)};
  int enrolled;
  qm_client_enrolment got;
  qm_client_enrol_options o = {.size = sizeof o,
                               .env = &db->env,
                               .host = run.host,
                               .code = code,
                               .key = db->key,
                               .name = name,
                               .timeout_ms = db->options.timeout_ms,
                               .stop = on_stop,
                               .judge = qm__sync_judge,
                               .payload = &run};
  pipe_guard guard;
  QM_TRY(split_host(host_port, run.host, &o.port, e));
  QM_TRY(qm__sync_check_clock(db, e));
  int rc = is_enrolled(db, &enrolled);
  if (rc == QM_OK && enrolled) rc = QM_EENROLLED;
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  QM_TRY(check_writable(db, e));
  pipe_hold(&guard);
  rc = qm_client_enrol(&o, &got, e);
  pipe_release(&guard);
  if (rc == QM_OK) rc = save_enrolment(db, &got, host_port, name, e);
  qm_client_enrolment_free(&got);
  return rc;
}

int32_t qm_enroll(qm_db *db, qm_slice host_port, qm_slice code, qm_slice device_name, qm_error *e) {
  char text[CODE_SIZE];
  if (!code.n || code.n >= sizeof text || memchr(code.p, 0, code.n))
    return qm_fail(e, QM_ECODE, "%s", qm_err_text(QM_ECODE));
  if (device_name.n > QM_ENROL_NAME_MAX || !qm_utf8_check(device_name, NULL))
    return qm_fail(e, QM_EINVAL, "enroll: the device's name is too long or no good text");
  QM_TRY(qm__handle_enter_alone(db, e));
  memcpy(text, code.p, code.n);
  text[code.n] = 0;
  int rc = db->syncing ? qm_fail(e, QM_EBUSY, "a sync is under way")
                       : enroll(db, host_port, text, device_name, e);
  qm_wipe(text, sizeof text);
  qm__handle_leave(db);
  return rc;
}

/* ---- sync ---- */

/* The key of the hub that this device is enrolled at. An enrolment of before keys were kept
 * says only its id; the key comes with the next session. */
static int read_home(qm__sync *run) {
  int rc = qm__handle_meta_get(run->db, QM_META_HUB_KEY, &run->home);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int note_home(qm_db *db, const qm_client_result *r) {
  qm_buf id;
  qm_id hub;
  qm_meta_pair pair = {qm_str(QM_META_HUB_KEY), qm_slice_of(r->hub_spki, sizeof r->hub_spki)};
  qm_buf_init(&id, &db->env, QM_ID_SIZE);
  int rc = qm__handle_meta_get(db, QM_META_HUB_ID, &id);
  qm_spki_device(pair.value, &hub);
  int its = rc == QM_OK && id.n == QM_ID_SIZE && memcmp(id.p, hub.b, QM_ID_SIZE) == 0;
  qm_buf_free(&id);
  return its ? qm__handle_meta_put(db, &pair, 1) : QM_OK;
}

int qm__sync_enrolment(qm__sync *run, qm_error *e) {
  qm_db *db = run->db;
  qm_buf hub;
  int rc = qm__handle_meta_get(db, QM_META_CERT, &run->cert);
  if (rc == QM_ENOTFOUND) rc = QM_ENOTENROLLED;
  if (rc == QM_OK) rc = qm__handle_meta_get(db, QM_META_CA, &run->ca);
  qm_buf_init(&hub, &db->env, HOST_SIZE + 8);
  if (rc == QM_OK) rc = qm__handle_meta_get(db, QM_META_HUB, &hub);
  if (rc == QM_OK) rc = split_host(qm_buf_slice(&hub), run->host, &run->port, e);
  qm_buf_free(&hub);
  if (rc == QM_ENOTFOUND || rc == QM_EINVAL) rc = QM_ECORRUPT;
  if (rc == QM_OK) rc = read_home(run);
  return rc == QM_OK ? rc : qm_fail(e, rc, "%s", qm_err_text(rc));
}

/* ---- progress ---- */

static int is_watched(const qm__sync *run) {
  return (run->options && run->options->progress) || qm__events_used(run->db);
}

static uint64_t feed_last(const qm_db *db) {
  uint64_t seq = 0;
  if (db->store && db->store->ops->feed_last(db->store, &seq) != QM_OK) seq = 0;
  return seq;
}

/* Own effects that no hub has acknowledged. */
static uint64_t unsent_of(const qm_db *db) {
  uint64_t n = 0;
  for (uint32_t i = 0; db->engine && i < qm_engine_space_count(db->engine); i++) {
    const qm_space *s = qm_engine_space_at(db->engine, i);
    const qm_authors *authors = qm_space_authors(s);
    for (uint32_t a = 0; a < authors->n; a++) {
      qm_id device;
      qm_author_device(&authors->ids[a], &device);
      uint64_t next = qm_vv_get(qm_space_vv(s), a);
      uint64_t held = qm_vv_get(qm_space_acknowledged(s), a);
      if (next > held && qm_id_cmp(&device, qm_key_device(db->key)) == 0) n += next - held;
    }
  }
  return n;
}

void qm__sync_count_begin(qm__sync *run) {
  if (is_watched(run)) run->feed = feed_last(run->db);
}

/* Every record that changes takes the next place in the feed. */
void qm__sync_count_end(qm__sync *run) {
  if (!is_watched(run)) return;
  uint64_t last = feed_last(run->db);
  if (last <= run->feed) return;
  run->progress.records_down += last - run->feed;
  qm__happened(run->db, QM_HAPPENED_CHANGE, QM_OK);
}

void qm__sync_tell(qm__sync *run, const qm_client_progress *p) {
  qm_sync_progress *all = &run->progress;
  if (!is_watched(run)) return;
  all->size = (uint32_t)sizeof *all;
  all->bytes_up = run->bytes_up + p->bytes_up;
  all->bytes_down = run->bytes_down + p->bytes_down;
  all->segments_up = run->taken_up + p->taken_up;
  all->segments_down = run->taken_down + p->taken_down;
  qm__happened_progress(run->db, all);
  if (run->options && run->options->progress) run->options->progress(run->options->payload, all);
}

static int on_progress(void *payload, const qm_client_progress *p) {
  qm__sync_tell(payload, p);
  return 0;
}

/* The client takes the engine for each step, and not while it waits for the network. */
static void engine_enter(void *payload) {
  qm_db *db = ((qm__sync *)payload)->db;
  pthread_mutex_lock(&db->mutex);
  while (db->tx) pthread_cond_wait(&db->ended, &db->mutex);
  qm__sync_count_begin(payload);
}

/* What came may be news to those who wait for changes; they look for themselves. */
static void engine_leave(void *payload) {
  qm__sync *run = payload;
  qm_db *db = run->db;
  qm__sync_count_end(run);
  if (is_watched(run)) run->progress.unsent = unsent_of(db);
  pthread_cond_broadcast(&db->changed);
  pthread_mutex_unlock(&db->mutex);
}

/* ---- staying ---- */

static int note_time(qm_db *db, int rc, int complete);

static void on_waker(void *payload, qm_client_wake *w) { ((qm__sync *)payload)->db->wake = w; }

static int is_interrupted(const qm__sync *run) { return run->db->interrupts != run->interrupts; }

/* Another process that has written must be taken in: the store says so when it is asked to
 * write. And one whose storage failed under a save must be let go of, to be opened again. */
static int on_poll(void *payload) {
  qm__sync *run = payload;
  if (is_interrupted(run)) return QM_ECLOSED;
  int rc = qm_engine_begin(run->db->engine);
  if (rc == QM_OK) qm_engine_rollback(run->db->engine);
  return rc == QM_EBUSY || qm__handle_failed(run->db) ? rc : QM_OK;
}

static void on_live(void *payload) {
  qm__sync *run = payload;
  engine_enter(run);
  (void)note_time(run->db, QM_OK, 1);
  engine_leave(run);
  if (!run->said_live) qm__happened(run->db, QM_HAPPENED_LIVE, QM_OK);
  if (run->told && !run->said_live) run->told(run->payload, QM_OK);
  run->was_live = run->said_live = 1;
}

static void stay_options(qm__sync *run, qm_client_options *o) {
  if (!run->stay) return;
  o->flags |= QM_CLIENT_STAY;
  o->waker = on_waker;
  o->poll = on_poll;
  o->live = on_live;
}

static int session(qm__sync *run, qm_client_options *o, qm_error *e) {
  qm_db *db = run->db;
  o->enter = engine_enter;
  o->leave = engine_leave;
  o->progress = on_progress;
  o->stop = on_stop;
  o->judge = db->options.check_hub ? qm__sync_judge : NULL;
  o->payload = run;
  stay_options(run, o);
  pthread_mutex_unlock(&db->mutex);
  int rc = qm_client_sync(o, db->engine, &run->result, e);
  engine_enter(run);
  return rc;
}

/* What must outlive the session. The first failure is reported; the rest is noted anyway. */
static int note_result(qm__sync *run, int rc) {
  qm_db *db = run->db;
  const qm_client_result *r = &run->result;
  uint64_t now = qm_engine_now(db->engine);
  int noted = QM_OK, one;
  for (uint32_t i = 0; i < r->n_refused; i++) {
    const qm_client_refused *x = &r->refused[i];
    qm_refused_row row = {x->space, x->refusal.author, x->refusal.counter,
                          now,      x->refusal.code,   qm_str(x->refusal.message)};
    if (!x->by_hub) continue;
    one = qm__handle_refused_put(db, &row);
    if (noted == QM_OK) noted = one;
  }
  if (!run->home.n) {
    one = note_home(db, r);
    if (noted == QM_OK) noted = one;
  }
  if (r->cert.n) {
    qm_meta_pair pair = {qm_str(QM_META_CERT), qm_buf_slice(&r->cert)};
    one = qm__handle_meta_put(db, &pair, 1);
    if (noted == QM_OK) noted = one;
  }
  return rc == QM_OK ? noted : rc;
}

/* The clock's offset goes with it, so that views know the right time. */
static int save_time(qm_db *db, qm_slice times) {
  qm_store *s = db->store;
  QM_TRY(s->ops->begin(s));
  int rc = s->ops->meta_put(s, qm_str(QM_META_SYNC), times);
  if (rc == QM_OK) rc = qm_projection_clock(db->projection, qm_engine_offset_get(db->engine));
  if (rc == QM_OK) return s->ops->commit(s, QM_DURABLE, NULL, NULL);
  s->ops->rollback(s);
  return rc;
}

/* [last success, last try, code]; a success is a session that gave and took all there was. */
static int note_time(qm_db *db, int rc, int complete) {
  uint64_t now = qm_engine_now(db->engine), success = 0;
  qm_buf b;
  qm_cur c;
  qm_buf_init(&b, &db->env, 64);
  if (qm__handle_meta_get(db, QM_META_SYNC, &b) == QM_OK) {
    qm_cur_init(&c, qm_buf_slice(&b));
    qm_cur_array_n(&c, 3);
    qm_cur_uint(&c, &success);
  }
  qm_buf_clear(&b);
  qm_mp_array(&b, 3);
  qm_mp_uint(&b, complete ? now : success);
  qm_mp_uint(&b, now);
  qm_mp_int(&b, rc);
  int noted = qm_buf_status(&b);
  if (noted == QM_OK) noted = save_time(db, qm_buf_slice(&b));
  qm_buf_free(&b);
  return noted;
}

static void fill(const qm__sync *run, qm_sync_result *out) {
  const qm_client_result *r = &run->result;
  qm_sync_result all = {.size = (uint32_t)sizeof all};
  for (uint32_t i = 0; i < r->n_refused; i++) all.refused += r->refused[i].by_hub;
  all.refused += run->set_aside;
  all.bytes_up = run->bytes_up + r->bytes_up;
  all.bytes_down = run->bytes_down + r->bytes_down;
  all.segments_up = run->taken_up + r->taken_up;
  all.segments_down = run->taken_down + r->taken_down;
  all.more = (uint32_t)run->more;
  all.spaces = r->spaces;
  all.spaces_differing = r->n_differ;
  all.clock_offset_ms = r->has_offset ? r->offset_ms : 0;
  all.renewed = r->cert.n != 0;
  all.repaired = run->repaired + r->repaired;
  all.repaired_states = run->states;
  all.code = r->n_stopped ? r->stopped[0].code : QM_OK;
  uint32_t size = out->size < sizeof all ? out->size : (uint32_t)sizeof all;
  all.size = size;
  memcpy(out, &all, size);
}

/* What a person must know although the session itself went well. */
static int verdict(const qm__sync *run, qm_error *e) {
  const qm_client_result *r = &run->result;
  uint32_t refused = 0;
  for (uint32_t i = 0; i < r->n_refused; i++) refused += r->refused[i].by_hub;
  if (r->n_differ)
    return qm_fail(e, QM_EDIFFER, "%" PRIu32 " spaces differ from the hub's at equal changes",
                   r->n_differ);
  if (refused)
    return qm_fail(e, QM_EREFUSED,
                   "the hub refused changes of this device (%s); they stay here: export-refused",
                   qm_err_name(r->refused[0].refusal.code));
  if (run->set_aside)
    return qm_fail(e, QM_EREFUSED,
                   "the hub set changes of this device aside; they stay here: export-refused");
  if (r->n_stopped)
    return qm_fail(e, r->stopped[0].code, "a space could not be finished: %s",
                   qm_err_text(r->stopped[0].code));
  return QM_OK;
}

static int sync_once(qm__sync *run, qm_error *e) {
  qm_db *db = run->db;
  pipe_guard guard;
  qm_client_options o = {.size = sizeof o,
                         .env = &db->env,
                         .key = db->key,
                         .ticket = &db->ticket,
                         .connect_ms = db->options.timeout_ms,
                         .handshake_ms = db->options.timeout_ms};
  qm_buf_clear(&run->ca);
  qm_buf_clear(&run->cert);
  qm_buf_clear(&run->home);
  QM_TRY(qm__sync_enrolment(run, e));
  o.host = run->host;
  o.port = run->port;
  o.home = qm_buf_slice(&run->home);
  o.ca = qm_buf_slice(&run->ca);
  o.cert = qm_buf_slice(&run->cert);
  o.device = *qm_key_device(db->key);
  pipe_hold(&guard);
  db->syncing = 1;
  int rc = session(run, &o, e);
  db->syncing = 0;
  pthread_cond_broadcast(&db->ended);
  pipe_release(&guard);
  return rc;
}

/* What a session before counted stays counted, and another one may begin. */
static void next_session(qm__sync *run) {
  run->bytes_up += run->result.bytes_up;
  run->bytes_down += run->result.bytes_down;
  run->taken_up += run->result.taken_up;
  run->taken_down += run->result.taken_down;
  run->repaired += run->result.repaired;
  qm_client_result_free(&run->result);
  memset(&run->result, 0, sizeof run->result);
}

/* 1 where another session goes on at once. */
static int again_for_fork(qm__sync *run) {
  if (run->stay || !run->db->engine || !qm_engine_fork_news(run->db->engine)) return 0;
  if (qm__sync_stopped(run) != QM_OK) run->more = 1;
  return !run->more;
}

static uint32_t count_dirty(const qm_db *db) {
  uint32_t n = 0;
  for (uint32_t i = 0; db->engine && i < qm_engine_space_count(db->engine); i++)
    n += (uint32_t)qm_space_dirty(qm_engine_space_at(db->engine, i));
  return n;
}

/* A space that becomes dirty by what a session brings asks for a state at the beginning of the
 * next: at once. A session that stays does so by itself. */
static int mend(qm__sync *run, int rc, qm_error *e) {
  qm_db *db = run->db;
  const qm_client_result *r = &run->result;
  uint32_t dirty = count_dirty(db);
  int news = r->n_refused || r->n_stopped || r->n_differ || r->cert.n; /* to be noted first */
  if (rc != QM_OK || dirty <= run->dirty_before || run->stay || news) return rc;
  if (qm__sync_stopped(run) != QM_OK) {
    run->more = 1;
    return rc;
  }
  next_session(run);
  run->dirty_before = dirty;
  return sync_once(run, e);
}

void qm__sync_begin(qm__sync *run) {
  run->dirty_before = count_dirty(run->db);
  (void)qm__handle_aside_count(run->db, NULL, &run->aside_before);
  if (!is_watched(run)) return;
  run->progress.unsent_before = run->progress.unsent = unsent_of(run->db);
  qm__happened(run->db, QM_HAPPENED_BEGUN, QM_OK);
}

int qm__sync_end(qm__sync *run, int rc, qm_sync_result *out, qm_error *e) {
  qm_db *db = run->db;
  uint64_t after = 0;
  uint32_t dirty = count_dirty(db);
  run->states = run->dirty_before > dirty ? run->dirty_before - dirty : 0;
  if (db->engine && qm__handle_aside_count(db, NULL, &after) == QM_OK &&
      after > run->aside_before)
    run->set_aside = (uint32_t)(after - run->aside_before);
  int ended = rc;
  if (db->engine) rc = note_result(run, rc);
  if (rc != ended) qm_fail(e, rc, "sync: %s", qm_err_text(rc));
  if (rc == QM_OK && !run->stay) rc = verdict(run, e); /* no reason to leave */
  if (rc == QM_ECANCELED || rc == QM_ESUSPENDED || (rc == QM_ETIMEOUT && run->out_of_time))
    run->more = 1;
  if (rc == QM_ETIMEOUT && run->out_of_time) rc = QM_OK;
  int noted = db->engine ? note_time(db, rc, run->result.complete) : QM_OK;
  if (rc == QM_OK && noted != QM_OK) rc = qm_fail(e, noted, "sync: %s", qm_err_text(noted));
  if (run->result.complete && noted == QM_OK && db->engine) qm__handle_retain(db);
  if (out) fill(run, out);
  if (!run->stay) qm__happened(db, QM_HAPPENED_ENDED, rc);
  return rc;
}

static int sync_all(qm__sync *run, qm_sync_result *out, qm_error *e) {
  qm_db *db = run->db;
  QM_TRY(qm__sync_check_clock(db, e));
  qm__sync_begin(run);
  int rc = sync_once(run, e);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK) { /* another process has written */
    next_session(run);
    rc = sync_once(run, e);
  }
  /* A fork (a copy of this phone wrote on too): one session tells of it, one shows the hub what
     is here, one brings what stands. */
  for (int more = 0; rc == QM_OK && more < 3 && again_for_fork(run); more++) {
    next_session(run);
    rc = sync_once(run, e);
  }
  if (rc == QM_ENOTENROLLED) {
    qm__happened(db, QM_HAPPENED_ENDED, rc);
    return rc;
  }
  rc = mend(run, rc, e);
  return qm__sync_end(run, rc, out, e);
}

void qm__sync_init(qm__sync *run, qm_db *db) {
  memset(run, 0, sizeof *run);
  run->db = db;
  run->cancels = atomic_load(&db->cancels);
  qm_buf_init(&run->ca, &db->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&run->cert, &db->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&run->home, &db->env, QM_SPKI_SIZE);
}

void qm__sync_free(qm__sync *run) {
  qm_client_result_free(&run->result);
  qm_buf_free(&run->ca);
  qm_buf_free(&run->cert);
  qm_buf_free(&run->home);
}

static int check_options(const qm_run_options *options, const qm_sync_result *out, qm_error *e) {
  if (options && options->size < sizeof *options)
    return qm_fail(e, QM_EINVAL, "sync: options.size is not set");
  if (out && out->size < offsetof(qm_sync_result, bytes_up))
    return qm_fail(e, QM_EINVAL, "sync: result.size is not set");
  return QM_OK;
}

int32_t qm_sync_run(qm_db *db, const qm_run_options *options, qm_sync_result *out, qm_error *e) {
  qm__sync run;
  QM_TRY(check_options(options, out, e));
  struct timespec until = qm__handle_deadline(options ? options->budget_ms : 0);
  QM_TRY(qm__handle_enter_alone(db, e));
  if (db->syncing) {
    qm__handle_leave(db);
    return qm_fail(e, QM_EBUSY, "a sync is under way");
  }
  qm__sync_init(&run, db);
  run.options = options;
  run.has_budget = options && options->budget_ms;
  run.until = until;
  int rc = sync_all(&run, out, e);
  qm__sync_free(&run);
  qm__handle_leave(db);
  return rc;
}

int32_t qm_sync(qm_db *db, qm_sync_result *out, qm_error *e) {
  return qm_sync_run(db, NULL, out, e);
}

void qm_sync_cancel(qm_db *db) {
  if (db) atomic_fetch_add(&db->cancels, 1);
}

/* With the mutex held; a hub that is away is not asked by all its devices at once. */
static void pause_for(qm__sync *run, uint32_t ms) {
  qm_db *db = run->db;
  uint8_t draw = 0;
  (void)db->env.random(db->env.payload, &draw, 1);
  struct timespec until = qm__handle_deadline(ms + ms * draw / 512u);
  int waited = 0;
  while (!is_interrupted(run) && waited != ETIMEDOUT)
    waited = qm__wait_until(&db->changed, &db->mutex, &until);
}

/* QM_OK: connect again, at once or after a pause. Without the mutex the caller is told. */
static int stay_again(qm__sync *run, int rc, uint32_t *pause, qm_error *e) {
  qm_db *db = run->db;
  if (rc == QM_EBUSY) return qm__handle_reopen(db, e); /* another process has written */
  if (rc != QM_OK && qm_err_class(rc) != QM_CLASS_RETRY && !qm__handle_failed(db)) return rc;
  if (run->was_live) *pause = STAY_PAUSE_MS;
  if (rc != QM_OK) {
    if (run->said_live) qm__happened(db, QM_HAPPENED_LOST, rc);
    run->said_live = 0;
  }
  if (rc != QM_OK && run->told) {
    pthread_mutex_unlock(&db->mutex);
    run->told(run->payload, rc);
    pthread_mutex_lock(&db->mutex);
  }
  pause_for(run, *pause);
  if (*pause < STAY_PAUSE_MAX_MS) *pause *= 2;
  return QM_OK;
}

static int stay(qm__sync *run, qm_error *e) {
  qm_db *db = run->db;
  uint32_t pause = STAY_PAUSE_MS;
  for (;;) {
    while (db->tx) pthread_cond_wait(&db->ended, &db->mutex);
    if (is_interrupted(run)) return QM_OK;
    run->was_live = 0;
    int rc = db->engine && !qm__handle_failed(db) ? QM_OK : qm__handle_reopen(db, e);
    if (rc == QM_OK) rc = qm__sync_check_clock(db, e);
    if (rc == QM_OK) rc = sync_all(run, NULL, e);
    if (is_interrupted(run)) return QM_OK;
    QM_TRY(stay_again(run, rc, &pause, e));
    if (is_interrupted(run)) return QM_OK;
    next_session(run);
  }
}

int32_t qm_sync_stay(qm_db *db, void (*told)(void *payload, int32_t code), void *payload,
                     qm_error *e) {
  qm__sync run;
  QM_TRY(qm__handle_enter_alone(db, e));
  if (db->syncing) {
    qm__handle_leave(db);
    return qm_fail(e, QM_EBUSY, "a sync is under way");
  }
  qm__sync_init(&run, db);
  run.stay = 1;
  run.told = told;
  run.payload = payload;
  run.interrupts = db->interrupts;
  int rc = stay(&run, e);
  if (atomic_load(&db->suspended)) rc = qm_fail(e, QM_ESUSPENDED, "%s", qm_err_text(QM_ESUSPENDED));
  qm__happened(db, QM_HAPPENED_ENDED, rc);
  qm__sync_free(&run);
  qm__handle_leave(db);
  return rc;
}
