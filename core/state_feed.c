#include "core/state_feed.h"

#include <string.h>

#include "core/mp.h"
#include "core/zip.h"

#define PACKED_MAX (QM_STATE_PART_MAX)

enum { PART_PLAIN = 0, PART_ZSTD = 1 };

/* --- manifest: [3, space bin16, authors, records, names, batches, bytes, hashes bin] --- */

static uint64_t parts_of(uint64_t bytes) {
  return bytes / QM_STATE_PART + (bytes % QM_STATE_PART != 0);
}

int qm__manifest_write(const qm_manifest *m, const qm_id *space, qm_buf *out) {
  qm_mp_array(out, 8);
  qm_mp_uint(out, 3);
  qm_mp_bin(out, space->b, sizeof space->b);
  qm_mp_uint(out, m->authors);
  qm_mp_uint(out, m->records);
  qm_mp_uint(out, m->names);
  qm_mp_uint(out, m->batches);
  qm_mp_uint(out, m->bytes);
  qm_mp_bin(out, m->hashes.p, m->hashes.n);
  return qm_buf_status(out);
}

int qm__manifest_read(qm_manifest *m, const qm_id *space, qm_slice in) {
  qm_cur c;
  uint64_t version = 0;
  qm_id id;
  memset(m, 0, sizeof *m);
  qm_cur_init(&c, in);
  QM_TRY(qm_cur_array_n(&c, 8));
  QM_TRY(qm_cur_uint(&c, &version));
  if (version != 3) return QM_EVERSION;
  QM_TRY(qm_cur_bin_n(&c, id.b, sizeof id.b));
  QM_TRY(qm_cur_uint32(&c, &m->authors));
  QM_TRY(qm_cur_uint(&c, &m->records));
  QM_TRY(qm_cur_uint(&c, &m->names));
  QM_TRY(qm_cur_uint32(&c, &m->batches));
  QM_TRY(qm_cur_uint(&c, &m->bytes));
  QM_TRY(qm_cur_bin(&c, &m->hashes));
  QM_TRY(qm_cur_end(&c));
  if (qm_id_cmp(&id, space) != 0 || m->hashes.n % QM_HASH_SIZE) return QM_EFORMAT;
  if (m->hashes.n / QM_HASH_SIZE > QM_STATE_PARTS_MAX || m->authors > QM_AUTHORS_MAX)
    return QM_EOVERSIZE;
  m->parts = (uint32_t)(m->hashes.n / QM_HASH_SIZE);
  return parts_of(m->bytes) == m->parts ? QM_OK : QM_EFORMAT;
}

int qm__manifest_is(qm_slice manifest, const uint8_t *hash) {
  qm_hash mine;
  if (!hash) return 1;
  qm_sha256(manifest.p, manifest.n, &mine);
  return memcmp(mine.b, hash, 16) == 0;
}

int qm__manifest_check(const qm_manifest *m, uint32_t part, qm_slice content) {
  qm_hash hash;
  if (part >= m->parts) return QM_ERANGE;
  qm_sha256(content.p, content.n, &hash);
  const uint8_t *said = m->hashes.p + (size_t)part * QM_HASH_SIZE;
  return memcmp(hash.b, said, QM_HASH_SIZE) == 0 ? QM_OK : QM_EHASH;
}

/* --- writing --- */

void qm__pour_init(qm_pour *p, qm_space *s, uint32_t stage) {
  memset(p, 0, sizeof *p);
  p->s = s;
  p->stage = stage;
  qm_buf_init(&p->raw, s->engine->env, QM_STATE_PART);
  qm_buf_init(&p->packed, s->engine->env, PACKED_MAX);
  qm_buf_init(&p->hashes, s->engine->env, (size_t)QM_STATE_PARTS_MAX * QM_HASH_SIZE);
}

void qm__pour_free(qm_pour *p) {
  qm_buf_free(&p->raw);
  qm_buf_free(&p->packed);
  qm_buf_free(&p->hashes);
}

static int pour_part(qm_pour *p) {
  qm_store *store = p->s->engine->store;
  qm_hash hash;
  qm_buf_clear(&p->packed);
  qm_buf_byte(&p->packed, PART_ZSTD);
  int rc = qm_zip(&p->packed, qm_buf_slice(&p->raw), p->s->engine->zip_level);
  if (rc == QM_ENOMEM) return rc;
  if (rc != QM_OK || p->packed.n > p->raw.n) {
    qm_buf_clear(&p->packed);
    qm_buf_byte(&p->packed, PART_PLAIN);
    qm_buf_add(&p->packed, p->raw.p, p->raw.n);
  }
  qm_sha256(p->packed.p, p->packed.n, &hash);
  qm_buf_add(&p->hashes, hash.b, sizeof hash.b); /* QM_ELIMIT beyond the greatest number of parts */
  QM_TRY(qm_buf_status(&p->packed));
  QM_TRY(qm_buf_status(&p->hashes));
  qm_buf_clear(&p->raw);
  return store->ops->stage_part(store, p->stage, p->m.parts++, qm_buf_slice(&p->packed));
}

static int pour_bytes(qm_pour *p, const uint8_t *from, size_t n) {
  p->m.bytes += n;
  while (n) {
    size_t room = QM_STATE_PART - p->raw.n, some = n < room ? n : room;
    qm_buf_add(&p->raw, from, some);
    QM_TRY(qm_buf_status(&p->raw));
    from += some;
    n -= some;
    if (p->raw.n == QM_STATE_PART) QM_TRY(pour_part(p));
  }
  return QM_OK;
}

int qm__pour_item(qm_pour *p, qm_slice item) {
  uint8_t head[4];
  if (item.n > QM_ITEM_MAX) return QM_ELIMIT;
  for (int i = 0; i < 4; i++) head[i] = (uint8_t)(item.n >> (24 - 8 * i));
  QM_TRY(pour_bytes(p, head, sizeof head));
  return pour_bytes(p, item.p, item.n);
}

int qm__pour_end(qm_pour *p) {
  if (p->raw.n) QM_TRY(pour_part(p));
  p->m.hashes = qm_buf_slice(&p->hashes);
  return QM_OK;
}

/* --- reading --- */

void qm__feed_init(qm_feed *f, qm_space *s, uint32_t stage, const qm_manifest *m) {
  memset(f, 0, sizeof *f);
  f->s = s;
  f->stage = stage;
  f->m = m;
  f->left = m->bytes;
  qm_buf_init(&f->packed, s->engine->env, PACKED_MAX);
  qm_buf_init(&f->raw, s->engine->env, QM_STATE_PART);
  qm_buf_init(&f->item, s->engine->env, QM_ITEM_MAX);
}

void qm__feed_free(qm_feed *f) {
  qm_buf_free(&f->packed);
  qm_buf_free(&f->raw);
  qm_buf_free(&f->item);
}

static int unpack(qm_feed *f) {
  qm_slice in = qm_buf_slice(&f->packed);
  if (!in.n) return QM_EFORMAT;
  qm_slice rest = qm_slice_of(in.p + 1, in.n - 1);
  if (in.p[0] == PART_ZSTD) return qm_unzip(&f->raw, rest, QM_STATE_PART);
  if (in.p[0] != PART_PLAIN) return QM_EFORMAT;
  if (rest.n > QM_STATE_PART) return QM_EOVERSIZE;
  qm_buf_add(&f->raw, rest.p, rest.n);
  return qm_buf_status(&f->raw);
}

static int feed_part(qm_feed *f) {
  qm_store *store = f->s->engine->store;
  if (f->part == f->m->parts) return QM_ETRUNCATED;
  qm_buf_clear(&f->packed);
  qm_buf_clear(&f->raw);
  f->at = 0;
  int rc = store->ops->stage_read(store, f->stage, f->part, &f->packed);
  if (rc == QM_ENOTFOUND) return QM_ETRUNCATED;
  QM_TRY(rc);
  /* It was checked before it was staged: what differs is this store's damage. */
  if (qm__manifest_check(f->m, f->part, qm_buf_slice(&f->packed)) != QM_OK) return QM_ECORRUPT;
  QM_TRY(unpack(f));
  uint64_t before = (uint64_t)f->part++ * QM_STATE_PART, most = f->m->bytes - before;
  return f->raw.n == (most < QM_STATE_PART ? most : QM_STATE_PART) ? QM_OK : QM_EFORMAT;
}

static int feed_bytes(qm_feed *f, size_t n) {
  qm_buf_clear(&f->item);
  while (n) {
    if (f->at == f->raw.n) QM_TRY(feed_part(f));
    size_t there = f->raw.n - f->at, some = n < there ? n : there;
    qm_buf_add(&f->item, f->raw.p + f->at, some);
    QM_TRY(qm_buf_status(&f->item));
    f->at += some;
    f->left -= some;
    n -= some;
  }
  return QM_OK;
}

int qm__feed_item(qm_feed *f, qm_slice *out) {
  size_t n = 0;
  if (f->left < 4) return QM_ETRUNCATED;
  QM_TRY(feed_bytes(f, 4));
  for (int i = 0; i < 4; i++) n = n << 8 | f->item.p[i];
  if (n > QM_ITEM_MAX) return QM_EOVERSIZE;
  if (n > f->left) return QM_ETRUNCATED;
  QM_TRY(feed_bytes(f, n));
  *out = qm_buf_slice(&f->item);
  return QM_OK;
}

int qm__feed_end(const qm_feed *f) { return f->left ? QM_ETRAILING : QM_OK; }
