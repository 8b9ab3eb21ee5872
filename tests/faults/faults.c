/* Cuts and crashes: nothing that was written is lost, nothing comes twice, and the next
 * session goes on where the durable state is (SPEC S8.9, S8.6, S9.2).
 *
 * faults [full]: without "full" every 20th place, as in every check. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/faults/faults.h"

int main(int argc, char **argv) {
  int full = argc > 1 && strcmp(argv[1], "full") == 0;
  const char *only = argc > 1 + full ? argv[1 + full] : "";
  unsigned number = 0, step = full ? 1 : 20;
  (void)signal(SIGPIPE, SIG_IGN);
  if (!*only || strcmp(only, "session") == 0) cut_sessions(step, &number);
  if (!*only || strcmp(only, "state") == 0) cut_states(step, &number);
  if (!*only || strcmp(only, "state-session") == 0) cut_state_sessions(step, &number);
  if (!*only || strcmp(only, "crash") == 0) crash_stores(step, &number);
  if (!*only || strcmp(only, "tls") == 0) cut_tls(full ? 40 : 4, &number);
  if (!*only || strcmp(only, "tls-state") == 0) cut_tls_state(full ? 40 : 6, &number);
  printf("1..%u\n", number);
  return 0;
}
