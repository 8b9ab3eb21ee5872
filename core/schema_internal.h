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

#endif
