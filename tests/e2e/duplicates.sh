#!/bin/sh
# Two phones enter the same household without a network, under two numbers. After a sync both
# list the pair; one says that another pair is not the same, the other merges; they end equal.
set -u
dir=$(mktemp -d) || exit 1
hub=
trap 'for p in $hub; do kill -9 "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
n=0

check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
phone() { name=$1; shift; "$BUILD/qianmo" --db "$dir/$name.db" "$@" 2>"$dir/err"; }
both() { phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null; }
pairs() { phone "$1" duplicates household --json | sed -n 's/^{"pairs":\([0-9]*\),.*/\1/p'; }

echo "1..19"
"$BUILD/qianmod" init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >/dev/null
"$BUILD/qianmod" space add "$dir/hub" grid --schema fixtures/schemas/plain.json >/dev/null
mkfifo "$dir/fifo"
"$BUILD/qianmod" run "$dir/hub" >"$dir/fifo" 2>"$dir/log" &
hub=$!
read -r line <"$dir/fifo"
port=${line##*:}
for who in east west; do
  code=$("$BUILD/qianmod" enroll "$dir/hub" --member "Sample-$who" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$who" init >/dev/null
  phone "$who" enroll --hub "127.0.0.1:$port" --code "$code" >/dev/null
done

phone east new household number=11 head=王小明 phone='139 0000 0001' address=样例路十二号 >/dev/null
phone east new household number=12 head=李四 phone='028-00001111' >/dev/null
phone west new household number=21 head=王晓明 phone='+86 13900000001' address=样例路12号 >/dev/null
test ! -s "$dir/err"; check $? "nobody knows of the other's household yet"
phone west new household number=22 head=李小四 phone='(028)00001111' >/dev/null
test "$(pairs east)$(pairs west)" = 00; check $? "neither phone lists a pair"
both; check $? "both sync"
test "$(pairs east)$(pairs west)" = 22; check $? "both list both pairs"
phone east duplicates household >"$dir/east"
phone west duplicates household >"$dir/west"
cmp -s "$dir/east" "$dir/west"; check $? "in the same words"
grep -q '^ *87 .*same phone$' "$dir/east" && grep -q 'same address, similar head 66 %$' "$dir/east"
check $? "with score and reasons"
phone east new household number=31 phone=13900000001 >/dev/null
grep -q 'there may be one already: household [0-9A-Z]* 11 王小明 (same phone)' "$dir/err"
check $? "whoever enters a third one is told"
phone east new household number=32 phone=13900000001 --json >"$dir/out"
grep -q '"duplicates":\[{"collection":"household","a":' "$dir/out"; check $? "and so is a program"
phone east delete household key:31 >/dev/null && phone east delete household key:32 >/dev/null
test "$(pairs east)" = 2; check $? "deleted records are no duplicates"

phone east duplicates --dismiss household key:12 key:22 >"$dir/out"
grep -q 'not the same: household key:12 and key:22' "$dir/out"; check $? "one says: not the same"
phone west merge household key:11 key:21 >/dev/null; check $? "the other merges two"
test "$(pairs east)$(pairs west)" = 11; check $? "each has one pair left"
both; check $? "both sync again"
test "$(pairs east)$(pairs west)" = 00; check $? "no pair is left on either"
phone west duplicates household --dismissed | grep -q 'same phone (said not to be)$'
check $? "what was said to be distinct can be listed"
phone west unmerge household key:21 >/dev/null
test "$(pairs west)" = 1; check $? "taken apart, they are a pair again"
phone west duplicates --undo key:22 key:12 >"$dir/out" && test "$(pairs west)" = 2
check $? "taken back, the other too"
both
test "$(pairs east)$(pairs west)" = 22; check $? "and so on the other phone"
phone east status --json >"$dir/east"
phone west status --json >"$dir/west"
d=$(sed 's/.*"digest":"\([0-9a-f]*\)".*/\1/' "$dir/east")
test -n "$d" && grep -q "\"digest\":\"$d\"" "$dir/west"; check $? "the phones hold the same"
