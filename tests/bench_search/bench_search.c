/* bench_search: how long the first page of a search takes on many records, and how many
 * effects a second go into the tables. Names and addresses are made up from lists and
 * numbers. `bench_search [records]` prints a table: by the clock, and of that the processor's
 * time, which other programs on the machine do not stretch. Cold: the kernel is asked to
 * forget the file's pages, and the connection is new. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/qianmo.h"

static const char schema[] =
    "{\"schema\":\"bench\",\"version\":1,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"p\",\"retention\":\"P1Y\",\"key\":\"no\",\"fields\":["
    "{\"name\":\"no\",\"number\":16,\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"},"
    "{\"name\":\"head\",\"number\":17,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"personal\",\"naming\":true},"
    "{\"name\":\"address\",\"number\":18,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"personal\"},"
    "{\"name\":\"phone\",\"number\":19,\"type\":\"register\",\"value\":\"text\","
    "\"class\":\"personal\"},"
    "{\"name\":\"tags\",\"number\":20,\"type\":\"set\",\"value\":\"text\",\"class\":\"work\"},"
    "{\"name\":\"notes\",\"number\":21,\"type\":\"text\",\"class\":\"work\"}]}]}";

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周",
                                       "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "罗", "高"};
static const char *const given[] = {"伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋",
                                    "勇", "艳", "杰", "涛", "明", "超", "霞", "平", "刚", "英",
                                    "华", "玉", "兰", "梅", "云", "海", "山", "林", "文", "清"};
static const char *const roads[] = {"东风", "和平", "建设", "人民", "解放", "新华", "长江", "光明"};
static const char *const tags[] = {"老人", "独居", "低保", "残疾", "孕产"};

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

static double now_ms(void) { return read_ms(CLOCK_MONOTONIC); }
static double cpu_ms(void) { return read_ms(CLOCK_PROCESS_CPUTIME_ID); }

/* Who has a name that is looked for: one, a hundred, five thousand. */
static void make_name(unsigned i, unsigned n, char to[64]) {
  if (i == n / 2) snprintf(to, 64, "欧阳样例");
  else if (i % (n / 100) == 1) snprintf(to, 64, "司马%s", OF(given));
  else if (i % (n / 5000) == 2) snprintf(to, 64, "诸葛%s%s", OF(given), OF(given));
  else snprintf(to, 64, "%s%s%s", OF(surnames), OF(given), below(3) ? OF(given) : "");
}

static unsigned put_household(qm_tx *tx, unsigned i, unsigned n, qm_error *e) {
  char key[32], name[64], address[160], phone[32], notes[256];
  qm_text id = {0};
  snprintf(key, sizeof key, "%07u", i);
  snprintf(address, sizeof address, "%s路%u号院%u号楼%u单元%u室", OF(roads), below(400) + 1,
           below(30) + 1, below(6) + 1, below(25) * 100 + below(4) + 101);
  snprintf(phone, sizeof phone, "000-%08u", below(100000000));
  snprintf(notes, sizeof notes, "走访%u次，%s%s家%s，约好下次%u月再来", below(9) + 1, OF(surnames),
           OF(given), below(2) ? "无人" : "有人", below(12) + 1);
  make_name(i, n, name);
  must(qm_new(tx, qm_str("household"), qm_str(key), &id, NULL, e), e, "new");
  const char *const fields[][2] = {
      {"head", name}, {"address", address}, {"phone", phone}, {"tags", OF(tags)}, {"notes", notes}};
  for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
    must(qm_put(tx, qm_str("household"), qm_slice_of(id.p, id.n), qm_str(fields[f][0]),
                qm_str(fields[f][1]), 0, e),
         e, "put");
  qm_text_free(&id);
  return 7;
}

static void fill(qm_db *db, unsigned n, qm_error *e) {
  double from = now_ms(), cpu = cpu_ms();
  unsigned effects = 0;
  for (unsigned i = 0; i < n;) {
    qm_tx *tx;
    must(qm_begin(db, qm_str(""), &tx, e), e, "begin");
    for (unsigned k = 0; k < 200 && i < n; k++) effects += put_household(tx, i++, n, e);
    must(qm_commit(tx, e), e, "commit");
  }
  double ms = now_ms() - from;
  cpu = cpu_ms() - cpu;
  printf("filled: %u records, %u effects in %.1f s (processor %.1f s: %.0f effects/s)\n", n,
         effects, ms / 1e3, cpu / 1e3, effects / cpu * 1e3);
}

static qm_db *open_db(const char *path, uint32_t flags, qm_error *e) {
  qm_options o = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  o.path = path;
  o.flags = flags;
  must(qm_open(&o, &db, e), e, "open");
  return db;
}

/* Clean pages of the file leave the kernel's cache. */
static void forget(const char *path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return;
  fsync(fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  close(fd);
}

static double one(qm_db *db, const char *text, unsigned *hits, double *cpu, qm_error *e) {
  qm_text out = {0};
  double from = now_ms();
  *cpu = cpu_ms();
  must(qm_search(db, qm_str(""), qm_str(""), qm_str(text), 20, 0, &out, e), e, "search");
  double ms = now_ms() - from;
  *cpu = cpu_ms() - *cpu;
  *hits = 0;
  for (size_t i = 0; i < out.n; i++) *hits += out.p[i] == '\n';
  qm_text_free(&out);
  return ms;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

enum { RUNS = 21 };

/* Median and worst of the first page, each time with a new handle. */
static void measure(const char *path, const char *text, const char *what, int cold) {
  double ms[RUNS], cpu[RUNS], unused;
  qm_error e = {0};
  unsigned hits = 0;
  for (int i = 0; i < RUNS; i++) {
    if (cold) forget(path);
    qm_db *db = open_db(path, QM_OPEN_READONLY, &e);
    if (!cold) (void)one(db, text, &hits, &unused, &e);
    else (void)one(db, "nothing", &hits, &unused, &e); /* opens the connection, not the index */
    if (cold) forget(path);
    ms[i] = one(db, text, &hits, &cpu[i], &e);
    qm_close(db);
  }
  qsort(ms, RUNS, sizeof *ms, compare);
  qsort(cpu, RUNS, sizeof *cpu, compare);
  printf("%-24s %-5s %3u  median %6.2f ms (processor %5.2f)  worst %6.2f (%5.2f)\n", what,
         cold ? "cold" : "warm", hits, ms[RUNS / 2], cpu[RUNS / 2], ms[RUNS - 1], cpu[RUNS - 1]);
}

int main(int argc, char **argv) {
  static const char *const asked[][2] = {{"欧阳样例", "name, 1 hit"},
                                         {"司马", "name, 100 hits"},
                                         {"诸葛", "name, 5,000 hits"},
                                         {"光明路12号院", "part of an address"},
                                         {"光明路 老人 王", "three pieces"},
                                         {"明", "one character"}};
  unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
  char directory[] = "/tmp/qm-bench-XXXXXX", path[64], file[80];
  qm_error e = {0};
  if (n < 5000 || !mkdtemp(directory)) return 2;
  snprintf(path, sizeof path, "%s/b.db", directory);
  qm_db *db = open_db(path, QM_OPEN_CREATE, &e);
  must(qm_space_create(db, qm_str("s"), qm_str(schema), qm_str(""), &e), &e, "space");
  fill(db, n, &e);
  qm_close(db);
  for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
    for (int cold = 0; cold < 2; cold++) measure(path, asked[i][0], asked[i][1], cold);
  static const char *const endings[] = {"", "-wal", "-shm", ".instance"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    snprintf(file, sizeof file, "%s%s", path, endings[i]);
    unlink(file);
  }
  rmdir(directory);
  return 0;
}
