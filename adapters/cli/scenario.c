/* scenario.c: the verb: reads a file, sets the world up, plays its steps, says what was not so. */
#define _XOPEN_SOURCE 700 /* mkdtemp, P_tmpdir */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/scenario.h"
#include "adapters/cli/verb.h"

#define BEHIND_MS (UINT64_C(6) * 3600000)

/* ---- labels ---- */

static uint32_t bucket(const char *name) {
  uint32_t h = 2166136261u;
  for (; *name; name++) h = (h ^ (uint8_t)*name) * 16777619u;
  return h % QM_SCENARIO_BUCKETS;
}

static char *copy(const void *p, size_t n) {
  char *to = malloc(n + 1);
  if (!to) return NULL;
  if (n) memcpy(to, p, n);
  to[n] = 0;
  return to;
}

static void label_clear(qm_scenario_label *l) {
  free(l->space);
  free(l->collection);
  free(l->id);
}

int qm_scenario_label_put(qm_scenario *s, const char *name, qm_slice space, qm_slice collection,
                          const char *id) {
  qm_scenario_label *l = s->labels[bucket(name)];
  while (l && strcmp(l->name, name) != 0) l = l->next;
  if (l) label_clear(l);
  else {
    l = calloc(1, sizeof *l);
    if (!l || !(l->name = copy(name, strlen(name)))) {
      free(l);
      return QM_ENOMEM;
    }
    l->next = s->labels[bucket(name)];
    s->labels[bucket(name)] = l;
  }
  l->space = copy(space.p, space.n);
  l->collection = copy(collection.p, collection.n);
  l->id = copy(id, strlen(id));
  return l->space && l->collection && l->id ? QM_OK : QM_ENOMEM;
}

const qm_scenario_label *qm_scenario_label_find(const qm_scenario *s, const char *name) {
  const qm_scenario_label *l = s->labels[bucket(name)];
  while (l && strcmp(l->name, name) != 0) l = l->next;
  return l;
}

const char *qm_scenario_label_of(const qm_scenario *s, qm_slice id) {
  for (uint32_t b = 0; b < QM_SCENARIO_BUCKETS; b++)
    for (const qm_scenario_label *l = s->labels[b]; l; l = l->next)
      if (strlen(l->id) == id.n && memcmp(l->id, id.p, id.n) == 0) return l->name;
  return NULL;
}

const char *qm_scenario_space_id(const qm_scenario *s, const char *name) {
  for (uint32_t i = 0; i < s->n_spaces; i++)
    if (strcmp(s->space_names[i], name) == 0) return s->space_ids[i];
  return NULL;
}

qm_scenario_device *qm_scenario_device_named(const qm_scenario *s, const char *name) {
  for (uint32_t i = 0; i < s->n_devices; i++)
    if (strcmp(s->devices[i].name, name) == 0) return &s->devices[i];
  return NULL;
}

/* ---- devices ---- */

static uint64_t now_ms(void *payload) {
  const qm_scenario_device *d = payload;
  struct timespec t;
  if (d->fixed_ms) return d->fixed_ms;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) return 0;
  return (uint64_t)((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + d->skew_ms);
}

/* From here on its clock shows the scenario's time. */
static void set_clock(const qm_scenario *s, qm_scenario_device *d) {
  d->fixed_ms = (uint64_t)((int64_t)s->now_ms + d->skew_ms);
}

/* "grid-*" fits what begins so; with a star anywhere. */
static int fits(const char *pattern, const char *name) {
  const char *star = strchr(pattern, '*');
  size_t n = strlen(name), head = star ? (size_t)(star - pattern) : 0, tail;
  if (!star) return strcmp(pattern, name) == 0;
  tail = strlen(star + 1);
  return n >= head + tail && memcmp(pattern, name, head) == 0 &&
         memcmp(star + 1, name + n - tail, tail) == 0;
}

static int add_space_name(qm_scenario_device *d, const char *name) {
  char **more = realloc(d->spaces, (d->n_spaces + 1) * sizeof *more);
  if (!more) return QM_ENOMEM;
  d->spaces = more;
  d->spaces[d->n_spaces] = copy(name, strlen(name));
  return d->spaces[d->n_spaces++] ? QM_OK : QM_ENOMEM;
}

static int device_spaces(qm_scenario *s, qm_scenario_device *d, const qm_node *list,
                         const qm_scenario_vars *v, qm_error *e) {
  for (const qm_node *n = list ? list->child : NULL; n; n = n->next) {
    qm_line name = QM_LINE_INIT;
    uint32_t before = d->n_spaces;
    int rc = qm_scenario_text(v, qm_node_text(n), &name, e);
    for (uint32_t i = 0; rc == QM_OK && i < s->n_spaces; i++)
      if (fits(qm_line_text(&name), s->space_names[i])) rc = add_space_name(d, s->space_names[i]);
    if (rc == QM_OK && d->n_spaces == before)
      rc = qm_fail(e, QM_EUSAGE, "%s: no space is called %s", d->name, qm_line_text(&name));
    qm_line_free(&name);
    if (rc != QM_OK) return rc;
  }
  return QM_OK;
}

static int text_member(const qm_node *n, const char *key, const qm_scenario_vars *v, char **out,
                       qm_error *e) {
  qm_line l = QM_LINE_INIT;
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(n, key)), &l, e);
  *out = rc == QM_OK ? copy(l.p, l.n) : NULL;
  qm_line_free(&l);
  if (rc == QM_OK && *out && !**out) return qm_fail(e, QM_EUSAGE, "\"%s\" is missing", key);
  return rc == QM_OK && !*out ? QM_ENOMEM : rc;
}

static int each_device(void *payload, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario *s = payload;
  int64_t minutes = 0;
  qm_scenario_device *more = realloc(s->devices, (s->n_devices + 1) * sizeof *more);
  if (!more) return QM_ENOMEM;
  s->devices = more;
  qm_scenario_device *d = memset(&s->devices[s->n_devices++], 0, sizeof *d);
  int rc = text_member(n, "name", v, &d->name, e);
  if (rc == QM_OK) rc = text_member(n, "member", v, &d->member, e);
  if (rc == QM_OK) rc = text_member(n, "role", v, &d->role, e);
  if (rc == QM_OK) rc = device_spaces(s, d, qm_node_get(n, "spaces"), v, e);
  (void)qm_node_int(qm_node_get(n, "clock_minutes"), &minutes);
  d->skew_ms = minutes * 60000;
  return rc;
}

static int each_space(void *payload, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario *s = payload;
  char *name = NULL;
  qm_line schema = QM_LINE_INIT;
  char **more = realloc(s->space_names, (s->n_spaces + 1) * sizeof *more);
  if (!more) return QM_ENOMEM;
  s->space_names = more;
  more = realloc(s->space_ids, (s->n_spaces + 1) * sizeof *more);
  if (!more) return QM_ENOMEM;
  s->space_ids = more;
  s->space_ids[s->n_spaces] = NULL;
  int rc = text_member(n, "name", v, &name, e);
  if (rc != QM_OK) return rc;
  s->space_names[s->n_spaces++] = name;
  const char *slash = strrchr(s->path, '/');
  const char *file = qm_node_string(qm_node_get(s->tree.root, "schema"));
  if (file[0] != '/') qm_line_bytes(&schema, s->path, slash ? (size_t)(slash + 1 - s->path) : 0);
  qm_line_add(&schema, file);
  if (qm_node_get(n, "kind")) {
    qm_line_add(&schema, "#");
    qm_line_add(&schema, qm_node_string(qm_node_get(n, "kind")));
  }
  rc = s->world->ops->space(s->world, name, qm_line_text(&schema), e);
  qm_line_free(&schema);
  return rc;
}

/* The ids of its spaces, which space-refs are made of. */
static int note_spaces(qm_scenario *s, qm_scenario_device *d, qm_error *e) {
  qm_text t = {0};
  qm_tree tree = QM_TREE_INIT;
  qm_slice line;
  int rc = qm_spaces(d->db, &t, e);
  qm_slice rest = qm_slice_of(t.p, t.n);
  while (rc == QM_OK && qm_next_line(&rest, &line)) {
    rc = qm_tree_read(&tree, line);
    const char *id = qm_node_string(qm_node_get(tree.root, "id"));
    for (uint32_t i = 0; rc == QM_OK && i < s->n_spaces; i++)
      if (!s->space_ids[i] && qm_node_is(qm_node_get(tree.root, "name"), s->space_names[i]))
        s->space_ids[i] = copy(id, strlen(id));
  }
  qm_tree_free(&tree);
  qm_text_free(&t);
  return rc;
}

static int open_device(qm_scenario *s, qm_scenario_device *d, uint32_t i, qm_error *e) {
  char path[QM_SCENARIO_PATH + 32];
  qm_options o = QM_OPTIONS_INIT;
  (void)snprintf(path, sizeof path, "%s/device-%u.db", s->dir, (unsigned)i);
  o.path = path;
  o.flags = QM_OPEN_CREATE | QM_OPEN_NEW | QM_OPEN_TEST_DATA;
  o.payload = d;
  o.now_ms = now_ms;
  o.history_days = 0;
  int rc = qm_open(&o, &d->db, e);
  if (rc == QM_OK) rc = s->world->ops->join(s->world, d, e);
  return rc == QM_OK ? note_spaces(s, d, e) : rc;
}

/* ---- reporting ---- */

static void because(const qm_scenario *s, qm_slice *says, qm_slice *section) {
  *says = qm_node_text(qm_node_get(s->because, "says"));
  *section = qm_node_text(qm_node_get(s->because, "section"));
}

void qm_scenario_judge(qm_scenario *s, const char *what, const char *wanted, const char *got) {
  qm_slice says, section;
  qm_line l = QM_LINE_INIT;
  s->expectations++;
  if (got) s->failed++;
  because(s, &says, &section);
  if (s->cli->json) {
    qm_line_format(&l, "{\"step\":%u,\"what\":", (unsigned)s->step);
    qm_line_json(&l, qm_str(what));
    qm_line_add(&l, ",\"wanted\":");
    qm_line_json(&l, qm_str(wanted));
    qm_line_add(&l, got ? ",\"ok\":false,\"got\":" : ",\"ok\":true");
    if (got) qm_line_json(&l, qm_str(got));
    qm_line_add(&l, ",\"because\":");
    qm_line_json(&l, says);
    qm_line_add(&l, ",\"section\":");
    qm_line_json(&l, section);
    qm_line_add(&l, "}");
    puts(qm_line_text(&l));
  } else if (got) {
    qm_cli_print(s->cli, stdout, QM_SAY_SCENARIO_WRONG, (unsigned)s->step, what, wanted, got,
                 says.n ? (const char *)says.p : "", section.n ? (const char *)section.p : "");
  }
  qm_line_free(&l);
}

/* ---- steps ---- */

static int device_of(qm_scenario *s, const qm_scenario_vars *v, const qm_node *n,
                     qm_scenario_device **out, qm_error *e) {
  qm_line name = QM_LINE_INIT;
  int rc = qm_scenario_text(v, qm_node_text(n), &name, e);
  *out = rc == QM_OK ? qm_scenario_device_named(s, qm_line_text(&name)) : NULL;
  if (rc == QM_OK && !*out)
    rc = qm_fail(e, QM_EUSAGE, "no device is called %s", qm_line_text(&name));
  qm_line_free(&name);
  return rc;
}

/* What the library said, against what the step says it says. */
static void judge_refusal(qm_scenario *s, const char *device, const qm_node *refused, int rc,
                          const qm_error *e) {
  const char *code = qm_node_string(qm_node_get(refused, "code"));
  const char *says = qm_node_string(qm_node_get(refused, "says"));
  qm_line what = QM_LINE_INIT, wanted = QM_LINE_INIT, got = QM_LINE_INIT;
  int ok = refused ? rc != QM_OK && strcmp(code, qm_err_name(rc)) == 0 && strstr(e->message, says)
                   : rc == QM_OK;
  qm_line_format(&what, qm_say(s->cli->lang, QM_SAY_SCENARIO_WRITE), device);
  qm_line_format(&wanted, "%s%s%s", refused ? code : "OK", *says ? ": " : "", says);
  if (rc == QM_OK) qm_line_add(&got, "OK");
  else qm_line_format(&got, "%s: %s", qm_err_name(rc), e->message);
  if (refused || !ok)
    qm_scenario_judge(s, qm_line_text(&what), qm_line_text(&wanted),
                      ok ? NULL : qm_line_text(&got));
  qm_line_free(&what);
  qm_line_free(&wanted);
  qm_line_free(&got);
}

static int step_write(qm_scenario *s, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario_device *d = NULL;
  qm_error why = {0, ""};
  const qm_node *refused = qm_node_get(n, "refused");
  int bad = 0, rc = device_of(s, v, qm_node_get(n, "device"), &d, e);
  if (rc != QM_OK) return rc;
  set_clock(s, d);
  rc = qm_node_get(n, "does") ? qm_scenario_do(s, v, d, n, &bad, &why)
                              : qm_scenario_refer(s, v, d, n, &bad, &why);
  if (bad) return qm_fail(e, QM_EUSAGE, "%s", why.message);
  s->because = qm_node_get(n, "because");
  if (refused && !qm_node_get(s->because, "section"))
    return qm_fail(e, QM_EUSAGE, "a refusal without \"because\" and its section");
  judge_refusal(s, d->name, refused, rc, &why);
  return QM_OK;
}

static int sync_one(qm_scenario *s, qm_scenario_device *d, qm_error *e) {
  d->fixed_ms = 0; /* the hub's clock is the system's */
  int rc = s->world->ops->sync(s->world, d, e);
  set_clock(s, d);
  s->syncs++;
  /* What the hub set aside is looked at by an expectation. */
  return rc == QM_EREFUSED ? QM_OK : rc;
}

static int step_sync(qm_scenario *s, const qm_node *list, const qm_scenario_vars *v, qm_error *e) {
  const qm_node *n = list->type == QM_NODE_ARRAY ? list->child : list;
  for (; n; n = list->type == QM_NODE_ARRAY ? n->next : NULL) {
    qm_line name = QM_LINE_INIT;
    uint32_t done = 0;
    int rc = qm_scenario_text(v, qm_node_text(n), &name, e);
    for (uint32_t i = 0; rc == QM_OK && i < s->n_devices; i++)
      if (fits(qm_line_text(&name), s->devices[i].name)) {
        rc = sync_one(s, &s->devices[i], e);
        done++;
      }
    if (rc == QM_OK && !done)
      rc = qm_fail(e, QM_EUSAGE, "no device is called %s", qm_line_text(&name));
    qm_line_free(&name);
    if (rc != QM_OK) return rc;
  }
  return QM_OK;
}

/* "at": a time; "wait": "90 minutes", "26 hours", "3 days" */
static int move_clock(qm_scenario *s, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_line at = QM_LINE_INIT;
  uint64_t to = 0;
  unsigned count = 0;
  char unit[16] = "";
  s->now_ms += QM_SCENARIO_STEP_MS;
  int rc = qm_scenario_text(v, qm_node_text(qm_node_get(n, "at")), &at, e);
  if (rc == QM_OK && at.n) {
    rc = qm_scenario_time(s, qm_line_text(&at), &to, e);
    /* A repeated step has the same time each time round. */
    if (rc == QM_OK && to + BEHIND_MS < s->now_ms)
      rc = qm_fail(e, QM_EUSAGE, "%s lies before the step before", qm_line_text(&at));
    if (rc == QM_OK && to > s->now_ms) s->now_ms = to;
  }
  const char *wait = qm_node_string(qm_node_get(n, "wait"));
  if (rc == QM_OK && *wait) {
    uint64_t ms = 0;
    if (sscanf(wait, "%6u %15s", &count, unit) == 2)
      ms = strncmp(unit, "minute", 6) == 0 ? 60000
           : strncmp(unit, "hour", 4) == 0 ? 3600000
           : strncmp(unit, "day", 3) == 0  ? 86400000
                                           : 0;
    if (!ms) rc = qm_fail(e, QM_EUSAGE, "wait: N minutes, hours or days");
    s->now_ms += ms * count;
  }
  qm_line_free(&at);
  return rc;
}

static int each_step(void *payload, const qm_node *n, const qm_scenario_vars *v, qm_error *e);

static int steps(qm_scenario *s, const qm_node *list, const qm_scenario_vars *v, qm_error *e) {
  int rc = QM_OK;
  for (const qm_node *n = list ? list->child : NULL; n && rc == QM_OK; n = n->next)
    rc = qm_scenario_repeat(n, v, each_step, s, e);
  return rc;
}

typedef struct checking {
  qm_scenario *s;
} checking;

static int each_check(void *payload, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario *s = ((checking *)payload)->s;
  s->because = qm_node_get(n, "because");
  if (!qm_node_text(qm_node_get(s->because, "says")).n ||
      !qm_node_text(qm_node_get(s->because, "section")).n)
    return qm_fail(e, QM_EUSAGE, "an expectation without \"because\": {\"says\", \"section\"}");
  for (uint32_t i = 0; i < s->n_devices; i++) set_clock(s, &s->devices[i]);
  return qm_scenario_expect(s, v, n, e);
}

static int step_expect(qm_scenario *s, const qm_node *list, const qm_scenario_vars *v,
                       qm_error *e) {
  checking x = {s};
  int rc = QM_OK;
  for (const qm_node *n = list->child; n && rc == QM_OK; n = n->next)
    rc = qm_scenario_repeat(n, v, each_check, &x, e);
  return rc;
}

static int each_step(void *payload, const qm_node *n, const qm_scenario_vars *v, qm_error *e) {
  qm_scenario *s = payload;
  const qm_node *inner = qm_node_get(n, "steps"), *sync = qm_node_get(n, "sync"),
                *expect = qm_node_get(n, "expect");
  int rc = move_clock(s, n, v, e);
  if (rc != QM_OK || inner) return rc == QM_OK ? steps(s, inner, v, e) : rc;
  s->steps++;
  if (qm_node_get(n, "device")) rc = step_write(s, n, v, e);
  if (rc == QM_OK && sync) rc = step_sync(s, sync, v, e);
  if (rc == QM_OK && expect) rc = step_expect(s, expect, v, e);
  return rc;
}

/* ---- the whole ---- */

static int utc_of(const qm_node *root) {
  int h = 8, m = 0;
  const char *text = qm_node_string(qm_node_get(root, "utc"));
  if (*text && sscanf(text, "%d:%d", &h, &m) < 1) return 480;
  return h * 60 + (h < 0 ? -m : m);
}

static int each_of(qm_scenario *s, const char *list, qm_scenario_each what, qm_error *e) {
  const qm_node *all = qm_node_get(s->tree.root, list);
  const qm_scenario_vars none = {.n = 0};
  int rc = all ? QM_OK : qm_fail(e, QM_EUSAGE, "\"%s\" is missing", list);
  for (const qm_node *n = all ? all->child : NULL; n && rc == QM_OK; n = n->next)
    rc = qm_scenario_repeat(n, &none, what, s, e);
  return rc;
}

static int set_up(qm_scenario *s, qm_error *e) {
  s->utc_minutes = utc_of(s->tree.root);
  int rc = qm_scenario_time(s, qm_node_string(qm_node_get(s->tree.root, "clock")), &s->now_ms, e);
  if (rc == QM_OK)
    rc = strcmp(s->via, "tls") == 0 ? qm_world_tls(&s->world, s->dir, e)
                                    : qm_world_memory(&s->world, e);
  if (rc == QM_OK) rc = each_of(s, "spaces", each_space, e);
  if (rc == QM_OK) rc = each_of(s, "devices", each_device, e);
  for (uint32_t i = 0; i < s->n_devices && rc == QM_OK; i++)
    rc = s->world->ops->device(s->world, &s->devices[i], e);
  if (rc == QM_OK) rc = s->world->ops->start(s->world, e);
  for (uint32_t i = 0; i < s->n_devices && rc == QM_OK; i++)
    rc = open_device(s, &s->devices[i], i, e);
  return rc;
}

static int play(qm_scenario *s, qm_error *e) {
  const qm_scenario_vars none = {.n = 0};
  const qm_node *list = qm_node_get(s->tree.root, "steps");
  int rc = set_up(s, e);
  s->step = 0;
  for (const qm_node *n = list ? list->child : NULL; n && rc == QM_OK; n = n->next) {
    s->step++;
    rc = qm_scenario_repeat(n, &none, each_step, s, e);
  }
  return rc;
}

static void scenario_free(qm_scenario *s) {
  for (uint32_t i = 0; i < s->n_devices; i++) {
    qm_scenario_device *d = &s->devices[i];
    qm_close(d->db);
    for (uint32_t k = 0; k < d->n_spaces; k++) free(d->spaces[k]);
    free(d->spaces);
    free(d->name);
    free(d->member);
    free(d->role);
  }
  free(s->devices);
  if (s->world) s->world->ops->close(s->world);
  for (uint32_t b = 0; b < QM_SCENARIO_BUCKETS; b++)
    while (s->labels[b]) {
      qm_scenario_label *l = s->labels[b];
      s->labels[b] = l->next;
      label_clear(l);
      free(l->name);
      free(l);
    }
  for (uint32_t i = 0; i < s->n_spaces; i++) {
    free(s->space_names[i]);
    free(s->space_ids[i]);
  }
  free(s->space_names);
  free(s->space_ids);
  qm_tree_free(&s->tree);
}

/* Removes a directory of files and of directories of files. */
static void remove_dir(const char *path, int depth) {
  DIR *dir = opendir(path);
  const struct dirent *entry;
  while (dir && (entry = readdir(dir)) != NULL) {
    char name[QM_SCENARIO_PATH + 300];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (unlink(name) != 0 && depth < 6) remove_dir(name, depth + 1);
  }
  if (dir) (void)closedir(dir);
  (void)rmdir(path);
}

static int make_dir(qm_scenario *s, qm_error *e) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(s->dir, sizeof s->dir, "%.900s/qianmo-scenario-XXXXXX",
                 base && *base ? base : P_tmpdir);
  return mkdtemp(s->dir) ? QM_OK : qm_fail(e, QM_EIO, "%s: %s", s->dir, strerror(errno));
}

static double wall(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void print_sum(const qm_scenario *s, double seconds) {
  const char *name = qm_node_string(qm_node_get(s->tree.root, "scenario"));
  if (s->cli->json)
    printf("{\"scenario\":\"%s\",\"via\":\"%s\",\"devices\":%u,\"spaces\":%u,\"steps\":%u,"
           "\"writes\":%u,\"syncs\":%u,\"expectations\":%u,\"failed\":%u,\"seconds\":%.1f}\n",
           name, s->via, s->n_devices, s->n_spaces, s->steps, s->writes, s->syncs, s->expectations,
           s->failed, seconds);
  else
    qm_cli_print(s->cli, stdout, s->failed ? QM_SAY_SCENARIO_FAILED : QM_SAY_SCENARIO_PASSED, name,
                 s->n_devices, s->n_spaces, s->steps, s->syncs, s->expectations, s->failed);
}

static int read_scenario(qm_ctx *c, qm_scenario *s) {
  qm_line file = QM_LINE_INIT;
  char part[8192];
  size_t n;
  FILE *in = fopen(s->path, "rb");
  if (!in) return qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_NO_FILE, s->path, strerror(errno));
  while (file.n < (size_t)8 << 20 && (n = fread(part, 1, sizeof part, in)) > 0)
    qm_line_bytes(&file, part, n);
  (void)fclose(in);
  int rc = qm_tree_read(&s->tree, qm_line_slice(&file));
  qm_line_free(&file);
  return rc == QM_OK ? QM_EXIT_DONE
                     : qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_SCENARIO_BAD, s->path, 0u,
                                     qm_err_text(rc));
}

int qm_verb_scenario(qm_ctx *c) {
  const char *via = c->values[QM_OPT_VIA] ? c->values[QM_OPT_VIA] : "memory";
  qm_scenario *s = calloc(1, sizeof *s);
  qm_error e = {0, ""};
  double start = wall();
  if (!s) return qm_cli_fail(&c->cli, QM_ENOMEM, "");
  s->cli = &c->cli;
  s->path = c->args[0];
  s->via = via;
  int exit_code = QM_EXIT_DONE, rc;
  if (strcmp(via, "memory") != 0 && strcmp(via, "tls") != 0)
    exit_code = qm_cli_refuse(&c->cli, QM_EUSAGE, QM_SAY_BAD_VIA);
  if (!exit_code) exit_code = read_scenario(c, s);
  (void)signal(SIGPIPE, SIG_IGN);
  if (!exit_code) {
    rc = make_dir(s, &e);
    if (rc == QM_OK) rc = play(s, &e);
    if (rc != QM_OK)
      exit_code = qm_cli_refuse(&c->cli, rc, QM_SAY_SCENARIO_BAD, s->path, (unsigned)s->step,
                                e.message[0] ? e.message : qm_err_text(rc));
    else print_sum(s, wall() - start);
    if (!exit_code && s->failed) exit_code = QM_EXIT_DIFFER;
  }
  scenario_free(s);
  if (s->dir[0]) remove_dir(s->dir, 0);
  free(s);
  return exit_code;
}
