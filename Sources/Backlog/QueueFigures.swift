import DiskRing
import Frames
import Posix

// What can be said of the queue at a moment: how much waits where, what presses, and which frames a crash would take.

extension MemoryQueue {
  /// Frames that are on disk only.
  var diskCount: Int { lanes.reduce(0) { $0 + ($1.span?.count ?? 0) } }

  /// What the spill policy wants to know.
  var pressure: SpillPolicy.Pressure {
    var pressure = SpillPolicy.Pressure(byteCount: byteCount)
    for lane in lanes {
      if lane.span != nil || lane.readBackBytes > 0 { pressure.needsDisk = true }
      let slots = [lane.oldest, lane.oldestUnwritten]
      pressure.oldest = [pressure.oldest, slots[0]?.arrival].compactMap { $0 }.min()
      pressure.oldestUnwritten = [pressure.oldestUnwritten, slots[1]?.arrival].compactMap { $0 }.min()
    }
    return pressure
  }

  /// Whether every frame in memory is safe on disk.
  var isSecured: Bool { lanes.allSatisfy { $0.unsecuredCount(durableTicket) == 0 } }

  /// Up to here all frames of a camera are finished, dropped and counted, or safe on disk, whichever of its two lanes they
  /// went into; nil while nothing is known, and for the lane of what had to wait.
  func securedThrough(_ lane: Int) -> FrameNumber? {
    let behind = lanes[lane].backfillLane
    guard !lanes[lane].sharesNumbers || behind != nil else { return nil }
    let both = [lane, behind].compactMap { $0 }
    let limit = both.compactMap { lanes[$0].oldestUnsecured(durableTicket) }.min()
    return both.compactMap { lanes[$0].newest(before: limit) }.max()
  }

  /// Whether something is missing that no frame on disk tells.
  var hasUntold: Bool { lanes.contains { $0.gap != nil || $0.gapBehindFront != nil } }

  /// Frames that are not finished: how many of them are safe on disk, and how many are not.
  var unfinished: (onDisk: Int, inMemory: Int) {
    lanes.reduce((0, 0)) { sum, lane in
      let lost = lane.unsecuredCount(durableTicket)
      return (sum.0 + (lane.span?.count ?? 0) + lane.memoryCount - lost, sum.1 + lost)
    }
  }
}

extension LaneQueue {
  /// The oldest frame in memory that is not finished and did not come back from disk.
  var oldest: Slot? {
    for index in 0..<front.count where front[index].entry != nil && !front[index].isReadBack { return front[index] }
    return back.first
  }

  fileprivate var oldestUnwritten: Slot? {
    var index = LaneQueue.firstIndex(in: front, behind: writtenThrough)
    while index < front.count {
      if front[index].entry != nil { return front[index] }
      index += 1
    }
    index = LaneQueue.firstIndex(in: back, behind: writtenThrough)
    return index < back.count ? back[index] : nil
  }

  /// Frames in memory that are not finished.
  fileprivate var memoryCount: Int {
    (0..<front.count).count { front[$0].entry != nil } + back.count
  }

  /// How many of them a crash would take.
  fileprivate func unsecuredCount(_ durable: Ticket) -> Int {
    (0..<front.count).count { front[$0].isUnsecured(durable) }
      + (0..<back.count).count { back[$0].isUnsecured(durable) }
  }

  /// The oldest frame in memory that a crash would take.
  fileprivate func oldestUnsecured(_ durable: Ticket) -> FrameNumber? {
    for slots in [front, back] {
      for index in 0..<slots.count where slots[index].isUnsecured(durable) { return slots[index].number }
    }
    return nil
  }

  /// The newest frame in front of `limit` that it has or had.
  fileprivate func newest(before limit: FrameNumber?) -> FrameNumber? {
    var last = watermark.flatMap { $0.number == .beforeAll ? nil : $0.number }
    if let limit, let number = last, number >= limit { last = nil }
    for slots in [front, back] {
      var end = slots.count
      if let limit {
        let before = FrameNumber(epoch: limit.epoch, sequence: max(limit.sequence, 1) - 1)
        end = LaneQueue.firstIndex(in: slots, behind: before)
      }
      if end > 0 { last = slots[end - 1].number }
    }
    return last
  }
}

extension Slot {
  /// A crash would take it: it is not finished, and no sync has made it stay on disk.
  fileprivate func isUnsecured(_ durable: Ticket) -> Bool { entry != nil && place.map { $0.ticket > durable } ?? true }
}
