/* hub_db: what a hub knows besides records: devices and the spaces each may read,
 * names and schemas of spaces, one-time codes, refused authors, notes. One SQLite
 * file, `hub.db`, in the hub's directory (WAL, synchronous=FULL, 0600), apart from
 * the stores.
 *
 * Threads: one thread at a time for a handle; several handles, also of several
 * processes (`qianmod revoke` beside a running hub), may be open on one file.
 *
 * Transactions: each function is one transaction, on disk when it returns QM_OK,
 * unless qm_hubdb_begin … qm_hubdb_commit surround it. Inside, a failed call leaves
 * only rollback, except where QM_ENOTFOUND, QM_EEXIST or QM_EINVAL says that it
 * wrote nothing. qm_hubdb_code_use and qm_hubdb_code_fail have their own
 * transaction: QM_ESTATE inside another.
 *
 * Ownership: rows are values without pointers, except where a qm_slice or qm_buf is
 * named; a row handed to a visitor is borrowed until it returns. A visitor returns
 * QM_OK to go on, QM_STORE_STOP to stop with QM_OK, another code to stop with it; it
 * may read, and may write to what it is not visiting.
 *
 * Times are milliseconds since 1970-01-01 UTC; 0 means never. Texts are UTF-8,
 * NUL-terminated in rows.
 *
 * Errors of every function: QM_ENOMEM, QM_EIO, QM_EFULL, QM_EREADONLY, QM_EBUSY
 * (another process held the file for 5 s), QM_ECORRUPT; others where named. After a
 * commit that gave QM_EIO or QM_ECORRUPT the handle gives QM_EIO until it is closed. */
#ifndef QM_HUB_DB_H
#define QM_HUB_DB_H

#include "core/buf.h"
#include "core/hash.h"
#include "core/id.h"

#define QM_HUB_TEXT_MAX 128     /* bytes of a member's, role's or space's name */
#define QM_HUB_SPKI_MAX 192     /* bytes of a SubjectPublicKeyInfo; P-256 takes 91 */
#define QM_HUB_ADDRESS_MAX 63   /* bytes of an address without its port */
#define QM_HUB_CODE_TRIES 5     /* failed tries a code survives, less one */
#define QM_HUB_ADDRESS_TRIES 10 /* tries of one address in one window */
#define QM_HUB_ADDRESS_WINDOW_MS 60000u

typedef struct qm_hubdb qm_hubdb;

/* One enrolled device, also after its revocation. */
typedef struct qm_hub_device {
  qm_id id;
  qm_id alias; /* writes as this device id instead (replay); zero: as itself */
  uint8_t spki[QM_HUB_SPKI_MAX];
  uint32_t spki_len;
  char member[QM_HUB_TEXT_MAX + 1];
  char role[QM_HUB_TEXT_MAX + 1];
  uint64_t not_after_ms; /* end of its certificate */
  uint64_t enrolled_ms;
  uint64_t revoked_ms; /* 0: not revoked */
  uint64_t last_sync_ms;
  uint64_t behind;  /* counters it lacked of what the hub held, at the end of its last session */
  uint64_t refused; /* changes refused since it enrolled */
  int32_t refused_code;    /* of the last one, QM_E…; 0: none */
  int64_t clock_offset_ms; /* its clock less the hub's, at its last session */
} qm_hub_device;

/* What one session tells of a device. */
typedef struct qm_hub_touch {
  uint64_t now_ms;
  uint64_t behind;
  uint32_t refused;     /* in this session; added to the row */
  int32_t refused_code; /* of the last of them; ignored where refused is 0 */
  int64_t clock_offset_ms;
} qm_hub_touch;

typedef struct qm_hub_space {
  qm_id id;
  char name[QM_HUB_TEXT_MAX + 1]; /* unique in a hub, not empty */
  uint32_t schema;                /* newest version stored; 0: none yet */
  uint32_t shard;                 /* the hub's store that has it, from 0; it stays there */
} qm_hub_space;

/* An author stopped in one space at its first refused change. */
typedef struct qm_hub_refused {
  qm_id space;
  qm_author author;
  uint64_t counter; /* start of the refused change */
  int32_t code;     /* QM_E… */
  uint64_t at_ms;
} qm_hub_refused;

/* A one-time code, named by the SHA-256 of its secret; the secret is not kept. */
typedef struct qm_hub_code {
  qm_hash hash;
  char member[QM_HUB_TEXT_MAX + 1];
  char role[QM_HUB_TEXT_MAX + 1];
  uint64_t expires_ms; /* usable while now < expires_ms */
} qm_hub_code;

typedef int (*qm_visit_hub_device)(void *payload, const qm_hub_device *row);
typedef int (*qm_visit_hub_space)(void *payload, const qm_hub_space *row);
typedef int (*qm_visit_hub_refused)(void *payload, const qm_hub_refused *row);
typedef int (*qm_visit_hub_id)(void *payload, const qm_id *id);

/* ---- the file ---- */

enum {
  QM_HUBDB_CREATE = 1,   /* makes the file where there is none or an empty one */
  QM_HUBDB_READONLY = 2, /* every write gives QM_EREADONLY */
  QM_HUBDB_CHECK = 4     /* full integrity check, also after an orderly close */
};

/* `env` is borrowed until close, `path` is copied. *out is set only on QM_OK.
 * QM_ENOTFOUND without QM_HUBDB_CREATE; QM_EFORMAT: not a hub.db; QM_ENEWER: written
 * by a newer version; QM_ECORRUPT. *e (may be NULL) says which. */
int qm_hubdb_open(const qm_env *env, const char *path, unsigned flags, qm_hubdb **out, qm_error *e);
/* Rolls back what is open. NULL is accepted. */
void qm_hubdb_close(qm_hubdb *h);
/* Reads every page. QM_ECORRUPT with detail. */
int qm_hubdb_check(qm_hubdb *h, qm_error *e);
/* *out changes whenever another handle or process has committed since: cheap enough
 * to ask before a session's every step, and then to look up its device again
 * (revocation is immediate). Commits of this handle do not move it. */
int qm_hubdb_version(qm_hubdb *h, uint32_t *out);

int qm_hubdb_begin(qm_hubdb *h); /* QM_ESTATE: one is open */
int qm_hubdb_commit(
    qm_hubdb *h); /* QM_ESTATE: none is open, or a call in it failed (it is rolled back) */
void qm_hubdb_rollback(qm_hubdb *h); /* nothing open: no effect */

/* ---- devices ---- */

/* Inserts or replaces the whole row. Where only a part changes, the verbs below do
 * not undo what another process wrote. QM_EINVAL: text or key over its maximum. */
int qm_hubdb_device_put(qm_hubdb *h, const qm_hub_device *row);
int qm_hubdb_device_get(qm_hubdb *h, const qm_id *id, qm_hub_device *out); /* QM_ENOTFOUND */
/* Every device, also revoked ones, ascending by id. */
int qm_hubdb_device_list(qm_hubdb *h, qm_visit_hub_device visit, void *payload);
/* Sets revoked_ms unless it is set already. QM_ENOTFOUND. */
int qm_hubdb_device_revoke(qm_hubdb *h, const qm_id *id, uint64_t now_ms);
/* A new certificate was signed. QM_ENOTFOUND. */
int qm_hubdb_device_renew(qm_hubdb *h, const qm_id *id, uint64_t not_after_ms);
/* Another member or role (NULL: as it is). QM_ENOTFOUND, QM_EINVAL. */
int qm_hubdb_device_assign(qm_hubdb *h, const qm_id *id, const char *member, const char *role);
/* At the end of a session. QM_ENOTFOUND. */
int qm_hubdb_device_touch(qm_hubdb *h, const qm_id *id, const qm_hub_touch *touch);

/* Replaces the spaces a device may read by the n given. */
int qm_hubdb_device_spaces_put(qm_hubdb *h, const qm_id *device, const qm_id *spaces, size_t n);
/* Spaces of a device, ascending; none for an unknown one. */
int qm_hubdb_device_spaces(qm_hubdb *h, const qm_id *device, qm_visit_hub_id visit, void *payload);
/* Devices that may read a space, revoked ones left out, ascending. */
int qm_hubdb_space_devices(qm_hubdb *h, const qm_id *space, qm_visit_hub_id visit, void *payload);
/* QM_OK; QM_EREVOKED; QM_EACCESS where the device is unknown or may not read the space. */
int qm_hubdb_device_may(qm_hubdb *h, const qm_id *device, const qm_id *space);

/* What a device said that it holds of a space, at the end of a session in which both sides
 * gave all they had. */
int qm_hubdb_held_put(qm_hubdb *h, const qm_id *space, const qm_id *device, qm_slice vv);
typedef int (*qm_visit_hub_held)(void *payload, const qm_id *device, qm_slice vv);
/* The live devices of a space, ascending: it may read it, is not revoked, and has synced since
 * since_ms. vv is empty where nothing is noted of it. */
int qm_hubdb_held_live(qm_hubdb *h, const qm_id *space, uint64_t since_ms,
                       qm_visit_hub_held visit, void *payload);

/* ---- spaces and schemas ---- */

/* QM_EEXIST: the id or the name is taken. QM_EINVAL: empty or too long a name.
 * `row->schema` is not read: qm_hubdb_schema_put moves it. */
int qm_hubdb_space_add(qm_hubdb *h, const qm_hub_space *row);
int qm_hubdb_space_get(qm_hubdb *h, const qm_id *id, qm_hub_space *out);          /* QM_ENOTFOUND */
int qm_hubdb_space_get_by_name(qm_hubdb *h, const char *name, qm_hub_space *out); /* QM_ENOTFOUND */
int qm_hubdb_space_list(qm_hubdb *h, qm_visit_hub_space visit,
                        void *payload); /* ascending by name */

/* Stores a schema (version >= 1) in its MessagePack form and makes it the space's
 * newest. The same version with the same bytes again writes nothing; QM_EEXIST where the
 * bytes differ or the version is below the newest; QM_ENOTFOUND: no such space. */
int qm_hubdb_schema_put(qm_hubdb *h, const qm_id *space, uint32_t version, qm_slice blob);
/* Appends the schema of `version` (0: the newest) to out; *found (may be NULL) gets its
 * version. QM_ENOTFOUND. */
int qm_hubdb_schema_get(qm_hubdb *h, const qm_id *space, uint32_t version, qm_buf *out,
                        uint32_t *found);

/* ---- refused authors ---- */

/* An author that is stopped already keeps its first entry. */
int qm_hubdb_refused_put(qm_hubdb *h, const qm_hub_refused *row);
int qm_hubdb_refused_find(qm_hubdb *h, const qm_id *space, const qm_author *author,
                          qm_hub_refused *out); /* QM_ENOTFOUND */
/* Of one space (NULL: of all), ascending by space and author. */
int qm_hubdb_refused_list(qm_hubdb *h, const qm_id *space, qm_visit_hub_refused visit,
                          void *payload);
/* Lets the author go on. QM_ENOTFOUND. */
int qm_hubdb_refused_clear(qm_hubdb *h, const qm_id *space, const qm_author *author);

/* ---- one-time codes ---- */

/* A code for the member, the role and the n spaces. QM_EEXIST; QM_EINVAL. */
int qm_hubdb_code_add(qm_hubdb *h, const qm_hub_code *row, const qm_id *spaces, size_t n);

/* Uses a code up and enrols the device, in one transaction: of several devices that
 * race for one code exactly one gets QM_OK. `address` is the peer's, without port.
 * The caller fills id, alias, spki and not_after_ms of *device; on QM_OK the rest is
 * filled as stored (member, role, enrolled_ms …; its spaces are in
 * qm_hubdb_device_spaces).
 *
 * Checked in this order; each refusal is on disk before it is returned:
 *   QM_ETRIES       the address has had its QM_HUB_ADDRESS_TRIES in this window
 *   QM_ECODEUSED    unknown code (only the address is counted)
 *   QM_ETRIES       no tries left
 *   QM_ECODEUSED    used by another device  }
 *   QM_ECODEEXPIRED                         } these three take one of the code's tries
 *   QM_EREVOKED     the device was revoked  }
 * The device that used the code gets QM_OK again until the code expires: the answer to
 * its first try may have been lost on the way; then only not_after_ms changes. The first use
 * of a code gives the address its try back. A device
 * that enrols again with its key keeps what was noted of its sessions and takes member,
 * role and spaces of the
 * new code. QM_EINVAL: address or key over its maximum (nothing is counted). */
int qm_hubdb_code_use(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address,
                      qm_hub_device *device);
/* Counts a failed try of a request that was refused before its code could be used
 * (a key of a wrong kind, a bad proof): takes a try of the address and of the code,
 * where it is known. QM_OK; QM_ETRIES as above. */
int qm_hubdb_code_fail(qm_hubdb *h, const qm_hash *code, uint64_t now_ms, const char *address);
/* Deletes codes that expired more than 30 days ago and old windows of addresses. */
int qm_hubdb_sweep(qm_hubdb *h, uint64_t now_ms);

/* ---- notes ---- */

/* Small values by name, of one space or (space NULL) of the hub: "safe" and
 * "acknowledged" hold VVs, "replay" marks a directory made by replay, "shards" says how many
 * stores there are (qianmod). An empty value deletes. QM_EINVAL: an empty name or one over
 * QM_HUB_TEXT_MAX. get appends to out; QM_ENOTFOUND. */
int qm_hubdb_note_put(qm_hubdb *h, const qm_id *space, const char *name, qm_slice value);
int qm_hubdb_note_get(qm_hubdb *h, const qm_id *space, const char *name, qm_buf *out);

#endif
