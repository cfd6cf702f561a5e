#!/usr/bin/env bash
# Builds the unit tests of some modules for the board, and prints the command that runs them under emulation. Swift's
# runtime and Swift Testing are Debian's shared libraries, which the emulator takes from the sysroot; all else is linked
# as in the board's binary.
#
# usage: Toolchain/cross/unit-tests.sh MODULE...
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/swiftpm.sh"

scratch=$ROOT/.build-$ARCH-tests
package=$scratch/package
sdk=$("$CROSS/sdk.sh")
started=$SECONDS
say "building the tests of $* for $TRIPLE"
# A package of its own around the same files: the tests of other modules need not be made for the board.
rm -rf "$package"
mkdir -p "$package"
ln -s "$ROOT"/* "$package/"
rm "$package/Package.swift"
"$CROSS/test/portable.py" "$ROOT/Package.swift" "$@" >"$package/Package.swift"
# SwiftPM's own entry point looks for XCTest's tests too, by an index that compilers of two versions name differently.
cat >"$package/XCTMain.swift" <<'SWIFT'
import Testing

@main struct Runner {
  static func main() async { await Testing.__swiftPMEntryPoint() as Never }
}
SWIFT
build_for_board "$sdk" "$scratch" --package-path "$package" --build-tests --disable-xctest \
  --swift-sdk "camgate-$ARCH-tests"
say "the tests: $((SECONDS - started)) s"
echo "qemu-aarch64-static -L $sdk/camgate.artifactbundle/sysroot $scratch/debug/camgatePackageTests.xctest"
