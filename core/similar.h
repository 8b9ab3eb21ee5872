/* similar: forms in which what several people typed for one phone, address or name comes out
 * equal, and how much alike two names are. Pure: no state, no clock, no schema.
 *
 * Folding is that of the search index (norm.h: NFKC, case, accents, width). Simplified and
 * traditional characters, and characters of one sound, are different here: there is no table
 * of them. */
#ifndef QM_SIMILAR_H
#define QM_SIMILAR_H

#include "buf.h"

/* A text that folds to more code points than this has no form: it is not compared. */
#define QM_SIMILAR_MAX 256u
#define QM_PHONE_MAX 20u  /* digits of a number, and a NUL */
#define QM_PHONES_MAX 4u  /* of one text; further ones are left out */

/* The letters, digits and ideographs of a text, folded. Empty where there are none. Errors
 * stick in out. */
void qm_similar_text(qm_buf *out, qm_slice text);

/* The numbers in a text, as digits: without spaces and signs, +86, 0086 and 86 before a
 * mobile; a fixed line keeps its area code (with its 0); what stands behind an extension sign
 * is left out. Texts hold several numbers ("139… / 138…", "139…（儿子）138…"). A number of
 * fewer than five digits, or of one digit over and over, is none. Gives how many. */
uint32_t qm_similar_phones(qm_slice text, char out[QM_PHONES_MAX][QM_PHONE_MAX]);

/* An address: as qm_similar_text; Han numerals before a counter (号, 栋, 单元, 室, 组, 路…) are
 * digits, 第 before a number goes, and the counters of house, building, stair, floor and room
 * between numbers are all "-", as any sign between numbers is: 东风路十二号3栋二单元501室 and
 * 东风路12号3-2-501 come out as 东风路12-3-2-501. */
void qm_similar_address(qm_buf *out, qm_slice text);

/* How much alike two texts in the form of qm_similar_text are, in percent; 100 only where they
 * are equal, 0 where one is empty.
 *
 * Han names (two to four ideographs both): 1 - d / length of the longer, d the optimal string
 * alignment distance (substitution, insertion, deletion, swap of neighbours; Damerau 1964, in
 * the restricted form of Boytsov, "Indexing methods for approximate dictionary searching",
 * ACM JEA 16, 2011). One of three characters wrong is 66, one of two 50. Not Jaro-Winkler: its
 * bonus for a common beginning rewards the surname, which half a village shares, so brothers
 * with a generation name (王建国, 王建军: 0.82) come out above a slip of the pen (王小明, 王晓明:
 * 0.80), and two of one surname (张伟, 张强: 0.70) above 0.67.
 *
 * All else: Dice's coefficient over pairs of neighbouring code points (Dice 1945; Adamson and
 * Boreham, "The use of an association measure based on character structure", 1974), which
 * does not mind parts that stand in another order (Li Xiaoming, Xiaoming Li). */
unsigned qm_similar(qm_slice a, qm_slice b);

#endif
