/* qianmod recover --from: a hub of which only the keys are left begins again with what a
 * device could tell of it (SPEC S10.9): spaces, secrets, schemas, and whose devices there are.
 * The records come with that device's next sync, as after `recover DIR DEVICE`. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/cli/qianmod.h"
#include "adapters/sqlite/store_sqlite.h"
#include "core/hash.h"
#include "sync/recovery.h"

typedef struct recovering {
  hub_dir d;
  qm_buf file;
  qm_arena arena;
  qm_recovery r;
  qm_cert cert; /* of the device that wrote it */
  uint32_t n_devices;
  hub_place *found; /* the spaces of stores that were not lost */
  uint32_t n_found, cap_found, reading; /* reading: the store at hand */
} recovering;

/* --- what must be there --- */

static const char *lacking(const hub_dir *d) {
  static const char *const names[] = {"ca.pem", "ca.key", "hub.pem", "hub.key", "qianmod.conf"};
  char path[QM_FILE_PATH_MAX];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    hub_file(d, names[i], path);
    if (access(path, R_OK) != 0) return names[i];
  }
  return NULL;
}

static int is_any(void *payload, const qm_hub_space *row) {
  (void)row;
  *(int *)payload = 1;
  return QM_OK;
}

/* S12.5: it is another installation from here on. */
static int make_instance(hub_dir *d, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint8_t instance[16];
  hub_file(d, "instance", path);
  if (access(path, F_OK) == 0 && unlink(path) != 0)
    return qm_fail(e, QM_EIO, "instance: not replaced");
  QM_TRY(qm_crypto_random(NULL, instance, sizeof instance));
  return hub_write(d, "instance", qm_slice_of(instance, sizeof instance), e);
}

/* --- stores that are there --- */

static int take_found(void *payload, const qm_space_row *row) {
  recovering *x = payload;
  if (x->n_found == x->cap_found) {
    uint32_t cap = x->cap_found ? x->cap_found * 2 : 16;
    x->found = qm_arena_grow(&x->arena, x->found, x->n_found, cap, sizeof *x->found);
    if (!x->found) return QM_ENOMEM;
    x->cap_found = cap;
  }
  x->found[x->n_found++] = (hub_place){row->id, x->reading};
  return QM_OK;
}

/* Where hub.db alone was lost, spaces stay in the store that has them. */
static int find_spaces(recovering *x, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint32_t n;
  QM_TRY(hub_stores_count_files(&x->d, e));
  QM_TRY(hub_stores_count(&x->d, &n, e));
  for (x->reading = 0; x->reading < n; x->reading++) {
    qm_store *store;
    if (hub_store_is_missing(&x->d, x->reading)) continue; /* it is made, empty */
    hub_store_file(&x->d, x->reading, path);
    int rc = qm_store_sqlite_open(&x->d.env, path, 0, &store, e); /* raises an older one */
    if (rc != QM_OK) return hub_store_fail(path, rc, e);
    rc = store->ops->space_list(store, take_found, x);
    store->ops->close(store);
    if (rc != QM_OK) return hub_store_fail(path, rc, e);
  }
  return QM_OK;
}

static int place(recovering *x, const qm_id *space, uint32_t *out, qm_error *e) {
  for (uint32_t i = 0; i < x->n_found; i++)
    if (qm_id_cmp(&x->found[i].space, space) == 0) {
      *out = x->found[i].shard;
      return QM_OK;
    }
  return hub_stores_place(&x->d, out, e);
}

/* --- rows --- */

static int text_of(qm_slice from, char to[QM_HUB_TEXT_MAX + 1]) {
  if (from.n > QM_HUB_TEXT_MAX || memchr(from.p, 0, from.n)) return QM_EFORMAT;
  memcpy(to, from.p, from.n);
  to[from.n] = '\0';
  return QM_OK;
}

static int add_space(recovering *x, const qm_recovery_space *s, qm_error *e) {
  qm_hubdb *db = x->d.db;
  const qm_schema *schema;
  qm_hub_space row;
  memset(&row, 0, sizeof row);
  row.id = s->id;
  QM_TRY(place(x, &s->id, &row.shard, e));
  QM_TRY(text_of(s->name, row.name));
  QM_TRY(qm_schema_load(&schema, s->schema, &x->arena, e));
  QM_TRY(qm_hubdb_space_add(db, &row));
  QM_TRY(qm_hubdb_note_put(db, &s->id, "secret", qm_slice_of(s->secret, sizeof s->secret)));
  if (qm_schema_sensitive(schema))
    QM_TRY(qm_hubdb_note_put(db, &s->id, "test-data", qm_slice_of("1", 1)));
  QM_TRY(qm_hubdb_schema_put(db, &s->id, schema->version, s->schema));
  return qm_hubdb_note_put(db, &s->id, HUB_NOTE_RECOVER, qm_slice_of(x->cert.device.b, QM_ID_SIZE));
}

static int has_member(const qm_recovery_space *s, const qm_id *device) {
  for (uint32_t i = 0; i < s->n_members; i++)
    if (qm_id_cmp(&s->members[i].device, device) == 0) return 1;
  return 0;
}

/* Its key is learnt when it comes: its id is the hash of it. The one that wrote the file has
 * shown its own. */
static int add_device(recovering *x, const qm_id *device, qm_slice name, qm_slice role) {
  qm_hub_device row;
  uint32_t n = 0;
  int rc = qm_hubdb_device_get(x->d.db, device, &row);
  if (rc != QM_ENOTFOUND) return rc; /* of another space already */
  qm_id *spaces = qm_arena_array(&x->arena, x->r.n_spaces, sizeof *spaces);
  if (!spaces) return QM_ENOMEM;
  memset(&row, 0, sizeof row);
  row.id = *device;
  QM_TRY(text_of(name, row.member));
  QM_TRY(text_of(role, row.role));
  row.enrolled_ms = hub_now();
  if (qm_id_cmp(device, &x->cert.device) == 0) {
    memcpy(row.spki, x->cert.spki, sizeof x->cert.spki);
    row.spki_len = sizeof x->cert.spki;
    row.not_after_ms = x->cert.not_after_ms;
  }
  for (uint32_t i = 0; i < x->r.n_spaces; i++)
    if (has_member(&x->r.spaces[i], device)) spaces[n++] = x->r.spaces[i].id;
  QM_TRY(qm_hubdb_device_put(x->d.db, &row));
  x->n_devices++;
  return qm_hubdb_device_spaces_put(x->d.db, device, spaces, n);
}

static int add_all(recovering *x, qm_error *e) {
  for (uint32_t i = 0; i < x->r.n_spaces; i++) QM_TRY(add_space(x, &x->r.spaces[i], e));
  for (uint32_t i = 0; i < x->r.n_spaces; i++) {
    const qm_recovery_space *s = &x->r.spaces[i];
    for (uint32_t k = 0; k < s->n_members; k++)
      QM_TRY(add_device(x, &s->members[k].device, s->members[k].name, s->members[k].role));
  }
  return QM_OK;
}

static int fill(recovering *x, qm_error *e) {
  QM_TRY(qm_hubdb_begin(x->d.db));
  int rc = add_all(x, e);
  if (rc == QM_OK) return qm_hubdb_commit(x->d.db);
  qm_hubdb_rollback(x->d.db);
  return rc;
}

/* --- the verb --- */

/* 0, or the exit code of what was said. */
static int open_all(const hub_args *a, recovering *x) {
  qm_error e = {0, ""};
  int known = 0;
  hub_dir_init(&x->d, a->positional[0]);
  const char *name = lacking(&x->d);
  if (name) return hub_refuse(a, QM_ENOTFOUND, QM_HUB_RECOVER_NEEDS, name);
  int rc = hub_read_path(a->from, &x->file, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  rc = hub_open(&x->d, a->positional[0], QM_DIR_KEYS | QM_DIR_LOCK | QM_DIR_CREATE, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  rc = qm_recovery_get(&x->r, qm_buf_slice(&x->file), &x->arena);
  if (rc == QM_OK) rc = qm_cert_read(x->r.cert, &x->cert);
  if (rc != QM_OK)
    return hub_refuse(a, rc, QM_HUB_RECOVER_FILE, a->from, qm_say_error(a->cli.lang, rc));
  if (qm_slice_cmp(x->r.ca, qm_ca_cert(x->d.ca)) != 0)
    return hub_refuse(a, QM_ECERT, QM_HUB_RECOVER_FOREIGN, a->from);
  rc = qm_hubdb_space_list(x->d.db, is_any, &known);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  return known ? hub_refuse(a, QM_EEXIST, QM_HUB_RECOVER_KNOWS) : QM_EXIT_DONE;
}

static void tell(const hub_args *a, const recovering *x) {
  char id[QM_ID_TEXT_SIZE];
  qm_base32(id, x->cert.device.b, QM_ID_SIZE);
  if (!a->json) {
    hub_print(a, QM_HUB_RECOVER_DONE, (unsigned)x->r.n_spaces, (unsigned)x->n_devices, a->from, id,
              a->from);
    return;
  }
  printf("{\"spaces\":%u,\"devices\":%u,\"device\":\"%s\"}\n", (unsigned)x->r.n_spaces,
         (unsigned)x->n_devices, id);
}

int hub_recover_from(const hub_args *a) {
  recovering x;
  qm_error e = {0, ""};
  if (a->n_positional > 1 || a->n_spaces)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_TOO_MANY,
                      a->n_positional > 1 ? a->positional[1] : "--space");
  memset(&x, 0, sizeof x);
  qm_env env = qm_env_default();
  qm_buf_init(&x.file, &env, QM_RECOVERY_MAX);
  qm_arena_init(&x.arena, &env, QM_RECOVERY_MAX);
  int exit_code = open_all(a, &x);
  if (exit_code == QM_EXIT_DONE) {
    int rc = find_spaces(&x, &e);
    if (rc == QM_OK) rc = make_instance(&x.d, &e);
    if (rc == QM_OK) rc = hub_stores_make_missing(&x.d, &e);
    if (rc == QM_OK) rc = fill(&x, &e); /* last: until then it can be done again */
    if (rc == QM_OK) tell(a, &x);
    else exit_code = hub_error(a, rc, &e);
  }
  hub_close(&x.d);
  qm_arena_free(&x.arena);
  if (x.file.p) qm_wipe(x.file.p, x.file.n);
  qm_buf_free(&x.file);
  return exit_code;
}
