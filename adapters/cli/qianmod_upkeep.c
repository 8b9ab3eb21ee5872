/* Upkeep: what every live device holds, trims of texts below that, and the log cut and joined. In a
 * running hub a piece at a time when nothing else is to be done, else by `qianmod maintain`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/home_review.h"
#include "core/home_trim.h"
#include "core/join.h"
#include "core/retain.h"

#define DAY_MS UINT64_C(86400000)
#define VV_ENTRY 32u
#define LEASE_DAYS 90u
#define TRIM_RECORDS 256u /* of one piece */
#define REVIEW_RECORDS 256u /* of one piece */

/* --- what devices say they hold --- */

/* Ids of devices are hashes. */
static hub_held **bucket_of(hub_backend *b, const qm_id *device) {
  return &b->held[((uint32_t)device->b[0] << 8 | device->b[1]) % HUB_HELD_BUCKETS];
}

static hub_held **held_find(hub_backend *b, const qm_id *device, const qm_id *space) {
  hub_held **at = bucket_of(b, device);
  while (*at && (qm_id_cmp(&(*at)->device, device) != 0 || qm_id_cmp(&(*at)->space, space) != 0))
    at = &(*at)->next;
  return at;
}

static void held_free(hub_backend *b, hub_held **at) {
  hub_held *h = *at;
  *at = h->next;
  qm_buf_free(&h->vv);
  qm_free(&b->dir->env, h);
}

/* Without memory it is not noted: the log is then kept for longer. */
void hub_held_note(hub_backend *b, const qm_id *device, const qm_id *space, qm_vv_list vv) {
  hub_held **at = held_find(b, device, space);
  if (!*at) {
    *at = qm_alloc_zero(&b->dir->env, sizeof **at);
    if (!*at) return;
    (*at)->device = *device;
    (*at)->space = *space;
    qm_buf_init(&(*at)->vv, &b->dir->env, (size_t)VV_ENTRY << 16);
  }
  qm_buf *to = &(*at)->vv;
  qm_buf_clear(to);
  for (uint32_t i = 0; i < vv.n; i++) {
    qm_buf_add(to, vv.p[i].author.b, QM_AUTHOR_SIZE);
    qm_buf_be64(to, vv.p[i].next);
  }
  if (qm_buf_status(to) != QM_OK) held_free(b, at);
}

/* Only after a session in which both sides gave all they had it is what the device holds. */
int hub_held_write(hub_backend *b, const qm_id *device, int complete) {
  int rc = QM_OK;
  for (hub_held **at = bucket_of(b, device); *at;) {
    hub_held *h = *at;
    if (qm_id_cmp(&h->device, device) != 0) {
      at = &h->next;
      continue;
    }
    if (complete && rc == QM_OK)
      rc = qm_hubdb_held_put(b->db, &h->space, &h->device, qm_buf_slice(&h->vv));
    held_free(b, at);
  }
  return rc;
}

void hub_held_free(hub_backend *b) {
  for (uint32_t i = 0; i < HUB_HELD_BUCKETS; i++)
    while (b->held[i]) held_free(b, &b->held[i]);
}

/* --- live devices --- */

typedef struct live {
  qm_arena arena;
  qm_vv_list *p;
  uint32_t n, cap;
} live;

static int take_live(void *payload, const qm_id *device, qm_slice vv) {
  live *l = payload;
  (void)device;
  if (vv.n % VV_ENTRY) return QM_ECORRUPT;
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 16;
    l->p = qm_arena_grow(&l->arena, l->p, l->cap, cap, sizeof *l->p);
    if (!l->p) return QM_ENOMEM;
    l->cap = cap;
  }
  uint32_t n = (uint32_t)(vv.n / VV_ENTRY);
  qm_vv_entry *p = qm_arena_zero(&l->arena, n * sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    const uint8_t *at = vv.p + (size_t)i * VV_ENTRY;
    memcpy(p[i].author.b, at, QM_AUTHOR_SIZE);
    for (int k = 0; k < 8; k++) p[i].next = p[i].next << 8 | at[QM_AUTHOR_SIZE + k];
  }
  l->p[l->n++] = (qm_vv_list){p, n};
  return QM_OK;
}

static uint64_t lease_of(const qm_space *s) {
  const qm_schema *schema = qm_space_schema(s);
  return (schema && schema->lease_days ? schema->lease_days : LEASE_DAYS) * DAY_MS;
}

static int read_live(hub_upkeep *u, const qm_space *s, live *l) {
  qm_space_info info;
  uint64_t now = hub_now(), lease = lease_of(s);
  qm_space_info_get(s, &info);
  if (u->lock) pthread_mutex_lock(u->lock);
  int rc = qm_hubdb_held_live(u->db, &info.id, now > lease ? now - lease : 0, take_live, l);
  if (u->lock) pthread_mutex_unlock(u->lock);
  return rc;
}

/* --- one piece --- */

/* A peer below what is cut takes a state; until then nothing must be missing in the log. */
static int trim(hub_upkeep *u, qm_engine *e, qm_space *s, const live *l, int *more) {
  qm_trimmed out;
  int rc = qm_home_trim(e, s, l->p, l->n, u->has_after ? &u->after : NULL, TRIM_RECORDS, &out);
  *more = rc == QM_OK && out.more;
  u->after = out.last;
  u->has_after = *more;
  if (rc == QM_OK) u->trimmed += out.elements;
  return rc == QM_EGAP || rc == QM_EACCESS ? QM_OK : rc;
}

/* What nobody settled within the review time. */
static int review(hub_upkeep *u, qm_engine *e, qm_space *s, int *more) {
  qm_home_settled out;
  int rc = qm_home_review(e, s, u->reviewing ? &u->after : NULL, REVIEW_RECORDS, &out);
  u->reviewing = *more = rc == QM_OK && out.more;
  u->after = out.last;
  u->settled += out.settled;
  return rc == QM_EACCESS ? QM_OK : rc;
}

static int cut(hub_upkeep *u, qm_engine *e, qm_space *s, const live *l) {
  qm_vv below;
  int moved = 0;
  if (!u->log_days) return QM_OK;
  QM_TRY(qm_engine_least(e, s, l->p, l->n, &below));
  qm_retention r = {.keep_ms = u->log_days * DAY_MS, .below = &below};
  int rc = qm_engine_retain(e, s, &r, &moved);
  qm_vv_free(u->env, &below);
  u->cut += (uint32_t)moved;
  return rc;
}

/* What every live device has, or has nothing of at all: who begins takes whole rows. */
static int join(hub_upkeep *u, qm_engine *e, qm_space *s, const live *l, int *more) {
  qm_joining how = {.after = u->join_after};
  qm_joined out = {0};
  qm_vv below;
  uint32_t n = 0;
  for (uint32_t i = 0; i < l->n; i++)
    if (l->p[i].n) l->p[n++] = l->p[i];
  QM_TRY(qm_engine_least(e, s, l->p, n, &below));
  how.below = &below;
  int rc = qm_engine_join(e, s, &how, &out);
  qm_vv_free(u->env, &below);
  u->joining = *more = rc == QM_OK && out.more;
  u->join_after = *more ? out.last : 0;
  u->joined += out.rows;
  return rc;
}

int hub_upkeep_step(hub_upkeep *u, qm_engine *e, int *more) {
  qm_space *s = qm_engine_space_at(e, u->space);
  live l = {.p = NULL};
  int again = 0;
  *more = 0;
  if (!s) return QM_OK;
  qm_arena_init(&l.arena, u->env, (size_t)256 << 20);
  int rc = read_live(u, s, &l);
  int rest = !u->joining;
  if (rc == QM_OK && rest && !u->reviewing) rc = trim(u, e, s, &l, &again);
  if (rc == QM_OK && rest && !again) rc = review(u, e, s, &again);
  if (rc == QM_OK && rest && !again) rc = cut(u, e, s, &l);
  if (rc == QM_OK && !again) rc = join(u, e, s, &l, &again);
  qm_arena_free(&l.arena);
  if (!again) u->space++;
  *more = rc == QM_OK && (again || u->space < qm_engine_space_count(e));
  return rc;
}

int hub_upkeep_idle(hub_shard *s, qm_engine *engine, int *more) {
  hub_backend *b = s->hub;
  hub_upkeep *u = &s->upkeep;
  uint64_t now = hub_now();
  *more = 0;
  if (!u->running && u->last_ms && now >= u->last_ms && now - u->last_ms < DAY_MS) return QM_OK;
  if (!u->running) {
    *u = (hub_upkeep){.db = b->db,
                      .env = &b->dir->env,
                      .lock = &b->lock,
                      .log_days = b->dir->config.log_days,
                      .running = 1,
                      .last_ms = now ? now : 1};
  }
  int rc = hub_upkeep_step(u, engine, more);
  if (*more) return rc;
  u->running = 0;
  if (u->trimmed || u->cut || u->settled || u->joined)
    qm_log(u->env, QM_LOG_INFO,
           "upkeep: %" PRIu64 " elements trimmed, the log cut in %u spaces, %" PRIu64
           " conflicts settled, %" PRIu64 " rows of the log joined",
           u->trimmed, (unsigned)u->cut, u->settled, u->joined);
  return rc;
}

/* --- qianmod maintain --- */

static int round_of(hub_upkeep *u, qm_engine *engine) {
  int rc = QM_OK, more = qm_engine_space_count(engine) != 0;
  u->space = 0;
  while (rc == QM_OK && more) rc = hub_upkeep_step(u, engine, &more);
  return rc;
}

int hub_verb_maintain(const hub_args *a) {
  hub_dir d;
  hub_stores stores;
  qm_error e = {0, ""};
  memset(&stores, 0, sizeof stores);
  int rc = hub_open(&d, a->positional[0], QM_DIR_KEYS | QM_DIR_LOCK, &e);
  if (rc == QM_EBUSY && d.lock < 0)
    return hub_refuse(a, rc, QM_HUB_MAINTAIN_RUNNING, a->positional[0]);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  hub_upkeep u = {.db = d.db, .env = &d.env, .log_days = d.config.log_days};
  rc = hub_stores_open(&d, 0, &stores, &e);
  for (uint32_t i = 0; rc == QM_OK && i < stores.n; i++) rc = round_of(&u, stores.p[i].engine);
  if (rc == QM_OK && a->json)
    printf("{\"trimmed\":%" PRIu64 ",\"spaces_cut\":%u,\"log_days\":%u,\"settled\":%" PRIu64
           ",\"joined\":%" PRIu64 "}\n",
           u.trimmed, (unsigned)u.cut, (unsigned)u.log_days, u.settled, u.joined);
  else if (rc == QM_OK)
    hub_print(a, QM_HUB_MAINTAINED, (unsigned long long)u.trimmed, (unsigned)u.cut,
              (unsigned long long)u.settled, (unsigned long long)u.joined);
  hub_stores_close(&stores);
  hub_close(&d);
  if (rc == QM_OK) return QM_EXIT_DONE;
  if (!e.message[0]) qm_fail(&e, rc, "%s", qm_err_text(rc));
  return hub_error(a, rc, &e);
}
