/* device: a device's side of one session with its hub, whatever carries the bytes: what it says
 * to what the session asks, and what is remembered of it. sync/uv/client.c drives it over a
 * socket; a program that has its own way to the hub drives it with the bytes it gets.
 *
 * The caller pumps qm_device.session (sync/session.h); for each event qm_device_note, then, with
 * the engine at hand, qm_device_answer. Threads: one at a time; the engine's in answer. */
#ifndef QM_SYNC_DEVICE_H
#define QM_SYNC_DEVICE_H

#include "sync/answer.h"
#include "sync/tls.h"

/* Totals of a running session. */
typedef struct qm_client_progress {
  uint64_t bytes_up, bytes_down; /* of the session, before TLS */
  uint64_t taken_up, taken_down; /* segments */
} qm_client_progress;

/* What was refused: by the hub (by_hub), or by this device of what the hub sent. */
typedef struct qm_client_refused {
  qm_id space;
  qm_refusal refusal;
  uint8_t by_hub;
} qm_client_refused;

/* A space in which this session took or gave nothing more. */
typedef struct qm_client_stopped {
  qm_id space;
  int32_t code;
  uint8_t by_hub;
} qm_client_stopped;

typedef struct qm_client_result {
  const qm_env *env;
  uint64_t bytes_up, bytes_down; /* of the session, before TLS */
  uint64_t taken_up, taken_down; /* segments taken by the hub; by this device */
  uint64_t known_down, parked_down;
  uint32_t spaces; /* that were exchanged to their end */
  uint8_t complete; /* both sides had given all they had */
  uint8_t has_offset;
  uint8_t is_resumed; /* no signature was made or checked for the connection */
  int64_t offset_ms; /* hub's clock less this one's */
  uint64_t rtt_ms;
  qm_id hub;
  uint8_t hub_spki[QM_SPKI_SIZE]; /* its public key, as TLS has shown it; zeroes: no session */
  qm_client_refused *refused;
  uint32_t n_refused;
  qm_client_stopped *stopped;
  uint32_t n_stopped;
  qm_id *differ; /* equal version vectors, other content */
  uint32_t n_differ;
  uint32_t repaired; /* records replaced, on either side */
  qm_id *gone; /* spaces that the hub no longer gives to this device */
  uint32_t n_gone;
  qm_buf cert; /* a renewed certificate (DER), or empty */
} qm_client_result;

void qm_client_result_free(qm_client_result *r);

/* Of a space under way: what it had told. */
typedef struct qm_device_space {
  qm_id space;
  uint64_t up, down;
} qm_device_space;

typedef struct qm_device {
  const qm_env *env;
  qm_engine *engine;
  const qm_key *key;
  qm_slice home; /* public key of the home hub, or empty */
  qm_client_result *result;
  qm_session *session; /* NULL until qm_device_open */
  qm_answer answer;
  qm_answer_policy policy;
  qm_cert hub; /* as TLS has shown it */
  qm_device_space *spaces;
  uint32_t n_spaces;
  uint64_t up, down; /* segments taken so far, of all spaces */
  int over;    /* the session has ended: code, error */
  int code;
  qm_error error;
} qm_device;

/* Zeroes *result. Everything is borrowed until qm_device_free. flags: of the answers
 * (QM_ANSWER_…). */
void qm_device_init(qm_device *d, const qm_env *env, qm_engine *engine, const qm_key *key,
                    qm_slice home, uint32_t flags, qm_client_result *result);
/* TLS is open, and shows this hub. flags: of the session, beside QM_SESSION_HUB; device: the
 * engine's id. QM_EINVAL, QM_ENOMEM. */
int qm_device_open(qm_device *d, const qm_cert *hub, const qm_id *device, uint32_t flags,
                   uint64_t now_ms);
void qm_device_note(qm_device *d, const qm_event *ev);
/* Executes what the event asks for; uses the engine. The error of a notice that could not be
 * noted is logged. */
void qm_device_answer(qm_device *d, const qm_event *ev);
/* Reads what the session counted; before qm_device_free. */
void qm_device_count(qm_device *d);
/* The totals so far, also of spaces that are under way. */
void qm_device_progress(const qm_device *d, qm_client_progress *out);
void qm_device_free(qm_device *d);

/* What a device signs to have its certificate renewed (S8.10): SHA-256("qianmo/1 renew
 * proof" ‖ 0x00 ‖ SPKI). */
void qm_renew_proof_digest(qm_slice spki, uint8_t out[QM_DIGEST_SIZE]);

#endif
