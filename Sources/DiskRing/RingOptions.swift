import Posix

// What a ring is opened with.

/// How large a ring is and how often it is made durable.
package struct RingOptions: Sendable {
  package enum Size: Sendable, Equatable {
    /// Bytes on disk, everything included.
    case bytes(Int)
    /// 90 % of what is free; decided when the ring is made and kept in its superblock.
    case auto
  }

  package var size: Size
  /// Bytes of one segment, 4 MiB to 256 MiB; a ring that holds something keeps what it was made with.
  package var segmentByteCount: Int
  /// How old a written record may become before it is made durable.
  package var syncInterval: Duration
  /// How many written bytes may wait to be made durable.
  package var syncBytes: Int
  /// The epoch is at least this: max(seconds of the clock, of the build), so that an older copy of a ring, put in again,
  /// does not use an epoch a second time. Never a number that was read in Kafka: anyone may have written it.
  package var minimumEpoch: UInt64
  /// The id of a ring that is made new: 64 random bits.
  package var newRingID: UInt64
  /// Of superblock and cursor one slot is enough, though the other cannot be read for now: what is finished may go back to
  /// it. To be set once the fault has lasted.
  package var acceptsOneSlot = false
  /// Only for the simulator: mistakes that it must find.
  package var defects: RingDefects = []

  package init(
    size: Size, segmentByteCount: Int = 32 << 20, syncInterval: Duration = .seconds(1), syncBytes: Int = 4 << 20,
    minimumEpoch: UInt64, newRingID: UInt64 = .random(in: 1...(.max))
  ) {
    (self.size, self.segmentByteCount) = (size, segmentByteCount)
    (self.syncInterval, self.syncBytes) = (syncInterval, syncBytes)
    (self.minimumEpoch, self.newRingID) = (minimumEpoch, newRingID)
  }
}

/// Mistakes a ring can be told to make, so that a simulator that does not find them is known to be worth nothing.
package struct RingDefects: OptionSet, Sendable {
  package let rawValue: Int

  package init(rawValue: Int) { self.rawValue = rawValue }

  /// Checksums do not depend on the segment's generation.
  package static let noSalt = RingDefects(rawValue: 1 << 0)
  /// Records are spilled before the first cursor is durable.
  package static let cursorBeforeSync = RingDefects(rawValue: 1 << 1)
  /// Records are written into a reused segment before its new header is durable.
  package static let recordsBeforeHeader = RingDefects(rawValue: 1 << 2)
  /// The footer is written before the records it vouches for are durable.
  package static let footerBeforeSync = RingDefects(rawValue: 1 << 3)
  /// A failed sync is tried again on the same data.
  package static let retriesSync = RingDefects(rawValue: 1 << 4)
  /// The cursor has one slot.
  package static let singleCursorSlot = RingDefects(rawValue: 1 << 5)
  /// The epoch is used before it is durable.
  package static let epochBeforeSync = RingDefects(rawValue: 1 << 6)
  /// Names are not made durable.
  package static let noDirectorySync = RingDefects(rawValue: 1 << 7)
  /// Payloads are not verified when they are read.
  package static let noVerification = RingDefects(rawValue: 1 << 8)
  /// The epoch is one more than the highest on disk, whatever the clock says.
  package static let epochIgnoresClock = RingDefects(rawValue: 1 << 24)
  /// Records wait for a cursor that cannot be written.
  package static let cursorBlocks = RingDefects(rawValue: 1 << 14)
  /// What cannot be read is given up as damaged.
  package static let errorIsDamage = RingDefects(rawValue: 1 << 9)
  /// The oldest segment makes room for a header that is not durable.
  package static let evictsEarly = RingDefects(rawValue: 1 << 10)
  /// A file that cannot be looked at is no part of the ring, and its name is free.
  package static let forgetsUnread = RingDefects(rawValue: 1 << 12)
  /// Both slots of a small file are read together: one that cannot be read keeps the ring from opening.
  package static let readsCopiesTogether = RingDefects(rawValue: 1 << 13)
  /// A ring that could not be written is not written again.
  package static let degradesForGood = RingDefects(rawValue: 1 << 11)
}

/// A file whose bytes are to be made durable; one at a time.
package struct SyncRequest: Sendable, Hashable {
  let number: UInt64
  package let file: FileNumber
}
