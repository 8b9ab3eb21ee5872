/* What waits for a decision, and what became of one's own values. Without a hub nothing does. */
#include "example.h"

int main(void) {
  qm_db *db = example_open("review.db");
  qm_slice none = qm_str(NULL);
  qm_review_options options = QM_REVIEW_OPTIONS_INIT;
  qm_text list;
  options.severity = 2;
  must(qm_review(db, none, &options, &list, &e)); /* write with its token: qm_shown, qm_settle */
  print(&list);
  must(qm_inbox(db, none, QM_UNREAD, &list, &e));
  print(&list);
  must(qm_settles(db, none, &list, &e));
  print(&list);
  if (qm_undo(db, none, &e) != QM_ENOTFOUND) return 1;
  qm_close(db);
  return 0;
}
