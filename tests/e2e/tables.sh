#!/bin/bash
# sql, search, rebuild, attach and attachments as people use them: two phones and a hub, then
# the phones alone. Every call is one TAP case: expected exit code, and what it must say.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
dir=$(mktemp -d) || exit 1
hub=
trap 'kill -9 $hub 2>/dev/null; chmod -R u+rwX "$dir"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset LANG LANGUAGE LC_MESSAGES QIANMO_DB NO_COLOR
export LC_ALL=C.UTF-8 TZ=CST-8

cases=0
report() { # RESULT NAME
  cases=$((cases + 1))
  if [ "$1" = 0 ]; then
    echo "ok $cases - tables: ${2//$'\n'/ }"
  else
    echo "not ok $cases - tables: ${2//$'\n'/ }"
    sed 's/^/# stdout: /' out
    sed 's/^/# stderr: /' err
  fi
}

# q PHONE EXIT PATTERN ARGUMENT...: stdout and stderr together match the pattern (ERE, or empty).
q() {
  local phone=$1 want=$2 pattern=$3 got bad=0
  shift 3
  "$build/qianmo" --db "$phone.db" "$@" >out 2>err </dev/null
  got=$?
  [ "$got" = "$want" ] || bad=1
  [ -z "$pattern" ] || cat out err | grep -Eq -- "$pattern" || bad=1
  report "$bad" "$phone: $* => $want (got $got)"
}

says() { # NAME PATTERN: the last output has a line like this
  cat out err | grep -Eq -- "$2"
  report $? "$1"
}

silent() { # NAME PATTERN: the last output has none
  ! cat out err | grep -Eq -- "$2"
  report $? "$1"
}

same() { # NAME GOT WANT
  printf '%s\n' "$2" >out
  printf '%s\n' "$3" >err
  [ "$2" = "$3" ]
  report $? "$1"
}

quiet() { local phone=$1; shift; "$build/qianmo" --db "$phone.db" "$@" 2>>trace; }

# ---- a hub and two phones ----
perl -Mutf8 -MJSON::PP -e '
  local $/; open my $in, "<", $ARGV[0]; my $s = decode_json(<$in>);
  push @{$s->{collections}[1]{fields}}, {name => "photos", number => 900, type => "set",
    value => "map", class => "work", label => {zh => "照片", en => "Photos"}};
  open my $o, ">", "grid.json"; print $o JSON::PP->new->utf8->canonical->encode($s);
' "$here/fixtures/schemas/plain.json"
"$build/qianmod" init hub --name 'Stone Bridge' --listen 127.0.0.1:0 >>trace 2>&1
"$build/qianmod" space add hub grid --schema grid.json >>trace 2>&1
mkfifo fifo
"$build/qianmod" run hub >fifo 2>>trace &
hub=$!
read -r line <fifo
for who in east west; do
  code=$("$build/qianmod" enroll hub --member "Member $who" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  quiet $who init >>trace
  quiet $who enroll --hub "127.0.0.1:${line##*:}" --code "$code" >>trace
done
one=$(quiet east new household number=101 head='样例甲' address='石桥路 3 号' tags=elderly)
two=$(quiet east new household number=102 head='B. Sample' address='Lane 4')
light=$(quiet east new incident title='street light out' stage=reported household="$two" \
  steps='looked at it in Lane 4')
quiet east sync >>trace && quiet west sync >>trace
q west 0 '2 records' list household

# ---- sql ----
q west 0 'B. Sample +Lane 4' sql 'SELECT head, address FROM household ORDER BY number'
says 'a table counts its rows' '^2 rows$'
q west 0 '^样例甲,石桥路 3 号' sql 'SELECT head, address FROM household ORDER BY number' --csv
same 'the first line of csv names the columns' "$(head -1 out | tr -d '\r')" head,address
q west 0 '^\["样例甲"\]$' --json sql 'SELECT head FROM household ORDER BY number'
same 'json: columns, rows, count' "$(head -1 out) $(tail -1 out)" \
  '{"columns":["head"]} {"rows":2,"more":false}'
q west 0 '^reported +1$' sql 'SELECT value, n FROM incident_stage_counts WHERE n > 0'
q west 0 'household +table' sql 'SELECT name, kind FROM _tables'
q west 0 '样例甲 +elderly' sql 'SELECT h.head, t.value FROM household h JOIN household_tags t USING (_row)'
q west 0 '^0 rows|^$' sql "SELECT head FROM household WHERE number = 'nobody'"
q west 0 '2 行' --lang zh sql 'SELECT head FROM household'
# What is wrong is said in SQLite's words; what is not reading is refused.
q west 2 'no such column: hed' sql 'SELECT hed FROM household'
q west 2 'syntax error' sql 'SELEC head FROM household'
q west 2 'one statement' sql 'SELECT 1; SELECT 2'
q west 2 'too few' sql
q west 2 'seconds' sql 'SELECT 1' --seconds none
for statement in 'DELETE FROM household' "UPDATE household SET head = 'x'" 'DROP TABLE household' \
  "INSERT INTO household (_row) VALUES (1)" 'PRAGMA user_version = 9' "ATTACH 'x.db' AS x" \
  'CREATE TABLE x (y)' 'SELECT * FROM meta' 'SELECT * FROM log' 'VACUUM' 'BEGIN IMMEDIATE' \
  "SELECT load_extension('x')" 'SELECT * FROM pragma_table_info(1)'; do
  q west 5 'EACCESS' sql "$statement"
done
q west 0 'B. Sample' sql 'SELECT head FROM household'
q west 4 'ETIMEOUT' sql --seconds 1 \
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'
[ ! -e x.db ]; report $? 'nothing was attached'

# ---- search ----
q west 0 '样例甲' search 样例
q west 0 '样例甲' search 石桥
q west 0 'B. Sample' search sample lane
q west 0 'B. Sample' search samp
silent 'and only what has every piece' 样例
q west 0 'street light' search light --collection incident
q west 0 'nothing found' search light --collection household
q west 0 'nothing found' search nobody
q west 0 '没有找到' --lang zh search nobody
q west 0 '"collection":"household"' --json search 样例
q west 0 'There may be more: --page 2' search lane --limit 1
q west 0 'nothing found' search lane --limit 1 --page 3
q west 2 'too few' search
q west 2 'limit' search x --limit 0
q west 2 'page' search x --page none
q west 3 '' search x --collection nothing

# ---- references of merged records ----
quiet east merge household "$one" "$two" >>trace
quiet east sync >>trace && quiet west sync >>trace
q west 0 '1 record' list household
for id in "$one" "$two" key:101 key:102; do
  q west 0 'street light out' list incident --where "household=$id"
done
q west 0 '^street light out +101$|^street light out +102$' sql \
  'SELECT i.title, h.number FROM incident i JOIN household h ON i.household = h._id'
quiet west unmerge household "$two" >>trace
q west 0 '^street light out +102$' sql \
  'SELECT i.title, h.number FROM incident i JOIN household h ON i.household = h._id'
q west 0 'street light out' list incident --where "household=$two"
q west 0 'no records|^$' list incident --where "household=$one"

# ---- photos ----
printf '\377\330\377\340\0\020JFIF\0\1\1\0\0\1\0\1\0\0\377\331' >light.jpg
mkdir folder && : >empty.jpg
q east 0 'no attachments' attachments
q east 0 'attached light.jpg, image/jpeg, ' attach light.jpg incident "$light" photos
rm light.jpg
q east 0 'photos: .*on this phone only' get incident "$light"
q east 0 'incident .*photos +image/jpeg .*on this phone only' attachments
q east 0 '仅在本机' --lang zh attachments incident
q east 0 '"status":"here-only","path":"' --json attachments incident "$light"
[ -s "$(sed 's/.*"path":"\([^"]*\)".*/\1/' out)" ]; report $? 'the file is where it says'
q east 3 'cannot read the file' attach nowhere.jpg incident "$light" photos
q east 2 '' attach folder incident "$light" photos
q east 2 '' attach empty.jpg incident "$light" photos
q east 3 'no record whose id begins so' attach "$here/README.md" incident ZZZZ photos
q east 5 'ESCHEMA' attach "$here/README.md" incident "$light" title
q east 2 'no field|nophoto' attach "$here/README.md" incident "$light" nophoto
q east 2 'too few' attach light.jpg incident "$light"
q east 2 'too many' attachments incident "$light" photos
q east 0 'photos +image/jpeg' attachments
same 'what was refused is not listed' "$(quiet east --json attachments | grep -c .)" 1
quiet east sync >>trace && quiet west sync >>trace
q west 0 'photos +image/jpeg .*announced, not present' attachments
q west 0 'photos: .*announced, not present' get incident "$light"
q west 0 '"status":"announced"' --json attachments incident "$light"
silent 'no path to what is not here' '"path"'

# ---- alone: everything but the hub goes on ----
kill -TERM "$hub"
wait "$hub"
hub=
q west 4 '' sync
quiet west set household key:101 head='样例丙' >>trace
q west 0 '样例丙' sql 'SELECT head FROM household'
q west 0 '样例丙' search 样例丙
q west 0 'nothing found' search 样例甲
q west 0 'attached .*README.md, ' attach "$here/README.md" incident "$light" photos
q west 0 'announced, not present' attachments
says 'one of the two is here' 'on this phone only'

# ---- rebuild ----
before=$(quiet west sql 'SELECT _id, number, head FROM household ORDER BY _id' --csv)
q west 0 'tables and index made anew' rebuild
same 'the tables are as they were' \
  "$(quiet west sql 'SELECT _id, number, head FROM household ORDER BY _id' --csv)" "$before"
q west 0 '样例丙' search 样例丙
q west 0 '^\{"rebuilt":true\}$' --json rebuild
q west 0 '已重建表和索引' --lang zh rebuild
q west 2 'too many' rebuild household
quiet alone init >>trace # no space, no hub
q alone 0 '^0 rows' sql 'SELECT name FROM _tables'
q alone 3 'no space yet' attachments
q alone 0 'nothing found' search x
q alone 0 'tables and index made anew' rebuild
q nobody 3 'no database' rebuild
q nobody 3 'no database' sql 'SELECT 1'
q nobody 3 'no database' search x
q nobody 3 'no database' attachments

echo "1..$cases"
