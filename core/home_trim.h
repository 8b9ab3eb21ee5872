/* home_trim: the home hub takes tombstones out of texts and lists (SPEC S6.7).
 *
 * A device that has seen an element's deletion never hangs an insert on it again, since
 * inserts hang on visible elements. So a tombstone can go once every live device has seen
 * what deleted it, and what each device wrote before that is here: then everything that
 * hangs on it, or ever will, is known. One without children goes; one with one child goes,
 * and the child takes its place. What holds two stays: there are fewer of those than of
 * elements shown.
 *
 * State does not say when an element was deleted. The log does: what lies above the VV
 * that all live devices have passed must be in it anyway. A tombstone is trimmed where its
 * own dot is below that VV and no cut above it names it.
 *
 * The trims are an ordinary change of the caller's own author. Only the space's home hub
 * may make them: a checking hub refuses those of others (qm_engine_ingest). Whoever is not
 * live and comes back may still insert below an element that is gone; its insert stands at
 * the end (S3.15). */
#ifndef QM_HOME_TRIM_H
#define QM_HOME_TRIM_H

#include "core/engine.h"

/* Ranges of elements that one call takes out at most; one change holds them. */
#define QM_TRIM_RANGES_MAX 4096u

typedef struct qm_trimmed {
  uint64_t elements; /* taken out */
  uint32_t ops;      /* written; 0: no change was made */
  int more;          /* 1: there are records after `last`, go on from there */
  qm_id last;        /* all up to it (by id) are done */
} qm_trimmed;

/* Looks at up to `limit` records after *after (NULL: from the start) and trims them, in one
 * durable transaction of its own.
 *
 * live[i] is, for each live device (enrolled, not revoked, within the lease), the VV that
 * it named in its last session in which this hub came to hold everything that the device
 * held (both ENDs, all batches acknowledged): never a VV of which the hub has less. No live
 * device: n_live 0, and what the hub holds itself counts. A device that has not had such a
 * session has the empty VV, which stops all trims. Purged values are tombstones without a
 * cut: a device counts as live here only when it has taken the purges that the hub holds.
 *
 * QM_ESTATE: a transaction is open. QM_EACCESS: the space is not writable. QM_EGAP: the log
 * does not hold all that lies above the VV; nothing is trimmed until the live devices have
 * passed what is missing. QM_ECORRUPT, QM_ENOMEM, errors of the store: nothing was written. */
int qm_home_trim(qm_engine *e, qm_space *s, const qm_vv_list *live, uint32_t n_live,
                 const qm_id *after, uint32_t limit, qm_trimmed *out);

#endif
