#!/usr/bin/env bash
# Tests that take minutes because the waiting is what is tested: each is a function.
# usage: Toolchain/dev test --long [NAME [OPTIONS]]   all of them when none is named
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Connections that break, again and again.
reconnects() { "$TESTBED/run" reconnects "$CAMGATE"; }

# Every fault of the uplink to Kafka, one after another: nothing lost, nothing doubled.
faults() { "$TESTBED/run" campaign "$@"; }

# SIGKILL of the gateway under load, 100 times unless CAMGATE_KILLS says otherwise, with Kafka cut off in turns.
kills() {
  swift build --build-tests "${SWIFT_FLAGS[@]}"
  say "killing the gateway ${CAMGATE_KILLS:=100} times"
  CAMGATE_KILLS=$CAMGATE_KILLS swift test --skip-build --disable-xctest "${SWIFT_FLAGS[@]}" --filter KillTests
}

NAMES=(reconnects faults kills)

"$ROOT/Toolchain/setup.sh" build test
cd "$ROOT"
swift build "${SWIFT_FLAGS[@]}" --product camgate
CAMGATE=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate
export CAMGATE
if [ $# -gt 0 ]; then
  [[ " ${NAMES[*]} " == *" $1 "* ]] || die 64 "test --long knows ${NAMES[*]}, not '$1'"
  "$@"
else
  for name in "${NAMES[@]}"; do
    say "test --long: $name"
    "$name"
  done
fi
