#!/usr/bin/env bash
# The ring on a simulated disk: power cut at every call of short scripts, ten thousand random lives, known mistakes.
# usage: Toolchain/dev sim [SEED [LAST]]     with a seed: that life again, step by step; with two: all from the first on
#        Toolchain/dev sim SCRIPT [CALL FATE]   one script, power cut at every call; or one life of it, step by step
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build
cd "$ROOT"
say "building the simulator (release)"
# A place of its own: optimised objects, and nothing of the gateway.
simulator=(-c release --scratch-path .build-sim --product RingSimulator "${SWIFT_FLAGS[@]}")
swift build "${simulator[@]}" >&2
exec "$(swift build "${simulator[@]}" --show-bin-path)/RingSimulator" "$@"
