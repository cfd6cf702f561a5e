import Glibc
import Posix

// UDP sockets for multicast, one a network: the kernel would take a single one's questions to one network only.

/// A socket that asks on one network.
final class DiscoverySocket {
  private let descriptor: Int32
  private var group: sockaddr_in

  /// A socket on the network that this machine has `address` on.
  init(_ address: String) throws(SystemError) {
    guard let group = sockaddr_in(WSDiscovery.group, port: WSDiscovery.port), var own = sockaddr_in(address, port: 0)
    else { throw SystemError(code: EINVAL, operation: "socket on \(address)") }
    self.group = group
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    descriptor = try retryingInterrupts("socket") { socket(AF_INET, type, 0) }
    let descriptor = descriptor
    do throws(SystemError) {
      _ = try retryingInterrupts("bind to \(address)") {
        withUnsafeBytes(of: &own) {
          bind(
            descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
            socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      _ = try retryingInterrupts("multicast from \(address)") {
        setsockopt(
          descriptor, Int32(IPPROTO_IP), IP_MULTICAST_IF, &own.sin_addr, socklen_t(MemoryLayout<in_addr>.size))
      }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Asks the group; that a network takes nothing just now is no error of the search.
  func send(_ message: [UInt8]) {
    _ = withUnsafeBytes(of: &group) {
      sendto(
        descriptor, message, message.count, 0, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
        socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }

  /// What came to any of `sockets` until `deadline` or, once something came, right now; at most 64 datagrams.
  static func receive(_ sockets: [DiscoverySocket], until deadline: MonotonicTime) -> [([UInt8], String)] {
    var entries = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    let left = max(0, (deadline - .now()).nanoseconds)
    guard poll(&entries, nfds_t(entries.count), Int32(clamping: (left + 999_999) / 1_000_000)) > 0 else { return [] }
    var (datagrams, buffer) = ([] as [([UInt8], String)], [UInt8](repeating: 0, count: 64 << 10))
    for entry in entries where entry.revents != 0 {
      while datagrams.count < 64 {
        var (sender, length) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
        let count = withUnsafeMutableBytes(of: &sender) {
          recvfrom(
            entry.fd, &buffer, buffer.count, 0, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        if count < 0 { break }
        datagrams.append((Array(buffer.prefix(count)), sender.text))
      }
    }
    return datagrams
  }

  /// Whether an IPv4 address is in a network of one of this machine's interfaces.
  static func isNeighbour(_ address: String) -> Bool {
    guard let wanted = sockaddr_in(address, port: 0)?.sin_addr.s_addr else { return false }
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return false }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next {
      next = entry.pointee.ifa_next
      guard let own = entry.pointee.ifa_addr, own.pointee.sa_family == sa_family_t(AF_INET),
        let mask = entry.pointee.ifa_netmask
      else { continue }
      let bits = { (address: UnsafeMutablePointer<sockaddr>) in
        UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
      }
      if (bits(own) ^ wanted) & bits(mask) == 0 { return true }
    }
    return false
  }

  /// The IPv4 addresses of this machine on networks that are up and can multicast; of `interface` alone, whatever it is.
  static func networks(of interface: String?) -> [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var (addresses, next) = ([] as [String], list)
    while let entry = next {
      next = entry.pointee.ifa_next
      guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else { continue }
      let (name, flags) = (String(cString: entry.pointee.ifa_name), Int(entry.pointee.ifa_flags))
      guard flags & Int(IFF_UP) != 0 else { continue }
      let isUsual = flags & Int(IFF_MULTICAST) != 0 && flags & Int(IFF_LOOPBACK) == 0
      guard interface == name || (interface == nil && isUsual) else { continue }
      addresses.append(UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).text)
    }
    return addresses
  }
}
