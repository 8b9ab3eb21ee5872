/* class_ref: references to merged records (SPEC S3.21). A reference to any of them, or to one
 * that is gone but was merged, shows the id that the class is shown under. What is stored stays
 * as it was written, so taking the class apart shows it again. */
#ifndef QM_CLASS_REF_H
#define QM_CLASS_REF_H

#include "class.h"

/* The id under which what `id` names is shown: its class's, or itself where it is in none, or
 * nothing of it is here. flags as in class.h. */
int qm_class_ref(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                 qm_id *out);
/* A value of a field of kind ref as it is shown: itself, or one in the arena. */
int qm_class_ref_value(qm_engine *e, qm_space *s, qm_slice value, unsigned flags, qm_arena *arena,
                       qm_slice *out);
/* Do two such values show the same? */
int qm_class_ref_same(qm_engine *e, qm_space *s, qm_slice a, qm_slice b, qm_arena *arena,
                      int *same);
/* What is shown of a record (or the view of a class): without what its schema's relations hide
 * (core/relation.h), and with its references as they are shown:
 * siblings, set elements (two that show the same become one) and log entries. The elements of
 * sequences are left as they are: map each value of qm_sequence_values. c may be NULL. Gives
 * `record` itself where nothing differs. */
int qm_class_resolve(qm_engine *e, qm_space *s, const qm_collection_def *c,
                     const qm_record *record, unsigned flags, qm_arena *arena,
                     const qm_record **out);

#endif
