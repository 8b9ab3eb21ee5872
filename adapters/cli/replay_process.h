/* replay_process: the hub of a replay as a process of its own (internal to replay). */
#ifndef QM_REPLAY_PROCESS_H
#define QM_REPLAY_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"

/* The path of a program that lies beside this one. */
int qm_process_sibling(const char *name, char *to, size_t cap, qm_error *e);
/* Runs a program to its end and takes its standard output (NUL-terminated; more than
 * cap - 1 bytes is QM_ELIMIT). QM_EINTERNAL where it does not exit with 0; what it wrote to
 * standard error is passed on. */
int qm_process_run(const char *const argv[], char *out, size_t cap, qm_error *e);
/* Starts a program, its standard error going to the file `log`, and waits for a line on
 * its standard output that begins with `prefix`; gives the rest of that line.
 * QM_EINTERNAL where it ends before. */
int qm_process_start(const char *const argv[], const char *log, const char *prefix, pid_t *pid,
                     char *rest, size_t cap, qm_error *e);
/* Asks it to stop and waits. *cpu_seconds (may be NULL): what it used. */
int qm_process_stop(pid_t pid, double *cpu_seconds, qm_error *e);

#endif
