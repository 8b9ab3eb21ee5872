/* Membership entries: what hub.db says of the devices of each space, written into the space
 * record, so that every replica can show who wrote with which device (S3.13). */
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/home.h"

typedef struct gathering {
  qm_hubdb *db;
  qm_arena arena;
  qm_member *p; /* ascending by device */
  size_t n, cap;
} gathering;

static int keep_text(gathering *g, const char *text, qm_slice *out) {
  size_t n = strlen(text);
  uint8_t *p = qm_arena_copy(&g->arena, text, n);
  *out = qm_slice_of(p, n);
  return p ? QM_OK : QM_ENOMEM;
}

static qm_member *grow(gathering *g) {
  if (g->n == g->cap) {
    size_t cap = g->cap ? g->cap * 2 : 32;
    qm_member *p = qm_arena_grow(&g->arena, g->p, g->cap, cap, sizeof *p);
    if (!p) return NULL;
    g->p = p;
    g->cap = cap;
  }
  return memset(&g->p[g->n++], 0, sizeof *g->p);
}

static int granted(void *payload, const qm_id *device) {
  gathering *g = payload;
  qm_hub_device row;
  QM_TRY(qm_hubdb_device_get(g->db, device, &row));
  qm_member *m = grow(g);
  if (!m) return QM_ENOMEM;
  /* An alias is what it writes as, in a replay; there nothing is written. */
  m->device = *device;
  QM_TRY(keep_text(g, row.member, &m->name));
  return keep_text(g, row.role, &m->role);
}

static int holds(const gathering *g, size_t n, const qm_id *device) {
  size_t lo = 0, hi = n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    int c = qm_id_cmp(&g->p[mid].device, device);
    if (c == 0) return 1;
    if (c < 0) lo = mid + 1;
    else hi = mid;
  }
  return 0;
}

/* Who had access and has it no more: the newest entry of the device gets an empty role. */
static int add_gone(gathering *g, const qm_space *s) {
  const qm_member *all;
  uint32_t count = qm_space_members(s, &all);
  size_t n = g->n;
  for (uint32_t i = 0; i < count; i++) {
    int newest = i + 1 == count || qm_id_cmp(&all[i].device, &all[i + 1].device) != 0;
    if (!newest || !all[i].role.n || holds(g, n, &all[i].device)) continue;
    qm_member *m = grow(g);
    if (!m) return QM_ENOMEM;
    m->device = all[i].device;
    m->name = all[i].name; /* copied by the engine before the entries are read anew */
  }
  return QM_OK;
}

/* A space that waits for a device's state (qianmod recover): until that has come nothing is
 * written, or it would no longer be the empty one that takes a state whole. */
static int is_waiting(qm_hubdb *db, const qm_env *env, const qm_id *space) {
  qm_buf b;
  qm_buf_init(&b, env, 64);
  int waits = qm_hubdb_note_get(db, space, HUB_NOTE_RECOVER, &b) == QM_OK;
  qm_buf_free(&b);
  return waits;
}

int hub_members(qm_hubdb *db, const qm_env *env, qm_engine *engine) {
  int rc = QM_OK;
  for (uint32_t i = 0; i < qm_engine_space_count(engine) && rc == QM_OK; i++) {
    qm_space *s = qm_engine_space_at(engine, i);
    qm_space_info info;
    gathering g = {.db = db};
    qm_space_info_get(s, &info);
    if (is_waiting(db, env, &info.id)) continue;
    qm_arena_init(&g.arena, env, (size_t)64 << 20);
    rc = qm_hubdb_space_devices(db, &info.id, granted, &g);
    if (rc == QM_OK) rc = add_gone(&g, s);
    if (rc == QM_OK) rc = qm_home_members(engine, s, g.p, g.n);
    qm_arena_free(&g.arena);
  }
  return rc;
}
