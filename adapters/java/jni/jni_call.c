/* jni_call.c: loading, what every call from Java needs, and closing. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/java/jni/qianmo_jni.h"

qm__jni_classes qm__jni;

static pthread_key_t attached_key; /* set in threads that were attached here */
static _Thread_local int hooks_deep;
static _Thread_local const qm__jni_db *told_peer;

/* ---- threads ---- */

static void detach(void *is_set) {
  if (is_set) (*qm__jni.vm)->DetachCurrentThread(qm__jni.vm);
}

JNIEnv *qm__jni_env(void) {
  JNIEnv *env = NULL;
  JavaVMAttachArgs args = {JNI_VERSION_1_6, NULL, NULL};
  char name[] = "qianmo-events";
  args.name = name;
  void *got = NULL;
  if ((*qm__jni.vm)->GetEnv(qm__jni.vm, &got, JNI_VERSION_1_6) == JNI_OK) return got;
#ifdef __ANDROID__
  if ((*qm__jni.vm)->AttachCurrentThreadAsDaemon(qm__jni.vm, &env, &args) != JNI_OK) return NULL;
#else
  if ((*qm__jni.vm)->AttachCurrentThreadAsDaemon(qm__jni.vm, &got, &args) != JNI_OK) return NULL;
  env = got;
#endif
  (void)pthread_setspecific(attached_key, qm__jni.vm);
  return env;
}

void qm__jni_in_hook(int by) { hooks_deep += by; }
void qm__jni_telling(qm__jni_db *peer) { told_peer = peer; }
int qm__jni_is_telling(const qm__jni_db *peer) { return told_peer == peer; }

/* ---- exceptions and arrays ---- */

void qm__jni_throw(JNIEnv *env, int32_t code, const qm_error *e) {
  const char *message = e && e->code == code ? e->message : "";
  if ((*env)->ExceptionCheck(env)) return;
  jbyteArray text = qm__jni_bytes(env, message, strlen(message));
  if (!text) return;
  jobject thrown =
      (*env)->CallStaticObjectMethod(env, qm__jni.hooks, qm__jni.error, (jint)code, text);
  if (!(*env)->ExceptionCheck(env) && thrown) (*env)->Throw(env, thrown);
  (*env)->DeleteLocalRef(env, text);
}

jbyteArray qm__jni_bytes(JNIEnv *env, const void *p, size_t n) {
  if (n > INT32_MAX) {
    qm__jni_throw(env, QM_ELIMIT, NULL);
    return NULL;
  }
  jbyteArray a = (*env)->NewByteArray(env, (jsize)n);
  if (a && n) (*env)->SetByteArrayRegion(env, a, 0, (jsize)n, p);
  return a;
}

/* ---- a call ---- */

static int enter(qm__jni_call *k, jlong peer) {
  k->peer = (qm__jni_db *)(intptr_t)peer;
  if (!k->peer) return QM_ESTATE;
  pthread_mutex_lock(&k->peer->mutex);
  int rc = k->peer->closing ? QM_ESTATE : QM_OK;
  if (rc == QM_OK) k->peer->calls++;
  k->db = k->peer->db;
  pthread_mutex_unlock(&k->peer->mutex);
  if (rc != QM_OK) (void)qm_fail(&k->e, rc, "the database is closed");
  return rc;
}

static void leave(qm__jni_call *k) {
  if (!k->peer) return;
  pthread_mutex_lock(&k->peer->mutex);
  if (--k->peer->calls == 0) pthread_cond_broadcast(&k->peer->idle);
  pthread_mutex_unlock(&k->peer->mutex);
}

static void give_back(qm__jni_call *k) {
  if (k->room != k->small) free(k->room);
  k->room = NULL;
}

/* One copy of all texts, each with a NUL behind it. */
static int take(qm__jni_call *k, const jbyteArray *arrays, uint32_t n) {
  size_t lengths[QM_JNI_TEXTS], all = n;
  for (uint32_t i = 0; i < n; i++) {
    if (!arrays[i]) return QM_EINVAL;
    lengths[i] = (size_t)(*k->env)->GetArrayLength(k->env, arrays[i]);
    all += lengths[i];
  }
  k->room = all <= sizeof k->small ? k->small : malloc(all);
  if (!k->room) return QM_ENOMEM;
  uint8_t *p = k->room;
  for (uint32_t i = 0; i < n; i++) {
    (*k->env)->GetByteArrayRegion(k->env, arrays[i], 0, (jsize)lengths[i], (jbyte *)p);
    k->s[i] = qm_slice_of(p, lengths[i]);
    p[lengths[i]] = 0;
    p += lengths[i] + 1;
  }
  return QM_OK;
}

static void init(qm__jni_call *k, JNIEnv *env) {
  k->env = env;
  k->peer = NULL;
  k->db = NULL;
  k->out = (qm_text){NULL, 0};
  k->e = (qm_error){0, ""};
  k->rc = QM_OK;
  k->room = k->small;
}

int qm__jni_begin(qm__jni_call *k, JNIEnv *env, jlong peer, uint32_t n, ...) {
  jbyteArray arrays[QM_JNI_TEXTS];
  va_list more;
  init(k, env);
  va_start(more, n);
  for (uint32_t i = 0; i < n; i++) arrays[i] = va_arg(more, jbyteArray);
  va_end(more);
  int rc = hooks_deep ? qm_fail(&k->e, QM_ESTATE, "a hook must not call qianmo") : QM_OK;
  if (rc == QM_OK) rc = take(k, arrays, n);
  if (rc == QM_OK && peer) rc = enter(k, peer);
  if (rc == QM_OK) return 1;
  give_back(k);
  qm__jni_throw(env, rc, &k->e);
  return 0;
}

int qm__jni_begin_quiet(qm__jni_call *k, JNIEnv *env, jlong peer) {
  init(k, env);
  return enter(k, peer) == QM_OK;
}

int qm__jni_end(qm__jni_call *k) {
  leave(k);
  give_back(k);
  if (k->rc != QM_OK) qm__jni_throw(k->env, k->rc, &k->e);
  return k->rc == QM_OK && !(*k->env)->ExceptionCheck(k->env);
}

jbyteArray qm__jni_end_text(qm__jni_call *k) {
  jbyteArray a = NULL;
  if (qm__jni_end(k)) a = qm__jni_bytes(k->env, k->out.p, k->out.n);
  qm_text_free(&k->out);
  return a;
}

static jint fill(qm__jni_call *k, jobject rows) {
  JNIEnv *env = k->env;
  if (k->out.n > INT32_MAX) {
    qm__jni_throw(env, QM_ELIMIT, NULL);
    return 0;
  }
  jobject buffer = (*env)->CallObjectMethod(env, rows, qm__jni.room, (jint)k->out.n);
  if ((*env)->ExceptionCheck(env) || !buffer) return 0;
  void *to = (*env)->GetDirectBufferAddress(env, buffer);
  jlong room = (*env)->GetDirectBufferCapacity(env, buffer);
  if (!to || room < (jlong)k->out.n) qm__jni_throw(env, QM_EINTERNAL, NULL);
  else if (k->out.n) memcpy(to, k->out.p, k->out.n);
  return (jint)k->out.n;
}

jint qm__jni_end_rows(qm__jni_call *k, jobject rows) {
  jint n = qm__jni_end(k) ? fill(k, rows) : 0;
  qm_text_free(&k->out);
  return n;
}

/* ---- closing ---- */

static struct timespec soon(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 20000000L;
  if (t.tv_nsec >= 1000000000L) {
    t.tv_nsec -= 1000000000L;
    t.tv_sec++;
  }
  return t;
}

void qm__jni_close(JNIEnv *env, qm__jni_db *peer) {
  pthread_mutex_lock(&peer->mutex);
  int first = !peer->closing;
  peer->closing = 1;
  /* What waits or syncs is sent away, again and again: it may only be about to wait. */
  while (peer->calls) {
    if (peer->db) {
      qm_interrupt(peer->db);
      qm_sync_cancel(peer->db);
    }
    struct timespec until = soon();
    (void)pthread_cond_timedwait(&peer->idle, &peer->mutex, &until);
  }
  pthread_mutex_unlock(&peer->mutex);
  if (!first) return;
  qm_cancel(peer->tx); /* which a link would wait for */
  peer->tx = NULL;
  while (peer->links) {
    qm__jni_link *l = peer->links;
    peer->links = l->next;
    (void)qm_link_close(l->link, NULL, NULL);
    free(l);
  }
  qm_close(peer->db);
  peer->db = NULL;
  if (peer->hooks) (*env)->DeleteGlobalRef(env, peer->hooks);
  peer->hooks = NULL;
}

/* ---- loading ---- */

int qm__jni_register(JNIEnv *env, const char *cls, const JNINativeMethod *methods, jint n) {
  jclass c = (*env)->FindClass(env, cls);
  if (!c) return 1;
  int bad = (*env)->RegisterNatives(env, c, methods, n) != JNI_OK;
  (*env)->DeleteLocalRef(env, c);
  return bad;
}

static jclass global_class(JNIEnv *env, const char *name) {
  jclass local = (*env)->FindClass(env, name);
  if (!local) return NULL;
  jclass c = (*env)->NewGlobalRef(env, local);
  (*env)->DeleteLocalRef(env, local);
  return c;
}

/* An attached thread finds no class of the app by itself: all are looked up here. */
static int look_up(JNIEnv *env) {
  struct {
    jmethodID *to;
    int is_static;
    const char *name, *signature;
  } methods[] = {
      {&qm__jni.error, 1, "error", "(I[B)Ljava/lang/RuntimeException;"},
      {&qm__jni.now, 0, "now", "()J"},
      {&qm__jni.log, 0, "log", "(I[B)V"},
      {&qm__jni.ask, 0, "ask", "(I[BI[I)[B"},
      {&qm__jni.check, 0, "check", "([B[[B)I"},
      {&qm__jni.told, 1, "told", "(Ljava/lang/Object;[B)V"},
      {&qm__jni.progress, 1, "progress", "(Ljava/lang/Object;[J)V"},
      {&qm__jni.stay, 1, "stay", "(Ljava/lang/Object;I)V"},
  };
  qm__jni.hooks = global_class(env, "org/qianmo/Hooks");
  qm__jni.bytes = qm__jni.hooks ? global_class(env, "[B") : NULL;
  if (!qm__jni.bytes) return 0;
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    *methods[i].to = methods[i].is_static
                         ? (*env)->GetStaticMethodID(env, qm__jni.hooks, methods[i].name,
                                                     methods[i].signature)
                         : (*env)->GetMethodID(env, qm__jni.hooks, methods[i].name,
                                               methods[i].signature);
    if (!*methods[i].to) return 0;
  }
  jclass rows = (*env)->FindClass(env, "org/qianmo/Rows");
  if (!rows) return 0;
  qm__jni.room = (*env)->GetMethodID(env, rows, "room", "(I)Ljava/nio/ByteBuffer;");
  (*env)->DeleteLocalRef(env, rows);
  return qm__jni.room != NULL;
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
  void *env = NULL;
  (void)reserved;
  if ((*vm)->GetEnv(vm, &env, JNI_VERSION_1_6) != JNI_OK || qm_abi() != QM_ABI) return JNI_ERR;
  qm__jni.vm = vm;
  if (pthread_key_create(&attached_key, detach) != 0) return JNI_ERR;
  if (!look_up(env) || qm__jni_register_db(env) || qm__jni_register_tx(env) ||
      qm__jni_register_sync(env))
    return JNI_ERR;
  return JNI_VERSION_1_6;
}
