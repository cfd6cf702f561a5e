#!/usr/bin/env bash
# Fuzzes a parser with libFuzzer, beginning with the inputs in Tests/Fuzz/NAME.
# usage: Toolchain/dev fuzz NAME SECONDS     names: segment (the ring's reader), settings (the settings file),
#        capture (what cameras send), discovery (what devices answer); all: one after another
set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=${1:-}
seconds=${2:-60}
NAMES=(segment settings capture discovery)
if [ "$name" = all ]; then
  for each in "${NAMES[@]}"; do "$0" "$each" "$seconds"; done
  exit
fi
case $name in
  segment)
    modules=(Posix DiskRing)
    sources=(FuzzSegment SegmentForgery)
    ;;
  settings)
    modules=(Posix Frames Settings)
    sources=(FuzzSettings)
    ;;
  capture)
    modules=(Posix Frames Capture)
    sources=(FuzzCapture ../CaptureFuzzing/CaptureFuzzing)
    ;;
  discovery)
    modules=(Posix Discovery)
    sources=(FuzzDiscovery)
    ;;
  *) die 64 "fuzz knows ${NAMES[*]} and all, not '$name'" ;;
esac
[[ $seconds =~ ^[0-9]+$ ]] || die 64 "how many seconds? '$seconds' is no number"

"$ROOT/Toolchain/setup.sh" build
has_fuzzer || die 69 "the Swift on PATH has no libFuzzer (swiftc -sanitize=fuzzer): swift.org's has"
cd "$ROOT"
build=.build-fuzz/$name
mkdir -p "$build/found"
flags=(-O -enable-testing -sanitize=fuzzer -parse-as-library -swift-version 6 -package-name camgate -I "$build")
for library in Sources/C*/module.modulemap; do flags+=(-I "$(dirname "$library")"); done

objects=()
for module in "${modules[@]}"; do
  say "building $module for the fuzzer"
  mapfile -t parts < <(find "Sources/$module" -name '*.swift' | LC_ALL=C sort)
  swiftc "${flags[@]}" -wmo -module-name "$module" -emit-module -emit-module-path "$build/$module.swiftmodule" \
    -c "${parts[@]}" -o "$build/$module.o"
  objects+=("$build/$module.o")
done
mapfile -t files < <(printf 'Tests/Fuzz/%s.swift\n' "${sources[@]}")
swiftc "${flags[@]}" -wmo -module-name Fuzz "${files[@]}" "${objects[@]}" -o "$build/fuzz"
say "fuzzing $name for $seconds s"
# New inputs go to a place of their own: those in the repository are chosen by hand.
exec "$build/fuzz" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -artifact_prefix="$build/" -print_final_stats=1 \
  "$build/found" "Tests/Fuzz/$name"
