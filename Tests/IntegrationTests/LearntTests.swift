import Broker
import Foundation
import Testing

@testable import Capture

extension IntegrationTests.CameraSide {
  /// What is found out about a camera outlives the gateway that found it out.
  @Suite struct LearntTests {
    let ring: RingDirectory
    let responder: Server
    let cluster: MockCluster

    init() throws {
      (ring, responder) = (try RingDirectory(), try Testbed.responder())
      cluster = try MockCluster(brokerCount: 1)
    }

    private func gateway(_ name: String, _ url: String, _ keys: [String: String] = [:]) throws -> Gateway {
      try ring.gateway(brokers: cluster.address, [Gateway.Camera(name, url, keys)])
    }

    private func probe(_ url: String, _ arguments: String...) throws -> Child {
      let child = try Child(Testbed.camgate, ["probe", url, "--ring", ring.url.path] + arguments)
      _ = try child.waitForExit(timeout: 120)
      return child
    }

    /// A camera that sends a picture in seven seconds: the first run is too impatient once, the ones behind it never.
    @Test func howSlowACameraIs() throws {
      let url = try responder.url("slow")
      let first = try gateway("gate", url)
      try first.waitForLog("no second frame for 5 s")
      try first.waitForLog("frames are waited for up to 40 s from now on")
      try first.stop()

      let patient = try probe(url, "--seconds", "8")
      #expect(patient.output.contains { $0.contains("waits up to 40 s for a frame") }, "\(patient.transcript)")
      #expect(patient.output.contains("works"), "\(patient.transcript)")

      // A camera that has moved is another one.
      let second = try gateway("gate", url)
      try second.waitForLog("learnt earlier: waits up to 40 s for a frame")
      try second.stop()
      let moved = try gateway("gate", url + "?moved")
      try moved.waitForLog("no second frame for 5 s")
      try moved.stop()
      #expect(!moved.child.errors.contains { $0.contains("learnt earlier") }, "\(moved.child.transcript)")
    }

    /// That a login has worked is remembered, and the login is not; another password is another login.
    @Test func thatALoginHasWorked() throws {
      let password = OddPassword.all[0]
      let (right, wrong) = (ring.url.appending(path: "right"), ring.url.appending(path: "wrong"))
      try Data(password.utf8).write(to: right)
      try Data("another".utf8).write(to: wrong)
      let keys = ["username": "odd user", "password_file": right.path]
      let gateway = try gateway("gate", try responder.url("login"), keys)
      try gateway.waitForLog("streaming h264")
      try gateway.stop()

      let login = ["--username", "odd user", "--password-file"]
      let worked = try probe(try responder.url("login"), login[0], login[1], login[2], right.path, "--seconds", "1")
      #expect(worked.output.contains { $0.contains("this login has worked") }, "\(worked.transcript)")
      let other = try probe(try responder.url("login"), login[0], login[1], login[2], wrong.path, "--seconds", "1")
      #expect(!other.output.contains { $0.contains("this login has worked") }, "\(other.transcript)")
      for file in try FileManager.default.contentsOfDirectory(atPath: ring.url.path) where file != "right" {
        let bytes = try Data(contentsOf: ring.url.appending(path: file))
        #expect(bytes.range(of: Data(password.utf8)) == nil, "the password is in \(file)")
      }
    }

    /// Which request keeps a camera's sessions. A distribution's FFmpeg takes no orders: its sessions go on ending, and
    /// nothing is learnt from that.
    @Test func whatKeepsItsSessions() throws {
      let url = try responder.url("kept-by-get-parameter")
      let first = try gateway("gate", url)
      if ffmpegMarksGaps {
        try first.waitForLog("kept with GET_PARAMETER from the next one on")
        try first.waitForLog("GET_PARAMETER keeps its sessions")
      } else {
        var next = 0
        for _ in 0..<3 { next = try first.waitForLog(from: next, "the stream ended") + 1 }
      }
      try first.stop()
      #expect(first.child.errors.contains { $0.contains("kept with") } == ffmpegMarksGaps, "\(first.child.transcript)")
      let probed = try probe(url, "--seconds", ffmpegMarksGaps ? "8" : "3")
      let isKnown = probed.output.contains { $0.contains("GET_PARAMETER keeps its sessions") }
      #expect(isKnown == ffmpegMarksGaps, "\(probed.transcript)")
      #expect(probed.output.contains("works"), "\(probed.transcript)")
    }

    /// A file that cannot be read or written costs what was learnt and nothing else.
    @Test func damageCostsWhatWasLearnt() throws {
      let file = ring.url.appending(path: "learnt")
      try Data("no such thing\n".utf8).write(to: file)
      let keys = ["username": "odd user", "password": "'\(OddPassword.all[0])'"]
      let damaged = try gateway("gate", try responder.url("login"), keys)
      try damaged.waitForLog("what was learnt about cameras is damaged")
      try damaged.waitForLog("streaming h264")
      try damaged.stop()
      #expect(try String(contentsOf: file, encoding: .utf8).hasPrefix("camgate-learnt 1 "))

      try FileManager.default.removeItem(at: file)
      let inTheWay = ring.url.appending(path: "learnt.new/file")
      try FileManager.default.createDirectory(at: inTheWay, withIntermediateDirectories: true)
      let unwritable = try gateway("gate", try responder.url("login"), keys)
      try unwritable.waitForLog("what was learnt about cameras could not be written down")
      try unwritable.stop()
      #expect(unwritable.child.errors.count { $0.contains("could not be written down") } == 1)
    }
  }
}
