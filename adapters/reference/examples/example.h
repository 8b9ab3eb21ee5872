/* What the examples share: a schema of households, and giving up. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qianmo.h>

#define TEXT "\"type\":\"register\",\"value\":\"text\",\"class\":\"work\"}"
static const char example_schema[] =
    "{\"schema\":\"example\",\"version\":1,\"collections\":[{\"name\":\"household\",\"number\":1,"
    "\"purpose\":\"trying out\",\"retention\":\"P1D\",\"key\":\"no\",\"fields\":["
    "{\"name\":\"no\",\"number\":16," TEXT ",{\"name\":\"head\",\"number\":17,\"naming\":true," TEXT
    ",{\"name\":\"phone\",\"number\":18," TEXT
    ",{\"name\":\"visits\",\"number\":19,\"type\":\"counter\",\"class\":\"work\"}"
    ",{\"name\":\"photo\",\"number\":20,\"type\":\"register\",\"value\":\"map\",\"class\":\"work\"}"
    "]}]}";

static qm_error e;

/* An app shows qm_error_text, in its user's language, and keeps e.message for a report. */
static inline void must(int32_t rc) {
  if (rc == QM_OK) return;
  fprintf(stderr, "%s (%s)\n", qm_error_text(rc, "zh"), e.message);
  exit(1);
}

/* A new database with a space of its own, without a hub. */
static inline qm_db *example_open(const char *path) {
  qm_options options = QM_OPTIONS_INIT;
  qm_db *db = NULL;
  options.path = path;
  options.flags = QM_OPEN_CREATE;
  must(qm_open(&options, &db, &e));
  must(qm_space_create(db, qm_str("demo"), qm_str(example_schema), qm_str(""), &e));
  return db;
}

static inline void print(qm_text *t) {
  printf("%s\n", t->n ? t->p : "(nothing)");
  qm_text_free(t);
}

#endif
