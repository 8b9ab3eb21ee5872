/* jni_sync.c: syncs, links, listeners. What a listener of Java's throws on the way stops the sync
 * and is thrown by the call; what one of qm_listen throws goes to its thread's handler. */
#include <stdlib.h>
#include <string.h>

#include "adapters/java/jni/qianmo_jni.h"

#define HEAD JNIEnv *env, jobject self, jlong peer
#define TAKE_ROOM 16384

/* ---- qm_sync_run, qm_sync_stay ---- */

typedef struct telling {
  qm__jni_call *k;
  jobject listener;
  jthrowable thrown; /* by the listener: a local reference of the call's frame */
  int stay;
} telling;

static void end_early(telling *t) {
  if (t->stay) qm_interrupt(t->k->db);
  else qm_sync_cancel(t->k->db);
}

static void keep_thrown(telling *t) {
  JNIEnv *env = t->k->env;
  jthrowable thrown = (*env)->ExceptionOccurred(env);
  if (!thrown) return;
  (*env)->ExceptionClear(env);
  if (!t->thrown) t->thrown = thrown;
  else (*env)->DeleteLocalRef(env, thrown);
  end_early(t);
}

static void progress(void *payload, const qm_sync_progress *p) {
  telling *t = payload;
  JNIEnv *env = t->k->env;
  const jlong numbers[] = {(jlong)p->bytes_up,     (jlong)p->bytes_down,
                           (jlong)p->segments_up,  (jlong)p->segments_down,
                           (jlong)p->records_down, (jlong)p->unsent_before,
                           (jlong)p->unsent};
  const jsize n = (jsize)(sizeof numbers / sizeof *numbers);
  if (t->thrown) return;
  jlongArray a = (*env)->NewLongArray(env, n);
  qm__jni_in_hook(1);
  if (a) {
    (*env)->SetLongArrayRegion(env, a, 0, n, numbers);
    (*env)->CallStaticVoidMethod(env, qm__jni.hooks, qm__jni.progress, t->listener, a);
  }
  keep_thrown(t);
  qm__jni_in_hook(-1);
  if (a) (*env)->DeleteLocalRef(env, a);
}

static void stays(void *payload, int32_t code) {
  telling *t = payload;
  JNIEnv *env = t->k->env;
  if (t->thrown) return;
  qm__jni_in_hook(1);
  (*env)->CallStaticVoidMethod(env, qm__jni.hooks, qm__jni.stay, t->listener, (jint)code);
  keep_thrown(t);
  qm__jni_in_hook(-1);
}

/* As the members of SyncResult.java. */
static void put_result(JNIEnv *env, jlongArray to, const qm_sync_result *r) {
  const jlong numbers[] = {r->refused,
                           (jlong)r->bytes_up,
                           (jlong)r->bytes_down,
                           (jlong)r->segments_up,
                           (jlong)r->segments_down,
                           r->spaces,
                           r->spaces_differing,
                           r->clock_offset_ms,
                           r->renewed,
                           r->code,
                           r->repaired,
                           r->repaired_states,
                           r->more};
  (*env)->SetLongArrayRegion(env, to, 0, (jsize)(sizeof numbers / sizeof *numbers), numbers);
}

/* What the listener threw comes before what the call says. */
static void end_told(qm__jni_call *k, const telling *t) {
  if (t->thrown) k->rc = QM_OK;
  (void)qm__jni_end(k);
  if (t->thrown) (*k->env)->Throw(k->env, t->thrown);
}

static void JNICALL sync_run(HEAD, jint budget_ms, jobject listener, jlongArray out) {
  qm__jni_call k;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  qm_run_options o = QM_RUN_OPTIONS_INIT;
  telling t = {&k, listener, NULL, 0};
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return;
  o.budget_ms = (uint32_t)budget_ms;
  o.payload = &t;
  if (listener) o.progress = progress;
  k.rc = qm_sync_run(k.db, &o, &r, &k.e);
  put_result(env, out, &r);
  end_told(&k, &t);
}

static void JNICALL sync_stay(HEAD, jobject listener) {
  qm__jni_call k;
  telling t = {&k, listener, NULL, 1};
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return;
  k.rc = qm_sync_stay(k.db, listener ? stays : NULL, &t, &k.e);
  end_told(&k, &t);
}

static void JNICALL sync_cancel(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin_quiet(&k, env, peer)) return;
  qm_sync_cancel(k.db);
  (void)qm__jni_end(&k);
}

static void JNICALL interrupt(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin_quiet(&k, env, peer)) return;
  qm_interrupt(k.db);
  (void)qm__jni_end(&k);
}

/* ---- qm_listen ---- */

typedef struct listening {
  qm__jni_db *peer;
  jobject listener; /* global */
} listening;

static void told(void *payload, const char *line, size_t n) {
  const listening *l = payload;
  JNIEnv *env = qm__jni_env();
  if (!env || (*env)->PushLocalFrame(env, 8) != 0) return;
  jbyteArray text = qm__jni_bytes(env, line, n);
  qm__jni_telling(l->peer);
  if (text) (*env)->CallStaticVoidMethod(env, qm__jni.hooks, qm__jni.told, l->listener, text);
  qm__jni_telling(NULL);
  if ((*env)->ExceptionCheck(env)) (*env)->ExceptionClear(env);
  (void)(*env)->PopLocalFrame(env, NULL);
}

static void forget(void *payload) {
  listening *l = payload;
  JNIEnv *env = qm__jni_env();
  if (env) (*env)->DeleteGlobalRef(env, l->listener);
  free(l);
}

static void JNICALL listen_(HEAD, jobject listener) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return;
  listening *l = malloc(sizeof *l);
  if (l) {
    l->peer = k.peer;
    l->listener = (*env)->NewGlobalRef(env, listener);
    k.rc = l->listener ? qm_listen(k.db, told, l, forget, &k.e) : QM_ENOMEM;
    if (k.rc != QM_OK) forget(l);
  } else {
    k.rc = QM_ENOMEM;
  }
  (void)qm__jni_end(&k);
}

static void JNICALL unlisten(HEAD) {
  qm__jni_call k;
  (void)self;
  if (qm__jni_is_telling((qm__jni_db *)(intptr_t)peer)) {
    qm__jni_throw(env, QM_ESTATE, NULL); /* it would wait for itself */
    return;
  }
  if (!qm__jni_begin_quiet(&k, env, peer)) return;
  qm_unlisten(k.db);
  (void)qm__jni_end(&k);
}

/* ---- links ---- */

#define LINK(l) (((qm__jni_link *)(intptr_t)(l))->link)

static jlong JNICALL link_open(HEAD) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return 0;
  qm__jni_link *l = malloc(sizeof *l);
  k.rc = l ? qm_link_open(k.db, &l->link, &k.e) : QM_ENOMEM;
  if (k.rc == QM_OK) {
    pthread_mutex_lock(&k.peer->mutex);
    l->next = k.peer->links;
    k.peer->links = l;
    pthread_mutex_unlock(&k.peer->mutex);
  } else {
    free(l);
    l = NULL;
  }
  (void)qm__jni_end(&k);
  return (jlong)(intptr_t)l;
}

static jint JNICALL link_feed(HEAD, jlong link, jbyteArray bytes, jint at, jint n) {
  qm__jni_call k;
  size_t used = 0;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return 0;
  jbyte *copy = malloc((size_t)n + 1);
  if (copy) {
    (*env)->GetByteArrayRegion(env, bytes, at, n, copy);
    if (!(*env)->ExceptionCheck(env))
      k.rc = qm_link_feed(LINK(link), qm_slice_of(copy, (size_t)n), &used, &k.e);
  } else {
    k.rc = QM_ENOMEM;
  }
  free(copy);
  (void)qm__jni_end(&k);
  return (jint)used;
}

static jbyteArray JNICALL link_take(HEAD, jlong link) {
  qm__jni_call k;
  uint8_t to[TAKE_ROOM];
  size_t n = 0;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return NULL;
  k.rc = qm_link_take(LINK(link), to, sizeof to, &n, &k.e);
  return qm__jni_end(&k) ? qm__jni_bytes(env, to, n) : NULL;
}

static jint JNICALL link_wait(HEAD, jlong link) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return 0;
  jint wait = (jint)qm_link_wait(LINK(link));
  (void)qm__jni_end(&k);
  return wait;
}

static jboolean JNICALL link_over(HEAD, jlong link) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return 0;
  int over = qm_link_over(LINK(link));
  (void)qm__jni_end(&k);
  return over ? JNI_TRUE : JNI_FALSE;
}

static void drop(qm__jni_db *peer, qm__jni_link *link) {
  pthread_mutex_lock(&peer->mutex);
  qm__jni_link **at = &peer->links;
  while (*at && *at != link) at = &(*at)->next;
  if (*at) *at = link->next;
  pthread_mutex_unlock(&peer->mutex);
  free(link);
}

/* The link is gone but where a transaction stayed open: EBUSY. */
static void JNICALL link_close(HEAD, jlong link, jlongArray out) {
  qm__jni_call k;
  qm_sync_result r = QM_SYNC_RESULT_INIT;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return;
  k.rc = qm_link_close(LINK(link), &r, &k.e);
  if (k.rc != QM_EBUSY) drop(k.peer, (qm__jni_link *)(intptr_t)link);
  put_result(env, out, &r);
  (void)qm__jni_end(&k);
}

/* RegisterNatives takes names as char *, and does not write to them. */
#define M(name, signature, f) \
  { (char *)(uintptr_t)(name), (char *)(uintptr_t)(signature), (void *)(uintptr_t)(f) }

int qm__jni_register_sync(JNIEnv *env) {
  const JNINativeMethod db[] = {
      M("nSync", "(JILjava/lang/Object;[J)V", sync_run),
      M("nSyncStay", "(JLjava/lang/Object;)V", sync_stay),
      M("nSyncCancel", "(J)V", sync_cancel),
      M("nInterrupt", "(J)V", interrupt),
      M("nListen", "(JLjava/lang/Object;)V", listen_),
      M("nUnlisten", "(J)V", unlisten),
  };
  const JNINativeMethod link[] = {
      M("nOpen", "(J)J", link_open),
      M("nFeed", "(JJ[BII)I", link_feed),
      M("nTake", "(JJ)[B", link_take),
      M("nWait", "(JJ)I", link_wait),
      M("nOver", "(JJ)Z", link_over),
      M("nClose", "(JJ[J)V", link_close),
  };
  return qm__jni_register(env, "org/qianmo/Database", db, (jint)(sizeof db / sizeof *db)) ||
         qm__jni_register(env, "org/qianmo/Link", link, (jint)(sizeof link / sizeof *link));
}
