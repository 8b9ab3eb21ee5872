/* Sessions between replicas of a world, in memory: every byte of them, cut where a test wants. */
#ifndef SUPPORT_SESSION_H
#define SUPPORT_SESSION_H

#include "sync/answer.h"
#include "tests/prop/support_world.h"

typedef struct end {
  device *d;
  qm_answer answer;
  qm_session *s;
  qm_buf in;
  int closed, code;
  uint32_t same, differ;
} end;

typedef struct line {
  end a, b;
  size_t cut_at; /* bytes in all; 0: never */
  size_t moved;
  int group; /* the server commits in groups, after everything else */
} line;

/* A session with a hub; cut after so many bytes (0: never). group: the hub commits as a store
 * thread does. 1: both closed with QM_OK. */
int session(device *phone, device *hub, size_t cut_at, int group, line *l);
/* The same of two phones. */
int session_of_peers(device *a, device *b, size_t cut_at, line *l);

#endif
