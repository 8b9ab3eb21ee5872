#include "adapters/cli/i18n_qianmod.h"

const char *qm_hub_say(qm_lang lang, qm_hub_text id) {
#define QM_HUB_TEXT_PAIR(name, en, zh) {en, zh},
  static const char *const table[QM_HUB_TEXT_COUNT][2] = {QM_HUB_TEXTS(QM_HUB_TEXT_PAIR)};
#undef QM_HUB_TEXT_PAIR
  return table[id][lang == QM_LANG_ZH];
}
