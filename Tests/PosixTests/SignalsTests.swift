import Glibc
import Posix
import Testing

@Suite struct SignalsTests {
  /// On a thread of its own: the mask is the thread's, and raise(3) addresses the calling thread.
  private func onAThread<Result: Sendable>(_ body: @escaping @Sendable (Signals) -> Result) -> Result {
    let result = Monitor<Result?>(nil)
    Thread.start(name: "signals") {
      let value = body(Signals())
      result.withLock { $0 = value }
    }.join()
    return result.read { $0 }!
  }

  @Test func signalsWaitUntilTheyAreAskedFor() {
    let events = onAThread { signals in
      [SIGTERM, SIGINT, SIGHUP].map { number in
        raise(number)
        return signals.next(until: .now() + .seconds(60))
      }
    }
    #expect(events == [.stop, .stop, .reload])
  }

  @Test func noSignalUntilTheDeadline() {
    #expect(onAThread { $0.next(until: MonotonicTime(nanoseconds: .min)) } == nil)
    #expect(onAThread { $0.next(until: .now()) } == nil)
  }

  @Test func aBrokenPipeIsAnError() {
    let error = onAThread { _ -> SystemError? in
      var ends: [Int32] = [0, 0]
      pipe(&ends)
      close(ends[0])
      defer { close(ends[1]) }
      do throws(SystemError) {
        try Files.write([1], to: ends[1])
        return nil
      } catch { return error }
    }
    #expect(error == SystemError(code: EPIPE, operation: "write"))
  }

  @Test func errorsSayWhatFailed() {
    #expect("\(SystemError(code: EACCES, operation: "open x"))" == "open x: Permission denied")
  }
}
