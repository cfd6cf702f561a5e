#!/usr/bin/env bash
# Builds a product for the board with the Swift SDK, strips it, and keeps its symbols in a file beside it.
#
# usage: Toolchain/cross/build.sh [PRODUCT]      prints the path of the stripped binary
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/swiftpm.sh"

product=${1:-camgate}
scratch=$ROOT/.build-$ARCH
out=$scratch/out
sdk=$("$CROSS/sdk.sh")
compiler=$("$CROSS/compiler.sh")
tool=$compiler/bin/$MULTIARCH

# Places of this machine must not be in the binary, nor hashes of them: the same bytes wherever it is built. (What stands
# for them must not be where somebody builds: the line tables are others when both are the same.)
flags=(-Xswiftc -gline-tables-only -Xlinker "-Map=$out/$product.map"
  -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen
  -Xswiftc -Xfrontend -Xswiftc -no-clang-module-breadcrumbs)
for place in "$ROOT=/source/camgate" "$sdk=/source/sdk" "$compiler=/source/compiler"; do
  flags+=(-Xswiftc -file-prefix-map -Xswiftc "$place")
done

started=$SECONDS
say "building $product for $TRIPLE"
mkdir -p "$out"
build_for_board "$sdk" "$scratch" -c release --product "$product" --swift-sdk "camgate-$ARCH" "${flags[@]}"
"$tool-objcopy" --only-keep-debug "$scratch/release/$product" "$out/$product.debug"
"$tool-objcopy" --strip-all --add-gnu-debuglink="$out/$product.debug" "$scratch/release/$product" "$out/$product"
cat "$("$CROSS/fetch.sh" compiler)" "$("$CROSS/fetch.sh" sysroot)" "$("$CROSS/fetch.sh" sdk)" \
  "$("$CROSS/fetch.sh" library)" <(grep '^package' "$LOCK") >"$out/$product.contents"
find "$sdk/camgate.artifactbundle/sysroot/usr/share/doc" -name copyright -type f | sort | while read -r notice; do
  printf '===== %s\n\n' "$(basename "$(dirname "$notice")")"
  cat "$notice"
done >"$out/$product.notices"
say "$product: $(stat -c %s "$out/$product") bytes in $((SECONDS - started)) s"
echo "$out/$product"
