import Records

// Idempotence does not survive a gateway's restart, so a record may lie in a topic twice. Ids grow by one, so what was
// seen is a handful of ranges, not a set that grows with time.

/// Remembers which frames of each source were seen.
package struct Deduplicator {
  /// The numbers of one epoch.
  private struct Epoch: Hashable {
    var ringID: String
    var epoch: UInt64
  }

  /// Ranges kept an epoch, and epochs kept a source; the oldest are forgotten first.
  static let rangeLimit = 256
  static let epochLimit = 8

  private var seen: [String: [(epoch: Epoch, ranges: [ClosedRange<UInt64>])]] = [:]

  package init() {}

  /// Whether a frame was seen before.
  package func contains(_ id: FrameID, source: String) -> Bool {
    let epoch = Epoch(ringID: id.ringID, epoch: id.epoch)
    let ranges = seen[source]?.first { $0.epoch == epoch }?.ranges ?? []
    return ranges.last { $0.lowerBound <= id.sequence }?.contains(id.sequence) ?? false
  }

  /// True the first time, false for a frame that was seen before.
  @discardableResult
  package mutating func insert(_ id: FrameID, source: String) -> Bool {
    let epoch = Epoch(ringID: id.ringID, epoch: id.epoch)
    var epochs = seen[source] ?? []
    let index =
      epochs.firstIndex { $0.epoch == epoch }
      ?? {
        epochs.append((epoch, []))
        if epochs.count > Deduplicator.epochLimit { epochs.removeFirst() }
        return epochs.count - 1
      }()
    let isNew = Deduplicator.insert(id.sequence, into: &epochs[index].ranges)
    seen[source] = epochs
    return isNew
  }

  /// Forgets a source: its partition went to another reader and may come back from an earlier offset.
  package mutating func forget(source: String) { seen[source] = nil }

  private static func insert(_ number: UInt64, into ranges: inout [ClosedRange<UInt64>]) -> Bool {
    // Mostly the number right behind the last range.
    var index = ranges.count
    while index > 0, ranges[index - 1].lowerBound > number { index -= 1 }
    if index > 0, ranges[index - 1].contains(number) { return false }
    let joinsLeft = index > 0 && ranges[index - 1].upperBound &+ 1 == number
    let joinsRight = index < ranges.count && number &+ 1 == ranges[index].lowerBound
    switch (joinsLeft, joinsRight) {
    case (true, true):
      ranges[index - 1] = ranges[index - 1].lowerBound...ranges[index].upperBound
      ranges.remove(at: index)
    case (true, false): ranges[index - 1] = ranges[index - 1].lowerBound...number
    case (false, true): ranges[index] = number...ranges[index].upperBound
    case (false, false): ranges.insert(number...number, at: index)
    }
    // The oldest is forgotten, but never the number that was just inserted.
    if ranges.count > rangeLimit { ranges.remove(at: ranges[0].contains(number) ? 1 : 0) }
    return true
  }
}
