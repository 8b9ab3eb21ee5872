/* verb_review.c: the list of conflicts, and which collection one of them is in. */
#include <string.h>

#include "adapters/cli/verb_reading.h"

#define PAGE_CONFLICTS 25
#define TABLE_COLUMNS 110u /* a narrower terminal gets a block for each conflict */

typedef struct listing {
  qm_table table;
  int several_spaces;
  int blocks; /* instead of the table */
  int shown; /* conflicts in the table */
  qm_line space; /* whose schema c->schema is */
  /* The first one: what the hint is about. */
  qm_line item, cls, number;
} listing;

static const qm_node *by_name(const qm_node *list, const qm_node *name) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (name && qm_node_is(name, qm_node_string(qm_node_get(n, "name")))) return n;
  return NULL;
}

const char *qm_verb_class_word(const qm_ctx *c, const qm_node *class_name) {
  static const struct {
    const char *name;
    qm_say_id say;
  } words[] = {{"sibling", QM_SAY_CLASS_SIBLING},
               {"unread", QM_SAY_CLASS_UNREAD},
               {"contradict", QM_SAY_CLASS_CONTRADICT},
               {"deleted", QM_SAY_CLASS_DELETED},
               {"same-key", QM_SAY_CLASS_SAME_KEY},
               {"merge", QM_SAY_CLASS_MERGE},
               {"unmerged", QM_SAY_CLASS_UNMERGED},
               {"clash", QM_SAY_CLASS_CLASH},
               {"overdrawn", QM_SAY_CLASS_OVERDRAWN}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (qm_node_is(class_name, words[i].name)) return qm_say(c->cli.lang, words[i].say);
  return qm_node_string(class_name);
}

/* The class of a conflict, and what a relation of the schema says of it. */
static void put_why(const qm_ctx *c, qm_line *l, const qm_node *n) {
  const qm_node *against = qm_node_get(n, "against"), *left = qm_node_get(n, "left");
  if (against) {
    qm_line_add(l, QM_SAY(c, CLASS_AGAINST));
    for (const qm_node *f = against->child; f; f = f->next) {
      qm_line_add(l, f == against->child ? " " : ", ");
      qm_line_clean(l, f->text, " ");
    }
    return;
  }
  qm_line_add(l, qm_verb_class_word(c, qm_node_get(n, "class")));
  if (qm_node_get(n, "clash")) {
    qm_line_add(l, ": ");
    qm_line_clean(l, qm_node_text(qm_node_get(n, "clash")), " ");
  }
  if (left && left->type == QM_NODE_NUMBER) {
    qm_line_add(l, ": ");
    qm_line_format(l, QM_SAY(c, CLASS_LEFT), (const char *)left->text.p);
  }
}

static const char *severity_word(const qm_ctx *c, const qm_node *severity) {
  if (qm_node_is(severity, "high")) return QM_SAY(c, SEVERITY_HIGH);
  return qm_node_is(severity, "low") ? QM_SAY(c, SEVERITY_LOW) : QM_SAY(c, SEVERITY_NORMAL);
}

int qm_verb_schema_of(qm_ctx *c, qm_line *held, qm_slice space) {
  qm_text text = {0};
  qm_error e = {0};
  if (qm_line_slice(held).n == space.n && space.n &&
      memcmp(qm_line_text(held), space.p, space.n) == 0)
    return QM_EXIT_DONE;
  qm_line_clear(held);
  qm_line_bytes(held, space.p, space.n);
  if (qm_schema_text(c->db, space, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  int exit_code = qm_verb_parse(c, &c->schema, qm_slice_of(text.p, text.n));
  qm_text_free(&text);
  return exit_code;
}

void qm_verb_place(const qm_ctx *c, qm_line *l, const qm_node *n, int with_space) {
  const qm_node *collection =
      by_name(qm_node_get(c->schema.root, "collections"), qm_node_get(n, "collection"));
  if (with_space) {
    qm_line_add(l, "[");
    qm_line_clean(l, qm_node_text(qm_node_get(n, "space_name")), " ");
    qm_line_add(l, "] ");
  }
  if (collection) qm_line_clean(l, qm_verb_label(c, collection), " ");
  qm_line_format(l, " %.6s", qm_node_string(qm_node_get(n, "id")));
  if (qm_node_text(qm_node_get(n, "title")).n) qm_line_add(l, " ");
  qm_line_clean(l, qm_node_text(qm_node_get(n, "title")), " ");
}

const qm_node *qm_verb_field_of(const qm_ctx *c, const qm_node *n) {
  const qm_node *collection =
      by_name(qm_node_get(c->schema.root, "collections"), qm_node_get(n, "collection"));
  return by_name(qm_node_get(collection, "fields"), qm_node_get(n, "field"));
}

/* Of a record that one deleted and another edited, the "values" are what they did. */
static void put_value(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *v) {
  const qm_node *value = qm_node_get(v, "value");
  if (!field && qm_node_is(value, "deleted")) qm_line_add(l, QM_SAY(c, OP_DELETE));
  else if (!field && qm_node_is(value, "new")) qm_line_add(l, QM_SAY(c, OP_NEW));
  else if (!field && qm_node_is(value, "edited")) qm_line_add(l, QM_SAY(c, OP_EDIT));
  else if (!field) qm_line_format(l, "%.6s", qm_node_string(value));
  else qm_verb_value(c, l, field, value, " ");
}

static void cell(qm_table *t, qm_line *l) {
  qm_table_cell(t, qm_line_slice(l));
  qm_line_clear(l);
}

/* Item, severity, record and field stand in the first line of a conflict alone. */
static void put_left(const qm_ctx *c, listing *r, const qm_node *n, int first, qm_line *l) {
  const qm_node *field = qm_verb_field_of(c, n);
  if (first) qm_line_format(l, "%.5s", qm_node_string(qm_node_get(n, "item")));
  cell(&r->table, l);
  if (first) qm_line_add(l, severity_word(c, qm_node_get(n, "severity")));
  cell(&r->table, l);
  if (first) qm_verb_place(c, l, n, r->several_spaces);
  cell(&r->table, l);
  if (first && field) qm_line_clean(l, qm_verb_label(c, field), " ");
  cell(&r->table, l);
}

static void put_row(const qm_ctx *c, listing *r, const qm_node *n, const qm_node *v, int number,
                    qm_line *l) {
  const qm_node *cls = qm_node_get(v, "class"), *of = qm_node_get(n, "class");
  int marked = qm_node_true(qm_node_get(v, "shown")) && !qm_node_is(cls, "same-key");
  put_left(c, r, n, number == 1, l);
  qm_line_format(l, "%d%s", number, marked ? "*" : "");
  cell(&r->table, l);
  put_value(c, l, qm_verb_field_of(c, n), v);
  cell(&r->table, l);
  if (qm_node_get(v, "device")) qm_verb_who(c, l, v);
  cell(&r->table, l);
  qm_verb_time(l, qm_node_get(v, "time"), "");
  cell(&r->table, l);
  if (number == 1) put_why(c, l, n);
  else if (!qm_node_is(cls, qm_node_string(of)) && !marked)
    qm_line_add(l, qm_verb_class_word(c, cls));
  qm_verb_clock(c, l, v);
  cell(&r->table, l);
}

/* Taken out beside a merge: there is nothing to choose from but what to do. */
static void put_choices(const qm_ctx *c, listing *r, const qm_node *n, qm_line *l) {
  for (int number = 1; number <= 2; number++) {
    put_left(c, r, n, number == 1, l);
    qm_line_format(l, "%d%s", number, number == 1 ? "*" : "");
    cell(&r->table, l);
    qm_line_add(l, number == 1 ? QM_SAY(c, MAKE_MERGED) : QM_SAY(c, MAKE_APART));
    cell(&r->table, l);
    cell(&r->table, l);
    cell(&r->table, l);
    if (number == 1) qm_line_add(l, qm_verb_class_word(c, qm_node_get(n, "class")));
    cell(&r->table, l);
  }
}

static void note_first(listing *r, const qm_node *n) {
  const qm_node *values = qm_node_get(n, "values");
  int number = 1, other = 1;
  if (r->shown++) return;
  qm_line_format(&r->item, "%.5s", qm_node_string(qm_node_get(n, "item")));
  qm_line_add(&r->cls, qm_node_get(n, "field") && qm_node_text(qm_node_get(n, "field")).n
                           ? "field"
                           : qm_node_string(qm_node_get(n, "class")));
  for (const qm_node *v = values ? values->child : NULL; v; v = v->next, number++)
    if (other == 1 && !qm_node_true(qm_node_get(v, "shown"))) other = number;
  qm_line_format(&r->number, "%d", other);
}

/* ---- a block for each, on a narrow terminal ---- */

static void put_block_head(const qm_ctx *c, const listing *r, const qm_node *n, qm_line *l) {
  const qm_node *field = qm_verb_field_of(c, n);
  if (r->shown > 1) qm_line_add(l, "\n");
  if (c->cli.color) qm_line_add(l, "\033[1m");
  qm_line_format(l, "%.5s  %s  ", qm_node_string(qm_node_get(n, "item")),
                 severity_word(c, qm_node_get(n, "severity")));
  qm_verb_place(c, l, n, r->several_spaces);
  if (field) {
    qm_line_add(l, " · ");
    qm_line_clean(l, qm_verb_label(c, field), " ");
  }
  qm_line why = QM_LINE_INIT;
  put_why(c, &why, n);
  qm_line_format(l, QM_SAY(c, CONFLICT_CLASS), qm_line_text(&why));
  qm_line_free(&why);
  qm_line_add(l, c->cli.color ? "\033[0m\n" : "\n");
}

static size_t widest_value(const qm_ctx *c, const qm_node *n) {
  const qm_node *values = qm_node_get(n, "values");
  size_t widest = 0;
  for (const qm_node *v = values ? values->child : NULL; v; v = v->next) {
    qm_line l = QM_LINE_INIT;
    put_value(c, &l, qm_verb_field_of(c, n), v);
    size_t columns = qm_columns(qm_line_slice(&l));
    qm_line_free(&l);
    if (columns > widest) widest = columns;
  }
  return widest < QM_TABLE_CELL_MAX ? widest : QM_TABLE_CELL_MAX;
}

static void put_block_value(const qm_ctx *c, const qm_node *n, const qm_node *v, int number,
                            size_t widest, qm_line *l) {
  const qm_node *cls = qm_node_get(v, "class");
  int marked = qm_node_true(qm_node_get(v, "shown")) && !qm_node_is(cls, "same-key");
  qm_line value = QM_LINE_INIT;
  qm_line_format(l, "%6d%s  ", number, marked ? "*" : " ");
  size_t from = l->n;
  put_value(c, &value, qm_verb_field_of(c, n), v);
  qm_line_cut(l, qm_line_slice(&value), widest);
  if (qm_node_get(v, "device")) {
    qm_pad(l, from, widest + 2);
    qm_verb_stamp(c, l, v);
  }
  if (!marked && !qm_node_is(cls, qm_node_string(qm_node_get(n, "class"))))
    qm_line_format(l, " (%s)", qm_verb_class_word(c, cls));
  qm_line_add(l, "\n");
  qm_line_free(&value);
}

static int print_block(qm_ctx *c, const listing *r, const qm_node *n) {
  const qm_node *values = qm_node_get(n, "values");
  size_t widest = widest_value(c, n);
  qm_line l = QM_LINE_INIT;
  int number = 1;
  put_block_head(c, r, n, &l);
  if (qm_node_is(qm_node_get(n, "class"), "unmerged"))
    qm_line_format(&l, "     1*  %s\n     2   %s\n", QM_SAY(c, MAKE_MERGED),
                   QM_SAY(c, MAKE_APART));
  else
    for (const qm_node *v = values ? values->child : NULL; v; v = v->next)
      put_block_value(c, n, v, number++, widest, &l);
  return qm_verb_print(c, &l);
}

/* ---- all of them ---- */

static int add_conflict(qm_ctx *c, listing *r, const qm_node *n) {
  const qm_node *values = qm_node_get(n, "values");
  qm_line l = QM_LINE_INIT;
  int number = 1;
  int exit_code = qm_verb_schema_of(c, &r->space, qm_node_text(qm_node_get(n, "space")));
  if (exit_code) return exit_code;
  note_first(r, n);
  if (r->blocks) return print_block(c, r, n);
  if (qm_node_is(qm_node_get(n, "class"), "unmerged")) put_choices(c, r, n, &l);
  else
    for (const qm_node *v = values ? values->child : NULL; v; v = v->next)
      put_row(c, r, n, v, number++, &l);
  qm_line_free(&l);
  return exit_code;
}

static const char *count_of(const qm_node *n, const char *name) {
  const qm_node *v = qm_node_get(n, name);
  return v && v->type == QM_NODE_NUMBER ? (const char *)v->text.p : "0";
}

void qm_verb_severities(const qm_ctx *c, qm_line *l, const qm_node *counts) {
  static const char *const names[] = {"high", "normal", "low"};
  static const qm_say_id says[] = {QM_SAY_SEVERITY_HIGH, QM_SAY_SEVERITY_NORMAL,
                                   QM_SAY_SEVERITY_LOW};
  for (size_t i = 0; i < 3; i++) {
    const char *n = count_of(counts, names[i]);
    if (strcmp(n, "0") == 0) continue;
    if (l->n) qm_line_add(l, c->cli.lang == QM_LANG_ZH ? "，" : ", ");
    qm_line_format(l, "%s %s", qm_say(c->cli.lang, says[i]), n);
  }
}

static void print_hint(const qm_ctx *c, const listing *r) {
  const char *program = c->cli.program, *cls = qm_line_text(&r->cls);
  if (strcmp(cls, "field") == 0)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT, program, qm_line_text(&r->item),
                 qm_line_text(&r->number));
  else if (strcmp(cls, "same-key") == 0)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT_KEY, program, program);
  else
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT_TAKE, program, qm_line_text(&r->item),
                 "1");
}

static int print_end(qm_ctx *c, listing *r, const qm_node *end, int64_t page) {
  const char *n = count_of(end, "conflicts");
  qm_line by = QM_LINE_INIT;
  int exit_code = QM_EXIT_DONE;
  if (r->shown && !r->blocks) exit_code = qm_verb_print_table(c, &r->table);
  if (exit_code) return exit_code;
  if (strcmp(n, "0") == 0) {
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_NONE);
    return exit_code;
  }
  qm_verb_severities(c, &by, end);
  if (strcmp(n, "1") == 0)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_ONE, qm_line_text(&by));
  else
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_COUNT, n, qm_line_text(&by));
  if (r->shown) print_hint(c, r);
  if (qm_node_true(qm_node_get(end, "more")))
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_MORE, (int)page + 1);
  qm_line_free(&by);
  return exit_code;
}

static int print_conflicts(qm_ctx *c, const qm_text *text, int64_t page) {
  static const qm_say_id heads[] = {QM_SAY_WORD_ITEM,  QM_SAY_WORD_SEVERITY, QM_SAY_WORD_RECORD,
                                    QM_SAY_WORD_FIELD, QM_SAY_COUNT,         QM_SAY_WORD_VALUE,
                                    QM_SAY_WORD_BY,    QM_SAY_WORD_TIME,     QM_SAY_WORD_CONFLICT};
  listing r;
  qm_tree t = QM_TREE_INIT;
  qm_slice rest = qm_slice_of(text->p, text->n), line;
  int exit_code = QM_EXIT_DONE;
  memset(&r, 0, sizeof r);
  qm_table_init(&r.table, sizeof heads / sizeof *heads);
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    qm_table_text(&r.table, heads[i] == QM_SAY_COUNT ? "" : qm_say(c->cli.lang, heads[i]));
  r.blocks = c->cli.width && c->cli.width < TABLE_COLUMNS;
  r.several_spaces = qm_verb_spaces_count(c) > 1 && !c->values[QM_OPT_SPACE];
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    exit_code = qm_node_get(t.root, "item") ? add_conflict(c, &r, t.root)
                                            : print_end(c, &r, t.root, page);
  }
  qm_tree_free(&t);
  qm_table_free(&r.table);
  qm_line_free(&r.space);
  qm_line_free(&r.item);
  qm_line_free(&r.cls);
  qm_line_free(&r.number);
  return exit_code;
}

/* ---- what is asked for ---- */

static int read_severity(qm_ctx *c, uint32_t *out) {
  static const char *const names[] = {"low", "normal", "high"};
  const char *text = c->values[QM_OPT_SEVERITY];
  *out = 0;
  for (uint32_t i = 0; text && i < 3; i++)
    if (strcmp(text, names[i]) == 0) *out = i + 1;
  return !text || *out ? QM_EXIT_DONE
                       : qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_SEVERITY);
}

static int read_options(qm_ctx *c, qm_review_options *o, int64_t *page) {
  int64_t limit = PAGE_CONFLICTS;
  const char *paged = c->values[QM_OPT_PAGE], *limited = c->values[QM_OPT_LIMIT];
  *page = 1;
  if (paged && qm_cli_number(paged, 1, 1000000, page) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_PAGE);
  if (limited && qm_cli_number(limited, 1, 1000000, &limit) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_LIMIT);
  if (c->values[QM_OPT_RECORD] && !c->n_args)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_RECORD_NEEDS, c->cli.program);
  o->limit = (uint32_t)limit;
  o->offset = (uint32_t)((*page - 1) * limit < UINT32_MAX ? (*page - 1) * limit : UINT32_MAX);
  o->record = qm_str(c->values[QM_OPT_RECORD]);
  o->cls = qm_str(c->values[QM_OPT_CLASS]);
  return read_severity(c, &o->severity);
}

int qm_verb_conflicts(qm_ctx *c) {
  const qm_node *collection = NULL;
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  qm_text text = {0};
  qm_error e = {0};
  int64_t page;
  int exit_code = read_options(c, &o, &page);
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  /* A name is looked up where it can be told what is wrong with it. */
  if (!exit_code && c->n_args && (c->values[QM_OPT_SPACE] || qm_verb_spaces_count(c) == 1)) {
    exit_code = qm_verb_schema(c);
    if (!exit_code) exit_code = qm_verb_collection(c, c->args[0], &collection);
  }
  if (exit_code) return exit_code;
  o.collection = collection ? qm_verb_name(collection) : qm_str(c->n_args ? c->args[0] : NULL);
  if (qm_review(c->db, qm_verb_space(c), &o, &text, &e) != QM_OK)
    return collection && o.record.n ? qm_verb_record_failed(c, &e, collection)
                                    : qm_verb_failed(c, &e);
  qm_reading_keep(c, &text);
  if (c->cli.json) {
    qm_verb_print_lines(&text);
  } else {
    qm_tree_free(&c->schema);
    exit_code = print_conflicts(c, &text, page);
  }
  qm_text_free(&text);
  return exit_code;
}

static int begins(const char *id, const char *prefix) {
  for (; *prefix; id++, prefix++) {
    char a = *id, b = *prefix;
    if (b >= 'a' && b <= 'z') b = (char)(b - 32);
    if (a != b) return 0;
  }
  return 1;
}

int qm_verb_conflict_collection(qm_ctx *c, const char *prefix, qm_line *out) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  int exit_code = QM_EXIT_DONE, several = 0;
  if (qm_conflicts(c->db, qm_verb_space(c), qm_str(""), &text, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    const qm_node *name = qm_node_get(t.root, "collection");
    if (exit_code || !begins(qm_node_string(qm_node_get(t.root, "id")), prefix)) continue;
    if (out->n && !qm_node_is(name, qm_line_text(out))) several = 1;
    if (!out->n) qm_line_add(out, qm_node_string(name));
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  if (exit_code) return exit_code;
  if (several) return qm_cli_fail(&c->cli, QM_EAMBIGUOUS, "");
  return out->n ? exit_code : qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_NO_CONFLICT_ID);
}
