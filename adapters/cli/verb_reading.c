#include "adapters/cli/verb_reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_MAX 1000
#define FILE_MAX ((size_t)16 << 20)

static void path_of(const qm_ctx *c, qm_line *l, const char *suffix) {
  qm_line_format(l, "%s.review%s", c->db_path, suffix);
}

void qm_reading_value(qm_line *l, const qm_node *value) {
  const qm_node *dot = qm_node_get(value, "dot");
  qm_line_add(l, qm_node_string(dot ? dot : qm_node_get(value, "value")));
}

static void put_conflict(qm_line *l, const qm_node *n) {
  static const char *const names[] = {"item",  "space", "collection", "id",
                                      "field", "class", "token"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    qm_line_format(l, "%s\t", qm_node_string(qm_node_get(n, names[i])));
  const qm_node *values = qm_node_get(n, "values");
  for (const qm_node *v = values ? values->child : NULL; v; v = v->next) {
    if (v != values->child) qm_line_add(l, ",");
    qm_reading_value(l, v);
  }
  qm_line_add(l, "\n");
}

static void read_kept(const qm_ctx *c, qm_line *l) {
  qm_line path = QM_LINE_INIT;
  char piece[4096];
  size_t n;
  path_of(c, &path, "");
  FILE *f = path.failed ? NULL : fopen(qm_line_text(&path), "rb");
  while (f && l->n < FILE_MAX && (n = fread(piece, 1, sizeof piece, f)) > 0)
    qm_line_bytes(l, piece, n);
  if (f) fclose(f);
  qm_line_free(&path);
}

static int begins_with_item(qm_slice line, const qm_line *fresh) {
  const char *at = qm_line_text(fresh);
  for (; *at; at = strchr(at, '\n') + 1)
    if (line.n > 9 && strncmp(at, (const char *)line.p, 9) == 0) return 1;
  return 0;
}

/* Beside it first, so that a full disk leaves the one that is there. */
static void write_kept(const qm_ctx *c, const qm_line *l) {
  qm_line path = QM_LINE_INIT, part = QM_LINE_INIT;
  path_of(c, &path, "");
  path_of(c, &part, "~");
  (void)unlink(qm_line_text(&part));
  int fd = path.failed || part.failed || l->failed
               ? -1
               : open(qm_line_text(&part), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                      S_IRUSR | S_IWUSR);
  FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
  if (f) {
    int good = fwrite(qm_line_text(l), 1, l->n, f) == l->n;
    good &= fclose(f) == 0;
    if (!good || rename(qm_line_text(&part), qm_line_text(&path)) != 0)
      (void)unlink(qm_line_text(&part));
  } else if (fd >= 0) {
    close(fd);
  }
  qm_line_free(&path);
  qm_line_free(&part);
}

void qm_reading_keep(qm_ctx *c, const qm_text *lines) {
  qm_line fresh = QM_LINE_INIT, old = QM_LINE_INIT, all = QM_LINE_INIT;
  qm_slice rest = qm_slice_of(lines->p, lines->n), line;
  qm_tree t = QM_TREE_INIT;
  int n = 0;
  while (qm_next_line(&rest, &line) && qm_tree_read(&t, line) == QM_OK)
    if (qm_node_get(t.root, "item")) put_conflict(&fresh, t.root), n++;
  qm_tree_free(&t);
  if (n) {
    read_kept(c, &old);
    qm_line_add(&all, qm_line_text(&fresh));
    rest = qm_line_slice(&old);
    while (n < KEPT_MAX && qm_next_line(&rest, &line)) {
      if (begins_with_item(line, &fresh)) continue;
      qm_line_bytes(&all, line.p, line.n);
      qm_line_add(&all, "\n");
      n++;
    }
    write_kept(c, &all);
  }
  qm_line_free(&fresh);
  qm_line_free(&old);
  qm_line_free(&all);
}

static int is_item(qm_slice line, const char *item) {
  size_t n = strlen(item);
  if (n < 4 || n > 8 || line.n < 9) return 0;
  for (size_t i = 0; i < n; i++) {
    char a = item[i], b = (char)line.p[i];
    if (a >= 'a' && a <= 'z') a = (char)(a - 32);
    if (a != b) return 0;
  }
  return 1;
}

static int split_columns(qm_reading *r) {
  qm_slice rest = qm_line_slice(&r->text);
  for (size_t i = 0; i < QM_READING_COLUMNS; i++) {
    const uint8_t *tab = memchr(rest.p, i + 1 < QM_READING_COLUMNS ? '\t' : '\n', rest.n);
    size_t n = tab ? (size_t)(tab - rest.p) : i + 1 < QM_READING_COLUMNS ? SIZE_MAX : rest.n;
    if (n == SIZE_MAX) return 0;
    r->column[i] = qm_slice_of(rest.p, n);
    rest = tab ? qm_slice_of(tab + 1, rest.n - n - 1) : qm_slice_of(rest.p + n, 0);
  }
  return 1;
}

int qm_reading_find(qm_ctx *c, const char *item, qm_reading *out) {
  qm_line kept = QM_LINE_INIT;
  qm_slice line, rest, hit = {NULL, 0};
  int n = 0;
  memset(out, 0, sizeof *out);
  read_kept(c, &kept);
  rest = qm_line_slice(&kept);
  while (qm_next_line(&rest, &line))
    if (is_item(line, item)) hit = line, n++;
  if (n == 1) qm_line_bytes(&out->text, hit.p, hit.n);
  qm_line_free(&kept);
  if (n > 1) return qm_cli_fail(&c->cli, QM_EAMBIGUOUS, "");
  if (n == 1 && split_columns(out)) return QM_EXIT_DONE;
  qm_reading_free(out);
  return qm_cli_refuse(&c->cli, QM_ENOTFOUND, QM_SAY_SETTLE_UNKNOWN, item, c->cli.program);
}

void qm_reading_free(qm_reading *r) { qm_line_free(&r->text); }

qm_slice qm_reading_nth(const qm_reading *r, int64_t n) {
  qm_slice rest = r->column[QM_READING_VALUES];
  while (n >= 1 && rest.n) {
    const uint8_t *comma = memchr(rest.p, ',', rest.n);
    size_t len = comma ? (size_t)(comma - rest.p) : rest.n;
    if (n-- == 1) return qm_slice_of(rest.p, len);
    rest = comma ? qm_slice_of(comma + 1, rest.n - len - 1) : qm_slice_of(NULL, 0);
  }
  return qm_slice_of(NULL, 0);
}
