/* inbox: what the writers of this device should learn: values of theirs that others' writes put
 * out of sight (SPEC S20.7 to S20.9). Kept in the store as local notes ('i' ‖ author ‖ counter
 * of the value's dot), in the transaction that brings the others' writes: so each lost value
 * is told once, survives a restart, and is not told where the transaction fails.
 *
 * Lost is a value of this device that is no longer shown where another device's is, and that
 * nobody who wrote over it did so in the ordinary course: a concurrent write won the tie, or
 * somebody wrote without having seen it, or it was in conflict and somebody settled it. */
#ifndef QM_INBOX_H
#define QM_INBOX_H

#include "core/write.h"

#define QM_INBOX_MAX 2048u /* entries of a space that are kept */

typedef enum qm_inbox_reason {
  QM_INBOX_CONCURRENT = 1, /* written at the same time; the other one is shown */
  QM_INBOX_UNREAD = 2,     /* written over by somebody who had not seen it */
  QM_INBOX_SETTLED = 3     /* it was in conflict, and somebody decided for another value */
} qm_inbox_reason;

typedef struct qm_inbox_entry {
  qm_dot dot; /* of the value; also what the entry is called */
  qm_id record;
  uint32_t field; /* 0: the record itself; before and after are a bool: does it exist? */
  uint64_t told_ms;
  qm_inbox_reason reason;
  int is_read;
  qm_slice before, after; /* values, canonical */
  qm_time before_time, after_time; /* own times */
  qm_dot after_dot;
} qm_inbox_entry;

typedef int (*qm_visit_inbox)(void *payload, const qm_inbox_entry *entry);
/* Ascending by dot; borrowed until the visitor returns, which may read and not write. */
int qm_inbox_each(qm_engine *e, qm_space *s, qm_visit_inbox visit, void *payload);
/* One of them, in the arena. QM_ENOTFOUND. */
int qm_inbox_find(qm_engine *e, qm_space *s, qm_dot dot, qm_arena *arena, qm_inbox_entry *out);
/* Marks one (NULL: all) as read; its own transaction, unless the engine's is open: then in that. */
int qm_inbox_read(qm_engine *e, qm_space *s, const qm_dot *dot);
/* Writes the lost value again (field 0: deletes the record again, or brings it back), from a
 * reading of what the entry shows: what else was written since stays, and is listed. Errors of
 * the verbs of write.h. */
int qm_write_lost(qm_write *w, qm_space *s, const qm_inbox_entry *entry);
/* Drops what was told before a time, and the oldest beyond QM_INBOX_MAX. Its own transaction. */
int qm_inbox_prune(qm_engine *e, qm_space *s, uint64_t before_ms);

#endif
