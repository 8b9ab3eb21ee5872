/* verb_where.c: what --where, --sort and --page choose, as a query over the tables. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/verb_query.h"

typedef struct clause {
  qm_line sql, parameters; /* parameters: JSON values with commas between */
  qm_line table;
} clause;

static void add_parameter(clause *q, qm_slice text, int number) {
  if (q->parameters.n) qm_line_add(&q->parameters, ",");
  if (number) qm_line_bytes(&q->parameters, text.p, text.n);
  else qm_line_json(&q->parameters, text);
}

static void put_quoted(qm_line *l, const char *name) {
  qm_line_add(l, "\"");
  qm_line_add(l, name);
  qm_line_add(l, "\"");
}

/* ---- names (SPEC S16.3, S16.4) ---- */

static int same_letters_only(const char *a, const char *b) {
  for (; *a && *b; a++, b++) {
    char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
    char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
    if (x != y) return 0;
  }
  return *a == *b;
}

static void put_column(qm_line *l, const qm_node *collection, const qm_node *field) {
  const char *name = qm_node_string(qm_node_get(field, "name"));
  const qm_node *all = qm_node_get(collection, "fields"), *number = qm_node_get(field, "number");
  int taken = 0;
  for (const qm_node *f = all ? all->child : NULL; f && f != field; f = f->next)
    taken |= same_letters_only(qm_node_string(qm_node_get(f, "name")), name);
  qm_line_add(l, name[0] == '_' ? "t.\"t" : "t.\"");
  qm_line_add(l, name);
  if (taken && number) qm_line_format(l, "_%s", (const char *)number->text.p);
  qm_line_add(l, "\"");
}

/* The table of a collection, or the child of a field, in the space at hand. */
static int find_table(qm_ctx *c, const qm_node *collection, const char *field, qm_line *out) {
  static const char sql[] =
      "SELECT t.name FROM _tables t JOIN _spaces s ON s.schema = t.lineage"
      " WHERE t.collection_name = ?1 AND t.field_name IS ?2 AND t.kind <> 'view'"
      " AND (?3 IN ('', s.name) OR upper(?3) = s.id) LIMIT 1";
  qm_line parameters = QM_LINE_INIT;
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  qm_line_add(&parameters, "[");
  qm_line_json(&parameters, qm_verb_name(collection));
  qm_line_add(&parameters, ",");
  if (field) qm_line_json(&parameters, qm_str(field));
  else qm_line_add(&parameters, "null");
  qm_line_add(&parameters, ",");
  qm_line_json(&parameters, qm_verb_space(c));
  qm_line_add(&parameters, "]");
  int exit_code = qm_verb_ask(c, qm_str(sql), qm_line_slice(&parameters), 0, &text);
  rest = qm_slice_of(text.p, text.n);
  if (!exit_code && qm_next_line(&rest, &line) && qm_next_line(&rest, &line))
    exit_code = qm_verb_parse(c, &t, line);
  if (!exit_code && t.root && t.root->child) qm_line_add(out, qm_node_string(t.root->child));
  if (!exit_code && !out->n) exit_code = qm_cli_fail(&c->cli, QM_ENOTFOUND, "");
  qm_tree_free(&t);
  qm_text_free(&text);
  qm_line_free(&parameters);
  return exit_code;
}

/* ---- conditions ---- */

typedef struct condition {
  qm_slice field;
  const char *sql; /* the comparison */
  qm_line value;
} condition;

static int is_number(const qm_node *field) {
  return qm_node_is(qm_node_get(field, "type"), "counter") ||
         qm_node_is(qm_node_get(field, "value"), "int") ||
         qm_node_is(qm_node_get(field, "value"), "number");
}

static int is_rows(const qm_node *field) {
  const qm_node *type = qm_node_get(field, "type");
  return qm_node_is(type, "set") || qm_node_is(type, "list") || qm_node_is(type, "log");
}

/* FIELD OP VALUE, of one piece of the condition. 0, or -1. */
static int read_condition(qm_slice text, condition *out) {
  static const struct {
    const char *op, *sql;
  } ops[] = {{"!=", "IS NOT"}, {"<=", "<="}, {">=", ">="}, {"=", "IS"},
             {"<", "<"},       {">", ">"},   {"~", "LIKE"}};
  const char *p = (const char *)text.p;
  for (size_t i = 0; i < text.n; i++) {
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
      size_t n = strlen(ops[k].op);
      if (text.n - i < n || memcmp(p + i, ops[k].op, n) != 0) continue;
      size_t end = i, from = i + n;
      while (end && p[end - 1] == ' ') end--;
      while (from < text.n && p[from] == ' ') from++;
      out->field = qm_slice_of(p, end);
      out->sql = ops[k].sql;
      qm_line_bytes(&out->value, p + from, text.n - from);
      return end ? 0 : -1;
    }
  }
  return -1;
}

/* The text with % around it; what LIKE would take for a sign is taken as it is. */
static void like(qm_line *l, const char *value, int only_begins) {
  if (!only_begins) qm_line_add(l, "%");
  for (const char *p = value; *p; p++) {
    if (*p == '%' || *p == '_' || *p == '\\') qm_line_add(l, "\\");
    qm_line_bytes(l, p, 1);
  }
  qm_line_add(l, "%");
}

/* "column OP ?", with its parameter. `reference`: an id may be given by what it begins with. */
static void add_comparison(clause *q, const char *column, const condition *x, int number,
                           int reference) {
  int is_like = strcmp(x->sql, "LIKE") == 0, is = strcmp(x->sql, "IS") == 0;
  int is_not = strcmp(x->sql, "IS NOT") == 0;
  qm_line value = QM_LINE_INIT;
  if (!x->value.n && (is || is_not)) {
    qm_line_format(&q->sql, is ? "(%s IS NULL OR %s = '')" : "(%s IS NOT NULL AND %s <> '')",
                   column, column);
    return;
  }
  if (is_like || (reference && (is || is_not))) {
    like(&value, qm_line_text(&x->value), reference);
    qm_line_format(&q->sql, "%s %s ? ESCAPE '\\'", column, is_not ? "NOT LIKE" : "LIKE");
  } else {
    qm_line_bytes(&value, qm_line_text(&x->value), x->value.n);
    qm_line_format(&q->sql, "%s %s ?", column, x->sql);
  }
  add_parameter(q, qm_line_slice(&value), number && !is_like);
  qm_line_free(&value);
}

static int add_rows(qm_ctx *c, clause *q, const qm_node *collection, const qm_node *field,
                    condition *x) {
  const char *name = qm_node_string(qm_node_get(field, "name"));
  qm_line child = QM_LINE_INIT;
  int is_not = strcmp(x->sql, "IS NOT") == 0;
  if (x->sql[0] == '<' || x->sql[0] == '>')
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_WHERE_ROWS, name);
  int exit_code = find_table(c, collection, name, &child);
  if (exit_code) return exit_code;
  if (!x->value.n) is_not = !is_not; /* empty: no rows at all */
  if (is_not) qm_line_add(&q->sql, "NOT ");
  qm_line_add(&q->sql, "EXISTS (SELECT 1 FROM ");
  put_quoted(&q->sql, qm_line_text(&child));
  qm_line_add(&q->sql, " c WHERE c._row = t._row");
  if (x->value.n) {
    x->sql = strcmp(x->sql, "LIKE") == 0 ? "LIKE" : "IS";
    qm_line_add(&q->sql, " AND ");
    add_comparison(q, "c.value", x, is_number(field), 0);
  }
  qm_line_add(&q->sql, ")");
  qm_line_free(&child);
  return QM_EXIT_DONE;
}

/* Labels of items become names, true and false numbers. */
static int plain_value(qm_ctx *c, const qm_node *field, condition *x) {
  qm_assignment a = {.field = x->field, .value = qm_line_text(&x->value)};
  int64_t whole;
  char *end;
  if (x->value.n && is_number(field) && strcmp(x->sql, "LIKE") != 0) {
    (void)strtod(a.value, &end);
    if (*end || !(isdigit((unsigned char)a.value[x->value.n - 1])) ||
        (qm_cli_number(a.value, INT64_MIN, INT64_MAX, &whole) != 0 &&
         strspn(a.value, "-0123456789.") != x->value.n))
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_WHERE_VALUE,
                           qm_node_string(qm_node_get(field, "name")), a.value);
  }
  if (qm_node_is(qm_node_get(field, "value"), "bool") && x->value.n) {
    int yes = strcmp(a.value, "true") == 0;
    qm_line_clear(&x->value);
    qm_line_add(&x->value, yes ? "1" : "0");
  }
  if (strcmp(x->sql, "LIKE") == 0) return QM_EXIT_DONE;
  int exit_code = qm_verb_item(c, field, &a);
  if (exit_code || a.value == qm_line_text(&x->value)) return exit_code;
  qm_line_clear(&x->value);
  qm_line_add(&x->value, a.value);
  return QM_EXIT_DONE;
}

/* A record may be told by any of the ids, or the key, by which it is found: the table holds the
 * id that it is shown under. What names no one record is compared as it is. */
static void resolve_reference(qm_ctx *c, const qm_node *field, condition *x) {
  const qm_node *target = qm_node_get(field, "target");
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  if (!target || target->type != QM_NODE_STRING || !x->value.n || strcmp(x->sql, "LIKE") == 0)
    return;
  int rc = qm_get(c->db, qm_verb_space(c), target->text, qm_line_slice(&x->value), QM_DELETED,
                  &text, NULL);
  if (rc == QM_OK && qm_verb_parse(c, &t, qm_slice_of(text.p, text.n)) == QM_EXIT_DONE) {
    qm_line_clear(&x->value);
    qm_line_add(&x->value, qm_node_string(qm_node_get(t.root, "id")));
  }
  qm_tree_free(&t);
  qm_text_free(&text);
}

static int add_condition(qm_ctx *c, clause *q, const qm_node *collection, qm_slice text) {
  condition x = {.value = QM_LINE_INIT};
  qm_line shown = QM_LINE_INIT, column = QM_LINE_INIT;
  const qm_node *field = NULL;
  int exit_code = QM_EXIT_DONE;
  qm_line_clean(&shown, text, " ");
  if (read_condition(text, &x) != 0)
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_WHERE, qm_line_text(&shown));
  if (!exit_code) exit_code = qm_verb_field(c, collection, x.field, &field);
  if (!exit_code) exit_code = plain_value(c, field, &x);
  if (!exit_code && (qm_node_is(qm_node_get(field, "value"), "ref") ||
                     qm_node_is(qm_node_get(field, "type"), "ref")))
    resolve_reference(c, field, &x);
  if (!exit_code) qm_line_add(&q->sql, " AND ");
  if (!exit_code && is_rows(field)) {
    exit_code = add_rows(c, q, collection, field, &x);
  } else if (!exit_code) {
    int number = is_number(field) || qm_node_is(qm_node_get(field, "value"), "bool");
    put_column(&column, collection, field);
    add_comparison(q, qm_line_text(&column), &x, number,
                   qm_node_is(qm_node_get(field, "type"), "ref"));
  }
  qm_line_free(&x.value);
  qm_line_free(&shown);
  qm_line_free(&column);
  return exit_code;
}

/* Pieces between " and ". */
static int add_where(qm_ctx *c, clause *q, const qm_node *collection, const char *text) {
  while (text && *text) {
    const char *end = strstr(text, " and ");
    size_t n = end ? (size_t)(end - text) : strlen(text);
    int exit_code = add_condition(c, q, collection, qm_slice_of(text, n));
    if (exit_code) return exit_code;
    text = end ? end + 5 : NULL;
  }
  return QM_EXIT_DONE;
}

/* ---- order ---- */

/* States stand in the order of their ranks. */
static void put_order(qm_line *l, const qm_node *collection, const qm_node *field, int down) {
  const qm_node *items = qm_node_get(field, "items");
  qm_line column = QM_LINE_INIT;
  put_column(&column, collection, field);
  qm_line_format(l, "%s IS NULL, ", qm_line_text(&column));
  if (qm_node_is(qm_node_get(field, "type"), "state") && items && items->child) {
    qm_line_format(l, "CASE %s", qm_line_text(&column));
    for (const qm_node *i = items->child; i; i = i->next) {
      const qm_node *rank = qm_node_get(i, "rank");
      qm_line_add(l, " WHEN '");
      for (const char *p = qm_node_string(qm_node_get(i, "name")); *p; p++) {
        if (*p == '\'') qm_line_add(l, "'");
        qm_line_bytes(l, p, 1);
      }
      qm_line_format(l, "' THEN %s", rank ? (const char *)rank->text.p : "0");
    }
    qm_line_add(l, " END");
  } else {
    qm_line_add(l, qm_line_text(&column));
  }
  qm_line_add(l, down ? " DESC, " : ", ");
  qm_line_free(&column);
}

static int add_sort(qm_ctx *c, clause *q, const qm_node *collection, const char *names) {
  while (names && *names) {
    const qm_node *field;
    int down = *names == '-';
    names += down;
    size_t n = strcspn(names, ",");
    int exit_code = n ? qm_verb_field(c, collection, qm_slice_of(names, n), &field) : 0;
    if (exit_code) return exit_code;
    if (n && is_rows(field))
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_SORT,
                           qm_node_string(qm_node_get(field, "name")));
    if (n) put_order(&q->sql, collection, field, down);
    names += n + (names[n] == ',');
  }
  return QM_EXIT_DONE;
}

/* ---- the query ---- */

static int take_ids(qm_ctx *c, qm_slice rest, qm_chosen *out) {
  qm_tree t = QM_TREE_INIT;
  qm_slice line;
  int exit_code = QM_EXIT_DONE;
  (void)qm_next_line(&rest, &line); /* the columns */
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    const qm_node *id = exit_code ? NULL : t.root->child;
    if (!id || t.root->type != QM_NODE_ARRAY) break;
    qm_line_format(&out->ids, "%s\n", qm_node_string(id));
    if (qm_node_int(id->next, &out->count) != 0) out->count = 0;
  }
  qm_tree_free(&t);
  return exit_code;
}

static int build(qm_ctx *c, clause *q, const qm_node *collection, const qm_paging *p) {
  int exit_code = find_table(c, collection, NULL, &q->table);
  if (exit_code) return exit_code;
  qm_line_add(&q->sql, "SELECT t._id, count(*) OVER () FROM ");
  put_quoted(&q->sql, qm_line_text(&q->table));
  qm_line_add(&q->sql, " t WHERE t._space IN (SELECT _space FROM _spaces"
                       " WHERE ? IN ('', name) OR upper(?) = id)");
  add_parameter(q, qm_verb_space(c), 0);
  add_parameter(q, qm_verb_space(c), 0);
  exit_code = add_where(c, q, collection, c->values[QM_OPT_WHERE]);
  qm_line_add(&q->sql, " ORDER BY ");
  if (!exit_code) exit_code = add_sort(c, q, collection, c->values[QM_OPT_SORT]);
  qm_line_format(&q->sql, "t._id LIMIT %lld OFFSET %lld", (long long)p->rows,
                 (long long)((p->page - 1) * p->rows));
  return exit_code;
}

int qm_verb_choose(qm_ctx *c, const qm_node *collection, const qm_paging *paging, qm_chosen *out) {
  clause q = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  qm_line parameters = QM_LINE_INIT;
  qm_text text = {0};
  int exit_code = build(c, &q, collection, paging);
  qm_line_format(&parameters, "[%s]", qm_line_text(&q.parameters));
  if (!exit_code)
    exit_code = qm_verb_ask(c, qm_line_slice(&q.sql), qm_line_slice(&parameters), 0, &text);
  if (!exit_code) exit_code = take_ids(c, qm_slice_of(text.p, text.n), out);
  qm_text_free(&text);
  qm_line_free(&q.sql);
  qm_line_free(&q.parameters);
  qm_line_free(&q.table);
  qm_line_free(&parameters);
  return exit_code;
}
