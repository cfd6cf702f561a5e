import Glibc
import Posix

// Why a ring does not open. Everything that happens later is an event, not an error.

/// A ring that cannot be opened.
package struct RingError: Error, Sendable, CustomStringConvertible {
  package enum Code: String, Sendable, CaseIterable {
    /// There is no such directory.
    case directoryMissing
    /// The directory or a file in it may not be written.
    case notWritable
    /// Directory or files belong to another user.
    case otherOwner
    /// The filesystem is read-only.
    case readOnlyFilesystem
    /// The filesystem has no room for `size`.
    case diskFull
    /// `size` is more than the whole filesystem.
    case largerThanDisk
    /// `size` has no room for the smallest number of segments.
    case tooSmall
    /// The filesystem cannot preallocate.
    case noPreallocation
    /// Another process has the ring open.
    case held
    /// Written by a newer version of this program.
    case newerVersion
    /// The directory holds no ring (only when opened for reading).
    case noRing
    /// Numbers that cannot be, with sound checksums.
    case forged
    /// A device failed.
    case device
    /// More streams than a segment's header has room for.
    case tooManyStreams
  }

  package let code: Code
  /// What failed, and what to do about it.
  package let message: String
  /// The system call behind it, if one was.
  package let cause: SystemError?

  package init(_ code: Code, _ message: String, cause: SystemError? = nil) {
    (self.code, self.message, self.cause) = (code, message, cause)
  }

  /// How long to wait for it to pass by itself before one does without the ring: another process may be about to end, or
  /// only look; a device, or what the process lacks, may come back.
  package var patience: Duration {
    if code == .held { return .seconds(2) }
    guard let cause, cause.isShortage || cause.code == EIO else { return .zero }
    return RingError.devicePatience
  }

  package static let devicePatience = Duration.seconds(15)

  package var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
