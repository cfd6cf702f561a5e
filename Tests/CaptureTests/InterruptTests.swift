import CFFmpeg
import Posix
import Testing

@testable import Capture

@Suite struct InterruptTests {
  private let past = MonotonicTime(nanoseconds: 0)

  /// What FFmpeg is told when it asks.
  private func answer(_ interrupt: Interrupt) -> Int32 {
    let callback = interrupt.callback
    return callback.callback(callback.opaque)
  }

  @Test func aDeadlineOrAStopEndsACall() {
    let interrupt = Interrupt()
    #expect(answer(interrupt) == 0, "without a deadline nothing is due")
    interrupt.setDeadline(past)
    #expect(answer(interrupt) == 1)
    interrupt.setDeadline(MonotonicTime(nanoseconds: .max))
    #expect(answer(interrupt) == 0)
    interrupt.stop()
    #expect(interrupt.isStopped)
    #expect(answer(interrupt) == 1)
  }

  @Test func aGoodbyeHasTimeOfItsOwnAndGivesTheDeadlineBack() {
    let interrupt = Interrupt()
    interrupt.setDeadline(past)
    var during: Int32 = -1
    interrupt.allowingGoodbye { during = answer(interrupt) }
    #expect(during == 0)
    #expect(answer(interrupt) == 1, "what was due before is due again")
    interrupt.stop()
    interrupt.allowingGoodbye { during = answer(interrupt) }
    #expect(during == 0)
    #expect(answer(interrupt) == 1)
    interrupt.allowingGoodbye {
      interrupt.setDeadline(past)
      during = answer(interrupt)
    }
    #expect(during == 1, "a goodbye ends too")
  }

  @Test func quietIsSaidOnceAMark() {
    let said = Monitor<[MonotonicTime]>([])
    let interrupt = Interrupt(onQuiet: { start in said.withLock { $0.append(start) } })
    let (first, second) = (past + .seconds(-3), past + .seconds(-2))
    #expect(answer(interrupt) == 0 && said.read { $0 } == [])
    interrupt.setQuietMark(past, since: first)
    for _ in 0..<3 { #expect(answer(interrupt) == 0, "it is no reason to give up") }
    #expect(said.read { $0 } == [first])
    interrupt.setQuietMark(past, since: second)
    #expect(answer(interrupt) == 0 && said.read { $0 } == [first, second])
    interrupt.setQuietMark(MonotonicTime(nanoseconds: .max), since: past)
    #expect(answer(interrupt) == 0 && said.read { $0 } == [first, second])
  }

  @Test func sleeping() {
    let interrupt = Interrupt()
    #expect(interrupt.sleep(until: past))
    #expect(interrupt.sleep(until: .now()))
    let result = Monitor<Bool?>(nil)
    let thread = Thread.start(name: "sleeper") {
      let slept = interrupt.sleep(until: MonotonicTime(nanoseconds: .max))
      result.withLock { $0 = slept }
    }
    interrupt.stop()
    thread.join()
    #expect(result.read { $0 } == false)
    #expect(!interrupt.sleep(until: past), "a stopped one does not sleep any more")
  }

  /// What is asked of a camera ends its pause, and nothing that its source sleeps through.
  @Test func pausesEndWhenThereIsHurry() {
    let interrupt = Interrupt()
    let thread = Thread.start(name: "sleeper") { interrupt.pause(until: MonotonicTime(nanoseconds: .max)) }
    interrupt.endPause()
    thread.join()
    interrupt.endPause()
    #expect(interrupt.sleep(until: .now()))
    interrupt.pause(until: MonotonicTime(nanoseconds: .max))
    interrupt.pause(until: .now())
    interrupt.stop()
    interrupt.pause(until: MonotonicTime(nanoseconds: .max))
  }
}
