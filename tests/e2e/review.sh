#!/bin/bash
# Two phones, an office computer and a hub: what people see of a conflict, how they settle it from
# the list as they read it, take that back, and how the one who lost learns it. All names and
# numbers are invented.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
dir=$(mktemp -d) || exit 1
hub=
trap 'test -n "$hub" && kill -9 "$hub" 2>/dev/null; rm -rf "$dir"' EXIT
cp "$here/fixtures/schemas/plain.json" "$dir/" && cd "$dir" || exit 1
unset LANG LANGUAGE LC_MESSAGES QIANMO_DB NO_COLOR
export LC_ALL=C.UTF-8 TZ=CST-8

cases=0
report() { # RESULT NAME
  cases=$((cases + 1))
  if [ "$1" = 0 ]; then
    echo "ok $cases - review: $2"
  else
    echo "not ok $cases - review: $2"
    sed 's/^/# /' out err
  fi
}
# q EXIT PATTERN WHO ARGUMENT...: what one of the three does, and what it says
q() {
  local want=$1 pattern=$2 who=$3 got bad=0
  shift 3
  "$build/qianmo" --db "$who.db" "$@" >out 2>err </dev/null
  got=$?
  [ "$got" = "$want" ] || bad=1
  [ -z "$pattern" ] || cat out err | grep -Eq -- "$pattern" || bad=1
  report "$bad" "$who $* => $want (got $got)"
}
says() { cat out err | grep -Eq -- "$2"; report $? "$1"; }
silent() { ! cat out err | grep -Eq -- "$2"; report $? "$1"; }
do_() { local who=$1; shift; "$build/qianmo" --db "$who.db" "$@" >/dev/null 2>&1; }
sync() { for who in "$@"; do do_ "$who" sync || report 1 "sync $who"; done; }
# item WHO PATTERN: of the first line of the list that matches
item() {
  "$build/qianmo" --db "$1.db" --json conflicts >out 2>err
  grep -E -- "$2" out | head -1 | sed 's/.*"item":"\([0-9A-Z]*\)".*/\1/'
}
told() { "$build/qianmo" --db "$1.db" --json inbox --all | head -1 | sed 's/.*"item":"\([0-9A-Z]*\)".*/\1/'; }
token() { "$build/qianmo" --db "$1.db" --json get household "$2" | sed 's/.*"token":"\([^"]*\)".*/\1/'; }

"$build/qianmod" init hub --listen 127.0.0.1:0 >out 2>err && mkfifo fifo &&
  "$build/qianmod" space add hub 青石三组 --schema plain.json >>out 2>>err
report $? "a hub with a space"
"$build/qianmod" run hub >fifo 2>log &
hub=$!
read -r line <fifo
port=${line##*:}
for who in 甲 乙 室; do
  code=$("$build/qianmod" --json enroll hub --member "样例$who" --role grid --space 青石三组 |
    sed 's/.*"code":"\([^"]*\)".*/\1/')
  "$build/qianmo" --db "$who.db" enroll --hub "127.0.0.1:$port" --code "$code" >out 2>err
  report $? "enrol $who"
done
sync 甲 乙 室

# ---- listed, with names, severity and both values ----
do_ 甲 new household number=12 head=样例甲户 phone=000-0012
sync 甲 乙 室
do_ 甲 set household key:12 phone=000-0013
do_ 乙 set household key:12 phone=000-0014
sync 甲 乙 甲 室
q 0 '一般 +户 [0-9A-Z]{6} 12 样例甲户 +联系电话 +1\* +000-0014 +样例乙 +20.*同时写下' 室 --lang zh conflicts
says 'the other value stands below, by its author' '^ +2 +000-0013 +样例甲 +20'
says 'what to do is said' '裁定：qianmo settle [0-9A-Z]{5} --take 2'
q 0 '1 conflict \(normal 1\)' 室 conflicts household --record key:12
q 0 'no conflicts' 室 conflicts --severity high
q 0 'no conflicts' 室 conflicts --class contradict
q 2 'low, normal or high' 室 conflicts --severity grave
q 2 'no such class|EINVAL' 室 conflicts --class lost
q 2 'needs the collection' 室 conflicts --record key:12
q 3 'no such record' 室 conflicts household --record key:99
q 0 '^conflicts +1 \(normal 1\)' 室 status
"$build/qianmod" conflicts hub 青石三组 >out 2>err
says 'the hub lists it too' 'normal +青石三组 +Household [0-9A-Z]{6} 12 样例甲户 +Phone +1\* +000-0014 +样例乙'
"$build/qianmod" conflicts hub nowhere >out 2>err
[ $? = 3 ]; report $? 'a space that the hub does not have'
"$build/qianmod" --json conflicts hub >out 2>err
says 'and as JSON' '"severity":"normal","field":"phone","class":"sibling"'

# ---- who lost learns it, once ----
q 0 'Phone: written at the same time' 甲 inbox
says 'with what it wrote' 'you wrote +000-0013'
says 'and what is shown, by whom' 'shown now +000-0014 +\(样例乙'
q 0 '^inbox +1 unread' 甲 status
q 0 'nothing new' 乙 inbox
sync 甲
q 0 '"entries":1,"unread":1' 甲 --json inbox

# ---- settled from the list as it was read (29) ----
one=$(item 室 '"field":"phone"')
do_ 甲 set household key:12 phone=000-0015 --token "$(token 甲 key:12)"
sync 甲 室
q 0 "settled: ${one:0:5}" 室 settle "${one:0:5}" --take 2
q 3 'settled already|not there any more|list the conflicts' 室 settle "$one" --take 1
q 0 '"phone":"000-0013"' 室 --json get household key:12
q 0 '000-0015' 室 conflicts # what came after the list was read stays on it
# ---- for the value that is shown (30), and a third one ----
one=$(item 室 '"field":"phone"')
q 0 "settled: $one" 室 settle "$one" --take 1
q 0 'no conflicts' 室 conflicts
q 0 'conflict is listed again' 室 undo
q 0 '1 conflict' 室 conflicts
one=$(item 室 '"field":"phone"')
q 2 'either --take N or --value' 室 settle "$one" --take 1 --value x
q 2 'has no value number 7' 室 settle "$one" --take 7
q 3 'no item begins with ZZZZ' 室 settle ZZZZ --take 1
q 0 'qianmo undo [0-9A-Z]{5}' 室 settle "$one" --value 000-0016
q 0 '"phone":"000-0016"' 室 --json get household key:12
sync 室 甲 乙
for who in 甲 乙 室; do q 0 'no conflicts' $who conflicts; done
q 0 '冲突被裁定为别的值|超过裁定期限' 乙 --lang zh inbox
says 'the one who had won is told too' '您写的 +000-0014'
says 'and what stands there now' '000-0016'

# ---- one step back ----
one=$(told 乙)
q 3 'no such entry|ENOTFOUND' 乙 inbox restore ZZZZ
q 2 'restore' 乙 inbox restore
q 0 'written again' 乙 inbox restore "${one:0:5}"
q 0 '"phone":"000-0014"' 乙 --json get household key:12
q 0 'nothing new' 乙 inbox
q 0 'your value is shown again' 乙 inbox --all
sync 乙 室
do_ 室 settle household key:12 phone=000-0017
do_ 乙 set household key:12 phone=000-0018 # has not seen it
sync 室 乙 室
do_ 室 settle household key:12 phone=000-0018
do_ 室 set household key:12 phone=000-0019
q 4 'written over it since' 室 undo
q 3 'nothing was settled' 室 undo ZZZZ
q 0 'marked as read' 甲 inbox read
q 0 'nothing new' 甲 inbox

# ---- saved from an old form (14) ----
do_ 室 settle household key:12 phone=000-0020
sync 室 甲 乙
old=$(token 甲 key:12)
do_ 乙 set household key:12 phone=000-0021
sync 乙 甲
do_ 甲 set household key:12 phone=000-0022 --token "$old"
sync 甲 乙
q 0 'overwritten unread' 甲 conflicts
q 0 'overwritten by somebody who had not seen it' 乙 inbox
do_ 甲 settle household key:12 phone=000-0022
sync 甲 乙 室

# ---- one deletes, another edits (20) ----
do_ 甲 delete household key:12
do_ 乙 set household key:12 head=样例新户
sync 甲 乙 甲 室
q 0 'high +Household [0-9A-Z]{6} 12 样例新户 +1\* +edit(ed)? +样例乙 +deleted by one, edited by another' 室 conflicts
q 0 'you did +the record deleted' 甲 inbox
one=$(item 室 '"class":"deleted"')
q 2 'concerns the record as a whole' 室 settle "$one" --value x
q 0 "settled: $one" 室 settle "$one" --take 1
sync 室 甲
q 0 'no conflicts' 甲 conflicts
q 0 '"head":"样例新户"' 甲 --json get household key:12

# ---- one number, two households (28) ----
do_ 甲 new household number=40 head=样例丙
do_ 乙 new household number=40 head=样例丁
sync 甲 乙 室
q 0 'one key, created twice' 室 conflicts
one=$(item 室 '"class":"same-key"')
q 2 'at the records themselves' 室 settle "$one" --take 1
do_ 室 split household key:40
q 0 'one key, created twice' 室 conflicts # both still show the number
sync 室

# ---- states that cannot follow each other ----
do_ 甲 new incident title=样例路灯 stage=resolved
sync 甲 乙
id=$("$build/qianmo" --db 乙.db --json list incident | sed -n 's/.*"id":"\([^"]*\)".*样例路灯.*/\1/p')
do_ 甲 set incident "$id" stage=closed
do_ 乙 set incident "$id" stage=processing
sync 甲 乙 室
q 0 'Incident [0-9A-Z]{6} 样例路灯 +Stage' 室 conflicts incident

# ---- the index is made anew with the tables ----
"$build/qianmo" --db 室.db conflicts >before 2>err
q 0 'made anew' 室 rebuild
"$build/qianmo" --db 室.db conflicts >after 2>err
cmp -s before after; report $? 'the list is the same after a rebuild'
kill "$hub"; wait "$hub"; hub=
"$build/qianmod" maintain hub >out 2>err
says 'maintain settles nothing before its time' '0 conflicts settled'
echo "1..$cases"
