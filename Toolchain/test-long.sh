#!/usr/bin/env bash
# Tests that take minutes, because the waiting, or doing it again and again, is what is tested.
# usage: Toolchain/dev test --long [kills|reconnects]...
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# 100 × SIGKILL of the gateway under load, with Kafka cut off in turns.
kills() {
  swift build "${SWIFT_FLAGS[@]}"
  swift build --build-tests "${SWIFT_FLAGS[@]}"
  say "killing the gateway ${CAMGATE_KILLS:=100} times"
  CAMGATE_KILLS=$CAMGATE_KILLS swift test --skip-build --disable-xctest "${SWIFT_FLAGS[@]}" --filter KillTests
}

reconnects() {
  local camgate
  swift build "${SWIFT_FLAGS[@]}" --product camgate
  camgate=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate
  say "connections that break, again and again"
  "$TESTBED/run" reconnects "$camgate"
}

"$ROOT/Toolchain/setup.sh" build test
cd "$ROOT"
[ $# -gt 0 ] || set -- reconnects kills
for check; do
  case $check in
    reconnects | kills) "$check" ;;
    *) die 64 "no long test '$check'" ;;
  esac
done
