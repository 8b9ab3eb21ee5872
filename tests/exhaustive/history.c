#include "tests/exhaustive/history.h"

#include <stdlib.h>
#include <string.h>

mask history_all(const history *h) { return (1u << (h->n + 1)) - 1; }

unsigned history_before(const history *h, unsigned i) {
  for (unsigned j = i; j-- > 1;)
    if (h->replica[j] == h->replica[i]) return j;
  return 0;
}

/* --- one of each class --- */

typedef struct found {
  history *p;
  size_t n, cap;
  history best; /* while a class is looked through */
} found;

static int compare(const history *a, const history *b) {
  for (unsigned i = 1; i <= a->n; i++) {
    if (a->replica[i] != b->replica[i]) return a->replica[i] < b->replica[i] ? -1 : 1;
    if (a->seen[i] != b->seen[i]) return a->seen[i] < b->seen[i] ? -1 : 1;
  }
  return 0;
}

/* The history as it reads when its changes are told in this order and its replicas are
 * called by their first change. */
static history told(const history *h, const unsigned *order) {
  history t = {.n = h->n};
  unsigned place[CHANGES_MAX], name[REPLICAS], names = 0;
  memset(name, 0xff, sizeof name);
  for (unsigned k = 0; k <= h->n; k++) place[order[k]] = k;
  for (unsigned k = 1; k <= h->n; k++) {
    unsigned i = order[k], r = h->replica[i];
    if (name[r] == (unsigned)-1) name[r] = names++;
    t.replica[k] = (unsigned char)name[r];
    for (unsigned j = 0; j <= h->n; j++)
      if (h->seen[i] >> j & 1) t.seen[k] |= 1u << place[j];
  }
  return t;
}

static void look(void *payload, const history *h, const unsigned *order) {
  found *f = payload;
  history t = told(h, order);
  if (compare(&t, &f->best) < 0) f->best = t;
}

static void keep(found *f, const history *h) {
  f->best = *h;
  history_orders(h, look, f);
  if (compare(h, &f->best) != 0) return; /* another one stands for this class */
  if (f->n == f->cap) {
    f->cap = f->cap ? f->cap * 2 : 64;
    f->p = realloc(f->p, f->cap * sizeof *f->p);
    if (!f->p) abort();
  }
  f->p[f->n++] = *h;
}

static int closed(const history *h, unsigned i, mask m) {
  for (unsigned j = 0; j < i; j++)
    if (m >> j & 1 && h->seen[j] & ~m) return 0;
  return 1;
}

static void grow(found *f, history *h, unsigned i, unsigned used) {
  if (i > h->n) {
    keep(f, h);
    return;
  }
  for (unsigned r = 0; r <= used && r < REPLICAS; r++) {
    mask own = 1;
    for (unsigned j = 1; j < i; j++)
      if (h->replica[j] == r) own |= 1u << j | h->seen[j];
    for (mask m = 1; m < 1u << i; m += 2) {
      if (own & ~m || !closed(h, i, m)) continue;
      h->replica[i] = (unsigned char)r;
      h->seen[i] = m;
      grow(f, h, i + 1, r == used ? used + 1 : used);
    }
  }
}

size_t histories(unsigned n, history **out) {
  found f = {0};
  history h = {.n = n};
  grow(&f, &h, 1, 0);
  *out = f.p;
  return f.n;
}

/* --- orders --- */

typedef struct walk {
  const history *h;
  visit_order visit;
  void *payload;
  unsigned order[CHANGES_MAX];
  unsigned long n;
} walk;

static void step(walk *w, unsigned k, mask m) {
  if (k > w->h->n) {
    w->n++;
    w->visit(w->payload, w->h, w->order);
    return;
  }
  for (unsigned i = 1; i <= w->h->n; i++) {
    if (m >> i & 1 || w->h->seen[i] & ~m) continue;
    w->order[k] = i;
    step(w, k + 1, m | 1u << i);
  }
}

unsigned long history_orders(const history *h, visit_order visit, void *payload) {
  walk w = {.h = h, .visit = visit, .payload = payload};
  step(&w, 1, 1);
  return w.n;
}
