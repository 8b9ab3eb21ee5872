/* i18n_messages_view.h: texts of the verbs that show tables, searches and photos; a part of
 * i18n_messages.h. */
#ifndef QM_I18N_MESSAGES_VIEW_H
#define QM_I18N_MESSAGES_VIEW_H

#define QM_MESSAGES_VIEW(X)                                                                     \
  X(OPT_WHERE, "conditions, such as 'stage=reported and head~Sample'",                          \
    "条件，例如“办理阶段=已上报 and 户主~样例”")                                                                \
  X(OPT_SORT, "order by these fields; -FIELD the other way", "按这些字段排序；-字段 为倒序")             \
  X(OPT_COLUMNS, "the same as --fields", "同 --fields")                                           \
  X(OPT_PAGE, "which page, from 1; --limit says how long it is (20)",                           \
    "第几页，从 1 起；每页条数用 --limit（20）")                                                            \
  X(OPT_COLLECTION, "only in this collection", "只在这个集合中")                                      \
  X(OPT_CSV, "print comma-separated values", "输出逗号分隔的值（CSV）")                                 \
  X(OPT_SECONDS, "give up after so many seconds (10)", "超过这么多秒就放弃（10）")                        \
  X(BAD_PAGE, "--page takes a whole number from 1", "--page 须是不小于 1 的整数")                      \
  X(BAD_SECONDS, "--seconds takes a whole number from 1 to 3600",                               \
    "--seconds 须是 1 到 3600 的整数")                                                               \
  X(BAD_WHERE, "condition \"%s\" is not FIELD=VALUE (or != < <= > >= ~)",                       \
    "条件“%s”不是“字段=值”（或 != < <= > >= ~）")                                                       \
  X(BAD_WHERE_VALUE, "condition on %s: %s is not a number", "%s 的条件：%s 不是数字")                 \
  X(BAD_WHERE_ROWS, "condition on %s: of a set, list or log only = != ~",                       \
    "%s 的条件：集合、列表和日志只能用 = != ~")                                                          \
  X(BAD_SORT, "cannot sort by %s: it has several values", "不能按 %s 排序：它有多个值")                  \
  X(DELETED_WHERE, "--deleted does not go with --where, --sort or --page",                      \
    "--deleted 不能与 --where、--sort、--page 同用")                                               \
  X(LIST_PAGE, "page %s of %s, %s in all%s\n", "第 %s 页，共 %s 页，总计 %s 条%s\n")                     \
  X(LIST_NONE_WHERE, "no records in %s fit the condition\n", "%s 中没有符合条件的记录\n")               \
  X(SQL_ROWS, "%s rows%s\n", "%s 行%s\n")                                                         \
  X(SQL_ROW, "1 row%s\n", "1 行%s\n")                                                             \
  X(SQL_WIDE, "%d columns are too many for a table; use --json or --csv",                       \
    "%d 列太多，无法显示为表格；请用 --json 或 --csv")                                                   \
  X(SEARCH_NONE, "nothing found\n", "没有找到\n")                                                  \
  X(SEARCH_MORE, "There may be more: --page %d\n", "可能还有：--page %d\n")                         \
  X(BAD_KEEP, "\"%s\" is not days=N (at most 36500) or mb=N (at most 1000000)",               \
    "“%s”不是 days=天数（不超过 36500）或 mb=MB 数（不超过 1000000）")                                           \
  X(KEEP_DAYS, "%s days", "%s 天")                                                               \
  X(KEEP_EVER, "for ever", "永久")                                                                \
  X(KEEP_SIZE, ", at most %s", "，不超过 %s")                                                       \
  X(KEEP_BYTES, "; it takes %s\n", "；现占 %s\n")                                                 \
  X(ST_HISTORY, "history", "修改记录")                                                              \
  X(ST_HISTORY_CUT, "limit of %s reached on %s: older parts are at the hub only",                \
    "上限 %s 已于 %s 达到：更早的部分只在中心")                                                              \
  X(ST_HISTORY_OVER, "%s beyond its limit, kept until the hub has them in a backup",             \
    "超出上限 %s，待中心备份后删去")                                                                      \
  X(REBUILD_DONE, "tables and index made anew\n", "已重建表和索引\n")                                 \
  X(WORD_COLLECTION, "collection", "集合")                                                        \
  X(WORD_TITLE, "title", "名称")                                                                  \
  X(WORD_FOUND, "found in", "出处")                                                               \
  X(WORD_KIND, "kind", "类型")                                                                    \
  X(WORD_SIZE, "size", "大小")                                                                    \
  X(WORD_TAKEN, "taken", "拍摄时间")                                                               \
  X(WORD_WHERE, "where", "位置")                                                                  \
  X(AT_HERE, "on this phone only", "仅在本机")                                                     \
  X(AT_ANNOUNCED, "announced, not present", "已登记，文件不在本机")                                     \
  X(ATTACHED, "attached %s, %s, %s\n", "已附上 %s，%s，%s\n")                                       \
  X(ATTACHMENTS_NONE, "no attachments\n", "没有附件\n")

#endif
