/* Schemas in both forms: what one form gives, the other gives again. */
#include <string.h>

#include "adapters/json/schema_json.h"
#include "core/validator.h"
#include "core/schema.h"
#include "tests/fuzz/fuzz.h"

typedef struct work {
  qm_arena arena;
  qm_buf packed, json, again;
  qm_error e;
} work;

static void work_init(work *w) {
  memset(w, 0, sizeof *w);
  qm_arena_init(&w->arena, fuzz_env(), FUZZ_LIVE_MAX);
  qm_buf_init(&w->packed, fuzz_env(), QM_SCHEMA_MAX);
  qm_buf_init(&w->json, fuzz_env(), SIZE_MAX / 2);
  qm_buf_init(&w->again, fuzz_env(), QM_SCHEMA_MAX);
}

static void work_free(work *w) {
  qm_buf_free(&w->packed);
  qm_buf_free(&w->json);
  qm_buf_free(&w->again);
  qm_arena_free(&w->arena);
}

/* A fault has its place named. */
static void refused(const work *w, int rc) {
  FUZZ_CHECK(rc != QM_ESCHEMA || (w->e.code == QM_ESCHEMA && w->e.message[0]));
}

/* JSON has no place for what a newer form holds, and no name for a check not known here. */
static int is_newer(const qm_schema *s) {
  int newer = s->n_more != 0;
  for (uint32_t i = 0; i < s->n_collections; i++) {
    const qm_collection_def *c = &s->collections[i];
    newer |= c->n_more != 0;
    for (uint32_t k = 0; k < c->n_fields; k++)
      newer |= c->fields[k].check.n && !qm_check_kind_of(c->fields[k].check);
  }
  return newer;
}

/* Through JSON and back: the same bytes. */
static void through_json(work *w, const qm_schema *s) {
  const qm_schema *again = NULL;
  if (is_newer(s)) return;
  qm_schema_json_print(&w->json, s);
  FUZZ_OK(qm_buf_status(&w->json));
  if (w->json.n > QM_SCHEMA_JSON_MAX) return;
  int rc = qm_schema_json_load(&again, qm_buf_slice(&w->json), &w->arena, &w->e);
  if (rc != QM_OK) fuzz_fail(__FILE__, __LINE__, "printed schema", w->e.message);
  qm_schema_encode(again, &w->again);
  FUZZ_OK(qm_buf_status(&w->again));
  FUZZ_SAME(qm_buf_slice(&w->again), qm_buf_slice(&w->packed));
}

static void look_up(work *w, const qm_schema *s) {
  FUZZ_OK(qm_schema_check(s, &w->e));
  FUZZ_CHECK(qm_schema_grows(s, s, &w->e) == QM_ESCHEMA);
  (void)qm_schema_sensitive(s);
  for (uint32_t i = 0; i < s->n_collections; i++) {
    const qm_collection_def *c = &s->collections[i];
    FUZZ_CHECK(qm_schema_collection(s, c->number) == c);
    FUZZ_CHECK(qm_schema_collection_named(s, c->name) == c);
    (void)qm_collection_writable(c, qm_slice_of("grid", 4));
    for (uint32_t k = 0; k < c->n_fields; k++) {
      const qm_field_def *f = &c->fields[k];
      FUZZ_CHECK(qm_collection_field(c, f->number) == f);
      FUZZ_CHECK(qm_collection_field_named(c, f->name) == f);
      FUZZ_CHECK(qm_field_shape(f) < QM_SHAPES);
      if (f->n_items) (void)qm_field_transition(f, 0, f->n_items - 1);
      (void)qm_field_value_check(f, qm_slice_of("\xa1z", 2), &w->e);
      (void)qm_field_value_check(f, qm_slice_of("\xc0", 1), &w->e);
      (void)qm_check_value(s, f, qm_slice_of("\xa6" "510181", 7), &w->e);
      (void)qm_check_value(s, f, qm_slice_of("\x07", 1), &w->e);
    }
  }
}

void fuzz_schema(qm_slice in) {
  const qm_schema *s = NULL;
  work w;
  work_init(&w);
  int rc = qm_schema_load(&s, in, &w.arena, &w.e);
  if (rc == QM_OK) {
    qm_schema_encode(s, &w.packed);
    FUZZ_OK(qm_buf_status(&w.packed));
    FUZZ_SAME(qm_buf_slice(&w.packed), in);
    look_up(&w, s);
    through_json(&w, s);
  } else {
    refused(&w, rc);
  }
  work_free(&w);
}

/* Half of the input is the schema, half what every file holds. */
static int any_file(void *payload, const char *name, qm_buf *to, qm_error *e) {
  const qm_slice *content = payload;
  if (!*name) return qm_fail(e, QM_ENOTFOUND, "no such file");
  qm_buf_add(to, content->p, content->n);
  return QM_OK;
}

/* Put together from several, or cut to a kind: a new text. */
static int is_composed(qm_slice in) {
  static const char *const keys[] = {"extends", "numbers", "spaces", "\\u"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
    for (size_t n = strlen(keys[k]), i = 0; i + n <= in.n; i++)
      if (memcmp(in.p + i, keys[k], n) == 0) return 1;
  return 0;
}

void fuzz_schema_pack(qm_slice in) {
  qm_slice schema = fuzz_piece(&in);
  qm_buf out, again;
  qm_error e = {0, ""};
  qm_buf_init(&out, fuzz_env(), QM_SCHEMA_JSON_MAX);
  qm_buf_init(&again, fuzz_env(), QM_SCHEMA_JSON_MAX);
  if (qm_schema_json_pack(&out, schema, NULL, any_file, &in, &e) == QM_OK) {
    uint32_t lines = 0;
    for (size_t i = 0; i < out.n; i++) lines += out.p[i] == '\n';
    for (size_t i = 0; i < schema.n; i++) lines -= schema.p[i] == '\n';
    /* what follows stands on the line on which it stood */
    FUZZ_CHECK(lines == 0 || is_composed(schema));
    FUZZ_OK(qm_schema_json_pack(&again, qm_buf_slice(&out), NULL, any_file, &in, &e));
    FUZZ_SAME(qm_buf_slice(&again), qm_buf_slice(&out)); /* nothing is left to put in */
  } else {
    FUZZ_CHECK(e.message[0]);
  }
  qm_buf_clear(&again);
  if (qm_schema_json_pack(&again, schema, "k", any_file, &in, &e) != QM_OK)
    FUZZ_CHECK(e.message[0]);
  qm_buf_free(&out);
  qm_buf_free(&again);
}

void fuzz_schema_json(qm_slice in) {
  const qm_schema *s = NULL, *unpacked = NULL;
  work w;
  work_init(&w);
  int rc = qm_schema_json_load(&s, in, &w.arena, &w.e);
  FUZZ_CHECK(qm_schema_json_compile(&w.packed, in, &w.e) == rc || rc == QM_OK);
  if (rc == QM_OK && w.packed.n) {
    FUZZ_OK(qm_schema_load(&unpacked, qm_buf_slice(&w.packed), &w.arena, &w.e));
    look_up(&w, unpacked);
    through_json(&w, s);
  } else {
    refused(&w, rc);
  }
  work_free(&w);
}
