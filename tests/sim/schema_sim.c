#include "tests/sim/schema_sim.h"

#include <string.h>

const char *const state_names[STATES] = {"open", "assigned", "closed", "escalated", "reopened"};

static qm_slice text(const char *s) { return qm_slice_of(s, strlen(s)); }

static qm_field_def field(uint32_t number, const char *name, uint8_t type, uint8_t value) {
  return (qm_field_def){
      .number = number, .name = text(name), .type = type, .value = value, .cls = QM_CLASS_WORK};
}

int sim_schema(unsigned number, qm_buf *out) {
  static const qm_transition ways[] = {{0, 1}, {1, 2}, {1, 3}, {2, 4}};
  qm_enum_item items[STATES];
  memset(items, 0, sizeof items);
  for (int i = 0; i < STATES; i++) {
    items[i].name = text(state_names[i]);
    items[i].rank = i + 1;
  }
  qm_field_def f[] = {field(F_KEY, "key", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_TEL, "tel", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_LAST, "last", QM_FIELD_MAX, QM_VALUE_INT),
                      field(F_TAGS, "tags", QM_FIELD_SET, QM_VALUE_TEXT),
                      field(F_VISITS, "visits", QM_FIELD_COUNTER, QM_VALUE_INT),
                      field(F_STEPS, "steps", QM_FIELD_LOG, QM_VALUE_TEXT),
                      field(F_NOTES, "notes", QM_FIELD_TEXT, QM_VALUE_TEXT),
                      field(F_STATE, "state", QM_FIELD_STATE, QM_VALUE_ENUM),
                      field(F_HEAD, "head", QM_FIELD_REGISTER, QM_VALUE_TEXT),
                      field(F_FIRST, "first", QM_FIELD_MIN, QM_VALUE_INT),
                      field(F_REF, "ref", QM_FIELD_REF, QM_VALUE_REF),
                      field(F_PLACE, "place", QM_FIELD_REGISTER, QM_VALUE_ANY),
                      field(F_PLAN, "plan", QM_FIELD_LIST, QM_VALUE_TEXT),
                      field(F_MORE, "more", QM_FIELD_REGISTER, QM_VALUE_TEXT)};
  f[7].items = items;
  f[7].n_items = number < 2 ? STATES - 1 : STATES;
  f[7].transitions = ways;
  f[7].n_transitions = number < 2 ? 3 : 4;
  f[8].flags = QM_FIELD_NAMING;
  qm_collection_def c[2] = {{.number = 1,
                         .name = text("household"),
                         .purpose = text("simulation"),
                         .retention = text("P1Y"),
                         .key_field = F_KEY,
                         .fields = f,
                         .n_fields = sizeof f / sizeof f[0] - (number < 1)}};
  c[1] = c[0];
  c[1].number = 2;
  c[1].name = text("incident");
  qm_schema s = {.version = 1 + number,
                 .name = text("simulated"),
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = c,
                 .n_collections = number < 3 ? 1 : 2};
  qm_error e = {0, ""};
  if (qm_schema_check(&s, &e) != QM_OK) return -1;
  qm_schema_encode(&s, out);
  return qm_buf_status(out) == QM_OK ? 0 : -1;
}
