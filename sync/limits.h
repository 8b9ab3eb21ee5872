/* limits: every bound that a session keeps, with its reason. A peer is authenticated
 * but may still be hostile: whatever it sends, a session's memory stays below the sum
 * at the end of this page. tests/unit/test_{wire,msg,session}.c meet each bound.
 * Bounds of batches stand in core/batch.h, of schemas in core/schema.h. */
#ifndef QM_SYNC_LIMITS_H
#define QM_SYNC_LIMITS_H

#include "core/aside.h"
#include "core/batch_small.h"
#include "core/schema.h"

/* Versions of the protocol that this code speaks. */
#define QM_SYNC_PROTO_MIN 1u
#define QM_SYNC_PROTO_MAX 3u
#define QM_SYNC_PROTO_BATCH_2 3u /* from here on batches of version 2 are read (S8.3) */

/* --- frames --- */

/* A frame's length field. */
#define QM_SYNC_HEAD_SIZE 4u
/* Largest body: the largest batch (QM_BATCH_MAX) with its header, and the longest VV. */
#define QM_SYNC_BODY_MAX 1179648u
/* Largest body before the session is open at a server: HELLO with its lines. A peer that
 * has not said who it is gets a kilobyte. */
#define QM_SYNC_BODY_HELLO_MAX 1024u
/* Largest body of a list of spaces: QM_SYNC_SPACES_MAX lines of at most 51 bytes. */
#define QM_SYNC_BODY_LIST_MAX 262144u

/* Spaces of one session: an office has hundreds, a town's hub is several shards. */
#define QM_SYNC_SPACES_MAX 4096u
/* Lines in HELLO: with more, HELLO and BYE would pass 300 bytes; longer lists travel in
 * SPACE_LIST, and only where the digest over all differs. */
#define QM_SYNC_HELLO_LINES_MAX 4u
/* Entries of one VV: 45 bytes each at most fill a frame. A space has some ten authors. */
#define QM_SYNC_VV_MAX 24576u
/* VV entries that a session keeps at once over all its spaces (40 bytes each). */
#define QM_SYNC_VV_KEPT_MAX 65536u
/* Text in REFUSED and ERROR: a sentence (qm_refusal.message has 120). */
#define QM_SYNC_MESSAGE_MAX 200u
/* Name of a space and of a role: QM_NAME_MAX is of schema names; people name spaces. */
#define QM_SYNC_NAME_MAX 256u
/* Certificate in DER, key proof, SPKI (P-256: 91 bytes; other curves later). */
#define QM_SYNC_CERT_MAX 8192u
#define QM_SYNC_PROOF_MAX 256u
#define QM_SYNC_SPKI_MAX 256u

/* Set-aside entries in one frame: QM_ASIDE_BLOB_MAX and the array's header. */
#define QM_SYNC_ASIDE_MAX (QM_ASIDE_BLOB_MAX + 16u)

/* Body of a short frame (S8.15): QM_SMALL_MAX and its head. */
#define QM_SYNC_SHORT_MAX 4095u
/* A hub hands a compact segment on only while less than this waits: for a slow device what is
 * new is one bit. */
#define QM_SYNC_SHORT_SOFT 4096u
/* Segments pushed in their compact form after which a space exchanges VVs and digests again. */
#define QM_SYNC_SMALL_MAX 256u

/* --- flow --- */

/* Bytes of BATCH bodies that a sender may have under way: two of the largest batches
 * less a step, so that a blocked sender always gets room for one (window - step >= body). */
#define QM_SYNC_WINDOW 2097152u
/* A receiver grants again once it owes this much: small sessions carry no CREDIT. */
#define QM_SYNC_CREDIT_STEP 262144u
/* Commits, and manifests and parts to be staged, asked of the driver and not answered. With
 * them outstanding, feed takes no
 * further frame; a hub groups them into one fsync. */
#define QM_SYNC_COMMITS_MAX 8u
/* Tickets outstanding in all: the commits, and one each of the other requests. */
#define QM_SYNC_TICKETS_MAX 28u
/* Scratch of a driver for one answer: a batch of QM_BATCH_RAW_MAX decoded into structs. */
#define QM_SYNC_DECODE_MAX 134217728u
/* Spaces started and not finished: bounds kept VVs, hides the round trip of each. */
#define QM_SYNC_OPEN_MAX 128u
/* Nothing large is put out (batch, VV, space) while this much waits to be taken… */
#define QM_SYNC_OUT_SOFT 65536u
/* …and no frame is taken in while this much does: a peer that does not read is not
 * read. Only small answers (ACK, REFUSED, CREDIT) grow between the two. */
#define QM_SYNC_OUT_HARD 1048576u
/* Output never holds more: the hard bound and the largest answers of the requests that
 * may be outstanding when it is reached (batch, VV with STATE_ASK, space or SAFE, manifest and
 * part of a state, a step of a search; small ones). */
#define QM_SYNC_OUT_MAX (QM_SYNC_OUT_HARD + 7u * QM_SYNC_BODY_MAX)
/* Questions of searches in a session (S8.14): each reads the records of a space once. */
#define QM_SYNC_RANGES_MAX 64u
/* Refusals reported of one batch: one an author, and a batch has few. */
#define QM_SYNC_REFUSALS_MAX 64u
/* Scratch for the lists of one frame: SAFE has the largest, two lists of 40-byte entries. */
#define QM_SYNC_SCRATCH_MAX 4194304u
/* BATCHes for spaces outside the agreed list that are answered with REFUSED; a peer that
 * goes on is broken. */
#define QM_SYNC_FOREIGN_MAX 64u

/* --- time, milliseconds --- */

/* From the start until both have agreed what to sync: a peer without intent holds a
 * place no longer. */
#define QM_SYNC_HELLO_MS 10000u
/* Without progress in either direction. Villages have links that stall for seconds. */
#define QM_SYNC_IDLE_MS 60000u
/* Bytes received that count as progress before a frame is whole: a peer that sends one
 * byte a minute is not alive, a batch over a slow link is. */
#define QM_SYNC_PROGRESS_BYTES 512u
/* For the peer's BYE after ours. */
#define QM_SYNC_BYE_MS 5000u
/* Round trips longer than this tell nothing about a clock. */
#define QM_SYNC_RTT_MAX_MS 30000u

/* A session that stays and has nothing to say: the client asks after so long… */
#define QM_SYNC_LIVE_PING_MS 20000u
/* …and leaves where nothing is heard for so long: phones change networks. */
#define QM_SYNC_LIVE_PONG_MS 20000u

/* Sum: one body coming in (and as much again while its buffer grows), output, kept VVs,
 * spaces. About 11 MiB for a hostile peer, some kilobytes for one with nothing new. */

#endif
