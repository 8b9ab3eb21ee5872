#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/uv/config.h"

#define ok(expr) assert_int_equal(expr, QM_OK)

static void test_config(void **state) {
  static const struct {
    const char *text;
    int rc;
  } cases[] = {{"", QM_OK},
               {"# nothing\n\n", QM_OK},
               {"listen = 127.0.0.1:7440\nname = a\nlog-format = json\nidle-ms=60000", QM_OK},
               {"listen = [::1]:0", QM_OK},
               {"listen = ::1:0", QM_EUSAGE},
               {"listen = a", QM_EUSAGE},
               {"listen = a:65536", QM_EUSAGE},
               {"listen = [ 1]:0", QM_EUSAGE},
               {"idle-ms = 60001", QM_EUSAGE},
               {"idle-ms = -1", QM_EUSAGE},
               {"loops = 0", QM_OK},
               {"loops = 64", QM_OK},
               {"loops = 65", QM_EUSAGE},
               {"log-level = loud", QM_EUSAGE},
               {"colour = red", QM_EUSAGE},
               {"name", QM_EUSAGE},
               {"name =", QM_EUSAGE}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    qm_hub_config c;
    qm_error e = {0, ""};
    qm_hub_config_default(&c);
    qm_slice text = qm_slice_of(cases[i].text, strlen(cases[i].text));
    int rc = qm_hub_config_parse(&c, text, &e);
    if (rc != cases[i].rc) fail_msg("case %zu: %d %s", i, rc, e.message);
    if (rc != QM_OK) assert_true(e.message[0] != '\0');
  }
}

static void test_config_prints_what_it_reads(void **state) {
  qm_hub_config a, b;
  char text[4096];
  (void)state;
  qm_hub_config_default(&a);
  memcpy(a.name, "Stone Bridge", 13);
  a.connections = 77;
  a.loops = 3;
  a.log_level = QM_LOG_DEBUG;
  a.log_json = 1;
  int n = qm_hub_config_print(&a, text, sizeof text);
  assert_in_range(n, 1, sizeof text - 1);
  qm_hub_config_default(&b);
  ok(qm_hub_config_parse(&b, qm_slice_of(text, (size_t)n), NULL));
  assert_memory_equal(&a, &b, sizeof a);

  qm_hub_config_default(&a); /* no name yet: none is printed */
  n = qm_hub_config_print(&a, text, sizeof text);
  assert_in_range(n, 1, sizeof text - 1);
  qm_hub_config_default(&b);
  ok(qm_hub_config_parse(&b, qm_slice_of(text, (size_t)n), NULL));
  assert_memory_equal(&a, &b, sizeof a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_config),
                                     cmocka_unit_test(test_config_prints_what_it_reads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
