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

/* --- stores that are gone --- */

typedef struct waiting {
  const hub_args *a;
  hub_dir *d;
  uint32_t shard, n;
} waiting;

/* A space of a missing store that no device was admitted for. */
static int tell_waiting(void *payload, const qm_hub_space *row) {
  waiting *w = payload;
  if (row->shard != w->shard || hub_note_is(w->d, &row->id, NOTE)) return QM_OK;
  w->n++;
  if (!w->a->json) {
    hub_print(w->a, QM_HUB_RECOVER_WAITS, row->name);
    return QM_OK;
  }
  qm_line l = QM_LINE_INIT;
  qm_line_add(&l, "{\"space\":");
  qm_line_json(&l, qm_slice_of(row->name, strlen(row->name)));
  qm_line_add(&l, ",\"waits\":true}\n");
  fputs(qm_line_text(&l), stdout);
  qm_line_free(&l);
  return QM_OK;
}

/* A store is made anew once a device gives back each of its spaces: one that was served empty
 * would look as if nothing had been lost. */
static int make_stores(const hub_args *a, hub_dir *d, qm_error *e) {
  uint32_t n;
  QM_TRY(hub_stores_count(d, &n, e));
  for (uint32_t i = 0; i < n; i++) {
    waiting w = {a, d, i, 0};
    if (!hub_store_is_missing(d, i)) continue;
    if (hub_is_running(d))
      return qm_fail(e, QM_EBUSY, "the hub in %s is running; stop it first", d->path);
    int rc = qm_hubdb_space_list(d->db, tell_waiting, &w);
    if (rc != QM_OK) return qm_fail(e, rc, "hub.db: %s", qm_err_text(rc));
    if (!w.n) QM_TRY(hub_store_make(d, i, e));
  }
  return QM_OK;
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
    rc = put_notes(&d, spaces, a->n_spaces, &row.id);
    if (rc == QM_OK) tell(a, &row.id);
    if (rc == QM_OK) rc = make_stores(a, &d, &e);
    else exit_code = hub_error(a, rc, &e);
  }
  hub_close(&d);
  return exit_code;
}
