import Settings
import Testing

@testable import Gateway

/// What only librdkafka itself can judge of a settings file.
@Suite struct SettingsPlanTests {
  private func report(properties: String) -> String {
    let text = """
      gateway: g
      kafka:
        brokers: [k:9092]
        properties:
      \(properties)
      cameras:
        - {name: gate, url: 'test:640x480@15'}
      """
    let file = SettingsFile(name: "s.yaml", bytes: [UInt8](text.utf8), directory: "", environment: [:])
    #expect(file.diagnostics.isEmpty)
    return file.allDiagnostics.rendered(in: file.source)
  }

  @Test func goodPropertiesSayNothing() { #expect(report(properties: "    linger.ms: 10") == "") }

  @Test(arguments: ["    no.such.property: 1", "    linger.ms: soon"])
  func aPropertyThatIsRefusedIsNamedAtItsLine(_ property: String) {
    #expect(report(properties: property).hasPrefix("s.yaml:5:5: error: kafka.properties."))
  }

  /// Each is good by itself, but not for an idempotent producer.
  @Test(arguments: ["queuing.strategy: lifo", "max.in.flight: 10"])
  func propertiesThatDoNotGoTogetherAreRefused(_ property: String) {
    let report = report(properties: "    linger.ms: 10\n    \(property)")
    #expect(report.contains(": error: kafka.properties."), "\(report)")
  }
}
