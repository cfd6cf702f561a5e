#!/usr/bin/env bash
# Turns the addresses that a crashed camgate wrote into functions and lines.
#
# usage: Toolchain/dev symbolize [--symbols FILE] < LOG
#        --symbols   the .debug file that was made with the binary; by default the one of the last `cross`
set -euo pipefail
. "$(dirname "$0")/cross/common.sh"

symbols=$ROOT/.build-$ARCH/out/camgate.debug
if [ "${1:-}" = --symbols ]; then
  symbols=${2:-}
  shift 2
fi
[ $# -eq 0 ] || die 64 "usage: Toolchain/dev symbolize [--symbols FILE] < LOG"
[ -f "$symbols" ] || die 66 "no symbols at '$symbols': name them with --symbols"
need_packages binutils
need_swift

# The desk's own binutils read files of the desk only.
prefix=
if readelf -h "$symbols" | grep -q AArch64; then prefix=$("$CROSS/compiler.sh")/bin/$MULTIARCH-; fi
build=$("${prefix}readelf" -n "$symbols" | sed -n 's/.*Build ID: //p')
# Addresses are counted from the start of the program, which is where its first segment was linked to.
base=$("${prefix}readelf" -lW "$symbols" | awk '$1 == "LOAD" { print $3; exit }')

depth=0
while IFS= read -r line; do
  case $line in
    *'; build '*)
      [ "${line##*; build }" = "$build" ] || die 65 "these are not its symbols: they are of build $build"
      depth=0
      ;;
  esac
  if [[ $line =~ ^\ *\+(0x[0-9a-f]+)$ ]]; then
    # But for the first, these are where a function goes on after a call: the call is just before.
    address=$((BASH_REMATCH[1] + base - (depth > 0)))
    # It complains about each line table that it does not fully understand, and guesses files it has no line for.
    "${prefix}addr2line" -f -i -e "$symbols" "$(printf '0x%x' "$address")" 2>/dev/null | paste - - |
      while IFS=$'\t' read -r function place; do printf '%s  %s  %s\n' "$line" "$function" "${place%%*:\?}"; done
    depth=$((depth + 1))
  else
    printf '%s\n' "$line"
  fi
done | swift demangle --simplified
