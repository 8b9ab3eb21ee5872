#include "adapters/cli/verb.h"

#include <string.h>

/* The options of --help, the global ones or those of a verb. */
static void print_options(const qm_ctx *c, uint32_t bits) {
  printf("\n%s\n", QM_SAY(c, HELP_OPTIONS));
  for (unsigned i = 0; i < QM_OPT_COUNT; i++)
    if (bits & QM_OPT_BIT(i)) qm_opt_describe(&qm_options_table[i], c->cli.lang, stdout);
}

static void print_group(const qm_ctx *c, qm_say_id group) {
  printf("\n%s\n", qm_say(c->cli.lang, group));
  for (const qm_verb *v = qm_verbs; v->name; v++) {
    const qm_help *help = qm_help_find(v->name);
    if (v->group == group && help)
      printf("  %-15s %s\n", v->name, help->summary[c->cli.lang]);
  }
}

int qm_help_all(const qm_ctx *c) {
  static const qm_say_id groups[] = {QM_SAY_HELP_SETUP, QM_SAY_HELP_WRITE, QM_SAY_HELP_READ,
                                     QM_SAY_HELP_SYNC, QM_SAY_HELP_OTHER};
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_USAGE, c->cli.program, QM_SAY(c, HELP_VERB),
               QM_SAY(c, HELP_ARGS));
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_ABOUT);
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) print_group(c, groups[i]);
  print_options(c, QM_OPT_BIT(QM_OPT_GLOBAL) - 1);
  putchar('\n');
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_EXIT);
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_MORE, c->cli.program);
  return QM_EXIT_DONE;
}

int qm_help_verb(const qm_ctx *c, const qm_verb *verb) {
  const qm_help *help = qm_help_find(verb->name);
  const qm_lang lang = c->cli.lang;
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_USAGE, c->cli.program, verb->name, help->args[lang]);
  printf("%s\n", help->summary[lang]);
  if (help->body[lang][0]) printf("\n%s", help->body[lang]);
  if (verb->options) print_options(c, verb->options);
  putchar('\n');
  qm_cli_print(&c->cli, stdout, QM_SAY_HELP_GLOBAL, c->cli.program);
  return QM_EXIT_DONE;
}

int qm_help_few(const qm_ctx *c) {
  return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_TOO_FEW, c->cli.program, c->verb->name,
                       qm_help_find(c->verb->name)->args[c->cli.lang]);
}

int qm_help_many(const qm_ctx *c) {
  return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_TOO_MANY, c->cli.program, c->verb->name,
                       qm_help_find(c->verb->name)->args[c->cli.lang]);
}

int qm_verb_help(qm_ctx *c) {
  if (c->n_args == 0) return qm_help_all(c);
  const qm_verb *verb = qm_verb_find(c->args[0]);
  return verb ? qm_help_verb(c, verb) : qm_verb_unknown(c, c->args[0]);
}

int qm_verb_version(qm_ctx *c) {
  if (c->cli.json)
    printf("{\"version\":\"%s\",\"abi\":%lu}\n", qm_version(), (unsigned long)qm_abi());
  else qm_cli_print(&c->cli, stdout, QM_SAY_VERSION, qm_version());
  return QM_EXIT_DONE;
}
