"""What a record must look like, written down a second time, independently of the gateway: headers, key and value.

`parse` turns a Kafka message into a Record and says everything that is wrong with it on its own; `Joiner` puts parts
of large frames together; `order_problems` says what is wrong between neighbouring frames of one camera.
"""

import ctypes
import datetime
import re
from dataclasses import dataclass, field

CODECS = {"video/h264": "h264", "video/h265": "hevc", "image/jpeg": "mjpeg"}
CLOCKS = {"camera", "gateway", "corrected", "unsynced"}
# A V4L2 driver counts the pictures it dropped; a connection that broke does not.
COUNTED = {"camera", "damaged", "overload", "evicted", "thinned", "oversize", "limited", "quarantined"}
UNCOUNTED = {"network", "camera", "restart"}
HEADER_LIMIT = 500
SILENCE_NS = 5_000_000_000  # the longest step in media time that needs no ce_gap

NUMBER = r"-?(0|[1-9]\d*)"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
REQUIRED = {
    "ce_specversion": r"1\.0",
    "ce_type": r"camgate\.frame\.v1",
    "ce_source": r"/[^/]+/[a-z0-9-]+",
    "ce_id": r"[0-9a-f]{16}-\d+-\d+(\.[1-9]\d*)?",
    "ce_time": TIME,
    "content-type": "|".join(CODECS),
    "ce_sequence": r"\d{30}",
    "ce_clock": "|".join(CLOCKS),
    "ce_ptsns": NUMBER,
    "ce_keyframe": "[01]",
    "ce_width": r"[1-9]\d*",
    "ce_height": r"[1-9]\d*",
}
OPTIONAL = {
    "ce_dtsns": NUMBER,
    "ce_recovery": r"[1-9]\d*",
    "ce_leading": "1",
    "ce_gap": r"unknown|[1-9]\d*",
    "ce_gapns": NUMBER,
    "ce_gapreason": "|".join(COUNTED | UNCOUNTED),
    "ce_clockstep": "1",
    "ce_chunk": r"[1-9]\d*/[1-9]\d*",
    "ce_chunkid": r"[0-9a-f]{16}-\d+-\d+",
    "ce_checksum": "[0-9a-f]{16}",
    "ce_backfill": "1",
}
PART_HEADERS = {"ce_chunk", "ce_chunkid", "ce_checksum"}


@dataclass
class Record:
    """One frame as it lies in the topic."""

    source: str
    id: str
    codec: str
    epoch: int
    sequence: int
    time_ns: int
    clock: str
    stepped: bool
    pts: int
    dts: int
    reordered: bool
    keyframe: bool
    width: int
    height: int
    gap: str | None
    gap_reason: str | None
    chunk: tuple | None  # (number, count, checksum) of a part
    backfill: bool
    value: bytes = field(repr=False)

    @property
    def camera(self):
        return self.source.rsplit("/", 1)[-1]


def nanoseconds(text):
    """RFC 3339 with nine digits as nanoseconds since 1970."""
    whole = datetime.datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    return int(whole.timestamp()) * 1_000_000_000 + int(text[20:29])


def murmur2(data):
    """Java's hash of a key, by which its clients choose the partition."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    for at in range(0, len(data) & ~3, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if tail := data[len(data) & ~3 :]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def header_problems(headers):
    """Everything wrong with the names and the form of the headers, given as (name, bytes) pairs."""
    names = [name for name, _ in headers]
    problems = [f"{name} twice" for name in set(names) if names.count(name) > 1]
    values = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    problems += [f"{name} missing" for name in REQUIRED if name not in values]
    for name, value in values.items():
        form = REQUIRED.get(name) or OPTIONAL.get(name)
        if form is None:
            problems.append(f"{name} is no header of ours")
        elif not re.fullmatch(form, value):
            problems.append(f"{name} is {value!r}")
    size = sum(2 + len(name) + len(value or b"") for name, value in headers if name not in PART_HEADERS)
    if PART_HEADERS & set(values) and PART_HEADERS - set(values):
        problems.append("some headers of a part without the others")
    if size >= HEADER_LIMIT:
        problems.append(f"{size} bytes of headers")
    if values.get("ce_dtsns") is not None and values["ce_dtsns"] == values.get("ce_ptsns"):
        problems.append("ce_dtsns equals ce_ptsns")
    return problems + gap_problems(values)


def gap_problems(values):
    """Headers about a gap come together: a count with the counted reasons, `unknown` and a duration with the others."""
    gap, reason = values.get("ce_gap"), values.get("ce_gapreason")
    if gap is None and reason is None:
        return ["ce_gapns without ce_gap"] if "ce_gapns" in values else []
    if gap is None or reason is None:
        return ["ce_gap and ce_gapreason are not both there"]
    if reason not in (UNCOUNTED if gap == "unknown" else COUNTED):
        return [f"ce_gap {gap!r} does not go with ce_gapreason {reason!r}"]
    if gap == "unknown" and "ce_gapns" not in values and reason != "restart":
        return ["ce_gap unknown without ce_gapns"]
    return []


def parse(message, partitions, gateway=None):
    """(Record, problems) of one confluent_kafka message; the record is None where its headers cannot be used."""
    headers = message.headers() or []
    problems = header_problems(headers)
    if problems:
        return None, problems
    values = {name: value.decode() for name, value in headers}
    number, _, count = values.get("ce_chunk", "").partition("/")
    epoch, sequence = int(values["ce_sequence"][:10]), int(values["ce_sequence"][10:])
    pts = int(values["ce_ptsns"])
    record = Record(
        source=values["ce_source"],
        id=values["ce_id"],
        codec=CODECS[values["content-type"]],
        epoch=epoch,
        sequence=sequence,
        time_ns=nanoseconds(values["ce_time"]),
        clock=values["ce_clock"],
        stepped="ce_clockstep" in values,
        pts=pts,
        dts=int(values.get("ce_dtsns", pts)),
        reordered="ce_dtsns" in values,
        keyframe=values["ce_keyframe"] == "1",
        width=int(values["ce_width"]),
        height=int(values["ce_height"]),
        gap=values.get("ce_gap"),
        gap_reason=values.get("ce_gapreason"),
        chunk=(int(number), int(count), values["ce_checksum"]) if number else None,
        backfill="ce_backfill" in values,
        value=message.value() or b"",
    )
    key = (message.key() or b"").decode("utf-8", "replace")
    if "/" + key != record.source:
        problems.append(f"key is {key!r}, ce_source {record.source!r}")
    if gateway and not key.startswith(gateway + "/"):
        problems.append(f"key is {key!r}, the gateway is {gateway!r}")
    whole_id = values.get("ce_chunkid", record.id)
    if record.id != whole_id + (f".{number}" if number else ""):
        problems.append(f"ce_id {record.id} does not say part {number} of {whole_id}")
    if whole_id.split("-")[1:] != [str(epoch), str(sequence)]:
        problems.append(f"ce_id {record.id} does not say epoch {epoch}, sequence {sequence}")
    expected = (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
    if message.partition() != expected:
        problems.append(f"on partition {message.partition()}, murmur2 says {expected}")
    if record.clock != "unsynced" and message.timestamp()[1] != record.time_ns // 1_000_000:
        problems.append(f"timestamp {message.timestamp()[1]} is not ce_time {values['ce_time']}")
    return record, problems + ([] if record.chunk else value_problems(record))


def xxh3(data):
    """XXH3 (64 bits) by the library the gateway is built with; Python has none."""
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    return f"{library.XXH3_64bits(ctypes.c_char_p(data), ctypes.c_size_t(len(data))):016x}"


class Joiner:
    """Puts the parts of one camera's large frames together. Parts that come again begin the frame anew."""

    def __init__(self):
        self.parts = []

    def add(self, record):
        """(frame, problems): the frame is None while parts of it are missing."""
        begun, problems = self.parts, []
        if record.chunk is None or record.chunk[0] == 1:
            self.parts = []
            if begun and begun[0].id.split(".")[0] != record.id.split(".")[0]:
                problems.append(f"{begun[0].id} lacks parts behind {len(begun)}")
        if record.chunk is None:
            return record, problems
        number, count, checksum = record.chunk
        if number != len(self.parts) + 1 or number > count:
            return None, problems + [f"part {number} of {count} behind {len(self.parts)}"]
        self.parts.append(record)
        if number < count:
            return None, problems
        whole, value = self.parts[0], b"".join(part.value for part in self.parts)
        self.parts = []
        if xxh3(value) != checksum:
            return None, problems + [f"{whole.id}: ce_checksum {checksum}, the parts say {xxh3(value)}"]
        whole.id, whole.chunk, whole.value = whole.id.split(".")[0], None, value
        return whole, problems + value_problems(whole)


def nals(data):
    """The NAL units of an Annex B stream, without start codes."""
    return [nal.rstrip(b"\0") for nal in re.split(rb"\x00\x00\x01", data)[1:]]


def value_problems(record):
    """Whether the value is exactly one access unit, and starts with its parameter sets where it is a keyframe."""
    if record.codec == "mjpeg":
        return jpeg_problems(record)
    if not re.match(rb"\x00\x00(\x00)?\x01", record.value):
        return ["value does not begin with a start code"]
    sets = {"h264": {7, 8}, "hevc": {32, 33, 34}}[record.codec]
    before_picture, pictures, keyframe = set(), 0, False
    for nal in nals(record.value):
        nal += bytes(3)  # the short ones (delimiter, end of sequence) carry no picture
        if record.codec == "h264":
            kind, first_slice = nal[0] & 0x1F, nal[1] & 0x80
            is_picture, is_key = kind in (1, 2, 5), kind == 5
        else:
            kind, first_slice = nal[0] >> 1 & 0x3F, nal[2] & 0x80
            is_picture, is_key = kind < 32, 16 <= kind <= 23
        if not is_picture:
            before_picture |= {kind} if pictures == 0 else set()
            continue
        pictures += bool(first_slice)
        keyframe = keyframe or is_key
    problems = [] if pictures == 1 else [f"{pictures} access units"]
    if keyframe != record.keyframe:
        problems.append(f"ce_keyframe {int(record.keyframe)}, the picture says {int(keyframe)}")
    if keyframe and not sets <= before_picture:
        problems.append(f"keyframe without parameter sets {sorted(sets - before_picture)} before it")
    return problems


def jpeg_problems(record):
    """Walks the segments of a JPEG: one picture, from SOI to EOI, and nothing behind."""
    data, at = record.value, 2
    if data[:2] != b"\xff\xd8":
        return ["value does not begin with SOI"]
    if not record.keyframe:
        return ["a JPEG that is no keyframe"]
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return [f"no JPEG marker at byte {at}"]
        scan = data[at + 1] == 0xDA
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if scan:
            marker = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]").search(data, at)
            at = marker.start() if marker else len(data)
        if data[at : at + 2] == b"\xff\xd9":
            return [] if at + 2 == len(data) else [f"{len(data) - at - 2} bytes after EOI"]
    return ["no EOI"]


def order_problems(last, record):
    """What is wrong with `record` right behind `last` of the same camera (None: the first one)."""
    if last is None:
        return [] if record.keyframe else ["the first record is no keyframe"]
    if record.epoch != last.epoch:
        problems = [] if record.epoch > last.epoch else [f"epoch falls from {last.epoch} to {record.epoch}"]
        return problems + ([] if record.keyframe else ["the first record of an epoch is no keyframe"])
    step = record.sequence - last.sequence
    problems = []
    if step <= 0:
        problems.append(f"sequence {record.sequence} behind {last.sequence}")
    elif record.gap is None and step != 1:
        problems.append(f"{step - 1} sequence numbers missing without ce_gap")
    elif record.gap not in (None, "unknown") and step != int(record.gap) + 1:
        problems.append(f"ce_gap {record.gap}, but {step - 1} sequence numbers missing")
    if record.gap is None and record.dts <= last.dts:
        problems.append(f"decoding time falls from {last.dts} to {record.dts} ns")
    if record.gap is None and record.dts - last.dts > SILENCE_NS:
        problems.append(f"media time jumps by {record.dts - last.dts} ns without ce_gap")
    if record.gap is not None and not record.keyframe:
        problems.append("no keyframe after a gap")
    # Capture time belongs to the picture: with B-frames it goes back in decoding order as presentation time does.
    marked = record.stepped or record.clock != last.clock
    if not marked and (record.pts - last.pts) * (record.time_ns - last.time_ns) < 0:
        problems.append("capture time runs backwards")
    return problems
