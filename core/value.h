/* value: what a register, set element or log entry may hold, as canonical
 * MessagePack: nil, bool, int64, float64 (finite, -0.0 written 0.0), UTF-8 text,
 * bytes, small arrays and maps (keys: text, strictly ascending bytewise) as one
 * atomic value, and the ext types below. At most QM_VALUE_MAX bytes, nested at
 * most QM_VALUE_DEPTH containers. Equality is of canonical bytes. */
#ifndef QM_VALUE_H
#define QM_VALUE_H

#include "cur.h"
#include "mp.h"

#define QM_VALUE_MAX 65536u
#define QM_VALUE_DEPTH 8u

/* MessagePack ext types of qianmo; fixed for ever. */
#define QM_EXT_POINT 1  /* 13 bytes: latitude i32, longitude i32 (1e-7 degrees), accuracy u32
                           (0.1 m), datum (0 unknown, 1 WGS-84, 2 GCJ-02); big-endian */
#define QM_EXT_SEALED 2 /* key id, nonce, ciphertext: opaque to merging */
#define QM_EXT_ERASED 3 /* empty: stands where a value was erased */

/* Checks that `v` is exactly one canonical value within the limits. QM_ETRUNCATED,
 * QM_EFORMAT, QM_ECANON, QM_EUTF8, QM_EDEPTH, QM_EDUPKEY (keys not strictly
 * ascending), QM_ETYPE (an ext type or key type that is no value), QM_ERANGE,
 * QM_EOVERSIZE, QM_ETRAILING. Allocates nothing. */
int qm_value_check(qm_slice v);
/* Orders two values: nil < bool < numbers (by value; int and float compared
 * exactly) < text < bytes < others bytewise. Equal only for equal canonical
 * bytes (ties between 1 and 1.0 go bytewise). */
int qm_value_cmp(qm_slice a, qm_slice b);
/* Writes a value as JSON, as ECMAScript's JSON.stringify writes it (shortest
 * round-trip numbers, \u00xx for control characters, UTF-8 otherwise). Bytes are
 * written as {"$bytes":"hex"}, points as {"$point":[lat,lon,accuracy,"wgs84"]},
 * sealed and erased as {"$sealed":true}, {"$erased":true}. */
int qm_value_json(qm_buf *out, qm_slice v);
/* JSON text of a string, with quotes. */
void qm_json_str(qm_buf *out, qm_slice utf8);
/* ECMAScript Number::toString of a finite double (ECMA-262 §6.1.6.1.20). */
void qm_json_f64(qm_buf *out, double v);

#endif
