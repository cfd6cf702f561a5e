#!/usr/bin/env bash
# Builds the unit tests for the board, and prints the command that runs them under emulation. Swift's runtime and Swift
# Testing are Debian's shared libraries, which the emulator takes from the sysroot; all else is linked as in the board's
# binary.
#
# usage: Toolchain/cross/unit-tests.sh
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/swiftpm.sh"

scratch=$ROOT/.build-$ARCH-tests
sdk=$("$CROSS/sdk.sh")
started=$SECONDS
say "building the tests for $TRIPLE"
build_for_board "$sdk" "$scratch" --build-tests --disable-xctest --swift-sdk "camgate-$ARCH-tests"
say "the tests: $((SECONDS - started)) s"
echo "qemu-aarch64-static -L $sdk/camgate.artifactbundle/sysroot $scratch/debug/camgatePackageTests.xctest"
