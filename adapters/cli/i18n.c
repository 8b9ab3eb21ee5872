#include "adapters/cli/i18n.h"

#include <stdlib.h>
#include <string.h>

#include "core/qianmo.h"

int qm_lang_parse(const char *name, qm_lang *out) {
  size_t n = 0;
  while ((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z')) n++;
  if (n != 2 || (name[2] && !strchr("_-.@", name[2]))) return -1;
  if ((name[0] | 32) == 'z' && (name[1] | 32) == 'h') *out = QM_LANG_ZH;
  else if ((name[0] | 32) == 'e' && (name[1] | 32) == 'n') *out = QM_LANG_EN;
  else return -1;
  return 0;
}

qm_lang qm_lang_from_env(void) {
  static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
  qm_lang lang = QM_LANG_EN;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (!value || !*value) continue;
    if (qm_lang_parse(value, &lang) != 0) lang = QM_LANG_EN;
    break;
  }
  return lang;
}

const char *qm_say(qm_lang lang, qm_say_id id) {
#define QM_SAY_PAIR(name, en, zh) {en, zh},
  static const char *const table[][2] = {QM_MESSAGES(QM_SAY_PAIR)};
#undef QM_SAY_PAIR
  return table[id][lang];
}

int qm_error_number(const char *name) {
#define QM_ERR_PAIR(id, number, cls, text) {#id, number},
  static const struct {
    const char *name;
    int number;
  } table[] = {QM_ERRORS(QM_ERR_PAIR)};
#undef QM_ERR_PAIR
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(table[i].name, name) == 0) return table[i].number;
  return 0;
}

const char *qm_say_error(qm_lang lang, int code) {
  return qm_error_text(code, lang == QM_LANG_ZH ? "zh" : "en");
}
