/* fts_token: the tokenizer of the search index, for FTS5. Chinese names have two characters
 * and stand without blanks, so words cannot be told: of ideographs every one is a token, and
 * every two neighbours are one at the same place. Letters and digits make words. All folded
 * by core/norm.h. Beside its first token every line of a text has one more, for the line as
 * a whole: `=` and its letters, digits and ideographs; so a name that is exactly what was
 * asked for is found without looking at all that contain it. In a query a run of ideographs
 * becomes its pairs one after the other, so that FTS5 looks for the run as a phrase; a single
 * one becomes itself. */
#ifndef QM_SQLITE_FTS_TOKEN_H
#define QM_SQLITE_FTS_TOKEN_H

#include <sqlite3.h>

#include "core/buf.h"

#define QM__TOKEN_MAX 128u /* bytes of a token; the rest of a longer word is left out */

/* Makes the tokenizer `qianmo` known to a connection. SQLITE_OK; SQLITE_ERROR: no FTS5.
 * pairs (may be NULL; borrowed while the connection is open): where it is 1, FTS5 marks what
 * was found by pairs of ideographs, else by single ones. */
int qm__fts_register(sqlite3 *h, int *pairs);

/* Called for each token in order. colocated: at the place of the one before. from, to: bytes
 * of the text it stands for. Other than 0 stops and is the result. */
typedef int (*qm__token)(void *payload, int colocated, qm_slice token, size_t from, size_t to);
enum { QM__FTS_TEXT = 0, QM__FTS_QUERY = 1, QM__FTS_PAIRS = 2 /* a text, ends as of pairs */ };
int qm__fts_tokens(qm_slice text, int how, qm__token visit, void *payload);

/* What a person typed, as FTS5 queries. all: every piece between blanks must be there, as a
 * phrase; a piece that ends in a word of QM__PREFIX or more characters matches what that word
 * begins. exact: one of the pieces is a whole line. Appends; nothing where the text has no
 * token. Errors stick in the buffers. 1 where a piece has two ideographs side by side. */
#define QM__PREFIX 3u
int qm__fts_query(qm_buf *all, qm_buf *exact, qm_slice text);

#endif
