/* disk_int: what disk.c and disk_vfs.c share. */
#ifndef SIM_DISK_INT_H
#define SIM_DISK_INT_H

#include "tests/sim/disk.h"

#define DISK_SECTOR 512u
#define DISK_FILES_MAX 8
#define DISK_SHM_MAX 16

typedef struct disk_bytes {
  uint8_t *p;
  size_t n, cap;
} disk_bytes;

typedef struct disk_file {
  char name[24];
  int exists, durable_exists;
  disk_bytes seen, durable, log;
  void *shm[DISK_SHM_MAX];
} disk_file;

struct sim_disk {
  unsigned number;
  char path[32];
  disk_file files[DISK_FILES_MAX];
  unsigned n_files;
  disk_faults faults;
  disk_counts counts;
  sim_prng random;
  sim_trace *trace;
  int dead;
};

sim_disk *disk__of_path(const char *path, const char **name);
disk_file *disk__find(sim_disk *d, const char *name);
disk_file *disk__make(sim_disk *d, const char *name);
int disk__step(sim_disk *d);
/* Results are SQLite's. */
int disk__write(sim_disk *d, disk_file *f, const void *p, size_t n, uint64_t at);
int disk__truncate(sim_disk *d, disk_file *f, uint64_t size);
int disk__sync(sim_disk *d, disk_file *f);
int disk__delete(sim_disk *d, disk_file *f);
void disk__shm_free(disk_file *f);
void disk__random(uint8_t *to, size_t n);

#endif
