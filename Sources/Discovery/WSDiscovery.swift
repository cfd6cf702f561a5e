import Posix

// The two messages of WS-Discovery (schemas.xmlsoap.org/ws/2005/04/discovery) that finding ONVIF devices takes.

enum WSDiscovery {
  static let group = "239.255.255.250"
  static let port: UInt16 = 3702

  /// What is asked for: video transmitters, which all ONVIF cameras are, and devices, as which some answer only.
  static let types = [
    "xmlns:n=\"http://www.onvif.org/ver10/network/wsdl\">n:NetworkVideoTransmitter",
    "xmlns:n=\"http://www.onvif.org/ver10/device/wsdl\">n:Device",
  ]

  /// A Probe for one of `types`.
  static func probe(for type: String, messageID: String) -> String {
    """
    <?xml version="1.0" encoding="UTF-8"?>\
    <e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" \
    xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
    xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Header>\
    <w:MessageID>urn:uuid:\(messageID)</w:MessageID>\
    <w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>\
    <w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action>\
    </e:Header><e:Body><d:Probe><d:Types \(type)</d:Types></d:Probe></e:Body></e:Envelope>
    """
  }

  /// A random UUID (RFC 4122, version 4).
  static func messageID() -> String {
    var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
    bytes[6] = bytes[6] & 0x0f | 0x40
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
  }

  /// No answer has more, and no device more services.
  static let matchLimit = 16
  static let serviceLimit = 16

  /// The devices in an answer that came from `address`. Whether it is an answer to us (RelatesTo) is not asked: devices
  /// get that wrong, and who lies about it could lie about all.
  static func devices(in datagram: [UInt8], from address: String) -> [DiscoveredDevice] {
    guard let root = XMLElement.parse(datagram) else { return [] }
    return root.all("ProbeMatch").prefix(matchLimit).map { match in
      var device = DiscoveredDevice(address: address)
      device.endpoint = printable(match.text("EndpointReference", "Address") ?? "")
      for word in words(match.text("Scopes")) { device.takeScope(word) }
      device.services = words(match.text("XAddrs")).prefix(serviceLimit).compactMap { ServiceAddress(String($0)) }
      return device
    }
  }

  private static func words(_ text: String?) -> [Substring] { (text ?? "").split(whereSeparator: \.isWhitespace) }
}

extension DiscoveredDevice {
  /// `onvif://www.onvif.org/name/Gate%201` and the like (ONVIF Core Specification, 7.3.2.2).
  fileprivate mutating func takeScope(_ scope: Substring) {
    let parts = scope.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: true)
    guard parts.count == 4, parts[0].lowercased() == "onvif:" else { return }
    let value = printable(PercentEncoding.decode(parts[3]))
    switch parts[2].lowercased() {
    case "name" where name.isEmpty: name = value
    case "hardware" where model.isEmpty: model = value
    case "location":
      location += (location.isEmpty || location.count > 200 ? "" : ", ") + (location.count > 200 ? "" : value)
    default: break
    }
  }
}
