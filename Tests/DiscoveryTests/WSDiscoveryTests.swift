import Testing

@testable import Discovery

@Suite struct WSDiscoveryTests {
  static func answer(
    scopes: String = "onvif://www.onvif.org/name/Gate%201 onvif://www.onvif.org/hardware/IPC",
    addresses: String = "http://10.0.0.1/onvif/device_service", count: Int = 1
  ) -> String {
    let match =
      "<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference><d:Scopes>\(scopes)"
      + "</d:Scopes><d:XAddrs>\(addresses)</d:XAddrs></d:ProbeMatch>"
    return "<s:Envelope xmlns:s=\"urn:s\" xmlns:d=\"urn:d\" xmlns:a=\"urn:a\"><s:Body><d:ProbeMatches>"
      + String(repeating: match, count: count) + "</d:ProbeMatches></s:Body></s:Envelope>"
  }

  private func devices(_ answer: String) -> [DiscoveredDevice] {
    WSDiscovery.devices(in: Array(answer.utf8), from: "10.0.0.1")
  }

  @Test func anAnswerIsRead() throws {
    let device = try #require(
      devices(
        Self.answer(
          scopes: "\r\n onvif://www.onvif.org/Name/Gate%201\n\tonvif://www.onvif.org/location/city/Bern%0A "
            + "onvif://www.onvif.org/location/x onvif://www.onvif.org/hardware/IPC-1/2 urn:else onvif://x",
          addresses: "https://10.0.0.1/ http://10.0.0.2:8080/x?y=1 http://[fe80::1] http://10.0.0.1")
      ).first)
    #expect(device.address == "10.0.0.1" && device.endpoint == "urn:uuid:1")
    #expect(device.name == "Gate 1" && device.model == "IPC-1/2" && device.location == "city/Bern, x")
    #expect(
      device.services == [
        ServiceAddress(host: "10.0.0.2", port: 8_080, path: "/x?y=1"),
        ServiceAddress(host: "[fe80::1]", port: 80, path: "/"), ServiceAddress(host: "10.0.0.1", port: 80, path: "/"),
      ])
    #expect(device.deviceService == ServiceAddress(host: "10.0.0.1", port: 80, path: "/"))
  }

  /// What a device says of other hosts is not followed: asked is who has answered.
  @Test func onlyWhoAnsweredIsAsked() throws {
    let device = try #require(devices(Self.answer(addresses: "http://192.0.2.9:8899/steal")).first)
    #expect(device.deviceService == ServiceAddress(host: "10.0.0.1", port: 8_899, path: "/steal"))
    let bare = try #require(devices(Self.answer(addresses: "")).first)
    #expect(bare.deviceService == ServiceAddress(host: "10.0.0.1", port: 80, path: "/onvif/device_service"))
  }

  @Test(arguments: [
    "ftp://h/", "http://", "http:///x", "http://h:0/", "http://h:99999/", "http://h:x/", "http://u:p@h/", "https://h/",
    "http://h/\r\nHost:", "http://h/" + String(repeating: "x", count: 1_024),
  ])
  func noService(_ url: String) { #expect(ServiceAddress(url) == nil) }

  @Test func answersAreBounded() {
    #expect(devices(Self.answer(count: 100)).count == WSDiscovery.matchLimit)
    let many = (0..<1_000).map { "http://10.0.0.1/\($0)" }.joined(separator: " ")
    #expect(devices(Self.answer(addresses: many)).first?.services.count == WSDiscovery.serviceLimit)
    let places = (0..<1_000).map { "onvif://www.onvif.org/location/place\($0)" }.joined(separator: " ")
    #expect(devices(Self.answer(scopes: places)).first.map { $0.location.count < 500 } == true)
  }

  @Test func probesAreWellFormed() throws {
    for type in WSDiscovery.types {
      let root = try #require(XMLElement.parse(Array(WSDiscovery.probe(for: type, messageID: "x").utf8)))
      #expect(root.text("MessageID") == "urn:uuid:x")
      #expect(root.text("Probe", "Types")?.hasPrefix("n:") == true)
    }
    let id = WSDiscovery.messageID()
    #expect(id.count == 36 && id != WSDiscovery.messageID())
    #expect(Array(id)[14] == "4" && "89ab".contains(Array(id)[19]))
  }

  /// The same device twice is one; twins with one UUID are two; one address cannot fill the list, nor can all.
  @Test func devicesAreKnownByAddressAndName() throws {
    var discoverer = try Discoverer(interface: "lo")
    func device(_ address: String, _ endpoint: String) -> DiscoveredDevice {
      var device = DiscoveredDevice(address: address)
      device.endpoint = endpoint
      return device
    }
    let taken = [("10.0.0.1", "a"), ("10.0.0.1", "a"), ("10.0.0.1", "b"), ("10.0.0.2", "a")].map {
      discoverer.take(device($0, $1))
    }
    #expect(taken == [true, false, true, true])
    var added = 0
    for number in 0..<100 where discoverer.take(device("10.0.0.3", "\(number)")) { added += 1 }
    #expect(added == Discoverer.addressLimit)
    for number in 0..<5_000 where discoverer.take(device("10.1.\(number / 250).\(number % 250)", "x")) { added += 1 }
    #expect(added == Discoverer.deviceLimit - 3)
    #expect(throws: DiscoveryError.self) { try Discoverer(interface: "nothing0") }
  }
}
