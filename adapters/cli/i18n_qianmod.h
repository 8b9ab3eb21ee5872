/* i18n_qianmod: every text that qianmod shows, English and Chinese, in one table keyed by
 * id; the texts of error codes are the library's. Conversions stand in the same order
 * in both. Lines that programs read ("listening on …", --json) are in no language. */
#ifndef QM_I18N_QIANMOD_H
#define QM_I18N_QIANMOD_H

#include "adapters/cli/i18n.h"

/* X(id, English, Chinese) */
#define QM_HUB_TEXTS(X)                                                                          \
  X(USAGE,                                                                                       \
    "usage: qianmod VERB DIR [options]\n\n"                                                      \
    "The hub of qianmo: devices enrol at it and sync through it. DIR is its directory.\n\n"      \
    "  init       make a hub: certificate authority, certificate, settings, databases\n"         \
    "  run        serve, in the foreground\n"                                                    \
    "  space      add, update, list: the spaces that it holds\n"                                 \
    "  enroll     make a one-time code for one device\n"                                         \
    "  devices    list the devices\n"                                                            \
    "  revoke     shut a device out, at once\n"                                                  \
    "  reassign   give a device other spaces, another role or member\n"                          \
    "  aside      list, approve, decline: changes that it did not accept\n"                      \
    "  conflicts  what was written at the same time and nobody has settled\n"                    \
    "  backup     copy everything to a new directory, checked; also while it runs\n"             \
    "  restore    make a hub from a backup\n"                                                    \
    "  check      read everything and compare it with its digests\n"                             \
    "  recover    after the loss of its records: take them from a device\n"                      \
    "  maintain   clear out what no device needs any more\n\n"                                  \
    "qianmod VERB --help says more. --json prints one object a line. Exit codes: 0 done,\n"      \
    "1 check failed, 2 usage, 3 not found, 4 network or busy, 5 refused, 6 storage full or\n"    \
    "read-only, 7 damaged.\n",                                                                   \
    "用法：qianmod 命令 目录 [选项]\n\n"                                                         \
    "阡陌的中心：设备在此登记，并通过它同步。目录是中心自己的数据目录。\n\n"                     \
    "  init       建立中心：证书机构、证书、设置、数据库\n"                                      \
    "  run        在前台提供服务\n"                                                              \
    "  space      add、update、list：中心所存的空间\n"                                           \
    "  enroll     为一台设备生成一次性登记码\n"                                                  \
    "  devices    列出设备\n"                                                                    \
    "  revoke     立即吊销一台设备\n"                                                            \
    "  reassign   给设备另外的空间、角色或成员\n"                                                \
    "  aside      list、approve、decline：未被接受的更改\n"                                      \
    "  conflicts  同时写下、尚无人裁定的内容\n"                                                  \
    "  backup     把全部数据复制到新目录并校验，运行时也可以\n"                                  \
    "  restore    由备份恢复出一个中心\n"                                                        \
    "  check      读出全部数据，与其摘要比对\n"                                                  \
    "  recover    记录丢失之后，从一台设备取回\n"                                                \
    "  maintain   清除各设备都不再需要的内容\n\n"                                                \
    "qianmod 命令 --help 有详细说明。--json 每行输出一个对象。退出码：0 完成，1 校验不符，\n"    \
    "2 用法错误，3 未找到，4 网络或占用，5 被拒绝，6 存储已满或只读，7 数据损坏。\n")            \
  X(HELP_INIT,                                                                                   \
    "usage: qianmod init DIR [--name NAME] [--listen HOST:PORT] [--shards N] [--replay]\n\n"     \
    "Makes the directory DIR (mode 0700) with a new certificate authority (ca.pem, ca.key),\n"   \
    "the hub's certificate (hub.pem, hub.key), qianmod.conf, hub.db and the stores.\n"           \
    "Keep ca.key safe: who has it can enrol devices. Spaces are spread over N stores (4;\n"      \
    "spaces.db, spaces-2.db, …), each with a thread of its own. --replay marks a hub for\n"      \
    "measuring with traces; it can never hold real data.\n",                                     \
    "用法：qianmod init 目录 [--name 名称] [--listen 地址:端口] [--shards 数目] [--replay]\n\n"  \
    "建立目录（权限 0700），内有新的证书机构（ca.pem、ca.key）、中心的证书（hub.pem、\n"         \
    "hub.key）、qianmod.conf、hub.db 和各存储文件。请保管好 ca.key：持有者可以登记设备。\n"      \
    "空间分布在若干个存储文件中（默认 4 个：spaces.db、spaces-2.db……），每个各有一个线程。\n"    \
    "--replay 表示这是用轨迹测量的中心，不能存放真实数据。\n")                                   \
  X(HELP_RUN,                                                                                    \
    "usage: qianmod run DIR [--listen HOST:PORT] [--port-file FILE] [--replay]\n"                \
    "                   [--test-crash commit-before-ack:N]\n\n"                                  \
    "Serves in the foreground and prints `listening on HOST:PORT`. With port 0 any free port\n"  \
    "is taken; --port-file writes it to FILE. SIGTERM finishes commits, says BYE and ends;\n"    \
    "SIGHUP reads the hub's certificate and opens the log anew.\n"                               \
    "--replay: only for a directory made by `init --replay`.\n"                                  \
    "--test-crash is for tests: the hub kills itself after its Nth durable commit and before\n"  \
    "any of it is acknowledged, and says so on stderr first.\n",                                 \
    "用法：qianmod run 目录 [--listen 地址:端口] [--port-file 文件] [--replay]\n"                \
    "                  [--test-crash commit-before-ack:N]\n\n"                                   \
    "在前台提供服务，并输出 `listening on 地址:端口`。端口为 0 时任取一个空闲端口，\n"           \
    "--port-file 把它写入文件。SIGTERM：完成提交、道别后结束；SIGHUP：重新读取证书并重开日志。\n" \
    "--replay：只用于由 `init --replay` 建立的目录。\n"                                          \
    "--test-crash 供测试用：第 N 次落盘提交之后、确认之前，中心先在标准错误输出位置，再杀死自己。\n") \
  X(HELP_SPACE,                                                                                  \
    "usage: qianmod space add DIR NAME --schema FILE [--test-data]\n"                            \
    "       qianmod space update DIR NAME --schema FILE\n"                                       \
    "       qianmod space list DIR\n\n"                                                          \
    "A space is what is replicated and read as a whole: one grid's work, one street's list.\n"   \
    "FILE is a schema as JSON. An update may only add to the schema. A running hub takes both\n" \
    "up with the next session. A schema with a field of class sensitive is refused unless\n"     \
    "--test-data says that no real data will be in it.\n",                                       \
    "用法：qianmod space add 目录 名称 --schema 文件 [--test-data]\n"                            \
    "      qianmod space update 目录 名称 --schema 文件\n"                                       \
    "      qianmod space list 目录\n\n"                                                          \
    "空间是整体复制、整体可读的单位：一个网格的工作，一个街道的名单。文件是 JSON 格式的数据\n"   \
    "结构。更新只能增加内容。运行中的中心在下一次同步时生效。含有敏感字段的数据结构会被拒绝，\n" \
    "除非用 --test-data 说明其中不会有真实数据。\n")                                             \
  X(HELP_ENROLL,                                                                                 \
    "usage: qianmod enroll DIR --member NAME --role ROLE --space SPACE… [--hours N]\n\n"         \
    "Prints a code that one device may use once, within N hours (24). It is shown only here.\n", \
    "用法：qianmod enroll 目录 --member 姓名 --role 角色 --space 空间… [--hours N]\n\n"          \
    "输出一个登记码，供一台设备在 N 小时（24）内使用一次。登记码只在这里显示。\n")               \
  X(HELP_DEVICES,                                                                                \
    "usage: qianmod devices DIR [--stale DAYS]\n\n"                                              \
    "Lists member, role, spaces, last sync, how far behind it was then, refused changes, clock\n"\
    "offset and the end of the certificate. --stale: only those without a sync in DAYS.\n",      \
    "用法：qianmod devices 目录 [--stale 天数]\n\n"                                              \
    "列出成员、角色、空间、上次同步、当时落后多少、被拒绝的改动、时钟偏差和证书到期日。\n"       \
    "--stale：只列出若干天内没有同步过的设备。\n")                                               \
  X(HELP_REVOKE,                                                                                 \
    "usage: qianmod revoke DIR DEVICE\n\nDEVICE: four or more characters of its id. Its next "   \
    "connection gets a TLS alert,\na running one ends. What it has sent stays.\n",               \
    "用法：qianmod revoke 目录 设备\n\n设备：编号的前四位或更多。它的下一次连接只会得到 TLS "    \
    "警报，\n进行中的连接被中断。它已送来的内容保留。\n")                                        \
  X(HELP_REASSIGN,                                                                               \
    "usage: qianmod reassign DIR DEVICE [--space SPACE…] [--role ROLE] [--member NAME]\n\n"      \
    "Replaces the spaces that the device may read, its role or its member, from its next\n"      \
    "session on. What it holds of other spaces it keeps.\n",                                     \
    "用法：qianmod reassign 目录 设备 [--space 空间…] [--role 角色] [--member 姓名]\n\n"         \
    "替换设备可读的空间、角色或成员，从下一次同步起生效。设备已有的其他空间的内容仍留在设备上。\n") \
  X(HELP_ASIDE,                                                                                  \
    "usage: qianmod aside list DIR [--space SPACE…] [--json]\n"                                  \
    "       qianmod aside approve DIR ID\n"                                                      \
    "       qianmod aside decline DIR ID --why TEXT\n\n"                                         \
    "Changes that a device's role or the schema does not allow are set aside: they have no\n"    \
    "effect, and their content is kept here to be decided on. approve writes it as its author\n" \
    "had it, beside what others wrote since; decline leaves it out and tells the author why.\n"  \
    "Earlier changes of an author are decided first. Beside a running hub a decision takes\n"    \
    "effect with its next work.\n",                                                              \
    "用法：qianmod aside list 目录 [--space 空间…] [--json]\n"                                   \
    "      qianmod aside approve 目录 编号\n"                                                    \
    "      qianmod aside decline 目录 编号 --why 理由\n\n"                                       \
    "设备的角色或数据结构不允许的更改会被搁置：不起作用，内容保存在此等待处理。approve\n"        \
    "按作者原来的样子写入，与他人之后所写并存；decline 不予采纳，并把理由告知作者。\n"           \
    "同一作者较早的更改先处理。中心运行时，决定随其下一步工作生效。\n")                          \
  X(ASIDE_NONE, "nothing is set aside\n", "没有被搁置的更改\n")                                  \
  X(ASIDE_WAITING, "waiting", "待处理")                                                          \
  X(ASIDE_APPROVED, "approved", "已采纳")                                                        \
  X(ASIDE_DECLINED, "declined", "未采纳")                                                        \
  X(ASIDE_APPROVE_DONE, "%s approved\n", "%s 已采纳\n")                                          \
  X(ASIDE_DECLINE_DONE, "%s declined\n", "%s 未采纳\n")                                          \
  X(ASIDE_QUEUED, "The hub is running; it does so with its next work.\n",                        \
    "中心正在运行，将随其下一步工作生效。\n")                                                    \
  X(ASIDE_NO, "nothing set aside has the id %s", "没有编号为 %s 的搁置更改")                     \
  X(ASIDE_TWO, "several have an id that begins with %s", "有多项编号以 %s 开头")                 \
  X(ASIDE_DECIDED, "%s was decided already", "%s 已处理过")                                      \
  X(HELP_RECOVER,                                                                                \
    "usage: qianmod recover DIR DEVICE --space SPACE…\n\n"                                       \
    "For a hub that lost its records, or one of its stores, and has no backup of them: with its\n" \
    "next sync the device gives all that it holds of these spaces, state and changes. Each\n"   \
    "space is taken once; the other devices then sync as usual and bring what this one lacked.\n" \
    "Choose the device that synced last. A store that is gone is made anew once each of its\n"  \
    "spaces has a device (which they are is told). Otherwise a hub never takes a state from a\n" \
    "device.\n\n"                                                                               \
    "usage: qianmod recover DIR --from FILE\n\n"                                                \
    "For a hub of which only ca.pem, ca.key, hub.pem, hub.key and qianmod.conf are left: makes\n" \
    "hub.db anew from a file that a device wrote (qianmo export-hub FILE): the spaces,\n" \
    "and the devices that they name. That device then gives back the records with its next\n"   \
    "sync. Look at the list of devices before the hub runs, and revoke whom you do not know.\n", \
    "用法：qianmod recover 目录 设备 --space 空间…\n\n"                                          \
    "用于记录已丢失且没有备份的中心：该设备下一次同步时，交出它所持有的这些空间的全部内容，\n"   \
    "包括状态和更改。每个空间只取一次；其他设备随后照常同步，补上它所缺的内容。\n"               \
    "请选择最近同步过的设备。丢失的存储文件，要等其中每个空间都指定了设备才会重建（会列出）。\n" \
    "除此以外，中心从不接受设备的状态。\n\n"                                                    \
    "用法：qianmod recover 目录 --from 文件\n\n"                                                \
    "用于只剩 ca.pem、ca.key、hub.pem、hub.key 和 qianmod.conf 的中心：根据一台设备导出的文件\n" \
    "（qianmo export-hub 文件）重建数据库，包括各空间及其登记的设备；该设备下一次同步时交回记录。\n" \
    "中心运行之前，请核对设备名单，吊销不认识的设备。\n")                                        \
  X(HELP_BACKUP,                                                                                 \
    "usage: qianmod backup DIR TO\n\n"                                                           \
    "Copies everything to the new directory TO, keys too, also while the hub runs, and checks\n" \
    "the copy by its digests. What is in it counts as safe, and devices learn that at their\n"   \
    "next sync. Keep TO on another disk.\n",                                                     \
    "用法：qianmod backup 目录 备份目录\n\n"                                                     \
    "把全部内容（包括密钥）复制到新的备份目录，中心运行时也可以，并按摘要校验副本。其中的内容\n" \
    "视为已安全，设备在下一次同步时得知。请把备份放在另一块磁盘上。\n")                          \
  X(HELP_RESTORE,                                                                                \
    "usage: qianmod restore DIR FROM\n\n"                                                        \
    "Makes the new directory DIR from the backup FROM, checked by its digests. The hub writes\n" \
    "as a new author from then on and asks every device for what it misses. Devices revoked\n"   \
    "or enrolled since the backup must be revoked or enrolled again.\n",                         \
    "用法：qianmod restore 目录 备份目录\n\n"                                                    \
    "由备份建立新目录，并按摘要校验。中心此后以新作者的身份写入，并向每台设备索取所缺的内容。\n" \
    "备份之后吊销或登记的设备须重新吊销或登记。\n")                                              \
  X(HELP_CHECK,                                                                                  \
    "usage: qianmod check DIR\n\nReads all pages and all records and compares them with their "  \
    "hashes and digests.\nBeside a running hub it checks a copy.\n",                             \
    "用法：qianmod check 目录\n\n读出全部页和全部记录，与其散列和摘要比对。中心运行时校验的是副本。\n") \
  X(HELP_MAINTAIN,                                                                               \
    "usage: qianmod maintain DIR\n\nTakes deleted text out for good and cuts the log, as far as " \
    "every device that\nstill syncs has seen it (log-days in qianmod.conf), settles for the "      \
    "value\nshown what nobody settled within the review time of the schema (90 days), and\n"       \
    "joins what lies in many small pieces of the log, so that it takes less room and a\nnew "      \
    "phone less time. A running hub does this by itself once a day, when it has\nnothing else "    \
    "to do.\n",                                                                                    \
    "用法：qianmod maintain 目录\n\n清除各设备均已见到删除的文字，并按 qianmod.conf 的 log-days " \
    "裁剪日志；\n超过数据结构所定裁定期限（90 天）仍无人裁定的冲突，按显示的值裁定；\n"           \
    "把日志中零散的小段合并，少占空间，新手机同步也更快。\n"                                      \
    "运行中的中心每天空闲时自动进行。\n")                                                         \
  X(MAINTAINED,                                                                                  \
    "%llu characters taken out, the log cut in %u spaces, %llu conflicts settled, %llu rows of "  \
    "the log joined\n",                                                                           \
    "清除 %llu 个字符，裁剪了 %u 个空间的日志，裁定了 %llu 处冲突，"                              \
    "合并了日志中的 %llu 行\n")                                                                   \
  X(HELP_CONFLICTS,                                                                              \
    "usage: qianmod conflicts DIR [SPACE] [--severity low|normal|high]\n\n"                      \
    "Lists what was written at the same time and nobody has settled, the gravest first. People\n" \
    "settle it on their devices (`qianmo settle`); what is left after the review time the hub\n"  \
    "settles for the value shown (`qianmod maintain`; a running hub daily).\n",                  \
    "用法：qianmod conflicts 目录 [空间] [--severity low|normal|high]\n\n"                         \
    "列出同时写下、尚无人裁定的内容，程度重的在前。各人在自己的设备上裁定（qianmo settle）；\n"  \
    "超过裁定期限的由中心按显示的值裁定（qianmod maintain；运行中的中心每天自动进行）。\n")          \
  X(CONFLICTS_NONE, "no conflicts\n", "没有冲突\n")                                               \
  X(CONFLICTS_COUNT, "\n%llu conflicts (high: %llu)\n", "\n%llu 处冲突（重要：%llu）\n")             \
  X(CLASS_SIBLING, "written at the same time", "同时写下")                                        \
  X(CLASS_UNREAD, "overwritten unread", "未读就被覆盖")                                             \
  X(CLASS_CONTRADICT, "contradicting states", "状态互相矛盾")                                       \
  X(CLASS_DELETED, "deleted by one, edited by another", "一方删除，另一方修改")                         \
  X(CLASS_SAME_KEY, "one key, created twice", "同一个键录入了两次")                                    \
  X(CLASS_MERGE, "merged records differ", "合并的记录内容不同")                                       \
  X(CLASS_CLASH, "two that cannot both stand", "互相冲突")                                             \
  X(CLASS_OVERDRAWN, "more than there is", "超出额度")                                               \
  X(CLASS_UNMERGED, "taken out by one, merged by another", "一方分开，另一方合并")                      \
  X(SEVERITY_LOW, "low", "次要")                                                                \
  X(SEVERITY_NORMAL, "normal", "一般")                                                          \
  X(SEVERITY_HIGH, "high", "重要")                                                              \
  X(WORD_EDITED, "edited", "修改")                                                              \
  X(WORD_DELETED, "deleted", "删除")                                                            \
  X(SELF, "the hub", "中心")                                                                    \
  X(HEAD_NONE, "", "")                                                                          \
  X(HEAD_ITEM, "item", "条目")                                                                  \
  X(HEAD_SEVERITY, "severity", "程度")                                                          \
  X(HEAD_SPACE, "space", "空间")                                                                \
  X(HEAD_RECORD, "record", "记录")                                                              \
  X(HEAD_FIELD, "field", "字段")                                                                \
  X(HEAD_VALUE, "value", "值")                                                                 \
  X(HEAD_BY, "by", "何人")                                                                      \
  X(HEAD_TIME, "time", "时间")                                                                  \
  X(HEAD_CONFLICT, "conflict", "冲突")                                                          \
  X(MAINTAIN_RUNNING, "%s: the hub is running; it does this by itself once a day",               \
    "%s：中心正在运行，每天空闲时会自动进行")                                                                      \
  X(UNKNOWN_VERB, "unknown verb: %s; see qianmod --help", "未知命令：%s，请看 qianmod --help")   \
  X(UNKNOWN_OPTION, "unknown option: %s", "未知选项：%s")                                        \
  X(NO_VALUE, "%s needs a value", "%s 缺少值")                                                   \
  X(BAD_VALUE, "wrong value of %s", "%s 的值不对")                                               \
  X(MISSING, "missing: %s", "缺少：%s")                                                          \
  X(TOO_MANY, "one argument too many: %s", "多余的参数：%s")                                     \
  X(INIT_DONE,                                                                                   \
    "The hub is ready in %s. Next: qianmod space add, qianmod enroll, qianmod run.\n",           \
    "中心已建立在 %s。接下来：qianmod space add、qianmod enroll、qianmod run。\n")               \
  X(SPACE_ADDED, "space %s added, schema version %u\n", "已增加空间 %s，数据结构版本 %u\n")      \
  X(SPACE_UPDATED, "space %s updated, schema version %u\n", "已更新空间 %s，数据结构版本 %u\n")  \
  X(SPACE_SAME, "space %s has schema version %u already\n", "空间 %s 已是数据结构版本 %u\n")     \
  X(SENSITIVE,                                                                                   \
    "the schema has a field of class sensitive: qianmo is not yet for real residents' data; "    \
    "--test-data says that there will be none",                                                  \
    "数据结构含有敏感字段：阡陌尚不能存放居民真实数据；若其中没有真实数据，请加 --test-data")    \
  X(NO_SPACE, "no space named %s", "没有名为 %s 的空间")                                         \
  X(CODE,                                                                                        \
    "Code for %s, once, until %s:\n\n  %s\n\n"                                                   \
    "On the device: qianmo enroll --hub HOST:%u --code %s\n",                                    \
    "%s 的登记码，限用一次，有效期至 %s：\n\n  %s\n\n"                                           \
    "在设备上：qianmo enroll --hub 中心地址:%u --code %s\n")                                     \
  X(NO_DEVICE, "no device with id %s", "没有编号为 %s 的设备")                                   \
  X(TWO_DEVICES, "more than one device begins with %s", "以 %s 开头的设备不止一台")              \
  X(REVOKED, "device %s revoked\n", "设备 %s 已吊销\n")                                          \
  X(RECOVER_NEEDS,                                                                               \
    "%s is missing. recover --from needs, in this directory, from your copy of the keys: "       \
    "ca.pem, ca.key, hub.pem, hub.key, qianmod.conf",                                            \
    "缺少 %s。recover --from 需要目录中有密钥备份：ca.pem、ca.key、hub.pem、hub.key、qianmod.conf") \
  X(RECOVER_KNOWS,                                                                               \
    "hub.db of this hub is there and knows its spaces: use recover DIR DEVICE --space",          \
    "此中心的 hub.db 还在，且有空间：请用 recover 目录 设备 --space")                            \
  X(RECOVER_FOREIGN, "%s is of another hub's certificate authority", "%s 属于另一中心的证书机构") \
  X(RECOVER_FILE, "%s is no file of `qianmo export-hub`, or not whole: %s",                      \
    "%s 不是 qianmo export-hub 导出的文件，或不完整：%s")                                        \
  X(RECOVER_DONE,                                                                                \
    "%u spaces and %u devices from %s.\n"                                                        \
    "  1. Look at `qianmod devices`; revoke whom you do not know, and those revoked of old.\n"   \
    "  2. Start the hub and let device %s sync: it brings the records. Then the others.\n"       \
    "  3. Devices that are not in the list need a new code. Codes, and notes of what devices\n"  \
    "     hold and what is backed up, are gone: make a backup soon.\n"                           \
    "  4. Delete %s here and on the device.\n",                                                  \
    "恢复了 %u 个空间、%u 台设备（来自 %s）。\n"                                                \
    "  1. 查看 qianmod devices，吊销不认识的设备以及从前已吊销的设备。\n"                        \
    "  2. 启动中心，让设备 %s 同步以交回记录，然后其他设备照常同步。\n"                        \
    "  3. 不在名单中的设备需要新的登记码。登记码、设备持有和备份的记载均已丢失，请尽快备份。\n" \
    "  4. 删除中心和设备上的 %s。\n")                                                          \
  X(RECOVERING, "space %s: the next sync of device %s gives back what it holds\n",               \
    "空间 %s：设备 %s 下次同步时交回它所持有的内容\n")                                           \
  X(RECOVER_WAITS,                                                                               \
    "space %s was in the same store: the hub can run once a device is named for it, too\n",     \
    "空间 %s 在同一个存储文件中：也为它指定设备后，中心才能运行\n")                             \
  X(REASSIGNED, "device %s reassigned\n", "设备 %s 已重新分派\n")                                \
  X(COL_DEVICE, "device", "设备")                                                                \
  X(COL_MEMBER, "member", "成员")                                                                \
  X(COL_ROLE, "role", "角色")                                                                    \
  X(COL_SPACES, "spaces", "空间")                                                                \
  X(COL_SYNC, "last sync", "上次同步")                                                           \
  X(COL_BEHIND, "behind", "落后")                                                                \
  X(COL_REFUSED, "refused", "被拒绝")                                                            \
  X(COL_CLOCK, "clock", "时钟偏差")                                                              \
  X(COL_CERT, "certificate", "证书到期")                                                         \
  X(COL_SPACE, "space", "空间")                                                                  \
  X(COL_SCHEMA, "schema", "数据结构")                                                            \
  X(COL_DEVICES, "devices", "设备数")                                                            \
  X(COL_STORE, "store", "存储")                                                                  \
  X(COL_ID, "id", "编号")                                                                        \
  X(NEVER, "never", "从未")                                                                      \
  X(IS_REVOKED, "revoked", "已吊销")                                                             \
  X(NONE, "none\n", "没有\n")                                                                    \
  X(RUNNING, "the hub in %s is running; stop it first", "%s 中的中心正在运行，请先停止")         \
  X(NOT_EMPTY, "%s is there already", "%s 已存在")                                               \
  X(NOT_HUB, "%s is no hub's directory", "%s 不是中心的目录")                                    \
  X(REPLAY_ONLY, "--replay is only for a directory made by `qianmod init --replay`",             \
    "--replay 只用于由 `qianmod init --replay` 建立的目录")                                      \
  X(REPLAY_NEEDED, "this directory was made by `init --replay`: run it with --replay",           \
    "此目录由 `init --replay` 建立，请用 --replay 运行")                                         \
  X(BACKUP_DONE, "backup in %s: %u spaces, checked\n", "已备份到 %s：%u 个空间，校验通过\n")     \
  X(RESTORE_DONE,                                                                                \
    "restored to %s: %u spaces, checked. Devices revoked or enrolled since the backup must be "  \
    "revoked or enrolled again.\n",                                                              \
    "已恢复到 %s：%u 个空间，校验通过。备份之后吊销或登记的设备须重新吊销或登记。\n")            \
  X(CHECK_DONE, "%u spaces checked, all in order\n", "已检查 %u 个空间，全部正常\n")             \
  X(CHECK_SPACE, "space %s: %s", "空间 %s：%s")

#define QM_HUB_TEXT_ENUM(id, en, zh) QM_HUB_##id,
typedef enum qm_hub_text { QM_HUB_TEXTS(QM_HUB_TEXT_ENUM) QM_HUB_TEXT_COUNT } qm_hub_text;
#undef QM_HUB_TEXT_ENUM

/* Static text. */
const char *qm_hub_say(qm_lang lang, qm_hub_text id);

#endif
