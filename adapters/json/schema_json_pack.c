/* Files that a JSON schema names, put in their places. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/json/schema_json_int.h"

typedef struct packing {
  qm_buf text; /* as far as it is packed */
  qm_schema_file read;
  void *payload;
  qm_error *e;
} packing;

static const char *const table_members[] = {"label", "codes", NULL};
static const char *const calendar_members[] = {"label", "utc",  "week", "hours",
                                               "years", "off",  "work", NULL};
static const char *const for_people[] = {"standard", "source", "note", NULL};

static int listed(const char *const *list, const char *key) {
  while (*list && strcmp(*list, key) != 0) list++;
  return *list != NULL;
}

static int load_file(packing *p, const char *place, const char *name, json_t **out) {
  qm_buf content;
  json_error_t why;
  qm_buf_init(&content, p->text.env, QM_SCHEMA_JSON_MAX);
  int rc = p->read(p->payload, name, &content, p->e);
  if (rc == QM_OK) rc = qm_buf_status(&content);
  *out = NULL;
  if (rc == QM_OK) {
    *out = json_loadb(content.n ? (const char *)content.p : "", content.n, JSON_REJECT_DUPLICATES,
                      &why);
    if (!json_is_object(*out))
      rc = *out ? qm_fail(p->e, QM_ESCHEMA, "%s: the file holds no object", place)
                : qm_fail(p->e, QM_ESCHEMA, "%s: line %d of the file: %.120s", place, why.line,
                          why.text);
  }
  qm_buf_free(&content);
  return rc;
}

/* `"codes":[…],"label":…` without what the owner has. */
static int put_members(packing *p, const char *place, const json_t *owner, json_t *file,
                       const char *const *members, qm_buf *out) {
  const char *key;
  json_t *value;
  json_object_foreach(file, key, value) {
    if (listed(for_people, key)) continue;
    if (!listed(members, key))
      return qm_fail(p->e, QM_ESCHEMA, "%s: unknown key \"%.40s\" in the file", place, key);
    if (json_object_get(owner, key)) continue;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text) return qm_fail(p->e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
    if (out->n) qm_buf_byte(out, ',');
    qm_json_str(out, qm_slice_of(key, strlen(key)));
    qm_buf_byte(out, ':');
    qm_buf_add(out, text, strlen(text));
    free(text);
  }
  if (!out->n) return qm_fail(p->e, QM_ESCHEMA, "%s: the file has nothing to add", place);
  return qm_buf_status(out);
}

/* Puts the members in the place of "file": NAME. */
static int splice(packing *p, const char *place, qm_slice members) {
  const qm_slice old = qm_buf_slice(&p->text);
  const uint8_t *from = qm__schema_json_at(old, place);
  qm_buf next;
  if (!from) return qm_fail(p->e, QM_EINTERNAL, "%s: not found", place);
  const uint8_t *to = qm__schema_json_behind(old, from);
  qm_buf_init(&next, p->text.env, p->text.max);
  qm_buf_add(&next, old.p, (size_t)(from - old.p));
  qm_buf_add(&next, members.p, members.n);
  qm_buf_add(&next, to, (size_t)(old.p + old.n - to));
  int rc = qm_buf_status(&next);
  if (rc != QM_OK) {
    qm_buf_free(&next);
    return qm_fail(p->e, rc, "%s: the schema gets too large", place);
  }
  qm_buf_free(&p->text);
  p->text = next;
  return QM_OK;
}

static int pack_entry(packing *p, const char *list, size_t i, json_t *owner,
                      const char *const *members) {
  const json_t *name = json_object_get(owner, "file");
  char place[48];
  json_t *file = NULL;
  qm_buf text;
  (void)snprintf(place, sizeof place, "%s[%zu].file", list, i);
  if (!name) return QM_OK;
  if (!json_is_string(name)) return qm_fail(p->e, QM_ESCHEMA, "%s: must be text", place);
  qm_buf_init(&text, p->text.env, QM_SCHEMA_JSON_MAX);
  int rc = load_file(p, place, json_string_value(name), &file);
  if (rc == QM_OK) rc = put_members(p, place, owner, file, members, &text);
  if (rc == QM_OK) rc = splice(p, place, qm_buf_slice(&text));
  json_decref(file);
  qm_buf_free(&text);
  return rc;
}

static int pack_list(packing *p, const json_t *root, const char *list,
                     const char *const *members) {
  const json_t *entries = json_object_get(root, list);
  json_t *entry;
  size_t i;
  json_array_foreach(entries, i, entry) QM_TRY(pack_entry(p, list, i, entry, members));
  return QM_OK;
}

/* The text of what was put together: a schema that a person may read. */
static int put_resolved(packing *p, const json_t *root) {
  char *text = json_dumps(root, JSON_INDENT(1) | JSON_ENCODE_ANY);
  if (!text) return qm_fail(p->e, QM_ENOMEM, "%s", qm_err_text(QM_ENOMEM));
  qm_buf_clear(&p->text);
  qm_buf_add(&p->text, text, strlen(text));
  free(text);
  return qm_buf_status(&p->text);
}

int qm_schema_json_pack(qm_buf *out, qm_slice json, const char *kind, qm_schema_file read,
                        void *payload, qm_error *e) {
  packing p = {.read = read, .payload = payload, .e = e};
  json_t *root = NULL;
  int changed = 0;
  if (json.n <= QM_SCHEMA_JSON_MAX && json.n)
    root = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
  qm_buf_init(&p.text, out->env, QM_SCHEMA_JSON_MAX);
  qm_buf_add(&p.text, json.p, json.n);
  int rc = qm_buf_status(&p.text) == QM_ENOMEM ? QM_ENOMEM : QM_OK;
  if (rc == QM_OK && json_is_object(root))
    rc = qm__schema_json_resolve(&root, kind, out->env, read, payload, &changed, e);
  if (rc == QM_OK && changed) rc = put_resolved(&p, root);
  if (rc == QM_OK) rc = pack_list(&p, root, "tables", table_members);
  if (rc == QM_OK) rc = pack_list(&p, root, "calendars", calendar_members);
  if (rc == QM_OK && p.text.status == QM_OK) qm_buf_add(out, p.text.p, p.text.n);
  else if (rc == QM_OK) qm_buf_add(out, json.p, json.n); /* too large: the reader says so */
  json_decref(root);
  qm_buf_free(&p.text);
  return rc == QM_OK ? qm_buf_status(out) : rc;
}
