/* qianmod recover: lets a hub that lost its records take them from one device. The word
 * stands as a note of each space until the device's state has been joined there. */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"

#define NOTE HUB_NOTE_RECOVER

static int noted(qm_hubdb *db, const qm_env *env, const qm_id *space, const qm_id *device) {
  qm_buf b;
  qm_buf_init(&b, env, 64);
  int rc = qm_hubdb_note_get(db, space, NOTE, &b);
  if (rc == QM_OK && (b.n != QM_ID_SIZE || memcmp(b.p, device->b, QM_ID_SIZE) != 0))
    rc = QM_ENOTFOUND;
  qm_buf_free(&b);
  return rc;
}

int hub_recover_ask(qm_hubdb *db, const qm_env *env, const qm_id *space, const qm_id *device) {
  int rc = noted(db, env, space, device);
  return rc == QM_ENOTFOUND ? QM_EACCESS : rc;
}

int hub_recover_done(qm_hubdb *db, const qm_id *space) {
  return qm_hubdb_note_put(db, space, NOTE, qm_slice_of(NULL, 0));
}

typedef struct search {
  qm_hubdb *db;
  const qm_env *env;
  const qm_id *device;
  int found;
} search;

static int look(void *payload, const qm_hub_space *row) {
  search *s = payload;
  s->found |= noted(s->db, s->env, &row->id, s->device) == QM_OK;
  return QM_OK;
}

int hub_recover_any(qm_hubdb *db, const qm_env *env, const qm_id *device) {
  search s = {db, env, device, 0};
  return qm_hubdb_space_list(db, look, &s) == QM_OK && s.found;
}

static int put_notes(hub_dir *d, const qm_id *spaces, uint32_t n, const qm_id *device) {
  QM_TRY(qm_hubdb_begin(d->db));
  int rc = QM_OK;
  for (uint32_t i = 0; i < n && rc == QM_OK; i++)
    rc = qm_hubdb_note_put(d->db, &spaces[i], NOTE, qm_slice_of(device->b, QM_ID_SIZE));
  if (rc == QM_OK) return qm_hubdb_commit(d->db);
  qm_hubdb_rollback(d->db);
  return rc;
}

static void tell(const hub_args *a, const qm_id *device) {
  char id[QM_ID_TEXT_SIZE];
  qm_base32(id, device->b, QM_ID_SIZE);
  for (uint32_t i = 0; i < a->n_spaces; i++) {
    if (!a->json) {
      hub_print(a, QM_HUB_RECOVERING, a->spaces[i], id);
      continue;
    }
    qm_line l = QM_LINE_INIT;
    qm_line_format(&l, "{\"device\":\"%s\",\"space\":", id);
    qm_line_json(&l, qm_slice_of(a->spaces[i], strlen(a->spaces[i])));
    qm_line_format(&l, "}\n");
    fputs(qm_line_text(&l), stdout);
    qm_line_free(&l);
  }
}

int hub_verb_recover(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  qm_hub_device row;
  qm_id spaces[QM_ARGS_MAX];
  int exit_code = QM_EXIT_DONE;
  if (a->from) return hub_recover_from(a);
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DEVICE");
  if (!a->n_spaces) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--space");
  int rc = hub_open(&d, a->positional[0], 0, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (hub_find_device(a, &d, a->positional[1], &row, &exit_code) == QM_OK &&
      hub_find_spaces(a, &d, spaces, &exit_code) == QM_OK) {
    rc = hub_stores_make(&d, &e); /* one may be gone, and none is served that is not there */
    if (rc == QM_OK) rc = put_notes(&d, spaces, a->n_spaces, &row.id);
    if (rc == QM_OK) tell(a, &row.id);
    else exit_code = hub_error(a, rc, &e);
  }
  hub_close(&d);
  return exit_code;
}
