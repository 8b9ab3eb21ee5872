/* ledger: entries of a log that count something (S22.7): what an entry is called, and what one
 * that reverses another must be. Entries are never edited: what was wrong is reversed by an entry
 * of the opposite amount that names it. */
#ifndef QM_LEDGER_H
#define QM_LEDGER_H

#include "core/crdt/entries.h"
#include "core/schema.h"
#include "core/vv.h"

#define QM_ENTRY_NAME_SIZE 70 /* 48 hex digits, ':', a counter, NUL */

/* Is the field a ledger: has it the check `entry`? */
int qm_is_ledger(const qm_field_def *f);
/* The name of an entry, the same on every replica: its author as 48 hex digits, ':', its counter
 * in decimal. */
void qm_entry_name(const qm_authors *authors, qm_dot dot, char out[QM_ENTRY_NAME_SIZE]);
/* QM_ENOTFOUND: no name, or of an author that is not known here. */
int qm_entry_find(const qm_authors *authors, qm_slice name, qm_dot *out);
/* Its amount; 0 where it has none that is a whole number. */
int64_t qm_entry_amount(qm_slice value);
/* The name of the entry that it reverses; empty: of none. Borrows. */
qm_slice qm_entry_reverses(qm_slice value);
/* May this value be appended to a ledger that shows these entries (NULL: none)? What it reverses
 * stands there, is no reversal, was not reversed yet, and has the opposite amount: else
 * QM_ESCHEMA with *e (core/reason.h). */
int qm_ledger_check(const qm_authors *authors, const qm_entries *entries, const qm_field_def *f,
                    qm_slice value, qm_error *e);

#endif
