import Broker
import Foundation
import Frames
import Posix
import Testing

@testable import Backlog
@testable import Delivery

/// What the gateway makes of each kind of error, on the real forwarder with errors put in by the mock cluster. Codes are those
/// of the Kafka protocol guide, "Error Codes".
@Suite struct DispositionTests {
  /// NOT_LEADER_FOR_PARTITION, LEADER_NOT_AVAILABLE, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS,
  /// NOT_ENOUGH_REPLICAS_AFTER_APPEND
  @Test(arguments: [6, 5, 7, 19, 20] as [Int32])
  func passingTroubleIsLeftToLibrdkafka(_ code: Int32) throws {
    let bench = try ForwarderBench()
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: code)
    bench.append(20)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.log.isEmpty, "\(bench.log)")
  }

  /// What librdkafka gives up on and nobody knows to be for good (NETWORK_EXCEPTION, UNKNOWN_SERVER_ERROR), or Kafka calls
  /// retriable (CORRUPT_MESSAGE, librdkafka's INVALID_MSG) is sent again.
  @Test(arguments: [13, -1, 2] as [Int32])
  func whatIsNotKnownToBeForGoodIsSentAgain(_ code: Int32) throws {
    let bench = try ForwarderBench(
      properties: [ClientProperty("linger.ms", "200"), ClientProperty("batch.size", "1000000")])
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: code)
    bench.append(20)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.backlog.drops == [[:]])
  }

  /// A broker that answers late (throttled, overloaded) costs time and nothing else.
  @Test func aBrokerThatIsSlowIsWaitedFor() throws {
    let bench = try ForwarderBench()
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.setRoundTrip(milliseconds: 700)
    bench.append(50)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.log.isEmpty, "\(bench.log)")
  }

  /// OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_EPOCH
  @Test(arguments: [45, 59, 47] as [Int32])
  func aLostProducerIsReplaced(_ code: Int32) throws {
    // One request at a time: what is under way behind the one that fails the mock would take.
    let bench = try ForwarderBench(properties: [ClientProperty("max.in.flight", "1")])
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, code: code)
    bench.append(20)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.log.allSatisfy { $0.contains("the producer failed") }, "\(bench.log)")
    #expect(bench.backlog.drops == [[:]])
  }

  /// TOPIC_AUTHORIZATION_FAILED, INVALID_TOPIC_EXCEPTION, POLICY_VIOLATION
  @Test(arguments: [29, 17, 44] as [Int32])
  func whatTheOperatorMustMendIsHeld(_ code: Int32) throws {
    let bench = try ForwarderBench()
    bench.append(1)
    #expect(bench.settles())
    // Every attempt fails, until the test has seen what it came for.
    bench.cluster.fail(.produce, count: 1_000, code: code)
    bench.append(20)
    #expect(bench.line(with: "are held, create the topic or mend the rights") != nil)
    #expect(bench.forwarder.status.held.count == 1)
    bench.cluster.stopFailing(.produce)
    #expect(bench.settles())
    try bench.expectEverything()
    #expect(bench.backlog.drops == [[:]])
  }

  /// INVALID_TIMESTAMP, RECORD_LIST_TOO_LARGE, UNSUPPORTED_FOR_MESSAGE_FORMAT, INVALID_RECORD: the batch, then its first
  /// frame alone. The others go on, and the one that is refused is kept.
  @Test(arguments: [32, 18, 43, 87] as [Int32])
  func whatWillNeverBeAcceptedIsKeptAsideAndTheStreamGoesOn(_ code: Int32) throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let bench = try ForwarderBench(quarantine: directory)
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, count: 2, code: code)
    bench.append(20)
    #expect(bench.settles())
    #expect(bench.line(with: "Kafka will never accept frame 2") != nil)
    #expect(bench.backlog.drops == [[.quarantined: 1]])
    try bench.expectEverything(dropped: [2])
    bench.drain(within: .seconds(1))
    let items = Quarantine.list(directory)
    #expect(items.count == 1)
    #expect(items.first?.description.contains(#""ce_id":"0000000000000001-1-2""#) == true)
    #expect(bench.forwarder.status.quarantine.kept == 1)
  }

  /// A frame is finished only when it is kept: after a power cut it is on disk, or still in the ring. The file is a pipe
  /// here, which nobody reads: the disk takes its time.
  @Test func whatIsKeptAsideIsOnDiskBeforeTheFrameIsFinished() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "camgate-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let file = directory + "/cam-0-0000000000000001-1-2.jpg"
    try #require(mkfifo(file, 0o600) == 0)
    let bench = try ForwarderBench(quarantine: directory)
    bench.append(1)
    #expect(bench.settles())
    bench.cluster.fail(.produce, count: 2, code: 87)  // INVALID_RECORD
    bench.append(2)
    #expect(bench.line(with: "Kafka will never accept frame 2") != nil)
    #expect(bench.backlog.drops == [[:]])
    #expect(bench.forwarder.status.acknowledgedCount == 1)
    let pipe = try #require(FileHandle(forReadingAtPath: file))
    #expect(try pipe.readToEnd()?.count == 600)
    #expect(bench.settles())
    #expect(bench.backlog.drops == [[.quarantined: 1]])
  }

  /// The one error that may have let records through: the answers did not come, the producer was given up. Kafka's tail says
  /// what it has, and nothing is sent twice (the mock removes no duplicates: the topic is counted as it is).
  @Test func whatMayHaveArrivedIsLookedForBeforeItIsSentAgain() throws {
    let bench = try ForwarderBench(laneCount: 3, resumeQuiet: .milliseconds(300))
    bench.append(5)
    #expect(bench.settles())
    bench.cluster.setRoundTrip(milliseconds: 25_000)
    bench.append(20)
    #expect(bench.waitUntilInFlight(60))
    bench.forwarder.renew(Security())
    #expect(bench.line(with: "a new producer is in use") != nil)
    bench.cluster.setRoundTrip(milliseconds: 0)
    bench.append(5)
    #expect(bench.settles())
    #expect(bench.line(with: "are in Kafka already and are not sent again") != nil)
    let stored = try bench.stored()
    #expect(stored.count == 90, "\(stored.count) records for 90 frames")
    try bench.expectEverything()
  }

  /// The same without looking doubles records, or the test above would show nothing.
  @Test func withoutLookingItIsSentTwice() throws {
    let bench = try ForwarderBench(laneCount: 3)
    bench.append(5)
    #expect(bench.settles())
    bench.cluster.setRoundTrip(milliseconds: 25_000)
    bench.append(20)
    #expect(bench.waitUntilInFlight(60))
    bench.forwarder.renew(Security())
    #expect(bench.line(with: "a new producer is in use") != nil)
    bench.cluster.setRoundTrip(milliseconds: 0)
    #expect(bench.settles())
    #expect(try bench.stored().count > 75)
    try bench.expectEverything()
  }
}
