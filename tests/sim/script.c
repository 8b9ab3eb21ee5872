#include "tests/sim/script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

const char *const step_words[S_COUNT] = {
#define X(name, word, run) word,
    STEPS(X)
#undef X
};

static const char *const arg_words[A_COUNT] = {
#define X(name, word) word,
    ARGS(X)
#undef X
};

static const char *const part_words[PART_COUNT] = {
#define X(name, word) word,
    PARTS(X)
#undef X
};

void script_add(script *s, const step *x) {
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 256;
    s->p = realloc(s->p, s->cap * sizeof *s->p);
    if (!s->p) abort();
  }
  s->p[s->n++] = *x;
}

void script_copy(script *to, const script *from) {
  to->n = 0;
  for (uint32_t i = 0; i < from->n; i++) script_add(to, &from->p[i]);
  to->seed = from->seed;
  to->days = from->days;
  memcpy(to->on, from->on, sizeof to->on);
}

void script_free(script *s) {
  free(s->p);
  memset(s, 0, sizeof *s);
}

/* --- printing --- */

static void print_names(FILE *out, uint64_t set, const char *const *words, int n) {
  const char *between = "";
  for (int i = 0; i < n; i++)
    if (set >> i & 1) {
      fprintf(out, "%s%s", between, words[i]);
      between = ",";
    }
}

/* "writes on a full disk" as one word. */
static const char *fault_word(int f) {
  static char word[64];
  (void)snprintf(word, sizeof word, "%s", fault_names[f]);
  for (char *p = word; *p; p++)
    if (*p == ' ') *p = '-';
  return word;
}

void script_print_head(FILE *out, const script *s) {
  fprintf(out, "seed %" PRIu64 "\ndays %u\nfaults ", s->seed, s->days);
  const char *between = "";
  for (int f = 0; f < F_COUNT; f++)
    if (s->on[f]) {
      fprintf(out, "%s%s", between, fault_word(f));
      between = ",";
    }
  fprintf(out, "%s\n", *between ? "" : "none");
}

void script_print_step(FILE *out, const step *x) {
  uint64_t ms = x->at % DAY_MS;
  fprintf(out, "%u %02u:%02u:%02u.%03u ", (unsigned)(x->at / DAY_MS), (unsigned)(ms / 3600000),
          (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
  if (x->device == HUB)
    fprintf(out, "hub %s", step_words[x->kind]);
  else
    fprintf(out, "device %u %s", x->device, step_words[x->kind]);
  for (int a = 0; a < A_COUNT; a++) {
    if (!x->arg[a]) continue;
    fprintf(out, " %s ", arg_words[a]);
    if (a == A_PARTS)
      print_names(out, (uint64_t)x->arg[a], part_words, PART_COUNT);
    else
      fprintf(out, "%" PRId64, x->arg[a]);
  }
  fprintf(out, " salt %" PRIx64 "\n", x->salt);
}

/* --- reading --- */

static int word_of(const char *word, size_t n, const char *const *words, int count) {
  for (int i = 0; i < count; i++)
    if (strlen(words[i]) == n && memcmp(words[i], word, n) == 0) return i;
  return -1;
}

static int read_names(const char *text, const char *const *words, int count, int64_t *out) {
  for (*out = 0; *text; text += *text == ',') {
    size_t n = strcspn(text, ",");
    int i = word_of(text, n, words, count);
    if (i < 0) return -1;
    *out |= (int64_t)1 << i;
    text += n;
  }
  return 0;
}

static int read_faults(const char *text, uint8_t on[F_COUNT]) {
  memset(on, 0, F_COUNT);
  if (strcmp(text, "none") == 0) return 0;
  while (*text) {
    size_t n = strcspn(text, ",");
    int f = 0;
    while (f < F_COUNT && (strlen(fault_word(f)) != n || memcmp(fault_word(f), text, n) != 0)) f++;
    if (f == F_COUNT) return -1;
    on[f] = 1;
    text += n + (text[n] == ',');
  }
  return 0;
}

/* The next word of the line, cut off; NULL at its end. */
static char *next(char **at) {
  char *word = *at + strspn(*at, " \n");
  size_t n = strcspn(word, " \n");
  *at = word + n + (word[n] != 0);
  word[n] = 0;
  return n ? word : NULL;
}

static int read_args(char **at, step *x) {
  for (char *name; (name = next(at)) != NULL;) {
    char *value = next(at), *end = value;
    if (!value) return -1;
    int a = word_of(name, strlen(name), arg_words, A_COUNT);
    if (strcmp(name, "salt") == 0) {
      x->salt = strtoull(value, &end, 16);
    } else if (a == A_PARTS) {
      if (read_names(value, part_words, PART_COUNT, &x->arg[a]) != 0) return -1;
      continue;
    } else if (a >= 0) {
      x->arg[a] = strtoll(value, &end, 10);
    } else {
      return -1;
    }
    if (end == value || *end) return -1;
  }
  int64_t other = x->arg[A_OTHER], space = x->arg[A_SPACE], record = x->arg[A_RECORD];
  return other < 0 || other >= NODES || space < 0 || space >= SPACES || record < 0 ||
                 record > RECORDS_MAX || (uint64_t)x->arg[A_FORM] > 1
             ? -1
             : 0;
}

/* The day is read already. */
static int read_step(const char *day, char **at, script *out) {
  step x;
  unsigned h, m, s, ms;
  memset(&x, 0, sizeof x);
  const char *time = next(at), *who = next(at);
  if (!time || !who || sscanf(time, "%u:%u:%u.%u", &h, &m, &s, &ms) != 4) return -1;
  x.at = strtoull(day, NULL, 10) * DAY_MS + ((h * UINT64_C(60) + m) * 60 + s) * 1000 + ms;
  x.device = HUB;
  if (strcmp(who, "device") == 0) {
    const char *number = next(at);
    if (!number || (x.device = (uint8_t)strtoul(number, NULL, 10)) >= DEVICES) return -1;
  } else if (strcmp(who, "hub") != 0) {
    return -1;
  }
  const char *word = next(at);
  int kind = word ? word_of(word, strlen(word), step_words, S_COUNT) : -1;
  if (kind < 0 || read_args(at, &x) != 0) return -1;
  if (out->n && out->p[out->n - 1].at > x.at) return -1;
  x.kind = (uint8_t)kind;
  script_add(out, &x);
  return 0;
}

static int read_line(char *line, script *out) {
  char *at = line, *first = next(&at);
  if (!first || *first == '#') return 0;
  if (*first >= '0' && *first <= '9') return read_step(first, &at, out);
  const char *rest = next(&at);
  if (!rest) return -1;
  if (strcmp(first, "seed") == 0)
    out->seed = strtoull(rest, NULL, 10);
  else if (strcmp(first, "days") == 0)
    out->days = (unsigned)strtoul(rest, NULL, 10);
  else if (strcmp(first, "faults") == 0)
    return read_faults(rest, out->on);
  else
    return -1;
  return 0;
}

int script_read(FILE *in, const char *name, script *out) {
  char line[LINE_MAX_BYTES];
  memset(out, 0, sizeof *out);
  for (unsigned number = 1; fgets(line, sizeof line, in); number++)
    if (!strchr(line, '\n') || read_line(line, out) != 0) {
      fprintf(stderr, "%s:%u: not a line of a script\n", name, number);
      return -1;
    }
  return 0;
}
