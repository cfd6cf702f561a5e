import Foundation
import Posix
import Synchronization
import Testing

// Programs as children: started, spoken to, waited for, and gone when the test is. A test waits for what a program says
// or for its end, never for time to pass; the time limits here only turn a hang into a failure.

extension Duration {
  /// After so long a test says that something hangs. Nothing is judged by it.
  static let hangLimit = Duration.seconds(120)
}

/// How a program ended.
enum Exit: Equatable, Sendable {
  case code(Int32)
  case signal(Int32)
}

/// What a program did not do.
struct ChildError: Error, CustomStringConvertible {
  let description: String
}

/// A running program. It is killed when the last reference goes, and by the kernel when the test process dies.
final class Child: Sendable {
  let processID: pid_t
  private let name: String
  private let input: Mutex<Int32?>
  private let record: Record

  /// Starts `program`; its standard input is a pipe that ends with this object.
  init(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
    let started = try Spawner.shared.spawn([program] + arguments, variables)
    processID = started.processID
    name = URL(filePath: program).lastPathComponent + " " + (arguments.first ?? "")
    input = Mutex(started.input)
    let record = Record()
    self.record = record
    Thread.detachNewThread { [name] in record.collect(started.output, of: name, in: \.output) }
    Thread.detachNewThread { [name] in record.collect(started.errors, of: name, in: \.errors) }
    Thread.detachNewThread { [processID] in record.awaitExit(of: processID) }
  }

  deinit {
    endInput()
    record.withState { state in if state.exit == nil { kill(processID, SIGKILL) } }
  }

  /// Lines on standard output so far.
  var output: [String] { record.withState { $0.output } }
  /// Lines on standard error so far.
  var errors: [String] { record.withState { $0.errors } }

  /// Sends a signal, unless the program has ended.
  func signal(_ number: Int32) {
    record.withState { state in if state.exit == nil { kill(processID, number) } }
  }

  /// Writes a line to its standard input.
  func send(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = input.withLock { $0.map { write($0, bytes, bytes.count) } }
  }

  /// Ends its standard input.
  func endInput() {
    input.withLock { descriptor in
      if let open = descriptor { close(open) }
      descriptor = nil
    }
  }

  /// Waits for a line of standard output, from line `start` on, and returns it and the number of the next one.
  func waitForOutput(
    from start: Int = 0, timeout: Double = Duration.hangLimit.inSeconds, where matches: (String) -> Bool
  ) throws -> (String, Int) {
    try wait("a line of output", timeout) { state in Self.find(in: state.output, start, matches) }
  }

  /// The same for standard error.
  @discardableResult
  func waitForErrors(
    from start: Int = 0, timeout: Double = Duration.hangLimit.inSeconds, where matches: (String) -> Bool
  ) throws -> (String, Int) {
    try wait("a line of the log", timeout) { state in Self.find(in: state.errors, start, matches) }
  }

  /// Waits for its end and for everything it said.
  func waitForExit(timeout: Double = Duration.hangLimit.inSeconds) throws -> Exit {
    guard let exit = record.wait(timeout, until: { $0.openStreams == 0 ? $0.exit : nil }) else {
      throw ChildError(description: "\(name): still running after \(timeout) s\n\(transcript)")
    }
    return exit
  }

  /// Everything it said, for failures.
  var transcript: String {
    record.withState { state in (state.output.suffix(40) + state.errors.suffix(40)).joined(separator: "\n") }
  }

  private func wait<Found>(_ what: String, _ timeout: Double, until found: (Record.State) -> Found?) throws
    -> Found
  {
    let outcome = record.wait(timeout) { state -> Result<Found, ChildError>? in
      if let value = found(state) { return .success(value) }
      guard state.openStreams == 0, let exit = state.exit else { return nil }
      return .failure(ChildError(description: "\(name): ended (\(exit)) before \(what)"))
    }
    do {
      return try (outcome ?? .failure(ChildError(description: "\(name): no \(what) in \(timeout) s"))).get()
    } catch {
      throw ChildError(description: "\(error.description)\n\(transcript)")
    }
  }

  private static func find(in lines: [String], _ start: Int, _ matches: (String) -> Bool) -> (String, Int)? {
    guard start < lines.count, let index = lines[start...].firstIndex(where: matches) else { return nil }
    return (lines[index], index + 1)
  }
}

/// What a child said and how it ended; filled by threads, waited for by tests.
// Unchecked because the compiler cannot see the lock: every access to `state` holds `condition`.
private final class Record: @unchecked Sendable {
  struct State {
    var output: [String] = []
    var errors: [String] = []
    var openStreams = 2
    var exit: Exit?
  }

  private let condition = NSCondition()
  private var state = State()

  func withState<Result>(_ body: (inout State) -> Result) -> Result {
    condition.withLock { body(&state) }
  }

  func wait<Found>(_ timeout: Double, until found: (State) -> Found?) -> Found? {
    let deadline = Date(timeIntervalSinceNow: timeout)
    return condition.withLock {
      while true {
        if let value = found(state) { return value }
        if !condition.wait(until: deadline) { return found(state) }
      }
    }
  }

  /// Reads lines until the stream ends.
  func collect(_ descriptor: Int32, of name: String, in lines: WritableKeyPath<State, [String]>) {
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var rest = Data()
    while case let data = file.availableData, !data.isEmpty {
      rest += data
      let complete = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      rest = Data(complete.last ?? Data())
      let new = complete.dropLast().map { String(decoding: $0, as: UTF8.self) }
      for line in new { OddPassword.check(line, of: name) }
      update { $0[keyPath: lines] += new }
    }
    let last = String(decoding: rest, as: UTF8.self)
    OddPassword.check(last, of: name)
    update { state in
      if !rest.isEmpty { state[keyPath: lines].append(last) }
      state.openStreams -= 1
    }
  }

  func awaitExit(of process: pid_t) {
    var information = siginfo_t()
    // Seen first and reaped under the lock, so that nobody signals a process ID that may be somebody else's by now.
    while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    update { state in
      var status: Int32 = 0
      waitpid(process, &status, 0)
      state.exit = status & 0x7f == 0 ? .code(status >> 8 & 0xff) : .signal(status & 0x7f)
    }
  }

  private func update(_ body: (inout State) -> Void) {
    condition.withLock {
      body(&state)
      condition.broadcast()
    }
  }
}
