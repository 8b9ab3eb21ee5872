/* read: what is shown. Computed from siblings and stamps when a record is read; never
 * stored in state, so that a late stamp only changes what the next reading shows. */
#ifndef QM_READ_H
#define QM_READ_H

#include "crdt/entries.h"
#include "crdt/keyed.h"
#include "crdt/sequence.h"
#include "crdt/siblings.h"
#include "crdt/totals.h"
#include "engine.h"

/* Why a value stands on the review list. */
typedef enum qm_conflict_class {
  QM_CONFLICT_SIBLING = 1, /* a concurrent write lost the contest */
  QM_CONFLICT_UNREAD = 2,  /* overwritten by a write that had not shown it (kept) */
  QM_CONFLICT_CONTRADICT =
      3,                   /* a state that cannot be reached from the shown one, nor it from this */
  QM_CONFLICT_DELETED = 4, /* edited by one, deleted by another (a record, not a field) */
  QM_CONFLICT_SAME_KEY = 5, /* created twice under one natural key, naming fields differ */
  QM_CONFLICT_MERGE = 6,    /* another record of the class has it (core/class.h) */
  QM_CONFLICT_UNMERGED = 7, /* merged by one, taken out of the class by another */
  /* Of relations (core/tie.h); a collection says no level for these. */
  QM_CONFLICT_CLASH = 8,    /* two records that cannot both stand */
  QM_CONFLICT_OVERDRAWN = 9 /* a request for more than its account has */
} qm_conflict_class;

/* A sibling with where it stands. */
typedef struct qm_listed {
  const qm_sibling *sibling;
  qm_time effective;
  qm_conflict_class cls;
} qm_listed;

typedef struct qm_contest {
  const qm_sibling *shown; /* NULL where the cell is empty */
  qm_time effective;       /* of the shown one */
  qm_listed *
      others; /* conflicts: another value than shown; by (time, author, counter) descending */
  uint32_t n_others;
} qm_contest;

/* Loads a record into the caller's arena, outside or inside a transaction (inside, it
 * shows what was written so far). QM_ENOTFOUND where nothing is known of it; a record
 * that is deleted is found, and qm_record_visible tells. The result lives until the
 * arena is reset and, inside a transaction, until its next write. */
int qm_engine_read(qm_engine *e, qm_space *s, const qm_id *id, qm_arena *arena,
                   const qm_record **out);
/* The same as it stands in the store, also inside a transaction. */
int qm__read_stored(qm_engine *e, qm_space *s, const qm_id *id, qm_arena *arena,
                    const qm_record **out);
/* What a siblings cell shows under a field's type (NULL def: read as a register).
 * cell may be NULL. QM_ENOMEM. */
int qm_read_contest(const qm_space *s, const qm_field_def *f, const qm_cell *cell, qm_arena *arena,
                    qm_contest *out);
/* The visible class that shows the natural key `key`, in normal form, by its id (else one of
 * merged records that lists it): of several the one whose member is found first.
 * QM_ENOTFOUND where there is none. */
int qm_engine_find_key(qm_engine *e, qm_space *s, const qm_collection_def *c, qm_slice key,
                       qm_id *out);
/* Is this a conflict of class same-key: two creations met and a naming field differs, or
 * does a visible record of another class show the same key? (What of it: core/class.h.) */
int qm_read_same_key(qm_engine *e, qm_space *s, const qm_record *r, int *out);

/* --- reading tokens (opaque to callers; SPEC S3.10) --- */
enum { QM_READ_VALUES = 0, QM_READ_REVIEW = 1 };
/* Appends the token of a reading of record r: what it showed, field by field. Commits that
 * are not durable yet become so: a token may outlive the process. QM_ENOMEM, QM_EIO. */
int qm_token_make(const qm_space *s, const qm_record *r, unsigned kind, qm_arena *arena,
                  qm_buf *out);

/* Is it a token of a reading of this record, or of a class that had it? 0 also where it is
 * no token. */
int qm_token_about(const qm_space *s, qm_slice token, const qm_id *record);

#endif
