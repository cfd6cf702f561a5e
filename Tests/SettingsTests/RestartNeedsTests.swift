import Testing

@testable import Settings

/// What a running gateway takes over of a new file, and what waits for a restart.
@Suite struct RestartNeedsTests {
  private let good = """
    gateway: g
    kafka:
      brokers: [k:9092]
      topic: here
    buffer: {directory: /ring, memory: 8MiB}
    cameras:
      - {name: gate, url: 'test:640x480@15'}
    """

  private func report(from old: String, to new: String) throws -> String {
    let files = [old, new].map { text in
      SettingsFile(name: "s.yaml", bytes: [UInt8](text.utf8), directory: "", environment: ["HOSTNAME": "h"])
    }
    let (before, after) = (try #require(files[0].configuration), try #require(files[1].configuration))
    return RestartNeeds.diagnostics(from: before, to: after, in: files[1]).rendered(in: files[1].source)
  }

  /// Each key is one or the other, so that a new one cannot be forgotten.
  @Test func everyKeyIsKnown() {
    for key in SettingsKey.all where !SettingsKey.all.contains(where: { $0.path.hasPrefix(key.path + ".") }) {
      let places = (RestartNeeds.live + RestartNeeds.fixed.map(\.path))
        .filter { key.path == $0 || key.path.hasPrefix($0 + ".") || key.path.hasPrefix($0 + "[]") }
      #expect(places.count == 1, "\(key.path): \(places)")
    }
  }

  @Test func whatCanChangeNeedsNone() throws {
    let new =
      good.replacing("here", with: "there").replacing("name: gate", with: "name: yard") + "\nlog: {level: debug}"
    #expect(try report(from: good, to: new) == "")
  }

  @Test func eachIsNamedAtItsLine() throws {
    let new = good.replacing("gateway: g", with: "gateway: h").replacing("k:9092", with: "k:9093")
      .replacing("/ring", with: "/other")
    let lines = try report(from: good, to: new).split(separator: "\n").filter { $0.hasPrefix("s.yaml") }
    #expect(
      lines == [
        "s.yaml:1:1: warning: gateway: restart needed: this takes effect at the next start",
        "s.yaml:3:3: warning: kafka.brokers: restart needed: this takes effect at the next start",
        "s.yaml:5:10: warning: buffer.directory: restart needed: this takes effect at the next start",
      ])
  }

  /// A key that is gone is missed where it was.
  @Test func aKeyThatIsGone() throws {
    let new = good.replacing(", memory: 8MiB", with: "")
    #expect(try report(from: good, to: new).hasPrefix("s.yaml:5:1: warning: buffer.memory: restart needed"))
    let bare = good.replacing("buffer: {directory: /ring, memory: 8MiB}\n", with: "")
    #expect(try report(from: good, to: bare).hasPrefix("s.yaml: warning: buffer.memory: restart needed"))
  }
}
