import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// What comes back as another file of its name while a gateway runs in its sandbox is there again.
  @Suite struct ReplacementTests {
    /// Not one of the directories that a gateway needs.
    let elsewhere: RingDirectory

    init() throws { elsewhere = try RingDirectory() }

    private func path(_ name: String) -> String { elsewhere.url.appending(path: name).path }

    /// Writes a file and renames it to where it shall be.
    private func replace(_ path: String, _ text: String) throws {
      try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    }

    /// What starts a command with directories of its own as /etc, /run and /dev: copies, or empty ones, below `root`.
    private func directories(in root: String) -> [String] {
      let script = """
        mkdir -p "$1/etc" "$1/run/network" && cp -a /etc/. "$1/etc" &&
        rm -f "$1/etc/resolv.conf" && ln -s /run/network/resolv.conf "$1/etc/resolv.conf" &&
        mount --bind "$1/etc" /etc && mount --bind "$1/run" /run && mount -t tmpfs tmpfs /dev &&
        mknod -m 666 /dev/null c 1 3 && mknod -m 444 /dev/urandom c 1 9 && shift && exec "$@"
        """
      return ["unshare", "--mount", "sh", "-c", script, "sh", root]
    }

    /// A lease brings another name server, as on the board: resolv.conf is a link to what is replaced.
    @Test func aLeaseIsRenewed() throws {
      let responder = try Testbed.distantResponder()
      let way = Testbed.wayIn(to: responder)
      let program = [Testbed.root.appending(path: "Toolchain/testbed/run").path, "nameserver", "gate.test=192.0.2.1"]
      let names = try Server(Child(way[0], way.dropFirst() + program))
      let url = try responder.url("steady").replacing("192.0.2.1", with: "gate.test")
      let directory = try Gateway.settings(
        brokers: "127.0.0.1:9", [Gateway.Camera("gate", url)], more: "stop_timeout: 0s")
      let file = path("run/network/resolv.conf")
      try FileManager.default.createDirectory(atPath: path("run/network"), withIntermediateDirectories: true)
      try replace(file, "nameserver 127.0.0.9\n")
      let gateway = try Gateway(in: directory, wrapper: way + directories(in: elsewhere.url.path))
      let unknown = try gateway.waitForLog("camera gate", "the name 'gate.test' does not resolve", "retry in")
      try replace(file, "nameserver 127.0.0.1\n")
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: unknown, "camera gate: streaming")
      try gateway.stop()
      withExtendedLifetime(names) {}
    }

    /// As Kubernetes does it: the files are links through a link to a directory, and that link is replaced.
    @Test func aCertificateIsRotated() throws {
      let maker = try Testbed.program("certificates", [path("made")])
      #expect(try maker.waitForExit() == .code(0), "\(maker.transcript)")
      let broker = try Testbed.broker()
      let cameras = try Testbed.cameras("gate=h264")
      let certificate = ["--certificate", path("made/good.pem"), "--key", path("made/good.key")]
      let front = try Server(
        "proxy", ["\(broker.port)", "--kafka"] + certificate + ["--client-ca", path("made/ca.pem")])
      try rotate(to: "1", authority: "other-ca", client: "good")
      for name in ["ca.pem", "client.pem", "client.key"] {
        try FileManager.default.createSymbolicLink(
          atPath: path("mounted/\(name)"), withDestinationPath: "..data/\(name)")
      }
      let files = "ca: '\(path("mounted/ca.pem"))', certificate: '\(path("mounted/client.pem"))'"
      let gateway = try Gateway(
        brokers: front.address, [Gateway.Camera("gate", try cameras.url("gate"))],
        kafka: "tls: {\(files), key: '\(path("mounted/client.key"))'}")
      try gateway.waitForLog("is not signed by a CA that is trusted here")
      try rotate(to: "2", authority: "ca", client: "client")
      try FileManager.default.removeItem(atPath: path("mounted/..1"))
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog("a new producer is in use")
      try Testbed.read(broker, ["gate"], frames: 30, follow: true, skip: ["decode"])
      try gateway.stop()
    }

    private func rotate(to version: String, authority: String, client: String) throws {
      try FileManager.default.createDirectory(
        atPath: path("mounted/..\(version)"), withIntermediateDirectories: true)
      let files = ["ca.pem": "\(authority).pem", "client.pem": "\(client).pem", "client.key": "\(client).key"]
      for (name, made) in files {
        try FileManager.default.copyItem(atPath: path("made/\(made)"), toPath: path("mounted/..\(version)/\(name)"))
      }
      let link = path("mounted/..new")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "..\(version)")
      #expect(rename(link, path("mounted/..data")) == 0)
    }

    /// Its node comes, goes and comes. No camera is behind it here (one of the image's cases has one): what is said of a node
    /// that is there and of one that is not are two things, and neither is a lack of rights.
    @Test func aCameraIsPluggedInAgain() throws {
      var door = Gateway.Camera("door", "", ["device": "/dev/video0"])
      door.keys["url"] = nil
      let directory = try Gateway.settings(brokers: "127.0.0.1:9", [door], more: "stop_timeout: 0s")
      let gateway = try Gateway(in: directory, wrapper: directories(in: elsewhere.url.path))
      var start = try gateway.waitForLog("camera door: there is no such device")
      let inside = ["--target", "\(gateway.child.processID)", "--mount"]
      for isThere in [true, false, true] {
        let command = isThere ? ["mknod", "/dev/video0", "c", "1", "3"] : ["rm", "/dev/video0"]
        let change = try Child("nsenter", inside + command)
        #expect(try change.waitForExit() == .code(0), "\(change.transcript)")
        gateway.child.signal(SIGHUP)
        let words = isThere ? "this is no video device" : "there is no such device"
        start = try gateway.waitForLog(from: start, "camera door: \(words)")
      }
      try gateway.stop()
    }

    /// The helper reads and runs what the gateway cannot: what the command complains of is told, its next token is used.
    @Test func aTokenCommandRuns() throws {
      let broker = try Testbed.broker()
      let cameras = try Testbed.cameras("gate=h264")
      let front = try Server(
        "proxy", ["\(broker.port)", "--kafka", "--sasl", "OAUTHBEARER", "gateway", "s3cret-token"])
      try replace(path("token"), "echo none yet >&2; exit 3\n")
      let login = "mechanism: OAUTHBEARER, token_command: 'sh \(path("token"))'"
      let directory = try Gateway.settings(
        brokers: front.address, [Gateway.Camera("gate", try cameras.url("gate"))], kafka: "sasl: {\(login)}")
      let gateway = try Gateway(in: directory)
      try gateway.waitForLog("no token", "none yet")
      try replace(path("token"), "echo s3cret-token\n")
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog("a new producer is in use")
      try Testbed.read(broker, ["gate"], frames: 10, follow: true, skip: ["decode"])
      // The helper knows one command only.
      let file = directory.appending(path: "camgate.yaml")
      let text = try String(contentsOf: file, encoding: .utf8)
      try replace(file.path, text.replacing("'sh ", with: "'sh -e "))
      let start = gateway.child.errors.count
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: start, "warning: kafka.sasl: restart needed")
      let end = try gateway.waitForLog(from: start, "settings read again")
      // Without its helper it says what to do.
      let process = gateway.child.processID
      let children = try String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
      for child in children.split(separator: " ").compactMap({ pid_t($0) }) { kill(child, SIGKILL) }
      gateway.child.signal(SIGHUP)
      try gateway.waitForLog(from: end, "no token", "restart Camgate")
      try gateway.stop()
    }
  }
}
