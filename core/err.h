/* err: every error qianmo can return, listed once.
 *
 * A function that can fail returns int: 0 for success, else one of the negative
 * codes below. The numbers are fixed for ever (they cross FFI and the wire);
 * gaps are left per family. Detail goes into a caller-owned qm_error. */
#ifndef QM_ERR_H
#define QM_ERR_H

#include <stddef.h>
#include <stdint.h>

/* What the shared library exports. */
#ifndef QM_API
#if defined(__GNUC__)
#define QM_API __attribute__((visibility("default")))
#else
#define QM_API
#endif
#endif

/* What the caller can do about it. */
typedef enum qm_class {
  QM_CLASS_OK = 0,      /* nothing to do */
  QM_CLASS_USAGE = 1,   /* the call or its arguments are wrong */
  QM_CLASS_ABSENT = 2,  /* what was asked for is not there */
  QM_CLASS_RETRY = 3,   /* the same call may succeed later */
  QM_CLASS_REFUSED = 4, /* a person must act */
  QM_CLASS_STORAGE = 5, /* storage full or read-only */
  QM_CLASS_CORRUPT = 6, /* damaged data: stop, keep evidence */
  QM_CLASS_DIFFER = 7   /* a check failed or replicas differ */
} qm_class;

/* X(name, number, class, English text). The text says what was wrong and what
 * to do; adapters/handle/errors_zh.h holds the Chinese table under the same names. */
#define QM_ERRORS(X)                                                                 \
  X(EINVAL, -1, USAGE, "invalid argument")                                           \
  X(ENOMEM, -2, RETRY, "out of memory")                                              \
  X(EINTERNAL, -3, CORRUPT, "internal error; the handle can no longer be used")      \
  X(ELIMIT, -4, USAGE, "larger than the limit")                                      \
  X(ESTATE, -5, USAGE, "not possible in this state")                                 \
  X(EUSAGE, -6, USAGE, "wrong usage; see --help")                                    \
  X(ETRUNCATED, -20, CORRUPT, "truncated data")                                      \
  X(EFORMAT, -21, CORRUPT, "malformed data")                                         \
  X(ETYPE, -22, CORRUPT, "wrong type")                                               \
  X(EDEPTH, -23, CORRUPT, "nested too deeply")                                       \
  X(EUTF8, -24, CORRUPT, "text is not valid UTF-8")                                  \
  X(ETRAILING, -25, CORRUPT, "bytes after the end")                                  \
  X(EDUPKEY, -26, CORRUPT, "duplicate key")                                          \
  X(ECANON, -27, CORRUPT, "not in canonical form")                                   \
  X(ERANGE, -28, CORRUPT, "number out of range")                                     \
  X(EOVERSIZE, -29, CORRUPT, "declared size exceeds the limit")                      \
  X(EGAP, -40, REFUSED, "changes are missing before this one")                       \
  X(EFORK, -41, REFUSED, "the author wrote two different continuations")             \
  X(EFORGED, -42, REFUSED, "written in the name of another author")                  \
  X(EPARKED, -43, RETRY, "waits for changes it depends on")                          \
  X(EHASH, -44, REFUSED, "hash or signature does not match")                         \
  X(ESCHEMA, -45, REFUSED, "the schema does not allow this value")                   \
  X(EACCESS, -46, REFUSED, "no right to do this in this space")                      \
  X(ESTALE, -47, RETRY, "the text has changed since it was read; read it again")     \
  X(EINVISIBLE, -48, ABSENT, "the record is deleted; use restore to bring it back")  \
  X(EREFUSED, -49, REFUSED, "refused by the hub")                                    \
  X(EMALFORMED, -50, REFUSED, "malformed change")                                    \
  X(ENOTFOUND, -60, ABSENT, "not found")                                             \
  X(EEXIST, -61, USAGE, "already exists")                                            \
  X(EAMBIGUOUS, -62, USAGE, "more than one matches; give more of the id")            \
  X(EIO, -70, STORAGE, "input/output error")                                         \
  X(EFULL, -71, STORAGE, "storage is full; free some space, nothing was lost")       \
  X(EREADONLY, -72, STORAGE, "storage is read-only")                                 \
  X(ECORRUPT, -73, CORRUPT, "the database is damaged; keep it and restore a backup") \
  X(ENEWER, -74, REFUSED, "the file was written by a newer version; update qianmo")  \
  X(EBUSY, -75, RETRY, "the database is in use by another process")                  \
  X(ESUSPENDED, -76, RETRY, "suspended; it goes on after resume")                    \
  X(ENET, -90, RETRY, "network not reachable")                                       \
  X(ETIMEOUT, -91, RETRY, "timed out")                                               \
  X(ECLOSED, -92, RETRY, "the peer closed the connection")                           \
  X(ETLS, -93, RETRY, "TLS failed")                                                  \
  X(ECERT, -94, REFUSED, "certificate not accepted")                                 \
  X(ECERTEXPIRED, -95, REFUSED, "certificate expired; enrol again")                  \
  X(EREVOKED, -96, REFUSED, "this device was revoked")                               \
  X(EPROTO, -97, CORRUPT, "protocol error")                                          \
  X(EVERSION, -98, REFUSED, "no protocol version in common; update qianmo")          \
  X(ECLOCK, -99, REFUSED, "the clock is wrong; check the date of this device")       \
  X(ECANCELED, -100, RETRY, "cancelled")                                             \
  X(ECODE, -110, USAGE, "the code is mistyped")                                      \
  X(ECODEUSED, -111, REFUSED, "the code is unknown or was used; ask for a new one")  \
  X(ECODEEXPIRED, -112, REFUSED, "the code has expired; ask for a new one")          \
  X(ETRIES, -113, REFUSED, "too many attempts; wait and ask for a new code")         \
  X(EENROLLED, -114, USAGE, "this device is already enrolled")                       \
  X(ENOTENROLLED, -115, USAGE, "this device is not enrolled; use enroll first")      \
  X(EDIFFER, -120, DIFFER, "replicas differ")                                        \
  X(ECUT, -51, RETRY, "the log no longer reaches back that far; a state is needed")

#define QM_ERR_ENUM(name, number, cls, text) QM_##name = number,
typedef enum qm_code { QM_OK = 0, QM_ERRORS(QM_ERR_ENUM) QM_ERR_FLOOR = -32768 } qm_code;
#undef QM_ERR_ENUM

/* Detail of a failure, owned by the caller. `message` is UTF-8, NUL-terminated,
 * holds no personal value, and says what was wrong, where, and what to do. */
typedef struct qm_error {
  int32_t code;
  char message[252];
} qm_error;

/* Name without prefix ("EGAP"), or "EUNKNOWN". Static string. */
QM_API const char *qm_err_name(int code);
/* English text, static string. (In two languages: qm_error_text of qianmo.h.) */
QM_API const char *qm_err_text(int code);
QM_API qm_class qm_err_class(int code);
/* Fills *e (may be NULL) from a printf format; returns code, so that
 * `return qm_fail(e, QM_EINVAL, "...")` reads as one step. */
QM_API int qm_fail(qm_error *e, int code, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#define QM_TRY(expr)                            \
  do {                                          \
    int qm_try_rc_ = (expr);                    \
    if (qm_try_rc_ != QM_OK) return qm_try_rc_; \
  } while (0)

#endif
