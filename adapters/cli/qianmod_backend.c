/* What the hub asks of hub.db (sync/uv/backend.h). One handle for all threads, under a mutex that
 * is held for one question at a time; for a refresh, or the notes of a round, as a whole. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/hash.h"
#include "sync/uv/client.h"

/* --- notes --- */

#define VV_ENTRY 32u

int hub_note_is(hub_dir *d, const qm_id *space, const char *name) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 65536);
  int is = qm_hubdb_note_get(d->db, space, name, &b) == QM_OK;
  qm_buf_free(&b);
  return is;
}

int hub_note_vv_put(qm_hubdb *db, const qm_id *space, const char *name, qm_vv_list vv) {
  qm_env env = qm_env_default();
  qm_buf b;
  qm_buf_init(&b, &env, (size_t)VV_ENTRY << 20);
  for (uint32_t i = 0; i < vv.n; i++) {
    qm_buf_add(&b, vv.p[i].author.b, QM_AUTHOR_SIZE);
    qm_buf_be64(&b, vv.p[i].next);
  }
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = qm_hubdb_note_put(db, space, name, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

int hub_note_vv_get(qm_hubdb *db, const qm_env *env, const qm_id *space, const char *name,
                    qm_arena *arena, qm_vv_list *out) {
  qm_buf b;
  qm_buf_init(&b, env, (size_t)VV_ENTRY << 20);
  *out = (qm_vv_list){NULL, 0};
  int rc = qm_hubdb_note_get(db, space, name, &b);
  if (rc == QM_OK && b.n % VV_ENTRY) rc = QM_ECORRUPT;
  uint32_t n = rc == QM_OK ? (uint32_t)(b.n / VV_ENTRY) : 0;
  qm_vv_entry *p = n ? qm_arena_zero(arena, n * sizeof *p) : NULL;
  if (n && !p) rc = QM_ENOMEM;
  for (uint32_t i = 0; rc == QM_OK && i < n; i++) {
    const uint8_t *at = b.p + (size_t)i * VV_ENTRY;
    memcpy(p[i].author.b, at, QM_AUTHOR_SIZE);
    for (int j = 0; j < 8; j++) p[i].next = p[i].next << 8 | at[QM_AUTHOR_SIZE + j];
  }
  if (rc == QM_OK) *out = (qm_vv_list){p, n};
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* --- spaces of hub.db into the engine --- */

typedef struct refresh {
  qm_hubdb *db;
  const qm_env *env;
  uint32_t shard;
  qm_engine *engine;
} refresh;

static int refresh_info(refresh *r, const qm_hub_space *row) {
  qm_buf secret, schema;
  qm_error e;
  qm_space_info info;
  memset(&info, 0, sizeof info);
  qm_buf_init(&secret, r->env, 64);
  qm_buf_init(&schema, r->env, QM_SCHEMA_MAX);
  info.id = row->id;
  info.name = qm_slice_of(row->name, strlen(row->name));
  info.role = qm_slice_of("hub", 3);
  info.readable = info.writable = 1;
  int rc = qm_hubdb_note_get(r->db, &row->id, "secret", &secret);
  if (rc == QM_OK && secret.n != QM_SPACE_SECRET_SIZE) rc = QM_ECORRUPT;
  if (rc == QM_OK) rc = qm_hubdb_schema_get(r->db, &row->id, 0, &schema, NULL);
  if (rc == QM_OK) {
    memcpy(info.secret, secret.p, QM_SPACE_SECRET_SIZE);
    info.schema = qm_buf_slice(&schema);
    rc = qm_engine_space_put(r->engine, &info, &e);
  }
  if (secret.p) qm_wipe(secret.p, secret.n);
  qm_wipe(&info, sizeof info);
  qm_buf_free(&secret);
  qm_buf_free(&schema);
  return rc;
}

static int refresh_space(void *payload, const qm_hub_space *row) {
  refresh *r = payload;
  qm_arena arena;
  qm_vv_list safe;
  qm_space *sp = qm_engine_space(r->engine, &row->id);
  if (row->schema == 0 || row->shard != r->shard) return QM_OK; /* schema 0: being added */
  if (!sp || !qm_space_schema(sp) || qm_space_schema(sp)->version < row->schema) {
    QM_TRY(refresh_info(r, row));
    sp = qm_engine_space(r->engine, &row->id);
  }
  qm_arena_init(&arena, r->env, (size_t)64 << 20);
  int rc = hub_note_vv_get(r->db, r->env, &row->id, "safe", &arena, &safe);
  if (rc == QM_OK && safe.n) rc = qm_engine_acknowledged(r->engine, sp, safe, 1);
  qm_arena_free(&arena);
  if (rc == QM_OK) rc = hub_aside_queue(r->db, r->env, r->engine, &row->id);
  return rc;
}

int hub_refresh(qm_hubdb *db, const qm_env *env, uint32_t shard, qm_engine *engine) {
  refresh r = {db, env, shard, engine};
  return qm_hubdb_space_list(db, refresh_space, &r);
}

static hub_backend *of(void *payload) { return ((hub_shard *)payload)->hub; }

/* Where a space is, is known before its engine has it, and so before it is listed for anybody. */
static int do_refresh(hub_shard *s, qm_engine *engine) {
  hub_backend *b = s->hub;
  uint32_t version;
  int rc = qm_hubdb_version(b->db, &version);
  if (rc == QM_OK && s->has_version && version == s->version && b->own == s->own) return QM_OK;
  s->has_version = 0;
  QM_TRY(rc);
  QM_TRY(hub_places_read(&b->places, b->db, &b->dir->env));
  QM_TRY(hub_refresh(b->db, &b->dir->env, s->number, engine));
  QM_TRY(hub_members(b->db, &b->dir->env, engine));
  s->version = version;
  s->own = b->own;
  s->has_version = 1;
  return QM_OK;
}

/* --- devices --- */

static int standing(const qm_hub_device *d) { return d->revoked_ms ? QM_EREVOKED : QM_OK; }

static int device_row(qm_hubdb *db, const qm_id *device, qm_hub_device *out) {
  int rc = qm_hubdb_device_get(db, device, out);
  return rc == QM_ENOTFOUND ? QM_ECERT : rc;
}

/* Of a device that a recovery file named, the id alone is known (S10.9); it is the hash of the
 * key that TLS has shown. */
static int learn(hub_backend *b, const qm_cert *cert, qm_hub_device *row) {
  memcpy(row->spki, cert->spki, sizeof cert->spki);
  row->spki_len = sizeof cert->spki;
  row->not_after_ms = cert->not_after_ms;
  return qm_hubdb_device_put(b->db, row);
}

static int do_admit(void *payload, const qm_id *device, const qm_cert *cert, qm_id *writes_as) {
  hub_backend *b = of(payload);
  qm_hub_device row;
  QM_TRY(device_row(b->db, device, &row));
  if (!row.spki_len && !row.revoked_ms) QM_TRY(learn(b, cert, &row));
  if (b->dir->is_replay && !qm_id_is_zero(&row.alias)) *writes_as = row.alias;
  return standing(&row);
}

static int do_check(void *payload, const qm_id *device) {
  hub_backend *b = of(payload);
  qm_hub_device row;
  QM_TRY(device_row(b->db, device, &row));
  return standing(&row);
}

typedef struct alias_search {
  const qm_id *alias;
  qm_hub_device *out;
  int found;
} alias_search;

static int is_alias(void *payload, const qm_hub_device *row) {
  alias_search *s = payload;
  if (qm_id_cmp(&row->alias, s->alias) != 0) return QM_OK;
  *s->out = *row;
  s->found = 1;
  return 1; /* QM_STORE_STOP */
}

/* The device that writes as `peer`: itself but in a replay. */
static int device_of(hub_backend *b, const qm_id *peer, qm_hub_device *out) {
  alias_search s = {peer, out, 0};
  int rc = qm_hubdb_device_get(b->db, peer, out);
  if (rc != QM_ENOTFOUND) return rc;
  if (b->dir->is_replay) QM_TRY(qm_hubdb_device_list(b->db, is_alias, &s));
  return s.found ? QM_OK : QM_EACCESS;
}

static int do_touch(void *payload, const qm_id *device, const qm_hub_seen *seen) {
  hub_backend *b = of(payload);
  qm_hub_touch t = {.now_ms = hub_now(),
                    .behind = seen->behind,
                    .refused = seen->refused,
                    .refused_code = seen->refused_code,
                    .clock_offset_ms = seen->clock_offset_ms};
  if (!b->touching) QM_TRY(qm_hubdb_begin(b->db));
  int rc = hub_held_write(b, device, seen->complete);
  if (rc == QM_OK) rc = qm_hubdb_device_touch(b->db, device, &t);
  if (b->touching) return rc == QM_ENOTFOUND ? QM_OK : rc;
  if (rc == QM_OK) return qm_hubdb_commit(b->db);
  qm_hubdb_rollback(b->db);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* --- policy --- */

typedef struct grant_list {
  const hub_shard *shard;
  qm_arena *arena;
  qm_grant *p;
  uint32_t n, cap;
  qm_slice role;
} grant_list;

static int add_grant(void *payload, const qm_id *space) {
  grant_list *l = payload;
  if (hub_places_find(&l->shard->hub->places, space) != l->shard->number) return QM_OK;
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 16;
    l->p = qm_arena_grow(l->arena, l->p, l->n, cap, sizeof *l->p);
    if (!l->p) return QM_ENOMEM;
    l->cap = cap;
  }
  l->p[l->n++] = (qm_grant){*space, l->role, 1, 1};
  return QM_OK;
}

static int role_of(const qm_hub_device *d, qm_arena *arena, qm_slice *out) {
  size_t n = strlen(d->role);
  uint8_t *p = qm_arena_copy(arena, d->role, n);
  *out = qm_slice_of(p, n);
  return p ? QM_OK : QM_ENOMEM;
}

static int do_grants(void *payload, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                     uint32_t *n) {
  hub_backend *b = of(payload);
  qm_hub_device d;
  grant_list l = {.shard = payload, .arena = arena};
  QM_TRY(device_of(b, peer, &d));
  QM_TRY(role_of(&d, arena, &l.role));
  QM_TRY(qm_hubdb_device_spaces(b->db, &d.id, add_grant, &l));
  *out = l.p;
  *n = l.n;
  return QM_OK;
}

static int do_grant(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
                    qm_grant *out) {
  hub_backend *b = of(payload);
  qm_hub_device d;
  QM_TRY(device_of(b, peer, &d));
  QM_TRY(qm_hubdb_device_may(b->db, &d.id, space));
  *out = (qm_grant){*space, {NULL, 0}, 1, 1};
  return role_of(&d, arena, &out->role);
}

/* The lock for the look-up alone: a signature takes as long as many of them. */
static int policy_verify(void *payload, const qm_id *device, const uint8_t digest[32],
                         const uint8_t signature[64]) {
  hub_backend *b = of(payload);
  qm_hub_device d;
  /* What the hub itself wrote comes back to it where it has lost it. */
  if (qm_id_cmp(device, qm_key_device(b->dir->key)) == 0)
    return qm_verify(qm_key_spki(b->dir->key), digest, signature);
  pthread_mutex_lock(&b->lock);
  int rc = qm_hubdb_device_get(b->db, device, &d);
  pthread_mutex_unlock(&b->lock);
  return rc == QM_OK ? qm_verify(qm_slice_of(d.spki, d.spki_len), digest, signature) : rc;
}

/* A hub that was restored gets back from its devices what it had signed. */
static int do_verify_aside(void *payload, const qm_id *device, const uint8_t digest[32],
                           const uint8_t signature[64]) {
  hub_backend *b = of(payload);
  return qm_verify_by(qm_key_spki(b->dir->key), device, digest, signature);
}

/* A hub that was restored holds less than when it refused: until it stands there again the
 * author goes on. */
static int do_is_refused(void *payload, const qm_id *space, const qm_author *author) {
  hub_backend *b = of(payload);
  qm_hub_refused row;
  uint32_t a;
  if (qm_hubdb_refused_find(b->db, space, author, &row) != QM_OK) return 0;
  const qm_space *sp = qm_engine_space(((hub_shard *)payload)->engine, space);
  if (!sp || qm_authors_find(qm_space_authors(sp), author, &a) != QM_OK) return row.counter == 0;
  return qm_vv_get(qm_space_vv(sp), a) >= row.counter;
}

static int do_refusal(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *r,
                      int by_peer) {
  hub_backend *b = of(payload);
  qm_hub_refused row = {*space, r->author, r->counter, r->code, hub_now()};
  if (by_peer) return QM_OK;
  qm_log(&b->dir->env, QM_LOG_WARN, "device %s, space %s: refused: %s", qm_short(peer).text,
         qm_short(space).text, qm_err_name(r->code));
  /* What another device hands on may be its own doing: only what an author brings itself
     is held against it, or one lying relay could stop anybody for good. */
  if (r->code == QM_EFORK) return QM_OK; /* two phones are at work, and neither lies */
  qm_id device;
  qm_author_device(&r->author, &device);
  return qm_id_cmp(&device, peer) == 0 ? qm_hubdb_refused_put(b->db, &row) : QM_OK;
}

static int do_recover(void *payload, const qm_id *peer, const qm_id *space, int done) {
  hub_backend *b = of(payload);
  qm_hub_device d;
  QM_TRY(device_of(b, peer, &d));
  if (!done) return hub_recover_ask(b->db, &b->dir->env, space, &d.id);
  qm_log(&b->dir->env, QM_LOG_WARN, "space %s: its state was taken from device %s",
         qm_short(space).text, qm_short(&d.id).text);
  b->own++; /* its membership entries may be written again */
  return hub_recover_done(b->db, space);
}

/* TLS has shown that the device holds its key; the proof shows that it asks with it. */
static int do_cert_renew(void *payload, const qm_id *peer, qm_slice spki, qm_slice proof,
                         qm_arena *arena, qm_slice *der) {
  hub_backend *b = of(payload);
  uint8_t digest[QM_DIGEST_SIZE];
  qm_hub_device d;
  qm_cert cert;
  qm_buf out;
  QM_TRY(device_of(b, peer, &d));
  if (spki.n != d.spki_len || memcmp(spki.p, d.spki, spki.n) != 0) return QM_ECERT;
  if (proof.n != QM_SIG_SIZE) return QM_EHASH;
  qm_renew_proof_digest(spki, digest);
  QM_TRY(qm_verify(spki, digest, proof.p));
  qm_buf_init(&out, &b->dir->env, QM_CERT_SIZE_MAX);
  int rc = qm_ca_issue_device(b->dir->ca, spki, hub_now(), &out);
  if (rc == QM_OK) rc = qm_cert_read(qm_buf_slice(&out), &cert);
  if (rc == QM_OK) rc = qm_hubdb_device_renew(b->db, &d.id, cert.not_after_ms);
  if (rc == QM_OK) {
    *der = qm_slice_of(qm_arena_copy(arena, out.p, out.n), out.n);
    if (!der->p) rc = QM_ENOMEM;
  }
  qm_buf_free(&out);
  return rc;
}

/* --- enrolment --- */

typedef struct space_list {
  hub_backend *b;
  qm_arena *arena;
  qm_slice role;
  qm_enrol_space *p;
  uint32_t n, cap;
  size_t bytes;
} space_list;

static int copy_text(qm_arena *arena, const char *text, qm_slice *out) {
  size_t n = strlen(text);
  uint8_t *p = qm_arena_copy(arena, text, n);
  *out = qm_slice_of(p, n);
  return p ? QM_OK : QM_ENOMEM;
}

static int fill_space(space_list *l, const qm_id *id, qm_enrol_space *out) {
  hub_backend *b = l->b;
  qm_hub_space row;
  qm_buf secret, schema;
  memset(out, 0, sizeof *out);
  QM_TRY(qm_hubdb_space_get(b->db, id, &row));
  QM_TRY(copy_text(l->arena, row.name, &out->name));
  out->id = *id;
  out->role = l->role;
  qm_buf_init(&secret, &b->dir->env, 64);
  qm_buf_init(&schema, &b->dir->env, QM_SCHEMA_MAX);
  int rc = qm_hubdb_note_get(b->db, id, "secret", &secret);
  if (rc == QM_OK && secret.n != QM_SPACE_SECRET_SIZE) rc = QM_ECORRUPT;
  if (rc == QM_OK) memcpy(out->secret, secret.p, QM_SPACE_SECRET_SIZE);
  if (rc == QM_OK) rc = qm_hubdb_schema_get(b->db, id, 0, &schema, &out->schema_version);
  /* Many spaces: their schemas come with the first session. */
  if (rc == QM_OK && l->bytes + schema.n > QM_ENROL_RESPONSE_MAX / 2) {
    out->schema_version = 0;
  } else if (rc == QM_OK) {
    out->schema = qm_slice_of(qm_arena_copy(l->arena, schema.p, schema.n), schema.n);
    l->bytes += schema.n;
    if (!out->schema.p) rc = QM_ENOMEM;
  }
  if (secret.p) qm_wipe(secret.p, secret.n);
  qm_buf_free(&secret);
  qm_buf_free(&schema);
  return rc;
}

static int add_space(void *payload, const qm_id *id) {
  space_list *l = payload;
  if (l->n == QM_ENROL_SPACES_MAX) return QM_ELIMIT;
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 16;
    l->p = qm_arena_grow(l->arena, l->p, l->n, cap, sizeof *l->p);
    if (!l->p) return QM_ENOMEM;
    l->cap = cap;
  }
  return fill_space(l, id, &l->p[l->n++]);
}

/* In a replay the device's name is the id it writes as, in hex. */
static void take_alias(const hub_backend *b, const qm_enrol_request *r, qm_hub_device *d) {
  if (!b->dir->is_replay || r->name.n != 2 * QM_ID_SIZE) return;
  if (qm_unhex(d->alias.b, QM_ID_SIZE, (const char *)r->name.p, r->name.n) != QM_OK)
    memset(&d->alias, 0, sizeof d->alias);
}

static int answer_with(hub_backend *b, const qm_hub_device *d, qm_slice cert, qm_arena *arena,
                       qm_enrol_response *out) {
  space_list l = {.b = b, .arena = arena};
  out->cert = cert;
  out->ca = qm_ca_cert(b->dir->ca);
  out->hub = *qm_key_device(b->dir->key);
  QM_TRY(copy_text(arena, d->member, &out->member));
  QM_TRY(copy_text(arena, d->role, &l.role));
  QM_TRY(qm_hubdb_device_spaces(b->db, &d->id, add_space, &l));
  out->spaces = l.p;
  out->space_count = l.n;
  return QM_OK;
}

/* Certificate first: its end goes into the row that uses the code up. */
static int use_code(hub_backend *b, const qm_enrol_request *r, const char *address, qm_arena *arena,
                    qm_enrol_response *out) {
  qm_slice spki = qm_slice_of(r->spki, sizeof r->spki);
  uint64_t now = hub_now();
  qm_hub_device d;
  qm_hash code;
  qm_cert cert;
  qm_buf der;
  memset(&d, 0, sizeof d);
  qm_code_id(r->secret, &code);
  int rc = qm_enrol_proof_check(r);
  if (rc != QM_OK) {
    int counted = qm_hubdb_code_fail(b->db, &code, now, address);
    return counted != QM_OK ? counted : rc;
  }
  qm_buf_init(&der, &b->dir->env, QM_CERT_SIZE_MAX);
  rc = qm_ca_issue_device(b->dir->ca, spki, now, &der);
  if (rc == QM_OK) rc = qm_cert_read(qm_buf_slice(&der), &cert);
  if (rc == QM_OK) {
    d.id = cert.device;
    d.not_after_ms = cert.not_after_ms;
    memcpy(d.spki, r->spki, sizeof r->spki);
    d.spki_len = sizeof r->spki;
    take_alias(b, r, &d);
    rc = qm_hubdb_code_use(b->db, &code, now, address, &d);
  }
  if (rc == QM_OK) {
    uint8_t *p = qm_arena_copy(arena, der.p, der.n);
    rc = p ? answer_with(b, &d, qm_slice_of(p, der.n), arena, out) : QM_ENOMEM;
  }
  qm_buf_free(&der);
  return rc;
}

static int do_enrol(void *payload, qm_slice request, const char *address, qm_arena *arena,
                    qm_enrol_response *out) {
  hub_backend *b = of(payload);
  qm_enrol_request r;
  memset(out, 0, sizeof *out);
  int rc = qm_enrol_request_decode(request, &r);
  if (rc == QM_OK) rc = use_code(b, &r, address, arena, out);
  if (rc == QM_OK) b->own++; /* its membership entries are to be written */
  qm_wipe(&r, sizeof r);
  if (rc != QM_OK) memset(out, 0, sizeof *out);
  out->code = rc;
  out->now_ms = hub_now();
  return QM_OK;
}

/* --- for tests of crash positions --- */

/* Of all shards, one after the other. */
static void backend_committed(void *payload, uint64_t number, const qm_id *space, uint32_t taken) {
  hub_backend *b = of(payload);
  if (!b->crash_at) return;
  pthread_mutex_lock(&b->lock);
  number = ++b->commits;
  pthread_mutex_unlock(&b->lock);
  if (number != b->crash_at) return;
  fprintf(stderr,
          "test-crash: killed after durable commit %" PRIu64
          " and before its ACK: space %s, "
          "segments taken %u\n",
          number, qm_short(space).text, (unsigned)taken);
  fflush(stderr);
  raise(SIGKILL);
}

/* --- the same, under the lock --- */

static int backend_refresh(void *payload, qm_engine *engine) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_refresh(payload, engine);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int backend_admit(void *payload, const qm_id *device, const qm_cert *cert,
                         qm_id *writes_as) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_admit(payload, device, cert, writes_as);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

/* What the engine of this shard has taken up, and no more: SQLite's number moves with what other
 * processes commit; our own changes are counted. */
static uint64_t backend_standing(void *payload) {
  const hub_shard *s = payload;
  return s->has_version ? ((uint64_t)s->version << 32) + s->own + 1 : 0;
}

static int backend_check(void *payload, const qm_id *device) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_check(payload, device);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int backend_touch(void *payload, const qm_id *device, const qm_hub_seen *seen) {
  hub_backend *b = of(payload);
  if (b->touching) return do_touch(payload, device, seen); /* the lock is held */
  pthread_mutex_lock(&b->lock);
  int rc = do_touch(payload, device, seen);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

/* The lock is held between the two: admit may write, too (learn). */
static int backend_touch_begin(void *payload) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = qm_hubdb_begin(b->db);
  b->touching = rc == QM_OK;
  if (rc != QM_OK) pthread_mutex_unlock(&b->lock);
  return rc;
}

static int backend_touch_end(void *payload, int keep) {
  hub_backend *b = of(payload);
  int rc = QM_OK;
  if (keep) rc = qm_hubdb_commit(b->db);
  else qm_hubdb_rollback(b->db);
  b->touching = 0;
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int backend_enrol(void *payload, qm_slice request, const char *address, qm_arena *arena,
                         qm_enrol_response *out) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_enrol(payload, request, address, arena, out);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int policy_grants(void *payload, const qm_id *peer, qm_arena *arena, const qm_grant **out,
                         uint32_t *n) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_grants(payload, peer, arena, out, n);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int policy_grant(void *payload, const qm_id *peer, const qm_id *space, qm_arena *arena,
                        qm_grant *out) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_grant(payload, peer, space, arena, out);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int policy_is_refused(void *payload, const qm_id *space, const qm_author *author) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_is_refused(payload, space, author);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int policy_refusal(void *payload, const qm_id *peer, const qm_id *space, const qm_refusal *r,
                          int by_peer) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_refusal(payload, peer, space, r, by_peer);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int policy_recover(void *payload, const qm_id *peer, const qm_id *space, int done) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_recover(payload, peer, space, done);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static int backend_recovers(void *payload, const qm_id *device) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int any = hub_recover_any(b->db, &b->dir->env, device);
  pthread_mutex_unlock(&b->lock);
  return any;
}

static int policy_cert_renew(void *payload, const qm_id *peer, qm_slice spki, qm_slice proof,
                             qm_arena *arena, qm_slice *der) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  int rc = do_cert_renew(payload, peer, spki, proof, arena, der);
  pthread_mutex_unlock(&b->lock);
  return rc;
}

static void backend_held(void *payload, const qm_id *device, const qm_id *space, qm_vv_list vv) {
  hub_backend *b = of(payload);
  pthread_mutex_lock(&b->lock);
  hub_held_note(b, device, space, vv);
  pthread_mutex_unlock(&b->lock);
}

static uint32_t backend_shard_of(void *payload, const qm_id *space) {
  return hub_places_find(&of(payload)->places, space);
}

static int backend_idle(void *payload, qm_engine *engine, int *more) {
  return hub_upkeep_idle(payload, engine, more);
}

/* --- life --- */

static void shard_open(hub_shard *s, hub_backend *b, uint32_t number, qm_engine *engine) {
  int is_replay = b->dir->is_replay;
  s->hub = b;
  s->number = number;
  s->engine = engine;
  s->policy = (qm_answer_policy){.payload = s,
                                 .grants = policy_grants,
                                 .grant = policy_grant,
                                 .verify = policy_verify,
                                 .verify_aside = do_verify_aside, /* asks nothing of hub.db */
                                 .is_refused = policy_is_refused,
                                 .refusal = policy_refusal,
                                 .recover = policy_recover,
                                 .cert_renew = policy_cert_renew};
  s->calls = (qm_hub_backend){.payload = s,
                              .admit = backend_admit,
                              .recovers = backend_recovers,
                              .shard_of = backend_shard_of,
                              .refresh = backend_refresh,
                              .standing = backend_standing,
                              .check = backend_check,
                              .policy = &s->policy,
                              .enrol = backend_enrol,
                              .touch = backend_touch,
                              .touch_begin = backend_touch_begin,
                              .touch_end = backend_touch_end,
                              .held = is_replay ? NULL : backend_held,
                              .idle = is_replay ? NULL : backend_idle,
                              .committed = backend_committed};
}

int hub_backend_open(hub_backend *b, hub_dir *d, const hub_stores *stores, qm_error *e) {
  memset(b, 0, sizeof *b);
  if (pthread_mutex_init(&b->lock, NULL) != 0) return qm_fail(e, QM_ENOMEM, "out of memory");
  if (hub_places_init(&b->places) != QM_OK) {
    pthread_mutex_destroy(&b->lock);
    return qm_fail(e, QM_ENOMEM, "out of memory");
  }
  b->dir = d;
  b->db = d->db;
  for (uint32_t i = 0; i < stores->n; i++) shard_open(&b->shards[i], b, i, stores->p[i].engine);
  return QM_OK;
}

void hub_backend_close(hub_backend *b) {
  if (!b->db) return;
  hub_held_free(b);
  hub_places_free(&b->places, &b->dir->env);
  pthread_mutex_destroy(&b->lock);
  b->db = NULL;
}
