/* space: one space of a replica in memory (internal to the engine's files). Owns the
 * author table, VV, clock rows, digest, stamps, parked batches, and the records
 * loaded in the open transaction.
 *
 * Invariants between transactions: vv.next[a] = states[a].next >= states[a].closed;
 * clock of a has own entry = next; digest = sum of the shares of all stored records
 * and clock rows. A record that is loaded says what its row in the store says, but where the
 * space is behind its log (fold.h): a transaction that took batches or wrote here leaves its
 * records for those after it, up to qm__fold_room bytes (fold.h; what does not fit any more
 * makes room by forgetting all); any other, and a rollback that undoes anything, forgets them. */
#ifndef QM_SPACE_H
#define QM_SPACE_H

#include "aside.h"
#include "engine.h"
#include "feed.h"
#include "member.h"
#include "projector.h"
#include "stamp.h"

#define QM_NO_AUTHOR UINT32_MAX
#define QM_NOTES 16
#define QM_PARKED_BYTES_MAX (4u << 20) /* of one peer */
#define QM_PARKED_OP 64u               /* what an op counts for, against small batches of many */
/* Steps of work that one batch may ask for beyond reading it; some hundreds of
 * milliseconds. Reached by hostile input only (qm__space_work). */
#define QM_WORK_MAX (UINT64_C(1) << 27)

/* Reserved fields of the space record (record id 16 zero bytes). */
#define QM_SPACE_MEMBERS 1 /* keyed: membership entries */
#define QM_SPACE_STAMPS 2  /* keyed: [author bin24, first, next, time] */

typedef struct qm_author_state {
  uint64_t closed;   /* counter after the last closed segment */
  qm_hash head;      /* its hash */
  qm_time time;      /* of the last change */
  qm_vv clock;       /* clock row; own entry = next */
  uint8_t share[16]; /* of the clock row in the digest; zero where next is 0 */
  uint8_t dirty;
  struct qm_ahead *ahead; /* owed to it by the open transaction, or NULL */
} qm_author_state;

/* Changes that came with a time too far ahead, to be stamped when the transaction commits
 * (home.h). */
typedef struct qm_ahead {
  qm_stamp stamp;
  struct qm_ahead *next;
} qm_ahead;

typedef struct qm_loaded {
  qm_record record;
  uint8_t old_hash[16];
  uint8_t here;   /* 0: it is not known yet what the store says */
  uint8_t stored; /* a row is in the store, old_hash is in the digest */
  uint8_t dirty, rebuilt, listed;
  uint64_t mark_change; /* serial of the change that last marked presence */
  uint32_t touched;     /* by the open write: its place there, plus one */
  qm_slice encoded;     /* what it encodes to, where that is known already */
  uint64_t bytes;       /* encoded size at most; exact as loaded */
  /* while a segment is judged: its serial, and what it adds so far */
  uint64_t judged, bytes_more;
  uint32_t collection; /* the record's, or of the first `new` in the segment; 0: neither */
  uint32_t marks_more, cells_more;
  /* for the feed: fields touched (NULL: none by ops), visible before the first of them, and
     1 where the record came out as it was */
  struct qm_feed_set *feed;
  uint8_t feed_visible, feed_same, feed_stamps; /* feed_stamps: ops on stamps wrote it */
  uint8_t put_off;       /* ops on its texts may be (qm_record_settle) */
  uint8_t edges_stored;  /* it had edges when it was loaded: they stand in the index */
  uint8_t edges_touched; /* written in this transaction: stands in qm_space.edges_touched */
  uint8_t edges_unread;  /* its row did not read: what the index says of it may be anything */
  uint8_t noted;         /* what its row says is noted for review */
  uint8_t names_own;     /* of a write here: it names values of this device (core/inbox_int.h) */
  struct qm_own *own;    /* what this device had written of it; NULL: nothing, or nobody asks */
} qm_loaded;

/* What waits to be folded: changes, and with QM_BEHIND_TOOK changes of others. */
enum { QM_BEHIND_WROTE = 1, QM_BEHIND_TOOK = 2 };

/* Does the space hold any edge? Asked of the store once, at first need. */
enum { QM_EDGES_UNKNOWN = 0, QM_EDGES_NONE = 1, QM_EDGES_SOME = 2 };

typedef struct qm_note {
  uint8_t vv[16], digest[16];
} qm_note;

/* A segment waits for an author's changes below `next`. */
typedef struct qm_wait {
  qm_author author;
  uint64_t next;
} qm_wait;

/* A parked batch with the terms of the session that brought it: it is judged by these,
 * whoever's session fills the gap. */
typedef struct qm_parked {
  struct qm_parked *next;
  qm_id peer;
  uint64_t session; /* of the peer: its end is the end of this */
  int check_author, check_schema;
  qm_slice role, batch; /* behind the waits. No batch: one was let go, beyond the bound */
  size_t held;          /* what it counts for against the bound */
  uint8_t spent; /* nothing of it waits any more, once the open transaction is committed */
  uint8_t tried; /* in the open transaction: its waits are of what that took */
  uint8_t again; /* a transaction that tried it was rolled back: it is due */
  uint32_t n_waits, cap_waits;
  qm_wait waits[];
} qm_parked;

/* Changes that an entry names. */
typedef struct qm__aside_range {
  qm_author author;
  uint64_t first, next;
  int32_t code;
  qm_hash segment;
  qm_author moved; /* of a fork: the author and counter that it is reissued as */
  uint64_t moved_first;
} qm__aside_range;

/* What is to be known of an author in a session with this peer (fork.h). */
typedef enum qm__peer_fork_kind {
  QM__PEER_OTHER, /* it holds another branch; below `at` what it brought is what stands here */
  QM__PEER_PART   /* a part of that branch is known: range */
} qm__peer_fork_kind;

typedef struct qm__peer_fork {
  qm_id peer;
  qm_author author;
  qm__peer_fork_kind kind;
  qm__aside_range range;
  uint64_t at;
} qm__peer_fork;

/* A creation dot, and the record that it names. */
typedef struct qm__created {
  qm_dot dot;
  const qm_loaded *l; /* NULL: free */
} qm__created;

struct qm_space {
  qm_engine *engine;
  uint32_t number;
  qm_id id;
  qm_buf info; /* the stored blob; info fields borrow from it */
  qm_slice name, role, schema_bytes;
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  int readable, writable;
  qm_arena schema_arena;
  const qm_schema *schema;
  qm_authors authors;
  qm_author_state *states;
  uint32_t n_states, cap_states;
  uint32_t n_stored; /* authors that have a row in the store: those from 0 on */
  qm_vv vv, acknowledged, safe;
  qm_vv floor; /* the log holds each author's changes from here to `closed` */
  uint32_t own; /* local number of this replica's author, or QM_NO_AUTHOR */
  qm_digest digest;
  qm_note notes[QM_NOTES]; /* oldest first */
  uint32_t n_notes;
  qm_stamps stamps;
  qm_members members;
  qm_parked *parked;
  qm__aside_range *asides; /* ascending by author and first */
  uint32_t n_asides, cap_asides, n_aside_counts;
  qm_aside_count *aside_counts; /* ascending by author */
  qm_digest aside_sum;          /* the entries' share of the digest */
  int dirty;                    /* holds effects of what is set aside; 2: of a branch taken back,
                                   so what is taken has none until the records are replaced */
  uint32_t n_forks;             /* entries of forks among them */
  qm_author *suspects;          /* authors of whom two continuations were met (fork.h) */
  uint32_t n_suspects, n_peer_forks;
  qm__peer_fork *peer_forks;
  qm_id hub_session;   /* in which the home hub said that it holds */
  qm_vv_entry *at_hub; /* these, of what entries of forks say something was moved to */
  uint32_t n_at_hub;
  int suspect;                  /* some records are not what they were (core/repair.h) */
  qm_digest lost;               /* where suspect: shares of rows that are gone */
  /* the open transaction */
  int touched;  /* something here differs from the store */
  int ingested; /* a batch was taken: note (VV, digest) at commit */
  int stamps_stale; /* the space record has changed: stamps and members are read anew */
  int floor_moved;
  int replacing; /* records are replaced: one that does not read counts as empty */
  /* from one transaction to the next, until it is folded (fold.h) */
  int behind; /* not 0: QM_BEHIND_… */
  qm_ahead *ahead; /* in the engine's arena */
  qm_segment *waiting; /* for their row in the log (ingest_log.h); in the engine's `waiting` */
  uint32_t n_waiting, cap_waiting;
  qm_loaded **table; /* open addressing by record id; in the engine's arena */
  uint32_t table_cap, table_n;
  qm_loaded *recent; /* the one asked for last, or NULL */
  qm__created *created; /* open addressing by creation dot: of the records in `table` */
  uint32_t created_cap, created_n;
  qm_loaded **changed; /* all to which saving has anything to do; has room for all in `table` */
  uint32_t n_changed;
  uint64_t change_serial;
  int names_own;              /* of some record: qm_loaded.names_own */
  int review_whole;           /* the index of what is to be reviewed can be relied on */
  int edges;                  /* QM_EDGES_… */
  qm_loaded **edges_touched;  /* what the index does not say yet; in the engine's arena */
  uint32_t n_edges_touched, cap_edges_touched;
};

struct qm_engine {
  const qm_env *env;
  qm_store *store;
  uint32_t flags;
  int zip_level;
  qm_id device, home; /* home: qm_engine_home */
  qm_author author;
  int fork_news;   /* another session will bring more of a fork */
  int epoch_stale; /* a peer knows more of our author: new epoch at the next chance */
  uint64_t own_writes; /* qm_engine_own_writes */
  int64_t offset_ms;
  uint64_t fixed_ms; /* replay's clock */
  uint64_t key[2];   /* of the record table's hash, random per open */
  qm_space **spaces; /* ascending by id */
  uint32_t n_spaces, cap_spaces, last_number;
  int open;       /* a transaction is open */
  int took;       /* it took batches */
  int wrote;      /* it is of a local write */
  int whole;      /* and did more than that: all of it is saved at the end */
  int keeps;      /* it is of neither, and left the records as the store has them */
  int behind;     /* a space is behind its log (fold.h) */
  int poisoned;   /* reload after a rollback failed: qm_engine_status */
  qm_arena arena;   /* of the open transaction */
  qm_arena batch;   /* of the batch at hand; of all, where records borrow from them */
  qm_arena scratch; /* of the segment that is judged */
  qm_vv seen;       /* the same: what its author had seen */
  qm_buf row;       /* the same: what is hashed */
  qm_arena waiting; /* of what waits to be logged (ingest_log.h) */
  qm_arena records; /* the records loaded; of several transactions */
  size_t kept;      /* bytes of it that the records took when nothing was behind */
  qm_projector projector; /* all NULL: none */
  qm_file_here file_here; /* NULL: no file is here */
  void *file_payload;
};

/* The record, loaded from the store or empty; stays until the transaction ends. */
int qm__space_record(qm_space *s, const qm_id *id, qm_loaded **out);
/* The same where no text of it is looked at: what was put off (qm__space_apply) stays so. */
int qm__space_outline(qm_space *s, const qm_id *id, qm_loaded **out);
/* The same where the store is known to have none. */
int qm__space_absent(qm_space *s, const qm_id *id, qm_loaded **out);
/* The record differs from its row, or saving has to tell of it (listed alone). */
static inline void qm__space_list(qm_space *s, qm_loaded *l) {
  if (l->listed) return;
  l->listed = 1;
  s->changed[s->n_changed++] = l;
}
static inline void qm__space_dirty(qm_space *s, qm_loaded *l) {
  l->dirty = 1;
  l->encoded.n = 0;
  qm__space_list(s, l);
}
/* Whoever goes over loaded records from the first on, and is at list[at]: fetches memory of those
 * further on. */
void qm__space_fetch_ahead(qm_loaded *const *list, size_t n, size_t at);
/* The dot created that record. A dot put again names the record put last, as in the store. */
int qm__space_created_put(qm_space *s, qm_dot dot, const qm_loaded *l);
/* The loaded record that the dot created, or NULL: then the store knows. */
const qm_loaded *qm__space_created(const qm_space *s, qm_dot dot);
/* Of n dots the records that they created, loaded or stored: ids[i] where found[i]. */
int qm__space_find_created(qm_space *s, const qm_dot *dots, uint32_t n, qm_arena *arena, qm_id *ids,
                           uint8_t *found);
/* The records that differ, ascending by id, as stores keep them; in the engine's arena. */
int qm__space_dirty_list(qm_space *s, qm_loaded ***out, uint32_t *n);
/* Loads those of the ids that are not loaded yet, in one call to the store. */
int qm__space_preload(qm_space *s, const qm_id *ids, size_t n);
/* Registers the author if new. */
int qm__space_author(qm_space *s, const qm_author *id, uint32_t *number);
/* After authors were added to the table from number `old` on. */
int qm__space_authors_added(qm_space *s, uint32_t old);
/* Bytes that the op adds to its record at most. */
static inline uint64_t qm__op_bytes(const qm_op *op) {
  return 48 + op->value.n + 12u * ((uint64_t)op->hides.n + op->keeps.n);
}
/* One op; a->arena is the engine's for records. A record borrows from its ops what it shows:
 * where it may outlive them (QM_ENGINE_BEHIND) that is moved there, and the op shows it too.
 * later: qm_record_apply_later. */
int qm__space_apply_op(qm_space *s, qm_loaded *l, const qm_apply *a, qm_op *op, int later);
/* Applies a checked change whose context this replica holds: ops, marks, clock row. */
int qm__space_apply(qm_space *s, const qm_change *c);
/* The same where the store knows already which records the change created. */
int qm__space_again(qm_space *s, const qm_change *c);
/* Takes the entries that moved into the author's clock row. */
int qm__space_deps(qm_space *s, const qm_change *c);
/* Writes the marks of a change whose ops were applied. */
int qm__space_marks(qm_space *s, const qm_change *c);
/* Adds to *work what applying the segment would cost at most, in steps (elements looked
 * at or moved). QM_EMALFORMED where that is beyond QM_WORK_MAX, QM_ELIMIT where a record
 * would come out larger than QM_RECORD_MAX. Loads its records and leaves in each the
 * collection that the segment's ops there are judged by. */
int qm__space_work(qm_space *s, const qm_segment *g, uint64_t *work, qm_error *why);
void qm__space_advance(qm_space *s, const qm_change *c);
/* The feed (core/feed.h). Of a change whose ops were applied and whose marks were not. */
typedef struct qm_feed_set qm_feed_set;
int qm__feed_change(qm_space *s, const qm_change *c);
/* Before an op on edges is applied: the ends that it may part. Of other ops no effect. */
int qm__feed_edge(qm_space *s, qm_loaded *l, const qm_op *op, int remote);
/* A field of a record, in the open transaction. */
int qm__feed_touch(qm_space *s, qm_loaded *l, uint32_t field, int remote);
/* A change that was set aside, or of which that was decided; before its effects go. */
int qm__feed_aside(qm_space *s, const qm_change *c);
/* The space's stamps were `before`: what they show otherwise. */
int qm__feed_stamps(qm_space *s, const qm_stamp *before, uint32_t n);
/* Writes the entries of what the transaction touched. */
int qm__feed_save(qm_space *s);
/* Anything of the space may be shown otherwise; inside a transaction of the store. */
int qm__feed_space(qm_engine *e, uint32_t number);
/* To be called where an op on edges took effect on the record. */
int qm__space_edges_touched(qm_space *s, qm_loaded *l);
/* The natural keys that a record lists, in normal form; in the arena. */
int qm__space_keys(const qm_space *s, const qm_record *r, qm_arena *arena, qm_slice **keys,
                   uint32_t *n);
/* Encodes and saves what the transaction changed. */
int qm__space_save(qm_space *s);
/* The end of a transaction, for what is parked: gone is what it took only once committed. */
void qm__parked_end(qm_space *s, int is_committed);
/* Ends the transaction; the records stay. */
void qm__space_end(qm_space *s);
/* Forgets the records of one space, whose bytes stay taken; of all, and takes them back. */
void qm__space_drop(qm_space *s);
void qm__space_forget(qm_engine *e);
/* Reads the space from its store. */
int qm__space_load(qm_space *s);
void qm__space_free(qm_space *s);
int qm__space_new(qm_engine *e, const qm_space_row *row, qm_space **out);
int qm__space_info_read(qm_space *s);
/* Takes name, role, rights, secret and schema of `from`, a space just made; `from` gets
 * the old ones. Cannot fail. */
void qm__space_info_swap(qm_space *s, qm_space *from);
void qm__space_info_write(const qm_space_info *info, qm_buf *out);
int qm__space_share(qm_space *s, uint32_t author, uint8_t out[16]);
/* Notes (VV, digest) as they stand, inside the transaction. */
int qm__space_note(qm_space *s);
int qm__space_notes_load(qm_space *s);
/* The next batch after *cursor with segments beyond vv, as qm_engine_next_batch has it. */
int qm__space_log_next(qm_space *s, const qm_vv *vv, uint64_t *cursor, qm_buf *out);
/* The most that may be cut of an author's log (S12.6). */
uint64_t qm__space_cut_limit(const qm_space *s, uint32_t author);
/* Reads a segment in its compact form as it goes on from what is here; it is there
 * as what waits is (ingest_log.h). Its author may be new in the table. QM_EGAP: it does not, or
 * cannot be read. */
int qm__small_segment(qm_space *s, qm_slice blob, qm_segment *g);
/* Says of it in `in` what is said of such a segment that was taken. */
void qm__small_taken(const qm_space *s, const qm_segment *g, int as_it_came, qm_ingest *in);
/* Writes a VV under a name, inside the transaction. */
int qm__space_vv_write(qm_space *s, const char *name, const qm_vv *v);
/* Makes ready what the next push takes its seeds from (S4.13); inside a transaction. */
int qm__space_seed_prepare(qm_space *s);
/* Room for one more space, then its place among the others, which cannot fail. */
int qm__engine_space_room(qm_engine *e);
void qm__engine_space_add(qm_engine *e, qm_space *s);
int qm__engine_epoch(qm_engine *e);
int qm__meta_key(char *to, const char *name, uint32_t number);

#endif
