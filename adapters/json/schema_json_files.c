/* The files that a schema names, from the directory that it stands in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapters/json/schema_json.h"

static int read_all(FILE *in, const char *path, qm_buf *to, qm_error *e) {
  uint8_t part[8192];
  size_t n;
  errno = 0;
  while ((n = fread(part, 1, sizeof part, in)) > 0) qm_buf_add(to, part, n);
  if (ferror(in))
    return qm_fail(e, errno == EISDIR ? QM_ENOTFOUND : QM_EIO, "%s: %s", path, strerror(errno));
  if (qm_buf_status(to) == QM_ELIMIT)
    return qm_fail(e, QM_EOVERSIZE, "%s: larger than %u bytes", path, QM_SCHEMA_JSON_MAX);
  return qm_buf_status(to);
}

/* payload: the schema's own path. */
static int read_beside(void *payload, const char *name, qm_buf *to, qm_error *e) {
  char path[4096];
  const char *schema = payload, *slash = strrchr(schema, '/');
  int n = name[0] == '/' || !slash
              ? snprintf(path, sizeof path, "%s", name)
              : snprintf(path, sizeof path, "%.*s/%s", (int)(slash - schema), schema, name);
  if (n < 0 || (size_t)n >= sizeof path)
    return qm_fail(e, QM_EINVAL, "the name of a file of the schema is too long");
  FILE *in = fopen(path, "rb");
  if (!in) return qm_fail(e, QM_ENOTFOUND, "%s: %s", path, strerror(errno));
  int rc = read_all(in, path, to, e);
  (void)fclose(in);
  return rc;
}

const char *qm_schema_json_kind(const char *path) {
  const char *slash = strrchr(path, '/'), *mark = strrchr(slash ? slash : path, '#');
  FILE *in = mark ? fopen(path, "rb") : NULL;
  if (in) (void)fclose(in);
  return mark && mark[1] && !in ? mark + 1 : NULL;
}

int qm_schema_json_pack_beside(qm_buf *out, qm_slice json, char *path, qm_error *e) {
  return qm_schema_json_pack(out, json, qm_schema_json_kind(path), read_beside, path, e);
}
