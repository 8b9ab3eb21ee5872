#include "core/state_feed.h"

#include <string.h>

#include "core/mp.h"
#include "core/zip.h"

#define BLOCK_MAX (QM_ITEM_MAX + 4u) /* bytes of a block, also unpacked */
/* Items that are no records are let go in blocks of about so much. */
#define PLAIN_BYTES 262144u
/* A snapshot is made once and sent many times. */
#define LEVEL_DEFAULT 17

#define MANIFEST 5u /* the version of manifest and columns */

/* --- manifest: [version, space bin16, authors, records, names, batches, bytes, hashes bin] --- */

static uint64_t parts_of(uint64_t bytes) {
  return bytes / QM_STATE_PART + (bytes % QM_STATE_PART != 0);
}

int qm__manifest_write(const qm_manifest *m, const qm_id *space, qm_buf *out) {
  qm_mp_array(out, 8);
  qm_mp_uint(out, MANIFEST);
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
  if (version != MANIFEST) return QM_EVERSION;
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
  qm_buf_init(&p->block, s->engine->env, BLOCK_MAX);
  qm_buf_init(&p->packed, s->engine->env, BLOCK_MAX);
  qm_buf_init(&p->part, s->engine->env, QM_STATE_PART);
  qm_buf_init(&p->hashes, s->engine->env, (size_t)QM_STATE_PARTS_MAX * QM_HASH_SIZE);
}

void qm__pour_free(qm_pour *p) {
  qm_buf_free(&p->block);
  qm_buf_free(&p->packed);
  qm_buf_free(&p->part);
  qm_buf_free(&p->hashes);
}

static int pour_part(qm_pour *p) {
  qm_store *store = p->s->engine->store;
  qm_hash hash;
  qm_sha256(p->part.p, p->part.n, &hash);
  qm_buf_add(&p->hashes, hash.b, sizeof hash.b); /* QM_ELIMIT beyond the greatest number of parts */
  QM_TRY(qm_buf_status(&p->hashes));
  QM_TRY(store->ops->stage_part(store, p->stage, p->m.parts++, qm_buf_slice(&p->part)));
  qm_buf_clear(&p->part);
  return QM_OK;
}

static int pour_bytes(qm_pour *p, const uint8_t *from, size_t n) {
  p->m.bytes += n;
  while (n) {
    size_t room = QM_STATE_PART - p->part.n, some = n < room ? n : room;
    qm_buf_add(&p->part, from, some);
    QM_TRY(qm_buf_status(&p->part));
    from += some;
    n -= some;
    if (p->part.n == QM_STATE_PART) QM_TRY(pour_part(p));
  }
  return QM_OK;
}

/* Records in columns, where they can be; else what compresses compressed. */
static int pack(qm_pour *p, qm_slice block, unsigned *kind) {
  const qm_space *s = p->s;
  int level = s->engine->zip_level ? s->engine->zip_level : LEVEL_DEFAULT;
  qm_buf_clear(&p->packed);
  *kind = QM__BLOCK_COLUMNS;
  int rc = p->records ? qm__columns_write(&p->packed, block, s->authors.rank, s->authors.n, level,
                                          &p->sizes)
                      : QM_ELIMIT;
  if (rc != QM_ELIMIT) return rc;
  qm_buf_clear(&p->packed);
  *kind = QM__BLOCK_ZSTD;
  rc = qm_zip(&p->packed, block, level);
  if (rc == QM_ENOMEM) return rc;
  if (rc != QM_OK || p->packed.n >= block.n) *kind = QM__BLOCK_PLAIN;
  return QM_OK;
}

/* The first half of the items, at least one; 0 where there is but one. */
static size_t half_of(qm_slice block) {
  qm_cur in;
  uint32_t n = 0;
  qm_slice item;
  size_t at = 0;
  qm_cur_init(&in, block);
  do {
    if (qm_cur_be32(&in, &n) != QM_OK || qm_cur_span(&in, n, &item) != QM_OK) return 0;
    at = block.n - qm_cur_left(&in);
  } while (at < block.n / 2);
  return at < block.n ? at : 0;
}

static int pour_packed(qm_pour *p, qm_slice block, unsigned kind) {
  uint8_t head[QM__BLOCK_HEAD];
  qm_slice bytes = kind == QM__BLOCK_PLAIN ? block : qm_buf_slice(&p->packed);
  head[0] = (uint8_t)kind;
  for (unsigned i = 0; i < 4; i++) head[1 + i] = (uint8_t)(bytes.n >> (24 - 8 * i));
  QM_TRY(pour_bytes(p, head, sizeof head));
  return pour_bytes(p, bytes.p, bytes.n);
}

/* What has more in it than columns may have is halved; the second half goes round again. */
static int pour_block(qm_pour *p) {
  qm_slice block = qm_buf_slice(&p->block);
  size_t n = block.n;
  unsigned kind;
  while (block.n) {
    qm_slice some = qm_slice_of(block.p, n);
    QM_TRY(pack(p, some, &kind));
    size_t half = p->records && kind != QM__BLOCK_COLUMNS ? half_of(some) : 0;
    if (half) {
      n = half;
      continue;
    }
    QM_TRY(pour_packed(p, some, kind));
    block = qm_slice_of(block.p + n, block.n - n);
    n = block.n;
  }
  qm_buf_clear(&p->block);
  return QM_OK;
}

int qm__pour_item(qm_pour *p, qm_slice item, int record) {
  size_t most = record ? QM_BLOCK_BYTES : PLAIN_BYTES;
  if (item.n > QM_ITEM_MAX) return QM_ELIMIT;
  if (p->records != record || p->block.n + item.n + 4 > most) QM_TRY(pour_block(p));
  p->records = record;
  qm_buf_be32(&p->block, (uint32_t)item.n);
  qm_buf_add(&p->block, item.p, item.n);
  return qm_buf_status(&p->block);
}

int qm__pour_end(qm_pour *p) {
  QM_TRY(pour_block(p));
  if (p->part.n) QM_TRY(pour_part(p));
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
  qm_buf_init(&f->raw, s->engine->env, QM_STATE_PART);
  qm_buf_init(&f->packed, s->engine->env, BLOCK_MAX);
  qm__block_init(&f->block, s->engine->env);
}

void qm__feed_free(qm_feed *f) {
  qm_buf_free(&f->raw);
  qm_buf_free(&f->packed);
  qm__block_free(&f->block);
}

static int feed_part(qm_feed *f) {
  qm_store *store = f->s->engine->store;
  if (f->part == f->m->parts) return QM_ETRUNCATED;
  qm_buf_clear(&f->raw);
  f->at = 0;
  int rc = store->ops->stage_read(store, f->stage, f->part, &f->raw);
  if (rc == QM_ENOTFOUND) return QM_ETRUNCATED;
  if (rc == QM_ELIMIT) return QM_EOVERSIZE;
  QM_TRY(rc);
  /* It was checked before it was staged: what differs is this store's damage. */
  if (qm__manifest_check(f->m, f->part, qm_buf_slice(&f->raw)) != QM_OK) return QM_ECORRUPT;
  uint64_t before = (uint64_t)f->part++ * QM_STATE_PART, most = f->m->bytes - before;
  return f->raw.n == (most < QM_STATE_PART ? most : QM_STATE_PART) ? QM_OK : QM_EFORMAT;
}

/* Appends n bytes of the stream. */
static int feed_bytes(qm_feed *f, qm_buf *to, size_t n) {
  if (n > f->left) return QM_ETRUNCATED;
  while (n) {
    if (f->at == f->raw.n) QM_TRY(feed_part(f));
    size_t there = f->raw.n - f->at, some = n < there ? n : there;
    qm_buf_add(to, f->raw.p + f->at, some);
    QM_TRY(qm_buf_status(to));
    f->at += some;
    f->left -= some;
    n -= some;
  }
  return QM_OK;
}

static int feed_block(qm_feed *f) {
  size_t n = 0;
  qm_buf_clear(&f->packed);
  QM_TRY(feed_bytes(f, &f->packed, QM__BLOCK_HEAD));
  unsigned kind = f->packed.p[0];
  for (int i = 1; i < 5; i++) n = n << 8 | f->packed.p[i];
  if (n > BLOCK_MAX) return QM_EOVERSIZE;
  if (n > f->left) return QM_ETRUNCATED;
  qm_buf_clear(&f->packed);
  if (!qm_buf_reserve(&f->packed, n)) return qm_buf_status(&f->packed);
  int rc = feed_bytes(f, &f->packed, n);
  if (rc == QM_OK) rc = qm__block_open(&f->block, kind, qm_buf_slice(&f->packed));
  qm_buf_free(&f->packed);
  qm_buf_init(&f->packed, f->s->engine->env, BLOCK_MAX);
  return rc;
}

int qm__feed_item(qm_feed *f, qm_slice *out) {
  int rc = qm__block_next(&f->block, out);
  if (rc != QM_ENOTFOUND) return rc;
  QM_TRY(feed_block(f));
  rc = qm__block_next(&f->block, out);
  return rc == QM_ENOTFOUND ? QM_EFORMAT : rc; /* an empty block */
}

int qm__feed_end(qm_feed *f) {
  qm_slice item;
  int rc = qm__block_next(&f->block, &item);
  if (rc == QM_OK || f->left) return QM_ETRAILING;
  return rc == QM_ENOTFOUND ? QM_OK : rc;
}

/* --- blocks --- */

void qm__block_init(qm_block *b, const qm_env *env) {
  memset(b, 0, sizeof *b);
  qm_buf_init(&b->items, env, BLOCK_MAX);
  qm_cur_init(&b->in, qm_slice_of(NULL, 0));
}

void qm__block_free(qm_block *b) {
  qm__columns_close(b->columns);
  b->columns = NULL;
  qm_buf_free(&b->items);
}

static int plain_items(qm_block *b, unsigned kind, qm_slice in) {
  if (kind == QM__BLOCK_ZSTD) QM_TRY(qm_unzip(&b->items, in, BLOCK_MAX));
  if (kind == QM__BLOCK_PLAIN) qm_buf_add(&b->items, in.p, in.n);
  qm_cur_init(&b->in, qm_buf_slice(&b->items));
  return qm_buf_status(&b->items) == QM_ELIMIT ? QM_EOVERSIZE : qm_buf_status(&b->items);
}

int qm__block_open(qm_block *b, unsigned kind, qm_slice in) {
  qm__columns_close(b->columns);
  b->columns = NULL;
  qm_buf_clear(&b->items);
  qm_cur_init(&b->in, qm_slice_of(NULL, 0));
  if (kind == QM__BLOCK_COLUMNS) return qm__columns_open(&b->columns, b->items.env, in);
  return kind <= QM__BLOCK_ZSTD ? plain_items(b, kind, in) : QM_EFORMAT;
}

int qm__block_next(qm_block *b, qm_slice *out) {
  uint32_t n = 0;
  if (b->columns) {
    qm_buf_clear(&b->items);
    QM_TRY(qm__columns_next(b->columns, &b->items));
    *out = qm_buf_slice(&b->items);
    return QM_OK;
  }
  if (!qm_cur_left(&b->in)) return b->in.status == QM_OK ? QM_ENOTFOUND : b->in.status;
  QM_TRY(qm_cur_be32(&b->in, &n));
  if (n > QM_ITEM_MAX) return QM_EOVERSIZE;
  return qm_cur_span(&b->in, n, out);
}
