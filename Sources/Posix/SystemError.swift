import Glibc

// errno as an error, and the one loop for EINTR.

/// A failed system call: which one, on what, and its errno.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The errno value, e.g. ENOENT.
  package let code: Int32
  /// The call and its subject, e.g. "open /etc/camgate.yaml".
  package let operation: String

  package init(code: Int32, operation: String) {
    self.code = code
    self.operation = operation
  }

  package var description: String { "\(operation): \(describe(errno: code))" }
}

/// The text of an errno value (strerror(3), thread-safe in glibc since 2.32).
package func describe(errno code: Int32) -> String { String(cString: strerror(code)) }

/// Calls `body` until it does not fail with EINTR; throws the errno of a result of -1.
package func retryingInterrupts<Result: FixedWidthInteger>(
  _ operation: @autoclosure () -> String, _ body: () -> Result
) throws(SystemError) -> Result {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw SystemError(code: code, operation: operation()) }
  }
}
