import Synchronization

// The one rule for everything that is shown, in the log and on a terminal: first the characters that steer a terminal go,
// then every registered secret in whatever spelling, then what looks like a secret (SecretPatterns). All three mark
// places of the same text, so that none of them eats what another would have recognised.

/// Texts that must never be shown. Shared by whoever learns a secret and whoever writes lines.
package final class Secrets: Sendable {
  fileprivate struct Entry {
    let secret: String
    let username: String?
    let forms: [SecretForm]
  }

  private struct Registry {
    /// Passwords, the newest last.
    var lasting: [Entry] = []
    /// Tokens, the newest last.
    var passing: [Entry] = []
  }

  /// Passwords that are remembered; more come only from settings that are read again and again.
  static let lastingLimit = 4_096
  /// Tokens that are remembered: one is of no use once the next has come.
  static let passingLimit = 4
  /// The shortest text, in UTF-8 bytes, that some library may have cut (FFmpeg keeps 199 and 255 bytes of what a camera
  /// says, librdkafka 511): in a longer one the beginning of a secret counts as the secret.
  static let shortestCut = 199

  private let registry = Mutex(Registry())

  package init() {}

  /// From now on `secret` is hidden in every spelling (see `SecretForm`), alone and in Base64 as `username:secret`. A
  /// text of less than three bytes cannot be told from ordinary words; it is hidden together with its user name only.
  package func register(_ secret: String, username: String? = nil) {
    registry.withLock { $0.lasting.add(secret, username, limit: Secrets.lastingLimit) }
  }

  /// The same for a secret that is replaced every few minutes: only the last few are remembered.
  package func registerToken(_ token: String) {
    registry.withLock { $0.passing.add(token, nil, limit: Secrets.passingLimit) }
  }

  /// `text` as it may be shown: without what steers a terminal (lines end with LF), every secret as `***`.
  package func masked(_ text: String) -> String {
    let scalars = text.cleanedScalars
    var hidden = [Bool](repeating: false, count: scalars.count)
    SecretPatterns.mark(scalars, &hidden)
    let reading = SecretReading(scalars)
    let isLong = text.utf8.count >= Secrets.shortestCut
    // The array is shared, not copied: no thread waits for the lock while a long text is searched.
    let (lasting, passing) = registry.withLock { ($0.lasting, $0.passing) }
    for entries in [lasting, passing] {
      for entry in entries {
        for form in entry.forms { reading.mark(form, mayBeCut: isLong, &hidden) }
      }
    }
    return Secrets.text(scalars, hidden)
  }

  /// `text` with what looks like a secret hidden, without knowledge of any.
  package static func maskingPatterns(in text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    var hidden = [Bool](repeating: false, count: scalars.count)
    SecretPatterns.mark(scalars, &hidden)
    return Secrets.text(scalars, hidden)
  }

  private static func text(_ scalars: [Unicode.Scalar], _ hidden: [Bool]) -> String {
    var result = String.UnicodeScalarView()
    for (index, scalar) in scalars.enumerated() {
      if !hidden[index] {
        result.append(scalar)
      } else if index == 0 || !hidden[index - 1] {
        result.append(contentsOf: "***".unicodeScalars)
      }
    }
    return String(result)
  }
}

extension [Secrets.Entry] {
  /// Adds a secret as the newest one; the oldest goes when there are more than `limit`.
  fileprivate mutating func add(_ secret: String, _ username: String?, limit: Int) {
    if secret.isEmpty { return }
    if let known = firstIndex(where: { $0.secret == secret && $0.username == username }) {
      append(remove(at: known))
    } else {
      append(Secrets.Entry(secret: secret, username: username, forms: SecretForm.all(of: secret, username: username)))
    }
    if count > limit { removeFirst() }
  }
}
