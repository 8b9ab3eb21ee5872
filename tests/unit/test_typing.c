/* Typing (S3.15): many edits of one text in a change, as people make them. The text is that of
 * an array edited the same way; and what another replica makes of the ops, and what is read
 * back from a store, is the same to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_engine.h"

#define ok(call) assert_int_equal(call, QM_OK)
#define LONGEST 4000u
#define POINT 4u /* bytes at most */

typedef struct page {
  char p[LONGEST][POINT + 1];
  unsigned n, cursor;
} page;

static rig w;
static page pages[2];
static const qm_slice none = {NULL, 0};
static const char *const keys[] = {"a", "b", " ", "\xc3\xa9", "\xe5\x90\x8e", "\xf0\x9f\x8c\xbe"};

static void put_keys(page *g, unsigned at, unsigned cut, const char *key, unsigned n) {
  memmove(g->p[at + n], g->p[at + cut], (g->n - at - cut) * sizeof g->p[0]);
  for (unsigned i = 0; i < n; i++) memcpy(g->p[at + i], key, strlen(key) + 1);
  g->n = g->n - cut + n;
  g->cursor = at + n;
}

static void edit(qm_write *x, page *g, unsigned at, unsigned cut, const char *key, unsigned n) {
  char text[20 * POINT + 1] = "";
  qm_id r = rec("R");
  for (unsigned i = 0; i < n; i++) memcpy(text + strlen(text), key, strlen(key) + 1);
  int at_end = at == g->n && !cut && rig_below(&w, 4) == 0;
  ok(qm_write_splice(x, &r, F_NOTES, at_end ? UINT64_MAX : at, cut,
                     qm_slice_of(text, strlen(text)), none));
  put_keys(g, at, cut, key, n);
}

/* Mostly one key where the last one was; at times another place, or more at once. */
static void one_edit(qm_write *x, page *g) {
  unsigned what = rig_below(&w, 40), room = LONGEST - g->n > 20;
  const char *key = keys[rig_below(&w, 3) ? 0 : rig_below(&w, sizeof keys / sizeof keys[0])];
  if (what < 3) g->cursor = rig_below(&w, g->n + 1);
  if (what < 22 && room) {
    edit(x, g, g->cursor, 0, key, 1);
  } else if (what < 30 && g->cursor) {
    edit(x, g, g->cursor - 1, 1, "", 0); /* backspace */
  } else if (what < 36 && g->cursor < g->n) {
    edit(x, g, g->cursor, 1, "", 0);
  } else {
    unsigned cut = rig_below(&w, 8), n = room ? rig_below(&w, 20) : 0;
    edit(x, g, g->cursor, cut < g->n - g->cursor ? cut : g->n - g->cursor, key, n);
  }
}

static void same(dev *d, const page *g) {
  const char *text = shown(d, "R", F_NOTES);
  size_t at = 0;
  for (unsigned i = 0; i < g->n; i++) {
    assert_memory_equal(text + at, g->p[i], strlen(g->p[i]));
    at += strlen(g->p[i]);
  }
  assert_int_equal(text[at], 0);
  assert_int_equal(qm_sequence_len(cell_of(d, "R", F_NOTES, QM_SEQUENCE)), g->n);
}

/* What a merge made of it. */
static void read_page(dev *d, page *g) {
  const char *text = shown(d, "R", F_NOTES);
  g->n = 0;
  while (*text) {
    size_t n = 1;
    while (((unsigned char)text[n] & 0xc0) == 0x80) n++;
    memset(g->p[g->n], 0, POINT + 1);
    memcpy(g->p[g->n++], text, n);
    text += n;
  }
  if (g->cursor > g->n) g->cursor = g->n;
}

static void type_some(dev *d, page *g) {
  qm_write *x;
  w.now_ms += 1000;
  ok(qm_write_begin(&x, d->engine, d->space, 0));
  page before = *g;
  for (unsigned n = rig_below(&w, 60); n; n--) one_edit(x, g);
  if (rig_below(&w, 10) == 0) {
    qm_write_cancel(x);
    *g = before;
  } else {
    ok(qm_write_commit(x, QM_DURABLE));
  }
  if (g->n) same(d, g);
}

static void typing_is_editing(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    rig_open(&w, 3, seed);
    memset(pages, 0, sizeof pages);
    ok(put_new(&w.d[0], "R"));
    rig_settle(&w);
    for (unsigned i = 0; i < 60; i++) {
      unsigned who = rig_below(&w, 2);
      type_some(&w.d[who], &pages[who]);
      if (rig_below(&w, 5) == 0) reopen(&w.d[who]);
      if (rig_below(&w, 6)) continue;
      meet(&w.d[0], &w.d[1]);
      for (unsigned k = 0; k < 2; k++)
        if (cell_of(&w.d[k], "R", F_NOTES, QM_SEQUENCE)) read_page(&w.d[k], &pages[k]);
    }
    rig_settle(&w); /* the third hears of it as batches alone */
    rig_check_equal(&w);
    for (unsigned i = 0; i < 3; i++) check_memory(&w.d[i]);
    rig_close(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(typing_is_editing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
