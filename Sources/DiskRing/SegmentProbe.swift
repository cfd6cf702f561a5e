import Glibc
import Posix

// The first look at a segment file: both ends of it, nothing in between, and no more of them than is needed. Of a segment
// that is complete these are the footer's sums and so much of the header that says whose they are.

/// What the two ends of a file say.
struct SegmentProbe {
  let name: String
  let fileByteCount: Int
  /// The newer of the sound headers; nil when there is none, or when it was not looked at.
  var header: SegmentHeader?
  /// The header's beginning names the segment that the footer is of: no more of it was read.
  private(set) var isHeaderUnread = false
  /// How many bytes a copy of the header takes.
  private var headerByteCount = SegmentHeader.alignment
  private var hasBothCopies = false
  /// Where the other copy of `header` belongs, which is damaged or cannot be read; nil when both are sound.
  private(set) var damagedCopyOffset: Int?
  /// A sound footer of the header's generation; without a header, any sound one.
  var trailer: Trailer?
  private(set) var sums: PackedSums?
  /// What a sound trailer says, whatever the sums in front of it are worth.
  private var footerIdentity: SegmentIdentity?
  private var hasFooterRemains = false
  private var isBlank = false
  /// A sound footer of an earlier use of the file.
  private var earlier: (trailer: Trailer, sums: PackedSums?)?
  /// The header of a use of the file that came to nothing.
  private(set) var undone: SegmentHeader?

  var identity: SegmentIdentity? { header?.identity ?? trailer?.identity }
  var dataStart: Int { header == nil ? trailer?.dataStart ?? 0 : 2 * headerByteCount }

  /// `file` is open and has `byteCount` bytes.
  init(_ storage: any Storage, _ file: FileNumber, name: String, byteCount: Int) throws(SystemError) {
    (self.name, fileByteCount) = (name, byteCount)
    try readFooter(storage, file)
    if let trailer {
      let start = try? storage.bytes(of: file, at: 0, byteCount: SegmentHeader.identityByteCount)
      isHeaderUnread =
        start?.withUnsafeBytes { SegmentHeader.decodeIdentity($0)?.identity == trailer.identity } ?? false
      if isHeaderUnread { return }
    }
    try readHeaders(storage, file)
    // The footer of an earlier use of the file says nothing.
    if let header, let footerIdentity, header.identity != footerIdentity {
      if let trailer, footerIdentity.isEarlierUse(than: header.identity) { earlier = (trailer, sums) }
      (trailer, sums, hasFooterRemains) = (nil, nil, false)
    }
  }

  /// A file that was to be used again and has no record of that use is still what its footer says: what it held made
  /// room only for the first record.
  mutating func undoReuse(_ storage: any Storage, _ file: FileNumber, _ defects: RingDefects) throws(SystemError) {
    guard let header, let earlier, Int(earlier.trailer.identity.segmentByteCount) == fileByteCount else { return }
    let window = SegmentWindow(storage, file, byteCount: fileByteCount)
    let scanner = SegmentScanner(
      window: window, file: name, salt: header.identity.salt(defects), dataStart: dataStart)
    let hasFrames = scanner.hasFrames
    if let error = window.error { throw error }
    if hasFrames { return }
    (trailer, sums, undone, self.header) = (earlier.trailer, earlier.sums, header, nil)
  }

  /// Looks at the headers only, of a segment that is known.
  static func headers(
    _ storage: any Storage, _ file: FileNumber, of segment: Segment
  ) throws(SystemError) -> SegmentProbe {
    var probe = SegmentProbe(name: segment.name, byteCount: segment.byteCount)
    try probe.readHeaders(storage, file)
    return probe
  }

  private init(name: String, byteCount: Int) { (self.name, fileByteCount) = (name, byteCount) }

  private mutating func readHeaders(_ storage: any Storage, _ file: FileNumber) throws(SystemError) {
    var failures: [SystemError] = []
    let first = try SegmentProbe.beginning(
      storage, file, byteCount: min(2 * SegmentHeader.alignment, fileByteCount), &failures)
    // Of a header that was ever durable, one of these blocks is not zero, whichever the other is.
    if failures.count < 2, first.allSatisfy({ $0 == 0 }) {
      isBlank = try isZero(storage, file)
      return
    }
    let limit = SegmentHeader.largestByteCount(segmentByteCount: fileByteCount).roundedUp(to: SegmentHeader.alignment)
    let largest = min(2 * max(limit, SegmentHeader.alignment), fileByteCount)
    let told = first.withUnsafeBytes { SegmentHeader.decodeIdentity($0)?.byteCount ?? 0 }
    // As long as the first says that both are; when that is not both, the second is at any multiple of the alignment.
    for byteCount in [2 * min(told, largest / 2), largest] where byteCount > 0 {
      let bytes =
        byteCount <= first.count ? first : try SegmentProbe.beginning(storage, file, byteCount: byteCount, &failures)
      let copies = bytes.withUnsafeBytes { SegmentProbe.copies(in: $0) }
      if copies.isEmpty, byteCount == largest, let failure = failures.first { throw failure }
      if copies.count == 2 || byteCount == largest { return adopt(copies) }
    }
  }

  /// The first bytes of a file. Where they cannot be read as a whole, they are read in parts, so that one bad sector costs
  /// one copy of the header: what cannot be read is zero, with a failure for each block.
  private static func beginning(
    _ storage: any Storage, _ file: FileNumber, byteCount: Int, _ failures: inout [SystemError]
  ) throws(SystemError) -> [UInt8] {
    do throws(SystemError) { return try storage.bytes(of: file, at: 0, byteCount: byteCount) } catch {
      if error.code != EIO { throw error }
    }
    var bytes: [UInt8] = []
    for offset in stride(from: 0, to: byteCount, by: SegmentHeader.alignment) {
      let count = min(SegmentHeader.alignment, byteCount - offset)
      do throws(SystemError) { bytes += try storage.bytes(of: file, at: offset, byteCount: count) } catch {
        failures.append(error)
        bytes += [UInt8](repeating: 0, count: count)
      }
    }
    return bytes
  }

  /// Whether the file looks as if it had never been written: zero wherever one looks behind the smallest header.
  private func isZero(_ storage: any Storage, _ file: FileNumber) throws(SystemError) -> Bool {
    for offset in (1..<32).map({ fileByteCount / 32 * $0 }) where offset >= 2 * SegmentHeader.alignment {
      let bytes = try storage.bytes(of: file, at: offset, byteCount: 64)
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
    let same = copies.filter { $0.header == newest.header }
    hasBothCopies = same.count == 2
    damagedCopyOffset = hasBothCopies ? nil : newest.at == 0 ? newest.byteCount : 0
  }

  private mutating func readFooter(_ storage: any Storage, _ file: FileNumber) throws(SystemError) {
    guard fileByteCount >= Trailer.byteCount else { return }
    let size = fileByteCount
    let tail = try storage.bytes(of: file, at: size - Trailer.byteCount, byteCount: Trailer.byteCount)
    guard let found = tail.withUnsafeBytes({ Trailer.decode($0, fileByteCount: size) }) else {
      hasFooterRemains = tail.withUnsafeBytes { Trailer.resembles($0) }
      return
    }
    footerIdentity = found.identity
    let bytes = try storage.bytes(of: file, at: found.summaryOffset, byteCount: found.summaryByteCount)
    if let sums = bytes.withUnsafeBytes({ Footer.decodeSummaries($0, found) }) {
      (trailer, self.sums) = (found, sums)
    } else {
      hasFooterRemains = true
    }
  }

  func recoveryCase(ringID: UInt64, segmentByteCount: Int, isUnique: Bool) -> RecoveryCase {
    .segment(
      ours: identity.map { $0.ringID == ringID } ?? true, unique: isUnique,
      whole: fileByteCount == segmentByteCount, header: header != nil || isHeaderUnread,
      copies: hasBothCopies || isHeaderUnread, footer: trailer != nil,
      remains: hasFooterRemains, blank: isBlank)
  }
}

/// Both slots of a small file.
struct SlotProbe {
  let states: [DoubleSlot.State]
  let recoveryCase: RecoveryCase

  /// `isThere`: the directory lists the file. A slot that cannot be read counts as damaged when the other one is sound and
  /// `options` accept that: at worst it was newer, and what is finished goes back a second. Else throws.
  init(
    _ storage: any Storage, _ name: String, magic: UInt64, isThere: Bool, _ options: RingOptions
  ) throws(SystemError) {
    var states: [DoubleSlot.State] = [.blank, .blank]
    var failure: SystemError?
    if isThere {
      let file = try storage.open(name, creating: false)
      defer { storage.close(file) }
      for slot in 0..<2 {
        do throws(SystemError) {
          states[slot] = try DoubleSlot.read(slot, of: file, storage, magic: magic)
        } catch { (states[slot], failure) = (.damaged, error) }
      }
    }
    let sound = states.count { if case .valid = $0 { true } else { false } }
    let isOneEnough = options.acceptsOneSlot && !options.defects.contains(.readsCopiesTogether)
    if let failure, sound == 0 || !isOneEnough { throw failure }
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

extension SegmentIdentity {
  /// Whether this is what a file was before it became `other`.
  fileprivate func isEarlierUse(than other: SegmentIdentity) -> Bool {
    ringID == other.ringID && generation < other.generation && segmentByteCount == other.segmentByteCount
  }
}
