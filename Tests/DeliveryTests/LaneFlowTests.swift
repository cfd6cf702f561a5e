import Broker
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// What becomes of the records of a lane, as a table.
@Suite struct LaneFlowTests {
  enum Step {
    case send(UInt64)
    case acknowledge(UInt64)
    case fail(UInt64, BrokerError.Disposition)
    /// Time passes, in seconds.
    case wait(Int)
    /// Asks whether this record may be sent.
    case ask(UInt64)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    /// What is done, and what must come of it.
    let steps: [(step: Step, outcome: String)]

    var testDescription: String { name }
  }

  static let rows = [
    Row(
      name: "acknowledged records are finished, in whatever order",
      steps: [
        (.send(1), ""), (.send(2), ""), (.acknowledge(2), "finish 2"), (.acknowledge(1), "finish 1"), (.ask(3), "yes"),
      ]),
    Row(
      name: "a failed record goes back when nothing is under way any more, and nothing overtakes it",
      steps: [
        (.send(1), ""), (.send(2), ""), (.send(3), ""), (.fail(1, .resend), ""), (.ask(4), "no"),
        (.acknowledge(2), "finish 2"), (.ask(4), "no"), (.fail(3, .resend), "put back 1 3"), (.ask(1), "no"),
        (.wait(1), ""), (.ask(1), "yes"),
      ]),
    Row(
      name: "failed records go back in order",
      steps: [
        (.send(1), ""), (.send(2), ""), (.fail(2, .recreate), ""), (.fail(1, .recreate), "put back 1 2"),
        (.ask(1), "yes"),
      ]),
    Row(
      name: "a held lane is tried at growing intervals, at once again after a success",
      steps: [
        (.send(1), ""), (.fail(1, .hold), "put back 1"), (.ask(1), "no"), (.wait(1), ""), (.ask(1), "yes"),
        (.send(1), ""), (.fail(1, .hold), "put back 1"), (.wait(1), ""), (.ask(1), "no"), (.wait(1), ""),
        (.ask(1), "yes"), (.send(1), ""), (.acknowledge(1), "finish 1"), (.send(2), ""),
        (.fail(2, .hold), "put back 2"), (.wait(1), ""), (.ask(2), "yes"),
      ]),
    Row(
      name: "a lane is held also when the rest of its records was only purged",
      steps: [
        (.send(1), ""), (.send(2), ""), (.fail(1, .hold), ""), (.fail(2, .recreate), "put back 1 2"), (.ask(1), "no"),
        (.wait(1), ""), (.ask(1), "yes"),
      ]),
    Row(
      name: "intervals end growing at 30 s",
      steps: [
        (.send(1), ""), (.fail(1, .hold), "put back 1"), (.wait(1), ""), (.send(1), ""),
        (.fail(1, .hold), "put back 1"), (.wait(2), ""), (.send(1), ""), (.fail(1, .hold), "put back 1"),
        (.wait(4), ""),
        (.send(1), ""), (.fail(1, .hold), "put back 1"), (.wait(8), ""), (.send(1), ""),
        (.fail(1, .hold), "put back 1"), (.wait(16), ""), (.send(1), ""), (.fail(1, .hold), "put back 1"),
        (.wait(29), ""), (.ask(1), "no"), (.wait(1), ""), (.send(1), ""), (.fail(1, .hold), "put back 1"),
        (.wait(29), ""), (.ask(1), "no"), (.wait(1), ""), (.ask(1), "yes"),
      ]),
    Row(
      name: "a batch that is refused is sent one by one, and only the culprit is dropped",
      steps: [
        (.send(1), ""), (.send(2), ""), (.fail(1, .poison), ""), (.fail(2, .poison), "put back 1 2"), (.ask(1), "yes"),
        (.send(1), ""), (.ask(2), "no"), (.acknowledge(1), "finish 1"), (.ask(2), "yes"), (.send(2), ""),
        (.ask(3), "no"), (.fail(2, .poison), "drop 2"), (.ask(3), "yes"),
      ]),
    Row(
      name: "a record under suspicion is sent alone, so that no innocent one shares its batch",
      steps: [
        (.send(1), ""), (.fail(1, .poison), "put back 1"), (.send(1), ""), (.ask(2), "no"),
        (.acknowledge(1), "finish 1"), (.ask(2), "yes"), (.send(2), ""), (.ask(3), "yes"),
      ]),
    Row(
      name: "a refusal that comes before older reports drops none of them",
      steps: [
        (.send(1), ""), (.send(2), ""), (.fail(2, .poison), ""), (.fail(1, .poison), "put back 1 2"),
        (.send(1), ""), (.fail(1, .poison), "drop 1"), (.send(2), ""), (.acknowledge(2), "finish 2"),
      ]),
    Row(
      name: "a record under suspicion that fails for another reason is tried again",
      steps: [
        (.send(1), ""), (.fail(1, .poison), "put back 1"), (.send(1), ""), (.fail(1, .recreate), "put back 1"),
        (.send(1), ""), (.fail(1, .poison), "drop 1"),
      ]),
  ]

  @Test(arguments: rows)
  func theTable(_ row: Row) {
    var flow = LaneFlow()
    var now = MonotonicTime(nanoseconds: 0)
    for (index, (step, expected)) in row.steps.enumerated() {
      let outcome = perform(step, on: &flow, now: &now)
      #expect(outcome == expected, "step \(index + 1): \(step)")
    }
  }

  private func perform(_ step: Step, on flow: inout LaneFlow, now: inout MonotonicTime) -> String {
    switch step {
    case .send(let sequence):
      flow.sent(entry(sequence), now: now)
      return ""
    case .acknowledge(let sequence): return text(flow.reported(entry(sequence), nil, now: now))
    case .fail(let sequence, let disposition):
      let error = BrokerError(name: "X", message: "x", disposition: disposition)
      return text(flow.reported(entry(sequence), error, now: now))
    case .wait(let seconds):
      now = now + .seconds(seconds)
      return ""
    case .ask(let sequence): return flow.isOpen(for: entry(sequence), now: now) ? "yes" : "no"
    }
  }

  private func entry(_ sequence: UInt64) -> Entry {
    Entry(lane: Lane(index: 0), sequence: sequence, frame: testFrame(Payload([])), arrivalOrder: sequence)
  }

  private func text(_ actions: [LaneFlow.Action]) -> String {
    actions.map { action in
      switch action {
      case .finish(let entry): "finish \(entry.sequence)"
      case .drop(let entry, _): "drop \(entry.sequence)"
      case .putBack(let entries): "put back " + entries.map { "\($0.sequence)" }.joined(separator: " ")
      }
    }.joined(separator: ", ")
  }

  /// While nothing comes back of eight lanes, little more of them goes under way: memory is for what the cameras bring.
  @Test func ofASilentLaneLittleIsUnderWay() {
    var flow = LaneFlow(laneCount: 8)
    let payload = Payload([UInt8](repeating: 0, count: 5_000))
    let entries = (1...100 as ClosedRange<UInt64>).map {
      Entry(lane: Lane(index: 0), sequence: $0, frame: testFrame(payload), arrivalOrder: $0)
    }
    var now = MonotonicTime(nanoseconds: 0)
    var sent = 0
    func send() {
      while sent < entries.count, flow.isOpen(for: entries[sent], now: now) {
        flow.sent(entries[sent], now: now)
        sent += 1
        now = now + .milliseconds(40)
      }
    }
    send()
    // Half a second's worth, which is more than the share.
    #expect(sent == 13)
    now = now + .seconds(100)
    send()
    #expect(sent == 13)
    // A report, whatever it says, and the lane is not silent any more.
    _ = flow.reported(entries[0], nil, now: now)
    send()
    #expect(sent == 26)
    for entry in entries[1..<26] { _ = flow.reported(entry, nil, now: now) }
    // A frame alone always goes, and slow lanes keep several under way.
    now = now + .seconds(100)
    for _ in 0..<4 {
      #expect(flow.isOpen(for: entries[26], now: now))
      flow.sent(entries[26], now: now)
      now = now + .seconds(1)
    }
    #expect(!flow.isOpen(for: entries[26], now: now))
  }

  @Test func aHeldLaneSaysWhenItOpens() {
    var flow = LaneFlow()
    #expect(flow.opensAt == nil)
    flow.sent(entry(1), now: MonotonicTime(nanoseconds: 0))
    let error = BrokerError(name: "X", message: "x", disposition: .hold)
    _ = flow.reported(entry(1), error, now: MonotonicTime(nanoseconds: 0))
    #expect(flow.opensAt == MonotonicTime(nanoseconds: 1_000_000_000))
    #expect(flow.trouble == error)
    flow.sent(entry(1), now: MonotonicTime(nanoseconds: 0))
    _ = flow.reported(entry(1), nil, now: MonotonicTime(nanoseconds: 0))
    #expect(flow.opensAt == nil)
    #expect(flow.trouble == nil)
  }
}
