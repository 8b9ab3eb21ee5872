/* verb_attach.c: photos and other files of records. */
#include <string.h>

#include "adapters/cli/verb.h"

static int attach(qm_ctx *c, const qm_node *collection, const qm_node *field, qm_text *out,
                  qm_error *e) {
  qm_tx *tx;
  int rc = qm_begin(c->db, qm_verb_space(c), &tx, e);
  if (rc != QM_OK) return rc;
  rc = qm_attach(tx, qm_verb_name(collection), qm_str(c->args[2]), qm_verb_name(field), c->args[0],
                 out, e);
  if (rc == QM_OK) return qm_commit(tx, e);
  qm_cancel(tx);
  return rc;
}

static int print_attached(qm_ctx *c, const qm_text *text) {
  qm_tree t = QM_TREE_INIT;
  qm_line size = QM_LINE_INIT, name = QM_LINE_INIT;
  int64_t bytes = 0;
  if (c->cli.json) return qm_verb_print_lines(text);
  int exit_code = qm_verb_parse(c, &t, qm_slice_of(text->p, text->n));
  if (exit_code) return exit_code;
  (void)qm_node_int(qm_node_get(t.root, "size"), &bytes);
  qm_line_size(&size, (uint64_t)bytes);
  qm_line_clean(&name, qm_str(c->args[0]), " ");
  qm_cli_print(&c->cli, stdout, QM_SAY_ATTACHED, qm_line_text(&name),
               qm_node_string(qm_node_get(t.root, "mime")), qm_line_text(&size));
  qm_line_free(&size);
  qm_line_free(&name);
  qm_tree_free(&t);
  return QM_EXIT_DONE;
}

/* FILE COLLECTION RECORD FIELD */
int qm_verb_attach(qm_ctx *c) {
  const qm_node *collection, *field;
  qm_text text = {0};
  qm_error e = {0};
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, c->args[1], &collection);
  if (!exit_code) exit_code = qm_verb_field(c, collection, qm_str(c->args[3]), &field);
  if (exit_code) return exit_code;
  int rc = attach(c, collection, field, &text, &e);
  exit_code = rc == QM_OK ? print_attached(c, &text) : qm_verb_failed(c, &e);
  qm_text_free(&text);
  return exit_code;
}

static int put_row(qm_ctx *c, qm_table *table, const qm_node *a) {
  qm_line l = QM_LINE_INIT;
  int64_t size = 0;
  qm_slice id = qm_node_text(qm_node_get(a, "id"));
  (void)qm_node_int(qm_node_get(a, "size"), &size);
  qm_table_cell(table, qm_node_text(qm_node_get(a, "collection")));
  qm_table_cell(table, qm_slice_of(id.p, id.n < 8 ? id.n : 8));
  qm_table_cell(table, qm_node_text(qm_node_get(a, "field")));
  qm_table_cell(table, qm_node_text(qm_node_get(a, "mime")));
  qm_line_size(&l, (uint64_t)size);
  qm_table_cell(table, qm_line_slice(&l));
  qm_table_cell(table, qm_node_text(qm_node_get(a, "taken_at")));
  qm_table_text(table, qm_node_is(qm_node_get(a, "status"), "announced") ? QM_SAY(c, AT_ANNOUNCED)
                                                                         : QM_SAY(c, AT_HERE));
  qm_line_free(&l);
  return QM_EXIT_DONE;
}

int qm_verb_files(qm_ctx *c, qm_slice collection, qm_slice record) {
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  qm_slice rest, line;
  int exit_code = QM_EXIT_DONE;
  if (qm_attachments(c->db, qm_verb_space(c), collection, record, &text, NULL) != QM_OK)
    return QM_EXIT_DONE; /* the card stands without it */
  rest = qm_slice_of(text.p, text.n);
  while (!exit_code && qm_next_line(&rest, &line)) {
    qm_line l = QM_LINE_INIT;
    exit_code = qm_verb_parse(c, &t, line);
    if (exit_code) break;
    int announced = qm_node_is(qm_node_get(t.root, "status"), "announced");
    qm_line_add(&l, "  ");
    qm_line_clean(&l, qm_node_text(qm_node_get(t.root, "field")), " ");
    qm_line_add(&l, ": ");
    qm_verb_value(c, &l, NULL, t.root, " ");
    qm_line_format(&l, " — %s\n", announced ? QM_SAY(c, AT_ANNOUNCED) : QM_SAY(c, AT_HERE));
    exit_code = qm_verb_print(c, &l);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* [COLLECTION [RECORD]] */
int qm_verb_attachments(qm_ctx *c) {
  static const qm_say_id heads[] = {QM_SAY_WORD_COLLECTION, QM_SAY_WORD_ID,   QM_SAY_WORD_FIELD,
                                    QM_SAY_WORD_KIND,       QM_SAY_WORD_SIZE, QM_SAY_WORD_TAKEN,
                                    QM_SAY_WORD_WHERE};
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice rest, line;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_attachments(c->db, qm_verb_space(c), qm_str(c->n_args > 0 ? c->args[0] : ""),
                     qm_str(c->n_args > 1 ? c->args[1] : ""), &text, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  qm_table_init(&table, 7);
  table.numeric[4] = 1;
  for (size_t i = 0; i < 7; i++) qm_table_text(&table, qm_say(c->cli.lang, heads[i]));
  while (!c->cli.json && !exit_code && qm_next_line(&rest, &line)) {
    exit_code = qm_verb_parse(c, &t, line);
    if (!exit_code) exit_code = put_row(c, &table, t.root);
  }
  if (c->cli.json) exit_code = qm_verb_print_lines(&text);
  else if (!exit_code && text.n) exit_code = qm_verb_print_table(c, &table);
  else if (!exit_code) qm_cli_note(&c->cli, QM_SAY_ATTACHMENTS_NONE);
  qm_table_free(&table);
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}
