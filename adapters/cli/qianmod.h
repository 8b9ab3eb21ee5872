/* qianmod: what the hub program's files share. Each verb is one function over the options
 * of its command line; it prints, and returns the exit code. */
#ifndef QM_QIANMOD_H
#define QM_QIANMOD_H

#include <pthread.h>

#include "adapters/cli/cli_out.h"
#include "adapters/cli/cli_table.h"
#include "adapters/cli/i18n_qianmod.h"
#include "adapters/sqlite/hub_db.h"
#include "core/engine.h"
#include "sync/ca.h"
#include "sync/uv/backend.h"
#include "sync/uv/config.h"
#include "sync/uv/hub_limits.h"
#include "sync/uv/log.h"

#define QM_DIR_PATH_MAX 3072u
#define QM_ARGS_MAX 64u
#define QM_ID_TEXT_SIZE 27 /* base32, with the NUL */

/* The command line, taken apart. */
typedef struct hub_args {
  qm_cli cli;
  const char *verb;
  const char *positional[4];
  uint32_t n_positional;
  const char *spaces[QM_ARGS_MAX];
  uint32_t n_spaces;
  const char *from, *why, *name, *listen, *schema, *member, *role, *hours, *stale, *port_file;
  const char *crash, *id, *severity, *shards;
  int help, json, replay, test_data;
} hub_args;

/* Reports on stderr and returns the exit code; `format` is one of our texts. */
int hub_refuse(const hub_args *a, int code, qm_hub_text id, ...);
int hub_error(const hub_args *a, int code, const qm_error *e); /* e may be empty */
void hub_print(const hub_args *a, qm_hub_text id, ...);

/* --- a hub's directory --- */

/* What is opened of it. Zeroed before, hub_close on every path. */
typedef struct hub_dir {
  char path[QM_DIR_PATH_MAX];
  qm_env env; /* its payload is this struct */
  qm_logger logger;
  int has_logger, is_replay;
  qm_hub_config config;
  qm_hubdb *db;
  qm_ca *ca;
  qm_key *key; /* the hub's */
  qm_buf cert; /* the hub's, DER */
  int lock;    /* descriptor, or -1 */
  uint32_t opening;  /* the store whose instance id is asked for */
  uint8_t noted[16]; /* …of a copy, as noted in it */
  int has_noted;
  int flags; /* QM_DIR_… */
} hub_dir;

enum {
  QM_DIR_CREATE = 16,  /* hub.db, where there is none */
  QM_DIR_KEYS = 1,     /* ca and the hub's key and certificate */
  QM_DIR_LOCK = 2,     /* QM_EBUSY where another process serves it */
  QM_DIR_READONLY = 4, /* hub.db */
  QM_DIR_CHECK = 8,    /* hub.db, full check */
  QM_DIR_NO_DB = 32    /* not hub.db */
};

void hub_dir_init(hub_dir *d, const char *path);
int hub_open(hub_dir *d, const char *path, int flags, qm_error *e);
void hub_close(hub_dir *d);
/* 1 where another process holds the lock. */
int hub_is_running(const hub_dir *d);
int hub_lock(hub_dir *d, qm_error *e);
/* DIR/name. to: QM_DIR_PATH_MAX + 64 bytes. */
#define QM_FILE_PATH_MAX (QM_DIR_PATH_MAX + 64u)
void hub_file(const hub_dir *d, const char *name, char to[QM_FILE_PATH_MAX]);
/* Whole files, mode 0600, synced; write refuses to replace (QM_EEXIST). */
int hub_read(const hub_dir *d, const char *name, qm_buf *out, qm_error *e);
int hub_read_path(const char *path, qm_buf *out, qm_error *e);
int hub_write(const hub_dir *d, const char *name, qm_slice content, qm_error *e);
/* A new directory of mode 0700; an empty one is taken. QM_EEXIST. */
int hub_make_dir(const char *path, qm_error *e);
int hub_sync_dir(const char *path);
/* Certificate and key from their files; again, on SIGHUP: a new certificate of the same key
 * (QM_EINVAL: of another). */
int hub_load_cert(hub_dir *d, qm_error *e);
uint64_t hub_now(void);

/* --- stores: DIR/spaces.db, spaces-2.db, …, one a shard (qianmod_stores.c, S12.1) --- */

/* A store with its engine. */
typedef struct hub_engine {
  qm_store *store;
  qm_engine *engine;
} hub_engine;
typedef struct hub_stores {
  hub_engine p[QM_HUB_SHARDS_MAX];
  uint32_t n;
} hub_stores;

/* A store's file in a hub's directory. */
void hub_store_file(const hub_dir *d, uint32_t shard, char to[QM_FILE_PATH_MAX]);
/* What went wrong with a file, with its name before it. Returns rc. */
int hub_store_fail(const char *path, int rc, qm_error *e);
/* How many a hub has, as hub.db says; QM_ECORRUPT. */
int hub_stores_count(hub_dir *d, uint32_t *out, qm_error *e);
/* One of them. `copy`: NULL for the hub's own; a copy is read only and takes the instance id
 * that is noted in it, so that opening it changes nothing. */
int hub_engine_open(hub_dir *d, uint32_t shard, const char *copy, hub_engine *out, qm_error *e);
void hub_engine_close(hub_engine *h);
/* All of them. `reads`: the hub's own files as if they were copies, beside a hub that runs. */
int hub_stores_open(hub_dir *d, int reads, hub_stores *out, qm_error *e);
void hub_stores_close(hub_stores *s);
/* The engine that has the space; NULL: hub.db names a store that is not there. */
qm_engine *hub_stores_engine(const hub_stores *s, const qm_hub_space *row);
/* The space, whichever of them has it; NULL. */
qm_space *hub_stores_space(const hub_stores *s, const qm_id *space);
/* 1 where its file is missing (or was never filled). */
int hub_store_is_missing(const hub_dir *d, uint32_t shard);
int hub_store_make(hub_dir *d, uint32_t shard, qm_error *e);
/* All of them that are missing. */
int hub_stores_make_missing(hub_dir *d, qm_error *e);
/* Raises their number. The hub is locked, or its directory new. QM_EEXIST: a file that hub.db does
 * not count has spaces. */
int hub_stores_grow_to(hub_dir *d, uint32_t n, qm_error *e);
/* For a new hub.db: as many as the settings say and as the files in the directory need. */
int hub_stores_count_files(hub_dir *d, qm_error *e);
/* The store for a new space: of those with the fewest spaces the first. */
int hub_stores_place(hub_dir *d, uint32_t *out, qm_error *e);

/* --- hub.db's notes --- */
#define HUB_NOTE_RECOVER "recover" /* the id of the device whose state is awaited */
int hub_note_is(hub_dir *d, const qm_id *space, const char *name);
/* VVs as notes: author and next, 32 bytes an entry. */
int hub_note_vv_put(qm_hubdb *db, const qm_id *space, const char *name, qm_vv_list vv);
int hub_note_vv_get(qm_hubdb *db, const qm_env *env, const qm_id *space, const char *name,
                    qm_arena *arena, qm_vv_list *out);
/* Takes spaces, schemas and safe notes of hub.db into the engine of the shard. */
int hub_refresh(qm_hubdb *db, const qm_env *env, uint32_t shard, qm_engine *engine);
/* Carries out what the office decided while the hub was running (qianmod_aside.c). */
int hub_aside_queue(qm_hubdb *db, const qm_env *env, qm_engine *engine, const qm_id *space);
/* Writes the membership entries that differ from hub.db (qianmod_members.c). */
int hub_members(qm_hubdb *db, const qm_env *env, qm_engine *engine);
/* A space by name; reports where there is none. */
int hub_find_spaces(const hub_args *a, hub_dir *d, qm_id *out, int *exit_code);
/* Device by the first characters of its id; reports. */
int hub_find_device(const hub_args *a, hub_dir *d, const char *text, qm_hub_device *out,
                    int *exit_code);

/* `recover`: QM_OK where the operator admits the device's state in the space, else QM_EACCESS;
 * the word is taken back; 1 where the device is admitted in any space. */
int hub_recover_ask(qm_hubdb *db, const qm_env *env, const qm_id *space, const qm_id *device);
int hub_recover_done(qm_hubdb *db, const qm_id *space);
int hub_recover_any(qm_hubdb *db, const qm_env *env, const qm_id *device);

/* Authors whose changes were well-formed but not allowed are judged anew, after the rights or
 * the schema changed: of one space, of one device (the other NULL). */
int hub_judge_again(hub_dir *d, const qm_id *space, const qm_id *device);

/* --- upkeep (qianmod_upkeep.c) --- */

#define HUB_HELD_BUCKETS 1024u

/* What a device of a running session said it holds of a space. */
typedef struct hub_held {
  struct hub_held *next;
  qm_id device, space;
  qm_buf vv; /* as in hub.db */
} hub_held;

/* A round over all spaces of an engine, a piece at a time. */
typedef struct hub_upkeep {
  qm_hubdb *db;
  const qm_env *env;
  pthread_mutex_t *lock; /* of db, or NULL */
  uint32_t log_days;     /* 0: nothing is cut */
  int running, has_after;
  uint32_t space; /* place in the engine */
  qm_id after;    /* records done */
  uint64_t last_ms, trimmed;
  uint32_t cut; /* spaces whose log lost something */
  uint64_t settled; /* conflicts, after the review time */
  int reviewing;    /* of the space at hand: trimmed, and reviewed as far as `after` */
  int joining;      /* of the space at hand: all else is done */
  uint64_t join_after, joined; /* as far as this row of the log; rows that became fewer */
} hub_upkeep;

/* The next piece; *more = 0: the round is done. */
int hub_upkeep_step(hub_upkeep *u, qm_engine *e, int *more);

/* --- where spaces are (qianmod_places.c) --- */

/* Of hub.db's spaces, by id: asked for each request. Any thread. */
typedef struct hub_place {
  qm_id space;
  uint32_t shard;
} hub_place;
typedef struct hub_places {
  pthread_mutex_t lock;
  hub_place *p; /* ascending */
  uint32_t n;
} hub_places;
/* QM_ENOMEM. */
int hub_places_init(hub_places *x);
void hub_places_free(hub_places *x, const qm_env *env);
/* Reads them anew. */
int hub_places_read(hub_places *x, qm_hubdb *db, const qm_env *env);
/* 0 where there is none. */
uint32_t hub_places_find(hub_places *x, const qm_id *space);

/* --- the backend over hub.db (qianmod_backend.c) --- */

struct hub_backend;

/* What one store thread has of it. */
typedef struct hub_shard {
  qm_hub_backend calls;
  qm_answer_policy policy;
  struct hub_backend *hub;
  qm_engine *engine;
  uint32_t number;
  /* What its engine has taken up: hub.db's version, and own changes. */
  uint32_t version, own;
  int has_version;
  hub_upkeep upkeep;
} hub_shard;

typedef struct hub_backend {
  hub_dir *dir;
  qm_hubdb *db; /* the dir's, of all threads */
  pthread_mutex_t lock; /* of what follows and of db */
  uint32_t own;         /* changes to hub.db that its version does not tell of: this process's */
  uint64_t crash_at, commits; /* crash_at: 0: never */
  hub_held *held[HUB_HELD_BUCKETS]; /* of running sessions, by device */
  int touching; /* the first store thread: between touch_begin and touch_end, lock held */
  hub_places places;
  hub_shard shards[QM_HUB_SHARDS_MAX];
} hub_backend;
void hub_held_note(hub_backend *b, const qm_id *device, const qm_id *space, qm_vv_list vv);
int hub_held_write(hub_backend *b, const qm_id *device, int complete);
void hub_held_free(hub_backend *b);
int hub_upkeep_idle(hub_shard *s, qm_engine *engine, int *more);
int hub_backend_open(hub_backend *b, hub_dir *d, const hub_stores *stores, qm_error *e);
void hub_backend_close(hub_backend *b);

/* --- verbs --- */
int hub_verb_init(const hub_args *a);
int hub_verb_run(const hub_args *a);
int hub_verb_space(const hub_args *a);
int hub_verb_enroll(const hub_args *a);
int hub_verb_devices(const hub_args *a);
int hub_verb_revoke(const hub_args *a);
int hub_verb_reassign(const hub_args *a);
int hub_verb_aside(const hub_args *a);
int hub_verb_backup(const hub_args *a);
int hub_verb_restore(const hub_args *a);
int hub_verb_check(const hub_args *a);
int hub_verb_recover(const hub_args *a);
/* recover DIR --from FILE (qianmod_recover_from.c). */
int hub_recover_from(const hub_args *a);
int hub_verb_maintain(const hub_args *a);
int hub_verb_conflicts(const hub_args *a);

#endif
