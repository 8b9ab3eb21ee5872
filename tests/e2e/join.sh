#!/bin/sh
# Many small syncs leave many small rows in the hub's log; upkeep joins what both phones have.
# A new phone takes the history, and everybody reads and syncs as before.
. tests/e2e/with_hub

notes() { # seed: some 9 kB that compress little
  awk -v seed="$1" 'BEGIN { srand(seed); for (i = 0; i < 9000; i++)
    printf "%c", 48 + int(rand() * 64) }' | tr '\\`' '~|'
}

history() { # of phone, to file; whose phone asks is no part of it
  phone "$1" log household "$record" --json | sed 's/"own":[a-z]*,//' >"$dir/$2"
}

joined() { sed -n 's/.*"joined":\([0-9]*\).*/\1/p' "$dir/out"; }

echo "1..12"
hubd init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out" &&
  hubd space add "$dir/hub" grid --schema fixtures/schemas/plain.json >"$dir/out"
check $? "a hub with a space"
start
enroll east grid && enroll west grid
check $? "two phones"
phone east new household number=101 head=Wei >"$dir/out" && phone east sync >/dev/null &&
  phone west sync >/dev/null
record=$(phone east list household --json | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | head -1)
i=0
while test $i -lt 24; do
  i=$((i + 1))
  notes "$i" >"$dir/text"
  phone east set household "$record" head="$(cat "$dir/text")" >/dev/null &&
    phone east sync >/dev/null || break
done
test $i = 24
check $? "many small syncs"
stop
hubd maintain "$dir/hub" --json >"$dir/out" && test "$(joined)" = 0
check $? "what the other has not seen yet stays as it is"
start
phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null
check $? "both have everything"
history east before
test "$(wc -c <"$dir/before")" -gt 100000
check $? "a history is read"
stop
hubd maintain "$dir/hub" --json >"$dir/out" && test "$(joined)" -gt 12
check $? "then rows are joined"
hubd maintain "$dir/hub" --json >"$dir/out" && test "$(joined)" = 0
check $? "once"
hubd check "$dir/hub" >"$dir/out"
check $? "the hub checks out"
start
enroll north grid && phone north sync >"$dir/out"
check $? "a new phone syncs"
history north after
cmp -s "$dir/before" "$dir/after"
check $? "it reads the same history"
phone west set household "$record" head='Wei Sample' >/dev/null && phone west sync >/dev/null &&
  phone north sync >/dev/null && phone north get household "$record" >"$dir/out" &&
  grep -q 'Wei Sample' "$dir/out"
check $? "and goes on with the others"
stop
