// What a disk does to a ring, by name: a campaign counts how often each struck.

/// A kind of fault that the simulated disk plays.
package enum FaultKind: String, Sendable, CaseIterable, Hashable {
  case readError = "read error"
  case wornFile = "one file cannot be written"
  case garbledRead = "page damaged in memory"
  case failedWrite = "write fails"
  case failedSync = "every sync fails"
  case shutFile = "one file cannot be looked at"
  case deadSector = "one of two copies cannot be read"
}
