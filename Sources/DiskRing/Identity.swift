import Posix

// What the ring calls the things it stores. It knows opaque bytes, a stream's number and a keyframe bit, never a frame.

/// Whose records belong together, in order: one lane of the gateway (a camera to a topic). The description is stored in
/// the ring, so that what a camera left behind still goes out when it was renamed or removed.
package struct StreamDescription: Sendable, Hashable {
  /// The camera's name at the time.
  package var name: String
  /// The topic its frames were meant for.
  package var topic: String

  package init(name: String, topic: String) { (self.name, self.topic) = (name, topic) }
}

/// A stream's number in one ring; `Ring.register` gives it. Small, and the same after a restart while the ring holds
/// anything of the stream.
package struct StreamID: Sendable, Hashable, Comparable {
  package let number: UInt16

  package init(number: UInt16) { self.number = number }

  package static func < (left: StreamID, right: StreamID) -> Bool { left.number < right.number }
}

/// A frame's identity within its stream. Grows strictly from record to record; never used twice.
package struct RecordKey: Sendable, Hashable, Comparable {
  /// The gateway's run.
  package var epoch: UInt64
  /// The frame's number within the run.
  package var sequence: UInt64

  package init(epoch: UInt64, sequence: UInt64) { (self.epoch, self.sequence) = (epoch, sequence) }

  /// Before every record.
  package static let zero = RecordKey(epoch: 0, sequence: 0)

  package static func < (left: RecordKey, right: RecordKey) -> Bool {
    (left.epoch, left.sequence) < (right.epoch, right.sequence)
  }
}

/// A place in a stream: everything up to and including a record.
///
/// Ordinals count the stream's records in this ring (1, 2, 3, …) without holes. That is what makes losses countable: two
/// neighbours whose ordinals differ by more than one have lost exactly the records between them, whoever took them.
package struct Mark: Sendable, Hashable {
  package var key: RecordKey
  package var ordinal: UInt64

  package init(key: RecordKey, ordinal: UInt64) { (self.key, self.ordinal) = (key, ordinal) }

  /// The beginning of a stream.
  package static let start = Mark(key: .zero, ordinal: 0)
}

/// A record in the ring, without its bytes.
package struct StoredRecord: Sendable, Hashable {
  package var stream: StreamID
  /// The place right behind it.
  package var mark: Mark
  package var isKeyframe: Bool
  /// Nanoseconds since 1970.
  package var captureTime: Int64
  package var metadataByteCount: Int
  package var payloadByteCount: Int
  /// Which segment, by its generation, and where in it.
  var generation: UInt64
  var offset: Int

  package var key: RecordKey { mark.key }
}

/// What to append.
package struct NewRecord: Sendable {
  package var stream: StreamID
  /// Must be greater than that of the stream's record before.
  package var key: RecordKey
  package var isKeyframe: Bool
  /// Nanoseconds since 1970.
  package var captureTime: Int64
  /// The caller's description of the frame; the ring does not look into it.
  package var metadata: [UInt8]

  package init(stream: StreamID, key: RecordKey, isKeyframe: Bool, captureTime: Int64, metadata: [UInt8]) {
    (self.stream, self.key, self.isKeyframe) = (stream, key, isKeyframe)
    (self.captureTime, self.metadata) = (captureTime, metadata)
  }
}

/// Appends are numbered from 1 over all streams of this process. All tickets up to `Ring.durableTicket` survive a crash.
package typealias Ticket = UInt64

/// What became of an append.
package enum AppendResult: Sendable, Equatable {
  /// Written. It is durable once `Ring.durableTicket` has reached `ticket`: keep the bytes until then.
  case written(StoredRecord, Ticket)
  /// Not now: a sync has to finish first (a new segment's header, or the cursor before the first record of a spill).
  /// Keep the record and try again after the next `syncFinished`.
  case notNow
  /// Does not fit into an empty segment, and never will: drop it and count it as oversize.
  case oversize
  /// The key is not greater than that of the stream's last record.
  case outOfOrder
  /// The ring takes no records for now (`RingEvent.degraded` said why, `RingEvent.recovered` will say when it does again).
  /// Keep the record in memory; what the ring holds is read and sent as before.
  case degraded
}

/// What is missing in front of a record; all counts are exact.
package struct ReadGap: Sendable, Equatable {
  /// Records that were evicted because the ring was full.
  package var evicted: UInt64 = 0
  /// Records that could not be read back, or whose segment is gone.
  package var damaged: UInt64 = 0
  /// Records that are there but cannot be decoded because one before them is missing.
  package var skipped: UInt64 = 0

  package var count: UInt64 { evicted + damaged + skipped }
}

/// The answer to `Ring.next`.
package enum NextRecord: Sendable, Equatable {
  /// The stream's next record that can be decoded, and what is missing in front of it.
  case record(StoredRecord, gap: ReadGap?)
  /// Nothing more for now. With a gap, the stream's end is missing: the next frame, wherever it comes from, must be a
  /// keyframe and tell the gap; `mark` is the place behind the hole. While more may be appended to the ring, go on asking
  /// with the old mark.
  case end(gap: ReadGap?, mark: Mark)
  /// The stream's next record may be on disk and cannot be read for now: an I/O error, not damage. Hold the stream:
  /// nothing newer of it may be sent before. Ask again with the same mark in a later round; between two attempts, which
  /// `Ring.retry` spaces, asking costs nothing. Other streams are not concerned.
  case held
}

/// The answer to `Ring.read`.
package enum ReadResult: Sendable {
  case bytes(RecordBytes)
  /// The bytes are not what was written, twice, the second time around the page cache. The record is taken out and
  /// counted in the gap of the next.
  case damaged
  /// The bytes cannot be read for now: an I/O error, not damage. As for `NextRecord.held`.
  case held
  /// Evicted in the meantime, and counted in the gap of the next.
  case gone
}

/// Where a stream's consumption stands, as the cursor file keeps it.
package struct CursorEntry: Sendable, Hashable {
  /// Everything up to here is finished: acknowledged, evicted or dropped, and counted.
  package var finished: Mark = .start
  /// Where in Kafka the newest record at or below `finished` lies; before a lane's first record, the partition's high
  /// watermark at that time. nil while unknown.
  package var position: LogPosition?
  /// Everything up to here that the ring no longer has was evicted, not damaged.
  var evictedThrough: Mark = .start

  package init() {}
}

/// A place in a Kafka topic.
package struct LogPosition: Sendable, Hashable {
  package var partition: Int32
  package var offset: Int64

  package init(partition: Int32, offset: Int64) { (self.partition, self.offset) = (partition, offset) }
}

/// What the ring has to tell; `Ring.takeEvents` hands them over in order.
package enum RingEvent: Sendable, Equatable {
  /// The ring was full: these records of the stream made room, `count` of them not finished yet. Of the others nothing on
  /// disk says yet that they are finished: after a crash they may count as evicted.
  case evicted(StreamID, count: UInt64, first: RecordKey, last: RecordKey)
  /// A sync failed: all records with tickets after this one are void. Append them again, in order, before anything new.
  case rewrite(after: Ticket)
  /// Writing or syncing a segment file failed. What it was for is written elsewhere; the file is tried again later.
  case retired(file: String, SystemError)
  /// Headers or syncs failed several times in a row, the device is read-only, or the directory is gone: new records stay
  /// in memory. Nothing more is evicted; reading and finishing go on. `Ring.retry` tries again at growing intervals.
  case degraded(SystemError)
  /// Records are taken again after `degraded`.
  case recovered
  /// A file cannot be read for now. It keeps its name and its bytes; streams that may have records in it are held
  /// (`NextRecord.held`). Said once, until it can be read again.
  case unreadable(file: String, SystemError)
  /// A file can be read again.
  case readable(file: String)
  /// A file that could not be read at opening has these records of the stream, so far unknown and not finished; `last` is
  /// the newest of them. They come before anything that was appended since.
  case found(StreamID, last: Mark)
  /// A record is damaged: its bytes were read and are wrong.
  case damaged(StreamID, RecordKey)
  /// The cursor could not be written: after a restart, more would be sent twice. Tried again at growing intervals;
  /// nothing waits for it.
  case cursorFailed(SystemError)
}

/// What a stream has in the ring that is not finished.
package struct StreamInventory: Sendable, Equatable {
  package var stream: StreamID
  package var description: StreamDescription
  /// Records that are not finished, also those that will be skipped because they cannot be decoded.
  package var recordCount: UInt64 = 0
  package var payloadByteCount: UInt64 = 0
  /// Capture times of the oldest and the newest of them, nanoseconds since 1970.
  package var firstTime: Int64?
  package var lastTime: Int64?
  /// Where reading starts.
  package var cursor = CursorEntry()
  /// The newest record of the stream in the ring, finished or not.
  package var last: Mark = .start
  /// Files could not be read at opening, and the newest records of the stream may be in one of them: `Ring.next` answers
  /// `held` at the end of what is known, and `RingEvent.found` or `RingEvent.readable` settles it.
  package var mayHaveMore = false
}
