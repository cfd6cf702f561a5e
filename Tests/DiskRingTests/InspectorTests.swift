import Glibc
import Posix
import Testing

@testable import DiskRing

/// Looking into a ring of which nobody knows anything but the directory.
@Suite final class InspectorTests {
  let directory = Scratch()
  let options = RingOptions(size: .bytes(1 << 20 + 4 << 22), segmentByteCount: 4 << 20, minimumEpoch: 1)

  /// Frames 1 to 8, keyframes 1 and 5; the first two are finished.
  private func fill() throws {
    let ring = try Ring.open(try PosixStorage(path: directory.path), options)
    let stream = try ring.register(StreamDescription(name: "gate", topic: "cameras"))
    for sequence in 1...8 { try spill(ring, stream, sequence, isKeyframe: sequence % 4 == 1) }
    ring.finish(stream, throughUnstored: RecordKey(epoch: ring.epoch, sequence: 2))
    ring.flush(now: .start)
    ring.close()
  }

  @Test func contents() throws {
    try fill()
    let contents = try #require(try RingInspector(path: directory.path).contents.first)
    #expect(contents.inventory.description.name == "gate")
    #expect(contents.recordCount == 8 && contents.keyframeCount == 2 && contents.payloadByteCount == 3_600)
    #expect(contents.inventory.recordCount == 6 && contents.firstTime == 1 && contents.lastTime == 8)
  }

  @Test func whoLooksKeepsNobodyOut() throws {
    try fill()
    let looking = try RingInspector(path: directory.path)
    let ring = try Ring.open(try PosixStorage(path: directory.path), options)
    #expect(!looking.ring.recovery.isInUse)
    #expect(try RingInspector(path: directory.path).ring.recovery.isInUse)
    #expect(looking.contents.first?.recordCount == 8)
    ring.close()
  }

  @Test func damageIsFoundAndLeftOut() throws {
    try fill()
    // The third frame's payload: behind two headers, the declarations and two records.
    let path = "\(directory.path)/segment-00000"
    var bytes = try Files.read(path, limit: 8 << 20)
    let wanted = payload(3)
    let third = try #require((0..<65_536).first { bytes[$0..<($0 + 300)].elementsEqual(wanted) })
    bytes[third] ^= 1
    let descriptor = open(path, O_WRONLY)
    try Files.write(bytes, to: descriptor)
    close(descriptor)

    let inspector = try RingInspector(path: directory.path)
    #expect(inspector.ring.recovery.counts[.damagedBody] == 1)
    var exported: [[UInt8]] = []
    let stream = try #require(inspector.ring.inventory.first?.stream)
    #expect(inspector.export(stream, to: { bytes, _, _ in exported.append(Array(bytes.payload)) }) == 6)
    #expect(exported == [1, 2, 5, 6, 7, 8].map { payload($0) }, "up to the hole, and from the next keyframe on")
  }

  @Test func noRing() throws {
    #expect(throws: RingError.self) { try RingInspector(path: self.directory.path) }
    #expect(directory.names.isEmpty)
  }
}
