import Foundation
import Testing

extension IntegrationTests.KafkaSide {
  /// A bootstrap server that answers, and hands out an address that is of no use: the commonest mistake with Kafka.
  @Suite struct AdvertisedNameTests {
    let broker: Server

    init() throws { broker = try Testbed.broker() }

    private func gateway(_ proxy: Server) throws -> Gateway {
      try Gateway(
        brokers: proxy.address, [Gateway.Camera("gate", "test:160x120@10")],
        kafka: "properties: {socket.connection.setup.timeout.ms: 1000}", more: "stop_timeout: 0s")
    }

    private func line(of gateway: Gateway) throws -> String {
      try gateway.child.waitForErrors { $0.contains(" warning ") && $0.contains("advertises") }.0
    }

    /// One line names the address, who advertised it, what is wrong with it and what to set. All at the same time: each
    /// waits for librdkafka to find out.
    @Test func isNamedWithItsRemedy() throws {
      let silent = try SilentListener()
      let free = try Testbed.freePort()
      let unknown = try Server("proxy", ["\(broker.port)", "--kafka", "--host", "x.invalid"])
      let refused = try Server("proxy", ["\(broker.port)", "--kafka", "--host", "localhost", "--advertise", "\(free)"])
      let mute = try Server("proxy", ["\(broker.port)", "--kafka", "--advertise", "\(silent.port)"])
      let usable = try Server("proxy", ["\(broker.port)", "--kafka", "--host", "localhost"])
      let gateways = try [unknown, refused, mute, usable].map(gateway)
      let remedy = "set advertised.listeners"
      let unknownLine = try line(of: gateways[0])
      #expect(unknownLine.contains("\(unknown.address) advertises broker"))
      #expect(unknownLine.contains("'x.invalid:\(unknown.port)', which cannot be resolved"))
      #expect(unknownLine.contains(remedy) && unknownLine.contains("DNS"))
      let refusedLine = try line(of: gateways[1])
      #expect(refusedLine.contains("\(refused.address) advertises broker"))
      #expect(refusedLine.contains("'localhost:\(free)', which is this machine itself and refuses the connection"))
      #expect(refusedLine.contains(remedy))
      let muteLine = try line(of: gateways[2])
      #expect(muteLine.contains("\(mute.address) advertises broker"))
      #expect(muteLine.contains("'127.0.0.1:\(silent.port)', which is this machine itself and does not answer"))
      #expect(muteLine.contains(remedy))
      // localhost that works is nothing to speak of.
      try Testbed.read(broker, ["gate"], frames: 60, follow: true, skip: ["decode"], mayComplain: true)
      #expect(!gateways[3].child.errors.contains { $0.contains("advertises") }, "\(gateways[3].child.transcript)")
      for gateway in gateways {
        #expect(gateway.child.errors.filter { $0.contains("advertises") }.count <= 1, "\(gateway.child.transcript)")
        try gateway.stop()
      }
    }
  }
}

/// An address that takes no connection and refuses none: its queue of connections is full.
private final class SilentListener {
  let port: Int
  private var sockets: [Int32] = []

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    sockets.append(listener)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var isFull = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(isFull)
    port = Int(address.sin_port.byteSwapped)
    for _ in 0..<4 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      sockets.append(client)
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(client, $0, length) }
      }
      var event = pollfd(fd: client, events: Int16(POLLOUT), revents: 0)
      isFull = poll(&event, 1, 200) == 0
    }
    try #require(isFull)
  }

  deinit { for socket in sockets { close(socket) } }
}
