/* An app's sync with a hub: in slices, cancelled, watched, over bytes that the app carries
 * itself, with a key that only signs and a second opinion on the hub's certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/support_handle.h"
#include "tests/unit/support_live.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

/* One phone's hooks. */
typedef struct phone {
  app a; /* first: its payload is the clock's too */
  qm_key *secret; /* stands for a key store that only signs */
  qm_env env;
  int signs, bad_sign; /* bad_sign: 1 refuses, 2 signs something else, 3 no DER */
  int asked, opinion;
  uint32_t told;
  qm_sync_progress last;
} phone;

typedef struct hub_world {
  test_dir dir;
  live_hub hub;
  live_device other;
  phone p;
} hub_world;

/* --- hooks --- */

static int32_t key_point(void *payload, uint8_t point[65]) {
  const phone *p = payload;
  memcpy(point, qm_key_spki(p->secret).p + QM_SPKI_SIZE - 65, 65);
  return QM_OK;
}

static size_t put_integer(uint8_t *to, const uint8_t p[32]) {
  size_t skip = 0, n = 0;
  while (skip < 31 && !p[skip]) skip++;
  to[n++] = 0x02;
  to[n++] = (uint8_t)(32 - skip + (p[skip] >> 7));
  if (p[skip] >> 7) to[n++] = 0;
  memcpy(to + n, p + skip, 32 - skip);
  return n + 32 - skip;
}

/* As the key stores of phones give it. */
static int32_t key_sign(void *payload, const uint8_t digest[32], uint8_t *to, size_t *n) {
  phone *p = payload;
  uint8_t sig[64], other[32] = {1};
  assert_true(*n >= 80);
  p->signs++;
  if (p->bad_sign == 1) return QM_EACCESS;
  ok(qm_key_sign(p->secret, p->bad_sign == 2 ? other : digest, sig));
  size_t at = 2 + put_integer(to + 2, sig);
  at += put_integer(to + at, sig + 32);
  to[0] = p->bad_sign == 3 ? 0x31 : 0x30;
  to[1] = (uint8_t)(at - 2);
  *n = at;
  return QM_OK;
}

static int32_t check_hub(void *payload, const char *host, const qm_slice *chain, uint32_t n) {
  phone *p = payload;
  qm_cert leaf, ca;
  p->asked++;
  assert_string_equal(host, "127.0.0.1");
  assert_int_equal(n, 2);
  ok(qm_cert_read(chain[0], &leaf));
  ok(qm_cert_read(chain[1], &ca));
  assert_true(leaf.is_server && ca.is_ca);
  ok(qm_cert_check_issuer(chain[0], chain[1]));
  return p->opinion;
}

static void progress(void *payload, const qm_sync_progress *g) {
  phone *p = payload;
  p->told++;
  assert_true(g->bytes_up >= p->last.bytes_up && g->bytes_down >= p->last.bytes_down);
  assert_true(g->unsent_before >= p->last.unsent_before);
  p->last = *g;
}

/* --- worlds --- */

static void certify(hub_world *w, uint16_t port) {
  qm_buf cert;
  char hub[32];
  app *a = &w->p.a;
  qm_buf_init(&cert, &w->hub.own.env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(w->hub.ca, qm_key_spki(a->db->key), HUB_NOW_MS, &cert));
  snprintf(hub, sizeof hub, "127.0.0.1:%u", (unsigned)port);
  qm_meta_pair pairs[] = {{S(QM_META_CERT), qm_buf_slice(&cert)},
                          {S(QM_META_CA), qm_ca_cert(w->hub.ca)},
                          {S(QM_META_HUB), S(hub)},
                          {S(QM_META_HUB_ID),
                           qm_slice_of(qm_key_device(w->hub.own.key)->b, QM_ID_SIZE)}};
  ok(qm__handle_meta_put(a->db, pairs, COUNT(pairs)));
  qm_buf_free(&cert);
}

static void open_phone(hub_world *w, int signs_outside) {
  app *a = &w->p.a;
  app_set(a, &w->dir, "app.db");
  if (signs_outside) {
    a->o.key_point = key_point;
    a->o.key_sign = key_sign;
  }
  a->o.check_hub = check_hub;
  app_open(a);
  certify(w, qm_hub_port(w->hub.hub));
}

static int setup(void **state) {
  hub_world *w = calloc(1, sizeof *w);
  assert_non_null(w);
  test_dir_make(&w->dir);
  w->p.env = qm_env_default();
  ok(qm_key_generate(&w->p.env, &w->p.secret));
  live_hub_open(&w->hub);
  live_hub_start(&w->hub);
  live_device_open(&w->other, &w->hub);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  hub_world *w = *state;
  qm_close(w->p.a.db);
  qm_key_free(w->p.secret);
  live_device_close(&w->other);
  live_hub_close(&w->hub);
  test_dir_remove(&w->dir);
  free(w);
  return 0;
}

static void write_one(qm_db *db, const char *name) {
  qm_tx *tx;
  qm_text id;
  ok(qm_begin(db, NONE, &tx, NULL));
  ok(qm_new(tx, S("household"), NONE, &id, NULL, NULL));
  ok(qm_set(tx, S("household"), S(id.p), S("head"), S(name), 0, NULL));
  ok(qm_commit(tx, NULL));
  qm_text_free(&id);
}

static uint64_t unsent(qm_db *db) {
  qm_text t;
  ok(qm_status(db, QM_FAST, &t, NULL));
  const char *at = strstr(t.p, "\"unsent\":");
  assert_non_null(at);
  uint64_t n = strtoull(at + 9, NULL, 10);
  qm_text_free(&t);
  return n;
}

/* --- in slices --- */

static void test_run(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_run_options o = QM_RUN_OPTIONS_INIT;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  qm_text t;
  open_phone(w, 0);
  ok(qm_events(a->db, 0, &t, NULL) == QM_ETIMEOUT ? QM_OK : QM_EINVAL);
  o.payload = &w->p;
  o.progress = progress;
  o.budget_ms = 600000;
  ok(qm_sync_run(a->db, &o, &r, &a->e)); /* the space comes */
  live_write(&w->other, 1, "Household of another lane");
  live_take(&w->other);
  ok(hub_device_sync(&w->other.d, qm_hub_port(w->hub.hub)));
  live_let_go(&w->other);
  write_one(a->db, "Household (invented)");
  memset(&w->p.last, 0, sizeof w->p.last);
  ok(qm_sync_run(a->db, &o, &r, &a->e));
  assert_int_equal(r.more, 0);
  assert_int_equal(r.segments_up, 1);
  assert_int_equal(r.segments_down, 1);
  assert_true(w->p.told > 0);
  assert_int_equal(w->p.last.segments_up, 1);
  assert_int_equal(w->p.last.segments_down, 1);
  assert_int_equal(w->p.last.records_down, 1);
  assert_true(w->p.last.unsent_before >= 2);
  assert_int_equal(unsent(a->db), 0);
  ok(qm_list(a->db, NONE, S("household"), NONE, 0, 0, &t, NULL));
  char id[27];
  text_member(&t, "\"id\":\"", id, sizeof id);
  qm_text_free(&t);
  ok(qm_record_status(a->db, NONE, S("household"), S(id), &t, NULL));
  assert_true(text_holds(&t, "\"acknowledged\""));
  qm_text_free(&t);
  ok(qm_events(a->db, 0, &t, NULL));
  assert_true(text_holds(&t, "\"state\":\"begun\""));
  assert_true(text_holds(&t, "\"state\":\"ended\",\"code\":null"));
  assert_true(text_holds(&t, "{\"event\":\"progress\""));
  assert_true(text_holds(&t, "{\"event\":\"changed\"}"));
  qm_text_free(&t);
  o.size = 4;
  assert_int_equal(qm_sync_run(a->db, &o, &r, &a->e), QM_EINVAL);
  assert_true(w->p.asked >= 2);
}

/* A port where connections are taken and nothing is ever said. */
static int silent_port(uint16_t *port) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t n = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
  assert_int_equal(listen(fd, 8), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
  *port = ntohs(at.sin_port);
  return fd;
}

static void *cancel_soon(void *payload) {
  qm_db *db = payload;
  qm_text t;
  while (qm_events(db, UINT32_MAX, &t, NULL) == QM_OK) {
    int begun = strstr(t.p, "begun") != NULL;
    qm_text_free(&t);
    if (begun) break;
  }
  qm_sync_cancel(db);
  return NULL;
}

static void *suspend_soon(void *payload) {
  qm_db *db = payload;
  qm_text t;
  while (qm_events(db, UINT32_MAX, &t, NULL) == QM_OK) {
    int begun = strstr(t.p, "begun") != NULL;
    qm_text_free(&t);
    if (begun) break;
  }
  ok(qm_suspend(db, 20000, NULL));
  return NULL;
}

static void test_budget_and_cancel(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  uint16_t port;
  pthread_t t;
  qm_run_options o = QM_RUN_OPTIONS_INIT;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  qm_text events;
  open_phone(w, 0);
  a->db->options.timeout_ms = 600000; /* the library's own patience would be long */
  ok(qm_sync(a->db, &r, &a->e));
  write_one(a->db, "Household (invented)");
  int fd = silent_port(&port);
  certify(w, port);
  o.budget_ms = 50;
  ok(qm_sync_run(a->db, &o, &r, &a->e));
  assert_int_equal(r.more, 1);
  assert_true(unsent(a->db) > 0);
  assert_int_equal(qm_events(a->db, 0, &events, NULL), QM_ETIMEOUT);
  assert_int_equal(pthread_create(&t, NULL, cancel_soon, a->db), 0);
  assert_int_equal(qm_sync(a->db, &r, &a->e), QM_ECANCELED);
  assert_int_equal(r.more, 1);
  pthread_join(t, NULL);
  while (qm_events(a->db, 0, &events, NULL) == QM_OK) qm_text_free(&events);
  assert_int_equal(pthread_create(&t, NULL, suspend_soon, a->db), 0);
  assert_int_equal(qm_sync(a->db, &r, &a->e), QM_ESUSPENDED);
  pthread_join(t, NULL);
  assert_int_equal(qm_sync(a->db, &r, &a->e), QM_ESUSPENDED);
  ok(qm_resume(a->db, &a->e));
  qm_sync_cancel(a->db); /* of none: no effect on the next */
  certify(w, qm_hub_port(w->hub.hub));
  ok(qm_sync(a->db, &r, &a->e));
  assert_int_equal(r.more, 0);
  assert_int_equal(unsent(a->db), 0);
  close(fd);
}

/* Takes so long over its first call that the sync looks whether it is to end, in its midst. */
static void slow_progress(void *payload, const qm_sync_progress *g) {
  phone *p = payload;
  (void)g;
  if (p->told++) return;
  if (p->opinion) qm_sync_cancel(p->a.db);
  (void)poll(NULL, 0, 250);
}

/* What the hub says to a session that ends before all was exchanged is not what the caller asks. */
static void test_ends_in_the_midst(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_run_options o = QM_RUN_OPTIONS_INIT;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  open_phone(w, 0);
  ok(qm_sync(a->db, &r, &a->e));
  a->db->options.check_hub = NULL; /* its opinion is another one here */
  o.payload = &w->p;
  o.progress = slow_progress;
  for (int cancelled = 0; cancelled < 2; cancelled++) {
    write_one(a->db, "Household (invented)");
    o.budget_ms = cancelled ? 0 : 20;
    w->p.told = 0;
    w->p.opinion = cancelled;
    int rc = qm_sync_run(a->db, &o, &r, &a->e);
    if (rc != (cancelled ? QM_ECANCELED : QM_OK)) print_message("%s\n", a->e.message);
    assert_int_equal(rc, cancelled ? QM_ECANCELED : QM_OK);
    assert_int_equal(r.more, 1);
    assert_true(w->p.told > 0);
    ok(qm_sync(a->db, &r, &a->e));
    assert_int_equal(r.more, 0);
    assert_int_equal(unsent(a->db), 0);
  }
}

typedef struct staying {
  qm_db *db;
  int rc;
} staying;

static void *stay(void *payload) {
  staying *s = payload;
  s->rc = qm_sync_stay(s->db, NULL, NULL, NULL);
  return NULL;
}

static void await_live(qm_db *db) {
  qm_text t;
  for (int live = 0; !live;) {
    ok(qm_events(db, HUB_WAIT_MS, &t, NULL));
    live = strstr(t.p, "\"live\"") != NULL;
    qm_text_free(&t);
  }
}

static void test_suspend_while_staying(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_text t;
  pthread_t thread;
  open_phone(w, 0);
  staying s = {a->db, 0};
  (void)qm_events(a->db, 0, &t, NULL);
  assert_int_equal(pthread_create(&thread, NULL, stay, &s), 0);
  await_live(a->db);
  ok(qm_suspend(a->db, 20000, &a->e));
  pthread_join(thread, NULL);
  assert_int_equal(s.rc, QM_ESUSPENDED);
  ok(qm_resume(a->db, &a->e));
  ok(qm_sync(a->db, NULL, &a->e));
}

/* Until the session has let go of the database every call gives the error. */
static void await_opened(qm_db *db) {
  qm_tx *tx = NULL;
  int rc;
  while ((rc = qm_begin(db, NONE, &tx, NULL)) == QM_EIO) (void)poll(NULL, 0, 1);
  ok(rc);
  qm_cancel(tx);
}

/* What stays lets go of the database, which is opened again, and connects anew. */
static void test_storage_fails_while_staying(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_text t;
  pthread_t thread;
  open_phone(w, 0);
  staying s = {a->db, 0};
  (void)qm_events(a->db, 0, &t, NULL);
  assert_int_equal(pthread_create(&thread, NULL, stay, &s), 0);
  await_live(a->db);
  app_fail_save(a);
  await_live(a->db);
  await_opened(a->db);
  write_one(a->db, "Household (invented)");
  qm_interrupt(a->db);
  pthread_join(thread, NULL);
  ok(s.rc);
  ok(qm_sync(a->db, NULL, &a->e));
  assert_int_equal(unsent(a->db), 0);
}

/* --- keys and opinions --- */

static void test_signer(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  open_phone(w, 1);
  qm_buf none;
  qm_buf_init(&none, &a->db->env, 64);
  assert_int_equal(qm__handle_meta_get(a->db, QM_META_KEY, &none), QM_ENOTFOUND);
  assert_int_equal(qm_key_to_der(a->db->key, &none), QM_ESTATE);
  qm_buf_free(&none);
  ok(qm_sync(a->db, NULL, &a->e)); /* TLS was signed outside */
  assert_true(w->p.signs > 0);
  int before = w->p.signs;
  write_one(a->db, "Household (invented)");
  ok(qm_sync(a->db, NULL, &a->e)); /* a segment, and TLS */
  assert_true(w->p.signs >= before + 2);
  assert_int_equal(unsent(a->db), 0);
  for (w->p.bad_sign = 1; w->p.bad_sign <= 3; w->p.bad_sign++) {
    write_one(a->db, "Household (invented)");
    assert_int_not_equal(qm_sync(a->db, NULL, &a->e), QM_OK);
    assert_true(unsent(a->db) > 0);
  }
  w->p.bad_sign = 0;
  ok(qm_sync(a->db, NULL, &a->e)); /* nothing was spoilt */
  assert_int_equal(unsent(a->db), 0);
  /* Another key: not this database's. */
  qm_close(a->db);
  a->db = NULL;
  qm_key_free(w->p.secret);
  ok(qm_key_generate(&w->p.env, &w->p.secret));
  assert_int_equal(qm_open(&a->o, &a->db, &a->e), QM_EACCESS);
}

static void test_opinion(void **state) {
  static const struct {
    int says, gives;
  } rows[] = {{QM_ECERT, QM_ECERT},     {QM_EREVOKED, QM_EREVOKED}, {QM_ECLOCK, QM_ECLOCK},
              {QM_ECERTEXPIRED, QM_ECERTEXPIRED}, {QM_EIO, QM_ECERT}, {1, QM_ECERT},
              {QM_OK, QM_OK}};
  hub_world *w = *state;
  app *a = &w->p.a;
  open_phone(w, 0);
  for (size_t i = 0; i < COUNT(rows); i++) {
    w->p.opinion = rows[i].says;
    assert_int_equal(qm_sync(a->db, NULL, &a->e), rows[i].gives);
    assert_int_equal(w->p.asked, i + 1);
  }
}

/* --- the app's own way --- */

/* Carries the bytes over a socket, `piece` at a time, until the link is over or, after `most`
 * bytes, the way is cut. */
static void carry(qm_link *l, uint16_t port, size_t piece, size_t most) {
  uint8_t in[4096], out[4096];
  size_t held = 0, at = 0, n, sum = 0;
  int fd = hub_connect(port), eof = 0;
  assert_true(piece <= sizeof in);
  for (int over = 0;;) {
    do {
      ok(qm_link_take(l, out, piece, &n, NULL));
      if (n) hub_send(fd, out, n);
      sum += n;
    } while (n);
    over = qm_link_over(l);
    if (over || eof || sum > most) break;
    if (at == held) {
      uint32_t wait = qm_link_wait(l);
      struct pollfd p = {.fd = fd, .events = POLLIN};
      int there = poll(&p, 1, wait < HUB_WAIT_MS ? (int)wait : HUB_WAIT_MS);
      ssize_t got = there == 1 ? read(fd, in, piece) : 0;
      eof = there == 1 && got <= 0;
      held = got > 0 ? (size_t)got : 0;
      at = 0;
    }
    size_t used = 0;
    (void)qm_link_feed(l, qm_slice_of(in + at, held - at), &used, NULL);
    at += used;
  }
  close(fd);
}

static void test_link(void **state) {
  static const size_t pieces[] = {4096, 1, 37};
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_link *l = NULL;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  uint16_t port;
  open_phone(w, 1);
  port = qm_hub_port(w->hub.hub);
  for (size_t i = 0; i < COUNT(pieces); i++) {
    ok(qm_link_open(a->db, &l, &a->e));
    qm_link *second = NULL;
    assert_int_equal(qm_link_open(a->db, &second, &a->e), QM_EBUSY);
    assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_EBUSY);
    carry(l, port, pieces[i], SIZE_MAX);
    assert_int_equal(qm_link_over(l), 1);
    if (qm_link_close(l, &r, &a->e) != QM_OK) fail_msg("%s", a->e.message);
    assert_int_equal(unsent(a->db), 0);
    write_one(a->db, "Household (invented)");
  }
  assert_int_equal(r.segments_up, 1);
  assert_true(w->p.asked > 0);
  /* Cut in the middle, again and again, each time further on: nothing is lost. */
  int rc = QM_ECLOSED;
  for (size_t most = 0; most < 3000; most += 250) {
    ok(qm_link_open(a->db, &l, &a->e));
    carry(l, port, 250, most);
    rc = qm_link_close(l, &r, &a->e);
    if (rc != QM_OK && rc != QM_ECLOSED) fail_msg("%s", a->e.message);
  }
  ok(qm_sync(a->db, NULL, &a->e));
  assert_int_equal(unsent(a->db), 0);
  live_take(&w->other);
  ok(hub_device_sync(&w->other.d, port));
  assert_int_equal(hub_device_count(&w->other.d), 3);
  live_let_go(&w->other);
}

static void test_link_hub_refuses(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_link *l = NULL;
  qm_tx *tx;
  size_t used;
  uint8_t to[4096];
  open_phone(w, 0);
  w->p.opinion = QM_EREVOKED;
  ok(qm_link_open(a->db, &l, &a->e));
  carry(l, qm_hub_port(w->hub.hub), 4096, SIZE_MAX);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_EREVOKED);
  /* Rubbish instead of TLS. */
  ok(qm_link_open(a->db, &l, &a->e));
  assert_int_equal(qm_link_feed(l, S("GET / HTTP/1.1\r\n\r\n"), &used, &a->e), QM_ETLS);
  assert_int_equal(qm_link_over(l), 1);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_ETLS);
  /* Suspended while open: it is over, and its owner still closes it. */
  ok(qm_link_open(a->db, &l, &a->e));
  ok(qm_link_take(l, to, sizeof to, &used, &a->e));
  assert_true(used > 0);
  ok(qm_suspend(a->db, 100, &a->e));
  assert_int_equal(qm_link_take(l, to, sizeof to, &used, &a->e), QM_ESUSPENDED);
  ok(qm_resume(a->db, &a->e));
  assert_int_equal(qm_link_feed(l, NONE, &used, &a->e), QM_ESUSPENDED);
  assert_int_equal(qm_link_over(l), 1);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_ESUSPENDED);
  /* A transaction that stays open holds it up, and takes nothing away. */
  w->p.opinion = QM_OK;
  ok(qm_sync(a->db, NULL, &a->e));
  a->db->options.busy_ms = 1;
  ok(qm_link_open(a->db, &l, &a->e));
  ok(qm_begin(a->db, NONE, &tx, &a->e));
  assert_int_equal(qm_link_take(l, to, sizeof to, &used, &a->e), QM_EBUSY);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_EBUSY);
  qm_cancel(tx);
  carry(l, qm_hub_port(w->hub.hub), 4096, SIZE_MAX);
  ok(qm_link_close(l, NULL, &a->e));
}

static void test_storage_fails_under_a_link(void **state) {
  hub_world *w = *state;
  app *a = &w->p.a;
  qm_link *l;
  uint8_t to[512];
  size_t used;
  open_phone(w, 0);
  ok(qm_sync(a->db, NULL, &a->e)); /* the space comes */
  ok(qm_link_open(a->db, &l, &a->e));
  ok(qm_link_take(l, to, sizeof to, &used, &a->e));
  app_fail_save(a);
  assert_int_equal(qm_link_feed(l, NONE, &used, &a->e), QM_EIO);
  assert_int_equal(qm_link_over(l), 1);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_EIO);
  write_one(a->db, "Household (invented)");
  ok(qm_sync(a->db, NULL, &a->e));
  assert_int_equal(unsent(a->db), 0);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      t(test_run),    t(test_budget_and_cancel), t(test_suspend_while_staying),
      t(test_ends_in_the_midst),
      t(test_signer), t(test_opinion),           t(test_link),
      t(test_link_hub_refuses), t(test_storage_fails_while_staying),
      t(test_storage_fails_under_a_link),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
