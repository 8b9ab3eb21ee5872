/* calls.c: fixtures/api/calls.json through the header itself. What each step may say is in
 * fixtures/api/README.md. TAP. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/qianmo.h"

#define TEXTS 6
#define SAVED 32

typedef struct table {
  char directory[64];
  char *schema;
  json_t *saved; /* name: text */
  qm_db *db;
  qm_tx *tx;
} table;

typedef struct call {
  table *t;
  qm_slice s[TEXTS]; /* the texts among the arguments, in their order */
  json_int_t n[4];   /* the numbers */
  uint32_t n_s, n_n;
  qm_text out;
  qm_error e;
  int32_t existing; /* -1: not said */
  char small[32];   /* a result that is a number */
} call;

/* ---- the calls ---- */

static int32_t open_db(call *c) {
  char path[256];
  qm_options o = QM_OPTIONS_INIT;
  snprintf(path, sizeof path, "%s/%.*s", c->t->directory, (int)c->s[0].n, (const char *)c->s[0].p);
  o.path = path;
  o.flags = (uint32_t)c->n[0];
  return qm_open(&o, &c->t->db, &c->e);
}

static int32_t commit(call *c) {
  qm_tx *tx = c->t->tx;
  c->t->tx = NULL;
  return qm_commit(tx, &c->e);
}

static int32_t cancel(call *c) {
  qm_cancel(c->t->tx);
  c->t->tx = NULL;
  return QM_OK;
}

static int32_t close_db(call *c) {
  qm_close(c->t->db);
  c->t->db = NULL;
  return QM_OK;
}

static int32_t review(call *c) {
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  return qm_review(c->t->db, c->s[0], &o, &c->out, &c->e);
}

static int32_t new_record(call *c) {
  return qm_new(c->t->tx, c->s[0], c->s[1], &c->out, &c->existing, &c->e);
}

static int32_t text_of(call *c, const char *text) {
  c->out.p = strdup(text);
  c->out.n = strlen(text);
  return c->out.p ? QM_OK : QM_ENOMEM;
}

static int32_t number(call *c, size_t n) {
  snprintf(c->small, sizeof c->small, "%zu", n);
  return text_of(c, c->small);
}

#define DB c->t->db
#define TX c->t->tx
#define S(i) c->s[i]
#define U(i) (uint32_t)c->n[i]
#define Q(i) (uint64_t)c->n[i]
#define OUT &c->out, &c->e
#define E &c->e
#define FIELD(X, name) X(name, qm_##name(TX, S(0), S(1), S(2), S(3), U(0), E))
#define CALLS(X)                                                       \
  X(version, text_of(c, qm_version()))                                 \
  X(columns, number(c, qm_columns(S(0))))                              \
  X(schema_validate, qm_schema_validate(S(0), OUT))                    \
  X(schema_compare, qm_schema_compare(S(0), S(1), OUT))                \
  X(open, open_db(c))                                                  \
  X(close, close_db(c))                                                \
  X(suspend, qm_suspend(DB, U(0), E))                                  \
  X(resume, qm_resume(DB, E))                                          \
  X(enroll, qm_enroll(DB, S(0), S(1), S(2), E))                        \
  X(space_create, qm_space_create(DB, S(0), S(1), S(2), E))            \
  X(spaces, qm_spaces(DB, OUT))                                        \
  X(schema_text, qm_schema_text(DB, S(0), OUT))                        \
  X(begin, qm_begin(DB, S(0), &TX, E))                                 \
  X(commit, commit(c))                                                 \
  X(cancel, cancel(c))                                                 \
  X(written, number(c, qm_written(TX)))                                \
  X(shown, qm_shown(TX, S(0), E))                                      \
  X(new, new_record(c))                                                \
  X(delete, qm_delete(TX, S(0), S(1), E))                              \
  X(restore, qm_restore(TX, S(0), S(1), E))                            \
  X(merge, qm_merge(TX, S(0), S(1), S(2), E))                          \
  X(unmerge, qm_unmerge(TX, S(0), S(1), E))                            \
  X(distinct, qm_distinct(TX, S(0), S(1), S(2), E))                    \
  X(not_distinct, qm_not_distinct(TX, S(0), S(1), S(2), E))            \
  FIELD(X, set)                                                        \
  FIELD(X, settle)                                                     \
  FIELD(X, raise)                                                      \
  FIELD(X, lower)                                                      \
  FIELD(X, add)                                                        \
  FIELD(X, remove)                                                     \
  FIELD(X, append)                                                     \
  FIELD(X, put)                                                        \
  X(reverse, qm_reverse(TX, S(0), S(1), S(2), S(3), S(4), E))          \
  X(inc, qm_inc(TX, S(0), S(1), S(2), c->n[0], E))                     \
  X(splice, qm_splice(TX, S(0), S(1), S(2), Q(0), Q(1), S(3), E))      \
  X(insert, qm_insert(TX, S(0), S(1), S(2), Q(0), S(3), U(1), E))      \
  X(replace, qm_replace(TX, S(0), S(1), S(2), Q(0), S(3), U(1), E))    \
  X(remove_at, qm_remove_at(TX, S(0), S(1), S(2), Q(0), Q(1), E))      \
  X(get, qm_get(DB, S(0), S(1), S(2), U(0), OUT))                      \
  X(list, qm_list(DB, S(0), S(1), S(2), U(0), U(1), OUT))              \
  X(conflicts, qm_conflicts(DB, S(0), S(1), OUT))                      \
  X(duplicates, qm_duplicates(DB, S(0), S(1), S(2), U(0), U(1), U(2), OUT)) \
  X(review, review(c))                                                 \
  X(settles, qm_settles(DB, S(0), OUT))                                \
  X(undo, qm_undo(DB, S(0), E))                                        \
  X(inbox, qm_inbox(DB, S(0), U(0), OUT))                              \
  X(inbox_seen, qm_inbox_seen(DB, S(0), E))                            \
  X(inbox_restore, qm_inbox_restore(DB, S(0), E))                      \
  X(history, qm_history(DB, S(0), S(1), S(2), OUT))                    \
  X(status, qm_status(DB, U(0), OUT))                                  \
  X(record_status, qm_record_status(DB, S(0), S(1), S(2), OUT))        \
  X(export_hub, qm_export_hub(DB, OUT))                                \
  X(check, qm_check(DB, OUT))                                          \
  X(keep, qm_keep(DB, U(0), U(1), E))                                  \
  X(changes, qm_changes(DB, S(0), U(0), OUT))                          \
  X(changes_wait, qm_changes_wait(DB, S(0), U(0), E))                  \
  X(sql, qm_sql(DB, S(0), S(1), Q(0), Q(1), OUT))                      \
  X(search, qm_search(DB, S(0), S(1), S(2), U(0), U(1), OUT))          \
  X(due, qm_due(DB, S(0), U(0), U(1), U(2), OUT))                      \
  X(refer, qm_refer(DB, S(0), S(1), S(2), S(3), OUT))                  \
  X(answers, qm_answers(DB, S(0), S(1), S(2), OUT))                    \
  X(proposals, qm_proposals(DB, S(0), U(0), U(1), OUT))                \
  X(unfit, qm_unfit(DB, S(0), U(0), U(1), OUT))                        \
  X(rebuild, qm_rebuild(DB, E))                                        \
  X(attachments, qm_attachments(DB, S(0), S(1), S(2), OUT))            \
  X(export_refused, qm_export_refused(DB, OUT))                        \
  X(sync, qm_sync(DB, NULL, E))

static int32_t run(call *c, const char *name) {
#define ONE(id, expression) \
  if (strcmp(name, #id) == 0) return expression;
  CALLS(ONE)
#undef ONE
  return qm_fail(&c->e, QM_EINTERNAL, "no such call: %s", name);
}

/* ---- what a step says ---- */

static const char *text_value(const table *t, const json_t *v) {
  const char *text = json_string_value(v);
  if (text && text[0] == '$') return json_string_value(json_object_get(t->saved, text + 1));
  return text && strcmp(text, "{schema}") == 0 ? t->schema : text;
}

static int covers(const table *t, const json_t *wanted, const json_t *got);

static int covers_object(const table *t, const json_t *wanted, const json_t *got) {
  const char *key;
  json_t *value;
  json_t *w = json_incref((json_t *)(uintptr_t)wanted);
  int all = json_is_object(got);
  json_object_foreach(w, key, value) {
    const json_t *member = all ? json_object_get(got, key) : NULL;
    if (!member || !covers(t, value, member)) all = 0;
  }
  json_decref(w);
  return all;
}

static int covers(const table *t, const json_t *wanted, const json_t *got) {
  if (json_is_object(wanted)) return covers_object(t, wanted, got);
  if (json_is_array(wanted)) {
    if (!json_is_array(got) || json_array_size(got) != json_array_size(wanted)) return 0;
    for (size_t i = 0; i < json_array_size(wanted); i++)
      if (!covers(t, json_array_get(wanted, i), json_array_get(got, i))) return 0;
    return 1;
  }
  if (!json_is_string(wanted)) return json_equal(wanted, got);
  const char *text = text_value(t, wanted);
  return json_is_string(got) && text && strcmp(text, json_string_value(got)) == 0;
}

static int is_class(int32_t code, const char *name) {
  static const char *const names[] = {"ok",      "usage",   "absent",  "retry",
                                      "refused", "storage", "corrupt", "differ"};
  return strcmp(names[qm_err_class(code)], name) == 0;
}

static int explained(const table *t, const qm_error *e, const json_t *wanted) {
  qm_explanation x = QM_EXPLANATION_INIT;
  if (qm_explain(e, &x) != QM_OK) return 0;
  json_t *got = json_pack("{s:s, s:s, s:s, s:s%}", "reason", x.reason, "en", x.en, "zh", x.zh,
                          "field", x.field.p ? (const char *)x.field.p : "", x.field.n);
  int good = got && covers(t, wanted, got);
  json_decref(got);
  return good;
}

static const char *refusal(const table *t, const call *c, int32_t rc, const json_t *step) {
  const char *cls = json_string_value(json_object_get(step, "class"));
  const json_t *why = json_object_get(step, "explain");
  if (c->e.code != rc || !c->e.message[0]) return "it says nothing";
  if (strcmp(qm_error_text(rc, "zh"), qm_error_text(rc, "en")) == 0) return "it says no Chinese";
  if (cls && !is_class(rc, cls)) return "another class";
  if (why && !explained(t, &c->e, why)) return "explained otherwise";
  return NULL;
}

/* The next line of *at, parsed; NULL: no more. One object over several lines is one. */
static json_t *next_line(const char **at) {
  const char *end = strncmp(*at, "{\n", 2) == 0 ? NULL : strchr(*at, '\n');
  size_t n = end ? (size_t)(end - *at) : strlen(*at);
  if (!n) return NULL;
  json_t *line = json_loadb(*at, n, JSON_DECODE_ANY, NULL);
  *at += n + (end != NULL);
  return line ? line : json_null();
}

static void save(table *t, const json_t *step, const json_t *first, const char *text) {
  const char *name;
  json_t *member;
  json_object_foreach(json_object_get(step, "save"), name, member) {
    const char *key = json_string_value(member);
    if (!*key) json_object_set_new(t->saved, name, json_string(text));
    else json_object_set(t->saved, name, json_object_get(first, key));
  }
}

static const char *result(table *t, const call *c, const json_t *step) {
  const char *text = c->out.p ? c->out.p : "", *at = text, *problem = NULL;
  const json_t *whole = json_object_get(step, "text"), *count = json_object_get(step, "lines");
  const json_t *has = json_object_get(step, "has"), *some = json_object_get(step, "some");
  const json_t *existing = json_object_get(step, "existing");
  json_int_t lines = 0;
  int found = !some;
  if (existing && json_is_true(existing) != (c->existing == 1)) return "existing";
  if (whole && strcmp(text_value(t, whole), text) != 0) return "another text";
  if (whole || (!count && !has && !some)) {
    save(t, step, NULL, text);
    if (!json_object_get(step, "save") || whole) return NULL;
    const char *key = json_string_value(json_object_iter_value(
        json_object_iter(json_object_get(step, "save"))));
    if (!*key) return NULL;
  }
  for (json_t *line; (line = next_line(&at)) != NULL; lines++) {
    if (lines == 0 && has && !covers(t, has, line)) problem = "its first line";
    if (lines == 0) save(t, step, line, text);
    if (some && covers(t, some, line)) found = 1;
    json_decref(line);
  }
  if (count && json_integer_value(count) != lines) return "another number of lines";
  if (has && !lines) return "no line";
  return problem ? problem : found ? NULL : "no such line";
}

static void take(call *c, const json_t *args) {
  for (size_t i = 0; i < json_array_size(args); i++) {
    const json_t *a = json_array_get(args, i);
    if (json_is_integer(a)) c->n[c->n_n++] = json_integer_value(a);
    else c->s[c->n_s++] = qm_str(text_value(c->t, a));
  }
}

static const char *problem_of(table *t, const json_t *step, char *said, size_t room) {
  call c;
  memset(&c, 0, sizeof c);
  c.t = t;
  const char *wanted = json_string_value(json_object_get(step, "code"));
  const char *problem = NULL, *name = json_string_value(json_object_get(step, "call"));
  take(&c, json_object_get(step, "args"));
  int32_t rc = run(&c, name);
  const char *code = rc == QM_OK ? "OK" : qm_err_name(rc);
  if (strcmp(code, wanted ? wanted : "OK") != 0) problem = code;
  else problem = rc == QM_OK ? result(t, &c, step) : refusal(t, &c, rc, step);
  snprintf(said, room, "%s %.900s", c.e.message, c.out.p ? c.out.p : "");
  qm_text_free(&c.out);
  return problem;
}

/* Empties and removes it: the database's files and nothing else. */
static void remove_directory(const char *directory) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", directory);
  if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", directory);
}

int main(void) {
  table t = {"/tmp/qianmo-calls-XXXXXX", NULL, NULL, NULL, NULL};
  char said[1200];
  json_error_t error;
  json_t *all = json_load_file("fixtures/api/calls.json", 0, &error);
  size_t failed = 0;
  if (!all || !mkdtemp(t.directory)) {
    printf("not ok 1 - fixtures/api/calls.json: %s\n", error.text);
    return 1;
  }
  const json_t *steps = json_object_get(all, "steps");
  t.schema = json_dumps(json_object_get(all, "schema"), JSON_COMPACT);
  t.saved = json_object();
  printf("1..%zu\n", json_array_size(steps));
  for (size_t i = 0; i < json_array_size(steps); i++) {
    const json_t *step = json_array_get(steps, i);
    const char *problem = problem_of(&t, step, said, sizeof said);
    const char *code = json_string_value(json_object_get(step, "code"));
    printf("%s %zu - %s%s%s\n", problem ? "not ok" : "ok", i + 1,
           json_string_value(json_object_get(step, "call")), code ? " -> " : "", code ? code : "");
    if (problem) printf("# %s: %s\n", problem, said);
    failed += problem != NULL;
  }
  qm_cancel(t.tx);
  qm_close(t.db);
  free(t.schema);
  json_decref(t.saved);
  json_decref(all);
  remove_directory(t.directory);
  return failed ? 1 : 0;
}
