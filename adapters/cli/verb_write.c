/* verb_write.c: the verbs that write. Each is one transaction, so one change: where one
 * field is refused, nothing is written. */
#include <string.h>

#include "adapters/cli/verb.h"

/* ---- which verb fits which type ---- */

typedef enum writer {
  SET,
  SETTLE,
  ADD,
  REMOVE,
  INC,
  APPEND,
  RAISE,
  LOWER,
  INSERT,
  REPLACE,
  REMOVE_AT /* remove with --at */
} writer;

static const char *const writer_names[] = {"set",    "settle", "add",   "remove", "inc",
                                           "append", "raise",  "lower", "insert", "replace"};

static const struct {
  const char *type;
  uint32_t writers; /* bits of writer */
  const char *use;  /* for the hint */
} fits[] = {
    {"register", 1u << SET | 1u << SETTLE, "set, settle"},
    {"state", 1u << SET | 1u << SETTLE, "set, settle"},
    {"ref", 1u << SET | 1u << SETTLE, "set, settle"},
    {"max", 1u << SET | 1u << SETTLE | 1u << RAISE, "raise, set, settle"},
    {"min", 1u << SET | 1u << SETTLE | 1u << LOWER, "lower, set, settle"},
    {"set", 1u << ADD | 1u << REMOVE, "add, remove"},
    {"counter", 1u << INC, "inc"},
    {"log", 1u << APPEND, "append"},
    {"text", 1u << SET | 1u << APPEND, "set, append"},
    {"list", 1u << SET | 1u << APPEND | 1u << INSERT | 1u << REPLACE | 1u << REMOVE_AT,
     "insert, replace, append, remove --at, set"},
};

static writer writer_of(const qm_ctx *c) {
  writer w = SET;
  while (strcmp(writer_names[w], c->verb->name) != 0) w++;
  return w == REMOVE && c->values[QM_OPT_AT] ? REMOVE_AT : w;
}

static int check_type(qm_ctx *c, const qm_node *field, writer w) {
  const qm_node *type = qm_node_get(field, "type");
  for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
    if (!qm_node_is(type, fits[i].type) || fits[i].writers & 1u << w) continue;
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_OTHER_VERB, c->verb->name,
                         qm_node_string(qm_node_get(field, "name")), fits[i].type, fits[i].use);
  }
  return QM_EXIT_DONE; /* a type we do not know: the library decides */
}

/* ---- one transaction ---- */

/* What a person typed wrong is wrong usage, though the same fault in stored data is damage. */
static int argument_failed(qm_ctx *c, qm_error *e, const qm_node *collection) {
  if (e->code <= QM_ETRUNCATED && e->code >= QM_EOVERSIZE) e->code = QM_EINVAL;
  return qm_verb_record_failed(c, e, collection);
}

static int begin(qm_ctx *c, qm_tx **tx) {
  qm_error e = {0};
  const char *token = c->values[QM_OPT_TOKEN];
  *tx = NULL;
  if (qm_begin(c->db, qm_verb_space(c), tx, &e) != QM_OK) return qm_verb_failed(c, &e);
  if (!token || qm_shown(*tx, qm_str(token), &e) == QM_OK) return QM_EXIT_DONE;
  if (e.code == QM_EFORMAT) e.code = QM_EINVAL;
  qm_cancel(*tx);
  *tx = NULL;
  return qm_verb_failed(c, &e);
}

/* Ends the transaction by how its verbs went; *written: effects. */
static int end(qm_ctx *c, qm_tx *tx, int exit_code, uint32_t *written) {
  qm_error e = {0};
  if (!tx) return exit_code;
  *written = qm_written(tx);
  if (exit_code) {
    qm_cancel(tx);
    qm_cli_note(&c->cli, QM_SAY_NOTHING_WRITTEN);
  } else if (qm_commit(tx, &e) != QM_OK) {
    exit_code = qm_verb_failed(c, &e);
  }
  return exit_code;
}

/* The whole id of a record named by prefix or key. */
static void put_id(qm_ctx *c, qm_line *l, const qm_node *collection, const char *record) {
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice name = qm_verb_name(collection), id = qm_str(record);
  if (qm_get(c->db, qm_verb_space(c), name, id, QM_DELETED, &text, NULL) == QM_OK &&
      qm_tree_read(&t, qm_slice_of(text.p, text.n)) == QM_OK)
    id = qm_node_text(qm_node_get(t.root, "id"));
  qm_line_json(l, id);
  qm_tree_free(&t);
  qm_text_free(&text);
}

static int report(qm_ctx *c, const qm_node *collection, const char *record, uint32_t written) {
  const char *name = qm_node_string(qm_node_get(collection, "name"));
  if (!c->cli.json) {
    qm_cli_print(&c->cli, stdout, written ? QM_SAY_SAVED : QM_SAY_NO_CHANGE, name, record);
    return QM_EXIT_DONE;
  }
  qm_line l = QM_LINE_INIT;
  qm_line_add(&l, "{\"collection\":");
  qm_line_json(&l, qm_str(name));
  qm_line_add(&l, ",\"id\":");
  put_id(c, &l, collection, record);
  qm_line_format(&l, ",\"written\":%lu}\n", (unsigned long)written);
  return qm_verb_print(c, &l);
}

/* Opens the database and finds the collection that the first argument names. */
static int prepare(qm_ctx *c, const char *name, const qm_node **collection) {
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, name, collection);
  return exit_code;
}

/* ---- new ---- */

/* The value given for the natural key, or empty; *others: fields given beside it. */
static int find_key(qm_ctx *c, const qm_node *collection, qm_slice *key, int *others) {
  const qm_node *key_name = qm_node_get(collection, "key"), *field;
  qm_assignment a;
  *key = qm_slice_of(NULL, 0);
  *others = 0;
  for (int i = 1; i < c->n_args; i++) {
    int exit_code = qm_verb_assignment(c, i, &a);
    if (!exit_code) exit_code = qm_verb_field(c, collection, a.field, &field);
    if (exit_code) return exit_code;
    const char *name = qm_node_string(qm_node_get(field, "name"));
    if (!key_name || !qm_node_is(key_name, name)) {
      ++*others;
      continue;
    }
    if (key->n) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_KEY_TWICE, name);
    if (a.flags) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_KEY_JSON, name, name);
    *key = qm_str(a.value);
  }
  return QM_EXIT_DONE;
}

static int put_fields(qm_ctx *c, qm_tx *tx, const qm_node *collection, qm_slice id, int has_key) {
  const qm_node *key_name = qm_node_get(collection, "key"), *field;
  qm_error e = {0};
  qm_assignment a;
  for (int i = 1; i < c->n_args; i++) {
    int exit_code = qm_verb_assignment(c, i, &a);
    if (!exit_code) exit_code = qm_verb_field(c, collection, a.field, &field);
    if (!exit_code) exit_code = qm_verb_item(c, field, &a);
    if (exit_code) return exit_code;
    qm_slice name = qm_verb_name(field);
    qm_verb_clearing(field, &a);
    if (has_key && key_name && qm_node_is(key_name, (const char *)name.p)) continue;
    if (qm_put(tx, qm_verb_name(collection), id, name, qm_str(a.value), a.flags, &e) != QM_OK)
      return argument_failed(c, &e, collection);
  }
  return QM_EXIT_DONE;
}

static int report_new(qm_ctx *c, const qm_node *collection, const char *id, int existing,
                      int others, uint32_t written) {
  const char *name = qm_node_string(qm_node_get(collection, "name"));
  if (c->cli.json) {
    qm_line l = QM_LINE_INIT;
    qm_line_add(&l, "{\"collection\":");
    qm_line_json(&l, qm_str(name));
    qm_line_format(&l, ",\"id\":\"%s\",\"existing\":%s,\"written\":%lu", id,
                   existing ? "true" : "false", (unsigned long)written);
    if (!existing) qm_verb_duplicates_json(c, &l, collection, id);
    qm_line_add(&l, "}\n");
    return qm_verb_print(c, &l);
  }
  printf("%s\n", id);
  if (existing && others)
    qm_cli_note(&c->cli, QM_SAY_EXISTING_SKIPPED, c->cli.program, name, id);
  else if (existing) qm_cli_note(&c->cli, QM_SAY_EXISTING);
  else qm_verb_duplicates_note(c, collection, id);
  return QM_EXIT_DONE;
}

/* An existing record is opened and left alone: its fields hold what somebody wrote, and
 * whoever types `new` has not seen that. */
int qm_verb_new(qm_ctx *c) {
  const qm_node *collection;
  qm_text id = {0};
  qm_error e = {0};
  qm_slice key;
  qm_tx *tx = NULL;
  uint32_t written = 0;
  int32_t existing = 0;
  int others;
  int exit_code = prepare(c, c->args[0], &collection);
  if (!exit_code) exit_code = find_key(c, collection, &key, &others);
  if (!exit_code) exit_code = begin(c, &tx);
  if (exit_code) return exit_code;
  if (qm_new(tx, qm_verb_name(collection), key, &id, &existing, &e) != QM_OK)
    exit_code = argument_failed(c, &e, collection);
  if (!exit_code && !existing)
    exit_code = put_fields(c, tx, collection, qm_slice_of(id.p, id.n), key.n != 0);
  exit_code = end(c, tx, exit_code, &written);
  if (!exit_code) exit_code = report_new(c, collection, id.p, existing, others, written);
  qm_text_free(&id);
  return exit_code;
}

/* ---- fields ---- */

static int inc(qm_ctx *c, qm_tx *tx, qm_slice collection, qm_slice record, const qm_node *field,
               const char *value, qm_error *e) {
  int64_t delta;
  if (qm_cli_number(value, INT64_MIN, INT64_MAX, &delta) != 0)
    return qm_fail(e, QM_EUSAGE, QM_SAY(c, BAD_DELTA), qm_node_string(qm_node_get(field, "name")));
  return qm_inc(tx, collection, record, qm_verb_name(field), delta, e);
}

static int write_one(qm_ctx *c, qm_tx *tx, writer w, const qm_node *collection, qm_slice record,
                     const qm_node *field, const qm_assignment *a) {
  static int32_t (*const calls[])(qm_tx *, qm_slice, qm_slice, qm_slice, qm_slice, uint32_t,
                                  qm_error *) = {qm_set, qm_settle, qm_add,   qm_remove,
                                                 NULL,   qm_append, qm_raise, qm_lower};
  qm_error e = {0};
  qm_slice in = qm_verb_name(collection);
  uint32_t flags = a->flags | (c->values[QM_OPT_AGAIN] ? QM_AGAIN : 0);
  int rc = w == INC ? inc(c, tx, in, record, field, a->value, &e)
                    : calls[w](tx, in, record, qm_verb_name(field), qm_str(a->value), flags, &e);
  return rc == QM_OK ? QM_EXIT_DONE : argument_failed(c, &e, collection);
}

/* `inc visits` means visits=1. */
static int assignment(qm_ctx *c, writer w, int at, qm_assignment *out) {
  if (w != INC || strchr(c->args[at], '=')) return qm_verb_assignment(c, at, out);
  *out = (qm_assignment){qm_str(c->args[at]), "1", 0};
  return QM_EXIT_DONE;
}

static int write_fields(qm_ctx *c, writer w, const qm_node *collection, int first) {
  qm_slice record = qm_str(c->args[first - 1]);
  const qm_node *field;
  uint32_t written = 0;
  qm_assignment a;
  qm_tx *tx;
  int exit_code = begin(c, &tx);
  for (int i = first; i < c->n_args && !exit_code; i++) {
    exit_code = assignment(c, w, i, &a);
    if (!exit_code) exit_code = qm_verb_field(c, collection, a.field, &field);
    if (!exit_code) exit_code = check_type(c, field, w);
    if (!exit_code) exit_code = qm_verb_item(c, field, &a);
    if (!exit_code && w != ADD && w != REMOVE && w != APPEND) qm_verb_clearing(field, &a);
    if (!exit_code) exit_code = write_one(c, tx, w, collection, record, field, &a);
  }
  exit_code = end(c, tx, exit_code, &written);
  return exit_code ? exit_code : report(c, collection, c->args[first - 1], written);
}

/* ---- lists ---- */

/* A whole number from 1, or 0 where the option was not given. */
static int option_number(qm_ctx *c, qm_option option, int64_t *out) {
  const char *text = c->values[option];
  *out = 0;
  if (!text || qm_cli_number(text, 1, INT64_MAX - 1, out) == 0) return QM_EXIT_DONE;
  return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_AT, qm_options_table[option].name);
}

/* The next value for the same field goes to the next place. */
static int64_t place_of(const qm_ctx *c, int i, int64_t at) {
  size_t n = strcspn(c->args[i], ":=");
  for (int k = 2; k < i; k++)
    at += strcspn(c->args[k], ":=") == n && strncmp(c->args[k], c->args[i], n) == 0;
  return at;
}

static int put_elements(qm_ctx *c, qm_tx *tx, writer w, const qm_node *collection, int64_t at) {
  qm_slice in = qm_verb_name(collection), record = qm_str(c->args[1]);
  const qm_node *field;
  qm_assignment a;
  qm_error e = {0};
  for (int i = 2; i < c->n_args; i++) {
    int exit_code = qm_verb_assignment(c, i, &a);
    if (!exit_code) exit_code = qm_verb_field(c, collection, a.field, &field);
    if (!exit_code) exit_code = check_type(c, field, w);
    if (!exit_code) exit_code = qm_verb_item(c, field, &a);
    if (exit_code) return exit_code;
    uint64_t place = at ? (uint64_t)place_of(c, i, at) - 1 : UINT64_MAX;
    qm_slice name = qm_verb_name(field), value = qm_str(a.value);
    int rc = w == INSERT ? qm_insert(tx, in, record, name, place, value, a.flags, &e)
                         : qm_replace(tx, in, record, name, place, value, a.flags, &e);
    if (rc != QM_OK) return argument_failed(c, &e, collection);
  }
  return QM_EXIT_DONE;
}

static int remove_elements(qm_ctx *c, qm_tx *tx, const qm_node *collection, int64_t at,
                           int64_t count) {
  const qm_node *field;
  qm_error e = {0};
  int exit_code = qm_verb_field(c, collection, qm_str(c->args[2]), &field);
  if (!exit_code) exit_code = check_type(c, field, REMOVE_AT);
  if (exit_code) return exit_code;
  int rc = qm_remove_at(tx, qm_verb_name(collection), qm_str(c->args[1]), qm_verb_name(field),
                        (uint64_t)at - 1, (uint64_t)(count ? count : 1), &e);
  return rc == QM_OK ? QM_EXIT_DONE : argument_failed(c, &e, collection);
}

static int write_list(qm_ctx *c, writer w) {
  const qm_node *collection;
  uint32_t written = 0;
  int64_t at, count;
  qm_tx *tx;
  if (w == REMOVE_AT && (c->n_args != 3 || strchr(c->args[2], '=')))
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_AT_ONE_FIELD);
  int exit_code = option_number(c, QM_OPT_AT, &at);
  if (!exit_code) exit_code = option_number(c, QM_OPT_NUMBER, &count);
  if (!exit_code && w == REPLACE && !at)
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_AT, c->verb->name);
  if (!exit_code) exit_code = prepare(c, c->args[0], &collection);
  if (!exit_code) exit_code = begin(c, &tx);
  if (exit_code) return exit_code;
  exit_code = w == REMOVE_AT ? remove_elements(c, tx, collection, at, count)
                             : put_elements(c, tx, w, collection, at);
  exit_code = end(c, tx, exit_code, &written);
  return exit_code ? exit_code : report(c, collection, c->args[1], written);
}

/* `settle RECORD FIELD=VALUE` finds the collection among the conflicts. */
int qm_verb_write(qm_ctx *c) {
  const writer w = writer_of(c);
  const qm_node *collection;
  qm_line name = QM_LINE_INIT;
  if (w == INSERT || w == REPLACE || w == REMOVE_AT) return write_list(c, w);
  if (c->values[QM_OPT_NUMBER]) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_COUNT_NEEDS_AT);
  if (w == SETTLE && (c->values[QM_OPT_TAKE] || c->values[QM_OPT_VALUE]))
    return qm_verb_settle_item(c);
  if (c->n_args < 2) return qm_help_few(c);
  if (w != SETTLE || !strchr(c->args[1], '=')) {
    if (c->n_args < 3) return qm_help_few(c);
    int exit_code = prepare(c, c->args[0], &collection);
    return exit_code ? exit_code : write_fields(c, w, collection, 2);
  }
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_conflict_collection(c, c->args[0], &name);
  if (!exit_code) exit_code = qm_verb_collection(c, qm_line_text(&name), &collection);
  if (!exit_code) exit_code = write_fields(c, w, collection, 1);
  qm_line_free(&name);
  return exit_code;
}

int qm_verb_presence(qm_ctx *c) {
  const qm_node *collection;
  uint32_t written = 0;
  qm_error e = {0};
  qm_tx *tx = NULL;
  int exit_code = prepare(c, c->args[0], &collection);
  if (!exit_code) exit_code = begin(c, &tx);
  if (exit_code) return exit_code;
  qm_slice record = qm_str(c->args[1]);
  int rc = strcmp(c->verb->name, "delete") == 0
               ? qm_delete(tx, qm_verb_name(collection), record, &e)
               : qm_restore(tx, qm_verb_name(collection), record, &e);
  if (rc != QM_OK) exit_code = argument_failed(c, &e, collection);
  exit_code = end(c, tx, exit_code, &written);
  return exit_code ? exit_code : report(c, collection, c->args[1], written);
}

/* ---- merged records ---- */

int qm_verb_merge(qm_ctx *c) {
  const qm_node *collection;
  uint32_t written = 0;
  qm_error e = {0};
  qm_tx *tx = NULL;
  int merges = strcmp(c->verb->name, "merge") == 0;
  int exit_code = prepare(c, c->args[0], &collection);
  if (!exit_code) exit_code = begin(c, &tx);
  if (exit_code) return exit_code;
  qm_slice name = qm_verb_name(collection), one = qm_str(c->args[1]);
  int rc = merges ? qm_merge(tx, name, one, qm_str(c->args[2]), &e) : qm_unmerge(tx, name, one, &e);
  if (rc != QM_OK) exit_code = argument_failed(c, &e, collection);
  exit_code = end(c, tx, exit_code, &written);
  if (exit_code || c->cli.json || !written)
    return exit_code ? exit_code : report(c, collection, c->args[1], written);
  qm_cli_print(&c->cli, stdout, merges ? QM_SAY_MERGED : QM_SAY_UNMERGED, name.p, c->args[1],
               merges ? c->args[2] : "");
  return QM_EXIT_DONE;
}

static const char *how_word(const qm_ctx *c, const qm_node *how) {
  if (qm_node_is(how, "moved")) return QM_SAY(c, HOW_MOVED);
  return qm_node_is(how, "copied") ? QM_SAY(c, HOW_COPIED) : QM_SAY(c, HOW_LEFT);
}

static int report_split(qm_ctx *c, const qm_node *collection, const qm_text *text) {
  const qm_node *key = qm_node_get(collection, "key");
  const char *name = qm_node_string(qm_node_get(collection, "name"));
  qm_tree t = QM_TREE_INIT;
  qm_line l = QM_LINE_INIT;
  int exit_code = qm_verb_parse(c, &t, qm_slice_of(text->p, text->n));
  const qm_node *fields = exit_code ? NULL : qm_node_get(t.root, "fields");
  const char *id = exit_code ? "" : qm_node_string(qm_node_get(t.root, "id"));
  if (!exit_code) qm_line_format(&l, QM_SAY(c, SPLIT_NEW), name, id);
  for (const qm_node *f = fields ? fields->child : NULL; f; f = f->next)
    qm_line_format(&l, "  %.*s: %s\n", (int)f->key.n, (const char *)f->key.p, how_word(c, f));
  if (!exit_code && key && key->type == QM_NODE_STRING)
    qm_line_format(&l, QM_SAY(c, SPLIT_KEY), c->cli.program, name, id, qm_node_string(key));
  if (!exit_code) exit_code = qm_verb_print(c, &l);
  qm_tree_free(&t);
  return exit_code;
}

int qm_verb_split(qm_ctx *c) {
  const qm_node *collection;
  uint32_t written = 0;
  qm_error e = {0};
  qm_text text = {0};
  qm_tx *tx = NULL;
  int exit_code = prepare(c, c->args[0], &collection);
  if (!exit_code) exit_code = begin(c, &tx);
  if (exit_code) return exit_code;
  if (qm_split(tx, qm_verb_name(collection), qm_str(c->args[1]),
               qm_str(c->n_args > 2 ? c->args[2] : ""), &text, &e) != QM_OK)
    exit_code = argument_failed(c, &e, collection);
  exit_code = end(c, tx, exit_code, &written);
  if (!exit_code && c->cli.json) printf("%s\n", text.p);
  else if (!exit_code) exit_code = report_split(c, collection, &text);
  qm_text_free(&text);
  return exit_code;
}
