/* disk: simulated disks under the real file format. A VFS of SQLite whose files live in
 * memory, each with what is durable, what is seen, and the writes between the two. A
 * crash keeps, drops or tears every write that no sync had covered, sector by sector.
 *
 * Paths are /sim/N/NAME; the few calls that the product makes beside SQLite (stat, open,
 * fsync, close, unlink) reach the same disks, through the linker's --wrap. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "tests/sim/sim_prng.h"

#define DISK_MAX 16

typedef struct sim_disk sim_disk;

/* Chances are per 10,000 calls. */
typedef struct disk_faults {
  uint32_t read_eio, write_eio, sync_eio;
  int full;          /* nothing grows */
  uint32_t crash_in; /* power goes at the n-th write, sync, truncate or delete; 0: not */
} disk_faults;

typedef struct disk_counts {
  uint64_t reads, writes, syncs, bytes;
  uint64_t read_eio, write_eio, sync_eio, full;
  uint64_t crash_kept, crash_dropped, crash_torn;
} disk_counts;

/* An image of all files, as a backup has them. */
typedef struct disk_image disk_image;

/* Registers the VFS as SQLite's default. Once. 0 or -1. */
int disk_install(void);
/* SQLite's own randomness starts again from here. */
void disk_reset(uint64_t seed);

sim_disk *disk_new(unsigned number, uint64_t seed, sim_trace *trace);
void disk_free(sim_disk *d);
disk_faults *disk_faults_of(sim_disk *d);
/* Its chances start again from here. */
void disk_reseed(sim_disk *d, uint64_t seed);
const disk_counts *disk_counts_of(const sim_disk *d);
/* The power went: every call fails until disk_crash. */
int disk_dead(const sim_disk *d);
/* What is left after the power went. */
void disk_crash(sim_disk *d);
/* "/sim/N/db" */
const char *disk_path(const sim_disk *d);

disk_image *disk_backup(const sim_disk *d);
void disk_restore(sim_disk *d, const disk_image *image);
void disk_image_free(disk_image *image);

/* Everything the disk holds, seen or durable: for each piece visit(payload, p, n). */
void disk_scan(const sim_disk *d, void (*visit)(void *payload, const uint8_t *p, size_t n),
               void *payload);

#endif
