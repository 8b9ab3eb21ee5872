/* verb_due.c: what must be done by when. */
#include <string.h>

#include "adapters/cli/verb_query.h"

typedef struct listing {
  qm_table table;
  qm_line space; /* whose schema c->schema is */
  qm_line calendars; /* remarks about calendars, each once */
  int several_spaces, shown;
} listing;

static const qm_node *by_name(const qm_node *list, const qm_node *name) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (name && qm_node_is(name, qm_node_string(qm_node_get(n, "name")))) return n;
  return NULL;
}

static const char *digits(const qm_node *n) { return n ? (const char *)n->text.p : "0"; }

/* "Handling (15 working days)" */
static void put_limit(const qm_ctx *c, qm_line *l, const qm_node *limit, const qm_node *n) {
  static const struct {
    const char *name;
    qm_say_id say, one;
  } units[] = {{"hours", QM_SAY_DUE_HOURS, QM_SAY_DUE_HOUR},
               {"working_hours", QM_SAY_DUE_WORKING_HOURS, QM_SAY_DUE_WORKING_HOUR},
               {"days", QM_SAY_DUE_DAYS, QM_SAY_DUE_DAY},
               {"working_days", QM_SAY_DUE_WORKING_DAYS, QM_SAY_DUE_WORKING_DAY}};
  const char *amount = digits(qm_node_get(n, "amount"));
  qm_slice name = limit ? qm_verb_label(c, limit) : qm_node_text(qm_node_get(n, "limit"));
  qm_line_clean(l, name, " ");
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (!qm_node_is(qm_node_get(n, "unit"), units[i].name)) continue;
    qm_line_add(l, " (");
    if (strcmp(amount, "1") == 0) qm_line_add(l, qm_say(c->cli.lang, units[i].one));
    else qm_line_format(l, qm_say(c->cli.lang, units[i].say), amount);
    qm_line_add(l, ")");
  }
}

static void put_left(const qm_ctx *c, qm_line *l, const qm_node *n, int64_t now) {
  qm_line age = QM_LINE_INIT;
  int64_t due = 0;
  if (qm_node_true(qm_node_get(n, "paused"))) {
    qm_line_add(l, QM_SAY(c, DUE_PAUSED));
    return;
  }
  (void)qm_node_int(qm_node_get(n, "due"), &due);
  qm_verb_age(c, &age, due <= now ? now - due : due - now);
  qm_line_format(l, due <= now ? QM_SAY(c, DUE_OVER) : QM_SAY(c, DUE_IN), qm_line_text(&age));
  qm_line_free(&age);
}

/* What a calendar could not say, once. */
static void note_calendar(const qm_ctx *c, listing *r, const qm_node *n) {
  const qm_node *ends = qm_node_get(n, "calendar_ends");
  const qm_node *begins = qm_node_get(n, "calendar_begins");
  qm_line l = QM_LINE_INIT;
  if (ends && strcmp(digits(ends), "0") == 0) qm_line_add(&l, QM_SAY(c, DUE_ENDS_NONE));
  else if (ends) qm_line_format(&l, QM_SAY(c, DUE_ENDS), digits(ends));
  if (begins) qm_line_format(&l, QM_SAY(c, DUE_BEGINS), digits(begins));
  if (l.n && !strstr(qm_line_text(&r->calendars), qm_line_text(&l)))
    qm_line_bytes(&r->calendars, l.p, l.n);
  qm_line_free(&l);
}

static void cell(qm_table *t, qm_line *l) {
  qm_table_cell(t, qm_line_slice(l));
  qm_line_clear(l);
}

static int put_row(qm_ctx *c, listing *r, const qm_node *n, int64_t now) {
  int exit_code = qm_verb_schema_of(c, &r->space, qm_node_text(qm_node_get(n, "space")));
  if (exit_code) return exit_code;
  const qm_node *collection =
      by_name(qm_node_get(c->schema.root, "collections"), qm_node_get(n, "collection"));
  const qm_node *limit = by_name(qm_node_get(collection, "limits"), qm_node_get(n, "limit"));
  const qm_node *state = by_name(qm_node_get(collection, "fields"), qm_node_get(limit, "state"));
  const qm_node *item = by_name(qm_node_get(state, "items"), qm_node_get(n, "state"));
  qm_line l = QM_LINE_INIT;
  qm_table_cell(&r->table, qm_node_text(qm_node_get(n, "due_text")));
  put_left(c, &l, n, now);
  cell(&r->table, &l);
  qm_verb_place(c, &l, n, r->several_spaces);
  cell(&r->table, &l);
  put_limit(c, &l, limit, n);
  cell(&r->table, &l);
  if (item) qm_line_clean(&l, qm_verb_label(c, item), " ");
  else qm_line_clean(&l, qm_node_text(qm_node_get(n, "state")), " ");
  cell(&r->table, &l);
  note_calendar(c, r, n);
  qm_line_free(&l);
  r->shown++;
  return QM_EXIT_DONE;
}

/* The last line, which says what time it is: rows are told from that. */
static int read_end(qm_ctx *c, qm_slice rest, qm_tree *end, int64_t *now) {
  qm_slice line = {NULL, 0}, last = {NULL, 0};
  while (qm_next_line(&rest, &line)) last = line;
  int exit_code = qm_verb_parse(c, end, last);
  *now = 0;
  if (!exit_code) (void)qm_node_int(qm_node_get(end->root, "now"), now);
  return exit_code;
}

static int print_list(qm_ctx *c, listing *r, const qm_tree *end, const qm_paging *p) {
  int overdue = c->values[QM_OPT_OVERDUE] != NULL, exit_code = QM_EXIT_DONE;
  if (r->shown) exit_code = qm_verb_print_table(c, &r->table);
  else
    qm_cli_print(&c->cli, stdout, overdue ? QM_SAY_DUE_NONE_OVER : QM_SAY_DUE_NONE);
  if (exit_code) return exit_code;
  if (r->shown)
    qm_cli_print(&c->cli, stdout, QM_SAY_DUE_COUNT, digits(qm_node_get(end->root, "open")),
                 digits(qm_node_get(end->root, "overdue")),
                 digits(qm_node_get(end->root, "paused")));
  fputs(qm_line_text(&r->calendars), stdout);
  if (qm_node_true(qm_node_get(end->root, "more")))
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_MORE, (int)p->page + 1);
  return QM_EXIT_DONE;
}

static int print_all(qm_ctx *c, qm_slice text, const qm_paging *p) {
  static const qm_say_id heads[] = {QM_SAY_WORD_DUE, QM_SAY_WORD_LEFT, QM_SAY_WORD_TITLE,
                                    QM_SAY_WORD_LIMIT, QM_SAY_WORD_STATE};
  listing r = {.space = QM_LINE_INIT,
               .calendars = QM_LINE_INIT,
               .several_spaces = qm_verb_spaces_count(c) > 1};
  qm_tree t = QM_TREE_INIT, end = QM_TREE_INIT;
  qm_slice line;
  int64_t now;
  int exit_code = read_end(c, text, &end, &now);
  qm_table_init(&r.table, 5);
  for (size_t i = 0; i < 5; i++) qm_table_text(&r.table, qm_say(c->cli.lang, heads[i]));
  while (!exit_code && qm_next_line(&text, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (!exit_code && qm_node_get(t.root, "id")) exit_code = put_row(c, &r, t.root, now);
  }
  if (!exit_code) exit_code = print_list(c, &r, &end, p);
  qm_table_free(&r.table);
  qm_line_free(&r.space);
  qm_line_free(&r.calendars);
  qm_tree_free(&t);
  qm_tree_free(&end);
  return exit_code;
}

static int ask(qm_ctx *c, const qm_paging *p, qm_text *out, qm_error *e) {
  uint32_t flags = c->values[QM_OPT_OVERDUE] ? QM_OVERDUE : 0;
  uint64_t skip = (uint64_t)(p->page - 1) * (uint64_t)p->rows;
  return qm_due(c->db, qm_verb_space(c), flags, (uint32_t)(p->rows > 1000 ? 1000 : p->rows),
                (uint32_t)(skip > UINT32_MAX ? UINT32_MAX : skip), out, e);
}

int qm_verb_due(qm_ctx *c) {
  qm_text out = {0};
  qm_error e = {0};
  qm_paging p;
  int exit_code = qm_verb_page(c, &p);
  if (!exit_code && !c->values[QM_OPT_LIMIT]) p.rows = 100;
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  int rc = ask(c, &p, &out, &e);
  if (rc == QM_ESTATE && (exit_code = qm_verb_reopen(c)) == QM_EXIT_DONE)
    rc = ask(c, &p, &out, &e);
  if (!exit_code && rc != QM_OK) exit_code = qm_verb_failed(c, &e);
  if (!exit_code)
    exit_code = c->cli.json ? qm_verb_print_lines(&out)
                            : print_all(c, qm_slice_of(out.p, out.n), &p);
  qm_text_free(&out);
  return exit_code;
}
