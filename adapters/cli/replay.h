/* replay: the measuring stick (internal). Plays a trace of form saves with one
 * replica per trace device and a hub, and dumps what the hub then shows. The rules
 * are those of SPEC §11; each trace line is one op, and consecutive lines of one
 * device, time, collection and record are one change. */
#ifndef QM_REPLAY_H
#define QM_REPLAY_H

#include "core/engine.h"
#include "core/write.h"

typedef enum qm_line_op {
  QM_LINE_NEW,
  QM_LINE_ERASE,
  QM_LINE_SET,
  QM_LINE_ADD,
  QM_LINE_REMOVE,
  QM_LINE_INC,
  QM_LINE_APPEND,
  QM_LINE_CHOP,
  QM_LINE_SYNC,
  QM_LINE_RUSH,
  QM_LINE_META
} qm_line_op;

typedef struct qm_line {
  qm_line_op op;
  uint32_t device;
  uint64_t t;
  uint32_t record; /* index into records */
  uint32_t field;  /* index into fields */
  uint64_t n;      /* chop */
  qm_slice value;  /* canonical MessagePack */
} qm_line;

typedef struct qm_trace_collection {
  qm_slice name;
  uint32_t number;
} qm_trace_collection;
typedef struct qm_trace_field {
  uint32_t collection;
  qm_slice name;
  uint32_t number;
  uint8_t type;
} qm_trace_field;
typedef struct qm_trace_record {
  uint32_t collection;
  qm_slice name;
  qm_id id;
  uint32_t next; /* hash chain */
} qm_trace_record;

typedef struct qm_trace {
  const qm_env *env;
  qm_arena arena;
  qm_line *lines;
  uint32_t n_lines, cap_lines;
  qm_trace_collection *collections;
  uint32_t n_collections, cap_collections;
  qm_trace_field *fields;
  uint32_t n_fields, cap_fields;
  qm_trace_record *records;
  uint32_t n_records, cap_records;
  uint32_t *buckets;
  uint32_t n_buckets;
  uint32_t devices, grids;
  uint32_t *grid_of_device;
} qm_trace;

/* Reads TRACE.jsonl or TRACE.jsonl.gz. *e names the line at fault. */
int qm_trace_read(qm_trace *t, const qm_env *env, const char *path, qm_error *e);
void qm_trace_free(qm_trace *t);
/* The schema that the trace's ops imply. Appends its MessagePack form. */
int qm_trace_schema(const qm_trace *t, qm_buf *out, qm_error *e);
/* Id of grid g's space, and of trace device d (15 zero bytes and the number). */
void qm_trace_space(uint32_t grid, qm_id *out);
void qm_trace_device(uint32_t device, qm_id *out);
/* Lines [first, *end) are one change of one device. */
uint32_t qm_trace_change_end(const qm_trace *t, uint32_t first);
/* Plays one change on its device's replica. */
int qm_trace_play(const qm_trace *t, uint32_t first, uint32_t end, qm_engine *e, qm_space *s,
                  qm_error *err);
/* The same, committed so. */
int qm_trace_play_as(const qm_trace *t, uint32_t first, uint32_t end, qm_engine *e, qm_space *s,
                     qm_durability durability, qm_error *err);
/* Appends the dump of all spaces of a replica; *records: lines written. */
int qm_trace_dump(const qm_trace *t, qm_engine *e, qm_buf *out, uint64_t *records);

typedef struct qm_replay_options {
  const char *trace, *via, *dir, *dump, *db, *hub, *program;
  int json;
  long device;         /* -1: all */
  uint64_t push_every; /* with device: closes a segment after so many changes; 0: only to sync */
  uint64_t seed;
} qm_replay_options;

typedef struct qm_replay_result {
  uint64_t ops, changes, syncs, records, bytes_up, bytes_down;
  int converged;
  double apply_seconds;
  char digest[65];
} qm_replay_result;

int qm_replay_memory(const qm_trace *t, const qm_replay_options *o, qm_replay_result *r,
                     qm_buf *dump, qm_error *e);
int qm_replay_tls(const qm_trace *t, const qm_replay_options *o, qm_replay_result *r, qm_buf *dump,
                  qm_error *e);
/* One device's lines on an enrolled store, with its real id and epoch. */
int qm_replay_device(qm_trace *t, const qm_replay_options *o, qm_replay_result *r, qm_error *e);
/* CPU seconds of this process. */
double qm_replay_cpu(void);

#endif
