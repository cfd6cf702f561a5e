import DiskRing
import Posix

// A directory in which a ring of any size fits: files get their size and no blocks, zeros are not written, syncs are not
// waited for. What is read back is the same to the byte; only what a crash would leave is not.

final class SparseStorage: Storage {
  private let base: PosixStorage

  init(path: String) throws { base = try PosixStorage(path: path) }

  var isReadOnly: Bool { false }
  var isPresent: Bool { base.isPresent }

  func lock() throws(SystemError) { try base.lock() }
  func unlock() { base.unlock() }
  func list() throws(SystemError) -> [StoredFile] { try base.list() }
  func freeByteCount() throws(SystemError) -> Int { .max }
  func totalByteCount() throws(SystemError) -> Int { .max }
  func open(_ name: String, creating: Bool) throws(SystemError) -> FileNumber {
    try base.open(name, creating: creating)
  }
  func close(_ file: FileNumber) { base.close(file) }
  func byteCount(of file: FileNumber) throws(SystemError) -> Int { try base.byteCount(of: file) }
  func allocate(_ file: FileNumber, byteCount: Int) throws(SystemError) {
    try base.truncate(file, byteCount: byteCount)
  }
  func truncate(_ file: FileNumber, byteCount: Int) throws(SystemError) {
    try base.truncate(file, byteCount: byteCount)
  }

  /// Pieces up to the first that is a page or more of zeros, or that piece: it is a hole already.
  func write(_ pieces: [UnsafeRawBufferPointer], to file: FileNumber, at offset: Int) throws(SystemError) -> Int {
    let written = pieces.prefix { !SparseStorage.isHole($0) }
    if written.isEmpty { return pieces.first?.count ?? 0 }
    return try base.write(Array(written), to: file, at: offset)
  }

  private static func isHole(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4_096 && bytes[0] == 0 && bytes[bytes.count - 1] == 0 && !bytes.contains { $0 != 0 }
  }

  func read(_ file: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
    try base.read(file, into: buffer, at: offset)
  }
  func forgetCached(_ file: FileNumber, at offset: Int, byteCount: Int) {
    base.forgetCached(file, at: offset, byteCount: byteCount)
  }
  func sync(_ file: FileNumber) throws(SystemError) {}
  func syncDirectory() throws(SystemError) {}
  func rename(_ name: String, to newName: String) throws(SystemError) { try base.rename(name, to: newName) }
  func unlink(_ name: String) throws(SystemError) { try base.unlink(name) }
  func duplicate(_ file: FileNumber) throws(SystemError) -> Int32 { try base.duplicate(file) }
}
