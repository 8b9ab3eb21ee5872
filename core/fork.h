/* fork: two continuations of one author, from an undetected restore or copy (SPEC §21).
 *
 * The branch that the home hub holds stands. Of another one the hub takes every segment that
 * it is shown: it verifies it, reissues what is not equal as a new author, in the context it
 * was written in, and says so by an entry that names the segment. What others wrote upon the
 * branch goes the same way. Whoever holds what entries name takes it back, once all that
 * would go with it is named; then the standing branch and what was reissued come to it as
 * changes do. Until then its author stops.
 *
 * Internal to the library. Threads and memory as engine.h. */
#ifndef QM_FORK_H
#define QM_FORK_H

#include "core/aside_int.h"
#include "core/fork_chain.h"
#include "core/reissue.h"

/* --- what entries say --- */

/* The text of such an entry: where its first change stands now. */
#define QM__FORK_TEXT (2 * QM_AUTHOR_SIZE + 1 + 20)
void qm__fork_text(const qm_author *to, uint64_t first, char out[QM__FORK_TEXT + 1]);
int qm__fork_text_read(qm_slice text, qm_author *to, uint64_t *first); /* QM_EMALFORMED */

/* What names a part of the author's segment with this head, the last part; NULL: nothing. */
const qm__aside_range *qm__fork_named(const qm_space *s, const qm_author *author,
                                      const uint8_t *head);
/* The first part of it. */
const qm__aside_range *qm__fork_first(const qm_space *s, const qm_author *author,
                                      const uint8_t *head);

/* All parts of the author's segment with this head were moved to what is here, or at the home hub
 * as far as this session knows. */
int qm__fork_stands(const qm_space *s, const qm_author *author, const uint8_t *head);
/* The home hub's VV, as far as it tells of what entries say something was moved to. */
int qm__fork_hub_holds(qm_space *s, const qm_id *session, qm_vv_list vv);

/* --- authors of whom two continuations were met and not yet resolved; durable --- */

int qm__fork_is_suspect(const qm_space *s, const qm_author *author);
int qm__fork_suspect(qm_space *s, const qm_author *author); /* inside a transaction */
int qm__fork_clear(qm_space *s, const qm_author *author);   /* inside a transaction */
int qm__fork_load(qm_space *s);

/* --- what a peer holds otherwise, as long as its session lasts --- */

/* A peer is told by its device and session: two copies of a phone may be here at once. */
qm_id qm__fork_peer_key(const qm_id *peer, uint64_t session);
/* The author's branch there is not the one held here; range: a part of it that is known. */
int qm__fork_peer_note(qm_space *s, const qm_id *peer, const qm_author *author,
                       const qm__aside_range *range);
/* What the peer brought of the author below `next` is held here as it is. */
void qm__fork_peer_common(qm_space *s, const qm_id *peer, const qm_author *author, uint64_t next);
void qm__fork_peer_drop(qm_space *s, const qm_id *peer);
void qm__fork_free(qm_space *s);

typedef enum qm__fork_seen {
  QM__FORK_NOT_SEEN,
  QM__FORK_SEEN,   /* it had seen what was moved */
  QM__FORK_UNKNOWN /* it had seen of a branch what is not known here (*wait) */
} qm__fork_seen;
/* Had its author seen what this peer's branches hold otherwise? */
qm__fork_seen qm__fork_depends(const qm_space *s, const qm_id *peer, const qm_segment *g,
                               qm_dot *wait);

/* --- ingest (fork.c) --- */

/* g starts before where its author stands here, and ends beyond, or its `previous` is not the
 * head. QM_OK: what is held from there on are its first *n changes; *previous: the full hash
 * before it. QM_EFORK: they are others. */
int qm__fork_continues(qm_space *s, qm_segment *g, qm_hash *previous, uint32_t *n);

/* --- the home hub (fork_move.c) --- */

/* A segment on its way to where it is reissued. */
typedef struct qm__branch {
  const qm_id *peer;
  qm_segment from;     /* as it came */
  qm_hash hash;        /* its full hash */
  int moved;           /* g is the reissued one */
  uint64_t at;         /* counters of `from` below are done with */
  qm__aside_range *p;  /* the parts that are; in the engine's arena */
  uint32_t n;
} qm__branch;

/* g, of another branch or written upon one, becomes what it is reissued as. First it is
 * verified as its author's (verify: j->…, by the caller's function). QM_EFORK: it continues
 * nothing that is known here; QM_EHASH, QM_ENOMEM…; QM_EEXIST: all of it is held as it is. */
typedef int (*qm__branch_verify)(void *payload, const qm_segment *g, const qm_hash *hash);
int qm__branch_move(qm_space *s, qm__branch *b, qm_segment *g, int upon,
                    qm__branch_verify verify, void *payload);
/* Writes the entries: the segment as reissued was taken, or is known. */
int qm__branch_done(qm_space *s, qm__branch *b, const qm_segment *g);

/* --- what is taken back (fork_cut.c, fork_gone.c) --- */

/* Segments that go, each a batch of its own. At the home hub alone, which names what was written
 * upon a branch in its own log. */
typedef struct qm__gone {
  qm_arena arena;
  struct qm__gone_segment *p;
  uint32_t n;
} qm__gone;
void qm__gone_init(qm__gone *gone, const qm_env *env);
void qm__gone_free(qm__gone *gone);
int qm__gone_add(qm__gone *gone, const qm_space *s, const qm_segment *g); /* QM_ENOMEM… */
/* The home hub, inside the transaction that took them back, shows them to itself. *all = 0: not
 * all of it stands now; roll back. */
int qm__gone_again(qm__gone *gone, qm_space *s, int *all);
/* An entry was taken, inside the transaction: where what it names is held here, its author is
 * a suspect. */
int qm__fork_told(qm_space *s, const qm_aside *a);

#endif
