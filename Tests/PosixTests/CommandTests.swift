import Glibc
import Testing

@testable import Posix

/// Commands whose output is wanted.
@Suite struct CommandTests {
  private func run(_ line: String, within duration: Duration = .seconds(60), limit: Int = 1_000) throws -> String {
    String(decoding: try Command.output(of: line, until: .now() + duration, limit: limit), as: UTF8.self)
  }

  @Test func whatItPrintsIsReturned() throws {
    #expect(try run("printf 'a b'; printf c") == "a bc")
    #expect(try run("cat") == "", "standard input is empty")
  }

  @Test(arguments: [
    ("exit 1", ECHILD), ("kill -9 $$", ECHILD), ("yes", EFBIG), ("/nowhere/program 2>/dev/null", ECHILD),
  ])
  func whatFailsThrows(_ line: String, _ code: Int32) {
    #expect {
      try run(line)
    } throws: {
      ($0 as? SystemError)?.code == code
    }
  }

  /// Also what the command has started is killed, else its pipe would stay open.
  @Test func whatHangsIsKilled() {
    #expect {
      try run("sleep 1000 & sleep 1000", within: .milliseconds(100))
    } throws: {
      ($0 as? SystemError)?.code == ETIMEDOUT
    }
  }

  /// Nor does it help to say nothing more and to stay.
  @Test func whatLingersIsKilled() {
    #expect {
      try run("exec >&- 2>&-; sleep 3", within: .milliseconds(100))
    } throws: {
      ($0 as? SystemError)?.code == ETIMEDOUT
    }
  }

  /// Our threads block SIGTERM; a command that did would be hard to end.
  @Test func signalsReachIt() throws {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    defer { pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    #expect(throws: SystemError.self) { try run("kill -TERM $$; echo survived") }
  }
}
