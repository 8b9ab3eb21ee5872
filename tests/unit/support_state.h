/* A snapshot taken apart into its items, and put together again with a manifest that is
 * true to them: what a test changes is then judged for itself, and not by its hash. */
#ifndef SUPPORT_STATE_H
#define SUPPORT_STATE_H

#include "core/state.h"

#define STATE_PIECES 64u
#define STATE_ITEMS 256u

typedef struct pieces {
  qm_slice p[STATE_PIECES];
  uint32_t n;
} pieces;

typedef struct items {
  uint32_t authors, records, batches; /* as the manifest says */
  qm_slice p[STATE_ITEMS];
  uint32_t n;
} items;

/* In the arena. */
pieces state_pieces(qm_engine *e, qm_space *s, qm_arena *arena);
items state_items(const pieces *s, qm_arena *arena);
pieces state_packed(const items *in, const qm_id *space, qm_arena *arena);
/* The same with the last part cut off, and its hash. */
pieces state_cut(const pieces *s, size_t stream_bytes, const qm_id *space, qm_arena *arena);

#endif
