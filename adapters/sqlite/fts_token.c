/* fts_token.c: see fts_token.h. */
#include "adapters/sqlite/fts_token.h"

#include <string.h>

#include "core/norm.h"

#define IDEOGRAPH_MAX 4u /* bytes of one */

/* ---- cutting a text into tokens ---- */

typedef struct cutter {
  qm__token visit;
  void *payload;
  int query, pairs;
  /* the word under way */
  uint8_t word[QM__TOKEN_MAX];
  size_t n, from, to;
  /* the ideograph before, not told yet or told alone */
  uint8_t last[IDEOGRAPH_MAX];
  size_t last_n, last_from, last_to;
  int paired; /* it is the second of a pair already told */
  /* the line as a whole, until its first token was told */
  uint8_t line[QM__TOKEN_MAX];
  size_t line_n;
} cutter;

static int tell(cutter *k, int colocated, qm_slice token, size_t from, size_t to) {
  size_t n = k->line_n;
  int rc = k->visit(k->payload, colocated, token, from, to);
  k->line_n = 0;
  if (rc || !n) return rc;
  return k->visit(k->payload, 1, qm_slice_of(k->line, n), from, to);
}

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
  return tell(k, 0, token, k->from, k->to);
}

/* A run ends. In a text its last ideograph stands alone at its place; in a query it is told
 * where it was the only one, or where something follows that must stand right behind it. */
static int end_run(cutter *k, int follows) {
  if (!k->last_n) return 0;
  qm_slice token = qm_slice_of(k->last, k->last_n);
  k->last_n = 0;
  if (k->query && k->paired && !follows) return 0;
  return tell(k, 0, token, k->last_from, k->last_to);
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
    if (!rc && !k->query) rc = tell(k, 0, first, k->last_from, k->pairs ? to : k->last_to);
    size_t n = had + put_utf8(pair + had, c);
    if (!rc) rc = tell(k, !k->query, qm_slice_of(pair, n), k->last_from, to);
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

/* Makes the token of the line that begins at `from`; none where it would be too long. */
static void begin_line(cutter *k, qm_slice text, size_t from) {
  uint32_t folded[QM_FOLD_MAX];
  k->line_n = 0;
  k->line[k->line_n++] = '=';
  for (size_t i = from; i < text.n && text.p[i] != '\n';) {
    size_t n = qm_fold_char(qm_utf8_next(text, &i), folded);
    for (size_t f = 0; f < n; f++) {
      qm_char_class class_of = qm_char_class_of(folded[f]);
      if (class_of != QM_CHAR_WORD && class_of != QM_CHAR_IDEOGRAPH) continue;
      if (k->line_n + 4 > sizeof k->line) {
        k->line_n = 0;
        return;
      }
      k->line_n += put_utf8(k->line + k->line_n, folded[f]);
    }
  }
}

/* A query of a whole line is marked by this byte; texts have it nowhere. */
#define WHOLE_LINE 1

int qm__fts_tokens(qm_slice text, int how, qm__token visit, void *payload) {
  int query = how == QM__FTS_QUERY;
  cutter k = {.visit = visit, .payload = payload, .query = query, .pairs = how == QM__FTS_PAIRS};
  uint32_t folded[QM_FOLD_MAX];
  int rc = 0;
  if (query && text.n && text.p[0] == WHOLE_LINE) {
    begin_line(&k, text, 1);
    return k.line_n > 1 ? visit(payload, 0, qm_slice_of(k.line, k.line_n), 1, text.n) : 0;
  }
  if (!query) begin_line(&k, text, 0);
  for (size_t i = 0; i < text.n && !rc;) {
    size_t from = i;
    size_t n = qm_fold_char(qm_utf8_next(text, &i), folded);
    for (size_t f = 0; f < n && !rc; f++) rc = add(&k, folded[f], from, i);
    if (!query && text.p[from] == '\n') begin_line(&k, text, i);
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
  const int *pairs = (const int *)(void *)self;
  int how = flags & FTS5_TOKENIZE_QUERY             ? QM__FTS_QUERY
            : (flags & FTS5_TOKENIZE_AUX) && *pairs ? QM__FTS_PAIRS
                                                    : QM__FTS_TEXT;
  return qm__fts_tokens(qm_slice_of(text, n > 0 ? (size_t)n : 0), how, hand_over, &t);
}

static int fts5_create(void *context, const char **args, int n, Fts5Tokenizer **out) {
  (void)args;
  if (n != 0) return SQLITE_ERROR;
  *out = (Fts5Tokenizer *)context;
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

int qm__fts_register(sqlite3 *h, int *pairs) {
  static int never; /* the state of a tokenizer; NULL would be a failure */
  static fts5_tokenizer methods = {fts5_create, fts5_delete, fts5_tokens};
  fts5_api *api = api_of(h);
  if (!api) return SQLITE_ERROR;
  return api->xCreateTokenizer(api, "qianmo", pairs ? pairs : &never, &methods, NULL);
}

/* ---- queries ---- */

typedef struct piece {
  size_t tokens, end; /* end: byte where the last token ends */
  int prefix;         /* the last one is a word, and long enough */
  int pairs;          /* one has two ideographs */
} piece;

static int look(void *payload, int colocated, qm_slice token, size_t from, size_t to) {
  piece *p = payload;
  size_t at = 0;
  (void)colocated;
  (void)from;
  p->tokens++;
  p->end = to;
  if (qm_char_class_of(qm_utf8_next(token, &at)) == QM_CHAR_IDEOGRAPH) p->pairs |= at < token.n;
  at = 0;
  p->prefix = qm_char_class_of(qm_utf8_next(token, &at)) == QM_CHAR_WORD &&
              qm_utf8_offset(token, QM__PREFIX - 1) < token.n;
  return 0;
}

static int is_blank_at(qm_slice s, size_t i, size_t *n) {
  static const uint8_t wide[] = {0xE3, 0x80, 0x80}; /* U+3000 */
  *n = 1;
  if (s.p[i] <= ' ') return 1;
  *n = 3;
  return s.n - i >= 3 && memcmp(s.p + i, wide, 3) == 0;
}

static void put_phrase(qm_buf *out, const char *between, int whole_line, qm_slice text) {
  if (out->n) qm_buf_add(out, between, strlen(between));
  qm_buf_byte(out, '"');
  if (whole_line) qm_buf_byte(out, WHOLE_LINE);
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] == '"') qm_buf_byte(out, '"');
    qm_buf_byte(out, text.p[i]);
  }
  qm_buf_byte(out, '"');
}

static int put_piece(qm_buf *all, qm_buf *exact, qm_slice text) {
  piece p = {0, 0, 0, 0};
  (void)qm__fts_tokens(text, 1, look, &p);
  if (!p.tokens) return 0;
  put_phrase(all, " AND ", 0, text);
  if (p.prefix && p.end == text.n) qm_buf_byte(all, '*');
  put_phrase(exact, " OR ", 1, text);
  return p.pairs;
}

int qm__fts_query(qm_buf *all, qm_buf *exact, qm_slice text) {
  size_t from = 0, n;
  int pairs = 0;
  for (size_t i = 0; i < text.n;) {
    if (!is_blank_at(text, i, &n)) {
      i++;
      continue;
    }
    pairs |= put_piece(all, exact, qm_slice_of(text.p + from, i - from));
    i += n;
    from = i;
  }
  return put_piece(all, exact, qm_slice_of(text.p + from, text.n - from)) | pairs;
}
