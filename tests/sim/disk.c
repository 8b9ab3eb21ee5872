#include "tests/sim/disk.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/disk_int.h"

sim_disk *disk__all[DISK_MAX];
static sim_prng vfs_random;

/* --- bytes --- */

static void *need(void *p) {
  if (p) return p;
  fputs("sim: out of memory\n", stderr);
  abort();
}

static void bytes_size(disk_bytes *b, size_t n) {
  if (n > b->cap) {
    size_t cap = b->cap ? b->cap : 4096;
    while (cap < n) cap *= 2;
    b->p = need(realloc(b->p, cap));
    b->cap = cap;
  }
  if (n > b->n) memset(b->p + b->n, 0, n - b->n);
  b->n = n;
}

static void bytes_put(disk_bytes *b, size_t at, const void *p, size_t n) {
  if (at + n > b->n) bytes_size(b, at + n);
  memcpy(b->p + at, p, n);
}

static void bytes_copy(disk_bytes *to, const disk_bytes *from) {
  to->n = 0;
  bytes_size(to, from->n);
  if (from->n) memcpy(to->p, from->p, from->n);
}

static void bytes_free(disk_bytes *b) {
  free(b->p);
  memset(b, 0, sizeof *b);
}

/* --- the log of unsynced writes --- */

typedef struct entry {
  uint64_t at;
  uint32_t n; /* DISK_TRUNCATE: the file ends at `at` */
} entry;
#define DISK_TRUNCATE UINT32_MAX

static void log_add(disk_file *f, uint64_t at, uint32_t n, const void *p) {
  entry e = {at, n};
  bytes_put(&f->log, f->log.n, &e, sizeof e);
  if (n != DISK_TRUNCATE) bytes_put(&f->log, f->log.n, p, n);
}

static void apply_whole(disk_file *f, const entry *e, const uint8_t *data) {
  if (e->n == DISK_TRUNCATE)
    bytes_size(&f->durable, e->at);
  else
    bytes_put(&f->durable, e->at, data, e->n);
}

static void apply_torn(sim_disk *d, disk_file *f, const entry *e, const uint8_t *data) {
  uint32_t at = 0;
  while (at < e->n) {
    uint32_t in_sector = DISK_SECTOR - (uint32_t)((e->at + at) % DISK_SECTOR);
    uint32_t n = e->n - at < in_sector ? e->n - at : in_sector;
    if (prng_chance(&d->random, 1, 2)) bytes_put(&f->durable, e->at + at, data + at, n);
    at += n;
  }
}

enum { FATE_KEEP, FATE_DROP, FATE_TEAR, FATE_MIX };

/* Walks the log; `fate` FATE_KEEP is a sync that worked. */
static void log_settle(sim_disk *d, disk_file *f, unsigned fate, int crash) {
  for (size_t at = 0; at < f->log.n;) {
    entry e;
    memcpy(&e, f->log.p + at, sizeof e);
    const uint8_t *data = f->log.p + at + sizeof e;
    at += sizeof e + (e.n == DISK_TRUNCATE ? 0 : e.n);
    unsigned one = fate == FATE_MIX ? prng_below(&d->random, 3) : fate;
    if (one == FATE_TEAR && e.n == DISK_TRUNCATE) one = FATE_DROP;
    if (crash) {
      d->counts.crash_kept += one == FATE_KEEP;
      d->counts.crash_dropped += one == FATE_DROP;
      d->counts.crash_torn += one == FATE_TEAR;
    }
    if (one == FATE_KEEP) apply_whole(f, &e, data);
    if (one == FATE_TEAR) apply_torn(d, f, &e, data);
  }
  f->log.n = 0;
}

/* --- files --- */

disk_file *disk__find(sim_disk *d, const char *name) {
  for (unsigned i = 0; i < d->n_files; i++)
    if (strcmp(d->files[i].name, name) == 0) return &d->files[i];
  return NULL;
}

disk_file *disk__make(sim_disk *d, const char *name) {
  disk_file *f = disk__find(d, name);
  if (!f) {
    if (d->n_files == DISK_FILES_MAX) abort();
    f = &d->files[d->n_files++];
    memset(f, 0, sizeof *f);
    (void)snprintf(f->name, sizeof f->name, "%s", name);
  }
  if (!f->exists) {
    f->exists = 1;
    f->seen.n = 0;
    if (f->durable_exists) log_add(f, 0, DISK_TRUNCATE, NULL);
  }
  return f;
}

sim_disk *disk__of_path(const char *path, const char **name) {
  unsigned number;
  int used = 0;
  if (!path || sscanf(path, "/sim/%u/%n", &number, &used) != 1 || !used) return NULL;
  *name = path + used;
  return number < DISK_MAX ? disk__all[number] : NULL;
}

/* Counts an operation that changes the disk; 1 where the power has gone. */
int disk__step(sim_disk *d) {
  if (d->dead) return 1;
  if (d->faults.crash_in && --d->faults.crash_in == 0) d->dead = 1;
  return 0; /* the one at which it goes still enters the log: it may be torn */
}

int disk__write(sim_disk *d, disk_file *f, const void *p, size_t n, uint64_t at) {
  d->counts.writes++;
  d->counts.bytes += n;
  if (disk__step(d)) return SQLITE_IOERR_WRITE;
  if (prng_chance(&d->random, d->faults.write_eio, 10000)) {
    d->counts.write_eio++;
    return SQLITE_IOERR_WRITE;
  }
  if (d->faults.full && at + n > f->seen.n) {
    d->counts.full++;
    return SQLITE_FULL;
  }
  trace_u64(d->trace, at);
  trace_bytes(d->trace, p, n < 64 ? n : 64);
  bytes_put(&f->seen, at, p, n);
  log_add(f, at, (uint32_t)n, p);
  return d->dead ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

int disk__truncate(sim_disk *d, disk_file *f, uint64_t size) {
  if (disk__step(d)) return SQLITE_IOERR_TRUNCATE;
  bytes_size(&f->seen, size);
  log_add(f, size, DISK_TRUNCATE, NULL);
  return d->dead ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

/* A sync that fails: the pages count as clean, so the next one succeeds without them. */
int disk__sync(sim_disk *d, disk_file *f) {
  d->counts.syncs++;
  if (disk__step(d) || d->dead) return SQLITE_IOERR_FSYNC;
  if (prng_chance(&d->random, d->faults.sync_eio, 10000)) {
    d->counts.sync_eio++;
    log_settle(d, f, FATE_MIX, 0);
    return SQLITE_IOERR_FSYNC;
  }
  log_settle(d, f, FATE_KEEP, 0);
  f->durable_exists = 1;
  /* File systems write their own changes in order: what was deleted before stays deleted. */
  for (unsigned i = 0; i < d->n_files; i++)
    if (!d->files[i].exists) d->files[i].durable_exists = 0;
  return SQLITE_OK;
}

int disk__delete(sim_disk *d, disk_file *f) {
  if (disk__step(d) || d->dead) return SQLITE_IOERR_DELETE;
  f->exists = 0;
  f->seen.n = 0;
  f->log.n = 0;
  return SQLITE_OK;
}

void disk_crash(sim_disk *d) {
  unsigned fate = prng_below(&d->random, 4);
  d->dead = 0;
  d->faults.crash_in = 0;
  for (unsigned i = 0; i < d->n_files; i++) {
    disk_file *f = &d->files[i];
    if (!f->exists && f->durable_exists && prng_chance(&d->random, 1, 2)) f->durable_exists = 0;
    if (f->exists && !f->durable_exists) f->durable_exists = prng_chance(&d->random, 1, 2);
    log_settle(d, f, fate, 1);
    if (!f->durable_exists) f->durable.n = 0;
    f->exists = f->durable_exists;
    bytes_copy(&f->seen, &f->durable);
  }
}

/* --- life --- */

sim_disk *disk_new(unsigned number, uint64_t seed, sim_trace *trace) {
  sim_disk *d = need(calloc(1, sizeof *d));
  d->number = number;
  d->random.state = seed;
  d->trace = trace;
  (void)snprintf(d->path, sizeof d->path, "/sim/%u/db", number);
  disk__all[number] = d;
  return d;
}

void disk_free(sim_disk *d) {
  if (!d) return;
  for (unsigned i = 0; i < d->n_files; i++) {
    bytes_free(&d->files[i].seen);
    bytes_free(&d->files[i].durable);
    bytes_free(&d->files[i].log);
    disk__shm_free(&d->files[i]);
  }
  disk__all[d->number] = NULL;
  free(d);
}

disk_faults *disk_faults_of(sim_disk *d) { return &d->faults; }
void disk_reseed(sim_disk *d, uint64_t seed) { d->random.state = seed; }
const disk_counts *disk_counts_of(const sim_disk *d) { return &d->counts; }
int disk_dead(const sim_disk *d) { return d->dead; }
const char *disk_path(const sim_disk *d) { return d->path; }

/* --- backups --- */

struct disk_image {
  unsigned n;
  disk_file files[DISK_FILES_MAX]; /* name and `seen` */
};

disk_image *disk_backup(const sim_disk *d) {
  disk_image *image = need(calloc(1, sizeof *image));
  for (unsigned i = 0; i < d->n_files; i++) {
    if (!d->files[i].exists) continue;
    disk_file *f = &image->files[image->n++];
    memcpy(f->name, d->files[i].name, sizeof f->name);
    bytes_copy(&f->seen, &d->files[i].seen);
  }
  return image;
}

void disk_restore(sim_disk *d, const disk_image *image) {
  for (unsigned i = 0; i < d->n_files; i++) {
    disk_file *f = &d->files[i];
    f->exists = f->durable_exists = 0;
    f->seen.n = f->durable.n = f->log.n = 0;
  }
  d->dead = 0;
  d->faults.crash_in = 0;
  for (unsigned i = 0; i < image->n; i++) {
    disk_file *f = disk__make(d, image->files[i].name);
    f->durable_exists = 1;
    bytes_copy(&f->seen, &image->files[i].seen);
    bytes_copy(&f->durable, &f->seen);
    f->log.n = 0;
  }
}

void disk_image_free(disk_image *image) {
  if (!image) return;
  for (unsigned i = 0; i < image->n; i++) bytes_free(&image->files[i].seen);
  free(image);
}

void disk_scan(const sim_disk *d, void (*visit)(void *payload, const uint8_t *p, size_t n),
               void *payload) {
  for (unsigned i = 0; i < d->n_files; i++) {
    const disk_file *f = &d->files[i];
    if (f->exists && f->seen.n) visit(payload, f->seen.p, f->seen.n);
    if (f->durable_exists && f->durable.n) visit(payload, f->durable.p, f->durable.n);
  }
}

void disk__random(uint8_t *to, size_t n) { prng_fill(&vfs_random, to, n); }

void disk_reset(uint64_t seed) {
  vfs_random.state = seed;
  sqlite3_randomness(0, NULL);
}
