/* The contexts come from env by zstd's allocator hook, hence its advanced section. */
#define ZSTD_STATIC_LINKING_ONLY
#include "core/zip.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define MAGIC UINT32_C(0xFD2FB528)
#define MAGIC_SIZE 4u
#define BLOCK_SIZE_MAX (128u * 1024u)
#define BLOCK_HEADER 3u
#define BLOCK_BYTES_MIN 4u /* three of header, one of content */
/* The higher levels' tables are as large as the window, four bytes an entry, twice over. */
#define HIGH_LEVEL 10
#define WINDOW_LOG_HIGH 19

static void *zstd_alloc(void *payload, size_t n) { return qm_alloc(payload, n); }
static void zstd_free(void *payload, void *p) { qm_free(payload, p); }

static ZSTD_customMem memory_of(const qm_env *env) {
  /* zstd hands the pointer back untouched; the cast only drops const on the way. */
  ZSTD_customMem mem = {zstd_alloc, zstd_free, (void *)(uintptr_t)env};
  return mem;
}

/* An append that could not be made sticks, like any other of the buffer. Returns the
 * status, so that stick(b, QM_OK) tells of an earlier failure. */
static int stick(qm_buf *b, int code) {
  if (b->status == QM_OK) b->status = code;
  return b->status;
}

typedef struct parts {
  const size_t *ends;
  size_t n;
  qm_slice words;
  int headless; /* 1: without the magic number */
} parts;

/* Returns zstd's code. */
static size_t set_up(ZSTD_CCtx *ctx, size_t size, int level, qm_slice words) {
  (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level);
  if (level >= HIGH_LEVEL && size >> WINDOW_LOG_HIGH)
    (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, WINDOW_LOG_HIGH);
  (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 1);
  (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 0);
  (void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_dictIDFlag, 0);
  return words.n ? ZSTD_CCtx_refPrefix(ctx, words.p, words.n) : 0;
}

static size_t in_parts(ZSTD_CCtx *ctx, uint8_t *to, size_t room, qm_slice in, parts p) {
  ZSTD_outBuffer out = {to, room, 0};
  size_t from = 0, left = ZSTD_CCtx_setPledgedSrcSize(ctx, in.n);
  for (size_t i = 0; i < p.n && !ZSTD_isError(left); i++) {
    ZSTD_inBuffer part = {in.p + from, p.ends[i] - from, 0};
    do left = ZSTD_compressStream2(ctx, &out, &part, i + 1 < p.n ? ZSTD_e_flush : ZSTD_e_end);
    while (!ZSTD_isError(left) && left && out.pos < room);
    from = p.ends[i];
  }
  return ZSTD_isError(left) ? left : out.pos;
}

/* to has room for what zstd may need: with less it may give up on a frame that would have
 * fitted. */
static int compress(ZSTD_CCtx *ctx, uint8_t *to, size_t room, qm_slice in, int level, parts p,
                    size_t *n) {
  *n = set_up(ctx, in.n, level, p.words);
  if (!ZSTD_isError(*n))
    *n = p.n > 1 ? in_parts(ctx, to, room, in, p) : ZSTD_compress2(ctx, to, room, in.p, in.n);
  if (!ZSTD_isError(*n) && p.headless) {
    *n -= MAGIC_SIZE;
    memmove(to, to + MAGIC_SIZE, *n);
  }
  if (!ZSTD_isError(*n)) return QM_OK;
  return ZSTD_getErrorCode(*n) == ZSTD_error_memory_allocation ? QM_ENOMEM : QM_EINTERNAL;
}

static int compress_into(ZSTD_CCtx *ctx, qm_buf *out, qm_slice in, int level, parts p) {
  size_t n, room = ZSTD_compressBound(in.n);
  if (ZSTD_isError(room)) return stick(out, QM_ELIMIT);
  room += p.n * BLOCK_HEADER;
  if (room <= out->max - out->n) {
    uint8_t *to = qm_buf_reserve(out, room);
    if (!to) return qm_buf_status(out);
    int rc = compress(ctx, to, room, in, level, p, &n);
    if (rc == QM_OK) out->n += n;
    return rc == QM_ENOMEM ? stick(out, rc) : rc;
  }
  /* The bound lies beyond the buffer's maximum; the frame itself may not. */
  uint8_t *scratch = qm_alloc(out->env, room);
  if (!scratch) return stick(out, QM_ENOMEM);
  int rc = compress(ctx, scratch, room, in, level, p, &n);
  if (rc == QM_OK) qm_buf_add(out, scratch, n);
  qm_free(out->env, scratch);
  return rc == QM_EINTERNAL ? rc : stick(out, rc);
}

static int zip(qm_buf *out, qm_slice in, int level, parts p) {
  QM_TRY(qm_buf_status(out));
  ZSTD_CCtx *ctx = ZSTD_createCCtx_advanced(memory_of(out->env));
  if (!ctx) return stick(out, QM_ENOMEM);
  int rc = compress_into(ctx, out, in, level, p);
  (void)ZSTD_freeCCtx(ctx);
  return rc;
}

int qm_zip_parts(qm_buf *out, qm_slice in, int level, const size_t *ends, size_t n) {
  return zip(out, in, level, (parts){.ends = ends, .n = n});
}

int qm_zip_words(qm_buf *out, qm_slice in, int level, qm_slice words, const size_t *ends,
                 size_t n) {
  return zip(out, in, level, (parts){ends, n, words, 1});
}

int qm_zip(qm_buf *out, qm_slice in, int level) { return qm_zip_parts(out, in, level, NULL, 0); }

/* Reads no more than the frame's headers. The magic is compared here because
 * zstd's own calls also take skippable frames, whose content is empty. A frame that
 * asks for a dictionary fails to decode: there is none. */
static int check_frame(qm_slice in, size_t size_max, size_t *size) {
  if (in.n < 4) return QM_EFORMAT;
  uint32_t magic = (uint32_t)in.p[0] | (uint32_t)in.p[1] << 8 | (uint32_t)in.p[2] << 16 |
                   (uint32_t)in.p[3] << 24;
  if (magic != MAGIC) return QM_EFORMAT;
  ZSTD_frameHeader header;
  if (ZSTD_getFrameHeader(&header, in.p, in.n) != 0) return QM_EFORMAT;
  if (header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN) return QM_EOVERSIZE;
  if (header.frameContentSize > size_max) return QM_EOVERSIZE;
  size_t frame = ZSTD_findFrameCompressedSize(in.p, in.n);
  if (ZSTD_isError(frame)) return QM_EFORMAT;
  if (frame < in.n) return QM_ETRAILING;
  /* What the blocks cannot hold is not allocated either. */
  if (header.frameContentSize / BLOCK_SIZE_MAX > in.n / BLOCK_BYTES_MIN) return QM_EFORMAT;
  *size = (size_t)header.frameContentSize;
  return QM_OK;
}

/* Whole-frame decoding writes straight to the output and keeps no window of its
 * own, so the output, which is at most size_max, is all the memory a frame gets. */
static int unzip(qm_buf *out, qm_slice in, size_t size_max, qm_slice words) {
  size_t size = 0;
  QM_TRY(qm_buf_status(out));
  QM_TRY(check_frame(in, size_max, &size));
  uint8_t *to = qm_buf_reserve(out, size);
  if (!to) return qm_buf_status(out);
  ZSTD_DCtx *ctx = ZSTD_createDCtx_advanced(memory_of(out->env));
  if (!ctx) return stick(out, QM_ENOMEM);
  size_t n = ZSTD_decompress_usingDict(ctx, to, size, in.p, in.n, words.p, words.n);
  (void)ZSTD_freeDCtx(ctx);
  if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
    return stick(out, QM_ENOMEM);
  if (ZSTD_isError(n) || n != size) return QM_EFORMAT;
  out->n += n;
  return QM_OK;
}

int qm_unzip(qm_buf *out, qm_slice in, size_t size_max) {
  return unzip(out, in, size_max, (qm_slice){NULL, 0});
}

int qm_unzip_words(qm_buf *out, qm_slice in, size_t size_max, qm_slice words) {
  static const uint8_t magic[MAGIC_SIZE] = {MAGIC & 0xff, MAGIC >> 8 & 0xff, MAGIC >> 16 & 0xff,
                                            MAGIC >> 24};
  qm_buf frame;
  QM_TRY(qm_buf_status(out));
  qm_buf_init(&frame, out->env, in.n + MAGIC_SIZE);
  qm_buf_add(&frame, magic, sizeof magic);
  qm_buf_add(&frame, in.p, in.n);
  int rc = qm_buf_status(&frame);
  if (rc == QM_OK) rc = unzip(out, qm_buf_slice(&frame), size_max, words);
  else rc = stick(out, rc);
  qm_buf_free(&frame);
  return rc;
}
