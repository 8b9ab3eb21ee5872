/* qianmo: offline-first records with sync, as a C library.
 *
 * Read this first
 * - NOT YET FOR REAL RESIDENTS' DATA. The database is not encrypted at rest, and neither
 *   is the device's private key in it; there is no erasure and no remote wipe yet. A
 *   schema with a field of class `sensitive` is refused unless the database was opened
 *   with QM_OPEN_TEST_DATA once.
 * - Threads: every function may be called from any thread, also with the same handle at
 *   the same time. Calls on one handle take turns. A transaction may move between
 *   threads but must be used by one at a time. No call may be under way on a handle that
 *   is being closed. Hooks run on the thread that called, and must not call qianmo.
 * - A transaction is short. While it is open other transactions of the handle wait (up to
 *   busy_ms), and so does what a sync brings; readers do not wait and see what was
 *   committed before it.
 * - Never copy or restore the database file alone and go on as if nothing were: copies are
 *   told apart by the file PATH.instance beside it (see qm_options.instance). Do not
 *   delete, copy or back up PATH.instance.
 * - Several processes may open one database; one writes at a time.
 * - A child made by fork may not use its parent's handles.
 *
 * Text is UTF-8, given as pointer and length (qm_slice; qm_str makes one of a C string) and
 * borrowed for the call. Results are a qm_text that the caller frees with qm_text_free,
 * and never with free. Results are JSON, one object, or one object a line.
 *
 * Functions return 0 or a negative QM_E… code (err.h: qm_err_class says what a caller can
 * do about it, qm_error_text says it to a person) and then say more in *e, which may be NULL. A
 * result is set only on success; a failed call has no effect unless it says otherwise. Any call
 * may return QM_ENOMEM, QM_EINTERNAL (close the handle), an error of class STORAGE (the next call
 * opens the database again by itself, with what was committed), QM_ECORRUPT or
 * QM_EBUSY (another process writes), and QM_ESUSPENDED between qm_suspend and qm_resume.
 *
 * Records. A record is named by its id: 26 characters of Crockford's base32 (either case,
 * hyphens allowed) or 32 hex digits; by four or more first characters of the former where
 * no other record of the collection has them (else QM_EAMBIGUOUS); or by `key:VALUE`, its
 * natural key. Collections and fields are named by name or, where that is unique, label.
 * Spaces are named by name or id; an empty name means the only space there is.
 *
 * Values are text in the form of the field's kind of value: text as it is; int and number
 * in decimal; bool `true` or `false`; date YYYY-MM-DD; enum and state the item's name; ref
 * a record of the target collection; space-ref SPACE/RECORD, both ids; point
 * LATITUDE,LONGITUDE[,ACCURACY-IN-METRES[,wgs84|gcj02]]; bytes hex; map and any JSON. An
 * empty text clears a field that is not of kind text. With QM_JSON the value is JSON, and
 * null clears.
 *
 * Times in results are milliseconds since 1970-01-01 UTC, by the corrected clock of who
 * wrote.
 *
 * The library keeps no state beside its handles, starts no thread but qm_listen's, sets no
 * signal handler, prints nothing, and never ends the process. A struct of options or results
 * begins with its size: members are only ever appended, and a shorter struct, of a program
 * built against an older header, is taken as if the rest had the values of its INIT macro.
 * Everything here is since 0.1 unless its comment says otherwise. */
#ifndef QIANMO_H
#define QIANMO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "err.h"
#include "slice.h"

/* Rises when a program built against an older header would no longer work. */
#define QM_ABI 1

typedef struct qm_db qm_db; /* one open database; from qm_open to qm_close */
typedef struct qm_tx qm_tx; /* one open transaction; from qm_begin to qm_commit or qm_cancel */

/* A result, owned by the caller. p is NUL-terminated; n is its length without the NUL. */
typedef struct qm_text {
  char *p;
  size_t n;
} qm_text;

/* QM_ABI of the library, and its version ("0.1.0", a static string). */
QM_API uint32_t qm_abi(void);
QM_API const char *qm_version(void);
/* A slice of a C string; NULL gives an empty one. Borrows. */
QM_API qm_slice qm_str(const char *text);
/* Frees a result and empties it. NULL, and an empty one, are fine. */
QM_API void qm_text_free(qm_text *text);
/* Columns that `text` takes on a terminal (a Chinese character takes two); invalid UTF-8
 * counts a column a byte. */
QM_API size_t qm_columns(qm_slice text);

/* What a code of any function says to a person, in "zh…" Chinese, in any other (or NULL)
 * English: a whole phrase of what is wrong and, where something can be done, what. A static
 * string; of an unknown code too. qm_error.message says more, and in English. */
QM_API const char *qm_error_text(int32_t code, const char *language);

/* ---- opening ---- */

enum {
  QM_OPEN_CREATE = 1,    /* makes the database where there is none: with a new device key */
  QM_OPEN_NEW = 2,       /* with QM_OPEN_CREATE: QM_EEXIST where there is one */
  QM_OPEN_READONLY = 4,  /* never writes; every write gives QM_EREADONLY */
  QM_OPEN_CHECK = 8,     /* a full integrity check (after a crash a quick one runs anyway) */
  QM_OPEN_TEST_DATA = 16 /* marks the database, for good, as one of invented data */
};

/* Fill with qm_options_init or QM_OPTIONS_INIT, then set what differs. Copied by qm_open. */
typedef struct qm_options {
  uint32_t size;    /* sizeof(qm_options) */
  uint32_t flags;   /* QM_OPEN_… */
  const char *path; /* of the database, UTF-8, NUL-terminated. Beside it: PATH-wal, PATH-shm,
                       PATH.instance; all of mode 0600 */
  uint32_t busy_ms; /* how long qm_begin waits for another transaction; 5000 */
  uint32_t timeout_ms; /* for a silent hub; 0: the library's own */
  /* Hooks, each NULL for the system's own. `payload` is given back to each. */
  void *payload;
  /* Milliseconds since 1970 UTC. */
  uint64_t (*now_ms)(void *payload);
  /* Fills n bytes from a cryptographic source; 0, or QM_EIO. */
  int32_t (*random)(void *payload, uint8_t *to, size_t n);
  /* level: 0 error, 1 warning, 2 information, 3 debug. Messages hold no personal values. */
  void (*log)(void *payload, int32_t level, const char *message);
  /* The instance id: 16 bytes that stay the same as long as this is the same database on the
     same device, and that no backup or copy of the database carries along. Where it differs
     from what the database has noted, what is written from now on has a new author, so that
     two copies never write in one name. NULL: SHA-256 over 16 random bytes in PATH.instance,
     the file's device and inode number, and /etc/machine-id. (A copy of a whole disk is not
     noticed by that; it is found when two copies sync.) */
  int32_t (*instance)(void *payload, uint8_t out[16]);
  /* For so many days the log here says who changed what (qm_history); older parts go after a
     sync, where the hub holds them and own changes are in a backup too. 90; 0: for ever. */
  uint32_t history_days;
  /* What the log here may take, in MB: beyond it its oldest parts go as well, on the same
     condition. 250; 0: any amount. What qm_keep has set stands over both. */
  uint32_t history_mb;
  /* Memory of this handle, as realloc: p NULL allocates, n 0 frees. It may be called from every
     thread that uses the handle. Not through it goes what SQLite, OpenSSL and libuv take for
     themselves, and results (qm_text). */
  void *(*allocate)(void *payload, void *p, size_t n);
  /* The device's key. Without these hooks it lies in the database, unencrypted.
     Kept elsewhere, as bytes: key_load puts them to `to` (*n: the room, then their number;
     QM_ENOTFOUND: none yet), key_save stores a new key. Both or neither. A key that lies in the
     database moves there at the first opening.
     Kept where nobody gets it (Android Keystore, Secure Enclave): key_point gives the public key
     of ECDSA P-256 as an uncompressed point, 65 bytes from 0x04 on, and the same one for ever;
     key_sign signs a SHA-256 digest and puts the signature in DER to `to` (*n: the room, 80, then
     its size). Both or neither, and not beside key_load. They must not wait for a person: a
     sync, or a commit that closes a segment, waits for them.
     Each returns 0 or a QM_E… code, which is then the call's. */
  int32_t (*key_load)(void *payload, uint8_t *to, size_t *n);
  int32_t (*key_save)(void *payload, const uint8_t *key, size_t n);
  int32_t (*key_point)(void *payload, uint8_t point[65]);
  int32_t (*key_sign)(void *payload, const uint8_t digest[32], uint8_t *to, size_t *n);
  /* A second opinion on the hub's certificate (the platform's check, a revocation list, a pin):
     asked at every connection, after the library has found it to be of the CA that this device
     was enrolled with, for a hub's use, and in date. host: as enrolled; chain: n certificates in
     DER, the hub's first. 0, or QM_ECERT, QM_ECERTEXPIRED, QM_EREVOKED, QM_ECLOCK: the call then
     gives that. It can refuse, and never accept what the library refuses. */
  int32_t (*check_hub)(void *payload, const char *host, const qm_slice *chain, uint32_t n);
} qm_options;

#define QM_OPTIONS_INIT                                                                     \
  { (uint32_t)sizeof(qm_options), 0, NULL, 5000, 0, NULL, NULL, NULL, NULL, NULL, 90, 250,  \
    NULL, NULL, NULL, NULL, NULL, NULL }
/* Fills the first `size` bytes of *o, at most the library's own struct: for bindings, which
 * know the size of theirs. */
QM_API void qm_options_fill(qm_options *o, size_t size);
static inline void qm_options_init(qm_options *o) { qm_options_fill(o, sizeof *o); }

/* *out: close it with qm_close. QM_ENOTFOUND: no database and no QM_OPEN_CREATE; QM_EEXIST;
 * QM_EFORMAT: another kind of file; QM_ENEWER; QM_ECORRUPT; QM_EREADONLY; QM_EFULL; QM_EACCESS:
 * the key that the hooks give is not the one that this database was made with; QM_EINVAL: the
 * options. */
QM_API int32_t qm_open(const qm_options *options, qm_db **out, qm_error *e);
/* Cancels a transaction that is open, and stops qm_listen. NULL is fine. */
QM_API void qm_close(qm_db *db);

/* Lets go of everything that the system could hold against an app in the background: refuses new
 * calls with QM_ESUSPENDED, makes a sync and waiting calls leave, ends an open transaction that
 * does not end by itself in time (its verbs and qm_commit then give QM_ESUSPENDED, and nothing of
 * it is saved), and closes the files, which checkpoints: no statement, no lock and no -wal file
 * stays. The descriptor of qm_events_fd stays. deadline_ms: how long it may wait for what runs.
 * QM_ETIMEOUT: something still ran then; new calls stay refused, and qm_suspend may be called
 * again. Suspended already: QM_OK. */
QM_API int32_t qm_suspend(qm_db *db, uint32_t deadline_ms, qm_error *e);
/* Opens again and takes calls. The errors of qm_open: the next call tries again. Not suspended:
 * no effect. */
QM_API int32_t qm_resume(qm_db *db, qm_error *e);

/* ---- the hub, spaces, schemas ---- */

/* Enrols this device at the hub HOST:PORT with a one-time code; what was written before stays
 * and goes up with the first sync. `device_name` (may be empty) is what the hub's operator
 * sees. Blocks. QM_EENROLLED; QM_ECODE (mistyped); QM_ECODEUSED, QM_ECODEEXPIRED, QM_ETRIES;
 * QM_ECERT (it is not the hub of this code); QM_ECLOCK; QM_ENET, QM_ETIMEOUT. */
QM_API int32_t qm_enroll(qm_db *db, qm_slice host_port, qm_slice code, qm_slice device_name,
                         qm_error *e);

/* A space of this device alone, without a hub, for trying out. schema: JSON, or the MessagePack
 * form; role (may be empty) is what the schema's `writers` know. The same name again
 * brings a newer schema. QM_ESCHEMA with the place and reason, also for a field of class
 * sensitive without QM_OPEN_TEST_DATA; QM_EEXIST: a hub's space has this name. */
QM_API int32_t qm_space_create(qm_db *db, qm_slice name, qm_slice schema, qm_slice role,
                               qm_error *e);
/* A line a space: {"id","name","role","readable","writable","schema":NAME,"version":N,
 * "local":whether it was made by qm_space_create}. */
QM_API int32_t qm_spaces(qm_db *db, qm_text *out, qm_error *e);
/* The schema as JSON (fixtures/schemas/README.md). QM_ENOTFOUND: none has come yet. */
QM_API int32_t qm_schema_text(qm_db *db, qm_slice space, qm_text *out, qm_error *e);

/* Schema files, without a database. Checks a schema in its JSON form: names, numbers (rising,
 * none reused), types, values, purpose and retention, items, ranks and transitions, key. *out
 * (may be NULL): {"schema","version","collections":N,"fields":N,"sensitive":BOOL}.
 * QM_ESCHEMA: e says the line, the place and the reason of the first fault. */
QM_API int32_t qm_schema_validate(qm_slice schema, qm_text *out, qm_error *e);
/* A schema in JSON form, read from `path` (NUL-terminated), with the files that it names (from the
 * directory of path) in their places: all other functions take a schema only so. One that extends
 * another is put together (SPEC S7.12); "FILE#KIND": S7.13. QM_ENOTFOUND, QM_ESCHEMA. */
QM_API int32_t qm_schema_pack(qm_slice schema, const char *path, qm_text *out, qm_error *e);
/* What differs between two schemas in JSON form, a line a difference,
 *   {"change":WORD,"refused":BOOL,"why":TEXT,"collection","field","item","old","new"}
 * with the members that there are. QM_ESCHEMA: the newer one does what no newer schema may
 * (then *out is set all the same, and "refused" says where), or one is no good schema
 * (*out is not set; e says which, and where). */
QM_API int32_t qm_schema_compare(qm_slice older, qm_slice newer, qm_text *out, qm_error *e);

/* ---- why a value was refused ---- */

/* What a QM_ESCHEMA of a writing verb, or of qm_new, says, in parts. Texts are static; field and
 * detail borrow from the error. */
typedef struct qm_explanation {
  uint32_t size;       /* sizeof(qm_explanation), set by the caller */
  const char *reason;  /* a word that stays the same: "id-check", "code-moved", "length", … */
  const char *en, *zh; /* the reason for people */
  qm_slice field;      /* its name */
  qm_slice detail;     /* what would be right, or what it hangs on: the code in use; a field, a
                          purpose, what is left; or empty */
} qm_explanation;
#define QM_EXPLANATION_INIT \
  { (uint32_t)sizeof(qm_explanation), NULL, NULL, NULL, {NULL, 0}, {NULL, 0} }
/* QM_ENOTFOUND: it is no refusal of a value; QM_EINVAL. */
QM_API int32_t qm_explain(const qm_error *e, qm_explanation *out);

/* ---- points for display ---- */

enum { QM_WGS84 = 1, QM_GCJ02 = 2 };
/* A captured place in the datum of a map, in degrees, in place; there and back differ by less
 * than a millimetre. For display: never write back what comes out. QM_EINVAL: no such place or
 * datum; one of unknown datum cannot be converted. */
QM_API int32_t qm_point_shown(double *latitude, double *longitude, int32_t from, int32_t to);

/* ---- writing ---- */

enum {
  QM_JSON = 1,  /* the value is JSON */
  QM_AGAIN = 2  /* qm_add: renews an element that is there, against removals not seen here */
};

/* Opens a transaction; what it writes is one change: all or nothing. QM_EBUSY: another one
 * stayed open for busy_ms; QM_ENOTFOUND: no such space; QM_EACCESS: it is not writable;
 * QM_ESCHEMA: it has a sensitive field and this is no database of test data. */
QM_API int32_t qm_begin(qm_db *db, qm_slice space, qm_tx **out, qm_error *e);
/* On disk when it returns 0; where nothing was written, nothing happens. Frees tx, also on
 * failure, and then nothing of it stays. */
QM_API int32_t qm_commit(qm_tx *tx, qm_error *e);
QM_API void qm_cancel(qm_tx *tx); /* frees tx; NULL is fine */
/* Effects written so far: 0 where everything was already as asked. */
QM_API uint32_t qm_written(const qm_tx *tx);

/* Says what the writer was shown of a record: the "token" of qm_get, qm_list or qm_conflicts.
 * What this transaction writes to that record from here on replaces only that; what came
 * since, or was not shown, is kept for review. Without it a write counts as made from the
 * values as they stand. QM_EINVAL, here or from the verb: no token of this database. */
QM_API int32_t qm_shown(qm_tx *tx, qm_slice token, qm_error *e);

/* Every verb: QM_ENOTFOUND (no such collection or record), QM_EINVISIBLE (deleted; qm_restore),
 * QM_EAMBIGUOUS, QM_ESCHEMA (no such field, another type, a value that does not fit or that the
 * field's check speaks against: qm_explain),
 * QM_EACCESS (the role may not write here), QM_ELIMIT, QM_ESTATE (an error before this one left
 * only qm_cancel). After any other error the transaction can go on without that verb. */

/* Creates a record and gives its id. Where the collection has a natural key and `key` is not
 * empty, the key field is set and an existing record that shows the key is opened instead:
 * *existing (may be NULL) = 1. */
QM_API int32_t qm_new(qm_tx *tx, qm_slice collection, qm_slice key, qm_text *id, int32_t *existing,
                      qm_error *e);
QM_API int32_t qm_delete(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e);
/* Brings a deleted record back; of a visible one, settles that somebody had deleted it. */
QM_API int32_t qm_restore(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e);

/* Says that two records are of one thing: from then on either id means both, shown as one under
 * the smaller id: all values, the sets together, counters added, logs in one order, texts one
 * after the other. Each keeps what it has. Records merged already: nothing is written, but what
 * is listed as "unmerged" is settled. QM_EINVAL: a record with itself, unless it is merged (two
 * natural keys may mean one record by then); QM_ESCHEMA: of two collections; QM_ELIMIT: too many
 * in one. */
QM_API int32_t qm_merge(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b, qm_error *e);
/* Takes this record out again: it shows what it has itself, and so do those that stay together.
 * One that is merged with none: nothing. */
QM_API int32_t qm_unmerge(qm_tx *tx, qm_slice collection, qm_slice record, qm_error *e);
/* Says that two records are not of one thing, whoever proposes it (qm_duplicates); replicates.
 * Where records are merged it holds for all of them. Said already: nothing is written.
 * QM_EINVAL: one and the same, or merged; QM_ESCHEMA: of two collections. */
QM_API int32_t qm_distinct(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b, qm_error *e);
/* Takes that back. Not said: nothing. The same errors. */
QM_API int32_t qm_not_distinct(qm_tx *tx, qm_slice collection, qm_slice a, qm_slice b,
                               qm_error *e);
/* Takes apart what two people created under one natural key: what one of their devices wrote
 * goes to a new record. device: its id or the first characters of it, as "same-key" lists it;
 * empty: the other one than the first. *out: {"id","fields":{FIELD:"moved"|"copied"}};
 * copied stands in both (a log, a field that cannot be empty). Both still show the key: set it
 * where it is wrong. QM_EINVAL: the record has one creator, or not this one; QM_EAMBIGUOUS. */
QM_API int32_t qm_split(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice device,
                        qm_text *out, qm_error *e);

/* register, state, ref; max and min as a correction that may go back; text: the new text, and
 * list: the new elements as a JSON array (empty, or null: none); what stays at both ends is left
 * alone, so that others' edits there merge. Setting what is shown writes nothing. QM_ESTALE: the
 * text or list has changed since it was shown. */
QM_API int32_t qm_set(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                      qm_slice value, uint32_t flags, qm_error *e);
/* Decides a conflict: writes the value, also an equal one, in place of all that is listed (with
 * qm_shown of a token of qm_conflicts: of all that was listed there). */
QM_API int32_t qm_settle(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         qm_slice value, uint32_t flags, qm_error *e);
/* max, min: writes only a value beyond the one shown. */
QM_API int32_t qm_raise(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                        qm_slice value, uint32_t flags, qm_error *e);
QM_API int32_t qm_lower(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                        qm_slice value, uint32_t flags, qm_error *e);
/* set. Adding what is there, and removing what is not, writes nothing. */
QM_API int32_t qm_add(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                      qm_slice element, uint32_t flags, qm_error *e);
QM_API int32_t qm_remove(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         qm_slice element, uint32_t flags, qm_error *e);
/* counter */
QM_API int32_t qm_inc(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                      int64_t delta, qm_error *e);
/* log: an entry; text: at its end; list: one element, at its end. */
QM_API int32_t qm_append(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         qm_slice value, uint32_t flags, qm_error *e);
/* A ledger (a log with the check "entry"): takes an entry back by one of the opposite amount that
 * names it. entry: its name, as in qm_get; reason: why. QM_ENOTFOUND: none here; QM_ESCHEMA. */
QM_API int32_t qm_reverse(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                          qm_slice entry, qm_slice reason, qm_error *e);
/* text: at position `at` takes `cut` out and puts `text` in; positions are code points of the
 * text shown; at UINT64_MAX is the end. QM_ESTALE: it has changed since; QM_EINVAL: a position
 * beyond the end. */
QM_API int32_t qm_splice(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         uint64_t at, uint64_t cut, qm_slice text, qm_error *e);
/* list: puts an element in before the one at `at` (from 0; the number of elements, or UINT64_MAX:
 * at the end); puts one in the place of that at `at`; takes `count` out from `at` on. Positions
 * are of the list shown. QM_ESTALE: it has changed since; QM_EINVAL: a position beyond the end.
 * There is no move: take it out and put it in again. */
QM_API int32_t qm_insert(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         uint64_t at, qm_slice value, uint32_t flags, qm_error *e);
QM_API int32_t qm_replace(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                          uint64_t at, qm_slice value, uint32_t flags, qm_error *e);
QM_API int32_t qm_remove_at(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                            uint64_t at, uint64_t count, qm_error *e);
/* The natural verb of the field's type, for filling in a new record: set, raise, lower, add,
 * inc (value: the delta) or append. */
QM_API int32_t qm_put(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                      qm_slice value, uint32_t flags, qm_error *e);

/* ---- reading ---- */

enum {
  QM_DETAIL = 1,  /* adds "shown":{FIELD:who} */
  QM_DELETED = 2, /* deleted records too: "visible":false */
  QM_REVIEW = 4,  /* the token covers the conflicts too, as it was a reading of them */
  QM_FAST = 8,    /* qm_status: leaves out what needs a look at every record */
  QM_DISMISSED = 16, /* qm_duplicates: pairs said to be distinct, too */
  QM_OVERDUE = 32, /* qm_due: only what is overdue */
  QM_CERTIFICATES = 64 /* qm_status: the certificates too, for a program with TLS of its own */
};

/* In what follows *who* is "by":NAME,"device":ID,"own":BOOL,"time":MS, with the name of the
 * member whose device it was then or, where it is not known, the first eight characters of the
 * device's id. ,"hub":true behind "own" where the space's hub wrote it (qm_review). Where the
 * hub has lowered the time (the writer's clock was ahead), "time" is what
 * counts and ,"clock_time":MS what that clock said.
 *
 * One object:
 *   {"id","collection","visible","fields":{FIELD:VALUE,…},
 *    "conflicts":{FIELD:[{"value",who,"class"},…]},"token"}
 * Fields stand in the schema's order, empty ones are left out. A set and a list are JSON arrays; a
 * log an array of {"value",who}, of a ledger (check "entry") with "entry":NAME, which a reversal
 * names; a ref a record id, of merged records (qm_merge) the one that all
 * are shown under, and ,"stored":{FIELD:…} what was written where that is another; a counter out
 * of range null. "class":
 * "sibling" (a concurrent value), "unread" (overwritten by somebody who had not seen it),
 * "contradict" (a state that cannot be reached from the shown one), "merge" (of another of the
 * merged records). "merged":[ID,…] the others where records are merged (qm_merge); "id" is then
 * the smallest. "collision":true where one deleted what another edited; "proposed":[FIELD,…]
 * states that wait to be confirmed; "hidden":[FIELD,…] those that have something which may not be
 * shown: no basis holds for it, or it is against a condition; "unknown":N fields of a
 * newer schema. QM_ENOTFOUND; QM_EINVISIBLE: deleted
 * (QM_DELETED shows it). */
QM_API int32_t qm_get(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                      uint32_t flags, qm_text *out, qm_error *e);
/* A line a record, as qm_get, ascending by id; at most `limit` (0: 100) of those after the
 * record `after` (an id; empty: from the start). Where the result has fewer lines than asked
 * for, it may have been cut at 8 MiB: an empty result says that there are no more. */
QM_API int32_t qm_list(qm_db *db, qm_slice space, qm_slice collection, qm_slice after,
                       uint32_t limit, uint32_t flags, qm_text *out, qm_error *e);
/* The review list of a space, record by record: a line a conflict,
 *   {"item","space":ID,"space_name","collection","id","title","severity","field","class",
 *    "values":[{"value",who,"dot","class","shown"},…],"token"}
 * with every value, the shown one first; dot: what this writing of it is called. item: what the
 * conflict is called, eight characters, the same on every device and another one as soon as a
 * value is added; title: the record's natural key and naming fields, or else its first text;
 * severity: "high", "normal" or "low", by the schema. Of the record as a whole ("field":null):
 * class "deleted" (one deleted what another edited: qm_restore or qm_delete settles) and
 * "same-key" (two records show one key: the others are values too; or one was created twice
 * with other naming fields), and "unmerged" (taken out by one while another merged it: its id
 * is the value; qm_merge or qm_unmerge settles), "clash" (two that cannot both stand: their ids
 * are the values, "clash":NAME the rule) and "overdrawn" (a request for more than there is:
 * "account", "amount", "left"). "contradict" has "against":[FIELD,…] where others are filled or
 * empty against a condition on this field.
 * What nobody settles within the schema's review time the hub settles for the value shown.
 * collection empty: of all. Costs what is in conflict, not what there is. */
QM_API int32_t qm_conflicts(qm_db *db, qm_slice space, qm_slice collection, qm_text *out,
                            qm_error *e);
/* Records that are likely of one thing, by the rules that the schema names (SPEC S16.13), the
 * likeliest first, a line a pair,
 *   {"collection","a":ID,"b":ID,"score":N,"reasons":[{"rule":NAME,"score":N,
 *    "fields":[{"field","match","percent"|"metres"|"hours":N},…]},…]}
 * score: 1 to 100. Then (where offset is 0) a line for each value that more records share than
 * its rule allows, which therefore says nothing, {"collection","rule","records":N,"id":one of
 * them}, and a last line {"pairs":N,"more":BOOL,"complete":BOOL}: all there are; whether there
 * are more after these; false where there were too many to compare. Merged records are one;
 * those said to be distinct are left out, or with QM_DISMISSED have "dismissed":true.
 * collection empty: of all; record (may be empty; with a collection): pairs of this one, as
 * after creating it, which costs next to nothing. At most `limit` (0: 20) after the first
 * `offset`. QM_ESTATE: opened read-only, and the tables are not up to date. */
QM_API int32_t qm_duplicates(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                             uint32_t flags, uint32_t limit, uint32_t offset, qm_text *out,
                             qm_error *e);

/* What to list; zero and empty: all. Fill with QM_REVIEW_OPTIONS_INIT. */
typedef struct qm_review_options {
  uint32_t size;       /* sizeof(qm_review_options) */
  uint32_t severity;   /* the least: 1 low, 2 normal, 3 high */
  uint32_t limit;      /* conflicts at most; 0: 100 */
  uint32_t offset;     /* after so many */
  qm_slice collection; /* name */
  qm_slice record;     /* of that collection */
  qm_slice cls;        /* "sibling", … as above */
} qm_review_options;
#define QM_REVIEW_OPTIONS_INIT \
  { (uint32_t)sizeof(qm_review_options), 0, 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0} }
/* The same lines, of one space or (space empty) of all, the gravest first and of these the latest,
 * and then {"conflicts":N,"high":N,"normal":N,"low":N,"more":BOOL}: how many there are in all.
 * To settle one is to write with its token: qm_shown, then qm_settle (qm_delete, qm_restore).
 * What came after the list was read stays on it. QM_ENOTFOUND: no space has such a collection
 * or record; QM_EINVAL. */
QM_API int32_t qm_review(qm_db *db, qm_slice space, const qm_review_options *options,
                         qm_text *out, qm_error *e);
/* What this device settled (qm_settle) and can take back, the latest first: a line each,
 *   {"item","space":ID,"space_name","collection","id","title","field","value","values":[…],
 *    "time","open":BOOL}
 * values: what the value was settled in place of, the one that had been shown first; open: nobody
 * has written over it since. space empty: of all. Kept as long as history, 256 a space. */
QM_API int32_t qm_settles(qm_db *db, qm_slice space, qm_text *out, qm_error *e);
/* Takes one back (item, or four or more first characters of it; empty: the latest), in a
 * transaction of its own: the values that it replaced stand there again, written by this device,
 * the one that had been shown last, so that the conflict is listed as it was; what others wrote
 * beside the settle stays. QM_ENOTFOUND; QM_EAMBIGUOUS; QM_ESTALE: somebody has written over
 * it; QM_EINVISIBLE: the record was deleted; QM_EACCESS. */
QM_API int32_t qm_undo(qm_db *db, qm_slice item, qm_error *e);

/* Steps that wait to be confirmed (SPEC S7.10), and values against which their field's check speaks
 * (S22.2): a line each, {"space":ID,"space_name","collection","id","title","field","value",who}, or
 * in place of who "reason":WORD,"detail","en","zh" (as qm_explain), then {"proposals"|"unfit":N in
 * all,"more":BOOL}. limit: 0: 100. Reads all records of the collections that can have such. */
QM_API int32_t qm_proposals(qm_db *db, qm_slice space, uint32_t limit, uint32_t offset,
                            qm_text *out, qm_error *e);
QM_API int32_t qm_unfit(qm_db *db, qm_slice space, uint32_t limit, uint32_t offset, qm_text *out,
                        qm_error *e);

enum { QM_UNREAD = 1 /* qm_inbox: only what was not marked as read */ };

/* What became of this device's own values: those that others put out of sight otherwise than by
 * an ordinary edit, told when the sync brings it, each once; the latest first, a line each,
 *   {"item","space":ID,"space_name","collection","id","title","field","reason",
 *    "before":{"value",who},"after":{"value",who},"now":VALUE,"told":MS,"read":BOOL}
 * and then {"entries":N,"unread":N}. reason: "concurrent" (written at the same time, and the
 * other one is shown), "unread" (written over by somebody who had not seen it), "settled" (it
 * was in conflict, and somebody, or the hub after the review time, decided for another one).
 * now: what is shown at present. Of the record itself ("field":null) the values are "deleted"
 * and "edited". space empty: of all. Kept as long as history (history_days), 2048 a space. */
QM_API int32_t qm_inbox(qm_db *db, qm_slice space, uint32_t flags, qm_text *out, qm_error *e);
/* Marks an entry (as in qm_undo; empty: all) as read. */
QM_API int32_t qm_inbox_seen(qm_db *db, qm_slice item, qm_error *e);
/* Writes the lost value of an entry again, as a settle made from what the entry shows: what else
 * was written since is kept and listed. In a transaction of its own; marks it as read. Errors of
 * qm_begin and qm_settle; QM_ENOTFOUND, QM_EAMBIGUOUS. */
QM_API int32_t qm_inbox_restore(qm_db *db, qm_slice item, qm_error *e);

/* Who changed which field of a record when, as far back as the log here goes: a line an effect,
 * in the order of arrival,
 *   {who,"field","op","value","from","concurrent","acknowledged"}
 * op: new, delete, restore, merge (value: the other record; stands with the smaller id), unmerge,
 * distinct (as merge: two records that are not one), unlink (a merge or a distinct ended), set,
 * raise, add, remove, inc, append, insert (text, or an array of elements), cut
 * ("count" characters or elements). from: what the field showed to the writer (a
 * counter: its sum; cut: the piece); concurrent: true where another value stood there that the
 * writer had not seen; both are left out where there is nothing to say. The last line is
 * {"older":"hub"} where the beginning is not kept here: the hub keeps the log for longer. Reads
 * the parts of the log that are on the record and, of writers who met there, what tells what
 * they had seen. */
QM_API int32_t qm_history(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                          qm_text *out, qm_error *e);
/* One object:
 *   {"device","member","name","hub","enrolled","certificate":{"not_after","days_left"},
 *    "clock","clock_offset_ms","last_sync","last_try","last_code","unsent","oldest_unsent",
 *    "refused","set_aside","conflicts","conflicts_by":{"high","normal","low"},"inbox",
 *    "free_bytes","test_data","history":{"days","mb","bytes","over","cut"},"author",
 *    "spaces":[{"id","name","role","version","records","unsent","oldest_unsent","written",
 *               "acknowledged","safe","refused","set_aside","conflicts","conflicts_by","inbox",
 *               "mending","repaired","digest"},…]}
 * certificate: with QM_CERTIFICATES also "pem", "ca" (the hub's, PEM) and "hub_key" (the hub's
 * public key, SPKI in hex, or null); of a device that is not enrolled null.
 * unsent: changes not acknowledged by a hub; written, acknowledged, safe: effects written here
 * ever, held by the hub, and in a verified backup; null where there is nothing to say.
 * set_aside: own changes that the hub took without effect and has not approved; conflicts_by:
 * by severity; inbox: entries not read (qm_inbox).
 * mending: "state": what is shown may still have effects of what was set aside, or cannot be
 * read; a peer's state takes its place as soon as one that holds enough is met (normally the
 * hub). "records": single records are to be replaced by the next sync. Else null.
 * repaired: {"records","states","time"}: what was replaced so, ever, and when last; or null.
 * history: what is kept at most (0: no limit), what the log takes, in bytes; over: how much of
 * that is beyond the limit and must stay, as no hub or no backup holds it yet; cut: when the
 * size limit last took something, or null. */
QM_API int32_t qm_status(qm_db *db, uint32_t flags, qm_text *out, qm_error *e);
/* How far what a record shows has got, for a mark beside it: one object,
 *   {"id","status":"local"|"acknowledged"|"safe"}
 * local: it holds something that was written here and no hub has acknowledged; acknowledged: all
 * of it is at the hub, on its disk; safe: in a verified backup of the hub too. Of merged records:
 * the least of them. Reads one record. A record that is deleted has a status too. What the hub
 * refused or set aside is not in the record: qm_export_refused. QM_ENOTFOUND, QM_EAMBIGUOUS. */
QM_API int32_t qm_record_status(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                                qm_text *out, qm_error *e);
/* What a hub that lost its database, and still has its keys, needs to begin again: the spaces
 * here with their secrets and schemas, and whose devices they name (`qianmod recover --from`).
 * Binary, signed by this device. Whoever has it can read the spaces' secrets: it is to be kept
 * like a key and deleted after use. QM_ENOTENROLLED. */
QM_API int32_t qm_export_hub(qm_db *db, qm_text *out, qm_error *e);
/* Reads everything and compares it with its hashes. A line a space,
 *   {"id","name","ok":BOOL,"mending","repaired"}
 * also with an error. QM_EDIFFER, QM_ECORRUPT: records were lost or are not what was written
 * (a worn disk); from here on every sync tries to replace them by the hub's. What is not sent
 * yet stays in any case. */
QM_API int32_t qm_check(qm_db *db, qm_text *out, qm_error *e);

/* How much history this device keeps from now on, whatever the options say: days (0: for ever;
 * at most 36,500) and MB (0: any amount; at most 1,000,000). It shows after the next sync.
 * QM_EINVAL, QM_EREADONLY. */
QM_API int32_t qm_keep(qm_db *db, uint32_t days, uint32_t mb, qm_error *e);

/* ---- referring to another space ---- */

/* A matter that goes up: makes a record of the same collection in the space `upper`, with the
 * fields that the schema marks `refer` and no others, and notes each in the other (SPACE/RECORD).
 * On a device that holds both, also offline; durable when it returns. *out: {"id":ID of the upper
 * record,"existing":BOOL}: true: referred before; nothing is copied again. Two transactions of its
 * own: QM_EBUSY. QM_EINVAL; QM_ESCHEMA: not referred, or the upper schema refuses it (qm_explain);
 * QM_EACCESS: the role may not write in both; QM_ENOTFOUND, QM_EINVISIBLE. */
QM_API int32_t qm_refer(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                        qm_slice upper, qm_text *out, qm_error *e);
/* Brings answers down: for each record of the collection (record: for that one) that was referred
 * to a space which is here, copies the map entries of the upper record's log of answers that its
 * own lacks, with "of", "at", "by" (SPEC S25.10). *out: {"answers":N}. Errors: qm_refer. */
QM_API int32_t qm_answers(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                          qm_text *out, qm_error *e);

/* ---- what changed ---- */

/* What changed after the cursor `since`, whoever wrote it: this program, another one, or a
 * sync. A line a record, in the order of the last change of each,
 *   {"cursor","space":ID,"collection":NAME,"id","fields":[NAME,…],"presence":BOOL,
 *    "local":BOOL,"remote":BOOL}
 * fields: those touched after `since` (a number where the schema does not know the field; null:
 * any); presence: it was created, deleted, brought back, merged, taken apart or said to be
 * distinct from another; local, remote: changed here, by others. ,"set_aside":true is there
 * where the hub set aside what had been written to it, or the office decided on that:
 * qm_export_refused says of own changes what and why. collection is null for a record that is
 * not here (any more). A line
 *   {"cursor","space":ID,"all":true}
 * says that anything of the space may be shown otherwise (a new schema, another member), and
 *   {"cursor","all":true}
 * that anything may: the first line where `since` is empty, or of another database or of one
 * that was restored, or from before this device's clock was set back by far. Read on from the last
 * line's cursor (an opaque text that may be kept); an empty result: nothing changed. A record
 * stands there once, however often it was written, and a line is there only once its whole change
 * is: qm_get and qm_list show it.
 * limit: at most so many lines, 0: 1000. QM_EINVAL: `since` is no cursor. */
QM_API int32_t qm_changes(qm_db *db, qm_slice since, uint32_t limit, qm_text *out, qm_error *e);
/* Waits until qm_changes would give something, at most timeout_ms (UINT32_MAX: for ever).
 * Commits through this handle wake it at once, others within a tenth of a second.
 * QM_ETIMEOUT; QM_ECLOSED: qm_interrupt. */
QM_API int32_t qm_changes_wait(qm_db *db, qm_slice since, uint32_t timeout_ms, qm_error *e);
/* Makes the calls that wait in other threads (qm_changes_wait, qm_events, qm_sync_stay) return
 * soon. */
QM_API void qm_interrupt(qm_db *db);

/* What happened to this handle since the last call, for a program with a loop of its own; waits
 * for something at most timeout_ms (0: not at all; UINT32_MAX: for ever). A line each, at most
 * one of a kind but sync:
 *   {"event":"changed"}: something was committed through this handle, or by its sync: qm_changes
 *   {"event":"sync","state":"begun"|"live"|"lost"|"ended","code":NAME or null}
 *   {"event":"progress","bytes_up","bytes_down","records_down","unsent"}: of a sync under way
 *   {"event":"suspended"}, {"event":"resumed"}
 * They are kept from the first call of qm_events, qm_events_fd or qm_listen on; of sync the last
 * 16. Commits of other processes make none. One thread at a time. QM_ETIMEOUT: nothing; QM_ECLOSED:
 * qm_interrupt; QM_ESTATE: qm_listen has them. Works while suspended. */
QM_API int32_t qm_events(qm_db *db, uint32_t timeout_ms, qm_text *out, qm_error *e);
/* A descriptor that is readable while qm_events has something: to be waited on (poll, a looper,
 * a dispatch source), not read, written or closed. Lives as long as the handle. QM_EIO. */
QM_API int32_t qm_events_fd(qm_db *db, int32_t *out, qm_error *e);
/* Calls `told` with each event's line (n bytes and a NUL, borrowed until it returns) from one
 * thread of its own, one at a time, until qm_unlisten. It may call qianmo, but for qm_unlisten
 * and qm_close. free_payload (may be NULL) is called once, when told is called no more; not
 * where this fails. QM_ESTATE: somebody listens; QM_ENOMEM. */
QM_API int32_t qm_listen(qm_db *db, void (*told)(void *payload, const char *line, size_t n),
                         void *payload, void (*free_payload)(void *payload), qm_error *e);
/* When it returns, no call is under way and none will come. Nobody listens: no effect. */
QM_API void qm_unlisten(qm_db *db);

/* ---- tables and searching ----
 *
 * What records show also stands in plain SQL tables (SPEC S16): one a collection, called as
 * it, with a column a field; one COLLECTION_FIELD for each set, log and list; views of what is
 * open, what is due, counts by state and balances. They follow every commit. */

/* One SELECT over these tables, which can do nothing else. parameters: a JSON array for ?1, ?2,
 * …, or empty. rows, ms: limits, 0 for 10,000 rows and 10 seconds. The result is a line
 * {"columns":[NAME,…]}, then a line a row, [VALUE,…], and a last line {"rows":N,"more":BOOL}.
 * It sees what was committed, holds nobody up, and may run beside any other call.
 *
 * QM_EINVAL: no good SQL (in SQLite's words), more than one statement, or parameters that do
 * not fit; QM_EACCESS: anything but reading these tables; QM_ETIMEOUT; QM_ELIMIT: too much
 * memory; QM_ESTATE: opened read-only, and the tables are not up to date. */
QM_API int32_t qm_sql(qm_db *db, qm_slice statement, qm_slice parameters, uint64_t rows,
                      uint64_t ms, qm_text *out, qm_error *e);
/* Records in which every piece of `text` (between blanks) occurs, best first: names of two
 * characters, a part of an address, words and numbers by what they begin with; case, width and
 * accents make no difference. Fields of class sensitive and sealed ones are not searched.
 * space: empty for all; collection: empty for all. A line a record:
 *   {"space":ID,"collection","id","title_marks":[[FIRST,COUNT],…],"title","marks":[…],"snippet"}
 * title: its natural key and naming fields, a line each; snippet: of its other fields; marks:
 * what matched in each, in code points. At most `limit` (0: 20) after the first `offset`.
 * QM_ESTATE as above. */
QM_API int32_t qm_search(qm_db *db, qm_slice space, qm_slice collection, qm_slice text,
                         uint32_t limit, uint32_t offset, qm_text *out, qm_error *e);
/* What must be done by when: records on which a limit of their schema runs (SPEC S23), of a space
 * (empty: of all), soonest first, those whose limit stands still last; a line each,
 *   {"space":ID,"space_name","collection","id","title","limit":NAME,"state","amount":N,
 *    "unit":"hours"|"working_hours"|"days"|"working_days","start":MS,"due":MS,"start_text",
 *    "due_text":"2026-03-04 17:30","utc_minutes":N,"overdue":BOOL,"paused":BOOL,
 *    "calendar_ends":YEAR,"calendar_begins":YEAR}
 * The texts are in the zone of the limit's calendar, never in this device's. No "due" while
 * paused. calendar_ends: days beyond that year count, of which the calendar knows Saturdays and
 * Sundays only (0: it lists no year); calendar_begins: the same before that one. Then
 *   {"open":N,"overdue":N,"paused":N,"now":MS,"more":BOOL}
 * of all; now: the corrected clock, by which it is overdue. limit: 0: 100, at most 1000. From the
 * tables: QM_ESTATE as above. QM_ENOTFOUND: no such space. */
QM_API int32_t qm_due(qm_db *db, qm_slice space, uint32_t flags, uint32_t limit, uint32_t offset,
                      qm_text *out, qm_error *e);
/* Makes all tables, the search index and the index of what is to be reviewed anew from the
 * records. */
QM_API int32_t qm_rebuild(qm_db *db, qm_error *e);

/* ---- photos and other files ----
 *
 * A file lies beside the database (PATH.files), named by the SHA-256 of its content; the record
 * holds {"mime","sha256","size","taken_at"} in a field of kind map (or any). Files are not sent
 * yet: elsewhere such a value is announced, and its file not present. */

/* Copies the file at `path` (NUL-terminated) in and puts the value into a register, set or log:
 * *out (may be NULL) is the value. taken_at: the camera's time where the file is a JPEG that says
 * it. A file that is kept and whose transaction is cancelled stays, without effect. May take
 * long; other calls go on. QM_ENOTFOUND: no such file or record; QM_EINVAL: not a plain file, not
 * readable, or empty; QM_ELIMIT: larger than 512 MiB; QM_EFULL, QM_EIO; QM_ESCHEMA: the field
 * cannot hold it; errors of the verbs. */
QM_API int32_t qm_attach(qm_tx *tx, qm_slice collection, qm_slice record, qm_slice field,
                         const char *path, qm_text *out, qm_error *e);
/* Of a record, of a collection, or (both empty) of all: a line each,
 *   {"collection","id","field","sha256","size","mime","taken_at","status","path"}
 * status: "here-only" (the file is on this device alone; then path says where) or "announced"
 * (it is not here). */
QM_API int32_t qm_attachments(qm_db *db, qm_slice space, qm_slice collection, qm_slice record,
                              qm_text *out, qm_error *e);

/* ---- syncing ---- */

typedef struct qm_sync_result {
  uint32_t size;      /* sizeof(qm_sync_result), set by the caller */
  uint32_t refused;   /* segments that the hub refused, and changes that it set aside:
                         see qm_export_refused */
  uint64_t bytes_up, bytes_down;       /* of the session, before TLS */
  uint64_t segments_up, segments_down; /* taken by the hub; taken here */
  uint32_t spaces;           /* in this session */
  uint32_t spaces_differing; /* equal changes, another digest */
  int64_t clock_offset_ms;   /* the hub's clock less this one's */
  int32_t renewed;           /* 1: a new certificate came */
  int32_t code;              /* of the first space that could not be finished; 0 */
  uint32_t repaired;         /* records replaced because they were wrong, here or at the hub */
  uint32_t repaired_states;  /* spaces replaced as a whole (qm_status: mending) */
  uint32_t more;             /* 1: the budget ended before all was exchanged, or it was cancelled */
  uint32_t reserved;         /* 0 */
} qm_sync_result;

#define QM_SYNC_RESULT_INIT \
  { (uint32_t)sizeof(qm_sync_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* One whole session with the hub, both ways. Blocks; calls of other threads go on while the
 * network is waited for; a second sync gets QM_EBUSY. *out (may be NULL) is filled as far as it
 * came, also on failure: what was acknowledged stays, and the next sync goes on from there.
 * QM_ENOTENROLLED; QM_ENET, QM_ETIMEOUT, QM_ECLOSED, QM_ETLS; QM_ECERT, QM_ECERTEXPIRED,
 * QM_EREVOKED; QM_ECLOCK: the clock shows a year before 2020; QM_EDIFFER: replicas differ;
 * QM_EREFUSED: the hub refused changes of this device (all else went well). */
QM_API int32_t qm_sync(qm_db *db, qm_sync_result *out, qm_error *e);
/* How far a sync is. Sizes in bytes, before TLS. */
typedef struct qm_sync_progress {
  uint32_t size;     /* sizeof of what the library gives: look no further */
  uint32_t reserved; /* 0 */
  uint64_t bytes_up, bytes_down;
  uint64_t segments_up, segments_down; /* taken by the hub; taken here */
  uint64_t records_down;               /* changed here by what came (again, each time) */
  uint64_t unsent_before, unsent;      /* own effects that the hub had not acknowledged when it
                                          began, and has not now */
} qm_sync_progress;

/* Fill with QM_RUN_OPTIONS_INIT. */
typedef struct qm_run_options {
  uint32_t size;      /* sizeof(qm_run_options) */
  uint32_t budget_ms; /* 0: as long as it takes */
  void *payload;
  /* Called as something moved, on this thread; must not call qianmo, qm_sync_cancel excepted.
     May be NULL. */
  void (*progress)(void *payload, const qm_sync_progress *p);
} qm_run_options;
#define QM_RUN_OPTIONS_INIT \
  { (uint32_t)sizeof(qm_run_options), 0, NULL, NULL }
/* As qm_sync, in slices: ends politely once budget_ms is over (within a tenth of a second and
 * what one batch takes to store; a host name that is being looked up is waited for, then a second
 * at most for the last words), and then gives QM_OK with out->more = 1: what was exchanged stays,
 * and the next call goes on from there. options may be NULL. QM_ECANCELED: qm_sync_cancel;
 * QM_ESUSPENDED; else as qm_sync. */
QM_API int32_t qm_sync_run(qm_db *db, const qm_run_options *options, qm_sync_result *out,
                           qm_error *e);
/* Makes the sync that runs in another thread (qm_sync, qm_sync_run) end as at the end of a
 * budget, with QM_ECANCELED. From any thread, and from progress. None runs: no effect. */
QM_API void qm_sync_cancel(qm_db *db);

/* A sync over the program's own way to the hub: bytes in, bytes out. They are TLS to the hub's
 * port, as qm_sync would send them; a proxy, a socket bound to one network, a cable, or a relay
 * carries them unread. From open to close it is this handle's sync: another gets QM_EBUSY. One
 * thread at a time. The program's loop: qm_link_take until nothing, and send; wait for bytes, at
 * most qm_link_wait; qm_link_feed (also with no bytes, when the time is over); until
 * qm_link_over; send what qm_link_take still gives; qm_link_close.
 * In a library built with QM_NO_NET the bytes are the session's own, for TLS of the program's
 * (qm_status: QM_CERTIFICATES; SPEC S24.13), and the other calls that connect give QM_ESTATE. */
typedef struct qm_link qm_link;
/* QM_ENOTENROLLED, QM_ECLOCK, QM_ECERT…, QM_EBUSY. *out: close it with qm_link_close. */
QM_API int32_t qm_link_open(qm_db *db, qm_link **out, qm_error *e);
/* Takes bytes from the hub; *used (may be less: take, then feed the rest). QM_EBUSY: a
 * transaction stayed open for busy_ms: feed them again; any other error: the sync is over
 * (qm_link_over), and qm_link_close says the same. */
QM_API int32_t qm_link_feed(qm_link *link, qm_slice bytes, size_t *used, qm_error *e);
/* Puts at most `room` bytes for the hub to `to`; *n 0: nothing now. QM_EBUSY as above. */
QM_API int32_t qm_link_take(qm_link *link, uint8_t *to, size_t room, size_t *n, qm_error *e);
/* Milliseconds until qm_link_feed must be called, with no bytes if none came; UINT32_MAX: there
 * is no limit. */
QM_API uint32_t qm_link_wait(qm_link *link);
/* 1: it is over, for better or worse. */
QM_API int32_t qm_link_over(qm_link *link);
/* Frees it and notes what it came to; before its end it is a cut, and the next sync goes on from
 * what was acknowledged. Before qm_close of the handle. out and errors as qm_sync; QM_ECLOSED: it
 * was not over; QM_EBUSY: a transaction stayed open for busy_ms, and it must be called again. */
QM_API int32_t qm_link_close(qm_link *link, qm_sync_result *out, qm_error *e);

/* Stays connected with the hub: what others change comes as it is committed there, what is
 * committed here, also by another process, goes up as it is written; after a cut it connects
 * again by itself (after half a second, then less often, up to a minute) and catches up.
 * Blocks until qm_interrupt (QM_OK) or until a person must act (the errors of qm_sync of
 * classes other than RETRY). While it runs, qm_sync gives QM_EBUSY. told (may be NULL) comes on
 * this thread, with QM_OK once everything is exchanged and the connection stays, with why
 * where it is lost, and so on; it must not call qianmo, qm_interrupt excepted. */
QM_API int32_t qm_sync_stay(qm_db *db, void (*told)(void *payload, int32_t code), void *payload,
                            qm_error *e);
/* The own changes that the hub refuses or has set aside, with their content: a line an effect,
 *   {"space","collection","id","field","op","value","time","code","message","status"}.
 * status: refused, set-aside (the office decides), declined (message: why). */
QM_API int32_t qm_export_refused(qm_db *db, qm_text *out, qm_error *e);

#ifdef __cplusplus
}
#endif

#endif
