import Posix

// What the ring asks of a directory. Small enough to be simulated, with nothing in it that the ring does not need.

/// An open file of a `Storage`.
package struct FileNumber: Sendable, Hashable {
  package let value: Int32

  package init(value: Int32) { self.value = value }
}

/// A file as the directory lists it.
package struct StoredFile: Sendable, Equatable {
  package var name: String
  package var byteCount: Int

  package init(name: String, byteCount: Int) { (self.name, self.byteCount) = (name, byteCount) }
}

/// One directory with regular files. All calls are synchronous, by one thread; only `sync` of a duplicated file may run
/// elsewhere. Errors are errno values. What is durable, and when: bytes after `sync` of their file, names after
/// `syncDirectory`, both only if it did not fail; nothing else.
package protocol Storage: AnyObject {
  /// Whether files can be written, created and removed.
  var isReadOnly: Bool { get }

  /// Takes the directory for this process until it ends; when read-only, only looks whether another has it. Fails with
  /// EWOULDBLOCK when it has, or for an instant while another one looks.
  func lock() throws(SystemError)
  /// Gives it back.
  func unlock()
  /// False when the directory was removed or replaced while it was open.
  var isPresent: Bool { get }

  /// All regular files, and whatever could not be looked at, with 0 bytes.
  func list() throws(SystemError) -> [StoredFile]
  /// Bytes that an unprivileged process may still take on this filesystem.
  func freeByteCount() throws(SystemError) -> Int
  /// Bytes of the whole filesystem.
  func totalByteCount() throws(SystemError) -> Int

  /// Opens a file, for writing unless the storage is read-only. EEXIST when `creating` one that is there.
  func open(_ name: String, creating: Bool) throws(SystemError) -> FileNumber
  func close(_ file: FileNumber)
  func byteCount(of file: FileNumber) throws(SystemError) -> Int
  /// fallocate(2) from 0: the blocks are there afterwards, the file is at least that long.
  func allocate(_ file: FileNumber, byteCount: Int) throws(SystemError)
  func truncate(_ file: FileNumber, byteCount: Int) throws(SystemError)
  /// pwritev(2): may write less than asked for, never nothing.
  func write(_ pieces: [UnsafeRawBufferPointer], to file: FileNumber, at offset: Int) throws(SystemError) -> Int
  /// pread(2): may read less than asked for; 0 at the end of the file.
  func read(_ file: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int
  /// Lets the next read of these bytes come from the disk instead of memory, as far as they are durable
  /// (posix_fadvise(2), POSIX_FADV_DONTNEED).
  func forgetCached(_ file: FileNumber, at offset: Int, byteCount: Int)
  /// fdatasync(2).
  func sync(_ file: FileNumber) throws(SystemError)
  /// fsync(2) of the directory.
  func syncDirectory() throws(SystemError)
  func rename(_ name: String, to newName: String) throws(SystemError)
  func unlink(_ name: String) throws(SystemError)
  /// dup(2), for a thread that does nothing but `fdatasync`; the receiver closes it.
  func duplicate(_ file: FileNumber) throws(SystemError) -> Int32
}
