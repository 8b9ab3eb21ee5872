/* verb_check.c: check. */
#include <string.h>

#include "adapters/cli/verb.h"

void qm_verb_mending(const qm_ctx *c, qm_line *v, const qm_node *space) {
  const char *how = qm_node_string(qm_node_get(space, "mending"));
  if (strcmp(how, "state") == 0) qm_line_add(v, QM_SAY(c, ST_MENDING_STATE));
  if (strcmp(how, "records") == 0) qm_line_add(v, QM_SAY(c, ST_MENDING_RECORDS));
}

void qm_verb_repaired(const qm_ctx *c, qm_line *v, const qm_node *space) {
  const qm_node *r = qm_node_get(space, "repaired");
  qm_line at = QM_LINE_INIT;
  int64_t records, states;
  if (qm_node_int(qm_node_get(r, "records"), &records) != 0 ||
      qm_node_int(qm_node_get(r, "states"), &states) != 0)
    return;
  qm_verb_time(&at, qm_node_get(r, "time"), "?");
  qm_line_format(v, QM_SAY(c, ST_REPAIRED_COUNT), (long long)records, (long long)states,
                 qm_line_text(&at));
  qm_line_free(&at);
}

static int print_space(qm_ctx *c, const qm_node *space) {
  qm_line l = QM_LINE_INIT, more = QM_LINE_INIT;
  qm_line_clean(&l, qm_node_text(qm_node_get(space, "name")), " ");
  qm_line_format(&l, ": %s", qm_node_true(qm_node_get(space, "ok")) ? QM_SAY(c, CHECK_GOOD)
                                                                    : QM_SAY(c, CHECK_BAD));
  qm_verb_mending(c, &more, space);
  if (more.n) qm_line_format(&l, "; %s", qm_line_text(&more));
  qm_line_clear(&more);
  qm_verb_repaired(c, &more, space);
  if (more.n) qm_line_format(&l, "; %s", qm_line_text(&more));
  qm_line_add(&l, "\n");
  qm_line_free(&more);
  return qm_verb_print(c, &l);
}

int qm_verb_check(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  int rc = qm_check(c->db, &text, &e);
  if (c->cli.json) exit_code = qm_verb_print_lines(&text);
  rest = qm_slice_of(text.p, text.n);
  while (!c->cli.json && !exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (!exit_code) exit_code = print_space(c, t.root);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return rc == QM_OK ? exit_code : qm_verb_failed(c, &e);
}
