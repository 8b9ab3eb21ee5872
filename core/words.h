/* words: what the back of a batch is compressed with beside itself: a text of the words of
 * grid work (SPEC S5.25; fixtures/dictionary). Fixed for ever: another text gets another
 * number. */
#ifndef QM_WORDS_H
#define QM_WORDS_H

#include "core/slice.h"

#define QM__WORDS 1u /* the one that is written */

/* The text of that number, which lasts as long as the program; empty where it is unknown. */
qm_slice qm__words(unsigned number);

#endif
