import Frames
import Testing

@testable import Capture

/// Keyframes that come slice by slice.
@Suite struct PictureJoinerTests {
  private static let sets = NAL.stream(NAL.sps(1), NAL.pps(2))
  private static let first = NAL.stream(sets, NAL.idr(3))
  private static let later = NAL.stream(sets, NAL.laterSlice(4, header: 0x65, isIntra: true))
  private static let picture = NAL.stream(NAL.slice(5), NAL.laterSlice(6), NAL.laterSlice(7))

  /// What comes of packets, each with its time, up to the end.
  private func pictures(_ packets: [([UInt8], Int64?)]) -> [[UInt8]] {
    var (joiner, index, result) = (PictureJoiner(codec: .h264), 0, [[UInt8]]())
    do throws(CaptureError) {
      while true {
        let picture = try joiner.next { () throws(CaptureError) in
          guard index < packets.count else { throw CaptureError(.ended, "the end") }
          defer { index += 1 }
          return packet(packets[index].0, pts: packets[index].1)
        }
        result.append(picture.payload.array)
      }
    } catch {
      return result
    }
  }

  @Test func piecesOfAKeyframeAreJoined() {
    let whole = NAL.stream(Self.first, Self.later, Self.later)
    let came: [([UInt8], Int64?)] = [
      (Self.picture, 1), (Self.first, 2), (Self.later, 2), (Self.later, 2), (Self.picture, 3), (Self.picture, 4),
    ]
    #expect(pictures(came) == [Self.picture, whole, Self.picture, Self.picture])
  }

  @Test func aConnectionsFirstKeyframeIsJoined() {
    let whole = NAL.stream(Self.first, Self.later)
    let came: [([UInt8], Int64?)] = [(Self.first, 1), (Self.later, 1), (Self.picture, 2), (Self.picture, 3)]
    #expect(pictures(came) == [whole, Self.picture, Self.picture])
  }

  @Test func keyframesWithoutOtherPicturesAreJoined() {
    let whole = NAL.stream(Self.first, Self.later)
    let came: [([UInt8], Int64?)] = [
      (Self.first, 1), (Self.later, 1), (Self.first, 2), (Self.later, 2), (Self.first, 3),
    ]
    #expect(pictures(came) == [whole, whole])
  }

  @Test func othersAreLeftAlone() {
    // Other times; no times; a keyframe with as many slices.
    let apart: [([UInt8], Int64?)] = [(Self.picture, 1), (Self.first, 2), (Self.later, 3), (Self.picture, 4)]
    let timeless = [Self.picture, Self.first, Self.later, Self.picture].map { ($0, nil as Int64?) }
    let single: [([UInt8], Int64?)] = [(NAL.slice(1), 1), (Self.first, 2), (NAL.slice(3), 3)]
    for packets in [apart, timeless, single] { #expect(pictures(packets) == packets.map(\.0)) }
  }
}
