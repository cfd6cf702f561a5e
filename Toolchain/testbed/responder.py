#!/usr/bin/env python3
"""Cameras that misbehave by script: an RTSP server on 127.0.0.1 (or --host) for what GStreamer's cannot play.

usage: responder.py [--host ADDRESS] [--port N] [--tls] [--stream NAME=FILE]... [DIALOGUE.toml]...

Each dialogue is a camera at rtsp://127.0.0.1:PORT/NAME-OF-THE-FILE, and so is each raw file of H.264 or H.265: one that
shows it, and nothing goes wrong.

With --tls the cameras are at rtsps:, and `authority` is a file with the certificate they sign for themselves.
Prints `READY {"port": …, "urls": {NAME: URL}, "clips": {CLIP: FILE}}`, then a line `EVENT {…}` for what happens:
`connect`, `request`, `play`, `refuse` (a wrong login), `lose`, `gone`. Ends when standard input ends.

A dialogue (every key may be left out):
  clip = "h264"              what is shown (media.py): H.264, H.265 or Motion JPEG
  fps = 30.0                 how many frames a second are sent
  claimed_fps = 30.0         how many the RTP times say
  parameter_sets = "stream"  or "sdp", "both"
  attributes = []            more lines of the session description
  first_lines = [[N, "…"]]   N times this line in front of its tracks
  last_lines = [[N, "…"]]    and at its end
  marker = true              whether the last packet of a frame has RTP's marker bit
  jpeg_size = "header"       of Motion JPEG: "header", modulo 2048; "none", 0; "extension", 0 and ONVIF's extension
  jpeg_tables = "each"       of Motion JPEG: quantisation tables with each picture, or only "once"
  audio = false              a second, silent track in the description, with packets of its own
  wants_all = false          over UDP nothing comes unless all tracks are set up
  first_timestamp = 90000    RTP times start here
  reports = 0.0              sender reports, with a clock that is so many seconds off; "none" for none
  report_delay = 0.0         the first of them comes so many seconds late
  report_ahead = 0           their RTP time is so many ticks ahead
  clock_rate = 1.0           how fast the camera's clock runs
  open_gop = N               begin in the middle of an open GOP: the first at or behind frame N
  sets_time = "previous"     parameter sets have the RTP time of the frame before
  range = 0.0                what the answer to PLAY says where the stream begins, in seconds
  login = "user:password"    asked for (basic)
  digest = ["SHA-256"]       asked for in this way instead, each algorithm in a header of its own
  echo = "percent"           a request with a login is refused, and the reason repeats it in this spelling (echo.py)
  source = "127.0.0.1"       where the answer to SETUP says that UDP packets come from; left out, it says nothing
  sends_from = "127.0.0.1"   where they do come from
  refuse = ["udp"]           transports that are not served
  loss = 0.0                 share of the UDP packets that are lost
  swap = 0                   every so many UDP packets, two change places
  seed = 1                   of the losses
  connections = 0            how many may be open at once; 0 for any
  session_timeout = 60       seconds after which a session ends in which nothing was asked
  kept_by = ["OPTIONS"]      the requests that keep it; left out, any
  dies_of = ["OPTIONS"]      the connection is closed at these requests, once it plays
  public = "…"               the methods that the answer to OPTIONS lists
  reports_wanted = 5.0       over UDP: ends when the client has sent no report (RTCP) for so many seconds
  session = "4711"           the session that SETUP makes; others are not known
  transport = "…"            what the answer to SETUP says of the transport; "" for nothing
  channel = 0                on which channel pictures come over TCP, reports on the next one
  payload_type = 96          the RTP payload type of what comes
  second_video = false       a second track of pictures in the description, of which SETUP is refused

  [[reply]]                  answers one request in another way; replies are used up in their order
  method = "DESCRIBE"
  times = 1                  how often; 0 for ever
  status = "404 Not Found"   instead of 200 OK
  headers = ["Location: …"]  {port} and {name} are replaced
  body = "…"                 instead of the description; `body_bytes = N` for so many bytes of nonsense
  text = "…"                 these bytes and nothing else
  silent = true              no answer at all
  endless = true             bytes without a line end, for ever
  close = true               and then the connection is closed

  recorded = true            what `camgate probe --record` wrote: each connection goes as the one of its number did,
                             the one after the last as the first; a request that was not made has no answer.
                             [[reply]] with `connection`, `text` and `body` ({host}, {cseq}, {length}), or `silent`;
                             [[packet]] with `connection`, `at` (seconds from PLAY on) and `data` (Base64);
                             [[close]] with `connection`: the camera closed it after the last packet

  [[event]]                  happens in front of a frame
  at = 45                    counted from PLAY
  every = N                  and so many frames later again, and again
  connection = 1             on the n-th connection that plays; 0 on each
  do = "…"                   see `Stream.happen` (stream.py)
"""

import argparse
import base64
import json
import pathlib
import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tomllib

import echo
import login
import media
import replay
import rtp
from stream import CRLF, Gone, Stream, say


class Camera:
    """One dialogue and how far it has got."""

    def __init__(self, name, script, clips):
        self.name, self.script = name, script
        self.clips = clips
        self.clip = clips[self.script.get("clip", "h264")]
        self.lock = threading.Lock()
        self.replies = [{"times": 1, **reply} for reply in self.script.get("reply", [])]
        self.random = random.Random(self.script.get("seed", 1))
        self.plays = 0
        self.open = 0
        self.number = self.recordings = 0

    def get(self, key, default):
        return self.script.get(key, default)

    def reply_to(self, method):
        with self.lock:
            for reply in self.replies:
                if reply["method"] == method and not reply.get("used"):
                    if reply["times"] == 1:
                        reply["used"] = True
                    elif reply["times"] > 1:
                        reply["times"] -= 1
                    return reply
        return None


class Connection(Stream):
    def __init__(self, responder, stream):
        super().__init__(stream)
        self.responder, self.file = responder, stream.makefile("rb")
        self.recording = None

    # The dialogue.

    def run(self):
        say("connect")
        counted = False
        try:
            while True:
                method, headers = self.request()
                if not counted and self.camera:
                    counted = True
                    with self.camera.lock:
                        self.camera.open += 1
                        if 0 < self.camera.get("connections", 0) < self.camera.open:
                            self.answer(headers, "453 Not Enough Bandwidth")
                            raise Gone
                self.handle(method, headers)
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.over.set()
            if counted:
                with self.camera.lock:
                    self.camera.open -= 1
            say("gone", camera=self.camera.name if self.camera else "")
            for each in (*self.udp, self.file, self.socket):
                each.close()

    def request(self):
        """The next request; reports of the client in between are passed over."""
        while True:
            while self.file.peek(1)[:1] == b"$":
                self.file.read(struct.unpack(">xBH", self.file.read(4))[1])
            line = self.file.readline(8192)
            if not line:
                raise Gone
            words = line.decode("latin-1").split()
            if not words:
                continue
            headers = {}
            while text := self.file.readline(8192).decode("latin-1").strip():
                name, _, value = text.partition(":")
                headers[name.strip().lower()] = value.strip()
            if words[0].startswith("RTSP/"):
                continue  # the answer to a request of ours
            path = re.sub(r"^rtsps?://[^/]*/?", "", words[1]).split("/")[0].split("?")[0]
            self.camera = self.camera or self.responder.cameras.get(path)
            if not self.index or words[0] in self.camera.get("kept_by", [words[0]]):
                self.asked = time.monotonic()
            scheme = headers.get("authorization", "").split(" ")[0]
            say("request", camera=path, method=words[0], agent=headers.get("user-agent", ""), scheme=scheme)
            return words[0], headers

    def answer(self, headers, status="200 OK", lines=(), body=b""):
        timeout = self.camera.get("session_timeout", 60) if self.camera else 60
        session = self.camera.get("session", "4711") if self.camera and self.tracks else "4711"
        named = f"Session: {session};timeout={timeout}"
        head = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", named, *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.send((CRLF.join(head) + CRLF * 2).encode() + body)

    def handle(self, method, headers):
        camera = self.camera
        if camera is None:
            return self.answer(headers, "404 Not Found")
        if camera.get("recorded", False):
            self.recording = self.recording or replay.Recording(self)
            return self.recording.answer(method, headers)
        if reply := camera.reply_to(method):
            return self.play_reply(reply, headers)
        if method != "OPTIONS" and not self.is_welcome(method, headers):
            say("refuse", camera=camera.name)
            return self.answer(headers, "401 Unauthorized", login.challenges(camera.get("digest", [])))
        if "echo" in camera.script and "authorization" in headers:
            return self.answer(headers, "500 " + self.echo(headers["authorization"]))
        if method == "PLAY" and headers.get("session", "").split(";")[0] != camera.get("session", "4711"):
            return self.answer(headers, "454 Session Not Found")
        if self.index and method in camera.get("dies_of", []):
            raise Gone
        known = {"OPTIONS": self.options, "DESCRIBE": self.describe, "SETUP": self.setup, "PLAY": self.play}
        if method in known:
            return known[method](headers)
        self.answer(headers, "200 OK" if method in ("GET_PARAMETER", "TEARDOWN") else "501 Not Implemented")
        if method == "TEARDOWN":
            raise Gone

    def echo(self, authorization):
        user, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return echo.spellings(user, secret)[self.camera.get("echo", "plain")]

    def is_welcome(self, method, headers):
        if "echo" in self.camera.script:
            return "authorization" in headers
        return login.is_right(self.camera.get("login", ""), self.camera.get("digest", []), method, headers)

    def fill(self, text):
        text = text.replace("{port}", str(self.responder.port)).replace("{name}", self.camera.name)
        return text.replace("{host}", self.responder.host)

    def play_reply(self, reply, headers):
        if "text" in reply:
            self.send(self.fill(reply["text"]).encode("latin-1"))
        while reply.get("endless"):
            self.send(b"x" * 65536)
        if "text" not in reply and not reply.get("silent"):
            body = self.fill(reply.get("body", "")).encode("latin-1")
            body += self.camera.random.randbytes(reply.get("body_bytes", 0))
            lines = [self.fill(line) for line in reply.get("headers", [])]
            self.answer(headers, reply.get("status", "200 OK"), lines, body)
        if reply.get("close"):
            raise Gone

    def options(self, headers):
        public = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
        self.answer(headers, lines=["Public: " + self.camera.get("public", public)])

    def describe(self, headers):
        in_sdp = self.camera.get("parameter_sets", "stream") in ("sdp", "both")
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", *self.repeated("first_lines")]
        lines += ["m=video 0 RTP/AVP 96", "c=IN IP4 0.0.0.0"]
        lines += [*self.camera.clip.attributes(in_sdp), *self.camera.get("attributes", []), "a=control:track0"]
        if self.camera.get("audio", False):
            lines += ["m=audio 0 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=rtpmap:0 PCMU/8000", "a=control:track1"]
        if self.camera.get("second_video", False):
            lines += ["m=video 0 RTP/AVP 97", "c=IN IP4 0.0.0.0", "a=rtpmap:97 H264/90000", "a=control:track2"]
        lines += self.repeated("last_lines")
        base = f"Content-Base: rtsp://{self.responder.host}:{self.responder.port}/{self.camera.name}/"
        self.answer(headers, lines=["Content-Type: application/sdp", base], body=(CRLF.join(lines) + CRLF).encode())

    def repeated(self, key):
        return [line for count, line in self.camera.get(key, []) for _ in range(count)]

    def setup(self, headers):
        wanted = headers.get("transport", "")
        kind = "tcp" if "TCP" in wanted else "udp"
        if kind in self.camera.get("refuse", []):
            return self.answer(headers, self.camera.get("refusal", "461 Unsupported Transport"))
        if self.tracks and self.camera.get("second_video", False):
            return self.answer(headers, "453 Not Enough Bandwidth")
        self.tracks += 1
        if kind == "tcp":
            transport = self.camera.get("transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
            return self.answer(headers, lines=["Transport: " + transport] if transport else [])
        first = int(re.search(r"client_port=(\d+)", wanted)[1])
        self.ports += (first, first + 1)
        self.udp += neighbours(self.camera.get("sends_from", self.responder.host))
        ports = "-".join(str(each.getsockname()[1]) for each in self.udp[-2:])
        transport = f"Transport: RTP/AVP;unicast;client_port={first}-{first + 1};server_port={ports}"
        transport += f";source={self.camera.script['source']}" if "source" in self.camera.script else ""
        self.answer(headers, lines=[transport])

    def play(self, headers):
        camera = self.camera
        with camera.lock:
            camera.plays += 1
            self.index = camera.plays
        self.clip = camera.clip
        self.sequence = 0 if self.index == 1 else camera.random.randrange(65536)
        self.timestamp = camera.get("first_timestamp", 90_000)
        where = camera.get("range", 0.0)
        self.answer(headers, lines=[f"Range: npt={where:.3f}-"])
        threading.Thread(target=self.feed, daemon=True).start()


def neighbours(host):
    """Two sockets whose ports follow each other: reports go to the second."""
    while True:
        pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        pair[0].bind((host, 0))
        try:
            pair[1].bind((host, pair[0].getsockname()[1] + 1))
        except (OSError, OverflowError):
            for each in pair:
                each.close()
        else:
            return pair


class Responder:
    def __init__(self, paths, streams, host, port, tls):
        self.tls, self.host = tls, host
        files = media.ensure()
        media.add(files, streams)
        used = {name for name in media.CLIPS if media.CLIPS[name].codec != "aac"}
        clips = {name: rtp.load(name, files[name]) for name in sorted(used)}
        scripts = {path.stem: tomllib.loads(path.read_text()) for path in paths}
        scripts |= {name: {"clip": name} for name, _, _ in (text.partition("=") for text in streams)}
        self.cameras = {name: Camera(name, script, clips) for name, script in scripts.items()}
        self.listener = socket.create_server((host, port), backlog=64)
        self.port = self.listener.getsockname()[1]
        scheme = "rtsps" if tls else "rtsp"
        urls = {name: f"{scheme}://{host}:{self.port}/{name}" for name in self.cameras}
        ready = {"port": self.port, "urls": urls, "clips": {name: str(files[name]) for name in clips}}
        if tls:
            ready["authority"] = str(tls.file)
        print("READY " + json.dumps(ready), flush=True)

    def serve(self):
        while True:
            stream, _ = self.listener.accept()
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.converse, args=(stream,), daemon=True).start()

    def converse(self, stream):
        if self.tls:
            try:
                stream = self.tls.context.wrap_socket(stream, server_side=True)
            except OSError:
                return say("distrusted")
        return Connection(self, stream).run()


class Encryption:
    """A certificate for 127.0.0.1 that signs itself, in a folder that goes with the process."""

    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "camera.pem"
        names = ["-subj", "/CN=camera", "-addext", "subjectAltName=IP:127.0.0.1"]
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
        key = self.file.with_suffix(".key")
        subprocess.run([*make, "-keyout", key, "-out", self.file], check=True, stderr=subprocess.DEVNULL)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.file, key)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--stream", action="append", default=[])
    parser.add_argument("dialogue", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        responder = Responder(
            options.dialogue,
            options.stream,
            options.host,
            options.port,
            Encryption(folder) if options.tls else None,
        )
        threading.Thread(target=responder.serve, daemon=True).start()
        for _ in sys.stdin:
            pass


if __name__ == "__main__":
    main()
