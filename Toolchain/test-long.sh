#!/usr/bin/env bash
# What takes long: each campaign is a function, and prints its table.
# usage: Toolchain/dev test --long [CAMPAIGN [OPTIONS]]   all of them when none is named
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Every fault of the uplink to Kafka, one after another: nothing lost, nothing doubled. A quarter of an hour.
faults() { "$TESTBED/run" campaign "$@"; }

CAMPAIGNS=(faults)

"$ROOT/Toolchain/setup.sh" all
cd "$ROOT"
swift build "${SWIFT_FLAGS[@]}"
CAMGATE=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate
export CAMGATE
if [ $# -gt 0 ]; then
  [[ " ${CAMPAIGNS[*]} " == *" $1 "* ]] || die 64 "campaigns are: ${CAMPAIGNS[*]}"
  "$@"
else
  for campaign in "${CAMPAIGNS[@]}"; do
    say "campaign: $campaign"
    "$campaign"
  done
fi
