/* handle_schema.c: schema files without a database: checking one, comparing two. */
#include <stdlib.h>
#include <string.h>

#include "adapters/handle/handle.h"
#include "adapters/json/schema_json.h"

#define ARENA_MAX ((size_t)64 << 20)

static void *plain_realloc(void *payload, void *p, size_t n) {
  (void)payload;
  if (n) return realloc(p, n);
  free(p);
  return NULL;
}

static const qm_env plain_env = {.realloc = plain_realloc};

static int load(const qm_schema **out, qm_slice json, const char *which, qm_arena *arena,
                qm_error *e) {
  qm_error why = {0};
  int rc = qm_schema_json_load(out, json, arena, &why);
  if (rc == QM_OK) return QM_OK;
  qm_schema_json_where(json, &why);
  return qm_fail(e, rc, "%s%s", which, why.message[0] ? why.message : qm_err_text(rc));
}

static void describe(qm_buf *b, const qm_schema *s) {
  uint64_t fields = 0;
  for (uint32_t i = 0; i < s->n_collections; i++) fields += s->collections[i].n_fields;
  qm__handle_put(b, "{\"schema\":");
  qm_json_str(b, s->name);
  qm__handle_put(b, ",\"version\":");
  qm__handle_put_u64(b, s->version);
  qm__handle_put(b, ",\"collections\":");
  qm__handle_put_u64(b, s->n_collections);
  qm__handle_put(b, ",\"fields\":");
  qm__handle_put_u64(b, fields);
  qm__handle_put(b, qm_schema_sensitive(s) ? ",\"sensitive\":true}" : ",\"sensitive\":false}");
}

int32_t qm_schema_validate(qm_slice schema, qm_text *out, qm_error *e) {
  const qm_schema *s;
  qm_arena arena;
  qm_buf b;
  qm_arena_init(&arena, &plain_env, ARENA_MAX);
  qm_buf_init(&b, &plain_env, QM_HANDLE_TEXT_MAX);
  int rc = load(&s, schema, "", &arena, e);
  if (rc == QM_OK && out) {
    describe(&b, s);
    rc = qm__handle_result(&b, out, e);
  }
  qm_arena_free(&arena);
  return rc;
}

int32_t qm_schema_pack(qm_slice schema, const char *path, qm_text *out, qm_error *e) {
  qm_buf b;
  if (!out || !path) return qm_fail(e, QM_EINVAL, "schema: an argument is missing");
  char *own = strdup(path);
  if (!own) return qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  qm_buf_init(&b, &plain_env, QM_HANDLE_TEXT_MAX);
  int rc = qm_schema_json_pack_beside(&b, schema, own, e);
  free(own);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return rc;
}

int32_t qm_schema_compare(qm_slice older, qm_slice newer, qm_text *out, qm_error *e) {
  const qm_schema *a, *b;
  qm_arena arena;
  qm_buf text;
  uint32_t refused = 0;
  if (!out) return qm_fail(e, QM_EINVAL, "schema: an argument is missing");
  qm_arena_init(&arena, &plain_env, ARENA_MAX);
  qm_buf_init(&text, &plain_env, QM_HANDLE_TEXT_MAX);
  int rc = load(&a, older, "the older schema: ", &arena, e);
  if (rc == QM_OK) rc = load(&b, newer, "the newer schema: ", &arena, e);
  if (rc == QM_OK) {
    (void)qm_schema_json_diff(&text, a, b, &refused); /* its error sticks in text */
    rc = qm__handle_result(&text, out, e);
  }
  if (rc == QM_OK && refused)
    rc = qm_fail(e, QM_ESCHEMA, "%u of the differences may not be: take new numbers and names",
                 (unsigned)refused);
  qm_arena_free(&arena);
  return rc;
}
