/* verb_changes.c: what changed since a cursor, and following it. */
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/verb.h"

#define CURSOR_MAX 64u
#define ID_SHORT 8u

typedef struct following {
  qm_ctx *c;
  char cursor[CURSOR_MAX];
  long left; /* lines; -1: without end */
} following;

static void put_fields(const qm_ctx *c, qm_line *l, const qm_node *change) {
  const qm_node *fields = qm_node_get(change, "fields");
  if (qm_node_true(qm_node_get(change, "presence"))) qm_line_add(l, QM_SAY(c, CHANGES_PRESENCE));
  for (const qm_node *n = fields ? fields->child : NULL; n; n = n->next) {
    if (l->n) qm_line_add(l, ", ");
    qm_line_clean(l, n->text, " ");
  }
  if (!qm_node_true(qm_node_get(change, "set_aside"))) return;
  if (l->n) qm_line_add(l, ", ");
  qm_line_add(l, QM_SAY(c, CHANGES_SET_ASIDE));
}

static const char *where(const qm_ctx *c, const qm_node *change) {
  int local = qm_node_true(qm_node_get(change, "local"));
  if (!qm_node_true(qm_node_get(change, "remote"))) return QM_SAY(c, CHANGES_HERE);
  return local ? QM_SAY(c, CHANGES_BOTH) : QM_SAY(c, CHANGES_ELSEWHERE);
}

/* "household 4Q0ZABCD  phone, tags  (elsewhere)" */
static void put_change(const qm_ctx *c, qm_line *l, const qm_node *change) {
  const qm_node *collection = qm_node_get(change, "collection");
  qm_slice id = qm_node_text(qm_node_get(change, "id"));
  qm_line fields = QM_LINE_INIT;
  if (qm_node_true(qm_node_get(change, "all"))) {
    qm_line_add(l, QM_SAY(c, CHANGES_ALL));
    return;
  }
  put_fields(c, &fields, change);
  if (collection && collection->type == QM_NODE_STRING) qm_line_clean(l, collection->text, " ");
  else qm_line_add(l, "?");
  qm_line_add(l, " ");
  qm_line_bytes(l, id.p, id.n < ID_SHORT ? id.n : ID_SHORT);
  qm_line_format(l, "  %s  (%s)\n", qm_line_text(&fields), where(c, change));
  qm_line_free(&fields);
}

static int print_line(following *f, qm_slice line) {
  qm_tree t = QM_TREE_INIT;
  qm_line l = QM_LINE_INIT;
  int exit_code = qm_verb_parse(f->c, &t, line);
  if (!exit_code) {
    const char *cursor = qm_node_string(qm_node_get(t.root, "cursor"));
    (void)snprintf(f->cursor, sizeof f->cursor, "%s", cursor);
    if (f->c->cli.json) {
      qm_line_bytes(&l, line.p, line.n);
      qm_line_add(&l, "\n");
    } else {
      put_change(f->c, &l, t.root);
    }
    exit_code = qm_verb_print(f->c, &l);
  }
  qm_tree_free(&t);
  return exit_code;
}

/* Everything there is, page by page; *n: how many lines. */
static int print_all(following *f) {
  for (;;) {
    qm_text text = {0};
    qm_error e = {0};
    qm_slice rest, line;
    int exit_code = QM_EXIT_DONE;
    uint32_t limit = f->left > 0 && f->left < 1000 ? (uint32_t)f->left : 1000u;
    if (qm_changes(f->c->db, qm_str(f->cursor), limit, &text, &e) != QM_OK)
      return qm_verb_failed(f->c, &e);
    rest = qm_slice_of(text.p, text.n);
    int more = rest.n != 0 && f->left != 0;
    while (!exit_code && f->left != 0 && qm_next_line(&rest, &line)) {
      exit_code = print_line(f, line);
      if (f->left > 0) f->left--;
    }
    qm_text_free(&text);
    if (exit_code || !more) return exit_code;
  }
}

static int follow(following *f) {
  for (;;) {
    qm_error e = {0};
    fflush(stdout);
    if (f->left == 0 || ferror(stdout)) return QM_EXIT_DONE;
    if (qm_changes_wait(f->c->db, qm_str(f->cursor), UINT32_MAX, &e) != QM_OK)
      return qm_verb_failed(f->c, &e);
    int exit_code = print_all(f);
    if (exit_code) return exit_code;
  }
}

static int read_limit(qm_ctx *c, long *out) {
  const char *text = c->values[QM_OPT_LIMIT];
  char *end;
  *out = -1;
  if (!text) return QM_EXIT_DONE;
  *out = strtol(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || *out < 1 || *out > 1000000000L)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_LIMIT);
  return QM_EXIT_DONE;
}

int qm_verb_changes(qm_ctx *c) {
  const char *since = c->values[QM_OPT_SINCE];
  following f = {.c = c};
  int exit_code = read_limit(c, &f.left);
  if (!exit_code && since && strlen(since) >= sizeof f.cursor)
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_CURSOR);
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (since) memcpy(f.cursor, since, strlen(since) + 1);
  exit_code = print_all(&f);
  if (!exit_code && c->values[QM_OPT_FOLLOW]) exit_code = follow(&f);
  else if (!exit_code) qm_cli_note(&c->cli, QM_SAY_CHANGES_NEXT, c->cli.program, f.cursor);
  return exit_code;
}
