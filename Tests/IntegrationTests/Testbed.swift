import Broker
import Foundation
import Testing

/// All integration tests, in two halves that run at the same time, each one test after another: they mostly wait, and share
/// two cores with cameras, brokers and decoders. What a test needs of the machine, it therefore has no say in.
@Suite struct IntegrationTests {
  /// What cameras do, and what is asked of the program.
  @Suite(.serialized) struct CameraSide {}
  /// What clusters, networks and disks do.
  @Suite(.serialized) struct KafkaSide {}
}

/// The programs under test, and the servers and the reader of Toolchain/testbed.
enum Testbed {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The executable built with these tests; it lies beside them. `CAMGATE` names another one.
  static let camgate: String = {
    if let named = ProcessInfo.processInfo.environment["CAMGATE"] { return named }
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return tests.deletingLastPathComponent().appending(path: "camgate").path
  }()

  /// A program of the test bench; `Toolchain/dev setup test` installs what it needs.
  static func program(_ name: String, _ arguments: [String]) throws -> Child {
    try Child(root.appending(path: "Toolchain/testbed/run").path, [name] + arguments)
  }

  /// RTSP cameras: `gate=h264` and so on (cameras.py).
  static func cameras(_ shows: String..., options: [String] = []) throws -> Server {
    try Server("cameras", options + shows)
  }

  /// Cameras that misbehave by script: all dialogues of Tests/Fixtures/rtsp (responder.py).
  static func responder(port: Int = 0, options: [String] = []) throws -> Server {
    try Server("responder", ["--port", "\(port)"] + options + dialogues())
  }

  private static func dialogues() throws -> [String] {
    let folder = root.appending(path: "Tests/Fixtures/rtsp")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".toml") }
    return names.sorted().map { folder.appending(path: $0).path }
  }

  private static let namespaces =
    (geteuid() == 0 ? [] : ["--user", "--map-root-user"]) + ["--net", "--mount"]

  /// The same cameras in a network namespace of their own, on an address that is none of the loopback's. They also have
  /// the name `two-ways`: its first address is one where packets vanish.
  static func distantResponder() throws -> Server {
    let address = "192.0.2.1"
    let script = """
      ip link set lo up && ip address add \(address)/32 dev lo &&
      ip link add hole type veth peer name bottom && ip link set bottom up && ip link set hole arp off up &&
      ip address add 2001:db8::1/64 dev hole nodad &&
      hosts=$(mktemp) && printf '2001:db8::9 two-ways\\n\(address) two-ways\\n' >"$hosts" &&
      mount --bind "$hosts" /etc/hosts && rm "$hosts" && exec "$@"
      """
    let command = [root.appending(path: "Toolchain/testbed/run").path, "responder", "--host", address]
    return try Server(
      Child("/usr/bin/unshare", namespaces + ["--", "/bin/sh", "-c", script, "sh"] + command + dialogues()))
  }

  /// `camgate` in the network of `server`, and with the names it knows.
  static func camgate(beside server: Server, _ arguments: [String]) throws -> Child {
    let command = wayIn(to: server) + [camgate] + arguments
    return try Child(command[0], Array(command.dropFirst()))
  }

  /// What starts a command in the network of `server`, and with the names it knows.
  static func wayIn(to server: Server) -> [String] {
    let user = geteuid() == 0 ? [] : ["--user", "--preserve-credentials"]
    return ["/usr/bin/nsenter", "--target", "\(server.child.processID)", "--net", "--mount"] + user + ["--"]
  }

  /// A Kafka broker with the topic `cameras`.
  static func broker(port: Int = 0, partitions: Int = 4) throws -> Server {
    try Server("broker", ["--port", "\(port)", "--topic", "cameras:\(partitions)"])
  }

  /// A proxy in front of a broker, on which Kafka clients stay.
  static func kafkaProxy(to broker: Server) throws -> Server {
    try Server("proxy", ["\(broker.port)", "--kafka"])
  }

  /// A port of 127.0.0.1 on which nobody listened a moment ago.
  static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    try #require(isBound)
    return Int(address.sin_port.byteSwapped)
  }
}

/// Where Kafka clients begin.
protocol Bootstrap {
  /// `host:port`
  var address: String { get }
}

extension MockCluster: Bootstrap {
  var address: String { bootstrapServers }
}

/// A server of the test bench: says READY with a JSON object, takes commands, ends with its input.
final class Server: Bootstrap, Sendable {
  let child: Child
  let port: Int
  let urls: [String: String]
  /// The files of the clips that the responder shows.
  let clips: [String: String]
  /// The certificate that speaks for an encrypted responder.
  let authority: String?

  private struct Ready: Decodable {
    let port: Int
    let urls: [String: String]?
    let clips: [String: String]?
    let authority: String?
  }

  convenience init(_ name: String, _ arguments: [String]) throws { try self.init(Testbed.program(name, arguments)) }

  init(_ child: Child) throws {
    self.child = child
    let (line, _) = try child.waitForOutput(timeout: 120) { $0.hasPrefix("READY ") }
    let ready = try JSONDecoder().decode(Ready.self, from: Data(line.dropFirst(6).utf8))
    (port, urls, clips) = (ready.port, ready.urls ?? [:], ready.clips ?? [:])
    authority = ready.authority
  }

  var address: String { "127.0.0.1:\(port)" }

  /// The URL of a camera.
  func url(_ name: String) throws -> String { try #require(urls[name]) }

  /// Sends a command and waits until it is carried out.
  func command(_ text: String) throws {
    let start = child.output.count
    child.send(text)
    let (answer, _) = try child.waitForOutput(from: start) { $0.hasSuffix(text) || $0.hasPrefix("ERROR") }
    try #require(answer == "OK " + text)
  }

  /// Kills it as a power cut would.
  func kill() throws {
    child.signal(SIGKILL)
    _ = try child.waitForExit()
  }
}

/// What the independent reader found (reader.py).
struct Findings: Decodable {
  struct Camera: Decodable {
    let frames: Int
    let gaps: Int
    let codec: String
  }

  let ok: Bool
  let frames: Int
  let parts: Int
  let gaps: Int
  let lost: Int
  let repeated: Int
  let twice: Int
  let cameras: [String: Camera]
}

extension Testbed {
  /// Reads the topic `cameras` from its beginning: to its present end or, following it, until each camera has so many
  /// frames. What the reader complains of fails the test, unless `mayComplain`.
  @discardableResult
  static func read(
    _ broker: some Bootstrap, _ cameras: [String], frames: Int = 1, follow: Bool = false, gaps: [String] = [],
    skip: [String] = [], mayComplain: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Findings {
    var arguments = ["--brokers", broker.address, "--gateway", Gateway.name, "--frames", "\(frames)"]
    arguments += cameras.flatMap { ["--camera", $0] } + skip.flatMap { ["--skip", $0] }
    if follow { arguments += ["--follow", "--timeout", "120"] }
    if !gaps.isEmpty { arguments += ["--gaps", gaps.joined(separator: ",")] }
    let reader = try program("reader", arguments)
    _ = try reader.waitForExit(timeout: 300)
    let line = try #require(reader.output.last, "\(reader.transcript)", sourceLocation: sourceLocation)
    let findings = try JSONDecoder().decode(Findings.self, from: Data(line.utf8))
    #expect(findings.ok || mayComplain, "\(reader.transcript)", sourceLocation: sourceLocation)
    return findings
  }
}
