/* (S17.1, S17.2, S17.3) Files of records: kept once and whole, named by what is in them, and
 * said to be where they are. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/handle/handle_blob.h"
#include "adapters/handle/media.h"
#include "support_handle.h"
#include "support_photo.h"

static void tells_what_a_file_is(void **state) {
  static const struct {
    const char *bytes, *type;
    size_t n;
  } files[] = {{"\xff\xd8\xff\xe0", "image/jpeg", 4},
               {"\x89PNG\r\n\x1a\n", "image/png", 8},
               {"\x89PNG\r\n\x1a", "application/octet-stream", 7},
               {"\0\0\0\x18" "ftypheic", "image/heic", 12},
               {"\0\0\0\x18" "ftypisom", "video/mp4", 12},
               {"RIFF\0\0\0\0WEBP", "image/webp", 12},
               {"RIFF\0\0\0\0WAVE", "application/octet-stream", 12},
               {"%PDF-1.7", "application/pdf", 8},
               {"", "application/octet-stream", 0}};
  (void)state;
  for (size_t i = 0; i < COUNT(files); i++)
    assert_string_equal(qm__media_type(qm_slice_of(files[i].bytes, files[i].n)), files[i].type);
}

static void reads_when_a_photo_was_taken(void **state) {
  char taken[20];
  uint8_t copy[sizeof photo];
  (void)state;
  assert_int_equal(qm__media_taken(qm_slice_of(photo, sizeof photo), taken), 1);
  assert_string_equal(taken, "2031-05-06T07:08:09");
  /* Cut anywhere it reads as nothing, and nothing beyond its end is touched. */
  for (size_t n = 0; n < sizeof photo - 3; n++) {
    uint8_t *cut = malloc(n + 1);
    assert_non_null(cut);
    memcpy(cut, photo, n);
    assert_int_equal(qm__media_taken(qm_slice_of(cut, n), taken), 0);
    free(cut);
  }
  /* Offsets to anywhere. */
  for (size_t at = 6; at < sizeof photo; at++) {
    memcpy(copy, photo, sizeof photo);
    copy[at] = 0xff;
    (void)qm__media_taken(qm_slice_of(copy, sizeof copy), taken);
  }
  memcpy(copy, photo, sizeof photo);
  copy[62] = 'x'; /* in the month */
  assert_int_equal(qm__media_taken(qm_slice_of(copy, sizeof copy), taken), 0);
}

static int32_t attach(app *a, const char *record, const char *field, const char *path,
                      qm_text *out) {
  qm_tx *tx = app_begin(a);
  int32_t rc = qm_attach(tx, S("household"), S(record), S(field), path, out, &a->e);
  app_commit(a, tx);
  return rc;
}

static int holds(app *a, const char *part) {
  qm_text t = {0};
  assert_int_equal(qm_attachments(a->db, NONE, NONE, NONE, &t, &a->e), QM_OK);
  int found = text_holds(&t, part);
  qm_text_free(&t);
  return found;
}

static void remove_files(app *a) {
  char command[400];
  snprintf(command, sizeof command, "rm -rf '%s.files'", a->o.path);
  assert_int_equal(system(command), 0);
}

static void keeps_a_file_once(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27], path[QM_BLOB_PATH_MAX], hash[65];
  uint64_t size;
  qm_text t = {0};
  const char *file = test_dir_file(&w->dir, "p.jpg");
  app_make(a, "001", id);
  test_file_write(file, photo, sizeof photo);
  assert_int_equal(attach(a, id, "any", file, &t), QM_OK);
  assert_true(text_holds(&t, "{\"mime\":\"image/jpeg\",\"sha256\":\""));
  assert_true(text_holds(&t, ",\"taken_at\":\"2031-05-06T07:08:09\"}"));
  text_member(&t, "\"sha256\":\"", hash, sizeof hash);
  qm_text_free(&t);
  assert_int_equal(qm__blob_path(a->db, hash, path, &size), QM_OK);
  assert_int_equal(size, sizeof photo);
  assert_int_equal(test_file_mode(path), 0600);
  assert_int_equal(attach(a, id, "any", file, NULL), QM_OK); /* again: nothing is added */
  assert_true(holds(a, "\"status\":\"here-only\",\"path\":\""));
  /* A file of that name with another size is not taken for it, and made good. */
  test_file_truncate(path, 3);
  assert_true(holds(a, "\"status\":\"announced\"}"));
  assert_int_equal(attach(a, id, "any", file, NULL), QM_OK);
  assert_true(holds(a, "\"status\":\"here-only\""));
  unlink(path);
  assert_true(holds(a, "\"status\":\"announced\"}"));
  remove_files(a);
}

static void another_device_has_it_announced(void **state) {
  world *w = *state;
  char id[27];
  const char *file = test_dir_file(&w->dir, "p.jpg");
  app_make(&w->a, "001", id);
  test_file_write(file, photo, sizeof photo);
  assert_int_equal(attach(&w->a, id, "any", file, NULL), QM_OK);
  app_second(w);
  app_deliver(&w->a, &w->b);
  assert_true(holds(&w->a, "\"status\":\"here-only\""));
  assert_true(holds(&w->b, "\"taken_at\":\"2031-05-06T07:08:09\",\"status\":\"announced\"}"));
  remove_files(&w->a);
}

static void refuses_what_it_cannot_keep(void **state) {
  world *w = *state;
  app *a = &w->a;
  char id[27];
  const char *file = test_dir_file(&w->dir, "p.jpg");
  app_make(a, "001", id);
  assert_int_equal(attach(a, id, "any", file, NULL), QM_ENOTFOUND);
  test_file_write(file, photo, 0);
  assert_int_equal(attach(a, id, "any", file, NULL), QM_EINVAL);
  assert_int_equal(attach(a, id, "any", w->dir.path, NULL), QM_EINVAL);
  assert_int_equal(attach(a, id, "any", "/dev/null", NULL), QM_EINVAL);
  test_file_write(file, photo, sizeof photo);
  assert_int_equal(attach(a, id, "head", file, NULL), QM_ESCHEMA); /* a text */
  assert_int_equal(attach(a, id, "tags", file, NULL), QM_ESCHEMA);
  assert_int_equal(attach(a, id, "nothing", file, NULL), QM_ESCHEMA);
  assert_int_equal(attach(a, "ZZZZZZZZZZZZZZZZZZZZZZZZZ0", "any", file, NULL), QM_ENOTFOUND);
  assert_false(holds(a, "sha256"));
  remove_files(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_what_a_file_is),
      cmocka_unit_test(reads_when_a_photo_was_taken),
#define T(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
      T(keeps_a_file_once),
      T(another_device_has_it_announced),
      T(refuses_what_it_cannot_keep),
#undef T
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
