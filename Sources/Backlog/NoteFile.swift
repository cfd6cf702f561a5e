import DiskRing
import Posix

// Small notes that stand beside the ring, each in a file of its own; replaced whole, so that a power cut leaves the old one
// or the new one.

/// A text file in the directory of a ring.
struct NoteFile {
  let name: String
  let storage: PosixStorage
  /// More than this none of them has.
  private static let byteLimit = 65_536

  /// What it says; empty when there is none or it cannot be read.
  var text: String {
    do throws(SystemError) {
      let file = try storage.open(name, creating: false)
      defer { storage.close(file) }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: NoteFile.byteLimit, alignment: 8)
      defer { buffer.deallocate() }
      let count = try storage.read(file, into: buffer, at: 0)
      return String(decoding: buffer[..<count], as: UTF8.self)
    } catch { return "" }
  }

  /// Durable when this returns.
  func replace(with text: String) throws(SystemError) {
    let draft = name + ".new"
    try? storage.unlink(draft)
    let file = try storage.open(draft, creating: true)
    defer { storage.close(file) }
    try storage.writeAll(bytes: Array(text.utf8), to: file, at: 0)
    try storage.sync(file)
    try storage.rename(draft, to: name)
    try storage.syncDirectory()
  }
}

/// The note that a run has left nothing behind in memory: the epoch of that run.
enum OrderlyStop {
  static func epoch(_ storage: PosixStorage) -> UInt64? {
    UInt64(NoteFile(name: "stopped", storage: storage).text.prefix { $0 != "\n" })
  }

  static func note(epoch: UInt64, _ storage: PosixStorage) throws(SystemError) {
    try NoteFile(name: "stopped", storage: storage).replace(with: "\(epoch)\n")
  }
}
