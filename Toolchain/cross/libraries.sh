#!/usr/bin/env bash
# FFmpeg and librdkafka from pinned source: static for the board, shared for the desk (--pinned), the same parts in both.
#
# usage: Toolchain/cross/libraries.sh board    needs nothing of the desk but make, cmake and ninja
#        Toolchain/cross/libraries.sh desk     with the desk's own compiler
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/recipes.sh"

# build NAME OPTIONS...
build() {
  local name=$1 started=$SECONDS
  shift
  say "building $name"
  mkdir -p "$PART/build/$name"
  tar -xf "$(file_of "$contents" "$name")" -C "$PART/build/$name" --strip-components=1
  (cd "$PART/build/$name" && "recipe_$name" "$@")
  say "$name: $((SECONDS - started)) s"
}

# A C compiler for the board that cannot see the desk, on PATH by a name of its own: the options it is called with end up
# in the libraries, and places of this machine must not.
cross_compiler() {
  local language
  mkdir -p "$PART/build/bin"
  for language in clang clang++; do
    printf '#!/bin/sh\nexec %s --target=%s --sysroot=%s -fuse-ld=lld %s %s "$@"\n' "$compiler/bin/$language" "$TRIPLE" \
      "$sysroot" "-ffile-prefix-map=$PART/build=/source" "-ffile-prefix-map=$sysroot=/sysroot" \
      >"$PART/build/bin/$MULTIARCH-$language"
  done
  chmod +x "$PART"/build/bin/*
  export PATH=$PART/build/bin:$compiler/bin:$PATH
  # Never the desk's .pc files.
  export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$MULTIARCH/pkgconfig PKG_CONFIG_SYSROOT_DIR=$sysroot
}

make_board() {
  STAGE=$PART PREFIX=/usr LIBRARY_DIRECTORY=/usr/lib/$MULTIARCH
  cross_compiler
  build ffmpeg --libdir="$LIBRARY_DIRECTORY" --incdir="/usr/include/$MULTIARCH" --enable-static --disable-shared \
    --enable-cross-compile --arch=aarch64 --target-os=linux --cc="$MULTIARCH-clang" --ar=llvm-ar --ranlib=llvm-ranlib \
    --nm="$MULTIARCH-nm" --host-cc=cc --pkg-config=pkg-config --pkg-config-flags=--static
  build librdkafka -DRDKAFKA_BUILD_STATIC=ON -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_LIBRARY_ARCHITECTURE="$MULTIARCH" \
    -DCMAKE_C_COMPILER="$MULTIARCH-clang" -DCMAKE_CXX_COMPILER="$MULTIARCH-clang++" \
    -DCMAKE_AR="$compiler/bin/llvm-ar" -DCMAKE_RANLIB="$compiler/bin/llvm-ranlib" -DCMAKE_FIND_ROOT_PATH="$sysroot" \
    -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY \
    -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY
  finish
}

make_desk() {
  STAGE="" PREFIX=$PART LIBRARY_DIRECTORY=$PART/lib
  build ffmpeg --libdir="$LIBRARY_DIRECTORY" --enable-shared --disable-static --extra-ldflags="-Wl,-rpath,$FINAL/lib"
  build librdkafka -DRDKAFKA_BUILD_STATIC=OFF
  finish
}

finish() {
  rm -rf "$PART/build" "$STAGE$PREFIX/share/ffmpeg" "$STAGE$LIBRARY_DIRECTORY/pkgconfig" "$PART/lib/pkgconfig"
}

tools=(cmake ninja-build make pkg-config patch xz-utils gcc libc6-dev)
contents=$(contents_of library)
recipes=("$contents" "$0" "$CROSS/recipes.sh" "$CROSS/common.sh" "$CROSS"/patches/*.patch)
case ${1:-} in
  board)
    need_packages "${tools[@]}"
    compiler=$("$CROSS/compiler.sh")
    sysroot=$("$CROSS/sysroot.sh")
    keep "libraries-$ARCH" "$(hash_of "${compiler##*/} ${sysroot##*/}" "${recipes[@]}")" make_board
    ;;
  desk)
    need_packages "${tools[@]}" g++ nasm libssl-dev libzstd-dev liblz4-dev zlib1g-dev
    keep libraries-desk "$(hash_of "$(cc --version)" "${recipes[@]}")" make_desk
    ;;
  *) die 64 "usage: Toolchain/cross/libraries.sh board|desk" ;;
esac
