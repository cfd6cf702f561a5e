import Frames
import Posix

// Which of a device's formats is taken, where the settings leave it open or ask for what it does not have.

/// A format and a size to ask the driver for.
struct VideoChoice: Equatable {
  var fourCC: UInt32
  var size: VideoSizes.Size

  /// What is taken without `format`: enough to see, and no more than USB 2 carries at full rate.
  static let usualSize = VideoSizes.Size(width: 1280, height: 720)
  static let usualRawSize = VideoSizes.Size(width: 640, height: 480)

  init(of device: any VideoDevice, _ bufferType: UInt32, wanted: DeviceFormat) throws(CaptureError) {
    let formats = device.formats(bufferType)
    let usable = formats.filter { $0.encoding != nil }
    let asked = usable.filter { $0.encoding == wanted.encoding && wanted.encoding != nil }
    let best = (asked.isEmpty ? usable : asked).min { VideoChoice.rank($0) < VideoChoice.rank($1) }
    guard let best, let encoding = best.encoding else {
      let found = formats.map(\.code).joined(separator: ", ")
      throw CaptureError(
        .unusable, "the device has no format Camgate can use; it has: \(found.isEmpty ? "none" : found)")
    }
    fourCC = best.fourCC
    if let width = wanted.width, let height = wanted.height {
      size = VideoSizes.Size(width: width, height: height)
    } else {
      let usual = encoding.rawLayout == nil ? VideoChoice.usualSize : VideoChoice.usualRawSize
      size = VideoChoice.nearest(to: usual, in: device.sizes(of: best))
    }
  }

  private static func rank(_ format: VideoFormat) -> (Int, Int) {
    (format.encoding.flatMap { DeviceEncoding.allCases.firstIndex(of: $0) } ?? .max, format.conversionRank ?? 0)
  }

  /// The usual size if it is there, else the largest below it, else the smallest.
  private static func nearest(to usual: VideoSizes.Size, in sizes: VideoSizes?) -> VideoSizes.Size {
    switch sizes {
    case .list(let list):
      if list.contains(usual) { return usual }
      let below = list.filter { $0.width <= usual.width && $0.height <= usual.height }
      return below.max { $0.area < $1.area } ?? list.min { $0.area < $1.area } ?? usual
    case .range(let width, let height):
      return VideoSizes.Size(
        width: min(max(usual.width, width.lowerBound), width.upperBound),
        height: min(max(usual.height, height.lowerBound), height.upperBound))
    case nil: return usual
    }
  }
}
