/* aside: changes that are well-formed but not accepted. The home hub *sets them aside*: they
 * stay in the log, erased in place, so that counters, chain and clock rows go on and nobody
 * who had seen them waits; and they have no effect at all (SPEC §18).
 *
 * What says so is an *entry*, signed by the home hub. Entries only grow. Each stands at the
 * hub's own author and a number dense from 0, so a replica's entries are told by how many it
 * has of each hub author (a hub has another author after a restore), and travel as the rest
 * of such a sequence. A *copy* is the content beside the log, for people: the hub keeps one
 * of everything, a device of its own changes.
 *
 * Threads and memory as engine.h. */
#ifndef QM_ASIDE_H
#define QM_ASIDE_H

#include "core/engine.h"

#define QM_ASIDE_TEXT_MAX 200u    /* bytes of a reason */
#define QM_ASIDE_HUBS_MAX 64u     /* authors of the home hub */
#define QM_ASIDE_BLOB_MAX 131072u /* bytes of entries in one go */

typedef enum qm_aside_kind {
  QM_ASIDE_CHANGE = 0,   /* these changes are set aside; text: why */
  QM_ASIDE_APPROVED = 1, /* what stands at (author, first) was reissued */
  QM_ASIDE_DECLINED = 2  /* it stays out; text: why */
} qm_aside_kind;

typedef struct qm_aside {
  qm_author by; /* the home hub */
  uint64_t seq;
  uint32_t kind;
  qm_author author;
  uint64_t first, next; /* whole changes of one segment */
  qm_hash segment;      /* its full hash: of two branches of a fork, which one */
  int32_t code;         /* 0 but in QM_ASIDE_CHANGE */
  qm_slice text;
  uint8_t has_signature;
  uint8_t signature[64];
} qm_aside;

/* One entry as it rests and travels (S18.2). Errors stick in out. */
void qm_aside_put(const qm_aside *a, qm_buf *out);
/* Reads one; text borrows the input. Errors of cur, QM_EMALFORMED, QM_ERANGE, QM_EOVERSIZE. */
int qm_aside_get(qm_aside *a, qm_cur *c);
/* What the home hub signs. */
int qm_aside_digest(const qm_aside *a, const qm_id *space, const qm_env *env, uint8_t out[32]);

/* How many entries a replica has, ascending by author. */
typedef struct qm_aside_count {
  qm_author by;
  uint64_t count;
} qm_aside_count;
typedef struct qm_aside_counts {
  const qm_aside_count *p;
  uint32_t n;
} qm_aside_counts;

/* Borrowed until the next call that changes state. */
qm_aside_counts qm_space_asides(const qm_space *s);
/* 1 where `mine` has every entry of `theirs`. */
int qm_aside_includes(qm_aside_counts mine, qm_aside_counts theirs);
/* Appends to out an array of entries that the peer lacks, as many as fit
 * QM_ASIDE_BLOB_MAX; *after: what the peer has then, in the arena. QM_ENOTFOUND: none. */
int qm_engine_aside_read(qm_engine *e, qm_space *s, qm_aside_counts peer, qm_arena *arena,
                         qm_buf *out, qm_aside_counts *after);

/* What whoever sent these entries has at least: `had`, and all up to each of them. In the
 * arena. QM_ELIMIT, QM_ENOMEM, decode errors. */
int qm_aside_after(qm_slice entries, qm_aside_counts had, qm_arena *arena, qm_aside_counts *out);

/* 0 where `device` is the home hub and the signature is its own; else why not. */
typedef int (*qm_aside_verify)(void *payload, const qm_id *device, const uint8_t digest[32],
                               const uint8_t signature[64]);

/* Takes an array of entries in a durable transaction of its own; those already here are
 * passed over. What they name is erased in place in the log, and records that it had an
 * effect on are computed anew from the log. Where the log does not reach back, the replica
 * is dirty from here on. verify NULL: signatures are not looked at. *fresh (may be NULL):
 * how many were new. QM_EFORGED, QM_EGAP (not the next one), QM_ELIMIT, decode errors: none
 * was taken. */
int qm_engine_aside_take(qm_engine *e, qm_space *s, qm_slice entries, qm_aside_verify verify,
                         void *payload, uint32_t *fresh, qm_error *err);

/* 1: it holds effects of changes that are set aside. It gives its state to nobody and
 * compares no digest until qm_engine_rebuild has put that right. */
int qm_space_dirty(const qm_space *s);
/* Computes records, lookup keys and digest anew from the log, in a durable transaction.
 * QM_ECUT: the log does not reach back to the beginning. */
int qm_engine_rebuild(qm_engine *e, qm_space *s, qm_error *err);

/* --- copies, for people --- */

typedef struct qm_aside_copy {
  qm_author author;
  uint64_t first, next;
  qm_hash segment;
  int32_t code;
  uint64_t at_ms;
  qm_aside_kind status; /* QM_ASIDE_CHANGE: not decided */
  qm_slice text;        /* why it was set aside; declined: why it stays out */
  qm_author moved;      /* approved: the author and counter that it stands at */
  uint64_t moved_first;
  qm_vv_list context; /* what its author had seen before the first change; heads are zero */
  qm_change *changes;
  uint32_t n_changes;
} qm_aside_copy;

/* Visits the copies, ascending by author and counter. What it is handed lives until it
 * returns. Names: as in store.h. */
typedef int (*qm_visit_copy)(void *payload, const qm_aside_copy *copy);
int qm_engine_aside_copies(qm_engine *e, qm_space *s, qm_visit_copy visit, void *payload);

/* The home hub decides what it has set aside. Approving reissues it (core/reissue.h).
 * Durable transactions of their own. QM_ENOTFOUND: no such copy; QM_EEXIST: decided
 * already; QM_ESTATE: an earlier change of this author waits for its decision. */
int qm_engine_aside_approve(qm_engine *e, qm_space *s, const qm_author *author, uint64_t first,
                            qm_error *err);
int qm_engine_aside_decline(qm_engine *e, qm_space *s, const qm_author *author, uint64_t first,
                            qm_slice why, qm_error *err);

#endif
