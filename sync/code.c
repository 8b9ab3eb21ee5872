#include "sync/code.h"

#include <string.h>

#include "core/id.h"

#define BYTES_SIZE (QM_CODE_SECRET_SIZE + QM_CODE_FINGERPRINT_SIZE)
#define GROUP 4

int qm_code_make(const qm_env *env, const uint8_t fingerprint[QM_CODE_FINGERPRINT_SIZE],
                 qm_enrol_code *out) {
  if (env->random == NULL) return QM_EIO;
  QM_TRY(env->random(env->payload, out->secret, sizeof out->secret));
  memcpy(out->fingerprint, fingerprint, sizeof out->fingerprint);
  return QM_OK;
}

static void bytes_of(const qm_enrol_code *code, uint8_t to[BYTES_SIZE]) {
  memcpy(to, code->secret, sizeof code->secret);
  memcpy(to + sizeof code->secret, code->fingerprint, sizeof code->fingerprint);
}

void qm_code_text(const qm_enrol_code *code, char to[QM_CODE_TEXT_SIZE]) {
  uint8_t bytes[BYTES_SIZE];
  char symbols[QM_CODE_SYMBOLS + 1];
  bytes_of(code, bytes);
  qm_base32(symbols, bytes, sizeof bytes);
  symbols[QM_CODE_SYMBOLS - 1] = qm_base32_check(bytes, sizeof bytes);
  size_t n = 0;
  for (size_t i = 0; i < QM_CODE_SYMBOLS; i++) {
    if (i > 0 && i % GROUP == 0) to[n++] = '-';
    to[n++] = symbols[i];
  }
  to[n] = '\0';
  qm_wipe(bytes, sizeof bytes);
  qm_wipe(symbols, sizeof symbols);
}

static int is_space(char c) { return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* One form for each symbol: upper case, digits for the letters read as such. */
static char plain(char c) {
  if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
  if (c == 'O') return '0';
  return c == 'I' || c == 'L' ? '1' : c;
}

/* The check character knows five symbols more than the others. */
static int is_symbol(char c, int is_check) {
  static const char list[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
  const char *at = c == '\0' ? NULL : strchr(list, c);
  return at != NULL && (is_check || at - list < 32);
}

/* The symbols of the text without what separates them. */
static int symbols_of(const char *text, size_t len, char to[QM_CODE_SYMBOLS], qm_error *e) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    if (is_space(text[i])) continue;
    if (n == QM_CODE_SYMBOLS) {
      return qm_fail(e, QM_ECODE, "the code is too long: it has %d characters besides the hyphens",
                     QM_CODE_SYMBOLS);
    }
    char c = plain(text[i]);
    if (!is_symbol(c, n == QM_CODE_SYMBOLS - 1)) {
      return qm_fail(e, QM_ECODE,
                     "the code is mistyped: character %zu of group %zu is none that codes have",
                     n % GROUP + 1, n / GROUP + 1);
    }
    to[n++] = c;
  }
  if (n < QM_CODE_SYMBOLS) {
    return qm_fail(e, QM_ECODE,
                   "the code is too short: it has %zu of %d characters besides the hyphens", n,
                   QM_CODE_SYMBOLS);
  }
  return QM_OK;
}

int qm_code_parse(const char *text, size_t len, qm_enrol_code *out, qm_error *e) {
  char symbols[QM_CODE_SYMBOLS];
  uint8_t bytes[BYTES_SIZE];
  int rc = symbols_of(text, len, symbols, e);
  if (rc == QM_OK) {
    int ok = qm_unbase32(bytes, sizeof bytes, symbols, QM_CODE_SYMBOLS - 1) == QM_OK &&
             qm_base32_check(bytes, sizeof bytes) == symbols[QM_CODE_SYMBOLS - 1];
    if (ok) {
      memcpy(out->secret, bytes, sizeof out->secret);
      memcpy(out->fingerprint, bytes + sizeof out->secret, sizeof out->fingerprint);
    } else {
      rc = qm_fail(e, QM_ECODE,
                   "the code is mistyped: its check character does not fit; compare "
                   "it group by group");
    }
  }
  qm_wipe(symbols, sizeof symbols);
  qm_wipe(bytes, sizeof bytes);
  return rc;
}

void qm_code_id(const uint8_t secret[QM_CODE_SECRET_SIZE], qm_hash *out) {
  qm_sha256(secret, QM_CODE_SECRET_SIZE, out);
}
