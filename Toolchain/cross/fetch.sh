#!/usr/bin/env bash
# Brings the inputs of the lock file that are for one use, and prints the file that lists what was brought.
#
# Each is fetched by its pinned path and must have its pinned SHA-256. Debian drops point releases that are superseded:
# a pinned file that is gone is replaced by what the suite has now, as far as its rule in the lock file allows, and the
# difference is printed; with LOCKED=1 it is refused. The list has the columns of the lock file.
#
# usage: Toolchain/cross/fetch.sh USE        USE: the first column of the lock file
#        Toolchain/cross/fetch.sh --newest   the whole lock file as it would be today (for relock)
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/mirror.sh"

# may_move RULE OLD NEW: never; suite and follow: whatever the suite has; a series: versions that begin with it and a dot.
may_move() {
  case $1 in
    never) [ "$2" = "$3" ] ;;
    suite | follow) ;;
    *) [[ $3 == "$1".* ]] ;;
  esac
}

# replacement LINE: the same input as the suite has it now, as a line of the lock file.
replacement() {
  local use name arch rule version sha path now
  read -r use name arch rule version sha path <<<"$1"
  now=$(newest "$name" "$arch" "$rule" "$version") || now=
  [ -n "$now" ] || die 66 "$name $version ($arch): gone from the mirror, and $SUITE has no other"
  may_move "$rule" "$version" "${now%% *}" ||
    die 66 "$name must stay ${rule/never/$version}, but $SUITE has ${now%% *}: see the comment in ${LOCK##*/}"
  printf '%s\n' "$use $name $arch $rule $now"
}

# bring LINE: the line of what was brought.
bring() {
  local use name arch rule version sha path file new old_version old_sha
  read -r use name arch rule version sha path <<<"$1"
  file=$(download_name "$sha" "$path")
  if [ -f "$file" ] || download "$path" "$sha" "$file"; then
    printf '%s\n' "$1"
    return
  fi
  [ -z "$LOCKED" ] || die 66 "$name $version: $path is not there as pinned, and --locked allows no other"
  private_apt
  new=$(replacement "$1")
  [ "$new" != "$1" ] || die 69 "$name $version: the mirror lists $path but did not give it"
  old_version=$version old_sha=$sha
  read -r use name arch rule version sha path <<<"$new"
  [ "$version" != "$old_version" ] || [ "$sha" = "$old_sha" ] ||
    die 65 "$name $version: the mirror has another file under the same version: ${path##*/} is $sha, not $old_sha"
  say "$name ($arch): $old_version is gone from the mirror, taking $version"
  file=$(download_name "$sha" "$path")
  [ -f "$file" ] || download "$path" "$sha" "$file" || die 69 "$name $version: could not download $path"
  printf '%s\n' "$new"
}

pinned() { sed 's/#.*//' "$LOCK" | awk -v use="$1" 'NF == 7 && (use == "" || $1 == use) { $1 = $1; print }'; }

bring_all() {
  local line list=$1 use=$2
  pinned "$use" | while read -r line; do bring "$line"; done >"$list.part"
  mv "$list.part" "$list"
}

# whole LIST: is everything on it in the cache?
whole() {
  local sha path
  while read -r _ _ _ _ _ sha path; do
    [ -f "$(download_name "$sha" "$path")" ] || return 1
  done <"$1"
}

fetch() {
  local use=$1 list
  list=$CACHE/cross/contents-$use-$(hash_of "$(pinned "$use")")
  [ -n "$(pinned "$use")" ] || die 64 "${LOCK##*/} has nothing for '$use'"
  mkdir -p "$CACHE/downloads" "$CACHE/cross"
  if [ ! -f "$list" ] || ! whole "$list"; then
    say "fetching what is pinned for: $use"
    held fetch bring_all "$list" "$use"
  fi
  if ! diff <(pinned "$use") "$list" >/dev/null; then
    [ -z "$LOCKED" ] || die 66 "newer inputs than the pinned ones are in use, and --locked allows none"
    say "not as pinned (Toolchain/dev relock makes these the pins):"
    { diff <(pinned "$use") "$list" || true; } | awk '/^[<>]/ { print "  " $1, $3, $4, $6 }' >&2
  fi
  echo "$list"
}

newest_of_all() {
  private_apt
  pinned "" | while read -r line; do
    # What SwiftPM brings is renewed by hand, with Package.swift.
    if [[ $line == package* ]]; then echo "$line"; else replacement "$line"; fi
  done
}

case ${1:-} in
  --newest) held fetch newest_of_all ;; # apt's lists are for one at a time
  *) fetch "${1:-}" ;;
esac
