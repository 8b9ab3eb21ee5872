/* qianmod init. */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/hash.h"

#define HUB_DAYS 3650u

static int write_pem(hub_dir *d, const char *name, qm_slice der, qm_error *e) {
  qm_buf pem;
  qm_buf_init(&pem, &d->env, QM_PEM_SIZE_MAX);
  int rc = qm_cert_to_pem(der, &pem);
  if (rc == QM_OK) rc = hub_write(d, name, qm_buf_slice(&pem), e);
  qm_buf_free(&pem);
  return rc;
}

static int write_key(hub_dir *d, const char *name, const qm_key *key, qm_error *e) {
  qm_buf pem;
  qm_buf_init(&pem, &d->env, QM_PEM_SIZE_MAX);
  int rc = qm_key_to_pem(key, &pem);
  if (rc == QM_OK) rc = hub_write(d, name, qm_buf_slice(&pem), e);
  if (pem.p) qm_wipe(pem.p, pem.n);
  qm_buf_free(&pem);
  return rc;
}

static int make_keys(hub_dir *d, const char *name, qm_error *e) {
  uint64_t now = hub_now();
  int rc = qm_ca_create(&d->env, qm_slice_of(name, strlen(name)), now, &d->ca);
  if (rc == QM_OK) rc = qm_key_generate(&d->env, &d->key);
  if (rc == QM_OK)
    rc = qm_ca_issue_hub(d->ca, qm_key_spki(d->key), NULL, 0, HUB_DAYS, now, &d->cert);
  if (rc != QM_OK) return qm_fail(e, rc, "certificates: %s", qm_err_text(rc));
  QM_TRY(write_pem(d, "ca.pem", qm_ca_cert(d->ca), e));
  QM_TRY(write_key(d, "ca.key", qm_ca_key(d->ca), e));
  QM_TRY(write_pem(d, "hub.pem", qm_buf_slice(&d->cert), e));
  return write_key(d, "hub.key", d->key, e);
}

static int make_databases(hub_dir *d, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint8_t instance[16];
  hub_stores stores;
  QM_TRY(qm_crypto_random(NULL, instance, sizeof instance));
  QM_TRY(hub_write(d, "instance", qm_slice_of(instance, sizeof instance), e));
  hub_file(d, "hub.db", path);
  QM_TRY(qm_hubdb_open(&d->env, path, QM_HUBDB_CREATE, &d->db, e));
  if (d->is_replay) QM_TRY(qm_hubdb_note_put(d->db, NULL, "replay", qm_slice_of("1", 1)));
  QM_TRY(hub_store_make(d, 0, e));
  QM_TRY(hub_stores_grow_to(d, d->config.shards, e));
  QM_TRY(hub_stores_open(d, 0, &stores, e)); /* notes authors and instances */
  hub_stores_close(&stores);
  return QM_OK;
}

static int make(hub_dir *d, const hub_args *a, qm_error *e) {
  char text[4096];
  const char *name = a->name ? a->name : "qianmo hub";
  size_t n = strlen(name);
  if (n == 0 || n >= sizeof d->config.name || strpbrk(name, "\r\n"))
    return qm_fail(e, QM_EUSAGE, "--name: 1 to 64 bytes on one line");
  memcpy(d->config.name, name, n + 1);
  if (a->listen && qm_address_parse(a->listen, strlen(a->listen), d->config.host,
                                    &d->config.port) != QM_OK)
    return qm_fail(e, QM_EUSAGE, "--listen: HOST:PORT");
  int64_t shards = a->replay ? 1 : QM_HUB_SHARDS_DEFAULT; /* a replay reads one store back */
  if (a->shards && qm_cli_number(a->shards, 1, QM_HUB_SHARDS_MAX, &shards) != 0)
    return qm_fail(e, QM_EUSAGE, "--shards: 1 to %u", (unsigned)QM_HUB_SHARDS_MAX);
  if (a->replay && shards != 1) return qm_fail(e, QM_EUSAGE, "--replay has one store");
  d->config.shards = (uint32_t)shards;
  d->is_replay = a->replay;
  QM_TRY(hub_make_dir(d->path, e));
  QM_TRY(make_keys(d, name, e));
  QM_TRY(make_databases(d, e));
  int len = qm_hub_config_print(&d->config, text, sizeof text);
  if (len < 0 || (size_t)len >= sizeof text) return qm_fail(e, QM_EINTERNAL, "settings");
  /* Last: a directory without it is no hub's. */
  QM_TRY(hub_write(d, "qianmod.conf", qm_slice_of(text, (size_t)len), e));
  return hub_sync_dir(d->path);
}

int hub_verb_init(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  const char *path = a->positional[0];
  hub_dir_init(&d, path);
  int rc = strlen(path) < QM_DIR_PATH_MAX ? make(&d, a, &e)
                                          : qm_fail(&e, QM_EUSAGE, "the path is too long");
  hub_close(&d);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (a->json) {
    qm_line l = QM_LINE_INIT;
    qm_line_add(&l, "{\"directory\":");
    qm_line_json(&l, qm_slice_of(path, strlen(path)));
    qm_line_add(&l, "}\n");
    fputs(qm_line_text(&l), stdout);
    qm_line_free(&l);
  } else {
    hub_print(a, QM_HUB_INIT_DONE, path);
  }
  return QM_EXIT_DONE;
}
