/* crash: what crash.c and its VFS share. */
#ifndef FAULTS_CRASH_H
#define FAULTS_CRASH_H

#include "tests/faults/faults.h"

enum { CRASH_STORES = 3 }; /* phone, hub, a phone that joins a state */

/* In memory that outlives the process that counts. */
typedef struct crash_count {
  unsigned long writes;  /* writes, truncations, syncs and deletions of files so far */
  unsigned long kill_at; /* 0: never */
  unsigned commits[CRASH_STORES];
} crash_count;

/* From here on every SQLite file of this process is counted in *count (NULL: no more). */
void crash_vfs(crash_count *count);

#endif
