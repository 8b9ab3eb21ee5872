#!/bin/sh
# Two phones and a hub as a person runs them: init, space, code, enrolment, work without a
# network, sync, a list; then the end of the hub. Nothing personal is in its log.
set -u
dir=$(mktemp -d) || exit 1
hub= east= west=
trap 'for p in $hub $east $west; do kill -9 "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
n=0

check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

phone() { name=$1; shift; "$BUILD/qianmo" --db "$dir/$name.db" "$@" 2>>"$dir/err"; }

start() { # waits for the line that says where it listens
  rm -f "$dir/fifo" && mkfifo "$dir/fifo"
  "$BUILD/qianmod" run "$dir/hub" "$@" >"$dir/fifo" 2>>"$dir/log" &
  hub=$!
  read -r line <"$dir/fifo"
  port=${line##*:}
}

echo "1..15"
"$BUILD/qianmod" init "$dir/hub" --name 'Stone Bridge' --listen 127.0.0.1:0 >"$dir/out"
check $? "init"
"$BUILD/qianmod" space add "$dir/hub" grid --schema fixtures/schemas/plain.json >"$dir/out"
check $? "space add"
start
test "$port" -gt 0; check $? "run says where it listens"

for who in east west; do
  code=$("$BUILD/qianmod" enroll "$dir/hub" --member "Canary-$who" --role grid --space grid |
    sed -n 's/^  \([0-9A-Z*~$=-]*\)$/\1/p')
  phone "$who" init >/dev/null
  phone "$who" enroll --hub "127.0.0.1:$port" --code "$code" >"$dir/out"
  check $? "phone $who enrols"
done

phone east new household number=101 head=Canary-Li >/dev/null &&
  phone west new household number=102 head=Canary-Sun >/dev/null
check $? "both write without a network"
phone east sync >/dev/null && phone west sync >/dev/null && phone east sync >/dev/null
check $? "both sync"
phone east list household >"$dir/east"
phone west list household >"$dir/west"
grep -q Canary-Sun "$dir/east" && grep -q Canary-Li "$dir/west"
check $? "each sees the other's household"

# Two phones that stay connected. Every wait is for a line, not for a time.
live() { # name: starts it, and waits until it is connected
  mkfifo "$dir/$1.live"
  "$BUILD/qianmo" --db "$dir/$1.db" sync --stay >"$dir/$1.live" 2>>"$dir/err" &
}
follow() { # name, cursor: the next line of what changes
  timeout 30 "$BUILD/qianmo" --db "$dir/$1.db" --json changes --since "$2" --follow --limit 1 \
    2>>"$dir/err"
}
cursor() { phone "$1" --json changes | sed 's/.*"cursor":"\([^"]*\)".*/\1/'; }
live east; east=$!; exec 3<"$dir/east.live"; read -r line <&3
live west; west=$!; exec 4<"$dir/west.live"; read -r line <&4
since=$(cursor west)
phone east set household key:101 phone=000-0101 >/dev/null
follow west "$since" | grep -q '"fields":\["phone"\].*"remote":true'
check $? "what one writes comes to the other, which stays connected"
kill -TERM "$hub"; wait "$hub"
since=$(cursor east)
phone west set household key:102 phone=000-0102 >/dev/null
start --listen "127.0.0.1:$port"
follow east "$since" | grep -q '"fields":\["phone"\].*"remote":true'
check $? "after a cut both catch up"
id=$(phone west --json status | sed 's/.*"device":"\([^"]*\)".*/\1/')
"$BUILD/qianmod" revoke "$dir/hub" "$id" >/dev/null
wait "$west"; code=$?; west=
test $code = 5; check $? "a device that is revoked is cut off, and told"
kill "$east"; wait "$east" 2>/dev/null; east=
exec 3<&- 4<&-
phone east list household | grep -q 000-0102
check $? "what came is there"

kill -TERM "$hub"
wait "$hub"; check $? "SIGTERM ends it with 0"
hub=
phone east sync >/dev/null
test $? = 4; check $? "without a hub: try again later"
grep -q 'session of' "$dir/log" && ! grep -q Canary "$dir/log"
check $? "the log tells of sessions and holds no personal value"
sed 's/^/# /' "$dir/err"
