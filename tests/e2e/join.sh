#!/bin/sh
# Many small syncs leave many small rows in the hub's log; upkeep joins what both phones have.
# A new phone takes the history, and everybody reads and syncs as before.
set -u
dir=$(mktemp -d) || exit 1
hub=
trap 'test -z "$hub" || kill -9 "$hub" 2>/dev/null; rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
n=0

check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

phone() { name=$1; shift; "$BUILD/qianmo" --db "$dir/$name.db" "$@" 2>>"$dir/err"; }
hubd() { "$BUILD/qianmod" "$@" 2>>"$dir/err"; }

start() { # waits for the line that says where it listens
  rm -f "$dir/fifo" && mkfifo "$dir/fifo"
  "$BUILD/qianmod" run "$dir/hub" --listen "127.0.0.1:${port:-0}" >"$dir/fifo" 2>>"$dir/log" &
  hub=$!
  read -r line <"$dir/fifo"
  port=${line##*:}
}

stop() { kill -TERM "$hub"; wait "$hub"; hub=; }

enrol() {
  code=$(hubd enroll "$dir/hub" --member "$1" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$1" init >/dev/null && phone "$1" enroll --hub "127.0.0.1:$port" --code "$code" >"$dir/out"
}

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
enrol east && enrol west
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
enrol north && phone north sync >"$dir/out"
check $? "a new phone syncs"
history north after
cmp -s "$dir/before" "$dir/after"
check $? "it reads the same history"
phone west set household "$record" head='Wei Sample' >/dev/null && phone west sync >/dev/null &&
  phone north sync >/dev/null && phone north get household "$record" >"$dir/out" &&
  grep -q 'Wei Sample' "$dir/out"
check $? "and goes on with the others"
stop
