import Glibc
import Posix

// A real directory. All names are taken relative to its descriptor, so that a directory that is renamed or replaced
// while it is open does not mix two rings.

/// A directory of the operating system.
package final class PosixStorage: Storage {
  static let lockName = "lock"

  package let path: String
  package let isReadOnly: Bool
  private let directory: Int32
  private var lockFile: Int32 = -1

  /// Opens a directory that exists. It and everything in it should belong to this user.
  package init(path: String, isReadOnly: Bool = false) throws(RingError) {
    (self.path, self.isReadOnly) = (path, isReadOnly)
    do throws(SystemError) {
      directory = try retryingInterrupts("open \(path)") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    } catch { throw RingError.opening(error) }
    var status = stat()
    guard !isReadOnly, fstat(directory, &status) == 0 else { return }
    guard faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) != 0 else { return }
    let error = SystemError(code: errno, operation: "write to \(path)")
    Glibc.close(directory)
    if error.code == EACCES, status.st_uid != geteuid() {
      throw RingError(
        .otherOwner, "\(path) belongs to another user (uid \(status.st_uid)); run as that user, or chown -R it",
        cause: error)
    }
    throw RingError.opening(error)
  }

  deinit {
    unlock()
    Glibc.close(directory)
  }

  package func unlock() {
    if lockFile >= 0 { Glibc.close(lockFile) }
    lockFile = -1
  }

  package func lock() throws(SystemError) {
    let name = PosixStorage.lockName
    let flags = (isReadOnly ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NOFOLLOW
    if isReadOnly, faccessat(directory, name, F_OK, 0) != 0 { return }
    lockFile = try retryingInterrupts("open \(path)/\(name)") { openat(directory, name, flags, 0o600) }
    // Who only looks asks whether a writer has it, and keeps no writer out.
    defer { if isReadOnly { unlock() } }
    _ = try retryingInterrupts("lock \(path)/\(name)") { flock(lockFile, (isReadOnly ? LOCK_SH : LOCK_EX) | LOCK_NB) }
  }

  package var isPresent: Bool {
    var status = stat()
    if isReadOnly || lockFile < 0 { return true }
    return fstat(lockFile, &status) == 0 && status.st_nlink > 0
  }

  package func list() throws(SystemError) -> [StoredFile] {
    let copy = try retryingInterrupts("open \(path)") { openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(copy) else {
      defer { Glibc.close(copy) }
      throw SystemError(code: errno, operation: "list \(path)")
    }
    defer { closedir(stream) }
    var files: [StoredFile] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      if fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
        // It is there, whatever it is; opening it will say more.
        if errno != ENOENT { files.append(StoredFile(name: name, byteCount: 0)) }
      } else if status.st_mode & S_IFMT == S_IFREG {
        files.append(StoredFile(name: name, byteCount: Int(status.st_size)))
      }
    }
    if errno != 0 { throw SystemError(code: errno, operation: "list \(path)") }
    return files
  }

  package func freeByteCount() throws(SystemError) -> Int {
    let status = try filesystem()
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  package func totalByteCount() throws(SystemError) -> Int {
    let status = try filesystem()
    return Int(status.f_blocks) * Int(status.f_frsize)
  }

  private func filesystem() throws(SystemError) -> statvfs {
    var status = statvfs()
    _ = try retryingInterrupts("statvfs \(path)") { fstatvfs(directory, &status) }
    return status
  }

  package func open(_ name: String, creating: Bool) throws(SystemError) -> FileNumber {
    let access = isReadOnly ? O_RDONLY : O_RDWR
    let flags = access | O_CLOEXEC | O_NOFOLLOW | (creating ? O_CREAT | O_EXCL : 0)
    return FileNumber(value: try retryingInterrupts("open \(path)/\(name)") { openat(directory, name, flags, 0o600) })
  }

  package func close(_ file: FileNumber) { Glibc.close(file.value) }

  package func byteCount(of file: FileNumber) throws(SystemError) -> Int {
    var status = stat()
    _ = try retryingInterrupts("fstat") { fstat(file.value, &status) }
    return Int(status.st_size)
  }

  package func allocate(_ file: FileNumber, byteCount: Int) throws(SystemError) {
    try Files.allocate(file.value, byteCount: byteCount)
  }

  package func truncate(_ file: FileNumber, byteCount: Int) throws(SystemError) {
    _ = try retryingInterrupts("ftruncate in \(path)") { ftruncate(file.value, byteCount) }
  }

  package func write(_ pieces: [UnsafeRawBufferPointer], to file: FileNumber, at offset: Int) throws(SystemError) -> Int
  {
    // The system takes at most IOV_MAX (1024) pieces at once; the rest is what a short write leaves.
    let vectors = pieces.prefix(1_024).map {
      iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
    }
    return try retryingInterrupts("pwritev in \(path)") {
      pwritev(file.value, vectors, Int32(vectors.count), offset)
    }
  }

  package func read(
    _ file: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    try retryingInterrupts("pread in \(path)") { pread(file.value, buffer.baseAddress, buffer.count, offset) }
  }

  package func forgetCached(_ file: FileNumber, at offset: Int, byteCount: Int) {
    // Pages that are not covered as a whole would stay.
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = offset / page * page
    _ = posix_fadvise(file.value, start, (offset + byteCount - start).roundedUp(to: page), POSIX_FADV_DONTNEED)
  }

  package func sync(_ file: FileNumber) throws(SystemError) {
    _ = try retryingInterrupts("fdatasync in \(path)") { fdatasync(file.value) }
  }

  package func syncDirectory() throws(SystemError) {
    _ = try retryingInterrupts("fsync \(path)") { fsync(directory) }
  }

  package func rename(_ name: String, to newName: String) throws(SystemError) {
    _ = try retryingInterrupts("rename \(path)/\(name)") { renameat(directory, name, directory, newName) }
  }

  package func unlink(_ name: String) throws(SystemError) {
    _ = try retryingInterrupts("unlink \(path)/\(name)") { unlinkat(directory, name, 0) }
  }

  package func duplicate(_ file: FileNumber) throws(SystemError) -> Int32 {
    // fcntl(2) is variadic; dup(2) would leak into children without the flag that is set here.
    let copy = try retryingInterrupts("dup in \(path)") { dup(file.value) }
    _ = fcntl(copy, F_SETFD, FD_CLOEXEC)
    return copy
  }
}
