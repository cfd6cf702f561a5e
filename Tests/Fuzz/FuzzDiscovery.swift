@testable import Discovery

// libFuzzer's entry: what anybody on the network may answer to `camgate discover`. The first byte says what the rest is:
// a datagram of WS-Discovery, an answer over HTTP, or all the bodies that a device answers with once it is asked.

/// Never anything but 0 (libFuzzer: "reserved for future use").
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  guard let choice = input.first else { return 0 }
  let rest = Array(input.dropFirst())
  switch choice % 3 {
  case 0: fuzzDatagram(rest)
  case 1: fuzzHTTP(rest)
  default: fuzzConversation(rest)
  }
  return 0
}

private func fuzzDatagram(_ bytes: [UInt8]) {
  let devices = WSDiscovery.devices(in: bytes, from: "10.0.0.1")
  precondition(devices.count <= WSDiscovery.matchLimit)
  for device in devices {
    precondition(device.deviceService.host == device.address, "asks somebody else")
    check(device)
  }
}

private func fuzzHTTP(_ bytes: [UInt8]) {
  let whole = HTTPResponse.parse(bytes, isAtEnd: true)
  let open = HTTPResponse.parse(bytes, isAtEnd: false)
  if case .complete(let response) = open {
    precondition(whole == open, "an end of the connection changes an answer that is complete")
    precondition(response.body.count <= bytes.count)
  }
  precondition(whole != .incomplete)
}

/// A device that answers each request with the next piece; the pieces are apart by 0xff.
private func fuzzConversation(_ bytes: [UInt8]) {
  var answers = bytes.split(separator: 0xff, omittingEmptySubsequences: false).makeIterator()
  var device = DiscoveredDevice(address: "10.0.0.1")
  device = ONVIFClient.describe(device, login: ONVIFLogin(username: "viewer", password: "hunter2")) {
    (request) throws(HTTPError) in
    precondition(request.service.host == "10.0.0.1", "asks somebody else")
    let authorization = request.authorization ?? ""
    precondition(!(request.body + authorization).contains("hunter2"), "hands out the password")
    precondition(authorization.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "says more than one header")
    guard let answer = answers.next() else { throw HTTPError(message: "no answer in time") }
    if answer.first == 1 {
      return HTTPResponse(status: 401, body: [], challenges: [String(decoding: answer.dropFirst(), as: UTF8.self)])
    }
    return HTTPResponse(status: answer.first == 0 ? 401 : 200, body: Array(answer))
  }
  precondition(device.streams.count <= ONVIFClient.profileLimit)
  precondition(!device.streams.isEmpty || device.problem != nil, "neither streams nor a reason")
  check(device)
}

/// What is shown is tame, whatever the device says.
private func check(_ device: DiscoveredDevice) {
  for scalar in device.text.unicodeScalars where scalar != "\n" {
    precondition(scalar.properties.generalCategory != .control, "steers the terminal")
  }
  for stream in device.streams {
    let parts = stream.url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    precondition(parts.count == 3 && ["rtsp:", "rtsps:"].contains(parts[0]), "no stream of a camera")
    precondition(!parts[2].prefix { $0 != "/" && $0 != "?" }.contains("@"), "hands out a login")
  }
  _ = device.json.text
}
