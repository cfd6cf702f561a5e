# Shared by the pieces of the cross toolchain: what the target is called, and the cache that keeps what a piece made.
# Each piece prints, as the only line on its standard output, the directory or file that it made.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

CROSS=$ROOT/Toolchain/cross
# The lock file and the choice of refusing newer inputs can be given from outside, for tests.
LOCK=${LOCK:-$CROSS/inputs.lock}
LOCKED=${LOCKED:-}
# shellcheck disable=SC2034  # used by the scripts that read this one
SUITE=trixie
# One target for now; another board is another set of these three.
# shellcheck disable=SC2034
ARCH=arm64
# shellcheck disable=SC2034
MULTIARCH=aarch64-linux-gnu
# shellcheck disable=SC2034
TRIPLE=aarch64-unknown-linux-gnu
JOBS=${JOBS:-$(nproc)}
export LC_ALL=C

# hash_of TEXT FILE...: one short name for the text and the files' contents.
hash_of() {
  local text=$1
  shift
  { echo "$text" && cat "$@" </dev/null; } | sha256sum | cut -c1-16
}

# held NAME COMMAND...: runs COMMAND while no other process on this machine holds NAME.
held() {
  local lock name=$1
  shift
  mkdir -p "$CACHE/cross"
  exec {lock}>"$CACHE/cross/$name.lock"
  flock "$lock"
  "$@" {lock}>&-
  exec {lock}>&-
}

# keep NAME KEY COMMAND...: prints the directory NAME-KEY of the cache. If it is not there, COMMAND makes it: it works in
# $PART, which is renamed to $FINAL when it is whole; what an interrupted run left behind is thrown away.
keep() {
  local name=$1
  FINAL=$CACHE/cross/$1-$2
  PART=$FINAL.part
  shift 2
  [ -d "$FINAL" ] || held "$name" make_kept "$name" "$@"
  touch "$FINAL"
  echo "$FINAL"
}

make_kept() {
  local name=$1 started=$SECONDS
  shift
  [ ! -d "$FINAL" ] || return 0 # another process made it while this one waited
  rm -rf "$PART"
  mkdir -p "$PART"
  "$@" >&2
  mv "$PART" "$FINAL"
  # Older generations go once nobody has used them for a month.
  find "$CACHE/cross" -maxdepth 1 -name "$name-*" -mtime +30 -exec rm -rf {} +
  say "$name: made in $((SECONDS - started)) s"
}

# contents_of USE: the file with lines "name arch version sha256 path" of what fetch.sh brought, as in the lock file.
contents_of() { "$CROSS/fetch.sh" "$1"; }

# file_of CONTENTS NAME [ARCH]: where that input lies.
file_of() {
  awk -v name="$2" -v arch="${3:-}" '$2 == name && (arch == "" || $3 == arch) { print $6, $7 }' "$1" |
    while read -r sha path; do download_name "$sha" "$path"; done
}

# download_name SHA256 PATH
download_name() { printf '%s/downloads/%.12s-%s\n' "$CACHE" "$1" "${2##*/}"; }

# unpack_deb FILE DIRECTORY [OPTIONS OF tar]
unpack_deb() {
  local deb=$1 into=$2
  shift 2
  mkdir -p "$into"
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$into" "$@"
}
