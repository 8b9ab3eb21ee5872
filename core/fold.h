/* fold: state that follows behind the log (internal to the engine's files).
 *
 * With QM_ENGINE_BEHIND a commit that did nothing but take batches writes the log alone, one of
 * a local write only its row of the open run. What these changed stays decoded in the engine's
 * arena and is saved once: when it has outgrown qm__fold_room (QM_BEHIND_OWN_MAX where it was
 * written here), when a transaction does anything else, or when somebody asks for what is
 * stored. A store may therefore hold a log that goes further than its author rows; whoever opens
 * it applies the rest of the log, and then of the open run, to its records again. What waits is
 * certain to be saved but for failures of the store: what might be refused does not wait.
 *
 * Rules for every other file of core/:
 *   - whoever asks the store for records or keys does so through the functions below, never
 *     by the store's own verbs (a record alone: qm__space_record);
 *   - whoever reads or names the digest calls qm__fold first;
 *   - whoever writes in a transaction otherwise than by taking batches, or opens one of the
 *     store's own, calls qm__fold first: the transaction then saves all that it changed. */
#ifndef QM_FOLD_H
#define QM_FOLD_H

#include "core/space.h"

/* Bytes of what was written here that may wait. */
#define QM_BEHIND_OWN_MAX ((size_t)4 << 20)

/* Bytes of records that may stay decoded from one transaction to the next, waiting or not. Bounds
 * the memory, and what must be applied again after a crash. To a hub batches come from all of its
 * spaces in turn, so it has more of it the more these are: with too little every batch would load
 * again what the one before it of that space had at hand. */
#define QM_ROOM_DEVICE ((size_t)8 << 20)
#define QM_ROOM_HUB ((size_t)15 << 20) /* of one space */
#define QM_ROOM_SPACE ((size_t)5 << 20) /* for each further one */
#define QM_ROOM_MAX ((size_t)64 << 20)
size_t qm__fold_room(const qm_engine *e);

/* Saves what waits: inside a transaction as part of it, otherwise in one of its own. Nothing
 * waits: no effect but that an open transaction will be saved whole. */
int qm__fold(qm_engine *e);
/* What follows the records tells an app what others wrote: not later than it came. */
int qm__fold_is_followed(const qm_engine *e);
/* What the open transaction did may wait for a fold. */
int qm__fold_may_wait(const qm_engine *e);
/* Instead of qm__space_save: what the log needs to be read again, and no more. */
int qm__fold_wait(qm_space *s);
/* After the rows of a space were read: applies what its log holds beyond them. It waits then
 * to be folded. */
int qm__fold_replay(qm_space *s);

/* One record that waits, as its row will be: the only question about state that folds nothing.
 * An empty one is not visited. QM_ENOTFOUND: it does not wait. Outside a transaction. */
int qm__fold_record(qm_space *s, const qm_id *id, qm_visit_record visit, void *payload);

/* As the store's verbs, over all that was committed. */
int qm__fold_scan(qm_space *s, const qm_id *after, size_t limit, qm_visit_record visit,
                  void *payload);
int qm__fold_load(qm_space *s, const qm_id *ids, size_t n, qm_visit_record visit, void *payload);
int qm__fold_count(qm_space *s, uint64_t *out);
int qm__fold_keys_stored(qm_space *s, uint32_t index, qm_slice key, qm_visit_id visit,
                         void *payload); /* without what waits: folds nothing */
int qm__fold_keys(qm_space *s, uint32_t index, qm_slice key, qm_visit_id visit, void *payload);

#endif
