import Glibc
import Posix

// Whole reads and writes on top of pread(2) and pwritev(2), which may do less than they are asked to.

extension Storage {
  /// Writes all pieces, one behind another.
  func writeAll(_ pieces: [UnsafeRawBufferPointer], to file: FileNumber, at offset: Int) throws(SystemError) {
    var (pieces, offset, left) = (pieces, offset, pieces.reduce(0) { $0 + $1.count })
    while left > 0 {
      var written = try write(pieces, to: file, at: offset)
      if written <= 0 { throw SystemError(code: EIO, operation: "pwritev") }
      left -= written
      // Nearly always at once.
      if left == 0 { return }
      offset += written
      while let first = pieces.first, written >= first.count {
        written -= first.count
        pieces.removeFirst()
      }
      if written > 0 { pieces[0] = UnsafeRawBufferPointer(rebasing: pieces[0][written...]) }
    }
  }

  package func writeAll(bytes: [UInt8], to file: FileNumber, at offset: Int) throws(SystemError) {
    let result = bytes.withUnsafeBytes { memory -> Result<Void, SystemError> in
      do throws(SystemError) { return .success(try writeAll([memory], to: file, at: offset)) } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  /// Reads until `buffer` is full or the file ends; returns how many bytes there were.
  func readAll(_ file: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError)
    -> Int
  {
    var count = 0
    while count < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
      let more = try read(file, into: rest, at: offset + count)
      if more == 0 { break }
      count += more
    }
    return count
  }

  /// `byteCount` bytes at `offset`, fewer at the end of the file.
  func bytes(of file: FileNumber, at offset: Int, byteCount: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      do throws(SystemError) {
        count = try readAll(file, into: UnsafeMutableRawBufferPointer(buffer), at: offset)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }
}

extension Storage {
  /// What `decode` makes of bytes of a file; when it makes nothing of them, they are read once more, around the page
  /// cache, before they are called wrong.
  func decoded<Value>(
    _ file: FileNumber, at offset: Int, byteCount: Int, _ decode: (UnsafeRawBufferPointer) -> Value?
  ) throws(SystemError) -> Value? {
    for isLast in [false, true] {
      let bytes = try bytes(of: file, at: offset, byteCount: byteCount)
      if let value = bytes.withUnsafeBytes(decode) { return value }
      if !isLast { forgetCached(file, at: offset, byteCount: byteCount) }
    }
    return nil
  }
}

/// The bytes of a record that was read back: metadata and payload in one piece of memory.
// Unchecked because of the raw pointer: whoever makes one fills it before anybody else has it (`Ring.read`), nobody writes
// the bytes afterwards, and they live until `deinit`.
package final class RecordBytes: @unchecked Sendable {
  private let memory: UnsafeMutableRawBufferPointer
  private let metadataByteCount: Int
  private let payloadByteCount: Int

  /// The body begins at `offset` of `memory`, which is adopted.
  init(adopting memory: UnsafeMutableRawBufferPointer, bodyOffset: Int, metadataByteCount: Int, payloadByteCount: Int) {
    (self.memory, self.bodyOffset) = (memory, bodyOffset)
    (self.metadataByteCount, self.payloadByteCount) = (metadataByteCount, payloadByteCount)
  }

  deinit { memory.deallocate() }

  private let bodyOffset: Int

  /// What the caller gave as metadata; valid while this object is.
  package var metadata: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[bodyOffset..<(bodyOffset + metadataByteCount)])
  }

  /// The payload; valid while this object is.
  package var payload: UnsafeRawBufferPointer {
    let start = bodyOffset + metadataByteCount
    return UnsafeRawBufferPointer(rebasing: memory[start..<(start + payloadByteCount)])
  }
}
