/* The verb: options, the dump file, the last line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "adapters/cli/cli_replay_verb.h"
#include "adapters/cli/replay.h"
#include "core/hash.h"

static const char help[] =
    "qianmo replay TRACE.jsonl[.gz] [--via memory|tls] [--dir DIR] [--dump FILE] [--json]\n"
    "qianmo replay TRACE.jsonl[.gz] --device N --db FILE --hub HOST:PORT\n"
    "\n"
    "Plays a trace of form saves with one replica per device and a hub, and prints as its\n"
    "last line one JSON object: devices, ops, changes, syncs, records, converged, digest,\n"
    "seconds, apply_seconds, bytes_up, bytes_down.\n"
    "\n"
    "  --via memory   stores in memory, sessions over byte pipes (the default)\n"
    "  --via tls      SQLite stores and a real hub process over TLS on loopback\n"
    "  --dir DIR      with --via tls: where hub and stores lie (else a temporary one)\n"
    "  --dump FILE    writes what the hub shows at the end, one record a line\n"
    "  --seed N       of the pipes' cuts\n"
    "  --device N     plays only that device's lines, on an enrolled store; goes on where an\n"
    "                 earlier run was stopped, and waits for what the others bring\n"
    "  --push-every N with --device: closes a segment after every N form saves\n"
    "\n"
    "Exit: 0 done, 1 replicas differ, 2 usage, and as of every verb.\n";

double qm_replay_cpu(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double wall(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0;
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int usage(const char *what) {
  fprintf(stderr, "replay: %s; see qianmo replay --help\n", what);
  return 2;
}

/* 0 go on, else the exit code + 1. */
static int parse(int argc, char **argv, qm_replay_options *o) {
  static const struct option options[] = {{"via", required_argument, NULL, 'v'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"dump", required_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"device", required_argument, NULL, 'n'},
                                          {"db", required_argument, NULL, 'b'},
                                          {"hub", required_argument, NULL, 'h'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"push-every", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, '?' + 256},
                                          {NULL, 0, NULL, 0}};
  int c;
  char *rest;
  opterr = 0;
  optind = 1;
  while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch (c) {
      case 'v': o->via = optarg; break;
      case 'd': o->dir = optarg; break;
      case 'o': o->dump = optarg; break;
      case 'j': o->json = 1; break;
      case 'b': o->db = optarg; break;
      case 'h': o->hub = optarg; break;
      case 'n':
        o->device = strtol(optarg, &rest, 10);
        if (*rest || o->device < 0) return usage("--device takes a number from 0") + 1;
        break;
      case 'p': o->push_every = strtoull(optarg, &rest, 10); break;
      case 's': o->seed = strtoull(optarg, &rest, 10); break;
      case '?' + 256: fputs(help, stdout); return 1;
      default: return usage("unknown option, or one without its value") + 1;
    }
  }
  if (optind + 1 != argc) return usage("takes one trace") + 1;
  o->trace = argv[optind];
  if (strcmp(o->via, "memory") != 0 && strcmp(o->via, "tls") != 0)
    return usage("--via takes memory or tls") + 1;
  if (o->device >= 0 && (!o->db || !o->hub)) return usage("--device needs --db and --hub") + 1;
  return 0;
}

static int write_dump(const char *path, const qm_buf *dump, qm_error *e) {
  FILE *f = fopen(path, "wb");
  int ok = f && (!dump->n || fwrite(dump->p, 1, dump->n, f) == dump->n);
  if (f && fclose(f) != 0) ok = 0;
  return ok ? QM_OK : qm_fail(e, QM_EIO, "dump file %s cannot be written", path);
}

static void print_result(const qm_trace *t, const qm_replay_result *r, double seconds) {
  printf(
      "{\"devices\":%u,\"ops\":%llu,\"changes\":%llu,\"syncs\":%llu,\"records\":%llu,"
      "\"converged\":%s,\"digest\":\"%s\",\"seconds\":%.3f,\"apply_seconds\":%.3f,"
      "\"bytes_up\":%llu,\"bytes_down\":%llu}\n",
      t->devices, (unsigned long long)r->ops, (unsigned long long)r->changes,
      (unsigned long long)r->syncs, (unsigned long long)r->records, r->converged ? "true" : "false",
      r->digest, seconds, r->apply_seconds, (unsigned long long)r->bytes_up,
      (unsigned long long)r->bytes_down);
}

static int exit_code(int rc) {
  switch (qm_err_class(rc)) {
    case QM_CLASS_OK: return 0;
    case QM_CLASS_USAGE: return 2;
    case QM_CLASS_ABSENT: return 3;
    case QM_CLASS_RETRY: return 4;
    case QM_CLASS_REFUSED: return 5;
    case QM_CLASS_STORAGE: return 6;
    case QM_CLASS_CORRUPT: return 7;
    default: return 1;
  }
}

static int run(const qm_replay_options *o, qm_trace *t, qm_error *e) {
  qm_replay_result r = {.converged = 0};
  qm_buf dump;
  qm_hash hash;
  double start = wall();
  if (o->device >= 0) {
    int rc = qm_replay_device(t, o, &r, e);
    if (rc == QM_OK) print_result(t, &r, wall() - start);
    return rc;
  }
  qm_buf_init(&dump, t->env, SIZE_MAX / 2);
  int rc = strcmp(o->via, "tls") == 0 ? qm_replay_tls(t, o, &r, &dump, e)
                                      : qm_replay_memory(t, o, &r, &dump, e);
  double seconds = wall() - start;
  if (rc == QM_OK && o->dump) rc = write_dump(o->dump, &dump, e);
  if (rc == QM_OK) {
    qm_sha256(dump.p, dump.n, &hash);
    qm_hex(r.digest, hash.b, sizeof hash.b);
    print_result(t, &r, seconds);
    if (!r.converged) rc = qm_fail(e, QM_EDIFFER, "replay: replicas differ");
  }
  qm_buf_free(&dump);
  return rc;
}

int qm_replay_main(int argc, char **argv) {
  qm_replay_options o = {.via = "memory", .device = -1, .seed = 1, .program = argv[0]};
  qm_env env = qm_env_default();
  qm_error e = {0, ""};
  qm_trace t;
  int stop = parse(argc, argv, &o);
  if (stop) return stop - 1;
  int rc = qm_trace_read(&t, &env, o.trace, &e);
  if (rc == QM_OK) {
    rc = run(&o, &t, &e);
    qm_trace_free(&t);
  }
  if (rc != QM_OK) fprintf(stderr, "%s (%s)\n", e.message, qm_err_name(rc));
  return exit_code(rc);
}
