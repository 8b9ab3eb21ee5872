/* handle_env.c: the world as the shell gives it to the engine: memory, clock, randomness,
 * the instance id, the device's signature. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "adapters/handle/handle.h"

#define PATH_SIZE 4096u
#define INSTANCE_SIZE 16u

void qm_options_fill(qm_options *o, size_t size) {
  qm_options fresh = QM_OPTIONS_INIT;
  if (!o) return;
  if (size > sizeof fresh) size = sizeof fresh;
  fresh.size = (uint32_t)size;
  memcpy(o, &fresh, size);
}

void *qm__handle_realloc(const qm_options *o, void *p, size_t n) {
  if (o->allocate) return p || n ? o->allocate(o->payload, p, n) : NULL;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

/* Hooks that only make sense together. */
static int check_hooks(const qm_options *o) {
  if (!o->key_load != !o->key_save || !o->key_point != !o->key_sign) return QM_EINVAL;
  return o->key_load && o->key_point ? QM_EINVAL : QM_OK;
}

/* Members are only ever appended, so an older caller's struct is the beginning of ours. */
int qm__handle_options_copy(const qm_options *from, qm_options *to, qm_error *e) {
  qm_options_init(to);
  if (from->size < offsetof(qm_options, timeout_ms) || from->size > 4096)
    return qm_fail(e, QM_EINVAL, "open: options.size is not set; use qm_options_init");
  memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
  to->path = NULL;
  to->size = (uint32_t)sizeof *to;
  if (!from->path || !from->path[0] || strlen(from->path) >= PATH_SIZE - 16)
    return qm_fail(e, QM_EINVAL, "open: the path is missing or too long");
  if (check_hooks(to) != QM_OK)
    return qm_fail(e, QM_EINVAL, "open: the key's hooks go by two: key_load and key_save, or "
                                 "key_point and key_sign");
  size_t n = strlen(from->path) + 1;
  char *path = qm__handle_realloc(to, NULL, n);
  if (!path) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  memcpy(path, from->path, n);
  to->path = path;
  return QM_OK;
}

/* ---- memory, clock, randomness, log ---- */

static void *env_realloc(void *payload, void *p, size_t n) {
  return qm__handle_realloc(&((const qm_db *)payload)->options, p, n);
}

static uint64_t env_now(void *payload) {
  const qm_db *db = payload;
  struct timespec t;
  if (db->options.now_ms) return db->options.now_ms(db->options.payload);
  if (clock_gettime(CLOCK_REALTIME, &t) != 0 || t.tv_sec < 0) return 0;
  return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static int env_random(void *payload, uint8_t *to, size_t n) {
  const qm_db *db = payload;
  if (db->options.random) return db->options.random(db->options.payload, to, n);
  return qm_crypto_random(NULL, to, n);
}

static void env_log(void *payload, qm_log_level level, const char *message) {
  const qm_db *db = payload;
  if (db->options.log) db->options.log(db->options.payload, (int32_t)level, message);
}

static int env_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  const qm_db *db = payload;
  return db->key ? qm_key_sign(db->key, digest, out) : QM_EINTERNAL;
}

/* ---- the instance id ---- */

/* One whole read; 1 where the file has exactly n bytes. */
static int read_exactly(const char *path, uint8_t *to, size_t n) {
  uint8_t more;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return 0;
  int whole = read(fd, to, n) == (ssize_t)n && read(fd, &more, 1) == 0;
  close(fd);
  return whole;
}

/* Written beside and renamed, so that no crash leaves half an id. */
static int make_instance(qm_db *db, const char *path, uint8_t out[INSTANCE_SIZE]) {
  char fresh[PATH_SIZE];
  int n = snprintf(fresh, sizeof fresh, "%s.new", path);
  if (n < 0 || (size_t)n >= sizeof fresh) return QM_EINVAL;
  QM_TRY(env_random(db, out, INSTANCE_SIZE));
  unlink(fresh);
  int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return QM_EIO;
  int failed = write(fd, out, INSTANCE_SIZE) != (ssize_t)INSTANCE_SIZE || fsync(fd) != 0;
  failed |= close(fd) != 0;
  if (failed || rename(fresh, path) != 0) {
    unlink(fresh);
    return QM_EIO;
  }
  return QM_OK;
}

/* S2.3: a copy or a restored backup has another inode, lies on another machine, or has come
 * without its file. */
static int own_instance(qm_db *db, uint8_t out[16]) {
  char path[PATH_SIZE];
  uint8_t id[INSTANCE_SIZE], machine[256] = {0};
  uint64_t place[2];
  struct stat st;
  qm_sha sha;
  qm_hash hash;
  int n = snprintf(path, sizeof path, "%s.instance", db->options.path);
  if (n < 0 || (size_t)n >= sizeof path || stat(db->options.path, &st) != 0) return QM_EIO;
  if (!read_exactly(path, id, sizeof id)) QM_TRY(make_instance(db, path, id));
  place[0] = (uint64_t)st.st_dev;
  place[1] = (uint64_t)st.st_ino;
  int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, machine, sizeof machine) : 0;
  if (fd >= 0) close(fd);
  qm_sha_init(&sha);
  qm_sha_add(&sha, "qianmo instance", 15);
  qm_sha_add(&sha, id, sizeof id);
  qm_sha_add(&sha, place, sizeof place);
  qm_sha_add(&sha, machine, got > 0 ? (size_t)got : 0);
  qm_sha_end(&sha, &hash);
  memcpy(out, hash.b, 16);
  return QM_OK;
}

/* A database that is only read writes as nobody: what it has noted is taken for its own, so
 * that opening it changes nothing. */
static int noted_instance(qm_db *db, uint8_t out[16]) {
  qm_buf b;
  qm_buf_init(&b, &db->env, 64);
  int rc = qm__handle_meta_get(db, "instance", &b);
  if (rc == QM_OK && b.n != 16) rc = QM_ECORRUPT;
  if (rc == QM_OK) memcpy(out, b.p, 16);
  qm_buf_free(&b);
  return rc;
}

static int env_instance(void *payload, uint8_t out[16]) {
  qm_db *db = payload;
  if (db->options.flags & QM_OPEN_READONLY) return noted_instance(db, out);
  if (db->options.instance) return db->options.instance(db->options.payload, out);
  return own_instance(db, out);
}

void qm__handle_env(qm_db *db) {
  db->env.payload = db;
  db->env.realloc = env_realloc;
  db->env.now_ms = env_now;
  db->env.random = env_random;
  db->env.log = env_log;
  db->env.instance = env_instance;
  db->env.sign = env_sign;
}

/* ---- free space ---- */

int qm__handle_free_bytes(const qm_db *db, uint64_t *out) {
  struct statvfs v;
  if (statvfs(db->options.path, &v) != 0) return QM_EIO;
  *out = (uint64_t)v.f_bavail * (uint64_t)v.f_frsize;
  return QM_OK;
}
