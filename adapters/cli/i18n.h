/* i18n: every text that the programs show, in English and Chinese. One table
 * (i18n_messages.h) with an id a text; error codes are the same in both languages.
 * Conversions (%s, %d …) stand in the same order in both; tests/e2e/cli.sh compares. */
#ifndef QM_I18N_H
#define QM_I18N_H

#include "adapters/cli/i18n_messages.h"

typedef enum qm_lang { QM_LANG_EN = 0, QM_LANG_ZH = 1 } qm_lang;

#define QM_SAY_ENUM(name, en, zh) QM_SAY_##name,
typedef enum qm_say_id { QM_MESSAGES(QM_SAY_ENUM) QM_SAY_COUNT } qm_say_id;
#undef QM_SAY_ENUM

/* What `qianmo help VERB` says. Static texts. */
typedef struct qm_help {
  const char *verb;
  const char *args[2];    /* after the verb in the usage line */
  const char *summary[2]; /* one line */
  const char *body[2];    /* paragraphs and examples, ending in a newline; may be "" */
} qm_help;

/* 0 where `name` is a language we speak ("zh", "zh_CN.UTF-8", "en"…), else -1. */
int qm_lang_parse(const char *name, qm_lang *out);
/* Chinese where the first of LC_ALL, LC_MESSAGES and LANG that is set begins with zh. */
qm_lang qm_lang_from_env(void);
/* Static text. */
const char *qm_say(qm_lang lang, qm_say_id id);
/* The code of a name as in "last_code" ("ENET"); 0 for an unknown one. */
int qm_error_number(const char *name);
/* Static text of an error code. */
const char *qm_say_error(qm_lang lang, int code);
/* NULL: no such verb. */
const qm_help *qm_help_find(const char *verb);

#endif
