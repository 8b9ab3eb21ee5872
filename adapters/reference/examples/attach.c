/* A photo: its content lies beside the database, its hash in the record. */
#include "example.h"

int main(void) {
  qm_db *db = example_open("attach.db");
  qm_slice demo = qm_str("demo"), household = qm_str("household");
  qm_tx *tx;
  qm_text id, out;
  FILE *f = fopen("photo.jpg", "wb");
  if (!f || fputs("not really a photo\n", f) < 0 || fclose(f)) return 1;
  must(qm_begin(db, demo, &tx, &e));
  must(qm_new(tx, household, qm_str("12"), &id, NULL, &e));
  must(qm_attach(tx, household, qm_str(id.p), qm_str("photo"), "photo.jpg", &out, &e));
  must(qm_commit(tx, &e));
  print(&out);
  must(qm_attachments(db, demo, household, qm_str(id.p), &out, &e));
  print(&out);
  qm_text_free(&id);
  qm_close(db);
  return 0;
}
