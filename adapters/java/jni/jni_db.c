/* jni_db.c: the natives of Database, Rows and Qianmo but those of jni_sync.c. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/java/jni/qianmo_jni.h"

#define HEAD JNIEnv *env, jobject self, jlong peer
#define A jbyteArray
#define U(x) ((uint32_t)(x))
#define OUT &k.out, &k.e

/* Without a result, and with one: parameters behind HEAD, texts, the call. */
#define DO(name, parameters, texts, call)                     \
  static void JNICALL name parameters {                       \
    qm__jni_call k;                                           \
    (void)self;                                               \
    if (!qm__jni_begin texts) return;                         \
    k.rc = call;                                              \
    (void)qm__jni_end(&k);                                    \
  }
#define ASK(name, parameters, texts, call)                    \
  static jbyteArray JNICALL name parameters {                 \
    qm__jni_call k;                                           \
    (void)self;                                               \
    if (!qm__jni_begin texts) return NULL;                    \
    k.rc = call;                                              \
    return qm__jni_end_text(&k);                              \
  }
/* Into a Rows. */
#define FILL(name, parameters, texts, call)                   \
  static jint JNICALL name parameters {                       \
    qm__jni_call k;                                           \
    (void)self;                                               \
    if (!qm__jni_begin texts) return 0;                       \
    k.rc = call;                                              \
    return qm__jni_end_rows(&k, rows);                        \
  }

/* ---- opening and closing ---- */

static void free_peer(qm__jni_db *peer) {
  pthread_cond_destroy(&peer->idle);
  pthread_mutex_destroy(&peer->mutex);
  free(peer);
}

/* On the monotonic clock: a person may set the date meanwhile. */
static int init_idle(pthread_cond_t *idle) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return 1;
  int bad = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
            pthread_cond_init(idle, &attributes) != 0;
  pthread_condattr_destroy(&attributes);
  return bad;
}

static qm__jni_db *new_peer(void) {
  qm__jni_db *peer = calloc(1, sizeof *peer);
  if (peer && pthread_mutex_init(&peer->mutex, NULL) == 0) {
    if (init_idle(&peer->idle) == 0) return peer;
    pthread_mutex_destroy(&peer->mutex);
  }
  free(peer);
  return NULL;
}

/* numbers: flags, busy_ms, timeout_ms, history_days, history_mb; below 0: the library's own. */
static void options_of(qm_options *o, const jlong *numbers, qm__jni_db *peer, jint hooks) {
  uint32_t *const to[] = {&o->flags, &o->busy_ms, &o->timeout_ms, &o->history_days,
                          &o->history_mb};
  qm_options_init(o);
  for (size_t i = 0; i < sizeof to / sizeof *to; i++)
    if (numbers[i] >= 0) *to[i] = (uint32_t)numbers[i];
  if (hooks) qm__jni_hooks(o, peer, hooks);
}

static jlong JNICALL open_(JNIEnv *env, jclass self, A path, jlongArray numbers, jint mask,
                           jobject hooks) {
  qm__jni_call k;
  qm_options o;
  jlong given[5];
  (void)self;
  if (!qm__jni_begin(&k, env, 0, 1, path)) return 0;
  (*env)->GetLongArrayRegion(env, numbers, 0, 5, given);
  if ((*env)->ExceptionCheck(env)) return (void)qm__jni_end(&k), 0;
  qm__jni_db *peer = new_peer();
  if (peer && hooks) peer->hooks = (*env)->NewGlobalRef(env, hooks);
  if (!peer || (hooks && !peer->hooks)) k.rc = QM_ENOMEM;
  if (k.rc == QM_OK) {
    options_of(&o, given, peer, mask);
    o.path = (const char *)k.s[0].p;
    k.rc = strlen(o.path) == k.s[0].n ? qm_open(&o, &peer->db, &k.e)
                                      : qm_fail(&k.e, QM_EINVAL, "open: a path with a NUL");
  }
  if (k.rc != QM_OK && peer) {
    if (peer->hooks) (*env)->DeleteGlobalRef(env, peer->hooks);
    free_peer(peer);
    peer = NULL;
  }
  (void)qm__jni_end(&k);
  return (jlong)(intptr_t)peer;
}

static void JNICALL close_(HEAD) {
  qm__jni_call k;
  qm__jni_db *p = (qm__jni_db *)(intptr_t)peer;
  (void)self;
  if (qm__jni_is_telling(p)) { /* it would wait for itself */
    qm__jni_throw(env, QM_ESTATE, NULL);
    return;
  }
  if (!qm__jni_begin(&k, env, 0, 0)) return; /* nor from a hook */
  (void)qm__jni_end(&k);
  qm__jni_close(env, p);
}

/* Of a Database that nobody has any more: nothing can run on it. */
static void JNICALL reap(JNIEnv *env, jclass self, jlong peer) {
  qm__jni_db *p = (qm__jni_db *)(intptr_t)peer;
  (void)self;
  qm__jni_close(env, p);
  free_peer(p);
}

DO(suspend, (HEAD, jint ms), (&k, env, peer, 0), qm_suspend(k.db, U(ms), &k.e))
DO(resume, (HEAD), (&k, env, peer, 0), qm_resume(k.db, &k.e))

/* ---- the rest, as the header has it ---- */

DO(enroll, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
   qm_enroll(k.db, k.s[0], k.s[1], k.s[2], &k.e))
DO(space_create, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
   qm_space_create(k.db, k.s[0], k.s[1], k.s[2], &k.e))
ASK(spaces, (HEAD), (&k, env, peer, 0), qm_spaces(k.db, OUT))
ASK(schema_text, (HEAD, A a), (&k, env, peer, 1, a), qm_schema_text(k.db, k.s[0], OUT))
ASK(get, (HEAD, A a, A b, A c, jint flags), (&k, env, peer, 3, a, b, c),
    qm_get(k.db, k.s[0], k.s[1], k.s[2], U(flags), OUT))
ASK(list, (HEAD, A a, A b, A c, jint limit, jint flags), (&k, env, peer, 3, a, b, c),
    qm_list(k.db, k.s[0], k.s[1], k.s[2], U(limit), U(flags), OUT))
FILL(list_rows, (HEAD, jobject rows, A a, A b, A c, jint limit, jint flags),
     (&k, env, peer, 3, a, b, c),
     qm_list(k.db, k.s[0], k.s[1], k.s[2], U(limit), U(flags), OUT))
ASK(conflicts, (HEAD, A a, A b), (&k, env, peer, 2, a, b),
    qm_conflicts(k.db, k.s[0], k.s[1], OUT))
ASK(duplicates, (HEAD, A a, A b, A c, jint flags, jint limit, jint offset),
    (&k, env, peer, 3, a, b, c),
    qm_duplicates(k.db, k.s[0], k.s[1], k.s[2], U(flags), U(limit), U(offset), OUT))
ASK(proposals, (HEAD, A a, jint limit, jint offset), (&k, env, peer, 1, a),
    qm_proposals(k.db, k.s[0], U(limit), U(offset), OUT))
ASK(unfit, (HEAD, A a, jint limit, jint offset), (&k, env, peer, 1, a),
    qm_unfit(k.db, k.s[0], U(limit), U(offset), OUT))
ASK(settles, (HEAD, A a), (&k, env, peer, 1, a), qm_settles(k.db, k.s[0], OUT))
DO(undo, (HEAD, A a), (&k, env, peer, 1, a), qm_undo(k.db, k.s[0], &k.e))
ASK(inbox, (HEAD, A a, jint flags), (&k, env, peer, 1, a),
    qm_inbox(k.db, k.s[0], U(flags), OUT))
DO(inbox_seen, (HEAD, A a), (&k, env, peer, 1, a), qm_inbox_seen(k.db, k.s[0], &k.e))
DO(inbox_restore, (HEAD, A a), (&k, env, peer, 1, a), qm_inbox_restore(k.db, k.s[0], &k.e))
ASK(history, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
    qm_history(k.db, k.s[0], k.s[1], k.s[2], OUT))
ASK(status, (HEAD, jint flags), (&k, env, peer, 0), qm_status(k.db, U(flags), OUT))
ASK(record_status, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
    qm_record_status(k.db, k.s[0], k.s[1], k.s[2], OUT))
ASK(export_hub, (HEAD), (&k, env, peer, 0), qm_export_hub(k.db, OUT))
ASK(check, (HEAD), (&k, env, peer, 0), qm_check(k.db, OUT))
DO(keep, (HEAD, jint days, jint mb), (&k, env, peer, 0), qm_keep(k.db, U(days), U(mb), &k.e))
ASK(refer, (HEAD, A a, A b, A c, A upper), (&k, env, peer, 4, a, b, c, upper),
    qm_refer(k.db, k.s[0], k.s[1], k.s[2], k.s[3], OUT))
ASK(answers, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
    qm_answers(k.db, k.s[0], k.s[1], k.s[2], OUT))
ASK(changes, (HEAD, A a, jint limit), (&k, env, peer, 1, a),
    qm_changes(k.db, k.s[0], U(limit), OUT))
FILL(changes_rows, (HEAD, jobject rows, A a, jint limit), (&k, env, peer, 1, a),
     qm_changes(k.db, k.s[0], U(limit), OUT))
DO(changes_wait, (HEAD, A a, jint ms), (&k, env, peer, 1, a),
   qm_changes_wait(k.db, k.s[0], U(ms), &k.e))
ASK(events, (HEAD, jint ms), (&k, env, peer, 0), qm_events(k.db, U(ms), OUT))
ASK(sql, (HEAD, A a, A b, jlong rows, jlong ms), (&k, env, peer, 2, a, b),
    qm_sql(k.db, k.s[0], k.s[1], (uint64_t)rows, (uint64_t)ms, OUT))
FILL(sql_rows, (HEAD, jobject rows, A a, A b, jlong most, jlong ms), (&k, env, peer, 2, a, b),
     qm_sql(k.db, k.s[0], k.s[1], (uint64_t)most, (uint64_t)ms, OUT))
ASK(search, (HEAD, A a, A b, A c, jint limit, jint offset), (&k, env, peer, 3, a, b, c),
    qm_search(k.db, k.s[0], k.s[1], k.s[2], U(limit), U(offset), OUT))
ASK(due, (HEAD, A a, jint flags, jint limit, jint offset), (&k, env, peer, 1, a),
    qm_due(k.db, k.s[0], U(flags), U(limit), U(offset), OUT))
DO(rebuild, (HEAD), (&k, env, peer, 0), qm_rebuild(k.db, &k.e))
ASK(attachments, (HEAD, A a, A b, A c), (&k, env, peer, 3, a, b, c),
    qm_attachments(k.db, k.s[0], k.s[1], k.s[2], OUT))
ASK(export_refused, (HEAD), (&k, env, peer, 0), qm_export_refused(k.db, OUT))

static jbyteArray JNICALL review(HEAD, A space, jint severity, jint limit, jint offset,
                                 A collection, A record, A cls) {
  qm__jni_call k;
  qm_review_options o = QM_REVIEW_OPTIONS_INIT;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 4, space, collection, record, cls)) return NULL;
  o.severity = U(severity);
  o.limit = U(limit);
  o.offset = U(offset);
  o.collection = k.s[1];
  o.record = k.s[2];
  o.cls = k.s[3];
  k.rc = qm_review(k.db, k.s[0], &o, OUT);
  return qm__jni_end_text(&k);
}

static jint JNICALL events_fd(HEAD) {
  qm__jni_call k;
  int32_t fd = -1;
  (void)self;
  if (!qm__jni_begin(&k, env, peer, 0)) return -1;
  k.rc = qm_events_fd(k.db, &fd, &k.e);
  (void)qm__jni_end(&k);
  return fd;
}

/* ---- without a database ---- */

ASK(schema_validate, (JNIEnv * env, jclass self, A a), (&k, env, 0, 1, a),
    qm_schema_validate(k.s[0], OUT))
ASK(schema_pack, (JNIEnv * env, jclass self, A a, A path), (&k, env, 0, 2, a, path),
    qm_schema_pack(k.s[0], (const char *)k.s[1].p, OUT))

/* What is refused is in the lines. */
static jbyteArray JNICALL schema_compare(JNIEnv *env, jclass self, A a, A b) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, 0, 2, a, b)) return NULL;
  k.rc = qm_schema_compare(k.s[0], k.s[1], OUT);
  if (k.out.p) k.rc = QM_OK;
  return qm__jni_end_text(&k);
}

static jbyteArray static_text(JNIEnv *env, const char *text) {
  return qm__jni_bytes(env, text, strlen(text));
}

static jbyteArray JNICALL version(JNIEnv *env, jclass self) {
  (void)self;
  return static_text(env, qm_version());
}

static jint JNICALL columns(JNIEnv *env, jclass self, A a) {
  qm__jni_call k;
  (void)self;
  if (!qm__jni_begin(&k, env, 0, 1, a)) return 0;
  jint n = (jint)qm_columns(k.s[0]);
  (void)qm__jni_end(&k);
  return n;
}

static void JNICALL point_shown(JNIEnv *env, jclass self, jdoubleArray point, jint from,
                                jint to) {
  double at[2];
  (void)self;
  (*env)->GetDoubleArrayRegion(env, point, 0, 2, at);
  if ((*env)->ExceptionCheck(env)) return;
  int32_t rc = qm_point_shown(&at[0], &at[1], from, to);
  if (rc == QM_OK) (*env)->SetDoubleArrayRegion(env, point, 0, 2, at);
  else qm__jni_throw(env, rc, NULL);
}

/* These three are asked for while an exception is made: they throw nothing of the library's. */
static jbyteArray JNICALL error_text(JNIEnv *env, jclass self, jint code, jboolean chinese) {
  (void)self;
  return static_text(env, qm_error_text(code, chinese ? "zh" : "en"));
}

static jbyteArray JNICALL error_name(JNIEnv *env, jclass self, jint code) {
  (void)self;
  return static_text(env, qm_err_name(code));
}

static jint JNICALL error_class(JNIEnv *env, jclass self, jint code) {
  (void)env;
  (void)self;
  return (jint)qm_err_class(code);
}

/* {reason, en, zh, field, detail}, or NULL. */
static jobjectArray JNICALL explain(JNIEnv *env, jclass self, jint code, A message) {
  qm_error e = {code, ""};
  qm_explanation x = QM_EXPLANATION_INIT;
  (void)self;
  size_t n = (size_t)(*env)->GetArrayLength(env, message);
  if (n >= sizeof e.message) n = sizeof e.message - 1;
  (*env)->GetByteArrayRegion(env, message, 0, (jsize)n, (jbyte *)e.message);
  if ((*env)->ExceptionCheck(env) || qm_explain(&e, &x) != QM_OK) return NULL;
  const qm_slice parts[] = {qm_str(x.reason), qm_str(x.en), qm_str(x.zh), x.field, x.detail};
  const jsize all = (jsize)(sizeof parts / sizeof *parts);
  jobjectArray a = (*env)->NewObjectArray(env, all, qm__jni.bytes, NULL);
  for (jsize i = 0; a && i < all; i++) {
    jbyteArray part = qm__jni_bytes(env, parts[i].p, parts[i].n);
    if (!part) return NULL;
    (*env)->SetObjectArrayElement(env, a, i, part);
    if ((*env)->ExceptionCheck(env)) return NULL;
    (*env)->DeleteLocalRef(env, part);
  }
  return a;
}

/* RegisterNatives takes names as char *, and does not write to them. */
#define M(name, signature, f) \
  { (char *)(uintptr_t)(name), (char *)(uintptr_t)(signature), (void *)(uintptr_t)(f) }
#define COUNT(a) ((jint)(sizeof(a) / sizeof *(a)))

static int register_database(JNIEnv *env) {
  const JNINativeMethod methods[] = {
      M("nOpen", "([B[JILorg/qianmo/Hooks;)J", open_),
      M("nClose", "(J)V", close_),
      M("nReap", "(J)V", reap),
      M("nSuspend", "(JI)V", suspend),
      M("nResume", "(J)V", resume),
      M("nEnroll", "(J[B[B[B)V", enroll),
      M("nSpaceCreate", "(J[B[B[B)V", space_create),
      M("nSpaces", "(J)[B", spaces),
      M("nSchemaText", "(J[B)[B", schema_text),
      M("nGet", "(J[B[B[BI)[B", get),
      M("nList", "(J[B[B[BII)[B", list),
      M("nListRows", "(JLorg/qianmo/Rows;[B[B[BII)I", list_rows),
      M("nConflicts", "(J[B[B)[B", conflicts),
      M("nDuplicates", "(J[B[B[BIII)[B", duplicates),
      M("nReview", "(J[BIII[B[B[B)[B", review),
      M("nProposals", "(J[BII)[B", proposals),
      M("nUnfit", "(J[BII)[B", unfit),
      M("nSettles", "(J[B)[B", settles),
      M("nUndo", "(J[B)V", undo),
      M("nInbox", "(J[BI)[B", inbox),
      M("nInboxSeen", "(J[B)V", inbox_seen),
      M("nInboxRestore", "(J[B)V", inbox_restore),
      M("nHistory", "(J[B[B[B)[B", history),
      M("nStatus", "(JI)[B", status),
      M("nRecordStatus", "(J[B[B[B)[B", record_status),
      M("nExportHub", "(J)[B", export_hub),
      M("nCheck", "(J)[B", check),
      M("nKeep", "(JII)V", keep),
      M("nRefer", "(J[B[B[B[B)[B", refer),
      M("nAnswers", "(J[B[B[B)[B", answers),
      M("nChanges", "(J[BI)[B", changes),
      M("nChangesRows", "(JLorg/qianmo/Rows;[BI)I", changes_rows),
      M("nChangesWait", "(J[BI)V", changes_wait),
      M("nEvents", "(JI)[B", events),
      M("nEventsFd", "(J)I", events_fd),
      M("nSql", "(J[B[BJJ)[B", sql),
      M("nSqlRows", "(JLorg/qianmo/Rows;[B[BJJ)I", sql_rows),
      M("nSearch", "(J[B[B[BII)[B", search),
      M("nDue", "(J[BIII)[B", due),
      M("nRebuild", "(J)V", rebuild),
      M("nAttachments", "(J[B[B[B)[B", attachments),
      M("nExportRefused", "(J)[B", export_refused),
  };
  return qm__jni_register(env, "org/qianmo/Database", methods, COUNT(methods));
}

int qm__jni_register_db(JNIEnv *env) {
  const JNINativeMethod methods[] = {
      M("nVersion", "()[B", version),
      M("nColumns", "([B)I", columns),
      M("nSchemaValidate", "([B)[B", schema_validate),
      M("nSchemaPack", "([B[B)[B", schema_pack),
      M("nSchemaCompare", "([B[B)[B", schema_compare),
      M("nPointShown", "([DII)V", point_shown),
      M("nErrorText", "(IZ)[B", error_text),
      M("nErrorName", "(I)[B", error_name),
      M("nErrorClass", "(I)I", error_class),
      M("nExplain", "(I[B)[[B", explain),
  };
  return register_database(env) ||
         qm__jni_register(env, "org/qianmo/Qianmo", methods, COUNT(methods));
}
