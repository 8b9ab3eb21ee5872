/* env: the only way core reaches the world. The caller fills the struct and keeps
 * it alive as long as anything made from it. Core reads no clock, no randomness,
 * no file and no global, so that a whole replica runs under deterministic
 * simulation. Callbacks come on the thread that called core. */
#ifndef QM_ENV_H
#define QM_ENV_H

#include "err.h"

typedef enum qm_log_level {
  QM_LOG_ERROR = 0,
  QM_LOG_WARN = 1,
  QM_LOG_INFO = 2,
  QM_LOG_DEBUG = 3
} qm_log_level;

typedef struct qm_env {
  void *payload; /* given back to every callback */
  /* realloc semantics: p NULL allocates, n 0 frees and returns NULL. */
  void *(*realloc)(void *payload, void *p, size_t n);
  /* Wall clock, milliseconds since 1970-01-01 UTC, uncorrected. */
  uint64_t (*now_ms)(void *payload);
  /* Fills n bytes from a cryptographic source. 0 or QM_EIO. */
  int (*random)(void *payload, uint8_t *to, size_t n);
  /* May be NULL. The message holds no personal value. */
  void (*log)(void *payload, qm_log_level level, const char *message);
  /* Instance id: 16 bytes kept where backups and copies of the database do not
   * reach. NULL means "not kept": every open starts a new epoch. */
  int (*instance)(void *payload, uint8_t out[16]);
  /* ECDSA P-256 over a SHA-256 digest, r ‖ s big-endian, with the device key,
   * which may live in a keystore. NULL: segments go unsigned. */
  int (*sign)(void *payload, const uint8_t digest[32], uint8_t out[64]);
} qm_env;

/* NULL on failure or when n is 0. Memory from env goes back only to qm_free with
 * the same env. */
void *qm_alloc(const qm_env *env, size_t n);
void *qm_alloc_zero(const qm_env *env, size_t n);
/* Checks count*size for overflow. */
void *qm_alloc_array(const qm_env *env, size_t count, size_t size);
void *qm_realloc_array(const qm_env *env, void *p, size_t count, size_t size);
void qm_free(const qm_env *env, void *p); /* p may be NULL */

void qm_log(const qm_env *env, qm_log_level level, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* An env on libc malloc, with no clock (0), no randomness (QM_EIO), no log: for
 * tests and as a base to fill. */
qm_env qm_env_default(void);

#endif
