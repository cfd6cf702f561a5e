#!/usr/bin/env bash
# Builds Camgate; a warning is an error.
# usage: Toolchain/dev build [--pinned] [options of `swift build`]
#        --pinned   against the FFmpeg and librdkafka of the board's binary, instead of the distribution's
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build
cd "$ROOT"
take_pinned "$@"
swift build "${SWIFT_FLAGS[@]}" "${ARGUMENTS[@]}"
