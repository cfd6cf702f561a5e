import Posix

// The segments of a ring in their order, and where in it a stream is read: what is done for every frame must cost the
// same in a ring of sixteen thousand segments as in one of four.

/// Segments in the order of their generations.
struct SegmentList: RandomAccessCollection, ExpressibleByArrayLiteral {
  private var segments: [Segment]
  /// Those that were not sealed when somebody last looked.
  private var unsealed: [Segment]
  /// How often the order of what was there changed in another way than by growing at the end.
  private(set) var insertionCount = 0

  init(_ segments: [Segment]) {
    self.segments = segments.sorted { $0.generation < $1.generation }
    unsealed = self.segments.filter { $0.state != .sealed }
  }

  init(arrayLiteral segments: Segment...) { self.init(segments) }

  var startIndex: Int { 0 }
  var endIndex: Int { segments.count }

  subscript(index: Int) -> Segment { segments[index] }

  mutating func append(_ segment: Segment) { insert(segment) }

  /// Puts a segment where its generation belongs.
  mutating func insert(_ segment: Segment) {
    let place = index(from: segment.generation)
    if place < endIndex { insertionCount += 1 }
    segments.insert(segment, at: place)
    if segment.state != .sealed { unsealed.append(segment) }
  }

  mutating func remove(_ segment: Segment) {
    let place = index(from: segment.generation)
    if place < endIndex, segments[place] === segment { segments.remove(at: place) }
    unsealed.removeAll { $0 === segment }
  }

  /// The segments that take records, or owe a sync; in their order. Sealed ones stay so.
  var busy: [Segment] {
    mutating get {
      if unsealed.contains(where: { $0.state == .sealed }) { unsealed.removeAll { $0.state == .sealed } }
      return unsealed
    }
  }

  /// The segment of that generation; nil when there is none.
  func segment(of generation: UInt64) -> Segment? {
    let place = index(from: generation)
    return place < endIndex && segments[place].generation == generation ? segments[place] : nil
  }

  /// Where the segments of that generation and newer ones begin.
  func index(from generation: UInt64) -> Int {
    var (low, high) = (0, segments.count)
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].generation < generation { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// What is known of where a stream's records lie: nothing behind `key` is in a segment older than `generation`.
struct SearchStart {
  var key: RecordKey = .zero
  var generation: UInt64 = 0
}

/// Where reading a stream begins: it goes on from the record before, or once more from what is finished.
struct ReadingStarts {
  /// For what is finished.
  private var finished = SearchStart()
  /// For the last record that was asked for.
  private var recent = SearchStart()

  /// The oldest segment that may have a record behind `key`.
  func generation(behind key: RecordKey) -> UInt64 {
    [finished, recent].filter { $0.key <= key }.map(\.generation).max() ?? 0
  }

  /// Nothing behind `key` is in a segment older than `generation`.
  mutating func note(_ key: RecordKey, _ generation: UInt64, isFinished: Bool) {
    recent = SearchStart(key: key, generation: generation)
    if isFinished, key >= finished.key { finished = recent }
  }
}
