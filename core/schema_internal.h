/* schema_internal: shared by the files of schema; nobody else includes it. */
#ifndef QM_SCHEMA_INTERNAL_H
#define QM_SCHEMA_INTERNAL_H

#include "core/schema.h"

#define QM__SCHEMA_FORM 1u /* of the MessagePack form */

/* 1 where both slices hold the same bytes. */
static inline int qm__same(qm_slice a, qm_slice b) { return qm_slice_cmp(a, b) == 0; }
/* For "%.*s": names are at most QM_NAME_MAX bytes once checked. */
static inline int qm__width(qm_slice s) { return s.n > QM_NAME_MAX ? (int)QM_NAME_MAX : (int)s.n; }
static inline const char *qm__chars(qm_slice s) { return s.n ? (const char *)s.p : ""; }

/* ---- schema_rules.c: rules for duplicates ---- */

#define QM__MORE_MAX 16u /* positions of a newer form */

void qm__rules_read(qm_cur *c, qm_collection_def *d, qm_arena *arena);
void qm__rules_put(qm_buf *out, const qm_collection_def *d);
#define QM__RULE_PLACE 48u
/* QM_OK, or QM_ESCHEMA with the place within the collection (".duplicates[1].when[0]", or
 * empty) and the reason, static. Fields are checked. */
int qm__rules_check(const qm_collection_def *d, char place[QM__RULE_PLACE], const char **why);
int qm__rules_differ(const qm_collection_def *a, const qm_collection_def *b);

/* ---- schema_steps.c: steps of a workflow ---- */

/* So many positions of an item, behind its labels. */
void qm__steps_read(qm_cur *c, uint32_t positions, qm_enum_item *item, qm_arena *arena);
uint32_t qm__steps_positions(const qm_enum_item *item);
void qm__steps_put(qm_buf *out, const qm_enum_item *item);
/* NULL, or why not; static. The collection's own fields, and those that its refs point
 * into, may not be checked yet. */
const char *qm__steps_check(const qm_schema *s, const qm_collection_def *c, const qm_field_def *f,
                            const qm_enum_item *item);
int qm__steps_differ(const qm_enum_item *a, const qm_enum_item *b);

/* ---- schema_checks.c: the validators that fields name ---- */

/* [check…] = [field, name | options]; fields: of the collection, read already. */
void qm__checks_read(qm_cur *c, qm_field_def *fields, uint32_t n);
uint32_t qm__checks_count(const qm_collection_def *d);
void qm__checks_put(qm_buf *out, const qm_collection_def *d);

/* ---- schema_limits.c: limits on time ---- */

void qm__limits_read(qm_cur *c, qm_collection_def *d, qm_arena *arena);
void qm__limits_put(qm_buf *out, const qm_collection_def *d);
/* As qm__rules_check: ".limits[1].rows[0]". */
int qm__limits_check(const qm_schema *s, const qm_collection_def *d, char place[QM__RULE_PLACE],
                     const char **why);
int qm__limits_differ(const qm_collection_def *a, const qm_collection_def *b);

/* ---- schema_relations.c: what ties fields and records together ---- */

void qm__relations_read(qm_cur *c, qm_collection_def *d, qm_arena *arena);
void qm__relations_put(qm_buf *out, const qm_collection_def *d);
/* As qm__rules_check: ".based[1]". After the fields of all collections. */
int qm__relations_check(const qm_schema *s, const qm_collection_def *d,
                        char place[QM__RULE_PLACE], const char **why);
int qm__relations_differ(const qm_collection_def *a, const qm_collection_def *b);

/* ---- schema_tables.c: tables of codes, calendars ---- */

void qm__tables_read(qm_cur *c, qm_schema *s, qm_arena *arena);
void qm__tables_put(qm_buf *out, const qm_schema *s);
void qm__calendars_read(qm_cur *c, qm_schema *s, qm_arena *arena);
void qm__calendars_put(qm_buf *out, const qm_schema *s);
/* "tables[1].codes[7]", and why. */
int qm__tables_check(const qm_schema *s, char place[QM__RULE_PLACE], const char **why);
int qm__tables_differ(const qm_schema *a, const qm_schema *b);
int qm__calendars_differ(const qm_schema *a, const qm_schema *b);

/* ---- of schema.c and schema_check.c ---- */


/* The count of an object's positions. */
uint32_t qm__schema_object(qm_cur *c, uint32_t least, uint32_t most);
/* The count of a list, and zeroed memory for it; NULL and 0 on failure. */
void *qm__schema_list(qm_cur *c, uint32_t most, size_t size, uint32_t *n, qm_arena *arena);
int qm__schema_name_ok(qm_slice s);
int qm__schema_labels_ok(qm_slice zh, qm_slice en);

#endif
