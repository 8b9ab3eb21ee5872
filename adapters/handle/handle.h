/* handle: what the files of the shell share. The shell is one struct over one store, one
 * engine and one mutex; core/qianmo.h is its contract.
 *
 * Invariants
 * 1. Store and engine are touched only with `mutex` held. A sync lets go of it while it
 *    waits for the network (handle_sync.c).
 * 2. At most one transaction is open (tx), and the engine's is open exactly then, or inside
 *    one call. Nothing but tx writes meanwhile.
 * 3. Readers decode records from the store themselves and not through the engine, so that
 *    they see what was committed also while a transaction is open.
 * 4. The engine is closed and opened again where another process has written (QM_EBUSY for
 *    good, see adapters/sqlite/store_sqlite.h) and at the next call after storage failed under
 *    it (qm_engine_status), but never while a transaction or a sync holds on to it: a sync ends
 *    for it. Where opening again failed, `engine` is NULL until it succeeds.
 * 5. While `suspended`, and nothing of before runs any more, nothing is open (handle_suspend.c). */
#ifndef QM_HANDLE_H
#define QM_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapters/handle/handle_wait.h"
#include "adapters/sqlite/project.h"
#include "adapters/sqlite/query.h"
#include "core/aside.h"
#include "core/class.h"
#include "core/engine.h"
#include "core/member.h"
#include "core/qianmo.h"
#include "core/read.h"
#include "core/relation.h"
#include "core/write.h"
#include "sync/crypto.h"

#define QM_HANDLE_TEXT_MAX ((size_t)256 << 20) /* of one result */
#define QM_HANDLE_ARENA_MAX ((size_t)512 << 20)
#define QM_HANDLE_ID_SIZE 27                      /* base32 and a NUL */
#define QM_HANDLE_SANE_MS UINT64_C(1577836800000) /* 2020-01-01: clocks before it are wrong */

/* Small things of the shell in the store's meta, beside the engine's own. */
#define QM_META_KEY "handle/key"       /* PKCS#8, not encrypted */
#define QM_META_CERT "handle/cert"     /* DER */
#define QM_META_CA "handle/ca"         /* DER */
#define QM_META_HUB "handle/hub"       /* HOST:PORT */
#define QM_META_HUB_ID "handle/hub-id" /* 16 bytes */
#define QM_META_HUB_KEY "handle/hub-key" /* its public key: SPKI */
#define QM_META_MEMBER "handle/member"
#define QM_META_NAME "handle/name"           /* of the device */
#define QM_META_TEST_DATA "handle/test-data" /* present: yes */
#define QM_META_SYNC "handle/sync"           /* [last success ms, last try ms, code] */
#define QM_META_REFUSED "handle/refused/"    /* + space, author: [counter, code, message, ms] */
#define QM_META_KEEP "handle/keep"           /* [days, MB] */
#define QM_META_CAPPED "handle/capped"       /* [ms of the last cut by size, bytes over] */
#define QM_META_LOCAL "handle/local/"        /* + space id: made here, without a hub */

/* What happened, until somebody asks (handle_events.c). A mutex of its own, taken last. */
#define QM_EVENTS_SYNC_MAX 16
typedef struct qm_events_state {
  pthread_mutex_t mutex;
  pthread_cond_t news;
  atomic_int used; /* from the first call on: before that nothing is kept */
  int fds[2];      /* a pipe: a byte in it as long as there is something */
  int has_fds, filled;
  uint32_t kinds;  /* bits, by qm_event_of */
  struct {
    int kind;
    int32_t code;
  } syncs[QM_EVENTS_SYNC_MAX];
  uint32_t n_syncs;
  qm_sync_progress progress;
  uint32_t interrupts;
  int listening, leaving;
  pthread_t thread;
  void (*told)(void *payload, const char *line, size_t n);
  void (*free_payload)(void *payload);
  void *payload;
} qm_events_state;

struct qm_db {
  pthread_mutex_t mutex;
  pthread_cond_t ended; /* a transaction ended */
  pthread_cond_t changed; /* something was committed, or interrupts rose */
  uint32_t interrupts;    /* calls of qm_interrupt */
  qm_options options;   /* path is ours */
  qm_env env;
  qm_store *store;
  qm_engine *engine; /* NULL: could not be opened again yet */
  qm_projection *projection; /* NULL where read-only */
  qm_key *key;
  qm_tx *tx;
  int syncing;
  struct qm_client_wake *wake; /* of a session that stays */
  atomic_int suspended;        /* calls are refused; set and cleared with the mutex held */
  atomic_uint cancels;         /* calls of qm_sync_cancel */
  struct qm_link *link;        /* open, in place of a sync */
  qm_tx *ended_early;          /* transactions that qm_suspend ended; their owners free them */
  qm_events_state events;
  qm_buf ticket; /* resumes the next connection; key material; of the sync that runs */
  pthread_mutex_t query_mutex; /* of `query` alone: a long query holds nobody else up */
  qm_query *query;             /* NULL until the first one */
  int test_data;
};

struct qm_tx {
  qm_db *db;
  qm_space *space;
  qm_write *write; /* NULL: qm_suspend ended it */
  qm_tx *next;     /* in db->ended_early */
  qm_arena arena; /* of the tokens */
  struct qm_shown_token *shown;
};

/* ---- handle.c ---- */

/* Takes the mutex, and the engine is there. On failure the mutex is free. */
int qm__handle_enter(qm_db *db, qm_error *e);
/* The same, and no transaction is open: waits busy_ms for it to end, else QM_EBUSY. */
int qm__handle_enter_alone(qm_db *db, qm_error *e);
void qm__handle_leave(qm_db *db);
/* Takes the mutex, and the transaction is open. On failure the mutex is free. */
int qm__handle_tx_enter(qm_tx *tx, qm_error *e);
/* With the mutex held: opens what is not open; closes all of it. */
int qm__handle_open_all(qm_db *db, qm_error *e);
void qm__handle_close_all(qm_db *db);
/* With the mutex held: ends the open transaction without its owner, who may still free it. */
void qm__handle_tx_end(qm_db *db);
void qm__handle_tx_drop_ended(qm_db *db);
/* With the mutex held: tells those who wait that something was committed. */
void qm__handle_committed(qm_db *db);
/* What is read between the two is of one moment, whatever another process commits. With the
 * mutex held from before until after, and not across qm__handle_again. */
int qm__handle_view(qm_db *db);
void qm__handle_view_end(qm_db *db);
/* So many milliseconds from here, on the clock of the conditions. */
struct timespec qm__handle_deadline(uint32_t ms);
/* 1 where storage failed under the engine, which must be opened again (S24.9). With the mutex. */
int qm__handle_failed(const qm_db *db);
/* With the mutex held: reads the store anew after another process has written. QM_EBUSY where
 * something holds on to the engine. */
int qm__handle_reopen(qm_db *db, qm_error *e);
/* 1 where a read that gave rc should be made again, on what was read anew. *tried: 0 before. */
int qm__handle_again(qm_db *db, int rc, int *tried);
/* Tells the engine which hub this device is enrolled at, where it is. */
int qm__handle_home(qm_db *db);
/* Hands a buffer's bytes over as a result and empties it. */
int qm__handle_result(qm_buf *b, qm_text *out, qm_error *e);

int qm__handle_meta_get(qm_db *db, const char *key, qm_buf *out); /* QM_ENOTFOUND */
typedef struct qm_meta_pair {
  qm_slice key, value;
} qm_meta_pair;
/* One durable transaction of the store. */
int qm__handle_meta_put(qm_db *db, const qm_meta_pair *pairs, size_t n);

/* By name or id; empty: the only one. QM_ENOTFOUND, QM_EAMBIGUOUS. */
int qm__handle_space(qm_db *db, qm_slice name, qm_space **out, qm_error *e);
/* Its number in the store. */
uint32_t qm__handle_number(const qm_space *s);
int qm__handle_collection(const qm_space *s, qm_slice name, const qm_collection_def **out,
                          qm_error *e);
int qm__handle_field(const qm_collection_def *c, qm_slice name, const qm_field_def **out,
                     qm_error *e);

/* No real residents' data yet: QM_ESCHEMA for a sensitive field, unless this is test data.
 * schema may be NULL. */
int qm__handle_check_sensitive(const qm_db *db, const qm_schema *schema, qm_error *e);

/* ---- handle_events.c ---- */

enum {
  QM_HAPPENED_CHANGE, QM_HAPPENED_PROGRESS, QM_HAPPENED_SUSPEND, QM_HAPPENED_RESUME,
  QM_HAPPENED_BEGUN, QM_HAPPENED_LIVE, QM_HAPPENED_LOST, QM_HAPPENED_ENDED
};
int qm__events_init(qm_events_state *v);
void qm__events_free(qm_db *db);
/* Any thread, any lock but its own. code: of LOST and ENDED. */
void qm__happened(qm_db *db, int what, int32_t code);
void qm__happened_progress(qm_db *db, const qm_sync_progress *p);
void qm__events_interrupt(qm_db *db);
static inline int qm__events_used(qm_db *db) { return atomic_load(&db->events.used); }

/* ---- handle_key.c ---- */

/* The key of this device, from where the options say it is; made where there is none. */
int qm__handle_key(qm_db *db, qm_key **out, qm_error *e);

/* ---- handle_env.c ---- */

/* Memory by the options' hook, or libc. */
void *qm__handle_realloc(const qm_options *o, void *p, size_t n);

/* Fills db->env from db->options. */
void qm__handle_env(qm_db *db);
/* Before the database is opened. */
int qm__handle_options_copy(const qm_options *from, qm_options *to, qm_error *e);
/* Bytes free for this user where the database lies; QM_EIO. */
int qm__handle_free_bytes(const qm_db *db, uint64_t *out);

/* ---- handle_ids.c ---- */

void qm__handle_id_text(const qm_id *id, char to[QM_HANDLE_ID_SIZE]);
/* 26 base32 characters or 32 hex digits; QM_EFORMAT. */
int qm__handle_id_parse(qm_slice text, qm_id *out);
/* Any name of a record of a collection, see core/qianmo.h. A whole id is taken as it is, also
 * where no such record is here. QM_ENOTFOUND, QM_EAMBIGUOUS. */
int qm__handle_record(qm_db *db, qm_space *s, const qm_collection_def *c, qm_slice text, qm_id *out,
                      qm_error *e);

/* ---- handle_json.c ---- */

/* A JSON text as a canonical value. QM_EFORMAT, QM_EUTF8, QM_EDUPKEY, QM_EDEPTH, QM_ERANGE,
 * QM_EOVERSIZE. */
int qm__handle_json_value(qm_buf *out, qm_slice json);
/* A decimal number, as JSON writes it, whole: an integer where it is one in value and fits,
 * else a float. QM_EFORMAT, QM_ERANGE. */
int qm__handle_number_value(qm_buf *out, qm_slice text);
int qm__handle_double(qm_slice text, double *out);
double qm__handle_round(double v); /* to the nearest whole number */
/* A whole number, also with a plus sign. QM_EFORMAT, QM_ERANGE. */
int qm__handle_delta(qm_slice text, int64_t *out);

/* ---- handle_values.c ---- */

/* A value from its text form, or JSON with QM_JSON. db and s find records of refs. */
int qm__handle_value(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice text, uint32_t flags,
                     qm_buf *out, qm_error *e);
/* A JSON array, each item a value of the field's, one after the other; *n of them. */
int qm__handle_array(qm_db *db, qm_space *s, const qm_field_def *f, qm_slice json, qm_buf *out,
                     uint32_t *n, qm_error *e);
/* core/engine.h, qm_file_here: payload is the qm_db. */
int qm__handle_file_here(void *payload, qm_slice value);
/* A value as JSON, of a proposal (S7.10) its item; f may be NULL. */
void qm__handle_put_value(qm_buf *b, const qm_field_def *f, qm_slice value);
void qm__handle_put(qm_buf *b, const char *text);
void qm__handle_put_u64(qm_buf *b, uint64_t v);
void qm__handle_put_i64(qm_buf *b, int64_t v);
void qm__handle_put_id(qm_buf *b, const qm_id *id);
/* A JSON object's next member: a comma unless it is the first, and the name. */
void qm__handle_put_name(qm_buf *b, qm_slice name, int *first);

/* ---- handle_read.c ---- */

/* Who shows in results; read once a call. */
typedef struct qm_who {
  qm_buf member; /* of this device */
  qm_id device;
  qm_id hub; /* zero: not known */
} qm_who;
int qm__handle_who(qm_db *db, qm_who *out);
void qm__handle_who_free(qm_who *w);
/* "by":…,"device":…,"own":…(,"hub":true),"time":…; time 0: null. Of a dot: the effective time,
 * and, where its writer's clock said another, ,"clock_time":…; the member is whose the device
 * was then. */
void qm__handle_put_dot(qm_buf *b, const qm_who *w, const qm_space *s, qm_dot dot, qm_time own);
void qm__handle_put_who(qm_buf *b, const qm_who *w, const qm_space *s, uint32_t author,
                        qm_time time);

typedef struct qm_reading {
  qm_db *db;
  qm_space *s;
  qm_arena arena; /* of one record */
  qm_who who;
  uint32_t flags;
} qm_reading;
int qm__handle_reading(qm_db *db, qm_space *s, uint32_t flags, qm_reading *out);
void qm__handle_reading_free(qm_reading *r);
int qm__handle_decode(qm_reading *r, const qm_record_row *row, const qm_record **out);
/* The class of a record as committed, and what it shows. */
int qm__handle_class_of(qm_reading *r, const qm_record *record, qm_record_class *cls,
                        const qm_record **view);
/* The token of a reading of the class, as hex in quotes. */
int qm__handle_put_token(qm_buf *b, qm_reading *r, const qm_record_class *cls, unsigned kind);
const char *qm__handle_conflict(qm_conflict_class c);

/* ---- handle_query.c ---- */

/* Takes the query mutex, and the connection is there. On failure the mutex is free. */
int qm__handle_query_enter(qm_db *db, qm_error *e);

/* ---- handle_history.c ---- */

/* One effect, handed to a visitor with its change and record. */
typedef int (*qm_visit_effect)(void *payload, const qm_change *change, const qm_op *op,
                               qm_arena *arena);
/* All effects of the log and then of the open run, in order of arrival. */
int qm__handle_effects(qm_db *db, qm_space *s, qm_visit_effect visit, void *payload);
/* "field":…,"op":…,"value":… */
void qm__handle_put_effect(qm_buf *b, const qm_collection_def *c, const qm_op *op, int hidden);

/* ---- handle_refused.c ---- */

typedef struct qm_refused_row {
  qm_id space;
  qm_author author;
  uint64_t counter, at_ms;
  int32_t code;
  qm_slice message;
} qm_refused_row;
/* Notes a refusal by the hub; durable. */
int qm__handle_refused_put(qm_db *db, const qm_refused_row *row);
/* Own changes refused and not taken since. */
typedef int (*qm_visit_refused)(void *payload, qm_space *s, const qm_refused_row *row);
int qm__handle_refused_each(qm_db *db, qm_visit_refused visit, void *payload);
/* Own changes that the hub has set aside and not approved: of one space (NULL: of all). */
/* ,"mending":… and ,"repaired":… of a space (qm_status, qm_check). */
void qm__handle_put_mending(qm_buf *b, const qm_space *s);
int qm__handle_put_repaired(qm_db *db, qm_buf *b, qm_space *s);
int qm__handle_aside_count(qm_db *db, qm_space *s, uint64_t *out);

/* History goes after a while, and beyond a size; what no hub holds, and own changes that are not
 * safe, stay (S12.6). It is upkeep: the sync went well whatever comes of it. */
void qm__handle_retain(qm_db *db);
/* ,"history":{…} */
int qm__handle_keep_status(qm_db *db, qm_buf *out);

#endif
