/* repair: records that are not what they were are *replaced*, never joined: a join of states at
 * one VV is an intersection, and would take from the good side what the bad one lost (SPEC
 * §19).
 *
 * Two ways. A replica whose records are not to be trusted at all is *dirty*: it takes a whole
 * state in place of its own (state.h). One of which some records are in doubt is *suspect*: at
 * an equal VV two replicas find by the sums of their records' hashes over ranges of ids where
 * they differ, and the records are replaced on the side that is wrong: the one whose stored
 * hash is not that of the stored bytes; else the one that is not the home hub.
 *
 * Nothing of a search is kept between its steps: an answer names the ranges it answers. Each
 * step reads the records once at most, whatever the peer asks. All of these run outside a
 * transaction (else QM_ESTATE). Threads and memory as engine.h. */
#ifndef QM_REPAIR_H
#define QM_REPAIR_H

#include "core/engine.h"

#define QM_RANGE_FAN 32u       /* children of a range */
#define QM_RANGES_MAX 32u      /* ranges in one question */
#define QM_RANGE_LIST_MAX 128u /* a range of at most so many records is listed */
#define QM_RANGE_WANT_MAX 256u /* records wanted at once */
#define QM_RANGE_BYTES 1048576u /* of a question or an answer */
#define QM_RANGE_STEPS_MAX 24u /* questions in one search */

/* --- how a space is marked --- */

/* 1: some records differ from what their hashes or the digest say, and a session with a peer
 * is to mend it. Also found by qm_engine_check. */
int qm_space_suspect(const qm_space *s);
/* To be called where reading a record gave QM_ECORRUPT. A device is dirty from here on, and
 * goes on as soon as a peer gives it a state; a hub is suspect. Its own durable transaction. */
int qm_engine_damaged(qm_engine *e, qm_space *s);
/* The home hub's digest equals that of all that is stored here: whatever was in doubt is
 * right, unless a row still is not what its hash says. Its own transaction. */
int qm_engine_unsuspect(qm_engine *e, qm_space *s);
/* The digest of what is stored, in which a record whose bytes do not have its hash counts for
 * what no record does (S19.1). Equal to qm_space_digest where nothing is wrong. */
int qm_engine_digest_now(qm_engine *e, qm_space *s, qm_digest *out);

typedef struct qm_repaired {
  uint64_t records, states; /* replaced, ever */
  uint64_t at_ms;           /* corrected time of the last; 0: never */
} qm_repaired;
int qm_engine_repaired(qm_engine *e, qm_space *s, qm_repaired *out);

/* --- the search, on the side that asks --- */

/* The next question, by the peer's last answer (empty: the first). Appends to out; nothing
 * appended: the search is over. Where the answer brings records, they are judged and replaced
 * here, in a durable transaction. peer_is_home: where nothing else tells who is wrong, this
 * side is. *replaced (may be NULL): how many were, here or (as the peer says) there.
 * QM_ECUT: too much differs to be found so: the space is dirty from here on. Errors of
 * decoding: the answer is none to a question of this side. */
int qm_repair_next(qm_engine *e, qm_space *s, qm_slice answer, int peer_is_home, qm_buf *out,
                   uint32_t *replaced, qm_error *err);

/* --- on the side that is asked --- */

/* Appends the answer. takes: the peer's records are taken where this side's stored hashes say
 * that they were here (never else). QM_EINVAL, errors of decoding: no question. */
int qm_repair_answer(qm_engine *e, qm_space *s, qm_slice question, int takes, qm_buf *out,
                     uint32_t *replaced, qm_error *err);

#endif
