/* script: the course of one world as text: a head, then one line for each thing that
 * somebody does or that befalls a node. A seed draws such lines (course.h); a recorded,
 * shortened or handwritten script plays them. What a line leaves open is drawn from its own
 * `salt`, so that a line means the same whatever lines stand before it.
 *
 *   # a comment
 *   seed 7                                  the world: ids, members, who lies
 *   days 2
 *   faults recovery,mutated-bytes           those that are drawn inside of steps
 *   0 08:41:12.345 device 3 edit record 12 parts tel,tag salt 1f3a9c
 *
 * Records are named by the number that `new` gave them in the script. */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdio.h>

#include "tests/sim/world.h"

/* Every kind of line: its word, who carries it out (steps.h; NULL for nobody: a person's
 * deed, people_do). A new one stands here and has its function; course.c draws it. */
#define STEPS(X)                                                                             \
  X(WAKE, "wake", step_wake)                                                                 \
  X(JOIN, "join", step_join)                                                                 \
  X(NEW, "new", people_do)                                                                   \
  X(OPEN, "open", people_do)                                                                 \
  X(REVIEW, "review", people_do)                                                             \
  X(SAVE, "save", people_do)                                                                 \
  X(DELETE_FORM, "delete-form", people_do)                                                       \
  X(EDIT, "edit", people_do)                                                                 \
  X(SETTLE, "settle", people_do)                                                             \
  X(DELETE, "delete", people_do)                                                             \
  X(RESTORE, "restore", people_do)                                                           \
  X(MERGE, "merge", people_do)                                                               \
  X(UNMERGE, "unmerge", people_do)                                                           \
  X(SYNC, "sync", step_sync)                                                                 \
  X(MEET, "meet", step_meet)                                                                 \
  X(UPGRADE, "upgrade", step_upgrade)                                                        \
  X(CRASH, "power-cut", step_crash)                                                          \
  X(DISK, "disk", step_disk)                                                                 \
  X(CLOCK_OFF, "clock-off", step_clock_off)                                                  \
  X(CLOCK_JUMP, "clock-jump", step_clock_jump)                                               \
  X(FREEZE, "clock-freeze", step_freeze)                                                     \
  X(THAW, "clock-thaw", step_thaw)                                                           \
  X(BACKUP, "backup", step_backup)                                                           \
  X(BACK, "go-back", step_back)                                                              \
  X(COPY, "copy", step_copy)                                                                 \
  X(REVOKE, "revoke", step_revoke)                                                           \
  X(LEAVE, "leave", step_leave)                                                              \
  X(LIE, "lie", step_lie)                                                                    \
  X(CUT_LOG, "cut-log", step_cut_log)

typedef enum step_kind {
#define X(name, word, run) S_##name,
  STEPS(X)
#undef X
      S_COUNT
} step_kind;

/* What a line may say beside, as `name value`. One that is not said is 0. */
#define ARGS(X)                                                                              \
  X(SPACE, "space")                                                                          \
  X(RECORD, "record")                                                                        \
  X(WITH, "with") /* another record */                                                       \
  X(FORM, "form")                                                                            \
  X(COLLECTION, "collection")                                                                \
  X(KEY, "key") /* a natural key's number */                                                 \
  X(PARTS, "parts") /* of a form, by name */                                                 \
  X(OTHER, "other") /* a device */                                                           \
  X(CUT, "cut")     /* the connection, after so many bytes */                                \
  X(DEAF, "deaf")   /* 1 the client, 2 the server does not hear of it */                     \
  X(STALLS, "stalls")                                                                        \
  X(STAY, "stay") /* so many milliseconds */                                                 \
  X(TWICE, "twice")                                                                          \
  X(WRITES, "writes") /* until the power goes */                                             \
  X(READ_EIO, "read-eio") /* these three in 10,000 */                                        \
  X(WRITE_EIO, "write-eio")                                                                  \
  X(SYNC_EIO, "sync-eio")                                                                    \
  X(FULL, "full")                                                                            \
  X(MS, "ms")                                                                                \
  X(VERSION, "version")

typedef enum step_arg {
#define X(name, word) A_##name,
  ARGS(X)
#undef X
      A_COUNT
} step_arg;

/* The parts of a form that a save fills in. `early`: its step stands before the others. */
#define PARTS(X)                                                                             \
  X(EARLY, "early")                                                                          \
  X(KEY, "key")                                                                              \
  X(TEL, "tel")                                                                              \
  X(HEAD, "head")                                                                            \
  X(STATE, "state")                                                                          \
  X(REF, "ref")                                                                              \
  X(PLACE, "place")                                                                          \
  X(MORE, "more")                                                                            \
  X(LAST, "last")                                                                            \
  X(FIRST, "first")                                                                          \
  X(TAG, "tag")                                                                              \
  X(TAG_AGAIN, "tag-again")                                                                  \
  X(TAG_OUT, "tag-out")                                                                      \
  X(COUNT_UP, "count")                                                                        \
  X(TYPE, "type")                                                                            \
  X(CUT_TEXT, "cut-text")                                                                    \
  X(PLAN, "plan")                                                                            \
  X(CUT_PLAN, "cut-plan")

enum {
#define X(name, word) PART_##name,
  PARTS(X)
#undef X
      PART_COUNT
};

typedef struct step {
  uint64_t at; /* milliseconds after the start */
  uint64_t salt;
  uint8_t kind, device; /* HUB: the hub */
  int64_t arg[A_COUNT];
} step;

typedef struct script {
  uint64_t seed;
  unsigned days;
  uint8_t on[F_COUNT];
  step *p;
  uint32_t n, cap;
} script;

extern const char *const step_words[S_COUNT];

void script_add(script *s, const step *x);
void script_copy(script *to, const script *from); /* `to` was initialised, {0} at least */
void script_free(script *s);
void script_print_head(FILE *out, const script *s);
void script_print_step(FILE *out, const step *x);
/* 0, or -1 with a message on stderr. */
int script_read(FILE *in, const char *name, script *out);

#endif
