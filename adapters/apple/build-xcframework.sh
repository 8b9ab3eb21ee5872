#!/usr/bin/env bash
# Makes qianmo.xcframework (static, only qm_* visible) for the Swift package beside this file (XCFRAMEWORK.md).
#   adapters/apple/build-xcframework.sh [OUT.xcframework]
# From the repository's root, on macOS with Xcode, GNU make 4 (MAKE=gmake), cmake and tclsh; the
# sources of the dependencies in build/deps/src, copied from a Debian system where
# adapters/native/sources has fetched them.
#   SLICES    iphoneos-arm64 iphonesimulator-arm64 iphonesimulator-x86_64 macosx-arm64 macosx-x86_64
#   IDENTITY  of codesign; empty: not signed (a binary with OpenSSL in it must be for the App Store)
set -euo pipefail
out=${1:-adapters/apple/qianmo.xcframework}
: "${SLICES:=iphoneos-arm64 iphonesimulator-arm64 iphonesimulator-x86_64 macosx-arm64 macosx-x86_64}"
: "${MAKE:=gmake}" "${JOBS:=4}" "${IDENTITY:=}" "${IOS_MIN:=14.0}" "${MACOS_MIN:=11.0}"
for tool in xcrun xcodebuild lipo "$MAKE" cmake; do
  command -v "$tool" >/dev/null || { echo "build-xcframework: $tool is missing" >&2; exit 1; }
done
test -d build/deps/src/openssl || {
  echo 'build-xcframework: build/deps/src is missing: adapters/native/sources on Debian, then copy' >&2
  exit 1
}
work=build/apple
mkdir -p "$work"
# What stays visible; an app may have an OpenSSL or SQLite of its own.
adapters/reference/reference names | sed 's/^/_/' | sort -u >"$work/exports"

build() { # SDK-ARCH
  local sdk=${1%-*} arch=${1##*-} sysroot target cmake openssl deps archives='' name
  sysroot=$(xcrun --sdk "$sdk" --show-sdk-path)
  case $sdk in
    iphoneos) target=$arch-apple-ios$IOS_MIN openssl=ios64-xcrun cmake=-DCMAKE_SYSTEM_NAME=iOS ;;
    iphonesimulator) target=$arch-apple-ios$IOS_MIN-simulator openssl=darwin64-$arch-cc
      cmake=-DCMAKE_SYSTEM_NAME=iOS ;;
    macosx) target=$arch-apple-macos$MACOS_MIN openssl=darwin64-$arch-cc cmake= ;;
    *) echo "build-xcframework: unknown SDK $sdk" >&2; exit 1 ;;
  esac
  local cc flags="-target $target -isysroot $sysroot"
  cc=$(xcrun --sdk "$sdk" --find clang)
  CC=$cc AR=$(xcrun --find ar) RANLIB=$(xcrun --find ranlib) HOST_CC="xcrun --sdk macosx clang" \
    FLAGS=$flags OPENSSL_TARGET=$openssl PARTS='utf8proc msgpack zstd jansson sqlite libuv openssl' \
    CMAKE_OPTIONS="$cmake -DCMAKE_OSX_SYSROOT=$sysroot -DCMAKE_OSX_ARCHITECTURES=$arch
      -DCMAKE_SYSTEM_PROCESSOR=$arch" JOBS=$JOBS adapters/native/dependencies build/deps "apple-$1"
  deps=$PWD/build/deps/apple-$1
  "$MAKE" -j"$JOBS" BUILD="$work/$1" CC="$cc" AR="$(xcrun --find ar)" CFLAGS="-O2 -g $flags" \
    PKG_CFLAGS="-isystem $deps/include" PKG_LIBS= "$work/$1/libqianmo.a"
  for name in uv ssl crypto sqlite3 zstd utf8proc jansson; do
    archives="$archives $deps/lib/lib$name.a"
  done
  # One object, in which everything but the exports is local.
  # shellcheck disable=SC2086
  "$cc" $flags -r -nostdlib -o "$work/$1/qianmo.o" -Wl,-all_load "$work/$1/libqianmo.a" \
    -Wl,-noall_load $archives -Wl,-exported_symbols_list,"$work/exports"
  rm -f "$work/$1/slice.a"
  "$(xcrun --find ar)" rcs "$work/$1/slice.a" "$work/$1/qianmo.o"
}

headers=$work/headers
rm -rf "$headers" "$out"
mkdir -p "$headers"
cp core/qianmo.h core/err.h core/slice.h adapters/apple/module.modulemap "$headers"
libraries=()
for sdk in iphoneos iphonesimulator macosx; do
  parts=()
  for slice in $SLICES; do
    test "${slice%-*}" = $sdk || continue
    build "$slice"
    parts+=("$work/$slice/slice.a")
  done
  test ${#parts[@]} -gt 0 || continue
  mkdir -p "$work/$sdk"
  lipo -create "${parts[@]}" -output "$work/$sdk/libqianmo.a"
  libraries+=(-library "$work/$sdk/libqianmo.a" -headers "$headers")
done
xcodebuild -create-xcframework "${libraries[@]}" -output "$out"
if test -n "$IDENTITY"; then codesign --timestamp --sign "$IDENTITY" "$out"; fi
echo "$out"
