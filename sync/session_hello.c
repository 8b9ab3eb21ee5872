/* Who meets, in which version, with which clock, and where they differ (S8.3, S8.5). */
#include <string.h>

#include "core/hash.h"
#include "sync/session_int.h"

static uint64_t clock_ms(const qm_session *s) {
  uint64_t now = s->env->now_ms ? s->env->now_ms(s->env->payload) : 0;
  return now > QM_TIME_MS_MAX ? QM_TIME_MS_MAX : now;
}

/* S8.5: over all of one side's lines, ascending by id. */
static void overall(const qm_space_line *lines, uint32_t n, uint8_t digest[QM_SYNC_DIGEST_SIZE],
                    uint8_t grants[QM_TAG_SIZE]) {
  qm_sha d, g;
  qm_hash hash;
  qm_sha_init(&d);
  qm_sha_init(&g);
  for (uint32_t i = 0; i < n; i++) {
    const qm_msg_line *line = &lines[i].line;
    qm_sha_add(&d, line->id.b, QM_ID_SIZE);
    qm_sha_add(&d, line->digest, QM_SYNC_DIGEST_SIZE);
    qm_sha_add(&g, line->id.b, QM_ID_SIZE);
    qm_sha_add(&g, line->tag, QM_TAG_SIZE);
  }
  qm_sha_end(&d, &hash);
  memcpy(digest, hash.b, QM_SYNC_DIGEST_SIZE);
  qm_sha_end(&g, &hash);
  memcpy(grants, hash.b, QM_TAG_SIZE);
}

static void add_text(qm_sha *h, qm_slice text) {
  uint8_t n[4] = {(uint8_t)(text.n >> 24), (uint8_t)(text.n >> 16), (uint8_t)(text.n >> 8),
                  (uint8_t)text.n};
  qm_sha_add(h, n, sizeof n);
  if (text.n) qm_sha_add(h, text.p, text.n);
}

void qm_grant_tag(const qm_space_info *info, uint32_t schema_version, uint8_t out[QM_TAG_SIZE]) {
  uint8_t rest[5] = {(uint8_t)((info->readable ? 1 : 0) | (info->writable ? 2 : 0)),
                     (uint8_t)(schema_version >> 24), (uint8_t)(schema_version >> 16),
                     (uint8_t)(schema_version >> 8), (uint8_t)schema_version};
  qm_sha h;
  qm_hash hash;
  qm_sha_init(&h);
  add_text(&h, info->name);
  add_text(&h, info->role);
  qm_sha_add(&h, rest, sizeof rest);
  qm_sha_end(&h, &hash);
  memcpy(out, hash.b, QM_TAG_SIZE);
}

int qm__hello_notice(qm_session *s, qm_event *ev) {
  if (s->owes_hello) {
    s->owes_hello = 0;
    ev->kind = QM_EV_HELLO;
    ev->has_offset = s->has_offset;
    ev->offset_ms = s->offset_ms;
    ev->rtt_ms = s->rtt_ms;
    return 1;
  }
  if (!s->owes_same) return 0;
  s->owes_same = 0;
  ev->kind = QM_EV_SAME;
  ev->lines = s->mine;
  ev->n_lines = s->n_mine;
  ev->safe = s->same_safe;
  return 1;
}

static uint32_t hello_flags(const qm_session *s) {
  if (s->options.flags & QM_SESSION_LIVE) return QM_HELLO_STAY | QM_HELLO_LIVE;
  return s->options.flags & QM_SESSION_RENEW ? QM_HELLO_STAY : 0;
}

/* Spaces of both sides that are equal take part in what comes (S8.13). */
static void note_equal(qm_session *s, const qm_id *id) {
  if (s->equal) s->equal[s->n_equal++] = *id;
}

static int reserve_equal(qm_session *s) {
  if (!s->live || !s->n_mine) return QM_OK;
  s->equal = qm_alloc_array(s->env, s->n_mine, sizeof *s->equal);
  return s->equal ? QM_OK : qm__fail(s, QM_ENOMEM, "list of spaces");
}

static int send_hello(qm_session *s) {
  qm_msg_line lines[QM_SYNC_HELLO_LINES_MAX];
  qm_msg_hello m = {.proto_min = QM_SYNC_PROTO_MIN,
                    .proto_max = QM_SYNC_PROTO_MAX,
                    .device = s->options.device,
                    .clock_ms = clock_ms(s),
                    .flags = hello_flags(s),
                    .spaces = s->n_mine,
                    .lines = lines};
  overall(s->mine, s->n_mine, m.digest, m.grants);
  if (s->n_mine <= QM_SYNC_HELLO_LINES_MAX) m.n_lines = s->n_mine;
  for (uint32_t i = 0; i < m.n_lines; i++) lines[i] = s->mine[i].line;
  s->hello_clock_ms = m.clock_ms;
  QM_TRY(qm__wrote(s, qm_msg_hello_put(&s->out, &m)));
  qm__set_state(s, QM_S_HELLO);
  return QM_OK;
}

/* --- server: what is there to do, from both lists --- */

static uint32_t flags_of(const qm_session *s, const qm_msg_line *theirs,
                         const qm_space_line *ours) {
  if (!ours) return s->hub ? QM_AGREED_GONE : 0;
  if (!theirs) return s->hub ? QM_AGREED_GRANT | QM_AGREED_SYNC : 0;
  uint32_t flags = 0;
  if (memcmp(theirs->digest, ours->line.digest, QM_SYNC_DIGEST_SIZE)) flags |= QM_AGREED_SYNC;
  if (s->hub && memcmp(theirs->tag, ours->line.tag, QM_TAG_SIZE)) flags |= QM_AGREED_GRANT;
  return flags;
}

/* Walks both ascending lists as one (S8.5). In the arena. */
static int agree(qm_session *s, const qm_msg_line *theirs, uint32_t n, qm_agreed_list *out) {
  qm_msg_agreed *p = qm_arena_array(&s->arena, (size_t)n + s->n_mine, sizeof *p);
  uint32_t i = 0, j = 0, count = 0;
  if (!p) return qm__fail(s, QM_ENOMEM, "list of spaces");
  QM_TRY(reserve_equal(s));
  while (i < n || j < s->n_mine) {
    int order = i == n ? 1 : j == s->n_mine ? -1 : qm_id_cmp(&theirs[i].id, &s->mine[j].line.id);
    const qm_msg_line *t = order <= 0 ? &theirs[i++] : NULL;
    const qm_space_line *o = order >= 0 ? &s->mine[j++] : NULL;
    uint32_t flags = flags_of(s, t, o);
    if (flags == 0 && t && o) note_equal(s, &t->id);
    if (flags == 0) continue;
    p[count].id = t ? t->id : o->line.id;
    p[count++].flags = flags;
  }
  out->p = p;
  out->n = count;
  return QM_OK;
}

static int all_safe(const qm_session *s) {
  for (uint32_t i = 0; i < s->n_mine; i++)
    if (!s->mine[i].safe) return 0;
  return s->hub;
}

static int all_equal(qm_session *s) {
  QM_TRY(reserve_equal(s));
  for (uint32_t i = 0; i < s->n_mine; i++) note_equal(s, &s->mine[i].line.id);
  return QM_OK;
}

static int send_welcome(qm_session *s) {
  uint8_t digest[QM_SYNC_DIGEST_SIZE], grants[QM_TAG_SIZE];
  overall(s->mine, s->n_mine, digest, grants);
  int same = s->hello.spaces == s->n_mine && !memcmp(digest, s->hello.digest, sizeof digest) &&
             (!s->hub || !memcmp(grants, s->hello.grants, sizeof grants));
  qm_msg_welcome m = {.proto = s->proto,
                      .device = s->options.device,
                      .clock_ms = clock_ms(s),
                      .echo_ms = s->hello.clock_ms,
                      .flags = s->hub ? QM_WELCOME_HUB : 0,
                      .result = QM_RESULT_SAME};
  if (same && all_safe(s)) m.flags |= QM_WELCOME_SAFE;
  if (s->hub && (s->options.flags & QM_SESSION_RECOVER)) m.flags |= QM_WELCOME_RECOVER;
  if (!same) m.result = s->hello.spaces == s->hello.n_lines ? QM_RESULT_DIFFER : QM_RESULT_LIST;
  s->theirs = s->hello_lines;
  s->n_theirs = s->hello.n_lines;
  if (m.result == QM_RESULT_DIFFER) QM_TRY(agree(s, s->hello_lines, s->hello.n_lines, &m.agreed));
  QM_TRY(qm__wrote(s, qm_msg_welcome_put(&s->out, &m)));
  if (m.result == QM_RESULT_LIST) {
    qm__set_state(s, QM_S_LIST);
    return QM_OK;
  }
  if (same) QM_TRY(all_equal(s));
  QM_TRY(qm__open(s, m.agreed));
  if (same && !(s->hello.flags & QM_HELLO_STAY)) qm__send_bye(s); /* S8.5: one round trip */
  return QM_OK;
}

int qm__done_spaces(qm_session *s, int rc, const qm_reply *r) {
  if (rc != QM_OK) return qm__fail(s, rc, "list of spaces: %s", qm_err_text(rc));
  if (r->n_lines) {
    s->mine = qm_alloc_array(s->env, r->n_lines, sizeof *s->mine);
    if (!s->mine) return qm__fail(s, QM_ENOMEM, "list of spaces");
    memcpy(s->mine, r->lines, r->n_lines * sizeof *s->mine);
    s->n_mine = r->n_lines;
  }
  return s->role == QM_CLIENT ? send_hello(s) : send_welcome(s);
}

static int check_peer(qm_session *s, const qm_id *device) {
  if (!qm_id_is_zero(&s->options.peer) && qm_id_cmp(&s->options.peer, device) != 0)
    return qm__fail(s, QM_ECERT, "the certificate is another device's");
  s->peer = *device;
  s->owes_hello = 1;
  return QM_OK;
}

int qm__on_hello(qm_session *s, qm_slice body) {
  QM_TRY(qm_msg_hello_get(&s->hello, body, &s->arena));
  if (s->hello.n_lines)
    memcpy(s->hello_lines, s->hello.lines, s->hello.n_lines * sizeof s->hello_lines[0]);
  s->hello.lines = s->hello_lines;
  s->proto = s->hello.proto_max < QM_SYNC_PROTO_MAX ? s->hello.proto_max : QM_SYNC_PROTO_MAX;
  QM_TRY(check_peer(s, &s->hello.device));
  s->live = s->hub && (s->hello.flags & QM_HELLO_LIVE);
  s->offset_ms = (int64_t)s->hello.clock_ms - (int64_t)clock_ms(s);
  s->has_offset = 1;
  qm__set_state(s, QM_S_HELLO);
  qm_event *ev = qm__hold(s, QM_EV_SPACES, NULL);
  if (!qm__ask(s, ev, QM_EV_SPACES, NULL)) s->held_is = 0;
  return QM_OK;
}

int qm__on_space_list(qm_session *s, qm_slice body) {
  qm_msg_lines m;
  qm_agreed_list agreed;
  QM_TRY(qm_msg_space_list_get(&m, body, &s->arena));
  if (m.n != s->hello.spaces) return QM_EFORMAT;
  QM_TRY(agree(s, m.p, m.n, &agreed));
  QM_TRY(qm__wrote(s, qm_msg_agreed_put(&s->out, &agreed)));
  s->theirs = m.p;
  s->n_theirs = m.n;
  return qm__open(s, agreed);
}

/* --- client --- */

/* S8.3: half the round trip is the way back; a clock that jumped in between, or a link
 * that slow, tells nothing. */
static void measure(qm_session *s, const qm_msg_welcome *m) {
  uint64_t now = clock_ms(s);
  if (now < m->echo_ms || now - m->echo_ms > QM_SYNC_RTT_MAX_MS) return;
  s->rtt_ms = now - m->echo_ms;
  s->offset_ms = (int64_t)(m->clock_ms + s->rtt_ms / 2) - (int64_t)now;
  s->has_offset = 1;
}

static const qm_msg_agreed *find_agreed(qm_agreed_list list, uint32_t *at, const qm_id *id) {
  while (*at < list.n && qm_id_cmp(&list.p[*at].id, id) < 0) ++*at;
  return *at < list.n && qm_id_cmp(&list.p[*at].id, id) == 0 ? &list.p[*at] : NULL;
}

/* What a client listed and the server did not name for SYNC is equal on both sides: the
 * rest of `mine` is dropped, and a hub's silence about it acknowledges it (S8.8). */
static int keep_equal(qm_session *s, qm_agreed_list agreed) {
  uint32_t at = 0, n = 0;
  QM_TRY(reserve_equal(s));
  for (uint32_t i = 0; i < s->n_mine; i++) {
    const qm_msg_agreed *a = find_agreed(agreed, &at, &s->mine[i].line.id);
    if (!a) note_equal(s, &s->mine[i].line.id);
    if (!a || a->flags == QM_AGREED_GRANT) s->mine[n++] = s->mine[i];
  }
  s->n_mine = n;
  s->owes_same = s->hub && n != 0;
  return QM_OK;
}

static int listed(const qm_session *s, const qm_id *id) {
  uint32_t low = 0, high = s->n_mine;
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (qm_id_cmp(&s->mine[mid].line.id, id) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low < s->n_mine && qm_id_cmp(&s->mine[low].line.id, id) == 0;
}

/* The server names only what the client listed, and what a hub grants. */
static int check_agreed(const qm_session *s, qm_agreed_list agreed) {
  uint32_t fresh = 0;
  for (uint32_t i = 0; i < agreed.n; i++) {
    const qm_msg_agreed *a = &agreed.p[i];
    if (!s->hub && a->flags != QM_AGREED_SYNC) return QM_EPROTO;
    if (listed(s, &a->id)) continue;
    if (a->flags != (QM_AGREED_GRANT | QM_AGREED_SYNC)) return QM_EPROTO;
    fresh++;
  }
  return fresh <= QM_SYNC_SPACES_MAX ? QM_OK : QM_EOVERSIZE;
}

static int take_agreed(qm_session *s, qm_agreed_list agreed) {
  QM_TRY(check_agreed(s, agreed));
  QM_TRY(keep_equal(s, agreed));
  QM_TRY(qm__open(s, agreed));
  qm__maybe_finish(s);
  return QM_OK;
}

static int send_list(qm_session *s) {
  qm_msg_line *p = qm_arena_array(&s->arena, s->n_mine, sizeof *p);
  if (!p) return QM_ENOMEM;
  for (uint32_t i = 0; i < s->n_mine; i++) p[i] = s->mine[i].line;
  qm_msg_lines m = {p, s->n_mine};
  QM_TRY(qm__wrote(s, qm_msg_space_list_put(&s->out, &m)));
  qm__set_state(s, QM_S_LIST);
  return QM_OK;
}

int qm__on_welcome(qm_session *s, qm_slice body) {
  qm_msg_welcome m;
  QM_TRY(qm_msg_welcome_get(&m, body, &s->arena));
  if (m.proto < QM_SYNC_PROTO_MIN || m.proto > QM_SYNC_PROTO_MAX) return QM_EVERSION;
  if (m.echo_ms != s->hello_clock_ms) return QM_EPROTO;
  int hub = (m.flags & QM_WELCOME_HUB) != 0;
  /* S8.3: only the certificate makes a hub. */
  if (hub && !(s->options.flags & QM_SESSION_HUB))
    return qm__fail(s, QM_ECERT, "the peer says it is a hub; its certificate does not");
  if (m.result == QM_RESULT_LIST && s->n_mine <= QM_SYNC_HELLO_LINES_MAX) return QM_EPROTO;
  if (m.result == QM_RESULT_DIFFER && s->n_mine > QM_SYNC_HELLO_LINES_MAX) return QM_EPROTO;
  s->proto = m.proto;
  s->hub = (uint8_t)hub;
  s->live = hub && (s->options.flags & QM_SESSION_LIVE);
  s->recover = (m.flags & QM_WELCOME_RECOVER) != 0;
  QM_TRY(check_peer(s, &m.device));
  measure(s, &m);
  if (m.result == QM_RESULT_LIST) return send_list(s);
  s->same_safe = (m.flags & QM_WELCOME_SAFE) != 0;
  return take_agreed(s, m.agreed);
}

int qm__on_agreed(qm_session *s, qm_slice body) {
  qm_agreed_list agreed;
  QM_TRY(qm_msg_agreed_get(&agreed, body, &s->arena));
  return take_agreed(s, agreed);
}
