#!/usr/bin/env bash
# The Swift SDK: an artifact bundle (SE-0387) for SwiftPM of the desk, whose compiler is Debian 13's and whose sysroot is
# the board's, with the C libraries in it. Plain SwiftPM can use it:
#
#   swift build --disable-local-rpath --swift-sdks-path DIRECTORY --swift-sdk camgate-arm64
#
# (glibc refuses to start a static program that has a search path for libraries, which SwiftPM gives otherwise.)
#
# usage: Toolchain/cross/sdk.sh         prints DIRECTORY, which holds the bundle
set -euo pipefail
. "$(dirname "$0")/common.sh"

# The private closure of the archives that the module maps name, once and here: what FFmpeg and librdkafka need.
closure=(-lssl -lcrypto -lzstd -llz4 -lz -lm)
# No executable stack, read-only relocations, nothing that is not called, an id to find the symbols by, and the 75,000
# relocations of a static-pie in a few KiB instead of 1.8 MB.
hardening=(-z noexecstack -z relro -z now --gc-sections --build-id=sha1 --pack-dyn-relocs=relr)

json_list() { printf '"%s",' "$@" | sed 's/,$//'; }

# link_options FILE: what swiftc takes for -static-executable. A static program that is loaded anywhere (static-pie), and
# none of the ICU archives that the file names but this version of Foundation does not have.
link_options() {
  sed '/icu.*swift/d; s/^-static$/-static-pie/' "$1" >"$1.new"
  mv "$1.new" "$1" # not in place: the file is a hard link into the sysroot's own directory
}

# without_unwind_tables DIRECTORY: nothing is thrown through the C libraries, and backtraces walk frame pointers.
without_unwind_tables() {
  local name
  for name in crypto ssl zstd lz4 z yaml xxhash; do
    "$compiler/bin/$MULTIARCH-objcopy" --remove-section=.eh_frame --remove-section=.rela.eh_frame \
      "$1/lib$name.a" "$1/lib$name.a.new"
    mv "$1/lib$name.a.new" "$1/lib$name.a"
  done
}

make_sdk() {
  local bundle=$PART/camgate.artifactbundle
  mkdir -p "$bundle/$ARCH"
  # Hard links: a sysroot of its own without the space of one.
  cp -al "$sysroot" "$bundle/sysroot"
  cp -al "$libraries/usr" "$bundle/sysroot/"
  without_unwind_tables "$bundle/sysroot/usr/lib/$MULTIARCH"
  link_options "$bundle/sysroot/usr/lib/swift_static/linux/static-executable-args.lnk"
  cat >"$bundle/info.json" <<JSON
{ "schemaVersion": "1.0", "artifacts": { "camgate-$ARCH": {
  "type": "swiftSDK", "version": "1", "variants": [{ "path": "$ARCH" }] } } }
JSON
  cat >"$bundle/$ARCH/swift-sdk.json" <<JSON
{ "schemaVersion": "4.0", "targetTriples": { "$TRIPLE": {
  "sdkRootPath": "../sysroot", "toolsetPaths": ["toolset.json"],
  "swiftResourcesPath": "../sysroot/usr/lib/swift_static",
  "swiftStaticResourcesPath": "../sysroot/usr/lib/swift_static" } } }
JSON
  cat >"$bundle/$ARCH/toolset.json" <<JSON
{ "schemaVersion": "1.0", "rootPath": "$compiler/bin",
  "swiftCompiler": { "path": "$compiler/bin/swiftc", "extraCLIOptions": [
    "-static-executable", "-use-ld=lld", "-Xclang-linker", "-Wno-unused-command-line-argument"] },
  "cCompiler": { "path": "$compiler/bin/clang" }, "cxxCompiler": { "path": "$compiler/bin/clang++" },
  "librarian": { "path": "$compiler/bin/llvm-ar" },
  "linker": { "extraCLIOptions": [$(json_list "${closure[@]}" "${hardening[@]}")] } }
JSON
}

compiler=$("$CROSS/compiler.sh")
sysroot=$("$CROSS/sysroot.sh")
libraries=$("$CROSS/libraries.sh" board)
keep "sdk-$ARCH" "$(hash_of "$compiler ${sysroot##*/} ${libraries##*/}" "$0" "$CROSS/common.sh")" make_sdk
