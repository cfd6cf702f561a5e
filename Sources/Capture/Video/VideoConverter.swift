import CV4L2
import Frames
import Glibc
import Posix
import Synchronization

// Formats that only one maker's cameras have, and those of bare sensors, as RGB: libv4lconvert's work, with its knowledge
// of single cameras (turned sensors, white balance, exposure by the picture), which it has from their USB identity.
//
// Some of its decoders trust what a camera says of itself, so they read from memory that goes on after the picture, and
// write to such memory. Some build tables in static memory when first called, so one camera is converted at a time.

/// Makes RGB of one device's pictures. Used by one thread.
final class VideoConverter {
  /// The kernel's codes (videodev2.h) of what libv4l 1.22 converts and Camgate does not take otherwise, best first. Those
  /// of the OV511 and OV518 are left out, for which libv4l starts programs of its own, and that of the CPiA, of which it
  /// writes to standard error.
  static let codes = [
    // Colour, as it is.
    "RGBP", "BGR4", "RGB4", "XR24", "BX24", "AR24", "BA24", "YVYU", "NV16", "NV61", "HM12", "M420",
    // Colour, in an order or a compression of one maker's.
    "S501", "S505", "S508", "CITV", "KONI", "S920", "PJPG", "JPGL", "S401",
    // Colour filters of sensors (Bayer), as they are, with ten bits packed and loose, with sixteen.
    "BA81", "GBRG", "GRBG", "RGGB", "S680", "pBAA", "pGAA", "pgAA", "pRAA", "BG10", "GB10", "BA10", "RG10", "BYR2",
    "GB16", "GR16", "RG16",
    // The same, compressed.
    "S561", "S910", "SONX", "P207", "M310", "JL20", "905C",
    "HSV4", "HSV3",
    // Grey.
    "Y10B", "Y16 ", "Y04 ", "Y06 ",
  ]
  static let fourCCs: [UInt32] = codes.map(DeviceEncoding.fourCC)

  /// What may be in any even size; the others are put together of larger blocks, and libv4l writes beyond its memory when
  /// these do not fit.
  private static let bayerCodes: Set<UInt32> = Set(
    [
      "BA81", "GBRG", "GRBG", "RGGB", "S680", "pBAA", "pGAA", "pgAA", "pRAA", "BG10", "GB10", "BA10", "RG10", "BYR2",
      "GB16", "GR16", "RG16", "S561", "S910", "SONX", "P207", "M310", "905C",
    ].map(DeviceEncoding.fourCC))
  /// Where libv4l asks how far rows are apart; elsewhere they follow one another.
  private static let stridedCodes: Set<UInt32> = Set(
    ["BA81", "GBRG", "GRBG", "RGGB", "YVYU"].map(DeviceEncoding.fourCC))
  /// Bytes a sample, where it is not one.
  private static let sampleByteCounts: [UInt32: Int] = Dictionary(
    uniqueKeysWithValues: [
      ("RGBP", 2), ("BGR4", 4), ("RGB4", 4), ("XR24", 4), ("BX24", 4), ("AR24", 4), ("BA24", 4), ("YVYU", 2),
    ].map { (DeviceEncoding.fourCC($0.0), $0.1) })

  /// No picture has more samples.
  static let sampleLimit = 1 << 26
  /// What follows a picture in memory, bytes.
  private static let margin = 64 << 10

  private static let one = Mutex(())

  private let data: OpaquePointer
  /// What `data` asks; it must stay as long.
  private let link: Link
  private var source: v4l2_format
  private var destination: v4l2_format
  private var input: [UInt8]
  private var output: [UInt8]
  private let byteCount: Int
  /// What a picture has at least; 0 where that depends on what is in it.
  private let leastByteCount: Int

  /// The device as libv4l sees it.
  private final class Link {
    let device: any VideoDevice

    init(_ device: any VideoDevice) { self.device = device }

    /// What libv4l calls instead of ioctl(2). It enumerates formats and reads controls; it neither reads nor writes.
    // Unsafe because of the pointer: what it leads to is never changed.
    nonisolated(unsafe) static let operations: UnsafePointer<libv4l_dev_ops> = {
      var operations = libv4l_dev_ops()
      operations.ioctl = { link, _, request, argument in
        guard let link, let argument else { return -1 }
        let device = Unmanaged<Link>.fromOpaque(link).takeUnretainedValue().device
        do throws(SystemError) {
          try device.request(request, argument)
          return 0
        } catch {
          errno = error.code
          return -1
        }
      }
      let memory = UnsafeMutablePointer<libv4l_dev_ops>.allocate(capacity: 1)
      memory.initialize(to: operations)
      return UnsafePointer(memory)
    }()
  }

  /// For pictures of a device as it agreed on them. EINVAL for what cannot be converted.
  init(_ device: any VideoDevice, _ agreement: VideoAgreement) throws(SystemError) {
    let samples = agreement.width.multipliedReportingOverflow(by: agreement.height)
    guard let given = agreement.source, !samples.overflow,
      (1...VideoConverter.sampleLimit).contains(samples.partialValue),
      VideoConverter.canConvert(given.fourCC, width: agreement.width, height: agreement.height)
    else {
      let size = "\(agreement.width)x\(agreement.height)"
      throw SystemError(code: EINVAL, operation: "converting \(size): ask for a size of multiples of 16")
    }
    let isStrided = VideoConverter.stridedCodes.contains(given.fourCC)
    let least = agreement.width * (VideoConverter.sampleByteCounts[given.fourCC] ?? 1)
    let bytesPerRow = isStrided ? min(max(given.bytesPerRow, least), least + VideoConverter.margin) : least
    leastByteCount = isStrided ? bytesPerRow * agreement.height : 0
    var picture = camgate_picture()
    (picture.width, picture.height) = (UInt32(agreement.width), UInt32(agreement.height))
    (picture.fourcc, picture.bytes_per_row.0) = (given.fourCC, UInt32(bytesPerRow))
    source = camgate_format(camgate_capture_type, picture)
    byteCount = samples.partialValue * 3
    (picture.fourcc, picture.bytes_per_row.0) = (DeviceEncoding.fourCC("RGB3"), UInt32(agreement.width * 3))
    destination = camgate_format(camgate_capture_type, picture)
    destination.fmt.pix.sizeimage = UInt32(byteCount)
    link = Link(device)
    let pointer = Unmanaged.passUnretained(link).toOpaque()
    // Unsafe because Swift takes what leaves a lock for shared; this is used here alone.
    nonisolated(unsafe) var data: OpaquePointer?
    VideoConverter.one.withLock { _ in
      data = v4lconvert_create_with_dev_ops(device.descriptor, pointer, Link.operations)
    }
    guard let data else { throw SystemError(code: ENOMEM, operation: "libv4lconvert") }
    self.data = data
    input = [UInt8](repeating: 0, count: max(samples.partialValue * 4, leastByteCount) + VideoConverter.margin)
    output = [UInt8](repeating: 0, count: byteCount + VideoConverter.margin)
  }

  deinit { v4lconvert_destroy(data) }

  /// Whether libv4l keeps to its memory with pictures of this size, as noise in all of its formats has shown.
  static func canConvert(_ fourCC: UInt32, width: Int, height: Int) -> Bool {
    bayerCodes.contains(fourCC) ? width % 2 == 0 && height % 2 == 0 : width % 16 == 0 && height % 8 == 0
  }

  /// Lends the RGB of a picture to `body`; nil when libv4l calls it incomplete or damaged.
  func withRGB<Result>(of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    if bytes.count < leastByteCount { return nil }
    if bytes.count + VideoConverter.margin > input.count {
      input = [UInt8](repeating: 0, count: bytes.count + VideoConverter.margin)
    }
    let isGood = input.withUnsafeMutableBytes { input in
      input.copyMemory(from: bytes)
      // Not what an earlier picture left there.
      UnsafeMutableRawBufferPointer(rebasing: input[bytes.count...]).initializeMemory(as: UInt8.self, repeating: 0)
      return output.withUnsafeMutableBytes { output in
        VideoConverter.one.withLock { _ in
          v4lconvert_convert(
            data, &source, &destination, input.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count),
            output.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(byteCount)) == byteCount
        }
      }
    }
    return isGood ? output.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<byteCount])) } : nil
  }
}
