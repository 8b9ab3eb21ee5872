#!/bin/sh
# core/qianmo.h as bindings need it: it compiles as C and C++ without a warning, the library
# exports what it declares and nothing else, the reference is complete, and every example of it
# is compiled against an installed copy and run.
set -u
n=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
CC=${CC:-cc}
reference=adapters/reference/reference
: >"$dir/out"
check() {
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$dir/out"
  fi
}
strict='-pedantic -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -I. -fsyntax-only'
echo '#include "core/qianmo.h"' >"$dir/header.c"
for std in c99 c11 c2x; do
  # shellcheck disable=SC2086
  $CC -std=$std $strict -Wstrict-prototypes "$dir/header.c" >"$dir/out" 2>&1
  check $? "the header is $std"
done
for std in c++11 c++17; do
  # shellcheck disable=SC2086
  $CC -x c++ -std=$std $strict "$dir/header.c" >"$dir/out" 2>&1
  check $? "the header is $std"
done

$reference names >"$dir/declared"
# What a sanitizer brings along is not ours.
nm -D --defined-only "$BUILD/libqianmo.so" | sed -n 's/.* [TDBR] \([^@]*\).*/\1/p' |
  grep -v -e asan -e ubsan -e odr -e '^_' | LC_ALL=C sort >"$dir/exported"
diff "$dir/declared" "$dir/exported" >"$dir/out"
check $? "the library exports what the header declares"
readelf -d "$BUILD/libqianmo.so" | grep -q 'SONAME.*\[libqianmo\.so\.0\]' 2>"$dir/out"
check $? "its name has a version"
for mode in safe text; do
  $reference $mode >"$dir/lines" 2>&1
  grep -v '^ok\|^1\.\.' "$dir/lines" >"$dir/out"
  test ! -s "$dir/out"
  check $? "reference: $mode"
done
mkdir "$dir/man"
$reference man "$dir/man" >"$dir/out" 2>&1 && $reference html "$dir/reference.html" >>"$dir/out" 2>&1 &&
  test "$(find "$dir/man" -name 'qm_*.3' | wc -l)" -eq "$(wc -l <"$dir/declared")" &&
  grep -q 'id="qm_suspend"' "$dir/reference.html"
check $? "manual pages and one page of HTML"

sanitize=
if nm "$BUILD/libqianmo.a" 2>/dev/null | grep -q __asan_init; then
  sanitize='-fsanitize=address,undefined'
fi
make install BUILD="$BUILD" DESTDIR="$dir/root" PREFIX=/opt/q ${sanitize:+SANITIZE=1} >"$dir/out" 2>&1
check $? "make install below DESTDIR"
PKG_CONFIG_PATH=$dir/root/opt/q/lib/pkgconfig
export PKG_CONFIG_PATH
flags=$(pkg-config --define-prefix --cflags --libs qianmo)
version=$(pkg-config --modversion qianmo)
grep -q "define VERSION \"$version\"" adapters/handle/handle.c
check $? "qianmo.pc has the library's version"
for source in adapters/reference/examples/*.c; do
  name=$(basename "$source" .c)
  # shellcheck disable=SC2086
  $CC -std=c99 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror $sanitize -o "$dir/$name" "$source" \
    $flags >"$dir/out" 2>&1 &&
    (cd "$dir" && LD_LIBRARY_PATH="$dir/root/opt/q/lib" "./$name") >"$dir/out" 2>&1 && test -s "$dir/out"
  check $? "example $name"
done
echo "1..$n"
