#!/usr/bin/env bash
# The Swift SDK: an artifact bundle (SE-0387) for SwiftPM of the desk, whose compiler is Debian 13's and whose sysroot is
# the board's, with the C libraries in it. Plain SwiftPM can use it:
#
#   swift build --disable-local-rpath --swift-sdks-path DIRECTORY --swift-sdk camgate-arm64
#
# (glibc refuses to start a static program that has a search path for libraries, which SwiftPM gives otherwise.)
#
# camgate-arm64-tests beside it links Swift's runtime dynamically: Debian has Swift Testing in that form only.
#
# usage: Toolchain/cross/sdk.sh         prints DIRECTORY, which holds the bundle
set -euo pipefail
. "$(dirname "$0")/common.sh"

# The private closure of the archives that the module maps name, once and here: what FFmpeg and librdkafka need.
closure=(-lssl -lcrypto -lzstd -llz4 -lz -lm)
# No executable stack, read-only relocations, nothing that is not called, and an id to find the symbols by.
hardening=(-z noexecstack -z relro -z now --gc-sections --build-id=sha1)

# foundation_stand_in DIRECTORY: nothing of Foundation but what swift-argument-parser uses (FoundationEssentials.swift).
# No hash for incremental builds: it depends on where the cache is.
foundation_stand_in() {
  local module=$1/FoundationEssentials.swiftmodule
  rm -rf "$1"/*Foundation*
  mkdir "$module"
  "$compiler/bin/swiftc" -target "$TRIPLE" -sdk "$sysroot" -resource-dir "${1%/linux}" -swift-version 6 \
    -warnings-as-errors -Osize -whole-module-optimization -parse-as-library -static \
    -file-prefix-map "$CROSS=/source" -Xfrontend -disable-incremental-llvm-codegen \
    -module-name FoundationEssentials -module-link-name FoundationEssentials \
    -emit-module -emit-module-path "$module/$TRIPLE.swiftmodule" -c "$CROSS/FoundationEssentials.swift" -o "$PART/stand-in.o"
  rm -f "$module"/*.swiftsourceinfo
  "$compiler/bin/llvm-ar" crD "$1/libFoundationEssentials.a" "$PART/stand-in.o"
  rm "$PART/stand-in.o"
}

json_list() { printf '"%s",' "$@" | sed 's/,$//'; }

# link_options FILE: what swiftc takes for -static-executable. A static program that is loaded anywhere (static-pie), and
# none of the ICU archives that the file names but this version of Foundation does not have.
link_options() {
  sed '/icu.*swift/d; s/^-static$/-static-pie/' "$1" >"$1.new"
  mv "$1.new" "$1" # not in place: the file is a hard link into the sysroot's own directory
}

# unpack_others DIRECTORY: headers and archives that only Camgate uses, and what their licences ask to be handed on.
unpack_others() {
  local name
  awk '{ print $2 }' "$contents" | while read -r name; do
    unpack_deb "$(file_of "$contents" "$name")" "$1" --keep-directory-symlink --wildcards --exclude='*.gz' \
      --exclude='*.so*' --exclude='*.pc' --exclude='*-decomp'
  done
}

# without_unwind_tables DIRECTORY: nothing is thrown through the C libraries, and backtraces walk frame pointers.
without_unwind_tables() {
  local name
  for name in crypto ssl zstd lz4 z yaml xxhash expat turbojpeg v4lconvert; do
    "$compiler/bin/$MULTIARCH-objcopy" --remove-section=.eh_frame --remove-section=.rela.eh_frame \
      "$1/lib$name.a" "$1/lib$name.a.new"
    mv "$1/lib$name.a.new" "$1/lib$name.a"
  done
}

# variant NAME RESOURCES LINKER-OPTION...: one SDK of the bundle, with Swift's libraries from RESOURCES.
variant() {
  local directory=$bundle/$1 resources=../sysroot/usr/lib/$2
  shift 2
  mkdir -p "$directory"
  cat >"$directory/swift-sdk.json" <<JSON
{ "schemaVersion": "4.0", "targetTriples": { "$TRIPLE": {
  "sdkRootPath": "../sysroot", "toolsetPaths": ["toolset.json"],
  "swiftResourcesPath": "$resources", "swiftStaticResourcesPath": "../sysroot/usr/lib/swift_static" } } }
JSON
  cat >"$directory/toolset.json" <<JSON
{ "schemaVersion": "1.0", "rootPath": "$compiler/bin",
  "swiftCompiler": { "path": "$compiler/bin/swiftc", "extraCLIOptions": [
    $(json_list "$@"), "-use-ld=lld", "-Xclang-linker", "-Wno-unused-command-line-argument"] },
  "cCompiler": { "path": "$compiler/bin/clang" }, "cxxCompiler": { "path": "$compiler/bin/clang++" },
  "librarian": { "path": "$compiler/bin/llvm-ar" },
  "linker": { "extraCLIOptions": [$(json_list "${closure[@]}" "${hardening[@]}")] } }
JSON
}

make_sdk() {
  local bundle=$PART/camgate.artifactbundle
  mkdir -p "$bundle"
  # Hard links: a sysroot of its own without the space of one.
  cp -al "$sysroot" "$bundle/sysroot"
  cp -al "$libraries/usr" "$bundle/sysroot/"
  unpack_others "$bundle/sysroot"
  without_unwind_tables "$bundle/sysroot/usr/lib/$MULTIARCH"
  foundation_stand_in "$bundle/sysroot/usr/lib/swift_static/linux"
  link_options "$bundle/sysroot/usr/lib/swift_static/linux/static-executable-args.lnk"
  cat >"$bundle/info.json" <<JSON
{ "schemaVersion": "1.0", "artifacts": {
  "camgate-$ARCH": { "type": "swiftSDK", "version": "1", "variants": [{ "path": "$ARCH" }] },
  "camgate-$ARCH-tests": { "type": "swiftSDK", "version": "1", "variants": [{ "path": "$ARCH-tests" }] } } }
JSON
  # The 75,000 relocations of a static-pie in a few KiB instead of 1.8 MB.
  variant "$ARCH" swift_static -static-executable -Xlinker --pack-dyn-relocs=relr
  # The emulator looks up this path in the sysroot.
  variant "$ARCH-tests" swift -Xlinker -rpath -Xlinker /usr/lib/swift/linux
}

compiler=$("$CROSS/compiler.sh")
sysroot=$("$CROSS/sysroot.sh")
libraries=$("$CROSS/libraries.sh" board)
contents=$(contents_of sdk)
keep "sdk-$ARCH" "$(hash_of "$compiler ${sysroot##*/} ${libraries##*/}" "$contents" "$0" "$CROSS/common.sh" \
  "$CROSS/FoundationEssentials.swift")" make_sdk
