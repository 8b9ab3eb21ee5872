/* verb_settle.c: deciding an item of the list of conflicts as it was read, and taking that back. */
#include <string.h>

#include "adapters/cli/verb_reading.h"

static int same(qm_slice a, qm_slice b) { return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)); }

/* The conflict of the same field (or class, of the record as a whole) as it stands, in t; not
 * there any more: t is empty. */
static int find_now(qm_ctx *c, const qm_reading *r, qm_tree *t) {
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  qm_text text = {0};
  qm_error e = {0};
  qm_slice rest, line;
  int exit_code = QM_EXIT_DONE, found = 0;
  o.collection = r->column[QM_READING_COLLECTION];
  o.record = r->column[QM_READING_RECORD];
  o.limit = UINT32_MAX;
  if (qm_review(c->db, r->column[QM_READING_SPACE], &o, &text, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  while (!exit_code && !found && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, t, line);
    if (exit_code || !qm_node_get(t->root, "item")) continue;
    qm_slice field = qm_node_text(qm_node_get(t->root, "field"));
    found = same(field, r->column[QM_READING_FIELD]) &&
            (field.n || same(qm_node_text(qm_node_get(t->root, "class")),
                             r->column[QM_READING_CLASS]));
  }
  if (!found) qm_tree_free(t);
  qm_text_free(&text);
  return exit_code;
}

/* The value that was listed under this number, as it stands; reports what is wrong. */
static int find_value(qm_ctx *c, const qm_reading *r, const qm_node *now, const char *number,
                      const qm_node **out) {
  const char *item = c->args[0];
  const qm_node *values = qm_node_get(now, "values");
  int64_t n = 0;
  *out = NULL;
  qm_slice wanted = {NULL, 0};
  if (qm_cli_number(number, 1, 1000000, &n) == 0) wanted = qm_reading_nth(r, n);
  if (!wanted.n)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SETTLE_BAD_TAKE, item, number);
  for (const qm_node *v = values ? values->child : NULL; v && !*out; v = v->next) {
    qm_line l = QM_LINE_INIT;
    qm_reading_value(&l, v);
    if (same(qm_line_slice(&l), wanted)) *out = v;
    qm_line_free(&l);
  }
  return *out ? QM_EXIT_DONE
              : qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_SETTLE_GONE, item, number);
}

/* ---- writing ---- */

typedef struct decision {
  qm_slice value;
  uint32_t flags;
  int presence; /* 1: keep the record; 2: delete it */
} decision;

static int write_in(qm_tx *tx, const qm_reading *r, const decision *d, qm_error *e) {
  qm_slice in = r->column[QM_READING_COLLECTION], record = r->column[QM_READING_RECORD];
  int rc = qm_shown(tx, r->column[QM_READING_TOKEN], e);
  if (rc == QM_EFORMAT) e->code = rc = QM_EINVAL;
  if (rc != QM_OK) return rc;
  if (d->presence == 1) return qm_restore(tx, in, record, e);
  if (d->presence == 2) return qm_delete(tx, in, record, e);
  return qm_settle(tx, in, record, r->column[QM_READING_FIELD], d->value, d->flags, e);
}

static int write_decision(qm_ctx *c, const qm_reading *r, const decision *d) {
  qm_error e = {0};
  qm_tx *tx;
  if (qm_begin(c->db, r->column[QM_READING_SPACE], &tx, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  int rc = write_in(tx, r, d, &e);
  if (rc == QM_OK) rc = qm_commit(tx, &e);
  else qm_cancel(tx);
  return rc == QM_OK ? QM_EXIT_DONE : qm_verb_failed(c, &e);
}

/* What the settle that was just made is called. */
static void newest_settle(qm_ctx *c, qm_slice space, qm_line *out) {
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  if (qm_settles(c->db, space, &text, NULL) != QM_OK) return;
  rest = qm_slice_of(text.p, text.n);
  if (qm_next_line(&rest, &line) && qm_tree_read(&t, line) == QM_OK)
    qm_line_format(out, "%.5s", qm_node_string(qm_node_get(t.root, "item")));
  qm_tree_free(&t);
  qm_text_free(&text);
}

static int report(qm_ctx *c, const qm_reading *r, const decision *d) {
  qm_line undo = QM_LINE_INIT, l = QM_LINE_INIT;
  qm_tree t = QM_TREE_INIT;
  int exit_code = find_now(c, r, &t);
  if (!d->presence) newest_settle(c, r->column[QM_READING_SPACE], &undo);
  if (!exit_code && c->cli.json) {
    qm_line_format(&l, "{\"settled\":\"%.8s\",\"undo\":", (const char *)r->text.p);
    qm_line_json(&l, qm_line_slice(&undo));
    qm_line_format(&l, ",\"listed_still\":%s}\n", t.root ? "true" : "false");
    exit_code = qm_verb_print(c, &l);
  } else if (!exit_code) {
    qm_cli_print(&c->cli, stdout, QM_SAY_SETTLED, c->args[0]);
    if (undo.n)
      qm_cli_print(&c->cli, stdout, QM_SAY_SETTLED_UNDO, c->cli.program, qm_line_text(&undo));
    if (t.root) qm_cli_print(&c->cli, stdout, QM_SAY_SETTLED_LEFT, c->cli.program);
  }
  qm_line_free(&undo);
  qm_tree_free(&t);
  return exit_code;
}

/* ---- of a field ---- */

static int decide_field(qm_ctx *c, const qm_reading *r, const qm_node *now, decision *d) {
  const char *take = c->values[QM_OPT_TAKE], *value = c->values[QM_OPT_VALUE];
  const qm_node *v;
  qm_line held = QM_LINE_INIT;
  if (take) {
    int exit_code = find_value(c, r, now, take, &v);
    if (exit_code) return exit_code;
    v = qm_node_get(v, "value");
    /* As JSON: a string's node holds it unescaped. */
    d->flags = v->type == QM_NODE_STRING ? 0 : QM_JSON;
    d->value = v->text;
    if (v->type == QM_NODE_NULL) d->value = qm_str("null");
    return QM_EXIT_DONE;
  }
  int exit_code = qm_verb_schema_of(c, &held, r->column[QM_READING_SPACE]);
  qm_line_free(&held);
  if (exit_code) return exit_code;
  const qm_node *field = qm_verb_field_of(c, now);
  qm_assignment a = {r->column[QM_READING_FIELD], value, 0};
  if (field) exit_code = qm_verb_item(c, field, &a);
  if (field) qm_verb_clearing(field, &a);
  d->value = qm_str(a.value);
  d->flags = a.flags;
  return exit_code;
}

/* ---- of a record as a whole ---- */

static int decide_presence(qm_ctx *c, const qm_reading *r, const qm_node *now, decision *d) {
  const qm_node *v;
  int exit_code = find_value(c, r, now, c->values[QM_OPT_TAKE], &v);
  if (exit_code) return exit_code;
  d->presence = qm_node_is(qm_node_get(v, "value"), "deleted") ? 2 : 1;
  return exit_code;
}

/* Merged by one, taken out by another: the pair is any other of the merged ones. */
static int settle_unmerged(qm_ctx *c, const qm_reading *r) {
  const char *take = c->values[QM_OPT_TAKE];
  qm_slice in = r->column[QM_READING_COLLECTION], out = qm_reading_nth(r, 1);
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  qm_error e = {0};
  qm_tx *tx;
  if (strcmp(take, "1") != 0 && strcmp(take, "2") != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SETTLE_BAD_TAKE, c->args[0], take);
  int rc = qm_get(c->db, r->column[QM_READING_SPACE], in, out, QM_DELETED, &text, &e);
  if (rc == QM_OK) rc = qm_tree_read(&t, qm_slice_of(text.p, text.n));
  const qm_node *merged = qm_node_get(t.root, "merged");
  qm_slice other = qm_node_text(qm_node_get(t.root, "id"));
  if (same(other, out) && merged && merged->child) other = qm_node_text(merged->child);
  if (rc == QM_OK) rc = qm_begin(c->db, r->column[QM_READING_SPACE], &tx, &e);
  if (rc == QM_OK) {
    rc = take[0] == '1' ? qm_merge(tx, in, out, other, &e) : qm_unmerge(tx, in, out, &e);
    if (rc == QM_OK) rc = qm_commit(tx, &e);
    else qm_cancel(tx);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return rc == QM_OK ? QM_EXIT_DONE : qm_verb_failed(c, &e);
}

static int settle_record(qm_ctx *c, const qm_reading *r, const qm_node *now, decision *d) {
  qm_slice cls = r->column[QM_READING_CLASS];
  if (same(cls, qm_str("same-key")) || same(cls, qm_str("clash")))
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SETTLE_BY_HAND, c->args[0]);
  if (!c->values[QM_OPT_TAKE])
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SETTLE_NO_VALUE, c->args[0]);
  if (same(cls, qm_str("unmerged"))) {
    d->presence = 3;
    return settle_unmerged(c, r);
  }
  int exit_code = decide_presence(c, r, now, d);
  return exit_code ? exit_code : write_decision(c, r, d);
}

static int settle_read(qm_ctx *c, const qm_reading *r) {
  decision d = {{NULL, 0}, 0, 0};
  qm_tree t = QM_TREE_INIT;
  int exit_code = find_now(c, r, &t);
  if (!exit_code && !t.root)
    exit_code = qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_SETTLE_OVER, c->args[0]);
  if (!exit_code && r->column[QM_READING_FIELD].n) {
    exit_code = decide_field(c, r, t.root, &d);
    if (!exit_code) exit_code = write_decision(c, r, &d);
  } else if (!exit_code) {
    exit_code = settle_record(c, r, t.root, &d);
  }
  qm_tree_free(&t);
  return exit_code ? exit_code : report(c, r, &d);
}

int qm_verb_settle_item(qm_ctx *c) {
  qm_reading r;
  if (c->n_args != 1) return qm_help_many(c);
  if (!c->values[QM_OPT_TAKE] == !c->values[QM_OPT_VALUE])
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SETTLE_ONE_OF);
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  exit_code = qm_reading_find(c, c->args[0], &r);
  if (exit_code) return exit_code;
  exit_code = settle_read(c, &r);
  qm_reading_free(&r);
  return exit_code;
}

/* ---- undo ---- */

int qm_verb_undo(qm_ctx *c) {
  qm_error e = {0};
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  int rc = qm_undo(c->db, qm_str(c->n_args ? c->args[0] : NULL), &e);
  if (rc == QM_ENOTFOUND) return qm_cli_refuse(&c->cli, rc, QM_SAY_UNDO_NONE);
  if (rc == QM_ESTALE) return qm_cli_refuse(&c->cli, rc, QM_SAY_UNDO_STALE);
  if (rc != QM_OK) return qm_verb_failed(c, &e);
  if (c->cli.json) printf("{\"undone\":true}\n");
  else qm_cli_print(&c->cli, stdout, QM_SAY_UNDONE, c->cli.program);
  return QM_EXIT_DONE;
}
