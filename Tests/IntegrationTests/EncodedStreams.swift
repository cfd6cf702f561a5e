import Foundation
import Frames
import Glibc
import Testing

/// A short stream of an encoder whose keyframes are not all plain.
struct EncodedStream: Sendable {
  var name: String
  var codec: Codec
  var parameters: String
  /// What its keyframes must be, in words for the table.
  var shows: String

  /// What x264 and x265 make. Field pictures are not among them: no encoder here makes any.
  static let all: [EncodedStream] = [
    x264("closed", "bframes=0", "IDR"),
    x264("b-pyramid", "bframes=3:b-pyramid=normal", "IDR"),
    x264("open-gop", "open-gop=1:bframes=3:b-pyramid=normal", "IDR, then recovery points of 0 with leading pictures"),
    x264("mbaff", "interlaced=1:open-gop=1:bframes=2", "the same, in macroblock pairs of fields"),
    x264("slices", "slices=4:open-gop=1:bframes=2", "the same, in four slices"),
    x264("intra-refresh", "intra-refresh=1:bframes=0", "one IDR, then recovery points with `ce_recovery`"),
    x264("intra-refresh-b", "intra-refresh=1:bframes=2", "the same, with B pictures"),
    x264("i-slices", "keyint=40:min-keyint=39:scenecut=40:bframes=0", "IDR; I pictures in between are none"),
    x265("closed-h265", "open-gop=0:bframes=0", "IDR"),
    x265("b-pyramid-h265", "open-gop=0:bframes=4:b-pyramid=1", "IDR"),
    x265("cra", "open-gop=1:bframes=4:b-pyramid=1", "CRA with RASL pictures"),
    x265("radl", "open-gop=0:bframes=3:radl=2", "IDR with RADL pictures"),
    x265("slices-h265", "open-gop=1:bframes=2:slices=3", "CRA with RASL pictures, in three slices"),
    x265("temporal-layers", "open-gop=1:bframes=4:b-pyramid=1:temporal-layers=1", "CRA with RASL pictures"),
    x265("intra-refresh-h265", "intra-refresh=1:bframes=0", "one IDR"),
  ]

  private static func x264(_ name: String, _ parameters: String, _ shows: String) -> EncodedStream {
    let common = "aud=1:repeat-headers=1:keyint=27:scenecut=0:b-adapt=0:ref=5:"
    return EncodedStream(
      name: name, codec: .h264, parameters: "-c:v libx264 -x264-params \(common)\(parameters)", shows: shows)
  }

  private static func x265(_ name: String, _ parameters: String, _ shows: String) -> EncodedStream {
    let common = "aud=1:repeat-headers=1:keyint=27:scenecut=0:b-adapt=0:ref=5:log-level=error:"
    return EncodedStream(
      name: name, codec: .h265, parameters: "-c:v libx265 -x265-params \(common)\(parameters)", shows: shows)
  }

  /// For two of 23 pictures the other way round: cuts, after which an encoder refers to what was before them.
  private static let source =
    "testsrc2=s=192x160:r=25,hflip=enable='lt(mod(n,23),2)',negate=enable='lt(mod(n,23),2)'"

  /// Encodes it into a folder: the path of the file, raw with a delimiter before every picture.
  func encode(into folder: String, frameCount: Int) throws -> String {
    let path = "\(folder)/\(name).\(codec == .h265 ? "hevc" : "h264")"
    let command =
      "ffmpeg -nostdin -v error -y -f lavfi -i \"\(EncodedStream.source)\" -frames:v \(frameCount) -pix_fmt yuv420p "
      + "-preset veryfast -threads 1 \(parameters) \(path)"
    try #require(system(command) == 0, "\(name): this test needs ffmpeg with libx264 and libx265")
    return path
  }
}
