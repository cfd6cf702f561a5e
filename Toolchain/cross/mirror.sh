# Debian's mirror: the one this machine's apt uses, or MIRROR and SECURITY_MIRROR. apt's own downloader and apt's own
# verification of its lists, but with lists of their own: those of this machine stay untouched.
# shellcheck shell=bash

# archive_uri main|security
archive_uri() {
  local uri
  if [ "$1" = main ]; then
    uri=${MIRROR:-$(apt_uri '')}
  else
    uri=${SECURITY_MIRROR:-$(apt_uri -security)}
    uri=${uri:-$(archive_uri main)-security}
  fi
  [ -n "$uri" ] || die 69 "apt on this machine knows no Debian mirror: set MIRROR"
  echo "${uri%/}"
}

# apt_uri SUFFIX: where this machine's apt takes Debian 12's or 13's packages from, or those with that suffix.
apt_uri() {
  # shellcheck disable=SC2016  # apt replaces these
  apt-get indextargets --format '$(RELEASE) $(CODENAME) $(REPO_URI)' "Created-By: Packages" |
    awk -v suite="^(stable|bookworm|trixie)$1\$" '$1 ~ suite || $2 ~ suite { print $NF; exit }'
}

# download ARCHIVE:PATH SHA256 FILE: whole and verified, or not at all.
download() {
  local uri
  uri=$(archive_uri "${1%%:*}")/${1#*:}
  rm -f "$3.part"
  /usr/lib/apt/apt-helper -q=2 -o APT::Sandbox::User=root -o Acquire::Retries=3 \
    download-file "$uri" "$3.part" "SHA256:$2" >&2 && mv "$3.part" "$3"
}

# private_apt: APT, the options that make apt-get work on lists of its own, brought up to date once a run.
private_apt() {
  local state=$CACHE/apt-$SUITE keys=/usr/share/keyrings/debian-archive-keyring.gpg uri
  [ -z "${APT+set}" ] || return 0
  [ -f "$keys" ] || need_packages debian-archive-keyring
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  for uri in "$(archive_uri main) $SUITE" "$(archive_uri security) $SUITE-security"; do
    printf 'deb [signed-by=%s] %s main\ndeb-src [signed-by=%s] %s main\n' "$keys" "$uri" "$keys" "$uri"
  done >"$state/sources.list"
  APT=(-q=2 -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$state/lists" -o "Dir::State::Status=$state/status" -o "Dir::Cache=$state/cache"
    -o Dir::Cache::PkgCache=pkgcache.bin -o Dir::Cache::SrcPkgCache=srcpkgcache.bin
    -o APT::Architectures::=amd64 -o "APT::Architectures::=$ARCH" -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::Retries=3)
  say "asking the mirror what $SUITE has now"
  apt-get "${APT[@]}" update >&2 || die 69 "apt-get update failed: is $(archive_uri main) reachable?"
}

# newest NAME ARCH RULE VERSION: "version sha256 archive:path" of a package, or of the upstream tarball when ARCH is
# "source". What must not move is asked for by its version, so that it is found as long as it is there.
newest() {
  local want=$1 uri sum
  [ "$3" != follow ] || want=$(followed "$1:$2")
  if [ "$2" = source ]; then
    apt-get "${APT[@]}" source --print-uris --download-only "$1" 2>/dev/null | grep -E "\.orig\.tar\.[a-z0-9]+'"
  else
    [ "$2" = all ] || want+=":$2"
    [ "$3" != never ] || want+="=$4"
    apt-get "${APT[@]}" download --print-uris "$want" 2>/dev/null
  fi | while read -r uri _ _ sum; do
    uri=${uri//\'/}
    printf '%s %s %s\n' "$(version_in "$uri")" "${sum#SHA256:}" "$(relative "$uri")"
  done
}

# followed METAPACKAGE: the first package that it depends on.
followed() { apt-cache "${APT[@]}" depends "$1" | sed -n 's/^ *Depends: \([^:]*\).*/\1/p' | head -n 1; }

# version_in URI: name_version_arch.deb or name_version.orig.tar.xz, with apt's %-escapes; the epoch is not in it.
version_in() {
  local version=${1##*/}
  version=${version#*_}
  version=${version%.orig.tar.*}
  version=${version%_*.deb}
  printf '%b' "${version//%/\\x}"
}

relative() {
  case $1 in
    "$(archive_uri security)"/*) echo "security:${1#"$(archive_uri security)/"}" ;;
    *) echo "main:${1#"$(archive_uri main)/"}" ;;
  esac
}
