#!/usr/bin/env bash
# Fuzzes a parser with libFuzzer, beginning with the inputs in Tests/Fuzz/NAME.
# usage: Toolchain/dev fuzz NAME SECONDS     names: segment (the ring's reader), settings (the settings file),
#          capture (what cameras send), discovery (what devices answer)
#        FFmpeg's own with AddressSanitizer, beginning with what the cameras of the fault table send: rtsp (all bytes of
#          a connection), rtp (a description, RTP and RTCP), keyframe (decoding); ffmpeg: these three
#        all: one after another, FFmpeg's only where it need not be built first
#        planted: whether FFmpeg's three find the faults of Tests/Fuzz/planted.patch
set -euo pipefail
. "$(dirname "$0")/lib.sh"

OURS=(segment settings capture discovery)
FFMPEG=(rtsp rtp keyframe)

# compile MODULE... -- SOURCE...: makes $build/$program of them. Modules that are as they were are not compiled again.
compile() {
  local module modules=() objects=() sources=() files=() parts key
  while [ "$1" != -- ]; do modules+=("$1") objects+=("$build/$1.o") && shift; done
  for module in "${@:2}"; do sources+=("Tests/Fuzz/$module.swift"); done
  mapfile -t files < <(for module in "${modules[@]}"; do find "Sources/$module" -name '*.swift'; done | LC_ALL=C sort)
  # What is made of C headers is elsewhere found again whatever -I says: here it is of this build's headers.
  flags+=(-module-cache-path "$build/modules")
  key=$({ swiftc --version 2>&1 && echo "${flags[@]}" && cat "$0" Sources/C*/*.h "${files[@]}"; } | sha256sum)
  mkdir -p "$build"
  if [ "$(cat "$build/key" 2>/dev/null)" != "$key" ]; then
    rm -rf "$build/modules"
    for module in "${modules[@]}"; do
      say "building $module for the fuzzer"
      mapfile -t parts < <(find "Sources/$module" -name '*.swift' | LC_ALL=C sort)
      swiftc "${flags[@]}" -I "$build" -wmo -module-name "$module" -emit-module \
        -emit-module-path "$build/$module.swiftmodule" -c "${parts[@]}" -o "$build/$module.o"
    done
    echo "$key" >"$build/key"
  fi
  swiftc "${flags[@]}" -I "$build" -wmo -module-name Fuzz "${sources[@]}" "${objects[@]}" "${link[@]}" \
    -o "$build/$program"
}

# run BEGINNING OPTIONS OF libFuzzer...
run() {
  say "fuzzing $name for $seconds s"
  # New inputs go to a place of their own: those in the repository are chosen by hand.
  mkdir -p "$build/$found"
  "$build/$program" -max_total_time="$seconds" -artifact_prefix="$build/$name-" -print_final_stats=1 "${@:2}" \
    "$build/$found" "$1"
}

# take_ffmpeg: the program with the sanitized FFmpeg, and the inputs it begins with.
take_ffmpeg() {
  local libraries
  libraries=$("$ROOT/Toolchain/cross/sanitized.sh")
  build=.build-fuzz/ffmpeg
  flags=("${flags[@]/-sanitize=fuzzer/-sanitize=fuzzer,address}" -Xcc "-I$libraries/include" -use-ld=lld)
  link=(-L "$libraries/${program#fuzz}" -L "$libraries/lib" -lssl -lcrypto -lz -lm)
  compile Posix Frames Capture Imaging -- FuzzFFmpeg
  seeds=$(cat "$TESTBED"/{seeds,responder,stream,rtp,media}.py Tests/Fixtures/rtsp/* | sha256sum | cut -c1-16)
  seeds=$build/seeds-$seeds
  [ ! -d "$seeds" ] || return 0
  "$ROOT/Toolchain/setup.sh" test
  rm -rf "$seeds.part"
  "$TESTBED/run" seeds "$seeds.part"
  mv "$seeds.part" "$seeds"
}

run_ffmpeg() { CAMGATE_FUZZ=$name run "$seeds/$name" -rss_limit_mb=2048 -timeout=60 "$@"; }

# Each of the three must find one of the faults, and nothing else. Looking for leaks makes the first thousand runs slow.
find_planted() {
  local log
  program=fuzzplanted
  take_ffmpeg
  for name in "${FFMPEG[@]}"; do
    log=$build/$name.log found=$name-planted
    rm -rf "${build:?}/$found"
    ! run_ffmpeg -detect_leaks=0 >"$log" 2>&1 || die 70 "$name: the planted fault was not found in $seconds s"
    grep -q "ERROR: AddressSanitizer: heap-buffer-overflow" "$log" ||
      { tail -n 40 "$log" >&2 && die 70 "$name: ended otherwise"; }
    say "$name: the planted fault is found by run $(grep -o '^#[0-9]*' "$log" | tail -n 1):" \
      "$(sed -n 's/^SUMMARY: AddressSanitizer: //p' "$log")"
  done
}

name=${1:-}
seconds=${2:-60}
[[ $seconds =~ ^[0-9]+$ ]] || die 64 "how many seconds? '$seconds' is no number"
"$ROOT/Toolchain/setup.sh" build
has_fuzzer || die 69 "the Swift on PATH has no libFuzzer (swiftc -sanitize=fuzzer): swift.org's has"
cd "$ROOT"
build=.build-fuzz/$name found=$name-found program=fuzz link=()
flags=(-O -enable-testing -sanitize=fuzzer -parse-as-library -swift-version 6 -package-name camgate)
for library in Sources/C*/module.modulemap; do flags+=(-I "$(dirname "$library")"); done
fuzz=(run "Tests/Fuzz/$name" -rss_limit_mb=1024 -timeout=10)
case $name in
  segment) compile Posix DiskRing -- FuzzSegment SegmentForgery ;;
  settings) compile Posix Frames Settings -- FuzzSettings ;;
  capture) compile Posix Frames Capture -- FuzzCapture ../CaptureFuzzing/CaptureFuzzing ;;
  discovery) compile Posix Discovery -- FuzzDiscovery ;;
  rtsp | rtp | keyframe)
    take_ffmpeg
    fuzz=(run_ffmpeg)
    ;;
  ffmpeg) fuzz=(each "${FFMPEG[@]}") ;;
  planted) fuzz=(find_planted) ;;
  all)
    "$ROOT/Toolchain/cross/sanitized.sh" --cached >/dev/null || {
      say "NOT FUZZED: FFmpeg, which is not built for it here; Toolchain/dev fuzz ffmpeg builds it (minutes)"
      FFMPEG=()
    }
    fuzz=(each "${OURS[@]}" "${FFMPEG[@]}")
    ;;
  *) die 64 "fuzz knows ${OURS[*]} ${FFMPEG[*]} ffmpeg planted and all, not '$name'" ;;
esac
each() { for name in "$@"; do "$0" "$name" "$seconds"; done; }
"${fuzz[@]}"
