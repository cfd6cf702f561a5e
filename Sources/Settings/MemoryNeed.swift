import Frames

// How much memory the cameras need while neither Kafka nor the disk takes anything for a moment. What a camera sends is not
// in the settings, so that rates are assumed, and said.

enum MemoryNeed {
  /// What is asked for: a slow disk syncs in less, a broker is replaced by another in less.
  static let stall = Duration.seconds(5)
  /// Assumed for a camera whose video is compressed over time (H.264, H.265), bits a second: a full-HD main stream at its
  /// usual best.
  static let videoRate = 8_000_000

  /// Bytes for all cameras, rounded up to whole MiB. `hasRing`: a quarter of memory is kept for what comes back from disk.
  static func bytes(_ cameras: [Configuration.Camera], hasRing: Bool) -> Int {
    let bits = cameras.reduce(0) { $0 + rate(of: $1.description.source) } * Int(stall.components.seconds)
    let bytes = hasRing ? bits / 6 : bits / 8
    return (bytes + (1 << 20) - 1) & ~((1 << 20) - 1)
  }

  /// Bits a second: of pictures that are compressed by themselves (JPEG) 1 bit a pixel, of generated ones 0.1 as measured.
  private static func rate(of source: CameraDescription.Source) -> Int {
    switch source {
    case .rtsp, .file: videoRate
    case .test(let width, let height, let fps): width * height * fps / 10
    case .device(let device):
      switch device.format.encoding {
      case .h264, .h265: videoRate
      default: (device.format.width ?? 1_280) * (device.format.height ?? 720) * (device.format.fps ?? 30)
      }
    }
  }
}
