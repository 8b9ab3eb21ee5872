/* Links the objects of core/ and nothing else of the project: that they link at all
 * is the test. A few calls keep the program honest. TAP on standard output. */
#include <stdio.h>

#include "core/cur.h"
#include "core/hash.h"
#include "core/mp.h"
#include "core/norm.h"
#include "core/zip.h"

static int round_trip(void) {
  qm_env env = qm_env_default();
  qm_buf plain, packed, again;
  qm_buf_init(&plain, &env, 1 << 16);
  qm_buf_init(&packed, &env, 1 << 16);
  qm_buf_init(&again, &env, 1 << 16);
  qm_mp_str(&plain, "core", 4);
  int rc = qm_zip(&packed, qm_buf_slice(&plain), 3);
  if (rc == QM_OK) rc = qm_unzip(&again, qm_buf_slice(&packed), 1 << 16);
  qm_cur c;
  qm_slice text;
  qm_cur_init(&c, qm_buf_slice(&again));
  if (rc == QM_OK) rc = qm_cur_str(&c, &text);
  if (rc == QM_OK) rc = qm_cur_end(&c);
  qm_buf_free(&plain);
  qm_buf_free(&packed);
  qm_buf_free(&again);
  return rc;
}

int main(void) {
  int rc = round_trip();
  printf("%s 1 - core links and runs without sync and adapters\n1..1\n", rc ? "not ok" : "ok");
  return rc ? 1 : 0;
}
