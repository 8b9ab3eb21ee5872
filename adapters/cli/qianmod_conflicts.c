/* The review list of the hub's spaces: what its devices will see, and what it will settle. */
#include <stdio.h>
#include <string.h>

#include "adapters/cli/cli_json.h"
#include "adapters/cli/qianmod.h"
#include "adapters/handle/handle_review.h"
#include "core/home_review.h"

typedef struct listing {
  const hub_args *a;
  hub_dir *d;
  const hub_stores *stores;
  qm__review_list list;
  qm__review_filter filter;
  int found; /* spaces that were asked for */
} listing;

/* --- one table --- */

static qm_hub_text class_text(const qm_node *cls) {
  static const struct {
    const char *name;
    qm_hub_text text;
  } words[] = {{"unread", QM_HUB_CLASS_UNREAD},     {"contradict", QM_HUB_CLASS_CONTRADICT},
               {"deleted", QM_HUB_CLASS_DELETED},   {"same-key", QM_HUB_CLASS_SAME_KEY},
               {"merge", QM_HUB_CLASS_MERGE},       {"unmerged", QM_HUB_CLASS_UNMERGED},
               {"clash", QM_HUB_CLASS_CLASH},       {"overdrawn", QM_HUB_CLASS_OVERDRAWN}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (qm_node_is(cls, words[i].name)) return words[i].text;
  return QM_HUB_CLASS_SIBLING;
}

static qm_hub_text severity_text(const qm_node *severity) {
  if (qm_node_is(severity, "high")) return QM_HUB_SEVERITY_HIGH;
  return qm_node_is(severity, "low") ? QM_HUB_SEVERITY_LOW : QM_HUB_SEVERITY_NORMAL;
}

static qm_slice label(const hub_args *a, qm_slice name, qm_slice zh, qm_slice en) {
  qm_slice text = a->cli.lang == QM_LANG_ZH ? zh : en;
  return text.n ? text : name;
}

/* Collection and field of a line in the language of the messages. */
static void labels(const listing *l, const qm_node *n, qm_slice *collection, qm_slice *field) {
  qm_id id;
  const qm_node *space = qm_node_get(n, "space");
  *collection = qm_node_text(qm_node_get(n, "collection"));
  *field = qm_node_text(qm_node_get(n, "field"));
  const qm_space *s = qm__handle_id_parse(qm_node_text(space), &id) == QM_OK
                          ? hub_stores_space(l->stores, &id)
                          : NULL;
  const qm_collection_def *c =
      s ? qm_schema_collection_named(qm_space_schema(s), *collection) : NULL;
  const qm_field_def *f = c ? qm_collection_field_named(c, *field) : NULL;
  if (c) *collection = label(l->a, c->name, c->label_zh, c->label_en);
  if (f) *field = label(l->a, f->name, f->label_zh, f->label_en);
}

static void cell(qm_table *t, qm_line *l) {
  qm_table_cell(t, qm_line_slice(l));
  qm_line_clear(l);
}

static void put_left(const listing *l, qm_table *t, const qm_node *n, int first, qm_line *line) {
  qm_slice collection, field;
  labels(l, n, &collection, &field);
  if (first) qm_line_format(line, "%.5s", qm_node_string(qm_node_get(n, "item")));
  cell(t, line);
  if (first)
    qm_line_add(line, qm_hub_say(l->a->cli.lang, severity_text(qm_node_get(n, "severity"))));
  cell(t, line);
  if (first) qm_line_clean(line, qm_node_text(qm_node_get(n, "space_name")), " ");
  cell(t, line);
  if (first) {
    qm_line_clean(line, collection, " ");
    qm_line_format(line, " %.6s ", qm_node_string(qm_node_get(n, "id")));
    qm_line_clean(line, qm_node_text(qm_node_get(n, "title")), " ");
  }
  cell(t, line);
  if (first) qm_line_clean(line, field, " ");
  cell(t, line);
}

static void put_row(const listing *l, qm_table *t, const qm_node *n, const qm_node *v, int number,
                    qm_line *line) {
  const qm_node *value = qm_node_get(v, "value");
  int64_t ms;
  put_left(l, t, n, number == 1, line);
  qm_line_format(line, "%d%s", number, qm_node_true(qm_node_get(v, "shown")) ? "*" : "");
  cell(t, line);
  if (!qm_node_text(qm_node_get(n, "field")).n && qm_node_is(value, "edited"))
    qm_line_add(line, qm_hub_say(l->a->cli.lang, QM_HUB_WORD_EDITED));
  else if (!qm_node_text(qm_node_get(n, "field")).n && qm_node_is(value, "deleted"))
    qm_line_add(line, qm_hub_say(l->a->cli.lang, QM_HUB_WORD_DELETED));
  else if (value) qm_line_clean(line, value->text, " ");
  cell(t, line);
  if (qm_node_true(qm_node_get(v, "own")))
    qm_line_add(line, qm_hub_say(l->a->cli.lang, QM_HUB_SELF));
  else qm_line_clean(line, qm_node_text(qm_node_get(v, "by")), " ");
  cell(t, line);
  if (qm_node_int(qm_node_get(v, "time"), &ms) == 0) qm_line_time(line, ms);
  cell(t, line);
  if (number == 1)
    qm_line_add(line, qm_hub_say(l->a->cli.lang, class_text(qm_node_get(n, "class"))));
  cell(t, line);
}

static int print_table(const listing *l, qm_slice lines) {
  static const qm_hub_text heads[] = {QM_HUB_HEAD_ITEM,  QM_HUB_HEAD_SEVERITY, QM_HUB_HEAD_SPACE,
                                      QM_HUB_HEAD_RECORD, QM_HUB_HEAD_FIELD,   QM_HUB_HEAD_NONE,
                                      QM_HUB_HEAD_VALUE, QM_HUB_HEAD_BY,       QM_HUB_HEAD_TIME,
                                      QM_HUB_HEAD_CONFLICT};
  qm_table t;
  qm_tree tree = QM_TREE_INIT;
  qm_line line = QM_LINE_INIT;
  qm_slice one;
  qm_table_init(&t, sizeof heads / sizeof *heads);
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
    qm_table_text(&t, qm_hub_say(l->a->cli.lang, heads[i]));
  while (qm_next_line(&lines, &one) && qm_tree_read(&tree, one) == QM_OK) {
    const qm_node *values = qm_node_get(tree.root, "values");
    int number = 1;
    for (const qm_node *v = values ? values->child : NULL; v; v = v->next)
      put_row(l, &t, tree.root, v, number++, &line);
  }
  int rc = qm_table_print(&t, stdout, l->a->cli.width, l->a->cli.color);
  qm_table_free(&t);
  qm_tree_free(&tree);
  qm_line_free(&line);
  return rc;
}

/* --- the spaces --- */

static int add_space(void *payload, const qm_hub_space *row) {
  listing *l = payload;
  const char *wanted = l->a->positional[1];
  qm_engine *engine = hub_stores_engine(l->stores, row);
  qm_space *s = engine ? qm_engine_space(engine, &row->id) : NULL;
  qm_who who = {.device = *qm_key_device(l->d->key), .hub = *qm_key_device(l->d->key)};
  if (wanted && strcmp(wanted, row->name) != 0) return QM_OK;
  l->found = 1;
  if (!s || !qm_space_schema(s)) return QM_OK;
  qm_buf_init(&who.member, &l->d->env, 1);
  return qm__review_add(&l->list, engine, s, &who, &l->filter);
}

static int read_severity(const hub_args *a, listing *l) {
  if (!a->severity) return QM_EXIT_DONE;
  for (int s = QM_SEVERITY_LOW; s <= QM_SEVERITY_HIGH; s++)
    if (strcmp(a->severity, qm__review_severity((qm_severity)s)) == 0)
      l->filter.severity = (qm_severity)s;
  return l->filter.severity ? QM_EXIT_DONE
                            : hub_refuse(a, QM_EUSAGE, QM_HUB_BAD_VALUE, "--severity");
}

static int print(const hub_args *a, listing *l) {
  qm_buf b;
  qm_buf_init(&b, &l->d->env, QM_HANDLE_TEXT_MAX);
  uint64_t n = l->list.n;
  qm__review_page(&l->list, 0, UINT64_MAX, &b);
  int rc = qm_buf_status(&b);
  if (rc == QM_OK && a->json) fwrite(b.p, 1, b.n, stdout);
  else if (rc == QM_OK && !n) hub_print(a, QM_HUB_CONFLICTS_NONE);
  else if (rc == QM_OK) {
    size_t end = b.n - 1; /* the last line counts */
    while (end && b.p[end - 1] != '\n') end--;
    rc = print_table(l, qm_slice_of(b.p, end));
    if (rc == QM_OK)
      hub_print(a, QM_HUB_CONFLICTS_COUNT, (unsigned long long)n,
                (unsigned long long)l->list.counts[QM_SEVERITY_HIGH]);
  }
  qm_buf_free(&b);
  return rc;
}

static int list(const hub_args *a, listing *l) {
  qm_error e = {0, ""};
  int exit_code = read_severity(a, l);
  if (exit_code) return exit_code;
  qm__review_init(&l->list, &l->d->env);
  int rc = qm_hubdb_space_list(l->d->db, add_space, l);
  if (rc == QM_OK && !l->found && a->positional[1]) {
    qm__review_free(&l->list);
    return hub_refuse(a, QM_ENOTFOUND, QM_HUB_NO_SPACE, a->positional[1]);
  }
  if (rc == QM_OK) rc = print(a, l);
  qm__review_free(&l->list);
  return rc == QM_OK ? QM_EXIT_DONE : hub_error(a, rc, &e);
}

int hub_verb_conflicts(const hub_args *a) {
  hub_dir d;
  hub_stores stores;
  qm_error e = {0, ""};
  int exit_code;
  int rc = hub_open(&d, a->positional[0], QM_DIR_KEYS | QM_DIR_READONLY, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  rc = hub_stores_open(&d, 1, &stores, &e);
  if (rc != QM_OK) {
    exit_code = hub_error(a, rc, &e);
  } else {
    listing l = {.a = a, .d = &d, .stores = &stores};
    exit_code = list(a, &l);
    hub_stores_close(&stores);
  }
  hub_close(&d);
  return exit_code;
}
