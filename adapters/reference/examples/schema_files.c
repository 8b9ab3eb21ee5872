/* Looking at schema files without a database. */
#include "example.h"

int main(void) {
  qm_text out;
  must(qm_schema_validate(qm_str(example_schema), &out, &e));
  print(&out);
  must(qm_schema_compare(qm_str(example_schema), qm_str(example_schema), &out, &e));
  print(&out);
  if (qm_schema_validate(qm_str("{}"), NULL, &e) != QM_ESCHEMA) return 1;
  printf("%s: %s\n", qm_err_name(e.code), e.message);
  qm_db *db = example_open("schema.db");
  must(qm_spaces(db, &out, &e));
  print(&out);
  qm_close(db);
  return 0;
}
