/* qianmo: the device's program. Global options, the table of verbs, and the way to them. */
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/cli_replay_verb.h"
#include "adapters/cli/verb.h"

const qm_opt qm_options_table[QM_OPT_COUNT] = {
    [QM_OPT_DB] = {"db", 0, "FILE", QM_SAY_OPT_DB},
    [QM_OPT_SPACE] = {"space", 0, "SPACE", QM_SAY_OPT_SPACE},
    [QM_OPT_JSON] = {"json", 0, NULL, QM_SAY_OPT_JSON},
    [QM_OPT_LANG] = {"lang", 0, "LANG", QM_SAY_OPT_LANG},
    [QM_OPT_HELP] = {"help", 'h', NULL, QM_SAY_OPT_HELP},
    [QM_OPT_VERSION] = {"version", 0, NULL, QM_SAY_OPT_VERSION},
    [QM_OPT_SCHEMA] = {"schema", 0, "FILE", QM_SAY_OPT_SCHEMA},
    [QM_OPT_ROLE] = {"role", 0, "ROLE", QM_SAY_OPT_ROLE},
    [QM_OPT_TEST_DATA] = {"test-data", 0, NULL, QM_SAY_OPT_TEST_DATA},
    [QM_OPT_HUB] = {"hub", 0, "HOST:PORT", QM_SAY_OPT_HUB},
    [QM_OPT_CODE] = {"code", 0, "CODE", QM_SAY_OPT_CODE},
    [QM_OPT_NAME] = {"name", 0, "NAME", QM_SAY_OPT_NAME},
    [QM_OPT_TOKEN] = {"token", 0, "TOKEN", QM_SAY_OPT_TOKEN},
    [QM_OPT_AGAIN] = {"again", 0, NULL, QM_SAY_OPT_AGAIN},
    [QM_OPT_DELETED] = {"deleted", 0, NULL, QM_SAY_OPT_DELETED},
    [QM_OPT_LIMIT] = {"limit", 0, "N", QM_SAY_OPT_LIMIT},
    [QM_OPT_FIELDS] = {"fields", 0, "A,B,C", QM_SAY_OPT_FIELDS},
    [QM_OPT_FIELD] = {"field", 0, "FIELD", QM_SAY_OPT_FIELD},
    [QM_OPT_FAST] = {"fast", 0, NULL, QM_SAY_OPT_FAST},
    [QM_OPT_SINCE] = {"since", 0, "CURSOR", QM_SAY_OPT_SINCE},
    [QM_OPT_FOLLOW] = {"follow", 0, NULL, QM_SAY_OPT_FOLLOW},
    [QM_OPT_STAY] = {"stay", 0, NULL, QM_SAY_OPT_STAY},
    [QM_OPT_WHERE] = {"where", 0, "CONDITION", QM_SAY_OPT_WHERE},
    [QM_OPT_SORT] = {"sort", 0, "A,-B", QM_SAY_OPT_SORT},
    [QM_OPT_COLUMNS] = {"columns", 0, "A,B,C", QM_SAY_OPT_COLUMNS},
    [QM_OPT_PAGE] = {"page", 0, "N", QM_SAY_OPT_PAGE},
    [QM_OPT_COLLECTION] = {"collection", 0, "NAME", QM_SAY_OPT_COLLECTION},
    [QM_OPT_CSV] = {"csv", 0, NULL, QM_SAY_OPT_CSV},
    [QM_OPT_SECONDS] = {"seconds", 0, "N", QM_SAY_OPT_SECONDS},
    [QM_OPT_AT] = {"at", 0, "N", QM_SAY_OPT_AT},
    [QM_OPT_NUMBER] = {"count", 0, "N", QM_SAY_OPT_NUMBER},
    [QM_OPT_DISMISS] = {"dismiss", 0, NULL, QM_SAY_OPT_DISMISS},
    [QM_OPT_DISMISSED] = {"dismissed", 0, NULL, QM_SAY_OPT_DISMISSED},
    [QM_OPT_UNDO] = {"undo", 0, NULL, QM_SAY_OPT_UNDO},
    [QM_OPT_RECORD] = {"record", 0, "RECORD", QM_SAY_OPT_RECORD},
    [QM_OPT_CLASS] = {"class", 0, "CLASS", QM_SAY_OPT_CLASS},
    [QM_OPT_SEVERITY] = {"severity", 0, "LEVEL", QM_SAY_OPT_SEVERITY},
    [QM_OPT_TAKE] = {"take", 0, "N", QM_SAY_OPT_TAKE},
    [QM_OPT_VALUE] = {"value", 0, "VALUE", QM_SAY_OPT_VALUE},
    [QM_OPT_ALL] = {"all", 0, NULL, QM_SAY_OPT_ALL},
    [QM_OPT_OVERDUE] = {"overdue", 0, NULL, QM_SAY_OPT_OVERDUE},
};

#define BIT QM_OPT_BIT
#define TOKEN BIT(QM_OPT_TOKEN)

/* replay reads its own arguments: see run_replay. */
const qm_verb qm_verbs[] = {
    {"init", qm_verb_init, QM_SAY_HELP_SETUP, 0, 0,
     BIT(QM_OPT_SCHEMA) | BIT(QM_OPT_ROLE) | BIT(QM_OPT_TEST_DATA)},
    {"enroll", qm_verb_enroll, QM_SAY_HELP_SETUP, 0, 0,
     BIT(QM_OPT_HUB) | BIT(QM_OPT_CODE) | BIT(QM_OPT_NAME) | BIT(QM_OPT_TEST_DATA)},
    {"spaces", qm_verb_spaces, QM_SAY_HELP_SETUP, 0, 0, 0},
    {"schema", qm_verb_schema_show, QM_SAY_HELP_SETUP, 0, 3,
     BIT(QM_OPT_ROLE) | BIT(QM_OPT_TEST_DATA)},
    {"new", qm_verb_new, QM_SAY_HELP_WRITE, 1, -1, 0},
    {"set", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN},
    {"add", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN | BIT(QM_OPT_AGAIN)},
    {"remove", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1,
     TOKEN | BIT(QM_OPT_AT) | BIT(QM_OPT_NUMBER)},
    {"insert", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN | BIT(QM_OPT_AT)},
    {"replace", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN | BIT(QM_OPT_AT)},
    {"inc", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, 0},
    {"append", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, 0},
    {"raise", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN},
    {"lower", qm_verb_write, QM_SAY_HELP_WRITE, 3, -1, TOKEN},
    {"delete", qm_verb_presence, QM_SAY_HELP_WRITE, 2, 2, TOKEN},
    {"restore", qm_verb_presence, QM_SAY_HELP_WRITE, 2, 2, TOKEN},
    {"merge", qm_verb_merge, QM_SAY_HELP_WRITE, 3, 3, 0},
    {"unmerge", qm_verb_merge, QM_SAY_HELP_WRITE, 2, 2, 0},
    {"split", qm_verb_split, QM_SAY_HELP_WRITE, 2, 3, 0},
    {"reverse", qm_verb_reverse, QM_SAY_HELP_WRITE, 5, 5, 0},
    {"refer", qm_verb_refer, QM_SAY_HELP_WRITE, 3, 3, 0},
    {"answers", qm_verb_answers, QM_SAY_HELP_WRITE, 1, 2, 0},
    {"attach", qm_verb_attach, QM_SAY_HELP_WRITE, 4, 4, 0},
    {"attachments", qm_verb_attachments, QM_SAY_HELP_READ, 0, 2, 0},
    {"get", qm_verb_get, QM_SAY_HELP_READ, 2, 2, BIT(QM_OPT_DELETED)},
    {"list", qm_verb_list, QM_SAY_HELP_READ, 1, 1,
     BIT(QM_OPT_DELETED) | BIT(QM_OPT_LIMIT) | BIT(QM_OPT_FIELDS) | BIT(QM_OPT_COLUMNS) |
         BIT(QM_OPT_WHERE) | BIT(QM_OPT_SORT) | BIT(QM_OPT_PAGE)},
    {"search", qm_verb_search, QM_SAY_HELP_READ, 1, -1,
     BIT(QM_OPT_COLLECTION) | BIT(QM_OPT_LIMIT) | BIT(QM_OPT_PAGE)},
    {"sql", qm_verb_sql, QM_SAY_HELP_READ, 1, 1, BIT(QM_OPT_CSV) | BIT(QM_OPT_SECONDS)},
    {"log", qm_verb_log, QM_SAY_HELP_READ, 2, 2, BIT(QM_OPT_FIELD)},
    {"changes", qm_verb_changes, QM_SAY_HELP_READ, 0, 0,
     BIT(QM_OPT_SINCE) | BIT(QM_OPT_FOLLOW) | BIT(QM_OPT_LIMIT)},
    {"due", qm_verb_due, QM_SAY_HELP_READ, 0, 0,
     BIT(QM_OPT_OVERDUE) | BIT(QM_OPT_LIMIT) | BIT(QM_OPT_PAGE)},
    {"duplicates", qm_verb_duplicates, QM_SAY_HELP_READ, 0, 3,
     BIT(QM_OPT_DISMISS) | BIT(QM_OPT_DISMISSED) | BIT(QM_OPT_UNDO) | BIT(QM_OPT_LIMIT) |
         BIT(QM_OPT_PAGE)},
    {"conflicts", qm_verb_conflicts, QM_SAY_HELP_READ, 0, 1,
     BIT(QM_OPT_RECORD) | BIT(QM_OPT_CLASS) | BIT(QM_OPT_SEVERITY) | BIT(QM_OPT_LIMIT) |
         BIT(QM_OPT_PAGE)},
    {"inbox", qm_verb_inbox, QM_SAY_HELP_READ, 0, 2, BIT(QM_OPT_ALL)},
    {"settle", qm_verb_write, QM_SAY_HELP_WRITE, 1, -1,
     TOKEN | BIT(QM_OPT_TAKE) | BIT(QM_OPT_VALUE)},
    {"undo", qm_verb_undo, QM_SAY_HELP_WRITE, 0, 1, 0},
    {"status", qm_verb_status, QM_SAY_HELP_SYNC, 0, 0, BIT(QM_OPT_FAST)},
    {"sync", qm_verb_sync, QM_SAY_HELP_SYNC, 0, 0, BIT(QM_OPT_STAY)},
    {"export-refused", qm_verb_export_refused, QM_SAY_HELP_SYNC, 0, 0, 0},
    {"export-hub", qm_verb_export_hub, QM_SAY_HELP_SYNC, 1, 1, 0},
    {"check", qm_verb_check, QM_SAY_HELP_OTHER, 0, 0, 0},
    {"keep", qm_verb_keep, QM_SAY_HELP_OTHER, 0, 2, 0},
    {"rebuild", qm_verb_rebuild, QM_SAY_HELP_OTHER, 0, 0, 0},
    {"replay", NULL, QM_SAY_HELP_OTHER, 0, -1, 0},
    {"help", qm_verb_help, QM_SAY_HELP_OTHER, 0, 1, 0},
    {"version", qm_verb_version, QM_SAY_HELP_OTHER, 0, 0, 0},
    {NULL, NULL, QM_SAY_COUNT, 0, 0, 0},
};

const qm_verb *qm_verb_find(const char *name) {
  for (const qm_verb *v = qm_verbs; v->name; v++)
    if (strcmp(v->name, name) == 0) return v;
  return NULL;
}

int qm_verb_unknown(const qm_ctx *c, const char *name) {
  qm_near near;
  qm_near_init(&near, name);
  for (const qm_verb *v = qm_verbs; v->name; v++) qm_near_offer(&near, qm_str(v->name));
  return near.best ? qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NEAR_VERB, name, near.best)
                   : qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_VERB, name, c->cli.program);
}

/* ---- options ---- */

static int unknown_option(const qm_ctx *c, const char *typed) {
  qm_near near;
  qm_near_init(&near, typed[1] == '-' ? typed + 2 : typed + 1);
  for (unsigned i = 0; i < QM_OPT_COUNT; i++)
    if (i < QM_OPT_GLOBAL || (c->verb && c->verb->options & BIT(i)))
      qm_near_offer(&near, qm_str(qm_options_table[i].name));
  return near.best ? qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NEAR_OPTION, typed, near.best)
                   : qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_OPTION, typed);
}

static int option_fault(const qm_ctx *c, qm_opt_fault fault, qm_slice bad) {
  static const qm_say_id says[] = {[QM_OPT_NO_VALUE] = QM_SAY_OPTION_VALUE,
                                   [QM_OPT_HAS_VALUE] = QM_SAY_OPTION_NO_VALUE,
                                   [QM_OPT_TWICE] = QM_SAY_OPTION_TWICE};
  qm_line typed = QM_LINE_INIT;
  qm_line_bytes(&typed, bad.p, bad.n);
  int exit_code = fault == QM_OPT_UNKNOWN
                      ? unknown_option(c, qm_line_text(&typed))
                      : qm_cli_refuse(&c->cli, QM_EUSAGE, says[fault], qm_line_text(&typed));
  qm_line_free(&typed);
  return exit_code;
}

/* Language and JSON are looked for first, so that a fault in the rest is told in them. */
static void look_ahead(qm_ctx *c, int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--json") == 0) c->cli.json = 1;
    if (strncmp(argv[i], "--lang=", 7) == 0) qm_lang_parse(argv[i] + 7, &c->cli.lang);
    if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc)
      qm_lang_parse(argv[i + 1], &c->cli.lang);
  }
}

static int check_options(qm_ctx *c) {
  const char *lang = c->values[QM_OPT_LANG];
  if (lang && qm_lang_parse(lang, &c->cli.lang) != 0)
    return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_LANG);
  for (unsigned i = QM_OPT_GLOBAL; c->verb && i < QM_OPT_COUNT; i++)
    if (c->values[i] && !(c->verb->options & BIT(i)))
      return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_OPTION_OTHER, qm_options_table[i].name,
                           c->verb->name, c->cli.program, c->verb->name);
  return QM_EXIT_DONE;
}

/* ---- running ---- */

static int run_verb(qm_ctx *c) {
  const char *file = getenv("QIANMO_DB");
  if (c->values[QM_OPT_HELP]) return qm_help_verb(c, c->verb);
  if (c->n_args < c->verb->args_min) return qm_help_few(c);
  if (c->verb->args_max >= 0 && c->n_args > c->verb->args_max) return qm_help_many(c);
  c->db_path = c->values[QM_OPT_DB] ? c->values[QM_OPT_DB] : file && *file ? file : "./qianmo.db";
  int exit_code = c->verb->run(c);
  qm_close(c->db);
  qm_tree_free(&c->schema);
  return exit_code;
}

/* The measuring tool reads its own options: it gets all arguments but the verb itself. */
static int run_replay(qm_ctx *c, int argc, char **argv, int at, char **room) {
  int n = 0, ask = 0;
  room[n++] = argv[at];
  for (int i = 1; i < argc; i++) {
    if (i != at) room[n++] = argv[i];
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) ask = 1;
  }
  room[n] = NULL;
  c->verb = qm_verb_find(argv[at]);
  return ask ? qm_help_verb(c, c->verb) : qm_replay_main(n, room);
}

static int run(qm_ctx *c, int argc, char **argv, char **room) {
  qm_slice bad;
  int at = qm_opt_first(qm_options_table, QM_OPT_COUNT, argc, argv);
  if (at < argc && strcmp(argv[at], "replay") == 0) return run_replay(c, argc, argv, at, room);
  if (at < argc) c->verb = qm_verb_find(argv[at]);
  if (at < argc && !c->verb) return qm_verb_unknown(c, argv[at]);
  qm_opt_fault fault =
      qm_opt_parse(qm_options_table, QM_OPT_COUNT, argc, argv, c->values, room, &c->n_args, &bad);
  if (fault) return option_fault(c, fault, bad);
  int exit_code = check_options(c);
  if (exit_code) return exit_code;
  if (c->values[QM_OPT_VERSION]) return qm_verb_version(c);
  if (c->verb) {
    c->args = room + 1;
    c->n_args--;
    return run_verb(c);
  }
  if (c->values[QM_OPT_HELP]) return qm_help_all(c);
  return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_VERB, c->cli.program);
}

int main(int argc, char **argv) {
  qm_ctx c;
  memset(&c, 0, sizeof c);
  qm_cli_init(&c.cli, "qianmo");
  look_ahead(&c, argc, argv);
  char **room = calloc((size_t)argc + 2, sizeof *room);
  if (!room) return qm_cli_fail(&c.cli, QM_ENOMEM, "");
  int exit_code = run(&c, argc, argv, room);
  free(room);
  return qm_cli_finish(&c.cli, exit_code);
}
