#!/usr/bin/env python3
"""Tests of the test bench: the reader accepts good records and refuses each kind of bad one; servers serve, and end.

usage: selftest.py [unittest options]
"""

import contextlib
import copy
import datetime
import itertools
import json
import pathlib
import subprocess
import sys
import unittest
import unittest.mock
from dataclasses import dataclass, field

import av
import media
import pictures
import reader
import records
from confluent_kafka import Producer

HERE = pathlib.Path(__file__).parent
GATEWAY, EPOCH, STARTED_NS = "dock-7", 1795451000, 1795460400123456789
CONTENT = {"h264": "video/h264", "h265": "video/h265", "mjpeg": "image/jpeg"}


@dataclass
class Message:
    """Stands in for a confluent_kafka message."""

    named: dict
    data: bytes
    ident: bytes
    place: int = 0
    stamp: int = 0
    more: list = field(default_factory=list)

    def headers(self):
        return [(name, value.encode()) for name, value in self.named.items()] + self.more

    def value(self):
        return self.data

    def key(self):
        return self.ident

    def partition(self):
        return self.place

    def offset(self):
        return 0

    def timestamp(self):
        return 1, self.stamp

    def number(self, sequence):
        """Gives it another sequence number."""
        self.named["ce_sequence"] = f"{EPOCH:010}{sequence:020}"
        self.named["ce_id"] = f"9f2c4a117be00d35-{EPOCH}-{sequence}"

    def at(self, time_ns):
        whole, rest = divmod(time_ns, 1_000_000_000)
        second = datetime.datetime.fromtimestamp(whole, datetime.UTC)
        self.named["ce_time"] = f"{second:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
        self.stamp = time_ns // 1_000_000


def good(clip_name, camera="gate", count=60, gateway=GATEWAY):
    """Records of one camera as the gateway must write them."""
    clip = media.CLIPS[clip_name]
    units = media.split(clip.codec, media.ensure()[clip_name].read_bytes())[:count]
    interval, messages = 1_000_000_000 // clip.fps, []
    for index, unit in enumerate(units):
        pts, dts = (index + clip.delay(index)) * interval, index * interval
        named = {
            "ce_specversion": "1.0",
            "ce_type": "camgate.frame.v1",
            "ce_source": f"/{gateway}/{camera}",
            "content-type": CONTENT[clip.codec],
            "ce_clock": "gateway",
            "ce_ptsns": str(pts),
            "ce_keyframe": "1" if clip.codec == "mjpeg" or index % clip.fps == 0 else "0",
            "ce_width": "640",
            "ce_height": "480",
        }
        if dts != pts:
            named["ce_dtsns"] = str(dts)
        message = Message(named, unit, f"{gateway}/{camera}".encode())
        message.number(index)
        message.at(STARTED_NS + pts)
        messages.append(message)
    return messages


def gap(message, count, reason, **more):
    message.named |= {"ce_gap": count, "ce_gapreason": reason, **more}


def renumber(messages):
    for index, message in enumerate(messages):
        message.number(index)


def check(messages, *options):
    """The problems the reader finds."""
    subject = reader.Reader(reader.arguments(["--brokers", "none", *options]))
    for message in messages:
        subject.add(message, 1)
    for camera in subject.cameras.values():
        camera.finish(is_last=True)
    subject.check_presence()
    return subject.problems


class Records(unittest.TestCase):
    def setUp(self):
        self.h264, self.jpeg = good("h264"), good("mjpeg", count=10)

    def refused(self, text, messages, *options):
        problems = check(messages, *options)
        self.assertTrue(any(text in problem for problem in problems), f"{text!r} not in {problems}")

    def test_good_records_pass(self):
        for clip in ("h264", "h264b", "h265", "mjpeg"):
            with self.subTest(clip):
                self.assertEqual(check(good(clip), "--camera", "gate", "--frames", "60", "--gateway", GATEWAY), [])

    def test_a_missing_or_malformed_header_is_refused(self):
        for name in records.REQUIRED:
            with self.subTest(name):
                broken = copy.deepcopy(self.h264[:2])
                broken[1].named[name] = "?"
                self.refused(f"{name} is '?'", broken)
                del broken[1].named[name]
                self.refused(f"{name} missing", broken)

    def test_headers_that_nobody_promised_are_refused(self):
        self.h264[3].more = [("ce_other", b"1")]
        self.h264[4].more = [("ce_type", b"camgate.frame.v1")]
        self.h264[5].named["ce_dtsns"] = self.h264[5].named["ce_ptsns"]
        self.refused("ce_other is no header of ours", self.h264)
        self.refused("ce_type twice", self.h264)
        self.refused("ce_dtsns equals", self.h264)
        self.refused("bytes of headers", good("h264", count=1, gateway="g" * 300))

    def split(self, index, count):
        """Sends a record of `self.h264` as so many parts."""
        whole = self.h264[index]
        size = -(-len(whole.data) // count)
        for number in range(1, count + 1):
            part = copy.deepcopy(whole)
            part.data = whole.data[(number - 1) * size : number * size]
            part.named |= {
                "ce_id": f"{whole.named['ce_id']}.{number}",
                "ce_chunk": f"{number}/{count}",
                "ce_chunkid": whole.named["ce_id"],
                "ce_checksum": records.xxh3(whole.data),
            }
            self.h264.insert(index + number, part)
        del self.h264[index]

    def test_parts_are_joined(self):
        self.split(40, 2)
        self.split(0, 3)
        self.assertEqual(check(self.h264, "--camera", "gate", "--frames", "60"), [])

    def test_parts_that_come_again_are_joined_once(self):
        self.split(1, 3)
        self.h264[3:3] = copy.deepcopy(self.h264[1:3])
        self.assertEqual(check(self.h264), [])

    def test_a_missing_damaged_or_misplaced_part_is_refused(self):
        self.split(1, 3)
        good_parts = self.h264
        self.h264 = good_parts[:2] + good_parts[3:]
        self.refused("part 3 of 3 behind 1", self.h264)
        self.refused("lacks parts behind 2", good_parts[:3] + good_parts[4:])
        good_parts[2].data = b"x" + good_parts[2].data[1:]
        self.refused("ce_checksum", good_parts)
        good_parts[2].named["ce_id"] += "1"
        self.refused("does not say part 2", good_parts)
        del good_parts[2].named["ce_chunk"]
        self.refused("some headers of a part", good_parts)

    def test_key_partition_timestamp_and_id_must_agree_with_the_headers(self):
        self.h264[1].ident = b"dock-7/other"
        self.h264[2].place = 1
        self.h264[3].stamp += 1
        self.h264[4].named["ce_id"] = f"9f2c4a117be00d35-{EPOCH}-99"
        for text in ("key is", "on partition 1", "is not ce_time", "does not say epoch"):
            self.refused(text, self.h264)
        self.refused("the gateway is", good("h264", count=1), "--gateway", "dock-8")

    def test_order(self):
        swapped = self.h264[:]
        swapped[6], swapped[7] = swapped[7], swapped[6]
        self.refused("sequence 6 behind 7", swapped)
        self.refused("twice in the topic", self.h264 + self.h264[-1:])
        self.refused("1 sequence numbers missing", self.h264[:7] + self.h264[8:])
        self.refused("first record is no keyframe", self.h264[1:])
        self.h264[9].at(STARTED_NS)
        self.refused("capture time runs backwards", self.h264)
        wrong = good("h264b")
        for message in wrong:
            message.named.pop("ce_dtsns", None)
        for text in ("mp4 refuses", "matroska refuses"):
            self.refused(text, wrong)

    def test_hole_and_repeat_in_the_counter(self):
        hole = self.jpeg[:4] + self.jpeg[6:]
        renumber(hole)
        self.refused("frame number 6, expected 4", hole)
        repeat = self.jpeg[:5] + copy.deepcopy(self.jpeg[4:])
        renumber(repeat)
        self.refused("frame number 4 again", repeat)
        lost_gop = good("h264", count=90)
        lost_gop = lost_gop[:30] + lost_gop[60:]
        renumber(lost_gop)
        self.refused("frame number 60, expected 30", lost_gop)

    def test_a_counter_that_does_not_begin_again_has_no_hole(self):
        with unittest.mock.patch.object(media, "FRAMES", 4):
            self.assertEqual(check(self.jpeg), [])

    def test_a_whole_loop_of_the_clip_missing_shows_in_media_time(self):
        for message in self.jpeg[5:]:
            message.named["ce_ptsns"] = str(int(message.named["ce_ptsns"]) + 40_000_000_000)
        self.refused("media time jumps", self.jpeg)

    def test_one_access_unit_a_record(self):
        self.h264[3].data += self.h264[4].data
        self.h264[5].data = self.h264[5].data[:6]
        self.refused("2 access units", self.h264)
        self.refused("0 access units", self.h264)
        self.jpeg[3].data += self.jpeg[4].data
        self.jpeg[5].data = self.jpeg[5].data[:-2]
        self.refused("bytes after EOI", self.jpeg)
        self.refused("no EOI", self.jpeg)

    def test_the_end_may_cut_b_frames_off(self):
        for count in range(26, 31):
            self.assertEqual(check(good("h264b", count=count)), [])

    def test_keyframes(self):
        without_sets = self.h264[30]
        without_sets.data = without_sets.data[without_sets.data.index(b"\0\0\1\x65") :]
        self.refused("keyframe without parameter sets [7, 8]", self.h264)
        self.h264[31].named["ce_keyframe"] = "1"
        self.refused("ce_keyframe 1, the picture says 0", self.h264)

    def test_length_prefixes_are_no_start_codes(self):
        self.h264[1].data = len(self.h264[1].data).to_bytes(4, "big") + self.h264[1].data[6:]
        self.refused("does not begin with a start code", self.h264)

    def test_what_does_not_decode_is_refused(self):
        middle = len(self.h264[0].data) // 2
        self.h264[0].data = self.h264[0].data[:middle] + bytes(range(1, 255)) + self.h264[0].data[middle + 254 :]
        self.refused("does not decode", self.h264)
        self.refused("header 320x480, picture 640x480", [self.narrow(message) for message in good("h264")])

    @staticmethod
    def narrow(message):
        message.named["ce_width"] = "320"
        return message

    def test_gaps(self):
        lost = good("h264", count=90)
        lost = lost[:30] + lost[60:]
        gap(lost[30], "30", "overload")
        self.assertEqual(check(lost, "--gaps", "overload"), [])
        self.refused("ce_gap 30 (overload)", lost)
        gap(lost[30], "29", "overload")
        self.refused("ce_gap 29, but 30 sequence numbers", lost, "--gaps", "overload")
        renumber(lost)
        gap(lost[30], "unknown", "network", ce_gapns="1000000000")
        self.assertEqual(check(lost, "--gaps", "network,camera"), [])
        del lost[30].named["ce_gapns"]
        self.refused("unknown without ce_gapns", lost, "--gaps", "network")
        gap(lost[30], "30", "network")
        self.refused("does not go with", lost, "--gaps", "network")
        gap(self.h264[3], "unknown", "network", ce_gapns="1")
        self.refused("no keyframe after a gap", self.h264, "--gaps", "network")

    def test_expectations(self):
        self.refused("10 frames, expected 11", self.jpeg, "--frames", "11")
        self.refused("yard: no record", self.jpeg, "--camera", "gate", "--camera", "yard")
        self.refused("gate: nobody expected it", self.jpeg, "--camera", "yard")


class Server:
    """A program of the test bench, started and, through the end of its input, stopped."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE)
        line = self.process.stdout.readline()
        if not line.startswith("READY "):
            raise RuntimeError(f"{command}: {line!r}")
        self.ready = json.loads(line[6:])

    def command(self, text):
        print(text, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(30) != 0:
            raise RuntimeError(f"{self.process.args} ended with {self.process.returncode}")


def run(program, *options):
    """The JSON lines that a program of the test bench prints."""
    command = [sys.executable, program, *options]
    output = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


class Servers(unittest.TestCase):
    def test_records_survive_broker_and_proxy(self):
        """Also: our murmur2 is librdkafka's, the proxy stays in between, faults are obeyed."""
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(Server(sys.executable, "broker.py", "--topic", "cameras:5"))
            proxy = stack.enter_context(Server(sys.executable, "proxy.py", str(broker.ready["port"]), "--kafka"))
            address = f"127.0.0.1:{proxy.ready['port']}"
            producer = Producer(
                {
                    "bootstrap.servers": address,
                    "partitioner": "murmur2_random",
                    "enable.idempotence": True,
                    "log_level": 0,
                }
            )
            self.assertIn(f":{proxy.ready['port']}", str(list(producer.list_topics(timeout=10).brokers.values())))
            names = ["gate", "yard", "north-door", "a", "b1"]
            self.assertEqual(proxy.command("eat"), "OK eat")
            for message in [message for name in names for message in good("h264", name)]:
                producer.produce(
                    "cameras", message.data, message.ident, headers=message.headers(), timestamp=message.stamp
                )
            self.assertEqual(producer.flush(1), len(names) * 60)
            self.assertEqual([proxy.command(text)[:2] for text in ("reset", "pass", "nonsense")], ["OK", "OK", "ER"])
            self.assertEqual(producer.flush(30), 0)
            self.assertEqual([broker.command(text) for text in ("pause", "continue")], ["OK pause", "OK continue"])
            cameras = [text for name in names for text in ("--camera", name)]
            options = ["--brokers", address, "--gateway", GATEWAY, "--frames", "60", *cameras]
            summary = run("reader.py", *options)[-1]
            self.assertEqual((summary["ok"], summary["frames"], summary["lost"]), (True, 300, 0))
            means = [line["meanPixel"] for line in run("mean_pixel.py", "--brokers", address)]
            self.assertEqual(len(means), 300)
            self.assertTrue(all(50 < mean < 200 for mean in means), means[:5])

    def test_cameras(self):
        shows = ["gate=h264", "yard=h264b+aac", "dock=h265", "lamp=mjpeg", "quiet=h264+sdp"]
        for kind in ("digest", "basic"):
            with Server("/usr/bin/python3", "cameras.py", "--login", "viewer:p@ss", "--auth", kind, *shows) as server:
                for name, url in server.ready["urls"].items():
                    with self.subTest(f"{kind} {name}"):
                        transport = "tcp" if kind == "digest" else "udp"
                        self.assert_counts_up(url.replace("//", "//viewer:p%40ss@"), transport)
                with self.assertRaises(av.FFmpegError):
                    av.open(server.ready["urls"]["gate"])
                self.assertEqual(server.command("stall gate"), "OK stall gate")
                self.assertIn("ERROR", server.command("stall nobody"))

    def assert_counts_up(self, url, transport):
        with av.open(url, options={"rtsp_transport": transport}, timeout=20) as camera:
            numbers = []
            for frame in camera.decode(video=0):
                numbers.append(pictures.counter(frame))
                if len(numbers) == 40:
                    break
        # A clip that is joined between two keyframes begins with frames that cannot be decoded.
        numbers = numbers[numbers.index(max(numbers[:2])) :]
        self.assertTrue(all(b == (a + 1) % media.FRAMES for a, b in itertools.pairwise(numbers)), numbers)


if __name__ == "__main__":
    unittest.main()
