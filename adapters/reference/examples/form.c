/* A form: read, edit, save. Only what the user changed is written, and only over what the form
 * had shown: what a sync brought meanwhile is kept for review. */
#include "example.h"

int main(void) {
  qm_db *db = example_open("form.db");
  qm_slice demo = qm_str("demo"), household = qm_str("household"), key = qm_str("key:12");
  qm_tx *tx;
  qm_text id, shown;
  char token[512];
  int32_t existing;

  must(qm_begin(db, demo, &tx, &e));
  must(qm_new(tx, household, qm_str("12"), &id, &existing, &e)); /* opens it where it exists */
  must(qm_set(tx, household, qm_str(id.p), qm_str("head"), qm_str("Wang (invented)"), 0, &e));
  must(qm_inc(tx, household, qm_str(id.p), qm_str("visits"), 1, &e));
  must(qm_commit(tx, &e)); /* on disk from here on */
  qm_text_free(&id);

  must(qm_get(db, demo, household, key, 0, &shown, &e));
  const char *at = strstr(shown.p, "\"token\":\"") + 9;
  snprintf(token, sizeof token, "%.*s", (int)strcspn(at, "\""), at);
  print(&shown);

  must(qm_begin(db, demo, &tx, &e));
  must(qm_shown(tx, qm_str(token), &e));
  must(qm_set(tx, household, key, qm_str("phone"), qm_str("10000000012"), 0, &e));
  printf("effects: %u\n", (unsigned)qm_written(tx));
  must(qm_commit(tx, &e));

  must(qm_begin(db, demo, &tx, &e));
  must(qm_delete(tx, household, key, &e));
  qm_cancel(tx); /* nothing happened */

  must(qm_record_status(db, demo, household, key, &shown, &e));
  print(&shown);
  qm_close(db);
  return 0;
}
