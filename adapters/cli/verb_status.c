/* verb_status.c: how this device stands with the hub: status, sync, export-refused. */
#include <string.h>

#include "adapters/cli/verb.h"

#define CLOCK_NEAR_MS 2000 /* an offset below this is no news to anybody */
#define TITLE_COLUMNS 14u

/* ---- status ---- */

static void put_line(qm_line *l, const char *title, const qm_line *value) {
  size_t from = l->n;
  if (!value->n) return;
  qm_line_add(l, title);
  qm_pad(l, from, TITLE_COLUMNS);
  qm_line_format(l, "  %s\n", qm_line_text(value));
}

/* Takes the value, so that the next line begins empty. */
static void put(const qm_ctx *c, qm_line *l, qm_say_id title, qm_line *value) {
  put_line(l, qm_say(c->cli.lang, title), value);
  qm_line_free(value);
}

static const char *number(const qm_node *n) {
  return n && n->type == QM_NODE_NUMBER ? (const char *)n->text.p : NULL;
}

/* "5 changes, the oldest 3 h old". now: by the clock that wrote. */
static void put_unsent(const qm_ctx *c, qm_line *v, const qm_node *of, int64_t now) {
  const char *n = number(qm_node_get(of, "unsent"));
  int64_t oldest;
  if (!n) return;
  if (strcmp(n, "0") == 0) {
    qm_line_add(v, QM_SAY(c, ST_UNSENT_NONE));
    return;
  }
  if (strcmp(n, "1") == 0) qm_line_add(v, QM_SAY(c, ST_UNSENT_ONE));
  else qm_line_format(v, QM_SAY(c, ST_UNSENT_COUNT), n);
  if (qm_node_int(qm_node_get(of, "oldest_unsent"), &oldest) == 0) {
    qm_line age = QM_LINE_INIT;
    qm_verb_age(c, &age, now - oldest);
    qm_line_format(v, QM_SAY(c, ST_OLDEST), qm_line_text(&age));
    qm_line_free(&age);
  }
}

static void put_clock(const qm_ctx *c, qm_line *v, const qm_node *status) {
  int64_t clock, offset;
  qm_line age = QM_LINE_INIT;
  if (qm_node_int(qm_node_get(status, "clock"), &clock) == 0 && clock < INT64_C(1577836800000))
    qm_line_add(v, QM_SAY(c, ST_CLOCK_WRONG));
  else if (qm_node_int(qm_node_get(status, "last_sync"), &clock) != 0 ||
           qm_node_int(qm_node_get(status, "clock_offset_ms"), &offset) != 0)
    qm_line_add(v, QM_SAY(c, ST_CLOCK_UNKNOWN));
  else if (offset > -CLOCK_NEAR_MS && offset < CLOCK_NEAR_MS)
    qm_line_add(v, QM_SAY(c, ST_CLOCK_RIGHT));
  else {
    qm_verb_age(c, &age, offset < 0 ? -offset : offset);
    qm_line_format(v, offset < 0 ? QM_SAY(c, ST_CLOCK_AHEAD) : QM_SAY(c, ST_CLOCK_BEHIND),
                   qm_line_text(&age));
  }
  qm_line_free(&age);
}

static void put_certificate(const qm_ctx *c, qm_line *v, const qm_node *status) {
  const qm_node *certificate = qm_node_get(status, "certificate");
  const char *days = number(qm_node_get(certificate, "days_left"));
  qm_line until = QM_LINE_INIT;
  if (!days) return;
  qm_verb_time(&until, qm_node_get(certificate, "not_after"), "?");
  if (days[0] == '-') qm_line_format(v, QM_SAY(c, ST_CERT_OVER), qm_line_text(&until));
  else qm_line_format(v, QM_SAY(c, ST_CERT_DAYS), days, qm_line_text(&until));
  qm_line_free(&until);
}

static void put_moment(const qm_ctx *c, qm_line *v, const qm_node *at, int64_t now) {
  int64_t ms;
  qm_line moment = QM_LINE_INIT, age = QM_LINE_INIT;
  if (qm_node_int(at, &ms) != 0) {
    qm_line_add(v, QM_SAY(c, WORD_NEVER));
    return;
  }
  qm_line_time(&moment, ms);
  qm_verb_age(c, &age, now - ms);
  qm_line_format(v, QM_SAY(c, ST_AGO), qm_line_text(&moment), qm_line_text(&age));
  qm_line_free(&moment);
  qm_line_free(&age);
}

/* The last try is news only where it failed. */
static void put_try(const qm_ctx *c, qm_line *v, const qm_node *status) {
  int code = qm_error_number(qm_node_string(qm_node_get(status, "last_code")));
  qm_line at = QM_LINE_INIT;
  if (!code) return;
  qm_verb_time(&at, qm_node_get(status, "last_try"), "?");
  qm_line_format(v, QM_SAY(c, ST_FAILED), qm_line_text(&at),
                 qm_say_error(c->cli.lang, code));
  qm_line_free(&at);
}

static void put_text(qm_line *v, const qm_node *n) { qm_line_clean(v, qm_node_text(n), " "); }

static void put_device(const qm_ctx *c, qm_line *l, const qm_node *status, int64_t now) {
  qm_line v = QM_LINE_INIT;
  int enrolled = qm_node_true(qm_node_get(status, "enrolled"));
  put_text(&v, qm_node_get(status, "device"));
  if (qm_node_text(qm_node_get(status, "name")).n) {
    qm_line_add(&v, " · ");
    put_text(&v, qm_node_get(status, "name"));
  }
  put(c, l, QM_SAY_ST_DEVICE, &v);
  put_text(&v, qm_node_get(status, "member"));
  put(c, l, QM_SAY_ST_MEMBER, &v);
  if (enrolled) put_text(&v, qm_node_get(status, "hub"));
  else qm_line_add(&v, QM_SAY(c, ST_NOT_ENROLLED));
  put(c, l, QM_SAY_ST_HUB, &v);
  if (qm_node_true(qm_node_get(status, "test_data"))) {
    qm_line_add(&v, QM_SAY(c, ST_TEST_DATA_ONLY));
    put(c, l, QM_SAY_ST_TEST_DATA, &v);
  }
  if (!enrolled) return;
  put_certificate(c, &v, status);
  put(c, l, QM_SAY_ST_CERTIFICATE, &v);
  put_moment(c, &v, qm_node_get(status, "last_sync"), now);
  put(c, l, QM_SAY_ST_LAST_SYNC, &v);
  put_try(c, &v, status);
  put(c, l, QM_SAY_ST_LAST_TRY, &v);
}

/* "3 (high 1, normal 2)"; nothing where nobody counted. */
static void put_conflicts(const qm_ctx *c, qm_line *v, const qm_node *of) {
  const char *n = number(qm_node_get(of, "conflicts"));
  qm_line by = QM_LINE_INIT;
  qm_verb_severities(c, &by, qm_node_get(of, "conflicts_by"));
  if (n && by.n) qm_line_format(v, QM_SAY(c, ST_CONFLICTS_BY), n, qm_line_text(&by));
  else if (n) qm_line_add(v, n);
  qm_line_free(&by);
}

/* Only where the size limit has been reached. */
static void put_history(const qm_ctx *c, qm_line *v, const qm_node *history) {
  int64_t over, mb;
  qm_line at = QM_LINE_INIT, size = QM_LINE_INIT;
  if (qm_node_int(qm_node_get(history, "over"), &over) != 0 ||
      qm_node_int(qm_node_get(history, "mb"), &mb) != 0)
    return;
  qm_verb_time(&at, qm_node_get(history, "cut"), "");
  qm_line_size(&size, (uint64_t)(over > 0 ? over : mb * 1000000));
  if (over > 0) qm_line_format(v, QM_SAY(c, ST_HISTORY_OVER), qm_line_text(&size));
  else if (at.n && mb)
    qm_line_format(v, QM_SAY(c, ST_HISTORY_CUT), qm_line_text(&size), qm_line_text(&at));
  qm_line_free(&at);
  qm_line_free(&size);
}

static void put_state(const qm_ctx *c, qm_line *l, const qm_node *status, int64_t now) {
  const char *refused = number(qm_node_get(status, "refused"));
  const char *inbox = number(qm_node_get(status, "inbox"));
  const char *set_aside = number(qm_node_get(status, "set_aside"));
  int64_t free_bytes;
  qm_line v = QM_LINE_INIT;
  put_unsent(c, &v, status, now);
  put(c, l, QM_SAY_ST_UNSENT, &v);
  qm_line_add(&v, refused ? refused : "");
  put(c, l, QM_SAY_ST_REFUSED, &v);
  qm_line_add(&v, set_aside && strcmp(set_aside, "0") != 0 ? set_aside : "");
  put(c, l, QM_SAY_ST_SET_ASIDE, &v);
  put_conflicts(c, &v, status);
  put(c, l, QM_SAY_ST_CONFLICTS, &v);
  if (inbox && strcmp(inbox, "0") != 0)
    qm_line_format(&v, QM_SAY(c, ST_INBOX_UNREAD), inbox, c->cli.program);
  put(c, l, QM_SAY_ST_INBOX, &v);
  put_clock(c, &v, status);
  put(c, l, QM_SAY_ST_CLOCK, &v);
  if (qm_node_int(qm_node_get(status, "free_bytes"), &free_bytes) == 0 && free_bytes >= 0)
    qm_line_size(&v, (uint64_t)free_bytes);
  put(c, l, QM_SAY_ST_FREE, &v);
  put_history(c, &v, qm_node_get(status, "history"));
  put(c, l, QM_SAY_ST_HISTORY, &v);
}

/* "acknowledged 12, safe in a backup 10 (of 14)". */
static void put_held(const qm_ctx *c, qm_line *v, const qm_node *space) {
  const char *acknowledged = number(qm_node_get(space, "acknowledged"));
  const char *safe = number(qm_node_get(space, "safe"));
  const char *written = number(qm_node_get(space, "written"));
  const char *unknown = QM_SAY(c, WORD_UNKNOWN);
  if (!written || (!acknowledged && !safe)) return;
  qm_line_format(v, QM_SAY(c, ST_HELD_COUNT), written, acknowledged ? acknowledged : unknown,
                 safe ? safe : unknown);
}

static void put_space(const qm_ctx *c, qm_line *l, const qm_node *space, int64_t now, int several) {
  const char *version = number(qm_node_get(space, "version"));
  const char *records = number(qm_node_get(space, "records"));
  qm_line v = QM_LINE_INIT, name = QM_LINE_INIT;
  qm_line_clean(&name, qm_verb_name(space), " ");
  qm_line_format(&v, QM_SAY(c, ST_SPACE_LINE), qm_line_text(&name), records ? records : "?",
                 version ? version : "?");
  if (qm_node_text(qm_node_get(space, "role")).n)
    qm_line_format(&v, QM_SAY(c, ST_SPACE_ROLE), qm_node_string(qm_node_get(space, "role")));
  qm_line_free(&name);
  qm_line_add(l, "\n");
  put(c, l, QM_SAY_ST_SPACE, &v);
  put_held(c, &v, space);
  put(c, l, QM_SAY_ST_HELD, &v);
  qm_verb_mending(c, &v, space);
  put(c, l, QM_SAY_ST_MENDING, &v);
  qm_verb_repaired(c, &v, space);
  put(c, l, QM_SAY_ST_REPAIRED, &v);
  if (!several) return;
  put_unsent(c, &v, space, now);
  put(c, l, QM_SAY_ST_UNSENT, &v);
  put_conflicts(c, &v, space);
  put(c, l, QM_SAY_ST_CONFLICTS, &v);
}

int qm_verb_status(qm_ctx *c) {
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_line l = QM_LINE_INIT;
  int64_t now = 0;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_status(c->db, c->values[QM_OPT_FAST] ? QM_FAST : 0, &text, &e) != QM_OK)
    return qm_verb_failed(c, &e);
  if (c->cli.json) exit_code = qm_verb_print_lines(&text);
  else exit_code = qm_verb_parse(c, &t, qm_slice_of(text.p, text.n));
  if (!exit_code && !c->cli.json) {
    const qm_node *spaces = qm_node_get(t.root, "spaces");
    int several = spaces && spaces->child && spaces->child->next;
    if (qm_node_int(qm_node_get(t.root, "clock"), &now) != 0) now = 0;
    put_device(c, &l, t.root, now);
    put_state(c, &l, t.root, now);
    for (const qm_node *s = spaces ? spaces->child : NULL; s; s = s->next)
      put_space(c, &l, s, now, several);
    exit_code = qm_verb_print(c, &l);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}

/* ---- sync ---- */

static int print_sync_json(qm_ctx *c, const qm_sync_result *r) {
  qm_line l = QM_LINE_INIT;
  qm_line_format(&l,
                 "{\"segments_up\":%llu,\"segments_down\":%llu,\"bytes_up\":%llu,"
                 "\"bytes_down\":%llu,\"spaces\":%lu,\"spaces_differing\":%lu,\"refused\":%lu,"
                 "\"clock_offset_ms\":%lld,\"renewed\":%s,\"repaired\":%lu,"
                 "\"repaired_states\":%lu,\"code\":%ld}\n",
                 (unsigned long long)r->segments_up, (unsigned long long)r->segments_down,
                 (unsigned long long)r->bytes_up, (unsigned long long)r->bytes_down,
                 (unsigned long)r->spaces, (unsigned long)r->spaces_differing,
                 (unsigned long)r->refused, (long long)r->clock_offset_ms,
                 r->renewed ? "true" : "false", (unsigned long)r->repaired,
                 (unsigned long)r->repaired_states, (long)r->code);
  return qm_verb_print(c, &l);
}

static void hub_name(qm_ctx *c, qm_line *out) {
  qm_text text = {0};
  qm_tree t = QM_TREE_INIT;
  if (qm_status(c->db, QM_FAST, &text, NULL) == QM_OK &&
      qm_tree_read(&t, qm_slice_of(text.p, text.n)) == QM_OK)
    put_text(out, qm_node_get(t.root, "hub"));
  qm_tree_free(&t);
  qm_text_free(&text);
}

static void print_sync(qm_ctx *c, const qm_sync_result *r, int failed) {
  qm_line hub = QM_LINE_INIT, up = QM_LINE_INIT, down = QM_LINE_INIT, age = QM_LINE_INIT;
  char sent[24], received[24];
  int64_t offset = r->clock_offset_ms;
  snprintf(sent, sizeof sent, "%llu", (unsigned long long)r->segments_up);
  snprintf(received, sizeof received, "%llu", (unsigned long long)r->segments_down);
  hub_name(c, &hub);
  qm_line_size(&up, r->bytes_up);
  qm_line_size(&down, r->bytes_down);
  if (failed) {
    if (r->segments_up || r->segments_down)
      qm_cli_note(&c->cli, QM_SAY_SYNC_PARTLY, sent, received);
  } else if (!r->segments_up && !r->segments_down) {
    qm_cli_print(&c->cli, stdout, QM_SAY_SYNC_NOTHING, qm_line_text(&hub), qm_line_text(&up),
                 qm_line_text(&down));
  } else {
    qm_cli_print(&c->cli, stdout, QM_SAY_SYNC_DONE, qm_line_text(&hub), sent, received,
                 qm_line_text(&up), qm_line_text(&down));
  }
  if (r->renewed) qm_cli_note(&c->cli, QM_SAY_SYNC_RENEWED);
  if (offset > 60000 || offset < -60000) {
    qm_verb_age(c, &age, offset < 0 ? -offset : offset);
    qm_cli_note(&c->cli, QM_SAY_SYNC_CLOCK, qm_line_text(&age));
  }
  if (r->refused) qm_cli_note(&c->cli, QM_SAY_SYNC_REFUSED, c->cli.program);
  if (r->repaired || r->repaired_states)
    qm_cli_note(&c->cli, QM_SAY_SYNC_REPAIRED, (unsigned long)r->repaired,
                (unsigned long)r->repaired_states);
  qm_line_free(&hub);
  qm_line_free(&up);
  qm_line_free(&down);
  qm_line_free(&age);
}

static void told(void *payload, int32_t code) {
  qm_ctx *c = payload;
  if (c->cli.json && code == QM_OK) printf("{\"connected\":true}\n");
  else if (c->cli.json) printf("{\"connected\":false,\"code\":\"%s\"}\n", qm_err_name(code));
  else if (code == QM_OK) qm_cli_print(&c->cli, stdout, QM_SAY_STAY_CONNECTED);
  else
    qm_cli_print(&c->cli, stdout, QM_SAY_STAY_LOST, qm_say_error(c->cli.lang, code));
  fflush(stdout);
}

static int stay(qm_ctx *c) {
  qm_error e = {0};
  return qm_sync_stay(c->db, told, c, &e) == QM_OK ? QM_EXIT_DONE : qm_verb_failed(c, &e);
}

int qm_verb_sync(qm_ctx *c) {
  qm_sync_result r = {.size = sizeof r};
  qm_error e = {0};
  int exit_code = qm_verb_open(c, 0);
  if (exit_code) return exit_code;
  if (c->values[QM_OPT_STAY]) return stay(c);
  int rc = qm_sync(c->db, &r, &e);
  /* Beside an error, what came through is still news. */
  if (c->cli.json && (rc == QM_OK || r.bytes_up || r.bytes_down))
    exit_code = print_sync_json(c, &r);
  if (rc != QM_OK) exit_code = qm_verb_failed(c, &e);
  if (!c->cli.json) print_sync(c, &r, rc != QM_OK);
  return exit_code;
}

/* ---- what the hub refused ---- */

static int refused_row(qm_ctx *c, qm_table *table, const qm_node *effect) {
  qm_line l = QM_LINE_INIT;
  qm_verb_time(&l, qm_node_get(effect, "time"), "?");
  qm_table_cell(table, qm_line_slice(&l));
  qm_line_clear(&l);
  qm_line_clean(&l, qm_node_text(qm_node_get(effect, "collection")), " ");
  qm_line_format(&l, " %.8s", qm_node_string(qm_node_get(effect, "id")));
  qm_table_cell(table, qm_node_text(qm_node_get(effect, "space")));
  qm_table_cell(table, qm_line_slice(&l));
  qm_verb_effect(c, table, NULL, effect);
  qm_table_cell(table, qm_node_text(qm_node_get(effect, "message")));
  qm_line_free(&l);
  return QM_EXIT_DONE;
}

int qm_verb_export_refused(qm_ctx *c) {
  static const qm_say_id heads[] = {QM_SAY_WORD_TIME,  QM_SAY_WORD_SPACE, QM_SAY_WORD_RECORD,
                                    QM_SAY_WORD_FIELD, QM_SAY_WORD_WHAT,  QM_SAY_WORD_VALUE,
                                    QM_SAY_WORD_WHY};
  qm_text text = {0};
  qm_error e = {0};
  qm_tree t = QM_TREE_INIT;
  qm_table table;
  qm_slice rest, line;
  int exit_code = qm_verb_open(c, QM_OPEN_READONLY);
  if (exit_code) return exit_code;
  if (qm_export_refused(c->db, &text, &e) != QM_OK) return qm_verb_failed(c, &e);
  rest = qm_slice_of(text.p, text.n);
  if (c->cli.json) {
    qm_verb_print_lines(&text);
  } else if (!rest.n) {
    qm_cli_print(&c->cli, stdout, QM_SAY_REFUSED_NONE);
  } else {
    qm_table_init(&table, 7);
    for (size_t i = 0; i < 7; i++) qm_table_text(&table, qm_say(c->cli.lang, heads[i]));
    while (!exit_code && qm_next_line(&rest, &line)) {
      exit_code = qm_verb_parse(c, &t, line);
      if (!exit_code) exit_code = refused_row(c, &table, t.root);
    }
    if (!exit_code) exit_code = qm_verb_print_table(c, &table);
    qm_table_free(&table);
  }
  qm_tree_free(&t);
  qm_text_free(&text);
  return exit_code;
}
