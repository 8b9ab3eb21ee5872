/* no_net_client.c: what stands under the names of sync/uv/client.h in a library built without the
 * network (QM_NO_NET): the calls that would connect say that it cannot. */
#include <string.h>

#include "core/hash.h"
#include "sync/code.h"
#include "sync/uv/client.h"

static int none(qm_error *e) {
  return qm_fail(e, QM_ESTATE, "this build of the library has no network: use qm_link_open");
}

int qm_client_sync(const qm_client_options *options, qm_engine *engine, qm_client_result *out,
                   qm_error *e) {
  (void)engine;
  memset(out, 0, sizeof *out);
  out->env = options->env;
  qm_buf_init(&out->cert, options->env, QM_CERT_SIZE_MAX);
  return none(e);
}

int qm_client_enrol(const qm_client_enrol_options *options, qm_client_enrolment *out, qm_error *e) {
  qm_enrol_code code;
  memset(out, 0, sizeof *out);
  QM_TRY(qm_code_parse(options->code, strlen(options->code), &code, e));
  qm_wipe(&code, sizeof code);
  return none(e);
}

void qm_client_enrolment_free(qm_client_enrolment *r) { (void)r; }

/* Nobody stays connected, so nobody is to be woken. */
void qm_client_poke(qm_client_wake *w) { (void)w; }
