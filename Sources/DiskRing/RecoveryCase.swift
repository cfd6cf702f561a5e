// Recovery as tables: everything that can be found at one place has one name, and a test proves that every combination
// of what is looked at has exactly one. A case decides what is done; there are no other ifs.

/// What was found at one place of a ring, and so what is done there.
package enum RecoveryCase: String, Sendable, CaseIterable {
  // A place where a record may begin.
  /// A sound record.
  case sound
  /// A sound record that is not behind the one before it: written again after a failed sync. Left out.
  case repeated
  /// The header is sound, the body is not, and records follow: one record is lost, and counted.
  case damagedBody
  /// The same with nothing behind it: a write that the crash tore, never durable. Cut off.
  case tornBody
  /// What stood here was a record of this segment, and records follow: lost, and counted by the ordinals around it.
  case damagedHeader
  /// Nothing of this segment, but records follow: writes that the crash dropped. Counted like the case above.
  case hole
  /// The remains of a record's header with nothing behind it. Cut off.
  case tornHeader
  /// The end of the records.
  case end

  // A segment file.
  /// Never written.
  case blank
  /// Full and complete: the footer is believed.
  case sealed
  /// The same, with one of its two headers damaged.
  case sealedHeaderCopyDamaged
  /// Both headers are gone, the footer says what they said. Also a reuse that the crash cut short.
  case headersLost
  /// Not sealed: scanned.
  case open
  /// The same, with one of its two headers damaged.
  case openHeaderCopyDamaged
  /// Sealed once, but the footer is damaged: scanned, and sealed again.
  case footerDamaged
  /// The file is shorter or longer than a segment: what is in it is scanned, and the file gets its size back.
  case wrongSize
  /// Neither headers nor footer: nothing can be read. The file is used again.
  case unreadable
  /// Another ring's. Set aside, and never touched.
  case foreign
  /// A copy of a segment that is there. Used again.
  case copy

  // The directory.
  /// The file's name is not the one it was written under. Harmless: segments know their order.
  case renamed
  /// A segment under a name that is none of a segment. Renamed.
  case stray
  /// A segment's file is not there; what it held is lost, and counted by the ordinals around it. Made anew.
  case missing

  // Superblock and cursor.
  /// Both slots are sound.
  case slotsSound
  /// One slot is sound, the other was never written.
  case slotFresh
  /// One slot is sound, the other is torn or damaged.
  case slotDamaged
  /// Never written.
  case slotsBlank
  /// No slot is sound: the superblock is made again from the segments, the cursor from their stream tables.
  case slotsLost

  /// Whether this is more than what a power cut leaves behind.
  package var isDamage: Bool {
    switch self {
    case .sound, .end, .blank, .sealed, .open, .slotsSound, .slotFresh, .slotsBlank: false
    case .tornBody, .tornHeader, .headersLost, .hole, .repeated: false
    case .damagedBody, .damagedHeader, .sealedHeaderCopyDamaged, .openHeaderCopyDamaged, .footerDamaged, .wrongSize,
      .unreadable, .foreign, .copy, .renamed, .stray, .missing, .slotDamaged, .slotsLost:
      true
    }
  }
}

/// A row of a recovery table: `true` and `false` have to be so, nil may be either way.
struct RecoveryRow {
  let recoveryCase: RecoveryCase
  let conditions: [Bool?]

  init(_ recoveryCase: RecoveryCase, _ conditions: Bool?...) {
    (self.recoveryCase, self.conditions) = (recoveryCase, conditions)
  }

  func matches(_ facts: [Bool]) -> Bool {
    zip(conditions, facts).allSatisfy { $0 == nil || $0 == $1 }
  }
}

private let yes: Bool? = true
private let no: Bool? = false
private let any: Bool? = nil

extension RecoveryCase {
  static let recordTable = [
    //          header  resembles body ascending followed
    RecoveryRow(.sound, yes, any, yes, yes, any),
    RecoveryRow(.repeated, yes, any, yes, no, any),
    RecoveryRow(.damagedBody, yes, any, no, any, yes),
    RecoveryRow(.tornBody, yes, any, no, any, no),
    RecoveryRow(.damagedHeader, no, yes, any, any, yes),
    RecoveryRow(.hole, no, no, any, any, yes),
    RecoveryRow(.tornHeader, no, yes, any, any, no),
    RecoveryRow(.end, no, no, any, any, no),
  ]

  /// - Parameters:
  ///   - header: the header's checksum is right.
  ///   - resembles: there are bytes of a header of this generation.
  ///   - body: the body's checksum is right.
  ///   - ascending: the record is behind the stream's record before it.
  ///   - followed: a record with a sound header is somewhere behind it.
  static func record(header: Bool, resembles: Bool, body: Bool, ascending: Bool, followed: Bool) -> RecoveryCase {
    find(recordTable, [header, resembles, body, ascending, followed])
  }

  static let segmentTable = [
    //          ours unique whole header copies footer remains blank
    RecoveryRow(.foreign, no, any, any, any, any, any, any, any),
    RecoveryRow(.copy, yes, no, any, any, any, any, any, any),
    RecoveryRow(.sealed, yes, yes, yes, yes, yes, yes, any, any),
    RecoveryRow(.sealedHeaderCopyDamaged, yes, yes, yes, yes, no, yes, any, any),
    RecoveryRow(.headersLost, yes, yes, yes, no, any, yes, any, any),
    RecoveryRow(.footerDamaged, yes, yes, yes, yes, any, no, yes, any),
    RecoveryRow(.open, yes, yes, yes, yes, yes, no, no, any),
    RecoveryRow(.openHeaderCopyDamaged, yes, yes, yes, yes, no, no, no, any),
    RecoveryRow(.wrongSize, yes, yes, no, yes, any, any, any, any),
    RecoveryRow(.unreadable, yes, yes, no, no, any, yes, any, any),
    RecoveryRow(.unreadable, yes, yes, any, no, any, no, any, no),
    RecoveryRow(.blank, yes, yes, any, no, any, no, any, yes),
  ]

  /// - Parameters:
  ///   - ours: what says so at all says that it belongs to this ring.
  ///   - unique: no other file holds the same generation.
  ///   - whole: the file has a segment's size.
  ///   - header: at least one copy of the header is sound.
  ///   - copies: both are.
  ///   - footer: there is a sound footer of the header's generation, or of any if there is no header.
  ///   - remains: there are bytes of a footer that is not sound.
  ///   - blank: the beginning is all zero.
  static func segment(
    ours: Bool, unique: Bool, whole: Bool, header: Bool, copies: Bool, footer: Bool, remains: Bool, blank: Bool
  ) -> RecoveryCase {
    find(segmentTable, [ours, unique, whole, header, copies, footer, remains, blank])
  }

  static let slotTable = [
    //          one sound, both sound, one blank, both blank
    RecoveryRow(.slotsSound, yes, yes, any, any),
    RecoveryRow(.slotFresh, yes, no, yes, any),
    RecoveryRow(.slotDamaged, yes, no, no, any),
    RecoveryRow(.slotsBlank, no, any, any, yes),
    RecoveryRow(.slotsLost, no, any, any, no),
  ]

  static func slots(anySound: Bool, bothSound: Bool, anyBlank: Bool, bothBlank: Bool) -> RecoveryCase {
    find(slotTable, [anySound, bothSound, anyBlank, bothBlank])
  }

  private static func find(_ table: [RecoveryRow], _ facts: [Bool]) -> RecoveryCase {
    guard let row = table.first(where: { $0.matches(facts) }) else { preconditionFailure("no row for \(facts)") }
    return row.recoveryCase
  }
}
