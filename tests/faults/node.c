#include "tests/faults/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mp.h"
#include "core/write.h"

enum { TEL = 20, LAST, FIRST, STATE, TAGS, VISITS, STEPS, NOTES, HEAD };
enum { RECORDS = 6 };

void broken(const char *format, ...) {
  va_list ap;
  printf("not ok - ");
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  printf("\n");
  exit(1);
}

void must(int rc, const char *what) {
  if (rc != QM_OK) broken("%s: %s", what, qm_err_text(rc));
}

/* --- env --- */

static uint64_t clock_of(void *payload) { return ((node *)payload)->now_ms; }

static int random_of(void *payload, uint8_t *to, size_t len) {
  node *n = payload;
  for (size_t i = 0; i < len; i++) { /* xorshift64 */
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    to[i] = (uint8_t)(n->random >> 24);
  }
  return QM_OK;
}

static int instance_of(void *payload, uint8_t out[16]) {
  memcpy(out, ((node *)payload)->instance, 16);
  return QM_OK;
}

void node_init(node *n, char name) {
  memset(n, 0, sizeof *n);
  n->now_ms = UINT64_C(1700000000000);
  n->random = 88172645463325252u + (unsigned char)name;
  n->instance[0] = (uint8_t)name;
  n->device.b[0] = (uint8_t)name;
  n->env = qm_env_default();
  n->env.payload = n;
  n->env.now_ms = clock_of;
  n->env.random = random_of;
  n->env.instance = instance_of;
}

/* --- the space --- */

static const qm_id space_id = {{'s'}};
static const qm_slice none = {NULL, 0};
static qm_slice words(const char *s) { return qm_slice_of(s, strlen(s)); }

void node_schema(const qm_env *env, qm_buf *out) {
  static const struct {
    const char *name;
    uint8_t type, value;
  } of[] = {{"tel", QM_FIELD_REGISTER, QM_VALUE_TEXT}, {"last", QM_FIELD_MAX, QM_VALUE_INT},
            {"first", QM_FIELD_MIN, QM_VALUE_INT},     {"state", QM_FIELD_STATE, QM_VALUE_ENUM},
            {"tags", QM_FIELD_SET, QM_VALUE_INT},      {"visits", QM_FIELD_COUNTER, QM_VALUE_INT},
            {"steps", QM_FIELD_LOG, QM_VALUE_TEXT},    {"notes", QM_FIELD_TEXT, QM_VALUE_TEXT},
            {"head", QM_FIELD_REF, QM_VALUE_REF}};
  enum { FIELDS = sizeof of / sizeof of[0] };
  const qm_enum_item items[] = {{.name = words("open"), .rank = 1},
                                {.name = words("closed"), .rank = 2}};
  qm_field_def f[FIELDS];
  qm_error e = {0, ""};
  for (uint32_t i = 0; i < FIELDS; i++)
    f[i] = (qm_field_def){.number = TEL + i,
                          .name = words(of[i].name),
                          .type = of[i].type,
                          .value = of[i].value,
                          .cls = QM_CLASS_WORK};
  f[STATE - TEL].items = items;
  f[STATE - TEL].n_items = 2;
  qm_collection_def c = {.number = 1,
                         .name = words("household"),
                         .purpose = words("test"),
                         .retention = words("P1Y"),
                         .fields = f,
                         .n_fields = FIELDS};
  qm_schema s = {.version = 1,
                 .name = words("faults"),
                 .drift_ms = 600000,
                 .lease_days = 90,
                 .review_days = 90,
                 .collections = &c,
                 .n_collections = 1};
  if (qm_schema_check(&s, &e) != QM_OK) broken("schema: %s", e.message);
  qm_buf_init(out, env, 1u << 20);
  qm_schema_encode(&s, out);
  must(qm_buf_status(out), "schema");
}

void node_memory(node *n) { must(qm_store_mem_open(&n->env, &n->store), "store"); }

void node_engine(node *n) {
  qm_engine_options o = {.size = sizeof o, .device = n->device};
  qm_error e = {0, ""};
  qm_buf schema;
  int rc = qm_engine_open(&n->engine, &n->env, n->store, &o, &e);
  if (rc != QM_OK) broken("open: %s: %s", qm_err_text(rc), e.message);
  n->space = qm_engine_space(n->engine, &space_id);
  if (n->space) return;
  node_schema(&n->env, &schema);
  qm_space_info info = {.id = space_id,
                        .name = words("s"),
                        .role = words("grid"),
                        .schema = qm_buf_slice(&schema),
                        .readable = 1,
                        .writable = 1};
  must(qm_engine_space_put(n->engine, &info, &e), "space");
  qm_buf_free(&schema);
  n->space = qm_engine_space(n->engine, &space_id);
}

void node_close(node *n) {
  qm_engine_close(n->engine);
  n->store->ops->close(n->store);
}

/* --- changes --- */

static qm_id record_of(unsigned i) {
  qm_id id = {{'r', (uint8_t)(i % RECORDS)}};
  return id;
}

static const qm_id sum_id = {{'t'}};

static qm_slice text_of(qm_buf *b, const char *s) {
  qm_buf_clear(b);
  qm_mp_str(b, s, strlen(s));
  return qm_buf_slice(b);
}

static qm_slice int_of(qm_buf *b, int64_t v) {
  qm_buf_clear(b);
  qm_mp_int(b, v);
  return qm_buf_slice(b);
}

static int write_field(qm_write *w, node *n, unsigned i, const qm_id *id, qm_buf *b) {
  char text[48];
  qm_id other = record_of(i + 1);
  (void)snprintf(text, sizeof text, "%c wrote %u", n->instance[0], i);
  switch (i % 12) {
    case 0: return qm_write_set(w, id, TEL, text_of(b, text), none, 0);
    case 1: return qm_write_raise(w, id, LAST, int_of(b, i * 3), none);
    case 2: return qm_write_raise(w, id, FIRST, int_of(b, 100 - (int64_t)i), none);
    case 3: return qm_write_set(w, id, STATE, text_of(b, i % 2 ? "open" : "closed"), none, 0);
    case 4: return qm_write_add(w, id, TAGS, int_of(b, i % 5), 0);
    case 5: return qm_write_remove(w, id, TAGS, int_of(b, (i - 1) % 5), none);
    case 6: return qm_write_append(w, id, STEPS, text_of(b, text));
    case 7: return qm_write_splice(w, id, NOTES, 0, 0, words(text), none);
    case 8: return qm_write_splice(w, id, NOTES, UINT64_MAX, 0, words("结束"), none);
    case 9:
      qm_buf_clear(b);
      qm_mp_bin(b, other.b, sizeof other.b);
      return qm_write_set(w, id, HEAD, qm_buf_slice(b), none, 0);
    case 10: return qm_write_delete(w, id, none);
    default: return qm_write_restore(w, id);
  }
}

void node_write(node *n, unsigned i) {
  qm_write *w;
  qm_buf b;
  qm_id id = record_of(i / 2), out;
  int existing;
  n->now_ms += 1000;
  qm_buf_init(&b, &n->env, 1000);
  must(qm_write_begin(&w, n->engine, n->space, 0), "begin a change");
  int rc = qm_write_inc(w, &sum_id, VISITS, (int64_t)i + 1);
  if (rc == QM_ENOTFOUND) {
    must(qm_write_new(w, 1, &sum_id, none, &out, &existing), "new");
    rc = qm_write_inc(w, &sum_id, VISITS, (int64_t)i + 1);
  }
  must(rc, "inc");
  rc = write_field(w, n, i, &id, &b);
  if (rc == QM_ENOTFOUND) {
    must(qm_write_new(w, 1, &id, none, &out, &existing), "new");
    rc = write_field(w, n, i, &id, &b);
  }
  if (rc != QM_EINVISIBLE) must(rc, "write");
  must(qm_write_commit(w, QM_DURABLE), "commit a change");
  qm_buf_free(&b);
}

void node_write_large(node *n, unsigned records) {
  static char text[1500];
  qm_buf b;
  qm_buf_init(&b, &n->env, sizeof text + 10);
  for (unsigned i = 0; i < records; i++) {
    for (size_t k = 0; k + 1 < sizeof text; k++) { /* little to compress */
      uint8_t x;
      (void)random_of(n, &x, 1);
      text[k] = (char)('a' + x % 26);
    }
    qm_write *w;
    qm_id id = {{'L', (uint8_t)(i >> 8), (uint8_t)i}}, out;
    int existing;
    must(qm_write_begin(&w, n->engine, n->space, 0), "begin a change");
    must(qm_write_new(w, 1, &id, none, &out, &existing), "new");
    must(qm_write_set(w, &id, TEL, text_of(&b, text), none, 0), "set");
    must(qm_write_commit(w, QM_DURABLE), "commit a change");
  }
  qm_buf_free(&b);
}

void node_push(node *n) { must(qm_engine_push(n->engine, n->space), "push"); }

int64_t node_sum(node *n) {
  qm_arena arena;
  const qm_record *r;
  int64_t sum = 0;
  qm_arena_init(&arena, &n->env, 1u << 26);
  int rc = qm_engine_read(n->engine, n->space, &sum_id, &arena, &r);
  if (rc == QM_OK) {
    const qm_cell *cell = qm_record_cell(r, VISITS, QM_TOTALS);
    if (cell) must(qm_totals_sum(qm_totals_of(cell), &sum), "sum");
  } else if (rc != QM_ENOTFOUND) {
    must(rc, "read");
  }
  qm_arena_free(&arena);
  return sum;
}

void node_digest(node *n, uint8_t out[32]) {
  qm_digest d;
  must(qm_engine_vv_digest(n->engine, n->space, out), "vv digest");
  qm_space_digest(n->space, &d);
  qm_digest_bytes(&d, out + 16);
}

void node_check(node *n) {
  qm_error e = {0, ""};
  int rc = qm_engine_check(n->engine, n->space, &e);
  if (rc != QM_OK) broken("check: %s: %s", qm_err_text(rc), e.message);
}

void nodes_equal(node *a, node *b) {
  uint8_t x[32], y[32];
  node_check(a);
  node_check(b);
  node_digest(a, x);
  node_digest(b, y);
  if (memcmp(x, y, 16) != 0) broken("the version vectors differ");
  if (memcmp(x + 16, y + 16, 16) != 0) broken("equal version vectors, other digests");
}

int node_acknowledged_holds(node *phone, node *hub) {
  const qm_authors *authors = qm_space_authors(phone->space);
  for (uint32_t a = 0; a < authors->n; a++) {
    uint32_t there;
    uint64_t next = qm_vv_get(qm_space_acknowledged(phone->space), a);
    if (!next) continue;
    if (qm_authors_find(qm_space_authors(hub->space), &authors->ids[a], &there) != QM_OK) return 0;
    if (qm_vv_get(qm_space_vv(hub->space), there) < next) return 0;
  }
  return 1;
}

/* --- sessions --- */

typedef struct side {
  node *n;
  qm_answer answer;
  qm_session *s;
  qm_buf in, all; /* not fed yet; everything that came */
  flow *came;
  int closed, code;
} side;

static void side_open(side *x, node *n, qm_session_role role, const qm_id *peer, flow *came) {
  qm_session_options o = {
      .size = sizeof o, .flags = QM_SESSION_HUB, .device = n->device, .peer = *peer};
  memset(x, 0, sizeof *x);
  x->n = n;
  x->came = came;
  qm_answer_init(&x->answer, &n->env, n->engine, role == QM_SERVER ? QM_ANSWER_HUB : 0u, NULL);
  qm_buf_init(&x->in, &n->env, 64u << 20);
  qm_buf_init(&x->all, &n->env, 64u << 20);
  must(qm_session_new(&x->s, &n->env, role, &o), "session");
}

static void side_events(side *x) {
  qm_event ev;
  while (qm_session_next(x->s, &ev)) {
    qm_event_kind kind = ev.kind;
    if (kind == QM_EV_CLOSED) x->closed = 1, x->code = ev.code;
    if (kind == QM_EV_DIFFER) broken("a session says that the replicas differ");
    if (kind == QM_EV_STOPPED || kind == QM_EV_FORK) broken("a session stops: %d", ev.code);
    must(qm_answer_event(&x->answer, x->s, &ev), "an answer");
    x->came->parts += kind == QM_EV_STATE_TAKE;
    x->came->joins += kind == QM_EV_STATE_JOIN;
    if (kind != QM_EV_COMMIT) continue;
    if (x->answer.own.reply.n_refusals)
      broken("refused: %s", x->answer.own.reply.refusals[0].message);
    must(x->answer.own.rc, "a commit");
    x->came->commits++;
    x->came->taken += x->answer.own.reply.taken;
    x->came->known += x->answer.own.reply.known;
  }
}

/* Feeds all that it takes: an event or an answer may stand before the rest. */
static void feed(side *x) {
  for (size_t used = 1; used && x->in.n;) {
    used = 0;
    (void)qm_session_feed(x->s, x->in.p, x->in.n, &used);
    if (used) memmove(x->in.p, x->in.p + used, x->in.n - used);
    x->in.n -= used;
    side_events(x);
  }
}

/* Moves a piece and feeds it. Returns whether anything moved. */
static int move(side *from, side *to, size_t most) {
  uint8_t piece[997];
  size_t n, cap = sizeof piece;
  if (cap > most - to->came->bytes) cap = most - to->came->bytes;
  if (!cap) return 0;
  must(qm_session_take(from->s, piece, cap, &n), "take");
  side_events(from); /* what had waited for room */
  to->came->bytes += n;
  qm_buf_add(&to->all, piece, n);
  qm_buf_add(&to->in, piece, n);
  must(qm_buf_status(&to->in), "a pipe");
  feed(to);
  return n > 0;
}

/* Whole BATCH frames in what came: length (4 bytes), then an array of 4 whose first item is 7. */
static unsigned batches_in(const qm_buf *b) {
  unsigned count = 0;
  for (size_t at = 0; at + 4 <= b->n;) {
    size_t len = (size_t)b->p[at] << 24 | (size_t)b->p[at + 1] << 16 | (size_t)b->p[at + 2] << 8 |
                 b->p[at + 3];
    if (len > b->n - at - 4) break;
    if (len > 2 && b->p[at + 4] == 0x94 && b->p[at + 5] == 7) count++;
    at += 4 + len;
  }
  return count;
}

static void side_close(side *x) {
  x->came->batches = batches_in(&x->all);
  qm_session_free(x->s);
  qm_answer_free(&x->answer);
  qm_buf_free(&x->in);
  qm_buf_free(&x->all);
}

outcome node_session(node *phone, node *hub, cut where, size_t at) {
  outcome o = {0};
  side p, h;
  size_t most_up = where == CUT_UP ? at : SIZE_MAX, most_down = where == CUT_DOWN ? at : SIZE_MAX;
  side_open(&p, phone, QM_CLIENT, &hub->device, &o.down);
  side_open(&h, hub, QM_SERVER, &phone->device, &o.up);
  side_events(&p);
  for (int go = 1; go;) {
    go = move(&p, &h, most_up);
    if (where == CUT_UP && o.up.bytes == at) break;
    go |= move(&h, &p, most_down);
    if (where == CUT_DOWN && o.down.bytes == at) break;
  }
  o.whole = p.closed && h.closed && p.code == QM_OK && h.code == QM_OK;
  if (!o.whole) {
    qm_session_shut(p.s, QM_ECLOSED);
    qm_session_shut(h.s, QM_ECLOSED);
    side_events(&p);
    side_events(&h);
  }
  side_close(&p);
  side_close(&h);
  return o;
}
