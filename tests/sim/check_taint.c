/* check_taint: every value of a space carries that space's canary; it may stand only on the
 * wires to, and the disks of, devices with rights there. */
#include <string.h>

#include "tests/sim/check.h"

static int find(const world *w, const uint8_t *p, size_t n, uint8_t found[SPACES]) {
  const uint8_t *end = p + n;
  int any = 0;
  while (p < end && (p = memchr(p, w->canary[0][0], (size_t)(end - p))) != NULL) {
    for (unsigned s = 0; s < SPACES; s++)
      if ((size_t)(end - p) >= CANARY_SIZE && memcmp(p, w->canary[s], CANARY_SIZE) == 0)
        any |= found[s] = 1;
    p++;
  }
  return any;
}

void check_wire(world *w, const node *from, const node *to, const uint8_t *p, size_t n) {
  uint8_t found[SPACES] = {0};
  if (!find(w, p, n, found)) return;
  for (unsigned s = 0; s < SPACES; s++)
    if (found[s] && !device_may(w, to->index, s))
      violation(w, "node %u sent values of space %u to device %u, which may not read it",
                from->index, s, to->index);
}

typedef struct scan {
  world *w;
  unsigned device;
} scan;

static void visit(void *payload, const uint8_t *p, size_t n) {
  const scan *x = payload;
  uint8_t found[SPACES] = {0};
  if (!find(x->w, p, n, found)) return;
  for (unsigned s = 0; s < SPACES; s++)
    if (found[s] && !x->w->ever[x->device][s])
      violation(x->w, "the disk of device %u holds values of space %u", x->device, s);
}

void check_disks(world *w) {
  for (unsigned d = 0; d < DEVICES; d++) {
    scan x = {w, d};
    disk_scan(w->nodes[d].disk, visit, &x);
  }
}
