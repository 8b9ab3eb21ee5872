/* fuzz: what the fuzz targets share. A target is one function over any bytes; it is built
 * twice: under libFuzzer (fuzz_main.c, `make fuzz`) and into one program that plays the kept
 * corpora as tests (fuzz_replay.c, `make check`).
 *
 * A target may not crash, hang, leak, hold more than FUZZ_LIVE_MAX bytes, or break what the
 * headers promise: it states these promises with FUZZ_CHECK. Everything is repeatable: time
 * stands still and randomness starts anew with each input. */
#ifndef QM_FUZZ_H
#define QM_FUZZ_H

#include "core/mem.h"

/* X(name): function fuzz_<name> in fuzz_*.c, corpus fixtures/fuzz/<name>.seeds. */
/* clang-format off */
#define FUZZ_TARGETS(X) \
  X(frame) X(msg) X(batch) X(change) X(record) X(columns) X(snapshot) X(schema) \
  X(schema_json) X(value) X(json_value) X(enrol) X(code) X(cert) X(trace) X(config) X(token) \
  X(ingest) X(session) X(client) X(media) X(aside) X(repair) X(alike) X(validator) X(schema_pack) \
  X(small)
/* clang-format on */

#define FUZZ_DECLARE(name) void fuzz_##name(qm_slice in);
FUZZ_TARGETS(FUZZ_DECLARE)
#undef FUZZ_DECLARE

/* Inputs beyond this are not looked at. */
#define FUZZ_INPUT_MAX 65536u
/* Of memory asked from env, at any moment. */
#define FUZZ_LIVE_MAX ((size_t)64 << 20)

/* Plays one input: env anew before, nothing left of it after. */
void fuzz_one(void (*target)(qm_slice in), qm_slice in);
/* Counts what is live. The clock shows fuzz_now. */
const qm_env *fuzz_env(void);
extern uint64_t fuzz_now;

/* A broken promise ends the process, as a crash does. */
#define FUZZ_CHECK(condition) \
  ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition, NULL))
#define FUZZ_OK(call)                                                           \
  do {                                                                          \
    int fuzz_rc_ = (call);                                                      \
    if (fuzz_rc_) fuzz_fail(__FILE__, __LINE__, #call, qm_err_name(fuzz_rc_));  \
  } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *what, const char *detail);
void fuzz_same(qm_slice a, qm_slice b, const char *file, int line);
#define FUZZ_SAME(a, b) fuzz_same(a, b, __FILE__, __LINE__)

/* Reads an input as a row of decisions; zeroes after its end. */
unsigned fuzz_byte(qm_slice *in);
/* 0 … n-1. */
uint32_t fuzz_below(qm_slice *in, uint32_t n);
/* Mostly small, sometimes near a power of two. */
uint64_t fuzz_number(qm_slice *in);
/* The next n bytes, fewer where there are fewer. */
qm_slice fuzz_take(qm_slice *in, size_t n);
/* A piece with its length before it (u16), or all that is left. */
qm_slice fuzz_piece(qm_slice *in);

#endif
