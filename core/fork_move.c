/* The home hub's part: a segment of a branch that does not stand, or written upon one, becomes
 * what it is reissued as. That is a function of the segment and of what the hub holds, so
 * nothing is reissued twice, whoever brings it, however often (SPEC S21.4). */
#include <string.h>

#include "core/fork.h"
#include "core/salt.h"

typedef struct moving {
  qm_space *s;
  qm__branch *b;
  qm_segment *g;    /* as it is by now */
  uint32_t skip;    /* so many of its first changes are held as they are */
  uint32_t to;      /* the author that it moves to */
  uint64_t start;   /* and the counter */
  qm_hash previous; /* before it */
  qm_vv context;    /* before its first change that moves */
  qm_vv clock;      /* of `to` at start */
  qm_move *moves;
  uint32_t n_moves;
} moving;

/* --- moves --- */

static int add_move(moving *m, const qm_author *from, uint64_t first, uint64_t next,
                    const qm_author *to, uint64_t to_first) {
  qm_move *p = qm_arena_grow(&m->s->engine->arena, m->moves, m->n_moves, m->n_moves + 1u,
                             sizeof *p);
  if (!p) return QM_ENOMEM;
  m->moves = p;
  p += m->n_moves++;
  *p = (qm_move){.first = first, .next = next, .to_first = to_first, .fork = 1};
  QM_TRY(qm_authors_find(&m->s->authors, from, &p->from));
  return qm_authors_find(&m->s->authors, to, &p->to);
}

/* Of all branches that this peer holds, as far as they were moved. */
static int peers_moves(moving *m) {
  const qm_space *s = m->s;
  for (uint32_t i = 0; i < s->n_peer_forks; i++) {
    const qm__peer_fork *f = &s->peer_forks[i];
    const qm__aside_range *r = &f->range;
    uint32_t number;
    if (f->kind != QM__PEER_PART || qm_id_cmp(&f->peer, m->b->peer) != 0) continue;
    if (qm_authors_find(&s->authors, &r->author, &number) != QM_OK ||
        qm_authors_find(&s->authors, &r->moved, &number) != QM_OK)
      continue; /* noted in a transaction that was rolled back */
    QM_TRY(add_move(m, &r->author, r->first, r->next, &r->moved, r->moved_first));
  }
  return QM_OK;
}

/* A record that such a branch created is told by the dot that the creation moved to. */
static int resolve(moving *m) {
  for (uint32_t i = 0; i < m->g->n_changes; i++)
    for (uint32_t o = 0; o < m->g->changes[i].n_ops; o++) {
      qm_op *op = &m->g->changes[i].ops[o];
      for (uint32_t k = 0; op->named == QM_BY_CREATION && k < m->n_moves; k++) {
        const qm_move *v = &m->moves[k];
        if (v->from != op->created.author || op->created.counter < v->first ||
            op->created.counter >= v->next)
          continue;
        op->created = (qm_dot){v->to_first + (op->created.counter - v->first), v->to};
        break;
      }
    }
  int rc = qm__log_resolve(m->s, m->g, &m->s->engine->arena);
  return rc == QM_ENOTFOUND ? QM_EFORK : rc;
}

/* --- what it stands on --- */

/* The last part of the segment before g, as this peer was found to hold it: another that begins
 * as it does may have gone elsewhere. */
static const qm__aside_range *part_before(const moving *m) {
  const qm_segment *g = m->g;
  const qm_author *author = &m->s->authors.ids[g->author];
  for (uint32_t i = 0; i < m->s->n_peer_forks; i++) {
    const qm__peer_fork *f = &m->s->peer_forks[i];
    if (f->kind != QM__PEER_PART || qm_id_cmp(&f->peer, m->b->peer) != 0) continue;
    if (f->range.next != g->start || qm_author_cmp(&f->range.author, author) != 0) continue;
    if (memcmp(f->range.segment.b, g->previous, QM_HEAD_SIZE) == 0) return &f->range;
  }
  return NULL;
}

/* It continues a segment that was moved: so it does where that went. */
static int upon_moved(moving *m, qm_hash *previous) {
  const qm_space *s = m->s;
  const qm__aside_range *r = part_before(m);
  if (!r) return QM_EFORK;
  *previous = r->segment;
  m->start = r->moved_first + (r->next - r->first);
  return qm_authors_find(&s->authors, &r->moved, &m->to) == QM_OK ? QM_OK : QM_EFORK;
}

/* Where `to` stood at `start`: its hash there, its clock row. */
static int stand(moving *m) {
  qm_time time;
  if (!m->start) return QM_OK;
  int rc = qm__chain_hash(m->s, m->to, m->start, NULL, &m->previous);
  if (rc == QM_OK) rc = qm__chain_clock(m->s, m->to, m->start, &m->clock, &time);
  return rc == QM_ECUT || rc == QM_ENOTFOUND ? QM_EFORK : rc;
}

/* The author that is made for what begins with this change. */
static int make_author(moving *m, const qm_change *first) {
  qm_space *s = m->s;
  qm_author to;
  qm_hash hash;
  qm_buf row;
  qm_change plain = *first;
  plain.ops = qm_arena_copy(&s->engine->arena, first->ops, first->n_ops * sizeof *first->ops);
  if (!plain.ops) return QM_ENOMEM;
  for (uint32_t i = 0; i < plain.n_ops; i++) plain.ops[i].named = QM_BY_ID;
  qm_buf_init(&row, s->engine->env, SIZE_MAX / 2);
  qm_change_row(&plain, &s->authors, &row);
  int rc = qm_buf_status(&row);
  if (rc == QM_OK) qm_sha256(row.p, row.n, &hash);
  qm_buf_free(&row);
  QM_TRY(rc);
  qm_reissue_author("qianmo/1 fork", &s->engine->device, &s->authors.ids[first->author],
                    qm_slice_of(hash.b, QM_HASH_SIZE), &to);
  m->start = 0;
  return qm__space_author(s, &to, &m->to);
}

/* --- the segment --- */

/* Salts of what is not erased, from one seed (S4.10). */
static int salts_of(qm_segment *g, const uint8_t seed[QM_SALT_SIZE], qm_arena *arena) {
  uint32_t n = qm__salt_cover(g, NULL, 0);
  qm_salt *p = qm_arena_zero(arena, ((size_t)n + 1) * sizeof *p);
  if (!p) return QM_ENOMEM;
  (void)qm__salt_cover(g, p, n);
  for (uint32_t i = 0; i < n; i++) {
    uint32_t first = 0, count = g->n_ops;
    memcpy(p[i].b, seed, QM_SALT_SIZE);
    while (first != p[i].first || count != p[i].count) {
      uint8_t halves[2 * QM_SALT_SIZE];
      uint32_t half = qm__salt_half(count);
      int right = p[i].first >= first + half;
      qm__salt_split(p[i].b, halves);
      memcpy(p[i].b, halves + (right ? QM_SALT_SIZE : 0), QM_SALT_SIZE);
      first += right ? half : 0;
      count = right ? count - half : half;
    }
  }
  g->salts = p;
  g->n_salts = n;
  return QM_OK;
}

/* A twin has the same seed, so it is reissued as a twin; whichever way it goes. */
static int seal(moving *m, qm_segment *to) {
  qm_space *s = m->s;
  const qm_env *env = s->engine->env;
  const qm_segment *g = &m->b->from;
  uint64_t at = m->b->at;
  uint8_t data[16] = "fork";
  qm_hash mac, hash;
  for (int i = 0; i < 8; i++) data[8 + i] = (uint8_t)(at >> (56 - 8 * i));
  qm_slice key = g->n_salts ? qm_slice_of(g->salts[0].b, QM_SALT_SIZE)
                            : qm_slice_of(g->head, QM_HEAD_SIZE);
  QM_TRY(qm_hmac_sha256(key, qm_slice_of(data, sizeof data), &mac));
  QM_TRY(salts_of(to, mac.b, &s->engine->arena));
  memcpy(to->previous, m->previous.b, QM_HEAD_SIZE);
  QM_TRY(qm_segment_hash(to, &s->id, &m->previous, &s->authors, &s->engine->arena, &hash));
  memcpy(to->head, hash.b, QM_HEAD_SIZE);
  to->has_signature = 0;
  if (!env->sign) return QM_OK;
  QM_TRY(env->sign(env->payload, hash.b, to->signature));
  to->has_signature = 1;
  return QM_OK;
}

static int make(moving *m) {
  qm_space *s = m->s;
  const qm_segment *g = m->g;
  const qm_change *first = &g->changes[m->skip], *last = &g->changes[g->n_changes - 1];
  qm_segment to = {.author = m->to, .start = m->start, .algorithm = 1};
  qm_reissue r = {.to = m->to,
                  .context = &m->context,
                  .changes = g->changes + m->skip,
                  .n_changes = g->n_changes - m->skip};
  QM_TRY(add_move(m, &s->authors.ids[g->author], first->counter, last->next,
                  &s->authors.ids[m->to], m->start));
  r.moves = m->moves;
  r.n_moves = m->n_moves;
  QM_TRY(qm__reissue_changes(s, &r, &m->clock, &to));
  QM_TRY(seal(m, &to));
  *m->g = to;
  return QM_OK;
}

/* --- parts --- */

/* [b->at, next) of the segment as it came stands at (author, first). */
static int add_part(moving *m, uint64_t next, uint32_t author, uint64_t first) {
  qm__branch *b = m->b;
  qm__aside_range *p =
      qm_arena_grow(&m->s->engine->arena, b->p, b->n, b->n + 1u, sizeof *p);
  if (!p) return QM_ENOMEM;
  b->p = p;
  p[b->n++] = (qm__aside_range){.author = m->s->authors.ids[b->from.author],
                                .first = b->at,
                                .next = next,
                                .code = QM_EFORK,
                                .segment = b->hash,
                                .moved = m->s->authors.ids[author],
                                .moved_first = first};
  b->at = next;
  return QM_OK;
}

/* --- as it came --- */

static int open_first(moving *m, int upon, qm__branch_verify verify, void *payload) {
  qm_space *s = m->s;
  qm_segment *g = m->g;
  qm_hash previous;
  int differs = 1, follows = 0;
  QM_TRY(peers_moves(m));
  QM_TRY(qm_segment_check(g, NULL));
  QM_TRY(resolve(m));
  if (upon) {
    previous = s->states[g->author].head;
  } else {
    int rc = qm__chain_hash(s, g->author, g->start, g->previous, &previous);
    follows = rc == QM_ENOTFOUND;
    if (follows) rc = upon_moved(m, &previous);
    if (rc != QM_OK) return rc == QM_ECUT ? QM_EFORK : rc;
    if (!follows) QM_TRY(qm__chain_compare(s, g, &m->skip, &differs));
  }
  QM_TRY(qm_segment_hash(g, &s->id, &previous, &s->authors, &s->engine->arena, &m->b->hash));
  if (memcmp(m->b->hash.b, g->head, QM_HEAD_SIZE) != 0) return QM_EHASH;
  QM_TRY(verify(payload, g, &m->b->hash));
  if (!differs) return QM_EEXIST;
  m->b->from = *g;
  m->b->at = g->changes[m->skip].counter;
  if (!follows) return make_author(m, &g->changes[m->skip]);
  return QM_OK;
}

/* It was moved once, to where something else stands by now. */
static int open_again(moving *m) {
  int differs = 0;
  QM_TRY(qm__chain_compare(m->s, m->g, &m->skip, &differs));
  if (!differs) return QM_EEXIST;
  uint64_t done = m->g->changes[m->skip].counter - m->g->start;
  if (m->skip) QM_TRY(add_part(m, m->b->at + done, m->g->author, m->g->start));
  return make_author(m, &m->g->changes[m->skip]);
}

static int context_of(moving *m) {
  qm_time time;
  const qm_segment *g = m->g;
  int follows = m->start != 0;
  if (follows) return qm_vv_copy(m->s->engine->env, &m->context, &m->clock);
  int rc = qm__chain_clock(m->s, g->author, g->changes[m->skip].counter, &m->context, &time);
  return rc == QM_ECUT || rc == QM_ENOTFOUND ? QM_EFORK : rc;
}

int qm__branch_move(qm_space *s, qm__branch *b, qm_segment *g, int upon,
                    qm__branch_verify verify, void *payload) {
  moving m = {.s = s, .b = b, .g = g};
  int rc = b->moved ? open_again(&m) : open_first(&m, upon, verify, payload);
  if (rc == QM_OK) rc = stand(&m);
  if (rc == QM_OK) rc = context_of(&m);
  if (rc == QM_OK) rc = make(&m);
  if (rc == QM_OK) b->moved = 1;
  qm_vv_free(s->engine->env, &m.context);
  qm_vv_free(s->engine->env, &m.clock);
  return rc;
}

/* --- said --- */

static int keep_copy(qm_space *s, const qm_aside *a, const qm_segment *g,
                     const qm__aside_range *r) {
  qm_buf b;
  qm_buf_init(&b, s->engine->env, (size_t)64 << 20);
  int rc = qm__copy_write_moved(s, a, g, &r->moved, r->moved_first, &b);
  if (rc == QM_OK) rc = qm__copy_put(s, a, qm_buf_slice(&b));
  qm_buf_free(&b);
  return rc;
}

/* By an earlier life of this hub. */
static int is_said(const qm_space *s, const qm__aside_range *part) {
  for (uint32_t i = 0; i < s->n_asides; i++) {
    const qm__aside_range *r = &s->asides[i];
    if (r->code == QM_EFORK && r->first == part->first && r->next == part->next &&
        r->moved_first == part->moved_first && qm_author_cmp(&r->moved, &part->moved) == 0 &&
        memcmp(&r->segment, &part->segment, sizeof r->segment) == 0)
      return 1;
  }
  return 0;
}

int qm__branch_done(qm_space *s, qm__branch *b, const qm_segment *g) {
  moving m = {.s = s, .b = b};
  QM_TRY(add_part(&m, b->from.next, g->author, g->start));
  for (uint32_t i = 0; i < b->n; i++) {
    const qm__aside_range *r = &b->p[i];
    char text[QM__FORK_TEXT + 1];
    qm__fork_text(&r->moved, r->moved_first, text);
    qm_aside a = {.kind = QM_ASIDE_CHANGE,
                  .author = r->author,
                  .first = r->first,
                  .next = r->next,
                  .segment = r->segment,
                  .code = QM_EFORK,
                  .text = qm_slice_of(text, strlen(text))};
    if (!is_said(s, r)) QM_TRY(qm__aside_make(s, &a));
    QM_TRY(keep_copy(s, &a, &b->from, r));
    QM_TRY(qm__fork_peer_note(s, b->peer, &r->author, r));
  }
  return QM_OK;
}
