#!/usr/bin/env bash
# Tests of the board's binary itself: what it is, and what it does under emulation, beside the same on the desk with the
# same libraries. Builds both first.
#
# usage: Toolchain/dev test --arm [--locked]
set -euo pipefail
. "$(dirname "$0")/cross/common.sh"

[ "${1:-}" != --locked ] || export LOCKED=1
need_packages qemu-user-static openssl util-linux mount gcc libc6-dev
"$ROOT/Toolchain/setup.sh" build test

board=$("$CROSS/build.sh" camgate)
board_ringbench=$("$CROSS/build.sh" RingBench)
# Those that need no server, no device and no checkout.
portable=(Posix Frames Records Settings DiskRing Backlog)
"$CROSS/unit-tests.sh" "${portable[@]}" >/dev/null
compiler=$("$CROSS/compiler.sh")
say "building the same for the desk"
tests=(--build-tests --disable-index-store --package-path "$ROOT/.build-$ARCH-tests/package"
  --scratch-path "$ROOT/.build-$ARCH-tests/desk" "${SWIFT_FLAGS[@]}")
nice -n 5 swift build "${tests[@]}" >&2
desk_units=$(swift build "${tests[@]}" --show-bin-path)/camgatePackageTests.xctest
# All others as well: what Swift 6.0 does not take would not build on a desk that has no newer one.
mapfile -t modules < <(cd "$ROOT/Tests" && printf '%s\n' *Tests | sed 's/Tests$//')
board_units=$("$CROSS/unit-tests.sh" "${modules[@]}")
take_pinned --pinned
cd "$ROOT"
for product in camgate RingBench; do nice -n 5 swift build -c release "${PINNED[@]}" --product "$product" >&2; done
desk=$(swift build -c release "${PINNED[@]}" --show-bin-path)

programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
say "building for the board again: elsewhere, on a poisoned desk"
again=$(unshare --mount "$CROSS/test/elsewhere.sh" "$programs/elsewhere")
source=$CROSS/test/rtsps.c
libraries=$("$CROSS/libraries.sh" desk)
sysroot=$("$CROSS/sdk.sh")/camgate.artifactbundle/sysroot
cc -Werror -I "$libraries/include" "$source" -o "$programs/desk" -L "$libraries/lib" "-Wl,-rpath,$libraries/lib" \
  -lavformat -lavcodec -lavutil
"$compiler/bin/clang" --target="$TRIPLE" --sysroot="$sysroot" -fuse-ld=lld -static-pie -Werror "$source" \
  -o "$programs/board" -lavformat -lavcodec -lavutil -lssl -lcrypto -lzstd -lz -lm

unset LC_ALL
"$TESTBED/run" python "$CROSS/test/binary.py" --root "$ROOT" --readelf "$compiler/bin/$MULTIARCH-readelf" --again "$again" \
  --modules "${portable[*]}" \
  --board "$board" --ringbench-board "$board_ringbench" --rtsps-board "$programs/board" --units-board "$board_units" \
  --desk "$desk/camgate" --ringbench-desk "$desk/RingBench" --rtsps-desk "$programs/desk" --units-desk "$desk_units"
