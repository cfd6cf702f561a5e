import Frames
import Imaging
import Records

// One camera on the reading side: waits for a keyframe, decodes from there, and begins again after trouble. Invariant: what
// is decoded is an unbroken row of frames from a keyframe on, whether the hole was announced or not (records may have
// been deleted by retention before they were read), without what needs pictures before that keyframe; what comes out is
// whole.

/// Decodes the frames of one source. Used by one thread.
final class CameraDecoder {
  /// A decoder holds back at most 16 pictures for reordering (H.264, A.3.1: MaxDpbFrames);
  /// a frame that is further behind yields no picture: half of an interlaced picture, say.
  static let pendingLimit = 32

  private var decoder: SoftwareDecoder?
  private var codec: Codec?
  /// Frames inside the decoder by tag, with the offset of the keyframe their group begins with.
  private var pending: [Int64: (frame: ReceivedFrame, groupStart: Int64)] = [:]
  private var nextTag: Int64 = 0
  private var groupStart: Int64?
  /// Decoding began at the last keyframe, so its leading pictures are of no use.
  private var beginsAtLastKeyframe = false
  /// How many frames from here on give pictures that are not whole yet.
  private var unwholeCount = 0
  private var lastID: FrameID?
  /// Frames that could not be decoded: none of their group's beginning was there, or they are broken.
  private(set) var skippedCount = 0
  /// Frames whose pictures the decoder still holds, because pictures of later frames come before them.
  var pendingCount: Int { pending.count }

  /// Decodes a frame and calls `body` for every picture that comes out. Returns the offset from which another reader
  /// would have to start to miss nothing; nil when nothing is under way.
  func take(_ frame: ReceivedFrame, _ body: (borrowing Picture, ReceivedFrame) -> Void) -> Int64? {
    let follows = lastID.map { frame.id.follows($0) } ?? true
    lastID = frame.id
    if frame.isKeyframe {
      let isContinued = groupStart != nil && frame.gap == nil && follows
      if !isContinued || frame.recovery == 0 { unwholeCount = frame.recovery }
      beginsAtLastKeyframe = !isContinued
      begin(frame, body)
    } else if frame.gap != nil || !follows {
      groupStart = nil
    }
    guard let groupStart, let decoder else {
      skippedCount += 1
      return nil
    }
    var needed = pending.values.map(\.groupStart).min()
    if frame.isLeading, beginsAtLastKeyframe {
      skippedCount += 1
      return needed ?? groupStart
    }
    if unwholeCount > 0 {
      // Decoded, because others refer to it, and not handed out.
      (unwholeCount, skippedCount) = (unwholeCount - 1, skippedCount + 1)
    } else {
      pending[nextTag] = (frame, groupStart)
    }
    nextTag += 1
    do throws(ImagingError) {
      try decoder.decode(frame.payload.bytes, tag: nextTag - 1) { picture, tag in
        guard let (frame, start) = pending.removeValue(forKey: tag) else { return }
        needed = start
        giveUp { $0.groupStart < start }
        body(picture, frame)
      }
    } catch {
      pending[nextTag - 1] = nil
      skippedCount += 1
      self.groupStart = nil
    }
    if pending.count > CameraDecoder.pendingLimit, let oldest = pending.keys.min() {
      pending[oldest] = nil
      skippedCount += 1
    }
    // Every JPEG stands for itself.
    return frame.codec == .mjpeg ? nil : needed ?? self.groupStart
  }

  private func begin(_ keyframe: ReceivedFrame, _ body: (borrowing Picture, ReceivedFrame) -> Void) {
    if codec != keyframe.codec {
      drain(body)
      decoder = try? SoftwareDecoder(codec: keyframe.codec)
      codec = keyframe.codec
    }
    groupStart = keyframe.offset
  }

  /// Frames whose pictures will never come: those of a later group are out already, and they are shown behind all of an
  /// earlier one (H.265, 8.3.1; H.264's recovery points alike).
  private func giveUp(where isHopeless: ((frame: ReceivedFrame, groupStart: Int64)) -> Bool) {
    let hopeless = pending.filter { isHopeless($0.value) }.keys
    for tag in hopeless { pending[tag] = nil }
    skippedCount += hopeless.count
  }

  /// Hands out the pictures that the decoder still holds.
  func drain(_ body: (borrowing Picture, ReceivedFrame) -> Void) {
    try? decoder?.drain { picture, tag in
      if let (frame, _) = pending.removeValue(forKey: tag) { body(picture, frame) }
    }
    skippedCount += pending.count
    (pending, groupStart) = ([:], nil)
  }
}
