/* check: what must hold, looked at from outside. Nothing here feeds back into the world. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "tests/sim/world.h"

/* check_taint.c: no byte of a space reaches a device without rights. */
void check_wire(world *w, const node *from, const node *to, const uint8_t *p, size_t n);
void check_disks(world *w);

/* check_equal.c: equal VV, equal digest; acknowledged is held; the end of every session. */
void check_event(world *w, const node *n, const node *peer, const qm_event *ev);
/* What the two held, pushed, when their session began. */
typedef struct held_row {
  qm_author author;
  uint64_t next;
  uint8_t space, by_server;
} held_row;
typedef struct held_list {
  held_row *p;
  uint32_t n, cap;
} held_list;
void check_held(world *w, node *client, node *server, held_list *out);
/* held NULL: what came over is not looked at. */
void check_session(world *w, node *client, node *server, int code, const held_list *held,
                   int stayed);
/* A session that stays has nothing to do: the two hold the same. */
void check_rest(world *w, node *client, node *server);
void check_storage_error(node *n, const char *where, int rc);
void check_converged(world *w);
/* What a hub has acknowledged, it holds. */
void check_acknowledged(world *w);

/* check_time.c: when it counts as written. */
void check_times(world *w);

/* check_class.c: what people meant by merging records. */
void check_classes(world *w);

/* check_intent.c: what people meant. */
void check_reopened(node *n);
void check_intent(world *w);

#endif
