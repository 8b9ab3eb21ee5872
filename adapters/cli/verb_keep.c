/* verb_keep.c: how much history this device keeps. */
#include <string.h>

#include "adapters/cli/verb.h"

#define DAYS_MAX 36500
#define MB_MAX 1000000

/* "days=30": 1 where the argument is that and the number within the bound. */
static int take(const char *arg, const char *name, int64_t most, int64_t *out) {
  size_t n = strlen(name);
  int64_t v = 0;
  if (strncmp(arg, name, n) != 0 || arg[n] != '=' || !arg[n + 1]) return 0;
  for (const char *p = arg + n + 1; *p; p++) {
    if (*p < '0' || *p > '9' || v > most) return 0;
    v = v * 10 + (*p - '0');
  }
  *out = v;
  return v <= most;
}

static int read_now(qm_ctx *c, int64_t *days, int64_t *mb, int64_t *bytes) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  if (qm_status(c->db, QM_FAST, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  int exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  const qm_node *history = exit_code ? NULL : qm_node_get(t.root, "history");
  if (history && (qm_node_int(qm_node_get(history, "days"), days) != 0 ||
                  qm_node_int(qm_node_get(history, "mb"), mb) != 0 ||
                  qm_node_int(qm_node_get(history, "bytes"), bytes) != 0))
    history = NULL;
  if (!exit_code && !history) exit_code = qm_cli_refuse(&c->cli, QM_EINTERNAL, QM_SAY_BAD_KEEP, "");
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

static int print_keep(qm_ctx *c, int64_t days, int64_t mb, int64_t bytes) {
  qm_line l = QM_LINE_INIT, size = QM_LINE_INIT, number = QM_LINE_INIT;
  if (c->cli.json) {
    qm_line_format(&l, "{\"days\":%lld,\"mb\":%lld,\"bytes\":%lld}\n", (long long)days,
                   (long long)mb, (long long)bytes);
    return qm_verb_print(c, &l);
  }
  qm_line_format(&number, "%lld", (long long)days);
  if (days) qm_line_format(&l, QM_SAY(c, KEEP_DAYS), qm_line_text(&number));
  else qm_line_add(&l, QM_SAY(c, KEEP_EVER));
  if (mb) {
    qm_line_size(&size, (uint64_t)mb * 1000000);
    qm_line_format(&l, QM_SAY(c, KEEP_SIZE), qm_line_text(&size));
    qm_line_free(&size);
  }
  qm_line_size(&size, (uint64_t)bytes);
  qm_line_format(&l, QM_SAY(c, KEEP_BYTES), qm_line_text(&size));
  qm_line_free(&size);
  qm_line_free(&number);
  return qm_verb_print(c, &l);
}

int qm_verb_keep(qm_ctx *c) {
  qm_error e = {0};
  int64_t days = 0, mb = 0, bytes = 0;
  int exit_code = qm_verb_open(c, c->n_args ? 0 : QM_OPEN_READONLY);
  if (!exit_code) exit_code = read_now(c, &days, &mb, &bytes);
  if (exit_code) return exit_code;
  for (size_t i = 0; i < (size_t)c->n_args; i++)
    if (!take(c->args[i], "days", DAYS_MAX, &days) && !take(c->args[i], "mb", MB_MAX, &mb))
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_KEEP, c->args[i]);
  if (c->n_args && qm_keep(c->db, (uint32_t)days, (uint32_t)mb, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  return print_keep(c, days, mb, bytes);
}
