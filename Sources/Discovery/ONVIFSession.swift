import Posix

// Questions to one device's services, each with the login as the device wants it: as a UsernameToken in the SOAP header,
// or, once it has challenged (HTTP status 401), as HTTP Digest alone. A login that was refused is not tried again: many
// devices lock after five.

/// A conversation with one device.
struct ONVIFSession {
  /// Posts a request.
  typealias Post = (HTTPRequest) throws(HTTPError) -> HTTPResponse

  /// The namespaces of services.
  enum Service: String {
    case device = "http://www.onvif.org/ver10/device/wsdl"
    case media = "http://www.onvif.org/ver10/media/wsdl"
    case media2 = "http://www.onvif.org/ver20/media/wsdl"
  }

  private let login: ONVIFLogin
  private let post: Post
  private var digest: HTTPDigest?
  /// Whether the device has taken a digest: what it refuses afterwards is a nonce, whatever it calls that.
  private var hasWorked = false
  /// The device's clock less ours, nanoseconds: it refuses tokens that seem old.
  var clockOffset: Int64 = 0

  init(login: ONVIFLogin, post: @escaping Post) { (self.login, self.post) = (login, post) }

  /// Asks one thing; the answer's body. A SOAP fault is an error with its reason.
  mutating func ask(
    _ service: Service, at address: ServiceAddress, _ request: String, withLogin: Bool = true
  ) throws(HTTPError) -> XMLElement {
    let name = request.dropFirst().prefix { $0.isLetter }
    var response = try send(service, address, request, withLogin: withLogin)
    if response.status == 401, !response.challenges.isEmpty {
      let isRenewed = try take(response.challenges)
      if withLogin, isRenewed { response = try send(service, address, request, withLogin: true) }
    }
    hasWorked = hasWorked || withLogin && digest != nil && response.status == 200
    let document = XMLElement.parse(response.body)
    if let fault = document?.first("Fault") {
      let codes = fault.all("Value").map(\.text).joined(separator: " ") + (fault.text("faultcode") ?? "")
      let reason = fault.text("Reason", "Text") ?? fault.text("faultstring") ?? "no reason given"
      if response.status == 401 || codes.contains("NotAuthorized") || codes.contains("FailedAuthentication") {
        throw ONVIFSession.refusal
      }
      throw HTTPError(message: "it refuses \(name): \(printable(reason))", isAnswer: true)
    }
    if response.status == 401 { throw ONVIFSession.refusal }
    guard response.status == 200, let answer = document?.first("\(name)Response") else {
      throw HTTPError(message: "it does not answer \(name) (HTTP status \(response.status))", isAnswer: true)
    }
    return answer
  }

  static let refusal = HTTPError(
    message: "it refuses the login: check username and password (many cameras have users for ONVIF of their own)",
    isAnswer: true, isRefusal: true)

  /// Takes a challenge; false when the login was refused, and not a nonce.
  private mutating func take(_ challenges: [String]) throws(HTTPError) -> Bool {
    guard let challenge = HTTPDigest(challenges) else {
      throw HTTPError(
        message: "it asks for a login that Camgate does not do over http: \(HTTPDigest.demands(of: challenges))",
        isAnswer: true, isRefusal: true)
    }
    guard digest == nil || challenge.isStale || hasWorked else { return false }
    digest = challenge
    return true
  }

  private mutating func send(
    _ service: Service, _ address: ServiceAddress, _ request: String, withLogin: Bool
  ) throws(HTTPError) -> HTTPResponse {
    let name = request.dropFirst().prefix { $0.isLetter }
    let nonce = (0..<16).map { _ in UInt8.random(in: 0...255) }
    let time = WallClock.nanosecondsSince1970().addingSaturated(clockOffset)
    let token = withLogin && digest == nil ? login.header(nonce: nonce, time: time) : ""
    let envelope = """
      <?xml version="1.0" encoding="UTF-8"?>\
      <e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header>\(token)</e:Header>\
      <e:Body><\(name) xmlns="\(service.rawValue)"\(request.dropFirst(name.count + 1))</e:Body></e:Envelope>
      """
    let type = "application/soap+xml; charset=utf-8; action=\"\(service.rawValue)/\(name)\""
    let authorization =
      withLogin
      ? digest?.authorization(login, method: "POST", path: address.path, clientNonce: hexadecimal(nonce)) : nil
    return try post(HTTPRequest(body: envelope, type: type, service: address, authorization: authorization))
  }
}
