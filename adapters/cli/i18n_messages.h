/* i18n_messages: X(id, English, Chinese). Both texts of an id have the same conversions in
 * the same order. Errors hold no values that a person recorded. */
#ifndef QM_I18N_MESSAGES_H
#define QM_I18N_MESSAGES_H

#include "adapters/cli/i18n_messages_due.h"
#include "adapters/cli/i18n_messages_review.h"
#include "adapters/cli/i18n_messages_view.h"

#define QM_MESSAGES(X)                                                                          \
  QM_MESSAGES_HELP(X) QM_MESSAGES_ERRORS(X) QM_MESSAGES_RESULTS(X) QM_MESSAGES_WORDS(X)         \
  QM_MESSAGES_STATUS(X) QM_MESSAGES_SCHEMA(X) QM_MESSAGES_CHANGES(X)   \
  QM_MESSAGES_VIEW(X)                                                                          \
  QM_MESSAGES_REVIEW(X) QM_MESSAGES_DUE(X)

#define QM_MESSAGES_CHANGES(X)                                                                  \
  X(BAD_CURSOR, "--since takes a cursor that `changes` showed", "--since 须是 changes 显示过的游标")      \
  X(STAY_CONNECTED, "connected; changes come and go as they are made\n",                          \
    "已连接；改动随时收发\n")                                                                               \
  X(STAY_LOST, "connection lost (%s); trying again\n", "连接中断（%s），正在重试\n")                     \
  X(CHANGES_ALL, "anything may have changed\n", "任何内容都可能有变\n")                                 \
  X(CHANGES_PRESENCE, "created or deleted", "新建或删除")                                           \
  X(CHANGES_SET_ASIDE, "set aside or decided on", "被搁置或已裁定")                                 \
  X(CHANGES_HERE, "here", "本机")                                                                 \
  X(CHANGES_ELSEWHERE, "elsewhere", "别处")                                                       \
  X(CHANGES_BOTH, "here and elsewhere", "本机和别处")                                               \
  X(CHANGES_NEXT, "later: `%s changes --since %s`\n", "以后：%s changes --since %s\n")

#define QM_MESSAGES_SCHEMA(X)                                                                   \
  X(SCHEMA_GOOD, "schema %s, version %s, is in order: %s collections, %s fields\n",             \
    "数据结构 %s 第 %s 版没有问题：%s 个集合，%s 个字段\n")                                                       \
  X(SCHEMA_SENSITIVE, "it has fields of class sensitive: for invented data only\n",             \
    "含有敏感类字段：只能用于虚构数据\n")                                                                       \
  X(SCHEMA_EQUAL, "no differences\n", "没有差别\n")                                                \
  X(SCHEMA_MAY, "the newer version may take the place of the older one\n",                      \
    "新版本可以替换旧版本\n")                                                                             \
  X(SCHEMA_MAY_NOT,                                                                             \
    "the newer version may not take the place of the older one: %d of its changes are refused", \
    "新版本不能替换旧版本：有 %d 处改动不允许")                                                                  \
  X(SCHEMA_BAD, "%s is not in order: %s", "%s 有错：%s")                                             \
  X(SCHEMA_WORD_WHERE, "place", "位置")                                                             \
  X(SCHEMA_WORD_WHAT, "difference", "差别")                                                         \
  X(SCHEMA_WORD_VALUES, "values", "值")                                                            \
  X(SCHEMA_WORD_REFUSED, "refused", "不允许")                                                      \
  X(SCHEMA_WORD_SCHEMA, "schema", "数据结构")                                                       \
  X(DELTA_SCHEMA_NAME, "has another name", "名称不同")                                              \
  X(DELTA_VERSION, "the version is not higher", "版本号没有升高")                                      \
  X(DELTA_SETTINGS, "drift, lease or review time changed", "时钟偏差、租期或复核期限有变")                    \
  X(DELTA_COLLECTION_ADDED, "new collection", "新增集合")                                           \
  X(DELTA_COLLECTION_REMOVED, "collection removed", "集合被去掉")                                    \
  X(DELTA_COLLECTION_NAME, "collection renamed, or its number reused", "集合改名，或编号被重用")           \
  X(DELTA_KEY, "natural key changed", "自然键有变")                                                  \
  X(DELTA_KEY_FORM, "form of the natural key changed", "自然键的规范形式有变")                            \
  X(DELTA_PURPOSE, "purpose changed", "用途有变")                                                   \
  X(DELTA_RETENTION, "retention changed", "保存期限有变")                                             \
  X(DELTA_WRITERS, "roles that may write changed", "可录入的角色有变")                                  \
  X(DELTA_DUPLICATES, "rules for duplicates changed", "查重规则有变")                                    \
  X(DELTA_UNKNOWN, "something of a newer form changed", "新格式的内容有变")                                \
  X(DELTA_LABEL, "label changed", "标签有变")                                                       \
  X(DELTA_FIELD_ADDED, "new field", "新增字段")                                                     \
  X(DELTA_FIELD_REMOVED, "field removed", "字段被去掉")                                              \
  X(DELTA_FIELD_NAME, "field renamed, or its number reused", "字段改名，或编号被重用")                     \
  X(DELTA_TYPE, "type changed; take a new number", "类型有变；请用新编号")                               \
  X(DELTA_VALUE, "kind of value changed; take a new number", "值的种类有变；请用新编号")                    \
  X(DELTA_LENGTH_CUT, "greatest length cut", "最大长度变短")                                          \
  X(DELTA_LENGTH_WIDER, "greatest length raised", "最大长度变长")                                     \
  X(DELTA_TARGET_NARROWER, "target narrowed", "引用目标变窄")                                         \
  X(DELTA_TARGET_WIDER, "target widened", "引用目标放宽")                                             \
  X(DELTA_UNSEALED, "no longer sealed", "不再加密")                                                 \
  X(DELTA_SEALED, "sealed from now on", "改为加密")                                                 \
  X(DELTA_REQUIRED, "became required", "变为必填")                                                  \
  X(DELTA_OPTIONAL, "no longer required", "不再必填")                                               \
  X(DELTA_FLAGS, "naming or refer changed", "命名或转办标记有变")                                        \
  X(DELTA_CLASS, "class changed", "类别有变")                                                       \
  X(DELTA_ITEM_ADDED, "new item", "新增选项")                                                       \
  X(DELTA_ITEM_CHANGED, "item removed, renamed or moved", "选项被去掉、改名或移位")                        \
  X(DELTA_RANK, "rank changed", "次序值有变")                                                        \
  X(DELTA_ITEM_LABEL, "label of an item changed", "选项的标签有变")                                    \
  X(DELTA_TRANSITIONS, "transitions changed", "状态流转有变")                                       \
  X(DELTA_REVIEW, "level of review changed", "冲突的程度有变")                                        \
  X(DELTA_CHECK, "check changed", "校验有变")                                                      \
  X(DELTA_LIMITS, "limits on time changed", "时限有变")                                              \
  X(DELTA_RELATIONS, "relations changed", "关联规则有变")                                            \
  X(DELTA_TABLES, "tables of codes changed", "代码表有变")                                           \
  X(DELTA_CALENDARS, "calendars changed", "工作日历有变")

#define QM_MESSAGES_HELP(X)                                                                     \
  X(HELP_USAGE, "Usage: %s [OPTION…] %s %s\n", "用法：%s [选项…] %s %s\n")                           \
  X(HELP_VERB, "VERB", "命令")                                                                    \
  X(HELP_ARGS, "[ARGUMENT…]", "[参数…]")                                                          \
  X(HELP_ABOUT,                                                                                 \
    "Keeps household and incident records on this device and syncs them with a hub.\n"          \
    "NOT YET FOR REAL RESIDENTS' DATA: the database is not encrypted.\n",                       \
    "在本设备上录入户和事件等记录，联网后与中心同步。\n"                                                                \
    "尚不可用于真实居民数据：数据库没有加密。\n")                                                                   \
  X(HELP_OPTIONS, "Options:", "选项：")                                                            \
  X(HELP_EXIT,                                                                                  \
    "Exit codes: 0 done, 1 a check failed or replicas differ, 2 wrong usage, 3 not found,\n"    \
    "4 network (try again), 5 refused (a person must act), 6 storage full or read-only,\n"      \
    "7 damaged data.\n",                                                                        \
    "退出码：0 完成，1 检查未通过或副本不一致，2 用法不对，3 没有找到，\n"                                                   \
    "4 网络（请重试），5 被拒绝（须由人处理），6 存储已满或只读，7 数据损坏。\n")                                               \
  X(HELP_MORE, "`%s help VERB` says more about one verb.\n", "“%s help 命令”显示某个命令的说明。\n")        \
  X(HELP_GLOBAL, "--db, --space, --json and --lang go with every verb; see `%s --help`.\n",     \
    "--db、--space、--json、--lang 可用于任何命令，见“%s --help”。\n")                                       \
  X(HELP_SETUP, "Set up", "准备")                                                                 \
  X(HELP_WRITE, "Write", "录入")                                                                  \
  X(HELP_READ, "Read", "查看")                                                                    \
  X(HELP_SYNC, "Sync", "同步")                                                                    \
  X(HELP_OTHER, "Other", "其他")                                                                  \
  X(OPT_DB, "the database ($QIANMO_DB, else ./qianmo.db)",                                      \
    "数据库文件（缺省为 $QIANMO_DB，再缺省为 ./qianmo.db）")                                                   \
  X(OPT_SPACE, "the space, by name or id; not needed where there is only one",                  \
    "空间的名称或编号；只有一个空间时可省略")                                                                      \
  X(OPT_JSON, "print results as JSON, one object a line", "结果用 JSON 输出，一行一个对象")                 \
  X(OPT_LANG, "zh or en (else by LC_ALL, LC_MESSAGES, LANG)",                                   \
    "zh 或 en（缺省按 LC_ALL、LC_MESSAGES、LANG）")                                                     \
  X(OPT_HELP, "show this, or with a verb what it does", "显示本说明；带命令时显示该命令的说明")                   \
  X(OPT_VERSION, "show the version", "显示版本")                                                    \
  X(OPT_SCHEMA, "make a space without a hub, with this schema (JSON)",                          \
    "按此数据结构文件（JSON）建一个不连中心的本地空间")                                                               \
  X(OPT_ROLE, "your role in the space without a hub", "你在本地空间中的角色")                             \
  X(OPT_TEST_DATA, "invented data only: allows sensitive fields",                               \
    "只放虚构数据：允许敏感字段")                                                                            \
  X(OPT_HUB, "the hub, such as hub.example:7443", "中心地址，例如 hub.example:7443")                   \
  X(OPT_CODE, "the one-time code, groups of four", "一次性登记码，四位一组")                               \
  X(OPT_NAME, "how the office sees this device", "办公室看到的本设备名称")                                 \
  X(OPT_TOKEN, "replace only what a reading showed (\"token\" of get, list, conflicts --json)", \
    "只替换读取时看到的内容（get、list、conflicts --json 中的 token）")                                          \
  X(OPT_AGAIN, "add also what is there, against removals not seen here",                        \
    "已有的元素也再加一次，以防别处的删除")                                                                       \
  X(OPT_DELETED, "deleted records too", "也显示已删除的记录")                                            \
  X(OPT_LIMIT, "at most so many records", "最多显示这么多条")                                           \
  X(OPT_FIELDS, "the fields to show, separated by commas", "要显示的字段，用逗号分隔")                      \
  X(OPT_FIELD, "only changes of this field", "只看此字段的改动")                                       \
  X(OPT_FAST, "leave out what needs a look at every record", "省略要逐条检查的内容")               \
  X(OPT_SINCE, "what changed after this cursor (the last one shown)",                           \
    "此游标（上次最后显示的）之后的改动")                                                                       \
  X(OPT_FOLLOW, "go on as changes come, until stopped", "有改动就继续显示，直到中止")                       \
  X(OPT_STAY, "stay connected: changes come and go as they are made, until stopped",            \
    "保持连接：改动随时收发，直到中止")                                                                       \
  X(OPT_AT, "the place in the list, counted from 1", "列表中的位置，从 1 数起")                             \
  X(OPT_NUMBER, "so many elements (1)", "元素个数（缺省为 1）")

#define QM_MESSAGES_ERRORS(X)                                                                   \
  X(NO_VERB, "no verb given; see %s --help", "没有给出命令，请看 %s --help")                             \
  X(BAD_VERB, "unknown verb \"%s\"; see %s --help", "没有命令“%s”，请看 %s --help")                    \
  X(NEAR_VERB, "unknown verb \"%s\"; did you mean \"%s\"?", "没有命令“%s”，是不是“%s”？")                \
  X(BAD_OPTION, "unknown option %s; see --help", "没有选项 %s，请看 --help")                           \
  X(NEAR_OPTION, "unknown option %s; did you mean --%s?", "没有选项 %s，是不是 --%s？")                  \
  X(OPTION_VALUE, "option %s needs a value", "选项 %s 需要一个值")                                     \
  X(OPTION_NO_VALUE, "option %s takes no value", "选项 %s 不带值")                                   \
  X(OPTION_TWICE, "option %s is given twice", "选项 %s 给了两次")                                     \
  X(OPTION_OTHER, "option --%s does not go with %s; see %s %s --help",                          \
    "选项 --%s 不能用于 %s，请看 %s %s --help")                                                          \
  X(OPTION_MISSING, "%s needs --%s; see %s %s --help", "%s 需要 --%s，请看 %s %s --help")            \
  X(BAD_LANG, "--lang takes zh or en", "--lang 只能是 zh 或 en")                                    \
  X(BAD_LIMIT, "--limit takes a whole number from 1", "--limit 须是不小于 1 的整数")                    \
  X(BAD_AT, "--%s takes a whole number from 1", "--%s 须是不小于 1 的整数")                            \
  X(NO_AT, "%s needs --at: which element of the list, counted from 1",                          \
    "%s 需要 --at：列表中的第几个，从 1 数起")                                                               \
  X(AT_ONE_FIELD, "remove --at takes one FIELD, without a value",                               \
    "remove --at 只带一个字段名，不带值")                                                                   \
  X(COUNT_NEEDS_AT, "--count goes with --at only", "--count 只能与 --at 同用")                       \
  X(BAD_FIELDS, "--fields takes at most %d fields", "--fields 最多 %d 个字段")                       \
  X(TOO_FEW, "too few arguments. Usage: %s %s %s", "参数不够。用法：%s %s %s")                          \
  X(TOO_MANY, "too many arguments. Usage: %s %s %s", "参数过多。用法：%s %s %s")                        \
  X(NO_ASSIGNMENT, "argument %d of %s is not FIELD=VALUE",                                      \
    "第 %d 个参数（%s）不是“字段=值”")                                                                     \
  X(EMPTY_FIELD, "argument %d of %s names no field before \"=\"",                               \
    "第 %d 个参数（%s）在“=”前没有字段名")                                                                   \
  X(KEY_TWICE, "field \"%s\" is given twice", "字段“%s”给了两次")                                     \
  X(KEY_JSON, "the natural key \"%s\" is text; write %s=VALUE", "自然键“%s”是文字，请写 %s=值")           \
  X(BAD_COLLECTION, "no collection \"%s\"; there are: %s", "没有集合“%s”；现有：%s")                    \
  X(NEAR_COLLECTION, "no collection \"%s\"; did you mean \"%s\"?",                              \
    "没有集合“%s”，是不是“%s”？")                                                                        \
  X(BAD_FIELD, "no field \"%s\" in %s; there are: %s", "没有字段“%s”，%s 的字段有：%s")                   \
  X(NEAR_FIELD, "no field \"%s\" in %s; did you mean \"%s\"?",                                  \
    "没有字段“%s”，%s 中是不是“%s”？")                                                                    \
  X(TWO_NAMES, "\"%s\" is the label of more than one; use its name", "不止一个叫“%s”，请用名称")          \
  X(BAD_ITEM, "field \"%s\" takes one of: %s", "字段“%s”只能是：%s")                                  \
  X(NEAR_ITEM, "field \"%s\" takes no such value; did you mean \"%s\"?",                        \
    "字段“%s”没有这个值，是不是“%s”？")                                                                     \
  X(OTHER_VERB, "%s does not fit field \"%s\", which is a %s; use %s",                          \
    "%s 不能用于字段“%s”，它的类型是 %s；请用 %s")                                                             \
  X(BAD_DELTA, "field \"%s\" is counted in whole numbers, such as 1 or -2",                     \
    "字段“%s”按整数计数，例如 1 或 -2")                                                                    \
  X(NO_DATABASE,                                                                                \
    "no database %s; make one with `%s init`, or `%s enroll` to join a hub, or name it "        \
    "with --db",                                                                                \
    "没有数据库 %s；请用“%s init”新建，或用“%s enroll”向中心登记，或用 --db 指定")                                     \
  X(NO_DIRECTORY, "cannot make %s: there is no such directory", "不能新建 %s：没有这个目录")               \
  X(TRY_TEST_DATA, "for invented data only: --test-data\n", "只放虚构数据时：--test-data\n")            \
  X(DATABASE_EXISTS, "%s exists already; nothing was changed", "%s 已经存在，没有改动")                  \
  X(NO_FILE, "cannot read %s: %s", "不能读取 %s：%s")                                                \
  X(FILE_LARGE, "%s is larger than %d MiB", "%s 超过 %d MiB")                                     \
  X(NO_RECORD, "no such record in %s; a record is named by its id, the first four or more "     \
               "characters of it, or key:VALUE",                                                \
    "%s 中没有这条记录；记录用编号、编号的前四位以上或 key:值 指明")                                                      \
  X(NO_RECORD_KEYLESS, "no such record in %s; a record is named by its id, or the first four "  \
                       "or more characters of it",                                              \
    "%s 中没有这条记录；记录用编号或编号的前四位以上指明")                                                              \
  X(DELETED_RECORD, "the record is deleted; `%s restore %s RECORD` brings it back",             \
    "记录已删除；可用“%s restore %s 记录”恢复")                                                             \
  X(NO_SCHEMA, "no schema has come to this space yet; sync first",                              \
    "这个空间还没有收到数据结构，请先同步")                                                                       \
  X(NO_SPACE, "no such space; `%s spaces` lists them", "没有这个空间；“%s spaces”列出所有空间")              \
  X(SPACE_NEEDED, "there is more than one space; say which with --space (`%s spaces` lists "    \
                  "them)",                                                                      \
    "不止一个空间，请用 --space 指明（“%s spaces”列出）")                                                      \
  X(SPACE_NONE, "there is no space yet: enrol at a hub and sync, or make one with `%s schema "  \
                "FILE`",                                                                        \
    "还没有空间：请向中心登记并同步，或用“%s schema 文件”新建")                                                       \
  X(NO_CONFLICT_ID, "no conflict of a record whose id begins so; name the collection too",      \
    "没有编号以此开头的冲突记录，请同时写明集合")                                                                    \
  X(BAD_RESULT, "unexpected answer from the library in %s", "库的回答不合格式：%s")                      \
  X(OUTPUT_LOST, "the output could not be written", "输出没有写成")                                   \
  X(NOTHING_WRITTEN, "nothing was written\n", "没有写入任何内容\n")

#define QM_MESSAGES_RESULTS(X)                                                                  \
  X(MADE, "made %s, not enrolled yet\n", "已建立 %s，尚未登记\n")                                       \
  X(MADE_NEXT,                                                                                  \
    "next: `%s enroll --hub HOST:PORT --code CODE`, or `%s schema FILE` to try without a hub\n", \
    "下一步：“%s enroll --hub 主机:端口 --code 登记码”，或“%s schema 文件”不连中心试用\n")                           \
  X(SPACE_MADE, "space \"%s\" has schema \"%s\", version %s\n",                                 \
    "空间“%s”采用数据结构“%s”，第 %s 版\n")                                                                \
  X(ENROLLED, "enrolled at %s as %s; certificate until %s\n",                                   \
    "已在 %s 登记，成员：%s；证书有效至 %s\n")                                                                \
  X(ENROLLED_SPACES, "spaces: %s\n", "空间：%s\n")                                                 \
  X(ENROLLED_NEXT, "next: `%s sync`\n", "下一步：“%s sync”\n")                                      \
  X(EXISTING, "a record with this key exists already: it was opened and left as it is\n",       \
    "已有这个键的记录：已打开该记录，未作改动\n")                                                                   \
  X(EXISTING_SKIPPED,                                                                           \
    "a record with this key exists already: it was opened, and the other fields were not\n"     \
    "written; look at it and change it with `%s set %s %.8s FIELD=VALUE`\n",                    \
    "已有这个键的记录：已打开该记录，其余字段未写入；\n"                                                                \
    "请先查看，再用“%s set %s %.8s 字段=值”修改\n")                                                         \
  X(SAVED, "saved: %s %s\n", "已保存：%s %s\n")                                                     \
  X(NO_CHANGE, "nothing to do: %s %s is so already\n", "无须改动：%s %s 已是如此\n")                     \
  X(CARD_CONFLICTS, "\nValues marked ! wait for a decision:\n  %s settle %s %.8s %s=VALUE\n",   \
    "\n标有 ! 的值等待裁定：\n  %s settle %s %.8s %s=值\n")                                               \
  X(CARD_COLLISION, "One deleted this record while another edited it: `%s restore` or "         \
                    "`%s delete` settles it.\n",                                                \
    "有人删除了这条记录，同时有人修改了它：用“%s restore”或“%s delete”裁定。\n")                                        \
  X(CARD_UNKNOWN, "%s fields of a newer schema are not shown.\n",                               \
    "有 %s 个新版数据结构的字段未显示。\n")                                                                    \
  X(CARD_DELETED, "(deleted)", "（已删除）")                                                         \
  X(CARD_PROPOSED, "(to be confirmed)", "（待确认）")                                                \
  X(CARD_HIDDEN, "(not shown: no basis, or against a condition)", "（不显示：缺少依据或与条件矛盾）") \
  X(CARD_MERGED, "  merged with %s\n", "  与 %s 合并\n")                                              \
  X(CARD_MERGED_HINT, "\n`%s unmerge %s RECORD` takes one out again.\n",                        \
    "\n“%s unmerge %s 记录”可将其中一条重新分开。\n")                                                         \
  X(MERGED, "merged: %s %s and %s\n", "已合并：%s %s 与 %s\n")                                      \
  X(UNMERGED, "taken out: %s %s\n", "已分开：%s %s\n")                                              \
  X(SPLIT_NEW, "split: what was theirs is in the new record %s %s\n",                          \
    "已拆分：对方录入的内容移入新记录 %s %s\n")                                                              \
  X(SPLIT_KEY, "Both still show the same key; correct it where it is wrong:\n  %s set %s %.8s " \
               "%s=VALUE\n",                                                                    \
    "两条记录的键仍相同，请改正其中有误的一条：\n  %s set %s %.8s %s=值\n")                                         \
  X(LIST_NONE, "no records in %s\n", "%s 中没有记录\n")                                              \
  X(LIST_ONE, "1 record%s\n", "1 条记录%s\n")                                                      \
  X(LIST_COUNT, "%s records%s\n", "%s 条记录%s\n")                                                 \
  X(LIST_CONFLICTS, "; ! marks a conflict (`%s conflicts %s`)",                                 \
    "；! 表示有冲突（“%s conflicts %s”）")                                                              \
  X(LIST_MORE, " (there are more)", "（还有更多）")                                                   \
  X(SYNC_DONE, "synced with %s: sent %s, received %s segments; %s up, %s down\n",               \
    "已与 %s 同步：送出 %s 批，收到 %s 批；上行 %s，下行 %s\n")                                                   \
  X(SYNC_NOTHING, "synced with %s: nothing new; %s up, %s down\n",                              \
    "已与 %s 同步：没有新内容；上行 %s，下行 %s\n")                                                             \
  X(SYNC_PARTLY, "before that: sent %s, received %s segments; what was acknowledged stays\n",   \
    "此前已送出 %s 批、收到 %s 批；已确认的都保留\n")                                                             \
  X(SYNC_RENEWED, "the certificate was renewed\n", "证书已续期\n")                                   \
  X(SYNC_CLOCK, "the clock of this device is off by %s\n", "本设备的时钟偏差 %s\n")                     \
  X(SYNC_REFUSED, "see what the hub refused: `%s export-refused`\n",                            \
    "查看被拒收的内容：“%s export-refused”\n")                                                           \
  X(REFUSED_NONE, "the hub refused nothing\n", "没有被拒收的内容\n")                                    \
  X(SPACES_NONE, "no spaces yet\n", "还没有空间\n")                                                  \
  X(SCHEMA_HEAD, "schema %s, version %s\n", "数据结构 %s，第 %s 版\n")                                 \
  X(VERSION, "qianmo %s\n", "qianmo %s\n")

#define QM_MESSAGES_WORDS(X)                                                                    \
  X(WORD_ID, "id", "编号")                                                                        \
  X(WORD_NAME, "name", "名称")                                                                    \
  X(WORD_ROLE, "role", "角色")                                                                    \
  X(WORD_RIGHTS, "rights", "权限")                                                                \
  X(WORD_SCHEMA, "schema", "数据结构")                                                              \
  X(WORD_VERSION, "version", "版本")                                                              \
  X(WORD_FIELD, "field", "字段")                                                                  \
  X(WORD_LABEL, "label", "显示名")                                                                 \
  X(WORD_TYPE, "type", "类型")                                                                    \
  X(WORD_CLASS, "class", "级别")                                                                  \
  X(WORD_VALUES, "values", "取值")                                                                \
  X(WORD_TIME, "time", "时间")                                                                    \
  X(WORD_BY, "by", "何人")                                                                        \
  X(WORD_WHAT, "what", "操作")                                                                    \
  X(WORD_VALUE, "value", "值")                                                                   \
  X(WORD_BEFORE, "before", "此前")                                                               \
  X(LOG_CONCURRENT, "(beside another)", "（与他人同时）")                                             \
  X(LOG_OLDER, "Older entries are at the hub.", "更早的记录在中心。")                                   \
  X(WORD_SPACE, "space", "空间")                                                                  \
  X(WORD_RECORD, "record", "记录")                                                                \
  X(WORD_WHY, "why", "原因")                                                                      \
  X(WORD_SENT, "sent", "已送达")                                                                   \
  X(WORD_YES, "yes", "是")                                                                       \
  X(WORD_NO, "no", "否")                                                                         \
  X(WORD_NOT_YET, "not yet", "尚未")                                                              \
  X(WORD_READ_WRITE, "read, write", "读写")                                                       \
  X(WORD_READ, "read", "只读")                                                                    \
  X(WORD_NONE, "none", "无")                                                                     \
  X(WORD_KEY, "natural key", "自然键")                                                             \
  X(WORD_LOCAL, "without a hub", "本地")                                                          \
  X(WORD_THIS_DEVICE, "this device", "本机")                                                      \
  X(WORD_OUT_OF_RANGE, "out of range", "超出范围")                                                  \
  X(WORD_CLEARED, "(cleared)", "（已清空）")                                                         \
  X(WORD_NEVER, "never", "从未")                                                                  \
  X(WORD_UNKNOWN, "unknown", "未知")                                                              \
  X(WORD_CHARACTERS, "%s characters", "%s 个字")                                                  \
  X(WORD_ELEMENTS, "%s elements", "%s 个元素")                                                     \
  X(CLASS_SIBLING, "written at the same time", "同时写下")                                          \
  X(CLASS_UNREAD, "overwritten unread", "未读就被覆盖")                                               \
  X(CLASS_CONTRADICT, "contradicting states", "状态互相矛盾")                                         \
  X(CLASS_DELETED, "deleted by one, edited by another", "一方删除，另一方修改")                           \
  X(CLASS_SAME_KEY, "one key, created twice", "同一个键录入了两次")                                      \
  X(CLASS_MERGE, "merged records differ", "合并的记录内容不同")                                         \
  X(CLASS_CLASH, "two that cannot both stand", "互相冲突")                                             \
  X(CLASS_OVERDRAWN, "more than there is", "超出额度")                                                 \
  X(CLASS_AGAINST, "against a condition on", "与条件矛盾：")                                           \
  X(CLASS_LEFT, "%s left", "尚余 %s")                                                               \
  X(CLASS_UNMERGED, "taken out by one, merged by another", "一方分开，另一方合并")                        \
  X(HOW_MOVED, "moved", "已移走")                                                                  \
  X(HOW_COPIED, "in both", "两边都有")                                                              \
  X(HOW_LEFT, "left where it was", "留在原处")                                                      \
  X(WHO_BY, "by %s, %s", "%s，%s")                                                               \
  X(WHO_ONLY, "by %s", "%s")                                                                    \
  X(WHO_CLOCK, " (its clock said %s)", "（该设备时钟显示 %s）")                                          \
  X(CONFLICT_CLASS, ": %s", "：%s")                                                              \
  X(OP_EDIT, "edited", "修改")                                                                    \
  X(OP_NEW, "created", "新建")                                                                    \
  X(OP_DELETE, "deleted", "删除")                                                                 \
  X(OP_RESTORE, "restored", "恢复")                                                               \
  X(OP_SET, "set", "设为")                                                                        \
  X(OP_RAISE, "moved to", "改到")                                                                 \
  X(OP_ADD, "added", "加入")                                                                      \
  X(OP_REMOVE, "removed", "移除")                                                                 \
  X(OP_INC, "counted", "计数")                                                                    \
  X(OP_APPEND, "appended", "追加")                                                                \
  X(OP_INSERT, "wrote", "写入")                                                                   \
  X(OP_CUT, "cut out", "删去")                                                                    \
  X(OP_MERGE, "merged with", "合并")                                                              \
  X(OP_UNMERGE, "taken out", "分开")                                                              \
  X(OP_DISTINCT, "is another than", "判为不同")                                                     \
  X(OP_UNLINK, "link undone", "撤销关联")

#define QM_MESSAGES_STATUS(X)                                                                   \
  X(ST_DEVICE, "device", "设备")                                                                  \
  X(ST_MEMBER, "member", "成员")                                                                  \
  X(ST_HUB, "hub", "中心")                                                                        \
  X(ST_NOT_ENROLLED, "not enrolled", "尚未登记")                                                    \
  X(ST_LAST_SYNC, "last sync", "上次同步")                                                          \
  X(ST_LAST_TRY, "last try", "上次尝试")                                                            \
  X(ST_FAILED, "%s, failed: %s", "%s，失败：%s")                                                    \
  X(ST_AGO, "%s (%s ago)", "%s（%s前）")                                                           \
  X(ST_UNSENT, "unsent", "未送出")                                                                 \
  X(ST_UNSENT_NONE, "nothing", "没有")                                                            \
  X(ST_UNSENT_ONE, "1 change", "1 次改动")                                                         \
  X(ST_UNSENT_COUNT, "%s changes", "%s 次改动")                                                    \
  X(ST_OLDEST, ", the oldest %s old", "，最早的已有 %s")                                              \
  X(ST_HELD, "written here", "本机所写")                                                            \
  X(ST_HELD_COUNT, "%s; acknowledged %s, safe in a backup %s", "%s；已确认 %s，已备份 %s")              \
  X(ST_SET_ASIDE, "set aside", "被搁置")                                                           \
  X(ST_REFUSED, "refused", "被拒收")                                                               \
  X(ST_CONFLICTS, "conflicts", "冲突")                                                            \
  X(ST_MENDING, "to be mended", "待修复")                                                         \
  X(ST_MENDING_STATE, "waits for a whole copy from the hub", "等待从中心取得完整副本")            \
  X(ST_MENDING_RECORDS, "some records; the next sync replaces them", "部分记录，下次同步时替换")  \
  X(ST_REPAIRED, "mended", "已修复")                                                              \
  X(ST_REPAIRED_COUNT, "%lld records, %lld whole copies, last %s",                              \
    "记录 %lld 条，完整副本 %lld 次，最近 %s")                                                  \
  X(EXPORT_HUB_DONE,                                                                            \
    "%s written. It holds the spaces' secrets: carry it to the hub yourself, and delete it\n"   \
    "there and here after `qianmod recover DIR --from`.\n",                                     \
    "已写入 %s。其中有各空间的密钥：请亲自带到中心，执行 qianmod recover 目录 --from 之后，\n"   \
    "两处都要删除。\n")                                                                          \
  X(CHECK_GOOD, "good", "正常")                                                                   \
  X(CHECK_BAD, "records are not as they were written", "有记录与写入时不符")                      \
  X(SYNC_REPAIRED,                                                                              \
    "Mended: %lu records and %lu whole spaces were replaced because they were wrong.\n",        \
    "已修复：替换了有误的记录 %lu 条、整个空间 %lu 个。\n")                                        \
  X(ST_CLOCK, "clock", "时钟")                                                                    \
  X(ST_CLOCK_RIGHT, "right", "准确")                                                              \
  X(ST_CLOCK_AHEAD, "%s ahead of the hub", "比中心快 %s")                                           \
  X(ST_CLOCK_BEHIND, "%s behind the hub", "比中心慢 %s")                                            \
  X(ST_CLOCK_UNKNOWN, "not compared with a hub yet", "尚未与中心比对")                                 \
  X(ST_CLOCK_WRONG, "shows a year before 2020: check the date", "年份早于 2020 年，请检查日期")            \
  X(ST_FREE, "free space", "剩余空间")                                                              \
  X(ST_CERTIFICATE, "certificate", "证书")                                                        \
  X(ST_CERT_DAYS, "%s days left, until %s", "还有 %s 天，至 %s")                                     \
  X(ST_CERT_OVER, "expired on %s; work goes on, ask the office for a new code",                 \
    "已于 %s 过期；可继续录入，请向办公室索取新的登记码")                                                              \
  X(ST_TEST_DATA, "test data", "测试数据")                                                          \
  X(ST_TEST_DATA_ONLY, "invented data only", "只放虚构数据")                                          \
  X(ST_SPACE, "space", "空间")                                                                    \
  X(ST_SPACE_LINE, "%s: records %s, schema version %s", "%s：记录 %s 条，数据结构第 %s 版")                \
  X(ST_SPACE_ROLE, ", role %s", "，角色 %s")                                                       \
  X(AGE_SECONDS, "%s s", "%s 秒")                                                                \
  X(AGE_MINUTES, "%s min", "%s 分钟")                                                             \
  X(AGE_HOURS, "%s h", "%s 小时")                                                                 \
  X(AGE_DAYS, "%s days", "%s 天")

#endif
