import Frames
import Glibc
import Posix

// From the bytes of the settings file to the effective settings, or to all its errors at once.

/// A settings file that was read.
package struct SettingsFile: Sendable {
  /// The effective settings; nil when there are errors.
  package let configuration: Configuration?
  /// Errors and warnings.
  package let diagnostics: [Diagnostic]
  /// What stands in `kafka.properties`, also when there are errors: librdkafka itself must judge them.
  package let properties: [Configuration.Property]
  /// The text, for rendering the diagnostics.
  package let source: SourceText
  private let secrets: [ReadSecret]

  /// No settings file is longer, bytes.
  static let sizeLimit = 1 << 20

  /// Reads the file at `path`. Never throws: what is wrong is in `diagnostics`. `isGivenUp`: this process can read a file
  /// only after a restart.
  package init(
    path: String, environment: [String: String] = processEnvironment(),
    isGivenUp: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    self.init(reading: path, name: path, environment: environment, isGivenUp: isGivenUp)
  }

  /// Reads standard input; other files are relative to the working directory.
  package static func standardInput() -> SettingsFile {
    SettingsFile(reading: "/dev/stdin", name: "standard input", environment: processEnvironment())
  }

  private init(
    reading path: String, name: String, environment: [String: String],
    isGivenUp: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    do throws(SystemError) {
      let bytes = try Files.read(path, limit: SettingsFile.sizeLimit)
      let directory = name.lastIndex(of: "/").map { String(name[..<$0]) + "/" } ?? ""
      self.init(name: name, bytes: bytes, directory: directory, environment: environment, isGivenUp: isGivenUp)
    } catch {
      let reason =
        switch error.code {
        case EFBIG: "larger than 1 MiB: is this a settings file?"
        case ENOENT: describe(errno: error.code) + SettingsFile.neighbour(of: path)
        default: describe(errno: error.code)
        }
      self.init(
        configuration: nil, properties: [],
        diagnostics: [
          Diagnostic(severity: .error, path: "", message: "cannot be read: \(reason)", mark: nil, length: 0)
        ], source: SourceText(name: name, bytes: []), secrets: [])
    }
  }

  /// What to say of a file next to one that is not there: editors and browsers add `.txt`, people mix up `.yaml` and `.yml`.
  private static func neighbour(of path: String) -> String {
    var candidates = [path + ".txt", path + ".yaml", path + ".yml"]
    for (ending, other) in [(".yaml", ".yml"), (".yml", ".yaml")] where path.hasSuffix(ending) {
      let stem = String(path.dropLast(ending.count))
      candidates += [stem + other, stem + other + ".txt", stem + ".txt"]
    }
    guard let found = candidates.first(where: { access($0, R_OK) == 0 }) else { return "" }
    let name = found.split(separator: "/").last.map { String($0) } ?? found
    return "; but there is '\(name)': rename it, or name it here"
  }

  /// Reads settings from bytes; other files are relative to `directory` (with its slash, or empty).
  package init(
    name: String, bytes: [UInt8], directory: String, environment: [String: String],
    isGivenUp: @escaping @Sendable (String) -> Bool = { _ in false }
  ) {
    let source = SourceText(name: name, bytes: bytes)
    var context = ReadingContext(environment: environment, directory: directory, source: source, isGivenUp: isGivenUp)
    var configuration = SettingsFile.read(source, &context)
    configuration?.files = context.files
    for file in context.secretFiles + (context.holdsSecret ? [name] : [])
    where configuration?.secretFiles.contains(file) == false {
      configuration?.secretFiles.append(file)
    }
    self.init(
      configuration: context.diagnostics.hasErrors ? nil : configuration,
      properties: configuration?.kafka.properties ?? [], diagnostics: context.diagnostics, source: source,
      secrets: context.secrets)
  }

  /// Registers every secret that was read, also when there are errors.
  package func registerSecrets(in registry: Secrets) { secrets.register(in: registry) }

  private init(
    configuration: Configuration?, properties: [Configuration.Property], diagnostics: [Diagnostic], source: SourceText,
    secrets: [ReadSecret]
  ) {
    (self.configuration, self.properties) = (configuration, properties)
    (self.diagnostics, self.source, self.secrets) = (diagnostics, source, secrets)
  }

  /// All diagnostics as text.
  package var report: String { diagnostics.rendered(in: source) }

  /// The diagnostic for a librdkafka property that librdkafka itself refuses.
  package func refusal(of property: Configuration.Property, message: String) -> Diagnostic {
    Diagnostic(
      severity: .error, path: "kafka.properties.\(property.name)", message: message, mark: property.nameMark,
      length: property.name.count)
  }

  /// The diagnostic for settings of Kafka that librdkafka refuses together: at the property it names, if it does.
  package func refusal(message: String) -> Diagnostic {
    if let named = properties.first(where: { message.contains($0.name) }) ?? properties.first {
      return refusal(of: named, message: message)
    }
    return Diagnostic(severity: .error, path: "kafka", message: message, mark: nil, length: 0)
  }

  private static func read(_ source: SourceText, _ context: inout ReadingContext) -> Configuration? {
    func refuse(_ message: String, at mark: Mark? = nil) {
      context.diagnostics.append(Diagnostic(severity: .error, path: "", message: message, mark: mark, length: 1))
    }
    if source.isUTF16 {
      refuse("this is UTF-16 text; save the file as UTF-8")
      return nil
    }
    if let mark = source.firstInvalidByte {
      refuse("this is not UTF-8 text", at: mark)
      return nil
    }
    do throws(YAMLError) {
      guard let root = try YAMLNode.parse(source.bytes), !root.isNull else {
        refuse("empty; start from the commented sample")
        return nil
      }
      let spaces = StrangeSpace.all(in: root, of: source)
      for space in spaces { refuse(space.message, at: space.mark) }
      // Further errors would only follow from these.
      if !spaces.isEmpty { return nil }
      var reader = ConfigurationReader()
      reader.read(root, &context)
      return reader.configuration
    } catch {
      for space in StrangeSpace.all(in: source, upToLine: error.mark.line) { refuse(space.message, at: space.mark) }
      refuse("not YAML: \(error.message)\(YAMLRemedy.text(for: error, in: source))", at: error.mark)
      return nil
    }
  }
}

/// The environment of this process (environ(7)).
package func processEnvironment() -> [String: String] {
  var result: [String: String] = [:]
  var next = environ
  while let entry = next.pointee {
    let text = String(cString: entry)
    if let equals = text.firstIndex(of: "=") {
      result[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    next += 1
  }
  return result
}
