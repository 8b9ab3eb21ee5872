/* verb_inbox.c: what became of this device's own values. */
#include <string.h>

#include "adapters/cli/verb.h"

static const char *reason_word(const qm_ctx *c, const qm_node *n) {
  const qm_node *reason = qm_node_get(n, "reason");
  if (qm_node_is(reason, "unread")) return QM_SAY(c, INBOX_UNREAD);
  if (qm_node_is(reason, "concurrent")) return QM_SAY(c, INBOX_CONCURRENT);
  return qm_node_true(qm_node_get(qm_node_get(n, "after"), "hub")) ? QM_SAY(c, INBOX_SETTLED_HUB)
                                                                   : QM_SAY(c, INBOX_SETTLED);
}

static void put_value(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value) {
  if (!field && qm_node_is(value, "deleted")) qm_line_add(l, QM_SAY(c, INBOX_DELETED));
  else if (!field && qm_node_is(value, "edited")) qm_line_add(l, QM_SAY(c, INBOX_EDITED));
  else qm_verb_value(c, l, field, value, " ");
}

static int same_value(const qm_node *a, const qm_node *b) {
  return a && b && a->type == b->type && a->text.n == b->text.n &&
         (!a->text.n || memcmp(a->text.p, b->text.p, a->text.n) == 0);
}

static void put_head(const qm_ctx *c, qm_line *l, const qm_node *n, const qm_node *field,
                     int with_space) {
  qm_line place = QM_LINE_INIT, what = QM_LINE_INIT;
  qm_verb_place(c, &place, n, with_space);
  if (field) {
    qm_line_add(&what, " · ");
    qm_line_clean(&what, qm_verb_label(c, field), " ");
  }
  if (c->cli.color && !qm_node_true(qm_node_get(n, "read"))) qm_line_add(l, "\033[1m");
  qm_line_format(l, QM_SAY(c, INBOX_HEAD), qm_node_string(qm_node_get(n, "item")),
                 qm_line_text(&place), qm_line_text(&what));
  qm_line_add(l, reason_word(c, n));
  qm_line_add(l, c->cli.color ? "\033[0m\n" : "\n");
  qm_line_free(&place);
  qm_line_free(&what);
}

static void put_entry(const qm_ctx *c, qm_line *l, const qm_node *n, int with_space) {
  const qm_node *field = qm_verb_field_of(c, n), *before = qm_node_get(n, "before");
  const qm_node *after = qm_node_get(n, "after"), *now = qm_node_get(n, "now");
  qm_line value = QM_LINE_INIT, at = QM_LINE_INIT, who = QM_LINE_INIT;
  put_head(c, l, n, field, with_space);
  put_value(c, &value, field, qm_node_get(before, "value"));
  qm_verb_time(&at, qm_node_get(before, "time"), "");
  if (at.n) qm_line_format(l, QM_SAY(c, INBOX_YOURS), qm_line_text(&value), qm_line_text(&at));
  else qm_line_format(l, QM_SAY(c, INBOX_YOURS_ONLY), qm_line_text(&value));
  qm_line_clear(&value);
  qm_line_clear(&at);
  put_value(c, &value, field, qm_node_get(after, "value"));
  qm_verb_who(c, &who, after);
  qm_verb_time(&at, qm_node_get(after, "time"), "");
  if (at.n)
    qm_line_format(l, QM_SAY(c, INBOX_THEIRS), qm_line_text(&value), qm_line_text(&who),
                   qm_line_text(&at));
  else qm_line_format(l, QM_SAY(c, INBOX_THEIRS_ONLY), qm_line_text(&value), qm_line_text(&who));
  qm_line_clear(&value);
  put_value(c, &value, field, now);
  if (same_value(now, qm_node_get(before, "value"))) qm_line_add(l, QM_SAY(c, INBOX_BACK));
  else if (now && !same_value(now, qm_node_get(after, "value")))
    qm_line_format(l, QM_SAY(c, INBOX_NOW), qm_line_text(&value));
  qm_line_free(&value);
  qm_line_free(&at);
  qm_line_free(&who);
}

static int print_entries(qm_ctx *c, const qm_text *text) {
  qm_line held = QM_LINE_INIT, l = QM_LINE_INIT, item = QM_LINE_INIT;
  qm_tree t = QM_TREE_INIT;
  qm_slice rest = qm_slice_of(text->p, text->n), line;
  int several = qm_verb_spaces_count(c) > 1 && !c->values[QM_OPT_SPACE];
  int exit_code = QM_EXIT_DONE;
  while (!exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code || !qm_node_get(t.root, "item")) break;
    exit_code = qm_verb_schema_of(c, &held, qm_node_text(qm_node_get(t.root, "space")));
    if (!item.n) qm_line_format(&item, "%.5s", qm_node_string(qm_node_get(t.root, "item")));
    if (!exit_code) put_entry(c, &l, t.root, several);
  }
  if (!exit_code && !item.n) qm_cli_print(&c->cli, stdout, QM_SAY_INBOX_NONE);
  if (!exit_code) exit_code = qm_verb_print(c, &l);
  if (!exit_code && item.n)
    qm_cli_print(&c->cli, stdout, QM_SAY_INBOX_HINT, c->cli.program, qm_line_text(&item),
                 c->cli.program);
  qm_line_free(&held);
  qm_line_free(&item);
  qm_line_free(&l);
  qm_tree_free(&t);
  return exit_code;
}

static int show(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_inbox(c->db, qm_verb_space(c), c->values[QM_OPT_ALL] ? 0 : QM_UNREAD, &text, &e) !=
      QM_OK)
    return qm_verb_failed(c, &e);
  if (c->cli.json) qm_verb_print_lines(&text);
  else exit_code = print_entries(c, &text);
  qm_text_free(&text);
  return exit_code;
}

int qm_verb_inbox(qm_ctx *c) {
  const char *what = c->n_args ? c->args[0] : NULL;
  qm_slice item = qm_str(c->n_args > 1 ? c->args[1] : NULL);
  qm_error e = {0};
  if (!what) return show(c);
  int reads = strcmp(what, "read") == 0, restores = strcmp(what, "restore") == 0;
  if (!reads && !(restores && item.n))
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_INBOX_BAD, what);
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  int rc = reads ? qm_inbox_seen(c->db, item, &e) : qm_inbox_restore(c->db, item, &e);
  if (rc != QM_OK) return qm_verb_failed(c, &e);
  if (c->cli.json) printf(reads ? "{\"read\":true}\n" : "{\"restored\":true}\n");
  else if (reads) qm_cli_print(&c->cli, stdout, QM_SAY_INBOX_DONE);
  else qm_cli_print(&c->cli, stdout, QM_SAY_INBOX_RESTORED, c->cli.program);
  return QM_EXIT_DONE;
}
