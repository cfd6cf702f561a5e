import Posix

// What a device is asked once there is a login: who it is, and where its streams are (ONVIF Core, and Media2
// or Media).

/// One device, asked one question after another. Each has a deadline.
struct ONVIFClient {
  static let requestTime = Duration.seconds(5)
  /// No device is shown with more streams.
  static let profileLimit = 16

  private let service: ServiceAddress
  private var session: ONVIFSession

  /// What `device` says of itself, and its streams; or its `problem`. Tests answer `post` themselves.
  static func describe(
    _ device: DiscoveredDevice, login: ONVIFLogin, post: @escaping ONVIFSession.Post = ONVIFClient.post
  ) -> DiscoveredDevice {
    var client = ONVIFClient(service: device.deviceService, session: ONVIFSession(login: login, post: post))
    var device = device
    do throws(HTTPError) {
      try client.describe(&device)
    } catch {
      device.problem = device.problem ?? "its streams are unknown: \(printable(error.message))"
    }
    return device
  }

  private static let post: @Sendable (HTTPRequest) throws(HTTPError) -> HTTPResponse = {
    (request) throws(HTTPError) in
    // The address of an answer can be forged; that of a neighbour leads to a neighbour.
    guard DiscoverySocket.isNeighbour(request.service.host) else {
      throw HTTPError(message: "\(request.service.host) is on none of this machine's networks, and not asked")
    }
    return try HTTPPost.send(request, until: .now() + requestTime)
  }

  private mutating func describe(_ device: inout DiscoveredDevice) throws(HTTPError) {
    do throws(HTTPError) {
      let answer = try session.ask(.device, at: service, "<GetSystemDateAndTime/>", withLogin: false)
      let theirs = answer.first("UTCDateTime").flatMap { ONVIFClient.time(of: $0) }
      session.clockOffset = theirs?.subtractingSaturated(WallClock.nanosecondsSince1970()) ?? 0
    } catch {
      // Who does not say the time may still take ours; who says nothing is asked nothing more.
      if !error.isAnswer { throw error }
    }
    let information = try session.ask(.device, at: service, "<GetDeviceInformation/>")
    func take(_ key: WritableKeyPath<DiscoveredDevice, String>, _ name: String) {
      if let text = information.text(name), !text.isEmpty { device[keyPath: key] = printable(text) }
    }
    take(\.manufacturer, "Manufacturer")
    take(\.model, "Model")
    take(\.firmware, "FirmwareVersion")
    take(\.serial, "SerialNumber")
    // H.265 is in Media2 only. A device that has that one but does not do it has the other.
    do throws(HTTPError) {
      if let media2 = try media2Service() { try takeStreams(of: .media2, at: media2, &device) }
    } catch {
      if !error.isAnswer || error.isRefusal { throw error }
    }
    if device.streams.isEmpty { try takeStreams(of: .media, at: try mediaService(), &device) }
    if device.streams.isEmpty { device.problem = "it names no RTSP streams" }
  }

  private mutating func takeStreams(
    of media: ONVIFSession.Service, at address: ServiceAddress, _ device: inout DiscoveredDevice
  ) throws(HTTPError) {
    // Media2 tells no configuration that is not asked for.
    let question = media == .media2 ? "<GetProfiles><Type>VideoEncoder</Type></GetProfiles>" : "<GetProfiles/>"
    let profiles = try session.ask(media, at: address, question).all("Profiles").prefix(ONVIFClient.profileLimit)
    var streams: [DiscoveredStream] = []
    for profile in profiles {
      guard let token = profile.attributes["token"], token.utf8.count <= 256 else { continue }
      let answer = try session.ask(media, at: address, ONVIFClient.streamRequest(media, token))
      guard let url = ONVIFClient.streamURL(answer.text("Uri") ?? "") else { continue }
      var stream = DiscoveredStream(profile: printable(profile.text("Name") ?? token), url: url)
      stream.isElsewhere = ONVIFClient.host(ofStream: url) != device.address
      if let encoder = profile.first("VideoEncoderConfiguration") ?? profile.first("Configurations", "VideoEncoder") {
        stream.encoding = printable(encoder.text("Encoding") ?? "", limit: 20)
        stream.width = encoder.text("Resolution", "Width").flatMap { Int($0) }
        stream.height = encoder.text("Resolution", "Height").flatMap { Int($0) }
      }
      streams.append(stream)
    }
    device.streams = streams
  }

  /// Where Media2 is; nil when the device has none.
  private mutating func media2Service() throws(HTTPError) -> ServiceAddress? {
    let question = "<GetServices><IncludeCapability>false</IncludeCapability></GetServices>"
    let services = try session.ask(.device, at: service, question).all("Service")
    let media2 = services.first { $0.text("Namespace") == ONVIFSession.Service.media2.rawValue }
    return (media2?.text("XAddr")).flatMap { ServiceAddress($0) }.map { atDevice($0) }
  }

  /// Where Media 1 is; where the device does not say, at the address of the device service.
  private mutating func mediaService() throws(HTTPError) -> ServiceAddress {
    let question = "<GetCapabilities><Category>Media</Category></GetCapabilities>"
    let answer = try session.ask(.device, at: service, question)
    return answer.text("Media", "XAddr").flatMap { ServiceAddress($0) }.map { atDevice($0) } ?? service
  }

  /// Path and port that the device says; never another host, where its login must not go.
  private func atDevice(_ named: ServiceAddress) -> ServiceAddress {
    ServiceAddress(host: service.host, port: named.port, path: named.path)
  }

  private static func streamRequest(_ media: ONVIFSession.Service, _ token: String) -> String {
    if media == .media2 {
      return "<GetStreamUri><Protocol>RTSP</Protocol><ProfileToken>\(escaped(token))</ProfileToken></GetStreamUri>"
    }
    return """
      <GetStreamUri><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>\
      <Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>\
      <ProfileToken>\(escaped(token))</ProfileToken></GetStreamUri>
      """
  }

  /// A stream's address as it may be shown and used: rtsp, without a login.
  static func streamURL(_ text: String) -> String? {
    let url = printable(text, limit: 1_024)
    guard url == trimmed(text), !url.contains(where: \.isWhitespace) else { return nil }
    guard let scheme = ["rtsp://", "rtsps://"].first(where: url.lowercased().hasPrefix) else { return nil }
    let rest = url.dropFirst(scheme.count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    return host.isEmpty ? nil : scheme + host + rest[authority.endIndex...]
  }

  /// The host in a stream's address that `streamURL` gave.
  static func host(ofStream url: String) -> Substring {
    let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
    if authority.first == "[" { return authority.prefix { $0 != "]" }.dropFirst() }
    return authority.prefix { $0 != ":" }
  }

  /// An ONVIF DateTime as nanoseconds since 1970; nil when it is none.
  static func time(of element: XMLElement) -> Int64? {
    func number(_ section: String, _ name: String, _ range: ClosedRange<Int64>) -> Int64? {
      element.text(section, name).flatMap { Int64($0) }.flatMap { range.contains($0) ? $0 : nil }
    }
    guard let year = number("Date", "Year", 1970...2200), let month = number("Date", "Month", 1...12),
      let day = number("Date", "Day", 1...31), let hour = number("Time", "Hour", 0...23),
      let minute = number("Time", "Minute", 0...59), let second = number("Time", "Second", 0...60)
    else { return nil }
    // Days since 1970: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let shifted = month <= 2 ? year - 1 : year
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let yearOfEra = shifted % 400
    let days = shifted / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000
  }
}
