"""Decoding records with FFmpeg's libraries (PyAV), and reading the frame number that the test cameras burn in."""

import av
import cv2
import media
import numpy


class Undecodable(Exception):
    """A GOP that a fresh decoder does not accept, or from which frames are missing."""


def decode(records):
    """[(record, frame)] of one GOP in presentation order, from a decoder that has seen nothing before it."""
    context = av.CodecContext.create(records[0].codec, "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    frames = []
    try:
        for index, record in enumerate(records):
            packet = av.Packet(record.value)
            packet.pts = packet.dts = index
            frames += context.decode(packet)
        frames += context.decode(None)
    except av.FFmpegError as error:
        raise Undecodable(str(error)) from error
    if len(frames) != len(records):
        raise Undecodable(f"{len(frames)} frames from {len(records)} records")
    if any(frame.is_corrupt for frame in frames):
        raise Undecodable("frames marked as corrupt")
    return [(records[frame.pts], frame) for frame in frames]


def counter(frame):
    """The frame number in the picture's top left corner, from its luma plane."""
    plane = frame.planes[0]
    luma = numpy.frombuffer(plane, numpy.uint8).reshape(-1, plane.line_size)
    middle = media.BLOCK // 2
    return sum(1 << bit for bit in range(media.BITS) if luma[middle, bit * media.BLOCK + middle] > 128)


def mean(record, frame):
    """The mean of all channels of all pixels, by OpenCV's own colour conversion (BT.601) and JPEG decoder."""
    if record.codec == "mjpeg":
        return float(cv2.imdecode(numpy.frombuffer(record.value, numpy.uint8), cv2.IMREAD_COLOR).mean())
    return float(cv2.cvtColor(frame.to_ndarray(format="yuv420p"), cv2.COLOR_YUV2BGR_I420).mean())
