#!/usr/bin/env bash
# busybox for the board, from pinned source: static, with the applets of image/busybox.config and no others. (Debian's has
# no time client and no log writer, but servers and a hundred things that a camera on a wall must not have.)
#
# usage: Toolchain/image/busybox.sh       prints the directory that holds `busybox`, `applets` (their names) and `LICENSE`
set -euo pipefail
. "$(dirname "$0")/../cross/common.sh"

fragment=$ROOT/image/busybox.config

HARDENING="-fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now"

configure() {
  local line name
  make allnoconfig
  grep '^CONFIG' "$fragment" | while read -r line; do
    name=${line%%=*}
    sed -i "/^$name=/d; /^# $name is not set/d" .config
    echo "$line" >>.config
  done
  # New questions are answered with no.
  yes '' | make oldconfig || true
  grep '^CONFIG.*=y' "$fragment" | while read -r line; do
    grep -qx "$line" .config || die 65 "busybox knows no $line: see ${fragment##*/}"
  done
}

make_busybox() {
  local log=$PART/log
  mkdir -p "$PART/source"
  tar -xf "$(file_of "$contents" busybox)" -C "$PART/source" --strip-components=1
  cd "$PART/source"
  # The date would be in what busybox says of itself.
  export KCONFIG_NOTIMESTAMP=1 SOURCE_DATE_EPOCH=0
  configure >"$log" 2>&1 </dev/null || { tail -n 20 "$log" && die 70 "busybox: configuring failed"; }
  # Position-independent (its own build cannot do that for a static program) and hardened, as the gateway is. Objects
  # that are only joined (-r) become so when the program is linked.
  cat >cc <<EOF
#!/bin/sh
case " \$* " in
  *" -r "*) pie= ;;
  *) pie=-static-pie ;;
esac
exec $compiler/bin/clang --target=$TRIPLE --sysroot=$sysroot -fuse-ld=lld -ffile-prefix-map=$PART/source=/source \\
  -Wno-unused-command-line-argument $HARDENING \$pie "\$@"
EOF
  chmod +x cc
  nice make -j "$JOBS" ARCH=arm64 CC="$PWD/cc" HOSTCC=gcc SKIP_STRIP=y \
    AR="$compiler/bin/llvm-ar" NM="$compiler/bin/$MULTIARCH-nm" OBJCOPY="$compiler/bin/$MULTIARCH-objcopy" \
    busybox >>"$log" 2>&1 </dev/null || { tail -n 20 "$log" && die 70 "busybox: make failed"; }
  "$compiler/bin/$MULTIARCH-strip" --strip-all -o "$PART/busybox" busybox
  sed -n 's/^"\(.*\)" "\\0"$/\1/p' include/applet_tables.h >"$PART/applets"
  cp LICENSE "$PART/"
  cd "$PART"
  rm -rf source
}

need_packages make gcc libc6-dev bzip2
compiler=$("$CROSS/compiler.sh")
sysroot=$("$CROSS/sysroot.sh")
contents=$(contents_of image)
keep busybox "$(hash_of "${compiler##*/} ${sysroot##*/} $(awk '$2 == "busybox"' "$contents")" "$0" "$fragment")" make_busybox
