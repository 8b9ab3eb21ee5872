/* verb_findings.c: proposals, and check --values: what stands in records and waits for somebody. */
#include <string.h>

#include "adapters/cli/verb_query.h"

typedef int32_t (*finder)(qm_db *, qm_slice, uint32_t, uint32_t, qm_text *, qm_error *);

typedef struct findings {
  finder find;
  const char *count; /* of the last line */
  qm_say_id none, sum;
  qm_say_id heads[4];
} findings;

static void cell(qm_table *t, qm_line *l) {
  qm_table_cell(t, qm_line_slice(l));
  qm_line_clear(l);
}

static int put_row(qm_ctx *c, qm_table *t, qm_line *held, const qm_node *n, int several) {
  qm_line l = QM_LINE_INIT;
  int exit_code = qm_verb_schema_of(c, held, qm_node_text(qm_node_get(n, "space")));
  if (exit_code) return exit_code;
  const qm_node *field = qm_verb_field_of(c, n);
  const qm_node *why = qm_node_get(n, c->cli.lang == QM_LANG_ZH ? "zh" : "en");
  qm_slice detail = qm_node_text(qm_node_get(n, "detail"));
  qm_verb_place(c, &l, n, several);
  cell(t, &l);
  qm_line_clean(&l, field ? qm_verb_label(c, field) : qm_node_text(qm_node_get(n, "field")), " ");
  cell(t, &l);
  qm_verb_value(c, &l, field, qm_node_get(n, "value"), " ");
  cell(t, &l);
  if (why) qm_line_clean(&l, qm_node_text(why), " ");
  else qm_verb_stamp(c, &l, n);
  if (detail.n) qm_line_format(&l, " (%s)", (const char *)detail.p);
  cell(t, &l);
  qm_line_free(&l);
  return QM_EXIT_DONE;
}

static int print(qm_ctx *c, const findings *f, qm_slice text, const qm_paging *p) {
  qm_table table;
  qm_tree t = QM_TREE_INIT;
  qm_line held = QM_LINE_INIT;
  qm_slice line;
  int several = qm_verb_spaces_count(c) > 1, exit_code = QM_EXIT_DONE, rows = 0;
  qm_table_init(&table, 4);
  for (int i = 0; i < 4; i++) qm_table_text(&table, qm_say(c->cli.lang, f->heads[i]));
  while (!exit_code && qm_next_line(&text, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (!exit_code && qm_node_get(t.root, "id")) {
      exit_code = put_row(c, &table, &held, t.root, several);
      rows++;
    }
  }
  if (!exit_code && rows) exit_code = qm_verb_print_table(c, &table);
  if (!exit_code && !rows) qm_cli_print(&c->cli, stdout, f->none);
  if (!exit_code && rows)
    qm_cli_print(&c->cli, stdout, f->sum, (const char *)qm_node_get(t.root, f->count)->text.p);
  if (!exit_code && qm_node_true(qm_node_get(t.root, "more")))
    qm_cli_print(&c->cli, stdout, QM_SAY_CONFLICTS_MORE, (int)p->page + 1);
  qm_table_free(&table);
  qm_tree_free(&t);
  qm_line_free(&held);
  return exit_code;
}

static int list(qm_ctx *c, const findings *f) {
  qm_text out = {0};
  qm_error e = {0};
  qm_paging p;
  int exit_code = qm_verb_page(c, &p);
  if (!exit_code && !c->values[QM_OPT_LIMIT]) p.rows = 100;
  if (!exit_code) exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  uint64_t skip = (uint64_t)(p.page - 1) * (uint64_t)p.rows;
  int rc = f->find(c->db, qm_verb_space(c), (uint32_t)(p.rows > 1000 ? 1000 : p.rows),
                   (uint32_t)(skip > UINT32_MAX ? UINT32_MAX : skip), &out, &e);
  if (rc != QM_OK) exit_code = qm_verb_failed(c, &e);
  else exit_code = c->cli.json ? qm_verb_print_lines(&out)
                               : print(c, f, qm_slice_of(out.p, out.n), &p);
  qm_text_free(&out);
  return exit_code;
}

int qm_verb_proposals(qm_ctx *c) {
  static const findings f = {qm_proposals, "proposals", QM_SAY_PROPOSALS_NONE,
                             QM_SAY_PROPOSALS_COUNT,
                             {QM_SAY_WORD_TITLE, QM_SAY_WORD_FIELD, QM_SAY_WORD_VALUE,
                              QM_SAY_WORD_BY}};
  return list(c, &f);
}

int qm_verb_unfit(qm_ctx *c) {
  static const findings f = {qm_unfit, "unfit", QM_SAY_UNFIT_NONE, QM_SAY_UNFIT_COUNT,
                             {QM_SAY_WORD_TITLE, QM_SAY_WORD_FIELD, QM_SAY_WORD_VALUE,
                              QM_SAY_WORD_WHY}};
  return list(c, &f);
}
