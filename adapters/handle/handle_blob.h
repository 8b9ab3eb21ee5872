/* handle_blob: files of attachments beside the database, named by what is in them. */
#ifndef QM_HANDLE_BLOB_H
#define QM_HANDLE_BLOB_H

#include "core/qianmo.h"

#define QM_BLOB_MAX ((uint64_t)512 << 20) /* bytes of one file */
#define QM_BLOB_PATH_MAX 4200u

typedef struct qm_blob {
  char sha256[65]; /* hex */
  uint64_t size;
  const char *mime; /* static */
  char taken[20];   /* empty: not known */
} qm_blob;

/* Copies a file in, whole and durable, or not at all. Without the handle's mutex: it may take
 * long. QM_ENOTFOUND: no such file; QM_EINVAL: not a plain file, not readable, or empty;
 * QM_ELIMIT; QM_EFULL; QM_EIO; QM_EREADONLY; QM_ENOMEM. */
int qm__blob_take(qm_db *db, const char *path, qm_blob *out, qm_error *e);
/* Where the file of a hash (64 hex digits) is, and how large. QM_ENOTFOUND: not here. */
int qm__blob_path(const qm_db *db, const char *hex, char to[QM_BLOB_PATH_MAX], uint64_t *size);

#endif
