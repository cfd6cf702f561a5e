import CPosix
import Glibc
import Synchronization

// A process of its own that runs one command, for one that must not run any (Sandboxing). It is forked before settings are
// read, so that no secret of theirs is in its memory, and learns its command once. It ends when its starter does.

/// Runs the one command that it was told.
package final class CommandHelper: Sendable {
  /// The helper through which `Command.run` goes from now on; nil: commands are run by this process itself.
  package static let installed = Mutex<CommandHelper?>(nil)

  /// Our end of the connection. Held while a request is under way: one at a time.
  private let connection: Mutex<Int32>
  private let line = Mutex<String?>(nil)
  private let process: pid_t

  /// Forks it. To be called while there is one thread.
  package init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    _ = try retryingInterrupts("socketpair") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let child = try retryingInterrupts("fork") { camgate_fork() }
    if child == 0 {
      close(ends[0])
      CommandHelper.serve(ends[1])
    }
    close(ends[1])
    process = child
    connection = Mutex(ends[0])
  }

  /// Tells it the command, once. nil: there is none; ends it, and waits for that.
  package func learn(_ line: String?) throws(SystemError) {
    guard let line else {
      connection.withLock { descriptor in
        close(descriptor)
        descriptor = -1
      }
      var status: Int32 = 0
      _ = try retryingInterrupts("waitpid") { waitpid(process, &status, 0) }
      return
    }
    self.line.withLock { $0 = line }
    let descriptor = connection.withLock { $0 }
    try Files.write(CommandHelper.words([UInt64(line.utf8.count)]) + Array(line.utf8), to: descriptor)
  }

  /// Whether it knows this command, and no other.
  package func knows(_ line: String) -> Bool { self.line.withLock { $0 } == line }

  /// As `Command.run`; EPERM for another command than the one it knows.
  func run(_ line: String, until deadline: MonotonicTime, limit: Int) throws(SystemError) -> Command.Outcome {
    guard knows(line) else { throw SystemError(code: EPERM, operation: "run another command than at the start") }
    let result = connection.withLock { descriptor -> Result<Command.Outcome, SystemError> in
      do throws(SystemError) {
        return .success(try CommandHelper.ask(descriptor, until: deadline, limit: limit))
      } catch {
        // Whatever it may still say is no answer to the next question.
        if error.operation == CommandHelper.dialogue, descriptor >= 0 {
          close(descriptor)
          descriptor = -1
        }
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// What an error is about that ends the connection.
  private static let dialogue = "ask the process that runs the command (restart Camgate)"
  /// How much later than a command's deadline the helper may answer.
  private static let patience = Duration.seconds(10)

  /// One request and its answer.
  private static func ask(
    _ descriptor: Int32, until deadline: MonotonicTime, limit: Int
  ) throws(SystemError) -> Command.Outcome {
    guard descriptor >= 0 else { throw SystemError(code: EPIPE, operation: dialogue) }
    let left = max(0, (deadline - .now()).nanoseconds)
    do throws(SystemError) { try Files.write(words([UInt64(left), UInt64(limit)]), to: descriptor) } catch {
      throw SystemError(code: error.code, operation: dialogue)
    }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let wait = Int32(clamping: (deadline + patience - .now()).nanoseconds / 1_000_000)
    guard try retryingInterrupts(dialogue, { poll(&entry, 1, max(0, wait)) }) > 0 else {
      throw SystemError(code: ETIMEDOUT, operation: dialogue)
    }
    let header = try readWords(4, from: descriptor)
    if header[0] != 0 { throw SystemError(code: Int32(truncatingIfNeeded: header[0]), operation: "start /bin/sh") }
    var outcome = Command.Outcome()
    if header[1] != 0 {
      outcome.failure = SystemError(code: Int32(truncatingIfNeeded: header[1]), operation: "run the command")
    }
    outcome.output = try readBytes(Int(header[2]), from: descriptor)
    outcome.complaints = try readBytes(Int(header[3]), from: descriptor)
    return outcome
  }

  // MARK: In the other process

  /// The first message is the command, each later one a request to run it. Answers: whether it was started, how it failed,
  /// bytes of output, bytes of complaints, and both of these.
  private static func serve(_ descriptor: Int32) -> Never {
    _ = camgate_name_this_thread("camgate-command")
    // It keeps no output open that is its starter's, too; and a stop is its starter's business.
    let null = open("/dev/null", O_RDWR)
    for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null, number) }
    _ = Signals()
    do throws(SystemError) {
      let count = Int(try readWords(1, from: descriptor)[0])
      let line = String(decoding: try readBytes(count, from: descriptor), as: UTF8.self)
      while true {
        let request = try readWords(2, from: descriptor)
        let deadline = MonotonicTime.now() + .nanoseconds(Int64(request[0]))
        try Files.write(answer(to: line, until: deadline, limit: Int(request[1])), to: descriptor)
      }
    } catch { _exit(0) }
  }

  private static func answer(to line: String, until deadline: MonotonicTime, limit: Int) -> [UInt8] {
    do throws(SystemError) {
      let outcome = try Command.runHere(line, until: deadline, limit: limit)
      let failure = outcome.failure.map { UInt64($0.code) } ?? 0
      return words([0, failure, UInt64(outcome.output.count), UInt64(outcome.complaints.count)])
        + outcome.output + outcome.complaints
    } catch { return words([UInt64(error.code), 0, 0, 0]) }
  }

  private static func words(_ values: [UInt64]) -> [UInt8] {
    values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }
  }

  private static func readWords(_ count: Int, from descriptor: Int32) throws(SystemError) -> [UInt64] {
    let bytes = try readBytes(8 * count, from: descriptor)
    return (0..<count).map { word in (0..<8).reduce(0) { $0 | UInt64(bytes[8 * word + $1]) << UInt64(8 * $1) } }
  }

  /// Throws EPIPE when the other side has gone.
  private static func readBytes(_ count: Int, from descriptor: Int32) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var read = 0
    while read < count {
      let rest = count - read
      let part = try retryingInterrupts(dialogue) {
        bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress.map { $0 + read }, rest) }
      }
      if part == 0 { throw SystemError(code: EPIPE, operation: dialogue) }
      read += part
    }
    return bytes
  }
}
