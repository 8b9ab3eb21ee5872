/* support_replica: replicas without an engine, and two sessions over pipes that cut reads
 * at random lengths and answer late and out of order. A segment is (author, counter); a
 * batch a list of them and padding; a VV counts them. Taking one twice, or past a gap,
 * is noticed. */
#ifndef QM_TEST_SUPPORT_REPLICA_H
#define QM_TEST_SUPPORT_REPLICA_H

#include "sync/session.h"

#define FAKE_AUTHORS 6u

typedef struct fake_entry {
  uint32_t author;
  uint64_t counter;
} fake_entry;

typedef struct fake_space {
  qm_id id;
  uint32_t n_authors;
  qm_author authors[FAKE_AUTHORS];
  uint64_t next[FAKE_AUTHORS];
  uint8_t branch[FAKE_AUTHORS]; /* another value: another head at the same counter */
  fake_entry *log;
  uint32_t n_log, cap_log;
  uint32_t schema;
  char role;
  uint8_t hidden;     /* not listed to the peer */
  uint8_t unwritable; /* the peer may not write */
  uint8_t corrupt;    /* enters the digest: a state that is wrong at an equal VV */
  uint8_t safe;
} fake_space;

typedef struct fake {
  qm_id device;
  uint64_t clock_ms;
  fake_space *spaces; /* ascending by id */
  uint32_t n_spaces;
  uint32_t batch_max; /* segments a batch */
  uint32_t pad;       /* bytes added to each batch */
  /* Faults. */
  int commit_rc; /* of every commit from the commit_at-th on (from 1) */
  uint32_t commit_at, commits;
  int next_rc, push_rc, put_rc, info_rc;
  uint8_t first_only;       /* the four and commit_rc concern the first space only */
  const qm_author *refuses; /* segments of this author */
  uint32_t doubled;         /* segments that came though they were held */
} fake;

void fake_init(fake *f, uint8_t number);
void fake_free(fake *f);
qm_id fake_space_id(uint32_t number);
fake_space *fake_add(fake *f, uint32_t number);
fake_space *fake_find(fake *f, uint32_t number);
void fake_write(fake *f, uint32_t number, uint32_t segments);
int fake_same(const fake *a, const fake *b, uint32_t number);
uint64_t fake_total(const fake *f, uint32_t number);

/* One end of a pair: its session, what it answers later, and what it was told. */
typedef struct side {
  fake *f;
  qm_session *s;
  struct asked {
    qm_event_kind kind;
    qm_ticket ticket;
    void *out;
  } pending[QM_SYNC_TICKETS_MAX];
  uint32_t n_pending, commits_most;
  qm_buf inbox;
  size_t inbox_at;
  uint32_t told[64]; /* notices by kind */
  qm_event hello, refused, stopped, done, cert, safe, same, closed;
  uint64_t safe_next;
  int is_closed;
  uint8_t cert_fails;
  uint8_t hold_commits; /* with `late`: they are never answered */
} side;

typedef struct pair {
  qm_env env;
  side a, b; /* client, server */
  uint32_t rng;
  uint32_t chunk_max; /* bytes moved at once, at random up to this; 0: all */
  int late;           /* answers at random, out of order */
  size_t cut_at;      /* both streams end after so many bytes in all; 0: never */
  size_t moved;
  size_t waiting_most;
} pair;

/* flags: as in qm_session_options, of client and server. */
void pair_open(pair *p, fake *a, fake *b, uint32_t flags_a, uint32_t flags_b, uint32_t seed);
/* Until both are closed, or nothing moves. 1: both closed. */
int pair_run(pair *p);
void pair_close(pair *p);
/* A session with nothing special; asserts that both end with QM_OK. */
void pair_sync(fake *a, fake *b, uint32_t flags, uint32_t seed);

/* Executes all events of one end in place; answers unless `late`. */
void side_events(pair *p, side *x);
/* Moves bytes from one to the other; 0: nothing moved. */
size_t side_move(pair *p, side *from, side *to);
uint32_t pair_random(pair *p, uint32_t below);

#endif
