/* The device's key in a key store of the app's; here a plain array stands for it. A store that
 * only signs gives key_point and key_sign instead. */
#include "example.h"

typedef struct vault {
  uint8_t key[512];
  size_t n;
} vault;

static int32_t load(void *payload, uint8_t *to, size_t *n) {
  vault *v = (vault *)payload;
  if (!v->n) return QM_ENOTFOUND;
  if (*n < v->n) return QM_ELIMIT;
  memcpy(to, v->key, v->n);
  *n = v->n;
  return QM_OK;
}

static int32_t save(void *payload, const uint8_t *key, size_t n) {
  vault *v = (vault *)payload;
  if (n > sizeof v->key) return QM_ELIMIT;
  memcpy(v->key, key, n);
  v->n = n;
  return QM_OK;
}

int main(void) {
  vault v = {{0}, 0};
  qm_options options;
  qm_db *db = NULL;
  qm_options_fill(&options, sizeof options);
  options.path = "keys.db";
  options.flags = QM_OPEN_CREATE;
  options.payload = &v;
  options.key_load = load;
  options.key_save = save;
  must(qm_open(&options, &db, &e));
  qm_close(db);
  options.key_load = NULL;
  options.key_save = NULL;
  if (qm_open(&options, &db, &e) != QM_EACCESS) return 1; /* not without its key */
  printf("%s\n", qm_error_text(QM_EACCESS, "zh-CN"));
  return 0;
}
