/* cli_table: rows of cells in columns for a terminal, where a Chinese character takes two. */
#ifndef QM_CLI_TABLE_H
#define QM_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "adapters/cli/cli_text.h"

#define QM_TABLE_COLUMNS_MAX 16u
#define QM_TABLE_CELL_MAX 40u /* columns of one cell; longer values are cut */

typedef struct qm_table {
  size_t columns, cells, cap;
  char **cell; /* row by row; the first row is the heading */
  int numeric[QM_TABLE_COLUMNS_MAX]; /* set to align a column to the right */
  int failed;
} qm_table;

/* columns: 1 to QM_TABLE_COLUMNS_MAX. */
void qm_table_init(qm_table *t, size_t columns);
void qm_table_free(qm_table *t);
/* The next cell, cleaned and cut. */
void qm_table_cell(qm_table *t, qm_slice text);
void qm_table_text(qm_table *t, const char *text);
/* width: columns of the terminal, where the widest columns give way; 0 for no limit.
 * 0, or QM_ENOMEM where a cell could not be kept. */
int qm_table_print(const qm_table *t, FILE *to, size_t width, int color);

/* Fills up with blanks to `columns`. */
void qm_pad(qm_line *l, size_t from, size_t columns);

#endif
