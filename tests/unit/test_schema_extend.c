/* Schemas that extend another one and tell kinds of spaces apart (S7.12, S7.13), and what the
 * schemas of the five models hold to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/json/schema_json.h"
#include "tests/unit/support_alloc.h"

#define DIR_OF "fixtures/schemas/"

static qm_env env;

typedef struct loaded {
  qm_buf text;
  qm_arena arena;
  const qm_schema *s;
  qm_error e;
} loaded;

static void loaded_init(loaded *l) {
  memset(l, 0, sizeof *l);
  qm_buf_init(&l->text, &env, QM_SCHEMA_JSON_MAX);
  qm_arena_init(&l->arena, &env, 64u << 20);
}

static void loaded_free(loaded *l) {
  qm_buf_free(&l->text);
  qm_arena_free(&l->arena);
}

/* FILE or FILE#KIND of fixtures/schemas. */
static int load_file(loaded *l, const char *name) {
  char path[256], file[256];
  qm_buf raw;
  char part[4096];
  size_t n;
  loaded_init(l);
  snprintf(path, sizeof path, DIR_OF "%s", name);
  snprintf(file, sizeof file, "%.*s", (int)strcspn(path, "#"), path);
  FILE *in = fopen(file, "rb");
  assert_non_null(in);
  qm_buf_init(&raw, &env, QM_SCHEMA_JSON_MAX);
  while ((n = fread(part, 1, sizeof part, in)) > 0) qm_buf_add(&raw, part, n);
  fclose(in);
  int rc = qm_schema_json_pack_beside(&l->text, qm_buf_slice(&raw), path, &l->e);
  qm_buf_free(&raw);
  if (rc == QM_OK) rc = qm_schema_json_load(&l->s, qm_buf_slice(&l->text), &l->arena, &l->e);
  if (rc != QM_OK) print_error("%s: %s\n", name, l->e.message);
  return rc;
}

/* ---- a base and its extensions, as texts ---- */

#define FIELD(name, number, more) \
  "{\"name\":\"" name "\",\"number\":" #number \
  ",\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"" more "}"
#define COLLECTION(name, number, fields, more) \
  "{\"name\":\"" name "\",\"number\":" #number ",\"purpose\":\"p\",\"retention\":\"P1Y\"," \
  "\"fields\":[" fields "]" more "}"
#define STATE(more) \
  "{\"name\":\"state\",\"number\":18,\"type\":\"state\",\"class\":\"work\",\"items\":[" \
  "{\"name\":\"open\",\"rank\":1},{\"name\":\"done\",\"rank\":3" more "}]," \
  "\"transitions\":[[\"open\",\"done\"]]}"

static const char base[] =
    "{\"schema\":\"base\",\"version\":1,\"numbers\":{\"collections\":[1,9],\"fields\":[16,99]},"
    "\"spaces\":[{\"name\":\"work\",\"collections\":[\"matter\",\"person\"]},"
    "{\"name\":\"upper\",\"classes\":[\"work\"],\"collections\":[\"matter\"]}],\"collections\":["
    COLLECTION("matter", 1,
               FIELD("title", 16, ",\"naming\":true") ","
               "{\"name\":\"who\",\"number\":17,\"type\":\"ref\",\"class\":\"personal\","
               "\"target\":\"person\"}," STATE(",\"needs\":[{\"field\":\"who\"}]") ","
               "{\"name\":\"at\",\"number\":19,\"type\":\"register\",\"value\":\"int\","
               "\"class\":\"work\"},"
               "{\"name\":\"phone\",\"number\":20,\"type\":\"register\",\"value\":\"text\","
               "\"class\":\"personal\"},"
               "{\"name\":\"kind\",\"number\":21,\"type\":\"register\",\"value\":\"enum\","
               "\"class\":\"work\",\"items\":[\"a\",\"b\"]}",
               ",\"limits\":[{\"name\":\"in-time\",\"start\":\"at\",\"state\":\"state\","
               "\"rows\":[{\"hours\":5}]}],\"when\":[{\"field\":\"kind\",\"is\":[\"a\"],"
               "\"empty\":[\"phone\"]}]") ","
    COLLECTION("person", 2,
               "{\"name\":\"name\",\"number\":16,\"type\":\"register\",\"value\":\"text\","
               "\"class\":\"personal\",\"naming\":true}", "") "]}";

static int read_base(void *payload, const char *name, qm_buf *to, qm_error *e) {
  (void)payload;
  if (strcmp(name, "base.json") == 0 || strcmp(name, "deep/base.json") == 0) {
    qm_buf_add(to, base, sizeof base - 1);
    return QM_OK;
  }
  if (strcmp(name, "deep/again.json") == 0) {
    const char text[] = "{\"schema\":\"x\",\"version\":1,\"extends\":\"again.json\","
                        "\"numbers\":{\"collections\":[10,19],\"fields\":[100,199]}}";
    qm_buf_add(to, text, sizeof text - 1);
    return QM_OK;
  }
  if (strcmp(name, "deep/mid.json") == 0) {
    const char text[] = "{\"schema\":\"mid\",\"version\":1,\"extends\":\"base.json\","
                        "\"numbers\":{\"collections\":[10,19],\"fields\":[100,199]},"
                        "\"tables\":[{\"name\":\"t\",\"file\":\"codes.json\"}],"
                        "\"collections\":[{\"name\":\"person\",\"fields\":["
                        FIELD("job", 100, ",\"check\":{\"name\":\"code\",\"table\":\"t\"}") "]}]}";
    qm_buf_add(to, text, sizeof text - 1);
    return QM_OK;
  }
  if (strcmp(name, "deep/codes.json") == 0) {
    const char text[] = "{\"codes\":[[\"1\"]]}";
    qm_buf_add(to, text, sizeof text - 1);
    return QM_OK;
  }
  if (strcmp(name, "plain.json") == 0) {
    const char text[] = "{\"schema\":\"plain\",\"version\":1,\"collections\":["
                        COLLECTION("c", 1, FIELD("f", 16, ""), "") "]}";
    qm_buf_add(to, text, sizeof text - 1);
    return QM_OK;
  }
  return qm_fail(e, QM_ENOTFOUND, "%s: none", name);
}

static int compose(loaded *l, const char *text, const char *kind) {
  loaded_init(l);
  int rc = qm_schema_json_pack(&l->text, qm_slice_of(text, strlen(text)), kind, read_base, NULL,
                               &l->e);
  if (rc == QM_OK) rc = qm_schema_json_load(&l->s, qm_buf_slice(&l->text), &l->arena, &l->e);
  return rc;
}

#define EXTENSION(more) \
  "{\"schema\":\"model\",\"version\":3,\"extends\":\"base.json\"," \
  "\"numbers\":{\"collections\":[10,19],\"fields\":[100,199]}" more "}"

static const qm_field_def *field(const qm_schema *s, const char *collection, const char *name) {
  const qm_collection_def *c =
      qm_schema_collection_named(s, qm_slice_of(collection, strlen(collection)));
  return c ? qm_collection_field_named(c, qm_slice_of(name, strlen(name))) : NULL;
}

static void an_extension_adds(void **state) {
  loaded l;
  (void)state;
  assert_int_equal(
      compose(&l, EXTENSION(",\"collections\":[{\"name\":\"matter\",\"writers\":[\"grid\"],"
                            "\"fields\":[" FIELD("place", 100, "") ","
                            "{\"name\":\"kind\",\"items\":[\"c\"]},"
                            "{\"name\":\"state\",\"items\":[{\"name\":\"half\",\"rank\":2},"
                            "{\"name\":\"open\",\"by\":[\"grid\"]}],"
                            "\"transitions\":[[\"open\",\"half\"],[\"half\",\"done\"]]}],"
                            "\"limits\":[{\"name\":\"soon\",\"start\":\"at\",\"state\":\"state\","
                            "\"rows\":[{\"hours\":1}]}]},"
                            COLLECTION("fund", 10, FIELD("no", 16, ""), "") "],"
                            "\"spaces\":[{\"name\":\"work\",\"collections\":[\"fund\"]}]"), NULL),
      QM_OK);
  assert_true(qm_slice_cmp(l.s->name, qm_slice_of("model", 5)) == 0);
  assert_int_equal(l.s->version, 3);
  assert_int_equal(l.s->n_collections, 3);
  assert_int_equal(field(l.s, "matter", "place")->number, 100);
  assert_int_equal(field(l.s, "matter", "kind")->n_items, 3);
  const qm_field_def *f = field(l.s, "matter", "state");
  assert_int_equal(f->n_items, 3);
  assert_int_equal(f->n_transitions, 3);
  assert_int_equal(f->items[0].n_by, 1);
  assert_int_equal(f->items[1].n_needs, 1);
  assert_int_equal(l.s->collections[0].n_limits, 2);
  assert_int_equal(l.s->collections[0].n_writers, 1);
  loaded_free(&l);
}

static void extensions_lie_behind_each_other_and_files_beside_theirs(void **state) {
  loaded l;
  (void)state;
  assert_int_equal(compose(&l,
                           "{\"schema\":\"top\",\"version\":1,\"extends\":\"deep/mid.json\","
                           "\"numbers\":{\"collections\":[20,29],\"fields\":[200,299]},"
                           "\"collections\":[{\"name\":\"person\",\"fields\":["
                           FIELD("skill", 200, "") "]}]}", NULL),
                   QM_OK);
  assert_non_null(field(l.s, "person", "job"));
  assert_non_null(field(l.s, "person", "skill"));
  assert_int_equal(l.s->n_tables, 1);
  loaded_free(&l);
}

/* A kind leaves classes out, refs to what it lacks, and what rests on them. */
static void a_kind_of_space_has_its_part(void **state) {
  loaded l;
  (void)state;
  assert_int_equal(compose(&l, base, "upper"), QM_OK);
  assert_true(qm_slice_cmp(l.s->name, qm_slice_of("base/upper", 10)) == 0);
  assert_int_equal(l.s->n_collections, 1);
  assert_null(field(l.s, "matter", "who"));
  assert_null(field(l.s, "matter", "phone"));
  assert_non_null(field(l.s, "matter", "title"));
  assert_int_equal(field(l.s, "matter", "state")->items[1].n_needs, 0);
  assert_int_equal(l.s->collections[0].n_limits, 1);
  assert_null(l.s->collections[0].relations);
  loaded_free(&l);
  assert_int_equal(compose(&l, base, "work"), QM_OK);
  assert_int_equal(l.s->n_collections, 2);
  assert_int_equal(field(l.s, "matter", "state")->items[1].n_needs, 1);
  loaded_free(&l);
  assert_int_equal(compose(&l, base, "fund"), QM_ESCHEMA);
  assert_non_null(strstr(l.e.message, "no kind of space \"fund\""));
  loaded_free(&l);
}

static void what_an_extension_may_not(void **state) {
  static const struct {
    const char *text, *says;
  } rows[] = {
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"number\":1}]"), "stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"purpose\":\"q\"}]"),
       "collections[0] (matter): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"retention\":\"P9Y\"}]"),
       "stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"key\":\"title\"}]"),
       "stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[{\"name\":\"title\","
                 "\"class\":\"public\"}]}]"), "fields[0] (title): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[{\"name\":\"state\",\"items\":"
                 "[{\"name\":\"open\",\"rank\":9}]}]}]"), "items[0] (open): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[{\"name\":\"state\",\"items\":"
                 "[{\"name\":\"done\",\"needs\":[]}]}]}]"), "items[0] (done): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[{\"name\":\"kind\","
                 "\"items\":[\"a\"]}]}]"), "items[0] (a): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"limits\":[{\"name\":\"in-time\"}]}]"),
       "limits[0] (in-time): stands in the base"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[" FIELD("x", 50, "") "]}]"),
       "fields[0] (x): the number is not of this file's numbers"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":[" FIELD("x", 200, "") "]}]"),
       "the number is not of this file's numbers"},
      {EXTENSION(",\"collections\":[" COLLECTION("x", 9, FIELD("f", 16, ""), "") "]"),
       "collections[0] (x): the number is not"},
      {EXTENSION(",\"collections\":[" COLLECTION("x", 10, FIELD("f", 16, ""), "") "]"),
       "(x): stands in no kind of space"},
      {EXTENSION(",\"spaces\":[{\"name\":\"work\",\"classes\":[\"work\"]}]"),
       "spaces[0] (work): stands in the base"},
      {EXTENSION(",\"spaces\":[{\"name\":\"new\",\"collections\":[\"y\"]}]"),
       "(new): names a collection that there is not"},
      {EXTENSION(",\"spaces\":[{\"name\":\"new\",\"colour\":1,\"collections\":[]}]"),
       "(new): has a key that no kind"},
      {EXTENSION(",\"collections\":7"), "a list is expected there"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"fields\":7}]"),
       "collections[0] (matter): a list is expected there"},
      {EXTENSION(",\"collections\":[{\"name\":\"matter\",\"limits\":{}}]"), "a list is expected"},
      {EXTENSION(",\"tables\":\"x\""), "a list is expected there"},
      {EXTENSION(",\"colour\":1"), "a key that an extension does not have"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"base.json\"}", "numbers: needs"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"base.json\",\"numbers\":"
       "{\"collections\":[9,19],\"fields\":[100,199]}}", "must lie behind those of the base"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"base.json\",\"numbers\":"
       "{\"collections\":[10,19],\"fields\":[99,199]}}", "must lie behind those of the base"},
      {"{\"version\":1,\"extends\":\"base.json\",\"numbers\":"
       "{\"collections\":[10,19],\"fields\":[100,199]}}", "a name and a version of its own"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"plain.json\",\"numbers\":"
       "{\"collections\":[10,19],\"fields\":[100,199]}}", "numbers: needs"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":7}", "must be the name of a file"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"no.json\",\"numbers\":"
       "{\"collections\":[10,19],\"fields\":[100,199]}}", "no.json: none"},
      {"{\"schema\":\"m\",\"version\":1,\"extends\":\"deep/again.json\",\"numbers\":"
       "{\"collections\":[10,19],\"fields\":[100,199]}}", "too many, one behind the other"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    loaded l;
    int rc = compose(&l, rows[i].text, NULL);
    if (rc == QM_OK || !strstr(l.e.message, rows[i].says))
      print_error("row %zu: %s, not %s\n", i, rc == QM_OK ? "taken" : l.e.message, rows[i].says);
    assert_int_not_equal(rc, QM_OK);
    assert_non_null(strstr(l.e.message, rows[i].says));
    loaded_free(&l);
  }
}

/* ---- the five models ---- */

static const char *const models[] = {"courtyard", "alliance", "one-three-x", "dual-network",
                                     "mutual-aid"};

static void each_model_continues_the_base(void **state) {
  loaded b, m;
  char name[64];
  (void)state;
  assert_int_equal(load_file(&b, "base.json"), QM_OK);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    snprintf(name, sizeof name, "%s.json", models[i]);
    assert_int_equal(load_file(&m, name), QM_OK);
    for (uint32_t k = 0; k < b.s->n_collections; k++) {
      const qm_collection_def *a = &b.s->collections[k], *c = qm_schema_collection(m.s, a->number);
      assert_non_null(c);
      assert_true(qm_slice_cmp(a->name, c->name) == 0);
      assert_true(qm_slice_cmp(a->purpose, c->purpose) == 0);
      for (uint32_t f = 0; f < a->n_fields; f++) {
        const qm_field_def *x = qm_collection_field(c, a->fields[f].number);
        assert_non_null(x);
        assert_true(qm_slice_cmp(a->fields[f].name, x->name) == 0);
        assert_int_equal(a->fields[f].cls, x->cls);
      }
    }
    loaded_free(&m);
  }
  loaded_free(&b);
}

/* Numbers that two models gave would mean two things where their records meet. */
static void no_number_is_given_twice(void **state) {
  loaded b, m;
  char name[64], owner[400] = "";
  (void)state;
  assert_int_equal(load_file(&b, "base.json"), QM_OK);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    snprintf(name, sizeof name, "%s.json", models[i]);
    assert_int_equal(load_file(&m, name), QM_OK);
    for (uint32_t k = 0; k < m.s->n_collections; k++) {
      uint32_t n = m.s->collections[k].number;
      if (qm_schema_collection(b.s, n)) continue;
      assert_in_range(n, 100, 199);
      assert_true(owner[n] == 0 || owner[n] == (char)(i + 1));
      owner[n] = (char)(i + 1);
    }
    loaded_free(&m);
  }
  loaded_free(&b);
}

static int names_it(qm_slice text, const char *word) {
  size_t n = strlen(word);
  for (size_t i = 0; i + n <= text.n; i++)
    if (memcmp(text.p + i, word, n) == 0) return 1;
  return 0;
}

/* Words that no name or label may hold: what qianmo does not keep of a person. */
static const char *const never[] = {"politic", "party", "religio", "petition", "crime", "criminal",
                                    "drug", "convict", "risk_colour", "score", "sentiment",
                                    "ethnic", "信仰", "宗教", "党员", "上访", "信访", "前科", "吸毒",
                                    "矫正", "评分", "民族", "政治"};

static void what_is_left_out_stays_out(void **state) {
  loaded m;
  char name[64];
  (void)state;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    snprintf(name, sizeof name, "%s.json", models[i]);
    assert_int_equal(load_file(&m, name), QM_OK);
    for (uint32_t k = 0; k < m.s->n_collections; k++) {
      const qm_collection_def *c = &m.s->collections[k];
      for (size_t w = 0; w < sizeof never / sizeof *never; w++) {
        assert_false(names_it(c->name, never[w]) || names_it(c->label_zh, never[w]));
        for (uint32_t f = 0; f < c->n_fields; f++)
          assert_false(names_it(c->fields[f].name, never[w]) ||
                       names_it(c->fields[f].label_zh, never[w]) ||
                       names_it(c->fields[f].label_en, never[w]));
      }
    }
    loaded_free(&m);
  }
}

/* Where others read than the grid, nothing personal can be written. */
static void other_readers_have_no_personal_fields(void **state) {
  static const char *const public_kinds[] = {"courtyard.json#fund", "courtyard.json#upper",
                                             "one-three-x.json#upper", "mutual-aid.json#fund",
                                             "mutual-aid.json#venues", "alliance.json#upper"};
  (void)state;
  for (size_t i = 0; i < sizeof public_kinds / sizeof *public_kinds; i++) {
    loaded m;
    assert_int_equal(load_file(&m, public_kinds[i]), QM_OK);
    for (uint32_t k = 0; k < m.s->n_collections; k++)
      for (uint32_t f = 0; f < m.s->collections[k].n_fields; f++)
        assert_true(m.s->collections[k].fields[f].cls <= QM_CLASS_WORK);
    loaded_free(&m);
  }
}

/* Every sensitive field needs a basis, wherever it is. */
static void sensitive_fields_are_based(void **state) {
  static const char *const files[] = {"base.json", "base.json#work", "base.json#care",
                                      "courtyard.json", "mutual-aid.json#care"};
  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    loaded m;
    assert_int_equal(load_file(&m, files[i]), QM_OK);
    for (uint32_t k = 0; k < m.s->n_collections; k++)
      for (uint32_t f = 0; f < m.s->collections[k].n_fields; f++) {
        const qm_collection_def *c = &m.s->collections[k];
        int found = 0;
        if (c->fields[f].cls != QM_CLASS_SENSITIVE) continue;
        for (uint32_t b = 0; c->relations && b < c->relations->n_based; b++)
          for (uint32_t n = 0; n < c->relations->based[b].n_fields; n++)
            found |= c->relations->based[b].fields[n] == c->fields[f].number;
        assert_true(found);
      }
    loaded_free(&m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_extension_adds),
      cmocka_unit_test(extensions_lie_behind_each_other_and_files_beside_theirs),
      cmocka_unit_test(a_kind_of_space_has_its_part),
      cmocka_unit_test(what_an_extension_may_not),
      cmocka_unit_test(each_model_continues_the_base),
      cmocka_unit_test(no_number_is_given_twice),
      cmocka_unit_test(what_is_left_out_stays_out),
      cmocka_unit_test(other_readers_have_no_personal_fields),
      cmocka_unit_test(sensitive_fields_are_based),
  };
  env = qm_env_default();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
