/* The sync day's contents, number for number as the generator of the traces makes them. All
 * people, numbers and places are invented. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/mp.h"
#include "tests/bench/day.h"

#define FIELD(name, number, value)                                                       \
  "{\"name\":\"" name "\",\"number\":" number ",\"type\":\"register\",\"value\":\"" value \
  "\",\"class\":\"work\",\"label\":{\"zh\":\"字段\",\"en\":\"" name "\"}}"

enum {
  F_HEAD = 16, F_IDNO, F_PHONE, F_ADDR, F_MEMBERS, F_ALLOWANCE, F_LAT, F_LON, F_VISITED, F_STATUS,
  F_TOPIC, F_NOTE, F_REMARK, F_REV, F_DEV
};

const char day_schema[] =
    "{\"schema\":\"day\",\"version\":1,\"drift_minutes\":10,\"lease_days\":90,\"review_days\":90,"
    "\"collections\":[{\"name\":\"household\",\"number\":1,\"purpose\":\"a measurement\","
    "\"retention\":\"P1Y\",\"label\":{\"zh\":\"户\",\"en\":\"Household\"},\"fields\":["
    FIELD("head", "16", "text") "," FIELD("idno", "17", "text") "," FIELD("phone", "18", "text")
    "," FIELD("addr", "19", "text") "," FIELD("members", "20", "int") ","
    FIELD("allowance", "21", "bool") "," FIELD("lat", "22", "number") ","
    FIELD("lon", "23", "number") "," FIELD("visited", "24", "int") ","
    FIELD("status", "25", "text") "," FIELD("topic", "26", "text") ","
    FIELD("note", "27", "text") "," FIELD("remark", "28", "text") "," FIELD("rev", "29", "int")
    "," FIELD("dev0", "30", "int") "," FIELD("dev1", "31", "int") "," FIELD("dev2", "32", "int")
    "," FIELD("dev3", "33", "int") "," FIELD("dev4", "34", "int") "]}]}";

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴",
                                       "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗"};
static const char *const given[] = {"伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋",
                                    "勇", "艳", "杰", "娟", "涛", "明", "超", "秀", "霞", "平",
                                    "刚", "桂", "英", "华", "建", "国", "玉", "兰"};
static const char *const words[] = {
    "入户走访", "独居老人", "低保申请", "用电安全检查", "道路积水", "已上报街道",
    "邻里纠纷调解", "垃圾清运", "补贴材料", "外出务工", "医保已缴", "房屋漏雨",
    "慢性病随访", "秸秆清理", "防汛值班", "饮水安全", "留守儿童"};
static const char *const states[] = {"待办", "处理中", "已办结", "退回"};

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

/* mulberry32, with the trace's seed 1. */
typedef struct rng {
  uint32_t a;
} rng;

static rng rng_of(uint32_t s) { return (rng){s ^ 0x9E3779B9u}; }

static double draw(rng *r) {
  uint32_t t = r->a += 0x6D2B79F5u;
  t = (t ^ (t >> 15)) * (t | 1u);
  t ^= t + (t ^ (t >> 7)) * (t | 61u);
  return (double)(t ^ (t >> 14)) / 4294967296.0;
}

static const char *pick(rng *r, const char *const *list, uint32_t n) {
  return list[(uint32_t)(draw(r) * n)];
}

/* `n` characters, each of three bytes. */
static size_t text_of(rng *r, size_t n, char *to) {
  size_t at = 0;
  while (at < 3 * n) {
    const char *w = pick(r, words, COUNT(words));
    memcpy(to + at, w, strlen(w));
    at += strlen(w);
    memcpy(to + at, "，", 3);
    at += 3;
  }
  return 3 * n;
}

/* --- writing --- */

typedef struct writer {
  qm_write *w;
  qm_id id;
  qm_buf value;
} writer;

static void record_id(uint32_t grid, uint32_t i, qm_id *out) {
  char name[40];
  qm_sha sha;
  qm_hash h;
  int n = snprintf(name, sizeof name, "household%cg%02u-r%05u", 0, grid + 1, i);
  qm_sha_init(&sha);
  qm_sha_add(&sha, name, (size_t)n);
  qm_sha_end(&sha, &h);
  memcpy(out->b, h.b, QM_ID_SIZE);
}

static void put(writer *x, uint32_t field) {
  BENCH_OK(qm_buf_status(&x->value));
  BENCH_OK(qm_write_set(x->w, &x->id, field, qm_buf_slice(&x->value), qm_slice_of(NULL, 0), 0));
  qm_buf_clear(&x->value);
}

static void put_text(writer *x, uint32_t field, const char *p, size_t n) {
  qm_mp_str(&x->value, p, n);
  put(x, field);
}

static void put_int(writer *x, uint32_t field, int64_t v) {
  qm_mp_int(&x->value, v);
  put(x, field);
}

static void put_degrees(writer *x, uint32_t field, rng *r) {
  qm_mp_f64(&x->value, floor(draw(r) * 1e6 + 0.5) / 1e6);
  put(x, field);
}

static void base_record(writer *x, uint32_t grid, uint32_t i) {
  rng r = rng_of(grid * 100003u + i + 1);
  char t[512];
  size_t n;
  n = (size_t)snprintf(t, sizeof t, "%s", pick(&r, surnames, COUNT(surnames)));
  n += (size_t)snprintf(t + n, sizeof t - n, "%s", pick(&r, given, COUNT(given)));
  n += (size_t)snprintf(t + n, sizeof t - n, "%s", pick(&r, given, COUNT(given)));
  put_text(x, F_HEAD, t, n);
  n = (size_t)snprintf(t, sizeof t, "TEST00%012llu", (unsigned long long)(draw(&r) * 1e12));
  put_text(x, F_IDNO, t, n);
  n = (size_t)snprintf(t, sizeof t, "1000000%04u", (unsigned)(draw(&r) * 1e4));
  put_text(x, F_PHONE, t, n);
  n = (size_t)snprintf(t, sizeof t, "虚构镇第%u村%u号", grid + 1, (unsigned)(draw(&r) * 300));
  put_text(x, F_ADDR, t, n);
  put_int(x, F_MEMBERS, (int64_t)(draw(&r) * 8));
  qm_mp_bool(&x->value, draw(&r) < .1);
  put(x, F_ALLOWANCE);
  put_degrees(x, F_LAT, &r);
  put_degrees(x, F_LON, &r);
  put_int(x, F_VISITED, 1700000000 + (int64_t)(draw(&r) * 1e7));
  const char *s = pick(&r, states, 3);
  put_text(x, F_STATUS, s, strlen(s));
  s = pick(&r, words, COUNT(words));
  put_text(x, F_TOPIC, s, strlen(s));
  put_text(x, F_NOTE, t, text_of(&r, 60, t));
  put_text(x, F_REMARK, t, text_of(&r, 32, t));
  put_int(x, F_REV, 0);
}

void day_write_base(qm_engine *e, qm_space *s, uint32_t grid, uint32_t base) {
  qm_env env = qm_env_default();
  writer x;
  int existing;
  qm_id got;
  qm_buf_init(&x.value, &env, 4096);
  for (uint32_t i = 0; i < base; i++) {
    record_id(grid, i, &x.id);
    BENCH_OK(qm_write_begin(&x.w, e, s, QM_WRITE_RAW));
    BENCH_OK(qm_write_new(x.w, 1, &x.id, qm_slice_of(NULL, 0), &got, &existing));
    base_record(&x, grid, i);
    BENCH_OK(qm_write_commit(x.w, QM_RELAXED));
  }
  qm_buf_free(&x.value);
}

void day_write_edits(qm_engine *e, qm_space *s, uint32_t device) {
  uint32_t grid = device / DAY_PER_GRID, me = device % DAY_PER_GRID;
  uint32_t own = (DAY_BASE - DAY_SHARED) / DAY_PER_GRID, lone = DAY_EDITS - DAY_SHARED;
  qm_env env = qm_env_default();
  writer x;
  char t[512];
  qm_buf_init(&x.value, &env, 4096);
  for (uint32_t k = 0; k < DAY_EDITS; k++) {
    rng r = rng_of(777 + device * 1009 + k);
    int shared = k >= lone;
    uint32_t i = shared ? DAY_BASE - DAY_SHARED + (k - lone) % DAY_SHARED : me * own + k % own;
    record_id(grid, i, &x.id);
    BENCH_OK(qm_write_begin(&x.w, e, s, QM_WRITE_RAW));
    const char *state = pick(&r, states, COUNT(states));
    put_text(&x, F_STATUS, state, strlen(state));
    put_text(&x, F_NOTE, t, text_of(&r, 40, t));
    put_int(&x, F_VISITED, 1760000000 + (int64_t)device * 1000 + k);
    if (shared) put_int(&x, F_DEV + me, (int64_t)device);
    else put_text(&x, F_REMARK, t, text_of(&r, 20, t));
    BENCH_CHECK(qm_write_count(x.w) == DAY_FIELDS);
    BENCH_OK(qm_write_commit(x.w, QM_RELAXED));
  }
  qm_buf_free(&x.value);
}
