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

  /// No settings file is longer, bytes.
  static let sizeLimit = 1 << 20

  /// Reads the file at `path`. Never throws: what is wrong is in `diagnostics`.
  package init(path: String, environment: [String: String] = processEnvironment()) {
    do throws(SystemError) {
      let bytes = try Files.read(path, limit: SettingsFile.sizeLimit)
      let directory = path.lastIndex(of: "/").map { String(path[..<$0]) + "/" } ?? ""
      self.init(name: path, bytes: bytes, directory: directory, environment: environment)
    } catch {
      let reason = error.code == EFBIG ? "larger than 1 MiB: is this a settings file?" : describe(errno: error.code)
      self.init(
        configuration: nil, properties: [],
        diagnostics: [
          Diagnostic(severity: .error, path: "", message: "cannot be read: \(reason)", mark: nil, length: 0)
        ], source: SourceText(name: path, bytes: []))
    }
  }

  /// Reads settings from bytes; other files are relative to `directory` (with its slash, or empty).
  package init(name: String, bytes: [UInt8], directory: String, environment: [String: String]) {
    let source = SourceText(name: name, bytes: bytes)
    var context = ReadingContext(environment: environment, directory: directory)
    let configuration = SettingsFile.read(source, &context)
    self.init(
      configuration: context.diagnostics.hasErrors ? nil : configuration,
      properties: configuration?.kafka.properties ?? [], diagnostics: context.diagnostics, source: source)
  }

  private init(
    configuration: Configuration?, properties: [Configuration.Property], diagnostics: [Diagnostic], source: SourceText
  ) {
    (self.configuration, self.properties) = (configuration, properties)
    (self.diagnostics, self.source) = (diagnostics, source)
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
    if let mark = source.firstInvalidByte {
      context.diagnostics.append(
        Diagnostic(severity: .error, path: "", message: "this is not UTF-8 text", mark: mark, length: 1))
      return nil
    }
    do throws(YAMLError) {
      guard let root = try YAMLNode.parse(source.bytes), !root.isNull else {
        context.diagnostics.append(
          Diagnostic(
            severity: .error, path: "", message: "empty; start from the commented sample", mark: nil, length: 0))
        return nil
      }
      var reader = ConfigurationReader()
      reader.read(root, &context)
      return reader.configuration
    } catch {
      let remedy =
        source.isIndentedWithTab(error.mark.line)
        ? "; indent with spaces, not with tabs"
        : source.endsWithColon(error.mark.line) ? "; put a value that ends with a colon into quotes" : ""
      context.diagnostics.append(
        Diagnostic(
          severity: .error, path: "", message: "not YAML: \(error.message)\(remedy)", mark: error.mark, length: 1))
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
