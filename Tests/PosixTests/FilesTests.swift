import Glibc
import Posix
import Testing

/// A file that is gone with the test.
private func withTemporaryFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
  var template = Array("/tmp/camgate-files-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  try #require(descriptor >= 0)
  let path = text(of: template)
  defer {
    close(descriptor)
    unlink(path)
  }
  try Files.write(bytes, to: descriptor)
  try body(path)
}

@Suite struct FilesTests {
  @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 300_000])
  func readsBackWhatWasWritten(_ byteCount: Int) throws {
    let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try withTemporaryFile(bytes) { path in
      let read = try Files.read(path, limit: byteCount)
      #expect(read == bytes)
    }
  }

  @Test func refusesWhatIsLongerThanTheLimit() throws {
    try withTemporaryFile([1, 2, 3]) { path in
      #expect(throws: SystemError(code: EFBIG, operation: "read \(path)")) { try Files.read(path, limit: 2) }
    }
    // Endless: without the limit this would eat all memory.
    #expect(throws: SystemError(code: EFBIG, operation: "read /dev/zero")) { try Files.read("/dev/zero", limit: 100) }
  }

  @Test func saysWhichFileIsMissing() {
    let error = SystemError(code: ENOENT, operation: "open /nonexistent/file")
    #expect(throws: error) { try Files.read("/nonexistent/file", limit: 10) }
    #expect(error.description == "open /nonexistent/file: No such file or directory")
  }

  @Test func aDirectoryIsNoFile() {
    #expect(throws: SystemError(code: EISDIR, operation: "read /tmp")) { try Files.read("/tmp", limit: 10) }
  }

  @Test func leavesNoDescriptorOpen() throws {
    // A process may have 1,024 of them by default: enough attempts to run out.
    for _ in 0..<1_100 { #expect(throws: SystemError.self) { try Files.read("/tmp", limit: 10) } }
    _ = try Files.read("/dev/null", limit: 10)
  }

  @Test func writingToAClosedDescriptorIsAnError() {
    #expect(throws: SystemError(code: EBADF, operation: "write")) { try Files.write([1], to: -1) }
  }

  @Test func interruptedCallsAreRepeated() throws {
    var results: [(Int, Int32)] = [(-1, EINTR), (-1, EINTR), (7, 0)]
    let result = try retryingInterrupts("call") { () -> Int in
      let (result, code) = results.removeFirst()
      errno = code
      return result
    }
    #expect(result == 7)
    #expect(results.isEmpty)
  }

  @Test func aBufferEndsAtItsNul() {
    #expect(text(of: [104, 105, 0, 120]) == "hi")
    #expect(text(of: [104, 105]) == "hi")
    #expect(text(of: []) == "")
    #expect(!hostName().isEmpty)
  }
}
