/* A program with a loop of its own: it waits on a descriptor, asks what happened, and reads on
 * from where it had read. */
#include <poll.h>

#include "example.h"

int main(void) {
  qm_db *db = example_open("events.db");
  qm_tx *tx;
  qm_text id, out;
  struct pollfd wait = {-1, POLLIN, 0};
  int32_t fd;
  must(qm_events_fd(db, &fd, &e));
  must(qm_begin(db, qm_str("demo"), &tx, &e));
  must(qm_new(tx, qm_str("household"), qm_str("12"), &id, NULL, &e));
  must(qm_commit(tx, &e)); /* in an app: another thread, or a sync */
  wait.fd = fd;
  if (poll(&wait, 1, 1000) != 1) return 1;
  must(qm_events(db, 0, &out, &e));
  print(&out);
  must(qm_changes(db, qm_str(""), 100, &out, &e)); /* keep the last line's cursor */
  print(&out);
  qm_text_free(&id);
  qm_close(db);
  return 0;
}
