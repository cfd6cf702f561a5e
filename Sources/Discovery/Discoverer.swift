import Glibc
import Posix

// The search: questions to the multicast group on every network, answers until the time is over.

/// A search that cannot be made.
package struct DiscoveryError: Error, Sendable, Equatable {
  package var message: String
}

/// Looks for ONVIF devices on the networks of this machine.
package struct Discoverer {
  /// More devices than this are no network of cameras, and no address has more of them.
  static let deviceLimit = 1_024
  static let addressLimit = 16
  /// Datagrams get lost; devices answer after up to half a second, so as not to answer all at once.
  static let repetitions: [Duration] = [.zero, .milliseconds(500), .milliseconds(1_500)]

  private var sockets: [DiscoverySocket] = []
  private var devices: [DiscoveredDevice] = []
  private var waiting: [(time: MonotonicTime, message: [UInt8])] = []

  /// Opens a socket on each network; `interface` names the only one.
  package init(interface: String? = nil) throws(DiscoveryError) {
    let networks = DiscoverySocket.networks(of: interface)
    if networks.isEmpty {
      throw DiscoveryError(
        message: interface.map { "the interface '\($0)' is not there, not up, or has no IPv4 address" }
          ?? "no network that is up has an IPv4 address and multicast")
    }
    for network in networks {
      do throws(SystemError) { sockets.append(try DiscoverySocket(network)) } catch {
        if sockets.isEmpty, network == networks.last { throw DiscoveryError(message: error.description) }
      }
    }
  }

  /// Asks, and listens for `duration`; `found` is told of each device once, `isInterrupted` is asked about ten times a
  /// second. The devices, by address.
  package mutating func search(
    for duration: Duration, found: (DiscoveredDevice) -> Void, isInterrupted: () -> Bool
  ) -> [DiscoveredDevice] {
    let start = MonotonicTime.now()
    waiting = Discoverer.repetitions.flatMap { delay in
      WSDiscovery.types.map { type in
        (start + delay, Array(WSDiscovery.probe(for: type, messageID: WSDiscovery.messageID()).utf8))
      }
    }
    let end = start + duration
    while MonotonicTime.now() < end, !isInterrupted() {
      let now = MonotonicTime.now()
      for message in waiting.prefix(while: { $0.time <= now }) {
        for socket in sockets { socket.send(message.message) }
      }
      waiting.removeFirst(waiting.prefix { $0.time <= now }.count)
      let next = min(end, waiting.first?.time ?? end, now + .milliseconds(100))
      for (datagram, address) in DiscoverySocket.receive(sockets, until: next) {
        for device in WSDiscovery.devices(in: datagram, from: address) where take(device) { found(device) }
      }
    }
    return devices.sorted { Discoverer.key($0.address).lexicographicallyPrecedes(Discoverer.key($1.address)) }
  }

  /// Adds a device; false when it is known, or too much.
  mutating func take(_ device: DiscoveredDevice) -> Bool {
    let same = devices.filter { $0.address == device.address }
    // Cameras out of the same box may have the same UUID: it tells apart only what has one address (recorders).
    if same.contains(where: { $0.endpoint == device.endpoint }) { return false }
    guard devices.count < Discoverer.deviceLimit, same.count < Discoverer.addressLimit else { return false }
    devices.append(device)
    return true
  }

  private static func key(_ address: String) -> [Int] { address.split(separator: ".").map { Int($0) ?? 0 } }

  /// Asks every device with a login about its streams, several at once; in the same order. No device is left out because
  /// it refuses.
  package static func describe(_ devices: [DiscoveredDevice], login: ONVIFLogin) -> [DiscoveredDevice] {
    let work = Monitor((next: 0, results: devices))
    let threads = (0..<min(8, devices.count)).map { number in
      Thread.start(name: "discover-\(number)") {
        while true {
          let index = work.withLock { work in
            defer { work.next += 1 }
            return work.next
          }
          guard index < devices.count else { return }
          let described = ONVIFClient.describe(devices[index], login: login)
          work.withLock { $0.results[index] = described }
        }
      }
    }
    for thread in threads { thread.join() }
    return work.read { $0.results }
  }
}
