import CFFmpeg
import Frames
import Glibc
import Posix

@testable import Capture
@testable import Imaging

// libFuzzer's entry for FFmpeg's own parsers and decoders, built with AddressSanitizer (Toolchain/cross/sanitized.sh), as the
// product uses them. CAMGATE_FUZZ says which:
//   rtsp      what a camera sends over TCP, byte for byte, on one connection after another
//   rtp       a session description, then RTP and RTCP packets one by one, without a connection: many more of them a second
//   keyframe  access units for the decoders; the first byte says which
// The pieces of an input are parted by `mark`; Toolchain/testbed/seeds.py makes such inputs of the fault table's cameras.

private let mark = Array("\n%%\n".utf8)

/// Never anything but 0 (libFuzzer: "reserved for future use").
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

private let target: @Sendable ([UInt8]) -> Void = {
  // Other headers than the library's would have the product write beside FFmpeg's structures, and here alone.
  let headers = LIBAVCODEC_VERSION_MAJOR << 16 | LIBAVCODEC_VERSION_MINOR << 8 | LIBAVCODEC_VERSION_MICRO
  guard avcodec_version() == headers else {
    fatalError("compiled with the headers of another FFmpeg: \(headers), not \(avcodec_version())")
  }
  // As in Demuxer.
  av_max_alloc(64 << 20)
  notes.attachToThisThread()
  switch getenv("CAMGATE_FUZZ").map({ String(cString: $0) }) {
  case "rtsp": return fuzzRTSP
  case "rtp": return fuzzRTP
  case "keyframe": return fuzzKeyframe
  default: fatalError("CAMGATE_FUZZ is none of rtsp, rtp, keyframe")
  }
}()

// Unsafe because the class is for one thread: the fuzzer has one that calls `fuzz`.
nonisolated(unsafe) private let notes = FFmpegNotes(log: Log { _ in })
private let camera = ScriptedCamera()

private func fuzzRTSP(_ input: [UInt8]) {
  camera.play(cut(input))
  let interrupt = Interrupt()
  // A redirect may lead to a port where nobody answers.
  interrupt.setDeadline(.now() + .seconds(3))
  let login = CameraDescription.Login(username: "user", password: "password", allowsBasic: true)
  let source = RTSPSource(
    url: "rtsp://\(camera.address)/stream", login: login, transport: .tcp, largestFrame: 4_096, interrupt: interrupt,
    notes: notes, log: Log { _ in })
  if (try? source.open()) != nil {
    while (try? source.read()) != nil {}
  }
  source.close()
  camera.finish()
}

/// The demuxer for descriptions takes packets from an AVIOContext; all else is the RTSP demuxer's (libavformat/rtsp.c).
private func fuzzRTP(_ input: [UInt8]) {
  let pieces = cut(input)
  let description = PacketReader([pieces[0]], isDuplex: false)
  let packets = PacketReader(Array(pieces.dropFirst()), isDuplex: true)
  guard var context = avformat_alloc_context() else { return }
  context.pointee.pb = description.context
  var options: OpaquePointer?
  av_dict_set(&options, "sdp_flags", "custom_io", 0)
  av_dict_set(&options, "reorder_queue_size", "2", 0)
  defer { av_dict_free(&options) }
  var opened: UnsafeMutablePointer<AVFormatContext>? = context
  guard avformat_open_input(&opened, nil, av_find_input_format("sdp"), &options) >= 0, let found = opened
  else { return }
  context = found
  context.pointee.pb = packets.context
  var packet = av_packet_alloc()
  var code = CInt(0)
  while code >= 0 || (code == camgate_averror(EAGAIN) && !packets.isAtEnd) {
    code = av_read_frame(context, packet)
    av_packet_unref(packet)
  }
  av_packet_free(&packet)
  avformat_close_input(&opened)
}

private func fuzzKeyframe(_ input: [UInt8]) {
  guard let choice = input.first else { return }
  let unit = Array(input.dropFirst())
  switch choice % 5 {
  case 0: _ = unit.withUnsafeBytes { PictureInformation(keyframe: $0, codec: .h264) }
  case 1: _ = unit.withUnsafeBytes { PictureInformation(keyframe: $0, codec: .h265) }
  case let kind:
    guard let decoder = try? SoftwareDecoder(codec: kind == 2 ? .mjpeg : kind == 3 ? .h264 : .h265) else { return }
    for piece in cut(unit) { piece.withUnsafeBytes { try? decoder.decode($0, tag: 1) { _, _ in } } }
    try? decoder.drain { _, _ in }
  }
}

private func cut(_ bytes: [UInt8]) -> [[UInt8]] { split(bytes, at: mark) }

/// Not Swift's own way: the fuzzer counts each step of it.
private func split(_ bytes: [UInt8], at mark: [UInt8]) -> [[UInt8]] {
  var pieces: [[UInt8]] = []
  bytes.withUnsafeBytes { bytes in
    var (start, index) = (0, 0)
    while let base = bytes.baseAddress, let found = memchr(base + index, CInt(mark[0]), bytes.count - index) {
      index = UnsafeRawPointer(found) - base
      if bytes[index...].starts(with: mark) {
        pieces.append(Array(bytes[start..<index]))
        index += mark.count
        start = index
      } else {
        index += 1
      }
    }
    pieces.append(Array(bytes[start...]))
  }
  return pieces
}

/// Gives FFmpeg one piece with each read, and takes what it writes (receiver reports).
private final class PacketReader {
  private(set) var context: UnsafeMutablePointer<AVIOContext>?
  private let pieces: [[UInt8]]
  private var next = 0

  /// `isDuplex` for a context that is read and written: FFmpeg then passes reads on without a buffer (avio_read_partial).
  init(_ pieces: [[UInt8]], isDuplex: Bool) {
    self.pieces = pieces
    let size = 65_536
    let buffer = av_malloc(size)?.assumingMemoryBound(to: UInt8.self)
    context = avio_alloc_context(
      buffer, CInt(size), isDuplex ? 1 : 0, Unmanaged.passUnretained(self).toOpaque(),
      { opaque, buffer, size in
        guard let opaque, let buffer else { return camgate_averror_eof }
        return Unmanaged<PacketReader>.fromOpaque(opaque).takeUnretainedValue().read(into: buffer, size)
      }, { _, _, size in size }, nil)
  }

  deinit {
    av_freep(&context!.pointee.buffer)
    avio_context_free(&context)
  }

  var isAtEnd: Bool { next == pieces.count }

  private func read(into buffer: UnsafeMutablePointer<UInt8>, _ size: CInt) -> CInt {
    while next < pieces.count {
      let piece = pieces[next].prefix(Int(size))
      next += 1
      if piece.isEmpty { continue }
      piece.withUnsafeBytes { _ = memcpy(buffer, $0.baseAddress!, $0.count) }
      return CInt(piece.count)
    }
    return camgate_averror_eof
  }
}

/// An RTSP server at an address of this machine that nobody else uses; each connection gets the next piece and the end.
private final class ScriptedCamera: Sendable {
  let address: String
  private let place: sockaddr_in
  private let pieces = Monitor([[UInt8]]())

  init() {
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = inet_addr("127.8.9.10")
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    precondition(isListening, "no listening socket")
    (self.place, address) = (place, "127.8.9.10:\(UInt16(bigEndian: place.sin_port))")
    _ = Thread.start(name: "camera") { [self] in
      while true { serve(accept(listener, nil, nil)) }
    }
  }

  func play(_ pieces: [[UInt8]]) { self.pieces.withLock { $0 = pieces } }

  /// Returns once all connections were served: they are one after another, and this one is the last.
  func finish() {
    play([])
    let line = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    _ = withUnsafePointer(to: place) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(line, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    drain(line)
    close(line)
  }

  private func serve(_ line: CInt) {
    let piece = pieces.withLock { $0.isEmpty ? [] : $0.removeFirst() }
    // `{camera}` stands for this server.
    let bytes = Array(split(piece, at: Array("{camera}".utf8)).joined(separator: Array(address.utf8)))
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { send(line, $0.baseAddress! + sent, $0.count - sent, CInt(MSG_NOSIGNAL)) }
      if count <= 0 { break }
      sent += count
    }
    shutdown(line, CInt(SHUT_WR))
    drain(line)
    // No port is kept waiting behind the end.
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(line, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    close(line)
  }

  private func drain(_ line: CInt) {
    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 1) { buffer in
      while recv(line, buffer.baseAddress, buffer.count, 0) > 0 {}
    }
  }
}
