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
compiler=$("$CROSS/compiler.sh")
take_pinned --pinned
say "building camgate for the desk, against the pinned libraries"
cd "$ROOT"
nice -n 5 swift build -c release "${PINNED[@]}" --product camgate >&2
desk=$(swift build -c release "${PINNED[@]}" --show-bin-path)/camgate

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
"$TESTBED/run" python "$CROSS/test/binary.py" --board "$board" --again "$again" --desk "$desk" --rtsps-board "$programs/board" \
  --rtsps-desk "$programs/desk" --readelf "$compiler/bin/$MULTIARCH-readelf" --root "$ROOT"
