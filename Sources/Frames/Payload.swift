// The bytes of a frame, owned by whoever made them and released with the last reference.

/// Immutable bytes in C memory, reference-counted.
// Unchecked because of the raw pointer and of `release`: nobody writes the bytes after `init`, and they live until `deinit`.
// It calls `release`, once, with the last reference and so with nobody else there; on which thread must not matter to it,
// and does not: all that are made free memory or let go of a reference.
package final class Payload: @unchecked Sendable {
  /// The bytes; valid while the payload is referenced.
  package let bytes: UnsafeRawBufferPointer
  private let release: () -> Void

  /// Adopts `bytes`, which nobody writes any more; `release` is called once, on any thread, with the last reference.
  package init(adopting bytes: UnsafeRawBufferPointer, release: @escaping () -> Void) {
    self.bytes = bytes
    self.release = release
  }

  /// A payload of its own memory, `parts` one after another.
  package convenience init(joining parts: [UnsafeRawBufferPointer]) {
    let byteCount = parts.reduce(0) { $0 + $1.count }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    var offset = 0
    for part in parts where !part.isEmpty {
      UnsafeMutableRawBufferPointer(rebasing: memory[offset...]).copyMemory(from: part)
      offset += part.count
    }
    self.init(adopting: UnsafeRawBufferPointer(memory)) { memory.deallocate() }
  }

  /// A payload with a copy of `array`.
  package convenience init(_ array: [UInt8]) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: array.count, alignment: 16)
    memory.copyBytes(from: array)
    self.init(adopting: UnsafeRawBufferPointer(memory)) { memory.deallocate() }
  }

  deinit { release() }

  /// The first `byteCount` bytes; itself when that is all of them. Nothing is copied.
  package func prefix(_ byteCount: Int) -> Payload {
    if byteCount >= bytes.count { return self }
    return Payload(adopting: UnsafeRawBufferPointer(rebasing: bytes[..<byteCount])) { _ = self }
  }

  /// Length in bytes.
  package var byteCount: Int { bytes.count }
}
