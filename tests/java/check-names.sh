#!/bin/sh
# The Java binding beside the header and beside what Android wants of it.
set -u
build=${BUILD:-build}
n=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
check() {
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$out"
  fi
}
# For C programs: they have what Java has by itself. qm_sync is qm_sync_run without a budget.
not_bound='qm_err_text qm_str qm_options_fill qm_sync'
for name in $(adapters/reference/reference names); do
  case " $not_bound " in *" $name "*) continue ;; esac
  grep -q "\b$name(" adapters/java/jni/*.c ||
    { test "$(grep -c "^FIELD_VERB(${name#qm_})" adapters/java/jni/jni_tx.c)" = 1; } || echo "$name"
done >"$out"
test ! -s "$out"
check $? "every function of the header is bound"
nm -D --defined-only "$build/java/libqianmo_jni.so" | sed 's/.* //' | grep -v -e asan -e ubsan -e '^_' >"$out"
test "$(cat "$out")" = JNI_OnLoad
check $? "the library exports JNI_OnLoad alone"
for class in "$build"/java/classes/org/qianmo/*.class; do
  test "$(od -An -tu1 -j7 -N1 "$class" | tr -d ' ')" = 52 || echo "$class"
done >"$out"
test ! -s "$out"
check $? "classes are of Java 8"
# What is looked up by name must survive shrinking.
grep -ho '"org/qianmo/[A-Za-z]*"' adapters/java/jni/*.c | tr -d '"' | tr / . | sort -u |
  while read -r class; do
    grep -q "^-keep class $class " adapters/java/consumer-rules.pro || echo "$class"
  done >"$out"
test ! -s "$out"
check $? "R8 keeps the classes that the library looks up"
grep -n 'NewStringUTF\|GetStringUTF' adapters/java/jni/*.c >"$out"
test ! -s "$out"
check $? "no text goes through the JVM's form of UTF-8"
grep -nE 'java\.(util\.(function|stream|Optional)|time)|\.(List|Set|Map)\.of\(' adapters/java/org/qianmo/*.java >"$out"
test ! -s "$out"
check $? "nothing of Java's that Android has only since version 7"
echo "1..$n"
