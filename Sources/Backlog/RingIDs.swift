import DiskRing

// Which id the frames of a run carry. A ring keeps the one it was made with, until Kafka has ids of it that only another
// copy of the ring can have given: a card that was cloned, or restored from a backup. From that run on they carry a new one.
//
//   one line a renewal: the first epoch with the new id, in decimal digits, and the id, 16 hexadecimal digits

/// The ids of one ring, by epoch.
package struct RingIDs: Sendable {
  static let fileName = "ids"
  /// So many renewals are remembered.
  private static let limit = 16

  /// What stands in the superblock.
  private let original: UInt64
  private var renewals: [(epoch: UInt64, id: UInt64)] = []

  package init(original: UInt64) { self.original = original }

  /// Reads what `text` gives; lines that are none of ours are left out.
  init(original: UInt64, text: String) {
    self.init(original: original)
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let epoch = UInt64(words[0]), let id = UInt64(words[1], radix: 16) else { continue }
      renew(id, from: epoch)
    }
  }

  var text: String { renewals.map { "\($0.epoch) \(String($0.id, radix: 16))\n" }.joined() }

  /// From this epoch on frames carry this id; earlier ones keep theirs.
  package mutating func renew(_ id: UInt64, from epoch: UInt64) {
    renewals.removeAll { $0.epoch >= epoch }
    renewals.append((epoch, id))
    renewals.removeFirst(max(0, renewals.count - RingIDs.limit))
  }

  package subscript(epoch: UInt64) -> UInt64 { renewals.last { $0.epoch <= epoch }?.id ?? original }

  /// Every id that frames of this ring may have.
  package var all: [UInt64] { [original] + renewals.map(\.id) }
}
