/* bench_duplicates: how long the first page of likely duplicates takes on many records, and
 * those of one record just made. Names and addresses are made up from lists and numbers: of a
 * hundred households one was entered twice with another spelling, and one telephone stands in
 * 5,000 of them; a quarter of all records are incidents. `bench_duplicates [records]` prints by
 * the clock, and of that the processor's time. Run on the same schema without rules, filling
 * says what the index costs. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/qianmo.h"

#define FIELD(name, number, kind)                                                             \
  "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"register\",\"value\":\"" kind     \
  "\",\"class\":\"personal\"}"
#define HOUSEHOLDS                                                                            \
  "{\"schema\":\"bench\",\"version\":1,\"collections\":[{\"name\":\"household\",\"number\":1," \
  "\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[" FIELD("head", 16, "text") ","        \
  FIELD("address", 17, "text") "," FIELD("phone", 18, "text") "]"
#define INCIDENTS                                                                             \
  "},{\"name\":\"incident\",\"number\":2,\"purpose\":\"p\",\"retention\":\"P1Y\",\"fields\":[" \
  FIELD("kind", 16, "text") "," FIELD("place", 17, "point") "," FIELD("time", 18, "int") "]"
#define HOUSEHOLD_RULES                                                                       \
  ",\"duplicates\":[{\"name\":\"phone\",\"weight\":70,\"when\":[{\"field\":\"phone\","        \
  "\"match\":\"phone\"}]},{\"name\":\"home\",\"weight\":85,\"most\":256,\"when\":["           \
  "{\"field\":\"address\",\"match\":\"address\"},{\"field\":\"head\",\"match\":\"similar\"}]}]"
#define INCIDENT_RULES                                                                        \
  ",\"duplicates\":[{\"name\":\"here\",\"weight\":75,\"when\":[{\"field\":\"kind\",\"match\":" \
  "\"same\"},{\"field\":\"place\",\"match\":\"near\",\"metres\":50},{\"field\":\"time\","     \
  "\"match\":\"within\",\"hours\":48}]}]"

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周"};
static const char *const given[] = {"伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋",
                                    "勇", "艳", "杰", "涛", "明", "超", "霞", "平", "刚", "英"};
static const char *const roads[] = {"东风", "和平", "建设", "人民", "解放", "新华", "长江", "光明"};
static const char *const kinds[] = {"water", "light", "road", "waste"};

static uint64_t seed = 20260301;

static unsigned below(unsigned n) { /* splitmix64 */
  uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (unsigned)((z ^ (z >> 31)) % n);
}

#define OF(list) (list)[below(sizeof(list) / sizeof *(list))]

static void must(int32_t rc, const qm_error *e, const char *what) {
  if (rc == QM_OK) return;
  fprintf(stderr, "%s: %s\n", what, e->message);
  exit(1);
}

static double read_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void put(qm_tx *tx, const char *collection, qm_slice id, const char *field,
                const char *value, qm_error *e) {
  must(qm_put(tx, qm_str(collection), id, qm_str(field), qm_str(value), 0, e), e, "put");
}

/* One in a hundred is the one before, as somebody else would have typed it. */
static void put_household(qm_tx *tx, unsigned i, qm_error *e) {
  static char name[64], address[160], phone[32];
  static unsigned road, house, room, line;
  qm_text id = {0};
  int again = i % 100 == 99;
  if (!again) {
    snprintf(name, sizeof name, "%s%s%s", OF(surnames), OF(given), OF(given));
    road = below(8);
    house = below(4000) + 1;
    room = below(20) * 100 + below(4) + 101;
    line = below(100000000);
  }
  snprintf(address, sizeof address, again ? "%s路 %u 号 %u" : "%s路%u号%u室", roads[road], house,
           room);
  if (again) snprintf(phone, sizeof phone, "+86 139%04u %04u", line / 10000, line % 10000);
  else if (i % 20 == 7) snprintf(phone, sizeof phone, "028-00001111");
  else snprintf(phone, sizeof phone, "139%08u", line);
  must(qm_new(tx, qm_str("household"), qm_str(""), &id, NULL, e), e, "new");
  put(tx, "household", qm_slice_of(id.p, id.n), "head", name, e);
  put(tx, "household", qm_slice_of(id.p, id.n), "address", address, e);
  put(tx, "household", qm_slice_of(id.p, id.n), "phone", phone, e);
  qm_text_free(&id);
}

static void put_incident(qm_tx *tx, qm_error *e) {
  char place[64], time[32];
  qm_text id = {0};
  snprintf(place, sizeof place, "31.%06u,121.%06u", 200000 + below(40000), 400000 + below(40000));
  snprintf(time, sizeof time, "%llu",
           UINT64_C(1700000000000) + (unsigned long long)below(525600) * 60000);
  must(qm_new(tx, qm_str("incident"), qm_str(""), &id, NULL, e), e, "new");
  put(tx, "incident", qm_slice_of(id.p, id.n), "kind", OF(kinds), e);
  put(tx, "incident", qm_slice_of(id.p, id.n), "place", place, e);
  put(tx, "incident", qm_slice_of(id.p, id.n), "time", time, e);
  qm_text_free(&id);
}

static void fill(qm_db *db, unsigned n, const char *what, qm_error *e) {
  double from = read_ms(CLOCK_MONOTONIC), cpu = read_ms(CLOCK_PROCESS_CPUTIME_ID);
  for (unsigned i = 0; i < n;) {
    qm_tx *tx;
    must(qm_begin(db, qm_str(""), &tx, e), e, "begin");
    for (unsigned k = 0; k < 200 && i < n; k++, i++)
      if (i % 4 == 2) put_incident(tx, e);
      else put_household(tx, i, e);
    must(qm_commit(tx, e), e, "commit");
  }
  printf("filled %u records %s: %.1f s (processor %.1f s)\n", n, what,
         (read_ms(CLOCK_MONOTONIC) - from) / 1e3,
         (read_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e3);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

enum { RUNS = 11 };

static void measure(qm_db *db, const char *collection, const char *record, const char *what,
                    qm_error *e) {
  double ms[RUNS], cpu[RUNS];
  char last[128] = "";
  for (int i = 0; i < RUNS; i++) {
    qm_text out = {0};
    double from = read_ms(CLOCK_MONOTONIC), used = read_ms(CLOCK_PROCESS_CPUTIME_ID);
    must(qm_duplicates(db, qm_str(""), qm_str(collection), qm_str(record), 0, 20, 0, &out, e), e,
         "duplicates");
    ms[i] = read_ms(CLOCK_MONOTONIC) - from;
    cpu[i] = read_ms(CLOCK_PROCESS_CPUTIME_ID) - used;
    const char *end = strstr(out.p, "{\"pairs\"");
    snprintf(last, sizeof last, "%.*s", end ? (int)strcspn(end, "\n") : 0, end ? end : "");
    qm_text_free(&out);
  }
  qsort(ms, RUNS, sizeof *ms, compare);
  qsort(cpu, RUNS, sizeof *cpu, compare);
  printf("%-26s median %7.2f ms (processor %7.2f)  worst %7.2f  %s\n", what, ms[RUNS / 2],
         cpu[RUNS / 2], ms[RUNS - 1], last);
}

/* A record that is there twice: the 100th household. */
static void find_one(qm_db *db, char id[27], qm_error *e) {
  qm_text out = {0};
  must(qm_duplicates(db, qm_str(""), qm_str("household"), qm_str(""), 0, 1, 0, &out, e), e, "one");
  const char *at = strstr(out.p, "\"a\":\"");
  snprintf(id, 27, "%.26s", at ? at + 5 : "");
  qm_text_free(&out);
}

static qm_db *start(const char *path, const char *schema, qm_error *e) {
  qm_options o = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  o.path = path;
  o.flags = QM_OPEN_CREATE;
  must(qm_open(&o, &db, e), e, "open");
  must(qm_space_create(db, qm_str("s"), qm_str(schema), qm_str(""), e), e, "space");
  return db;
}

static void end(qm_db *db, const char *path) {
  static const char *const endings[] = {"", "-wal", "-shm", ".instance"};
  char file[80];
  qm_close(db);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    snprintf(file, sizeof file, "%s%s", path, endings[i]);
    unlink(file);
  }
}

int main(int argc, char **argv) {
  unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
  char directory[] = "/tmp/qm-bench-XXXXXX", path[64], id[27];
  qm_error e = {0};
  if (n < 1000 || !mkdtemp(directory)) return 2;
  snprintf(path, sizeof path, "%s/b.db", directory);
  qm_db *db = start(path, HOUSEHOLDS INCIDENTS "}]}", &e);
  fill(db, n, "without rules", &e);
  end(db, path);
  db = start(path, HOUSEHOLDS HOUSEHOLD_RULES INCIDENTS INCIDENT_RULES "}]}", &e);
  fill(db, n, "with rules", &e);
  measure(db, "", "", "first page, all", &e);
  measure(db, "household", "", "first page, households", &e);
  measure(db, "incident", "", "first page, incidents", &e);
  find_one(db, id, &e);
  measure(db, "household", id, "of one household", &e);
  end(db, path);
  rmdir(directory);
  return 0;
}
