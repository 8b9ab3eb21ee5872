#include "adapters/cli/verb.h"

#include <string.h>

/* ---- the database ---- */

int qm_verb_open(qm_ctx *c, uint32_t flags) {
  qm_options o = QM_OPTIONS_INIT;
  qm_error e = {0};
  o.flags = flags;
  o.path = c->db_path;
  int rc = qm_open(&o, &c->db, &e);
  if (rc == QM_EREADONLY && flags & QM_OPEN_READONLY) { /* of an older version: raised once */
    o.flags = 0;
    rc = qm_open(&o, &c->db, &e);
  }
  if (rc == QM_OK) return QM_EXIT_DONE;
  if (rc == QM_ENOTFOUND && flags & QM_OPEN_CREATE)
    return qm_cli_refuse(&c->cli, rc, QM_SAY_NO_DIRECTORY, c->db_path);
  if (rc == QM_ENOTFOUND)
    return qm_cli_refuse(&c->cli, rc, QM_SAY_NO_DATABASE, c->db_path, c->cli.program,
                         c->cli.program);
  if (rc == QM_EEXIST) return qm_cli_refuse(&c->cli, rc, QM_SAY_DATABASE_EXISTS, c->db_path);
  return qm_cli_error(&c->cli, &e);
}

qm_slice qm_verb_space(const qm_ctx *c) {
  const char *name = c->values[QM_OPT_SPACE];
  return name ? qm_str(name) : qm_slice_of(NULL, 0);
}

int qm_verb_spaces_count(qm_ctx *c) {
  qm_text text = {0};
  qm_slice rest, line;
  int n = 0;
  if (qm_spaces(c->db, &text, NULL) != QM_OK) return -1;
  rest = qm_slice_of(text.p, text.n);
  while (qm_next_line(&rest, &line)) n++;
  qm_text_free(&text);
  return n;
}

int qm_verb_failed(qm_ctx *c, const qm_error *e) { return qm_cli_error(&c->cli, e); }

/* A failed call that named a space: says what to do where that is not there. */
static int space_failed(qm_ctx *c, const qm_error *e) {
  const char *program = c->cli.program;
  if (e->code != QM_ENOTFOUND && e->code != QM_EAMBIGUOUS) return qm_verb_failed(c, e);
  int n = qm_verb_spaces_count(c);
  if (n == 0) return qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_SPACE_NONE, program);
  if (n > 1 && !c->values[QM_OPT_SPACE])
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SPACE_NEEDED, program);
  if (n > 0 && c->values[QM_OPT_SPACE] && e->code == QM_ENOTFOUND) {
    qm_text text = {0};
    int known = qm_schema_text(c->db, qm_verb_space(c), &text, NULL) == QM_OK;
    qm_text_free(&text);
    if (!known) return qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_NO_SPACE, program);
  }
  return qm_verb_failed(c, e);
}

static const qm_node *look_up(const qm_node *list, qm_slice name, int *several);

int qm_verb_record_failed(qm_ctx *c, const qm_error *e, const qm_node *collection) {
  const char *name = qm_node_string(qm_node_get(collection, "name"));
  qm_explanation why = QM_EXPLANATION_INIT;
  if (qm_explain(e, &why) == QM_OK) {
    int several;
    const qm_node *field = look_up(qm_node_get(collection, "fields"), why.field, &several);
    int zh = c->cli.lang == QM_LANG_ZH && field;
    return qm_cli_refused(&c->cli, e, &why, zh ? qm_verb_label(c, field) : why.field);
  }
  if (e->code == QM_ENOTFOUND && qm_node_get(collection, "key"))
    return qm_cli_refuse(&c->cli, e->code, QM_SAY_NO_RECORD, name);
  if (e->code == QM_ENOTFOUND)
    return qm_cli_refuse(&c->cli, e->code, QM_SAY_NO_RECORD_KEYLESS, name);
  if (e->code == QM_EINVISIBLE)
    return qm_cli_refuse(&c->cli, e->code, QM_SAY_DELETED_RECORD, c->cli.program, name);
  return qm_verb_failed(c, e);
}

int qm_verb_parse(qm_ctx *c, qm_tree *t, qm_slice json) {
  int rc = qm_tree_read(t, json);
  if (rc == QM_OK) return QM_EXIT_DONE;
  return qm_cli_refuse(&c->cli, rc == QM_ENOMEM ? rc : QM_EINTERNAL, QM_SAY_BAD_RESULT,
                       c->verb ? c->verb->name : "");
}

int qm_verb_print(qm_ctx *c, qm_line *l) {
  int exit_code = l->failed ? qm_cli_fail(&c->cli, QM_ENOMEM, "") : QM_EXIT_DONE;
  if (!l->failed) fwrite(qm_line_text(l), 1, l->n, stdout);
  qm_line_free(l);
  return exit_code;
}

int qm_verb_print_lines(const qm_text *text) {
  if (!text->n) return QM_EXIT_DONE;
  fwrite(text->p, 1, text->n, stdout);
  if (text->p[text->n - 1] != '\n') putchar('\n');
  return QM_EXIT_DONE;
}

int qm_verb_print_table(qm_ctx *c, const qm_table *table) {
  int rc = qm_table_print(table, stdout, c->cli.width, c->cli.color);
  return rc == QM_OK ? QM_EXIT_DONE : qm_cli_fail(&c->cli, rc, "");
}

/* ---- the schema ---- */

int qm_verb_schema(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  if (c->schema.root) return QM_EXIT_DONE;
  if (qm_schema_text(c->db, qm_verb_space(c), &text, &e) != QM_OK) return space_failed(c, &e);
  int exit_code = qm_verb_parse(c, &c->schema, qm_slice_of(text.p, text.n));
  qm_text_free(&text);
  return exit_code;
}

qm_slice qm_verb_name(const qm_node *named) { return qm_node_text(qm_node_get(named, "name")); }

qm_slice qm_verb_label(const qm_ctx *c, const qm_node *labelled) {
  const qm_node *label = qm_node_get(labelled, "label");
  qm_slice text = qm_node_text(qm_node_get(label, c->cli.lang == QM_LANG_ZH ? "zh" : "en"));
  return text.n ? text : qm_verb_name(labelled);
}

static int equal(qm_slice a, qm_slice b) { return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; }

static int has_label(const qm_node *labelled, qm_slice name) {
  const qm_node *label = qm_node_get(labelled, "label");
  return equal(qm_node_text(qm_node_get(label, "zh")), name) ||
         equal(qm_node_text(qm_node_get(label, "en")), name);
}

static int same_letters(qm_slice a, qm_slice b) {
  if (a.n != b.n) return 0;
  for (size_t i = 0; i < a.n; i++) {
    uint8_t x = a.p[i], y = b.p[i];
    if (x != y && ((x | 32) != (y | 32) || (x | 32) < 'a' || (x | 32) > 'z')) return 0;
  }
  return 1;
}

void qm_verb_titled(const qm_ctx *c, qm_line *l, const qm_node *labelled) {
  qm_slice name = qm_verb_name(labelled), label = qm_verb_label(c, labelled);
  qm_line_clean(l, name, " ");
  if (same_letters(name, label)) return;
  qm_line_add(l, " (");
  qm_line_clean(l, label, " ");
  qm_line_add(l, ")");
}

/* By name, else by a label that only one has; *several where more have it. */
static const qm_node *look_up(const qm_node *list, qm_slice name, int *several) {
  const qm_node *found = NULL;
  *several = 0;
  if (!name.n) return NULL;
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next)
    if (equal(qm_verb_name(n), name)) return n;
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next) {
    if (!has_label(n, name)) continue;
    *several = found != NULL;
    found = n;
  }
  return *several ? NULL : found;
}

static void offer_all(qm_near *near, const qm_node *list) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next) {
    const qm_node *label = qm_node_get(n, "label");
    qm_near_offer(near, n->type == QM_NODE_STRING ? n->text : qm_verb_name(n));
    qm_near_offer(near, qm_node_text(qm_node_get(label, "zh")));
    qm_near_offer(near, qm_node_text(qm_node_get(label, "en")));
  }
}

static void add_names(qm_line *l, const qm_node *list) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next) {
    if (l->n) qm_line_add(l, ", ");
    qm_line_clean(l, n->type == QM_NODE_STRING ? n->text : qm_verb_name(n), " ");
  }
}

/* near.best need not end where it should: a copy does. */
static const char *best_of(const qm_near *near, qm_line *l) {
  qm_line_bytes(l, near->best, near->best_n);
  return qm_line_text(l);
}

int qm_verb_collection(qm_ctx *c, const char *name, const qm_node **out) {
  const qm_node *all = qm_node_get(c->schema.root, "collections");
  qm_line l = QM_LINE_INIT;
  qm_near near;
  int several, exit_code;
  *out = look_up(all, qm_str(name), &several);
  if (*out) return QM_EXIT_DONE;
  if (several) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_TWO_NAMES, name);
  qm_near_init(&near, name);
  offer_all(&near, all);
  if (near.best) {
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NEAR_COLLECTION, name, best_of(&near, &l));
  } else {
    add_names(&l, all);
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_COLLECTION, name, qm_line_text(&l));
  }
  qm_line_free(&l);
  return exit_code;
}

int qm_verb_field(qm_ctx *c, const qm_node *collection, qm_slice name, const qm_node **out) {
  const qm_node *all = qm_node_get(collection, "fields");
  const char *of = qm_node_string(qm_node_get(collection, "name"));
  qm_line l = QM_LINE_INIT, typed = QM_LINE_INIT;
  qm_near near;
  int several, exit_code;
  *out = look_up(all, name, &several);
  if (*out) return QM_EXIT_DONE;
  qm_line_bytes(&typed, name.p, name.n);
  qm_near_init(&near, qm_line_text(&typed));
  offer_all(&near, all);
  if (several) {
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_TWO_NAMES, qm_line_text(&typed));
  } else if (near.best) {
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NEAR_FIELD, qm_line_text(&typed), of,
                              best_of(&near, &l));
  } else {
    add_names(&l, all);
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_FIELD, qm_line_text(&typed), of,
                              qm_line_text(&l));
  }
  qm_line_free(&typed);
  qm_line_free(&l);
  return exit_code;
}

/* ---- arguments ---- */

/* An argument without "=" may be a value typed alone: it is not repeated on the screen. */
int qm_verb_assignment(qm_ctx *c, int at, qm_assignment *out) {
  const char *text = c->args[at], *equals = strchr(text, '=');
  if (!equals)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_ASSIGNMENT, at + 1, c->verb->name);
  out->flags = equals > text && equals[-1] == ':' ? QM_JSON : 0;
  out->field = qm_slice_of(text, (size_t)(equals - text) - (out->flags ? 1 : 0));
  out->value = equals + 1;
  if (!out->field.n)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_EMPTY_FIELD, at + 1, c->verb->name);
  return QM_EXIT_DONE;
}

/* Nothing behind the "=" clears the field, also where an empty text would be a value. */
void qm_verb_clearing(const qm_node *field, qm_assignment *a) {
  static const char *const types[] = {"register", "state", "ref", "max", "min"};
  if (*a->value || a->flags) return;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (!qm_node_is(qm_node_get(field, "type"), types[i])) continue;
    a->value = "null";
    a->flags = QM_JSON;
  }
}

/* People type what they see: an item's label stands for its name. */
int qm_verb_item(qm_ctx *c, const qm_node *field, qm_assignment *a) {
  const qm_node *items = qm_node_get(field, "items"), *item;
  const char *name = qm_node_string(qm_node_get(field, "name"));
  qm_line l = QM_LINE_INIT;
  qm_near near;
  int several;
  if (!items || a->flags || !*a->value) return QM_EXIT_DONE;
  for (item = items->child; item; item = item->next)
    if (qm_node_is(item, a->value)) return QM_EXIT_DONE;
  item = look_up(items, qm_str(a->value), &several);
  if (item) a->value = qm_node_string(qm_node_get(item, "name"));
  if (item || several) return QM_EXIT_DONE;
  qm_near_init(&near, a->value);
  offer_all(&near, items);
  int exit_code;
  if (near.best) {
    exit_code = qm_cli_refuse(&c->cli, QM_ESCHEMA, QM_SAY_NEAR_ITEM, name, best_of(&near, &l));
  } else {
    add_names(&l, items);
    exit_code = qm_cli_refuse(&c->cli, QM_ESCHEMA, QM_SAY_BAD_ITEM, name, qm_line_text(&l));
  }
  qm_line_free(&l);
  return exit_code;
}

/* ---- values for people ---- */

static void put_item(const qm_ctx *c, qm_line *l, const qm_node *field, qm_slice name,
                     const char *newline) {
  int several;
  const qm_node *item = look_up(qm_node_get(field, "items"), name, &several);
  qm_slice label = qm_verb_label(c, item);
  if (label.n && !same_letters(label, name)) {
    qm_line_clean(l, label, newline);
    qm_line_add(l, " (");
    qm_line_clean(l, name, newline);
    qm_line_add(l, ")");
  } else {
    qm_line_clean(l, name, newline);
  }
}

/* {"$point":[lat,lon,accuracy,datum]} */
static int put_point(qm_line *l, const qm_node *value) {
  const qm_node *point = qm_node_get(value, "$point");
  const qm_node *part = point ? point->child : NULL;
  static const char *const before[] = {"", ", ", " ±", " m, "};
  if (!part) return 0;
  for (size_t i = 0; part && i < sizeof before / sizeof *before; i++, part = part->next) {
    qm_line_add(l, before[i]);
    qm_line_clean(l, part->text, " ");
  }
  return 1;
}

/* A file of a record: its kind and size; its hash says nothing to people. */
static int put_file(qm_line *l, const qm_node *value) {
  int64_t size;
  if (!qm_node_get(value, "sha256")) return 0;
  if (qm_node_int(qm_node_get(value, "size"), &size) != 0) return 0;
  qm_line_clean(l, qm_node_text(qm_node_get(value, "mime")), " ");
  qm_line_add(l, " ");
  qm_line_size(l, size < 0 ? 0 : (uint64_t)size);
  return 1;
}

void qm_verb_value(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value,
                   const char *newline) {
  if (!value) return;
  switch (value->type) {
    case QM_NODE_STRING:
      if (qm_node_get(field, "items")) put_item(c, l, field, value->text, newline);
      else qm_line_clean(l, value->text, newline);
      return;
    case QM_NODE_NULL:
      qm_line_add(l, qm_node_is(qm_node_get(field, "type"), "counter")
                         ? QM_SAY(c, WORD_OUT_OF_RANGE)
                         : QM_SAY(c, WORD_CLEARED));
      return;
    case QM_NODE_ARRAY:
      for (const qm_node *n = value->child; n; n = n->next) {
        const qm_node *entry = qm_node_get(n, "by") ? qm_node_get(n, "value") : NULL;
        if (n != value->child) qm_line_add(l, entry ? "; " : ", ");
        qm_verb_value(c, l, field, entry ? entry : n, newline);
      }
      return;
    case QM_NODE_OBJECT:
      if (!put_point(l, value) && !put_file(l, value)) qm_line_clean(l, value->text, newline);
      return;
    case QM_NODE_FALSE:
    case QM_NODE_TRUE:
    case QM_NODE_NUMBER: qm_line_clean(l, value->text, newline); return;
  }
}

void qm_verb_who(const qm_ctx *c, qm_line *l, const qm_node *who) {
  if (qm_node_true(qm_node_get(who, "own"))) qm_line_add(l, QM_SAY(c, WORD_THIS_DEVICE));
  else if (qm_node_true(qm_node_get(who, "hub"))) qm_line_add(l, QM_SAY(c, WORD_HUB));
  else qm_line_clean(l, qm_node_text(qm_node_get(who, "by")), " ");
}

void qm_verb_stamp(const qm_ctx *c, qm_line *l, const qm_node *who) {
  qm_line by = QM_LINE_INIT, at = QM_LINE_INIT;
  qm_verb_who(c, &by, who);
  qm_verb_time(&at, qm_node_get(who, "time"), "");
  if (at.n) qm_line_format(l, QM_SAY(c, WHO_BY), qm_line_text(&by), qm_line_text(&at));
  else qm_line_format(l, QM_SAY(c, WHO_ONLY), qm_line_text(&by));
  qm_verb_clock(c, l, who);
  qm_line_free(&by);
  qm_line_free(&at);
}

void qm_verb_clock(const qm_ctx *c, qm_line *l, const qm_node *who) {
  qm_line at = QM_LINE_INIT;
  qm_verb_time(&at, qm_node_get(who, "clock_time"), "");
  if (at.n) qm_line_format(l, QM_SAY(c, WHO_CLOCK), qm_line_text(&at));
  qm_line_free(&at);
}

void qm_verb_time(qm_line *l, const qm_node *ms, const char *absent) {
  int64_t v;
  if (qm_node_int(ms, &v) == 0) qm_line_time(l, v);
  else qm_line_add(l, absent);
}

void qm_verb_age(const qm_ctx *c, qm_line *l, int64_t ms) {
  static const struct {
    int64_t ms, below;
    qm_say_id say;
  } steps[] = {{1000, 120, QM_SAY_AGE_SECONDS},
               {60000, 120, QM_SAY_AGE_MINUTES},
               {3600000, 48, QM_SAY_AGE_HOURS},
               {86400000, INT64_MAX, QM_SAY_AGE_DAYS}};
  char number[24];
  size_t i = 0;
  if (ms < 0) ms = 0;
  while (ms / steps[i].ms >= steps[i].below) i++;
  snprintf(number, sizeof number, "%lld", (long long)(ms / steps[i].ms));
  qm_line_format(l, qm_say(c->cli.lang, steps[i].say), number);
}
