/* jni_tx.c: the natives of Transaction. */
#include "adapters/java/jni/qianmo_jni.h"

#define HEAD JNIEnv *env, jobject self, jlong peer, jlong tx
#define TX ((qm_tx *)(intptr_t)tx)
#define A jbyteArray

/* A verb without a result: its parameters behind HEAD, its texts, the call. */
#define VERB(name, parameters, texts, call)                   \
  static void JNICALL name parameters {                       \
    qm__jni_call k;                                           \
    (void)self;                                               \
    if (!qm__jni_begin texts) return;                         \
    k.rc = call;                                              \
    (void)qm__jni_end(&k);                                    \
  }
/* One with a text as its result. */
#define ASK(name, parameters, texts, call)                    \
  static jbyteArray JNICALL name parameters {                 \
    qm__jni_call k;                                           \
    (void)self;                                               \
    if (!qm__jni_begin texts) return NULL;                    \
    k.rc = call;                                              \
    return qm__jni_end_text(&k);                              \
  }

/* Collection, record, field, value, flags. */
#define FIELD_VERB(name)                                                                \
  VERB(name##_, (HEAD, A a, A b, A c, A d, jint flags), (&k, env, peer, 4, a, b, c, d), \
       qm_##name(TX, k.s[0], k.s[1], k.s[2], k.s[3], (uint32_t)flags, &k.e))
FIELD_VERB(set)
FIELD_VERB(settle)
FIELD_VERB(raise)
FIELD_VERB(lower)
FIELD_VERB(add)
FIELD_VERB(remove)
FIELD_VERB(append)
FIELD_VERB(put)

VERB(shown, (HEAD, A a), (&k, env, peer, 1, a), qm_shown(TX, k.s[0], &k.e))
VERB(delete_, (HEAD, A a, A b), (&k, env, peer, 2, a, b), qm_delete(TX, k.s[0], k.s[1], &k.e))
VERB(restore, (HEAD, A a, A b), (&k, env, peer, 2, a, b), qm_restore(TX, k.s[0], k.s[1], &k.e))
VERB(unmerge, (HEAD, A a, A b), (&k, env, peer, 2, a, b), qm_unmerge(TX, k.s[0], k.s[1], &k.e))
VERB(merge, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
     qm_merge(TX, k.s[0], k.s[1], k.s[2], &k.e))
VERB(distinct, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
     qm_distinct(TX, k.s[0], k.s[1], k.s[2], &k.e))
VERB(not_distinct, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
     qm_not_distinct(TX, k.s[0], k.s[1], k.s[2], &k.e))
VERB(inc, (HEAD, A a, A b, A c, jlong delta), (&k, env, peer, 3, a, b, c),
     qm_inc(TX, k.s[0], k.s[1], k.s[2], delta, &k.e))
VERB(reverse, (HEAD, A a, A b, A c, A d, A reason), (&k, env, peer, 5, a, b, c, d, reason),
     qm_reverse(TX, k.s[0], k.s[1], k.s[2], k.s[3], k.s[4], &k.e))
VERB(splice, (HEAD, A a, A b, A c, jlong at, jlong cut, A d), (&k, env, peer, 4, a, b, c, d),
     qm_splice(TX, k.s[0], k.s[1], k.s[2], (uint64_t)at, (uint64_t)cut, k.s[3], &k.e))
VERB(insert, (HEAD, A a, A b, A c, jlong at, A d, jint flags), (&k, env, peer, 4, a, b, c, d),
     qm_insert(TX, k.s[0], k.s[1], k.s[2], (uint64_t)at, k.s[3], (uint32_t)flags, &k.e))
VERB(replace, (HEAD, A a, A b, A c, jlong at, A d, jint flags), (&k, env, peer, 4, a, b, c, d),
     qm_replace(TX, k.s[0], k.s[1], k.s[2], (uint64_t)at, k.s[3], (uint32_t)flags, &k.e))
VERB(remove_at, (HEAD, A a, A b, A c, jlong at, jlong count), (&k, env, peer, 3, a, b, c),
     qm_remove_at(TX, k.s[0], k.s[1], k.s[2], (uint64_t)at, (uint64_t)count, &k.e))

ASK(split, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
    qm_split(TX, k.s[0], k.s[1], k.s[2], &k.out, &k.e))
ASK(attach, (HEAD, A a, A b, A c, A path), (&k, env, peer, 4, a, b, c, path),
    qm_attach(TX, k.s[0], k.s[1], k.s[2], (const char *)k.s[3].p, &k.out, &k.e))

/* existing[0]: whether the record was there. */
static jbyteArray JNICALL new_(HEAD, A a, A b, jbooleanArray existing) {
  qm__jni_call k;
  int32_t there = 0;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 2, a, b)) return NULL;
  k.rc = qm_new(TX, k.s[0], k.s[1], &k.out, &there, &k.e);
  const jboolean was = there ? JNI_TRUE : JNI_FALSE;
  if (k.rc == QM_OK) (*env)->SetBooleanArrayRegion(env, existing, 0, 1, &was);
  return qm__jni_end_text(&k);
}

static jint JNICALL written(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return 0;
  jint n = (jint)qm_written(TX);
  (void)qm__jni_end(&k);
  return n;
}

/* ---- begin and end ---- */

static void forget(qm__jni_call *k, const qm_tx *tx) {
  pthread_mutex_lock(&k->peer->mutex);
  if (k->peer->tx == tx) k->peer->tx = NULL;
  pthread_mutex_unlock(&k->peer->mutex);
}

static jlong JNICALL begin(JNIEnv *env, jobject self, jlong peer, A space) {
  qm__jni_call k;
  qm_tx *tx = NULL;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 1, space)) return 0;
  k.rc = qm_begin(k.db, k.s[0], &tx, &k.e);
  if (k.rc == QM_OK) {
    pthread_mutex_lock(&k.peer->mutex);
    k.peer->tx = tx;
    pthread_mutex_unlock(&k.peer->mutex);
  }
  (void)qm__jni_end(&k);
  return (jlong)(intptr_t)tx;
}

static void JNICALL commit(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return;
  forget(&k, TX);
  k.rc = qm_commit(TX, &k.e);
  (void)qm__jni_end(&k);
}

/* A closed database has cancelled it. */
static void JNICALL cancel(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin_quiet(&k, env, peer)) return;
  forget(&k, TX);
  qm_cancel(TX);
  (void)qm__jni_end(&k);
}

/* RegisterNatives takes names as char *, and does not write to them. */
#define M(name, signature, f) \
  { (char *)(uintptr_t)(name), (char *)(uintptr_t)(signature), (void *)(uintptr_t)(f) }
#define FIELD(name, f) M(name, "(JJ[B[B[B[BI)V", f)

int qm__jni_register_tx(JNIEnv *env) {
  const JNINativeMethod methods[] = {
      FIELD("nSet", set_),
      FIELD("nSettle", settle_),
      FIELD("nRaise", raise_),
      FIELD("nLower", lower_),
      FIELD("nAdd", add_),
      FIELD("nRemove", remove_),
      FIELD("nAppend", append_),
      FIELD("nPut", put_),
      M("nShown", "(JJ[B)V", shown),
      M("nDelete", "(JJ[B[B)V", delete_),
      M("nRestore", "(JJ[B[B)V", restore),
      M("nUnmerge", "(JJ[B[B)V", unmerge),
      M("nMerge", "(JJ[B[B[B)V", merge),
      M("nDistinct", "(JJ[B[B[B)V", distinct),
      M("nNotDistinct", "(JJ[B[B[B)V", not_distinct),
      M("nInc", "(JJ[B[B[BJ)V", inc),
      M("nReverse", "(JJ[B[B[B[B[B)V", reverse),
      M("nSplice", "(JJ[B[B[BJJ[B)V", splice),
      M("nInsert", "(JJ[B[B[BJ[BI)V", insert),
      M("nReplace", "(JJ[B[B[BJ[BI)V", replace),
      M("nRemoveAt", "(JJ[B[B[BJJ)V", remove_at),
      M("nSplit", "(JJ[B[B[B)[B", split),
      M("nAttach", "(JJ[B[B[B[B)[B", attach),
      M("nNew", "(JJ[B[B[Z)[B", new_),
      M("nWritten", "(JJ)I", written),
      M("nBegin", "(J[B)J", begin),
      M("nCommit", "(JJ)V", commit),
      M("nCancel", "(JJ)V", cancel),
  };
  return qm__jni_register(env, "org/qianmo/Transaction", methods,
                          (jint)(sizeof methods / sizeof *methods));
}
