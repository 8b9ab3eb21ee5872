/* Requests and what they draw on (S25.12 to S25.14). */
#include <string.h>

#include "core/class_ref.h"
#include "core/ledger.h"
#include "core/member.h"
#include "core/space.h"
#include "core/tie.h"

typedef struct reader {
  qm_engine *e;
  qm_space *s;
  const qm_collection_def *c;
  const qm_cover_def *def;
  unsigned flags;
  qm_arena *arena;
} reader;

/* A request that counts. */
typedef struct request {
  qm_id id;
  qm_slice account; /* as it is shown */
  int64_t amount;
  qm_time time; /* of the amount */
  int settled;
} request;

static int64_t add(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? INT64_MIN : INT64_MAX;
  return sum;
}

static int contest_of(const reader *x, const qm_collection_def *c, const qm_record *view,
                      uint32_t field, qm_contest *out) {
  return qm_read_contest(x->s, qm_collection_field(c, field),
                         qm_record_cell(view, field, QM_SIBLINGS), x->arena, out);
}

static int whole(const qm_contest *contest, int64_t *out) {
  qm_cur c;
  if (!contest->shown) return 0;
  qm_cur_init(&c, contest->shown->value);
  return qm_cur_int(&c, out) == QM_OK;
}

/* *counts: it asks for something, or was granted it. */
static int read_request(const reader *x, const qm_record_class *of, request *to, int *counts) {
  const qm_record *view;
  qm_contest state, amount, account;
  uint32_t item;
  *counts = 0;
  QM_TRY(qm_class_view(of, &x->s->authors, QM_CLASS_ALL, x->arena, &view));
  QM_TRY(contest_of(x, x->c, view, x->def->state, &state));
  QM_TRY(contest_of(x, x->c, view, x->def->amount, &amount));
  QM_TRY(contest_of(x, x->c, view, x->def->account, &account));
  if (!state.shown || !account.shown || qm__value_blank(account.shown->value)) return QM_OK;
  if (!whole(&amount, &to->amount) || to->amount <= 0) return QM_OK;
  const qm_field_def *f = qm_collection_field(x->c, x->def->state);
  if (qm_field_item(f, state.shown->value, &item) != QM_OK) return QM_OK;
  to->settled = qm__numbers_have(x->def->settled, x->def->n_settled, item) &&
                !qm_field_proposed(f, state.shown->value);
  *counts = to->settled || qm__numbers_have(x->def->holds, x->def->n_holds, item) ||
            qm__numbers_have(x->def->settled, x->def->n_settled, item);
  to->id = of->id;
  to->time = amount.effective;
  return qm_class_ref_value(x->e, x->s, account.shown->value, x->flags, x->arena, &to->account);
}

/* ---- what there is ---- */

static int counts_by(const reader *x, const qm_entry *v) {
  qm_id device;
  if (!x->def->n_by) return 1;
  qm_author_device(&qm_space_authors(x->s)->ids[v->dot.author], &device);
  uint64_t at = qm_time_ms(qm_space_effective(x->s, v->dot, v->time));
  const qm_member *m = qm_space_member(x->s, &device, at);
  /* A space without a hub has no members; its own device has the role that it was given. */
  qm_slice role = m ? m->role : v->dot.author == x->s->own ? x->s->role : qm_slice_of(NULL, 0);
  for (uint32_t i = 0; i < x->def->n_by; i++)
    if (qm_slice_cmp(x->def->by[i], role) == 0) return 1;
  return 0;
}

/* Two who were apart may reverse one entry each: the first counts (S22.7). */
static int is_second(const reader *x, const qm_entries *v, uint32_t at) {
  qm_slice name = qm_entry_reverses(v->p[at].value);
  for (uint32_t i = 0; name.n && i < at; i++)
    if (!v->p[i].erased && counts_by(x, &v->p[i]) &&
        qm_slice_cmp(qm_entry_reverses(v->p[i].value), name) == 0)
      return 1;
  return 0;
}

static int64_t sum_ledger(const reader *x, const qm_entries *v) {
  int64_t sum = 0;
  for (uint32_t i = 0; i < v->n; i++)
    if (!v->p[i].erased && counts_by(x, &v->p[i]) && !is_second(x, v, i))
      sum = add(sum, qm_entry_amount(v->p[i].value));
  return sum;
}

/* 0 where the account is not here: nothing was confirmed. */
static int read_balance(const reader *x, const qm_id *account, int64_t *out) {
  qm_record_class of;
  const qm_record *view;
  qm_contest contest;
  *out = 0;
  int rc = qm_class_read(x->e, x->s, account, x->flags, x->arena, &of);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_OK : rc;
  const qm_collection_def *c =
      qm_schema_collection(x->s->schema, qm_record_collection(of.members[0]));
  const qm_field_def *f = c ? qm_collection_field(c, x->def->balance) : NULL;
  if (!f || c->number != qm_collection_field(x->c, x->def->account)->target) return QM_OK;
  QM_TRY(qm_class_view(&of, &x->s->authors, QM_CLASS_ALL, x->arena, &view));
  const qm_cell *cell = qm_record_cell(view, f->number, qm_field_shape(f));
  if (!cell) return QM_OK;
  if (cell->shape == QM_ENTRIES) *out = sum_ledger(x, qm_entries_of(cell));
  if (cell->shape == QM_TOTALS && qm_totals_sum(qm_totals_of(cell), out) != QM_OK) *out = 0;
  if (cell->shape != QM_SIBLINGS) return QM_OK;
  QM_TRY(contest_of(x, c, view, f->number, &contest));
  if (!whole(&contest, out)) *out = 0;
  return QM_OK;
}

/* ---- in which order ---- */

static int stands_before(const request *a, const request *b) {
  if (a->settled != b->settled) return a->settled;
  if (a->time != b->time) return a->time < b->time;
  return qm_id_cmp(&a->id, &b->id) < 0;
}

/* Of every request on the account but the class's own (of: NULL: of every one), once, into its
 * place. */
static int gather(const reader *x, const request *own, const qm_record_class *of,
                  const qm_id *ids, uint32_t n, int written, request *list, uint32_t *count) {
  for (uint32_t i = 0; i < n; i++) {
    qm_record_class other;
    request r;
    int counts = 0, known = 0;
    if (of && qm_class_has(of, &ids[i])) continue;
    int rc = qm_class_read(x->e, x->s, &ids[i], x->flags, x->arena, &other);
    if (rc == QM_ENOTFOUND) continue;
    QM_TRY(rc);
    if (qm_record_collection(other.members[0]) != x->c->number) continue;
    /* What the open transaction wrote has its marks at the end. */
    if (written || qm_class_visible(&other)) QM_TRY(read_request(x, &other, &r, &counts));
    if (!counts || qm_slice_cmp(r.account, own->account) != 0) continue;
    /* Only merged records are found by several ids, and only a change's own are found twice. */
    for (uint32_t k = 0; k < *count && (other.n > 1 || written); k++)
      known |= qm_id_cmp(&list[k].id, &r.id) == 0;
    if (known) continue;
    uint32_t at = (*count)++;
    for (; at && stands_before(&r, &list[at - 1]); at--) list[at] = list[at - 1];
    list[at] = r;
  }
  return QM_OK;
}

static int account_id(const request *r, qm_id *out) {
  qm_cur c;
  qm_cur_init(&c, r->account);
  return qm_cur_bin_n(&c, out->b, QM_ID_SIZE) == QM_OK;
}

int qm_cover_account(qm_engine *e, qm_space *s, const qm_record_class *of,
                     const qm_cover_def *def, unsigned flags, qm_arena *arena, qm_id *account,
                     int64_t *amount, int *counts) {
  reader x = {e, s, NULL, def, flags, arena};
  request own;
  x.c = qm_schema_collection(s->schema, qm_record_collection(of->members[0]));
  QM_TRY(read_request(&x, of, &own, counts));
  *counts = *counts && account_id(&own, account);
  if (*counts) *amount = own.amount;
  return QM_OK;
}

int qm_overdrawn_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_cover_def *def,
                    unsigned flags, qm_arena *arena, qm_id *account, qm_overdrawn **out,
                    uint32_t *n, int *counts) {
  reader x = {e, s, NULL, def, flags, arena};
  request own;
  qm_id *ids;
  uint32_t n_ids, count = 0;
  int64_t left;
  *n = 0;
  x.c = qm_schema_collection(s->schema, qm_record_collection(of->members[0]));
  QM_TRY(read_request(&x, of, &own, counts));
  *counts = *counts && account_id(&own, account);
  if (!*counts) return QM_OK;
  QM_TRY(qm__tied(e, s, x.c, qm_collection_field(x.c, def->account), own.account, flags, arena,
                  &ids, &n_ids));
  request *list = qm_arena_array(arena, n_ids, sizeof *list);
  *out = qm_arena_array(arena, n_ids, sizeof **out);
  if (!list || !*out) return QM_ENOMEM;
  QM_TRY(gather(&x, &own, NULL, ids, n_ids, 0, list, &count));
  QM_TRY(read_balance(&x, account, &left));
  for (uint32_t i = 0; i < count; i++) {
    if (list[i].amount > left) (*out)[(*n)++] = (qm_overdrawn){list[i].id, left};
    if (list[i].settled || list[i].amount <= left) left = add(left, -list[i].amount);
  }
  return QM_OK;
}

int qm_cover_of(qm_engine *e, qm_space *s, const qm_record_class *of, const qm_cover_def *def,
                const qm_id *also, uint32_t n_also, int writing, unsigned flags, qm_arena *arena,
                qm_cover *out, int *counts) {
  reader x = {e, s, NULL, def, flags, arena};
  request own;
  qm_id *ids;
  uint32_t n, count = 0;
  memset(out, 0, sizeof *out);
  out->def = def;
  x.c = qm_schema_collection(s->schema, qm_record_collection(of->members[0]));
  QM_TRY(read_request(&x, of, &own, counts));
  if (!*counts) return QM_OK;
  if (!account_id(&own, &out->account)) {
    *counts = 0;
    return QM_OK;
  }
  QM_TRY(qm__tied(e, s, x.c, qm_collection_field(x.c, def->account), own.account, flags, arena,
                  &ids, &n));
  request *list = qm_arena_array(arena, (size_t)n + n_also, sizeof *list);
  if (!list) return QM_ENOMEM;
  QM_TRY(gather(&x, &own, of, ids, n, 0, list, &count));
  QM_TRY(gather(&x, &own, of, also, n_also, 1, list, &count));
  QM_TRY(read_balance(&x, &out->account, &out->balance));
  if (writing && !own.settled) own.time = UINT64_MAX; /* who asks stands behind who has asked */
  if (writing) own.settled = 0;
  out->amount = own.amount;
  out->left = out->balance;
  /* Granted ones count whatever there is; of those that wait what does not fit is passed over. */
  for (uint32_t i = 0; i < count; i++) {
    if (stands_before(&own, &list[i])) break;
    if (list[i].settled || list[i].amount <= out->left)
      out->left = add(out->left, -list[i].amount);
  }
  out->covered = own.amount <= out->left;
  return QM_OK;
}
