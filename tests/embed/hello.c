#include <stdio.h>

#include "qianmo.h"

#define S qm_str
#define TEXT "\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"}"
static const char schema[] =
    "{\"schema\":\"hello\",\"version\":1,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"trying out\",\"retention\":\"P1D\",\"key\":\"no\",\"fields\":["
    "{\"name\":\"no\",\"number\":16," TEXT ",{\"name\":\"head\",\"number\":17," TEXT "]}]}";

int main(int argc, char **argv) {
  qm_options options = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  qm_tx *tx = NULL;
  qm_text id = {NULL, 0}, record = {NULL, 0}, conflicts = {NULL, 0};
  qm_error e = {0, ""};
  options.path = argc > 1 ? argv[1] : "hello.db";
  options.flags = QM_OPEN_CREATE;
  int ok = !qm_open(&options, &db, &e) &&
           !qm_space_create(db, S("demo"), S(schema), S(""), &e) &&
           !qm_begin(db, S("demo"), &tx, &e) &&
           !qm_new(tx, S("household"), S("0012"), &id, NULL, &e) &&
           !qm_set(tx, S("household"), S(id.p), S("head"), S("Wang (invented)"), 0, &e);
  if (ok) ok = !qm_commit(tx, &e); /* on disk from here on */
  else qm_cancel(tx);
  if (ok && qm_sync(db, NULL, &e)) printf("offline: %s\n", e.message);
  ok = ok && !qm_get(db, S("demo"), S("household"), S("key:0012"), 0, &record, &e) &&
       !qm_conflicts(db, S("demo"), S(""), &conflicts, &e);
  if (ok) printf("%s\nconflicts: %s\n", record.p, conflicts.n ? conflicts.p : "none");
  else fprintf(stderr, "%s\n", e.message);
  qm_text_free(&id), qm_text_free(&record), qm_text_free(&conflicts), qm_close(db);
  return !ok;
}
