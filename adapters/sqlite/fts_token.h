/* fts_token: the tokenizer of the search index, for FTS5. Chinese names have two characters
 * and stand without blanks, so words cannot be told: of ideographs every one is a token, and
 * every two neighbours are one at the same place. Letters and digits make words. All folded
 * by core/norm.h. In a query a run of ideographs becomes its pairs one after the other, so
 * that FTS5 looks for the run as a phrase; a single one becomes itself. */
#ifndef QM_SQLITE_FTS_TOKEN_H
#define QM_SQLITE_FTS_TOKEN_H

#include <sqlite3.h>

#include "core/buf.h"

#define QM__TOKEN_MAX 128u /* bytes of a token; the rest of a longer word is left out */

/* Makes the tokenizer `qianmo` known to a connection. SQLITE_OK; SQLITE_ERROR: no FTS5. */
int qm__fts_register(sqlite3 *h);

/* Called for each token in order. colocated: at the place of the one before. from, to: bytes
 * of the text it stands for. Other than 0 stops and is the result. */
typedef int (*qm__token)(void *payload, int colocated, qm_slice token, size_t from, size_t to);
int qm__fts_tokens(qm_slice text, int query, qm__token visit, void *payload);

/* What a person typed, as an FTS5 query: every piece between blanks must be there, as a
 * phrase; a piece that ends in a word matches what that word begins. Appends; nothing where
 * the text has no token. Errors stick in out. */
void qm__fts_query(qm_buf *out, qm_slice text);

#endif
