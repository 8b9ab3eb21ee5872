#include "tests/exhaustive/program.h"

const int item_rank[ITEMS] = {1, 2, 3, 3};
const int item_step[ITEMS][ITEMS] = {
    [OPEN] = {[ASSIGNED] = 1}, [ASSIGNED] = {[CLOSED] = 1, [ESCALATED] = 1}};
const char base_text[] = "xy";

static const struct {
  const char *name;
  unsigned moves;
} types[TYPES] = {[REGISTER] = {"register", 6}, [REF] = {"ref", 3},          [MAX] = {"max", 6},
                  [MIN] = {"min", 6},           [STATE] = {"state", 6},      [SET] = {"set", 6},
                  [COUNTER] = {"counter", 3},   [LOG] = {"log", 2},          [TEXT] = {"text", 7},
                  [LIST] = {"list", 7},
                  [PRESENCE] = {"presence", 6}, [CREATION] = {"creation", 4}};

const char *type_name(type t) { return types[t].name; }
unsigned type_moves(type t) { return types[t].moves; }

#define SETS(v) \
  { .act = DO_SET, .value = v }
#define SETS_STALE(v) \
  { .act = DO_SET, .value = v, .form = FORM_VALUES }
#define SETTLES(v) \
  { .act = DO_SET, .value = v, .settle = 1 }
#define SETTLES_STALE(v) \
  { .act = DO_SET, .value = v, .settle = 1, .form = FORM_REVIEW }
#define SPLICES(a, c, t) \
  { .act = DO_SPLICE, .at = a, .cut = c, .text = t }

/* The first moves of each list are those the longest programs are made of. */
unsigned move_verbs(type t, unsigned move, unsigned i, verb out[VERBS_MAX]) {
  static const char *const one[] = {"", "a", "b", "c", "d", "e"};
  static const char *const two[] = {"", "Aa", "Bb", "Cc", "Dd", "Ee"};
  static const char *const big[] = {"", "A", "B", "C", "D", "E"};
  const int64_t v = 10 + (int64_t)i;
  const verb registers[][VERBS_MAX] = {{SETS_STALE(v)},    {SETS(v)},
                                       {SETTLES(v)},       {SETS(1)},
                                       {SETTLES_STALE(v)}, {SETS_STALE(v), SETS_STALE(v + 10)}};
  const verb maxima[][VERBS_MAX] = {{{.act = DO_RAISE, .value = v}},      {SETS(7)},
                                    {{.act = DO_RAISE, .value = 20 - v}}, {SETS_STALE(8)},
                                    {{.act = DO_RAISE, .value = 9}},      {SETTLES(7)}};
  const verb states[][VERBS_MAX] = {{SETS(ASSIGNED)},     {SETS(CLOSED)}, {SETS(ESCALATED)},
                                    {SETS_STALE(CLOSED)}, {SETS(OPEN)},   {SETTLES(ASSIGNED)}};
  const verb sets[][VERBS_MAX] = {{{.act = DO_ADD, .value = 1}},
                                  {{.act = DO_REMOVE, .value = 1}},
                                  {{.act = DO_REMOVE, .value = 1, .form = FORM_VALUES}},
                                  {{.act = DO_ADD, .value = 1, .again = 1}},
                                  {{.act = DO_ADD, .value = 2}},
                                  {{.act = DO_REMOVE, .value = 2}}};
  const verb counters[][VERBS_MAX] = {{{.act = DO_INC, .value = (int64_t)1 << (2 * i)}},
                                      {{.act = DO_INC, .value = -((int64_t)3 << (3 * i))}},
                                      {{.act = DO_INC, .value = (int64_t)1 << 62}}};
  const verb logs[][VERBS_MAX] = {
      {{.act = DO_APPEND, .value = v}},
      {{.act = DO_APPEND, .value = v + 10}, {.act = DO_APPEND, .value = v + 20}}};
  const verb texts[][VERBS_MAX] = {
      {SPLICES(1, 0, two[i])},
      {SPLICES(0, 1, "")},
      {SPLICES(1, 0, one[i]), SPLICES(1, 0, big[i])}, /* typed backwards */
      {SPLICES(0, 0, one[i])},
      {SPLICES(AT_END, 0, one[i])},
      {SPLICES(0, 1, one[i])},
      {{.act = DO_SPLICE, .at = AT_END, .text = one[i], .form = FORM_VALUES}}};
  /* insert, remove, replace; one of them from a form, two in one change */
  const verb lists[][VERBS_MAX] = {
      {SPLICES(1, 1, two[i])},
      {SPLICES(0, 1, "")},
      {SPLICES(1, 0, one[i]), SPLICES(1, 1, two[i])},
      {SPLICES(0, 2, "")},
      {SPLICES(AT_END, 0, one[i])},
      {SPLICES(1, 0, two[i])},
      {{.act = DO_SPLICE, .at = 0, .cut = 1, .text = one[i], .form = FORM_VALUES}}};
  const verb presence[][VERBS_MAX] = {{SETS(v)},
                                      {{.act = DO_DELETE}},
                                      {{.act = DO_RESTORE}},
                                      {SETS_STALE(v)},
                                      {{.act = DO_DELETE, .form = FORM_VALUES}},
                                      {SETS(v), {.act = DO_DELETE}}};
  const verb creation[][VERBS_MAX] = {
      {{.act = DO_NEW}}, {SETS(v)}, {{.act = DO_DELETE}}, {{.act = DO_RESTORE}}};
  const verb *from = registers[0];
  switch (t) {
    case MAX:
    case MIN: from = maxima[move]; break;
    case STATE: from = states[move]; break;
    case SET: from = sets[move]; break;
    case COUNTER: from = counters[move]; break;
    case LOG: from = logs[move]; break;
    case TEXT: from = texts[move]; break;
    case LIST: from = lists[move]; break;
    case PRESENCE: from = presence[move]; break;
    case CREATION: from = creation[move]; break;
    default: from = registers[move];
  }
  out[0] = from[0];
  out[1] = from[1];
  if (t == MIN) out[0].value = -out[0].value;
  int pair = (t == REGISTER && move == 5) || (t == LOG && move == 1) || (t == TEXT && move == 2) ||
             (t == LIST && move == 2) || (t == PRESENCE && move == 5);
  return pair ? 2 : 1;
}

form move_form(type t, unsigned move) {
  verb v[VERBS_MAX];
  (void)move_verbs(t, move, 1, v);
  return v[0].form;
}
