/* A matter that goes up: the village gets what the schema lets cross, and its answer comes back. */
#include "example.h"

#define FIELD(name, number, more) \
  "{\"name\":\"" name "\",\"number\":" number ",\"class\":\"work\"," more "}"

static const char schema[] =
    "{\"schema\":\"matters\",\"version\":1,\"collections\":[{\"name\":\"matter\",\"number\":1,"
    "\"purpose\":\"to see to it\",\"retention\":\"P1Y\",\"fields\":["
    FIELD("text", "16", "\"type\":\"register\",\"value\":\"text\",\"refer\":true") ","
    FIELD("who", "17", "\"type\":\"register\",\"value\":\"text\"") ","
    FIELD("from", "18", "\"type\":\"ref\",\"value\":\"space-ref\"") ","
    FIELD("to", "19", "\"type\":\"set\",\"value\":\"space-ref\"") ","
    FIELD("answers", "20", "\"type\":\"log\",\"value\":\"map\"") ","
    FIELD("costs", "21", "\"type\":\"log\",\"value\":\"map\",\"check\":\"entry\"") "],"
    "\"referral\":{\"from\":\"from\",\"to\":\"to\",\"answer\":\"answers\"}}]}";

int main(void) {
  qm_db *db = example_open("refer.db");
  qm_slice grid = qm_str("grid"), village = qm_str("village"), matter = qm_str("matter");
  qm_tx *tx;
  qm_text id, out, record;
  must(qm_space_create(db, grid, qm_str(schema), qm_str("grid"), &e));
  must(qm_space_create(db, village, qm_str(schema), qm_str("office"), &e));
  must(qm_begin(db, grid, &tx, &e));
  must(qm_new(tx, matter, qm_str(""), &id, NULL, &e));
  must(qm_set(tx, matter, qm_str(id.p), qm_str("text"), qm_str("the drain is blocked"), 0, &e));
  must(qm_set(tx, matter, qm_str(id.p), qm_str("who"), qm_str("A. Sample"), 0, &e));
  must(qm_append(tx, matter, qm_str(id.p), qm_str("costs"),
                 qm_str("{\"amount\":2000,\"reason\":\"a plumber\"}"), QM_JSON, &e));
  must(qm_commit(tx, &e));
  must(qm_refer(db, grid, matter, qm_str(id.p), village, &out, &e));
  print(&out); /* {"id":…,"existing":false} */
  must(qm_list(db, village, matter, qm_str(""), 0, 0, &record, &e));
  print(&record); /* the text and where it came from, not who */
  must(qm_answers(db, grid, matter, qm_str(id.p), &out, &e));
  print(&out); /* none yet */
  qm_text_free(&id);
  qm_close(db);
  return 0;
}
