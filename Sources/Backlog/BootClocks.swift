import Posix

// When the machine was started, for every boot of which frames may still lie on disk. A frame that was captured before the
// clock was set is dated by its time since the machine was started; after the next boot only this note can do that.
//
//   one line a boot: its id, 16 hexadecimal digits, and the time of its start, nanoseconds since 1970

/// The starts of the last boots.
struct BootClocks: Equatable {
  static let fileName = "clocks"
  /// So many boots are remembered.
  static let limit = 16

  private(set) var starts: [(boot: UInt64, time: Int64)] = []

  init() {}

  /// Reads what `text` gives; lines that are none of ours are left out.
  init(text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let boot = UInt64(words[0], radix: 16), let time = Int64(words[1]) else { continue }
      note(boot, startedAt: time)
    }
  }

  var text: String { starts.map { "\(String($0.boot, radix: 16)) \($0.time)\n" }.joined() }

  /// Takes down when a boot began, instead of what was known of it.
  mutating func note(_ boot: UInt64, startedAt time: Int64) {
    starts.removeAll { $0.boot == boot }
    starts.append((boot, time))
    starts.removeFirst(max(0, starts.count - BootClocks.limit))
  }

  /// What the wall clock should have said so long after the start of a boot; nil when nobody knows.
  func wall(boot: UInt64, bootTime: Int64) -> Int64? {
    starts.first { $0.boot == boot }.map { $0.time.addingSaturated(bootTime) }
  }

  static func == (left: BootClocks, right: BootClocks) -> Bool { left.text == right.text }
}
