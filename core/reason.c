#include "core/reason.h"

#include <string.h>

static const struct {
  const char *word, *en, *zh;
} table[] = {
    {"", "", ""},
#define QM_REASON_ROW(id, word, en, zh) {word, en, zh},
    QM_REASONS(QM_REASON_ROW)
#undef QM_REASON_ROW
};

static size_t row(qm_reason r) { return (size_t)r < QM_REASON_COUNT ? (size_t)r : 0; }

const char *qm_reason_word(qm_reason r) { return table[row(r)].word; }
const char *qm_reason_en(qm_reason r) { return table[row(r)].en; }
const char *qm_reason_zh(qm_reason r) { return table[row(r)].zh; }

int qm_reason_fail(qm_error *e, qm_slice field, qm_reason r, qm_slice detail) {
  const char *name = field.n ? (const char *)field.p : "";
  int n = field.n > 64 ? 64 : (int)field.n, more = detail.n > 64 ? 64 : (int)detail.n;
  if (!more) return qm_fail(e, QM_ESCHEMA, "field %.*s: %s", n, name, qm_reason_en(r));
  return qm_fail(e, QM_ESCHEMA, "field %.*s: %s (%.*s)", n, name, qm_reason_en(r), more,
                 (const char *)detail.p);
}

/* What follows a reason's text: nothing, or a detail in brackets. */
static int rest_of(const char *rest, qm_slice *detail) {
  size_t n = strlen(rest);
  *detail = qm_slice_of(NULL, 0);
  if (!n) return 1;
  if (n < 4 || rest[0] != ' ' || rest[1] != '(' || rest[n - 1] != ')') return 0;
  *detail = qm_slice_of(rest + 2, n - 3);
  return 1;
}

qm_reason qm_reason_find(const char *message, qm_slice *field, qm_slice *detail) {
  static const char head[] = "field ";
  *field = *detail = qm_slice_of(NULL, 0);
  if (strncmp(message, head, sizeof head - 1) != 0) return QM_REASON_NONE;
  const char *name = message + sizeof head - 1, *colon = strstr(name, ": ");
  if (!colon) return QM_REASON_NONE;
  for (size_t i = 1; i < QM_REASON_COUNT; i++) {
    size_t n = strlen(table[i].en);
    if (strncmp(colon + 2, table[i].en, n) != 0 || !rest_of(colon + 2 + n, detail)) continue;
    *field = qm_slice_of(name, (size_t)(colon - name));
    return (qm_reason)i;
  }
  return QM_REASON_NONE;
}
