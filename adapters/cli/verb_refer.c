/* verb_refer.c: matters that go up to another space, answers that come back, and ledger entries
 * that are taken back. */
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/verb.h"

/* COLLECTION RECORD SPACE */
int qm_verb_refer(qm_ctx *c) {
  const qm_node *collection;
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, c->args[0], &collection);
  if (exit_code) return exit_code;
  if (qm_refer(c->db, qm_verb_space(c), qm_verb_name(collection), qm_str(c->args[1]),
               qm_str(c->args[2]), &text, &e) != QM_OK)
    return qm_verb_record_failed(c, &e, collection);
  exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  if (!exit_code && c->cli.json) {
    exit_code = qm_verb_print_lines(&text);
  } else if (!exit_code) {
    const char *id = qm_node_string(qm_node_get(t.root, "id"));
    if (qm_node_true(qm_node_get(t.root, "existing")))
      qm_cli_print(&c->cli, stdout, QM_SAY_REFERRED_BEFORE, c->args[2], id);
    else
      qm_cli_print(&c->cli, stdout, QM_SAY_REFERRED, c->args[2], id);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* COLLECTION [RECORD] */
int qm_verb_answers(qm_ctx *c) {
  const qm_node *collection;
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, c->args[0], &collection);
  if (exit_code) return exit_code;
  if (qm_answers(c->db, qm_verb_space(c), qm_verb_name(collection),
                 qm_str(c->n_args > 1 ? c->args[1] : ""), &text, &e) != QM_OK)
    return qm_verb_record_failed(c, &e, collection);
  exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  if (!exit_code && c->cli.json) {
    exit_code = qm_verb_print_lines(&text);
  } else if (!exit_code) {
    const qm_node *n = qm_node_get(t.root, "answers");
    qm_cli_print(&c->cli, stdout, QM_SAY_ANSWERS, n ? (const char *)n->text.p : "0");
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* ---- reverse ---- */

/* The name of the n-th entry that the log shows, from 1; NULL where there is none. */
static const qm_node *nth_entry(const qm_node *record, const char *field, int64_t n) {
  const qm_node *log = qm_node_get(qm_node_get(record, "fields"), field);
  const qm_node *v = log && log->type == QM_NODE_ARRAY ? log->child : NULL;
  while (v && --n > 0) v = v->next;
  return v ? qm_node_get(v, "entry") : NULL;
}

/* Appended to *name: the entry that was typed by its name, or by its place as `get` shows it. */
static int name_entry(qm_ctx *c, const qm_node *collection, const qm_node *field, qm_line *name) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  int64_t n;
  if (qm_cli_number(c->args[3], 1, 1000000, &n) != 0) {
    qm_line_add(name, c->args[3]);
    return QM_EXIT_DONE;
  }
  if (qm_get(c->db, qm_verb_space(c), qm_verb_name(collection), qm_str(c->args[1]), 0, &text,
             &e) != QM_OK)
    return qm_verb_record_failed(c, &e, collection);
  int exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  const qm_node *entry =
      exit_code ? NULL : nth_entry(t.root, qm_node_string(qm_node_get(field, "name")), n);
  if (entry) qm_line_add(name, qm_node_string(entry));
  else if (!exit_code) exit_code = qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_NO_ENTRY);
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* COLLECTION RECORD FIELD ENTRY REASON */
int qm_verb_reverse(qm_ctx *c) {
  const qm_node *collection, *field;
  qm_error e = {0};
  qm_tx *tx;
  qm_line name = QM_LINE_INIT;
  int exit_code = qm_verb_open(c, 0);
  if (!exit_code) exit_code = qm_verb_schema(c);
  if (!exit_code) exit_code = qm_verb_collection(c, c->args[0], &collection);
  if (!exit_code) exit_code = qm_verb_field(c, collection, qm_str(c->args[2]), &field);
  if (!exit_code) exit_code = name_entry(c, collection, field, &name);
  if (!exit_code) {
    int rc = qm_begin(c->db, qm_verb_space(c), &tx, &e);
    if (rc == QM_OK) {
      rc = qm_reverse(tx, qm_verb_name(collection), qm_str(c->args[1]), qm_verb_name(field),
                      qm_line_slice(&name), qm_str(c->args[4]), &e);
      if (rc == QM_OK) rc = qm_commit(tx, &e);
      else qm_cancel(tx);
    }
    if (rc != QM_OK) exit_code = qm_verb_record_failed(c, &e, collection);
    else if (c->cli.json) printf("{\"reversed\":\"%s\"}\n", qm_line_text(&name));
    else qm_cli_print(&c->cli, stdout, QM_SAY_REVERSED);
  }
  qm_line_free(&name);
  return exit_code;
}
