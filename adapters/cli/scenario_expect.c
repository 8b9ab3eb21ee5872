/* scenario_expect.c: what a device must show, one kind of expectation a function. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/scenario.h"

typedef struct check {
  qm_scenario *s;
  const qm_scenario_vars *v;
  const qm_node *n; /* the expectation */
  qm_scenario_device *d;
  qm_line space; /* empty: all of the device */
} check;

/* ---- comparing ---- */

static int equal(const qm_node *a, const qm_node *b);

static int equal_numbers(qm_slice a, qm_slice b) {
  if (a.n == b.n && memcmp(a.p, b.p, a.n) == 0) return 1;
  return strtod((const char *)a.p, NULL) == strtod((const char *)b.p, NULL);
}

static uint32_t length(const qm_node *n) {
  uint32_t count = 0;
  for (const qm_node *c = n ? n->child : NULL; c; c = c->next) count++;
  return count;
}

/* An entry of a log stands for its value. */
static const qm_node *plain(const qm_node *n) {
  const qm_node *value = n && n->type == QM_NODE_OBJECT ? qm_node_get(n, "value") : NULL;
  return value && qm_node_get(n, "device") ? value : n;
}

/* Whatever their order: sets have none that people see. */
static int equal_arrays(const qm_node *a, const qm_node *b) {
  char taken[512] = "";
  if (length(a) != length(b) || length(a) >= sizeof taken) return 0;
  for (const qm_node *x = a->child; x; x = x->next) {
    uint32_t i = 0;
    const qm_node *y = b->child;
    while (y && (taken[i] || !equal(plain(x), plain(y)))) y = y->next, i++;
    if (!y) return 0;
    taken[i] = 1;
  }
  return 1;
}

static int equal_objects(const qm_node *a, const qm_node *b) {
  if (length(a) != length(b)) return 0;
  for (const qm_node *x = a->child; x; x = x->next)
    if (!equal(x, qm_node_get(b, (const char *)x->key.p))) return 0;
  return 1;
}

static int equal(const qm_node *a, const qm_node *b) {
  if (!a || !b || a->type == QM_NODE_NULL || b->type == QM_NODE_NULL)
    return (!a || a->type == QM_NODE_NULL) && (!b || b->type == QM_NODE_NULL);
  if (a->type != b->type) return 0;
  switch (a->type) {
    case QM_NODE_NUMBER: return equal_numbers(a->text, b->text);
    case QM_NODE_STRING: return qm_node_is(a, qm_node_string(b));
    case QM_NODE_ARRAY: return equal_arrays(a, b);
    case QM_NODE_OBJECT: return equal_objects(a, b);
    default: return 1;
  }
}

/* As it was, for people. */
static void put_node(qm_line *l, const qm_node *n) {
  static const char *const words[] = {"null", "false", "true"};
  n = plain(n);
  if (!n || n->type <= QM_NODE_TRUE) {
    qm_line_add(l, words[n ? n->type : 0]);
  } else if (n->type == QM_NODE_NUMBER) {
    qm_line_bytes(l, n->text.p, n->text.n);
  } else if (n->type == QM_NODE_STRING) {
    qm_line_json(l, n->text);
  } else {
    int object = n->type == QM_NODE_OBJECT;
    qm_line_add(l, object ? "{" : "[");
    for (const qm_node *c = n->child; c; c = c->next) {
      if (c != n->child) qm_line_add(l, ",");
      if (object) qm_line_json(l, c->key);
      if (object) qm_line_add(l, ":");
      put_node(l, c);
    }
    qm_line_add(l, object ? "}" : "]");
  }
}

/* wanted: a node of the file; got: what the library gave. */
static int judge_nodes(const check *x, const char *what, const qm_node *wanted, const qm_node *got,
                       qm_error *e) {
  qm_line want = QM_LINE_INIT, said = QM_LINE_INIT;
  qm_tree t = QM_TREE_INIT;
  int rc = qm_scenario_json(x->s, x->v, wanted, &want, e);
  if (rc == QM_OK) rc = qm_tree_read(&t, qm_line_slice(&want));
  if (rc == QM_OK && !equal(t.root, got)) put_node(&said, got);
  if (rc == QM_OK)
    qm_scenario_judge(x->s, what, qm_line_text(&want), said.n ? qm_line_text(&said) : NULL);
  qm_tree_free(&t);
  qm_line_free(&want);
  qm_line_free(&said);
  return rc;
}

static int judge_number(const check *x, const char *what, const qm_node *wanted, int64_t got,
                        qm_error *e) {
  char text[32];
  qm_tree t = QM_TREE_INIT;
  (void)snprintf(text, sizeof text, "%lld", (long long)got);
  int rc = qm_tree_read(&t, qm_str(text));
  if (rc == QM_OK) rc = judge_nodes(x, what, wanted, t.root, e);
  qm_tree_free(&t);
  return rc;
}

static void title(const check *x, qm_line *l, const char *what, qm_slice of) {
  qm_line_add(l, x->d->name);
  if (x->space.n) qm_line_format(l, " %s", qm_line_text(&x->space));
  qm_line_format(l, ": %s", what);
  if (of.n) qm_line_add(l, " ");
  if (of.n) (void)qm_scenario_text(x->v, of, l, NULL);
}

/* ---- a record ---- */

static int shows(const check *x, const qm_node *record, const char *list, const qm_node *want,
                 qm_slice name, qm_error *e) {
  int rc = QM_OK;
  for (const qm_node *f = want ? want->child : NULL; f && rc == QM_OK; f = f->next) {
    qm_line what = QM_LINE_INIT, values = QM_LINE_INIT;
    qm_tree t = QM_TREE_INIT;
    const qm_node *got = qm_node_get(qm_node_get(record, list), (const char *)f->key.p);
    title(x, &what, list, name);
    qm_line_format(&what, ".%s", (const char *)f->key.p);
    if (strcmp(list, "conflicts") == 0) { /* the values alone */
      qm_line_add(&values, "[");
      for (const qm_node *c = got ? got->child : NULL; c; c = c->next) {
        if (c != got->child) qm_line_add(&values, ",");
        put_node(&values, qm_node_get(c, "value"));
      }
      qm_line_add(&values, "]");
      rc = qm_tree_read(&t, qm_line_slice(&values));
      got = t.root;
    }
    if (rc == QM_OK) rc = judge_nodes(x, qm_line_text(&what), f, got, e);
    qm_tree_free(&t);
    qm_line_free(&values);
    qm_line_free(&what);
  }
  return rc;
}

/* The texts of what came back: entries of a log of maps that say "of" which answer they are. */
static int check_answered(const check *x, qm_line *what, const qm_node *record, const qm_node *want,
                          qm_error *e) {
  qm_line texts = QM_LINE_INIT;
  qm_tree t = QM_TREE_INIT;
  const qm_node *fields = qm_node_get(record, "fields");
  qm_line_add(&texts, "[");
  for (const qm_node *f = fields ? fields->child : NULL; f; f = f->next)
    for (const qm_node *n = f->type == QM_NODE_ARRAY ? f->child : NULL; n; n = n->next) {
      const qm_node *value = plain(n);
      if (!qm_node_get(value, "of")) continue;
      if (texts.n > 1) qm_line_add(&texts, ",");
      qm_line_json(&texts, qm_node_text(qm_node_get(value, "text")));
    }
  qm_line_add(&texts, "]");
  int rc = qm_tree_read(&t, qm_line_slice(&texts));
  if (rc == QM_OK) rc = judge_nodes(x, qm_line_text(what), want, t.root, e);
  qm_tree_free(&t);
  qm_line_free(&texts);
  return rc;
}

static int check_record(const check *x, qm_error *e) {
  qm_scenario_record r = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  const qm_node *name = qm_node_get(x->n, "record"), *is = qm_node_get(x->n, "is"),
                *proposed = qm_node_get(x->n, "proposed"), *hidden = qm_node_get(x->n, "hidden");
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_error why = {0, ""};
  qm_line what = QM_LINE_INIT;
  int rc = qm_scenario_record_of(x->s, x->v, name, qm_node_get(x->n, "in"), &r, e);
  if (rc != QM_OK) {
    qm_scenario_record_free(&r);
    return rc;
  }
  int got = qm_get(x->d->db, qm_line_slice(&r.space), qm_line_slice(&r.collection),
                   qm_line_slice(&r.record), 0, &t, &why);
  if (got == QM_OK) rc = qm_tree_read(&tree, qm_slice_of(t.p, t.n));
  title(x, &what, "record", qm_node_text(name));
  if (rc == QM_OK && is) {
    const char *state = got == QM_OK ? "here" : "absent";
    qm_scenario_judge(x->s, qm_line_text(&what), qm_node_string(is),
                      qm_node_is(is, state) ? NULL : state);
  } else if (rc == QM_OK && got != QM_OK) {
    qm_scenario_judge(x->s, qm_line_text(&what), "here", why.message);
  }
  if (rc == QM_OK && tree.root)
    rc = shows(x, tree.root, "fields", qm_node_get(x->n, "shows"), qm_node_text(name), e);
  if (rc == QM_OK && tree.root)
    rc = shows(x, tree.root, "conflicts", qm_node_get(x->n, "beside"), qm_node_text(name), e);
  if (rc == QM_OK && tree.root && proposed)
    rc = judge_nodes(x, qm_line_text(&what), proposed, qm_node_get(tree.root, "proposed"), e);
  const qm_node *answered = qm_node_get(x->n, "answered");
  if (rc == QM_OK && tree.root && answered) rc = check_answered(x, &what, tree.root, answered, e);
  if (rc == QM_OK && tree.root && hidden)
    rc = judge_nodes(x, qm_line_text(&what), hidden, qm_node_get(tree.root, "hidden"), e);
  qm_line_free(&what);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_scenario_record_free(&r);
  return rc;
}

/* ---- all records of a collection ---- */

typedef int (*each_record)(void *payload, const qm_node *record);

static int walk(const check *x, qm_slice space, qm_slice collection, each_record what,
                void *payload, qm_error *e) {
  char after[64] = "";
  for (;;) {
    qm_text t = {0};
    qm_tree tree = QM_TREE_INIT;
    qm_error why = {0, ""};
    qm_slice line;
    uint32_t n = 0;
    int rc = qm_list(x->d->db, space, collection, qm_str(after), 500, 0, &t, &why);
    if (rc == QM_ENOTFOUND) return QM_OK; /* this kind of space has no such collection */
    qm_slice rest = qm_slice_of(t.p, t.n);
    while (rc == QM_OK && qm_next_line(&rest, &line)) {
      rc = qm_tree_read(&tree, line);
      if (rc == QM_OK) rc = what(payload, tree.root);
      (void)snprintf(after, sizeof after, "%s", qm_node_string(qm_node_get(tree.root, "id")));
      n++;
    }
    qm_tree_free(&tree);
    qm_text_free(&t);
    if (rc != QM_OK) return qm_fail(e, rc, "%s", why.message);
    if (!n) return QM_OK;
  }
}

static int walk_all(const check *x, qm_slice collection, each_record what, void *payload,
                    qm_error *e) {
  int rc = QM_OK;
  if (x->space.n) return walk(x, qm_line_slice(&x->space), collection, what, payload, e);
  for (uint32_t i = 0; i < x->d->n_spaces && rc == QM_OK; i++)
    rc = walk(x, qm_str(x->d->spaces[i]), collection, what, payload, e);
  return rc;
}

typedef struct counting {
  const check *x;
  const qm_node *where;
  qm_tree wanted;
  int64_t n;
  int has_sum;
  const char *field;
} counting;

static int fits(const counting *c, const qm_node *record) {
  for (const qm_node *f = c->wanted.root ? c->wanted.root->child : NULL; f; f = f->next)
    if (!equal(f, qm_node_get(qm_node_get(record, "fields"), (const char *)f->key.p))) return 0;
  return 1;
}

/* A reversal of what was reversed already does not count (S22.7). */
static int counts(const qm_node *log, const qm_node *entry) {
  const qm_node *of = qm_node_get(qm_node_get(entry, "value"), "reverses");
  for (const qm_node *o = log->child; of && o != entry; o = o->next)
    if (qm_node_is(qm_node_get(qm_node_get(o, "value"), "reverses"), qm_node_string(of))) return 0;
  return 1;
}

static int add_up(void *payload, const qm_node *record) {
  counting *c = payload;
  const qm_node *f = c->field ? qm_node_get(qm_node_get(record, "fields"), c->field) : NULL;
  int64_t v = 0;
  if (!fits(c, record)) return QM_OK;
  if (!c->field) c->n++;
  else if (f && f->type == QM_NODE_NUMBER && qm_node_int(f, &v) == 0) c->n += v;
  else if (f && f->type == QM_NODE_ARRAY)
    for (const qm_node *entry = f->child; entry; entry = entry->next)
      if (counts(f, entry) &&
          qm_node_int(qm_node_get(qm_node_get(entry, "value"), "amount"), &v) == 0)
        c->n += v;
  return QM_OK;
}

/* "count": N, "of": COLLECTION; "sum": N, "of": COLLECTION.FIELD; "where": {FIELD: VALUE} */
static int check_count(const check *x, const char *key, qm_error *e) {
  qm_line want = QM_LINE_INIT, what = QM_LINE_INIT;
  counting c = {.x = x, .wanted = QM_TREE_INIT};
  char of[160];
  (void)snprintf(of, sizeof of, "%s", qm_node_string(qm_node_get(x->n, "of")));
  char *dot = strchr(of, '.');
  int rc = qm_scenario_json(x->s, x->v, qm_node_get(x->n, "where"), &want, e);
  if (rc == QM_OK) rc = qm_tree_read(&c.wanted, qm_line_slice(&want));
  if (dot) *dot = 0;
  if (dot) c.field = dot + 1;
  if (!*of || (strcmp(key, "sum") == 0) != (dot != NULL))
    rc = qm_fail(e, QM_EUSAGE, "%s: \"of\" is COLLECTION or, for a sum, COLLECTION.FIELD", key);
  if (rc == QM_OK) rc = walk_all(x, qm_str(of), add_up, &c, e);
  title(x, &what, key, qm_node_text(qm_node_get(x->n, "of")));
  if (qm_node_get(x->n, "where")) qm_line_format(&what, " %s", qm_line_text(&want));
  if (rc == QM_OK) rc = judge_number(x, qm_line_text(&what), qm_node_get(x->n, key), c.n, e);
  qm_tree_free(&c.wanted);
  qm_line_free(&want);
  qm_line_free(&what);
  return rc;
}

/* ---- lists that the library gives: as ["LABEL", "LABEL.FIELD", …] ---- */

typedef enum listed {
  LIST_CONFLICTS,
  LIST_OVERDUE,
  LIST_REFUSED,
  LIST_PROPOSALS,
  LIST_UNFIT
} listed;

static void put_place(const check *x, qm_line *l, const qm_node *n, listed kind) {
  qm_line name = QM_LINE_INIT;
  const char *label = qm_scenario_label_of(x->s, qm_node_text(qm_node_get(n, "id")));
  if (label) qm_line_add(&name, label);
  else
    qm_line_format(&name, "%s %.8s", qm_node_string(qm_node_get(n, "collection")),
                   qm_node_string(qm_node_get(n, "id")));
  int fields = kind == LIST_CONFLICTS || kind >= LIST_PROPOSALS;
  if (fields && qm_node_text(qm_node_get(n, "field")).n)
    qm_line_format(&name, ".%s", qm_node_string(qm_node_get(n, "field")));
  else if (kind == LIST_CONFLICTS)
    qm_line_format(&name, " %s", qm_node_string(qm_node_get(n, "class")));
  qm_line_add(&name, ""); /* a text in any case */
  if (!strstr(l->n ? qm_line_text(l) : "", qm_line_text(&name)) || kind != LIST_REFUSED) {
    if (l->n > 1) qm_line_add(l, ",");
    qm_line_json(l, qm_line_slice(&name));
  }
  qm_line_free(&name);
}

static int in_space(const check *x, const qm_node *n) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  int same = !x->space.n;
  qm_slice line, rest;
  if (same) return 1;
  if (qm_spaces(x->d->db, &t, NULL) != QM_OK) return 0;
  rest = qm_slice_of(t.p, t.n);
  while (!same && qm_next_line(&rest, &line) && qm_tree_read(&tree, line) == QM_OK)
    same = qm_node_is(qm_node_get(tree.root, "name"), qm_line_text(&x->space)) &&
           qm_node_is(qm_node_get(n, "space"), qm_node_string(qm_node_get(tree.root, "id")));
  qm_tree_free(&tree);
  qm_text_free(&t);
  return same;
}

static int ask(const check *x, listed kind, qm_text *t, qm_error *e) {
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  qm_slice space = qm_line_slice(&x->space);
  o.limit = 10000;
  switch (kind) {
    case LIST_CONFLICTS: return qm_review(x->d->db, space, &o, t, e);
    case LIST_PROPOSALS: return qm_proposals(x->d->db, space, 1000, 0, t, e);
    case LIST_UNFIT: return qm_unfit(x->d->db, space, 1000, 0, t, e);
    case LIST_OVERDUE: return qm_due(x->d->db, space, QM_OVERDUE, 1000, 0, t, e);
    default: return qm_export_refused(x->d->db, t, e);
  }
}

static int check_list(const check *x, const char *key, listed kind, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_line got = QM_LINE_INIT, what = QM_LINE_INIT;
  const qm_node *want = qm_node_get(x->n, key);
  qm_slice line;
  int rc = ask(x, kind, &t, e);
  qm_slice rest = qm_slice_of(t.p, t.n);
  qm_line_add(&got, "[");
  while (rc == QM_OK && qm_next_line(&rest, &line)) {
    rc = qm_tree_read(&tree, line);
    if (rc == QM_OK && qm_node_get(tree.root, "id") && in_space(x, tree.root))
      put_place(x, &got, tree.root, kind);
  }
  qm_line_add(&got, "]");
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_line_slice(&got));
  title(x, &what, key, qm_slice_of(NULL, 0));
  if (rc == QM_OK && want->type == QM_NODE_ARRAY)
    rc = judge_nodes(x, qm_line_text(&what), want, tree.root, e);
  else if (rc == QM_OK)
    rc = judge_number(x, qm_line_text(&what), want, (int64_t)length(tree.root), e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&got);
  qm_line_free(&what);
  return rc;
}

/* "due": {LABEL: "YYYY-MM-DD HH:MM" or null} */
static int check_due(const check *x, qm_error *e) {
  qm_text t = {0};
  qm_tree line_tree = QM_TREE_INIT, want_tree = QM_TREE_INIT;
  qm_line want = QM_LINE_INIT;
  int rc = qm_due(x->d->db, qm_line_slice(&x->space), 0, 1000, 0, &t, e);
  for (const qm_node *w = qm_node_get(x->n, "due")->child; w && rc == QM_OK; w = w->next) {
    qm_line name = QM_LINE_INIT, what = QM_LINE_INIT, got = QM_LINE_INIT;
    qm_slice rest = qm_slice_of(t.p, t.n), line;
    rc = qm_scenario_text(x->v, w->key, &name, e);
    const qm_scenario_label *l = qm_scenario_label_find(x->s, qm_line_text(&name));
    if (rc == QM_OK && !l) rc = qm_fail(e, QM_EUSAGE, "nothing is called %s", qm_line_text(&name));
    while (rc == QM_OK && !got.n && qm_next_line(&rest, &line)) {
      rc = qm_tree_read(&line_tree, line);
      if (rc == QM_OK && qm_node_is(qm_node_get(line_tree.root, "id"), l->id))
        qm_line_json(&got, qm_node_text(qm_node_get(line_tree.root, "due_text")));
    }
    if (!got.n) qm_line_add(&got, "null");
    if (rc == QM_OK) rc = qm_tree_read(&want_tree, qm_line_slice(&got));
    title(x, &what, "due", w->key);
    if (rc == QM_OK) rc = judge_nodes(x, qm_line_text(&what), w, want_tree.root, e);
    qm_line_free(&name);
    qm_line_free(&what);
    qm_line_free(&got);
  }
  qm_tree_free(&line_tree);
  qm_tree_free(&want_tree);
  qm_line_free(&want);
  qm_text_free(&t);
  return rc;
}

/* ---- the rest ---- */

/* Lines with "id" of a search, or of the inbox. */
static int check_lines(const check *x, const char *key, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_line text = QM_LINE_INIT, what = QM_LINE_INIT;
  int search = strcmp(key, "finds") == 0;
  int64_t n = 0;
  qm_slice line;
  int rc = search ? qm_scenario_text(x->v, qm_node_text(qm_node_get(x->n, "search")), &text, e)
                  : QM_OK;
  if (rc == QM_OK)
    rc = search ? qm_search(x->d->db, qm_line_slice(&x->space), qm_slice_of(NULL, 0),
                            qm_line_slice(&text), 1000, 0, &t, e)
                : qm_inbox(x->d->db, qm_line_slice(&x->space), 0, &t, e);
  qm_slice rest = qm_slice_of(t.p, t.n);
  while (rc == QM_OK && qm_next_line(&rest, &line)) {
    rc = qm_tree_read(&tree, line);
    n += rc == QM_OK && qm_node_get(tree.root, "id");
  }
  title(x, &what, search ? "search" : "inbox", qm_line_slice(&text));
  if (rc == QM_OK) rc = judge_number(x, qm_line_text(&what), qm_node_get(x->n, key), n, e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&text);
  qm_line_free(&what);
  return rc;
}

static int check_spaces(const check *x, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_line got = QM_LINE_INIT, what = QM_LINE_INIT;
  qm_slice line;
  int rc = qm_spaces(x->d->db, &t, e);
  qm_slice rest = qm_slice_of(t.p, t.n);
  qm_line_add(&got, "[");
  while (rc == QM_OK && qm_next_line(&rest, &line)) {
    rc = qm_tree_read(&tree, line);
    if (got.n > 1) qm_line_add(&got, ",");
    qm_line_json(&got, qm_node_text(qm_node_get(tree.root, "name")));
  }
  qm_line_add(&got, "]");
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_line_slice(&got));
  title(x, &what, "spaces", qm_slice_of(NULL, 0));
  if (rc == QM_OK)
    rc = judge_nodes(x, qm_line_text(&what), qm_node_get(x->n, "spaces"), tree.root, e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&got);
  qm_line_free(&what);
  return rc;
}

/* "sql": SELECT, "gives": [[VALUE, …], …] */
static int check_sql(const check *x, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_line sql = QM_LINE_INIT, got = QM_LINE_INIT, what = QM_LINE_INIT;
  qm_slice line;
  int rc = qm_scenario_text(x->v, qm_node_text(qm_node_get(x->n, "sql")), &sql, e);
  if (rc == QM_OK)
    rc = qm_sql(x->d->db, qm_line_slice(&sql), qm_slice_of(NULL, 0), 0, 0, &t, e);
  qm_slice rest = qm_slice_of(t.p, t.n);
  qm_line_add(&got, "[");
  while (rc == QM_OK && qm_next_line(&rest, &line)) {
    if (line.n && line.p[0] != '[') continue;
    if (got.n > 1) qm_line_add(&got, ",");
    qm_line_bytes(&got, line.p, line.n);
  }
  qm_line_add(&got, "]");
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_line_slice(&got));
  title(x, &what, "sql", qm_line_slice(&sql));
  if (rc == QM_OK)
    rc = judge_nodes(x, qm_line_text(&what), qm_node_get(x->n, "gives"), tree.root, e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&sql);
  qm_line_free(&got);
  qm_line_free(&what);
  return rc;
}

/* A plain search: files are small. */
static int file_holds(const char *path, qm_slice text) {
  static const size_t piece = 1 << 16;
  char *p = malloc(piece + text.n);
  FILE *in = p ? fopen(path, "rb") : NULL;
  size_t kept = 0, n;
  int found = 0;
  while (in && !found && (n = fread(p + kept, 1, piece, in)) > 0) {
    n += kept;
    for (size_t i = 0; !found && i + text.n <= n; i++)
      found = p[i] == (char)text.p[0] && memcmp(p + i, text.p, text.n) == 0;
    kept = n < text.n ? n : text.n - 1;
    memmove(p, p + n - kept, kept);
  }
  if (in) (void)fclose(in);
  free(p);
  return found;
}

/* "never_held": TEXT: no byte of the device's files says so; "held": one does. */
static int check_bytes(const check *x, const char *key, qm_error *e) {
  char own[32], path[QM_SCENARIO_PATH + 300];
  qm_line text = QM_LINE_INIT, what = QM_LINE_INIT;
  const struct dirent *entry;
  int found = 0, wanted = strcmp(key, "held") == 0;
  int rc = qm_scenario_text(x->v, qm_node_text(qm_node_get(x->n, key)), &text, e);
  DIR *dir = rc == QM_OK ? opendir(x->s->dir) : NULL;
  (void)snprintf(own, sizeof own, "device-%u.db", (unsigned)(x->d - x->s->devices));
  if (rc == QM_OK && text.n < 4) rc = qm_fail(e, QM_EUSAGE, "%s: at least four bytes", key);
  while (rc == QM_OK && dir && (entry = readdir(dir)) != NULL) {
    if (strncmp(entry->d_name, own, strlen(own)) != 0) continue;
    (void)snprintf(path, sizeof path, "%s/%s", x->s->dir, entry->d_name);
    found |= file_holds(path, qm_line_slice(&text));
  }
  if (dir) (void)closedir(dir);
  title(x, &what, key, qm_line_slice(&text));
  if (rc == QM_OK)
    qm_scenario_judge(x->s, qm_line_text(&what), wanted ? "yes" : "no",
                      found == wanted ? NULL : found ? "yes" : "no");
  qm_line_free(&text);
  qm_line_free(&what);
  return rc;
}

static int digest_of(const check *x, const qm_scenario_device *d, char out[80]) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  int rc = qm_status(d->db, QM_FAST, &t, NULL);
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_slice_of(t.p, t.n));
  const qm_node *list = rc == QM_OK ? qm_node_get(tree.root, "spaces") : NULL;
  (void)snprintf(out, 80, "-");
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (qm_node_is(qm_node_get(n, "name"), qm_line_text(&x->space)))
      (void)snprintf(out, 80, "%s", qm_node_string(qm_node_get(n, "digest")));
  qm_tree_free(&tree);
  qm_text_free(&t);
  return rc;
}

/* "alike": [DEVICE, …]: they hold the same of the space. */
static int check_alike(const check *x, qm_error *e) {
  char first[80], other[80];
  int rc = digest_of(x, x->d, first);
  const qm_node *list = qm_node_get(x->n, "alike");
  for (const qm_node *n = list->child; n && rc == QM_OK; n = n->next) {
    qm_line name = QM_LINE_INIT, what = QM_LINE_INIT;
    rc = qm_scenario_text(x->v, qm_node_text(n), &name, e);
    const qm_scenario_device *d = qm_scenario_device_named(x->s, qm_line_text(&name));
    if (rc == QM_OK && !d)
      rc = qm_fail(e, QM_EUSAGE, "no device is called %s", qm_line_text(&name));
    if (rc == QM_OK) rc = digest_of(x, d, other);
    title(x, &what, "alike", qm_line_slice(&name));
    if (rc == QM_OK)
      qm_scenario_judge(x->s, qm_line_text(&what), first,
                        strcmp(first, "-") != 0 && strcmp(first, other) == 0 ? NULL : other);
    qm_line_free(&name);
    qm_line_free(&what);
  }
  return rc;
}

static int one_device(check *x, qm_error *e) {
  static const char *const counts_of[] = {"count", "sum"};
  static const char *const bytes[] = {"never_held", "held"};
  /* As in `listed`. */
  static const char *const lists[] = {"conflicts", "overdue",   "set_aside",
                                      "proposals", "unfit", NULL};
  int known = 0, rc = QM_OK;
  if (qm_node_get(x->n, "record")) known = 1, rc = check_record(x, e);
  for (int i = 0; i < 2 && rc == QM_OK; i++)
    if (qm_node_get(x->n, counts_of[i])) known = 1, rc = check_count(x, counts_of[i], e);
  for (int i = 0; i < 2 && rc == QM_OK; i++)
    if (qm_node_get(x->n, bytes[i])) known = 1, rc = check_bytes(x, bytes[i], e);
  for (int i = 0; lists[i] && rc == QM_OK; i++)
    if (qm_node_get(x->n, lists[i])) known = 1, rc = check_list(x, lists[i], (listed)i, e);
  if (rc == QM_OK && qm_node_get(x->n, "due")) known = 1, rc = check_due(x, e);
  if (rc == QM_OK && qm_node_get(x->n, "finds")) known = 1, rc = check_lines(x, "finds", e);
  if (rc == QM_OK && qm_node_get(x->n, "inbox")) known = 1, rc = check_lines(x, "inbox", e);
  if (rc == QM_OK && qm_node_get(x->n, "spaces")) known = 1, rc = check_spaces(x, e);
  if (rc == QM_OK && qm_node_get(x->n, "sql")) known = 1, rc = check_sql(x, e);
  if (rc == QM_OK && qm_node_get(x->n, "alike")) known = 1, rc = check_alike(x, e);
  if (rc == QM_OK && !known) rc = qm_fail(e, QM_EUSAGE, "an expectation that expects nothing");
  return rc;
}

int qm_scenario_expect(qm_scenario *s, const qm_scenario_vars *v, const qm_node *n, qm_error *e) {
  const qm_node *on = qm_node_get(n, "on"), *in = qm_node_get(n, "in");
  check x = {.s = s, .v = v, .n = n, .space = QM_LINE_INIT};
  int rc = in ? qm_scenario_text(v, qm_node_text(in), &x.space, e) : QM_OK;
  const qm_node *d = on && on->type == QM_NODE_ARRAY ? on->child : on;
  if (rc == QM_OK && !d) rc = qm_fail(e, QM_EUSAGE, "an expectation says \"on\" which device");
  for (; d && rc == QM_OK; d = on->type == QM_NODE_ARRAY ? d->next : NULL) {
    qm_line name = QM_LINE_INIT;
    rc = qm_scenario_text(v, qm_node_text(d), &name, e);
    x.d = rc == QM_OK ? qm_scenario_device_named(s, qm_line_text(&name)) : NULL;
    if (rc == QM_OK && !x.d)
      rc = qm_fail(e, QM_EUSAGE, "no device is called %s", qm_line_text(&name));
    if (rc == QM_OK) rc = one_device(&x, e);
    qm_line_free(&name);
  }
  qm_line_free(&x.space);
  return rc;
}
