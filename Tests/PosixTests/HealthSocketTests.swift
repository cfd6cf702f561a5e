import Foundation
import Glibc
import Testing

@testable import Posix

/// Asking a gateway from outside.
@Suite struct HealthSocketTests {
  private let path = "/nowhere/\(UUID().uuidString).yaml"

  private func code(of body: () throws(SystemError) -> Void) -> Int32? {
    do throws(SystemError) { try body() } catch { return error.code }
    return nil
  }

  @Test func isAnswered() throws {
    let listener = try HealthSocket.Listener(settings: path)
    let answer = Monitor<String?>(nil)
    let asking = Thread.start(name: "asks") { [path] in
      let text = try? HealthSocket.ask(settings: path, until: .now() + .seconds(60))
      answer.withLock { $0 = text ?? "nothing" }
    }
    while answer.read({ $0 }) == nil { listener.answer("well") }
    asking.join()
    #expect(answer.read { $0 } == "well")
  }

  @Test func silenceIsSilence() throws {
    let listener = try HealthSocket.Listener(settings: path)
    #expect(try HealthSocket.ask(settings: path, until: .now()) == nil)
    listener.answer("")
  }

  @Test func nobodyIsThere() throws {
    #expect(code { () throws(SystemError) in _ = try HealthSocket.ask(settings: path, until: .now()) } == ECONNREFUSED)
    let first = try HealthSocket.Listener(settings: path)
    #expect(code { () throws(SystemError) in _ = try HealthSocket.Listener(settings: path) } == EADDRINUSE)
    first.answer("")
  }
}
