#!/usr/bin/env bash
# Cameras, a gateway, a Kafka and two groups of consumers in one process, with an outage in the middle.
# usage: Toolchain/dev demo [--seconds N] [--outage S] [--json]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/Toolchain/setup.sh" build
cd "$ROOT"
say "building (release)"
swift build -c release --product camgate >&2
exec "$(swift build -c release --show-bin-path)/camgate" demo "$@"
