# Building for the board with this machine's SwiftPM and the Swift SDK of sdk.sh.
# shellcheck shell=bash

# files_sum DIRECTORY: one SHA-256 for the names and the contents of all files in it, whichever mirror they come from: of
# the same files each has another commit. Links count as what they lead to.
files_sum() {
  (cd "$1" && find -L . -name .git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

# check_packages SCRATCH: dies unless every Swift package that SwiftPM brought there has the files that are pinned.
check_packages() {
  local place name version pinned found
  for place in "$1"/checkouts/*/; do
    [ -d "$place" ] || continue # a package without others, as that of the unit tests
    name=$(basename "$place")
    read -r version pinned <<<"$(awk -v name="$name" '$1 == "package" && $2 == name { print $5, $6 }' "$LOCK")"
    [ -n "$pinned" ] || die 65 "$name: no sum of its files in ${LOCK##*/}"
    found=$(files_sum "$place")
    [ "$found" = "$pinned" ] ||
      die 65 "$name $version: other files than those pinned in ${LOCK##*/}: their sum is $found, not $pinned"
  done
}

# build_for_board SDK SCRATCH OPTIONS OF swift build...: in $ROOT
build_for_board() {
  local sdk=$1 scratch=$2 headers package=$ROOT option before=
  shift 2
  for option in "$@"; do
    [ "$before" != --package-path ] || package=$option
    before=$option
  done
  cd "$ROOT" || return
  # SwiftPM does not see that a header of a system library target has changed.
  mkdir -p "$scratch"
  headers=$(cat Sources/C*/shim.h Sources/C*/module.modulemap | sha256sum)
  if [ "$headers" != "$(cat "$scratch/headers" 2>/dev/null)" ]; then
    rm -rf "${scratch:?}/$TRIPLE"
    echo "$headers" >"$scratch/headers"
  fi
  swift package resolve --package-path "$package" --scratch-path "$scratch" >&2
  check_packages "$scratch"
  # Search paths of the desk's environment are no business of the board's binary.
  env -u CPATH -u C_INCLUDE_PATH -u CPLUS_INCLUDE_PATH -u LIBRARY_PATH -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH \
    nice -n 5 swift build --scratch-path "$scratch" --disable-local-rpath --disable-index-store \
    --swift-sdks-path "$sdk" "${SWIFT_FLAGS[@]}" "$@" >&2
}
