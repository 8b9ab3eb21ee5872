#include "sync/uv/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096u

static const char *const names[] = {"error", "warn", "info", "debug"};

static int open_file(const char *path, int *fd, qm_error *e) {
  *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (*fd >= 0) return QM_OK;
  int rc = errno == EACCES || errno == EROFS ? QM_EREADONLY : QM_EIO;
  return qm_fail(e, rc, "cannot open the log file: %s", strerror(errno));
}

int qm_logger_open(qm_logger *l, const char *path, int is_json, qm_log_level max, qm_error *e) {
  memset(l, 0, sizeof *l);
  l->fd = STDERR_FILENO;
  l->is_json = is_json;
  l->max = max;
  if (!path || !*path || strcmp(path, "stderr") == 0) return QM_OK;
  if (strlen(path) >= sizeof l->path) return qm_fail(e, QM_EINVAL, "the log's path is too long");
  QM_TRY(open_file(path, &l->fd, e));
  memcpy(l->path, path, strlen(path) + 1);
  return QM_OK;
}

/* dup2 swaps the file under the number that other threads are writing to. */
int qm_logger_reopen(qm_logger *l, qm_error *e) {
  int fd;
  if (!l->path[0]) return QM_OK;
  QM_TRY(open_file(l->path, &fd, e));
  int rc = dup2(fd, l->fd) < 0 ? qm_fail(e, QM_EIO, "cannot reopen the log file") : QM_OK;
  close(fd);
  return rc;
}

void qm_logger_close(qm_logger *l) {
  if (l->path[0]) close(l->fd);
  l->path[0] = '\0';
  l->fd = STDERR_FILENO;
}

/* Writes c into a JSON string; in text only control characters change. */
static size_t put_char(char *to, unsigned char c, int is_json) {
  if (c < 0x20 || c == 0x7F) c = ' ';
  if (is_json && (c == '"' || c == '\\')) {
    to[0] = '\\';
    to[1] = (char)c;
    return 2;
  }
  to[0] = (char)c;
  return 1;
}

void qm_logger_write(qm_logger *l, qm_log_level level, const char *message) {
  char line[LINE_MAX_BYTES], when[32];
  struct timespec now;
  struct tm utc;
  if (level > l->max) return;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
  int head = snprintf(line, sizeof line,
                      l->is_json ? "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"message\":\""
                                 : "%s.%03ldZ %-5s ",
                      when, now.tv_nsec / 1000000, names[level]);
  if (head < 0) return;
  size_t n = (size_t)head;
  for (size_t i = 0; message[i] && i < 512; i++)
    n += put_char(line + n, (unsigned char)message[i], l->is_json);
  if (l->is_json) {
    line[n++] = '"';
    line[n++] = '}';
  }
  line[n++] = '\n';
  /* A log that cannot be written must not stop the hub. */
  if (write(l->fd, line, n) < 0) return;
}

qm_short_id qm_short(const qm_id *id) {
  qm_short_id out;
  qm_base32(out.text, id->b, 5);
  return out;
}
