#!/bin/sh
# A phone's database is put back, in place, to what it was before the last sync: its instance id
# does not tell. It writes on as the same author. What it wrote before and after is at all in the
# end, once; the office reads what was reissued.
set -u
dir=$(mktemp -d) || exit 1
hub=
trap 'test -n "$hub" && kill -9 "$hub" 2>/dev/null; rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
n=0

check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else echo "not ok $n - $2"; cat "$dir/err"; fi
}

phone() { name=$1; shift; "$BUILD/qianmo" --db "$dir/$name.db" "$@" 2>>"$dir/err"; }

echo "1..9"
"$BUILD/qianmod" init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out" &&
  "$BUILD/qianmod" space add "$dir/hub" grid --schema fixtures/schemas/plain.json >"$dir/out"
check $? "a hub"
mkfifo "$dir/fifo"
"$BUILD/qianmod" run "$dir/hub" >"$dir/fifo" 2>>"$dir/log" &
hub=$!
read -r line <"$dir/fifo"
port=${line##*:}

for who in east west; do
  code=$("$BUILD/qianmod" enroll "$dir/hub" --member "Canary-$who" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$who" init >/dev/null
  phone "$who" enroll --hub "127.0.0.1:$port" --code "$code" >"$dir/out"
  check $? "phone $who enrols"
done
phone east new household number=301 head=Canary-Base >/dev/null && phone east sync >/dev/null
check $? "east writes and syncs"

cp "$dir/east.db" "$dir/backup"
phone east new household number=302 head=Canary-Old >/dev/null && phone east sync >/dev/null
check $? "east writes more and syncs"
cat "$dir/backup" >"$dir/east.db"
phone east new household number=303 head=Canary-New >/dev/null
check $? "put back, it writes on"
phone east sync >"$dir/out"
check $? "its sync goes well"
phone west sync >"$dir/out"
phone east sync >"$dir/out"
phone east list household >"$dir/east"
phone west list household >"$dir/west"
cmp -s "$dir/east" "$dir/west" && grep -q Canary-Base "$dir/east" &&
  test "$(grep -c Canary-Old "$dir/east")" = 1 && test "$(grep -c Canary-New "$dir/east")" = 1
check $? "both phones show all three, once"
"$BUILD/qianmod" aside list "$dir/hub" >"$dir/aside" 2>>"$dir/err"
grep -q EFORK "$dir/aside"
check $? "the office sees what was reissued"
