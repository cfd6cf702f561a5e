import DiskRing
import Posix

// What is learnt about cameras is kept in the ring's directory for the next run; what is in it is the gateway's business.
// It is written by the thread `backlog`, so that no other thread waits for the disk.

/// The note, and whether it can be written.
struct LearntNote {
  static let fileName = "learnt"

  private let file: NoteFile
  private let log: Log
  private var isFailing = false

  init(storage: PosixStorage, log: Log) {
    (file, self.log) = (NoteFile(name: LearntNote.fileName, storage: storage), log)
  }

  /// Durable when this returns, or said once that it is not.
  mutating func replace(with text: String) {
    do throws(SystemError) {
      try file.replace(with: text)
      isFailing = false
    } catch {
      if !isFailing { log.warning("what was learnt about cameras could not be written down: \(error)") }
      isFailing = true
    }
  }

  /// What it says; empty when there is none or it cannot be read.
  static func text(in storage: PosixStorage) -> String { NoteFile(name: fileName, storage: storage).text }
}

/// What the gateway with its ring in `directory` has learnt about its cameras, as it wrote it (`DiskBuffer.keep`); empty
/// when it wrote nothing. The gateway may be running.
package func learntText(inRing directory: String) throws(RingError) -> String {
  LearntNote.text(in: try PosixStorage(path: directory, isReadOnly: true))
}
