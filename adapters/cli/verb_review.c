/* verb_review.c: the list of conflicts, and which collection one of them is in. */
#include <string.h>

#include "adapters/cli/verb.h"

typedef struct review {
  int count;
  /* Of the conflict that the hint is about: the first one of a field, else the first. */
  qm_line collection, id, field, class_name;
} review;

static const qm_node *by_name(const qm_node *list, const qm_node *name) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (name && qm_node_is(name, qm_node_string(qm_node_get(n, "name")))) return n;
  return NULL;
}

static const char *class_word(const qm_ctx *c, const qm_node *class_name) {
  static const struct {
    const char *name;
    qm_say_id say;
  } words[] = {{"sibling", QM_SAY_CLASS_SIBLING},
               {"unread", QM_SAY_CLASS_UNREAD},
               {"contradict", QM_SAY_CLASS_CONTRADICT},
               {"deleted", QM_SAY_CLASS_DELETED},
               {"same-key", QM_SAY_CLASS_SAME_KEY},
               {"merge", QM_SAY_CLASS_MERGE},
               {"unmerged", QM_SAY_CLASS_UNMERGED}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (qm_node_is(class_name, words[i].name)) return qm_say(c->cli.lang, words[i].say);
  return qm_node_string(class_name);
}

/* What people call the record: its natural key, else its naming fields. */
static void put_title(qm_ctx *c, qm_line *l, const qm_node *collection, const qm_node *id) {
  const qm_node *key = qm_node_get(collection, "key"), *all = qm_node_get(collection, "fields");
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  int shown = 0;
  if (qm_get(c->db, qm_verb_space(c), qm_verb_name(collection), qm_node_text(id), QM_DELETED, &text,
             NULL) == QM_OK &&
      qm_tree_read(&t, qm_slice_of(text.p, text.n)) == QM_OK) {
    const qm_node *fields = qm_node_get(t.root, "fields");
    for (const qm_node *f = all ? all->child : NULL; f && shown < 2; f = f->next) {
      const char *name = qm_node_string(qm_node_get(f, "name"));
      const qm_node *value = qm_node_get(fields, name);
      int names = (key && qm_node_is(key, name)) || qm_node_true(qm_node_get(f, "naming"));
      if (!names || !value) continue;
      qm_line_add(l, shown++ ? " " : " · ");
      qm_verb_value(c, l, f, value, " ");
    }
  }
  qm_tree_free(&t);
  qm_text_free(&text);
}

/* Of a record that one deleted and another edited, the "values" are what they did. */
static void put_value(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *v) {
  const qm_node *value = qm_node_get(v, "value");
  if (!field && qm_node_is(value, "deleted")) qm_line_add(l, QM_SAY(c, OP_DELETE));
  else if (!field && qm_node_is(value, "new")) qm_line_add(l, QM_SAY(c, OP_NEW));
  else if (!field && qm_node_is(value, "edited")) qm_line_add(l, QM_SAY(c, OP_EDIT));
  else qm_verb_value(c, l, field, value, " ");
}

static size_t widest_value(const qm_ctx *c, const qm_node *field, const qm_node *values) {
  size_t widest = 0;
  for (const qm_node *v = values ? values->child : NULL; v; v = v->next) {
    qm_line l = QM_LINE_INIT;
    put_value(c, &l, field, v);
    size_t n = qm_columns(qm_line_slice(&l));
    qm_line_free(&l);
    if (n > widest) widest = n;
  }
  return widest < QM_TABLE_CELL_MAX ? widest : QM_TABLE_CELL_MAX;
}

static void put_values(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *values) {
  size_t widest = widest_value(c, field, values);
  for (const qm_node *v = values ? values->child : NULL; v; v = v->next) {
    qm_line value = QM_LINE_INIT;
    /* Both creations of a record show: there a mark would say nothing. */
    int marked = qm_node_true(qm_node_get(v, "shown")) &&
                 !qm_node_is(qm_node_get(v, "class"), "same-key");
    qm_line_add(l, marked ? "  * " : "    ");
    put_value(c, &value, field, v);
    size_t from = l->n;
    qm_line_add(l, qm_line_text(&value));
    qm_pad(l, from, widest + 2);
    if (qm_node_get(v, "device")) qm_verb_stamp(c, l, v);
    if (qm_node_is(qm_node_get(v, "class"), "unread"))
      qm_line_format(l, " (%s)", QM_SAY(c, CLASS_UNREAD));
    qm_line_add(l, "\n");
    qm_line_free(&value);
  }
}

static void note_for_hint(review *r, const qm_node *conflict) {
  if (r->count++ && (r->field.n || !qm_node_text(qm_node_get(conflict, "field")).n)) return;
  qm_line_clear(&r->collection);
  qm_line_clear(&r->id);
  qm_line_clear(&r->class_name);
  qm_line_add(&r->collection, qm_node_string(qm_node_get(conflict, "collection")));
  qm_line_add(&r->id, qm_node_string(qm_node_get(conflict, "id")));
  qm_line_add(&r->field, qm_node_string(qm_node_get(conflict, "field")));
  qm_line_add(&r->class_name, qm_node_string(qm_node_get(conflict, "class")));
}

static int print_conflict(qm_ctx *c, review *r, const qm_node *conflict) {
  const qm_node *collection =
      by_name(qm_node_get(c->schema.root, "collections"), qm_node_get(conflict, "collection"));
  const qm_node *field = by_name(qm_node_get(collection, "fields"), qm_node_get(conflict, "field"));
  qm_line l = QM_LINE_INIT;
  if (r->count) qm_line_add(&l, "\n");
  note_for_hint(r, conflict);
  if (c->cli.color) qm_line_add(&l, "\033[1m");
  qm_line_clean(&l, qm_node_text(qm_node_get(conflict, "collection")), " ");
  qm_line_format(&l, " %.8s", qm_node_string(qm_node_get(conflict, "id")));
  put_title(c, &l, collection, qm_node_get(conflict, "id"));
  if (field) {
    qm_line_add(&l, " · ");
    qm_verb_titled(c, &l, field);
  }
  qm_line_format(&l, QM_SAY(c, CONFLICT_CLASS), class_word(c, qm_node_get(conflict, "class")));
  qm_line_add(&l, c->cli.color ? "\033[0m\n" : "\n");
  put_values(c, &l, field, qm_node_get(conflict, "values"));
  return qm_verb_print(c, &l);
}

static void print_hint(const qm_ctx *c, const review *r) {
  const char *program = c->cli.program, *class_name = qm_line_text(&r->class_name);
  const char *collection = qm_line_text(&r->collection), *id = qm_line_text(&r->id);
  if (r->count == 0) {
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_NONE);
    return;
  }
  if (r->count == 1) qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_ONE);
  else qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_COUNT, r->count);
  if (r->field.n)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT, program, collection, id,
                 qm_line_text(&r->field));
  else if (strcmp(class_name, "deleted") == 0)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT_DELETED, program, collection, id, program,
                 collection, id);
  else if (strcmp(class_name, "unmerged") == 0)
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT_UNMERGED, program, collection, id, program,
                 collection);
  else qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_HINT_KEY, program, program);
}

int qm_verb_conflicts(qm_ctx *c) {
  const qm_node *collection = NULL;
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  review r = {0, QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code && c->n_args) exit_code = qm_verb_collection(c, c->args[0], &collection);
  if (exit_code) return exit_code;
  if (qm_conflicts(c->db, qm_verb_space(c), qm_verb_name(collection), &text, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  if (c->cli.json) {
    qm_verb_print_lines(&text);
  } else {
    while (!exit_code && qm_next_line(&rest, &line)) {
      exit_code = qm_verb_parse(c, &t, line);
      if (!exit_code) exit_code = print_conflict(c, &r, t.root);
    }
    if (!exit_code) print_hint(c, &r);
  }
  qm_line_free(&r.collection);
  qm_line_free(&r.id);
  qm_line_free(&r.field);
  qm_line_free(&r.class_name);
  qm_tree_free(&t);
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
