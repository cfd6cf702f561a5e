#!/usr/bin/env bash
# The programs that make the image's file systems and archives: Debian 13's, pinned, so that every desk writes the same
# bytes. They run on Debian 12 too: each is started by the dynamic loader of the pinned C library.
#
# usage: Toolchain/image/tools.sh       prints a directory for PATH
set -euo pipefail
. "$(dirname "$0")/../cross/common.sh"

programs=(mtools mkfs.fat mke2fs xz zstd kmod)
# Programs that look at the name they are called by.
also=(mcopy:mtools mmd:mtools mdir:mtools depmod:kmod)

make_tools() {
  local name pair
  mkdir -p "$PART/root" "$PART/libraries" "$PART/programs" "$PART/bin"
  awk '$3 == "amd64" { print $2 }' "$contents" | while read -r name; do
    unpack_deb "$(file_of "$contents" "$name")" "$PART/root"
  done
  find "$PART/root" -path '*x86_64-linux-gnu/*' -name '*.so*' -exec cp -P {} "$PART/libraries/" \;
  for name in "${programs[@]}"; do
    cp "$(find "$PART/root" -path "*bin/$name" -type f | head -n 1)" "$PART/programs/$name"
    wrap "$name" "$name"
  done
  for pair in "${also[@]}"; do wrap "${pair%:*}" "${pair#*:}"; done
  # ukify is a Python program, and so is what it needs.
  for name in systemd-ukify python3-pefile; do
    unpack_deb "$(file_of "$contents" $name)" "$PART/python"
  done
  rm -rf "$PART/root"
  printf '#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH=%s exec /usr/bin/python3 %s "$@"\n' \
    "$FINAL/python/usr/lib/python3/dist-packages" "$FINAL/python/usr/bin/ukify" >"$PART/bin/ukify"
  chmod +x "$PART"/bin/*
}

# wrap NAME PROGRAM: a command NAME.
wrap() {
  printf '#!/bin/sh\nexec %s --library-path %s --argv0 %s %s "$@"\n' "$FINAL/libraries/ld-linux-x86-64.so.2" \
    "$FINAL/libraries" "$1" "$FINAL/programs/$2" >"$PART/bin/$1"
}

need_packages python3
contents=$(contents_of desk)
echo "$(keep tools "$(hash_of "$CACHE" "$contents" "$0" "$CROSS/common.sh")" make_tools)/bin"
