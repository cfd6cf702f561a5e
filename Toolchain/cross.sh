#!/usr/bin/env bash
# From a bare Debian 12 or 13 on x86-64 to one static binary for ARM boards. The last line on standard output is its path;
# beside it lie its symbols (.debug), the list of what went into it (.contents), the licences' texts (.notices) and the
# linker's map (.map).
#
# The pieces are in Toolchain/cross, each can be run by itself: compiler, sysroot, libraries, sdk, build. What they make
# is kept in the cache under a hash of what it is made of.
#
# usage: Toolchain/dev cross [--arch arm64] [--locked]
#        --locked   refuse when a pinned input is gone, instead of taking the suite's newer one
set -euo pipefail
. "$(dirname "$0")/cross/common.sh"

while [ $# -gt 0 ]; do
  case $1 in
    --arch)
      [ "${2:-}" = "$ARCH" ] || die 64 "cross knows $ARCH, not '${2:-}'"
      shift 2
      ;;
    --locked)
      export LOCKED=1
      shift
      ;;
    *) die 64 "usage: Toolchain/dev cross [--arch $ARCH] [--locked]" ;;
  esac
done

[ "$(uname -m)" = x86_64 ] || die 69 "the cross compiler runs on x86-64, this is $(uname -m)"
"$ROOT/Toolchain/setup.sh" build
started=$SECONDS
binary=$("$CROSS/build.sh" camgate)
say "cross: $((SECONDS - started)) s in all"
echo "$binary"
