/* (S3.16 to S3.19) Random histories of people who merge, take apart, write, delete and sync,
 * beside a small model that shares nothing with the engine: it keeps every effect as a plain
 * fact with what it replaced, and reads a device's view out of the facts that device has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support_world.h"

#define DEVICES 3
#define RECORDS 4
#define FACTS 512
#define WORDS (FACTS / 64)

static const char *const record_names[] = {"R0", "R1", "R2", "R3"};

/* --- the model --- */

typedef enum kind { NEW, MARK, WRITE, NUMBER, ADD, REMOVE, INC, STEP, EDGE, UNEDGE, NOTE } kind;
typedef uint64_t bits[WORDS];

typedef struct fact {
  kind kind;
  int change, device, record, other; /* other: of an edge */
  int number;                        /* value, delta; of a mark: 1 deleted */
  char text;
  bits kills, keeps, hides, names; /* names: keeps of other records */
} fact;

static fact facts[FACTS];
static int n_facts, n_changes;
static bits has[DEVICES + 1]; /* facts of each device */

static int test(const bits b, int i) { return (int)(b[i / 64] >> (i % 64) & 1); }
static void set(bits b, int i) { b[i / 64] |= UINT64_C(1) << (i % 64); }
static void unite(bits to, const bits from) {
  for (int i = 0; i < WORDS; i++) to[i] |= from[i];
}

/* What a device sees at once. */
typedef struct view {
  bits live, kept;
  int class_of[RECORDS]; /* the least record connected */
  int here[RECORDS];
} view;

static int is(const view *v, int f, kind k) { return test(v->live, f) && facts[f].kind == k; }

static void look(int who, view *v) {
  bits dead = {0};
  memset(v, 0, sizeof *v);
  for (int f = 0; f < n_facts; f++)
    if (test(has[who], f)) unite(dead, facts[f].kills), unite(v->kept, facts[f].keeps);
  for (int f = 0; f < n_facts; f++)
    if (test(has[who], f) && !test(dead, f)) set(v->live, f);
  for (int r = 0; r < RECORDS; r++) v->class_of[r] = r;
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, NEW)) v->here[facts[f].record] = 1;
  for (int again = 1; again;) {
    again = 0;
    for (int f = 0; f < n_facts; f++) {
      if (!is(v, f, EDGE)) continue;
      int *a = &v->class_of[facts[f].record], *b = &v->class_of[facts[f].other];
      if (*a != *b) *a = *b = *a < *b ? *a : *b, again = 1;
    }
  }
}

static int alone_visible(const view *v, int r) {
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, MARK) && facts[f].record == r && !facts[f].number && !test(v->kept, f)) return 1;
  return 0;
}

static int alone_collides(const view *v, int r) {
  int edited = 0, deleted = 0;
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, MARK) && facts[f].record == r) *(facts[f].number ? &deleted : &edited) = 1;
  return edited && deleted;
}

static int in_class(const view *v, int a, int b) { return v->class_of[a] == v->class_of[b]; }

static int first_visible(const view *v, int r) {
  for (int m = 0; m < RECORDS; m++)
    if (in_class(v, m, r) && alone_visible(v, m)) return m;
  return -1;
}

/* Siblings of a class: hidden and kept, and which one shows. */
typedef struct sides {
  bits of, hidden, kept;
  int shown; /* -1: none */
} sides;

static void read_sides(const view *v, int r, int max, sides *s) {
  bits named = {0};
  memset(s, 0, sizeof *s);
  s->shown = -1;
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, max ? NUMBER : WRITE) && in_class(v, facts[f].record, r)) {
      set(s->of, f);
      unite(s->hidden, facts[f].hides);
      unite(named, facts[f].names);
    }
  for (int f = 0; f < n_facts; f++)
    if (test(s->of, f) && (test(v->kept, f) || test(named, f))) set(s->kept, f);
  int all_kept = 1;
  for (int f = 0; f < n_facts; f++)
    if (test(s->of, f) && !test(s->hidden, f) && !test(s->kept, f)) all_kept = 0;
  for (int f = 0; f < n_facts; f++) {
    if (!test(s->of, f) || test(s->hidden, f) || (test(s->kept, f) && !all_kept)) continue;
    /* Facts stand in the order of their times. */
    if (s->shown < 0 || !max || facts[f].number >= facts[s->shown].number) s->shown = f;
  }
}

/* --- the model's writes --- */

static int add_fact(int who, kind k, int record) {
  fact *f = &facts[n_facts];
  assert_true(n_facts < FACTS);
  memset(f, 0, sizeof *f);
  f->kind = k;
  f->device = who;
  f->record = record;
  f->change = n_changes;
  return n_facts++;
}

static void done(int who, int from) {
  for (int f = from; f < n_facts; f++) set(has[who], f);
  if (n_facts > from) n_changes++;
}

typedef enum shows { VALUES, ALL } shows;

static void mark(int who, const view *v, int r, int deleted, shows how) {
  int visible = alone_visible(v, r), n = n_facts;
  int x = add_fact(who, MARK, r);
  facts[x].number = deleted;
  for (int f = 0; f < n; f++) {
    if (!is(v, f, MARK) || facts[f].record != r) continue;
    int shown = how == ALL || !visible || (!facts[f].number && !test(v->kept, f));
    int keepable = facts[f].number != deleted;
    set(!keepable || shown ? facts[x].kills : facts[x].keeps, f);
  }
}

static void m_new(int d, int r) {
  view v;
  look(d, &v);
  if (v.here[r]) return;
  int from = n_facts;
  add_fact(d, NEW, r);
  mark(d, &v, r, 0, ALL);
  done(d, from);
}

static int same_value(int a, int b) {
  return facts[a].text == facts[b].text && facts[a].number == facts[b].number;
}

static void m_set(int d, int r, int max, char text, int number, int settle) {
  view v;
  sides s;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (t < 0) return;
  read_sides(&v, r, max, &s);
  if (!settle && s.shown >= 0 && facts[s.shown].text == text && facts[s.shown].number == number)
    return;
  int x = add_fact(d, max ? NUMBER : WRITE, t);
  facts[x].text = text;
  facts[x].number = number;
  for (int f = 0; f < from; f++) {
    if (!test(s.of, f)) continue;
    int covered = settle || test(s.hidden, f) || same_value(f, s.shown);
    if (facts[f].record == t)
      set(covered ? facts[x].kills : facts[x].keeps, f);
    else
      set(covered ? facts[x].hides : facts[x].names, f);
  }
  mark(d, &v, t, 0, settle ? ALL : VALUES);
  done(d, from);
}

/* No hub has acknowledged anything: what is shown may yet go, unless it is the own. */
static void m_raise(int d, int r, int number) {
  view v;
  sides s;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (t < 0) return;
  read_sides(&v, r, 1, &s);
  int beyond = s.shown < 0 || number > facts[s.shown].number;
  for (int f = 0; f < from && !beyond; f++)
    if (test(s.of, f) && !test(s.hidden, f) && !test(s.kept, f) && facts[f].device == d &&
        facts[f].number == number)
      return;
  int x = add_fact(d, NUMBER, t);
  facts[x].number = number;
  for (int f = 0; f < from && beyond; f++) {
    if (!test(s.of, f)) continue;
    if (facts[f].record != t)
      /* Hidden is hidden, whoever else kept it. */
      set(test(s.kept, f) && !test(s.hidden, f) ? facts[x].names : facts[x].hides, f);
    else if (!test(s.kept, f) && !test(s.hidden, f))
      set(facts[x].kills, f);
  }
  mark(d, &v, t, 0, VALUES);
  done(d, from);
}

static void m_delete(int d, int r) {
  view v;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (t < 0) return;
  for (int m = 0; m < RECORDS; m++)
    if (v.here[m] && in_class(&v, m, r) && (alone_visible(&v, m) || alone_collides(&v, m)))
      mark(d, &v, m, 1, VALUES);
  done(d, from);
}

static void m_restore(int d, int r) {
  view v;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (!v.here[r]) return;
  for (int m = 0; m < RECORDS; m++)
    if (v.here[m] && in_class(&v, m, r) && (t < 0 ? m == v.class_of[r] : alone_collides(&v, m)))
      mark(d, &v, m, 0, ALL);
  done(d, from);
}

static void m_add(int d, int r, char text) {
  view v;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (t < 0) return;
  for (int f = 0; f < from; f++)
    if (is(&v, f, ADD) && in_class(&v, facts[f].record, r) && facts[f].text == text) return;
  facts[add_fact(d, ADD, t)].text = text;
  mark(d, &v, t, 0, VALUES);
  done(d, from);
}

static void m_remove(int d, int r, char text) {
  view v;
  look(d, &v);
  int from = n_facts;
  if (first_visible(&v, r) < 0) return;
  for (int m = 0; m < RECORDS; m++) {
    int x = -1;
    for (int f = 0; f < from; f++) {
      if (!is(&v, f, ADD) || facts[f].record != m || !in_class(&v, m, r) || facts[f].text != text)
        continue;
      if (x < 0) x = add_fact(d, REMOVE, m);
      set(facts[x].kills, f);
    }
    if (x >= 0) mark(d, &v, m, 0, VALUES);
  }
  done(d, from);
}

static void m_plain(int d, int r, kind k, int number, char text) {
  view v;
  look(d, &v);
  int t = first_visible(&v, r), from = n_facts;
  if (t < 0) return;
  int x = add_fact(d, k, t);
  facts[x].number = number;
  facts[x].text = text;
  mark(d, &v, t, 0, VALUES);
  done(d, from);
}

static void drop_notes(int d, const view *v, int r) {
  int x = -1, n = n_facts;
  for (int f = 0; f < n; f++) {
    if (!is(v, f, NOTE) || facts[f].record != r) continue;
    if (x < 0) x = add_fact(d, UNEDGE, r);
    set(facts[x].kills, f);
  }
}

static void edge(int d, int a, int b) {
  int x = add_fact(d, EDGE, a < b ? a : b);
  facts[x].other = a < b ? b : a;
}

static void m_merge(int d, int a, int b) {
  view v;
  look(d, &v);
  int from = n_facts;
  if (a == b || !v.here[a] || !v.here[b]) return;
  if (first_visible(&v, a) < 0 || first_visible(&v, b) < 0) return;
  drop_notes(d, &v, a);
  drop_notes(d, &v, b);
  if (!in_class(&v, a, b)) edge(d, a, b);
  done(d, from);
}

static void m_unmerge(int d, int r) {
  view v, now;
  int neighbour[RECORDS] = {0}, first = -1, x = -1;
  look(d, &v);
  int from = n_facts;
  for (int f = 0; f < from; f++) {
    if (!is(&v, f, EDGE) || (facts[f].record != r && facts[f].other != r)) continue;
    neighbour[facts[f].record == r ? facts[f].other : facts[f].record] = 1;
    if (x < 0) x = add_fact(d, UNEDGE, r);
    set(facts[x].kills, f);
  }
  if (x < 0) return;
  drop_notes(d, &v, r);
  add_fact(d, NOTE, r);
  for (int m = 0; m < RECORDS; m++) {
    if (!neighbour[m]) continue;
    if (first < 0) first = m;
    for (int f = from; f < n_facts; f++) set(has[d], f);
    look(d, &now);
    if (!in_class(&now, first, m)) edge(d, first, m);
  }
  done(d, from);
}

/* --- the model's reading, as text --- */

#define TEXT_MAX (FACTS * 4)

static int put_text_at(char *to, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(to, 16, format, args); /* every piece is short */
  va_end(args);
  assert_true(n >= 0 && n < 16);
  return n;
}

static char *nothing(char *to) {
  to[0] = '-';
  to[1] = 0;
  return to;
}

static const char *m_members(const view *v, int r, char *to) {
  char *at = to;
  *to = 0;
  for (int m = 0; m < RECORDS; m++)
    if (v->here[m] && in_class(v, m, r))
      at += put_text_at(at, "%s%s", at > to ? "," : "", record_names[m]);
  return to;
}

static const char *m_unmerged(const view *v, int r, char *to) {
  char *at = to;
  *to = 0;
  for (int m = 0; m < RECORDS; m++) {
    int noted = 0, joined = 0;
    for (int f = 0; f < n_facts; f++) {
      noted |= is(v, f, NOTE) && facts[f].record == m;
      joined |= is(v, f, EDGE) && (facts[f].record == m || facts[f].other == m);
    }
    if (v->here[m] && in_class(v, m, r) && noted && joined)
      at += put_text_at(at, "%s%s", at > to ? "," : "", record_names[m]);
  }
  return to;
}

static const char *m_shown(const view *v, int r, int max, char *to) {
  sides s;
  read_sides(v, r, max, &s);
  if (s.shown < 0)
    nothing(to);
  else if (max)
    put_text_at(to, "%d", facts[s.shown].number);
  else
    put_text_at(to, "%c", facts[s.shown].text);
  return to;
}

static const char *m_listed(const view *v, int r, int max, char *to) {
  sides s;
  char *at = to;
  *to = 0;
  read_sides(v, r, max, &s);
  for (int f = n_facts; f-- > 0;) {
    if (!test(s.of, f) || test(s.hidden, f) || same_value(f, s.shown)) continue;
    char c = test(s.kept, f) ? 'u' : facts[f].record != facts[s.shown].record ? 'm' : 's';
    if (at > to) *at++ = ',';
    at += max ? put_text_at(at, "%d/%c", facts[f].number, c)
              : put_text_at(at, "%c/%c", facts[f].text, c);
  }
  return to;
}

static const char *m_tags(const view *v, int r, char *to) {
  char *at = to;
  *to = 0;
  for (char c = 'a'; c <= 'z'; c++)
    for (int f = 0; f < n_facts; f++)
      if (is(v, f, ADD) && in_class(v, facts[f].record, r) && facts[f].text == c) {
        at += put_text_at(at, "%s%c", at > to ? "," : "", c);
        break;
      }
  return *to ? to : nothing(to);
}

static const char *m_visits(const view *v, int r, char *to) {
  int any = 0, sum = 0;
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, INC) && in_class(v, facts[f].record, r)) any = 1, sum += facts[f].number;
  put_text_at(to, "%d", sum);
  return any ? to : nothing(to);
}

static const char *m_steps(const view *v, int r, char *to) {
  char *at = to;
  *to = 0;
  for (int f = 0; f < n_facts; f++)
    if (is(v, f, STEP) && in_class(v, facts[f].record, r))
      at += put_text_at(at, "%s%c", at > to ? "|" : "", facts[f].text);
  return *to ? to : nothing(to);
}

/* --- engine beside model --- */

static world w;

#define same(a, b) assert_string_equal(a, b)

static void compare(int d) {
  char to[TEXT_MAX];
  view v;
  device *e = &w.d[d];
  look(d, &v);
  for (int r = 0; r < RECORDS; r++) {
    const char *name = record_names[r];
    if (!v.here[r]) {
      same(members(e, name), "-");
      continue;
    }
    same(members(e, name), m_members(&v, r, to));
    same(unmerged(e, name), m_unmerged(&v, r, to));
    assert_int_equal(visible(e, name), first_visible(&v, r) >= 0);
    assert_int_equal(collides(e, name), alone_collides(&v, r));
    same(shown(e, name, F_TEL), m_shown(&v, r, 0, to));
    same(listed(e, name, F_TEL), m_listed(&v, r, 0, to));
    same(shown(e, name, F_LAST), m_shown(&v, r, 1, to));
    same(listed(e, name, F_LAST), m_listed(&v, r, 1, to));
    same(shown(e, name, F_TAGS), m_tags(&v, r, to));
    same(shown(e, name, F_VISITS), m_visits(&v, r, to));
    same(shown(e, name, F_STEPS), m_steps(&v, r, to));
  }
}

/* What the rules refuse is refused in the model too, without a word. */
static void allow(int rc) {
  if (rc != QM_OK && rc != QM_ENOTFOUND && rc != QM_EINVISIBLE && rc != QM_EEXIST &&
      rc != QM_EINVAL)
    fail_msg("unexpected %s", qm_err_name(rc));
}

static void step(int d) {
  device *e = &w.d[d];
  int r = (int)world_below(&w, RECORDS), q = (int)world_below(&w, RECORDS);
  const char *name = record_names[r];
  char text[2] = {(char)('a' + world_below(&w, 4)), 0};
  int number = (int)world_below(&w, 6);
  switch (world_below(&w, 20)) {
    case 0:
    case 1: allow(put_new(e, name)), m_new(d, r); break;
    case 2: allow(put_erase(e, name)), m_delete(d, r); break;
    case 3: allow(put_restore(e, name)), m_restore(d, r); break;
    case 4:
    case 5:
    case 6: allow(put(e, name, F_TEL, text)), m_set(d, r, 0, *text, 0, 0); break;
    case 7:
      allow(put_with(e, name, F_TEL, text, (qm_slice){NULL, 0}, QM_WRITE_SETTLE));
      m_set(d, r, 0, *text, 0, 1);
      break;
    case 8:
      if (world_below(&w, 2)) {
        allow(put_number(e, name, F_LAST, number)), m_set(d, r, 1, 0, number, 0);
        break;
      } /* fall through */
    case 9: allow(put_raise(e, name, F_LAST, number)), m_raise(d, r, number); break;
    case 10:
    case 11: allow(put_add(e, name, text)), m_add(d, r, *text); break;
    case 12: allow(put_remove(e, name, text)), m_remove(d, r, *text); break;
    case 13: allow(put_inc(e, name, number)), m_plain(d, r, INC, number, 0); break;
    case 14: allow(put_step(e, name, text)), m_plain(d, r, STEP, 0, *text); break;
    case 15:
    case 16:
      allow(put_unmerge(e, name));
      m_unmerge(d, r);
      break;
    default:
      if (q == r) break;
      allow(put_merge(e, name, record_names[q]));
      m_merge(d, r, q);
  }
}

static void m_pull(int to, int from) {
  pull(&w.d[to], &w.d[from]);
  unite(has[to], has[from]);
}

static void start(uint64_t seed) {
  world_open(&w, DEVICES + 1, seed);
  w.n = DEVICES;
  n_facts = n_changes = 0;
  memset(has, 0, sizeof has);
  for (int r = 0; r < 3; r++) {
    assert_int_equal(put_new(&w.d[0], record_names[r]), QM_OK);
    m_new(0, r);
  }
  for (int d = 1; d < DEVICES; d++) m_pull(d, 0);
}

static void settle(void) {
  for (int round = 0; round < 2; round++)
    for (int d = 0; d < DEVICES; d++)
      for (int f = 0; f < DEVICES; f++)
        if (d != f) m_pull(d, f);
  world_check_equal(&w);
}

/* After everybody has what the others have, somebody takes all apart again: every record
 * shows exactly what was written to it. */
static void take_all_apart(void) {
  for (int r = 0; r < RECORDS; r++) {
    allow(put_unmerge(&w.d[0], record_names[r]));
    m_unmerge(0, r);
  }
  compare(0);
  for (int r = 0; r < RECORDS; r++) {
    const char *name = record_names[r];
    same(shown(&w.d[0], name, F_TEL), shown_alone(&w.d[0], name, F_TEL));
    same(listed(&w.d[0], name, F_TEL), listed_alone(&w.d[0], name, F_TEL));
    same(shown(&w.d[0], name, F_TAGS), shown_alone(&w.d[0], name, F_TAGS));
  }
}

static void history(uint64_t seed, unsigned steps) {
  start(seed);
  for (unsigned i = 0; i < steps; i++) {
    int d = (int)world_below(&w, DEVICES);
    if (world_below(&w, 4) == 0)
      m_pull(d, (d + 1 + (int)world_below(&w, DEVICES - 1)) % DEVICES);
    else
      step(d);
    compare(d);
    if (world_below(&w, 40) == 0) reopen(&w.d[d]);
  }
  settle();
  for (int d = 0; d < DEVICES; d++) compare(d);
  take_all_apart();
  settle();
  /* A state says what the log says. */
  assert_true(join(&w.d[DEVICES], &w.d[1]));
  unite(has[DEVICES], has[1]);
  compare(DEVICES);
  w.n = DEVICES + 1;
  world_check_equal(&w);
  world_close(&w);
}

static void classes_beside_a_model(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 300; seed++) history(seed, 60);
}

static void long_histories(void **state) {
  (void)state;
  for (uint64_t seed = 1000; seed < 1008; seed++) history(seed, 180);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(classes_beside_a_model),
                                     cmocka_unit_test(long_histories)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
