"""What a board needs around it: cameras and a broker on the desk's loopback, and settings on the card."""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TESTBED = pathlib.Path(__file__).parents[2] / "testbed"
sys.path.insert(0, str(TESTBED))

import records  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from machine import HOST  # noqa: E402
from tool import Tool  # noqa: E402
from topic import Topic  # noqa: E402

# RTSP cameras show a counter, others have a topic of their own.
TOPICS = {"cameras": 4, "local": 1}
MIB = 1 << 20
# Where partitions begin (image/boards/generic-arm64/board.sh).
CONFIG_OFFSET, DATA_OFFSET = 16 * MIB, (16 + 32 + 192) * MIB


class Bench:
    """Cameras `names` and a broker with the topic `cameras`, which a guest reaches as HOST."""

    def __init__(self, stack, cameras):
        self.directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camgate-image-test-")))
        self.stack = stack
        self.broker = self.tool(
            "broker", *(word for pair in TOPICS.items() for word in ("--topic", "{}:{}".format(*pair)))
        )
        self.proxy = self.tool("proxy", self.broker.ready["port"], "--kafka", "--host", HOST)
        self.cameras = self.tool("cameras", *(f"{name}={show}" for name, show in cameras.items()))
        self.urls = {name: url.replace("127.0.0.1", HOST) for name, url in self.cameras.ready["urls"].items()}

    def tool(self, name, *arguments):
        tool = Tool(name, *arguments)
        self.stack.callback(tool.end)
        return tool

    def settings(self, names=None, more="", memory="32MiB"):
        """A settings file for the board, with the cameras `names` of the bench, and more of them as YAML."""
        rows = [f"  - {{name: {name}, url: '{self.urls[name]}'}}" for name in names or self.urls]
        kafka = f"kafka: {{brokers: ['{HOST}:{self.proxy.ready['port']}']}}"
        buffer = f"buffer: {{directory: /data/ring, memory: {memory}}}"
        return "\n".join(["gateway: board-1", kafka, buffer, "cameras:", *rows, more]) + "\n"

    def read(self, *arguments):
        """What the independent reader says of a topic: its summary, and what is wrong as text."""
        command = [TESTBED / "run", "reader", "--brokers", self.broker.ready["brokers"], "--timeout", "600", *arguments]
        reader = subprocess.run(command, capture_output=True, text=True, check=False)
        if not reader.stdout:
            raise RuntimeError(reader.stderr)
        return json.loads(reader.stdout.splitlines()[-1]), reader.stderr

    def records(self, name):
        """What lies in a topic, without the pictures."""
        topic, found = Topic(self.broker.ready["brokers"], name, timeout=600), []
        for message in topic:
            record, problems = records.parse(message, topic.partitions)
            assert record, problems
            record.value = b""
            found.append(record)
        return found


class Tail:
    """The newest records of all topics. It looks twice a second: the broker answers at once when there is nothing, and
    whoever asks it all the time takes the processor away from the board."""

    def __init__(self, bench):
        self.consumer = Consumer(
            {
                "bootstrap.servers": bench.broker.ready["brokers"],
                "group.id": "tail",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 2,
            }
        )
        self.offsets = {}
        for place in [(name, number) for name, count in TOPICS.items() for number in range(count)]:
            self.offsets[place] = self.consumer.get_watermark_offsets(TopicPartition(*place), timeout=30)[1]
        self.counts = {}
        self.newest = {}  # when the newest picture of each camera was taken, in seconds since 1970

    def read(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            self.look()
            if (left := deadline - time.monotonic()) <= 0:
                return
            time.sleep(min(left, 0.4))

    def look(self):
        """Takes what is there."""
        waiting = set(self.offsets)
        self.consumer.assign([TopicPartition(*place, offset) for place, offset in self.offsets.items()])
        while waiting and (message := self.consumer.poll(10)) is not None:
            place = (message.topic(), message.partition())
            if message.error():
                waiting.discard(place)  # its end, most likely
            else:
                self.offsets[place] = message.offset() + 1
                self.count(message)
        self.consumer.unassign()

    def count(self, message):
        camera = message.key().decode().rpartition("/")[2]
        self.counts[camera] = self.counts.get(camera, 0) + 1
        taken = records.nanoseconds(dict(message.headers())["ce_time"].decode()) / 1e9
        self.newest[camera] = max(self.newest.get(camera, 0), taken)

    def wait(self, cameras, frames, timeout):
        """Waits until each of the cameras has so many more records; the seconds that took."""
        started, wanted = time.monotonic(), {name: self.counts.get(name, 0) + frames for name in cameras}
        while any(self.counts.get(name, 0) < count for name, count in wanted.items()):
            if time.monotonic() - started > timeout:
                raise TimeoutError(f"after {timeout} s there are {self.counts}, wanted {wanted}")
            self.read(0.2)
        return time.monotonic() - started

    def wait_current(self, cameras, timeout):
        """Waits until pictures of all the cameras arrive within three seconds of being taken; the seconds that took."""
        started = time.monotonic()
        while min(self.newest.get(name, 0) for name in cameras) < time.time() - 3:
            if time.monotonic() - started > timeout:
                raise TimeoutError(f"not current after {timeout} s: {self.newest} at {time.time()}")
            self.read(0.2)
        return time.monotonic() - started


def say(text):
    print(f"image-test: {text}", file=sys.stderr, flush=True)


def copy_sparse(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def copy_from(source, start, target):
    """Copies what of a sparse file lies behind `start`, and leaves its holes out."""
    with open(source, "rb") as whole, open(target, "wb") as part:
        end, at = whole.seek(0, os.SEEK_END), start
        part.truncate(end - start)
        while at < end:
            try:
                at = os.lseek(whole.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            stop = os.lseek(whole.fileno(), at, os.SEEK_HOLE)
            while at < stop:
                at += os.copy_file_range(whole.fileno(), part.fileno(), stop - at, at, at - start)


def make_card(image, path, size):
    """A card with the image on it: a sparse file of `size` bytes."""
    copy_sparse(image, path)
    with open(path, "r+b") as card:
        card.truncate(size)


def on_config(card, *command, **options):
    """Runs an mtools command on the config partition of a card, as a laptop would write to it."""
    name, *arguments = command
    return subprocess.run([name, "-i", f"{card}@@{CONFIG_OFFSET}", *arguments], check=True, **options)


def write_settings(card, text, directory):
    """Puts a settings file on the card."""
    path = pathlib.Path(directory) / "camgate.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    on_config(card, "mcopy", "-o", str(path), "::camgate.yaml")


def check_data(card, directory):
    """Whether a copy of the data partition recovers as it would on the board; the copy, because e2fsck forgets an
    offset when it opens the file again behind the journal's recovery."""
    volume = pathlib.Path(directory) / "data"
    copy_from(card, DATA_OFFSET, volume)
    checked = subprocess.run(["e2fsck", "-fp", volume], capture_output=True, text=True, check=False)
    assert checked.returncode < 4, checked.stdout + checked.stderr
    return volume


def check_ring(card, directory):
    """The same of the ring on it: how many frames are sound, and what damage was found, if any."""
    volume, ring = check_data(card, directory), pathlib.Path(directory) / "ring"
    shutil.rmtree(ring, ignore_errors=True)
    subprocess.run(["debugfs", "-R", f"rdump /ring {directory}", volume], capture_output=True, check=True)
    command = [os.environ["CAMGATE"], "ring", "verify", "--json", str(ring)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(verified.stdout or "{}")
    assert found and found["damaged"] == 0, verified.stdout + verified.stderr
    return found["sound"], found["findings"] if verified.returncode else []


def persistent_log(card, directory):
    """What lies in the newest file of the log on a card."""
    command = ["debugfs", "-R", "cat /log/current", check_data(card, directory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def losses(found, cuts):
    """How many seconds of a camera's pictures the worst power cut of each phase cost; `cuts` are (phase, time). Raises
    AssertionError when a start behind one does not announce it."""
    worst = {}
    for phase, cut in cuts:
        lost = cut - max(record.time_ns / 1e9 for record in found if record.time_ns / 1e9 < cut)
        worst[phase] = max(worst.get(phase, 0), round(lost, 1))
    starts = [record for last, record in itertools.pairwise(found) if record.epoch != last.epoch]
    assert all(record.gap_reason == "restart" for record in starts), starts
    assert len(starts) == len(cuts), starts
    return worst


@contextlib.contextmanager
def on_desk(cameras):
    with contextlib.ExitStack() as stack:
        yield Bench(stack, cameras)
