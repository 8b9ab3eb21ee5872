/* member: who writes with which device, as the membership entries of the space record say
 * (SPEC S3.13). They give no right: what a device may do is its grant at the hub. They are
 * what every replica can show. */
#ifndef QM_MEMBER_H
#define QM_MEMBER_H

#include "core/engine.h"

#define QM_MEMBER_TEXT_MAX 128u /* bytes of a member's name or role */

/* From from_ms on the device is `name`'s, with `role`; an empty role: it may no longer
 * write here. */
typedef struct qm_member {
  qm_id device;
  uint64_t from_ms;
  qm_slice name, role;
} qm_member;

typedef struct qm_members {
  qm_arena arena; /* of p and the texts */
  qm_member *p;   /* by device, then from_ms, then name and role bytewise */
  uint32_t n;
} qm_members;

void qm__members_init(qm_members *m, const qm_env *env);
void qm__members_free(qm_members *m);
/* Appends the element. */
void qm__member_write(const qm_member *member, qm_buf *out);
/* Reads the entries of a space record; what does not read as one has no effect. QM_ENOMEM. */
int qm__members_build(qm_members *m, const qm_record *space_record);

/* Whose the device was at `at_ms` (UINT64_MAX: now), by the entry with the greatest from_ms
 * that is not later; where all are later, the first. NULL: nothing is known of it. Borrowed
 * until the next commit. */
const qm_member *qm_space_member(const qm_space *s, const qm_id *device, uint64_t at_ms);
/* All entries, in their order. */
uint32_t qm_space_members(const qm_space *s, const qm_member **out);

#endif
