/* qianmod: the hub as a program. Reads the command line and calls the verb. */
#include "adapters/cli/qianmod.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapters/sqlite/store_sqlite.h"

/* --- what it says --- */

static void report(const hub_args *a, int code, const char *message) {
  qm_cli cli = a->cli;
  cli.lang = QM_LANG_EN; /* `message` says it already in the right language */
  (void)qm_cli_fail(&cli, code, message);
}

int hub_refuse(const hub_args *a, int code, qm_hub_text id, ...) {
  char message[1024];
  va_list args;
  va_start(args, id);
  vsnprintf(message, sizeof message, qm_hub_say(a->cli.lang, id), args);
  va_end(args);
  report(a, code, message);
  return qm_cli_exit(code);
}

int hub_error(const hub_args *a, int code, const qm_error *e) {
  return qm_cli_fail(&a->cli, code, e->message);
}

void hub_print(const hub_args *a, qm_hub_text id, ...) {
  va_list args;
  va_start(args, id);
  vprintf(qm_hub_say(a->cli.lang, id), args);
  va_end(args);
}

/* --- verbs --- */

static const struct verb {
  const char *name;
  int (*run)(const hub_args *a);
  qm_hub_text help;
  uint32_t least, most; /* positional arguments */
} verbs[] = {{"init", hub_verb_init, QM_HUB_HELP_INIT, 1, 1},
             {"run", hub_verb_run, QM_HUB_HELP_RUN, 1, 1},
             {"space", hub_verb_space, QM_HUB_HELP_SPACE, 1, 3},
             {"enroll", hub_verb_enroll, QM_HUB_HELP_ENROLL, 1, 1},
             {"devices", hub_verb_devices, QM_HUB_HELP_DEVICES, 1, 1},
             {"revoke", hub_verb_revoke, QM_HUB_HELP_REVOKE, 1, 2},
             {"reassign", hub_verb_reassign, QM_HUB_HELP_REASSIGN, 1, 2},
             {"aside", hub_verb_aside, QM_HUB_HELP_ASIDE, 1, 3},
             {"conflicts", hub_verb_conflicts, QM_HUB_HELP_CONFLICTS, 1, 2},
             {"backup", hub_verb_backup, QM_HUB_HELP_BACKUP, 1, 2},
             {"restore", hub_verb_restore, QM_HUB_HELP_RESTORE, 1, 2},
             {"check", hub_verb_check, QM_HUB_HELP_CHECK, 1, 1},
             {"recover", hub_verb_recover, QM_HUB_HELP_RECOVER, 1, 2},
             {"maintain", hub_verb_maintain, QM_HUB_HELP_MAINTAIN, 1, 1}};

static const struct verb *find_verb(const char *name) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
  return NULL;
}

/* --- the command line --- */

/* Options with a value; those of `spaces` take every argument up to the next option. */
static const char **value_of(hub_args *a, const char *name) {
  const struct {
    const char *name;
    const char **to;
  } options[] = {{"--name", &a->name},           {"--listen", &a->listen},
                 {"--schema", &a->schema},       {"--member", &a->member},
                 {"--role", &a->role},           {"--hours", &a->hours},
                 {"--stale", &a->stale},         {"--port-file", &a->port_file},
                 {"--test-crash", &a->crash},    {"--id", &a->id},
                 {"--why", &a->why},             {"--from", &a->from},
                 {"--severity", &a->severity},   {"--shards", &a->shards}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (strcmp(options[i].name, name) == 0) return options[i].to;
  return NULL;
}

static int *flag_of(hub_args *a, const char *name) {
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return &a->help;
  if (strcmp(name, "--json") == 0) return &a->json;
  if (strcmp(name, "--replay") == 0) return &a->replay;
  if (strcmp(name, "--test-data") == 0) return &a->test_data;
  return NULL;
}

static int add_space(hub_args *a, const char *name) {
  if (a->n_spaces == QM_ARGS_MAX) return hub_refuse(a, QM_EUSAGE, QM_HUB_TOO_MANY, name);
  a->spaces[a->n_spaces++] = name;
  return QM_EXIT_DONE;
}

static int add_positional(hub_args *a, const char *text) {
  if (!a->verb) {
    a->verb = text;
    return QM_EXIT_DONE;
  }
  if (a->n_positional == sizeof a->positional / sizeof *a->positional)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_TOO_MANY, text);
  a->positional[a->n_positional++] = text;
  return QM_EXIT_DONE;
}

/* One option at argv[*i], with "--name=VALUE" as well as "--name VALUE". */
static int read_option(hub_args *a, int argc, char **argv, int *i, int *in_spaces) {
  char name[32];
  const char *arg = argv[*i], *eq = strchr(arg, '=');
  size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
  *in_spaces = 0;
  if (n >= sizeof name) return hub_refuse(a, QM_EUSAGE, QM_HUB_UNKNOWN_OPTION, arg);
  memcpy(name, arg, n);
  name[n] = '\0';
  int *flag = eq ? NULL : flag_of(a, name);
  if (flag) {
    *flag = 1;
    return QM_EXIT_DONE;
  }
  const char **to = value_of(a, name);
  int is_space = strcmp(name, "--space") == 0;
  if (!to && !is_space) return hub_refuse(a, QM_EUSAGE, QM_HUB_UNKNOWN_OPTION, name);
  const char *value = eq ? eq + 1 : ++*i < argc ? argv[*i] : NULL;
  if (!value || !*value) return hub_refuse(a, QM_EUSAGE, QM_HUB_NO_VALUE, name);
  if (to) {
    *to = value;
    return QM_EXIT_DONE;
  }
  *in_spaces = 1;
  return add_space(a, value);
}

static int read_args(hub_args *a, int argc, char **argv) {
  int in_spaces = 0, exit_code = QM_EXIT_DONE;
  for (int i = 1; i < argc && exit_code == QM_EXIT_DONE; i++) {
    if (argv[i][0] == '-' && argv[i][1]) exit_code = read_option(a, argc, argv, &i, &in_spaces);
    else exit_code = in_spaces ? add_space(a, argv[i]) : add_positional(a, argv[i]);
  }
  return exit_code;
}

static int run(hub_args *a) {
  if (!a->verb || (strcmp(a->verb, "help") == 0 && !a->n_positional)) {
    fputs(qm_hub_say(a->cli.lang, QM_HUB_USAGE), a->help || a->verb ? stdout : stderr);
    return a->help || a->verb ? QM_EXIT_DONE : QM_EXIT_USAGE;
  }
  int is_help = strcmp(a->verb, "help") == 0;
  const char *name = is_help ? a->positional[0] : a->verb;
  const struct verb *v = find_verb(name);
  if (!v) return hub_refuse(a, QM_EUSAGE, QM_HUB_UNKNOWN_VERB, name);
  if (is_help || a->help) {
    fputs(qm_hub_say(a->cli.lang, v->help), stdout);
    return QM_EXIT_DONE;
  }
  if (a->n_positional < v->least) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DIR");
  if (a->n_positional > v->most)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_TOO_MANY, a->positional[v->most]);
  return v->run(a);
}

int main(int argc, char **argv) {
  hub_args a;
  qm_sqlite_alone();
  memset(&a, 0, sizeof a);
  qm_cli_init(&a.cli, "qianmod");
  /* Before the rest, so that what is wrong with it is said in JSON too. */
  for (int i = 1; i < argc; i++) a.cli.json |= strcmp(argv[i], "--json") == 0;
  int exit_code = read_args(&a, argc, argv);
  if (exit_code == QM_EXIT_DONE) exit_code = run(&a);
  return qm_cli_finish(&a.cli, exit_code);
}
