/* verb_check.c: check, export-hub. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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
  if (c->values[QM_OPT_VALUES]) return qm_verb_unfit(c);
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

/* ---- what a hub can begin again with ---- */

/* FILE: a new one, which only its owner may read. */
static int write_secret(const char *path, const qm_text *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno == EEXIST ? QM_EEXIST : QM_EIO;
  size_t at = 0;
  while (at < text->n) {
    ssize_t n = write(fd, text->p + at, text->n - at);
    if (n <= 0) break;
    at += (size_t)n;
  }
  int failed = at < text->n || fsync(fd) != 0;
  failed |= close(fd) != 0;
  if (failed) unlink(path);
  return failed ? QM_EIO : QM_OK;
}

int qm_verb_export_hub(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  qm_line name = QM_LINE_INIT;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_export_hub(c->db, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  int rc = write_secret(c->args[0], &text);
  memset(text.p, 0, text.n);
  qm_text_free(&text);
  if (rc != QM_OK) return qm_cli_fail(&c->cli, rc, c->args[0]);
  qm_line_clean(&name, qm_str(c->args[0]), " ");
  if (c->cli.json) puts("{\"exported\":true}");
  else qm_cli_print(&c->cli, stdout, QM_SAY_EXPORT_HUB_DONE, qm_line_text(&name));
  qm_line_free(&name);
  return QM_EXIT_DONE;
}
