import Frames
import Testing

@Suite struct DeviceFormatTests {
  @Test(arguments: [
    ("mjpeg 1280x720@15", DeviceFormat(encoding: .mjpeg, width: 1280, height: 720, fps: 15)),
    ("1280x720", DeviceFormat(width: 1280, height: 720)), ("yuyv", DeviceFormat(encoding: .yuyv)),
    ("@5", DeviceFormat(fps: 5)), ("nv12 @5", DeviceFormat(encoding: .nv12, fps: 5)),
  ])
  func isReadAndWritten(_ text: String, _ format: DeviceFormat) {
    #expect(DeviceFormat(text) == format)
    #expect(format.description == text)
  }

  @Test(arguments: [
    "", " ", "mpeg", "mjpeg mjpeg", "1280", "1280x", "x720", "0x0", "1280x720@", "1280x720@0", "1280x720@-1", "@",
    "1x1",
    "1280x720@15@15", "640x480 mjpeg", "99999x99999", "MJPEG",
  ])
  func nothingElseIs(_ text: String) { #expect(DeviceFormat(text) == nil) }

  /// A picture with fewer bytes than its size says would be read beyond its end.
  @Test(arguments: RawPicture.Layout.allCases)
  func aShortPictureIsNone(_ layout: RawPicture.Layout) {
    for (width, height) in [(16, 16), (17, 15), (1, 1)] {
      let row = layout.rowByteCount(width: width)
      let count = layout.byteCount(height: height, bytesPerRow: row)
      let bytes = [UInt8](repeating: 0, count: count)
      bytes.withUnsafeBytes { bytes in
        func picture(_ bytes: UnsafeRawBufferPointer, row: Int) -> RawPicture? {
          RawPicture(layout: layout, width: width, height: height, bytesPerRow: row, isFullRange: true, bytes: bytes)
        }
        #expect(picture(bytes, row: row) != nil)
        #expect(picture(UnsafeRawBufferPointer(rebasing: bytes.dropLast()), row: row) == nil)
        #expect(picture(bytes, row: row - 1) == nil)
      }
    }
  }
}
