/* Text files: the hub's settings, and traces of the replay. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/cli/replay.h"
#include "sync/uv/config.h"
#include "tests/fuzz/fuzz.h"

void fuzz_config(qm_slice in) {
  qm_hub_config c, again;
  qm_error e = {0, ""};
  char text[4096], host[64];
  uint16_t port;
  qm_hub_config_default(&c);
  int rc = qm_hub_config_parse(&c, in, &e);
  (void)qm_address_parse((const char *)in.p, in.n, host, &port);
  if (rc != QM_OK) {
    FUZZ_CHECK(rc == QM_EUSAGE && e.message[0]);
    return;
  }
  int n = qm_hub_config_print(&c, text, sizeof text);
  FUZZ_CHECK(n > 0 && (size_t)n < sizeof text);
  qm_hub_config_default(&again);
  rc = qm_hub_config_parse(&again, qm_slice_of(text, (size_t)n), &e);
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "printed settings", e.message);
  FUZZ_CHECK(strcmp(c.host, again.host) == 0 && c.port == again.port);
  FUZZ_CHECK(strcmp(c.name, again.name) == 0 && strcmp(c.log, again.log) == 0);
  FUZZ_CHECK(c.log_json == again.log_json && c.log_level == again.log_level);
  FUZZ_CHECK(c.connections == again.connections && c.per_address == again.per_address);
  FUZZ_CHECK(c.idle_ms == again.idle_ms && c.drain_ms == again.drain_ms);
}

/* What the replay relies on. */
static void check_trace(const qm_trace *t) {
  for (uint32_t i = 0; i < t->devices; i++) FUZZ_CHECK(t->grid_of_device[i] < t->grids);
  for (uint32_t i = 0; i < t->n_lines; i++) {
    const qm_line *l = &t->lines[i];
    if (l->op != QM_LINE_RUSH) FUZZ_CHECK(l->device < t->devices);
    if (l->op < QM_LINE_SYNC) FUZZ_CHECK(l->record < t->n_records);
    if (l->op >= QM_LINE_SET && l->op < QM_LINE_SYNC) FUZZ_CHECK(l->field < t->n_fields);
    uint32_t end = qm_trace_change_end(t, i);
    FUZZ_CHECK(end > i && end <= t->n_lines);
  }
}

/* The reader takes a path: a pipe holds the input, so that no file is written. */
void fuzz_trace(qm_slice in) {
  int ends[2];
  char path[32];
  qm_trace t;
  qm_buf schema;
  qm_error e = {0, ""};
  if (in.n > 65000 || pipe(ends) != 0) return;
  FUZZ_CHECK(write(ends[1], in.n ? in.p : (const uint8_t *)"", in.n) == (ssize_t)in.n);
  close(ends[1]);
  snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
  qm_buf_init(&schema, fuzz_env(), QM_SCHEMA_MAX);
  int rc = qm_trace_read(&t, fuzz_env(), path, &e);
  close(ends[0]);
  if (rc == QM_OK) {
    check_trace(&t);
    (void)qm_trace_schema(&t, &schema, &e);
    qm_trace_free(&t);
  } else {
    FUZZ_CHECK(e.message[0]);
  }
  qm_buf_free(&schema);
}
