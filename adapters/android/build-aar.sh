#!/usr/bin/env bash
# Packs an AAR: org.qianmo with its native libraries, and libqianmo for native code by prefab.
#   ANDROID_NDK=… adapters/android/build-aar.sh [OUT.aar]      builds the libraries, then packs
#   LIBS=DIR adapters/android/build-aar.sh [OUT.aar]           packs DIR/ABI/libqianmo{,_jni}.so
# From the repository's root. Needs a JDK (javac, jar), and to build: an NDK (r26 or newer), make,
# and what adapters/native/dependencies needs; the sources of the dependencies in build/deps/src
# (adapters/native/sources fetches them on Debian; copy them from there to other systems).
#   ABIS  arm64-v8a armeabi-v7a x86_64      API  24      JOBS  2
set -euo pipefail
out=${1:-build/android/qianmo.aar}
: "${ABIS:=arm64-v8a armeabi-v7a x86_64}" "${API:=24}" "${JOBS:=2}"
version=$(sed -n 's/^VERSION := //p' Makefile)
test -n "$version" || { echo 'build-aar: run it from the root of the repository' >&2; exit 1; }
for tool in javac jar make; do
  command -v $tool >/dev/null || { echo "build-aar: $tool is missing" >&2; exit 1; }
done
work=build/android
mkdir -p "$work" "$(dirname "$out")"

# --- one ABI ---

settings() { # ABI: triple, OpenSSL's name, flags
  case $1 in
    arm64-v8a) triple=aarch64-linux-android openssl=linux-aarch64 flags= ;;
    # Files beyond 2 GB; time_t has 32 bits there, and the library computes with 64 of its own.
    armeabi-v7a) triple=armv7a-linux-androideabi openssl=linux-armv4
      flags='-D_FILE_OFFSET_BITS=64' ;;
    x86_64) triple=x86_64-linux-android openssl=linux-x86_64 flags= ;;
    *) echo "build-aar: unknown ABI $1" >&2; exit 1 ;;
  esac
}

build() {
  local abi=$1 triple openssl flags bin deps archives='' name
  settings "$abi"
  bin=$(echo "$ANDROID_NDK"/toolchains/llvm/prebuilt/*/bin)
  local cc="$bin/$triple$API-clang"
  test -x "$cc" || { echo "build-aar: no compiler $cc" >&2; exit 1; }
  CC=$cc AR=$bin/llvm-ar RANLIB=$bin/llvm-ranlib HOST_CC=cc FLAGS=$flags OPENSSL_TARGET=$openssl \
    PARTS='utf8proc msgpack zstd jansson sqlite libuv openssl' JOBS=$JOBS \
    CMAKE_OPTIONS="-DCMAKE_TOOLCHAIN_FILE=$ANDROID_NDK/build/cmake/android.toolchain.cmake
      -DANDROID_ABI=$abi -DANDROID_PLATFORM=android-$API" \
    adapters/native/dependencies build/deps "android-$abi"
  deps=$PWD/build/deps/android-$abi
  for name in uv ssl crypto sqlite3 zstd utf8proc jansson; do
    archives="$archives $deps/lib/lib$name.a"
  done
  # bionic has pthreads in libc; an app's libraries have no version in their names.
  make -j"$JOBS" BUILD="$work/$abi" CC="$cc" AR="$bin/llvm-ar" TOOLS="$bin/llvm-" \
    SONAME=libqianmo.so CFLAGS="-O2 -g -ffunction-sections -fdata-sections $flags" \
    LDFLAGS='-Wl,--gc-sections -Wl,-z,max-page-size=16384 -Wl,-z,relro,-z,now -Wl,--build-id=sha1' \
    PKG_CFLAGS="-isystem $deps/include" PKG_LIBS="$archives -lm -ldl" \
    "$work/$abi/stripped/libqianmo.so"
  mkdir -p "$LIBS/$abi"
  cp "$work/$abi/stripped/libqianmo.so" "$LIBS/$abi"
  "$cc" -O2 -g -std=c11 -D_POSIX_C_SOURCE=200809L $flags -I. -fPIC -fvisibility=hidden -shared \
    -Wl,-z,max-page-size=16384 -Wl,--no-undefined -Wl,-soname,libqianmo_jni.so \
    -o "$work/$abi/libqianmo_jni.so" adapters/java/jni/*.c -L"$LIBS/$abi" -lqianmo
  "$bin/llvm-strip" --strip-unneeded -o "$LIBS/$abi/libqianmo_jni.so" "$work/$abi/libqianmo_jni.so"
}

if test -z "${LIBS-}"; then
  : "${ANDROID_NDK:?the NDK directory, or LIBS= with libraries that are built}"
  if ! test -d build/deps/src/openssl; then adapters/native/sources build/deps; fi
  LIBS=$work/libs
  for abi in $ABIS; do build "$abi"; done
fi

# --- the archive ---

root=$work/aar
rm -rf "$root" "$work/classes"
mkdir -p "$root/prefab/modules/qianmo/include" "$work/classes"
cat >"$root/AndroidManifest.xml" <<XML
<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.qianmo">
  <uses-sdk android:minSdkVersion="$API" />
</manifest>
XML
: >"$root/R.txt"
cp adapters/java/consumer-rules.pro "$root/proguard.txt"
cp LICENSE "$root/LICENSE"
javac --release 8 -encoding UTF-8 -Xlint:-options -d "$work/classes" adapters/java/org/qianmo/*.java
jar cf "$root/classes.jar" -C "$work/classes" .

prefab=$root/prefab/modules/qianmo
printf '{"schema_version":2,"name":"qianmo","version":"%s","dependencies":[]}\n' "$version" \
  >"$root/prefab/prefab.json"
printf '{"export_libraries":[],"library_name":"libqianmo"}\n' >"$prefab/module.json"
cp core/qianmo.h core/err.h core/slice.h "$prefab/include"
for abi in $ABIS; do
  for name in libqianmo.so libqianmo_jni.so; do
    test -s "$LIBS/$abi/$name" || { echo "build-aar: $LIBS/$abi/$name is missing" >&2; exit 1; }
  done
  mkdir -p "$root/jni/$abi" "$prefab/libs/android.$abi"
  # prefab/ is what native code is linked with, jni/ is what the app packs.
  cp "$LIBS/$abi/libqianmo.so" "$prefab/libs/android.$abi"
  cp "$LIBS/$abi/libqianmo.so" "$LIBS/$abi/libqianmo_jni.so" "$root/jni/$abi"
  printf '{"abi":"%s","api":%s,"ndk":26,"stl":"none","static":false}\n' "$abi" "$API" \
    >"$prefab/libs/android.$abi/abi.json"
done
rm -f "$out"
jar cMf "$out" -C "$root" .
echo "$out"
