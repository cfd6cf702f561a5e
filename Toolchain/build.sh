#!/usr/bin/env bash
# Builds Camgate; a warning is an error.
# usage: Toolchain/dev build [options of `swift build`]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build
cd "$ROOT"
swift build "${SWIFT_FLAGS[@]}" "$@"
