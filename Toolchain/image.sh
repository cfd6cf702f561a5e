#!/usr/bin/env bash
# A flashable image for a board: without root and loop devices, from pinned inputs, the same bytes from the same commit.
# The last line on standard output is its path; beside it lie its SHA-256 and the list of what is in it (CycloneDX).
#
#   16 MiB for firmware | config (FAT16: camgate.yaml) | esp (FAT32: the system, one file) | data (ext4, the ring)
#
# The system is one file that firmware starts: kernel, command line, and the root file system that is unpacked into memory.
# A board is a directory in image/boards: board.sh has its sizes and kernel options, modules its drivers.
#
# usage: Toolchain/dev image [--board generic-arm64] [--test] [--locked]
#        --test     with a root shell on a virtual machine's console and a virtual camera, for tests
#        --locked   refuse when a pinned input is gone, instead of taking the suite's newer one
set -euo pipefail
. "$(dirname "$0")/cross/common.sh"

board=generic-arm64
flavour=
while [ $# -gt 0 ]; do
  case $1 in
    --board) board=${2:-} && shift ;;
    --test) flavour=-test ;;
    --locked) export LOCKED=1 ;;
    *) die 64 "usage: Toolchain/dev image [--board NAME] [--test] [--locked]" ;;
  esac
  shift
done
home=$ROOT/image/boards/$board
[ -f "$home/board.sh" ] ||
  die 64 "there is no board '$board'; there is: $(cd "$ROOT/image/boards" && echo *)"
# shellcheck source=../image/boards/generic-arm64/board.sh
. "$home/board.sh"

need_packages git python3
started=$SECONDS
binary=$("$CROSS/build.sh" camgate)
assembling=$SECONDS
tools=$("$ROOT/Toolchain/image/tools.sh")
kernel=$("$ROOT/Toolchain/image/kernel.sh")
busybox=$("$ROOT/Toolchain/image/busybox.sh")
contents=$(contents_of image)
PATH=$tools:$PATH
# All times in the image are the commit's.
SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct)
export SOURCE_DATE_EPOCH TZ=UTC MTOOLS_SKIP_CHECK=1 MTOOLSRC=/dev/null
version=$(sed -n 's/.*static let number = "\(.*\)"/\1/p' "$ROOT/Sources/camgate/Version.swift")
out=$ROOT/.build-$ARCH/image/$board
name=camgate-$version-$board$flavour
work=$(mktemp -d "${TMPDIR:-/tmp}/camgate-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# fat FILE MIB BITS LABEL ID
fat() {
  truncate -s "${2}M" "$1"
  mkfs.fat -F "$3" -n "$4" -i "$5" --invariant "$1" >&2
}

# An empty data partition. Few and large files: one inode a MiB. Room to grow online up to 1 TiB.
make_data() {
  truncate -s "${DATA_MIB}M" "$work/data"
  # No defaults of the desk.
  printf '[fs_types]\n\text4 = {\n\t\tinode_size = 256\n\t}\n\tsmall = {\n\t\tinode_size = 256\n\t}\n' >"$work/mke2fs.conf"
  E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH MKE2FS_CONFIG=$work/mke2fs.conf mke2fs -q -F -t ext4 -b 4096 -I 256 -i 1048576 -m 0 \
    -O has_journal,extent,huge_file,flex_bg,64bit,metadata_csum,dir_index,dir_nlink,extra_isize,sparse_super,large_file \
    -O filetype,resize_inode -J size=16 -L data -U 1c1a3a86-3c5e-4d3e-9a55-6f0f5f0b7d11 \
    -E hash_seed=1c1a3a86-3c5e-4d3e-9a55-6f0f5f0b7d11,lazy_itable_init=1,lazy_journal_init=0,nodiscard,resize=268435456 \
    "$work/data" >&2
}

# What is in the packages and in this repository, laid over each other.
make_root() {
  local extra=("$@") trees=("$ROOT/image/root")
  mkdir -p "$work/tree"/{bin,sbin,etc/ssl/certs,lib}
  cp "$busybox/busybox" "$binary" "$work/tree/bin/"
  while read -r applet; do ln -s busybox "$work/tree/bin/$applet"; done <"$busybox/applets"
  ln -s ../bin/busybox "$work/tree/sbin/modprobe" # where the kernel looks for it
  unpack_deb "$(file_of "$contents" e2fsck-static)" "$work/e2fsck"
  cp "$(find "$work/e2fsck" -name e2fsck.static -type f)" "$work/tree/sbin/e2fsck"
  unpack_deb "$(file_of "$contents" ca-certificates)" "$work/ca"
  find "$work/ca" -name '*.crt' | sort | xargs cat >"$work/tree/etc/ssl/certs/ca-certificates.crt"
  xz -9 --stdout "$work/data" >"$work/tree/lib/data.xz"
  echo "$SOURCE_DATE_EPOCH" >"$work/tree/etc/build-time"
  python3 "$ROOT/Toolchain/image/disk.py" --identifiers config:basic esp:esp data:linux >"$work/tree/etc/partitions"
  echo "$version $board$flavour $(git -C "$ROOT" describe --always --dirty --abbrev=12 --exclude='*')" >"$work/tree/etc/version"
  if [ -n "$flavour" ]; then
    trees+=("$ROOT/image/test/root")
    extra+=("$ROOT/image/test/modules")
  fi
  python3 "$ROOT/Toolchain/image/root.py" "$work/root" --time "$SOURCE_DATE_EPOCH" --kernel "$kernel" \
    --modules "${extra[@]}" --tree "$work/tree" "${trees[@]}"
  zstd -q -15 -T2 "$work/root" -o "$work/root.zst"
}

make_system() {
  unpack_deb "$(file_of "$contents" systemd-boot-efi)" "$work/boot"
  printf 'ID=camgate\nNAME=Camgate\nVERSION_ID=%s\nPRETTY_NAME="Camgate %s"\n' "$version" "$version" >"$work/release"
  ukify build --efi-arch=aa64 --stub="$(find "$work/boot" -name linuxaa64.efi.stub)" --linux="$kernel/vmlinuz" \
    --initrd="$work/root.zst" --cmdline="$KERNEL_OPTIONS" --os-release="@$work/release" \
    --uname="$(cat "$kernel/release")" --output="$work/system.efi" >&2
}

make_data
make_root "$home/modules"
make_system
fat "$work/config" "$CONFIG_MIB" 16 CAMGATE 43414d31
mcopy -i "$work/config" "$ROOT/image/config/camgate.yaml" ::
fat "$work/esp" "$ESP_MIB" 32 ESP 43414d32
mmd -i "$work/esp" ::EFI ::EFI/BOOT
mcopy -i "$work/esp" "$work/system.efi" ::EFI/BOOT/BOOTAA64.EFI
[ "$(stat -c %s "$work/system.efi")" -lt $((ESP_MIB * 1048576 * 10 / 31)) ] ||
  die 70 "the system has $(($(stat -c %s "$work/system.efi") >> 20)) MiB: three of it do not fit into $ESP_MIB MiB"
python3 "$ROOT/Toolchain/image/disk.py" "$out/$name.img" --first "$FIRMWARE_MIB" --part config basic "$work/config" \
  --part esp esp "$work/esp" --part data linux "$work/data"

xz -k -f -T2 "$out/$name.img"
python3 "$ROOT/Toolchain/image/contents.py" "$out/$name.img" "$version" "$binary" "$ROOT/Package.resolved" \
  "$CACHE/downloads" "$contents" "$binary.contents" >"$out/$name.cdx.json"
(cd "$out" && sha256sum "$name.img.xz" >"$name.img.xz.sha256")
say "system: $(($(stat -c %s "$work/system.efi") >> 20)) MiB, of them kernel $(($(stat -c %s "$kernel/vmlinuz") >> 20))," \
  "root $(($(stat -c %s "$work/root.zst") >> 20)) (compressed)"
say "$name.img.xz: $(stat -c %s "$out/$name.img.xz") bytes; camgate in $((assembling - started)) s, the rest in" \
  "$((SECONDS - assembling)) s"
echo "$out/$name.img.xz"
