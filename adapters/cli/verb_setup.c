/* verb_setup.c: making a database, joining a hub, spaces and their schemas. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/verb.h"

#define SCHEMA_MIB 8

/* ---- schema files ---- */

/* What is no JSON, or no schema, is told by who reads it. */
static int pack(qm_ctx *c, const char *path, qm_line *schema) {
  qm_text text = {0};
  qm_error e = {0};
  int rc = qm_schema_pack(qm_line_slice(schema), path, &text, &e);
  if (rc == QM_ESCHEMA) return qm_cli_refuse(&c->cli, rc, QM_SAY_SCHEMA_BAD, path, e.message);
  if (rc != QM_OK) return qm_verb_failed(c, &e);
  qm_line_clear(schema);
  qm_line_bytes(schema, text.p, text.n);
  qm_text_free(&text);
  return schema->failed ? qm_cli_fail(&c->cli, QM_ENOMEM, "") : QM_EXIT_DONE;
}

/* FILE, or FILE#KIND where no file has that whole name. */
static FILE *open_schema(const char *path) {
  qm_line file = QM_LINE_INIT;
  FILE *in = fopen(path, "rb");
  const char *mark = strrchr(path, '#');
  if (in || !mark || strchr(mark, '/')) return in;
  qm_line_bytes(&file, path, (size_t)(mark - path));
  in = fopen(qm_line_text(&file), "rb");
  qm_line_free(&file);
  return in;
}

int qm_verb_read_file(qm_ctx *c, const char *path, qm_line *out) {
  char part[8192];
  size_t n = 0;
  int failed;
  FILE *in = open_schema(path);
  if (!in) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_FILE, path, strerror(errno));
  errno = 0;
  while (out->n <= (size_t)SCHEMA_MIB << 20 && (n = fread(part, 1, sizeof part, in)) > 0)
    qm_line_bytes(out, part, n);
  failed = ferror(in) ? errno : 0;
  fclose(in);
  if (failed) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_FILE, path, strerror(failed));
  if (out->n > (size_t)SCHEMA_MIB << 20)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_FILE_LARGE, path, SCHEMA_MIB);
  if (out->failed) return qm_cli_fail(&c->cli, QM_ENOMEM, "");
  return pack(c, path, out);
}

static void put_member(qm_line *name, qm_slice json, const char *key) {
  qm_tree t = QM_TREE_INIT;
  if (qm_tree_read(&t, json) == QM_OK) {
    qm_slice text = qm_node_text(qm_node_get(t.root, key));
    qm_line_bytes(name, text.p, text.n);
  }
  qm_tree_free(&t);
}

/* Where nobody said which space: the only one there is, else one named as its schema. */
static void default_space(qm_ctx *c, qm_slice schema, qm_line *name) {
  qm_text text = {0};
  qm_slice rest = {NULL, 0}, only, more;
  if (qm_spaces(c->db, &text, NULL) == QM_OK) rest = qm_slice_of(text.p, text.n);
  if (qm_next_line(&rest, &only) && !qm_next_line(&rest, &more)) put_member(name, only, "name");
  else put_member(name, schema, "schema");
  qm_text_free(&text);
  if (!name->n) qm_line_add(name, "local");
}

/* Whether a field of the schema is of class sensitive. */
static int has_sensitive(qm_slice schema) {
  qm_tree t = QM_TREE_INIT;
  int found = 0;
  if (qm_tree_read(&t, schema) != QM_OK) return 0;
  const qm_node *n = qm_node_get(t.root, "collections");
  for (n = n ? n->child : NULL; n; n = n->next) {
    const qm_node *f = qm_node_get(n, "fields");
    for (f = f ? f->child : NULL; f; f = f->next)
      if (qm_node_is(qm_node_get(f, "class"), "sensitive")) found = 1;
  }
  qm_tree_free(&t);
  return found;
}

/* Makes the space without a hub, or brings it a newer schema. */
static int create_space(qm_ctx *c, qm_slice schema, qm_line *name) {
  const char *role = c->values[QM_OPT_ROLE];
  qm_error e = {0};
  if (c->values[QM_OPT_SPACE]) qm_line_add(name, c->values[QM_OPT_SPACE]);
  else default_space(c, schema, name);
  int rc = qm_space_create(c->db, qm_line_slice(name), schema, qm_str(role ? role : ""), &e);
  if (rc == QM_OK) return QM_EXIT_DONE;
  /* A schema file is typed by a person: what is wrong in it is no damage. */
  if (e.code <= QM_ETRUNCATED && e.code >= QM_EOVERSIZE) e.code = QM_ESCHEMA;
  int exit_code = qm_verb_failed(c, &e);
  if (e.code == QM_ESCHEMA && !c->values[QM_OPT_TEST_DATA] && has_sensitive(schema))
    qm_cli_note(&c->cli, QM_SAY_TRY_TEST_DATA);
  return exit_code;
}

/* Says what the space now has. */
static int report_space(qm_ctx *c, const qm_line *name) {
  qm_text text = {0};
  qm_slice rest, line;
  qm_tree t = QM_TREE_INIT;
  qm_error e = {0};
  if (qm_spaces(c->db, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  int exit_code = QM_EXIT_DONE;
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code || !qm_node_is(qm_node_get(t.root, "name"), qm_line_text(name))) continue;
    if (c->cli.json) printf("%.*s\n", (int)line.n, (const char *)line.p);
    else
      qm_cli_print(&c->cli, stdout, QM_SAY_SPACE_MADE, qm_line_text(name),
                   qm_node_string(qm_node_get(t.root, "schema")),
                   (const char *)qm_node_get(t.root, "version")->text.p);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* ---- init ---- */

/* Takes back what this init made, so that it can be tried again. */
static void remove_made(qm_ctx *c) {
  static const char *const ends[] = {"", "-wal", "-shm", ".instance"};
  qm_line path = QM_LINE_INIT;
  qm_close(c->db);
  c->db = NULL;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    qm_line_clear(&path);
    qm_line_format(&path, "%s%s", c->db_path, ends[i]);
    if (!path.failed) remove(qm_line_text(&path));
  }
  qm_line_free(&path);
}

static uint32_t test_data(const qm_ctx *c) {
  return c->values[QM_OPT_TEST_DATA] ? QM_OPEN_TEST_DATA : 0;
}

/* The schema's own check, and the space, are part of the same call to whoever makes it. */
int qm_verb_init(qm_ctx *c) {
  const char *file = c->values[QM_OPT_SCHEMA];
  qm_line schema = QM_LINE_INIT, name = QM_LINE_INIT;
  int exit_code = file ? qm_verb_read_file(c, file, &schema) : QM_EXIT_DONE;
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_CREATE | QM_OPEN_NEW | test_data(c));
  if (!exit_code && file) {
    exit_code = create_space(c, qm_line_slice(&schema), &name);
    if (exit_code) remove_made(c);
  }
  if (!exit_code && !c->cli.json) {
    qm_cli_print(&c->cli, stdout, QM_SAY_MADE, c->db_path);
    if (!file) qm_cli_note(&c->cli, QM_SAY_MADE_NEXT, c->cli.program, c->cli.program);
  }
  if (!exit_code && c->cli.json) {
    qm_line l = QM_LINE_INIT;
    qm_line_add(&l, "{\"db\":");
    qm_line_json(&l, qm_str(c->db_path));
    qm_line_add(&l, "}\n");
    exit_code = qm_verb_print(c, &l);
  }
  if (!exit_code && file) exit_code = report_space(c, &name);
  qm_line_free(&schema);
  qm_line_free(&name);
  return exit_code;
}

/* ---- enroll ---- */

static int report_enrolled(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_line until = QM_LINE_INIT, spaces = QM_LINE_INIT;
  if (qm_status(c->db, QM_FAST, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  int exit_code = c->cli.json ? qm_verb_print_lines(&text)
                              : qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  if (!exit_code && !c->cli.json) {
    const qm_node *list = qm_node_get(t.root, "spaces");
    qm_verb_time(&until, qm_node_get(qm_node_get(t.root, "certificate"), "not_after"),
                 QM_SAY(c, WORD_UNKNOWN));
    qm_cli_print(&c->cli, stdout, QM_SAY_ENROLLED, qm_node_string(qm_node_get(t.root, "hub")),
                 qm_node_string(qm_node_get(t.root, "member")), qm_line_text(&until));
    for (const qm_node *s = list ? list->child : NULL; s; s = s->next) {
      if (spaces.n) qm_line_add(&spaces, ", ");
      qm_line_clean(&spaces, qm_verb_name(s), " ");
    }
    if (spaces.n) qm_cli_print(&c->cli, stdout, QM_SAY_ENROLLED_SPACES, qm_line_text(&spaces));
    qm_cli_note(&c->cli, QM_SAY_ENROLLED_NEXT, c->cli.program);
  }
  qm_line_free(&until);
  qm_line_free(&spaces);
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

int qm_verb_enroll(qm_ctx *c) {
  static const qm_option needed[] = {QM_OPT_HUB, QM_OPT_CODE};
  const char *name = c->values[QM_OPT_NAME];
  qm_error e = {0};
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (!c->values[needed[i]])
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_OPTION_MISSING, c->verb->name,
                           qm_options_table[needed[i]].name, c->cli.program, c->verb->name);
  int exit_code = qm_verb_open(c, QM_OPEN_CREATE | test_data(c));
  if (exit_code) return exit_code;
  if (qm_enroll(c->db, qm_str(c->values[QM_OPT_HUB]), qm_str(c->values[QM_OPT_CODE]),
                qm_str(name ? name : ""), &e) != QM_OK)
    return qm_verb_failed(c, &e);
  return report_enrolled(c);
}

/* ---- spaces ---- */

static const char *rights(const qm_ctx *c, const qm_node *space) {
  if (qm_node_true(qm_node_get(space, "writable"))) return QM_SAY(c, WORD_READ_WRITE);
  return qm_node_true(qm_node_get(space, "readable")) ? QM_SAY(c, WORD_READ)
                                                      : QM_SAY(c, WORD_NONE);
}

static void space_row(const qm_ctx *c, qm_table *table, const qm_node *space) {
  const qm_node *version = qm_node_get(space, "version");
  qm_table_cell(table, qm_verb_name(space));
  qm_table_cell(table, qm_node_text(qm_node_get(space, "id")));
  qm_table_cell(table, qm_node_text(qm_node_get(space, "role")));
  qm_table_text(table, rights(c, space));
  qm_table_cell(table, qm_node_text(qm_node_get(space, "schema")));
  qm_table_cell(table, version && version->type == QM_NODE_NUMBER ? version->text : qm_str(""));
  qm_table_text(table, qm_node_true(qm_node_get(space, "local")) ? QM_SAY(c, WORD_LOCAL) : "");
}

int qm_verb_spaces(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice rest, line;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_spaces(c->db, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  if (c->cli.json) {
    qm_verb_print_lines(&text);
  } else if (!rest.n) {
    qm_cli_print(&c->cli, stdout, QM_SAY_SPACES_NONE);
  } else {
    qm_table_init(&table, 7);
    qm_table_text(&table, QM_SAY(c, WORD_NAME));
    qm_table_text(&table, QM_SAY(c, WORD_ID));
    qm_table_text(&table, QM_SAY(c, WORD_ROLE));
    qm_table_text(&table, QM_SAY(c, WORD_RIGHTS));
    qm_table_text(&table, QM_SAY(c, WORD_SCHEMA));
    qm_table_text(&table, QM_SAY(c, WORD_VERSION));
    qm_table_text(&table, "");
    while (!exit_code && qm_next_line(&rest, &line)) {
      exit_code = qm_verb_parse(c, &t, line);
      if (!exit_code) space_row(c, &table, t.root);
    }
    if (!exit_code) exit_code = qm_verb_print_table(c, &table);
    qm_table_free(&table);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* ---- schema ---- */

static void put_values(qm_line *l, const qm_node *field) {
  const qm_node *items = qm_node_get(field, "items"), *target = qm_node_get(field, "target");
  for (const qm_node *n = items ? items->child : NULL; n; n = n->next) {
    if (n != items->child) qm_line_add(l, "/");
    qm_line_clean(l, n->type == QM_NODE_STRING ? n->text : qm_verb_name(n), " ");
  }
  if (items) return;
  if (target) qm_line_clean(l, qm_node_text(target), " ");
  else qm_line_clean(l, qm_node_text(qm_node_get(field, "value")), " ");
}

/* ", check phone" */
static void put_check(const qm_ctx *c, qm_line *l, const qm_node *check) {
  const qm_node *named = qm_node_get(check, "name");
  if (!check) return;
  qm_line_add(l, ", ");
  qm_line_format(l, QM_SAY(c, WORD_CHECK), qm_node_string(named ? named : check));
}

static int print_collection(qm_ctx *c, const qm_node *collection) {
  const qm_node *fields = qm_node_get(collection, "fields"), *key = qm_node_get(collection, "key");
  qm_line l = QM_LINE_INIT;
  qm_table table;
  qm_line_add(&l, "\n");
  qm_verb_titled(c, &l, collection);
  qm_line_add(&l, "\n");
  int exit_code = qm_verb_print(c, &l);
  qm_table_init(&table, 5);
  qm_table_text(&table, QM_SAY(c, WORD_FIELD));
  qm_table_text(&table, QM_SAY(c, WORD_LABEL));
  qm_table_text(&table, QM_SAY(c, WORD_TYPE));
  qm_table_text(&table, QM_SAY(c, WORD_VALUES));
  qm_table_text(&table, QM_SAY(c, WORD_CLASS));
  for (const qm_node *f = fields ? fields->child : NULL; f; f = f->next) {
    qm_line_clear(&l);
    put_values(&l, f);
    qm_table_cell(&table, qm_verb_name(f));
    qm_table_cell(&table, qm_verb_label(c, f));
    qm_table_cell(&table, qm_node_text(qm_node_get(f, "type")));
    qm_table_cell(&table, qm_line_slice(&l));
    qm_line_clear(&l);
    qm_line_clean(&l, qm_node_text(qm_node_get(f, "class")), " ");
    if (key && qm_node_is(key, qm_node_string(qm_node_get(f, "name"))))
      qm_line_format(&l, ", %s", QM_SAY(c, WORD_KEY));
    put_check(c, &l, qm_node_get(f, "check"));
    qm_table_cell(&table, qm_line_slice(&l));
  }
  if (!exit_code) exit_code = qm_verb_print_table(c, &table);
  qm_table_free(&table);
  qm_line_free(&l);
  return exit_code;
}

static int print_schema(qm_ctx *c) {
  const qm_node *collections, *version;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (exit_code) return exit_code;
  if (c->cli.json) {
    qm_line l = QM_LINE_INIT;
    qm_line_compact(&l, c->schema.root->text);
    qm_line_add(&l, "\n");
    return qm_verb_print(c, &l);
  }
  version = qm_node_get(c->schema.root, "version");
  qm_cli_print(&c->cli, stdout, QM_SAY_SCHEMA_HEAD,
               qm_node_string(qm_node_get(c->schema.root, "schema")),
               version ? (const char *)version->text.p : "?");
  collections = qm_node_get(c->schema.root, "collections");
  for (const qm_node *n = collections ? collections->child : NULL; n && !exit_code; n = n->next)
    exit_code = print_collection(c, n);
  return exit_code;
}

int qm_verb_schema_show(qm_ctx *c) {
  qm_line schema = QM_LINE_INIT, name = QM_LINE_INIT;
  if (c->n_args == 0) return print_schema(c);
  if (strcmp(c->args[0], "check") == 0) return qm_verb_schema_check(c);
  if (strcmp(c->args[0], "diff") == 0) return qm_verb_schema_diff(c);
  if (strcmp(c->args[0], "pack") == 0) return qm_verb_schema_pack(c);
  if (c->n_args > 1) return qm_help_many(c);
  int exit_code = qm_verb_read_file(c, c->args[0], &schema);
  if (!exit_code) exit_code = qm_verb_open(c, test_data(c));
  if (!exit_code) exit_code = create_space(c, qm_line_slice(&schema), &name);
  if (!exit_code) exit_code = report_space(c, &name);
  qm_line_free(&schema);
  qm_line_free(&name);
  return exit_code;
}
