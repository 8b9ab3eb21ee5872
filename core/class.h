/* class: records that people merged, read and written as one (SPEC S3.16 to S3.20).
 *
 * An edge joins two records; a class is what edges connect, also through records that are
 * deleted or gone. Nothing is copied or cleared: each record keeps its own state, and the
 * class is the union of them, computed when it is read. So taking an edge away shows
 * every record as it is.
 *
 * An edge is an element of the keyed cell of field 0 of the smaller of its two ids: the
 * greater id. An element nil there says that the record was taken out of its class; a
 * merge that had seen it takes it away, so where both stand together they were written
 * side by side. An element [1, id] there says that the greater record is another thing. */
#ifndef QM_CLASS_H
#define QM_CLASS_H

#include "read.h"

/* Index of the store (qm_key_row): the greater id of an edge leads to the smaller one. */
#define QM_INDEX_EDGES (QM_NUMBER_MAX + 1u)
/* A merge that would make a class larger than this is refused; one that came about by
 * merges side by side is read all the same. */
#define QM_CLASS_MAX 1024u

enum { QM_CLASS_COMMITTED = 1 /* as it stands in the store, whatever transaction is open */ };

typedef struct qm_record_class {
  qm_id id;                  /* shown under: the smallest of the members */
  const qm_record **members; /* ascending by id, n >= 1: those connected that are here and of
                                one collection. A record that nothing joins is its own class */
  uint32_t n;
  uint32_t asked; /* the place of the record that was asked for, or n where it takes no part */
} qm_record_class;

/* The class of a record. Lives in the arena and, inside a transaction, until its next
 * write. QM_ENOTFOUND where neither it nor anything connected to it is here. A record in no
 * class costs one probe of an index more than the record alone, none in a space without
 * edges. */
int qm_class_read(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                  qm_record_class *out);
/* The same for a record that was read already. */
int qm_class_of(qm_engine *e, qm_space *s, const qm_record *r, unsigned flags, qm_arena *arena,
                qm_record_class *out);
/* Asks the store again whether the space has edges, where it had none: another process may
 * have written some. */
void qm_class_refresh(qm_space *s);

/* What is shown of one field (QM_CLASS_ALL: of all), as a record under the class's id, for
 * reading only: siblings of all members, hidden and kept flags as named; the union of sets
 * and counters; a log in one order; of sequences the members' cells one after the other
 * (qm_record_cell_next). Of a class of one: that record. */
#define QM_CLASS_ALL UINT32_MAX
int qm_class_view(const qm_record_class *c, const qm_authors *authors, uint32_t field,
                  qm_arena *arena, const qm_record **out);
int qm_class_visible(const qm_record_class *c);
/* An edit and a delete of one member that had not seen each other. */
int qm_class_collides(const qm_record_class *c);
/* Has it this member? */
int qm_class_has(const qm_record_class *c, const qm_id *id);
/* Members that one person took out of the class while another merged them: ascending. */
int qm_class_unmerged(const qm_record_class *c, qm_arena *arena, const qm_id **out, uint32_t *n);

/* Why a class is a conflict of class same-key. */
typedef struct qm_same_key {
  int created_twice;   /* two creations of a member met, and a naming field differs */
  const qm_id *others; /* visible records of other classes that show the same key; ascending */
  uint32_t n_others;
} qm_same_key;
int qm_class_same_key(qm_engine *e, qm_space *s, const qm_record_class *c, unsigned flags,
                      qm_arena *arena, qm_same_key *out);

/* Appends the token of a reading of the class: good for each of its members, also where the
 * class has changed since. */
int qm_class_token(const qm_space *s, const qm_record_class *c, unsigned kind, qm_arena *arena,
                   qm_buf *out);

/* --- records that are not one (S3.22) --- */

/* Reads an element of the keyed cell of field 0 of `holder`: 1 where it says that another,
 * greater record is not the same thing; *other is that one. */
int qm_distinct_read(const qm_id *holder, qm_slice element, qm_id *other);
/* The first such statement between members of two classes: 1, and where it stands. */
int qm_class_distinct(const qm_record_class *a, const qm_record_class *b, qm_id *holder,
                      qm_slice *element);

/* --- for the engine's own files --- */

/* The other end of an edge; 0 where the element is none. */
int qm__edge_read(const qm_id *holder, qm_slice element, qm_id *other);
/* 1 where r, holder of the edge, is joined to `other`. */
int qm__edge_held(const qm_record *r, const qm_id *other);
/* Ids that share an edge with id. In the arena; ascending, each once. */
int qm__edge_ends(qm_engine *e, qm_space *s, const qm_id *id, unsigned flags, qm_arena *arena,
                  qm_id **out, uint32_t *n);
/* Is there a way from a to b over edges, as the open transaction stands? */
int qm__edge_connected(qm_engine *e, qm_space *s, const qm_id *a, const qm_id *b, qm_arena *arena,
                       int *out);
/* Writes what the edges index says of the record; inside a transaction. */
int qm__edges_index(qm_space *s, const qm_record *r, qm_arena *arena);
/* Is the index complete for this record? Outside a transaction. */
int qm__edges_indexed(qm_space *s, const qm_record *r, int *complete);
/* The union of one field's siblings, sets, counters or logs; NULL where it is empty. */
int qm__class_cell(const qm_record_class *c, const qm_authors *authors, uint32_t field,
                   unsigned shape, qm_arena *arena, const qm_cell **out);

#endif
