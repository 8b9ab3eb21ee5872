/* fts_token.c: see fts_token.h. */
#include "adapters/sqlite/fts_token.h"

#include <string.h>

#include "core/norm.h"

#define IDEOGRAPH_MAX 4u /* bytes of one */

/* ---- cutting a text into tokens ---- */

typedef struct cutter {
  qm__token visit;
  void *payload;
  int query;
  /* the word under way */
  uint8_t word[QM__TOKEN_MAX];
  size_t n, from, to;
  /* the ideograph before, not told yet or told alone */
  uint8_t last[IDEOGRAPH_MAX];
  size_t last_n, last_from, last_to;
  int paired; /* it is the second of a pair already told */
} cutter;

static size_t put_utf8(uint8_t *p, uint32_t c) {
  if (c < 0x80) {
    p[0] = (uint8_t)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n; i-- > 1; c >>= 6) p[i] = (uint8_t)(0x80 | (c & 0x3F));
  p[0] = (uint8_t)(lead[n] | c);
  return n;
}

static int end_word(cutter *k) {
  if (!k->n) return 0;
  qm_slice token = qm_slice_of(k->word, k->n);
  k->n = 0;
  return k->visit(k->payload, 0, token, k->from, k->to);
}

/* A run ends. In a text its last ideograph stands alone at its place; in a query it is told
 * where it was the only one, or where something follows that must stand right behind it. */
static int end_run(cutter *k, int follows) {
  if (!k->last_n) return 0;
  qm_slice token = qm_slice_of(k->last, k->last_n);
  k->last_n = 0;
  if (k->query && k->paired && !follows) return 0;
  return k->visit(k->payload, 0, token, k->last_from, k->last_to);
}

static int add_word(cutter *k, uint32_t c, size_t from, size_t to) {
  int rc = end_run(k, 1);
  if (!k->n) k->from = from;
  k->to = to;
  if (k->n + 4 <= sizeof k->word) k->n += put_utf8(k->word + k->n, c);
  return rc;
}

static int add_ideograph(cutter *k, uint32_t c, size_t from, size_t to) {
  uint8_t pair[2 * IDEOGRAPH_MAX];
  int rc = end_word(k);
  size_t had = k->last_n;
  if (had) {
    memcpy(pair, k->last, had);
    qm_slice first = qm_slice_of(k->last, had);
    if (!rc && !k->query) rc = k->visit(k->payload, 0, first, k->last_from, k->last_to);
    size_t n = had + put_utf8(pair + had, c);
    if (!rc) rc = k->visit(k->payload, !k->query, qm_slice_of(pair, n), k->last_from, to);
  }
  k->paired = had > 0;
  k->last_n = put_utf8(k->last, c);
  k->last_from = from;
  k->last_to = to;
  return rc;
}

static int add(cutter *k, uint32_t c, size_t from, size_t to) {
  switch (qm_char_class_of(c)) {
    case QM_CHAR_WORD: return add_word(k, c, from, to);
    case QM_CHAR_IDEOGRAPH: return add_ideograph(k, c, from, to);
    case QM_CHAR_MARK: return 0; /* what folding leaves of them changes nothing */
    default: {
      int rc = end_word(k);
      return rc ? rc : end_run(k, 0);
    }
  }
}

int qm__fts_tokens(qm_slice text, int query, qm__token visit, void *payload) {
  cutter k = {.visit = visit, .payload = payload, .query = query};
  uint32_t folded[QM_FOLD_MAX];
  int rc = 0;
  for (size_t i = 0; i < text.n && !rc;) {
    size_t from = i;
    size_t n = qm_fold_char(qm_utf8_next(text, &i), folded);
    for (size_t f = 0; f < n && !rc; f++) rc = add(&k, folded[f], from, i);
  }
  if (!rc) rc = end_word(&k);
  return rc ? rc : end_run(&k, 0);
}

/* ---- FTS5 ---- */

typedef struct to_fts5 {
  void *context;
  int (*token)(void *, int, const char *, int, int, int);
} to_fts5;

static int hand_over(void *payload, int colocated, qm_slice token, size_t from, size_t to) {
  const to_fts5 *t = payload;
  return t->token(t->context, colocated ? FTS5_TOKEN_COLOCATED : 0, (const char *)token.p,
                  (int)token.n, (int)from, (int)to);
}

static int fts5_tokens(Fts5Tokenizer *self, void *context, int flags, const char *text, int n,
                       int (*token)(void *, int, const char *, int, int, int)) {
  to_fts5 t = {context, token};
  (void)self;
  return qm__fts_tokens(qm_slice_of(text, n > 0 ? (size_t)n : 0), (flags & FTS5_TOKENIZE_QUERY) != 0,
                        hand_over, &t);
}

static int fts5_create(void *context, const char **args, int n, Fts5Tokenizer **out) {
  static int nothing; /* there is no state; NULL would be a failure */
  (void)context;
  (void)args;
  if (n != 0) return SQLITE_ERROR;
  *out = (Fts5Tokenizer *)(void *)&nothing;
  return SQLITE_OK;
}

static void fts5_delete(Fts5Tokenizer *self) { (void)self; }

static fts5_api *api_of(sqlite3 *h) {
  fts5_api *api = NULL;
  sqlite3_stmt *st = NULL;
  if (sqlite3_prepare_v2(h, "SELECT fts5(?1)", -1, &st, NULL) == SQLITE_OK) {
    sqlite3_bind_pointer(st, 1, (void *)&api, "fts5_api_ptr", NULL);
    sqlite3_step(st);
  }
  sqlite3_finalize(st);
  return api;
}

int qm__fts_register(sqlite3 *h) {
  static fts5_tokenizer methods = {fts5_create, fts5_delete, fts5_tokens};
  fts5_api *api = api_of(h);
  if (!api) return SQLITE_ERROR;
  return api->xCreateTokenizer(api, "qianmo", NULL, &methods, NULL);
}

/* ---- queries ---- */

typedef struct piece {
  size_t tokens, end; /* end: byte where the last token ends */
  int word;           /* the last one is a word */
} piece;

static int look(void *payload, int colocated, qm_slice token, size_t from, size_t to) {
  piece *p = payload;
  size_t at = 0;
  (void)colocated;
  (void)from;
  p->tokens++;
  p->end = to;
  p->word = qm_char_class_of(qm_utf8_next(token, &at)) == QM_CHAR_WORD;
  return 0;
}

static int is_blank_at(qm_slice s, size_t i, size_t *n) {
  static const uint8_t wide[] = {0xE3, 0x80, 0x80}; /* U+3000 */
  *n = 1;
  if (s.p[i] <= ' ') return 1;
  *n = 3;
  return s.n - i >= 3 && memcmp(s.p + i, wide, 3) == 0;
}

static void put_piece(qm_buf *out, qm_slice text) {
  piece p = {0, 0, 0};
  (void)qm__fts_tokens(text, 1, look, &p);
  if (!p.tokens) return;
  if (out->n) qm_buf_byte(out, ' ');
  qm_buf_byte(out, '"');
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '"') qm_buf_byte(out, '"');
    qm_buf_byte(out, text.p[i]);
  }
  qm_buf_byte(out, '"');
  if (p.word && p.end == text.n) qm_buf_byte(out, '*');
}

void qm__fts_query(qm_buf *out, qm_slice text) {
  size_t from = 0, n;
  for (size_t i = 0; i < text.n;) {
    if (!is_blank_at(text, i, &n)) {
      i++;
      continue;
    }
    put_piece(out, qm_slice_of(text.p + from, i - from));
    i += n;
    from = i;
  }
  put_piece(out, qm_slice_of(text.p + from, text.n - from));
}
