import Posix

// Looking into a ring without changing it: also one that another process has open, or that was copied from a dead board.

/// A ring opened for reading only.
package struct RingInspector {
  package let ring: Ring

  /// What a stream has in the ring, finished or not.
  package struct Contents: Sendable {
    package var inventory: StreamInventory
    package var recordCount = 0
    package var keyframeCount = 0
    package var payloadByteCount = 0
    /// Capture times of the first and the last, nanoseconds since 1970.
    package var firstTime: Int64?
    package var lastTime: Int64?
  }

  /// What reading everything found.
  package struct Verification: Sendable {
    package var soundCount = 0
    package var damaged: [(stream: StreamID, key: RecordKey)] = []
    /// Records that are whole and have a time of capture that no clock shows: before 1970 or after 2116.
    package var implausible: [(stream: StreamID, key: RecordKey)] = []
    /// Files whose footer has a sound end and an index that is damaged or says other things than the records.
    package var contradictory: [String] = []

    package var isSound: Bool { damaged.isEmpty && implausible.isEmpty && contradictory.isEmpty }
  }

  /// Opens the ring in a directory; nothing in it is changed.
  package init(path: String) throws(RingError) {
    var options = RingOptions(size: .auto, minimumEpoch: 0)
    options.acceptsOneSlot = true
    ring = try Ring.open(try PosixStorage(path: path, isReadOnly: true), options)
  }

  /// All streams, with everything that is still there of them.
  package var contents: [Contents] {
    ring.inventory.map { inventory in
      let records = ring.records(of: inventory.stream)
      return Contents(
        inventory: inventory, recordCount: records.count, keyframeCount: records.count(where: \.isKeyframe),
        payloadByteCount: records.reduce(0) { $0 + $1.payloadByteCount }, firstTime: records.first?.captureTime,
        lastTime: records.last?.captureTime)
    }
  }

  /// Reads every record against its checksum.
  package func verify() -> Verification {
    var verification = Verification()
    for stream in ring.inventory.map(\.stream) {
      for record in ring.records(of: stream) {
        if case .bytes = ring.read(record) {
          verification.soundCount += 1
          if !RingInspector.plausibleTimes.contains(record.captureTime) {
            verification.implausible.append((stream, record.key))
          }
        } else {
          verification.damaged.append((stream, record.key))
        }
      }
    }
    verification.contradictory = ring.segments.filter { !ring.agreesWithItself($0) }.map(\.name)
    return verification
  }

  private static let plausibleTimes = 0..<Int64(1) << 62

  /// Hands over the sound records of a stream in order, from its first keyframe on; after one that is missing it continues
  /// with the next keyframe, so that what comes out can be played. `write` is told whether a record is a keyframe and whether
  /// decoding begins at it. Returns how many there were.
  package func export(
    _ stream: StreamID, to write: (_ record: RecordBytes, _ isKeyframe: Bool, _ isBeginning: Bool) throws -> Void
  ) rethrows -> Int {
    var (count, needsKeyframe, ordinal): (Int, Bool, UInt64?) = (0, true, nil)
    for record in ring.records(of: stream) {
      if let ordinal, record.mark.ordinal != ordinal + 1 { needsKeyframe = true }
      ordinal = record.mark.ordinal
      if needsKeyframe, !record.isKeyframe { continue }
      guard case .bytes(let bytes) = ring.read(record) else {
        needsKeyframe = true
        continue
      }
      try write(bytes, record.isKeyframe, needsKeyframe)
      needsKeyframe = false
      count += 1
    }
    return count
  }
}

extension Ring {
  /// Whether the footer of a segment says what its records say; also when it has none, or none that is sound.
  fileprivate func agreesWithItself(_ segment: Segment) -> Bool {
    guard let file = try? openFile(of: segment), let trailer = try? storage.trailer(of: segment, file) else {
      return true
    }
    guard let index = try? storedIndex(of: segment) else { return false }
    let footer = Footer(index, identity: segment.identity, dataStart: trailer.dataStart, dataEnd: trailer.dataEnd)
    guard footer.trailer.summaryChecksum == trailer.summaryChecksum else { return false }
    let window = SegmentWindow(storage, file, byteCount: trailer.dataEnd)
    let scanner = SegmentScanner(window: window, file: segment.name, salt: segment.salt, dataStart: segment.dataStart)
    let scan = scanner.scan()
    // Records that are damaged are reported one by one, and are still in the index.
    if window.error != nil || scan.findings.contains(where: { $0.recoveryCase.isDamage || $0.recoveryCase == .hole }) {
      return true
    }
    let records = Dictionary(scan.index.entries.map { ($0.offset, $0) }) { first, _ in first }
    return index.entries.allSatisfy { segment.lostOffsets.contains($0.offset) || records[$0.offset] == $0 }
  }
}
