import Glibc
import Posix

// What was found when a ring was opened. Damage is data, not an error.

/// One thing that was found.
package struct RecoveryFinding: Sendable, Equatable {
  package var recoveryCase: RecoveryCase
  /// The file it was found in.
  package var file: String
  /// Where in the file.
  package var offset: Int
  /// Bytes that are lost; 0 when none are.
  package var byteCount: Int
  /// The stream's number and the key of the record, where they are known.
  package var stream: StreamID?
  package var key: RecordKey?

  init(_ recoveryCase: RecoveryCase, file: String, offset: Int = 0, byteCount: Int = 0) {
    (self.recoveryCase, self.file, self.offset, self.byteCount) = (recoveryCase, file, offset, byteCount)
  }
}

/// What was found when the ring was opened, and what it cost.
package struct RecoveryReport: Sendable, Equatable {
  /// How often each case was met.
  package private(set) var counts: [RecoveryCase: Int] = [:]
  /// Everything that is more than ordinary, the first `RecoveryReport.limit` of it.
  package private(set) var findings: [RecoveryFinding] = []
  /// Bytes of records that could not be kept.
  package private(set) var lostByteCount = 0
  /// The directory held no ring before.
  package var isNew = false
  /// Segment files in use.
  package var segmentCount = 0
  /// Files that could not be looked at. They keep their names, their bytes and their room, and what they hold is not in
  /// the ring for now: an opening that can read them finds it.
  package var unreadFiles: [String] = []
  /// What went wrong with looking and with the repairs themselves; the ring works all the same.
  package var failures: [SystemError] = []
  /// Another process has the ring open while it is read.
  package var isInUse = false

  /// A ring of any size has so many findings at most in its report.
  static let limit = 256

  mutating func add(_ finding: RecoveryFinding) {
    counts[finding.recoveryCase, default: 0] += 1
    lostByteCount += finding.byteCount
    switch finding.recoveryCase {
    case .sound, .end, .blank, .sealed, .open, .slotsSound, .slotFresh, .slotsBlank: return
    default: if findings.count < RecoveryReport.limit { findings.append(finding) }
    }
  }

  /// Counts segment files that are not there.
  mutating func addMissing(_ count: Int) {
    guard count > 0 else { return }
    for _ in 0..<min(count, RecoveryReport.limit) { add(RecoveryFinding(.missing, file: "segment")) }
    counts[.missing, default: 0] += max(0, count - RecoveryReport.limit)
  }

  /// Counts records that are as they should be.
  mutating func addSound(_ count: Int) { if count > 0 { counts[.sound, default: 0] += count } }

  /// Files could not be looked at, for a reason that may pass by itself.
  package var mayBeReadSoon: Bool { !unreadFiles.isEmpty && failures.contains { ![EACCES, EPERM].contains($0.code) } }

  /// Whether bits rotted, files were touched, or a device failed: more than a power cut explains.
  package var hasDamage: Bool { counts.contains { $0.key.isDamage && $0.value > 0 } }
}

/// Keeps the bytes of damaged records in files of their own before they are overwritten, for whoever wants to know what
/// happened: at most 8 files of at most 64 KiB.
struct DamagedKeeper {
  static let suffix = ".damaged"
  static let fileLimit = 8
  static let byteLimit = 64 << 10

  let storage: any Storage

  /// Fails silently: what is kept is a courtesy.
  func keep(_ bytes: UnsafeRawBufferPointer, generation: UInt64, offset: Int) {
    guard !storage.isReadOnly, let files = try? storage.list() else { return }
    let name = "\(generation)-\(offset)\(DamagedKeeper.suffix)"
    let kept = files.map(\.name).filter { $0.hasSuffix(DamagedKeeper.suffix) }
    guard kept.count < DamagedKeeper.fileLimit, !kept.contains(name) else { return }
    do throws(SystemError) {
      let file = try storage.open(name, creating: true)
      defer { storage.close(file) }
      try storage.writeAll(
        [UnsafeRawBufferPointer(rebasing: bytes.prefix(DamagedKeeper.byteLimit))], to: file, at: 0)
    } catch { return }
  }
}
