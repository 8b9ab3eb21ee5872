/* The validators that fields name, in the MessagePack form (S22.1). They stand behind the
 * collection's other positions, so that an older program keeps them without effect. */
#include "core/schema_internal.h"

#define CHECK_FIXED 2u
#define CHECK_ALL 3u

/* A field that has one already, or that is not there, would not be written so again. */
static qm_field_def *field_for(qm_field_def *fields, uint32_t n, uint32_t number) {
  for (uint32_t i = 0; i < n; i++)
    if (fields[i].number == number) return fields[i].check.n ? NULL : &fields[i];
  return NULL;
}

void qm__checks_read(qm_cur *c, qm_field_def *fields, uint32_t n) {
  uint32_t count = 0, number = 0;
  (void)qm_cur_array(c, &count);
  if (c->status == QM_OK && count > n) (void)qm_cur_fail(c, QM_EOVERSIZE);
  for (uint32_t i = 0; i < count && c->status == QM_OK; i++) {
    qm_mp_type type;
    uint32_t positions = qm__schema_object(c, CHECK_FIXED, CHECK_ALL);
    (void)qm_cur_uint32(c, &number);
    qm_field_def *f = field_for(fields, n, number);
    if (c->status == QM_OK && !f) (void)qm_cur_fail(c, QM_EFORMAT);
    if (c->status != QM_OK) return;
    (void)qm_cur_str(c, &f->check);
    if (positions < CHECK_ALL) continue;
    if (qm_cur_peek(c, &type) != QM_OK || type != QM_MP_MAP) (void)qm_cur_fail(c, QM_EFORMAT);
    (void)qm_cur_value(c, QM_VALUE_DEPTH, &f->check_options);
  }
}

uint32_t qm__checks_count(const qm_collection_def *d) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < d->n_fields; i++) n += d->fields[i].check.n > 0;
  return n;
}

void qm__checks_put(qm_buf *out, const qm_collection_def *d) {
  qm_mp_array(out, qm__checks_count(d));
  for (uint32_t i = 0; i < d->n_fields; i++) {
    const qm_field_def *f = &d->fields[i];
    if (!f->check.n) continue;
    qm_mp_array(out, f->check_options.n ? CHECK_ALL : CHECK_FIXED);
    qm_mp_uint(out, f->number);
    qm_mp_str(out, f->check.p, f->check.n);
    if (f->check_options.n) qm_mp_raw(out, f->check_options);
  }
}
