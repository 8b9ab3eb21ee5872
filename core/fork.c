#include "core/fork.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- what entries say --- */

void qm__fork_text(const qm_author *to, uint64_t first, char out[QM__FORK_TEXT + 1]) {
  char *at = out;
  for (size_t i = 0; i < QM_AUTHOR_SIZE; i++) at += snprintf(at, 3, "%02x", to->b[i]);
  (void)snprintf(at, 22, ":%" PRIu64, first);
}

static int hex(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int qm__fork_text_read(qm_slice text, qm_author *to, uint64_t *first) {
  const size_t digits = 2 * QM_AUTHOR_SIZE;
  *first = 0;
  if (text.n < digits + 2 || text.n > QM__FORK_TEXT || text.p[digits] != ':')
    return QM_EMALFORMED;
  for (size_t i = 0; i < QM_AUTHOR_SIZE; i++) {
    int high = hex(text.p[2 * i]), low = hex(text.p[2 * i + 1]);
    if (high < 0 || low < 0) return QM_EMALFORMED;
    to->b[i] = (uint8_t)(high << 4 | low);
  }
  for (size_t i = digits + 1; i < text.n; i++) {
    if (text.p[i] < '0' || text.p[i] > '9' || *first > UINT64_MAX / 20) return QM_EMALFORMED;
    *first = *first * 10 + (uint64_t)(text.p[i] - '0');
  }
  return QM_OK;
}

static const qm__aside_range *named(const qm_space *s, const qm_author *author,
                                    const uint8_t *head, int last) {
  const qm__aside_range *found = NULL;
  if (!s->n_forks) return NULL;
  for (uint32_t i = 0; i < s->n_asides; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->code != QM_EFORK || qm_author_cmp(&r->author, author) != 0) continue;
    if (memcmp(r->segment.b, head, QM_HEAD_SIZE) != 0) continue;
    if (!found || last) found = r;
  }
  return found;
}

const qm__aside_range *qm__fork_named(const qm_space *s, const qm_author *author,
                                      const uint8_t *head) {
  return named(s, author, head, 1);
}

const qm__aside_range *qm__fork_first(const qm_space *s, const qm_author *author,
                                      const uint8_t *head) {
  return named(s, author, head, 0);
}

/* --- does it stand? --- */

static int is_goal(const qm_space *s, const qm_author *author) {
  for (uint32_t i = 0; i < s->n_asides; i++)
    if (s->asides[i].code == QM_EFORK && qm_author_cmp(&s->asides[i].moved, author) == 0) return 1;
  return 0;
}

int qm__fork_hub_holds(qm_space *s, const qm_id *hub, qm_vv_list vv) {
  s->hub_session = *hub;
  s->n_at_hub = 0;
  for (uint32_t i = 0; i < vv.n; i++) {
    if (!is_goal(s, &vv.p[i].author)) continue;
    qm_vv_entry *p = qm_realloc_array(s->engine->env, s->at_hub, s->n_at_hub + 1u, sizeof *p);
    if (!p) return QM_ENOMEM;
    s->at_hub = p;
    p[s->n_at_hub++] = vv.p[i];
  }
  return QM_OK;
}

/* How far the author goes here or at the hub, whichever is further. */
static uint64_t held_of(const qm_space *s, const qm_author *author) {
  uint32_t number;
  uint64_t next = 0;
  if (qm_authors_find(&s->authors, author, &number) == QM_OK) next = qm_vv_get(&s->vv, number);
  for (uint32_t i = 0; i < s->n_at_hub; i++)
    if (qm_author_cmp(&s->at_hub[i].author, author) == 0 && s->at_hub[i].next > next)
      next = s->at_hub[i].next;
  return next;
}

/* Of a copy's copy it was moved more than once: not often. */
#define MOVED_ON_MAX 16

static int stands(const qm_space *s, const qm__aside_range *part, unsigned depth) {
  uint64_t n = part->next - part->first, first = part->moved_first;
  uint64_t held = held_of(s, &part->moved);
  int on = 0;
  if (held > first && held - first >= n) return 1;
  for (uint32_t i = 0; depth < MOVED_ON_MAX && i < s->n_asides; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->code != QM_EFORK || qm_author_cmp(&r->author, &part->moved) != 0) continue;
    if (r->next <= first || (r->first > first && r->first - first >= n)) continue;
    if (!stands(s, r, depth + 1)) return 0;
    on = 1;
  }
  return on;
}

/* How far the segment stands from `at` on, by any one of the entries that name it; *end: how far
 * they name it. */
static uint64_t standing(const qm_space *s, const qm__aside_range *named, uint64_t at,
                         uint64_t *end) {
  uint64_t to = at;
  for (uint32_t i = 0; i < s->n_asides; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->code != QM_EFORK || qm_author_cmp(&r->author, &named->author) != 0) continue;
    if (memcmp(&r->segment, &named->segment, sizeof r->segment) != 0) continue;
    if (r->next > *end) *end = r->next;
    if (r->first <= at && r->next > to && stands(s, r, 0)) to = r->next;
  }
  return to;
}

int qm__fork_stands(const qm_space *s, const qm_author *author, const uint8_t *head) {
  const qm__aside_range *named = qm__fork_first(s, author, head);
  uint64_t at = named ? named->first : 0, to = at, end = 0;
  if (!named) return 0;
  do {
    at = to;
    to = standing(s, named, at, &end);
  } while (to > at);
  return to >= end;
}

/* --- suspects --- */

int qm__fork_is_suspect(const qm_space *s, const qm_author *author) {
  for (uint32_t i = 0; i < s->n_suspects; i++)
    if (qm_author_cmp(&s->suspects[i], author) == 0) return 1;
  return 0;
}

static int save_suspects(qm_space *s) {
  qm_store *store = s->engine->store;
  s->engine->whole = 1;
  return store->ops->aside_put(store, s->number, qm_slice_of("fork", 4),
                               qm_slice_of(s->suspects, s->n_suspects * sizeof *s->suspects));
}

/* What a hub said it holds of this author may be another branch. */
static int forget_acknowledged(qm_space *s, const qm_author *author) {
  const qm_env *env = s->engine->env;
  uint32_t a;
  if (qm_authors_find(&s->authors, author, &a) != QM_OK) return QM_OK;
  s->floor_moved = 1; /* a rollback reads these too */
  if (qm_vv_get(&s->acknowledged, a)) QM_TRY(qm_vv_set(env, &s->acknowledged, a, 0));
  if (qm_vv_get(&s->safe, a)) QM_TRY(qm_vv_set(env, &s->safe, a, 0));
  QM_TRY(qm__space_vv_write(s, "acknowledged", &s->acknowledged));
  return qm__space_vv_write(s, "safe", &s->safe);
}

int qm__fork_suspect(qm_space *s, const qm_author *author) {
  if (qm__fork_is_suspect(s, author)) return QM_OK;
  qm_author *p =
      qm_realloc_array(s->engine->env, s->suspects, s->n_suspects + 1u, sizeof *s->suspects);
  if (!p) return QM_ENOMEM;
  s->suspects = p;
  s->touched = 1; /* a rollback reads them again */
  s->engine->fork_news = 1;
  s->suspects[s->n_suspects++] = *author;
  QM_TRY(save_suspects(s));
  return forget_acknowledged(s, author);
}

int qm__fork_clear(qm_space *s, const qm_author *author) {
  uint32_t n = 0;
  if (!qm__fork_is_suspect(s, author)) return QM_OK;
  s->touched = 1;
  for (uint32_t i = 0; i < s->n_suspects; i++)
    if (qm_author_cmp(&s->suspects[i], author) != 0) s->suspects[n++] = s->suspects[i];
  s->n_suspects = n;
  return save_suspects(s);
}

static int load_suspects(void *payload, qm_slice key, qm_slice value) {
  qm_space *s = payload;
  (void)key;
  if (value.n % QM_AUTHOR_SIZE) return QM_ECORRUPT;
  qm_author *p = qm_realloc_array(s->engine->env, s->suspects, value.n / QM_AUTHOR_SIZE,
                                  sizeof *s->suspects);
  if (!p) return QM_ENOMEM;
  s->suspects = p;
  memcpy(p, value.p, value.n);
  s->n_suspects = (uint32_t)(value.n / QM_AUTHOR_SIZE);
  return QM_OK;
}

int qm__fork_load(qm_space *s) {
  qm_store *store = s->engine->store;
  s->n_suspects = 0;
  return store->ops->aside_scan(store, s->number, qm_slice_of("fork", 4), load_suspects, s);
}

/* --- peers --- */

qm_id qm__fork_peer_key(const qm_id *peer, uint64_t session) {
  qm_id key = *peer;
  for (int i = 0; i < 8; i++) key.b[8 + i] = (uint8_t)(key.b[8 + i] ^ (session >> (8 * i)));
  return key;
}

static int is_of(const qm__peer_fork *f, const qm_id *peer, const qm_author *author) {
  return qm_id_cmp(&f->peer, peer) == 0 && qm_author_cmp(&f->author, author) == 0;
}

static int add_peer(qm_space *s, const qm__peer_fork *fork) {
  qm__peer_fork *p =
      qm_realloc_array(s->engine->env, s->peer_forks, s->n_peer_forks + 1u, sizeof *p);
  if (!p) return QM_ENOMEM;
  s->peer_forks = p;
  s->peer_forks[s->n_peer_forks++] = *fork;
  return QM_OK;
}

int qm__fork_peer_note(qm_space *s, const qm_id *peer, const qm_author *author,
                       const qm__aside_range *range) {
  qm__peer_fork fork = {.peer = *peer, .author = *author};
  for (uint32_t i = 0; i < s->n_peer_forks; i++) {
    const qm__peer_fork *f = &s->peer_forks[i];
    if (!is_of(f, peer, author)) continue;
    if (!range || (f->kind == QM__PEER_PART && f->range.first == range->first &&
                   f->range.next == range->next &&
                   memcmp(&f->range.segment, &range->segment, sizeof range->segment) == 0))
      return QM_OK;
  }
  if (range) fork.range = *range;
  if (range) fork.kind = QM__PEER_PART;
  return add_peer(s, &fork);
}

void qm__fork_peer_common(qm_space *s, const qm_id *peer, const qm_author *author, uint64_t next) {
  for (uint32_t i = 0; i < s->n_peer_forks; i++) {
    qm__peer_fork *f = &s->peer_forks[i];
    if (is_of(f, peer, author) && f->kind == QM__PEER_OTHER && f->at < next) f->at = next;
  }
}

void qm__fork_peer_drop(qm_space *s, const qm_id *peer) {
  uint32_t n = 0;
  if (qm_id_cmp(&s->hub_session, peer) == 0) s->n_at_hub = 0;
  for (uint32_t i = 0; i < s->n_peer_forks; i++)
    if (qm_id_cmp(&s->peer_forks[i].peer, peer) != 0) s->peer_forks[n++] = s->peer_forks[i];
  s->n_peer_forks = n;
}

void qm__fork_free(qm_space *s) {
  qm_free(s->engine->env, s->peer_forks);
  qm_free(s->engine->env, s->at_hub);
  qm_free(s->engine->env, s->suspects);
}

/* Where the author's branch at the peer leaves the one here, and how far it is known. */
static int extent(const qm_space *s, const qm_id *peer, const qm_author *author, uint64_t *first,
                  uint64_t *next) {
  int met = 0;
  uint64_t common = 0;
  *first = UINT64_MAX;
  *next = 0;
  for (uint32_t i = 0; i < s->n_peer_forks; i++) {
    const qm__peer_fork *f = &s->peer_forks[i];
    if (!is_of(f, peer, author)) continue;
    met = 1;
    if (f->kind == QM__PEER_OTHER && f->at > common) common = f->at;
    if (f->kind == QM__PEER_OTHER) continue;
    if (f->range.first < *first) *first = f->range.first;
    if (f->range.next > *next) *next = f->range.next;
  }
  if (*first == UINT64_MAX || common > *first) *first = common;
  return met;
}

qm__fork_seen qm__fork_depends(const qm_space *s, const qm_id *peer, const qm_segment *g,
                               qm_dot *wait) {
  qm__fork_seen seen = QM__FORK_NOT_SEEN;
  for (uint32_t i = 0; s->n_peer_forks && i < g->n_changes; i++)
    for (uint32_t d = 0; d < g->changes[i].n_deps; d++) {
      qm_dot dep = g->changes[i].deps[d];
      uint64_t first, next;
      if (!extent(s, peer, &s->authors.ids[dep.author], &first, &next)) continue;
      if (dep.counter <= first) continue;
      *wait = dep;
      if (dep.counter > next) return QM__FORK_UNKNOWN;
      seen = QM__FORK_SEEN;
    }
  return seen;
}

/* --- a run closed twice --- */

typedef struct held {
  qm_space *s;
  qm_segment *g;
  uint32_t n;
  int differs;
} held;

static int meet_open(void *payload, const qm_open_row *row) {
  held *h = payload;
  qm_change c;
  int same = 0;
  uint8_t *copy = qm_arena_copy(&h->s->engine->arena, row->change.p, row->change.n);
  if (!copy) return QM_ENOMEM;
  int rc = qm_change_unrow(&c, qm_slice_of(copy, row->change.n), &h->s->authors,
                           &h->s->engine->arena);
  if (rc != QM_OK) return rc == QM_ENOMEM ? rc : QM_ECORRUPT;
  if (h->n < h->g->n_changes) QM_TRY(qm__chain_same(h->s, &c, &h->g->changes[h->n], &same));
  h->differs |= !same;
  h->n++;
  return QM_OK;
}

/* The own open run, of which g is a longer form. */
static int continues_open(qm_space *s, qm_segment *g, qm_hash *previous, uint32_t *n) {
  held h = {.s = s, .g = g};
  if (g->author != s->own) return QM_EFORK;
  *previous = s->states[g->author].head;
  QM_TRY(s->engine->store->ops->open_list(s->engine->store, s->number, meet_open, &h));
  if (h.differs || memcmp(previous->b, g->previous, QM_HEAD_SIZE) != 0) return QM_EFORK;
  *n = h.n;
  return QM_OK;
}

static int continues(qm_space *s, qm_segment *g, qm_hash *previous, uint32_t *n) {
  const qm_author_state *st = &s->states[g->author];
  int differs = 0, whole = st->closed == qm_vv_get(&s->vv, g->author);
  *n = 0;
  if (!whole && g->start != st->closed) return QM_EFORK;
  int rc = qm__log_resolve(s, g, &s->engine->arena);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_EFORK : rc;
  if (!whole) return continues_open(s, g, previous, n);
  rc = qm__chain_hash(s, g->author, g->start, g->previous, previous);
  if (rc == QM_OK) rc = qm__chain_compare(s, g, n, &differs);
  if (rc == QM_ENOTFOUND || rc == QM_ECUT || differs) return QM_EFORK;
  return rc;
}

/* What is held must end where the author stands here, or something would take effect twice: of
 * what this very batch brought nothing is in the log yet. */
int qm__fork_continues(qm_space *s, qm_segment *g, qm_hash *previous, uint32_t *n) {
  QM_TRY(continues(s, g, previous, n));
  uint64_t stands = qm_vv_get(&s->vv, g->author);
  return *n && g->changes[*n - 1].next == stands ? QM_OK : QM_EFORK;
}
