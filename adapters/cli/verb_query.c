/* verb_query.c: sql, search, rebuild. */
#include <string.h>

#include "adapters/cli/verb_query.h"

#define SQL_COLUMNS_MAX QM_TABLE_COLUMNS_MAX
#define PAGE_ROWS 20

/* ---- asking ---- */

int qm_verb_reopen(qm_ctx *c) {
  qm_close(c->db);
  c->db = NULL;
  return qm_verb_open(c, 0);
}

int qm_verb_ask(qm_ctx *c, qm_slice sql, qm_slice parameters, uint64_t ms, qm_text *out) {
  qm_error e = {0};
  int rc = qm_sql(c->db, sql, parameters, 0, ms, out, &e);
  if (rc == QM_ESTATE) {
    int exit_code = qm_verb_reopen(c);
    if (exit_code) return exit_code;
    rc = qm_sql(c->db, sql, parameters, 0, ms, out, &e);
  }
  return rc == QM_OK ? QM_EXIT_DONE : qm_verb_failed(c, &e);
}

/* ---- sql ---- */

/* RFC 4180: quotes where a comma, a quote or a line break stands. */
static void put_csv(qm_line *l, const qm_node *value) {
  qm_slice text = value->type == QM_NODE_NULL ? qm_slice_of(NULL, 0) : value->text;
  int quotes = 0;
  for (size_t i = 0; i < text.n; i++)
    quotes |= text.p[i] == ',' || text.p[i] == '"' || text.p[i] == '\n' || text.p[i] == '\r';
  if (value->type == QM_NODE_OBJECT) {
    text = qm_node_text(qm_node_get(value, "$bytes"));
    quotes = 0;
  }
  if (quotes) qm_line_add(l, "\"");
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '"') qm_line_add(l, "\"");
    qm_line_bytes(l, text.p + i, 1);
  }
  if (quotes) qm_line_add(l, "\"");
}

static int print_csv(qm_ctx *c, qm_slice rest) {
  qm_tree t = QM_TREE_INIT;
  qm_slice line;
  qm_line l = QM_LINE_INIT;
  int exit_code = QM_EXIT_DONE;
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code || qm_node_get(t.root, "rows")) break;
    const qm_node *columns = qm_node_get(t.root, "columns");
    const qm_node *list = columns ? columns : t.root;
    for (const qm_node *n = list->child; n; n = n->next) {
      if (n != list->child) qm_line_add(&l, ",");
      put_csv(&l, n);
    }
    qm_line_add(&l, "\r\n");
  }
  qm_tree_free(&t);
  if (!exit_code) return qm_verb_print(c, &l);
  qm_line_free(&l);
  return exit_code;
}

/* A cell of a value; numbers stand to the right where all of the column are numbers. */
static void put_cell(qm_ctx *c, qm_table *table, const qm_node *value, uint8_t *text, size_t at) {
  qm_line l = QM_LINE_INIT;
  if (value->type != QM_NODE_NUMBER && value->type != QM_NODE_NULL) text[at] = 1;
  if (value->type == QM_NODE_OBJECT)
    qm_line_format(&l, "x'%s'", qm_node_string(qm_node_get(value, "$bytes")));
  else if (value->type != QM_NODE_NULL)
    qm_verb_value(c, &l, NULL, value, " ");
  qm_table_cell(table, qm_line_slice(&l));
  qm_line_free(&l);
}

static size_t count_children(const qm_node *n) {
  size_t count = 0;
  for (n = n ? n->child : NULL; n; n = n->next) count++;
  return count;
}

static void print_rows(qm_ctx *c, const qm_node *end) {
  const qm_node *rows = qm_node_get(end, "rows");
  const char *n = rows ? (const char *)rows->text.p : "0";
  const char *more = qm_node_true(qm_node_get(end, "more")) ? QM_SAY(c, LIST_MORE) : "";
  if (strcmp(n, "1") == 0) qm_cli_note(&c->cli, QM_SAY_SQL_ROW, more);
  else qm_cli_note(&c->cli, QM_SAY_SQL_ROWS, n, more);
}

static int print_rows_of(qm_ctx *c, qm_table *table, qm_slice rest, qm_tree *t) {
  uint8_t text[SQL_COLUMNS_MAX] = {0};
  qm_slice line;
  int exit_code = QM_EXIT_DONE;
  while (!exit_code && qm_next_line(&rest, &line)) {
    size_t at = 0;
    exit_code = qm_verb_parse(c, t, line);
    if (exit_code || qm_node_get(t->root, "rows")) break;
    for (const qm_node *n = t->root->child; n; n = n->next) put_cell(c, table, n, text, at++);
  }
  for (size_t i = 0; i < table->columns; i++) table->numeric[i] = !text[i];
  if (!exit_code) exit_code = qm_verb_print_table(c, table);
  if (!exit_code) print_rows(c, t->root);
  return exit_code;
}

static int print_table(qm_ctx *c, qm_slice rest) {
  qm_tree t = QM_TREE_INIT;
  qm_slice line;
  qm_table table;
  if (!qm_next_line(&rest, &line)) return QM_EXIT_DONE;
  int exit_code = qm_verb_parse(c, &t, line);
  if (exit_code) return exit_code;
  const qm_node *columns = qm_node_get(t.root, "columns");
  size_t n = count_children(columns);
  if (n > SQL_COLUMNS_MAX) {
    qm_tree_free(&t);
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SQL_WIDE, (int)n);
  }
  qm_table_init(&table, n);
  for (const qm_node *x = columns->child; x; x = x->next) qm_table_cell(&table, x->text);
  exit_code = print_rows_of(c, &table, rest, &t);
  qm_table_free(&table);
  qm_tree_free(&t);
  return exit_code;
}

int qm_verb_sql(qm_ctx *c) {
  const char *seconds = c->values[QM_OPT_SECONDS];
  qm_text text = {0};
  int64_t s = 0;
  if (seconds && qm_cli_number(seconds, 1, 3600, &s) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_SECONDS);
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (!exit_code)
    exit_code = qm_verb_ask(c, qm_str(c->args[0]), qm_str(""), (uint64_t)s * 1000, &text);
  if (exit_code) return exit_code;
  qm_slice rest = qm_slice_of(text.p, text.n);
  if (c->cli.json) exit_code = qm_verb_print_lines(&text);
  else if (c->values[QM_OPT_CSV]) exit_code = print_csv(c, rest);
  else exit_code = print_table(c, rest);
  qm_text_free(&text);
  return exit_code;
}

/* ---- search ---- */

int qm_verb_page(qm_ctx *c, qm_paging *out) {
  const char *limit = c->values[QM_OPT_LIMIT], *page = c->values[QM_OPT_PAGE];
  out->page = 1;
  out->rows = PAGE_ROWS;
  if (limit && qm_cli_number(limit, 1, 1000000, &out->rows) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_LIMIT);
  if (page && qm_cli_number(page, 1, 1000000, &out->page) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_PAGE);
  return QM_EXIT_DONE;
}

static int print_hits(qm_ctx *c, qm_slice rest, const qm_paging *p) {
  static const qm_say_id heads[] = {QM_SAY_WORD_COLLECTION, QM_SAY_WORD_ID, QM_SAY_WORD_TITLE,
                                    QM_SAY_WORD_FOUND};
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice line;
  int64_t n = 0;
  int exit_code = QM_EXIT_DONE;
  qm_table_init(&table, 4);
  for (size_t i = 0; i < 4; i++) qm_table_text(&table, qm_say(c->cli.lang, heads[i]));
  for (; !exit_code && qm_next_line(&rest, &line); n++) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    qm_line title = QM_LINE_INIT;
    qm_line_clean(&title, qm_node_text(qm_node_get(t.root, "title")), " · ");
    qm_table_cell(&table, qm_node_text(qm_node_get(t.root, "collection")));
    qm_slice id = qm_node_text(qm_node_get(t.root, "id"));
    qm_table_cell(&table, qm_slice_of(id.p, id.n < 8 ? id.n : 8));
    qm_table_cell(&table, qm_line_slice(&title));
    qm_table_cell(&table, qm_node_text(qm_node_get(t.root, "snippet")));
    qm_line_free(&title);
  }
  if (!exit_code && n) exit_code = qm_verb_print_table(c, &table);
  if (!exit_code && !n) qm_cli_note(&c->cli, QM_SAY_SEARCH_NONE);
  if (!exit_code && n == p->rows) qm_cli_note(&c->cli, QM_SAY_SEARCH_MORE, (int)p->page + 1);
  qm_table_free(&table);
  qm_tree_free(&t);
  return exit_code;
}

/* All arguments together are what is looked for. */
static int search(qm_ctx *c, const qm_paging *p, const qm_line *text, qm_text *out, qm_error *e) {
  const char *collection = c->values[QM_OPT_COLLECTION];
  return qm_search(c->db, qm_verb_space(c), qm_str(collection ? collection : ""),
                   qm_line_slice(text), (uint32_t)(p->rows > 1000 ? 1000 : p->rows),
                   (uint32_t)((p->page - 1) * p->rows), out, e);
}

int qm_verb_search(qm_ctx *c) {
  qm_line text = QM_LINE_INIT;
  qm_text out = {0};
  qm_error e = {0};
  qm_paging p;
  for (int i = 0; i < c->n_args; i++) qm_line_format(&text, i ? " %s" : "%s", c->args[i]);
  int exit_code = qm_verb_page(c, &p);
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  int rc = exit_code ? QM_OK : search(c, &p, &text, &out, &e);
  if (rc == QM_ESTATE && (exit_code = qm_verb_reopen(c)) == QM_EXIT_DONE)
    rc = search(c, &p, &text, &out, &e);
  if (!exit_code && rc != QM_OK) exit_code = qm_verb_failed(c, &e);
  if (!exit_code)
    exit_code = c->cli.json ? qm_verb_print_lines(&out)
                            : print_hits(c, qm_slice_of(out.p, out.n), &p);
  qm_line_free(&text);
  qm_text_free(&out);
  return exit_code;
}

/* ---- rebuild ---- */

int qm_verb_rebuild(qm_ctx *c) {
  qm_error e = {0};
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  if (qm_rebuild(c->db, &e) != QM_OK) return qm_verb_failed(c, &e);
  if (c->cli.json) puts("{\"rebuilt\":true}");
  else qm_cli_print(&c->cli, stdout, QM_SAY_REBUILD_DONE);
  return QM_EXIT_DONE;
}
