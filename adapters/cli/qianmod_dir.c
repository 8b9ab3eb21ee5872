/* A hub's directory: its files, lock, world (env), databases. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/qianmod.h"
#include "core/hash.h"
#include "sync/crypto.h"

#define FILE_MAX_BYTES 1048576u

/* --- env --- */

uint64_t hub_now(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0 || t.tv_sec < 0) return 0;
  return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static uint64_t env_now(void *payload) {
  (void)payload;
  return hub_now();
}

static void *env_realloc(void *payload, void *p, size_t n) {
  (void)payload;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static void env_log(void *payload, qm_log_level level, const char *message) {
  hub_dir *d = payload;
  if (d->has_logger) qm_logger_write(&d->logger, level, message);
}

/* S12.5: an installation of a store is the directory's `instance` file together with the store's
 * own: a copy of the directory has another inode, a restored backup another file. */
static int env_instance(void *payload, uint8_t out[16]) {
  hub_dir *d = payload;
  char path[QM_FILE_PATH_MAX];
  struct stat st;
  qm_buf id;
  qm_sha sha;
  qm_hash hash;
  if (d->has_noted) {
    memcpy(out, d->noted, 16);
    return QM_OK;
  }
  hub_store_file(d, d->opening, path);
  if (stat(path, &st) != 0) return QM_EIO;
  uint64_t inode = (uint64_t)st.st_ino;
  qm_buf_init(&id, &d->env, 64);
  int rc = hub_read(d, "instance", &id, NULL);
  if (rc == QM_OK) {
    qm_sha_init(&sha);
    qm_sha_add(&sha, "qianmod instance", 16);
    qm_sha_add(&sha, id.p, id.n);
    qm_sha_add(&sha, &inode, sizeof inode);
    qm_sha_end(&sha, &hash);
    memcpy(out, hash.b, 16);
  }
  qm_buf_free(&id);
  return rc;
}

static int env_sign(void *payload, const uint8_t digest[32], uint8_t out[64]) {
  const hub_dir *d = payload;
  return d->key ? qm_key_sign(d->key, digest, out) : QM_EINTERNAL;
}

void hub_dir_init(hub_dir *d, const char *path) {
  memset(d, 0, sizeof *d);
  d->lock = -1;
  size_t n = strlen(path);
  if (n >= sizeof d->path) n = sizeof d->path - 1;
  memcpy(d->path, path, n);
  d->env = qm_env_default();
  d->env.payload = d;
  d->env.realloc = env_realloc;
  d->env.now_ms = env_now;
  d->env.random = qm_crypto_random;
  d->env.log = env_log;
  d->env.instance = env_instance;
  d->env.sign = env_sign;
  qm_buf_init(&d->cert, &d->env, QM_CERT_SIZE_MAX);
  qm_hub_config_default(&d->config);
}

/* --- files --- */

void hub_file(const hub_dir *d, const char *name, char to[QM_FILE_PATH_MAX]) {
  snprintf(to, QM_FILE_PATH_MAX, "%s/%s", d->path, name);
}

static int code_of(int error) {
  switch (error) {
    case ENOENT: return QM_ENOTFOUND;
    case EEXIST: return QM_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS: return QM_EREADONLY;
    case ENOSPC:
    case EDQUOT: return QM_EFULL;
    case ENOMEM: return QM_ENOMEM;
    default: return QM_EIO;
  }
}

static int fail_at(const char *path, int error, qm_error *e) {
  return qm_fail(e, code_of(error), "%s: %s", path, strerror(error));
}

int hub_read_path(const char *path, qm_buf *out, qm_error *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_at(path, errno, e);
  uint8_t part[4096];
  ssize_t got = 1;
  while (got > 0 && qm_buf_status(out) == QM_OK) {
    got = read(fd, part, sizeof part);
    if (got > 0) qm_buf_add(out, part, (size_t)got);
  }
  int error = errno;
  close(fd);
  qm_wipe(part, sizeof part); /* it may be a key */
  if (got < 0) return fail_at(path, error, e);
  int rc = qm_buf_status(out);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s: %s", path, qm_err_text(rc));
}

int hub_read(const hub_dir *d, const char *name, qm_buf *out, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  hub_file(d, name, path);
  return hub_read_path(path, out, e);
}

int hub_write(const hub_dir *d, const char *name, qm_slice content, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  hub_file(d, name, path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return fail_at(path, errno, e);
  size_t at = 0;
  while (at < content.n) {
    ssize_t n = write(fd, content.p + at, content.n - at);
    if (n <= 0) break;
    at += (size_t)n;
  }
  int failed = at < content.n || fsync(fd) != 0;
  int error = errno;
  failed |= close(fd) != 0;
  if (!failed) return QM_OK;
  unlink(path);
  return fail_at(path, error ? error : EIO, e);
}

int hub_sync_dir(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return QM_EIO;
  int rc = fsync(fd) == 0 ? QM_OK : QM_EIO;
  close(fd);
  return rc;
}

static int is_empty(const char *path) {
  DIR *dir = opendir(path);
  int n = 0;
  if (!dir) return 0;
  while (n < 3 && readdir(dir)) n++;
  closedir(dir);
  return n == 2; /* . and .. */
}

int hub_make_dir(const char *path, qm_error *e) {
  if (strlen(path) >= QM_DIR_PATH_MAX) return qm_fail(e, QM_EUSAGE, "the path is too long");
  if (mkdir(path, 0700) == 0) return QM_OK;
  if (errno != EEXIST) return fail_at(path, errno, e);
  if (!is_empty(path)) return qm_fail(e, QM_EEXIST, "%s is there already", path);
  return chmod(path, 0700) == 0 ? QM_OK : fail_at(path, errno, e);
}

/* --- lock --- */

/* fcntl's locks end with the process, however it ends. */
static int lock_file(const hub_dir *d, int command, struct flock *l) {
  char path[QM_FILE_PATH_MAX];
  hub_file(d, "lock", path);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  memset(l, 0, sizeof *l);
  l->l_type = F_WRLCK;
  l->l_whence = SEEK_SET;
  if (fcntl(fd, command, l) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int hub_is_running(const hub_dir *d) {
  struct flock l;
  if (d->lock >= 0) return 0;
  int fd = lock_file(d, F_GETLK, &l);
  if (fd < 0) return 0;
  close(fd);
  return l.l_type != F_UNLCK;
}

int hub_lock(hub_dir *d, qm_error *e) {
  struct flock l;
  d->lock = lock_file(d, F_SETLK, &l);
  if (d->lock >= 0) return QM_OK;
  if (errno == EACCES || errno == EAGAIN)
    return qm_fail(e, QM_EBUSY, "the hub in %s is running; stop it first", d->path);
  return fail_at(d->path, errno, e);
}

/* --- keys --- */

static int load_key(hub_dir *d, const char *name, qm_key **out, qm_error *e) {
  qm_buf pem;
  qm_buf_init(&pem, &d->env, QM_PEM_SIZE_MAX);
  int rc = hub_read(d, name, &pem, e);
  if (rc == QM_OK) {
    rc = qm_key_from_pem(&d->env, qm_buf_slice(&pem), out);
    if (rc != QM_OK) qm_fail(e, rc, "%s: %s", name, qm_err_text(rc));
  }
  if (pem.p) qm_wipe(pem.p, pem.n);
  qm_buf_free(&pem);
  return rc;
}

static int load_cert(hub_dir *d, const char *name, qm_buf *der, qm_error *e) {
  qm_buf pem;
  qm_buf_init(&pem, &d->env, QM_PEM_SIZE_MAX);
  qm_buf_clear(der);
  int rc = hub_read(d, name, &pem, e);
  if (rc == QM_OK) {
    rc = qm_cert_from_pem(qm_buf_slice(&pem), der);
    if (rc != QM_OK) qm_fail(e, rc, "%s: %s", name, qm_err_text(rc));
  }
  qm_buf_free(&pem);
  return rc;
}

int hub_load_cert(hub_dir *d, qm_error *e) {
  qm_key *key = NULL;
  qm_buf cert;
  qm_buf_init(&cert, &d->env, QM_CERT_SIZE_MAX);
  int rc = load_key(d, "hub.key", &key, e);
  if (rc == QM_OK) rc = load_cert(d, "hub.pem", &cert, e);
  if (rc != QM_OK) {
    qm_key_free(key);
    qm_buf_free(&cert);
    return rc;
  }
  /* Other threads sign with the key, and records are in its name: it stays while it runs. */
  if (d->key && qm_id_cmp(qm_key_device(d->key), qm_key_device(key)) != 0) {
    qm_key_free(key);
    qm_buf_free(&cert);
    return qm_fail(e, QM_EINVAL, "hub.key: another key; stop the hub and start it anew");
  }
  if (d->key) qm_key_free(key);
  else d->key = key;
  qm_buf_free(&d->cert);
  d->cert = cert;
  return QM_OK;
}

static int load_ca(hub_dir *d, qm_error *e) {
  qm_key *key = NULL;
  qm_buf cert;
  qm_buf_init(&cert, &d->env, QM_CERT_SIZE_MAX);
  int rc = load_cert(d, "ca.pem", &cert, e);
  if (rc == QM_OK) rc = load_key(d, "ca.key", &key, e);
  if (rc == QM_OK) {
    rc = qm_ca_load(&d->env, qm_buf_slice(&cert), key, &d->ca); /* takes the key */
    if (rc != QM_OK) qm_fail(e, rc, "ca.pem: %s", qm_err_text(rc));
  }
  qm_buf_free(&cert);
  return rc;
}

/* --- opening --- */

static int load_config(hub_dir *d, qm_error *e) {
  qm_buf text;
  qm_buf_init(&text, &d->env, QM_CONFIG_SIZE_MAX);
  int rc = hub_read(d, "qianmod.conf", &text, e);
  if (rc == QM_OK) rc = qm_hub_config_parse(&d->config, qm_buf_slice(&text), e);
  qm_buf_free(&text);
  return rc;
}

static int open_all(hub_dir *d, int flags, qm_error *e) {
  char path[QM_FILE_PATH_MAX];
  unsigned db_flags = 0;
  hub_file(d, "qianmod.conf", path);
  if (access(path, F_OK) != 0) return qm_fail(e, QM_ENOTFOUND, "%s is no hub's directory", d->path);
  QM_TRY(load_config(d, e));
  if (flags & QM_DIR_LOCK) QM_TRY(hub_lock(d, e));
  if (flags & QM_DIR_KEYS) {
    QM_TRY(hub_load_cert(d, e));
    QM_TRY(load_ca(d, e));
  }
  if (flags & QM_DIR_READONLY) db_flags |= QM_HUBDB_READONLY;
  if (flags & QM_DIR_CHECK) db_flags |= QM_HUBDB_CHECK;
  if (flags & QM_DIR_CREATE) db_flags |= QM_HUBDB_CREATE;
  if (flags & QM_DIR_NO_DB) return QM_OK;
  hub_file(d, "hub.db", path);
  int rc = qm_hubdb_open(&d->env, path, db_flags, &d->db, e);
  if (rc == QM_EREADONLY && (flags & QM_DIR_READONLY)) { /* of an older version: it is raised */
    QM_TRY(qm_hubdb_open(&d->env, path, 0, &d->db, e));
    qm_hubdb_close(d->db);
    d->db = NULL;
    rc = qm_hubdb_open(&d->env, path, db_flags, &d->db, e);
  }
  QM_TRY(rc);
  d->is_replay = hub_note_is(d, NULL, "replay");
  return QM_OK;
}

int hub_open(hub_dir *d, const char *path, int flags, qm_error *e) {
  if (strlen(path) >= QM_DIR_PATH_MAX) return qm_fail(e, QM_EUSAGE, "the path is too long");
  hub_dir_init(d, path);
  int rc = open_all(d, flags, e);
  if (rc != QM_OK) hub_close(d);
  return rc;
}

void hub_close(hub_dir *d) {
  qm_hubdb_close(d->db);
  qm_ca_free(d->ca);
  qm_key_free(d->key);
  qm_buf_free(&d->cert);
  if (d->lock >= 0) close(d->lock);
  if (d->has_logger) qm_logger_close(&d->logger);
  d->db = NULL;
  d->ca = NULL;
  d->key = NULL;
  d->lock = -1;
  d->has_logger = 0;
}
