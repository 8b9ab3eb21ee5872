/* cli_out: how a program speaks: language, JSON, colours, errors, exit codes. */
#ifndef QM_CLI_OUT_H
#define QM_CLI_OUT_H

#include <stdio.h>

#include "adapters/cli/cli_text.h"
#include "adapters/cli/i18n.h"
#include "core/qianmo.h"

/* What a program ends with; README and --help list them. */
enum {
  QM_EXIT_DONE = 0,
  QM_EXIT_DIFFER = 1,  /* a check failed, or replicas differ */
  QM_EXIT_USAGE = 2,
  QM_EXIT_ABSENT = 3,  /* not found */
  QM_EXIT_RETRY = 4,   /* network, or something else that may work later */
  QM_EXIT_REFUSED = 5, /* a person must act */
  QM_EXIT_STORAGE = 6, /* full or read-only */
  QM_EXIT_DAMAGED = 7
};

typedef struct qm_cli {
  const char *program; /* begins each message on stderr */
  qm_lang lang;
  int json;     /* results as one JSON object a line, errors as one on stderr */
  int color;    /* stdout is a terminal that wants colours */
  size_t width; /* columns of the terminal on stdout; 0 where it is none */
} qm_cli;

/* Looks at the environment and stdout. */
void qm_cli_init(qm_cli *cli, const char *program);
/* The one place where an error code becomes an exit code. */
int qm_cli_exit(int code);
/* Reports on stderr and returns the exit code. detail: in English, from the library; may be "". */
int qm_cli_fail(const qm_cli *cli, int code, const char *detail);
int qm_cli_error(const qm_cli *cli, const qm_error *e);
/* A refused value (qm_explain). label: of the field, in place of its name; empty: the name. */
int qm_cli_refused(const qm_cli *cli, const qm_error *e, const qm_explanation *why,
                   qm_slice label);
/* The same with a text of our own, which has the conversions that the arguments fit. */
int qm_cli_refuse(const qm_cli *cli, int code, qm_say_id id, ...);
/* Our text to a stream. */
void qm_cli_print(const qm_cli *cli, FILE *to, qm_say_id id, ...);
/* A remark for people on stderr; nothing under --json. */
void qm_cli_note(const qm_cli *cli, qm_say_id id, ...);
/* Last of all: what was printed is out. Returns `code`, or QM_EXIT_STORAGE where it is not. */
int qm_cli_finish(const qm_cli *cli, int code);

#endif
