/* The library without the network (QM_NO_NET): what would connect says that it
 * cannot, and a link's bytes are those of the session, which the program carries.
 * `make no-net` runs it against such a library; `make check` with the stand-ins alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/space.h"
#include "sync/answer.h"
#include "sync/ca.h"
#include "sync/code.h"
#include "tests/unit/support_handle.h"

#define ok(call) assert_int_equal(call, QM_OK)

/* The second device of the world as the hub: a session in this process. */
typedef struct hub {
  qm_ca *ca;
  qm_answer answer;
  qm_session *s;
  int closed, code;
} hub;

static void enrol(world *w, hub *h, int with_key) {
  app *a = &w->a, *b = &w->b;
  qm_buf cert;
  qm_key *key = b->db->key;
  ok(qm_ca_create(&b->db->env, S("Hub (invented)"), b->now_ms, &h->ca));
  qm_buf_init(&cert, &b->db->env, QM_CERT_SIZE_MAX);
  ok(qm_ca_issue_device(h->ca, qm_key_spki(a->db->key), b->now_ms, &cert));
  qm_meta_pair pairs[] = {
      {S(QM_META_CERT), qm_buf_slice(&cert)},
      {S(QM_META_CA), qm_ca_cert(h->ca)},
      {S(QM_META_HUB), S("hub.invalid:7443")},
      {S(QM_META_HUB_ID), qm_slice_of(qm_key_device(key)->b, QM_ID_SIZE)},
      {S(QM_META_HUB_KEY), qm_key_spki(key)}};
  ok(qm__handle_meta_put(a->db, pairs, COUNT(pairs) - !with_key));
  qm_buf_free(&cert);
}

static void hub_open(hub *h, app *b) {
  qm_session_options o = {
      .size = sizeof o, .flags = QM_SESSION_HUB, .device = *qm_key_device(b->db->key)};
  h->closed = h->code = 0;
  qm_answer_init(&h->answer, &b->db->env, b->db->engine, QM_ANSWER_HUB, NULL);
  ok(qm_session_new(&h->s, &b->db->env, QM_SERVER, &o));
}

static void hub_close(hub *h) {
  qm_session_free(h->s);
  qm_answer_free(&h->answer);
  h->s = NULL;
}

static void hub_work(hub *h) {
  qm_event ev;
  while (qm_session_next(h->s, &ev)) {
    if (ev.kind == QM_EV_CLOSED) h->closed = 1, h->code = ev.code;
    ok(qm_answer_event(&h->answer, h->s, &ev));
  }
}

/* The program's transport: `piece` bytes at a time each way, at most `most` in all (0: any). */
static void carry(qm_link *l, hub *h, size_t piece, size_t most) {
  uint8_t up[4096], down[4096];
  size_t moved = 0, n, used, held = 0;
  int still = 0;
  while (still < 3 && (!most || moved < most)) {
    ok(qm_link_take(l, up, piece, &n, NULL));
    for (size_t at = 0; at < n; at += used) {
      (void)qm_session_feed(h->s, up + at, n - at, &used);
      hub_work(h);
      if (!used) break;
    }
    moved += n;
    hub_work(h);
    size_t got = 0;
    if (held < piece) ok(qm_session_take(h->s, down + held, piece - held, &got));
    held += got;
    moved += got;
    (void)qm_link_feed(l, qm_slice_of(down, held), &used, NULL);
    memmove(down, down + used, held - used);
    held -= used;
    still = n || got || used ? 0 : still + 1;
  }
}

static void test_a_whole_session(void **state) {
  world *w = *state;
  hub h = {0};
  char id[27];
  qm_link *l = NULL;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  app_second(w);
  enrol(w, &h, 1);
  app_make(&w->a, "12", id);
  app_make(&w->b, "13", id);
  for (size_t piece = 1; piece <= 4096; piece *= 4) {
    char key[16];
    snprintf(key, sizeof key, "%zu", 100 + piece);
    app_make(&w->a, key, id);
    hub_open(&h, &w->b);
    ok(qm_link_open(w->a.db, &l, &w->a.e));
    assert_int_equal(qm_sync(w->a.db, NULL, NULL), QM_EBUSY);
    carry(l, &h, piece, 0);
    assert_int_equal(qm_link_over(l), 1);
    if (qm_link_close(l, &r, &w->a.e) != QM_OK) fail_msg("%s", w->a.e.message);
    assert_true(h.closed && h.code == QM_OK);
    assert_int_equal(r.segments_up, 1);
    hub_close(&h);
  }
  assert_true(app_status_holds(&w->a, "\"unsent\":0"));
  assert_true(app_shows(&w->a, "key:13", "\"id\""));
  assert_true(app_shows(&w->b, "key:12", "\"id\""));
  qm_digest mine, its;
  qm_space_digest(app_space(&w->a), &mine);
  qm_space_digest(app_space(&w->b), &its);
  assert_memory_equal(&mine, &its, sizeof mine);
  qm_ca_free(h.ca);
}

/* Cut anywhere: what was acknowledged stays, and the next link goes on. */
static void test_cut(void **state) {
  world *w = *state;
  hub h = {0};
  char id[27];
  qm_link *l = NULL;
  app_second(w);
  enrol(w, &h, 1);
  app_make(&w->a, "12", id);
  for (size_t most = 1; most < 600; most += 37) {
    hub_open(&h, &w->b);
    ok(qm_link_open(w->a.db, &l, &w->a.e));
    carry(l, &h, 8, most);
    int over = qm_link_over(l);
    assert_int_equal(qm_link_close(l, NULL, &w->a.e), over ? QM_OK : QM_ECLOSED);
    hub_close(&h);
  }
  hub_open(&h, &w->b);
  ok(qm_link_open(w->a.db, &l, &w->a.e));
  carry(l, &h, 512, 0);
  ok(qm_link_close(l, NULL, &w->a.e));
  hub_close(&h);
  assert_true(app_status_holds(&w->a, "\"unsent\":0"));
  qm_ca_free(h.ca);
}

static void test_refusals(void **state) {
  world *w = *state;
  app *a = &w->a;
  hub h = {0};
  qm_link *l = NULL;
  size_t used = 0;
  char code[QM_CODE_TEXT_SIZE];
  qm_enrol_code good;
  qm_run_options o = QM_RUN_OPTIONS_INIT;
  assert_int_equal(qm_link_open(a->db, &l, &a->e), QM_ENOTENROLLED);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ENOTENROLLED);
  assert_int_equal(qm_enroll(a->db, S("hub.invalid:7443"), S("0000"), NONE, &a->e), QM_ECODE);
  memset(&good, 7, sizeof good);
  qm_code_text(&good, code);
  assert_int_equal(qm_enroll(a->db, S("hub.invalid:7443"), S(code), NONE, &a->e), QM_ESTATE);
  assert_non_null(strstr(a->e.message, "qm_link_open"));
  app_second(w);
  enrol(w, &h, 0); /* of before keys were kept: nobody has seen whose hub it is */
  ok(qm_link_open(a->db, &l, &a->e));
  (void)qm_link_feed(l, NONE, &used, &a->e);
  assert_int_equal(qm_link_close(l, NULL, &a->e), QM_ECERT);
  qm_ca_free(h.ca);
  enrol(w, &h, 1);
  assert_int_equal(qm_sync(a->db, NULL, &a->e), QM_ESTATE);
  assert_int_equal(qm_sync_run(a->db, &o, NULL, &a->e), QM_ESTATE);
  assert_int_equal(qm_sync_stay(a->db, NULL, NULL, &a->e), QM_ESTATE);
  ok(qm_link_open(a->db, &l, &a->e));
  (void)qm_link_feed(l, S("GET / HTTP/1.1\r\n\r\n"), &used, &a->e);
  assert_int_equal(qm_link_over(l), 1);
  assert_int_not_equal(qm_link_close(l, NULL, &a->e), QM_OK);
  qm_ca_free(h.ca);
}

static void test_certificates(void **state) {
  world *w = *state;
  hub h = {0};
  qm_text t;
  app_second(w);
  enrol(w, &h, 1);
  ok(qm_status(w->a.db, QM_FAST, &t, NULL));
  assert_null(strstr(t.p, "BEGIN"));
  qm_text_free(&t);
  ok(qm_status(w->a.db, QM_FAST | QM_CERTIFICATES, &t, NULL));
  assert_non_null(strstr(t.p, "\"pem\":\"-----BEGIN CERTIFICATE-----\\n"));
  assert_non_null(strstr(t.p, "\"ca\":\"-----BEGIN CERTIFICATE-----\\n"));
  assert_non_null(strstr(t.p, "\"hub_key\":\"3059"));
  assert_null(strstr(t.p, "PRIVATE"));
  qm_text_free(&t);
  qm_ca_free(h.ca);
}

int main(void) {
#define t(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
  const struct CMUnitTest tests[] = {t(test_a_whole_session), t(test_cut), t(test_refusals),
                                     t(test_certificates)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
