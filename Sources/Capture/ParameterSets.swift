import Frames

// Any consumer may start at any keyframe, so every keyframe carries its parameter sets, also when the camera sends them
// only in the SDP or not with every IDR. Sets before another picture, or by themselves, are remembered for the next.

/// The parameter sets that are in force, by kind and number.
struct ParameterSets {
  /// More than any camera has; what a hostile one sends beyond it is not remembered.
  static let byteLimit = 64 << 10

  private struct Key: Hashable, Comparable {
    var kind: NALUnit.Kind
    var number: Int

    static func < (left: Key, right: Key) -> Bool {
      (left.kind.rawValue, left.number) < (right.kind.rawValue, right.number)
    }
  }

  private let codec: Codec
  private var sets: [Key: [UInt8]] = [:]

  /// Starts with what came outside the stream (the SDP's sprop-parameter-sets, as Annex B); may be empty.
  init(codec: Codec, outOfBand: UnsafeRawBufferPointer) {
    self.codec = codec
    for unit in NALUnitSequence(outOfBand, codec: codec) where kinds.contains(unit.kind) {
      remember(Array(unit.bytes), as: key(of: unit))
    }
  }

  /// What came of a keyframe.
  enum Completed {
    /// It had all parameter sets; use it as it is.
    case asItIs
    /// It lacked some; here it is with them.
    case with(Payload)
    /// Parameter sets that were never seen: it cannot be decoded.
    case undecodable
  }

  /// Remembers the sets before a picture, or those that come by themselves; whether they differ from before.
  mutating func remember(_ accessUnit: UnsafeRawBufferPointer) -> Bool { take(accessUnit).changed }

  private mutating func take(
    _ accessUnit: UnsafeRawBufferPointer
  ) -> (changed: Bool, delimiterEnd: Int, found: [Key: [UInt8]]) {
    var found: [Key: [UInt8]] = [:]
    var delimiterEnd = 0
    for unit in NALUnitSequence(accessUnit, codec: codec) {
      if unit.kind == .slice { break }
      if unit.kind == .delimiter { delimiterEnd = unit.offset + unit.bytes.count }
      if kinds.contains(unit.kind) { found[key(of: unit)] = Array(unit.bytes) }
    }
    let changed = found.contains { sets[$0] != $1 }
    // What refers to a set that is another one now is out of date, when the access unit brings its like.
    for kind in kinds where found.contains(where: { $0.kind == kind && sets[$0] != nil && sets[$0] != $1 }) {
      sets = sets.filter { old in
        old.key.kind.rawValue <= kind.rawValue || !found.keys.contains { $0.kind == old.key.kind }
      }
    }
    for (key, bytes) in found { remember(bytes, as: key) }
    return (changed, delimiterEnd, found)
  }

  /// Makes a keyframe complete and remembers the sets it brings. `changed` says whether they differ from before.
  mutating func complete(_ keyframe: UnsafeRawBufferPointer) -> (result: Completed, changed: Bool) {
    let (changed, delimiterEnd, found) = take(keyframe)
    guard
      kinds.allSatisfy({ kind in sets.keys.contains { $0.kind == kind } || found.keys.contains { $0.kind == kind } })
    else { return (.undecodable, changed) }
    let missing = sets.filter { found[$0.key] == nil }.sorted { $0.key < $1.key }
    if missing.isEmpty { return (.asItIs, changed) }
    // In the order VPS, SPS, PPS, all of them, behind an access unit delimiter, which must come first. That one of them
    // may stand there twice does no harm.
    let prefix = sets.merging(found) { $1 }.sorted { $0.key < $1.key }.flatMap(\.value)
    let payload = prefix.withUnsafeBytes { prefix in
      Payload(joining: [
        UnsafeRawBufferPointer(rebasing: keyframe[..<delimiterEnd]), prefix,
        UnsafeRawBufferPointer(rebasing: keyframe[delimiterEnd...]),
      ])
    }
    return (.with(payload), changed)
  }

  /// Lends the parameter set of a kind and number to `body`; nil when there is none.
  func withUnit<Result>(_ kind: NALUnit.Kind, _ number: Int, _ body: (NALUnit) -> Result?) -> Result? {
    sets[Key(kind: kind, number: number)]?.withUnsafeBytes { bytes in
      body(NALUnit(kind: kind, bytes: bytes, offset: 0))
    }
  }

  private mutating func remember(_ bytes: [UInt8], as key: Key) {
    let others = sets.reduce(0) { $0 + ($1.key == key ? 0 : $1.value.count) }
    if others + bytes.count <= ParameterSets.byteLimit { sets[key] = bytes }
  }

  private func key(of unit: NALUnit) -> Key {
    Key(kind: unit.kind, number: ParameterSetNumber.number(of: unit, codec: codec))
  }

  private var kinds: [NALUnit.Kind] {
    codec == .h265
      ? [.videoParameterSet, .sequenceParameterSet, .pictureParameterSet]
      : [.sequenceParameterSet, .pictureParameterSet]
  }
}
