/* Why a value was refused, for the field in a form; and a captured place on a map. */
#include "example.h"

static const char checked_schema[] =
    "{\"schema\":\"checked\",\"version\":1,\"collections\":[{\"name\":\"shop\",\"number\":1,"
    "\"purpose\":\"trying out\",\"retention\":\"P1D\",\"fields\":[{\"name\":\"phone\","
    "\"number\":16,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\","
    "\"length_max\":11}]}]}";

int main(void) {
  qm_db *db = example_open("why.db");
  qm_explanation why = QM_EXPLANATION_INIT;
  qm_tx *tx;
  qm_text id;
  must(qm_space_create(db, qm_str("shops"), qm_str(checked_schema), qm_str(""), &e));
  must(qm_begin(db, qm_str("shops"), &tx, &e));
  must(qm_new(tx, qm_str("shop"), qm_str(""), &id, NULL, &e));
  int32_t rc = qm_set(tx, qm_str("shop"), qm_str(id.p), qm_str("phone"), qm_str("100000000123"), 0,
                      &e);
  if (rc != QM_ESCHEMA || qm_explain(&e, &why) != QM_OK) return 1;
  printf("%.*s: %s, %s / %s\n", (int)why.field.n, (const char *)why.field.p, why.reason, why.en,
         why.zh);
  qm_cancel(tx);
  qm_text_free(&id);
  qm_close(db);

  double latitude = 31.2, longitude = 121.4;
  must(qm_point_shown(&latitude, &longitude, QM_WGS84, QM_GCJ02));
  printf("%.5f %.5f\n", latitude, longitude);
  return 0;
}
