import Frames

@testable import Backlog

// What the memory queue promises, said as simply as possible: a lane is a list of frames and holes, and a frame that is
// dropped becomes a hole. Slow, and without any of the queue's bookkeeping.

struct QueueModel {
  struct Picture {
    var sequence: UInt64
    var arrival: Int
    var byteCount: Int
    var isKeyframe: Bool
    var isTaken = false
  }

  enum Piece {
    case picture(Picture)
    case hole(count: UInt64?, reason: Gap.Reason)

    var picture: Picture? { if case .picture(let picture) = self { picture } else { nil } }
  }

  struct LaneModel {
    /// Everything behind the newest frame that left, in order.
    var pieces: [Piece] = []
    var nextSequence: UInt64 = 1
    var skipReason: Gap.Reason?
    var drops: DropCounts = [:]

    var pictures: [Picture] { pieces.compactMap(\.picture) }
    var waiting: [Picture] { pictures.filter { !$0.isTaken } }
    var taken: [Picture] { pictures.filter(\.isTaken) }

    /// What the frame with this number must say is missing in front of it.
    func gap(before sequence: UInt64) -> Gap? {
      var holes: [(count: UInt64?, reason: Gap.Reason)] = []
      for piece in pieces {
        switch piece {
        case .hole(let count, let reason): holes.append((count, reason))
        case .picture(let picture) where picture.sequence == sequence:
          guard let last = holes.last else { return nil }
          if let unknown = holes.first(where: { $0.count == nil }) {
            return Gap(frameCount: nil, reason: unknown.reason)
          }
          return Gap(frameCount: holes.reduce(0) { $0 + $1.count! }, reason: last.reason)
        case .picture: holes = []
        }
      }
      return nil
    }

    mutating func drop(_ sequence: UInt64, _ reason: Gap.Reason) {
      guard let index = pieces.firstIndex(where: { $0.picture?.sequence == sequence }) else { return }
      pieces[index] = .hole(count: 1, reason: reason)
      drops[reason, default: 0] += 1
    }

    mutating func setTaken(_ sequence: UInt64, _ isTaken: Bool) {
      for index in pieces.indices {
        guard var picture = pieces[index].picture, picture.sequence == sequence else { continue }
        picture.isTaken = isTaken
        pieces[index] = .picture(picture)
      }
    }
  }

  let byteBudget: Int
  let largestFrame: Int
  var lanes: [LaneModel]
  private var arrivals = 0

  init(laneCount: Int, byteBudget: Int, largestFrame: Int) {
    (self.byteBudget, self.largestFrame) = (byteBudget, largestFrame)
    lanes = Array(repeating: LaneModel(), count: laneCount)
  }

  var byteCount: Int { lanes.reduce(0) { $1.pictures.reduce($0) { $0 + $1.byteCount + Entry.overhead } } }
  var waitingCount: Int { lanes.reduce(0) { $0 + $1.waiting.count } }

  mutating func append(_ frame: Frame, to lane: Int) {
    if let gap = frame.gap { lanes[lane].pieces.append(.hole(count: gap.frameCount, reason: gap.reason)) }
    let sequence = lanes[lane].nextSequence + (frame.gap?.frameCount ?? 0)
    lanes[lane].nextSequence = sequence + 1
    let picture = Picture(
      sequence: sequence, arrival: arrivals, byteCount: frame.payload.byteCount, isKeyframe: frame.isKeyframe)
    arrivals += 1
    let needed = picture.byteCount + Entry.overhead
    var refusal: Gap.Reason? = picture.byteCount > largestFrame || needed > byteBudget ? .oversize : nil
    while refusal == nil {
      if !picture.isKeyframe, let reason = lanes[lane].skipReason {
        refusal = reason
      } else if byteCount + needed <= byteBudget {
        break
      } else if !dropOldestGOP(for: lane, needed) {
        refusal = .overload
      }
    }
    if let refusal {
      lanes[lane].pieces.append(.hole(count: 1, reason: refusal))
      lanes[lane].drops[refusal, default: 0] += 1
    } else {
      lanes[lane].pieces.append(.picture(picture))
    }
    lanes[lane].skipReason = refusal
  }

  /// Lanes with more than an equal share drop first.
  private mutating func dropOldestGOP(for newcomer: Int, _ needed: Int) -> Bool {
    let heads = lanes.indices.compactMap { index in lanes[index].waiting.first.map { (index, $0.arrival) } }
    var bytes = lanes.map { $0.pictures.reduce(0) { $0 + $1.byteCount + Entry.overhead } }
    bytes[newcomer] += needed
    let share = byteBudget / bytes.count { $0 > 0 }
    let above = heads.filter { bytes[$0.0] > share }
    guard let lane = (above.isEmpty ? heads : above).min(by: { $0.1 < $1.1 })?.0 else { return false }
    let waiting = lanes[lane].waiting
    let group = waiting.prefix(1) + waiting.dropFirst().prefix { !$0.isKeyframe }
    for picture in group { lanes[lane].drop(picture.sequence, .overload) }
    if group.count == waiting.count { lanes[lane].skipReason = .overload }
    return true
  }

  /// The lane whose frame is handed out next.
  func nextLane(where isOpen: (Int) -> Bool) -> Int? {
    lanes.indices.filter { isOpen($0) && !lanes[$0].waiting.isEmpty }
      .min { lanes[$0].waiting[0].arrival < lanes[$1].waiting[0].arrival }
  }

  /// The oldest taken frame of a lane left for good, and with it what was in front of it.
  mutating func acknowledgeOldest(of lane: Int) {
    let index = lanes[lane].pieces.firstIndex { $0.picture?.isTaken == true }
    if let index { lanes[lane].pieces.removeFirst(index + 1) }
  }
}
