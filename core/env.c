#include "core/env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *qm_alloc(const qm_env *env, size_t n) {
  return n ? env->realloc(env->payload, NULL, n) : NULL;
}

void *qm_alloc_zero(const qm_env *env, size_t n) {
  void *p = qm_alloc(env, n);
  if (p) memset(p, 0, n);
  return p;
}

void *qm_alloc_array(const qm_env *env, size_t count, size_t size) {
  return qm_realloc_array(env, NULL, count, size);
}

void *qm_realloc_array(const qm_env *env, void *p, size_t count, size_t size) {
  /* A product of 0 must not reach the callback: there it would mean "free", and
   * the caller could not tell that from a failure that leaves p alive. */
  if (count == 0 || size == 0 || count > SIZE_MAX / size) return NULL;
  return env->realloc(env->payload, p, count * size);
}

void qm_free(const qm_env *env, void *p) {
  if (p) (void)env->realloc(env->payload, p, 0);
}

void qm_log(const qm_env *env, qm_log_level level, const char *format, ...) {
  if (!env->log) return;
  char message[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (n >= 0) env->log(env->payload, level, message);
}

static void *libc_realloc(void *payload, void *p, size_t n) {
  (void)payload;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static uint64_t no_clock(void *payload) {
  (void)payload;
  return 0;
}

static int no_random(void *payload, uint8_t *to, size_t n) {
  (void)payload;
  (void)to;
  (void)n;
  return QM_EIO;
}

qm_env qm_env_default(void) {
  qm_env env = {.realloc = libc_realloc, .now_ms = no_clock, .random = no_random};
  return env;
}
