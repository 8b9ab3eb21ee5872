/* What the office decides of what was set aside. */
#include <string.h>

#include "core/aside_int.h"
#include "core/norm.h"
#include "core/reissue.h"

typedef struct deciding {
  qm_engine *e;
  qm_space *s;
  const qm_author *author;
  uint64_t first;
  int earlier; /* an earlier one of this author is not decided */
  qm_move *moves;
  uint32_t n_moves;
} deciding;

static int add_move(deciding *d, const qm_aside_copy *copy) {
  qm_move *p = qm_arena_grow(&d->e->arena, d->moves, d->n_moves, d->n_moves + 1u, sizeof *p);
  if (!p) return QM_ENOMEM;
  d->moves = p;
  p += d->n_moves;
  if (qm_authors_find(&d->s->authors, &copy->author, &p->from) != QM_OK ||
      qm_authors_find(&d->s->authors, &copy->moved, &p->to) != QM_OK)
    return QM_ECORRUPT;
  p->first = copy->first;
  p->next = copy->next;
  p->to_first = copy->moved_first;
  p->fork = 0;
  d->n_moves++;
  return QM_OK;
}

static int look(void *payload, const qm_aside_copy *copy) {
  deciding *d = payload;
  if (copy->code == QM_EFORK) return QM_OK; /* other changes stand at these dots */
  if (copy->status == QM_ASIDE_APPROVED) return add_move(d, copy);
  if (copy->status == QM_ASIDE_CHANGE && copy->first < d->first &&
      qm_author_cmp(&copy->author, d->author) == 0)
    d->earlier = 1;
  return QM_OK;
}

static int open_copy(deciding *d, qm_aside_copy *copy, qm_error *err) {
  if (!(d->e->flags & QM_ENGINE_HUB))
    return qm_fail(err, QM_EACCESS, "only the home hub decides what it has set aside");
  int rc = qm__copy_find(d->s, d->author, d->first, &d->e->arena, copy);
  if (rc == QM_ENOTFOUND) return qm_fail(err, rc, "nothing like that is set aside");
  QM_TRY(rc);
  if (copy->status == QM_ASIDE_CHANGE) return QM_OK;
  return qm_fail(err, QM_EEXIST, "it was decided already");
}

/* What everybody hears of it. */
static int tell(deciding *d, const qm_aside_copy *copy, qm_aside_kind kind, qm_slice why) {
  qm_aside a = {.kind = (uint32_t)kind,
                .author = copy->author,
                .first = copy->first,
                .next = copy->next,
                .segment = copy->segment,
                .text = why};
  return qm__aside_make(d->s, &a);
}

static int context_of(const qm_space *s, const qm_aside_copy *copy, qm_vv *out) {
  for (uint32_t i = 0; i < copy->context.n; i++) {
    uint32_t number;
    if (qm_authors_find(&s->authors, &copy->context.p[i].author, &number) != QM_OK)
      return QM_ECORRUPT;
    QM_TRY(qm_vv_set(s->engine->env, out, number, copy->context.p[i].next));
  }
  return QM_OK;
}

static int reissue(deciding *d, qm_aside_copy *copy) {
  qm_space *s = d->s;
  const qm_env *env = d->e->env;
  qm_vv context = {NULL, 0, 0};
  qm_reissue r = {.context = &context,
                  .changes = copy->changes,
                  .n_changes = copy->n_changes,
                  .moves = d->moves,
                  .n_moves = d->n_moves};
  qm_reissue_author("qianmo/1 approved", &d->e->device, &copy->author,
                    qm_slice_of(d->e->author.b, QM_AUTHOR_SIZE), &copy->moved);
  QM_TRY(qm__space_author(s, &copy->moved, &r.to));
  QM_TRY(env->random(env->payload, r.seed, sizeof r.seed));
  int rc = context_of(s, copy, &context);
  if (rc == QM_OK) rc = qm__reissue(s, &r, &copy->moved_first);
  qm_vv_free(env, &context);
  return rc;
}

static int approve(deciding *d, qm_error *err) {
  qm_aside_copy copy;
  QM_TRY(open_copy(d, &copy, err));
  QM_TRY(qm_engine_aside_copies(d->e, d->s, look, d));
  if (d->earlier)
    return qm_fail(err, QM_ESTATE, "an earlier change of this author is not decided yet");
  if (!copy.n_changes) return QM_ECORRUPT;
  QM_TRY(reissue(d, &copy));
  copy.status = QM_ASIDE_APPROVED;
  QM_TRY(qm__copy_update(d->s, &copy));
  return tell(d, &copy, QM_ASIDE_APPROVED, qm_slice_of(NULL, 0));
}

static int decline(deciding *d, qm_slice why, qm_error *err) {
  qm_aside_copy copy;
  QM_TRY(open_copy(d, &copy, err));
  copy.status = QM_ASIDE_DECLINED;
  copy.text = why;
  QM_TRY(qm__copy_update(d->s, &copy));
  return tell(d, &copy, QM_ASIDE_DECLINED, why);
}

static int finish(qm_engine *e, int rc, qm_error *err) {
  if (rc == QM_OK)
    rc = qm_engine_commit(e, QM_DURABLE, NULL, NULL);
  else
    qm_engine_rollback(e);
  if (rc == QM_OK || (err && err->code == rc && err->message[0])) return rc;
  return qm_fail(err, rc, "set aside: %s", qm_err_text(rc));
}

int qm_engine_aside_approve(qm_engine *e, qm_space *s, const qm_author *author, uint64_t first,
                            qm_error *err) {
  deciding d = {.e = e, .s = s, .author = author, .first = first};
  QM_TRY(qm_engine_begin(e));
  return finish(e, approve(&d, err), err);
}

int qm_engine_aside_decline(qm_engine *e, qm_space *s, const qm_author *author, uint64_t first,
                            qm_slice why, qm_error *err) {
  deciding d = {.e = e, .s = s, .author = author, .first = first};
  if (why.n > QM_ASIDE_TEXT_MAX || !qm_utf8_check(why, NULL))
    return qm_fail(err, QM_EINVAL, "the reason is a text of at most %u bytes", QM_ASIDE_TEXT_MAX);
  QM_TRY(qm_engine_begin(e));
  return finish(e, decline(&d, why, err), err);
}
