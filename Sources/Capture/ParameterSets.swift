import Frames

// Any consumer may start at any keyframe, so every keyframe carries its parameter sets, also when the camera sends them
// only in the SDP or not with every IDR. A change is taken at keyframes only.

/// The parameter sets that are in force, by kind, as Annex B bytes.
struct ParameterSets {
  private let codec: Codec
  private var sets: [NALUnit.Kind: [UInt8]] = [:]

  /// Starts with what came outside the stream (the SDP's sprop-parameter-sets, as Annex B); may be empty.
  init(codec: Codec, outOfBand: UnsafeRawBufferPointer) {
    self.codec = codec
    for unit in NALUnitSequence(outOfBand, codec: codec) where kinds.contains(unit.kind) {
      sets[unit.kind, default: []] += unit.bytes
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

  /// Makes a keyframe complete and remembers the sets it brings. `changed` says whether they differ from before.
  mutating func complete(_ keyframe: UnsafeRawBufferPointer) -> (result: Completed, changed: Bool) {
    var found: [NALUnit.Kind: [UInt8]] = [:]
    var delimiterEnd = 0
    for unit in NALUnitSequence(keyframe, codec: codec) {
      if unit.kind == .slice { break }
      if unit.kind == .delimiter { delimiterEnd = unit.offset + unit.bytes.count }
      if kinds.contains(unit.kind) { found[unit.kind, default: []] += unit.bytes }
    }
    var changed = false
    for (kind, bytes) in found where sets[kind] != bytes {
      sets[kind] = bytes
      changed = true
    }
    if kinds.allSatisfy({ found[$0] != nil }) { return (.asItIs, changed) }
    guard kinds.allSatisfy({ sets[$0] != nil }) else { return (.undecodable, changed) }
    // All of them, in the order VPS, SPS, PPS, behind an access unit delimiter, which must come first. That one of them
    // may stand there twice does no harm.
    let prefix = kinds.flatMap { sets[$0] ?? [] }
    let payload = prefix.withUnsafeBytes { prefix in
      Payload(joining: [
        UnsafeRawBufferPointer(rebasing: keyframe[..<delimiterEnd]), prefix,
        UnsafeRawBufferPointer(rebasing: keyframe[delimiterEnd...]),
      ])
    }
    return (.with(payload), changed)
  }

  private var kinds: [NALUnit.Kind] {
    codec == .h265
      ? [.videoParameterSet, .sequenceParameterSet, .pictureParameterSet]
      : [.sequenceParameterSet, .pictureParameterSet]
  }
}
