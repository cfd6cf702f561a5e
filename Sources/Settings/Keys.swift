// The one table of keys: unknown keys are found with it, the sample file and the README are tested against it.

/// One key of the settings file.
package struct SettingsKey: Sendable {
  /// Its place, e.g. `kafka.topic`, `cameras[].url`.
  package let path: String
  /// Its default as it would be written; nil when it must be given, or when leaving it out means something else.
  package let defaultText: String?
  /// What it is, in a few words.
  package let summary: String

  /// The last part of the path.
  var name: String { path.split(separator: ".").last.map { String($0) } ?? path }

  /// All keys.
  package static let all: [SettingsKey] = [
    key("gateway", nil, "name of this gateway, unique in the fleet; the host name when left out"),
    key("kafka", nil, "where frames go"),
    key("kafka.brokers", nil, "list of host:port, required"),
    key("kafka.topic", "cameras", "topic of all cameras without one of their own"),
    key("kafka.message_max_bytes", "1MiB", "largest record; larger frames are sent in parts"),
    key("kafka.catch_up", nil, "how frames go out that had to wait"),
    key("kafka.catch_up.order", "oldest-first", "or live-first: new frames at once, the others behind them"),
    key("kafka.catch_up.max_rate", "unlimited", "rate cap while frames wait; above the cameras' own rate, as 8Mbit/s"),
    key("kafka.catch_up.backfill_topic", nil, "live-first only: topic of the frames that had to wait"),
    key("kafka.resume", "skip-delivered", "after a restart, look in Kafka for what it has already; or resend"),
    key("kafka.resume_quiet", "1s", "looking ends when Kafka had nothing of this gateway for so long"),
    key("kafka.tls", nil, "TLS to the brokers; {} is enough when the system trusts their CA"),
    key("kafka.tls.ca", nil, "file with the CA's certificate; those of the system when left out"),
    key("kafka.tls.certificate", nil, "file with a client certificate, where brokers ask for one"),
    key("kafka.tls.key", nil, "file with its key"),
    key("kafka.tls.verify", nil, "false: the broker's certificate and name are not checked"),
    key("kafka.sasl", nil, "login at the brokers"),
    key("kafka.sasl.mechanism", nil, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
    key("kafka.sasl.username", nil, "for all but OAUTHBEARER"),
    key("kafka.sasl.password", nil, "its password; better in password_file"),
    key("kafka.sasl.password_file", nil, "file with the password, relative to the settings file"),
    key("kafka.sasl.token_file", nil, "OAUTHBEARER: file with the token; read again before it expires"),
    key("kafka.sasl.token_command", nil, "OAUTHBEARER: command that prints the token within ten seconds"),
    key("kafka.properties", nil, "any other librdkafka property"),
    key("buffer", nil, "what is kept while Kafka is away"),
    key("buffer.memory", "32MiB", "bytes of frames in memory, all cameras together"),
    key("buffer.directory", nil, "where the ring on disk is; memory only when left out"),
    key("buffer.size", "auto", "bytes on disk, everything included; auto is 90 % of what is free"),
    key("buffer.segment", "32MiB", "bytes of one file of the ring, 4MiB to 256MiB"),
    key("buffer.write", "on-pressure", "when frames go to disk: on-pressure or always"),
    key("buffer.spill_after", "2s", "on-pressure: how old an unacknowledged frame may be before it goes to disk"),
    key("buffer.sync_interval", "1s", "how old a written frame may be before it is synced"),
    key("buffer.sync_bytes", "4MiB", "how many written bytes may wait for a sync"),
    key("buffer.thin_above", "never", "keep only keyframes above so much of the ring, for example 70%"),
    key("cameras", nil, "list of cameras, required"),
    key("cameras[].name", nil, "unique; a-z, 0-9 and -, required"),
    key("cameras[].url", nil, "rtsp://…, rtsps://…, file:PATH or test:WIDTHxHEIGHT@FPS; this or device is required"),
    key("cameras[].device", nil, "V4L2 camera: usb:SERIAL, /dev/v4l/by-id/… or /dev/video0"),
    key("cameras[].username", nil, "login of an rtsp camera"),
    key("cameras[].password", nil, "its password; better in password_file"),
    key("cameras[].password_file", nil, "file with the password, relative to the settings file"),
    key("cameras[].auth", "digest", "basic: the password may go out in clear where a camera without TLS asks for that"),
    key("cameras[].transport", "tcp", "rtsp only: tcp, udp, or auto (udp, then tcp when it loses)"),
    key("cameras[].tls", nil, "rtsps only: how the camera's certificate is checked"),
    key(
      "cameras[].tls.ca", nil, "PEM file of the authorities, relative to the settings file; the system's when left out"),
    key("cameras[].tls.verify", "true", "false: any certificate will do, and so will any listener in between"),
    key("cameras[].loop", "false", "file only: begin anew at the end"),
    key(
      "cameras[].format", nil, "device only: encoding, size and rate, as mjpeg 1280x720@15; any part may be left out"),
    key("cameras[].controls", nil, "device only: exposure and the like by the driver's names, set in this order"),
    key("cameras[].timeouts", nil, "when a connection counts as broken"),
    key("cameras[].timeouts.connect", "10s", "for the connection and the RTSP dialogue"),
    key("cameras[].timeouts.first_frame", "30s", "from there to the first frame"),
    key(
      "cameras[].timeouts.next_frame", "5s",
      "from frame to frame; a slower camera's interval is learnt, up to 5m are waited for"),
    key("cameras[].limits", nil, "what is taken of the camera; the rest is dropped up to the next keyframe"),
    key("cameras[].limits.bitrate", "100Mbit/s", "on average over ten seconds; what was dropped is told by ce_gap"),
    key("cameras[].limits.fps", "240", "frames a second, on average over ten seconds"),
    key("cameras[].limits.frame", "16MiB", "largest frame; the camera may take four times as much memory"),
    key("cameras[].topic", nil, "topic of this camera instead of kafka.topic"),
    key("stop_timeout", "5s", "how long delivery goes on after a request to stop"),
    key("sandbox", "auto", "give up what the gateway does not need, as far as the kernel goes; or off"),
    key("log", nil, "what is logged on standard error"),
    key("log.level", "info", "debug, info, warning or error"),
    key("log.format", "text", "text or json"),
    key("system", nil, "the board itself, where Camgate's image runs on it"),
    key("system.hostname", nil, "camgate- and the end of the hardware address when left out"),
    key("system.network", nil, "the wired network"),
    key("system.network.interface", nil, "such as eth0; the first wired one when left out"),
    key("system.network.address", "dhcp", "dhcp, or ADDRESS/BITS as 10.0.0.5/24"),
    key("system.network.router", nil, "the way out, with an address of its own"),
    key("system.network.dns", nil, "name servers' addresses; besides those that DHCP tells"),
    key("system.network.vlan", nil, "number of the VLAN that all of it is in"),
    key("system.ntp", nil, "list of time servers; those that DHCP tells, else pool.ntp.org, when left out"),
  ]

  /// The names of the keys directly below `path` (`""` is the top of the file).
  static func names(below path: String) -> [String] {
    let prefix = path.isEmpty ? "" : path + "."
    return all.compactMap { key in
      guard key.path.hasPrefix(prefix) else { return nil }
      let name = key.path.dropFirst(prefix.count)
      return name.contains(".") || name.contains("[") ? nil : String(name)
    }
  }

  private static func key(_ path: String, _ defaultText: String?, _ summary: String) -> SettingsKey {
    SettingsKey(path: path, defaultText: defaultText, summary: summary)
  }
}
