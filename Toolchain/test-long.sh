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
kills() { CAMGATE_KILLS=${CAMGATE_KILLS:-100} swift_test KillTests; }

# An outage longer than librdkafka's own message.timeout.ms, which is five minutes; what memory does meanwhile.
outage() { CAMGATE_OUTAGE=default swift_test LongOutageTests; }

# Every stream of x264 and x265 through the test bench's servers and VLC: FFmpeg started at each record.
streams() {
  need_packages vlc-bin vlc-plugin-base
  CAMGATE_SERVERS=all swift_test StreamTests
}

# Ten minutes of a camera with B-frames, sender reports, a clock that runs away and one wrong RTP time a minute.
times() { CAMGATE_TIMES=${CAMGATE_TIMES:-600} swift_test CameraSide/TimeTests; }

# An evening with odd cameras of three makes: ten minutes unless CAMGATE_EVENING says otherwise.
evening() {
  need_packages vlc-bin vlc-plugin-base
  CAMGATE_EVENING=${CAMGATE_EVENING:-600} swift_test EveningTests
}

# The settings change every 2 s for three minutes and more: a camera that is left alone loses nothing.
reload() { CAMGATE_RELOADS=${CAMGATE_RELOADS:-18} swift_test ReloadTests; }

swift_test() {
  swift build --build-tests "${SWIFT_FLAGS[@]}"
  swift test --skip-build --disable-xctest "${SWIFT_FLAGS[@]}" --filter "$1"
}

# The same with a look at what it has doubled: nothing, as the topic is, before any removal.
resumes() { "$TESTBED/run" resumes "$@"; }

# Disks that fail under the ring of a real gateway: nothing lost that can still be read. Needs root.
disks() { "$TESTBED/run" disks "$@"; }

# Four hostile cameras beside two good ones, in 400 MB and through an outage: nothing of the good ones lost. Needs root. It
# is what the board's FFmpeg promises.
hostile() {
  take_pinned --pinned
  swift build "${SWIFT_FLAGS[@]}" --product camgate
  CAMGATE=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path)/camgate "$TESTBED/run" hostile "$@"
}

# FFmpeg's own parsers and decoders with AddressSanitizer, which takes minutes to build; and whether that finds anything.
ffmpeg() {
  "$ROOT/Toolchain/fuzz.sh" planted 300
  "$ROOT/Toolchain/fuzz.sh" ffmpeg "${1:-600}"
}

NAMES=(reconnects faults kills resumes outage times reload disks streams evening hostile ffmpeg)

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
