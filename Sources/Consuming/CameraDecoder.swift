import Frames
import Imaging

// One camera on the reading side: waits for a keyframe, decodes from there, and begins anew after trouble.

/// Decodes the frames of one source. Used by one thread.
final class CameraDecoder {
  private var decoder: SoftwareDecoder?
  private var codec: Codec?
  /// Frames inside the decoder by tag, with the offset of the keyframe their group begins with.
  private var pending: [Int64: (frame: ReceivedFrame, groupStart: Int64)] = [:]
  private var nextTag: Int64 = 0
  private var groupStart: Int64?
  /// Frames that could not be decoded: none of their group's beginning was there, or they are broken.
  private(set) var skippedCount = 0
  /// Frames whose pictures the decoder still holds, because pictures of later frames come before them.
  var pendingCount: Int { pending.count }

  /// Decodes a frame and calls `body` for every picture that comes out. Returns the offset from which another reader
  /// would have to start to miss nothing; nil when nothing is under way.
  func take(_ frame: ReceivedFrame, _ body: (borrowing Picture, ReceivedFrame) -> Void) -> Int64? {
    if frame.isKeyframe {
      if codec != frame.codec {
        drain(body)
        decoder = try? SoftwareDecoder(codec: frame.codec)
        codec = frame.codec
      }
      groupStart = frame.offset
    } else if frame.gap != nil {
      groupStart = nil
    }
    guard let groupStart, let decoder else {
      skippedCount += 1
      return nil
    }
    var needed = pending.values.map(\.groupStart).min()
    pending[nextTag] = (frame, groupStart)
    nextTag += 1
    do throws(ImagingError) {
      try decoder.decode(frame.payload.bytes, tag: nextTag - 1) { picture, tag in
        guard let (frame, start) = pending.removeValue(forKey: tag) else { return }
        needed = start
        body(picture, frame)
      }
    } catch {
      pending[nextTag - 1] = nil
      skippedCount += 1
      self.groupStart = nil
    }
    // Every JPEG stands for itself.
    return frame.codec == .mjpeg ? nil : needed ?? groupStart
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
