/* recovery: what a device can give to a hub that has lost its database and still has its keys
 * (SPEC S10.9): the spaces with names, secrets and schemas, and the devices that the space
 * records name. Signed by the device; whoever holds the file can read the spaces' secrets.
 *
 * No state; any thread. */
#ifndef QM_SYNC_RECOVERY_H
#define QM_SYNC_RECOVERY_H

#include "core/engine.h"
#include "sync/ca.h"

#define QM_RECOVERY_SPACES_MAX 4096u
#define QM_RECOVERY_MEMBERS_MAX 65536u /* in a space */
#define QM_RECOVERY_MAX ((size_t)256 << 20)

typedef struct qm_recovery_member {
  qm_id device;
  qm_slice name, role;
} qm_recovery_member;

typedef struct qm_recovery_space {
  qm_id id;
  qm_slice name, schema;
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  const qm_recovery_member *members; /* who may write here now, ascending by device */
  uint32_t n_members;
} qm_recovery_space;

typedef struct qm_recovery {
  qm_slice ca, cert; /* DER: of the hub's CA, of the device */
  uint64_t at_ms;
  const qm_recovery_space *spaces; /* ascending by id */
  uint32_t n_spaces;
} qm_recovery;

/* Appends the file, signed with the device's key. QM_ENOMEM, QM_ELIMIT. */
int qm_recovery_put(qm_buf *out, const qm_recovery *r, const qm_env *env, const qm_key *key);
/* Reads one; borrows `in`, lists live in the arena. QM_ECERT: the certificate is not of that
 * CA; QM_EHASH: not signed by it; QM_EFORMAT, QM_EVERSION and cur's errors. */
int qm_recovery_get(qm_recovery *r, qm_slice in, qm_arena *arena);

#endif
