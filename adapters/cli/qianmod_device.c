/* qianmod enroll, devices, revoke, reassign. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapters/cli/qianmod.h"
#include "core/hash.h"
#include "sync/code.h"

#define DAY_MS UINT64_C(86400000)
#define HOUR_MS UINT64_C(3600000)

static qm_slice text_of(const char *s) { return qm_slice_of(s, strlen(s)); }

static void put_line(qm_line *l) {
  fputs(qm_line_text(l), stdout);
  qm_line_free(l);
}

int hub_find_spaces(const hub_args *a, hub_dir *d, qm_id *out, int *exit_code) {
  for (uint32_t i = 0; i < a->n_spaces; i++) {
    qm_hub_space row;
    qm_error e = {0, ""};
    int rc = qm_hubdb_space_get_by_name(d->db, a->spaces[i], &row);
    if (rc == QM_OK) {
      out[i] = row.id;
      continue;
    }
    *exit_code = rc == QM_ENOTFOUND ? hub_refuse(a, rc, QM_HUB_NO_SPACE, a->spaces[i])
                                    : hub_error(a, rc, &e);
    return rc;
  }
  return QM_OK;
}

/* --- enroll --- */

static void print_code(const hub_args *a, const hub_dir *d, const char *code, uint64_t expires) {
  qm_line l = QM_LINE_INIT;
  if (a->json) {
    qm_line_format(&l, "{\"code\":\"%s\",\"expires_ms\":%" PRIu64 ",\"member\":", code, expires);
    qm_line_json(&l, text_of(a->member));
    qm_line_add(&l, ",\"role\":");
    qm_line_json(&l, text_of(a->role));
    qm_line_add(&l, "}\n");
    put_line(&l);
    return;
  }
  qm_line_time(&l, (int64_t)expires);
  hub_print(a, QM_HUB_CODE, a->member, qm_line_text(&l), code, (unsigned)d->config.port, code);
  qm_line_free(&l);
}

static int make_code(const hub_args *a, hub_dir *d, uint64_t hours, const qm_id *spaces,
                     qm_error *e) {
  uint8_t fingerprint[QM_CA_FINGERPRINT_SIZE];
  char text[QM_CODE_TEXT_SIZE];
  qm_enrol_code code;
  qm_hub_code row;
  memset(&row, 0, sizeof row);
  if (strlen(a->member) > QM_HUB_TEXT_MAX || strlen(a->role) > QM_HUB_TEXT_MAX)
    return qm_fail(e, QM_EUSAGE, "--member, --role: at most %d bytes", QM_HUB_TEXT_MAX);
  memcpy(row.member, a->member, strlen(a->member) + 1);
  memcpy(row.role, a->role, strlen(a->role) + 1);
  row.expires_ms = hub_now() + hours * HOUR_MS;
  QM_TRY(qm_cert_fingerprint(qm_ca_cert(d->ca), fingerprint));
  QM_TRY(qm_code_make(&d->env, fingerprint, &code));
  qm_code_id(code.secret, &row.hash);
  int rc = qm_hubdb_sweep(d->db, hub_now());
  if (rc == QM_OK) rc = qm_hubdb_code_add(d->db, &row, spaces, a->n_spaces);
  if (rc == QM_OK) {
    qm_code_text(&code, text);
    print_code(a, d, text, row.expires_ms);
  }
  qm_wipe(text, sizeof text);
  qm_wipe(&code, sizeof code);
  return rc;
}

int hub_verb_enroll(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  qm_id spaces[QM_ARGS_MAX];
  int64_t hours = 24;
  int exit_code = QM_EXIT_DONE;
  if (!a->member || !*a->member) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--member");
  if (!a->role || !*a->role) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--role");
  if (!a->n_spaces) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--space");
  if (a->hours && qm_cli_number(a->hours, 1, 24 * 366, &hours) != 0)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_BAD_VALUE, "--hours");
  int rc = hub_open(&d, a->positional[0], QM_DIR_KEYS, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (hub_find_spaces(a, &d, spaces, &exit_code) == QM_OK) {
    rc = make_code(a, &d, (uint64_t)hours, spaces, &e);
    if (rc != QM_OK) exit_code = hub_error(a, rc, &e);
  }
  hub_close(&d);
  return exit_code;
}

/* --- devices --- */

typedef struct listing {
  const hub_args *a;
  hub_dir *d;
  qm_table table;
  uint64_t older_than; /* 0: all */
  uint32_t n;
  qm_line *spaces;
} listing;

static int add_name(void *payload, const qm_id *id) {
  listing *l = payload;
  qm_hub_space row;
  QM_TRY(qm_hubdb_space_get(l->d->db, id, &row));
  if (l->spaces->n) qm_line_add(l->spaces, l->a->json ? "," : ", ");
  if (l->a->json) qm_line_json(l->spaces, text_of(row.name));
  else qm_line_add(l->spaces, row.name);
  return QM_OK;
}

static void device_json(const qm_hub_device *r, const char *spaces) {
  char id[QM_ID_TEXT_SIZE];
  qm_line l = QM_LINE_INIT;
  qm_base32(id, r->id.b, QM_ID_SIZE);
  qm_line_format(&l, "{\"device\":\"%s\",\"member\":", id);
  qm_line_json(&l, text_of(r->member));
  qm_line_add(&l, ",\"role\":");
  qm_line_json(&l, text_of(r->role));
  qm_line_format(&l,
                 ",\"spaces\":[%s],\"enrolled_ms\":%" PRIu64 ",\"last_sync_ms\":%" PRIu64
                 ",\"behind\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"refused_code\":\"%s\""
                 ",\"clock_offset_ms\":%" PRId64 ",\"certificate_end_ms\":%" PRIu64
                 ",\"revoked_ms\":%" PRIu64 "}\n",
                 spaces, r->enrolled_ms, r->last_sync_ms, r->behind, r->refused,
                 r->refused_code ? qm_err_name(r->refused_code) : "", r->clock_offset_ms,
                 r->not_after_ms, r->revoked_ms);
  put_line(&l);
}

static void cell_format(listing *l, const char *format, ...) {
  char text[64];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  qm_table_text(&l->table, text);
}

static void device_row(listing *l, const qm_hub_device *r, const char *spaces) {
  qm_lang lang = l->a->cli.lang;
  qm_line when = QM_LINE_INIT;
  char day[QM_DATE_TEXT_SIZE];
  cell_format(l, "%s", qm_short(&r->id).text);
  qm_table_text(&l->table, r->member);
  qm_table_text(&l->table, r->role);
  qm_table_text(&l->table, spaces);
  if (r->last_sync_ms) qm_line_time(&when, (int64_t)r->last_sync_ms);
  else qm_line_add(&when, qm_hub_say(lang, QM_HUB_NEVER));
  qm_table_text(&l->table, qm_line_text(&when));
  qm_line_free(&when);
  cell_format(l, "%" PRIu64, r->behind);
  if (r->refused) cell_format(l, "%" PRIu64 " %s", r->refused, qm_err_name(r->refused_code));
  else cell_format(l, "0");
  cell_format(l, "%+.1f s", (double)r->clock_offset_ms / 1000.0);
  qm_cert_date(r->not_after_ms, day);
  qm_table_text(&l->table, r->revoked_ms ? qm_hub_say(lang, QM_HUB_IS_REVOKED) : day);
}

static int list_one(void *payload, const qm_hub_device *row) {
  listing *l = payload;
  qm_line spaces = QM_LINE_INIT;
  if (l->older_than && row->last_sync_ms >= l->older_than) return QM_OK;
  l->n++;
  l->spaces = &spaces;
  int rc = qm_hubdb_device_spaces(l->d->db, &row->id, add_name, l);
  if (rc == QM_OK && l->a->json) device_json(row, qm_line_text(&spaces));
  else if (rc == QM_OK) device_row(l, row, qm_line_text(&spaces));
  qm_line_free(&spaces);
  return rc;
}

static int list_devices(const hub_args *a, hub_dir *d, uint64_t older_than, qm_error *e) {
  static const qm_hub_text heads[] = {QM_HUB_COL_DEVICE, QM_HUB_COL_MEMBER, QM_HUB_COL_ROLE,
                                      QM_HUB_COL_SPACES, QM_HUB_COL_SYNC,   QM_HUB_COL_BEHIND,
                                      QM_HUB_COL_REFUSED, QM_HUB_COL_CLOCK, QM_HUB_COL_CERT};
  listing l = {.a = a, .d = d, .older_than = older_than};
  size_t n = sizeof heads / sizeof *heads;
  qm_table_init(&l.table, n);
  for (size_t i = 0; i < n; i++) qm_table_text(&l.table, qm_hub_say(a->cli.lang, heads[i]));
  l.table.numeric[5] = l.table.numeric[7] = 1;
  int rc = qm_hubdb_device_list(d->db, list_one, &l);
  if (rc == QM_OK && !a->json && l.n)
    rc = qm_table_print(&l.table, stdout, a->cli.width, a->cli.color);
  if (rc == QM_OK && !a->json && !l.n) hub_print(a, QM_HUB_NONE);
  qm_table_free(&l.table);
  return rc == QM_OK ? QM_OK : qm_fail(e, rc, "%s", qm_err_text(rc));
}

int hub_verb_devices(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  int64_t days = 0;
  uint64_t older_than = 0;
  if (a->stale && qm_cli_number(a->stale, 0, 36500, &days) != 0)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_BAD_VALUE, "--stale");
  if (a->stale) older_than = hub_now() - (uint64_t)days * DAY_MS;
  int rc = hub_open(&d, a->positional[0], QM_DIR_READONLY, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  rc = list_devices(a, &d, older_than, &e);
  hub_close(&d);
  return rc == QM_OK ? QM_EXIT_DONE : hub_error(a, rc, &e);
}

/* --- one device --- */

typedef struct search {
  const char *digits;
  size_t n;
  qm_hub_device *out;
  uint32_t found;
} search;

/* Case does not count, and O, I and L are read as the digits that they look like. */
static char symbol(char c) {
  if (c >= 'a' && c <= 'z') c = (char)(c - 32);
  return c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
}

static int search_one(void *payload, const qm_hub_device *row) {
  search *s = payload;
  char id[QM_ID_TEXT_SIZE];
  qm_base32(id, row->id.b, QM_ID_SIZE);
  for (size_t i = 0; i < s->n; i++)
    if (id[i] != symbol(s->digits[i])) return QM_OK;
  *s->out = *row;
  s->found++;
  return QM_OK;
}

int hub_find_device(const hub_args *a, hub_dir *d, const char *text, qm_hub_device *out,
                    int *exit_code) {
  search s = {text, strlen(text), out, 0};
  qm_error e = {0, ""};
  int rc = QM_OK;
  if (s.n >= 4 && s.n < QM_ID_TEXT_SIZE) rc = qm_hubdb_device_list(d->db, search_one, &s);
  if (rc != QM_OK) {
    *exit_code = hub_error(a, rc, &e);
    return rc;
  }
  if (s.found == 1) return QM_OK;
  *exit_code = s.found ? hub_refuse(a, QM_EAMBIGUOUS, QM_HUB_TWO_DEVICES, text)
                       : hub_refuse(a, QM_ENOTFOUND, QM_HUB_NO_DEVICE, text);
  return s.found ? QM_EAMBIGUOUS : QM_ENOTFOUND;
}

static void print_device(const hub_args *a, qm_hub_text text, const qm_id *device) {
  char id[QM_ID_TEXT_SIZE];
  qm_base32(id, device->b, QM_ID_SIZE);
  if (a->json) printf("{\"device\":\"%s\"}\n", id);
  else hub_print(a, text, qm_short(device).text);
}

int hub_verb_revoke(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  qm_hub_device row;
  int exit_code = QM_EXIT_DONE;
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DEVICE");
  int rc = hub_open(&d, a->positional[0], 0, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (hub_find_device(a, &d, a->positional[1], &row, &exit_code) == QM_OK) {
    rc = qm_hubdb_device_revoke(d.db, &row.id, hub_now());
    if (rc == QM_OK) print_device(a, QM_HUB_REVOKED, &row.id);
    else exit_code = hub_error(a, rc, &e);
  }
  hub_close(&d);
  return exit_code;
}

#define AGAIN_MAX 64u /* of one round: the list is not written to while it is read */

typedef struct again {
  const qm_id *device;
  qm_hub_refused rows[AGAIN_MAX];
  uint32_t n;
} again;

static int again_one(void *payload, const qm_hub_refused *row) {
  again *g = payload;
  qm_id device;
  qm_author_device(&row->author, &device);
  if (row->code != QM_EACCESS && row->code != QM_ESCHEMA) return QM_OK;
  if (g->device && qm_id_cmp(g->device, &device) != 0) return QM_OK;
  g->rows[g->n++] = *row;
  return g->n < AGAIN_MAX ? QM_OK : QM_STORE_STOP;
}

int hub_judge_again(hub_dir *d, const qm_id *space, const qm_id *device) {
  again g = {.device = device};
  do {
    g.n = 0;
    QM_TRY(qm_hubdb_refused_list(d->db, space, again_one, &g));
    for (uint32_t i = 0; i < g.n; i++)
      QM_TRY(qm_hubdb_refused_clear(d->db, &g.rows[i].space, &g.rows[i].author));
  } while (g.n == AGAIN_MAX);
  return QM_OK;
}

static int reassign(const hub_args *a, hub_dir *d, const qm_id *device, const qm_id *spaces) {
  QM_TRY(qm_hubdb_begin(d->db));
  int rc = QM_OK;
  if (a->n_spaces) rc = qm_hubdb_device_spaces_put(d->db, device, spaces, a->n_spaces);
  if (rc == QM_OK && (a->member || a->role))
    rc = qm_hubdb_device_assign(d->db, device, a->member, a->role);
  if (rc == QM_OK) rc = hub_judge_again(d, NULL, device);
  if (rc == QM_OK) return qm_hubdb_commit(d->db);
  qm_hubdb_rollback(d->db);
  return rc;
}

int hub_verb_reassign(const hub_args *a) {
  hub_dir d;
  qm_error e = {0, ""};
  qm_hub_device row;
  qm_id spaces[QM_ARGS_MAX];
  int exit_code = QM_EXIT_DONE;
  if (a->n_positional < 2) return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "DEVICE");
  if (!a->n_spaces && !a->role && !a->member)
    return hub_refuse(a, QM_EUSAGE, QM_HUB_MISSING, "--space");
  int rc = hub_open(&d, a->positional[0], 0, &e);
  if (rc != QM_OK) return hub_error(a, rc, &e);
  if (hub_find_device(a, &d, a->positional[1], &row, &exit_code) == QM_OK &&
      hub_find_spaces(a, &d, spaces, &exit_code) == QM_OK) {
    rc = reassign(a, &d, &row.id, spaces);
    if (rc == QM_OK) print_device(a, QM_HUB_REASSIGNED, &row.id);
    else exit_code = hub_error(a, rc, &e);
  }
  hub_close(&d);
  return exit_code;
}
