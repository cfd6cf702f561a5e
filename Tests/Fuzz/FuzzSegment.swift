import DiskRing
import Glibc
import Posix

// libFuzzer's entry: any bytes as the only segment of a ring. It is opened, listed and read; nothing may crash.

/// Never anything but 0 (libFuzzer: "reserved for future use").
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSegment(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var file = Array(UnsafeBufferPointer(start: bytes, count: count))
  SegmentForgery.mend(&file)
  let storage = OneFile(file)
  let options = RingOptions(size: .auto, segmentByteCount: 32 << 10, minimumEpoch: 1)
  guard let ring = try? Ring.open(storage, options) else { return 0 }
  for stream in ring.inventory {
    var mark = stream.cursor.finished
    for _ in 0..<10_000 {
      guard case .record(let record, _) = ring.next(in: stream.stream, after: mark) else { break }
      if case .bytes(let found) = ring.read(record), found.payload.count != record.payloadByteCount { abort() }
      mark = record.mark
    }
  }
  ring.close()
  return 0
}

/// A directory with one file that cannot be written.
private final class OneFile: Storage {
  let content: [UInt8]
  let isReadOnly = true
  let isPresent = true
  let failure = SystemError(code: EROFS, operation: "write")

  init(_ content: [UInt8]) { self.content = content }

  func lock() throws(SystemError) {}
  func unlock() {}
  func list() throws(SystemError) -> [StoredFile] { [StoredFile(name: "segment-00000", byteCount: content.count)] }
  func freeByteCount() throws(SystemError) -> Int { 0 }
  func totalByteCount() throws(SystemError) -> Int { 0 }
  func open(_ name: String, creating: Bool) throws(SystemError) -> FileNumber { FileNumber(value: 1) }
  func close(_ file: FileNumber) {}
  func byteCount(of file: FileNumber) throws(SystemError) -> Int { content.count }
  func allocate(_ file: FileNumber, byteCount: Int) throws(SystemError) { throw failure }
  func truncate(_ file: FileNumber, byteCount: Int) throws(SystemError) { throw failure }
  func forgetCached(_ file: FileNumber, at offset: Int, byteCount: Int) {}
  func sync(_ file: FileNumber) throws(SystemError) { throw failure }
  func syncDirectory() throws(SystemError) { throw failure }
  func rename(_ name: String, to newName: String) throws(SystemError) { throw failure }
  func unlink(_ name: String) throws(SystemError) { throw failure }
  func duplicate(_ file: FileNumber) throws(SystemError) -> Int32 { throw failure }

  func write(_ pieces: [UnsafeRawBufferPointer], to file: FileNumber, at offset: Int) throws(SystemError) -> Int {
    throw failure
  }

  func read(
    _ file: FileNumber, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(SystemError) -> Int {
    guard offset < content.count else { return 0 }
    let part = content[offset..<min(content.count, offset + buffer.count)]
    buffer.copyBytes(from: part)
    return part.count
  }
}
