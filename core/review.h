/* review: what people should look at, across the records of a space (SPEC S20.1 to S20.4).
 *
 * Index. A record that may be in conflict has a note in the store (local, 'r' ‖ id), put and
 * taken away in the transaction that saves it. Whether it may is a matter of its own content,
 * whatever the schema and the stamps: two values in one field, marks of both kinds, two
 * creations, edges; or of a natural key that another record lists too. What it shows then
 * decides (core/read.h). So the list costs what is in conflict, not what there is, and is the
 * one that a look at every record gives. */
#ifndef QM_REVIEW_H
#define QM_REVIEW_H

#include "tie.h"

/* How much a conflict matters: the schema says it by field and by class (S20.2). */
typedef enum qm_severity {
  QM_SEVERITY_LOW = 1,
  QM_SEVERITY_NORMAL = 2,
  QM_SEVERITY_HIGH = 3
} qm_severity;

/* One conflict. All of it is borrowed until the visitor returns. */
typedef struct qm_conflict {
  const qm_collection_def *collection;
  const qm_record_class *of;
  const qm_field_def *field; /* NULL: of the record as a whole */
  qm_conflict_class cls;
  qm_severity severity;
  const qm_contest *contest;   /* of a field */
  const qm_record *member;     /* deleted: whose marks collide */
  const qm_same_key *same_key; /* same-key */
  const qm_id *unmerged;       /* unmerged: who was taken out */
  const uint32_t *against;     /* contradict: fields that may not be as they are while this one
                                  is what it is (S25.8) */
  uint32_t n_against;
  const qm_clash_def *clash; /* clash: which, and with whom */
  const qm_id *clashing;
  uint32_t n_clashing;
  const qm_cover *cover; /* overdrawn */
} qm_conflict;

/* One that does not return QM_OK stops (QM_STORE_STOP: yields QM_OK). It may read, not write. */
typedef int (*qm_visit_conflict)(void *payload, const qm_conflict *c);

/* All conflicts of a space as it is stored, record by record: of a collection (0: of all), or of
 * the class of one record (NULL: of all). In ascending id of what the index holds. */
int qm_review_each(qm_engine *e, qm_space *s, uint32_t collection, const qm_id *record,
              qm_visit_conflict visit, void *payload);
/* A part of them: of at most `limit` records of the index after *after (NULL: from the start).
 * *last: the last record looked at; *more: there are records after it. A class may come in two
 * parts. */
int qm_review_part(qm_engine *e, qm_space *s, const qm_id *after, uint32_t limit,
                   qm_visit_conflict visit, void *payload, qm_id *last, int *more);
/* The same by a look at every record, for tests and checks. */
int qm_review_scan(qm_engine *e, qm_space *s, qm_visit_conflict visit, void *payload);

/* Of a field (NULL: of the record) in conflict of this class. */
qm_severity qm_conflict_severity(const qm_collection_def *c, const qm_field_def *f,
                                 qm_conflict_class cls);
/* The latest effective time among its values; 0 where they have none. */
qm_time qm_conflict_time(const qm_conflict *c);
/* What the conflict is called: the first 5 bytes of SHA-256 over the space, the class, the field
 * and every dot listed. The same on every replica, and another once anything is added. */
#define QM_CONFLICT_CODE 5u
void qm_conflict_code(const qm_space *s, const qm_conflict *c, uint8_t out[QM_CONFLICT_CODE]);

/* Makes the index anew, in a transaction of its own. QM_ESTATE inside one. */
int qm_review_rebuild(qm_engine *e, qm_space *s);

/* --- for the engine's own files --- */

/* Visits who lists a key of record `id`: notes the others, and that there are any. */
typedef struct qm__sharing {
  qm_space *s;
  const qm_id *id;
  int shared;
} qm__sharing;
int qm__review_share(void *sharing, const qm_id *id);
/* Is it noted for what it says, whatever others do? */
int qm__review_noted(const qm_record *r);
/* Notes whether a record that is being saved may be in conflict. `shared`: another one lists a key
 * of it; `stored`: it has a row, and with it may have a note. */
struct qm_loaded;
int qm__review_save(qm_space *s, struct qm_loaded *l, int shared, int stored);
/* A new space: there is nothing that the index lacks. Inside a transaction of the store. */
int qm__review_begin(qm_space *s);
/* Reads whether the index is whole; makes it where it is not and the store can be written. Once
 * all spaces are read. */
int qm__review_open(qm_space *s);

#endif
