#!/bin/sh
# The module map and the header as Clang's importer reads them, for Linux and for Apple's targets;
# no SDK is here, so of the C library only what the compiler brings along. And the package's files.
set -u
n=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
apple=adapters/apple
: >"$dir/out"
check() {
  n=$((n + 1))
  if test "$1" = 0; then echo "ok $n - $2"; else
    echo "not ok $n - $2"
    sed 's/^/# /' "$dir/out"
  fi
}
# As build-xcframework.sh lays the headers out.
mkdir "$dir/headers"
cp core/qianmo.h core/err.h core/slice.h "$apple/module.modulemap" "$dir/headers"
compile() { # language, arguments...
  language=$1
  shift
  clang -x "$language" "$@" -fsyntax-only -fmodules -fmodules-cache-path="$dir/cache" -Werror -Wall -Wextra \
    -I "$dir/headers" tests/apple/imports.m >"$dir/out" 2>&1
}
compile objective-c -std=c11
check $? "imported in Objective-C"
compile objective-c++ -std=c++17 -fcxx-modules
check $? "and in Objective-C++"
for target in arm64-apple-ios14 arm64-apple-ios14-simulator x86_64-apple-ios14-simulator arm64-apple-macos11; do
  compile objective-c -std=c11 -ffreestanding -target $target
  check $? "for $target"
done
# That it would tell.
sed -i 's/#include "err.h"/#include "error.h"/' "$dir/headers/qianmo.h"
! compile objective-c -std=c11
check $? "a header that is not whole is told"
cp core/qianmo.h "$dir/headers"
for header in "$dir"/headers/*.h; do
  grep -q "header \"$(basename "$header")\"" "$dir/headers/module.modulemap" || echo "$header"
done >"$dir/out"
sed -n 's/.*#include "\(.*\)"/\1/p' "$dir"/headers/*.h | while read -r header; do
  test -e "$dir/headers/$header" || echo "$header"
done >>"$dir/out"
test ! -s "$dir/out"
check $? "the module has every header, and these need no other"

# The system library of Package.swift, on Linux: installed, found by pkg-config.
make install BUILD="${BUILD:-build}" DESTDIR="$dir/root" PREFIX=/opt/q >"$dir/out" 2>&1
flags=$(PKG_CONFIG_PATH=$dir/root/opt/q/lib/pkgconfig pkg-config --define-prefix --cflags qianmo)
# shellcheck disable=SC2086
clang -x objective-c -std=c11 -fsyntax-only -fmodules -fmodules-cache-path="$dir/cache2" -Werror $flags \
  -fmodule-map-file="$apple/Sources/QianmoC/module.modulemap" tests/apple/imports.m >"$dir/out" 2>&1
check $? "the module of an installed library"

python3 - "$apple/Sources/Qianmo/PrivacyInfo.xcprivacy" >"$dir/out" 2>&1 <<'PY'
import plistlib, sys
known = {"FileTimestamp": {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
         "SystemBootTime": {"35F9.1", "8FFB.1", "3D61.1"},
         "DiskSpace": {"85F4.1", "E174.1", "7D9E.1", "B728.1"}}
p = plistlib.load(open(sys.argv[1], "rb"))
assert p["NSPrivacyTracking"] is False and p["NSPrivacyCollectedDataTypes"] == []
used = {a["NSPrivacyAccessedAPIType"].removeprefix("NSPrivacyAccessedAPICategory"):
        a["NSPrivacyAccessedAPITypeReasons"] for a in p["NSPrivacyAccessedAPITypes"]}
assert set(used) == set(known), used
for category, reasons in used.items():
    assert reasons and set(reasons) <= known[category], (category, reasons)
PY
check $? "the privacy manifest: categories and reasons that Apple lists"
grep -o 'path: "[^"]*"\|copy("[^"]*")' "$apple/Package.swift" | sed 's/.*"\(.*\)".*/\1/' | grep -v xcframework |
  while read -r path; do
    test -e "$apple/$path" || test -e "$apple/Sources/Qianmo/$path" || echo "no $path"
  done >"$dir/out"
test ! -s "$dir/out"
check $? "what Package.swift names is there"
echo "1..$n"
