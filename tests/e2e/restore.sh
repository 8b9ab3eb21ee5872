#!/bin/sh
# Program 26: a day's work, acknowledged and backed up; a second day's, acknowledged; then the
# hub loses its disk and is made from the backup. Nothing is lost: a device keeps its own changes
# until they are in a backup, however long ago that was, and beyond any limit of size.
. tests/e2e/with_hub

status() { phone "$1" status --json >"$dir/status"; }
number() { sed -n "s/.*\"$1\":\([0-9a-z]*\).*/\1/p" "$dir/status"; }

notes() { # seed: some 40 kB that do not compress
  awk -v seed="$1" 'BEGIN { srand(seed); for (i = 0; i < 40000; i++)
    printf "%c", 48 + int(rand() * 64) }' | tr '\\`' '~|'
}

echo "1..17"
hubd init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out" &&
  hubd space add "$dir/hub" grid --schema fixtures/schemas/plain.json >"$dir/out"
check $? "a hub with a space"
start
for who in east west; do
  enroll "$who" grid
  check $? "phone $who enrols"
done

phone east new household number=101 head=Wei >"$dir/out" && phone east sync >/dev/null
check $? "a day's work is acknowledged"
hubd backup "$dir/hub" "$dir/backup" >"$dir/out"
check $? "and backed up"
phone east sync >/dev/null && status east
test "$(number safe)" = "$(number written)"
check $? "the phone hears that it is safe"

phone east keep days=1 mb=1 --json >"$dir/out" && grep -q '"mb":1' "$dir/out"
check $? "the phone is to keep no more than 1 MB"
record=$(phone east list household --json | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | head -1)
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 \
  33 34 35 36 37 38 39 40; do
  notes "$i" >"$dir/text"
  phone east set household "$record" head="$(cat "$dir/text")" >/dev/null || break
  test $((i % 10)) = 0 && phone east sync >/dev/null
done
phone east set household "$record" head='Wei Sample' >/dev/null && phone west sync >/dev/null &&
  phone west new household number=102 head=Sun >/dev/null && phone west sync >/dev/null &&
  phone east sync >/dev/null && status east && test "$(number unsent)" = 0
check $? "a second day's work of both is acknowledged"
test "$(number over)" -gt 0 && test "$(number safe)" -lt "$(number written)"
check $? "beyond the limit, and kept: it is in no backup"
phone east status | grep -q 'beyond its limit'
check $? "which status tells"

kill -9 "$hub"; wait "$hub" 2>/dev/null; hub=
mv "$dir/hub" "$dir/lost"
hubd restore "$dir/hub" "$dir/backup" >"$dir/out"
check $? "the hub is made from the backup"
start
phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null
check $? "both phones sync with it"
for who in east west; do
  phone "$who" list household --json | tr '}' '\n' | grep -c 'Wei Sample\|"head":"Sun"' >"$dir/count"
  test "$(cat "$dir/count")" = 2
  check $? "phone $who shows both days' work"
done
phone west new household number=103 head=Qian >/dev/null && phone west sync >/dev/null &&
  phone east sync >/dev/null && hubd check "$dir/hub" >/dev/null &&
  phone east list household | grep -q Qian
check $? "work goes on, and the hub's digests are right"

hubd backup "$dir/hub" "$dir/second" >"$dir/out" && phone east sync >/dev/null &&
  phone east sync >/dev/null && status east &&
  test "$(number over)" = 0 && test "$(number cut)" != null && test "$(number bytes)" -lt 1000000
check $? "once it is in a backup the oldest history goes"
phone east status | grep -q 'limit of 1.0 MB reached' &&
  phone east list household | grep -q 'Wei Sample' && phone east log household "$record" >/dev/null
check $? "status tells it, and the records stay"
stop
sed 's/^/# /' "$dir/err"
