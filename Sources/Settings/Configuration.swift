import Frames

// The effective settings: what the file says, with the environment, secret files and defaults put in.

/// All settings.
package struct Configuration: Sendable {
  /// The gateway's name; part of every key and id.
  package var gateway = ""
  package var kafka = Kafka()
  package var buffer = Buffer()
  package var cameras: [Camera] = []
  /// How long delivery goes on after the cameras were stopped.
  package var stopTimeout = Duration.seconds(5)
  package var sandbox = SandboxMode.auto
  package var log = LogSettings()
  package var system = System()
  /// The paths of the other files that the settings name: passwords, tokens, certificates.
  package var files: [String] = []
  /// Those of them that hold a secret, each once; the settings file itself is one when a secret stands in it.
  package var secretFiles: [String] = []

  package struct Kafka: Sendable {
    /// `host:port` each.
    package var brokers: [String] = []
    package var topic = "cameras"
    /// What a record may be, bytes.
    package var messageMaxBytes = 1 << 20
    package var catchUpOrder = CatchUpOrder.oldestFirst
    /// Bits a second while catching up; nil: unlimited.
    package var catchUpRate: Int?
    /// Where frames go that had to wait; nil: where the others go.
    package var backfillTopic: String?
    package var resume = Resume.skipDelivered
    /// How long nothing of this gateway may come before the looking ends.
    package var resumeQuiet = Duration.seconds(1)
    /// Encryption; nil: none.
    package var tls: TLS?
    /// Authentication; nil: none.
    package var sasl: SASL?
    package var properties: [Property] = []

    package init() {}
  }

  package enum CatchUpOrder: String, Sendable, CaseIterable {
    case oldestFirst = "oldest-first"
    case liveFirst = "live-first"
  }

  package enum Resume: String, Sendable, CaseIterable {
    case skipDelivered = "skip-delivered"
    case resend
  }

  /// Files are absolute or relative to the working directory.
  package struct TLS: Sendable, Equatable {
    package var authority: String?
    package var certificate: String?
    package var key: String?
    package var verifies = true
  }

  package enum SASL: Sendable, Equatable {
    package enum Mechanism: String, Sendable, CaseIterable {
      case plain = "PLAIN"
      case scramSHA256 = "SCRAM-SHA-256"
      case scramSHA512 = "SCRAM-SHA-512"
      case oauthBearer = "OAUTHBEARER"
    }

    case password(Mechanism, username: String, password: String)
    case tokenFile(String)
    case tokenCommand(String)
  }

  /// One entry of `kafka.properties`.
  package struct Property: Sendable {
    package var name: String
    package var value: String
    let nameMark: Mark
  }

  package struct Buffer: Sendable {
    package enum Write: String, Sendable, CaseIterable {
      case onPressure = "on-pressure"
      case always
    }

    /// Bytes of frames in memory, all cameras together.
    package var memory = 32 << 20
    /// Where frames go that must not be lost; nil: nowhere.
    package var directory: String?
    /// Bytes on disk, everything included; nil is `auto`.
    package var size: Int?
    /// Bytes of one of its files.
    package var segment = 32 << 20
    package var write = Write.onPressure
    /// How old an unacknowledged frame becomes before it is written.
    package var spillAfter = Duration.seconds(2)
    /// How old a written frame becomes before it is synced.
    package var syncInterval = Duration.seconds(1)
    /// How many written bytes wait for a sync.
    package var syncBytes = 4 << 20
    /// Above so many hundredths of the disk's part only keyframes are kept; nil is `never`.
    package var thinAbove: Int?

    package init() {}
  }

  package struct Camera: Sendable {
    package var description: CameraDescription
    /// The topic of its frames; nil: `kafka.topic`.
    package var topic: String?
  }

  package enum SandboxMode: String, Sendable, CaseIterable {
    case auto, off
  }

  package struct LogSettings: Sendable {
    package enum Level: String, Sendable, CaseIterable {
      case debug, info, warning, error
    }

    package enum Format: String, Sendable, CaseIterable {
      case text, json
    }

    package var level = Level.info
    package var format = Format.text

    package init() {}
  }

  /// What the board's image does besides running the gateway.
  package struct System: Sendable, Equatable {
    /// nil: made of the network hardware's address.
    package var hostname: String?
    package var network = Network()
    /// Names or addresses; empty: those that DHCP tells, else public ones.
    package var ntp: [String] = []
  }

  package struct Network: Sendable, Equatable {
    /// nil: the first wired one.
    package var interface: String?
    /// `ADDRESS/BITS`; nil: DHCP.
    package var address: String?
    package var router: String?
    package var nameServers: [String] = []
    package var vlan: Int?
  }

  package init() {}
}
