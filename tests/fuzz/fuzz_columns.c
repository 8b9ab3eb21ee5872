/* Columns of a snapshot's records. What they hold, where it is records, reads as the same
 * once it is written again. Input: a block. */
#include "core/record.h"
#include "core/state_columns.h"
#include "tests/fuzz/support_fuzz.h"

#define ITEMS_MAX ((size_t)1 << 20)

/* Appends the items, each behind its length. */
static int read_all(qm_slice in, qm_buf *items) {
  qm_columns *r;
  qm_buf item;
  int rc = qm__columns_open(&r, fuzz_env(), in);
  if (rc != QM_OK) return rc;
  qm_buf_init(&item, fuzz_env(), ITEMS_MAX);
  while ((rc = qm__columns_next(r, &item)) == QM_OK && items->n + item.n + 4 <= ITEMS_MAX) {
    qm_buf_be32(items, (uint32_t)item.n);
    qm_buf_add(items, item.p, item.n);
    qm_buf_clear(&item);
  }
  qm__columns_close(r);
  qm_buf_free(&item);
  return rc == QM_ENOTFOUND ? QM_OK : rc ? rc : QM_EOVERSIZE;
}

static void write_again(qm_slice items) {
  qm_authors authors;
  qm_buf out, back;
  fuzz_authors(&authors);
  qm_buf_init(&out, fuzz_env(), 2 * ITEMS_MAX);
  qm_buf_init(&back, fuzz_env(), ITEMS_MAX);
  int rc = qm__columns_write(&out, items, authors.rank, authors.n, 1, NULL);
  FUZZ_CHECK(rc == QM_OK || rc == QM_ELIMIT);
  if (rc == QM_OK) {
    FUZZ_OK(read_all(qm_buf_slice(&out), &back));
    FUZZ_SAME(items, qm_buf_slice(&back));
  }
  qm_buf_free(&out);
  qm_buf_free(&back);
  qm_authors_free(&authors);
}

/* Are the items records of these authors? */
static int all_records(qm_slice items) {
  qm_authors authors;
  qm_arena arena;
  qm_cur c, in;
  int rc = QM_OK;
  fuzz_authors(&authors);
  qm_arena_init(&arena, fuzz_env(), FUZZ_LIVE_MAX / 4);
  qm_cur_init(&c, items);
  while (rc == QM_OK && qm_cur_left(&c)) {
    uint32_t n = 0;
    qm_slice item = {NULL, 0}, blob = {NULL, 0};
    qm_record r;
    qm_id id;
    FUZZ_OK(qm_cur_be32(&c, &n));
    FUZZ_OK(qm_cur_span(&c, n, &item));
    qm_cur_init(&in, item);
    FUZZ_OK(qm_cur_array_n(&in, 2));
    FUZZ_OK(qm_cur_bin_n(&in, id.b, sizeof id.b));
    FUZZ_OK(qm_cur_bin(&in, &blob));
    FUZZ_OK(qm_cur_end(&in));
    rc = qm_record_decode(&r, &id, blob, &authors, &arena);
    qm_arena_reset(&arena);
  }
  qm_arena_free(&arena);
  qm_authors_free(&authors);
  return rc == QM_OK;
}

void fuzz_columns(qm_slice in) {
  qm_buf items;
  qm_buf_init(&items, fuzz_env(), ITEMS_MAX);
  int rc = read_all(in, &items);
  FUZZ_CHECK(rc != QM_EINTERNAL && rc != QM_ENOMEM && rc != QM_ELIMIT && rc != QM_ENOTFOUND);
  if (rc == QM_OK && all_records(qm_buf_slice(&items))) write_again(qm_buf_slice(&items));
  qm_buf_free(&items);
}
