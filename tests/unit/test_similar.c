/* (S16.14) Forms in which two people's spelling comes out equal, and how much alike names are.
 * All names, numbers and addresses are invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/similar.h"
#include "tests/unit/support_alloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static qm_slice str(const char *s) { return qm_slice_of(s, strlen(s)); }

static void phones_are(const char *text, const char *all) {
  char phones[QM_PHONES_MAX][QM_PHONE_MAX], got[128] = "";
  uint32_t n = qm_similar_phones(str(text), phones);
  size_t at = 0;
  for (uint32_t i = 0; i < n; i++)
    at += (size_t)snprintf(got + at, sizeof got - at, "%s%s", i ? "," : "", phones[i]);
  if (strcmp(got, all) != 0) fail_msg("%s: %s and not %s", text, got, all);
}

static void phones(void **state) {
  (void)state;
  static const char *const one[] = {
      "13900000001",        "139 0000 0001",     "139-0000-0001",     "+86 139 0000 0001",
      "+8613900000001",     "0086 13900000001",  "86-13900000001",    "８６１３９０００００００１",
      "（+86）13900000001", "电话：13900000001", "013900000001",      "13900000001（王小明）",
      "13900000001转2",     "13900000001#2",     "13900000001 ext 2", "139.0000.0001"};
  for (size_t i = 0; i < COUNT(one); i++) phones_are(one[i], "13900000001");
  /* a fixed line keeps its area code, with or without the country's */
  phones_are("028-00001111", "02800001111");
  phones_are("(028) 0000 1111", "02800001111");
  phones_are("+86 28 0000 1111", "02800001111");
  phones_are("0000-1111 转 12", "00001111");
  phones_are("+852 0000 1111", "85200001111");
  /* several in one field */
  phones_are("13900000001/13900000002", "13900000001,13900000002");
  phones_are("13900000001、13900000002；028-00001111", "13900000001,13900000002,02800001111");
  phones_are("139 0000 0001 139 0000 0002", "13900000001,13900000002");
  phones_are("13900000001（本人）13900000002（儿子）", "13900000001,13900000002");
  phones_are("11112,11113,11114,11115,11116", "11112,11113,11114,11115");
  /* none */
  phones_are("", "");
  phones_are("无", "");
  phones_are("110", "");
  phones_are("00000000000", "");
  phones_are("11111111111", "");
  phones_are("12345678901234567890123456789012345678901234567890", "");
  phones_are("\xff\xfe", "");
}

static void form_is(void (*form)(qm_buf *, qm_slice), const char *text, const char *expected) {
  test_alloc counts = {0, 0, 0, 0};
  qm_env env = test_alloc_env(&counts);
  qm_buf b;
  qm_buf_init(&b, &env, 65536);
  form(&b, str(text));
  assert_int_equal(qm_buf_status(&b), QM_OK);
  qm_buf_byte(&b, 0);
  if (strcmp((const char *)b.p, expected) != 0)
    fail_msg("%s: %s and not %s", text, (const char *)b.p, expected);
  qm_buf_free(&b);
}

static void texts(void **state) {
  (void)state;
  form_is(qm_similar_text, " 王 小明 ", "王小明");
  form_is(qm_similar_text, "阿依古丽·样例", "阿依古丽样例");
  form_is(qm_similar_text, "ＬＩ Xiaoming", "lixiaoming");
  form_is(qm_similar_text, "Müller-Straße", "mullerstrasse");
  form_is(qm_similar_text, "SN: 00-A7/3", "sn00a73");
  form_is(qm_similar_text, "——", "");
  form_is(qm_similar_text, "\xff", ""); /* not UTF-8: a sign, and no letter */
  char longest[QM_SIMILAR_MAX + 2];
  memset(longest, 'a', sizeof longest);
  longest[QM_SIMILAR_MAX + 1] = '\0';
  form_is(qm_similar_text, longest, "");
  longest[QM_SIMILAR_MAX] = '\0';
  form_is(qm_similar_text, longest, longest);
}

static void addresses(void **state) {
  (void)state;
  static const char *const one[] = {
      "东风路12号3栋2单元501室",   "东风路十二号三栋二单元五〇一室", "东风路12号3-2-501",
      "东风路１２号３幢２单元501", "东风路 12 号 3 号楼 2 单元 501", "东风路12号院3#楼2单元501户",
      "东风路12-3-2-501",          "东风路第十二号3栋二单元501"};
  for (size_t i = 0; i < COUNT(one); i++)
    form_is(qm_similar_address, one[i], "东风路12-3-2-501");
  form_is(qm_similar_address, "样例村三组", "样例村3组");
  form_is(qm_similar_address, "样例村第3组", "样例村3组");
  form_is(qm_similar_address, "样例村3组12号", "样例村3组12");
  form_is(qm_similar_address, "样例村二十三组", "样例村23组");
  form_is(qm_similar_address, "样例村一百零二号", "样例村102");
  form_is(qm_similar_address, "样例村十号", "样例村10");
  form_is(qm_similar_address, "三巷两号", "3巷2");
  form_is(qm_similar_address, "Lane 3, No. 12", "lane3no12");
  /* numerals that count nothing are names */
  form_is(qm_similar_address, "三元桥", "三元桥");
  form_is(qm_similar_address, "五里坡7号", "五里坡7");
  form_is(qm_similar_address, "", "");
  /* other numbers stay others */
  form_is(qm_similar_address, "东风路123号", "东风路123");
  form_is(qm_similar_address, "东风路12号3", "东风路12-3");
  form_is(qm_similar_address, "东风路1号23", "东风路1-23");
}

static unsigned alike(const char *a, const char *b) {
  unsigned there = qm_similar(str(a), str(b)), back = qm_similar(str(b), str(a));
  assert_int_equal(there, back);
  return there;
}

/* What a rule with 60 % takes for similar, and what it does not; with what is wrong in it. */
static void names(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    unsigned percent;
    const char *what;
  } table[] = {
      {"王小明", "王小明", 100, "the same"},
      /* found: slips of an input method, swaps, a character lost */
      {"王小明", "王晓明", 66, "one sound"},
      {"王小明", "王小名", 66, "one sound"},
      {"黄小明", "王小明", 66, "surname of one sound, in parts of the country"},
      {"欧阳小明", "欧阳晓明", 75, "one of four"},
      {"王小明", "王明小", 66, "swapped"},
      {"欧阳小明", "阳欧小明", 75, "swapped"},
      {"王小明", "小明", 66, "surname left out"},
      {"王小明", "王小小明", 75, "typed twice"},
      {"司马小明", "司小明", 75, "one lost"},
      {"阿依古丽样例", "阿依古莉样例", 60, "one of six"},
      {"lixiaoming", "xiaomingli", 88, "surname last"},
      {"zhangwei", "zhangwai", 71, "one letter"},
      /* found, and wrong: they are what a second condition and --dismiss are for */
      {"王建国", "王建军", 66, "brothers with a generation name"},
      {"王大明", "王小明", 66, "brothers"},
      {"李小明", "王小明", 66, "two families"},
      /* not found, and right */
      {"张伟", "张强", 50, "one surname"},
      {"张伟", "李伟", 50, "one given name"},
      {"张伟", "王芳", 0, "nothing"},
      {"王建国", "王小明", 33, "one surname"},
      {"王建国", "李爱华", 0, "nothing"},
      {"欧阳小明", "欧阳建国", 50, "one surname of two"},
      {"张伟", "张伟伟", 66, "a short form: found"},
      {"张三", "张三丰年", 50, "half of it"},
      /* not found, and wrong: of two characters one is half */
      {"张伟", "张玮", 50, "one sound, two characters"},
      {"王明", "王小明明", 50, "two lost"},
      /* nothing to compare */
      {"", "王小明", 0, "empty"},
      {"王", "王小明", 0, "one character"},
      {"abab", "baba", 66, "pairs of pairs"},
      {"abcab", "cabca", 75, "the same letters elsewhere"},
  };
  for (size_t i = 0; i < COUNT(table); i++) {
    unsigned percent = alike(table[i].a, table[i].b);
    if (percent != table[i].percent)
      fail_msg("%s, %s (%s): %u and not %u", table[i].a, table[i].b, table[i].what, percent,
               table[i].percent);
  }
}

/* Only equal texts are wholly alike. */
static void whole_is_equal(void **state) {
  (void)state;
  char a[8], b[8];
  for (unsigned i = 0; i < 81; i++) {
    for (unsigned k = 0; k < 81; k++) {
      for (unsigned x = 0, p = 1; x < 4; x++, p *= 3) {
        a[x] = (char)('a' + i / p % 3);
        b[x] = (char)('a' + k / p % 3);
      }
      a[4] = b[4] = '\0';
      unsigned percent = alike(a, b);
      assert_true(percent <= 100);
      assert_int_equal(percent == 100, i == k);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(phones),    cmocka_unit_test(texts),
                                     cmocka_unit_test(addresses), cmocka_unit_test(names),
                                     cmocka_unit_test(whole_is_equal)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
