/* scenario: plays a scenario file and checks what it expects (SPEC §25). Devices are databases
 * through core/qianmo.h, on a clock of the scenario; what carries changes between them is a
 * qm_world: a hub process over TLS, or one in this process. */
#ifndef QM_SCENARIO_H
#define QM_SCENARIO_H

#include "adapters/cli/cli_json.h"
#include "adapters/cli/cli_out.h"
#include "core/qianmo.h"

#define QM_SCENARIO_PATH 1024u
#define QM_SCENARIO_VARS 4u
#define QM_SCENARIO_STEP_MS 10000 /* each step takes so long */

typedef struct qm_scenario_device {
  char *name, *member, *role;
  char **spaces; /* n_spaces names */
  uint32_t n_spaces;
  int64_t skew_ms;   /* what its own clock is ahead */
  uint64_t fixed_ms; /* what its clock shows; 0: the system's, skewed (while it syncs) */
  qm_db *db;
} qm_scenario_device;

/* Where the changes meet. Calls on one thread; each error is said in *e. */
typedef struct qm_world qm_world;
typedef struct qm_world_ops {
  /* A space whose schema is FILE or FILE#KIND. Before start. */
  int (*space)(qm_world *w, const char *name, const char *schema, qm_error *e);
  /* Tells of a device before start; its database is not open yet. */
  int (*device)(qm_world *w, qm_scenario_device *d, qm_error *e);
  int (*start)(qm_world *w, qm_error *e);
  /* The database is open, and becomes a device of the world. */
  int (*join)(qm_world *w, qm_scenario_device *d, qm_error *e);
  int (*sync)(qm_world *w, qm_scenario_device *d, qm_error *e);
  void (*close)(qm_world *w);
} qm_world_ops;
struct qm_world {
  const qm_world_ops *ops;
};

/* dir: an empty directory, borrowed; NUL-terminated. */
int qm_world_tls(qm_world **out, const char *dir, qm_error *e);
int qm_world_memory(qm_world **out, qm_error *e);

/* ---- names and numbers in braces ---- */

typedef struct qm_scenario_vars {
  struct {
    char name[16];
    int64_t value;
  } v[QM_SCENARIO_VARS];
  uint32_t n;
} qm_scenario_vars;

/* What a record is called in the file. */
typedef struct qm_scenario_label {
  char *name, *space, *collection, *id;
  struct qm_scenario_label *next; /* of its bucket */
} qm_scenario_label;
#define QM_SCENARIO_BUCKETS 1024u

typedef struct qm_scenario {
  qm_cli *cli;
  const char *path; /* of the file */
  qm_tree tree;
  qm_world *world;
  const char *via;
  char dir[QM_SCENARIO_PATH];
  qm_scenario_device *devices;
  uint32_t n_devices;
  uint32_t n_spaces;
  char **space_names, **space_ids; /* n_spaces; an id once a device has the space */
  qm_scenario_label *labels[QM_SCENARIO_BUCKETS];
  uint64_t now_ms; /* true time of the scenario */
  int32_t utc_minutes;
  uint32_t step; /* from 1, as they stand in the file */
  uint32_t steps, syncs, expectations, failed, writes;
  const qm_node *because; /* of the expectation at hand */
} qm_scenario;

/* "{i+1:02}" and so on; a variable that there is not: QM_EUSAGE. */
int qm_scenario_text(const qm_scenario_vars *v, qm_slice in, qm_line *out, qm_error *e);
int qm_scenario_number(const qm_scenario_vars *v, qm_slice expression, int64_t *out, qm_error *e);
/* JSON of a node: texts with braces filled in; "=EXPRESSION" a number; "@LABEL" the record's id,
 * "@@LABEL" SPACE/RECORD; "@now" the clock in milliseconds. */
int qm_scenario_json(const qm_scenario *s, const qm_scenario_vars *v, const qm_node *n,
                     qm_line *out, qm_error *e);
/* "2026-03-02 08:30", at the scenario's offset. QM_EUSAGE. */
int qm_scenario_time(const qm_scenario *s, const char *text, uint64_t *out, qm_error *e);
/* Calls `what` for each combination of "repeat" of the node (none: once). Stops at an error. */
typedef int (*qm_scenario_each)(void *payload, const qm_node *n, const qm_scenario_vars *v,
                                qm_error *e);
int qm_scenario_repeat(const qm_node *n, const qm_scenario_vars *outer, qm_scenario_each what,
                       void *payload, qm_error *e);

int qm_scenario_label_put(qm_scenario *s, const char *name, qm_slice space, qm_slice collection,
                          const char *id);
const qm_scenario_label *qm_scenario_label_find(const qm_scenario *s, const char *name);
/* What the file calls the record with this id; NULL. */
const char *qm_scenario_label_of(const qm_scenario *s, qm_slice id);
/* Of a space by name; NULL. */
const char *qm_scenario_space_id(const qm_scenario *s, const char *name);
qm_scenario_device *qm_scenario_device_named(const qm_scenario *s, const char *name);

/* A record as the file names it: a label, or "COLLECTION key:VALUE". space: what the step says,
 * or NULL: that of the label. */
typedef struct qm_scenario_record {
  qm_line space, collection, record;
} qm_scenario_record;
int qm_scenario_record_of(const qm_scenario *s, const qm_scenario_vars *v, const qm_node *name,
                          const qm_node *space, qm_scenario_record *out, qm_error *e);
void qm_scenario_record_free(qm_scenario_record *r);

/* ---- steps ---- */

/* Plays "does" as one transaction; *bad: what the file names is not there (e says what), which
 * is no refusal by the library. */
int qm_scenario_do(qm_scenario *s, const qm_scenario_vars *v, qm_scenario_device *d,
                   const qm_node *step, int *bad, qm_error *e);
/* Refers a record, or brings answers down, as the step says. */
int qm_scenario_refer(qm_scenario *s, const qm_scenario_vars *v, qm_scenario_device *d,
                      const qm_node *step, int *bad, qm_error *e);
/* Checks one entry of "expect"; counts, and reports what is not so. Errors: of the file. */
int qm_scenario_expect(qm_scenario *s, const qm_scenario_vars *v, const qm_node *check,
                       qm_error *e);
/* Counts an expectation; `got` NULL: it holds. what: what was looked at. */
void qm_scenario_judge(qm_scenario *s, const char *what, const char *wanted, const char *got);

#endif
