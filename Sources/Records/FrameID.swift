// What names a frame for ever: the buffer it came through, the run, and its number. With `ce_source` it is unique.

/// `<ring id>-<epoch>-<sequence>`.
package struct FrameID: Sendable, Hashable {
  package var ringID: String
  package var epoch: UInt64
  package var sequence: UInt64

  /// The text of a whole frame's id, or of a part's (`.<k>` at its end, which is not kept).
  package init?(_ text: String) {
    let fields = text.split(separator: "-", omittingEmptySubsequences: false)
    guard fields.count == 3, let epoch = UInt64(fields[1]),
      let sequence = UInt64(fields[2].prefix { $0 != "." })
    else { return nil }
    (ringID, self.epoch, self.sequence) = (String(fields[0]), epoch, sequence)
  }

  package var text: String { "\(ringID)-\(epoch)-\(sequence)" }

  /// Whether nothing is missing between `other` and this.
  package func follows(_ other: FrameID) -> Bool {
    ringID == other.ringID && epoch == other.epoch && other.sequence < .max && sequence == other.sequence + 1
  }
}
