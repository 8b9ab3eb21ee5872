#include "adapters/cli/cli_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void qm_line_free(qm_line *l) {
  free(l->p);
  *l = (qm_line)QM_LINE_INIT;
}

void qm_line_clear(qm_line *l) {
  l->n = 0;
  if (l->p) l->p[0] = '\0';
}

const char *qm_line_text(const qm_line *l) { return l->p ? l->p : ""; }

qm_slice qm_line_slice(const qm_line *l) { return qm_slice_of(l->p, l->n); }

static int reserve(qm_line *l, size_t more) {
  if (l->failed || more >= QM_LINE_MAX - l->n) {
    l->failed = 1;
    return -1;
  }
  if (l->n + more < l->cap) return 0;
  size_t cap = l->cap ? l->cap : 64;
  while (cap <= l->n + more) cap *= 2;
  char *p = realloc(l->p, cap);
  if (!p) {
    l->failed = 1;
    return -1;
  }
  l->p = p;
  l->cap = cap;
  return 0;
}

void qm_line_bytes(qm_line *l, const void *p, size_t n) {
  if (reserve(l, n) != 0) return;
  if (n) memcpy(l->p + l->n, p, n);
  l->n += n;
  l->p[l->n] = '\0';
}

void qm_line_add(qm_line *l, const char *text) { qm_line_bytes(l, text, strlen(text)); }

void qm_line_format(qm_line *l, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  if (n < 0) l->failed = 1;
  if (n >= 0 && reserve(l, (size_t)n) == 0) {
    vsnprintf(l->p + l->n, (size_t)n + 1, format, again);
    l->n += (size_t)n;
  }
  va_end(again);
  va_end(args);
}

/* ---- what is shown ---- */

/* The code point at p and its length; a byte that is no UTF-8 counts as U+FFFD alone. */
static size_t code_point(const uint8_t *p, size_t n, uint32_t *out) {
  size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
  *out = 0xFFFD;
  if (len == 0 || len > n) return 1;
  uint32_t c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xC0) != 0x80) return 1;
    c = c << 6 | (p[i] & 0x3Fu);
  }
  *out = c;
  return len;
}

static int steers(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFFFD || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029;
}

/* One character, made harmless; returns its length in `text`. */
static size_t put_clean(qm_line *l, const uint8_t *p, size_t n, const char *newline) {
  uint32_t c;
  size_t len = code_point(p, n, &c);
  if (c == '\n') qm_line_add(l, newline);
  else if (c == '\t') qm_line_add(l, " ");
  else if (steers(c)) qm_line_add(l, "\xEF\xBF\xBD");
  else qm_line_bytes(l, p, len);
  return len;
}

void qm_line_clean(qm_line *l, qm_slice text, const char *newline) {
  for (size_t i = 0; i < text.n;) i += put_clean(l, text.p + i, text.n - i, newline);
}

void qm_line_cut(qm_line *l, qm_slice text, size_t columns) {
  size_t whole = l->n, room, used = 0, i = 0;
  qm_line_clean(l, text, " ");
  if (l->failed || columns == 0) return;
  qm_slice clean = qm_slice_of(l->p + whole, l->n - whole);
  if (qm_columns(clean) <= columns) return;
  room = columns - 1;
  while (i < clean.n) {
    uint32_t c;
    size_t len = code_point(clean.p + i, clean.n - i, &c);
    size_t wide = qm_columns(qm_slice_of(clean.p + i, len));
    if (used + wide > room) break;
    used += wide;
    i += len;
  }
  l->n = whole + i;
  l->p[l->n] = '\0';
  qm_line_add(l, "…");
}

void qm_line_json(qm_line *l, qm_slice text) {
  qm_line_add(l, "\"");
  for (size_t i = 0; i < text.n; i++) {
    uint8_t c = text.p[i];
    if (c == '"' || c == '\\') qm_line_format(l, "\\%c", c);
    else if (c == '\n') qm_line_add(l, "\\n");
    else if (c < 0x20) qm_line_format(l, "\\u%04x", (unsigned)c);
    else qm_line_bytes(l, &text.p[i], 1);
  }
  qm_line_add(l, "\"");
}

void qm_line_time(qm_line *l, int64_t ms) {
  struct tm tm;
  char text[40];
  time_t t = (time_t)(ms / 1000);
  if (!localtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
    qm_line_add(l, "?");
  else qm_line_add(l, text);
}

void qm_line_size(qm_line *l, uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double v = (double)bytes;
  size_t unit = 0;
  for (; v >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++) v /= 1000;
  qm_line_format(l, unit && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
}

/* ---- names ---- */

#define NEAR_MAX 64u

static uint8_t folded(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 32) : c; }

/* Levenshtein's distance over bytes (a Chinese character counts for up to three). */
static size_t distance(qm_slice a, qm_slice b) {
  size_t row[NEAR_MAX + 1];
  for (size_t j = 0; j <= b.n; j++) row[j] = j;
  for (size_t i = 1; i <= a.n; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.n; j++) {
      size_t change = corner + (folded(a.p[i - 1]) != folded(b.p[j - 1]));
      size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];
      corner = row[j];
      row[j] = change < least + 1 ? change : least + 1;
    }
  }
  return row[b.n];
}

void qm_near_init(qm_near *n, const char *typed) {
  n->typed = qm_str(typed);
  n->best = NULL;
  n->best_n = 0;
  n->distance = SIZE_MAX;
}

void qm_near_offer(qm_near *n, qm_slice name) {
  if (!name.n || !n->typed.n || name.n > NEAR_MAX || n->typed.n > NEAR_MAX) return;
  size_t d = distance(n->typed, name);
  size_t limit = name.n < 4 ? 1 : name.n < 8 ? 2 : 3;
  int begins = n->typed.n >= 2 && name.n > n->typed.n &&
               distance(n->typed, qm_slice_of(name.p, n->typed.n)) == 0;
  if (begins) d = 0;
  if (d > limit || d >= n->typed.n || d >= n->distance) return;
  n->best = (const char *)name.p;
  n->best_n = name.n;
  n->distance = d;
}

int qm_cli_number(const char *text, int64_t min, int64_t max, int64_t *out) {
  char *end;
  const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
  if (*digits < '0' || *digits > '9') return -1;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (*end || errno || v < min || v > max) return -1;
  *out = v;
  return 0;
}
