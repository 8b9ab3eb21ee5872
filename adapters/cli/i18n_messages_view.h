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
  X(OPT_DISMISS, "say that two records are not the same", "说明两条记录不是同一对象")                       \
  X(OPT_DISMISSED, "pairs said to be not the same, too", "也列出已判为不同的")                           \
  X(OPT_UNDO, "take back that two records are not the same", "收回“不是同一对象”的说明")                   \
  X(DUP_SCORE, "score", "分值")                                                                   \
  X(DUP_ONE, "one", "一条")                                                                       \
  X(DUP_OTHER, "other", "另一条")                                                                  \
  X(DUP_WHY, "why", "理由")                                                                       \
  X(DUP_AND, "; ", "；")                                                                         \
  X(DUP_PERCENT, " %s %%", " %s%%")                                                             \
  X(DUP_METRES, " %s m", " %s 米")                                                               \
  X(DUP_HOURS, " %s h", " %s 小时")                                                               \
  X(DUP_DISMISSED, " (said not to be)", "（已判为不同）")                                              \
  X(DUP_COMMON, "%s records of %s have %s: too many to say anything (%s)\n",                    \
    "%s 条 %s 都有 %s：太多，不作依据（%s）\n")                                                              \
  X(DUP_NONE, "no likely duplicates\n", "没有疑似重复的记录\n")                                          \
  X(DUP_INCOMPLETE, "there are too many to compare them all: the rules are too wide\n",         \
    "可比对的太多，未能全部比对：规则过宽\n")                                                                     \
  X(DUP_NO_RULES, "the schema has no rules for duplicates here\n", "数据结构在此没有查重规则\n")            \
  X(DUP_COUNT_ONE, "1 pair\n", "共 1 对\n")                                                       \
  X(DUP_COUNT, "%s pairs\n", "共 %s 对\n")                                                        \
  X(DUP_MORE, "There are more: --page %s\n", "还有：--page %s\n")                                  \
  X(DUP_HINT,                                                                                   \
    "The same: %s merge %s %.8s %.8s\n"                                                         \
    "Not the same: %s duplicates --dismiss %s %.8s %.8s\n",                                     \
    "是同一对象：%s merge %s %.8s %.8s\n"                                                             \
    "不是同一对象：%s duplicates --dismiss %s %.8s %.8s\n")                                            \
  X(DUP_SAID, "not the same: %s %s and %s\n", "已判为不同：%s %s 与 %s\n")                             \
  X(DUP_SAID_ALREADY, "said already: %s %s and %s are not the same\n",                          \
    "早已判为不同：%s %s 与 %s\n")                                                                      \
  X(DUP_UNDONE, "taken back: %s %s and %s may be the same\n",                                   \
    "已收回：%s %s 与 %s 可能相同\n")                                                                    \
  X(DUP_NOT_SAID, "nothing to take back: of %s %s and %s nobody said so\n",                     \
    "无可收回：没有人说过 %s %s 与 %s 不同\n")                                                               \
  X(DUP_BOTH, "--dismiss and --undo do not go together", "--dismiss 与 --undo 不能同用")             \
  X(DUP_LIST_ONLY, "--dismissed, --limit and --page belong to the list",                        \
    "--dismissed、--limit、--page 只用于列表")                                                         \
  X(DUP_NEW, "there may be one already: %s %s (%s)\n", "可能已有：%s %s（%s）\n")                      \
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
