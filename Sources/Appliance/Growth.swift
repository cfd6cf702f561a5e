import CPosix
import Glibc
import Posix

// Growing the data partition to the card, at first boot: the partition while nothing on it is in use, the file system
// while it is mounted. Both may be cut off at any moment and are simply done again at the next boot.

package enum Growth {
  /// Makes partition `number` of the disk at `path`, the last one, reach to the disk's end, and tells the kernel.
  /// Returns the bytes the partition has then. Throws `PartitionTable.Damage` or a SystemError.
  package static func growPartition(_ number: Int, ofDisk path: String) throws -> Int {
    let disk = try BlockDevice(path, O_RDWR)
    for write in try disk.table().growing(number) { try disk.apply(write) }
    let now = try disk.table()
    guard let extent = now.extent(of: number) else { return 0 }
    _ = try retryingInterrupts("resize partition \(number) of \(path)") {
      camgate_resize_partition(disk.descriptor, Int32(number), Int64(extent.start), Int64(extent.byteCount))
    }
    return extent.byteCount
  }

  /// Makes the mounted ext4 file system at `directory` as large as the device at `device`; by the kernel, journalled
  /// (EXT4_IOC_RESIZE_FS). Returns the file system's bytes.
  package static func growFileSystem(at directory: String, on device: String) throws(SystemError) -> Int {
    let partition = try retryingInterrupts("open \(device)") { open(device, O_RDONLY | O_CLOEXEC) }
    defer { close(partition) }
    let root = try retryingInterrupts("open \(directory)") { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(root) }
    let byteCount = Int(try retryingInterrupts("BLKGETSIZE64 \(device)") { camgate_device_size(partition) })
    var status = statvfs()
    _ = try retryingInterrupts("statvfs \(directory)") { fstatvfs(root, &status) }
    let blockSize = Int(status.f_bsize)
    let blockCount = UInt64(byteCount / blockSize)
    _ = try retryingInterrupts("grow \(directory)") { camgate_resize_ext4(root, blockCount) }
    return Int(blockCount) * blockSize
  }
}
