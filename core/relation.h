/* relation: what a schema's relations (SPEC S7.11, §25) say of what is shown and written.
 *
 * Relations are readings. Nothing of them is stored, and no merge asks for them: what a record
 * may show follows from what the replica holds, so that all replicas that hold the same show
 * the same, and show it again once it may be. `view` is a record as qm_class_view gives it;
 * flags as in class.h. */
#ifndef QM_RELATION_H
#define QM_RELATION_H

#include "class.h"
#include "reason.h"

/* Shows the field something (S25.1)? */
int qm_field_filled(const qm_space *s, const qm_field_def *f, const qm_record *view,
                    qm_arena *arena, int *out);
/* Does some basis hold for the fields of `b` (S25.2)? *why: QM_REASON_NONE, or what the best of
 * them lacks, with *detail. */
int qm_basis_holds(qm_engine *e, qm_space *s, const qm_collection_def *c, const qm_record *view,
                   const qm_based_def *b, unsigned flags, qm_arena *arena, qm_reason *why,
                   qm_slice *detail);
/* Holds the condition: shows the field one of its values, be it as one of several (S25.7)? */
int qm_when_holds(const qm_collection_def *c, const qm_record *view, const qm_when_def *w);

/* What is shown of it: without the fields that are hidden. c may be NULL. Gives `view` itself
 * where nothing is; a record without such fields costs a look at its collection. */
int qm_relations_hide(qm_engine *e, qm_space *s, const qm_collection_def *c,
                      const qm_record *view, unsigned flags, qm_arena *arena,
                      const qm_record **out);
/* Is this field of the record's class hidden? A record that is not here hides nothing. */
int qm_field_hidden(qm_engine *e, qm_space *s, const qm_id *record, uint32_t field,
                    unsigned flags, qm_arena *arena, int *out);
/* Fields of other records may be shown otherwise once a record of this collection changes:
 * visits (the collection, its ref field, the relation) for each way. 0: of any collection. */
typedef int (*qm_visit_based)(void *payload, const qm_collection_def *c, uint32_t ref,
                              const qm_based_def *b);
int qm_based_on(const qm_schema *s, uint32_t collection, qm_visit_based visit, void *payload);

/* 1: nil or an empty text. */
int qm__value_blank(qm_slice value);
/* 1 where the list of numbers has it. */
int qm__numbers_have(const uint32_t *list, uint32_t n, uint32_t number);

#endif
