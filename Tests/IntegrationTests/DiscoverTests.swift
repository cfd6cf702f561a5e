import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// Good and bad devices (Toolchain/testbed/onvif.py) on a network of the test's own: a network namespace, in a user
  /// namespace where the tests do not run as root.
  @Suite struct DiscoverTests {
    struct Found: Decodable {
      struct Device: Decodable {
        struct Stream: Decodable, Equatable {
          let profile: String
          let url: String
          let encoding: String?
          let width: Int?
          let height: Int?
          var elsewhere: Bool?
        }

        let address: String
        let name: String?
        let manufacturer: String?
        let model: String?
        let location: String?
        let streams: [Stream]
        let problem: String?
      }

      let devices: [Device]
    }

    private static let login = "viewer:hunter2-p@ss&<w0rd"

    private func discover(_ devices: [String], _ arguments: [String]) throws -> Child {
      let namespaces = geteuid() == 0 ? ["--net"] : ["--user", "--map-root-user", "--net"]
      let script = Testbed.root.appending(path: "Toolchain/testbed/onvif.py").path
      return try Child(
        "/usr/bin/unshare",
        namespaces + ["--", "/usr/bin/python3", script, devices.joined(separator: ","), Self.login, Testbed.camgate]
          + ["discover"] + arguments)
    }

    private func found(_ devices: [String], _ arguments: [String]) throws -> (Found, Child) {
      let child = try discover(devices, ["--json"] + arguments)
      #expect(try child.waitForExit() == .code(0), "\(child.transcript)")
      let line = try #require(child.output.last, "\(child.transcript)")
      return (try JSONDecoder().decode(Found.self, from: Data(line.utf8)), child)
    }

    private func withPasswordFile<Result>(_ password: String, _ body: (String) throws -> Result) throws -> Result {
      let file = FileManager.default.temporaryDirectory.appending(path: "camgate-test-\(UUID().uuidString)")
      try Data((password + "\n").utf8).write(to: file)
      defer { try? FileManager.default.removeItem(at: file) }
      return try body(file.path)
    }

    /// The first answer of each device is lost, one sends garbage in front of it, and two have the same UUID.
    @Test func allAreFoundWithoutALogin() throws {
      let (found, child) = try found(["gate", "locked", "strange", "twin", "liar"], [])
      #expect(found.devices.map(\.address) == (20...24).map { "10.9.0.\($0)" }, "\(child.transcript)")
      #expect(found.devices.map(\.name) == ["Gate North", "Locked", "Str\u{fffd}[31mange", "Twin", "Liar"])
      #expect(found.devices[0].model == "IPC-100" && found.devices[0].location == "yard")
      #expect(found.devices[2].model?.count == 200)
      #expect(found.devices.allSatisfy { $0.streams.isEmpty && $0.problem == nil })
    }

    @Test func aLoginBringsTheStreamsAndDropsNobody() throws {
      try withPasswordFile(String(Self.login.dropFirst("viewer:".count))) { file in
        let names = ["gate", "locked", "past", "liar", "silent", "endless", "strange"]
        let (found, child) = try found(names, ["--username", "viewer", "--password-file", file, "--seconds", "3"])
        #expect(found.devices.count == names.count, "\(child.transcript)")
        for (index, name) in names.enumerated() where ["gate", "past", "strange"].contains(name) {
          let (device, address) = (found.devices[index], "10.9.0.\(20 + index)")
          #expect(device.problem == nil && device.manufacturer == "Acme & Sons", "\(child.transcript)")
          #expect(
            device.streams == [
              .init(
                profile: "main", url: "rtsp://\(address)/main?a=1&b=2", encoding: "H264", width: 1_920, height: 1_080),
              .init(profile: "sub", url: "rtsp://\(address)/sub?a=1&b=2", encoding: "JPEG", width: 640, height: 480),
            ])
        }
        for (index, text) in [(1, "refuses the login"), (4, "no answer in time"), (5, "no ONVIF service")] {
          #expect(found.devices[index].problem?.contains(text) == true, "\(found.devices[index])")
        }
        // It says that it is elsewhere, and is asked all the same, and nobody else.
        #expect(found.devices[3].streams.count == 2, "\(found.devices[3])")
        #expect(!(child.output + child.errors).contains { $0.contains("hunter2") }, "\(child.transcript)")
      }
    }

    /// A stream on another host than the device's is marked, and nobody is told to take the login there.
    @Test(arguments: [["gate", "pointer"], ["pointer"]])
    func streamsElsewhereAreMarked(_ names: [String]) throws {
      try withPasswordFile(String(Self.login.dropFirst("viewer:".count))) { file in
        let login = ["--username", "viewer", "--password-file", file, "--seconds", "2"]
        let (found, json) = try found(names, login)
        #expect(found.devices.map { $0.streams.map(\.elsewhere) }.last == [true, true], "\(json.transcript)")
        #expect(found.devices.dropLast().allSatisfy { $0.streams.allSatisfy { $0.elsewhere == nil } })
        let text = try discover(names, login)
        #expect(try text.waitForExit() == .code(0), "\(text.transcript)")
        #expect(text.output.filter { $0.contains("rtsp://10.9.0.99/") }.allSatisfy { $0.hasSuffix("on another host") })
        let hint = try #require(text.errors.last)
        #expect(hint.contains("the same login") == names.contains("gate"), "\(hint)")
        #expect(hint.contains("on another host"), "\(hint)")
      }
    }

    /// A device that knows the password may write it anywhere; what is said is looked through (`OddPassword`).
    @Test(arguments: [[], ["--json"]])
    func whatADeviceRepeatsIsHidden(_ arguments: [String]) throws {
      try withPasswordFile(String(Self.login.dropFirst("viewer:".count))) { file in
        let login = ["--username", "viewer", "--password-file", file, "--seconds", "3"]
        let child = try discover(["parrot", "ara", "kea"], login + arguments)
        #expect(try child.waitForExit() == .code(0), "\(child.transcript)")
        let output = child.output.joined()
        for name in ["Parrot", "Ara", "Kea"] { #expect(output.contains(name), "\(child.transcript)") }
        #expect(output.components(separatedBy: "***").count > 9, "\(child.transcript)")
        #expect(!output.contains("hunter2") && !output.contains("hunt"), "\(child.transcript)")
      }
    }

    /// HTTP Digest with either hash, a nonce that grows old, and the challenge behind another in one header. No device
    /// has a login to refuse: some lock after five.
    @Test func aDigestIsAnswered() throws {
      try withPasswordFile(String(Self.login.dropFirst("viewer:".count))) { file in
        let names = ["digest", "sha", "both", "fickle", "future"]
        let (found, child) = try found(names, ["--username", "viewer", "--password-file", file, "--seconds", "3"])
        #expect(found.devices.prefix(4).map(\.streams.count) == [2, 2, 2, 2], "\(child.transcript)")
        #expect(found.devices.last?.problem?.contains("SHA-512-256") == true, "\(child.transcript)")
        for name in names { #expect(child.errors.contains("\(name) refused []"), "\(child.transcript)") }
        #expect(!(child.output + child.errors).contains { $0.contains("hunter2") }, "\(child.transcript)")
      }
    }

    /// One try with a wrong password is enough.
    @Test func aWrongDigestIsTriedOnce() throws {
      try withPasswordFile("wrong") { file in
        let login = ["--username", "viewer", "--password-file", file, "--seconds", "3"]
        let (found, child) = try found(["digest", "sha"], login)
        #expect(found.devices.allSatisfy { $0.problem?.contains("refuses the login") == true }, "\(child.transcript)")
        for name in ["digest", "sha"] {
          #expect(child.errors.contains("\(name) refused ['a wrong login']"), "\(child.transcript)")
        }
      }
    }

    /// Media2 where there is one that answers, else Media 1.
    @Test func media2BringsH265() throws {
      try withPasswordFile(String(Self.login.dropFirst("viewer:".count))) { file in
        let login = ["--username", "viewer", "--password-file", file, "--seconds", "3"]
        let (found, child) = try found(["modern", "boaster"], login)
        #expect(
          found.devices.first?.streams == [
            .init(profile: "main", url: "rtsp://10.9.0.20/h265", encoding: "H265", width: 3_840, height: 2_160)
          ], "\(child.transcript)")
        #expect(found.devices.last?.streams.map(\.encoding) == ["H264", "JPEG"], "\(child.transcript)")
      }
    }

    @Test func aWrongLoginIsSaid() throws {
      try withPasswordFile("wrong") { file in
        let child = try discover(["gate"], ["--username", "viewer", "--password-file", file, "--seconds", "3"])
        #expect(try child.waitForExit() == .code(0))
        #expect(child.output.contains { $0.hasPrefix("10.9.0.20  Gate North") }, "\(child.transcript)")
        #expect(child.output.contains { $0.contains("refuses the login") })
      }
    }

    /// Nobody there is no failure; an interface that is not there is one.
    @Test func nobody() throws {
      let (found, child) = try found([], ["--seconds", "1"])
      #expect(found.devices.isEmpty, "\(child.transcript)")
      let wrong = try discover([], ["--interface", "eth77"])
      #expect(try wrong.waitForExit() == .code(1))
      #expect(wrong.errors.contains { $0.contains("eth77") }, "\(wrong.transcript)")
      let one = try self.found(["gate"], ["--interface", "net0", "--seconds", "3"]).0
      #expect(one.devices.count == 1)
      for arguments in [
        ["--seconds", "0"], ["--password-file", "x"], ["--username", "a", "--password-file", "/nowhere"],
      ] {
        #expect(try discover([], arguments).waitForExit() == .code(64))
      }
    }
  }
}
