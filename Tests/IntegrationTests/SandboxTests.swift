import Foundation
import Testing

@testable import Sandboxing

extension IntegrationTests.KafkaSide {
  /// What a gateway has given up, shown from outside: its threads are stopped one after another and made to call what code
  /// would call that has taken them over (Toolchain/testbed/inject.py). No part of this is in the product.
  @Suite struct SandboxTests {
    let broker: Server
    let cameras: Server
    let ring: RingDirectory
    /// Not one of the directories that a gateway with these settings needs; every user may read the file in it.
    let elsewhere: RingDirectory
    var secret: String { elsewhere.url.appending(path: "secret").path }

    init() throws {
      broker = try Testbed.broker()
      cameras = try Testbed.cameras("gate=h264")
      ring = try RingDirectory()
      elsewhere = try RingDirectory()
      // The ring's own directory, so that its parent is not that of everything else here.
      let inner = ring.url.appending(path: "inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try Data("secret\n".utf8).write(to: URL(filePath: secret))
    }

    private func start(_ more: String = "", strict: Bool = false) throws -> Gateway {
      let gate = Gateway.Camera("gate", try cameras.url("gate"))
      let section = "buffer: {directory: \(ring.url.path)/inner, size: 65MiB, segment: 8MiB, write: always}\n"
      let directory = try Gateway.settings(brokers: broker.address, [gate], more: section + more)
      return try Gateway(in: directory, environment: strict ? ["CAMGATE_SANDBOX": "strict"] : [:])
    }

    /// The version of the kernel's Landlock; nil where it has none, which is said aloud.
    private var landlock: Int? {
      let version = try? Landlock.version()
      if version == nil { print("NOT SHOWN: this kernel has no Landlock; opening files is not tested") }
      return version
    }

    /// Name, Seccomp and NoNewPrivs of each thread.
    private func threads(of gateway: Gateway) throws -> [(name: String, seccomp: String, noNewPrivileges: String)] {
      let tasks = URL(filePath: "/proc/\(gateway.child.processID)/task")
      return try FileManager.default.contentsOfDirectory(atPath: tasks.path).map { task in
        let status = try String(contentsOf: tasks.appending(path: "\(task)/status"), encoding: .utf8)
        let fields = Dictionary(
          status.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces)) : nil
          }, uniquingKeysWith: { $1 })
        return (fields["Name"] ?? "", fields["Seccomp"] ?? "", fields["NoNewPrivs"] ?? "")
      }
    }

    /// What the threads' calls were answered with.
    private struct Answers: Decodable {
      let thread: String
      let forbidden, allowed, execve, ptrace, unknown: Int
    }

    private func inject(_ gateway: Gateway) throws -> [Answers] {
      let allowed = gateway.directory.appending(path: "camgate.yaml").path
      let child = try Testbed.program(
        "inject", ["\(gateway.child.processID)", "--forbidden", secret, "--allowed", allowed])
      #expect(try child.waitForExit() == .code(0), "\(child.transcript)")
      return try child.output.map { try JSONDecoder().decode(Answers.self, from: Data($0.utf8)) }
    }

    /// In the camera's thread runs FFmpeg, which starts none of its own in a gateway (av:…).
    @Test(arguments: [false, true]) func everyThreadIsBound(_ isStrict: Bool) throws {
      let gateway = try start(strict: isStrict)
      try gateway.waitForLog("camera gate", "streaming")
      try Testbed.read(broker, ["gate"], frames: 10, follow: true, skip: ["decode"])
      let bound = try threads(of: gateway)
      #expect(bound.allSatisfy { $0.seccomp == "2" && $0.noNewPrivileges == "1" }, "\(bound)")
      let answers = try inject(gateway)
      let names = answers.map(\.thread)
      #expect(names.contains("camgate") && names.contains("cam-gate") && names.contains("forward"), "\(names)")
      #expect(names.contains { $0.hasPrefix("rdk:broker") }, "\(names)")
      #expect(!names.contains { $0.hasPrefix("av:") }, "\(names)")
      let version = landlock
      for answer in answers {
        #expect(answer.allowed == 0 && answer.execve == -Int(EPERM) && answer.ptrace == -Int(EPERM), "\(answer)")
        #expect(answer.unknown == -Int(ENOSYS), "\(answer)")
        if version != nil { #expect(answer.forbidden == -Int(EACCES), "\(answer)") }
      }
      // Each is said once, however often it is tried, and the gateway goes on.
      let told = gateway.child.errors.filter { $0.contains("the sandbox refuses the system call") }
      #expect(told.filter { $0.contains("execve") }.count == 1 && told.filter { $0.contains("ptrace") }.count == 1)
      #expect(told.count == (isStrict ? 3 : 2), "\(told)")
      if let version { try gateway.waitForLog("sandbox: Landlock (ABI \(version)), seccomp") }
      try Testbed.read(broker, ["gate"], frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      try gateway.stop()
    }

    @Test func canBeSwitchedOff() throws {
      let gateway = try start("sandbox: off")
      try gateway.waitForLog("no sandbox: sandbox: off")
      try gateway.waitForLog("camera gate", "streaming")
      let bound = try threads(of: gateway)
      #expect(bound.allSatisfy { $0.seccomp == "0" && $0.noNewPrivileges == "0" }, "\(bound)")
      try gateway.stop()
    }

    /// A file that the sandbox was not built for.
    @Test func aReloadNamesWhatIsOutside() throws {
      let gateway = try start()
      try gateway.waitForLog("camera gate", "streaming")
      guard landlock != nil else { return try gateway.stop() }
      let file = gateway.directory.appending(path: "camgate.yaml")
      let text = try String(contentsOf: file, encoding: .utf8)
      let camera = "  - name: gate\n"
      let login = text.replacing(camera, with: camera + "    username: viewer\n    password_file: '\(secret)'\n")
      var start = gateway.child.errors.count
      try Data(login.utf8).write(to: file, options: .atomic)
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: start, "camgate.yaml:6:", "cannot be read: restart needed")
      try gateway.waitForLog(from: start, "the old ones stay")
      let film = text.replacing(
        "cameras:\n", with: "cameras:\n  - {name: film, url: 'file:\(elsewhere.url.path)/film.mp4'}\n")
      start = gateway.child.errors.count
      try Data(film.utf8).write(to: file, options: .atomic)
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: start, "camera film", "is outside of the sandbox")
      try gateway.waitForLog(from: start, "settings read again: 1 not touched")
      try gateway.stop()
    }
  }
}
