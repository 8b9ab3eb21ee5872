#include "core/norm.h"

#include <string.h>
#include <utf8proc.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Bytes of the well-formed sequence that starts at p with `left` bytes behind it,
 * 0 where there is none (Unicode table 3-7). left >= 1. */
static size_t sequence(const uint8_t *p, size_t left) {
  uint8_t lead = p[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  size_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (left < n) return 0;
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (p[1] < low || p[1] > high) return 0;
  for (size_t i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

/* 1 <= n < 8 bytes: nothing but ASCII. */
static int ascii_rest(const uint8_t *p, size_t n) {
  uint32_t a, b;
  if (n < sizeof a) return (p[0] | p[n / 2] | p[n - 1]) < 0x80;
  memcpy(&a, p, sizeof a);
  memcpy(&b, p + n - sizeof b, sizeof b);
  return ((a | b) & (uint32_t)HIGH_BITS) == 0;
}

/* Written by hand: cur runs it over every string of every message, and needs the
 * answer alone. */
int qm_utf8_check(qm_slice s, size_t *codepoints) {
  size_t i = 0, count = 0;
  if (codepoints) *codepoints = 0;
  while (i < s.n) {
    uint64_t eight;
    if (s.n - i >= sizeof eight) {
      memcpy(&eight, s.p + i, sizeof eight);
      if ((eight & HIGH_BITS) == 0) {
        i += sizeof eight;
        count += sizeof eight;
        continue;
      }
    } else if (ascii_rest(s.p + i, s.n - i)) {
      count += s.n - i;
      break;
    }
    /* Most of what is no ASCII is Han, and its wide punctuation: of three bytes, those that
     * begin with E0 and ED alone need a look at their bounds. */
    size_t before = i;
    for (; s.n - i >= 3 && s.p[i] >= 0xE1 && s.p[i] <= 0xEF && s.p[i] != 0xED; i += 3, count++)
      if ((s.p[i + 1] & 0xC0) != 0x80 || (s.p[i + 2] & 0xC0) != 0x80) return 0;
    if (i != before) continue;
    size_t n = sequence(s.p + i, s.n - i);
    if (n == 0) return 0;
    i += n;
    count++;
  }
  if (codepoints) *codepoints = count;
  return 1;
}

size_t qm_utf8_offset(qm_slice s, size_t index) {
  size_t i = 0;
  for (; i < s.n; i++) {
    if ((s.p[i] & 0xC0) == 0x80) continue;
    if (index == 0) return i;
    index--;
  }
  return i;
}

/* White space that NFKC leaves; it has turned the others into U+0020. */
static int is_space(int32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0x1680 || c == 0x2028 || c == 0x2029;
}

static int add_trimmed(qm_buf *out, const int32_t *c, size_t count) {
  size_t from = 0, to = count;
  while (from < to && is_space(c[from])) from++;
  while (to > from && is_space(c[to - 1])) to--;
  for (; from < to; from++) {
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c[from], bytes);
    qm_buf_add(out, bytes, (size_t)n);
  }
  return qm_buf_status(out);
}

/* utf8proc_map would allocate by malloc; its two halves take memory from env. */
static int normalize(qm_buf *out, qm_slice text, utf8proc_option_t options) {
  utf8proc_ssize_t need = utf8proc_decompose(text.p, (utf8proc_ssize_t)text.n, NULL, 0, options);
  if (need == 0) return QM_OK;
  if (need < 0) return need == UTF8PROC_ERROR_INVALIDUTF8 ? QM_EUTF8 : QM_ELIMIT;
  int32_t *codepoints = qm_alloc_array(out->env, (size_t)need, sizeof *codepoints);
  if (!codepoints) {
    out->status = QM_ENOMEM;
    return QM_ENOMEM;
  }
  utf8proc_ssize_t n =
      utf8proc_decompose(text.p, (utf8proc_ssize_t)text.n, codepoints, need, options);
  if (n == need) n = utf8proc_normalize_utf32(codepoints, n, options);
  int rc = n < 0 ? QM_EINTERNAL : add_trimmed(out, codepoints, (size_t)n);
  qm_free(out->env, codepoints);
  return rc;
}

int qm_norm_key(qm_buf *out, qm_slice text, qm_norm_form form) {
  QM_TRY(qm_buf_status(out));
  if (!qm_utf8_check(text, NULL)) return QM_EUTF8;
  if (text.n == 0) return QM_OK;
  if (text.n > PTRDIFF_MAX / 64) return QM_ELIMIT;
  utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  if (form == QM_NORM_CASEFOLD) options |= UTF8PROC_CASEFOLD;
  size_t before = out->n;
  int rc = normalize(out, text, options);
  if (rc) out->n = before;
  return rc;
}

size_t qm_text_columns(qm_slice s) {
  size_t columns = 0;
  for (size_t i = 0; i < s.n;) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate(s.p + i, (utf8proc_ssize_t)(s.n - i), &c);
    if (n <= 0) break;
    columns += (size_t)utf8proc_charwidth(c);
    i += (size_t)n;
  }
  return columns;
}

/* --- for searching --- */

uint32_t qm_utf8_next(qm_slice s, size_t *i) {
  const uint8_t *p = s.p + *i;
  size_t n = sequence(p, s.n - *i);
  if (n <= 1) {
    ++*i;
    return n ? p[0] : 0xFFFD;
  }
  uint32_t c = p[0] & (0xFFu >> (n + 1));
  for (size_t k = 1; k < n; k++) c = c << 6 | (p[k] & 0x3Fu);
  *i += n;
  return c;
}

static int is_ideograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x3FFFF) || (c >= 0x2E80 && c <= 0x2FDF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x3040 && c <= 0x30FF && c != 0x30FB) ||
         (c >= 0x31F0 && c <= 0x31FF) || c == 0x3005 || c == 0x3006 || c == 0x3007;
}

qm_char_class qm_char_class_of(uint32_t c) {
  if (c < 0x80)
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
               ? QM_CHAR_WORD
               : QM_CHAR_BREAK;
  if (is_ideograph(c)) return QM_CHAR_IDEOGRAPH;
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_CO: return QM_CHAR_WORD;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return QM_CHAR_MARK;
    default: return QM_CHAR_BREAK;
  }
}

size_t qm_fold_char(uint32_t c, uint32_t to[QM_FOLD_MAX]) {
  utf8proc_int32_t folded[QM_FOLD_MAX];
  int boundary = 0;
  to[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c < 0x80 || (c >= 0x4E00 && c <= 0x9FFF)) return 1; /* most of what is searched */
  utf8proc_ssize_t n = utf8proc_decompose_char(
      (utf8proc_int32_t)c, folded, (utf8proc_ssize_t)QM_FOLD_MAX,
      (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                          UTF8PROC_STRIPMARK | UTF8PROC_IGNORE),
      &boundary);
  if (n < 0 || n > (utf8proc_ssize_t)QM_FOLD_MAX) return 1;
  for (utf8proc_ssize_t i = 0; i < n; i++) to[i] = (uint32_t)folded[i];
  return (size_t)n;
}
