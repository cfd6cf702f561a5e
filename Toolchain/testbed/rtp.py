"""Clips as RTP carries them: NAL units, in fragments where they are large, JPEGs, and what a description says."""

import base64
import json
import re
import struct

import media

PAYLOAD = 1200
# A picture that needs others (H.264), and is none.
TINY = b"\x41\xe2" + b"\xaa" * 18
# A picture of 8064 x 8064 that 16 others are missing of, which decoding would begin at (a recovery point, H.264).
VAST = [bytes.fromhex(text) for text in ("6742003e9584601f800fc640", "68ce3880", "060601c480")]
VAST.append(bytes.fromhex("61889430") + b"\xaa" * 40)


def nal_units(unit):
    return [nal for nal in re.split(rb"\x00\x00\x00?\x01", unit) if nal]


def load(name, path):
    """A clip of any kind."""
    return JPEGClip(name, path) if media.CLIPS[name].codec == "mjpeg" else Clip(name, path)


class Clip:
    """The access units of a clip as NAL units, parameter sets and delimiters apart."""

    def __init__(self, name, path):
        self.name, self.recipe = name, media.CLIPS[name]
        self.is_h265 = self.recipe.codec == "h265"
        self.units, self.sets = [], {}
        for unit in media.split(self.recipe.codec, path.read_bytes()):
            slices = []
            for nal in nal_units(unit):
                kind = self.kind(nal)
                if kind in ((32, 33, 34) if self.is_h265 else (7, 8)):
                    self.sets[kind] = nal
                elif kind != (35 if self.is_h265 else 9):
                    slices.append(nal)
            self.units.append(slices)
        self.order = json.loads(media.order_file(path).read_text()) if self.recipe.has_order else None
        self.keyframes = [index for index, unit in enumerate(self.units) if self.is_keyframe(unit)]

    def kind(self, nal):
        return (nal[0] >> 1) & 0x3F if self.is_h265 else nal[0] & 0x1F

    def is_keyframe(self, unit):
        return any(16 <= self.kind(nal) <= 21 if self.is_h265 else self.kind(nal) == 5 for nal in unit)

    def delay(self, number):
        """By how many frame times a picture is presented after its decoding."""
        return self.order[number] if self.order else self.recipe.delay(number)

    def open_gop_at(self, number):
        """The first keyframe at or behind a frame's number at which no GOP before it is closed."""
        recovery = b"\x06\x06"  # an SEI message with a recovery point (H.264, D.1)
        for index in range(number, len(self.units)):
            kinds = {self.kind(nal) for nal in self.units[index]}
            if 21 in kinds if self.is_h265 else any(nal[:2] == recovery for nal in self.units[index]):
                return index
        raise SystemExit(f"responder: no open GOP in {self.name}")

    def keyframe_at(self, number):
        """The first keyframe at or behind a frame's number."""
        number %= len(self.units)
        return next((index for index in self.keyframes if index >= number), 0)

    def attributes(self, with_sets):
        sets = [base64.b64encode(self.sets[kind]).decode() for kind in sorted(self.sets)]
        if self.is_h265:
            named = ";".join(f"sprop-{name}={text}" for name, text in zip(("vps", "sps", "pps"), sets, strict=True))
            return ["a=rtpmap:96 H265/90000"] + ([f"a=fmtp:96 {named}"] if with_sets else [])
        parameters = "packetization-mode=1" + (f";sprop-parameter-sets={','.join(sets)}" if with_sets else "")
        return ["a=rtpmap:96 H264/90000", f"a=fmtp:96 {parameters}"]

    def packets(self, nal):
        """A NAL unit as RTP payloads: whole, or in fragments (RFC 6184, 5.8; RFC 7798, 4.4.3)."""
        if len(nal) <= PAYLOAD:
            return [nal]
        size = 2 if self.is_h265 else 1
        head, body = nal[:size], nal[size:]
        pieces = [body[at : at + PAYLOAD] for at in range(0, len(body), PAYLOAD)]
        result = []
        for index, piece in enumerate(pieces):
            flags = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0) | self.kind(nal)
            if self.is_h265:
                result.append(bytes([(head[0] & 0x81) | 49 << 1, head[1], flags]) + piece)
            else:
                result.append(bytes([(head[0] & 0xE0) | 28, flags]) + piece)
        return result


def huge(byte_count):
    """A keyframe of H.264 that is none, in fragments as large as they may be."""
    body, size = b"\xaa" * 60_000, byte_count // 60_000
    flags = [0x85] + [0x05] * (size - 2) + [0x45]
    return [bytes([0x7C, flag]) + body for flag in flags]


class JPEGClip:
    """The pictures of a clip: what RTP carries of them (RFC 2435) and what its receiver puts together again."""

    is_h265, sets = False, {}

    def __init__(self, name, path):
        self.name, self.recipe = name, media.CLIPS[name]
        self.units = [self.parse(picture) for picture in media.split("mjpeg", path.read_bytes())]

    @staticmethod
    def parse(picture):
        """Size, quantisation tables and scan of a JPEG of 4:2:0."""
        at, tables, size = 2, b"", None
        while True:
            marker, count = struct.unpack(">xBH", picture[at : at + 4])
            content, at = picture[at + 4 : at + 2 + count], at + 2 + count
            if marker == 0xDB:
                tables += b"".join(content[index + 1 : index + 65] for index in range(0, len(content), 65))
            elif marker == 0xC0:
                size = struct.unpack(">xHH", content[:5])[::-1]
            elif marker == 0xDA:
                return size, (tables * 2)[:128], picture[at : picture.rindex(b"\xff\xd9")]

    def delay(self, number):
        return 0

    def is_keyframe(self, unit):
        return True

    def keyframe_at(self, number):
        return number % len(self.units)

    def attributes(self, with_sets):
        return ["a=rtpmap:96 JPEG/90000"]

    def payloads(self, number, has_size=True, has_tables=True):
        """A picture as RTP payloads, of Q 255: with its tables in the first one, unless they are left out."""
        (width, height), tables, scan = self.units[number]
        blocks = (width // 8 % 256, height // 8 % 256) if has_size else (0, 0)
        result = []
        for at in range(0, len(scan), PAYLOAD):
            head = at.to_bytes(4, "big") + bytes([1, 255, *blocks])
            if at == 0:
                head += struct.pack(">HH", 0, len(tables)) + tables if has_tables else bytes(4)
            result.append(head + scan[at : at + PAYLOAD])
        return result

    def extension(self, number):
        """ONVIF's header extension with the picture's frame header, in words of 32 bits."""
        (width, height), _, _ = self.units[number]
        components = bytes([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1])
        segment = b"\xff\xc0" + struct.pack(">HBHH", 17, 8, height, width) + components
        segment += b"\xff" * (-len(segment) % 4)
        return struct.pack(">HH", 0xFFD8, len(segment) // 4) + segment
