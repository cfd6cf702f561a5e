import CPosix
import Glibc
import Posix

/// A whole disk, open. Closed with the last reference.
final class BlockDevice {
  let descriptor: Int32
  private let path: String

  /// Opens the device at `path`; throws a SystemError.
  init(_ path: String, _ flags: Int32) throws(SystemError) {
    self.path = path
    descriptor = try retryingInterrupts("open \(path)") { open(path, flags | O_CLOEXEC) }
  }

  deinit { close(descriptor) }

  /// Its partition table. Throws `PartitionTable.Damage` or a SystemError.
  func table() throws -> PartitionTable {
    let sectorSize = Int(try retryingInterrupts("BLKSSZGET \(path)") { camgate_sector_size(descriptor) })
    let byteCount = Int(try retryingInterrupts("BLKGETSIZE64 \(path)") { camgate_device_size(descriptor) })
    return try PartitionTable(sectorSize: sectorSize, sectorCount: byteCount / sectorSize) { offset, count in
      var bytes = [UInt8](repeating: 0, count: count)
      let got = try retryingInterrupts("read \(path)") { pread(descriptor, &bytes, count, offset) }
      return got == count ? bytes : []
    }
  }

  /// Writes all of `write`, and waits until it is durable.
  func apply(_ write: PartitionTable.Write) throws(SystemError) {
    var done = 0
    while done < write.bytes.count {
      let rest = Array(write.bytes[done...])
      let offset = write.offset + done
      done += try retryingInterrupts("write \(path)") { pwrite(descriptor, rest, rest.count, offset) }
    }
    _ = try retryingInterrupts("fsync \(path)") { fsync(descriptor) }
  }
}
