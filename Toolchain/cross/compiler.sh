#!/usr/bin/env bash
# The compiler: Debian 13's Swift 6.0.3 for x86-64 with its clang, lld and llvm-ar, and Debian 13's binutils for arm64.
#
# They run on Debian 12 too, because they bring their own glibc: each program's interpreter and search path are changed
# to the private copy beside it. The directory therefore works only where it was made.
#
# usage: Toolchain/cross/compiler.sh
set -euo pipefail
. "$(dirname "$0")/common.sh"

swift=./usr/libexec/swift

# The programs of the compiler. What is for looking at code (lldb, sourcekit, clangd) or for packages (the desk's own
# SwiftPM does that) stays out.
unpack_swift() {
  local package
  for package in swiftlang libswiftlang; do
    unpack_deb "$(file_of "$contents" $package)" "$PART" --strip-components=4 --wildcards --exclude='*.a' \
      --exclude='*lldb*' --exclude='*sourcekit*' --exclude='*/clangd' --exclude='*/docc' --exclude='*/swift-format' \
      --exclude='*_InternalSwiftScan*' --exclude='*/swift-backtrace*' \
      --exclude='*/swift-package' --exclude='*/swift-build-sdk-interfaces' --exclude="$swift/lib/swift/embedded" \
      --exclude="$swift/lib/swift_static" --exclude='*/linux/x86_64' --exclude='*/FrameworkABIBaseline' "$swift"
  done
}

unpack_runtime() {
  local name
  mkdir -p "$PART/runtime" "$PART/libraries"
  awk '$2 !~ /swiftlang/ { print $2 }' "$contents" | while read -r name; do
    unpack_deb "$(file_of "$contents" "$name")" "$PART/runtime"
  done
  find "$PART/runtime" -path '*x86_64-linux-gnu/*' -name '*.so*' -exec cp -P {} "$PART/libraries/" \;
  cp "$PART"/runtime/usr/bin/$MULTIARCH-{objcopy,strip,nm,readelf,objdump,addr2line,size} "$PART/bin/"
  rm -rf "$PART/runtime"
}

use_private_glibc() {
  local program
  for program in "$PART"/bin/*; do
    if [ -L "$program" ] || [ "$(head -c 4 "$program" | tail -c 3)" != ELF ]; then continue; fi
    patchelf --set-interpreter "$FINAL/libraries/ld-linux-x86-64.so.2" --force-rpath --set-rpath \
      "\$ORIGIN/../lib/swift/host:\$ORIGIN/../lib/swift/linux:\$ORIGIN/../lib:$FINAL/libraries" "$program"
  done
}

make_compiler() {
  unpack_swift
  unpack_runtime
  use_private_glibc
  # clang as a plain C compiler for the board, by the name that build systems ask for.
  ln -s clang-17 "$PART/bin/$MULTIARCH-clang"
  ln -s clang-17 "$PART/bin/$MULTIARCH-clang++"
}

contents=$(contents_of compiler)
need_packages patchelf
keep compiler "$(hash_of "$CACHE" "$contents" "$0" "$CROSS/common.sh")" make_compiler
