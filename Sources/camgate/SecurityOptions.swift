import ArgumentParser
import Broker
import Posix
import Settings

/// TLS and SASL on a command line. Passwords and tokens are in files only: every user of a machine can read the arguments
/// of its processes.
struct SecurityOptions: ParsableArguments {
  enum Mechanism: String, ExpressibleByArgument, CaseIterable {
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
    case oauthBearer = "OAUTHBEARER"
  }

  @Flag(help: "Encrypt (TLS); follows from --ca, --certificate and --no-verify.")
  var tls = false

  @Option(help: ArgumentHelp("The CA of the brokers (PEM); those of the system when left out.", valueName: "file"))
  var ca: String?

  @Option(help: ArgumentHelp("A client certificate (PEM), where brokers ask for one.", valueName: "file"))
  var certificate: String?

  @Option(help: ArgumentHelp("The key of --certificate (PEM).", valueName: "file"))
  var key: String?

  @Flag(help: "Check neither the broker's certificate nor its name.")
  var noVerify = false

  @Option(help: "Log in with this mechanism.")
  var sasl: Mechanism?

  @Option(help: "The user, for all mechanisms but OAUTHBEARER.")
  var username: String?

  @Option(help: ArgumentHelp("The user's password.", valueName: "file"))
  var passwordFile: String?

  @Option(help: ArgumentHelp("OAUTHBEARER: the token.", valueName: "file"))
  var tokenFile: String?

  @Option(help: ArgumentHelp("OAUTHBEARER: a command that prints the token.", valueName: "command"))
  var tokenCommand: String?

  func validate() throws {
    if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key need each other") }
    let sources = [tokenFile, tokenCommand].compactMap { $0 }.count
    switch sasl {
    case nil:
      if username != nil || passwordFile != nil || sources > 0 { throw ValidationError("a login needs --sasl") }
    case .oauthBearer?:
      if sources != 1 { throw ValidationError("OAUTHBEARER needs --token-file or --token-command") }
    case let mechanism?:
      if username == nil || passwordFile == nil {
        throw ValidationError("\(mechanism.rawValue) needs --username and --password-file")
      }
    }
  }

  /// What lies open to others: on the network to `brokers`, and on this machine.
  func warnings(brokers: String) -> [String] {
    var lines: [String] = []
    let isEncrypted = tls || ca != nil || certificate != nil || noVerify
    let isLocal = brokers.split(separator: ",").allSatisfy { isLoopback(String($0)) }
    if !isEncrypted, !isLocal, let sasl, [.plain, .oauthBearer].contains(sasl) {
      lines.append("the \(sasl == .plain ? "password" : "token") is readable on the network; set --tls")
    }
    let files = [key, passwordFile, tokenFile].compactMap { $0 }
    return lines + files.filter(FileExposure.isOpenToAll).map(Exposure.warning)
  }

  /// Reads the password. Throws when its file cannot be read.
  func security() throws -> Security {
    var security = Security()
    if tls || ca != nil || certificate != nil || noVerify {
      security.tls = Security.TLS(authority: ca, certificate: certificate, key: key, verifies: !noVerify)
    }
    if let tokenFile { security.sasl = .token(.file(tokenFile)) }
    if let tokenCommand { security.sasl = .token(.command(tokenCommand)) }
    if let sasl, let username, let passwordFile {
      let password: String
      do throws(SystemError) {
        password = try Files.readPassword(passwordFile)
      } catch {
        throw ValidationError("--password-file: \(error)")
      }
      Terminal.secrets.register(password, username: username)
      security.sasl = .password(mechanism: sasl.rawValue, username: username, password: password)
    }
    return security
  }
}
