/* media.c: see media.h. */
#include "adapters/handle/media.h"

#include <string.h>

/* ---- what it is ---- */

static int begins(qm_slice s, size_t at, const char *with, size_t n) {
  return s.n >= at && s.n - at >= n && memcmp(s.p + at, with, n) == 0;
}

static const char *iso_media(qm_slice s) {
  static const struct {
    const char *brand, *type;
  } brands[] = {{"heic", "image/heic"}, {"heix", "image/heic"}, {"mif1", "image/heif"},
                {"heif", "image/heif"}, {"avif", "image/avif"}, {"qt  ", "video/quicktime"}};
  for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
    if (begins(s, 8, brands[i].brand, 4)) return brands[i].type;
  return "video/mp4";
}

const char *qm__media_type(qm_slice s) {
  static const struct {
    const char *bytes, *type;
    size_t n;
  } signatures[] = {{"\xff\xd8\xff", "image/jpeg", 3},
                    {"\x89PNG\r\n\x1a\n", "image/png", 8},
                    {"GIF87a", "image/gif", 6},
                    {"GIF89a", "image/gif", 6},
                    {"II*\0", "image/tiff", 4},
                    {"MM\0*", "image/tiff", 4},
                    {"%PDF-", "application/pdf", 5},
                    {"PK\x03\x04", "application/zip", 4}};
  for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
    if (begins(s, 0, signatures[i].bytes, signatures[i].n)) return signatures[i].type;
  if (begins(s, 0, "RIFF", 4) && begins(s, 8, "WEBP", 4)) return "image/webp";
  if (begins(s, 4, "ftyp", 4)) return iso_media(s);
  return "application/octet-stream";
}

/* ---- EXIF ---- */

#define TAG_EXIF 0x8769u     /* in the first directory: where the second stands */
#define TAG_ORIGINAL 0x9003u /* DateTimeOriginal */
#define TAG_DATE 0x0132u     /* DateTime */

typedef struct tiff {
  qm_slice s;
  int big; /* most significant byte first */
} tiff;

/* 0 where it is not there: no offset of meaning is 0. */
static uint32_t get(const tiff *t, size_t at, size_t n) {
  uint32_t v = 0;
  if (at > t->s.n || t->s.n - at < n) return 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | t->s.p[t->big ? at + i : at + n - 1 - i];
  return v;
}

/* The value field of a tag in the directory at `at`; 0: no such tag. */
static uint32_t find_tag(const tiff *t, size_t at, uint32_t tag) {
  uint32_t n = get(t, at, 2);
  for (uint32_t i = 0; i < n; i++) {
    size_t entry = at + 2 + (size_t)i * 12;
    if (entry > t->s.n || t->s.n - entry < 12) return 0;
    if (get(t, entry, 2) == tag) return get(t, entry + 8, 4);
  }
  return 0;
}

static int is_digits(const uint8_t *p, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i] < '0' || p[i] > '9') return 0;
  return 1;
}

static unsigned two(const uint8_t *p) {
  return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* "YYYY:MM:DD hh:mm:ss" */
static int read_time(qm_slice s, size_t at, char out[20]) {
  if (!at || at > s.n || s.n - at < 19) return 0;
  const uint8_t *p = s.p + at;
  if (!is_digits(p, 4) || p[4] != ':' || !is_digits(p + 5, 2) || p[7] != ':') return 0;
  if (!is_digits(p + 8, 2) || p[10] != ' ' || !is_digits(p + 11, 2) || p[13] != ':') return 0;
  if (!is_digits(p + 14, 2) || p[16] != ':' || !is_digits(p + 17, 2)) return 0;
  unsigned month = two(p + 5), day = two(p + 8);
  if (!month || month > 12 || !day || day > 31 || two(p) < 19) return 0;
  if (two(p + 11) > 23 || two(p + 14) > 59 || two(p + 17) > 60) return 0;
  memcpy(out, p, 19);
  out[4] = out[7] = '-';
  out[10] = 'T';
  out[19] = '\0';
  return 1;
}

static int exif_time(qm_slice s, char out[20]) {
  tiff t = {s, begins(s, 0, "MM", 2)};
  if (!t.big && !begins(s, 0, "II", 2)) return 0;
  uint32_t first = get(&t, 4, 4);
  uint32_t second = first ? find_tag(&t, first, TAG_EXIF) : 0;
  if (second && read_time(s, find_tag(&t, second, TAG_ORIGINAL), out)) return 1;
  return first && read_time(s, find_tag(&t, first, TAG_DATE), out);
}

int qm__media_taken(qm_slice s, char out[20]) {
  if (!begins(s, 0, "\xff\xd8", 2)) return 0;
  /* Segments: FF, kind, length (with its own two bytes), content; up to the picture. */
  for (size_t at = 2; s.n - at >= 4 && s.p[at] == 0xFF && s.p[at + 1] != 0xDA;) {
    size_t n = (size_t)s.p[at + 2] << 8 | s.p[at + 3];
    if (n < 2 || s.n - at - 2 < n) return 0;
    if (s.p[at + 1] == 0xE1 && n >= 8 && begins(s, at + 4, "Exif\0\0", 6))
      return exif_time(qm_slice_of(s.p + at + 10, n - 8), out);
    at += 2 + n;
  }
  return 0;
}
