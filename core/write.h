/* write: one local change: what a form save does, all or nothing.
 *
 *   qm_write_begin, any number of verbs, then qm_write_commit or qm_write_cancel.
 *
 * A verb takes effect in memory at once (a later verb of the same change sees it) and
 * returns QM_OK where nothing had to be written. Values are canonical MessagePack and
 * copied. A token (empty: as if the record's values were read now) says what the
 * writer was shown: only that is replaced, the rest is kept for review.
 * After an error of a verb the change can go on without it, unless the code is
 * QM_ENOMEM, QM_EINTERNAL or of class storage: then only cancel is left.
 *
 * A verb names a record and means its class (class.h): it goes to the first member that is
 * visible; elements are removed and records deleted on every member that has them.
 *
 * Every verb: QM_ENOTFOUND (no such record), QM_EINVISIBLE (deleted; use restore),
 * QM_ESCHEMA, QM_EACCESS (role may not write), QM_ELIMIT, QM_EFORMAT (bad token). */
#ifndef QM_WRITE_H
#define QM_WRITE_H

#include "class.h"

typedef struct qm_write qm_write;

enum {
  QM_WRITE_RAW = 1,    /* replay: writes equal values, replaces all that is covered, no schema */
  QM_WRITE_SETTLE = 2, /* set: writes an equal value too, made from a reading of the review list */
  QM_WRITE_AGAIN = 4,  /* add: a new dot also where the element is shown */
  QM_WRITE_HOME = 8    /* of qm_write_begin: the home hub's own; neither role nor schema is asked */
};

/* Opens the engine's transaction. QM_ESTATE where one is open; QM_EACCESS where the
 * space is not writable. */
int qm_write_begin(qm_write **out, qm_engine *e, qm_space *s, unsigned flags);
/* Whether the change as it stands has what the states it sets need (S7.10): else
 * QM_EINCOMPLETE; and what the schema's relations ask (§25): else QM_ESCHEMA. qm_write_error
 * says what is missing; the change goes on. A commit asks the same. Failures of this
 * replica leave only cancel. */
int qm_write_check(qm_write *w);
/* Durable as asked; nothing written: no change is made, QM_OK. Frees w. */
int qm_write_commit(qm_write *w, qm_durability durability);
void qm_write_cancel(qm_write *w); /* frees w; NULL is fine */
/* Ops written so far. */
uint32_t qm_write_count(const qm_write *w);
/* Detail of the last failed verb. */
const qm_error *qm_write_error(const qm_write *w);

/* Creates a record. id NULL: by the collection's natural key where `key` is given
 * (opens the visible record that shows it, *existing = 1), else random. The id stands
 * in *out. QM_EEXIST where `id` is given and known here. */
int qm_write_new(qm_write *w, uint32_t collection, const qm_id *id, qm_slice key, qm_id *out,
                 int *existing);
int qm_write_delete(qm_write *w, const qm_id *record, qm_slice token);
int qm_write_restore(qm_write *w, const qm_id *record);
/* Joins the classes of two records (S3.16). One class already: nothing, but what is listed
 * as taken out by somebody else is settled. QM_EINVAL (one record, merged with none), QM_ESCHEMA
 * (two collections), QM_ELIMIT. */
int qm_write_merge(qm_write *w, const qm_id *a, const qm_id *b);
/* Takes this record out of its class; what it connected stays connected (S3.18). */
int qm_write_unmerge(qm_write *w, const qm_id *record);
/* Says that two records are not the same thing (S3.22): they are not proposed as duplicates
 * any more. Nothing where that is said of their classes already. QM_EINVAL: one class;
 * QM_ESCHEMA: two collections. */
int qm_write_distinct(qm_write *w, const qm_id *a, const qm_id *b);
/* Takes back all such statements between their classes. The same errors. */
int qm_write_not_distinct(qm_write *w, const qm_id *a, const qm_id *b);

typedef enum qm_split_how {
  QM_SPLIT_MOVED = 1,
  QM_SPLIT_COPIED = 2 /* stands in both now: a log, or a field that cannot be empty */
} qm_split_how;
typedef struct qm_split_field {
  uint32_t field;
  qm_split_how how;
} qm_split_field;
/* Moves what `device` wrote, who created the record too, to a new record *out (S3.20), and
 * says what became of each field that had something of it; *fields lives as long as w.
 * QM_EINVAL: it did not create the record, or nobody else did. After another error only
 * cancel is left. */
int qm_write_split(qm_write *w, const qm_id *record, const qm_id *device, qm_id *out,
                   const qm_split_field **fields, uint32_t *n);
/* Register, state, ref; also max and min (a correction, may go back). `flags`: QM_WRITE_SETTLE. */
int qm_write_set(qm_write *w, const qm_id *record, uint32_t field, qm_slice value, qm_slice token,
                 unsigned flags);
/* Max: raise; min: lower. Writes only beyond what is shown, or where that is not acknowledged. */
int qm_write_raise(qm_write *w, const qm_id *record, uint32_t field, qm_slice value,
                   qm_slice token);
int qm_write_add(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                 unsigned flags);
int qm_write_remove(qm_write *w, const qm_id *record, uint32_t field, qm_slice element,
                    qm_slice token);
int qm_write_inc(qm_write *w, const qm_id *record, uint32_t field, int64_t delta);
int qm_write_append(qm_write *w, const qm_id *record, uint32_t field, qm_slice value); /* log */
/* Ledger: appends the entry that reverses the one called `entry`. QM_ENOTFOUND: no such entry. */
int qm_write_reverse(qm_write *w, const qm_id *record, uint32_t field, qm_slice entry,
                     qm_slice reason);
/* Text: at visible code point `at` (UINT64_MAX: the end) take `cut` out, then put `text`
 * in. With a token: refused
 * with QM_ESTALE where the text has changed since. */
int qm_write_splice(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                    qm_slice text, qm_slice token);
/* List: at visible element `at` (UINT64_MAX: the end) takes `cut` elements out, then puts the
 * `n` values in: insert is cut 0, remove n 0, replace both. With a token: refused with
 * QM_ESTALE where the list has changed since; QM_ERANGE beyond the end; QM_ELIMIT where a
 * value has QM_VALUE_MAX bytes. */
int qm_write_list(qm_write *w, const qm_id *record, uint32_t field, uint64_t at, uint64_t cut,
                  const qm_slice *values, uint32_t n, qm_slice token);

#endif
