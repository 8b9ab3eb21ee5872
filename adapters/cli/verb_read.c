/* verb_read.c: records as cards and tables, and their history. */
#include <string.h>

#include "adapters/cli/verb_query.h"

#define PAGE 500u
#define LIST_FIELDS 6u /* shown where nobody said which */
#define ID_SHOWN_MIN 6u

/* ---- get ---- */

static const qm_node *field_of(const qm_node *collection, qm_slice name) {
  const qm_node *all = qm_node_get(collection, "fields");
  for (const qm_node *f = all ? all->child : NULL; f; f = f->next) {
    qm_slice own = qm_verb_name(f);
    if (own.n == name.n && memcmp(own.p, name.p, name.n) == 0) return f;
  }
  return NULL;
}

/* Columns of the widest field title, with the room before it. */
static size_t title_width(const qm_ctx *c, const qm_node *collection, const qm_node *fields) {
  size_t widest = 0;
  for (const qm_node *v = fields ? fields->child : NULL; v; v = v->next) {
    qm_line l = QM_LINE_INIT;
    const qm_node *f = field_of(collection, v->key);
    if (f) qm_verb_titled(c, &l, f);
    size_t n = qm_columns(qm_line_slice(&l));
    if (n > widest) widest = n;
    qm_line_free(&l);
  }
  return widest + 4;
}

static void put_indent(qm_line *l, size_t n) {
  while (n--) qm_line_add(l, " ");
}

/* A value that may have several lines: those after the first stand below it. */
static void put_block(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value,
                      size_t indent) {
  qm_line newline = QM_LINE_INIT;
  qm_line_add(&newline, "\n");
  put_indent(&newline, indent);
  qm_verb_value(c, l, field, value, qm_line_text(&newline));
  qm_line_free(&newline);
}

static void put_stamp(const qm_ctx *c, qm_line *l, const qm_node *who) {
  qm_line_add(l, "  — ");
  qm_verb_stamp(c, l, who);
}

static void put_entries(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value,
                        size_t indent) {
  for (const qm_node *n = value->child; n; n = n->next) {
    if (n != value->child) put_indent(l, indent);
    put_block(c, l, field, qm_node_get(n, "value"), indent);
    put_stamp(c, l, n);
    qm_line_add(l, "\n");
  }
}

/* Each element with its place: insert, replace and remove name it so. */
static void put_elements(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value,
                         size_t indent) {
  unsigned long place = 0;
  for (const qm_node *n = value->child; n; n = n->next) {
    if (n != value->child) put_indent(l, indent);
    qm_line_format(l, "%lu  ", ++place);
    put_block(c, l, field, n, indent + 3);
    qm_line_add(l, "\n");
  }
}

static void put_siblings(const qm_ctx *c, qm_line *l, const qm_node *field,
                         const qm_node *conflicts, size_t indent) {
  for (const qm_node *n = conflicts ? conflicts->child : NULL; n; n = n->next) {
    const qm_node *class_name = qm_node_get(n, "class");
    put_indent(l, indent - 2);
    qm_line_add(l, c->cli.color ? "\033[33m! " : "! ");
    put_block(c, l, field, qm_node_get(n, "value"), indent);
    put_stamp(c, l, n);
    if (qm_node_is(class_name, "unread")) qm_line_format(l, " (%s)", QM_SAY(c, CLASS_UNREAD));
    if (qm_node_is(class_name, "contradict"))
      qm_line_format(l, " (%s)", QM_SAY(c, CLASS_CONTRADICT));
    if (qm_node_is(class_name, "merge")) qm_line_format(l, " (%s)", QM_SAY(c, CLASS_MERGE));
    qm_line_add(l, c->cli.color ? "\033[0m\n" : "\n");
  }
}

/* Does the value wait for somebody who may confirm it? */
static int is_proposed(const qm_node *record, const qm_node *field) {
  const qm_node *all = qm_node_get(record, "proposed");
  const char *name = qm_node_string(qm_node_get(field, "name"));
  for (const qm_node *n = all ? all->child : NULL; n; n = n->next)
    if (qm_node_is(n, name)) return 1;
  return 0;
}

static void put_field(const qm_ctx *c, qm_line *l, const qm_node *record, const qm_node *field,
                      const qm_node *value, size_t indent) {
  const qm_node *conflicts = qm_node_get(qm_node_get(record, "conflicts"),
                                         qm_node_string(qm_node_get(field, "name")));
  size_t from = l->n;
  qm_line_add(l, "  ");
  qm_verb_titled(c, l, field);
  qm_pad(l, from, indent);
  if (qm_node_is(qm_node_get(field, "type"), "log") && value->type == QM_NODE_ARRAY) {
    put_entries(c, l, field, value, indent);
    return;
  }
  if (qm_node_is(qm_node_get(field, "type"), "list") && value->type == QM_NODE_ARRAY) {
    put_elements(c, l, field, value, indent);
    return;
  }
  put_block(c, l, field, value, indent);
  if (is_proposed(record, field)) qm_line_format(l, " %s", QM_SAY(c, CARD_PROPOSED));
  if (conflicts)
    put_stamp(c, l, qm_node_get(qm_node_get(record, "shown"),
                                qm_node_string(qm_node_get(field, "name"))));
  qm_line_add(l, "\n");
  put_siblings(c, l, field, conflicts, indent);
}

/* A conflict on a field that shows nothing has no line of its own otherwise. */
static void put_cleared(const qm_ctx *c, qm_line *l, const qm_node *record,
                        const qm_node *collection, size_t indent) {
  static const qm_node null_value = {.type = QM_NODE_NULL};
  const qm_node *fields = qm_node_get(record, "fields"), *all = qm_node_get(record, "conflicts");
  for (const qm_node *n = all ? all->child : NULL; n; n = n->next) {
    const qm_node *f = field_of(collection, n->key);
    if (f && !qm_node_get(fields, (const char *)n->key.p))
      put_field(c, l, record, f, &null_value, indent);
  }
}

/* What has something that may not be shown. */
static void put_hidden(const qm_ctx *c, qm_line *l, const qm_node *record,
                       const qm_node *collection, size_t indent) {
  const qm_node *all = qm_node_get(record, "hidden");
  for (const qm_node *n = all ? all->child : NULL; n; n = n->next) {
    const qm_node *f = field_of(collection, n->text);
    size_t from = l->n;
    if (!f) continue;
    qm_line_add(l, "  ");
    qm_verb_titled(c, l, f);
    qm_pad(l, from, indent);
    qm_line_format(l, "%s\n", QM_SAY(c, CARD_HIDDEN));
  }
}

/* The ids of the other records that are shown here as one with it. */
static void put_merged(const qm_ctx *c, qm_line *l, const qm_node *merged) {
  for (const qm_node *n = merged ? merged->child : NULL; n; n = n->next)
    qm_line_format(l, QM_SAY(c, CARD_MERGED), qm_node_string(n));
}

static void put_card(const qm_ctx *c, qm_line *l, const qm_node *record,
                     const qm_node *collection) {
  const qm_node *fields = qm_node_get(record, "fields"), *visible = qm_node_get(record, "visible");
  size_t indent = title_width(c, collection, fields);
  size_t more = title_width(c, collection, qm_node_get(record, "conflicts"));
  if (more > indent) indent = more;
  if (c->cli.color) qm_line_add(l, "\033[1m");
  qm_verb_titled(c, l, collection);
  qm_line_format(l, " %s", qm_node_string(qm_node_get(record, "id")));
  if (visible && visible->type == QM_NODE_FALSE)
    qm_line_format(l, " %s", QM_SAY(c, CARD_DELETED));
  qm_line_add(l, c->cli.color ? "\033[0m\n" : "\n");
  put_merged(c, l, qm_node_get(record, "merged"));
  for (const qm_node *v = fields ? fields->child : NULL; v; v = v->next) {
    const qm_node *f = field_of(collection, v->key);
    if (f) put_field(c, l, record, f, v, indent);
  }
  put_cleared(c, l, record, collection, indent);
  put_hidden(c, l, record, collection, indent);
}

static void print_hints(const qm_ctx *c, const qm_node *record, const qm_node *collection) {
  const qm_node *conflicts = qm_node_get(record, "conflicts");
  const qm_node *unknown = qm_node_get(record, "unknown");
  const char *program = c->cli.program;
  if (conflicts && conflicts->child)
    qm_cli_print(&c->cli, stdout, QM_SAY_CARD_CONFLICTS, program,
                 qm_node_string(qm_node_get(collection, "name")),
                 qm_node_string(qm_node_get(record, "id")),
                 (const char *)conflicts->child->key.p);
  if (qm_node_get(record, "merged"))
    qm_cli_print(&c->cli, stdout, QM_SAY_CARD_MERGED_HINT, program,
                 qm_node_string(qm_node_get(collection, "name")));
  if (qm_node_true(qm_node_get(record, "collision")))
    qm_cli_print(&c->cli, stdout, QM_SAY_CARD_COLLISION, program, program);
  if (unknown && unknown->type == QM_NODE_NUMBER)
    qm_cli_print(&c->cli, stdout, QM_SAY_CARD_UNKNOWN, (const char *)unknown->text.p);
}

/* Opens the database for reading and finds the collection that the first argument names. */
static int prepare(qm_ctx *c, const qm_node **collection) {
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, c->args[0], collection);
  return exit_code;
}

static uint32_t deleted(const qm_ctx *c) { return c->values[QM_OPT_DELETED] ? QM_DELETED : 0; }

int qm_verb_get(qm_ctx *c) {
  const qm_node *collection;
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_line l = QM_LINE_INIT;
  int exit_code = prepare(c, &collection);
  if (exit_code) return exit_code;
  if (qm_get(c->db, qm_verb_space(c), qm_verb_name(collection), qm_str(c->args[1]),
             QM_DETAIL | deleted(c), &text, &e) != QM_OK)
    return qm_verb_record_failed(c, &e, collection);
  if (c->cli.json) exit_code = qm_verb_print_lines(&text);
  else exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  if (!exit_code && !c->cli.json) {
    put_card(c, &l, t.root, collection);
    exit_code = qm_verb_print(c, &l);
    if (!exit_code)
      exit_code =
          qm_verb_files(c, qm_verb_name(collection), qm_node_text(qm_node_get(t.root, "id")));
    if (!exit_code) print_hints(c, t.root, collection);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* ---- list ---- */

typedef struct listing {
  const qm_node *collection;
  const qm_node *fields[QM_TABLE_COLUMNS_MAX];
  size_t n_fields;
  uint64_t left; /* how many more may be shown */
  uint64_t count, conflicts;
  int more; /* there are some that were not shown */
  size_t id_shown;
  qm_line after; /* id of the last row */
} listing;

static int is_chosen(const listing *g, const qm_node *field) {
  for (size_t i = 0; i < g->n_fields; i++)
    if (g->fields[i] == field) return 1;
  return 0;
}

static void choose(listing *g, const qm_node *field, size_t most) {
  if (g->n_fields < most && !is_chosen(g, field)) g->fields[g->n_fields++] = field;
}

/* The natural key, the naming fields, and then the first ones. */
static void choose_fields(listing *g) {
  const qm_node *all = qm_node_get(g->collection, "fields");
  const qm_node *key = qm_node_get(g->collection, "key");
  for (const qm_node *f = all ? all->child : NULL; f; f = f->next)
    if (key && qm_node_is(key, qm_node_string(qm_node_get(f, "name")))) choose(g, f, LIST_FIELDS);
  for (const qm_node *f = all ? all->child : NULL; f; f = f->next)
    if (qm_node_true(qm_node_get(f, "naming"))) choose(g, f, LIST_FIELDS);
  for (const qm_node *f = all ? all->child : NULL; f; f = f->next) choose(g, f, LIST_FIELDS);
}

static int named_fields(qm_ctx *c, listing *g, const char *names) {
  const qm_node *field;
  while (*names) {
    size_t n = strcspn(names, ",");
    int exit_code = n ? qm_verb_field(c, g->collection, qm_slice_of(names, n), &field) : 0;
    if (exit_code) return exit_code;
    if (n && g->n_fields == QM_TABLE_COLUMNS_MAX - 1)
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_FIELDS, (int)QM_TABLE_COLUMNS_MAX - 1);
    if (n) choose(g, field, QM_TABLE_COLUMNS_MAX - 1);
    names += n + (names[n] == ',');
  }
  if (!g->n_fields) choose_fields(g);
  return QM_EXIT_DONE;
}

/* So many characters of an id that no two rows show the same: ids ascend. */
static void widen_ids(listing *g, const char *id) {
  const char *last = qm_line_text(&g->after);
  size_t same = 0;
  while (last[same] && last[same] == id[same]) same++;
  if (same + 1 > g->id_shown) g->id_shown = same + 1;
}

static void put_row(qm_ctx *c, listing *g, qm_table *table, const qm_node *record) {
  const qm_node *fields = qm_node_get(record, "fields");
  const qm_node *conflicts = qm_node_get(record, "conflicts");
  const qm_node *visible = qm_node_get(record, "visible");
  qm_line l = QM_LINE_INIT;
  qm_table_cell(table, qm_node_text(qm_node_get(record, "id")));
  for (size_t i = 0; i < g->n_fields; i++) {
    const char *name = qm_node_string(qm_node_get(g->fields[i], "name"));
    qm_line_clear(&l);
    if (i == 0 && visible && visible->type == QM_NODE_FALSE)
      qm_line_format(&l, "%s ", QM_SAY(c, CARD_DELETED));
    if (qm_node_get(conflicts, name)) qm_line_add(&l, "! ");
    if (is_proposed(record, g->fields[i])) qm_line_add(&l, "? ");
    if (qm_node_is(qm_node_get(g->fields[i], "type"), "ref"))
      qm_line_format(&l, "%.8s", qm_node_string(qm_node_get(fields, name)));
    else qm_verb_value(c, &l, g->fields[i], qm_node_get(fields, name), " ");
    qm_table_cell(table, qm_line_slice(&l));
  }
  if (conflicts && conflicts->child) g->conflicts++;
  qm_line_free(&l);
}

/* One page into the table, or onto stdout under --json. *n: lines. */
static int show_page(qm_ctx *c, listing *g, qm_table *table, qm_slice rest, uint64_t *n) {
  qm_tree t = QM_TREE_INIT;
  qm_slice line;
  int exit_code = QM_EXIT_DONE;
  *n = 0;
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    ++*n;
    if (g->left == 0) {
      g->more = 1;
      break;
    }
    g->left--;
    g->count++;
    const char *id = qm_node_string(qm_node_get(t.root, "id"));
    widen_ids(g, id);
    qm_line_clear(&g->after);
    qm_line_add(&g->after, id);
    if (c->cli.json) printf("%.*s\n", (int)line.n, (const char *)line.p);
    else put_row(c, g, table, t.root);
  }
  qm_tree_free(&t);
  return exit_code;
}

static int show_all(qm_ctx *c, listing *g, qm_table *table) {
  uint64_t n = 1;
  int exit_code = QM_EXIT_DONE;
  while (!exit_code && n && !g->more) {
    qm_text text = {0};
    qm_error e = {0};
    uint32_t page = g->left < PAGE ? (uint32_t)g->left + 1 : PAGE;
    if (qm_list(c->db, qm_verb_space(c), qm_verb_name(g->collection), qm_line_slice(&g->after),
                page, deleted(c), &text, &e) != QM_OK)
      return qm_verb_failed(c, &e);
    exit_code = show_page(c, g, table, qm_slice_of(text.p, text.n), &n);
    qm_text_free(&text);
  }
  return exit_code;
}

/* Ids were kept whole until it was known how much of them tells them apart. */
static void shorten_ids(const listing *g, qm_table *table) {
  for (size_t i = table->columns; i < table->cells; i += table->columns)
    if (strlen(table->cell[i]) > g->id_shown) table->cell[i][g->id_shown] = '\0';
}

/* What --where, --sort and --page choose: any order, so ids are not compared to shorten them. */
static int show_chosen(qm_ctx *c, listing *g, qm_table *table, const qm_chosen *chosen) {
  qm_slice rest = qm_line_slice(&chosen->ids), id;
  int exit_code = QM_EXIT_DONE;
  uint64_t n;
  g->id_shown = 8;
  while (!exit_code && qm_next_line(&rest, &id)) {
    qm_text text = {0};
    qm_error e = {0};
    int rc = qm_get(c->db, qm_verb_space(c), qm_verb_name(g->collection), id, 0, &text, &e);
    if (rc == QM_EINVISIBLE || rc == QM_ENOTFOUND) continue; /* deleted meanwhile */
    if (rc != QM_OK) return qm_verb_failed(c, &e);
    qm_line_clear(&g->after);
    exit_code = show_page(c, g, table, qm_slice_of(text.p, text.n), &n);
    qm_text_free(&text);
  }
  return exit_code;
}

static int is_choosing(const qm_ctx *c) {
  return c->values[QM_OPT_WHERE] || c->values[QM_OPT_SORT] || c->values[QM_OPT_PAGE];
}

static void print_page(qm_ctx *c, const listing *g, const qm_paging *p, int64_t count) {
  const char *collection = qm_node_string(qm_node_get(g->collection, "name"));
  qm_line rest = QM_LINE_INIT;
  char page[24], pages[24], records[24];
  if (g->conflicts)
    qm_line_format(&rest, QM_SAY(c, LIST_CONFLICTS), c->cli.program, collection);
  snprintf(page, sizeof page, "%lld", (long long)p->page);
  snprintf(pages, sizeof pages, "%lld", (long long)((count + p->rows - 1) / p->rows));
  snprintf(records, sizeof records, "%lld", (long long)count);
  qm_cli_note(&c->cli, QM_SAY_LIST_PAGE, page, pages, records, qm_line_text(&rest));
  qm_line_free(&rest);
}

static int print_chosen(qm_ctx *c, listing *g, qm_table *table) {
  qm_chosen chosen = {QM_LINE_INIT, 0};
  qm_paging p;
  int exit_code = qm_verb_page(c, &p);
  if (!exit_code && c->values[QM_OPT_DELETED])
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_DELETED_WHERE);
  if (!exit_code) exit_code = qm_verb_choose(c, g->collection, &p, &chosen);
  g->left = UINT64_MAX;
  if (!exit_code) exit_code = show_chosen(c, g, table, &chosen);
  if (!exit_code && !c->cli.json && g->count == 0)
    qm_cli_note(&c->cli, QM_SAY_LIST_NONE_WHERE,
                qm_node_string(qm_node_get(g->collection, "name")));
  else if (!exit_code && !c->cli.json) {
    shorten_ids(g, table);
    exit_code = qm_verb_print_table(c, table);
    if (!exit_code) print_page(c, g, &p, chosen.count);
  }
  qm_line_free(&chosen.ids);
  return exit_code;
}

static void print_count(qm_ctx *c, const listing *g) {
  const char *collection = qm_node_string(qm_node_get(g->collection, "name"));
  qm_line rest = QM_LINE_INIT;
  char number[24];
  if (g->more) qm_line_add(&rest, QM_SAY(c, LIST_MORE));
  if (g->conflicts)
    qm_line_format(&rest, QM_SAY(c, LIST_CONFLICTS), c->cli.program, collection);
  snprintf(number, sizeof number, "%llu", (unsigned long long)g->count);
  if (g->count == 1) qm_cli_note(&c->cli, QM_SAY_LIST_ONE, qm_line_text(&rest));
  else qm_cli_note(&c->cli, QM_SAY_LIST_COUNT, number, qm_line_text(&rest));
  qm_line_free(&rest);
}

static int print_list(qm_ctx *c, listing *g) {
  qm_table table;
  qm_table_init(&table, g->n_fields + 1);
  qm_table_text(&table, QM_SAY(c, WORD_ID));
  for (size_t i = 0; i < g->n_fields; i++) {
    const qm_node *type = qm_node_get(g->fields[i], "type");
    const qm_node *value = qm_node_get(g->fields[i], "value");
    table.numeric[i + 1] = qm_node_is(type, "counter") || qm_node_is(value, "int") ||
                           qm_node_is(value, "number");
    qm_table_cell(&table, c->cli.lang == QM_LANG_ZH ? qm_verb_label(c, g->fields[i])
                                                    : qm_verb_name(g->fields[i]));
  }
  if (is_choosing(c)) {
    int chosen = print_chosen(c, g, &table);
    qm_table_free(&table);
    return chosen;
  }
  int exit_code = show_all(c, g, &table);
  if (!exit_code && !c->cli.json && g->count == 0) {
    qm_cli_note(&c->cli, QM_SAY_LIST_NONE, qm_node_string(qm_node_get(g->collection, "name")));
  } else if (!exit_code && !c->cli.json) {
    shorten_ids(g, &table);
    exit_code = qm_verb_print_table(c, &table);
    if (!exit_code) print_count(c, g);
  }
  qm_table_free(&table);
  return exit_code;
}

int qm_verb_list(qm_ctx *c) {
  const char *limit = c->values[QM_OPT_LIMIT], *names = c->values[QM_OPT_FIELDS];
  if (!names) names = c->values[QM_OPT_COLUMNS];
  listing g = {.left = UINT64_MAX, .id_shown = ID_SHOWN_MIN, .after = QM_LINE_INIT};
  int64_t most;
  if (limit) {
    if (qm_cli_number(limit, 1, INT64_MAX, &most) != 0)
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_LIMIT);
    g.left = (uint64_t)most;
  }
  int exit_code = prepare(c, &g.collection);
  if (!exit_code) exit_code = named_fields(c, &g, names ? names : "");
  if (!exit_code) exit_code = print_list(c, &g);
  qm_line_free(&g.after);
  return exit_code;
}

/* ---- log ---- */

static const char *op_word(const qm_ctx *c, const qm_node *op) {
  static const struct {
    const char *op;
    qm_say_id say;
  } words[] = {{"new", QM_SAY_OP_NEW},         {"delete", QM_SAY_OP_DELETE},
               {"restore", QM_SAY_OP_RESTORE}, {"set", QM_SAY_OP_SET},
               {"raise", QM_SAY_OP_RAISE},     {"add", QM_SAY_OP_ADD},
               {"remove", QM_SAY_OP_REMOVE},   {"inc", QM_SAY_OP_INC},
               {"append", QM_SAY_OP_APPEND},   {"insert", QM_SAY_OP_INSERT},
               {"cut", QM_SAY_OP_CUT},         {"merge", QM_SAY_OP_MERGE},
               {"unmerge", QM_SAY_OP_UNMERGE}, {"unlink", QM_SAY_OP_UNLINK},
               {"distinct", QM_SAY_OP_DISTINCT}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (qm_node_is(op, words[i].op)) return qm_say(c->cli.lang, words[i].say);
  return qm_node_string(op);
}

void qm_verb_effect(const qm_ctx *c, qm_table *table, const qm_node *collection,
                    const qm_node *effect) {
  const qm_node *field = field_of(collection, qm_node_text(qm_node_get(effect, "field")));
  const qm_node *count = qm_node_get(effect, "count");
  qm_line l = QM_LINE_INIT;
  qm_table_cell(table, qm_node_text(qm_node_get(effect, "field")));
  qm_table_text(table, op_word(c, qm_node_get(effect, "op")));
  int of_list = qm_node_is(qm_node_get(field, "type"), "list");
  if (count && count->type == QM_NODE_NUMBER)
    qm_line_format(&l, of_list ? QM_SAY(c, WORD_ELEMENTS) : QM_SAY(c, WORD_CHARACTERS),
                   (const char *)count->text.p);
  else qm_verb_value(c, &l, field, qm_node_get(effect, "value"), " ");
  qm_table_cell(table, qm_line_slice(&l));
  qm_line_free(&l);
}

/* An effect of another field is left out. */
static int is_wanted(const qm_node *field, const qm_node *effect) {
  return !field ||
         qm_node_is(qm_node_get(effect, "field"), qm_node_string(qm_node_get(field, "name")));
}

/* What stood there before, behind the value. */
static void put_before(const qm_ctx *c, qm_table *table, const qm_node *collection,
                       const qm_node *effect) {
  const qm_node *before = qm_node_get(effect, "from");
  qm_line l = QM_LINE_INIT;
  if (before)
    qm_verb_value(c, &l, field_of(collection, qm_node_text(qm_node_get(effect, "field"))), before,
                  " ");
  if (qm_node_true(qm_node_get(effect, "concurrent")))
    qm_line_format(&l, "%s%s", l.n ? " " : "", QM_SAY(c, LOG_CONCURRENT));
  qm_table_cell(table, qm_line_slice(&l));
  qm_line_free(&l);
}

static void put_history(qm_ctx *c, qm_table *table, const qm_node *collection,
                        const qm_node *effect) {
  qm_line l = QM_LINE_INIT;
  qm_verb_time(&l, qm_node_get(effect, "time"), "?");
  qm_verb_clock(c, &l, effect);
  qm_table_cell(table, qm_line_slice(&l));
  qm_line_clear(&l);
  qm_verb_who(c, &l, effect);
  qm_table_cell(table, qm_line_slice(&l));
  qm_verb_effect(c, table, collection, effect);
  put_before(c, table, collection, effect);
  qm_table_text(table, qm_node_true(qm_node_get(effect, "acknowledged")) ? QM_SAY(c, WORD_YES)
                                                                         : QM_SAY(c, WORD_NOT_YET));
  qm_line_free(&l);
}

static int print_history(qm_ctx *c, const qm_node *collection, const qm_node *field,
                         qm_slice rest) {
  static const qm_say_id heads[] = {QM_SAY_WORD_TIME,  QM_SAY_WORD_BY,     QM_SAY_WORD_FIELD,
                                    QM_SAY_WORD_WHAT,  QM_SAY_WORD_VALUE,  QM_SAY_WORD_BEFORE,
                                    QM_SAY_WORD_SENT};
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice line;
  int exit_code = QM_EXIT_DONE, older = 0;
  qm_table_init(&table, 7);
  for (size_t i = 0; i < 7; i++) qm_table_text(&table, qm_say(c->cli.lang, heads[i]));
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    int is_note = qm_node_get(t.root, "older") != NULL, shown = is_wanted(field, t.root);
    older |= is_note;
    if (c->cli.json && (is_note || shown)) printf("%.*s\n", (int)line.n, (const char *)line.p);
    else if (!is_note && shown) put_history(c, &table, collection, t.root);
  }
  if (!exit_code && !c->cli.json) exit_code = qm_verb_print_table(c, &table);
  if (!exit_code && !c->cli.json && older) qm_cli_note(&c->cli, QM_SAY_LOG_OLDER);
  qm_table_free(&table);
  qm_tree_free(&t);
  return exit_code;
}

int qm_verb_log(qm_ctx *c) {
  const qm_node *collection, *field = NULL;
  const char *name = c->values[QM_OPT_FIELD];
  qm_text text = {0};
  qm_error e = {0};
  int exit_code = prepare(c, &collection);
  if (!exit_code && name) exit_code = qm_verb_field(c, collection, qm_str(name), &field);
  if (exit_code) return exit_code;
  if (qm_history(c->db, qm_verb_space(c), qm_verb_name(collection), qm_str(c->args[1]), &text,
                 &e) != QM_OK)
    return qm_verb_record_failed(c, &e, collection);
  exit_code = print_history(c, collection, field, qm_slice_of(text.p, text.n));
  qm_text_free(&text);
  return exit_code;
}
