/* verb_schema.c: schema check and schema diff: files, without a database. */
#include <string.h>

#include "adapters/cli/verb.h"

static const char *number(const qm_node *n) {
  return n && n->type == QM_NODE_NUMBER ? (const char *)n->text.p : "?";
}

/* A schema file is typed by a person: what is wrong in it is no damage. */
static int file_failed(qm_ctx *c, const char *path, const qm_error *e) {
  int of_file = e->code == QM_ESCHEMA || (e->code <= QM_ETRUNCATED && e->code >= QM_EOVERSIZE);
  if (!of_file) return qm_verb_failed(c, e);
  return qm_cli_refuse(&c->cli, QM_ESCHEMA, QM_SAY_SCHEMA_BAD, path, e->message);
}

/* Reads a file and checks it; *about may be NULL. */
static int read_schema(qm_ctx *c, const char *path, qm_line *file, qm_text *about) {
  qm_error e = {0};
  int exit_code = qm_verb_read_file(c, path, file);
  if (exit_code) return exit_code;
  if (qm_schema_validate(qm_line_slice(file), about, &e) == QM_OK) return QM_EXIT_DONE;
  return file_failed(c, path, &e);
}

/* ---- check ---- */

static int report_check(qm_ctx *c, const qm_text *text) {
  qm_tree t = QM_TREE_INIT;
  if (c->cli.json) return qm_verb_print_lines(text);
  int exit_code = qm_verb_parse(c, &t, qm_slice_of(text->p, text->n));
  if (!exit_code) {
    qm_cli_print(&c->cli, stdout, QM_SAY_SCHEMA_GOOD,
                 qm_node_string(qm_node_get(t.root, "schema")),
                 number(qm_node_get(t.root, "version")),
                 number(qm_node_get(t.root, "collections")), number(qm_node_get(t.root, "fields")));
    if (qm_node_true(qm_node_get(t.root, "sensitive")))
      qm_cli_note(&c->cli, QM_SAY_SCHEMA_SENSITIVE);
  }
  qm_tree_free(&t);
  return exit_code;
}

int qm_verb_schema_check(qm_ctx *c) {
  qm_line file = QM_LINE_INIT;
  qm_text text = {0};
  if (c->n_args < 2) return qm_help_few(c);
  if (c->n_args > 2) return qm_help_many(c);
  int exit_code = read_schema(c, c->args[1], &file, &text);
  if (!exit_code) exit_code = report_check(c, &text);
  qm_text_free(&text);
  qm_line_free(&file);
  return exit_code;
}

/* ---- pack ---- */

/* The whole schema in one text, as qm_space_create takes it. */
int qm_verb_schema_pack(qm_ctx *c) {
  qm_line file = QM_LINE_INIT;
  if (c->n_args < 2) return qm_help_few(c);
  if (c->n_args > 2) return qm_help_many(c);
  int exit_code = read_schema(c, c->args[1], &file, NULL);
  if (!exit_code) return qm_verb_print(c, &file);
  qm_line_free(&file);
  return exit_code;
}

/* ---- diff ---- */

#define SAY_OF(name)                    \
  {                                     \
#name, QM_SAY_DELTA_##name            \
  }

/* "field-added" is said as DELTA_FIELD_ADDED. */
static const char *words_of(const qm_ctx *c, qm_slice change) {
  static const struct {
    const char *name;
    qm_say_id say;
  } all[] = {SAY_OF(SCHEMA_NAME),     SAY_OF(VERSION),         SAY_OF(SETTINGS),
             SAY_OF(COLLECTION_ADDED), SAY_OF(COLLECTION_REMOVED), SAY_OF(COLLECTION_NAME),
             SAY_OF(KEY),             SAY_OF(KEY_FORM),        SAY_OF(PURPOSE),
             SAY_OF(RETENTION),       SAY_OF(WRITERS),         SAY_OF(LABEL),
             SAY_OF(FIELD_ADDED),     SAY_OF(FIELD_REMOVED),   SAY_OF(FIELD_NAME),
             SAY_OF(TYPE),            SAY_OF(VALUE),           SAY_OF(LENGTH_CUT),
             SAY_OF(LENGTH_WIDER),    SAY_OF(TARGET_NARROWER), SAY_OF(TARGET_WIDER),
             SAY_OF(UNSEALED),        SAY_OF(SEALED),          SAY_OF(REQUIRED),
             SAY_OF(OPTIONAL),        SAY_OF(FLAGS),           SAY_OF(CLASS),
             SAY_OF(ITEM_ADDED),      SAY_OF(ITEM_CHANGED),    SAY_OF(RANK),
             SAY_OF(ITEM_LABEL),      SAY_OF(TRANSITIONS),     SAY_OF(REVIEW),
             SAY_OF(DUPLICATES),      SAY_OF(UNKNOWN),         SAY_OF(CHECK),
             SAY_OF(LIMITS),          SAY_OF(RELATIONS),       SAY_OF(TABLES),
             SAY_OF(CALENDARS)};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    size_t k = 0;
    for (; k < change.n && all[i].name[k]; k++)
      if (all[i].name[k] != (change.p[k] == '-' ? '_' : (char)(change.p[k] & ~32))) break;
    if (k == change.n && !all[i].name[k]) return qm_say(c->cli.lang, all[i].say);
  }
  return (const char *)change.p; /* NUL-terminated, as all texts of a tree */
}

static void put_where(const qm_ctx *c, qm_line *l, const qm_node *delta) {
  const qm_node *collection = qm_node_get(delta, "collection");
  const qm_node *field = qm_node_get(delta, "field");
  if (!collection) qm_line_add(l, QM_SAY(c, SCHEMA_WORD_SCHEMA));
  else qm_line_clean(l, qm_node_text(collection), " ");
  if (!field) return;
  qm_line_add(l, ".");
  qm_line_clean(l, qm_node_text(field), " ");
}

static void put_side(qm_line *l, const qm_node *n) {
  if (!n) qm_line_add(l, "-");
  else if (n->type == QM_NODE_NUMBER) qm_line_clean(l, n->text, " ");
  else qm_line_clean(l, qm_node_text(n), " ");
}

static void put_values(qm_line *l, const qm_node *delta) {
  const qm_node *old = qm_node_get(delta, "old"), *fresh = qm_node_get(delta, "new");
  const qm_node *item = qm_node_get(delta, "item");
  if (item) {
    qm_line_clean(l, qm_node_text(item), " ");
    qm_line_add(l, ": ");
  }
  if (old) {
    put_side(l, old);
    qm_line_add(l, " → ");
  }
  if (old || fresh) put_side(l, fresh);
}

static void delta_row(const qm_ctx *c, qm_table *table, const qm_node *delta) {
  int refused = qm_node_true(qm_node_get(delta, "refused"));
  qm_line where = QM_LINE_INIT, values = QM_LINE_INIT;
  put_where(c, &where, delta);
  put_values(&values, delta);
  qm_table_cell(table, qm_line_slice(&where));
  qm_table_text(table, words_of(c, qm_node_text(qm_node_get(delta, "change"))));
  qm_table_cell(table, qm_line_slice(&values));
  qm_table_text(table, refused ? QM_SAY(c, SCHEMA_WORD_REFUSED) : "");
  qm_line_free(&where);
  qm_line_free(&values);
}

static int print_diff(qm_ctx *c, const qm_text *text, int *refused) {
  qm_slice rest = qm_slice_of(text->p, text->n), line;
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  int exit_code = QM_EXIT_DONE;
  *refused = 0;
  qm_table_init(&table, 4);
  qm_table_text(&table, QM_SAY(c, SCHEMA_WORD_WHERE));
  qm_table_text(&table, QM_SAY(c, SCHEMA_WORD_WHAT));
  qm_table_text(&table, QM_SAY(c, SCHEMA_WORD_VALUES));
  qm_table_text(&table, "");
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    *refused += qm_node_true(qm_node_get(t.root, "refused"));
    delta_row(c, &table, t.root);
  }
  if (!exit_code) exit_code = qm_verb_print_table(c, &table);
  qm_table_free(&table);
  qm_tree_free(&t);
  return exit_code;
}

static int report_diff(qm_ctx *c, const qm_text *text, qm_error *e) {
  int refused;
  if (c->cli.json) {
    int exit_code = qm_verb_print_lines(text);
    return exit_code || e->code == QM_OK ? exit_code : qm_verb_failed(c, e);
  }
  if (!text->n) {
    qm_cli_print(&c->cli, stdout, QM_SAY_SCHEMA_EQUAL);
    return QM_EXIT_DONE;
  }
  int exit_code = print_diff(c, text, &refused);
  if (exit_code) return exit_code;
  if (refused) return qm_cli_refuse(&c->cli, QM_ESCHEMA, QM_SAY_SCHEMA_MAY_NOT, refused);
  qm_cli_print(&c->cli, stdout, QM_SAY_SCHEMA_MAY);
  return QM_EXIT_DONE;
}

int qm_verb_schema_diff(qm_ctx *c) {
  qm_line older = QM_LINE_INIT, newer = QM_LINE_INIT;
  qm_text text = {0};
  qm_error e = {0};
  if (c->n_args < 3) return qm_help_few(c);
  int exit_code = read_schema(c, c->args[1], &older, NULL);
  if (!exit_code) exit_code = read_schema(c, c->args[2], &newer, NULL);
  if (!exit_code) {
    (void)qm_schema_compare(qm_line_slice(&older), qm_line_slice(&newer), &text, &e);
    exit_code = text.p ? report_diff(c, &text, &e) : qm_verb_failed(c, &e);
  }
  qm_text_free(&text);
  qm_line_free(&older);
  qm_line_free(&newer);
  return exit_code;
}
