#!/bin/sh
# What an app sees: the public header alone, as C99 and C++, the installed library with
# its pkg-config file, and the program that README.md shows, compiled and run against it.
set -u
n=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
CC=${CC:-cc}
check() {
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$dir/out"
  fi
}
# The library may have been built with sanitizers; a program against it links them too.
sanitize=
if nm "$BUILD/libqianmo.a" 2>/dev/null | grep -q __asan_init; then
  sanitize='-fsanitize=address,undefined'
fi

echo "1..6"
echo '#include "core/qianmo.h"' >"$dir/header.c"
$CC -std=c99 -pedantic -Wall -Wextra -Werror -I. -c -o "$dir/header.o" "$dir/header.c" >"$dir/out" 2>&1
check $? "the header stands alone as C99"
$CC -x c++ -std=c++11 -fsyntax-only -pedantic -Wall -Wextra -Werror -I. "$dir/header.c" >"$dir/out" 2>&1
check $? "and as C++"
make install BUILD="$BUILD" PREFIX="$dir/usr" ${sanitize:+SANITIZE=1} >"$dir/out" 2>&1
check $? "make install"
flags=$(PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig" pkg-config --define-prefix --cflags --libs qianmo 2>>"$dir/out")
# shellcheck disable=SC2086
$CC -std=c99 -Wall -Wextra -Werror $sanitize -o "$dir/hello" tests/embed/hello.c $flags >>"$dir/out" 2>&1
check $? "hello.c compiles against what was installed"
(cd "$dir" && LD_LIBRARY_PATH="$dir/usr/lib" ./hello) >"$dir/out" 2>&1
check $? "and runs"
grep -q '"head":"Wang (invented)"' "$dir/out" && grep -q 'conflicts: none' "$dir/out" && grep -q offline "$dir/out"
check $? "and shows its record"
