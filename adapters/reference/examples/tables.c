/* Tables, searching and likely duplicates: what records show, in SQL. */
#include "example.h"

int main(void) {
  qm_db *db = example_open("tables.db");
  qm_slice demo = qm_str("demo"), household = qm_str("household");
  qm_tx *tx;
  qm_text id, out;
  must(qm_begin(db, demo, &tx, &e));
  must(qm_new(tx, household, qm_str("12"), &id, NULL, &e));
  must(qm_put(tx, household, qm_str(id.p), qm_str("head"), qm_str("王小明 (invented)"), 0, &e));
  must(qm_commit(tx, &e));
  must(qm_sql(db, qm_str("SELECT no, head FROM household WHERE no = ?1"), qm_str("[\"12\"]"), 0, 0,
              &out, &e));
  print(&out);
  must(qm_search(db, demo, household, qm_str("小明"), 10, 0, &out, &e));
  print(&out);
  must(qm_duplicates(db, demo, qm_str(""), qm_str(""), 0, 0, 0, &out, &e));
  print(&out);
  must(qm_list(db, demo, household, qm_str(""), 10, QM_DETAIL, &out, &e));
  print(&out);
  qm_text_free(&id);
  qm_close(db);
  return 0;
}
