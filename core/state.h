/* state: a space's records with their dots and, for each author, next counter, head,
 * last time and clock row, as it travels (a snapshot). Joining a state and applying
 * the log it stands for give identical bytes. A state is whole: a VV says "absent and
 * covered = removed", so a partial state would delete.
 *
 * A snapshot is a manifest and parts (SPEC §9). The giver keeps one for each space in its
 * store, so that whoever is interrupted resumes on the same bytes; the taker stages parts
 * and joins them once all are there. Neither has more of it in memory than one block (state_feed.h)
 * and the records at hand. All of these run outside a transaction (else QM_ESTATE), each in
 * transactions of its own. States with equal VV are never joined. A dirty replica (aside.h,
 * repair.h) does not join what it takes: it replaces its own state by it (S9.8). */
#ifndef QM_STATE_H
#define QM_STATE_H

#include "engine.h"

#define QM_STATE_PART 65536u                /* bytes of each part but the last */
#define QM_STATE_PART_MAX QM_STATE_PART
#define QM_STATE_PARTS_MAX 16384u           /* 1 GiB, compressed */
#define QM_STATE_MANIFEST_MAX (QM_STATE_PARTS_MAX * 32u + 128u)

/* --- giving --- */

typedef struct qm_state_offer {
  qm_slice manifest;
  uint32_t parts;
  qm_vv_list vv; /* where the peer stands once it has joined */
} qm_state_offer;

/* 1 where a state serves this peer better than the log: it holds nothing of the space, and
 * the space has many more ops than records (S9.7). */
int qm_state_cheaper(qm_engine *e, qm_space *s, qm_vv_list peer);
/* The kept snapshot of the space, made anew where there is none, or none that the log
 * goes on from, or one long outdated. The offer lives in the arena. The open run is closed
 * first (a state is a push). QM_EACCESS: this replica may give no state. */
int qm_state_offered(qm_engine *e, qm_space *s, qm_vv_list peer, qm_arena *arena,
                     qm_state_offer *out);
/* The same for a peer that replaces its own state (S9.8): the snapshot stands at `least` or
 * beyond, of every author. QM_ENOTFOUND: this replica does not either. */
int qm_state_offered_from(qm_engine *e, qm_space *s, qm_vv_list peer, qm_vv_list least,
                          qm_arena *arena, qm_state_offer *out);
/* Appends a part of the snapshot that `manifest_hash` (first 16 bytes of SHA-256 over the
 * manifest) names. QM_ENOTFOUND: another is kept by now, or there is no such part. */
int qm_state_part(qm_engine *e, qm_space *s, const uint8_t manifest_hash[16], uint32_t part,
                  qm_buf *out);
/* The kept snapshot goes; the next one asked for is made anew. */
int qm_state_forget(qm_engine *e, qm_space *s);

/* --- taking --- */

/* Begins or resumes: *next is the first part not staged yet, of *parts. Another manifest
 * drops what was staged. Errors of the manifest: QM_EVERSION, QM_EFORMAT, QM_EOVERSIZE… */
int qm_state_stage(qm_engine *e, qm_space *s, qm_slice manifest, uint32_t *next, uint32_t *parts);
/* Stages one part; durable when it returns. QM_EHASH: not what the manifest names (nothing
 * is staged), QM_ERANGE: no such part, QM_ENOTFOUND: nothing was begun, or (manifest_hash
 * not NULL) another manifest's. */
int qm_state_stage_part(qm_engine *e, qm_space *s, const uint8_t *manifest_hash, uint32_t part,
                        qm_slice content);
/* Joins what is staged, in one durable transaction, and drops it. *joined = 0: the state
 * holds nothing that is not here. On a dirty replica it takes the place of what is here, and
 * what the log holds beyond it is replayed; QM_ECUT where the log does not go on from it.
 * A state that goes on behind our back (another head at one counter of some author, or one in
 * doubt, S21.1) is QM_EFORK; but where of_home says that the home hub gave it, and the author is
 * another device's, it takes the place of what is here (S21.7). One that does not read is
 * QM_EFORMAT, QM_ECANON… with *err: nothing changes but that the stage is dropped.
 * QM_ETRUNCATED: parts are missing. QM_ENOTFOUND as above. */
int qm_state_take(qm_engine *e, qm_space *s, const uint8_t *manifest_hash, int of_home,
                  int *joined, qm_error *err);
int qm_state_drop(qm_engine *e, qm_space *s);

/* --- both at once, for callers that hold a whole snapshot --- */

typedef int (*qm_state_emit)(void *payload, uint32_t part, qm_slice content);

/* A fresh snapshot, piece by piece, each borrowed until emit returns: 0 is the manifest,
 * k + 1 is part k. emit's error. */
int qm_state_write(qm_engine *e, qm_space *s, qm_state_emit emit, void *payload);
/* Stages and joins the same pieces. QM_ETRUNCATED where some are missing. */
int qm_state_join(qm_engine *e, qm_space *s, const qm_slice *pieces, uint32_t n, int *joined,
                  qm_error *err);

#endif
