/* scenario_text.c: texts, numbers and times of a scenario file, and what it repeats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/cli/scenario.h"

/* ---- expressions: terms from left to right, a term is a number or a variable ---- */

static int is_name(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int find(const qm_scenario_vars *v, const char *name, size_t n, int64_t *out) {
  for (uint32_t i = 0; v && i < v->n; i++) {
    if (strlen(v->v[i].name) != n || memcmp(v->v[i].name, name, n) != 0) continue;
    *out = v->v[i].value;
    return 0;
  }
  return -1;
}

static int term(const qm_scenario_vars *v, const char **at, const char *end, int64_t *out) {
  const char *p = *at;
  *out = 0;
  if (p < end && is_digit(*p)) {
    while (p < end && is_digit(*p) && *out < INT64_C(1000000000000))
      *out = *out * 10 + (*p++ - '0');
    *at = p;
    return 0;
  }
  while (p < end && is_name(*p)) p++;
  if (p == *at || find(v, *at, (size_t)(p - *at), out) != 0) return -1;
  *at = p;
  return 0;
}

static int apply(char op, int64_t b, int64_t *a) {
  if ((op == '/' || op == '%') && b <= 0) return -1;
  switch (op) {
    case '+': *a += b; return 0;
    case '-': *a -= b; return 0;
    case '*': *a *= b; return 0;
    case '/': *a /= b; return 0;
    case '%': *a %= b; return 0;
    default: return -1;
  }
}

int qm_scenario_number(const qm_scenario_vars *v, qm_slice in, int64_t *out, qm_error *e) {
  const char *p = (const char *)in.p, *end = p + in.n;
  int64_t b;
  int ok = in.n && term(v, &p, end, out) == 0;
  while (ok && p < end) {
    char op = *p++;
    ok = term(v, &p, end, &b) == 0 && apply(op, b, out) == 0 && *out < INT64_C(1) << 52 &&
         *out > -(INT64_C(1) << 52);
  }
  return ok ? QM_OK : qm_fail(e, QM_EUSAGE, "%.*s is no number here", (int)in.n,
                              (const char *)in.p);
}

static int brace(const qm_scenario_vars *v, qm_slice in, qm_line *out, qm_error *e) {
  const char *colon = in.n ? memchr(in.p, ':', in.n) : NULL;
  size_t n = colon ? (size_t)(colon - (const char *)in.p) : in.n;
  int64_t value = 0;
  int width = 0;
  if (colon) width = atoi(colon + 1) % 20;
  int rc = qm_scenario_number(v, qm_slice_of(in.p, n), &value, e);
  if (rc == QM_OK) qm_line_format(out, "%0*lld", width, (long long)value);
  return rc;
}

int qm_scenario_text(const qm_scenario_vars *v, qm_slice in, qm_line *out, qm_error *e) {
  const char *p = (const char *)in.p, *end = p + in.n;
  while (p < end) {
    const char *open = memchr(p, '{', (size_t)(end - p));
    const char *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;
    if (!close) break;
    qm_line_bytes(out, p, (size_t)(open - p));
    int rc = brace(v, qm_slice_of(open + 1, (size_t)(close - open - 1)), out, e);
    if (rc != QM_OK) return rc;
    p = close + 1;
  }
  qm_line_bytes(out, p, (size_t)(end - p));
  return out->failed ? qm_fail(e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM)) : QM_OK;
}

/* ---- values ---- */

static int reference(const qm_scenario *s, const char *name, qm_line *out, qm_error *e) {
  int both = name[0] == '@';
  const qm_scenario_label *l = qm_scenario_label_find(s, name + both);
  if (strcmp(name, "now") == 0) {
    qm_line_format(out, "%llu", (unsigned long long)s->now_ms);
    return QM_OK;
  }
  if (!l) return qm_fail(e, QM_EUSAGE, "nothing is called %.100s", name + both);
  if (!both) {
    qm_line_json(out, qm_str(l->id));
    return QM_OK;
  }
  const char *space = qm_scenario_space_id(s, l->space);
  if (!space) return qm_fail(e, QM_EUSAGE, "nobody has the space of %.100s", name + 1);
  qm_line_format(out, "\"%s/%s\"", space, l->id);
  return QM_OK;
}

static int put_text(const qm_scenario *s, const qm_scenario_vars *v, qm_slice text, qm_line *out,
                    qm_error *e) {
  qm_line l = QM_LINE_INIT;
  int64_t n = 0;
  if (text.n > 1 && text.p[0] == '=') {
    int rc = qm_scenario_number(v, qm_slice_of(text.p + 1, text.n - 1), &n, e);
    qm_line_format(out, "%lld", (long long)n);
    return rc;
  }
  int rc = qm_scenario_text(v, text, &l, e);
  if (rc == QM_OK && text.n > 1 && text.p[0] == '@')
    rc = reference(s, qm_line_text(&l) + 1, out, e);
  else if (rc == QM_OK) qm_line_json(out, qm_line_slice(&l));
  qm_line_free(&l);
  return rc;
}

int qm_scenario_json(const qm_scenario *s, const qm_scenario_vars *v, const qm_node *n,
                     qm_line *out, qm_error *e) {
  static const char *const words[] = {"null", "false", "true"};
  int object = n && n->type == QM_NODE_OBJECT;
  if (!n || n->type <= QM_NODE_TRUE) {
    qm_line_add(out, words[n ? n->type : 0]);
    return QM_OK;
  }
  if (n->type == QM_NODE_NUMBER) {
    qm_line_bytes(out, n->text.p, n->text.n);
    return QM_OK;
  }
  if (n->type == QM_NODE_STRING) return put_text(s, v, n->text, out, e);
  qm_line_add(out, object ? "{" : "[");
  for (const qm_node *c = n->child; c; c = c->next) {
    if (c != n->child) qm_line_add(out, ",");
    if (object) qm_line_json(out, c->key);
    if (object) qm_line_add(out, ":");
    int rc = qm_scenario_json(s, v, c, out, e);
    if (rc != QM_OK) return rc;
  }
  qm_line_add(out, object ? "}" : "]");
  return QM_OK;
}

/* ---- times ---- */

/* Days from 1970-01-01 (proleptic Gregorian; Hinnant, chrono-compatible date algorithms). */
static int64_t days_of(int64_t y, int64_t m, int64_t d) {
  y -= m <= 2;
  int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
  int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int qm_scenario_time(const qm_scenario *s, const char *text, uint64_t *out, qm_error *e) {
  int y, mo, d, h, mi;
  char rest;
  if (sscanf(text, "%4d-%2d-%2d %2d:%2d%c", &y, &mo, &d, &h, &mi, &rest) != 5 || y < 1971 ||
      y > 2200 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 24 || mi < 0 || mi > 59)
    return qm_fail(e, QM_EUSAGE, "%.40s is no time (YYYY-MM-DD HH:MM)", text);
  int64_t minutes = days_of(y, mo, d) * 1440 + h * 60 + mi - s->utc_minutes;
  *out = (uint64_t)minutes * 60000;
  return QM_OK;
}

/* ---- repeating ---- */

typedef struct repeating {
  const qm_node *n;
  const qm_node *variables[QM_SCENARIO_VARS];
  uint32_t n_variables;
  qm_scenario_each what;
  void *payload;
} repeating;

static int over(repeating *r, uint32_t at, const qm_scenario_vars *v, qm_error *e);

static int with(repeating *r, uint32_t at, const qm_scenario_vars *v, int64_t value, qm_error *e) {
  qm_scenario_vars inner = *v;
  inner.v[inner.n++].value = value;
  return over(r, at + 1, &inner, e);
}

/* "1..64", "7", "1..8+i%3" */
static int each_part(repeating *r, uint32_t at, const qm_scenario_vars *v, qm_slice part,
                     qm_error *e) {
  const char *p = (const char *)part.p;
  size_t dots = 0;
  int64_t first, last;
  while (dots + 1 < part.n && !(p[dots] == '.' && p[dots + 1] == '.')) dots++;
  size_t n = dots + 1 < part.n ? dots : part.n;
  int rc = qm_scenario_number(v, qm_slice_of(p, n), &first, e);
  if (rc != QM_OK) return rc;
  last = first;
  if (n < part.n) rc = qm_scenario_number(v, qm_slice_of(p + n + 2, part.n - n - 2), &last, e);
  if (rc == QM_OK && last - first > 100000) rc = qm_fail(e, QM_EUSAGE, "repeat: too often");
  for (int64_t i = first; rc == QM_OK && i <= last; i++) rc = with(r, at, v, i, e);
  return rc;
}

static int over(repeating *r, uint32_t at, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario_vars named = *v;
  if (at == r->n_variables) return r->what(r->payload, r->n, v, e);
  const qm_node *var = r->variables[at];
  if (v->n == QM_SCENARIO_VARS || !var->key.n || var->key.n >= sizeof named.v[0].name ||
      var->type != QM_NODE_STRING)
    return qm_fail(e, QM_EUSAGE, "repeat: a name of small letters and \"FIRST..LAST\"; at most %u",
                   QM_SCENARIO_VARS);
  memset(named.v[named.n].name, 0, sizeof named.v[0].name);
  memcpy(named.v[named.n].name, var->key.p, var->key.n);
  const char *p = qm_node_string(var);
  for (;;) {
    size_t n = strcspn(p, ",");
    int rc = each_part(r, at, &named, qm_slice_of(p, n), e);
    if (rc != QM_OK || !p[n]) return rc;
    p += n + 1;
  }
}

static int gather(repeating *r, const qm_node *object, qm_error *e) {
  for (const qm_node *n = object->child; n; n = n->next) {
    if (r->n_variables == QM_SCENARIO_VARS)
      return qm_fail(e, QM_EUSAGE, "repeat: more than %u names", QM_SCENARIO_VARS);
    r->variables[r->n_variables++] = n;
  }
  return QM_OK;
}

int qm_scenario_repeat(const qm_node *n, const qm_scenario_vars *outer, qm_scenario_each what,
                       void *payload, qm_error *e) {
  const qm_node *list = qm_node_get(n, "repeat");
  repeating r = {.n = n, .what = what, .payload = payload};
  int rc = QM_OK;
  if (list && list->type == QM_NODE_OBJECT) rc = gather(&r, list, e);
  else
    for (const qm_node *o = list ? list->child : NULL; o && rc == QM_OK; o = o->next)
      rc = gather(&r, o, e);
  return rc == QM_OK ? over(&r, 0, outer, e) : rc;
}
