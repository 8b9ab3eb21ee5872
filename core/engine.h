/* engine: one replica. All spaces of one store, their author tables, clock rows and
 * digests in memory, records loaded as needed; local writes (write.h), reads
 * (read.h), ingest of batches, and the questions a session asks.
 *
 * A single-threaded object. Everything that changes state happens inside one
 * transaction (begin … commit or rollback); ingest and writes of one transaction
 * become durable together. Memory handed out is borrowed until the next call that
 * changes state, unless it says otherwise. */
#ifndef QM_ENGINE_H
#define QM_ENGINE_H

#include "batch.h"
#include "digest.h"
#include "record.h"
#include "schema.h"
#include "store.h"

#define QM_SPACE_SECRET_SIZE 32

typedef struct qm_engine qm_engine;
typedef struct qm_space qm_space;

enum {
  QM_ENGINE_HUB = 1,   /* the home hub of its spaces: judges what arrives */
  QM_ENGINE_REPLAY = 2, /* epoch zero, no clock correction, no stamping */
  QM_ENGINE_FEED = 4,   /* keeps the feed of what changed (feed.h), for an app */
  QM_ENGINE_BEHIND = 8, /* state may follow behind the log (S12.14): of what is written here;
                           of what others wrote not with FEED, INBOX or tables */
  QM_ENGINE_FOLDED = 16, /* shows what was folded last and changes nothing: a store to be read */
  QM_ENGINE_INBOX = 32  /* notes what of this device's values others put out of sight (inbox.h) */
};

typedef struct qm_engine_options {
  uint32_t size; /* sizeof(qm_engine_options) */
  uint32_t flags;
  qm_id device;
  int zip_level; /* zstd level of new batches, 0 = default */
} qm_engine_options;

/* Borrows env and store until close; does not close the store. Starts a new epoch
 * where the instance id is missing or differs from the one stored. */
int qm_engine_open(qm_engine **out, const qm_env *env, qm_store *store,
                   const qm_engine_options *options, qm_error *e);
void qm_engine_close(qm_engine *e);
const qm_author *qm_engine_author(const qm_engine *e);
/* On a device: the home hub of all that it holds, as its enrolment said. From then on nobody
 * else's trims and writes to the space record are taken (S10.8); zero, as after open: not
 * known, and they are. */
void qm_engine_home(qm_engine *e, const qm_id *hub);
/* A new author for this device from here on: a copy or restore was noticed. Inside
 * no transaction. */
int qm_engine_new_epoch(qm_engine *e);

/* Corrected clock: env's now plus the offset measured against an authenticated hub. */
uint64_t qm_engine_now(const qm_engine *e);
int qm_engine_offset(qm_engine *e,
                     int64_t offset_ms); /* outside a transaction; kept in the store */
int64_t qm_engine_offset_get(const qm_engine *e);
/* Replay only: what the clock shows from now on. */
void qm_engine_clock_fix(qm_engine *e, uint64_t now_ms);

/* --- spaces --- */
typedef struct qm_space_info {
  qm_id id;
  qm_slice name, role; /* role: of this device's member, "hub" on a hub */
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  qm_slice schema; /* MessagePack form */
  int readable, writable;
} qm_space_info;

/* Adds the space or updates name, role, rights and schema (a schema with a lower
 * version than the one held is ignored; one that is not additive is QM_ESCHEMA).
 * Its own transaction. */
int qm_engine_space_put(qm_engine *e, const qm_space_info *info, qm_error *err);
/* NULL where it is not held. */
qm_space *qm_engine_space(qm_engine *e, const qm_id *id);
qm_space *qm_engine_space_named(qm_engine *e, qm_slice name);
uint32_t qm_engine_space_count(const qm_engine *e);
qm_space *qm_engine_space_at(qm_engine *e, uint32_t index);    /* ascending by id */
void qm_space_info_get(const qm_space *s, qm_space_info *out); /* borrows from s */
const qm_schema *qm_space_schema(const qm_space *s);
const qm_authors *qm_space_authors(const qm_space *s);
const qm_vv *qm_space_vv(const qm_space *s);
/* With QM_ENGINE_BEHIND: of what was folded last; qm_engine_fold first gives that of the VV. */
void qm_space_digest(const qm_space *s, qm_digest *out);
/* Effective time of a dot whose own time is `own` (S3.9). */
qm_time qm_space_effective(const qm_space *s, qm_dot dot, qm_time own);

/* --- transactions --- */
int qm_engine_begin(qm_engine *e);
/* Saves what changed and commits. done as in store.h. On failure everything in
 * memory stands as before begin. */
int qm_engine_commit(qm_engine *e, qm_durability durability, qm_store_done done, void *payload);
void qm_engine_rollback(qm_engine *e);
/* QM_OK, or QM_EIO: storage failed in a way after which the engine cannot go on, and every other
 * call that asks the store gives this too. Close engine and store and open them again: what was
 * committed is there. */
int qm_engine_status(const qm_engine *e);
/* Rises whenever this replica writes a change of its own, or makes or takes a set-aside
 * entry, in whatever space; what is rolled back counts as well. 0 after open. */
uint64_t qm_engine_own_writes(const qm_engine *e);
/* QM_ENGINE_BEHIND: saves the state of all that was committed, in a transaction of its own, not
 * durable by itself (the log is). Whatever reads state does this first; only who reads the
 * store directly must ask. Nothing waits: no effect. QM_ESTATE inside a transaction; the
 * store's errors, QM_ENOMEM. */
int qm_engine_fold(qm_engine *e);

/* --- what a session asks; space by id --- */

typedef struct qm_vv_entry {
  qm_author author;
  uint64_t next;
  uint8_t head[QM_HEAD_SIZE];
} qm_vv_entry;
typedef struct qm_vv_list {
  const qm_vv_entry *p;
  uint32_t n;
} qm_vv_list; /* ascending by author */

/* Closes the open run of this replica's own author into segments (a push does this
 * first) and appends them to the log. Its own durable transaction; nothing open: no
 * effect, no fsync. */
int qm_engine_push(qm_engine *e, qm_space *s);
/* The VV at segment ends, with heads. Call after push. Lives in the arena. */
int qm_engine_heads(qm_engine *e, qm_space *s, qm_arena *arena, qm_vv_list *out);
/* First 16 bytes of SHA-256 over VV with heads, purges and set-aside entries, and
 * the schema version: equal means nothing to exchange in this space. */
int qm_engine_sync_digest(qm_engine *e, qm_space *s, uint8_t out[16]);
/* The next batch of the log after *cursor (0: from the start) that holds a segment
 * the peer lacks; re-encoded without the segments it has. Appends to out, moves
 * *cursor. QM_ENOTFOUND where there is none. QM_ECUT: the peer stands below the floor of
 * an author of whom this replica has more; it needs a state. */
int qm_engine_next_batch(qm_engine *e, qm_space *s, qm_vv_list peer, uint64_t *cursor, qm_buf *out);
/* The same without the authors of whom the peer lacks what is cut: for a peer that takes no
 * state (a hub). */
int qm_engine_next_held(qm_engine *e, qm_space *s, qm_vv_list peer, uint64_t *cursor, qm_buf *out);
/* The same for a peer that holds other branches (qm_engine_meet): all of their authors, and
 * nothing of whom what the peer lacks is cut. */
int qm_engine_next_apart(qm_engine *e, qm_space *s, const qm_id *peer, uint64_t session,
                         qm_vv_list vv, uint64_t *cursor, qm_buf *out);
/* Compares a peer's VV list with this replica's: QM_EFORK where the peer stands at
 * the same counter of some author with another head; *own_ahead = 1 where the peer
 * knows more of this replica's own author (then call qm_engine_new_epoch). */
int qm_engine_compare(qm_engine *e, qm_space *s, qm_vv_list peer, int *own_ahead,
                      qm_author *forked);

/* What a session does with the peer's VV: compares as above, and looks whether the peer's
 * changes of each author, where it holds fewer, are those held here. Of an author of whom that
 * is not so (QM_EFORK; *forked: one of them) nothing that the peer brings is taken, nor what
 * was written upon it, until the home hub has said what stands; all else goes on. Starts a new
 * epoch where the own author is told of. peer_is_hub: it is the home hub. Outside a
 * transaction. The peer's part is forgotten by qm_engine_unpark. */
int qm_engine_meet(qm_engine *e, qm_space *s, const qm_id *peer, uint64_t session,
                   int peer_is_hub, qm_vv_list vv, qm_author *forked);
/* Takes back what the home hub's entries say does not stand, once all that would go is named
 * by them and what it was moved to is here or at the hub that is met; else no effect. In a
 * durable transaction of its own. qm_engine_aside_take and qm_engine_meet call it; again before a
 * session, for what a crash left, and after one, for what it brought. */
int qm_engine_fork_settle(qm_engine *e, qm_space *s);
/* The hub holds exactly what is held here: no author is in doubt. In a transaction of its own. */
int qm_engine_fork_none(qm_engine *e, qm_space *s);
/* 1, once: an author came into doubt, or something was taken back, so that another session
 * with the hub goes on at once. */
int qm_engine_fork_news(qm_engine *e);
/* 1: this peer holds another branch of some author. It is given no state. */
int qm_space_forked_at(const qm_space *s, const qm_id *peer, uint64_t session);
/* Authors that stop here until the home hub has said which branch stands. */
uint32_t qm_space_forks(const qm_space *s, const qm_author **authors);

/* The log holds, of each author, every segment from here on (0: all of it). */
const qm_vv *qm_space_floor(const qm_space *s);
/* Cuts the log below vv, in whole rows, and moves the floor to exactly what is gone. vv is
 * the caller's policy (retention; on a hub what every live device said it holds); beyond
 * it the engine keeps, on a device, what it does not know a hub to hold, and of its own
 * what it does not know to be safe. Its own transaction; QM_ESTATE inside one. What the
 * log still holds of the open run is not touched (it is in no segment). */
int qm_engine_cut(qm_engine *e, qm_space *s, const qm_vv *vv);

typedef struct qm_refusal {
  qm_author author;
  uint64_t counter; /* start of the refused segment */
  int32_t code;
  char message[120];
  qm_id peer;       /* who brought it, and in which session: for what was parked */
  uint64_t session; /* neither need be those of the batch that was taken then */
} qm_refusal;

/* qm_ingest.check_schema: judge by the schema; or only what a newer one cannot allow, because
 * who brings it has a newer one. */
enum { QM_CHECK_SCHEMA = 1, QM_CHECK_NEWER = 2 };

typedef struct qm_ingest {
  /* in */
  qm_id peer;       /* device it came from */
  uint64_t session; /* tells the sessions of that device apart: what is parked is the session's */
  int check_author; /* 1: segments need a signature of their author that verifies */
  int check_schema; /* not 0: judge against schema and `role` (a hub), QM_CHECK_… */
  qm_slice role;
  qm_id home; /* the space's home hub; zero: what qm_engine_home says, else this engine's device */
  /* ECDSA check by author device; NULL with check_author: other devices' segments
     are QM_EFORGED. 0 or QM_EHASH / QM_ENOTFOUND (device unknown). */
  int (*verify)(void *payload, const qm_id *device, const uint8_t digest[32],
                const uint8_t signature[64]);
  /* 1 where this author was refused before in this space. May be NULL. */
  int (*refused)(void *payload, const qm_author *author);
  void *payload;
  /* out */
  uint32_t taken, known, parked; /* segments */
  uint64_t ops;
  qm_refusal *refusals;
  uint32_t n_refusals; /* in the arena given */
  /* Of a segment in its compact form that was taken: whose it is, its end; 1: nothing of it was
     set aside, so that others may be given the same bytes. */
  qm_author author;
  uint64_t next;
  int as_it_came;
} qm_ingest;

/* Takes a batch inside a transaction: whole segments, each checked before any of it
 * is applied; those already held are counted as known, those with missing
 * dependencies are parked in memory (bounded per peer, all its sessions together) and
 * tried again after each segment taken, by the terms under which they came; refused ones
 * leave no trace and stop their author for the rest of what this session brings here.
 * What was parked and is taken stays parked where the transaction is rolled back. QM_OK
 * unless the batch itself cannot be read (cur's errors, QM_EFORMAT, QM_EVERSION,
 * QM_EOVERSIZE: nothing was taken) or the store or memory fails (roll back).
 * A segment in its compact form (S5.19) is taken or not; where not, for whatever reason, that
 * is QM_EGAP, nothing was taken, and nobody is refused: the same is to come in a batch. */
int qm_engine_ingest(qm_engine *e, qm_space *s, qm_slice batch, qm_ingest *in, qm_arena *arena,
                     qm_error *err);
/* Drops what this session of this peer has parked: it ended. Outside a transaction. */
void qm_engine_unpark(qm_engine *e, const qm_id *peer, uint64_t session);

typedef enum qm_compare {
  QM_COMPARE_NONE = 0,
  QM_COMPARE_EQUAL = 1,
  QM_COMPARE_DIFFER = 2
} qm_compare;

/* Identity of a VV for digest questions: first 16 bytes of SHA-256 over it. */
int qm_engine_vv_digest(qm_engine *e, qm_space *s, uint8_t out[16]);
/* Did this replica ever stand exactly at that VV (now, or in its last 16 notes), and
 * with which digest? */
int qm_engine_digest_check(qm_engine *e, qm_space *s, const uint8_t vv_digest[16],
                           const uint8_t digest[16], qm_compare *out);

/* Notes from the hub: what it has durably (acknowledged) and what is in a verified
 * backup (safe). `vv` is all of it: an author that it does not name stands at 0, and any
 * may go back (a hub that was restored): its word is what counts. Kept in the store;
 * outside a transaction. */
int qm_engine_acknowledged(qm_engine *e, qm_space *s, qm_vv_list vv, int safe);
/* The same of one author, who may only move on: the hub has its changes up to `next`. */
int qm_engine_acknowledged_to(qm_engine *e, qm_space *s, const qm_author *author, uint64_t next);
/* Closes the open run and appends, in its compact form (S5.19), the one segment that this
 * device has and its hub lacks, as far as the hub said; *end: whose it is, where it ends, its
 * head. QM_ENOTFOUND: the hub has all; QM_ELIMIT: more than one, others' too, one that is not
 * small, or something is being mended: exchange VVs. Outside a transaction. */
int qm_engine_small(qm_engine *e, qm_space *s, qm_buf *out, qm_vv_entry *end);
const qm_vv *qm_space_acknowledged(const qm_space *s);
const qm_vv *qm_space_safe(const qm_space *s);
/* Own changes that no hub has acknowledged: count, and time of the oldest in
 * corrected milliseconds (0 where none). */
int qm_engine_unsent(qm_engine *e, qm_space *s, uint64_t *changes, uint64_t *oldest_ms);

/* Is a value a file whose content is on this device? Asked by writes of states that need
 * files (S7.10), on the writer's thread, inside its transaction; reads no engine. */
typedef int (*qm_file_here)(void *payload, qm_slice value);
/* NULL (as at the start): none is. */
void qm_engine_files(qm_engine *e, qm_file_here here, void *payload);

/* Recomputes the digest from the stored records and clock rows and compares hashes
 * with blobs: QM_EDIFFER / QM_ECORRUPT with detail. */
int qm_engine_check(qm_engine *e, qm_space *s, qm_error *err);

#endif
