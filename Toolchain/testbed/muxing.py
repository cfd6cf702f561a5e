"""Whether muxers take a camera's records with their times: MP4 and Matroska, by FFmpeg's libraries (PyAV)."""

import fractions
import io
import os

import av

FORMATS = ("mp4", "matroska")
INPUTS = {"h264": "h264", "hevc": "hevc", "mjpeg": "mjpeg"}
TICK = fractions.Fraction(1, 90_000)


class Muxer:
    """One file of one format, which is thrown away. `first` is a keyframe, whose parameter sets describe the rest."""

    def __init__(self, format_name, first):
        self.format = format_name
        self.start = first.dts
        self.output = av.open(os.devnull, "w", format=format_name)
        with av.open(io.BytesIO(first.value), format=INPUTS[first.codec]) as source:
            self.stream = self.output.add_stream_from_template(source.streams.video[0])

    def add(self, record):
        """What is wrong with one more record; None when it is taken."""
        packet = av.Packet(record.value)
        packet.stream, packet.time_base = self.stream, TICK
        packet.pts, packet.dts = (self.ticks(time) for time in (record.pts, record.dts))
        packet.is_keyframe = record.keyframe
        try:
            self.output.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            return f"{self.format} refuses pts {record.pts} dts {record.dts}: {error}"
        return None

    def ticks(self, time_ns):
        return round((time_ns - self.start) * TICK.denominator / 1_000_000_000)


class Muxing:
    """All formats, from an epoch's first record on: media time begins again with each start of the gateway."""

    def __init__(self):
        self.epoch, self.muxers = None, []

    def add(self, record):
        """What is wrong with one more record. A format that refused one is not asked again before the next epoch."""
        if self.epoch != record.epoch:
            self.epoch = record.epoch
            self.muxers = [Muxer(name, record) for name in FORMATS]
        problems = []
        for muxer in list(self.muxers):
            if problem := muxer.add(record):
                problems.append(problem)
                self.muxers.remove(muxer)
        return problems
