/* sqlite-sync on the trace of form saves: sqlite_sync EXTENSION RUNS. Natively, as its users
 * have it: a table a collection, a column a field, triggers by the extension. Elements of sets
 * and devices' parts of counters are rows of their own, so that concurrent ones do not overwrite
 * each other. Rows as the other peers' scripts print them (lib.mjs). */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "adapters/cli/replay.h"
#include "core/cur.h"
#include "tests/bench/bench.h"

#define TRACE "fixtures/traces/village-grid-seed1.jsonl.gz"
#define DEVICES 6
#define CACHE 4096
#define CHANGES                                                                              \
  "SELECT cloudsync_payload_encode(tbl,pk,col_name,col_value,col_version,db_version,site_id," \
  "cl,seq) FROM cloudsync_changes WHERE "

typedef struct node {
  sqlite3 *db;
  sqlite3_stmt *begin, *commit, *add, *drop, *inc, *up, *down, *take, *version;
  struct cached {
    uint64_t key;
    sqlite3_stmt *s;
  } cache[CACHE];
  sqlite3_int64 sent, got;
  uint32_t number;
} node;

typedef struct upload {
  void *p;
  int n;
} upload;

static const char *extension;
static qm_trace t;
static upload uploads[1024];
static unsigned n_uploads;
static char schema[16384];

static void run(sqlite3 *db, const char *text) {
  if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
    exit(1);
  }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
    exit(1);
  }
  return s;
}

static void step(node *x, sqlite3_stmt *s) {
  int rc = sqlite3_step(s);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) bench_fail(sqlite3_errmsg(x->db), 0);
  sqlite3_reset(s);
}

static int is_kind(uint32_t field, qm_line_op a, qm_line_op b) {
  for (uint32_t i = 0; i < t.n_lines; i++)
    if ((t.lines[i].op == a || t.lines[i].op == b) && t.lines[i].field == field) return 1;
  return 0;
}

static void make_schema(void) {
  char *p = schema, *end = schema + sizeof schema;
  for (uint32_t c = 0; c < t.n_collections; c++) {
    p += snprintf(p, (size_t)(end - p), "CREATE TABLE c%u(id TEXT PRIMARY KEY NOT NULL", c);
    for (uint32_t f = 0; f < t.n_fields; f++)
      if (t.fields[f].collection == c &&
          (is_kind(f, QM_LINE_SET, QM_LINE_APPEND) || is_kind(f, QM_LINE_CHOP, QM_LINE_CHOP)))
        p += snprintf(p, (size_t)(end - p), ",f%u", f);
    p += snprintf(p, (size_t)(end - p), ");SELECT cloudsync_init('c%u');", c);
  }
  snprintf(p, (size_t)(end - p),
           "CREATE TABLE element(id TEXT PRIMARY KEY NOT NULL, there);"
           "SELECT cloudsync_init('element');"
           "CREATE TABLE part(id TEXT PRIMARY KEY NOT NULL, total);"
           "SELECT cloudsync_init('part');");
}

static void open_node(node *x, const char *name, uint32_t number) {
  char path[256], *why = NULL;
  memset(x, 0, sizeof *x);
  x->number = number;
  snprintf(path, sizeof path, "%s.db", name);
  BENCH_CHECK(sqlite3_open(path, &x->db) == SQLITE_OK);
  sqlite3_enable_load_extension(x->db, 1);
  if (sqlite3_load_extension(x->db, extension, NULL, &why) != SQLITE_OK) bench_fail(why, 0);
  run(x->db, "PRAGMA journal_mode=WAL");
  run(x->db, "PRAGMA synchronous=NORMAL");
  run(x->db, schema);
  x->begin = prepare(x->db, "BEGIN IMMEDIATE");
  x->commit = prepare(x->db, "COMMIT");
  x->add = prepare(x->db, "INSERT INTO element VALUES(?,1) ON CONFLICT DO UPDATE SET there=1");
  x->drop = prepare(x->db, "DELETE FROM element WHERE id=?");
  x->inc = prepare(x->db, "INSERT INTO part VALUES(?,?2) ON CONFLICT DO UPDATE SET total=total+?2");
  x->up = prepare(x->db, CHANGES "db_version>? AND site_id=cloudsync_siteid()");
  x->down = prepare(x->db, CHANGES "db_version>? AND site_id<>?");
  x->take = prepare(x->db, "SELECT cloudsync_payload_decode(?)");
  x->version = prepare(x->db, "SELECT cloudsync_db_version()");
}

static void close_node(node *x) {
  run(x->db, "SELECT cloudsync_terminate()");
  for (sqlite3_stmt *s; (s = sqlite3_next_stmt(x->db, NULL)) != NULL;) sqlite3_finalize(s);
  BENCH_CHECK(sqlite3_close(x->db) == SQLITE_OK);
}

static void bind(sqlite3_stmt *s, int at, qm_slice value) {
  qm_cur c;
  qm_slice text;
  int64_t n;
  double d;
  qm_cur_init(&c, value);
  if (value.n && (value.p[0] == 0xc2 || value.p[0] == 0xc3)) {
    sqlite3_bind_int(s, at, value.p[0] == 0xc3);
  } else if (qm_cur_str(&c, &text) == QM_OK) {
    sqlite3_bind_text(s, at, (const char *)text.p, (int)text.n, SQLITE_STATIC);
  } else {
    qm_cur_init(&c, value);
    if (qm_cur_int(&c, &n) == QM_OK) {
      sqlite3_bind_int64(s, at, n);
    } else {
      uint64_t bits = 0;
      BENCH_CHECK(value.n == 9 && value.p[0] == 0xcb);
      for (int i = 1; i < 9; i++) bits = bits << 8 | value.p[i];
      memcpy(&d, &bits, sizeof d);
      sqlite3_bind_double(s, at, d);
    }
  }
}

/* The statement that writes these lines' columns at once, kept by their fields. */
static sqlite3_stmt *columns(node *x, uint32_t c, const qm_line **l, int n, int fresh) {
  uint64_t key = (uint64_t)c * 31 + (uint64_t)fresh + 1;
  char sql[2048], *p = sql, *end = sql + sizeof sql;
  for (int i = 0; i < n; i++) key = key * 1000003 + l[i]->field * 5 + (uint64_t)l[i]->op;
  struct cached *at = &x->cache[key % CACHE];
  while (at->s && at->key != key) at = at == &x->cache[CACHE - 1] ? x->cache : at + 1;
  if (at->s) return at->s;
  if (fresh) {
    p += snprintf(p, (size_t)(end - p), "INSERT INTO c%u(id", c);
    for (int i = 0; i < n; i++) p += snprintf(p, (size_t)(end - p), ",f%u", l[i]->field);
    p += snprintf(p, (size_t)(end - p), ") VALUES(?1");
    for (int i = 0; i < n; i++) p += snprintf(p, (size_t)(end - p), ",?%d", i + 2);
    snprintf(p, (size_t)(end - p), ")");
  } else {
    p += snprintf(p, (size_t)(end - p), "UPDATE c%u SET ", c);
    for (int i = 0; i < n; i++) {
      uint32_t f = l[i]->field;
      const char *form = l[i]->op == QM_LINE_APPEND ? "%sf%u=coalesce(f%u,'')||?%d"
                         : l[i]->op == QM_LINE_CHOP
                             ? "%sf%u=substr(f%u,1,max(0,length(f%u)-?%d))"
                             : NULL;
      const char *comma = i ? "," : "";
      if (l[i]->op == QM_LINE_APPEND)
        p += snprintf(p, (size_t)(end - p), form, comma, f, f, i + 2);
      else if (form)
        p += snprintf(p, (size_t)(end - p), form, comma, f, f, f, i + 2);
      else
        p += snprintf(p, (size_t)(end - p), "%sf%u=?%d", comma, f, i + 2);
    }
    snprintf(p, (size_t)(end - p), " WHERE id=?1");
  }
  at->key = key;
  return at->s = prepare(x->db, sql);
}

static const char *row_id(const qm_line *l, uint32_t device, int *n) {
  static char id[512];
  qm_slice r = t.records[l->record].name, v = {NULL, 0};
  qm_cur c;
  qm_cur_init(&c, l->value);
  if (l->op != QM_LINE_INC) BENCH_OK(qm_cur_str(&c, &v));
  *n = snprintf(id, sizeof id, "%.*s/%u/%.*s", (int)r.n, (const char *)r.p, l->field, (int)v.n,
                v.n ? (const char *)v.p : "");
  if (l->op == QM_LINE_INC) *n += snprintf(id + *n, sizeof id - (size_t)*n, "%u", device);
  return id;
}

static void put(node *x, const qm_trace_record *r, const qm_line **l, int n, int fresh) {
  if (!n && !fresh) return;
  sqlite3_stmt *s = columns(x, r->collection, l, n, fresh);
  sqlite3_bind_text(s, 1, (const char *)r->name.p, (int)r->name.n, SQLITE_STATIC);
  for (int i = 0; i < n; i++) {
    if (l[i]->op == QM_LINE_CHOP) sqlite3_bind_int64(s, i + 2, (sqlite3_int64)l[i]->n);
    else bind(s, i + 2, l[i]->value);
  }
  step(x, s);
}

static void save(node *x, uint32_t first, uint32_t end) {
  const qm_line *l[64];
  const qm_trace_record *r = &t.records[t.lines[first].record];
  int n = 0, fresh = 0, len;
  step(x, x->begin);
  for (uint32_t i = first; i < end; i++) {
    const qm_line *at = &t.lines[i];
    sqlite3_stmt *s = NULL;
    switch (at->op) {
      case QM_LINE_NEW: fresh = 1; continue;
      case QM_LINE_ERASE: {
        char sql[64];
        snprintf(sql, sizeof sql, "DELETE FROM c%u WHERE id=?", r->collection);
        s = prepare(x->db, sql);
        sqlite3_bind_text(s, 1, (const char *)r->name.p, (int)r->name.n, SQLITE_STATIC);
        break;
      }
      case QM_LINE_ADD:
      case QM_LINE_REMOVE:
      case QM_LINE_INC: {
        const char *id = row_id(at, x->number, &len);
        s = at->op == QM_LINE_ADD ? x->add : at->op == QM_LINE_INC ? x->inc : x->drop;
        sqlite3_bind_text(s, 1, id, len, SQLITE_TRANSIENT);
        if (at->op == QM_LINE_INC) bind(s, 2, at->value);
        break;
      }
      default:
        for (int k = 0; k < n; k++) {
          if (l[k]->field != at->field) continue;
          put(x, r, l, n, fresh); /* one field twice in a save */
          n = fresh = 0;
        }
        BENCH_CHECK(n < 64);
        l[n++] = at;
        continue;
    }
    step(x, s);
    if (at->op == QM_LINE_ERASE) sqlite3_finalize(s);
  }
  put(x, r, l, n, fresh);
  step(x, x->commit);
}

static sqlite3_int64 version(node *x) {
  BENCH_CHECK(sqlite3_step(x->version) == SQLITE_ROW);
  sqlite3_int64 v = sqlite3_column_int64(x->version, 0);
  sqlite3_reset(x->version);
  return v;
}

static void take(node *x, const void *p, int n) {
  sqlite3_bind_blob(x->take, 1, p, n, SQLITE_STATIC);
  step(x, x->take);
}

/* What `from` has after a version; n 0: nothing. */
static upload changes(sqlite3_stmt *s) {
  upload u = {NULL, 0};
  BENCH_CHECK(sqlite3_step(s) == SQLITE_ROW);
  u.n = sqlite3_column_bytes(s, 0);
  if (u.n) {
    u.p = malloc((size_t)u.n);
    BENCH_CHECK(u.p);
    memcpy(u.p, sqlite3_column_blob(s, 0), (size_t)u.n);
  }
  sqlite3_reset(s);
  return u;
}

static void sync(node *d, node *hub) {
  sqlite3_bind_int64(d->up, 1, d->sent);
  upload u = changes(d->up);
  if (u.n) {
    BENCH_CHECK(n_uploads < 1024);
    take(hub, u.p, u.n);
    uploads[n_uploads++] = u;
  }
  sqlite3_stmt *id = prepare(d->db, "SELECT cloudsync_siteid()");
  BENCH_CHECK(sqlite3_step(id) == SQLITE_ROW);
  sqlite3_bind_blob(hub->down, 2, sqlite3_column_blob(id, 0), sqlite3_column_bytes(id, 0),
                    SQLITE_TRANSIENT);
  sqlite3_finalize(id);
  sqlite3_bind_int64(hub->down, 1, d->got);
  upload v = changes(hub->down);
  if (v.n) take(d, v.p, v.n);
  free(v.p);
  d->sent = version(d);
  d->got = version(hub);
}

/* Hash of all rows. */
static void shown(node *x, char out[65]) {
  qm_sha sha;
  qm_hash h;
  char sql[64];
  int rows = 0;
  qm_sha_init(&sha);
  for (uint32_t c = 0; c < t.n_collections + 2; c++) {
    if (c < t.n_collections) snprintf(sql, sizeof sql, "SELECT * FROM c%u ORDER BY id", c);
    else
      snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY id",
               c == t.n_collections ? "element" : "part");
    sqlite3_stmt *s = prepare(x->db, sql);
    for (; sqlite3_step(s) == SQLITE_ROW; rows++)
      for (int i = 0; i < sqlite3_column_count(s); i++) {
        const void *p = sqlite3_column_text(s, i);
        qm_sha_add(&sha, p, (size_t)sqlite3_column_bytes(s, i));
        qm_sha_add(&sha, "|", 1);
      }
    sqlite3_finalize(s);
  }
  BENCH_CHECK(rows > 10000);
  qm_sha_end(&sha, &h);
  qm_hex(out, h.b, sizeof h.b);
}

static void row(const char *id, const char *unit, double value) {
  printf("{\"id\":\"%s\",\"unit\":\"%s\",\"peer\":\"sqlite-sync\",\"version\":\"%s\","
         "\"value\":%.9g}\n", id, unit, getenv("SQLITE_SYNC_VERSION"), value);
  fflush(stdout);
}

static double file_size(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (double)st.st_size / 1e6 : 0;
}

static void once(void) {
  static node d[DEVICES], hub, again;
  char name[128], want[65], is[65];
  double local = 0, bytes = 0;
  uint64_t ops = 0;
  const char *dir = bench_dir("sqlite-sync");
  n_uploads = 0;
  for (uint32_t i = 0; i < DEVICES; i++) {
    snprintf(name, sizeof name, "%s/d%u", dir, i);
    open_node(&d[i], name, i);
  }
  snprintf(name, sizeof name, "%s/hub", dir);
  open_node(&hub, name, 100);
  for (uint32_t i = 0; i < t.n_lines;) {
    const qm_line *l = &t.lines[i];
    uint32_t end = qm_trace_change_end(&t, i);
    if (l->op == QM_LINE_SYNC) {
      sync(&d[l->device], &hub);
    } else {
      double from = bench_cpu();
      save(&d[l->device], i, end);
      local += bench_cpu() - from;
      ops += end - i;
    }
    i = end;
  }
  shown(&hub, want);
  for (uint32_t i = 0; i < DEVICES; i++) {
    shown(&d[i], is);
    BENCH_CHECK(strcmp(is, want) == 0);
  }
  snprintf(name, sizeof name, "%s/again", dir);
  open_node(&again, name, 101);
  double from = bench_cpu();
  for (unsigned i = 0; i < n_uploads; i++) take(&again, uploads[i].p, uploads[i].n);
  double merged = bench_cpu() - from;
  shown(&again, is);
  BENCH_CHECK(strcmp(is, want) == 0);
  for (unsigned i = 0; i < n_uploads; i++) {
    bytes += uploads[i].n;
    free(uploads[i].p);
  }
  for (uint32_t i = 0; i < DEVICES; i++) close_node(&d[i]);
  close_node(&hub);
  close_node(&again);
  row("grid.local_sqlite_normal", "ops/s", (double)ops / local);
  row("grid.hub_sqlite.cpu", "us/op", merged / (double)ops * 1e6);
  row("grid.upload_bytes", "MB", bytes / 1e6);
  snprintf(name, sizeof name, "%s/again.db", dir);
  row("grid.hub_sqlite.file", "MB", file_size(name));
}

int main(int argc, char **argv) {
  static bench_env env;
  qm_error e = {0, ""};
  if (argc != 3 || !getenv("SQLITE_SYNC_VERSION")) return 2;
  extension = argv[1];
  bench_env_init(&env, 1);
  BENCH_OK(qm_trace_read(&t, &env.env, TRACE, &e));
  BENCH_CHECK(t.devices == DEVICES);
  make_schema();
  for (int i = 0; i < atoi(argv[2]); i++) once();
  qm_trace_free(&t);
  return 0;
}
