/* What a space is told by its hub (name, role, rights, secret, schema), and the notes
 * it keeps: digests at the VVs it stood at, what the hub holds, what is safe. */
#include <string.h>

#include "core/fold.h"
#include "core/fork.h"
#include "core/mp.h"
#include "core/repair.h"
#include "core/review.h"
#include "core/tie.h"
#include "core/space.h"

/* --- info: [name, role, secret bin32, readable, writable, schema bin] --- */

void qm__space_info_write(const qm_space_info *info, qm_buf *out) {
  qm_mp_array(out, 6);
  qm_mp_str(out, info->name.p, info->name.n);
  qm_mp_str(out, info->role.p, info->role.n);
  qm_mp_bin(out, info->secret, QM_SPACE_SECRET_SIZE);
  qm_mp_bool(out, info->readable);
  qm_mp_bool(out, info->writable);
  qm_mp_bin(out, info->schema.p, info->schema.n);
}

int qm__space_info_read(qm_space *s) {
  qm_cur c;
  qm_cur_init(&c, qm_buf_slice(&s->info));
  qm_cur_array_n(&c, 6);
  qm_cur_str(&c, &s->name);
  qm_cur_str(&c, &s->role);
  qm_cur_bin_n(&c, s->secret, QM_SPACE_SECRET_SIZE);
  qm_cur_bool(&c, &s->readable);
  qm_cur_bool(&c, &s->writable);
  qm_cur_bin(&c, &s->schema_bytes);
  QM_TRY(qm_cur_end(&c));
  s->schema = NULL;
  qm_arena_reset(&s->schema_arena);
  return s->schema_bytes.n ? qm_schema_load(&s->schema, s->schema_bytes, &s->schema_arena, NULL)
                           : QM_OK;
}

void qm__space_info_swap(qm_space *s, qm_space *from) {
  qm_space old = *s;
  s->info = from->info;
  s->name = from->name;
  s->role = from->role;
  s->schema_bytes = from->schema_bytes;
  memcpy(s->secret, from->secret, sizeof s->secret);
  s->readable = from->readable;
  s->writable = from->writable;
  s->schema_arena = from->schema_arena;
  s->schema = from->schema;
  from->info = old.info;
  from->schema_arena = old.schema_arena;
}

void qm_space_info_get(const qm_space *s, qm_space_info *out) {
  out->id = s->id;
  out->name = s->name;
  out->role = s->role;
  memcpy(out->secret, s->secret, QM_SPACE_SECRET_SIZE);
  out->schema = s->schema_bytes;
  out->readable = s->readable;
  out->writable = s->writable;
}

/* The schema held stays where the new one is older; a new one must continue it. */
static int choose_schema(qm_space *held, qm_space_info *info, qm_arena *arena, qm_error *err) {
  const qm_schema *next = NULL;
  if (info->schema.n) QM_TRY(qm_schema_load(&next, info->schema, arena, err));
  if (!held || !held->schema) return QM_OK;
  if (!next || next->version <= held->schema->version)
    info->schema = held->schema_bytes;
  else
    return qm_schema_grows(held->schema, next, err);
  return QM_OK;
}

static int store_info(qm_engine *e, const qm_space_row *row, qm_space *fresh) {
  QM_TRY(e->store->ops->begin(e->store));
  int rc = e->store->ops->space_put(e->store, row);
  if (rc == QM_OK && fresh) rc = qm__space_seed_prepare(fresh);
  if (rc == QM_OK && fresh) rc = qm__review_begin(fresh);
  if (rc == QM_OK) rc = qm__feed_space(e, row->space); /* a schema shows what it did not */
  if (rc == QM_OK) return e->store->ops->commit(e->store, QM_DURABLE, NULL, NULL);
  e->store->ops->rollback(e->store);
  return rc;
}

/* Whatever can fail comes before the store's commit, so that memory follows it. */
static int put_info(qm_engine *e, qm_space *held, const qm_id *id, qm_slice blob) {
  qm_space_row row = {held ? held->number : e->last_number + 1, *id, blob};
  qm_space *fresh;
  if (!held) QM_TRY(qm__engine_space_room(e));
  QM_TRY(qm__space_new(e, &row, &fresh));
  int rc = store_info(e, &row, held ? NULL : fresh);
  if (rc == QM_OK && !held) {
    qm__engine_space_add(e, fresh);
    return QM_OK;
  }
  if (rc == QM_OK) {
    uint32_t ties = qm__ties_version(held->schema);
    qm__space_info_swap(held, fresh);
    /* Indexes that follow the schema; where they cannot be made now, every record is looked at
       until the next opening. */
    if (ties != qm__ties_version(held->schema)) (void)qm__review_open(held);
  }
  qm__space_free(fresh);
  return rc;
}

int qm_engine_space_put(qm_engine *e, const qm_space_info *info, qm_error *err) {
  qm_space *held = qm_engine_space(e, &info->id);
  qm_space_info next = *info;
  qm_arena arena;
  qm_buf blob;
  if (e->poisoned) return qm_fail(err, QM_EIO, "space: the engine must be opened again");
  if (e->open) return qm_fail(err, QM_ESTATE, "space: a transaction is open");
  if (qm_id_is_zero(&info->id)) return qm_fail(err, QM_EINVAL, "space: id is zero");
  qm_arena_init(&arena, e->env, 16u << 20);
  qm_buf_init(&blob, e->env, 1u << 20);
  int rc = choose_schema(held, &next, &arena, err);
  if (rc == QM_OK) {
    qm__space_info_write(&next, &blob);
    rc = qm_buf_status(&blob);
  }
  int same = held && qm_slice_cmp(qm_buf_slice(&held->info), qm_buf_slice(&blob)) == 0;
  if (rc == QM_OK && !same) {
    rc = put_info(e, held, &info->id, qm_buf_slice(&blob));
    if (rc == QM_OK && e->projector.spaces) e->projector.spaces(e->projector.payload);
  }
  qm_buf_free(&blob);
  qm_arena_free(&arena);
  return rc == QM_OK
             ? QM_OK
             : qm_fail(err && err->code == rc ? NULL : err, rc, "space: %s", qm_err_text(rc));
}

/* --- notes --- */

static int meta_write(qm_space *s, const char *name, qm_slice value) {
  char key[32];
  int n = qm__meta_key(key, name, s->number);
  return s->engine->store->ops->meta_put(s->engine->store, qm_slice_of(key, (size_t)n), value);
}

int qm__space_note(qm_space *s) {
  qm_note note;
  QM_TRY(qm_engine_vv_digest(s->engine, s, note.vv));
  qm_digest_bytes(&s->digest, note.digest);
  if (s->n_notes == QM_NOTES) memmove(s->notes, s->notes + 1, --s->n_notes * sizeof note);
  s->notes[s->n_notes++] = note;
  return meta_write(s, "notes", qm_slice_of(s->notes, sizeof s->notes[0] * s->n_notes));
}

int qm_engine_digest_check(qm_engine *e, qm_space *s, const uint8_t vv_digest[16],
                           const uint8_t digest[16], qm_compare *out) {
  uint8_t vv[16], mine[16];
  *out = QM_COMPARE_NONE;
  if (e->poisoned) return QM_EIO;
  if (s->dirty) return QM_OK; /* S18.6 */
  QM_TRY(qm_engine_vv_digest(e, s, vv));
  if (memcmp(vv, vv_digest, 16) == 0) {
    QM_TRY(qm__fold(e));
    qm_digest now = s->digest;
    if (s->suspect) QM_TRY(qm_engine_digest_now(e, s, &now)); /* of what is there */
    qm_digest_bytes(&now, mine);
    *out = memcmp(mine, digest, 16) == 0 ? QM_COMPARE_EQUAL : QM_COMPARE_DIFFER;
    return QM_OK;
  }
  for (uint32_t i = 0; i < s->n_notes; i++)
    if (memcmp(s->notes[i].vv, vv_digest, 16) == 0)
      *out = memcmp(s->notes[i].digest, digest, 16) == 0 ? QM_COMPARE_EQUAL : QM_COMPARE_DIFFER;
  return QM_OK;
}

/* --- acknowledged and safe: (local number, next) as varints --- */

int qm__space_vv_write(qm_space *s, const char *name, const qm_vv *v) {
  qm_buf b;
  qm_buf_init(&b, s->engine->env, 1u << 22);
  for (uint32_t i = 0; i < v->n; i++) {
    if (!v->next[i]) continue;
    qm_buf_varint(&b, i);
    qm_buf_varint(&b, v->next[i]);
  }
  int rc = qm_buf_status(&b);
  if (rc == QM_OK) rc = meta_write(s, name, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

static int write_vv(qm_space *s, const char *name, const qm_vv *v) {
  qm_store *store = s->engine->store;
  QM_TRY(store->ops->begin(store));
  int rc = qm__space_vv_write(s, name, v);
  if (rc == QM_OK) return store->ops->commit(store, QM_RELAXED, NULL, NULL);
  store->ops->rollback(store);
  return rc;
}

int qm_engine_acknowledged(qm_engine *e, qm_space *s, qm_vv_list vv, int safe) {
  qm_vv *held = safe ? &s->safe : &s->acknowledged, fresh = {NULL, 0, 0};
  int rc = QM_OK;
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  for (uint32_t i = 0; i < vv.n && rc == QM_OK; i++) {
    uint32_t number;
    if (qm_authors_find(&s->authors, &vv.p[i].author, &number) != QM_OK) continue;
    if (qm__fork_is_suspect(s, &vv.p[i].author)) continue; /* it may be another branch */
    rc = qm_vv_set(e->env, &fresh, number, vv.p[i].next);
  }
  int moved = rc == QM_OK && !qm_vv_equal(held, &fresh);
  if (moved) rc = write_vv(s, safe ? "safe" : "acknowledged", &fresh);
  if (moved && rc == QM_OK) {
    qm_vv old = *held;
    *held = fresh;
    fresh = old;
  }
  qm_vv_free(e->env, &fresh);
  return rc;
}

int qm_engine_acknowledged_to(qm_engine *e, qm_space *s, const qm_author *author, uint64_t next) {
  uint32_t number;
  if (e->poisoned) return QM_EIO;
  if (e->open) return QM_ESTATE;
  if (qm_authors_find(&s->authors, author, &number) != QM_OK) return QM_OK;
  uint64_t old = qm_vv_get(&s->acknowledged, number);
  if (qm__fork_is_suspect(s, author) || next <= old) return QM_OK;
  QM_TRY(qm_vv_set(e->env, &s->acknowledged, number, next));
  int rc = write_vv(s, "acknowledged", &s->acknowledged);
  if (rc != QM_OK) s->acknowledged.next[number] = old;
  return rc;
}

const qm_vv *qm_space_acknowledged(const qm_space *s) { return &s->acknowledged; }
const qm_vv *qm_space_safe(const qm_space *s) { return &s->safe; }

static int read_meta(qm_space *s, const char *name, qm_buf *b) {
  char key[32];
  int n = qm__meta_key(key, name, s->number);
  qm_buf_clear(b);
  int rc = s->engine->store->ops->meta_get(s->engine->store, qm_slice_of(key, (size_t)n), b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int read_vv(qm_space *s, qm_slice in, qm_vv *v) {
  qm_cur c;
  qm_cur_init(&c, in);
  v->n = 0;
  while (qm_cur_left(&c)) {
    uint64_t number = 0, next = 0;
    qm_cur_varint(&c, &number);
    QM_TRY(qm_cur_varint(&c, &next));
    if (number >= s->authors.n) return QM_ECORRUPT;
    QM_TRY(qm_vv_set(s->engine->env, v, (uint32_t)number, next));
  }
  return QM_OK;
}

int qm__space_notes_load(qm_space *s) {
  qm_buf b;
  qm_buf_init(&b, s->engine->env, 1u << 22);
  int rc = read_meta(s, "notes", &b);
  if (rc == QM_OK && (b.n % sizeof(qm_note) || b.n > sizeof s->notes)) rc = QM_ECORRUPT;
  if (rc == QM_OK) {
    if (b.n) memcpy(s->notes, b.p, b.n);
    s->n_notes = (uint32_t)(b.n / sizeof(qm_note));
  }
  if (rc == QM_OK) rc = read_meta(s, "acknowledged", &b);
  if (rc == QM_OK) rc = read_vv(s, qm_buf_slice(&b), &s->acknowledged);
  if (rc == QM_OK) rc = read_meta(s, "safe", &b);
  if (rc == QM_OK) rc = read_vv(s, qm_buf_slice(&b), &s->safe);
  if (rc == QM_OK) rc = read_meta(s, "floor", &b);
  if (rc == QM_OK) rc = read_vv(s, qm_buf_slice(&b), &s->floor);
  qm_buf_free(&b);
  return rc;
}
