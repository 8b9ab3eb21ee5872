/* reissue: changes written once more by an author made for them: what the office approves of
 * what was set aside, and the branch of a fork that does not stand. They keep their order,
 * context, time and generation; every dot of a moved change, in ops and in contexts, moves
 * with it (SPEC S18.5). So what the original had not seen stays concurrent with it. */
#ifndef QM_REISSUE_H
#define QM_REISSUE_H

#include "core/space.h"

/* The dots [first, next) of an author stand at another author from to_first on. */
typedef struct qm_move {
  uint32_t from, to;
  uint64_t first, next, to_first;
  uint8_t fork; /* other changes stand at these dots: contexts cover none of them */
} qm_move;

typedef struct qm_reissue {
  uint32_t to;        /* the author made for them */
  const qm_vv *context; /* what the original had seen before the first change */
  qm_change *changes; /* of one original author, without a gap, in order */
  uint32_t n_changes;
  const qm_move *moves; /* of other changes */
  uint32_t n_moves;
  uint8_t seed[16]; /* of the new segment's salts */
} qm_reissue;

/* The changes as they are reissued, from g->start on, into g: its changes, ops and next;
 * moves are all of them, their own too. clock: of the new author before. In the engine's
 * arena; nothing is written. */
int qm__reissue_changes(qm_space *s, const qm_reissue *r, const qm_vv *clock, qm_segment *g);

/* The author that `device` makes for what `of` wrote; `label` and `more` tell uses and lives
 * apart. The same for the same. */
void qm_reissue_author(const char *label, const qm_id *device, const qm_author *of, qm_slice more,
                       qm_author *out);
/* Writes them as one closed segment, with their effects, inside the engine's transaction;
 * *first: the counter of the first. QM_ESTATE where the new author's time is not before
 * theirs; QM_ELIMIT, QM_ENOMEM, the store's. */
int qm__reissue(qm_space *s, const qm_reissue *r, uint64_t *first);

#endif
