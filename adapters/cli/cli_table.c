#include "adapters/cli/cli_table.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2u
#define NARROW 8u /* no column is made narrower than this to fit a terminal */

void qm_table_init(qm_table *t, size_t columns) {
  memset(t, 0, sizeof *t);
  t->columns = columns;
}

void qm_table_free(qm_table *t) {
  for (size_t i = 0; i < t->cells; i++) free(t->cell[i]);
  free(t->cell);
  memset(t, 0, sizeof *t);
}

void qm_table_cell(qm_table *t, qm_slice text) {
  qm_line cut = QM_LINE_INIT;
  if (t->cells == t->cap) {
    size_t cap = t->cap ? t->cap * 2 : 64;
    char **more = cap > SIZE_MAX / sizeof *more ? NULL : realloc(t->cell, cap * sizeof *more);
    if (!more) {
      t->failed = 1;
      return;
    }
    t->cell = more;
    t->cap = cap;
  }
  qm_line_cut(&cut, text, QM_TABLE_CELL_MAX);
  qm_line_add(&cut, "");
  if (cut.failed || !cut.p) {
    t->failed = 1;
    qm_line_free(&cut);
    return;
  }
  t->cell[t->cells++] = cut.p;
}

void qm_table_text(qm_table *t, const char *text) { qm_table_cell(t, qm_str(text)); }

void qm_pad(qm_line *l, size_t from, size_t columns) {
  size_t used = qm_columns(qm_slice_of(l->p + from, l->n - from));
  for (; used < columns; used++) qm_line_add(l, " ");
}

/* Widths of the columns; where their sum is too great the widest gives way, step by step. */
static void measure(const qm_table *t, size_t width, size_t *wide) {
  size_t sum = 0;
  memset(wide, 0, t->columns * sizeof *wide);
  for (size_t i = 0; i < t->cells; i++) {
    size_t n = qm_columns(qm_str(t->cell[i]));
    if (n > wide[i % t->columns]) wide[i % t->columns] = n;
  }
  for (size_t c = 0; c < t->columns; c++) sum += wide[c] + (c ? GAP : 0);
  while (width && sum > width) {
    size_t widest = 0;
    for (size_t c = 1; c < t->columns; c++)
      if (wide[c] > wide[widest]) widest = c;
    if (wide[widest] <= NARROW) return;
    wide[widest]--;
    sum--;
  }
}

int qm_table_print(const qm_table *t, FILE *to, size_t width, int color) {
  size_t wide[QM_TABLE_COLUMNS_MAX];
  qm_line l = QM_LINE_INIT;
  measure(t, width, wide);
  int failed = t->failed;
  for (size_t i = 0; i < t->cells && !failed; i++) {
    size_t c = i % t->columns, from;
    if (c == 0) qm_line_clear(&l);
    else qm_line_add(&l, "  ");
    from = l.n;
    size_t n = qm_columns(qm_str(t->cell[i]));
    if (t->numeric[c])
      for (; n < wide[c]; n++) qm_line_add(&l, " ");
    qm_line_cut(&l, qm_str(t->cell[i]), wide[c]);
    failed = l.failed;
    if (failed) break;
    if (c + 1 < t->columns) {
      qm_pad(&l, from, wide[c]);
      continue;
    }
    while (l.n && l.p[l.n - 1] == ' ') l.p[--l.n] = '\0';
    fprintf(to, color && i < t->columns ? "\033[1m%s\033[0m\n" : "%s\n", qm_line_text(&l));
  }
  failed |= l.failed;
  qm_line_free(&l);
  return failed ? QM_ENOMEM : QM_OK;
}
