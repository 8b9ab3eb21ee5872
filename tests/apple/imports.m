/* What Swift and Objective-C see: the module alone, and what is called through it. Compiled, never
 * run. */
@import QianmoC;

int uses_the_module(void);
int uses_the_module(void) {
  qm_options options = QM_OPTIONS_INIT;
  qm_sync_result result = QM_SYNC_RESULT_INIT;
  qm_review_options review = QM_REVIEW_OPTIONS_INIT;
  qm_explanation explanation = QM_EXPLANATION_INIT;
  qm_run_options run = QM_RUN_OPTIONS_INIT;
  qm_error e = {QM_OK, ""};
  qm_db *db = NULL;
  qm_tx *tx = NULL;
  qm_text text = {NULL, 0};
  qm_slice name = qm_slice_of("grid", 4);
  qm_options_init(&options);
  if (qm_open(&options, &db, &e) != QM_OK) return (int)qm_err_class(e.code);
  if (qm_begin(db, name, &tx, &e) == QM_OK) qm_cancel(tx);
  (void)qm_review(db, name, &review, &text, &e);
  (void)qm_explain(&e, &explanation);
  (void)qm_sync_run(db, &run, &result, &e);
  qm_text_free(&text);
  qm_close(db);
  return QM_CLASS_OK;
}
