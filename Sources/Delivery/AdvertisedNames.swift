import Broker
import Posix

// Addresses that brokers advertise and that cannot be used from here, as a value without a clock. A client asks a bootstrap
// server for the brokers and then connects to the addresses it is given: when those are of no use nothing is ever sent,
// although the bootstrap server answers. Invariant: an address that has answered once is never reported; that it does not
// answer later is an outage.

/// What is known of the addresses that the cluster gave to its clients.
struct AdvertisedNames: Sendable {
  /// An address is reported when it was of no use for so long: a name may stand for several addresses, which are tried one
  /// after another.
  static let patience = Duration.seconds(5)
  /// It is said again after so long.
  static let interval = Duration.seconds(300)
  /// Addresses that are remembered as usable; a cluster has fewer brokers.
  private static let memory = 1_024

  private struct Failure {
    var broker: BrokerContact
    var since: MonotonicTime
    /// What is wrong with it, as `which …`.
    var complaint: String
    var isUnresolved: Bool
  }

  /// `host:port` of the settings.
  private let bootstrap: [String]
  /// The bootstrap server that answered last.
  private var advertiser: String?
  /// The present address of each broker that cannot be used, by its id.
  private var failures: [Int32: Failure] = [:]
  private var usable: Set<BrokerContact> = []
  private var nextReport: MonotonicTime?

  /// `bootstrap`: `host:port,…` of the settings.
  init(bootstrap: String) { self.bootstrap = bootstrap.split(separator: ",").map { String($0) } }

  /// A connection to a broker stands, and it has answered.
  mutating func answered(_ broker: BrokerContact) {
    guard let id = broker.id else {
      advertiser = broker.address
      return
    }
    failures[id] = nil
    if usable.count >= AdvertisedNames.memory { usable = [] }
    usable.insert(broker)
  }

  /// A connection could not be made, or broke.
  mutating func failed(_ error: BrokerError, now: MonotonicTime) {
    guard let (broker, reason) = error.contact, let id = broker.id, !usable.contains(broker),
      !bootstrap.contains(broker.address)
    else { return }
    let since = failures[id].flatMap { $0.broker == broker ? $0.since : nil } ?? now
    let isUnresolved = error.name == "_RESOLVE"
    failures[id] = Failure(
      broker: broker, since: since,
      complaint: AdvertisedNames.complaint(of: broker.address, reason, isUnresolved: isUnresolved),
      isUnresolved: isUnresolved)
  }

  /// What is to be said now, if anything.
  mutating func report(now: MonotonicTime) -> String? {
    if let nextReport, now < nextReport { return nil }
    let ripe = failures.filter { now - $0.value.since >= AdvertisedNames.patience }
    guard let (id, failure) = ripe.min(by: { $0.key < $1.key }) else { return nil }
    nextReport = now + AdvertisedNames.interval
    let source = advertiser ?? bootstrap.joined(separator: ",")
    let others = ripe.count == 1 ? "" : " (and \(ripe.count - 1) more like it)"
    return
      "\(source) advertises broker \(id) as '\(failure.broker.address)', which \(failure.complaint)\(others): set "
      + "advertised.listeners of the broker to an address that this machine can reach"
      + (failure.isUnresolved ? ", or add the name to DNS or /etc/hosts" : "")
      + "; frames are kept, retrying all the time"
  }

  private static func complaint(of address: String, _ reason: String, isUnresolved: Bool) -> String {
    let isHere = ["localhost:", "127.", "::1:", "[::1]:"].contains { address.hasPrefix($0) }
    let complaint =
      if isUnresolved {
        "cannot be resolved"
      } else if reason.contains("refused") {
        "refuses the connection"
      } else if reason.contains("timed out") {
        "does not answer"
      } else {
        "cannot be used"
      }
    return (isHere ? "is this machine itself and " : "") + complaint + " (\(reason))"
  }
}
