#define _DEFAULT_SOURCE /* wait4 */
#include "adapters/cli/replay_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int qm_process_sibling(const char *name, char *to, size_t cap, qm_error *e) {
  ssize_t n = readlink("/proc/self/exe", to, cap);
  char *slash;
  if (n <= 0 || (size_t)n >= cap)
    return qm_fail(e, QM_EIO, "replay: cannot tell where this program lies");
  to[n] = 0;
  slash = strrchr(to, '/');
  if (!slash || (size_t)(slash + 1 - to) + strlen(name) >= cap)
    return qm_fail(e, QM_ELIMIT, "replay: path too long");
  memcpy(slash + 1, name, strlen(name) + 1);
  if (access(to, X_OK) != 0)
    return qm_fail(e, QM_ENOTFOUND, "replay: %s is not beside this program", name);
  return QM_OK;
}

/* The child's standard output goes into the pipe whose reading end is *out. */
static int spawn(const char *const argv[], const char *log, pid_t *pid, int *out, qm_error *e) {
  int ends[2];
  if (pipe(ends) != 0) return qm_fail(e, QM_EIO, "replay: pipe: %s", strerror(errno));
  *pid = fork();
  if (*pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return qm_fail(e, QM_ENOMEM, "replay: fork: %s", strerror(errno));
  }
  if (*pid == 0) {
    int to = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (to >= 0) dup2(to, STDERR_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  close(ends[1]);
  *out = ends[0];
  return QM_OK;
}

static int wait_for(pid_t pid, struct rusage *usage, int *status) {
  while (wait4(pid, status, 0, usage) < 0)
    if (errno != EINTR) return QM_EIO;
  return QM_OK;
}

int qm_process_run(const char *const argv[], char *out, size_t cap, qm_error *e) {
  pid_t pid;
  int fd, status = 0, too_long = 0;
  size_t n = 0;
  struct rusage usage;
  QM_TRY(spawn(argv, NULL, &pid, &fd, e));
  for (;;) {
    char rest[256];
    ssize_t got = n < cap - 1 ? read(fd, out + n, cap - 1 - n) : read(fd, rest, sizeof rest);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (n < cap - 1)
      n += (size_t)got;
    else
      too_long = 1;
  }
  out[n] = 0;
  close(fd);
  int rc = wait_for(pid, &usage, &status);
  if (rc != QM_OK || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return qm_fail(e, QM_EINTERNAL, "replay: %s %s failed", argv[0], argv[1] ? argv[1] : "");
  return too_long ? qm_fail(e, QM_ELIMIT, "replay: output of %s is too long", argv[0]) : QM_OK;
}

int qm_process_start(const char *const argv[], const char *log, const char *prefix, pid_t *pid,
                     char *rest, size_t cap, qm_error *e) {
  int fd, status;
  struct rusage usage;
  char line[1024];
  QM_TRY(spawn(argv, log, pid, &fd, e));
  FILE *f = fdopen(fd, "r");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, prefix, strlen(prefix)) != 0) continue;
    line[strcspn(line, "\r\n")] = 0;
    snprintf(rest, cap, "%s", line + strlen(prefix));
    fclose(f); /* it says nothing more that matters; a broken pipe must not end it */
    return QM_OK;
  }
  if (f) fclose(f);
  kill(*pid, SIGKILL);
  wait_for(*pid, &usage, &status);
  *pid = 0;
  return qm_fail(e, QM_EINTERNAL, "replay: the hub did not start");
}

int qm_process_stop(pid_t pid, double *cpu_seconds, qm_error *e) {
  struct rusage u;
  int status = 0;
  if (cpu_seconds) *cpu_seconds = 0;
  if (pid <= 0) return QM_OK;
  kill(pid, SIGTERM);
  if (wait_for(pid, &u, &status) != QM_OK) return qm_fail(e, QM_EIO, "replay: waiting for the hub");
  if (cpu_seconds)
    *cpu_seconds = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return qm_fail(e, QM_EINTERNAL, "replay: the hub did not end orderly");
  return QM_OK;
}
