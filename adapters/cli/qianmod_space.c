/* qianmod space add, update, list: written to hub.db; a running hub takes them into its
 * engine with the next session's work. */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "adapters/json/schema_json.h"
#include "core/hash.h"

typedef struct loaded_schema {
  qm_buf file, blob;
  qm_arena arena;
  const qm_schema *schema;
} loaded_schema;

static void schema_free(loaded_schema *s) {
  qm_buf_free(&s->file);
  qm_buf_free(&s->blob);
  qm_arena_free(&s->arena);
}

/* The files that the schema names go into their places. */
static int pack_files(qm_buf *file, const char *path, qm_error *e) {
  qm_buf packed;
  char own[4096];
  if (strlen(path) >= sizeof own) return qm_fail(e, QM_EINVAL, "the path is too long");
  memcpy(own, path, strlen(path) + 1);
  qm_buf_init(&packed, file->env, QM_SCHEMA_JSON_MAX);
  int rc = qm_schema_json_pack_beside(&packed, qm_buf_slice(file), own, e);
  if (rc != QM_OK) {
    qm_buf_free(&packed);
    return rc;
  }
  qm_buf_free(file);
  *file = packed;
  return QM_OK;
}

/* FILE, or FILE#KIND. */
static int read_schema(const char *path, qm_buf *to, qm_error *e) {
  char own[4096];
  const char *kind = qm_schema_json_kind(path);
  size_t n = kind ? (size_t)(kind - 1 - path) : strlen(path);
  if (n >= sizeof own) return qm_fail(e, QM_EINVAL, "the path is too long");
  memcpy(own, path, n);
  own[n] = 0;
  return hub_read_path(own, to, e);
}

/* JSON, or (from replay) the MessagePack form as it travels. */
static int schema_load(loaded_schema *s, hub_dir *d, const char *path, qm_error *e) {
  qm_buf_init(&s->file, &d->env, QM_SCHEMA_JSON_MAX);
  qm_buf_init(&s->blob, &d->env, QM_SCHEMA_MAX);
  qm_arena_init(&s->arena, &d->env, (size_t)64 << 20);
  QM_TRY(read_schema(path, &s->file, e));
  int rc = QM_OK;
  if (s->file.n && s->file.p[0] >= 0x80) {
    qm_buf_add(&s->blob, s->file.p, s->file.n);
  } else {
    QM_TRY(pack_files(&s->file, path, e));
    rc = qm_schema_json_compile(&s->blob, qm_buf_slice(&s->file), e);
  }
  if (rc != QM_OK) {
    qm_schema_json_where(qm_buf_slice(&s->file), e);
    return rc;
  }
  rc = qm_buf_status(&s->blob);
  if (rc == QM_OK) rc = qm_schema_load(&s->schema, qm_buf_slice(&s->blob), &s->arena, e);
  if (rc != QM_OK && (!e->message[0] || e->code != rc))
    qm_fail(e, rc, "%s: %s", path, qm_err_text(rc));
  return rc;
}

static int add_row(hub_dir *d, const qm_hub_space *row, const loaded_schema *s, int is_test) {
  uint8_t secret[QM_SPACE_SECRET_SIZE];
  QM_TRY(qm_crypto_random(NULL, secret, sizeof secret));
  QM_TRY(qm_hubdb_begin(d->db));
  int rc = qm_hubdb_space_add(d->db, row);
  if (rc == QM_OK)
    rc = qm_hubdb_note_put(d->db, &row->id, "secret", qm_slice_of(secret, sizeof secret));
  if (rc == QM_OK && is_test)
    rc = qm_hubdb_note_put(d->db, &row->id, "test-data", qm_slice_of("1", 1));
  if (rc == QM_OK)
    rc = qm_hubdb_schema_put(d->db, &row->id, s->schema->version, qm_buf_slice(&s->blob));
  if (rc == QM_OK) rc = qm_hubdb_commit(d->db);
  else qm_hubdb_rollback(d->db);
  qm_wipe(secret, sizeof secret);
  return rc;
}

static void print_space(const hub_args *a, qm_hub_text text, const qm_id *space, const char *name,
                        uint32_t version) {
  char id[QM_ID_TEXT_SIZE];
  if (!a->json) {
    hub_print(a, text, name, (unsigned)version);
    return;
  }
  qm_line l = QM_LINE_INIT;
  qm_base32(id, space->b, QM_ID_SIZE);
  qm_line_format(&l, "{\"id\":\"%s\",\"name\":", id);
  qm_line_json(&l, qm_slice_of(name, strlen(name)));
  qm_line_format(&l, ",\"schema\":%u}\n", (unsigned)version);
  fputs(qm_line_text(&l), stdout);
  qm_line_free(&l);
}

/* A replay's spaces have the ids that follow from the trace. */
static int choose_id(const hub_args *a, const hub_dir *d, qm_id *out, qm_error *e) {
  if (!a->id) return qm_crypto_random(NULL, out->b, QM_ID_SIZE);
  if (!d->is_replay) return qm_fail(e, QM_EUSAGE, "--id is only for a replay's directory");
  return qm_unhex(out->b, QM_ID_SIZE, a->id, strlen(a->id)) == QM_OK
             ? QM_OK
             : qm_fail(e, QM_EUSAGE, "--id: 32 hex digits");
}

static int space_add(const hub_args *a, hub_dir *d) {
  loaded_schema s = {.schema = NULL};
  qm_error e = {0, ""};
  qm_hub_space row;
  const char *name = a->positional[2];
  memset(&row, 0, sizeof row);
  int exit_code = QM_EXIT_DONE;
  int rc = schema_load(&s, d, a->schema, &e);
  if (rc == QM_OK && strlen(name) > QM_HUB_TEXT_MAX)
    rc = qm_fail(&e, QM_EUSAGE, "the name is longer than %d bytes", QM_HUB_TEXT_MAX);
  if (rc == QM_OK) rc = choose_id(a, d, &row.id, &e);
  if (rc == QM_OK) rc = hub_stores_place(d, &row.shard, &e);
  if (rc != QM_OK) {
    exit_code = hub_error(a, rc, &e);
  } else if (qm_schema_sensitive(s.schema) && !a->test_data && !d->is_replay) {
    exit_code = hub_refuse(a, QM_ESCHEMA, QM_HUB_SENSITIVE);
  } else {
    memcpy(row.name, name, strlen(name) + 1);
    rc = add_row(d, &row, &s, a->test_data);
    if (rc == QM_EEXIST) exit_code = hub_refuse(a, rc, QM_HUB_NOT_EMPTY, name);
    else if (rc != QM_OK) exit_code = hub_error(a, rc, &e);
    else print_space(a, QM_HUB_SPACE_ADDED, &row.id, name, s.schema->version);
  }
  schema_free(&s);
  return exit_code;
}

/* The new schema against the one held: additive only. */
static int grows(hub_dir *d, const qm_hub_space *row, const loaded_schema *s, int *same,
                 qm_error *e) {
  const qm_schema *held;
  qm_buf old;
  qm_arena arena;
  qm_buf_init(&old, &d->env, QM_SCHEMA_MAX);
  qm_arena_init(&arena, &d->env, (size_t)64 << 20);
  int rc = qm_hubdb_schema_get(d->db, &row->id, 0, &old, NULL);
  *same = rc == QM_OK && qm_slice_cmp(qm_buf_slice(&old), qm_buf_slice(&s->blob)) == 0;
  if (rc == QM_OK && !*same) rc = qm_schema_load(&held, qm_buf_slice(&old), &arena, e);
  if (rc == QM_OK && !*same) rc = qm_schema_grows(held, s->schema, e);
  qm_arena_free(&arena);
  qm_buf_free(&old);
  return rc;
}

static int space_update(const hub_args *a, hub_dir *d) {
  loaded_schema s = {.schema = NULL};
  qm_error e = {0, ""};
  qm_hub_space row;
  int same = 0, exit_code = QM_EXIT_DONE;
  if (qm_hubdb_space_get_by_name(d->db, a->positional[2], &row) != QM_OK)
    return hub_refuse(a, QM_ENOTFOUND, QM_HUB_NO_SPACE, a->positional[2]);
  int rc = schema_load(&s, d, a->schema, &e);
  if (rc == QM_OK) rc = grows(d, &row, &s, &same, &e);
  int allowed = a->test_data || d->is_replay || hub_note_is(d, &row.id, "test-data");
  if (rc == QM_OK && qm_schema_sensitive(s.schema) && !allowed) {
    exit_code = hub_refuse(a, QM_ESCHEMA, QM_HUB_SENSITIVE);
  } else {
    if (rc == QM_OK && !same)
      rc = qm_hubdb_schema_put(d->db, &row.id, s.schema->version, qm_buf_slice(&s.blob));
    if (rc == QM_OK && !same) rc = hub_judge_again(d, &row.id, NULL);
    if (rc != QM_OK) exit_code = hub_error(a, rc, &e);
    else
      print_space(a, same ? QM_HUB_SPACE_SAME : QM_HUB_SPACE_UPDATED, &row.id, row.name,
                  s.schema->version);
  }
  schema_free(&s);
  return exit_code;
}

/* --- list --- */

typedef struct listing {
  const hub_args *a;
  hub_dir *d;
  qm_table table;
} listing;

static int count_one(void *payload, const qm_id *id) {
  (void)id;
  ++*(uint32_t *)payload;
  return QM_OK;
}

static int list_one(void *payload, const qm_hub_space *row) {
  listing *l = payload;
  char id[QM_ID_TEXT_SIZE], number[16];
  uint32_t devices = 0;
  qm_base32(id, row->id.b, QM_ID_SIZE);
  QM_TRY(qm_hubdb_space_devices(l->d->db, &row->id, count_one, &devices));
  if (l->a->json) {
    qm_line line = QM_LINE_INIT;
    qm_line_format(&line, "{\"id\":\"%s\",\"name\":", id);
    qm_line_json(&line, qm_slice_of(row->name, strlen(row->name)));
    qm_line_format(&line, ",\"schema\":%u,\"devices\":%u,\"store\":%u}\n",
                   (unsigned)row->schema, (unsigned)devices, (unsigned)row->shard + 1);
    fputs(qm_line_text(&line), stdout);
    qm_line_free(&line);
    return QM_OK;
  }
  qm_table_text(&l->table, row->name);
  snprintf(number, sizeof number, "%u", (unsigned)row->schema);
  qm_table_text(&l->table, number);
  snprintf(number, sizeof number, "%u", (unsigned)devices);
  qm_table_text(&l->table, number);
  snprintf(number, sizeof number, "%u", (unsigned)row->shard + 1);
  qm_table_text(&l->table, number);
  qm_table_text(&l->table, id);
  return QM_OK;
}

static int space_list_all(const hub_args *a, hub_dir *d) {
  static const qm_hub_text heads[] = {QM_HUB_COL_SPACE, QM_HUB_COL_SCHEMA, QM_HUB_COL_DEVICES,
                                      QM_HUB_COL_STORE, QM_HUB_COL_ID};
  listing l = {.a = a, .d = d};
  qm_error e = {0, ""};
  qm_table_init(&l.table, 5);
  for (size_t i = 0; i < 5; i++) qm_table_text(&l.table, qm_hub_say(a->cli.lang, heads[i]));
  l.table.numeric[1] = l.table.numeric[2] = l.table.numeric[3] = 1;
  int rc = qm_hubdb_space_list(d->db, list_one, &l);
  if (rc == QM_OK && !a->json)
    rc = qm_table_print(&l.table, stdout, a->cli.width, a->cli.color);
  qm_table_free(&l.table);
  return rc == QM_OK ? QM_EXIT_DONE : hub_error(a, rc, &e);
}

int hub_verb_space(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  const char *verb = a->positional[0];
  int is_list = strcmp(verb, "list") == 0;
  if (!is_list && strcmp(verb, "add") != 0 && strcmp(verb, "update") != 0)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_UNKNOWN_VERB, verb);
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DIR");
  if (!is_list && a->n_positional < 3) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "NAME");
  if (!is_list && !a->schema) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--schema");
  int rc = hub_open(&d, a->positional[1], is_list ? QM_DIR_READONLY : 0, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  int exit_code = is_list                    ? space_list_all(a, &d)
                  : strcmp(verb, "add") == 0 ? space_add(a, &d)
                                             : space_update(a, &d);
  hub_close(&d);
  return exit_code;
}
