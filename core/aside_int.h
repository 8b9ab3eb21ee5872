/* aside_int: private. What the files of setting aside, rebuilding and reissuing share. */
#ifndef QM_ASIDE_INT_H
#define QM_ASIDE_INT_H

#include "core/aside.h"
#include "core/space.h"

/* --- aside.c --- */

/* Reads the entries of a space from its store; forgets what is in memory first. */
int qm__aside_load(qm_space *s);
void qm__aside_free(qm_space *s);
/* Takes an entry into memory, digest and store. It is the next of its hub author. */
int qm__aside_add(qm_space *s, const qm_aside *a);
/* Fills in by, seq and signature of an entry that this hub makes, and adds it. */
int qm__aside_make(qm_space *s, qm_aside *a);
/* What names the change of this author, whichever segment brings it (S18.8); NULL: it is not
 * set aside. Forks apart (fork.h). */
const qm__aside_range *qm__aside_covers(const qm_space *s, const qm_author *author,
                                        const qm_change *c);
/* Hashes the counts into a sync digest; nothing where there are no entries. */
void qm__aside_sha(const qm_space *s, qm_sha *sha);

/* --- aside_copy.c --- */

/* What is kept of n changes of g from `first` on, before they are erased. context: what the
 * author had seen before the first of them. */
int qm__copy_write(qm_space *s, const qm_aside *a, const qm_segment *g, const qm_vv *context,
                   qm_buf *out);
/* The same of a fork: reissued already. Its context is not told. */
int qm__copy_write_moved(qm_space *s, const qm_aside *a, const qm_segment *g, const qm_author *to,
                         uint64_t to_first, qm_buf *out);
int qm__copy_put(qm_space *s, const qm_aside *a, qm_slice copy);
/* 1: there is one already. */
int qm__copy_exists(qm_space *s, const qm_author *author, uint64_t first, const qm_hash *segment,
                    int *out);
/* Writes it anew, with another status. */
int qm__copy_update(qm_space *s, const qm_aside_copy *copy);
/* In the arena; QM_ENOTFOUND. */
int qm__copy_find(qm_space *s, const qm_author *author, uint64_t first, qm_arena *arena,
                  qm_aside_copy *out);

/* --- aside_log.c --- */

/* A row of the log. Records of ops named by creation dot are filled in. In the arena. */
int qm__log_decode(qm_space *s, qm_slice blob, qm_arena *arena, qm_batch *out);
/* Fills in the records that ops name by creation dot. QM_ENOTFOUND: a dot that created none. */
int qm__log_resolve(qm_space *s, const qm_segment *g, qm_arena *arena);
/* The row whose segment of the author holds the counter, in the arena. QM_ENOTFOUND. */
int qm__log_at(qm_space *s, uint32_t author, uint64_t counter, qm_arena *arena, qm_log_row *out);
/* What the author had seen before its change at `counter`, by the log. QM_ECUT. */
int qm__log_context(qm_space *s, uint32_t author, uint64_t counter, qm_vv *out);
/* A copy of the segment in which the changes that are set aside are erased. flags: one for
 * each change. QM_ELIMIT where it no longer fits a batch. */
int qm__aside_erase(qm_space *s, const qm_segment *g, const uint8_t *flags, qm_arena *arena,
                    qm_segment *out);
/* What ingest does with a segment it takes: flags[i] is set where change i is set aside, by
 * an entry, or now where codes (a hub's verdicts, may be NULL) says so; then g is erased in
 * place. *any: 1 where one is. QM_ELIMIT: does not fit a batch any more. */
int qm__aside_segment(qm_space *s, qm_segment *g, const qm_hash *hash, const int32_t *codes,
                      const qm_slice *why, uint8_t *flags, int *any);
/* An entry of what is in the log already: erases it there, and gives the records it had an
 * effect on (ids in the engine's arena). */
int qm__aside_hold(qm_space *s, const qm_aside *a, qm_id **ids, uint32_t *n);

/* --- state.c --- */

/* The kept snapshot goes, inside the transaction: it holds what is set aside. */
int qm__state_forget(qm_space *s);

/* --- rebuild.c --- */

/* Records anew from the log, inside the transaction. QM_ECUT. */
int qm__rebuild(qm_space *s, const qm_id *ids, size_t n);

/* A state at some VV, of which the records stand in the store: clock rows and heads by local
 * number, n of each. */
typedef struct qm__retained {
  qm_vv *clocks, vv;
  qm_hash *heads;
  uint32_t n;
} qm__retained;
/* Replays on it what log and open run hold beyond; clocks and vv move along. Memory: one row
 * of the log and the records at hand. QM_ECUT: the log does not go on from there up to the
 * space's VV. QM_EFORK: another continuation of an author. */
int qm__rebuild_on(qm_space *s, qm__retained *base);
int qm__space_dirty_set(qm_space *s, int dirty);

/* --- repair_mark.c --- */

/* The sum of what is stored: records by their stored hashes, clock rows, entries. */
int qm__repair_sum(qm_space *s, qm_digest *out);
/* What a row counts for where it is looked at: its hash, if its bytes have it (then 1). */
int qm__repair_seen(const qm_space *s, const qm_record_row *row, uint8_t out[16]);
/* The record is that one from here on, or gone (NULL); nothing of what was here stays. */
void qm__repair_put(qm_loaded *l, const qm_record *r);
/* Neither dirty nor suspect any more: the state was replaced. */
int qm__repair_clean(qm_space *s);
int qm__repair_load(qm_space *s);
int qm__repair_suspect(qm_space *s, int suspect);
/* Suspect from here on: the digest becomes that of what is stored, and what it had beyond is
 * remembered. Inside the transaction; _now in one of its own. */
int qm__repair_note(qm_space *s);
int qm__repair_note_now(qm_space *s);
/* No longer suspect where what is stored, all of it good, sums up to what there was before. In a
 * transaction of its own. QM_EDIFFER where not. */
int qm__repair_whole(qm_space *s, const qm_digest *stored);
/* Dirty from here on, in a transaction of its own. */
int qm__repair_distrust(qm_space *s);
/* Counts what was replaced, and logs it. */
int qm__repair_count(qm_space *s, uint64_t records, uint64_t states);

/* --- space.c --- */

/* A change without effect: counters, clock row and names go on. */
int qm__space_pass(qm_space *s, const qm_change *c);
/* NULL where it is not loaded. */
qm_loaded *qm__space_peek(qm_space *s, const qm_id *id);
/* Forgets the records at hand, which were saved; the transaction goes on. */
void qm__space_let_go(qm_space *s);

#endif
