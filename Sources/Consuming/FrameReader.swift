import Broker
import Frames
import Imaging
import Posix
import Records

// The reading side as a whole: records in, pictures to a processor, offsets back.

/// Reads frames from a topic as a member of a group and has them processed. Used by one thread.
package final class FrameReader {
  /// What was read so far.
  package struct Statistics: Sendable {
    /// Pictures that were processed.
    package var processedCount = 0
    /// Records that repeated an earlier one and were dropped.
    package var repeatedCount = 0
    /// Records that are no frames.
    package var foreignCount = 0
    /// Frames that could not be decoded, among them those before a camera's first keyframe.
    package var skippedCount = 0
    /// Frames of which parts were missing.
    package var incompleteCount = 0
  }

  private let consumer: Consumer
  private let processor: any FrameProcessor
  private let wantsCamera: (ReceivedFrame) -> Bool
  private let log: Log
  private var reassembler = Reassembler()
  private var deduplicator = Deduplicator()
  private var offsets = OffsetTracker()
  private var cameras: [String: (decoder: CameraDecoder, partition: Int32, source: String)] = [:]
  private var skippedEarlier = 0
  private var counts = Statistics()
  /// Partitions this reader has at the moment.
  package private(set) var partitions: Set<Int32> = []

  /// `wantsCamera` chooses whose frames are processed; others are passed over.
  package init(
    consumer: Consumer, processor: any FrameProcessor, log: Log, wantsCamera: @escaping (ReceivedFrame) -> Bool
  ) {
    (self.consumer, self.processor, self.log, self.wantsCamera) = (consumer, processor, log, wantsCamera)
  }

  /// Frames that were processed or will be at the latest by `finish`.
  package var acceptedCount: Int { cameras.values.reduce(counts.processedCount) { $0 + $1.decoder.pendingCount } }

  package var statistics: Statistics {
    var result = counts
    result.incompleteCount = reassembler.incompleteCount
    result.skippedCount = cameras.values.reduce(skippedEarlier) { $0 + $1.decoder.skippedCount }
    return result
  }

  /// Waits up to `milliseconds` for an event and handles it.
  package func step(milliseconds: Int32) {
    switch consumer.poll(milliseconds: milliseconds) {
    case .record(let record): handle(record)
    case .assigned(let partitions):
      self.partitions = Set(partitions)
      log.info("reads partitions \(partitions.sorted().map { String($0) }.joined(separator: ", "))")
    case .revoked(let partitions): revoke(partitions)
    case .error(let error): log.warning("\(error.message) (\(error.name))")
    case nil: break
    }
  }

  /// Hands out the pictures the decoders still hold.
  package func finish() {
    for camera in cameras.values { camera.decoder.drain { process($0, $1, source: camera.source) } }
  }

  private func handle(_ record: IncomingRecord) {
    defer {
      offsets.advance(partition: record.partition, to: record.offset + 1)
      if let offset = offsets.committable(partition: record.partition, now: .now()) {
        consumer.storeOffset(partition: record.partition, offset: offset)
      }
    }
    let part: ReceivedFrame
    do throws(RecordError) {
      part = try ReceivedFrame(record)
    } catch {
      counts.foreignCount += 1
      return log.debug("offset \(record.offset) of partition \(record.partition) is no frame: \(error.message)")
    }
    guard wantsCamera(part) else { return }
    // A part of a frame that was complete before would begin the same frame again.
    if deduplicator.contains(part.id, source: part.source) {
      counts.repeatedCount += 1
      return
    }
    let joined = reassembler.take(part)
    offsets.pin(
      .parts(of: part.source), partition: part.partition,
      offset: reassembler.unfinishedOffset(source: part.source), now: .now())
    guard let frame = joined else { return }
    deduplicator.insert(frame.id, source: frame.source)
    let decoder = cameras[frame.stream]?.decoder ?? CameraDecoder()
    cameras[frame.stream] = (decoder, frame.partition, frame.source)
    let needed = decoder.take(frame) { process($0, $1, source: frame.source) }
    offsets.pin(.group(of: frame.stream), partition: frame.partition, offset: needed, now: .now())
  }

  private func process(_ picture: borrowing Picture, _ frame: ReceivedFrame, source: String) {
    counts.processedCount += 1
    processor.process(picture, of: frame)
  }

  /// These partitions may come back from an earlier offset: what was known of their cameras is forgotten.
  private func revoke(_ revoked: [Int32]) {
    partitions.subtract(revoked)
    for partition in revoked { offsets.forget(partition: partition) }
    for (stream, camera) in cameras where revoked.contains(camera.partition) {
      skippedEarlier += camera.decoder.skippedCount
      cameras[stream] = nil
      reassembler.forget(source: camera.source)
      deduplicator.forget(source: camera.source)
    }
    log.info("partitions \(revoked.sorted().map { String($0) }.joined(separator: ", ")) went back to the group")
  }
}

extension ReceivedFrame {
  /// Reads a record, which lives as long as the frame's payload. Throws for one that is no frame.
  package init(_ record: IncomingRecord) throws(RecordError) {
    try self.init(
      headers: record.headers, payload: Payload(adopting: record.value) { _ = record }, partition: record.partition,
      offset: record.offset)
  }
}
