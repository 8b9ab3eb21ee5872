#include "adapters/cli/cli_opt.h"

#include <string.h>

#include "adapters/cli/cli_table.h"

/* The option that an argument begins with; *value: what stands behind its "=", or NULL. */
static const qm_opt *lookup(const qm_opt *opts, size_t n, const char *arg, const char **value) {
  *value = NULL;
  if (arg[1] != '-') {
    for (size_t i = 0; i < n; i++)
      if (opts[i].letter && arg[1] == opts[i].letter && !arg[2]) return &opts[i];
    return NULL;
  }
  size_t len = strcspn(arg + 2, "=");
  if (arg[2 + len]) *value = arg + 2 + len + 1;
  for (size_t i = 0; i < n; i++)
    if (strlen(opts[i].name) == len && memcmp(opts[i].name, arg + 2, len) == 0) return &opts[i];
  return NULL;
}

static int is_option(const char *arg) { return arg[0] == '-' && arg[1] != '\0'; }

qm_opt_fault qm_opt_parse(const qm_opt *opts, size_t n, int argc, char **argv,
                          const char **values, char **args, int *n_args, qm_slice *bad) {
  int ended = 0;
  for (size_t i = 0; i < n; i++) values[i] = NULL;
  *n_args = 0;
  for (int i = 1; i < argc; i++) {
    if (ended || !is_option(argv[i])) {
      args[(*n_args)++] = argv[i];
      continue;
    }
    if (strcmp(argv[i], "--") == 0) {
      ended = 1;
      continue;
    }
    const char *value;
    const qm_opt *o = lookup(opts, n, argv[i], &value);
    *bad = qm_slice_of(argv[i], strcspn(argv[i], "="));
    if (!o) return QM_OPT_UNKNOWN;
    if (!o->metavar && value) return QM_OPT_HAS_VALUE;
    if (o->metavar && !value) {
      if (i + 1 == argc) return QM_OPT_NO_VALUE;
      value = argv[++i];
    }
    if (o->metavar && values[o - opts]) return QM_OPT_TWICE;
    values[o - opts] = o->metavar ? value : "";
  }
  return QM_OPT_FINE;
}

int qm_opt_first(const qm_opt *opts, size_t n, int argc, char **argv) {
  int i = 1;
  for (; i < argc && is_option(argv[i]); i++) {
    const char *value;
    if (strcmp(argv[i], "--") == 0) return i + 1 < argc ? i + 1 : argc;
    const qm_opt *o = lookup(opts, n, argv[i], &value);
    if (o && o->metavar && !value) i++;
  }
  return i < argc ? i : argc;
}

void qm_opt_describe(const qm_opt *o, qm_lang lang, FILE *to) {
  qm_line l = QM_LINE_INIT;
  qm_line_add(&l, "  ");
  if (o->letter) qm_line_format(&l, "-%c, ", o->letter);
  qm_line_format(&l, "--%s", o->name);
  if (o->metavar) qm_line_format(&l, " %s", o->metavar);
  qm_line_add(&l, "  ");
  qm_pad(&l, 0, 22);
  qm_line_add(&l, qm_say(lang, o->help));
  fprintf(to, "%s\n", qm_line_text(&l));
  qm_line_free(&l);
}
