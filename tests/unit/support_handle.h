/* support_handle: databases to try the shell on, and what two of them would exchange in a
 * sync, through the engine below them. All names and numbers are invented. */
#ifndef QM_TEST_SUPPORT_HANDLE_H
#define QM_TEST_SUPPORT_HANDLE_H

#include "adapters/handle/handle.h"
#include "tests/unit/support_dir.h"

#define S qm_str
#define NONE qm_slice_of(NULL, 0)
#define NOW_MS UINT64_C(1935904150000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern const char *const app_schema; /* a field of each type and kind of value */

typedef struct app {
  test_dir *dir;
  qm_db *db;
  qm_options o;
  uint64_t now_ms;
  uint32_t drawn; /* by the random hook; 0: the system's */
  qm_error e;
} app;

typedef int32_t (*app_verb)(qm_tx *, qm_slice, qm_slice, qm_slice, qm_slice, uint32_t, qm_error *);

typedef struct world {
  test_dir dir;
  app a, b;
} world;

/* All that this random hook draws differs only in its last bytes: ids have one prefix. */
int32_t app_random(void *payload, uint8_t *to, size_t n);

/* Options of a database in the directory; the clock is now_ms, a second on with each begin. */
void app_set(app *a, test_dir *dir, const char *name);
void app_open(app *a);
void app_start(app *a, test_dir *dir, const char *name); /* set, open, and a space "grid 3" */
void app_reopen(app *a);
qm_tx *app_begin(app *a);
void app_commit(app *a, qm_tx *tx);
/* A change of one verb on a household; its result. */
int app_one(app *a, app_verb v, const char *record, const char *field, const char *value,
            uint32_t flags);
/* A save of a new household whose write to the log of this database fails, as does each later
 * one: an error of the disk, not a full one. */
void app_fail_save(app *a);
/* A new household. */
void app_make(app *a, const char *key, char id[27]);
void app_get(app *a, const char *record, uint32_t flags, qm_text *out);
/* The household's JSON, or the status, holds this. */
int app_shows(app *a, const char *record, const char *part);
int app_status_holds(app *a, const char *part);
int text_holds(const qm_text *t, const char *part);
/* The text between `name` and the next quote. */
void text_member(const qm_text *t, const char *name, char *to, size_t size);

qm_space *app_space(app *a); /* the first */
/* w->b: another device with the space of w->a. */
void app_second(world *w);
/* b takes what a has and b lacks. */
void app_deliver(app *a, app *b);
void app_deliver_space(app *a, app *b, const char *space); /* by its name */

/* A world with w->a started, for cmocka. */
int app_setup(void **state);
int app_teardown(void **state);

#endif
