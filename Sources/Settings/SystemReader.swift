// `system`: what the board's image needs besides the gateway. A gateway that runs on a system of its own ignores it.

enum SystemReader {
  static func read(_ node: YAMLNode, _ context: inout ReadingContext) -> Configuration.System {
    let section = Section(node, path: "system", schemaPath: "system", context: &context)
    var system = Configuration.System()
    system.hostname = section.read("hostname", "a host name (1 to 63 of a-z, 0-9 and '-')", &context) { text in
      isHostLabel(text) ? text : nil
    }
    if let node = section.value("network") { system.network = readNetwork(node, &context) }
    system.ntp = hosts("ntp", "a time server's name or address", in: section, &context)
    return system
  }

  private static func readNetwork(_ node: YAMLNode, _ context: inout ReadingContext) -> Configuration.Network {
    let section = Section(node, path: "system.network", schemaPath: "system.network", context: &context)
    var network = Configuration.Network()
    network.interface = section.read("interface", "an interface's name, for example eth0", &context) { text in
      (1...15).contains(text.utf8.count) && text.utf8.allSatisfy { isAlphanumeric($0) } ? text : nil
    }
    let address: String?? = section.read("address", "dhcp, or ADDRESS/BITS as 10.0.0.5/24", &context) { text in
      text == "dhcp" ? .some(nil) : isAddressWithPrefix(text) ? .some(text) : nil
    }
    network.address = address ?? nil
    network.router = section.read("router", "an IPv4 address", &context) { isIPv4($0) ? $0 : nil }
    if network.router != nil, network.address == nil, let key = section.key("router") {
      context.report(section.path(of: "router"), "means nothing without an address of its own; DHCP tells it", at: key)
    }
    for (index, item) in (section.items("dns", &context) ?? []).enumerated() {
      let path = "system.network.dns[\(index)]"
      guard let text = Section.text(of: item, path: path, &context) else { continue }
      if isIPv4(text) {
        network.nameServers.append(text)
      } else {
        context.report(path, "'\(text)' is not an IPv4 address", at: item)
      }
    }
    network.vlan = section.read("vlan", "a VLAN's number, 1 to 4094", &context) { text in
      Int(text).flatMap { (1...4094).contains($0) ? $0 : nil }
    }
    return network
  }

  private static func hosts(
    _ name: String, _ expected: String, in section: Section, _ context: inout ReadingContext
  ) -> [String] {
    (section.items(name, &context) ?? []).enumerated().compactMap { index, item in
      let path = "\(section.path(of: name))[\(index)]"
      guard let text = Section.text(of: item, path: path, &context) else { return nil }
      if text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ isHostLabel($0) }) { return text }
      context.report(path, "'\(text)' is not \(expected)", at: item)
      return nil
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }

  private static func isHostLabel(_ text: some StringProtocol) -> Bool {
    (1...63).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
      && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isIPv4(_ text: some StringProtocol) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { part in UInt8(part).map { String($0) == part } ?? false }
  }

  private static func isAddressWithPrefix(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2 && isIPv4(parts[0]) && (Int(parts[1]).map { (1...32).contains($0) } ?? false)
  }
}
