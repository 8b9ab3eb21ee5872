#!/bin/sh
# A replay shows what the rules say (S11.1, S11.2, S11.3, S11.4, S11.5): the digest of its dump is that of an independent
# model, by memory with several cuts of the pipes, and over TLS with a real hub.
set -u
traces=fixtures/traces
n=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

check() { # name, condition already evaluated as $1
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

digest_of() { sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' "$1" | tail -n 1; }
wanted() { sed -n "s/^\([0-9a-f]*\)  $1\$/\1/p" $traces/digests; }

replay() { # trace, name, options
  trace=$1 name=$2
  shift 2
  "$BUILD/qianmo" replay "$traces/$trace" --dump "$dir/dump" "$@" >"$dir/out" 2>"$dir/err"
  code=$?
  sed 's/^/# /' "$dir/err"
  test $code = 0 && test "$(digest_of "$dir/out")" = "$(wanted "$trace")" &&
    test "$(sha256sum <"$dir/dump" | cut -d' ' -f1)" = "$(wanted "$trace")" &&
    grep -q '"converged":true' "$dir/out"
  check $? "$name"
}

echo "1..10"
replay village-small-seed1.jsonl.gz "small trace by memory"
replay village-small-seed1.jsonl.gz "small trace by memory, other cuts" --seed 7
replay village-grid-seed1.jsonl.gz "grid trace by memory"
replay village-small-seed1.jsonl.gz "small trace over TLS" --via tls
"$BUILD/qianmo" replay "$dir/absent.jsonl" >/dev/null 2>&1
test $? = 3; check $? "a trace that is not there"
"$BUILD/qianmo" replay >/dev/null 2>&1
test $? = 2; check $? "no trace named"
printf '{"op":"meta","grid_of_device":[0]}\n{"d":0,"t":1,"op":"set","c":"a","r":"b","f":"c"}\n' >"$dir/bad.jsonl"
"$BUILD/qianmo" replay "$dir/bad.jsonl" 2>&1 >/dev/null | grep -q "line 2"
check $? "a bad line is named"
"$BUILD/qianmo" replay $traces/village-small-seed1.jsonl.gz --via pigeon >/dev/null 2>&1
test $? = 2; check $? "unknown way"

# By hand: two devices that cannot know of each other, then all at once.
cat >"$dir/rush.jsonl" <<'END'
{"op":"meta","grid_of_device":[0,0]}
{"d":0,"t":1000,"op":"new","c":"b","r":"1"}
{"d":0,"t":1000,"op":"set","c":"b","r":"1","f":"name","v":"x"}
{"d":0,"t":1000,"op":"inc","c":"b","r":"1","f":"n","v":2}
{"d":0,"t":1000,"op":"add","c":"b","r":"1","f":"tags","v":"z"}
{"d":0,"op":"sync"}
{"d":1,"op":"sync"}
{"d":0,"t":2000,"op":"set","c":"b","r":"1","f":"name","v":"a \"quoted\" 名"}
{"d":1,"t":2000,"op":"set","c":"b","r":"1","f":"name","v":1.5}
{"d":1,"t":2001,"op":"inc","c":"b","r":"1","f":"n","v":-2}
{"d":1,"t":2002,"op":"add","c":"b","r":"1","f":"tags","v":"aa"}
{"d":0,"t":2003,"op":"remove","c":"b","r":"1","f":"tags","v":"z"}
{"d":1,"t":2004,"op":"append","c":"b","r":"1","f":"notes","v":"一二三"}
{"d":1,"t":2005,"op":"chop","c":"b","r":"1","f":"notes","n":2}
{"d":1,"t":2006,"op":"new","c":"a","r":"gone"}
{"d":1,"t":2007,"op":"erase","c":"a","r":"gone"}
{"op":"rush"}
END
cat >"$dir/wanted" <<'END'
{"c":"b","conflicts":{"name":["a \"quoted\" 名"]},"fields":{"n":0,"name":1.5,"notes":"一","tags":["aa"]},"r":"1"}
END
for via in memory tls; do
  "$BUILD/qianmo" replay "$dir/rush.jsonl" --via $via --dump "$dir/dump" >"$dir/out" 2>&1 &&
    cmp -s "$dir/dump" "$dir/wanted"
  check $? "a rush, its dump by hand, by $via"
done
