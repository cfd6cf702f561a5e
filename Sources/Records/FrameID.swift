// What identifies a frame uniquely: the buffer it came through, the run, and its number; with `HeaderName.source` also among
// gateways.

/// `<ring id>-<epoch>-<sequence>`.
package struct FrameID: Sendable, Hashable, Comparable {
  /// 16 hexadecimal digits where Camgate wrote it.
  package var ringID: String
  package var epoch: UInt64
  package var sequence: UInt64

  package init(ringID: String, epoch: UInt64, sequence: UInt64) {
    (self.ringID, self.epoch, self.sequence) = (ringID, epoch, sequence)
  }

  /// The text of a whole frame's id, or of a part's (`.<k>` at its end, which is not kept).
  package init?(_ text: String) {
    let fields = text.split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count == 3, let epoch = UInt64(fields[1]),
      let sequence = UInt64(fields[2].prefix { $0 != "." })
    else { return nil }
    self.init(ringID: String(fields[0]), epoch: epoch, sequence: sequence)
  }

  package var text: String { "\(ringID)-\(epoch)-\(sequence)" }

  /// Epoch and sequence in 10 and 20 digits, so that they compare as text.
  package var sequenceText: String { digits(epoch, width: 10) + digits(sequence, width: 20) }

  /// Whether nothing is missing between `other` and this.
  package func follows(_ other: FrameID) -> Bool {
    ringID == other.ringID && epoch == other.epoch && other.sequence < .max && sequence == other.sequence + 1
  }

  /// Frames of one ring: in the order in which they were captured.
  package static func < (left: FrameID, right: FrameID) -> Bool {
    (left.ringID, left.epoch, left.sequence) < (right.ringID, right.epoch, right.sequence)
  }
}

/// 16 digits.
package func hexadecimal(_ number: UInt64) -> String { digits(number, radix: 16, width: 16) }

private func digits(_ number: UInt64, radix: Int = 10, width: Int) -> String {
  let digits = String(number, radix: radix)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
