import Frames
import Glibc
import Posix
import Synchronization

@testable import Backlog

// Frames for the tests, and a random source that can be played again.

/// The seeds of random lives: 1 to `count`, fewer when CAMGATE_SEEDS is a number (under emulation), others when it is two,
/// `FIRST-LAST`.
func seeds(_ count: Int) -> ClosedRange<Int> {
  let words = getenv("CAMGATE_SEEDS").map { String(cString: $0).split(separator: "-").compactMap { Int($0) } } ?? []
  return words.count == 2 ? words[0]...words[1] : 1...min(count, words.first ?? count)
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// Counts the bytes of payloads that somebody still holds.
final class LiveBytes: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .relaxed) }

  func payload(byteCount: Int) -> Payload {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    count.add(byteCount, ordering: .relaxed)
    return Payload(adopting: UnsafeRawBufferPointer(memory)) {
      memory.deallocate()
      self.count.subtract(byteCount, ordering: .relaxed)
    }
  }
}

func frame(
  _ payload: Payload, isKeyframe: Bool = true, captureTime: Int64 = 0, gap: Gap? = nil
) -> Frame {
  Frame(
    codec: .h264, payload: payload, isKeyframe: isKeyframe, captureTime: captureTime, clock: .gateway, pts: 0,
    width: 640, height: 480, gap: gap)
}

func frame(byteCount: Int, isKeyframe: Bool = true, captureTime: Int64 = 0, gap: Gap? = nil) -> Frame {
  frame(
    Payload([UInt8](repeating: 0, count: byteCount)), isKeyframe: isKeyframe, captureTime: captureTime, gap: gap)
}

let front = Lane(index: 0)
let back = Lane(index: 1)

extension MemoryQueue {
  /// Appends a frame when time does not matter.
  mutating func append(_ frame: Frame, to lane: Lane) { append(frame, to: lane, now: MonotonicTime(nanoseconds: 0)) }
}
