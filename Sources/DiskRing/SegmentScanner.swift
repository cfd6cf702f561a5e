import Posix

// Reads a segment record by record, whatever is in it. A damaged record costs itself: behind it, the next sound header is
// looked for at every multiple of 8, and salted checksums keep payload bytes from passing for one.

/// A moving view of a segment's bytes.
final class SegmentWindow {
  let byteCount: Int
  private let load: (Int, UnsafeMutableRawBufferPointer) -> Int
  private let forget: (Int, Int) -> Void
  private var memory: UnsafeMutableRawBufferPointer
  private var start = 0
  private var count = 0

  static let step = 256 << 10

  /// `load` reads at an offset into memory and returns how many bytes it got; fewer than asked for are the end.
  /// `forget` makes the next load of so many bytes at an offset come from the disk.
  init(
    byteCount: Int, forget: @escaping (Int, Int) -> Void = { _, _ in },
    load: @escaping (Int, UnsafeMutableRawBufferPointer) -> Int
  ) {
    (self.byteCount, self.load, self.forget) = (byteCount, load, forget)
    memory = .allocate(byteCount: min(SegmentWindow.step, max(byteCount, 64)), alignment: 8)
  }

  convenience init(_ storage: any Storage, _ file: FileNumber, byteCount: Int) {
    let failure = Failure()
    self.init(
      byteCount: byteCount, forget: { storage.forgetCached(file, at: $0, byteCount: $1) }
    ) { offset, buffer in
      do throws(SystemError) { return try storage.readAll(file, into: buffer, at: offset) } catch {
        failure.error = error
        return 0
      }
    }
    self.failure = failure
  }

  private final class Failure {
    var error: SystemError?
  }

  private var failure: Failure?

  /// Why some bytes could not be read; nil when all could.
  var error: SystemError? { failure?.error }

  deinit { memory.deallocate() }

  /// What was read from `offset` on is wrong: the next call reads it again, around the page cache.
  func reload(from offset: Int) {
    if offset < start + count { forget(offset, start + count - offset) }
    count = 0
  }

  /// The bytes from `offset` on, at least `count` and as many as are at hand; nil when there are not so many. Valid until
  /// the next call.
  func bytes(at offset: Int, count wanted: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, wanted >= 0, wanted <= byteCount - offset else { return nil }
    if offset < start || offset + wanted > start + count {
      if wanted > memory.count {
        memory.deallocate()
        memory = .allocate(byteCount: wanted, alignment: 8)
      }
      start = offset
      let size = min(memory.count, byteCount - offset)
      count = load(offset, UnsafeMutableRawBufferPointer(rebasing: memory[..<size]))
      if count < wanted { return nil }
    }
    return UnsafeRawBufferPointer(rebasing: memory[(offset - start)..<count])
  }
}

/// What a scan found.
struct SegmentScan {
  var index = SegmentIndex()
  var declarations: [StreamTableEntry] = []
  /// Behind the last sound record: where the next one goes.
  var end: Int
  /// All that is not `sound`, in order; the last is the end or what the crash left behind it.
  var findings: [RecoveryFinding] = []
}

struct SegmentScanner {
  let window: SegmentWindow
  let file: String
  let salt: UInt64
  let dataStart: Int

  private enum Place {
    case record(RecordHeader, isBodySound: Bool)
    case other(resembles: Bool)
  }

  /// Reads everything from the first record to the end of the window. Never fails: what cannot be read is a finding.
  /// `index` is what lies in front of the first record.
  func scan(behind index: SegmentIndex = SegmentIndex()) -> SegmentScan {
    var scan = SegmentScan(index: index, end: dataStart)
    var offset = dataStart
    while offset < window.byteCount {
      let place = self.place(at: offset)
      switch place {
      case .record(let header, isBodySound: true):
        let entry = IndexEntry(header, offset: offset)
        let isAscending = header.kind == .declaration || header.mark.key > .zero && scan.index.takes(entry)
        if !isAscending {
          scan.findings.append(finding(.repeated, offset, header))
        } else if header.kind == .declaration {
          declaration(header, at: offset).map { scan.declarations.append($0) }
        } else {
          scan.index.add(entry)
        }
        offset += header.recordByteCount
        scan.end = offset
      case .record(let header, isBodySound: false):
        // How long it is counts for nothing: it may be what an older write left of itself, with new records inside.
        let next = nextHeader(from: offset + RecordHeader.byteCount)
        var found = finding(recoveryCase(place, followed: next != nil), offset, header)
        found.byteCount = min(header.recordByteCount, (next ?? .max) - offset)
        scan.findings.append(found)
        guard let next else { return scan }
        offset = next
      case .other:
        let next = nextHeader(from: offset + 8)
        var found = RecoveryFinding(recoveryCase(place, followed: next != nil), file: file, offset: offset)
        if found.recoveryCase != .end { found.byteCount = (next ?? offset + RecordHeader.byteCount) - offset }
        scan.findings.append(found)
        guard let next else { return scan }
        offset = next
      }
    }
    scan.findings.append(RecoveryFinding(.end, file: file, offset: offset))
    return scan
  }

  /// Whether there is a frame of the segment, sound or not.
  var hasFrames: Bool {
    var place = nextHeader(from: dataStart)
    while let offset = place {
      let bytes = window.bytes(at: offset, count: RecordHeader.byteCount)
      if let header = bytes.flatMap({ RecordHeader.decode($0, salt: salt, offset: offset) }), header.kind == .frame {
        return true
      }
      place = nextHeader(from: offset + 8)
    }
    return false
  }

  private func recoveryCase(_ place: Place, followed: Bool) -> RecoveryCase {
    switch place {
    case .record(_, let isBodySound):
      .record(header: true, resembles: true, body: isBodySound, ascending: true, followed: followed)
    case .other(let resembles):
      .record(header: false, resembles: resembles, body: false, ascending: false, followed: followed)
    }
  }

  private func finding(_ recoveryCase: RecoveryCase, _ offset: Int, _ header: RecordHeader) -> RecoveryFinding {
    var finding = RecoveryFinding(recoveryCase, file: file, offset: offset)
    if header.kind == .frame { (finding.stream, finding.key) = (StreamID(number: header.stream), header.mark.key) }
    return finding
  }

  /// What is at `offset`; read twice before it is called anything but a sound record.
  private func place(at offset: Int) -> Place {
    let place = placeAtOnce(offset)
    if case .record(_, isBodySound: true) = place { return place }
    window.reload(from: offset)
    return placeAtOnce(offset)
  }

  private func placeAtOnce(_ offset: Int) -> Place {
    guard let bytes = window.bytes(at: offset, count: min(RecordHeader.byteCount, window.byteCount - offset)) else {
      return .other(resembles: false)
    }
    guard let header = RecordHeader.decode(bytes, salt: salt, offset: offset) else {
      return .other(resembles: RecordHeader.resembles(bytes, salt: salt))
    }
    return .record(header, isBodySound: isBodySound(header, at: offset))
  }

  private func isBodySound(_ header: RecordHeader, at offset: Int) -> Bool {
    guard let bytes = window.bytes(at: offset, count: header.recordByteCount) else { return false }
    let body = UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.byteCount...].prefix(header.bodyByteCount))
    return Checksum.of(body, seed: RecordHeader.seed(salt: salt, offset: offset)) == header.bodyChecksum
  }

  private func declaration(_ header: RecordHeader, at offset: Int) -> StreamTableEntry? {
    guard let bytes = window.bytes(at: offset, count: header.recordByteCount) else { return nil }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(RecordHeader.byteCount)))
    return StreamTableEntry(from: &reader)
  }

  /// Where the next sound header is, from `offset` on, a multiple of 8.
  private func nextHeader(from offset: Int) -> Int? {
    let marker = RecordHeader.marker(salt: salt)
    var offset = offset
    while let bytes = window.bytes(at: offset, count: RecordHeader.byteCount) {
      var inside = 0
      while inside + RecordHeader.byteCount <= bytes.count {
        if bytes.integer(UInt64.self, at: inside) == marker {
          let rest = UnsafeRawBufferPointer(rebasing: bytes[inside...])
          if RecordHeader.decode(rest, salt: salt, offset: offset + inside) != nil { return offset + inside }
        }
        inside += 8
      }
      offset += inside
    }
    return nil
  }
}
