import Frames
import Posix

@testable import Capture

// What Capture parses by itself, as one function of bytes for a fuzzer: NAL units, parameter sets from the session
// description and from the stream, JPEG headers and tables, media times, the URLs that cameras redirect to, FFmpeg's
// words. A trap or a broken promise ends the process.

/// Takes any bytes. The first says what the rest is; what it is made of is cut at every 0xff 0x00 0xff.
package func fuzzCapture(_ input: UnsafeRawBufferPointer) {
  guard let choice = input.first else { return }
  let pieces = cut(Array(input.dropFirst()))
  switch choice % 7 {
  case 0: fuzzAccessUnits(pieces, .h264)
  case 1: fuzzAccessUnits(pieces, .h265)
  case 2: fuzzAccessUnits(pieces, .mjpeg)
  case 3:
    for piece in pieces {
      let text = String(decoding: piece, as: UTF8.self)
      _ = Origin(text)?.refusal(of: text, redirectCount: Int(choice))
      if let origin = Origin(text) { precondition(!origin.host.isEmpty) }
    }
  case 4:
    for piece in pieces {
      let completed = piece.withUnsafeBytes { JPEGTables.complete($0) }
      precondition([0, JPEGTables.segment.count].contains(completed.byteCount - piece.count))
    }
  case 5: fuzzTimes(Array(input.dropFirst()), reorderDepth: Int(choice / 7 % 4))
  default:
    for piece in pieces {
      let count = FFmpegNotes.missedPackets(in: String(decoding: piece, as: UTF8.self))
      precondition((0...65_535).contains(count ?? 0))
    }
  }
}

/// The first piece is the session description's, every other one an access unit.
private func fuzzAccessUnits(_ pieces: [[UInt8]], _ codec: Codec) {
  let stream = SourceStream(codec: codec, parameterSets: pieces[0])
  _ = stream.announcedSize
  var normalizer = Normalizer(stream: stream, gap: nil) { bytes, codec in
    // FFmpeg's decoders have fuzzers of their own.
    NALUnitSequence(bytes, codec: codec).contains { $0.kind == .slice } ? PictureInformation(width: 1, height: 1) : nil
  }
  var hasBegun = false
  var isAtBeginning = false
  for piece in pieces.dropFirst() {
    let packet = SourcePacket(
      payload: Payload(piece), pts: nil, dts: nil, arrival: .now(), isSuspect: piece.last == 7)
    guard case .frame(let picture) = normalizer.take(packet) else { continue }
    let (payload, isKey) = (picture.payload, picture.isKeyframe)
    precondition(picture.width > 0 && picture.height > 0, "a frame without a size")
    precondition(hasBegun || isKey, "begins without a keyframe")
    precondition(picture.gap == nil || isKey, "goes on after a hole without a keyframe")
    precondition(isKey || picture.recovery == 0, "a recovery without a beginning")
    precondition(picture.recovery >= 0, "whole before it begins")
    precondition(!isKey || !picture.isLeading, "a keyframe that needs an earlier one")
    if isKey { isAtBeginning = !hasBegun || picture.gap != nil }
    precondition(!isAtBeginning || !picture.isLeading, "a leading picture where decoding begins")
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

/// Each eight bytes: the steps of presentation time and of arrival since the frame before, and what is odd about it.
private func fuzzTimes(_ bytes: [UInt8], reorderDepth: Int) {
  var pictures = PictureInformation(width: 1, height: 1)
  pictures.reorderDepth = reorderDepth
  var (media, timeline, clock, arrivals) = (MediaClock(), MediaTimeline(), CaptureClock(), Int64(0))
  var (pts, latest, lastDts) = (Int64(0), nil as Int64?, nil as Int64?)
  for index in stride(from: 0, to: bytes.count - 7, by: 8) {
    let word = bytes[index..<(index + 8)].reduce(0) { $0 << 8 | Int64($1) }
    let (step, oddity) = (Int64(Int32(truncatingIfNeeded: word >> 32)), word & 0xff)
    // Further than any camera's clock, and not so far that sums of a few would not fit.
    pts = max(-1 << 60, min(1 << 60, pts + step << (oddity & 8 == 0 ? 10 : 29)))
    arrivals = arrivals.addingSaturated(word >> 8 & 0xff_ffff)
    let isReconnected = oddity & 1 == 1
    if isReconnected {
      (media, lastDts) = (MediaClock(), nil)
      timeline.reconnect()
    }
    media.follow(pictures)
    let own = media.times(
      pts: oddity & 2 == 2 ? nil : pts, following: oddity & 4 == 4 ? pts + oddity << 20 : nil, arrival: arrivals,
      isClosed: oddity & 16 == 0)
    let time = timeline.place(pts: own.pts, dts: own.dts, arrival: arrivals, isRestarted: own.isBeginning)
    if let latest, latest < .max / 2 {
      precondition(!isReconnected || time.pts > latest, "a new connection is not later")
      precondition(latest.subtractingSaturated(time.pts) <= MediaTimeline.jumpThreshold, "media time goes back")
    }
    if let dts = time.dts {
      precondition(dts <= time.pts, "decoded after it is shown")
      precondition(lastDts.map { $0 < dts } ?? true || dts > .max / 2, "decoding time goes back")
      lastDts = dts
    }
    latest = max(latest ?? .min, time.pts)
    let arrival = ClockReading(wall: WallClock.earliest.addingSaturated(arrivals), boot: arrivals)
    let cameraTime = oddity & 32 == 0 ? nil : arrival.wall.addingSaturated(step)
    let taken = clock.captureTime(arrival: arrival, cameraTime: cameraTime, pts: time.pts, isSynchronized: true)
    precondition(taken.quality != .camera || taken.nanoseconds == cameraTime, "a time that the camera did not say")
    precondition(taken.nanoseconds >= WallClock.earliest)
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
