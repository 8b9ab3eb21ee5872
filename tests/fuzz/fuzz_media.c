/* What a file is and when a photo was taken, from any bytes (adapters/handle/media.h). */
#include <string.h>

#include "adapters/handle/media.h"
#include "tests/fuzz/fuzz.h"

void fuzz_media(qm_slice in) {
  char taken[20];
  FUZZ_CHECK(strchr(qm__media_type(in), '/') != NULL);
  memset(taken, 'x', sizeof taken);
  int found = qm__media_taken(in, taken);
  FUZZ_CHECK(found ? strlen(taken) == 19 && taken[10] == 'T' : taken[0] == 'x');
}
