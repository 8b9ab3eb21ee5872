/* qianmod backup, restore, check. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapters/cli/qianmod.h"
#include "adapters/sqlite/sqlite_backup.h"
#include "core/hash.h"
#include "sync/crypto.h"

static const char *const plain_files[] = {"ca.pem", "ca.key", "hub.pem", "hub.key",
                                          "qianmod.conf"};

/* One line of `check`: a space that is in order, with its digest. */
static void print_space(const hub_args *a, const qm_space *sp) {
  char id[QM_ID_TEXT_SIZE], digest[33];
  uint8_t bytes[16];
  qm_space_info info;
  qm_digest d;
  qm_line l = QM_LINE_INIT;
  qm_space_info_get(sp, &info);
  qm_space_digest(sp, &d);
  qm_digest_bytes(&d, bytes);
  qm_hex(digest, bytes, sizeof bytes);
  qm_base32(id, info.id.b, QM_ID_SIZE);
  if (a->json) {
    qm_line_add(&l, "{\"space\":");
    qm_line_json(&l, info.name);
    qm_line_format(&l, ",\"id\":\"%s\",\"digest\":\"%s\"}\n", id, digest);
  } else {
    qm_line_format(&l, "%s  ", digest);
    qm_line_clean(&l, info.name, " ");
    qm_line_add(&l, "\n");
  }
  fputs(qm_line_text(&l), stdout);
  qm_line_free(&l);
}

/* Every space against its digest; *n: more of them. *at: the space at fault. a: NULL prints
 * nothing. */
static int check_engine(const hub_args *a, qm_engine *engine, uint32_t *n, char at[9],
                        qm_error *e) {
  at[0] = '\0';
  for (uint32_t i = 0; i < qm_engine_space_count(engine); i++) {
    qm_space *sp = qm_engine_space_at(engine, i);
    qm_space_info info;
    int rc = qm_engine_check(engine, sp, e);
    if (rc == QM_OK && a) print_space(a, sp);
    if (rc == QM_OK) ++*n;
    if (rc == QM_OK) continue;
    qm_space_info_get(sp, &info);
    memcpy(at, qm_short(&info.id).text, 9);
    return rc;
  }
  return QM_OK;
}

static int copy_plain(const hub_dir *from, const hub_dir *to, const char *name, qm_error *e) {
  qm_buf b;
  qm_buf_init(&b, &from->env, QM_CONFIG_SIZE_MAX);
  int rc = hub_read(from, name, &b, e);
  if (rc == QM_OK) rc = hub_write(to, name, qm_buf_slice(&b), e);
  if (b.p) qm_wipe(b.p, b.n);
  qm_buf_free(&b);
  return rc;
}

static int copy_hub_db(const hub_dir *from, const hub_dir *to, qm_error *e) {
  char a[QM_FILE_PATH_MAX], b[QM_FILE_PATH_MAX];
  hub_file(from, "hub.db", a);
  hub_file(to, "hub.db", b);
  return qm_sqlite_backup(a, b, e);
}

static int copy_store(const hub_dir *from, const hub_dir *to, uint32_t shard, qm_error *e) {
  char a[QM_FILE_PATH_MAX], b[QM_FILE_PATH_MAX];
  hub_store_file(from, shard, a);
  hub_store_file(to, shard, b);
  int rc = qm_sqlite_backup(a, b, e);
  return rc == QM_OK ? QM_OK : hub_store_fail(a, rc, e);
}

/* What a verified copy holds is safe (design: acknowledged and safe). */
typedef struct safe_space {
  qm_id space;
  qm_vv_list vv;
} safe_space;
typedef struct safe_list {
  qm_arena arena;
  safe_space *p;
  uint32_t n, cap;
} safe_list;

static void safe_init(safe_list *l, const qm_env *env) {
  *l = (safe_list){.n = 0};
  qm_arena_init(&l->arena, env, (size_t)1 << 30);
}

static int safe_add(safe_list *l, qm_engine *engine) {
  for (uint32_t i = 0; i < qm_engine_space_count(engine); i++) {
    qm_space *sp = qm_engine_space_at(engine, i);
    qm_space_info info;
    if (l->n == l->cap) {
      uint32_t cap = l->cap ? l->cap * 2 : 64;
      l->p = qm_arena_grow(&l->arena, l->p, l->n, cap, sizeof *l->p);
      if (!l->p) return QM_ENOMEM;
      l->cap = cap;
    }
    qm_space_info_get(sp, &info);
    l->p[l->n].space = info.id;
    QM_TRY(qm_engine_heads(engine, sp, &l->arena, &l->p[l->n].vv));
    l->n++;
  }
  return QM_OK;
}

static int safe_note(const safe_list *l, qm_hubdb *db) {
  QM_TRY(qm_hubdb_begin(db));
  int rc = QM_OK;
  for (uint32_t i = 0; i < l->n && rc == QM_OK; i++)
    rc = hub_note_vv_put(db, &l->p[i].space, "safe", l->p[i].vv);
  if (rc == QM_OK) return qm_hubdb_commit(db);
  qm_hubdb_rollback(db);
  return rc;
}

/* A read-only connection leaves an empty WAL and its shared memory behind. */
static void tidy(const char *path) {
  char whole[QM_FILE_PATH_MAX + 8];
  snprintf(whole, sizeof whole, "%s-wal", path);
  unlink(whole);
  snprintf(whole, sizeof whole, "%s-shm", path);
  unlink(whole);
}

/* Opens the copy at `path` and checks it; what it holds goes into the list, where there is one. */
static int verify_copy(const hub_args *a, hub_dir *d, uint32_t shard, const char *path,
                       safe_list *list, uint32_t *n, char at[9], qm_error *e) {
  hub_engine h;
  QM_TRY(hub_engine_open(d, shard, path, &h, e));
  int rc = check_engine(a, h.engine, n, at, e);
  if (rc == QM_OK && list) rc = safe_add(list, h.engine);
  hub_engine_close(&h);
  return rc;
}

static void print_done(const hub_args *a, qm_hub_text text, const char *path, uint32_t n) {
  if (!a->json) {
    hub_print(a, text, path, (unsigned)n);
    return;
  }
  qm_line l = QM_LINE_INIT;
  qm_line_add(&l, "{\"directory\":");
  qm_line_json(&l, qm_slice_of(path, strlen(path)));
  qm_line_format(&l, ",\"spaces\":%u,\"ok\":true}\n", (unsigned)n);
  fputs(qm_line_text(&l), stdout);
  qm_line_free(&l);
}

static int failed(const hub_args *a, int rc, const char *at, const qm_error *e) {
  if (!at[0]) return hub_error(a, rc, e);
  return hub_refuse(a, rc, QM_HUB_CHECK_SPACE, at,
                    e->message[0] ? e->message : qm_say_error(a->cli.lang, rc));
}

/* --- backup --- */

/* The copy's own hub.db says what is safe with it. */
static int note_in_copy(hub_dir *to, const safe_list *list, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  qm_hubdb *db;
  hub_file(to, "hub.db", path);
  QM_TRY(qm_hubdb_open(&to->env, path, 0, &db, e));
  int rc = safe_note(list, db);
  qm_hubdb_close(db);
  tidy(path);
  return rc;
}

/* Each store is of one moment of its own: no change is of two spaces. hub.db goes after them: it
 * then has every device and space that they know. The settings go last of all: without them a
 * directory is neither hub nor backup. Only then is what it holds safe, and devices are told. */
static int copy_all(hub_dir *d, hub_dir *to, safe_list *list, uint32_t *n, char at[9],
                    qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint32_t stores, after;
  QM_TRY(hub_make_dir(to->path, e));
  QM_TRY(hub_stores_count(d, &stores, e));
  for (uint32_t i = 0; i < stores; i++) {
    QM_TRY(copy_store(d, to, i, e));
    hub_store_file(to, i, path);
    int rc = verify_copy(NULL, d, i, path, list, n, at, e);
    tidy(path);
    QM_TRY(rc);
  }
  QM_TRY(copy_hub_db(d, to, e));
  QM_TRY(hub_stores_count(d, &after, e));
  if (after != stores) return qm_fail(e, QM_EBUSY, "the hub got more stores meanwhile; try again");
  QM_TRY(note_in_copy(to, list, e));
  for (size_t i = 0; i < sizeof plain_files / sizeof *plain_files; i++)
    QM_TRY(copy_plain(d, to, plain_files[i], e));
  return hub_sync_dir(to->path);
}

static int backup(hub_dir *d, hub_dir *to, uint32_t *n, char at[9], qm_error *e) {
  safe_list list;
  safe_init(&list, &d->env);
  int rc = copy_all(d, to, &list, n, at, e);
  if (rc == QM_OK) rc = safe_note(&list, d->db);
  qm_arena_free(&list.arena);
  return rc;
}

int hub_verb_backup(const hub_args *a) {
  hub_dir d, to;
  qm_error e = {0, ""};
  uint32_t n = 0;
  char at[9] = "";
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "TO");
  int rc = hub_open(&d, a->positional[0], QM_DIR_KEYS, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  hub_dir_init(&to, a->positional[1]);
  rc = backup(&d, &to, &n, at, &e);
  hub_close(&to);
  hub_close(&d);
  if (rc != QM_OK) return failed(a, rc, at, &e);
  print_done(a, QM_HUB_BACKUP_DONE, a->positional[1], n);
  return QM_EXIT_DONE;
}

/* --- restore --- */

/* Opening the engine once makes a new epoch of it. */
static int open_restored(hub_dir *d, uint32_t shard, safe_list *list, uint32_t *n, char at[9],
                         qm_error *e) {
  hub_engine h;
  QM_TRY(hub_engine_open(d, shard, NULL, &h, e));
  int rc = check_engine(NULL, h.engine, n, at, e);
  if (rc == QM_OK) rc = safe_add(list, h.engine);
  hub_engine_close(&h);
  return rc;
}

/* The stores that hub.db counts, which is raised first where it is of an older version. */
static int restore_stores(hub_dir *from, hub_dir *to, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint32_t stores;
  hub_file(to, "hub.db", path);
  QM_TRY(qm_hubdb_open(&to->env, path, 0, &to->db, e));
  QM_TRY(hub_stores_count(to, &stores, e));
  for (uint32_t i = 0; i < stores; i++) QM_TRY(copy_store(from, to, i, e));
  qm_hubdb_close(to->db);
  to->db = NULL;
  return QM_OK;
}

/* A new instance file, and so a new epoch: what the lost directory wrote after the backup
 * is another author's. */
static int restore(hub_dir *from, hub_dir *to, uint32_t *n, char at[9], qm_error *e) {
  uint8_t instance[16];
  uint32_t stores;
  safe_list list;
  hub_dir again;
  QM_TRY(hub_make_dir(to->path, e));
  QM_TRY(copy_hub_db(from, to, e));
  QM_TRY(restore_stores(from, to, e));
  QM_TRY(qm_crypto_random(NULL, instance, sizeof instance));
  QM_TRY(hub_write(to, "instance", qm_slice_of(instance, sizeof instance), e));
  for (size_t i = 0; i < sizeof plain_files / sizeof *plain_files; i++)
    QM_TRY(copy_plain(from, to, plain_files[i], e));
  QM_TRY(hub_sync_dir(to->path));
  QM_TRY(hub_open(&again, to->path, QM_DIR_KEYS | QM_DIR_LOCK | QM_DIR_CHECK, e));
  safe_init(&list, &again.env);
  int rc = hub_stores_count(&again, &stores, e);
  for (uint32_t i = 0; rc == QM_OK && i < stores; i++)
    rc = open_restored(&again, i, &list, n, at, e);
  if (rc == QM_OK) rc = safe_note(&list, again.db);
  qm_arena_free(&list.arena);
  hub_close(&again);
  return rc;
}

int hub_verb_restore(const hub_args *a) {
  hub_dir from, to;
  qm_error e = {0, ""};
  uint32_t n = 0;
  char at[9] = "";
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "FROM");
  int rc = hub_open(&from, a->positional[1], QM_DIR_NO_DB, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  hub_dir_init(&to, a->positional[0]);
  rc = restore(&from, &to, &n, at, &e);
  hub_close(&to);
  hub_close(&from);
  if (rc != QM_OK) return failed(a, rc, at, &e);
  print_done(a, QM_HUB_RESTORE_DONE, a->positional[0], n);
  return QM_EXIT_DONE;
}

/* --- check --- */

/* Beside a running hub a copy is checked: the hub goes on writing what an engine here would
 * have read in part. */
static int check_copy(const hub_args *a, hub_dir *d, uint32_t shard, uint32_t *n, char at[9],
                      qm_error *e) {
  char from[QM_FILE_PATH_MAX], to[QM_FILE_PATH_MAX];
  hub_store_file(d, shard, from);
  hub_file(d, "check.tmp", to);
  unlink(to);
  int copied = qm_sqlite_backup(from, to, e);
  if (copied != QM_OK) return hub_store_fail(from, copied, e);
  int rc = verify_copy(a, d, shard, to, NULL, n, at, e);
  tidy(to);
  unlink(to);
  return rc;
}

static int check_stores(const hub_args *a, hub_dir *d, uint32_t *n, char at[9], qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  uint32_t stores;
  int is_running = hub_is_running(d);
  QM_TRY(hub_stores_count(d, &stores, e));
  for (uint32_t i = 0; i < stores; i++) {
    hub_store_file(d, i, path);
    QM_TRY(is_running ? check_copy(a, d, i, n, at, e)
                      : verify_copy(a, d, i, path, NULL, n, at, e));
  }
  return QM_OK;
}

int hub_verb_check(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  uint32_t n = 0;
  char at[9] = "";
  int rc = hub_open(&d, a->positional[0], QM_DIR_KEYS | QM_DIR_READONLY | QM_DIR_CHECK, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  rc = check_stores(a, &d, &n, at, &e);
  hub_close(&d);
  if (rc != QM_OK) return failed(a, rc, at, &e);
  if (a->json) printf("{\"spaces\":%u,\"ok\":true}\n", (unsigned)n);
  else hub_print(a, QM_HUB_CHECK_DONE, (unsigned)n);
  return QM_EXIT_DONE;
}
