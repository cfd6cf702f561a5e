import ArgumentParser
import Gateway
import Posix
import Settings

/// Reads a settings file for a command: prints everything that is wrong with it on standard error and, when it cannot be
/// used, ends with exit code 78 (EX_CONFIG).
func loadSettings(_ path: String) throws -> Configuration { try checked(SettingsFile(path: path)) }

/// The settings in a file that was read, with the same outcomes.
func checked(_ file: SettingsFile) throws -> Configuration {
  file.registerSecrets(in: Terminal.secrets)
  let diagnostics = file.allDiagnostics
  if !diagnostics.isEmpty { Terminal.writeError(diagnostics.rendered(in: file.source) + "\n") }
  guard let configuration = file.configuration, !diagnostics.hasErrors else {
    let count = diagnostics.count { $0.severity == .error }
    Terminal.writeError("\(file.source.name): \(counted(count, "error")); nothing was started\n")
    throw ExitCode(78)
  }
  return configuration
}
