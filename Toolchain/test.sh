#!/usr/bin/env bash
# Everything that can be tested on this machine: units, tables, real cameras and brokers.
# usage: Toolchain/dev test [--pinned] [options of `swift test`, as --filter NAME]
#        --pinned   against the FFmpeg and librdkafka of the board's binary, instead of the distribution's
#        Toolchain/dev test --arm      the board's binary, under emulation
#        Toolchain/dev test --long     what takes hours
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  --arm | --long)
    lane=$ROOT/Toolchain/test-${1#--}.sh
    [ -x "$lane" ] || die 64 "test knows --arm and --long, not '$1'"
    exec "$lane" "${@:2}"
    ;;
esac

# simulate_and_fuzz: what needs the processor and nothing else, with what the others leave of it.
simulate_and_fuzz() {
  renice -n 19 "$BASHPID" >/dev/null
  "$ROOT/Toolchain/sim.sh"
  if has_fuzzer; then
    "$ROOT/Toolchain/fuzz.sh" all 10
  else
    say "NOT FUZZED: the Swift on PATH has no libFuzzer (swiftc -sanitize=fuzzer); swift.org's has. The rest goes on."
  fi
}

"$ROOT/Toolchain/setup.sh" all
cd "$ROOT"
take_pinned "$@"
# Both: the executable for the integration tests, and the tests.
swift build "${SWIFT_FLAGS[@]}"
swift build --build-tests "${SWIFT_FLAGS[@]}"
if [ ${#ARGUMENTS[@]} -eq 0 ]; then
  CAMGATE=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate
  export CAMGATE
  say "the ring on a disk that loses power, each parser fuzzed for a moment, killing and resuming: all beside what follows"
  logs=$(mktemp -d)
  set -m # process groups of their own, to be ended as one
  simulate_and_fuzz >"$logs/simulator" 2>&1 &
  beside=$!
  "$TESTBED/run" resumes --short >"$logs/resumes" 2>&1 &
  resumes=$!
  set +m
  trap 'kill -- -$beside -$resumes 2>/dev/null || true; rm -rf "$logs"' EXIT
  say "testing the test bench"
  "$TESTBED/run" selftest
  say "the fault campaign, in its short form"
  "$TESTBED/run" campaign --short
  say "killing and resuming, in its short form"
  tail -n +1 -f --pid="$resumes" "$logs/resumes" >&2
  wait "$resumes" || die $? "resuming lost or doubled something, see above"
  say "what the ring's simulator and the fuzzers say"
  tail -n +1 -f --pid="$beside" "$logs/simulator" >&2
  wait "$beside" || die $? "the ring's simulator or a fuzzer found something, see above"
fi
swift test --skip-build --disable-xctest "${SWIFT_FLAGS[@]}" "${ARGUMENTS[@]}"
