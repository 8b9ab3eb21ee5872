/* handle_recovery.c: what a hub that lost its database can begin again with. */
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/member.h"
#include "sync/recovery.h"

typedef struct gathering {
  qm_db *db;
  qm_arena arena;
  qm_buf ca, cert;
  qm_recovery r;
} gathering;

/* The newest entry of each device, unless it has no role any more. Names are borrowed from the
 * engine, which nobody else uses meanwhile. */
static int gather_members(gathering *g, const qm_space *s, qm_recovery_space *out) {
  const qm_member *all;
  uint32_t count = qm_space_members(s, &all), n = 0;
  qm_recovery_member *p = qm_arena_array(&g->arena, count, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < count; i++) {
    int newest = i + 1 == count || qm_id_cmp(&all[i].device, &all[i + 1].device) != 0;
    if (newest && all[i].role.n)
      p[n++] = (qm_recovery_member){all[i].device, all[i].name, all[i].role};
  }
  out->members = p;
  out->n_members = n;
  return QM_OK;
}

static int gather(gathering *g) {
  qm_engine *engine = g->db->engine;
  uint32_t n = qm_engine_space_count(engine);
  qm_recovery_space *p = qm_arena_zero(&g->arena, n * sizeof *p);
  if (!p) return QM_ENOMEM;
  int rc = qm__handle_meta_get(g->db, QM_META_CERT, &g->cert);
  if (rc == QM_OK) rc = qm__handle_meta_get(g->db, QM_META_CA, &g->ca);
  if (rc != QM_OK) return rc == QM_ENOTFOUND ? QM_ENOTENROLLED : rc;
  for (uint32_t i = 0; i < n; i++) {
    const qm_space *s = qm_engine_space_at(engine, i);
    qm_space_info info;
    qm_space_info_get(s, &info);
    p[i].id = info.id;
    p[i].name = info.name;
    p[i].schema = info.schema;
    memcpy(p[i].secret, info.secret, sizeof p[i].secret);
    qm_wipe(info.secret, sizeof info.secret);
    QM_TRY(gather_members(g, s, &p[i]));
  }
  g->r = (qm_recovery){qm_buf_slice(&g->ca), qm_buf_slice(&g->cert), qm_engine_now(engine), p, n};
  return QM_OK;
}

int32_t qm_export_hub(qm_db *db, qm_text *out, qm_error *e) {
  qm_buf b;
  gathering g = {.db = db};
  if (!out) return qm_fail(e, QM_EINVAL, "export-hub: an argument is missing");
  QM_TRY(qm__handle_enter_alone(db, e));
  qm_arena_init(&g.arena, &db->env, QM_RECOVERY_MAX);
  qm_buf_init(&g.ca, &db->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&g.cert, &db->env, QM_CERT_SIZE_MAX);
  qm_buf_init(&b, &db->env, QM_RECOVERY_MAX);
  int rc = gather(&g);
  if (rc == QM_OK) rc = qm_recovery_put(&b, &g.r, &db->env, db->key);
  qm_arena_free(&g.arena);
  qm_buf_free(&g.ca);
  qm_buf_free(&g.cert);
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "export-hub: %s", qm_err_text(rc));
}
