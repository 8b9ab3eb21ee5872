/* scenario_do.c: what people write in a scenario: one list of actions is one transaction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/scenario.h"

typedef struct doing {
  qm_scenario *s;
  qm_scenario_device *d;
  qm_tx *tx;
  const qm_node *in; /* the step's space */
  qm_line space;
  int *bad;
} doing;

/* Of the file, and no refusal by the library. */
static int fault(doing *x, int rc) {
  *x->bad = 1;
  return rc;
}

/* ---- records ---- */

void qm_scenario_record_free(qm_scenario_record *r) {
  qm_line_free(&r->space);
  qm_line_free(&r->collection);
  qm_line_free(&r->record);
}

int qm_scenario_record_of(const qm_scenario *s, const qm_scenario_vars *v, const qm_node *name,
                          const qm_node *space, qm_scenario_record *out, qm_error *e) {
  qm_line text = QM_LINE_INIT;
  int rc = qm_scenario_text(v, qm_node_text(name), &text, e);
  if (rc == QM_OK && space) rc = qm_scenario_text(v, qm_node_text(space), &out->space, e);
  const char *key = rc == QM_OK ? strstr(qm_line_text(&text), " key:") : NULL;
  const qm_scenario_label *l =
      rc == QM_OK && !key ? qm_scenario_label_find(s, qm_line_text(&text)) : NULL;
  if (key) {
    qm_line_bytes(&out->collection, qm_line_text(&text), (size_t)(key - qm_line_text(&text)));
    qm_line_add(&out->record, key + 1);
  } else if (l) {
    if (!space) qm_line_add(&out->space, l->space);
    qm_line_add(&out->collection, l->collection);
    qm_line_add(&out->record, l->id);
  } else if (rc == QM_OK) {
    rc = qm_fail(e, QM_EUSAGE, "nothing is called %.100s", qm_line_text(&text));
  }
  qm_line_free(&text);
  return rc;
}

/* ---- verbs ---- */

typedef int32_t (*field_verb)(qm_tx *, qm_slice, qm_slice, qm_slice, qm_slice, uint32_t,
                              qm_error *);

static const struct {
  const char *name;
  field_verb verb;
} verbs[] = {{"set", qm_set},       {"settle", qm_settle}, {"raise", qm_raise}, {"lower", qm_lower},
             {"add", qm_add},       {"remove", qm_remove}, {"append", qm_append}, {"put", qm_put}};

static int one(doing *x, const qm_scenario_vars *v, const qm_scenario_record *r, const qm_node *f,
               const qm_node *value, field_verb verb, qm_error *e) {
  qm_line json = QM_LINE_INIT;
  int rc = qm_scenario_json(x->s, v, value, &json, e);
  if (rc != QM_OK) rc = fault(x, rc);
  else
    rc = verb(x->tx, qm_line_slice(&r->collection), qm_line_slice(&r->record), f->key,
              qm_line_slice(&json), QM_JSON, e);
  qm_line_free(&json);
  return rc;
}

/* Elements one by one where the verb takes one. */
static int fields(doing *x, const qm_scenario_vars *v, const qm_scenario_record *r,
                  const qm_node *list, field_verb verb, qm_error *e) {
  int rc = QM_OK;
  for (const qm_node *f = list ? list->child : NULL; f && rc == QM_OK; f = f->next) {
    int each = f->type == QM_NODE_ARRAY && verb != qm_set && verb != qm_settle;
    if (!each) rc = one(x, v, r, f, f, verb, e);
    for (const qm_node *n = each ? f->child : NULL; n && rc == QM_OK; n = n->next)
      rc = one(x, v, r, f, n, verb, e);
  }
  return rc;
}

static int shown(doing *x, const qm_scenario_record *r, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  int rc = qm_get(x->d->db, qm_line_slice(&r->space), qm_line_slice(&r->collection),
                  qm_line_slice(&r->record), QM_REVIEW, &t, e);
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_slice_of(t.p, t.n));
  if (rc == QM_OK) rc = qm_shown(x->tx, qm_node_text(qm_node_get(tree.root, "token")), e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  return rc;
}

static int make(doing *x, const qm_scenario_vars *v, const qm_node *a, qm_error *e) {
  qm_line key = QM_LINE_INIT, label = QM_LINE_INIT;
  qm_scenario_record r = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  const qm_node *as = qm_node_get(a, "as"), *collection = qm_node_get(a, "new");
  qm_text id = {0};
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(a, "key")), &key, e);
  if (rc == QM_OK) rc = qm_scenario_text(v, qm_node_text(as), &label, e);
  if (rc != QM_OK) rc = fault(x, rc);
  else rc = qm_new(x->tx, qm_node_text(collection), qm_line_slice(&key), &id, NULL, e);
  if (rc == QM_OK) {
    qm_line_add(&r.record, id.p);
    qm_line_bytes(&r.collection, qm_node_text(collection).p, qm_node_text(collection).n);
    if (label.n) rc = qm_scenario_label_put(x->s, qm_line_text(&label), qm_line_slice(&x->space),
                                            qm_node_text(collection), id.p);
  }
  if (rc == QM_OK) rc = fields(x, v, &r, qm_node_get(a, "fields"), qm_put, e);
  qm_text_free(&id);
  qm_scenario_record_free(&r);
  qm_line_free(&key);
  qm_line_free(&label);
  return rc;
}

/* "inc": RECORD, "fields": {FIELD: N} */
static int count(doing *x, const qm_scenario_vars *v, const qm_scenario_record *r,
                 const qm_node *list, qm_error *e) {
  int rc = QM_OK;
  for (const qm_node *f = list ? list->child : NULL; f && rc == QM_OK; f = f->next) {
    qm_line json = QM_LINE_INIT;
    rc = qm_scenario_json(x->s, v, f, &json, e);
    if (rc == QM_OK)
      rc = qm_inc(x->tx, qm_line_slice(&r->collection), qm_line_slice(&r->record), f->key,
                  strtoll(qm_line_text(&json), NULL, 10), e);
    else rc = fault(x, rc);
    qm_line_free(&json);
  }
  return rc;
}

/* "attach": RECORD, "field": FIELD, "says": what the file holds */
static int attach(doing *x, const qm_scenario_vars *v, const qm_scenario_record *r,
                  const qm_node *a, qm_error *e) {
  qm_line content = QM_LINE_INIT;
  char path[QM_SCENARIO_PATH + 16];
  (void)snprintf(path, sizeof path, "%s/photo.jpg", x->s->dir);
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(a, "says")), &content, e);
  FILE *f = rc == QM_OK ? fopen(path, "wb") : NULL;
  if (rc == QM_OK && (!f || fwrite(content.p, 1, content.n, f) != content.n))
    rc = qm_fail(e, QM_EIO, "%s: %s", path, strerror(errno));
  if (f && fclose(f) != 0) rc = QM_EIO;
  if (rc != QM_OK) rc = fault(x, rc);
  else
    rc = qm_attach(x->tx, qm_line_slice(&r->collection), qm_line_slice(&r->record),
                   qm_node_text(qm_node_get(a, "field")), path, NULL, e);
  qm_line_free(&content);
  return rc;
}

static int reversal(const qm_node *entry, const char *reason, qm_line *out) {
  const qm_node *value = qm_node_get(entry, "value"), *amount = qm_node_get(value, "amount");
  int64_t n = 0;
  if (qm_node_int(amount, &n) != 0) return QM_EUSAGE;
  qm_line_format(out, "{\"amount\":%lld,\"reason\":", (long long)-n);
  qm_line_json(out, qm_str(reason));
  if (qm_node_get(value, "receipt")) {
    qm_line_add(out, ",\"receipt\":");
    qm_line_json(out, qm_node_text(qm_node_get(value, "receipt")));
  }
  qm_line_add(out, ",\"reverses\":");
  qm_line_json(out, qm_node_text(qm_node_get(entry, "entry")));
  qm_line_add(out, "}");
  return QM_OK;
}

/* "reverse": RECORD, "field": LEDGER, "receipt": of the entry, "reason": why */
static int reverse(doing *x, const qm_scenario_vars *v, const qm_scenario_record *r,
                   const qm_node *a, qm_error *e) {
  qm_line field = QM_LINE_INIT, receipt = QM_LINE_INIT, json = QM_LINE_INIT;
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(a, "field")), &field, e);
  if (rc == QM_OK) rc = qm_scenario_text(v, qm_node_text(qm_node_get(a, "receipt")), &receipt, e);
  if (rc == QM_OK)
    rc = qm_get(x->d->db, qm_line_slice(&x->space), qm_line_slice(&r->collection),
                qm_line_slice(&r->record), 0, &t, e);
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_slice_of(t.p, t.n));
  const qm_node *log = qm_node_get(qm_node_get(tree.root, "fields"), qm_line_text(&field));
  const qm_node *entry = log ? log->child : NULL;
  while (entry && !qm_node_is(qm_node_get(qm_node_get(entry, "value"), "receipt"),
                              qm_line_text(&receipt)))
    entry = entry->next;
  if (rc == QM_OK && !entry)
    rc = qm_fail(e, QM_EUSAGE, "there is no entry with receipt %s", qm_line_text(&receipt));
  if (rc == QM_OK) rc = reversal(entry, qm_node_string(qm_node_get(a, "reason")), &json);
  if (rc != QM_OK) rc = fault(x, rc);
  else
    rc = qm_append(x->tx, qm_line_slice(&r->collection), qm_line_slice(&r->record),
                   qm_line_slice(&field), qm_line_slice(&json), QM_JSON, e);
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&json);
  qm_line_free(&field);
  qm_line_free(&receipt);
  return rc;
}

static int on_record(doing *x, const qm_scenario_vars *v, const char *verb,
                     const qm_scenario_record *r, const qm_node *a, qm_error *e) {
  const qm_node *list = qm_node_get(a, "fields");
  qm_slice collection = qm_line_slice(&r->collection), record = qm_line_slice(&r->record);
  if (strcmp(verb, "delete") == 0) return qm_delete(x->tx, collection, record, e);
  if (strcmp(verb, "restore") == 0) return qm_restore(x->tx, collection, record, e);
  if (strcmp(verb, "inc") == 0) return count(x, v, r, list, e);
  if (strcmp(verb, "attach") == 0) return attach(x, v, r, a, e);
  if (strcmp(verb, "reverse") == 0) return reverse(x, v, r, a, e);
  if (strcmp(verb, "settle") == 0) {
    int rc = shown(x, r, e);
    if (rc != QM_OK) return rc;
  }
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verbs[i].name, verb) == 0) return fields(x, v, r, list, verbs[i].verb, e);
  return fault(x, qm_fail(e, QM_EINTERNAL, "%s", verb));
}

/* The member that says what is done, wherever it stands. */
static const qm_node *verb_of(const qm_node *a) {
  static const char *const others[] = {"new", "delete", "restore", "inc", "attach", "reverse"};
  const qm_node *found = NULL;
  for (size_t i = 0; !found && i < sizeof others / sizeof *others; i++)
    found = qm_node_get(a, others[i]);
  for (size_t i = 0; !found && i < sizeof verbs / sizeof *verbs; i++)
    found = qm_node_get(a, verbs[i].name);
  return found;
}

static int action(void *payload, const qm_node *a, const qm_scenario_vars *v, qm_error *e) {
  doing *x = payload;
  qm_scenario_record r = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  const qm_node *verb = verb_of(a);
  char name[24];
  if (!verb) return fault(x, qm_fail(e, QM_EUSAGE, "an action that does nothing known"));
  x->s->writes++;
  (void)snprintf(name, sizeof name, "%.*s", (int)verb->key.n, (const char *)verb->key.p);
  if (strcmp(name, "new") == 0) return make(x, v, a, e);
  int rc = qm_scenario_record_of(x->s, v, verb, x->in, &r, e);
  rc = rc == QM_OK ? on_record(x, v, name, &r, a, e) : fault(x, rc);
  qm_scenario_record_free(&r);
  return rc;
}

/* ---- to and from an upper space: transactions of their own ---- */

static int refer(qm_scenario *s, const qm_scenario_vars *v, qm_scenario_device *d,
                 const qm_node *step, const qm_scenario_record *r, int *bad, qm_error *e) {
  qm_line to = QM_LINE_INIT, label = QM_LINE_INIT;
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(step, "to")), &to, e);
  if (rc == QM_OK) rc = qm_scenario_text(v, qm_node_text(qm_node_get(step, "as")), &label, e);
  *bad = rc != QM_OK;
  if (rc == QM_OK)
    rc = qm_refer(d->db, qm_line_slice(&r->space), qm_line_slice(&r->collection),
                  qm_line_slice(&r->record), qm_line_slice(&to), &t, e);
  if (rc == QM_OK) rc = qm_tree_read(&tree, qm_slice_of(t.p, t.n));
  if (rc == QM_OK && label.n)
    rc = qm_scenario_label_put(s, qm_line_text(&label), qm_line_slice(&to),
                               qm_line_slice(&r->collection),
                               qm_node_string(qm_node_get(tree.root, "id")));
  qm_tree_free(&tree);
  qm_text_free(&t);
  qm_line_free(&to);
  qm_line_free(&label);
  return rc;
}

int qm_scenario_refer(qm_scenario *s, const qm_scenario_vars *v, qm_scenario_device *d,
                      const qm_node *step, int *bad, qm_error *e) {
  qm_scenario_record r = {QM_LINE_INIT, QM_LINE_INIT, QM_LINE_INIT};
  const qm_node *up = qm_node_get(step, "refer"), *in = qm_node_get(step, "in");
  qm_text t = {0};
  s->writes++;
  int rc = qm_scenario_record_of(s, v, up ? up : qm_node_get(step, "answers"), in, &r, e);
  *bad = rc != QM_OK;
  if (rc == QM_OK && up) rc = refer(s, v, d, step, &r, bad, e);
  else if (rc == QM_OK)
    rc = qm_answers(d->db, qm_line_slice(&r.space), qm_line_slice(&r.collection),
                    qm_line_slice(&r.record), &t, e);
  qm_text_free(&t);
  qm_scenario_record_free(&r);
  return rc;
}

int qm_scenario_do(qm_scenario *s, const qm_scenario_vars *v, qm_scenario_device *d,
                   const qm_node *step, int *bad, qm_error *e) {
  doing x = {.s = s, .d = d, .in = qm_node_get(step, "in"), .space = QM_LINE_INIT, .bad = bad};
  *bad = 0;
  int rc = qm_scenario_text(v, qm_node_text(x.in), &x.space, e);
  if (rc != QM_OK) return fault(&x, rc);
  rc = qm_begin(d->db, qm_line_slice(&x.space), &x.tx, e);
  const qm_node *list = qm_node_get(step, "does");
  for (const qm_node *a = list ? list->child : NULL; a && rc == QM_OK; a = a->next)
    rc = qm_scenario_repeat(a, v, action, &x, e);
  if (rc == QM_OK) rc = qm_commit(x.tx, e);
  else qm_cancel(x.tx);
  qm_line_free(&x.space);
  return rc;
}
