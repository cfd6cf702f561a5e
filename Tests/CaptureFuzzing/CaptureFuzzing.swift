import Frames

@testable import Capture

// What Capture parses by itself, as one function of bytes for a fuzzer: NAL units, parameter sets from the session
// description and from the stream, JPEG headers, the URLs that cameras redirect to, FFmpeg's words. A trap or a broken
// promise ends the process.

/// Takes any bytes. The first says what the rest is; what it is made of is cut at every 0xff 0x00 0xff.
package func fuzzCapture(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  let pieces = cut(Array(input.dropFirst()))
  switch choice % 5 {
  case 0: fuzzAccessUnits(pieces, .h264)
  case 1: fuzzAccessUnits(pieces, .h265)
  case 2: fuzzAccessUnits(pieces, .mjpeg)
  case 3:
    for piece in pieces {
      let text = String(decoding: piece, as: UTF8.self)
      _ = Origin(text)?.refusal(of: text, redirectCount: Int(choice))
      if let origin = Origin(text) { precondition(!origin.host.isEmpty) }
    }
  default:
    for piece in pieces {
      let count = FFmpegNotes.missedPackets(in: String(decoding: piece, as: UTF8.self))
      precondition((0...65_535).contains(count ?? 0))
    }
  }
}

/// The first piece is the session description's, every other one an access unit: an even one a keyframe.
private func fuzzAccessUnits(_ pieces: [[UInt8]], _ codec: Codec) {
  var normalizer = Normalizer(stream: SourceStream(codec: codec, parameterSets: pieces[0]), gap: nil) { bytes, codec in
    // FFmpeg's decoders have fuzzers of their own.
    NALUnitSequence(bytes, codec: codec).contains { $0.kind == .slice } ? PictureInformation(width: 1, height: 1) : nil
  }
  var hasBegun = false
  for (index, piece) in pieces.dropFirst().enumerated() {
    let isKeyframe = index % 2 == 0
    let packet = SourcePacket(
      payload: Payload(piece), isKeyframe: isKeyframe, pts: nil, dts: nil, arrival: .now(), isSuspect: piece.last == 7)
    guard case .frame(let payload, let isKey, let width, let height, let gap) = normalizer.take(packet) else {
      continue
    }
    precondition(width > 0 && height > 0, "a frame without a size")
    precondition(hasBegun || isKey, "begins without a keyframe")
    precondition(gap == nil || isKey, "goes on behind a hole without a keyframe")
    hasBegun = true
    guard codec != .mjpeg else { continue }
    withExtendedLifetime(payload) {
      precondition(payload.byteCount >= piece.count && payload.byteCount <= piece.count + 2 * ParameterSets.byteLimit)
      guard isKey else { return }
      let kinds = NALUnitSequence(payload.bytes, codec: codec).map(\.kind).prefix { $0 != .slice }
      precondition(
        kinds.contains(.sequenceParameterSet) && kinds.contains(.pictureParameterSet), "nobody can begin here")
    }
  }
}

private func cut(_ bytes: [UInt8]) -> [[UInt8]] {
  var pieces: [[UInt8]] = [[]]
  var index = 0
  while index < bytes.count {
    if bytes[index...].starts(with: [0xff, 0, 0xff]) {
      pieces.append([])
      index += 3
    } else {
      pieces[pieces.count - 1].append(bytes[index])
      index += 1
    }
  }
  return pieces
}
