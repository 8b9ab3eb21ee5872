#include "sync/uv/own.h"

#include <string.h>

void qm__own_init(qm__own *o, const qm_env *env) {
  memset(o, 0, sizeof *o);
  o->env = env;
}

void qm__own_free(qm__own *o) {
  qm_free(o->env, o->p);
  memset(o, 0, sizeof *o);
}

static qm__own_mark mark_of(const qm_engine *engine, const qm_space *s) {
  qm__own_mark m = {.next = 0};
  qm_space_info info;
  uint32_t number;
  qm_space_info_get(s, &info);
  m.space = info.id;
  if (qm_authors_find(qm_space_authors(s), qm_engine_author(engine), &number) == QM_OK)
    m.next = qm_vv_get(qm_space_vv(s), number);
  qm_aside_counts counts = qm_space_asides(s);
  for (uint32_t i = 0; i < counts.n; i++) m.asides += counts.p[i].count;
  return m;
}

/* Spaces stand in one order, and rarely is there a new one. NULL: not seen before. */
static qm__own_mark *find(qm__own *o, uint32_t at, const qm_id *space) {
  if (at < o->n && qm_id_cmp(&o->p[at].space, space) == 0) return &o->p[at];
  for (uint32_t i = 0; i < o->n; i++)
    if (qm_id_cmp(&o->p[i].space, space) == 0) return &o->p[i];
  return NULL;
}

static int add(qm__own *o, const qm__own_mark *m) {
  qm__own_mark *p = qm_realloc_array(o->env, o->p, (size_t)o->n + 1, sizeof *p);
  if (!p) return QM_ENOMEM;
  o->p = p;
  p[o->n++] = *m;
  return QM_OK;
}

void qm__own_look(qm__own *o, qm_engine *engine, int by_commit,
                  void (*tell)(void *payload, const qm_id *space), void *payload) {
  uint64_t writes = qm_engine_own_writes(engine);
  if (writes == o->writes && o->n == qm_engine_space_count(engine)) return;
  o->writes = writes;
  for (uint32_t i = 0; i < qm_engine_space_count(engine); i++) {
    qm__own_mark now = mark_of(engine, qm_engine_space_at(engine, i));
    qm__own_mark *before = find(o, i, &now.space);
    if (!before) {
      if (add(o, &now) != QM_OK) tell(payload, &now.space);
      continue;
    }
    int is_new = now.next != before->next || (!by_commit && now.asides != before->asides);
    *before = now;
    if (is_new) tell(payload, &now.space);
  }
}
