import Posix

// The first look at a segment file: both ends of it, nothing in between.

/// What the two ends of a file say.
struct SegmentProbe {
  let name: String
  let fileByteCount: Int
  /// The newer of the sound headers.
  var header: SegmentHeader?
  /// How many bytes a copy of the header takes.
  var headerByteCount = SegmentHeader.alignment
  var hasBothCopies = false
  /// A sound footer of the header's generation; without a header, any sound one.
  var trailer: Trailer?
  var summaries: [UInt16: StreamSummary] = [:]
  var hasFooterRemains = false
  var isBlank = false

  var identity: SegmentIdentity? { header?.identity ?? trailer?.identity }
  var dataStart: Int { header == nil ? trailer?.dataStart ?? 0 : 2 * headerByteCount }

  init(_ storage: any Storage, _ file: FileNumber, name: String) throws(SystemError) {
    self.name = name
    fileByteCount = try storage.byteCount(of: file)
    try readHeaders(storage, file)
    try readFooter(storage, file)
  }

  private mutating func readHeaders(_ storage: any Storage, _ file: FileNumber) throws(SystemError) {
    let first = try storage.bytes(of: file, at: 0, byteCount: min(2 * SegmentHeader.alignment, fileByteCount))
    if first.allSatisfy({ $0 == 0 }) {
      isBlank = try isZero(storage, file)
      return
    }
    let small = first.withUnsafeBytes { SegmentProbe.copies(in: $0) }
    if small.count == 2 { return adopt(small) }
    // Longer than usual, or damaged: the second copy is at any multiple of the alignment.
    let limit = SegmentHeader.largestByteCount(segmentByteCount: fileByteCount).roundedUp(to: SegmentHeader.alignment)
    let all = try storage.bytes(of: file, at: 0, byteCount: min(2 * max(limit, SegmentHeader.alignment), fileByteCount))
    adopt(all.withUnsafeBytes { SegmentProbe.copies(in: $0) })
  }

  /// Whether the file looks as if it had never been written: zero wherever one looks.
  private func isZero(_ storage: any Storage, _ file: FileNumber) throws(SystemError) -> Bool {
    for sample in 1..<32 {
      let bytes = try storage.bytes(of: file, at: fileByteCount / 32 * sample, byteCount: 64)
      if bytes.contains(where: { $0 != 0 }) { return false }
    }
    return true
  }

  private static func copies(in bytes: UnsafeRawBufferPointer) -> [(header: SegmentHeader, byteCount: Int, at: Int)] {
    stride(from: 0, to: bytes.count, by: SegmentHeader.alignment).compactMap { offset in
      guard let found = SegmentHeader.decode(UnsafeRawBufferPointer(rebasing: bytes[offset...])),
        offset == 0 || offset == found.byteCount
      else { return nil }
      return (found.header, found.byteCount, offset)
    }
  }

  /// After a reuse that was cut short, the copies may be of two generations: the newer counts.
  private mutating func adopt(_ copies: [(header: SegmentHeader, byteCount: Int, at: Int)]) {
    guard let newest = copies.max(by: { $0.header.identity.generation < $1.header.identity.generation }) else { return }
    (header, headerByteCount) = (newest.header, newest.byteCount)
    hasBothCopies = copies.count { $0.header == newest.header } == 2
  }

  private mutating func readFooter(_ storage: any Storage, _ file: FileNumber) throws(SystemError) {
    guard fileByteCount >= Trailer.byteCount else { return }
    let tail = try storage.bytes(of: file, at: fileByteCount - Trailer.byteCount, byteCount: Trailer.byteCount)
    let size = fileByteCount
    guard let found = tail.withUnsafeBytes({ Trailer.decode($0, fileByteCount: size) }) else {
      hasFooterRemains = tail.withUnsafeBytes { Trailer.resembles($0) }
      return
    }
    // The footer of an earlier use of the file says nothing.
    if let header, header.identity != found.identity { return }
    let bytes = try storage.bytes(of: file, at: found.summaryOffset, byteCount: found.summaryByteCount)
    if let summaries = bytes.withUnsafeBytes({ Footer.decodeSummaries($0, found) }) {
      (trailer, self.summaries) = (found, summaries)
    } else {
      hasFooterRemains = true
    }
  }

  func recoveryCase(ringID: UInt64, segmentByteCount: Int, isUnique: Bool) -> RecoveryCase {
    .segment(
      ours: identity.map { $0.ringID == ringID } ?? true, unique: isUnique,
      whole: fileByteCount == segmentByteCount, header: header != nil, copies: hasBothCopies, footer: trailer != nil,
      remains: hasFooterRemains, blank: isBlank)
  }
}

/// Both slots of a small file.
struct SlotProbe {
  let states: [DoubleSlot.State]
  let recoveryCase: RecoveryCase

  /// `isThere`: the directory lists the file.
  init(_ storage: any Storage, _ name: String, magic: UInt64, isThere: Bool) throws(SystemError) {
    var states: [DoubleSlot.State] = [.blank, .blank]
    if isThere {
      let file = try storage.open(name, creating: false)
      defer { storage.close(file) }
      for slot in 0..<2 {
        let bytes = try storage.bytes(of: file, at: slot * DoubleSlot.distance, byteCount: DoubleSlot.distance)
        states[slot] = bytes.withUnsafeBytes { DoubleSlot.decode($0, magic: magic) }
      }
    }
    let sound = states.count { if case .valid = $0 { true } else { false } }
    let blank = states.count { $0 == .blank }
    self.states = states
    recoveryCase = .slots(anySound: sound > 0, bothSound: sound == 2, anyBlank: blank > 0, bothBlank: blank == 2)
  }

  /// The newest sound slot of the ring, of any ring when `ringID` is nil.
  func newest(ringID: UInt64?) -> (turn: UInt64, ringID: UInt64, content: [UInt8])? {
    var newest: (turn: UInt64, ringID: UInt64, content: [UInt8])?
    for case .valid(let turn, let id, let content) in states where ringID == nil || id == ringID {
      if newest == nil || turn > newest?.turn ?? 0 { newest = (turn, id, content) }
    }
    return newest
  }

  /// The version of a slot that is too new.
  var newerVersion: UInt32? {
    for case .newer(let version) in states { return version }
    return nil
  }
}
