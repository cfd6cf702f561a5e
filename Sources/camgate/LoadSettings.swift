import ArgumentParser
import Gateway
import Posix
import Settings

/// Reads a settings file for a command: prints everything that is wrong with it on standard error and, when it cannot be
/// used, ends with exit code 78 (EX_CONFIG).
func loadSettings(_ path: String) throws -> Configuration { try checked(SettingsFile(path: path)) }

/// The settings in a file that was read, with the same outcomes; with `isStrict` a warning is an error too.
func checked(_ file: SettingsFile, isStrict: Bool = false) throws -> Configuration {
  file.registerSecrets(in: Terminal.secrets)
  var diagnostics = file.allDiagnostics
  if isStrict { for index in diagnostics.indices { diagnostics[index].severity = .error } }
  if !diagnostics.isEmpty { Terminal.writeError(diagnostics.rendered(in: file.source) + "\n") }
  guard let configuration = file.configuration, !diagnostics.hasErrors else {
    let count = diagnostics.count { $0.severity == .error }
    Terminal.writeError(message: "\(file.source.name): \(counted(count, "error")); nothing was started")
    throw ExitCode(78)
  }
  return configuration
}
