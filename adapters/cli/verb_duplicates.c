/* verb_duplicates.c: likely duplicates, and saying that two records are not one. */
#include <string.h>

#include "adapters/cli/verb_query.h"

#define HINTS 3u /* likely duplicates of a new record that are told */

typedef struct pairs {
  int64_t all;          /* there are */
  uint32_t shown;
  int more, complete;
  qm_line first[3];     /* of the first pair: collection and both ids, for the hint */
} pairs;

static const qm_node *by_name(const qm_node *list, const qm_node *name) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (name && qm_node_is(name, qm_node_string(qm_node_get(n, "name")))) return n;
  return NULL;
}

static const qm_node *collection_of(const qm_ctx *c, const qm_node *line) {
  return by_name(qm_node_get(c->schema.root, "collections"), qm_node_get(line, "collection"));
}

static int has_rules(const qm_node *collection) {
  const qm_node *rules = qm_node_get(collection, "duplicates");
  return rules && rules->child;
}

static int any_rules(const qm_ctx *c) {
  const qm_node *all = qm_node_get(c->schema.root, "collections");
  for (const qm_node *n = all ? all->child : NULL; n; n = n->next)
    if (has_rules(n)) return 1;
  return 0;
}

/* ---- a record, and why ---- */

static const qm_node *fields_of(qm_ctx *c, const qm_node *collection, const qm_node *id,
                                qm_tree *t) {
  qm_text text = {0};
  const qm_node *fields = NULL;
  if (qm_get(c->db, qm_verb_space(c), qm_verb_name(collection), qm_node_text(id), 0, &text,
             NULL) == QM_OK &&
      qm_tree_read(t, qm_slice_of(text.p, text.n)) == QM_OK)
    fields = qm_node_get(t->root, "fields");
  qm_text_free(&text);
  return fields;
}

static void put_value(qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *values) {
  const qm_node *value = qm_node_get(values, qm_node_string(qm_node_get(field, "name")));
  if (!value) return;
  qm_line_add(l, " ");
  qm_verb_value(c, l, field, value, " ");
}

/* "4Q0Z1A2B 12 王小明": its natural key and naming fields; where it has none, its first text. */
static void put_record(qm_ctx *c, qm_line *l, const qm_node *collection, const qm_node *id) {
  const qm_node *key = qm_node_get(collection, "key"), *all = qm_node_get(collection, "fields");
  qm_tree t = QM_TREE_INIT;
  qm_line_format(l, "%.8s", qm_node_string(id));
  const qm_node *values = fields_of(c, collection, id, &t);
  size_t bare = l->n;
  for (const qm_node *f = all ? all->child : NULL; f; f = f->next)
    if ((key && qm_node_is(key, qm_node_string(qm_node_get(f, "name")))) ||
        qm_node_true(qm_node_get(f, "naming")))
      put_value(c, l, f, values);
  for (const qm_node *f = all ? all->child : NULL; f && l->n == bare; f = f->next)
    if (qm_node_is(qm_node_get(f, "type"), "register") &&
        qm_node_is(qm_node_get(f, "value"), "text"))
      put_value(c, l, f, values);
  qm_tree_free(&t);
}

static void put_measures(const qm_ctx *c, qm_line *l, const qm_node *fields) {
  static const struct {
    const char *name;
    qm_say_id say;
  } words[] = {{"percent", QM_SAY_DUP_PERCENT},
               {"metres", QM_SAY_DUP_METRES},
               {"hours", QM_SAY_DUP_HOURS}};
  for (const qm_node *f = fields ? fields->child : NULL; f; f = f->next)
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
      const qm_node *n = qm_node_get(f, words[i].name);
      if (n) qm_line_format(l, qm_say(c->cli.lang, words[i].say), (const char *)n->text.p);
    }
}

/* "same address, similar head 66 %" */
static void put_reason(const qm_ctx *c, qm_line *l, const qm_node *collection,
                       const qm_node *reason) {
  const qm_node *rule = by_name(qm_node_get(collection, "duplicates"), qm_node_get(reason, "rule"));
  qm_slice label = rule ? qm_verb_label(c, rule) : qm_node_text(qm_node_get(reason, "rule"));
  qm_line_clean(l, label, " ");
  put_measures(c, l, qm_node_get(reason, "fields"));
}

/* ---- the list ---- */

/* A row for each reason, the first with the rest. */
static void add_reasons(qm_ctx *c, qm_table *table, const qm_node *collection,
                        const qm_node *pair) {
  const qm_node *reasons = qm_node_get(pair, "reasons");
  const qm_node *first = reasons ? reasons->child : NULL;
  qm_line l = QM_LINE_INIT;
  for (const qm_node *r = first; r; r = r->next) {
    for (size_t i = 1; r != first && i < table->columns; i++) qm_table_text(table, "");
    qm_line_clear(&l);
    put_reason(c, &l, collection, r);
    if (r == first && qm_node_true(qm_node_get(pair, "dismissed")))
      qm_line_add(&l, QM_SAY(c, DUP_DISMISSED));
    qm_table_cell(table, qm_line_slice(&l));
  }
  if (!first) qm_table_text(table, "");
  qm_line_free(&l);
}

static void add_pair(qm_ctx *c, qm_table *table, const qm_node *line, pairs *p) {
  const qm_node *collection = collection_of(c, line), *score = qm_node_get(line, "score");
  static const char *const members[] = {"collection", "a", "b"};
  qm_line l = QM_LINE_INIT;
  for (size_t i = 0; !p->shown && i < 3; i++)
    qm_line_add(&p->first[i], qm_node_string(qm_node_get(line, members[i])));
  p->shown++;
  qm_table_text(table, score ? (const char *)score->text.p : "");
  if (table->columns == 5) qm_table_cell(table, qm_verb_label(c, collection));
  for (int i = 1; i < 3; i++) {
    qm_line_clear(&l);
    put_record(c, &l, collection, qm_node_get(line, members[i]));
    qm_table_cell(table, qm_line_slice(&l));
  }
  qm_line_free(&l);
  add_reasons(c, table, collection, line);
}

/* "5000 records of household share phone 028-…, …: too many to mean anything (same phone)" */
static void add_common(qm_ctx *c, qm_line *l, const qm_node *line) {
  const qm_node *collection = collection_of(c, line), *all = qm_node_get(collection, "fields");
  const qm_node *rule =
      by_name(qm_node_get(collection, "duplicates"), qm_node_get(line, "rule"));
  const qm_node *when = qm_node_get(rule, "when"), *n = qm_node_get(line, "records");
  qm_tree t = QM_TREE_INIT;
  qm_line what = QM_LINE_INIT, label = QM_LINE_INIT;
  const qm_node *values = fields_of(c, collection, qm_node_get(line, "id"), &t);
  for (const qm_node *w = when ? when->child : NULL; w; w = w->next) {
    const qm_node *field = by_name(all, qm_node_get(w, "field"));
    if (!field || qm_node_is(qm_node_get(w, "match"), "similar")) continue;
    if (what.n) qm_line_add(&what, ", ");
    qm_line_clean(&what, qm_verb_label(c, field), " ");
    put_value(c, &what, field, values);
  }
  if (rule) qm_line_clean(&label, qm_verb_label(c, rule), " ");
  qm_line_format(l, QM_SAY(c, DUP_COMMON), n ? (const char *)n->text.p : "",
                 qm_node_string(qm_node_get(line, "collection")), qm_line_text(&what),
                 qm_line_text(&label));
  qm_line_free(&what);
  qm_line_free(&label);
  qm_tree_free(&t);
}

static void head(const qm_ctx *c, qm_table *table, int one) {
  qm_table_init(table, one ? 4 : 5);
  table->numeric[0] = 1;
  qm_table_text(table, QM_SAY(c, DUP_SCORE));
  if (!one) qm_table_text(table, QM_SAY(c, WORD_COLLECTION));
  qm_table_text(table, QM_SAY(c, DUP_ONE));
  qm_table_text(table, QM_SAY(c, DUP_OTHER));
  qm_table_text(table, QM_SAY(c, DUP_WHY));
}

static void print_end(qm_ctx *c, const pairs *p, const qm_paging *paging) {
  const char *program = c->cli.program, *collection = qm_line_text(&p->first[0]);
  char all[24], page[24];
  if (!p->all) qm_cli_print(&c->cli, stdout, QM_SAY_DUP_NONE);
  if (!p->complete) qm_cli_note(&c->cli, QM_SAY_DUP_INCOMPLETE);
  if (!p->all) return;
  snprintf(all, sizeof all, "%lld", (long long)p->all);
  snprintf(page, sizeof page, "%lld", (long long)paging->page + 1);
  qm_cli_print(&c->cli, stdout, p->all == 1 ? QM_SAY_DUP_COUNT_ONE : QM_SAY_DUP_COUNT, all);
  if (p->more) qm_cli_print(&c->cli, stdout, QM_SAY_DUP_MORE, page);
  if (p->shown)
    qm_cli_print(&c->cli, stdout, QM_SAY_DUP_HINT, program, collection,
                 qm_line_text(&p->first[1]), qm_line_text(&p->first[2]), program, collection,
                 qm_line_text(&p->first[1]), qm_line_text(&p->first[2]));
}

static int print_all(qm_ctx *c, qm_slice rest, const qm_paging *paging) {
  pairs p = {.first = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT}};
  qm_line notes = QM_LINE_INIT;
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice line;
  int exit_code = QM_EXIT_DONE;
  head(c, &table, c->n_args > 0);
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    if (qm_node_get(t.root, "a")) add_pair(c, &table, t.root, &p);
    else if (qm_node_get(t.root, "records")) add_common(c, &notes, t.root);
    (void)qm_node_int(qm_node_get(t.root, "pairs"), &p.all);
    p.more = qm_node_true(qm_node_get(t.root, "more"));
    p.complete = qm_node_true(qm_node_get(t.root, "complete"));
  }
  if (!exit_code && p.shown) exit_code = qm_verb_print_table(c, &table);
  if (!exit_code) exit_code = qm_verb_print(c, &notes);
  else qm_line_free(&notes);
  if (!exit_code) print_end(c, &p, paging);
  for (size_t i = 0; i < 3; i++) qm_line_free(&p.first[i]);
  qm_table_free(&table);
  qm_tree_free(&t);
  return exit_code;
}

static int ask(qm_ctx *c, const qm_node *collection, const qm_paging *p, qm_text *out,
               qm_error *e) {
  uint32_t flags = c->values[QM_OPT_DISMISSED] ? QM_DISMISSED : 0;
  qm_slice record = qm_str(c->n_args > 1 ? c->args[1] : "");
  uint64_t skip = (uint64_t)(p->page - 1) * (uint64_t)p->rows;
  return qm_duplicates(c->db, qm_verb_space(c), qm_verb_name(collection), record, flags,
                       (uint32_t)(p->rows > 1000 ? 1000 : p->rows),
                       (uint32_t)(skip > UINT32_MAX ? UINT32_MAX : skip), out, e);
}

static int list(qm_ctx *c) {
  const qm_node *collection = NULL;
  qm_paging p;
  qm_text out = {0};
  qm_error e = {0};
  if (c->n_args > 2) return qm_help_many(c);
  int exit_code = qm_verb_page(c, &p);
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code && c->n_args) exit_code = qm_verb_collection(c, c->args[0], &collection);
  if (exit_code) return exit_code;
  if (collection ? !has_rules(collection) : !any_rules(c))
    qm_cli_note(&c->cli, QM_SAY_DUP_NO_RULES);
  int rc = ask(c, collection, &p, &out, &e);
  if (rc == QM_ESTATE && (exit_code = qm_verb_reopen(c)) == QM_EXIT_DONE)
    rc = ask(c, collection, &p, &out, &e);
  if (!exit_code && rc != QM_OK)
    exit_code = collection ? qm_verb_record_failed(c, &e, collection) : qm_verb_failed(c, &e);
  if (!exit_code)
    exit_code = c->cli.json ? qm_verb_print_lines(&out)
                            : print_all(c, qm_slice_of(out.p, out.n), &p);
  qm_text_free(&out);
  return exit_code;
}

/* ---- not the same ---- */

/* The collection with rules that has the record; where none has it, the first one says so. */
static int find_collection(qm_ctx *c, const char *record, const qm_node **out) {
  const qm_node *all = qm_node_get(c->schema.root, "collections");
  *out = NULL;
  for (const qm_node *n = all ? all->child : NULL; n; n = n->next) {
    qm_text text = {0};
    if (!has_rules(n)) continue;
    int rc = qm_get(c->db, qm_verb_space(c), qm_verb_name(n), qm_str(record), 0, &text, NULL);
    qm_text_free(&text);
    if (rc == QM_OK || !*out) *out = n;
    if (rc == QM_OK) return QM_EXIT_DONE;
  }
  return *out ? QM_EXIT_DONE : qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_DUP_NO_RULES);
}

static int report(qm_ctx *c, const qm_node *collection, char *const *of, int undo,
                  uint32_t written) {
  const char *name = qm_node_string(qm_node_get(collection, "name"));
  if (c->cli.json) {
    qm_line l = QM_LINE_INIT;
    qm_line_add(&l, "{\"collection\":");
    qm_line_json(&l, qm_str(name));
    qm_line_format(&l, ",\"distinct\":%s,\"written\":%lu}\n", undo ? "false" : "true",
                   (unsigned long)written);
    return qm_verb_print(c, &l);
  }
  qm_say_id say = undo ? QM_SAY_DUP_UNDONE : QM_SAY_DUP_SAID;
  if (!written) say = undo ? QM_SAY_DUP_NOT_SAID : QM_SAY_DUP_SAID_ALREADY;
  qm_cli_print(&c->cli, stdout, say, name, of[0], of[1]);
  return QM_EXIT_DONE;
}

static int say_distinct(qm_ctx *c, int undo) {
  const qm_node *collection;
  char *const *of = c->args + (c->n_args == 3);
  qm_error e = {0};
  qm_tx *tx = NULL;
  uint32_t written = 0;
  if (c->n_args < 2) return qm_help_few(c);
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code)
    exit_code = c->n_args == 3 ? qm_verb_collection(c, c->args[0], &collection)
                               : find_collection(c, of[0], &collection);
  if (exit_code) return exit_code;
  int rc = qm_begin(c->db, qm_verb_space(c), &tx, &e);
  if (rc != QM_OK) return qm_verb_failed(c, &e);
  rc = (undo ? qm_not_distinct : qm_distinct)(tx, qm_verb_name(collection), qm_str(of[0]),
                                              qm_str(of[1]), &e);
  written = qm_written(tx);
  if (rc == QM_OK) rc = qm_commit(tx, &e);
  else qm_cancel(tx);
  return rc == QM_OK ? report(c, collection, of, undo, written)
                     : qm_verb_record_failed(c, &e, collection);
}

int qm_verb_duplicates(qm_ctx *c) {
  int dismiss = c->values[QM_OPT_DISMISS] != NULL, undo = c->values[QM_OPT_UNDO] != NULL;
  if (dismiss && undo)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_DUP_BOTH);
  if ((dismiss || undo) &&
      (c->values[QM_OPT_PAGE] || c->values[QM_OPT_LIMIT] || c->values[QM_OPT_DISMISSED]))
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_DUP_LIST_ONLY);
  return dismiss || undo ? say_distinct(c, undo) : list(c);
}

/* ---- of a record just made ---- */

/* Its pairs; QM_EXIT_DONE with nothing in *out where that cannot be told: it is but a hint. */
static void pairs_of(qm_ctx *c, const qm_node *collection, const char *id, qm_text *out) {
  *out = (qm_text){0};
  if (has_rules(collection))
    (void)qm_duplicates(c->db, qm_verb_space(c), qm_verb_name(collection), qm_str(id), 0, HINTS, 0,
                        out, NULL);
}

void qm_verb_duplicates_json(qm_ctx *c, qm_line *l, const qm_node *collection, const char *id) {
  qm_text text;
  qm_slice line;
  qm_tree t = QM_TREE_INIT;
  int n = 0;
  if (!has_rules(collection)) return;
  pairs_of(c, collection, id, &text);
  qm_slice rest = qm_slice_of(text.p, text.n);
  qm_line_add(l, ",\"duplicates\":[");
  while (qm_next_line(&rest, &line) && qm_tree_read(&t, line) == QM_OK) {
    if (!qm_node_get(t.root, "a")) continue; /* the last line: a count */
    if (n++) qm_line_add(l, ",");
    qm_line_bytes(l, line.p, line.n);
  }
  qm_line_add(l, "]");
  qm_tree_free(&t);
  qm_text_free(&text);
}

void qm_verb_duplicates_note(qm_ctx *c, const qm_node *collection, const char *id) {
  qm_text text;
  qm_slice line;
  qm_tree t = QM_TREE_INIT;
  pairs_of(c, collection, id, &text);
  qm_slice rest = qm_slice_of(text.p, text.n);
  while (qm_next_line(&rest, &line) && qm_tree_read(&t, line) == QM_OK) {
    const qm_node *a = qm_node_get(t.root, "a"), *b = qm_node_get(t.root, "b");
    const qm_node *reasons = qm_node_get(t.root, "reasons");
    qm_line other = QM_LINE_INIT, why = QM_LINE_INIT;
    if (!a || !b) continue;
    put_record(c, &other, collection, qm_node_is(a, id) ? b : a);
    for (const qm_node *r = reasons ? reasons->child : NULL; r; r = r->next) {
      if (why.n) qm_line_add(&why, QM_SAY(c, DUP_AND));
      put_reason(c, &why, collection, r);
    }
    qm_cli_note(&c->cli, QM_SAY_DUP_NEW, qm_node_string(qm_node_get(collection, "name")),
                qm_line_text(&other), qm_line_text(&why));
    qm_line_free(&other);
    qm_line_free(&why);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
}
