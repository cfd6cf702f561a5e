import Posix

// A device that has answered. What it says of itself is shown and believed no further.

/// An ONVIF device.
package struct DiscoveredDevice: Sendable, Equatable {
  /// Where the answer came from, which the device cannot choose freely.
  package var address: String
  /// Its own name for itself, mostly a UUID.
  package var endpoint = ""
  /// What it is called, its model and place: from its scopes, and with a login from the device itself.
  package var name = ""
  package var model = ""
  package var location = ""
  package var manufacturer = ""
  package var firmware = ""
  package var serial = ""
  /// Where it says its services are.
  package var services: [ServiceAddress] = []
  package var streams: [DiscoveredStream] = []
  /// Why its streams are not known, where they were asked for.
  package var problem: String?

  package init(address: String) { self.address = address }
}

/// A stream of a device.
package struct DiscoveredStream: Sendable, Equatable {
  /// The name of its profile.
  package var profile: String
  /// Without a login.
  package var url: String
  /// As the device writes it, e.g. `H264`.
  package var encoding = ""
  package var width: Int?
  package var height: Int?
  /// It is on another host than its device, where the device's login must not go because a stranger says so.
  package var isElsewhere = false
}

/// Where a service of a device is: host, port and path of a http URL.
package struct ServiceAddress: Sendable, Equatable {
  package var host: String
  package var port: UInt16
  package var path: String

  /// nil when `url` is no http URL, or one with control characters.
  package init?(_ url: String) {
    guard url.utf8.count <= 1_024, url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
      url.lowercased().hasPrefix("http://")
    else { return nil }
    let rest = url.dropFirst("http://".count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let target = rest[authority.endIndex...]
    path = target.isEmpty ? "/" : target.hasPrefix("/") ? String(target) : "/" + target
    if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
      guard let port = UInt16(authority[authority.index(after: colon)...]), port > 0 else { return nil }
      (host, self.port) = (String(authority[..<colon]), port)
    } else {
      (host, port) = (String(authority), 80)
    }
    if host.isEmpty || host.contains("@") { return nil }
  }

  package init(host: String, port: UInt16, path: String) { (self.host, self.port, self.path) = (host, port, path) }
}

extension DiscoveredDevice {
  /// Where its device service is asked: at the address that answered, whatever the device says. A login must not go to
  /// a third party because a stranger names it.
  package var deviceService: ServiceAddress {
    let named = services.first { $0.host == address } ?? services.first { !$0.host.hasPrefix("[") }
    return ServiceAddress(host: address, port: named?.port ?? 80, path: named?.path ?? "/onvif/device_service")
  }

  /// For people.
  package var text: String {
    let identity = [manufacturer, model].filter { !$0.isEmpty }.joined(separator: " ")
    var lines = [
      [address, name, identity == name ? "" : identity, location].filter { !$0.isEmpty }.joined(separator: "  ")
    ]
    for stream in streams {
      var what = [stream.encoding]
      if let width = stream.width, let height = stream.height { what.append("\(width)x\(height)") }
      what.append(stream.profile)
      if stream.isElsewhere { what.append("on another host") }
      lines.append("  \(stream.url)  \(what.filter { !$0.isEmpty }.joined(separator: " "))")
    }
    if let problem { lines.append("  \(problem)") }
    return lines.joined(separator: "\n")
  }

  /// For machines.
  package var json: JSONObject {
    var object = JSONObject()
    object.add("address", address)
    for (key, value) in [
      ("endpoint", endpoint), ("name", name), ("manufacturer", manufacturer), ("model", model), ("location", location),
      ("firmware", firmware), ("serial", serial),
    ] where !value.isEmpty { object.add(key, value) }
    object.add("services", services.map { printable("http://\($0.host):\($0.port)\($0.path)", limit: 1_100) })
    object.add(
      "streams",
      streams.map { stream in
        var object = JSONObject()
        object.add("profile", stream.profile)
        object.add("url", stream.url)
        if !stream.encoding.isEmpty { object.add("encoding", stream.encoding) }
        if let width = stream.width { object.add("width", width) }
        if let height = stream.height { object.add("height", height) }
        if stream.isElsewhere { object.add("elsewhere", true) }
        return object
      })
    if let problem { object.add("problem", problem) }
    return object
  }
}
