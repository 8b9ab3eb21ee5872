/* log: lines for operators, as text or as JSON, one write a line. Lines hold no personal
 * values: no names, codes, addresses or content of records; devices and spaces stand by
 * the first 8 characters of their id (base32).
 *
 * Threads: any, once open; reopen excepted (one thread at a time, beside writers). */
#ifndef QM_SYNC_UV_LOG_H
#define QM_SYNC_UV_LOG_H

#include "core/env.h"
#include "core/id.h"

#define QM_LOG_PATH_MAX 1024

typedef struct qm_logger {
  int fd; /* never changes while open: reopen puts another file under it */
  int is_json;
  qm_log_level max;
  char path[QM_LOG_PATH_MAX]; /* empty: standard error */
} qm_logger;

/* path NULL, empty or "stderr": standard error. A file is appended to, and made with
 * mode 0600. QM_EINVAL (too long), QM_EREADONLY, QM_EIO. */
int qm_logger_open(qm_logger *l, const char *path, int is_json, qm_log_level max, qm_error *e);
/* Opens the file anew: it was renamed by a rotation. On failure the old one stays. */
int qm_logger_reopen(qm_logger *l, qm_error *e);
void qm_logger_close(qm_logger *l);
/* `message` is cut at 512 bytes; control characters become spaces. */
void qm_logger_write(qm_logger *l, qm_log_level level, const char *message);

/* The first 8 characters of an id as people see it, for messages. */
typedef struct qm_short_id {
  char text[9];
} qm_short_id;
qm_short_id qm_short(const qm_id *id);

#endif
