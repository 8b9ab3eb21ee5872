/* qianmo_jni: core/qianmo.h for org.qianmo (adapters/java/org). Internal to libqianmo_jni.
 *
 * Java holds a qm__jni_db as a number, its peer. A peer outlives its database: it is freed when
 * the Java object is gone, so a call on a closed database finds one and says so. Texts come and
 * go as byte arrays of UTF-8, never as JNI strings, whose form of UTF-8 is another one beyond
 * U+FFFF. */
#ifndef QM_QIANMO_JNI_H
#define QM_QIANMO_JNI_H

#include <jni.h>
#include <pthread.h>
#include <stdint.h>

#include "core/qianmo.h"

#define QM_JNI_TEXTS 6u
#define QM_JNI_SMALL 1024u /* texts of a call that need no memory of their own, in bytes */

/* Which hooks an open has; the same numbers in Hooks.java. */
enum {
  QM_JNI_NOW = 1,
  QM_JNI_RANDOM = 2,
  QM_JNI_LOG = 4,
  QM_JNI_INSTANCE = 8,
  QM_JNI_KEY_STORE = 16,
  QM_JNI_SIGNER = 32,
  QM_JNI_CHECK_HUB = 64
};

typedef struct qm__jni_link {
  qm_link *link;
  struct qm__jni_link *next;
} qm__jni_link;

typedef struct qm__jni_db {
  pthread_mutex_t mutex; /* over what follows */
  pthread_cond_t idle;   /* calls fell to 0 */
  uint32_t calls;        /* under way */
  int closing;           /* no more calls */
  qm__jni_link *links;   /* open ones */
  qm_tx *tx;             /* the one that was begun last, until it ends */
  qm_db *db;             /* NULL: closed */
  jobject hooks;         /* global reference, or NULL */
} qm__jni_db;

/* One call from Java. */
typedef struct qm__jni_call {
  JNIEnv *env;
  qm__jni_db *peer; /* NULL: of a function without a handle */
  qm_db *db;
  qm_slice s[QM_JNI_TEXTS]; /* each with a NUL behind */
  qm_text out;
  qm_error e;
  int32_t rc;
  uint8_t *room; /* of the texts: `small`, or malloc's */
  uint8_t small[QM_JNI_SMALL];
} qm__jni_call;

/* What the library calls in Java: of Hooks, Rows. Set once, by JNI_OnLoad. */
typedef struct qm__jni_classes {
  JavaVM *vm;
  jclass hooks, bytes;
  jmethodID error, now, log, ask, check, told, progress, stay; /* of Hooks */
  jmethodID room;                                              /* of Rows */
} qm__jni_classes;
extern qm__jni_classes qm__jni;

/* Takes n texts (byte arrays) and a turn on the peer. 0: nothing is taken, and a Java exception
 * is pending. Else one of the ends must follow. */
int qm__jni_begin(qm__jni_call *k, JNIEnv *env, jlong peer, uint32_t n, ...);
/* As qm__jni_begin; also from a hook, and where the database is closed gives 0 and no
 * exception. */
int qm__jni_begin_quiet(qm__jni_call *k, JNIEnv *env, jlong peer);
/* Gives back the texts and the turn; throws where rc says so. 1: all is well. */
int qm__jni_end(qm__jni_call *k);
/* The same; the result as an array. */
jbyteArray qm__jni_end_text(qm__jni_call *k);
/* The same; the result goes into a Rows, and its size comes back. */
jint qm__jni_end_rows(qm__jni_call *k, jobject rows);

/* Throws the exception of `code`. e may be NULL. */
void qm__jni_throw(JNIEnv *env, int32_t code, const qm_error *e);
/* An array of n bytes; NULL: an exception is pending. */
jbyteArray qm__jni_bytes(JNIEnv *env, const void *p, size_t n);

/* The environment of this thread, attached where it was not: until the thread ends. NULL: the
 * JVM does not take it. */
JNIEnv *qm__jni_env(void);

/* Puts the hooks of `mask` into the options; they call peer->hooks. */
void qm__jni_hooks(qm_options *o, qm__jni_db *peer, jint mask);

/* This thread runs a hook (1) or not any more (-1). */
void qm__jni_in_hook(int by);
/* This thread tells a listener of this peer (NULL: of none). */
void qm__jni_telling(qm__jni_db *peer);
int qm__jni_is_telling(const qm__jni_db *peer);

/* Closes the database of a peer once nothing runs on it any more; again: no effect. */
void qm__jni_close(JNIEnv *env, qm__jni_db *peer);

/* The natives of each class; 0, or a Java exception is pending. */
int qm__jni_register_db(JNIEnv *env);
int qm__jni_register_tx(JNIEnv *env);
int qm__jni_register_sync(JNIEnv *env);
int qm__jni_register(JNIEnv *env, const char *cls, const JNINativeMethod *methods, jint n);

#endif
