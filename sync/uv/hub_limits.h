/* hub_limits: bounds that only the hub keeps, with their reasons; those of a session
 * stand in sync/limits.h. The ones named _DEFAULT may be set in qianmod.conf. */
#ifndef QM_SYNC_UV_HUB_LIMITS_H
#define QM_SYNC_UV_HUB_LIMITS_H

/* Connections at once. One at work takes some hundred kilobytes, at worst the sum in
 * sync/limits.h: a hub of 4 GiB carries this many. */
#define QM_HUB_CONNECTIONS_DEFAULT 4096u
/* …of one address (of one /64 with IPv6): an office stands behind one address. */
#define QM_HUB_PER_ADDRESS_DEFAULT 256u
/* Loops that serve connections; by default as many as there are cores. */
#define QM_HUB_LOOPS_MAX 64u
/* Connections that the kernel holds until they are accepted. */
#define QM_HUB_BACKLOG 512

/* --- time, milliseconds --- */

/* From accept until TLS is open: a peer without intent holds a place no longer. */
#define QM_HUB_HANDSHAKE_MS_DEFAULT 10000u
/* From TLS to HELLO, and without progress; the session's own are the largest allowed. */
#define QM_HUB_HELLO_MS_DEFAULT 10000u
#define QM_HUB_IDLE_MS_DEFAULT 60000u
/* From TLS until the answer to an enrolment is sent. */
#define QM_HUB_ENROL_MS_DEFAULT 10000u
/* For the peer to take what is left and to close, after our last word. */
#define QM_HUB_LINGER_MS 2000u
/* For sessions to end after SIGTERM. */
#define QM_HUB_DRAIN_MS_DEFAULT 10000u

/* How often a session that stays is asked whether its device is still one, and what it may
 * read: what another process revokes or grants takes effect within that time. */
#define QM_HUB_LIVE_CHECK_MS 1000u

/* --- store threads --- */

/* Shards: each has a thread, and an engine that keeps records decoded and pages in its cache
 * (some tens of megabytes). */
#define QM_HUB_SHARDS_MAX 16u
/* Of a new hub: few files to look after. What is written in a busy space holds up those of its
 * own store; where a session begins it waits for all of them. */
#define QM_HUB_SHARDS_DEFAULT 4u

/* Batches of one group: one fsync covers them; what waits behind a group waits for the
 * whole of it. */
#define QM_HUB_GROUP_MAX 64u
#define QM_HUB_GROUP_BYTES_MAX 16777216u

/* Compact segments on their way to one worker; with more of them it looks into the log. */
#define QM_HUB_NEWS_MAX 256u

/* --- buffers of one connection, bytes --- */

/* One read, one write. */
#define QM_CONN_IO_SIZE 65536u
/* One TLS record's plain bytes. */
#define QM_CONN_PLAIN_SIZE 16384u

/* Without work for so long, a store thread does a piece of upkeep. */
#define QM_HUB_IDLE_TICK_MS 60000u

#endif
