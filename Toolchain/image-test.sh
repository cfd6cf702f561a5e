#!/usr/bin/env bash
# Boots the image in a virtual board (QEMU, emulated) with cameras and a broker on the desk, and takes away from it what a
# board on a wall loses: the network, the power, the right settings.
#
# usage: Toolchain/dev image-test [--short | --long] [CASE...]      the cases are in Toolchain/image/test/cases.py
#        --short    what CI has time for: boot and settings
#        --long     also what takes an hour more: power cuts at random moments, torn writes, a slow card, a second build
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_packages qemu-system-arm qemu-efi-aarch64 qemu-utils mtools e2fsprogs xz-utils
"$ROOT/Toolchain/setup.sh" test
images=("$(bash "$ROOT/Toolchain/image.sh" | tail -n 1)")
# What is in it, as tools of others read it.
"$TESTBED/run" python "$ROOT/Toolchain/image/test/contents.py" "${images[0]%.img.xz}.cdx.json"
if [ "${1:-}" = --short ]; then
  images+=("")  # none of its cases looks into the board
  set -- boot settings "${@:2}"
else
  images+=("$(bash "$ROOT/Toolchain/image.sh" --test | tail -n 1)")
  # The desk's own program looks into the boards' rings.
  swift build "${SWIFT_FLAGS[@]}" --package-path "$ROOT" --product camgate >&2
  CAMGATE=$(swift build "${SWIFT_FLAGS[@]}" --package-path "$ROOT" --show-bin-path)/camgate
  export CAMGATE
fi
exec "$TESTBED/run" python "$ROOT/Toolchain/image/test/cases.py" "${images[@]}" "$@"
