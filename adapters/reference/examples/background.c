/* A phone: a sync in slices while the app may run, and nothing held when it may not. */
#include "example.h"

static void progress(void *payload, const qm_sync_progress *p) {
  (void)payload;
  printf("%llu of %llu left\n", (unsigned long long)p->unsent,
         (unsigned long long)p->unsent_before);
}

int main(void) {
  qm_db *db = example_open("background.db");
  qm_run_options options = QM_RUN_OPTIONS_INIT;
  qm_sync_result result = QM_SYNC_RESULT_INIT;
  qm_text out;
  options.budget_ms = 10000;
  options.progress = progress;
  int32_t rc;
  do rc = qm_sync_run(db, &options, &result, &e); /* qm_sync_cancel from another thread */
  while (rc == QM_OK && result.more);
  printf("%s\n", rc ? qm_error_text(rc, "en") : "done"); /* not enrolled, here */
  must(qm_suspend(db, 2000, &e)); /* no file lock is left */
  if (qm_status(db, QM_FAST, &out, &e) != QM_ESUSPENDED) return 1;
  must(qm_resume(db, &e));
  must(qm_status(db, QM_FAST, &out, &e));
  print(&out);
  qm_close(db);
  return 0;
}
