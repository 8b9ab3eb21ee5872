/* qianmod aside list, approve, decline: what the hub has set aside, for the office. Decisions
 * are a hub's own writes: where one runs they wait in hub.db for its next step. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/aside.h"
#include "core/hash.h"
#include "core/read.h"
#include "core/relation.h"
#include "core/value.h"

#define QUEUE "aside"       /* the note: decisions that wait */
#define QUEUE_ROW 35u       /* author, first, kind, length of the text (u16) */
#define ID_DIGITS 10u       /* of an id that is shown */

/* Of (space, author, first): the same in every listing. */
static void make_id(const qm_id *space, const qm_aside_copy *c, char out[QM_ID_TEXT_SIZE]) {
  uint8_t first[8];
  qm_sha sha;
  qm_hash hash;
  for (int i = 0; i < 8; i++) first[i] = (uint8_t)(c->first >> (56 - 8 * i));
  qm_sha_init(&sha);
  qm_sha_add(&sha, space->b, QM_ID_SIZE);
  qm_sha_add(&sha, c->author.b, QM_AUTHOR_SIZE);
  qm_sha_add(&sha, first, sizeof first);
  qm_sha_end(&sha, &hash);
  qm_base32(out, hash.b, QM_ID_SIZE);
  out[ID_DIGITS] = '\0';
}

/* --- list --- */

typedef struct listing {
  const hub_args *a;
  hub_dir *d;
  qm_engine *engine;
  qm_space *space;
  qm_id id;
  const char *name;
  uint32_t n;
} listing;

static const char *status_name(qm_aside_kind k) {
  return k == QM_ASIDE_APPROVED ? "approved" : k == QM_ASIDE_DECLINED ? "declined" : "waiting";
}

static const char *op_name(const qm_op *op) {
  static const char *const names[QM_SHAPES][3] = {
      {"new", "delete", "restore"}, {"set", "raise"}, {"add", "remove"}, {"inc"}, {"append"},
      {"insert", "cut", "trim"}};
  const char *name = op->shape < QM_SHAPES && op->kind < 3 ? names[op->shape][op->kind] : NULL;
  return name ? name : "?";
}

static const qm_collection_def *collection_of(listing *l, const qm_op *op, qm_arena *arena) {
  const qm_schema *schema = qm_space_schema(l->space);
  const qm_record *r;
  qm_cur c;
  uint32_t number = 0;
  if (!schema) return NULL;
  if (op->shape == QM_PRESENCE && op->kind == QM_KIND_NEW) {
    qm_cur_init(&c, op->value);
    (void)qm_cur_uint32(&c, &number);
  } else if (qm_engine_read(l->engine, l->space, &op->record, arena, &r) == QM_OK) {
    number = qm_record_collection(r);
  }
  return number ? qm_schema_collection(schema, number) : NULL;
}

static void put_op(listing *l, const qm_op *op, qm_line *out) {
  char id[QM_ID_TEXT_SIZE];
  qm_arena arena;
  qm_buf value;
  qm_arena_init(&arena, &l->d->env, (size_t)64 << 20);
  qm_buf_init(&value, &l->d->env, (size_t)16 << 20);
  const qm_collection_def *c = collection_of(l, op, &arena);
  const qm_field_def *f = c && op->field ? qm_collection_field(c, op->field) : NULL;
  qm_base32(id, op->record.b, QM_ID_SIZE);
  qm_line_format(out, "{\"record\":\"%s\",\"collection\":", id);
  if (c) qm_line_json(out, c->name);
  else qm_line_add(out, "null");
  qm_line_add(out, ",\"field\":");
  if (f) qm_line_json(out, f->name);
  else qm_line_add(out, "null");
  qm_line_format(out, ",\"op\":\"%s\",\"value\":", op_name(op));
  int hidden = 0;
  if (qm_field_hidden(l->engine, l->space, &op->record, op->field, 0, &arena, &hidden) != QM_OK)
    hidden = 1;
  if (op->value.n && !hidden && qm_value_json(&value, op->value) == QM_OK &&
      qm_buf_status(&value) == QM_OK)
    qm_line_bytes(out, value.p, value.n);
  else
    qm_line_add(out, "null");
  qm_line_add(out, "}");
  qm_buf_free(&value);
  qm_arena_free(&arena);
}

static void put_json(listing *l, const qm_aside_copy *c, const char *id, const qm_id *device) {
  char device_id[QM_ID_TEXT_SIZE];
  qm_line out = QM_LINE_INIT;
  int first = 1;
  qm_base32(device_id, device->b, QM_ID_SIZE);
  qm_line_format(&out, "{\"id\":\"%s\",\"space\":", id);
  qm_line_json(&out, qm_slice_of(l->name, strlen(l->name)));
  qm_line_format(&out, ",\"device\":\"%s\",\"status\":\"%s\",\"code\":\"%s\",\"why\":", device_id,
                 status_name(c->status), qm_err_name(c->code));
  qm_line_json(&out, c->text);
  qm_line_format(&out, ",\"at\":%" PRIu64 ",\"written\":%" PRIu64 ",\"ops\":[", c->at_ms,
                 c->n_changes ? qm_time_ms(c->changes[0].time) : 0);
  for (uint32_t i = 0; i < c->n_changes; i++)
    for (uint32_t o = 0; o < c->changes[i].n_ops; o++) {
      if (!first) qm_line_add(&out, ",");
      first = 0;
      put_op(l, &c->changes[i].ops[o], &out);
    }
  qm_line_add(&out, "]}\n");
  fputs(qm_line_text(&out), stdout);
  qm_line_free(&out);
}

static void put_text(listing *l, const qm_aside_copy *c, const char *id, const qm_id *device) {
  qm_line out = QM_LINE_INIT;
  qm_line_format(&out, "%s  ", id);
  qm_line_clean(&out, qm_slice_of(l->name, strlen(l->name)), " ");
  qm_line_format(&out, "  %s  ", qm_short(device).text);
  qm_line_time(&out, (int64_t)(c->n_changes ? qm_time_ms(c->changes[0].time) : 0));
  qm_hub_text status = c->status == QM_ASIDE_APPROVED   ? QM_HUB_ASIDE_APPROVED
                       : c->status == QM_ASIDE_DECLINED ? QM_HUB_ASIDE_DECLINED
                                                        : QM_HUB_ASIDE_WAITING;
  qm_line_format(&out, "  %s  ", qm_hub_say(l->a->cli.lang, status));
  qm_line_clean(&out, c->text, " ");
  if (!c->text.n && c->code == QM_EFORK) qm_line_add(&out, qm_err_name(c->code)); /* reissued */
  qm_line_add(&out, "\n");
  for (uint32_t i = 0; i < c->n_changes; i++)
    for (uint32_t o = 0; o < c->changes[i].n_ops; o++) {
      qm_line op = QM_LINE_INIT;
      put_op(l, &c->changes[i].ops[o], &op);
      qm_line_add(&out, "    ");
      qm_line_clean(&out, qm_line_slice(&op), " ");
      qm_line_add(&out, "\n");
      qm_line_free(&op);
    }
  fputs(qm_line_text(&out), stdout);
  qm_line_free(&out);
}

static int list_copy(void *payload, const qm_aside_copy *c) {
  listing *l = payload;
  char id[QM_ID_TEXT_SIZE];
  qm_id device;
  qm_author_device(&c->author, &device);
  make_id(&l->id, c, id);
  l->n++;
  if (l->a->json) put_json(l, c, id, &device);
  else put_text(l, c, id, &device);
  return QM_OK;
}

/* --- one of them --- */

typedef struct search {
  const char *digits;
  qm_id space;
  qm_engine *engine;
  qm_id found_space;
  qm_engine *found_engine;
  qm_author author;
  uint64_t first;
  qm_aside_kind status;
  uint32_t found;
} search;

static int search_copy(void *payload, const qm_aside_copy *c) {
  search *s = payload;
  char id[QM_ID_TEXT_SIZE];
  make_id(&s->space, c, id);
  size_t n = strlen(s->digits);
  for (size_t i = 0; i < n; i++) {
    char x = s->digits[i];
    if (x >= 'a' && x <= 'z') x = (char)(x - 32);
    x = x == 'O' ? '0' : x == 'I' || x == 'L' ? '1' : x;
    if (i >= ID_DIGITS || id[i] != x) return QM_OK;
  }
  s->found_space = s->space;
  s->found_engine = s->engine;
  s->author = c->author;
  s->first = c->first;
  s->status = c->status;
  s->found++;
  return QM_OK;
}

/* --- the spaces at hand --- */

typedef struct walk {
  const hub_args *a;
  const hub_stores *stores;
  listing *list;
  search *search;
} walk;

static int wanted(const hub_args *a, const char *name) {
  for (uint32_t i = 0; i < a->n_spaces; i++)
    if (strcmp(a->spaces[i], name) == 0) return 1;
  return a->n_spaces == 0;
}

static int walk_space(void *payload, const qm_hub_space *row) {
  walk *w = payload;
  qm_engine *engine = hub_stores_engine(w->stores, row);
  qm_space *sp = engine ? qm_engine_space(engine, &row->id) : NULL;
  if (!sp || !wanted(w->a, row->name)) return QM_OK;
  if (w->search) {
    w->search->space = row->id;
    w->search->engine = engine;
    return qm_engine_aside_copies(engine, sp, search_copy, w->search);
  }
  w->list->engine = engine;
  w->list->space = sp;
  w->list->id = row->id;
  w->list->name = row->name;
  return qm_engine_aside_copies(engine, sp, list_copy, w->list);
}

static int verb_list(const hub_args *a, hub_dir *d, const hub_stores *stores) {
  listing l = {.a = a, .d = d};
  walk w = {a, stores, &l, NULL};
  qm_error e = {0, ""};
  int rc = qm_hubdb_space_list(d->db, walk_space, &w);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (!l.n && !a->json) hub_print(a, QM_HUB_ASIDE_NONE);
  return QM_EXIT_DONE;
}

/* --- deciding --- */

static int decide(qm_engine *engine, const qm_id *space, const qm_author *author, uint64_t first,
                  int approve, qm_slice why, qm_error *e) {
  qm_space *sp = qm_engine_space(engine, space);
  if (!sp) return qm_fail(e, QM_ENOTFOUND, "the space is not here");
  return approve ? qm_engine_aside_approve(engine, sp, author, first, e)
                 : qm_engine_aside_decline(engine, sp, author, first, why, e);
}

/* [author, first u64, kind, length u16, text]… */
static int queue_add(hub_dir *d, const search *s, int approve, qm_slice why) {
  qm_buf b;
  qm_buf_init(&b, &d->env, 1u << 20);
  int rc = qm_hubdb_begin(d->db);
  if (rc == QM_OK) {
    rc = qm_hubdb_note_get(d->db, &s->found_space, QUEUE, &b);
    if (rc == QM_ENOTFOUND) rc = QM_OK;
    qm_buf_add(&b, s->author.b, QM_AUTHOR_SIZE);
    qm_buf_be64(&b, s->first);
    qm_buf_byte(&b, (uint8_t)approve);
    qm_buf_be16(&b, (uint16_t)why.n);
    qm_buf_add(&b, why.p, why.n);
    if (rc == QM_OK) rc = qm_buf_status(&b);
    if (rc == QM_OK) rc = qm_hubdb_note_put(d->db, &s->found_space, QUEUE, qm_buf_slice(&b));
    if (rc == QM_OK) rc = qm_hubdb_commit(d->db);
    else qm_hubdb_rollback(d->db);
  }
  qm_buf_free(&b);
  return rc;
}

static void queue_run(qm_engine *engine, const qm_env *env, const qm_id *space, qm_slice rows) {
  qm_cur c;
  qm_cur_init(&c, rows);
  while (qm_cur_left(&c)) {
    qm_author author;
    uint64_t first = 0;
    uint8_t approve = 0;
    uint16_t n = 0;
    qm_slice why = {NULL, 0};
    qm_error e = {0, ""};
    qm_cur_copy(&c, author.b, QM_AUTHOR_SIZE);
    qm_cur_be64(&c, &first);
    qm_cur_byte(&c, &approve);
    qm_cur_be16(&c, &n);
    if (qm_cur_span(&c, n, &why) != QM_OK) return;
    int rc = decide(engine, space, &author, first, approve, why, &e);
    if (rc != QM_OK && rc != QM_EEXIST)
      qm_log(env, QM_LOG_WARN, "set aside: a decision could not be carried out: %s", e.message);
  }
}

/* Crash between the two databases: it is decided already the second time. */
int hub_aside_queue(qm_hubdb *db, const qm_env *env, qm_engine *engine, const qm_id *space) {
  qm_buf b;
  qm_buf_init(&b, env, 1u << 20);
  int rc = qm_hubdb_note_get(db, space, QUEUE, &b);
  if (rc == QM_OK && b.n) {
    rc = qm_hubdb_begin(db);
    if (rc == QM_OK) {
      qm_buf_clear(&b);
      rc = qm_hubdb_note_get(db, space, QUEUE, &b);
      if (rc == QM_OK) queue_run(engine, env, space, qm_buf_slice(&b));
      if (rc == QM_OK) rc = qm_hubdb_note_put(db, space, QUEUE, qm_slice_of(NULL, 0));
      if (rc == QM_OK) rc = qm_hubdb_commit(db);
      else qm_hubdb_rollback(db);
    }
  }
  qm_buf_free(&b);
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

static int report(const hub_args *a, const char *id, int approve, int waits) {
  if (a->json) {
    printf("{\"id\":\"%s\",\"status\":\"%s\",\"waits\":%s}\n", id,
           approve ? "approved" : "declined", waits ? "true" : "false");
    return QM_EXIT_DONE;
  }
  hub_print(a, approve ? QM_HUB_ASIDE_APPROVE_DONE : QM_HUB_ASIDE_DECLINE_DONE, id);
  if (waits) hub_print(a, QM_HUB_ASIDE_QUEUED);
  return QM_EXIT_DONE;
}

static int verb_decide(const hub_args *a, hub_dir *d, const hub_stores *stores, int running) {
  int approve = strcmp(a->positional[0], "approve") == 0;
  qm_slice why = qm_slice_of(a->why, a->why ? strlen(a->why) : 0);
  search s = {.digits = a->positional[2]};
  walk w = {a, stores, NULL, &s};
  qm_error e = {0, ""};
  if (why.n > QM_ASIDE_TEXT_MAX) return hub_refuse(a, QM_EUSAGE, QM_HUB_BAD_VALUE, "--why");
  int rc = strlen(s.digits) < 4 ? QM_OK : qm_hubdb_space_list(d->db, walk_space, &w);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (s.found > 1) return hub_refuse(a, QM_EAMBIGUOUS, QM_HUB_ASIDE_TWO, s.digits);
  if (!s.found) return hub_refuse(a, QM_ENOTFOUND, QM_HUB_ASIDE_NO, s.digits);
  if (s.status != QM_ASIDE_CHANGE) return hub_refuse(a, QM_EEXIST, QM_HUB_ASIDE_DECIDED, s.digits);
  rc = running ? queue_add(d, &s, approve, why)
               : decide(s.found_engine, &s.found_space, &s.author, s.first, approve, why, &e);
  return rc == QM_OK ? report(a, s.digits, approve, running) : hub_error(a, rc, &e);
}

int hub_verb_aside(const hub_args *a) {
  hub_dir d;
  hub_stores stores;
  qm_error e = {0, ""};
  const char *what = a->positional[0];
  int list = strcmp(what, "list") == 0, decline = strcmp(what, "decline") == 0;
  if (!list && !decline && strcmp(what, "approve") != 0)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "list|approve|decline");
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DIR");
  if (!list && a->n_positional < 3) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "ID");
  if (decline && !a->why) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--why");
  int rc = hub_open(&d, a->positional[1], QM_DIR_KEYS | (list ? QM_DIR_READONLY : 0), &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  int running = hub_is_running(&d), exit_code = QM_EXIT_DONE;
  if (!list && !running) rc = hub_lock(&d, &e);
  if (rc == QM_OK) rc = hub_stores_open(&d, list || running, &stores, &e);
  if (rc != QM_OK) {
    exit_code = hub_error(a, rc, &e);
  } else {
    exit_code = list ? verb_list(a, &d, &stores) : verb_decide(a, &d, &stores, running);
    hub_stores_close(&stores);
  }
  hub_close(&d);
  return exit_code;
}
