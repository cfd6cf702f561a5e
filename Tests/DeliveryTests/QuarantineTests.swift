import Foundation
import Posix
import Testing

@testable import Delivery

/// What is kept of frames that Kafka refuses.
@Suite struct QuarantineTests {
  private let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-\(UUID().uuidString)").path

  private func frame(_ sequence: Int, byteCount: Int = 1_000) -> RefusedFrame {
    RefusedFrame(
      camera: "gate", topic: "cameras", id: "00000000000000ab-7-\(sequence)", time: "2026-11-23T19:00:00.123456789Z",
      contentType: "image/jpeg", reason: "INVALID_RECORD: no \"key\"",
      bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: byteCount))
  }

  @Test func whatIsKeptCanBeListedAndReadByTheNextRun() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(Quarantine.list(directory).isEmpty)
    let quarantine = Quarantine(directory: directory, log: Log { _ in })
    for sequence in 1...3 { quarantine.keep(frame(sequence)) }
    quarantine.close()
    #expect(quarantine.count == .init(kept: 3, keptBytes: 3_000, notKept: 0))
    let items = Quarantine.list(directory)
    #expect(items.map(\.byteCount) == [1_000, 1_000, 1_000])
    #expect(
      items[1].description
        == #"{"camera":"gate","topic":"cameras","ce_id":"00000000000000ab-7-2","ce_time":"2026-11-23T19:00:00.123456789Z","#
        + #""content-type":"image/jpeg","reason":"INVALID_RECORD: no \"key\"","bytes":1000}"#)
    let picture = try Data(contentsOf: URL(filePath: directory + "/gate-00000000000000ab-7-2.jpg"))
    #expect(Array(picture) == frame(2).bytes)
    #expect(Quarantine(directory: directory, log: Log { _ in }).count.kept == 3)
  }

  /// The card with them may be read anywhere: what a broker repeats of a login is hidden, not only what steers a terminal.
  @Test func secretsInAReasonAreNotWritten() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let secrets = Secrets()
    secrets.register("p@ss:\"w0rd", username: "viewer")
    let quarantine = Quarantine(directory: directory, log: Log(secrets: secrets) { _ in })
    var refused = frame(1)
    refused.reason = "POLICY_VIOLATION: p@ss:\"w0rd, p%40ss%3A%22w0rd, dmlld2VyOn\u{1b}BAc3M6IncwcmQ= no"
    quarantine.keep(refused)
    quarantine.close()
    let item = try #require(Quarantine.list(directory).first)
    #expect(item.description.contains(#""reason":"POLICY_VIOLATION: ***, ***, *** no","bytes":1000}"#), "\(item)")
  }

  @Test func itIsBoundedAndCountsTheRest() {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let lines = Monitor<[String]>([])
    let quarantine = Quarantine(directory: directory, log: Log { line in lines.withLock { $0.append(line) } })
    for sequence in 1...(Quarantine.frameLimit + 10) { quarantine.keep(frame(sequence, byteCount: 10)) }
    // Larger than what may wait.
    quarantine.keep(frame(999, byteCount: 5 << 20))
    quarantine.close()
    #expect(quarantine.count.kept == Quarantine.frameLimit)
    #expect(quarantine.count.notKept == 11)
    #expect(Quarantine.list(directory).count == Quarantine.frameLimit)
    #expect(lines.read { $0 }.count { $0.contains("is full") } == 1)
  }

  /// Whoever may write to the ring's directory must not choose what is overwritten elsewhere.
  @Test(arguments: ["gate-00000000000000ab-7-1.jpg", "gate-00000000000000ab-7-1.json", ""])
  func linksAreNotFollowed(_ name: String) throws {
    let elsewhere = directory + "-elsewhere"
    defer { for path in [directory, elsewhere] { try? FileManager.default.removeItem(atPath: path) } }
    try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: true)
    if name.isEmpty {
      try FileManager.default.createSymbolicLink(atPath: directory, withDestinationPath: elsewhere)
    } else {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try Data("precious".utf8).write(to: URL(filePath: elsewhere + "/file"))
      try FileManager.default.createSymbolicLink(
        atPath: "\(directory)/\(name)", withDestinationPath: elsewhere + "/file")
    }
    let quarantine = Quarantine(directory: directory, log: Log { _ in })
    quarantine.keep(frame(1))
    quarantine.close()
    #expect(quarantine.count.notKept == 1)
    let content = try FileManager.default.contentsOfDirectory(atPath: elsewhere)
    #expect(content == (name.isEmpty ? [] : ["file"]))
    if !name.isEmpty { #expect(try String(contentsOfFile: elsewhere + "/file", encoding: .utf8) == "precious") }
  }

  /// The list is of what is in the directory of a card from anywhere, not of what its links lead to.
  @Test func whatIsListedLiesThere() throws {
    let elsewhere = directory + "-elsewhere"
    defer { for path in [directory, elsewhere] { try? FileManager.default.removeItem(atPath: path) } }
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data("precious\n".utf8).write(to: URL(filePath: elsewhere))
    try FileManager.default.createSymbolicLink(atPath: directory + "/a.json", withDestinationPath: elsewhere)
    #expect(Quarantine.list(directory).isEmpty)
  }

  @Test func aDirectoryThatCannotBeMadeIsSaidAndCounted() {
    let lines = Monitor<[String]>([])
    let quarantine = Quarantine(
      directory: "/proc/no/such/place", log: Log { line in lines.withLock { $0.append(line) } })
    quarantine.keep(frame(1))
    quarantine.close()
    #expect(quarantine.count == .init(kept: 0, keptBytes: 0, notKept: 1))
    #expect(lines.read { $0 }.contains { $0.contains("cannot be kept") })
  }
}
