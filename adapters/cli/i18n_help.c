/* i18n_help.c: what `qianmo help VERB` says. The examples fit fixtures/schemas/plain.json. */
#include <string.h>

#include "adapters/cli/i18n.h"

static const qm_help helps[] = {
    {"init",
     {"[--schema FILE] [--space NAME]", "[--schema 文件] [--space 名称]"},
     {"make a new database", "新建数据库"},
     {"Makes the database and a key of this device. With --schema it also makes a space that\n"
      "lives on this device alone, to try things out without a hub.\n\n"
      "  qianmo init\n"
      "  qianmo --db try.db init --schema fixtures/schemas/plain.json\n",
      "新建数据库和本设备的密钥。带 --schema 时另建一个只在本设备上的空间，\n"
      "不连中心也可试用。\n\n"
      "  qianmo init\n"
      "  qianmo --db try.db init --schema fixtures/schemas/plain.json\n"}},
    {"enroll",
     {"--hub HOST:PORT --code CODE [--name NAME]", "--hub 主机:端口 --code 登记码 [--name 名称]"},
     {"join a hub with a one-time code", "用一次性登记码向中心登记"},
     {"The office makes the code (`qianmod enroll`); it works once. The database is made where\n"
      "there is none; what was written before stays.\n\n"
      "  qianmo enroll --hub hub.example:7443 --code abcd-efgh-… --name 'phone 3'\n",
      "登记码由办公室生成（qianmod enroll），只能用一次。没有数据库时会新建；\n"
      "以前录入的内容保留。\n\n"
      "  qianmo enroll --hub hub.example:7443 --code abcd-efgh-… --name 三号手机\n"}},
    {"spaces",
     {"", ""},
     {"list the spaces of this device", "列出本设备的空间"},
     {"", ""}},
    {"schema",
     {"[FILE | check FILE | diff OLD NEW | pack FILE]",
      "[文件 | check 文件 | diff 旧文件 新文件 | pack 文件]"},
     {"show the collections and fields; change a local space's; check schema files",
      "显示集合和字段；更新本地空间的数据结构；检查数据结构文件"},
     {"With FILE (JSON), makes a space without a hub, or brings it a newer version: where there\n"
      "is one space that one, else the one named by --space. A hub's space gets its schema from\n"
      "the hub. `check` and `diff` only look at files: check says what is wrong where, diff\n"
      "lists what a newer version adds and refuses what none may do (exit 5); pack prints it\n"
      "with the files of codes and calendars that it names in their places.\n\n"
      "  qianmo schema\n"
      "  qianmo schema fixtures/schemas/plain.json --space try\n"
      "  qianmo schema check plain.json\n"
      "  qianmo schema diff plain.json plain-2.json\n",
      "带文件（JSON）时新建本地空间或更新其数据结构：只有一个空间时就是它，\n"
      "否则用 --space 指明。中心的空间由中心下发数据结构。check 和 diff 只看文件：\n"
      "check 指出哪里有错，diff 列出新版本的改动，不允许的改动以退出码 5 拒绝；\n"
      "pack 打印并入了所引用的代码表、日历文件的完整数据结构。\n\n"
      "  qianmo schema\n"
      "  qianmo schema fixtures/schemas/plain.json --space try\n"
      "  qianmo schema check plain.json\n"
      "  qianmo schema diff plain.json plain-2.json\n"}},
    {"new",
     {"COLLECTION [FIELD=VALUE…]", "集合 [字段=值…]"},
     {"create a record and print its id", "新建记录并显示其编号"},
     {"Where the collection has a natural key and a record with this key is here already, that\n"
      "one is opened and nothing in it is changed. FIELD:=JSON gives a value as JSON.\n\n"
      "  qianmo new household number=12 head='A. Sample' tags=elderly\n"
      "  qianmo new incident title='street light out' stage=reported place=31.2,121.4,12,gcj02\n",
      "集合有自然键、而本机已有同键记录时，打开那条记录，不改动其内容。\n"
      "“字段:=JSON”用 JSON 写值。\n\n"
      "  qianmo new household 户号=12 户主=样例甲 服务标签=老人\n"
      "  qianmo new incident 标题=路灯不亮 stage=reported place=31.2,121.4,12,gcj02\n"}},
    {"set",
     {"COLLECTION RECORD FIELD=VALUE…", "集合 记录 字段=值…"},
     {"set fields", "设置字段"},
     {"A record is named by its id, the first four or more characters of it, or key:VALUE.\n"
      "Setting what is there already writes nothing; an empty value clears the field.\n"
      "FIELD:=JSON gives a value as JSON (FIELD:='\"\"' an empty text). All of it is one\n"
      "change.\n\n"
      "  qianmo set household key:12 phone=000-0012 address='Lane 3'\n"
      "  qianmo set incident 4Q0Z stage=processing\n",
      "记录用编号、编号的前四位以上或 key:值 指明。与现值相同则不写入；空值清空字段。\n"
      "“字段:=JSON”用 JSON 写值（空文字写 字段:='\"\"'）。一条命令是一次改动。\n\n"
      "  qianmo set household key:12 联系电话=000-0012 住址=三巷\n"
      "  qianmo set incident 4Q0Z stage=processing\n"}},
    {"add",
     {"COLLECTION RECORD FIELD=ELEMENT…", "集合 记录 字段=元素…"},
     {"add elements to a set", "向集合型字段加入元素"},
     {"  qianmo add household key:12 tags=elderly tags='lives alone'\n",
      "  qianmo add household key:12 服务标签=老人 服务标签=独居\n"}},
    {"remove",
     {"COLLECTION RECORD FIELD=ELEMENT…", "集合 记录 字段=元素…"},
     {"remove elements from a set; with --at, from a list", "从集合型字段移除元素；带 --at 时从列表移除"},
     {"Of a list, elements are named by their place, as `qianmo get` counts them:\n"
      "remove COLLECTION RECORD FIELD --at N [--count N].\n\n"
      "  qianmo remove household key:12 tags=elderly\n"
      "  qianmo remove incident 4Q0Z plan --at 2\n",
      "列表中的元素用位置指明，位置见“qianmo get”：remove 集合 记录 字段 --at N [--count N]。\n\n"
      "  qianmo remove household key:12 服务标签=老人\n"
      "  qianmo remove incident 4Q0Z 办理计划 --at 2\n"}},
    {"insert",
     {"COLLECTION RECORD FIELD=VALUE… [--at N]", "集合 记录 字段=值… [--at N]"},
     {"put elements into a list", "向列表插入元素"},
     {"The first one stands at place N, the others behind it; without --at at the end. What two\n"
      "people insert at one place at the same time stands one after the other.\n\n"
      "  qianmo insert incident 4Q0Z plan='call the electrician' --at 1\n",
      "第一个元素位于第 N 位，其余依次在后；不带 --at 时加在末尾。两人同时在同一处插入的\n"
      "内容会前后相接，不会混杂。\n\n"
      "  qianmo insert incident 4Q0Z 办理计划=联系电工 --at 1\n"}},
    {"replace",
     {"COLLECTION RECORD FIELD=VALUE… --at N", "集合 记录 字段=值… --at N"},
     {"put an element of a list in another's place", "替换列表中的元素"},
     {"Several values replace as many elements. If two people replace one element at the same\n"
      "time, both new ones stay.\n\n"
      "  qianmo replace incident 4Q0Z plan='call the grid office' --at 2\n",
      "给出几个值就替换几个元素。两人同时替换同一个元素时，两个新值都保留。\n\n"
      "  qianmo replace incident 4Q0Z 办理计划=联系供电所 --at 2\n"}},
    {"inc",
     {"COLLECTION RECORD FIELD[=N]…", "集合 记录 字段[=N]…"},
     {"count up (or down with a negative N)", "计数加 N（负数为减）"},
     {"Counts of several people at the same time add up.\n\n"
      "  qianmo inc household key:12 visits\n",
      "几个人同时计数会相加。\n\n"
      "  qianmo inc household key:12 走访次数\n"}},
    {"append",
     {"COLLECTION RECORD FIELD=VALUE…", "集合 记录 字段=值…"},
     {"add an entry to a log, or at the end of a text or list", "向日志追加一条，或在文字、列表末尾追加"},
     {"  qianmo append incident 4Q0Z steps='called the electrician'\n",
      "  qianmo append incident 4Q0Z 处理过程=已联系电工\n"}},
    {"raise",
     {"COLLECTION RECORD FIELD=VALUE…", "集合 记录 字段=值…"},
     {"move a max field up, such as the last visit", "把“最大”型字段（如最近走访）往上改"},
     {"A value that is not greater than the one shown writes nothing.\n\n"
      "  qianmo raise household key:12 last_visit=2026-03-01\n",
      "不大于现值时不写入。\n\n"
      "  qianmo raise household key:12 最近走访=2026-03-01\n"}},
    {"lower",
     {"COLLECTION RECORD FIELD=VALUE…", "集合 记录 字段=值…"},
     {"move a min field down, such as the first report", "把“最小”型字段（如首次上报）往下改"},
     {"A value that is not less than the one shown writes nothing.\n", "不小于现值时不写入。\n"}},
    {"delete",
     {"COLLECTION RECORD", "集合 记录"},
     {"delete a record", "删除记录"},
     {"An edit that somebody made without knowing of it brings the record back; that is listed\n"
      "by `qianmo conflicts`.\n",
      "别人在不知情时的修改会让记录恢复显示，并列入“qianmo conflicts”。\n"}},
    {"restore",
     {"COLLECTION RECORD", "集合 记录"},
     {"bring a deleted record back", "恢复已删除的记录"},
     {"Of a record that is not deleted, settles that somebody had deleted it.\n",
      "记录未被删除时，裁定别人的删除不算。\n"}},
    {"merge",
     {"COLLECTION RECORD RECORD", "集合 记录 记录"},
     {"say that two records are of one thing", "两条记录是同一对象时合并"},
     {"From then on either id means both, and they are shown as one. Each keeps what it has:\n"
      "`qianmo unmerge` takes them apart again, also after a sync. Where they differ,\n"
      "`qianmo conflicts` lists it.\n\n"
      "  qianmo merge household key:12 key:13\n",
      "合并后两个编号都指同一对象，显示为一条。各自的内容都保留：\n"
      "“qianmo unmerge”可随时分开，同步之后也可以。内容不同之处列入“qianmo conflicts”。\n\n"
      "  qianmo merge household key:12 key:13\n"}},
    {"reverse",
     {"COLLECTION RECORD FIELD ENTRY REASON", "集合 记录 字段 流水 事由"},
     {"take back an entry of a ledger by one of the opposite amount", "以相反金额冲正一笔流水"},
     {"ENTRY is its place in the log as `qianmo get` shows it, from 1, or its name (`--json`:\n"
      "\"entry\"). Nothing is deleted; an entry is reversed once.\n\n"
      "  qianmo reverse resident key:12 points 2 'entered twice'\n",
      "“流水”是“qianmo get”所示的第几条（从 1 起），或其名称（--json 的“entry”）。\n"
      "原流水保留；每笔只能冲正一次。\n\n"
      "  qianmo reverse resident key:12 points 2 重复录入\n"}},
    {"refer",
     {"COLLECTION RECORD SPACE", "集合 记录 空间"},
     {"refer a record to an upper space", "把一条记录上报到上级空间"},
     {"Makes a record there with the fields that the schema lets cross, and notes each in the\n"
      "other. Works offline where this device holds both spaces. Nobody above can read the\n"
      "rest.\n\n"
      "  qianmo refer incident 4Q0Z village-7 --space grid-3\n",
      "在上级空间建一条记录，只带数据结构允许上报的字段，两边互相注明。本机同时有两个空间时\n"
      "离线也可上报。其余内容上级看不到。\n\n"
      "  qianmo refer incident 4Q0Z village-7 --space grid-3\n"}},
    {"answers",
     {"COLLECTION [RECORD]", "集合 [记录]"},
     {"bring back what was answered to referred records", "取回对上报事项的答复"},
     {"Copies the answers of the upper records into the log of the lower ones. The upper space\n"
      "answers by `qianmo append`, in the field that its schema names.\n\n"
      "  qianmo answers incident --space grid-3\n",
      "把上级记录中的答复抄入下级记录的日志。上级用“qianmo append”在数据结构指定的字段中答复。\n\n"
      "  qianmo answers incident --space grid-3\n"}},
    {"unmerge",
     {"COLLECTION RECORD", "集合 记录"},
     {"take a record out of those it is merged with", "将一条记录从合并中分开"},
     {"RECORD is the id of the one to take out, as `qianmo get` shows it. The others stay\n"
      "together.\n",
      "“记录”是要分开的那一条的编号，见“qianmo get”。其余的仍在一起。\n"}},
    {"due",
     {"[--overdue]", "[--overdue]"},
     {"list what must be done by when", "列出限时事项和到期时间"},
     {"Of all spaces, or of one (--space): records on which a time limit of the schema runs, the\n"
      "soonest first, in the time of the schema's calendar. Holidays and swapped working days\n"
      "count. What is overdue is told by this device's clock as corrected at the last sync.\n\n"
      "  qianmo due\n"
      "  qianmo due --overdue --json\n",
      "列出各空间（或 --space 指定的空间）中正在计时的记录，最早到期的在前；时间按数据结构中\n"
      "工作日历所定的时区，节假日和调休都计算在内。是否超期，按本机在上次同步时校正过的\n"
      "时钟判断。\n\n"
      "  qianmo due\n"
      "  qianmo due --overdue --json\n"}},
    {"duplicates",
     {"[COLLECTION [RECORD]] | --dismiss|--undo [COLLECTION] RECORD RECORD",
      "[集合 [记录]] | --dismiss|--undo [集合] 记录 记录"},
     {"list records that are likely the same", "列出疑似重复的记录"},
     {"The schema says what counts: one phone, one address and a similar name, one place and\n"
      "time. The likeliest stand first, with the reasons. `qianmo merge` joins two that are the\n"
      "same; --dismiss says, for everybody, that two are not, and --undo takes that back\n"
      "(--dismissed lists them too). A value that very many records share counts for nothing.\n\n"
      "  qianmo duplicates household\n"
      "  qianmo duplicates household key:12\n"
      "  qianmo duplicates --dismiss household key:12 key:13\n",
      "数据结构规定凭什么判断：电话相同，地址相同且姓名相近，地点和时间相近等。\n"
      "最可能的在前，并附理由。是同一对象的用“qianmo merge”合并；不是的用 --dismiss 说明，\n"
      "对所有人有效，--undo 收回（--dismissed 也列出这些）。很多记录共有的值不作依据。\n\n"
      "  qianmo duplicates household\n"
      "  qianmo duplicates household key:12\n"
      "  qianmo duplicates --dismiss household key:12 key:13\n"}},
    {"split",
     {"COLLECTION RECORD [DEVICE]", "集合 记录 [设备]"},
     {"take apart what two people created under one key", "拆分两人用同一个键录入的记录"},
     {"What one of the two devices wrote goes to a new record: DEVICE's (the first characters of\n"
      "its id), else the one that is not the first.\n\n"
      "  qianmo split household key:12\n",
      "其中一台设备录入的内容移入新记录：用设备编号的前几位指明，省略时为后一台。\n\n"
      "  qianmo split household key:12\n"}},
    {"settle",
     {"ITEM --take N | ITEM --value VALUE | COLLECTION RECORD FIELD=VALUE…",
      "条目 --take 序号 | 条目 --value 值 | 集合 记录 字段=值…"},
     {"decide a conflict", "裁定冲突"},
     {"ITEM is the first column of `qianmo conflicts`: --take chooses one of the values listed\n"
      "there, --value writes another. What came since the list was read is not touched and\n"
      "stays on the list. The last form puts the value in place of all that is listed now; the\n"
      "collection may be left out: the record is then found among the conflicts. `qianmo undo`\n"
      "takes a decision back.\n\n"
      "  qianmo settle K7Q2M --take 2\n"
      "  qianmo settle K7Q2M --value 000-0014\n"
      "  qianmo settle household key:12 head='A. Sample'\n",
      "“条目”是“qianmo conflicts”的第一列：--take 选用列出的某个值，--value 另写一个值。\n"
      "列表读出之后新到的内容不受影响，仍列在冲突中。最后一种写法用该值代替目前列出的\n"
      "所有值；集合可省略，这时在冲突中查找记录。“qianmo undo”可撤回裁定。\n\n"
      "  qianmo settle K7Q2M --take 2\n"
      "  qianmo settle K7Q2M --value 000-0014\n"
      "  qianmo settle household key:12 户主=样例甲\n"}},
    {"undo",
     {"[ITEM]", "[条目]"},
     {"take back a conflict's settling", "撤回对冲突的裁定"},
     {"Without ITEM, the latest decision of this device. The values that it replaced stand there\n"
      "again and the conflict is listed as it was; what others wrote meanwhile stays. Where\n"
      "somebody has written over the decision, nothing is changed.\n\n"
      "  qianmo undo\n",
      "不带条目时撤回本机最近一次裁定。被裁掉的值重新写入，冲突照原样列出；其间别人写的\n"
      "内容保留。若裁定已被别人改写，则不作改动。\n\n"
      "  qianmo undo\n"}},
    {"get",
     {"COLLECTION RECORD", "集合 记录"},
     {"show a record, with its conflicts", "显示一条记录及其冲突"},
     {"  qianmo get household key:12\n", "  qianmo get household key:12\n"}},
    {"list",
     {"COLLECTION", "集合"},
     {"show the records of a collection as a table", "用表格显示集合中的记录"},
     {"Conditions compare a field with a value by = != < <= > >= or ~ (contains), with \" and \"\n"
      "between them; nothing behind = means empty. Of a set, = asks whether it holds the value.\n"
      "States are put in order by rank.\n\n"
      "  qianmo list household --fields number,head,last_visit\n"
      "  qianmo list incident --where 'stage=reported and title~light' --sort stage,-title\n"
      "  qianmo list household --where 'tags=elderly' --page 2 --limit 50\n",
      "条件用 = != < <= > >= 或 ~（包含）比较字段和值，用“ and ”连接；= 后为空表示没有值。\n"
      "集合型字段用 = 问其中有没有这个值。状态按等级排序。\n\n"
      "  qianmo list household --fields 户号,户主,最近走访\n"
      "  qianmo list incident --where '办理阶段=已上报 and 标题~路灯' --sort 办理阶段,-标题\n"
      "  qianmo list household --where '服务标签=老人' --page 2 --limit 50\n"}},
    {"attach",
     {"FILE COLLECTION RECORD FIELD", "文件 集合 记录 字段"},
     {"keep a photo or another file with a record", "把照片或其他文件附到记录上"},
     {"The file is copied beside the database. It is on this device only: files are not sent yet.\n"
      "The field is a register, set or log of kind map.\n\n"
      "  qianmo attach light.jpg incident 4Q0Z photos\n",
      "文件复制到数据库旁，目前只在本机，还不能传送。字段须是 map 类型的单值、集合或日志。\n\n"
      "  qianmo attach 路灯.jpg incident 4Q0Z photos\n"}},
    {"attachments",
     {"[COLLECTION [RECORD]]", "[集合 [记录]]"},
     {"list photos and other files, and whether they are here", "列出照片等附件及其是否在本机"},
     {"", ""}},
    {"search",
     {"TEXT…", "文字…"},
     {"find records by names, addresses, words, numbers", "按姓名、地址、词语、号码查找记录"},
     {"Every piece must occur: two characters of a name, a part of an address, the beginning of\n"
      "a word or number. Fields of class sensitive and sealed ones are not searched.\n\n"
      "  qianmo search 'A. Sample'\n"
      "  qianmo search Lane 3 --collection household\n",
      "每一段都要出现：姓名的两个字、地址的一部分、词语或号码的开头。不搜敏感和加封的字段。\n\n"
      "  qianmo search 样例\n"
      "  qianmo search 三巷 12 --collection household\n"}},
    {"sql",
     {"'SELECT …'", "'SELECT …'"},
     {"read the tables of records with SQL", "用 SQL 查询记录的表"},
     {"One table a collection, called as it, with a column a field, and COLLECTION_FIELD for each\n"
      "set, list and log (join by _row); views COLLECTION_open, …_counts, …_due, …_balance.\n"
      "_tables and _spaces list what there is. It can only read these.\n\n"
      "  qianmo sql 'SELECT name, kind FROM _tables'\n"
      "  qianmo sql 'SELECT value, n FROM incident_stage_counts ORDER BY rank'\n"
      "  qianmo sql 'SELECT head, phone FROM household' --csv\n",
      "每个集合一张同名的表，每个字段一列；集合、列表、日志型字段另有“集合_字段”表（用 _row 连接）；\n"
      "另有视图“集合_open”、“…_counts”、“…_due”、“…_balance”。_tables 和 _spaces 列出全部。只能读。\n\n"
      "  qianmo sql 'SELECT name, kind FROM _tables'\n"
      "  qianmo sql 'SELECT label_zh, n FROM incident_stage_counts ORDER BY rank'\n"
      "  qianmo sql 'SELECT head, phone FROM household' --csv\n"}},
    {"export-hub",
     {"FILE", "文件"},
     {"write what a hub that lost its database needs to begin again", "导出供中心重建数据库的文件"},
     {"For a hub of which only the keys and settings are left (qianmod recover DIR --from FILE):\n"
      "the spaces of this device, their secrets and schemas, and whose devices they name. Records\n"
      "are not in it; they come with the next sync. The file is as secret as a key.\n",
      "用于只剩密钥和设置的中心（qianmod recover 目录 --from 文件）：包含本机各空间及其密钥、\n"
      "数据结构，以及其中登记的设备。记录不在其中，随下一次同步送达。此文件须像密钥一样保管。\n"}},
    {"check",
     {"", ""},
     {"check that what is stored is what was written", "检查保存的内容是否与写入时一致"},
     {"Reads every record and compares it with its hash. What was lost or went bad (a worn disk)\n"
      "is told, and replaced by the next syncs; what is not sent yet stays.\n",
      "读取每条记录并与其校验值比对。丢失或损坏的记录（例如磁盘老化）会指出，并在以后的同步中\n"
      "替换；尚未送出的内容保留。\n"}},
    {"keep",
     {"[days=N] [mb=N]", "[days=天数] [mb=MB数]"},
     {"how much history this device keeps", "本机保留多少修改记录"},
     {"Shows the setting, or changes it. The oldest parts go after a sync, when they are older or\n"
      "more than that; 0 is no limit. Never what the hub does not hold, and nothing written here\n"
      "that is not in a backup yet. The hub keeps its history for as long as it is set to.\n\n"
      "  qianmo keep days=30 mb=64\n",
      "显示或修改设置。超过天数或大小的最旧部分在同步后删去；0 表示不限。中心尚未收到的、\n"
      "本机写下而尚未备份的，绝不删去。中心按自己的设置保留全部修改记录。\n\n"
      "  qianmo keep days=30 mb=64\n"}},
    {"rebuild",
     {"", ""},
     {"make the tables and the search index anew from the records", "从记录重建表和搜索索引"},
     {"Nothing is lost by it; the tables follow the records by themselves otherwise.\n",
      "不会丢失任何内容；平时表会自动跟随记录。\n"}},
    {"log",
     {"COLLECTION RECORD", "集合 记录"},
     {"show who changed what in a record, and when", "显示记录何时被何人改过"},
     {"", ""}},
    {"changes",
     {"[--since CURSOR] [--follow]", "[--since 游标] [--follow]"},
     {"what changed, here or by a sync, since a cursor", "某个游标以后本机或同步带来的改动"},
     {"Shows each record that changed once, with its fields, and at the end the cursor to go on\n"
      "from. Without a cursor, or with one of before a backup was restored, anything may have\n"
      "changed: read anew, and go on from the cursor shown.\n\n"
      "  qianmo changes --json\n"
      "  qianmo changes --since 00c0ffee00c0ffee-17 --follow\n",
      "每条有改动的记录显示一次及其字段，最后给出以后继续用的游标。没有游标，或游标\n"
      "早于恢复的备份时，任何内容都可能有变：请重新读取，再从显示的游标继续。\n\n"
      "  qianmo changes --json\n"
      "  qianmo changes --since 00c0ffee00c0ffee-17 --follow\n"}},
    {"conflicts",
     {"[COLLECTION]", "[集合]"},
     {"list what was written at the same time and waits for a decision",
      "列出同时写下、等待裁定的内容"},
     {"The gravest first, of all spaces. * marks the value that is shown. Decide with\n"
      "`qianmo settle ITEM --take N` or `--value VALUE`, from the list as it was read. What\n"
      "nobody decides within the schema's review time the hub settles for the value shown.\n\n"
      "  qianmo conflicts\n"
      "  qianmo conflicts household --record key:12\n"
      "  qianmo conflicts --severity high --class contradict\n",
      "程度重的在前，包括所有空间。* 表示当前显示的值。用“qianmo settle 条目 --take 序号”\n"
      "或“--value 值”裁定，以读出的列表为准。超过裁定期限无人处理的，由中心按显示的值裁定。\n\n"
      "  qianmo conflicts\n"
      "  qianmo conflicts household --record key:12\n"
      "  qianmo conflicts --severity high --class contradict\n"}},
    {"inbox",
     {"[read [ITEM] | restore ITEM]", "[read [条目] | restore 条目]"},
     {"what became of your values that others overwrote",
      "您写的内容被别人覆盖或裁定时的通知"},
     {"What you wrote and is no longer shown, because somebody wrote at the same time, had not\n"
      "seen it, or settled a conflict: with what you wrote and what is shown instead. `restore`\n"
      "writes yours again; `read` marks one, or all, as read; --all shows these too.\n\n"
      "  qianmo inbox\n"
      "  qianmo inbox restore K7Q2M\n",
      "您写过、现在不再显示的内容：有人同时写下、没看到就覆盖，或裁定了冲突。列出您写的\n"
      "和现在显示的。restore 重新写入您的内容；read 把一条或全部标为已读；--all 也显示已读的。\n\n"
      "  qianmo inbox\n"
      "  qianmo inbox restore K7Q2M\n"}},
    {"status",
     {"", ""},
     {"what is unsent, the last sync, conflicts, certificate, space left",
      "未送出的改动、上次同步、冲突、证书、剩余空间"},
     {"", ""}},
    {"sync",
     {"[--stay]", "[--stay]"},
     {"exchange changes with the hub", "与中心交换改动"},
     {"Cut at any point, nothing is lost: the next sync goes on from there. With --stay it stays\n"
      "connected: what others change comes as the hub gets it, what is written here (also by\n"
      "other commands) goes up, and after a cut it connects again.\n\n"
      "  qianmo sync\n"
      "  qianmo sync --stay\n",
      "随时中断都不会丢失数据，下次同步从中断处继续。带 --stay 时保持连接：别人的改动\n"
      "一到中心就收到，本机（包括其他命令）的改动随即上传，断线后自动重连。\n\n"
      "  qianmo sync\n"
      "  qianmo sync --stay\n"}},
    {"export-refused",
     {"", ""},
     {"show own changes that the hub refused", "显示被中心拒收的本机改动"},
     {"With --json, one object a line, to keep or to send to the office.\n",
      "带 --json 时一行一个对象，可保存或发给办公室。\n"}},
    {"replay",
     {"TRACE.jsonl[.gz] [--via memory|tls] [--dir DIR] [--dump FILE] [--json]",
      "TRACE.jsonl[.gz] [--via memory|tls] [--dir 目录] [--dump 文件] [--json]"},
     {"play a recorded trace and compare the replicas", "重放记录并比较各副本"},
     {"A measuring tool. With --device N --db FILE --hub HOST:PORT it plays the lines of one\n"
      "device on an enrolled database.\n",
      "测量工具。带 --device N --db 文件 --hub 主机:端口 时，在已登记的数据库上\n"
      "只重放一台设备的内容。\n"}},
    {"help",
     {"[VERB]", "[命令]"},
     {"show this, or what a verb does", "显示总说明或某个命令的说明"},
     {"", ""}},
    {"version",
     {"", ""},
     {"show the version", "显示版本"},
     {"", ""}},
};

const qm_help *qm_help_find(const char *verb) {
  for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
    if (strcmp(helps[i].verb, verb) == 0) return &helps[i];
  return NULL;
}
