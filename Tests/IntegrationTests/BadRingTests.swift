import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// Directories that cannot hold a ring, as they are met by a gateway without privileges: each is named with what to do
  /// about it, and none keeps the gateway from capturing.
  @Suite struct BadRingTests {
    private static let nobody = 65_534

    /// A directory, made by `preparation`, for whoever `user` is. In a namespace of mounts of its own: they go with it.
    private struct Case: CustomTestStringConvertible {
      var testDescription: String
      /// Shell commands; `$1` is the directory.
      var preparation: String
      /// What the log says.
      var words: [String]
    }

    private static let cases = [
      Case(testDescription: "missing", preparation: "rmdir $1", words: ["is not there", "create it"]),
      Case(testDescription: "a file", preparation: "rmdir $1 && touch $1", words: ["a file where", "move it away"]),
      Case(testDescription: "another user's", preparation: "chmod 755 $1", words: ["another user", "chown"]),
      Case(
        testDescription: "another user's files", preparation: "chmod 777 $1 && touch $1/lock && chmod 600 $1/lock",
        words: ["may not be written", "chown"]),
      Case(
        testDescription: "read-only", preparation: "mount -t tmpfs -o ro,mode=777 tmpfs $1",
        words: ["read-only", "remount"]),
      Case(
        testDescription: "full disk",
        preparation: "mount -t tmpfs -o size=80m,mode=777 tmpfs $1 && head -c 40m /dev/zero > $1/other",
        words: ["no room", "make room"]),
      Case(
        testDescription: "larger than the disk", preparation: "mount -t tmpfs -o size=30m,mode=777 tmpfs $1",
        words: ["more than its whole filesystem", "make it smaller"]),
      Case(
        testDescription: "no fallocate", preparation: "mount -t ramfs -o mode=777 ramfs $1",
        words: ["cannot preallocate", "ext4"]),
    ]

    @Test(arguments: cases.indices) func isNamedAndCapturingGoesOn(index: Int) throws {
      let bad = Self.cases[index]
      let ring = try RingDirectory()
      let gateway = try ring.gateway(
        brokers: "127.0.0.1:\(try Testbed.freePort())", [Gateway.Camera("gate", "test:160x120@10")],
        user: Self.nobody, preparation: bad.preparation)
      try gateway.waitForLog("buffer.directory", "cannot be used")
      let line = try #require(gateway.child.errors.first { $0.contains("cannot be used") })
      for word in bad.words { #expect(line.contains(word), "\(bad.testDescription): \(line)") }
      try gateway.waitForLog("memory only", "a power cut loses them")
      try gateway.waitForLog("camera gate", "streaming")
      try gateway.stop()
    }
  }
}
