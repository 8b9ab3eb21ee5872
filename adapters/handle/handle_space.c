/* handle_space.c: spaces and schemas: listing them, and trying one out without a hub. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/json/schema_json.h"

#define LOCAL_SIZE (sizeof QM_META_LOCAL - 1 + QM_ID_SIZE)

static void local_key(uint8_t to[LOCAL_SIZE], const qm_id *space) {
  memcpy(to, QM_META_LOCAL, sizeof QM_META_LOCAL - 1);
  memcpy(to + sizeof QM_META_LOCAL - 1, space->b, QM_ID_SIZE);
}

static int is_local(qm_db *db, const qm_id *space, int *out) {
  uint8_t key[LOCAL_SIZE];
  qm_buf b;
  local_key(key, space);
  qm_buf_init(&b, &db->env, 64);
  int rc = db->store->ops->meta_get(db->store, qm_slice_of(key, sizeof key), &b);
  qm_buf_free(&b);
  *out = rc == QM_OK;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* ---- list ---- */

static int put_space(qm_db *db, const qm_space *s, qm_buf *b) {
  const qm_schema *schema = qm_space_schema(s);
  qm_space_info info;
  int local;
  qm_space_info_get(s, &info);
  QM_TRY(is_local(db, &info.id, &local));
  qm__handle_put(b, "{\"id\":");
  qm__handle_put_id(b, &info.id);
  qm__handle_put(b, ",\"name\":");
  qm_json_str(b, info.name);
  qm__handle_put(b, ",\"role\":");
  qm_json_str(b, info.role);
  qm__handle_put(b, info.readable ? ",\"readable\":true" : ",\"readable\":false");
  qm__handle_put(b, info.writable ? ",\"writable\":true" : ",\"writable\":false");
  qm__handle_put(b, ",\"schema\":");
  if (schema)
    qm_json_str(b, schema->name);
  else
    qm__handle_put(b, "null");
  qm__handle_put(b, ",\"version\":");
  qm__handle_put_u64(b, schema ? schema->version : 0);
  qm__handle_put(b, local ? ",\"local\":true}\n" : ",\"local\":false}\n");
  return qm_buf_status(b);
}

int32_t qm_spaces(qm_db *db, qm_text *out, qm_error *e) {
  qm_buf b;
  int rc = QM_OK;
  if (!out) return qm_fail(e, QM_EINVAL, "spaces: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine) && rc == QM_OK; i++)
    rc = put_space(db, qm_engine_space_at(db->engine, i), &b);
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "spaces: %s", qm_err_text(rc));
}

int32_t qm_schema_text(qm_db *db, qm_slice space, qm_text *out, qm_error *e) {
  qm_space *s;
  qm_buf b;
  if (!out) return qm_fail(e, QM_EINVAL, "schema: an argument is missing");
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_SCHEMA_JSON_MAX * 4);
  int rc = qm__handle_space(db, space, &s, e);
  if (rc == QM_OK && !qm_space_schema(s))
    rc = qm_fail(e, QM_ENOTFOUND, "the space has no schema yet; sync first");
  if (rc == QM_OK) qm_schema_json_print(&b, qm_space_schema(s));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

/* ---- create ---- */

static int is_json(qm_slice schema) {
  size_t i = 0;
  while (i < schema.n &&
         (schema.p[i] == ' ' || schema.p[i] == '\t' || schema.p[i] == '\n' || schema.p[i] == '\r' ||
          schema.p[i] == 0xEF || schema.p[i] == 0xBB || schema.p[i] == 0xBF))
    i++;
  return i < schema.n && schema.p[i] == '{'; /* as MessagePack this byte opens no schema */
}

static int compile(qm_slice schema, qm_buf *out, qm_error *e) {
  if (is_json(schema)) {
    int rc = qm_schema_json_compile(out, schema, e);
    if (rc != QM_OK) qm_schema_json_where(schema, e);
    return rc;
  }
  qm_buf_add(out, schema.p, schema.n);
  return qm_buf_status(out);
}

static int check_schema(qm_db *db, qm_slice compiled, qm_error *e) {
  const qm_schema *schema;
  qm_arena arena;
  qm_arena_init(&arena, &db->env, (size_t)32 << 20);
  int rc = qm_schema_load(&schema, compiled, &arena, e);
  if (rc == QM_OK) rc = qm__handle_check_sensitive(db, schema, e);
  qm_arena_free(&arena);
  return rc;
}

static int fill_info(qm_db *db, qm_slice name, qm_slice role, qm_space_info *info, qm_error *e) {
  qm_space *held = qm_engine_space_named(db->engine, name);
  memset(info, 0, sizeof *info);
  if (held) {
    int local;
    qm_space_info_get(held, info);
    QM_TRY(is_local(db, &info->id, &local));
    if (!local) return qm_fail(e, QM_EEXIST, "a hub's space has this name");
  } else {
    QM_TRY(db->env.random(db->env.payload, info->id.b, sizeof info->id.b));
    QM_TRY(db->env.random(db->env.payload, info->secret, sizeof info->secret));
  }
  info->name = name;
  if (role.n || !held) info->role = role;
  info->readable = info->writable = 1;
  return QM_OK;
}

static int create(qm_db *db, qm_slice name, qm_slice compiled, qm_slice role, qm_error *e) {
  uint8_t key[LOCAL_SIZE];
  qm_space_info info;
  QM_TRY(check_schema(db, compiled, e));
  int rc = fill_info(db, name, role, &info, e);
  if (rc != QM_OK) return rc == QM_EEXIST ? rc : qm_fail(e, rc, "space: %s", qm_err_text(rc));
  info.schema = compiled;
  /* The note comes first: a note without its space is nothing, a space without its note
     would be taken for a hub's. */
  local_key(key, &info.id);
  qm_meta_pair pair = {qm_slice_of(key, sizeof key), qm_str("1")};
  rc = qm__handle_meta_put(db, &pair, 1);
  if (rc != QM_OK) return qm_fail(e, rc, "space: %s", qm_err_text(rc));
  return qm_engine_space_put(db->engine, &info, e);
}

int32_t qm_space_create(qm_db *db, qm_slice name, qm_slice schema, qm_slice role, qm_error *e) {
  qm_buf compiled;
  if (!name.n || name.n > 128 || role.n > QM_NAME_MAX || !qm_utf8_check(name, NULL) ||
      !qm_utf8_check(role, NULL))
    return qm_fail(e, QM_EINVAL, "space: the name is missing, or name or role is no good text");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_buf_init(&compiled, &db->env, QM_SCHEMA_MAX);
  int rc = compile(schema, &compiled, e);
  if (rc == QM_OK) rc = create(db, name, qm_buf_slice(&compiled), role, e);
  if (rc == QM_EBUSY && qm__handle_reopen(db, e) == QM_OK)
    rc = create(db, name, qm_buf_slice(&compiled), role, e);
  qm_buf_free(&compiled);
  qm__handle_leave(db);
  return rc;
}
