import Broker
import Posix
import Testing

@testable import Delivery

/// What is said of addresses that brokers advertise, word for word.
@Suite struct AdvertisedNamesTests {
  private func at(_ second: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: second * 1_000_000_000) }

  private func error(_ name: String, _ message: String) -> BrokerError {
    BrokerError(name: name, message: message, disposition: .resend)
  }

  private let unresolved = BrokerError(
    name: "_RESOLVE",
    message: "kafka.lan:9092/1: Failed to resolve 'kafka.lan:9092': Name or service not known "
      + "(after 3ms in state CONNECT)",
    disposition: .resend)

  private func names() -> AdvertisedNames {
    var names = AdvertisedNames(bootstrap: "10.0.0.2:9092,10.0.0.3:9092")
    names.answered(BrokerContact(address: "10.0.0.3:9092", id: nil))
    return names
  }

  @Test func aNameThatDoesNotResolve() {
    var names = names()
    names.failed(unresolved, now: at(10))
    #expect(names.report(now: at(14)) == nil)
    #expect(
      names.report(now: at(15))
        == "10.0.0.3:9092 advertises broker 1 as 'kafka.lan:9092', which cannot be resolved (Failed to resolve "
        + "'kafka.lan:9092': Name or service not known): set advertised.listeners of the broker to an address that this "
        + "machine can reach, or add the name to DNS or /etc/hosts; frames are kept, retrying all the time")
  }

  @Test func anAddressThatRefuses() {
    var names = names()
    names.failed(
      error(
        "_TRANSPORT",
        "ssl://localhost:9093/2: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT, "
          + "4 identical error(s) suppressed)"), now: at(0))
    #expect(
      names.report(now: at(5))
        == "10.0.0.3:9092 advertises broker 2 as 'localhost:9093', which is this machine itself and refuses the "
        + "connection (Connect to ipv4#127.0.0.1:9093 failed: Connection refused): set advertised.listeners of the broker "
        + "to an address that this machine can reach; frames are kept, retrying all the time")
  }

  @Test func anAddressThatIsSilent() {
    var names = names()
    names.failed(
      error("_TRANSPORT", "10.9.9.9:9092/7: Connection setup timed out in state CONNECT (after 30s in state CONNECT)"),
      now: at(0))
    let report = names.report(now: at(5))
    #expect(report?.contains("'10.9.9.9:9092', which does not answer (Connection setup timed out") == true)
  }

  /// Once in five minutes, however often librdkafka says so, and however many brokers there are.
  @Test func isRepeatedEveryFiveMinutes() {
    var names = names()
    var reports: [Int64] = []
    for second in 0...700 as ClosedRange<Int64> {
      names.failed(unresolved, now: at(second))
      names.failed(error("_TRANSPORT", "b:1/2: Connect to ipv4#10.0.0.9:1 failed: Connection refused"), now: at(second))
      if let report = names.report(now: at(second)) {
        reports.append(second)
        #expect(report.contains("(and 1 more like it)"))
      }
    }
    #expect(reports == [5, 305, 605])
  }

  /// A name may stand for several addresses, of which the first is refused.
  @Test func whatAnswersInTimeIsNotReported() {
    var names = names()
    names.failed(
      error("_TRANSPORT", "localhost:9092/1: Connect to ipv6#[::1]:9092 failed: Connection refused"), now: at(0))
    names.answered(BrokerContact(address: "localhost:9092", id: 1))
    #expect(names.report(now: at(60)) == nil)
  }

  /// A broker that went away is an outage, not a mistake in its settings.
  @Test func whatHasAnsweredIsNeverReported() {
    var names = names()
    names.answered(BrokerContact(address: "kafka.lan:9092", id: 1))
    names.failed(unresolved, now: at(0))
    #expect(names.report(now: at(60)) == nil)
  }

  /// Nor is one that the settings name themselves, nor a bootstrap server, nor an error without a broker.
  @Test func whatTheSettingsNameIsNotReported() {
    var names = names()
    names.failed(error("_TRANSPORT", "10.0.0.2:9092/1: Connect to ipv4#10.0.0.2:9092 failed: refused"), now: at(0))
    names.failed(error("_TRANSPORT", "10.0.0.3:9092/bootstrap: Connection refused"), now: at(0))
    names.failed(error("_ALL_BROKERS_DOWN", "2/2 brokers are down"), now: at(0))
    #expect(names.report(now: at(60)) == nil)
  }

  /// When the broker is given another address the old one is forgotten.
  @Test func anAddressThatWasCorrectedIsForgotten() {
    var names = names()
    names.failed(unresolved, now: at(0))
    names.answered(BrokerContact(address: "10.0.0.9:9092", id: 1))
    #expect(names.report(now: at(60)) == nil)
  }
}
