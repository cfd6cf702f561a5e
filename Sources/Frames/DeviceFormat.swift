// What is asked of a V4L2 device: written in the settings as `mjpeg 1280x720@15`.

/// Encoding, size and rate of a device; what is nil is left to Camgate or to the driver.
package struct DeviceFormat: Sendable, Equatable, CustomStringConvertible {
  package var encoding: DeviceEncoding?
  package var width: Int?
  package var height: Int?
  package var fps: Int?

  package init(encoding: DeviceEncoding? = nil, width: Int? = nil, height: Int? = nil, fps: Int? = nil) {
    (self.encoding, self.width, self.height, self.fps) = (encoding, width, height, fps)
  }

  /// Reads `[ENCODING] [WIDTHxHEIGHT][@FPS]`; nil when `text` is nothing of the kind.
  package init?(_ text: String) {
    self.init()
    var words = text.split(separator: " ")
    if let first = words.first, let encoding = DeviceEncoding(rawValue: String(first)) {
      self.encoding = encoding
      words.removeFirst()
    }
    guard let picture = words.popLast() else {
      if encoding == nil { return nil }
      return
    }
    let parts = picture.split(separator: "@", omittingEmptySubsequences: false)
    guard words.isEmpty, parts.count <= 2 else { return nil }
    if !parts[0].isEmpty {
      let size = parts[0].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard size.count == 2, let width = size[0], let height = size[1], (16...16_384).contains(width),
        (16...16_384).contains(height)
      else { return nil }
      (self.width, self.height) = (width, height)
    }
    if parts.count == 2 {
      guard let fps = Int(parts[1]), (1...1_000).contains(fps) else { return nil }
      self.fps = fps
    }
  }

  package var description: String {
    var words: [String] = []
    if let encoding { words.append(encoding.rawValue) }
    var picture = ""
    if let width, let height { picture = "\(width)x\(height)" }
    if let fps { picture += "@\(fps)" }
    if !picture.isEmpty { words.append(picture) }
    return words.joined(separator: " ")
  }
}

/// What a device may send and Camgate can use, in the order of preference. Raw pictures are encoded to JPEG.
package enum DeviceEncoding: String, Sendable, CaseIterable {
  case mjpeg, h264, h265
  case nv12, yuyv, uyvy, yu12, yv12, nv21, grey, rgb24, bgr24
  /// What only one maker's cameras send, or bare sensors: libv4l makes RGB of it.
  case converted

  /// The layout of raw pictures; nil for what is encoded by the device.
  package var rawLayout: RawPicture.Layout? { self == .converted ? .rgb24 : RawPicture.Layout(rawValue: rawValue) }
}
