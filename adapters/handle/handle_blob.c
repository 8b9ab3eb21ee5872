/* handle_blob.c: files of attachments beside the database: PATH.files/ab/cd… (the SHA-256 in
 * hex). A file there is whole: it is written under another name, synced and renamed. SPEC S17. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/handle/handle.h"
#include "adapters/handle/handle_blob.h"
#include "adapters/handle/media.h"
#include "adapters/sqlite/sqlite_db.h"

#define PIECE 65536u

static int path_of(const qm_db *db, const char *hex, char to[QM_BLOB_PATH_MAX]) {
  int n = hex ? snprintf(to, QM_BLOB_PATH_MAX, "%s.files/%.2s/%s", db->options.path, hex, hex + 2)
              : snprintf(to, QM_BLOB_PATH_MAX, "%s.files", db->options.path);
  return n > 0 && n < (int)QM_BLOB_PATH_MAX ? QM_OK : QM_EINVAL;
}

int qm__blob_path(const qm_db *db, const char *hex, char to[QM_BLOB_PATH_MAX], uint64_t *size) {
  struct stat st;
  *size = 0;
  QM_TRY(path_of(db, hex, to));
  if (stat(to, &st) != 0) return errno == ENOENT ? QM_ENOTFOUND : qm__db_errno(errno);
  if (!S_ISREG(st.st_mode)) return QM_ENOTFOUND;
  *size = (uint64_t)st.st_size;
  return QM_OK;
}

/* The directory, and its entry in the one above, are on disk. */
static int make_directory(const char *path, qm_error *e) {
  if (mkdir(path, 0700) == 0) return qm__db_directory_sync(path, e);
  if (errno == EEXIST) return QM_OK;
  int rc = qm__db_errno(errno);
  return qm_fail(e, rc, "cannot make the folder of files: %s", strerror(errno));
}

/* ---- copying and hashing ---- */

typedef struct copying {
  int from, to;
  qm_sha sha;
  uint64_t size;
  uint8_t *head; /* QM_MEDIA_HEAD bytes */
  size_t head_n;
} copying;

static int write_all(int fd, const uint8_t *p, size_t n) {
  while (n) {
    ssize_t done = write(fd, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? qm__db_errno(errno) : QM_EIO;
    p += done;
    n -= (size_t)done;
  }
  return QM_OK;
}

static int copy_all(copying *c, qm_error *e) {
  static const char *const what = "cannot keep the file: %s";
  uint8_t piece[PIECE];
  for (;;) {
    ssize_t n = read(c->from, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return qm_fail(e, QM_EIO, "cannot read the file: %s", strerror(errno));
    if (n == 0) break;
    c->size += (uint64_t)n;
    if (c->size > QM_BLOB_MAX) return qm_fail(e, QM_ELIMIT, "the file is larger than 512 MiB");
    size_t room = QM_MEDIA_HEAD - c->head_n, keep = (size_t)n < room ? (size_t)n : room;
    memcpy(c->head + c->head_n, piece, keep);
    c->head_n += keep;
    qm_sha_add(&c->sha, piece, (size_t)n);
    int rc = write_all(c->to, piece, (size_t)n);
    if (rc != QM_OK) return qm_fail(e, rc, what, qm_err_text(rc));
  }
  if (!c->size) return qm_fail(e, QM_EINVAL, "the file is empty");
  if (fsync(c->to) == 0) return QM_OK;
  int rc = qm__db_errno(errno);
  return qm_fail(e, rc, what, qm_err_text(rc));
}

static int open_source(const char *path, int *fd, qm_error *e) {
  struct stat st;
  *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*fd < 0)
    return qm_fail(e, errno == ENOENT || errno == ENOTDIR ? QM_ENOTFOUND : QM_EINVAL,
                   "cannot read the file: %s", strerror(errno));
  if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) return QM_OK;
  return qm_fail(e, QM_EINVAL, "this is no plain file");
}

/* Into its place; the same content there already is as good. */
static int place(const qm_db *db, const char *temporary, qm_blob *out, qm_error *e) {
  char path[QM_BLOB_PATH_MAX], *slash;
  uint64_t size;
  int rc = qm__blob_path(db, out->sha256, path, &size);
  if (rc == QM_OK && size == out->size) {
    unlink(temporary);
    return QM_OK;
  }
  if (rc != QM_OK && rc != QM_ENOTFOUND) return qm_fail(e, rc, "%s", qm_err_text(rc));
  slash = strrchr(path, '/');
  *slash = '\0';
  QM_TRY(make_directory(path, e));
  *slash = '/';
  if (rename(temporary, path) != 0) {
    rc = qm__db_errno(errno);
    return qm_fail(e, rc, "cannot keep the file: %s", strerror(errno));
  }
  return qm__db_directory_sync(path, e);
}

static int take(qm_db *db, int from, const char *temporary, uint8_t *head, qm_blob *out,
                qm_error *e) {
  copying c = {.from = from, .head = head};
  qm_hash hash;
  c.to = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (c.to < 0) {
    int rc = qm__db_errno(errno);
    return qm_fail(e, rc, "cannot keep the file: %s", strerror(errno));
  }
  qm_sha_init(&c.sha);
  int rc = copy_all(&c, e);
  if (close(c.to) != 0 && rc == QM_OK) rc = qm_fail(e, QM_EIO, "%s", qm_err_text(QM_EIO));
  if (rc == QM_OK) {
    qm_sha_end(&c.sha, &hash);
    qm_hex(out->sha256, hash.b, sizeof hash.b);
    out->size = c.size;
    out->mime = qm__media_type(qm_slice_of(head, c.head_n));
    if (!qm__media_taken(qm_slice_of(head, c.head_n), out->taken)) out->taken[0] = '\0';
    rc = place(db, temporary, out, e);
  }
  if (rc != QM_OK) unlink(temporary);
  return rc;
}

int qm__blob_take(qm_db *db, const char *path, qm_blob *out, qm_error *e) {
  char folder[QM_BLOB_PATH_MAX], temporary[QM_BLOB_PATH_MAX + 32], name[17];
  uint8_t random[8];
  int from = -1;
  memset(out, 0, sizeof *out);
  if (db->options.flags & QM_OPEN_READONLY)
    return qm_fail(e, QM_EREADONLY, "%s", qm_err_text(QM_EREADONLY));
  int rc = path_of(db, NULL, folder);
  if (rc == QM_OK) rc = db->env.random(db->env.payload, random, sizeof random);
  if (rc != QM_OK) return qm_fail(e, rc, "%s", qm_err_text(rc));
  uint8_t *head = qm_alloc(&db->env, QM_MEDIA_HEAD);
  if (!head) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  qm_hex(name, random, sizeof random);
  snprintf(temporary, sizeof temporary, "%s/%s.new", folder, name);
  rc = open_source(path, &from, e);
  if (rc == QM_OK) rc = make_directory(folder, e);
  if (rc == QM_OK) rc = take(db, from, temporary, head, out, e);
  if (from >= 0) close(from);
  qm_free(&db->env, head);
  return rc;
}
