#include "core/id.h"

#include <string.h>

static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

int qm_id_cmp(const qm_id *a, const qm_id *b) { return memcmp(a->b, b->b, sizeof a->b); }

int qm_id_is_zero(const qm_id *a) {
  static const qm_id zero;
  return qm_id_cmp(a, &zero) == 0;
}

int qm_author_cmp(const qm_author *a, const qm_author *b) {
  return memcmp(a->b, b->b, sizeof a->b);
}

void qm_author_make(qm_author *out, const qm_id *device, const uint8_t epoch[8]) {
  memcpy(out->b, device->b, QM_ID_SIZE);
  memcpy(out->b + QM_ID_SIZE, epoch, QM_AUTHOR_SIZE - QM_ID_SIZE);
}

void qm_author_device(const qm_author *a, qm_id *out) { memcpy(out->b, a->b, QM_ID_SIZE); }

void qm_hex(char *to, const void *p, size_t n) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *at = p;
  for (size_t i = 0; i < n; i++) {
    *to++ = digits[at[i] >> 4];
    *to++ = digits[at[i] & 15];
  }
  *to = '\0';
}

/* Plain ASCII arithmetic: ctype.h would ask the process's locale. */
static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int qm_unhex(void *to, size_t n, const char *text, size_t len) {
  uint8_t *at = to;
  if (len % 2 != 0 || len / 2 != n) return QM_EFORMAT;
  for (size_t i = 0; i < n; i++) {
    int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return QM_EFORMAT;
    at[i] = (uint8_t)(high << 4 | low);
  }
  return QM_OK;
}

/* Calls out the base32 symbols of p one after the other: the top five bits first,
 * the last one filled up with zero bits. */
typedef struct symbol_reader {
  const uint8_t *at, *end;
  unsigned bits, held; /* `held` low bits of `bits` are not given out yet */
} symbol_reader;

static int next_symbol(symbol_reader *r, unsigned *out) {
  if (r->held < 5) {
    if (r->at < r->end) {
      r->bits = (r->bits << 8 | *r->at++) & 0xfff;
      r->held += 8;
    } else if (r->held == 0) {
      return 0;
    } else {
      *out = r->bits << (5 - r->held) & 31;
      r->held = 0;
      return 1;
    }
  }
  r->held -= 5;
  *out = r->bits >> r->held & 31;
  return 1;
}

static symbol_reader reader_of(const void *p, size_t n) {
  symbol_reader r = {.at = p};
  r.end = n ? r.at + n : r.at;
  return r;
}

void qm_base32(char *to, const void *p, size_t n) {
  symbol_reader r = reader_of(p, n);
  unsigned symbol;
  while (next_symbol(&r, &symbol)) *to++ = symbols[symbol];
  *to = '\0';
}

char qm_base32_check(const void *p, size_t n) {
  symbol_reader r = reader_of(p, n);
  unsigned symbol, sum = 0;
  while (next_symbol(&r, &symbol)) sum = (sum * 32 + symbol) % 37;
  return symbols[sum];
}

static int symbol_value(char c) {
  if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
  if (c == 'O') return 0;
  if (c == 'I' || c == 'L') return 1;
  for (int i = 0; i < 32; i++)
    if (symbols[i] == c) return i;
  return -1;
}

int qm_unbase32(void *to, size_t n, const char *text, size_t len) {
  uint8_t *out = to;
  size_t got = 0, count = 0;
  unsigned bits = 0, held = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '-' || text[i] == ' ') continue;
    int v = symbol_value(text[i]);
    if (v < 0) return QM_EFORMAT;
    count++;
    bits = (bits << 5 | (unsigned)v) & 0xfff;
    held += 5;
    if (held < 8) continue;
    if (got == n) return QM_EFORMAT;
    held -= 8;
    out[got++] = (uint8_t)(bits >> held & 0xff);
  }
  /* One text for each value: the rest is shorter than a symbol, and zero. */
  if (got != n || held >= 5 || (bits & ((1u << held) - 1)) != 0) return QM_EFORMAT;
  return count == 0 && n != 0 ? QM_EFORMAT : QM_OK;
}
