/* token: what a reading showed, as opaque bytes an app hands back with its write
 * (internal to read and write). MessagePack:
 *   [version 2, kind, record bin16, authors u64, marks [author, counter, …],
 *    [field, [author, counter, …], …],          siblings and set dots shown, by field
 *    [field, text version, …]                   sequences shown
 *    | [record bin16, …]]                       of a class: its other members
 * Authors are local numbers: a token is valid on the replica that made it, and `authors`, the
 * first 8 bytes of SHA-256 over the ids up to the greatest number named, says so. What a
 * token names is on the disk before the token is there (S3.10). */
#ifndef QM_TOKEN_H
#define QM_TOKEN_H

#include "class.h"

typedef struct qm_token_field {
  uint32_t field;
  qm_dots dots;
} qm_token_field;
typedef struct qm_token_text {
  uint32_t field;
  uint64_t version;
} qm_token_text;

typedef struct qm_token {
  unsigned kind;
  qm_id record;
  qm_dots marks;
  qm_token_field *fields;
  uint32_t n_fields;
  qm_token_text *texts;
  uint32_t n_texts;
  const qm_id *others; /* members of the class but `record`, which is its id */
  uint32_t n_others;
} qm_token;

/* What a reading of r shows now: of one field (sequences apart), or of all
 * (QM__FIELDS_ALL); the marks always. Lives in the arena. */
#define QM__FIELDS_ALL UINT32_MAX
int qm__token_read(const qm_space *s, const qm_record *r, unsigned kind, uint32_t field,
                   qm_arena *arena, qm_token *out);
/* The marks that such a reading shows, and no more; for qm_dots_hold. */
int qm__token_marks(const qm_record *r, unsigned kind, qm_arena *arena, qm_dots *out);
/* The same of a class. */
int qm__token_class(const qm_space *s, const qm_record_class *c, unsigned kind, uint32_t field,
                    qm_arena *arena, qm_token *out);
/* Appends its bytes. */
int qm__token_write(const qm_space *s, const qm_token *t, qm_buf *out);
/* QM_EFORMAT where it is no token, or (record not NULL) not about that record. Lives in the
 * arena. */
int qm__token_parse(const qm_space *s, qm_slice in, const qm_id *record, qm_arena *arena,
                    qm_token *out);
/* Is it of a reading of this record, or of a class that had it? */
int qm__token_about(const qm_token *t, const qm_id *record);
/* The version of the sequences of a field, as a token holds it; 0 where nothing is visible. */
uint64_t qm__token_text(const qm_record *r, uint32_t field, const qm_authors *authors);
/* The dots shown of a field, for qm_dots_hold; empty where the reading did not have it. */
qm_dots qm__token_dots(const qm_token *t, uint32_t field);
/* QM_ENOTFOUND where the reading had no such text (it was empty then). */
int qm__token_version(const qm_token *t, uint32_t field, uint64_t *out);

#endif
