/* cli_json: reads JSON that the library hands out (and schema files) into a tree, to show it
 * to people. Strict; depth and size are bounded; a bad text gives an error and no tree. */
#ifndef QM_CLI_JSON_H
#define QM_CLI_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "adapters/cli/cli_text.h"

#define QM_NODE_DEPTH_MAX 64u

typedef enum qm_node_type {
  QM_NODE_NULL,
  QM_NODE_FALSE,
  QM_NODE_TRUE,
  QM_NODE_NUMBER,
  QM_NODE_STRING,
  QM_NODE_ARRAY,
  QM_NODE_OBJECT
} qm_node_type;

typedef struct qm_node {
  qm_node_type type;
  qm_slice key;          /* of a member */
  qm_slice text;         /* of a string, unescaped and NUL-terminated; else as written */
  struct qm_node *child; /* first element or member */
  struct qm_node *next;
} qm_node;

/* Owns the nodes and their texts; copies what it reads. */
typedef struct qm_tree {
  void *chunks;
  qm_node *root; /* NULL while empty */
} qm_tree;

#define QM_TREE_INIT {NULL, NULL}

/* One whole value. 0; QM_EFORMAT, QM_EDEPTH, QM_ENOMEM: then the tree is empty. Frees what the
 * tree held before. */
int qm_tree_read(qm_tree *t, qm_slice json);
void qm_tree_free(qm_tree *t);

/* All of these take NULL. */
const qm_node *qm_node_get(const qm_node *object, const char *key);
qm_slice qm_node_text(const qm_node *n);       /* empty where it is no string */
const char *qm_node_string(const qm_node *n);  /* "" where it is no string */
int qm_node_int(const qm_node *n, int64_t *out); /* 0, or -1 where it is no integer */
int qm_node_true(const qm_node *n);
int qm_node_is(const qm_node *n, const char *text); /* a string that says this */

/* The next line of a result of many lines; 0 at the end. */
int qm_next_line(qm_slice *rest, qm_slice *line);
/* JSON on one line: blanks outside of strings left out. */
void qm_line_compact(qm_line *l, qm_slice json);

#endif
