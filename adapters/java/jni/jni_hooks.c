/* jni_hooks.c: what the library calls in Java. Java's side (Hooks.java) catches what its own
 * code throws; what is thrown all the same (no memory, no stack) ends here as QM_EIO. Local
 * references live in a frame of their own: one call from Java may run many hooks. */
#include <string.h>

#include "adapters/java/jni/qianmo_jni.h"

#define FRAME 8

typedef struct frame {
  JNIEnv *env;
  jobject hooks;
} frame;

static int frame_open(frame *f, void *payload) {
  const qm__jni_db *peer = payload;
  f->env = qm__jni_env();
  f->hooks = peer->hooks;
  if (!f->env || (*f->env)->PushLocalFrame(f->env, FRAME) != 0) return 0;
  qm__jni_in_hook(1);
  return 1;
}

/* 1: nothing was thrown. */
static int frame_close(frame *f) {
  int thrown = (*f->env)->ExceptionCheck(f->env);
  if (thrown) (*f->env)->ExceptionClear(f->env);
  (void)(*f->env)->PopLocalFrame(f->env, NULL);
  qm__jni_in_hook(-1);
  return !thrown;
}

static uint64_t now_ms(void *payload) {
  frame f;
  jlong now = 0;
  if (!frame_open(&f, payload)) return 0;
  now = (*f.env)->CallLongMethod(f.env, f.hooks, qm__jni.now);
  return frame_close(&f) && now > 0 ? (uint64_t)now : 0;
}

static void log_line(void *payload, int32_t level, const char *message) {
  frame f;
  if (!frame_open(&f, payload)) return;
  jbyteArray text = qm__jni_bytes(f.env, message, strlen(message));
  if (text) (*f.env)->CallVoidMethod(f.env, f.hooks, qm__jni.log, (jint)level, text);
  (void)frame_close(&f);
}

/* Asks the hook `which` for bytes, and gives it n of `in` (NULL: only the number). Puts them to
 * `to`: exactly *size of them, or at most where `at_most` (then *size says how many). */
static int32_t ask(void *payload, jint which, const uint8_t *in, size_t n, uint8_t *to,
                   size_t *size, int at_most) {
  frame f;
  jint rc[1] = {QM_EIO};
  if (n > INT32_MAX || !frame_open(&f, payload)) return QM_EIO;
  JNIEnv *env = f.env;
  jbyteArray given = in ? qm__jni_bytes(env, in, n) : NULL;
  jintArray code = (*env)->ExceptionCheck(env) ? NULL : (*env)->NewIntArray(env, 1);
  if (code) {
    jbyteArray got = (*env)->CallObjectMethod(env, f.hooks, qm__jni.ask, which, given, (jint)n,
                                              code);
    if (!(*env)->ExceptionCheck(env)) (*env)->GetIntArrayRegion(env, code, 0, 1, rc);
    size_t length = got ? (size_t)(*env)->GetArrayLength(env, got) : 0;
    if (rc[0] == QM_OK && to && (at_most ? length > *size : length != *size)) rc[0] = QM_EINVAL;
    if (rc[0] == QM_OK && to) {
      if (length) (*env)->GetByteArrayRegion(env, got, 0, (jsize)length, (jbyte *)to);
      *size = length;
    }
  }
  if (!frame_close(&f)) return QM_EIO;
  return rc[0] > 0 ? QM_EINVAL : rc[0];
}

/* The numbers of Hooks.java. */
enum { RANDOM, INSTANCE, KEY_LOAD, KEY_SAVE, KEY_POINT, KEY_SIGN };

static int32_t fill_random(void *payload, uint8_t *to, size_t n) {
  size_t size = n;
  return ask(payload, RANDOM, NULL, n, to, &size, 0);
}

static int32_t instance(void *payload, uint8_t out[16]) {
  size_t size = 16;
  return ask(payload, INSTANCE, NULL, 0, out, &size, 0);
}

static int32_t key_load(void *payload, uint8_t *to, size_t *n) {
  return ask(payload, KEY_LOAD, NULL, 0, to, n, 1);
}

static int32_t key_save(void *payload, const uint8_t *key, size_t n) {
  return ask(payload, KEY_SAVE, key, n, NULL, NULL, 0);
}

static int32_t key_point(void *payload, uint8_t point[65]) {
  size_t size = 65;
  return ask(payload, KEY_POINT, NULL, 0, point, &size, 0);
}

static int32_t key_sign(void *payload, const uint8_t digest[32], uint8_t *to, size_t *n) {
  return ask(payload, KEY_SIGN, digest, 32, to, n, 1);
}

static jobjectArray chain_of(JNIEnv *env, const qm_slice *chain, uint32_t n) {
  jobjectArray a = (*env)->NewObjectArray(env, (jsize)n, qm__jni.bytes, NULL);
  for (uint32_t i = 0; a && i < n; i++) {
    jbyteArray der = qm__jni_bytes(env, chain[i].p, chain[i].n);
    if (!der) return NULL;
    (*env)->SetObjectArrayElement(env, a, (jsize)i, der);
    if ((*env)->ExceptionCheck(env)) return NULL;
    (*env)->DeleteLocalRef(env, der);
  }
  return a;
}

static int32_t check_hub(void *payload, const char *host, const qm_slice *chain, uint32_t n) {
  frame f;
  jint rc = QM_ECERT;
  if (n > INT32_MAX || !frame_open(&f, payload)) return QM_ECERT;
  jbyteArray name = qm__jni_bytes(f.env, host, strlen(host));
  jobjectArray all = name ? chain_of(f.env, chain, n) : NULL;
  if (all) rc = (*f.env)->CallIntMethod(f.env, f.hooks, qm__jni.check, name, all);
  return frame_close(&f) ? (rc > 0 ? QM_ECERT : rc) : QM_ECERT;
}

void qm__jni_hooks(qm_options *o, qm__jni_db *peer, jint mask) {
  o->payload = peer;
  if (mask & QM_JNI_NOW) o->now_ms = now_ms;
  if (mask & QM_JNI_RANDOM) o->random = fill_random;
  if (mask & QM_JNI_LOG) o->log = log_line;
  if (mask & QM_JNI_INSTANCE) o->instance = instance;
  if (mask & QM_JNI_KEY_STORE) {
    o->key_load = key_load;
    o->key_save = key_save;
  }
  if (mask & QM_JNI_SIGNER) {
    o->key_point = key_point;
    o->key_sign = key_sign;
  }
  if (mask & QM_JNI_CHECK_HUB) o->check_hub = check_hub;
}
