# Shared by the scripts in this directory: saying things, installing what is missing, where caches lie.
# Everything said goes to standard error: standard output belongs to what the verb runs.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TESTBED=$ROOT/Toolchain/testbed
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/camgate
# The one set of flags for every native build, so that build, lint and test share their objects.
# shellcheck disable=SC2034  # used by the scripts that read this one
SWIFT_FLAGS=(-Xswiftc -warnings-as-errors)

say() { printf 'camgate: %s\n' "$*" >&2; }

# die STATUS TEXT
die() {
  local status=$1
  shift
  say "$*"
  exit "$status"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die 77 "need root (no sudo here) for: $*"
  fi
}

# need_packages NAME...: installs those Debian packages that are not there yet; at once when none is missing.
need_packages() {
  local missing=() name
  command -v dpkg-query >/dev/null || die 69 "this is no Debian: please install the likes of: $*"
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  {
    as_root apt-get -q -o Acquire::Retries=3 update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 \
      install --no-install-recommends "${missing[@]}"
  } >&2 </dev/null || die 69 "apt could not install ${missing[*]}"
}

need_swift() {
  local version
  command -v swift >/dev/null || die 69 "no swift on PATH; Swift 6.0 or newer: https://www.swift.org/install/linux/"
  version=$(swift --version 2>&1) || die 69 "swift does not run on this machine: $version"
  [[ $version =~ Swift\ version\ ([0-9]+) && ${BASH_REMATCH[1]} -ge 6 ]] ||
    die 69 "Swift 6.0 or newer is needed, not $version"
}

# has_fuzzer: does this Swift have libFuzzer? Some toolchains come without.
has_fuzzer() {
  local probe status=0
  probe=$(mktemp -d)
  echo '@_cdecl("LLVMFuzzerTestOneInput") public func take(_: UnsafePointer<UInt8>, _: Int) -> CInt { 0 }' >"$probe/probe.swift"
  swiftc -parse-as-library -sanitize=fuzzer "$probe/probe.swift" -o "$probe/probe" >/dev/null 2>&1 || status=1
  rm -rf "$probe"
  return $status
}

# Where the test bench's Python lives: another requirements.txt or another Python gets another place.
venv_directory() {
  printf '%s/venv-%s' "$CACHE" "$({ /usr/bin/python3 --version && cat "$TESTBED/requirements.txt"; } | sha256sum | cut -c1-12)"
}

# need_venv: makes the virtual environment, whole or not at all.
need_venv() {
  local target
  target=$(venv_directory)
  [ -e "$target/complete" ] && return
  say "installing Python packages into $target"
  rm -rf "$target"
  {
    /usr/bin/python3 -m venv "$target"
    "$target/bin/pip" install --quiet --disable-pip-version-check -r "$TESTBED/requirements.txt"
  } >&2 </dev/null || die 69 "pip could not install $TESTBED/requirements.txt"
  touch "$target/complete"
}

# one_at_a_time: from here on no other setup runs on this machine; the lock goes with this process.
one_at_a_time() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/setup.lock"
  flock 9
}

# take_pinned ARGUMENTS...: when the first is --pinned, PINNED makes builds use the FFmpeg and librdkafka that the board's
# binary has inside (Toolchain/cross), not the distribution's. The other arguments are left in ARGUMENTS.
take_pinned() {
  local libraries
  ARGUMENTS=("$@")
  PINNED=()
  [ "${1:-}" = --pinned ] || return 0
  # shellcheck disable=SC2034  # for the caller
  ARGUMENTS=("${@:2}")
  libraries=$("$ROOT/Toolchain/cross/libraries.sh" desk)
  if [ "$(cat "$ROOT/.build-pinned/libraries" 2>/dev/null)" != "$libraries" ]; then
    # Swift would take what it made of the former headers: its name for that does not depend on -I.
    rm -rf "$ROOT"/.build-pinned/{libraries,lib} "$ROOT"/.build-pinned/*/*/ModuleCache
    # The programs run with copies beside them: other users may not look into this one's cache.
    mkdir -p "$ROOT/.build-pinned/lib"
    cp -dp "$libraries"/lib/*.so* "$ROOT/.build-pinned/lib/"
    echo "$libraries" >"$ROOT/.build-pinned/libraries"
  fi
  PINNED=(--scratch-path "$ROOT/.build-pinned" -Xcc "-I$libraries/include" -Xlinker "-L$libraries/lib" -Xlinker -rpath
    -Xlinker "$ROOT/.build-pinned/lib")
  SWIFT_FLAGS+=("${PINNED[@]}")
}
