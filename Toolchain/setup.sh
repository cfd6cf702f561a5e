#!/usr/bin/env bash
# Installs what building, testing and linting need: Debian packages, and Python packages into the cache.
# usage: Toolchain/dev setup [build|test|lint|all]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

BUILD=(ca-certificates git g++ libc6-dev libavcodec-dev libavformat-dev libavutil-dev libexpat1-dev libswscale-dev
  librdkafka-dev libturbojpeg0-dev libv4l-dev libxxhash-dev libyaml-dev)
TEST=(e2fsprogs ffmpeg gir1.2-gst-rtsp-server-1.0 gstreamer1.0-libav gstreamer1.0-plugins-bad gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly iproute2 openssl python3 python3-fusepy python3-gi python3-venv systemd)
LINT=(python3 python3-venv shellcheck)

setup_build() {
  need_swift
  # Debian 13 has the gold linker, which Swift asks for, in a package of its own.
  [ "$(. /etc/os-release && echo "${VERSION_ID:-0}")" != 13 ] || BUILD+=(binutils-gold)
  need_packages "${BUILD[@]}"
}

setup_test() {
  need_packages "${TEST[@]}"
  need_venv
  /usr/bin/python3 "$TESTBED/media.py" >&2
}

setup_lint() {
  need_packages "${LINT[@]}"
  need_venv
}

command -v flock >/dev/null || need_packages util-linux
one_at_a_time
for part in "${@:-all}"; do
  case $part in
    build | test | lint) "setup_$part" ;;
    all)
      need_packages "${BUILD[@]}" "${TEST[@]}" "${LINT[@]}"
      setup_build
      setup_test
      setup_lint
      ;;
    *) die 64 "setup knows build, test, lint and all, not '$part'" ;;
  esac
done
say "ready: ${*:-all}"
