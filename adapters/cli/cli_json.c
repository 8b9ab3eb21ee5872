#include "adapters/cli/cli_json.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory: chunks in a chain, freed together ---- */

typedef struct chunk {
  struct chunk *next;
  size_t used, size;
  max_align_t bytes[];
} chunk;

static void *take(qm_tree *t, size_t n) {
  chunk *c = t->chunks;
  size_t step = sizeof(max_align_t);
  if (n > SIZE_MAX / 4) return NULL;
  n = (n + step - 1) / step * step;
  if (!c || c->size - c->used < n) {
    size_t size = n > 4096 ? n : 4096;
    chunk *more = malloc(sizeof *more + size);
    if (!more) return NULL;
    *more = (chunk){c, 0, size};
    t->chunks = c = more;
  }
  void *p = (char *)c->bytes + c->used;
  c->used += n;
  return p;
}

void qm_tree_free(qm_tree *t) {
  for (chunk *c = t->chunks, *next; c; c = next) {
    next = c->next;
    free(c);
  }
  *t = (qm_tree)QM_TREE_INIT;
}

/* ---- reading ---- */

typedef struct json_in {
  qm_tree *tree;
  const uint8_t *at, *end;
} json_in;

static void skip(json_in *in) {
  while (in->at < in->end && *in->at && strchr(" \t\r\n", *in->at)) in->at++;
}

static int hex4(json_in *in, uint32_t *out) {
  if (in->end - in->at < 4) return QM_EFORMAT;
  *out = 0;
  for (int i = 0; i < 4; i++) {
    uint8_t c = *in->at++;
    unsigned digit = c >= '0' && c <= '9' ? c - (unsigned)'0'
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - (unsigned)'a' + 10
                                                          : 16;
    if (digit == 16) return QM_EFORMAT;
    *out = *out << 4 | digit;
  }
  return QM_OK;
}

static size_t put_code_point(char *to, uint32_t c) {
  static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; c >>= 6) to[i] = (char)(0x80 | (c & 63));
  to[0] = (char)(leads[n] | c);
  return n;
}

/* A \uXXXX, also of a pair; a half of one becomes U+FFFD. */
static int read_unicode(json_in *in, char *to, size_t *n) {
  uint32_t c, low;
  QM_TRY(hex4(in, &c));
  if (c >= 0xD800 && c < 0xE000) {
    int pair = c < 0xDC00 && in->end - in->at >= 2 && in->at[0] == '\\' && in->at[1] == 'u';
    if (pair) {
      in->at += 2;
      QM_TRY(hex4(in, &low));
      pair = low >= 0xDC00 && low < 0xE000;
    }
    c = pair ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
  }
  *n += put_code_point(to + *n, c);
  return QM_OK;
}

/* at stands behind the opening quote. */
static int read_string(json_in *in, qm_slice *out) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const uint8_t *close = in->at;
  size_t n = 0;
  while (close < in->end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= in->end) return QM_EFORMAT;
  char *to = take(in->tree, (size_t)(close - in->at) + 1);
  if (!to) return QM_ENOMEM;
  while (in->at < close) {
    uint8_t c = *in->at++;
    if (c < 0x20) return QM_EFORMAT;
    if (c != '\\') {
      to[n++] = (char)c;
      continue;
    }
    c = *in->at++;
    const char *found = c ? strchr(letters, c) : NULL;
    if (found) to[n++] = meant[found - letters];
    else if (c != 'u') return QM_EFORMAT;
    else QM_TRY(read_unicode(in, to, &n));
  }
  to[n] = '\0';
  in->at = close + 1;
  *out = qm_slice_of(to, n);
  return QM_OK;
}

static int read_value(json_in *in, unsigned depth, qm_node **out);

static int read_members(json_in *in, unsigned depth, qm_node *parent) {
  const int object = parent->type == QM_NODE_OBJECT;
  const uint8_t close = object ? '}' : ']';
  qm_node **tail = &parent->child;
  skip(in);
  int more = in->at == in->end || *in->at != close;
  while (more) {
    qm_slice key = {NULL, 0};
    skip(in);
    if (object) {
      if (in->at == in->end || *in->at++ != '"') return QM_EFORMAT;
      QM_TRY(read_string(in, &key));
      skip(in);
      if (in->at == in->end || *in->at++ != ':') return QM_EFORMAT;
    }
    QM_TRY(read_value(in, depth + 1, tail));
    (*tail)->key = key;
    tail = &(*tail)->next;
    skip(in);
    more = in->at < in->end && *in->at == ',';
    if (more) in->at++;
  }
  return in->at < in->end && *in->at++ == close ? QM_OK : QM_EFORMAT;
}

static int read_word(json_in *in, const char *word, qm_node_type type, qm_node *n) {
  size_t len = strlen(word);
  if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0) return QM_EFORMAT;
  n->type = type;
  n->text = qm_slice_of(in->at, len);
  in->at += len;
  return QM_OK;
}

static int read_number(json_in *in, qm_node *n) {
  const uint8_t *from = in->at;
  while (in->at < in->end && *in->at && strchr("+-.0123456789eE", *in->at)) in->at++;
  size_t len = (size_t)(in->at - from);
  char *copy = take(in->tree, len + 1);
  if (!copy) return QM_ENOMEM;
  memcpy(copy, from, len);
  copy[len] = '\0';
  n->type = QM_NODE_NUMBER;
  n->text = qm_slice_of(copy, len);
  return len && copy[len - 1] >= '0' && copy[len - 1] <= '9' ? QM_OK : QM_EFORMAT;
}

static int read_value(json_in *in, unsigned depth, qm_node **out) {
  if (depth > QM_NODE_DEPTH_MAX) return QM_EDEPTH;
  skip(in);
  if (in->at == in->end) return QM_EFORMAT;
  qm_node *n = take(in->tree, sizeof *n);
  if (!n) return QM_ENOMEM;
  memset(n, 0, sizeof *n);
  *out = n;
  switch (*in->at) {
    case '{':
    case '[':
      n->type = *in->at == '{' ? QM_NODE_OBJECT : QM_NODE_ARRAY;
      const uint8_t *from = in->at++;
      int rc = read_members(in, depth, n);
      n->text = qm_slice_of(from, (size_t)(in->at - from));
      return rc;
    case '"':
      n->type = QM_NODE_STRING;
      in->at++;
      return read_string(in, &n->text);
    case 'n': return read_word(in, "null", QM_NODE_NULL, n);
    case 't': return read_word(in, "true", QM_NODE_TRUE, n);
    case 'f': return read_word(in, "false", QM_NODE_FALSE, n);
    default: return read_number(in, n);
  }
}

int qm_tree_read(qm_tree *t, qm_slice json) {
  qm_tree_free(t);
  char *copy = take(t, json.n + 1);
  if (!copy) return QM_ENOMEM;
  if (json.n) memcpy(copy, json.p, json.n);
  json_in in = {t, (const uint8_t *)copy, (const uint8_t *)copy + json.n};
  int rc = read_value(&in, 0, &t->root);
  if (rc == QM_OK) {
    skip(&in);
    if (in.at != in.end) rc = QM_EFORMAT;
  }
  if (rc != QM_OK) qm_tree_free(t);
  return rc;
}

/* ---- looking ---- */

const qm_node *qm_node_get(const qm_node *object, const char *key) {
  size_t n = strlen(key);
  if (!object || object->type != QM_NODE_OBJECT) return NULL;
  for (const qm_node *m = object->child; m; m = m->next)
    if (m->key.n == n && memcmp(m->key.p, key, n) == 0) return m;
  return NULL;
}

qm_slice qm_node_text(const qm_node *n) {
  return n && n->type == QM_NODE_STRING ? n->text : qm_slice_of(NULL, 0);
}

const char *qm_node_string(const qm_node *n) {
  return n && n->type == QM_NODE_STRING ? (const char *)n->text.p : "";
}

int qm_node_int(const qm_node *n, int64_t *out) {
  if (!n || n->type != QM_NODE_NUMBER) return -1;
  return qm_cli_number((const char *)n->text.p, INT64_MIN, INT64_MAX, out);
}

int qm_node_true(const qm_node *n) { return n && n->type == QM_NODE_TRUE; }

int qm_node_is(const qm_node *n, const char *text) {
  return n && n->type == QM_NODE_STRING && n->text.n == strlen(text) &&
         memcmp(n->text.p, text, n->text.n) == 0;
}

int qm_next_line(qm_slice *rest, qm_slice *line) {
  if (!rest->n) return 0;
  const uint8_t *end = memchr(rest->p, '\n', rest->n);
  size_t n = end ? (size_t)(end - rest->p) : rest->n;
  *line = qm_slice_of(rest->p, n);
  if (end) n++;
  *rest = qm_slice_of(rest->p + n, rest->n - n);
  return 1;
}

void qm_line_compact(qm_line *l, qm_slice json) {
  int inside = 0;
  for (size_t i = 0; i < json.n; i++) {
    uint8_t c = json.p[i];
    if (inside && c == '\\' && i + 1 < json.n) {
      qm_line_bytes(l, json.p + i++, 2);
      continue;
    }
    if (c == '"') inside = !inside;
    if (inside || !strchr(" \t\r\n", c) || !c) qm_line_bytes(l, &json.p[i], 1);
  }
}
