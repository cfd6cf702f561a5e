#!/usr/bin/env bash
# The promise of the README on a machine that has nothing: in a fresh Debian made by debootstrap, from a clone of the last
# commit, the README's two commands and `Toolchain/dev cross`. Prints how long each took and the binary's SHA-256, to be
# compared with that of the same commit built on another machine.
#
# trixie has Debian's own Swift; bookworm has none, so the one of this machine is shown there. Swift packages come from
# where this machine's git takes them. Needs root. Everything is below DIRECTORY, which may be deleted afterwards.
#
# usage: Toolchain/cross/fresh-root.sh [--again] trixie|bookworm DIRECTORY [COMMAND...]
#        --again   in the root that is there already, with what the commands before have left, at the last commit
#        COMMAND   another one instead of the three, for example: Toolchain/dev cross --locked
set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$CROSS/mirror.sh"

again=
if [ "${1:-}" = --again ]; then
  again=1
  shift
fi
suite=${1:-}
case $suite in trixie | bookworm) ;; *) die 64 "usage: Toolchain/cross/fresh-root.sh [--again] trixie|bookworm DIRECTORY [COMMAND...]" ;; esac
[ -n "${2:-}" ] || die 64 "which DIRECTORY?"
[ "$(id -u)" -eq 0 ] || die 77 "debootstrap and chroot need root"
mkdir -p "$2"
root=$(cd "$2" && pwd)/$suite
shift 2

# What this machine's git takes instead of the internet, if anything.
packages=$(git config --get-regexp '^url\..*\.insteadof$' | sed -n 's/^url\.\(file:\/\/\)\{0,1\}\(\/.*\)\.insteadof .*/\2/p' |
  sort -u | head -n 1)
# Swift as the suite has it, or the libraries that swift.org's needs.
swift_packages=(swiftlang)
[ "$suite" = trixie ] || swift_packages=(libcurl4 libncurses6 libsqlite3-0 libstdc++6 libuuid1 libxml2)
swift=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")

make_root() {
  need_packages debootstrap git
  say "making a fresh $suite in $root"
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$root" "$(archive_uri main)" >&2
  printf 'deb %s %s main\n' "$(archive_uri main)" "$suite" "$(archive_uri main)" "$suite-updates" \
    "$(archive_uri security)" "$suite-security" >"$root/etc/apt/sources.list"
  # How this machine reaches its mirrors, where it is not the plain way.
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
  chroot "$root" update-ca-certificates >&2
  for file in /etc/pip.conf /etc/gitconfig; do [ ! -f "$file" ] || cp "$file" "$root/etc/"; done
  chroot "$root" apt-get -q update >&2
  chroot "$root" apt-get -q -y install --no-install-recommends "${swift_packages[@]}" >&2 </dev/null
  mkdir "$root/desk"
  # shellcheck disable=SC2153  # ROOT is lib.sh's
  git clone -q --no-local "$ROOT" "$root/camgate"
}

# renew_root: what the commands before have left stays there, the tracked files become those of the last commit.
renew_root() {
  [ -d "$root/camgate/.git" ] || die 66 "there is no $suite in $root: once without --again"
  git -C "$root/camgate" fetch -q "$ROOT" HEAD
  git -C "$root/camgate" checkout -q --force FETCH_HEAD
}

# show DIRECTORY: the same path inside, read-only.
show() {
  [ -n "$1" ] && [ -d "$1" ] || return 0
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  mount -o remount,ro,bind "$root$1"
}

# inside COMMAND...: in the root, with the few variables that say how to reach a mirror.
inside() {
  local name environment=(HOME=/desk "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" LANG=C.UTF-8)
  [ "$suite" = trixie ] || environment[1]="PATH=$swift/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
  for name in "${!PIP_@}" http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
  done
  chroot "$root" env -i "${environment[@]}" sh -c 'cd /camgate && exec "$@"' sh "$@" </dev/null
}

# The rest in a mount namespace of its own, so that nothing stays mounted.
if [ "${FRESH_ROOT_INSIDE:-}" != "$$" ]; then
  if [ -n "$again" ]; then renew_root; else make_root; fi
  FRESH_ROOT_INSIDE=$$ exec unshare --mount --propagation private bash "$0" "$suite" "$(dirname "$root")" "$@"
fi
mount --bind "$root" "$root" # a mount point, as / is everywhere: unshare(1) asks for one
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
show "$packages"
show "${PIP_FIND_LINKS:-}"
[ "$suite" = trixie ] || show "$swift"

timed() {
  local started=$SECONDS
  say "in a fresh $suite: $*"
  inside "$@"
  say "in a fresh $suite: $* took $((SECONDS - started)) s"
}
if [ $# -gt 0 ]; then
  timed "$@"
else
  timed Toolchain/dev demo
  timed Toolchain/dev cross
  timed Toolchain/dev test
fi
[ ! -f "$root/camgate/.build-$ARCH/out/camgate" ] || inside sha256sum ".build-$ARCH/out/camgate"
