#!/usr/bin/env bash
# Builds the board's binary a second time, to be compared with the first: in another directory, and on a desk whose own
# headers, archives and .pc files of the same names are poison. Were anything of the desk to get into the board's build, it
# would fail or give other bytes. Prints the path of the binary.
#
# usage: unshare --mount Toolchain/cross/test/elsewhere.sh DIRECTORY
set -euo pipefail
. "$(dirname "$0")/../common.sh"

mkdir -p "$1/camgate" "$1/poison"
there=$(cd "$1" && pwd)
poison=$there/poison
multiarch=$(cc -print-multiarch)

# What the desk has of the libraries that are in the board's binary.
header_names=(libavcodec libavformat libavutil libswscale librdkafka libv4l-plugin.h libv4lconvert.h openssl yaml.h xxhash.h
  zlib.h zstd.h lz4.h)
archive_names=(avcodec avformat avutil swscale rdkafka v4lconvert yaml xxhash ssl crypto z zstd lz4)

# put POISON PATH: in this mount namespace only.
put() {
  if [ -f "$2" ] && [ ! -L "$2" ]; then mount --bind "$1" "$2"; fi
}

mount --make-rprivate /
echo '#error "a header of the desk is in the build for the board"' >"$poison/poison.h"
echo 'Cflags: -I/poison -include /poison/poison.h' >"$poison/poison.pc"
for name in "${header_names[@]}"; do
  for place in "/usr/include/$name" "/usr/include/$multiarch/$name"; do
    if [ -d "$place" ]; then
      find "$place" -name '*.h' | while read -r header; do put "$poison/poison.h" "$header"; done
    else
      put "$poison/poison.h" "$place"
    fi
  done
done
for name in "${archive_names[@]}"; do
  put "$poison/poison.pc" "/usr/lib/$multiarch/lib$name.a"
  put "$poison/poison.pc" "/usr/lib/$multiarch/pkgconfig/lib$name.pc"
done
# The same by the environment.
for name in "${header_names[@]}"; do [[ $name != *.h ]] || cp "$poison/poison.h" "$poison/$name"; done
export CPATH=$poison C_INCLUDE_PATH=$poison LIBRARY_PATH=$poison PKG_CONFIG_PATH=$poison

cd "$ROOT"
git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- | tar -x -C "$there/camgate"
exec "$there/camgate/Toolchain/cross/build.sh" camgate
