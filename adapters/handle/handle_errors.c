/* handle_errors.c: what a code says to a person, in English and Chinese. */
#include "adapters/handle/errors_zh.h"
#include "core/qianmo.h"

/* Every code of core/err.h has a Chinese text, and none has two: a name that one list lacks
 * does not compile. */
#define QM_ERR_HAS(name, number, cls, text) QM_ERR_HAS_##name,
enum { QM_ERRORS(QM_ERR_HAS) QM_ERR_HAS_COUNT };
#undef QM_ERR_HAS
#define QM_ERR_ZH(name, text) [QM_ERR_HAS_##name] = text,
static const char *const errors_zh[] = {QM_ERRORS_ZH(QM_ERR_ZH)};
#undef QM_ERR_ZH
#define QM_ERR_COUNT_ZH(name, text) +1
_Static_assert(QM_ERR_HAS_COUNT == 0 QM_ERRORS_ZH(QM_ERR_COUNT_ZH), "a code without Chinese");
#undef QM_ERR_COUNT_ZH

static int is_chinese(const char *language) {
  return language && (language[0] | 32) == 'z' && (language[1] | 32) == 'h';
}

const char *qm_error_text(int32_t code, const char *language) {
#define QM_ERR_CASE(name, number, cls, text) \
  case number: return errors_zh[QM_ERR_HAS_##name];
  if (!is_chinese(language)) return qm_err_text(code);
  switch (code) {
    QM_ERRORS(QM_ERR_CASE)
    case QM_OK: return "成功";
    default: return "未知错误";
  }
#undef QM_ERR_CASE
}
