/* cli_opt: options by a table. They may stand anywhere; "--" ends them. `--name VALUE`,
 * `--name=VALUE`, `-n VALUE`; everything else is an argument. */
#ifndef QM_CLI_OPT_H
#define QM_CLI_OPT_H

#include <stdio.h>

#include "adapters/cli/cli_text.h"
#include "adapters/cli/i18n.h"
#include "core/qianmo.h"

typedef struct qm_opt {
  const char *name;    /* without the hyphens */
  char letter;         /* 0: none */
  const char *metavar; /* NULL: takes no value */
  qm_say_id help;
} qm_opt;

typedef enum qm_opt_fault {
  QM_OPT_FINE,
  QM_OPT_UNKNOWN,
  QM_OPT_NO_VALUE,  /* one is needed */
  QM_OPT_HAS_VALUE, /* none is taken */
  QM_OPT_TWICE
} qm_opt_fault;

/* values[i]: NULL where opts[i] was not given, "" for one without a value; borrows from argv.
 * args: room for argc entries. bad: the option at fault as typed, without its value. argv[0] is
 * skipped. */
qm_opt_fault qm_opt_parse(const qm_opt *opts, size_t n, int argc, char **argv,
                          const char **values, char **args, int *n_args, qm_slice *bad);
/* A line of --help: two blanks, the option in a column, its meaning. */
void qm_opt_describe(const qm_opt *o, qm_lang lang, FILE *to);
/* The index of the first argument that is no option, or argc. */
int qm_opt_first(const qm_opt *opts, size_t n, int argc, char **argv);

#endif
