/* A schema that extends another one, and the schema of one kind of space (S7.11, S7.12): both
 * are made of JSON before anything reads it as a schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/json/schema_json_int.h"

#define DEPTH_MAX 4

typedef struct extending {
  qm_schema_file read;
  void *payload;
  const qm_env *env;
  qm_error *e;
} extending;

/* An entry of a file being merged, for messages: "collections[2].fields[1] (incident.stage)". */
typedef struct spot {
  const char *list;
  size_t at;
  const struct spot *in;
  const char *name;
} spot;

static void spot_text(const spot *s, char *to, size_t cap) {
  char outer[96] = "";
  if (s->in) spot_text(s->in, outer, sizeof outer);
  (void)snprintf(to, cap, "%.60s%s%s[%zu]", outer, s->in ? "." : "", s->list, s->at);
}

static int bad(const extending *x, const spot *s, const char *why) {
  char place[96] = "schema";
  if (s) spot_text(s, place, sizeof place);
  return qm_fail(x->e, QM_ESCHEMA, "%s%s%.40s%s: %s", place, s ? " (" : "",
                 s && s->name ? s->name : "", s ? ")" : "", why);
}

static int no_memory(const extending *x) {
  return qm_fail(x->e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
}

static const char *name_of(const json_t *o) {
  const char *name = json_is_string(o) ? json_string_value(o)
                                       : json_string_value(json_object_get(o, "name"));
  return name ? name : "";
}

static json_t *named(const json_t *list, const char *name) {
  json_t *entry;
  size_t i;
  if (!name) return NULL;
  json_array_foreach(list, i, entry) if (strcmp(name_of(entry), name) == 0) return entry;
  return NULL;
}

static int among(const json_t *names, const char *name) { return named(names, name) != NULL; }

static int word_in(const char *const *list, const char *key) {
  while (*list && strcmp(*list, key) != 0) list++;
  return *list != NULL;
}

/* --- numbers --- */

typedef struct range {
  json_int_t lo, hi;
} range;

static int get_range(const json_t *numbers, const char *key, range *out) {
  const json_t *pair = json_object_get(numbers, key);
  *out = (range){json_integer_value(json_array_get(pair, 0)),
                 json_integer_value(json_array_get(pair, 1))};
  return json_array_size(pair) == 2 && out->lo > 0 && out->lo <= out->hi && out->hi <= INT32_MAX;
}

static int ranges(const extending *x, const json_t *root, range *collections, range *fields) {
  const json_t *numbers = json_object_get(root, "numbers");
  if (!get_range(numbers, "collections", collections) || !get_range(numbers, "fields", fields))
    return bad(x, NULL,
               "numbers: needs \"collections\" and \"fields\", each [first, last]");
  return QM_OK;
}

static int check_number(const extending *x, const spot *s, const json_t *o, range r) {
  json_int_t n = json_integer_value(json_object_get(o, "number"));
  return n >= r.lo && n <= r.hi ? QM_OK : bad(x, s, "the number is not of this file's numbers");
}

static int check_collection_numbers(const extending *x, const spot *s, const json_t *c,
                                    range collections, range fields) {
  json_t *f;
  size_t i;
  fields.lo = 0; /* its own collection: nobody else numbers fields there below */
  QM_TRY(check_number(x, s, c, collections));
  json_array_foreach(json_object_get(c, "fields"), i, f) {
    spot at = {"fields", i, s, name_of(f)};
    QM_TRY(check_number(x, &at, f, fields));
  }
  return QM_OK;
}

static int check_own_numbers(const extending *x, const json_t *root) {
  range collections, fields;
  json_t *c;
  size_t i;
  QM_TRY(ranges(x, root, &collections, &fields));
  json_array_foreach(json_object_get(root, "collections"), i, c) {
    spot at = {"collections", i, NULL, name_of(c)};
    QM_TRY(check_collection_numbers(x, &at, c, collections, fields));
  }
  return QM_OK;
}

/* --- merging --- */

#define IN_BASE "stands in the base, which an extension does not change"

static int append(const extending *x, json_t *list, json_t *entry) {
  return json_array_append(list, entry) == 0 ? QM_OK : no_memory(x);
}

/* The base's list by that name, made where there is none. */
static int list_of(const extending *x, json_t *owner, const char *key, json_t **out) {
  *out = json_object_get(owner, key);
  if (*out) return json_is_array(*out) ? QM_OK : bad(x, NULL, "the base holds no list there");
  *out = json_array();
  return *out && json_object_set_new(owner, key, *out) == 0 ? QM_OK : no_memory(x);
}

static int need_list(const extending *x, const spot *s, const json_t *list) {
  return json_is_array(list) ? QM_OK : bad(x, s, "a list is expected there");
}

/* Adds entries with names of their own. */
static int add_named(const extending *x, const spot *s, json_t *base, const char *key,
                     const json_t *list) {
  json_t *into, *entry;
  size_t i;
  QM_TRY(need_list(x, s, list));
  QM_TRY(list_of(x, base, key, &into));
  json_array_foreach(list, i, entry) {
    spot at = {key, i, s, name_of(entry)};
    if (among(into, name_of(entry))) return bad(x, &at, IN_BASE);
    QM_TRY(append(x, into, entry));
  }
  return QM_OK;
}

/* Members that the base's entry lacks, of those that may be added. */
static int add_members(const extending *x, const spot *s, json_t *base, json_t *more,
                       const char *const *may) {
  const char *key;
  json_t *value;
  json_object_foreach(more, key, value) {
    if (strcmp(key, "name") == 0) continue;
    if (!word_in(may, key) || json_object_get(base, key)) return bad(x, s, IN_BASE);
    if (json_object_set(base, key, value) != 0) return no_memory(x);
  }
  return QM_OK;
}

static int merge_items(const extending *x, const spot *s, json_t *field, const json_t *items) {
  static const char *const steps[] = {"by", "confirm", "needs", NULL};
  json_t *into, *item;
  size_t i;
  QM_TRY(need_list(x, s, items));
  QM_TRY(list_of(x, field, "items", &into));
  json_array_foreach(items, i, item) {
    spot at = {"items", i, s, name_of(item)};
    json_t *old = named(into, name_of(item));
    if (!old) QM_TRY(append(x, into, item));
    else if (!json_is_object(old) || !json_is_object(item)) return bad(x, &at, IN_BASE);
    else QM_TRY(add_members(x, &at, old, item, steps));
  }
  return QM_OK;
}

static int merge_transitions(const extending *x, const spot *s, json_t *field, const json_t *more) {
  json_t *into = json_object_get(field, "transitions"), *pair;
  size_t i;
  QM_TRY(need_list(x, s, more));
  if (!into) return bad(x, s, "the base lists no transitions, so all are allowed");
  json_array_foreach(more, i, pair) QM_TRY(append(x, into, pair));
  return QM_OK;
}

static int merge_field(const extending *x, const spot *s, json_t *base, json_t *more) {
  static const char *const may[] = {"check", "review", NULL};
  const char *key;
  json_t *value;
  json_object_foreach(more, key, value) {
    if (strcmp(key, "name") == 0) continue;
    if (strcmp(key, "items") == 0) QM_TRY(merge_items(x, s, base, value));
    else if (strcmp(key, "transitions") == 0) QM_TRY(merge_transitions(x, s, base, value));
    else if (!word_in(may, key) || json_object_get(base, key)) return bad(x, s, IN_BASE);
    else if (json_object_set(base, key, value) != 0) return no_memory(x);
  }
  return QM_OK;
}

static int merge_fields(const extending *x, const spot *s, json_t *base, const json_t *more,
                        range fields) {
  json_t *into, *f;
  size_t i;
  QM_TRY(need_list(x, s, more));
  QM_TRY(list_of(x, base, "fields", &into));
  json_array_foreach(more, i, f) {
    spot at = {"fields", i, s, name_of(f)};
    json_t *old = named(into, name_of(f));
    if (old && !json_is_object(old)) return bad(x, &at, IN_BASE);
    if (!old) QM_TRY(check_number(x, &at, f, fields));
    QM_TRY(old ? merge_field(x, &at, old, f) : append(x, into, f));
  }
  return QM_OK;
}

static int append_all(const extending *x, json_t *base, const char *key, const json_t *list) {
  json_t *into, *entry;
  size_t i;
  QM_TRY(need_list(x, NULL, list));
  QM_TRY(list_of(x, base, key, &into));
  json_array_foreach(list, i, entry) QM_TRY(append(x, into, entry));
  return QM_OK;
}

static int merge_collection(const extending *x, const spot *s, json_t *base, json_t *more,
                            range fields) {
  static const char *const may[] = {"writers", "review", "basis", "referral", NULL};
  static const char *const lists[] = {"limits", "duplicates", "covers", "clashes", NULL};
  static const char *const nameless[] = {"based", "when", NULL};
  const char *key;
  json_t *value;
  json_object_foreach(more, key, value) {
    if (strcmp(key, "name") == 0) continue;
    if (strcmp(key, "fields") == 0) QM_TRY(merge_fields(x, s, base, value, fields));
    else if (word_in(lists, key)) QM_TRY(add_named(x, s, base, key, value));
    else if (word_in(nameless, key)) QM_TRY(append_all(x, base, key, value));
    else if (!word_in(may, key) || json_object_get(base, key)) return bad(x, s, IN_BASE);
    else if (json_object_set(base, key, value) != 0) return no_memory(x);
  }
  return QM_OK;
}

static int merge_collections(const extending *x, json_t *base, const json_t *more,
                             range collections, range fields) {
  json_t *into, *c;
  size_t i;
  QM_TRY(need_list(x, NULL, more));
  QM_TRY(list_of(x, base, "collections", &into));
  json_array_foreach(more, i, c) {
    spot at = {"collections", i, NULL, name_of(c)};
    json_t *old = named(into, name_of(c));
    if (old && !json_is_object(old)) return bad(x, &at, IN_BASE);
    if (!old) QM_TRY(check_collection_numbers(x, &at, c, collections, fields));
    QM_TRY(old ? merge_collection(x, &at, old, c, fields) : append(x, into, c));
  }
  return QM_OK;
}

/* Of a kind that the base has: more collections. */
static int merge_spaces(const extending *x, json_t *base, const json_t *more) {
  json_t *into, *kind, *name;
  size_t i, k;
  QM_TRY(need_list(x, NULL, more));
  QM_TRY(list_of(x, base, "spaces", &into));
  json_array_foreach(more, i, kind) {
    spot at = {"spaces", i, NULL, name_of(kind)};
    json_t *old = named(into, name_of(kind)), *list;
    if (!old) {
      QM_TRY(append(x, into, kind));
      continue;
    }
    if (json_object_size(kind) != 2 || !json_is_array(json_object_get(kind, "collections")))
      return bad(x, &at, IN_BASE);
    QM_TRY(list_of(x, old, "collections", &list));
    json_array_foreach(json_object_get(kind, "collections"), k, name)
      QM_TRY(append(x, list, name));
  }
  return QM_OK;
}

static int join_numbers(const extending *x, json_t *base, const json_t *more, range *collections,
                        range *fields) {
  range c, f;
  QM_TRY(ranges(x, base, &c, &f));
  QM_TRY(ranges(x, more, collections, fields));
  if (collections->lo <= c.hi || fields->lo <= f.hi)
    return bad(x, NULL, "numbers: must lie behind those of the base");
  json_t *joined = json_pack("{s:[I,I],s:[I,I]}", "collections", c.lo, collections->hi, "fields",
                             f.lo, fields->hi);
  return joined && json_object_set_new(base, "numbers", joined) == 0 ? QM_OK : no_memory(x);
}

static int merge(const extending *x, json_t *base, json_t *more) {
  static const char *const own[] = {"schema", "version", "drift_minutes", "drift_ms", "lease_days",
                                    "review_days", NULL};
  range collections, fields;
  const char *key;
  json_t *value;
  QM_TRY(join_numbers(x, base, more, &collections, &fields));
  if (!json_object_get(more, "schema") || !json_object_get(more, "version"))
    return bad(x, NULL, "an extension has a name and a version of its own");
  json_object_foreach(more, key, value) {
    if (strcmp(key, "extends") == 0 || strcmp(key, "numbers") == 0) continue;
    if (strcmp(key, "collections") == 0)
      QM_TRY(merge_collections(x, base, value, collections, fields));
    else if (strcmp(key, "spaces") == 0) QM_TRY(merge_spaces(x, base, value));
    else if (strcmp(key, "tables") == 0 || strcmp(key, "calendars") == 0)
      QM_TRY(add_named(x, NULL, base, key, value));
    else if (!word_in(own, key)) return bad(x, NULL, "a key that an extension does not have");
    else if (json_object_set(base, key, value) != 0) return no_memory(x);
  }
  return QM_OK;
}

/* --- the base's file --- */

/* "../x/base.json" and "codes.json" make "../x/codes.json". */
static int beside(const extending *x, const char *file, const char *name, char to[1024]) {
  const char *slash = strrchr(file, '/');
  int n = snprintf(to, 1024, "%.*s%s", slash && name[0] != '/' ? (int)(slash + 1 - file) : 0, file,
                   name);
  return n > 0 && n < 1024 ? QM_OK : bad(x, NULL, "extends: the name is too long");
}

/* Files that the base names lie beside it, and not beside what extends it. */
static int move_files(const extending *x, const char *file, json_t *base, const char *list) {
  char path[1024];
  json_t *entry;
  size_t i;
  json_array_foreach(json_object_get(base, list), i, entry) {
    const char *name = json_string_value(json_object_get(entry, "file"));
    if (!name) continue;
    QM_TRY(beside(x, file, name, path));
    if (json_object_set_new(entry, "file", json_string(path)) != 0) return no_memory(x);
  }
  return QM_OK;
}

static int read_json(const extending *x, const char *name, json_t **out) {
  qm_buf content;
  json_error_t why;
  qm_buf_init(&content, x->env, QM_SCHEMA_JSON_MAX);
  *out = NULL;
  int rc = x->read(x->payload, name, &content, x->e);
  if (rc == QM_OK) rc = qm_buf_status(&content);
  if (rc == QM_OK) {
    *out = json_loadb(content.n ? (const char *)content.p : "", content.n, JSON_REJECT_DUPLICATES,
                      &why);
    if (!json_is_object(*out))
      rc = qm_fail(x->e, QM_ESCHEMA, "extends: %.200s holds no schema (line %d)", name,
                   *out ? 1 : why.line);
  }
  qm_buf_free(&content);
  return rc;
}

/* *root, read from `file`, with what it extends under it. Names of files are seen from the
 * directory of the first one. */
static int extend(const extending *x, const char *file, json_t **root, int depth) {
  const json_t *named_base = json_object_get(*root, "extends");
  char path[1024];
  json_t *base = NULL;
  if (!named_base) return QM_OK;
  if (!json_is_string(named_base)) return bad(x, NULL, "extends: must be the name of a file");
  if (depth == DEPTH_MAX) return bad(x, NULL, "extends: too many, one behind the other");
  QM_TRY(beside(x, file, json_string_value(named_base), path));
  int rc = read_json(x, path, &base);
  if (rc != QM_OK && !x->e->code) qm_fail(x->e, rc, "extends: %s", qm_err_text(rc));
  if (rc == QM_OK) rc = move_files(x, path, base, "tables");
  if (rc == QM_OK) rc = move_files(x, path, base, "calendars");
  if (rc == QM_OK) rc = extend(x, path, &base, depth + 1);
  if (rc == QM_OK) rc = merge(x, base, *root);
  if (rc != QM_OK) {
    json_decref(base);
    return rc;
  }
  json_decref(*root);
  *root = base;
  return QM_OK;
}

/* --- kinds of spaces --- */

static int check_spaces(const extending *x, const json_t *root) {
  static const char *const known[] = {"name", "label", "collections", "classes", NULL};
  const json_t *spaces = json_object_get(root, "spaces"),
               *collections = json_object_get(root, "collections");
  json_t *kind, *entry, *c;
  const char *key;
  size_t i, k;
  if (!json_is_array(spaces)) return bad(x, NULL, "spaces: must be a list");
  json_array_foreach(spaces, i, kind) {
    spot at = {"spaces", i, NULL, name_of(kind)};
    if (!*name_of(kind) || named(spaces, name_of(kind)) != kind)
      return bad(x, &at, "needs a name of its own");
    json_object_foreach(kind, key, entry) if (!word_in(known, key))
      return bad(x, &at, "has a key that no kind of space has");
    json_array_foreach(json_object_get(kind, "collections"), k, entry)
      if (!json_is_string(entry) || !among(collections, name_of(entry)))
        return bad(x, &at, "names a collection that there is not");
  }
  json_array_foreach(collections, k, c) {
    spot at = {"collections", k, NULL, name_of(c)};
    int used = 0;
    json_array_foreach(spaces, i, kind)
      used |= among(json_object_get(kind, "collections"), name_of(c));
    if (!used) return bad(x, &at, "stands in no kind of space");
  }
  return QM_OK;
}

/* A field of this kind of space: of a class that may be there, pointing to what is there. */
static int is_field_of(const json_t *kind, const json_t *f) {
  const json_t *classes = json_object_get(kind, "classes"), *target = json_object_get(f, "target");
  const char *cls = json_string_value(json_object_get(f, "class"));
  if (classes && (!cls || !among(classes, cls))) return 0;
  /* What is no name is told by who reads the schema. */
  return !json_is_string(target) ||
         among(json_object_get(kind, "collections"), json_string_value(target));
}

/* Needs of a step on a field that is not there go with it. */
static void cut_needs(const json_t *fields, json_t *f) {
  json_t *item;
  size_t i;
  json_array_foreach(json_object_get(f, "items"), i, item) {
    json_t *needs = json_object_get(item, "needs");
    for (size_t k = json_array_size(needs); k-- > 0;) {
      const char *name =
          json_string_value(json_object_get(json_array_get(needs, k), "field"));
      if (name && !among(fields, name)) (void)json_array_remove(needs, k);
    }
    if (needs && !json_array_size(needs)) (void)json_object_del(item, "needs");
  }
}

/* One member: a text or a list of texts that name fields, or objects with "field". */
static int names_absent(const json_t *fields, const json_t *member) {
  json_t *entry;
  size_t i;
  if (json_is_string(member)) return !among(fields, json_string_value(member));
  json_array_foreach(member, i, entry) {
    const char *name = json_is_object(entry) ? json_string_value(json_object_get(entry, "field"))
                                             : json_string_value(entry);
    if (name && !among(fields, name)) return 1;
  }
  return 0;
}

/* Takes out of a list of names of fields those that are not there. */
static void cut_names(const json_t *fields, json_t *owner, const char *key) {
  json_t *names = json_object_get(owner, key);
  for (size_t i = json_array_size(names); i-- > 0;)
    if (!among(fields, name_of(json_array_get(names, i)))) (void)json_array_remove(names, i);
  if (json_is_array(names) && !json_array_size(names)) (void)json_object_del(owner, key);
}

/* Rules, limits and relations that rest on a field which is not there go with it. What only
 * lists fields, lists fewer; where none is left, it says nothing. */
static void cut_rules(const json_t *fields, json_t *c, const char *list, const char *const *rests,
                      const char *const *lists) {
  json_t *rules = json_object_get(c, list);
  for (size_t i = json_array_size(rules); i-- > 0;) {
    json_t *r = json_array_get(rules, i);
    int gone = 0, left = !lists[0];
    for (size_t k = 0; rests[k]; k++) gone |= names_absent(fields, json_object_get(r, rests[k]));
    for (size_t k = 0; lists[k]; k++) {
      cut_names(fields, r, lists[k]);
      left |= json_object_get(r, lists[k]) != NULL;
    }
    if (gone || !left) (void)json_array_remove(rules, i);
  }
  if (rules && !json_array_size(rules)) (void)json_object_del(c, list);
}

static void cut_relations(const json_t *fields, json_t *c) {
  static const char *const none[] = {NULL}, *const based[] = {"record", "of", NULL},
                                *const based_lists[] = {"fields", NULL},
                                *const when[] = {"field", NULL},
                                *const when_lists[] = {"empty", "filled", NULL},
                                *const cover[] = {"amount", "account", "state", NULL},
                                *const clash[] = {"same", "from", "to", "state", NULL},
                                *const rule[] = {"when", NULL},
                                *const limit[] = {"start", "state", "by", "extend", NULL};
  static const char *const refers[] = {"from", "to", "answer"};
  json_t *referral = json_object_get(c, "referral");
  cut_rules(fields, c, "duplicates", rule, none);
  cut_rules(fields, c, "limits", limit, none);
  cut_rules(fields, c, "based", based, based_lists);
  cut_rules(fields, c, "when", when, when_lists);
  cut_rules(fields, c, "covers", cover, none);
  cut_rules(fields, c, "clashes", clash, none);
  for (size_t i = 0; referral && i < 3; i++)
    if (names_absent(fields, json_object_get(referral, refers[i]))) {
      (void)json_object_del(c, "referral");
      referral = NULL;
    }
}

static int cut_collection(const extending *x, const spot *s, const json_t *kind, json_t *c) {
  json_t *fields = json_object_get(c, "fields"), *f;
  const char *key = json_string_value(json_object_get(c, "key"));
  size_t i;
  for (i = json_array_size(fields); i-- > 0;)
    if (!is_field_of(kind, json_array_get(fields, i))) (void)json_array_remove(fields, i);
  if (key && !among(fields, key)) return bad(x, s, "its key is of no class of this kind of space");
  json_array_foreach(fields, i, f) cut_needs(fields, f);
  cut_relations(fields, c);
  return QM_OK;
}

/* Tables of codes and calendars that nothing names any more. */
static void cut_unused(json_t *root, const char *list, const char *key) {
  json_t *all = json_object_get(root, list);
  char *text = json_dumps(json_object_get(root, "collections"), JSON_COMPACT);
  char wanted[256];
  for (size_t i = json_array_size(all); text && i-- > 0;) {
    (void)snprintf(wanted, sizeof wanted, "\"%s\":\"%s\"", key, name_of(json_array_get(all, i)));
    if (!strstr(text, wanted)) (void)json_array_remove(all, i);
  }
  if (all && !json_array_size(all)) (void)json_object_del(root, list);
  free(text);
}

/* Leaves what a space of this kind has. */
static int cut(const extending *x, json_t *root, const char *name) {
  const json_t *kind = named(json_object_get(root, "spaces"), name);
  json_t *collections = json_object_get(root, "collections"), *c;
  char full[160];
  size_t i;
  if (!kind)
    return qm_fail(x->e, QM_ESCHEMA, "spaces: there is no kind of space \"%.40s\"", name);
  for (i = json_array_size(collections); i-- > 0;)
    if (!among(json_object_get(kind, "collections"), name_of(json_array_get(collections, i))))
      (void)json_array_remove(collections, i);
  json_array_foreach(collections, i, c) {
    spot at = {"collections", i, NULL, name_of(c)};
    QM_TRY(cut_collection(x, &at, kind, c));
  }
  const char *schema = json_string_value(json_object_get(root, "schema"));
  (void)snprintf(full, sizeof full, "%.80s/%.60s", schema ? schema : "", name);
  cut_unused(root, "tables", "table");
  cut_unused(root, "calendars", "calendar");
  return json_object_set_new(root, "schema", json_string(full)) == 0 ? QM_OK : no_memory(x);
}

int qm__schema_json_resolve(json_t **root, const char *kind, const qm_env *env,
                            qm_schema_file read, void *payload, int *changed, qm_error *e) {
  extending x = {read, payload, env, e};
  int has = json_object_get(*root, "extends") || json_object_get(*root, "numbers") ||
            json_object_get(*root, "spaces");
  *changed = has;
  if (!has && kind) return bad(&x, NULL, "it has no kinds of spaces");
  if (!has) return QM_OK;
  QM_TRY(extend(&x, "", root, 0));
  if (json_object_get(*root, "numbers")) QM_TRY(check_own_numbers(&x, *root));
  if (json_object_get(*root, "spaces")) QM_TRY(check_spaces(&x, *root));
  if (kind) QM_TRY(cut(&x, *root, kind));
  (void)json_object_del(*root, "numbers");
  (void)json_object_del(*root, "spaces");
  return QM_OK;
}
