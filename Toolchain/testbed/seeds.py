#!/usr/bin/env python3
"""What the cameras of the fault table send, as inputs for FFmpeg's fuzzers (Tests/Fuzz/FuzzFFmpeg.swift).

usage: seeds.py DIRECTORY      makes DIRECTORY/rtsp and /rtp, a file for each dialogue of Tests/Fixtures/rtsp, and
                               DIRECTORY/keyframe, files for each clip

The clips are those of the test bench in a small size, and what happens happens within the first frames: an input has
few kilobytes, so that many of them are tried in a second.
"""

import argparse
import base64
import concurrent.futures
import dataclasses
import io
import os
import pathlib
import re
import socket
import struct
import sys
import tempfile
import threading

import media
import responder

DIALOGUES = pathlib.Path(__file__).parents[2] / "Tests/Fixtures/rtsp"
MARK = b"\n%%\n"  # between the pieces of an input
CAMERA = b"{camera}"  # stands for host and port
LIMIT = 6_000  # bytes
# They need ports for UDP.
LEFT_OUT = {"injected", "from-elsewhere"}
SIZES = {"mjpegwide": "2560x16"}  # its width is what it is for
# The first byte of an input for `keyframe`: for the size alone, and for the pictures.
KINDS = {"h264": b"\0\3", "h265": b"\1\4", "mjpeg": b"\2"}


def shrink(directory):
    """The clips are made anew in a place of their own."""
    media.directory = lambda: pathlib.Path(directory)
    media.FRAMES = 40
    videos = {name: clip for name, clip in media.CLIPS.items() if clip.codec != "aac"}
    media.CLIPS = {name: dataclasses.replace(clip, size=SIZES.get(name, "64x48")) for name, clip in videos.items()}
    return media.ensure()


def hasten(script):
    """A dialogue in which everything comes to pass in the first frames, at once."""
    events = [{**event, "at": min(event["at"], 2 + index)} for index, event in enumerate(script.get("event", []))]
    few = {key: [[min(count, 2), line] for count, line in script.get(key, [])] for key in ("first_lines", "last_lines")}
    quick = {"fps": 2000.0, "claimed_fps": script.get("claimed_fps", script.get("fps", 30.0)), "report_delay": 0.0}
    return script | quick | few | {"event": events} | ({"open_gop": 0} if "open_gop" in script else {})


def record(port, name, login):
    """All bytes of a connection that asks as FFmpeg does, up to LIMIT."""
    verbs, credentials = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"], []
    if login:
        verbs.insert(1, "DESCRIBE")  # the first one is refused
        credentials = ["Authorization: Basic " + base64.b64encode(login.encode()).decode()]
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.settimeout(2)
        try:
            for count, verb in enumerate(verbs, 1):
                lines = [f"{verb} rtsp://127.0.0.1:{port}/{name} RTSP/1.0", f"CSeq: {count}"]
                lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"] if verb == "SETUP" else []
                lines += credentials if count > 2 else []
                line.sendall("\r\n".join([*lines, "", ""]).encode())
            while len(received) < LIMIT and (more := line.recv(65536)):
                received += more
        except OSError:
            pass
    return received[:LIMIT].replace(f"127.0.0.1:{port}".encode(), CAMERA)


def packets(stream):
    """The description and the RTP and RTCP packets of a recorded connection."""
    at, description, found = 0, b"", []
    while at < len(stream):
        if stream[at : at + 1] == b"$":
            size = struct.unpack(">xxH", stream[at : at + 4].ljust(4, b"\0"))[0]
            found.append(stream[at + 4 : at + 4 + size])
            at += 4 + size
            continue
        end = stream.find(b"\r\n\r\n", at)
        if end < 0:
            break
        length = re.search(rb"Content-Length: (\d+)", stream[at:end])
        at = end + 4 + (int(length[1]) if length else 0)
        description = stream[end + 4 : at] or description
    return [description, *found] if found else []


def keyframes(clip, path):
    """The first pictures of a clip, each an access unit."""
    units = media.split(clip.codec, path.read_bytes())[:3]
    for kind in KINDS[clip.codec]:
        yield bytes([kind]) + (MARK.join(units) if kind > 1 else units[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    target = parser.parse_args().directory
    sys.stdout = io.StringIO()  # the responder's events
    with tempfile.TemporaryDirectory(prefix="camgate-seeds-") as directory:
        files = shrink(directory)
        found = {"rtsp": {}, "rtp": {}, "keyframe": {}}
        for name, clip in media.CLIPS.items():
            for index, seed in enumerate(keyframes(clip, files[name])):
                found["keyframe"][f"{name}-{index}"] = seed
        cameras = responder.Responder(sorted(DIALOGUES.glob("*.toml")), [], "127.0.0.1", 0, None)
    for camera in cameras.cameras.values():
        camera.script = hasten(camera.script)
    threading.Thread(target=cameras.serve, daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        names = [name for name in cameras.cameras if name not in LEFT_OUT]
        logins = [cameras.cameras[name].get("login", "") for name in names]
        streams = dict(zip(names, pool.map(record, [cameras.port] * len(names), names, logins), strict=True))
    for name, stream in streams.items():
        found["rtsp"][name] = stream
        if pieces := packets(stream):
            found["rtp"][name] = MARK.join(pieces)
    found["rtsp"]["redirect"] += MARK + streams["redirected"]
    for kind, seeds in found.items():
        (target / kind).mkdir(parents=True, exist_ok=True)
        for name, seed in seeds.items():
            (target / kind / name).write_bytes(seed)
    print(f"seeds: { {kind: len(seeds) for kind, seeds in found.items()} }", file=sys.stderr, flush=True)
    os._exit(0)  # cameras that stall are not waited for


if __name__ == "__main__":
    main()
