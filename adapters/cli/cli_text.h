/* cli_text: a growing text of the programs' own, and what they do to text for people:
 * take out what would steer a terminal, cut to columns, write times, guess a mistyped name.
 * A text that could not grow stays as it was and is `failed`; check it once at the end. */
#ifndef QM_CLI_TEXT_H
#define QM_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "core/qianmo.h"

typedef struct qm_line {
  char *p; /* NUL-terminated, or NULL while empty */
  size_t n, cap;
  int failed;
} qm_line;

#define QM_LINE_INIT {NULL, 0, 0, 0}
#define QM_LINE_MAX ((size_t)64 << 20)

void qm_line_free(qm_line *l); /* leaves it empty and usable */
void qm_line_clear(qm_line *l);
const char *qm_line_text(const qm_line *l); /* "" where empty; until the next change */
qm_slice qm_line_slice(const qm_line *l);
void qm_line_bytes(qm_line *l, const void *p, size_t n);
void qm_line_add(qm_line *l, const char *text);
void qm_line_format(qm_line *l, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Text from elsewhere: control and direction characters become U+FFFD, so that no value
 * moves the cursor. newline: what takes the place of a line break ("\n" keeps it). */
void qm_line_clean(qm_line *l, qm_slice text, const char *newline);
/* The same, cut to at most `columns` with an ellipsis. */
void qm_line_cut(qm_line *l, qm_slice text, size_t columns);
/* A JSON string with its quotes. */
void qm_line_json(qm_line *l, qm_slice text);
/* Local time, "2026-11-21 16:02:33". */
void qm_line_time(qm_line *l, int64_t ms);
/* Bytes as people read them: "812 B", "4.0 kB", "1.2 GB". */
void qm_line_size(qm_line *l, uint64_t bytes);

/* The name that a mistyped one was probably meant to be: feed it all names, then read
 * `best`; NULL where none is near. Borrows the names. */
typedef struct qm_near {
  qm_slice typed;
  const char *best;
  size_t best_n, distance;
} qm_near;
void qm_near_init(qm_near *n, const char *typed);
void qm_near_offer(qm_near *n, qm_slice name);

/* A whole number in [min, max]; 0, or -1 where it is none. */
int qm_cli_number(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
