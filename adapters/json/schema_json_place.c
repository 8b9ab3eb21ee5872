/* Where in a JSON file a place of a schema stands: jansson keeps no lines. The text has
 * been parsed before, so this scan only has to be safe on bad text, not to refuse it. */
#include <string.h>

#include "adapters/json/schema_json_int.h"

typedef struct scan {
  const uint8_t *p, *end;
} scan;

static void blanks(scan *s) {
  while (s->p < s->end && memchr(" \t\r\n,:\xEF\xBB\xBF", *s->p, 8)) s->p++;
}

static qm_slice string(scan *s) {
  const uint8_t *from = ++s->p;
  while (s->p < s->end && *s->p != '"') s->p += *s->p == '\\' && s->end - s->p > 1 ? 2 : 1;
  qm_slice text = qm_slice_of(from, (size_t)(s->p - from));
  if (s->p < s->end) s->p++;
  return text;
}

static void skip_value(scan *s) {
  int depth = 0;
  blanks(s);
  while (s->p < s->end) {
    uint8_t c = *s->p;
    if (c == '"') {
      (void)string(s);
    } else {
      if ((c == ']' || c == '}') && depth == 0) return; /* an empty list: no value here */
      s->p++;
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
    if (depth == 0 && (c == '"' || c == '}' || c == ']')) return;
    if (depth == 0 && s->p < s->end && memchr(",]} \t\r\n", *s->p, 7)) return;
  }
}

/* Into the member `key`; stays at its key, so that the line is the key's. */
static int enter_key(scan *s, qm_slice key, const uint8_t **at) {
  blanks(s);
  if (s->p >= s->end || *s->p != '{') return 0;
  s->p++;
  for (blanks(s); s->p < s->end && *s->p == '"'; blanks(s)) {
    const uint8_t *from = s->p;
    if (qm_slice_cmp(string(s), key) == 0) {
      *at = from;
      return 1;
    }
    skip_value(s);
  }
  return 0;
}

static int enter_index(scan *s, uint32_t index, const uint8_t **at) {
  blanks(s);
  if (s->p >= s->end || *s->p != '[') return 0;
  s->p++;
  for (uint32_t i = 0; i < index; i++) skip_value(s);
  blanks(s);
  if (s->p >= s->end || *s->p == ']') return 0;
  *at = s->p;
  return 1;
}

static uint32_t line_of(qm_slice json, const uint8_t *at) {
  uint32_t line = 1;
  for (const uint8_t *p = json.p; p < at; p++) line += *p == '\n';
  return line;
}

static size_t word(const char *place) { return strcspn(place, ".[]: ("); }

/* As far as the place goes: the key or entry of the last step that is there; NULL: of none. */
static const uint8_t *find(qm_slice json, const char *place, int *whole) {
  scan s = {json.p, json.p + json.n};
  const uint8_t *at = NULL;
  *whole = 0;
  for (;;) {
    size_t n = word(place);
    if (n && !enter_key(&s, qm_slice_of(place, n), &at)) return at;
    place += n;
    if (*place == '[') {
      uint32_t index = 0;
      for (place++; *place >= '0' && *place <= '9' && index < 1000000u; place++)
        index = index * 10 + (uint32_t)(*place - '0');
      if (!enter_index(&s, index, &at) || *place++ != ']') return at;
    }
    if (*place != '.') break;
    place++;
  }
  *whole = 1;
  return at;
}

const uint8_t *qm__schema_json_at(qm_slice json, const char *place) {
  int whole;
  const uint8_t *at = find(json, place, &whole);
  return whole ? at : NULL;
}

const uint8_t *qm__schema_json_behind(qm_slice json, const uint8_t *member) {
  scan s = {member, json.p + json.n};
  if (s.p < s.end && *s.p == '"') (void)string(&s);
  skip_value(&s);
  return s.p;
}

uint32_t qm_schema_json_line(qm_slice json, const char *place) {
  int whole;
  size_t n = word(place);
  if (!json.n || !n || (place[n] != '[' && place[n] != ':') || strncmp(place, "schema:", 7) == 0)
    return 0;
  const uint8_t *at = find(json, place, &whole);
  return at ? line_of(json, at) : 0;
}

void qm_schema_json_where(qm_slice json, qm_error *e) {
  char old[sizeof e->message];
  if (!e || e->code != QM_ESCHEMA) return;
  uint32_t line = qm_schema_json_line(json, e->message);
  if (!line) return;
  memcpy(old, e->message, sizeof old);
  (void)qm_fail(e, e->code, "line %u: %s", (unsigned)line, old);
}
