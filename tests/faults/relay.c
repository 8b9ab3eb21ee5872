#include "tests/faults/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
  int listener;
  uint16_t port, hub_port;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t idle;
  cut where;
  uint64_t at, up, down;
  unsigned started, ended; /* connections */
  int stop;
};

static struct sockaddr_in local(uint16_t port) {
  struct sockaddr_in a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  return a;
}

static int put_all(int fd, const uint8_t *p, size_t n) {
  while (n) {
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
    if (k <= 0) return 0;
    p += k;
    n -= (size_t)k;
  }
  return 1;
}

/* Passes one piece on. 0: it is over, by the end of the stream or by the cut. */
static int pass(int from, int to, uint64_t *moved, int is_cut, uint64_t at) {
  uint8_t piece[4096];
  size_t cap = sizeof piece;
  if (is_cut && at - *moved < cap) cap = (size_t)(at - *moved);
  ssize_t n = cap ? recv(from, piece, cap, 0) : 0;
  if (n <= 0 || !put_all(to, piece, (size_t)n)) return 0;
  *moved += (uint64_t)n;
  return !is_cut || *moved < at;
}

static void carry(relay *r, int client, int hub, cut where, uint64_t at) {
  uint64_t up = 0, down = 0;
  int go = where == CUT_NEVER || at > 0;
  while (go) {
    struct pollfd p[2] = {{client, POLLIN, 0}, {hub, POLLIN, 0}};
    if (poll(p, 2, 60000) <= 0) break;
    if (p[0].revents) go = pass(client, hub, &up, where == CUT_UP, at);
    if (go && p[1].revents) go = pass(hub, client, &down, where == CUT_DOWN, at);
  }
  (void)pthread_mutex_lock(&r->lock);
  r->up = up;
  r->down = down;
  (void)pthread_mutex_unlock(&r->lock);
}

static void *run(void *payload) {
  relay *r = payload;
  for (;;) {
    int client = accept(r->listener, NULL, NULL);
    (void)pthread_mutex_lock(&r->lock);
    int stop = r->stop;
    cut where = r->where;
    uint64_t at = r->at;
    if (client >= 0) r->started++;
    (void)pthread_mutex_unlock(&r->lock);
    if (client < 0 || stop) {
      if (client >= 0) (void)close(client);
      return NULL;
    }
    struct sockaddr_in a = local(r->hub_port);
    int hub = socket(AF_INET, SOCK_STREAM, 0);
    if (hub >= 0 && connect(hub, (struct sockaddr *)&a, sizeof a) == 0)
      carry(r, client, hub, where, at);
    if (hub >= 0) (void)close(hub);
    (void)close(client);
    (void)pthread_mutex_lock(&r->lock);
    r->ended++;
    (void)pthread_cond_signal(&r->idle);
    (void)pthread_mutex_unlock(&r->lock);
  }
}

relay *relay_open(uint16_t hub_port) {
  relay *r = calloc(1, sizeof *r);
  struct sockaddr_in a = local(0);
  socklen_t len = sizeof a;
  if (!r) broken("no memory");
  r->hub_port = hub_port;
  r->listener = socket(AF_INET, SOCK_STREAM, 0);
  if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&a, sizeof a) != 0 ||
      listen(r->listener, 8) != 0 || getsockname(r->listener, (struct sockaddr *)&a, &len) != 0)
    broken("the relay cannot listen");
  r->port = ntohs(a.sin_port);
  if (pthread_mutex_init(&r->lock, NULL) != 0 || pthread_cond_init(&r->idle, NULL) != 0 ||
      pthread_create(&r->thread, NULL, run, r) != 0)
    broken("no thread for the relay");
  return r;
}

uint16_t relay_port(const relay *r) { return r->port; }

void relay_cut(relay *r, cut where, uint64_t at) {
  (void)pthread_mutex_lock(&r->lock);
  r->where = where;
  r->at = at;
  (void)pthread_mutex_unlock(&r->lock);
}

void relay_last(relay *r, uint64_t *up, uint64_t *down) {
  (void)pthread_mutex_lock(&r->lock);
  while (r->ended < r->started) (void)pthread_cond_wait(&r->idle, &r->lock);
  *up = r->up;
  *down = r->down;
  (void)pthread_mutex_unlock(&r->lock);
}

void relay_close(relay *r) {
  struct sockaddr_in a = local(r->port);
  (void)pthread_mutex_lock(&r->lock);
  r->stop = 1;
  (void)pthread_mutex_unlock(&r->lock);
  int wake = socket(AF_INET, SOCK_STREAM, 0);
  if (wake >= 0) {
    (void)connect(wake, (struct sockaddr *)&a, sizeof a);
    (void)close(wake);
  }
  (void)pthread_join(r->thread, NULL);
  (void)close(r->listener);
  (void)pthread_cond_destroy(&r->idle);
  (void)pthread_mutex_destroy(&r->lock);
  free(r);
}
