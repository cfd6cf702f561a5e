#!/usr/bin/python3
"""ONVIF devices, good and bad, on a network of their own, and a program that looks for them.

Run inside a new network namespace (unshare --net): makes a network there with two cables (`net0`, which the devices are
on, and its other end), gives each device an address, starts the devices, runs the program, and ends with its exit code.

usage: onvif.py DEVICES LOGIN PROGRAM ARGUMENTS...
  DEVICES  comma-separated names of what is in DEVICES below
  LOGIN    user:password that devices want
"""

import base64
import hashlib
import http.server
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import xml.sax.saxutils
from datetime import UTC, datetime, timedelta

import echo
import httpdigest

GROUP, PORT = "239.255.255.250", 3702
OWN_ADDRESS = "10.9.0.1"

# What differs from a good camera. `clock`: seconds its clock is off. `silent`: does not answer HTTP at all.
DEVICES = {
    "gate": {"name": "Gate%20North", "hardware": "IPC-100"},
    # Refuses every login, and with no more than a status.
    "locked": {"name": "Locked", "hardware": "IPC-200", "fault": "status"},
    # Its clock never was set: logins with today's time are refused.
    "past": {"name": "Past", "hardware": "IPC-300", "clock": -10 * 365 * 86_400},
    # Says that its services are somewhere else, where nobody must go.
    "liar": {"name": "Liar", "hardware": "IPC-400", "host": "10.9.0.99"},
    # Its streams, it says, are on another host, where the login must not go.
    "pointer": {"name": "Pointer", "hardware": "IPC-800", "streams": "10.9.0.99"},
    "silent": {"name": "Silent", "hardware": "IPC-500", "http": "silent"},
    # Sends without end.
    "endless": {"name": "Endless", "hardware": "IPC-600", "http": "endless"},
    # Answers with control characters, an entity bomb in between, and more scopes than anybody has.
    "strange": {"name": "Str%1B%5B31mange%0A", "hardware": "x" * 5_000, "bomb": True, "chunked": True},
    # Repeat the login wherever they may say something: as manufacturer, as model, in a fault (names of echo.py). XML
    # has no place for `escape`.
    "parrot": {
        "name": "Parrot",
        "hardware": "IPC-700",
        "echoes": ["base64-login", "plain percent json", "header base64-url xml cut-percent"],
    },
    "ara": {
        "name": "Ara",
        "hardware": "IPC-710",
        "echoes": ["cut", "url-without-host percent-lowercase", "parameter cut-base64"],
    },
    "kea": {
        "name": "Kea",
        "hardware": "IPC-720",
        "echoes": ["base64 json-utf8", "delete percent-twice", "url cut"],
    },
    # Take HTTP Digest (RFC 7616) only, with one hash or another; `fickle` takes a nonce for three requests.
    "digest": {"name": "Digest", "hardware": "IPC-810", "digest": {"algorithms": ["MD5"]}},
    "sha": {"name": "Sha", "hardware": "IPC-820", "digest": {"algorithms": ["SHA-256", "MD5"]}},
    "both": {"name": "Both", "hardware": "IPC-830", "digest": {"algorithms": ["SHA-256", "MD5"], "joined": True}},
    "fickle": {"name": "Fickle", "hardware": "IPC-840", "digest": {"algorithms": ["MD5"], "lasting": 3}},
    # Asks for a hash that Camgate does not know.
    "future": {"name": "Future", "hardware": "IPC-850", "digest": {"algorithms": ["SHA-512-256"]}},
    # Has H.265 in Media2, which Media 1 has no word for; the other only says that it has.
    "modern": {"name": "Modern", "hardware": "IPC-860", "media2": "good"},
    "boaster": {"name": "Boaster", "hardware": "IPC-870", "media2": "refuses"},
    # Like gate, down to its UUID.
    "twin": {"name": "Twin", "hardware": "IPC-100", "uuid": "gate"},
}

SOAP = "http://www.w3.org/2003/05/soap-envelope"


def envelope(body):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" '
        'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" '
        'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:ter="http://www.onvif.org/ver10/error">'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def fault(code, reason):
    return envelope(
        f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "'
    + "a" * 1_000
    + '">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(8))
    + "]><b>&i;</b>"
)


class Device:
    """One device on one address."""

    def __init__(self, name, address, login):
        self.name, self.address = name, address
        self.options = DEVICES[name]
        self.user, self.password = login.split(":", 1)
        self.nonces = set()
        self.asked = 0
        digest = self.options.get("digest")
        self.guard = httpdigest.Guard(self.user, self.password, **digest) if digest else None

    def match(self, relates_to):
        """The answer to a Probe."""
        host = self.options.get("host", self.address)
        identity = hashlib.sha1(self.options.get("uuid", self.name).encode()).hexdigest()
        scopes = ["onvif://www.onvif.org/type/video_encoder", "onvif://www.onvif.org/location/yard"]
        scopes += [f"onvif://www.onvif.org/name/{self.options['name']}"]
        scopes += [f"onvif://www.onvif.org/hardware/{self.options['hardware']}"]
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP}" '
            'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
            'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">'
            f"<s:Header><a:RelatesTo>{relates_to}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
            f"<a:EndpointReference><a:Address>urn:uuid:{identity}</a:Address></a:EndpointReference>"
            f"<d:Scopes>\n{' '.join(scopes)}\n</d:Scopes>"
            f"<d:XAddrs>http://[fe80::1]/onvif/device_service http://{host}:8000/onvif/device_service</d:XAddrs>"
            "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
        )

    def discover(self):
        """Answers Probes for ever; every first one is lost, as datagrams are."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((GROUP, PORT))
        membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(OWN_ADDRESS))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        speaker.bind((self.address, 0))
        while True:
            data, sender = listener.recvfrom(65_536)
            message = re.search(rb"MessageID>([^<]+)<", data)
            if b"/Probe<" not in data or b"NetworkVideoTransmitter" not in data or not message:
                continue
            self.asked += 1
            if self.asked == 1:
                continue
            if self.options.get("bomb"):
                speaker.sendto(BOMB.encode(), sender)
                speaker.sendto(bytes(range(256)) * 50, sender)
            speaker.sendto(self.match(message[1].decode()).encode(), sender)

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self.options.get("clock", 0))

    def is_allowed(self, request):
        """Checks a UsernameToken: digest, time within 5 minutes of the device's, no nonce twice. It has no place beside
        a digest of HTTP."""
        if self.guard:
            return "UsernameToken" not in request
        parts = {}
        for tag in ("Username", "Password", "Nonce", "Created"):
            found = re.search(rf"<(?:\w+:)?{tag}(?: [^>]*)?>([^<]*)<", request)
            if not found:
                return False
            parts[tag] = found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
        created = datetime.strptime(parts["Created"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        nonce = base64.b64decode(parts["Nonce"])
        digest = hashlib.sha1(nonce + parts["Created"].encode() + self.password.encode()).digest()
        if abs((created - self.now()).total_seconds()) > 300 or nonce in self.nonces or self.options.get("fault"):
            return False
        self.nonces.add(nonce)
        return parts["Username"] == self.user and parts["Password"] == base64.b64encode(digest).decode()

    def answer(self, path, request):
        """(status, body) of a SOAP request."""
        name = re.search(r"<(?:\w+:)?Body[^>]*><(\w+)", request)[1]
        now = self.now()
        if name == "GetSystemDateAndTime":
            return 200, envelope(
                "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>"
                f"<tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
                f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
                f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
                "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
            )
        if not self.is_allowed(request):
            refusal = fault("ter:NotAuthorized", "Sender not authorized")
            return (401, "") if self.options.get("fault") == "status" else (400, refusal)
        said = []
        if echoes := self.options.get("echoes"):
            spellings = echo.spellings(self.user, self.password)
            said = [xml.sax.saxutils.escape(" ".join(spellings[key] for key in keys.split())) for keys in echoes]
        if name == "GetDeviceInformation" and said:
            # A manufacturer's name is cut after 200 characters: in the middle of `cut`.
            manufacturer = said[0].removeprefix("x" * 55)
            return 200, envelope(
                f"<tds:GetDeviceInformationResponse><tds:Manufacturer>{manufacturer}</tds:Manufacturer>"
                f"<tds:Model>{said[1]}</tds:Model><tds:FirmwareVersion>{said[1]}</tds:FirmwareVersion>"
                f"<tds:SerialNumber>{said[2]}</tds:SerialNumber></tds:GetDeviceInformationResponse>"
            )
        if name == "GetProfiles" and said:
            return 400, fault("ter:Bad", said[2])
        if name == "GetDeviceInformation":
            return 200, envelope(
                "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme &amp; Sons</tds:Manufacturer>"
                f"<tds:Model>{self.options['hardware']}</tds:Model><tds:FirmwareVersion>1.2.3</tds:FirmwareVersion>"
                "<tds:SerialNumber>SN1</tds:SerialNumber></tds:GetDeviceInformationResponse>"
            )
        if name == "GetCapabilities":
            return 200, envelope(
                "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media>"
                "<tt:XAddr>http://192.0.2.1:8000/onvif/media</tt:XAddr>"
                "</tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
            )
        if name == "GetServices" and "media2" in self.options:
            services = [("ver10/device", "device_service"), ("ver10/media", "media"), ("ver20/media", "media2")]
            return 200, envelope(
                "<tds:GetServicesResponse>"
                + "".join(
                    f"<tds:Service><tds:Namespace>http://www.onvif.org/{space}/wsdl</tds:Namespace>"
                    f"<tds:XAddr>http://192.0.2.1:8000/onvif/{path}</tds:XAddr><tds:Version><tt:Major>2</tt:Major>"
                    "<tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
                    for space, path in services
                )
                + "</tds:GetServicesResponse>"
            )
        if path == "/onvif/media2" and self.options["media2"] == "good":
            return self.answer_media2(name, request)
        if path != "/onvif/media":
            return 400, fault("ter:ActionNotSupported", "wrong service")
        if name == "GetProfiles":
            profiles = [("main<1>", "H264", 1920, 1080), ("sub", "JPEG", 640, 480)]
            return 200, envelope(
                "<trt:GetProfilesResponse>"
                + "".join(
                    f'<trt:Profiles token="{token.replace("<", "&lt;")}" fixed="true"><tt:Name>{token[:4]}</tt:Name>'
                    f"<tt:VideoEncoderConfiguration><tt:Encoding>{encoding}</tt:Encoding><tt:Resolution>"
                    f"<tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
                    "</tt:VideoEncoderConfiguration></trt:Profiles>"
                    for token, encoding, width, height in profiles
                )
                + "</trt:GetProfilesResponse>"
            )
        token = re.search(r"ProfileToken>([^<]*)<", request)[1]
        path = {"main&lt;1&gt;": "main", "sub": "sub"}[token]
        login = urllib.parse.quote(f"{self.user}:{self.password}", ":")
        return 200, envelope(
            "<trt:GetStreamUriResponse><trt:MediaUri>"
            f"<tt:Uri>rtsp://{login}@{self.options.get('streams', self.address)}/{path}?a=1&amp;b=2</tt:Uri>"
            "</trt:MediaUri></trt:GetStreamUriResponse>"
        )

    def answer_media2(self, name, request):
        """The same by the service for H.265; who asks for no kind of configuration is told none."""
        if 'xmlns="http://www.onvif.org/ver20/media/wsdl"' not in request:
            return 400, fault("ter:ActionNotSupported", "wrong namespace")
        tr2 = 'xmlns:tr2="http://www.onvif.org/ver20/media/wsdl"'
        if name == "GetProfiles":
            encoder = (
                '<tr2:Configurations><tr2:VideoSource token="1"><tt:Name>lens</tt:Name></tr2:VideoSource>'
                '<tr2:VideoEncoder token="1" GovLength="50" Profile="Main"><tt:Name>e</tt:Name>'
                "<tt:Encoding>H265</tt:Encoding><tt:Resolution><tt:Width>3840</tt:Width><tt:Height>2160</tt:Height>"
                "</tt:Resolution></tr2:VideoEncoder></tr2:Configurations>"
            )
            return 200, envelope(
                f'<tr2:GetProfilesResponse {tr2}><tr2:Profiles token="main&lt;1&gt;" fixed="true">'
                f"<tr2:Name>main</tr2:Name>{encoder if '<Type>VideoEncoder</Type>' in request else ''}</tr2:Profiles>"
                "</tr2:GetProfilesResponse>"
            )
        if not re.search(r"><Protocol>RTSP</Protocol><ProfileToken>main&lt;1&gt;</ProfileToken></", request):
            return 400, fault("ter:InvalidArgVal", "no such profile or protocol")
        return 200, envelope(
            f"<tr2:GetStreamUriResponse {tr2}><tr2:Uri>rtsp://{self.address}/h265</tr2:Uri></tr2:GetStreamUriResponse>"
        )

    def serve(self):
        """Answers HTTP for ever."""
        device = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                kind = device.options.get("http")
                request = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if kind == "silent":
                    time.sleep(3_600)
                if kind == "endless":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    while True:
                        self.wfile.write(b"<x>" * 10_000)
                challenges = device.guard and device.guard.check("POST", self.path, self.headers["Authorization"])
                status, body = (401, "") if challenges else device.answer(self.path, request)
                body = body.encode()
                self.send_response(status)
                for challenge in challenges or []:
                    self.send_header("WWW-Authenticate", challenge)
                if device.options.get("chunked"):
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for start in range(0, len(body), 100):
                        part = body[start : start + 100]
                        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # who asks the endless one goes away

        Server((self.address, 8000), Handler).serve_forever()


def main():
    names, login, *command = sys.argv[1:]
    devices = [Device(name, f"10.9.0.{index + 20}", login) for index, name in enumerate(filter(None, names.split(",")))]
    for line in ["link set lo up", "link add net0 type veth peer name end0", "link set end0 up", "link set net0 up"]:
        subprocess.run(["ip", *line.split()], check=True)
    for address in [OWN_ADDRESS] + [device.address for device in devices]:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "net0"], check=True)
    subprocess.run(["ip", "route", "add", "10.9.0.0/24", "dev", "net0", "src", OWN_ADDRESS], check=True)
    for device in devices:
        threading.Thread(target=device.discover, daemon=True).start()
        threading.Thread(target=device.serve, daemon=True).start()
    status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    for device in devices:
        if device.guard:
            print(f"{device.name} refused {device.guard.refusals}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
