/* schema: what a space's collections and fields are. Travels and rests in one
 * MessagePack form (SPEC §7); JSON files are compiled to it by adapters/json. A
 * schema only grows: field and collection numbers are never reused and a field's
 * type never changes. Merging never looks at it; reading, writing and the hub's
 * check do. Immutable after load; then safe to share between threads. */
#ifndef QM_SCHEMA_H
#define QM_SCHEMA_H

#include "calendar.h"
#include "codes.h"
#include "norm.h"
#include "op.h"
#include "value.h"

/* Limits. Numbers of collections and fields: 1 (16 for fields) to QM_NUMBER_MAX. */
#define QM_SCHEMA_MAX 262144u /* bytes encoded */
#define QM_SCHEMA_COLLECTIONS_MAX 256u
#define QM_SCHEMA_FIELDS_MAX 1024u      /* of a collection */
#define QM_SCHEMA_ITEMS_MAX 1024u       /* of a field */
#define QM_SCHEMA_TRANSITIONS_MAX 4096u /* of a field */
#define QM_SCHEMA_WRITERS_MAX 64u       /* of a collection */
#define QM_NUMBER_MAX 2147483648u
#define QM_FIELD_NUMBER_MIN 16u
#define QM_NAME_MAX 64u /* bytes of a name */
#define QM_SCHEMA_NEEDS_MAX 16u      /* of an item */
#define QM_SCHEMA_PARTS_MAX 32u      /* of a need */
#define QM_SCHEMA_RULES_MAX 16u      /* for duplicates, of a collection */
#define QM_SCHEMA_CONDITIONS_MAX 4u  /* of a rule */
#define QM_RULE_MOST 32u             /* where a rule says none */
#define QM_RULE_MOST_MAX 512u
#define QM_SIMILAR_LEAST 60u         /* per cent, where a condition says none */
#define QM_NEAR_MAX 100000u          /* metres */
#define QM_WITHIN_MAX 87600u         /* hours: ten years */
#define QM_SCHEMA_TABLES_MAX 64u     /* of codes */
#define QM_SCHEMA_CODES_MAX 20000u   /* of a table */
#define QM_SCHEMA_CALENDARS_MAX 16u
#define QM_SCHEMA_LIMITS_MAX 8u      /* on time, of a collection */
#define QM_LIMIT_FIELDS_MAX 4u       /* that a limit depends on */
#define QM_LIMIT_ROWS_MAX 1024u      /* of a limit */
#define QM_RELATIONS_MAX 16u         /* of a kind, of a collection */
#define QM_RELATION_FIELDS_MAX 64u   /* that one names */

typedef enum qm_field_type {
  QM_FIELD_REGISTER = 1,
  QM_FIELD_MAX = 2,
  QM_FIELD_MIN = 3,
  QM_FIELD_STATE = 4,
  QM_FIELD_SET = 5,
  QM_FIELD_COUNTER = 6,
  QM_FIELD_LOG = 7,
  QM_FIELD_TEXT = 8,
  QM_FIELD_LIST = 9,
  QM_FIELD_REF = 10
} qm_field_type;

/* What one value (register content, set element, log entry) may be. */
typedef enum qm_value_kind {
  QM_VALUE_ANY = 0,
  QM_VALUE_TEXT = 1,
  QM_VALUE_INT = 2,
  QM_VALUE_NUMBER = 3,
  QM_VALUE_BOOL = 4,
  QM_VALUE_BYTES = 5,
  QM_VALUE_POINT = 6,
  QM_VALUE_ENUM = 7,
  QM_VALUE_DATE = 8,       /* text YYYY-MM-DD */
  QM_VALUE_REF = 9,        /* bin 16, not all zero */
  QM_VALUE_SPACE_REF = 10, /* [bin 16 space, bin 16 record] */
  QM_VALUE_MAP = 11
} qm_value_kind;

typedef enum qm_field_class {
  QM_CLASS_PUBLIC = 1,
  QM_CLASS_WORK = 2,
  QM_CLASS_PERSONAL = 3,
  QM_CLASS_SENSITIVE = 4
} qm_field_class;

enum {
  QM_FIELD_NAMING = 1,   /* registers: tells two records with one natural key apart */
  QM_FIELD_REFER = 2,    /* is copied where a record is referred to an upper space */
  QM_FIELD_SEALED = 4,   /* siblings and logs: may hold sealed values */
  QM_FIELD_REQUIRED = 8, /* siblings: may not be set to nil */
  QM_FIELD_FLAGS = 15
};

/* What must be there before a state takes an item. */
typedef enum qm_need_kind {
  QM_NEED_FILLED = 1,  /* a value; of a set, list or log `least` elements */
  QM_NEED_PRESENT = 2, /* `least` files whose content is on this device, not only announced */
  QM_NEED_PARTS = 3    /* among the records that the field refers to, one of each part */
} qm_need_kind;

typedef struct qm_need_def {
  uint8_t kind;   /* qm_need_kind */
  uint32_t field; /* number, in the collection */
  uint32_t least; /* 1 or more */
  const qm_slice *by;
  uint32_t n_by; /* roles that it holds for; none listed = all */
  uint32_t part; /* parts: number of the field that says which part a record is */
  const qm_slice *parts;
  uint32_t n_parts;
} qm_need_def;

typedef struct qm_enum_item {
  qm_slice name, label_zh, label_en;
  int32_t rank;
  const qm_slice *by;
  uint32_t n_by; /* state: roles that may set it, those that confirm beside; none listed = all */
  const qm_slice *confirm;
  uint32_t n_confirm; /* state: of every other role it is a proposal; none listed = of none */
  const qm_need_def *needs;
  uint32_t n_needs;
} qm_enum_item;
typedef struct qm_transition {
  uint32_t from, to;
} qm_transition; /* indexes into items */

typedef struct qm_field_def {
  uint32_t number; /* >= 16: lower numbers are reserved */
  qm_slice name, label_zh, label_en;
  uint8_t type;  /* qm_field_type */
  uint8_t value; /* qm_value_kind */
  uint8_t cls;   /* qm_field_class */
  uint8_t flags;
  uint32_t length_max; /* text: code points, 0 = none */
  const qm_enum_item *items;
  uint32_t n_items; /* enum and state */
  const qm_transition *transitions;
  uint32_t n_transitions; /* state; none listed = all allowed */
  uint32_t target;        /* ref: collection number, 0 = any */
  uint8_t review;         /* how much its conflicts matter, 1 to 3; 0: by what it is (S20.2) */
  qm_slice check; /* name of a validator (core/validator.h), known here or not; empty: none */
  qm_slice check_options; /* a MessagePack map; empty: none */
} qm_field_def;

/* How two values of a field compare in a rule for duplicates (core/alike.h). */
typedef enum qm_match {
  QM_MATCH_SAME = 1,    /* equal; text: NFKC, trimmed, case-folded */
  QM_MATCH_TEXT = 2,    /* text: the same letters, digits and ideographs */
  QM_MATCH_PHONE = 3,   /* text: one number */
  QM_MATCH_ADDRESS = 4, /* text */
  QM_MATCH_SIMILAR = 5, /* text; limit: per cent, 0: QM_SIMILAR_LEAST */
  QM_MATCH_NEAR = 6,    /* point; limit: metres */
  QM_MATCH_WITHIN = 7   /* date, or int of milliseconds; limit: hours */
} qm_match;

/* "phone"; NULL where there is no such match. */
const char *qm_match_word(unsigned match);
/* What its limit counts: "percent", "metres", "hours"; NULL where it has none. */
const char *qm_match_limit(unsigned match);

typedef struct qm_condition_def {
  uint32_t field; /* number */
  uint8_t match;  /* qm_match */
  uint32_t limit;
} qm_condition_def;

/* Two records of which all conditions hold are likely one thing. */
typedef struct qm_rule_def {
  qm_slice name, label_zh, label_en;
  uint32_t weight; /* 1 to 100: the score where the rule alone holds in full */
  uint32_t most;   /* a value that more records than this share says nothing */
  const qm_condition_def *conditions;
  uint32_t n_conditions;
} qm_rule_def;

/* One line of a time limit: so long, where the fields have these values. */
typedef struct qm_limit_row {
  const qm_slice *values; /* one a field of `by`: a value, or empty: any. NULL: any of all */
  uint32_t amount;
  uint8_t unit; /* qm_unit */
} qm_limit_row;

/* A limit on time (core/due.h): from `start` until `state` is final. The first row that fits
 * counts. */
typedef struct qm_limit_def {
  qm_slice name, label_zh, label_en;
  uint32_t start;    /* field number: a date, milliseconds, a log (its first entry), a state */
  uint32_t state;    /* field number */
  uint32_t extend;   /* field number of a counter or int: so many units more; 0: none */
  qm_slice calendar; /* name; empty where all rows are in hours */
  const uint32_t *by; /* field numbers */
  uint32_t n_by;
  const uint32_t *pauses; /* items of the state in which the limit stands still; ascending */
  uint32_t n_pauses;
  const qm_limit_row *rows;
  uint32_t n_rows;
} qm_limit_def;

/* --- relations (SPEC S7.11): what ties fields and records together --- */

/* How records of one kind say that a value may be there. */
typedef struct qm_basis_kind {
  uint32_t item;          /* of the kind field */
  const uint32_t *filled; /* fields that must be filled */
  uint32_t n_filled;
  uint32_t guardian; /* field that must be filled for a child; 0: not asked for */
} qm_basis_kind;

/* The collection's records are bases: consent, statutory duty. */
typedef struct qm_basis_def {
  uint32_t kind;    /* field: an enum */
  uint32_t purpose; /* field: a text, enum, or set of them; 0: for any purpose */
  uint32_t given;   /* field: the day on which a child's age is reckoned; 0: no kind asks */
  uint32_t ends;    /* field: a state, or what is empty while the basis holds; 0: it never ends */
  const uint32_t *ended; /* a state: items in which it has ended; ascending */
  uint32_t n_ended;
  const qm_basis_kind *kinds;
  uint32_t n_kinds;
} qm_basis_def;

/* Fields that need a basis. */
typedef struct qm_based_def {
  const uint32_t *fields; /* ascending */
  uint32_t n_fields;
  uint32_t record;  /* field: ref, or set of refs, into a collection of bases */
  qm_slice purpose; /* that the basis must name; empty: any */
  uint32_t birth;   /* field: date, text (YYYY, YYYY-MM, YYYY-MM-DD) or int (year); 0: nobody is
                       a child */
  uint32_t of;      /* field: ref to the record that has `birth`; 0: the record itself */
} qm_based_def;

/* While a field shows one of these values, others are empty, or filled. */
typedef struct qm_when_def {
  uint32_t field;
  const qm_slice *is; /* values */
  uint32_t n_is;
  const uint32_t *empty, *filled; /* fields; ascending */
  uint32_t n_empty, n_filled;
} qm_when_def;

/* How records are referred to an upper space. */
typedef struct qm_referral_def {
  uint32_t from;   /* field: space-ref, in the upper record */
  uint32_t to;     /* field: space-ref or set of them, in the lower one */
  uint32_t answer; /* field: log, in both */
} qm_referral_def;

/* Requests that may not ask for more than their account has. */
typedef struct qm_cover_def {
  qm_slice name;
  uint32_t amount;  /* field: int */
  uint32_t account; /* field: ref */
  uint32_t balance; /* field of the account's collection: int, counter, or ledger */
  const qm_slice *by; /* a ledger: roles whose entries count; none listed = all */
  uint32_t n_by;
  uint32_t state; /* field */
  const uint32_t *holds, *settled; /* items in which the amount is asked for, is granted */
  uint32_t n_holds, n_settled;     /* ascending */
} qm_cover_def;

/* Two records that cannot both stand: they show the same, at the same time. */
typedef struct qm_clash_def {
  qm_slice name, label_zh, label_en;
  const uint32_t *same; /* fields, 1 to 4 */
  uint32_t n_same;
  uint32_t from, to; /* fields: dates (the last day counts) or ints (the end does not); 0: always */
  uint32_t state;    /* field; 0: whatever the state */
  const uint32_t *items; /* of the state, in which a record counts; ascending */
  uint32_t n_items;
  uint8_t review; /* level, 1 to 3; 0: high */
} qm_clash_def;

#define QM_CLASH_FIELDS_MAX 4u

typedef struct qm_relations {
  const qm_basis_def *basis; /* NULL: records are no bases */
  const qm_based_def *based;
  uint32_t n_based;
  const qm_when_def *whens;
  uint32_t n_whens;
  const qm_referral_def *referral; /* NULL: records are not referred */
  const qm_cover_def *covers;
  uint32_t n_covers;
  const qm_clash_def *clashes;
  uint32_t n_clashes;
} qm_relations;

/* Classes of conflicts, numbered as in core/read.h. */
#define QM_CONFLICT_CLASSES 7u
#define QM_REVIEW_LEVELS 3u

typedef struct qm_collection_def {
  uint32_t number;                                       /* >= 1 */
  qm_slice name, label_zh, label_en, purpose, retention; /* retention: ISO 8601 duration */
  uint32_t key_field; /* field number of the natural key, 0 = none */
  uint8_t key_form;   /* qm_norm_form */
  const qm_slice *writers;
  uint32_t n_writers; /* roles that may write; none listed = all */
  const qm_field_def *fields;
  uint32_t n_fields; /* ascending by number */
  const qm_rule_def *rules; /* for duplicates */
  uint32_t n_rules;
  const qm_limit_def *limits;
  uint32_t n_limits;
  const qm_relations *relations; /* NULL: none */
  qm_slice more; /* positions of a newer form, MessagePack as it came: kept, without effect */
  uint32_t n_more;
  uint8_t review[QM_CONFLICT_CLASSES]; /* the least level of class i + 1; 0: the usual one */
} qm_collection_def;

typedef struct qm_schema {
  uint32_t version;
  qm_slice name;
  uint32_t drift_ms, lease_days, review_days;
  const qm_collection_def *collections;
  uint32_t n_collections; /* ascending by number */
  const qm_table_def *tables;
  uint32_t n_tables; /* of codes */
  const qm_calendar *calendars;
  uint32_t n_calendars;
  qm_slice more; /* as of a collection */
  uint32_t n_more;
} qm_schema;

/* Decodes and checks; everything lives in the arena and borrows `in`, which must
 * outlive it. Errors of cur, QM_ESCHEMA with *e saying where. */
int qm_schema_load(const qm_schema **out, qm_slice in, qm_arena *arena, qm_error *e);
/* The MessagePack form. Errors stick in out. */
void qm_schema_encode(const qm_schema *s, qm_buf *out);
/* Checks a schema built by hand: names unique and well-formed, numbers, purpose and
 * retention present, items and transitions in range, key field a text register that
 * is neither personal nor sealed, rules for duplicates that can be told from an index.
 * QM_ESCHEMA with *e naming the place by index. */
int qm_schema_check(const qm_schema *s, qm_error *e);
/* 1 where some field has class sensitive. */
int qm_schema_sensitive(const qm_schema *s);
/* QM_ESCHEMA with *e where `newer` is not an additive continuation of `older`
 * (higher version; nothing removed; numbers, names, types, value kinds, key and key
 * form unchanged; items only appended, ranks unchanged; length and target only
 * widened; sealed and what is not required stay so). Both are checked schemas. */
int qm_schema_grows(const qm_schema *older, const qm_schema *newer, qm_error *e);

/* What can differ between a schema and a newer one. X(name, word, why a newer schema may
 * not do it; NULL: it may). */
/* clang-format off */
#define QM_SCHEMA_DELTAS(X)                                                                     \
  X(SCHEMA_NAME, "schema-name", "another schema's name")                                        \
  X(VERSION, "version", "the version does not follow")                                          \
  X(SETTINGS, "settings", NULL)                                                                 \
  X(COLLECTION_ADDED, "collection-added", NULL)                                                 \
  X(COLLECTION_REMOVED, "collection-removed", "the collection was removed")                     \
  X(COLLECTION_NAME, "collection-name", "the collection was renamed or its number reused")      \
  X(KEY, "key", "the key changed")                                                              \
  X(KEY_FORM, "key-form", "the key form changed")                                               \
  X(PURPOSE, "purpose", NULL)                                                                   \
  X(RETENTION, "retention", NULL)                                                               \
  X(WRITERS, "writers", NULL)                                                                   \
  X(DUPLICATES, "duplicates", NULL)                                                             \
  X(LIMITS, "limits", NULL)                                                                     \
  X(RELATIONS, "relations", NULL)                                                               \
  X(CHECK, "check", NULL)                                                                       \
  X(TABLES, "tables", NULL)                                                                     \
  X(CALENDARS, "calendars", NULL)                                                               \
  X(UNKNOWN, "unknown", NULL)                                                                   \
  X(LABEL, "label", NULL)                                                                       \
  X(FIELD_ADDED, "field-added", NULL)                                                           \
  X(FIELD_REMOVED, "field-removed", "the field was removed")                                    \
  X(FIELD_NAME, "field-name", "the field was renamed or its number reused")                     \
  X(TYPE, "type", "the type changed; take a new number")                                        \
  X(VALUE, "value", "the kind of value changed; take a new number")                             \
  X(LENGTH_CUT, "length-cut", "the length was cut")                                             \
  X(LENGTH_WIDER, "length-wider", NULL)                                                         \
  X(TARGET_NARROWER, "target-narrower", "the target was narrowed")                              \
  X(TARGET_WIDER, "target-wider", NULL)                                                         \
  X(UNSEALED, "unsealed", "the field is no longer sealed")                                      \
  X(SEALED, "sealed", NULL)                                                                     \
  X(REQUIRED, "required", "the field became required")                                          \
  X(OPTIONAL, "optional", NULL)                                                                 \
  X(FLAGS, "flags", NULL)                                                                       \
  X(CLASS, "class", NULL)                                                                       \
  X(ITEM_ADDED, "item-added", NULL)                                                             \
  X(ITEM_CHANGED, "item-changed",                                                               \
    "an item was removed, renamed or moved; items are only appended")                           \
  X(RANK, "rank", "the rank changed")                                                           \
  X(STEPS, "steps", NULL)                                                                       \
  X(ITEM_LABEL, "item-label", NULL)                                                             \
  X(TRANSITIONS, "transitions", NULL)                                                           \
  X(REVIEW, "review", NULL)
/* clang-format on */
#define QM_DELTA_ENUM(name, word, why) QM_DELTA_##name,
typedef enum qm_schema_delta_kind {
  QM_SCHEMA_DELTAS(QM_DELTA_ENUM) QM_DELTA_COUNT
} qm_schema_delta_kind;
#undef QM_DELTA_ENUM

/* One difference. Places are indexes into the older schema, of what was added into the
 * newer; UINT32_MAX above the level. What one side lacks is NULL. */
typedef struct qm_schema_delta {
  qm_schema_delta_kind kind;
  const char *why; /* static text; NULL: a newer schema may do it */
  const qm_schema *older, *newer;
  const qm_collection_def *old_collection, *new_collection;
  const qm_field_def *old_field, *new_field;
  uint32_t collection, field, item;
} qm_schema_delta;
typedef int (*qm_visit_delta)(void *payload, const qm_schema_delta *d);
/* Static text: "field-added". */
const char *qm_schema_delta_word(qm_schema_delta_kind kind);
/* Visits every difference between two checked schemas (none where their content and
 * version are the same); what is refused is what qm_schema_grows refuses. A visitor that
 * does not return QM_OK stops; its code is the result. */
int qm_schema_diff(const qm_schema *older, const qm_schema *newer, qm_visit_delta visit,
                   void *payload);

const qm_collection_def *qm_schema_collection(const qm_schema *s, uint32_t number); /* NULL */
const qm_collection_def *qm_schema_collection_named(const qm_schema *s, qm_slice name);
const qm_field_def *qm_collection_field(const qm_collection_def *c, uint32_t number);
const qm_field_def *qm_collection_field_named(const qm_collection_def *c, qm_slice name);
qm_shape_id qm_field_shape(const qm_field_def *f);
/* May `role` write this collection? */
int qm_collection_writable(const qm_collection_def *c, qm_slice role);
/* The value fits the field: kind, length, enum item known; nil (cleared) fits
 * registers, max, min and refs that are not required. For text and list it is one
 * insert's text or one element. Sealed and erased ext values fit where the field may
 * be sealed. QM_ESCHEMA, or the error of qm_value_check, with *e. */
int qm_field_value_check(const qm_field_def *f, qm_slice value, qm_error *e);
/* The same of a value that qm_value_check has passed. */
int qm__field_value_fits(const qm_field_def *f, qm_slice value, qm_error *e);
/* The check of the hub and of the writer: the op's shape fits the field and its
 * value the field's values, where collection and field are known to this schema;
 * unknown ones pass. */
int qm_schema_op_check(const qm_schema *s, uint32_t collection, const qm_op *op, qm_error *e);
/* The same where the writer's schema may be newer (S7.6): what S7.3 lets a newer one change
 * passes: items that are not known here, a length beyond, nil in a required field, a sealed
 * value. */
int qm_schema_op_check_newer(const qm_schema *s, uint32_t collection, const qm_op *op,
                             qm_error *e);
/* State: does nothing lead on from the item (where one leads on from each, has it the greatest
 * rank)? */
int qm_field_final(const qm_field_def *f, uint32_t item);
/* NULL where there is none of that name. */
const qm_calendar *qm_schema_calendar(const qm_schema *s, qm_slice name);
const qm_table_def *qm_schema_table(const qm_schema *s, qm_slice name);
/* State: may `from` go to `to` in one step (indexes into items)? */
int qm_field_transition(const qm_field_def *f, uint32_t from, uint32_t to);
/* Index of the item that a value names: MessagePack text, of a proposal (S7.10) an array of
 * that text alone; QM_ENOTFOUND. */
int qm_field_item(const qm_field_def *f, qm_slice value, uint32_t *index);

/* --- steps (S7.10) --- */

/* May this role set the item, be it as a proposal? */
int qm_item_settable(const qm_enum_item *item, qm_slice role);
/* Is the item, set by this role, more than a proposal? */
int qm_item_confirms(const qm_enum_item *item, qm_slice role);
int qm_need_holds_for(const qm_need_def *d, qm_slice role);
/* 1 where an item of the field has to be confirmed. */
int qm_field_proposes(const qm_field_def *f);
/* 1 where the value of a state is a proposal. f may be NULL. */
int qm_field_proposed(const qm_field_def *f, qm_slice value);
/* The check of the hub: may this role have written this value? QM_EACCESS with *e. Values of
 * other types, and items that are not known here, pass. */
int qm_field_step_check(const qm_field_def *f, qm_slice value, qm_slice role, qm_error *e);

#endif
