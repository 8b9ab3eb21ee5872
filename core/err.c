#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *qm_err_name(int code) {
#define QM_ERR_CASE(name, number, cls, text) \
  case number: return #name;
  switch (code) {
    QM_ERRORS(QM_ERR_CASE)
    case QM_OK: return "OK";
    default: return "EUNKNOWN";
  }
#undef QM_ERR_CASE
}

const char *qm_err_text(int code) {
#define QM_ERR_CASE(name, number, cls, text) \
  case number: return text;
  switch (code) {
    QM_ERRORS(QM_ERR_CASE)
    case QM_OK: return "success";
    default: return "unknown error";
  }
#undef QM_ERR_CASE
}

/* A code from a newer peer or library is treated as damage: the caller stops
 * rather than retrying something it cannot name. */
qm_class qm_err_class(int code) {
#define QM_ERR_CASE(name, number, cls, text) \
  case number: return QM_CLASS_##cls;
  switch (code) {
    QM_ERRORS(QM_ERR_CASE)
    case QM_OK: return QM_CLASS_OK;
    default: return QM_CLASS_CORRUPT;
  }
#undef QM_ERR_CASE
}

/* A message cut by its buffer may end inside a UTF-8 sequence; that rest goes. */
static void trim_partial(char *s) {
  size_t n = strlen(s);
  size_t tail = 0;
  while (tail < 3 && tail < n && ((unsigned char)s[n - 1 - tail] & 0xC0) == 0x80) tail++;
  if (tail == n) return;
  unsigned char lead = (unsigned char)s[n - 1 - tail];
  size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  if (need > tail) s[n - 1 - tail] = '\0';
}

int qm_fail(qm_error *e, int code, const char *format, ...) {
  if (!e) return code;
  e->code = code;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(e->message, sizeof e->message, format, args);
  va_end(args);
  if (n < 0) e->message[0] = '\0';
  if (n >= (int)sizeof e->message) trim_partial(e->message);
  return code;
}
