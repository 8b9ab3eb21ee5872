/* A sync over the app's own way to the hub: bytes in, bytes out. send_all and wait_for stand for
 * a socket bound to one network, a proxy or a cable. */
#include "example.h"

static int send_all(const uint8_t *p, size_t n) {
  (void)p; (void)n;
  return 0;
}
static size_t wait_for(uint8_t *to, size_t room, uint32_t ms) {
  (void)to; (void)room; (void)ms;
  return 0;
}

static int32_t sync_over(qm_db *db, qm_sync_result *result) {
  uint8_t in[16384], out[16384];
  size_t held = 0, used, n;
  qm_link *link;
  int32_t rc = qm_link_open(db, &link, &e);
  if (rc != QM_OK) return rc;
  for (;;) {
    do rc = qm_link_take(link, out, sizeof out, &n, &e);
    while (rc == QM_OK && n && send_all(out, n) == 0);
    if (rc != QM_OK || qm_link_over(link)) break;
    if (!held) held = wait_for(in, sizeof in, qm_link_wait(link));
    if (qm_link_feed(link, qm_slice_of(in, held), &used, &e) != QM_OK) break;
    memmove(in, in + used, held -= used);
  }
  return qm_link_close(link, result, &e);
}

int main(void) {
  qm_db *db = example_open("transport.db");
  qm_sync_result result = QM_SYNC_RESULT_INIT;
  int32_t rc = sync_over(db, &result);
  printf("%s: %s\n", qm_err_name(rc), qm_error_text(rc, "en")); /* not enrolled, here */
  qm_close(db);
  return rc != QM_ENOTENROLLED;
}
