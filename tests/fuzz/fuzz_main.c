/* libFuzzer's entry to the one target that FUZZ_TARGET names. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_one(FUZZ_TARGET, qm_slice_of(data, size));
  return 0;
}
