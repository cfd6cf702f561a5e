// The sums of a sealed segment, packed: a large ring keeps those of all its segments in memory, and numbers that are near
// one another take a byte or two each. Lossless: what went in comes out, also what was forged.
//
//   entry      stream 2 · bytes 1 · 12 numbers, 7 bits a byte, the lowest first, the highest bit set on all but the last

/// The sums of the streams in a segment, by the streams' numbers in ascending order.
struct PackedSums: Equatable {
  private var bytes: [UInt8] = []
  private(set) var count = 0
  /// What the epochs and times of all entries are near to.
  private let epoch: UInt64
  private var time: Int64 = 0

  private static let headByteCount = 3

  init(epoch: UInt64) { self.epoch = epoch }

  init(_ sums: [UInt16: StreamSummary], epoch: UInt64) {
    self.init(epoch: epoch)
    for (stream, sum) in sums.sorted(by: { $0.key < $1.key }) { append(stream, sum) }
    trim()
  }

  /// `stream` is greater than all so far.
  mutating func append(_ stream: UInt16, _ sum: StreamSummary) {
    if count == 0 { time = sum.firstTime }
    count += 1
    let start = bytes.count
    bytes.append(UInt8(truncatingIfNeeded: stream))
    bytes.append(UInt8(truncatingIfNeeded: stream >> 8))
    bytes.append(0)
    put(sum.recordCount)
    put(sum.keyframeCount)
    put(sum.payloadByteCount)
    put(signed: sum.first.key.epoch &- epoch)
    put(sum.first.key.sequence)
    put(sum.first.ordinal)
    put(signed: sum.last.key.epoch &- sum.first.key.epoch)
    put(signed: sum.last.key.sequence &- sum.first.key.sequence)
    put(signed: sum.last.ordinal &- sum.first.ordinal)
    put(signed: UInt64(bitPattern: sum.firstTime &- time))
    put(signed: UInt64(bitPattern: sum.lastTime &- sum.firstTime))
    bytes[start + 2] = UInt8(bytes.count - start)
  }

  /// Gives back memory that further entries would need.
  mutating func trim() {
    let packed = bytes
    bytes = Array(unsafeUninitializedCapacity: packed.count) { memory, count in
      (_, count) = memory.update(from: packed)
    }
  }

  private mutating func put(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// Small numbers of either sign stay small.
  private mutating func put(signed number: UInt64) {
    put(number << 1 ^ UInt64(bitPattern: Int64(bitPattern: number) >> 63))
  }

  /// The sums of `stream`; nil when there are none.
  subscript(stream: UInt16) -> StreamSummary? {
    bytes.withUnsafeBytes { bytes -> StreamSummary? in
      var offset = 0
      while offset < bytes.count {
        let found: UInt16 = bytes.integer(at: offset)
        if found == stream { return unpacked(bytes, at: offset) }
        if found > stream { return nil }
        offset += Int(bytes[offset + 2])
      }
      return nil
    }
  }

  /// All of them in order.
  func forEach(_ body: (UInt16, StreamSummary) -> Void) {
    bytes.withUnsafeBytes { bytes in
      var offset = 0
      while offset < bytes.count {
        body(bytes.integer(at: offset), unpacked(bytes, at: offset))
        offset += Int(bytes[offset + 2])
      }
    }
  }

  private func unpacked(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> StreamSummary {
    var place = offset + PackedSums.headByteCount
    func take() -> UInt64 {
      var (number, shift): (UInt64, UInt64) = (0, 0)
      while true {
        let byte = bytes[place]
        place += 1
        number |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { return number }
        shift += 7
      }
    }
    func takeSigned() -> UInt64 {
      let number = take()
      return number >> 1 ^ (0 &- (number & 1))
    }
    let (records, keyframes, payload) = (take(), take(), take())
    let first = Mark(
      key: RecordKey(epoch: takeSigned() &+ epoch, sequence: take()), ordinal: take())
    let last = Mark(
      key: RecordKey(epoch: takeSigned() &+ first.key.epoch, sequence: takeSigned() &+ first.key.sequence),
      ordinal: takeSigned() &+ first.ordinal)
    let firstTime = Int64(bitPattern: takeSigned()) &+ time
    return StreamSummary(
      recordCount: records, keyframeCount: keyframes, payloadByteCount: payload, first: first, last: last,
      firstTime: firstTime, lastTime: Int64(bitPattern: takeSigned()) &+ firstTime)
  }
}
