import Gateway
import Posix

// What the demonstration has shown: on one changing line while it runs, and at its end.

/// The line that changes while the demonstration runs; on standard error, so that standard output is the result alone.
final class DemoProgress: Sendable {
  private let isTerminal = Terminal.standardErrorIsTerminal
  private let lastShown = Monitor<MonotonicTime?>(nil)

  /// A line that stays.
  func say(_ line: String) {
    Terminal.endProgress()
    Terminal.writeError(message: line)
  }

  /// The line that changes; every two seconds where there is no terminal.
  func show(_ snapshot: GatewaySnapshot, _ readers: [DemoReader], note: String) {
    let now = MonotonicTime.now()
    let isDue = lastShown.withLock { last in
      if !isTerminal, let shown = last, now - shown < .seconds(2) { return false }
      last = now
      return true
    }
    guard isDue else { return }
    var line = "captured \(snapshot.capturedCount)  acknowledged \(snapshot.delivery.acknowledgedCount)  "
    line += "in memory \(snapshot.waitingCount + snapshot.delivery.inFlightCount)"
    for reader in readers {
      let counts = reader.counts
      line += "  \(reader.group): \(counts.frameCount) (mean pixel \(hundredths(counts.lastMeanPixel)))"
    }
    if !note.isEmpty { line += "  \(note)" }
    Terminal.showProgress(line)
  }

  /// Leaves the changing line.
  func end() { if isTerminal { Terminal.writeError("\n") } }
}

/// The result.
struct DemoSummary {
  private let capturedCount: Int
  private let acknowledgedCount: Int
  private let groups: [(name: String, counts: DemoReader.Counts)]

  /// Waits for the readers to have read what was acknowledged; gives up on one that has read nothing for `patience`. (A
  /// slow machine is behind by more than that when Kafka comes back, and loses nothing.)
  init(_ snapshot: GatewaySnapshot, readers: [DemoReader], patience: Duration) {
    let acknowledged = Int(snapshot.delivery.acknowledgedCount)
    (capturedCount, acknowledgedCount) = (Int(snapshot.capturedCount), acknowledged)
    for reader in readers {
      var count: Int
      repeat {
        count = reader.counts.frameCount
      } while !reader.wait(until: .now() + patience, for: { $0.frameCount >= acknowledged })
        && reader.counts.frameCount > count
    }
    groups = readers.map { ($0.group, $0.counts) }
  }

  /// Frames that were captured and did not reach Kafka, or not some reader.
  private var lostCount: Int {
    max(0, capturedCount - min(acknowledgedCount, groups.map(\.counts.frameCount).min() ?? 0))
  }
  private var duplicateCount: Int { groups.map(\.counts.duplicateCount).max() ?? 0 }
  private var repeatedCount: Int { groups.map(\.counts.repeatedCount).max() ?? 0 }

  var isGood: Bool { lostCount == 0 && duplicateCount == 0 && capturedCount > 0 }

  var json: JSONObject {
    var object = JSONObject()
    object.add("captured", capturedCount)
    object.add("acknowledged", acknowledgedCount)
    object.add("lost", lostCount)
    object.add("repeated", repeatedCount)
    object.add("duplicates", duplicateCount)
    object.add(
      "groups",
      groups.map { name, counts in
        var group = JSONObject()
        group.add("group", name)
        group.add("frames", counts.frameCount)
        group.add("meanPixel", (counts.meanPixel * 100).rounded() / 100)
        return group
      })
    return object
  }

  var table: String {
    var rows = [
      ("captured", "\(capturedCount)"), ("acknowledged", "\(acknowledgedCount)"), ("lost", "\(lostCount)"),
      ("repeated in the topic", "\(repeatedCount)"), ("processed twice", "\(duplicateCount)"),
    ]
    for (name, counts) in groups {
      rows.append(("reader \(name)", "\(counts.frameCount) frames, mean pixel \(hundredths(counts.meanPixel))"))
    }
    let width = rows.map(\.0.count).max() ?? 0
    let lines = rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + "  " + $0.1 }
    let verdict = isGood ? "Every frame arrived, once." : "Frames were lost or processed twice."
    return (lines + [verdict]).joined(separator: "\n")
  }
}

/// A number with two digits behind the point.
func hundredths(_ value: Double) -> String {
  let hundredths = Int((value * 100).rounded())
  return "\(hundredths / 100).\(padded(hundredths % 100, 2))"
}
