#include "adapters/cli/cli_out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void qm_cli_init(qm_cli *cli, const char *program) {
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
  struct winsize size;
  memset(cli, 0, sizeof *cli);
  cli->program = program;
  cli->lang = qm_lang_from_env();
  if (!isatty(STDOUT_FILENO)) return;
  cli->color = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
  cli->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

int qm_cli_exit(int code) {
  switch (qm_err_class(code)) {
    case QM_CLASS_OK: return QM_EXIT_DONE;
    case QM_CLASS_USAGE: return QM_EXIT_USAGE;
    case QM_CLASS_ABSENT: return QM_EXIT_ABSENT;
    case QM_CLASS_RETRY: return QM_EXIT_RETRY;
    case QM_CLASS_REFUSED: return QM_EXIT_REFUSED;
    case QM_CLASS_STORAGE: return QM_EXIT_STORAGE;
    case QM_CLASS_DIFFER: return QM_EXIT_DIFFER;
    case QM_CLASS_CORRUPT: break;
  }
  return QM_EXIT_DAMAGED;
}

/* why: of a refused value; NULL: none. */
static void report(const qm_cli *cli, int code, const char *message, const qm_explanation *why) {
  qm_line l = QM_LINE_INIT;
  if (cli->json) {
    qm_line_format(&l, "{\"error\":{\"code\":\"%s\",\"number\":%d,\"message\":", qm_err_name(code),
                   code);
    qm_line_json(&l, qm_str(message));
    if (why) {
      qm_line_add(&l, ",\"field\":");
      qm_line_json(&l, why->field);
      qm_line_format(&l, ",\"reason\":\"%s\"", why->reason);
    }
    if (why && why->detail.n) {
      qm_line_add(&l, ",\"use\":");
      qm_line_json(&l, why->detail);
    }
    qm_line_add(&l, "}}\n");
  } else {
    qm_line_format(&l, "%s: ", cli->program);
    qm_line_clean(&l, qm_str(message), " ");
    if (code != QM_EUSAGE) qm_line_format(&l, " [%s]", qm_err_name(code));
    qm_line_add(&l, "\n");
  }
  fflush(stdout);
  if (l.failed) fprintf(stderr, "%s: %s\n", cli->program, qm_err_name(code));
  else fputs(qm_line_text(&l), stderr);
  qm_line_free(&l);
}

int qm_cli_fail(const qm_cli *cli, int code, const char *detail) {
  const char *text = qm_say_error(cli->lang, code);
  qm_line l = QM_LINE_INIT;
  /* In English the detail says it all, or begins or ends with the code's own text. */
  if (cli->lang == QM_LANG_EN || !*detail) {
    qm_line_add(&l, *detail ? detail : text);
  } else {
    qm_line_add(&l, text);
    if (strcmp(detail, qm_err_text(code)) != 0) qm_line_format(&l, "（%s）", detail);
  }
  report(cli, code, qm_line_text(&l), NULL);
  qm_line_free(&l);
  return qm_cli_exit(code);
}

/* A refused value says which field and why, in the language of the messages. */
int qm_cli_refused(const qm_cli *cli, const qm_error *e, const qm_explanation *why,
                   qm_slice label) {
  const char *text = cli->lang == QM_LANG_ZH ? why->zh : why->en;
  qm_line l = QM_LINE_INIT, field = QM_LINE_INIT, detail = QM_LINE_INIT;
  qm_line_clean(&field, label.n ? label : why->field, " ");
  qm_line_clean(&detail, why->detail, " ");
  qm_line_format(&l, qm_say(cli->lang, detail.n ? QM_SAY_REFUSED_VALUE_USE : QM_SAY_REFUSED_VALUE),
                 qm_line_text(&field), text, qm_line_text(&detail));
  report(cli, e->code, qm_line_text(&l), why);
  qm_line_free(&l);
  qm_line_free(&field);
  qm_line_free(&detail);
  return qm_cli_exit(e->code);
}

int qm_cli_error(const qm_cli *cli, const qm_error *e) {
  qm_explanation why = QM_EXPLANATION_INIT;
  if (qm_explain(e, &why) == QM_OK) return qm_cli_refused(cli, e, &why, qm_slice_of(NULL, 0));
  return qm_cli_fail(cli, e->code, e->message);
}

static void say(const qm_cli *cli, qm_line *l, qm_say_id id, va_list args) {
  char small[512];
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(small, sizeof small, qm_say(cli->lang, id), args);
  if (n >= 0 && (size_t)n < sizeof small) {
    qm_line_add(l, small);
  } else if (n > 0) {
    char *big = malloc((size_t)n + 1);
    if (big) vsnprintf(big, (size_t)n + 1, qm_say(cli->lang, id), again);
    qm_line_add(l, big ? big : qm_say(cli->lang, id));
    free(big);
  }
  va_end(again);
}

int qm_cli_refuse(const qm_cli *cli, int code, qm_say_id id, ...) {
  qm_line l = QM_LINE_INIT;
  va_list args;
  va_start(args, id);
  say(cli, &l, id, args);
  va_end(args);
  report(cli, code, qm_line_text(&l), NULL);
  qm_line_free(&l);
  return qm_cli_exit(code);
}

void qm_cli_print(const qm_cli *cli, FILE *to, qm_say_id id, ...) {
  qm_line l = QM_LINE_INIT;
  va_list args;
  va_start(args, id);
  say(cli, &l, id, args);
  va_end(args);
  fputs(qm_line_text(&l), to);
  qm_line_free(&l);
}

void qm_cli_note(const qm_cli *cli, qm_say_id id, ...) {
  qm_line l = QM_LINE_INIT;
  va_list args;
  if (cli->json) return;
  va_start(args, id);
  say(cli, &l, id, args);
  va_end(args);
  fflush(stdout);
  fputs(qm_line_text(&l), stderr);
  qm_line_free(&l);
}

int qm_cli_finish(const qm_cli *cli, int code) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  int exit_code = qm_cli_refuse(cli, QM_EIO, QM_SAY_OUTPUT_LOST);
  return code ? code : exit_code;
}
