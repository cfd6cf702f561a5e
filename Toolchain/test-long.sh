#!/usr/bin/env bash
# What takes too long for every change. Each check is a function; without arguments all of them run.
# usage: Toolchain/dev test --long [kills]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# 100 × SIGKILL of the gateway under load, with Kafka cut off in turns.
kills() {
  say "killing the gateway ${CAMGATE_KILLS:=100} times"
  CAMGATE_KILLS=$CAMGATE_KILLS swift test --skip-build --disable-xctest --filter KillTests
}

"$ROOT/Toolchain/setup.sh" all
cd "$ROOT"
swift build
swift build --build-tests
[ $# -gt 0 ] || set -- kills
for check; do
  case $check in
    kills) "$check" ;;
    *) die 64 "no long check '$check'" ;;
  esac
done
