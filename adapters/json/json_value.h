/* json_value: JSON text to canonical MessagePack values. Duplicate keys, NaN and
 * nesting beyond QM_VALUE_DEPTH are refused. */
#ifndef QM_JSON_VALUE_H
#define QM_JSON_VALUE_H

#include "core/buf.h"

/* Appends the value of one JSON text: object keys in bytewise order, a whole number as an
 * integer, any other as float 64; {"$bytes":HEX} and {"$point":[…]} as qm_value_json
 * prints them. Check it with qm_value_check. QM_EFORMAT, QM_EUTF8,
 * QM_ERANGE, QM_ENOMEM; *e says where. */
int qm_json_value(qm_buf *out, qm_slice text, qm_error *e);

/* Visits the members of one JSON object in any order; `value` is canonical
 * MessagePack, borrowed until the visitor returns. A visitor's error stops. */
typedef int (*qm_json_member)(void *payload, qm_slice key, qm_slice value);
int qm_json_object(const qm_env *env, qm_slice text, qm_json_member visit, void *payload,
                   qm_error *e);

/* The same for the items of one JSON array, in order. */
typedef int (*qm_json_item)(void *payload, qm_slice value);
int qm_json_array(const qm_env *env, qm_slice text, qm_json_item visit, void *payload, qm_error *e);

#endif
