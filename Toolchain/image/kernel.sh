#!/usr/bin/env bash
# Debian's arm64 kernel as the image takes it: `vmlinuz`, `release` (its version), all modules unpacked below `lib`, with
# the tables that depmod makes of them.
#
# usage: Toolchain/image/kernel.sh       prints the directory that holds them
set -euo pipefail
. "$(dirname "$0")/../cross/common.sh"

make_kernel() {
  local release
  unpack_deb "$(file_of "$contents" linux-image-arm64)" "$PART/deb" --exclude='./usr/share/doc/*.gz'
  cp "$PART"/deb/boot/vmlinuz-* "$PART/vmlinuz"
  mkdir -p "$PART/lib"
  mv "$PART/deb/usr/lib/modules" "$PART/lib/modules"
  cp "$PART"/deb/usr/share/doc/*/copyright "$PART/copyright"
  rm -rf "$PART/deb"
  release=$(basename "$PART"/lib/modules/*)
  echo "$release" >"$PART/release"
  find "$PART/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 200 -P "$JOBS" "$tools/xz" -d
  "$tools/depmod" -b "$PART" "$release"
}

tools=$("$ROOT/Toolchain/image/tools.sh")
contents=$(contents_of image)
keep kernel "$(hash_of "${tools%/bin} $(awk '$2 == "linux-image-arm64"' "$contents")" "$0")" make_kernel
