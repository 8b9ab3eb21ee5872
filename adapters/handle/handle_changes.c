/* handle_changes.c: the feed of changes, and waiting for it. A cursor is the epoch of the
 * author that this database writes as, and a seq of the feed: a copy or a restored backup
 * has another epoch, so that what it lost is not taken for seen. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "adapters/handle/handle.h"
#include "core/feed.h"
#include "core/space.h"
#include "sync/uv/client.h"

#define LIMIT_DEFAULT 1000u
#define POLL_MS 100u /* another process says nothing: its commits are looked for */
#define CURSOR_SIZE 40u
#define EPOCH_SIZE 8u
#define FIELDS_MAX (QM_FEED_FIELDS_MAX + 2) /* of one entry */

typedef struct cursor {
  uint8_t epoch[EPOCH_SIZE];
  uint64_t seq;
  int empty;
} cursor;

static int parse(qm_slice text, cursor *out, qm_error *e) {
  const size_t head = 2 * EPOCH_SIZE + 1;
  memset(out, 0, sizeof *out);
  out->empty = text.n == 0;
  if (out->empty) return QM_OK;
  int bad = text.n <= head || text.n > head + 19 || text.p[head - 1] != '-' ||
            qm_unhex(out->epoch, EPOCH_SIZE, (const char *)text.p, 2 * EPOCH_SIZE) != QM_OK;
  for (size_t i = head; !bad && i < text.n; i++) {
    bad = text.p[i] < '0' || text.p[i] > '9';
    out->seq = out->seq * 10 + (uint64_t)(text.p[i] - '0');
  }
  return bad || out->seq > INT64_MAX ? qm_fail(e, QM_EINVAL, "that is no cursor") : QM_OK;
}

static int epoch_of(qm_db *db, uint8_t out[EPOCH_SIZE]) {
  qm_buf b;
  qm_buf_init(&b, &db->env, QM_AUTHOR_SIZE);
  int rc = qm__handle_meta_get(db, "author", &b);
  if (rc == QM_OK && b.n != QM_AUTHOR_SIZE) rc = QM_ECORRUPT;
  if (rc == QM_OK) memcpy(out, b.p + QM_AUTHOR_SIZE - EPOCH_SIZE, EPOCH_SIZE);
  qm_buf_free(&b);
  return rc;
}

/* 1 where the feed says what changed after the cursor. */
static int goes_on(const cursor *since, const uint8_t epoch[EPOCH_SIZE], uint64_t last) {
  return !since->empty && since->seq <= last && memcmp(since->epoch, epoch, EPOCH_SIZE) == 0;
}

/* ---- a line ---- */

typedef struct listing {
  qm_db *db;
  cursor since;
  uint8_t epoch[EPOCH_SIZE];
  qm_buf *out;
  int tried;
} listing;

static void put_cursor(listing *l, uint64_t seq) {
  char text[CURSOR_SIZE], epoch[2 * EPOCH_SIZE + 1];
  qm_hex(epoch, l->epoch, EPOCH_SIZE);
  (void)snprintf(text, sizeof text, "%.16s-%llu", epoch, (unsigned long long)seq);
  qm__handle_put(l->out, "{\"cursor\":\"");
  qm__handle_put(l->out, text);
  qm__handle_put(l->out, "\"");
}

static qm_space *space_of(qm_db *db, uint32_t number) {
  for (uint32_t i = 0; i < qm_engine_space_count(db->engine); i++) {
    qm_space *s = qm_engine_space_at(db->engine, i);
    if (qm__handle_number(s) == number) return s;
  }
  return NULL;
}

static void put_space(qm_buf *b, const qm_space *s) {
  qm_space_info info;
  qm_space_info_get(s, &info);
  qm__handle_put(b, ",\"space\":");
  qm__handle_put_id(b, &info.id);
}

static int take_collection(void *payload, const qm_record_row *row) {
  *(uint32_t *)payload = row->collection;
  return QM_OK;
}

typedef struct touched {
  int all, presence, local, remote, aside;
  uint32_t fields[FIELDS_MAX];
  uint32_t n;
} touched;

static void note(touched *t, const qm_feed_field *f) {
  t->local |= !f->remote;
  t->remote |= f->remote != 0;
  if (f->field == QM_FEED_ALL) t->all = 1;
  if (f->field == QM_FEED_ASIDE) t->aside = 1;
  if (f->field == QM_FEED_ALL || f->field == 0) t->presence = 1;
  if (f->field >= QM_FEED_ASIDE || f->field == 0) return;
  uint32_t at = 0; /* ascending */
  while (at < t->n && t->fields[at] < f->field) at++;
  if ((at < t->n && t->fields[at] == f->field) || t->n == FIELDS_MAX) return;
  memmove(t->fields + at + 1, t->fields + at, (t->n - at) * sizeof t->fields[0]);
  t->fields[at] = f->field;
  t->n++;
}

static int read_touched(const listing *l, const qm_feed_row *row, touched *t) {
  qm_feed_field f;
  qm_cur c;
  int more;
  memset(t, 0, sizeof *t);
  QM_TRY(qm_feed_open(&c, row->fields));
  for (;;) {
    QM_TRY(qm_feed_next(&c, row->seq, &f, &more));
    if (!more) return QM_OK;
    if (f.seq > l->since.seq) note(t, &f);
  }
}

static void put_fields(qm_buf *b, const qm_collection_def *c, const touched *t) {
  if (t->all) {
    qm__handle_put(b, "null");
    return;
  }
  qm_buf_byte(b, '[');
  for (uint32_t i = 0; i < t->n; i++) {
    const qm_field_def *f = c ? qm_collection_field(c, t->fields[i]) : NULL;
    if (i) qm_buf_byte(b, ',');
    if (f)
      qm_json_str(b, f->name);
    else
      qm__handle_put_u64(b, t->fields[i]);
  }
  qm_buf_byte(b, ']');
}

static int put_record(listing *l, const qm_space *s, const qm_feed_row *row) {
  qm_store *store = l->db->store;
  uint32_t number = 0;
  touched t;
  QM_TRY(read_touched(l, row, &t));
  QM_TRY(store->ops->record_load(store, row->space, &row->record, 1, take_collection, &number));
  const qm_schema *schema = qm_space_schema(s);
  const qm_collection_def *c = schema ? qm_schema_collection(schema, number) : NULL;
  qm__handle_put(l->out, ",\"collection\":");
  if (c)
    qm_json_str(l->out, c->name);
  else if (number) /* of a newer schema */
    qm__handle_put_u64(l->out, number);
  else
    qm__handle_put(l->out, "null");
  qm__handle_put(l->out, ",\"id\":");
  qm__handle_put_id(l->out, &row->record);
  qm__handle_put(l->out, ",\"fields\":");
  put_fields(l->out, c, &t);
  qm__handle_put(l->out, t.presence ? ",\"presence\":true" : ",\"presence\":false");
  if (t.aside) qm__handle_put(l->out, ",\"set_aside\":true");
  qm__handle_put(l->out, t.local ? ",\"local\":true" : ",\"local\":false");
  qm__handle_put(l->out, t.remote ? ",\"remote\":true}\n" : ",\"remote\":false}\n");
  return qm_buf_status(l->out);
}

static int take_row(void *payload, const qm_feed_row *row) {
  listing *l = payload;
  const qm_space *s = space_of(l->db, row->space);
  /* A space that another process made: read anew, once. */
  if (!s && !l->tried) return QM_ECORRUPT;
  put_cursor(l, row->seq);
  if (s) put_space(l->out, s);
  if (s && !qm_id_is_zero(&row->record)) return put_record(l, s, row);
  qm__handle_put(l->out, ",\"all\":true}\n");
  return qm_buf_status(l->out);
}

static int changes(listing *l, uint32_t limit) {
  qm_store *store = l->db->store;
  uint64_t last;
  QM_TRY(epoch_of(l->db, l->epoch));
  QM_TRY(store->ops->feed_last(store, &last));
  if (goes_on(&l->since, l->epoch, last))
    return store->ops->feed_after(store, l->since.seq, limit, take_row, l);
  put_cursor(l, last);
  qm__handle_put(l->out, ",\"all\":true}\n");
  return qm_buf_status(l->out);
}

int32_t qm_changes(qm_db *db, qm_slice since, uint32_t limit, qm_text *out, qm_error *e) {
  listing l = {.db = db};
  qm_buf b;
  int rc;
  if (!out) return qm_fail(e, QM_EINVAL, "changes: an argument is missing");
  QM_TRY(parse(since, &l.since, e));
  QM_TRY(qm__handle_enter(db, e));
  qm_buf_init(&b, &db->env, QM_HANDLE_TEXT_MAX);
  l.out = &b;
  l.tried = db->tx || db->syncing; /* then nothing can be read anew */
  do {
    qm_buf_clear(&b);
    rc = qm__handle_view(db);
    if (rc == QM_OK) rc = changes(&l, limit ? limit : LIMIT_DEFAULT);
    qm__handle_view_end(db);
  } while (qm__handle_again(db, rc, &l.tried));
  qm__handle_leave(db);
  if (rc == QM_OK) return qm__handle_result(&b, out, e);
  qm_buf_free(&b);
  return qm_fail(e, rc, "changes: %s", qm_err_text(rc));
}

/* ---- waiting ---- */

/* *news = 1 where qm_changes would give a line. */
static int look(qm_db *db, const cursor *since, int *news) {
  uint8_t epoch[EPOCH_SIZE];
  uint64_t last = 0;
  int rc = qm__handle_view(db);
  if (rc == QM_OK) rc = epoch_of(db, epoch);
  if (rc == QM_OK) rc = db->store->ops->feed_last(db->store, &last);
  qm__handle_view_end(db);
  *news = rc == QM_OK && (!goes_on(since, epoch, last) || last > since->seq);
  return rc;
}

static int is_past(const struct timespec *until) {
  struct timespec now = qm__handle_deadline(0);
  return now.tv_sec > until->tv_sec ||
         (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

static int wait_locked(qm_db *db, const cursor *since, uint32_t timeout_ms) {
  struct timespec until = qm__handle_deadline(timeout_ms == UINT32_MAX ? 0 : timeout_ms);
  uint32_t interrupts = db->interrupts;
  for (int news;;) {
    if (db->interrupts != interrupts) return QM_ECLOSED;
    QM_TRY(look(db, since, &news));
    if (news) return QM_OK;
    if (timeout_ms != UINT32_MAX && is_past(&until)) return QM_ETIMEOUT;
    struct timespec next = qm__handle_deadline(POLL_MS);
    int sooner = timeout_ms != UINT32_MAX &&
                 (until.tv_sec < next.tv_sec ||
                  (until.tv_sec == next.tv_sec && until.tv_nsec < next.tv_nsec));
    (void)qm__wait_until(&db->changed, &db->mutex, sooner ? &until : &next);
    if (atomic_load(&db->suspended)) return QM_ESUSPENDED;
    if (!db->store) return QM_EINTERNAL; /* opening again failed while it slept */
  }
}

int32_t qm_changes_wait(qm_db *db, qm_slice since, uint32_t timeout_ms, qm_error *e) {
  cursor at;
  QM_TRY(parse(since, &at, e));
  QM_TRY(qm__handle_enter(db, e));
  int rc = wait_locked(db, &at, timeout_ms);
  qm__handle_leave(db);
  return rc == QM_OK ? rc : qm_fail(e, rc, "changes: %s", qm_err_text(rc));
}

void qm_interrupt(qm_db *db) {
  if (!db) return;
  pthread_mutex_lock(&db->mutex);
  db->interrupts++;
  pthread_cond_broadcast(&db->changed);
  if (db->wake) qm_client_poke(db->wake);
  pthread_mutex_unlock(&db->mutex);
  qm__events_interrupt(db);
}
