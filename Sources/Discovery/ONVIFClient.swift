import Posix

// What a device is asked once there is a login: who it is, and where its streams are (ONVIF Core and Media 10).

/// One device, asked one question after another. Each has a deadline.
struct ONVIFClient {
  static let requestTime = Duration.seconds(5)
  /// No device is shown with more streams.
  static let profileLimit = 16

  /// Posts a body of a type to a service.
  typealias Post = (_ body: String, _ type: String, ServiceAddress) throws(HTTPError) -> HTTPResponse

  private let service: ServiceAddress
  private let login: ONVIFLogin
  private let post: Post
  /// The device's clock less ours, nanoseconds: it refuses logins that seem old.
  private var clockOffset: Int64 = 0

  /// What `device` says of itself, and its streams; or its `problem`. Tests answer `post` themselves.
  static func describe(
    _ device: DiscoveredDevice, login: ONVIFLogin, post: @escaping Post = ONVIFClient.post
  ) -> DiscoveredDevice {
    var client = ONVIFClient(service: device.deviceService, login: login, post: post)
    var device = device
    do throws(HTTPError) {
      try client.describe(&device)
    } catch {
      device.problem = device.problem ?? "its streams are unknown: \(printable(error.message))"
    }
    return device
  }

  private static let post: @Sendable (String, String, ServiceAddress) throws(HTTPError) -> HTTPResponse = {
    (body, type, service) throws(HTTPError) in
    // The address of an answer can be forged; that of a neighbour leads to a neighbour.
    guard DiscoverySocket.isNeighbour(service.host) else {
      throw HTTPError(message: "\(service.host) is on none of this machine's networks, and not asked")
    }
    return try HTTPPost.send(body, type: type, to: service, until: .now() + requestTime)
  }

  private mutating func describe(_ device: inout DiscoveredDevice) throws(HTTPError) {
    do throws(HTTPError) {
      let answer = try ask(service, .device, "<GetSystemDateAndTime/>", login: nil)
      let theirs = answer.first("UTCDateTime").flatMap { ONVIFClient.time(of: $0) }
      clockOffset = theirs?.subtractingSaturated(WallClock.nanosecondsSince1970()) ?? 0
    } catch {
      // Who does not say the time may still take ours; who says nothing is asked nothing more.
      if !error.isAnswer { throw error }
    }
    let information = try ask(service, .device, "<GetDeviceInformation/>", login: login)
    func take(_ key: WritableKeyPath<DiscoveredDevice, String>, _ name: String) {
      if let text = information.text(name), !text.isEmpty { device[keyPath: key] = printable(text) }
    }
    take(\.manufacturer, "Manufacturer")
    take(\.model, "Model")
    take(\.firmware, "FirmwareVersion")
    take(\.serial, "SerialNumber")
    let media = try mediaService()
    let profiles = try ask(media, .media, "<GetProfiles/>", login: login).all("Profiles").prefix(
      ONVIFClient.profileLimit)
    for profile in profiles {
      guard let token = profile.attributes["token"], token.utf8.count <= 256 else { continue }
      let answer = try ask(media, .media, ONVIFClient.streamRequest(token), login: login)
      guard let url = ONVIFClient.streamURL(answer.text("MediaUri", "Uri") ?? "") else { continue }
      var stream = DiscoveredStream(profile: printable(profile.text("Name") ?? token), url: url)
      stream.isElsewhere = ONVIFClient.host(ofStream: url) != device.address
      if let encoder = profile.first("VideoEncoderConfiguration") {
        stream.encoding = printable(encoder.text("Encoding") ?? "", limit: 20)
        stream.width = encoder.text("Resolution", "Width").flatMap { Int($0) }
        stream.height = encoder.text("Resolution", "Height").flatMap { Int($0) }
      }
      device.streams.append(stream)
    }
    if device.streams.isEmpty { device.problem = "it names no RTSP streams" }
  }

  /// Path and port of the media service; where the device does not say, that of the device service.
  private func mediaService() throws(HTTPError) -> ServiceAddress {
    let answer = try ask(
      service, .device, "<GetCapabilities><Category>Media</Category></GetCapabilities>", login: login)
    guard let named = answer.text("Media", "XAddr").flatMap({ ServiceAddress($0) }) else { return service }
    return ServiceAddress(host: service.host, port: named.port, path: named.path)
  }

  private static func streamRequest(_ token: String) -> String {
    """
    <GetStreamUri><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream>\
    <Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>\
    <ProfileToken>\(escaped(token))</ProfileToken></GetStreamUri>
    """
  }

  private enum Namespace: String {
    case device, media
  }

  /// Asks one thing; the answer's body. A SOAP fault is an error with its reason.
  private func ask(
    _ service: ServiceAddress, _ namespace: Namespace, _ request: String, login: ONVIFLogin?
  ) throws(HTTPError) -> XMLElement {
    let name = request.dropFirst().prefix { $0.isLetter }
    let body = request.dropFirst(name.count + 1)
    let namespaceURL = "http://www.onvif.org/ver10/\(namespace.rawValue)/wsdl"
    let nonce = (0..<16).map { _ in UInt8.random(in: 0...255) }
    let time = WallClock.nanosecondsSince1970().addingSaturated(clockOffset)
    let envelope = """
      <?xml version="1.0" encoding="UTF-8"?>\
      <e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">\
      <e:Header>\(login?.header(nonce: nonce, time: time) ?? "")</e:Header>\
      <e:Body><\(name) xmlns="\(namespaceURL)"\(body)</e:Body></e:Envelope>
      """
    let response = try post(
      envelope, "application/soap+xml; charset=utf-8; action=\"\(namespaceURL)/\(name)\"", service)
    let document = XMLElement.parse(response.body)
    if let fault = document?.first("Fault") {
      let codes = fault.all("Value").map(\.text).joined(separator: " ") + (fault.text("faultcode") ?? "")
      let reason = fault.text("Reason", "Text") ?? fault.text("faultstring") ?? "no reason given"
      let isRefusal =
        response.status == 401 || codes.contains("NotAuthorized") || codes.contains("FailedAuthentication")
      throw HTTPError(
        message: isRefusal ? ONVIFClient.refusal : "it refuses \(name): \(printable(reason))", isAnswer: true)
    }
    if response.status == 401 { throw HTTPError(message: ONVIFClient.refusal, isAnswer: true) }
    guard response.status == 200, let answer = document?.first("\(name)Response") else {
      throw HTTPError(message: "it does not answer \(name) (HTTP status \(response.status))", isAnswer: true)
    }
    return answer
  }

  static let refusal =
    "it refuses the login: check username and password (many cameras have users for ONVIF of their own)"

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
