/* verb: what the verbs of qianmo share: the table of verbs and options, the open database,
 * and the schema as the verbs look things up in it. Functions that return int return an exit
 * code (cli_out.h), 0 where all is well, and have reported what is not. */
#ifndef QM_VERB_H
#define QM_VERB_H

#include "adapters/cli/cli_json.h"
#include "adapters/cli/cli_opt.h"
#include "adapters/cli/cli_out.h"
#include "adapters/cli/cli_table.h"
#include "core/qianmo.h"

typedef enum qm_option {
  QM_OPT_DB,
  QM_OPT_SPACE,
  QM_OPT_JSON,
  QM_OPT_LANG,
  QM_OPT_HELP,
  QM_OPT_VERSION,
  QM_OPT_GLOBAL, /* those before go with every verb */
  QM_OPT_SCHEMA = QM_OPT_GLOBAL,
  QM_OPT_ROLE,
  QM_OPT_TEST_DATA,
  QM_OPT_HUB,
  QM_OPT_CODE,
  QM_OPT_NAME,
  QM_OPT_TOKEN,
  QM_OPT_AGAIN,
  QM_OPT_DELETED,
  QM_OPT_LIMIT,
  QM_OPT_FIELDS,
  QM_OPT_FIELD,
  QM_OPT_FAST,
  QM_OPT_SINCE,
  QM_OPT_FOLLOW,
  QM_OPT_STAY,
  QM_OPT_WHERE,
  QM_OPT_SORT,
  QM_OPT_COLUMNS,
  QM_OPT_PAGE,
  QM_OPT_COLLECTION,
  QM_OPT_CSV,
  QM_OPT_SECONDS,
  QM_OPT_AT,
  QM_OPT_NUMBER,
  QM_OPT_DISMISS,
  QM_OPT_DISMISSED,
  QM_OPT_UNDO,
  QM_OPT_RECORD,
  QM_OPT_CLASS,
  QM_OPT_SEVERITY,
  QM_OPT_TAKE,
  QM_OPT_VALUE,
  QM_OPT_ALL,
  QM_OPT_OVERDUE,
  QM_OPT_COUNT
} qm_option;

#define QM_OPT_BIT(o) (UINT64_C(1) << (o))

typedef struct qm_verbs_ctx qm_ctx;

typedef struct qm_verb {
  const char *name;
  int (*run)(qm_ctx *c);
  qm_say_id group;
  int args_min, args_max; /* -1: no limit */
  uint64_t options;       /* QM_OPT_BIT of those beyond the global ones */
} qm_verb;

struct qm_verbs_ctx {
  qm_cli cli;
  const qm_verb *verb; /* NULL before one is known */
  const char *values[QM_OPT_COUNT];
  char **args; /* after the verb */
  int n_args;
  const char *db_path;
  qm_db *db;
  qm_tree schema; /* of the space, once asked for */
};

/* ---- qianmo.c ---- */

extern const qm_opt qm_options_table[QM_OPT_COUNT];
/* Ends with a verb without a name. */
extern const qm_verb qm_verbs[];
const qm_verb *qm_verb_find(const char *name);
/* Reports a name that is no verb, with the nearest one. */
int qm_verb_unknown(const qm_ctx *c, const char *name);

/* ---- verb.c ---- */

#define QM_SAY(c, name) qm_say((c)->cli.lang, QM_SAY_##name)

/* flags: QM_OPEN_…; a missing database is reported with what to do. */
int qm_verb_open(qm_ctx *c, uint32_t flags);
/* The value of --space, or empty. */
qm_slice qm_verb_space(const qm_ctx *c);
/* Reports a failed call; adds what to do about a space that is not there. */
int qm_verb_failed(qm_ctx *c, const qm_error *e);
/* The same for a call that named a record of a collection. */
int qm_verb_record_failed(qm_ctx *c, const qm_error *e, const qm_node *collection);
/* Parses a result; a bad one is an internal error. */
int qm_verb_parse(qm_ctx *c, qm_tree *t, qm_slice json);
/* Prints the text and frees it, or says that there was no memory for it. */
int qm_verb_print(qm_ctx *c, qm_line *l);
/* Prints a result of JSON lines as it is. */
int qm_verb_print_lines(const qm_text *text);
int qm_verb_print_table(qm_ctx *c, const qm_table *table);
/* Reads the schema of the space into c->schema. */
int qm_verb_schema(qm_ctx *c);
/* By name or label; an unknown name is wrong usage, with a hint. */
int qm_verb_collection(qm_ctx *c, const char *name, const qm_node **out);
int qm_verb_field(qm_ctx *c, const qm_node *collection, qm_slice name, const qm_node **out);
/* The label in the language of the messages; the name where there is none. */
qm_slice qm_verb_label(const qm_ctx *c, const qm_node *labelled);
qm_slice qm_verb_name(const qm_node *named);

/* "household (户)": the name, and the label where it differs. */
void qm_verb_titled(const qm_ctx *c, qm_line *l, const qm_node *labelled);

/* One FIELD=VALUE, or FIELD:=JSON. `at` is its index in c->args. */
typedef struct qm_assignment {
  qm_slice field;
  const char *value;
  uint32_t flags; /* QM_JSON */
} qm_assignment;
int qm_verb_assignment(qm_ctx *c, int at, qm_assignment *out);
/* Takes an empty value for "no value", which it is to who typed it. */
void qm_verb_clearing(const qm_node *field, qm_assignment *a);
/* Of an enum or a state: takes the label of an item for its name; another value is refused
 * with the items there are. Borrows from the schema. */
int qm_verb_item(qm_ctx *c, const qm_node *field, qm_assignment *a);

/* A value for people: one of a field (NULL: of an unknown one). newline: see qm_line_clean. */
void qm_verb_value(const qm_ctx *c, qm_line *l, const qm_node *field, const qm_node *value,
                   const char *newline);
/* Who wrote it: the member, or "this device". */
void qm_verb_who(const qm_ctx *c, qm_line *l, const qm_node *who);
/* "by NAME, TIME"; the time only where it is known. */
void qm_verb_stamp(const qm_ctx *c, qm_line *l, const qm_node *who);
/* " (its clock said TIME)" where the writer's clock was ahead; else nothing. */
void qm_verb_clock(const qm_ctx *c, qm_line *l, const qm_node *who);
/* Local time of a member in milliseconds, or `absent`. */
void qm_verb_time(qm_line *l, const qm_node *ms, const char *absent);
/* A span of time: "5 min". */
void qm_verb_age(const qm_ctx *c, qm_line *l, int64_t ms);

/* ---- the verbs ---- */

int qm_verb_init(qm_ctx *c);
int qm_verb_enroll(qm_ctx *c);
int qm_verb_spaces(qm_ctx *c);
int qm_verb_schema_show(qm_ctx *c);
int qm_verb_schema_check(qm_ctx *c); /* schema check FILE */
int qm_verb_schema_diff(qm_ctx *c);  /* schema diff OLD NEW */
/* Appends a schema file of at most some MiB, with the files that it names in their places. */
int qm_verb_read_file(qm_ctx *c, const char *path, qm_line *out);
int qm_verb_schema_pack(qm_ctx *c); /* schema pack FILE */

int qm_verb_new(qm_ctx *c);
/* set, add, remove, inc, append, insert, replace, raise, lower, settle */
int qm_verb_write(qm_ctx *c);
int qm_verb_presence(qm_ctx *c); /* delete, restore */
int qm_verb_merge(qm_ctx *c);    /* merge, unmerge */
int qm_verb_split(qm_ctx *c);

int qm_verb_get(qm_ctx *c);
int qm_verb_list(qm_ctx *c);
int qm_verb_log(qm_ctx *c);
/* Three cells: field, what was done, value. collection may be NULL. */
void qm_verb_effect(const qm_ctx *c, qm_table *table, const qm_node *collection,
                    const qm_node *effect);
int qm_verb_conflicts(qm_ctx *c);
int qm_verb_settle_item(qm_ctx *c); /* settle ITEM --take N | --value VALUE */
int qm_verb_undo(qm_ctx *c);
int qm_verb_inbox(qm_ctx *c);
/* What a class of conflicts is called. */
const char *qm_verb_class_word(const qm_ctx *c, const qm_node *class_name);
/* Has c->schema be that of the space; *held: whose it is. */
int qm_verb_schema_of(qm_ctx *c, qm_line *held, qm_slice space);
/* "户 75N284 12 王小明" of a line with "collection", "id" and "title". */
void qm_verb_place(const qm_ctx *c, qm_line *l, const qm_node *n, int with_space);
/* The schema's field that such a line names; NULL. */
const qm_node *qm_verb_field_of(const qm_ctx *c, const qm_node *n);
/* "high 1, normal 2" */
void qm_verb_severities(const qm_ctx *c, qm_line *l, const qm_node *counts);
/* How many spaces there are; -1 where that cannot be told. */
int qm_verb_spaces_count(qm_ctx *c);
/* The collection of the one record in conflict whose id begins so; prints what is wrong. */
int qm_verb_conflict_collection(qm_ctx *c, const char *prefix, qm_line *out);

int qm_verb_due(qm_ctx *c);
int qm_verb_duplicates(qm_ctx *c);
/* Likely duplicates of a record just made: a remark each; or ,"duplicates":[…]. Nothing where
 * the collection has no rules. */
void qm_verb_duplicates_note(qm_ctx *c, const qm_node *collection, const char *id);
void qm_verb_duplicates_json(qm_ctx *c, qm_line *l, const qm_node *collection, const char *id);

int qm_verb_changes(qm_ctx *c);
int qm_verb_sql(qm_ctx *c);
int qm_verb_search(qm_ctx *c);
int qm_verb_rebuild(qm_ctx *c);
int qm_verb_check(qm_ctx *c);
int qm_verb_export_hub(qm_ctx *c);
/* What of a space is to be put right, and what was; nothing where there is neither. */
void qm_verb_mending(const qm_ctx *c, qm_line *v, const qm_node *space);
void qm_verb_repaired(const qm_ctx *c, qm_line *v, const qm_node *space);
int qm_verb_keep(qm_ctx *c);
int qm_verb_refer(qm_ctx *c);
int qm_verb_answers(qm_ctx *c);
int qm_verb_reverse(qm_ctx *c);
int qm_verb_attach(qm_ctx *c);
int qm_verb_attachments(qm_ctx *c);
/* Below a record's card: where its files are. Nothing where it has none. */
int qm_verb_files(qm_ctx *c, qm_slice collection, qm_slice record);

int qm_verb_status(qm_ctx *c);
int qm_verb_sync(qm_ctx *c);
int qm_verb_export_refused(qm_ctx *c);

int qm_verb_help(qm_ctx *c);
int qm_verb_version(qm_ctx *c);
int qm_help_all(const qm_ctx *c);
int qm_help_verb(const qm_ctx *c, const qm_verb *verb);
/* Too few arguments: says how the verb is used. */
int qm_help_few(const qm_ctx *c);
/* Too many. */
int qm_help_many(const qm_ctx *c);

#endif
