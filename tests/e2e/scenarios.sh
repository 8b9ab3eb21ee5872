#!/bin/sh
# The five scenarios hold over TLS, and in one process; where any expectation of one is made
# wrong, it is reported (S26.1, S26.3, S26.5). What a scenario file may not say is told with its step.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
LC_ALL=C.UTF-8
export LC_ALL
if test -z "${TMPDIR:-}" && test -d /dev/shm && test -w /dev/shm; then
  TMPDIR=/dev/shm
  export TMPDIR
fi
n=0
check() { # status, name
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null
  fi
}
play() { "$BUILD/qianmo" scenario "$@" >"$dir/out" 2>"$dir/err"; }
says() { grep -q -- "$1" "$dir/out" "$dir/err"; }

tests/scenarios/play >"$dir/out" 2>"$dir/err"
code=$?
sed 's/^/# /' "$dir/out"
cp "$dir/out" "$dir/table"
test $code = 0 && says '^5 scenarios passed, 0 failed$'; check $? "all over TLS"
for scenario in courtyard alliance one-three-x dual-network mutual-aid; do
  of=$(sed -n "s/^$scenario  *[0-9]* *[0-9]* *[0-9]* *[0-9]* *[0-9]* *\([0-9]*\) .*/\1/p" "$dir/table")
  tests/scenarios/plant fixtures/scenarios/$scenario.json "$of" >"$dir/out" 2>"$dir/err" &&
    ! says '^not ok' && says '^1\.\.'
  check $? "$scenario: each expectation that is made wrong is reported"
done

play fixtures/scenarios/mutual-aid.json --lang zh && says '通过（6 台设备'; check $? "said in Chinese"
play fixtures/scenarios/absent.json; test $? = 2; check $? "a file that is not there"
play fixtures/scenarios/mutual-aid.json --via pigeon; test $? = 2 && says 'memory or tls'
check $? "a way that is none"

schema=$PWD/fixtures/schemas/mutual-aid.json
bad() { # name, what it says, exit code, steps
  printf '{"scenario":"x","schema":"%s","clock":"2026-03-02 08:00","spaces":[{"name":"a","kind":"venues"}],"devices":[{"name":"d","member":"m","role":"grid","spaces":["a"]}],"steps":[%s]}' \
    "$schema" "$4" >"$dir/bad.json"
  play "$dir/bad.json"
  test $? = "$3" && says "$2"; check $? "$1"
}
why='"because":{"says":"s","section":"1"}'
bad "an expectation without its reason" 'because' 2 '{"expect":[{"on":"d","count":0,"of":"venue"}]}'
bad "a device that there is not" 'no device is called e' 2 '{"sync":"e"}'
bad "a record that there is not" 'nothing is called r' 2 '{"device":"d","in":"a","does":[{"set":"r","fields":{"hours":"x"}}]}'
bad "a verb that there is not" 'nothing known' 2 '{"device":"d","in":"a","does":[{"sing":"r"}]}'
bad "a time before the one before" 'before the step before' 2 '{"at":"2026-03-01 08:00"}'
bad "what expects nothing" 'expects nothing' 2 "{\"expect\":[{\"on\":\"d\",$why}]}"
bad "braces around what is no number" 'is no number' 2 '{"sync":"{i}"}'
bad "a repetition without end" 'too often' 2 '{"repeat":{"i":"1..1000000"},"sync":"d"}'
bad "a write that should have worked" 'no such field' 1 '{"device":"d","in":"a","does":[{"new":"venue","key":"1","fields":{"colour":"x"}}]}'
bad "a refusal that did not come" 'got OK' 1 "{\"device\":\"d\",\"in\":\"a\",\"does\":[{\"new\":\"venue\",\"key\":\"1\"}],\"refused\":{\"code\":\"EACCESS\"},$why}"
bad "a refusal of another kind" 'ESCHEMA' 1 "{\"device\":\"d\",\"in\":\"a\",\"does\":[{\"new\":\"venue\",\"key\":\"1\",\"fields\":{\"colour\":\"x\"}}],\"refused\":{\"code\":\"EACCESS\"},$why}"
sed 's|"kind":"venues"|"kind":"moon"|' "$dir/bad.json" >"$dir/kind.json"
play "$dir/kind.json"; test $? = 5 && says 'no kind of space'; check $? "a kind of space that there is not"
play "$dir/kind.json" --via tls; test $? != 0; check $? "over TLS neither"
echo "1..$n"
