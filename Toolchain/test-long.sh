#!/usr/bin/env bash
# Tests that take minutes because the waiting is what is tested.
# usage: Toolchain/dev test --long
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build test
cd "$ROOT"
swift build "${SWIFT_FLAGS[@]}" --product camgate
camgate=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate
say "connections that break, again and again"
"$TESTBED/run" reconnects "$camgate"
