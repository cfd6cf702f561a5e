#!/usr/bin/env bash
# Renews the pins of the cross toolchain: every input as the suite has it now, as far as it may move (the lock file says
# how far). Prints what changed; afterwards run `Toolchain/dev test --arm`, look at the difference, and commit it.
#
# usage: Toolchain/dev relock
set -euo pipefail
. "$(dirname "$0")/cross/common.sh"

new=$(mktemp)
trap 'rm -f "$new"' EXIT
grep '^#' "$LOCK" >"$new"
"$CROSS/fetch.sh" --newest | while read -r use name arch rule version sha path; do
  printf '%-9s %-25s %-6s %-5s %-37s %s %s\n' "$use" "$name" "$arch" "$rule" "$version" "$sha" "$path"
done >>"$new"

if diff -q "$LOCK" "$new" >/dev/null; then
  say "nothing moved: the pins are what $SUITE has"
else
  say "what moved:"
  { diff "$LOCK" "$new" || true; } | awk '/^[<>]/ { print "  " $1, $3, $4, $6 }' >&2
  cat "$new" >"$LOCK"
fi
