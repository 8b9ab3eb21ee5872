/* support_store: stores to test, values to put into them, and a store's content as text,
 * so that a test compares strings. */
#ifndef QM_TEST_SUPPORT_STORE_H
#define QM_TEST_SUPPORT_STORE_H

#include "core/store.h"

typedef enum store_kind { STORE_MEM, STORE_SQLITE, STORE_SQLITE_RELAXED } store_kind;

typedef struct test_store {
  qm_store *s;
  const qm_store_ops *ops;
  qm_env env;
  char directory[256];
  char path[280];
} test_store;

/* A new, empty store, in a directory of its own where it needs one. */
void test_store_open(test_store *t, store_kind kind);
void test_store_close(test_store *t); /* and removes the directory */

/* Runs the n tests of a suite as the group `name`, each on a new store in *t, with *out (may be
 * NULL) cleared. How many failed. */
struct CMUnitTest;
struct text;
int test_store_run(const char *name, store_kind kind, test_store *t, struct text *out,
                   const struct CMUnitTest *suite, size_t n);

#define SLICE(text) qm_slice_of(text, sizeof(text) - 1)
qm_slice slice_of(const char *text);
qm_id id_of(uint32_t n); /* ascends with n */
qm_author author_of(uint32_t n);
qm_record_row record_of(uint32_t n, uint32_t collection, const char *state);
qm_author_row author_row_of(uint32_t number, uint64_t next);
qm_vv vv_of(const qm_env *env, const uint64_t *next, uint32_t n);

/* Text that grows; static storage in the caller, checked for room. */
typedef struct text {
  char b[1 << 16];
  size_t n;
} text;
void text_clear(text *t);
void text_add(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Visitors that write one line a row to the text in payload. */
int text_meta(void *payload, qm_slice key, qm_slice value); /* key=value; */
int text_space(void *payload, const qm_space_row *row);     /* number:id:blob; */
int text_author(void *payload,
                const qm_author_row *row); /* number:id:next:closed:head:time:clock; */
int text_record(void *payload, const qm_record_row *row); /* id:collection:hash:state; */
int text_id(void *payload, const qm_id *id);              /* id; */
int text_log(void *payload, const qm_log_row *row);       /* seq[author:start-next,…]batch; */
int text_open(void *payload, const qm_open_row *row);     /* counter:change; */
int text_feed(void *payload, const qm_feed_row *row);     /* seq:space:id:fields; */

/* All that the store's functions show of the spaces 1..spaces. Creation dots and keys are
 * asked for authors, counters and indexes below 4, 40 and 3, and keys "k0" … "k9". */
void text_dump(text *t, test_store *s, uint32_t spaces);

/* A generator of the tests' own: the same seed, the same run. */
uint32_t draw(uint64_t *seed, uint32_t below);

#endif
