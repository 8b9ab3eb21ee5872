#include "core/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/id.h"
#include "core/validator.h"

#define HEX_SIZE (2u * QM_AUTHOR_SIZE)

int qm_is_ledger(const qm_field_def *f) {
  return f->type == QM_FIELD_LOG && qm_check_kind_of(f->check) == QM_CHECK_ENTRY;
}

void qm_entry_name(const qm_authors *authors, qm_dot dot, char out[QM_ENTRY_NAME_SIZE]) {
  char hex[HEX_SIZE + 1];
  qm_hex(hex, authors->ids[dot.author].b, QM_AUTHOR_SIZE);
  (void)snprintf(out, QM_ENTRY_NAME_SIZE, "%.48s:%" PRIu64, hex, dot.counter);
}

int qm_entry_find(const qm_authors *authors, qm_slice name, qm_dot *out) {
  qm_author author;
  uint64_t counter = 0;
  if (name.n < HEX_SIZE + 2 || name.n >= QM_ENTRY_NAME_SIZE || name.p[HEX_SIZE] != ':')
    return QM_ENOTFOUND;
  if (qm_unhex(author.b, sizeof author.b, (const char *)name.p, HEX_SIZE) != QM_OK)
    return QM_ENOTFOUND;
  for (size_t i = HEX_SIZE + 1; i < name.n; i++) {
    unsigned digit = (unsigned)(name.p[i] - '0');
    if (digit > 9 || counter > (UINT64_MAX - digit) / 10) return QM_ENOTFOUND;
    counter = counter * 10 + digit;
  }
  out->counter = counter;
  QM_TRY(qm_authors_find(authors, &author, &out->author));
  char written[QM_ENTRY_NAME_SIZE]; /* one name for one entry */
  qm_entry_name(authors, *out, written);
  return qm_slice_cmp(name, qm_slice_of(written, strlen(written))) == 0 ? QM_OK : QM_ENOTFOUND;
}

/* The first token of a member; 0 where there is none. */
static int member(qm_slice map, const char *key, qm_mp_token *out) {
  qm_cur c;
  qm_mp_type type;
  uint32_t pairs = 0;
  qm_cur_init(&c, map);
  if (!map.n || qm_cur_peek(&c, &type) != QM_OK || type != QM_MP_MAP) return 0;
  (void)qm_cur_map(&c, &pairs);
  for (uint32_t i = 0; i < pairs && c.status == QM_OK; i++) {
    qm_slice name, value;
    (void)qm_cur_str(&c, &name);
    if (qm_cur_value(&c, QM_VALUE_DEPTH, &value) != QM_OK) return 0;
    if (name.n != strlen(key) || memcmp(name.p, key, name.n) != 0) continue;
    qm_cur_init(&c, value);
    return qm_cur_token(&c, out) == QM_OK;
  }
  return 0;
}

int64_t qm_entry_amount(qm_slice value) {
  qm_mp_token t;
  if (!member(value, "amount", &t)) return 0;
  if (t.type == QM_MP_NINT) return t.i;
  return t.type == QM_MP_UINT && t.u <= INT64_MAX ? (int64_t)t.u : 0;
}

qm_slice qm_entry_reverses(qm_slice value) {
  qm_mp_token t;
  if (member(value, "reverses", &t) && t.type == QM_MP_STR) return t.span;
  return qm_slice_of(NULL, 0);
}

static const qm_entry *entry_at(const qm_entries *v, qm_dot dot) {
  for (uint32_t i = 0; v && i < v->n; i++)
    if (qm_dot_eq(v->p[i].dot, dot)) return &v->p[i];
  return NULL;
}

static int reversed(const qm_entries *v, qm_slice name) {
  for (uint32_t i = 0; v && i < v->n; i++)
    if (!v->p[i].erased && qm_slice_cmp(qm_entry_reverses(v->p[i].value), name) == 0) return 1;
  return 0;
}

int qm_ledger_check(const qm_authors *authors, const qm_entries *entries, const qm_field_def *f,
                    qm_slice value, qm_error *e) {
  const qm_slice none = {NULL, 0}, name = qm_entry_reverses(value);
  qm_dot dot;
  if (!name.n) return QM_OK;
  const qm_entry *old =
      qm_entry_find(authors, name, &dot) == QM_OK ? entry_at(entries, dot) : NULL;
  if (!old || old->erased || qm_entry_reverses(old->value).n)
    return qm_reason_fail(e, f->name, QM_REASON_ENTRY_REVERSES, none);
  int64_t amount = qm_entry_amount(old->value);
  if (amount == INT64_MIN || qm_entry_amount(value) != -amount)
    return qm_reason_fail(e, f->name, QM_REASON_ENTRY_OPPOSITE, none);
  if (reversed(entries, name)) return qm_reason_fail(e, f->name, QM_REASON_ENTRY_TWICE, none);
  return QM_OK;
}
