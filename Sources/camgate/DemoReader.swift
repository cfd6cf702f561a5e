import Broker
import Consuming
import Posix

// One reader of the demonstration: a thread with a consumer in a group of its own that prints nothing and counts all.

/// Reads everything in a topic and computes average pixels.
final class DemoReader: Sendable {
  /// What was read so far.
  struct Counts: Sendable {
    var frameCount = 0
    var pixelSum = 0.0
    var lastMeanPixel = 0.0
    /// Frames processed twice.
    var duplicateCount = 0
    /// Records that lay in the topic twice.
    var repeatedCount = 0
    var hasPartitions = false
    var seen: Set<String> = []

    var meanPixel: Double { frameCount == 0 ? 0 : pixelSum / Double(frameCount) }
  }

  let group: String
  private let state = Monitor(Counts())
  private let isStopping = Monitor(false)
  private let thread = Monitor<Thread?>(nil)

  init(group: String) { self.group = group }

  var counts: Counts { state.read { $0 } }

  func start(brokers: String, topic: String, log: Log) throws(BrokerError) {
    let consumer = try Consumer(
      brokers: brokers, group: group, topic: topic, from: .beginning, properties: Demo.clientProperties,
      onEvent: { _ in })
    let handOver = Monitor<Consumer?>(consumer)
    let thread = Thread.start(name: "reader-\(group)") { [self] in
      guard let consumer = handOver.withLock({ $0.take() }) else { return }
      let processor = AveragePixel { [self] frame, mean in
        state.withLock { counts in
          if !counts.seen.insert("\(frame.source) \(frame.id.text)").inserted { counts.duplicateCount += 1 }
          counts.frameCount += 1
          counts.pixelSum += mean
          counts.lastMeanPixel = mean
        }
      }
      let reader = FrameReader(consumer: consumer, processor: processor, log: log) { _ in true }
      while !isStopping.read({ $0 }) {
        reader.step(milliseconds: 100)
        let (repeated, hasPartitions) = (reader.statistics.repeatedCount, !reader.partitions.isEmpty)
        state.withLock { ($0.repeatedCount, $0.hasPartitions) = (repeated, hasPartitions) }
      }
      reader.finish()
    }
    self.thread.withLock { $0 = thread }
  }

  /// Waits for `condition`; false when it did not come true until `deadline`.
  func wait(until deadline: MonotonicTime, for condition: (Counts) -> Bool) -> Bool {
    state.wait(until: deadline) { condition($0) ? true : nil } ?? false
  }

  func stop() {
    isStopping.withLock { $0 = true }
    thread.read { $0 }?.join()
  }
}
