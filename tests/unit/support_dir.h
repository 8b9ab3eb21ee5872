/* support_dir: a directory for one test, and the files in it. */
#ifndef QM_TEST_SUPPORT_DIR_H
#define QM_TEST_SUPPORT_DIR_H

#include <stddef.h>
#include <stdint.h>

typedef struct test_dir {
  char path[256];
  char file[8][300]; /* of test_dir_file, round and round */
  int n;
} test_dir;

void test_dir_make(test_dir *d);
void test_dir_remove(test_dir *d);     /* with all files in it */
int test_dir_count(const test_dir *d); /* files in it */
/* The path of a file in it. Stands until seven more were asked for. */
const char *test_dir_file(test_dir *d, const char *name);

int64_t test_file_size(const char *path); /* -1: none */
unsigned test_file_mode(const char *path);
void test_file_copy(const char *from, const char *to);
void test_file_truncate(const char *path, int64_t size);
/* Inverts n bytes at offset. */
void test_file_damage(const char *path, int64_t offset, size_t n);
/* Replaces what is there. */
void test_file_write(const char *path, const void *p, size_t n);
int test_file_contains(const char *path, const char *word);

#endif
