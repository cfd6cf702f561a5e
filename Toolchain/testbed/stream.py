"""The pictures of a scripted camera: frames as RTP packets at their times, sender reports, and what goes wrong."""

import contextlib
import itertools
import json
import socket
import struct
import threading
import time

import rtp

NTP_EPOCH = 2_208_988_800
SSRC = 0x0CA3_9A7E
CRLF = "\r\n"
PRINTING = threading.Lock()


def say(event, **more):
    with PRINTING:
        print("EVENT " + json.dumps({"event": event, **more}), flush=True)


class Gone(Exception):
    """This connection is over."""


class Stream:
    """What flows on one connection; `camera` says what, `udp` and `ports` where to."""

    def __init__(self, stream):
        self.socket = stream
        self.camera, self.ports, self.udp = None, (), []
        self.sending = threading.Lock()
        self.over = threading.Event()
        self.octets = self.count = self.index = 0
        self.tracks = 0  # that are set up
        self.reported = time.monotonic()
        self.asked = time.monotonic()
        self.held = None
        self.extension = b""
        self.copies = 1
        self.stamp = self.previous = 0

    def send(self, data):
        with self.sending:
            self.socket.sendall(data)

    def feed(self):
        with contextlib.suppress(Gone, OSError):
            self.show()
        self.over.set()
        shut(self.socket)

    def show(self):
        camera, fps = self.camera, self.camera.get("fps", self.clip.recipe.fps)
        reports, reported = camera.get("reports", 0.0), -1.0
        claimed = 1 / camera.get("claimed_fps", fps)
        self.number = self.clip.keyframe_at(camera.number)
        if "open_gop" in camera.script and self.index == 1:
            self.number = self.clip.open_gop_at(camera.get("open_gop", 0))
        first_report, rate = camera.get("report_delay", 0.0), camera.get("clock_rate", 1.0)
        self.ntp = time.time_ns() + (0 if reports == "none" else int(reports * 1e9))
        udp = bool(self.udp)
        ntp = self.ntp + round(self.clip.delay(self.number) * claimed * 1e9)
        say("play", camera=camera.name, connection=self.index, number=self.number, ntp=ntp, udp=udp)
        if udp and camera.get("wants_all", False) and self.tracks < 2:
            self.over.wait()
        started = self.reported = time.monotonic()
        for count in itertools.count():
            if self.over.wait(max(0, started + count / fps - time.monotonic())):
                return
            if time.monotonic() - self.asked > camera.get("session_timeout", 60):
                raise Gone
            if udp and self.silence() > camera.get("reports_wanted", 1e9):
                raise Gone
            shown = count * claimed + self.clip.delay(self.number) * claimed
            self.previous = self.stamp
            self.stamp = (self.timestamp + round(shown * 90_000)) & 0xFFFFFFFF
            if shown - reported >= 1 and reports != "none" and shown >= first_report:
                self.report(shown / (claimed * fps) * rate)
                reported = shown
            pieces = self.pieces()
            for event in camera.get("event", []):
                due = (count - event["at"]) % event.get("every", 1 << 40) == 0 and count >= event["at"]
                if due and event.get("connection", 1) in (0, self.index):
                    pieces = self.happen(event, pieces)
            self.packets(pieces)
            self.copies = 1
            if camera.get("audio", False):
                self.other_track(count)
            self.number = camera.number = (self.number + 1) % len(self.clip.units)

    def silence(self):
        """For how many seconds the client has sent no report."""
        with contextlib.suppress(BlockingIOError):
            while self.udp[1].recv(2048, socket.MSG_DONTWAIT):
                self.reported = time.monotonic()
        return time.monotonic() - self.reported

    def pieces(self):
        """The present frame as RTP payloads, parameter sets in front of a keyframe."""
        if isinstance(self.clip, rtp.JPEGClip):
            return self.picture()
        unit, sets = self.clip.units[self.number], []
        if self.clip.is_keyframe(unit) and self.camera.get("parameter_sets", "stream") not in ("sdp", "none"):
            sets = [self.clip.sets[kind] for kind in sorted(self.clip.sets)]
        return [piece for nal in [*sets, *unit] for piece in self.clip.packets(nal)]

    def picture(self):
        """The present JPEG as RTP payloads."""
        size, once = self.camera.get("jpeg_size", "header"), self.camera.get("jpeg_tables", "each") == "once"
        if size == "extension":
            self.extension = self.clip.extension(self.number)
        return self.clip.payloads(self.number, size == "header", not once or self.count == 0)

    def packets(self, pieces):
        sets = (32, 33, 34) if self.clip.is_h265 else (7, 8)
        for index, piece in enumerate(pieces):
            marker = 0x80 if index == len(pieces) - 1 and self.camera.get("marker", True) else 0
            first = 0x90 if self.extension else 0x80
            late = self.camera.get("sets_time", "") == "previous" and self.clip.kind(piece) in sets
            stamp = self.previous if late else self.stamp
            kind = self.camera.get("payload_type", 96)
            head = struct.pack(">BBHII", first, kind | marker, self.sequence, stamp, SSRC) + self.extension
            self.extension = b""
            for _ in range(self.copies):
                self.packet(head + piece)
            self.sequence = (self.sequence + 1) & 0xFFFF
            self.count += 1
            self.octets += len(piece)

    def interleaved(self, piece, stamp):
        """One picture in one packet, as it goes over the connection."""
        head = struct.pack(">BBHII", 0x80, 96 | 0x80, self.sequence, stamp & 0xFFFFFFFF, SSRC)
        self.sequence = (self.sequence + 1) & 0xFFFF
        return b"$" + struct.pack(">BH", 0, len(head + piece)) + head + piece

    def packet(self, packet, channel=0):
        if not self.udp:
            at = channel + self.camera.get("channel", 0)
            return self.send(b"$" + struct.pack(">BH", at, len(packet)) + packet)
        if channel == 0 and self.camera.random.random() < self.camera.get("loss", 0.0):
            return say("lose", camera=self.camera.name)
        if channel == 0 and self.held is not None:
            held, self.held = self.held, None
            self.datagram(packet, channel)
            packet = held
        elif self.is_swapped(packet, channel):
            self.held = packet
            return None
        return self.datagram(packet, channel)

    def is_swapped(self, packet, channel):
        """Whether it changes places with the next one, which is sent at the same moment: a frame's last is not."""
        every = self.camera.get("swap", 0)
        return channel == 0 and every and self.count % every == 1 and not packet[1] & 0x80

    def datagram(self, packet, channel):
        if channel < len(self.ports):
            self.udp[channel].sendto(packet, ("127.0.0.1", self.ports[channel]))
        return None

    def report(self, shift):
        """A sender report (RFC 3550, 6.4.1): which wall clock time belongs to which RTP time."""
        ntp = self.ntp + round(shift * 1e9)
        seconds, rest = divmod(ntp, 1_000_000_000)
        fraction = (rest << 32) // 1_000_000_000
        stamp = (self.stamp + self.camera.get("report_ahead", 0)) & 0xFFFFFFFF
        numbers = (SSRC, (seconds + NTP_EPOCH) & 0xFFFFFFFF, fraction, stamp, self.count, self.octets & 0xFFFFFFFF)
        self.packet(struct.pack(">BBHIIIIII", 0x80, 200, 6, *numbers), 1)

    def other_track(self, count):
        header = struct.pack(">BBHII", 0x80, 0, count & 0xFFFF, count * 266, SSRC + 1)
        self.packet(header + b"\xff" * 266, 2)

    def happen(self, event, pieces):
        """Does what a dialogue asks for; gives what is left of the frame."""
        what, amount = event["do"], event.get("amount", 1)
        if what == "jump":  # RTP time, by `amount` ticks
            self.timestamp += amount
            self.stamp = (self.stamp + amount) & 0xFFFFFFFF
        elif what == "outlier":  # this frame's RTP time alone is off, by `amount` ticks
            self.stamp = (self.stamp + amount) & 0xFFFFFFFF
        elif what == "clock":  # the camera's clock is set, by `amount` ms
            self.ntp += amount * 1_000_000
        elif what == "lose":  # the sequence number counts packets that are not sent
            middle = len(pieces) // 2
            self.packets(pieces[:middle])
            self.sequence = (self.sequence + amount) & 0xFFFF
            return pieces[middle + amount :]
        elif what == "skip":  # `amount` whole frames were never taken
            self.number = (self.number + amount) % len(self.clip.units)
            return self.pieces()
        elif what == "behead":  # the first slice was sent before this connection
            sets, slices = self.clip.units[self.number][:0], self.clip.units[self.number][1:]
            if self.clip.is_keyframe(slices) and self.camera.get("parameter_sets", "stream") != "sdp":
                sets = [self.clip.sets[kind] for kind in sorted(self.clip.sets)]
            return [piece for nal in [*sets, *slices] for piece in self.clip.packets(nal)]
        elif what == "double":  # the network doubles each packet of the frame
            self.copies = 2
        elif what == "tiny":  # interleaved packets of 1 to 7 bytes, too short for RTP
            for count in range(1, 8):
                self.packet(b"$" * count)
        elif what in ("extension", "padding"):  # one packet says that it has more of it than bytes
            middle = len(pieces) // 2
            self.packets(pieces[:middle])
            bits, body = (0x90, b"\0\0\xff\xff" + pieces[middle]) if what == "extension" else (0xA0, pieces[middle])
            head = struct.pack(">BBHII", bits, 96, self.sequence, self.stamp, SSRC)
            self.packet(head + (body if what == "extension" else body[:100] + b"\xff"))
            self.sequence = (self.sequence + 1) & 0xFFFF
            return pieces[middle + 1 :]
        elif what == "truncate":  # an RTP packet without its second half, then what follows
            self.packet(struct.pack(">BBHII", 0x80, 96, self.sequence, self.stamp, SSRC)[:7])
        elif what == "garbage":  # bytes between interleaved packets
            self.send(self.camera.random.randbytes(amount).replace(b"$", b"%").replace(b"\n", b"?"))
        elif what == "line":  # a line that is neither an answer nor a request
            self.send(b"x" * amount + b"\r\n\r\n")
        elif what == "channel":  # the frame comes on a channel that was never set up
            for piece in pieces:
                self.packet(struct.pack(">BBHII", 0x80, 96, 7, self.stamp, SSRC) + piece, 6)
        elif what == "report-as-video":  # a report on the channel of the pictures and pictures on that of the reports
            self.packet(struct.pack(">BBHIIIIII", 0x80, 200, 6, SSRC, 0, 0, 0, 0, 0), 0)
        elif what == "switch":  # another clip from its next keyframe on
            self.clip = self.camera.clips[event["clip"]]
            self.number = self.clip.keyframe_at(self.number)
            return self.pieces()
        elif what == "bye":  # RTCP BYE
            self.packet(struct.pack(">BBHI", 0x81, 203, 1, SSRC), 1)
        elif what == "teardown":  # the camera's own request
            self.send(f"TEARDOWN rtsp://127.0.0.1/{self.camera.name} RTSP/1.0\r\nCSeq: 9\r\n\r\n".encode())
            raise Gone
        elif what == "close":
            raise Gone
        elif what == "break":  # closes inside a frame
            self.packets(pieces[: max(1, len(pieces) // 2)])
            raise Gone
        elif what == "reset":
            self.packets(pieces[: max(1, len(pieces) // 2)])
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Gone
        elif what == "stall":  # no more frames, reports go on
            while not self.over.wait(0.2):
                self.report(0)
        elif what == "freeze":  # nothing more at all
            self.over.wait()
        elif what == "endless":  # bytes without a line end, for ever
            while True:
                self.send(b"x" * 65536)
        elif what == "huge":  # a keyframe of `amount` MB instead of this frame
            self.packets(rtp.huge(amount * 1_000_000))
            say("huge", camera=self.camera.name)
            return []
        elif what == "vast":  # a keyframe of a few bytes that claims to be as large as it may be
            self.packets(rtp.VAST)
            say("vast", camera=self.camera.name)
            return []
        elif what == "flood":  # `amount` tiny pictures in front of this one, each with a time of its own
            self.send(b"".join(self.interleaved(rtp.TINY, self.stamp - 6 * number) for number in range(amount, 0, -1)))
            say("flood", camera=self.camera.name)
        elif what == "undefined":  # `amount` packets of a kind that H.264 has not, and filler data by turns
            kinds = (b"\x1e\0", b"\x0c\xff\x80") * amount
            self.send(b"".join(self.interleaved(kind, self.stamp) for kind in kinds))
            say("undefined", camera=self.camera.name)
        elif what == "nothing":  # the frame is not sent
            return []
        elif what == "no-keyframe":  # the frame is not sent if decoding could begin there
            return [] if self.clip.is_keyframe(self.clip.units[self.number]) else pieces
        elif what == "inject":  # a stranger's packet with the number that comes next
            head = struct.pack(">BBHII", 0x80, 96, self.sequence, self.stamp, SSRC)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind(("127.0.0.2", 0))
                stranger.sendto(head + rtp.TINY, ("127.0.0.1", self.ports[0]))
        elif what == "endless-frame":  # one frame that never ends
            while not self.over.is_set():
                head = struct.pack(">BBHII", 0x80, 96, self.sequence, self.stamp, SSRC)
                self.packet(head + bytes([0x7C, 0x05]) + b"\xaa" * rtp.PAYLOAD)
                self.sequence = (self.sequence + 1) & 0xFFFF
        else:
            raise SystemExit(f"responder: no event {what!r}")
        return pieces


def shut(stream):
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
    stream.close()
