#!/usr/bin/env bash
# FFmpeg from pinned source for the fuzzer: the board's parts and patches as static archives, in plain C, with
# AddressSanitizer and libFuzzer's counters. In `planted` it has faults that the fuzzer must find (Tests/Fuzz/planted.patch).
#
# usage: Toolchain/cross/sanitized.sh [--cached]      --cached: ends with status 75 where it would have to be built
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/recipes.sh"

planted=$ROOT/Tests/Fuzz/planted.patch

# shellcheck disable=SC2034  # the recipe reads them
make_sanitized() {
  STAGE="" PREFIX=$PART LIBRARY_DIRECTORY=$PART/lib
  # Lines in the reports; _FORTIFY_SOURCE would hide from the sanitizer what it looks for.
  C_FLAGS="-g1 -fno-omit-frame-pointer -fdebug-prefix-map=$PART/build=ffmpeg -fsanitize=address,fuzzer-no-link"
  mkdir -p "$PART/build" "$PART/planted"
  tar -xf "$(file_of "$contents" ffmpeg)" -C "$PART/build" --strip-components=1
  cd "$PART/build"
  recipe_ffmpeg --libdir="$LIBRARY_DIRECTORY" --enable-static --disable-shared --disable-asm --optflags=-O1 --cc="$clang" \
    --extra-ldflags=-fsanitize=address,fuzzer-no-link
  patch --silent --strip=1 <"$planted" || die 65 "${planted##*/} does not apply any more"
  nice make -j "$JOBS" libavformat/libavformat.a libavcodec/libavcodec.a >make.log 2>&1 ||
    { tail -n 20 make.log && die 70 "FFmpeg with faults: make failed"; }
  cp libavformat/libavformat.a libavcodec/libavcodec.a "$PART/planted/"
  cd "$PART"
  rm -rf build share lib/pkgconfig
}

# The sanitizer is that of the Swift on PATH, which links the fuzzer.
clang=$(dirname "$(readlink -f "$(command -v swiftc)")")/clang
[ "${1:-}" != --cached ] || compgen -G "$CACHE/cross/libraries-sanitized-*" >/dev/null || exit 75
need_packages make patch xz-utils pkg-config libssl-dev zlib1g-dev
contents=$(contents_of library)
key=$(hash_of "$("$clang" --version)" "$contents" "$0" "$CROSS/recipes.sh" "$CROSS/common.sh" "$planted" \
  "$CROSS"/patches/ffmpeg-*.patch)
[ "${1:-}" != --cached ] || [ -d "$CACHE/cross/libraries-sanitized-$key" ] || exit 75
keep libraries-sanitized "$key" make_sanitized
