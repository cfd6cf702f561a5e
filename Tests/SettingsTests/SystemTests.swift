import Testing

@testable import Settings

/// The section `system`: its values end up in a shell of root's, so that what is let through matters.
@Suite struct SystemTests {
  private func system(_ text: String) -> Configuration.System? {
    let file = "kafka: {brokers: [k]}\ncameras: [{name: a, url: 'test:'}]\nsystem: \(text)"
    let read = SettingsFile(name: "s.yaml", bytes: Array(file.utf8), directory: "", environment: [:])
    return read.diagnostics.hasErrors ? nil : read.configuration?.system
  }

  @Test func leftOutMeansDHCP() {
    #expect(system("{}") == Configuration.System())
    #expect(system("{network: {address: dhcp}}") == Configuration.System())
  }

  @Test func everythingCanBeSaid() throws {
    let network = "{interface: end0, address: 10.0.0.5/24, router: 10.0.0.1, dns: [10.0.0.1, 10.0.0.2], vlan: 12}"
    let system = try #require(self.system("{hostname: gate-7, network: \(network), ntp: [ntp.example.org, 10.0.0.9]}"))
    #expect(system.hostname == "gate-7")
    #expect(system.network.interface == "end0")
    #expect(system.network.address == "10.0.0.5/24")
    #expect(system.network.router == "10.0.0.1")
    #expect(system.network.nameServers == ["10.0.0.1", "10.0.0.2"])
    #expect(system.network.vlan == 12)
    #expect(system.ntp == ["ntp.example.org", "10.0.0.9"])
  }

  @Test(arguments: ["'", "\"", "$(reboot)", ";reboot", "a b", "`x`", "-x", "a\\n", "ä", "../x", "x'y"])
  func nothingOfAShellPasses(_ text: String) {
    let quoted = "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
    for key in ["hostname: \(quoted)", "ntp: [\(quoted)]"]
      + ["interface", "address", "router", "vlan"].map({
        "network: {\($0): \(quoted)}"
      })
    {
      #expect(system("{\(key)}") == nil, "\(key) was accepted")
    }
  }

  @Test(arguments: ["10.0.0.1", "10.0.0/24", "10.0.0.256/8", "10.0.0.01/8", "10.0.0.1/0", "10.0.0.1/33", "fe80::1/64"])
  func addressesThatAreNone(_ address: String) { #expect(system("{network: {address: '\(address)'}}") == nil) }
}
