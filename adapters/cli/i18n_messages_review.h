/* i18n_messages_review.h: texts of the review list, settles and the inbox; a part of
 * i18n_messages.h. */
#ifndef QM_I18N_MESSAGES_REVIEW_H
#define QM_I18N_MESSAGES_REVIEW_H

#define QM_MESSAGES_REVIEW(X)                                                                   \
  X(OPT_RECORD, "only of this record of the collection", "只看该集合的这条记录")                        \
  X(OPT_CLASS, "only conflicts of this class (see --json)", "只看这一类冲突（见 --json）")              \
  X(OPT_SEVERITY, "low, normal or high: this and graver", "low、normal、high：此程度及以上")           \
  X(OPT_TAKE, "settle for the listed value with this number", "按列表中的这个序号裁定")                  \
  X(OPT_VALUE, "settle for another value", "裁定为另外的值")                                          \
  X(OPT_ALL, "what was read too", "包括已读的")                                                     \
  X(BAD_SEVERITY, "--severity takes low, normal or high", "--severity 须是 low、normal 或 high")     \
  X(RECORD_NEEDS, "--record needs the collection: %s conflicts COLLECTION --record RECORD",     \
    "--record 须连同集合：%s conflicts 集合 --record 记录")                                            \
  X(SEVERITY_LOW, "low", "次要")                                                                  \
  X(SEVERITY_NORMAL, "normal", "一般")                                                            \
  X(SEVERITY_HIGH, "high", "重要")                                                                \
  X(WORD_ITEM, "item", "条目")                                                                    \
  X(WORD_SEVERITY, "severity", "程度")                                                            \
  X(WORD_CONFLICT, "conflict", "冲突")                                                            \
  X(WORD_HUB, "the hub", "中心")                                                                  \
  X(CONFLICTS_NONE, "no conflicts\n", "没有冲突\n")                                                 \
  X(CONFLICTS_ONE, "\n1 conflict (%s)\n", "\n1 处冲突（%s）\n")                                      \
  X(CONFLICTS_COUNT, "\n%s conflicts (%s)\n", "\n%s 处冲突（%s）\n")                                 \
  X(CONFLICTS_MORE, "There are more: --page %d\n", "还有更多：--page %d\n")                          \
  X(CONFLICTS_HINT, "To decide: %s settle %s --take %s    or    --value VALUE\n",               \
    "裁定：%s settle %s --take %s    或    --value 值\n")                                            \
  X(CONFLICTS_HINT_TAKE, "To decide: %s settle %s --take %s\n", "裁定：%s settle %s --take %s\n")    \
  X(CONFLICTS_HINT_KEY,                                                                         \
    "Look at both, then change the key of one, or delete it; the same thing twice: `%s "        \
    "merge`;\none record of two things: `%s split`.\n",                                         \
    "请查看两条记录，再修改其中一条的键或将其删除；\n同一对象录入了两次：“%s merge”；一条记录混了两个对象：“%s split”。\n")             \
  X(MAKE_MERGED, "keep them merged", "保持合并")                                                    \
  X(MAKE_APART, "take it out", "将其分开")                                                          \
  X(SETTLE_UNKNOWN, "no item begins with %s; list them with `%s conflicts`",                    \
    "没有以 %s 开头的条目；请先用“%s conflicts”列出")                                                   \
  X(SETTLE_ONE_OF, "settle takes either --take N or --value VALUE",                             \
    "settle 须用 --take 序号 或 --value 值，二者取一")                                                  \
  X(SETTLE_BAD_TAKE, "item %s has no value number %s", "条目 %s 没有第 %s 个值")                       \
  X(SETTLE_GONE, "item %s: value %s is not there any more; list the conflicts again",           \
    "条目 %s：第 %s 个值已不在了，请重新列出冲突")                                                         \
  X(SETTLE_OVER, "item %s is settled already", "条目 %s 已经裁定")                                    \
  X(SETTLE_NO_VALUE, "item %s concerns the record as a whole: --take N",                        \
    "条目 %s 针对整条记录，请用 --take 序号")                                                            \
  X(SETTLE_BY_HAND, "item %s is decided at the records themselves: merge, split, delete or set "  \
                    "the key",                                                                  \
    "条目 %s 须在记录上处理：merge、split、delete 或修改键")                                                \
  X(SETTLED, "settled: %s\n", "已裁定：%s\n")                                                       \
  X(SETTLED_UNDO, "To take it back: %s undo %s\n", "撤回：%s undo %s\n")                            \
  X(SETTLED_LEFT, "What came since the list was read is still listed: %s conflicts\n",          \
    "列表读出之后新到的内容仍待裁定：%s conflicts\n")                                                      \
  X(UNDO_NONE, "nothing was settled on this device that could be taken back",                   \
    "本机没有可以撤回的裁定")                                                                           \
  X(UNDO_STALE, "somebody has written over it since; nothing was changed",                      \
    "此后已有人改写，未作改动")                                                                          \
  X(UNDONE, "taken back; the conflict is listed again: %s conflicts\n",                         \
    "已撤回，冲突重新列出：%s conflicts\n")                                                           \
  X(INBOX_NONE, "nothing new: none of your values was put out of sight\n",                      \
    "没有新消息：您写的内容都在\n")                                                                       \
  X(INBOX_HEAD, "%.5s  %s%s: ", "%.5s  %s%s：")                                                    \
  X(INBOX_YOURS, "    you wrote   %s  (%s)\n", "    您写的    %s  （%s）\n")                           \
  X(INBOX_YOURS_ONLY, "    you did     %s\n", "    您做的    %s\n")                                \
  X(INBOX_THEIRS, "    shown now   %s  (%s, %s)\n", "    现在显示  %s  （%s，%s）\n")                    \
  X(INBOX_THEIRS_ONLY, "    shown now   %s  (%s)\n", "    现在显示  %s  （%s）\n")                       \
  X(INBOX_NOW, "    since then  %s\n", "    之后又改  %s\n")                                          \
  X(INBOX_BACK, "    your value is shown again\n", "    您写的内容已重新显示\n")                          \
  X(INBOX_CONCURRENT, "written at the same time, and the other one is shown",                   \
    "同时写下，显示的是对方的")                                                                          \
  X(INBOX_UNREAD, "overwritten by somebody who had not seen it", "对方未看到您写的内容就覆盖了")           \
  X(INBOX_SETTLED, "somebody settled the conflict otherwise", "冲突被裁定为别的值")                     \
  X(INBOX_SETTLED_HUB, "settled by the hub after the review time", "超过裁定期限，由中心裁定")            \
  X(INBOX_DELETED, "the record deleted", "删除该记录")                                              \
  X(INBOX_EDITED, "the record kept", "保留该记录")                                                  \
  X(INBOX_HINT, "\n%s inbox restore %.5s   writes yours again\n%s inbox read            "         \
                "marks all as read\n",                                                          \
    "\n%s inbox restore %.5s   重新写入您的内容\n%s inbox read            全部标为已读\n")                  \
  X(INBOX_DONE, "marked as read\n", "已标为已读\n")                                                  \
  X(INBOX_RESTORED, "written again; to take that back: %s undo\n", "已重新写入；撤回：%s undo\n")        \
  X(INBOX_BAD, "inbox [read [ITEM] | restore ITEM], not \"%s\"",                                \
    "inbox [read [条目] | restore 条目]，没有“%s”")                                                 \
  X(REFERRED, "referred to %s: record %s there\n", "已上报到 %s：那里的记录 %s\n")                     \
  X(REFERRED_BEFORE, "referred to %s before: record %s there\n", "此前已上报到 %s：那里的记录 %s\n")   \
  X(ANSWERS, "%s answers came back\n", "收回 %s 条答复\n")                                          \
  X(NO_ENTRY, "the log has no such entry", "该日志没有这一条")                                      \
  X(REVERSED, "reversed; the balance counts both\n", "已冲正；余额计入两笔\n")                       \
  X(ST_INBOX, "inbox", "收件")                                                                    \
  X(ST_INBOX_UNREAD, "%s unread (`%s inbox`)", "%s 条未读（“%s inbox”）")                            \
  X(ST_CONFLICTS_BY, "%s (%s)", "%s（%s）")

#endif
