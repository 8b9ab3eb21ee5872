/* What a device says of records that went bad on its disk, and of what was put right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/repair.h"
#include "tests/unit/support_handle.h"

/* Behind the program's back, as a page that went bad. */
static void harm(world *w, const char *sql) {
  sqlite3 *h;
  qm_close(w->a.db);
  assert_int_equal(sqlite3_open(test_dir_file(&w->dir, "a.db"), &h), SQLITE_OK);
  assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(h);
  app_open(&w->a);
}

static void checked(app *a, int rc, const char *part) {
  qm_text t = {NULL, 0};
  assert_int_equal(qm_check(a->db, &t, &a->e), rc);
  if (!text_holds(&t, part)) fail_msg("%s", t.p);
  qm_text_free(&t);
}

/* S19.1, S19.5 */
static void tells_what_is_wrong(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  app_make(a, "12", id);
  app_make(a, "13", id);
  checked(a, QM_OK, "\"ok\":true,\"mending\":null,\"repaired\":null}");
  assert_true(app_status_holds(a, "\"mending\":null,\"repaired\":null,"));
  harm(w, "DELETE FROM record WHERE id = (SELECT max(id) FROM record)");
  assert_true(app_status_holds(a, "\"mending\":null")); /* nobody has looked */
  checked(a, QM_EDIFFER, "\"ok\":false,\"mending\":\"records\",\"repaired\":null}");
  assert_true(app_status_holds(a, "\"mending\":\"records\""));
  app_reopen(a);
  checked(a, QM_EDIFFER, "\"ok\":false,\"mending\":\"records\"");
  a->e.message[0] = 0;
  assert_int_equal(qm_check(a->db, NULL, &a->e), QM_EINVAL);
}

static void tells_of_bytes_that_changed(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  app_make(a, "12", id);
  harm(w, "UPDATE record SET hash = zeroblob(16)");
  checked(a, QM_ECORRUPT, "\"ok\":false,\"mending\":\"records\"");
  assert_int_equal(qm_engine_damaged(a->db->engine, app_space(a)), QM_OK);
  assert_true(app_status_holds(a, "\"mending\":\"state\""));
}

static void gives_no_hub_what_it_never_met(void **state) {
  app *a = &((world *)*state)->a;
  qm_text t = {NULL, 0};
  assert_int_equal(qm_export_hub(a->db, &t, &a->e), QM_ENOTENROLLED);
  assert_int_equal(qm_export_hub(a->db, NULL, &a->e), QM_EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {T(tells_what_is_wrong), T(tells_of_bytes_that_changed),
                                     T(gives_no_hub_what_it_never_met)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
