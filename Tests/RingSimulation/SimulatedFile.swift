// A file of the simulated disk: what is durable, every write since the last sync, and what reading gives. Each write is
// kept, dropped or damaged on its own when power is cut.

final class SimulatedFile {
  struct Write {
    enum Kind {
      case bytes([UInt8])
      case size(Int)
    }

    var offset: Int
    var kind: Kind
    /// A sync that was to cover it has failed: no later one will.
    var isDoubtful = false

    func overlaps(_ other: Write) -> Bool {
      guard case .bytes(let bytes) = kind, case .bytes(let others) = other.kind else { return false }
      return offset < other.offset + others.count && other.offset < offset + bytes.count
    }
  }

  var durable: [UInt8] = []
  /// What reading gives: all writes in place.
  var current: [UInt8] = []
  var pending: [Write] = []
  /// A place that is wrong in memory only.
  var garbledPlace: Int?

  func copy() -> SimulatedFile {
    let copy = SimulatedFile()
    (copy.durable, copy.current, copy.pending) = (durable, current, pending)
    return copy
  }

  func add(_ write: Write) {
    pending.append(write)
    SimulatedFile.apply(write, to: &current)
  }

  static func apply(_ write: Write, to bytes: inout [UInt8]) {
    switch write.kind {
    case .size(let count):
      if count < bytes.count {
        bytes.removeLast(bytes.count - count)
      } else {
        bytes += [UInt8](repeating: 0, count: count - bytes.count)
      }
    case .bytes(let new):
      let end = write.offset + new.count
      if end > bytes.count { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.withUnsafeMutableBytes { memory in
        UnsafeMutableRawBufferPointer(rebasing: memory[write.offset..<end]).copyBytes(from: new)
      }
    }
  }

  /// A sync of the first `coveredCount` pending writes has ended.
  func endSync(coveredCount: Int, fails: Bool, _ random: inout SeededRandom) {
    var kept: [Write] = []
    for (index, write) in pending.enumerated() {
      var write = write
      if index < coveredCount, !fails, !write.isDoubtful {
        // A page that is written again goes out as a whole: what was in doubt about it is settled first.
        for doubtful in kept where doubtful.isDoubtful && doubtful.overlaps(write) && random.chance(50) {
          SimulatedFile.apply(doubtful, to: &durable)
        }
        kept.removeAll { $0.isDoubtful && $0.overlaps(write) }
        SimulatedFile.apply(write, to: &durable)
        continue
      }
      if index < coveredCount, fails { write.isDoubtful = true }
      kept.append(write)
    }
    pending = kept
  }

  /// Pages whose sync has failed are read from the platter again.
  func forgetDoubtful(_ random: inout SeededRandom) {
    guard pending.contains(where: \.isDoubtful) else { return }
    for write in pending where write.isDoubtful && random.chance(50) { SimulatedFile.apply(write, to: &durable) }
    pending.removeAll(where: \.isDoubtful)
    current = durable
    for write in pending { SimulatedFile.apply(write, to: &current) }
  }

  /// Power is cut: decides what became of every write that was not durable.
  func settle(_ random: inout SeededRandom) {
    // Mostly a bit of everything; sometimes all of it or nothing.
    let mood = random.below(8)
    for write in pending {
      switch (mood, random.below(8)) {
      case (0, _): SimulatedFile.apply(write, to: &durable)
      case (1, _): break
      case (_, ..<3): SimulatedFile.apply(write, to: &durable)
      case (_, ..<5): break
      case (_, let fate): damage(write, fate: fate, &random)
      }
    }
    pending = []
    current = durable
  }

  /// Some sectors of a write arrive, others stay as they were, are zero, or hold anything.
  private func damage(_ write: Write, fate: Int, _ random: inout SeededRandom) {
    guard case .bytes(let bytes) = write.kind, write.offset + bytes.count <= durable.count else { return }
    var start = 0
    while start < bytes.count {
      let sectorEnd = (write.offset + start) / 512 * 512 + 512
      let end = min(bytes.count, sectorEnd - write.offset)
      if random.chance(50) {
        for index in start..<end {
          switch fate {
          case 5: durable[write.offset + index] = bytes[index]
          case 6: durable[write.offset + index] = 0
          default: durable[write.offset + index] = UInt8(truncatingIfNeeded: random.next())
          }
        }
      } else if fate != 5 {
        for index in start..<end { durable[write.offset + index] = bytes[index] }
      }
      start = end
    }
  }
}
