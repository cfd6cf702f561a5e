import Frames
import Posix

// What a source hands out: one access unit or one JPEG, before Camgate has judged it.

/// A coded picture as it came from a source.
struct SourcePacket {
  /// Annex B access unit, or a JPEG.
  var payload: Payload
  /// Media times in nanoseconds; nil where the source does not say.
  var pts: Int64?
  var dts: Int64?
  /// The presentation time of the access unit behind it, where the source has seen it already.
  var followingPts: Int64?
  /// When it arrived.
  var arrival: ClockReading
  /// What the camera's clock says more than its media time (RTCP sender reports): with it, `pts` is nanoseconds since 1970.
  var cameraOffset: Int64?
  /// Whether it, or what is right in front of it, may be incomplete.
  var isSuspect = false
  /// Whether the source itself calls it damaged; its payload is not to be used.
  var isDamaged = false
  /// Pictures right in front of it that the source has counted and left out.
  var missingCount: UInt64 = 0
  /// Pictures right in front of it that had more bytes than they may and were left out.
  var oversizeCount: UInt64 = 0
}

/// What a source delivers once it is open.
struct SourceStream: Sendable {
  var codec: Codec
  /// Parameter sets known beforehand (SDP), Annex B; empty when there are none.
  var parameterSets: [UInt8] = []
  /// Tracks that are not used, e.g. "audio (aac)".
  var ignoredTracks: [String] = []
  /// How it comes, where that is a matter of choice.
  var transport: CameraDescription.RTSPTransport?
  /// What is worth a line in the log, and what is not as it was asked for.
  var remarks: [String] = []
  var warnings: [String] = []

  /// The size of its pictures, e.g. `640x360`, where that is known beforehand.
  var announcedSize: String? {
    parameterSets.withUnsafeBytes { bytes in
      NALUnitSequence(bytes, codec: codec).lazy.filter { $0.kind == .sequenceParameterSet }
        .compactMap { SequenceParameterSet($0, codec: codec) }.first.map { "\($0.width)x\($0.height)" }
    }
  }
}

/// Packets that came on a connection, as RTSP knows them.
struct Arrivals: Equatable {
  /// Of the picture's track.
  var media: Int64
  /// Reports (RTCP).
  var reports: Int64
  /// Of no track that was asked for.
  var foreign: Int64
}

/// One kind of camera. Used by one thread; `open`, then `read` until it throws, then `close`; then perhaps again.
protocol Source: AnyObject {
  /// Connects. Returns by the interrupt's deadline.
  func open() throws(CaptureError) -> SourceStream
  /// The next packet. Returns by the interrupt's deadline.
  func read() throws(CaptureError) -> SourcePacket
  /// What came since `open`; nil where it is not counted.
  var arrivals: Arrivals? { get }
  /// Says goodbye and releases everything; may be called at any time, also twice.
  func close()
}

extension Source {
  var arrivals: Arrivals? { nil }
}
