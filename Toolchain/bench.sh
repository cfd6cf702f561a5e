#!/usr/bin/env bash
# Benchmarks: a table on standard error, one JSON line at the end of standard output.
# usage: Toolchain/dev bench [--pinned] NAME [options]     names: the files in Toolchain/bench
#        --pinned   against the FFmpeg and librdkafka of the board's binary, instead of the distribution's
set -euo pipefail
. "$(dirname "$0")/lib.sh"

take_pinned "$@"
set -- "${ARGUMENTS[@]}"
names=$(cd "$ROOT/Toolchain/bench" && echo *.py)
bench=$ROOT/Toolchain/bench/${1:-}.py
[ -f "$bench" ] || die 64 "bench knows ${names//.py/}, not '${1:-}'"

"$ROOT/Toolchain/setup.sh" build test
cd "$ROOT"
if [ "$1" = ring ]; then
  say "building the bench of the ring (release)"
  product=(-c release --scratch-path .build-sim --product RingBench "${SWIFT_FLAGS[@]}")
  swift build "${product[@]}" >&2
  RINGBENCH="$(swift build "${product[@]}" --show-bin-path)/RingBench" exec python3 "$bench" "${@:2}"
fi
if [ "$1" = delivery ]; then
  say "building the bench of delivery (release)"
  product=(-c release "${PINNED[@]}" --product DeliveryBench)
  swift build "${product[@]}" >&2
  DELIVERYBENCH="$(swift build "${product[@]}" --show-bin-path)/DeliveryBench" \
    exec "$(venv_directory)/bin/python" "$bench" "${@:2}"
fi
say "building (release)"
swift build -c release "${PINNED[@]}" --product camgate >&2
CAMGATE="$(swift build -c release "${PINNED[@]}" --show-bin-path)/camgate" exec "$(venv_directory)/bin/python" "$bench" "${@:2}"
