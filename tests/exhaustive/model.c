#include "tests/exhaustive/model.h"

#include <stdio.h>
#include <string.h>

/* --- values that stand --- */

static unsigned bit(unsigned i) { return 1u << i; }

/* (S3.3, S3.4) An op's value stands until one removes it. */
static unsigned standing(const model *m, mask have) {
  unsigned on = 0, off = 0;
  for (unsigned i = 0; i < m->n; i++) {
    if (!(have >> m->e[i].change & 1)) continue;
    if (m->e[i].stands) on |= bit(i);
    off |= m->e[i].removes;
  }
  return on & ~off;
}

static unsigned kept(const model *m, mask have) {
  unsigned k = 0;
  for (unsigned i = 0; i < m->n; i++)
    if (have >> m->e[i].change & 1) k |= m->e[i].keeps;
  return k & standing(m, have);
}

/* Time stamp, author, counter: is a after b? */
static int later(const model *m, unsigned a, unsigned b) {
  const entry *x = &m->e[a], *y = &m->e[b];
  uint64_t tx = m->s->time[x->change], ty = m->s->time[y->change];
  unsigned rx = m->s->rank[m->s->h->replica[x->change]];
  unsigned ry = m->s->rank[m->s->h->replica[y->change]];
  if (tx != ty) return tx > ty;
  return rx != ry ? rx > ry : a > b; /* an author's ops rise */
}

static int beats(const model *m, unsigned a, unsigned b) {
  int64_t x = m->e[a].value, y = m->e[b].value;
  if (m->type == MAX && x != y) return x > y;
  if (m->type == MIN && x != y) return x < y;
  if (m->type == STATE && item_rank[x] != item_rank[y]) return item_rank[x] > item_rank[y];
  return later(m, a, b);
}

/* (S3.9) The one shown; -1: nothing. */
static int shown(const model *m, mask have) {
  unsigned all = standing(m, have), in = all & ~kept(m, have);
  int best = -1;
  if (!in) in = all;
  for (unsigned i = 0; i < m->n; i++)
    if (in & bit(i) && (best < 0 || beats(m, i, (unsigned)best))) best = (int)i;
  return best;
}

static unsigned equal_to(const model *m, mask have, int64_t value) {
  unsigned all = standing(m, have), out = 0;
  for (unsigned i = 0; i < m->n; i++)
    if (all & bit(i) && m->e[i].value == value) out |= bit(i);
  return out;
}

/* (S3.10) The dots that a reading of values covers. */
static unsigned values_read(const model *m, mask have) {
  int s = shown(m, have);
  if (m->type == SET) return standing(m, have);
  return s < 0 ? 0 : equal_to(m, have, m->e[s].value);
}

/* --- presence --- */

static mask marks(const model *m, mask have) {
  mask on = 0, off = 0;
  for (unsigned i = 0; i < CHANGES_MAX; i++) {
    if (!(have >> i & 1) || !m->m[i].there) continue;
    on |= bit(i);
    off |= m->m[i].removes;
  }
  return on & ~off;
}

static mask marks_kept(const model *m, mask have) {
  mask k = 0;
  for (unsigned i = 0; i < CHANGES_MAX; i++)
    if (have >> i & 1 && m->m[i].there) k |= m->m[i].keeps;
  return k & marks(m, have);
}

static mask deletions(const model *m) {
  mask d = 0;
  for (unsigned i = 0; i < CHANGES_MAX; i++)
    if (m->m[i].there && m->m[i].deleted) d |= bit(i);
  return d;
}

static int visible(const model *m, mask have) {
  return (marks(m, have) & ~marks_kept(m, have) & ~deletions(m)) != 0;
}

static int collides(const model *m, mask have) {
  mask all = marks(m, have), d = deletions(m);
  return (all & d) && (all & ~d);
}

static mask marks_read(const model *m, mask have, int review) {
  mask all = marks(m, have);
  return review || !visible(m, have) ? all : all & ~marks_kept(m, have) & ~deletions(m);
}

/* --- text --- */

/* As siblings stand: the greatest dot (author, counter) first. */
static int before(const model *m, int a, int b) {
  unsigned ra = m->s->rank[m->s->h->replica[m->l[a].change]];
  unsigned rb = m->s->rank[m->s->h->replica[m->l[b].change]];
  return ra != rb ? ra > rb : a > b;
}

static void children(const model *m, mask have, int parent, int left, int *to, unsigned *n);

/* In-order walk; shows what is not cut. */
static void walk_from(const model *m, mask have, int at, int *to, unsigned *n) {
  children(m, have, at, 1, to, n);
  if (!(m->l[at].cut & have)) to[(*n)++] = at;
  children(m, have, at, 0, to, n);
}

static void children(const model *m, mask have, int parent, int left, int *to, unsigned *n) {
  int last = -1;
  for (;;) {
    int next = -1;
    for (int i = 0; i < (int)m->letters; i++)
      if (have >> m->l[i].change & 1 && m->l[i].parent == parent && m->l[i].left == left &&
          (last < 0 || before(m, last, i)) && (next < 0 || before(m, i, next)))
        next = i;
    if (next < 0) return;
    walk_from(m, have, next, to, n);
    last = next;
  }
}

static unsigned letters_shown(const model *m, mask have, int *to) {
  unsigned n = 0;
  children(m, have, -1, 0, to, &n);
  return n;
}

static int in_right_subtree(const model *m, int x, int of) {
  if (of < 0) return 1;
  for (; x >= 0; x = m->l[x].parent)
    if (m->l[x].parent == of) return !m->l[x].left;
  return 0;
}

/* (S3.15) */
static void put_letters(model *m, mask have, unsigned change, unsigned at, const char *text) {
  int v[LETTERS_MAX];
  unsigned n = letters_shown(m, have, v);
  int l = at ? v[at - 1] : -1, r = at < n ? v[at] : -1;
  letter x = {.change = change, .parent = l};
  if (r >= 0 && in_right_subtree(m, r, l)) x.parent = r, x.left = 1;
  for (; *text; text++) {
    x.c = *text;
    m->l[m->letters++] = x;
    x.parent = (int)m->letters - 1;
    x.left = 0;
  }
}

/* --- one verb --- */

typedef struct turn {
  model *m;
  unsigned change;
  mask now;   /* what the writer has, with what it wrote in this change */
  mask stale; /* what it had when it opened its form */
  int has_token;
  mask marks_token;
  int wrote, decided; /* ops so far; the last one deletes: 1, creates or restores: 2 */
  int touched;
} turn;

static entry *put(turn *t, act a, int64_t value, int stands, unsigned removes, unsigned keeps) {
  entry *e = &t->m->e[t->m->n++];
  *e = (entry){.change = t->change,
               .act = a,
               .value = value,
               .stands = stands,
               .removes = removes,
               .keeps = keeps};
  t->wrote++;
  t->decided = a == DO_DELETE ? 1 : a == DO_NEW || a == DO_RESTORE ? 2 : 0;
  return e;
}

static unsigned own(const turn *t) {
  unsigned o = 0;
  for (unsigned i = 0; i < t->m->n; i++)
    if (t->m->e[i].change == t->change) o |= bit(i);
  return o;
}

static answer do_set(turn *t, const verb *v) {
  model *m = t->m;
  int s = shown(m, t->now), equal = s >= 0 && m->e[s].value == v->value;
  unsigned read = v->form == FORM_REVIEW   ? standing(m, t->stale)
                  : v->form == FORM_VALUES ? values_read(m, t->stale)
                  : v->settle              ? standing(m, t->now)
                                           : values_read(m, t->now);
  if (v->settle && v->form == FORM_NONE) {
    t->has_token = 1;
    t->marks_token = marks_read(m, t->now, 1);
  }
  if (equal && !v->settle) return DONE;
  if (m->type == STATE && s >= 0 && !equal && !item_step[m->e[s].value][v->value]) return REFUSED;
  unsigned all = standing(m, t->now), removes = all & (read | own(t));
  put(t, DO_SET, v->value, 1, removes, all & ~removes);
  return DONE;
}

/* (S3.3) A raise that is not beyond what is shown is held back by what a hub holds, and by
 * the same value from the same author. */
static answer do_raise(turn *t, const verb *v) {
  model *m = t->m;
  int s = shown(m, t->now), sign = m->type == MIN ? -1 : 1;
  unsigned in = standing(m, t->now) & ~kept(m, t->now);
  int beyond = s < 0 || sign * v->value > sign * m->e[s].value;
  for (unsigned i = 0; i < m->n && !beyond; i++) {
    if (!(in & bit(i)) || sign * m->e[i].value < sign * v->value) continue;
    int own_value = m->e[i].value == v->value &&
                    m->s->h->replica[m->e[i].change] == m->s->h->replica[t->change];
    if (m->s->acknowledged || own_value) return DONE;
  }
  put(t, DO_RAISE, v->value, 1, beyond ? in : 0, 0);
  return DONE;
}

static answer do_element(turn *t, const verb *v) {
  model *m = t->m;
  unsigned held = equal_to(m, t->now, v->value);
  if (v->act == DO_ADD) {
    if (!held || v->again) put(t, DO_ADD, v->value, 1, held, 0);
    return DONE;
  }
  held &= standing(m, v->form == FORM_NONE ? t->now : t->stale) | own(t);
  if (held) put(t, DO_REMOVE, v->value, 0, held, 0);
  return DONE;
}

static __int128 sum(const model *m, mask have) {
  __int128 total = 0;
  for (unsigned i = 0; i < m->n; i++)
    if (have >> m->e[i].change & 1 && m->e[i].act == DO_INC) total += m->e[i].value;
  return total;
}

static int in_range(__int128 v) { return v >= INT64_MIN && v <= INT64_MAX; }

static answer do_inc(turn *t, const verb *v) {
  __int128 s = sum(t->m, t->now);
  if (!in_range(s) || !in_range(s + v->value)) return REFUSED;
  put(t, DO_INC, v->value, 0, 0, 0);
  return DONE;
}

static answer do_append(turn *t, const verb *v) {
  model *m = t->m;
  uint64_t order = m->s->time[t->change];
  for (unsigned i = 0; i < m->n; i++)
    if (t->now >> m->e[i].change & 1 && m->e[i].act == DO_APPEND && m->e[i].order >= order)
      order = m->e[i].order + 1;
  put(t, DO_APPEND, v->value, 1, 0, 0)->order = order;
  return DONE;
}

static answer do_splice(turn *t, const verb *v) {
  model *m = t->m;
  int a[LETTERS_MAX], b[LETTERS_MAX];
  unsigned n = letters_shown(m, t->now, a), at = v->at == AT_END ? n : v->at;
  if (v->form != FORM_NONE) {
    unsigned k = letters_shown(m, t->stale, b);
    if (k != n || memcmp(a, b, n * sizeof *a) != 0) return STALE;
  }
  if (at > n || v->cut > n - at) return BEYOND;
  for (unsigned i = 0; i < v->cut; i++) m->l[a[at + i]].cut |= bit(t->change);
  if (v->cut) put(t, DO_SPLICE, 0, 0, 0, 0);
  if (!*v->text) return DONE;
  put_letters(m, t->now, t->change, at, v->text);
  put(t, DO_SPLICE, 0, 0, 0, 0);
  return DONE;
}

static answer do_verb(turn *t, const verb *v) {
  model *m = t->m;
  if (v->act == DO_NEW) {
    if (m->created & t->now) return KNOWN;
    m->created |= bit(t->change);
    put(t, DO_NEW, 0, 0, 0, 0);
    return DONE;
  }
  if (!(m->created & t->now)) return ABSENT;
  if (v->act == DO_RESTORE) {
    if (!visible(m, t->now) || collides(m, t->now)) put(t, DO_RESTORE, 0, 0, 0, 0);
    return DONE;
  }
  if (!visible(m, t->now) && !t->wrote) return INVISIBLE;
  if (v->form != FORM_NONE) {
    t->has_token = 1;
    t->marks_token = marks_read(m, t->stale, v->form == FORM_REVIEW);
  }
  switch (v->act) {
    case DO_SET: return do_set(t, v);
    case DO_RAISE: return do_raise(t, v);
    case DO_ADD:
    case DO_REMOVE: return do_element(t, v);
    case DO_INC: return do_inc(t, v);
    case DO_APPEND: return do_append(t, v);
    case DO_SPLICE: return do_splice(t, v);
    default: put(t, DO_DELETE, 0, 0, 0, 0); return DONE;
  }
}

/* (S3.7) One mark a change, by its last op: an edit keeps the deletions its reading did
 * not show, a delete the edits; all else goes. */
static void do_mark(turn *t, mask seen) {
  model *m = t->m;
  if (!t->wrote) return;
  mask all = marks(m, seen), d = deletions(m), keepable = t->decided == 1 ? ~d : d;
  mask read = t->has_token ? t->marks_token : marks_read(m, seen, 0);
  mask keeps = t->decided == 2 ? 0 : all & keepable & ~read;
  m->m[t->change] = (mark){1, t->decided == 1, all & ~keeps, keeps};
}

void model_play(model *m, const setting *s, type type_of, const unsigned char *moves) {
  memset(m, 0, sizeof *m);
  m->s = s;
  m->type = type_of;
  if (type_of != CREATION) {
    turn t = {.m = m, .now = 1};
    verb create = {.act = DO_NEW};
    (void)do_verb(&t, &create);
    if (type_of == TEXT || type_of == LIST) {
      put_letters(m, 1, 0, 0, base_text);
      put(&t, DO_SPLICE, 0, 0, 0, 0);
    }
    do_mark(&t, 0);
  }
  for (unsigned i = 1; i <= s->h->n; i++) {
    unsigned b = history_before(s->h, i);
    mask had = b ? s->h->seen[b] | bit(b) : 1;
    turn t = {.m = m, .change = i, .now = s->h->seen[i] | bit(i), .stale = had};
    verb v[VERBS_MAX];
    unsigned n = move_verbs(type_of, moves[i], i, v);
    for (unsigned k = 0; k < n; k++) {
      unsigned wrote = (unsigned)t.wrote;
      m->answers[i][k] = do_verb(&t, &v[k]);
      m->wrote[i][k] = (unsigned)t.wrote - wrote;
    }
    do_mark(&t, s->h->seen[i]);
  }
}

/* --- reading --- */

static int reaches(int64_t from, int64_t to) {
  int64_t at[ITEMS] = {from}, n = 1;
  for (int64_t i = 0; i < n; i++) {
    if (at[i] == to) return 1;
    for (int64_t k = 0; k < ITEMS; k++)
      if (item_step[at[i]][k] && n < ITEMS) at[n++] = k;
  }
  return 0;
}

static char class_of(const model *m, unsigned i, int best, unsigned keeps) {
  if (keeps & bit(i)) return 'u';
  int64_t a = m->e[i].value, b = m->e[best].value;
  return m->type == STATE && !reaches(a, b) && !reaches(b, a) ? 'c' : 's';
}

/* Room for a number is at p. */
static char *put_number(char *p, int64_t v) {
  return p + snprintf(p, NUMBER_MAX, "%lld", (long long)v);
}

static void read_siblings(const model *m, mask have, char *p) {
  unsigned all = standing(m, have), keeps = kept(m, have);
  int best = shown(m, have);
  if (best < 0) return;
  p = put_number(p, m->e[best].value);
  for (unsigned i = 0; i < m->n; i++)
    if (all & bit(i) && m->e[i].value == m->e[best].value) all &= ~bit(i);
  while (all) {
    int next = -1;
    for (unsigned i = 0; i < m->n; i++)
      if (all & bit(i) && (next < 0 || later(m, i, (unsigned)next))) next = (int)i;
    *p++ = ' ';
    *p++ = class_of(m, (unsigned)next, best, keeps);
    p = put_number(p, m->e[next].value);
    all &= ~bit((unsigned)next);
  }
  *p = 0;
}

static void read_set(const model *m, mask have, char *p) {
  for (int64_t v = 1; v <= 2; v++)
    if (equal_to(m, have, v)) *p++ = ',', p = put_number(p, v);
  *p = 0;
}

static int order_before(const model *m, unsigned a, unsigned b) {
  const entry *x = &m->e[a], *y = &m->e[b];
  unsigned rx = m->s->rank[m->s->h->replica[x->change]];
  unsigned ry = m->s->rank[m->s->h->replica[y->change]];
  if (x->order != y->order) return x->order < y->order;
  return rx != ry ? rx < ry : a < b;
}

static void read_log(const model *m, mask have, char *p) {
  unsigned all = standing(m, have);
  while (all) {
    int next = -1;
    for (unsigned i = 0; i < m->n; i++)
      if (all & bit(i) && (next < 0 || order_before(m, i, (unsigned)next))) next = (int)i;
    *p++ = '|';
    p = put_number(p, m->e[next].value);
    all &= ~bit((unsigned)next);
  }
  *p = 0;
}

void model_read(const model *m, mask have, char out[READING_MAX]) {
  int v[LETTERS_MAX];
  unsigned created = 0;
  for (unsigned i = 0; i < CHANGES_MAX; i++) created += (m->created & have) >> i & 1;
  out[0] = 0;
  if (!created) return;
  char *p = out;
  *p++ = visible(m, have) ? 'v' : 'h';
  if (collides(m, have)) *p++ = '!';
  *p++ = (char)('0' + created);
  *p++ = ' ';
  *p = 0;
  if (m->type == SET)
    read_set(m, have, p);
  else if (m->type == COUNTER && !in_range(sum(m, have)))
    memcpy(p, "range", 6);
  else if (m->type == COUNTER)
    put_number(p, (int64_t)sum(m, have));
  else if (m->type == LOG)
    read_log(m, have, p);
  else if (m->type == TEXT || m->type == LIST) {
    unsigned n = letters_shown(m, have, v);
    for (unsigned i = 0; i < n; i++) *p++ = m->l[v[i]].c;
    *p = 0;
  } else
    read_siblings(m, have, p);
}
