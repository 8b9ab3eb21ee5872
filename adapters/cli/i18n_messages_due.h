/* i18n_messages_due.h: texts of what is due, and of refused values; a part of i18n_messages.h. */
#ifndef QM_I18N_MESSAGES_DUE_H
#define QM_I18N_MESSAGES_DUE_H

#define QM_MESSAGES_DUE(X)                                                                      \
  X(OPT_VALUES, "list values that a check speaks against", "列出校验不通过的值")                  \
  X(PROPOSALS_NONE, "nothing waits to be confirmed\n", "没有待确认的事项\n")                        \
  X(PROPOSALS_COUNT, "%s to be confirmed\n", "共 %s 项待确认\n")                                    \
  X(UNFIT_NONE, "no value that a check speaks against\n", "没有校验不通过的值\n")                  \
  X(UNFIT_COUNT, "%s values that a check speaks against\n", "共 %s 个值校验不通过\n")              \
  X(WORD_CHECK, "check %s", "校验 %s")                                                             \
  X(OPT_OVERDUE, "only what is overdue", "只看已超期的")                                              \
  X(REFUSED_VALUE, "field %s: %s", "字段“%s”：%s")                                                 \
  X(REFUSED_VALUE_USE, "field %s: %s (%s)", "字段“%s”：%s（%s）")                                    \
  X(WORD_LIMIT, "limit", "时限")                                                                  \
  X(WORD_DUE, "due", "到期")                                                                      \
  X(WORD_STATE, "state", "状态")                                                                  \
  X(WORD_LEFT, "left", "剩余")                                                                    \
  X(DUE_PAUSED, "paused", "已暂停")                                                                \
  X(DUE_OVER, "overdue by %s", "超期 %s")                                                         \
  X(DUE_IN, "in %s", "还有 %s")                                                                   \
  X(DUE_HOURS, "%s hours", "%s 小时")                                                             \
  X(DUE_WORKING_HOURS, "%s working hours", "%s 工作小时")                                           \
  X(DUE_DAYS, "%s days", "%s 天")                                                                \
  X(DUE_WORKING_DAYS, "%s working days", "%s 个工作日")                                             \
  X(DUE_HOUR, "1 hour", "1 小时")                                                                 \
  X(DUE_WORKING_HOUR, "1 working hour", "1 工作小时")                                               \
  X(DUE_DAY, "1 day", "1 天")                                                                    \
  X(DUE_WORKING_DAY, "1 working day", "1 个工作日")                                                 \
  X(DUE_NONE, "nothing is due\n", "没有在办的限时事项\n")                                              \
  X(DUE_NONE_OVER, "nothing is overdue\n", "没有超期事项\n")                                          \
  X(DUE_COUNT, "\n%s open, %s overdue, %s paused\n", "\n在办 %s 件，超期 %s 件，暂停 %s 件\n")             \
  X(DUE_ENDS, "the calendar ends %s: Saturdays and Sundays only beyond it\n",                   \
    "工作日历只到 %s 年：此后只按周六、周日休息计算\n")                                                          \
  X(DUE_ENDS_NONE, "the calendar lists no holidays: Saturdays and Sundays only\n",              \
    "工作日历没有列出节假日：只按周六、周日休息计算\n")                                                              \
  X(DUE_BEGINS, "the calendar begins %s: Saturdays and Sundays only before it\n",               \
    "工作日历从 %s 年开始：此前只按周六、周日休息计算\n")

#endif
