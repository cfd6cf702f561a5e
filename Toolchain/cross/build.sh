#!/usr/bin/env bash
# Builds a product for the board with the Swift SDK, strips it, and keeps its symbols in a file beside it.
#
# usage: Toolchain/cross/build.sh [PRODUCT]      prints the path of the stripped binary
set -euo pipefail
. "$(dirname "$0")/common.sh"

product=${1:-camgate}
scratch=$ROOT/.build-$ARCH
out=$scratch/out
sdk=$("$CROSS/sdk.sh")
compiler=$("$CROSS/compiler.sh")
tool=$compiler/bin/$MULTIARCH

# Places of this machine must not be in the binary, nor hashes of them: the same bytes wherever it is built.
flags=("${SWIFT_FLAGS[@]}" -Xswiftc -gline-tables-only -Xlinker "-Map=$out/$product.map"
  -Xswiftc -Xfrontend -Xswiftc -disable-incremental-llvm-codegen
  -Xswiftc -Xfrontend -Xswiftc -no-clang-module-breadcrumbs)
for place in "$ROOT=/camgate" "$sdk=/sdk" "$compiler=/compiler"; do
  flags+=(-Xswiftc -file-prefix-map -Xswiftc "$place")
done

cd "$ROOT"
# SwiftPM does not see that a header of a system library target has changed.
mkdir -p "$scratch/out"
headers=$(cat Sources/C*/shim.h Sources/C*/module.modulemap | sha256sum)
if [ "$headers" != "$(cat "$scratch/headers" 2>/dev/null)" ]; then
  rm -rf "${scratch:?}/$TRIPLE"
  echo "$headers" >"$scratch/headers"
fi
started=$SECONDS
say "building $product for $TRIPLE"
# Search paths of the desk's environment are no business of the board's binary.
env -u CPATH -u C_INCLUDE_PATH -u CPLUS_INCLUDE_PATH -u LIBRARY_PATH -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH \
  nice -n 5 swift build -c release --product "$product" --scratch-path "$scratch" --disable-local-rpath \
  --swift-sdks-path "$sdk" --swift-sdk "camgate-$ARCH" "${flags[@]}" >&2
"$tool-objcopy" --only-keep-debug "$scratch/release/$product" "$out/$product.debug"
"$tool-objcopy" --strip-all --add-gnu-debuglink="$out/$product.debug" "$scratch/release/$product" "$out/$product"
cat "$("$CROSS/fetch.sh" compiler)" "$("$CROSS/fetch.sh" sysroot)" "$("$CROSS/fetch.sh" library)" >"$out/$product.contents"
find "$sdk/camgate.artifactbundle/sysroot/usr/share/doc" -name copyright -type f | sort | while read -r notice; do
  printf '===== %s\n\n' "$(basename "$(dirname "$notice")")"
  cat "$notice"
done >"$out/$product.notices"
say "$product: $(stat -c %s "$out/$product") bytes in $((SECONDS - started)) s"
echo "$out/$product"
