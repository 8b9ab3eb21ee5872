#include "tests/unit/support_dir.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void test_dir_make(test_dir *d) {
  const char *base = getenv("TMPDIR");
  memset(d, 0, sizeof *d);
  snprintf(d->path, sizeof d->path, "%s/qm-unit-XXXXXX", base ? base : "/tmp");
  assert_non_null(mkdtemp(d->path));
}

const char *test_dir_file(test_dir *d, const char *name) {
  char whole[sizeof d->file[0]];
  snprintf(whole, sizeof whole, "%s/%s", d->path, name);
  return memcpy(d->file[d->n++ % 8], whole, sizeof whole);
}

static int each(const test_dir *d, int remove_them) {
  DIR *dir = opendir(d->path);
  struct dirent *entry;
  int n = 0;
  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL) {
    char path[600];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    n++;
    snprintf(path, sizeof path, "%s/%s", d->path, entry->d_name);
    if (remove_them) assert_int_equal(unlink(path), 0);
  }
  closedir(dir);
  return n;
}

void test_dir_remove(test_dir *d) {
  each(d, 1);
  assert_int_equal(rmdir(d->path), 0);
}

int test_dir_count(const test_dir *d) { return each(d, 0); }

int64_t test_file_size(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

unsigned test_file_mode(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return (unsigned)(st.st_mode & 07777);
}

/* The whole file, to be freed. */
static uint8_t *read_all(const char *path, size_t *n) {
  int64_t size = test_file_size(path);
  assert_true(size >= 0);
  uint8_t *p = malloc((size_t)size + 1);
  FILE *in = fopen(path, "rb");
  assert_non_null(p);
  assert_non_null(in);
  *n = fread(p, 1, (size_t)size, in);
  assert_int_equal(*n, size);
  fclose(in);
  return p;
}

void test_file_write(const char *path, const void *p, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(p, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

void test_file_copy(const char *from, const char *to) {
  size_t n;
  uint8_t *p = read_all(from, &n);
  test_file_write(to, p, n);
  free(p);
}

void test_file_truncate(const char *path, int64_t size) {
  assert_int_equal(truncate(path, (off_t)size), 0);
}

void test_file_damage(const char *path, int64_t offset, size_t n) {
  size_t size;
  uint8_t *p = read_all(path, &size);
  assert_true((size_t)offset + n <= size);
  for (size_t i = 0; i < n; i++) p[(size_t)offset + i] ^= 0xff;
  test_file_write(path, p, size);
  free(p);
}

int test_file_contains(const char *path, const char *word) {
  size_t n, len = strlen(word);
  uint8_t *p = read_all(path, &n);
  int found = 0;
  for (size_t i = 0; i + len <= n && !found; i++) found = memcmp(p + i, word, len) == 0;
  free(p);
  return found;
}
