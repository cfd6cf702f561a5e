#!/usr/bin/python3
"""Test cameras: an RTSP server on 127.0.0.1 (GStreamer's), each camera a looped clip with its frame number burnt in.

usage: cameras.py [--port N] [--protocols tcp,udp] [--login USER:PASSWORD] [--auth digest|basic] [--stream NAME=FILE]...
                  CAMERA...

CAMERA is NAME=CLIP, or NAME*16=CLIP for NAME0 … NAME15. CLIP is one of media.py's: h264 h264b h265 mjpeg, and then
  +aac   with an audio track
  +sdp   H.264 parameter sets only in the session description, never in the stream
or `aac` alone: a camera with no video at all; or a NAME of --stream, a raw file of H.264 or H.265.

Prints `READY {"port": …, "urls": {NAME: URL}}`. A camera's time runs from then on, as a real one's does, whether
anyone looks or not: who connects twice gets later frames. Ends when standard input ends: it never outlives its parent.
Commands on standard input, each answered by a line `OK …` or `ERROR …`:
  stall NAME      no more frames, but the connection and its reports live      resume NAME
  skip NAME N     leaves the next N frames out                                 garbage NAME N   spoils the next N
  end NAME        ends the stream politely
"""

import argparse
import json
import os
import re
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
import media  # noqa: E402
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

NANOSECONDS = 1_000_000_000
AAC_SAMPLES, AAC_RATE = 1024, 48_000

APPSRC = "appsrc name={name} is-live=true format=time max-bytes=0 block=false caps={caps}"
VIDEO = {
    "h264": ("video/x-h264,stream-format=byte-stream,alignment=au", "h264parse ! rtph264pay config-interval=-1"),
    "h264+sdp": ("video/x-h264,stream-format=avc,alignment=au", "rtph264pay config-interval=0"),
    "h265": ("video/x-h265,stream-format=byte-stream,alignment=au", "h265parse ! rtph265pay config-interval=-1"),
    "mjpeg": ("image/jpeg", "jpegparse ! rtpjpegpay"),
}
AUDIO = "audio/mpeg,mpegversion=4,stream-format=adts,rate=48000,channels=1"


def without_parameter_sets(units):
    """H.264 access units with length prefixes and without SPS and PPS, and the `codec_data` that carries these."""
    stripped, sets = [], {}
    for unit in units:
        kept = b""
        for nal in re.split(rb"\x00\x00\x00?\x01", unit)[1:]:
            kind = nal[0] & 0x1F
            if kind in (7, 8):
                sets[kind] = nal
            elif kind != 9:
                kept += len(nal).to_bytes(4, "big") + nal
        stripped.append(kept)
    sps, pps = sets[7], sets[8]
    record = b"\1" + sps[1:4] + b"\xff\xe1" + len(sps).to_bytes(2, "big") + sps
    return stripped, record + b"\1" + len(pps).to_bytes(2, "big") + pps


class Camera:
    """What one camera shows, and the faults asked of it."""

    def __init__(self, name, clip, options, units, codec_data=None):
        self.name = name
        self.video = None if clip == "aac" else media.CLIPS[clip]
        self.units = units
        self.codec_data = codec_data
        self.options = options
        self.stalled = False
        self.ended = False
        self.skip = 0
        self.garbage = 0
        self.started = time.monotonic()

    def pipeline(self):
        """The GStreamer description of the camera's tracks."""
        tracks = []
        if self.video:
            codec = self.video.codec + ("+sdp" if "sdp" in self.options else "")
            caps, payloader = VIDEO[codec]
            caps += f",framerate={self.video.fps}/1"
            if self.codec_data:
                caps += f",codec_data=(buffer){self.codec_data.hex()}"
            source = APPSRC.format(name="video", caps=f'"{caps}"')
            tracks.append(f"{source} ! {payloader} name=pay0 pt=96")
        if "aac" in self.options or not self.video:
            source = APPSRC.format(name="audio", caps=f'"{AUDIO}"')
            tracks.append(f"{source} ! aacparse ! rtpmp4gpay name=pay{len(tracks)} pt=97")
        return "( " + " ".join(tracks) + " )"

    def feed(self, element, source_name, units, interval, stopped):
        """Pushes frames at their times until the media is gone. The camera's own time says which frame it is."""
        source = element.get_by_name(source_name)
        opened = time.monotonic()
        number = int((opened - self.started) / interval)
        while not stopped.wait(max(0, self.started + number * interval - time.monotonic())):
            if self.ended:
                self.ended = False
                source.emit("end-of-stream")
                return
            index = number % len(units)
            unit, number = units[index], number + 1
            if self.stalled:
                continue
            if source_name == "video" and self.skip > 0:
                self.skip -= 1
                continue
            if source_name == "video" and self.garbage > 0:
                self.garbage -= 1
                unit = unit[:12] + os.urandom(len(unit) - 12)
            buffer = Gst.Buffer.new_wrapped(unit)
            shown = self.started + (number - 1) * interval - opened
            delay = self.video.delay(index) * interval if source_name == "video" else 0
            buffer.dts = max(0, int(shown * NANOSECONDS))
            buffer.pts = buffer.dts + int(delay * NANOSECONDS)
            buffer.duration = int(interval * NANOSECONDS)
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return

    def start(self, rtsp_media):
        """Starts a feeding thread for each track of a media that was just made."""
        element, stopped = rtsp_media.get_element(), threading.Event()
        rtsp_media.connect("unprepared", lambda _: stopped.set())
        tracks = []
        if self.video:
            tracks.append(("video", self.units["video"], 1 / self.video.fps))
        if "aac" in self.options or not self.video:
            tracks.append(("audio", self.units["audio"], AAC_SAMPLES / AAC_RATE))
        for track in tracks:
            threading.Thread(target=self.feed, args=(element, *track, stopped), daemon=True).start()


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes a camera's media when the first client asks; later clients share it."""

    __gtype_name__ = "CamgateTestCamera"

    def __init__(self, camera, protocols):
        super().__init__()
        self.camera = camera
        self.set_shared(True)
        self.set_latency(0)
        self.set_protocols(protocols)
        role = "viewer, media.factory.access=true, media.factory.construct=true"
        self.add_role_from_structure(Gst.Structure.from_string(role)[0])

    def do_create_element(self, url):
        return Gst.parse_launch(self.camera.pipeline())

    def do_configure(self, rtsp_media):
        rtsp_media.set_rate_control(False)
        self.camera.start(rtsp_media)


def parse_camera(text, files):
    """`NAME*N=CLIP+option` as a list of cameras."""
    match = re.fullmatch(r"([a-z0-9-]+)(?:\*(\d+))?=([a-z0-9-]+)((?:\+[a-z]+)*)", text)
    if not match or match[3] not in files:
        raise SystemExit(f"cameras: {text!r} is not NAME=CLIP; clips: {' '.join(files)}")
    clip, options = match[3], set(match[4].split("+")[1:])
    units, codec_data = {"audio": media.split("aac", files["aac"].read_bytes())}, None
    if clip != "aac":
        units["video"] = media.split(media.CLIPS[clip].codec, files[clip].read_bytes())
    if "sdp" in options:
        units["video"], codec_data = without_parameter_sets(units["video"])
    names = [match[1]] if match[2] is None else [f"{match[1]}{index}" for index in range(int(match[2]))]
    return [Camera(name, clip, options, units, codec_data) for name in names]


def authentication(login, kind):
    """A server's login, digest or basic."""
    user, password = login.split(":", 1)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    if kind == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def obey(cameras, line):
    """Carries out one command; the answer."""
    try:
        verb, name, *count = line.split()
        camera = cameras[name]
        if verb in ("stall", "resume"):
            camera.stalled = verb == "stall"
        elif verb in ("skip", "garbage"):
            setattr(camera, verb, int(count[0]))
        elif verb == "end":
            camera.ended = True
        else:
            raise ValueError(f"no command {verb}")
    except (ValueError, KeyError, IndexError) as error:
        return f"ERROR {line.strip()}: {error}"
    return f"OK {line.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--protocols", default="tcp,udp")
    parser.add_argument("--login")
    parser.add_argument("--auth", choices=["digest", "basic"], default="digest")
    parser.add_argument("--stream", action="append", default=[])
    parser.add_argument("camera", nargs="+")
    options = parser.parse_args()

    files = media.ensure()
    media.add(files, options.stream)
    cameras = {camera.name: camera for text in options.camera for camera in parse_camera(text, files)}
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    if options.login:
        server.set_auth(authentication(options.login, options.auth))
    protocols = GstRtsp.RTSPLowerTrans(0)
    for name in options.protocols.split(","):
        protocols |= getattr(GstRtsp.RTSPLowerTrans, name.upper())
    for name, camera in cameras.items():
        server.get_mount_points().add_factory(f"/{name}", Factory(camera, protocols))
    if server.attach(None) == 0:
        raise SystemExit(f"cameras: cannot listen on 127.0.0.1:{options.port}")
    # Forgets sessions whose client died without a TEARDOWN.
    GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)

    port = server.get_bound_port()
    urls = {name: f"rtsp://127.0.0.1:{port}/{name}" for name in cameras}
    print("READY " + json.dumps({"port": port, "urls": urls}), flush=True)
    threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
    for line in sys.stdin:
        print(obey(cameras, line), flush=True)
    os._exit(0)  # GStreamer's threads are not worth waiting for


if __name__ == "__main__":
    main()
