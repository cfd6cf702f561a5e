import CTurboJPEG
import CV4L2
import Frames
import Glibc
import Imaging
import Posix
import Testing

@testable import Capture

/// Cameras whose pictures only libv4l can read, down to the JPEG, against a demosaicing of the tests' own.
@Suite struct VideoConverterTests {
  static let (width, height) = (352, 288)

  /// Red, green, blue: soft shades and a circle.
  private static let picture: [[UInt8]] = (0..<3).map { channel in
    (0..<width * height).map { index in
      let (x, y) = (Double(index % width), Double(index / width))
      let isInside = hypot(x - 170, y - 140) < 80
      let shade = [
        40 + x / 352 * 170 + (isInside ? 30 : 0), 60 + y / 288 * 150, 210 - (x + y) / 640 * 160 - (isInside ? 20 : 0),
      ]
      return UInt8(shade[channel])
    }
  }

  /// Which channel a sensor has at each place of two rows.
  private static let orders: [(code: String, channels: [Int])] = [
    ("BA81", [2, 1, 1, 0]), ("GBRG", [1, 2, 0, 1]), ("GRBG", [1, 0, 2, 1]), ("RGGB", [0, 1, 1, 2]),
  ]

  private static func channel(_ channels: [Int], _ x: Int, _ y: Int) -> Int { channels[y % 2 * 2 + x % 2] }

  /// What a sensor with these filters sees.
  private static func mosaic(_ channels: [Int]) -> [UInt8] {
    (0..<width * height).map { picture[channel(channels, $0 % width, $0 / width)][$0] }
  }

  /// Each missing sample as the mean of those of its colour among its eight neighbours.
  private static func demosaiced(_ mosaic: [UInt8], _ channels: [Int]) -> [UInt8] {
    var result: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for wanted in 0..<3 {
          if channel(channels, x, y) == wanted {
            result.append(mosaic[y * width + x])
            continue
          }
          var (sum, count) = (0, 0)
          for row in max(0, y - 1)...min(height - 1, y + 1) {
            for column in max(0, x - 1)...min(width - 1, x + 1) where channel(channels, column, row) == wanted {
              (sum, count) = (sum + Int(mosaic[row * width + column]), count + 1)
            }
          }
          result.append(UInt8(sum / count))
        }
      }
    }
    return result
  }

  /// Peak signal to noise ratio, dB.
  private static func ratio(_ one: [UInt8], _ other: [UInt8]) -> Double {
    let squares = zip(one, other).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    return 10 * log10(255 * 255 / max(1e-9, squares / Double(one.count)))
  }

  private static func rgb(ofJPEG payload: Payload) throws -> [UInt8] {
    let decoder = try #require(tjInitDecompress())
    defer { tjDestroy(decoder) }
    var (pixels, jpeg) = ([UInt8](repeating: 0, count: width * height * 3), payload.array)
    let format = Int32(TJPF_RGB.rawValue)
    #expect(
      tjDecompress2(
        decoder, &jpeg, UInt(jpeg.count), &pixels, Int32(width), Int32(width * 3), Int32(height), format, 0) == 0)
    return pixels
  }

  private func source(_ device: ScriptedDevice, _ format: String = "") -> VideoSource {
    VideoSource(
      CameraDescription.Device(path: "/dev/video0", format: DeviceFormat(format) ?? DeviceFormat()),
      system: VideoSystem(open: { (_) throws(SystemError) in device }), interrupt: Interrupt(),
      encoder: { JPEGEncoder() })
  }

  private func device(_ code: String) -> ScriptedDevice {
    let device = ScriptedDevice()
    device.formats = [(code, [(Self.width, Self.height)])]
    return device
  }

  @Test(arguments: 0..<4) func bayerInEveryOrderBecomesAPicture(_ index: Int) throws {
    let (code, channels) = Self.orders[index]
    let (device, mosaic) = (device(code), Self.mosaic(channels))
    device.bytesPerRow = UInt32(Self.width)
    let source = source(device)
    #expect(try source.open().remarks == ["converted 352x288@30 (from \(code), by libv4l)"])
    device.play(.frame(mosaic), .frame(Array(mosaic.dropLast(5_000))), .frame(mosaic))
    let packet = try source.read()
    let ratio = Self.ratio(try Self.rgb(ofJPEG: packet.payload), Self.demosaiced(mosaic, channels))
    print("\(code): \(number(ratio)) dB")
    #expect(ratio >= 30, "\(code): \(ratio) dB")
    #expect(try source.read().isDamaged, "a picture that is not whole")
    #expect(try !source.read().isDamaged)
  }

  /// Rows of the PAC207 (libv4lconvert/pac207.c): raw, or differences to the pixel before the last in a few bits.
  private static func compressed(_ mosaic: [UInt8]) -> (bytes: [UInt8], seen: [UInt8]) {
    var (bytes, seen) = ([] as [UInt8], [] as [UInt8])
    for y in 0..<height {
      let row = Array(mosaic[y * width..<(y + 1) * width])
      if y % 4 == 0 {
        bytes += [0x0f, 0xf0] + row
        seen += row
        continue
      }
      var (bits, line) = ([] as [Bool], Array(row.prefix(2)))
      func add(_ value: Int, _ count: Int) { bits += (0..<count).map { value >> (count - 1 - $0) & 1 == 1 } }
      for x in 2..<width {
        let (before, target) = (Int(line[x - 2]), Int(row[x]))
        let steps: [(Int, Int, Int)] = [
          (0, 0b00, 2), (-5, 0b01, 2), (5, 0b10, 2), (-10, 0b1100, 4), (10, 0b1101, 4), (-15, 0b11100, 5),
          (15, 0b11101, 5), (-20, 0b111100, 6), (20, 0b111101, 6),
        ]
        let best = steps.min { abs(before + $0.0 - target) < abs(before + $1.0 - target) } ?? steps[0]
        if abs(before + best.0 - target) <= 3, (0...255).contains(before + best.0) {
          add(best.1, best.2)
          line.append(UInt8(before + best.0))
        } else {
          add(0b11111, 5)
          add(target >> 2, 6)
          line.append(UInt8(target & 0xfc))
        }
      }
      while bits.count % 16 != 0 { bits.append(false) }
      bytes += [0x1e, 0xe1] + row.prefix(2)
      bytes += stride(from: 0, to: bits.count, by: 8).map { at in
        bits[at..<at + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
      }
      seen += line
    }
    return (bytes, seen)
  }

  @Test func aCompressedFormatBecomesAPicture() throws {
    let channels = Self.orders[0].channels
    let (bytes, seen) = Self.compressed(Self.mosaic(channels))
    let device = device("P207")
    let source = source(device, "converted 352x288")
    #expect(try source.open().warnings.isEmpty)
    device.play(.frame(bytes))
    let ratio = Self.ratio(try Self.rgb(ofJPEG: source.read().payload), Self.demosaiced(seen, channels))
    print("P207: \(number(ratio)) dB, \(bytes.count) of \(seen.count) bytes")
    #expect(ratio >= 30, "\(ratio) dB")
  }

  /// What a camera gives by itself comes first; the list tells it from what is converted.
  @Test func whatNeedsNoConversionIsPreferred() throws {
    let device = device("RGGB")
    device.formats = [("RGGB", [(352, 288)]), ("Y10B", [(352, 288)]), ("YUYV", [(352, 288)]), ("O511", nil)]
    #expect(try source(device).open().remarks == ["yuyv 352x288@30"])
    #expect(try source(device, "converted").open().remarks == ["converted 352x288@30 (from RGGB, by libv4l)"])
    let tree = try ScriptedTree()
    try tree.add(0, port: "1-1", serial: "SN1")
    let list = DeviceList(system: VideoSystem(root: tree.root, open: { (_) throws(SystemError) in device }))
    let lines = list.text.split(separator: "\n").map { $0.drop { $0 == " " } }
    for beginning in [
      "yuyv  352x288", "converted (from RGGB, by libv4l)  352x288", "converted (from Y10B, by libv4l)  352x288",
      "O511 (Camgate cannot use it)",
    ] { #expect(lines.contains { $0.hasPrefix(beginning) }, "\(list.text)") }
  }

  /// Each code is one that the library knows, and no bytes of a camera end the process.
  @Test func everyCodeIsKnownAndNothingBreaks() throws {
    let whole = [UInt8](repeating: 0x40, count: Self.width * Self.height * 4)
    let noise = whole.map { _ in UInt8.random(in: 0...255) }
    for code in VideoConverter.codes {
      let device = device(code)
      let source = source(device)
      _ = try source.open()
      device.play(.frame(whole), .frame([0]))
      for _ in 0..<8 { device.play(.frame(Array(noise.dropFirst(Int.random(in: 0..<noise.count))))) }
      let isRead = try (0..<10).map { _ in try !source.read().isDamaged }
      // Those with a compression of their own may find nothing in a plain picture.
      let isCompressed = ["PJPG", "JPGL", "S401", "P207", "M310", "JL20"].contains(code)
      #expect(isRead[0] || isCompressed, "\(code)")
    }
  }

  /// In other sizes libv4l writes beyond its memory.
  @Test func sizesThatDoNotFitAreRefused() throws {
    for (code, width, height) in [("S501", 356, 292), ("JPGL", 1_000, 498), ("RGGB", 351, 288)] {
      let device = ScriptedDevice()
      device.formats = [(code, [(width, height)])]
      let error = captureError { _ = try source(device).open() }
      #expect(error?.code == .unusable && error?.message.contains("multiples of 16") == true, "\(code)")
      #expect(device.isClosed && device.mapped == 0)
    }
  }

  /// STREAMON of the second camera on a bus says ENOSPC; the first goes on.
  @Test func aSecondCameraOnTheBusSaysWhatItLacks() throws {
    let (first, second) = (device("YUYV"), device("YUYV"))
    second.failures[camgate_vidioc_streamon] = ENOSPC
    let system = VideoSystem(open: { (path) throws(SystemError) in path.hasSuffix("0") ? first : second })
    let log = Monitor<[String]>([])
    let frames = Monitor(0)
    let cameras = try (0..<2).map { number in
      let name = try #require(CameraName("desk-\(number)"))
      let source = CameraDescription.Source.device(.init(path: "/dev/video\(number)"))
      return Camera(
        CameraDescription(name: name, source: source), log: Log { line in log.withLock { $0.append(line) } },
        encoder: { JPEGEncoder() }, video: system
      ) { _ in frames.withLock { $0 += 1 } }
    }
    for camera in cameras { camera.start() }
    let said = log.wait(until: .now() + .seconds(60)) { lines in lines.first { $0.contains("USB bandwidth") } }
    #expect(
      said?.contains("lower its size or rate") == true, "\(said ?? "nothing")")
    let picture = [UInt8](repeating: 100, count: Self.width * Self.height * 2)
    for _ in 0..<5 { first.play(.frame(picture)) }
    #expect(frames.wait(until: .now() + .seconds(60)) { $0 == 5 ? true : nil } == true)
    for camera in cameras { camera.stop() }
    for camera in cameras { #expect(camera.join(until: .now() + .seconds(60))) }
    #expect(second.isClosed)
  }

  private func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}
