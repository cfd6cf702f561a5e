import Frames
import Testing

@testable import Backlog

/// Random lives of the memory queue, compared with the model after every step.
@Suite struct QueuePropertyTests {
  @Test(arguments: seeds(300))
  func theQueueDoesWhatTheModelDoes(seed: Int) throws {
    var life = try QueueLife(seed: UInt64(seed))
    for step in 1...300 {
      life.step()
      if let difference = life.difference {
        Issue.record("seed \(seed), step \(step), \(life.lastOperation): \(difference)")
        return
      }
    }
    life.empty()
    #expect(life.difference == nil, "seed \(seed), emptied")
    #expect(life.queue.byteCount == 0, "seed \(seed)")
    #expect(life.live.value == 0, "seed \(seed): the queue still holds payloads that have left")
  }
}

private struct QueueLife {
  var random: SeededRandom
  var queue: MemoryQueue
  var model: QueueModel
  let live = LiveBytes()
  let budget: Int
  let laneCount: Int
  /// Taken entries by lane, in the order they were taken.
  var taken: [[Entry]]
  var clock: Int64 = 0
  var complaint: String?
  private(set) var lastOperation = ""

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    laneCount = Int.random(in: 1...3, using: &random)
    budget = Int.random(in: 4...40, using: &random) * 1_024
    let largest = Int.random(in: 1_000...budget, using: &random)
    queue = MemoryQueue(laneCount: laneCount, byteBudget: budget, largestFrame: largest)
    model = QueueModel(laneCount: laneCount, byteBudget: budget, largestFrame: largest)
    taken = Array(repeating: [], count: laneCount)
  }

  /// What is wrong; nil when all is well.
  var difference: String? {
    if let complaint { return complaint }
    if queue.byteCount > budget { return "\(queue.byteCount) bytes, \(budget) allowed" }
    if queue.byteCount != model.byteCount { return "\(queue.byteCount) bytes, not \(model.byteCount)" }
    if live.value > queue.byteCount { return "\(live.value) bytes are held, \(queue.byteCount) are counted" }
    if queue.waitingCount != model.waitingCount { return "\(queue.waitingCount) wait, not \(model.waitingCount)" }
    for lane in 0..<laneCount where queue.drops(in: Lane(index: lane)) != model.lanes[lane].drops {
      return "lane \(lane) dropped \(queue.drops(in: Lane(index: lane))), not \(model.lanes[lane].drops)"
    }
    return nil
  }

  mutating func step() {
    let lane = Int.random(in: 0..<laneCount, using: &random)
    switch Int.random(in: 0..<100, using: &random) {
    case ..<50: append(to: lane)
    case ..<75: take()
    case ..<88: acknowledge(lane)
    case ..<95: putBack(lane)
    default: quarantine(lane)
    }
  }

  private mutating func append(to lane: Int) {
    clock += 1
    var gap: Gap?
    if random.chance(10) { gap = Gap(frameCount: .random(in: 1...5, using: &random), reason: .damaged) }
    if random.chance(5) { gap = Gap(frameCount: nil, reason: random.chance(50) ? .network : .camera) }
    let byteCount =
      random.chance(5) ? Int.random(in: 0...50_000, using: &random) : .random(in: 0...3_000, using: &random)
    lastOperation = "append \(byteCount) bytes to lane \(lane)"
    let new = frame(
      live.payload(byteCount: byteCount), isKeyframe: random.chance(25), captureTime: clock, gap: gap)
    queue.append(new, to: Lane(index: lane))
    model.append(new, to: lane)
  }

  private mutating func take() {
    let open = (0..<laneCount).filter { _ in random.chance(80) }
    lastOperation = "take from the lanes \(open)"
    let entry = queue.take { open.contains($0.lane.index) }
    let expected = model.nextLane { open.contains($0) }
    guard let entry, let expected else {
      if entry != nil || expected != nil { complaint = "took \(entry == nil ? "nothing" : "a frame")" }
      return
    }
    let head = model.lanes[expected].waiting[0]
    if entry.lane.index != expected || entry.sequence != head.sequence {
      complaint = "took \(entry.sequence) of lane \(entry.lane.index), not \(head.sequence) of lane \(expected)"
      return
    }
    var gap = entry.frame.gap
    gap?.duration = nil
    let expectedGap = model.lanes[expected].gap(before: head.sequence)
    if gap != expectedGap {
      complaint = "frame \(head.sequence): gap \(String(describing: gap)), not \(String(describing: expectedGap))"
    }
    model.lanes[expected].setTaken(head.sequence, true)
    taken[expected].append(entry)
  }

  private mutating func acknowledge(_ lane: Int) {
    lastOperation = "acknowledge in lane \(lane)"
    guard !taken[lane].isEmpty else { return }
    queue.finish(taken[lane].removeFirst())
    model.acknowledgeOldest(of: lane)
  }

  private mutating func putBack(_ lane: Int) {
    lastOperation = "put back all of lane \(lane)"
    for entry in taken[lane] { model.lanes[lane].setTaken(entry.sequence, false) }
    queue.putBack(taken[lane])
    taken[lane] = []
  }

  /// A frame that was sent alone is refused for good.
  private mutating func quarantine(_ lane: Int) {
    lastOperation = "quarantine in lane \(lane)"
    guard taken[lane].count == 1 else { return }
    let entry = taken[lane].removeFirst()
    queue.finish(entry, dropped: .quarantined)
    model.lanes[lane].drop(entry.sequence, .quarantined)
  }

  /// Sends and acknowledges everything.
  mutating func empty() {
    lastOperation = "empty"
    while let entry = queue.take(where: { _ in true }) {
      model.lanes[entry.lane.index].setTaken(entry.sequence, true)
      taken[entry.lane.index].append(entry)
    }
    for lane in 0..<laneCount { while !taken[lane].isEmpty { acknowledge(lane) } }
  }
}
