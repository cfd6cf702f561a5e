import Backlog
import Capture
import Delivery
import Frames
import Posix

// What the log says of a running gateway besides the changes of its parts: drops as they begin, and a summary now and
// then. A value without a clock, so that a test can play a day.

/// Turns snapshots into lines of the log.
package struct GatewayReporter {
  /// A line to log.
  package enum Line: Equatable {
    case info(String)
    case warning(String)
  }

  /// How often a summary is written.
  static let summaryInterval = Duration.seconds(60)
  /// How long a camera that goes on dropping is not mentioned again.
  static let dropInterval = Duration.seconds(60)

  private var lastSummary: MonotonicTime
  private var lastAcknowledged: UInt64 = 0
  private var reportedDrops: [CameraName: (counts: DropCounts, time: MonotonicTime)] = [:]

  package init(now: MonotonicTime) { lastSummary = now }

  /// What is to be said of `snapshot`; call about once a second.
  package mutating func lines(for snapshot: GatewaySnapshot, now: MonotonicTime) -> [Line] {
    var lines = drops(in: snapshot, now: now, interval: GatewayReporter.dropInterval)
    if now - lastSummary >= GatewayReporter.summaryInterval {
      let acknowledged = snapshot.delivery.acknowledgedCount
      let rate = Double(acknowledged - lastAcknowledged) / (now - lastSummary).inSeconds
      let streaming = snapshot.cameras.count { if case .streaming = $0.state { true } else { false } }
      lines.append(
        .info(
          "\(streaming) of \(counted(snapshot.cameras.count, "camera")) streaming; \(snapshot.capturedCount) frames captured, "
            + "\(acknowledged) acknowledged (\(tenths(rate)) a second), \(snapshot.waitingCount) waiting "
            + "(\(snapshot.diskCount) of them on disk), \(snapshot.droppedCount) dropped; \(snapshot.memoryBytes >> 10) KiB in memory"
            + latency(snapshot.delivery.liveLatency) + quarantine(snapshot.delivery.quarantine)
            + silence(snapshot.diskSilence)))
      (lastSummary, lastAcknowledged) = (now, acknowledged)
    }
    return lines
  }

  /// Cards stall for moments, and that is nothing to be said.
  private func silence(_ duration: Duration) -> String {
    duration < .seconds(5) ? "" : "; disk silent for \(duration.components.seconds) s"
  }

  /// The drops that were not mentioned yet, for the end.
  package mutating func remainingDrops(in snapshot: GatewaySnapshot, now: MonotonicTime) -> [Line] {
    drops(in: snapshot, now: now, interval: .zero)
  }

  /// What was dropped since it was last mentioned, of cameras that were not mentioned for `interval`.
  private mutating func drops(in snapshot: GatewaySnapshot, now: MonotonicTime, interval: Duration) -> [Line] {
    var lines: [Line] = []
    for camera in snapshot.cameras {
      let reported = reportedDrops[camera.name]
      guard camera.drops != reported?.counts ?? [:] else { continue }
      if let reported, now - reported.time < interval { continue }
      let new = camera.drops.filter { $0.value > reported?.counts[$0.key] ?? 0 }
      // A camera that is back after its settings changed counts its drops from zero.
      guard !new.isEmpty else {
        reportedDrops[camera.name]?.counts = camera.drops
        continue
      }
      let text = new.sorted { $0.key.rawValue < $1.key.rawValue }
        .map { "\($0.value - (reported?.counts[$0.key] ?? 0)) frames (\($0.key.rawValue): \(remedy(for: $0.key)))" }
      lines.append(.warning("camera \(camera.name): dropped \(text.joined(separator: ", "))"))
      reportedDrops[camera.name] = (camera.drops, now)
    }
    return lines
  }

  private func remedy(for reason: Gap.Reason) -> String {
    switch reason {
    case .overload: "buffer.memory is full because Kafka, and the disk, take less than the cameras give"
    case .oversize: "larger than buffer.memory, with a ring a quarter of it, or 4096 records"
    case .limited: "more than the camera's limits allow"
    case .evicted: "the ring is full, buffer.size, because Kafka was away for so long"
    case .thinned: "only keyframes are kept, buffer.thin_above"
    case .damaged: "cannot be read back from disk"
    case .quarantined: "refused by Kafka for good"
    default: "see the log"
    }
  }

  /// How long frames took to Kafka that did not have to wait.
  private func latency(_ histogram: LatencyHistogram) -> String {
    guard let median = histogram.quantile(0.5), let most = histogram.quantile(0.99) else { return "" }
    let milliseconds = { (duration: Duration) in Int((duration.inSeconds * 1_000).rounded()) }
    return "; acknowledged \(milliseconds(median)) ms after they came, 99 of 100 within \(milliseconds(most)) ms"
  }

  private func quarantine(_ count: Quarantine.Count) -> String {
    if count == Quarantine.Count() { return "" }
    return "; refused for good: \(count.kept) frames kept, \(count.notKept) not"
  }

  private func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
