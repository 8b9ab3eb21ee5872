#include "sync/uv/gather.h"

#include <string.h>

#include "core/hash.h"

int qm__gather_add(qm__gather *g, qm__job *job) {
  job->next = g->jobs;
  g->jobs = job;
  return --g->left == 0;
}

/* Of several shards the one with the least next line; NULL: there are no more. */
static const qm_space_line *least(const qm__gather *g, uint32_t at[QM_HUB_SHARDS_MAX]) {
  const qm_space_line *out = NULL;
  uint32_t shard = 0, i = 0;
  for (const qm__job *job = g->jobs; job; job = job->next, i++) {
    const qm_reply *r = &job->out.reply;
    if (at[i] == r->n_lines) continue;
    if (out && qm_id_cmp(&r->lines[at[i]].line.id, &out->line.id) > 0) continue;
    out = &r->lines[at[i]];
    shard = i;
  }
  if (out) at[shard]++;
  return out;
}

static int merge(qm__gather *g, qm__gathered *out) {
  uint32_t at[QM_HUB_SHARDS_MAX] = {0};
  uint32_t n = 0;
  const qm_space_line *next;
  for (const qm__job *job = g->jobs; job; job = job->next) n += job->out.reply.n_lines;
  qm_space_line *lines = qm_arena_array(&g->jobs->out.arena, n, sizeof *lines);
  if (!lines) return QM_ENOMEM;
  for (n = 0; (next = least(g, at)) != NULL; n++) lines[n] = *next;
  out->lines = lines;
  out->n_lines = n;
  return QM_OK;
}

static void put_tag(qm__gathered *all) {
  qm_sha sha;
  qm_hash hash;
  qm_sha_init(&sha);
  for (uint32_t i = 0; i < all->n_lines; i++) {
    qm_sha_add(&sha, all->lines[i].line.id.b, QM_ID_SIZE);
    qm_sha_add(&sha, all->lines[i].line.tag, QM_TAG_SIZE);
  }
  qm_sha_end(&sha, &hash);
  memcpy(all->tag, hash.b, sizeof all->tag);
}

void qm__gather_end(qm__gather *g, qm__gathered *out) {
  memset(out, 0, sizeof *out);
  out->rc = g->rc;
  out->standing = g->jobs ? g->jobs->standing : 0;
  for (const qm__job *job = g->jobs; job; job = job->next) {
    if (job->standing != out->standing) out->standing = 0;
    if (job->rc == QM_OK || out->drop) continue;
    out->rc = job->rc;
    out->drop = job->drop;
  }
  if (out->rc == QM_OK && g->jobs) out->rc = merge(g, out);
  if (out->rc == QM_OK) put_tag(out);
}

void qm__gather_clear(qm__gather *g, const qm_env *env) {
  while (g->jobs) {
    qm__job *next = g->jobs->next;
    qm__job_free(env, g->jobs);
    g->jobs = next;
  }
}
