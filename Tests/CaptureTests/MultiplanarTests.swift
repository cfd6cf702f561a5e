import CV4L2
import Frames
import Glibc
import Posix
import Testing

@testable import Capture

extension VideoSourceTests {
  /// V4L2's other interface, which many cameras on a board's own connector have.
  @Suite struct MultiplanarTests {
    let tests = VideoSourceTests()
    var device: ScriptedDevice { tests.device }

    init() { device.flags = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING }

    @Test func encodedPicturesComeAsTheyAre() throws {
      let jpegs = try Clips.jpegs()
      device.dataOffset = 64
      do {
        let source = tests.source("mjpeg 1280x720@15")
        #expect(try source.open().remarks == ["mjpeg 1280x720@15"])
        #expect(device.settings == ["MJPG 1280x720", "@15"])
        for jpeg in jpegs {
          device.play(.frame(jpeg))
          #expect(try source.read().payload.array == jpeg)
        }
        #expect(device.mapped == 3)
      }
      #expect(device.mapped == 0 && device.isClosed && !device.isStreaming)
    }

    /// However the planes are stored, the encoder is given the same picture.
    @Test(arguments: [
      ("NV12", 1, RawPicture.Layout.nv12, (0, 0)), ("NM12", 2, .nv12, (704, 0)), ("NM21", 2, .nv21, (0, 0)),
      ("YM12", 3, .yu12, (352, 352)), ("YM21", 3, .yv12, (0, 0)),
    ])
    func rawPicturesArePutTogether(
      _ code: String, _ planeCount: Int, _ layout: RawPicture.Layout, _ chroma: (Int, Int)
    ) throws {
      device.formats = [(code, [(640, 480)])]
      (device.planeCount, device.bytesPerRow) = (planeCount, 704)
      device.chromaBytesPerRow = (UInt32(chroma.0), UInt32(chroma.1))
      let encoder = CountingEncoder()
      let source = tests.source(layout.rawValue, encoder: encoder)
      #expect(try source.open().remarks == ["\(layout.rawValue) 640x480@30"])
      #expect(device.settings == ["\(code) 640x480"])
      let picture = (0..<704 * 480 * 3 / 2).map { UInt8(truncatingIfNeeded: $0 / 7) }
      device.play(.frame(picture), .frame(Array(picture.dropLast(9))), .frame(picture))
      #expect(try source.read().payload.array == Clips.jpegs()[0])
      #expect(encoder.last == picture)
      #expect(try source.read().isDamaged, "a picture that is not whole")
      #expect(try !source.read().isDamaged)
      #expect(encoder.pictures.allSatisfy { $0 == (layout, 640, 704, false) } && encoder.pictures.count == 2)
      #expect(device.mapped == 3 * planeCount)
      source.close()
      #expect(device.mapped == 0 && device.isClosed)
    }

    /// Planes with rows of their own would have to be copied row by row: no driver is known that does so.
    @Test(arguments: [("NM12", 2, (1_024, 0)), ("NM12", 3, (0, 0)), ("MJPG", 2, (0, 0)), ("NV12", 0, (0, 0))])
    func unusualPlanesAreRefused(_ code: String, _ planeCount: Int, _ chroma: (Int, Int)) throws {
      device.formats = [(code, [(640, 480)])]
      device.planeCount = planeCount
      device.chromaBytesPerRow = (UInt32(chroma.0), UInt32(chroma.1))
      let error = captureError { _ = try tests.source(encoder: CountingEncoder()).open() }
      #expect(error?.code == .unusable && error?.message.contains("\(planeCount) planes") == true)
      #expect(device.isClosed && device.mapped == 0)
    }

    @Test func itIsListedAsACamera() throws {
      device.formats = [("NM12", [(640, 480)])]
      #expect(try device.capability().canCapture)
      #expect(device.formats(camgate_multiplanar_type).map(\.encoding) == [.nv12])
      #expect(device.formats(camgate_capture_type).isEmpty)
    }
  }
}
