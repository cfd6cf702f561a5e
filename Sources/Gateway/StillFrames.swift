import Frames

// What a whole picture can be decoded from: one keyframe, or from the beginning of a gradual refresh on as many frames as it
// takes. Bounded in bytes.

/// Gathers the frames of one camera that a still picture is made of. A value.
struct StillFrames {
  /// From a keyframe on, in decoding order.
  private(set) var frames: [Frame] = []
  /// How many more frames it takes until a picture is whole.
  private var missingCount = 0
  private var byteCount = 0

  /// A refresh that is larger than this is given up.
  static let byteLimit = 32 << 20

  /// Whether the picture of the last of `frames` is whole.
  var isWhole: Bool { !frames.isEmpty && missingCount == 0 }

  /// Takes the camera's next frame. The newest keyframe that is whole at once wins; a refresh counts while there is none.
  mutating func add(_ frame: Frame) {
    if frame.isWholeKeyframe {
      begin(frame)
    } else if !isWhole {
      if frame.gap != nil { (frames, byteCount) = ([], 0) }
      if !frames.isEmpty {
        frames.append(frame)
        missingCount -= 1
        byteCount += frame.payload.byteCount
        if byteCount > StillFrames.byteLimit { (frames, byteCount) = ([], 0) }
      } else if frame.isKeyframe {
        begin(frame)
      }
    }
  }

  private mutating func begin(_ frame: Frame) {
    (frames, missingCount, byteCount) = ([frame], frame.recovery, frame.payload.byteCount)
  }
}
