#!/usr/bin/python3
"""The clips that the test cameras loop, encoded once into the cache.

Every clip has FRAMES frames and, top left, the frame's number in binary: 16 blocks of 16 x 16 pixels, lowest bit
first, white is 1. So whoever decodes a frame knows which one it is, and can see a hole or a repeat.

usage: media.py     makes what is missing and prints the directory
"""

import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

FRAMES = 600
BLOCK = 16
BITS = 16


@dataclass(frozen=True)
class Clip:
    """One encoded clip: Annex B with an access unit delimiter before every frame, or JPEGs one after another."""

    codec: str
    size: str
    fps: int
    encoder: str
    b_frames: int = 0
    # Whether the order of the pictures is what the encoder makes of it, and stands in a file of its own.
    has_order: bool = False

    @property
    def extension(self):
        return "hevc" if self.codec == "h265" else self.codec

    def delay(self, number):
        """By how many frame times the presentation of the number-th frame (in decoding order) comes after its decoding.

        A GOP is one second long and of the pattern I PBB PBB …, so this needs no parsing."""
        step, in_gop = self.b_frames + 1, number % self.fps
        if step == 1 or in_gop == 0:
            return self.b_frames and 1
        return 1 + self.b_frames if (in_gop - 1) % step == 0 else 0


X264 = (
    "-c:v libx264 -preset veryfast -pix_fmt yuv420p -b:v 800k -g {fps} -bf {b} -x264-params "
    "aud=1:repeat-headers=1:scenecut=0:b-adapt=0:b-pyramid=none"
)
X265 = (
    "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -b:v 800k -g {fps} -x265-params "
    "aud=1:repeat-headers=1:bframes=0:open-gop=0:log-level=error"
)
X264_OPEN = (
    "-c:v libx264 -preset veryfast -pix_fmt yuv420p -b:v 400k -g 28 -bf 3 -x264-params "
    "aud=1:repeat-headers=1:scenecut=0:b-adapt=0:b-pyramid=normal:open-gop=1"
)
X265_OPEN = (
    "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -b:v 400k -g 29 -x265-params "
    "aud=1:repeat-headers=1:bframes=4:b-adapt=0:b-pyramid=1:open-gop=1:scenecut=0:log-level=error"
)

CLIPS = {
    "h264": Clip("h264", "640x480", 30, X264.format(fps=30, b=0)),
    # Another size, and a GOP of ten seconds.
    "h264small": Clip("h264", "320x240", 30, X264.format(fps=30, b=0)),
    "h264long": Clip("h264", "640x480", 30, X264.format(fps=300, b=0)),
    # Four slices a picture.
    "h264slices": Clip("h264", "640x480", 30, X264.format(fps=30, b=0) + ":slices=4"),
    # Two B-frames in a row: decoding order is not presentation order.
    "h264b": Clip("h264", "640x480", 25, X264.format(fps=25, b=2), b_frames=2),
    "h265": Clip("h265", "640x480", 25, X265.format(fps=25)),
    # A pyramid of B-frames, and no GOP is closed but the first.
    "h264open": Clip("h264", "320x240", 25, X264_OPEN, has_order=True),
    "h265open": Clip("h265", "320x240", 25, X265_OPEN, has_order=True),
    # RTP can only carry JPEG with the standard Huffman tables.
    "mjpeg": Clip("mjpeg", "640x480", 15, "-c:v mjpeg -q:v 5 -huffman default -pix_fmt yuvj420p"),
    # Wider than RTP's payload header of JPEGs can say.
    "mjpegwide": Clip("mjpeg", "2560x64", 15, "-c:v mjpeg -q:v 5 -huffman default -pix_fmt yuvj420p"),
    "aac": Clip("aac", "", 0, "-c:a aac -b:a 64k"),
}


START = {"h264": b"\x00\x00\x00\x01\x09", "h265": b"\x00\x00\x00\x01\x46\x01", "mjpeg": b"\xff\xd8\xff"}


def split(codec, data):
    """A clip's access units (a delimiter starts each), pictures or ADTS frames."""
    if codec == "aac":
        frames, at = [], 0
        while at + 7 <= len(data):
            size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
            frames.append(data[at : at + size])
            at += size
        return frames
    starts = [match.start() for match in re.finditer(re.escape(START[codec]), data)] + [len(data)]
    return [data[a:b] for a, b in itertools.pairwise(starts)]


def directory():
    """Where the clips lie: a new version of this file gets a new place."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    version = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
    return pathlib.Path(cache) / "camgate" / f"media-{version}"


def counter_filter():
    """The FFmpeg filter that burns the frame's number in."""
    boxes = [f"drawbox=x=0:y=0:w={BLOCK * (BITS + 1)}:h={2 * BLOCK}:color=black:t=fill"]
    for bit in range(BITS):
        boxes.append(
            f"drawbox=x={bit * BLOCK}:y=0:w={BLOCK}:h={BLOCK}:color=white:t=fill:enable='mod(floor(n/{1 << bit}),2)'"
        )
    return ",".join(boxes)


def encode(clip, path):
    """Encodes one clip and moves it into place only when it is whole."""
    if clip.codec == "aac":
        source = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=20"]
        container = "adts"
    else:
        source = ["-f", "lavfi", "-i", f"testsrc2=s={clip.size}:r={clip.fps}", "-frames:v", str(FRAMES)]
        source += ["-vf", counter_filter()]
        container = clip.extension
    unfinished = path.with_name(path.name + ".part")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    encoded = [*source, *clip.encoder.split()]
    if clip.has_order:
        timed = path.with_name(path.name + ".ts")
        subprocess.run([*command, *encoded, "-f", "mpegts", str(timed)], check=True)
        order_file(path).write_text(json.dumps(order(timed)))
        encoded = ["-i", str(timed), "-c", "copy"]
    subprocess.run([*command, *encoded, "-f", container, str(unfinished)], check=True)
    unfinished.rename(path)


def order_file(path):
    """Where the order of a clip's pictures stands."""
    return path.with_name(path.name + ".order")


def order(path):
    """By how many frame times each picture's presentation comes after its decoding, in decoding order."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts", "-of", "csv=p=0"]
    lines = subprocess.run([*probe, str(path)], check=True, capture_output=True, text=True).stdout.split()
    times = [int(line.strip(",")) for line in lines]
    rank = {time: index for index, time in enumerate(sorted(times))}
    steps = [rank[time] - index for index, time in enumerate(times)]
    return [step - min(steps) for step in steps]


def ensure():
    """Makes what is missing; {clip name: file}. Safe to call from several processes at once."""
    target = directory()
    target.mkdir(parents=True, exist_ok=True)
    files = {name: target / f"{name}.{clip.extension}" for name, clip in CLIPS.items()}
    with open(target / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, path in files.items():
            if not path.exists():
                print(f"media: encoding {name}", file=sys.stderr, flush=True)
                encode(CLIPS[name], path)
    return files


def add(files, streams):
    """Takes raw H.264 or H.265 files with access unit delimiters, `NAME=FILE`, for clips of 25 frames a second."""
    for text in streams:
        name, path = text.split("=", 1)
        CLIPS[name] = Clip("h265" if path.endswith(".hevc") else "h264", "320x240", 25, "")
        files[name] = pathlib.Path(path)


if __name__ == "__main__":
    ensure()
    print(directory())
