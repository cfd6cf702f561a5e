# Building for the board with this machine's SwiftPM and the Swift SDK of sdk.sh.
# shellcheck shell=bash

# build_for_board SDK SCRATCH OPTIONS OF swift build...: in $ROOT
build_for_board() {
  local sdk=$1 scratch=$2 headers
  shift 2
  cd "$ROOT" || return
  # SwiftPM does not see that a header of a system library target has changed.
  mkdir -p "$scratch"
  headers=$(cat Sources/C*/shim.h Sources/C*/module.modulemap | sha256sum)
  if [ "$headers" != "$(cat "$scratch/headers" 2>/dev/null)" ]; then
    rm -rf "${scratch:?}/$TRIPLE"
    echo "$headers" >"$scratch/headers"
  fi
  # Search paths of the desk's environment are no business of the board's binary.
  env -u CPATH -u C_INCLUDE_PATH -u CPLUS_INCLUDE_PATH -u LIBRARY_PATH -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH \
    nice -n 5 swift build --scratch-path "$scratch" --disable-local-rpath --disable-index-store \
    --swift-sdks-path "$sdk" "${SWIFT_FLAGS[@]}" "$@" >&2
}
