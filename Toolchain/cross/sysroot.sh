#!/usr/bin/env bash
# The sysroot: headers and static archives of Debian 13 for the board, and Swift's runtime for it. Nothing in here comes
# from the desk. The C libraries that Camgate builds itself are added by libraries.sh.
#
# usage: Toolchain/cross/sysroot.sh
set -euo pipefail
. "$(dirname "$0")/common.sh"

swift=./usr/libexec/swift/lib

unpack_debian() {
  local name
  ln -s usr/lib "$PART/lib"
  awk '$2 !~ /swiftlang/ { print $2 }' "$contents" | while read -r name; do
    unpack_deb "$(file_of "$contents" "$name")" "$PART" --keep-directory-symlink --exclude=./usr/share --exclude=./etc
    # What the licences ask to be handed on.
    unpack_deb "$(file_of "$contents" "$name")" "$PART" --wildcards --exclude='*.gz' './usr/share/doc/*'
  done
}

unpack_swift() {
  local package
  for package in swiftlang libswiftlang; do
    unpack_deb "$(file_of "$contents" $package)" "$PART/usr/lib" --strip-components=5 --wildcards \
      --exclude="$swift/swift/host" --exclude="$swift/swift/embedded" --exclude='*lldb*' --exclude='*sourcekit*' \
      --exclude='*/FrameworkABIBaseline' "$swift"
  done
  unpack_deb "$(file_of "$contents" swiftlang)" "$PART" --wildcards --exclude='*.gz' './usr/share/doc/*'
  # swiftc looks at it to learn what it builds for, and warns without it.
  echo '{"CanonicalName":"linux13.0","Version":"13.0","VersionMap":{"macOS_iOSMac":{},"iOSMac_macOS":{}}}' \
    >"$PART/SDKSettings.json"
}

make_sysroot() {
  mkdir -p "$PART/usr/lib"
  unpack_debian
  unpack_swift
  rm -rf "${PART:?}"/usr/{bin,sbin,libexec}
}

contents=$(contents_of sysroot)
keep sysroot "$(hash_of board "$contents" "$0" "$CROSS/common.sh")" make_sysroot
