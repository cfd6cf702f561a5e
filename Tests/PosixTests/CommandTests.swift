import Glibc
import Testing

@testable import Posix

/// Commands whose output is wanted.
@Suite struct CommandTests {
  private func run(_ line: String, within duration: Duration = .seconds(60), limit: Int = 1_000) throws -> String {
    let outcome = try Command.run(line, until: .now() + duration, limit: limit)
    if let failure = outcome.failure { throw failure }
    return String(decoding: outcome.output, as: UTF8.self)
  }

  @Test func whatItPrintsIsReturned() throws {
    #expect(try run("printf 'a b'; printf c") == "a bc")
    #expect(try run("cat") == "", "standard input is empty")
  }

  /// What it complains of does not reach our standard error, and is bounded.
  @Test func complaintsAreKeptApart() throws {
    let failed = try Command.run("echo out; echo no such key >&2; exit 3", until: .now() + .seconds(60), limit: 100)
    #expect(failed.failure?.code == ECHILD && failed.output == Array("out\n".utf8))
    #expect(failed.complaints == Array("no such key\n".utf8))
    let loud = try Command.run("head -c 100000 /dev/zero >&2; echo out", until: .now() + .seconds(60), limit: 100)
    #expect(loud.failure == nil && loud.output == Array("out\n".utf8))
    #expect(loud.complaints.count == Command.complaintLimit)
  }

  /// A command that has ended while more of its complaints wait than one read takes.
  @Test func complaintsAreReadBehindTheEnd() throws {
    var output = try Command.Pipe()
    var errors = try Command.Pipe()
    let child = try Command.spawn("head -c 20000 /dev/zero >&2; exit 3", output: output.writer, errors: errors.writer)
    output.closeWriter()
    errors.closeWriter()
    var ended = siginfo_t()
    #expect(waitid(P_PID, id_t(child), &ended, WEXITED | WNOWAIT) == 0)
    var outcome = Command.Outcome()
    var status: Int32?
    try Command.follow(child, output.reader, errors.reader, until: .now() + .seconds(60), limit: 100, &outcome, &status)
    #expect(status == 3 << 8 && outcome.complaints.count == Command.complaintLimit)
  }

  /// What a command leaves running behind it is not waited for, when it holds no output.
  @Test func whatIsLeftBehindIsNotWaitedFor() throws {
    #expect(try run("sleep 5 >/dev/null & echo started", within: .seconds(60)) == "started\n")
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
